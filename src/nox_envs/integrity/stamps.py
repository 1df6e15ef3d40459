"""Owns the stamps: size and time of each file that was right, in a file beside the receipt."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from nox_envs.files import read_head, write_atomically
from nox_envs.integrity.claims import Claims, content_digest, wheel_hash
from nox_envs.integrity.tree import Status
from nox_envs.integrity.types import Stamp
from nox_envs.snapshot import Snapshot

FILE_NAME = "nox-envs-files.json"
SCHEMA = 1

_LIMIT = 1 << 26


class Trust:
    """Tell which files need no second look; stamps of another RECORD than the present one count nothing."""

    def __init__(self, snapshot: Snapshot, claims: Claims, stamps: tuple[Stamp, ...]) -> None:
        by_path = {os.path.join(snapshot.location, stamp.distribution): stamp for stamp in stamps}
        self._sizes: list[tuple[int, ...]] = []
        self._times: list[tuple[int, ...]] = []
        for owner, record in zip(claims.owners, claims.records, strict=True):
            stamp = by_path.get(owner.path)
            valid = stamp is not None and stamp.record == record.digest
            self._sizes.append(stamp.sizes if stamp and valid else ())
            self._times.append(stamp.times if stamp and valid else ())

    def trusts(self, owner: int, row: int, status: Status) -> bool:
        """Tell whether a file has the size and the time that it had when it was right."""
        times = self._times[owner]
        if row >= len(times) or not times[row]:
            return False
        return times[row] == status.st_mtime_ns and self._sizes[owner][row] == status.st_size


def stamps_of(
    snapshot: Snapshot, claims: Claims, right: dict[int, list[tuple[int, Status]]]
) -> tuple[Stamp, ...]:
    """Return the stamps of the files that are right, given for each owner by row."""
    made: list[Stamp] = []
    for number, (owner, record) in enumerate(zip(claims.owners, claims.records, strict=True)):
        sizes, times = [0] * len(record.paths), [0] * len(record.paths)
        for row, status in right.get(number, []):
            sizes[row], times[row] = status.st_size, status.st_mtime_ns
        made.append(
            Stamp(
                distribution=Path(os.path.relpath(owner.path, snapshot.location)).as_posix(),
                record=record.digest,
                content=content_digest(owner, record),
                wheel=wheel_hash(owner, record),
                sizes=tuple(sizes),
                times=tuple(times),
            )
        )
    return tuple(made)


def write(venv: Path, stamps: tuple[Stamp, ...]) -> None:
    """Write the stamps of the venv at `venv` in one step; raises NoxEnvsError."""
    rows = [
        [s.distribution, s.record, s.content, s.wheel, list(s.sizes), list(s.times)]
        for s in sorted(stamps, key=lambda stamp: stamp.distribution)
    ]
    text = json.dumps({"schema": SCHEMA, "distributions": rows}, separators=(",", ":"))
    write_atomically(venv / FILE_NAME, text + "\n")


def read(venv: Path) -> tuple[Stamp, ...]:
    """Read the stamps of the venv at `venv`; none where there is no file that can be trusted."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        document = json.loads(read_head(str(venv / FILE_NAME), _LIMIT).decode("utf-8"))
        if isinstance(document, dict) and document.get("schema") == SCHEMA:
            rows = document.get("distributions")
            return tuple(_stamp(row) for row in rows) if isinstance(rows, list) else ()
    return ()


def _stamp(row: object) -> Stamp:
    if not isinstance(row, list) or len(row) != 6:
        raise ValueError("no stamp")
    texts: list[object] = row[:4]
    sizes, times = _numbers(row[4]), _numbers(row[5])
    distribution, record, content, wheel = (text for text in texts if isinstance(text, str))
    if len(sizes) != len(times):
        raise ValueError("not a size and a time for each row")
    return Stamp(
        distribution=distribution, record=record, content=content, wheel=wheel, sizes=sizes, times=times
    )


def _numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    numbers: list[object] = value
    if {type(number) for number in numbers} - {int}:
        raise ValueError("not numbers")
    return tuple(number for number in numbers if isinstance(number, int))
