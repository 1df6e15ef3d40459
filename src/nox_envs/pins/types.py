"""Owns the types of a pin and its source, and the canonical name; knows no URL and no file."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from nox_envs.values import value

SourceKind: TypeAlias = Literal["index", "archive", "vcs", "directory"]

SEED_PACKAGES = frozenset({"pip", "setuptools", "wheel", "distribute"})

_SEPARATORS = re.compile(r"[-_.]+")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def canonical_name(name: str) -> str:
    """Return the canonical form of a package name (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def is_name(name: str) -> bool:
    """Tell whether a canonical name is a valid one (PEP 508)."""
    return _NAME.fullmatch(name) is not None


@value
class Source:
    """Say where a distribution came from or shall come from (PEP 610, PEP 440 direct references).

    `url` carries no credentials; for `directory` and local archives it is a `file:` URL, for `vcs` it
    begins with the tool (`git+https://…`). `revision` is the commit (installed) or the requested
    revision (declared) of a `vcs` source, `requested` what an installed one was asked for by (a
    branch, a tag), `subdirectory` its subdirectory; `hashes` look like `sha256:…` and belong to an
    `archive`.
    """

    kind: SourceKind
    url: str = ""
    revision: str = ""
    requested: str = ""
    subdirectory: str = ""
    editable: bool = False
    hashes: tuple[str, ...] = ()


INDEX = Source(kind="index")


@value
class Pin:
    """Hold one pinned package of a lock.

    `name` is canonical; `version` is empty for a direct reference whose version is not recorded;
    `marker` is as written (empty: always); `hashes` look like `sha256:…`; `via` names who asks for
    it (packages by canonical name, requirement sets and files as written); `line` counts from 1, in the
    file `origin` (empty: the lock's own).
    """

    name: str
    version: str
    source: Source = INDEX
    extras: tuple[str, ...] = ()
    marker: str = ""
    hashes: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    line: int = 0
    origin: str = ""
