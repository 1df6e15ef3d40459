"""Owns the measuring: contenders run in turn (A B A B), medians and ratios come out."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Be one command to measure; `note` says what it does less than the others."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    note: str = ""
    prepare: Callable[[], None] | None = None
    codes: tuple[int, ...] = (0,)


@dataclass(kw_only=True)
class Row:
    """Hold what a contender took: seconds of each round, and the largest memory of a process (MiB)."""

    name: str
    note: str
    seconds: list[float] = field(default_factory=list)
    memory: float = 0.0

    @property
    def median(self) -> float:
        """Return the median in seconds."""
        return statistics.median(self.seconds)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of every measured process: bytecode is cached, nothing is downloaded."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONDONTWRITEBYTECODE", "CI"}}
    return {**env, "UV_PYTHON_DOWNLOADS": "never", "NOX_DOWNLOAD_PYTHON": "never", **(extra or {})}


def run(argv: Sequence[str], cwd: Path, codes: Sequence[int] = (0,)) -> str:
    """Run a command of the set-up and return its output; a failure ends the benchmark."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def race(contenders: Sequence[Contender], rounds: int) -> list[Row]:
    """Run each contender once to warm up, then all of them in turn, `rounds` times."""
    rows = [Row(name=one.name, note=one.note) for one in contenders]
    for number in range(rounds + 1):
        for contender, row in zip(contenders, rows, strict=True):
            if contender.prepare:
                contender.prepare()
            start = time.perf_counter()
            run(contender.argv, contender.cwd, contender.codes)
            if number:
                row.seconds.append(time.perf_counter() - start)
    return rows


def table(title: str, rows: Sequence[Row]) -> str:
    """Return a Markdown table; ratios are against the first row."""
    lines = [f"### {title}", "", "| contender | median s | ratio | does less |", "|---|---:|---:|---|"]
    first = rows[0].median
    lines += [f"| {r.name} | {r.median:.3f} | {r.median / first:.2f} | {r.note} |" for r in rows]
    return "\n".join(lines) + "\n"


def peak_memory() -> float:
    """Return the largest resident size of any child so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
