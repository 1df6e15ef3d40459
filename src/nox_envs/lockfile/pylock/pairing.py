"""Owns the check of a lock in two formats: both hold the same packages, versions and files."""

from __future__ import annotations

from collections.abc import Iterator

from nox_envs.lockfile.doubt import Doubt
from nox_envs.lockfile.text import Lock, requirement_line
from nox_envs.pins import Pin, normal_version


def pair_doubts(lock: Lock, pylock: Lock) -> tuple[Doubt, ...]:
    """Return what a lock and the pylock beside it do not agree on: `missing` and `artifact`."""
    ours, theirs = _by_package(lock), _by_package(pylock)
    return (
        *_missing(ours, theirs, lock, pylock),
        *_missing(theirs, ours, pylock, lock),
        *_artifacts(ours, theirs, lock, pylock),
    )


def _by_package(lock: Lock) -> dict[tuple[str, str], Pin]:
    return {(pin.name, _version(pin)): pin for pin in lock.pins}


def _version(pin: Pin) -> str:
    if pin.source.kind == "index":
        return normal_version(pin.version) or pin.version
    return f"{pin.source.url}@{pin.source.revision}"


def _missing(
    here: dict[tuple[str, str], Pin], there: dict[tuple[str, str], Pin], lock: Lock, other: Lock
) -> Iterator[Doubt]:
    for key, pin in here.items():
        if key not in there:
            yield Doubt(
                kind="missing",
                package=pin.name,
                expected=f"{requirement_line(pin)} as in {lock.origin}",
                actual=f"not in {other.origin}",
                place=f"{lock.origin}:{pin.line}",
                lock_place=other.origin,
                why=pin.via,
            )


def _artifacts(
    ours: dict[tuple[str, str], Pin], theirs: dict[tuple[str, str], Pin], lock: Lock, pylock: Lock
) -> Iterator[Doubt]:
    for key, pin in ours.items():
        other = theirs.get(key)
        if other is None or not pin.hashes:
            continue
        strange = sorted(set(other.hashes) - set(pin.hashes))
        if strange or not other.hashes:
            yield Doubt(
                kind="artifact",
                package=pin.name,
                expected=f"files of {requirement_line(pin)} whose hash is in {lock.origin}",
                actual=f"{strange[0] if strange else 'no hash'} in {pylock.origin}",
                place=f"{pylock.origin}:{other.line}",
                lock_place=f"{lock.origin}:{pin.line}",
            )
