"""Owns whether an override applies to a cell: values, version ranges, negation."""

from __future__ import annotations

import re

from nox_envs.errors import Problem
from nox_envs.matrix.cells import Cell, unknown_axis
from nox_envs.spec.types import Condition, Environment, Layer, Override
from nox_envs.values import value

_MINOR = re.compile(r"\d+(?:\.\d+)?")


def override_problems(environment: Environment, override: Override) -> tuple[Problem, ...]:
    """Return the conditions that can never be decided: unknown axes, python where none is declared."""
    path = f"environments.{environment.name}.overrides"
    known = {"python", *(axis.name for axis in environment.axes)}
    problems: list[Problem] = []
    for condition in override.when:
        if condition.axis not in known:
            problems.append(unknown_axis(environment, condition.axis, place=override.place, path=path))
        elif condition.axis == "python" and not environment.pythons:
            message = "a condition on python, but the environment declares no python"
            hint = 'write python: "3.12", or a list'
            problems.append(Problem(place=override.place, path=path, message=message, hint=hint))
        elif condition.specifier and not _is_specifier(condition.specifier):
            message = f"{condition.specifier!r} is no version range"
            hint = 'write ">=3.13" or ">=3.10,<3.13"'
            problems.append(Problem(place=override.place, path=path, message=message, hint=hint))
    return tuple(problems)


@value
class Rule:
    """Hold an override made ready for many cells: positions (-1 for python) and the values it accepts."""

    accepted: tuple[tuple[int, frozenset[str | None]], ...]
    layer: Layer

    def applies(self, cell: Cell) -> bool:
        """Tell whether a cell meets every condition."""
        for position, values in self.accepted:
            if (cell.python if position < 0 else cell.values[position]) not in values:
                return False
        return True


def make_rule(environment: Environment, override: Override, cells: tuple[Cell, ...]) -> Rule:
    """Decide the conditions of an override for all values that `cells` have."""
    names = ("python", *(axis.name for axis in environment.axes))
    accepted: list[tuple[int, frozenset[str | None]]] = []
    for condition in override.when:
        position = names.index(condition.axis) - 1
        values = {cell.python if position < 0 else cell.values[position] for cell in cells}
        kept = frozenset(v for v in values if v and _holds(condition, v) is not condition.negated)
        accepted.append((position, kept))
    return Rule(accepted=tuple(accepted), layer=override.layer)


def _holds(condition: Condition, value: str) -> bool:
    if condition.specifier:
        return _in_range(condition.specifier, value, condition.axis == "python")
    return value in condition.values


def _in_range(specifier: str, value: str, python: bool) -> bool:
    """Compare a version with a range; of `3.13t` and `pypy3.11` only the digits count."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    if python:
        digits = _MINOR.search(value)
        value = digits[0] if digits else value
    try:
        return SpecifierSet(specifier).contains(Version(value), prereleases=True)
    except InvalidVersion:
        return False


def _is_specifier(text: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True
