"""Owns the reading of JSON that comes from outside; whatever is of another type counts as absent."""

from __future__ import annotations

import json

from nox_envs.errors import NoxEnvsError

_LONGEST = 200


def document(data: bytes) -> dict[str, object]:
    """Read a JSON object; raises NoxEnvsError, worded as the end of a sentence, for anything else.

    Numbers are read as 0, for nothing here needs them and a long one takes long to read.
    """
    try:
        found: object = json.loads(data.decode("utf-8-sig"), parse_int=_zero, parse_float=_zero)
    except (ValueError, RecursionError):
        raise NoxEnvsError("is no JSON") from None
    if not isinstance(found, dict):
        raise NoxEnvsError("is no JSON object")
    return found


def _zero(_: str) -> int:
    return 0


def table(content: object) -> dict[str, object]:
    """Return a JSON object, an empty one for anything else."""
    return content if isinstance(content, dict) else {}


def rows(content: object) -> list[object]:
    """Return a JSON array, an empty one for anything else."""
    return content if isinstance(content, list) else []


def text(content: object) -> str:
    """Return a text, an empty one for anything else."""
    return content if isinstance(content, str) else ""


def texts(content: object) -> tuple[str, ...]:
    """Return the texts of a JSON array that are not empty."""
    return tuple(one for one in rows(content) if isinstance(one, str) and one)


def short(content: object) -> str:
    """Return a text on one line and of at most 200 characters."""
    line = " ".join(text(content)[: 4 * _LONGEST].split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
