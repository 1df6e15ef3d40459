"""Owns the comparison of an installed set with what is expected of it (link 2); pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from nox_envs.drift.expectation import Expectation, ProjectExpectation, run_command
from nox_envs.drift.finding import Finding, difference
from nox_envs.drift.interpreter import python_findings
from nox_envs.kinds import KINDS, Severity
from nox_envs.pins import (
    SEED_PACKAGES,
    Pin,
    Source,
    differs,
    direct_reference,
    source_of_path,
    versions_equal,
)
from nox_envs.snapshot import Distribution, Snapshot
from nox_envs.values import replace

_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


def compare(
    expectation: Expectation,
    snapshot: Snapshot,
    *,
    environment: str,
    session: str,
    requested_by: Callable[[str], tuple[str, ...]] = lambda package: (),
    root: Path = Path("/"),
) -> tuple[Finding, ...]:
    """Return every difference between a venv and what is expected of it, worst first.

    `environment` and `session` are the names to put into findings; `requested_by` tells who asked for
    a package and is called for findings only; relative paths in pins belong to the directory `root`.
    A finding of severity `note` is no drift.
    """
    found = [
        *python_findings(expectation, snapshot.interpreter),
        *_package_findings(expectation, _by_name(snapshot), root),
        *(difference("leftover", actual=PurePath(path).name, path=path) for path in snapshot.leftovers),
    ]
    fix = run_command(session)
    finished = (
        replace(
            finding,
            environment=environment,
            session=session,
            why=requested_by(finding.package) if finding.package else (),
            fix="" if finding.severity == "note" else fix,
        )
        for finding in found
    )
    return worst_first(tuple(finished))


def worst_first(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return findings in their order: by severity, package, kind, and what differs."""
    return tuple(sorted(findings, key=_order))


def _order(finding: Finding) -> tuple[int, str, str, str, str, str]:
    rank = _RANK[finding.severity]
    return rank, finding.package, finding.kind, finding.expected, finding.actual, finding.path


def _by_name(snapshot: Snapshot) -> dict[str, list[Distribution]]:
    installed: dict[str, list[Distribution]] = {}
    for distribution in snapshot.distributions:
        installed.setdefault(distribution.name, []).append(distribution)
    return installed


def _package_findings(
    expectation: Expectation, installed: dict[str, list[Distribution]], root: Path
) -> Iterator[Finding]:
    project = expectation.project
    pins: dict[str, list[Pin]] = {}
    for pin in expectation.pins:
        if project is None or pin.name != project.name:
            pins.setdefault(pin.name, []).append(pin)
    for name, wanted in pins.items():
        line = _line(expectation, wanted[0])
        complete = expectation.complete or name in expectation.required
        yield from _pin_findings(wanted, installed.get(name, []), line, root, complete)
    if project is not None:
        yield from _project_findings(project, installed.get(project.name, []))
    for name, found in installed.items():
        expected = name in pins or (project is not None and name == project.name)
        if not expected and name in SEED_PACKAGES:
            continue
        yield from _soundness_findings(name, found, pins.get(name, []), expectation)
        if not expected and expectation.exact:
            yield from (_extraneous(distribution, expectation) for distribution in found[:1])


def _line(expectation: Expectation, pin: Pin) -> str:
    lock = pin.origin or expectation.lock
    return f"{lock}:{pin.line}" if lock and pin.line else lock


def _pin_findings(
    wanted: list[Pin], found: list[Distribution], line: str, root: Path, complete: bool
) -> Iterator[Finding]:
    """Compare the pins of one name (overlapping markers make several) with what is installed."""
    first = wanted[0]
    if not found:
        if complete:
            expected = _described(first.version, _declared(first, root))
            yield difference("missing", first.name, expected=expected, line=line)
        return
    if len(found) > 1:
        return  # a `duplicate`: which of them is used is not decided
    closest = max((tuple(_differences(pin, found[0], root)) for pin in wanted), key=_mildness)
    yield from (replace(finding, line=line) for finding in closest)


def _mildness(findings: tuple[Finding, ...]) -> int:
    return min((_RANK[finding.severity] for finding in findings), default=len(_RANK))


def _declared(pin: Pin, root: Path) -> Source:
    """Complete the source of a pin: local paths are relative, hashes may stand at the pin."""
    source = pin.source
    if source.kind in ("directory", "archive") and ":" not in source.url:
        local = source_of_path(source.url, str(root), editable=source.editable)
        source = replace(local, hashes=source.hashes, subdirectory=source.subdirectory)
    return source if source.hashes or source.kind != "archive" else replace(source, hashes=pin.hashes)


def _differences(pin: Pin, found: Distribution, root: Path) -> Iterator[Finding]:
    declared = _declared(pin, root)
    apart = differs(declared, found.source)
    if apart:
        expected, actual = _sides(apart, pin, declared, found)
        yield difference(apart, pin.name, expected=expected, actual=actual, path=found.path)
    if apart in ("", "unverifiable") and pin.version and pin.version != found.version:
        severity = _version_severity(pin, found)
        if severity:
            yield difference(
                "version",
                pin.name,
                expected=pin.version,
                actual=found.version,
                path=found.path,
                severity=severity,
            )


def _version_severity(pin: Pin, found: Distribution) -> Severity | None:
    """Judge a version that is written differently: None if it is the same version."""
    if not versions_equal(pin.version, found.version):
        # The version of an editable install is that of the day it was installed.
        return "note" if found.source.editable else KINDS["version"]
    return "note" if "+" in found.version and "+" not in pin.version else None


def _sides(apart: str, pin: Pin, declared: Source, found: Distribution) -> tuple[str, str]:
    match apart:
        case "source":
            return _described(pin.version, declared), _described(found.version, found.source)
        case "artifact":
            return ", ".join(declared.hashes), ", ".join(found.source.hashes)
        case "unverifiable" if declared.kind == "archive":
            return ", ".join(declared.hashes) or "a hash", "no hash recorded"
    return direct_reference(declared), direct_reference(found.source)


def _described(version: str, source: Source) -> str:
    if source.kind == "index":
        return version
    reference = f"{'-e ' if source.editable else ''}{direct_reference(source)}"
    return f"{version} ({reference})" if version else reference


def _project_findings(project: ProjectExpectation, found: list[Distribution]) -> Iterator[Finding]:
    declared = source_of_path(project.directory, project.directory, editable=project.editable)
    if not found:
        yield difference("missing", project.name, expected=_described("", declared))
    elif len(found) == 1 and not _is_project(project, declared, found[0].source):
        actual = _described(found[0].version, found[0].source)
        expected = _described("", declared)
        yield difference("source", project.name, expected=expected, actual=actual, path=found[0].path)


def _is_project(project: ProjectExpectation, declared: Source, actual: Source) -> bool:
    # A project that is not editable may have been built into a wheel first, wherever that was.
    if actual.kind == "archive" and actual.url.startswith("file:"):
        return not project.editable
    return not differs(declared, actual)


def _soundness_findings(
    name: str, found: list[Distribution], pins: list[Pin], expectation: Expectation
) -> Iterator[Finding]:
    line = _line(expectation, pins[0]) if pins else ""
    if len(found) > 1:
        wanted = [pin.version for pin in pins]
        wrong = next((d for d in found if not any(versions_equal(v, d.version) for v in wanted)), found[0])
        actual = ", ".join(f"{d.version} ({PurePath(d.path).name})" for d in found)
        expected = wanted[0] if wanted else ""
        yield difference("duplicate", name, expected=expected, actual=actual, path=wrong.path, line=line)
    for distribution in found:
        if distribution.defect:
            defect, path = distribution.defect, distribution.path
            yield difference("broken-metadata", name, actual=defect, path=path, line=line)


def _extraneous(distribution: Distribution, expectation: Expectation) -> Finding:
    actual = _described(distribution.version, distribution.source)
    inactive = [pin for pin in expectation.inactive if pin.name == distribution.name]
    markers = " or ".join(sorted({pin.marker for pin in inactive}))
    return difference(
        "extraneous",
        distribution.name,
        expected=f"nothing here (only where {markers})" if markers else "",
        actual=actual,
        path=distribution.path,
        line=_line(expectation, inactive[0]) if inactive else "",
    )
