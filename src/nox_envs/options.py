"""The options that the command line and the built-in sessions of nox share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from nox_envs.errors import NoxEnvsError, nearest
from nox_envs.findings import FILES_MODES, fail_conditions
from nox_envs.report.report import FORMATS
from nox_envs.terminal import harmless


class Parser(argparse.ArgumentParser):
    """Suggest the nearest option for one that is not known; a mistake raises NoxEnvsError."""

    def parse_known_args(  # type: ignore[override]  # of all the ways to call it argparse uses one
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read all words; one that nothing takes is an error."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            options = [option for action in self._actions for option in action.option_strings]
            near = nearest(left[0].partition("=")[0], options) if left[0].startswith("-") else ""
            hint = f" (did you mean {near}?)" if near else ""
            self.error(f"unrecognized arguments: {' '.join(left)}{hint}")
        return found, left

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words of the command line, which may come from anywhere."""
        raise NoxEnvsError(f"{self.format_usage()}{self.prog}: error: {harmless(message)}")

    def add_environments(self) -> None:
        """Add the environments that a command is about."""
        text = "an environment, one of its sessions, or a pattern such as 'tests*' (default: all)"
        self.add_argument("environments", nargs="*", metavar="ENVIRONMENT", help=text)

    def add_environment(self) -> None:
        """Add the one environment that a command is about."""
        text = "an environment, or one of its sessions"
        self.add_argument("environment", metavar="ENVIRONMENT", help=text)

    def add_format(self, *names: str) -> None:
        """Add the choice between formats, of which the first is the default."""
        self.add_argument("--format", choices=names, default=names[0], help=f"default: {names[0]}")

    def add_drift_options(self) -> None:
        """Add the words that `nox-envs drift` and `nox -s drift --` take."""
        self.add_environments()
        text = "compare installed files with their RECORD: none, those that changed in size or time, or all"
        self.add_argument("--files", choices=FILES_MODES, help=text)
        self.add_report_options()

    def add_report_options(self) -> None:
        """Add the words of every command that ends in a report."""
        self.add_format(*FORMATS)
        text = "error (default), warning, note, or a kind of finding; several with commas"
        add = self.add_argument
        add("--fail-on", type=fail_conditions, default=("error",), metavar="WHAT", help=text)

    def add_lock_options(self) -> None:
        """Add the words that `nox -s lock --` takes."""
        add = self.add_argument
        self.add_environments()
        add("--upgrade", "-U", action="store_true", help="take the newest of everything")
        text = "take the newest of one package, or this version of it; may be repeated"
        name = "NAME[==VERSION]"
        add("--upgrade-package", "-P", action="append", default=[], metavar=name, help=text)
        add("--check", action="store_true", help="say offline what no longer matches; write nothing")
        add("--dry-run", action="store_true", help="resolve, show the changes, write nothing")
        add("--prune", action="store_true", help="remove locks that nothing declares any more")
