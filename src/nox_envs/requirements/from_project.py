"""Owns the following of pyproject.toml: the project's own dependencies, extras and groups."""

from __future__ import annotations

from nox_envs.errors import FileProblems, Place, Problem
from nox_envs.pins import canonical_name
from nox_envs.requirements.gathered import DEPTH, LIMIT, Gathered, failed, join
from nox_envs.requirements.project import PYPROJECT, GroupAt, Pyproject, TextAt
from nox_envs.requirements.reference import Reference, Rejected, declare, parse_reference
from nox_envs.requirements.types import Declared


class OwnProject:
    """Gather the dependencies and groups that a pyproject.toml declares."""

    def __init__(self, pyproject: Pyproject) -> None:
        self._pyproject = pyproject
        self._groups: dict[str, Gathered] = {}
        self._own: dict[tuple[str, ...], Gathered] = {}

    def group(self, name: str, *, asked: Place, key: str, stack: tuple[str, ...] = ()) -> Gathered:
        """Gather a dependency group (PEP 735); its `why` chains begin with `pyproject.toml [group]`."""
        wanted = canonical_name(name)
        if self._pyproject.problems:
            return Gathered(problems=self._pyproject.problems)
        if wanted not in self._pyproject.groups:
            return failed(
                asked, f"{PYPROJECT} has no dependency group {name!r}", self._near_group(wanted), path=key
            )
        if wanted in stack:
            cycle = " -> ".join((*stack[stack.index(wanted) :], wanted))
            return failed(asked, f"dependency group {wanted!r} includes itself: {cycle}", path=key)
        if len(stack) >= DEPTH:
            return failed(asked, f"groups include each other more than {DEPTH} deep", path=key)
        if wanted not in self._groups:
            self._groups[wanted] = self._follow_group(wanted, asked, key, stack)
        return self._groups[wanted]

    def _near_group(self, wanted: str) -> str:
        groups = self._pyproject.groups
        return suggest(wanted, tuple(groups.values())) if groups else "there is no [dependency-groups] in it"

    def _follow_group(self, name: str, asked: Place, key: str, stack: tuple[str, ...]) -> Gathered:
        try:
            items = self._pyproject.group(name)
        except FileProblems as error:
            return Gathered(problems=error.problems)
        label = f"{PYPROJECT} [{self._pyproject.groups[name]}]"
        path = f"dependency-groups.{self._pyproject.groups[name]}"
        parts: list[Gathered] = []
        for item in items:
            place = Place(origin=PYPROJECT, line=item.line)
            if isinstance(item, GroupAt):
                nested = self.group(item.name, asked=place, key=path, stack=(*stack, name))
                parts.append(nested.below(label))
            else:
                parts.append(self._group_text(item, label, place, path))
        return join(parts, place=asked, path=key)

    def _group_text(self, item: TextAt, label: str, place: Place, path: str) -> Gathered:
        reference = parse_reference(item.text)
        if isinstance(reference, Rejected):
            return failed(place, reference.message, reference.hint, path=path)
        if self._is_self(reference) and not reference.marker:
            return self.own(reference.extras, asked=place, key=path).below(label)
        return Gathered(requirements=(declare(reference, why=(label,), place=place),))

    def own(self, extras: tuple[str, ...], *, asked: Place, key: str) -> Gathered:
        """Gather the project's own dependencies with some of its extras.

        What is dynamic is left to the resolver. The `why` chains begin with `pyproject.toml`, or with
        `pyproject.toml [extra]`.
        """
        wanted = tuple(sorted({canonical_name(extra) for extra in extras}))
        project = self._pyproject
        if project.problems:
            return Gathered(problems=project.problems)
        if not project.buildable:
            hint = f"add [project] to {PYPROJECT}"
            return failed(asked, "there is no project here to take dependencies of", hint, path=key)
        unknown = () if project.is_dynamic("optional-dependencies") else self._unknown(wanted)
        if unknown:
            hint = suggest(unknown[0], tuple(project.extras.values()))
            return failed(asked, f"this project has no extra {unknown[0]!r}", hint, path=key)
        if wanted not in self._own:
            self._own[wanted] = self._follow_own(wanted)
        return self._own[wanted]

    def _unknown(self, extras: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(extra for extra in extras if extra not in self._pyproject.extras)

    def _follow_own(self, extras: tuple[str, ...]) -> Gathered:
        project = self._pyproject
        walk = _OwnWalk(project)
        walk.run(extras)
        dynamic = project.is_dynamic("dependencies") or (
            bool(extras) and project.is_dynamic("optional-dependencies")
        )
        return Gathered(
            requirements=tuple(dict.fromkeys(walk.requirements)),
            dynamic=extras if dynamic else None,
            problems=tuple(dict.fromkeys(walk.problems)),
        )

    def _is_self(self, reference: Reference) -> bool:
        return is_self(reference, self._pyproject.name)


class _OwnWalk:
    """Walk the project's dependencies and extras, following extras that name the project itself."""

    def __init__(self, project: Pyproject) -> None:
        self.requirements: list[Declared] = []
        self.problems: list[Problem] = []
        self._project = project
        self._queue: list[tuple[str, tuple[str, ...]]] = []
        self._seen: set[tuple[str, tuple[str, ...]]] = set()

    def run(self, extras: tuple[str, ...]) -> None:
        for extra in ("", *extras):
            self._push(extra, ())
        while self._queue:
            self._visit(*self._queue.pop(0))

    def _push(self, extra: str, markers: tuple[str, ...]) -> None:
        known = not extra or extra in self._project.extras
        if known and (extra, markers) not in self._seen and len(self._seen) < LIMIT:
            self._seen.add((extra, markers))
            self._queue.append((extra, markers))

    def _visit(self, extra: str, markers: tuple[str, ...]) -> None:
        written = self._project.extras[extra] if extra else ""
        path = f"project.optional-dependencies.{written}" if extra else "project.dependencies"
        label = f"{PYPROJECT} [{written}]" if extra else PYPROJECT
        try:
            texts = self._project.extra(extra) if extra else self._project.dependencies()
        except FileProblems as error:
            self.problems.extend(error.problems)
            return
        for text in texts:
            place = Place(origin=PYPROJECT, line=text.line)
            reference = parse_reference(text.text)
            if isinstance(reference, Rejected):
                self.problems.append(
                    Problem(place=place, path=path, message=reference.message, hint=reference.hint)
                )
            elif is_self(reference, self._project.name):
                self._push_self(reference, markers, place, path)
            else:
                marker = _all_of((*markers, reference.marker))
                self.requirements.append(declare(reference, why=(label,), place=place, marker=marker))

    def _push_self(self, reference: Reference, markers: tuple[str, ...], place: Place, path: str) -> None:
        inner = tuple(sorted({*markers, *([reference.marker] if reference.marker else [])}))
        for extra in reference.extras:
            if extra not in self._project.extras and not self._project.is_dynamic("optional-dependencies"):
                hint = suggest(extra, tuple(self._project.extras.values()))
                message = f"this project has no extra {extra!r}"
                self.problems.append(Problem(place=place, path=path, message=message, hint=hint))
            self._push(extra, inner)


def is_self(reference: Reference, name: str) -> bool:
    """Tell whether a requirement is the project itself, with extras and nothing else."""
    return (
        bool(name and reference.extras)
        and reference.name == name
        and not reference.url
        and not reference.path
    )


def suggest(name: str, known: tuple[str, ...]) -> str:
    """Return a hint with the nearest of the known names, or with all of them."""
    from difflib import get_close_matches

    lowered = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), lowered, n=1)
    if near:
        return f"perhaps {lowered[near[0]]!r}"
    return f"known are {', '.join(sorted(known))}" if known else "there are none"


def _all_of(markers: tuple[str, ...]) -> str:
    given = tuple(dict.fromkeys(marker for marker in markers if marker))
    if len(given) < 2:
        return "".join(given)
    from packaging.markers import Marker

    return str(Marker(" and ".join(f"({marker})" for marker in given)))
