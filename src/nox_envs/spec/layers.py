"""Owns the laying of one layer over another: lists replaced, mappings merged; appends nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nox_envs.spec.types import DriftOptions, Layer
from nox_envs.values import fields, replace

T = TypeVar("T")
Items = tuple[tuple[str, T], ...]


def laid_over(base: Layer, own: Layer) -> Layer:
    """Return `base` with every key that `own` gives; of mappings each key that `own` gives."""
    set_env = _both(base.set_env, own.set_env, _merged)
    lock = _both(base.lock, own.lock, _given)
    drift = _both(base.drift, own.drift, drift_over)
    return replace(_given(base, own), set_env=set_env, lock=lock, drift=drift)


def drift_over(base: DriftOptions, own: DriftOptions) -> DriftOptions:
    """Return `drift` options with every key that `own` gives; its ignore rules replace those of `base`."""
    severity = _merged(base.severity, own.severity)
    return replace(_given(base, own), severity=severity, ignore=own.ignore or base.ignore)


def _given(base: T, own: T) -> T:
    given = ((name, getattr(own, name)) for name in fields(own))
    return replace(base, **{name: content for name, content in given if content is not None})


def _both(base: T | None, own: T | None, merge: Callable[[T, T], T]) -> T | None:
    if base is None or own is None:
        return base if own is None else own
    return merge(base, own)


def _merged(base: Items[T], own: Items[T]) -> Items[T]:
    return tuple({**dict(base), **dict(own)}.items())
