"""Owns the merging of what several pythons require into one list with markers; reads no file."""

from __future__ import annotations

import re

from nox_envs.requirements import Declared
from nox_envs.values import replace

_VERSION = re.compile(r"\d+\.\d+")


def minor_version(python: str) -> str:
    """Return the `X.Y` of an interpreter's name (`pypy3.11`, `3.13t`), empty if it has none."""
    match = _VERSION.search(python)
    return match[0] if match else ""


def implementation_name(python: str) -> str:
    """Return the implementation of an interpreter's name, as `sys.implementation.name` has it."""
    return next((name for name in ("pypy", "graalpy") if python.startswith(name)), "cpython")


def floor(pythons: tuple[str, ...], default: str) -> str:
    """Return the lowest `X.Y` among names of interpreters, `default` where none tells."""
    versions = [version for version in map(minor_version, pythons) if version]
    return min(versions, key=_version_key) if versions else default


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def merged(pythons: list[str], lists: list[tuple[Declared, ...]]) -> tuple[Declared, ...]:
    """Merge what points of several pythons require, with markers for what only some of them ask."""
    wanted: dict[tuple[str, tuple[str, ...]], Declared] = {}
    askers: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for python, declared in zip(pythons, lists, strict=True):
        for requirement in declared:
            key = (requirement_key(requirement), requirement.why)
            wanted.setdefault(key, requirement)
            askers.setdefault(key, set()).add(python)
    return tuple(_only_for(requirement, askers[key], set(pythons)) for key, requirement in wanted.items())


def _only_for(requirement: Declared, askers: set[str], pythons: set[str]) -> Declared:
    clauses = {_clause(python, pythons - askers) for python in askers}
    if askers == pythons or "" in clauses:
        return requirement
    clause = " or ".join(sorted(clauses, key=lambda text: (_version_key(minor_version(text)), text)))
    if requirement.marker:
        clause = f"({clause}) and ({requirement.marker})"
    return replace(requirement, marker=clause)


def _clause(python: str, others: set[str]) -> str:
    """Return the marker of one python, empty for one without a version.

    No marker tells `3.13t` from `3.13` (PEP 508), so what one of them asks for both of them get.
    """
    version, implementation = minor_version(python), implementation_name(python)
    if not version:
        return ""
    rivals = {implementation_name(other) for other in others if minor_version(other) == version}
    clause = f'python_version == "{version}"'
    return f'{clause} and implementation_name == "{implementation}"' if rivals - {implementation} else clause


def requirement_text(declared: Declared) -> str:
    """Return a direct requirement as one line (PEP 508; a path or bare URL as pip's format has it)."""
    extras = f"[{','.join(declared.extras)}]" if declared.extras else ""
    marker = f" ; {declared.marker}" if declared.marker else ""
    target = declared.url or declared.path
    if declared.editable:
        return f"-e {target}{extras}{marker}"
    if declared.url and declared.name:
        return f"{declared.name}{extras} @ {declared.url}{marker}"
    if target:
        return f"{target}{extras}{marker}"
    return f"{declared.name}{extras}{declared.specifier}{marker}"


def requirement_key(declared: Declared) -> str:
    """Return what tells a requirement from others, wherever it is written."""
    return " ".join((requirement_text(declared), *sorted(declared.hashes)))
