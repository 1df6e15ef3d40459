"""Owns what the project says about itself in pyproject.toml: dependencies, extras, groups, name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from nox_envs.errors import FileProblems, Place, Problem
from nox_envs.files import read_text
from nox_envs.pins import canonical_name
from nox_envs.values import value

PYPROJECT = "pyproject.toml"

_AT = re.compile(r"\(at line (\d+), column (\d+)\)")
_FLOOR = re.compile(r"(?:>=|~=|===?|>)\s*(\d{1,9}\.\d{1,9})")
_LEGACY = ("setup.py", "setup.cfg")
_BUILD_TOOLS = ("setuptools", "setuptools_scm", "poetry", "flit", "hatch", "pdm", "scikit-build", "maturin")


@value
class ProjectMetadata:
    """Hold what is known of the project without building it.

    `name` is canonical, `python_floor` the lowest `X.Y` of `requires-python`; both are empty when
    unknown. `digest` is a digest of what dynamic dependencies are computed from, empty when the
    dependencies are static.
    """

    name: str = ""
    python_floor: str = ""
    digest: str = ""


@value
class TextAt:
    """Hold a string of pyproject.toml and the line it stands on."""

    text: str
    line: int


@value
class GroupAt:
    """Hold an `include-group` and the line it stands on."""

    name: str
    line: int


class Pyproject:
    """Read the pyproject.toml of a directory once; a missing one is an empty one.

    `problems` says what is wrong with the file as a whole, `unread` why it is no text at all.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problems: tuple[Problem, ...] = ()
        self.unread: tuple[Problem, ...] = ()
        self._text, self._data = "", dict[str, object]()
        if os.path.exists(root / PYPROJECT):  # noqa: PTH110, Path's own raises for a name that is too long
            try:
                self._text = read_text(root / PYPROJECT, shown=PYPROJECT)
            except FileProblems as error:
                self.problems = self.unread = error.problems
                return
            try:
                self._data = _parse(self._text)
            except FileProblems as error:
                self.problems = error.problems

    @cached_property
    def project(self) -> Mapping[str, object] | None:
        """Return the table `[project]`, None where there is none."""
        return _table(self._data, "project")

    @property
    def name(self) -> str:
        """Return the canonical name of the project, empty if it is not static."""
        name = (self.project or {}).get("name")
        return canonical_name(name) if isinstance(name, str) else ""

    @property
    def buildable(self) -> bool:
        """Tell whether there is a project to install at all."""
        if self.project is not None or "build-system" in self._data:
            return True
        return any((self._root / name).is_file() for name in _LEGACY)

    def is_dynamic(self, field: str) -> bool:
        """Tell whether a field of `[project]` is left to the build backend."""
        if self.project is None:
            return True
        dynamic = self.project.get("dynamic")
        return isinstance(dynamic, list) and field in dynamic

    @cached_property
    def extras(self) -> Mapping[str, str]:
        """Return the extras: canonical name to the name as written."""
        table = _table(self.project or {}, "optional-dependencies") or {}
        return {canonical_name(name): name for name in table}

    @cached_property
    def groups(self) -> Mapping[str, str]:
        """Return the dependency groups (PEP 735): canonical name to the name as written."""
        return {canonical_name(name): name for name in _table(self._data, "dependency-groups") or {}}

    def dependencies(self) -> tuple[TextAt, ...]:
        """Return the project's own dependencies.

        Raises:
            FileProblems: they are not a list of strings.
        """
        listed = (self.project or {}).get("dependencies", [])
        return self._strings(listed, header="project", key="dependencies", shown="project.dependencies")

    def extra(self, name: str) -> tuple[TextAt, ...]:
        """Return the dependencies of an extra, by its canonical name.

        Raises:
            FileProblems: they are not a list of strings.
        """
        written = self.extras[name]
        table = _table(self.project or {}, "optional-dependencies") or {}
        shown = f"project.optional-dependencies.{written}"
        return self._strings(table[written], header="project.optional-dependencies", key=written, shown=shown)

    def group(self, name: str) -> tuple[TextAt | GroupAt, ...]:
        """Return the items of a dependency group (PEP 735), by its canonical name.

        Raises:
            FileProblems: the group is not a list of strings and `{include-group = …}` tables.
        """
        written = self.groups[name]
        items = (_table(self._data, "dependency-groups") or {})[written]
        start = self._start("dependency-groups", written)
        shown = f"dependency-groups.{written}"
        same = [one for one in _table(self._data, "dependency-groups") or {} if canonical_name(one) == name]
        if len(same) > 1:
            raise self._wrong(start, shown, f"groups {' and '.join(map(repr, same))} have the same name")
        if not isinstance(items, list):
            raise self._wrong(start, shown, "is no list")
        return tuple(self._group_item(item, start, shown) for item in items)

    def _group_item(self, item: object, start: int, shown: str) -> TextAt | GroupAt:
        if isinstance(item, str):
            return TextAt(text=item, line=self._line(item, start))
        if (
            isinstance(item, dict)
            and list(item) == ["include-group"]
            and isinstance(item["include-group"], str)
        ):
            name = item["include-group"]
            return GroupAt(name=name, line=self._line(name, start))
        message = "holds something that is neither a string nor {include-group = NAME}"
        raise self._wrong(start, shown, message)

    def _strings(self, listed: object, *, header: str, key: str, shown: str) -> tuple[TextAt, ...]:
        start = self._start(header, key)
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise self._wrong(start, shown, "is no list of strings")
        return tuple(TextAt(text=item, line=self._line(item, start)) for item in listed)

    def _wrong(self, start: int, shown: str, message: str) -> FileProblems:
        place = Place(origin=PYPROJECT, line=self._text.count("\n", 0, start) + 1)
        return FileProblems((Problem(place=place, path=shown, message=message),))

    def _start(self, header: str, key: str) -> int:
        """Return the offset of a key, of its table, or of the file: where to look for its strings."""
        last = re.escape(header.rpartition(".")[2])
        opening = rf"^[ \t]*(?:\[[ \t]*{re.escape(header)}[ \t]*\]|{last}[ \t]*[.=])"
        table = re.search(opening, self._text, re.MULTILINE)
        start = table.start() if table else 0
        found = re.compile(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*=", re.MULTILINE)
        match = found.search(self._text, start)
        return match.start() if match else start

    def _line(self, text: str, start: int) -> int:
        for quoted in (f'"{text}"', f"'{text}'", json.dumps(text, ensure_ascii=False)):
            at = self._text.find(quoted, start)
            if at >= 0:
                return self._text.count("\n", 0, at) + 1
        return self._text.count("\n", 0, start) + 1

    @cached_property
    def metadata(self) -> ProjectMetadata:
        """Return what is known of the project without building it."""
        required = (self.project or {}).get("requires-python")
        floors = _FLOOR.findall(required) if isinstance(required, str) else []
        return ProjectMetadata(
            name=self.name,
            python_floor=max(floors, key=lambda one: tuple(map(int, one.split(".")))) if floors else "",
            digest=self._digest() if self.buildable and self.is_dynamic("dependencies") else "",
        )

    @property
    def requires_digest(self) -> str:
        """Return `sha256:…` over what decides which packages an installation of this project brings."""
        if self.is_dynamic("dependencies") or self.is_dynamic("optional-dependencies"):
            return self._digest()
        project = self.project or {}
        extras = _table(project, "optional-dependencies") or {}
        return _sha256(
            {
                "python": project.get("requires-python"),
                "dependencies": _sorted(project.get("dependencies")),
                "extras": {name: _sorted(listed) for name, listed in extras.items()},
            }
        )

    def _digest(self) -> str:
        tools = _table(self._data, "tool") or {}
        meaning = {
            "project": self.project,
            "build-system": self._data.get("build-system"),
            "tool": {name: tools[name] for name in _BUILD_TOOLS if name in tools},
            "files": {name: self._content(name) for name in (*_LEGACY, *self._dynamic_files(tools))},
        }
        return _sha256(meaning)

    def _dynamic_files(self, tools: Mapping[str, object]) -> tuple[str, ...]:
        """Return the files that setuptools reads dependencies from (`tool.setuptools.dynamic`)."""
        dynamic = _table(_table(tools, "setuptools") or {}, "dynamic") or {}
        optional = _table(dynamic, "optional-dependencies") or {}
        found: list[object] = []
        for entry in (dynamic.get("dependencies"), *optional.values()):
            files = entry.get("file") if isinstance(entry, dict) else None
            found.extend(files if isinstance(files, list) else [files])
        return tuple(name for name in found if isinstance(name, str))

    def _content(self, name: str) -> str:
        try:
            return read_text(self._root / name, shown=name)
        except FileProblems:
            return ""


def project_name(root: Path) -> str:
    """Return the canonical name of the project in `root`, empty if it is not static."""
    return Pyproject(root).name


def _sorted(listed: object) -> list[str]:
    return sorted(map(str, listed)) if isinstance(listed, list) else []


def _sha256(meaning: Mapping[str, object]) -> str:
    from hashlib import sha256

    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"), default=str)
    return "sha256:" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _parse(text: str) -> dict[str, object]:
    from nox_envs.toml import parse_toml

    try:
        return parse_toml(text)
    except ValueError as error:
        at = _AT.search(str(error))
        place = Place(origin=PYPROJECT, line=int(at[1]) if at else 1, column=int(at[2]) if at else 1)
        reason = _AT.sub("", str(error)).strip()
        raise FileProblems((Problem(place=place, message=f"is not valid TOML: {reason}"),)) from None


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object] | None:
    value = table.get(key)
    return value if isinstance(value, dict) else None
