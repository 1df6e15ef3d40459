"""Owns what an installer has to do about findings; pure."""

from __future__ import annotations

from nox_envs.drift import Expectation, Finding
from nox_envs.pins import Pin
from nox_envs.values import value

_ADDED = frozenset({"missing", "version"})
_REPLACED = frozenset({"source", "revision", "artifact", "duplicate", "broken-metadata"})


@value
class Mending:
    """Hold what to remove and to install so that the findings are gone.

    `uninstall` are canonical names, `leftovers` directories to delete. `install` are pins that are
    missing or there in another version; `reinstall` are pins whose version alone would tell an
    installer that nothing is to do.
    """

    uninstall: tuple[str, ...]
    install: tuple[Pin, ...]
    reinstall: tuple[Pin, ...]
    leftovers: tuple[str, ...]
    project: bool


def mending_of(findings: tuple[Finding, ...], expectation: Expectation) -> Mending:
    """Return what mends `findings`; it touches nothing that they do not name, and leaves notes alone."""
    findings = tuple(finding for finding in findings if finding.severity != "note")
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
        install=tuple(
            pins[n] for n, k in sorted(named.items()) if k & _ADDED and not k & _REPLACED and n in pins
        ),
        reinstall=tuple(pins[n] for n, k in sorted(named.items()) if k & _REPLACED and n in pins),
        leftovers=tuple(sorted(f.path for f in findings if f.kind == "leftover")),
        project=own is not None and bool(kinds.get(own)),
    )
