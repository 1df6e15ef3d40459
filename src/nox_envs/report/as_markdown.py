"""Owns the Markdown of a report, for job summaries and comments on pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nox_envs.drift import Finding, Severity
from nox_envs.report import EnvironmentReport, Report, Status
from nox_envs.report.as_text import chain, count_kinds
from nox_envs.report.places import place_of
from nox_envs.streams import printable

# A comment takes 65,536 characters, a job summary 1 MiB for all steps together.
BUDGET = 60_000
_LONGEST = 240

_UNSAFE = re.compile(r"[^A-Za-z0-9 .,:;+=/()_\-]|:(?=/)")
_STATES: dict[Status, str] = {"clean": "✅", "repaired": "🔧", "drift": "❌", "skipped": "⚠️"}
_MARKS: dict[Severity, str] = {"error": "❌", "warning": "⚠️", "note": "ℹ️"}


def render_markdown(report: Report) -> str:
    """Render a report as GitHub-flavoured Markdown that fits a comment (60,000 characters).

    Clean environments share one line, which is all there is where nothing else is. What no longer
    fits is counted.
    """
    if len(report.environments) == 1 and report == _only_clean(report):
        return f"✅ nox-envs: no drift in {_code(report.environments[0].title)}\n"
    lines = [f"### nox-envs: {_headline(report)}", ""]
    lines += [f"- ❌ {_words(text)}" for text in report.problems]
    lines += [f"- ⚠️ {_code(e.title)} was not checked: {_words(e.reason)}" for e in _with(report, "skipped")]
    blocks = [_block(e) for e in report.environments if e.findings]
    if report.findings:
        blocks.append(["", "**Project**", "", *_table(report.findings, "")])
    clean = [e.title for e in report.environments if not e.findings and e.status in ("clean", "repaired")]
    tail = ["", f"<details><summary>✅ {len(clean)} without drift</summary>", ""] if clean else []
    tail += [", ".join(_code(title) for title in clean), "", "</details>"] if clean else []
    tail += ["", *(f"- ℹ️ {_words(text)}" for text in report.notes)] if report.notes else []
    return "\n".join(_fitting(lines, blocks, tail)) + "\n"


def _only_clean(report: Report) -> Report:
    """Return what a report would be if nothing but clean environments were in it."""
    clean = (e for e in report.environments if e.status == "clean" and not e.findings)
    return Report(environments=tuple(clean))


def _with(report: Report, status: Status) -> list[EnvironmentReport]:
    return [environment for environment in report.environments if environment.status == status]


def _headline(report: Report) -> str:
    states = ((status, len(_with(report, status))) for status in _STATES)
    counted = ", ".join(f"{count} {_STATE_WORDS[status]}" for status, count in states if count)
    kinds = count_kinds(report.all_findings)
    return " ".join(text for text in (counted or "nothing to check", f"({kinds})" if kinds else "") if text)


_STATE_WORDS: dict[Status, str] = {
    "clean": "without drift",
    "repaired": "repaired",
    "drift": "with drift",
    "skipped": "not checked",
}


def _block(environment: EnvironmentReport) -> list[str]:
    against = f", locked in {_code(environment.lock)}" if environment.lock else ""
    state = f"{_STATES[environment.status]} **{_words(environment.title)}**"
    counts = count_kinds(environment.findings)
    lines = ["", f"{state}: {environment.status}, {counts}{against}", ""]
    lines += _table(environment.findings, environment.lock)
    fixes = tuple(dict.fromkeys(finding.fix for finding in environment.findings if finding.fix))
    if fixes and environment.status != "repaired":
        lines += ["", f"Fix: {' or '.join(_code(fix) for fix in fixes[:3])}"]
    return lines


def _table(findings: Iterable[Finding], lock: str) -> list[str]:
    rows = ["| | kind | package | expected | found | asked for by | where |", "|---|---|---|---|---|---|---|"]
    for finding in findings:
        place = place_of(finding, lock)
        where = f"{place.file}:{place.line}" if place.line else place.file
        cells = (finding.package, finding.expected, finding.actual, chain(finding), where)
        shown = " | ".join(_code(text) for text in cells)
        rows.append(f"| {_MARKS[finding.severity]} | {finding.kind} | {shown} |")
    return rows


def _fitting(lines: list[str], blocks: list[list[str]], tail: list[str]) -> list[str]:
    """Return as many lines as the budget takes, and say how many findings are left out."""
    ending = tail if _size(tail) < BUDGET // 4 else []
    room = BUDGET - _size(ending) - 200
    out: list[str] = []
    left = 0
    for index, line in enumerate(lines + [line for block in blocks for line in block]):
        room -= len(line) + 1
        if room < 0:
            left += line.startswith(("| ❌", "| ⚠️", "| ℹ️")) or index < len(lines)
        else:
            out.append(line)
    if left:
        out += ["", f"…and {left} more, which do not fit here; `nox-envs report --format html` shows all."]
    return out + ending


def _size(lines: list[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _words(text: str) -> str:
    """Return a text that no Markdown reads as markup, a link or a name to notify."""
    text = printable(text)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    text = _UNSAFE.sub(lambda match: f"&#{ord(match[0])};", text)
    return text.replace("_", "&#95;").replace("www.", "www&#46;")


def _code(text: str) -> str:
    return f"<code>{_words(text)}</code>" if text else ""
