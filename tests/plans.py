"""Points, requirements and plans of locks that test modules make."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nox_envs.errors import Place
from nox_envs.lock.pins import host_markers
from nox_envs.lock.plan import LockPlan, PlanInputs, plan_locks
from nox_envs.requirements.compose import Composition
from nox_envs.requirements.text import Declared, read_requirement
from nox_envs.spec.types import Entry, LockOptions, Pairs, Point
from nox_envs.values import replace

HOST = {
    **host_markers(),
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "python_version": "3.12",
    "python_full_version": "3.12.1",
}


def at(line: int, origin: str = "envs.yaml") -> Place:
    """Return a place in the spec or another file."""
    return Place(origin=origin, line=line)


def wants(
    text: str,
    *why: str,
    line: int = 1,
    origin: str = "envs.yaml",
    name: str = "",
    hashes: tuple[str, ...] = (),
) -> Declared:
    """Declare a requirement as the composer does; `why` is ("test",) unless given."""
    declared = read_requirement(text)
    given = {"name": declared.name or name, "hashes": tuple(sorted({*declared.hashes, *hashes}))}
    return replace(declared, place=at(line, origin), why=why or ("test",), **given)


def point(
    environment: str = "tests",
    python: str | None = None,
    *,
    axes: Pairs = (),
    lock: LockOptions | None = None,
    constraints: tuple[Entry, ...] = (),
    prereleases: bool | tuple[str, ...] = False,
    platforms: tuple[str, ...] = (),
    line: int = 1,
    **options: object,
) -> Point:
    """Make a point with the session name that nox would show; `options` are other fields."""
    values = [text for _, text in axes]
    session = f"{environment}({'-'.join(filter(None, [python, *values]))})" if values else environment
    made = Point(
        environment=environment,
        session=f"{environment}-{python}" if python and not values else session,
        python=python,
        axes=axes,
        place=at(line),
        lock=lock or LockOptions(),
        constraints=constraints,
        allow_prereleases=prereleases,
        platforms=platforms,
    )
    return replace(made, **options)


def composed(*requirements: Declared, constraints: Iterable[Declared] = ()) -> Composition:
    """Compose requirements."""
    return Composition(requirements=requirements, constraints=tuple(constraints))


def everywhere(*requirements: Declared) -> Callable[[Point], Composition]:
    """Compose the same requirements at every point."""
    return lambda _: composed(*requirements)


def below(environment: str) -> Entry:
    """Return the constraint that names the lock of another environment."""
    return Entry(kind="lock", text=environment, place=at(1))


def planned(
    *requirements: Declared,
    pythons: tuple[str | None, ...] = ("3.12",),
    constraints: Iterable[Declared] = (),
    limits: tuple[Entry, ...] = (),
    lock: LockOptions | None = None,
    prereleases: bool | tuple[str, ...] = False,
    platforms: tuple[str, ...] = (),
    related: Pairs = (),
    requires_python: str = "3.10",
) -> LockPlan:
    """Plan the one lock of an environment; `limits` are the constraints as the spec has them."""
    whole = composed(*requirements, constraints=constraints)
    points = [
        point("tests", python, lock=lock, constraints=limits, prereleases=prereleases, platforms=platforms)
        for python in pythons
    ]
    inputs = PlanInputs(compose=lambda _: whole, requires_python=requires_python, related=lambda _: related)
    (made,) = plan_locks(points, inputs)
    return made
