"""Owns inheritance: `defaults` and `extends` merged into an environment; lists replaced, mappings merged."""

from __future__ import annotations

from typing import TypeVar

from nox_envs.spec.drafts import Draft, DraftAxis
from nox_envs.spec.types import DriftOptions, Layer, LockOptions, Pairs

T = TypeVar("T")

_EMPTY = Layer()


def inherit(base: Draft, own: Draft) -> Draft:
    """Return `own` with what it does not say itself taken from `base`."""
    return Draft(
        layer=_layer(base.layer, own.layer),
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


def _layer(base: Layer, own: Layer) -> Layer:
    if base == _EMPTY:
        return own
    return Layer(
        description=_own(base.description, own.description),
        requirements=_own(base.requirements, own.requirements),
        constraints=_own(base.constraints, own.constraints),
        build_constraints=_own(base.build_constraints, own.build_constraints),
        package=_own(base.package, own.package),
        commands=_own(base.commands, own.commands),
        set_env=_pairs(base.set_env, own.set_env),
        pass_env=_own(base.pass_env, own.pass_env),
        change_dir=_own(base.change_dir, own.change_dir),
        tags=_own(base.tags, own.tags),
        default=_own(base.default, own.default),
        requires=_own(base.requires, own.requires),
        backend=_own(base.backend, own.backend),
        lock=_lock(base.lock, own.lock),
        drift=_drift(base.drift, own.drift),
        allow_prereleases=base.allow_prereleases if own.allow_prereleases is None else own.allow_prereleases,
        platforms=_own(base.platforms, own.platforms),
        runs_on=_own(base.runs_on, own.runs_on),
    )


def _pairs(base: Pairs | None, own: Pairs | None) -> Pairs | None:
    if base is None or own is None:
        return _own(base, own)
    return tuple({**dict(base), **dict(own)}.items())


def _lock(base: LockOptions | None, own: LockOptions | None) -> LockOptions | None:
    if base is None or own is None:
        return _own(base, own)
    return LockOptions(
        enabled=_own(base.enabled, own.enabled),
        file=_own(base.file, own.file),
        per=_own(base.per, own.per),
        format=_own(base.format, own.format),
        group=_own(base.group, own.group),
        resolution=_own(base.resolution, own.resolution),
        exclude_newer=_own(base.exclude_newer, own.exclude_newer),
        exclude_newer_exempt=_own(base.exclude_newer_exempt, own.exclude_newer_exempt),
        managed=_own(base.managed, own.managed),
        use=_own(base.use, own.use),
        resolver=_own(base.resolver, own.resolver),
        only_binary=_own(base.only_binary, own.only_binary),
        no_binary=_own(base.no_binary, own.no_binary),
    )


def _drift(base: DriftOptions | None, own: DriftOptions | None) -> DriftOptions | None:
    if base is None or own is None:
        return _own(base, own)
    return DriftOptions(
        policy=_own(base.policy, own.policy),
        files=_own(base.files, own.files),
        severity=tuple({**dict(base.severity), **dict(own.severity)}.items()),
        ignore=own.ignore or base.ignore,
    )
