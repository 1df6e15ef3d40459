"""Owns the printing of pylock files: what a resolver answered, sorted, without paths of this machine."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeAlias

from nox_envs.errors import NoxEnvsError
from nox_envs.lockfile.pylock.reading import TOOL, read_pylock
from nox_envs.lockfile.text import Lock, render_header
from nox_envs.pins import Pin, local_path, redact

if TYPE_CHECKING:
    from packaging.pylock import Package, PackageArchive, PackageSdist, PackageWheel

_Field: TypeAlias = tuple[str, str]


def render_pylock(answer: str, lock: Lock, *, path: str, root_url: str) -> str:
    """Render the pylock that a resolver wrote, with the header and annotations of a lock beside it.

    `answer` is the resolver's text, `lock` the same resolution as pins, `path` where the file will be,
    relative to the spec's directory, whose `file:` URL is `root_url`. Raises NoxEnvsError for
    credentials and paths of this machine, all at once.
    """
    pylock = read_pylock(answer, origin=path)
    writer = _Writer(path, root_url, {pin.name: pin for pin in lock.pins if pin.source.editable})
    via = {(pin.name, pin.version): pin.via for pin in lock.pins}
    fields = [
        ("lock-version", _text(str(pylock.lock_version))),
        ("requires-python", _text(str(pylock.requires_python or ""))),
        ("created-by", _text(TOOL)),
    ]
    blocks = ["".join(f"{key} = {value}\n" for key, value in fields if value != '""')]
    ordered = sorted(pylock.packages, key=lambda one: (one.name, str(one.version), str(one.marker)))
    for package in ordered:
        asked = via.get((package.name, "" if package.version is None else str(package.version)))
        blocks.append(writer.package(package, asked or via.get((package.name, ""), ())))
    if not ordered:
        blocks[0] += "packages = []\n"
    if writer.refused:
        raise NoxEnvsError("\n".join(f"{path}: {reason}" for reason in dict.fromkeys(writer.refused)))
    head = render_header(lock.header) + "\n" if lock.header is not None else ""
    return head + "\n".join(blocks)


class _Writer:
    """Print packages, and collect what must not be printed."""

    def __init__(self, path: str, root_url: str, editables: Mapping[str, Pin]) -> None:
        self.refused: list[str] = []
        self._folder = posixpath.dirname(path)
        self._root = local_path(root_url)
        self._editables = editables

    def package(self, package: Package, via: tuple[str, ...]) -> str:
        """Print one table of `packages`."""
        fields = [
            ("name", _text(package.name)),
            ("version", "" if package.version is None else _text(str(package.version))),
            ("marker", "" if package.marker is None else _text(str(package.marker))),
            ("requires-python", _text(str(package.requires_python)) if package.requires_python else ""),
            *self._sources(package),
        ]
        text = "[[packages]]\n" + "".join(f"{key} = {value}\n" for key, value in fields if value)
        if via:
            text += f"\n[packages.tool.{TOOL}]\nvia = {_array(_text(asker) for asker in sorted(via))}\n"
        return text

    def _sources(self, package: Package) -> Iterable[_Field]:
        if package.vcs is not None:
            vcs = package.vcs
            where = [("type", _text(vcs.type)), *self._where(package.name, vcs.url, vcs.path)]
            where.append(("commit-id", _text(vcs.commit_id)))
            yield "vcs", _table([*where, ("subdirectory", _optional(vcs.subdirectory))])
        if package.directory is not None:
            editable = "true" if package.name in self._editables else ""
            where = [*self._where(package.name, None, package.directory.path), ("editable", editable)]
            yield "directory", _table([*where, ("subdirectory", _optional(package.directory.subdirectory))])
        if package.archive is not None:
            yield "archive", self._file(package.name, package.archive)
        if package.sdist is not None:
            yield "sdist", self._file(package.name, package.sdist)
        if package.wheels:
            files = sorted(self._file(package.name, wheel) for wheel in package.wheels)
            yield "wheels", _array(files)

    def _file(self, name: str, file: PackageArchive | PackageSdist | PackageWheel) -> str:
        hashes = [(algorithm, _text(digest)) for algorithm, digest in sorted(file.hashes.items())]
        return _table(
            [
                *self._where(name, file.url, file.path),
                ("upload-time", _time(file.upload_time)),
                ("size", "" if file.size is None else str(file.size)),
                ("hashes", _table(hashes)),
            ]
        )

    def _where(self, name: str, url: str | None, path: str | None) -> Iterable[_Field]:
        if url and url.startswith("file:"):
            yield "path", _text(self._relative(local_path(url)))
        elif url:
            if redact(url) != url:
                self.refused.append(f"{name}: the index gives a URL with credentials: {redact(url)}")
            yield "url", _text(redact(url))
        elif path:
            yield "path", _text(self._relative(path))

    def _relative(self, path: str) -> str:
        here = os.path.join(self._root, *self._folder.split("/"))
        return os.path.relpath(os.path.join(self._root, path), here).replace(os.sep, "/")


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _optional(text: str | None) -> str:
    return _text(text) if text else ""


def _time(time: datetime | None) -> str:
    if time is None:
        return ""
    known = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    return known.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _table(fields: Iterable[_Field]) -> str:
    return "{ " + ", ".join(f"{key} = {value}" for key, value in fields if value) + " }"


def _array(values: Iterable[str]) -> str:
    listed = list(values)
    if len(listed) == 1:
        return f"[{listed[0]}]"
    return "[\n" + "".join(f"    {value},\n" for value in listed) + "]"
