"""Owns the composition of requirement sets into direct requirements; resolves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_envs.requirements.types import Composition, Declared

if TYPE_CHECKING:
    from nox_envs.requirements.compose import Composer
    from nox_envs.requirements.project import ProjectMetadata, project_name

__all__ = ["Composer", "Composition", "Declared", "ProjectMetadata", "project_name"]


def __getattr__(name: str) -> object:
    # Whoever needs the types only need not wait for the readers of files.
    if name == "Composer":
        from nox_envs.requirements.compose import Composer

        return Composer
    if name in ("ProjectMetadata", "project_name"):
        from nox_envs.requirements import project

        return getattr(project, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
