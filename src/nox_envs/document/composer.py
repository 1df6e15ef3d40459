"""Owns the building of nodes from parser events, within limits of depth and of what aliases repeat."""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from nox_envs.document.nodes import Mapping, Node, Scalar, Sequence
from nox_envs.document.problems import Problems, Unfit, join, show
from nox_envs.errors import FileProblems, Place

MAX_DEPTH = 40
MAX_ALIASED = 10_000

# Bidirectional overrides would show a reviewer another text than the one that is read (CVE-2021-42574).
BIDIRECTIONAL = r"\u202a-\u202e\u2066-\u2069"
_CONTROLS = rf"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff{BIDIRECTIONAL}]"
_OWN_TAGS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map", "!"})


class _Frame:
    """Hold a collection while its children are read."""

    __slots__ = ("anchor", "entries", "items", "key", "keys", "place", "size", "skipping")

    def __init__(self, place: Place, anchor: str | None, *, mapping: bool) -> None:
        self.place = place
        self.anchor = anchor
        self.size = 1
        self.items: list[Node] = []
        self.entries: list[tuple[Scalar, Node]] = []
        self.keys: dict[str, int] | None = {} if mapping else None
        self.key: Scalar | None = None
        self.skipping = False

    def extend(self, path: str) -> str:
        """Return the path of the child that is read next."""
        if self.keys is None:
            return f"{path}[{len(self.items)}]"
        return join(path, self.key.text) if self.key is not None else path


class Composer:
    """Build nodes from events, with an own stack."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.last = Place(origin=problems.origin)
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.aliased = 0
        self.root: Node | None = None

    def run(self, events: Iterable[yaml.Event]) -> Node | None:
        """Return the root, or None for a file without a document."""
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
                raise self._end(event, "a second YAML document begins here", "keep one document in the file")
        return self.root

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        self.last = Place(origin=self.problems.origin, line=line, column=column)
        return self.last

    def _path(self) -> str:
        path = ""
        for frame in self.stack:
            path = frame.extend(path)
        return path

    def _end(self, event: yaml.Event, message: str, hint: str) -> FileProblems:
        self.problems.add(self._place(event), message, hint, path="")
        return self.problems.error()

    def _tag(self, tag: str, event: yaml.Event) -> None:
        if tag in _OWN_TAGS:
            return
        word = show(tag.replace("tag:yaml.org,2002:", "!!"))
        hint = "values are read as they are written; remove the tag"
        self.problems.add(self._place(event), f"the YAML tag {word} is not read", hint, path=self._path())

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = self._place(event)
        if event.tag:
            self._tag(event.tag, event)
        text = event.value
        if not text.isprintable():
            bad = re.search(_CONTROLS, text)
            if bad is not None:
                message = f"holds the control character U+{ord(bad[0]):04X}"
                self.problems.add(place, message, "remove the escape", path=self._path())
                text = re.sub(_CONTROLS, "?", text)
        plain = not event.style
        if plain and not text and self.stack and self.stack[-1].key is not None:
            # The parsers do not agree where nothing stands, but on where its key is.
            place = self.stack[-1].key.place
        self._add(Scalar(text, plain, place), 1, event.anchor)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        if event.tag:
            self._tag(event.tag, event)
        if len(self.stack) == MAX_DEPTH:
            raise self._end(
                event, f"is nested deeper than {MAX_DEPTH} levels", "no key needs this; check the brackets"
            )
        mapping = isinstance(event, yaml.MappingStartEvent)
        self.stack.append(_Frame(self._place(event), event.anchor, mapping=mapping))

    def _close(self) -> None:
        frame = self.stack.pop()
        node: Node
        if frame.keys is None:
            node = Sequence(tuple(frame.items), frame.place)
        else:
            node = Mapping(tuple(frame.entries), frame.place)
        self._add(node, frame.size, frame.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor or ""
        if name not in self.anchors:
            inside = any(frame.anchor == name for frame in self.stack)
            what = "stands inside the value it repeats" if inside else "has no anchor above it"
            hint = "quote a text that begins with '*'"
            raise self._end(event, f"the alias *{show(name)[1:-1]} {what}", hint)
        node, size = self.anchors[name]
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            message = f"the aliases of this file expand to more than {MAX_ALIASED:,} values"
            raise self._end(event, message, "share keys with 'extends' and requirement sets")
        self._add(node, size, None)

    def _add(self, node: Node, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (node, size)
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        frame.size += size
        if frame.keys is None:
            frame.items.append(node)
        elif frame.key is None and not frame.skipping:
            self._key(frame, frame.keys, node)
        else:
            if frame.key is not None:
                frame.entries.append((frame.key, node))
            frame.key, frame.skipping = None, False

    def _key(self, frame: _Frame, keys: dict[str, int], node: Node) -> None:
        try:
            key = _checked_key(node, keys)
        except Unfit as unfit:
            self.problems.add(node.place, unfit.message, unfit.hint, path=self._path())
            frame.skipping = True
        else:
            keys[key.text] = key.place.line
            frame.key = key


def _checked_key(node: Node, keys: dict[str, int]) -> Scalar:
    if not isinstance(node, Scalar):
        raise Unfit("a key must be text", "quote a key that begins with a brace or bracket")
    if node.plain and not node.text:
        raise Unfit("a key is missing before ':'")
    if node.plain and node.text == "<<":
        raise Unfit("merge keys ('<<') are not read", "share keys of an environment with 'extends: NAME'")
    if node.text in keys:
        message = f"the key {show(node.text)} is written twice"
        raise Unfit(message, f"first on line {keys[node.text]}; keep one of them")
    return node
