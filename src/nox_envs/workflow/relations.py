"""Owns what a lock depends on besides its own inputs: other locks, its group, local projects."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

from nox_envs.lockfile.groups import members
from nox_envs.lockfile.plan import LockPlan, layer_of
from nox_envs.lockfile.text import Lock, requirement_line
from nox_envs.requirements.project import PYPROJECT, Pyproject
from nox_envs.spec.types import Pairs
from nox_envs.values import replace

LockOf: TypeAlias = Callable[[LockPlan], Lock | None]


class Plans(Protocol):
    """Say what relations need of an opened project, whose spec is in `root`."""

    root: Path

    def plans_of(self, environment: str) -> tuple[LockPlan, ...]:
        """Return the plans of one environment's locks."""

    def group(self, name: str) -> tuple[LockPlan, ...]:
        """Return the plans of a group, without their own relations."""


def bases(plan: LockPlan, project: Plans) -> tuple[LockPlan, ...]:
    """Return the plans whose locks a plan builds on, in the order of the spec."""
    found = (layer_of(plan, project.plans_of(name)) for name in plan.layers)
    return tuple(base for base in found if base is not None)


def with_relations(plan: LockPlan, project: Plans, lock_of: LockOf) -> LockPlan:
    """Return a plan that knows the content of what it depends on, so that its digest tells it."""
    layers = ((base.path, _content(lock_of(base))) for base in bases(plan, project))
    related = (*layers, *_group(plan, project), *_directories(plan, project.root))
    return replace(plan, related=related) if related else plan


def _directories(plan: LockPlan, root: Path) -> Iterator[tuple[str, str]]:
    """Yield a digest over what each local project that a plan requires asks for itself."""
    for path in sorted({declared.path for declared in plan.requirements if declared.path}):
        if (root / path).is_dir():
            yield posixpath.normpath(posixpath.join(path, PYPROJECT)), Pyproject(root / path).requires_digest


def _group(plan: LockPlan, project: Plans) -> Pairs:
    """Return a digest over what the other members of a group ask for."""
    group = plan.options.group
    if not group:
        return ()
    own = members(group, project.group(group))
    return ((f"group {group}", _digest(sorted(one.digest for one in own))),)


def _content(lock: Lock | None) -> str:
    """Return a digest over the pins of a lock; hashes and annotations limit nobody."""
    return "sha256:missing" if lock is None else _digest(sorted(map(requirement_line, lock.pins)))


def _digest(meaning: list[str]) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(meaning).encode()).hexdigest()
