"""Values from JSON, by the annotations of their fields; `json.dumps` writes them with `default=contents`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin

from nox_envs.errors import Invalid
from nox_envs.values import defaults

T = TypeVar("T")

Count: TypeAlias = Annotated[int, "from 0 on"]

# What messages call each scalar.
_SCALARS: dict[object, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    NoneType: "nothing",
    **dict.fromkeys((float, Count), "a number from 0 on"),
}
_PAIRS = (tuple[str, str], ...)


def decode(kind: type[T], content: object, path: str = "", text: Callable[[str], str] = str) -> T:
    """Return the value of a type that JSON has as `content`, with `text` applied to every string in it.

    A field with a default may be absent; a key that is not a field is ignored. Raises Invalid with the path
    of what is wrong.
    """
    return cast("T", _decoded(kind, content, path, text))


def _decoded(kind: object, content: object, path: str, text: Callable[[str], str]) -> object:
    if type(content) is kind and kind is not float:
        return text(content) if isinstance(content, str) else content
    origin, args = get_origin(kind), get_args(kind)
    if origin is None and kind not in _SCALARS:
        return _value(cast("type[object]", kind), table(content, path), f"{path}." if path else "", text)
    expected = _SCALARS.get(kind, "a string")
    if origin is tuple:
        expected = "a list" if args[1] is ... else f"a list of {len(args)}"
        if isinstance(content, list) and (args[1] is ... or len(content) == len(args)):
            kinds = [args[0]] * len(content) if args[1] is ... else args
            each = enumerate(zip(kinds, content, strict=True))
            pairs = args == _PAIRS and _pairs(content, text)
            return pairs or tuple([_decoded(one, item, f"{path}[{at}]", text) for at, (one, item) in each])
    elif origin in (Union, UnionType):
        for one in args[1:]:
            with suppress(Invalid):
                return _decoded(one, content, path, text)
        return _decoded(args[0], content, path, text)
    elif kind in (float, Count):
        if isinstance(content, int | float) and not isinstance(content, bool) and 0 <= content < 1e300:
            return content
    elif origin:
        words = args if origin is Literal else args[1]
        if content in words:
            return content
        if isinstance(content, str):
            raise Invalid(f"{path}: {content[:100]!r} is not one of {', '.join(words)}")
    raise _unexpected(expected, content, path)


def _pairs(content: list[object], text: Callable[[str], str]) -> tuple[tuple[str, str], ...]:
    """Return a list of pairs at once, since a report has hundreds; empty for anything else."""
    pairs = [one for one in content if isinstance(one, list) and len(one) == 2]
    texts = [one for pair in pairs for one in pair if type(one) is str]
    if len(texts) < 2 * len(content):
        return ()
    whole = "\n".join(texts)
    shown = texts if text(whole) == whole else [*map(text, texts)]
    return tuple(zip(shown[::2], shown[1::2], strict=True))


def _value(kind: type[object], found: dict[str, object], below: str, text: Callable[[str], str]) -> object:
    usual = defaults(kind)
    made = {
        name: _decoded(_evaluated(hint, kind.__module__), found.get(name), below + name, text)
        for name, hint in kind.__annotations__.items()
        if name in found or name not in usual
    }
    return kind(**made)


@cache
def _evaluated(annotation: str, module: str) -> object:
    # One by one: a warm run reads few of the fields that there are.
    return eval(annotation, vars(sys.modules[module]))


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
