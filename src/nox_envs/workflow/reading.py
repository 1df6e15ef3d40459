"""Owns the reading of a project's own files, its spec and its locks; judges nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.errors import FileProblems
from nox_envs.files import from_here, read_text
from nox_envs.values import replace

if TYPE_CHECKING:
    from nox_envs.lockfile.text import Lock


def spec_text(path: Path) -> str:
    """Read the text of a spec; raises FileProblems, with what to type where there is none."""
    try:
        return read_text(path, shown=from_here(path))
    except FileProblems as error:
        if any(problem.message != "no such file" for problem in error.problems):
            raise
        hint = "nox-envs init writes one; or name it with --spec"
        raise FileProblems(tuple(replace(problem, hint=hint) for problem in error.problems)) from None


def read_lock(file: Path, path: str) -> Lock:
    """Read a lock, a pylock if that is its name; `path` is what messages call it. Raises FileProblems."""
    text = read_text(file, shown=path)
    if path.endswith(".toml"):
        from nox_envs.lockfile.pylock import parse_pylock

        return parse_pylock(text, origin=path)
    from nox_envs.lockfile.text import parse

    return parse(text, origin=path)
