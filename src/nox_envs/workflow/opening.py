"""Owns what a session is that has no venv: may its lock be installed, was it skipped; prints nothing."""

from __future__ import annotations

from collections.abc import Callable

from nox_envs.drift import Finding
from nox_envs.lockfile.plan import LockPlan
from nox_envs.matrix import Point
from nox_envs.report import EnvironmentReport
from nox_envs.report.as_text import count_kinds
from nox_envs.values import value
from nox_envs.workflow.expectation import lock_command, lock_findings
from nox_envs.workflow.journal import Journal
from nox_envs.workflow.project import Project


@value
class Refusal:
    """Hold why a session must not begin, and its report, which is written."""

    reason: str
    report: EnvironmentReport


def refused(project: Project, point: Point, venv: str, clock: Callable[[], float]) -> Refusal | None:
    """Read the lock of a point, and report if it does not answer the spec; return None if it does.

    `venv` is the name of the venv's directory; `clock` returns the seconds since the session began.
    """
    plan = project.remembered_plan_of(point)
    journal = Journal(project, point, plan, venv, clock)
    journal.locked = journal.judged(lock_findings(project, plan, point), link="lock")
    reason = refusal(project, plan, journal.locked)
    return Refusal(reason=reason, report=journal.write("drift", (), None)) if reason else None


def skipped(project: Project, point: Point, venv: str, reason: str) -> EnvironmentReport:
    """Write the report of a point that was not run for a reason; `venv` is the name of its directory."""
    journal = Journal(project, point, project.remembered_plan_of(point), venv, lambda: 0.0)
    return journal.write("skipped", (), None, reason=reason)


def refusal(project: Project, plan: LockPlan, findings: tuple[Finding, ...]) -> str:
    """Return why a lock with these findings is not to be installed, empty if it may be."""
    broken = [finding for finding in findings if finding.severity == "error"]
    if not broken and (not plan.path or project.lock_of(plan) is not None):
        return ""
    kinds = count_kinds(broken) or "lock-missing"
    return f"{plan.path} does not answer {project.origin} ({kinds}); {remedy(project, plan)}"


def remedy(project: Project, plan: LockPlan) -> str:
    """Return what makes the lock of a plan anew, as the end of a sentence."""
    if not plan.foreign:
        return f"run: {lock_command(plan)}"
    from nox_envs.workflow.foreign import regeneration

    return regeneration(project, plan)
