"""Owns the reading of tags from HTML, in time that grows with its length only; builds no tree."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

# Each is matched at one place, and none looks back: a page from outside cannot make them slow.
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<(a|meta)(?=[\s/])", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE = re.compile(
    r"""[\s/]*([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""", re.IGNORECASE
)


def tags(page: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the name and the attributes of each `a` and `meta` of a page, in order.

    Names are in lower case; values are unescaped, and empty where there is none.
    """
    at = 0
    while match := _TAG.search(page, at):
        at = match.end()
        if match[1]:
            found, at = _attributes(page, at)
            yield match[1].lower(), found


def _attributes(page: str, at: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    while match := _ATTRIBUTE.match(page, at):
        at = match.end()
        found.setdefault(match[1].lower(), html.unescape(match[2] or match[3] or match[4] or ""))
    return found, at
