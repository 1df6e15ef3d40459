"""Owns the page of a report: one file that asks for nothing from anywhere; its parts lie beside it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from html import escape
from pathlib import Path
from string import Template

from nox_envs.drift import Finding
from nox_envs.report import EnvironmentReport, Report, Status
from nox_envs.report.as_text import chain
from nox_envs.report.meanings import MEANINGS
from nox_envs.streams import printable

_TILES: tuple[tuple[Status, str], ...] = (
    ("clean", "without drift"),
    ("repaired", "repaired"),
    ("drift", "with drift"),
    ("skipped", "not checked"),
)
_BADGES: dict[Status, str] = {"clean": "clean", "repaired": "clean", "drift": "error", "skipped": "warning"}
_LETTERS = {
    "missing": "−",
    "extraneous": "+",
    "version": "V",
    "source": "S",
    "revision": "R",
    "artifact": "A",
    "inconsistent": "I",
    "duplicate": "D",
    "broken-metadata": "B",
    "file-modified": "F",
    "file-missing": "f",
    "clobbered": "C",
    "skew": "≠",
    "lock-unsatisfied": "L",
    "lock-stale": "L",
    "lock-unhashed": "L",
    "outdated": "o",
    "yanked": "Y",
    "advisory": "!",
    "unverifiable": "u",
}


def render_html(report: Report) -> str:
    """Render a report as one page: environments by packages, and findings to filter.

    Texts from outside are escaped, or data that the page's own script writes as text; a content
    security policy lets nothing else run and nothing be fetched.
    """
    style, script = _part("page.css"), _part("page.js")
    headline, verdict = _headline(report)
    return Template(_part("page.html")).substitute(
        style=style,
        style_digest=_digest(style),
        script=script,
        script_digest=_digest(script),
        headline=_text(headline),
        verdict=verdict,
        tiles=_tiles(report),
        remarks=_remarks(report),
        rows="\n".join(_row(environment) for environment in report.environments),
        data=_data(report),
    )


def _part(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _text(text: str) -> str:
    return escape(printable(text))


def _headline(report: Report) -> tuple[str, str]:
    if report.drifted:
        return "drift", "error"
    if report.problems or report.skipped:
        return "not all was checked", "warning"
    if any(finding.severity == "warning" for finding in report.present):
        return "warnings only", "warning"
    return "no drift", "clean"


def _tiles(report: Report) -> str:
    counts = Counter(environment.status for environment in report.environments)
    tiles = [(len(report.environments), "environments"), *((counts[s], words) for s, words in _TILES)]
    tiles.append((len(report.all_findings), "findings"))
    return "".join(f"<li><b>{count}</b><span>{words}</span></li>" for count, words in tiles)


def _remarks(report: Report) -> str:
    parts: list[str] = []
    for texts, name, heading in (
        (report.problems, "problems", "Could not be read"),
        (report.notes, "notes", "Worth knowing"),
    ):
        if texts:
            items = "".join(f"<li>{_text(text)}</li>" for text in texts)
            parts.append(f'<section class="{name}"><h2>{heading}</h2><ul>{items}</ul></section>')
    return "\n".join(parts)


def _row(environment: EnvironmentReport) -> str:
    badge = f'<span class="badge {_BADGES[environment.status]}">{environment.status}</span>'
    cells = (
        ("", f"<code>{_text(environment.title)}</code>"),
        ("python", _text(environment.python)),
        ("installed", str(environment.installed)),
        ("lock", f"<code>{_text(environment.lock)}</code>" if environment.lock else ""),
        ("", _text(environment.reason)),
    )
    shown = "".join(f'<td data-name="{name}">{cell}</td>' for name, cell in cells)
    return f"<tr><td>{badge}</td>{shown}</tr>"


def _data(report: Report) -> str:
    kinds = {finding.kind for finding in report.all_findings}
    document = {
        "environments": [
            {"title": printable(e.title), "status": e.status, "reason": printable(e.reason)}
            for e in report.environments
        ],
        "findings": _findings(report),
        "meanings": {kind: MEANINGS[kind] for kind in sorted(kinds)},
        "letters": {kind: _LETTERS.get(kind, kind[0]) for kind in sorted(kinds)},
    }
    text = json.dumps(document, separators=(",", ":"))
    # Within a script element `<` alone could end it or begin a comment.
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _findings(report: Report) -> list[dict[str, object]]:
    ranks = {"error": 0, "warning": 1, "note": 2}
    located = [
        (index, environment.status == "repaired", finding)
        for index, environment in enumerate(report.environments)
        for finding in environment.findings
    ]
    located += [(-1, False, finding) for finding in report.findings]
    located.sort(key=lambda row: (row[1], ranks[row[2].severity]))
    return [_finding(finding, index, mended) for index, mended, finding in located]


def _finding(finding: Finding, environment: int, mended: bool) -> dict[str, object]:
    return {
        "environment": environment,
        "mended": mended,
        "kind": finding.kind,
        "severity": finding.severity,
        "package": printable(finding.package),
        "expected": printable(finding.expected),
        "actual": printable(finding.actual),
        "path": printable(finding.path),
        "where": printable(finding.line),
        "why": printable(chain(finding)),
        "fix": printable(finding.fix),
    }
