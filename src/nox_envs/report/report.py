"""The report: the outcome of checking environments, as a value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from nox_envs.codec import Count
from nox_envs.findings import Finding, Findings, Severity, count_kinds, fails
from nox_envs.spec.types import Pairs
from nox_envs.values import value

Status: TypeAlias = Literal["clean", "repaired", "drift", "skipped"]
Format: TypeAlias = Literal["text", "json", "markdown", "github", "sarif", "html"]

STATUSES: tuple[Status, ...] = get_args(Status)
FORMATS: tuple[Format, ...] = get_args(Format)
SCHEMA = 2


@value
class EnvironmentReport:
    """The outcome for one point; with status `repaired` the findings are what was there before.

    `lock` and `location` are relative to the spec's directory; `reason` says why a point was skipped;
    `installed` counts distributions without seed packages, `ignored` findings that a rule accepts; `platform`
    is `linux-x86_64` or the like; `origin` is the job or host that sent this (empty: this machine).
    """

    environment: str
    session: str
    status: Status
    python: str = ""
    lock: str = ""
    location: str = ""
    reason: str = ""
    installed: Count = 0
    findings: Findings = ()
    distributions: Pairs = ()
    platform: str = ""
    seconds: float = 0.0
    origin: str = ""
    ignored: Count = 0

    @property
    def title(self) -> str:
        """Return the session, and who sent the report where it came from elsewhere."""
        return f"{self.session} [{self.origin}]" if self.origin else self.session


@value
class Report:
    """The outcome for several points, in the order of the spec.

    `findings` are about no single environment, such as a lock that nothing declares. `problems` say what kept
    the check from being complete.
    """

    environments: tuple[EnvironmentReport, ...]
    findings: Findings = ()
    problems: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[EnvironmentReport, ...]:
        """Return the environments, and last `project` with the findings that are about none of them."""
        project = EnvironmentReport(environment="", session="project", status="drift", findings=self.findings)
        return (*self.environments, project) if self.findings else self.environments

    @property
    def all_findings(self) -> Findings:
        """Return every finding, those that were repaired included."""
        return tuple([found for one in self.groups for found in one.findings])

    @property
    def skipped(self) -> tuple[EnvironmentReport, ...]:
        """Return the points that were not checked."""
        return tuple([one for one in self.environments if one.status == "skipped"])

    @property
    def remarks(self) -> list[tuple[Severity, str]]:
        """Return the problems, and the points that were not checked."""
        skipped = [f"{one.title} was not checked: {one.reason}" for one in self.skipped]
        return [*(("error", text) for text in self.problems), *(("warning", text) for text in skipped)]


def verdict(report: Report, *, strict: bool, fail_on: tuple[str, ...] = ("error",)) -> tuple[int, str]:
    """Return the exit code of a check (0 clean, 1 drift, 2 could not check) and the reason, empty for 0.

    `strict` counts a point that was not checked as a failure; `fail_on` are severities and kinds. A report
    that could not be read outweighs drift: it may hold anything.
    """
    if report.problems:
        return 2, f"not everything could be checked: {counted(len(report.problems), 'problem')}"
    present = [found for one in report.groups if one.status != "repaired" for found in one.findings]
    if failing := [one for one in present if fails(one, fail_on)]:
        return 1, f"drift: {count_kinds(failing)}"
    if report.skipped and strict:
        return 2, f"not checked: {', '.join(one.session for one in report.skipped)}"
    return 0, ""


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: `1 session`, `3 sessions`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def several(names: Sequence[str], shown: int = 3) -> str:
    """Return the first names of many, and the number of the others."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def place_of(finding: Finding, lock: str) -> tuple[str, int]:
    """Return the file in the project and line (0: the whole file) that a reviewer opens; or the `lock`."""
    if finding.line:
        match = re.fullmatch(r"(.+?):(\d{1,9})(?::\d+)?", finding.line, re.DOTALL)
        return (match[1], int(match[2])) if match else (finding.line, 0)
    outside = re.match(r"[/\\]|\.\.|[A-Za-z]:|$", finding.path)
    return (lock if outside else finding.path), 0


def difference(finding: Finding) -> str:
    """Return both sides of a finding in one text; a side that is empty is left out."""
    sides = (("expected", finding.expected), ("found", finding.actual))
    return ", ".join(f"{name} {text}" for name, text in sides if text)


def sentences(finding: Finding, title: str, *, repaired: bool) -> list[str]:
    """Return a finding as sentences: where, what differs, who asked for it, and the fix."""
    parts = (
        f"{title}: {difference(finding)}",
        f"asked for by {' > '.join(finding.why)}" if finding.why else "",
        "repaired by this run" if repaired else f"fix: {finding.fix}" if finding.fix else "",
    )
    return [part for part in parts if part]
