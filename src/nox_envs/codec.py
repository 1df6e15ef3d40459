"""Values from JSON, by the annotations of their fields; `json.dumps` writes them with `default=contents`."""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import repeat
from types import NoneType, UnionType
from typing import TypeAlias, TypeVar, cast

from nox_envs.errors import Invalid
from nox_envs.values import defaults

T = TypeVar("T")

Schema: TypeAlias = dict[str, object]
Text: TypeAlias = Callable[[str], str]
Form: TypeAlias = tuple[Schema, Callable[[object, str], object]]

_SCALARS = {
    str: ("string", "a string"),
    bool: ("boolean", "a boolean"),
    int: ("integer", "an integer"),
    NoneType: ("null", "nothing"),
}


def decode(kind: type[T], content: object, path: str = "", text: Text = str) -> T:
    """Return the value of a type that JSON has as `content`, with `text` applied to every string in it.

    A field with a default may be absent; a key that is not a field is ignored. Raises Invalid with the path
    of what is wrong.
    """
    return cast("T", _form(cast("object", kind), text)[1](content, path))


def schema(kind: type[object], **more: Schema) -> Schema:
    """Return the JSON Schema of a value with `more` fields; those of values in it are under `$defs`."""
    properties = {**{name: _form(_hint(kind, name), str)[0] for name in kind.__annotations__}, **more}
    return {"type": "object", "required": list(properties), "properties": properties}


def table(content: object, path: str) -> dict[str, object]:
    """Return the table at a path of a JSON or TOML document; raises Invalid for anything else."""
    if isinstance(content, dict):
        return content
    raise _unexpected("a table", content, path)


def _unexpected(expected: str, found: object, path: str) -> Invalid:
    shown = "nothing" if found is None else type(found).__name__
    if isinstance(found, str | bool | int | float):
        shown = json.dumps(found)
    return Invalid(f"{path}: expected {expected}, found {f'{shown[:57]}...' if len(shown) > 60 else shown}")


def _hint(kind: type[object], name: str) -> object:
    return eval(kind.__annotations__[name], vars(sys.modules[kind.__module__]))


@cache
def _form(kind: object, text: Text) -> Form:
    """Return the JSON Schema of a type, and what reads it at a path.

    `Annotated` is a string with the words that it may be, or an integer from 0 on.
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return _one_of(args)
    if origin is typing.Annotated:
        return _one_of(args[1]) if args[0] is str else _number(int)
    if origin is tuple:
        return _list([_form(one, text) for one in args if one is not ...], repeated=args[-1] is ...)
    if origin in (typing.Union, UnionType):
        return _either([_form(one, text) for one in args])
    if kind is float:
        return _number(float)
    made = cast("type[object]", kind)
    return _scalar(made, text) if made in _SCALARS else _value(made, text)


def _scalar(kind: type[object], text: Text) -> Form:
    name, expected = _SCALARS[kind]

    def read(content: object, path: str) -> object:
        if type(content) is not kind:
            raise _unexpected(expected, content, path)
        return text(content) if isinstance(content, str) else content

    return {"type": name}, read


def _number(kind: type[int] | type[float]) -> Form:
    def read(content: object, path: str) -> object:
        if isinstance(content, int | float) and not isinstance(content, bool) and 0 <= content < 1e300:
            return kind(content)
        raise _unexpected("a number from 0 on", content, path)

    return {"type": "integer" if kind is int else "number", "minimum": 0}, read


def _one_of(words: tuple[str, ...]) -> Form:
    def read(content: object, path: str) -> object:
        if (word := decode(str, content, path)) in words:
            return word
        raise Invalid(f"{path}: {word[:100]!r} is not one of {', '.join(words)}")

    return {"enum": [*words]}, read


def _list(forms: list[Form], *, repeated: bool) -> Form:
    """Return the form of `tuple[X, ...]`, or of a tuple of as many items as there are forms."""
    schemas, readers = [one for one, _ in forms], [reader for _, reader in forms]
    expected = "a list" if repeated else f"a list of {len(forms)}"

    def read(content: object, path: str) -> object:
        if not isinstance(content, list) or not (repeated or len(content) == len(forms)):
            raise _unexpected(expected, content, path)
        each = zip(repeat(readers[0]) if repeated else readers, content, strict=False)
        return tuple([reader(one, f"{path}[{at}]") for at, (reader, one) in enumerate(each)])

    if repeated:
        return {"type": "array", "items": schemas[0]}, read
    return {"type": "array", "prefixItems": schemas, "minItems": len(forms), "maxItems": len(forms)}, read


def _either(forms: list[Form]) -> Form:
    def read(content: object, path: str) -> object:
        for _, reader in forms[1:]:
            with suppress(Invalid):
                return reader(content, path)
        return forms[0][1](content, path)

    return {"anyOf": [one for one, _ in forms]}, read


def _value(kind: type[object], text: Text) -> Form:
    usual = defaults(kind)

    @cache  # an annotation is evaluated when its field is read first: a warm run reads few
    def field(name: str) -> Form:
        return _form(_hint(kind, name), text)

    def read(content: object, path: str) -> object:
        found, below = table(content, path), f"{path}." if path else ""
        names = [name for name in kind.__annotations__ if name in found or name not in usual]
        return kind(**{name: field(name)[1](found.get(name), below + name) for name in names})

    return {"$ref": f"#/$defs/{kind.__name__}"}, read
