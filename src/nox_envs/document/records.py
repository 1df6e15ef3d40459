"""Owns mappings with known keys: each key is declared once, with its words and its shape; knows no spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from nox_envs.document.nodes import Mapping, Node, Scalar, is_null
from nox_envs.document.problems import Problems, mismatch
from nox_envs.document.shapes import Definitions, Fragment, Json, Shape
from nox_envs.errors import Place

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_MANY = 12
_SCHEMA_HINT = "`nox-envs schema` describes every key"


class Key(Generic[T_co]):
    """Declare a key: its name, what it is for, and what it may be.

    `required` is the hint for a mapping without it (empty: it may be left out); `also` are the words
    that other tools have for it.
    """

    __slots__ = ("also", "description", "name", "required", "shape")

    def __init__(
        self, name: str, description: str, shape: Shape[T_co], *, required: str = "", also: str = ""
    ) -> None:
        self.name = name
        self.description = description
        self.shape = shape
        self.required = required
        self.also = also


class _Unread(Exception):
    """A needed value was refused; its problem is already added."""


class Fields:
    """Hold the written keys of one mapping while its value is built."""

    __slots__ = ("_nodes", "node", "problems")

    def __init__(self, node: Mapping, problems: Problems, known: frozenset[str]) -> None:
        self.node = node
        self.problems = problems
        self._nodes = {key.text: value for key, value in node.entries if key.text in known}

    @property
    def place(self) -> Place:
        """Return where the mapping begins."""
        return self.node.place

    def get(self, key: Key[T]) -> T | None:
        """Return the checked value of a key, or None where it is not written (or was refused)."""
        node = self._nodes.get(key.name)
        return None if node is None else key.shape.read(node, self.problems)

    def need(self, key: Key[T]) -> T:
        """Return the checked value of a key without which nothing can be built."""
        value = self.get(key)
        if value is None:
            raise _Unread
        return value


class Record(Generic[T_co]):
    """Read a mapping with known keys; unknown and missing ones are problems.

    `title` names it in the schema. With `nullable` nothing at all reads as `{}`; with `single` exactly one
    of the keys must be there. `elsewhere` holds hints for keys that are known, but not here.
    """

    def __init__(
        self,
        title: str,
        keys: tuple[Key[object], ...],
        build: Callable[[Fields], T_co | None],
        *,
        expected: str = "a mapping",
        nullable: bool = False,
        single: bool = False,
        elsewhere: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.title = title
        self.keys = keys
        self.expected = expected
        self._build = build
        self._nullable = nullable
        self._single = single
        self._elsewhere = elsewhere
        self._names = frozenset(key.name for key in keys)
        self._required = tuple(key for key in keys if key.required)

    def read(self, node: Node, problems: Problems) -> T_co | None:
        """Return what is built from the keys, or add problems and return None."""
        if self._nullable and is_null(node):
            node = Mapping((), node.place)
        if type(node) is not Mapping:
            mismatch(problems, node, self.expected)
            return None
        written = {key.text for key, _ in node.entries}
        for key, _ in node.entries:
            if key.text not in self._names:
                problems.add(key.place, "unknown key", self._hint(key, problems))
        for needed in self._required:
            if needed.name not in written:
                problems.add(node.place, f"the key '{needed.name}' is missing", needed.required)
        if self._single and len(written & self._names) != 1:
            problems.add(node.place, f"expected exactly one of the keys {self._listed()}")
            return None
        try:
            return self._build(Fields(node, problems, self._names))
        except _Unread:
            return None

    def _hint(self, key: Scalar, problems: Problems) -> str:
        for name, hint in self._elsewhere:
            if name == key.text:
                return hint
        for known in self.keys:
            if key.text in known.also.split():
                return f"here it is called '{known.name}'"
        near = problems.suggest(key.text, self._names)
        return near or (f"known keys: {self._listed()}" if len(self.keys) <= _MANY else _SCHEMA_HINT)

    def _listed(self) -> str:
        return ", ".join(key.name for key in self.keys)

    def schema(self, definitions: Definitions) -> Fragment:
        """Return a reference to this record's definition."""
        if self.title not in definitions:
            definitions[self.title] = {}
            definitions[self.title] = self.definition(definitions)
        return {"$ref": f"#/$defs/{self.title}"}

    def definition(self, definitions: Definitions) -> Fragment:
        """Return the schema of the mapping itself."""
        fragment: Fragment = {
            "type": ["object", "null"] if self._nullable else "object",
            "properties": {key.name: _described(key, definitions) for key in self.keys},
            "additionalProperties": False,
        }
        if self._required:
            fragment["required"] = [key.name for key in self._required]
        if self._single:
            fragment["minProperties"] = fragment["maxProperties"] = 1
        return fragment


def _described(key: Key[object], definitions: Definitions) -> Json:
    return {"description": key.description, **key.shape.schema(definitions)}
