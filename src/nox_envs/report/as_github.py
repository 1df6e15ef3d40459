"""Owns the annotations of a report: workflow commands that GitHub shows at the lines of a change."""

from __future__ import annotations

from nox_envs.drift import Finding, Severity
from nox_envs.report import Report
from nox_envs.report.as_text import chain, difference
from nox_envs.report.places import place_of
from nox_envs.streams import printable
from nox_envs.values import replace

# GitHub shows ten annotations of each level for a step, and drops the rest without a word.
LIMIT = 10
_TITLES = 5

_LEVELS: tuple[tuple[Severity, str], ...] = (("error", "error"), ("warning", "warning"), ("note", "notice"))


def render_github(report: Report) -> str:
    """Render a report as annotations, worst first: at most ten of each level, the last with a count.

    What was mended and what is a note becomes a notice; what was not checked becomes a warning.
    """
    entries: list[tuple[Severity, str]] = [
        ("error", _command("error", printable(text))) for text in report.problems
    ]
    entries += [
        _annotation(finding, _named(titles), lock, mended=mended)
        for (finding, lock, mended), titles in _joined(report).items()
    ]
    for environment in report.environments:
        if environment.status == "skipped":
            text = f"{environment.title} was not checked: {environment.reason}"
            entries.append(("warning", _command("warning", printable(text), title="skipped")))
    entries += [_annotation(finding, finding.session, "", mended=False) for finding in report.findings]
    entries += [("note", _command("notice", printable(text))) for text in report.notes]
    lines = (line for severity, level in _LEVELS for line in _limited(entries, severity, level))
    return "".join(f"{line}\n" for line in lines)


def _joined(report: Report) -> dict[tuple[Finding, str, bool], list[str]]:
    """Return each finding once, with its lock, whether it was mended, and the sessions that have it."""
    found: dict[tuple[Finding, str, bool], list[str]] = {}
    for environment in report.environments:
        mended = environment.status == "repaired"
        for finding in environment.findings:
            same = replace(finding, environment="", session="")
            found.setdefault((same, environment.lock, mended), []).append(environment.title)
    return found


def _named(titles: list[str]) -> str:
    more = len(titles) - _TITLES
    return ", ".join(titles[:_TITLES]) + (f" and {more} more" if more > 0 else "")


def _limited(entries: list[tuple[Severity, str]], severity: Severity, level: str) -> list[str]:
    lines = [line for found, line in entries if found == severity]
    if len(lines) <= LIMIT:
        return lines
    rest = len(lines) - LIMIT + 1
    return [*lines[: LIMIT - 1], _command(level, f"and {rest} more; the job summary has all of them")]


def _annotation(finding: Finding, title: str, lock: str, *, mended: bool) -> tuple[Severity, str]:
    severity: Severity = "note" if mended else finding.severity
    level = dict(_LEVELS)[severity]
    details = (
        f"{title}: {difference(finding)}" if title else difference(finding),
        "mended by this run" if mended else "",
        f"asked for by {chain(finding)}" if finding.why else "",
        "" if mended or not finding.fix else f"fix: {finding.fix}",
    )
    place = place_of(finding, lock)
    message = "\n".join(text for text in (printable(detail) for detail in details) if text)
    heading = f"{finding.kind}: {finding.package}" if finding.package else finding.kind
    return severity, _command(level, message, title=heading, file=place.file, line=place.line)


def _command(level: str, message: str, *, title: str = "", file: str = "", line: int = 0) -> str:
    given = (("file", file), ("line", str(line) if line and file else ""), ("title", title))
    properties = ",".join(f"{name}={_property(text)}" for name, text in given if text)
    return f"::{level}{f' {properties}' if properties else ''}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")
