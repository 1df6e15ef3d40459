"""Processor time, elapsed time and memory of commands that run in turn."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# What tells a command that it runs in CI or in another venv, or keeps it from caching bytecode.
_HIDDEN = re.compile("PYTHONDONTWRITEBYTECODE|CI|GITHUB_ACTIONS|VIRTUAL_ENV|(UV_P|FORCE_|CONDA_|NOX|TOX).*")


@dataclass(eq=False)
class Contender:
    """A command, and what it took: seconds of each round, and the MiB of its largest process."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    note: str = ""  # what it does less than the others
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Contender], None] | None = None  # runs before each round and is not measured
    processor: list[float] = field(default_factory=list)
    elapsed: list[float] = field(default_factory=list)
    memory: float = 0.0

    def measure(self) -> str:
        """Run the command once, add what its process tree took, and return its output."""
        env = {name: value for name, value in os.environ.items() if not _HIDDEN.fullmatch(name)}
        env |= {"UV_PYTHON_DOWNLOADS": "never", "NOX_DOWNLOAD_PYTHON": "never", **self.env}
        with tempfile.TemporaryFile() as sink:
            start = time.perf_counter()
            process = subprocess.Popen(
                self.argv, cwd=self.cwd, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )
            # What RUSAGE_CHILDREN grows by: this process, and all that it started and waited for.
            _, status, usage = os.wait4(process.pid, 0)
            elapsed = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            sink.seek(0)
            output = sink.read().decode("utf-8", "replace")
        if process.returncode:
            print(" ".join(self.argv)[:500], output[-3000:], sep="\n", file=sys.stderr)
            raise subprocess.CalledProcessError(process.returncode, self.name)
        self.processor.append(usage.ru_utime + usage.ru_stime)
        self.elapsed.append(elapsed)
        self.memory = max(self.memory, usage.ru_maxrss / 1024)
        return output

    def figures(self) -> tuple[float, ...]:
        """Return minimum and median of the processor time, and the median of the elapsed time."""
        return min(self.processor), statistics.median(self.processor), statistics.median(self.elapsed)


def run(argv: tuple[str, ...], cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command that is not measured and return its output; raises CalledProcessError."""
    return Contender(argv[0], argv, cwd, env=env or {}).measure()


def race(contenders: list[Contender], rounds: int) -> list[Contender]:
    """Run all in turn, A B A B, after a round that is not counted; return those that succeed."""
    running = list(contenders)
    for number in range(rounds + 1):
        for one in tuple(running):
            try:
                if one.prepare:
                    one.prepare(one)
                one.measure()
            except subprocess.CalledProcessError:
                running.remove(one)
            if number == 0:
                one.processor, one.elapsed, one.memory = [], [], 0.0
    return running
