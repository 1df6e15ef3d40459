"""Owns the object store of a repository: loose objects, packs and alternates; knows no name of a commit."""

from __future__ import annotations

import hashlib
import re
import zlib
from functools import cached_property
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_head
from nox_envs.git_objects.packs import MAX_SIZE, Pack, StoredObject, inflate

_LOOSE_HEAD = re.compile(rb"(commit|tree|blob|tag) (0|[1-9][0-9]{0,9})\0")
_MAX_ALTERNATES = 20
_MAX_NAMES = 1 << 16


class MissingObject(NoxEnvsError):
    """Stop because an object that is referred to is not in the store: a shallow or partial clone."""


class ObjectStore:
    """Read the objects below the directory `objects`, and below those that it borrows from."""

    def __init__(self, objects: Path) -> None:
        self._folders = _with_alternates(objects)

    def read(self, wanted: str) -> StoredObject:
        """Return an object by its whole id.

        Raises MissingObject where there is none, NoxEnvsError where its content is not what its id says.
        """
        found = self._loose(wanted) or self._packed(wanted)
        if found is None:
            raise MissingObject(
                f"the git object {wanted} is not in this clone; a shallow or partial clone leaves some out:"
                " git fetch --unshallow brings them"
            )
        head = f"{found.kind} {len(found.data)}".encode() + b"\0"
        if hashlib.sha1(head + found.data, usedforsecurity=False).hexdigest() != wanted:
            raise NoxEnvsError(f"the git object {wanted} is damaged; git fsck tells more")
        return found

    def matching(self, prefix: str) -> tuple[str, ...]:
        """Return the ids that begin with `prefix` (lower case, at least two digits), sorted."""
        found = {one for pack in self._packs for one in pack.matching(prefix)}
        for folder in self._folders:
            for file in (folder / prefix[:2]).glob(f"{prefix[2:]}*"):
                if len(file.name) == 38:
                    found.add(prefix[:2] + file.name)
        return tuple(sorted(found))

    @cached_property
    def _packs(self) -> tuple[Pack, ...]:
        indexes = (index for folder in self._folders for index in sorted((folder / "pack").glob("*.idx")))
        return tuple(Pack(i) for i in indexes if i.is_file() and i.with_suffix(".pack").is_file())

    def _packed(self, wanted: str) -> StoredObject | None:
        found = (pack.read(wanted) for pack in self._packs)
        return next((one for one in found if one is not None), None)

    def _loose(self, wanted: str) -> StoredObject | None:
        for folder in self._folders:
            file = folder / wanted[:2] / wanted[2:]
            if file.is_file():
                return _read_loose(file, wanted)
        return None


def _read_loose(file: Path, wanted: str) -> StoredObject:
    with file.open("rb") as stream:
        try:
            head = zlib.decompressobj().decompress(stream.read(256), 64)
        except zlib.error:
            head = b""
        match = _LOOSE_HEAD.match(head)
        if match is None:
            raise NoxEnvsError(f"the git object {wanted} is damaged; git fsck tells more")
        if int(match[2]) > MAX_SIZE:
            raise NoxEnvsError(f"the git object {wanted} has {match[2].decode()} bytes; that is no lock")
        stream.seek(0)
        try:
            data = inflate(stream, int(match[2]) + match.end())
        except ValueError as error:
            raise NoxEnvsError(f"the git object {wanted} is damaged: {error}") from None
    return StoredObject(kind=match[1].decode(), data=data[match.end() :])


def _with_alternates(objects: Path) -> tuple[Path, ...]:
    """Return the directory and all that it borrows objects from (gitrepository-layout(5))."""
    found = [objects]
    for folder in found:
        try:
            text = read_head(str(folder / "info" / "alternates"), _MAX_NAMES).decode("utf-8")
        except (OSError, ValueError):
            continue
        for line in () if "\0" in text else text.splitlines():
            borrowed = folder / line
            if line and not line.startswith("#") and borrowed not in found and len(found) < _MAX_ALTERNATES:
                found.append(borrowed)
    return tuple(found)
