"""Owns whether one pin meets one requirement, and where markers hold; opens no file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from nox_envs.errors import NoxEnvsError
from nox_envs.pins import Pin, differs, source_of_url, versions_equal
from nox_envs.requirements import Declared


class Candidates:
    """Find the pins that may answer a requirement."""

    def __init__(self, pins: tuple[Pin, ...]) -> None:
        self._pins = pins
        self._by_name: dict[str, list[Pin]] = {}
        for pin in pins:
            self._by_name.setdefault(pin.name, []).append(pin)

    def named(self, name: str) -> list[Pin]:
        """Return the pins of a package, in the order of the lock."""
        return self._by_name.get(name, [])

    def of(self, declared: Declared) -> list[Pin]:
        """Return the pins of the package, or of the path or URL where no name is known."""
        if declared.name:
            return self.named(declared.name)
        return [pin for pin in self._pins if pin.source.kind != "index" and meets(pin, declared)]


class Markers:
    """Evaluate markers in one environment (PEP 508); an empty marker always holds."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._known: dict[str, bool] = {"": True}

    def hold(self, marker: str) -> bool:
        """Return whether a marker is true; raise NoxEnvsError if it compares what cannot be compared."""
        if marker not in self._known:
            self._known[marker] = self._evaluate(marker)
        return self._known[marker]

    def _evaluate(self, marker: str) -> bool:
        from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName

        try:
            return Marker(marker).evaluate(self._environment)
        except (ValueError, UndefinedComparison, UndefinedEnvironmentName) as error:
            raise NoxEnvsError(f"the marker {marker!r} cannot be evaluated: {error}") from None


def meets(pin: Pin, declared: Declared) -> bool:
    """Return whether a pin of the right name is what a requirement asks for."""
    if declared.path:
        same_kind = pin.source.kind == "archive" or pin.source.editable == declared.editable
        return pin.source.url == declared.path and same_kind
    if declared.url:
        # A pin holds the commit that a branch or tag stood for when it was locked.
        return differs(source_of_url(declared.url), pin.source) in ("", "unverifiable")
    return not pin.version or satisfies(declared.specifier, pin.version)


@cache
def satisfies(specifier: str, version: str) -> bool:
    """Return whether `version` meets `specifier`, prereleases included (PEP 440)."""
    if not specifier:
        return True
    if specifier.startswith("==") and not set(specifier[2:]) & set("=,*"):
        return versions_equal(specifier[2:], version)
    from packaging.specifiers import SpecifierSet

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except ValueError:
        return False
