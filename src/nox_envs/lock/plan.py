"""Plans: which points share a lock, where it is, and the digest of its inputs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from nox_envs.errors import FileProblems, Problem
from nox_envs.findings import lock_command
from nox_envs.lock.pins import Pin
from nox_envs.requirements.project import digest_of
from nox_envs.requirements.text import Declared, requirement_key, requirement_text
from nox_envs.spec.types import LOCK_FILE, Pairs, Point
from nox_envs.spec.words import parse_python
from nox_envs.terminal import redact
from nox_envs.values import replace, value

if TYPE_CHECKING:
    from nox_envs.requirements.compose import Composition

# The lowest Python that nox runs on, for projects that do not say theirs.
_LOWEST = "3.10"
_APART = "use {name}, {python} or the axes in lock.file, or lock: {per: python} without a file"


@value
class PlanInputs:
    """What plans take from the project: its lowest Python (`3.10`), digests of what a composition names."""

    compose: Callable[[Point], Composition]
    indexes: Pairs = ()
    requires_python: str = ""
    related: Callable[[Composition], Pairs] = lambda composition: ()


@value
class LockPlan:
    """Everything that can change one lock.

    Paths are POSIX and relative to the spec's directory: `path` (empty under `lock: false`), `pylock` (empty:
    none), `files` to read (several where `managed` is false), `sources` that the requirements are read from.
    The `points` have their platforms (empty: all) and the options of the resolver in common; `pythons` are
    theirs as written (empty: whichever runs nox). `own` is this project as uv resolves it (`.` with extras),
    where its dependencies cannot be read without building it. `layers` are the environments whose locks
    constrain this one, `related` the digests of other locks and folders that it depends on, by path.
    """

    path: str
    pylock: str = ""
    files: tuple[str, ...] = ()
    managed: bool = True
    environments: tuple[str, ...]
    points: tuple[Point, ...]
    pythons: tuple[str, ...]
    platforms: tuple[str, ...] = ()
    requires_python: str = _LOWEST
    requirements: tuple[Declared, ...] = ()
    constraints: tuple[Declared, ...] = ()
    build_constraints: tuple[Declared, ...] = ()
    own: Declared | None = None
    layers: tuple[str, ...] = ()
    indexes: Pairs = ()
    sources: tuple[str, ...] = ()
    related: Pairs = ()


def plan_locks(points: Iterable[Point], inputs: PlanInputs) -> tuple[LockPlan, ...]:
    """Plan the locks of `points`, which are all points of the environments they belong to.

    A lock that needs a point whose composition raises FileProblems is left out. Raises FileProblems where two
    locks with different content are one file.
    """
    environments: dict[str, list[Point]] = {}
    for point in points:
        if point.lock.enabled is not False:
            environments.setdefault(point.environment, []).append(point)
    made: list[LockPlan] = []
    written: dict[str, int] = {}
    problems: list[Problem] = []
    for plan in (plan for group in environments.values() for plan in _plan_environment(group, inputs)):
        known = next((written[path] for path in plan.files if path in written), -1) if plan.managed else -1
        if known < 0:
            made.append(plan)
            if plan.managed:  # nothing else is written, so many may read one file
                written |= dict.fromkeys(plan.files, len(made) - 1)
        elif made[known].files == plan.files and digest(made[known]) == digest(plan):
            names = tuple(dict.fromkeys((*made[known].environments, *plan.environments)))
            made[known] = replace(made[known], environments=names, points=(*made[known].points, *plan.points))
        else:
            one, other = made[known].points[0], plan.points[0]
            message = f"{other.session!r} and {one.session!r} would write different locks to {plan.path!r}"
            problems.append(_at_file(other, message, _APART))
    if problems:
        raise FileProblems(problems)
    return tuple(made)


def _plan_environment(points: list[Point], inputs: PlanInputs) -> Iterator[LockPlan]:
    contents: dict[str, object] = {}
    for point in points:
        contents[point.session] = point.session  # what cannot be read is like no other
        with suppress(FileProblems):
            found = inputs.compose(point)
            listed = (found.requirements, found.constraints, found.build_constraints, found.own)
            keys = [frozenset(map(requirement_key, one)) for one in listed]
            contents[point.session] = (*keys, _options(point))
    axes = _deciding_axes(points, contents)
    groups: dict[tuple[Pairs, str, object], list[Point]] = {}
    for point in points:
        values = tuple([pair for pair in point.axes if pair[0] in axes])
        python = "" if point.lock.per in (None, "environment") else point.python or ""
        groups.setdefault((values, python, _options(point)), []).append(point)
    for (values, python, _), group in groups.items():
        if not any(contents[point.session] == point.session for point in group):
            yield plan_points(group, inputs, *_paths(group[0], values, python))


def _deciding_axes(points: list[Point], contents: Mapping[str, object]) -> list[str]:
    """Return the axes whose value changes what is required, python aside."""
    kept = list(dict.fromkeys(name for point in points for name, _ in point.axes))
    if points[0].lock.per == "point":
        return kept
    for name in kept[::-1]:  # of two axes that say the same, the first one stays
        trial = [other for other in kept if other != name]
        wanted: dict[object, set[object]] = {}
        for point in points:
            key = point.python, *[pair for pair in point.axes if pair[0] in trial]
            wanted.setdefault(key, set()).add(contents[point.session])
        if all(len(different) == 1 for different in wanted.values()):
            kept = trial
    return kept


def _options(point: Point) -> object:
    return (
        (replace(point.lock, place=None), point.resolution, point.exclude_newer, point.allow_prereleases),
        (point.only_binary, point.no_binary, frozenset(point.platforms), _layers(point)),
    )


def _layers(point: Point) -> tuple[str, ...]:
    return tuple(dict.fromkeys([one.text for one in point.constraints if one.kind == "lock"]))


def plan_points(points: list[Point], inputs: PlanInputs, path: str = "", pylock: str = "") -> LockPlan:
    """Plan what some points install; without a lock the plan has no path. Raises FileProblems."""
    first, compositions = points[0], [inputs.compose(point) for point in points]
    managed = first.lock.managed is not False
    unique = list({id(one): one for one in compositions}.values())  # many points ask for the same
    owns = [own for one in unique for own in one.own]
    extras = {extra for own in owns for extra in own.extras}
    return LockPlan(
        path=path,
        pylock=pylock,
        files=tuple(filter(None, (path, pylock))) if managed else first.lock.file or (path,),
        managed=managed,
        environments=(first.environment,),
        points=tuple(points),
        pythons=tuple(dict.fromkeys([point.python for point in points if point.python])),
        platforms=first.platforms,
        requires_python=inputs.requires_python or _LOWEST,
        requirements=_merged(points, [one.requirements for one in compositions]),
        constraints=_merged(points, [one.constraints for one in compositions]),
        build_constraints=_merged(points, [one.build_constraints for one in compositions]),
        own=replace(owns[0], extras=tuple(sorted(extras))) if owns else None,
        layers=_layers(first),
        indexes=inputs.indexes,
        sources=tuple(dict.fromkeys([file for one in unique for file in one.files])),
        related=tuple(dict.fromkeys([pair for one in unique for pair in inputs.related(one)])),
    )


def _paths(point: Point, values: Pairs, python: str) -> tuple[str, str]:
    name = "-".join([point.environment, *filter(None, [python]), *(f"{axis}{text}" for axis, text in values)])
    named = LOCK_FILE.format(environment=re.sub(r"[^A-Za-z0-9._+-]+", "-", name))
    path = (point.lock.file or (named,))[0]
    if point.lock.managed is False:
        return path, ""
    path = posixpath.normpath(path)
    outside = posixpath.isabs(path) or path.split("/")[0] == ".."
    if outside or path.endswith(".toml"):
        wrong = "leads out of the spec's directory" if outside else "is a pylock by its name"
        raise FileProblems([_at_file(point, f"{path!r} {wrong}", f"such as {LOCK_FILE}")])
    stem = re.sub(r"[^A-Za-z0-9_+-]+", "-", posixpath.basename(path).removesuffix(".txt"))
    return path, f"pylock.{stem}.toml" if point.lock.format == "both" else ""


def regenerate(plan: LockPlan, commands: Pairs, file: str = "") -> str:
    """Return what to type, or to do, to make the locks of a plan again, or one `file` of several.

    `commands` are those that the files name themselves.
    """
    if plan.managed:
        return lock_command(plan.environments)
    known = dict(commands)
    all_named = " && ".join(known.values()) if known.keys() >= {*plan.files} else ""
    named = known.get(file) if file else all_named
    command = plan.points[0].lock.command
    return command or named or f"regenerate {file or ', '.join(plan.files)} with the tool that writes it"


def _at_file(point: Point, message: str, hint: str) -> Problem:
    path = f"environments.{point.environment}.lock.file"
    return Problem(place=point.lock.place or point.place, path=path, message=message, hint=hint)


def layer_plan(plan: LockPlan, bases: Sequence[LockPlan]) -> LockPlan | None:
    """Return which plan of another environment constrains a plan: that for the same points, or the first."""

    def alike(point: Point, other: Point) -> bool:
        axes = dict(other.axes)
        return point.python == other.python and all(axes.get(name, text) == text for name, text in point.axes)

    fit = [one for one in bases if all(any(alike(asked, has) for has in one.points) for asked in plan.points)]
    return next(iter([*fit, *bases]), None)


def _merged(points: list[Point], lists: list[tuple[Declared, ...]]) -> tuple[Declared, ...]:
    """Return what points require; a marker by version, if one can tell, says which Pythons ask for it."""
    if all(one == lists[0] for one in lists):
        return lists[0]
    minors = [_minor(point) for point in points]
    askers: dict[tuple[str, tuple[str, ...]], tuple[Declared, set[str]]] = {}
    for minor, listed in zip(minors, lists, strict=True):
        for one in listed:
            askers.setdefault((requirement_key(one), one.why), (one, set()))[1].add(minor)
    merged: list[Declared] = []
    for one, asking in askers.values():
        if "" not in asking and asking != {*minors}:
            ordered = sorted(asking, key=lambda minor: (len(minor), minor))
            clause = " or ".join(f'python_version == "{minor}"' for minor in ordered)
            one = replace(one, marker=f"({clause}) and ({one.marker})" if one.marker else clause)
        merged.append(one)
    return tuple(merged)


def _minor(point: Point) -> str:
    return parse_python(point.python).minor if point.python else ""


def is_open(plan: LockPlan) -> bool:
    """Return whether a point leaves its Python's version to whatever runs nox: no upper bound is known."""
    return not all(map(_minor, plan.points))


def covers(plan: LockPlan, python: str) -> bool:
    """Return whether a lock is for a Python, which `nox -P` can force."""
    forced = parse_python(python)
    if is_open(plan):
        return python in plan.pythons or forced.version[:2] >= parse_python(floor(plan)).version
    known = [parse_python(one) for one in plan.pythons]
    return any((forced.implementation, forced.minor) == (one.implementation, one.minor) for one in known)


def floor(plan: LockPlan) -> str:
    """Return the lowest Python of a plan, as `3.10`."""
    minors = {_minor(point) or plan.requires_python for point in plan.points}
    return ".".join(map(str, min(parse_python(minor).version[:2] for minor in minors)))


def digest(plan: LockPlan) -> str:
    """Return `sha256:…` over the meaning of a plan's inputs, not over their order or spelling."""
    return digest_of([_keys(plan.requirements), sorted(plan.pythons), sorted(plan.platforms), parts(plan)])


def parts(plan: LockPlan) -> Pairs:
    """Return what a lock is made with besides requirements, Pythons and platforms, by name.

    A value is the setting itself, or the beginning of a digest. What has its default is left out.
    """
    point = plan.points[0]
    newer, prereleases = point.exclude_newer, point.allow_prereleases
    related = dict(plan.related)  # a lock of ours that is read counts as a whole
    listed = [one for one in plan.requirements if one.hashes and one.place.origin not in related]
    limits: dict[str, list[Declared]] = {}
    for one in plan.constraints:
        if one.place.origin not in related:
            limits.setdefault(f"constraints of {one.place.origin}", []).append(one)
    found = {
        "resolution": "" if point.resolution == "highest" else point.resolution,
        "exclude_newer": newer.than if newer else "",
        "exclude_newer exempt": ", ".join(sorted(newer.exempt)) if newer else "",
        "only_binary": ", ".join(sorted(point.only_binary)),
        "no_binary": ", ".join(sorted(point.no_binary)),
        "allow_prereleases": "true" if prereleases is True else ", ".join(sorted(prereleases or ())),
        "requires-python": f">={floor(plan)}" if is_open(plan) else "",
        "layers": ", ".join(sorted(plan.layers)),
        "hashes of requirements": _short(_keys(listed)),
        "indexes": _short([[*index] for index in plan.indexes]),
        "build_constraints": _short(_keys(plan.build_constraints)),
        "project": requirement_text(replace(plan.own, editable=False)) if plan.own else "",
        **{name: _short(_keys(ones)) for name, ones in limits.items()},
        **{name: content.rpartition(":")[2][:12] for name, content in plan.related},
    }
    return tuple(sorted((name, text) for name, text in found.items() if text))


def header_of(plan: LockPlan) -> Pairs:
    """Return what a new lock says of itself, by name."""
    found = (
        ("Generated by nox-envs", "edit envs.yaml, then run the command below."),
        ("regenerate", lock_command(plan.environments)),
        ("environment", ", ".join(plan.environments)),
        ("python", ", ".join(plan.pythons)),
        ("platforms", ", ".join(plan.platforms)),
        ("input", digest(plan)),
    )
    return (*[pair for pair in found if pair[1]], *parts(plan))


def _keys(declared: Iterable[Declared]) -> list[str]:
    return sorted({requirement_key(one) for one in declared})


def _short(meaning: Sequence[object]) -> str:
    return digest_of(meaning)[7:19] if meaning else ""


def via_entry(declared: Declared) -> str:
    """Return a direct requirement as a lock's `# via` shows it: the innermost set and file, and its text."""
    files = [name for name in declared.why if "/" in name or "." in name]
    sets = [name for name in declared.why if name not in files]
    label = f"{sets[-1]} ({files[-1]})" if sets and files else (sets or files or [declared.place.origin])[-1]
    return f"{label}: {redact(requirement_text(declared))}"


def requested_by(plan: LockPlan, pins: Iterable[Pin]) -> Callable[[str], tuple[str, ...]]:
    """Return a function that gives the shortest chain from a direct requirement to a package.

    For pluggy it is `("test: pytest>=8 (envs.yaml:6)", "pytest")`; constraints on the package follow.
    """
    placed = {via_entry(one): f"{via_entry(one)} ({one.place})" for one in plan.requirements}
    via: dict[str, list[str]] = {}
    if not (plan.managed and plan.path):  # only our own locks name requirement sets
        for one in plan.requirements:
            via.setdefault(one.name, []).append(via_entry(one))
    for pin in pins:
        via.setdefault(pin.name, []).extend(pin.via)

    def why(package: str) -> tuple[str, ...]:
        ways: list[tuple[str, ...]] = [(package,)]
        seen = {package}
        for way in ways:
            askers = [asker for asker in via.get(way[0], ()) if not asker.startswith("-c ")]
            # A set may have the name of a package; only a set can seem to ask for itself.
            if sets := [asker for asker in askers if asker not in via or asker == way[0]]:
                ways = [(sets[0], *way)]
                break
            ways += [(asker, *way) for asker in askers if asker not in seen]
            seen.update(askers)
        # The last way leads to no set where `via` lines were cut; say at least which package asks.
        limits = [one for one in plan.constraints if one.name == package]
        return (
            *(placed.get(asker, asker) for asker in ways[-1][:-1]),
            *(f"constraint {requirement_text(one)} ({one.place})" for one in limits),
        )

    return why
