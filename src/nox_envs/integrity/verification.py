"""Owns the check of installed files against their RECORD (link 3); writes nothing, mends nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from nox_envs.drift.finding import Finding, difference
from nox_envs.integrity.claims import Claims, comes_from_artifact, content_digest, wheel_hash
from nox_envs.integrity.difference import modified
from nox_envs.integrity.matching import Matching, Unpacked
from nox_envs.integrity.stamps import Trust, stamps_of
from nox_envs.integrity.tree import Tree
from nox_envs.integrity.types import FilesMode, Stamp
from nox_envs.integrity.unowned import unowned_files
from nox_envs.receipt import Receipt
from nox_envs.snapshot import Distribution, Snapshot
from nox_envs.values import value

_DEFECTS = frozenset({"METADATA", "direct_url.json"})


@value
class Verification:
    """Hold what is wrong with the files of a venv, and the stamps of what is right."""

    findings: tuple[Finding, ...]
    stamps: tuple[Stamp, ...]


def verify(
    snapshot: Snapshot,
    receipt: Receipt | None,
    *,
    mode: FilesMode,
    stamps: tuple[Stamp, ...] = (),
    stamping: bool = False,
    installed: bool = False,
    threads: int = 2,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Compare the files of a venv with the RECORD of each distribution.

    With mode `changed` a file whose size and modification time are those of a stamp is taken for
    right, with `all` every file is read. The findings have no environment, session, reason and fix;
    startup hooks are not among them. Stamps are made where `stamping` asks for them. With `installed` a
    file is right that is not younger than its METADATA, which is read, and has the size that RECORD says.
    `told` gets the bytes hashed so far and those of all, from several threads.
    """
    claims = Claims(snapshot, receipt)
    tree = Tree(snapshot.location, tuple(site for site, _ in snapshot.sites))
    unpacked = Unpacked(claims, tree) if installed else None
    matching = Matching(claims, tree, Trust(snapshot, claims, stamps if mode == "changed" else ()), unpacked)
    matching.look()
    matching.hash(threads, told)
    known = [os.path.join(snapshot.location, file.path) for file in receipt.created] if receipt else []
    findings = (
        *_record_findings(claims, {stamp.record: stamp for stamp in stamps}),
        *_file_findings(claims, matching),
        *_link_findings(claims, matching),
        *(
            difference("unowned", actual=_counted(found.files), path=found.path)
            for found in unowned_files(claims, tree, known)
        ),
    )
    made = stamps_of(snapshot, claims, matching.right) if stamping else ()
    return Verification(findings=findings, stamps=made)


def _counted(files: int) -> str:
    return "a file that no distribution owns" if files == 1 else f"{files} files that no distribution owns"


def _record_findings(claims: Claims, stamps: dict[str, Stamp]) -> Iterator[Finding]:
    for number, (owner, record) in enumerate(zip(claims.owners, claims.records, strict=True)):
        if number in claims.doubled:
            continue
        path = os.path.join(owner.path, "RECORD")
        outside = claims.outside.get(number, [])
        defect = record.defect
        if outside:
            also = f" and {len(outside) - 1} more" if len(outside) > 1 else ""
            names = f"RECORD names what is not in the venv: {outside[0]!r}{also}"
            defect = f"{defect}; {names}" if defect else names
        if defect:
            yield difference("broken-metadata", owner.name, actual=defect, path=path)
        elif claims.rewritten(number):
            yield from _rewritten(claims, number, stamps)


def _rewritten(claims: Claims, number: int, stamps: dict[str, Stamp]) -> Iterator[Finding]:
    """Tell what a RECORD means that is not the one of the installation.

    Another installer writes the same rows in its own order; another build has another WHEEL.
    """
    owner, record, installed = claims.owners[number], claims.records[number], claims.recorded(number)
    stamp = stamps.get(installed)
    if stamp is not None and stamp.content == content_digest(owner, record):
        return
    if stamp is not None and stamp.wheel != wheel_hash(owner, record):
        yield difference(
            "artifact",
            owner.name,
            expected="the artifact that was installed",
            actual=f"another one of version {owner.version}",
            path=owner.path,
        )
        return
    yield modified(
        owner, os.path.join(owner.path, "RECORD"), f"sha256:{installed}", f"sha256:{record.digest}"
    )


def _file_findings(claims: Claims, matching: Matching) -> Iterator[Finding]:
    for path, wrong in sorted(matching.wrong.items()):
        owners = {n: sides for n, sides in wrong.items() if n not in claims.doubled}
        matched = matching.matched.get(path, set())
        if not owners or (set(wrong) != set(owners) and not matched):
            continue
        if matched:
            winner = claims.owners[min(matched)].name
            for number, (expected, _) in sorted(owners.items()):
                yield _clobbered(claims.owners[number], path, expected, winner)
            continue
        number, (expected, found) = min(owners.items())
        owner = claims.owners[number]
        if not _told_already(owner, path):
            yield modified(owner, path, expected, found) if found else _missing(owner, path)


def _missing(owner: Distribution, path: str) -> Finding:
    return difference("file-missing", owner.name, expected=os.path.basename(path), path=path)  # noqa: PTH119


def _clobbered(loser: Distribution, path: str, expected: str, winner: str) -> Finding:
    found = modified(loser, path, expected, "")
    return difference(
        "clobbered", loser.name, expected=found.expected, actual=f"the file of {winner}", path=path
    )


def _told_already(owner: Distribution, path: str) -> bool:
    """Tell whether the snapshot has said already that this file of the metadata is not right."""
    folder, _, name = path.rpartition(os.sep)
    return bool(owner.defect) and folder == owner.path and name in _DEFECTS


def _link_findings(claims: Claims, matching: Matching) -> Iterator[Finding]:
    """Judge files behind links out of the venv, which are never opened.

    Where all of a distribution are links, its installer made them (UV_LINK_MODE=symlink).
    """
    for number, paths in sorted(matching.linked.items()):
        owner = claims.owners[number]
        rows = (row for row, _ in matching.right.get(number, []))
        if not any(comes_from_artifact(owner, claims.records[number].paths[row]) for row in rows):
            yield difference(
                "unverifiable",
                owner.name,
                actual=f"{len(paths)} files that are links out of the venv (UV_LINK_MODE=symlink)",
                path=owner.path,
                severity="note",
            )
            continue
        for path in sorted(paths):
            expected = next((claim.hash for claim in claims.of(path) if claim.owner == number), "")
            yield modified(owner, path, expected, "a link out of the venv")
