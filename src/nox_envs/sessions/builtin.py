"""Owns the session `drift`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

from nox_envs.errors import NoxEnvsError
from nox_envs.integrity.types import FILES_MODES
from nox_envs.policy import fail_conditions
from nox_envs.progress import progress_on
from nox_envs.report import FORMATS, render
from nox_envs.sessions.arguments import Arguments, HelpShown
from nox_envs.sessions.github import publish
from nox_envs.streams import write_anything
from nox_envs.workflow.acceptance import accept, read_baseline
from nox_envs.workflow.inspection import inspect, verdict
from nox_envs.workflow.project import Project


def drift_session(project: Project, session: nox.Session) -> None:
    """Check every lock and venv, print the report, fail if anything differs."""
    parser = Arguments(prog="nox -s drift --")
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--files", choices=FILES_MODES, help="compare installed files with their RECORD")
    parser.add_argument("--fail-on", action="append", default=[], metavar="WHAT")
    parser.add_argument("--baseline", type=Path, metavar="FILE")
    project.envdir = os.fspath(session.env_dir.parent)
    try:
        asked = parser.parse_args(session.posargs)
        conditions = fail_conditions(asked.fail_on)
        names, told = tuple(asked.environments), progress_on(sys.stderr)
        report = inspect(project, names, files=asked.files, otherwise="changed", told=told)
        if asked.baseline:
            report = accept(report, read_baseline(asked.baseline))
    except HelpShown:
        return
    except NoxEnvsError as error:
        session.error(str(error))
    except OSError as error:
        session.error(f"{error.filename or session.name}: {error.strerror or error}")
    write_anything()
    sys.stdout.write(render(report, asked.format, colour=session._runner.global_config.color))
    sys.stdout.flush()
    if os.environ.get("GITHUB_ACTIONS"):
        publish(report, annotate=asked.format != "github")
    reason = verdict(report, strict=bool(os.environ.get("CI")), fail_on=conditions).reason
    if reason:
        session.error(reason)
