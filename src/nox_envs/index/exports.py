"""Owns the reading of a local OSV export: a folder of JSON files, a .zip of them, or one file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.index.advisories import read_osv
from nox_envs.index.documents import document
from nox_envs.index.types import Vulnerability
from nox_envs.values import value

_LARGEST_RECORD = 1 << 24
_LARGEST_EXPORT = 1 << 31


@value
class Export:
    """Hold the advisories of an export, and the names of the files in it that hold none."""

    vulnerabilities: tuple[Vulnerability, ...]
    unread: tuple[str, ...] = ()


def read_export(path: Path, names: frozenset[str]) -> Export:
    """Read the advisories on the packages `names`, canonical ones.

    A folder is searched with its subfolders. Raises NoxEnvsError where `path` is not there, is no
    such thing or holds not one record.
    """
    found: list[Vulnerability] = []
    unread: list[str] = []
    count = 0
    for name, data in _records(path):
        try:
            told = read_osv(document(data))
        except NoxEnvsError:
            unread.append(name)
            continue
        count += 1
        found += [one for one in told if one.package in names]
    if not count:
        raise NoxEnvsError(
            f"{path}: holds no OSV record; --advisories takes a folder of JSON files, or a .zip of them"
        )
    return Export(vulnerabilities=tuple(found), unread=tuple(unread))


def _records(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            yield from _of_files(sorted(path.rglob("*.json")), path)
        elif path.suffix.lower() == ".zip":
            yield from _of_archive(path)
        else:
            yield from _of_files([path], path.parent)
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        # RuntimeError: an encrypted member; NotImplementedError: an unknown compression.
        reason = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        raise NoxEnvsError(f"{path}: the advisories cannot be read: {reason}") from None


def _of_files(files: list[Path], folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in files:
        if file.is_dir():
            continue
        with file.open("rb") as stream:
            yield file.relative_to(folder).as_posix(), stream.read(_LARGEST_RECORD)


def _of_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".json"):
                continue
            with archive.open(member) as stream:
                data = stream.read(_LARGEST_RECORD)
            total += len(data)
            if total > _LARGEST_EXPORT:
                raise NoxEnvsError(f"{path}: the advisories cannot be read: they are larger than 2 GB")
            yield member.filename, data
