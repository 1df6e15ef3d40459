"""Owns the expansion of a spec into points; reads no file."""

from nox_envs.matrix.expand import expand
from nox_envs.matrix.names import session_name, venv_directory_name
from nox_envs.matrix.point import Point

__all__ = ["Point", "expand", "session_name", "venv_directory_name"]
