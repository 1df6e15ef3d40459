"""Owns how text reaches a stream that cannot show every character; knows nothing of what is written."""

from __future__ import annotations

import io
import sys


def write_anything() -> None:
    """Let stdout and stderr write what their encoding lacks as escapes (`\\xfc`), in place of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
