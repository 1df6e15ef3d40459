"""Owns what is remembered of a spec between runs, so that a run without changes need not read YAML.

A memory belongs to the exact bytes of a spec and to the code that read it; with any other bytes or code
there is none. It holds nothing about venvs or locks: these are looked at on every run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

from nox_envs import errors
from nox_envs.errors import NoxEnvsError
from nox_envs.files import write_atomically
from nox_envs.lockfile.plan import LockPlan
from nox_envs.matrix.point import Point
from nox_envs.requirements import Declared
from nox_envs.spec import types
from nox_envs.spec.types import Pairs
from nox_envs.values import fields, replace

_FILE = "spec"
_LIMIT = 1 << 26
_READERS = ("document", "spec", "matrix", "requirements", "lockfile", "pins")


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
        self._file = state / _FILE
        self._state = state
        self._key = _key(spec, names)
        self._points: bytes = b""

    def plan(self, point: Point, venv: str, root: Path) -> PlanMemory:
        """Return the memory of the lock plan of a point; `venv` is the name of its venv's directory."""
        file = self._state / "plans" / f"{venv}.json"
        return PlanMemory(file, f"{self._key} {point.session} {point.python}", root)

    def recall(self) -> tuple[SessionRow, ...] | None:
        """Return the sessions of the spec, in order, or None if it is not remembered."""
        try:
            with self._file.open("rb") as stream:
                key, rows, points = stream.read(_LIMIT).split(b"\n", 2)
            if key.decode() != self._key or points.count(b"\n") != len(found := json.loads(rows)):
                return None
            recalled = tuple([_row(*columns) for columns in found])
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        self._points = points
        return recalled

    def point(self, number: int) -> Point | None:
        """Return the point of the session in place `number` of those recalled, from 0."""
        try:
            return cast("Point", _restored(json.loads(self._points.split(b"\n")[number])))
        except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
            return None

    def remember(self, points: tuple[Point, ...]) -> None:
        """Remember the points of the spec; nothing happens where nox has no folder yet."""
        if not self._file.parent.parent.is_dir():
            return
        lines = [self._key, json.dumps(tuple(map(row_of, points)))]
        lines += [json.dumps(_plain(point), separators=(",", ":")) for point in points]
        with suppress(NoxEnvsError):  # a folder that cannot be written costs time, nothing else
            write_atomically(self._file, "\n".join(lines) + "\n", durable=False)


class PlanMemory:
    """Remember the lock plan of one session, as long as the spec and the files it came from are the same.

    `file` belongs to the session alone, so that sessions at the same time do not disturb each other.
    """

    def __init__(self, file: Path, key: str, root: Path) -> None:
        self._file = file
        self._key = key
        self._root = root

    def recall(self) -> LockPlan | None:
        """Return the plan, or None if it is not remembered or one of its files is another by now."""
        try:
            with self._file.open("rb") as stream:
                document = json.loads(stream.read(_LIMIT))
            if document["key"] != self._key or self._digests(document["files"]) != document["files"]:
                return None
            return cast("LockPlan", _restored(document["plan"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def remember(self, plan: LockPlan, point: Point, files: tuple[str, ...]) -> None:
        """Remember a plan for one of its points; `files` are those it was composed from.

        A plan that depends on more than the spec and these files is not remembered: on local paths,
        other locks, dynamic metadata or locks that others made.
        """
        alone = replace(plan, points=(point,))
        paths = any(declared.path for declared in (*plan.requirements, *plan.constraints))
        more = plan.layers or plan.related or plan.dynamic_extras is not None or plan.options.managed is False
        if paths or more or plan.options.group or alone.digest != plan.digest:
            return
        document = {"key": self._key, "files": self._digests(files), "plan": _plain(alone)}
        with suppress(NoxEnvsError):
            write_atomically(self._file, json.dumps(document, separators=(",", ":")), durable=False)

    def _digests(self, files: Iterable[str]) -> dict[str, str]:
        return {name: self._digest(self._root / name) for name in files}

    @staticmethod
    def _digest(file: Path) -> str:
        try:
            return hashlib.sha256(file.read_bytes()).hexdigest()
        except FileNotFoundError:
            return ""


def _key(spec: bytes, names: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\0".join(names).encode() + b"\0" + spec)
    package = str(Path(__file__).parent.parent)
    for reader in _READERS:
        for entry in _sources(f"{package}{os.sep}{reader}"):
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


def _plain(content: object) -> object:
    """Return a value as JSON has it: `{"Class": {field: …}}`, tuples as lists."""
    if isinstance(content, tuple):
        return [_plain(one) for one in content]
    if content is None or isinstance(content, str | bool | int):
        return content
    return {type(content).__name__: {name: _plain(getattr(content, name)) for name in fields(content)}}


def _restored(content: object) -> object:
    if isinstance(content, list):
        return tuple([_restored(one) for one in content])
    if isinstance(content, dict):
        ((name, found),) = content.items()
        return _class(name)(**{key: _restored(one) for key, one in found.items()})
    return content


def _class(name: str) -> type[object]:
    if name in ("Point", "Declared", "LockPlan"):
        return {"Point": Point, "Declared": Declared, "LockPlan": LockPlan}[name]
    made: type[object] = getattr(errors if name == "Place" else types, name)
    return made
