"""The report as annotations of GitHub Actions."""

from __future__ import annotations

from nox_envs.findings import Finding, Severity
from nox_envs.report.report import Report, place_of, sentences, several
from nox_envs.terminal import printable
from nox_envs.values import replace

# GitHub shows ten annotations of each level for a step, and drops the rest without a word.
LIMIT = 10
_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}


def render_github(report: Report) -> str:
    """Return a report as annotations, worst first; findings that sessions share are one of them."""
    found: dict[tuple[Finding, str, bool], list[str]] = {}
    for one in report.groups:
        for finding in one.findings:
            same = replace(finding, environment="", session="")
            found.setdefault((same, one.lock, one.status == "repaired"), []).append(one.title)
    made = [(_LEVELS[severity], _command(_LEVELS[severity], text)) for severity, text in report.remarks]
    for (finding, lock, repaired), titles in found.items():
        level = "notice" if repaired else _LEVELS[finding.severity]
        lines = sentences(finding, several(titles, 5), repaired=repaired)
        title = f"{finding.kind}: {finding.package}" if finding.package else finding.kind
        file, number = place_of(finding, lock)
        line = str(number) if file and number else ""
        made.append((level, _command(level, *lines, file=file, line=line, title=title)))
    shown: list[str] = []
    for level in _LEVELS.values():
        lines = [line for of, line in made if of == level]
        if len(lines) > LIMIT:
            rest = f"and {len(lines) - LIMIT + 1} more; the job summary has all of them"
            lines = [*lines[: LIMIT - 1], _command(level, rest)]
        shown += lines
    return "".join(f"{line}\n" for line in shown)


def _command(level: str, *lines: str, **properties: str) -> str:
    texts = {key: _escaped(text).replace(":", "%3A").replace(",", "%2C") for key, text in properties.items()}
    given = ",".join(f"{key}={text}" for key, text in texts.items() if text)
    return f"::{level}{f' {given}' if given else ''}::{'%0A'.join(map(_escaped, lines))}"


def _escaped(text: str) -> str:
    return printable(text).replace("%", "%25")
