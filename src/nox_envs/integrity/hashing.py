"""Owns the hashing of many files by several threads, in chunks; compares nothing."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Sequence

_BATCH = 32
_BIG = 1 << 16
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
    by_size = sorted(range(len(files)), key=lambda number: files[number][2])
    batches = deque(by_size[start : start + _BATCH] for start in range(0, len(files), _BATCH))
    failures: list[BaseException] = []

    def biggest() -> list[int]:
        numbers = batches.pop()
        if files[numbers[-1]][2] < _BIG:
            batches.append(numbers)
            raise IndexError
        return numbers

    # Small files keep the interpreter busy, big ones do not: threads that all read small ones would
    # wait for one another, so that the others take the biggest.
    def work(take: Callable[[], list[int]]) -> None:
        try:
            while batches:
                try:
                    numbers = take()
                except IndexError:
                    return
                _hash_batch(files, numbers, found, told)
        except BaseException as failure:  # handed to the thread that waits
            failures.append(failure)
            batches.clear()

    _run(work, biggest, min(threads, len(batches)), batches)
    if failures:
        raise failures[0]
    return found


def _run(
    work: Callable[[Callable[[], list[int]]], None],
    biggest: Callable[[], list[int]],
    threads: int,
    batches: deque[list[int]],
) -> None:
    others = [threading.Thread(target=work, args=(biggest,), daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    try:
        work(batches.popleft)
        for thread in others:
            thread.join()
    finally:
        batches.clear()  # an interrupt ends the other threads too


def _hash_batch(
    files: Sequence[tuple[str, str, int]], numbers: list[int], found: list[str], told: Callable[[int], None]
) -> None:
    total = 0
    for number in numbers:
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
        wanted = min(size + 1, _CHUNK)
        data = os.read(descriptor, wanted)
        if not data or len(data) != size:  # what gives just its size has been a regular file all along
            _require_regular(descriptor)
        digest = hashlib.sha256(data) if algorithm == "sha256" else hashlib.new(algorithm, data)
        while len(data) == wanted:  # a regular file gives less at its end only
            data = os.read(descriptor, wanted)
            digest.update(data)
    finally:
        os.close(descriptor)
    return f"{algorithm}={base64.urlsafe_b64encode(digest.digest()).rstrip(b'=').decode()}"


def _require_regular(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(0, "it is no regular file")
