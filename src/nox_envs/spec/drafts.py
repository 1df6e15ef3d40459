"""Owns an environment as written, before `defaults` and `extends` are merged into it."""

from __future__ import annotations

from typing import NamedTuple

from nox_envs.document import Mapping, Scalar
from nox_envs.errors import Place
from nox_envs.spec.types import Condition, Layer


# Named tuples, not dataclasses: a warm run pays for each definition, and these never leave the reader.
class DraftLayer(NamedTuple):
    """Hold a partial environment and the mapping it was written in."""

    layer: Layer
    node: Mapping


class DraftAxis(NamedTuple):
    """Hold one axis: its values, and beside each the partial environment it brings, if any."""

    name: str
    values: tuple[tuple[str, DraftLayer | None], ...]


class DraftCombination(NamedTuple):
    """Hold an entry of `exclude` or `include`; keys and values keep their places."""

    values: tuple[tuple[Scalar, Scalar], ...]
    own: DraftLayer
    place: Place


class DraftOverride(NamedTuple):
    """Hold an entry of `overrides`."""

    when: tuple[tuple[Scalar, Condition], ...]
    own: DraftLayer
    place: Place


class Pythons(NamedTuple):
    """Hold the value of `python`; `listed` tells a list from a single value."""

    values: tuple[str, ...]
    listed: bool


class Draft(NamedTuple):
    """Hold an environment; None means that a key is not written.

    `chain` are the mappings that it was merged from, its own first. `solid` is False when `python` or
    `matrix` could not be read, so that nothing can be said about what depends on them.
    """

    layer: Layer
    chain: tuple[Mapping, ...]
    extends: Scalar | None = None
    pythons: Pythons | None = None
    axes: tuple[DraftAxis, ...] | None = None
    exclude: tuple[DraftCombination, ...] | None = None
    include: tuple[DraftCombination, ...] | None = None
    overrides: tuple[DraftOverride, ...] | None = None
    solid: bool = True


class Named(NamedTuple):
    """Hold a merged environment with its name; names that begin with `_` are templates."""

    name: str
    place: Place
    draft: Draft

    @property
    def is_template(self) -> bool:
        """Tell whether the environment only exists to be extended."""
        return self.name.startswith("_")
