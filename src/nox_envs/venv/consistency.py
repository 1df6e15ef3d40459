"""Requirements among installed distributions: packages, and a Python (link 2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_bytes
from nox_envs.findings import Finding, Severity, finding
from nox_envs.lock.pins import Markers, Variables, interpreter_markers
from nox_envs.spec.words import canonical_name
from nox_envs.values import value
from nox_envs.venv.snapshot import SEEDS, Distribution, Snapshot, headers, metadata_path

_LIMIT = 1 << 23
# The plain forms of a dependency specifier (PEP 508); what is none of them is as lenient as with pip and uv.
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*"
    r"(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:\((?P<bracketed>[^)]*)\)|@(?P<url>[^;]*?(?=\s;|$))|(?P<bare>(?:[<>=!~][^;@]*)?))\s*(?:;(?P<marker>.*))?",
    re.DOTALL,
)
_FIELD = r"(?mi)^(Requires-Dist|Requires-Python)[ \t]*:(.*(?:\n[ \t]+.*)*)"
# The clauses of a version specifier (PEP 440) that tell a lowest release, and that release.
_LOWEST = r"(?<![!<=>~])(>=|>|==|~=)\s*(\d{1,9}(?:\.\d{1,9})*)"


@value
class _Need:
    """One requirement of an installed distribution; `text` is as its metadata has it."""

    name: str
    extras: frozenset[str]
    specifier: str
    marker: str
    text: str


def unmet_requirements(
    snapshot: Snapshot, host: Variables, *, extras: Iterable[tuple[str, Iterable[str]]] = ()
) -> tuple[tuple[str, Finding], ...]:
    """Return every requirement of an installed distribution that no installed one, or its Python, meets.

    Each comes with the name of the package that is required (empty: a Python). Markers are evaluated for the
    venv's interpreter on the platform of `host`. The requirements of an extra count where it is asked for: by
    `extras` (canonical name, extras), or by another installed distribution.
    """
    rules = _Rules(snapshot, host, {name: frozenset(map(canonical_name, some)) for name, some in extras})
    return tuple(dict.fromkeys(rules.unmet()))


def _read(one: Distribution) -> tuple[tuple[_Need, ...], str]:
    """Return what a distribution requires, and the specifier of its Pythons."""
    try:
        path = one.path if Path(one.path).is_symlink() else metadata_path(one.path)
        head = headers(read_bytes(path, _LIMIT, follow=False))
    except OSError:
        return (), ""
    fields = [(key.lower(), text.strip()) for key, text in re.findall(_FIELD, head)]
    python = next((text for key, text in fields if key == "requires-python"), "")
    return _needs(tuple([text for key, text in fields if key == "requires-dist"])), python


@lru_cache(maxsize=4096)
def _needs(requirements: tuple[str, ...]) -> tuple[_Need, ...]:
    """Return what requirements ask for; many environments have the same distributions."""
    found: list[_Need] = []
    for text in requirements:
        # Long runs of spaces would take the pattern long.
        if match := _REQUIREMENT.fullmatch(" ".join(text.split())):
            words = (match["extras"] or "").split(",")
            need = _Need(
                name=canonical_name(match["name"]),
                extras=frozenset(canonical_name(word.strip()) for word in words if word.strip()),
                specifier=(match["bracketed"] or match["bare"] or "").strip(),
                marker=(match["marker"] or "").strip(),
                text=text[:200],
            )
            found.append(need)
    return tuple(found)


class _Rules:
    """The requirements of all distributions of a venv; each different marker is evaluated once."""

    def __init__(self, snapshot: Snapshot, host: Variables, extras: dict[str, frozenset[str]]) -> None:
        python = snapshot.interpreter
        self._version = python.version
        self._variables = interpreter_markers(
            host, version=python.version, implementation=python.implementation
        )
        self._markers: dict[str, Markers] = {}
        self._installed = {one.name: one for one in snapshot.distributions}
        self._told = {name: _read(one) for name, one in self._installed.items()}
        self._extras = extras
        self._add_extras()

    def _add_extras(self) -> None:
        """Add the extras that anything installed asks for, those of extras too."""
        waiting = list(self._told)
        while waiting:
            name = waiting.pop()
            for need in self._told[name][0]:
                before = self._extras.get(need.name, frozenset())
                if need.name in self._told and not before >= need.extras and self._counts(name, need):
                    self._extras[need.name] = before | need.extras
                    waiting.append(need.name)

    def _counts(self, name: str, need: _Need) -> bool:
        """Return whether a requirement of a distribution counts, for any of its extras or without one."""
        if not need.marker:
            return True
        extras = self._extras.get(name, frozenset()) if "extra" in need.marker else ("",)
        return any(self._holds(need.marker, extra) for extra in extras)

    def _holds(self, marker: str, extra: str) -> bool:
        if extra not in self._markers:
            self._markers[extra] = Markers({**self._variables, "extra": extra})
        try:
            return self._markers[extra].hold(marker)
        except NoxEnvsError:
            return False  # pip and uv read such metadata leniently too

    def unmet(self) -> Iterator[tuple[str, Finding]]:
        """Yield what is not met, with the name of the package that is required."""
        for name, one in self._installed.items():
            needs, pythons = self._told[name]
            if not _runs(pythons, self._version):
                expected, actual = f"Python {pythons[:200]}", f"Python {self._version}"
                yield "", finding("inconsistent", name, expected=expected, actual=actual, path=one.path)
            for need in needs:
                other = self._installed.get(need.name)
                if self._counts(name, need) and not (other and _contains(need.specifier, other.version)):
                    actual = f"{other.name} {other.version}" if other else f"{need.name} is not installed"
                    # Locks of some tools leave these out.
                    how: Severity = "warning" if other is None and need.name in SEEDS else "error"
                    told = finding(
                        "inconsistent", name, expected=need.text, actual=actual, path=one.path, severity=how
                    )
                    yield need.name, told


@lru_cache(maxsize=4096)
def _contains(specifier: str, version: str) -> bool:
    """Return whether a specifier admits an installed version; pre-releases count, as with pip."""
    if not specifier or not version:
        return True
    from packaging.specifiers import SpecifierSet  # only if a requirement has a specifier
    from packaging.version import Version

    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except ValueError:
        return True  # a broken version has a finding of its own; old metadata has specifiers of its own


def _runs(requires_python: str, version: str) -> bool:
    """Return whether a distribution is for a Python, as uv has it: only the lowest one counts (not `<4`).

    It is if the venv does not tell its whole version.
    """
    if version.count(".") < 2:
        return True
    python, *bounds = (
        [int(number) for number in text.split(".")]
        for text in (
            re.split("[abr]", version)[0],
            *(bound for _, bound in re.findall(_LOWEST, requires_python)),
        )
    )
    strict = [operator == ">" for operator, _ in re.findall(_LOWEST, requires_python)]
    return all(
        python > bound if above else python >= bound for above, bound in zip(strict, bounds, strict=True)
    )
