"""Owns the check of one point: its lock against the spec, its venv against the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from nox_envs import receipt as receipts
from nox_envs import snapshot as snapshots
from nox_envs.drift import (
    KINDS,
    Expectation,
    Finding,
    ProjectExpectation,
    Severity,
    activate,
    compare,
    rebuild_command,
    requested_by_via,
    run_command,
)
from nox_envs.integrity.types import Depth, Stamp
from nox_envs.lockfile.freshness import Doubt, via_entry
from nox_envs.lockfile.plan import LockPlan
from nox_envs.matrix import Point
from nox_envs.pins import SEED_PACKAGES, Pin, local_path, source_of_path
from nox_envs.receipt import Receipt
from nox_envs.report import EnvironmentReport, Status
from nox_envs.snapshot import Snapshot
from nox_envs.values import replace, value
from nox_envs.workflow.project import Project
from nox_envs.workflow.source_tree import fingerprint, tree_of

SHALLOW = Depth()

# Found beside files that are gone, where files were not to be looked at.
_UNASKED = frozenset({"file-modified", "unowned", "clobbered"})


@value
class Checked:
    """Hold a venv as it was found, what was expected of it and what differs.

    `stamps` are those of the files that are right, where they were asked for.
    """

    snapshot: Snapshot
    expectation: Expectation
    findings: tuple[Finding, ...]
    stamps: tuple[Stamp, ...] = ()

    @property
    def drift(self) -> tuple[Finding, ...]:
        """Return the findings that are more than a note."""
        return tuple(finding for finding in self.findings if finding.severity != "note")

    @property
    def mendable(self) -> tuple[Finding, ...]:
        """Return the part of the drift that an installation mends: its fix is to run the session."""
        return tuple(finding for finding in self.drift if finding.fix == run_command(finding.session))


def lock_findings(
    project: Project, plan: LockPlan, point: Point, *, whole: bool = False
) -> tuple[Finding, ...]:
    """Return what is wrong along link (1): the lock of `point` against the spec.

    With `whole` every point of the lock is considered, else this one only.
    """
    if not plan.path:
        return ()
    found = project.doubts(plan, points=None if whole else (point,))
    if plan.foreign:
        from nox_envs.workflow.foreign import foreign_findings

        return foreign_findings(project, plan, point, found)
    return tuple(
        lock_finding(doubt, point, "warning" if doubt.satisfied else KINDS[doubt.kind], lock_command(plan))
        for doubt in found
    )


def lock_finding(doubt: Doubt, point: Point, severity: Severity, fix: str) -> Finding:
    """Return a doubt about the lock of a point as a finding; `fix` is what to do about it."""
    return Finding(
        kind=doubt.kind,
        severity=severity,
        environment=point.environment,
        session=point.session,
        package=doubt.package,
        expected=doubt.expected,
        actual=doubt.actual,
        line=doubt.place or doubt.lock_place,
        why=doubt.why,
        fix=fix,
    )


_FILE_KINDS = frozenset({"file-modified", "file-missing"})


def advised(findings: tuple[Finding, ...], point: Point) -> tuple[Finding, ...]:
    """Return findings whose fix is one that this point's policy does not keep from mending them."""
    run, rebuild = run_command(point.session), rebuild_command(point.session)
    kept = point.drift.policy in ("fail", "warn")
    unseen = (point.drift.files or "off") == "off"
    return tuple(
        replace(finding, fix=rebuild)
        if finding.fix == run and (kept or (unseen and finding.kind in _FILE_KINDS))
        else finding
        for finding in findings
    )


def requirements_changed(point: Point) -> Finding:
    """Return the finding that an environment without a lock was installed for other requirements."""
    return Finding(
        kind="lock-stale",
        severity=KINDS["lock-stale"],
        environment=point.environment,
        session=point.session,
        expected="an installation of its requirements as they are now",
        actual="one of other requirements",
        line=str(point.place),
        fix=run_command(point.session),
    )


def lock_command(plan: LockPlan) -> str:
    """Return the command that regenerates a lock."""
    return f"nox -s lock -- {' '.join(plan.environments)}"


def check_venv(
    project: Project,
    plan: LockPlan,
    point: Point,
    location: Path,
    receipt: Receipt | None,
    depth: Depth = SHALLOW,
) -> Checked:
    """Take a snapshot of the venv at `location` and compare it with what its lock expects.

    Without a lock the receipt tells what was installed. `depth` tells how far the check goes beyond
    the lock; startup hooks are looked for always. Raises NotAVenv.
    """
    if receipt and receipts.moved(receipt, location):
        raise snapshots.NotAVenv(f"{location}: was made at another path, which its scripts still name")
    snapshot = snapshots.take(location)
    pins = _pins(project, plan, receipt)
    active, inactive = activate(pins, snapshot.interpreter, project.host)
    expectation = Expectation(
        pins=active,
        inactive=inactive,
        project=project_expectation(project, point),
        python=point.python,
        built_with=receipt.interpreter if receipt else None,
        lock=plan.path,
    )
    if plan.limiting:
        from nox_envs.workflow.foreign import limited

        expectation = limited(project, plan, expectation, snapshot, receipt)
    findings = compare(
        expectation,
        snapshot,
        environment=point.environment,
        session=point.session,
        requested_by=askers(plan, pins),
        root=project.root,
    )
    if plan.limiting:
        from nox_envs.workflow.foreign import unpinned_findings

        findings += unpinned_findings(plan, point, expectation, snapshot)
    named = {finding.package for finding in findings}
    stale = (*_stale_project(project, point, receipt), *_stale_directories(project, point, receipt))
    findings += tuple(finding for finding in stale if finding.package not in named)
    checked = Checked(snapshot=snapshot, expectation=expectation, findings=findings)
    if receipt is not None and depth.files == "off" and receipts.lost(receipt, snapshot):
        # Something was deleted behind the back of every installer, perhaps not by its *.dist-info.
        sounded = _sounded(project, plan, point, checked, receipt, replace(depth, files="changed"))
        return replace(sounded, findings=tuple(f for f in sounded.findings if f.kind not in _UNASKED))
    hooks = receipt is not None and (snapshot.startup or receipt.created)
    return _sounded(project, plan, point, checked, receipt, depth) if hooks or depth != SHALLOW else checked


def _sounded(
    project: Project, plan: LockPlan, point: Point, checked: Checked, receipt: Receipt | None, depth: Depth
) -> Checked:
    # Most warm runs have no startup hooks, and need not wait for this import.
    from nox_envs.workflow.soundness import Sounding

    sounding = Sounding(project, plan, point, checked.expectation, checked.snapshot)
    found = sounding.sound(checked.findings, receipt, depth)
    requested_by = askers(plan, _pins(project, plan, receipt))
    findings = tuple(
        replace(f, why=requested_by(f.package)) if f.package and not f.why else f for f in found.findings
    )
    return replace(checked, findings=findings, stamps=found.stamps)


def project_fingerprint(project: Project, point: Point) -> str:
    """Return the fingerprint of the project's sources, empty where the point does not install it."""
    mode = point.package.mode
    return "" if mode == "none" else fingerprint(project.root, editable=mode == "editable")


def _stale_project(project: Project, point: Point, receipt: Receipt | None) -> Iterator[Finding]:
    """Yield a finding if the installed project was built from other sources."""
    if point.package.mode == "none" or receipt is None:
        return
    if receipt.project != project_fingerprint(project, point):
        yield _stale_build(point, project.composer.project_name, "the project")


def _stale_directories(project: Project, point: Point, receipt: Receipt | None) -> Iterator[Finding]:
    """Yield a finding for each other directory whose build was made from other sources."""
    for built in receipt.distributions if receipt else ():
        if built.tree and built.tree != tree_of(built.source):
            yield _stale_build(point, built.name, project.shown_path(local_path(built.source.url)))


def _stale_build(point: Point, package: str, what: str) -> Finding:
    return Finding(
        kind="artifact",
        severity=KINDS["artifact"],
        environment=point.environment,
        session=point.session,
        package=package,
        expected=f"a build of {what} as it is now",
        actual="one made before its files changed",
        fix=run_command(point.session),
    )


def environment_report(
    project: Project,
    point: Point,
    plan: LockPlan,
    checked: Checked | None,
    status: Status,
    findings: tuple[Finding, ...],
    reason: str = "",
    *,
    seconds: float = 0.0,
    ignored: int = 0,
) -> EnvironmentReport:
    """Return the report on one point; `checked` is None where there is no venv to look at.

    `seconds` is how long the session took, `ignored` the number of findings that are accepted.
    """
    installed = checked.snapshot.distributions if checked else ()
    # Without a lock everything that was there is expected, the seed packages too.
    asked = checked.expectation.pins if checked and plan.path else plan.requirements
    pinned = {one.name for one in asked}
    return EnvironmentReport(
        environment=point.environment,
        session=point.session,
        python=checked.snapshot.interpreter.version if checked else point.python or "",
        lock=plan.path,
        location=project.shown(project.location(point)),
        status=status,
        reason=reason,
        installed=sum(one.name not in SEED_PACKAGES or one.name in pinned for one in installed),
        findings=shown_findings(project, findings),
        distributions=tuple((distribution.name, distribution.version) for distribution in installed),
        platform=f"{project.host['sys_platform']}-{project.host['platform_machine']}" if checked else "",
        seconds=seconds,
        ignored=ignored,
    )


def shown_findings(project: Project, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings with paths as people read them, relative to the project where they are in it."""
    return tuple(
        replace(finding, path=project.shown_path(finding.path)) if finding.path else finding
        for finding in findings
    )


def askers(plan: LockPlan, pins: tuple[Pin, ...]) -> Callable[[str], tuple[str, ...]]:
    """Return a function that tells who asked for a package, and where that is written."""
    by_via = requested_by_via(pins)

    def requested_by(package: str) -> tuple[str, ...]:
        chain = by_via(package)
        for declared in plan.requirements:
            if plan.foreign and declared.name == package:
                return (f"{via_entry(declared)} ({declared.place})",)
            if chain and via_entry(declared) == chain[0]:
                return (f"{chain[0]} ({declared.place})", *chain[1:])
        return chain

    return requested_by


def _pins(project: Project, plan: LockPlan, receipt: Receipt | None) -> tuple[Pin, ...]:
    if plan.path:
        lock = project.lock_of(plan)
        return tuple(located(pin, str(project.root)) for pin in lock.pins) if lock else ()
    if receipt is None:
        return ()
    asked = {declared.name for declared in plan.requirements}
    return tuple(
        Pin(name=one.name, version=one.version, source=one.source)
        for one in receipt.distributions
        if one.name not in SEED_PACKAGES or one.name in asked
    )


def located(pin: Pin, root: str) -> Pin:
    """Return a pin of a relative path with the URL it means in this project."""
    if not pin.source.url.startswith("."):
        return pin
    return replace(pin, source=source_of_path(pin.source.url, root, editable=pin.source.editable))


def project_expectation(project: Project, point: Point) -> ProjectExpectation | None:
    """Return how the project itself shall be installed at a point, None if it is not."""
    if point.package.mode == "none":
        return None
    return ProjectExpectation(
        name=project.composer.project_name,
        directory=str(project.root),
        editable=point.package.mode == "editable",
    )
