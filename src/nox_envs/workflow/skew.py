"""Owns the comparison of environments with one another: who pins or has another version (link 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nox_envs.drift import Finding
from nox_envs.drift.finding import difference
from nox_envs.errors import FileProblems
from nox_envs.lockfile.freshness import declared_environment, place_of
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.satisfaction import Markers
from nox_envs.lockfile.text import Lock
from nox_envs.matrix import Point
from nox_envs.pins import SEED_PACKAGES, Pin, direct_reference, versions_equal
from nox_envs.report import EnvironmentReport
from nox_envs.values import replace, value
from nox_envs.workflow.expectation import askers
from nox_envs.workflow.project import Project


@value
class _Member:
    """Hold a point to compare, with its lock, if it has one, and what its report says is installed."""

    point: Point
    plan: LockPlan
    lock: Lock | None
    installed: tuple[tuple[str, str], ...]
    location: str


@value
class _Side:
    """Hold the version that a member has of one package, and where that is to be seen."""

    member: _Member
    package: str
    version: str
    line: str = ""
    path: str = ""

    @property
    def environment(self) -> str:
        return self.member.point.environment


@value
class _Scope:
    """Hold points to compare: those of a `group`, or without a name those that somebody asked for."""

    points: tuple[Point, ...]
    group: str = ""


def skews(
    project: Project,
    points: tuple[Point, ...],
    environments: tuple[EnvironmentReport, ...],
    *,
    everywhere: bool,
) -> tuple[Finding, ...]:
    """Return a `skew` for each package that an environment has not in the version that most others have.

    Points are compared at the same Python, on this platform, with all members of their group, and
    with `everywhere` with one another where their `resolution` is the same. What counts is the pin;
    where there is none, what `environments`, the reports on `points`, say is installed. Points of one
    environment may differ, as their matrix wants: it agrees with another if any of them does. Without
    a majority the environment that the spec names first is what the others are held against. A point
    whose lock cannot be read is left out.
    """
    reports = {report.session: report for report in environments}
    found: dict[tuple[str, str, str, str], Finding] = {}
    for scope in _scopes(project, points, everywhere=everywhere):
        members = [_member(project, point, reports.get(point.session)) for point in scope.points]
        for finding in _compared(project, scope, [one for one in members if one is not None]):
            key = (finding.environment, finding.package, finding.line, finding.path)
            found.setdefault(key, finding)
    return tuple(finding for finding in found.values() if finding.session in reports)


def _scopes(project: Project, points: tuple[Point, ...], *, everywhere: bool) -> Iterator[_Scope]:
    for group in dict.fromkeys(point.lock.group for point in points if point.lock.group):
        yield _Scope(points=tuple(p for p in project.points if p.lock.group == group), group=group)
    if everywhere:
        yield _Scope(points=points)


def _member(project: Project, point: Point, report: EnvironmentReport | None) -> _Member | None:
    try:
        plan = project.plan_of(point)
        lock = project.lock_of(plan) if plan.path else None
    except FileProblems:
        return None
    installed = report.distributions if report else ()
    location = project.shown(project.location(point))
    return _Member(point=point, plan=plan, lock=lock, installed=installed, location=location)


def _compared(project: Project, scope: _Scope, members: list[_Member]) -> Iterator[Finding]:
    had: dict[tuple[str, ...], dict[str, list[_Side]]] = {}
    for member in members:
        variables = declared_environment(member.point.python, member.plan.floor, project.host)
        # Who asks for the lowest versions wants other ones.
        resolution = member.plan.options.resolution or "highest"
        alike = resolution, variables["python_version"], variables["implementation_name"]
        for side in _sides(member, Markers(variables), own=project.composer.project_name):
            had.setdefault((side.package, *alike), {}).setdefault(side.environment, []).append(side)
    for environments in had.values():
        for odd, usual, others in _odd(list(environments.values())):
            yield _finding(odd, usual, others=others, fix=_fix(scope, odd, usual, project.origin))


def _sides(member: _Member, markers: Markers, *, own: str) -> Iterator[_Side]:
    installed, lock, plan = dict(member.installed), member.lock, member.plan
    pinned = {*SEED_PACKAGES, own}
    if lock is not None:
        for pin in lock.pins:
            if markers.hold(pin.marker) and (not plan.limiting or pin.name in installed):
                pinned.add(pin.name)
                line = place_of(pin, lock)
                yield _Side(member=member, package=pin.name, version=_version(pin), line=line)
    if plan.limiting or not plan.path:
        for name, version in installed.items():
            if name not in pinned:
                yield _Side(member=member, package=name, version=version, path=member.location)


def _version(pin: Pin) -> str:
    return pin.version if pin.source.kind == "index" else direct_reference(pin.source)


def _odd(environments: list[list[_Side]]) -> Iterator[tuple[_Side, _Side, int]]:
    """Yield a side of each environment that has not what most have, one that has, and how many more do."""
    first = _first_spellings([side.version for sides in environments for side in sides])
    had = [dict.fromkeys(first[side.version] for side in sides) for sides in environments]
    counts = Counter(version for versions in had for version in versions)
    usual, count = counts.most_common(1)[0]  # of those that are as common, the first
    model = next(side for sides in environments for side in sides if first[side.version] == usual)
    for sides, versions in zip(environments, had, strict=True):
        if usual not in versions:
            yield sides[0], model, count - 1


def _first_spellings(versions: list[str]) -> dict[str, str]:
    """Map each version to the first of those that are the same; a local one is the same as its public one."""
    first: dict[str, str] = {}
    for version in dict.fromkeys(versions):
        equal = (v for v in first.values() if versions_equal(v, version) or versions_equal(version, v))
        first[version] = next(equal, version)
    return first


def _finding(odd: _Side, usual: _Side, *, others: int, fix: str) -> Finding:
    member = odd.member
    where = f"{usual.environment} ({usual.line or usual.path})"
    finding = difference(
        "skew",
        odd.package,
        expected=f"{usual.version} as in {where}{f' and {others} more' if others else ''}",
        actual=odd.version,
        path=odd.path,
        line=odd.line,
    )
    return replace(
        finding,
        environment=odd.environment,
        session=member.point.session,
        why=askers(member.plan, member.lock.pins if member.lock else ())(odd.package),
        fix=fix,
    )


def _fix(scope: _Scope, odd: _Side, usual: _Side, origin: str) -> str:
    names = dict.fromkeys(point.environment for point in scope.points)
    if scope.group:
        return f"nox -s lock -- {' '.join(names)}"
    if any(side.member.plan.foreign or not side.member.plan.path for side in (odd, usual)):
        return f"ask for one version of {odd.package} in both"
    groups = {side.environment: side.member.point.lock.group for side in (usual, odd)}
    group = groups[usual.environment] or groups[odd.environment]
    joining = [name for name in names if groups.get(name, group) != group]
    pair = " ".join(name for name in names if name in groups)  # the others of the group come with them
    asked = f"{{group: {group or 'NAME'}}} for {' and '.join(joining) or 'both'}"
    return f"lock: {asked} in {origin}, then nox -s lock -- {pair}"
