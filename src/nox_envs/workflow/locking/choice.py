"""Owns which locks are made, with which upgrades, and in which order; resolves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nox_envs.errors import FileProblems, NoxEnvsError, Problem
from nox_envs.lockfile.groups import members, union
from nox_envs.lockfile.plan import LockPlan
from nox_envs.pins import canonical_name
from nox_envs.values import value

_ASKED = re.compile(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<specifier>[<>=!~].*)?")


@value
class Unit:
    """Hold plans that are made together; `common` asks for everything that a group asks for."""

    plans: tuple[LockPlan, ...]
    common: LockPlan | None = None

    @property
    def environments(self) -> set[str]:
        """Return the names of the environments."""
        return {name for one in self.plans for name in one.environments}

    @property
    def layers(self) -> set[str]:
        """Return the environments whose locks these build on."""
        return {name for one in self.plans for name in one.layers}


def choose(plans: Iterable[LockPlan], environments: tuple[str, ...]) -> list[LockPlan]:
    """Return the plans of the named environments or sessions, and whatever shares a group with them."""
    every = list(plans)
    chosen = [
        one
        for one in every
        if not environments
        or set(one.environments) & set(environments)
        or any(point.session in environments for point in one.points)
    ]
    groups = {one.options.group for one in chosen if one.options.group}
    return [one for one in every if one in chosen or one.options.group in groups]


def waves(plans: list[LockPlan]) -> Iterator[tuple[Unit, ...]]:
    """Yield what can be made at once: nothing is constrained by the lock of a later wave.

    Raises FileProblems where the plans of a group have nothing in common.
    """
    waiting = _units(plans)
    while waiting:
        names = {name for unit in waiting for name in unit.environments}
        wave = [unit for unit in waiting if not (names - unit.environments) & unit.layers]
        # The spec has no cycle of layers, but groups can close one; it must not become an endless loop.
        if not wave:
            raise NoxEnvsError(
                f"the locks of {', '.join(sorted(names))} build on each other through their groups; "
                "take one environment out of its group"
            )
        yield tuple(wave)
        waiting = [unit for unit in waiting if unit not in wave]


def _units(plans: list[LockPlan]) -> list[Unit]:
    units: list[Unit] = []
    problems: list[Problem] = []
    done: set[str] = set()
    for one in plans:
        group = one.options.group or ""
        if not group:
            units.append(Unit(plans=(one,)))
        elif group not in done:
            done.add(group)
            own = members(group, plans)
            try:
                units.append(Unit(plans=own, common=union(own)))
            except FileProblems as error:
                problems += error.problems
    if problems:
        raise FileProblems(tuple(problems))
    return units


@value
class Upgrade:
    """Hold one package to upgrade, and to what (empty: the newest that is allowed)."""

    name: str
    specifier: str = ""

    @property
    def text(self) -> str:
        """Return it as resolvers take it."""
        return f"{self.name}{self.specifier}"


def upgrades(texts: tuple[str, ...], known: set[str]) -> tuple[Upgrade, ...]:
    """Read the packages to upgrade; raises NoxEnvsError for those that are not in `known`."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    found: list[Upgrade] = []
    wrong: list[str] = []
    for text in texts:
        match = _ASKED.fullmatch(text)
        name = canonical_name(match["name"]) if match else ""
        try:
            specifier = str(SpecifierSet(match["specifier"] or "")) if match else ""
        except InvalidSpecifier:
            match, specifier = None, ""
        if match is None:
            wrong.append(f"--upgrade-package: {text!r} is no NAME or NAME==VERSION")
        elif name not in known:
            wrong.append(f"--upgrade-package: no lock holds {name!r}{_near(name, known)}")
        else:
            found.append(Upgrade(name=name, specifier=specifier))
    if wrong:
        raise NoxEnvsError("\n".join(wrong))
    return tuple(found)


def _near(name: str, known: set[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
