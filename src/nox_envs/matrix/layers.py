"""Owns the folding of layers into one, and of options into options; knows no matrix."""

from __future__ import annotations

from typing import TypeVar

from nox_envs.spec.types import DriftOptions, Layer, LockOptions

T = TypeVar("T")


def fold(layers: tuple[Layer, ...]) -> Layer:
    """Fold an environment's layer and those of its axis values, overrides and includes, in that order.

    `requirements`, `constraints` and `commands` are appended, mappings merged, the rest replaced.
    """
    folded = layers[0]
    for layer in layers[1:]:
        folded = _over(folded, layer)
    return folded


def _over(base: Layer, added: Layer) -> Layer:
    return Layer(
        description=_later(base.description, added.description),
        requirements=_appended(base.requirements, added.requirements),
        constraints=_appended(base.constraints, added.constraints),
        build_constraints=_later(base.build_constraints, added.build_constraints),
        package=_later(base.package, added.package),
        commands=_appended(base.commands, added.commands),
        set_env=_merged(base.set_env, added.set_env),
        pass_env=_later(base.pass_env, added.pass_env),
        change_dir=_later(base.change_dir, added.change_dir),
        tags=_later(base.tags, added.tags),
        default=_later(base.default, added.default),
        requires=_later(base.requires, added.requires),
        backend=_later(base.backend, added.backend),
        lock=merge_lock(base.lock, added.lock),
        drift=merge_drift(base.drift, added.drift),
        allow_prereleases=(
            base.allow_prereleases if added.allow_prereleases is None else added.allow_prereleases
        ),
        platforms=_later(base.platforms, added.platforms),
        runs_on=_later(base.runs_on, added.runs_on),
    )


def merge_lock(base: LockOptions | None, added: LockOptions | None) -> LockOptions | None:
    """Merge two `lock` mappings key by key; what `added` gives wins."""
    if base is None or added is None:
        return base if added is None else added
    return LockOptions(
        enabled=_later(base.enabled, added.enabled),
        file=_later(base.file, added.file),
        per=_later(base.per, added.per),
        format=_later(base.format, added.format),
        group=_later(base.group, added.group),
        resolution=_later(base.resolution, added.resolution),
        exclude_newer=_later(base.exclude_newer, added.exclude_newer),
        exclude_newer_exempt=_later(base.exclude_newer_exempt, added.exclude_newer_exempt),
        managed=_later(base.managed, added.managed),
        use=_later(base.use, added.use),
        resolver=_later(base.resolver, added.resolver),
        only_binary=_later(base.only_binary, added.only_binary),
        no_binary=_later(base.no_binary, added.no_binary),
    )


def merge_drift(base: DriftOptions | None, added: DriftOptions | None) -> DriftOptions | None:
    """Merge two `drift` mappings key by key; what `added` gives wins."""
    if base is None or added is None:
        return base if added is None else added
    return DriftOptions(
        policy=_later(base.policy, added.policy),
        files=_later(base.files, added.files),
        severity=_merged(base.severity, added.severity) or (),
        ignore=added.ignore or base.ignore,
    )


def _later(base: T | None, added: T | None) -> T | None:
    return base if added is None else added


def _appended(base: tuple[T, ...] | None, added: tuple[T, ...] | None) -> tuple[T, ...] | None:
    if base is None or added is None:
        return base if added is None else added
    return base + added


def _merged(
    base: tuple[tuple[str, T], ...] | None, added: tuple[tuple[str, T], ...] | None
) -> tuple[tuple[str, T], ...] | None:
    if base is None or added is None:
        return base if added is None else added
    return tuple({**dict(base), **dict(added)}.items())


def project_drift(project: DriftOptions, own: DriftOptions | None) -> DriftOptions:
    """Lay an environment's `drift` over the project's; the ignore rules of both apply."""
    if own is None:
        return project
    return DriftOptions(
        policy=_later(project.policy, own.policy),
        files=_later(project.files, own.files),
        severity=_merged(project.severity, own.severity) or (),
        ignore=project.ignore + own.ignore,
    )
