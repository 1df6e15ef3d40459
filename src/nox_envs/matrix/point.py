"""Owns the type of a point: one complete entry of an environment's matrix; computes nothing."""

from __future__ import annotations

from nox_envs.errors import Place
from nox_envs.spec.types import (
    Backend,
    Command,
    Constraint,
    DriftOptions,
    Include,
    LockOptions,
    Package,
    Pairs,
    RequirementText,
)
from nox_envs.values import value


@value
class Point:
    """Hold one point of an environment's matrix, complete: nothing looks back at the spec for it.

    `python` is None for the interpreter that runs nox. `axes` are in the order declared. `session`
    is nox's friendly name (`tests-3.12(django='4.2')`). Placeholders of the matrix, `{name}` and
    `{python}` are filled in everywhere except in commands, `set_env` and `change_dir`, where
    `{posargs}`, `{envdir}` and doubled braces are left for the run.
    """

    environment: str
    session: str
    python: str | None
    axes: Pairs
    place: Place
    description: str = ""
    requirements: tuple[Include | RequirementText, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    build_constraints: tuple[Constraint, ...] = ()
    package: Package = Package()
    commands: tuple[Command, ...] = ()
    set_env: Pairs = ()
    pass_env: tuple[str, ...] | None = None
    change_dir: str = ""
    tags: tuple[str, ...] = ()
    default: bool = True
    requires: tuple[str, ...] = ()
    backend: Backend | None = None
    lock: LockOptions = LockOptions()
    drift: DriftOptions = DriftOptions()
    allow_prereleases: bool | tuple[str, ...] = False
    platforms: tuple[str, ...] = ()
    runs_on: tuple[str, ...] = ()
