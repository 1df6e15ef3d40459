"""Owns the question whether what installed distributions require is there: packages, a Python (link 2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from nox_envs.drift import Finding, marker_environment
from nox_envs.drift.finding import difference
from nox_envs.pins import SEED_PACKAGES, canonical_name
from nox_envs.snapshot import Distribution, Interpreter, Metadata, Snapshot, read_metadata
from nox_envs.values import value

# The plain forms of a dependency specifier (PEP 508); packaging reads the others.
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*"
    r"(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:\((?P<bracketed>[^)]*)\)|@(?P<url>[^;]*?(?=\s;|$))|(?P<bare>(?:[<>=!~][^;@]*)?))\s*(?:;(?P<marker>.*))?",
    re.DOTALL,
)
# The clauses of a version specifier (PEP 440) that tell a lowest release, and that release.
_LOWEST = re.compile(r"(?<![!<=>~])(>=|>|==|~=)\s*(\d+(?:\.\d+)*)")
_RELEASE = re.compile(r"\d+\.\d+\.\d+")


@value
class Needed:
    """Hold one requirement of an installed distribution; `text` is as its metadata has it."""

    name: str
    extras: tuple[str, ...]
    specifier: str
    marker: str
    text: str


@value
class Unmet:
    """Hold a requirement that is not met: who has it, of what (empty: of a Python), and the finding."""

    package: str
    needs: str
    finding: Finding


def unmet_requirements(
    snapshot: Snapshot, host: Mapping[str, str], *, extras: Iterable[tuple[str, tuple[str, ...]]] = ()
) -> tuple[Unmet, ...]:
    """Return every requirement of an installed distribution that no installed one, or its Python, meets.

    Markers are evaluated for the venv's interpreter on the platform of `host`. The requirements of an
    extra count where it is asked for: by `extras` (canonical name, extras), or by another installed
    distribution. That a seed package is not there is a warning only: locks of some tools leave them
    out. The findings have no environment, session, reason and fix.
    """
    installed = {found.name: found for found in snapshot.distributions}
    metadata = {name: read_metadata(found) for name, found in installed.items()}
    needed = {name: _needed(told.requires_dist) for name, told in metadata.items()}
    rules = _Rules({key: str(value) for key, value in marker_environment(snapshot.interpreter, host).items()})
    wanted = _wanted_extras(needed, dict(extras), rules)
    found: list[Unmet] = []
    for name, distribution in installed.items():
        if not rules.run(metadata[name].requires_python):
            found.append(_for_another_python(distribution, metadata[name], snapshot.interpreter))
        for need in needed[name]:
            if rules.applies(need.marker, wanted.get(name, frozenset())):
                other = installed.get(need.name)
                if other is None or not rules.met(need.specifier, other.version):
                    found.append(_unmet(distribution, need, other))
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4096)
def _needed(requirements: tuple[str, ...]) -> tuple[Needed, ...]:
    """Return what requirements ask for; many environments have the same distributions."""
    return tuple(_parsed(requirements))


def _parsed(requirements: tuple[str, ...]) -> Iterator[Needed]:
    for text in requirements:
        match = _REQUIREMENT.fullmatch(" ".join(text.split()))  # long runs of spaces would take long
        if match:
            extras = match["extras"] or ""
            yield Needed(
                name=canonical_name(match["name"]),
                extras=tuple(canonical_name(word.strip()) for word in extras.split(",") if word.strip()),
                specifier=(match["bracketed"] or match["bare"] or "").strip(),
                marker=(match["marker"] or "").strip(),
                text=text,
            )


def _wanted_extras(
    needed: Mapping[str, tuple[Needed, ...]], asked: Mapping[str, tuple[str, ...]], rules: _Rules
) -> dict[str, frozenset[str]]:
    """Return the extras of each distribution that anything installed asks for, those of extras too."""
    wanted = {name: frozenset(canonical_name(extra) for extra in extras) for name, extras in asked.items()}
    waiting = list(needed)
    while waiting:
        name = waiting.pop()
        for need in needed[name]:
            before = wanted.get(need.name, frozenset())
            if need.name not in needed or before.issuperset(need.extras):
                continue
            if rules.applies(need.marker, wanted.get(name, frozenset())):
                wanted[need.name] = before | set(need.extras)
                waiting.append(need.name)
    return wanted


class _Rules:
    """Evaluate markers and specifiers, each different one once."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._markers: dict[tuple[str, str], bool] = {}
        self._specifiers: dict[tuple[str, str], bool] = {}

    def applies(self, marker: str, extras: frozenset[str]) -> bool:
        """Tell whether a requirement counts, for any of the extras or without one."""
        if not marker:
            return True
        if "extra" not in marker:
            return self._holds(marker, "")
        return any(self._holds(marker, extra) for extra in extras)

    def _holds(self, marker: str, extra: str) -> bool:
        key = (marker, extra)
        if key not in self._markers:
            self._markers[key] = _evaluated(marker, {**self._environment, "extra": extra})
        return self._markers[key]

    def run(self, requires_python: str) -> bool:
        """Tell whether a distribution is for the venv's Python, as uv has it: the lowest one counts.

        It installs under a cap (`<4`) all the same. Of a venv that does not tell its whole version
        nothing is claimed.
        """
        release = _RELEASE.match(self._environment["python_full_version"])
        if release is None:
            return True
        python = _numbers(release[0])
        bounds = ((operator, _numbers(bound)) for operator, bound in _LOWEST.findall(requires_python))
        return all(python > bound if operator == ">" else python >= bound for operator, bound in bounds)

    def met(self, specifier: str, version: str) -> bool:
        """Tell whether a specifier admits an installed version; pre-releases count, as pip has it."""
        if not specifier:
            return True
        key = (specifier, version)
        if key not in self._specifiers:
            self._specifiers[key] = _contains(specifier, version)
        return self._specifiers[key]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _evaluated(marker: str, environment: dict[str, str]) -> bool:
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
    from packaging.version import InvalidVersion

    try:
        return Marker(marker).evaluate(environment)
    except (InvalidMarker, InvalidVersion, UndefinedComparison, UndefinedEnvironmentName):
        return False  # pip and uv read such metadata leniently too


def _contains(specifier: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True  # a broken version has a finding of its own; old metadata has specifiers of its own


def _for_another_python(distribution: Distribution, told: Metadata, interpreter: Interpreter) -> Unmet:
    finding = difference(
        "inconsistent",
        distribution.name,
        expected=f"Python {told.requires_python}",
        actual=f"Python {interpreter.version}",
        path=distribution.path,
    )
    return Unmet(package=distribution.name, needs="", finding=finding)


def _unmet(distribution: Distribution, need: Needed, other: Distribution | None) -> Unmet:
    actual = f"{other.name} {other.version}" if other else f"{need.name} is not installed"
    finding = difference(
        "inconsistent",
        distribution.name,
        expected=need.text,
        actual=actual,
        path=distribution.path,
        severity="warning" if other is None and need.name in SEED_PACKAGES else None,
    )
    return Unmet(package=distribution.name, needs=need.name, finding=finding)
