"""Owns the question which files of site-packages no distribution has put there; reads no content."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nox_envs.integrity.claims import Claims
from nox_envs.integrity.tree import Tree, folders_of
from nox_envs.snapshot.installed import is_startup
from nox_envs.values import value


@value
class Unowned:
    """Hold a file that nobody owns, or a folder that holds nothing but such `files`."""

    path: str
    files: int


def unowned_files(claims: Claims, tree: Tree, known: Iterable[str]) -> tuple[Unowned, ...]:
    """Return what nobody owns below the site-packages directories, whole folders as one.

    `known` are files that the venv's creator left. Where a distribution does not tell its files (an
    `*.egg-info`, a RECORD that is missing or damaged), what it may have put beside all others is not
    judged. Startup hooks are looked for elsewhere.
    """
    owned = folders_of(claims.first, tree.sites)
    exempt = set(known) | {owner.path for owner in claims.owners}
    eggs = tuple(o.path + os.sep for o in claims.owners if not o.path.endswith(".dist-info"))
    untold = any(not record.whole for record in claims.records)
    counts: dict[str, int] = {}
    for path in tree.files:
        if path in claims.first or path in exempt or path in owned or path.startswith(eggs):
            continue
        top = _topmost(path, owned)
        beside = top.rpartition(os.sep)[0] in tree.sites
        if top in exempt or (beside and (untold or is_startup(os.path.basename(top)))):  # noqa: PTH119
            continue
        counts[top] = counts.get(top, 0) + 1
    return tuple(Unowned(path=path, files=count) for path, count in sorted(counts.items()))


def _topmost(path: str, owned: set[str]) -> str:
    """Return the outermost folder around a file that holds nothing owned, else the file."""
    top = path
    folder = path.rpartition(os.sep)[0]
    while folder not in owned:
        top = folder
        folder = folder.rpartition(os.sep)[0]
    return top
