"""The verbs `check` and `drift`: every lock and venv compared with what it should be."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.errors import FileProblems, Problem
from nox_envs.findings import (
    FILE_KINDS,
    FILES_MODES,
    FilesMode,
    Finding,
    IgnoreRule,
    Outcome,
    about,
    apply_options,
    fail_conditions,
    finding,
    idle_rules,
    run_command,
)
from nox_envs.host import recall
from nox_envs.memory import Row
from nox_envs.project import Project
from nox_envs.report.json import read_report
from nox_envs.report.report import FORMATS, EnvironmentReport, Report, Status, status_of
from nox_envs.terminal import Told
from nox_envs.values import replace, value
from nox_envs.venv.receipt import Receipt, read_receipt
from nox_envs.venv.snapshot import NotAVenv

if TYPE_CHECKING:
    from nox_envs.lock.plan import LockPlan
    from nox_envs.spec.types import Point
    from nox_envs.venv.check import Checked


def add_drift_options(parser: argparse.ArgumentParser) -> None:
    """Add the words that `nox-envs drift` and `nox -s drift --` take."""
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT", help=ENVIRONMENTS)
    parser.add_argument(
        "--files",
        choices=FILES_MODES,
        help="compare installed files with their RECORD: none, those that changed in size or time, or all",
    )
    add_report_options(parser)


ENVIRONMENTS = "an environment, one of its sessions, or a pattern such as 'tests*' (default: all)"


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of every verb that ends in a report."""
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to show it (default: text)")
    parser.add_argument(
        "--fail-on",
        type=fail_conditions,
        default=("error",),
        metavar="WHAT",
        help="error (default), warning, note, or a kind of finding; several with commas",
    )


@value
class LockCheck:
    """What is wrong with locks, and the problems that kept others from being checked."""

    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...] = ()


def check_locks(project: Project, names: tuple[str, ...] = ()) -> LockCheck:
    """Check the locks of the selected environments (default: all) at every point.

    The path of a finding names the locks that have it, each with its session, or its environments if it is
    for several. Without names, requirement sets that nothing uses and locks that nothing declares are checked
    too. Raises NoxEnvsError for an unknown name, FileProblems where two locks are one file.
    """
    points = project.select(names)
    chosen = {point.session for point in points}
    places: dict[Finding, list[str]] = {}
    problems: list[Problem] = []
    for plan in project.plans:
        if any(point.session in chosen for point in plan.points):
            try:
                found = project.lock_findings(plan)
            except FileProblems as error:
                problems += error.problems
                continue
            whole = [plan.points[0].session] if len(plan.points) == 1 else plan.environments
            where = f"{plan.path} ({', '.join(whole)})"
            for one in _counting(project, found, plan.points[0]).findings:
                places.setdefault(replace(one, environment="", session=""), []).append(where)
    findings = [replace(one, path=", ".join(where)) for one, where in places.items()]
    if names:
        problems += [
            one for session in chosen & project.broken.keys() for one in project.broken[session].problems
        ]
    else:
        problems += project.composer.problems(points)
        findings += apply_options(orphans(project), project.spec.drift, today=project.today).findings
    return LockCheck(findings=tuple(findings), problems=tuple(dict.fromkeys(problems)))


def _counting(project: Project, found: tuple[Finding, ...], point: Point) -> Outcome:
    return apply_options(found, point.drift, today=project.today, shown=project.shown)


def orphans(project: Project) -> tuple[Finding, ...]:
    """Return a finding for each lock of ours, beside the declared ones, that nothing declares."""
    from nox_envs.lock.run import orphans as undeclared

    plans = project.plans
    # Where the locks of an environment are is not known as long as its requirements cannot be read.
    unplanned = frozenset(row.environment for row in project.rows if row.session in project.broken)
    return undeclared(plans, root=project.root, spec=project.origin, unplanned=unplanned)


def environment_report(
    project: Project,
    point: Point,
    plan: LockPlan | None,
    checked: Checked | None,
    status: Status,
    findings: tuple[Finding, ...] = (),
    *,
    reason: str = "",
    seconds: float = 0.0,
    ignored: int = 0,
) -> EnvironmentReport:
    """Return the report on one point; `plan` and `checked` are None where they are not known."""
    installed = checked.snapshot.distributions if checked else ()
    receipt = checked.expectation.receipt if checked else None
    seeds = {one.name for one in receipt.distributions if one.seed} if receipt else set()
    shown = [replace(one, path=project.shown(one.path)) if one.path else one for one in findings]
    return EnvironmentReport(
        environment=point.environment,
        session=point.session,
        python=checked.snapshot.interpreter.version if checked else point.python or "",
        lock=plan.path if plan else "",
        location=project.shown(project.location(point.session)),
        status=status,
        reason=reason,
        installed=sum(one.name not in seeds for one in installed),
        findings=tuple(shown),
        distributions=tuple((one.name, one.version) for one in installed),
        platform=f"{project.host['sys_platform']}-{project.host['platform_machine']}" if checked else "",
        seconds=seconds,
        ignored=ignored,
    )


def requirements_changed(
    project: Project, plan: LockPlan, point: Point, receipt: Receipt | None
) -> tuple[Finding, ...]:
    """Return the finding that an environment without a lock was installed for other requirements."""
    if plan.path or receipt is None or receipt.lock == project.lock_digest(plan):
        return ()
    found = finding(
        "lock-stale",
        expected="an installation of its requirements as they are now",
        actual="one of other requirements",
        line=str(point.place),
        fix=run_command(point.session),
    )
    return about([found], point.environment, point.session)


def check_drift(
    project: Project,
    names: tuple[str, ...] = (),
    *,
    files: FilesMode | None = None,
    otherwise: FilesMode = "off",
    told: Told,
) -> Report:
    """Check the locks and venvs of the selected environments (default: all).

    `files` says which installed files are compared with their RECORD (None: what the spec says, or
    `otherwise`). What cannot be read of one environment is a problem of the report. Raises NoxEnvsError for
    an unknown name, FileProblems for a spec that cannot be read.
    """
    check = _Check(project, files, otherwise, told)
    environments = tuple([check.environment(row) for row in project.select_rows(names)])
    report = Report(environments=environments, problems=tuple(dict.fromkeys(check.problems)))
    return report if names else check.whole(report)


class _Check:
    """One run of `drift`: problems, ignore rules that matched, and what was not looked at."""

    def __init__(self, project: Project, files: FilesMode | None, otherwise: FilesMode, told: Told) -> None:
        self.problems: list[str] = []
        self._project = project
        self._files = files
        self._otherwise = otherwise
        self._told = told
        self._used: list[IgnoreRule] = []
        self._rules: list[IgnoreRule] = []
        self._unchecked: frozenset[str] = frozenset()

    def environment(self, row: Row) -> EnvironmentReport:
        """Check one point; what cannot be read of it keeps no other from being checked."""
        project = self._project
        point = project.point(row)
        files = self._files or point.drift.files or self._otherwise
        self._rules += point.drift.ignore
        self._unchecked |= FILE_KINDS if files == "off" else frozenset()
        location = project.location(row.session)
        if files == "off" and not point.drift.ignore and (verdict := recall(project, point, location)):
            return read_report(verdict.report, origin=row.session).environments[0]
        try:
            return self._checked(point, location, files)
        except FileProblems as error:
            self.problems += map(str, error.problems)
            self._used += point.drift.ignore
            reason = "its requirements or its lock cannot be read"
            return environment_report(project, point, None, None, "skipped", reason=reason)

    def _checked(self, point: Point, location: Path, files: FilesMode) -> EnvironmentReport:
        project = self._project
        plan = project.plan_of(point)
        findings = project.lock_findings(plan, (point,))
        checked, reason = None, _unbuilt(location, point.session)
        if any(one.kind == "lock-missing" for one in findings):
            reason = "without its lock there is nothing to compare with"
        elif not reason:
            try:
                receipt = read_receipt(location)
                findings += requirements_changed(project, plan, point, receipt)
                from nox_envs.venv.check import check_venv

                checked = check_venv(
                    project, point, plan, location, receipt, files=files, consistency=True, told=self._told
                )
                findings += checked.findings
            except NotAVenv as error:
                reason = f"{error}; run: {run_command(point.session)}"
        outcome = apply_options(findings, point.drift, today=project.today, shown=project.shown)
        self._used += (*outcome.used, *(() if checked else point.drift.ignore))
        status = status_of(outcome.findings, reason)
        return environment_report(
            project,
            point,
            plan,
            checked,
            status,
            outcome.findings,
            reason=reason,
            ignored=len(outcome.ignored),
        )

    def whole(self, report: Report) -> Report:
        """Add what is about no single environment: locks that nothing declares, idle ignore rules."""
        project = self._project
        outcome = apply_options(orphans(project), project.spec.drift, today=project.today)
        notes = idle_rules(
            (*project.spec.drift.ignore, *self._rules),
            (*self._used, *outcome.used),
            today=project.today,
            unchecked=self._unchecked,
        )
        return replace(report, findings=outcome.findings, notes=notes)


def _unbuilt(location: Path, session: str) -> str:
    """Return why there is nothing to check at a location, empty if there is a finished venv."""
    if not location.is_dir():
        return f"not built; run: {run_command(session)}"
    if read_receipt(location) is None:
        return f"it has no receipt, its installation did not finish; run: {run_command(session)}"
    return ""
