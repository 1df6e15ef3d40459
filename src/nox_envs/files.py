"""The door to disk: read a file, replace one atomically, lock one; parse JSON and TOML."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from nox_envs.codec import table
from nox_envs.errors import FileProblems, Invalid, NoxEnvsError, Place, Problem

# The largest locks of real projects have two or three million bytes.
LIMIT = 1 << 25
# Without O_NONBLOCK, opening a named pipe waits for a writer.
_SAFE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_REMEDIES = {
    errno.ENOSPC: "; free space on that disk",
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "; make it writable for this user"),
}


def read_bytes(path: str | Path, limit: int = LIMIT, *, follow: bool = True) -> bytes:
    """Read a regular file of at most `limit` bytes, without ever waiting.

    Raises OSError, also for a file that is larger or is not a regular file, and without `follow` for a link.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _SAFE | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, "is a link", str(path)) from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            what = "is a directory, not a file" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
            raise OSError(errno.EINVAL, what, str(path))
        data = more = os.read(descriptor, min(limit + 1, max(status.st_size + 1, 1)))
        while more and len(data) <= limit:
            more = os.read(descriptor, min(limit + 1 - len(data), 1 << 20))
            data += more
        if len(data) > limit:
            size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
            raise OSError(errno.EFBIG, f"is larger than {size}", str(path))
        return data
    finally:
        os.close(descriptor)


def read_text(path: Path, *, shown: str, limit: int = LIMIT) -> str:
    """Read a UTF-8 text file, without its byte order mark and with LF as the only line ending.

    `shown` is the name of the file in messages, `limit` its largest size in bytes. Raises FileProblems
    for a file that is missing, unreadable, special, too large or not UTF-8.
    """
    place, hint = Place(origin=shown), ""
    try:
        text = read_bytes(path, limit).decode("utf-8").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
        text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
        if "<<<<<<< " in text:
            _refuse_conflicts(text, shown)
        return text
    except FileNotFoundError:
        message = "no such file"
    except OSError as error:
        message = f"cannot be read: {reason(error)}"
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        column = error.start - before.rfind(b"\n")
        place = Place(origin=shown, line=before.count(b"\n") + 1, column=column)
        message, hint = f"is not UTF-8: byte 0x{error.object[error.start]:02x}", "save the file as UTF-8"
    except ValueError as error:
        message = f"is not a file name: {error}"
    raise FileProblems([Problem(place=place, message=message, hint=hint)])


def _refuse_conflicts(text: str, origin: str) -> None:
    hint = "take either side; of a lock, then run: nox -s lock"
    conflict = Invalid("an unresolved merge conflict", hint)
    starts = [text.count("\n", 0, one.start()) + 1 for one in re.finditer("(?m)^<{7} ", text)]
    if starts:
        raise FileProblems([conflict.at(Place(origin=origin, line=line)) for line in starts])


def refuse_outside(path: Path, root: Path, *, shown: str) -> None:
    """Raise FileProblems for a file that links lead out of the directory `root`."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        message, hint = "a link leads out of the project", "replace it by a file or folder"
        raise FileProblems([Problem(place=Place(origin=shown), message=message, hint=hint)])


def reason(error: OSError) -> str:
    """Return what the system says is wrong, in words."""
    return error.strerror or str(error) or type(error).__name__


def digest(path: str | Path, limit: int = LIMIT, *, follow: bool = True) -> str:
    """Return the sha256 of a file in hexadecimal, empty if there is none, `unreadable` if it cannot be read.

    Without `follow` a link cannot be read.
    """
    try:
        return hashlib.sha256(read_bytes(path, limit, follow=follow)).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError):
        return "unreadable"


def write_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace the content of a file in one step, as UTF-8 and with the line endings of `text`.

    Readers see the old content or the new one; an error leaves the old one. The mode of an existing file
    is kept, missing folders are created. With `durable` the content is on disk before the old one goes, and
    a symbolic link is followed; without it, for what can be made again, a link is replaced. Raises
    NoxEnvsError.
    """
    try:
        data = text.encode("utf-8")
        target = Path(os.path.realpath(path)) if durable else path
        mode = None if target.is_symlink() or not target.exists() else target.stat().st_mode
        if mode is not None and not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "is not a regular file")
        make_folder(target.parent, linked=durable)
        staging = target.parent / f".nox-envs-{os.getpid()}-{os.urandom(8).hex()}.tmp"
        # O_EXCL with 0o666 gives a new file the mode that the user's umask asks for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(staging, flags, 0o666), "wb") as stream:
                stream.write(data)
                if durable:
                    stream.flush()
                    os.fsync(stream.fileno())
            if mode is not None:
                staging.chmod(stat.S_IMODE(mode))
            staging.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                staging.unlink()
            raise
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from None


def remove_leftovers(folder: Path) -> None:
    """Remove from a folder what killed processes left while they wrote a file."""
    for path in folder.glob(".nox-envs-*.tmp") if os.name != "nt" else ():
        with contextlib.suppress(OSError, ValueError):
            try:
                os.kill(int(path.name.split("-")[2]), 0)  # asks only whether it is there
            except ProcessLookupError:
                path.unlink()


def make_folder(path: Path, *, linked: bool = False) -> None:
    """Create a folder; raises OSError where something else is, or a link, unless it may be `linked`."""
    if not linked and path.is_symlink():
        raise OSError(errno.ELOOP, "the folder is a link", str(path))
    path.mkdir(parents=True, exist_ok=True)


def _unwritten(path: Path, error: OSError | ValueError) -> NoxEnvsError:
    why = f"{reason(error)}{_REMEDIES.get(error.errno or 0, '')}" if isinstance(error, OSError) else error
    return NoxEnvsError(f"{path}: cannot be written: {why}")


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(handle: BinaryIO, shared: bool, wait: bool) -> None:
        msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: BinaryIO, shared: bool, wait: bool) -> None:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))


class FileLock:
    """A lock between processes on the file at `path`; the system releases it when a process dies.

    `waiting` is called if another process has it. Windows has no shared lock: there every lock is exclusive.
    """

    def __init__(self, path: Path, *, waiting: Callable[[], None]) -> None:
        self._path = path
        self._waiting = waiting
        self._handle: BinaryIO | None = None

    def acquire(self, *, shared: bool = False) -> None:
        """Wait for the lock, or change it from shared to exclusive or back; raises OSError.

        Changing is not atomic: another process may have had the lock in between.
        """
        if self._handle is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _SAFE | getattr(os, "O_NOFOLLOW", 0)
            try:
                make_folder(self._path.parent)
                self._handle = os.fdopen(os.open(self._path, flags, 0o666), "ab")
            except OSError as error:
                raise _unwritten(self._path, error) from None
        elif sys.platform == "win32":  # pragma: no cover
            return
        try:
            _lock(self._handle, shared, wait=False)
        except (BlockingIOError, PermissionError):
            self._waiting()
            _lock(self._handle, shared, wait=True)

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def parse_toml(text: str) -> dict[str, object]:
    """Parse a TOML document; raises Invalid for a text that is not TOML or is nested too deeply."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    # A key of very many parts takes the parser quadratic time, and ends in tables that nest as deep.
    if re.search(r"(?:\.[\w \t\"'-]*){200}\.", text):
        raise Invalid("a key has more than 200 parts")
    # Python refuses to print such numbers, but only decimal ones are refused when they are read.
    if re.search(r"\b0[xob]\w{3000}", text):
        raise Invalid("a number has thousands of digits")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise Invalid("is nested too deeply") from None
    except ValueError as error:
        raise Invalid(f"is not TOML: {error}") from None


def parse_json(text: str | bytes) -> dict[str, object]:
    """Parse a JSON object; raises Invalid for any other text."""
    try:
        contents: object = json.loads(text)
    except (RecursionError, ValueError) as error:
        why = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
        raise Invalid(f"is not JSON{why}") from None
    return table(contents, "the document")
