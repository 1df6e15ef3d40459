"""Requirements among installed distributions (link 2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from nox_envs.errors import Invalid, NoxEnvsError, Place
from nox_envs.findings import Finding, Severity, finding
from nox_envs.lock.pins import Markers, Variables, normal_version, satisfies
from nox_envs.requirements.text import Declared, parse_requirement
from nox_envs.spec.words import canonical_name
from nox_envs.values import replace
from nox_envs.venv.snapshot import SEEDS, Snapshot, read_headers

_REQUIRES = r"(?mi)^Requires-Dist[ \t]*:(.*(?:\n[ \t]+.*)*)"


def unmet_requirements(
    snapshot: Snapshot, variables: Variables, *, extras: Iterable[tuple[str, Iterable[str]]] = ()
) -> Iterator[tuple[str, Finding]]:
    """Yield every requirement of an installed distribution that no installed one meets.

    Each comes with the name of the package that is required. `variables` are the marker variables of the
    venv's interpreter. The requirements of an extra count where it is asked for: by `extras` (canonical name,
    extras), or by another installed distribution.
    """
    installed = {one.name: one for one in snapshot.distributions}
    heads = {one.name: "" if one.defect else read_headers(one.path) for one in snapshot.distributions}
    asked = {name: {""} for name in installed}
    for name, some in extras:
        asked.setdefault(name, set()).update(map(canonical_name, some))
    markers: dict[str, Markers] = {}
    needs: dict[str, list[tuple[str, Declared]]] = {}
    waiting = list(installed)
    while waiting:
        name = waiting.pop()
        for extra in asked[name] - markers.keys():
            markers[extra] = Markers({**variables, "extra": extra})
        needs[name] = [*_active(heads[name], [markers[extra] for extra in asked[name]])]
        for _, need in needs[name]:
            if new := {*need.extras} - asked.get(need.name, {*need.extras}):
                asked[need.name] |= new
                waiting.append(need.name)
    for name, one in installed.items():
        for text, need in needs[name]:
            other = installed.get(need.name)
            # A broken version has a finding of its own.
            broken = other is not None and not normal_version(other.version)
            if not need.name or broken or (other and satisfies(need.specifier, other.version)):
                continue
            actual = f"{other.name} {other.version}" if other else f"{need.name} is not installed"
            # Locks of some tools leave seeds out.
            how: Severity = "warning" if other is None and need.name in SEEDS else "error"
            told = finding("inconsistent", name, severity=how, expected=text, actual=actual)
            yield need.name, replace(told, path=one.path)


def _active(metadata: str, markers: list[Markers]) -> Iterator[tuple[str, Declared]]:
    """Yield the requirements whose marker holds for any of some extras."""
    for text in map(" ".join, map(str.split, re.findall(_REQUIRES, metadata))):
        # Most are for extras that nothing asks for.
        if len(markers) > 1 or "extra" not in text.partition(";")[2]:
            with suppress(Invalid, NoxEnvsError):  # pip and uv read such metadata leniently too
                need = parse_requirement(text, place=Place(origin="METADATA"))
                if any(one.hold(need.marker) for one in markers):
                    yield text, need
