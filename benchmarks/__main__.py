"""Run benchmarks: `python -m benchmarks [NAME …] [--rounds N | --quick] [--json FILE] [--write-docs]`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import checking, document, listing, locking, reporting, running
from benchmarks.harness import Table, remove, without_places
from benchmarks.projects import Workshop
from benchmarks.tools import Tools

REPOSITORY = Path(__file__).parent.parent
KEPT = REPOSITORY / ".nox" / ".benchmarks"  # beside the venv of the session that runs this
BENCHMARKS: dict[str, Callable[[Workshop], list[Table]]] = {
    "start": listing.start,
    "listing": listing.listing,
    "warm": running.warm,
    "growth": running.growth,
    "cold": running.cold,
    "one": checking.one,
    "many": checking.many,
    "files": checking.files,
    "lock": locking.lock,
    "freshness": checking.freshness,
    "scale": checking.scale,
    "reports": reporting.reports,
}


def _measured(name: str, workshop: Workshop) -> dict[str, Any]:
    """Run one benchmark; whatever it fails with is in what it returns, and the others go on."""
    began = time.monotonic()
    try:
        found = document.entry(BENCHMARKS[name](workshop))
    except Exception as error:
        found = document.entry([], failure=without_places(f"{type(error).__name__}: {error}")[:500])
    print(document.section(found))
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="figures of each contender (default: 7)")
    parser.add_argument("--quick", action="store_true", help="one round: to see that all of it runs")
    parser.add_argument("--json", type=Path, help="write the figures of this run to a file")
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="write docs/performance.md, from this run and the last figures of what it leaves out",
    )
    parser.add_argument("--no-run", action="store_true", help="measure nothing: the last figures only")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    return asked


def _written(file: Path, results: dict[str, Any]) -> None:
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Run the benchmarks that are named, or all, print their tables, and keep the figures."""
    asked = _asked()
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / "results.json"
    results: dict[str, Any] = {"schema": 1, "versions": {}, "benchmarks": {}}
    if kept.exists():
        results = json.loads(kept.read_text(encoding="utf-8"))
    tools = Tools(KEPT / "tools")
    names = () if asked.no_run else asked.names or tuple(BENCHMARKS)
    with tempfile.TemporaryDirectory(prefix="nox-envs-benchmark-") as folder:
        workshop = Workshop(Path(folder), tools, 1 if asked.quick else asked.rounds)
        for name in names:
            results["benchmarks"][name] = _measured(name, workshop)
            _written(kept, results)
        for used in Path(folder).iterdir():
            remove(used)
    if names:
        results["versions"] = tools.versions()
        _written(kept, results)
    if asked.json:
        _written(asked.json, {**results, "benchmarks": {name: results["benchmarks"][name] for name in names}})
    if asked.write_docs:
        document.write(results, REPOSITORY / "docs" / "performance.md")


if __name__ == "__main__":
    main()
