"""Owns the receipt: what an installation left in a venv, written last; compares nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_head, write_atomically
from nox_envs.pins import INDEX, Source, SourceKind
from nox_envs.snapshot import Distribution, Interpreter, Snapshot
from nox_envs.values import value

FILE_NAME = "nox-envs.json"
SCHEMA = 1

_LIMIT = 1 << 24
_RECORD_LIMIT = 1 << 25
_SOURCE_KINDS: tuple[SourceKind, ...] = ("index", "archive", "vcs", "directory")


@value
class Recorded:
    """Hold one distribution as it was installed; `record` is the sha256 of its RECORD (empty: none).

    `tree` is a fingerprint of the directory that it was built from (empty: it was not, or none is known).
    """

    name: str
    version: str
    source: Source = INDEX
    record: str = ""
    tree: str = ""


@value
class KnownFile:
    """Hold a file of the venv by its path in it (with `/`) and what tells one content from another.

    `digest` is `sha256:…`, or `link:…` with the target of a symbolic link.
    """

    path: str
    digest: str


@value
class Receipt:
    """Hold what a finished installation was made from and what it left.

    `lock` is the sha256 of the lock file's bytes, or of the declared requirements where there is no
    lock; `installer` its name and version (`uv 0.9.2`); `project` a fingerprint of the project
    itself, empty where it is not installed. `created` are the files that the venv's creator left at
    the top of site-packages, `startup` those that a distribution put there to be run at every start;
    `names` is what else stood there. `location` is the path of the venv, which its scripts name.
    """

    schema: int = SCHEMA
    lock: str
    interpreter: Interpreter
    installer: str
    project: str = ""
    distributions: tuple[Recorded, ...] = ()
    created: tuple[KnownFile, ...] = ()
    startup: tuple[KnownFile, ...] = ()
    names: tuple[str, ...] = ()
    location: str = ""


def of(
    snapshot: Snapshot,
    *,
    lock: str,
    installer: str,
    project: str = "",
    created: tuple[KnownFile, ...] = (),
    startup: tuple[KnownFile, ...] = (),
    tree_of: Callable[[Distribution], str] = lambda distribution: "",
) -> Receipt:
    """Make the receipt of a venv as it is now; the RECORD of every distribution is read.

    `tree_of` returns the fingerprint of the directory that a distribution was built from.
    """
    return Receipt(
        lock=lock,
        interpreter=snapshot.interpreter,
        installer=installer,
        project=project,
        distributions=tuple(_recorded(one, tree_of(one)) for one in snapshot.distributions),
        created=created,
        startup=startup,
        names=tuple(sorted(_names(snapshot))),
        location=snapshot.location,
    )


def moved(receipt: Receipt, venv: Path) -> bool:
    """Tell whether the venv at `venv` was made at another path, to which its scripts still lead."""
    if receipt.location in ("", str(venv)):
        return False
    try:
        return not venv.samefile(receipt.location)
    except OSError:
        return True


def lost(receipt: Receipt, snapshot: Snapshot) -> frozenset[str]:
    """Return what stood at the top of site-packages when the receipt was written, and is gone."""
    return frozenset(receipt.names) - _names(snapshot)


def _names(snapshot: Snapshot) -> frozenset[str]:
    names = {name for site, _ in snapshot.sites for name in _listed(site)}
    return frozenset(n for n in names if n != "__pycache__" and not n.endswith((".dist-info", ".tmp")))


def _listed(site: str) -> list[str]:
    try:
        return [name.encode("utf-8", "backslashreplace").decode() for name in os.listdir(site)]
    except OSError:
        return []


def _recorded(distribution: Distribution, tree: str) -> Recorded:
    try:
        data = read_head(os.path.join(distribution.path, "RECORD"), _RECORD_LIMIT)
        record = hashlib.sha256(data).hexdigest()
    except (OSError, ValueError):
        record = ""
    return Recorded(
        name=distribution.name,
        version=distribution.version,
        source=distribution.source,
        record=record,
        tree=tree,
    )


def write(venv: Path, receipt: Receipt) -> None:
    """Write the receipt of the venv at `venv` in one step; raises NoxEnvsError."""
    write_atomically(venv / FILE_NAME, _render(receipt))


def remove(venv: Path) -> None:
    """Remove the receipt of the venv at `venv`, if there is one; raises NoxEnvsError."""
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (venv / FILE_NAME).unlink()
    except OSError as error:
        raise NoxEnvsError(f"{venv / FILE_NAME}: cannot be removed: {error.strerror or error}") from None


def read(venv: Path) -> Receipt | None:
    """Read the receipt of the venv at `venv`.

    None if there is none, or none that can be trusted: cut off, damaged, too large (16 MiB) or of
    another schema.
    """
    try:
        data = read_head(str(venv / FILE_NAME), _LIMIT)
        return _receipt(json.loads(data.decode("utf-8"))) if len(data) < _LIMIT else None
    except (OSError, ValueError, RecursionError):
        return None


def _render(receipt: Receipt) -> str:
    interpreter = receipt.interpreter
    document = {
        "schema": receipt.schema,
        "lock": receipt.lock,
        "interpreter": {
            "version": interpreter.version,
            "implementation": interpreter.implementation,
            "free_threaded": interpreter.free_threaded,
            "executable": interpreter.executable,
            "system_site": interpreter.system_site,
        },
        "installer": receipt.installer,
        "project": receipt.project,
        "distributions": [_row(recorded) for recorded in receipt.distributions],
        "created": [[file.path, file.digest] for file in receipt.created],
        "startup": [[file.path, file.digest] for file in receipt.startup],
        "names": list(receipt.names),
        "location": receipt.location,
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _row(recorded: Recorded) -> dict[str, object]:
    row: dict[str, object] = {"name": recorded.name, "version": recorded.version, "record": recorded.record}
    source = recorded.source
    if recorded.tree:
        row["tree"] = recorded.tree
    if source != INDEX:
        row["source"] = {
            "kind": source.kind,
            "url": source.url,
            "revision": source.revision,
            "requested": source.requested,
            "subdirectory": source.subdirectory,
            "editable": source.editable,
            "hashes": list(source.hashes),
        }
    return row


def _receipt(document: object) -> Receipt:
    """Read a receipt from a JSON value; ValueError for whatever it should not be."""
    table = _table(document)
    if table.get("schema") != SCHEMA or isinstance(table["schema"], bool):
        raise ValueError("another schema")
    interpreter = _table(table.get("interpreter"))
    return Receipt(
        lock=_text(table, "lock"),
        interpreter=Interpreter(
            version=_text(interpreter, "version"),
            implementation=_text(interpreter, "implementation"),
            free_threaded=_flag(interpreter, "free_threaded"),
            executable=_text(interpreter, "executable") if "executable" in interpreter else "",
            system_site=_flag(interpreter, "system_site") if "system_site" in interpreter else False,
        ),
        installer=_text(table, "installer"),
        project=_text(table, "project"),
        distributions=tuple(_read_row(_table(row)) for row in _rows(table.get("distributions"))),
        created=_known_files(table, "created"),
        startup=_known_files(table, "startup"),
        names=tuple(_checked_text(name) for name in _rows(table.get("names", []))),
        location=_text(table, "location") if "location" in table else "",
    )


def _known_files(table: dict[str, object], key: str) -> tuple[KnownFile, ...]:
    found: list[KnownFile] = []
    for row in _rows(table.get(key, [])):
        path, digest = (_checked_text(item) for item in _rows(row))
        found.append(KnownFile(path=path, digest=digest))
    return tuple(found)


def _read_row(row: dict[str, object]) -> Recorded:
    return Recorded(
        name=_text(row, "name"),
        version=_text(row, "version"),
        record=_text(row, "record"),
        source=_source(_table(row["source"])) if "source" in row else INDEX,
        tree=_text(row, "tree") if "tree" in row else "",
    )


def _source(table: dict[str, object]) -> Source:
    kind = next((kind for kind in _SOURCE_KINDS if kind == table.get("kind")), None)
    hashes = _rows(table.get("hashes"))
    if kind is None:
        raise ValueError("not a kind of source")
    return Source(
        kind=kind,
        url=_text(table, "url"),
        revision=_text(table, "revision"),
        requested=_text(table, "requested"),
        subdirectory=_text(table, "subdirectory"),
        editable=_flag(table, "editable"),
        hashes=tuple(_checked_text(item) for item in hashes),
    )


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not a table")
    return value


def _rows(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _flag(table: dict[str, object], key: str) -> bool:
    value = table.get(key)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is not a boolean")
    return value


def _text(table: dict[str, object], key: str) -> str:
    return _checked_text(table.get(key))


def _checked_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value
