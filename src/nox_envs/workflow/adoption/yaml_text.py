"""Owns the text of YAML scalars and lists, as little quoted as can be; reads nothing."""

from __future__ import annotations

import json
import re

# No character that YAML reads as syntax anywhere in a block scalar, and none that starts one.
_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9./_<>=!~,;()+@ \[\]-]*")
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z./][A-Za-z0-9./_<>=!~;()+@ -]*")
_NOT_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def scalar(text: str, *, flow: bool = False) -> str:
    """Return a text as a scalar of YAML, quoted where it must be; `flow` is for inside brackets."""
    plain = _PLAIN_IN_FLOW if flow else _PLAIN
    if plain.fullmatch(text) and text == text.strip() and text.lower() not in _NOT_TEXT:
        return text
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text)


def item(text: str) -> str:
    """Return a text as an item of a block list."""
    return scalar(text)


def mapping_item(key: str, text: str) -> str:
    """Return `key: text` as an item of a block list."""
    return f"{key}: {scalar(text)}"


def flow_list(texts: tuple[str, ...]) -> str:
    """Return texts as a list on one line."""
    return f"[{', '.join(scalar(text, flow=True) for text in texts)}]"


def python_value(pythons: tuple[str, ...]) -> str:
    """Return one Python, or several, as the value of `python`: always quoted, as 3.10 is no number."""
    quoted = [f'"{python}"' for python in pythons]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"


def comment(text: str, indent: str = "") -> str:
    """Return a text as one comment line; what cannot be printed is escaped."""
    shown = text if text.isprintable() else json.dumps(text)[1:-1]
    return f"{indent}# {shown}\n"
