"""Owns the settings that uv reads from generated projects: package indexes and platforms; runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable

from nox_envs.errors import FileProblems, Problem
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.platforms import platform_of
from nox_envs.spec.types import Index

INDEXES = "indexes/pyproject.toml"
INDEX_PROJECT = "nox-envs-indexes"
PLATFORMS = "platforms/pyproject.toml"


def assigned(indexes: tuple[Index, ...]) -> tuple[Index, ...]:
    """Return the indexes that only some packages are taken from.

    Raises FileProblems for a package that two indexes claim.
    """
    found = tuple(index for index in indexes if index.packages)
    known: dict[str, Index] = {}
    for index in found:
        for name in index.packages:
            owner = known.setdefault(name, index)
            if owner is not index:
                message = f"{name!r} is taken from {owner.name!r} only ({owner.place})"
                place, path = index.place, f"indexes.{index.name}.packages"
                raise FileProblems((Problem(place=place, path=path, message=message),))
    return found


def general(indexes: tuple[Index, ...]) -> tuple[Index, ...]:
    """Return the indexes that every other package is taken from, in their order."""
    return tuple(index for index in indexes if not index.packages)


def owners(indexes: tuple[Index, ...]) -> dict[str, Index]:
    """Return the index of each package that has one of its own; raises FileProblems for two."""
    return {name: index for index in assigned(indexes) for name in index.packages}


def index_project(indexes: tuple[Index, ...], floor: str, names: Iterable[str]) -> str:
    """Return the project file that makes uv take `names` from their own index only.

    uv assigns an index to what a project requires itself, so the project requires them.
    """
    wanted, owned = set(names), owners(indexes)
    listed = [(name, index) for name, index in sorted(owned.items(), key=_first) if name in wanted]
    lines = [
        "[project]",
        f"name = {_text(INDEX_PROJECT)}",
        'version = "0"',
        f"requires-python = {_text(f'>={floor}')}",
        f"dependencies = [{', '.join(_text(name) for name, _ in listed)}]",
        "",
        "[tool.uv.sources]",
        *(f"{_text(name)} = {{ index = {_text(index.name)} }}" for name, index in listed),
    ]
    for index in dict.fromkeys(index for _, index in listed):
        lines += ["", "[[tool.uv.index]]", f"name = {_text(index.name)}", f"url = {_text(index.url)}"]
        lines.append("explicit = true")
    return "\n".join(lines) + "\n"


def platform_project(plan: LockPlan) -> str:
    """Return the project file that restricts uv to the platforms of a plan; empty for all of them."""
    if not plan.platforms:
        return ""
    markers = sorted({platform_of(word).marker for word in plan.platforms})
    return f"[tool.uv]\nenvironments = [{', '.join(map(_text, markers))}]\n"


def uv_index_options(indexes: tuple[Index, ...]) -> list[str]:
    """Return the options of uv for indexes in their order: the last one takes the place of its default."""
    if not indexes:
        return []
    *first, last = indexes
    return [
        *(f"--index={index.name}={index.url}" for index in first),
        f"--default-index={last.name}={last.url}",
    ]


def merged_index_options(indexes: tuple[Index, ...]) -> list[str]:
    """Return the options of uv for all indexes at once, those that only some packages have included."""
    own = [f"--index={index.name}={index.url}" for index in assigned(indexes)]
    return [*own, *uv_index_options(general(indexes))]


def _first(pair: tuple[str, Index]) -> str:
    return pair[0]


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
