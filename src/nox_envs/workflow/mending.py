"""Owns what an installer has to do about findings; pure."""

from __future__ import annotations

from pathlib import Path

from nox_envs.drift import Expectation, Finding
from nox_envs.pins import Pin, is_name
from nox_envs.snapshot.installed import METADATA_MISSING, is_startup
from nox_envs.values import value

_ADDED = frozenset({"missing", "version"})
_DAMAGED = frozenset({"file-modified", "file-missing", "broken-metadata", "artifact"})
_REPLACED = frozenset({"source", "revision", "artifact", "duplicate", *_DAMAGED})


@value
class Mending:
    """Hold what to remove and to install so that the findings are gone.

    `uninstall` are canonical names, `leftovers` directories to delete, `hooks` startup files to
    delete first of all. `install` are pins that are missing or there in another version; `reinstall`
    are pins whose version alone would tell an installer that nothing is to do, `incomplete` those of
    them of which files are gone, and `damaged` those whose files in the installer's cache may be as
    wrong. `project` tells to install the project itself, `project_damaged` also without the cache.
    """

    uninstall: tuple[str, ...]
    install: tuple[Pin, ...]
    reinstall: tuple[Pin, ...]
    incomplete: tuple[Pin, ...]
    damaged: tuple[Pin, ...]
    leftovers: tuple[str, ...]
    hooks: tuple[str, ...]
    project: bool
    project_damaged: bool


def mending_of(findings: tuple[Finding, ...], expectation: Expectation) -> Mending:
    """Return what mends `findings`; it touches nothing that they do not name, and leaves notes alone."""
    findings = tuple(finding for finding in findings if finding.severity != "note")
    pins = {pin.name: pin for pin in expectation.pins}
    own = expectation.project.name if expectation.project else None
    kinds: dict[str, set[str]] = {}
    for finding in findings:
        kinds.setdefault(finding.package, set()).add(finding.kind)
    named = {name: found for name, found in kinds.items() if name and name != own}
    suspects = {finding.package for finding in findings if _may_be_in_the_cache(finding)}
    return Mending(
        uninstall=tuple(
            sorted(
                n
                for n, k in named.items()
                if is_name(n) and (k & {"extraneous", "duplicate"} or (n not in pins and not k <= _DAMAGED))
            )
        ),
        install=tuple(
            pins[n] for n, k in sorted(named.items()) if k & _ADDED and not k & _REPLACED and n in pins
        ),
        reinstall=tuple(
            pins[n] for n, k in sorted(named.items()) if k & _REPLACED and not k & _DAMAGED and n in pins
        ),
        incomplete=tuple(
            pins[n] for n, k in sorted(named.items()) if k & _DAMAGED and n not in suspects and n in pins
        ),
        damaged=tuple(pins[n] for n in sorted(named) if n in suspects and n in pins),
        leftovers=tuple(sorted(f.path for f in findings if f.kind == "leftover")),
        hooks=tuple(sorted(f.path for f in findings if _runs_at_start(f))),
        project=own is not None and bool(kinds.get(own)),
        project_damaged="file-modified" in kinds.get(own or "", ()),
    )


def _may_be_in_the_cache(finding: Finding) -> bool:
    """Tell whether a damage may be one of the installer's cache: a link leads there, until it is deleted."""
    if finding.kind == "broken-metadata":
        return finding.actual != METADATA_MISSING
    return finding.kind in ("file-modified", "artifact")


def _runs_at_start(finding: Finding) -> bool:
    if finding.kind == "startup-hook":
        return True
    return finding.kind == "file-modified" and is_startup(Path(finding.path).name)


def beyond_mending(findings: tuple[Finding, ...], expectation: Expectation) -> str:
    """Return why only a new venv mends some of the findings, empty if an installer can do it.

    What the creator of the venv put there, no lock has.
    """
    known = {pin.name for pin in expectation.pins} | {f.package for f in findings if f.kind == "extraneous"}
    if expectation.project is not None:
        known.add(expectation.project.name)
    for finding in findings:
        if finding.package and not is_name(finding.package):
            # An installer could take it for an option.
            return f"{finding.kind} of {finding.package!r}, which is no name of a package"
        if finding.kind == "startup-hook" and finding.expected:
            return f"{Path(finding.path).name} is not {finding.expected}"
        if finding.kind == "broken-metadata" and Path(finding.path).name == "RECORD":
            # Installers refuse to remove by a RECORD that is broken, or follow it out of the venv.
            return f"broken-metadata of {finding.package}: {finding.actual}"
        if finding.kind in _DAMAGED and finding.package not in known:
            return f"{finding.kind} of {finding.package}, which no lock pins"
    return ""
