"""Owns the files that Python runs at every start of a venv, and whether a receipt knows them.

They are the `*.pth` files at the top of site-packages, `sitecustomize` and `usercustomize` (the
documentation of Python's module `site`). A warm run pays for a hash of each and for nothing else.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from nox_envs.drift.finding import Finding
from nox_envs.files import read_head
from nox_envs.receipt import KnownFile, Receipt
from nox_envs.snapshot import Snapshot

_LIMIT = 1 << 26


def startup_findings(snapshot: Snapshot, receipt: Receipt) -> tuple[Finding, ...]:
    """Return a finding for each startup file that nobody owns or that is not as its owner says.

    Files that the receipt knows are compared with it; RECORDs are read only if others are left. The
    findings have no environment, session, reason and fix.
    """
    known = {(file.path, file.digest) for file in (*receipt.created, *receipt.startup)}
    unknown = [
        path
        for path in (*code_files(snapshot), *_companions(snapshot, receipt))
        if (relative(path, snapshot), digest(path)) not in known
    ]
    if not unknown:
        return ()
    from nox_envs.integrity.hooks import judge_hooks

    return judge_hooks(snapshot, receipt, tuple(unknown))


def created_files(snapshot: Snapshot) -> tuple[KnownFile, ...]:
    """Return the files that the creator of a new venv left at the top of its site-packages."""
    paths = (os.path.join(site, name) for site, _ in snapshot.sites for name in sorted(os.listdir(site)))
    return tuple(known_file(path, snapshot) for path in paths if not Path(path).is_dir())


def code_files(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the startup files of a snapshot; of a package the file that is run."""
    found: list[str] = []
    for path in snapshot.startup:
        if Path(path).is_dir():
            found += sorted(str(file) for file in Path(path).glob("__init__.*"))
        else:
            found.append(path)
    return tuple(found)


def _companions(snapshot: Snapshot, receipt: Receipt) -> list[str]:
    """Return the modules that the venv's creator left for a `.pth` file of its own to import."""
    modules = (file.path for file in receipt.created if file.path.endswith(".py"))
    paths = (os.path.join(snapshot.location, module) for module in modules)
    return [path for path in paths if path not in snapshot.startup and os.path.lexists(path)]


def known_file(path: str, snapshot: Snapshot) -> KnownFile:
    """Describe a file as it is now."""
    return KnownFile(path=relative(path, snapshot), digest=digest(path))


def relative(path: str, snapshot: Snapshot) -> str:
    """Return a path of the venv as the receipt writes it: relative, with `/`."""
    return path[len(snapshot.location) + 1 :].replace(os.sep, "/")


def digest(path: str) -> str:
    """Return what tells one content of a file from another: `sha256:…`, or where a link leads to.

    A link is not followed. Something that cannot be read has a digest that is never known.
    """
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return f"link:{os.readlink(path)}"  # noqa: PTH115
        if not stat.S_ISREG(mode):
            return ""
        return f"sha256:{hashlib.sha256(read_head(path, _LIMIT)).hexdigest()}"
    except (OSError, ValueError):
        return ""
