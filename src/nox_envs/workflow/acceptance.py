"""Owns what a baseline does to a report: what was there when it was made no longer counts."""

from __future__ import annotations

from pathlib import Path

from nox_envs.files import read_text
from nox_envs.policy import Identity, beyond_baseline, identity
from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.reading import read_report
from nox_envs.values import replace
from nox_envs.workflow.verdict import status_of


def read_baseline(path: Path) -> Report:
    """Read the JSON report at `path`; raises FileProblems."""
    return read_report(read_text(path, shown=str(path)), origin=str(path))


def accept(report: Report, baseline: Report) -> Report:
    """Return a report without the findings that `baseline`, an earlier report, has too.

    A finding is the same one if all but its severity, line, reason and fix is. Findings of the
    baseline that are gone are counted in a note.
    """
    known = frozenset(identity(finding) for finding in baseline.all_findings)
    seen = {identity(finding) for finding in report.all_findings}
    gone = len(known - seen)
    new, _ = beyond_baseline(report.findings, known)
    note = f"{gone} finding{'' if gone == 1 else 's'} of the baseline no longer there; make it anew"
    return replace(
        report,
        environments=tuple(_accepted(environment, known) for environment in report.environments),
        findings=new,
        notes=(*report.notes, note) if gone else report.notes,
    )


def _accepted(environment: EnvironmentReport, known: frozenset[Identity]) -> EnvironmentReport:
    if environment.status == "repaired":
        return environment
    new, old = beyond_baseline(environment.findings, known)
    return replace(
        environment,
        findings=new,
        ignored=environment.ignored + len(old),
        status=status_of(new, environment.reason),
    )
