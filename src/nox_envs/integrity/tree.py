"""Owns the listing of a venv's files and the question whether a path stays inside it; opens no file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

Status = os.stat_result


class Tree:
    """Hold the files of a venv's site-packages, and look up others of the venv one by one.

    Symbolic links are never followed on the way: what is behind one is asked for by `find`.
    """

    def __init__(self, location: str, sites: tuple[str, ...]) -> None:
        self.location = location
        self.sites = sites
        self.files: dict[str, Status] = {}
        self._root = os.path.realpath(location) + os.sep
        self._inside: dict[str, bool] = {}
        for site in sites:
            self._list(site)

    def _list(self, site: str) -> None:
        """List regular files and links below `site` without byte code and what pip left half-removed."""
        waiting = [site]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        name = entry.name
                        if entry.is_dir(follow_symlinks=False):
                            if name != "__pycache__" and not (folder == site and name[0] == "~"):
                                waiting.append(entry.path)
                        elif not name.endswith(".pyc"):
                            self.files[entry.path] = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # what is owned in there is asked for by `find`, which says why it cannot be read

    def find(self, path: str) -> Status | str:
        """Return the status of a file of the venv, not following a link, or why there is none.

        An empty reason means that it is missing; a file behind a link that leads out of the venv is
        `outside`.
        """
        known = self.files.get(path)
        if known is not None:
            return known
        if not self._is_inside(os.path.dirname(path)):  # noqa: PTH120, hot
            return "outside"
        try:
            return os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except (OSError, ValueError) as error:
            return f"cannot be read: {(error.strerror if isinstance(error, OSError) else '') or error}"

    def _is_inside(self, folder: str) -> bool:
        known = self._inside.get(folder)
        if known is None:
            known = (os.path.realpath(folder) + os.sep).startswith(self._root)
            self._inside[folder] = known
        return known

    def target(self, path: str) -> str:
        """Return the regular file inside the venv that a link leads to, empty if there is none."""
        try:
            resolved = os.path.realpath(path)
            inside = resolved.startswith(self._root)
            return resolved if inside and stat.S_ISREG(os.lstat(resolved).st_mode) else ""
        except (OSError, ValueError):
            return ""


def placed(site: str, written: str, location: str) -> str:
    """Return the absolute path of a row of a RECORD in `site`, empty if it leaves the venv.

    Rows are relative to site-packages, with `/` (PEP 376, RECORD); nothing is looked up.
    """
    plain = written[0] not in "./" and not ("/." in written or "//" in written or ":" in written)
    if plain and "\\" not in written:
        return f"{site}/{written}" if os.sep == "/" else f"{site}{os.sep}{written.replace('/', os.sep)}"
    path = os.path.normpath(os.path.join(site, written))
    return path if path.startswith(location + os.sep) else ""


def folders_of(paths: Iterable[str], sites: tuple[str, ...]) -> set[str]:
    """Return every folder between a site-packages directory and one of the paths."""
    found = set(sites)
    for path in paths:
        folder = path.rpartition(os.sep)[0]
        while folder not in found and len(folder) > 1:
            found.add(folder)
            folder = folder.rpartition(os.sep)[0]
    return found
