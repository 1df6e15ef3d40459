"""The points of a spec: product of the axes, exclude, include, merging of layers, filling, naming."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise, product
from typing import NamedTuple, TypeVar, cast

from nox_envs.errors import FileProblems, Place, Problem, did_you_mean
from nox_envs.findings import DriftOptions
from nox_envs.spec import types, words
from nox_envs.spec.types import Condition, Environment, Layer, ListedPoint, Pairs, Point, Spec
from nox_envs.values import fields, replace

T = TypeVar("T")

MOST_POINTS = 20_000
_MOST_STEPS = 2_000_000
_MOST_SPENT = 1 << 26
_LONGEST_PATH = 100 - len("bin/pythonX.Y")

# The fields with placeholders; those of the first group keep {posargs} and {envdir} for the run.
RUN_FIELDS = ("commands_pre", "commands", "commands_post", "set_env", "change_dir")
FILLED_FIELDS = (
    *("description", "requirements", "constraints", "build_constraints", "package", "tags", "requires"),
    *("lock", "runs_on"),
)
_APPENDED = frozenset(("requirements", "constraints", "build_constraints", *RUN_FIELDS[:3]))


def expand(
    spec: Spec, *, reserved: tuple[str, ...] = ("lock", "drift"), python: str | None = None
) -> tuple[Point, ...]:
    """Return the points of every environment, in the order written.

    `reserved` are the names of the built-in sessions. `python` is what `nox -P` forces: every environment has
    points at that Python only. Raises FileProblems with every problem that only shows here.
    """
    _refuse_too_many(spec.environments)
    expansions: list[_Expansion] = []
    for environment in spec.environments:
        spent = expansions[-1].spent if expansions else 0
        expansions.append(_Expansion(environment, spec, python, spent))
    points = [point for expansion in expansions for point in expansion.points]
    problems = [problem for expansion in expansions for problem in expansion.problems]
    problems += _clashes(spec.environments, points, reserved)
    if python is None and any(expansion.required for expansion in expansions):
        problems += _wrong_requires(points, expansions)
    if problems:
        raise FileProblems(problems)
    return tuple(points)


def _problem(place: Place, environment: str, key: str, message: str, hint: str = "") -> Problem:
    return Problem(place=place, path=f"environments.{environment}{key}", message=message, hint=hint)


def _refuse_too_many(environments: Iterable[Environment]) -> None:
    total = 0
    for environment in environments:
        count = max(1, len(_pythons(environment))) * max(1, len(environment.matrix.points))
        for axis in environment.matrix.axes:
            count *= len(axis.values)
        total += count + len(environment.include)
        rules = len(environment.exclude) + len(environment.overrides)
        if total > MOST_POINTS or count * rules > _MOST_STEPS:
            message = (
                f"there are more than {MOST_POINTS:,} points, or too many exclude and overrides for them"
            )
            hint = "list the points: matrix: [{AXIS: VALUE, …}, …]"
            raise FileProblems([_problem(environment.place, environment.name, ".matrix", message, hint)])


def _pythons(environment: Environment) -> tuple[str, ...]:
    """Return the Pythons of an environment, or else those that its axis values are limited to."""
    limits = [value.python for axis in environment.matrix.axes for value in axis.values if value.python]
    named = dict.fromkeys(name for limit in limits for name in limit.values)
    return environment.python.values or tuple(named)


def axes_of(environment: Environment) -> dict[str, tuple[str, ...]]:
    """Return the values that `python` and every axis of an environment can have, in the order first seen."""
    found = {"python": [*_pythons(environment)]}
    for axis in environment.matrix.axes:
        found[axis.name] = [value.value for value in axis.values]
    for point in (*environment.matrix.points, *environment.include):
        for name, value in (("python", point.python), *point.values):
            found.setdefault(name, []).extend([value] if value else [])
    return {name: tuple(dict.fromkeys(values)) for name, values in found.items() if values}


def always_given(environment: Environment) -> frozenset[str]:
    """Return the axes, and `python`, that have a value at every point of an environment."""
    points = (*environment.matrix.points, *environment.include)
    given = [{name for name, _ in point.values} | ({"python"} if point.python else set()) for point in points]
    if not environment.matrix.points:
        given.append({axis.name for axis in environment.matrix.axes})
    return frozenset(set.intersection(*given) | ({"python"} if _pythons(environment) else set()))


def meets(condition: Condition, value: str | None) -> bool:
    """Return whether the value of its axis meets a condition; None is a point without the axis."""
    if value is None:
        return False
    version = ".".join(map(str, words.parse_python(value).version)) if condition.axis == "python" else value
    known = _in_range(condition.specifier, version) if condition.specifier else value in condition.values
    return known is not condition.negated


@lru_cache(maxsize=4096)
def _in_range(specifier: str, version: str) -> bool:
    from packaging.specifiers import SpecifierSet  # only specs with ranges need it
    from packaging.version import Version

    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except ValueError:
        return False


class _Cell(NamedTuple):
    """One point before its layers are merged; `shown` tells whether its Python is part of its name."""

    python: str | None
    axes: Pairs
    shown: bool
    layers: tuple[Layer, ...]
    place: Place


def _cells(environment: Environment, forced: str | None) -> list[_Cell]:
    """Return the cells of an environment; a forced Python goes with every combination of axes."""
    cells = [cell for cell in _product(environment) if not _rules(environment.exclude, cell)]
    for point in (*environment.matrix.points, *environment.include):
        cells += _listed(environment, point)
    if forced is None:
        return cells
    at_forced = [cell for cell in cells if cell.python == forced]
    combinations = {cell.axes: cell for cell in reversed(cells)}
    chosen = at_forced or [*reversed([*combinations.values()])]
    return [cell._replace(python=forced, shown=True) for cell in chosen]


def _rules(rules: tuple[types.Override, ...], cell: _Cell) -> list[Layer]:
    """Return the layers of the rules whose conditions a cell meets."""
    values: dict[str, str | None] = {"python": cell.python, **dict(cell.axes)} if rules else {}
    return [one.layer for one in rules if all(meets(test, values.get(test.axis)) for test in one.when)]


def _product(environment: Environment) -> Iterator[_Cell]:
    names = [axis.name for axis in environment.matrix.axes]
    shown = environment.python.listed or not environment.python.values
    pythons: tuple[str | None, ...] = () if environment.matrix.points else _pythons(environment) or (None,)
    for python in pythons:
        for values in product(*(axis.values for axis in environment.matrix.axes)):
            if all(value.python is None or meets(value.python, python) for value in values):
                axes = tuple(zip(names, [value.value for value in values], strict=True))
                yield _Cell(python, axes, shown, tuple([value.layer for value in values]), environment.place)


def _listed(environment: Environment, point: ListedPoint) -> Iterator[_Cell]:
    given = dict(point.values)
    values = [(axis.name, value) for axis in environment.matrix.axes for value in axis.values]
    layers = (*(value.layer for name, value in values if given.get(name) == value.value), point.layer)
    for python in (point.python,) if point.python else _pythons(environment) or (None,):
        shown = point.python is not None or environment.python.listed
        yield _Cell(python, point.values, shown, layers, point.place)


class _Expansion:
    """One environment on its way to points; each combination of layers is merged, each field filled, once."""

    def __init__(self, environment: Environment, spec: Spec, forced: str | None, spent: int) -> None:
        self.spent = spent
        self.problems: list[Problem] = []
        self.required: dict[tuple[str, str], Place] = {}
        self.environment = environment
        self._drift = spec.drift
        self._sets = {one.name for one in spec.sets}
        self._merged: dict[tuple[int, ...], dict[str, object]] = {}
        self._filled: dict[tuple[object, ...], object] = {}
        self._names: dict[int, tuple[tuple[str, ...], int] | None] = {}
        self.points = [self._point(cell) for cell in _cells(environment, forced)]
        if not self.points:
            message = "no point is left of this environment"
            self.problems.append(_problem(environment.place, environment.name, ".exclude", message))

    def _point(self, cell: _Cell) -> Point:
        name = self.environment.name
        values = {"name": name, "environment": name, **dict(cell.axes)}
        if cell.python is not None:
            values.update(python=cell.python, py=cell.python.replace(".", ""))
        rules = _rules(self.environment.overrides, cell)
        merged = self._merge((self.environment.layer, *cell.layers, *rules))
        given = {field: self._fill(field, content, values) for field, content in merged.items()}
        session = self._session(cell, merged.get("name"), values)
        if given.pop("name", None):
            given["tags"] = (*cast("tuple[str, ...]", given.get("tags", ())), name)
        required = cast("tuple[types.Required, ...]", given.get("requires", ()))
        self.required.update({(session, one.text): one.place for one in required})
        given["requires"] = tuple([one.text for one in required])
        own = {"session": session, "python": cell.python, "axes": cell.axes, "place": cell.place}
        return _made(Point, {"environment": name, **own, **given})

    def _session(self, cell: _Cell, template: object, values: Mapping[str, str]) -> str:
        name, matrix = self.environment.name, self.environment.matrix
        if isinstance(template, str):
            # As in the factors of tox, dots are left out: py313-django52.
            dotless = {axis: value.replace(".", "") for axis, value in cell.axes}
            return words.fill(template, {**values, **dotless})
        parts = [cell.python] if cell.shown and cell.python else []
        if not (matrix.axes or matrix.points or cell.axes):
            return "-".join([name, *parts])
        return f"{name}({'-'.join([*parts, *[axis + value for axis, value in cell.axes]])})"

    def _merge(self, layers: tuple[Layer, ...]) -> dict[str, object]:
        key = tuple([id(layer) for layer in layers])
        if key not in self._merged:
            merged = layers[0]
            for layer in layers[1:]:
                merged = merge(merged, layer)
            drift = merged.drift or DriftOptions()
            drift = replace(_over(self._drift, drift), ignore=self._drift.ignore + drift.ignore)
            given = {name: getattr(merged, name) for name in fields(merged)}
            self._spend(8 * sum(len(content) for content in given.values() if isinstance(content, tuple)))
            self._merged[key] = {k: v for k, v in given.items() if v is not None} | {"drift": drift}
        return self._merged[key]

    def _fill(self, field: str, content: object, values: Mapping[str, str]) -> object:
        if id(content) not in self._names:
            texts = texts_of(content) if field in (*RUN_FIELDS, *FILLED_FIELDS) else ()
            braced = [text for text, _ in texts if "{" in text or "}" in text]
            names = tuple(dict.fromkeys(name for text in braced for name in words.names_in(text)))
            self._names[id(content)] = (names, sum(map(len, braced))) if braced else None
        used = self._names[id(content)]
        if used is None:
            return content
        key = (field, id(content), *[values.get(name) for name in used[0]])
        if key not in self._filled:
            self._spend(used[1])
            fill = words.fill_command if field in RUN_FIELDS else words.fill
            filled = _changed(content, lambda text: fill(text, values))
            self._filled[key] = self._known_sets(filled) if field == "requirements" else filled
        return self._filled[key]

    def _spend(self, size: int) -> None:
        self.spent += size
        if self.spent > _MOST_SPENT:
            place, name = self.environment.place, self.environment.name
            message = f"the points take more than {_MOST_SPENT >> 20} MiB"
            raise FileProblems([_problem(place, name, ".matrix", message, "move long texts to files")])

    def _known_sets(self, content: object) -> object:
        entries = tuple([set_of(entry) for entry in cast("tuple[types.Entry, ...]", content)])
        for entry in entries:
            if isinstance(entry, types.Include) and entry.name not in self._sets:
                message = f"{words.show(entry.name)} is not a requirement set"
                found = message, did_you_mean(entry.name, self._sets)
                self.problems.append(_problem(entry.place, self.environment.name, ".requirements", *found))
        return entries


def _made(kind: type[T], contents: Mapping[str, object]) -> T:
    return kind(**contents)


def set_of(entry: types.Entry) -> types.Entry:
    """Return a bare name as what it is in an environment: a requirement set."""
    if isinstance(entry, types.RequirementText) and words.is_bare(entry.text):
        return types.Include(name=entry.text, place=entry.place)
    return entry


def texts_of(content: object, place: Place | None = None) -> Iterator[tuple[str, Place | None]]:
    """Yield every text in a field, with the place of the value around it that has one."""
    if isinstance(content, str):
        yield content, place
    elif isinstance(content, tuple):
        for one in content:
            yield from texts_of(one, place)
    elif content is not None and not isinstance(content, int | Place):
        for name in fields(content):
            yield from texts_of(getattr(content, name), getattr(content, "place", place))


def _changed(content: object, change: Callable[[str], str]) -> object:
    if isinstance(content, str):
        return change(content)
    if isinstance(content, tuple):
        return tuple([_changed(one, change) for one in content])
    if content is None or isinstance(content, int | Place):
        return content
    return replace(content, **{name: _changed(getattr(content, name), change) for name in fields(content)})


def merge(base: Layer, added: Layer) -> Layer:
    """Return `base` with what `added` gives: requirements and commands are appended, mappings merged."""
    names = [name for name in fields(added) if getattr(added, name) is not None]
    return replace(base, **{name: _joined(name, getattr(base, name), getattr(added, name)) for name in names})


def _joined(name: str, base: object, added: object) -> object:
    if base is None or name not in (*_APPENDED, "set_env", "lock", "drift"):
        return added
    if name in ("lock", "drift"):
        return _over(base, added)
    both = (*cast("tuple[object, ...]", base), *cast("tuple[object, ...]", added))
    return tuple(dict(cast("Pairs", both)).items()) if name == "set_env" else both


def _over(base: T, added: T) -> T:
    given = {name: getattr(added, name) for name in fields(added)}
    if isinstance(base, DriftOptions):
        given["severity"] = tuple({**dict(base.severity), **dict(given["severity"])}.items())
    return replace(base, **{name: content for name, content in given.items() if content not in (None, ())})


def venv_directory(session: str, envdir: str = ".nox") -> str:
    """Return the name of the directory that nox gives the venv of a session below `envdir`."""
    slug = _slug(session)
    too_long = len(os.path.join(envdir, slug)) > _LONGEST_PATH and len(envdir) < 100 - 9
    return _short_digest(slug) if too_long else slug


def _slug(session: str) -> str:
    ascii_only = session
    if not session.isascii():
        import unicodedata  # few sessions have such names

        ascii_only = unicodedata.normalize("NFKD", session).encode("ascii", "ignore").decode("ascii")
    safe = re.sub(r"[^\w\s-]", "-", ascii_only).strip().lower()
    return re.sub(r"[-\s]+", "-", safe).strip("-") or _short_digest(session)


def _short_digest(text: str) -> str:
    from hashlib import sha1  # few names are too long

    return sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest()[:8]


def _clashes(
    environments: tuple[Environment, ...], points: list[Point], reserved: tuple[str, ...]
) -> Iterator[Problem]:
    """Yield a problem for every name that two sessions, or a session and something else, would have."""
    owners = {environment.name: environment for environment in environments}
    for name in owners.keys() & {*reserved}:
        message = f"{name!r} is the name of a built-in session"
        yield _problem(owners[name].place, name, "", message, "rename the environment")
    first: dict[str, Point] = {}
    for point in points:
        slug, message = _slug(point.session), ""
        other, owner = first.setdefault(slug, point), owners.get(point.session)
        if other is not point and other.session == point.session:
            message = f"the session {point.session!r} exists twice, here and at {other.place}"
        elif other is not point:
            there = f"{other.session!r} ({other.place})"
            message = f"the sessions {point.session!r} and {there} have the same venv directory {slug!r}"
        elif owner is None and point.session in reserved:
            message = f"{point.session!r} is the name of a built-in session"
        elif owner is not None and owner.name != point.environment:
            message = f"the session {point.session!r} has the name of an environment ({owner.place})"
        if message:
            yield _problem(point.place, point.environment, "", message, "rename one of them")


def _wrong_requires(points: list[Point], expansions: list[_Expansion]) -> Iterator[Problem]:
    graph: dict[str, list[str]] = {one.environment.name: [] for one in expansions}
    for point in points:
        for other in {point.environment, f"{point.environment}-{point.python}"} - {point.session}:
            graph.setdefault(other, []).append(point.session)
        graph.setdefault(point.session, []).extend(point.requires)
    owners = {point.session: point.environment for point in points}
    places = {edge: place for one in expansions for edge, place in one.required.items()}
    for (session, text), place in places.items():
        if text not in graph:
            hint = did_you_mean(text, graph) or "`nox-envs list` shows the sessions"
            message = f"{words.show(text)} is not an environment, and not a session of one"
            yield _problem(place, owners[session], ".requires", message, hint)
    for circle in walk(graph)[1]:
        edge = next(edge for edge in pairwise(circle) if edge in places)
        message = f"the sessions require each other: {' -> '.join(circle)}"
        yield _problem(places[edge], owners[edge[0]], ".requires", message, "remove one of them")


def walk(graph: Mapping[str, Iterable[str]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the nodes of a graph, each after what it points to, and up to a hundred circles (`a, b, a`).

    Edges to names that are not nodes are ignored.
    """
    order: list[str] = []
    circles: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in graph:
        path = {start: iter(graph[start])} if start not in done else {}
        while path:
            # Without recursion: a chain of thousands of names must not exhaust Python's stack.
            node, edges = next(reversed(path.items()))
            target = next(edges, None)
            if target is None:
                path.popitem()
                done.add(node)
                order.append(node)
            elif target in path and len(circles) < 100:
                names = [*path]
                circles.append((*names[names.index(target) :], target))
            elif target in graph and target not in done and target not in path:
                path[target] = iter(graph[target])
    return order, circles
