"""Owns the command line beside nox; starts no process, and is the one place that handles errors."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.arguments import asks_index, parser
from nox_envs.errors import NoxEnvsError
from nox_envs.machine import markers
from nox_envs.streams import forget_reader, harmless, write_anything

if TYPE_CHECKING:
    from nox_envs.errors import Problem
    from nox_envs.matrix import Point
    from nox_envs.report import Report
    from nox_envs.workflow.index_side import IndexSide
    from nox_envs.workflow.project import Project


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    `argv` are the words after the program's name. 0 means clean, 1 drift, 2 could not check, 130
    interrupted.
    """
    write_anything()
    if argv is None:
        # A process of its own makes some hundred thousand values, hardly any in a cycle, and is gone.
        gc.set_threshold(200_000)
    asked = parser().parse_args(argv)
    try:
        code = _run(asked)
        sys.stdout.flush()
    except NoxEnvsError as error:
        print(harmless(str(error)), file=sys.stderr)
        return 2
    except BrokenPipeError:
        forget_reader()
        return 2
    except OSError as error:
        print(harmless(f"{error.filename or 'nox-envs'}: {error.strerror or error}"), file=sys.stderr)
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
    from nox_envs.report.changes import changes_schema
    from nox_envs.spec.schema import json_schema

    schema = report_schema if asked.report else changes_schema if asked.diff else json_schema
    sys.stdout.write(schema())
    return 0


def _project(asked: argparse.Namespace, envdir: str = ".nox") -> Project:
    from nox_envs.workflow.project import Project

    return Project(
        Path(asked.spec).absolute(),
        envdir=getattr(asked, "envdir", envdir),
        environ=os.environ,
        host=markers,
        today=time.strftime("%Y-%m-%d"),
    )


def _check(asked: argparse.Namespace) -> int:
    from nox_envs.errors import FileProblems
    from nox_envs.report.as_text import count_kinds, finding_lines
    from nox_envs.workflow.lock_check import stale_locks

    project = _project(asked)
    checked = stale_locks(project, tuple(asked.environments))
    findings = checked.findings
    for line in finding_lines(findings, colour=_colour()):
        print(line)
    if checked.problems:
        raise FileProblems(checked.problems)
    sessions = len(project.points_of(tuple(asked.environments)))
    environments = len({point.environment for point in project.points_of(tuple(asked.environments))})
    counted = f"{_number(environments, 'environment')}, {_number(sessions, 'session')}"
    if any(finding.severity == "error" for finding in findings):
        print(f"{project.origin}: {counted}; locks: {count_kinds(findings)}", file=sys.stderr)
        return 1
    locks = f"the locks can be used: {count_kinds(findings)}" if findings else "every lock is fresh"
    print(f"{project.origin}: {counted}: valid, and {locks}", file=sys.stderr)
    return 0


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _list(asked: argparse.Namespace) -> int:
    project = _project(asked)
    points = project.points_of(tuple(asked.environments))
    if asked.format == "json":
        import json

        from nox_envs.errors import FileProblems

        problems: list[Problem] = []
        rows = [
            {
                "environment": point.environment,
                "session": point.session,
                "python": point.python,
                "axes": dict(point.axes),
                "tags": list(point.tags),
                "lock": _lock_path(project, point, problems),
                "location": project.shown(project.location(point)),
                "built": project.location(point).is_dir(),
                "description": point.description,
            }
            for point in points
        ]
        print(json.dumps({"schema": 1, "sessions": rows}, indent=2, sort_keys=True))
        if problems:
            raise FileProblems(tuple(dict.fromkeys(problems)))
        return 0
    width = max((len(point.session) for point in points), default=0)
    for point in points:
        print(harmless(f"{point.session:{width}}  {point.description}".rstrip()))
    return 0


def _lock_path(project: Project, point: Point, problems: list[Problem]) -> str:
    """Return the path of the lock of a point, or nothing where its requirements cannot be read."""
    from nox_envs.errors import FileProblems

    try:
        return project.plan_of(point).path
    except FileProblems as error:
        problems += error.problems
        return ""


def _drift(asked: argparse.Namespace) -> int:
    names = tuple(asked.environments)
    project = _project(asked)
    if asked.envdir != ".nox" and not (project.root / asked.envdir).is_dir():
        print(harmless(f"note: --envdir: there is no folder {asked.envdir}"), file=sys.stderr)
    if asked.files in (None, "off") and not (asked.skew or asks_index(asked)):
        from nox_envs.workflow.glance import clean_report

        if clean := clean_report(project, names):
            return _conclude(clean, asked)
    from nox_envs.progress import progress_on
    from nox_envs.workflow.inspection import inspect

    told = progress_on(sys.stderr)
    index = _index_side(project, asked)
    report = inspect(project, names, files=asked.files, skew=asked.skew, index=index, told=told)
    return _conclude(report, asked)


def _index_side(project: Project, asked: argparse.Namespace) -> IndexSide | None:
    """Ask indexes and advisories what they say of the locks, where that is wanted."""
    if not asks_index(asked):
        return None
    from datetime import datetime, timezone

    from nox_envs.workflow.index_side import index_side

    def note(text: str) -> None:
        print(harmless(f"note: {text}"), file=sys.stderr)

    now, prefix = datetime.now(timezone.utc), Path(sys.prefix)
    return index_side(project, asked, environ=os.environ, prefix=prefix, now=now, note=note)


def _conclude(report: Report, asked: argparse.Namespace) -> int:
    """Print a report as it was asked for, and return the exit code."""
    from nox_envs.policy import fail_conditions
    from nox_envs.report import render
    from nox_envs.workflow.verdict import verdict

    conditions = fail_conditions(asked.fail_on)
    if asked.baseline:
        from nox_envs.workflow.acceptance import accept, read_baseline

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
    from nox_envs.pins import SEED_PACKAGES
    from nox_envs.snapshot import freeze
    from nox_envs.workflow.venvs import asked_for, snapshot_of

    project = _project(asked)
    snapshot = snapshot_of(project, asked.environment)
    seeded = any(distribution.name in SEED_PACKAGES for distribution in snapshot.distributions)
    pinned = asked_for(project, asked.environment) if seeded else ()
    sys.stdout.write(freeze(snapshot, all=asked.all, pinned=pinned))
    return 0


def _activate(asked: argparse.Namespace) -> int:
    from nox_envs.workflow.venvs import activation, built

    windows = sys.platform == "win32"
    shell = asked.shell or os.environ.get("SHELL") or ("pwsh" if windows else "sh")
    print(activation(built(_project(asked), asked.environment), shell))
    return 0


def _diff(asked: argparse.Namespace) -> int:
    from nox_envs.report.changes import render_changes
    from nox_envs.workflow.review import Reviewer

    reviewer = Reviewer(
        Path.cwd(), spec=Path(asked.spec).absolute(), project=lambda: _project(asked), host=markers
    )
    review = reviewer.review(asked.old, asked.new)
    for note in review.notes:
        print(harmless(note), file=sys.stderr)
    sys.stdout.write(
        render_changes(review.comparison, asked.format, old=review.old, new=review.new, colour=_colour())
    )
    return 1 if review.comparison.different else 0


def _init(asked: argparse.Namespace) -> int:
    from nox_envs.files import remove_abandoned, write_atomically
    from nox_envs.workflow.adoption import adopt

    spec = Path(asked.spec).absolute()
    if not asked.print and os.path.lexists(spec):
        shown = f"nox-envs init --print --spec {asked.spec}"
        raise NoxEnvsError(f"{asked.spec}: is there already, and stays as it is; {shown} shows another")
    adoption = adopt(spec.parent, spec=spec.name, environ=os.environ)
    for note in adoption.notes:
        print(harmless(f"note: {note}"), file=sys.stderr)
    if asked.print:
        sys.stdout.write(adoption.spec)
        return 0
    remove_abandoned(spec.parent)
    write_atomically(spec, adoption.spec)
    count = _number(adoption.environments, "environment")
    option = "" if str(asked.spec) == "envs.yaml" else f" --spec {asked.spec}"
    print(f"wrote {asked.spec}: {count}; next: nox-envs check{option}", file=sys.stderr)
    noxfile = spec.parent / "noxfile.py"
    if os.path.lexists(noxfile):
        print(f"noxfile.py stays as it is; add to it:\n\n{adoption.noxfile}", file=sys.stderr)
    else:
        write_atomically(noxfile, adoption.noxfile)
        print("wrote noxfile.py", file=sys.stderr)
    return 0
