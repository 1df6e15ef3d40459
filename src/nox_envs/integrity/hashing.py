"""Owns the hashing of many files by several threads, in chunks; compares nothing."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Sequence

_BATCH = 32
_CHUNK = 1 << 20
# O_NOFOLLOW: what has become a link since it was looked at is not opened. O_NONBLOCK: a named pipe
# does not make us wait.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


def hash_files(
    files: Sequence[tuple[str, str, int]], *, threads: int, told: Callable[[int], None] = lambda size: None
) -> list[str]:
    """Hash files and return the hashes as a RECORD writes them, in the same order.

    `files` are (path, algorithm, size in bytes), the size a hint for the buffer. `told` gets the
    number of bytes of each batch, from several threads. A file that cannot be read gives a text
    that begins with "cannot be read".
    """
    found = [""] * len(files)
    batches = list(range(0, len(files), _BATCH))
    # The biggest first would be ideal; big files are few, and batches are small.
    batches.reverse()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while batches:
                try:
                    start = batches.pop()
                except IndexError:
                    return
                _hash_batch(files, start, found, told)
        except BaseException as failure:  # handed to the thread that waits
            failures.append(failure)
            batches.clear()

    _run(work, min(threads, len(batches)), batches)
    if failures:
        raise failures[0]
    return found


def _run(work: Callable[[], None], threads: int, batches: list[int]) -> None:
    others = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    try:
        work()
        for thread in others:
            thread.join()
    finally:
        batches.clear()  # an interrupt ends the other threads too


def _hash_batch(
    files: Sequence[tuple[str, str, int]], start: int, found: list[str], told: Callable[[int], None]
) -> None:
    total = 0
    for number in range(start, min(start + _BATCH, len(files))):
        path, algorithm, size = files[number]
        total += size
        try:
            found[number] = _hash_file(path, algorithm, size)
        except OSError as error:
            found[number] = f"cannot be read: {error.strerror or error}"
    told(total)


def _hash_file(path: str, algorithm: str, size: int) -> str:
    descriptor = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        digest = hashlib.new(algorithm)
        wanted = min(size + 1, _CHUNK)
        data = os.read(descriptor, wanted)
        while data:
            digest.update(data)
            data = os.read(descriptor, wanted)
    finally:
        os.close(descriptor)
    return f"{algorithm}={base64.urlsafe_b64encode(digest.digest()).rstrip(b'=').decode()}"
