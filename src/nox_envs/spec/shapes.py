"""What a node of the spec may be: one declaration reads it and writes its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from nox_envs.errors import Invalid, Place
from nox_envs.spec.document import Mapping, Node, Problems, Scalar, Sequence, entry, is_null
from nox_envs.spec.words import refuse_credentials, show

Fragment: TypeAlias = dict[str, object]

T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)

_MANY = 12
# An editor takes `3.10` for a number; we read the text as written.
_TEXT: Fragment = {"type": ["string", "number", "boolean"]}


class Shape(Generic[T_co]):
    """What a node may be: `expected` as in "expected a list", `schema` as JSON Schema (draft 2020-12)."""

    def __init__(
        self, expected: str, schema: Fragment, read: Callable[[Node, Problems], T_co | None]
    ) -> None:
        self.expected = expected
        self.schema = schema
        self._read = read

    def read(self, node: Node, problems: Problems) -> T_co | None:
        """Return the checked value of a node, or add a problem and return None."""
        try:
            return self._read(node, problems)
        except Invalid as invalid:
            problems.add(node, invalid.message, invalid.hint)
            return None


class Key(NamedTuple):
    """A key of a mapping: what it may be, what it is for, and the words of other tools for it.

    `required` is the hint if it is missing (empty: it may be). `field` is what it fills, if not its name.
    """

    name: str
    shape: Shape[object]
    description: str
    required: str = ""
    field: str = ""
    also: str = ""
    example: str = ""


Keys: TypeAlias = tuple[Key, ...]


def mismatch(node: Node, expected: str) -> Invalid:
    """Return that a node is not what was expected there, such as "a list"."""
    if is_null(node):
        return Invalid(
            "has no value", f"expected {expected}{'; quote it if it is a text' * bool(node.value)}"
        )
    found, hint = "a list" if isinstance(node, Sequence) else "a mapping", ""
    if isinstance(node, Scalar):
        found = show(node.value)
    elif isinstance(node, Mapping) and len(node.value) == 1 and is_null(node.value[0][1]):
        # `{posargs}` without quotes is YAML for a mapping with one empty key.
        hint = f"quote a value that begins with a brace: '{{{node.value[0][0].value}}}'"
    return Invalid(f"expected {expected}, found {found}", hint)


def _listed(words: list[str]) -> str:
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} or {last}" if most else last


def text(
    expected: str = "a text", pattern: str = "", hint: str = "", check: Callable[[str], str] = str
) -> Shape[str]:
    """Return the shape of a text that matches `pattern` as a whole; `check` may change it or raise Invalid.

    A URL with credentials is refused.
    """

    def read(node: Node, problems: Problems) -> str:
        if not isinstance(node, Scalar) or is_null(node):
            raise mismatch(node, expected)
        word = str(node.value)
        refuse_credentials(word)
        if pattern and not re.fullmatch(pattern, word):
            raise Invalid(f"{show(word)} is not {expected}" if word.strip() else "is empty", hint)
        return check(word)

    return Shape(expected, {**_TEXT, "pattern": f"^(?:{pattern})$"} if pattern else _TEXT, read)


def choice(*values: T, expected: str = "") -> Shape[T]:
    """Return the shape of one of a few words."""
    known = {str(one): one for one in values}
    named = expected or _listed([*known])

    def read(node: Node, problems: Problems) -> T:
        if not isinstance(node, Scalar) or is_null(node):
            raise mismatch(node, named)
        if node.value in known:
            return known[node.value]
        hint = problems.suggest(node.value, known) or ("`nox-envs schema` lists them" if expected else "")
        raise Invalid(f"expected {named}, found {show(node.value)}", hint)

    return Shape(named, {"enum": [*known]}, read)


def plain(expected: str, pattern: str, convert: Callable[[str], T], kind: str) -> Shape[T]:
    """Return the shape of an unquoted scalar of a closed form."""

    def read(node: Node, problems: Problems) -> T:
        if not isinstance(node, Scalar) or not re.fullmatch(pattern, node.value):
            raise mismatch(node, expected)
        if node.style:
            raise Invalid(f"expected {expected}, found a quoted text", "remove the quotes")
        return convert(node.value)

    return Shape(expected, {"type": kind}, read)


# Neither what YAML 1.1 also takes for a boolean, nor numbers that Python would not read.
FLAG = plain("true or false", "true|false", "true".__eq__, "boolean")
INTEGER = plain("an integer", "0|-?[1-9][0-9]{0,9}", int, "integer")


def list_of(item: Shape[T], *, filled: bool = False) -> Shape[tuple[T, ...]]:
    """Return the shape of a list, or of one scalar instead; `filled` refuses an empty list.

    Items that are refused are left out.
    """

    def read(node: Node, problems: Problems) -> tuple[T, ...]:
        if isinstance(node, Mapping) or is_null(node):
            raise mismatch(node, "a list")
        nodes = node.value if isinstance(node, Sequence) else [node]
        if filled and not nodes:
            raise Invalid("is an empty list", f"write {item.expected}")
        values = [item.read(one, problems) for one in nodes]
        return tuple([one for one in values if one is not None])

    several = {"type": "array", "items": item.schema, "minItems": int(filled)}
    return Shape("a list", {"anyOf": [several, {**_TEXT, "allOf": [item.schema]}]}, read)


def map_of(
    key: Shape[str], item: Shape[T], made: Callable[[str, T, Place], U], *, filled: bool = False
) -> Shape[tuple[U, ...]]:
    """Return the shape of a mapping with free keys; `made` turns a key, its value and place into an entry."""

    def entries(node: Node, problems: Problems) -> list[U]:
        found = [(key.read(name, problems), item.read(one, problems), name) for name, one in node.value]
        known = [(word, one, name) for word, one, name in found if word is not None and one is not None]
        return [made(word, one, problems.place(name)) for word, one, name in known]

    def read(node: Node, problems: Problems) -> tuple[U, ...]:
        if not isinstance(node, Mapping):
            raise mismatch(node, "a mapping")
        if filled and not node.value:
            raise Invalid("is an empty mapping", f"write {key.expected} and {item.expected}")
        return tuple(entries(node, problems))

    schema = {"type": "object", "additionalProperties": item.schema, "minProperties": int(filled)}
    return Shape("a mapping", {**schema, "propertyNames": {**key.schema, "type": "string"}}, read)


def by_kind(
    scalar: Shape[T] | None, sequence: Shape[T] | None = None, mapping: Shape[T] | None = None
) -> Shape[T]:
    """Return the shape of a scalar, a list or a mapping, each with a shape of its own."""
    shapes = {Scalar: scalar, Sequence: sequence, Mapping: mapping}
    given = [one for one in shapes.values() if one]
    expected = _listed([one.expected for one in given])

    def read(node: Node, problems: Problems) -> T | None:
        found = shapes[type(node)]
        if found is None or is_null(node):
            raise mismatch(node, expected)
        return found.read(node, problems)

    return Shape(expected, {"anyOf": [one.schema for one in given]}, read)


def converted(inner: Shape[T], convert: Callable[[T, Place], U]) -> Shape[U]:
    """Return a shape that converts the value and place of another; the conversion may raise Invalid."""

    def read(node: Node, problems: Problems) -> U | None:
        found = inner.read(node, problems)
        return None if found is None else convert(found, problems.place(node))

    return Shape(inner.expected, inner.schema, read)


def one_of(*keys: Key) -> Shape[object]:
    """Return the shape of a mapping with exactly one of some keys, whose value it is."""
    names = [key.name for key in keys]
    expected = _listed([f"{{{name}: …}}" for name in names])

    def read(node: Node, problems: Problems) -> object | None:
        if not isinstance(node, Mapping):
            raise mismatch(node, expected)
        found = read_keys(node, keys, problems)
        if len(node.value) != 1:
            raise Invalid(f"expected exactly one of the keys {', '.join(names)}")
        return next(iter(found.values()), None)

    return Shape(expected, {**mapping_schema(keys), "minProperties": 1, "maxProperties": 1}, read)


def record(
    made: type[T],
    keys: Keys,
    *,
    layer: tuple[type[object], Keys] | None = None,
    free: tuple[Shape[str], Shape[str]] | None = None,
    hints: dict[str, str] | None = None,
) -> Shape[T]:
    """Return the shape of a mapping with known keys, each of which fills a field of the type `made`.

    With `layer`, the mapping also has the keys of that type, which fill the field `layer`. `free` are the
    shapes of unknown keys and of their values, which become pairs in the field `values`. `hints` are for keys
    that belong elsewhere. If no key is required, the mapping may have no value.
    """
    inner_type, inner = layer or (None, ())
    every = (*keys, *inner)
    required = [key.name for key in every if key.required]
    placed = "place" in made.__slots__  # type: ignore[attr-defined]

    def read(node: Node, problems: Problems) -> T | None:
        if not isinstance(node, Mapping) and (required or not is_null(node)):
            raise mismatch(node, "a mapping")
        found = read_keys(node, every, problems, hints, free)
        if any(name not in found for name in required):
            return None
        given = {key.field or key.name: found.pop(key.name) for key in keys if key.name in found}
        if free is not None:
            given["values"] = found.pop("values")
        if inner_type is not None:
            given["layer"] = inner_type(**found)
        if placed:
            given["place"] = problems.place(node)
        return made(**given)

    kind = "object" if required else ["object", "null"]
    additional = {"type": kind, "additionalProperties": free[1].schema if free else False}
    return Shape("a mapping", {**mapping_schema(keys, inner), **additional}, read)


def read_keys(
    node: Node,
    keys: Keys,
    problems: Problems,
    hints: dict[str, str] | None = None,
    free: tuple[Shape[str], Shape[str]] | None = None,
) -> dict[str, object]:
    """Return the values of known keys by name; unknown and missing keys are problems."""
    known = {key.name: key for key in keys}
    found: dict[str, object] = {}
    pairs: list[tuple[str, str]] = []
    for name, child in node.value if isinstance(node, Mapping) else ():
        if key := known.get(name.value):
            if (value := problems.once(key, child, key.shape.read)) is not None:
                found[key.name] = value
        elif free is not None and isinstance(child, Scalar):
            pairs.append((free[0].read(name, problems) or "", free[1].read(child, problems) or ""))
        else:
            problems.add(name, "unknown key", _hint(name.value, keys, hints or {}, problems))
    for key in keys:
        if key.required and entry(node, key.name) is None:
            problems.add(node, f"the key '{key.name}' is missing", key.required)
    return found if free is None else {**found, "values": tuple(pairs)}


def _hint(name: str, keys: Keys, hints: dict[str, str], problems: Problems) -> str:
    also = (f"here it is called '{key.name}'" for key in keys if name in key.also.split(","))
    names = [key.name for key in keys]
    listed = f"known keys: {', '.join(names)}" if len(names) <= _MANY else "`nox-envs schema` lists the keys"
    return hints.get(name) or next(also, "") or problems.suggest(name, names) or listed


def mapping_schema(keys: Keys, shared: Keys = ()) -> Fragment:
    """Return the JSON Schema of a mapping with known keys; those in `shared` are definitions."""
    properties = {key.name: {"description": key.description, **key.shape.schema} for key in keys}
    properties.update((key.name, {"$ref": f"#/$defs/{key.name}"}) for key in shared)
    required = [key.name for key in keys if key.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
