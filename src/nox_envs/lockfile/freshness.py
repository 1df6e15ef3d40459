"""Owns link (1): whether a lock still answers its spec, decided offline; opens no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from nox_envs.lockfile.plan import LockPlan, minor_version, requirement_text
from nox_envs.lockfile.text import Lock
from nox_envs.matrix import Point
from nox_envs.pins import Pin, Source, differs, source_of_url
from nox_envs.requirements import Declared

if TYPE_CHECKING:
    from packaging.markers import Marker

Verdict: TypeAlias = Literal["lock-missing", "lock-stale", "lock-unsatisfied", "lock-unhashed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Say why a lock is not what its spec asks for.

    `satisfied` is true where every pin still meets the spec, so the lock can be used as it is.
    `place` and `lock_place` look like `file:line`.
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
    """Return the name of what declares a requirement, as a lock's `# via` shows it."""
    if len(declared.why) > 1 and ("/" in declared.why[-1] or "." in declared.why[-1]):
        return f"{declared.why[-2]} ({declared.why[-1]})"
    return declared.why[-1] if declared.why else declared.place.origin


def via_entry(declared: Declared) -> str:
    """Return the `# via` entry of a direct requirement: its set and its text."""
    return f"{via_label(declared)}: {requirement_text(declared)}"


def doubts(
    plan: LockPlan, lock: Lock | None, host: Mapping[str, str], *, points: tuple[Point, ...] | None = None
) -> tuple[Doubt, ...]:
    """Return why `lock` does not answer `plan`; nothing if it is fresh.

    Two steps: the digest of the inputs, then satisfaction of every direct requirement at `points`
    (default: all of the plan). `host` holds the marker variables of this platform.
    """
    if lock is None:
        return (Doubt(kind="lock-missing", expected=plan.path),)
    found = [*_unhashed(plan, lock)]
    for point in points or plan.points:
        found += _unsatisfied(plan, lock, _environment(point, plan.floor, host), point)
    if lock.header is not None and lock.header.input != plan.digest:
        found += _stale(plan, lock, satisfied=not found)
    return tuple(dict.fromkeys(found))


def _unhashed(plan: LockPlan, lock: Lock) -> list[Doubt]:
    return [
        Doubt(
            kind="lock-unhashed",
            package=pin.name,
            expected="a hash for every pin",
            actual=f"{pin.name}=={pin.version} has none",
            lock_place=f"{lock.origin}:{pin.line}",
        )
        for pin in lock.pins
        if pin.source.kind == "index" and not pin.hashes
    ]


def _environment(point: Point, floor: str, host: Mapping[str, str]) -> dict[str, str]:
    """Return the marker variables of a point (PEP 508), as far as its declaration tells them."""
    python = point.python or floor
    version = minor_version(python) or floor
    implementation = "pypy" if python.startswith("pypy") else "cpython"
    return {
        **host,
        "python_version": version,
        "python_full_version": f"{version}.0" if version.count(".") == 1 else version,
        "implementation_name": implementation,
        "platform_python_implementation": "PyPy" if implementation == "pypy" else "CPython",
        "extra": "",
    }


def _unsatisfied(plan: LockPlan, lock: Lock, environment: dict[str, str], point: Point) -> list[Doubt]:
    by_name: dict[str, list[Pin]] = {}
    for pin in lock.pins:
        by_name.setdefault(pin.name, []).append(pin)
    found: list[Doubt] = []
    for declared in plan.requirements:
        if not declared.name or not applies(declared.marker, environment):
            continue
        pins = [pin for pin in by_name.get(declared.name, ()) if applies(pin.marker, environment)]
        doubt = _judge(declared, pins, lock)
        if doubt is not None:
            found.append(doubt)
    return found


def _judge(declared: Declared, pins: list[Pin], lock: Lock) -> Doubt | None:
    problem = ""
    if not pins:
        problem = "no pin"
    elif len(pins) > 1:
        problem = "several pins at once: " + ", ".join(_pin_text(pin) for pin in pins)
    elif not _meets(pins[0], declared):
        problem = _pin_text(pins[0])
    if not problem:
        return None
    return Doubt(
        kind="lock-unsatisfied",
        package=declared.name,
        expected=requirement_text(declared),
        actual=problem,
        place=str(declared.place),
        lock_place=f"{lock.origin}:{pins[0].line}" if pins else lock.origin,
        why=declared.why,
    )


def _pin_text(pin: Pin) -> str:
    return f"{pin.name}=={pin.version}" if pin.source.kind == "index" else f"{pin.name} @ {pin.source.url}"


def _meets(pin: Pin, declared: Declared) -> bool:
    if declared.url:
        expected = source_of_url(declared.url, editable=declared.editable)
        if expected.kind == "vcs":
            # A pin holds the commit that a branch or tag stood for when it was locked.
            return pin.source.kind == "vcs" and pin.source.url == expected.url
        return differs(expected, pin.source) in ("", "unverifiable")
    if declared.path:
        return pin.source == Source(kind="directory", url=declared.path, editable=declared.editable) or (
            pin.source.kind == "archive"
        )
    if pin.source.kind != "index" and not pin.version:
        return True
    if not set(declared.extras) <= set(pin.extras) and pin.source.kind != "index":
        return False
    return not declared.specifier or satisfies(declared.specifier, pin.version)


@cache
def satisfies(specifier: str, version: str) -> bool:
    """Return whether `version` meets `specifier`, prereleases included (PEP 440)."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except InvalidVersion:
        return False


def applies(marker: str, environment: Mapping[str, str]) -> bool:
    """Return whether `marker` is empty or true in `environment` (PEP 508)."""
    if not marker:
        return True
    return bool(_parsed(marker).evaluate(dict(environment)))


@cache
def _parsed(marker: str) -> Marker:
    from packaging.markers import Marker

    return Marker(marker)


def _stale(plan: LockPlan, lock: Lock, *, satisfied: bool) -> list[Doubt]:
    recorded = {
        entry: pin for pin in lock.pins for entry in pin.via if ": " in entry
    }
    declared = {via_entry(r): r for r in plan.requirements}
    new = [entry for entry in declared if entry not in recorded]
    gone = [entry for entry in recorded if entry not in declared]
    found = [_changed(declared[entry], recorded, gone, lock, satisfied) for entry in new]
    explained = {doubt.actual for doubt in found}
    found += [
        Doubt(
            kind="lock-stale",
            package=recorded[entry].name,
            expected="not required any more",
            actual=entry,
            lock_place=f"{lock.origin}:{recorded[entry].line}",
        )
        for entry in gone
        if entry not in explained
    ]
    return found or [_options_changed(plan, lock, satisfied)]


def _changed(
    declared: Declared, recorded: Mapping[str, Pin], gone: list[str], lock: Lock, satisfied: bool
) -> Doubt:
    label = via_label(declared)
    before = next(
        (e for e in gone if e.startswith(f"{label}: ") and recorded[e].name == declared.name), ""
    )
    return Doubt(
        kind="lock-stale",
        package=declared.name,
        expected=via_entry(declared),
        actual=before or "not recorded in the lock",
        place=str(declared.place),
        lock_place=f"{lock.origin}:{recorded[before].line}" if before else lock.origin,
        why=declared.why,
        satisfied=satisfied,
    )


def _options_changed(plan: LockPlan, lock: Lock, satisfied: bool) -> Doubt:
    assert lock.header is not None
    if set(lock.header.pythons) != set(plan.pythons):
        added = set(plan.pythons) - set(lock.header.pythons)
        return Doubt(
            kind="lock-stale",
            expected=f"python {', '.join(plan.pythons) or 'of nox'}",
            actual=f"locked for python {', '.join(lock.header.pythons) or 'of nox'}",
            lock_place=lock.origin,
            satisfied=satisfied and not added,
        )
    return Doubt(
        kind="lock-stale",
        expected="the constraints, indexes and lock options of the spec",
        actual="they changed since the lock was made",
        lock_place=lock.origin,
        satisfied=satisfied,
    )
