"""The receipt: what an installation left in a venv, written last, with the last clean verdict."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from nox_envs.codec import decode
from nox_envs.errors import Invalid
from nox_envs.files import digest, parse_json, read_bytes, write_atomically
from nox_envs.spec.types import Pairs
from nox_envs.values import given, value
from nox_envs.venv.snapshot import Interpreter

FILE_NAME = "nox-envs.json"
SCHEMA = 3


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
    contents = given(receipt)
    head = {"schema": SCHEMA, "verdict": contents.pop("verdict", None)}
    lines = [json.dumps(one, sort_keys=True, default=given) for one in (head, contents)]
    write_atomically(venv / FILE_NAME, f"{lines[0][:-1]},\n{lines[1][1:]}", durable=False)


def read_receipt(venv: Path) -> Receipt | None:
    """Read the receipt of a venv; None if there is none, or none that is whole and of this schema."""
    from nox_envs.spec.words import is_name  # a warm run reads the verdict only

    with suppress(OSError, Invalid):
        receipt = decode(Receipt, _document(venv, whole=True))
        # A repair without a lock hands these to uv.
        told = [(one.name, one.version + one.source[3:]) for one in receipt.distributions]
        return receipt if all(is_name(name) and not re.search(r"\s", text) for name, text in told) else None
    return None


def read_verdict(venv: Path) -> CleanVerdict | None:
    """Read only the last clean verdict of a venv, None if there is none."""
    with suppress(OSError, Invalid):
        return decode(CleanVerdict, _document(venv, whole=False).get("verdict"))
    return None


def _document(venv: Path, *, whole: bool) -> dict[str, object]:
    text = read_bytes(venv / FILE_NAME, 1 << 24, follow=False)
    # The verdict is on the first line, since most runs need nothing else.
    document = parse_json(text if whole else text.partition(b",\n")[0] + b"}")
    return document if document.get("schema") == SCHEMA else {}
