"""Owns what goes into each lock: which points share one, and the digest of their inputs; reads no file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from nox_envs.errors import FileProblems, Problem
from nox_envs.lockfile.meaning import digest
from nox_envs.lockfile.merging import floor, merged, requirement_key
from nox_envs.lockfile.paths import lock_paths
from nox_envs.lockfile.platforms import is_platform
from nox_envs.matrix import Point
from nox_envs.requirements import Composition, Declared
from nox_envs.spec.types import ConstraintLock, Index, LockOptions, Pairs
from nox_envs.values import replace, value

FLOOR = "3.10"


@value
class LockPlan:
    """Hold everything that can change one lock.

    `path` is POSIX and relative to the spec's directory. `pythons` are the names of the points'
    interpreters (empty: whatever runs nox), `floor` the lowest `X.Y` among them. A requirement that
    only some pythons ask for carries a marker that says so. `layers` are the environments whose
    locks constrain this one. `pylock` is where the same resolution is written in that format too
    (empty: nowhere). `related` names the locks and the group that this lock depends on, each with a
    digest of its content.
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
    pylock: str = ""
    related: Pairs = ()

    @property
    def foreign(self) -> bool:
        """Tell whether the lock is one that others made: it is read, and never written."""
        return bool(self.path) and self.options.managed is False

    @property
    def limiting(self) -> bool:
        """Tell whether the requirements are installed under the pins of a lock that others made."""
        return self.foreign and self.options.use == "constraints"

    @property
    def files(self) -> tuple[str, ...]:
        """Return every file of the lock: several where others made it, or in two formats."""
        named = (self.options.file or ()) if self.foreign else ()
        return named or tuple(path for path in (self.path, self.pylock) if path)

    @property
    def digest(self) -> str:
        """Return `sha256:…` over the meaning of the inputs, not over their order or spelling."""
        return digest(self)


Compose: TypeAlias = Callable[[Point], Composition]
_Options: TypeAlias = tuple[object, ...]


@value
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

    Raises FileProblems where two locks with different content would be one file, and for every word
    that is no platform.
    """
    _check_platforms(point for point in points if point.lock.enabled is not False)
    environments: dict[str, list[Point]] = {}
    for point in points:
        if point.lock.enabled is not False:
            environments.setdefault(point.environment, []).append(point)
    plans = [made for group in environments.values() for made in _plan_environment(group, inputs)]
    return _share(plans)


def _plan_environment(points: list[Point], inputs: Inputs) -> list[LockPlan]:
    composed = {point.session: inputs.compose(point) for point in points}
    axes = _deciding_axes(points, composed)
    groups: dict[tuple[Pairs, str, _Options], list[Point]] = {}
    for point in points:
        values = tuple((name, value) for name, value in point.axes if name in axes)
        python = (point.python or "") if _granularity(point) != "environment" else ""
        key = (values, python, _options(point, composed[point.session]))
        groups.setdefault(key, []).append(point)
    return [_plan_group(group, key[0], composed, inputs) for key, group in groups.items()]


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
    contents = {point.session: _content(point, composed[point.session]) for point in points}
    kept = set(names)
    for name in reversed(names):  # of two axes that say the same, the first one stays
        trial = kept - {name}
        wanted: dict[tuple[Pairs, str | None], set[object]] = {}
        for point in points:
            values = tuple(pair for pair in point.axes if pair[0] in trial)
            wanted.setdefault((values, point.python), set()).add(contents[point.session])
        if all(len(different) == 1 for different in wanted.values()):
            kept = trial
    return frozenset(kept)


def _content(point: Point, composition: Composition) -> object:
    return (
        frozenset(map(requirement_key, composition.requirements)),
        frozenset(map(requirement_key, composition.constraints)),
        frozenset(map(requirement_key, composition.build_constraints)),
        _options(point, composition),
    )


def _options(point: Point, composition: Composition) -> _Options:
    """Return what points of one lock must have in common, since no marker can tell it apart."""
    return (
        point.lock,
        point.allow_prereleases,
        frozenset(point.platforms),
        _layers(point),
        composition.dynamic_extras,
    )


def _layers(point: Point) -> tuple[str, ...]:
    found = (one.environment for one in point.constraints if isinstance(one, ConstraintLock))
    return tuple(dict.fromkeys(found))


def _plan_group(
    points: list[Point], values: Pairs, composed: Mapping[str, Composition], inputs: Inputs
) -> LockPlan:
    first = points[0]
    compositions = [composed[point.session] for point in points]
    dynamic_extras = compositions[0].dynamic_extras
    pythons = tuple(dict.fromkeys(point.python for point in points if point.python))
    askers = [point.python or "" for point in points]
    by_python = _granularity(first) != "environment"
    paths = lock_paths(first, values, by_python=by_python)
    return LockPlan(
        path=paths.main,
        pylock=paths.pylock,
        environments=(first.environment,),
        points=tuple(points),
        pythons=pythons,
        floor=floor(pythons, inputs.floor),
        requirements=merged(askers, [composition.requirements for composition in compositions]),
        constraints=merged(askers, [composition.constraints for composition in compositions]),
        build_constraints=merged(askers, [composition.build_constraints for composition in compositions]),
        dynamic_extras=dynamic_extras,
        layers=_layers(first),
        options=first.lock,
        prereleases=first.allow_prereleases,
        platforms=first.platforms,
        indexes=inputs.indexes,
        resolver=resolver_of(first),
        metadata=inputs.metadata if dynamic_extras is not None else "",
    )


def platform_problems(points: Iterable[Point]) -> tuple[Problem, ...]:
    """Return a problem for each word under `platforms` that is none, once for each environment."""
    found = {
        (point.environment, word): Problem(
            place=point.place,
            path=f"environments.{point.environment}.platforms",
            message=f"{word!r} is no platform",
            hint="linux, macos, windows, or one with its machine: linux-aarch64",
        )
        for point in points
        for word in point.platforms
        if not is_platform(word)
    }
    return tuple(found.values())


def _check_platforms(points: Iterable[Point]) -> None:
    if problems := platform_problems(points):
        raise FileProblems(problems)


def _share(plans: list[LockPlan]) -> tuple[LockPlan, ...]:
    """Join the plans that write the same content to one file."""
    joined: dict[str, LockPlan] = {}
    pylocks: dict[str, LockPlan] = {}
    apart: list[LockPlan] = []
    problems: list[Problem] = []
    for made in plans:
        if made.options.use == "constraints" and not made.foreign:
            problems.append(_not_foreign(made.points[0]))
        if made.foreign:
            apart.append(made)  # nothing is written, so many may read one file
            continue
        known = joined.get(made.path) or pylocks.get(made.path) or joined.get(made.pylock)
        known = known or (pylocks.get(made.pylock) if made.pylock else None)
        if known is None:
            joined[made.path] = made
            if made.pylock:
                pylocks[made.pylock] = made
        elif known.digest == made.digest and known.pylock == made.pylock:
            joined[made.path] = replace(
                known,
                environments=tuple(dict.fromkeys((*known.environments, *made.environments))),
                points=(*known.points, *made.points),
            )
        else:
            problems.append(_collision(known, made))
    if problems:
        raise FileProblems(tuple(problems))
    return (*joined.values(), *apart)


def _not_foreign(point: Point) -> Problem:
    return Problem(
        place=point.place,
        path=f"environments.{point.environment}.lock.use",
        message="only a lock that others made is used as constraints",
        hint="add managed: false, or name the lock's environment under constraints",
    )


def _collision(known: LockPlan, made: LockPlan) -> Problem:
    one, other = known.points[0], made.points[0]
    return Problem(
        place=other.place,
        path=f"environments.{other.environment}.lock",
        message=f"{other.session!r} and {one.session!r} would write different locks to {made.path!r}",
        hint="use {environment}, {python} or the axes in lock.file, or lock: {per: python} without a file",
    )


def layer_of(made: LockPlan, bases: tuple[LockPlan, ...]) -> LockPlan | None:
    """Return the lock of another environment that constrains a plan: the one for the same points.

    `bases` are the plans of that environment; the first where none fits better, None without any.
    """
    for base in bases:
        if all(any(_resembles(point, known) for known in base.points) for point in made.points):
            return base
    return bases[0] if bases else None


def _resembles(point: Point, other: Point) -> bool:
    axes = dict(other.axes)
    return point.python == other.python and all(axes.get(name, value) == value for name, value in point.axes)


def plan_unlocked(point: Point, inputs: Inputs) -> LockPlan:
    """Plan what a point without a lock installs; the plan has no path."""
    _check_platforms((point,))
    made = _plan_group([point], (), {point.session: inputs.compose(point)}, inputs)
    return replace(made, path="")
