"""Owns which version a file of an index is of, told by its name; opens no file."""

from __future__ import annotations

import re

from nox_envs.pins import canonical_name

_SDIST = re.compile(r"(?i)\.(?:tar\.(?:gz|bz2|xz|Z|lzma)|tgz|tbz|zip)$")
_LONGEST = 400


def version_of_file(filename: str, project: str) -> str:
    """Return the version that a wheel or sdist of `project`, a canonical name, is of; empty if none.

    Wheels follow the binary distribution format, sdists `NAME-VERSION` (PEP 625); in old names both
    parts may hold dashes, so what stands before the version must be the name of the project.
    """
    if len(filename) > _LONGEST:
        return ""
    if filename.lower().endswith(".whl"):
        parts = filename[:-4].split("-")
        known = len(parts) in (5, 6) and canonical_name(parts[0]) == project
        return parts[1].replace("_", "-") if known else ""
    stem = _SDIST.sub("", filename)
    if stem == filename:
        return ""
    for dash in (at for at, character in enumerate(stem) if character == "-"):
        if canonical_name(stem[:dash]) == project:
            return stem[dash + 1 :]
    return ""
