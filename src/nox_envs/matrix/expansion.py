"""Owns the way from a spec to its points, and the problems that only show there."""

from __future__ import annotations

from nox_envs.errors import FileProblems, Problem
from nox_envs.matrix.cells import Cell, select_cells
from nox_envs.matrix.conditions import Rule, make_rule, override_problems
from nox_envs.matrix.filling import Filler
from nox_envs.matrix.layers import fold, project_drift
from nox_envs.matrix.names import session_name, venv_slug
from nox_envs.matrix.point import Point
from nox_envs.matrix.texts import fill_problems, used_names
from nox_envs.matrix.uniform import uniformity_problems
from nox_envs.spec.types import (
    DriftOptions,
    Environment,
    Layer,
    LockOptions,
    Package,
    Pairs,
    Spec,
)
from nox_envs.values import value

_EMPTY = Layer()


def expand(
    spec: Spec,
    *,
    extra_pythons: tuple[str, ...] = (),
    forced: bool = False,
    reserved: tuple[str, ...] = ("lock", "drift"),
) -> tuple[Point, ...]:
    """Expand every environment of a spec into its points, environments in the order written.

    Args:
        spec: the spec as read.
        extra_pythons: interpreters to add to every environment that declares one, as nox does for
            `--extra-python`.
        forced: the extra interpreters were given as `--force-python`: environments that declare none
            get them too, and nox leaves them out of the names of parametrized sessions.
        reserved: the names of the built-in sessions.

    Raises:
        FileProblems: with every problem of every environment.
    """
    problems: list[Problem] = []
    points: list[Point] = []
    for environment in spec.environments:
        if environment.name in reserved:
            problems.append(_reserved(environment))
        expansion = _Expansion(environment, spec.drift)
        points.extend(expansion.points(extra_pythons, forced))
        problems.extend(expansion.problems)
    problems.extend(_collisions(points))
    problems.extend(uniformity_problems(points))
    if problems:
        unique = dict.fromkeys(problems)
        raise FileProblems(tuple(sorted(unique, key=lambda one: (one.place.line, one.place.column))))
    return tuple(points)


class _Expansion:
    """Expand one environment; layers are folded once for each combination of them."""

    def __init__(self, environment: Environment, drift: DriftOptions) -> None:
        self.problems: list[Problem] = []
        self._environment = environment
        self._drift = drift
        self._rules: tuple[Rule, ...] = ()
        self._axis_layers = tuple(
            {value.value: value.layer for value in axis.values if value.layer != _EMPTY}
            for axis in environment.axes
        )
        self._folded: dict[tuple[int, ...], _Folded] = {}
        self._filled: dict[tuple[tuple[int, ...], tuple[str, ...]], Layer] = {}
        self._filler = Filler()

    def points(self, extra_pythons: tuple[str, ...], forced: bool) -> list[Point]:
        cells = select_cells(self._environment, extra_pythons=extra_pythons, forced=forced)
        self.problems.extend(cells.problems)
        self._rules = self._make_rules(cells.cells)
        unnamed = extra_pythons if forced and self._environment.axes else ()
        names = [axis.name for axis in self._environment.axes]
        return [
            self._point(cell, tuple(zip(names, cell.values, strict=True)), cells.listed, unnamed)
            for cell in cells.cells
        ]

    def _make_rules(self, cells: tuple[Cell, ...]) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        for override in self._environment.overrides:
            problems = override_problems(self._environment, override)
            self.problems.extend(problems)
            if not problems:
                rules.append(make_rule(self._environment, override, cells))
        return tuple(rules)

    def _point(self, cell: Cell, axes: Pairs, listed: bool, unnamed: tuple[str, ...]) -> Point:
        environment, python = self._environment, cell.python
        shown = python if listed and python not in unnamed else None
        layer = self._layer(cell, axes)
        return Point(
            environment=environment.name,
            session=session_name(environment.name, shown, axes),
            python=python,
            axes=axes,
            place=cell.place,
            description=layer.description or "",
            requirements=layer.requirements or (),
            constraints=layer.constraints or (),
            build_constraints=layer.build_constraints or (),
            package=layer.package or _NO_PACKAGE,
            commands=layer.commands or (),
            set_env=layer.set_env or (),
            pass_env=layer.pass_env,
            change_dir=layer.change_dir or "",
            tags=layer.tags or (),
            default=layer.default is not False,
            requires=layer.requires or (),
            backend=layer.backend,
            lock=layer.lock or _NO_LOCK,
            drift=layer.drift or self._drift,
            allow_prereleases=layer.allow_prereleases or False,
            platforms=layer.platforms or (),
            runs_on=layer.runs_on or (),
        )

    def _layer(self, cell: Cell, axes: Pairs) -> Layer:
        layers = [self._environment.layer]
        for by_value, chosen in zip(self._axis_layers, cell.values, strict=True):
            if chosen in by_value:
                layers.append(by_value[chosen])
        layers.extend([rule.layer for rule in self._rules if rule.applies(cell)])
        if cell.added is not None and cell.added != _EMPTY:
            layers.append(cell.added)
        key = tuple([id(layer) for layer in layers])
        folded = self._folded.get(key)
        if folded is None:
            folded = self._folded[key] = self._fold(tuple(layers), cell)
        if not folded.used:
            return folded.layer
        pairs = _values(self._environment.name, cell.python, axes)
        own = (key, tuple([value for name, value in pairs if name in folded.names]))
        filled = self._filled.get(own)
        if filled is None:
            filled = self._filled[own] = self._filler.fill(folded.layer, folded.used, pairs)
        return filled

    def _fold(self, layers: tuple[Layer, ...], cell: Cell) -> _Folded:
        drift = Layer(drift=project_drift(self._drift, fold(layers).drift))
        layer = fold((*layers, drift))
        known = {name for name, _ in _values(self._environment.name, cell.python, ())}
        known.update(axis.name for axis in self._environment.axes)
        self.problems.extend(fill_problems(layer, cell.place, self._environment.name, known))
        used = used_names(layer)
        names = frozenset(name for key_names in used.values() for name in key_names)
        return _Folded(layer=layer, used=used, names=names)


@value
class _Folded:
    layer: Layer
    used: dict[str, tuple[str, ...]]
    names: frozenset[str]


_NO_PACKAGE = Package()
_NO_LOCK = LockOptions()


def _values(name: str, python: str | None, axes: Pairs) -> Pairs:
    if python is None:
        return (("name", name), *axes)
    return (("name", name), ("python", python), ("py", python.replace(".", "")), *axes)


def _reserved(environment: Environment) -> Problem:
    return Problem(
        place=environment.place,
        path=f"environments.{environment.name}",
        message=f"{environment.name!r} is the name of a built-in session",
        hint="rename the environment, or rename the session with an argument of load()",
    )


def _collisions(points: list[Point]) -> list[Problem]:
    """Return one problem for each two environments with sessions that nox gives the same venv directory."""
    first: dict[str, Point] = {}
    found: dict[tuple[str, str], Problem] = {}
    for point in points:
        slug = venv_slug(point.session)
        other = first.setdefault(slug, point)
        if other is point or _same_by_force(other, point):
            continue
        pair = (other.environment, point.environment)
        if pair not in found:
            found[pair] = _collision(slug, other, point)
    return list(found.values())


def _same_by_force(one: Point, other: Point) -> bool:
    # nox itself gives two forced interpreters of a parametrized session one name.
    return one.session == other.session and one.python != other.python


def _collision(slug: str, first: Point, second: Point) -> Problem:
    if first.session == second.session:
        message = f"session {second.session!r} exists twice, here and at {first.place}"
    else:
        message = (
            f"session {second.session!r} and session {first.session!r} ({first.place}) "
            f"have the same venv directory {slug!r}"
        )
    return Problem(
        place=second.place,
        path=f"environments.{second.environment}",
        message=message,
        hint="rename one of them",
    )
