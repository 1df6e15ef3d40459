"""Owns the answer for environments in which nothing changed since a session found nothing; judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.reading import read_report
from nox_envs.values import replace
from nox_envs.workflow.clean_check import CleanCheck
from nox_envs.workflow.project import Project

if TYPE_CHECKING:
    from nox_envs.matrix import Point


def clean_report(project: Project, names: tuple[str, ...]) -> Report | None:
    """Return the report on the named environments and sessions if each is known to be clean."""
    rows = [row for row in project.sessions if row.environment in names or row.session in names]
    known = {row.environment for row in rows} | {row.session for row in rows}
    if not rows or known.isdisjoint(names) or not known.issuperset(names):
        return None
    found: list[EnvironmentReport] = []
    for row in rows:
        point = project.point_of(row.environment, row.python, row.axes)
        # What the other members of a group pin now is not remembered.
        environment = None if point.lock.group else clean_environment(project, point)
        if environment is None:
            return None
        found.append(environment)
    return Report(environments=tuple(found))


def clean_environment(project: Project, point: Point) -> EnvironmentReport | None:
    """Return the report on a point that is known to be clean, its requirements among themselves included."""
    clean = CleanCheck(project, point, project.location(point)).recall()
    if clean is None or not clean.sound:
        return None
    return replace(read_report(clean.report, origin=point.session).environments[0], seconds=0.0)
