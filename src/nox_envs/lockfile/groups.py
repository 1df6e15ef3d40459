"""Owns environments that are solved together: what all of them ask for, and what cannot be common."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nox_envs.errors import FileProblems, Problem
from nox_envs.lockfile.merging import requirement_text
from nox_envs.lockfile.plan import LockPlan
from nox_envs.requirements import Declared
from nox_envs.values import replace


def members(group: str, plans: Iterable[LockPlan]) -> tuple[LockPlan, ...]:
    """Return the plans that belong to a group."""
    return tuple(one for one in plans if group and one.options.group == group and not one.foreign)


def union(plans: tuple[LockPlan, ...], *, apart: bool = False) -> LockPlan:
    """Return a plan, without a path, that asks for everything that the plans of one group ask for.

    With `apart` what a plan asks for counts from its own lowest Python on only, which a package may
    need that older ones do not have. Raises FileProblems where their options differ, or one of them
    builds on another.
    """
    first = plans[0]
    problems = [problem for one in plans for problem in _problems(first, one, plans)]
    if problems:
        raise FileProblems(tuple(problems))
    pythons = tuple(dict.fromkeys(python for one in plans for python in one.pythons))
    return replace(
        first,
        path="",
        pylock="",
        environments=tuple(dict.fromkeys(name for one in plans for name in one.environments)),
        points=tuple(point for one in plans for point in one.points),
        pythons=pythons,
        floor=min((one.floor for one in plans), key=_version_key),
        requirements=_all(plans, "requirements", apart=apart),
        constraints=_all(plans, "constraints", apart=apart),
        build_constraints=_all(plans, "build_constraints", apart=apart),
        dynamic_extras=_extras(plans),
        layers=tuple(dict.fromkeys(name for one in plans for name in one.layers)),
        related=tuple(sorted({pair for one in plans for pair in one.related})),
    )


def _extras(plans: tuple[LockPlan, ...]) -> tuple[str, ...] | None:
    known = [one.dynamic_extras for one in plans if one.dynamic_extras is not None]
    return tuple(sorted({extra for extras in known for extra in extras})) if known else None


def _all(plans: tuple[LockPlan, ...], field: str, *, apart: bool) -> tuple[Declared, ...]:
    found: dict[Declared, None] = {}
    lowest = min((one.floor for one in plans), key=_version_key)
    for one in plans:
        listed: tuple[Declared, ...] = getattr(one, field)
        clause = f'python_version >= "{one.floor}"' if apart and one.floor != lowest else ""
        for declared in listed:
            marker = f"({clause}) and ({declared.marker})" if declared.marker else clause
            found.setdefault(replace(declared, marker=marker) if clause else declared)
    return tuple(found)


def _version_key(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _problems(first: LockPlan, one: LockPlan, plans: tuple[LockPlan, ...]) -> Iterable[Problem]:
    names = {name for plan in plans for name in plan.environments}
    for layer in one.layers:
        if layer in names:
            yield _problem(
                one,
                "constraints",
                f"{one.environments[0]!r} builds on the lock of {layer!r}, which is in its own group",
                "environments of a group have the same pins anyway: remove one of the two",
            )
    if one.resolver != "uv":
        yield _problem(one, "lock.group", "pip resolves each point alone, a group cannot", "resolver: uv")
    for what, ours, theirs in _differences(first, one):
        yield _problem(
            one,
            "lock",
            f"environments of one group have one {what}, but {one.environments[0]!r} has {theirs or 'none'} "
            f"and {first.environments[0]!r} ({first.points[0].place}) has {ours or 'none'}",
            "give both the same, or take one out of the group",
        )


def _differences(first: LockPlan, one: LockPlan) -> Iterable[tuple[str, str, str]]:
    ours, theirs = dict(_common(first)), dict(_common(one))
    for what in ours:
        if ours[what] != theirs[what]:
            yield what, ours[what], theirs[what]


def _common(plan: LockPlan) -> Iterable[tuple[str, str]]:
    """Return what one resolution has only once, as text."""
    options = plan.options
    prereleases = plan.prereleases
    yield "resolution", options.resolution or "highest"
    yield "exclude_newer", options.exclude_newer or ""
    yield "exempt packages", ", ".join(sorted(options.exclude_newer_exempt or ()))
    yield "only_binary", ", ".join(sorted(options.only_binary or ()))
    yield "no_binary", ", ".join(sorted(options.no_binary or ()))
    yield "platforms", ", ".join(sorted(plan.platforms))
    yield "allow_prereleases", "true" if prereleases is True else ", ".join(sorted(prereleases or ()))


def _problem(plan: LockPlan, key: str, message: str, hint: str) -> Problem:
    point = plan.points[0]
    return Problem(
        place=point.place, path=f"environments.{point.environment}.{key}", message=message, hint=hint
    )


def named_in(text: str, plans: tuple[LockPlan, ...]) -> tuple[str, ...]:
    """Return the requirements and constraints whose packages a resolver's explanation names, with places.

    They look like `app: django<4 (envs.yaml:7)`; a package is only told if it is asked for twice.
    """
    from nox_envs.lockfile.doubt import via_label

    words = set(re.findall(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*", text.lower()))
    found: dict[str, dict[str, None]] = {}
    for plan in plans:
        for declared in (*plan.requirements, *plan.constraints):
            if declared.name in words:
                line = f"{via_label(declared)}: {requirement_text(declared)} ({declared.place})"
                found.setdefault(declared.name, {}).setdefault(line)
    return tuple(line for name in sorted(found) for line in found[name])
