"""Owns findings and the comparison of a snapshot with what a lock expects; pure."""

from nox_envs.drift.comparison import compare
from nox_envs.drift.expectation import (
    Expectation,
    ProjectExpectation,
    rebuild_command,
    requested_by_via,
    run_command,
)
from nox_envs.drift.finding import Finding
from nox_envs.drift.markers import activate, marker_environment
from nox_envs.kinds import KINDS, Severity

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
