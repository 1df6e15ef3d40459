"""Owns link (1): whether a lock still answers its spec, decided offline; opens no file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nox_envs.lockfile.doubt import Doubt, via_entry, via_label
from nox_envs.lockfile.merging import implementation_name, minor_version, requirement_text
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.satisfaction import Candidates, Markers, meets, satisfies
from nox_envs.lockfile.text import Lock, requirement_line
from nox_envs.matrix import Point
from nox_envs.pins import Pin
from nox_envs.requirements import Declared
from nox_envs.values import replace, value

__all__ = ["Doubt", "declared_environment", "doubts", "place_of", "via_entry", "via_label"]


@value
class _Context:
    """Hold one python on one platform (empty: that of the host), and its marker variables."""

    python: str
    platform: str
    variables: Mapping[str, str]


def doubts(
    plan: LockPlan,
    lock: Lock | None,
    host: Mapping[str, str],
    *,
    points: tuple[Point, ...] | None = None,
    layers: tuple[Lock, ...] = (),
    pylock: Lock | None = None,
) -> tuple[Doubt, ...]:
    """Return why `lock` does not answer `plan`; nothing if it is fresh.

    Two steps: the digest of the inputs, then satisfaction of every direct requirement and constraint
    at `points` (default: all of the plan). `host` holds the marker variables of this platform (PEP
    508); without `points` the platforms that the plan names are considered too. `layers` are the
    locks that constrain this one, `pylock` is the same lock in the other format, where the plan has
    one. Raises NoxEnvsError for a marker that cannot be evaluated.
    """
    if lock is None:
        return (Doubt(kind="lock-missing", expected=plan.path),)
    if plan.pylock and pylock is None:
        return (Doubt(kind="lock-missing", expected=plan.pylock),)
    contexts = tuple(_contexts(plan, host, points))
    found = [*_leaks(lock), *_unhashed(lock), *_unsatisfied(plan, lock, contexts, layers)]
    if lock.header is not None and lock.header.input != plan.digest:
        # A fresh lock, which is the usual one, need not wait for this import.
        from nox_envs.lockfile.staleness import staleness

        found += staleness(plan, lock, tuple(found))
    if pylock is not None:
        from nox_envs.lockfile.pylock import pair_doubts

        found += [*_leaks(pylock), *pair_doubts(lock, pylock)]
    return tuple(found)


def _contexts(
    plan: LockPlan, host: Mapping[str, str], points: tuple[Point, ...] | None
) -> Iterator[_Context]:
    hosts = {"": host}
    if plan.platforms and points is None:
        from nox_envs.lockfile.platforms import platform_of

        hosts = {word: platform_of(word).variables(host) for word in plan.platforms}
    for python in dict.fromkeys(point.python for point in points or plan.points):
        for word, variables in hosts.items():
            yield _Context(
                python=python or "",
                platform=word,
                variables=declared_environment(python, plan.floor, variables),
            )


def _leaks(lock: Lock) -> Iterator[Doubt]:
    for leak in lock.leaks:
        yield Doubt(
            kind="leak",
            expected="nothing that belongs to one machine or person",
            actual=leak.what,
            lock_place=f"{lock.origin}:{leak.line}",
        )


def _unhashed(lock: Lock) -> Iterator[Doubt]:
    for pin in lock.pins:
        if pin.source.kind in ("index", "archive") and not (pin.hashes or pin.source.hashes):
            yield Doubt(
                kind="lock-unhashed",
                package=pin.name,
                expected="a hash for every pin",
                actual=f"{requirement_line(pin)} has none",
                lock_place=f"{lock.origin}:{pin.line}",
            )


def _unsatisfied(
    plan: LockPlan, lock: Lock, contexts: tuple[_Context, ...], layers: tuple[Lock, ...]
) -> Iterator[Doubt]:
    """Judge every context once; a doubt that holds in some of them only names them."""
    candidates = Candidates(lock.pins)
    found: dict[Doubt, list[_Context]] = {}
    for context in contexts:
        markers = Markers(context.variables)
        for doubt in (
            *_unmet_requirements(plan, lock, candidates, markers),
            *_unmet_constraints(plan, lock, candidates, markers),
            *_unmet_layers(layers, lock, candidates, markers),
        ):
            found.setdefault(doubt, []).append(context)
    for doubt, where in found.items():
        partly = len(where) < len(contexts)
        yield replace(doubt, actual=f"{doubt.actual} ({_named(where)})") if partly else doubt


def _named(contexts: list[_Context]) -> str:
    platforms: dict[str, list[str]] = {}
    for context in contexts:
        platforms.setdefault(context.platform, []).append(context.python)
    named = (
        " ".join((*(("python",) if any(pythons) else ()), ", ".join(pythons), f"on {word}" if word else ""))
        for word, pythons in platforms.items()
    )
    return "; ".join(" ".join(text.split()) for text in named)


def declared_environment(python: str | None, floor: str, host: Mapping[str, str]) -> dict[str, str]:
    """Return the marker variables of a point (PEP 508), as far as its declaration tells them."""
    if python is None:
        return {**host, "extra": ""}
    version = minor_version(python) or floor
    implementation = implementation_name(python)
    names = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}
    return {
        **host,
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": implementation,
        "platform_python_implementation": names[implementation],
        "extra": "",
    }


def _unmet_requirements(
    plan: LockPlan, lock: Lock, candidates: Candidates, markers: Markers
) -> Iterator[Doubt]:
    for declared in plan.requirements:
        if not markers.hold(declared.marker):
            continue
        pins = [pin for pin in candidates.of(declared) if markers.hold(pin.marker)]
        if not pins:
            yield _unmet(declared, lock, None, "no pin")
        elif len(pins) > 1:
            yield _unmet(declared, lock, pins[0], "several pins: " + ", ".join(map(requirement_line, pins)))
        elif not meets(pins[0], declared):
            yield _unmet(declared, lock, pins[0], requirement_line(pins[0]))


def _unmet_constraints(
    plan: LockPlan, lock: Lock, candidates: Candidates, markers: Markers
) -> Iterator[Doubt]:
    for constraint in plan.constraints:
        for pin in candidates.named(constraint.name):
            met = pin.source.kind != "index" or satisfies(constraint.specifier, pin.version)
            if not met and markers.hold(constraint.marker) and markers.hold(pin.marker):
                yield _unmet(constraint, lock, pin, requirement_line(pin))


def _unmet_layers(
    layers: tuple[Lock, ...], lock: Lock, candidates: Candidates, markers: Markers
) -> Iterator[Doubt]:
    for layer in layers:
        for base in layer.pins:
            for pin in candidates.named(base.name):
                same = (pin.version, pin.source) == (base.version, base.source)
                if not same and markers.hold(base.marker) and markers.hold(pin.marker):
                    yield _out_of_step(base, layer, pin, lock)


def _out_of_step(base: Pin, layer: Lock, pin: Pin, lock: Lock) -> Doubt:
    return Doubt(
        kind="lock-unsatisfied",
        package=pin.name,
        expected=f"{requirement_line(base)} as in {layer.origin}",
        actual=requirement_line(pin),
        place=place_of(base, layer),
        lock_place=place_of(pin, lock),
    )


def _unmet(declared: Declared, lock: Lock, pin: Pin | None, actual: str) -> Doubt:
    return Doubt(
        kind="lock-unsatisfied",
        package=declared.name or (pin.name if pin else ""),
        expected=requirement_text(declared),
        actual=actual,
        place=str(declared.place),
        lock_place=place_of(pin, lock) if pin else lock.origin,
        why=declared.why,
    )


def place_of(pin: Pin, lock: Lock) -> str:
    """Return where a pin of a lock stands, as `file:line`."""
    return f"{pin.origin or lock.origin}:{pin.line}"
