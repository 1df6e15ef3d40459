"""Owns the comparison of a pin with what an index and advisories say of its package; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from nox_envs.changes.kinds import version_change
from nox_envs.drift import Finding
from nox_envs.drift.finding import difference
from nox_envs.index.advisories import affects, fixed_version, public_version
from nox_envs.index.types import File, Vulnerability
from nox_envs.pins import Pin
from nox_envs.values import replace, value


@value
class Admission:
    """Say which releases a point takes: those for the Python `python`, a full version.

    `prereleases` tells that pre-releases are taken; `before` is a date or a time (RFC 3339, UTC)
    after which nothing is, empty for none.
    """

    python: str
    prereleases: bool = False
    before: str = ""


@value
class Remark:
    """Hold a finding on a pin, and the version that would put it right, empty if none is known."""

    finding: Finding
    target: str = ""


def release_remarks(pin: Pin, files: tuple[File, ...], admission: Admission) -> Iterator[Remark]:
    """Yield whether the version of a pin was yanked (PEP 592), and whether there is a newer one.

    `files` are those that indexes have of the package, possibly none. Newer is the highest version
    that has a file which is not yanked and is for the Python of the point. Pre-releases count where the
    pin is one or the point takes them.
    """
    own = files_of(files, pin.version)
    newest = _newest(pin, files, admission)
    newer = _is_newer(newest, pin.version)
    if own and all(file.yanked is not None for file in own):
        reason = next((file.yanked for file in own if file.yanked), "no reason given")
        yield Remark(
            finding=difference(
                "yanked", pin.name, expected="a version that is not yanked", actual=f"{pin.version}: {reason}"
            ),
            target=newest,
        )
    if newer:
        kind, _ = version_change(pin.version, newest)
        expected = newest if kind == "other" else f"{newest} ({kind})"
        yield Remark(
            finding=difference("outdated", pin.name, expected=expected, actual=pin.version), target=newest
        )


def files_of(files: tuple[File, ...], version: str) -> tuple[File, ...]:
    """Return the files that are of a version; a local version is taken for its public one too."""
    wanted = public_version(version)
    return tuple(
        file
        for file in files
        if file.version == version or (wanted is not None and public_version(file.version) == wanted)
    )


def _newest(pin: Pin, files: tuple[File, ...], admission: Admission) -> str:
    """Return the highest version that a point takes, empty if there is none."""
    pinned = public_version(pin.version)
    prereleases = admission.prereleases or (pinned is not None and pinned.is_prerelease)
    found = [
        (known, version)
        for version in _candidates(files, admission)
        if (known := public_version(version)) and (prereleases or not known.is_prerelease)
    ]
    return max(found)[1] if found else ""


def _candidates(files: tuple[File, ...], admission: Admission) -> set[str]:
    before = admission.before[:19]
    return {
        file.version
        for file in files
        if file.yanked is None
        and (not before or file.uploaded[: len(before)] <= before)
        and _admits(file.requires_python, admission.python)
    }


def _is_newer(version: str, pinned: str) -> bool:
    new, old = public_version(version), public_version(pinned)
    return new is not None and old is not None and new > old


@lru_cache(maxsize=1 << 14)
def _admits(requires_python: str, python: str) -> bool:
    """Tell whether a file is for a Python; what cannot be read excludes none, as for installers."""
    if not requires_python or len(requires_python) > 400:
        return True
    from packaging.specifiers import SpecifierSet

    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except ValueError:
        return True


def advisory_remarks(pin: Pin, vulnerabilities: Iterable[Vulnerability]) -> Iterator[Remark]:
    """Yield each vulnerability that concerns the version of a pin, once, whatever names it goes by.

    `vulnerabilities` are about the package of the pin.
    """
    for one in _united(v for v in vulnerabilities if affects(v, pin.version)):
        fixed = fixed_version(one, pin.version)
        also = f" ({', '.join(one.aliases)})" if one.aliases else ""
        summary = f": {one.summary}" if one.summary else ""
        yield Remark(
            finding=difference(
                "advisory",
                pin.name,
                expected=f"{fixed} or later" if fixed else "a version that it does not concern",
                actual=f"{pin.version}, {one.id}{also}{summary}",
            ),
            target=fixed,
        )


def _united(vulnerabilities: Iterable[Vulnerability]) -> list[Vulnerability]:
    """Return vulnerabilities without those that are others under another name, sorted by name."""
    united: list[Vulnerability] = []
    for one in sorted(vulnerabilities, key=lambda v: v.id):
        names = {one.id, *one.aliases}
        known = next((k for k, other in enumerate(united) if names & {other.id, *other.aliases}), None)
        if known is None:
            united.append(replace(one, aliases=tuple(sorted(names - {one.id}))))
            continue
        first = united[known]
        united[known] = replace(
            first,
            aliases=tuple(sorted({*first.aliases, *names} - {first.id})),
            summary=first.summary or one.summary,
            ranges=(*first.ranges, *one.ranges),
            fixed=(*first.fixed, *one.fixed),
        )
    return united
