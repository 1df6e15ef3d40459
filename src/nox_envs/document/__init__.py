"""Owns YAML: a file's text to nodes with positions, and nodes to checked values; knows no spec.

The only importer of `yaml`. Nodes are composed from parser events (never constructed), so that
positions, raw scalar text and duplicate keys survive and no tag is ever acted on.
"""

from nox_envs.document.compose import compose
from nox_envs.document.nodes import Mapping, Node, Scalar, Sequence, is_null
from nox_envs.document.problems import Problems, Unfit, join, mismatch, show
from nox_envs.document.records import Fields, Key, Record
from nox_envs.document.shapes import (
    Boolean,
    ByKind,
    Choice,
    Definitions,
    Fragment,
    Integer,
    Json,
    ListOf,
    MapOf,
    Mapped,
    Placed,
    Shape,
    Text,
)

__all__ = [
    "Boolean",
    "ByKind",
    "Choice",
    "Definitions",
    "Fields",
    "Fragment",
    "Integer",
    "Json",
    "Key",
    "ListOf",
    "MapOf",
    "Mapped",
    "Mapping",
    "Node",
    "Placed",
    "Problems",
    "Record",
    "Scalar",
    "Sequence",
    "Shape",
    "Text",
    "Unfit",
    "compose",
    "is_null",
    "join",
    "mismatch",
    "show",
]
