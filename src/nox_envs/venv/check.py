"""The check of one venv: what is installed, what is expected, and every difference with its fix."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nox_envs.findings import FilesMode, Finding, lock_command, recreate_command, run_command, worst_first
from nox_envs.lock.pins import INDEX, Markers, Pin, interpreter_markers, source_of_url
from nox_envs.lock.plan import LockPlan, requested_by
from nox_envs.project import Project
from nox_envs.spec.types import Point
from nox_envs.terminal import Told
from nox_envs.values import replace, value
from nox_envs.venv.compare import Expectation, absolute_pins, compare, own_name
from nox_envs.venv.consistency import unmet_requirements
from nox_envs.venv.files import file_findings, startup_findings
from nox_envs.venv.receipt import Receipt
from nox_envs.venv.snapshot import Snapshot, take

# A package that is not the one expected is not held to the files and requirements of that one.
_OTHERWISE = frozenset({"version", "source", "artifact", "duplicate", "missing", "extraneous"})
_DAMAGE = frozenset({"file-modified", "file-missing"})


@value
class Checked:
    """A venv as it was found, what was expected of it, and every difference, worst first."""

    snapshot: Snapshot
    expectation: Expectation
    findings: tuple[Finding, ...]


def check_venv(
    project: Project,
    point: Point,
    plan: LockPlan,
    location: Path,
    receipt: Receipt | None,
    *,
    files: FilesMode = "off",
    consistency: bool = False,
    told: Told = lambda *_: None,
) -> Checked:
    """Compare the venv of a point with its lock, or without one with its receipt.

    `files` says which files are compared with their RECORD; `consistency` asks whether the requirements of
    all distributions are met. Raises NotAVenv, and NoxEnvsError for a marker that cannot be evaluated.
    """
    snapshot, own, lock = take(location), project.own(point), project.lock_of(plan)
    python = snapshot.interpreter
    variables = interpreter_markers(
        project.host, version=python.version, implementation=python.implementation
    )
    markers = Markers(variables)
    pins = lock.pins if lock else tuple(_recorded_pins(receipt)) if receipt and not plan.path else ()
    active = [pin for pin in pins if not pin.marker or markers.hold(pin.marker)]
    name = own_name(own, snapshot)
    # Without a lock, pins come from the receipt, which does not decide what is opened.
    opened = {os.path.realpath(project.root / one.path) for one in plan.requirements if one.path}
    opened |= {os.path.realpath(own.directory)} if own else set()
    expectation = Expectation(
        pins=absolute_pins(active, project.root, own, name),
        inactive=tuple([pin for pin in pins if pin.marker and not markers.hold(pin.marker)]),
        own=own,
        own_name=name,
        python=point.python,
        receipt=receipt,
        fingerprint=lambda at: project.fingerprint(at) if lock or os.path.realpath(at) in opened else "",
    )
    found = [*compare(expectation, snapshot)]
    wrong = {one.package for one in found if one.kind in _OTHERWISE and one.severity == "error"}
    found += startup_findings(snapshot, receipt, wrong) if receipt else ()
    if files != "off":
        inside = file_findings(snapshot, receipt, mode=files, told=told)
        found += [one for one in inside if one.package not in wrong]
    elif receipt and not set(snapshot.names).issuperset(receipt.names):
        # Something was deleted that is not a record of an installer.
        inside = file_findings(snapshot, receipt, mode="changed", told=told)
        found += [one for one in inside if one.kind == "file-missing"]
    if consistency:
        extras = [(pin.name, pin.extras) for pin in active if pin.extras]
        extras += [(name, point.package.extras)] if own else []
        # The repair of another finding fixes what follows from it.
        unmet = unmet_requirements(snapshot, variables, extras=extras)
        found += [one for needed, one in unmet if not {needed, one.package} & wrong]
    finished = _finished(dict.fromkeys(found), (*active, *expectation.inactive), point, plan)
    return Checked(snapshot=snapshot, expectation=expectation, findings=worst_first(finished))


def _recorded_pins(receipt: Receipt) -> Iterator[Pin]:
    for one in receipt.distributions:
        if not one.seed:
            source = source_of_url(one.source.removeprefix("-e "), editable=one.source.startswith("-e "))
            yield Pin(name=one.name, version=one.version, source=source if one.source else INDEX)


def _finished(
    found: Iterable[Finding], pins: Sequence[Pin], point: Point, plan: LockPlan
) -> Iterator[Finding]:
    """Yield findings with the line of the pin, who asked for the package, and what to type."""
    lines = {pin.name: pin.place for pin in reversed(pins) if pin.line}
    asked_by = requested_by(plan, pins)
    for one in found:
        yield replace(
            one,
            environment=point.environment,
            session=point.session,
            line=lines.get(one.package, ""),
            why=asked_by(one.package) if one.package else (),
            fix=_fix(one, point, plan),
        )


def _fix(one: Finding, point: Point, plan: LockPlan) -> str:
    match one.kind, one.severity:
        case _, "note":
            return ""
        case "unowned", _:
            return f"delete it, or ignore its path in {point.place.origin}"
        case "clobbered", _:
            origin = point.place.origin
            return f"if both packages are needed, ignore the path in {origin}; else require one of them"
        case "inconsistent", _ if plan.path and plan.managed:
            return lock_command(plan.environments)
        case "inconsistent", _ if plan.path:
            return plan.command or f"regenerate {', '.join(plan.files)} with the tool that writes it"
    unseen = one.kind in _DAMAGE and (point.drift.files or "off") == "off"
    repaired = (point.drift.policy or "repair") == "repair" and not unseen and one.kind != "inconsistent"
    return run_command(point.session) if repaired else recreate_command(point.session)
