"""Owns what changed since a lock was made, told from its header and annotations; opens no file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nox_envs.lockfile.doubt import Doubt, via_entry, via_label
from nox_envs.lockfile.meaning import parts
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock
from nox_envs.pins import Pin
from nox_envs.requirements import Declared
from nox_envs.requirements.project import PYPROJECT

_FLOOR = "requires-python"


def staleness(plan: LockPlan, lock: Lock, known: tuple[Doubt, ...]) -> list[Doubt]:
    """Return what changed since the lock was made; `known` is already said of it."""
    assert lock.header is not None
    recorded = _recorded(lock)
    declared = {via_entry(one): one for one in plan.requirements}
    new = [entry for entry in declared if entry not in recorded and entry not in lock.header.omitted]
    gone = [entry for entry in (*recorded, *lock.header.omitted) if entry not in declared]
    found: list[Doubt] = []
    said = {(doubt.package, doubt.place) for doubt in known}
    for entry in new:
        before = _before(declared[entry], gone, recorded)
        gone = [one for one in gone if one != before]
        if (declared[entry].name, str(declared[entry].place)) not in said:
            found.append(_added(declared[entry], before, recorded, lock, satisfied=not known))
    found += [_removed(entry, recorded.get(entry), lock, declared, satisfied=not known) for entry in gone]
    if set(lock.header.pythons) != set(plan.pythons):
        found.append(_other_pythons(plan, lock.header.pythons, lock.origin, satisfied=not known))
    changed = list(_changed_parts(plan, lock, satisfied=not known))
    found += changed
    return found if found or known else [_unexplained(plan, lock)]


def _recorded(lock: Lock) -> dict[str, Pin]:
    """Return the direct requirements that the lock's annotations name; a package has no colon."""
    return {entry: pin for pin in lock.pins for entry in pin.via if ": " in entry}


def unrecorded(plan: LockPlan, lock: Lock) -> tuple[str, ...]:
    """Return the `via` entries of direct requirements that no pin of a new lock answers."""
    recorded = _recorded(lock)
    entries = (via_entry(declared) for declared in plan.requirements)
    return tuple(sorted({entry for entry in entries if entry not in recorded}))


def _before(declared: Declared, gone: list[str], recorded: Mapping[str, Pin]) -> str:
    """Return the entry that a changed requirement had, empty for a new one."""
    label = f"{via_label(declared)}: "
    for entry in gone:
        if entry.startswith(label) and entry in recorded and recorded[entry].name == declared.name:
            return entry
    return ""


def _added(
    declared: Declared, before: str, recorded: Mapping[str, Pin], lock: Lock, *, satisfied: bool
) -> Doubt:
    return Doubt(
        kind="lock-stale",
        package=declared.name,
        expected=via_entry(declared),
        actual=before or "not recorded in the lock",
        place=str(declared.place),
        lock_place=f"{lock.origin}:{recorded[before].line}" if before else lock.origin,
        why=declared.why,
        # A pin cannot tell whether its commit or file is what another URL stands for.
        satisfied=satisfied and not declared.url,
    )


def _removed(
    entry: str, pin: Pin | None, lock: Lock, declared: Mapping[str, Declared], *, satisfied: bool
) -> Doubt:
    """Judge a requirement that is gone: its pin is too much, unless something else asks for it."""
    wanted = pin is None or any(": " not in asker or asker in declared for asker in pin.via)
    return Doubt(
        kind="lock-stale",
        package=pin.name if pin else "",
        expected="not required any more",
        actual=entry,
        lock_place=f"{lock.origin}:{pin.line}" if pin else lock.origin,
        satisfied=satisfied and (wanted or any(one.name == pin.name for one in declared.values() if pin)),
    )


def _other_pythons(plan: LockPlan, locked: tuple[str, ...], origin: str, *, satisfied: bool) -> Doubt:
    return Doubt(
        kind="lock-stale",
        expected=f"python {', '.join(plan.pythons) or 'of nox'}",
        actual=f"locked for python {', '.join(locked) or 'of nox'}",
        lock_place=origin,
        satisfied=satisfied and set(plan.pythons) < set(locked),
    )


def _changed_parts(plan: LockPlan, lock: Lock, *, satisfied: bool) -> Iterator[Doubt]:
    """Name the options, constraints, indexes and other locks that are not what they were."""
    assert lock.header is not None
    before = {name: content for name, _, content in (part.rpartition(": ") for part in lock.header.parts)}
    now = dict(parts(plan))
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, ""), now.get(name, "")
        if (name == _FLOOR or _is_local_project(name)) and not (old and new):
            continue  # what is told of the pythons, or of the requirement, says it
        if old != new:
            yield Doubt(
                kind="lock-stale",
                expected=f"{name}: {new}" if new else f"{name}: not set",
                actual=f"locked with {old}" if old else "locked without",
                place=_place_of_part(plan, name),
                lock_place=lock.origin,
                # Nothing here tells what a local project brings.
                satisfied=satisfied
                and not _is_local_project(name)
                and (name != _FLOOR or _floor(old) <= _floor(new)),
            )
    if lock.header.resolver != plan.resolver:
        yield Doubt(
            kind="lock-stale",
            expected=f"resolver: {plan.resolver}",
            actual=f"locked with {lock.header.resolver}",
            place=str(plan.points[0].place),
            lock_place=lock.origin,
            satisfied=satisfied,
        )


def _is_local_project(name: str) -> bool:
    return name.rpartition("/")[2] == PYPROJECT


def _floor(text: str) -> tuple[int, ...]:
    """Return the version that a `>=X.Y` names."""
    return tuple(int(part) for part in text.removeprefix(">=").split(".") if part.isdecimal())


def _place_of_part(plan: LockPlan, name: str) -> str:
    """Return where a part is written, as exactly as it is known."""
    for constraint in plan.constraints:
        if name == f"constraints of {constraint.place.origin}":
            return str(constraint.place)
    if name == _FLOOR:
        return PYPROJECT
    if name == "hashes of requirements":
        places = [str(one.place) for one in plan.requirements if one.hashes]
        return places[0] if places else str(plan.points[0].place)
    if name == "build_constraints" and plan.build_constraints:
        return str(plan.build_constraints[0].place)
    if name == "indexes" and plan.indexes:
        return str(plan.indexes[0].place)
    if any(name == other for other, _ in plan.related) and not name.startswith("group "):
        return name
    return str(plan.points[0].place)


def _unexplained(plan: LockPlan, lock: Lock) -> Doubt:
    return Doubt(
        kind="lock-stale",
        expected="the digest of what the spec asks for",
        actual="another one: the header was edited, or an older nox-envs wrote it",
        place=str(plan.points[0].place),
        lock_place=lock.origin,
        satisfied=True,
    )
