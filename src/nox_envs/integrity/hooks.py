"""Owns the judgement of startup files that no receipt knows: does a RECORD answer for them."""

from __future__ import annotations

import os
from pathlib import Path

from nox_envs.drift.finding import Finding, difference
from nox_envs.files import read_head
from nox_envs.integrity.claims import Claim, Claims
from nox_envs.integrity.difference import modified
from nox_envs.integrity.record import RECORD_LIMIT, digest_of
from nox_envs.integrity.startup import code_files, digest, known_file, relative
from nox_envs.pins import local_path
from nox_envs.receipt import KnownFile, Receipt
from nox_envs.snapshot import Distribution, Snapshot
from nox_envs.values import replace

_HEAD = 4096


def owned_hooks(snapshot: Snapshot) -> tuple[KnownFile, ...]:
    """Return the startup files that a RECORD answers for, as they are now."""
    files = code_files(snapshot)
    names = tuple(os.fsencode(os.path.basename(path)) for path in files)  # noqa: PTH119, a text already
    # Few distributions have any: the RECORDs of all others need not be parsed.
    owners = tuple(one for one in snapshot.distributions if names and _names_any(one, names))
    claims = Claims(replace(snapshot, distributions=owners))
    return tuple(
        known_file(path, snapshot)
        for path in files
        if any(_answers(claim, path) or digest(path).startswith("link:") for claim in claims.of(path))
    )


def _names_any(distribution: Distribution, names: tuple[bytes, ...]) -> bool:
    """Tell whether the RECORD of a distribution may name a file that is called so, in any folder."""
    if not distribution.path.endswith(".dist-info"):
        return True
    try:
        data = read_head(os.path.join(distribution.path, "RECORD"), RECORD_LIMIT)
    except (OSError, ValueError):
        return False
    return any(name in data or b'"' in name for name in names)  # a quote is written twice


def judge_hooks(snapshot: Snapshot, receipt: Receipt, paths: tuple[str, ...]) -> tuple[Finding, ...]:
    """Return a finding for each of the startup files that no RECORD answers for.

    One with another content than its owner's RECORD says is `file-modified`. A RECORD that was
    written anew after the installation of its distribution answers for nothing.
    """
    claims = Claims(snapshot, receipt)
    created = {file.path for file in receipt.created}
    found: list[Finding] = []
    for path in paths:
        owners = [c for c in claims.of(path) if not claims.rewritten(c.owner)]
        if any(_answers(claim, path) for claim in owners) or _is_of_egg_links(path, snapshot):
            continue
        if owners:
            owner = claims.owners[owners[0].owner]
            found.append(modified(owner, path, owners[0].hash, digest(path)))
        else:
            expected = "what the venv's creator wrote" if relative(path, snapshot) in created else ""
            found.append(difference("startup-hook", expected=expected, actual=_told(path), path=path))
    return tuple(found)


def _answers(claim: Claim, path: str) -> bool:
    return not claim.hash or digest_of(claim.hash) == _digest_by(claim.hash, path)


def _digest_by(written: str, path: str) -> str:
    if written.startswith("sha256="):
        return digest(path)
    from nox_envs.integrity.hashing import hash_files

    return digest_of(hash_files([(path, written.partition("=")[0], _HEAD)], threads=1)[0])


def _is_of_egg_links(path: str, snapshot: Snapshot) -> bool:
    """Tell whether a `.pth` file names nothing but what `setup.py develop` installed."""
    links = {local_path(d.source.url) for d in snapshot.distributions if d.path.endswith(".egg-link")}
    lines = [line.strip() for line in _text(path).splitlines()]
    return bool(links) and path.endswith(".pth") and all(line in links for line in lines if line)


def _text(path: str) -> str:
    try:
        if Path(path).is_symlink():
            return f"link to {os.readlink(path)}"  # noqa: PTH115
        return read_head(path, _HEAD).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _told(path: str) -> str:
    """Return the line of a startup file that says most of what it does."""
    lines = [line.strip() for line in _text(path).splitlines() if line.strip() and line[:1] != "#"]
    code = [line for line in lines if line.startswith(("import ", "import\t", "from "))]
    line = next(iter(code or lines), "an empty file")
    return line if len(line) <= 100 else f"{line[:99]}…"
