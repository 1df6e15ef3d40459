"""Owns the checking of references to requirement sets: unknown names and circles."""

from __future__ import annotations

from nox_envs.document import Problems, show
from nox_envs.errors import Place
from nox_envs.spec.drafts import Draft
from nox_envs.spec.graphs import shown, walk
from nox_envs.spec.scope import written_layers
from nox_envs.spec.types import Include, RequirementSet, RequirementText

DEEPEST = 100


def check_sets(sets: tuple[RequirementSet, ...], problems: Problems) -> None:
    """Add a problem for each include of an unknown set and for each circle of includes."""
    known = {one.name: one for one in sets}
    includes = {one.name: [item for item in one.items if isinstance(item, Include)] for one in sets}
    for items in includes.values():
        for item in items:
            if item.name not in known:
                hint = problems.suggest(item.name, known) or "declare it under 'requirements'"
                problems.add(item.place, f"{show(item.name)} is no requirement set", hint)
    _check_bare_names(sets, frozenset(known), problems)
    order, cycles = walk({name: tuple(item.name for item in items) for name, items in includes.items()})
    for cycle in cycles:
        place = next(item.place for item in includes[cycle[0]] if item.name == cycle[1])
        problems.add(place, f"the includes go in a circle: {shown(cycle)}", "remove one of them")
    _check_depth(order, includes, problems)


def _check_bare_names(sets: tuple[RequirementSet, ...], known: frozenset[str], problems: Problems) -> None:
    """Add a problem for a bare word in a set that is the name of another set.

    In a set it would mean the package of that name, which is not what its writer had in mind.
    """
    for one in sets:
        for item in one.items:
            if isinstance(item, RequirementText) and item.text in known and item.text != one.name:
                hint = f"write 'include: {item.text}'; the package is written as {show(item.text + '>=0')}"
                problems.add(item.place, f"{show(item.text)} is a requirement set", hint)


def _check_depth(order: list[str], includes: dict[str, list[Include]], problems: Problems) -> None:
    depths: dict[str, int] = {}
    for name in order:
        depths[name] = 1 + max((depths.get(item.name, 0) for item in includes[name]), default=0)
        if depths[name] == DEEPEST + 1:
            place = includes[name][0].place
            problems.add(place, f"requirement sets include each other more than {DEEPEST} deep")


def check_environment_sets(draft: Draft, sets: tuple[RequirementSet, ...], problems: Problems) -> None:
    """Add a problem for each bare name in an environment's `requirements` that is no set."""
    known = frozenset(one.name for one in sets)
    for own in written_layers(draft):
        for item in own.layer.requirements or ():
            if isinstance(item, Include) and item.name not in known:
                _unknown(item.name, item.place, known, problems)


def _unknown(name: str, place: Place, known: frozenset[str], problems: Problems) -> None:
    package = f"a package is written with a specifier, such as {show(name + '>=1')}"
    near = problems.suggest(name, sorted(known))
    hint = f"{near} {package}" if near else package
    problems.add(place, f"{show(name)} is no requirement set", hint)
