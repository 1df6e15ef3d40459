"""Owns what comes out: tables, the JSON of a run, and docs/performance.md with its hand-written notes."""

from __future__ import annotations

import os
import re
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness import Row, Table

HEADINGS = {
    "start": "Where the time goes",
    "listing": "Listing sessions",
    "warm": "A run in which nothing is to do",
    "growth": "The same, as environments grow",
    "cold": "Building an environment",
    "one": "Asking about one environment",
    "many": "Asking about all environments",
    "files": "Installed files",
    "lock": "Locks",
    "freshness": "Freshness",
    "scale": "The largest set-up known",
    "reports": "Reports of many jobs",
}
_INTRODUCTION = """# Performance

Written by `nox -s benchmarks -- --write-docs`, which builds its own inputs, installs the other tools into
venvs of their own, and runs all contenders in turn in one run (A B A B …) after one round that is not
counted. Figures are medians; a ratio is to the first row of its table; memory is the largest of any one
process. "Does less" says what a contender leaves out. Seconds move with the machine and the day, ratios
much less.
"""
_NOTES = re.compile(r"<!-- notes: (\S+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def machine() -> str:
    """Return the machine by its cores and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB of memory"


def entry(tables: Sequence[Table], failure: str = "") -> dict[str, Any]:
    """Return the JSON of one benchmark that was run now."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "failure": failure,
        "tables": [
            {
                "title": table.title,
                "text": table.text,
                "rows": [_row(row) for row in table.rows],
                "aims": [{"aim": aim.wording(), "reached": aim.verdict(table.rows)} for aim in table.aims],
            }
            for table in tables
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    return {**asdict(row), "median": row.median if row.seconds else None}


def section(found: Mapping[str, Any]) -> str:
    """Return the Markdown of one benchmark."""
    parts = [_table(table) for table in found["tables"]]
    if found["failure"]:
        parts.append(f"It could not be measured: {found['failure']}\n")
    return "\n".join(parts)


def _table(table: Mapping[str, Any]) -> str:
    rows = table["rows"]
    lines = [f"### {table['title']}", "", *([table["text"], ""] if table["text"] else [])]
    lines += ["| contender | median s | ratio | MiB | rounds | does less |", "|---|---:|---:|---:|---:|---|"]
    first = rows[0]["median"]
    for row in rows:
        mark = "over " if row["at_least"] else ""
        median, ratio = "failed", ""
        if row["median"] is not None:
            median = f"{mark}{row['median']:.3f}"
            ratio = f"{mark}{row['median'] / first:.2f}" if first else ""
        size = _size(row)
        note = "; ".join(text for text in (row["note"], row["failure"]) if text)
        lines.append(f"| {row['name']} | {median} | {ratio} | {size} | {len(row['seconds'])} | {note} |")
    lines += ["", *(f"- Aim: {aim['aim']}. Reached: {aim['reached']}." for aim in table["aims"])]
    return "\n".join(lines).rstrip() + "\n"


def _size(row: Mapping[str, Any]) -> str:
    if not row["memory"]:
        return ""
    return f"{'under ' if row['memory'] <= row['floor'] else ''}{row['memory']:.0f}"


def page(results: Mapping[str, Any], old: str) -> str:
    """Return docs/performance.md; the notes between the markers of `old` are kept as they are."""
    notes = dict(_NOTES.findall(old))
    found = {name: results["benchmarks"][name] for name in HEADINGS if name in results["benchmarks"]}
    parts = [
        _INTRODUCTION,
        _measured(found, results["versions"]),
        "## Aims\n",
        _aims(found),
        _kept("aims", notes),
    ]
    for name, heading in HEADINGS.items():
        if name in found or name in notes:
            where = _where(results["benchmarks"]) if name == "start" else ""
            measured = section(found[name]) if name in found else "It was not measured yet.\n"
            parts += [f"## {heading}\n", where, _kept(name, notes), measured]
    return "\n".join(part for part in parts if part)


def _kept(name: str, notes: Mapping[str, str]) -> str:
    return f"<!-- notes: {name} -->\n{notes.get(name, '')}<!-- end -->\n"


def _measured(found: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    days = sorted({entry["date"] for entry in found.values()})
    machines = sorted({entry["machine"] for entry in found.values()})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    tools = ", ".join(text if text.startswith(name) else f"{name} {text}" for name, text in versions.items())
    return (
        textwrap.fill(f"Measured on {when}; {'; '.join(machines)}; {tools}.", 110, break_on_hyphens=False)
        + "\n"
    )


def _aims(found: Mapping[str, Any]) -> str:
    lines = ["| work | aim | reached |", "|---|---|---|"]
    for entry in found.values():
        for table in entry["tables"]:
            lines += [f"| {table['title']} | {aim['aim']} | {aim['reached']} |" for aim in table["aims"]]
    return "\n".join(lines) + "\n"


def _where(benchmarks: Mapping[str, Any]) -> str:
    """Return the parts of a warm run, by subtraction."""
    medians = {
        row["name"]: row["median"]
        for name in ("start", "warm")
        for table in benchmarks.get(name, {"tables": []})["tables"]
        for row in table["rows"]
        if row["median"] is not None
    }
    try:
        python, nox = medians["Python, nothing else"], medians["import of nox"]
        hand, ours, command = medians["nox -R, by hand"], medians["nox-envs"], medians["python alone"]
    except KeyError:
        return ""
    parts = {
        "start of Python": python,
        "imports of nox and of what it needs": nox - python,
        "the session's own command": command,
        "the rest of nox: reading the noxfile, the session": hand - nox - command,
        "nox-envs: reading spec and lock, the check, the report": ours - hand,
    }
    lines = ["| part of a warm, verified run | s | share |", "|---|---:|---:|"]
    lines += [f"| {name} | {seconds:.3f} | {seconds / ours:.0%} |" for name, seconds in parts.items()]
    return "\n".join([*lines, f"| all of it | {ours:.3f} | 100% |"]) + "\n"


def write(results: Mapping[str, Any], file: Path) -> None:
    """Write the page anew, with the notes that are in it."""
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(page(results, old), encoding="utf-8", newline="\n")
