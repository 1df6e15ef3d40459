"""Owns what nox keeps once for an environment, so that its points cannot differ in it."""

from __future__ import annotations

from nox_envs.errors import Problem
from nox_envs.matrix.point import Point


def uniformity_problems(points: list[Point]) -> list[Problem]:
    """Return a problem for each environment whose points differ in what nox keeps once for all.

    A session function has one backend and one default flag, and one list of required sessions for each
    Python (the parameters of `nox.session`).
    """
    problems: list[Problem] = []
    first: dict[tuple[str, ...], Point] = {}
    for point in points:
        whole = first.setdefault((point.environment,), point)
        same_python = first.setdefault((point.environment, point.python or ""), point)
        problems += [
            _problem(key, known, point)
            for key, known in (("backend", whole), ("default", whole), ("requires", same_python))
            if getattr(known, key) != getattr(point, key)
        ]
    unique = {(problem.place, problem.path): problem for problem in problems}
    return list(unique.values())


def _problem(key: str, known: Point, point: Point) -> Problem:
    among = "the points of one Python" if key == "requires" else "the points of an environment"
    return Problem(
        place=point.place,
        path=f"environments.{point.environment}.{key}",
        message=f"{known.session!r} and {point.session!r} differ in {key}, which nox keeps once for {among}",
        hint="declare two environments; the second with `extends`",
    )
