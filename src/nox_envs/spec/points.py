"""The points of a spec: product of the axes, exclude, include, merging of layers, filling, naming."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from math import prod
from operator import is_
from typing import NamedTuple, cast

from nox_envs.errors import FileProblems, Place, Problem, did_you_mean
from nox_envs.findings import DriftOptions
from nox_envs.spec import types, words
from nox_envs.spec.types import Environment, Layer, LockOptions, Point, Spec, Variant
from nox_envs.values import contents, given, replace

MOST_POINTS = 20_000

# The fields with placeholders; those of the first group keep {posargs} and {envdir} for the run.
RUN_FIELDS = ("commands_pre", "commands", "commands_post", "set_env", "change_dir")
_REQUIREMENTS = ("requirements", "constraints", "build_constraints")
FILLED = (*_REQUIREMENTS, "description", "package", "tags", "requires", "lock", "runs_on")
_APPENDED = frozenset((*_REQUIREMENTS, *RUN_FIELDS[:3]))


def expand(spec: Spec, *, reserved: tuple[str, ...] = (), python: str | None = None) -> tuple[Point, ...]:
    """Return the points of every environment, in the order written.

    `reserved` are the names of the built-in sessions. `python` is what `nox -P` forces: every environment has
    points at that Python only. Raises FileProblems with every problem that only shows here.
    """
    points: list[Point] = []
    problems: list[Problem] = []
    known: dict[tuple[int, ...], tuple[Layer, Layer, int]] = {}
    spent = 0
    for environment in spec.environments:
        rules = len(environment.exclude) + len(environment.overrides)
        combinations = 0 if environment.listed else prod(map(len, environment.matrix.values()))
        count = max(1, len(_pythons(environment))) * (combinations + len(environment.include))
        spent += count * (1 + rules // 100)
        cells = _cells(environment, python) if spent <= MOST_POINTS else []
        for cell in cells:
            every = (environment.layer, *cell.layers, *_rules(environment.overrides, cell))
            layers = [layer for layer in every if layer]
            key = tuple([id(layer) for layer in layers])
            fixed, opened, size = known[key] = known.get(key) or _merged(layers, spec.drift)
            points.append(_point(environment, cell, fixed, opened))
            spent += size // 3000
            if spent > MOST_POINTS:
                break
        if spent > MOST_POINTS:
            message = f"too many points: more than {MOST_POINTS:,}, or with long texts or many rules"
            hint = "list the points: matrix: [{AXIS: VALUE, …}, …]"
            raise FileProblems([_problem(environment.place, environment.name, ".matrix", message, hint)])
        if not cells:
            message = "no point is left of this environment"
            problems.append(_problem(environment.place, environment.name, ".exclude", message))
    problems += _clashes(spec.environments, points, {*reserved})
    if python is None:
        problems += _wrong_requires(spec.environments, points)
    if problems:
        raise FileProblems(problems)
    return tuple(points)


def _problem(place: Place, environment: str, key: str, message: str, hint: str = "") -> Problem:
    return Problem(place=place, path=f"environments.{environment}{key}", message=message, hint=hint)


def parts_of(environment: Environment) -> Iterator[Variant]:
    """Yield the axis values, listed points, exclusions and overrides of an environment."""
    for values in environment.matrix.values():
        yield from values
    yield from (*environment.include, *environment.exclude, *environment.overrides)


def _pythons(environment: Environment) -> tuple[str, ...]:
    """Return the Pythons of an environment, or else those that its axis values are limited to."""
    if isinstance(environment.python, str):
        return (environment.python,)
    limits = [test for values in environment.matrix.values() for one in values for test in one.when]
    named = [value for limit in limits for value in limit.values if not value.startswith(words.COMPARISONS)]
    return environment.python or tuple(dict.fromkeys(named))


def axes_of(environment: Environment) -> dict[str, tuple[str, ...]]:
    """Return the values that `python` and every axis of an environment can have, in the order first seen."""
    found = {"python": [*_pythons(environment)]}
    for part in parts_of(environment):
        for name, value in part.values:
            found.setdefault(name, []).append(value)
    return {name: tuple(dict.fromkeys(values)) for name, values in found.items() if values}


def always_given(environment: Environment) -> frozenset[str]:
    """Return the axes, and `python`, that have a value at every point of an environment."""
    named = [{name for name, _ in point.values} for point in environment.include]
    if not environment.listed:
        named.append({*environment.matrix})
    return frozenset(set.intersection(*named) | ({"python"} if _pythons(environment) else set()))


def meets(condition: types.Condition, value: str | None) -> bool:
    """Return whether the value of its axis meets a condition; None is a point without the axis."""
    if value is None:
        return False
    ranges = [one for one in condition.values if one.startswith(words.COMPARISONS)]
    version = value
    if ranges and condition.axis == "python":
        version = ".".join(map(str, words.parse_python(value).version))
    known = value in condition.values or any(words.in_range(version, one) for one in ranges)
    return known is not condition.negated


class _Cell(NamedTuple):
    """One point before its layers are merged; `shown` tells whether its Python is part of its name."""

    python: str | None
    axes: types.Pairs
    shown: bool
    layers: tuple[Layer, ...]
    place: Place


def _cells(environment: Environment, forced: str | None) -> list[_Cell]:
    """Return the cells of an environment; a forced Python goes with every combination of axes."""
    matrix, shown = environment.matrix.values(), not isinstance(environment.python, str)
    pythons = _pythons(environment) or (None,)
    cells: list[_Cell] = []
    for python, parts in product(pythons, product(*matrix)) if not environment.listed else ():
        axes = tuple([pair for part in parts for pair in part.values])
        layers = tuple([part.layer for part in parts])
        cell = _Cell(python, axes, shown, layers, environment.place)
        limits = [test for part in parts for test in part.when]
        if all(meets(test, python) for test in limits) and not _rules(environment.exclude, cell):
            cells.append(cell)
    axis_values = [part for values in matrix for part in values]
    for point in environment.include:
        layers = (*[part.layer for part in axis_values if part.values[0] in point.values], point.layer)
        axes = tuple([pair for pair in point.values if pair[0] != "python"])
        own = dict(point.values).get("python")
        of_point = (own,) if own else pythons
        cells += [_Cell(python, axes, shown or bool(own), layers, point.place) for python in of_point]
    if forced is None:
        return cells
    at_forced = [cell for cell in cells if cell.python == forced]
    combinations = {cell.axes: cell for cell in cells}
    return [cell._replace(python=forced, shown=True) for cell in at_forced or combinations.values()]


def _rules(rules: tuple[Variant, ...], cell: _Cell) -> list[Layer]:
    values: dict[str, str | None] = {"python": cell.python, **dict(cell.axes)} if rules else {}
    return [one.layer for one in rules if all(meets(test, values.get(test.axis)) for test in one.when)]


def _merged(layers: Iterable[Layer], drift: DriftOptions) -> tuple[Layer, Layer, int]:
    """Return the keys without placeholders, which points share, those with them, and the length of these."""
    merged: Layer = {}
    for layer in layers:
        merged = merge(merged, layer, _APPENDED)
    own = cast("DriftOptions", merged.get("drift", DriftOptions()))
    fixed = {**merged, "drift": replace(_over(drift, own), ignore=drift.ignore + own.ignore)}
    found = {name: templates_in(fixed[name]) for name in (*RUN_FIELDS, *FILLED) if name in fixed}
    size = sum([len(text) for templates in found.values() for text, _ in templates])
    size += 8 * sum([len(one) for one in fixed.values() if isinstance(one, tuple)])
    opened = {name: fixed.pop(name) for name, templates in found.items() if templates}
    return fixed, opened, size


def _point(environment: Environment, cell: _Cell, fixed: Layer, opened: Layer) -> Point:
    name = environment.name
    values = {"name": name, "environment": name, **dict(cell.axes)}
    if cell.python is not None:
        values.update(python=cell.python, py=cell.python.replace(".", ""))

    def filled(field: str, content: object) -> object:
        known = {"session": session, **values} if field == "lock" else values
        return _changed(content, lambda text, _: words.fill(text, known, for_run=field in RUN_FIELDS))

    if template := {**fixed, **opened}.get("name"):
        # As in the factors of tox, dots are left out: py313-django52.
        dotless = {axis: value.replace(".", "") for axis, value in cell.axes}
        session = words.fill(str(template), {**values, **dotless})
    else:
        parts = [cell.python] if cell.shown and cell.python else []
        session = "-".join([name, *parts])
        if environment.listed or environment.matrix or cell.axes:
            session = f"{name}({'-'.join([*parts, *[axis + value for axis, value in cell.axes]])})"
    found = {**fixed, **{field: filled(field, content) for field, content in opened.items()}}
    if found.pop("name", None):
        found["tags"] = (*cast("tuple[str, ...]", found.get("tags", ())), name)
    point = Point(environment=name, session=session, python=cell.python, axes=cell.axes, place=cell.place)
    return replace(point, **found)


def templates_in(content: object) -> list[tuple[str, Place | None]]:
    """Return every text with braces in a field, with the place of the value around it that has one."""
    found: list[tuple[str, Place | None]] = []

    def seen(text: str, place: Place | None) -> str:
        if "{" in text or "}" in text:
            found.append((text, place))
        return text

    _changed(content, seen)
    return found


def _changed(content: object, change: Callable[[str, Place | None], str], at: Place | None = None) -> object:
    """Return a value with its texts changed, itself if they all stay."""
    if isinstance(content, str):
        return change(content, at)
    if content is None or isinstance(content, int | Place):
        return content
    if isinstance(content, tuple):
        items = tuple([_changed(one, change, at) for one in content])
        return content if all(map(is_, content, items)) else items
    # A text of the lock is a key of its own, with a place that is more exact.
    at = at if isinstance(content, LockOptions) else getattr(content, "place", at)
    held = contents(content)
    new = {name: _changed(one, change, at) for name, one in held.items()}
    return content if all(map(is_, held.values(), new.values())) else replace(content, **new)


def merge(base: Layer, added: Layer, appended: frozenset[str] = frozenset()) -> Layer:
    """Return `base` with what `added` gives: mappings are merged, and the lists of some keys appended."""
    merged = dict(base)
    for name, content in added.items():
        before = base.get(name)
        if isinstance(content, dict) and isinstance(before, dict):
            content = {**before, **content}
        elif isinstance(content, DriftOptions | LockOptions) and isinstance(before, type(content)):
            content = _over(before, content)
        elif isinstance(before, tuple) and isinstance(content, tuple):
            if name in ("set_env", "severity"):
                content = tuple(dict((*before, *content)).items())
            elif name in appended:
                content = (*before, *content)
        merged[name] = content
    return merged


def _over(base: object, added: object) -> object:
    if isinstance(added, LockOptions) and added.enabled is False:
        return added
    return replace(base, **merge(contents(base), given(added)))


def _clashes(known: Iterable[Environment], points: list[Point], reserved: set[str]) -> Iterator[Problem]:
    owners = {environment.name: environment for environment in known}
    first: dict[str, Point] = {}
    for point in points:
        other, owner = first.setdefault(words.slug(point.session), point), owners.get(point.session)
        message = ""
        if taken := {point.session, point.environment} & reserved:
            message = f"{taken.pop()!r} is the name of a built-in session"
        elif other is not point:
            there = f"{other.session!r} ({other.place})"
            message = f"the session {point.session!r} has the name or venv directory of {there}"
        elif owner is not None and owner.name != point.environment:
            message = f"the session {point.session!r} has the name of an environment ({owner.place})"
        if message:
            yield _problem(point.place, point.environment, "", message, "rename one of them")


def _wrong_requires(environments: tuple[Environment, ...], points: list[Point]) -> Iterator[Problem]:
    known = {environment.name for environment in environments}
    for point in points:
        known |= {point.session, f"{point.environment}-{point.python}"}
    required = {(one.place, one.text): (point, one) for point in points for one in point.requires}
    wrong = [found for (_, name), found in required.items() if name not in known]
    for point, one in wrong[:20]:
        hint = did_you_mean(one.text, known) or "`nox-envs list` shows the sessions"
        message = f"{words.show(one.text)} is not an environment, and not a session of one"
        yield _problem(one.place, point.environment, ".requires", message, hint)
