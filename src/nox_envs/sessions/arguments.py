"""Owns the reading of words after `--`: a mistake is an error of the session, not the end of nox."""

from __future__ import annotations

from typing import NoReturn

from nox_envs.arguments import Verb
from nox_envs.errors import NoxEnvsError


class HelpShown(Exception):
    """Say that the words asked for the help, which is printed; the session has nothing more to do."""


class Arguments(Verb):
    """Raise an exception where argparse would end the process."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raise HelpShown; only the help ends without an error."""
        raise HelpShown

    def error(self, message: str) -> NoReturn:
        """Raise the message with the usage."""
        raise NoxEnvsError(f"{message}\n{self.format_usage().strip()}")
