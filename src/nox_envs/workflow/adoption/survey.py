"""Owns the search of a project for requirements files and locks; writes nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from nox_envs.errors import FileProblems
from nox_envs.files import read_text
from nox_envs.workflow.adoption.compiled import is_ours, recognize
from nox_envs.workflow.adoption.inputs import Inputs
from nox_envs.workflow.adoption.types import Compiled, InputFile, Survey

_DEPTH = 3
_MOST_FOLDERS = 5_000
_SKIPPED = frozenset({"node_modules", "site-packages", "build", "dist", "venv", "env"})
_FOLDER = re.compile(r"(?:requirements?|reqs|deps|dependencies)", re.IGNORECASE)
_FILE = re.compile(r"(?:^|[-_.])(?:requirements?|reqs|constraints?)(?=[-_.])", re.IGNORECASE)
_CONSTRAINTS = re.compile(r"constraints?", re.IGNORECASE)
_USUAL_FOLDERS = frozenset({"", "docs", "doc", "tests", "test"})


def survey(root: Path, environ: Mapping[str, str]) -> Survey:
    """Find the requirements files of a project, and the locks that were made of them.

    `environ` are the variables that requirements files may name. Looked at are `.in` files that have a
    lock beside them or are named after requirements, and `.txt` files so named at the top, in folders
    such as requirements/, docs/ and tests/.
    """
    paths = tuple(_files(root))
    sources = _sources(root, paths)
    standalone = _standalone(root, paths, {lock.path for lock in sources.values() if lock})
    locks = [lock for lock in standalone.values() if lock is not None]
    written = {**sources, **{path: None for path, lock in standalone.items() if lock is None}}
    inputs = Inputs(root, environ, frozenset(written))
    inputs.notes += _no_locks(root, paths, sources)
    references = {path: inputs.references(path) for path in written}
    included = {one for files, _ in references.values() for one in files}
    limiting = {one for _, files in references.values() for one in files}
    found: list[InputFile] = []
    for path in sorted(written):
        lock = written[path]
        if lock is None and path not in included and (path in limiting or _is_constraints(path)):
            if path not in limiting:
                inputs.notes.append(
                    f"{path}: no file asks for it; name it under 'constraints' where it counts"
                )
            continue
        one = inputs.read(path, lock)
        if one is not None and (one.items or one.includes or lock):
            found.append(one)
    kept = tuple(lock for lock in locks if lock.path not in limiting and "{" not in lock.path)
    return Survey(inputs=tuple(found), locks=kept, notes=tuple(dict.fromkeys(inputs.notes)))


def _no_locks(root: Path, paths: tuple[str, ...], sources: Mapping[str, Compiled | None]) -> list[str]:
    """Say which files beside a `.in` are no locks of it."""
    beside = {path: f"{path.removesuffix('.in')}.txt" for path, lock in sources.items() if lock is None}
    return [
        f"{other}: is not taken for the lock of {path}: not every line of it is a pin"
        for path, other in beside.items()
        if other in paths and not is_ours(_text(root, other) or "")
    ]


def _files(root: Path) -> Iterator[str]:
    """Return the `.in` and `.txt` files that are not too deep, sorted, relative to the root."""
    for folders, (folder, names, files) in enumerate(os.walk(root)):
        relative = Path(folder).relative_to(root)
        deep = len(relative.parts) >= _DEPTH or folders > _MOST_FOLDERS
        names[:] = [] if deep else sorted(name for name in names if _is_searched(Path(folder, name)))
        for name in sorted(files):
            if name.endswith((".in", ".txt")):
                yield (relative / name).as_posix()


def _is_searched(folder: Path) -> bool:
    if folder.name.startswith((".", "__")) or folder.name in _SKIPPED or folder.name.endswith(".egg-info"):
        return False
    return not (folder / "pyvenv.cfg").exists()


def _sources(root: Path, paths: tuple[str, ...]) -> dict[str, Compiled | None]:
    """Return the `.in` files with the locks beside them."""
    found: dict[str, Compiled | None] = {}
    for path in paths:
        if not path.endswith(".in"):
            continue
        beside = f"{path.removesuffix('.in')}.txt"
        text = _text(root, beside) if beside in paths else None
        lock = recognize(text, beside, beside_input=True) if text is not None else None
        if lock is not None or _is_named_so(path):
            found[path] = lock
    return found


def _standalone(root: Path, paths: tuple[str, ...], known: set[str]) -> dict[str, Compiled | None]:
    """Return the `.txt` files without a `.in`: locks, or None for what people write."""
    found: dict[str, Compiled | None] = {}
    for path in paths:
        source = f"{path.removesuffix('.txt')}.in"
        folder = path.rpartition("/")[0]
        usual = folder in _USUAL_FOLDERS or _FOLDER.fullmatch(folder.rpartition("/")[2])
        if not path.endswith(".txt") or path in known or source in paths or not usual:
            continue
        text = _text(root, path) if _is_named_so(path) else ""
        if text is None:
            found[path] = None
        elif text.strip() and not is_ours(text):
            found[path] = recognize(text, path, beside_input=False)
    return found


def _is_named_so(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return _FILE.search(name) is not None or _FOLDER.fullmatch(folder.rpartition("/")[2]) is not None


def _is_constraints(path: str) -> bool:
    return _CONSTRAINTS.search(path.rpartition("/")[2]) is not None


def _text(root: Path, path: str) -> str | None:
    """Return the text of a file, None for one that cannot be read."""
    try:
        return read_text(root / path, shown=path)
    except FileProblems:
        return None
