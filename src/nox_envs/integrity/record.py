"""Owns the reading of RECORD files; opens none of the files that they name."""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import os
import re
from pathlib import Path

from nox_envs.files import read_head
from nox_envs.integrity.types import Record

RECORD_LIMIT = 1 << 25
# PEP 427 asks for sha256 or better; the guaranteed algorithms of this family are these.
_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}


def read_record(path: str) -> Record:
    """Read the RECORD of the distribution whose `*.dist-info` or `*.egg-info` is at `path`.

    An `*.egg-info` may have installed-files.txt in its place, without hashes (what pip left there in
    its old days). What cannot be read is told in `defect`.
    """
    if not path.endswith(".dist-info"):
        return _of_egg_info(path)
    try:
        data = read_head(os.path.join(path, "RECORD"), RECORD_LIMIT)
    except FileNotFoundError:
        return Record(whole=False, defect="RECORD is missing")
    except (OSError, ValueError) as error:
        return Record(whole=False, defect=f"RECORD cannot be read: {_reason(error)}")
    if len(data) == RECORD_LIMIT:
        return Record(whole=False, defect=f"RECORD is larger than {RECORD_LIMIT >> 20} MiB")
    return parse_record(data)


def parse_record(data: bytes) -> Record:
    """Parse a RECORD: rows of path, hash and size, of which the last two may be left out."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Record(digest=digest, whole=False, defect=f"RECORD is not UTF-8 (byte {error.start})")
    try:
        return _parse_rows(_rows(text), digest)
    except csv.Error as error:
        return Record(digest=digest, whole=False, defect=f"RECORD is no table: {error}")


def _rows(text: str) -> list[list[str]]:
    if '"' in text:
        return list(csv.reader(text.splitlines(keepends=True), strict=True))
    return [line.rstrip("\r").split(",") for line in text.split("\n")]


def _parse_rows(rows: list[list[str]], digest: str) -> Record:
    paths: list[str] = []
    hashes: list[str] = []
    sizes: list[str] = []
    defect = ""
    for number, row in enumerate(rows, start=1):
        if not row or row == [""]:
            continue
        path = row[0]
        if not path or len(row) > 3 or "\0" in path:
            defect = defect or f"RECORD line {number} is no row of path, hash and size"
            continue
        expected = row[1] if len(row) > 1 else ""
        if expected and not (expected.startswith("sha256=") and len(expected) == 50):
            wrong = _hash_defect(expected)
            if wrong:
                defect = defect or f"RECORD line {number}: {wrong}"
                expected = ""
        paths.append(path)
        hashes.append(expected)
        sizes.append(row[2] if len(row) > 2 else "")
    return Record(
        paths=tuple(paths),
        hashes=tuple(hashes),
        sizes=tuple(sizes),
        digest=digest,
        whole=not defect,
        defect=defect,
    )


def _hash_defect(written: str) -> str:
    algorithm, equals, _ = written.partition("=")
    if not equals:
        return f"{_shown(written)} is no hash"
    if algorithm not in _SIZES:
        return f"hashes by {_shown(algorithm)} are not trusted, only by {', '.join(_SIZES)}"
    return "" if digest_of(written) else f"{_shown(written)} is no {algorithm} hash"


def digest_of(written: str) -> str:
    """Return a hash of a RECORD as `sha256:…` in hexadecimal, empty if it is none.

    The rule is urlsafe base64 without padding (PEP 427); hexadecimal digests and the standard
    alphabet occur in the wild.
    """
    algorithm, _, value = written.partition("=")
    size = _SIZES.get(algorithm, 0)
    if size and re.fullmatch(rf"[0-9a-fA-F]{{{2 * size}}}", value):
        return f"{algorithm}:{value.lower()}"
    bare = value.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    return f"{algorithm}:{decoded.hex()}" if size and len(decoded) == size else ""


def _of_egg_info(path: str) -> Record:
    """Read installed-files.txt of an `*.egg-info`, whose paths are relative to it; others tell no files."""
    folder = Path(path)
    try:
        text = read_head(str(folder / "installed-files.txt"), RECORD_LIMIT).decode("utf-8")
    except (OSError, ValueError):
        return Record(whole=False)
    paths = [f"{folder.name}/{line}" for line in text.splitlines() if line]
    return Record(paths=tuple(paths), hashes=("",) * len(paths), sizes=("",) * len(paths))


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _shown(text: str) -> str:
    return repr(text[:60])
