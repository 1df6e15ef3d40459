"""Owns the way from a point to its direct requirements; every set, file and group is followed once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from nox_envs.errors import FileProblems, Place, Problem
from nox_envs.matrix import Point
from nox_envs.requirements.from_files import RequirementFiles
from nox_envs.requirements.from_project import OwnProject, suggest
from nox_envs.requirements.gathered import DEPTH, Gathered, failed, join
from nox_envs.requirements.project import PYPROJECT, ProjectMetadata, Pyproject
from nox_envs.requirements.reference import Rejected, declare, is_bare, parse_reference
from nox_envs.requirements.types import Composition
from nox_envs.spec.types import (
    Constraint,
    ConstraintFile,
    ConstraintLock,
    ConstraintText,
    Extra,
    Group,
    Include,
    Item,
    Package,
    RequirementFile,
    RequirementSet,
    RequirementText,
    Spec,
)
from nox_envs.values import replace


class Composer:
    """Compose the points of a spec.

    Args:
        spec: the spec as read.
        root: the spec's directory, which holds pyproject.toml and to which paths are relative.
        environ: the variables that requirements files may name as `${VARIABLE}`.
    """

    def __init__(self, spec: Spec, *, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._sets = {one.name: one for one in spec.sets}
        self._files = RequirementFiles(root, environ)
        self._gathered: dict[str, Gathered] = {}
        self._composed: dict[tuple[object, ...], Composition | tuple[Problem, ...]] = {}

    @cached_property
    def _pyproject(self) -> Pyproject:
        return Pyproject(self._root)

    @cached_property
    def _own(self) -> OwnProject:
        return OwnProject(self._pyproject)

    @property
    def metadata(self) -> ProjectMetadata:
        """Return what is known of the project without building it; an invalid file tells nothing."""
        return self._pyproject.metadata

    @property
    def project_name(self) -> str:
        """Return the canonical name of the project, empty if it is not static."""
        return self._pyproject.name

    @property
    def files(self) -> tuple[str, ...] | None:
        """Return what was composed from so far besides the spec; None if variables had a say in it."""
        return None if self._files.has_variables else (PYPROJECT, *self._files.read)

    def compose(self, point: Point) -> Composition:
        """Return everything that a point asks for.

        Raises:
            FileProblems: with every problem of the sets and files that the point uses.
        """
        key = (
            point.environment,
            point.requirements,
            point.constraints,
            point.build_constraints,
            point.package,
        )
        found = self._composed.get(key)
        if found is None:
            found = self._composed[key] = self._compose(point)
        if isinstance(found, tuple):
            raise FileProblems(found)
        return found

    def problems(self, points: tuple[Point, ...]) -> tuple[Problem, ...]:
        """Return every problem of every point and of every set, used or not, each once."""
        of_points = [problem for point in points for problem in self._problems(point)]
        of_sets = [problem for name in self._sets for problem in self._set(name, ()).problems]
        return tuple(dict.fromkeys([*of_points, *of_sets]))

    def _problems(self, point: Point) -> tuple[Problem, ...]:
        try:
            self.compose(point)
        except FileProblems as error:
            return error.problems
        return ()

    def _compose(self, point: Point) -> Composition | tuple[Problem, ...]:
        required = join(
            [self._requirements(point), self._package(point)],
            place=point.place,
            path=f"environments.{point.environment}.requirements",
        )
        limits = self._constraints(point, "constraints", point.constraints)
        build = self._constraints(point, "build_constraints", point.build_constraints)
        # Who asks for nothing of it can do without its meaning, but no installer without the file.
        own = self._pyproject.unread
        problems = tuple(dict.fromkeys((*required.problems, *limits.problems, *build.problems, *own)))
        if problems:
            return problems
        return Composition(
            requirements=required.requirements,
            constraints=tuple(dict.fromkeys((*required.constraints, *limits.constraints))),
            build_constraints=build.constraints,
            dynamic_extras=required.dynamic,
        )

    def _requirements(self, point: Point) -> Gathered:
        key = f"environments.{point.environment}.requirements"
        parts = [
            self._include(one, key, ())
            if isinstance(one, Include)
            else self._own_text(one, key, _environment(point))
            for one in point.requirements
        ]
        return join(parts, place=point.place, path=key)

    def _own_text(self, item: RequirementText, key: str, why: str) -> Gathered:
        if is_bare(item.text):
            # Only a filled placeholder leads here: a bare name that is written names a set.
            hint = "give it a version, or name sets under the values of the axis"
            return failed(item.place, f"{item.text!r} is a bare name, and no requirement set", hint, path=key)
        return self._text(item.text, item.place, key, why)

    def _package(self, point: Point) -> Gathered:
        package: Package = point.package
        if package.mode == "none":
            return Gathered()
        return self._own.own(
            package.extras, asked=point.place, key=f"environments.{point.environment}.package"
        )

    def _include(self, item: Include, key: str, stack: tuple[str, ...]) -> Gathered:
        if item.name not in self._sets:
            hint = suggest(item.name, tuple(self._sets))
            return failed(item.place, f"there is no requirement set {item.name!r}", hint, path=key)
        if item.name in stack:
            cycle = " -> ".join((*stack[stack.index(item.name) :], item.name))
            return failed(item.place, f"set {item.name!r} includes itself: {cycle}", path=key)
        if len(stack) >= DEPTH:
            return failed(item.place, f"sets include each other more than {DEPTH} deep", path=key)
        return self._set(item.name, stack)

    def _set(self, name: str, stack: tuple[str, ...]) -> Gathered:
        found = self._gathered.get(name)
        if found is None:
            one = self._sets[name]
            path = f"requirements.{name}"
            parts = [self._item(item, one, path, (*stack, name)) for item in one.items]
            found = self._gathered[name] = join(parts, place=one.place, path=path)
        return found

    def _item(self, item: Item, owner: RequirementSet, path: str, stack: tuple[str, ...]) -> Gathered:
        match item:
            case RequirementText(text=text, place=place):
                return self._text(text, place, path, owner.name)
            case Include():
                return self._include(item, path, stack).below(owner.name)
            case RequirementFile(path=file, place=place):
                return self._files.gather(file, constraint=False, asked=place, key=path).below(owner.name)
            case Group(name=name, place=place):
                return self._own.group(name, asked=place, key=path).below(owner.name)
            case Extra(names=names, place=place):
                return self._own.own(names, asked=place, key=path).below(owner.name)

    def _text(self, text: str, place: Place, path: str, why: str) -> Gathered:
        reference = parse_reference(text)
        if isinstance(reference, Rejected):
            return failed(place, reference.message, reference.hint, path=path)
        name = reference.name or self._files.name_at(reference.path)
        declared = declare(reference, why=(why,), place=place, name=name)
        return Gathered(requirements=(declared,))

    def _constraints(self, point: Point, kind: str, constraints: tuple[Constraint, ...]) -> Gathered:
        key = f"environments.{point.environment}.{kind}"
        parts = [self._constraint(one, key, _environment(point)) for one in constraints]
        return join(parts, place=point.place, path=key)

    def _constraint(self, constraint: Constraint, key: str, why: str) -> Gathered:
        match constraint:
            case ConstraintFile(path=path, place=place):
                return self._files.gather(path, constraint=True, asked=place, key=key).below(why)
            case ConstraintText(text=text, place=place):
                return _as_constraint(self._text(text, place, key, why), place, key)
            case ConstraintLock():
                # The planner of locks follows these: they order the locks.
                return Gathered()


def _as_constraint(gathered: Gathered, place: Place, key: str) -> Gathered:
    if not all(one.name for one in gathered.requirements):
        return failed(place, "a constraint names a package, it is no bare path or URL", path=key)
    limits = tuple(replace(one, extras=()) for one in gathered.requirements)
    return Gathered(constraints=limits, problems=gathered.problems)


def _environment(point: Point) -> str:
    return f"environment {point.environment}"
