"""Owns how text reaches a stream: what a terminal would act on, and what its encoding lacks, as escapes."""

from __future__ import annotations

import io
import os
import sys


def write_anything() -> None:
    """Let stdout and stderr write what their encoding lacks as escapes (`\\xfc`), in place of failing.

    One that is closed swallows what is written to it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """Return `text` with all that a terminal or the log of a CI job could act on written as escapes."""
    if "##[" in text:  # a command to the runner of GitHub Actions, wherever it stands in a line
        text = text.replace("##[", "#\\x23[")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def harmless(text: str) -> str:
    """Return the lines of `text`, each of them `printable` and none a command to a CI job's runner."""
    return "\n".join(_line(printable(line)) for line in text.split("\n"))


def _line(text: str) -> str:
    return text.replace("::", "\\x3a\\x3a", 1) if text.lstrip().startswith("::") else text


def forget_reader() -> None:
    """Send what is still to be written to stdout nowhere, since whoever read it went away.

    Without this the interpreter would complain once more at its end.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
