"""Owns what a session does that gets no venv: its lock is broken, or nox finds no interpreter."""

from __future__ import annotations

import os
import time

from nox.logger import logger

from nox_envs.errors import NoxEnvsError
from nox_envs.matrix import Point
from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.as_text import finding_lines
from nox_envs.workflow.opening import refused, skipped
from nox_envs.workflow.project import Project


def require_lock(project: Project, point: Point, venv: str) -> None:
    """Tell what is wrong with the lock of a point and raise NoxEnvsError, if it does not answer the spec.

    `venv` is the name of the venv's directory.
    """
    began = time.monotonic()
    try:
        found = refused(project, point, venv, lambda: time.monotonic() - began)
    except NoxEnvsError:
        _headline(point)
        raise
    if found is None:
        return
    _headline(point)
    for line in finding_lines(found.report.findings):
        logger.warning("%s", line)
    _publish(found.report)
    raise NoxEnvsError(found.reason)


def _headline(point: Point) -> None:
    logger.session_info(f"Running session {point.session}")


def report_skipped(project: Project, point: Point, venv: str, reason: str) -> None:
    """Report that a point was not run, and why; `venv` is the name of the venv's directory."""
    _publish(skipped(project, point, venv, reason))


def _publish(report: EnvironmentReport) -> None:
    if os.environ.get("GITHUB_ACTIONS"):
        from nox_envs.sessions.github import publish

        publish(Report(environments=(report,)))
