"""The check of one venv: what is installed, what is expected, and every difference with its fix."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from nox_envs import findings
from nox_envs.errors import Invalid, NoxEnvsError
from nox_envs.findings import FilesMode, Finding, Severity, finding
from nox_envs.lock import pins as locked
from nox_envs.lock.pins import Markers, Pin
from nox_envs.lock.plan import LockPlan, regenerate, requested_by
from nox_envs.lock.text import Lock
from nox_envs.project import Project
from nox_envs.requirements.text import Declared, read_requirement
from nox_envs.spec.types import Point
from nox_envs.spec.words import canonical_name
from nox_envs.values import replace
from nox_envs.venv.compare import Checked, Expectation, absolute_pins, compare, named
from nox_envs.venv.files import file_findings, startup_findings
from nox_envs.venv.receipt import Receipt
from nox_envs.venv.snapshot import SEEDS, Snapshot, read_headers, take

# A package that is not the one expected is not held to the files and requirements of that one.
_OTHERWISE = frozenset({"version", "source", "artifact", "duplicate", "missing", "extraneous"})
# What a damaged cache of uv does, too.
DAMAGE = frozenset({"file-modified", "file-missing"})
_REQUIRES = r"(?mi)^Requires-Dist[ \t]*:(.*(?:\n[ \t]+.*)*)"


def check_venv(
    project: Project,
    point: Point,
    plan: LockPlan,
    location: Path,
    receipt: Receipt | None,
    *,
    files: FilesMode = "off",
    consistency: bool = False,
) -> Checked:
    """Compare the venv of a point with its lock, or without one with its receipt.

    `files` says which files are compared with their RECORD; `consistency` asks whether the requirements of
    all distributions are met. Raises NotAVenv, and NoxEnvsError for a marker that cannot be evaluated.
    """
    snapshot, lock = take(location), project.lock_of(plan)
    own, python = named(project.own(point), snapshot), snapshot.interpreter
    variables = locked.interpreter_markers(
        project.host, version=python.version, implementation=python.implementation
    )
    markers = Markers(variables)
    pins = lock.pins if lock else tuple(_recorded_pins(receipt)) if receipt and not plan.path else ()
    active = [pin for pin in pins if not pin.marker or markers.hold(pin.marker)]
    # Without a lock, pins come from the receipt, which does not decide what is opened.
    opened = {os.path.realpath(project.root / one.path) for one in plan.requirements if one.path}
    opened |= {os.path.realpath(own.directory)} if own else set()
    expectation = Expectation(
        pins=absolute_pins(active, project.root, own),
        inactive=tuple([pin for pin in pins if pin.marker and not markers.hold(pin.marker)]),
        own=own,
        python=point.python,
        receipt=receipt,
        fingerprint=lambda at: project.fingerprint(at) if lock or os.path.realpath(at) in opened else "",
    )
    found = [*compare(expectation, snapshot)]
    wrong = {one.package for one in found if one.kind in _OTHERWISE and one.severity == "error"}
    found += startup_findings(snapshot, receipt, wrong) if receipt else ()
    told = {one.path for one in found}
    # Something may have been deleted that is not a record of an installer.
    deleted = receipt is not None and not set(snapshot.names).issuperset(receipt.names)
    if files != "off" or deleted:
        for one in file_findings(snapshot, receipt, mode="changed" if files == "off" else files):
            untold = one.package not in wrong and one.path not in told
            if untold and (files != "off" or one.kind == "file-missing"):
                found.append(one)
    if consistency:
        extras = [(pin.name, pin.extras) for pin in active if pin.extras]
        extras += [(own.name, point.package.extras)] if own else []
        # The repair of another finding fixes what follows from it.
        unmet = unmet_requirements(snapshot, variables, extras=extras)
        found += [one for needed, one in unmet if not {needed, one.package} & wrong]
    # The line of its pin, who asked for the package, and what to type.
    known = (*active, *expectation.inactive)
    lines = {pin.name: pin.place for pin in reversed(known) if pin.line}
    asked_by = requested_by(plan, known)
    finished = [
        replace(
            one,
            environment=point.environment,
            session=point.session,
            line=lines.get(one.package, ""),
            why=asked_by(one.package) if one.package and (one.package in lines or one.expected) else (),
            fix=_fix(one, lines.get(one.package, ""), point, plan, lock),
        )
        for one in dict.fromkeys(found)
    ]
    texts = attrgetter("package", "kind", "expected", "actual", "path")
    finished.sort(key=lambda one: (findings.SEVERITIES.index(one.severity), *texts(one)))
    return Checked(snapshot=snapshot, expectation=expectation, findings=tuple(finished))


def _recorded_pins(receipt: Receipt) -> Iterator[Pin]:
    for one in receipt.distributions:
        if not one.seed:
            editable, url = one.source.startswith("-e "), one.source.removeprefix("-e ")
            source = locked.source_of_url(url, editable=editable) if url else locked.INDEX
            yield Pin(name=one.name, version=one.version, source=source)


def _fix(one: Finding, line: str, point: Point, plan: LockPlan, lock: Lock | None) -> str:
    match one.kind, one.severity:
        case _, "note":
            return ""
        case "unowned", _:
            return f"delete it, or ignore its path in {point.place.origin}"
        case "clobbered", _:
            ignore = f"ignore the path in {point.place.origin}"
            return f"if both packages are needed, {ignore}; else require one of them"
        case "inconsistent", _ if plan.path:
            return regenerate(plan, lock.commands if lock else (), line.rpartition(":")[0])
    unseen = one.kind in DAMAGE and (point.drift.files or "off") == "off"
    repaired = (point.drift.policy or "repair") == "repair" and not unseen and one.kind != "inconsistent"
    command = findings.run_command(point.session, recreate=not repaired)
    return " && ".join(filter(None, (one.fix, command)))


def unmet_requirements(
    snapshot: Snapshot, variables: locked.Variables, *, extras: Iterable[tuple[str, Iterable[str]]] = ()
) -> Iterator[tuple[str, Finding]]:
    """Yield every requirement of an installed distribution that no installed one meets.

    Each comes with the name of the package that is required. `variables` are the marker variables of the
    venv's interpreter. The requirements of an extra count where it is asked for: by `extras` (canonical name,
    extras), or by another installed distribution.
    """
    installed = {one.name: one for one in snapshot.distributions}
    whole = [one for one in snapshot.distributions if one.version and not one.defect]
    heads = {one.name: read_headers(one.path) for one in whole}
    asked = {name: {""} for name in installed}
    for name, some in extras:
        asked.setdefault(name, set()).update(map(canonical_name, some))
    markers: dict[str, Markers] = {}
    needs: dict[str, list[tuple[str, Declared]]] = {}
    waiting = list(installed)
    while waiting:
        name = waiting.pop()
        for extra in asked[name] - markers.keys():
            markers[extra] = Markers({**variables, "extra": extra})
        needs[name] = [*_active(heads.get(name, ""), [markers[extra] for extra in asked[name]])]
        for _, need in needs[name]:
            if new := {*need.extras} - asked.get(need.name, {*need.extras}):
                asked[need.name] |= new
                waiting.append(need.name)
    for name, one in installed.items():
        for text, need in needs[name]:
            other = installed.get(need.name)
            # A broken version has a finding of its own.
            broken = other is not None and not locked.normal_version(other.version)
            if not need.name or broken or (other and locked.satisfies(need.specifier, other.version)):
                continue
            actual = f"{other.name} {other.version}" if other else f"{need.name} is not installed"
            # Locks of some tools leave seeds out.
            how: Severity = "warning" if other is None and need.name in SEEDS else "error"
            told = finding("inconsistent", name, severity=how, expected=text, actual=actual)
            yield need.name, replace(told, path=one.path)


def _active(metadata: str, markers: list[Markers]) -> Iterator[tuple[str, Declared]]:
    """Yield the requirements whose marker holds for any of some extras."""
    for text in map(" ".join, map(str.split, re.findall(_REQUIRES, metadata))):
        # Most are for extras that nothing asks for.
        if len(markers) > 1 or "extra" not in text.partition(";")[2]:
            with suppress(Invalid, NoxEnvsError):  # pip and uv read such metadata leniently too
                need = read_requirement(text)
                if any(one.hold(need.marker) for one in markers):
                    yield text, need
