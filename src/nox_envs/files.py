"""Owns the door to disk: reading a text file and writing one atomically; knows no file format."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path

from nox_envs.errors import FileProblems, NoxEnvsError, Place, Problem

_STAGING = r"\.nox-envs-(?P<process>[0-9]{1,9})-[0-9a-f]{16}\.tmp"
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_CHUNK = 1 << 20
# The largest locks of real projects have two or three million bytes.
_MOST_BYTES = 1 << 25
# Without O_NONBLOCK the opening of a named pipe would wait for a writer for ever.
_READING = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
)


def read_text(path: Path, *, shown: str, limit: int = _MOST_BYTES) -> str:
    """Read a UTF-8 text file, without its byte order mark and with LF as the only line ending.

    Args:
        path: the file.
        shown: the name of the file in messages.
        limit: the size in bytes above which the file is refused.

    Raises:
        FileProblems: the file is missing, unreadable, not a regular file, too large or not UTF-8.
    """
    return _decode(_read_bytes(path, shown, limit), shown)


def _read_bytes(path: Path, shown: str, limit: int) -> bytes:
    try:
        descriptor = os.open(path, _READING)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise _refused(shown, "is a directory, not a file")
            if not stat.S_ISREG(status.st_mode):
                raise _refused(shown, "is not a regular file")
            if status.st_size > limit:
                raise _refused(shown, f"is larger than {limit >> 20} MiB")
            with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as stream:
                return stream.readall()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise _refused(shown, "no such file") from None
    except OSError as error:
        raise _refused(shown, f"cannot be read: {_reason(error)}") from None
    except ValueError as error:
        raise _refused(shown, f"is no file name: {error}") from None


def read_head(path: str, limit: int) -> bytes:
    """Read at most `limit` bytes from the beginning of a regular file, never waiting; raises OSError."""
    descriptor = os.open(path, _READING)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.read(descriptor, 0)  # a directory says itself what it is
            raise OSError(0, "it is no regular file")
        data = os.read(descriptor, min(limit, _CHUNK))
        more = data
        while more and len(data) < limit:
            more = os.read(descriptor, min(limit - len(data), _CHUNK))
            data += more
        return data
    finally:
        os.close(descriptor)


def _decode(data: bytes, shown: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = Place(origin=shown, line=before.count(b"\n") + 1, column=error.start - before.rfind(b"\n"))
        problem = Problem(
            place=place,
            message=f"is not UTF-8: byte 0x{data[error.start]:02x}",
            hint="save the file as UTF-8",
        )
        raise FileProblems((problem,)) from None
    if text.startswith(_BOM):
        text = text[1:]
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _refused(shown: str, message: str) -> FileProblems:
    return FileProblems((Problem(place=Place(origin=shown), message=message),))


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _remedy(error: OSError) -> str:
    """Return what a user does about a disk that takes no file."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return "; make room on its disk, then run this again"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "; make it writable for this user, then run this again"
    return ""


def write_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace the content of a file in one step, as UTF-8 and with the line endings of `text`.

    The text goes to a staging file of the same folder first, so that a reader sees the old content
    or the new one and an error leaves the old one. The mode of an existing file is kept, a symbolic
    link is followed, and missing folders are made. With `durable` the content is on disk before the
    old one goes; what can be made again at once need not wait for that.

    Raises:
        NoxEnvsError: the file cannot be written.
    """
    try:
        data = text.encode("utf-8")
        target = Path(os.path.realpath(path))
        mode = _existing_mode(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data, mode, durable)
    except (OSError, ValueError) as error:
        reason = _reason(error) + _remedy(error) if isinstance(error, OSError) else str(error)
        raise NoxEnvsError(f"{path}: cannot be written: {reason}") from None


def remove_abandoned(folder: Path) -> None:
    """Remove the staging files that processes left in a folder when they were killed."""
    with contextlib.suppress(OSError):
        for file in list(folder.iterdir()):
            match = re.fullmatch(_STAGING, file.name)
            if match is not None and not _is_running(int(match["process"])):
                file.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # pragma: no cover
        return False  # a file that is open cannot be removed there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it belongs to somebody else
    return True


def from_here(path: Path) -> str:
    """Return a path as short as it can be written in the current directory."""
    try:
        return min(os.path.relpath(path), str(path), key=len)
    except ValueError:  # another drive
        return str(path)


def _existing_mode(target: Path) -> int | None:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError("is not a regular file")
    return stat.S_IMODE(mode)


def _replace(target: Path, data: bytes, mode: int | None, durable: bool) -> None:
    staging = target.parent / f".nox-envs-{os.getpid()}-{os.urandom(8).hex()}.tmp"
    try:
        _write(staging, data, durable)
        if mode is not None:
            staging.chmod(mode)
        staging.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            staging.unlink()
        raise


def _write(staging: Path, data: bytes, durable: bool) -> None:
    # O_EXCL with 0o666 gives a new file the mode that the user's umask asks for.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(staging, flags, 0o666), "wb") as stream:
        stream.write(data)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())
