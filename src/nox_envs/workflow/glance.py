"""Owns the answer for environments in which nothing changed since a session found nothing; judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_envs.files import read_head
from nox_envs.lockfile.candidates import undeclared
from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.reading import read_report
from nox_envs.values import replace
from nox_envs.workflow.clean_check import CleanCheck
from nox_envs.workflow.project import Project

if TYPE_CHECKING:
    from nox_envs.matrix import Point

_HEAD = 8000


def clean_report(project: Project, names: tuple[str, ...]) -> Report | None:
    """Return the report on the named environments and sessions (default: all) if each is known as clean."""
    rows = [row for row in project.sessions if not names or row.environment in names or row.session in names]
    known = {row.environment for row in rows} | {row.session for row in rows}
    if not rows or not known.issuperset(names):
        return None
    found: list[EnvironmentReport] = []
    for row in rows:
        point = project.point_of(row.environment, row.python, row.axes)
        environment = None if point.drift.ignore else clean_environment(project, point)
        if environment is None:
            return None
        found.append(environment)
    if not names and _others(project, {environment.lock for environment in found}):
        return None
    return Report(environments=tuple(found))


def _others(project: Project, locks: set[str]) -> bool:
    """Tell whether any file beside these locks may be a lock of ours, perhaps one that nothing declares."""
    others = undeclared(project.root, locks - {""})
    return any(b"nox" in read_head(str(project.root / path), _HEAD) for path in others)


def clean_environment(project: Project, point: Point) -> EnvironmentReport | None:
    """Return the report on a point that is known to be clean, its requirements among themselves included."""
    clean = CleanCheck(project, point, project.location(point)).recall()
    if clean is None or not clean.sound:
        return None
    return replace(read_report(clean.report, origin=point.session).environments[0], seconds=0.0)
