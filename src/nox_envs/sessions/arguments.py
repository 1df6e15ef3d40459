"""Owns the reading of words after `--`: a mistake is an error of the session, not the end of nox."""

from __future__ import annotations

import argparse
from typing import NoReturn

from nox_envs.errors import NoxEnvsError


class Arguments(argparse.ArgumentParser):
    """Raise NoxEnvsError where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        """Raise the message with the usage."""
        raise NoxEnvsError(f"{message}\n{self.format_usage().strip()}")
