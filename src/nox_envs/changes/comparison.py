"""Owns the comparison of pairs of pin sets: one row for each package, whatever the number of locks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Literal, TypeAlias

from nox_envs.changes.kinds import version_change
from nox_envs.changes.types import CHANGE_KINDS, Change, ChangeKind, Comparison, PackageChange, Pair, PinSet
from nox_envs.pins import SEED_PACKAGES, Pin, differs, direct_reference, normal_version, versions_equal
from nox_envs.values import value

_Depth: TypeAlias = Literal["lines", "distributions", "versions"]


@value
class _Step:
    """Hold a pin before and after; None stands for one that is not there."""

    old: Pin | None
    new: Pin | None


def compare(pairs: tuple[Pair, ...]) -> Comparison:
    """Compare the two sides of each pair and gather the differences by package.

    Of two locks everything is compared that an installer acts on: versions, sources, markers, extras
    and hashes. Where one side is a venv, versions and sources are; seed packages count only where the
    lock names them. Annotations and the order of lines are no difference.
    """
    compared = tuple(one for one in pairs if not one.uncompared)
    found: dict[str, dict[tuple[str, str, ChangeKind, str], list[str]]] = {}
    askers: dict[str, set[str]] = {}
    for one in compared:
        depth = _depth(one)
        for name, step in _steps(one):
            change = _change(step, depth)
            if change is not None:
                found.setdefault(name, {}).setdefault(change, []).extend(one.labels)
                pin = step.new if step.new is not None else step.old
                askers.setdefault(name, set()).update(pin.via if pin else ())
    whole = [one for one in compared if one.old is not None and one.new is not None]
    return Comparison(
        packages=tuple(_package(name, found[name], askers[name]) for name in sorted(found)),
        environments=_names(whole),
        added=_names(one for one in compared if one.old is None),
        removed=_names(one for one in compared if one.new is None),
        uncompared=_names(one for one in pairs if one.uncompared),
    )


def _names(pairs: Iterable[Pair]) -> tuple[str, ...]:
    return tuple(sorted({label for one in pairs for label in one.labels}))


def _depth(one: Pair) -> _Depth:
    """Return how deep two sides can be compared: as deep as the one that knows less."""
    sides = [side for side in (one.old, one.new) if side is not None]
    if not any(side.installed for side in sides):
        return "lines"
    return "distributions" if all(side.sourced for side in sides) else "versions"


def _package(
    name: str, found: dict[tuple[str, str, ChangeKind, str], list[str]], askers: set[str]
) -> PackageChange:
    changes = [
        Change(old=old, new=new, kind=kind, note=note, environments=tuple(sorted(set(labels))))
        for (old, new, kind, note), labels in found.items()
    ]
    changes.sort(key=lambda one: (CHANGE_KINDS.index(one.kind), one.environments, one.old, one.new, one.note))
    return PackageChange(package=name, changes=tuple(changes), via=tuple(sorted(askers)))


def _steps(one: Pair) -> Iterable[tuple[str, _Step]]:
    old, new = _by_name(one.old, one.new), _by_name(one.new, one.old)
    depth = _depth(one)
    for name in sorted(old.keys() | new.keys()):
        for step in _matched(old.get(name, []), new.get(name, []), depth):
            yield name, step


def _by_name(one: PinSet | None, other: PinSet | None) -> dict[str, list[Pin]]:
    """Return the pins of a set by name, without the seed packages that came with a venv."""
    found: dict[str, list[Pin]] = {}
    if one is None:
        return found
    pinned = set() if other is None or other.installed else {pin.name for pin in other.pins}
    for pin in one.pins:
        if not one.installed or pin.name not in SEED_PACKAGES or pin.name in pinned:
            found.setdefault(pin.name, []).append(pin)
    return found


def _matched(old: list[Pin], new: list[Pin], depth: _Depth) -> list[_Step]:
    """Match the pins of one package: by marker and version, by marker, by version, then in order."""
    steps: list[_Step] = []
    before, after = sorted(old, key=_order), sorted(new, key=_order)
    for rule in ((True, True), (True, False), (False, True), (False, False)):
        for one in tuple(before):
            fitting = (two for two in after if _fit(one, two, rule, depth))
            other = next(fitting, None)
            if other is not None:
                before.remove(one)
                after.remove(other)
                steps.append(_Step(old=one, new=other))
    steps += [_Step(old=one, new=None) for one in before]
    return steps + [_Step(old=None, new=one) for one in after]


def _fit(one: Pin, other: Pin, rule: tuple[bool, bool], depth: _Depth) -> bool:
    by_marker, by_version = rule
    if by_marker and depth == "lines" and _marker(one.marker) != _marker(other.marker):
        return False
    return not by_version or _same(one, other, depth)


def _order(pin: Pin) -> tuple[str, str, str]:
    return pin.version, pin.marker, pin.source.url


def _same(one: Pin, other: Pin, depth: _Depth) -> bool:
    """Tell whether two pins mean one distribution, as far as both sides know."""
    if depth == "lines":
        return one.source == other.source and _version(one) == _version(other)
    if depth == "versions" and not (one.version and other.version):
        return True
    if depth == "distributions" and not (one.source.kind == other.source.kind == "index"):
        return differs(one.source, other.source) in ("", "unverifiable")
    return versions_equal(one.version, other.version) or versions_equal(other.version, one.version)


def _version(pin: Pin) -> str:
    return normal_version(pin.version) or pin.version


def _change(step: _Step, depth: _Depth) -> tuple[str, str, ChangeKind, str] | None:
    old, new = step.old, step.new
    if old is None or new is None:
        kind: ChangeKind = "added" if old is None else "removed"
        return _shown(old), _shown(new), kind, _only(new or old) if depth == "lines" else ""
    notes = _notes(old, new) if depth == "lines" else []
    if _same(old, new, depth):
        notes += _hash_notes(old, new) if depth == "lines" else []
        return (_shown(old), _shown(new), "other", "; ".join(notes)) if notes else None
    if depth != "versions" and not (old.source.kind == new.source.kind == "index"):
        return _shown(old), _shown(new), "other", "; ".join(["source", *notes])
    kind, backwards = version_change(old.version, new.version)
    return _shown(old), _shown(new), kind, "; ".join([*(["downgrade"] if backwards else []), *notes])


def _only(pin: Pin | None) -> str:
    return f"only if {pin.marker}" if pin is not None and pin.marker else ""


def _notes(old: Pin, new: Pin) -> list[str]:
    notes: list[str] = []
    if _marker(old.marker) != _marker(new.marker):
        notes.append(f"marker: {old.marker or 'none'} -> {new.marker or 'none'}")
    if set(old.extras) != set(new.extras):
        notes.append(f"extras: {','.join(old.extras) or 'none'} -> {','.join(new.extras) or 'none'}")
    return notes


def _hash_notes(old: Pin, new: Pin) -> list[str]:
    """Say how the files of one version changed: an index that serves others is worth a look."""
    come, gone = set(new.hashes) - set(old.hashes), set(old.hashes) - set(new.hashes)
    counts = [f"{len(come)} added"] * bool(come) + [f"{len(gone)} removed"] * bool(gone)
    return [f"hashes: {', '.join(counts)}"] if counts else []


def _shown(pin: Pin | None) -> str:
    if pin is None:
        return ""
    if pin.source.kind == "index":
        return pin.version
    reference = direct_reference(pin.source)
    return f"-e {reference}" if pin.source.editable else reference


@cache
def _marker(text: str) -> str:
    """Return a marker in its normal spelling."""
    if not text:
        return ""
    from packaging.markers import InvalidMarker, Marker

    try:
        return str(Marker(text))
    except (InvalidMarker, RecursionError):
        return text
