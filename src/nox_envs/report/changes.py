"""Owns the text, JSON and Markdown of a comparison of two sets of pins; compares nothing itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

from nox_envs.changes import CHANGE_KINDS, Change, ChangeKind, Comparison, PackageChange
from nox_envs.streams import harmless, printable

ChangesFormat: TypeAlias = Literal["text", "json", "markdown"]

SCHEMA = 1

_COLOURS: dict[ChangeKind, str] = {
    "major": "31",
    "added": "32",
    "removed": "33",
    "minor": "36",
    "patch": "2",
    "other": "35",
}
_MOST_ASKERS = 3
_MOST_ENVIRONMENTS = 3
_UNSAFE = re.compile(r"[^A-Za-z0-9 .,;+=/-]")
# A comment on a pull request takes 65,536 characters.
_BUDGET = 60_000


def render_changes(
    comparison: Comparison,
    format: ChangesFormat,  # noqa: A002
    *,
    old: str,
    new: str,
    colour: bool = False,
) -> str:
    """Render a comparison of what the user calls `old` and `new`; `colour` matters to text only."""
    match format:
        case "text":
            return _text(comparison, old, new, colour)
        case "json":
            return _json(comparison, old, new)
        case "markdown":
            return _markdown(comparison, old, new)


def count_changes(comparison: Comparison) -> str:
    """Return how many packages changed, by kind (`3 packages: 1 major, 2 patch`)."""
    counts = Counter(one.kind for one in comparison.packages)
    total = len(comparison.packages)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in CHANGE_KINDS if counts[kind])
    return f"{total} package{'' if total == 1 else 's'}" + (f": {kinds}" if kinds else "")


def changes_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of a comparison as text."""
    return (Path(__file__).parent / "changes_schema.json").read_text(encoding="utf-8")


def _json(comparison: Comparison, old: str, new: str) -> str:
    """Render as JSON: keys sorted, ASCII only, a newline at the end.

    The contract is `changes_schema.json` beside this module (`nox-envs schema --diff` prints it).
    """
    counts = Counter(one.kind for one in comparison.packages)
    value = {
        "schema": SCHEMA,
        "old": old,
        "new": new,
        "different": comparison.different,
        "packages": [_json_package(one) for one in comparison.packages],
        "environments": {
            "compared": list(comparison.environments),
            "added": list(comparison.added),
            "removed": list(comparison.removed),
            "uncompared": list(comparison.uncompared),
        },
        "summary": {kind: counts[kind] for kind in CHANGE_KINDS},
    }
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _json_package(one: PackageChange) -> dict[str, object]:
    changes = [
        {
            "from": change.old,
            "to": change.new,
            "kind": change.kind,
            "note": change.note,
            "environments": list(change.environments),
        }
        for change in one.changes
    ]
    return {
        "package": one.package,
        "kind": one.kind,
        "environments": list(one.environments),
        "via": list(one.via),
        "changes": changes,
    }


def _environment_lines(comparison: Comparison) -> list[str]:
    named = (
        ("new", comparison.added),
        ("gone", comparison.removed),
        ("not compared, for want of a venv", comparison.uncompared),
    )
    return [f"{what}: {', '.join(names)}" for what, names in named if names]


def _where(change: Change, comparison: Comparison) -> str:
    names = change.environments
    if len(names) > _MOST_ENVIRONMENTS and names == comparison.environments:
        return f"all {len(names)} environments"
    return ", ".join(names)


def _askers(one: PackageChange) -> str:
    more = len(one.via) - _MOST_ASKERS
    return ", ".join(one.via[:_MOST_ASKERS]) + (f" and {more} more" if more > 0 else "")


def _text(comparison: Comparison, old: str, new: str, colour: bool) -> str:
    # A revision ends with a colon itself.
    head = harmless(f"{printable(old)} -> {printable(new).removesuffix(':')}: ")
    lines = [head + (count_changes(comparison) if comparison.different else "no difference")]
    lines += [f"  {printable(line)}" for line in _environment_lines(comparison)]
    names = max((len(one.package) for one in comparison.packages), default=0)
    steps = max((len(_step(c)) for one in comparison.packages for c in one.changes), default=0)
    steps = min(steps, 40)
    for one in comparison.packages:
        for number, change in enumerate(one.changes):
            kind = f"{change.kind:7}"
            kind = f"\x1b[{_COLOURS[change.kind]}m{kind}\x1b[0m" if colour else kind
            name = printable("" if number else one.package).ljust(names)
            line = f"  {kind}  {name}  {_step(change).ljust(steps)}  {printable(_where(change, comparison))}"
            lines.append(line.rstrip())
            if change.note:
                lines.append(_detail(f"note: {change.note}", colour))
        if one.via:
            lines.append(_detail(f"via: {_askers(one)}", colour))
    return "".join(f"{line}\n" for line in lines)


def _detail(text: str, colour: bool) -> str:
    line = " " * 11 + printable(text)
    return f"\x1b[2m{line}\x1b[0m" if colour else line


def _step(change: Change) -> str:
    if change.old and change.new and change.old != change.new:
        return f"{printable(change.old)} -> {printable(change.new)}"
    return printable(change.new or change.old)


def _markdown(comparison: Comparison, old: str, new: str) -> str:
    """Render as a table with one row for each package; several changes of one are lines of its cells."""
    sides = f"{_code(old)} → {_code(new)}"
    if not comparison.different:
        return f"**No difference** in dependencies: {sides}\n"
    lines = [f"**{count_changes(comparison)}** changed: {sides}", ""]
    named = _environment_lines(comparison)
    lines += [*(f"- {_escape(line)}" for line in named), ""] if named else []
    if comparison.packages:
        lines += [
            "| Package | From | To | Change | Environments | Asked for by |",
            "|---|---|---|---|---|---|",
        ]
        lines += _fitting([_row(one, comparison) for one in comparison.packages])
    return "".join(f"{line}\n" for line in lines)


def _row(one: PackageChange, comparison: Comparison) -> str:
    cells = (
        _escape(one.package),
        _cell(_escape(change.old) for change in one.changes),
        _cell(_escape(change.new) for change in one.changes),
        _cell(_kind(change) for change in one.changes),
        _cell(_escape(_where(change, comparison)) for change in one.changes),
        _escape(_askers(one)),
    )
    return f"| {' | '.join(cells)} |"


def _fitting(rows: list[str]) -> list[str]:
    """Return as many rows as a comment takes, and say how many are left out."""
    room = _BUDGET
    for number, row in enumerate(rows):
        room -= len(row) + 1
        if room < 0:
            return [*rows[:number], "", f"…and {len(rows) - number} more packages, which do not fit here."]
    return rows


def _cell(lines: Iterable[str]) -> str:
    return "<br>".join(line or "—" for line in lines)


def _kind(change: Change) -> str:
    kind = f"**{change.kind}**" if change.kind in ("major", "added", "removed") else change.kind
    return f"{kind} ({_escape(change.note)})" if change.note else kind


def _escape(text: str) -> str:
    """Return a text that Markdown shows as it is: no markup, no HTML, no mention, on one line."""
    escaped = _UNSAFE.sub(lambda match: f"&#{ord(match[0])};", printable(text))
    return escaped.replace("www.", "www&#46;")


def _code(text: str) -> str:
    return f"<code>{_escape(text)}</code>"
