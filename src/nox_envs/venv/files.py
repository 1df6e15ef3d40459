"""Installed files beside RECORDs and the receipt, above all those that run at every start (link 3)."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import PurePath
from typing import TypeAlias

from nox_envs.files import read_bytes, reason
from nox_envs.findings import FilesMode, Finding, Findings, finding
from nox_envs.lock.pins import INDEX, local_path
from nox_envs.spec.types import Pairs
from nox_envs.venv.receipt import Receipt
from nox_envs.venv.snapshot import Distribution, Snapshot, linked, unread

# PEP 427 asks for sha256 or better; the guaranteed algorithms of this family are these.
_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}
# What has become a link since it was listed is not opened, and a pipe does not make us wait.
_FLAGS = sum(getattr(os, f"O_{name}", 0) for name in ("RDONLY", "NOFOLLOW", "NONBLOCK", "BINARY", "CLOEXEC"))
# Of all RECORDs of a venv together.
_MOST_ROWS = 500_000
_CREATOR = Distribution(name="", version="", path="", source=INDEX)

# Who claims a file, with hash and size as a RECORD writes them.
Claim: TypeAlias = tuple[Distribution, str, str]


def read_record(one: Distribution) -> tuple[list[tuple[str, str, str]], str]:
    """Return the rows of a RECORD and what is wrong with it; an egg-info has none."""
    rows: list[tuple[str, str, str]] = []
    if not one.path.lower().endswith(".dist-info") or os.path.islink(one.path):  # noqa: PTH114, hot
        return rows, ""
    try:
        data = read_bytes(os.path.join(one.path, "RECORD"), 1 << 23, follow=False)
        if data.count(b"\n") > _MOST_ROWS:
            return [], "RECORD has too many rows"
        for number, row in enumerate(csv.reader(data.decode("utf-8").split("\n"), strict=True), start=1):
            path, expected, size = (*row, "", "", "")[:3]
            if (row and not path) or len(row) > 3 or "\0" in path:
                return [], f"RECORD line {number} is not a row of path, hash and size"
            # Nearly all hashes look like this.
            usual = len(expected) == 50 and expected.startswith("sha256=")
            if expected and not usual and not record_hash(expected):
                return [], f"RECORD line {number}: {expected[:60]!r} is not a hash by {', '.join(_SIZES)}"
            if row:
                rows.append((path, expected, size))
    except OSError as error:
        return [], f"RECORD {unread(error)}"
    except (UnicodeDecodeError, csv.Error) as error:
        return [], f"RECORD is not a table: {error}"
    return rows, ""


def record_hash(written: str) -> str:
    """Return a hash of a RECORD as `sha256:…` in hexadecimal, empty if it is not one.

    The rule is urlsafe base64 without padding (PEP 427); hexadecimal digits and the standard alphabet occur.
    """
    algorithm, _, text = written.partition("=")
    size = _SIZES.get(algorithm, 0)
    hexadecimal = len(text) == 2 * size
    try:
        plain = bytes.fromhex(text) if hexadecimal else base64.urlsafe_b64decode(f"{text.rstrip('=')}==")
    except ValueError:
        return ""
    return f"{algorithm}:{plain.hex()}" if size and len(plain) == size else ""


def claims_of(snapshot: Snapshot) -> tuple[dict[str, list[Claim]], list[Finding]]:
    """Return which distributions claim each file, and what is wrong with RECORDs."""
    claims: dict[str, list[Claim]] = {}
    defects: list[Finding] = []
    count = 0
    for one in snapshot.distributions:
        too_many = f"RECORD is not read: the other RECORDs have more than {_MOST_ROWS:,} rows"
        rows, defect = read_record(one) if count < _MOST_ROWS else ([], too_many)
        count += len(rows)
        site = os.path.dirname(one.path)  # noqa: PTH120, hot
        for written, expected, size in rows:
            if path := _placed(site, written, snapshot.location):
                claims.setdefault(path, []).append((one, expected, size))
            else:
                defect = defect or f"RECORD names what is not in the venv: {written[:200]!r}"
        if defect:
            path = os.path.join(one.path, "RECORD")
            defects.append(finding("broken-metadata", one.name, actual=defect, path=path))
    return claims, defects


def _placed(site: str, written: str, location: str) -> str:
    """Return the absolute path of a row of a RECORD (PEP 376) in `site`, empty if it leaves the venv."""
    plain = written[0] not in "./" and not ("/." in written or "//" in written or ":" in written)
    if plain and "\\" not in written:
        return f"{site}/{written}" if os.sep == "/" else f"{site}{os.sep}{written.replace('/', os.sep)}"
    path = os.path.normpath(os.path.join(site, written))
    return path if path.startswith(location + os.sep) else ""


def relative(path: str, snapshot: Snapshot) -> str:
    """Return a path of the venv as the receipt writes it: relative, with `/`."""
    return path[len(snapshot.location) + 1 :].replace(os.sep, "/")


def file_findings(snapshot: Snapshot, receipt: Receipt | None, *, mode: FilesMode) -> Findings:
    """Return what differs between the files of a venv and what its RECORDs and its receipt say of them.

    With mode `changed` a file is read only if it has another size than RECORD says, or was written since the
    receipt's `installed`; with `all` every file is read.
    """
    return tuple(_Files(snapshot, receipt, mode).findings())


class _Files:
    def __init__(self, snapshot: Snapshot, receipt: Receipt | None, mode: FilesMode) -> None:
        self._location = snapshot.location
        self._real = os.path.realpath(snapshot.location)
        self._since = receipt.installed if receipt and mode == "changed" else 0
        self._claims, self._defects = claims_of(snapshot)
        programs = snapshot.programs
        self._tops = {*snapshot.sites, programs} - {""}
        # What no RECORD names and is there all the same, or has another finding.
        self._known = {*snapshot.overrides, *snapshot.leftovers}
        for path, _ in snapshot.startup:
            self._known |= {path, os.path.dirname(path)}  # noqa: PTH120
        self._known |= {one.path for one in snapshot.distributions}
        self._known |= {os.path.join(programs, name) for name, _ in snapshot.interpreter.facts}
        if receipt and self._defects:  # any of these may be what the RECORD names
            self._known |= {os.path.join(site, name) for site in snapshot.sites for name in receipt.names}
        for shown, known in receipt.created if receipt else ():
            path = os.path.join(self._location, shown.replace("/", os.sep))
            self._known.add(path)
            if path.rpartition(os.sep)[0] == programs and known.startswith("sha256:") and "\0" not in path:
                self._claims.setdefault(path, [(_CREATOR, known.replace(":", "=", 1), "")])
        self._files: dict[str, os.stat_result] = {}
        self._strays: list[str] = []
        self._list()

    def _list(self) -> None:
        owned = set(self._tops)
        for path in self._claims:
            folder = path.rpartition(os.sep)[0]
            while folder not in owned and len(folder) > 1:
                owned.add(folder)
                folder = folder.rpartition(os.sep)[0]
        waiting = [*self._tops]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if not entry.is_dir(follow_symlinks=False):
                            self._files[entry.path] = entry.stat(follow_symlinks=False)
                        elif entry.path in owned or entry.name == "__pycache__":
                            waiting.append(entry.path)
                        else:
                            self._strays.append(entry.path)
            except OSError as error:
                actual = f"a folder that cannot be listed: {reason(error)}"
                self._defects.append(finding("unowned", actual=actual, path=folder))

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with RECORDs and the files that they claim, and what nothing put there."""
        yield from self._defects
        for path, claims in sorted(self._claims.items()):
            if not self._is_right(path, claims):
                yield from self._compared(path, [claim for claim in claims if claim[1]])
        # Python loads bytecode whether or not a RECORD lists it.
        claimed = {path for path in self._claims if not _is_cached(path)}
        for path in sorted({*self._files, *self._strays} - claimed - self._known):
            if actual := self._strange(path):
                yield finding("unowned", actual=actual, path=path)

    def _is_right(self, path: str, claims: list[Claim]) -> bool:
        """Return whether nothing is said of the content of a file, or nothing can have changed it."""
        _, expected, size = claims[0]
        if len(claims) > 1:
            return False
        if not expected or _is_cached(path):
            return True
        status = self._files.get(path)
        if status is None or status.st_mtime_ns >= self._since or str(status.st_size) != size:
            return False
        # uv links files from its cache, and each new link moves the ctime of all the others.
        written = status.st_nlink == 1 and status.st_ctime_ns >= self._since
        return not written and stat.S_ISREG(status.st_mode) and bool(status.st_mode & stat.S_IRUSR)

    def _compared(self, path: str, claims: list[Claim]) -> Iterator[Finding]:
        """Yield that a file is not what RECORD says, or is the copy of another distribution."""
        name = PurePath(path).name
        found = {claim: self._content(path, claim.partition("=")[0]) for _, claim, _ in claims}
        right = next((owner.name for owner, claim, _ in claims if record_hash(claim) == found[claim]), "")
        for owner, claim, _ in claims:
            expected, actual = record_hash(claim), found[claim]
            if expected == actual or name in owner.defect:  # the snapshot has told the defect
                continue
            if right:
                mine, other = f"{name} of {owner.name}", f"{name} of {right}"
                yield finding("clobbered", owner.name, expected=mine, actual=other, path=path)
                continue
            if actual == "missing":
                yield finding("file-missing", owner.name, expected=name, path=path)
                return
            fix = ""
            if actual.startswith("sha") and os.lstat(path).st_nlink > 1:
                actual += " (probably a link to uv's cache, which then has the edit too)"
                fix = f"uv cache clean {owner.name}"
            yield finding("file-modified", owner.name, expected=expected, actual=actual, path=path, fix=fix)
            return

    def _content(self, path: str, algorithm: str) -> str:
        """Return the hash of a file of the venv as `sha256:…`, or what is in place of one."""
        made = hashlib.new(algorithm)
        try:
            status = self._files.get(path) or os.lstat(path)
            folder = path.rpartition(os.sep)[0]
            inside = self._real + folder[len(self._location) :]
            if path not in self._files and os.path.realpath(folder) != inside:
                return "a file behind a link"
            if stat.S_ISLNK(status.st_mode):
                return f"a link to {os.readlink(path)}"  # noqa: PTH115, hot
            if not stat.S_ISREG(status.st_mode):
                return "a directory" if stat.S_ISDIR(status.st_mode) else "a special file"
            with open(path, "rb", buffering=0, opener=_open) as stream:
                while data := stream.read(1 << 16):
                    made.update(data)
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        except OSError as error:
            return f"cannot be read: {reason(error)}"
        return f"{algorithm}:{made.hexdigest()}"

    def _strange(self, path: str) -> str:
        """Return what something is that nothing claims, empty for the bytecode of a module that is there."""
        folder, _, name = path.rpartition(os.sep)
        if path not in self._files:
            importable = (folder in self._tops and name.isidentifier()) or f"{path}.py" in self._files
            with suppress(OSError):  # what cannot be listed may hold anything
                if not importable and not os.listdir(path):
                    return ""
            return "a folder that no distribution owns"
        cached = _is_cached(path)
        above = folder.removesuffix("__pycache__") if cached else f"{folder}{os.sep}"
        sources = [f"{above}{name[: dot.start()]}.py" for dot in re.finditer(r"\.", name)]
        bytecode = re.search(r"\.pyc(?:\.[0-9]+)?$", name) is not None
        if not bytecode or self._files.keys().isdisjoint(sources):
            return "" if path in self._claims else "a file that no distribution owns"
        head = b""
        with suppress(OSError):
            if stat.S_ISREG(self._files[path].st_mode):
                with open(path, "rb", opener=_open) as stream:
                    head = stream.read(16)
        hashes = [expected for _, expected, _ in self._claims.get(path, ()) if expected]
        owned = any(record_hash(one) == self._content(path, one.partition("=")[0]) for one in hashes)
        # While Python writes one, its name ends in a number.
        if owned or not (cached and path.endswith(".pyc")):
            return ""
        if len(head) < 16 or head[2:4] != b"\r\n":
            return "a file that is not bytecode"
        # The flags of hash-based files (PEP 552).
        return "bytecode that Python uses without looking at its source" if head[4:8] == b"\1\0\0\0" else ""


def _is_cached(path: str) -> bool:
    folder, _, name = path.rpartition(os.sep)
    return folder.endswith("__pycache__") and ".pyc" in name


def _open(path: str, _: int) -> int:
    return os.open(path, _FLAGS)


# Start-up files: `*.pth` with the modules that they import, and customizing modules (Python's `site`).


def startup_findings(snapshot: Snapshot, receipt: Receipt, excused: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for each start-up file that is not as the receipt knows it.

    `excused` are the names of distributions that have a finding of their own.
    """
    known = {**dict(receipt.created), **dict(receipt.startup)}
    changed = [one for one in snapshot.startup if known.get(relative(one[0], snapshot)) != one[1]]
    changed = [one for one in changed if not _is_of_egg_links(one[0], snapshot)]
    claims = claims_of(snapshot)[0] if changed else {}
    for path, actual in changed:
        names = [owner.name for owner, _, _ in claims.get(path, ())]
        expected = known.get(relative(path, snapshot), "")
        if expected and names and set(names).isdisjoint(excused):
            yield finding("file-modified", names[0], expected=expected, actual=actual, path=path)
        elif set(names).isdisjoint(excused):
            yield finding("startup-hook", expected=expected, actual=_told(path), path=path)


def _is_of_egg_links(path: str, snapshot: Snapshot) -> bool:
    """Return whether a `.pth` file has the folders of egg-links, which are compared, and nothing else."""
    links = [one for one in snapshot.distributions if one.path.endswith(".egg-link") and not one.defect]
    if not links or not path.endswith("easy-install.pth"):
        return False
    # The modules are in the folder of the project.
    named = [(linked(one.path)[0], PurePath(local_path(one.source.url))) for one in links]
    folders = {folder for folder, project in named if PurePath(folder).is_relative_to(project)}
    try:
        lines = read_bytes(path, 1 << 16, follow=False).decode("utf-8", "replace").split("\n")
    except OSError:
        return False
    return folders.issuperset(filter(None, map(str.strip, lines)))


def owned_startup(snapshot: Snapshot) -> Pairs:
    """Return path and digest of the start-up files that are as a RECORD says."""
    claims = claims_of(snapshot)[0] if snapshot.startup else {}
    return tuple(
        (relative(path, snapshot), found)
        for path, found in snapshot.startup
        if any(record_hash(expected) in ("", found) for _, expected, _ in claims.get(path, ()))
    )


def _told(path: str) -> str:
    """Return the line of a start-up file that says most of what it does; of a link, where it leads."""
    if os.path.islink(path):  # noqa: PTH114
        return f"a link to {os.readlink(path)}"  # noqa: PTH115
    try:
        text = read_bytes(path, 1 << 16, follow=False).decode("utf-8", "replace")
    except OSError:
        return f"something that cannot be read ({PurePath(path).name})"
    line = re.search(r"(?m)^(?:import|from)[ \t].*", text) or re.search(r"(?m)^[ \t]*[^#\s].*", text)
    return line[0].strip()[:100] if line else "an empty file"
