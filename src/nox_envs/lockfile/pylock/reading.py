"""Owns the reading of pylock files into locks, through `packaging.pylock`; opens no file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nox_envs.errors import FileProblems, NoxEnvsError, Place, Problem
from nox_envs.lockfile.text import Leak, Lock, read_header, url_leaks
from nox_envs.pins import INDEX, Pin, Source, canonical_name, source_of_path, source_of_url
from nox_envs.toml import parse_toml
from nox_envs.values import value

if TYPE_CHECKING:
    from packaging.pylock import Package, Pylock

TOOL = "nox-envs"
_TABLE = re.compile(r"^\[\[packages\]\]", re.MULTILINE)


def read_pylock(text: str, *, origin: str) -> Pylock:
    """Read a pylock (PEP 751); raises FileProblems for what is none, as far as packaging can tell."""
    try:
        from packaging.pylock import Pylock, PylockValidationError
    except ImportError:
        raise NoxEnvsError(f"{origin}: packaging 26 or newer reads this; pip install -U packaging") from None
    try:
        return Pylock.from_dict(parse_toml(text))
    except PylockValidationError as error:
        raise _problem(origin, f"is no pylock: {error}") from None
    except ValueError as error:  # what is no TOML, and a number with more digits than int() takes
        line = re.search(r"line (\d{1,9})", str(error))
        raise _problem(origin, f"is no TOML: {error}", int(line[1]) if line else 1) from None


def _problem(origin: str, message: str, line: int = 1) -> FileProblems:
    place = Place(origin=origin, line=line)
    return FileProblems((Problem(place=place, message=message, hint="regenerate the file: nox -s lock"),))


def parse_pylock(text: str, *, origin: str) -> Lock:
    """Parse the text of a pylock into a lock, its local paths relative to the spec's directory.

    `origin` is the path of the file, relative to that directory. Raises FileProblems.
    """
    pylock = read_pylock(text, origin=origin)
    lines = [text.count("\n", 0, match.start()) + 1 for match in _TABLE.finditer(text)]
    folder = posixpath.dirname(origin)
    pins: list[Pin] = []
    leaks = list(url_leaks(text))
    for number, package in enumerate(pylock.packages):
        line = lines[number] if number < len(lines) else 1
        pin = _pin(package, folder, line)
        if _breaks_its_line(pin):
            message = f"{pin.name}: a URL, path, hash or marker holds what none can, such as a space"
            raise _problem(origin, message, line)
        pins.append(pin)
        leaks += [Leak(what="an absolute path", line=line) for path in _paths(package) if _absolute(path)]
    return Lock(
        origin=origin,
        header=read_header([line for line in text.split("\n\n", 1)[0].splitlines() if line[:1] == "#"]),
        pins=tuple(pins),
        leaks=tuple(leaks),
    )


def _breaks_its_line(pin: Pin) -> bool:
    """Tell whether a pin could not stand on a line of a requirements file, where an option might follow."""
    source = pin.source
    words = (source.revision, source.subdirectory, *pin.hashes)
    texts = (*words, source.url, pin.marker)
    spaced = any(" " in word for word in words) or " -" in f" {source.url}"
    return spaced or not all(text.isprintable() for text in texts)


def _absolute(path: str) -> bool:
    return path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", path) is not None


def _paths(package: Package) -> Iterable[str]:
    holders = (package.directory, package.archive, package.vcs, package.sdist, *(package.wheels or ()))
    for holder in holders:
        if holder is not None and holder.path:
            yield holder.path


@value
class _Found:
    """Hold where a package comes from, and the hashes of its files."""

    source: Source
    hashes: tuple[str, ...] = ()


def _pin(package: Package, folder: str, line: int) -> Pin:
    found = _found(package, folder)
    direct = found.source.kind != "index"
    return Pin(
        name=canonical_name(package.name),
        version="" if direct or package.version is None else str(package.version),
        source=found.source,
        marker="" if package.marker is None else str(package.marker),
        hashes=found.hashes,
        via=_via(package.tool or {}),
        line=line,
    )


def _via(tool: Mapping[str, object]) -> tuple[str, ...]:
    table = tool.get(TOOL)
    via = table.get("via") if isinstance(table, Mapping) else None
    return tuple(str(asker) for asker in via) if isinstance(via, list) else ()


def _found(package: Package, folder: str) -> _Found:
    if package.vcs is not None:
        vcs = package.vcs
        source = Source(
            kind="vcs",
            url=source_of_url(f"{vcs.type}+{vcs.url or vcs.path}").url,
            revision=vcs.commit_id,
            subdirectory=vcs.subdirectory or "",
        )
        return _Found(source=source)
    if package.directory is not None:
        directory = package.directory
        path = _from_spec(posixpath.join(directory.path, directory.subdirectory or ""), folder)
        return _Found(source=Source(kind="directory", url=path, editable=bool(directory.editable)))
    if package.archive is not None:
        archive = package.archive
        hashes = _hashes([archive.hashes])
        if archive.path:
            path = _from_spec(archive.path, folder)
            return _Found(source=Source(kind=source_of_path(path, "/").kind, url=path), hashes=hashes)
        source = source_of_url(archive.url or "")
        whole = Source(kind=source.kind, url=source.url, subdirectory=archive.subdirectory or "")
        return _Found(source=whole, hashes=hashes)
    sdist = [package.sdist.hashes] if package.sdist else []
    return _Found(source=INDEX, hashes=_hashes([*sdist, *(wheel.hashes for wheel in package.wheels or ())]))


def _hashes(tables: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({f"{name}:{digest}" for table in tables for name, digest in table.items()}))


def _from_spec(path: str, folder: str) -> str:
    """Return a path of the file as locks write it: relative to the spec, beginning with a dot."""
    if _absolute(path):
        return path
    whole = posixpath.normpath(posixpath.join(folder, path.replace("\\", "/")))
    return whole if whole == "." or whole.startswith("../") or whole == ".." else f"./{whole}"
