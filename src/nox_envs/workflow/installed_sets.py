"""Owns what venvs and reports hold, as sets of pins for a comparison; compares nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nox_envs.changes import PinSet
from nox_envs.errors import NoxEnvsError
from nox_envs.pins import Pin, canonical_name
from nox_envs.report import EnvironmentReport
from nox_envs.report.reading import read_report
from nox_envs.snapshot import Interpreter, Snapshot

_PLATFORMS = {
    "linux": ("linux", "posix", "Linux"),
    "darwin": ("darwin", "posix", "Darwin"),
    "win32": ("win32", "nt", "Windows"),
}


def host_of(venv: PinSet, host: Mapping[str, str]) -> Mapping[str, str]:
    """Return the marker variables of the machine that a set comes from; `host` are those of this one."""
    platform, _, machine = venv.platform.partition("-")
    names = _PLATFORMS.get(platform)
    if names is None:
        return host
    keys = ("sys_platform", "os_name", "platform_system", "platform_machine")
    return {**host, **dict(zip(keys, (*names, machine), strict=True))}


def of_venv(snapshot: Snapshot, *, name: str, environment: str) -> PinSet:
    """Return what a venv has installed; `name` is its session."""
    pins = tuple(Pin(name=d.name, version=d.version, source=d.source) for d in snapshot.distributions)
    return PinSet(
        name=name,
        environments=(environment,),
        pins=pins,
        installed=True,
        interpreter=snapshot.interpreter,
    )


def of_report(text: str, shown: str) -> tuple[tuple[PinSet, ...], tuple[str, ...]]:
    """Read what the environments of a report have installed, and notes on those that do not say.

    Raises NoxEnvsError where none says it, FileProblems for what is no report.
    """
    report = read_report(text, origin=shown)
    telling = [one for one in report.environments if one.distributions]
    silent = [one.title for one in report.environments if not one.distributions and one.installed]
    if not telling:
        raise NoxEnvsError(
            f"{shown}: the report does not say what is installed; write one with a newer nox-envs:"
            " nox-envs drift --format json"
        )
    notes = (f"{shown}: does not say what is installed in {', '.join(silent)}",) if silent else ()
    return tuple(_environment(one) for one in telling), notes


def _environment(one: EnvironmentReport) -> PinSet:
    known = re.match(r"\d+\.\d+", one.python)
    return PinSet(
        name=one.title,
        environments=(one.environment,),
        pins=tuple(Pin(name=canonical_name(name), version=version) for name, version in one.distributions),
        installed=True,
        sourced=False,
        platform=one.platform,
        interpreter=Interpreter(version=one.python, implementation="cpython") if known else None,
    )
