"""Owns the command line beside nox; starts no process, and is the one place that handles errors."""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.arguments import parser
from nox_envs.errors import NoxEnvsError
from nox_envs.streams import write_anything

if TYPE_CHECKING:
    from nox_envs.report import Report
    from nox_envs.workflow.project import Project


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    `argv` are the words after the program's name. 0 means clean, 1 drift, 2 could not check, 130
    interrupted.
    """
    write_anything()
    asked = parser().parse_args(argv)
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


def _run(asked: argparse.Namespace) -> int:
    if asked.version:
        from importlib.metadata import version

        print(f"nox-envs {version('nox-envs')}")
        return 0
    match asked.command:
        case "schema":
            return _schema(asked)
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
        case "report":
            return _report(asked)
        case "matrix":
            return _matrix(asked)
        case "diff":
            return _diff(asked)
        case "init":
            return _init(asked)
    parser().print_help(sys.stderr)
    return 2


def _schema(asked: argparse.Namespace) -> int:
    from nox_envs.report.as_json import report_schema
    from nox_envs.spec.schema import json_schema

    sys.stdout.write(report_schema() if asked.report else json_schema())
    return 0


def _project(asked: argparse.Namespace, envdir: str = ".nox") -> Project:
    from nox_envs.workflow.project import Project

    return Project(
        Path(asked.spec).absolute(),
        envdir=getattr(asked, "envdir", envdir),
        environ=os.environ,
        host=_host,
        today=time.strftime("%Y-%m-%d"),
    )


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
        print(f"{project.origin}: {counted}; locks: {count_kinds(findings)}", file=sys.stderr)
        return 1
    locks = f"the locks can be used: {count_kinds(findings)}" if findings else "every lock is fresh"
    print(f"{project.origin}: {counted}: valid, and {locks}", file=sys.stderr)
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
        print(json.dumps({"schema": 1, "sessions": rows}, indent=2, sort_keys=True))
        return 0
    width = max((len(point.session) for point in points), default=0)
    for point in points:
        print(f"{point.session:{width}}  {point.description}".rstrip())
    return 0


def _drift(asked: argparse.Namespace) -> int:
    from nox_envs.progress import progress_on
    from nox_envs.workflow.inspection import inspect

    names = tuple(asked.environments)
    told = progress_on(sys.stderr)
    return _conclude(inspect(_project(asked), names, files=asked.files, told=told), asked)


def _conclude(report: Report, asked: argparse.Namespace) -> int:
    """Print a report as it was asked for, and return the exit code."""
    from nox_envs.policy import fail_conditions
    from nox_envs.report import render
    from nox_envs.workflow.acceptance import accept, read_baseline
    from nox_envs.workflow.inspection import verdict

    conditions = fail_conditions(asked.fail_on)
    if asked.baseline:
        report = accept(report, read_baseline(asked.baseline))
    if asked.format not in ("text", "json") and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            encoding="utf-8", errors="backslashreplace"
        )  # these go to files and services, not to a terminal
    sys.stdout.write(render(report, asked.format, colour=_colour()))
    judged = verdict(report, strict=bool(os.environ.get("CI")), fail_on=conditions)
    if judged.code == 2:
        print(judged.reason, file=sys.stderr)
    return judged.code


def _report(asked: argparse.Namespace) -> int:
    from nox_envs.workflow.ci_matrix import select
    from nox_envs.workflow.gathering import gather

    expected = select(_project(asked), (), ()) if asked.spec else ()
    return _conclude(gather(tuple(asked.paths), expected=expected), asked)


def _matrix(asked: argparse.Namespace) -> int:
    from nox_envs.workflow.ci_matrix import part_of, render_matrix, rows, select, shard_of
    from nox_envs.workflow.gathering import past_durations

    shard = shard_of(asked.shard)
    project = _project(asked)
    points = select(project, tuple(asked.environments), tuple(asked.tag))
    runner = asked.runner or ("ubuntu-latest" if asked.format == "github" else "")
    found = part_of(rows(project, points, runner=runner), shard, past_durations(tuple(asked.reports)))
    sys.stdout.write(render_matrix(found, asked.format))
    return 0


def _colour() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _freeze(asked: argparse.Namespace) -> int:
    from nox_envs.snapshot import freeze
    from nox_envs.workflow.inspection import asked_for, snapshot_of

    project = _project(asked)
    snapshot = snapshot_of(project, asked.environment)
    pinned = asked_for(project, asked.environment)
    sys.stdout.write(freeze(snapshot, all=asked.all, pinned=pinned))
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


def _init(asked: argparse.Namespace) -> int:
    from nox_envs.files import write_atomically
    from nox_envs.workflow.adoption import adopt

    spec = Path(asked.spec).absolute()
    if not asked.print and os.path.lexists(spec):
        shown = f"nox-envs init --print --spec {asked.spec}"
        raise NoxEnvsError(f"{asked.spec}: is there already, and stays as it is; {shown} shows another")
    adoption = adopt(spec.parent, spec=spec.name, environ=os.environ)
    for note in adoption.notes:
        print(f"note: {note}", file=sys.stderr)
    if asked.print:
        sys.stdout.write(adoption.spec)
        return 0
    write_atomically(spec, adoption.spec)
    count = f"{adoption.environments} environment{'' if adoption.environments == 1 else 's'}"
    option = "" if str(asked.spec) == "envs.yaml" else f" --spec {asked.spec}"
    print(f"wrote {asked.spec}: {count}; next: nox-envs check{option}", file=sys.stderr)
    noxfile = spec.parent / "noxfile.py"
    if os.path.lexists(noxfile):
        print(f"noxfile.py stays as it is; add to it:\n\n{adoption.noxfile}", file=sys.stderr)
    else:
        write_atomically(noxfile, adoption.noxfile)
        print("wrote noxfile.py", file=sys.stderr)
    return 0
