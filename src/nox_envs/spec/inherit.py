"""Owns inheritance: `defaults` and `extends` merged into an environment; lists replaced, mappings merged."""

from __future__ import annotations

from typing import TypeVar

from nox_envs.spec.drafts import Draft, DraftAxis
from nox_envs.spec.layers import laid_over
from nox_envs.spec.types import Layer

T = TypeVar("T")

_EMPTY = Layer()


def inherit(base: Draft, own: Draft) -> Draft:
    """Return `own` with what it does not say itself taken from `base`."""
    return Draft(
        layer=own.layer if base.layer == _EMPTY else laid_over(base.layer, own.layer),
        chain=own.chain + base.chain,
        extends=own.extends,
        pythons=_own(base.pythons, own.pythons),
        axes=_axes(base.axes, own.axes),
        exclude=_own(base.exclude, own.exclude),
        include=_own(base.include, own.include),
        overrides=_own(base.overrides, own.overrides),
        solid=base.solid and own.solid,
    )


def _own(base: T | None, own: T | None) -> T | None:
    return base if own is None else own


def _axes(
    base: tuple[DraftAxis, ...] | None, own: tuple[DraftAxis, ...] | None
) -> tuple[DraftAxis, ...] | None:
    if base is None or own is None:
        return _own(base, own)
    merged = {axis.name: axis for axis in base}
    merged.update((axis.name, axis) for axis in own)
    return tuple(merged.values())
