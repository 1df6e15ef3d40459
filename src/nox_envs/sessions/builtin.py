"""Owns the session `drift`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nox

from nox_envs.arguments import add_index_options, asks_index
from nox_envs.errors import NoxEnvsError
from nox_envs.integrity.types import FILES_MODES
from nox_envs.policy import fail_conditions
from nox_envs.progress import progress_on
from nox_envs.report import FORMATS, Report, render
from nox_envs.sessions.arguments import Arguments, HelpShown
from nox_envs.sessions.github import publish
from nox_envs.streams import forget_reader, harmless, printable, write_anything
from nox_envs.workflow.acceptance import accept, read_baseline
from nox_envs.workflow.inspection import inspect
from nox_envs.workflow.project import Project
from nox_envs.workflow.verdict import verdict

if TYPE_CHECKING:
    from nox_envs.workflow.index_side import IndexSide


def drift_session(project: Project, session: nox.Session) -> None:
    """Check every lock and venv, print the report, fail if anything differs."""
    parser = Arguments(prog="nox -s drift --")
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--files", choices=FILES_MODES, help="compare installed files with their RECORD")
    parser.add_argument("--skew", action="store_true", help="compare environments with one another")
    add_index_options(parser)
    parser.add_argument("--fail-on", action="append", default=[], metavar="WHAT")
    parser.add_argument("--baseline", type=Path, metavar="FILE")
    project.envdir = os.fspath(session.env_dir.parent)
    try:
        asked = parser.parse_args(session.posargs)
        conditions = fail_conditions(asked.fail_on)
        report = _checked(project, session, asked)
        if asked.baseline:
            report = accept(report, read_baseline(asked.baseline))
    except HelpShown:
        return
    except NoxEnvsError as error:
        session.error(harmless(str(error)))
    except OSError as error:
        session.error(f"{error.filename or session.name}: {error.strerror or error}")
    _print(render(report, asked.format, colour=session._runner.global_config.color))
    if os.environ.get("GITHUB_ACTIONS"):
        publish(report, annotate=asked.format == "text")
    reason = verdict(report, strict=bool(os.environ.get("CI")), fail_on=conditions).reason
    if reason:
        session.error(reason)


def _print(text: str) -> None:
    write_anything()
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        forget_reader()


def _checked(project: Project, session: nox.Session, asked: argparse.Namespace) -> Report:
    index = _index_side(project, session, asked)
    return inspect(
        project,
        tuple(asked.environments),
        files=asked.files,
        otherwise="changed",
        skew=asked.skew,
        index=index,
        told=progress_on(sys.stderr),
    )


def _index_side(project: Project, session: nox.Session, asked: argparse.Namespace) -> IndexSide | None:
    """Ask indexes and advisories what they say of the locks, where that is wanted."""
    if not asks_index(asked):
        return None
    from datetime import datetime, timezone

    from nox_envs.workflow.index_side import index_side

    def note(text: str) -> None:
        session.warn("%s", printable(text))

    now, prefix = datetime.now(timezone.utc), Path(sys.prefix)
    return index_side(project, asked, environ=os.environ, prefix=prefix, now=now, note=note)
