"""Owns the sessions `lock` and `drift`."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

import nox
import nox.command
import nox.popen
import nox.virtualenv

from nox_envs.errors import NoxEnvsError
from nox_envs.integrity.types import FILES_MODES
from nox_envs.policy import fail_conditions
from nox_envs.report import FORMATS, render
from nox_envs.report.as_text import count_kinds, finding_lines
from nox_envs.sessions.github import publish
from nox_envs.workflow.acceptance import accept, read_baseline
from nox_envs.workflow.inspection import inspect, stale_locks, verdict
from nox_envs.workflow.locking import Completed, LockRequest, lock, result_lines
from nox_envs.workflow.project import Project


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise NoxEnvsError(f"{message}\n{self.format_usage().strip()}")


def lock_session(project: Project, session: nox.Session) -> None:
    """Regenerate locks as the words after `--` ask."""
    parser = _Arguments(prog="nox -s lock --")
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    parser.add_argument("--upgrade", "-U", action="store_true", help="take the newest of everything")
    parser.add_argument("--upgrade-package", "-P", action="append", default=[], metavar="NAME")
    parser.add_argument("--check", action="store_true", help="say offline what is not fresh")
    parser.add_argument("--dry-run", action="store_true", help="resolve, show the changes, write nothing")
    project.envdir = os.fspath(session.env_dir.parent)
    try:
        asked = parser.parse_args(session.posargs)
        names = tuple(asked.environments)
        if asked.check:
            _check_locks(project, session, names)
            return
        request = LockRequest(
            environments=names,
            upgrade=asked.upgrade,
            upgrade_packages=tuple(asked.upgrade_package),
            dry_run=asked.dry_run,
        )
        _lock(project, session, request)
    except NoxEnvsError as error:
        session.error(str(error))


def _check_locks(project: Project, session: nox.Session, names: tuple[str, ...]) -> None:
    findings = stale_locks(project, names)
    for line in finding_lines(findings):
        session.warn("%s", line)
    if findings:
        session.error(f"locks are not fresh: {count_kinds(findings)}; run: nox -s lock")
    session.log("every lock is fresh")


def _lock(project: Project, session: nox.Session, request: LockRequest) -> None:
    failed: list[str] = []
    for result in lock(project, request, _Processes(session), jobs=os.cpu_count() or 1):
        for line in result_lines(result):
            session.log("%s", line)
        if result.outcome == "failed":
            failed.append(result.path)
    if failed:
        session.error(f"not locked: {', '.join(failed)}; the old files are as they were")


class _Processes:
    """Run resolvers for the lock session."""

    def __init__(self, session: nox.Session) -> None:
        self._session = session
        self._making = threading.Lock()
        self.uv = nox.virtualenv.UV if nox.virtualenv.HAS_UV else "uv"

    def run(self, argv: tuple[str, ...]) -> Completed:
        try:
            code, output = nox.popen.popen(argv, silent=True)
        except FileNotFoundError:
            raise NoxEnvsError(f"{argv[0]}: no such program; pip install 'nox[uv]'") from None
        return Completed(returncode=code, output=output)

    def pip_python(self, python: str | None) -> str:
        location = self._session.env_dir.parent / f"pip-{python or 'nox'}"
        with self._making:
            try:
                venv = nox.virtualenv.get_virtualenv(
                    "virtualenv",
                    download_python="auto",
                    envdir=str(location),
                    reuse_existing=True,
                    interpreter=python,
                )
                venv.create()
            except (nox.virtualenv.InterpreterNotFound, nox.command.CommandFailed) as error:
                raise NoxEnvsError(f"{error}; pip resolves only for an interpreter that is present") from None
        return str(Path((venv.bin_paths or [""])[0], "python.exe" if sys.platform == "win32" else "python"))


def drift_session(project: Project, session: nox.Session) -> None:
    """Check every lock and venv, print the report, fail if anything differs."""
    parser = _Arguments(prog="nox -s drift --")
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--files", choices=FILES_MODES, help="compare installed files with their RECORD")
    parser.add_argument("--fail-on", action="append", default=[], metavar="WHAT")
    parser.add_argument("--baseline", type=Path, metavar="FILE")
    project.envdir = os.fspath(session.env_dir.parent)
    try:
        asked = parser.parse_args(session.posargs)
        conditions = fail_conditions(asked.fail_on)
        report = inspect(project, tuple(asked.environments), files=asked.files, otherwise="changed")
        if asked.baseline:
            report = accept(report, read_baseline(asked.baseline))
    except NoxEnvsError as error:
        session.error(str(error))
    sys.stdout.write(render(report, asked.format, colour=session._runner.global_config.color))
    sys.stdout.flush()
    if os.environ.get("GITHUB_ACTIONS"):
        publish(report)
    reason = verdict(report, strict=bool(os.environ.get("CI")), fail_on=conditions).reason
    if reason:
        session.error(reason)
