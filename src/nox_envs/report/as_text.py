"""Owns the text of a report, for people at a terminal; every text from outside is made harmless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from nox_envs.drift import Finding
from nox_envs.report import EnvironmentReport, Report
from nox_envs.streams import harmless, printable
from nox_envs.values import replace

_COLOURS = {"error": "31", "warning": "33", "note": "36", "clean": "32", "dim": "2"}


def _paint(text: str, name: str, colour: bool) -> str:
    return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m" if colour else text


def finding_lines(findings: Iterable[Finding], *, colour: bool = False) -> list[str]:
    """Return the findings as aligned lines: what differs, then who asked for it and what mends it.

    One command that mends several findings, and all of them, is written once, at the end.
    """
    found = tuple(findings)
    kinds = max((len(finding.kind) for finding in found), default=0)
    names = max((len(printable(finding.package)) for finding in found), default=0)
    fix = _common_fix(found)
    lines: list[str] = []
    for finding in found:
        lines += _finding(replace(finding, fix="") if fix else finding, kinds, names, colour)
    return [*lines, _paint(f"  fix: {printable(fix)}", "dim", colour)] if fix else lines


def _common_fix(findings: tuple[Finding, ...]) -> str:
    fixes = {finding.fix for finding in findings if finding.severity != "note" or finding.fix}
    return fixes.pop() if len(findings) > 1 and len(fixes) == 1 else ""


def _finding(finding: Finding, kinds: int, names: int, colour: bool) -> list[str]:
    kind = _paint(finding.kind.ljust(kinds), finding.severity, colour)
    package = f"{printable(finding.package).ljust(names)}  " if names else ""
    head = f"  {kind}  {package}{difference(finding)}"
    if finding.severity != "error":
        head += f"  [{finding.severity}]"
    indent = " " * (kinds + 4)
    details = [
        ("why", chain(finding)),
        ("at", " ".join(text for text in (finding.line, finding.path) if text)),
        ("fix", finding.fix),
    ]
    return [
        head.rstrip(),
        *(_paint(f"{indent}{name}: {printable(text)}", "dim", colour) for name, text in details if text),
    ]


def chain(finding: Finding) -> str:
    """Return who asked for the package of a finding, outermost first, in one text."""
    return " > ".join(finding.why)


def difference(finding: Finding) -> str:
    """Return both sides of a finding in one harmless text; a side that is empty is left out."""
    sides = [("expected", printable(finding.expected)), ("found", printable(finding.actual))]
    return ", ".join(f"{name} {text}" for name, text in sides if text)


def summary_line(report: EnvironmentReport, *, colour: bool = False, width: int = 0) -> str:
    """Return one line on an environment: its state and what was compared.

    `width` is the number of columns that its name takes at least.
    """
    against = f" as locked in {printable(report.lock)}" if report.lock else ""
    installed = f"{report.installed} distribution{'' if report.installed == 1 else 's'}"
    reason = printable(report.reason)
    match report.status:
        case "clean":
            text = _paint("no drift", "clean", colour) + f": {installed}{against}"
        case "repaired":
            text = _paint("repaired", "clean", colour) + f": {installed}{against}"
        case "skipped":
            text = _paint("skipped", "warning", colour) + f": {reason}"
        case "drift":
            also = f"; {reason}" if reason else ""
            text = _paint("drift", "error", colour) + f": {count_kinds(report.findings)}{also}"
    if report.ignored:
        text += f"; {report.ignored} ignored"
    return f"{harmless(printable(report.title))}: ".ljust(width + 2) + text


def count_kinds(findings: Iterable[Finding]) -> str:
    """Return the number of findings of each kind (`2 missing, 1 version`)."""
    counts = Counter(finding.kind for finding in findings)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def render_text(report: Report, *, colour: bool = False) -> str:
    """Render a report: a line per environment, its findings below it, a total at the end.

    Findings that several environments share are written once.
    """
    width = max((len(printable(environment.title)) for environment in report.environments), default=0)
    shown: dict[tuple[Finding, ...], str] = {}
    lines: list[str] = []
    for environment in report.environments:
        lines.append(summary_line(environment, colour=colour, width=width))
        first = shown.setdefault(_shared(environment.findings), environment.title)
        if environment.findings and first != environment.title:
            lines.append(_paint(f"  the same as in {printable(first)}", "dim", colour))
        else:
            lines += finding_lines(environment.findings, colour=colour)
    if report.findings:
        lines.append(f"{'project: '.ljust(width + 2)}{count_kinds(report.findings)}")
    lines += finding_lines(report.findings, colour=colour)
    lines += [f"{_paint('problem', 'error', colour)}: {printable(text)}" for text in report.problems]
    lines += [f"{_paint('note', 'note', colour)}: {printable(text)}" for text in report.notes]
    if len(report.environments) > 1:
        lines.append(_total(report))
    return "".join(f"{line}\n" for line in lines)


def _shared(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return findings without what differs from venv to venv."""
    return tuple(replace(finding, environment="", session="", path="", fix="") for finding in findings)


def _total(report: Report) -> str:
    counts = Counter(environment.status for environment in report.environments)
    states = ", ".join(f"{counts[s]} {s}" for s in ("clean", "repaired", "drift", "skipped") if counts[s])
    kinds = count_kinds(report.all_findings)
    return f"{len(report.environments)} environments: {states}{f' ({kinds})' if kinds else ''}"
