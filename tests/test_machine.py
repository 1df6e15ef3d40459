"""The marker variables of the running interpreter are those that packaging finds."""

from __future__ import annotations

from packaging.markers import default_environment

from nox_envs.machine import markers


def test_the_markers_are_those_of_packaging() -> None:
    assert dict(markers()) == dict(default_environment())
