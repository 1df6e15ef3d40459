"""Owns what people are told of locking: the changes, the failures, what comes next; colours nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nox_envs.streams import printable
from nox_envs.workflow.locking.types import Change, LockResult

_KINDS = ("added", "removed", "changed")


def result_lines(result: LockResult) -> list[str]:
    """Return a result as lines: what became of the lock, then package by package."""
    name = ", ".join(result.environments) + (f" ({result.path})" if result.path else "")
    if result.outcome == "failed":
        left = "there is no lock yet" if result.absent else "the old file is as it was"
        return [f"{name}: failed, {left}", *_indented(result.message)]
    if result.outcome == "left":
        return [f"{name}: left alone, others make it (managed: false)"]
    notes = [f"  note: {note}" for note in result.notes]
    if result.outcome == "unchanged":
        return [f"{name}: unchanged ({result.pins} pin{'' if result.pins == 1 else 's'})", *notes]
    became = "would change" if result.outcome == "outdated" else "written"
    changes = (f"  {_change(change)}" for change in result.changes)
    return [f"{name}: {became}: {_counts(result)}", *changes, *notes]


def _counts(result: LockResult) -> str:
    counts = Counter(change.kind if change.kind in _KINDS else "changed" for change in result.changes)
    told = [f"{counts[kind]} {kind}" for kind in _KINDS if counts[kind]]
    return ", ".join([*told, f"{result.stayed} stayed"])


def _change(change: Change) -> str:
    if not change.before:
        return f"+ {change.package} {change.after}"
    if not change.after:
        return f"- {change.package} {change.before}"
    kind = f" ({change.kind})" if change.kind != "other" else ""
    return f"~ {change.package} {change.before} -> {change.after}{kind}"


def _indented(text: str) -> list[str]:
    return [f"  {printable(line)}" for line in text.splitlines()]


def closing_lines(results: Sequence[LockResult]) -> list[str]:
    """Return everything there is to say of a run: each result, failures last, a reason only once."""
    lines: list[str] = []
    told: set[str] = set()
    for result in sorted(results, key=lambda one: one.outcome == "failed"):
        if result.outcome == "failed" and result.message in told:
            lines.append(f"{result_lines(result)[0]} (for the same reason)")
            continue
        told.add(result.message)
        lines += result_lines(result)
    return lines
