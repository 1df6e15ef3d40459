"""Owns the comparison of a declared source with an installed one.

Opens nothing; the one look at the file system resolves links, where two local paths are written
differently.
"""

from __future__ import annotations

import os
import re
from typing import Literal, TypeAlias

from nox_envs.pins.types import Source
from nox_envs.pins.urls import local_path

Difference: TypeAlias = Literal["", "source", "revision", "artifact", "unverifiable"]

_COMMIT = r"[0-9a-f]{7,64}"
_FULL_COMMIT_LENGTH = 40
_DEFAULT_PORT = r":(?:22|80|443|9418)?$"


def differs(expected: Source, actual: Source) -> Difference:
    """Say how an installed source differs from a declared one; nothing when it is the same.

    - `source`: another kind of source, another repository, directory, archive or editable flag;
    - `revision`: the same repository at another commit or subdirectory;
    - `artifact`: an archive whose recorded hash is another;
    - `unverifiable`: what is recorded does not tell, such as an archive without a hash (some
      installers record none), or a branch, whose commit no lock knows.
    """
    if expected.kind != actual.kind:
        # pip records an editable VCS checkout as the directory of its clone (PEP 610).
        cloned = expected.kind == "vcs" and expected.editable and actual.editable
        return "unverifiable" if cloned else "source"
    if expected.kind == "vcs":
        return _vcs_differs(expected, actual)
    if expected.kind == "directory":
        same = expected.editable == actual.editable and _same_place(expected, actual)
        return "" if same else "source"
    return _archive_differs(expected, actual) if expected.kind == "archive" else ""


def _vcs_differs(expected: Source, actual: Source) -> Difference:
    if _repository(expected.url) != _repository(actual.url):
        return "source"
    if expected.subdirectory != actual.subdirectory:
        return "revision"
    wanted, commit = expected.revision.lower(), actual.revision.lower()
    if wanted == commit or (re.fullmatch(_COMMIT, wanted) and commit.startswith(wanted)):
        return ""
    if re.fullmatch(_COMMIT, wanted) and len(wanted) >= _FULL_COMMIT_LENGTH:
        return "revision"
    # A branch or tag: its commit is not known here, but another name was surely not asked for.
    renamed = actual.requested not in ("", expected.revision) and not re.fullmatch(_COMMIT, actual.requested)
    return "revision" if wanted and renamed else "unverifiable"


def _repository(url: str) -> tuple[str, str, str]:
    """Reduce a repository's URL to what tells it from others: the tool, the host and the path."""
    from urllib.parse import unquote

    tool, _, rest = url.partition("+")
    host, _, path = rest.partition("://")[2].partition("/")
    host = re.sub(_DEFAULT_PORT, "", host.rpartition("@")[2])
    if ":" in host and not host.rpartition(":")[2].isdigit():  # git+ssh://git@host:organisation/…
        host, _, organisation = host.partition(":")
        path = f"{organisation}/{path}"
    path = unquote(path).strip("/").removesuffix(".git").rstrip("/")
    return tool.lower(), host.lower(), path


def _same_place(one: Source, other: Source) -> bool:
    if one.subdirectory != other.subdirectory:
        return False
    return one.url == other.url or _place(one.url) == _place(other.url)


def _place(url: str) -> str:
    if not url.startswith("file:"):
        return re.sub(r"://[^/?#]*@", "://", url)
    try:
        return os.path.normcase(os.path.realpath(local_path(url)))
    except (OSError, ValueError):  # a null byte, a loop of links
        return url


def _archive_differs(expected: Source, actual: Source) -> Difference:
    if expected.subdirectory != actual.subdirectory:
        return "source"
    if set(expected.hashes) & set(actual.hashes):
        return ""
    if not _same_place(expected, actual):
        return "source"
    recorded = {item.partition(":")[0] for item in actual.hashes}
    comparable = any(item.partition(":")[0] in recorded for item in expected.hashes)
    return "artifact" if comparable else "unverifiable"
