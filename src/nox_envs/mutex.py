"""Owns mutual exclusion between processes by a lock on a file; the file itself stays empty."""

from __future__ import annotations

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


@contextmanager
def held(path: Path, *, waiting: Callable[[], None], timeout: float = 3600.0) -> Iterator[None]:
    """Hold the lock file at `path` while the block runs.

    `waiting` is called once if another process has it; `timeout` is in seconds. Raises NoxEnvsError
    when the time is over. The system releases the lock of a process that dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as handle:
        _acquire(handle, path, waiting, timeout)
        yield


def _acquire(handle: BinaryIO, path: Path, waiting: Callable[[], None], timeout: float) -> None:
    if _try_lock(handle):
        return
    waiting()
    deadline = time.monotonic() + timeout
    while not _try_lock(handle):
        if time.monotonic() > deadline:
            raise NoxEnvsError(f"{path} is held by another process; wait for it or end it, then run again")
        time.sleep(0.05)
