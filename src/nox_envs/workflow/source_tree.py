"""Owns the fingerprint of sources in a directory: does an installed build still stand for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nox_envs.pins import Source, local_path

_METADATA = ("pyproject.toml", "setup.py", "setup.cfg")
_GENERATED = frozenset({"__pycache__", "node_modules"})
_BUILT = frozenset({"build", "dist"})  # at the top only: a package may have such a name


def fingerprint(root: Path, *, editable: bool) -> str:
    """Return `sha256:…` over what a build of the project at `root` depends on.

    For an editable install these are the files its metadata comes from, by content; for a wheel all
    files outside hidden, build and venv folders, by name, size and modification time.
    """
    digest = hashlib.sha256(b"editable" if editable else b"wheel")
    for name in _METADATA:
        file = root / name
        digest.update(name.encode() + (file.read_bytes() if file.is_file() else b""))
    if not editable:
        for entry in sorted(_files(str(root), "", _GENERATED | _BUILT)):
            digest.update(entry.encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def tree_of(source: Source) -> str:
    """Return the fingerprint of the directory that a source names, empty for another kind of source."""
    if source.kind != "directory":
        return ""
    return fingerprint(Path(local_path(source.url), source.subdirectory), editable=source.editable)


def _files(folder: str, prefix: str, skipped: frozenset[str]) -> Iterator[str]:
    for entry in _entries(folder):
        name = entry.name
        if name.startswith(".") or name in skipped or name.endswith((".egg-info", ".pyc")):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not Path(entry.path, "pyvenv.cfg").exists():
                yield from _files(entry.path, f"{prefix}{name}/", _GENERATED)
        else:
            # Another session may remove its files meanwhile; those were no source.
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                yield f"{prefix}{name} {status.st_size} {status.st_mtime_ns}\n"


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
