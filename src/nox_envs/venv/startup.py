"""Files that Python runs at every start of a venv, and whether an installation put them there.

They are the `*.pth` files at the top of site-packages with the modules that these import, `sitecustomize` and
`usercustomize` (documentation of Python's module `site`).
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import PurePath

from nox_envs.files import read_bytes
from nox_envs.findings import Finding, finding
from nox_envs.lock.pins import local_path
from nox_envs.spec.types import Pairs
from nox_envs.venv.files import claimed_rows, digest_of, file_digest, placed, relative
from nox_envs.venv.receipt import Receipt
from nox_envs.venv.snapshot import Distribution, Snapshot

_LIMIT = 1 << 16


def startup_findings(
    snapshot: Snapshot, receipt: Receipt, *, excused: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Return a finding for each start-up file that is not as the receipt knows it.

    RECORDs are read only if there is one. `excused` are the names of distributions that have a finding of
    their own: their files come and go with them.
    """
    created, known = dict(receipt.created), {**dict(receipt.created), **dict(receipt.startup)}
    changed = [path for path in snapshot.startup if known.get(relative(path, snapshot)) != file_digest(path)]
    owners = _owners(snapshot, changed) if changed else {}
    found: list[Finding] = []
    for path in changed:
        names = [owner.name for owner, _ in owners.get(path, [])]
        expected = known.get(relative(path, snapshot), "")
        if not set(names).isdisjoint(excused) or _is_of_egg_links(path, snapshot):
            continue
        if expected and names:
            found.append(
                finding("file-modified", names[0], expected=expected, actual=file_digest(path), path=path)
            )
        else:
            creator = "what the venv's creator wrote" if relative(path, snapshot) in created else ""
            found.append(finding("startup-hook", expected=creator, actual=_told(path), path=path))
    return tuple(found)


def owned_startup(snapshot: Snapshot) -> Pairs:
    """Return path and digest of the start-up files that are as a RECORD says."""
    digests = {path: file_digest(path) for path in snapshot.startup}
    owners = _owners(snapshot, list(digests)) if digests else {}
    return tuple(
        (relative(path, snapshot), found)
        for path, found in digests.items()
        if any(digest_of(expected) in ("", found) for _, expected in owners.get(path, []))
    )


def _owners(snapshot: Snapshot, paths: list[str]) -> dict[str, list[tuple[Distribution, str]]]:
    """Return the distributions whose RECORDs name files, with the hashes that these give."""
    found: dict[str, list[tuple[Distribution, str]]] = {path: [] for path in paths}
    for one in snapshot.distributions:
        site = os.path.dirname(one.path)  # noqa: PTH120, hot
        for written, expected, _ in claimed_rows(one)[0]:
            path = placed(site, written, snapshot.location)
            if path in found:
                found[path].append((one, expected))
    return found


def _is_of_egg_links(path: str, snapshot: Snapshot) -> bool:
    """Return whether a `.pth` file names nothing but what `setup.py develop` installed."""
    links = {local_path(one.source.url) for one in snapshot.distributions if one.path.endswith(".egg-link")}
    return bool(links) and path.endswith(".pth") and links.issuperset(_lines(path))


def _lines(path: str) -> list[str]:
    """Return the lines of a start-up file that are not comments; of a link, where it leads."""
    try:
        if os.path.islink(path):  # noqa: PTH114
            return [file_digest(path).replace("link:", "a link to ", 1)]
        text = read_bytes(path, _LIMIT, follow=False).decode("utf-8", "replace")
    except OSError:
        return [f"something that cannot be read ({PurePath(path).name})"]
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def _told(path: str) -> str:
    """Return the line of a start-up file that says most of what it does."""
    lines = _lines(path)
    code = [line for line in lines if line.startswith(("import ", "import\t", "from "))]
    line = next(iter(code or lines), "an empty file")
    return line if len(line) <= 100 else f"{line[:99]}…"
