"""Owns what is left to do once locks are made: those that build on a changed one, those nobody wants."""

from __future__ import annotations

from collections.abc import Sequence

from nox_envs.files import read_text
from nox_envs.lockfile.text import read_header
from nox_envs.values import value
from nox_envs.workflow.lock_check import orphans
from nox_envs.workflow.locking.types import LockResult
from nox_envs.workflow.planning import planned
from nox_envs.workflow.project import Project


@value
class StaleLayer:
    """Name a lock that builds on others which changed: its path, its environments, the changed ones."""

    path: str
    environments: tuple[str, ...]
    bases: tuple[str, ...]


def stale_layers(project: Project, results: Sequence[LockResult]) -> tuple[StaleLayer, ...]:
    """Return the locks that were not made now, but build on one that changed, at any depth."""
    made = {result.path for result in results}
    changed = {name for result in results if result.outcome == "written" for name in result.environments}
    plans = planned(project).plans
    found: dict[str, StaleLayer] = {}
    grown = True
    while grown:
        grown = False
        for plan in plans:
            bases = tuple(sorted(set(plan.layers) & changed))
            if bases and plan.path not in made and plan.path not in found and not plan.foreign:
                found[plan.path] = StaleLayer(path=plan.path, environments=plan.environments, bases=bases)
                changed |= set(plan.environments)
                grown = True
    return tuple(found.values())


def prune(project: Project, *, dry_run: bool) -> tuple[str, ...]:
    """Remove the locks that nothing declares, and return their paths; only files with our header go."""
    paths: list[str] = []
    for finding in orphans(project):
        file = project.root / finding.actual
        lines = read_text(file, shown=finding.actual).splitlines()
        if read_header([line for line in lines if line.startswith("#")]) is None:
            continue
        if not dry_run:
            file.unlink()
        paths.append(finding.actual)
    return tuple(paths)
