"""Owns which points an environment has: product, `exclude`, `include`, extra interpreters."""

from __future__ import annotations

from itertools import product

from nox_envs.errors import Place, Problem
from nox_envs.spec.types import Combination, Environment, Layer
from nox_envs.values import value


@value
class Cell:
    """Hold one place in a matrix: the python and the value of every axis, in the order declared.

    `added` is the layer that an `include` brings.
    """

    python: str | None
    values: tuple[str, ...]
    place: Place
    added: Layer | None = None


@value
class Cells:
    """Hold the cells of an environment; `listed` tells whether its sessions are named by python."""

    cells: tuple[Cell, ...]
    listed: bool
    problems: tuple[Problem, ...] = ()


def select_cells(environment: Environment, *, extra_pythons: tuple[str, ...], forced: bool) -> Cells:
    """Return the cells of an environment.

    Args:
        environment: the environment as read.
        extra_pythons: interpreters that nox was told to add (`--extra-python`).
        forced: they also apply to environments that declare no python (`--force-python`).
    """
    problems = list(_axis_problems(environment))
    declared = _declared_product(environment)
    kept = _without_excluded(environment, declared, problems)
    included = _included(environment, {(cell.python, cell.values) for cell in kept}, problems)
    cells = kept + included
    if declared and not cells:
        problems.append(
            _problem(environment.place, environment, "exclude", "its excludes remove every point")
        )
    return _with_extra(environment, cells, extra_pythons, forced, tuple(problems))


def _axis_problems(environment: Environment) -> tuple[Problem, ...]:
    return tuple(
        _problem(environment.place, environment, f"matrix.{axis.name}", "the axis has no values")
        for axis in environment.axes
        if not axis.values
    )


def _declared_product(environment: Environment) -> tuple[Cell, ...]:
    pythons: tuple[str | None, ...] = environment.pythons or (None,)
    combinations = tuple(product(*([value.value for value in axis.values] for axis in environment.axes)))
    return tuple(
        Cell(python=python, values=values, place=environment.place)
        for python in pythons
        for values in combinations
    )


def _without_excluded(
    environment: Environment, cells: tuple[Cell, ...], problems: list[Problem]
) -> tuple[Cell, ...]:
    kept = cells
    for combination in environment.exclude:
        wanted = _positions(environment, combination, "exclude", problems)
        if wanted is None:
            continue
        if not any(_fits(cell, wanted) for cell in cells):
            message = f"{_shown(combination)} matches no point"
            hint = "write values as they stand in `python` and `matrix`"
            problems.append(_problem(combination.place, environment, "exclude", message, hint))
        kept = tuple(cell for cell in kept if not _fits(cell, wanted))
    return kept


def _positions(
    environment: Environment, combination: Combination, key: str, problems: list[Problem]
) -> tuple[tuple[int, str], ...] | None:
    """Return (position, value) pairs, -1 for python; None when a name is unknown."""
    names = ["python", *(axis.name for axis in environment.axes)]
    unknown = [name for name, _ in combination.values if name not in names]
    path = f"environments.{environment.name}.{key}"
    problems.extend(unknown_axis(environment, name, place=combination.place, path=path) for name in unknown)
    if unknown:
        return None
    return tuple((names.index(name) - 1, value) for name, value in combination.values)


def unknown_axis(environment: Environment, name: str, *, place: Place, path: str) -> Problem:
    """Describe the use of an axis that the environment does not have."""
    from difflib import get_close_matches

    names = ["python", *(axis.name for axis in environment.axes)]
    near = get_close_matches(name, names, n=1)
    return Problem(
        place=place,
        path=path,
        message=f"{name!r} is no axis of environment {environment.name!r}",
        hint=f"perhaps {near[0]!r}" if near else f"known are {', '.join(names)}",
    )


def _fits(cell: Cell, wanted: tuple[tuple[int, str], ...]) -> bool:
    return all((cell.python if at < 0 else cell.values[at]) == value for at, value in wanted)


def _included(
    environment: Environment, taken: set[tuple[str | None, tuple[str, ...]]], problems: list[Problem]
) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for combination in environment.include:
        if _positions(environment, combination, "include", problems) is None:
            continue
        defect = _include_defect(environment, combination)
        if defect:
            problems.append(_problem(combination.place, environment, "include", *defect))
            continue
        cell = _include_cell(environment, combination)
        if (cell.python, cell.values) in taken:
            message = f"{_shown(combination)} is in the matrix already"
            hint = "change that point with `overrides`"
            problems.append(_problem(combination.place, environment, "include", message, hint))
            continue
        taken.add((cell.python, cell.values))
        cells.append(cell)
    return tuple(cells)


def _include_defect(environment: Environment, combination: Combination) -> tuple[str, str] | None:
    named = dict(combination.values)
    missing = [axis.name for axis in environment.axes if axis.name not in named]
    python = named.get("python")
    if python is None and len(environment.pythons) > 1:
        missing.insert(0, "python")
    if missing:
        return f"{_shown(combination)} does not say {', '.join(missing)}", "an include names one point by all"
    if python is None or environment.python_listed or environment.pythons == (python,):
        return None
    written = [*environment.pythons, python]
    listed = ", ".join(f'"{one}"' for one in written)
    return f"the environment has no list of pythons to add {python} to", f"write python: [{listed}]"


def _include_cell(environment: Environment, combination: Combination) -> Cell:
    named = dict(combination.values)
    python = named.get("python", environment.pythons[0] if environment.pythons else None)
    values = tuple(named[axis.name] for axis in environment.axes)
    return Cell(python=python, values=values, place=combination.place, added=combination.layer)


def _with_extra(
    environment: Environment,
    cells: tuple[Cell, ...],
    extra_pythons: tuple[str, ...],
    forced: bool,
    problems: tuple[Problem, ...],
) -> Cells:
    if not extra_pythons or not (environment.pythons or forced):
        return Cells(cells=cells, listed=environment.python_listed, problems=problems)
    present = {cell.python for cell in cells}
    combinations = tuple(dict.fromkeys(cell.values for cell in cells))
    extra = tuple(
        Cell(python=python, values=values, place=environment.place)
        for python in dict.fromkeys(extra_pythons)
        if python not in present
        for values in combinations
    )
    declared = tuple(cell for cell in cells if cell.python is not None)
    return Cells(cells=declared + extra, listed=True, problems=problems)


def _shown(combination: Combination) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in combination.values) + "}"


def _problem(place: Place, environment: Environment, key: str, message: str, hint: str = "") -> Problem:
    return Problem(place=place, path=f"environments.{environment.name}.{key}", message=message, hint=hint)
