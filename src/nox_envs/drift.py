"""Owns findings and the comparison of a snapshot with what a lock expects; pure."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Describe one difference: what was expected, what is there, who asked for it, how to mend it.

    `path` is the file on disk the finding is about (empty: none); `line` is where the expectation is
    written, as `file:line`; `why` is the chain from a requirement set, outermost first; `fix` is the
    command to type.
    """

    kind: str
    severity: Severity
    environment: str
    session: str
    package: str = ""
    expected: str = ""
    actual: str = ""
    path: str = ""
    line: str = ""
    why: tuple[str, ...] = ()
    fix: str = ""
