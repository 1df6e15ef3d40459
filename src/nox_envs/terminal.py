"""Text on its way to a stream: escaping, redaction, colour."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import TextIO

_COLOURS = {"error": "31", "warning": "33", "note": "36", "clean": "32", "fix": "1", "dim": "2"}

# What precedes the `://` is not matched: in a long text that would take quadratic time.
_USERINFO = r"(?P<ssh>ssh)?://(?P<user>[^/?#\s]*)@"
_VARIABLES = r"\$\{[\w-]+\}(?::\$\{[\w-]+\})?"
_QUERY = r"([?&](?P<name>[^=&?#\s]*))=(?!\$\{[\w-]+\}(?:[&#\s]|$))[^&#\s]+"
_SECRET = r"(?i)token|secret|passw|signature|credential|api[-_]?key|auth(?!or)|^sig$"


def write_anything() -> None:
    """Let stdout and stderr escape what their encoding lacks (`\\xfc`), and swallow all if they are gone."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """Return `text` with everything that a terminal or the log of a CI job could act on escaped."""
    if "##" in text:  # a command of GitHub Actions, Azure Pipelines or TeamCity, anywhere in a line
        text = re.sub(r"##(?=\w*\[)", r"#\\x23", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def harmless(text: str) -> str:
    """Return the lines of `text`, each of them `printable` and none a workflow command of a CI job."""
    escaped = "\n".join(map(printable, text.split("\n")))
    return re.sub(r"(?m)^( *)::", r"\1\\x3a\\x3a", escaped)


def redact(text: str) -> str:
    """Return a text with the credentials of every URL in it removed, and queries named like a secret hidden.

    The bare user of an SSH URL, `git@` and variables such as `${TOKEN}` are not secrets and stay (PEP 610).
    """
    if "://" not in text or ("@" not in text and "=" not in text):
        return text
    text = re.sub(_USERINFO, _without_credentials, text)
    return re.sub(_QUERY, lambda one: f"{one[1]}=****" if re.search(_SECRET, one["name"]) else one[0], text)


def holds_credentials(text: str) -> bool:
    """Return whether a URL in a text carries credentials that `redact` would remove."""
    return redact(text) != text


def _without_credentials(match: re.Match[str]) -> str:
    ssh, user = match["ssh"] or "", match["user"]
    name = user.partition(":")[0]
    if re.fullmatch(_VARIABLES, user):
        return match[0]
    return f"{ssh}://{name}@" if name and (name == "git" or ssh) else f"{ssh}://"


def paint(text: str, name: str, *, colour: bool) -> str:
    """Return a text in a colour: error, warning, note, clean, fix or dim."""
    return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m" if colour else text


def wants_colour(stream: TextIO, environ: Mapping[str, str], choice: str = "auto") -> bool:
    """Return whether to write colours to a stream; `choice` is auto, always or never."""
    plain = environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    forced = environ.get("FORCE_COLOR") or stream.isatty()
    return choice == "always" or (choice == "auto" and not plain and bool(forced))


@contextmanager
def progress(stream: TextIO, text: str) -> Iterator[None]:
    """Show on a terminal what takes longer than a second, and for how long; nothing without a text."""
    if not text or not stream.isatty():
        yield
        return
    from threading import Event, Thread  # most runs are not on a terminal, or have nothing to do

    done = Event()

    def tick() -> None:
        width = 0
        for seconds in count(1):
            if done.wait(1):
                stream.write(f"\r{' ' * width}\r" if width else "")
                stream.flush()
                return
            width = stream.write(f"\r{text}: {seconds} s")
            stream.flush()

    thread = Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
