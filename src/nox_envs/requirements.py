"""Owns the composition of requirement sets into direct requirements; resolves nothing."""

from __future__ import annotations

from dataclasses import dataclass

from nox_envs.errors import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Hold one direct requirement (or constraint) after includes, files and groups were followed.

    `name` is canonical, empty for a URL or path that gives none. At most one of `specifier`, `url`
    and `path` is non-empty; `path` is POSIX and relative to the spec's directory. `marker` is as
    packaging prints it (empty: always). `hashes` look like `sha256:…`. `why` is the chain of
    requirement sets and files that led here, outermost first.
    """

    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    url: str = ""
    path: str = ""
    editable: bool = False
    marker: str = ""
    hashes: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Hold everything that a point asks for.

    `dynamic_extras` is not None when the project's own dependencies are dynamic and must be left to
    the resolver: the extras to resolve with, possibly none.
    """

    requirements: tuple[Declared, ...]
    constraints: tuple[Declared, ...] = ()
    build_constraints: tuple[Declared, ...] = ()
    dynamic_extras: tuple[str, ...] | None = None
