"""Owns the matching of files with the hashes that RECORDs claim for them; makes no finding of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from nox_envs.integrity.claims import Claims
from nox_envs.integrity.hashing import hash_files
from nox_envs.integrity.record import digest_of
from nox_envs.integrity.stamps import Trust
from nox_envs.integrity.tree import Status, Tree


class Unpacked:
    """Tell which files nobody wrote to since an installer unpacked them: none is younger than METADATA.

    A wheel has its METADATA near its end, and nobody can edit what is not unpacked yet. METADATA itself
    has to be read.
    """

    def __init__(self, claims: Claims, tree: Tree) -> None:
        self._records = claims.records
        self._shared = claims.others
        paths = [os.path.join(owner.path, "METADATA") for owner in claims.owners]
        self._metadata = frozenset(paths)
        found = map(tree.files.get, paths)
        self._times = [status.st_mtime_ns if status else 0 for status in found]

    def unwritten(self, path: str, owner: int, row: int, status: Status) -> bool:
        """Tell it of one file; of one that several distributions own nothing can be told."""
        if status.st_mtime_ns > self._times[owner] or path in self._shared or path in self._metadata:
            return False
        return self._records[owner].sizes[row] == str(status.st_size)


class Matching:
    """Sort claims into right and wrong, file by file.

    `right` has for each owner the rows that are, `wrong` for each file and owner what was expected
    and found (empty: nothing), `linked` for each owner the files behind links out of the venv, which
    are not opened. `matched` has for each file that several own those for whom it is right.
    """

    def __init__(self, claims: Claims, tree: Tree, trust: Trust, unpacked: Unpacked | None = None) -> None:
        self._unpacked = unpacked
        self._claims = claims
        self._tree = tree
        self._trust = trust
        self._wanted: list[tuple[str, str, int]] = []
        self._asked: list[tuple[int, int, str, str]] = []
        self.right: dict[int, list[tuple[int, Status]]] = {}
        self.wrong: dict[str, dict[int, tuple[str, str]]] = {}
        self.linked: dict[int, list[str]] = {}
        self.matched: dict[str, set[int]] = {path: set() for path in claims.others}

    def look(self) -> None:
        """Sort the claims into right, wrong, and to be hashed, by what a listing tells."""
        find, trusts, regular = self._tree.files.get, self._trust.trusts, stat.S_ISREG
        unwritten = self._unpacked.unwritten if self._unpacked else _never
        for path, (owner, row, expected) in self._claims.first.items():
            if not expected or path.endswith(".pyc"):
                continue
            status = find(path)
            if status is None or not regular(status.st_mode):
                self._look_twice(path, owner, row, expected)
            elif trusts(owner, row, status) or unwritten(path, owner, row, status):
                self._accept(path, owner, row, status)
            else:
                self._ask(path, path, owner, row, expected, status)
        for path, claims in self._claims.others.items():
            for owner, row, expected in claims:
                if expected:
                    self._look_twice(path, owner, row, expected)

    def _look_twice(self, path: str, owner: int, row: int, expected: str) -> None:
        found = self._tree.find(path)
        if found == "outside":
            self.linked.setdefault(owner, []).append(path)
        elif isinstance(found, str):
            self._reject(path, owner, expected, found)
        elif stat.S_ISREG(found.st_mode):
            if self._trust.trusts(owner, row, found):
                self._accept(path, owner, row, found)
            else:
                self._ask(path, path, owner, row, expected, found)
        elif stat.S_ISLNK(found.st_mode):
            target = self._tree.target(path)
            if target:
                self._ask(path, target, owner, row, expected, found)
            elif os.path.exists(path):  # noqa: PTH110, hot
                self.linked.setdefault(owner, []).append(path)
            else:
                self._reject(path, owner, expected, "")
        else:
            kind = "directory" if stat.S_ISDIR(found.st_mode) else "special file"
            self._reject(path, owner, expected, f"a {kind}")

    def _accept(self, path: str, owner: int, row: int, status: Status) -> None:
        self.right.setdefault(owner, []).append((row, status))
        if path in self.matched:
            self.matched[path].add(owner)

    def _reject(self, path: str, owner: int, expected: str, found: str) -> None:
        self.wrong.setdefault(path, {})[owner] = (expected, found)

    def _ask(self, path: str, opened: str, owner: int, row: int, expected: str, status: Status) -> None:
        self._wanted.append((opened, expected.partition("=")[0], status.st_size))
        self._asked.append((owner, row, path, expected))

    def hash(self, threads: int, told: Callable[[int, int], None]) -> None:
        """Hash what no listing and no stamp tells; `told` gets the bytes done and those of all files."""
        total = sum(size for _, _, size in self._wanted)
        done = 0

        def add(size: int) -> None:
            nonlocal done
            done += size
            told(done, total)

        found = hash_files(self._wanted, threads=threads, told=add)
        for (owner, row, path, expected), actual in zip(self._asked, found, strict=True):
            if actual == expected or (digest_of(expected) and digest_of(actual) == digest_of(expected)):
                status = self._tree.find(path)
                assert not isinstance(status, str)
                self._accept(path, owner, row, status)
            else:
                self._reject(path, owner, expected, actual)


def _never(path: str, owner: int, row: int, status: Status) -> bool:
    return False
