"""Owns the session `lock`: its words, its progress line, and the processes that resolve for it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

import nox
import nox.command
import nox.popen
import nox.virtualenv

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.mutex import held
from nox_envs.report.as_text import count_kinds, finding_lines
from nox_envs.sessions.arguments import Arguments, HelpShown
from nox_envs.streams import harmless
from nox_envs.workflow.lock_check import stale_locks
from nox_envs.workflow.locking import (
    Completed,
    LockRequest,
    LockResult,
    Progress,
    closing_lines,
    lock,
    prune,
    stale_layers,
)
from nox_envs.workflow.project import Project

_WIDTH = 24
# Resolvers wait for indexes most of the time.
_JOBS = 8


def lock_session(project: Project, session: nox.Session) -> None:
    """Regenerate locks as the words after `--` ask."""
    project.envdir = os.fspath(session.env_dir.parent)
    try:
        asked = _parser().parse_args(session.posargs)
        if asked.check:
            _refuse_beside_check(asked)
            _check_locks(project, session, tuple(asked.environments))
        else:
            _lock(project, session, asked)
    except HelpShown:
        return
    except NoxEnvsError as error:
        session.error(harmless(str(error)))
    except OSError as error:
        session.error(f"{error.filename or session.name}: {error.strerror or error}")


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="nox -s lock --")
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    parser.add_argument("--upgrade", "-U", action="store_true", help="take the newest of everything")
    parser.add_argument(
        "--upgrade-package",
        "-P",
        action="append",
        default=[],
        metavar="NAME[==VERSION]",
        help="take the newest of one package, or this version of it; may be repeated",
    )
    parser.add_argument("--check", action="store_true", help="say offline what is not fresh, write nothing")
    parser.add_argument("--dry-run", action="store_true", help="resolve, show the changes, write nothing")
    parser.add_argument("--prune", action="store_true", help="remove locks that nothing declares any more")
    return parser


def _refuse_beside_check(asked: argparse.Namespace) -> None:
    for name in ("upgrade", "upgrade_package", "dry_run", "prune"):
        if getattr(asked, name):
            raise NoxEnvsError(f"--check changes nothing: run it without --{name.replace('_', '-')}")


def _check_locks(project: Project, session: nox.Session, names: tuple[str, ...]) -> None:
    checked = stale_locks(project, names)
    findings = checked.findings
    for line in finding_lines(findings):
        session.warn("%s", line)
    if checked.problems:
        raise FileProblems(checked.problems)
    failing = [finding for finding in findings if finding.severity == "error"]
    if failing:
        session.error(f"locks are not fresh: {count_kinds(failing)}; run: nox -s lock")
    session.log("every lock is fresh" if not findings else "the locks can be used as they are")


def _lock(project: Project, session: nox.Session, asked: argparse.Namespace) -> None:
    request = LockRequest(
        environments=tuple(asked.environments),
        upgrade=asked.upgrade,
        upgrade_packages=tuple(asked.upgrade_package),
        dry_run=asked.dry_run,
    )
    bar = Bar(sys.stderr, drawn=sys.stderr.isatty() and not os.environ.get("CI"))
    results: list[LockResult] = []
    try:
        results.extend(
            lock(
                project,
                request,
                _Processes(project, session),
                jobs=max(_JOBS, 2 * (os.cpu_count() or 1)),
                now=datetime.now(timezone.utc),
                told=bar.draw,
            )
        )
    finally:
        bar.wipe()
    for line in closing_lines(results):
        session.log("%s", line)
    for stale in stale_layers(project, results):
        names = " ".join(stale.environments)
        session.warn("%s", f"{stale.path} builds on {', '.join(stale.bases)}; next: nox -s lock -- {names}")
    failed = [result for result in results if result.outcome == "failed"]
    if asked.prune and not failed:
        _prune(project, session, dry_run=asked.dry_run)
    if failed:
        names = ", ".join(result.path or ", ".join(result.environments) for result in failed)
        left = "" if all(result.absent for result in failed) else "; the old files are as they were"
        session.error(f"not locked: {names}{left}")


def _prune(project: Project, session: nox.Session, *, dry_run: bool) -> None:
    paths = prune(project, dry_run=dry_run)
    for path in paths:
        session.log("%s", f"{path}: {'would be removed' if dry_run else 'removed'}, nothing declares it")
    if not paths:
        session.log("no lock to prune")


class Bar:
    """Draw on a terminal how many locks are made, on a line that is wiped at the end."""

    def __init__(self, stream: TextIO, *, drawn: bool) -> None:
        self._stream = stream
        self._wanted = drawn
        self._dirty = False

    def draw(self, progress: Progress) -> None:
        """Draw the line; called from several threads, one at a time."""
        if not self._wanted:
            return
        filled = _WIDTH * progress.done // max(1, progress.total)
        line = f"[{'#' * filled}{'-' * (_WIDTH - filled)}] {progress.done} of {progress.total} locked"
        line += f": {', '.join(progress.active)}" if progress.active else ""
        columns = shutil.get_terminal_size().columns
        self._stream.write(f"\r\x1b[K{line[: max(1, columns - 1)]}")
        self._stream.flush()
        self._dirty = True

    def wipe(self) -> None:
        """Leave an empty line."""
        if self._dirty:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


class _Processes:
    """Run resolvers for the lock session."""

    def __init__(self, project: Project, session: nox.Session) -> None:
        self._mutex = project.mutex
        self._session = session
        self._making = threading.Lock()
        self.uv = nox.virtualenv.UV if nox.virtualenv.HAS_UV else "uv"
        self.python = sys.executable

    def run(self, argv: tuple[str, ...]) -> Completed:
        try:
            code, output = nox.popen.popen(argv, silent=True)
        except FileNotFoundError:
            raise NoxEnvsError(f"{argv[0]}: no such program; pip install 'nox[uv]'") from None
        return Completed(returncode=code, output=output)

    def pip_python(self, python: str | None) -> str:
        location = self._session.env_dir.parent / f"pip-{python or 'nox'}"
        complete = location / "nox-envs-complete"
        with self._making, held(self._mutex(location.name), waiting=self._say_waiting):
            try:
                venv = nox.virtualenv.get_virtualenv(
                    "virtualenv",
                    download_python="auto",
                    envdir=str(location),
                    reuse_existing=complete.is_file(),
                    interpreter=python,
                )
                venv.create()
                complete.touch()  # a venv whose making was cut off is none
            except (nox.virtualenv.InterpreterNotFound, nox.command.CommandFailed) as error:
                raise NoxEnvsError(f"{error}; pip resolves only for an interpreter that is present") from None
        return str(Path((venv.bin_paths or [""])[0], "python.exe" if sys.platform == "win32" else "python"))

    def _say_waiting(self) -> None:
        self._session.log("another process makes the venv that pip resolves in; waiting")
