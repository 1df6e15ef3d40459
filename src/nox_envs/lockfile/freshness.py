"""Owns link (1): whether a lock still answers its spec, decided offline; opens no file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from nox_envs.lockfile.merging import implementation_name, minor_version, requirement_text
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.satisfaction import Candidates, Markers, meets, satisfies
from nox_envs.lockfile.text import Lock, requirement_line
from nox_envs.matrix import Point
from nox_envs.pins import Pin
from nox_envs.requirements import Declared
from nox_envs.values import replace, value

Verdict: TypeAlias = Literal["lock-missing", "lock-stale", "lock-unsatisfied", "lock-unhashed"]


@value
class Doubt:
    """Say why a lock is not what its spec asks for.

    `satisfied` is true where every pin still meets the spec, so the lock can be used as it is.
    `place` is where the spec asks for it, `lock_place` where the lock answers; both look like
    `file:line`.
    """

    kind: Verdict
    package: str = ""
    expected: str = ""
    actual: str = ""
    place: str = ""
    lock_place: str = ""
    why: tuple[str, ...] = ()
    satisfied: bool = False


def via_label(declared: Declared) -> str:
    """Return the name of what declares a requirement, as a lock's `# via` shows it.

    It is the innermost requirement set, and the innermost file where the set only names files.
    """
    files = [name for name in declared.why if "/" in name or "." in name]
    sets = [name for name in declared.why if name not in files]
    if sets and files:
        return f"{sets[-1]} ({files[-1]})"
    return (sets or files or [declared.place.origin])[-1]


def via_entry(declared: Declared) -> str:
    """Return the `# via` entry of a direct requirement: its set and its text."""
    return f"{via_label(declared)}: {requirement_text(declared)}"


def doubts(
    plan: LockPlan,
    lock: Lock | None,
    host: Mapping[str, str],
    *,
    points: tuple[Point, ...] | None = None,
    layers: tuple[Lock, ...] = (),
) -> tuple[Doubt, ...]:
    """Return why `lock` does not answer `plan`; nothing if it is fresh.

    Two steps: the digest of the inputs, then satisfaction of every direct requirement and constraint
    at `points` (default: all of the plan). `host` holds the marker variables of this platform (PEP
    508), `layers` are the locks that constrain this one. Raises NoxEnvsError for a marker that
    cannot be evaluated.
    """
    if lock is None:
        return (Doubt(kind="lock-missing", expected=plan.path),)
    found = [*_unhashed(lock), *_unsatisfied(plan, lock, host, points or plan.points, layers)]
    if lock.header is not None and lock.header.input != plan.digest:
        found += _stale(plan, lock, tuple(found))
    return tuple(found)


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
    plan: LockPlan, lock: Lock, host: Mapping[str, str], points: tuple[Point, ...], layers: tuple[Lock, ...]
) -> Iterator[Doubt]:
    """Judge every python of the points once; a doubt that holds for some of them only names them."""
    pythons = tuple(dict.fromkeys(point.python for point in points))
    candidates = Candidates(lock.pins)
    found: dict[Doubt, list[str]] = {}
    for python in pythons:
        markers = Markers(_environment(python, plan.floor, host))
        for doubt in (
            *_unmet_requirements(plan, lock, candidates, markers),
            *_unmet_constraints(plan, lock, candidates, markers),
            *_unmet_layers(layers, lock, candidates, markers),
        ):
            found.setdefault(doubt, []).append(python or "")
    for doubt, where in found.items():
        partly = len(where) < len(pythons)
        yield replace(doubt, actual=f"{doubt.actual} (python {', '.join(where)})") if partly else doubt


def _environment(python: str | None, floor: str, host: Mapping[str, str]) -> dict[str, str]:
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
        place=f"{layer.origin}:{base.line}",
        lock_place=f"{lock.origin}:{pin.line}",
    )


def _unmet(declared: Declared, lock: Lock, pin: Pin | None, actual: str) -> Doubt:
    return Doubt(
        kind="lock-unsatisfied",
        package=declared.name or (pin.name if pin else ""),
        expected=requirement_text(declared),
        actual=actual,
        place=str(declared.place),
        lock_place=f"{lock.origin}:{pin.line}" if pin else lock.origin,
        why=declared.why,
    )


def _stale(plan: LockPlan, lock: Lock, known: tuple[Doubt, ...]) -> list[Doubt]:
    """Return what changed since the lock was made; `known` is already said of it."""
    assert lock.header is not None
    recorded = _recorded(lock)
    declared = {via_entry(one): one for one in plan.requirements}
    new = [entry for entry in declared if entry not in recorded and entry not in lock.header.omitted]
    gone = [entry for entry in (*recorded, *lock.header.omitted) if entry not in declared]
    found: list[Doubt] = []
    said = {(doubt.package, doubt.place) for doubt in known}
    for entry in new:
        before = _before(declared[entry], gone, recorded)
        gone = [one for one in gone if one != before]
        if (declared[entry].name, str(declared[entry].place)) not in said:
            found.append(_added(declared[entry], before, recorded, lock, satisfied=not known))
    found += [_removed(entry, recorded.get(entry), lock, declared, satisfied=not known) for entry in gone]
    if set(lock.header.pythons) != set(plan.pythons):
        found.append(_other_pythons(plan, lock.header.pythons, lock.origin, satisfied=not known))
    elif not new and not gone:
        found.append(_other_options(lock.origin, satisfied=not known))
    return found


def _recorded(lock: Lock) -> dict[str, Pin]:
    """Return the direct requirements that the lock's annotations name; a package has no colon."""
    return {entry: pin for pin in lock.pins for entry in pin.via if ": " in entry}


def unrecorded(plan: LockPlan, lock: Lock) -> tuple[str, ...]:
    """Return the `via` entries of direct requirements that no pin of a new lock answers."""
    recorded = _recorded(lock)
    entries = (via_entry(declared) for declared in plan.requirements)
    return tuple(sorted({entry for entry in entries if entry not in recorded}))


def _before(declared: Declared, gone: list[str], recorded: Mapping[str, Pin]) -> str:
    """Return the entry that a changed requirement had, empty for a new one."""
    label = f"{via_label(declared)}: "
    for entry in gone:
        if entry.startswith(label) and entry in recorded and recorded[entry].name == declared.name:
            return entry
    return ""


def _added(
    declared: Declared, before: str, recorded: Mapping[str, Pin], lock: Lock, *, satisfied: bool
) -> Doubt:
    return Doubt(
        kind="lock-stale",
        package=declared.name,
        expected=via_entry(declared),
        actual=before or "not recorded in the lock",
        place=str(declared.place),
        lock_place=f"{lock.origin}:{recorded[before].line}" if before else lock.origin,
        why=declared.why,
        # A pin cannot tell whether its commit or file is what another URL stands for.
        satisfied=satisfied and not declared.url,
    )


def _removed(
    entry: str, pin: Pin | None, lock: Lock, declared: Mapping[str, Declared], *, satisfied: bool
) -> Doubt:
    """Judge a requirement that is gone: its pin is too much, unless something else asks for it."""
    wanted = pin is None or any(": " not in asker or asker in declared for asker in pin.via)
    return Doubt(
        kind="lock-stale",
        package=pin.name if pin else "",
        expected="not required any more",
        actual=entry,
        lock_place=f"{lock.origin}:{pin.line}" if pin else lock.origin,
        satisfied=satisfied and (wanted or any(one.name == pin.name for one in declared.values() if pin)),
    )


def _other_pythons(plan: LockPlan, locked: tuple[str, ...], origin: str, *, satisfied: bool) -> Doubt:
    return Doubt(
        kind="lock-stale",
        expected=f"python {', '.join(plan.pythons) or 'of nox'}",
        actual=f"locked for python {', '.join(locked) or 'of nox'}",
        lock_place=origin,
        satisfied=satisfied and set(plan.pythons) < set(locked),
    )


def _other_options(origin: str, *, satisfied: bool) -> Doubt:
    return Doubt(
        kind="lock-stale",
        expected="the constraints, indexes, platforms and lock options of the spec",
        actual="they changed since the lock was made",
        lock_place=origin,
        satisfied=satisfied,
    )
