"""Owns the outcome of checking environments as a value, and one pure renderer per format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from nox_envs.drift import Finding

Status: TypeAlias = Literal["clean", "repaired", "drift", "skipped"]
Format: TypeAlias = Literal["text", "json"]

FORMATS: tuple[Format, ...] = ("text", "json")
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReport:
    """Hold the outcome for one point.

    `lock` and `location` are relative to the spec's directory; `installed` counts distributions
    without seed packages; `reason` says why a point was skipped. With status `repaired` the findings
    are what was there before.
    """

    environment: str
    session: str
    python: str
    lock: str
    location: str
    status: Status
    reason: str = ""
    installed: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Hold the outcome for several points, in the order of the spec.

    `findings` are about no single environment, such as a lock that nothing declares.
    """

    environments: tuple[EnvironmentReport, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def drifted(self) -> bool:
        """Return whether anything differs now that is an error."""
        present = (f for e in self.environments if e.status != "repaired" for f in e.findings)
        return any(finding.severity == "error" for finding in (*present, *self.findings))

    @property
    def skipped(self) -> bool:
        """Return whether any point could not be checked."""
        return any(environment.status == "skipped" for environment in self.environments)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Return every finding, those that were mended among them."""
        return (*(f for e in self.environments for f in e.findings), *self.findings)


def render(report: Report, format: Format, *, colour: bool = False) -> str:  # noqa: A002
    """Render a report in one of FORMATS; `colour` matters to text only."""
    match format:
        case "text":
            return _text(report, colour)
        case "json":
            return _json(report)


def _text(report: Report, colour: bool) -> str:
    from nox_envs.report.as_text import render_text

    return render_text(report, colour=colour)


def _json(report: Report) -> str:
    from nox_envs.report.as_json import render_json

    return render_json(report)
