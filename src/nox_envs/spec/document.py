"""YAML text to nodes; every scalar is the text that was written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import yaml

from nox_envs.errors import FileProblems, Place, Problem, did_you_mean
from nox_envs.spec.words import LONGEST_SHOWN, show

Scalar: TypeAlias = yaml.ScalarNode
Sequence: TypeAlias = yaml.SequenceNode
Mapping: TypeAlias = yaml.MappingNode
Node: TypeAlias = yaml.Node

# The C parser is twenty times faster, but not in every build of PyYAML.
LOADER: type[yaml.BaseLoader] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_MAX_DEPTH = 40
_MAX_ALIASED = 10_000

# Bidirectional overrides, too: a reviewer would see another text than we read (CVE-2021-42574).
_BAD = "[\0-\b\v\f\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"


def is_null(node: Node) -> bool:
    """Return whether a node is YAML's null, or nothing at all."""
    return isinstance(node, Scalar) and not node.style and node.value in ("", "~", "null", "Null", "NULL")


def entry(node: Node | None, key: str) -> Node | None:
    """Return the value of a key of a mapping, None if it is not written."""
    entries = node.value if isinstance(node, Mapping) else []
    return next((value for name, value in entries if name.value == key), None)


def walk(root: Node) -> Iterator[tuple[Node, str]]:
    """Yield every key and value in a node with its path; what aliases repeat comes once."""
    waiting, seen = [(root, "")], set()
    for node, path in waiting:
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node, path
        if isinstance(node, Mapping):
            for key, value in node.value:
                word = re.fullmatch(r"[\w-]{1,60}", key.value, re.ASCII)
                step = f"{path}.{key.value}" if word else f"{path}[{show(key.value)}]"
                yield key, step
                waiting.append((value, step))
        elif isinstance(node, Sequence):
            waiting += [(item, f"{path}[{number}]") for number, item in enumerate(node.value)]


class Problems:
    """The problems of one file, collected by node or place; paths are looked up when they are raised."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.root: Node | None = None
        self._found: dict[tuple[Place, str], tuple[int | Place, str]] = {}
        self._owners: set[int | Place] = set()

    def __len__(self) -> int:
        return len(self._found)

    def place(self, node: Node) -> Place:
        """Return where a node begins."""
        return Place(origin=self.origin, line=node.start_mark.line + 1, column=node.start_mark.column + 1)

    def add(self, where: Node | Place, message: str, hint: str = "") -> None:
        """Add a problem, once for a place."""
        place, owner = (where, where) if isinstance(where, Place) else (self.place(where), id(where))
        self._found.setdefault((place, message), (owner, hint))
        self._owners.add(owner)

    def unknown(self, at: Node | Place, name: str, what: str, known: Iterable[str], hint: str = "") -> None:
        """Add that a name is not `what`, with the known name that is probably meant, or else a hint."""
        self.add(at, f"{show(name)} is not {what}", self.suggest(name, known) or hint)

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Return "did you mean 'x'?", or nothing for a long word or after a hundred problems."""
        return did_you_mean(word, known) if len(self) < 100 and len(word) <= LONGEST_SHOWN else ""

    def inside(self, node: Node | None) -> bool:
        """Return whether a problem was found in a node."""
        nodes = walk(node) if node is not None and self._owners else ()
        return any(id(one) in self._owners for one, _ in nodes)

    def error(self) -> FileProblems:
        """Return every problem with its path, as an exception."""
        paths: dict[object, str] = {}
        for node, path in walk(self.root) if self.root is not None else ():
            paths[id(node)] = path.removeprefix(".")
            paths[self.place(node)] = path.removeprefix(".")
        return FileProblems(
            Problem(place=place, path=paths.get(owner, ""), message=message, hint=hint)
            for (place, message), (owner, hint) in self._found.items()
        )

    def stop(self, line: int, column: int, message: str, hint: str) -> FileProblems:
        """Return the one problem after which nothing can be read; `line` and `column` count from 0."""
        place = Place(origin=self.origin, line=line + 1, column=column + 1)
        return FileProblems([Problem(place=place, message=message, hint=hint)])


def compose(text: str, problems: Problems) -> Mapping:
    """Return the mapping that a document is; duplicate keys, tags and control characters go to `problems`.

    Raises FileProblems if nothing can be read: not YAML, too large, too deep, not a mapping.
    """
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    if len(text) > 1 << 20:
        raise problems.stop(0, 0, "the file is larger than 1 MiB", "move requirements to files: {file: PATH}")
    if found := re.search(_BAD, text):
        *above, line = re.split("\r\n|[\n\r\x85\u2028\u2029]", text[: found.start()])
        message = f"the character U+{ord(found[0]):04X} is not allowed here"
        raise problems.stop(len(above), len(line), message, "remove it")
    try:
        depth = 0
        for event in yaml.parse(text, Loader=LOADER):
            # `compose` recurses as deep as the file does: that can end the process.
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH and (mark := event.start_mark):
                message = f"is nested deeper than {_MAX_DEPTH} levels"
                raise problems.stop(mark.line, mark.column, message, "no key needs this; check the brackets")
        root = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        wrong, mark = error.problem, error.problem_mark
        if error.context and (opened := error.context_mark):
            wrong = f"{error.context} (line {opened.line + 1}), {wrong}"
        row, column = (mark.line, mark.column) if mark else (0, 0)
        hint = "indent with spaces, not tabs; put quotes around the whole of a text with signs"
        raise problems.stop(row, column, f"is not valid YAML: {wrong}", hint) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise problems.stop(0, 0, "is not valid YAML", "check the escapes in double quotes") from None
    if not isinstance(root, Mapping):
        hint = 'begin with "version: 1" and "environments: {lint: {commands: [ruff check]}}"'
        raise problems.stop(0, 0, "the file is empty, or not a mapping of keys to values", hint)
    sizes: dict[int, int] = {}
    if _check(root, problems, sizes) > len(sizes) + _MAX_ALIASED:
        message = f"the aliases of this file repeat more than {_MAX_ALIASED:,} values"
        raise problems.stop(0, 0, message, "share keys with 'extends' and requirement sets")
    problems.root = root
    return root


def _check(node: Node, problems: Problems, sizes: dict[int, int]) -> int:
    """Report tags, control characters and wrong keys; return the number of nodes if aliases are followed."""
    if id(node) in sizes:
        return sizes[id(node)]
    sizes[id(node)] = size = 0
    tag = node.tag.replace("tag:yaml.org,2002:", "!!")
    if tag not in ("!!str", "!!seq", "!!map"):
        problems.add(node, f"the YAML tag {show(tag)} is not read", "remove it: values are read as written")
    if isinstance(node, Mapping):
        node.value = list(_entries(node, problems))
        size = sum(_check(key, problems, sizes) + _check(value, problems, sizes) for key, value in node.value)
    elif isinstance(node, Sequence):
        size = sum(_check(item, problems, sizes) for item in node.value)
    elif not node.value.isprintable() and (bad := re.search(_BAD, node.value)):
        problems.add(node, f"contains the character U+{ord(bad[0]):04X}", "remove the escape")
        node.value = "?"
    sizes[id(node)] = size + 1
    return size + 1


def _entries(node: Mapping, problems: Problems) -> Iterator[tuple[Node, Node]]:
    lines: dict[str, int] = {}
    for key, value in node.value:
        place = problems.place(key)
        if not isinstance(key, Scalar) or (not key.style and not key.value):
            problems.add(place, "a key must be a text", "quote a key that begins with a brace or bracket")
            continue
        if key.value in lines:
            first = f"first on line {lines[key.value]}; keep one of them"
            problems.add(place, f"the key {show(key.value)} is written twice", first)
            continue
        lines[key.value] = place.line
        if is_null(value) and not value.value:
            value.start_mark = key.start_mark  # where a value is missing, the parsers differ in its place
        yield key, value
