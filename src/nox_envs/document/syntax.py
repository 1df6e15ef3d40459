"""Owns the explaining of YAML syntax errors; its words do not depend on which parser found them."""

from __future__ import annotations

import re
from typing import TypeAlias

import yaml

Explained: TypeAlias = tuple[int, int, str, str]

_BREAKS = r"\r\n|[\n\r\x85\u2028\u2029]"


def position(text: str, offset: int) -> tuple[int, int]:
    """Return the line and column, from 1, of an offset in characters; lines end where YAML's do."""
    ends = [match.end() for match in re.finditer(_BREAKS, text[:offset])]
    return len(ends) + 1, offset - (ends[-1] if ends else 0) + 1


def explain(error: yaml.MarkedYAMLError, text: str) -> Explained:
    """Return line, column, message and hint for a syntax error.

    The two parsers differ in their words and in some marks; what they agree on is used: the mark of
    the context, the position except at the end of the file, and the beginning of some messages.
    """
    mark = error.problem_mark or error.context_mark
    lines = re.split(_BREAKS, text)
    row, column = (mark.line, mark.column) if mark is not None else (0, 0)
    line = lines[row] if row < len(lines) else ""
    at_end = not line[column:].strip() and not any(later.strip() for later in lines[row + 1 :])
    return (
        _tab(row, column, line)
        or _unclosed(error, lines, at_end)
        or _misplaced(error.problem or "", row, column, line)
        or _refused_start(row, column, line)
        or _fallback(row, column, line)
    )


def _tab(row: int, column: int, line: str) -> Explained | None:
    indent = re.match(r"[ \t]*", line)
    tab = (indent[0] if indent else "").find("\t")
    if tab < 0 or tab > column:
        return None
    return row + 1, tab + 1, "a tab cannot indent in YAML", "use spaces"


def _unclosed(error: yaml.MarkedYAMLError, lines: list[str], at_end: bool) -> Explained | None:
    mark, context = error.context_mark, error.context or ""
    if mark is None:
        return None
    line, column = mark.line + 1, mark.column + 1
    opened = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    if "quoted scalar" in context:
        if "escape" in (error.problem or "") or "hexdecimal" in (error.problem or ""):
            hint = "use single quotes, or double the backslash"
            return line, column, "a backslash in double quotes begins no escape that YAML knows", hint
        return line, column, f"the quote {opened} opened here is never closed", f"add {opened}"
    if "flow" in context and opened in ("[", "{"):
        closing = "]" if opened == "[" else "}"
        end = "is never closed" if at_end else f"has neither ',' nor '{closing}' where one is expected"
        where = "" if at_end else f" (line {(error.problem_mark or mark).line + 1})"
        return line, column, f"the '{opened}' opened here {end}{where}", _flow_hint(closing)
    return None


def _flow_hint(closing: str) -> str:
    return f"close it with '{closing}', or quote a text that holds one of [ ] {{ }} ,"


def _misplaced(problem: str, row: int, column: int, line: str) -> Explained | None:
    if problem.startswith("mapping values are not allowed"):
        hint = "quote a text that holds ': ', or indent the line as its neighbours"
        return row + 1, column + 1, "a second ':' cannot stand here", hint
    if "sequence entries are not allowed" in problem:
        return row + 1, column + 1, "a list cannot begin here", "put each '- ' on a line of its own"
    if re.search(r"""(^|[:\-,]\s+)(['"]).*\2\s*$""", line[:column]):
        hint = "put the whole text into one pair of quotes"
        return row + 1, column + 1, "more text follows a quoted text", hint
    return None


def _refused_start(row: int, column: int, line: str) -> Explained | None:
    start = line[column : column + 1]
    if start and start in "@`%*&!|>":
        message = f"an unquoted text cannot begin with {start!r}"
        return row + 1, column + 1, message, "put it into quotes"
    return None


def _fallback(row: int, column: int, line: str) -> Explained:
    if re.search(r"(^|[:\-]\s+)[{\[][^{}\[\]]*[}\]]\s*$", line[:column]):
        hint = "quote a text that begins with '{' or '['"
    else:
        hint = "check the indentation, quotes and brackets here and on the line above"
    return row + 1, column + 1, "is not valid YAML", hint
