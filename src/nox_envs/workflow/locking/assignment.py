"""Owns resolutions in which some packages come from an index of their own; runs nothing itself.

uv lets a project assign an index only to what the project requires itself. So the first resolutions
require, besides, each package that has an index of its own as soon as it turns out to be needed, and
choose every version. The last one leaves no choice, and tells for which platforms each is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from nox_envs.errors import NoxEnvsError
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock, requirement_line
from nox_envs.pins import Pin, Source
from nox_envs.resolvers import Request
from nox_envs.resolvers.settings import owners
from nox_envs.values import replace
from nox_envs.workflow.locking.types import Completed


class Compile(Protocol):
    """Resolve a request: what came of it, or how it failed."""

    def __call__(self, files: Request, merged: bool = False) -> Lock | Completed: ...


def resolve_assigned(
    plan: LockPlan, files: Request, resolve: Compile, checked: Callable[[Lock | Completed], Lock]
) -> Lock:
    """Resolve a plan whose indexes claim packages; `checked` raises the explanation of a failure."""
    owned = set(owners(plan.indexes))
    names = {declared.name for declared in plan.requirements} & owned
    chosen = resolve(files.taking(names, plan))
    while more := (_needed(chosen) & owned) - names:
        names |= more
        chosen = resolve(files.taking(names, plan))
    versions = checked(chosen)
    settled = checked(resolve(files.limited(versions.pins), merged=True))
    hashes = {(pin.name, pin.version, pin.source): pin.hashes for pin in versions.pins}
    return replace(settled, pins=tuple(_with_hashes(pin, hashes) for pin in settled.pins))


def _needed(found: Lock | Completed) -> set[str]:
    """Return the packages that a resolution has, or that the explanation of its failure names."""
    if isinstance(found, Completed):
        return set(re.findall(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*", found.output.lower()))
    return {pin.name for pin in found.pins}


def _with_hashes(pin: Pin, hashes: dict[tuple[str, str, Source], tuple[str, ...]]) -> Pin:
    known = hashes.get((pin.name, pin.version, pin.source))
    if known is None:
        line = requirement_line(pin)
        raise NoxEnvsError(
            f"{line}: two indexes say different things of this version; no lock can tell them apart"
        )
    # An index that has the same version may have other files.
    return replace(pin, hashes=known)
