"""Owns the answer for environments in which nothing changed since a session found nothing; judges nothing."""

from __future__ import annotations

from pathlib import Path

from nox_envs.files import read_head
from nox_envs.lockfile.candidates import undeclared
from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.reading import read_report
from nox_envs.values import replace
from nox_envs.workflow.clean_check import CleanCheck
from nox_envs.workflow.project import Project

_HEAD = 8000


def clean_report(project: Project, names: tuple[str, ...]) -> Report | None:
    """Return the report on the named environments and sessions (default: all) if each is known as clean."""
    rows = [row for row in project.sessions if not names or row.environment in names or row.session in names]
    known = {row.environment for row in rows} | {row.session for row in rows}
    if not rows or not known.issuperset(names):
        return None
    files: frozenset[str] = frozenset()
    found: list[EnvironmentReport] = []
    for row in rows:
        point = project.point_of(row.environment, row.python, row.axes)
        check = CleanCheck(project, point, project.location(point))
        clean = None if point.drift.ignore else check.recall()
        if clean is None or not clean.sound:
            return None
        files |= check.files
        found.append(replace(read_report(clean.report, origin=point.session).environments[0], seconds=0.0))
    if not names and any(_is_ours(project.root / path) for path in undeclared(project.root, files)):
        return None
    return Report(environments=tuple(found))


def _is_ours(file: Path) -> bool:
    """Tell whether a file, which nothing declares, has the header of a lock of ours."""
    try:
        return b"\n# input: " in read_head(str(file), _HEAD)
    except OSError:
        return False
