"""YAML text to nodes; every scalar is the text that was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import yaml

from nox_envs.errors import FileProblems, Place, Problem, did_you_mean
from nox_envs.spec.words import LONGEST_SHOWN, show

Scalar: TypeAlias = yaml.ScalarNode
Sequence: TypeAlias = yaml.SequenceNode
Mapping: TypeAlias = yaml.MappingNode
Node: TypeAlias = yaml.Node

if TYPE_CHECKING:
    Loader: TypeAlias = type[yaml.BaseLoader] | type[yaml.CBaseLoader]

# The C parser is twenty times faster, but not in every build of PyYAML.
LOADER: Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_MAX_SIZE = 1 << 20
_MAX_DEPTH = 40
_MAX_ALIASED = 10_000
_MAX_SUGGESTIONS = 100

_SMALLEST = (
    'the smallest file is "version: 1" and below it '
    '"environments: {lint: {requirements: [ruff>=0.6], commands: [ruff check]}}"'
)
# The last are bidirectional overrides: a reviewer would see another text than we read (CVE-2021-42574).
_UNREADABLE = (
    "[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)
_BREAK = "\r\n|[\n\r\x85\u2028\u2029]"
_TAG = "tag:yaml.org,2002:"


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


def find(root: Node, text: str) -> Node | None:
    """Return the scalar of a text in a node, None if it is not there."""
    return next((node for node, _ in walk(root) if isinstance(node, Scalar) and node.value == text), None)


class Problems:
    """The problems of one file, collected by node or place; paths are looked up when they are raised."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.root: Mapping | None = None
        self._found: dict[tuple[Place, str], tuple[Node | Place, str]] = {}
        self._nodes: set[int] = set()
        self._once: dict[tuple[int, int], tuple[object, Node, object]] = {}
        self._suggestions = 0

    def __len__(self) -> int:
        return len(self._found)

    def place(self, node: Node) -> Place:
        """Return where a node begins."""
        return Place(origin=self.origin, line=node.start_mark.line + 1, column=node.start_mark.column + 1)

    def add(self, where: Node | Place, message: str, hint: str = "", *, within: Node | None = None) -> None:
        """Add a problem; `within` is the node whose path is shown, if that is not where it is."""
        place = where if isinstance(where, Place) else self.place(where)
        self._found.setdefault((place, message), (within or where, hint))
        if not isinstance(where, Place):
            self._nodes.add(id(within or where))

    def unknown(
        self, where: Node | Place, name: str, what: str, known: Iterable[str], hint: str = ""
    ) -> None:
        """Add that a name is not `what`, with the known name that is probably meant, or else a hint."""
        self.add(where, f"{show(name)} is not {what}", self.suggest(name, known) or hint)

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Return "did you mean 'x'?", or nothing for a long word or after a hundred suggestions."""
        self._suggestions += 1
        cheap = self._suggestions <= _MAX_SUGGESTIONS and len(word) <= LONGEST_SHOWN
        return did_you_mean(word, known) if cheap else ""

    def once(self, reader: object, node: Node, read: Callable[[Node, Problems], object]) -> object:
        """Return what `read` makes of a node, which many environments may inherit."""
        known = (id(reader), id(node))
        if known not in self._once:
            self._once[known] = (reader, node, read(node, self))
        return self._once[known][2]

    def inside(self, node: Node | None) -> bool:
        """Return whether a problem was found in a node."""
        return node is not None and bool(self._nodes) and any(id(one) in self._nodes for one, _ in walk(node))

    def error(self) -> FileProblems:
        """Return every problem with its path, as an exception."""
        paths: dict[object, str] = {}
        for node, path in walk(self.root) if self.root else ():
            paths[id(node)] = path.removeprefix(".")
            paths.setdefault(self.place(node), path.removeprefix("."))
        found = [
            (paths.get(owner if isinstance(owner, Place) else id(owner), ""), place, message, hint)
            for (place, message), (owner, hint) in self._found.items()
        ]
        return FileProblems(
            [
                Problem(place=place, path=path, message=message, hint=hint)
                for path, place, message, hint in found
            ]
        )


def compose(text: str, problems: Problems, *, loader: Loader = LOADER) -> Mapping:
    """Return the mapping that a document is; duplicate keys, tags and control characters go to `problems`.

    Raises FileProblems if nothing can be read: not YAML, too large, too deep, not a mapping.
    """
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    try:
        _refuse_unreadable(text)
        _refuse_depth(text, loader)
        problems.root = root = _mapping(yaml.compose(text, Loader=loader))
        sizes: dict[int, int] = {}
        if _check(root, problems, sizes) <= len(sizes) + _MAX_ALIASED:
            return root
        message = f"the aliases of this file repeat more than {_MAX_ALIASED:,} values"
        line, column, hint = 0, 0, "share keys with 'extends' and requirement sets"
    except _Stop as stop:
        line, column, message, hint = stop.args
    except yaml.MarkedYAMLError as error:
        line, column, message, hint = _explained(error, text)
    except (yaml.YAMLError, ValueError, OverflowError):
        line, column, message, hint = 0, 0, "is not valid YAML", "check the escapes in double quotes"
    # What was found before is dropped: a quote that never ends makes the rest look wrong too.
    place = Place(origin=problems.origin, line=line + 1, column=column + 1)
    raise FileProblems([Problem(place=place, message=message, hint=hint)])


class _Stop(Exception):
    """A mistake after which nothing can be read: line and column (from 0), message and hint."""


def _refuse_unreadable(text: str) -> None:
    def stop(offset: int, message: str, hint: str) -> _Stop:
        ends = [match.end() for match in re.finditer(_BREAK, text[:offset])]
        return _Stop(len(ends), offset - (ends[-1] if ends else 0), message, hint)

    if len(text) > _MAX_SIZE:
        raise stop(0, "the file is larger than 1 MiB", "move requirements to files: {file: PATH}")
    if bad := re.search(_UNREADABLE, text):
        raise stop(bad.start(), f"the character U+{ord(bad[0]):04X} is not allowed here", "remove it")
    if conflict := re.search(r"^(?:<{7}|>{7})(?= |$)", text, re.MULTILINE):
        raise stop(
            conflict.start(), f"a merge left the conflict marker {conflict[0]}", "resolve the conflict"
        )
    if directive := re.match(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*%", text):
        raise stop(directive.end() - 1, "YAML directives are not read", "remove the line")


def _refuse_depth(text: str, loader: Loader) -> None:
    # The parsers recurse as deep as the file does: that can end the process.
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH and (mark := event.start_mark):
            raise _Stop(mark.line, mark.column, *_TOO_DEEP)


def _mapping(root: Node | None) -> Mapping:
    if isinstance(root, Mapping):
        return root
    if root is None or is_null(root):
        raise _Stop(0, 0, "the file is empty", _SMALLEST)
    found = f"the text {show(root.value)}" if isinstance(root, Scalar) else "a list"
    message = f"the file must be a mapping, but it is {found}"
    raise _Stop(root.start_mark.line, root.start_mark.column, message, _SMALLEST)


def _check(node: Node, problems: Problems, sizes: dict[int, int]) -> int:
    """Report tags, control characters and wrong keys; return the number of nodes if aliases are followed."""
    if id(node) in sizes:
        if not sizes[id(node)]:
            hint = "quote a text that begins with '*' or '&'"
            raise _Stop(node.start_mark.line, node.start_mark.column, "this value contains itself", hint)
        return sizes[id(node)]
    sizes[id(node)] = size = 0
    if node.tag not in (f"{_TAG}str", f"{_TAG}seq", f"{_TAG}map"):
        message = f"the YAML tag {show(node.tag.replace(_TAG, '!!'))} is not read"
        problems.add(node, message, "values are read as they are written; remove the tag")
    if isinstance(node, Mapping):
        node.value = list(_entries(node, problems))
        size = sum(_check(key, problems, sizes) + _check(value, problems, sizes) for key, value in node.value)
    elif isinstance(node, Sequence):
        size = sum(_check(item, problems, sizes) for item in node.value)
    elif not node.value.isprintable() and (bad := re.search(_UNREADABLE, node.value)):
        problems.add(node, f"contains the character U+{ord(bad[0]):04X}", "remove the escape")
        node.value = re.sub(_UNREADABLE, "?", node.value)
    sizes[id(node)] = size + 1
    return size + 1


def _entries(node: Mapping, problems: Problems) -> Iterator[tuple[Node, Node]]:
    lines: dict[str, int] = {}
    for key, value in node.value:
        problem = None
        if not isinstance(key, Scalar):
            problem = "a key must be text", "quote a key that begins with a brace or bracket"
        elif not key.style and key.value == "":
            problem = "a key is missing before ':'", "write a key, or quote the text"
        elif not key.style and key.value == "<<":
            problem = "merge keys ('<<') are not read", "share keys of an environment with 'extends: NAME'"
        elif key.value in lines:
            first = f"first on line {lines[key.value]}; keep one of them"
            problem = f"the key {show(key.value)} is written twice", first
        if problem is not None:
            problems.add(key, *problem, within=node)
            continue
        lines[key.value] = key.start_mark.line + 1
        if is_null(value) and not value.value:
            value.start_mark = key.start_mark  # where a value is missing, the parsers differ in its place
        yield key, value


# What is in a message of the parser, and the same in plain words with what to do. The first group is about
# what was opened at the mark of the context.
_TOO_DEEP = (f"is nested deeper than {_MAX_DEPTH} levels", "no key needs this; check the brackets")
_UNFINISHED = (
    ("nesting depth", *_TOO_DEEP),
    ("escape", "a backslash in double quotes begins an escape that YAML does not know", "use single quotes"),
    ("hexdecimal", "a backslash in double quotes begins an escape that is not complete", "use single quotes"),
    ("quoted scalar", "the quote opened here is never closed", "close it"),
    (
        "flow ",
        "the bracket opened here is not closed",
        "close it, or quote a text that contains [ ] { } or ,",
    ),
)
_MISPLACED = (
    ("mapping values are not", "a second ':' cannot stand here", "quote a text that contains ': '"),
    ("sequence entries are not", "a list cannot begin here", "put each '- ' on a line of its own"),
    ("but found another document", "a second YAML document begins here", "keep one document in the file"),
    ("found undefined alias", "an alias has no anchor above it", "quote a text that begins with '*'"),
    ("second occurrence", "the anchor is already used above", "choose another name"),
)


def _explained(error: yaml.MarkedYAMLError, text: str) -> tuple[int, int, str, str]:
    """Return line and column (from 0), message and hint for a syntax error, in plain words."""
    mark, opened = error.problem_mark or error.context_mark, error.context_mark
    row, column = (mark.line, mark.column) if mark is not None else (0, 0)
    line = [*re.split(_BREAK, text), ""][row]
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" in indent[: column + 1]:
        return row, indent.index("\t"), "a tab cannot indent in YAML", "use spaces"
    for part, message, hint in _UNFINISHED:
        if opened is not None and part in f"{error.problem} {error.context}":
            return opened.line, opened.column, message, hint
    for part, message, hint in _MISPLACED:
        if part in (error.problem or ""):
            return row, column, message, hint
    if re.search(r"""(^|[:\-,]\s+)(['"]).*\2\s*$""", line[:column]):
        return row, column, "more text follows a quoted text", "put the whole text into one pair of quotes"
    if line[column : column + 1] in tuple("@`%*&!|>"):
        return row, column, f"an unquoted text cannot begin with {line[column]!r}", "put it into quotes"
    hint = "check the indentation here and on the line above; quote a text that begins with { or ["
    return row, column, "is not valid YAML", hint
