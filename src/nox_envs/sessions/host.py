"""Owns what the session of one point asks of nox: the venv, the installer, the commands."""

from __future__ import annotations

import fnmatch
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import nox
import nox.command
import nox.virtualenv

from nox_envs.errors import InstallationFailed
from nox_envs.files import from_here
from nox_envs.installers import Installer, pip_installer, uv_installer
from nox_envs.matrix import Point
from nox_envs.spec.types import Command, Pairs
from nox_envs.streams import harmless

# What a program needs to start at all; the rest of the outer environment is passed by `pass_env`.
_ALWAYS_PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *("TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA"),
    *("LOCALAPPDATA", "PROGRAMDATA", "NUMBER_OF_PROCESSORS", "CI", "NO_COLOR", "FORCE_COLOR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


class SessionHost:
    """Do for the session of one point what it needs of nox."""

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
        python = from_here(Path(session.bin, "python.exe" if windows else "python"))
        self.installer: Installer = (
            uv_installer(nox.virtualenv.UV, python) if venv.venv_backend == "uv" else pip_installer(python)
        )

    def recreate(self) -> None:
        """Make the venv anew."""
        self._venv.reuse_existing = False
        # uv refuses to clear a folder that is no venv any more.
        shutil.rmtree(self.location, ignore_errors=True)
        self._venv.create()
        self._venv._reused = False
        self.may_install = True

    def install(self, argv: tuple[str, ...]) -> None:
        """Run an installer; raises InstallationFailed."""
        try:
            self._session.run_install(*argv, external=True)
        except nox.command.CommandFailed as error:
            hint = "; if it calls a wheel damaged: uv cache clean NAME" if self.installer.name == "uv" else ""
            raise InstallationFailed(f"the installer failed (see above): {error}{hint}", argv=argv) from None

    def run(self, command: Command, env: Pairs, pass_env: tuple[str, ...] | None) -> None:
        """Run a command in the venv; a failure ends the session."""
        directory = Path(command.change_dir) if command.change_dir else None
        if directory is not None and not directory.is_dir():
            self._session.error(
                f"{command.place}: change_dir: no directory {str(directory)!r}; make it, or name another one"
            )
        with self._session.chdir(directory) if directory else nullcontext():
            try:
                self._session.run(
                    *command.argv,
                    env={**_passed(pass_env, os.environ), **dict(env)},
                    include_outer_env=pass_env is None,
                    success_codes=command.success_codes,
                    external=command.external or None,
                )
            except nox.command.CommandFailed as error:
                if not command.allow_failure:
                    if error.return_code is None:
                        self._session.error(_not_found(command))
                    raise
                self.warn(f"{self._point.session}: {command.argv[0]} failed, which its spec allows")

    def say(self, message: str) -> None:
        """Tell the user."""
        self._session.log("%s", message)

    def warn(self, message: str) -> None:
        """Warn the user."""
        self._session.warn("%s", message)

    def stop(self, reason: str) -> NoReturn:
        """End the session as failed."""
        self._session.error(harmless(reason))


def _not_found(command: Command) -> str:
    program = command.argv[0]
    return (
        f"{command.place}: {program!r} is neither in the venv nor on PATH: add the package that brings it to"
        " the requirements, or install it on this machine"
    )


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
