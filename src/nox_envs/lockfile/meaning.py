"""Owns the meaning of a lock's inputs: their digest, and a name for each part of it; reads no file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nox_envs.lockfile.merging import minor_version, requirement_key
from nox_envs.requirements import Declared

if TYPE_CHECKING:
    from nox_envs.lockfile.plan import LockPlan


def digest(plan: LockPlan) -> str:
    """Return `sha256:…` over the meaning of a plan's inputs, not over their order or spelling."""
    return _sha256(_meaning(plan))


def parts(plan: LockPlan) -> tuple[tuple[str, str], ...]:
    """Return what a lock is made with besides requirements and pythons, sorted, by name.

    A value is short enough for a comment: the setting itself, or the beginning of a digest. What has
    its default is left out.
    """
    options = plan.options
    prereleases = plan.prereleases
    hashed = _keys(one for one in plan.requirements if one.hashes)
    found = {
        "resolution": "" if options.resolution in (None, "highest") else options.resolution,
        "exclude_newer": options.exclude_newer or "",
        "exclude_newer exempt": _names(options.exclude_newer_exempt or ()),
        "only_binary": _names(options.only_binary or ()),
        "no_binary": _names(options.no_binary or ()),
        "allow_prereleases": "true" if prereleases is True else _names(prereleases or ()),
        "platforms": _names(plan.platforms),
        "requires-python": "" if _told(plan.pythons) else f">={plan.floor}",
        "layers": _names(plan.layers),
        "hashes of requirements": _short(hashed) if hashed else "",
        "indexes": _short(_indexes(plan)) if plan.indexes else "",
        "build_constraints": _short(_keys(plan.build_constraints)) if plan.build_constraints else "",
        "project": _short(_dynamic(plan)) if plan.dynamic_extras is not None else "",
        **{f"constraints of {origin}": _short(_keys(listed)) for origin, listed in _by_origin(plan)},
        **{name: content.partition(":")[2][:12] for name, content in plan.related},
    }
    return tuple(sorted((name, value) for name, value in found.items() if value))


def _by_origin(plan: LockPlan) -> Iterable[tuple[str, list[Declared]]]:
    origins: dict[str, list[Declared]] = {}
    for constraint in plan.constraints:
        origins.setdefault(constraint.place.origin, []).append(constraint)
    return origins.items()


def _told(pythons: tuple[str, ...]) -> bool:
    """Tell whether names of interpreters give the lowest version; else the project's own counts."""
    return any(map(minor_version, pythons))


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _keys(declared: Iterable[Declared]) -> list[str]:
    return sorted({requirement_key(one) for one in declared})


def _dynamic(plan: LockPlan) -> list[str] | None:
    return None if plan.dynamic_extras is None else [*sorted(plan.dynamic_extras), plan.metadata]


def _indexes(plan: LockPlan) -> list[object]:
    return [[index.name, index.url, sorted(index.packages)] for index in plan.indexes]


def _meaning(plan: LockPlan) -> dict[str, object]:
    options = plan.options
    return {
        "requirements": _keys(plan.requirements),
        "constraints": _keys(plan.constraints),
        "build_constraints": _keys(plan.build_constraints),
        "dynamic": _dynamic(plan),
        "pythons": [*sorted(plan.pythons), *([] if _told(plan.pythons) else [f">={plan.floor}"])],
        "platforms": sorted(plan.platforms),
        "layers": sorted(plan.layers),
        "resolver": plan.resolver,
        "resolution": options.resolution or "highest",
        "exclude_newer": options.exclude_newer,
        "exclude_newer_exempt": sorted(options.exclude_newer_exempt or ()),
        "only_binary": sorted(options.only_binary or ()),
        "no_binary": sorted(options.no_binary or ()),
        "prereleases": plan.prereleases if isinstance(plan.prereleases, bool) else sorted(plan.prereleases),
        "indexes": _indexes(plan),
        **({"related": sorted(plan.related)} if plan.related else {}),
    }


def _short(meaning: object) -> str:
    return _sha256(meaning).partition(":")[2][:12]


def _sha256(meaning: object) -> str:
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
