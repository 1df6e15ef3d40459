"""Owns findings and the comparison of a snapshot with what a lock expects; pure."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nox_envs.drift.finding import Finding
from nox_envs.kinds import KINDS, Severity

if TYPE_CHECKING:
    from nox_envs.drift.comparison import compare
    from nox_envs.drift.expectation import (
        Expectation,
        ProjectExpectation,
        rebuild_command,
        requested_by_via,
        run_command,
    )
    from nox_envs.drift.markers import activate, marker_environment

__all__ = [
    "KINDS",
    "Expectation",
    "Finding",
    "ProjectExpectation",
    "Severity",
    "activate",
    "compare",
    "marker_environment",
    "rebuild_command",
    "requested_by_via",
    "run_command",
]

# Whoever only shows findings need not wait for what makes them.
_MODULES = {"compare": "comparison", "activate": "markers", "marker_environment": "markers"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'expectation')}"), name)
    globals()[name] = found
    return found
