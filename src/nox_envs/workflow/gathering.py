"""Owns the joining of the reports of many jobs or hosts into one; starts no process, writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TypeVar

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.files import read_text
from nox_envs.matrix import Point
from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.reading import read_report
from nox_envs.values import replace, value
from nox_envs.workflow.hosts import with_skew

_T = TypeVar("_T")

# The folders that every project has around its reports tell nothing about who sent them.
_TAIL = (".nox", ".nox-envs", "reports")


@value
class _Source:
    """Name a file of a report, and the job or host that it came from."""

    path: Path
    origin: str


def gather(paths: tuple[Path, ...], *, expected: tuple[Point, ...] = ()) -> Report:
    """Join the reports in folders and files into one, and compare hosts that should be equal.

    A job or host is named by its folder below the one that is given; where the files lie in the
    given folder itself, by that folder if several are given, else by the file. A file that is no
    report becomes a problem of the joined report, and so does a folder without any. `expected`
    points that sent no report are there as skipped.

    Raises:
        NoxEnvsError: a path does not exist.
    """
    problems: list[str] = []
    reports: list[Report] = []
    for path in paths:
        sources = _sources(path, alone=len(paths) == 1)
        if not sources:
            problems.append(f"{path}: holds no report (*.json)")
        for report in map(_read, sources):
            if isinstance(report, Report):
                reports.append(report)
            else:
                problems += report
    environments = [environment for report in reports for environment in report.environments]
    missing = _missing(expected, environments)
    return Report(
        environments=(*with_skew(tuple(environments)), *missing),
        findings=_unique(finding for report in reports for finding in report.findings),
        problems=(*problems, *_unique(text for report in reports for text in report.problems)),
        notes=_unique(text for report in reports for text in report.notes),
    )


def _read(source: _Source) -> Report | tuple[str, ...]:
    """Return the report of a file, or what is wrong with it."""
    shown = str(source.path)
    try:
        return _named(read_report(read_text(source.path, shown=shown), origin=shown), source.origin)
    except FileProblems as error:
        return tuple(str(problem) for problem in error.problems)


def past_durations(paths: tuple[Path, ...]) -> dict[str, float]:
    """Return how many seconds each session took, the longest where several reports have it.

    What cannot be read is left out: a missing duration makes shards less even, nothing more.
    """
    seconds: dict[str, float] = {}
    for environment in gather(paths).environments if paths else ():
        if environment.seconds > seconds.get(environment.session, 0):
            seconds[environment.session] = environment.seconds
    return seconds


def _unique(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))


def _sources(path: Path, *, alone: bool) -> tuple[_Source, ...]:
    if path.is_file():
        return (_Source(path=path, origin=path.stem),)
    if not path.is_dir():
        raise NoxEnvsError(f"{path}: no such file or folder")
    files = _json_files(path)
    # A folder that holds whole projects has JSON of others, too.
    ours = [file for file in files if file.parts[-3:-1] == _TAIL[1:]]
    inside = path.resolve().parts[-2:] == _TAIL[1:]
    return tuple(
        _Source(path=path / file, origin=_origin(path, file, alone=alone, inside=inside))
        for file in ours or files
    )


def _json_files(folder: Path) -> list[PurePosixPath]:
    """Return the JSON files below a folder, relative to it, in an order that is the same everywhere."""
    found: list[PurePosixPath] = []
    for root, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if name not in (".git", "site-packages", "node_modules")]
        parent = PurePosixPath(Path(root).relative_to(folder).as_posix())
        found += [parent / name for name in names if name.endswith(".json")]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise NoxEnvsError(f"{error.filename}: cannot be read: {error.strerror or error}") from None


def _origin(folder: Path, file: PurePosixPath, *, alone: bool, inside: bool) -> str:
    kept = [part for part in file.parts[:-1] if part not in _TAIL]
    if kept:
        return "/".join(kept) if alone else "/".join((_name(folder), *kept))
    if not alone:
        return _name(folder)
    # The reports of one machine, where they lie: there is nobody else to tell it from.
    return "" if inside or len(file.parts) > 1 else file.stem


def _name(folder: Path) -> str:
    kept = [part for part in folder.resolve().parts if part not in _TAIL]
    return kept[-1]


def _named(report: Report, origin: str) -> Report:
    def named(environment: EnvironmentReport) -> EnvironmentReport:
        return replace(environment, origin="/".join(name for name in (origin, environment.origin) if name))

    prefix = f"{origin}: " if origin else ""
    return replace(
        report,
        environments=tuple(named(environment) for environment in report.environments),
        problems=tuple(f"{prefix}{text}" for text in report.problems),
    )


def _missing(
    expected: tuple[Point, ...], environments: list[EnvironmentReport]
) -> tuple[EnvironmentReport, ...]:
    sent = {environment.session for environment in environments}
    return tuple(
        EnvironmentReport(
            environment=point.environment,
            session=point.session,
            python=point.python or "",
            lock="",
            location="",
            status="skipped",
            reason="it sent no report",
        )
        for point in expected
        if point.session not in sent
    )
