"""Owns the Pythons that a project says it supports; looks at no interpreter."""

from __future__ import annotations

import re

from nox_envs.requirements.project import Pyproject

_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")


def declared_pythons(project: Pyproject) -> tuple[str, ...]:
    """Return the Pythons of the classifiers that `requires-python` allows, oldest first.

    Without classifiers there are none: an environment then uses the Python that runs nox, and its lock
    serves every Python that `requires-python` allows.
    """
    table = project.project or {}
    listed = table.get("classifiers")
    texts = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    named = {match[1] for text in texts if (match := _CLASSIFIER.fullmatch(text))}
    required = table.get("requires-python")
    allowed = [one for one in named if _allows(required if isinstance(required, str) else "", one)]
    return tuple(sorted(allowed, key=lambda one: int(one.partition(".")[2])))


def _allows(required: str, python: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        wanted = SpecifierSet(required)
    except InvalidSpecifier:
        return True
    # A bound may lie within a minor version: >=3.10.2 allows some 3.10.
    return wanted.contains(f"{python}.0") or wanted.contains(f"{python}.99")
