"""Owns the JUnit XML of a report, for CI systems that show test results."""

from __future__ import annotations

from collections.abc import Iterator

from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.as_text import count_kinds, finding_lines
from nox_envs.streams import printable


def render_junit(report: Report) -> str:
    """Render a report as one suite with a case for each session.

    A case fails if it has an error, is skipped if it was not checked, and passes otherwise with its
    findings as output. Findings of no environment, and problems, have a case of their own.
    """
    cases = [_case(environment) for environment in report.environments]
    if report.findings or report.problems:
        cases.append(_project_case(report))
    failures = sum(case.count("<failure ") for case in cases)
    errors = sum(case.count("<error ") for case in cases)
    skipped = sum(case.count("<skipped ") for case in cases)
    seconds = sum(environment.seconds for environment in report.environments)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    counts += f' time="{seconds:.3f}"'
    return "\n".join(
        (
            '<?xml version="1.0" encoding="utf-8"?>',
            f'<testsuites name="nox-envs" {counts}>',
            f'<testsuite name="nox-envs" {counts}>',
            *cases,
            "</testsuite>",
            "</testsuites>\n",
        )
    )


def _case(environment: EnvironmentReport) -> str:
    errors = [f for f in environment.findings if f.severity == "error"]
    body = "\n".join(finding_lines(environment.findings))
    parts: list[str] = []
    if errors and environment.status != "repaired":
        parts.append(f'<failure message="{_text(count_kinds(errors))}">{_text(body)}</failure>')
    elif environment.status == "skipped":
        parts.append(f'<skipped message="{_text(environment.reason)}"/>')
    elif body:
        parts.append(f"<system-out>{_text(f'{environment.status}{chr(10)}{body}')}</system-out>")
    name, group = _text(environment.title), _text(environment.environment)
    return _element(f'name="{name}" classname="{group}" time="{environment.seconds:.3f}"', parts)


def _project_case(report: Report) -> str:
    errors = [finding for finding in report.findings if finding.severity == "error"]
    body = _text("\n".join((*finding_lines(report.findings), *(printable(text) for text in report.problems))))
    parts: list[str] = []
    if report.problems:
        parts.append(f'<error message="{len(report.problems)} could not be read">{body}</error>')
    elif errors:
        parts.append(f'<failure message="{_text(count_kinds(errors))}">{body}</failure>')
    else:
        parts.append(f"<system-out>{body}</system-out>")
    return _element('name="project" classname="nox-envs" time="0.000"', parts)


def _element(attributes: str, parts: list[str]) -> str:
    inner = "".join(parts)
    return f"<testcase {attributes}>{inner}</testcase>" if inner else f"<testcase {attributes}/>"


def _text(text: str) -> str:
    return "".join(_characters("\n".join(printable(line) for line in text.split("\n"))))


def _characters(text: str) -> Iterator[str]:
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;"}
    return (entities.get(character, character) for character in text)
