"""Owns the collecting of a file's problems, and how words of the file are shown in messages."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nox_envs.document.nodes import Mapping, Node, Scalar, Sequence, is_null
from nox_envs.errors import FileProblems, Place, Problem

_SHOWN_LENGTH = 60
_SUGGESTIONS = 100
_LONGEST_TYPO = 50


class Unfit(Exception):
    """Say why a text is refused; whoever knows its place turns this into a problem."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)


class Problems:
    """Collect the problems of one file.

    A problem is added by its place; the path (`environments.tests.python`) is looked up in `root`
    when the problems are raised, so that a file without problems pays nothing for paths.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.root: Mapping | None = None
        self._found: dict[tuple[Place, str], tuple[Place, str, str, str | None]] = {}
        self._suggestions = 0

    def __len__(self) -> int:
        return len(self._found)

    def at(self, place: Place) -> bool:
        """Tell whether a problem was found at a place."""
        return any(found == place for found, _ in self._found)

    def add(self, place: Place, message: str, hint: str = "", *, path: str | None = None) -> None:
        """Add one problem; the same message at the same place is kept once."""
        self._found.setdefault((place, message), (place, message, hint, path))

    def error(self) -> FileProblems:
        """Return everything found, sorted by position, to be raised."""
        paths = _paths(self.root) if self.root else {}
        problems = [
            Problem(
                place=place,
                path=paths.get(id(place), "") if path is None else path,
                message=message,
                hint=hint,
            )
            for place, message, hint, path in self._found.values()
        ]
        problems.sort(key=lambda problem: (problem.place.line, problem.place.column))
        return FileProblems(tuple(problems))

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Return `did you mean 'x'?` for the known word nearest to `word`, else nothing."""
        self._suggestions += 1
        if self._suggestions > _SUGGESTIONS or len(word) > _LONGEST_TYPO:
            return ""
        import difflib

        lowered = {name.lower(): name for name in known}
        near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
        return f"did you mean {show(lowered[near[0]])}?" if near else ""


def _paths(root: Mapping) -> dict[int, str]:
    # Keyed by the identity of the place: a mapping and its first key begin at equal places.
    paths: dict[int, str] = {}
    waiting: list[tuple[Node, str]] = [(root, "")]
    while waiting:
        node, path = waiting.pop()
        if id(node.place) in paths:
            continue
        paths[id(node.place)] = path
        children: list[tuple[Node, str]] = []
        if isinstance(node, Mapping):
            for key, value in node.entries:
                paths[id(key.place)] = join(path, key.text)
                children.append((value, join(path, key.text)))
        elif isinstance(node, Sequence):
            children = [(item, f"{path}[{number}]") for number, item in enumerate(node.items)]
        waiting.extend(reversed(children))
    return paths


def join(path: str, key: str) -> str:
    """Append a key to a path: `a.b`, or `a['4.2']` where the key is no plain word."""
    if not re.fullmatch(r"[\w-]{1,60}", key, re.ASCII):
        return f"{path}[{show(key)}]"
    return f"{path}.{key}" if path else key


def show(text: str) -> str:
    """Quote a word of the file for a message: shortened, escaped and without credentials."""
    scheme, at = text.find("://"), text.rfind("@")
    if 0 <= scheme < at:
        text = f"{text[:scheme]}://***{text[at:]}"
    if len(text) > _SHOWN_LENGTH:
        text = text[: _SHOWN_LENGTH - 1] + "…"
    return repr(text)


def mismatch(problems: Problems, node: Node, expected: str) -> None:
    """Report that a node is not what was expected there, such as `a list`."""
    if type(node) is Scalar and node.plain and not node.text:
        problems.add(node.place, "has no value", f"expected {expected}")
        return
    problems.add(node.place, f"expected {expected}, found {_found(node)}", _quotes_hint(node))


def _found(node: Node) -> str:
    if type(node) is Scalar:
        return f"YAML's null ({node.text})" if is_null(node) else show(node.text)
    return "a list" if type(node) is Sequence else "a mapping"


def _quotes_hint(node: Node) -> str:
    if is_null(node):
        return "put it into quotes if it is meant as a text"
    # `{posargs}` without quotes is YAML for a mapping with one empty key.
    if type(node) is Mapping and len(node.entries) == 1:
        key, value = node.entries[0]
        if type(value) is Scalar and value.plain and not value.text and key.text.isidentifier():
            return "quote a value that begins with a brace: '{" + key.text + "}'"
    return ""
