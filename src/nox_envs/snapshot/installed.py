"""Owns the listing of what a venv has installed, with what is wrong with it; compares with nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_head
from nox_envs.pins import (
    INDEX,
    Source,
    canonical_name,
    is_name,
    is_version,
    parse_direct_url,
    source_of_path,
    versions_equal,
)
from nox_envs.snapshot.metadata import metadata_path, read_name_and_version
from nox_envs.snapshot.types import Distribution, Snapshot
from nox_envs.snapshot.venv import layout

METADATA_MISSING = "METADATA is missing"

_DIRECT_URL_LIMIT = 1 << 16
_CUSTOMIZE = ("sitecustomize", "usercustomize")
_EGG_TAG = r"-py\d+(?:\.\d+)*(?:-.*)?$"


def take(location: Path) -> Snapshot:
    """List what the venv at `location` has installed, from what is on disk now.

    Name and version are those of the `*.dist-info` directory (recording installed distributions,
    PEP 376 and 427); METADATA is read only as far as to see that it agrees. A distribution with a
    defect is listed all the same.

    Raises NotAVenv, and NoxEnvsError if site-packages cannot be listed.
    """
    location = location.absolute()
    interpreter, sites = layout(location)
    times = tuple((site, _modified(site)) for site in sites)
    distributions: list[Distribution] = []
    leftovers: list[str] = []
    startup: list[str] = []
    for site in sites:
        for name in _names(site):
            path = f"{site}{os.sep}{name}"
            if name.startswith("~"):
                leftovers.append(path)
            elif name.endswith(".dist-info"):
                distributions.append(_dist_info(name, path))
            elif name.endswith(".egg-info"):
                distributions.append(_egg_info(name, path))
            elif name.endswith(".egg-link"):
                distributions.append(_egg_link(name, path))
            elif is_startup(name):
                startup.append(path)
    return Snapshot(
        location=str(location),
        interpreter=interpreter,
        distributions=tuple(sorted(distributions, key=lambda found: (found.name, found.version, found.path))),
        leftovers=tuple(sorted(path for path in leftovers if Path(path).is_dir())),
        startup=tuple(sorted(startup)),
        sites=times,
    )


def is_startup(name: str) -> bool:
    """Tell whether an entry of site-packages is run at every start (documentation of Python's `site`)."""
    return name.endswith(".pth") or (name.startswith(_CUSTOMIZE) and name.partition(".")[0] in _CUSTOMIZE)


def untouched(snapshot: Snapshot) -> bool:
    """Tell whether nothing was added to or removed from site-packages since the snapshot was taken.

    An installer always does either; only an edit inside a package's own directory does not show.
    """
    return all(_modified(site) == time for site, time in snapshot.sites)


def _modified(site: str) -> int:
    try:
        return Path(site).stat().st_mtime_ns
    except OSError:
        return -1


def _names(site: str) -> list[str]:
    try:
        return os.listdir(site)
    except OSError as error:
        raise NoxEnvsError(f"{site}: cannot be listed: {error.strerror or error}") from None


def _dist_info(directory: str, path: str) -> Distribution:
    stem = directory.removesuffix(".dist-info")
    name, _, version = stem.partition("-")
    defects: list[str] = []
    try:
        told = read_name_and_version(f"{path}{os.sep}METADATA")
    except FileNotFoundError:
        defects.append(METADATA_MISSING)
    except (OSError, ValueError) as error:
        defects.append(f"METADATA cannot be read: {_reason(error)}")
    else:
        # Before PEP 427 was followed everywhere a name could keep its dashes.
        dashed, _, end = stem.rpartition("-")
        if dashed != name and canonical_name(dashed) == canonical_name(told[0]):
            name, version = dashed, end
        defects += _disagreements(name, version, told)
        version = version or told[1]
    source = _direct_url(f"{path}{os.sep}direct_url.json", defects)
    return _distribution(name, version, path, source, defects)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _disagreements(name: str, version: str, told: tuple[str, str]) -> list[str]:
    """Compare the name of the directory with what the metadata file in it tells."""
    found: list[str] = []
    if not told[0] or not told[1]:
        return [f"METADATA gives no {'version' if told[0] else 'name'}"]
    if canonical_name(name) != canonical_name(told[0]):
        found.append(f"METADATA says the name is {_shown(told[0])}")
    if version and version != told[1] and not _same_version(version, told[1]):
        found.append(f"METADATA says the version is {_shown(told[1])}")
    return found


def _same_version(directory: str, metadata: str) -> bool:
    # The directory name may write `-` and `+` as `_` (PEP 427, escaping).
    spellings = {directory, directory.replace("_", "-"), directory.replace("_", "+", 1)}
    return any(versions_equal(one, metadata) and versions_equal(metadata, one) for one in spellings)


def _direct_url(path: str, defects: list[str]) -> Source:
    try:
        data = read_head(path, _DIRECT_URL_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return INDEX
    except (OSError, ValueError) as error:
        defects.append(f"direct_url.json cannot be read: {_reason(error)}")
        return INDEX
    try:
        if len(data) == _DIRECT_URL_LIMIT:
            raise ValueError(f"is larger than {_DIRECT_URL_LIMIT} bytes")
        return parse_direct_url(data.decode("utf-8"))
    except UnicodeDecodeError:
        defects.append("direct_url.json is not UTF-8")
    except ValueError as error:
        defects.append(f"direct_url.json {error}")
    return INDEX


def _egg_info(entry: str, path: str) -> Distribution:
    """Read a `*.egg-info`, the record of distutils (a file) and of old setuptools (a directory)."""
    name, _, version = re.sub(_EGG_TAG, "", entry.removesuffix(".egg-info")).partition("-")
    defects: list[str] = []
    if not version:
        version = _version_of(metadata_path(path), defects)
    return _distribution(name, version, path, INDEX, defects)


def _egg_link(entry: str, path: str) -> Distribution:
    """Read a `*.egg-link`, the record of `setup.py develop`: its first line is the source directory."""
    name = entry.removesuffix(".egg-link")
    defects: list[str] = []
    version, source = "", INDEX
    try:
        lines = read_head(path, _DIRECT_URL_LIMIT).decode("utf-8", "replace").splitlines()
        target = os.path.join(Path(path).parent, lines[0].strip() if lines else "")
        source = source_of_path(target, os.sep, editable=True)
        information = os.path.join(target, f"{canonical_name(name).replace('-', '_')}.egg-info")
        version = _version_of(os.path.join(information, "PKG-INFO"), defects)
    except (OSError, ValueError) as error:
        defects.append(f"the link cannot be read: {_reason(error)}")
    return _distribution(name, version, path, source, defects)


def _version_of(metadata: str, defects: list[str]) -> str:
    try:
        return read_name_and_version(metadata)[1]
    except (OSError, ValueError) as error:
        defects.append(f"{Path(metadata).name} cannot be read: {_reason(error)}")
        return ""


def _distribution(name: str, version: str, path: str, source: Source, defects: list[str]) -> Distribution:
    canonical = canonical_name(name)
    if not is_name(canonical):
        canonical = _shown(canonical)
        defects.append("its name is no package name (PEP 508)")
    if not is_version(version):
        version = _shown(version)
        defects.append(f"{version or 'nothing'} is no version (PEP 440)")
    return Distribution(name=canonical, version=version, path=path, source=source, defect="; ".join(defects))


def _shown(text: str) -> str:
    """Make a text from a file name or file harmless to print: it may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
