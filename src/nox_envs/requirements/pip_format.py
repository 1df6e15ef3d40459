"""Owns pip's requirements file format: text to lines; opens no file and follows no include.

The rules are those of pip's reference, "Requirements File Format": comments, continuations,
environment variables, options.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from nox_envs.errors import Place, Problem
from nox_envs.pins import redact
from nox_envs.values import value

LineKind: TypeAlias = Literal["requirement", "editable", "requirements", "constraints"]

_VARIABLE = re.compile(r"://[^/?#\s]*@|\$\{(?P<name>[A-Z0-9_]+)\}")
_SECRET = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|AUTH|API_?KEY")
_LONGEST = 200_000
_OPTION_START = re.compile(r"(?:^|[ \t])(?=-)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s*=\s*|\s+|(?<=-e)(?=[^\s=]))(.*)", re.DOTALL)
_HASH = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_SHORT = {
    "-i": "--index-url",
    "-f": "--find-links",
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-C": "--config-settings",
}
_FLAGS = frozenset({"--no-index", "--prefer-binary", "--require-hashes", "--pre"})
_INDEXES = "declare it under `indexes` of the spec"
_NOT_HERE = {
    "--index-url": _INDEXES,
    "--pypi-url": _INDEXES,
    "--extra-index-url": _INDEXES,
    "--no-index": _INDEXES,
    "--find-links": _INDEXES,
    "--no-binary": "write it as lock: {no_binary: […]} in the spec",
    "--only-binary": "write it as lock: {only_binary: […]} in the spec",
    "--prefer-binary": "write lock: {only_binary: […]} in the spec",
    "--pre": "write allow_prereleases: true in the spec",
    "--all-releases": "write allow_prereleases: true in the spec",
    "--only-final": "write allow_prereleases: false in the spec",
    "--trusted-host": "configure it for the installer",
    "--use-feature": "configure it for the installer",
    "--config-settings": "it cannot be kept in a lock",
    "--config-setting": "it cannot be kept in a lock",
    "--global-option": "it cannot be kept in a lock",
    "--install-option": "it cannot be kept in a lock",
}
_TAKEN = frozenset({"--requirement", "--constraint", "--editable", "--hash", "--require-hashes"})


@value
class Line:
    """Hold one line that asks for something: a requirement, or the path of another file.

    `number` is that of its first physical line.
    """

    kind: LineKind
    text: str
    number: int
    hashes: tuple[str, ...] = ()


@value
class ParsedFile:
    """Hold the lines of a file and what is wrong with others."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...] = ()


class _Wrong(Exception):
    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint


def parse(text: str, *, origin: str, environ: Mapping[str, str]) -> ParsedFile:
    """Split a requirements file into lines; raises nothing, whatever the text.

    Args:
        text: the content of the file.
        origin: its name, for the problems.
        environ: values for `${VARIABLE}`; one that is not set, or empty, stays as it is.
    """
    lines: list[Line] = []
    problems: list[Problem] = []
    for number, logical in _logical_lines(text):
        expanded = _expand(logical, environ)
        try:
            lines.extend(_read_line(expanded, number))
        except _Wrong as wrong:
            place = Place(origin=origin, line=number)
            problems.append(Problem(place=place, message=redact(wrong.message), hint=wrong.hint))
    return ParsedFile(lines=tuple(lines), problems=tuple(problems))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines and drop comments; a comment ends a continuation."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").splitlines(), start=1):
        comment = line.lstrip().startswith("#")
        first = first or number
        parts.append(" " + line if comment else line)
        if line.endswith("\\") and not comment:
            parts[-1] = line.strip("\\")
            continue
        yield from _content(first, parts)
        parts, first = [], 0
    yield from _content(first, parts)


def _content(number: int, parts: list[str]) -> Iterator[tuple[int, str]]:
    line = _without_comment("".join(parts)).strip()
    if line:
        yield number, line


def _without_comment(line: str) -> str:
    at = line.find("#")
    while at > 0 and not line[at - 1].isspace():
        at = line.find("#", at + 1)
    return line if at < 0 else line[:at]


def _expand(line: str, environ: Mapping[str, str]) -> str:
    """Expand variables as pip does, but for secrets: an installer expands those when it needs them."""
    if "${" not in line:
        return line

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        return match[0] if name is None or _SECRET.search(name) else environ.get(name) or match[0]

    return _VARIABLE.sub(value, line)


def unset_variables(text: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the variables in a text that were not expanded, because they have no value."""
    names = dict.fromkeys(match["name"] for match in _VARIABLE.finditer(text) if match["name"])
    return tuple(name for name in names if not environ.get(name) and not _SECRET.search(name))


def _read_line(line: str, number: int) -> list[Line]:
    if len(line) > _LONGEST:
        raise _Wrong(f"the line is longer than {_LONGEST} characters")
    start = _OPTION_START.search(line)
    if start is None:
        return [Line(kind="requirement", text=line, number=number)]
    text, options = line[: start.start()].strip(), line[start.end() :]
    if text:
        hashes = _requirement_hashes(_options(options))
        return [Line(kind="requirement", text=text, number=number, hashes=hashes)]
    editable = _EDITABLE.fullmatch(options)
    if editable:
        return [Line(kind="editable", text=_editable_target(editable[1]), number=number)]
    return _option_line(_options(options), number)


def _editable_target(rest: str) -> str:
    words = _words(rest)
    if not any(words):
        raise _Wrong("-e needs a path or a URL")
    # Without quotes around the whole, a marker may follow the target.
    return words[0] if len(words) == 1 else rest.strip()


def _requirement_hashes(options: list[tuple[str, str]]) -> tuple[str, ...]:
    hashes: set[str] = set()
    for name, argument in options:
        if name != "--hash":
            raise _Wrong(
                f"{name} cannot follow a requirement", _NOT_HERE.get(name, "give it a line of its own")
            )
        if not _HASH.fullmatch(argument.lower()):
            raise _Wrong(f"--hash={redact(argument)[:80]} is no hash", "write --hash=sha256: and 64 digits")
        hashes.add(argument.lower())
    return tuple(sorted(hashes))


def _option_line(options: list[tuple[str, str]], number: int) -> list[Line]:
    lines: list[Line] = []
    for name, argument in options:
        if name in _NOT_HERE:
            raise _Wrong(f"{name} is not read from a requirements file", _NOT_HERE[name])
        if name == "--hash":
            raise _Wrong("--hash has no requirement to belong to", "put it on the requirement's line")
        if name == "--editable":
            raise _Wrong("--editable cannot follow another option", "give it a line of its own")
        if name == "--requirement":
            lines.append(Line(kind="requirements", text=argument, number=number))
        elif name == "--constraint":
            lines.append(Line(kind="constraints", text=argument, number=number))
    return lines


def _options(text: str) -> list[tuple[str, str]]:
    """Read options as (long name, value); a flag has no value."""
    words = _words(text)
    options: list[tuple[str, str]] = []
    while words:
        word = words.pop(0)
        name, given, value = _split_option(word)
        if name not in _FLAGS and not given:
            if not words:
                raise _Wrong(f"{name} needs a value")
            value = words.pop(0)
        options.append((name, value))
    return options


def _split_option(word: str) -> tuple[str, bool, str]:
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        given = bool(equals)
    else:
        name, value = _SHORT.get(word[:2], word), word[2:].removeprefix("=")
        given = bool(value)
    if name not in _TAKEN and name not in _NOT_HERE:
        raise _unknown(name)
    return name, given, value


def _unknown(word: str) -> _Wrong:
    if not word.startswith("-"):
        return _Wrong(f"{redact(word)[:80]!r} has no place here", "give each requirement a line of its own")
    from difflib import get_close_matches

    near = get_close_matches(word, sorted(_TAKEN | _NOT_HERE.keys()), n=1)
    return _Wrong(f"unknown option {redact(word)[:80]}", f"perhaps {near[0]}" if near else "")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise _Wrong(f"the options cannot be read: {error}") from None
