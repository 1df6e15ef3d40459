"""What a node of the spec may be: one declaration reads it and writes its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeAlias, TypeVar, cast

from nox_envs.errors import Invalid, Place
from nox_envs.spec.document import Mapping, Node, Problems, Scalar, Sequence, is_null
from nox_envs.spec.types import Entry, EntryKind
from nox_envs.spec.words import show
from nox_envs.terminal import holds_credentials

Fragment: TypeAlias = dict[str, object]

T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)
Reader: TypeAlias = Callable[[Node, Problems], T_co | None]
Kinds: TypeAlias = tuple[type[Node], ...]

# Any URL may name a database of the tests; these are the ones that installers open.
_FETCHED = r"(?i)\b(?:(?:git|hg|bzr|svn)\+)?(?:https?|ftp|ssh|git|svn)://\S*"
# An editor takes `3.10` for a number; we read the text as written.
_TEXT: Fragment = {"type": ["string", "number", "boolean"]}
# What to write instead of an unknown key: those that belong elsewhere, and those of tox that are not similar.
_OWN = "extends python matrix exclude include overrides resolution exclude_newer only_binary no_binary"
_INSTEAD = {
    **dict.fromkeys(_OWN.split(), "this key belongs to the environment itself"),
    **dict.fromkeys(("deps", "dependencies"), "here it is called 'requirements'"),
    **dict.fromkeys(("basepython", "envlist", "env_list"), "here it is called 'python'"),
    "depends": "here it is called 'requires'",
    "labels": "here it is called 'tags'",
    **dict.fromkeys(("usedevelop", "use_develop"), "write 'package: editable'"),
    **dict.fromkeys(("skip_install", "skipsdist"), "without 'package' this project is not installed"),
    "extras": "write 'package: {mode: editable, extras: [NAME]}'",
    "dependency_groups": "write {group: NAME} below 'requirements'",
    "install_command": "remove it: uv installs",
    "testenv": "declare it by its name below 'environments'",
    "allowlist_externals": "write 'external: true' at the command: {run: …, external: true}",
    "<<": "share keys of an environment with 'extends: NAME'",
    "group": "layer locks instead: constraints: [{lock: ENVIRONMENT}]",
    "use": "remove it; in place of 'constraints' write 'lock: false' and constraints: [{file: PATH}]",
    "resolver": "remove it: uv resolves",
}


class Shape(Generic[T_co]):
    """What a node may be: `expected` as in "expected a list", `schema` as JSON Schema (draft-07).

    A node of another kind than `kinds` is refused, and so is null, unless it may have no value (`empty`).
    """

    def __init__(
        self, expected: str, schema: Fragment, kinds: Kinds, read: Reader[T_co], *, empty: bool = False
    ) -> None:
        self.expected = expected
        self.schema = schema
        self.kinds = kinds
        self.empty = empty
        self._read = read

    def read(self, node: Node, problems: Problems) -> T_co | None:
        """Return the checked value of a node, or add a problem and return None."""
        try:
            if not (self.empty if is_null(node) else isinstance(node, self.kinds)):
                found, hint = "a list" if isinstance(node, Sequence) else "a mapping", ""
                if isinstance(node, Scalar):
                    found = "nothing" if is_null(node) else show(node.value)
                elif isinstance(node, Mapping) and len(node.value) == 1 and is_null(node.value[0][1]):
                    # `{posargs}` without quotes is YAML for a mapping with one empty key.
                    hint = f"quote a value that begins with a brace: '{{{node.value[0][0].value}}}'"
                raise Invalid(f"expected {self.expected}, found {found}", hint)
            return self._read(node, problems)
        except Invalid as invalid:
            problems.add(node, invalid.message, invalid.hint)
            return None


class Key(NamedTuple):
    """A key of a mapping: what it may be, and what it is for.

    `required` is the hint if it is missing (empty: it may be). `field` is what it fills, if not its name.
    """

    name: str
    shape: Shape[object]
    description: str
    required: str = ""
    field: str = ""


Keys: TypeAlias = tuple[Key, ...]
Free: TypeAlias = tuple[Shape[str], Shape[str]] | None


def _listed(words: list[str]) -> str:
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} or {last}" if most else last


def text(expected: str, pattern: str = "", hint: str = "", check: Callable[[str], str] = str) -> Shape[str]:
    """Return the shape of a text that matches a whole `pattern`; `check` may change it or raise Invalid."""

    def read(node: Node, problems: Problems) -> str:
        word = str(node.value)
        if holds_credentials(word) and any(holds_credentials(url[0]) for url in re.finditer(_FETCHED, word)):
            advice = "leave it to netrc, a keyring or an environment variable"
            raise Invalid("a URL with a password or token must not stand in this file", advice)
        if pattern and not re.fullmatch(pattern, word):
            raise Invalid(f"{show(word)} is not {expected}" if word.strip() else "is empty", hint)
        return check(word)

    schema = {**_TEXT, "pattern": f"^(?:{pattern})$"} if pattern else _TEXT
    return Shape(expected, schema, (Scalar,), read)


def choice(*values: T, expected: str = "") -> Shape[T]:
    """Return the shape of one of a few words, numbers or truth values."""
    known = {str(one).lower(): one for one in values}
    named = expected or _listed([*known])

    def read(node: Node, problems: Problems) -> T:
        if node.value in known:
            return known[node.value]
        hint = problems.suggest(node.value, known) or ("`nox-envs schema` lists them" if expected else "")
        raise Invalid(f"expected {named}, found {show(node.value)}", hint)

    return Shape(named, {"enum": [*dict.fromkeys((*known, *values))]}, (Scalar,), read)


def list_of(item: Shape[T], *, filled: bool = False) -> Shape[tuple[T, ...]]:
    """Return the shape of a list (`filled`: not empty) or one scalar; items that are refused are left out."""

    def read(node: Node, problems: Problems) -> tuple[T, ...]:
        nodes = node.value if isinstance(node, Sequence) else [node]
        if filled and not nodes:
            raise Invalid("is an empty list", f"write {item.expected}")
        values = [item.read(one, problems) for one in nodes]
        return tuple([one for one in values if one is not None])

    several = {"type": "array", "items": item.schema, "minItems": int(filled)}
    schema: Fragment = {"anyOf": [several, {**_TEXT, "allOf": [item.schema]}]}
    return Shape("a list", schema, (Sequence, Scalar), read)


def map_of(key: Shape[str], item: Shape[T], made: Callable[[str, T, Place], U]) -> Shape[tuple[U, ...]]:
    """Return the shape of a mapping with free keys; `made` turns a key, its value and place into an entry."""

    def read(node: Node, problems: Problems) -> tuple[U, ...]:
        found: list[U] = []
        for name, child in node.value:
            word, one = key.read(name, problems), item.read(child, problems)
            if word is not None and one is not None:
                found.append(made(word, one, problems.place(name)))
        return tuple(found)

    names = {**key.schema, "type": "string"}
    schema: Fragment = {"type": "object", "additionalProperties": item.schema, "propertyNames": names}
    return Shape("a mapping", schema, (Mapping,), read)


def by_kind(*shapes: Shape[T]) -> Shape[T]:
    """Return the shape of a node that the first of these shapes that takes its kind reads."""
    expected = _listed([one.expected for one in shapes])
    kinds: dict[type[Node], Shape[T]] = {kind: one for one in reversed(shapes) for kind in one.kinds}
    schema: Fragment = {"anyOf": [one.schema for one in shapes]}
    return Shape(expected, schema, (*kinds,), lambda node, problems: kinds[type(node)].read(node, problems))


def converted(inner: Shape[T], convert: Callable[[T, Place], U]) -> Shape[U]:
    """Return a shape that converts the value and place of another; the conversion may raise Invalid."""

    def read(node: Node, problems: Problems) -> U | None:
        found = inner.read(node, problems)
        return None if found is None else convert(found, problems.place(node))

    return Shape(inner.expected, inner.schema, inner.kinds, read, empty=inner.empty)


def record(made: type[T], keys: Keys, layer: Keys = (), free: Free = None, short: bool = False) -> Shape[T]:
    """Return the shape of a mapping with known keys, which fill the fields of a type, or a dict.

    The keys in `layer`, which are definitions of the schema, fill the field `layer`. `free` are the shapes of
    other keys and their values; with it, all of them are pairs in the field `values`. If it is `short`, the
    value of the first key may stand for the mapping. If no key is required, the mapping may have no value.
    """
    known = {key.name: key for key in (*keys, *layer)}
    required = [key.name for key in keys if key.required]
    first = keys[0]
    slots = getattr(made, "__slots__", ())

    def read(node: Node, problems: Problems) -> T | None:
        if isinstance(node, Mapping):
            found = _read_keys(node, known, free, problems)
        else:
            found = {first.name: first.shape.read(node, problems)} if short else {}
        found = {name: one for name, one in found.items() if one is not None}
        if made is dict:
            return made(**found)
        if any(name not in found for name in required):
            return None
        layered = {key.name: found.pop(key.name) for key in layer if key.name in found}
        fields = {known[name].field or name: one for name, one in found.items() if name in known}
        pairs: dict[str, object] = fields if free is None else {"values": tuple(found.items())}
        given = {"place": problems.place(node), "layer": layered, **pairs}
        return made(**{name: one for name, one in given.items() if name in slots})

    described = {key.name: {"description": key.description, **key.shape.schema} for key in keys}
    schema: Fragment = {
        "type": "object" if required else ["object", "null"],
        "properties": {**described, **{key.name: {"$ref": f"#/definitions/{key.name}"} for key in layer}},
        "required": required,
        "additionalProperties": free[1].schema if free else False,
    }
    if short:
        either: Fragment = {"anyOf": [first.shape.schema, schema]}
        return Shape(first.shape.expected, either, (Mapping, *first.shape.kinds), read)
    return Shape("a mapping", schema, (Mapping,), read, empty=not required)


def _read_keys(node: Mapping, known: dict[str, Key], free: Free, problems: Problems) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, child in node.value:
        if key := known.get(name.value):
            found[key.name] = key.shape.read(child, problems)
        elif free is not None and isinstance(child, Scalar):
            if word := free[0].read(name, problems):
                found[word] = free[1].read(child, problems) or ""
        else:
            every = f"known keys: {', '.join(known)}" if len(known) < 20 else "`nox-envs schema` lists them"
            hint = _INSTEAD.get(name.value) or problems.suggest(name.value, known) or every
            problems.add(name, "unknown key", hint)
    for key in known.values():
        if key.required and key.name not in found:
            problems.add(node, f"the key '{key.name}' is missing", key.required)
    return found


def entry_of(*keys: Key) -> Shape[Entry]:
    """Return the shape of a mapping with exactly one of some keys, each a kind of entry with a text."""
    names, inner = [key.name for key in keys], record(dict, keys)

    def read(node: Node, problems: Problems) -> Entry | None:
        found = inner.read(node, problems) or {}
        if len(node.value) != 1:
            raise Invalid(f"expected exactly one of the keys {', '.join(names)}")
        place = problems.place(node.value[0][1])
        entries = [Entry(kind=cast("EntryKind", one), text=str(found[one]), place=place) for one in found]
        return entries[0] if entries else None

    schema = {**inner.schema, "type": "object", "minProperties": 1, "maxProperties": 1}
    return Shape(_listed([f"{{{name}: …}}" for name in names]), schema, (Mapping,), read)
