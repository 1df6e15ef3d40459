"""Owns the measuring: contenders run in turn (A B A B), medians, ratios and verdicts come out."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# Seconds after which a race begins no further round, once each contender has two figures.
BUDGET = 75.0
# What would tell a contender that it runs in CI, on a terminal, or in the venv of somebody else.
_HIDDEN = re.compile(
    "PYTHONDONTWRITEBYTECODE|CI|GITHUB_ACTIONS|FORCE_COLOR|VIRTUAL_ENV|UV_PYTHON|UV_PROJECT.*|CONDA_.*"
    "|NOX.*|TOX.*|HATCH.*"
)


class Failed(Exception):
    """Say why a command of a benchmark did not end as it should."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Be one command to measure; `note` says what it does less than the others.

    `prepare` runs before each round and is not measured; `limit` (seconds) ends a round that takes too
    long; `once` leaves out the warm-up and all further rounds.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path
    note: str = ""
    prepare: Callable[[], None] | None = None
    codes: tuple[int, ...] = (0,)
    env: Mapping[str, str] = field(default_factory=dict)
    limit: float = 120.0
    once: bool = False


@dataclass(kw_only=True)
class Row:
    """Hold what a contender took: seconds of each round, and the largest memory of a process (MiB).

    `floor` is the memory that cannot be told from that of the measuring process, from which the others
    are born. `failure` says why there are no seconds; with `at_least` these are a limit that was reached.
    """

    name: str
    note: str = ""
    seconds: list[float] = field(default_factory=list)
    memory: float = 0.0
    floor: float = 0.0
    failure: str = ""
    at_least: bool = False

    @property
    def median(self) -> float:
        """Return the median in seconds; raises Failed if there is none."""
        if not self.seconds:
            raise Failed(f"{self.name} was not measured: {self.failure or 'it did not run'}")
        return statistics.median(self.seconds)


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Be one aim: the figure of `ours`, or its relation to `against`, is to be at most `limit`.

    `ratio` divides the medians, `more` subtracts them, `seconds` is ours alone; `memory` is in MiB.
    """

    ours: str
    limit: float
    kind: Literal["ratio", "more", "seconds", "memory"] = "ratio"
    against: str = ""

    def value(self, rows: Sequence[Row]) -> float:
        """Return what was reached; raises Failed if a row that is needed was not measured."""
        ours = _named(rows, self.ours)
        if self.kind == "memory":
            return ours.memory
        if self.kind == "seconds":
            return ours.median
        against = _named(rows, self.against)
        return ours.median / against.median if self.kind == "ratio" else ours.median - against.median

    def wording(self) -> str:
        """Return the aim in words."""
        match self.kind:
            case "ratio":
                return f"{self.ours} / {self.against} at most {self.limit:.2f}"
            case "more":
                return f"{self.ours} takes at most {self.limit:g} s more than {self.against}"
            case "seconds":
                return f"{self.ours} at most {self.limit:g} s"
            case "memory":
                return f"{self.ours} at most {self.limit:g} MiB"

    def verdict(self, rows: Sequence[Row]) -> str:
        """Return what was reached, and whether that is the aim."""
        try:
            reached = self.value(rows)
        except Failed as error:
            return f"not known ({error})"
        unit = {"ratio": "", "more": " s", "seconds": " s", "memory": " MiB"}[self.kind]
        number = f"{reached:.0f}" if self.kind == "memory" else f"{reached:.3f}"
        bound = "under " if self.against and _named(rows, self.against).at_least else ""
        return f"{bound}{number}{unit}, {'met' if reached <= self.limit else '**missed**'}"


@dataclass(kw_only=True)
class Table:
    """Hold the rows of one race, the aims it is judged by, and a sentence about its inputs."""

    title: str
    rows: list[Row]
    aims: tuple[Aim, ...] = ()
    text: str = ""


def _named(rows: Sequence[Row], name: str) -> Row:
    for row in rows:
        if row.name == name:
            return row
    raise Failed(f"{name} was not measured")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of every measured process: bytecode is cached, nothing is downloaded."""
    env = {name: value for name, value in os.environ.items() if not _HIDDEN.fullmatch(name)}
    return {**env, "UV_PYTHON_DOWNLOADS": "never", "NOX_DOWNLOAD_PYTHON": "never", **(extra or {})}


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command of the set-up and return its output; raises Failed."""
    row = Row(name=argv[0])
    output = _measure(Contender(name=row.name, argv=tuple(argv), cwd=cwd, env=env or {}, limit=600), row)
    if row.failure:
        raise Failed(f"{without_places(' '.join(argv))}: {row.failure}")
    return output


def remove(folder: Path) -> None:
    """Remove a folder, which may hold a million files."""
    run(("rm", "-rf", str(folder)), folder.parent)


def _measure(contender: Contender, row: Row) -> str:
    """Run a contender once, add to its row what it took, and return what it printed."""
    with tempfile.TemporaryFile() as sink:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                contender.argv,
                cwd=contender.cwd,
                env=environment(contender.env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            row.failure = f"cannot be started: {error.strerror}"
            return ""
        late = threading.Event()
        timer = threading.Timer(contender.limit, lambda: (late.set(), os.killpg(process.pid, signal.SIGKILL)))
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            taken = time.perf_counter() - start
        except BaseException:  # an interrupt ends the contender, which has a session of its own, too
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        sink.seek(0)
        output = sink.read().decode("utf-8", "replace")
    row.memory = max(row.memory, usage.ru_maxrss / 1024)
    row.floor = _own_peak()
    if late.is_set():
        row.seconds, row.at_least = [contender.limit], True
    elif process.returncode not in contender.codes:
        row.failure = f"ended with {process.returncode}: {_last_line(output)}"
    else:
        row.seconds.append(taken)
    return output


def _own_peak() -> float:
    """Return the largest memory of this process so far, in MiB, which a process it starts is born with."""
    with contextlib.suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _last_line(output: str) -> str:
    """Return the last line that says more than that something failed, without paths and hosts."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if not re.match(r"nox > (Session|Ran|\*) ", line)] or lines
    return without_places(telling[-1])[:200] if telling else "without a word"


def without_places(text: str) -> str:
    """Return a text without URLs and the folders of paths: it may be published."""
    return re.sub(r"(?<![\w.])(/[^\s/'\"]+)+/", "", re.sub(r"\w+://[^\s'\"]+", "(a URL)", text))


def race(contenders: Sequence[Contender], rounds: int, budget: float = BUDGET) -> list[Row]:
    """Run each contender once to warm up, then all of them in turn, `rounds` times.

    After `budget` seconds no third or later round begins. A contender that fails is out of the race.
    """
    rows = [Row(name=one.name, note=one.note) for one in contenders]
    began = time.monotonic()
    for number in range(rounds + 1):
        if number > 2 and time.monotonic() - began > budget:
            break
        for contender, row in zip(contenders, rows, strict=True):
            if row.failure or row.at_least or (contender.once and row.seconds and number):
                continue
            if contender.prepare:
                contender.prepare()
            _measure(contender, row)
            if not number and not contender.once and not row.at_least:
                row.seconds.clear()
    return rows
