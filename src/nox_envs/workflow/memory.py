"""Owns what is remembered of a spec between runs, so that a run without changes need not read YAML.

A memory belongs to the exact bytes of a spec and to the code that read it; with any other bytes or code
there is none. It holds nothing about venvs or locks: these are looked at on every run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from zlib import crc32

from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_head, write_atomically
from nox_envs.values import fields

if TYPE_CHECKING:
    from nox_envs.matrix import Point
    from nox_envs.spec.types import Pairs

_FILE = "spec"
_LIMIT = 1 << 26


class SessionRow(NamedTuple):
    """Hold what nox has to know of a point to list and to select its session.

    A named tuple, for a large project has thousands and every run makes them all.
    """

    environment: str
    session: str
    python: str | None
    axes: Pairs
    description: str
    tags: tuple[str, ...]
    requires: tuple[str, ...]
    backend: str | None
    default: bool


def row_of(point: Point) -> SessionRow:
    """Return what nox has to know of a point."""
    return SessionRow(
        environment=point.environment,
        session=point.session,
        python=point.python,
        axes=point.axes,
        description=point.description,
        tags=point.tags,
        requires=point.requires,
        backend=point.backend,
        default=point.default,
    )


class Memory:
    """Remember the points of one spec in the folder `state`, if it is there to write to.

    The file holds the key, the sessions and then each point on a line of its own, so that a run reads
    the one it needs.
    """

    def __init__(self, state: Path, spec: bytes, names: tuple[str, ...]) -> None:
        self.key = _key(spec, names)
        self._file = state / _FILE
        self._points: bytes = b""

    def recall(self) -> tuple[SessionRow, ...] | None:
        """Return the sessions of the spec, in order, or None if it is not remembered."""
        try:
            key, rows, points = read_head(str(self._file), _LIMIT).split(b"\n", 2)
            if key.decode() != self.key or points.count(b"\n") != len(found := json.loads(opened(rows))):
                return None
            recalled = tuple([_row(*columns) for columns in found])
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        self._points = points
        return recalled

    def point(self, number: int) -> Point | None:
        """Return the point of the session in place `number` of those recalled, from 0."""
        lines = self._points.split(b"\n")
        return _point(lines[number]) if number < len(lines) else None

    def points(self) -> tuple[Point, ...] | None:
        """Return all points of the spec, or None if one of them is not remembered."""
        number = len(self.recall() or ())
        found = [_point(line) for line in self._points.split(b"\n")[:number]]
        known = tuple(point for point in found if point is not None)
        return known if known and len(known) == len(found) else None

    def remember(self, points: tuple[Point, ...]) -> None:
        """Remember the points of the spec; nothing happens where nox has no folder yet."""
        if not self._file.parent.parent.is_dir():
            return
        lines = [self.key, sealed(json.dumps(tuple(map(row_of, points))))]
        lines += [sealed(json.dumps(plain(point), separators=(",", ":"))) for point in points]
        with suppress(NoxEnvsError):  # a folder that cannot be written costs time, nothing else
            write_atomically(self._file, "\n".join(lines) + "\n", durable=False)


def _key(spec: bytes, names: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\0".join(names).encode() + b"\0" + spec)
    for entry in _sources(str(Path(__file__).parent.parent)):
        status = entry.stat()
        digest.update(f"{entry.path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _sources(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                yield entry
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _sources(entry.path)


def _point(line: bytes) -> Point | None:
    try:
        return cast("Point", restored(json.loads(opened(line))))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _row(
    environment: str,
    session: str,
    python: str | None,
    axes: list[list[str]],
    description: str,
    tags: list[str],
    requires: list[str],
    backend: str | None,
    default: bool,
) -> SessionRow:
    pairs = tuple([(name, chosen) for name, chosen in axes])
    return SessionRow(
        environment, session, python, pairs, description, tuple(tags), tuple(requires), backend, default
    )


def sealed(line: str) -> str:
    """Return an ASCII line behind its checksum, by which `opened` tells that it is damaged."""
    return f"{crc32(line.encode('ascii')):08x}{line}"


def opened(line: bytes) -> bytes:
    """Return the line that `sealed` was given; raises ValueError if it is damaged."""
    content = line[8:]
    if line[:8] != b"%08x" % crc32(content):
        raise ValueError("damaged")
    return content


def plain(content: object) -> object:
    """Return a value as JSON has it: `{"Class": {field: …}}`, tuples as lists."""
    if isinstance(content, tuple):
        return [plain(one) for one in content]
    if content is None or isinstance(content, str | bool | int):
        return content
    return {type(content).__name__: {name: plain(getattr(content, name)) for name in fields(content)}}


def restored(content: object) -> object:
    """Return the value that `plain` made this JSON of; raises AttributeError, TypeError, ValueError."""
    if isinstance(content, list):
        return tuple([restored(one) for one in content])
    if isinstance(content, dict):
        ((name, found),) = content.items()
        return _class(name)(**{key: restored(one) for key, one in found.items()})
    return content


def _class(name: str) -> type[object]:
    if name in _ELSEWHERE:
        module = import_module(f"nox_envs.{_ELSEWHERE[name]}")
    else:
        from nox_envs.spec import types as module
    made: type[object] = getattr(module, name)
    return made


_ELSEWHERE = {
    "Point": "matrix",
    "Place": "errors",
    "LockPlan": "lockfile.plan",
    "Declared": "requirements.types",
}
