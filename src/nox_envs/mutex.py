"""Owns mutual exclusion between processes by a lock on a file; the file itself stays empty."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nox_envs.errors import NoxEnvsError

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _try_lock(handle: BinaryIO) -> bool:
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: BinaryIO) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_ahead: dict[Path, BinaryIO] = {}


@contextmanager
def held(path: Path, *, waiting: Callable[[], None], timeout: float = 3600.0) -> Iterator[None]:
    """Hold the lock file at `path` while the block runs.

    `waiting` is called once if another process has it; `timeout` is in seconds. Raises NoxEnvsError
    when the time is over. The system releases the lock of a process that dies. A lock that this process
    holds by `held_ahead` passes to the block, and is released at its end.
    """
    ahead = _ahead.pop(path, None)
    if ahead is not None:
        with ahead:
            yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as handle:
        _acquire(handle, path, waiting, timeout)
        yield


@contextmanager
def held_ahead(path: Path, *, waiting: Callable[[], None], timeout: float = 3600.0) -> Iterator[None]:
    """Hold the lock file at `path` for the first `held` in the block, and release it with that or with this.

    Arguments and errors are those of `held`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as handle:
        _acquire(handle, path, waiting, timeout)
        _ahead[path] = handle
        try:
            yield
        finally:
            _ahead.pop(path, None)


def _opened(path: Path) -> BinaryIO:
    # O_NONBLOCK: to open a named pipe would be to wait for its reader.
    flags = (
        os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    )
    return os.fdopen(os.open(path, flags, 0o666), "ab")


def _acquire(handle: BinaryIO, path: Path, waiting: Callable[[], None], timeout: float) -> None:
    if _try_lock(handle):
        return
    waiting()
    deadline = time.monotonic() + timeout
    while not _try_lock(handle):
        if time.monotonic() > deadline:
            raise NoxEnvsError(f"{path} is held by another process; wait for it or end it, then run again")
        time.sleep(0.05)
