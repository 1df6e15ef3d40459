"""Owns the kind of a change of version: major, minor, patch; compares no packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_envs.changes.types import ChangeKind

if TYPE_CHECKING:
    from packaging.version import Version


def version_change(old: str, new: str) -> tuple[ChangeKind, bool]:
    """Return the kind of a change from one version to another, and whether it goes backwards.

    The first number of the release (or the epoch) that differs makes it major, the second minor, any
    other patch, also a step to or from a pre-release, post-release or development release. A local
    version, and texts that are no versions (PEP 440), are other. A number means what it means to its
    project: calendar versions turn major with the year.
    """
    from packaging.version import InvalidVersion, Version

    try:
        before, after = Version(old), Version(new)
    except (InvalidVersion, ValueError):  # ValueError: more digits than int() takes
        return "other", False
    return _kind(before, after), after < before


def _kind(before: Version, after: Version) -> ChangeKind:
    if (before.epoch, before.major) != (after.epoch, after.major):
        return "major"
    if before.minor != after.minor:
        return "minor"
    return "other" if _public(before) == _public(after) else "patch"


def _public(version: Version) -> Version:
    return type(version)(version.public)
