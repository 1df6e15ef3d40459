"""Owns the folding of an environment's layers into one, where lists are appended; knows no matrix."""

from __future__ import annotations

from typing import TypeVar

from nox_envs.spec.layers import drift_over, laid_over
from nox_envs.spec.types import DriftOptions, Layer
from nox_envs.values import replace

T = TypeVar("T")


def fold(layers: tuple[Layer, ...]) -> Layer:
    """Fold an environment's layer and those of its axis values, overrides and includes, in that order.

    `requirements`, `constraints` and `commands` are appended, mappings merged, the rest replaced.
    """
    folded = layers[0]
    for layer in layers[1:]:
        folded = replace(
            laid_over(folded, layer),
            requirements=_appended(folded.requirements, layer.requirements),
            constraints=_appended(folded.constraints, layer.constraints),
            commands=_appended(folded.commands, layer.commands),
        )
    return folded


def _appended(base: tuple[T, ...] | None, added: tuple[T, ...] | None) -> tuple[T, ...] | None:
    return added if base is None else base + (added or ())


def project_drift(project: DriftOptions, own: DriftOptions | None) -> DriftOptions:
    """Lay an environment's `drift` over the project's; the ignore rules of both apply."""
    if own is None:
        return project
    return replace(drift_over(project, own), ignore=project.ignore + own.ignore)
