"""Owns the words of the command line: its verbs and options; does nothing of what they ask."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from nox_envs.errors import nearest

# Those of nox_envs.report, which a command that prints no report need not import.
FORMATS = ("text", "json", "markdown", "github", "sarif", "junit", "html")
_LONGEST = 3600


class Verb(argparse.ArgumentParser):
    """Refuse an option that is none of its own: with its own usage, and with the nearest one."""

    def parse_known_args(  # type: ignore[override]  # of all the ways to call it argparse uses one
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read all words; one that nothing takes is an error."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            near = nearest(left[0].partition("=")[0], self._option_string_actions)
            hint = f" (did you mean {near}?)" if near and left[0].startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(left)}{hint}")
        return found, left


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = Verb(
        prog="nox-envs",
        description="Check and show what envs.yaml declares and what is installed; nox builds it.",
        epilog="Exit codes: 0 clean, 1 drift, 2 could not check, 130 interrupted.",
    )
    whole.add_argument("--version", action="store_true", help="print the version and exit")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", parser_class=Verb)
    shared = Verb(add_help=False)
    shared.add_argument("--spec", type=Path, default=Path("envs.yaml"), help="the spec (default: envs.yaml)")
    shared.add_argument("--envdir", default=".nox", help="where nox keeps venvs (default: .nox)")

    check = commands.add_parser("check", parents=[shared], help="validate the spec and its locks")
    check.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    listing = commands.add_parser("list", parents=[shared], help="list environments and their sessions")
    listing.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    listing.add_argument("--format", choices=("text", "json"), default="text")
    judging = _judging_parser()
    _add_drift(commands.add_parser("drift", parents=[shared, judging], help="compare spec, locks and venvs"))
    _add_gathering(commands, judging)
    freeze = commands.add_parser("freeze", parents=[shared], help="print what a venv has, as requirements")
    freeze.add_argument("environment", metavar="ENVIRONMENT")
    freeze.add_argument("--all", action="store_true", help="with pip, setuptools and wheel")
    activate = commands.add_parser("activate", parents=[shared], help="print the line that activates a venv")
    activate.add_argument("environment", metavar="ENVIRONMENT")
    activate.add_argument("--shell", help="bash, zsh, fish, csh, nu, pwsh, cmd (default: from $SHELL)")
    _add_review(commands, shared)
    schema = commands.add_parser("schema", help="print the JSON Schema of envs.yaml")
    schema.add_argument("--report", action="store_true", help="that of the JSON report instead")
    schema.add_argument("--diff", action="store_true", help="that of the JSON of diff instead")
    _add_matrix(commands, shared)
    return whole


def _add_drift(drift: argparse.ArgumentParser) -> None:
    drift.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    drift.add_argument(
        "--files",
        choices=("off", "changed", "all"),
        help="compare installed files with their RECORD: those that changed in size or time, or all",
    )
    drift.add_argument(
        "--skew",
        action="store_true",
        help="compare the versions of all environments with one another, not in groups only",
    )
    add_index_options(drift)


def add_index_options(drift: argparse.ArgumentParser) -> None:
    """Add the options that compare locks with indexes and advisories (link 5)."""
    drift.add_argument("--online", action="store_true", help="ask the index what is outdated or yanked")
    drift.add_argument(
        "--online-timeout", type=_seconds, metavar="SECONDS", help="for all that is asked (default: 20)"
    )
    drift.add_argument(
        "--index-url", default="", metavar="URL", help="ask this index, but for packages the spec assigns"
    )
    drift.add_argument(
        "--advisories",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="an OSV export, a folder of JSON files or a .zip, to look pins up in; needs no network",
    )


def asks_index(asked: argparse.Namespace) -> bool:
    """Tell whether any of the options that compare locks with indexes and advisories was given."""
    return bool(asked.online or asked.advisories or asked.index_url or asked.online_timeout)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds between 0 and {_LONGEST}")
    return seconds


def _add_review(commands: argparse._SubParsersAction[Verb], shared: Verb) -> None:
    diff = commands.add_parser("diff", parents=[shared], help="say what changed between two locks or venvs")
    diff.add_argument(
        "old", metavar="OLD", help="a lock, a directory of locks, a git revision (main:), a venv, a report"
    )
    diff.add_argument("new", metavar="NEW", nargs="?", help="the same (default: OLD's path on disk)")
    diff.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    init = commands.add_parser("init", parents=[shared], help="write a spec from what the project has")
    init.add_argument("--print", action="store_true", help="print the spec and write nothing")


def _judging_parser() -> Verb:
    judging = Verb(add_help=False)
    judging.add_argument("--format", choices=FORMATS, default="text", help="how to show it (default: text)")
    judging.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="WHAT",
        help="error (default), warning, note, or a kind; several with commas",
    )
    judging.add_argument(
        "--baseline", type=Path, metavar="FILE", help="an earlier JSON report, whose findings are accepted"
    )
    return judging


def _add_gathering(commands: argparse._SubParsersAction[Verb], judging: Verb) -> None:
    report = commands.add_parser("report", parents=[judging], help="join the reports of many jobs or hosts")
    report.add_argument("paths", nargs="+", type=Path, metavar="DIR", help="a folder of reports, or a report")
    report.add_argument("--spec", type=Path, help="name the sessions of this spec that sent no report")


def _add_matrix(commands: argparse._SubParsersAction[Verb], shared: Verb) -> None:
    matrix = commands.add_parser("matrix", parents=[shared], help="print the jobs that a CI system runs")
    matrix.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    matrix.add_argument("--format", choices=("json", "github", "gitlab"), default="json")
    matrix.add_argument("--tag", action="append", default=[], help="only environments with this tag")
    matrix.add_argument("--shard", default="1/1", metavar="I/N", help="only part I of N")
    matrix.add_argument(
        "--reports", action="append", default=[], type=Path, metavar="DIR", help="balance by these durations"
    )
    matrix.add_argument("--runner", default="", help="the runner where an environment has no runs_on")
