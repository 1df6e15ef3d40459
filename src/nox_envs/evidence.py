"""Owns what a venv shows without a look into its packages; judges nothing.

Two looks that show the same saw the same venv, as far as names, sizes and times tell: whatever an
installer, or an edit of metadata, does to it shows.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from nox_envs.files import read_head

_PYTHONS = ("bin/python", "Scripts/python.exe", "bin/python.exe")
_CONFIGURATION_LIMIT = 1 << 16
_STARTUP_LIMIT = 1 << 20
_CUSTOMIZE = ("sitecustomize", "usercustomize")


def evidence(location: Path) -> str:
    """Return a digest of what the venv at `location` shows; empty where that is not enough to go by.

    Shown are pyvenv.cfg, the interpreter it leads to, the names at the top of every site-packages,
    for each `*.dist-info` size, time and inode of METADATA and direct_url.json, and the content of
    what Python runs at every start. Records of other kinds, leftovers, startup code in a directory, and
    packages outside of the venv are not enough.
    """
    root = str(location)
    digest = sha256()
    try:
        digest.update(read_head(f"{root}/pyvenv.cfg", _CONFIGURATION_LIMIT))
        digest.update("\0".join(_interpreters(root)).encode("utf-8", "surrogateescape"))
        for site in _sites(root):
            digest.update(_shown(site).encode("utf-8", "surrogateescape"))
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


def _interpreters(root: str) -> list[str]:
    found: list[str] = []
    for name in _PYTHONS:
        path = f"{root}/{name}"
        if os.path.lexists(path):
            found += (name, os.path.realpath(path), _stamp(path))
    return found


def _sites(root: str) -> list[str]:
    """Return where packages are, each place once; raises ValueError for a venv without any of its own."""
    libraries = [f"{root}/Lib"]
    for parent in (f"{root}/lib", f"{root}/lib64"):
        if Path(parent).is_dir():
            libraries += [f"{parent}/{name}" for name in sorted(os.listdir(parent))]
    found = [
        os.path.realpath(site) for library in libraries if Path(site := f"{library}/site-packages").is_dir()
    ]
    inside = os.path.realpath(root) + os.sep
    if not found or not all(site.startswith(inside) for site in found):
        raise ValueError("no site-packages of its own")
    return list(dict.fromkeys(found))


def _shown(site: str) -> str:
    found = [site]
    for name in sorted(os.listdir(site)):
        path = f"{site}/{name}"
        if name.endswith(".dist-info"):
            found += (name, _stamp(f"{path}/METADATA"), _stamp_if_there(f"{path}/direct_url.json"))
        elif name.startswith("~") or name.endswith((".egg-info", ".egg-link")):
            raise ValueError("more would have to be read")
        elif (
            name.endswith(".pth")
            or name.startswith(_CUSTOMIZE)
            or (name.startswith("_") and name.endswith(".py"))
        ):
            found += (name, _stamp(path), sha256(_content(path)).hexdigest())
        elif name != "__pycache__":  # whoever imports a module at the top makes that
            found.append(name)
    return "\0".join(found)


def _content(path: str) -> bytes:
    content = read_head(path, _STARTUP_LIMIT)
    if len(content) == _STARTUP_LIMIT:
        raise ValueError("too large to be read on every run")
    return content


def _stamp(path: str) -> str:
    status = os.stat(path)  # noqa: PTH116, a path that is a text already
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _stamp_if_there(path: str) -> str:
    try:
        return _stamp(path)
    except FileNotFoundError:
        return ""
