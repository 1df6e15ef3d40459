"""Owns what goes into each lock: which points share one, and the digest of their inputs; reads no file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from nox_envs.errors import FileProblems, Problem
from nox_envs.matrix import Point
from nox_envs.requirements import Composition, Declared
from nox_envs.spec.types import ConstraintLock, Index, LockOptions, Pairs

DEFAULT_FILE = "requirements/{environment}.txt"
FLOOR = "3.10"

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_VERSION = re.compile(r"\d+\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPlan:
    """Hold everything that can change one lock.

    `path` is POSIX and relative to the spec's directory. `pythons` are the names of the points'
    interpreters (empty: whatever runs nox), `floor` the lowest `X.Y` among them. A requirement that
    only some pythons ask for carries a marker that says so. `layers` are the environments whose
    locks constrain this one.
    """

    path: str
    environments: tuple[str, ...]
    points: tuple[Point, ...]
    pythons: tuple[str, ...]
    floor: str
    requirements: tuple[Declared, ...]
    constraints: tuple[Declared, ...]
    build_constraints: tuple[Declared, ...]
    dynamic_extras: tuple[str, ...] | None
    layers: tuple[str, ...]
    options: LockOptions
    prereleases: bool | tuple[str, ...]
    platforms: tuple[str, ...]
    indexes: tuple[Index, ...]
    resolver: str
    metadata: str

    @property
    def digest(self) -> str:
        """Return `sha256:…` over the meaning of the inputs, not over their order or spelling."""
        meaning = json.dumps(_meaning(self), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(meaning.encode()).hexdigest()


Compose = Callable[[Point], Composition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Hold what plans take from the project besides its points.

    `floor` is the lowest Python the project supports (`3.10`); `metadata` is a digest of the files
    that dynamic metadata is computed from (empty where it is static); `indexes` are in order.
    """

    compose: Compose
    floor: str = FLOOR
    metadata: str = ""
    indexes: tuple[Index, ...] = ()


def plan(points: tuple[Point, ...], inputs: Inputs) -> tuple[LockPlan, ...]:
    """Plan the locks of `points`, which are all points of the environments they belong to.

    Raises FileProblems where two locks with different content would be one file.
    """
    environments: dict[str, list[Point]] = {}
    for point in points:
        if point.lock.enabled is not False:
            environments.setdefault(point.environment, []).append(point)
    plans = [made for group in environments.values() for made in _plan_environment(group, inputs)]
    return _share(plans)


def _plan_environment(points: list[Point], inputs: Inputs) -> list[LockPlan]:
    composed = {point.session: inputs.compose(point) for point in points}
    axes = _deciding_axes(points, composed)
    groups: dict[tuple[Pairs, str], list[Point]] = {}
    for point in points:
        values = tuple((name, value) for name, value in point.axes if name in axes)
        python = (point.python or "") if _granularity(point) != "environment" else ""
        groups.setdefault((values, python), []).append(point)
    return [
        _plan_group(group, values, composed, inputs) for (values, _python), group in groups.items()
    ]


def _granularity(point: Point) -> str:
    # pip resolves for the interpreter it runs on only, so its locks are one per point.
    return "point" if resolver_of(point) == "pip" else point.lock.per or "environment"


def resolver_of(point: Point) -> str:
    """Return the resolver of a point's lock: what its spec asks for, else uv."""
    return point.lock.resolver or "uv"


def _deciding_axes(points: list[Point], composed: Mapping[str, Composition]) -> frozenset[str]:
    """Return the axes whose value changes what is required, python aside."""
    names = tuple(name for name, _ in points[0].axes)
    if _granularity(points[0]) == "point":
        return frozenset(names)
    kept = set(names)
    for name in names:
        trial = kept - {name}
        wanted: dict[tuple[Pairs, str | None], object] = {}
        if all(
            wanted.setdefault(
                (tuple(pair for pair in point.axes if pair[0] in trial), point.python),
                _content(point, composed[point.session]),
            )
            == _content(point, composed[point.session])
            for point in points
        ):
            kept = trial
    return frozenset(kept)


def _content(point: Point, composition: Composition) -> object:
    return (
        frozenset(map(_key, composition.requirements)),
        frozenset(map(_key, composition.constraints)),
        frozenset(map(_key, composition.build_constraints)),
        composition.dynamic_extras,
        replace(point.lock, file=None),
        point.allow_prereleases,
        frozenset(point.platforms),
        frozenset(c.environment for c in point.constraints if isinstance(c, ConstraintLock)),
    )


def _plan_group(
    points: list[Point], values: Pairs, composed: Mapping[str, Composition], inputs: Inputs
) -> LockPlan:
    first = points[0]
    compositions = [composed[point.session] for point in points]
    pythons = tuple(dict.fromkeys(point.python for point in points if point.python))
    merge = _Merge(points, compositions)
    return LockPlan(
        path=_path(first, values),
        environments=(first.environment,),
        points=tuple(points),
        pythons=pythons,
        floor=_floor(pythons, inputs.floor),
        requirements=merge.requirements("requirements"),
        constraints=merge.requirements("constraints"),
        build_constraints=merge.requirements("build_constraints"),
        dynamic_extras=compositions[0].dynamic_extras,
        layers=tuple(
            dict.fromkeys(c.environment for c in first.constraints if isinstance(c, ConstraintLock))
        ),
        options=first.lock,
        prereleases=first.allow_prereleases,
        platforms=first.platforms,
        indexes=inputs.indexes,
        resolver=resolver_of(first),
        metadata=inputs.metadata if compositions[0].dynamic_extras is not None else "",
    )


def _path(point: Point, values: Pairs) -> str:
    if point.lock.file:
        return point.lock.file[0]
    name = point.environment
    if point.python and _granularity(point) != "environment":
        name += f"-{point.python}"
    name += "".join(f"-{axis}{value}" for axis, value in values)
    return DEFAULT_FILE.format(environment=_UNSAFE.sub("-", name))


def minor_version(python: str) -> str:
    """Return the `X.Y` of an interpreter's name (`pypy3.11`, `3.13t`), empty if it has none."""
    match = _VERSION.search(python)
    return match[0] if match else ""


def _floor(pythons: tuple[str, ...], default: str) -> str:
    versions = [version for version in map(minor_version, pythons) if version]
    return min(versions, key=version_key) if versions else default


def version_key(version: str) -> tuple[int, ...]:
    """Return a sort key for a dotted release (`3.10` after `3.9`)."""
    return tuple(int(part) for part in version.split("."))


class _Merge:
    """Merge what several points require into one list, with markers for what only some pythons ask."""

    def __init__(self, points: list[Point], compositions: list[Composition]) -> None:
        self._points = points
        self._compositions = compositions
        self._pythons = {minor_version(point.python or "") for point in points}

    def requirements(self, field: str) -> tuple[Declared, ...]:
        wanted: dict[str, Declared] = {}
        askers: dict[str, set[str]] = {}
        for point, composition in zip(self._points, self._compositions, strict=True):
            declared: tuple[Declared, ...] = getattr(composition, field)
            for requirement in declared:
                key = _key(requirement) + "\n" + "\n".join(requirement.why)
                wanted.setdefault(key, requirement)
                askers.setdefault(key, set()).add(minor_version(point.python or ""))
        return tuple(
            requirement if askers[key] == self._pythons else _only_for(requirement, askers[key])
            for key, requirement in wanted.items()
        )


def _only_for(requirement: Declared, versions: set[str]) -> Declared:
    clause = " or ".join(f'python_version == "{v}"' for v in sorted(versions, key=version_key))
    if requirement.marker:
        clause = f"({clause}) and ({requirement.marker})"
    return replace(requirement, marker=clause)


def requirement_text(declared: Declared) -> str:
    """Return a direct requirement as one line (PEP 508; a path or bare URL as pip's format has it)."""
    extras = f"[{','.join(declared.extras)}]" if declared.extras else ""
    marker = f" ; {declared.marker}" if declared.marker else ""
    target = declared.url or declared.path
    if declared.editable:
        return f"-e {target}{extras}{marker}"
    if declared.url and declared.name:
        return f"{declared.name}{extras} @ {declared.url}{marker}"
    if target:
        return f"{target}{extras}{marker}"
    return f"{declared.name}{extras}{declared.specifier}{marker}"


def _key(declared: Declared) -> str:
    return " ".join((requirement_text(declared), *sorted(declared.hashes)))


def _meaning(plan: LockPlan) -> dict[str, object]:
    options = plan.options
    return {
        "requirements": sorted({_key(r) for r in plan.requirements}),
        "constraints": sorted({_key(r) for r in plan.constraints}),
        "build_constraints": sorted({_key(r) for r in plan.build_constraints}),
        "dynamic": None if plan.dynamic_extras is None else [*sorted(plan.dynamic_extras), plan.metadata],
        "pythons": sorted(plan.pythons) or [f">={plan.floor}"],
        "platforms": sorted(plan.platforms),
        "layers": sorted(plan.layers),
        "resolver": plan.resolver,
        "resolution": options.resolution or "highest",
        "exclude_newer": options.exclude_newer,
        "exclude_newer_exempt": sorted(options.exclude_newer_exempt or ()),
        "only_binary": sorted(options.only_binary or ()),
        "no_binary": sorted(options.no_binary or ()),
        "prereleases": plan.prereleases if isinstance(plan.prereleases, bool) else sorted(plan.prereleases),
        "indexes": [[index.name, index.url, sorted(index.packages)] for index in plan.indexes],
    }


def _share(plans: list[LockPlan]) -> tuple[LockPlan, ...]:
    """Join the plans that write the same content to one file."""
    joined: dict[str, LockPlan] = {}
    problems: list[Problem] = []
    for made in plans:
        known = joined.get(made.path)
        if known is None:
            joined[made.path] = made
        elif known.digest == made.digest:
            joined[made.path] = replace(
                known,
                environments=tuple(dict.fromkeys((*known.environments, *made.environments))),
                points=(*known.points, *made.points),
            )
        else:
            problems.append(_collision(known, made))
    if problems:
        raise FileProblems(tuple(problems))
    return tuple(joined.values())


def _collision(known: LockPlan, made: LockPlan) -> Problem:
    one, other = known.points[0], made.points[0]
    return Problem(
        place=other.place,
        path=f"environments.{other.environment}.lock.file",
        message=f"{other.session!r} and {one.session!r} would write different locks to {made.path!r}",
        hint="use {python} or the axes of the matrix in the file name",
    )


def plan_unlocked(point: Point, inputs: Inputs) -> LockPlan:
    """Plan what a point without a lock installs; the plan has no path."""
    made = _plan_group([point], (), {point.session: inputs.compose(point)}, inputs)
    return replace(made, path="")
