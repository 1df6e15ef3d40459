"""Owns the reading of one requirements file for adoption: what its set holds, and what it cannot."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from nox_envs.errors import FileProblems, Place
from nox_envs.files import read_text
from nox_envs.pins import redact
from nox_envs.requirements.from_files import RequirementFiles
from nox_envs.requirements.pip_format import Line, ParsedFile, parse
from nox_envs.requirements.reference import Rejected, parse_reference
from nox_envs.workflow.adoption.types import Compiled, InputFile
from nox_envs.workflow.adoption.yaml_text import flow_list, item, mapping_item

_OWN = re.compile(r"(?:file:)?\./?(?:\[(?P<extras>[\w.,\s-]*)\])?")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class Inputs:
    """Read requirements files below `root`; `notes` collects what could not be taken over.

    `known` are the files that have a requirement set of their own, which another may include.
    """

    def __init__(self, root: Path, environ: Mapping[str, str], known: frozenset[str]) -> None:
        self._root = root
        self._environ = environ
        self._known = known
        self._files = RequirementFiles(root, environ)
        self.notes: list[str] = []

    def parsed(self, path: str) -> ParsedFile | None:
        """Return the lines of a file, None (and a note) where it cannot be read."""
        try:
            text = read_text(self._root / path, shown=path)
        except FileProblems as error:
            self.notes.append(f"{path}: {error.problems[0].message}")
            return None
        return parse(text, origin=path, environ=self._environ)

    def references(self, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the files that a file includes, and those that it is constrained by."""
        try:
            text = read_text(self._root / path, shown=path)
        except FileProblems:
            return (), ()
        lines = parse(text, origin=path, environ=self._environ).lines
        included = tuple(_beside(path, one.text) for one in lines if one.kind == "requirements")
        return included, tuple(_beside(path, one.text) for one in lines if one.kind == "constraints")

    def read(self, path: str, lock: Compiled | None) -> InputFile | None:
        """Read a file whole where the spec's reader takes it as it is, else line by line.

        Returns None where nothing of it can be used.
        """
        if "{" in path or "}" in path:
            self.notes.append(f"{path}: a path with a brace cannot be named in a spec")
            return None
        gathered = self._files.gather(path, constraint=False, asked=Place(origin=path))
        names = tuple(sorted({one.name for one in gathered.requirements if one.name}))
        if not gathered.problems:
            self._tell_of_editables(path)
            return InputFile(path=path, lock=lock, items=(mapping_item("file", path),), names=names)
        parsed = self.parsed(path)
        if parsed is None:
            return None
        own = [problem for problem in gathered.problems if problem.place.origin == path]
        self.notes += [
            f"{problem.place}: {redact(problem.message)}{f' ({problem.hint})' if problem.hint else ''}"
            for problem in own
        ]
        items, limits = self._lines(path, parsed)
        package = next((one for line in parsed.lines if (one := _package(line))), "")
        return InputFile(
            path=path,
            lock=lock,
            items=items,
            includes=self._includes(path, parsed),
            constraints=limits,
            names=names,
            package=package,
        )

    def _tell_of_editables(self, path: str) -> None:
        parsed = self.parsed(path)
        for line in parsed.lines if parsed else ():
            if line.kind == "editable":
                hint = "; 'package: editable' of the environment does it better" if _package(line) else ""
                self.notes.append(f"{path}:{line.number}: -e {redact(line.text)} goes into the lock{hint}")

    def _lines(self, path: str, parsed: ParsedFile) -> tuple[tuple[str, ...], tuple[str, ...]]:
        items: list[str] = []
        limits: list[str] = []
        for line in parsed.lines:
            place = Place(origin=path, line=line.number)
            if line.kind == "requirement":
                items += self._requirement(line, place)
            elif line.kind == "editable" and not _package(line):
                self.notes.append(
                    f"{place}: -e {redact(line.text)} is not taken over: a set holds no editable requirement"
                )
            elif line.kind in ("requirements", "constraints"):
                nested = self._nested(line, path, place)
                limits += [nested] if nested and line.kind == "constraints" else []
                items += [mapping_item("file", nested)] if nested and line.kind == "requirements" else []
        return tuple(items), tuple(limits)

    def _includes(self, path: str, parsed: ParsedFile) -> tuple[str, ...]:
        """Return the files to include by their sets, because they cannot be read whole."""
        nested = [_beside(path, one.text) for one in parsed.lines if one.kind == "requirements"]
        asked = Place(origin=path)
        known = [one for one in nested if one in self._known and one != path]
        return tuple(one for one in known if self._files.gather(one, constraint=False, asked=asked).problems)

    def _requirement(self, line: Line, place: Place) -> tuple[str, ...]:
        reference = parse_reference(line.text)
        if isinstance(reference, Rejected):
            self._tell(place, reference.message)
            return ()
        return (item(line.text),)

    def _tell(self, place: Place, message: str) -> None:
        """Note what is wrong with a line, unless that is said already."""
        if not any(note.startswith(f"{place}:") for note in self.notes):
            self.notes.append(f"{place}: {message}")

    def _nested(self, line: Line, path: str, place: Place) -> str:
        """Return the path of an included file that can be read, empty (and a note) otherwise."""
        option = "-r" if line.kind == "requirements" else "-c"
        nested = _beside(path, line.text)
        constraint = line.kind == "constraints"
        if _REMOTE.match(line.text):
            self._tell(place, f"{option} {redact(line.text)} is not read: it is no file of the project")
            return ""
        if self._files.gather(nested, constraint=constraint, asked=place).problems:
            if constraint or nested not in self._known:
                self._tell(place, f"{option} {nested} cannot be read by nox-envs, and is not taken over")
            return ""
        return nested


def _package(line: Line) -> str:
    """Return the `package` of an environment for a line that installs the project itself, else nothing."""
    match = _OWN.fullmatch(line.text.strip()) if line.kind == "editable" else None
    if match is None:
        return ""
    extras = tuple(one.strip() for one in (match["extras"] or "").split(",") if one.strip())
    return f"{{mode: editable, extras: {flow_list(extras)}}}" if extras else "editable"


def _beside(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
