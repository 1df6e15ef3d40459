"""Owns the types of a check of files; reads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from nox_envs.values import value

FilesMode: TypeAlias = Literal["off", "changed", "all"]

FILES_MODES: tuple[FilesMode, ...] = ("off", "changed", "all")


@value
class Depth:
    """Say how deep a check looks.

    `files` are compared with their RECORD or not, `consistency` asks whether the requirements of
    installed distributions are met, `stamping` to make stamps of the files that are right. `installed`
    tells that an installer has just come to its end, and which files it unpacked together. `told` gets
    the bytes hashed so far and those of all.
    """

    files: FilesMode = "off"
    consistency: bool = False
    stamping: bool = False
    installed: bool = False
    told: Callable[[int, int], None] = lambda done, total: None


@value
class Record:
    """Hold the RECORD of a distribution (recording installed distributions, the RECORD file).

    `paths` are as written, `hashes` the second column of the same rows (`sha256=…` or empty), `sizes`
    the third (bytes, as written).
    `digest` is the sha256 of the file, in hexadecimal (empty: there is none). `whole` tells that
    every row was understood; `defect` says what is wrong.
    """

    paths: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    digest: str = ""
    whole: bool = True
    defect: str = ""


@value
class Stamp:
    """Hold what the files of a distribution looked like when they were last known to be right.

    `distribution` is the path of its `*.dist-info`, relative to the venv; `record` the sha256 of its
    RECORD, `content` a digest of the rows that come from the artifact, `wheel` the hash of WHEEL.
    `sizes` (bytes) and `times` (mtime in nanoseconds) have an entry for each row, 0 where nothing is
    trusted.
    """

    distribution: str
    record: str
    content: str
    wheel: str
    sizes: tuple[int, ...]
    times: tuple[int, ...]
