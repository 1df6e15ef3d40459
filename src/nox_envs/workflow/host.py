"""Owns what a session needs of the program that makes venvs and runs processes; does neither."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn, Protocol

from nox_envs.installers import Installer
from nox_envs.spec.types import Command, Pairs


class InstallerHost(Protocol):
    """Say what an installation needs of the program that runs processes."""

    location: Path
    installer: Installer

    def install(self, argv: tuple[str, ...]) -> None:
        """Run an installer; raises InstallationFailed."""


class Host(Protocol):
    """Say what a session needs of the program that makes venvs and runs processes.

    `reused` tells whether the venv was there before this session; `may_install` is false where the
    user asked for no installation.
    """

    location: Path
    posargs: tuple[str, ...]
    reused: bool
    may_install: bool
    installer: Installer

    def recreate(self) -> None:
        """Make the venv anew."""

    def install(self, argv: tuple[str, ...]) -> None:
        """Run an installer; raises InstallationFailed."""

    def run(self, command: Command, env: Pairs, pass_env: tuple[str, ...] | None) -> None:
        """Run a command in the venv; a failure ends the session."""

    def say(self, message: str) -> None:
        """Tell the user."""

    def warn(self, message: str) -> None:
        """Warn the user."""

    def stop(self, reason: str) -> NoReturn:
        """End the session as failed."""
