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
    r"|requires a different Python"
)
# Of a server that refuses a commit, and of git where all else was fetched; a hash follows.
_GONE = r"(?:not our ref|find remote ref|unadvertised object|is not a tree:|bad object|pathspec) '?"
_UNREACHED = "Retrying (Retry("


@value
class GivenUp:
    """Hold the package whose locked commit cannot stay, and why."""

    package: str
    reason: str


def is_conflict(output: str) -> bool:
    """Tell whether a resolver, which got all that it asked for, found no solution."""
    return bool(_CONFLICT.search(_unwrapped(output))) and _UNREACHED not in output


def given_up(output: str, kept: tuple[Pin, ...]) -> tuple[GivenUp, ...]:
    """Return those of the pins `kept`, each with a commit, that a failed resolver says cannot stay.

    That is so where the repository has no such commit, and where a conflict names the package.
    """
    return tuple(_given_up(output, kept))


def hint(output: str, kept: tuple[Pin, ...]) -> str:
    """Return how to take other commits, where a failure that does not move them names those that are kept."""
    told = _told(output)
    named = [pin.name for pin in kept if pin.source.revision in told]
    options = " ".join(f"--upgrade-package {name}" for name in named)
    stay = "its locked commit stays" if len(named) == 1 else "their locked commits stay"
    return f"\nhint: {', '.join(named)}: {stay}; nox -s lock -- {options} takes another" if named else ""


def _given_up(output: str, kept: tuple[Pin, ...]) -> Iterator[GivenUp]:
    told = _told(output)
    words = set(re.findall(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*", told.lower())) if is_conflict(output) else set()
    for pin in kept:
        commit = pin.source.revision
        if re.search(_GONE + re.escape(commit), _unwrapped(output)):
            reason = f"the locked commit {commit[:12]} is not in its repository any more"
        elif pin.name in words:
            reason = f"the locked commit {commit[:12]} does not go with what else is required"
        else:
            continue
        yield GivenUp(package=pin.name, reason=f"{reason}, so that of the branch was taken")


def _told(output: str) -> str:
    """Return what is said from the first error on: what comes before tells of progress."""
    error = _ERROR.search(output)
    return _unwrapped(output[error.start() :] if error else output)


def _unwrapped(output: str) -> str:
    """Return a text as one line: uv breaks its own at the width of a terminal."""
    return " ".join(output.split())
