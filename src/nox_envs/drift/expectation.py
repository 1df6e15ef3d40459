"""Owns what a venv is expected to hold, and who asked for it; compares nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from nox_envs.pins import Pin
from nox_envs.snapshot import Interpreter
from nox_envs.values import value

_PLAIN = r"[\w.,:=+/-]+"


@value
class ProjectExpectation:
    """Expect the project itself: its canonical name, its absolute directory, and how it is installed."""

    name: str
    directory: str
    editable: bool


@value
class Expectation:
    """Hold what a venv shall hold.

    `pins` are those whose marker holds in the venv, `inactive` the others. `python` is the point's
    interpreter in nox's words (`3.12`, `3.13t`, `pypy3.11`, `python3.12`; None: any), `built_with`
    the interpreter of the receipt. `lock` is the file of the pins, as shown to the user.

    `complete` tells that every pin must be installed (False: the pins are constraints, and one that
    is not needed is not missing, but those named in `required` are); `exact` that nothing else may be
    installed.
    """

    pins: tuple[Pin, ...]
    inactive: tuple[Pin, ...] = ()
    project: ProjectExpectation | None = None
    python: str | None = None
    built_with: Interpreter | None = None
    lock: str = ""
    complete: bool = True
    exact: bool = True
    required: frozenset[str] = frozenset()


def run_command(session: str) -> str:
    """Return the command that runs a session, quoted for the shells people have."""
    return f"nox -s {session}" if re.fullmatch(_PLAIN, session) else f'nox -s "{session}"'


def rebuild_command(session: str) -> str:
    """Return the command that makes the venv of a session anew, whatever its policy on drift is."""
    return run_command(session).replace("nox -s", "nox --reuse-venv=never -s", 1)


def requested_by_via(pins: tuple[Pin, ...]) -> Callable[[str], tuple[str, ...]]:
    """Return a function that tells who asked for a package: the shortest chain in the pins' `via`.

    The chain begins with a requirement set or file (an entry of `via` that is no pinned package) and
    ends with the package that asks directly: `("test", "pytest")` for pluggy. A constraint asks for
    nothing, so one (`-c limits.txt`) is named only where nothing else is. The chain is empty for a
    package that is not pinned.
    """
    via: dict[str, tuple[str, ...]] = {}
    for pin in pins:
        via[pin.name] = (*via.get(pin.name, ()), *pin.via)

    def requested_by(package: str) -> tuple[str, ...]:
        return _chain(package, via)

    return requested_by


def _chain(package: str, via: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Walk from a package to those that ask for it, nearest first, and stop at the first set."""
    askers: dict[str, str] = {}  # each name walked to, and the package it asks for
    walked = [package] if package in via else []
    limited: tuple[str, ...] = ()
    for name in walked:
        for asker in via[name]:
            if asker.startswith("-c "):
                limited = limited or (asker, *_way(name, package, askers))
            # A set may have the name of a package; only a set can seem to ask for itself.
            elif asker not in via or asker == name:
                return (asker, *_way(name, package, askers))
            elif asker not in askers and asker != package:
                askers[asker] = name
                walked.append(asker)
    # No set at all: a lock whose `via` lines were cut. Say at least which package asks.
    return (_way(walked[-1], package, askers) if walked else ()) or limited


def _way(name: str, package: str, askers: dict[str, str]) -> tuple[str, ...]:
    way: list[str] = []
    while name != package:
        way.append(name)
        name = askers[name]
    return tuple(way)
