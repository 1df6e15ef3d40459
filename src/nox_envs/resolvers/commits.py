"""Owns the commits that locked branches and tags stand for: no resolver keeps them by itself."""

from __future__ import annotations

from collections.abc import Iterable

from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.satisfaction import Candidates, meets
from nox_envs.pins import Pin, direct_reference, redact, source_of_url
from nox_envs.requirements import Declared
from nox_envs.values import replace


def at_commits(plan: LockPlan, pins: Iterable[Pin]) -> LockPlan:
    """Return a plan that asks for the commits of `pins` where it names a branch or tag they were locked for.

    Of several pins the first one counts. A requirement that was changed since stays as it is written.
    """
    candidates = Candidates(tuple(pin for pin in pins if pin.source.kind == "vcs" and pin.source.revision))
    return replace(
        plan,
        requirements=tuple(_at_commit(one, candidates) for one in plan.requirements),
        constraints=tuple(_at_commit(one, candidates) for one in plan.constraints),
    )


def _at_commit(declared: Declared, candidates: Candidates) -> Declared:
    for pin in candidates.of(declared) if declared.url else ():
        if meets(pin, declared) and _was_locked_for(pin, declared.url):
            source = replace(source_of_url(declared.url), revision=pin.source.revision)
            return replace(declared, url=direct_reference(source))
    return declared


def _was_locked_for(pin: Pin, url: str) -> bool:
    """Tell whether a pin comes from this URL, as its annotations record; one without any may."""
    recorded = [entry for entry in pin.via if ": " in entry]
    known = redact(url)
    words = [word for entry in recorded for word in entry.split()]
    return not recorded or any(word == known or word.startswith(f"{known}[") for word in words)
