"""Owns the verb diff: what each side of it names, and the comparison of the two; starts no process."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from nox_envs.changes import Comparison, Pair, PinSet, compare, pair
from nox_envs.drift import activate
from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_text
from nox_envs.git_objects import Repository, open_repository
from nox_envs.pins import Pin, local_path
from nox_envs.requirements import project_name
from nox_envs.snapshot import take
from nox_envs.values import replace, value
from nox_envs.workflow.installed_sets import host_of, of_report, of_venv
from nox_envs.workflow.lock_trees import DiskTree, RevisionTree, read_folder, read_lock
from nox_envs.workflow.planning import planned
from nox_envs.workflow.project import Project, unknown_environment


@value
class Review:
    """Hold the outcome of a comparison, what the sides are called, and what is worth a note."""

    comparison: Comparison
    old: str
    new: str
    notes: tuple[str, ...] = ()


@value
class _Side:
    sets: tuple[PinSet, ...]
    notes: tuple[str, ...] = ()


class Reviewer:
    """Compare what two texts name, from the directory `here`.

    Args:
        here: the absolute directory that paths are relative to.
        spec: the path of the spec, which need not exist unless something asks for it.
        project: opens the project of the spec.
        host: returns the marker variables of this platform (PEP 508).
    """

    def __init__(
        self, here: Path, *, spec: Path, project: Callable[[], Project], host: Callable[[], Mapping[str, str]]
    ) -> None:
        self._here = here
        self._has_spec = spec.is_file()
        self._open = project
        self._host = host

    def review(self, old: str, new: str | None) -> Review:
        """Compare two sides: locks, directories of locks, git revisions of either, venvs, reports.

        Without `new` the old side is compared with the same path of the working tree. Raises
        NoxEnvsError for what cannot be found or read.
        """
        if new is None:
            new = self._working_path(old)
        before, after = self._side(old, new), self._side(new, old)
        if not before.sets and not after.sets:
            raise NoxEnvsError(f"neither {old} nor {new} holds a lock; nox-envs list shows what there is")
        pairs = tuple(self._narrowed(one) for one in pair(before.sets, after.sets))
        notes = tuple(dict.fromkeys((*before.notes, *after.notes)))
        return Review(comparison=compare(pairs), old=old, new=new or "the working tree", notes=notes)

    def _working_path(self, old: str) -> str:
        """Return the path of the working tree that a revision's path stands for."""
        if not self._is_revision(old):
            known = self._exists(old) or self._is_environment(old)
            hint = f"name the other side too, such as a revision: nox-envs diff main: {old}"
            raise NoxEnvsError(
                f"{old!r} alone is nothing to compare; {hint}" if known else self._unknown(old)
            )
        _, _, path = old.partition(":")
        if not path:
            return ""
        root = self._repository.root
        found = posixpath.normpath(posixpath.join(*self._in_repository(path)))
        shown = root / found
        here = self._here.resolve()
        return shown.relative_to(here).as_posix() if shown.is_relative_to(here) else str(shown)

    def _side(self, text: str, other: str) -> _Side:
        if not text:
            return self._declared(DiskTree(root=self._project.root), "", "")
        if self._is_environment(text):
            note = f"{text!r} is read as the environment; ./{text} is the directory"
            found = self._environment(text)
            if (self._here / text).is_dir():
                return _Side(sets=found.sets, notes=(*found.notes, note))
            return found
        if self._exists(text):
            return self._path(text)
        if self._is_revision(text):
            return self._revision(text, other)
        raise NoxEnvsError(self._unknown(text))

    def _exists(self, text: str) -> bool:
        try:
            return (self._here / text).exists()
        except (OSError, ValueError):  # a name that is too long, a null byte
            return False

    def _is_file(self, text: str) -> bool:
        return self._exists(text) and (self._here / text).is_file()

    def _is_revision(self, text: str) -> bool:
        return ":" in text and not self._exists(text) and not re.match(r"[A-Za-z]:[\\/]", text)

    def _is_environment(self, text: str) -> bool:
        if not self._has_spec or re.search(r"[/\\:]", text) or self._is_file(text):
            return False
        return any(text in (point.environment, point.session) for point in self._project.points)

    def _unknown(self, text: str) -> str:
        if self._has_spec and re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", text) and not text.endswith(".txt"):
            points = self._project.points
            known = {name for point in points for name in (point.environment, point.session)}
            return f"{unknown_environment(text, known)}; a git revision ends with a colon: {text}:"
        return f"there is no file or directory {text!r}; a git revision ends with a colon: main:"

    # What is on disk

    def _path(self, text: str) -> _Side:
        path = self._here / text
        if path.is_dir():
            if (path / "pyvenv.cfg").is_file():
                return _Side(sets=(of_venv(take(path), name=path.name, environment=path.name),))
            if self._has_spec and path.resolve() == self._project.root.resolve():
                declared = self._declared(DiskTree(root=self._project.root), "", "")
                if declared.sets:
                    return declared
            found = read_folder(DiskTree(root=path), "")
            if not found.sets and not any(path.iterdir()):
                return _Side(sets=())
            if not found.sets:
                raise NoxEnvsError(f"{text}: holds no lock; locks are .txt files with a pin on each line")
            return _Side(sets=found.sets, notes=found.notes)
        if path.suffix == ".json":
            sets, notes = of_report(read_text(path, shown=text), text)
            return _Side(sets=sets, notes=notes)
        return _Side(sets=(read_lock(DiskTree(root=self._here), text),))

    def _environment(self, name: str) -> _Side:
        sets: list[PinSet] = []
        unbuilt: list[str] = []
        for point in self._project.points_of((name,)):
            location = self._project.location(point)
            if location.is_dir():
                sets.append(of_venv(take(location), name=point.session, environment=point.environment))
            else:
                unbuilt.append(point.session)
        if not sets:
            raise NoxEnvsError(f"{name!r} is not built; nox -s {name}")
        notes = (f"not built: {', '.join(unbuilt)}",) if unbuilt else ()
        return _Side(sets=tuple(sets), notes=notes)

    # What git has

    def _revision(self, text: str, other: str) -> _Side:
        revision, _, path = text.partition(":")
        repository = self._repository
        tree = RevisionTree(repository=repository, revision=revision)
        if not revision:
            raise NoxEnvsError(f"{text!r} names no revision; the last commit is HEAD{text}")
        if not path and (not other or ":" in other or not self._is_plain_path(other)):
            repository.tree(revision)
            return self._declared(tree, f"{revision}:", self._prefix(self._project.root))
        folder, name = self._in_repository(path or f"./{other}")
        inside = posixpath.normpath(posixpath.join(folder, name)).removeprefix("./")
        if inside.startswith("../") or inside == "..":
            raise NoxEnvsError(f"{text}: leads out of the git repository {repository.root}")
        inside = "" if inside == "." else inside
        if tree.files(inside) is None:
            return _Side(sets=(read_lock(tree, inside, shown=f"{revision}:"),))
        found = read_folder(tree, inside, shown=f"{revision}:")
        names = tuple(replace(one, name=posixpath.basename(one.name)) for one in found.sets)
        return _Side(sets=names, notes=found.notes)

    def _is_plain_path(self, text: str) -> bool:
        """Tell whether the other side is a path that a revision can have, too."""
        path = self._here / text
        if self._is_environment(text) or not path.exists() or (path / "pyvenv.cfg").is_file():
            return False
        root = self._has_spec and path.resolve() == self._project.root.resolve()
        return path.suffix != ".json" and not (path.is_dir() and root)

    def _in_repository(self, path: str) -> tuple[str, str]:
        """Return where a path of a revision begins, as git has it: `./` is here, else the root."""
        relative = path.startswith(("./", "../")) or path in (".", "..")
        return (self._prefix(self._here) if relative else ""), path

    def _prefix(self, folder: Path) -> str:
        found, root = folder.resolve(), self._repository.root.resolve()
        if not found.is_relative_to(root):
            raise NoxEnvsError(f"{folder} is not in the git repository {root}")
        inside = found.relative_to(root).as_posix()
        return "" if inside == "." else inside

    @cached_property
    def _repository(self) -> Repository:
        found = open_repository(self._here.resolve())
        if found is None:
            raise NoxEnvsError(f"{self._here} is in no git repository, so there is no revision to read")
        return found

    # What the spec declares

    @cached_property
    def _project(self) -> Project:
        return self._open()

    def _declared(self, tree: DiskTree | RevisionTree, shown: str, prefix: str) -> _Side:
        """Read the folders that the spec has its locks in."""
        folders = {posixpath.dirname(made.path) for made in planned(self._project).plans if made.path}
        found = [
            read_folder(tree, posixpath.join(prefix, folder), shown=shown, whole=True)
            for folder in sorted(folders)
        ]
        inside = f"{prefix}/" if prefix else ""
        sets = [replace(one, name=one.name.removeprefix(inside)) for part in found for one in part.sets]
        return _Side(sets=tuple(sets), notes=tuple(note for part in found for note in part.notes))

    # Both sides

    def _narrowed(self, one: Pair) -> Pair:
        """Reduce a lock that stands against a venv to what is meant for that venv."""
        old, new = one.old, one.new
        if old is None or new is None or old.installed == new.installed:
            return one
        venv, lock = (old, new) if old.installed else (new, old)
        if venv.interpreter is not None:
            active, _ = activate(lock.pins, venv.interpreter, host_of(venv, self._host()))
            lock = replace(lock, pins=active)
        pinned = {pin.name for pin in lock.pins}
        kept = tuple(pin for pin in venv.pins if pin.name in pinned or not self._is_own(pin))
        venv = replace(venv, pins=kept)
        return Pair(old=venv, new=lock) if old.installed else Pair(old=lock, new=venv)

    def _is_own(self, pin: Pin) -> bool:
        """Tell whether a distribution is the project itself, which no lock of it holds."""
        root = self._project.root if self._has_spec else self._here
        if pin.source.kind == "directory":
            return local_path(pin.source.url) == str(root)
        return pin.name == project_name(root)
