"""Owns the kinds of findings and how severe each is unless a spec says otherwise; compares nothing."""

from __future__ import annotations

from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "note"]

KINDS: dict[str, Severity] = {
    # link 1: spec -> lock
    "lock-missing": "error",
    "lock-stale": "error",
    "lock-unsatisfied": "error",
    "lock-orphaned": "warning",
    "lock-unhashed": "error",
    "leak": "error",
    # link 2: lock -> installed set
    "missing": "error",
    "extraneous": "error",
    "version": "error",
    "source": "error",
    "revision": "error",
    "artifact": "error",
    "unverifiable": "note",
    "python": "error",
    "inconsistent": "error",
    "duplicate": "error",
    "broken-metadata": "warning",
    "leftover": "warning",
    # link 3: installed set -> installed files
    "file-modified": "error",
    "file-missing": "error",
    "unowned": "warning",
    "clobbered": "warning",
    "startup-hook": "error",
    # link 4: environment <-> environment
    "skew": "warning",
    # link 5: lock <-> index
    "outdated": "note",
    "yanked": "warning",
    "advisory": "warning",
}
