"""The memory of an expanded spec, so that a run without changes need not read YAML."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from itertools import starmap
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from nox_envs.codec import decode
from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_bytes, write_atomically
from nox_envs.spec.types import Point
from nox_envs.values import given


class Row(NamedTuple):
    """What nox needs of a point to list and select its session: fields of the point.

    A named tuple: a large project has thousands, and every run creates them all.
    """

    environment: str
    session: str
    python: str | None
    description: str
    tags: tuple[str, ...]
    requires: tuple[str, ...]
    backend: str | None
    default: bool


def row_of(point: Point) -> Row:
    """Return what nox needs to know of a point."""
    row = Row(*[getattr(point, name) for name in Row.__annotations__])
    return row._replace(requires=tuple([one.text for one in point.requires]))


class Memory:
    """Remember the points of one spec in `file`; only for the same bytes of the spec and the same code.

    The file holds the key with a checksum, the rows, and then each point on a line of its own, so that a run
    reads only the point that it needs.
    """

    def __init__(self, file: Path, spec: bytes, names: tuple[str, ...]) -> None:
        self.key = _key(spec, names)
        self._file = file
        self._lines: list[bytes] = []

    def rows(self) -> tuple[Row, ...] | None:
        """Return the rows of the spec, in order, or None if it is not remembered."""
        try:
            head, _, content = read_bytes(self._file, 1 << 26).partition(b"\n")
            if head.decode() != f"{self.key} {crc32(content)}":
                return None
            rows, *lines = content.splitlines()
            found = json.loads(rows)
            columns = [[tuple(one) if isinstance(one, list) else one for one in row] for row in found]
            recalled = tuple(starmap(Row, columns))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        if not recalled or len(recalled) != len(lines):
            return None
        self._lines = lines
        return recalled

    def point(self, number: int) -> Point | None:
        """Return the point of row `number` (from 0) of those recalled, None if it is not remembered."""
        try:
            return decode(Point, json.loads(self._lines[number]))
        except (IndexError, ValueError, RecursionError):
            return None

    def points(self) -> tuple[Point, ...] | None:
        """Return all points of the spec, or None if one of them is not remembered."""
        found = [self.point(number) for number in range(len(self.rows() or ()))]
        known = tuple(point for point in found if point is not None)
        return known if known and len(known) == len(found) else None

    def remember(self, points: tuple[Point, ...]) -> bool:
        """Remember the points of the spec; return False where nox has no folder to keep them in yet."""
        if not self._file.parent.parent.is_dir():
            return False
        lines = [list(map(row_of, points)), *points]
        text = "\n".join([json.dumps(line, separators=(",", ":"), default=given) for line in lines])
        with suppress(NoxEnvsError):  # a folder that cannot be written costs time, nothing else
            write_atomically(self._file, f"{self.key} {crc32(text.encode())}\n{text}", durable=False)
        return True


def _key(spec: bytes, names: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\0".join(names).encode() + b"\0" + spec)
    for folder, _, files in sorted(os.walk(Path(__file__).parent)):
        for path in [os.path.join(folder, name) for name in sorted(files) if name.endswith(".py")]:
            status = os.stat(path)  # noqa: PTH116, hot
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
