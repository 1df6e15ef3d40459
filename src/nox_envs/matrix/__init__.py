"""Owns the expansion of a spec into points; reads no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_envs.matrix.names import session_name, venv_directory_name
from nox_envs.matrix.point import Point

if TYPE_CHECKING:
    from nox_envs.matrix.expansion import expand

__all__ = ["Point", "expand", "session_name", "venv_directory_name"]


def __getattr__(name: str) -> object:
    # A run whose spec is remembered expands nothing.
    if name == "expand":
        from nox_envs.matrix.expansion import expand

        return expand
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
