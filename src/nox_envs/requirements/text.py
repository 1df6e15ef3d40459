"""Requirement texts: PEP 508, URLs, local paths, and pip's file format."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import unquote

from nox_envs.errors import Invalid, Place, Problem, did_you_mean
from nox_envs.spec.words import ARCHIVE, PACKAGE, canonical_name, is_bare, is_name, show
from nox_envs.terminal import holds_credentials
from nox_envs.values import replace, value

_N = "[0-9]{1,9}"
_CLAUSE = rf" *(?:(?:[=!<>]=|[<>]) *{_N}|~= *{_N}\.{_N})(?:\.{_N})* *"
# A name and plain releases: what most requirements are, read without the cost of a whole parser.
_SIMPLE = re.compile(rf"({PACKAGE})((?:{_CLAUSE}(?:,{_CLAUSE})*)?)")
_EDITABLE = re.compile(r"(?:--editable(?=[ =])|-e) *=? *")
_PATH = re.compile(r"\.{1,2}(?:[/\\\[#; ]|$)|[/\\~]|[A-Za-z]:[/\\]")
_LOOSE_PATH = re.compile(rf"(?i)[^@;\[#]*(?:[/\\]|{ARCHIVE}\s*(?:[\[#;]|$))")
_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|file:")
_SCHEMES = r"(?i)https?|(?:git|hg|svn|bzr)\+(?:https?|ssh|git|svn|sftp|lp|file)"
_PROJECT_ROOT = r"^/*\$\{PROJECT_ROOT\}/*"
_HASH = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
# Python converts no number that is much longer.
_LONGEST = 4000
_HINTS = {
    "-": "write {file: …} for -r; most other options are keys of the environment",
    rf"({PACKAGE})(?:\s*=(?![=<>])\s*|\s+v?(?=[0-9]))([^\s;]+)": r"write \1==\2",
    r"[^;]*=[<>]": "write >= or <=",
    r"[\w.-]+[/\\]": "a local path begins with ./",
    rf"{_SIMPLE.pattern} *;": 'its marker is wrong; write one such as python_version < "3.13"',
    r"": "write name, name>=1.0, or name @ https://…",
}


@value
class Declared:
    """One direct requirement (or constraint).

    `name` is canonical (PEP 503), empty for a URL or path that gives none; `extras` are canonical and sorted.
    At most one of `specifier`, `url` and `path` is non-empty. `path` is POSIX and relative to the spec's
    directory: `.`, or it begins with `./` or `../`; an absolute path stays absolute. `marker` is as packaging
    prints it (empty: always). `hashes` look like `sha256:…`. `why` is the chain of requirement sets and files
    that led here, outermost first; `via` is what `# via` names in a file.
    """

    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    url: str = ""
    path: str = ""
    editable: bool = False
    marker: str = ""
    hashes: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    place: Place = Place(origin="")


@lru_cache(maxsize=8192)
def read_requirement(text: str, loose: bool = False) -> Declared:
    """Read the text of a requirement: PEP 508, a URL, a local path, or `-e` and one of the last two.

    A path begins with `./` or `../`; with `loose` it may also be any that pip takes in a file. A URL is never
    editable: uv cannot do that. Raises Invalid.
    """
    text = text.strip()
    if len(text) > _LONGEST or not text.isprintable():
        raise Invalid(f"{show(text)} has more than {_LONGEST} characters, or one that cannot be printed")
    if not (loose and _LOOSE_PATH.match(text)) and (simple := _SIMPLE.fullmatch(text)):
        specifier = ",".join(sorted(set(simple[2].replace(" ", "").split(","))))
        return Declared(name=canonical_name(simple[1]), specifier=specifier)
    editable = _EDITABLE.match(text)
    target = text[editable.end() :] if editable else text
    if holds_credentials(target):
        hint = "take it out; uv reads netrc, the keyring and ${VARIABLES}"
        raise Invalid(f"{show(text)} has a password or token in its URL", hint)
    is_path = editable or _PATH.match(target) or (loose and _LOOSE_PATH.match(target))
    bare: list[str] = []  # a URL or path without a name, and perhaps a marker
    if _URL.match(target):
        bare = re.split(" ;|; ", target, maxsplit=1)  # another semicolon is part of the URL
    elif is_path and " @" not in target and target[:1] not in ("", "-"):
        bare = target.split(";", 1)
    from packaging.requirements import Requirement

    asked = ";".join(["x", *bare[1:]]) if bare else target
    try:
        parsed = Requirement(asked)
        if parsed.marker:
            parsed.marker.evaluate()
        specifier, marker = str(parsed.specifier), str(parsed.marker or "")
    except (ValueError, KeyError, RecursionError):
        hints = (match.expand(hint) for start, hint in _HINTS.items() if (match := re.match(start, asked)))
        raise Invalid(f"{show(target)} is not a requirement", next(hints)) from None
    where = bare[0].strip() if bare else parsed.url
    found = Declared(name="", specifier=specifier) if where is None else _located(where)
    name = found.name if bare else canonical_name(parsed.name)
    extras = tuple(sorted({*found.extras, *map(canonical_name, parsed.extras)}))
    return replace(found, name=name, extras=extras, marker=marker, editable=bool(editable and found.path))


def _located(target: str) -> Declared:
    """Read a URL or path with extras, and its fragment (`#egg=name[x]&subdirectory=s&sha256=…`)."""
    target, _, fragment = target.partition("#")
    parts = dict(part.partition("=")[::2] for part in fragment.split("&") if part)
    egg, extras = _split_extras(parts.pop("egg", ""))
    hashes = {_checked_hash(f"{key}:{parts[key]}") for key in parts if re.match("(?i)(?:sha|md)[0-9]", key)}
    scheme, _, rest = target.partition(":")
    url = path = ""
    is_url = _URL.match(target)
    if not is_url or scheme.lower() == "file":
        path, more = _split_extras(re.sub(_PROJECT_ROOT, "./", rest) if is_url else target.replace("\\", "/"))
        extras += more
        path = unquote(path) if is_url else path
        if not path or not path.isprintable() or ";" in path or "subdirectory" in parts:
            raise Invalid(f"{show(target)} is not a path", "write ./folder")
        path = posixpath.normpath(path)
        path = path if path.split("/")[0] in ("", ".", "..") else f"./{path}"
    elif re.fullmatch(_SCHEMES, scheme) and re.fullmatch("//+[^/ ][^ ]*", rest):
        kept = "&".join(f"{key}={content}" for key, content in parts.items())
        url = f"{target}#{kept}" if kept else target
    else:
        hint = "write https://…, or git+https://… for a repository"
        raise Invalid(f"{show(target)} is not a URL that can be installed from", hint)
    file = (path or target).partition("?")[0].rpartition("/")[2]
    wheel = file.partition("-")[0] if file.lower().endswith(".whl") else ""
    name = next(filter(is_name, map(canonical_name, (egg, wheel))), "")
    return Declared(name=name, extras=extras, url=url, path=path, hashes=tuple(sorted(hashes)))


def _split_extras(text: str) -> tuple[str, tuple[str, ...]]:
    match = re.fullmatch(r"([^\[\]]*)(?:\[([^\[\]]*)\])?", text)
    words = match[2].split(",") if match and match[2] else []
    extras = [canonical_name(word.strip()) for word in words if word.strip()]
    if match is None or not all(map(is_name, extras)):
        raise Invalid(f"{show(text)} is not a path with extras", "write ./folder[extra]")
    return match[1].strip(), tuple(extras)


def _checked_hash(text: str) -> str:
    lowered = text.lower()
    if not _HASH.fullmatch(lowered):
        raise Invalid(f"{show(text)} is not a hash that can be checked", "write sha256: and 64 hex digits")
    return lowered


def requirement_text(declared: Declared) -> str:
    """Return a requirement as one line that pip and uv read, without its hashes."""
    extras = f"[{','.join(declared.extras)}]" if declared.extras else ""
    marker = f" ; {declared.marker}" if declared.marker else ""
    if declared.url and declared.name:
        return f"{declared.name}{extras} @ {declared.url}{marker}"
    target = declared.url or declared.path or declared.name
    return f"{'-e ' if declared.editable else ''}{target}{extras}{declared.specifier}{marker}"


def requirement_key(declared: Declared) -> str:
    """Return what tells a requirement from others, wherever it is written: its text and its hashes."""
    return " ".join((requirement_text(declared), *declared.hashes))


# pip's file format. Where pip and uv read a line differently, it is refused.

# A line with its continuations, in which no comment begins, and the indented comments below it. The first
# way is how nearly all pins are laid out: nothing in it has to be looked at again.
_BLOCK = re.compile(
    r"([a-z][ !\"%-\[\]-~]*(?<! ))((?: \\\n    --hash=sha256:[0-9a-f]{64})*)\n"
    r"((?:    # [ -~]*\n)*)(?![ \t]+#)"
    r"|(?:[^\n#]*(?:(?<=[^ \t\n])#[^\n#]*)*\\\n)*[^\n]*\n(?:[ \t]+#[^\n]*\n)*"
)
_COMMENT = re.compile(r"#(?<![^ \t\n]#)")
_VIA = re.compile(r"(?m)^[ \t]*# ?via(?: (.*))?$((?:\n[ \t]*#  .*)*)")
_OPTION = re.compile(r"(?P<name>--[a-z-]+(?=[ =]|$)|-[a-zA-Z]) *=? *(?P<argument>.*)")
_VARIABLE = re.compile(r"://[^/?#\s]*@|\$\{(?P<name>[A-Z0-9_]+)\}")
_SECRET = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|AUTH|API_?KEY")
_MOST_LINES = 200_000
MOST_PROBLEMS = 1_000
Kind: TypeAlias = Literal["editable", "requirements", "constraints", "option"]
_INDEXES = ("--index-url", "-i", "--extra-index-url", "--no-index", "--find-links", "-f")
OPTIONS = {
    **dict.fromkeys(_INDEXES, "remove the line; declare the index under `indexes` of the spec"),
    **dict.fromkeys(("--trusted-host", "--prefer-binary", "--use-feature"), "configure it for uv"),
    **dict.fromkeys(("--no-binary", "--only-binary"), "write it as a key of the environment"),
    "--pre": "write allow_prereleases: true in the environment",
    "--require-hashes": "take it out; hashes are always checked",
}
_FLAGS = ("--no-index", "--prefer-binary", "--pre", "--require-hashes")
_KINDS: dict[str, Kind] = dict.fromkeys(OPTIONS, "option")
_KINDS |= {"-r": "requirements", "--requirement": "requirements", "-e": "editable"}
_KINDS |= {"-c": "constraints", "--constraint": "constraints", "--editable": "editable"}


@value
class Option:
    """A line of a requirements file that is not a requirement.

    `text` is the path behind `-r` or `-c`, or the name of an option: `secret` tells that its value has
    credentials.
    """

    kind: Kind
    text: str
    secret: bool = False
    place: Place


Contents: TypeAlias = tuple[tuple[Declared | Option, ...], tuple[Problem, ...]]


def read_requirements_file(text: str, *, origin: str, environ: Mapping[str, str]) -> Contents:
    """Return what the lines of a file ask for, by the rules of pip and uv; what cannot be read is a problem.

    `origin` is its name, for the places; `environ` has the values of `${VARIABLE}`.
    """
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").replace("\r\n", "\n").replace("\r", "\n")
    text = text if text.endswith("\n") else f"{text}\n"
    lines: list[Declared | Option] = []
    problems: list[Problem] = []
    number = 1
    for block in _BLOCK.finditer(text):
        place = Place(origin=origin, line=number)
        try:
            if number > _MOST_LINES:
                raise Invalid(f"the file has more than {_MOST_LINES} lines")
            if line := _read_line(block, place, environ):
                lines.append(line)
        except Invalid as wrong:
            problems.append(wrong.at(place))
            if number > _MOST_LINES or len(problems) == MOST_PROBLEMS:
                break
        number += block[0].count("\n")
    return tuple(lines), tuple(problems)


def _read_line(match: re.Match[str], place: Place, environ: Mapping[str, str]) -> Declared | Option | None:
    block, (text, usual, comments) = match[0], match.groups()
    if text and " -" not in text:
        return _requirement(text, usual.split(" \\\n    --hash=")[1:], comments, place)
    comment = _COMMENT.search(block)
    code, comments = (block[: comment.start()], block[comment.start() :]) if comment else (block, "")
    parts = code.split("\\\n")
    beside = parts[-1].rpartition("\n")[2].strip(" \t")
    if len(block.splitlines()) > block.count("\n") or (beside and re.match(r"[^\n]*\\\n", comments)):
        what = "a control character, or a backslash at the end of a comment"
        raise Invalid(f"{what}, is read differently by pip and uv", "remove it")
    text = "".join(parts).replace("\t", " ").strip(" \n")
    if not text:
        return None
    if "\\" in text or not text.isprintable():
        what = "a backslash or a character that cannot be printed"
        raise Invalid(f"the line contains {what}", "write / in paths")
    if text.startswith("-"):
        if len([part for part in parts if part.strip(" \t\n")]) > 1:
            raise Invalid("an option on several lines is read differently by pip and uv", "write it on one")
        return _option(text, comments, place, environ)
    requirement, dash, options = text.partition(" -")
    hashes: list[str] = []
    for word in (dash.strip() + options).replace("--hash ", "--hash=").split():
        if not word.startswith("--hash="):
            hint = "only --hash can; give anything else a line of its own"
            raise Invalid(f"{show(word.partition('=')[0])} cannot follow a requirement", hint)
        hashes.append(_checked_hash(word[7:].strip("\"'")))
    return _requirement(_expand(requirement.strip(), environ), hashes, comments, place)


def _requirement(text: str, hashes: Iterable[str], comments: str, place: Place) -> Declared:
    read = read_requirement(text, loose=True)
    return replace(read, hashes=tuple(sorted({*read.hashes, *hashes})), via=_askers(comments), place=place)


@lru_cache(maxsize=8192)
def _askers(comments: str) -> tuple[str, ...]:
    found = _VIA.search(comments)
    askers = [*(found[1] or "").split(", "), *re.split(r"\n[ \t]*#", found[2])] if found else []
    askers = [asker.strip() for asker in askers]
    return tuple([canonical_name(one) if is_bare(one) else one for one in askers if one])


def _option(text: str, comments: str, place: Place, environ: Mapping[str, str]) -> Declared | Option:
    match = _OPTION.fullmatch(text)
    name = match["name"] if match else text.split()[0].partition("=")[0]
    kind = _KINDS.get(name)
    if match is None or kind is None:
        hint = "put it on the requirement's line" if name == "--hash" else did_you_mean(name, _KINDS)
        raise Invalid(f"unknown option {show(name)}", hint)
    argument = match["argument"]
    quoted = re.fullmatch("'[^']+'|\"[^\"]+\"", argument) is not None
    target = argument[1:-1] if quoted else argument
    if not target and kind != "option":
        raise Invalid(f"{name} needs a value")
    # pip splits what follows like a shell, uv takes the rest of the line.
    path = target.partition(";")[0].rstrip() if kind == "editable" else target
    odd = {"option": "", "editable": "\"'"}.get(kind, "\"'#") + ("" if quoted else " ")
    if {*odd} & {*path} or " -" in target or (target and name in _FLAGS):
        hint = "one option on each line, quotes around a name with spaces"
        raise Invalid(f"{name} {show(target)} is read differently by pip and uv", hint)
    if kind == "option":
        return Option(kind=kind, text=name, secret=holds_credentials(text), place=place)
    target = _expand(target, environ)
    if kind == "editable":
        return _requirement(f"-e {target}", (), comments, place)
    return Option(kind=kind, text=target, place=place)


def _expand(text: str, environ: Mapping[str, str]) -> str:
    """Expand variables as pip does, but for secrets: uv expands those when it needs them. Raises Invalid."""
    for name in sorted({match["name"] for match in _VARIABLE.finditer(text) if match["name"]}):
        if _SECRET.search(name) or (name == "PROJECT_ROOT" and name not in environ):
            continue
        if not environ.get(name):
            raise Invalid(f"{show(text)}: the variable {name} is not set", "set it, or write the value")
        text = text.replace(f"${{{name}}}", environ[name])
    return text
