"""The report as text for a terminal, in 80 columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from nox_envs.findings import Finding, count_kinds
from nox_envs.report.report import STATUSES, EnvironmentReport, Report, counted, difference
from nox_envs.terminal import harmless, paint, printable
from nox_envs.values import replace

WIDTH = 80
_WIDEST_NAME = 24
_COLOURS = {"clean": "clean", "repaired": "clean", "drift": "error", "skipped": "warning"}


def finding_lines(findings: Iterable[Finding], *, colour: bool = False) -> list[str]:
    """Return findings as aligned lines; only commands are wider than 80 columns, a common one comes last."""
    found = tuple(findings)
    margin = max((len(one.kind) for one in found), default=0) + 4
    names = min(max((len(printable(one.package)) for one in found), default=0), _WIDEST_NAME)
    fixes = {one.fix for one in found if one.severity != "note" or one.fix}
    common = fixes.pop() if len(found) > 1 and len(fixes) == 1 else ""
    lines: list[str] = []
    for one in found:
        package = f"{printable(one.package).ljust(names)}  " if names else ""
        severity = "" if one.severity == "error" else f"  [{one.severity}]"
        text = shortened(difference(one)) + severity
        first, *more = fold(f"  {one.kind}".ljust(margin) + package, text, margin)
        lines += [first.replace(one.kind, paint(one.kind, one.severity, colour=colour), 1), *more]
        for label, text in (("why", shortened(" > ".join(one.why))), ("at", one.line), ("path", one.path)):
            folded = fold(f"{' ' * margin}{label}: ", text) if text else []
            lines += [paint(line, "dim", colour=colour) for line in folded]
        lines += [] if common else _fix(one.fix, margin, colour)
    return lines + _fix(common, 2, colour)


def _fix(command: str, indent: int, colour: bool) -> list[str]:
    line = f"{' ' * indent}fix: {printable(command)}"
    lines = [line] if len(line) <= WIDTH else [f"{' ' * indent}fix:", f"    {harmless(printable(command))}"]
    return [paint(line, "fix", colour=colour) for line in lines] if command else []


def shortened(text: str) -> str:
    """Return a text with only the first twelve digits of each hash and commit in it."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b", r"\1...", text)


def fold(head: str, text: str, margin: int = 4) -> list[str]:
    """Return a head and a text in lines of 80 columns; below a wide head, text is behind `margin` spaces.

    A word that is wider than its line is broken, if possible at a slash.
    """
    text = printable(text)
    if len(head) + len(text) <= WIDTH:
        return [harmless(f"{head}{text}".rstrip())]
    if len(head) > WIDTH // 2:
        return [*fold("", head), *fold(" " * margin, text)]
    room = WIDTH - len(head)
    parts = rf".{{1,{room}}}$|.{{1,{room - 1}}}/|.{{1,{room}}}"
    text = re.sub(rf"\S{{{room + 1},}}", lambda word: " ".join(re.findall(parts, word[0])), text)
    from textwrap import TextWrapper  # most lines are short

    wrapper = TextWrapper(WIDTH, head, " " * len(head), break_long_words=False, break_on_hyphens=False)
    return [*map(harmless, wrapper.wrap(text) or [head.rstrip()])]


def summary_line(report: EnvironmentReport, *, colour: bool = False, names: int = 0) -> str:
    """Return the state of one environment; `names` is the number of columns its name takes at least."""
    state = "no drift" if report.status == "clean" else report.status
    locked = f" as locked in {report.lock}" if report.lock else ""
    body = f"{counted(report.installed, 'distribution')}{locked}"
    if report.status in ("drift", "skipped"):
        body = "; ".join(filter(None, (count_kinds(report.findings), report.reason)))
    body += f"; {report.ignored} ignored" if report.ignored else ""
    head = f"{printable(report.title)}: ".ljust(names + 2)
    text = "\n".join(fold(head, f"{state}: {body}"))
    painted = paint(state, _COLOURS[report.status], colour=colour)
    return text[: len(head)] + text[len(head) :].replace(state, painted, 1)


def render_text(report: Report, *, colour: bool = False) -> str:
    """Return a report as text for a terminal."""
    names = min(max((len(printable(one.title)) for one in report.groups), default=0), _WIDEST_NAME)
    lines: list[str] = []
    for one in report.groups:
        fixes = {} if one.status != "repaired" else {"fix": ""}
        found = [replace(finding, **fixes) for finding in one.findings]
        lines += [summary_line(one, colour=colour, names=names), *finding_lines(found, colour=colour)]
    for text in report.problems:
        begin, *more = fold("problem: ", text)
        lines += [begin.replace("problem", paint("problem", "error", colour=colour), 1), *more]
    if len(report.environments) > 1:
        lines += [line for text in totals(report) for line in fold("", text)]
    return "".join(f"{line}\n" for line in lines)


def totals(report: Report) -> list[str]:
    """Return how many sessions are in each state, and how many findings there are of each kind."""
    counts = Counter(one.status for one in report.environments)
    states = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    found = report.all_findings
    kinds = [f"{counted(len(found), 'finding')}: {count_kinds(found)}"] if found else []
    return [f"{counted(len(report.environments), 'session')}: {states or 'nothing to check'}", *kinds]
