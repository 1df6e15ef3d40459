"""Owns the problems a user can cause and the exceptions that carry them; knows no file format."""

from __future__ import annotations

from collections.abc import Iterable

from nox_envs.values import value


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` is probably meant to be, empty if it is like none of them."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in sorted(known)}
    if near := get_close_matches(word.lower(), names, n=1):
        return names[near[0]]
    # Two letters that changed places and one that is missing leave little of a short word.
    letters = {"".join(sorted(lowered)): name for lowered, name in names.items()}
    near = get_close_matches("".join(sorted(word.lower())), letters, n=1, cutoff=0.8)
    return letters[near[0]] if near else ""


@value
class Place:
    """Point at a position in a file: `origin` as shown to the user, `line` and `column` from 1."""

    origin: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}"


@value
class Problem:
    """Describe one thing that is wrong: where, at which path of the document, what, and what to type."""

    place: Place
    path: str = ""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.place.origin}:{self.place.line}:{self.place.column}"
        path = f" {self.path}:" if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}:{path} {self.message}{hint}"


class NoxEnvsError(Exception):
    """Stop with a message that is complete for its reader: what is wrong and what to do next."""


class FileProblems(NoxEnvsError):
    """Report every problem of a file at once; `problems` is never empty."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class InstallationFailed(NoxEnvsError):
    """Report that an installer failed; `argv` is its command."""

    def __init__(self, message: str, *, argv: tuple[str, ...]) -> None:
        self.argv = argv
        super().__init__(message)
