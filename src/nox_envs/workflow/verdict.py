"""Owns the judgement on a report: the status of an environment, the exit code of a check; reads nothing."""

from __future__ import annotations

from nox_envs.drift import Finding
from nox_envs.policy import INDEX_KINDS, fails
from nox_envs.report import Report, Status
from nox_envs.report.as_text import count_kinds
from nox_envs.values import value


def status_of(findings: tuple[Finding, ...], reason: str) -> Status:
    """Return the status of a point with these findings, which `reason` (if any) kept from being checked.

    What an index says of a lock does not make a venv checked that was not.
    """
    beyond = INDEX_KINDS if reason else frozenset()
    if any(finding.severity != "note" and finding.kind not in beyond for finding in findings):
        return "drift"
    return "skipped" if reason else "clean"


@value
class Verdict:
    """Hold the exit code of a check (0 clean, 1 drift, 2 could not check) and the reason, if any."""

    code: int
    reason: str = ""


def verdict(report: Report, *, strict: bool, fail_on: tuple[str, ...] = ("error",)) -> Verdict:
    """Judge a report; `strict` counts an environment that was not checked as a failure.

    `fail_on` are severities and kinds; see `nox_envs.policy.fails`. A report that could not be read
    outweighs drift: nobody knows what is in it.
    """
    if report.problems:
        return Verdict(code=2, reason=f"{len(report.problems)} could not be read")
    failing = [finding for finding in report.present if fails(finding, fail_on)]
    if failing:
        return Verdict(code=1, reason=f"drift: {count_kinds(failing)}")
    skipped = [environment.session for environment in report.environments if environment.status == "skipped"]
    if skipped and strict:
        return Verdict(code=2, reason=f"not checked: {', '.join(skipped)}")
    return Verdict(code=0)
