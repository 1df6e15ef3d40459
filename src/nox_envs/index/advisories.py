"""Owns the reading of advisories and which versions they concern; opens no file and fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

from nox_envs.errors import NoxEnvsError
from nox_envs.index.documents import document, rows, short, table, text, texts
from nox_envs.index.types import EventKind, Events, Vulnerability
from nox_envs.pins import canonical_name

if TYPE_CHECKING:
    from packaging.version import Version

_ECOSYSTEM = "PyPI"
_KINDS: tuple[EventKind, ...] = get_args(EventKind)


def read_osv(record: dict[str, object]) -> tuple[Vulnerability, ...]:
    """Read what an OSV record (schema 1) says of Python packages: nothing if it was withdrawn.

    Raises NoxEnvsError, worded as the end of a sentence, for what is no such record.
    """
    if not text(record.get("id")) or not isinstance(record.get("affected", []), list):
        raise NoxEnvsError("is no OSV record")
    if record.get("withdrawn"):
        return ()
    return tuple(_affected(record))


def _affected(record: dict[str, object]) -> Iterator[Vulnerability]:
    for affected in map(table, rows(record.get("affected"))):
        package = table(affected.get("package"))
        name = canonical_name(text(package.get("name")))
        if not name or text(package.get("ecosystem")).partition(":")[0] != _ECOSYSTEM:
            continue
        ranges = (table(one) for one in rows(affected.get("ranges")))
        yield Vulnerability(
            package=name,
            id=short(record.get("id")),
            aliases=tuple(map(short, texts(record.get("aliases")))),
            summary=short(record.get("summary")) or short(record.get("details")),
            versions=texts(affected.get("versions")),
            ranges=tuple(_events(one) for one in ranges if one.get("type") == "ECOSYSTEM"),
        )


def _events(range_: dict[str, object]) -> Events:
    found = (
        (kind, text(event.get(kind))) for event in map(table, rows(range_.get("events"))) for kind in _KINDS
    )
    return tuple((kind, version) for kind, version in found if version)


def read_release(body: bytes, *, name: str, version: str) -> tuple[Vulnerability, ...]:
    """Read the advisories that an index serves beside a release (`/pypi/NAME/VERSION/json`).

    Raises NoxEnvsError, worded as the end of a sentence, where it serves none, not even an empty list.
    """
    found = document(body).get("vulnerabilities")
    if not isinstance(found, list):
        raise NoxEnvsError("tells no vulnerabilities")
    return tuple(
        Vulnerability(
            package=name,
            id=short(one.get("id")),
            aliases=tuple(map(short, texts(one.get("aliases")))),
            summary=short(one.get("summary")) or short(one.get("details")),
            versions=(version,),
            fixed=texts(one.get("fixed_in")),
        )
        for one in map(table, found)
        if text(one.get("id")) and not one.get("withdrawn")
    )


def affects(vulnerability: Vulnerability, version: str) -> bool:
    """Tell whether a version is affected (OSV, evaluation); a local version is taken for its public one.

    Versions are compared as PEP 440 says; a text that is no version is affected where it is listed
    as it is.
    """
    if version in vulnerability.versions:
        return True
    wanted = public_version(version)
    if wanted is None:
        return False
    listed = any(public_version(one) == wanted for one in vulnerability.versions)
    return listed or any(_within(wanted, events) for events in vulnerability.ranges)


def _within(version: Version, events: Events) -> bool:
    limits = [limit for kind, limit in events if kind == "limit"]
    if limits and not any(limit == "*" or _below(version, limit) for limit in limits):
        return False
    # "0" stands for before every version, pre-releases of 0 too.
    inside = ("introduced", "0") in events
    known = [
        (found, kind)
        for kind, text_ in events
        if kind != "limit" and text_ != "0" and (found := public_version(text_)) is not None
    ]
    for found, kind in sorted(known, key=lambda event: event[0]):
        if kind == "last_affected":
            inside = inside and version <= found
        elif version >= found:
            inside = kind == "introduced"
    return inside


def _below(version: Version, limit: str) -> bool:
    found = public_version(limit)
    return found is not None and version < found


def fixed_version(vulnerability: Vulnerability, version: str) -> str:
    """Return the lowest version above an affected one in which that is fixed, empty if none is known."""
    wanted = public_version(version)
    named = (text_ for events in vulnerability.ranges for kind, text_ in events if kind == "fixed")
    known = ((public_version(text_), text_) for text_ in (*vulnerability.fixed, *named))
    later = [(found, text_) for found, text_ in known if found and wanted and found > wanted]
    return min(later)[1] if later else ""


@lru_cache(maxsize=1 << 16)
def public_version(text_: str) -> Version | None:
    """Return the public part of a version (PEP 440), None for a text that is none."""
    from packaging.version import Version

    try:
        return Version(Version(text_).public) if len(text_) < 200 else None
    except ValueError:  # InvalidVersion is one, and so are more digits than int() takes
        return None
