"""References between the parts of a spec: names of sets, environments, axes, values and placeholders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from nox_envs.errors import Place, nearest
from nox_envs.findings import DriftOptions
from nox_envs.spec import types, words
from nox_envs.spec.document import Mapping, Node, Problems, entry, find
from nox_envs.spec.points import FILLED_FIELDS, RUN_FIELDS, always_given, axes_of, texts_of, walk
from nox_envs.spec.types import Condition, Environment, Include, Layer, LockConstraint
from nox_envs.values import fields

RESOLVING = ("resolution", "exclude_newer", "allow_prereleases", "only_binary", "no_binary")
_DEEPEST = 100
_MOST_OF_A_TEXT = 10
_MOST_AXES = 100


class Named(NamedTuple):
    """An environment or template: its own node, and its node and value with what it takes over.

    `sound` is False if `python`, `matrix` or `extends` has a problem: what depends on them is not checked.
    """

    name: str
    own: Node
    node: Mapping
    environment: Environment
    sound: bool

    @property
    def is_template(self) -> bool:
        """Return whether it only exists to be extended."""
        return self.name.startswith("_")


def check(
    sets: tuple[types.RequirementSet, ...], drift: DriftOptions, named: list[Named], problems: Problems
) -> None:
    """Add a problem for every reference that leads nowhere, leads in a circle, or has no effect."""
    known_sets = {one.name: one for one in sets}
    environments = {one.name: one for one in named}
    extended = {one.environment.extends for one in named}
    missed: dict[int, tuple[Place, str, str] | None] = {}
    _check_sets(known_sets, problems)
    _check_rules(drift, environments, problems)
    for one in named:
        for layer, _ in _layers(one.environment):
            _check_layer(layer, known_sets, environments, problems)
        _check_lock(one, problems)
        if len(axes_of(one.environment)) > _MOST_AXES:
            problems.add(one.environment.place, f"the environment has more than {_MOST_AXES} axes")
        elif one.sound and not (one.is_template and one.name in extended):
            _check_conditions(one, missed, problems)
            _check_points(one, problems)
            _check_placeholders(one, problems)
    for problem in filter(None, missed.values()):
        problems.add(*problem)
    locks = {
        name: _locks(layer for layer, _ in _layers(one.environment)) for name, one in environments.items()
    }
    _check_circles(locks, "the locks constrain each other in a circle", problems)


def _layers(environment: Environment) -> Iterator[tuple[Layer, set[str]]]:
    """Yield every layer of an environment, with the axes that have a value wherever it applies."""
    yield environment.layer, set()
    for axis in environment.matrix.axes:
        yield from ((value.layer, {axis.name}) for value in axis.values)
    for override in environment.overrides:
        yield override.layer, {condition.axis for condition in override.when}
    for point in (*environment.matrix.points, *environment.include):
        yield point.layer, {name for name, _ in point.values} | ({"python"} if point.python else set())


def _check_sets(sets: dict[str, types.RequirementSet], problems: Problems) -> None:
    edges: dict[str, dict[str, Place]] = {name: {} for name in sets}
    for name, one in sets.items():
        for item in one.entries:
            if any("{" in text or "}" in text for text, _ in texts_of(item)):
                hint = "write it in the 'requirements' of an environment"
                problems.add(item.place, "a requirement set has no placeholders", hint)
            elif isinstance(item, Include):
                edges[name].setdefault(item.name, item.place)
                if item.name not in sets:
                    problems.unknown(item.place, item.name, "a requirement set", sets)
            elif isinstance(item, types.RequirementText) and item.text in sets and item.text != name:
                hint = f"write 'include: {item.text}'; the package is written as '{item.text}>=0'"
                problems.add(item.place, f"{words.show(item.text)} is a requirement set", hint)
    depths: dict[str, int] = {}
    for name in _check_circles(edges, "the includes go in a circle", problems):
        depths[name] = 1 + max((depths.get(target, 0) for target in edges[name]), default=0)
        if depths[name] == _DEEPEST + 1:
            message = f"requirement sets include each other more than {_DEEPEST} deep"
            problems.add(sets[name].place, message, "include them from one set")


def _check_circles(edges: dict[str, dict[str, Place]], message: str, problems: Problems) -> list[str]:
    order, circles = walk(edges)
    for circle in circles:
        problems.add(edges[circle[0]][circle[1]], f"{message}: {' -> '.join(circle)}", "remove one of them")
    return order


def _locks(layers: Iterable[Layer]) -> dict[str, Place]:
    limits = [limit for layer in layers for limit in layer.constraints or ()]
    return {limit.environment: limit.place for limit in limits if isinstance(limit, LockConstraint)}


def _check_rules(drift: DriftOptions | None, environments: dict[str, Named], problems: Problems) -> None:
    for rule in drift.ignore if drift is not None else ():
        if rule.environment is not None:
            _check_name(rule.environment, rule.place, environments, problems)


def _check_name(name: str, place: Place, environments: dict[str, Named], problems: Problems) -> None:
    if name not in environments:
        known = islice((one for one, named in environments.items() if not named.is_template), 10)
        hint = f"known: {', '.join(known) or 'only templates'}"
        problems.unknown(place, name, "an environment", environments, hint)
    elif environments[name].is_template:
        problems.add(place, f"{words.show(name)} is a template and has no session", "name an environment")


def _check_layer(
    layer: Layer, sets: dict[str, types.RequirementSet], environments: dict[str, Named], problems: Problems
) -> None:
    _check_rules(layer.drift, environments, problems)
    for item in layer.requirements or ():
        if isinstance(item, Include) and "{" not in item.name and item.name not in sets:
            hint = f"a package is written with a version, such as '{item.name}>=1'; a file as {{file: PATH}}"
            problems.unknown(item.place, item.name, "a requirement set", sets, hint)
    for name, place in _locks([layer]).items():
        _check_name(name, place, environments, problems)
        options = environments[name].environment.layer.lock if name in environments else None
        if options is not None and options.enabled is False:
            hint = "remove its 'lock: false', or constrain by a file"
            problems.add(place, f"the environment {words.show(name)} has no lock", hint)


def _check_lock(named: Named, problems: Problems) -> None:
    options, node = named.environment.layer.lock, entry(named.node, "lock")
    if options is None or node is None:
        return
    if options.managed is False:
        ignored = [(entry(named.own, key), key) for key in RESOLVING]
        ignored += [(entry(node, key), key) for key in ("per", "format") if options.file is not None]
        for found, key in ignored:
            if found is not None:
                message = f"{key!r} has no effect on a lock with managed: false"
                problems.add(found, message, "remove one of them")
    else:
        if (file := entry(node, "file")) and options.file is not None and len(options.file) > 1:
            hint = "add 'managed: false' if they are only read, or name one file"
            problems.add(file, "several files cannot be written as one lock", hint)
        if command := entry(node, "command"):
            problems.add(command, "'command' is for a lock with managed: false", "add that, or remove it")


def _check_conditions(
    named: Named, missed: dict[int, tuple[Place, str, str] | None], problems: Problems
) -> None:
    """Note the conditions that this environment cannot meet; another one that inherits them may."""
    environment, known = named.environment, axes_of(named.environment)
    tests = [value.python for axis in environment.matrix.axes for value in axis.values if value.python]
    tests += [test for rule in (*environment.exclude, *environment.overrides) for test in rule.when]
    for test in tests:
        if missed.get(id(test), ()) is None:
            continue
        message, hint = _misfit(test, known, problems)
        where = f" of the environment {words.show(named.name)}"
        missed[id(test)] = (test.place, message + where, hint) if message else None


def _misfit(test: Condition, known: dict[str, tuple[str, ...]], problems: Problems) -> tuple[str, str]:
    if test.axis not in known:
        python = 'write python: "3.12", or a list' if test.axis == "python" else ""
        hint = python or problems.suggest(test.axis, known) or f"its axes: {', '.join(known)}"
        return f"{words.show(test.axis)} is not an axis", hint
    values = known[test.axis]
    unknown = next((value for value in test.values if value not in values), None)
    listed = f"its values: {', '.join(values[:10])}{', …' if len(values) > 10 else ''}"
    return (
        (f"{words.show(unknown)} is not a value of {test.axis}", listed) if unknown is not None else ("", "")
    )


def _check_points(named: Named, problems: Problems) -> None:
    matrix, always = named.environment.matrix, always_given(named.environment)
    axes = {axis.name for axis in matrix.axes}
    for point in named.environment.include if not matrix.points else ():
        given = {name for name, _ in point.values}
        for name in sorted(given - axes):
            problems.unknown(point.place, name, "an axis of the environment", (*axes, *fields(point.layer)))
        if axes - given:
            message = f"an added point needs a value for every axis: {', '.join(sorted(axes - given))}"
            problems.add(point.place, message, "to change points that exist, use 'overrides'")
    rare = {name: point for point in matrix.points for name, _ in point.values if name not in always}
    for name, point in rare.items():
        if near := nearest(name, fields(point.layer)):
            problems.add(point.place, f"unknown key {words.show(name)}", f"did you mean {near!r}?")


def _check_placeholders(named: Named, problems: Problems) -> None:
    for text, place, known in _templates(named.environment):

        def suggest(name: str, names: Iterable[str]) -> str:
            if name in ("python", "py"):
                return 'write python: "3.12", or a list'
            listed = f"known in the environment {words.show(named.name)}: {', '.join(sorted(names))}"
            return problems.suggest(name, names) or f"{listed}; a brace is written as '{{{{'"

        for invalid in islice(words.check_placeholders(text, known, suggest), _MOST_OF_A_TEXT):
            where = place or find(named.node, text) or named.node
            problems.add(where, invalid.message, invalid.hint)


def _templates(environment: Environment) -> Iterator[tuple[str, Place | None, set[str]]]:
    """Yield the texts of an environment with braces, their places, and the placeholders they may use."""
    always = {"name", "environment", *always_given(environment)}
    for layer, own in _layers(environment):
        known = always | own | ({"py"} if "python" in always | own else set())
        for field in ("name", *RUN_FIELDS, *FILLED_FIELDS):
            allowed = known.union(words.RUN_TIME) if field in RUN_FIELDS else known
            for text, place in texts_of(getattr(layer, field)) if field != "description" else ():
                if "{" in text or "}" in text:
                    yield text, place, allowed
