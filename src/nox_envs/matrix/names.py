"""Owns the names nox gives to sessions and their venvs, computed without nox."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nox_envs.spec.types import Pairs

_UNSAFE = re.compile(r"[^\w\s-]")
_DASHES = re.compile(r"[-\s]+")
_LONGEST = 100 - len("bin/pythonX.Y")


def session_name(environment: str, python: str | None, axes: Pairs) -> str:
    """Return nox's friendly name of a session; `python` is None when its name does not show it."""
    signature = ", ".join([f"{axis}={value!r}" for axis, value in axes])
    shown = f"{environment}-{python}" if python is not None else environment
    return f"{shown}({signature})" if signature else shown


def venv_slug(session: str) -> str:
    """Return the name of the venv's directory for a session, before nox shortens a long path."""
    ascii_only = unicodedata.normalize("NFKD", session).encode("ascii", "ignore").decode("ascii")
    slug = _DASHES.sub("-", _UNSAFE.sub("-", ascii_only).strip().lower()).strip("-")
    return slug or _short_digest(session)


def venv_directory_name(envdir: str, session: str) -> str:
    """Return the path of the venv that nox makes below `envdir` for the session of this friendly name."""
    slug = venv_slug(session)
    path = os.path.join(envdir, slug)
    if len(path) > _LONGEST and len(envdir) < 100 - 9:
        return os.path.join(envdir, _short_digest(slug))
    return path


def _short_digest(text: str) -> str:
    from hashlib import sha1

    return sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest()[:8]
