"""Owns the registration of nox sessions from a spec, under nox's own names."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import nox
from nox._decorators import Func  # the type that nox.session returns; nox names it nowhere else

from nox_envs.errors import NoxEnvsError
from nox_envs.machine import markers
from nox_envs.sessions.exclusion import exclude_others
from nox_envs.spec.types import Pairs
from nox_envs.streams import harmless, write_anything
from nox_envs.values import replace
from nox_envs.workflow.memory import SessionRow
from nox_envs.workflow.project import Project

if TYPE_CHECKING:
    from nox_envs.matrix import Point


def load(spec: str | os.PathLike[str] = "envs.yaml", *, lock: str = "lock", drift: str = "drift") -> None:
    """Register a nox session for every point of a spec, and the built-in ones.

    `spec` is a file in the folder of the noxfile; `lock` and `drift` name the built-in sessions. A
    spec with problems prints them and ends nox with exit code 2.
    """
    write_anything()  # nox prints the descriptions of a spec on any terminal
    try:
        project = Project(
            _beside_the_noxfile(spec),
            envdir=".nox",
            environ=os.environ,
            host=markers,
            reserved=(lock, drift),
            today=time.strftime("%Y-%m-%d"),
        )
        environments: dict[str, list[SessionRow]] = {}
        for row in project.sessions:
            environments.setdefault(row.environment, []).append(row)
        for rows in environments.values():
            _register(project, tuple(rows))
    except NoxEnvsError as error:
        sys.stderr.write(f"{harmless(str(error))}\n")
        raise SystemExit(2) from None
    _register_builtin(project, lock, drift)
    exclude_others(_mutex, _open, _skip)


def _beside_the_noxfile(spec: str | os.PathLike[str]) -> Path:
    """Return the path of the spec; nox has made the folder of the noxfile the current one."""
    path, here = Path(spec), Path.cwd()
    if path.parent.resolve() != here.resolve():
        raise NoxEnvsError(
            f"{os.fspath(spec)}: the spec must lie in the folder of the noxfile, since nox keeps venvs there;"
            f" move it there, and call load({path.name!r})"
        )
    return here / path.name


class _AtPython:
    """Hold what nox asks of one environment at one Python."""

    def __init__(self, rows: tuple[SessionRow, ...]) -> None:
        self.requires = rows[0].requires
        self.matrix = bool(rows[0].axes)
        # With a matrix every parameter set has tags of its own.
        self.tags = () if self.matrix else rows[0].tags
        self.parameters = [
            nox.param(
                *[chosen for _, chosen in row.axes], arg_names=[name for name, _ in row.axes], tags=row.tags
            )
            for row in rows
            if self.matrix
        ]


class _Pythons(dict[object, _AtPython]):
    """Map the Pythons of an environment; one that the spec does not name (`nox -P`) has every row once."""

    def __init__(self, rows: tuple[SessionRow, ...], project: Project) -> None:
        grouped: dict[object, list[SessionRow]] = {}
        for row in rows:
            grouped.setdefault(row.python, []).append(row)
        super().__init__((python, _AtPython(tuple(group))) for python, group in grouped.items())
        self._rows = rows
        self.project = project
        self.environment = rows[0].environment

    def __missing__(self, python: object) -> _AtPython:
        once = {row.axes: row for row in reversed(self._rows)}
        made = self[python] = _AtPython(tuple(reversed(once.values())))
        return made


class _EnvironmentFunc(Func):
    """Tell nox what differs between the points of one environment.

    nox copies a session function for each Python and asks the copy for its parameters, so that
    matrices whose values depend on the Python keep nox's own names.
    """

    pythons: _Pythons

    def copy(self, name: str | None = None) -> Func:
        """Copy the function for one Python."""
        return _with_pythons(super().copy(name), self.pythons)

    @property
    def _here(self) -> _AtPython:
        return self.pythons[self.python if isinstance(self.python, str) else None]

    @property
    def parametrize(self) -> list[nox.param]:
        """Return a parameter set for each point; environments without a matrix have no such thing."""
        if not self._here.matrix:
            raise AttributeError("parametrize")
        return self._here.parameters

    @property
    def tags(self) -> list[str]:  # type: ignore[override]
        """Return the tags of this Python."""
        return list(self._here.tags)

    @property  # type: ignore[misc]
    def requires(self) -> list[str]:
        """Return the sessions to run before."""
        return list(self._here.requires)


def _with_pythons(func: Func, pythons: _Pythons) -> Func:
    func.__class__ = _EnvironmentFunc
    func.pythons = pythons  # type: ignore[attr-defined]
    return func


def _pythons_of(func: object) -> _Pythons | None:
    """Return the environment of a session function, also of one parameter set of it."""
    func = func if isinstance(func, _EnvironmentFunc) else getattr(func, "func", None)
    return func.pythons if isinstance(func, _EnvironmentFunc) else None


def _mutex(runner: nox.sessions.SessionRunner, venv: Path) -> Path | None:
    """Return the mutex of the venv of a session, None for one that is not of a spec."""
    pythons = _pythons_of(runner.func)
    if pythons is None:
        return None
    pythons.project.envdir = os.fspath(venv.parent)
    return pythons.project.mutex(venv.name)


def _open(runner: nox.sessions.SessionRunner, venv: Path) -> None:
    """Read the lock of a session before nox makes its venv; raises NoxEnvsError for one that is broken."""
    pythons = _pythons_of(runner.func)
    if pythons is None or ((venv / "pyvenv.cfg").is_file() and runner.reuse_existing_venv()):
        return  # a venv that is there is verified, and its lock with it
    from nox_envs.sessions.opening import require_lock

    require_lock(pythons.project, _point_of(pythons, runner), venv.name)


def _skip(runner: nox.sessions.SessionRunner, venv: Path, reason: str) -> None:
    """Report that a session was not run, for a report that says it is clean may be there."""
    pythons = _pythons_of(runner.func)
    if pythons is not None:
        from nox_envs.sessions.opening import report_skipped

        report_skipped(pythons.project, _point_of(pythons, runner), venv.name, reason)


def _point_of(pythons: _Pythons, runner: nox.sessions.SessionRunner) -> Point:
    axes: Pairs = tuple(getattr(runner.func, "call_spec", {}).items())
    return _point(pythons, runner.func.python, axes, runner.friendly_name)


def _register(project: Project, rows: tuple[SessionRow, ...]) -> None:
    first = rows[0]
    pythons = _Pythons(rows, project)
    listed = first.session != first.environment and first.session.startswith(f"{first.environment}-")

    def run(session: nox.Session, **axes: str) -> None:
        _run_point(pythons, session, tuple(axes.items()))

    run.__doc__ = first.description
    func = nox.session(
        name=first.environment,
        python=[python for python in pythons if isinstance(python, str)] if listed else first.python,
        venv_backend=first.backend or "uv|virtualenv",
        reuse_venv=True,
        allow_parallel=True,
        default=first.default,
    )(run)
    _with_pythons(func, pythons)


def _point(pythons: _Pythons, python: object, axes: Pairs, session: str) -> Point:
    point = pythons.project.point_of(pythons.environment, python if isinstance(python, str) else None, axes)
    pythons.project.remember()
    # At a Python that the spec does not name only nox knows what it calls the session.
    return point if point.session == session else replace(point, session=session)


def _run_point(pythons: _Pythons, session: nox.Session, axes: Pairs) -> None:
    from nox_envs.sessions.host import SessionHost
    from nox_envs.workflow.session import SessionRun

    project = pythons.project
    project.envdir = os.fspath(session.env_dir.parent)
    try:
        point = _point(pythons, session.python, axes, session.name)
        run = SessionRun(project, point, SessionHost(session, point), time.monotonic)
        try:
            run.run()
        finally:
            if os.environ.get("GITHUB_ACTIONS") and run.report:
                from nox_envs.report import Report
                from nox_envs.sessions.github import publish

                publish(Report(environments=(run.report,)))
    except NoxEnvsError as error:
        session.error(harmless(str(error)))
    except OSError as error:
        session.error(f"{error.filename or session.name}: {error.strerror or error}")


def _register_builtin(project: Project, lock: str, drift: str) -> None:
    @nox.session(name=lock, python=False, default=False)
    def _lock(session: nox.Session) -> None:
        """Regenerate locks: nox -s lock -- [ENVIRONMENT ...] [--upgrade] [--check], and more with --help."""
        from nox_envs.sessions.locking import lock_session

        lock_session(project, session)

    @nox.session(name=drift, python=False, default=False)
    def _drift(session: nox.Session) -> None:
        """Check every lock and venv: nox -s drift -- [ENVIRONMENT ...] [--format json]."""
        from nox_envs.sessions.builtin import drift_session

        drift_session(project, session)
