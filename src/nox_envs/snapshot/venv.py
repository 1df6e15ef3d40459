"""Owns the layout of a venv: its pyvenv.cfg, its interpreter, its site-packages; lists no package."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from nox_envs.files import read_head
from nox_envs.snapshot.types import Interpreter, NotAVenv

_CONFIGURATION_LIMIT = 1 << 16
_LIBRARY = r"(?P<name>python|pypy|graalpy)(?P<minor>\d+\.\d+)(?P<threads>t?)"
_VERSION = r"\d+\.\d+(?:\.\d+(?:(?:a|b|rc)\d+)?)?"
_FREE_THREADED = r"(?i)python\d+\.\d+t(?:\.exe)?$|freethreaded"
# The words of platform.python_implementation() that differ from those of sys.implementation.
_IMPLEMENTATIONS = {"graalvm": "graalpy"}


def layout(location: Path) -> tuple[Interpreter, tuple[str, ...]]:
    """Return the interpreter of a venv and its site-packages directories, purelib first.

    Read are the pyvenv.cfg of venv, virtualenv and uv, and the name of the library directory
    (`lib/python3.13t`, `lib/pypy3.11`, `Lib` on Windows). Raises NotAVenv.
    """
    settings = _settings(location)
    version = _version(settings)
    libraries = _libraries(location, ".".join(version.split(".")[:2]))
    sites = _distinct(library / "site-packages" for library in libraries)
    if not sites:
        raise NotAVenv(f"{location}: is no complete virtual environment: it has no site-packages directory")
    root = os.path.join(os.path.realpath(location), "")
    for site in sites:
        # A repair would remove and install in a place that is not the venv's.
        if not os.path.realpath(site).startswith(root):
            raise NotAVenv(f"{location}: is no virtual environment of its own: {site} leads out of it")
    return _interpreter(location, settings, version, libraries[0].name), sites


def _settings(location: Path) -> dict[str, str]:
    try:
        text = read_head(str(location / "pyvenv.cfg"), _CONFIGURATION_LIMIT).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        missing = "it has no pyvenv.cfg" if location.is_dir() else "there is no such directory"
        raise NotAVenv(f"{location}: is no virtual environment: {missing}") from None
    except (OSError, ValueError) as error:
        raise NotAVenv(f"{location}: is no virtual environment: pyvenv.cfg cannot be read: {error}") from None
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip().lower(): value.strip() for key, equals, value in pairs if equals}


def _version(settings: dict[str, str]) -> str:
    for key in ("version_info", "version"):
        match = re.match(_VERSION, settings.get(key, ""))
        if match:
            return match[0]
    return ""


def _libraries(location: Path, minor: str) -> list[Path]:
    """Return the library directories of the interpreter, those of `lib64` last."""
    found: list[tuple[bool, Path]] = []
    for parent in ("lib", "lib64"):
        for name in _names(location / parent):
            match = re.fullmatch(_LIBRARY, name)
            if match:
                found.append((match["minor"] == minor, location / parent / name))
    # An upgrade in place leaves the directory of the older interpreter behind.
    current = [library for matches, library in found if matches] or [library for _, library in found]
    return current or [location / "Lib"]


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _distinct(directories: Iterable[Path]) -> tuple[str, ...]:
    """Keep the directories that exist, each once: `lib64` may be a link to `lib`."""
    found: dict[tuple[int, int] | str, str] = {}
    for directory in directories:
        try:
            status = directory.stat()
        except OSError:
            continue
        found.setdefault((status.st_dev, status.st_ino) if status.st_ino else str(directory), str(directory))
    return tuple(found.values())


def _interpreter(location: Path, settings: dict[str, str], version: str, library: str) -> Interpreter:
    match = re.fullmatch(_LIBRARY, library)
    executable = re.split(r"[/\\]", settings.get("executable", ""))[-1].lower()
    if match:
        threads = match["threads"] == "t"
    else:  # Windows: the library directory is always Lib
        threads = re.search(_FREE_THREADED, f"{settings.get('home', '')} {executable}") is not None
    return Interpreter(
        version=version or (match["minor"] if match else ""),
        implementation=_implementation(settings, (match["name"] if match else "", executable)),
        free_threaded=threads,
        executable=_executable(location),
        system_site=settings.get("include-system-site-packages", "").lower() == "true",
    )


def _executable(location: Path) -> str:
    for name in ("bin/python", "Scripts/python.exe", "bin/python.exe"):
        path = os.path.join(location, *name.split("/"))
        if Path(path).is_file():
            return os.path.realpath(path)
    return ""


def _implementation(settings: dict[str, str], names: tuple[str, str]) -> str:
    """Return the implementation as uv and virtualenv record it; venv does not, so file names tell."""
    told = settings.get("implementation", "").lower()
    if told:
        return _IMPLEMENTATIONS.get(told, told)
    named = (word for word in ("pypy", "graalpy") if any(name.startswith(word) for name in names))
    return next(named, "cpython")
