"""Owns what happens before nox makes a venv: one process at a time makes it, and only if a session may begin.

nox has no place to do something before it makes a venv: two runs of a new environment would make and clear
the same directory, and one whose lock is missing would leave an empty venv behind. So
`SessionRunner.execute` is wrapped, for the sessions of a spec only. In a nox without it a session takes its
mutex and reads its lock once the venv is there, which protects every run but the first.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

from nox.logger import logger
from nox.sessions import Result, SessionRunner, Status

from nox_envs.errors import NoxEnvsError
from nox_envs.matrix.names import venv_directory_name
from nox_envs.streams import harmless

# Returns the mutex of the venv at a path, None for sessions that are not of a spec.
MutexOf = Callable[[SessionRunner, Path], Path | None]

# Does what a session does before there is a venv; raises NoxEnvsError where it must not go on.
Opening = Callable[[SessionRunner, Path], None]

# Reports a session that has no interpreter, for the reason given.
Skipping = Callable[[SessionRunner, Path, str], None]


@functools.cache
def exclude_others(mutex_of: MutexOf, opening: Opening, skipping: Skipping) -> None:
    """Let each session of a spec wait for its venv, and begin, before nox looks at it.

    A second call does nothing.
    """
    inner: Callable[[SessionRunner], Result] | None = getattr(SessionRunner, "execute", None)
    if inner is None:
        return

    def execute(self: SessionRunner) -> Result:
        mutex = mutex_of(self, _venv_of(self))
        if mutex is None:
            return inner(self)
        if _name_by_python(self):
            mutex = mutex_of(self, _venv_of(self)) or mutex
        return _in_turn(self, inner, _venv_of(self), mutex, opening, skipping)

    SessionRunner.execute = execute  # type: ignore[method-assign]


def _venv_of(runner: SessionRunner) -> Path:
    return Path(venv_directory_name(os.fspath(runner.global_config.envdir), runner.friendly_name))


def _name_by_python(runner: SessionRunner) -> bool:
    """Prefer the name of a session that has its Python; nox names all that are forced (`-P`) alike.

    With one name they would have one venv, which each of them would make anew.
    """
    longer = [one for one in runner.signatures[1:] if one.startswith(f"{runner.name}-{runner.func.python}(")]
    if longer:
        runner.signatures = [*longer, *(one for one in runner.signatures if one not in longer)]
    return bool(longer)


def _in_turn(
    runner: SessionRunner,
    inner: Callable[[SessionRunner], Result],
    venv: Path,
    mutex: Path,
    opening: Opening,
    skipping: Skipping,
) -> Result:
    from nox_envs.mutex import held_ahead

    session = runner.friendly_name
    try:
        with held_ahead(mutex, waiting=lambda: logger.info(_waiting(session, venv))):
            _await_installer(session, venv)
            _remove_wreck(session, venv)
            opening(runner, venv)
            result = inner(runner)
        if result.reason and result.status in (Status.SKIPPED, Status.FAILED):
            skipping(runner, venv, result.reason)  # nox gives both a reason for an interpreter only
        return result
    except NoxEnvsError as error:
        reason = harmless(str(error))
    except OSError as error:
        reason = (
            f"{error.filename or venv}: {error.strerror or error}; nox keeps venvs in {venv.parent}: "
            "make room there and let this user write, or choose another folder: nox --envdir FOLDER"
        )
    runner.result = Result(runner, Status.ABORTED, reason)
    return runner.result


def _waiting(session: str, venv: Path) -> str:
    """Return what a session says that waits for its venv."""
    return f"{session}: another process works on {venv}; waiting"


def _await_installer(session: str, venv: Path) -> None:
    """Wait for an installer that a killed run left behind: uv holds `.lock` in the venv it works on."""
    from nox_envs.mutex import held

    lock = venv / ".lock"
    if lock.is_file():
        with held(lock, waiting=lambda: logger.info(f"{session}: an installer works on {venv}; waiting")):
            return


def _remove_wreck(session: str, venv: Path) -> None:
    """Remove what nox would take for a venv, or stumble over, and is none: its creation was cut off."""
    if venv.is_symlink() or not os.path.lexists(venv):
        return
    try:
        (venv / "pyvenv.cfg").read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        logger.info(f"{session}: making the venv anew: {venv} is no virtual environment")
        if venv.is_dir():
            import shutil

            shutil.rmtree(venv, ignore_errors=True)
        else:
            venv.unlink()
