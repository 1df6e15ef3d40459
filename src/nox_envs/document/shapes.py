"""Owns shapes: what a node may be, said once, for reading it and for the JSON Schema; knows no spec.

A shape reads a node to a checked value, or adds a problem and returns None. It also writes the
fragment of the JSON Schema (draft 2020-12) that accepts the same nodes, as far as a schema can say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

from nox_envs.document.nodes import Mapping, Node, Scalar, Sequence, is_null
from nox_envs.document.problems import Problems, Unfit, mismatch, show
from nox_envs.errors import Place

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json]"
Fragment: TypeAlias = "dict[str, Json]"
Definitions: TypeAlias = "dict[str, Json]"

_TEXT_REFERENCE = "#/$defs/text"

T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)

_MANY = 12


class Shape(Protocol[T_co]):
    """Read a node, and say what it reads."""

    @property
    def expected(self) -> str:
        """Name what is read, as in `expected a list`."""
        ...

    def read(self, node: Node, problems: Problems) -> T_co | None:
        """Return the checked value, or add a problem and return None."""
        ...

    def schema(self, definitions: Definitions) -> Fragment:
        """Return the schema fragment; what it refers to is put into `definitions`."""
        ...


class Text(Generic[T_co]):
    """Read a scalar by `parse`, which raises Unfit for what it refuses."""

    def __init__(self, parse: Callable[[str], T_co], *, expected: str = "text", pattern: str = "") -> None:
        self.expected = expected
        self._parse = parse
        self._pattern = pattern

    def read(self, node: Node, problems: Problems) -> T_co | None:
        if type(node) is not Scalar or is_null(node):
            mismatch(problems, node, self.expected)
            return None
        try:
            return self._parse(node.text)
        except Unfit as unfit:
            problems.add(node.place, unfit.message, unfit.hint)
            return None

    def schema(self, definitions: Definitions) -> Fragment:
        # An editor takes `3.10` for a number; the reader sees the text as written.
        definitions["text"] = {"type": ["string", "number", "boolean"]}
        fragment: Fragment = {"$ref": _TEXT_REFERENCE}
        if self._pattern:
            fragment["pattern"] = self._pattern
        return fragment


class Choice(Generic[T_co]):
    """Read one of a few words."""

    def __init__(self, *values: T_co, expected: str = "") -> None:
        self._values = values
        self._known = ", ".join(map(str, values))
        self._named = expected != ""
        self.expected = expected or ", ".join(map(str, values[:-1])) + f" or {values[-1]}"

    def read(self, node: Node, problems: Problems) -> T_co | None:
        if type(node) is not Scalar or is_null(node):
            mismatch(problems, node, self.expected)
            return None
        for value in self._values:
            if value == node.text:
                return value
        hint = problems.suggest(node.text, map(str, self._values))
        if not hint and self._named:
            hint = "`nox-envs schema` lists them" if len(self._values) > _MANY else f"known: {self._known}"
        problems.add(node.place, f"expected {self.expected}, found {show(node.text)}", hint)
        return None

    def schema(self, definitions: Definitions) -> Fragment:
        return {"enum": [str(value) for value in self._values]}


class Boolean:
    """Read `true` or `false`, and nothing that YAML 1.1 also takes for one."""

    def __init__(self, *, expected: str = "true or false") -> None:
        self.expected = expected

    def read(self, node: Node, problems: Problems) -> bool | None:
        if type(node) is Scalar and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        if type(node) is Scalar and not node.plain and node.text in ("true", "false"):
            problems.add(node.place, f"expected {self.expected}, found a quoted text", "remove the quotes")
        else:
            mismatch(problems, node, self.expected)
        return None

    def schema(self, definitions: Definitions) -> Fragment:
        return {"type": "boolean"}


class Integer:
    """Read a decimal integer of at most ten digits; `only` tells the schema the one that is meant."""

    expected = "an integer"

    def __init__(self, *, only: int | None = None) -> None:
        self._only = only

    def read(self, node: Node, problems: Problems) -> int | None:
        if type(node) is Scalar and node.plain:
            digits = node.text.removeprefix("-")
            known = digits.isascii() and digits.isdecimal() and len(digits) <= 10
            if known and str(int(node.text)) == node.text:
                return int(node.text)
        if type(node) is Scalar and node.text.isdecimal() and not node.plain:
            problems.add(node.place, f"expected {self.expected}, found a quoted text", "remove the quotes")
        else:
            mismatch(problems, node, self.expected)
        return None

    def schema(self, definitions: Definitions) -> Fragment:
        return {"type": "integer"} if self._only is None else {"type": "integer", "const": self._only}


class ListOf(Generic[T_co]):
    """Read a list; a single scalar is a list of one. Items that are refused are left out.

    `filled` refuses an empty list, `distinct` a scalar that occurs twice; without `single` the schema
    leaves scalars to a shape beside this one.
    """

    def __init__(
        self,
        item: Shape[T_co],
        *,
        expected: str,
        filled: bool = False,
        distinct: bool = False,
        single: bool = True,
    ) -> None:
        self.expected = expected
        self._single = single
        self._item = item
        self._filled = filled
        self._distinct = distinct

    def read(self, node: Node, problems: Problems) -> tuple[T_co, ...] | None:
        if type(node) is Mapping or is_null(node):
            mismatch(problems, node, self.expected)
            return None
        nodes = node.items if type(node) is Sequence else (node,)
        if self._filled and not nodes:
            problems.add(node.place, f"is an empty list; expected {self.expected}")
            return None
        if self._distinct:
            _refuse_repetition(nodes, problems)
        values = (self._item.read(item, problems) for item in nodes)
        return tuple(value for value in values if value is not None)

    def schema(self, definitions: Definitions) -> Fragment:
        item = self._item.schema(definitions)
        several: Fragment = {"type": "array", "items": item}
        if self._filled:
            several["minItems"] = 1
        if self._distinct:
            several["uniqueItems"] = True
        single = _scalar_part(item) if self._single else {}
        return {"anyOf": [single, several]} if single else several


def _scalar_part(fragment: Json) -> Fragment:
    """Return what of a fragment accepts a scalar; nothing for a mapping."""
    assert isinstance(fragment, dict)
    scalar = fragment.get("type") in ("integer", "boolean") or fragment.get("$ref") == _TEXT_REFERENCE
    if scalar or "enum" in fragment:
        return fragment
    several = fragment.get("anyOf")
    parts = [part for part in map(_scalar_part, several) if part] if isinstance(several, list) else []
    return {"anyOf": [*parts]} if len(parts) > 1 else parts[0] if parts else {}


def _refuse_repetition(nodes: tuple[Node, ...], problems: Problems) -> None:
    seen: set[str] = set()
    for node in nodes:
        if type(node) is Scalar:
            if node.text in seen:
                problems.add(node.place, f"{show(node.text)} is listed twice", "keep one of them")
            seen.add(node.text)


class MapOf(Generic[T_co]):
    """Read a mapping with free keys to pairs of key and value."""

    def __init__(self, key: Shape[str], value: Shape[T_co], *, expected: str, filled: bool = False) -> None:
        self.expected = expected
        self._key = key
        self._value = value
        self._filled = filled

    def read(self, node: Node, problems: Problems) -> tuple[tuple[Scalar, T_co], ...] | None:
        if type(node) is not Mapping:
            mismatch(problems, node, self.expected)
            return None
        if self._filled and not node.entries and not problems.at(node.place):
            problems.add(node.place, f"is an empty mapping; expected {self.expected}")
            return None
        pairs = []
        for key, value_node in node.entries:
            name = self._key.read(key, problems)
            value = self._value.read(value_node, problems)
            if name is not None and value is not None:
                pairs.append((key, value))
        return tuple(pairs)

    def schema(self, definitions: Definitions) -> Fragment:
        fragment: Fragment = {
            "type": "object",
            "additionalProperties": self._value.schema(definitions),
        }
        names: Fragment = {key: part for key, part in self._key.schema({}).items() if key != "$ref"}
        if names:
            fragment["propertyNames"] = names
        if self._filled:
            fragment["minProperties"] = 1
        return fragment


class ByKind(Generic[T_co]):
    """Read a scalar, a list or a mapping each by a shape of its own."""

    def __init__(
        self,
        *,
        scalar: Shape[T_co] | None = None,
        sequence: Shape[T_co] | None = None,
        mapping: Shape[T_co] | None = None,
        expected: str = "",
    ) -> None:
        self._shapes = {Scalar: scalar, Sequence: sequence, Mapping: mapping}
        self.expected = expected or " or ".join(shape.expected for shape in self._shapes.values() if shape)

    def read(self, node: Node, problems: Problems) -> T_co | None:
        shape = self._shapes[type(node)]
        if shape is None or is_null(node):
            mismatch(problems, node, self.expected)
            return None
        return shape.read(node, problems)

    def schema(self, definitions: Definitions) -> Fragment:
        return {"anyOf": [shape.schema(definitions) for shape in self._shapes.values() if shape]}


class Mapped(Generic[T, U]):
    """Read by another shape and convert the value; the conversion may raise Unfit."""

    def __init__(self, shape: Shape[T], convert: Callable[[T], U]) -> None:
        self.expected = shape.expected
        self._shape = shape
        self._convert = convert

    def read(self, node: Node, problems: Problems) -> U | None:
        value = self._shape.read(node, problems)
        if value is None:
            return None
        try:
            return self._convert(value)
        except Unfit as unfit:
            problems.add(node.place, unfit.message, unfit.hint)
            return None

    def schema(self, definitions: Definitions) -> Fragment:
        return self._shape.schema(definitions)


class Placed(Generic[T, U]):
    """Read by another shape and join the value with its place."""

    def __init__(self, shape: Shape[T], convert: Callable[[T, Place], U]) -> None:
        self.expected = shape.expected
        self._shape = shape
        self._convert = convert

    def read(self, node: Node, problems: Problems) -> U | None:
        value = self._shape.read(node, problems)
        return None if value is None else self._convert(value, node.place)

    def schema(self, definitions: Definitions) -> Fragment:
        return self._shape.schema(definitions)
