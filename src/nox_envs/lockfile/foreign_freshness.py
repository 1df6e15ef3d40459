"""Owns link (1) for locks that others made: do they answer the spec; opens no file.

They have no digest, and hashes only if their makers wanted some.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nox_envs.lockfile.foreign import ForeignLock
from nox_envs.lockfile.freshness import Doubt, declared_environment, doubts, place_of
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.satisfaction import Markers
from nox_envs.lockfile.text import Lock, requirement_line
from nox_envs.matrix import Point
from nox_envs.pins import Pin
from nox_envs.values import replace


def foreign_doubts(
    plan: LockPlan,
    foreign: ForeignLock,
    host: Mapping[str, str],
    *,
    points: tuple[Point, ...] | None = None,
    layers: tuple[Lock, ...] = (),
) -> tuple[Doubt, ...]:
    """Return why a lock that others made does not answer `plan`; nothing if it does.

    Every direct requirement is met by exactly one active pin at each point, and no package has two
    pins at one point. The arguments are those of `nox_envs.lockfile.freshness.doubts`.
    """
    points = points or plan.points
    two = tuple(_conflicts(foreign.lock, plan, host, points))
    said = {doubt.package for doubt in two}
    limited = replace(plan, constraints=(*plan.constraints, *foreign.limits))
    others = (
        doubt
        for doubt in doubts(limited, foreign.lock, host, points=points, layers=layers)
        if doubt.kind == "lock-unsatisfied" and doubt.package not in said
    )
    return (*two, *others)


def _conflicts(
    lock: Lock, plan: LockPlan, host: Mapping[str, str], points: tuple[Point, ...]
) -> Iterator[Doubt]:
    named: dict[str, list[Pin]] = {}
    for pin in lock.pins:
        named.setdefault(pin.name, []).append(pin)
    several = [pins for pins in named.values() if len(pins) > 1]
    if not several:
        return
    pythons = tuple(dict.fromkeys(point.python for point in points))
    environments = [Markers(declared_environment(python, plan.floor, host)) for python in pythons]
    for pins in several:
        for markers in environments:
            active = [pin for pin in pins if markers.hold(pin.marker)]
            if len(active) > 1:
                yield _conflict(active, lock)
                break


def _conflict(pins: list[Pin], lock: Lock) -> Doubt:
    first, *others = pins
    return Doubt(
        kind="lock-unsatisfied",
        package=first.name,
        expected=f"one pin, as {requirement_line(first)} ({place_of(first, lock)})",
        actual=" and ".join(f"{requirement_line(pin)} ({place_of(pin, lock)})" for pin in others),
        lock_place=place_of(first, lock),
    )
