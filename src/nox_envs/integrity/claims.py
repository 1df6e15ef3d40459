"""Owns who claims which file: every RECORD of a venv, placed on disk; opens no file that one names."""

from __future__ import annotations

import hashlib
import os
from collections import Counter

from nox_envs.integrity.record import read_record
from nox_envs.integrity.tree import placed
from nox_envs.integrity.types import Record
from nox_envs.receipt import Receipt
from nox_envs.snapshot import Distribution, Snapshot
from nox_envs.values import value

# What installers write into a *.dist-info themselves; it is not part of an artifact.
_INSTALLED = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"})


@value
class Claim:
    """Hold that a row of a distribution's RECORD names a file: the numbers of both, and the hash."""

    owner: int
    row: int
    hash: str


class Claims:
    """Hold the RECORDs of a snapshot, and for each file its claims; the receipt tells what they were.

    `first` is the claim of most files, `others` those of files that several distributions own;
    `outside` counts for each owner the rows that leave the venv, which are never looked at.
    """

    def __init__(self, snapshot: Snapshot, receipt: Receipt | None = None) -> None:
        distributions = receipt.distributions if receipt else ()
        self._installed = {(d.name, d.version): d.record for d in distributions}
        self.owners: tuple[Distribution, ...] = snapshot.distributions
        self.records: tuple[Record, ...] = tuple(read_record(owner.path) for owner in self.owners)
        self.first: dict[str, tuple[int, int, str]] = {}
        self.others: dict[str, list[tuple[int, int, str]]] = {}
        self.outside: dict[int, list[str]] = {}
        counts = Counter(owner.name for owner in self.owners)
        self.doubled = {number for number, owner in enumerate(self.owners) if counts[owner.name] > 1}
        for number, (owner, record) in enumerate(zip(self.owners, self.records, strict=True)):
            self._add(number, owner, record, snapshot.location)

    def _add(self, number: int, owner: Distribution, record: Record, location: str) -> None:
        site = os.path.dirname(owner.path)  # noqa: PTH120, hot
        first = self.first
        for row, (written, expected) in enumerate(zip(record.paths, record.hashes, strict=True)):
            path = placed(site, written, location)
            if not path:
                self.outside.setdefault(number, []).append(written)
            elif path in first:
                if first[path][0] != number:
                    self.others.setdefault(path, []).append((number, row, expected))
            else:
                first[path] = (number, row, expected)

    def of(self, path: str) -> tuple[Claim, ...]:
        """Return the claims on a file."""
        rows = ([self.first[path]] if path in self.first else []) + self.others.get(path, [])
        return tuple(Claim(owner=owner, row=row, hash=expected) for owner, row, expected in rows)

    def recorded(self, owner: int) -> str:
        """Return the sha256 that the RECORD of a distribution had when it was installed.

        It is empty where the receipt has none, or another version.
        """
        found = self.owners[owner]
        return self._installed.get((found.name, found.version), "")

    def rewritten(self, owner: int) -> bool:
        """Tell whether a RECORD is not the one that the receipt has of the same version."""
        return self.recorded(owner) not in ("", self.records[owner].digest)


def content_digest(owner: Distribution, record: Record) -> str:
    """Return the sha256 over the rows of a RECORD that come from the artifact, whoever installed it."""
    rows = sorted(
        f"{path}\0{expected}"
        for path, expected in zip(record.paths, record.hashes, strict=True)
        if expected and comes_from_artifact(owner, path)
    )
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()


def comes_from_artifact(owner: Distribution, written: str) -> bool:
    """Tell whether a row of a RECORD is of a file that the artifact has, not one that installers write."""
    if written.startswith("../"):
        return False
    folder, _, name = written.rpartition("/")
    if name not in _INSTALLED and not name.startswith("uv_"):
        return True
    return folder != os.path.basename(owner.path)  # noqa: PTH119


def wheel_hash(owner: Distribution, record: Record) -> str:
    """Return the hash of the file WHEEL, which differs between most builds of one version."""
    wanted = f"{os.path.basename(owner.path)}/WHEEL"  # noqa: PTH119
    return next((h for path, h in zip(record.paths, record.hashes, strict=True) if path == wanted), "")
