"""Owns the following of requirements files: includes, constraints, cycles; each file is read once."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.errors import FileProblems, Place, Problem
from nox_envs.files import read_text
from nox_envs.pins import redact
from nox_envs.requirements.gathered import DEPTH, Gathered, failed, join
from nox_envs.requirements.project import Pyproject
from nox_envs.requirements.reference import Rejected, declare, parse_reference
from nox_envs.requirements.types import Declared

if TYPE_CHECKING:
    from nox_envs.requirements.pip_format import Line, ParsedFile

_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class RequirementFiles:
    """Gather requirements files below `root`, the spec's directory.

    `prepare` gets the text and the path of each file that is opened and returns what is read of it;
    it keeps the number of lines.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        prepare: Callable[[str, str], str] = lambda text, path: text,
    ) -> None:
        self._root = root
        self._prepare = prepare
        self._environ = environ
        self._gathered: dict[tuple[str, bool], Gathered] = {}
        self._parsed: dict[str, ParsedFile] = {}
        self.has_variables = False
        self._names: dict[str, str] = {}

    def gather(
        self, path: str, *, constraint: bool, asked: Place, key: str = "", stack: tuple[str, ...] = ()
    ) -> Gathered:
        """Gather a file and what it includes; its `why` chains begin with its path.

        Args:
            path: POSIX, relative to the spec's directory.
            constraint: everything in it is a constraint, as uv has it, also what `-r` includes.
            asked: where the file is asked for, for the problems, and `key` the path there.
            stack: the files that lead here, for cycles.
        """
        if _REMOTE.match(path) or "://" in path:
            return failed(asked, f"{redact(path)!r} is not read: it is not a file of the project", path=key)
        shown = posixpath.normpath(path)
        if posixpath.isabs(shown) or not path.strip():
            hint = "write it relative to the spec"
            return failed(asked, f"{path!r} is no path inside the project", hint, path=key)
        if shown in stack:
            cycle = " -> ".join((*stack[stack.index(shown) :], shown))
            return failed(asked, f"{shown} includes itself: {cycle}", path=key)
        if len(stack) >= DEPTH:
            return failed(asked, f"files include each other more than {DEPTH} deep", path=key)
        found = self._gathered.get((shown, constraint))
        if found is None:
            found = self._follow(shown, constraint, asked, key, stack)
            self._gathered[shown, constraint] = found
        return found

    def _follow(
        self, path: str, constraint: bool, asked: Place, key: str, stack: tuple[str, ...]
    ) -> Gathered:
        try:
            parsed = self._parse(path)
        except FileProblems as error:
            return Gathered(problems=self._unread(path, error, asked, key))
        own: list[Declared] = []
        problems = list(parsed.problems)
        parts: list[Gathered] = []
        for line in parsed.lines:
            place = Place(origin=path, line=line.number)
            if line.kind in ("requirement", "editable"):
                declared = self._declared(line, path, place, constraint)
                if isinstance(declared, Declared):
                    own.append(declared)
                else:
                    problems.append(declared)
            else:
                nested = posixpath.join(posixpath.dirname(path), line.text)
                limits = constraint or line.kind == "constraints"
                if _REMOTE.match(line.text):
                    nested = line.text
                part = self.gather(nested, constraint=limits, asked=place, stack=(*stack, path))
                parts.append(part.below(path))
        mine = Gathered(
            requirements=() if constraint else tuple(own),
            constraints=tuple(own) if constraint else (),
            problems=tuple(problems),
        )
        return join((mine, *parts), place=asked, path=key) if parts else mine

    @property
    def read(self) -> tuple[str, ...]:
        """Return the files that were read, as they were named."""
        return tuple(self._parsed)

    def _parse(self, path: str) -> ParsedFile:
        if path not in self._parsed:
            from nox_envs.requirements.pip_format import parse

            text = self._prepare(read_text(self._root / path, shown=path), path)
            self.has_variables = self.has_variables or "${" in text
            self._parsed[path] = parse(text, origin=path, environ=self._environ)
        return self._parsed[path]

    def _unread(self, path: str, error: FileProblems, asked: Place, key: str) -> tuple[Problem, ...]:
        """Say where a file was asked for; of a file that is there, where in it the problem is."""
        if os.path.isfile(self._root / path):  # noqa: PTH113, Path's own raises for a name that is too long
            return error.problems
        hint = self._near(path)
        return tuple(
            Problem(place=asked, path=key, message=f"{path}: {problem.message}", hint=hint)
            for problem in error.problems
        )

    def _near(self, path: str) -> str:
        from difflib import get_close_matches

        folder, name = posixpath.split(path)
        try:
            siblings = sorted(entry.name for entry in (self._root / folder).iterdir() if entry.is_file())
        except (OSError, ValueError):
            return ""
        near = get_close_matches(name, siblings, n=1)
        return f"perhaps {posixpath.join(folder, near[0])}" if near else ""

    def _declared(self, line: Line, path: str, place: Place, constraint: bool) -> Declared | Problem:
        reference = parse_reference(line.text, loose=True)
        if isinstance(reference, Rejected):
            return self._unset(line, place) or Problem(
                place=place, message=reference.message, hint=reference.hint
            )
        editable = line.kind == "editable"
        if editable and not reference.path and "+" not in reference.url.partition(":")[0]:
            message = f"{line.text!r} cannot be installed editable"
            return Problem(place=place, message=message, hint="write -e ./folder, or -e git+https://…")
        if constraint and (editable or not reference.name):
            message = "a constraint names a package, it is neither editable nor a bare path or URL"
            return Problem(place=place, message=message)
        rebased = self._rebased(reference.path, posixpath.dirname(path))
        return declare(
            reference,
            why=(path,),
            place=place,
            name=reference.name or self.name_at(rebased),
            extras=() if constraint else None,
            path=rebased,
            editable=editable,
            hashes=line.hashes,
        )

    def _unset(self, line: Line, place: Place) -> Problem | None:
        """Return the problem that a line needs variables that are not set, None if it does not."""
        from nox_envs.requirements.pip_format import unset_variables

        names = unset_variables(line.text, self._environ)
        if not names:
            return None
        told = f"variable {names[0]} is" if len(names) == 1 else f"variables {' and '.join(names)} are"
        message = f"{redact(line.text)[:80]!r}: the {told} not set"
        return Problem(place=place, message=message, hint="set it, or write the value")

    def _rebased(self, path: str, folder: str) -> str:
        """Return a local path relative to the spec's directory.

        For pip it is that already (pip resolves it against the working directory); where nothing is
        there, it is meant relative to the file.
        """
        if not path or not folder or self._installable(path):
            return path
        other = posixpath.normpath(posixpath.join(folder, path))
        return relative(other) if self._installable(other) else path

    def _installable(self, path: str) -> bool:
        target = self._root / path
        try:
            return target.is_file() or any(
                (target / name).is_file() for name in ("pyproject.toml", "setup.py")
            )
        except (OSError, ValueError):
            return False

    def name_at(self, path: str) -> str:
        """Return the canonical name of the project in a local directory, empty if it is not static."""
        if not path:
            return ""
        if path not in self._names:
            self._names[path] = Pyproject(self._root / path).name
        return self._names[path]


def relative(path: str) -> str:
    """Return a normal relative path in the form of `Declared.path`."""
    return path if path == "." or path.startswith("..") else f"./{path}"
