"""Owns which set of one side is compared with which of the other; compares no pins."""

from __future__ import annotations

from collections import Counter

from nox_envs.changes.types import Pair, PinSet


def pair(old: tuple[PinSet, ...], new: tuple[PinSet, ...]) -> tuple[Pair, ...]:
    """Pair the sets of two sides.

    One set and one set are a pair, whatever their names. Locks stand against locks by name, then by
    environment; venvs against locks by environment, so that one lock may stand against several.
    """
    if len(old) == 1 and len(new) == 1:
        return (Pair(old=old[0], new=new[0]),)
    if _installed(old) != _installed(new):
        return _across(old, new)
    pairs = [Pair(old=one, new=_named(one.name, new)) for one in old]
    pairs += [Pair(old=None, new=one) for one in new if _named(one.name, old) is None]
    return _joined(pairs)


def _installed(sets: tuple[PinSet, ...]) -> bool:
    return any(one.installed for one in sets)


def _named(name: str, sets: tuple[PinSet, ...]) -> PinSet | None:
    return next((one for one in sets if one.name == name), None)


def _across(old: tuple[PinSet, ...], new: tuple[PinSet, ...]) -> tuple[Pair, ...]:
    """Pair each venv with the lock of its environment; locks without a venv stay alone."""
    venvs, locks = (old, new) if _installed(old) else (new, old)
    pairs: list[Pair] = []
    for venv in venvs:
        lock = next((one for one in locks if set(one.environments) & set(venv.environments)), None)
        pairs.append(Pair(old=venv, new=lock) if venvs is old else Pair(old=lock, new=venv))
    used = {one.name for made in pairs for one in (made.old, made.new) if one is not None}
    for lock in locks:
        if lock.name not in used:
            alone = (None, lock) if venvs is old else (lock, None)
            pairs.append(Pair(old=alone[0], new=alone[1], uncompared=True))
    return tuple(pairs)


def _joined(pairs: list[Pair]) -> tuple[Pair, ...]:
    """Join the sets that stand alone on both sides but are of the same environments: a renamed lock."""
    gone = [one for one in pairs if one.new is None]
    come = [one for one in pairs if one.old is None]
    counts = Counter(one.labels for one in (*gone, *come))
    joined: dict[int, Pair] = {}
    for one in gone:
        other = next((two for two in come if two.labels == one.labels), None)
        if other is not None and counts[one.labels] == 2:
            joined[id(one)] = Pair(old=one.old, new=other.new)
            joined[id(other)] = joined[id(one)]
    made = [joined.get(id(one), one) for one in pairs]
    return tuple(dict.fromkeys(made))
