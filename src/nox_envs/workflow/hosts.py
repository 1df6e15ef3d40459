"""Owns the comparison of one session on several jobs or hosts, which should have the same installed."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from nox_envs.drift import KINDS, Finding, run_command
from nox_envs.pins import SEED_PACKAGES
from nox_envs.report import EnvironmentReport
from nox_envs.values import replace
from nox_envs.workflow.inspection import with_findings

_Group: TypeAlias = tuple[str, str, str]
_Versions: TypeAlias = tuple[str, ...]


def with_skew(environments: tuple[EnvironmentReport, ...]) -> tuple[EnvironmentReport, ...]:
    """Add a `skew` to each report whose packages are not those that most of its equals have.

    Equals are reports on the same session, minor version of Python and platform. Without a majority
    the version that sorts first is what the others are held against. A package that a report already
    has a finding on is left out: that finding says what is wrong. Reports that do not list what is
    installed, or were not checked, are left as they are.
    """
    groups: dict[_Group, list[int]] = {}
    for index, environment in enumerate(environments):
        if environment.distributions and environment.status != "skipped":
            groups.setdefault(_group(environment), []).append(index)
    compared = list(environments)
    for members in groups.values():
        if len(members) > 1:
            _compare(compared, members)
    return tuple(compared)


def _group(environment: EnvironmentReport) -> _Group:
    minor = ".".join(environment.python.split(".")[:2])
    return environment.session, minor, environment.platform


def _installed(environment: EnvironmentReport) -> dict[str, _Versions]:
    installed: dict[str, _Versions] = {}
    for name, version in environment.distributions:
        if name not in SEED_PACKAGES:
            installed[name] = (*installed.get(name, ()), version)
    return installed


def _compare(environments: list[EnvironmentReport], members: list[int]) -> None:
    installed = {index: _installed(environments[index]) for index in members}
    counts: dict[str, Counter[_Versions]] = {}
    for versions in installed.values():
        for name, found in versions.items():
            counts.setdefault(name, Counter())[found] += 1
    common: dict[str, tuple[_Versions, int]] = {}
    for name, counted in counts.items():
        absent = len(members) - sum(counted.values())
        if absent or len(counted) > 1:
            common[name] = _most(counted, absent)
    for index in members:
        environment = environments[index]
        known = {finding.package for finding in environment.findings if environment.status == "drift"}
        skews = tuple(
            _skew(environment, name, installed[index].get(name, ()), usual, len(members))
            for name, usual in sorted(common.items())
            if installed[index].get(name, ()) != usual[0] and name not in known
        )
        if skews:
            environments[index] = _with(environment, skews)


def _most(counted: Counter[_Versions], absent: int) -> tuple[_Versions, int]:
    ranked = sorted([*counted.items(), ((), absent)], key=lambda item: (-item[1], item[0] == (), item[0]))
    return ranked[0]


def _with(environment: EnvironmentReport, skews: tuple[Finding, ...]) -> EnvironmentReport:
    if environment.status == "repaired":
        # What was mended is gone; what is left is that this host is not like the others.
        environment = replace(environment, findings=())
    return with_findings(environment, skews)


def _skew(
    environment: EnvironmentReport, name: str, found: _Versions, usual: tuple[_Versions, int], of: int
) -> Finding:
    versions, count = usual
    return Finding(
        kind="skew",
        severity=KINDS["skew"],
        environment=environment.environment,
        session=environment.session,
        package=name,
        expected=f"{_described(versions)} as on {count} of {of}",
        actual=_described(found),
        line=environment.lock,
        fix=run_command(environment.session),
    )


def _described(versions: _Versions) -> str:
    return " and ".join(versions) if versions else "not installed"
