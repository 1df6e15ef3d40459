"""Owns the nox side: sessions made from points, and what a session asks of nox; the only importer of nox."""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import nox
import nox.command
import nox.popen
import nox.registry
import nox.virtualenv
from nox._decorators import Func  # the type that nox.session returns; nox names it nowhere else

from nox_envs.errors import NoxEnvsError
from nox_envs.installers import Installer, pip_installer, uv_installer
from nox_envs.matrix import Point
from nox_envs.spec.types import Command, Pairs
from nox_envs.workflow.project import Project

if TYPE_CHECKING:
    from nox_envs.workflow.locking import Completed, LockRequest

# What a program needs to start at all; the rest of the outer environment is passed by `pass_env`.
_ALWAYS_PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *("TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA"),
    *("LOCALAPPDATA", "PROGRAMDATA", "NUMBER_OF_PROCESSORS", "CI", "NO_COLOR", "FORCE_COLOR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


def load(spec: str | os.PathLike[str] = "envs.yaml", *, lock: str = "lock", drift: str = "drift") -> None:
    """Register a nox session for every point of a spec, and the built-in ones.

    `spec` is relative to the folder of the noxfile; `lock` and `drift` name the built-in sessions. A
    spec with problems prints them and ends nox with exit code 2.
    """
    try:
        project = Project(
            Path(spec).absolute(), envdir=".nox", environ=os.environ, host=_host, reserved=(lock, drift)
        )
        environments: dict[str, list[Point]] = {}
        for point in project.points:
            environments.setdefault(point.environment, []).append(point)
        for points in environments.values():
            _register(project, tuple(points))
    except NoxEnvsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    nox.session(name=lock, python=False, default=False)(_lock_session(project))
    nox.session(name=drift, python=False, default=False)(_drift_session(project))


def _host() -> Mapping[str, str]:
    from packaging.markers import default_environment

    return {key: str(value) for key, value in default_environment().items()}


class _EnvironmentFunc(Func):
    """Tell nox what differs between the points of one environment.

    nox copies a session function for each Python and asks the copy for its parameters, so that
    matrices whose values depend on the Python keep nox's own names.
    """

    points: tuple[Point, ...]

    def copy(self, name: str | None = None) -> Func:
        """Copy the function for one Python."""
        return _with_points(super().copy(name), self.points)

    @property
    def _here(self) -> tuple[Point, ...]:
        own = tuple(point for point in self.points if point.python == self.python)
        if own:
            return own
        seen = {point.axes: point for point in reversed(self.points)}  # a Python of `nox -P`
        return tuple(reversed(seen.values()))

    @property
    def parametrize(self) -> list[nox.param]:
        """Return a parameter set for each point; environments without a matrix have no such thing."""
        if not self.points[0].axes:
            raise AttributeError("parametrize")
        return [
            nox.param(
                *(value for _, value in point.axes),
                arg_names=tuple(name for name, _ in point.axes),
                tags=point.tags,
            )
            for point in self._here
        ]

    @property
    def tags(self) -> list[str]:  # type: ignore[override]
        """Return the tags that all points of this Python share by its copy; a matrix has its own."""
        return [] if self.points[0].axes else list(self._here[0].tags)

    @property  # type: ignore[misc]
    def requires(self) -> list[str]:
        """Return the sessions to run before."""
        return list(self._here[0].requires)


def _with_points(func: Func, points: tuple[Point, ...]) -> Func:
    func.__class__ = _EnvironmentFunc
    func.points = points  # type: ignore[attr-defined]
    return func


def _register(project: Project, points: tuple[Point, ...]) -> None:
    first = points[0]
    pythons = tuple(dict.fromkeys(point.python for point in points if point.python))
    listed = first.session != first.environment and first.session.startswith(f"{first.environment}-")

    def run(session: nox.Session, **axes: str) -> None:
        _run_point(project, first.environment, session, tuple(axes.items()))

    run.__doc__ = first.description
    func = nox.session(
        name=first.environment,
        python=list(pythons) if listed else first.python,
        venv_backend=first.backend or "uv|virtualenv",
        reuse_venv=True,
        default=first.default,
    )(run)
    _with_points(func, points)


def _run_point(project: Project, environment: str, session: nox.Session, axes: Pairs) -> None:
    from nox_envs.workflow.environment import EnvironmentRun

    project.envdir = os.path.relpath(session.env_dir.parent, project.root)
    try:
        python = session.python if isinstance(session.python, str) else None
        point = project.point_of(environment, python, axes)
        EnvironmentRun(project, point, _SessionHost(session, point)).run()
    except NoxEnvsError as error:
        session.error(str(error))
    except OSError as error:
        session.error(f"{error.filename or session.name}: {error.strerror or error}")


class _SessionHost:
    """Do for a session what it needs of nox."""

    def __init__(self, session: nox.Session, point: Point) -> None:
        venv = session.virtualenv
        if not isinstance(venv, nox.virtualenv.VirtualEnv):
            session.error("nox-envs verifies virtual environments; run without --no-venv and conda backends")
        self._session = session
        self._venv = venv
        self._point = point
        self.location = Path(venv.location)
        self.posargs = tuple(session.posargs)
        self.reused = venv._reused
        self.may_install = not (session._runner.global_config.no_install and venv._reused)
        windows = sys.platform == "win32"
        python = str(Path(session.bin, "python.exe" if windows else "python"))
        self.installer: Installer = (
            uv_installer(nox.virtualenv.UV, python) if venv.venv_backend == "uv" else pip_installer(python)
        )

    def recreate(self) -> None:
        self._venv.reuse_existing = False
        self._venv.create()
        self._venv._reused = False
        self.may_install = True

    def install(self, argv: tuple[str, ...]) -> None:
        try:
            self._session.run_install(*argv, external=True)
        except nox.command.CommandFailed as error:
            self._session.error(
                f"{self._point.session}: the installer failed (see above): {error}; "
                "the venv is made anew by the next run"
            )

    def run(self, command: Command, env: Pairs, pass_env: tuple[str, ...] | None) -> None:
        directory = Path(command.change_dir) if command.change_dir else None
        if directory is not None and not directory.is_dir():
            self._session.error(f"{command.place}: change_dir: no directory {str(directory)!r}")
        with self._session.chdir(directory) if directory else nullcontext():
            try:
                self._session.run(
                    *command.argv,
                    env={**_passed(pass_env, os.environ), **dict(env)},
                    include_outer_env=pass_env is None,
                    success_codes=command.success_codes,
                    external=command.external or None,
                )
            except nox.command.CommandFailed:
                if not command.allow_failure:
                    raise
                self.warn(f"{self._point.session}: {command.argv[0]} failed, which its spec allows")

    def say(self, message: str) -> None:
        self._session.log("%s", message)

    def warn(self, message: str) -> None:
        self._session.warn("%s", message)

    def stop(self, reason: str) -> NoReturn:
        self._session.error(reason)


def _passed(patterns: tuple[str, ...] | None, environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the outer variables that `patterns` (with * and ?) let through; all are inherited for None."""
    if patterns is None:
        return {}
    wanted = (*patterns, *_ALWAYS_PASSED)
    return {
        name: value
        for name, value in environ.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)
    }


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise NoxEnvsError(f"{message}\n{self.format_usage().strip()}")


def _lock_session(project: Project) -> Callable[[nox.Session], None]:
    def lock(session: nox.Session) -> None:
        """Regenerate locks: nox -s lock -- [ENVIRONMENT ...] [--upgrade] [--check]."""
        from nox_envs.workflow.locking import LockRequest

        parser = _Arguments(prog="nox -s lock --", add_help=False)
        parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
        parser.add_argument("--upgrade", "-U", action="store_true", help="take the newest of everything")
        parser.add_argument("--upgrade-package", "-P", action="append", default=[], metavar="NAME")
        parser.add_argument("--check", action="store_true", help="say offline what is not fresh")
        parser.add_argument("--dry-run", action="store_true", help="resolve, show the changes, write nothing")
        project.envdir = os.path.relpath(session.env_dir.parent, project.root)
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

    return lock


def _check_locks(project: Project, session: nox.Session, names: tuple[str, ...]) -> None:
    from nox_envs.report.as_text import count_kinds, finding_lines
    from nox_envs.workflow.inspection import stale_locks

    findings = stale_locks(project, names)
    for line in finding_lines(findings):
        session.warn("%s", line)
    if findings:
        session.error(f"locks are not fresh: {count_kinds(findings)}; run: nox -s lock")
    session.log("every lock is fresh")


def _lock(project: Project, session: nox.Session, request: LockRequest) -> None:
    from nox_envs.workflow.locking import lock, result_lines

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
        from nox_envs.workflow.locking import Completed

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


def _drift_session(project: Project) -> Callable[[nox.Session], None]:
    def drift(session: nox.Session) -> None:
        """Check every lock and venv: nox -s drift -- [ENVIRONMENT ...] [--format json]."""
        from nox_envs.report import FORMATS, render
        from nox_envs.workflow.inspection import inspect, verdict

        parser = _Arguments(prog="nox -s drift --", add_help=False)
        parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
        parser.add_argument("--format", choices=FORMATS, default="text")
        project.envdir = os.path.relpath(session.env_dir.parent, project.root)
        try:
            asked = parser.parse_args(session.posargs)
            report = inspect(project, tuple(asked.environments))
        except NoxEnvsError as error:
            session.error(str(error))
        sys.stdout.write(render(report, asked.format, colour=session._runner.global_config.color))
        sys.stdout.flush()
        reason = verdict(report, strict=bool(os.environ.get("CI"))).reason
        if reason:
            session.error(reason)

    return drift
