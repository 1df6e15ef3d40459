"""Owns the reading of locks: every line is a pin, a hash, an annotation or a comment, or a problem."""

from __future__ import annotations

import re
from binascii import unhexlify
from functools import cache

from nox_envs.errors import FileProblems, Place, Problem
from nox_envs.lockfile.text.types import Header, Leak, Lock
from nox_envs.pins import (
    INDEX,
    Pin,
    Source,
    canonical_name,
    is_version,
    redact,
    source_of_path,
    source_of_url,
)

_FIELDS = frozenset({"environment", "python", "resolver", "input", "omitted", "with"})
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS = r"(?:\s*\[(?P<extras>[^\]]*)\])?"
_MARKER = r"\s*(?:;\s*(?P<marker>.+))?"
_PINNED = re.compile(
    rf"(?P<name>{_NAME}){_EXTRAS}\s*"
    rf"(?:(?P<equals>===?)\s*(?P<version>[^\s;,*#]+)|@\s*(?P<url>[^\s-]\S*)){_MARKER}"
)
# Compiled when a line needs them, which the lines of a generated lock do not.
_LOCAL = r"(?P<editable>-e\s+)?(?P<path>\.{1,2}(?:/[^\[]*)?)(?:\[(?P<extras>[^\]]*)\])?"
_NAMED = rf"(?P<name>{_NAME})(?:==(?P<version>\S+))?"
_COMMENT = r"(?:^|\s)#(.*)"
_HASH_OPTION = r"\s--hash[= ]\s*(\S+)"
_OPTION = r"(?:^|\s)(--?[A-Za-z][A-Za-z-]*)"
_INDEX_OPTION = (
    r"(?P<name>-i|-f|--(?:(?:extra-)?index-url|pypi-url|find-links|no-index|trusted-host))(?:[\s=].*|$)"
)
_HASH = r"sha(?:256|384|512):[0-9a-f]+"
_BLOCK_START = re.compile(r"\n(?=[^\s#])")
_LONGEST = 8000
_ODD_LINE_ENDS = "\r\v\f\x1c\x1d\x1e"


class _Wrong(Exception):
    """Say what is wrong with one line, and what to do."""

    def __init__(self, message: str, hint: str = "regenerate the file: nox -s lock") -> None:
        self.message = message
        self.hint = hint


def parse(text: str, *, origin: str) -> Lock:
    """Parse the text of a lock.

    `origin` is the file name as shown to the user. Raises FileProblems with every line that is not a
    pin, a hash, an annotation or a comment.
    """
    reader = _Reader(origin)
    # pip takes each of these for the end of a line; where one occurs, so does the reader.
    plain = text.isascii() and not any(end in text for end in _ODD_LINE_ENDS)
    number = 1
    for block in _BLOCK_START.split(text) if plain else (text,):
        pin = _generated_pin(block, number) if plain else None
        if pin is not None:
            reader.pins.append(pin)
        else:
            reader.read(block.splitlines(), number)
        number += block.count("\n") + 1
    if reader.problems:
        raise FileProblems(_conflicts(text, origin) or tuple(reader.problems))
    leaks = (*reader.leaks, *url_leaks(text)) if "file:" in text or "://" in text else tuple(reader.leaks)
    return Lock(origin=origin, header=read_header(reader.head), pins=tuple(reader.pins), leaks=leaks)


def _generated_pin(block: str, number: int) -> Pin | None:
    """Read a pin that is laid out as `render` and uv do it, quickly; None for anything else."""
    body, _, annotation = block.partition("\n    # via")
    line, *digests = body.rstrip("\n").split(" \\\n    --hash=sha256:")
    match = _PINNED.fullmatch(line) if line.isprintable() else None
    via = _generated_via(annotation.rstrip("\n"))
    if match is None or via is None or not _are_sha256(digests):
        return None
    try:
        return _index_pin(match, tuple([f"sha256:{digest}" for digest in digests]), via, number)
    except _Wrong:
        return None


def _generated_via(annotation: str) -> tuple[str, ...] | None:
    if not annotation:
        return ()
    listed = annotation.startswith("\n    #   ")
    via = annotation[9:].split("\n    #   ") if listed else [annotation[1:]]
    odd = any("\n" in asker or asker != asker.strip() for asker in via)
    return None if odd or annotation[0] not in " \n" else tuple(via)


def _are_sha256(digests: list[str]) -> bool:
    joined = "".join(digests)
    try:
        return len(unhexlify(joined)) == 32 * len(digests) and joined == joined.lower()
    except ValueError:
        return False


class _Reader:
    """Read any lines that pip takes, and collect what is wrong with the others."""

    def __init__(self, origin: str) -> None:
        self.head: list[str] = []
        self.pins: list[Pin] = []
        self.problems: list[Problem] = []
        self.leaks: list[Leak] = []
        self._origin = origin

    def read(self, lines: list[str], number: int) -> None:
        """Read lines, the first of which is line `number` of the file."""
        at = 0
        while at < len(lines):
            if lines[at].lstrip()[:1] in ("", "#"):
                if not self.pins:
                    self.head.append(lines[at])
                at += 1
                continue
            first = number + at
            line, at = _logical_line(lines, at)
            option = re.fullmatch(_INDEX_OPTION, line)
            if option is not None:
                self.leaks.append(Leak(what=f"the option {option['name']} of an installer", line=first))
                continue
            via, at = _annotations(lines, at)
            try:
                self.pins.append(_pin(line, via, first))
            except _Wrong as wrong:
                place = Place(origin=self._origin, line=first)
                self.problems.append(Problem(place=place, message=wrong.message, hint=wrong.hint))


def _conflicts(text: str, origin: str) -> tuple[Problem, ...]:
    found = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() == "<<<<<<<" or line.startswith("<<<<<<< ")
    ]
    return tuple(
        Problem(
            place=Place(origin=origin, line=number),
            message="an unresolved merge conflict",
            hint="take either side, then nox -s lock",
        )
        for number in found
    )


def _logical_line(lines: list[str], at: int) -> tuple[str, int]:
    """Join a line with its continuations; return it, and where the next begins."""
    parts: list[str] = []
    continued = True
    while continued:
        if at == len(lines):
            parts.append("\\")  # what should follow stands in no line
            break
        line = lines[at]
        at += 1
        if parts and line.lstrip().startswith("#"):
            break  # a comment ends a continuation
        continued = line.endswith("\\")
        parts.append(line.strip("\\").strip())
    return " ".join(parts).strip(), at


def _annotations(lines: list[str], at: int) -> tuple[tuple[str, ...], int]:
    """Read the `# via` comment below a pin, of one line or of several."""
    via: list[str] = []
    listed = False
    while at < len(lines):
        line = lines[at]
        content = line.strip()
        if not content.startswith("#") or line.startswith("#"):
            break
        at += 1
        if content == "# via":
            listed = True
        elif content.startswith("# via "):
            via.append(content[6:].strip())
        elif listed and content.startswith("#  "):
            via.append(content[1:].strip())
        else:
            listed = False
    return tuple(via), at


def _pin(line: str, via: tuple[str, ...], number: int) -> Pin:
    line, comment = _split_comment(line)
    hashes = tuple([_checked_hash(digest) for digest in re.findall(_HASH_OPTION, line)])
    line = re.sub(_HASH_OPTION, "", line).strip()
    if len(line) > _LONGEST or not line.replace("\t", " ").isprintable():
        raise _Wrong(f"{_shown(line)} is too long, or holds a character that cannot be printed")
    if line.startswith((".", "-e ")):
        return _local_pin(line, comment, hashes, via, number)
    match = _PINNED.fullmatch(line)
    if match is None:
        raise _not_a_pin(line)
    if comment.startswith("via "):
        via = tuple([asker.strip() for asker in comment[4:].split(",")])
    return _index_pin(match, hashes, via, number)


def _index_pin(match: re.Match[str], hashes: tuple[str, ...], via: tuple[str, ...], number: int) -> Pin:
    name, extras, equals, version, url, marker = match.groups()
    if equals == "==" and not is_version(version):
        raise _Wrong(f"{_shown(version)} is no version")
    return Pin(
        name=canonical_name(name),
        version=version or "",
        source=source_of_url(url) if url else INDEX,
        extras=_extras(extras) if extras else (),
        marker=_marker(marker) if marker else "",
        hashes=hashes,
        via=via,
        line=number,
    )


def _local_pin(line: str, comment: str, hashes: tuple[str, ...], via: tuple[str, ...], number: int) -> Pin:
    target, _, marker = line.partition(";")
    match = re.fullmatch(_LOCAL, target.strip())
    if match is None or re.search(_OPTION, match["path"]):
        raise _not_a_pin(line)
    path = match["path"].rstrip()
    named = re.fullmatch(_NAMED, comment)
    if named is None:
        raise _Wrong("a path without the name of its package", "write it behind: ./folder  # name")
    kind = source_of_path(path, "/", editable=bool(match["editable"])).kind
    return Pin(
        name=canonical_name(named["name"]),
        version=named["version"] or "",
        source=Source(kind=kind, url=path, editable=bool(match["editable"])),
        extras=_extras(match["extras"] or ""),
        marker=_marker(marker),
        hashes=hashes,
        via=via,
        line=number,
    )


def _not_a_pin(line: str) -> _Wrong:
    option = re.search(_OPTION, line)
    if option is None:
        return _Wrong(f"not a pin: {_shown(line)}")
    if option[1] == "--hash":
        return _Wrong("a hash that belongs to no pin", "the line before it ends with a backslash")
    return _Wrong(
        f"a lock holds no option, found {_shown(option[1])}", "options belong to envs.yaml; nox -s lock"
    )


def _split_comment(text: str) -> tuple[str, str]:
    """Split a line as pip does: a comment begins at the start or after whitespace."""
    match = re.search(_COMMENT, text)
    return (text[: match.start()].strip(), match[1].strip()) if match else (text, "")


def _checked_hash(digest: str) -> str:
    digest = digest.lower()
    if not re.fullmatch(_HASH, digest):
        raise _Wrong(f"{_shown(digest)} is no hash that pip takes", "sha256, sha384 or sha512")
    return digest


def _extras(text: str) -> tuple[str, ...]:
    return tuple(sorted({canonical_name(extra.strip()) for extra in text.split(",") if extra.strip()}))


def _marker(text: str) -> str:
    marker = text.strip()
    if marker and not _is_marker(marker):
        raise _Wrong(f"{_shown(marker)} is no marker")
    return marker


@cache
def _is_marker(marker: str) -> bool:
    from packaging.markers import InvalidMarker, Marker

    try:
        Marker(marker)
    except (InvalidMarker, RecursionError):
        return False
    return True


def _shown(text: str) -> str:
    text = redact(text)
    return repr(text if len(text) <= 80 else text[:77] + "...")


def url_leaks(text: str) -> tuple[Leak, ...]:
    """Return the lines of a text with credentials in a URL, or with the URL of a file of one machine."""
    found: list[Leak] = []
    for number, line in enumerate(text.splitlines(), 1):
        if "://" in line and redact(line) != line:
            found.append(Leak(what="credentials in a URL", line=number))
        if re.search(r"(?i)\bfile:/", line):
            found.append(Leak(what="the path of a file on one machine", line=number))
    return tuple(found)


def read_header(lines: list[str]) -> Header | None:
    """Read what a lock says of itself in the comments at its top; None where nox-envs did not make it."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        key, colon, value = line.lstrip("# ").partition(": ")
        if colon and key in _FIELDS:
            fields.setdefault(key, []).append(value.strip())
    if "input" not in fields:
        return None
    return Header(
        environments=_words(fields.get("environment", [])),
        pythons=_words(fields.get("python", [])),
        resolver=fields.get("resolver", [""])[0],
        input=fields["input"][0],
        omitted=tuple(fields.get("omitted", [])),
        parts=tuple(fields.get("with", [])),
    )


def _words(texts: list[str]) -> tuple[str, ...]:
    return tuple(word.strip() for text in texts for word in text.split(",") if word.strip())
