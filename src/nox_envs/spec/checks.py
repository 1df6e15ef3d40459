"""References between the parts of a spec: names of sets, environments, axes, values and placeholders."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import NamedTuple, cast

from nox_envs.errors import Place
from nox_envs.findings import DriftOptions
from nox_envs.spec import points, words
from nox_envs.spec.document import Node, Problems, Scalar, entry, walk
from nox_envs.spec.types import Condition, Entry, Environment, Layer, Point, Sets

_RESOLVING = ("resolution", "exclude_newer", "allow_prereleases", "only_binary", "no_binary")
# The fields of a point that a key fills.
_KEYS = tuple(Point.__annotations__)[5:]
_MOST_AXES = 100


class Named(NamedTuple):
    """An environment or template, with its node and those of what it takes over, nearest first.

    `whole` is False if `python`, `matrix` or `extends` has a problem, and for a template that another one
    extends: what depends on them is not checked.
    """

    environment: Environment
    nodes: tuple[Node, ...]
    whole: bool


def check(sets: Sets, drift: DriftOptions, named: list[Named], problems: Problems) -> None:
    """Add a problem for every reference that leads nowhere, leads in a circle, or has no effect."""
    environments = {one.environment.name: one for one in named}
    locks: dict[str, dict[str, Place]] = {name: {} for name in environments}
    _check_sets(sets, problems)
    _check_layer({"drift": drift}, sets, environments, problems)
    for name, one in environments.items():
        for layer, _ in _layers(one.environment):
            locks[name].update(_check_layer(layer, sets, environments, problems))
        _check_lock(one, problems)
        if len(points.axes_of(one.environment)) > _MOST_AXES:
            problems.add(one.environment.place, f"the environment has more than {_MOST_AXES} axes")
        elif one.whole:
            _check_points(one.environment, problems)
            _check_placeholders(one, problems)
    _check_conditions([one.environment for one in named if one.whole], problems)
    try:
        TopologicalSorter(locks).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
        message = f"the locks constrain each other in a circle: {' -> '.join(circle)}"
        problems.add(locks[circle[0]][circle[1]], message, "remove one of them")


def _layers(environment: Environment) -> Iterator[tuple[Layer, set[str]]]:
    """Yield every layer of an environment with keys, and the axes that have a value wherever it applies."""
    yield environment.layer, set()
    for part in points.parts_of(environment):
        if part.layer:
            yield part.layer, {name for name, _ in part.values} | {test.axis for test in part.when}


def _check_sets(sets: Sets, problems: Problems) -> None:
    for name, entries in sets.items():
        for item in entries:
            if "{" in item.text or "}" in item.text:
                hint = "write it in the 'requirements' of an environment"
                problems.add(item.place, "a requirement set has no placeholders", hint)
            elif item.kind == "include" and item.text not in sets:
                problems.unknown(item.place, item.text, "a requirement set", sets)
            elif item.kind == "requirement" and item.text in sets and item.text != name:
                hint = f"write 'include: {item.text}'; the package is written as '{item.text}>=0'"
                problems.add(item.place, f"{words.show(item.text)} is a requirement set", hint)


def _check_layer(
    layer: Layer, sets: Sets, environments: dict[str, Named], problems: Problems
) -> dict[str, Place]:
    """Check the names in a layer; return those of the environments whose locks constrain it."""
    drift = cast("DriftOptions", layer.get("drift", DriftOptions()))
    limits = cast("tuple[Entry, ...]", layer.get("constraints", ()))
    locks = {limit.text: limit.place for limit in limits if limit.kind == "lock"}
    for item in cast("tuple[Entry, ...]", layer.get("requirements", ())):
        named_set = item.kind in ("include", "requirement") and words.is_bare(item.text)
        if named_set and item.text not in sets:
            hint = f"a package is written with a version, such as '{item.text}>=1'; a file as {{file: PATH}}"
            problems.unknown(item.place, item.text, "a requirement set", sets, hint)
    named = [(rule.environment, rule.place) for rule in drift.ignore if rule.environment is not None]
    for name, place in (*named, *locks.items()):
        if name not in environments or name.startswith("_"):
            known = [one for one in environments if not one.startswith("_")]
            problems.unknown(place, name, "an environment", known, "name one of this file; not a template")
        elif locks.get(name) == place and environments[name].environment.lock.enabled is False:
            hint = "remove its 'lock: false', or constrain by a file"
            problems.add(place, f"the environment {words.show(name)} has no lock", hint)
    return locks


def _check_lock(named: Named, problems: Problems) -> None:
    options, place = named.environment.lock, named.environment.place
    several = len(options.file or ()) > 1
    idle = [key for key in _RESOLVING if entry(named.nodes[0], key) is not None]
    idle += [key for key in ("per", "format") if options.file and getattr(options, key) is not None]
    if options.managed is False and any(path.endswith(".toml") for path in options.file or ()):
        problems.add(
            place, "a pylock is not read", "export it in the requirements format, and name that file"
        )
    elif options.managed is False and idle:
        message = f"a lock with managed: false does not use {', '.join(idle)}"
        problems.add(place, message, "remove one of them")
    elif options.enabled and options.managed is not False and (several or options.command):
        message = "several files, or a command, are for a lock with managed: false"
        problems.add(place, message, "add that, or name one file and no command")


def _check_conditions(environments: list[Environment], problems: Problems) -> None:
    missed: dict[int, tuple[Condition, str, str] | None] = {}
    for environment in environments:
        known = points.axes_of(environment)
        for test in [test for part in points.parts_of(environment) for test in part.when]:
            values = known.get(test.axis, ())
            exact = [one for one in test.values if not one.startswith(words.COMPARISONS)]
            wrong = next((one for one in exact if one not in values), "") if values else test.axis
            what = f"a value of {test.axis}" if values else "an axis"
            message = f"{words.show(wrong)} is not {what} of the environment {words.show(environment.name)}"
            hint = f"it has {', '.join([*(values or known)][:10]) or 'none'}"
            found = missed.setdefault(id(test), (test, message, hint))
            missed[id(test)] = found if wrong else None
    for test, message, hint in filter(None, missed.values()):
        problems.add(test.place, message, hint)


def _check_points(environment: Environment, problems: Problems) -> None:
    matrix, always = environment.matrix.keys(), points.always_given(environment)
    for point in environment.include:
        given = {name for name, _ in point.values if name != "python"}
        for name in sorted(given - (always if environment.listed else matrix)):
            hint = problems.suggest(name, (*matrix, *_KEYS))
            if hint or not environment.listed:
                problems.add(point.place, f"{words.show(name)} is not an axis of the environment", hint)
        if missing := sorted(matrix - given):
            message = f"an added point needs a value for every axis: {', '.join(missing)}"
            problems.add(point.place, message, "to change points that exist, use 'overrides'")


def _check_placeholders(named: Named, problems: Problems) -> None:
    always = {"name", "environment", *points.always_given(named.environment)}
    where = f"known in the environment {words.show(named.environment.name)}"
    places: dict[str, Node] = {}
    for layer, own in _layers(named.environment):
        known = always | own | ({"py"} if "python" in always | own else set())
        for field in ("name", *points.RUN_FIELDS, *points.FILLED):
            more = words.RUN_TIME if field in points.RUN_FIELDS else ("session",) if field == "lock" else ()
            allowed = sorted(known.union(more))
            hint = f"{where}: {', '.join(allowed)}; a brace is written as '{{{{'"
            for text, place in points.templates_in(layer.get(field)) if field != "description" else ():
                for invalid in islice(words.check_placeholders(text, allowed, hint), 10):
                    if not place and not places:
                        nodes = [node for root in named.nodes for node, _ in walk(root)]
                        places = {node.value: node for node in reversed(nodes) if isinstance(node, Scalar)}
                    problems.add(place or places.get(text, named.nodes[0]), invalid.message, invalid.hint)
