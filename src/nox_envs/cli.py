"""Owns the command line beside nox; starts no process, and is the one place that handles errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.errors import NoxEnvsError

if TYPE_CHECKING:
    from nox_envs.workflow.project import Project


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    `argv` are the words after the program's name. 0 means clean, 1 drift, 2 could not check, 130
    interrupted.
    """
    parser = _parser()
    asked = parser.parse_args(argv)
    try:
        code = _run(asked)
        sys.stdout.flush()
    except NoxEnvsError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader went away; without this the interpreter would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        print(f"{error.filename or 'nox-envs'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nox-envs",
        description="Check and show what envs.yaml declares and what is installed; nox builds it.",
        epilog="Exit codes: 0 clean, 1 drift, 2 could not check, 130 interrupted.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--spec", type=Path, default=Path("envs.yaml"), help="the spec (default: envs.yaml)")
    shared.add_argument("--envdir", default=".nox", help="where nox keeps venvs (default: .nox)")

    check = commands.add_parser("check", parents=[shared], help="validate the spec and its locks")
    check.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    listing = commands.add_parser("list", parents=[shared], help="list environments and their sessions")
    listing.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    listing.add_argument("--format", choices=("text", "json"), default="text")
    drift = commands.add_parser("drift", parents=[shared], help="compare spec, locks and venvs")
    drift.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    drift.add_argument("--format", choices=("text", "json"), default="text")
    freeze = commands.add_parser("freeze", parents=[shared], help="print what a venv has, as requirements")
    freeze.add_argument("environment", metavar="ENVIRONMENT")
    freeze.add_argument("--all", action="store_true", help="with pip, setuptools and wheel")
    activate = commands.add_parser("activate", parents=[shared], help="print the line that activates a venv")
    activate.add_argument("environment", metavar="ENVIRONMENT")
    activate.add_argument("--shell", help="bash, zsh, fish, csh, nu, pwsh, cmd (default: from $SHELL)")
    diff = commands.add_parser("diff", parents=[shared], help="say what changed between two locks or venvs")
    diff.add_argument(
        "old", metavar="OLD", help="a lock, a directory of locks, a git revision (main:), a venv, a report"
    )
    diff.add_argument("new", metavar="NEW", nargs="?", help="the same (default: OLD's path on disk)")
    diff.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    commands.add_parser("schema", help="print the JSON Schema of envs.yaml")
    return parser


def _run(asked: argparse.Namespace) -> int:
    if asked.version:
        from importlib.metadata import version

        print(f"nox-envs {version('nox-envs')}")
        return 0
    match asked.command:
        case "schema":
            from nox_envs.spec.schema import json_schema

            sys.stdout.write(json_schema())
            return 0
        case "check":
            return _check(asked)
        case "list":
            return _list(asked)
        case "drift":
            return _drift(asked)
        case "freeze":
            return _freeze(asked)
        case "activate":
            return _activate(asked)
        case "diff":
            return _diff(asked)
    _parser().print_help(sys.stderr)
    return 2


def _project(asked: argparse.Namespace) -> Project:
    from nox_envs.workflow.project import Project

    return Project(Path(asked.spec).absolute(), envdir=asked.envdir, environ=os.environ, host=_host)


def _host() -> Mapping[str, str]:
    from packaging.markers import default_environment

    return {key: str(value) for key, value in default_environment().items()}


def _check(asked: argparse.Namespace) -> int:
    from nox_envs.report.as_text import count_kinds, finding_lines
    from nox_envs.workflow.inspection import stale_locks

    project = _project(asked)
    findings = stale_locks(project, tuple(asked.environments))
    for line in finding_lines(findings, colour=_colour()):
        print(line)
    sessions = len(project.points_of(tuple(asked.environments)))
    environments = len({point.environment for point in project.points_of(tuple(asked.environments))})
    counted = f"{environments} environments, {sessions} sessions"
    if any(finding.severity == "error" for finding in findings):
        print(f"{project.spec.origin}: {counted}; locks: {count_kinds(findings)}", file=sys.stderr)
        return 1
    print(f"{project.spec.origin}: {counted}: valid, and every lock is fresh", file=sys.stderr)
    return 0


def _list(asked: argparse.Namespace) -> int:
    project = _project(asked)
    points = project.points_of(tuple(asked.environments))
    if asked.format == "json":
        import json

        rows = [
            {
                "environment": point.environment,
                "session": point.session,
                "python": point.python,
                "axes": dict(point.axes),
                "tags": list(point.tags),
                "lock": project.plan_of(point).path,
                "location": project.shown(project.location(point)),
                "built": project.location(point).is_dir(),
                "description": point.description,
            }
            for point in points
        ]
        print(json.dumps({"schema": 1, "sessions": rows}, indent=2, sort_keys=True, ensure_ascii=False))
        return 0
    width = max((len(point.session) for point in points), default=0)
    for point in points:
        print(f"{point.session:{width}}  {point.description}".rstrip())
    return 0


def _drift(asked: argparse.Namespace) -> int:
    from nox_envs.report import render
    from nox_envs.workflow.inspection import inspect, verdict

    report = inspect(_project(asked), tuple(asked.environments))
    sys.stdout.write(render(report, asked.format, colour=_colour()))
    judged = verdict(report, strict=bool(os.environ.get("CI")))
    if judged.code == 2:
        print(judged.reason, file=sys.stderr)
    return judged.code


def _colour() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _freeze(asked: argparse.Namespace) -> int:
    from nox_envs.snapshot import freeze
    from nox_envs.workflow.inspection import snapshot_of

    sys.stdout.write(freeze(snapshot_of(_project(asked), asked.environment), all=asked.all))
    return 0


def _activate(asked: argparse.Namespace) -> int:
    from nox_envs.workflow.inspection import activation, built

    windows = sys.platform == "win32"
    shell = asked.shell or os.environ.get("SHELL") or ("pwsh" if windows else "sh")
    print(activation(built(_project(asked), asked.environment), shell))
    return 0


def _diff(asked: argparse.Namespace) -> int:
    from nox_envs.report.changes import render_changes
    from nox_envs.workflow.review import Reviewer

    reviewer = Reviewer(
        Path.cwd(), spec=Path(asked.spec).absolute(), project=lambda: _project(asked), host=_host
    )
    review = reviewer.review(asked.old, asked.new)
    for note in review.notes:
        print(note, file=sys.stderr)
    sys.stdout.write(
        render_changes(review.comparison, asked.format, old=review.old, new=review.new, colour=_colour())
    )
    return 1 if review.comparison.different else 0
