"""Owns the JSON of a report: a contract with its readers, versioned by `schema`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from nox_envs.drift import Finding
from nox_envs.report import SCHEMA, EnvironmentReport, Report

_EMPTY = '"distributions": []'


def render_json(report: Report) -> str:
    """Render a report as JSON: keys sorted, ASCII only, a newline at the end.

    The contract is `schema.json` beside this module (`nox-envs schema --report` prints it) and
    docs/reports.md: a key that is taken away or changes its meaning makes `schema` 2, a new key does
    not. What does not apply is an empty text.
    """
    counts = Counter(environment.status for environment in report.environments)
    kinds = Counter(finding.kind for finding in report.all_findings)
    value = {
        "schema": SCHEMA,
        "environments": [_environment(environment) for environment in report.environments],
        "findings": [_finding(finding) for finding in report.findings],
        "problems": list(report.problems),
        "notes": list(report.notes),
        "summary": {"environments": dict(counts), "findings": dict(kinds)},
    }
    return _with_rows(json.dumps(value, indent=2, sort_keys=True), report) + "\n"


def _with_rows(text: str, report: Report) -> str:
    """Fill in what is installed, on one line each: indented, it takes ten times as long.

    Within a JSON string every quote is escaped, so that no text from outside looks like this key.
    """
    first, *rest = text.split(_EMPTY)
    filled = (
        _EMPTY[:-2] + json.dumps(environment.distributions) + part
        for environment, part in zip(report.environments, rest, strict=True)
    )
    return "".join((first, *filled))


def report_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of a report as text."""
    return (Path(__file__).parent / "schema.json").read_text(encoding="utf-8")


def _environment(environment: EnvironmentReport) -> dict[str, object]:
    return {
        "environment": environment.environment,
        "session": environment.session,
        "python": environment.python,
        "lock": environment.lock,
        "location": environment.location,
        "status": environment.status,
        "reason": environment.reason,
        "installed": environment.installed,
        "findings": [_finding(finding) for finding in environment.findings],
        "distributions": [],  # see _with_rows
        "platform": environment.platform,
        "seconds": round(environment.seconds, 3),
        "origin": environment.origin,
        "ignored": environment.ignored,
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "environment": finding.environment,
        "session": finding.session,
        "package": finding.package,
        "expected": finding.expected,
        "actual": finding.actual,
        "path": finding.path,
        "line": finding.line,
        "why": list(finding.why),
        "fix": finding.fix,
    }
