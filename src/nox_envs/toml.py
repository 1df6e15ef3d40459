"""Owns TOML: a text to tables, in bounded time; knows no file and what none of them means."""

from __future__ import annotations

import re
import sys

_MOST_DOTS = 200
_STRINGS = r"\"[^\"\n]*\"|'[^'\n]*'"
_LONG_KEY = rf"(?:\.[\w \t-]*){{{_MOST_DOTS}}}"


def parse_toml(text: str) -> dict[str, object]:
    """Parse a TOML document; raises ValueError, worded for a person, for what is none or cannot be read."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    # A key of very many parts takes the parser quadratic time, and ends in tables that nest as deep.
    for line in text.split("\n"):
        if line.count(".") >= _MOST_DOTS and re.search(_LONG_KEY, re.sub(_STRINGS, "", line)):
            raise ValueError(f"a key has more than {_MOST_DOTS} parts")
    try:
        tables: dict[str, object] = tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return tables
