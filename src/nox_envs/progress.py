"""Owns the line on a terminal that says how far a check of files is; knows nothing of files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TextIO

_WIDTH = 30
_DELAY = 0.3
_PAUSE = 0.1


class Progress:
    """Draw on a terminal how many bytes of all are read, once that takes longer than `delay` seconds."""

    def __init__(self, stream: TextIO, delay: float = _DELAY) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._next = time.monotonic() + delay
        self._drawn = False

    def show(self, done: int, total: int) -> None:
        """Draw, not too often; the line is wiped when all is done. Several threads may call this."""
        with self._lock:
            if done >= total:
                self._wipe()
            elif time.monotonic() >= self._next:
                self._draw(done, total)

    def _draw(self, done: int, total: int) -> None:
        filled = _WIDTH * done // total
        bar = "#" * filled + "-" * (_WIDTH - filled)
        self._stream.write(f"\r[{bar}] {done >> 20} of {total >> 20} MB read")
        self._stream.flush()
        self._next = time.monotonic() + _PAUSE
        self._drawn = True

    def _wipe(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
        self._drawn = False
        self._next = time.monotonic() + _DELAY


def progress_on(stream: TextIO) -> Callable[[int, int], None]:
    """Return what draws progress on `stream`, which does nothing where that is no terminal."""
    return Progress(stream).show if stream.isatty() else _ignore


def _ignore(done: int, total: int) -> None:
    """Draw nothing."""
