"""Declare a project's environments in one YAML file; nox builds and checks each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nox_envs.nox_sessions import load

__all__ = ["load"]


def __getattr__(name: str) -> object:
    # The command line does not import nox; only a noxfile asks for `load`.
    if name == "load":
        from nox_envs.nox_sessions import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
