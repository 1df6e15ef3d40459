"""The receipt: what an installation left in a venv, written last, with the last clean verdict."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nox_envs.errors import Invalid, NoxEnvsError
from nox_envs.files import Table, digest, parse_json, read_bytes, reason, write_atomically
from nox_envs.values import value
from nox_envs.venv.snapshot import Interpreter

if TYPE_CHECKING:
    from nox_envs.spec.types import Pairs

FILE_NAME = "nox-envs.json"
SCHEMA = 2

_LIMIT = 1 << 24

T = TypeVar("T")


@value
class Recorded:
    """One distribution as it was installed.

    `source` is the direct reference that it came from (`-e …` if it is editable; empty: an index). `record`
    is the sha256 of its RECORD, `hashes` a digest of the hashes of its pin, `folder` the fingerprint of the
    local folder that it was built from. `seed` tells that the venv's creator put it there.
    """

    name: str
    version: str
    source: str = ""
    record: str = ""
    hashes: str = ""
    folder: str = ""
    seed: bool = False


@value
class CleanVerdict:
    """A check that found nothing: it is repeated only if what it looked at has changed.

    `inputs` are the files that were read (relative to the spec's directory) with their sha256; `key` is a
    digest of the spec, our code, the session, and this platform; `evidence` what the venv showed; `line` the
    summary line, `report` the session's report as JSON.
    """

    inputs: Pairs
    key: str
    evidence: str
    line: str
    report: str


@value
class Receipt:
    """What a finished installation was made from and what it left.

    `lock` is the sha256 of the lock, or of what is declared without one. `startup` are the files that run at
    every start, and those that they import; `created` are the other files that the venv's creator put into
    `bin` and at the top of site-packages: POSIX paths in the venv, sorted, with `sha256:…` or `link:…`.
    `names` are what is at the top of site-packages, `location` is the real path of the venv. `installed` is
    when the files were last known to be right (in nanoseconds, by the clock of the file system).
    """

    lock: str
    interpreter: Interpreter
    distributions: tuple[Recorded, ...] = ()
    startup: Pairs = ()
    created: Pairs = ()
    names: tuple[str, ...] = ()
    location: str = ""
    installed: int = 0
    verdict: CleanVerdict | None = None


def moved(receipt: Receipt, venv: Path) -> bool:
    """Return whether a venv was installed at another path than `venv`, which its scripts still name."""
    return os.path.normcase(receipt.location) != os.path.normcase(os.path.realpath(venv))


def unchanged(verdict: CleanVerdict, root: Path) -> bool:
    """Return whether the inputs of a verdict are as they were, and all in `root`, the spec's directory."""
    real = os.path.join(os.path.realpath(root), "")
    return all(
        "\0" not in path
        and os.path.realpath(os.path.join(real, path)).startswith(real)
        and digest(real + path) == known
        for path, known in verdict.inputs
    )


def write_receipt(venv: Path, receipt: Receipt) -> None:
    """Write the receipt of a venv in one step, in place of a link if there is one; raises NoxEnvsError."""
    document = {"schema": SCHEMA, "receipt": _plain(receipt)}
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    write_atomically(venv / FILE_NAME, text, durable=False)


def _plain(item: object) -> object:
    """Return a value as JSON has it, without its empty fields."""
    if isinstance(item, str | int):
        return item
    if isinstance(item, tuple):
        return [_plain(one) for one in item]
    told = {name: (hint, getattr(item, name)) for name, hint in type(item).__annotations__.items()}
    return {name: dict(one) if hint == "Pairs" else _plain(one) for name, (hint, one) in told.items() if one}


def remove_receipt(venv: Path) -> None:
    """Remove the receipt of a venv, if there is one; raises NoxEnvsError."""
    path = venv / FILE_NAME
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise NoxEnvsError(f"{path}: cannot be removed: {reason(error)}") from None


def read_receipt(venv: Path) -> Receipt | None:
    """Read the receipt of a venv; None if there is none, or none that is whole and of this schema."""
    return _load(venv, lambda table: _read(Receipt, table))


def read_verdict(venv: Path) -> CleanVerdict | None:
    """Read only the last clean verdict of a venv, None if there is none."""
    return _load(venv, lambda table: _verdict(table, "verdict"))


def _load(venv: Path, read: Callable[[Table], T]) -> T | None:
    try:
        table = parse_json(read_bytes(venv / FILE_NAME, _LIMIT, follow=False))
        return read(table.table("receipt")) if table.integer("schema") == SCHEMA else None
    except (OSError, Invalid):
        return None


def _read(kind: type[T], table: Table) -> T:
    """Read a value by its fields; what is not there is empty."""
    return kind(**{name: _READERS[hint](table, name) for name, hint in kind.__annotations__.items()})


def _verdict(table: Table, key: str) -> CleanVerdict | None:
    return _read(CleanVerdict, table.table(key)) if key in table.contents else None


def _recorded(table: Table, key: str) -> tuple[Recorded, ...]:
    from nox_envs.spec.words import is_name  # a warm run reads the verdict only

    found = tuple([_read(Recorded, row) for row in table.tables(key)])
    # A repair without a lock hands these to uv.
    if not all(is_name(one.name) and not re.search(r"\s", one.version + one.source[3:]) for one in found):
        raise Invalid("not a package, its version and its source")
    return found


def _pairs(table: Table, key: str) -> Pairs:
    pairs = table.table(key)
    return tuple((name, pairs.text(name)) for name in pairs.contents)


# How a field is read, by its annotation.
_READERS: dict[str, Callable[[Table, str], object]] = {
    "str": lambda table, key: table.text(key, ""),
    "bool": lambda table, key: table.flag(key, False),
    "int": lambda table, key: table.integer(key, 0),
    "tuple[str, ...]": Table.texts,
    "Pairs": _pairs,
    "Interpreter": lambda table, key: _read(Interpreter, table.table(key)),
    "tuple[Recorded, ...]": _recorded,
    "CleanVerdict | None": _verdict,
}
