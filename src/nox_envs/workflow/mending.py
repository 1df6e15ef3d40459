"""Owns what an installer has to do about findings; pure."""

from __future__ import annotations

from dataclasses import dataclass

from nox_envs.drift import Expectation, Finding
from nox_envs.pins import Pin

_REPLACED = frozenset({"version", "source", "revision", "artifact", "duplicate", "broken-metadata"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """Hold what to remove and to install so that the findings are gone.

    `uninstall` are canonical names, `leftovers` directories to delete. `reinstall` are pins of which
    something else is installed, `install` pins of which nothing is.
    """

    uninstall: tuple[str, ...]
    install: tuple[Pin, ...]
    reinstall: tuple[Pin, ...]
    leftovers: tuple[str, ...]
    project: bool


def mending_of(findings: tuple[Finding, ...], expectation: Expectation) -> Mending:
    """Return what mends `findings`; it touches nothing that they do not name."""
    pins = {pin.name: pin for pin in expectation.pins}
    own = expectation.project.name if expectation.project else None
    kinds: dict[str, set[str]] = {}
    for finding in findings:
        kinds.setdefault(finding.package, set()).add(finding.kind)
    named = {name: found for name, found in kinds.items() if name and name != own}
    return Mending(
        uninstall=tuple(
            sorted(n for n, k in named.items() if k & {"extraneous", "duplicate"} or n not in pins)
        ),
        install=tuple(pins[n] for n, k in sorted(named.items()) if "missing" in k and n in pins),
        reinstall=tuple(
            pins[n] for n, k in sorted(named.items()) if k & _REPLACED and "missing" not in k and n in pins
        ),
        leftovers=tuple(sorted(f.path for f in findings if f.kind == "leftover")),
        project=own is not None and bool(kinds.get(own)),
    )
