"""Owns the plans of all locks where some environments have none: what these ask for cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

from nox_envs.errors import FileProblems, Problem
from nox_envs.lockfile.plan import LockPlan
from nox_envs.values import value
from nox_envs.workflow.project import Project


@value
class Unplanned:
    """Name an environment whose locks cannot be planned, and every problem that it has."""

    environment: str
    problems: tuple[Problem, ...]


@value
class Planned:
    """Hold the plans of the locks of a project, shared ones once, and the environments without any."""

    plans: tuple[LockPlan, ...]
    unplanned: tuple[Unplanned, ...] = ()


def planned(project: Project) -> Planned:
    """Plan every lock that can be planned; a wrong requirement of one environment keeps no other from it.

    Raises FileProblems where two locks collide.
    """
    try:
        return Planned(plans=project.plans())
    except FileProblems:
        unplanned = tuple(_unplanned(project))
        if not unplanned:
            raise
    names = tuple(one.environment for one in unplanned)
    return Planned(plans=project.plans(without=names), unplanned=unplanned)


def _unplanned(project: Project) -> Iterator[Unplanned]:
    for name in dict.fromkeys(point.environment for point in project.points):
        if problems := _problems(project, name):
            yield Unplanned(environment=name, problems=problems)


def _problems(project: Project, environment: str) -> tuple[Problem, ...]:
    try:
        project.plans_of(environment)
    except FileProblems as error:
        return error.problems
    return ()
