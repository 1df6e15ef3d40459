"""Owns the text of a report, for people at a terminal; every text from outside is made harmless."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from nox_envs.drift import Finding
from nox_envs.report import EnvironmentReport, Report

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
_COLOURS = {"error": "31", "warning": "33", "note": "36", "clean": "32", "dim": "2"}


def printable(text: str) -> str:
    """Return `text` with control and bidirectional characters written as escapes."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _paint(text: str, name: str, colour: bool) -> str:
    return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m" if colour else text


def finding_lines(findings: Iterable[Finding], *, colour: bool = False) -> list[str]:
    """Return the findings as aligned lines: what differs, then who asked for it and what mends it."""
    found = tuple(findings)
    kinds = max((len(finding.kind) for finding in found), default=0)
    names = max((len(printable(finding.package)) for finding in found), default=0)
    lines: list[str] = []
    for finding in found:
        lines += _finding(finding, kinds, names, colour)
    return lines


def _finding(finding: Finding, kinds: int, names: int, colour: bool) -> list[str]:
    kind = _paint(finding.kind.ljust(kinds), finding.severity, colour)
    package = printable(finding.package).ljust(names)
    head = f"  {kind}  {package}  {_difference(finding)}"
    if finding.severity != "error":
        head += f"  [{finding.severity}]"
    indent = " " * (kinds + 4)
    details = [
        ("why", " > ".join(finding.why)),
        ("at", " ".join(text for text in (finding.line, finding.path) if text)),
        ("fix", finding.fix),
    ]
    return [
        head.rstrip(),
        *(_paint(f"{indent}{name}: {printable(text)}", "dim", colour) for name, text in details if text),
    ]


def _difference(finding: Finding) -> str:
    expected, actual = printable(finding.expected), printable(finding.actual)
    if expected and actual:
        return f"expected {expected}, found {actual}"
    return f"expected {expected}" if expected else f"found {actual}"


def summary_line(report: EnvironmentReport, *, colour: bool = False) -> str:
    """Return one line on an environment: its state and what was compared."""
    against = f" as locked in {report.lock}" if report.lock else ""
    match report.status:
        case "clean":
            text = _paint("no drift", "clean", colour) + f": {_distributions(report.installed)}{against}"
        case "repaired":
            text = _paint("repaired", "clean", colour) + f": {_distributions(report.installed)}{against}"
        case "skipped":
            text = _paint("skipped", "warning", colour) + f": {printable(report.reason)}"
        case "drift":
            text = _paint("drift", "error", colour) + f": {count_kinds(report.findings)}"
    return f"{report.session}: {text}"


def _distributions(count: int) -> str:
    return f"{count} distribution{'' if count == 1 else 's'}"


def count_kinds(findings: Iterable[Finding]) -> str:
    """Return the number of findings of each kind (`2 missing, 1 version`)."""
    counts = Counter(finding.kind for finding in findings)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def render_text(report: Report, *, colour: bool = False) -> str:
    """Render a report: a line per environment, its findings below it, a total at the end."""
    lines: list[str] = []
    for environment in report.environments:
        lines.append(summary_line(environment, colour=colour))
        lines += finding_lines(environment.findings, colour=colour)
    lines += finding_lines(report.findings, colour=colour)
    if len(report.environments) > 1:
        lines.append(_total(report))
    return "\n".join(lines) + "\n" if lines else ""


def _total(report: Report) -> str:
    counts = Counter(environment.status for environment in report.environments)
    states = ", ".join(f"{counts[s]} {s}" for s in ("clean", "repaired", "drift", "skipped") if counts[s])
    kinds = count_kinds(report.all_findings)
    return f"{len(report.environments)} environments: {states}{f' ({kinds})' if kinds else ''}"
