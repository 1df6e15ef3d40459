"""Installed files beside the RECORD of each distribution (link 3)."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from nox_envs.errors import Invalid
from nox_envs.files import digest, read_bytes, reason
from nox_envs.findings import FilesMode, Finding, finding
from nox_envs.terminal import Told
from nox_envs.venv.receipt import Receipt
from nox_envs.venv.snapshot import Distribution, Snapshot, is_interpreter, is_startup, programs, unread

_RECORD_LIMIT = 1 << 23
_MOST_ROWS = 500_000
# PEP 427 asks for sha256 or better; the guaranteed algorithms of this family are these.
_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}
_BIG = 1 << 16
_CHUNK = 1 << 20
# What has become a link since it was listed is not opened, and a pipe does not make us wait.
_FLAGS = sum(getattr(os, f"O_{name}", 0) for name in ("RDONLY", "NOFOLLOW", "NONBLOCK", "BINARY", "CLOEXEC"))
# Bytecode that Python uses without looking at its source: the flags of hash-based files (PEP 552).
_UNCHECKED = b"\1\0\0\0"

# Path, hash and size, as a RECORD writes them; and who claims a file, with hash and size.
Row = tuple[str, str, str]
Claim = tuple[Distribution, str, str]


def read_record(path: str, most: int = _MOST_ROWS) -> list[Row]:
    """Return the rows of the RECORD in the `*.dist-info` at `path`; hash and size may be empty.

    Raises Invalid for a RECORD that is missing, malformed, or has more than `most` rows.
    """
    try:
        data = read_bytes(os.path.join(path, "RECORD"), _RECORD_LIMIT, follow=False)
        if data.count(b"\n") > most:
            raise Invalid("RECORD has too many rows")
        rows = csv.reader(data.decode("utf-8").split("\n"), strict=True)
        return [_row(row, number) for number, row in enumerate(rows, start=1) if row]
    except OSError as error:
        raise Invalid(f"RECORD {unread(error)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"RECORD is not a table: {error}") from None


def _row(row: list[str], number: int) -> Row:
    path, expected, size = (*row, "", "")[:3]
    if not path or len(row) > 3 or "\0" in path:
        raise Invalid(f"RECORD line {number} is not a row of path, hash and size")
    # Nearly all hashes look like this.
    if expected and not (len(expected) == 50 and expected.startswith("sha256=")) and not digest_of(expected):
        raise Invalid(f"RECORD line {number}: {expected[:60]!r} is not a hash by {', '.join(_SIZES)}")
    return path, expected, size


def digest_of(written: str) -> str:
    """Return a hash of a RECORD as `sha256:…` in hexadecimal, empty if it is not one.

    The rule is urlsafe base64 without padding (PEP 427); hexadecimal digits and the standard alphabet occur.
    """
    algorithm, _, text = written.partition("=")
    size = _SIZES.get(algorithm, 0)
    try:
        plain = (
            bytes.fromhex(text)
            if len(text) == 2 * size
            else base64.urlsafe_b64decode(f"{text.rstrip('=')}==")
        )
    except ValueError:
        return ""
    return f"{algorithm}:{plain.hex()}" if size and len(plain) == size else ""


def file_findings(
    snapshot: Snapshot, receipt: Receipt | None, *, mode: FilesMode, told: Told = lambda *_: None
) -> tuple[Finding, ...]:
    """Return what differs between the files of a venv and what its RECORDs and its receipt say of them.

    With mode `changed` a file is read only if it has another size than RECORD says, or was written since the
    receipt's `installed`; with `all` every file is read. `told` gets the bytes read and those of all files.
    """
    files = _Files(snapshot, receipt, mode)
    return (*files.claimed(told), *files.unowned(), *files.created())


class _Files:
    """The files of a venv: which RECORD claims each of them, and which are on disk."""

    def __init__(self, snapshot: Snapshot, receipt: Receipt | None, mode: FilesMode) -> None:
        self._snapshot = snapshot
        self._real = os.path.realpath(snapshot.location)
        self._created = dict(receipt.created) if receipt else {}
        self._untold: frozenset[str] = frozenset()
        self._since = receipt.installed if receipt and mode == "changed" else 0
        self._defects: list[Finding] = []
        self._claims: dict[str, list[Claim]] = {}
        self._claim(frozenset(receipt.names if receipt else ()))
        folder = programs(snapshot.location)
        self._programs = folder if os.path.realpath(folder).startswith(self._real + os.sep) else ""
        self._tops = (*snapshot.sites, self._programs) if self._programs else snapshot.sites
        self._files: dict[str, os.stat_result] = {}
        self._folders: list[str] = []
        for top in self._tops:
            self._list(top)

    def _claim(self, names: frozenset[str]) -> None:
        """Read every RECORD; of two distributions of one name neither is held to its files.

        Where a RECORD cannot be read, any of `names` may be what it owns.
        """
        counts = Counter(one.name for one in self._snapshot.distributions)
        left = _MOST_ROWS
        for one in self._snapshot.distributions:
            rows, defect = claimed_rows(one, left)
            left -= len(rows)
            self._untold = names if defect else self._untold
            site = os.path.dirname(one.path)  # noqa: PTH120, hot
            for written, expected, size in rows:
                if path := placed(site, written, self._snapshot.location):
                    claim = (one, expected if counts[one.name] == 1 else "", size)
                    self._claims.setdefault(path, []).append(claim)
                else:
                    defect = defect or f"RECORD names what is not in the venv: {written[:200]!r}"
            if defect and counts[one.name] == 1:
                path = os.path.join(one.path, "RECORD")
                self._defects.append(finding("broken-metadata", one.name, actual=defect, path=path))

    def _list(self, top: str) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            self._folders.append(folder)
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if not entry.is_dir(follow_symlinks=False):
                            self._files[entry.path] = entry.stat(follow_symlinks=False)
                        elif folder != top or entry.name[0] != "~":  # a leftover has its own finding
                            waiting.append(entry.path)
            except OSError as error:
                actual = f"a folder that cannot be listed: {reason(error)}"
                self._defects.append(finding("unowned", actual=actual, path=folder))

    def claimed(self, told: Told) -> Iterator[Finding]:
        """Yield what is wrong with the files that a RECORD claims."""
        yield from self._defects
        suspects = {
            path: [claim for claim in claims if claim[1]]
            for path, claims in self._claims.items()
            if not self._is_right(path, claims)
        }
        states = {path: self._state(path) for path in suspects}
        wanted = [(path, one) for path in suspects if not states[path] for _, one, _ in suspects[path]]
        sizes = [self._files[path].st_size if path in self._files else 0 for path, _ in wanted]
        hashes = dict(zip(wanted, hash_files(wanted, sizes, told), strict=True))
        for path, claims in sorted(suspects.items()):
            found = {expected: states[path] or hashes[path, expected] for _, expected, _ in claims}
            yield from _compared(path, claims, found)

    def _is_right(self, path: str, claims: list[Claim]) -> bool:
        """Return whether nothing is said of the content of a file, or nothing can have changed it."""
        _, expected, size = claims[0]
        if len(claims) > 1:
            return False
        if not expected or (path.endswith(".pyc") and "__pycache__" in path):
            return True
        status = self._files.get(path)
        if status is None or status.st_mtime_ns >= self._since or str(status.st_size) != size:
            return False
        # uv links files from its cache, and each new link moves the ctime of all the others.
        written = status.st_nlink == 1 and status.st_ctime_ns >= self._since
        return not written and stat.S_ISREG(status.st_mode) and bool(status.st_mode & stat.S_IRUSR)

    def _state(self, path: str) -> str:
        """Return what is in place of a regular file of the venv, empty if there is one."""
        status = self._files.get(path)
        try:
            if status is None:
                status = os.lstat(path)
                folder = os.path.dirname(path)  # noqa: PTH120, hot
                if os.path.realpath(folder) != self._real + folder[len(self._snapshot.location) :]:
                    return "a file behind a link"
            if stat.S_ISLNK(status.st_mode):
                return f"a link to {os.readlink(path)}"  # noqa: PTH115, hot
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        except OSError as error:
            return f"cannot be read: {reason(error)}"
        if stat.S_ISDIR(status.st_mode):
            return "a directory"
        return "" if stat.S_ISREG(status.st_mode) else "a special file"

    def unowned(self) -> Iterator[Finding]:
        """Yield what neither a distribution nor the creator put into site-packages and `bin`."""
        owned = _folders_of(self._claims, set(self._tops))
        owned |= {f"{folder}{os.sep}__pycache__" for folder in owned}
        full = _folders_of(self._files, owned)
        folders = [folder for folder in self._folders if folder not in full]
        found: dict[str, list[str]] = {}
        for path in (*self._files, *folders):
            if path not in self._claims and (what := self._strange(path)):
                top = path
                while (folder := top.rpartition(os.sep)[0]) not in owned:
                    top = folder
                if not self._is_expected(top):
                    found.setdefault(top, []).append(what)
        for top, told in sorted(found.items()):
            actual = told[0] if len(told) == 1 else f"{len(told)} files that no distribution owns"
            yield finding("unowned", actual=actual, path=top)

    def _is_expected(self, top: str) -> bool:
        """Return whether something that no RECORD names is there all the same, or has another finding."""
        folder, _, name = top.rpartition(os.sep)
        if folder == self._programs:
            known = is_interpreter(name) or name == "__pycache__" or top in self._snapshot.overrides
        else:
            hook = folder in self._tops and is_startup(name)
            known = hook or any(top == one.path for one in self._snapshot.distributions)
            known = known or (folder in self._tops and name in self._untold)
        return known or relative(top, self._snapshot) in self._created

    def _strange(self, path: str) -> str:
        """Return what a file is that nothing claims, empty for the bytecode of a module that is there."""
        folder, _, name = path.rpartition(os.sep)
        if path not in self._files:  # a folder
            importable = folder in self._tops or f"{path}.py" in self._files
            return "an empty folder that Python can import" if importable and name != "__pycache__" else ""
        if not folder.endswith("__pycache__"):
            known = name.endswith(".pyc") and path[:-1] in self._files
            return "" if known else "a file that no distribution owns"
        words = name.split(".")
        source = folder.removesuffix("__pycache__")
        beside = any(f"{source}{'.'.join(words[:n])}.py" in self._files for n in range(1, len(words)))
        if not beside or not re.search(r"\.pyc(?:\.[0-9]+)?$", name):
            return "a file that is not the bytecode of a module beside it"
        return "bytecode that Python uses without looking at its source" if _is_unchecked(path) else ""

    def created(self) -> Iterator[Finding]:
        """Yield the programs of the venv's creator that are not as it wrote them."""
        folder = self._programs
        for shown, known in self._created.items():
            path = os.path.join(folder, PurePath(shown).name)
            if not folder or shown != relative(path, self._snapshot) or path in self._claims:
                continue
            if path not in self._files:
                yield finding("file-missing", expected=PurePath(shown).name, path=path)
            elif known != (now := file_digest(path)):
                yield finding("file-modified", expected=known, actual=now, path=path)


def relative(path: str, snapshot: Snapshot) -> str:
    """Return a path of the venv as the receipt writes it: relative, with `/`."""
    return path[len(snapshot.location) + 1 :].replace(os.sep, "/")


def file_digest(path: str) -> str:
    """Return what tells one content of a file from another: `sha256:…`, or `link:…` and its target."""
    if os.path.islink(path):  # noqa: PTH114, hot
        return f"link:{os.readlink(path)}"  # noqa: PTH115, hot
    return f"sha256:{digest(path, follow=False)}"


def placed(site: str, written: str, location: str) -> str:
    """Return the absolute path of a row of a RECORD in `site`, empty if it leaves the venv.

    Rows are relative to site-packages, with `/` (PEP 376, RECORD); nothing is looked up.
    """
    plain = written[0] not in "./" and not ("/." in written or "//" in written or ":" in written)
    if plain and "\\" not in written:
        return f"{site}/{written}" if os.sep == "/" else f"{site}{os.sep}{written.replace('/', os.sep)}"
    path = os.path.normpath(os.path.join(site, written))
    return path if path.startswith(location + os.sep) else ""


def claimed_rows(one: Distribution, most: int = _MOST_ROWS) -> tuple[list[Row], str]:
    """Return the rows of a RECORD and what is wrong with it; an egg-info does not tell its files."""
    try:
        told = one.path.lower().endswith(".dist-info") and not os.path.islink(one.path)  # noqa: PTH114
        return (read_record(one.path, most) if told else []), ""
    except Invalid as error:
        return [], error.message


def _folders_of(paths: Iterable[str], known: set[str]) -> set[str]:
    """Return the folders around some paths, up to those that are known, and these."""
    found = set(known)
    for path in paths:
        folder = path.rpartition(os.sep)[0]
        while folder not in found and len(folder) > 1:
            found.add(folder)
            folder = folder.rpartition(os.sep)[0]
    return found


def _is_unchecked(path: str) -> bool:
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS)) as stream:
            return stream.read(8)[4:] == _UNCHECKED
    except OSError:
        return True  # what cannot be read is not known to be checked


def _compared(path: str, claims: list[Claim], found: dict[str, str]) -> Iterator[Finding]:
    """Yield that a file is not what RECORD says, or is the copy of another distribution."""
    name = PurePath(path).name
    right = [claim for claim in claims if _is_same(claim[1], found[claim[1]])]
    wrong = [claim for claim in claims if claim not in right]
    for owner, expected, _ in wrong if right else wrong[:1]:
        actual = digest_of(found[expected]) or found[expected]
        if right:
            mine, other = f"{name} of {owner.name}", f"{name} of {right[0][0].name}"
            yield finding("clobbered", owner.name, expected=mine, actual=other, path=path)
        elif name in owner.defect:  # the snapshot has said it already
            continue
        elif actual == "missing":
            yield finding("file-missing", owner.name, expected=name, path=path)
        else:
            # uv links files from its cache.
            shared = os.lstat(path).st_nlink if digest_of(found[expected]) else 1
            note = (
                f" (a file with {shared} names: uv's cache shares the edit; run: uv cache clean {owner.name})"
            )
            actual += note if shared > 1 else ""
            yield finding("file-modified", owner.name, expected=digest_of(expected), actual=actual, path=path)


def _is_same(expected: str, actual: str) -> bool:
    return actual == expected or digest_of(actual) == digest_of(expected) != ""


def hash_files(
    files: Sequence[tuple[str, str]], sizes: Sequence[int], told: Told = lambda *_: None
) -> list[str]:
    """Hash files and return the hashes as a RECORD writes them, in the same order.

    `files` are paths, each with a hash by the wanted algorithm; `sizes` are hints in bytes. A file that
    cannot be read gives a text that begins with "cannot be read".
    """
    from concurrent.futures import ThreadPoolExecutor  # takes longer to import than most checks

    order = sorted(range(len(files)), key=lambda number: sizes[number] >= _BIG)
    found = [""] * len(files)
    done, total = 0, sum(sizes)
    with ThreadPoolExecutor(2) as pool:
        # Small files keep the interpreter busy, and big ones do not: those are read meanwhile.
        big = {n: pool.submit(_hash, *files[n], sizes[n]) for n in order if sizes[n] >= _BIG}
        try:
            for number in order:
                waiting = big.get(number)
                found[number] = waiting.result() if waiting else _hash(*files[number], sizes[number])
                done += sizes[number]
                told(done, total, "files")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _hash(path: str, expected: str, size: int) -> str:
    algorithm = expected.partition("=")[0]
    wanted = min(size + 1, _CHUNK) if size else _BIG
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            data = os.read(descriptor, wanted)
            # What gives just its size has been a regular file all along.
            if (not data or len(data) != size) and not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return "cannot be read: is not a regular file"
            made = hashlib.sha256(data) if algorithm == "sha256" else hashlib.new(algorithm, data)
            while len(data) == wanted:  # a regular file gives less at its end only
                data = os.read(descriptor, wanted)
                made.update(data)
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"cannot be read: {reason(error)}"
    return f"{algorithm}={base64.urlsafe_b64encode(made.digest()).rstrip(b'=').decode()}"
