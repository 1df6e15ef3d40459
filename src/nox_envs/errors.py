"""Places, problems, and the exceptions that carry them."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from nox_envs.values import value


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` is probably meant to be, empty if none is similar."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in sorted(known)}
    if near := get_close_matches(word.lower(), names, n=1):
        return names[near[0]]
    # A swapped pair of letters, or a missing one, leaves little of a short word.
    letters = {"".join(sorted(lowered)): name for lowered, name in names.items()}
    near = get_close_matches("".join(sorted(word.lower())), letters, n=1, cutoff=0.8)
    return letters[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the nearest known word, empty if none is similar."""
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else ""


@value
class Place:
    """A position in a file: `origin` as shown to the user, `line` and `column` from 1."""

    origin: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}"


@value
class Problem:
    """One mistake in a file: where, at which path of the document, what, and what to type instead."""

    place: Place
    path: str = ""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.place.origin}:{self.place.line}:{self.place.column}"
        path = f" {self.path}:" if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}:{path} {self.message}{hint}"


class Invalid(ValueError):
    """A single text is not what it should be; whoever knows its place makes a `Problem` of it."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)

    def at(self, place: Place, path: str = "") -> Problem:
        """Return the problem at a place."""
        return Problem(place=place, path=path, message=self.message, hint=self.hint)


class NoxEnvsError(Exception):
    """Stop with a message that is complete for its reader: what is wrong and what to do next."""


class FileProblems(NoxEnvsError):
    """Report every problem of a file at once; `problems` is never empty."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        order = attrgetter("place.origin", "place.line", "place.column")
        self.problems = tuple(sorted(dict.fromkeys(problems), key=order))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InstallFailed(NoxEnvsError):
    """Report that uv could not install, with what it said on stderr."""
