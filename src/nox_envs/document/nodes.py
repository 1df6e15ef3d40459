"""Owns the nodes of a composed document; they are raw: no scalar is anything but text yet."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from nox_envs.errors import Place

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


# Named tuples, not dataclasses: a file has hundreds, and a warm run pays for each definition.
class Scalar(NamedTuple):
    """Hold a scalar as written; `plain` tells `true` from `"true"`."""

    text: str
    plain: bool
    place: Place


class Sequence(NamedTuple):
    """Hold a list of nodes."""

    items: tuple[Node, ...]
    place: Place


class Mapping(NamedTuple):
    """Hold keys and values in the order written; no key occurs twice."""

    entries: tuple[tuple[Scalar, Node], ...]
    place: Place

    def value(self, key: str) -> Node | None:
        """Return the value of a key, or None where it is not written."""
        return next((value for name, value in self.entries if name.text == key), None)


Node: TypeAlias = Scalar | Sequence | Mapping


def is_null(node: Node) -> bool:
    """Tell whether a node is YAML's null, or nothing at all."""
    return type(node) is Scalar and node.plain and node.text in _NULLS
