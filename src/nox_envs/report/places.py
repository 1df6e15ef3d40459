"""Owns where a finding is shown: the file and line that a reviewer would open."""

from __future__ import annotations

import re

from nox_envs.drift import Finding
from nox_envs.values import value

_PLACE = re.compile(r"(.+?):(\d{1,9})(?::\d+)?", re.DOTALL)


@value
class ShownPlace:
    """Point at a file, relative to the project, and at a line of it from 1 (0: the whole file)."""

    file: str
    line: int


def place_of(finding: Finding, lock: str) -> ShownPlace:
    """Return where the expectation is written, else the file on disk, else the lock.

    A path outside the project is no place that others could open, and gives the lock as well.
    """
    if finding.line:
        match = _PLACE.fullmatch(finding.line)
        if match:
            return ShownPlace(file=match[1], line=int(match[2]))
        return ShownPlace(file=finding.line, line=0)
    if finding.path and not _is_outside(finding.path):
        return ShownPlace(file=finding.path, line=0)
    return ShownPlace(file=lock, line=0)


def _is_outside(path: str) -> bool:
    return path.startswith(("/", "\\", "..")) or re.match(r"[A-Za-z]:", path) is not None
