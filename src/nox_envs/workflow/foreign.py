"""Owns what locks that others made mean for a check: findings, what a venv must hold, what mends it.

Nothing here writes such a lock or runs what makes it.
"""

from __future__ import annotations

from nox_envs.drift import KINDS, Expectation, Finding, marker_environment
from nox_envs.errors import NoxEnvsError
from nox_envs.lockfile.foreign import UnusedOption
from nox_envs.lockfile.freshness import Doubt
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.satisfaction import Markers
from nox_envs.matrix import Point
from nox_envs.pins import SEED_PACKAGES, Pin
from nox_envs.receipt import Receipt
from nox_envs.snapshot import Snapshot
from nox_envs.streams import printable
from nox_envs.values import replace
from nox_envs.workflow.expectation import lock_finding
from nox_envs.workflow.project import Project


def foreign_findings(
    project: Project, plan: LockPlan, point: Point, found: tuple[Doubt, ...]
) -> tuple[Finding, ...]:
    """Return the findings of link (1) for a lock that others made: its doubts, and options in it."""
    foreign = project.foreign(plan)
    fix = foreign.command if foreign else ""
    options = foreign.options if foreign else ()
    return (
        *(lock_finding(doubt, point, KINDS[doubt.kind], fix) for doubt in found),
        *(_option(option, point) for option in options),
    )


def _option(option: UnusedOption, point: Point) -> Finding:
    """Return a note on an option that is passed over, a warning where its value is a secret."""
    return Finding(
        kind="leak",
        severity="warning" if option.secret else "note",
        environment=point.environment,
        session=point.session,
        expected="a lock without options and credentials; this one is not used",
        actual=f"{option.name} with credentials" if option.secret else option.name,
        line=str(option.place),
    )


def regeneration(project: Project, plan: LockPlan) -> str:
    """Return what people have to do about a lock that others made, as the end of a sentence."""
    foreign = project.foreign(plan)
    if foreign and foreign.command:
        return f"run what made it: {printable(foreign.command)}"
    return "make it anew with the tool that made it"


def apart(
    project: Project, plans: list[LockPlan], names: tuple[str, ...]
) -> tuple[list[LockPlan], list[LockPlan]]:
    """Split plans into those of our own locks and those of locks that others made.

    Raises NoxEnvsError where one of `names`, as the user gave them, has only the latter.
    """
    ours = [plan for plan in plans if not plan.foreign]
    foreign = [plan for plan in plans if plan.foreign]
    reachable = {name for plan in ours for name in (*plan.environments, *(p.session for p in plan.points))}
    for plan in foreign:
        named = {*plan.environments, *(point.session for point in plan.points)} & set(names)
        for name in sorted(named - reachable):
            raise NoxEnvsError(
                f"{', '.join(plan.files)}: the lock of {name!r} is made by others (managed: false), so it is"
                f" never written here; {regeneration(project, plan)}"
            )
    return ours, foreign


def limited(
    project: Project, plan: LockPlan, expectation: Expectation, snapshot: Snapshot, receipt: Receipt | None
) -> Expectation:
    """Return what a venv shall hold where a lock only limits what its requirements bring.

    Every direct requirement must be there, and what the last installation brought besides, unless
    the lock moved on since. What is pinned must be as it is pinned. What the requirements brought
    and no pin names, such as a dependency on a Python that the lock was not made for, must be what
    was installed then.
    """
    own = expectation.project.name if expectation.project else None
    direct = _direct(project, plan, snapshot)
    recorded = {one.name: one for one in receipt.distributions} if receipt else {}
    pins = tuple(
        pin
        for pin in expectation.pins
        # The creator of the venv chooses its seed packages, unless something asked for the pinned one.
        if pin.name not in SEED_PACKAGES
        or pin.name in direct
        or (pin.name in recorded and recorded[pin.name].version == pin.version)
    )
    named = {pin.name for pin in expectation.pins}
    same = receipt is not None and receipt.lock == project.lock_digest(plan)
    unpinned = tuple(
        Pin(name=one.name, version=one.version, source=one.source)
        for one in recorded.values()
        if same and one.name not in named and one.name not in SEED_PACKAGES and one.name != own
    )
    held = frozenset(pin.name for pin in (*pins, *unpinned))
    return replace(
        expectation,
        pins=(*pins, *unpinned),
        complete=False,
        required=(direct | frozenset(recorded)) & held,
    )


def _direct(project: Project, plan: LockPlan, snapshot: Snapshot) -> frozenset[str]:
    markers = Markers(marker_environment(snapshot.interpreter, project.host))
    return frozenset(one.name for one in plan.requirements if one.name and markers.hold(one.marker))


def unpinned_findings(
    plan: LockPlan, point: Point, expectation: Expectation, snapshot: Snapshot
) -> tuple[Finding, ...]:
    """Return a note on each distribution that the requirements brought and the lock does not pin."""
    unpinned = {pin.name for pin in expectation.pins if is_unpinned(pin)}
    return tuple(
        Finding(
            kind="unverifiable",
            severity=KINDS["unverifiable"],
            environment=point.environment,
            session=point.session,
            package=found.name,
            expected=f"a pin in {plan.path}",
            actual=f"{found.version}, as it was installed",
            path=found.path,
        )
        for found in snapshot.distributions
        if found.name in unpinned
    )


def is_unpinned(pin: Pin) -> bool:
    """Tell whether a pin stands in no lock: a receipt tells of it."""
    return not pin.line
