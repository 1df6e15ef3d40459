"""Owns the making of findings about files; finds nothing."""

from __future__ import annotations

import os
import stat

from nox_envs.drift.finding import Finding, difference
from nox_envs.integrity.record import digest_of
from nox_envs.snapshot import Distribution


def modified(owner: Distribution, path: str, expected: str, found: str) -> Finding:
    """Make the finding on a file with another content than its RECORD says.

    `expected` and `found` are hashes as RECORD writes them, or `found` says what is there instead.
    """
    actual = digest_of(found) or found
    return difference(
        "file-modified",
        owner.name,
        expected=digest_of(expected) or expected,
        actual=f"{actual}{_shared(path, owner.name)}",
        path=path,
    )


def _shared(path: str, name: str) -> str:
    """Say that a file may be the same one in other places: uv links files from its cache."""
    try:
        status = os.lstat(path)
    except OSError:
        return ""
    if status.st_nlink < 2 or not stat.S_ISREG(status.st_mode):
        return ""
    return (
        f" (a file with {status.st_nlink} names: uv linked it from its cache, so the cache and other"
        f" environments share the edit; run: uv cache clean {name}; UV_LINK_MODE=copy avoids it)"
    )
