"""Owns the result of following one source of requirements, and the joining of such results."""

from __future__ import annotations

from collections.abc import Iterable

from nox_envs.errors import Place, Problem
from nox_envs.requirements.types import Declared
from nox_envs.values import value

LIMIT = 20_000
DEPTH = 50


@value
class Gathered:
    """Hold what a set, file, group or the project itself comes to; `why` chains begin with its name.

    `dynamic` is None unless the project's own dependencies are dynamic: then the extras asked for.
    """

    requirements: tuple[Declared, ...] = ()
    constraints: tuple[Declared, ...] = ()
    dynamic: tuple[str, ...] | None = None
    problems: tuple[Problem, ...] = ()

    def below(self, *why: str) -> Gathered:
        """Return the same with `why` put before every chain."""
        return Gathered(
            requirements=tuple([one.below(why) for one in self.requirements]),
            constraints=tuple([one.below(why) for one in self.constraints]),
            dynamic=self.dynamic,
            problems=self.problems,
        )


def failed(place: Place, message: str, hint: str = "", *, path: str = "") -> Gathered:
    """Return a result that is one problem."""
    return Gathered(problems=(Problem(place=place, path=path, message=message, hint=hint),))


def join(parts: Iterable[Gathered], *, place: Place, path: str) -> Gathered:
    """Join results in order; `place` and `path` are those of whatever asks for all of them."""
    gathered = tuple(parts)
    problems = tuple(dict.fromkeys(problem for part in gathered for problem in part.problems))
    if sum(len(part.requirements) + len(part.constraints) for part in gathered) > LIMIT:
        too_many = failed(place, f"comes to more than {LIMIT} requirements", path=path)
        return Gathered(problems=(*problems, *too_many.problems))
    dynamic = [part.dynamic for part in gathered if part.dynamic is not None]
    return Gathered(
        requirements=tuple(dict.fromkeys(one for part in gathered for one in part.requirements)),
        constraints=tuple(dict.fromkeys(one for part in gathered for one in part.constraints)),
        dynamic=tuple(sorted({extra for extras in dynamic for extra in extras})) if dynamic else None,
        problems=problems,
    )
