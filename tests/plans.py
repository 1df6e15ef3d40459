"""Owns the points, requirements and lock plans that test modules make."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nox_envs.errors import Place
from nox_envs.lockfile.plan import Inputs, LockPlan, plan
from nox_envs.matrix import Point, session_name
from nox_envs.requirements import Composition, Declared
from nox_envs.requirements.reference import Rejected, declare, parse_reference
from nox_envs.spec.types import Constraint, LockOptions, Pairs


def at(line: int, origin: str = "envs.yaml") -> Place:
    """Return a place in the spec or another file."""
    return Place(origin=origin, line=line)


def wants(
    text: str,
    *why: str,
    line: int = 1,
    origin: str = "envs.yaml",
    name: str | None = None,
    editable: bool = False,
    hashes: tuple[str, ...] = (),
) -> Declared:
    """Declare a requirement as the composer does; `why` is ("test",) unless given."""
    reference = parse_reference(text)
    if isinstance(reference, Rejected):
        raise ValueError(reference.message)
    return declare(
        reference,
        why=why or ("test",),
        place=at(line, origin),
        name=name,
        editable=editable,
        hashes=hashes,
    )


def point(
    environment: str = "tests",
    python: str | None = None,
    *,
    axes: Pairs = (),
    lock: LockOptions | None = None,
    constraints: tuple[Constraint, ...] = (),
    prereleases: bool | tuple[str, ...] = False,
    platforms: tuple[str, ...] = (),
    line: int = 1,
) -> Point:
    """Make a point with the session name that nox would show."""
    return Point(
        environment=environment,
        session=session_name(environment, python, axes),
        python=python,
        axes=axes,
        place=at(line),
        lock=lock or LockOptions(),
        constraints=constraints,
        allow_prereleases=prereleases,
        platforms=platforms,
    )


def composed(
    *requirements: Declared,
    constraints: Iterable[Declared] = (),
    build_constraints: Iterable[Declared] = (),
    dynamic_extras: tuple[str, ...] | None = None,
) -> Composition:
    """Compose requirements."""
    return Composition(
        requirements=requirements,
        constraints=tuple(constraints),
        build_constraints=tuple(build_constraints),
        dynamic_extras=dynamic_extras,
    )


def everywhere(*requirements: Declared) -> Callable[[Point], Composition]:
    """Compose the same requirements at every point."""
    return lambda _: composed(*requirements)


def plans(points: Iterable[Point], compose: Callable[[Point], Composition]) -> tuple[LockPlan, ...]:
    """Plan the locks of points."""
    return plan(tuple(points), Inputs(compose=compose, floor="3.10"))


def planned(
    *requirements: Declared,
    pythons: tuple[str | None, ...] = ("3.12",),
    constraints: Iterable[Declared] = (),
    build_constraints: Iterable[Declared] = (),
    dynamic_extras: tuple[str, ...] | None = None,
    limits: tuple[Constraint, ...] = (),
    lock: LockOptions | None = None,
    prereleases: bool | tuple[str, ...] = False,
    environment: str = "tests",
) -> LockPlan:
    """Plan the one lock of an environment; `limits` are the constraints as the spec has them."""
    whole = composed(
        *requirements,
        constraints=constraints,
        build_constraints=build_constraints,
        dynamic_extras=dynamic_extras,
    )
    points = (
        point(environment, python, lock=lock, constraints=limits, prereleases=prereleases)
        for python in pythons
    )
    (made,) = plans(points, lambda _: whole)
    return made
