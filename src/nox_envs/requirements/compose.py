"""Composition: the sets, files, groups and extras of a point become declared requirements."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from nox_envs.errors import FileProblems, Invalid, Place, Problem, did_you_mean
from nox_envs.files import read_text
from nox_envs.requirements import text as texts
from nox_envs.requirements.project import EXTRAS, GROUPS, PYPROJECT, LocalProject
from nox_envs.requirements.text import MOST_PROBLEMS, Contents, Declared, Option, read_requirement
from nox_envs.spec import types, words
from nox_envs.spec.words import canonical_name, is_bare, show
from nox_envs.values import replace, value

Names: TypeAlias = tuple[str, ...]

# In one entry of an environment, and in all of them.
_LIMIT = 20_000
_MOST = 200_000


@value
class Composition:
    """Everything that a point asks for.

    `constraints` are those of files and texts; the locks of other environments are not followed here. `own`
    is this project as requirements (`.` with extras, editable or not), given where its own dependencies
    cannot be read without building it. `files` are the files that were read (POSIX, relative to the spec's
    directory), those of local folders included.
    """

    requirements: tuple[Declared, ...]
    constraints: tuple[Declared, ...] = ()
    build_constraints: tuple[Declared, ...] = ()
    own: tuple[Declared, ...] = ()
    files: tuple[str, ...] = ()


class Walk:
    """A way through sets, files and groups, with what was gathered on it and every problem.

    With `foreign`, as for locks of other tools, options are passed over and paths of this machine are kept.
    `why` is the chain that led somewhere; `constraint` makes constraints of requirements.
    """

    def __init__(self, composer: Composer, *, foreign: bool = False) -> None:
        self.requirements: list[Declared] = []
        self.constraints: dict[Declared, None] = {}
        self.own: list[Declared] = []
        self.files: dict[str, None] = {}
        self.options: list[Option] = []
        self.problems: list[Problem] = []
        self._composer = composer
        self._foreign = foreign
        self._steps = 0

    @contextmanager
    def at(self, place: Place, path: str = "") -> Iterator[None]:
        """Collect what is wrong with something at a place, which has a `path` if it is in the spec.

        Raises Invalid where there was too much of anything, or too many problems, on the whole way.
        """
        self._steps += 1
        if self._steps > _LIMIT or len(self.problems) >= MOST_PROBLEMS:
            raise Invalid(f"comes to more than {_LIMIT} requirements, or {MOST_PROBLEMS} problems")
        try:
            yield
        except Invalid as wrong:
            if self._steps <= _LIMIT + 1 and len(self.problems) <= MOST_PROBLEMS:
                self.problems.append(wrong.at(place, path))
        except FileProblems as error:
            self.problems += error.problems

    def _enter(self, name: str, why: Names) -> Names:
        """Return the chain below a set, file or group; raises Invalid if it has no end."""
        if name in why or len(why) > 50:
            raise Invalid(f"{name} includes itself, or too many others: {' -> '.join((*why, name))}")
        return (*why, name)

    def entry(self, entry: types.Entry, path: str, why: Names = (), constraint: bool = False) -> None:
        """Gather an entry at a `path` of the spec; the planner follows the locks of other environments."""
        with self.at(entry.place, path):
            name = entry.text
            match entry.kind:
                case "include":
                    sets = self._composer.sets
                    if name not in sets:
                        near = did_you_mean(name, [*sets][:200])
                        raise Invalid(f"there is no requirement set {name!r}", near)
                    chain = self._enter(name, why)
                    for one in sets[name]:
                        self.entry(one, f"requirements.{name}", chain)
                case "requirement":
                    self._add(replace(read_requirement(name), place=entry.place, why=why), constraint)
                case "file":
                    self.file(name, why, constraint)
                case "group":
                    self._listed(GROUPS, name, why)
                case "extra":
                    self._own(tuple(name.split(",")) if name else (), entry.place, why)

    def file(self, path: str, why: Names = (), constraint: bool = False) -> None:
        """Gather a requirements file and what it includes; `path` is relative to the spec's directory.

        Under `constraint` what `-r` includes is a constraint too, as in uv. Raises Invalid and FileProblems.
        """
        if "://" in path or re.match(r"[^/]*:|/|\s*$", path):
            raise Invalid(f"{show(path)} is not a file of the project", "write a path relative to the spec")
        path = posixpath.normpath(path)
        chain = self._enter(path, why)
        lines, problems = self._composer.file(path)
        self.problems += () if path in self.files else problems
        self.files[path] = None
        for line in lines:
            with self.at(line.place):
                if isinstance(line, Declared):
                    self._add(line if self._foreign else replace(line, why=chain), constraint)
                elif line.kind != "option":
                    folder = "" if "://" in line.text else posixpath.dirname(path)
                    nested = posixpath.join(folder, line.text)
                    self.file(nested, chain, constraint or line.kind == "constraints")
                elif self._foreign:
                    self.options.append(line)
                else:
                    hint = texts.OPTIONS[line.text]
                    raise Invalid(f"{line.text} is not read from a requirements file", hint)

    def _add(self, declared: Declared, constraint: bool = False) -> None:
        path, local = declared.path, re.match(r"[a-z]+\+file:", declared.url)
        if not self._foreign and (local or re.match(r"/|(?:\./)?(?:~|[A-Za-z]:)", path)):
            hint = "write git+https://…" if local else "write a relative one: ./folder or ../folder"
            raise Invalid(f"{path.removeprefix('./') or declared.url!r} is a path of this machine", hint)
        if path and (project := self._composer.folder(path)).exists:
            self.files.update({posixpath.normpath(f"{path}/{file}"): None for file in project.files})
            declared = replace(declared, name=declared.name or project.name)
        elif declared.editable and not constraint and re.fullmatch(r"\./[^/]+", path):
            raise Invalid(f"there is no directory {path[2:]!r}", "write -e ./folder")
        if not constraint:
            self.requirements.append(declared)
        elif declared.name and not declared.editable:
            self.constraints[replace(declared, extras=())] = None
        else:
            raise Invalid("a constraint names a package; it cannot be editable, or only a path or URL")

    def _project(self) -> LocalProject:
        project = self._composer.project
        self.files.update(dict.fromkeys(project.files))
        if project.problems:
            raise FileProblems(project.problems)
        return project

    def _own(self, extras: tuple[str, ...], place: Place, why: Names, marker: str = "") -> None:
        project = self._project()
        if not project.buildable:
            raise Invalid("there is no project here to take dependencies of", f"add [project] to {PYPROJECT}")
        extras = tuple(sorted(set(map(canonical_name, extras))))
        if project.is_static("dependencies") and (not extras or project.is_static("optional-dependencies")):
            self._listed(("project",), "dependencies", why, marker)
            for extra in extras:
                self._listed(EXTRAS, extra, why, marker)
        else:
            self.own.append(Declared(name=project.name, path=".", extras=extras, why=why, place=place))

    def _listed(self, table: Names, name: str, why: Names, marker: str = "", inside: Names = ()) -> None:
        """Gather a list of pyproject.toml, under a marker; `inside` are the lists that it is included by."""
        project = self._project()
        path = ".".join((*table, canonical_name(name)))
        if path in inside and table == EXTRAS:
            return
        inside = self._enter(path, inside)
        chain = (*why, PYPROJECT if table == ("project",) else f"{PYPROJECT} [{canonical_name(name)}]")
        for text, is_group, place in project.listed(table, name):
            with self.at(place, path):
                if is_group:
                    self._listed(table, text, chain, marker, inside)
                    continue
                declared = replace(read_requirement(text), place=place, why=chain)
                both = marker or declared.marker
                if declared.marker not in ("", both):
                    both = read_requirement(f"x ; ({marker}) and ({declared.marker})").marker
                if declared.name != project.name or not declared.extras or declared.url or declared.path:
                    self._add(replace(declared, marker=both))
                elif table == GROUPS:
                    self._own(declared.extras, place, chain, both)
                else:
                    for extra in declared.extras:
                        self._listed(EXTRAS, extra, chain, both, inside)


class Composer:
    """The sets, files and folders of a spec at `root`; `variables` tells whether a file uses `environ`."""

    def __init__(self, spec: types.Spec, *, root: Path, environ: Mapping[str, str]) -> None:
        self.sets = spec.sets
        self._origin = Place(origin=spec.origin)
        self._locks = {
            posixpath.normpath(words.fill(file, {"environment": one.name, "name": one.name})): one.name
            for one in spec.environments
            for file in one.lock.file or (types.LOCK_FILE,)
        }
        self._root = root
        self._environ = environ
        self.variables = False
        self._count = 0
        self._folders: dict[str, LocalProject] = {}
        self.files: dict[str, Contents] = {}
        self._walks: dict[tuple[str, types.Entry], Walk] = {}
        self._composed: dict[tuple[object, ...], Composition] = {}

    @property
    def project(self) -> LocalProject:
        """Return the project in the spec's directory."""
        return self.folder(".")

    def folder(self, path: str) -> LocalProject:
        """Return the project in a directory; `path` is as in `Declared.path`."""
        if path not in self._folders:
            self._folders[path] = LocalProject(self._root / path, path)
        return self._folders[path]

    def file(self, path: str) -> Contents:
        """Return the lines and problems of a file; raises Invalid and FileProblems if it cannot be read."""
        if path not in self.files:
            if not os.path.exists(self._root / path):  # noqa: PTH110
                folder = posixpath.dirname(path)
                beside = list((self._root / folder).glob("*"))[:200] if self.folder(folder).exists else []
                near = did_you_mean(path, [posixpath.join(folder, one.name) for one in beside])
                lock = self._locks.get(path)
                raise Invalid(f"{path}: no such file", f"run: nox -s lock -- {lock}" if lock else near)
            text = read_text(self._root / path, shown=path, limit=1 << 23)
            self.files[path] = texts.read_requirements_file(text, origin=path, environ=self._environ)
            self.variables |= "${" in text
        return self.files[path]

    def compose(self, point: types.Point) -> Composition:
        """Return everything that a point asks for; raises FileProblems with every problem of what it uses."""
        asked = (point.requirements, point.constraints, point.build_constraints)
        key = (point.environment, *asked, point.package)
        if key in self._composed:
            return self._composed[key]
        path, why = f"environments.{point.environment}", (f"environment {point.environment}",)
        required = [self._walk(one, f"{path}.requirements", why) for one in point.requirements]
        limiting = [self._walk(one, f"{path}.constraints", why, True) for one in point.constraints]
        build = [self._walk(one, f"{path}.build_constraints", why, True) for one in point.build_constraints]
        if point.package.mode != "none":
            own = types.Entry(kind="extra", text=",".join(point.package.extras), place=point.place)
            required.append(self._walk(own, f"{path}.package"))
        walks = (*required, *limiting, *build)
        if problems := [problem for walk in walks for problem in walk.problems]:
            raise FileProblems(problems)
        editable = point.package.mode == "editable"
        self._composed[key] = Composition(
            requirements=tuple([one for walk in required for one in dict.fromkeys(walk.requirements)]),
            constraints=tuple([one for walk in (*required, *limiting) for one in walk.constraints]),
            build_constraints=tuple([one for walk in build for one in walk.constraints]),
            own=tuple([replace(own, editable=editable) for walk in required for own in walk.own]),
            files=tuple(dict.fromkeys([PYPROJECT, *(file for walk in walks for file in walk.files)])),
        )
        return self._composed[key]

    def problems(self, points: Iterable[types.Point]) -> tuple[Problem, ...]:
        """Return every problem of points and of all sets, used or not, each once."""
        named = [types.Entry(kind="include", text=name, place=self._origin) for name in self.sets]
        walks = [self._walk(one, "") for one in named]
        for point in points:
            walks.append(Walk(self))
            with walks[-1].at(point.place):
                self.compose(point)
        return tuple(dict.fromkeys([problem for walk in walks for problem in walk.problems]))

    def _walk(self, entry: types.Entry, path: str, why: Names = (), constraint: bool = False) -> Walk:
        """Return what an entry comes to; equal ones are walked once, and sets whoever includes them."""
        if entry.kind == "requirement" and is_bare(entry.text) and not constraint:
            entry = replace(entry, kind="include")  # in an environment, a bare name is a requirement set
        if entry.kind == "include" and entry.text in self.sets:
            entry, path = replace(entry, place=self._origin), f"requirements.{entry.text}"
        if (path, entry) not in self._walks:
            if self._count > _MOST:
                message = f"all environments together come to more than {_MOST:,} requirements"
                raise FileProblems([Invalid(message, "share them in requirement sets").at(entry.place, path)])
            walk = self._walks[path, entry] = Walk(self)
            walk.entry(entry, path, () if entry.kind == "include" else why, constraint)
            self._count += len(walk.requirements)
        return self._walks[path, entry]
