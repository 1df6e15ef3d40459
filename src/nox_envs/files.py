"""Owns the door to disk: reading a text file and writing one atomically; knows no file format."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from nox_envs.errors import FileProblems, NoxEnvsError, Place, Problem

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def read_text(path: Path, *, shown: str) -> str:
    """Read a UTF-8 text file, without its byte order mark and with LF as the only line ending.

    Args:
        path: the file.
        shown: the name of the file in messages.

    Raises:
        FileProblems: the file is missing, unreadable, not a regular file or not UTF-8.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _refused(shown, "is a directory, not a file")
        if not stat.S_ISREG(mode):
            raise _refused(shown, "is not a regular file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise _refused(shown, "no such file") from None
    except OSError as error:
        raise _refused(shown, f"cannot be read: {_reason(error)}") from None
    except ValueError as error:
        raise _refused(shown, f"is no file name: {error}") from None
    return _decode(data, shown)


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
        reason = _reason(error) if isinstance(error, OSError) else str(error)
        raise NoxEnvsError(f"{path}: cannot be written: {reason}") from None


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
    staging = target.parent / f".nox-envs-{os.urandom(8).hex()}.tmp"
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
