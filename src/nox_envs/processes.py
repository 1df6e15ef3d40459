"""The door to other programs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from nox_envs.errors import NoxEnvsError

Completed: TypeAlias = "subprocess.CompletedProcess[str]"

_running: set[subprocess.Popen[str]] = set()


def run(
    argv: tuple[str, ...],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float | None = None,
) -> Completed:
    """Run a program to its end, without a shell, and capture what it writes.

    `env` replaces the environment variables (None: they are inherited); `stdin` is what the program reads;
    `timeout` limits its time in seconds. An interruption ends the program first. Raises NoxEnvsError if it
    cannot be started, or takes longer.
    """
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise NoxEnvsError(f"{argv[0]}: cannot be started: {error.strerror or error}") from None
    _running.add(process)
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise NoxEnvsError(f"{argv[0]}: still ran after {timeout:g} seconds, and was ended") from None
        except BaseException:
            process.kill()
            raise
        finally:
            _running.discard(process)
    return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)


def end_all() -> None:
    """End the programs that other threads run."""
    for process in list(_running):
        process.terminate()
