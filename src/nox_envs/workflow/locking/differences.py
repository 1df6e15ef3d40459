"""Owns what a new lock changes in the old one, package by package; reads no file."""

from __future__ import annotations

from nox_envs.changes.kinds import version_change
from nox_envs.lockfile.text import Lock
from nox_envs.workflow.locking.types import Change


def changes(old: Lock | None, new: Lock) -> tuple[Change, ...]:
    """Return what differs in versions between two locks, sorted by package."""
    before = _versions(old) if old is not None else {}
    after = _versions(new)
    return tuple(
        _change(name, before.get(name, ""), after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def stayed(old: Lock | None, new: Lock) -> int:
    """Return how many packages of a new lock have the versions that they had."""
    before = _versions(old) if old is not None else {}
    return sum(before.get(name) == version for name, version in _versions(new).items())


def _change(name: str, before: str, after: str) -> Change:
    if not before:
        return Change(package=name, before="", after=after, kind="added")
    if not after:
        return Change(package=name, before=before, after="", kind="removed")
    return Change(package=name, before=before, after=after, kind=version_change(before, after)[0])


def _versions(lock: Lock) -> dict[str, str]:
    versions: dict[str, list[str]] = {}
    for pin in lock.pins:
        shown = pin.version or pin.source.revision or pin.source.url
        versions.setdefault(pin.name, []).append(shown)
    return {name: ", ".join(sorted(set(found))) for name, found in versions.items()}
