"""Owns the finding, one difference as a value, and its making; finds nothing."""

from __future__ import annotations

from nox_envs.kinds import KINDS, Severity
from nox_envs.values import value


@value
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


def difference(
    kind: str,
    package: str = "",
    *,
    expected: str = "",
    actual: str = "",
    path: str = "",
    line: str = "",
    severity: Severity | None = None,
) -> Finding:
    """Make a finding whose environment, session, reason and fix are to be filled in."""
    return Finding(
        kind=kind,
        severity=severity or KINDS[kind],
        environment="",
        session="",
        package=package,
        expected=expected,
        actual=actual,
        path=path,
        line=line,
    )
