"""Owns the check of all locks of a project: which are not fresh, which nothing declares; writes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from nox_envs.drift import KINDS, Finding
from nox_envs.errors import FileProblems, Problem
from nox_envs.files import read_head
from nox_envs.lockfile.candidates import undeclared
from nox_envs.lockfile.plan import platform_problems
from nox_envs.lockfile.text import Header, read_header
from nox_envs.matrix import Point
from nox_envs.policy import judge
from nox_envs.values import replace, value
from nox_envs.workflow.expectation import lock_findings
from nox_envs.workflow.planning import Planned, planned
from nox_envs.workflow.project import Project


@value
class LockCheck:
    """Hold what is wrong with locks, and the problems that kept others from being checked."""

    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...] = ()


def stale_locks(project: Project, names: tuple[str, ...] = ()) -> LockCheck:
    """Check the locks of the named environments (default: all) at every point.

    The problems are those of the requirement sets, files, platforms and locks of these environments;
    without names also those of sets that none uses, and findings of locks that nothing declares.
    Raises NoxEnvsError for an unknown name, FileProblems where two locks collide.
    """
    points = project.points_of(names)
    plans = planned(project)
    problems = [*platform_problems(points), *(() if names else project.composer.problems(points))]
    findings: dict[str, tuple[Finding, ...]] = {}
    for point in points:
        problems += _check(project, point, findings)
    if not names:
        undeclared = orphans(project, plans)
        judged = judge(undeclared, project.spec.drift, today=project.today, shown=project.shown_path)
        findings[""] = judged.findings
    return LockCheck(
        findings=_joined(findings),
        problems=tuple(dict.fromkeys(problems)),
    )


def _joined(findings: Mapping[str, tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """Return what several locks or sessions have in common as one finding that names them."""
    first: dict[Finding, Finding] = {}
    names: dict[Finding, list[str]] = {}
    for name, found in findings.items():
        for finding in found:
            same = replace(finding, environment="", session="")
            first.setdefault(same, finding)
            names.setdefault(same, []).append(name)
    return tuple(
        replace(finding, actual=f"{finding.actual} (in {', '.join(names[same])})".lstrip())
        if len(names[same]) > 1
        else finding
        for same, finding in first.items()
    )


def _check(project: Project, point: Point, known: dict[str, tuple[Finding, ...]]) -> tuple[Problem, ...]:
    """Check the lock of a point unless it is in `known`; return what cannot be read of it."""
    try:
        plan = project.plan_of(point)
        # Many plans may read one lock that others made; each asks for something else.
        key = plan.points[0].session if plan.foreign else plan.path
        if plan.path and key not in known:
            found = lock_findings(project, plan, point, whole=True)
            known[key] = judge(found, point.drift, today=project.today).findings
    except FileProblems as error:
        return error.problems
    return ()


def orphans(project: Project, plans: Planned | None = None) -> tuple[Finding, ...]:
    """Return a finding for each lock of ours, beside the declared ones, that nothing declares.

    `plans` are those of the project, if they are made already.
    """
    found = plans or planned(project)
    # Where the locks of an environment are is not known as long as its requirements cannot be read.
    unplanned = {one.environment for one in found.unplanned}
    declared = {path for plan in found.plans for path in plan.files}
    paths: list[str] = []
    for path in undeclared(project.root, declared):
        header = _header(project.root / path)
        if header is not None and not unplanned & {*header.environments}:
            paths.append(path)
    return tuple(map(_orphan, paths))


def _header(file: Path) -> Header | None:
    """Return what a file says of itself; nothing for one that cannot be read, which may be anybody's."""
    try:
        head = read_head(str(file), 8000).decode("utf-8", "replace")
    except OSError:
        return None
    return read_header([line for line in head.splitlines() if line.startswith("#")])


def _orphan(path: str) -> Finding:
    return Finding(
        kind="lock-orphaned",
        severity=KINDS["lock-orphaned"],
        environment="",
        session="",
        expected="an environment that declares it",
        actual=path,
        path=path,
        fix=f"git rm {shlex.quote(path)}",
    )
