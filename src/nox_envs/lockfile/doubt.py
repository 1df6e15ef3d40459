"""Owns what may be doubtful about a lock, and how requirements are named in one; judges nothing."""

from __future__ import annotations

from typing import Literal, TypeAlias

from nox_envs.lockfile.merging import requirement_text
from nox_envs.pins import redact
from nox_envs.requirements import Declared
from nox_envs.values import value

Verdict: TypeAlias = Literal[
    "lock-missing", "lock-stale", "lock-unsatisfied", "lock-unhashed", "leak", "missing", "artifact"
]


@value
class Doubt:
    """Say why a lock is not what its spec asks for.

    `satisfied` is true where every pin still meets the spec, so the lock can be used as it is.
    `place` is where the spec asks for it, `lock_place` where the lock answers; both look like
    `file:line`.
    """

    kind: Verdict
    package: str = ""
    expected: str = ""
    actual: str = ""
    place: str = ""
    lock_place: str = ""
    why: tuple[str, ...] = ()
    satisfied: bool = False


def via_label(declared: Declared) -> str:
    """Return the name of what declares a requirement, as a lock's `# via` shows it.

    It is the innermost requirement set, and the innermost file where the set only names files.
    """
    files = [name for name in declared.why if "/" in name or "." in name]
    sets = [name for name in declared.why if name not in files]
    if sets and files:
        return f"{sets[-1]} ({files[-1]})"
    return (sets or files or [declared.place.origin])[-1]


def via_entry(declared: Declared) -> str:
    """Return the `# via` entry of a direct requirement: its set and its text, without credentials."""
    return f"{via_label(declared)}: {redact(requirement_text(declared))}"
