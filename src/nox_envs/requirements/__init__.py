"""Owns the composition of requirement sets into direct requirements; resolves nothing."""

from nox_envs.requirements.compose import Composer
from nox_envs.requirements.project import ProjectMetadata, project_name
from nox_envs.requirements.types import Composition, Declared

__all__ = ["Composer", "Composition", "Declared", "ProjectMetadata", "project_name"]
