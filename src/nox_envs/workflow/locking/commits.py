"""Owns why the commit that was locked for a branch gives way to another; runs nothing.

A failure that has another reason, such as an index that does not answer, must move no pin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nox_envs.pins import Pin
from nox_envs.values import value

_ERROR = re.compile(r"(?mi)^error:")
_CONFLICT = re.compile(
    r"No solution found|conflicting URLs for package|conflicting dependencies|No matching distribution found"
)
# Where a server refused a commit, and where the whole repository was fetched without it.
_GONE = re.compile(
    r"not our ref|find remote ref|unadvertised object|not a tree|bad object|unknown revision|did not match"
)
_UNREACHED = "Retrying (Retry("


@value
class GivenUp:
    """Hold the package whose locked commit cannot stay, and why."""

    package: str
    reason: str


def is_conflict(output: str) -> bool:
    """Tell whether a resolver, which got all that it asked for, found no solution."""
    return bool(_CONFLICT.search(output)) and _UNREACHED not in output


def given_up(output: str, kept: tuple[Pin, ...]) -> tuple[GivenUp, ...]:
    """Return those of the pins `kept`, each with a commit, that a failed resolver says cannot stay.

    That is so where the repository has no such commit, and where a conflict names the package.
    """
    return tuple(_given_up(output, kept))


def _given_up(output: str, kept: tuple[Pin, ...]) -> Iterator[GivenUp]:
    gone = "\n".join(line for line in output.splitlines() if _GONE.search(line))
    error = _ERROR.search(output)
    told = output[error.start() :] if error and is_conflict(output) else ""
    words = set(re.findall(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*", told.lower()))
    for pin in kept:
        commit = pin.source.revision
        if commit in gone:
            reason = f"the locked commit {commit[:12]} is not in its repository any more"
        elif pin.name in words:
            reason = f"the locked commit {commit[:12]} does not go with what else is required"
        else:
            continue
        yield GivenUp(package=pin.name, reason=f"{reason}, so that of the branch was taken")


def hint(output: str, kept: tuple[Pin, ...]) -> str:
    """Return how to take other commits, where a failure that does not move them names those that are kept."""
    error = _ERROR.search(output)
    told = output[error.start() :] if error else ""
    named = [pin.name for pin in kept if pin.source.revision in told]
    options = " ".join(f"--upgrade-package {name}" for name in named)
    stay = "its locked commit stays" if len(named) == 1 else "their locked commits stay"
    return f"\nhint: {', '.join(named)}: {stay}; nox -s lock -- {options} takes another" if named else ""
