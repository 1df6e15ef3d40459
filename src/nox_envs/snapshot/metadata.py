"""Owns the reading of core metadata (METADATA, PKG-INFO); judges nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nox_envs.files import read_head
from nox_envs.snapshot.types import Distribution
from nox_envs.values import value

_HEAD = 4096
_LIMIT = 1 << 20
_FOLD = r"\r?\n[ \t]+"


@value
class Metadata:
    """Hold what the core metadata of a distribution says; texts are as written.

    `requires_dist` are requirements (PEP 508), `requires_python` a version specifier (empty: any).
    """

    name: str
    version: str
    requires_dist: tuple[str, ...] = ()
    requires_python: str = ""


def read_name_and_version(path: str) -> tuple[str, str]:
    """Return the name and the version that a metadata file gives, each empty if it gives none.

    They stand at the top of every metadata file that tools write, so its first page is read, and
    the rest only if they are not there. Raises OSError.
    """
    head = _headers(read_head(path, _HEAD))
    name, version = _field(head, b"Name"), _field(head, b"Version")
    if not (name and version) and len(head) == _HEAD:
        head = _headers(read_head(path, _LIMIT))
        name, version = _field(head, b"Name"), _field(head, b"Version")
    return name, version


def _headers(data: bytes) -> bytes:
    ends = [end for end in (data.find(b"\n\n"), data.find(b"\r\n\r\n")) if end >= 0]
    return data[: min(ends)] if ends else data


def _field(head: bytes, key: bytes) -> str:
    # Every tool writes `\nName: `; finding that is several times as fast as the pattern.
    start = head.find(b"\n%s: " % key)
    if start >= 0:
        end = head.find(b"\n", start + 1)
        return _decoded(head[start + len(key) + 3 : end if end >= 0 else None])
    match = re.search(rb"^%s[ \t]*:([^\r\n]*)" % key, head, re.MULTILINE | re.IGNORECASE)
    return _decoded(match[1]) if match else ""


def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip()


def read_metadata(distribution: Distribution) -> Metadata:
    """Read the core metadata of an installed distribution.

    What cannot be read is taken from the distribution, without requirements.
    """
    try:
        head = _headers(read_head(metadata_path(distribution.path), _LIMIT))
    except (OSError, ValueError):
        return Metadata(name=distribution.name, version=distribution.version)
    fields: dict[str, list[str]] = {}
    for line in re.sub(_FOLD, " ", _decoded(head)).splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), []).append(value.strip())
    return Metadata(
        name=fields.get("name", [distribution.name])[0],
        version=fields.get("version", [distribution.version])[0],
        requires_dist=tuple(fields.get("requires-dist", ())),
        requires_python=fields.get("requires-python", [""])[0],
    )


def metadata_path(path: str) -> str:
    """Return the metadata file of a `*.dist-info` or `*.egg-info` (which may be that file itself)."""
    if path.endswith(".dist-info"):
        return os.path.join(path, "METADATA")
    return os.path.join(path, "PKG-INFO") if Path(path).is_dir() else path
