"""Owns the types of what an index and an advisory say of a package; reads nothing."""

from __future__ import annotations

from typing import Literal, TypeAlias

from nox_envs.values import value

EventKind: TypeAlias = Literal["introduced", "fixed", "last_affected", "limit"]
Events: TypeAlias = tuple[tuple[EventKind, str], ...]


@value
class File:
    """Hold one file of a project: its version as written and which Pythons it is for.

    `yanked` is the reason for which it was yanked, possibly empty, and None where it was not (PEP
    592); `uploaded` is a time in UTC (PEP 700), empty where the index does not tell it.
    """

    version: str
    requires_python: str = ""
    yanked: str | None = None
    uploaded: str = ""


@value
class Page:
    """Hold the files that the index at `index`, a URL, has of the project `name`, a canonical name."""

    name: str
    index: str
    files: tuple[File, ...]


@value
class Vulnerability:
    """Hold what one advisory says of one package, a canonical name.

    Affected are the versions in `versions`, and those that the events of one of `ranges` enclose.
    `fixed` are versions that are known to be right, besides those that the ranges tell.
    """

    package: str
    id: str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    versions: tuple[str, ...] = ()
    ranges: tuple[Events, ...] = ()
    fixed: tuple[str, ...] = ()
