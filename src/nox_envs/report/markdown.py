"""The report as GitHub-flavoured Markdown, for job summaries and comments on pull requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nox_envs.findings import count_kinds
from nox_envs.report.report import EnvironmentReport, Report, place_of
from nox_envs.report.text import totals
from nox_envs.terminal import harmless, printable

# A comment takes 65,536 characters, a job summary 1 MiB for all steps together.
BUDGET = 60_000
_LONGEST = 240
_STATES = {"clean": "✅", "repaired": "🔧", "drift": "❌", "skipped": "⚠️"}
_MARKS = {"error": "❌", "warning": "⚠️", "note": "ℹ️"}


def render_markdown(report: Report) -> str:
    """Return a report as Markdown that fits a comment; one clean environment alone takes one line."""
    clean = [one for one in report.environments if not one.findings and one.status in ("clean", "repaired")]
    if len(clean) == 1 and report == Report(environments=tuple(clean)):
        return f"✅ nox-envs: no drift in {code(clean[0].title)}\n"
    lines = [f"### nox-envs: {words('; '.join(totals(report)))}", ""]
    lines += [f"- {_MARKS[severity]} {words(text)}" for severity, text in report.remarks]
    lines += [line for one in report.groups if one.findings for line in _environment(one)]
    names = ", ".join(code(one.title) for one in clean)
    tail = ["", f"<details><summary>✅ {len(clean)} without drift</summary>", "", names, "", "</details>"]
    return "\n".join(fitting(lines, tail if clean and len(names) < BUDGET // 4 else [])) + "\n"


def write_summary(report: Report, environ: Mapping[str, str]) -> str:
    """Add a report to the job summary of GitHub Actions, if there is one; return what went wrong."""
    if file := environ.get("GITHUB_STEP_SUMMARY"):
        # One write at the end of the file, so that sessions that run side by side do not mix.
        try:
            with Path(file).open("ab") as stream:
                stream.write(f"{render_markdown(report)}\n".encode())
        except OSError as error:
            return f"{harmless(file)}: cannot be written: {error.strerror}\n"
    return ""


def _environment(one: EnvironmentReport) -> list[str]:
    against = f", locked in {code(one.lock)}" if one.lock else ""
    state = f"{one.status}, {count_kinds(one.findings)}{against}"
    lines = ["", f"{_STATES[one.status]} **{words(one.title)}**: {state}", ""]
    lines += ["| | kind | package | expected | found | asked for by | where |", f"|{'---|' * 7}"]
    for found in one.findings:
        file, line = place_of(found, one.lock)
        where = f"{file}:{line}" if line else file
        cells = (found.package, found.expected, found.actual, " > ".join(found.why), where)
        lines.append(f"| {_MARKS[found.severity]} | {found.kind} | {' | '.join(map(code, cells))} |")
    fixes = list(dict.fromkeys(code(found.fix) for found in one.findings if found.fix))
    if fixes and one.status != "repaired":
        lines += ["", f"Fix: {' or '.join(fixes[:3])}"]
    return lines


def fitting(lines: list[str], tail: list[str]) -> list[str]:
    """Return as many lines as a comment takes, a count of the rows that are left out, and the tail."""
    room = BUDGET - sum(len(line) + 1 for line in tail) - 200
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            left = sum(line.startswith("| ") for line in lines[number:])
            return [*lines[:number], "", f"…and {left} more rows, which do not fit here.", *tail]
    return [*lines, *tail]


def words(text: str) -> str:
    """Return a text that no Markdown reads as markup, HTML, a link or a name to notify, on one line."""
    text = printable(text)
    text = f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text
    text = re.sub(r"[^A-Za-z0-9 .,:;+=/()-]|:(?=/)", lambda match: f"&#{ord(match[0])};", text)
    return text.replace("www.", "www&#46;")


def code(text: str) -> str:
    """Return a text as code, empty for an empty one."""
    return f"<code>{words(text)}</code>" if text else ""
