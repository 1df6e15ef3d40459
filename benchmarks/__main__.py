"""The command `python -m benchmarks`, and the figures in docs/explanation/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.inputs import Inputs, Subject
from benchmarks.measure import Contender, run
from benchmarks.tables import BENCHMARKS

PAGE = Path(__file__).parent.parent / "docs/explanation/performance.md"
AGAINST = " (against)"
HEAD = "command | processor, minimum | ratio | median | ratio | elapsed, median | ratio | MiB | note"


def main() -> None:
    """Run the benchmarks that are named, or all, and print their tables."""
    asked = _asked()
    marks = {"": asked.python, AGAINST: asked.against}
    subjects = tuple(Subject(python, mark) for mark, python in marks.items() if python)
    versions = "; against ".join(one.versions for one in subjects)
    conditions = f"{time.strftime('%Y-%m-%d')}; {os.cpu_count()} cores; {versions}."
    folder = Path(tempfile.mkdtemp(prefix="nox-envs-benchmarks-"))
    rounds, figures = 1 if asked.quick else asked.rounds, {}
    inputs = Inputs(folder, subjects[0], subjects, rounds, asked.quick)
    try:
        for name in asked.names or BENCHMARKS:
            text = f"{conditions}\n"
            for title, rows in BENCHMARKS[name](inputs).items():
                text += f"\n### {title}\n\n{_table(rows)}"
                figures[title] = {row.name: [row.processor, row.elapsed, row.memory] for row in rows}
            print(text, flush=True)
            if asked.write_docs:
                PAGE.write_text(_page(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    except subprocess.CalledProcessError as error:
        sys.exit(str(error))
    finally:
        run(("rm", "-rf", str(folder)), folder.parent)  # which holds a million files
    if asked.json:
        found = {"conditions": conditions, "columns": ["processor", "elapsed", "MiB"], "figures": figures}
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure nox-envs.")
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)} (default: all)")
    add("--python", type=Path, default=sys.executable, help="interpreter that has the nox-envs to measure")
    add("--against", type=Path, help="interpreter that has another nox-envs, to compare it with")
    add("--rounds", type=int, default=7, help="rounds that are counted (default: 7)")
    add("--quick", action="store_true", help="one round, smaller inputs: to try it")
    add("--json", type=Path, metavar="FILE", help="write the figures of every round to a file")
    add("--write-docs", action="store_true", help="write the tables into docs/explanation/performance.md")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    return asked


def _table(rows: list[Contender]) -> str:
    old = {row.name.removesuffix(AGAINST): row for row in rows if row.name.endswith(AGAINST)}
    lines = [f"| {HEAD} |", f"|---|{'---:|' * 7}---|"]
    for row in rows:
        cells = [row.name]
        for seconds, ratio in zip(row.figures(), _ratios(row, rows[0]), strict=True):
            cells += [f"{seconds:.3f}", ratio]
        note = f"{' / '.join(_ratios(row, old[row.name]))} of the other" if row.name in old else row.note
        lines.append(f"| {' | '.join([*cells, f'{row.memory:.0f}', note])} |")
    return "\n".join(lines) + "\n"


def _ratios(row: Contender, to: Contender) -> list[str]:
    return [f"{ours / other:.2f}" for ours, other in zip(row.figures(), to.figures(), strict=True)]


def _page(old: str, name: str, text: str) -> str:
    """Return a page with other figures between the markers of one benchmark; all else is kept."""
    start, end = f"<!-- figures: {name} -->\n", "<!-- end -->\n"
    if start not in old:
        old += f"\n## {name.capitalize()}\n\n<!-- notes: {name} -->\n{end}\n{start}{end}"
    return re.sub(f"{start}.*?{end}", lambda _: f"{start}{text}{end}", old, flags=re.DOTALL)


if __name__ == "__main__":
    main()
