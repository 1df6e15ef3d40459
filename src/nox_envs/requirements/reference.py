"""Owns what one requirement text means: PEP 508, a URL or a local path; opens no file."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache

from nox_envs.errors import Place
from nox_envs.pins import canonical_name, holds_credentials, is_name, redact
from nox_envs.requirements.types import Declared
from nox_envs.values import value

# Patterns that most requirements never need are compiled when they do.
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_BARE_NAME = re.compile(_NAME)
_SIMPLE = re.compile(rf"({_NAME})[ ]*([<>=!~].*)")
_CLAUSE = re.compile(r"(?:(?:[=!<>]=|[<>])[ ]*[0-9]{1,9}|~=[ ]*[0-9]{1,9}\.[0-9]{1,9})(?:\.[0-9]{1,9})*")
_PATH = re.compile(r"\.{1,2}(?:[/\\\[; ]|$)|[/\\~]|[A-Za-z]:[/\\]")
_ARCHIVE = re.compile(
    r"[^@;]*\.(?:whl|zip|tgz|tbz|txz|tar|tar\.(?:gz|bz2|xz|zst))(?:\[[^\]]*\])?", re.IGNORECASE
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:", re.IGNORECASE)
_SCHEMES = r"(?i)https?|(?:git|hg|svn|bzr)\+(?:https?|ssh|git|svn|sftp|lp)"
_FILE_SCHEME = r"(?i)(?:(?:git|hg|svn|bzr)\+)?file"
_EGG = r"[#&]egg=(?P<name>[^&\[]*)(?:\[(?P<extras>[^\]&]*)\])?"
_LOCAL = r"(?P<path>[^\[]*)(?:\[(?P<extras>[^\]]*)\])?"
_URL_MARKER = r"\s+;\s*|;\s+"
_ONE_EQUALS = rf"({_NAME})\s*=\s*([^=<>\s].*)"
_NO_OPERATOR = rf"({_NAME})\s+v?([0-9][\w.]*)"
_LONGEST = 8000
_SHOWN = 120


@value
class Reference:
    """Hold what a requirement text asks for; the fields are those of `Declared`.

    `path` is relative to whatever the text is relative to.
    """

    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    url: str = ""
    path: str = ""
    marker: str = ""


def declare(
    reference: Reference,
    *,
    why: tuple[str, ...],
    place: Place,
    name: str | None = None,
    extras: tuple[str, ...] | None = None,
    path: str | None = None,
    marker: str | None = None,
    editable: bool = False,
    hashes: tuple[str, ...] = (),
) -> Declared:
    """Make a direct requirement of a reference; what is given here replaces what its text says."""
    return Declared(
        name=reference.name if name is None else name,
        extras=reference.extras if extras is None else extras,
        specifier=reference.specifier,
        url=reference.url,
        path=reference.path if path is None else path,
        editable=editable,
        marker=reference.marker if marker is None else marker,
        hashes=hashes,
        why=why,
        place=place,
    )


@value
class Rejected:
    """Say why a text is no requirement, without the credentials it may hold."""

    message: str
    hint: str = ""


@lru_cache(maxsize=8192)
def parse_reference(text: str, *, loose: bool = False) -> Reference | Rejected:
    """Read one requirement (PEP 508), URL, or local path that begins with `./` or `../`.

    With `loose` also a path without that beginning, as pip's requirements files may have it.
    """
    text = text.strip()
    simple = _simple(text)
    if simple is not None and not (loose and _ARCHIVE.fullmatch(text)):
        return simple
    refused = _refused(text)
    if refused is not None:
        return refused
    if _URL.match(text):
        return _bare_url(text)
    if _PATH.match(text) or (loose and _looks_like_path(text)):
        return _local_path(text)
    return _pep508(text)


def is_bare(text: str) -> bool:
    """Tell whether a text is a package name and nothing else."""
    return _BARE_NAME.fullmatch(text.strip()) is not None


def _simple(text: str) -> Reference | None:
    """Read a bare name, or plain releases after it, without the cost of a whole parser."""
    if _BARE_NAME.fullmatch(text):
        return Reference(name=canonical_name(text))
    match = _SIMPLE.fullmatch(text)
    if match is None:
        return None
    clauses = [clause.strip(" ") for clause in match[2].split(",")]
    if not all(map(_CLAUSE.fullmatch, clauses)):
        return None
    specifier = ",".join(sorted({clause.replace(" ", "") for clause in clauses}))
    return Reference(name=canonical_name(match[1]), specifier=specifier)


def _refused(text: str) -> Rejected | None:
    if not text:
        return Rejected(message="the requirement is empty")
    if len(text) > _LONGEST:
        return Rejected(message=f"the requirement is longer than {_LONGEST} characters")
    if text.startswith("-"):
        option = text.split()[0].partition("=")[0]
        return Rejected(
            message=f"{option!r} is an option, not a requirement",
            hint="options are keys of the spec: file, constraints, indexes, lock, allow_prereleases",
        )
    if not text.isprintable():
        return Rejected(message=f"{_shown(text)} holds a character that cannot be printed")
    return _password(text)


def _password(text: str) -> Rejected | None:
    if not holds_credentials(text):
        return None
    return Rejected(
        message=f"{_shown(text)} carries a password in its URL",
        hint="take it out; the installer reads netrc and keyring",
    )


def _looks_like_path(text: str) -> bool:
    head = re.split(r"[@;\[]", text, maxsplit=1)[0]
    return "/" in head or "\\" in head or _ARCHIVE.fullmatch(text.partition(";")[0].strip()) is not None


def _bare_url(text: str) -> Reference | Rejected:
    parts = re.split(_URL_MARKER, text, maxsplit=1)
    url, marker = parts[0].strip(), _marker(parts[1] if len(parts) > 1 else "")
    if isinstance(marker, Rejected):
        return marker
    if " " in url:
        return Rejected(message=f"{_shown(text)} is no URL: it holds a space", hint="write %20")
    egg = re.search(_EGG, url)
    name = canonical_name(egg["name"]) if egg else _wheel_name(url)
    extras = _extras(egg["extras"] if egg else None)
    return _with_url(url, name=name if is_name(name) else "", extras=extras, marker=marker)


def _with_url(url: str, *, name: str, extras: tuple[str, ...], marker: str) -> Reference | Rejected:
    if _PATH.match(url):
        return _with_path(url, name=name, extras=extras, marker=marker)
    scheme, _, rest = url.partition(":")
    if re.fullmatch(_FILE_SCHEME, scheme):
        if "+" in scheme:
            hint = "name the repository by its https:// or ssh:// URL, or a folder as ./folder"
            return Rejected(message=f"{_shown(url)} is a repository of this machine", hint=hint)
        if rest.startswith("/"):
            return _machine_path(url)
        return Reference(name=name, extras=extras, path=_normal_path(rest), marker=marker)
    if not re.fullmatch(_SCHEMES, scheme) or not rest.startswith("//") or not rest.strip("/"):
        return Rejected(
            message=f"{_shown(url)} is no URL that can be installed from",
            hint="write https://…, or git+https://… for a repository",
        )
    return Reference(name=name, extras=extras, url=url, marker=marker)


def _machine_path(text: str) -> Rejected:
    return Rejected(
        message=f"{_shown(text)} is a path of this machine",
        hint="write a relative one: ./folder or ../folder",
    )


def _local_path(text: str) -> Reference | Rejected:
    target, _, marker_text = text.partition(";")
    marker = _marker(marker_text)
    if isinstance(marker, Rejected):
        return marker
    match = re.fullmatch(_LOCAL, target.strip())
    if match is None:
        return Rejected(message=f"{_shown(text)} is no path with extras", hint="write ./folder[extra]")
    return _with_path(match["path"].strip(), name="", extras=_extras(match["extras"]), marker=marker)


def _with_path(path: str, *, name: str, extras: tuple[str, ...], marker: str) -> Reference | Rejected:
    path = path.replace("\\", "/")
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:", path):
        return _machine_path(path)
    path = _normal_path(path)
    return Reference(name=name or _wheel_name(path), extras=extras, path=path, marker=marker)


def _normal_path(path: str) -> str:
    normal = posixpath.normpath(path)
    return normal if normal == "." or normal.startswith("..") else f"./{normal}"


def _pep508(text: str) -> Reference | Rejected:
    from packaging.requirements import Requirement

    try:
        parsed = Requirement(text)
        specifier, marker = str(parsed.specifier), str(parsed.marker) if parsed.marker else ""
    except (ValueError, RecursionError):
        return _no_requirement(text)
    name = canonical_name(parsed.name)
    extras = tuple(sorted({canonical_name(extra) for extra in parsed.extras}))
    if parsed.url:
        return _with_url(parsed.url, name=name, extras=extras, marker=marker)
    return Reference(name=name, extras=extras, specifier=specifier, marker=marker)


def _no_requirement(text: str) -> Rejected:
    head = text.partition(";")[0].strip()
    misspelt = re.fullmatch(_ONE_EQUALS, head) or re.fullmatch(_NO_OPERATOR, head)
    if misspelt:
        hint = f"write {misspelt[1]}=={misspelt[2]}"
    elif "=>" in head or "=<" in head:
        hint = "write >= or <="
    elif re.match(r"[\w.-]+[/\\]", head):
        hint = "a local path begins with ./"
    elif ";" in text and isinstance(parse_reference(head), Reference):
        hint = 'its marker is wrong; write one such as python_version < "3.13"'
    else:
        hint = "write name, name>=1.0, or name @ https://…"
    return Rejected(message=f"{_shown(text)} is no requirement", hint=hint)


def _shown(text: str) -> str:
    text = redact(text)
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def _marker(text: str) -> str | Rejected:
    if not text.strip():
        return ""
    from packaging.markers import Marker

    try:
        return str(Marker(text.strip()))
    except (ValueError, RecursionError):
        return Rejected(message=f"{_shown(text.strip())} is no marker", hint='write python_version < "3.13"')


def _wheel_name(path: str) -> str:
    last = re.split(r"[?#]", path, maxsplit=1)[0].rpartition("/")[2]
    name = canonical_name(last.partition("-")[0]) if last.lower().endswith(".whl") else ""
    return name if is_name(name) else ""


def _extras(text: str | None) -> tuple[str, ...]:
    return tuple(
        sorted({canonical_name(extra.strip()) for extra in (text or "").split(",") if extra.strip()})
    )
