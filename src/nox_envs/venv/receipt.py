"""The receipt: what an installation left in a venv, written last, with the last clean verdict."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.errors import Invalid, NoxEnvsError
from nox_envs.files import Table, digest, parse_json, read_bytes, reason, write_atomically
from nox_envs.values import fields, value
from nox_envs.venv.snapshot import Interpreter

if TYPE_CHECKING:
    from nox_envs.spec.types import Pairs

FILE_NAME = "nox-envs.json"
SCHEMA = 2

_LIMIT = 1 << 24


@value
class Recorded:
    """One distribution as it was installed.

    `source` is the direct reference that it came from (with `-e ` before it if it is editable; empty: an
    index). `record` is the sha256 of its RECORD (empty: none), `hashes` a digest of the hashes that its pin
    had (empty: none), `folder` a fingerprint of the metadata of the local folder that it was built from
    (empty: none). `seed` tells that the venv's creator put it there, not the installation.
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

    `inputs` are the files that were read (POSIX, relative to the spec's directory) with their sha256; `key`
    is a digest of the spec, our code, the session, and this platform; `evidence` what the venv showed
    (`nox_envs.venv.snapshot.evidence`); `line` the summary line, `report` the session's report as JSON.
    """

    inputs: Pairs
    key: str
    evidence: str
    line: str
    report: str


@value
class Receipt:
    """What a finished installation was made from and what it left.

    `lock` is the sha256 of the lock's bytes, or of the declared requirements where there is no lock.
    `startup` are the files that run at every start, and those that they import; `created` are the other files
    that the venv's creator put into `bin` and at the top of site-packages; each is a path in the venv (with
    `/`) and `sha256:…` or `link:…`. `names` are the entries at the top of site-packages, `location` is the
    real path of the venv, which its scripts name. `installed` is when the files were last known to be right
    (nanoseconds since the epoch, by the clock of the file system).
    """

    lock: str
    interpreter: Interpreter
    installer: str
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
    """Return whether the inputs of a verdict are as they were; `root` is the spec's directory.

    A path that leads out of it is not opened: then they are not.
    """
    real = os.path.join(os.path.realpath(root), "")
    for path, known in verdict.inputs:
        if "\0" in path or ".." in path.replace("\\", "/").split("/") or Path(path).is_absolute():
            return False
        if not os.path.realpath(real + path).startswith(real) or digest(real + path) != known:
            return False
    return True


def write_receipt(venv: Path, receipt: Receipt) -> None:
    """Write the receipt of a venv in one step, in place of a link if there is one; raises NoxEnvsError."""
    path = venv / FILE_NAME
    if path.is_symlink():
        remove_receipt(venv)
    document = {"schema": SCHEMA, "receipt": _plain(receipt)}
    write_atomically(path, json.dumps(document, indent=1, sort_keys=True) + "\n")


def _plain(item: object) -> object:
    """Return a value as JSON has it, without its empty fields."""
    if isinstance(item, str | int):
        return item
    if isinstance(item, tuple):
        return [_plain(one) for one in item]
    return {name: _plain(field) for name in fields(item) if (field := getattr(item, name))}


def remove_receipt(venv: Path) -> None:
    """Remove the receipt of a venv, if there is one; raises NoxEnvsError."""
    path = venv / FILE_NAME
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
    except OSError as error:
        raise NoxEnvsError(f"{path}: cannot be removed: {reason(error)}") from None


def read_receipt(venv: Path) -> Receipt | None:
    """Read the receipt of a venv; None if there is none, or none that is whole and of this schema."""
    try:
        return _receipt(_document(venv))
    except (OSError, Invalid):
        return None


def read_verdict(venv: Path) -> CleanVerdict | None:
    """Read only the last clean verdict of a venv, None if there is none."""
    try:
        return _verdict(_document(venv))
    except (OSError, Invalid):
        return None


def _document(venv: Path) -> Table:
    table = parse_json(read_bytes(venv / FILE_NAME, _LIMIT, follow=False))
    if table.integer("schema") != SCHEMA:
        raise Invalid("another schema")
    return table.table("receipt")


def _receipt(table: Table) -> Receipt:
    interpreter = table.table("interpreter")
    return Receipt(
        lock=table.text("lock", ""),
        interpreter=Interpreter(
            **_texts(interpreter, "version", "implementation", "executable", "stamp", "home", "config"),
            free_threaded=interpreter.flag("free_threaded", False),
            pythons=_pairs(interpreter, "pythons"),
            system_site=interpreter.flag("system_site", False),
        ),
        installer=table.text("installer", ""),
        distributions=tuple([_recorded(row) for row in table.tables("distributions")]),
        startup=_pairs(table, "startup"),
        created=_pairs(table, "created"),
        names=table.texts("names"),
        location=table.text("location", ""),
        installed=table.integer("installed", 0),
        verdict=_verdict(table),
    )


def _verdict(table: Table) -> CleanVerdict | None:
    if "verdict" not in table.contents:
        return None
    verdict = table.table("verdict")
    return CleanVerdict(
        inputs=_pairs(verdict, "inputs"), **_texts(verdict, "key", "evidence", "line", "report")
    )


def _recorded(row: Table) -> Recorded:
    from nox_envs.spec.words import is_name  # a warm run reads the verdict only

    texts = _texts(row, "name", "version", "source", "record", "hashes", "folder")
    # A repair without a lock hands these to uv.
    if not is_name(texts["name"]) or any(map(str.isspace, texts["version"] + texts["source"][3:])):
        raise Invalid("not a package, its version and its source")
    return Recorded(**texts, seed=row.flag("seed", False))


def _texts(table: Table, *names: str) -> dict[str, str]:
    return {name: table.text(name, "") for name in names}


def _pairs(table: Table, key: str) -> Pairs:
    found: list[tuple[str, str]] = []
    for item in table.items(key):
        match item:
            case [str(name), str(text)]:
                found.append((name, text))
            case _:
                raise Invalid(f"{key}: expected pairs of strings")
    return tuple(found)
