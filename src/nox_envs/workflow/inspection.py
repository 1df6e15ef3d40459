"""Owns the verb `drift`: every lock and venv is checked and reported; starts no process, writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nox_envs import receipt as receipts
from nox_envs.drift import Finding, run_command
from nox_envs.drift.comparison import worst_first
from nox_envs.errors import FileProblems, Problem
from nox_envs.integrity.types import Depth, FilesMode
from nox_envs.matrix import Point
from nox_envs.policy import FILE_KINDS, INDEX_KINDS, idle_rules, judge
from nox_envs.report import EnvironmentReport, Report
from nox_envs.snapshot import NotAVenv
from nox_envs.spec.types import IgnoreRule
from nox_envs.values import replace
from nox_envs.workflow.expectation import (
    Checked,
    advised,
    check_venv,
    environment_report,
    lock_findings,
    requirements_changed,
)
from nox_envs.workflow.lock_check import orphans
from nox_envs.workflow.project import Project
from nox_envs.workflow.verdict import status_of

if TYPE_CHECKING:
    from nox_envs.workflow.index_side import IndexSide


def inspect(
    project: Project,
    names: tuple[str, ...] = (),
    *,
    files: FilesMode | None = None,
    otherwise: FilesMode = "off",
    skew: bool = False,
    index: IndexSide | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Check the locks and venvs of the named environments (default: all); write nothing.

    `files` says which installed files are compared with their RECORD (None: what the spec says, or
    `otherwise`); members of a group are compared with one another, and with `skew` all of the
    environments are; `index` is what indexes and advisories say of their locks, None where nobody asked;
    `told` gets the bytes read so far in one environment and those of all its files.

    What cannot be read of one environment is a problem of the report. Raises NoxEnvsError for an unknown
    name, FileProblems for a spec that cannot be read.
    """
    points = project.points_of(names)
    used: list[IgnoreRule] = []
    modes = [files or point.drift.files or otherwise for point in points]
    tried = [
        _try_point(project, point, used, Depth(files=mode, consistency=True, told=told))
        for point, mode in zip(points, modes, strict=True)
    ]
    environments = tuple(environment for environment, _ in tried)
    problems = tuple(dict.fromkeys(str(problem) for _, found in tried for problem in found))
    read = tuple(point for point, (_, found) in zip(points, tried, strict=True) if not found)
    if skew or any(point.lock.group for point in read):
        from nox_envs.workflow.skew import skews

        found = skews(project, read, environments, everywhere=skew)
        environments = _with(project, points, environments, found, used)
    if index is not None:
        environments = _with(project, points, environments, index.findings(project, read), used)
    told_by_index = index.notes if index else ()
    if names:
        return Report(environments=environments, problems=problems, notes=told_by_index)
    judged = judge(orphans(project), project.spec.drift, today=project.today, shown=project.shown_path)
    skipped = [p for p, e in zip(points, environments, strict=True) if e.status == "skipped"]
    notes = idle_rules(
        (*project.spec.drift.ignore, *(rule for point in points for rule in point.drift.ignore)),
        (*used, *judged.used, *(rule for point in skipped for rule in point.drift.ignore)),
        today=project.today,
        unchecked=(index.unchecked if index else INDEX_KINDS)
        | (FILE_KINDS if "off" in modes else frozenset())
        | (frozenset() if skew else frozenset({"skew"})),
    )
    return Report(
        environments=environments,
        findings=judged.findings,
        problems=problems,
        notes=(*told_by_index, *notes),
    )


def _try_point(
    project: Project, point: Point, used: list[IgnoreRule], depth: Depth
) -> tuple[EnvironmentReport, tuple[Problem, ...]]:
    """Check one point; what of it cannot be read keeps no other from being checked."""
    try:
        return _inspect_point(project, point, used, depth), ()
    except FileProblems as error:
        unread = EnvironmentReport(
            environment=point.environment,
            session=point.session,
            python=point.python or "",
            lock="",
            location=project.shown(project.location(point)),
            status="skipped",
            reason="its requirements or its lock cannot be read",
        )
        return unread, error.problems


def _inspect_point(project: Project, point: Point, used: list[IgnoreRule], depth: Depth) -> EnvironmentReport:
    """Check one point; the ignore rules that matched are added to `used`."""
    plan = project.plan_of(point)
    findings = lock_findings(project, plan, point)
    location = project.location(point)
    checked: Checked | None = None
    reason = ""
    receipt = receipts.read(location)
    if any(finding.kind == "lock-missing" for finding in findings):
        reason = "without its lock there is nothing to compare with"
    elif not location.is_dir():
        reason = f"not built; {run_command(point.session)}"
    elif receipt is None:
        reason = f"no receipt, it was not finished; {run_command(point.session)}"
    else:
        if not plan.path and receipt.lock != project.lock_digest(plan):
            findings = (*findings, requirements_changed(point))
        try:
            checked = check_venv(project, plan, point, location, receipt, depth)
            findings = (*findings, *advised(checked.findings, point))
        except NotAVenv as error:
            reason = f"{error}; {run_command(point.session)}"
    judged = judge(findings, point.drift, today=project.today, shown=project.shown_path)
    used += judged.used
    status = status_of(judged.findings, reason)
    ignored = len(judged.ignored)
    return environment_report(project, point, plan, checked, status, judged.findings, reason, ignored=ignored)


def _with(
    project: Project,
    points: tuple[Point, ...],
    environments: tuple[EnvironmentReport, ...],
    found: tuple[Finding, ...],
    used: list[IgnoreRule],
) -> tuple[EnvironmentReport, ...]:
    """Add findings to the reports of their sessions; see `_inspect_point` on `used`."""
    compared: list[EnvironmentReport] = []
    for point, environment in zip(points, environments, strict=True):
        own = tuple(finding for finding in found if finding.session == point.session)
        judged = judge(own, point.drift, today=project.today, shown=project.shown_path)
        used += judged.used
        compared.append(with_findings(environment, judged.findings, ignored=len(judged.ignored)))
    return tuple(compared)


def with_findings(
    environment: EnvironmentReport, found: tuple[Finding, ...], *, ignored: int = 0
) -> EnvironmentReport:
    """Return the report on an environment with more findings, of which `ignored` others are accepted."""
    findings = worst_first((*environment.findings, *found))
    return replace(
        environment,
        findings=findings,
        status=status_of(findings, environment.reason),
        ignored=environment.ignored + ignored,
    )
