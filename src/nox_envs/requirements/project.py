"""Local projects: what a directory says of the project in it, without building it."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from nox_envs.errors import FileProblems, Invalid, Place, Problem, did_you_mean
from nox_envs.files import parse_toml, read_bytes, read_text
from nox_envs.spec.words import canonical_name, is_name

PYPROJECT = "pyproject.toml"

EXTRAS, GROUPS = ("project", "optional-dependencies"), ("dependency-groups",)

_LARGEST = 1 << 19
_MOST_LISTS = 500
_AT = re.compile(r" *\(at line (\d+), column (\d+)\)")
_FLOOR = re.compile(r"(?:>=|~=|===?|>|\^)\s*(\d{1,9}\.\d{1,9})")
# Files that a backend may read requirements from, what a module imports, and what may name a folder.
_DATA = re.compile(r"[\w./-]{1,80}\.(?:txt|in|toml|cfg|ini|json|ya?ml|py)\b")
_IMPORTED = re.compile(r"(?m)^[ \t]*(?:from|import)[ \t]+([\w, \t]{1,200})")
_SHIPPED = re.compile(r"py[-_]modules[\"']?\s*[=:]\s*\[?([^\]=]{0,2000})")
_QUOTED = re.compile(r"[\"']([\w/-]{1,80})[\"']")
_NOT_BUILD = re.compile(r"ruff|black|isort|mypy|pyright|pytest|coverage|pylint|tox|nox|uv|pixi|towncrier")
_UV_SETTINGS = re.compile(
    r"(extra-)?index.*|no-index|find-links|(no-)?sources|.*(constraint|override|exclude|build)-dependencies|pip"
    r"|dependency-metadata|.*environments|resolution|prerelease|fork-.*|exclude-newer.*|no-b.*|config-settings.*"
)


class LocalProject:
    """The project in a directory (`shown` in places); `problems` are those of pyproject.toml as a whole."""

    def __init__(self, root: Path, shown: str = "") -> None:
        self.exists = os.path.isdir(root)  # noqa: PTH112, as below
        self._root = root
        self._origin = posixpath.normpath(posixpath.join(shown, PYPROJECT))
        self._text = ""
        self._data: Mapping[str, object] = {}
        self._lists: dict[tuple[tuple[str, ...], str], tuple[tuple[str, bool, Place], ...]] = {}
        self._named: dict[tuple[str, ...], dict[str, str]] = {}
        self.problems: tuple[Problem, ...] = ()
        try:
            if self._has(PYPROJECT):
                self._text = read_text(root / PYPROJECT, shown=self._origin, limit=_LARGEST)
                self._data = parse_toml(self._text)
        except FileProblems as error:
            self.problems = error.problems
        except Invalid as wrong:
            line, column = map(int, at.groups()) if (at := _AT.search(wrong.message)) else (1, 1)
            self.problems = (wrong.at(Place(origin=self._origin, line=line, column=column)),)
        tools = self._table("tool").items()
        self._tools = {name: tool for name, tool in tools if not _NOT_BUILD.fullmatch(name)}

    def _has(self, name: str) -> bool:
        return os.path.exists(self._root / name)  # noqa: PTH110, Path's own raises where it may not look

    def _read(self, name: str) -> str:
        try:
            return read_bytes(self._root / name, _LARGEST).decode("utf-8-sig", "replace")
        except OSError:
            return ""

    def _table(self, *keys: str) -> Mapping[str, object]:
        found: object = self._data
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def names(self, *keys: str) -> list[str]:
        """Return the sorted keys of a table of pyproject.toml, none if there is no such table."""
        return sorted(self._table(*keys))

    @cached_property
    def buildable(self) -> bool:
        """Return whether there is a project to install at all."""
        tables = "project" in self._data or "build-system" in self._data
        return tables or self._has("setup.py") or self._has("setup.cfg")

    @cached_property
    def name(self) -> str:
        """Return the canonical name of the project, empty if pyproject.toml does not say it."""
        found = self._table("project").get("name") or self._table("tool", "poetry").get("name")
        name = canonical_name(found) if isinstance(found, str) else ""
        return name if is_name(name) else ""

    @cached_property
    def requires_python(self) -> str:
        """Return the lowest `X.Y` that the project supports, empty if pyproject.toml does not say it."""
        poetry = self._table("tool", "poetry", "dependencies").get("python")
        floors = _FLOOR.findall(str(self._table("project").get("requires-python") or poetry))
        return max(floors, key=lambda one: tuple(map(int, one.split("."))), default="")

    # Dependencies, extras (PEP 621) and groups (PEP 735).

    def is_static(self, field: str) -> bool:
        """Return whether a field of [project] can be read without a build."""
        dynamic = self._table("project").get("dynamic")
        return "project" in self._data and not (isinstance(dynamic, list) and field in dynamic)

    def listed(self, table: tuple[str, ...], name: str) -> tuple[tuple[str, bool, Place], ...]:
        """Return the strings in the list `name` of a table of pyproject.toml, each with its place.

        The boolean tells the name of an included group from a requirement. Raises Invalid if there is no such
        extra or group, FileProblems for what is not a list of strings.
        """
        asked = table, canonical_name(name)
        if asked in self._lists:
            return self._lists[asked]
        if len(self._lists) == _MOST_LISTS:
            raise Invalid(f"{self._origin} has more than {_MOST_LISTS} groups and extras")
        if table not in self._named:
            self._named[table] = {canonical_name(one): one for one in self._table(*table)}
        known = self._named[table]
        if asked[1] not in known and table != ("project",):
            kind = "dependency group" if table == GROUPS else "extra"
            near = did_you_mean(name, list(known.values())[:200])
            raise Invalid(f"{self._origin} has no {kind} {name!r}", near)
        keys = (*table, known.get(asked[1], name))
        at = 0
        for word in (f"[{keys[0]}", *keys[1:]):
            key = re.escape(word)
            match = re.compile(rf"{key}(?<![\w-]{key})[\"']?\s*[].=]").search(self._text, at)
            at = match.start() if match else at
        place = Place(origin=self._origin, line=self._text.count("\n", 0, at) + 1)
        content = self._table(*table).get(keys[-1], [])
        found: list[tuple[str, bool, Place]] = []
        for item in content if isinstance(content, list) else [None]:
            included = item.get("include-group") if isinstance(item, dict) and len(item) == 1 else None
            text = included if table == GROUPS and included else item
            if not isinstance(text, str):
                raise FileProblems([Invalid("is not a list of strings").at(place, ".".join(keys))])
            # The strings follow each other, with comments between them at most.
            starts = [self._text.find(f"{quote}{text}{quote}", at, at + 2_000) for quote in "\"'"]
            start = min([one for one in starts if one >= 0], default=at)
            place = Place(origin=self._origin, line=place.line + self._text.count("\n", at, start))
            at = start + 1
            found.append((text, text is included, place))
        self._lists[asked] = tuple(found)
        return self._lists[asked]

    # What its metadata comes from.

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Return the files that the project's metadata may come from, relative to it.

        They are those that its tables, setup.py and setup.cfg name; where its dependencies are dynamic, also
        the modules beside pyproject.toml that these import, and what all of them name in turn.
        """
        found = dict.fromkeys((PYPROJECT, "setup.py", "setup.cfg"))
        dynamic = not self.is_static("dependencies")
        usual = "requirements.txt requirements.in hatch_build.py " if dynamic else ""
        # The rest of setup.cfg belongs to tools that build nothing.
        cfg = re.findall(r"(?ms)^\[(?:metadata|options)\b.*?(?=^\[|\Z)", self._read("setup.cfg"))
        text = "\n".join([usual + json.dumps(self._tools, default=str), self._read("setup.py"), *cfg])
        shipped = re.findall(r"\w+", " ".join([self.name.replace("-", "_"), *_SHIPPED.findall(text)]))
        waiting = [("", text)]
        for folder, text in waiting:
            quoted = sorted({*_QUOTED.findall(text)}) if dynamic else []
            folders = ["", folder, *[one for one in quoted if os.path.isdir(self._root / one)]]  # noqa: PTH112
            modules = re.sub(r"\w+", r"\g<0>.py", " ".join(_IMPORTED.findall(text)))
            named = _DATA.findall(f"{modules} {text}")
            paths = {posixpath.normpath(posixpath.join(one, name)) for one in folders for name in named}
            for path in sorted(paths - found.keys()):
                # Other modules are what is installed, or what a build writes.
                other = not dynamic or path[:-3] in shipped or re.search("/|version|about", path)
                source = other and path.endswith(".py")
                if not (source or path.startswith(("/", ".."))) and len(found) < 100 and self._has(path):
                    found[path] = None
                    waiting += [(posixpath.dirname(path), self._read(path))] if dynamic else []
        return tuple(found)

    @cached_property
    def fingerprint(self) -> str:
        """Return `sha256:…` over everything that the project's metadata may come from."""
        texts = {name: self._read(name) for name in self.files if name != PYPROJECT}
        # A lock that nox-envs generates comes from the metadata.
        texts = {name: text for name, text in texts.items() if "nox-envs" not in text[:400]}
        tables = [self._data.get(name) for name in ("project", "build-system")]
        return digest_of([tables, self._tools, texts, self._text if self.problems else ""])

    @cached_property
    def requires_digest(self) -> str:
        """Return `sha256:…` over what decides which packages an installation of this project brings."""
        fields = ("requires-python", "dependencies", "optional-dependencies")
        if not all(map(self.is_static, fields)):
            return self.fingerprint
        return digest_of([self._table("project").get(field) for field in fields])

    @cached_property
    def uv_settings(self) -> Mapping[str, object]:
        """Return the entries of [tool.uv] that change what uv resolves or installs."""
        settings = self._table("tool", "uv").items()
        return {name: entry for name, entry in settings if _UV_SETTINGS.fullmatch(name)}


def digest_of(meaning: object) -> str:
    """Return `sha256:…` over what a JSON document can hold; anything else counts as its text."""
    text = json.dumps(meaning, sort_keys=True, default=str, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
