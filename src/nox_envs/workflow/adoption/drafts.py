"""Owns the environments that a project comes to: one for each file, group and extra of development."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

from nox_envs.errors import FileProblems, Place
from nox_envs.pins import canonical_name
from nox_envs.requirements.from_project import OwnProject
from nox_envs.requirements.project import Pyproject
from nox_envs.values import replace
from nox_envs.workflow.adoption.pythons import declared_pythons
from nox_envs.workflow.adoption.types import Compiled, Draft, InputFile, Survey
from nox_envs.workflow.adoption.yaml_text import flow_list, mapping_item

_RESERVED = frozenset({"lock", "drift"})
_GENERIC = re.compile(r"(?:^|[-_.])(?:requirements?|reqs)(?=$|[-_.])", re.IGNORECASE)
_DEVELOPMENT = re.compile(
    r"(?:^|[-_])(?:all-?dev|ci|cov(?:erage)?|dev(?:el|elop|elopment)?|docs?|documentation|format(?:ting)?|"
    r"lint(?:ing)?|style|tests?|testing|typ(?:es|ing)|mypy|quality|benchmarks?)(?:$|[-_])"
)
_TESTS = re.compile(r"(?:^|[-_])(?:tests?|testing|ci|tox|nox|cov(?:erage)?)(?:$|[-_])")
_ALONE = re.compile(r"(?:^|[-_])(?:lint(?:ing)?|format(?:ting)?|style|release|publish|build)(?:$|[-_])")
_CHECKS = re.compile(r"(?:^|[-_])(?:check|lint|format|style|static|quality)")
_LONGEST = 60
_TOOLS = {
    "pytest": (_TESTS, "pytest {posargs}"),
    "sphinx": (re.compile(r"(?:^|[-_])docs?"), "sphinx-build docs docs/_build/html {posargs}"),
    "mypy": (re.compile(r"typ(?:es|ing)|mypy"), "mypy {posargs:.}"),
    "ruff": (_CHECKS, "ruff check {posargs:.}"),
    "flake8": (_CHECKS, "flake8 {posargs:.}"),
    "black": (_CHECKS, "black --check {posargs:.}"),
    "codespell": (re.compile("spell"), "codespell {posargs}"),
    "pre-commit": (_CHECKS, "pre-commit run --all-files"),
}


class Drafts:
    """Draft the environments of a project; `notes` collects what could not be taken over."""

    def __init__(self, survey: Survey, project: Pyproject) -> None:
        self.notes: list[str] = []
        self.environments: list[Draft] = []
        self.pythons = declared_pythons(project)
        self._project = project
        self._taken: set[str] = set()
        names = {file.path: self._named(_names_of(file.path)) for file in survey.inputs}
        for file in survey.inputs:
            self._of_file(file, names)
        for lock in survey.locks:
            self._of_lock(lock)
        for name, written in sorted(project.groups.items()):
            self._of_group(name, written)
        for name, written in sorted(project.extras.items()):
            self._of_extra(name, written)
        if not self.environments and project.buildable:
            self._add(self._named(("project",)), "This project itself", package="editable")

    def _of_file(self, file: InputFile, names: Mapping[str, str]) -> None:
        included = tuple(mapping_item("include", names[one]) for one in file.includes if one in names)
        self._add(
            names[file.path],
            f"What {file.path} asks for",
            items=(*included, *file.items),
            package=file.package if self._project.buildable else "",
            constraints=file.constraints,
            lock=file.lock,
            exact=not (included or file.items),
            asked=file.names,
        )

    def _of_lock(self, lock: Compiled) -> None:
        items = self._inputs_of(lock)
        self._add(
            self._named(_names_of(lock.path)),
            f"What {lock.path} has pinned",
            items=items,
            lock=lock,
            exact=not items,
        )

    def _inputs_of(self, lock: Compiled) -> tuple[str, ...]:
        """Return the extras that a lock was compiled from, if its header names pyproject.toml only."""
        words = lock.command
        sources = [word for word in words if word.endswith((".toml", ".in", ".cfg", ".py"))]
        if sources != ["pyproject.toml"] or "export" in words or self._project.is_dynamic("dependencies"):
            return ()
        options = [word.split("=", 1) for word in words if word.startswith("--extra=")]
        extras = [value for _, value in options]
        extras += [value for key, value in pairwise(words) if key == "--extra"]
        groups = {"--group", "--all-extras", "--only-group"}
        if any(word.partition("=")[0] in groups for word in words):
            return ()
        known = [one for one in extras if canonical_name(one) in self._project.extras]
        return (f"extra: {flow_list(tuple(sorted(known)))}",) if len(known) == len(extras) else ()

    def _of_group(self, name: str, written: str) -> None:
        own = OwnProject(self._project)
        found = own.group(written, asked=Place(origin="pyproject.toml"), key="")
        if found.problems:
            self.notes += [f"{one.place}: {one.path}: {one.message}".rstrip() for one in found.problems]
            return
        names = {one.name for one in found.requirements}
        self._add(
            self._named((_word(name), f"{_word(name)}-group")),
            f"The dependency group {written}",
            items=(mapping_item("group", written),),
            package="editable" if self._project.buildable and not _ALONE.search(name) else "",
            asked=names,
        )

    def _of_extra(self, name: str, written: str) -> None:
        if not _DEVELOPMENT.search(name):
            self.notes.append(
                f"pyproject.toml: the extra {written!r} looks like a feature, and has no environment;"
                f" 'package: {{mode: editable, extras: [{written}]}}' adds it to one"
            )
            return
        try:
            texts = self._project.extra(name)
        except FileProblems as error:
            self.notes += [str(one) for one in error.problems]
            return
        found = OwnProject(self._project).own((name,), asked=Place(origin="pyproject.toml"), key="")
        if found.problems:
            self.notes += [str(one) for one in found.problems]
            return
        bare = {canonical_name(re.split(r"[^\w.-]", one.text.strip(), maxsplit=1)[0]) for one in texts}
        self._add(
            self._named((_word(name), f"{_word(name)}-extra")),
            f"This project with its extra {written}",
            package=f"{{mode: editable, extras: {flow_list((written,))}}}",
            asked=bare,
        )

    def _add(
        self,
        name: str,
        description: str,
        *,
        items: tuple[str, ...] = (),
        package: str = "",
        constraints: tuple[str, ...] = (),
        lock: Compiled | None = None,
        exact: bool = False,
        asked: Collection[str] = (),
    ) -> None:
        draft = Draft(
            name=name,
            description=description,
            items=items,
            package=package,
            constraints=constraints,
            lock=lock,
            exact=exact,
            command=_command(name, asked),
        )
        self.environments.append(replace(draft, pythons=self._pythons_of(name, lock)))

    def _pythons_of(self, name: str, lock: Compiled | None) -> tuple[str, ...]:
        """Return the Pythons of an environment, empty where the default does.

        A lock that is not universal is right for the Python it was made with, and no other.
        """
        if lock is not None and lock.python and not lock.universal:
            return (lock.python,)
        fitting = self.pythons
        if lock is not None and lock.python:
            fitting = tuple(one for one in fitting if _numbers(one) >= _numbers(lock.python))
        if _TESTS.search(name) and len(fitting) > 1:
            return fitting
        return (lock.python,) if lock is not None and lock.python and not fitting else ()

    def _named(self, candidates: Iterable[str]) -> str:
        """Return the first name that is free, and take it; `a-b` and `a_b` would share a venv."""
        tried = list(candidates)
        numbered = (f"{tried[-1]}-{number}" for number in range(2, 10_000))
        for one in (*tried, *numbered):
            name = f"{one}-env" if one in _RESERVED else one
            if name.replace("_", "-") not in self._taken:
                self._taken.add(name.replace("_", "-"))
                return name
        raise AssertionError("more files than names")  # pragma: no cover


def _command(name: str, asked: Collection[str]) -> str:
    """Suggest a command: that of the tool the name speaks of, or of the only tool there is."""
    tools = [_TOOLS[one] for one in _TOOLS if one in asked]
    fitting = [command for pattern, command in tools if pattern.search(name)]
    return (fitting or [command for _, command in tools if len(tools) == 1] or [""])[0]


def _numbers(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))


def _names_of(path: str) -> tuple[str, ...]:
    """Return the names that a file may give its environment, the best first.

    `requirements/test.in` and `test-requirements.txt` are `test`; `docs/requirements.txt` is `docs`.
    """
    folder, name = posixpath.split(path)
    stem = _word(_GENERIC.sub("", name.rpartition(".")[0]))
    parents = [_word(one) for one in folder.split("/") if one and not _GENERIC.fullmatch(one)]
    parent = next((one for one in reversed(parents) if one), "")
    if stem:
        return (stem, f"{parent}-{stem}") if parent else (stem,)
    return (parent,) if parent else ("app",)


def _word(text: str) -> str:
    """Return a text as the name of an environment, empty where nothing of it can stand in one."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:_LONGEST].strip("-_")
