"""Owns where locks may be that nothing declares; looks at names only."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

# Where locks are unless a spec says otherwise.
_FOLDERS = ("requirements", "")
_NAMES = ("*.txt", "pylock.*.toml")


def undeclared(root: Path, declared: Collection[str]) -> tuple[str, ...]:
    """Return the files beside the declared locks that have the name of one, sorted.

    `declared` and what is returned are relative to `root`, with `/`.
    """
    folders = {root / folder for folder in (*(str(Path(path).parent) for path in declared), *_FOLDERS)}
    files = {file for folder in folders for pattern in _NAMES for file in folder.glob(pattern)}
    paths = (file.relative_to(root).as_posix() for file in files if file.is_file())
    return tuple(sorted(path for path in paths if path not in declared))
