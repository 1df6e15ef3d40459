"""Owns the registration of nox sessions from a spec, under nox's own names."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import nox
from nox._decorators import Func  # the type that nox.session returns; nox names it nowhere else

from nox_envs.errors import NoxEnvsError
from nox_envs.spec.types import Pairs
from nox_envs.workflow.memory import SessionRow
from nox_envs.workflow.project import Project


def load(spec: str | os.PathLike[str] = "envs.yaml", *, lock: str = "lock", drift: str = "drift") -> None:
    """Register a nox session for every point of a spec, and the built-in ones.

    `spec` is a file in the folder of the noxfile; `lock` and `drift` name the built-in sessions. A
    spec with problems prints them and ends nox with exit code 2.
    """
    try:
        project = Project(
            _beside_the_noxfile(spec),
            envdir=".nox",
            environ=os.environ,
            host=_host,
            reserved=(lock, drift),
            today=time.strftime("%Y-%m-%d"),
        )
        environments: dict[str, list[SessionRow]] = {}
        for row in project.sessions:
            environments.setdefault(row.environment, []).append(row)
        for rows in environments.values():
            _register(project, tuple(rows))
    except NoxEnvsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    _register_builtin(project, lock, drift)


def _beside_the_noxfile(spec: str | os.PathLike[str]) -> Path:
    """Return the path of the spec; nox has made the folder of the noxfile the current one."""
    path, here = Path(spec), Path.cwd()
    if path.parent.resolve() != here.resolve():
        raise NoxEnvsError(
            f"{os.fspath(spec)}: the spec must lie in the folder of the noxfile, since nox keeps venvs there;"
            f" move it there, and call load({path.name!r})"
        )
    return here / path.name


def _host() -> Mapping[str, str]:
    from packaging.markers import default_environment

    return {key: str(value) for key, value in default_environment().items()}


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

    def __init__(self, rows: tuple[SessionRow, ...]) -> None:
        grouped: dict[object, list[SessionRow]] = {}
        for row in rows:
            grouped.setdefault(row.python, []).append(row)
        super().__init__((python, _AtPython(tuple(group))) for python, group in grouped.items())
        self._rows = rows

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


def _register(project: Project, rows: tuple[SessionRow, ...]) -> None:
    first = rows[0]
    pythons = _Pythons(rows)
    listed = first.session != first.environment and first.session.startswith(f"{first.environment}-")

    def run(session: nox.Session, **axes: str) -> None:
        _run_point(project, first.environment, session, tuple(axes.items()))

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


def _run_point(project: Project, environment: str, session: nox.Session, axes: Pairs) -> None:
    from nox_envs.sessions.host import SessionHost
    from nox_envs.workflow.environment import EnvironmentRun

    project.envdir = os.fspath(session.env_dir.parent)
    try:
        python = session.python if isinstance(session.python, str) else None
        point = project.point_of(environment, python, axes)
        project.remember()
        run = EnvironmentRun(project, point, SessionHost(session, point), time.monotonic)
        try:
            run.run()
        finally:
            if run.journal.report and os.environ.get("GITHUB_ACTIONS"):
                from nox_envs.report import Report
                from nox_envs.sessions.github import publish

                publish(Report(environments=(run.journal.report,)))
    except NoxEnvsError as error:
        session.error(str(error))
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
