"""Owns pack files and their indexes: an object by its id or by the beginning of one (gitformat-pack(5))."""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nox_envs.errors import NoxEnvsError
from nox_envs.values import value

MAX_SIZE = 1 << 25
# git's own limit of a chain is 4,095 deltas.
_MAX_CHAIN = 4_096
_MAX_BUILT = 1 << 31
_CHUNK = 1 << 16
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7
_INDEX_2 = b"\xfftOc\x00\x00\x00\x02"
_FANOUT = 8
_IDS = _FANOUT + 256 * 4


@value
class StoredObject:
    """Hold an object: `kind` is commit, tree, blob or tag."""

    kind: str
    data: bytes


class Pack:
    """Read the pack whose index is the file `index`; raises NoxEnvsError where either is damaged."""

    def __init__(self, index: Path) -> None:
        self._path = index.with_suffix(".pack")
        self._shown = index.name
        with index.open("rb") as stream:
            if stream.seek(0, 2) < _IDS + 40:
                raise self._damaged("it is cut off")
            self._index = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        if self._index[:8] != _INDEX_2:
            raise self._damaged("it is no index of version 2")
        self._count = self._number(_FANOUT + 255 * 4)
        if len(self._index) < _IDS + self._count * 28 + 40:
            raise self._damaged("it is cut off")

    def matching(self, prefix: str) -> Iterator[str]:
        """Return the ids that begin with `prefix`, at least two hexadecimal digits."""
        low, end = self._bounds(bytes.fromhex(prefix.ljust(40, "0")))
        while low < end and self._id(low).hex().startswith(prefix):
            yield self._id(low).hex()
            low += 1

    def read(self, wanted: str) -> StoredObject | None:
        """Return an object by its whole id, None if it is not here."""
        offset = self._offset(wanted)
        if offset is None:
            return None
        with self._path.open("rb") as stream:
            return self._at(stream, offset)

    def _at(self, stream: BinaryIO, offset: int) -> StoredObject:
        deltas: list[bytes] = []
        room = MAX_SIZE
        while len(deltas) < _MAX_CHAIN and room > 0 and offset < 1 << 62:
            stream.seek(offset)
            kind, size = self._head(stream)
            if kind in _KINDS:
                return self._built(_KINDS[kind], self._inflate(stream, size), deltas)
            base = self._base(stream, kind, offset)
            if base is None:
                break
            deltas.append(self._inflate(stream, size))
            room -= size + 1
            offset = base
        raise self._damaged("an object in it cannot be read")

    def _base(self, stream: BinaryIO, kind: int, offset: int) -> int | None:
        """Return where the base of a delta is; a pack on disk holds the bases of all of its deltas."""
        if kind == _OFFSET_DELTA:
            base = offset - self._back(stream)
            return base if 0 < base < offset else None
        return self._offset(stream.read(20).hex().ljust(40, "0")) if kind == _REFERENCE_DELTA else None

    def _built(self, kind: str, data: bytes, deltas: list[bytes]) -> StoredObject:
        built = 0
        try:
            for delta in reversed(deltas):
                data = apply_delta(data, delta)
                built += len(data)
                if built > _MAX_BUILT:
                    raise ValueError("too much has to be built")
        except (IndexError, ValueError):
            raise self._damaged("a difference in it does not fit its base") from None
        return StoredObject(kind=kind, data=data)

    def _offset(self, wanted: str) -> int | None:
        identifier = bytes.fromhex(wanted)
        at, end = self._bounds(identifier)
        if at == end or self._id(at) != identifier:
            return None
        offset = self._number(_IDS + self._count * 24 + at * 4)
        if offset < 1 << 31:
            return offset
        start = _IDS + self._count * 28 + (offset & 0x7FFFFFFF) * 8
        return int.from_bytes(self._index[start : start + 8], "big")

    def _bounds(self, identifier: bytes) -> tuple[int, int]:
        """Return the first position whose id is not less, and where ids of that first byte end."""
        first = identifier[0]
        low = self._number(_FANOUT + (first - 1) * 4) if first else 0
        end = high = min(self._number(_FANOUT + first * 4), self._count)
        while low < high:
            middle = (low + high) // 2
            if self._id(middle) < identifier:
                low = middle + 1
            else:
                high = middle
        return low, end

    def _id(self, position: int) -> bytes:
        start = _IDS + position * 20
        return self._index[start : start + 20]

    def _number(self, start: int) -> int:
        return int.from_bytes(self._index[start : start + 4], "big")

    def _head(self, stream: BinaryIO) -> tuple[int, int]:
        byte = self._byte(stream)
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            byte = self._byte(stream)
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 64:
                raise self._damaged("a size in it makes no sense")
        return kind, size

    def _back(self, stream: BinaryIO) -> int:
        byte = self._byte(stream)
        back = byte & 0x7F
        while byte & 0x80 and back < 1 << 62:
            byte = self._byte(stream)
            back = (back + 1) << 7 | byte & 0x7F
        return back

    def _byte(self, stream: BinaryIO) -> int:
        read = stream.read(1)
        if not read:
            raise self._damaged("it is cut off")
        return read[0]

    def _inflate(self, stream: BinaryIO, size: int) -> bytes:
        try:
            return inflate(stream, size)
        except ValueError as error:
            raise self._damaged(str(error)) from None

    def _damaged(self, reason: str) -> NoxEnvsError:
        return NoxEnvsError(f"the git pack {self._shown} cannot be read: {reason}; git fsck tells more")


def inflate(stream: BinaryIO, size: int) -> bytes:
    """Read a zlib stream that holds exactly `size` bytes; raises ValueError for anything else."""
    if size > MAX_SIZE:
        raise ValueError(f"an object has {size} bytes, more than {MAX_SIZE} are not read")
    inflater = zlib.decompressobj()
    data = bytearray()
    pending = b""
    try:
        while not inflater.eof and len(data) <= size:
            pending = pending or stream.read(_CHUNK)
            if not pending:
                break
            data += inflater.decompress(pending, size + 1 - len(data))
            pending = inflater.unconsumed_tail
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflater.eof or len(data) != size:
        raise ValueError("the size of an object is not what it says")
    return bytes(data)


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Build an object from its base; raises ValueError or IndexError for a delta that does not fit."""
    base_size, at = _size(delta, 0)
    size, at = _size(delta, at)
    if base_size != len(base) or size > MAX_SIZE:
        raise ValueError("the sizes do not fit")
    built = bytearray()
    while at < len(delta) and len(built) <= size:
        code = delta[at]
        at += 1
        if code & 0x80:
            start, length, at = _copy(delta, code, at)
            if start + length > len(base):
                raise ValueError("copies from behind the end")
            built += base[start : start + length]
        elif code and at + code <= len(delta):
            built += delta[at : at + code]
            at += code
        else:
            raise ValueError("no instruction")
    if len(built) != size:
        raise ValueError("the result has another size")
    return bytes(built)


def _copy(delta: bytes, code: int, at: int) -> tuple[int, int, int]:
    """Read a copy instruction: where from, how much, and where the next one begins."""
    numbers = [0, 0]
    for bit in range(7):
        if code >> bit & 1:
            which, shift = (0, bit * 8) if bit < 4 else (1, (bit - 4) * 8)
            numbers[which] |= delta[at] << shift
            at += 1
    return numbers[0], numbers[1] or 0x10000, at


def _size(delta: bytes, at: int) -> tuple[int, int]:
    size = shift = 0
    while shift < 64:
        byte = delta[at]
        size |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return size, at
    raise ValueError("a size makes no sense")
