"""Owns what single words of a spec may be: names, versions, URLs, dates; reads no YAML and no file.

Each function returns the checked word and raises `Unfit` for what it refuses.
"""

from __future__ import annotations

import re

from nox_envs.document import Unfit, show
from nox_envs.pins import canonical_name, holds_credentials

NAME_PATTERN = "^[a-z0-9][a-z0-9_-]*$"
ENVIRONMENT_PATTERN = "^_?[a-z0-9][a-z0-9_-]*$"
AXIS_PATTERN = "^[A-Za-z_][A-Za-z0-9_]*$"
# The names that nox finds an interpreter by, except paths and ranges.
PYTHON_PATTERN = (
    "^((c?python|py|pypy-?|graalpy)?[23](\\.?[0-9]+){0,2}t?d?(-(32|64))?(-[a-z][A-Za-z0-9_.]*)?"
    "|c?python|pypy|graalpy)$"
)
VARIABLE_PATTERN = "^[^=\\s]+$"
DATE_PATTERN = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

# Sets of characters, not patterns: compiling a pattern costs a warm run more than all its matches.
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_"
_WORD_CHARACTERS = _NAME_CHARACTERS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ."
_LONGEST_NAME = 80
_UNITS = ("hour", "day", "week")
_RESERVED_AXES = frozenset({"python", "py", "posargs", "envdir", "name", "environment", "session"})
# Any URL may name a database of the tests; these are the ones that installers open.
_FETCHED = r"(?i)\b(?:git\+|hg\+|bzr\+|svn\+)?(?:https?|ftp|ssh|git|svn)://\S*"


def set_name(text: str) -> str:
    """Check the name of a requirement set, an index or a group."""
    return _name(text)


def environment_name(text: str) -> str:
    """Check the name of an environment; it may begin with `_`."""
    return _name(text, prefix="_")


def _name(text: str, *, prefix: str = "") -> str:
    if not text or text.strip(_NAME_CHARACTERS) or text.removeprefix(prefix)[:1] in ("-", "_", ""):
        lowered = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
        hint = "a name has lower case letters, digits, '-' and '_'"
        near = f"; perhaps {show(lowered)}" if lowered and len(lowered) < _LONGEST_NAME else ""
        raise Unfit(f"{show(text)} is no valid name", hint + near)
    if len(text) > _LONGEST_NAME:
        message = f"the name {show(text)} is longer than {_LONGEST_NAME} characters"
        raise Unfit(message, "files are named after it")
    return text


def axis_name(text: str) -> str:
    """Check the name of a matrix axis; it becomes a placeholder, so it must be no other placeholder."""
    if not text.isascii() or not text.isidentifier():
        raise Unfit(f"{show(text)} is no valid axis name", "use letters, digits and '_'")
    if text in _RESERVED_AXES:
        hint = "a list of pythons is the key 'python'" if text == "python" else "choose another name"
        raise Unfit(f"{show(text)} cannot name an axis: it is a placeholder of its own", hint)
    return text


def axis_value(text: str) -> str:
    """Check one value of an axis."""
    if not text or text != text.strip() or not text.isprintable():
        raise Unfit(f"{show(text)} is no value of an axis", "a value is one line without spaces around it")
    return free_text(text)


def python(text: str) -> str:
    """Check an interpreter's name; whether it exists is found out when it is used."""
    if text in ("true", "false"):
        raise Unfit(f"expected a Python version, found {show(text)}", 'such as "3.12"')
    if text.isascii() and re.fullmatch(PYTHON_PATTERN[1:-1], text):
        return text
    if "/" in text or "\\" in text:
        raise Unfit(f"{show(text)} is a path of one machine", 'name the version, such as "3.12"')
    if text[:1] in "<>=!~":
        raise Unfit(f"{show(text)} is a version range", 'list the versions: ["3.12", "3.13"]')
    raise Unfit(f"{show(text)} is no Python version", 'such as "3.12", "3.13t" or "pypy3.11"')


def package_name(text: str) -> str:
    """Check a package or extra name and return its canonical form (PEP 503, PEP 508)."""
    if not _is_package_name(text):
        raise Unfit(f"{show(text)} is no package name", "a name alone, without version or marker")
    return canonical_name(text)


def package_glob(text: str) -> str:
    """Check a package name in which `*`, `?` and `[…]` match as in a shell; return it in canonical form."""
    plain = text.translate(str.maketrans("*?[]!", "xxxxx"))
    if not _is_package_name(plain):
        raise Unfit(f"{show(text)} is no package name", "a name or a pattern, such as types-*")
    return canonical_name(text)


def _is_package_name(text: str) -> bool:
    return not text.strip(_WORD_CHARACTERS) and text[:1].isalnum() and text[-1:].isalnum()


def is_bare(text: str) -> bool:
    """Tell whether a text is a name and nothing else."""
    return text != "" and not text.strip(_WORD_CHARACTERS)


def extra_name(text: str) -> str:
    """Check the name of an extra or of a dependency group, kept as written but for placeholders."""
    if "{" in text or _is_package_name(text):
        return text
    raise Unfit(f"{show(text)} is no valid name here", "letters, digits, '-', '_' and '.'")


def binary_choice(text: str) -> str:
    """Check a package name or pip's `:all:` and `:none:`."""
    return text if text in (":all:", ":none:") else package_name(text)


def variable(text: str) -> str:
    """Check the name of an environment variable."""
    if "=" in text or text.split() != [text]:
        raise Unfit(f"{show(text)} is no name of an environment variable")
    return text


def word(text: str) -> str:
    """Check a text without spaces, such as a tag."""
    if not text or len(text.split()) != 1 or text != text.strip():
        raise Unfit(f"expected one word, found {show(text)}", "write several words as a list")
    return free_text(text)


def free_text(text: str) -> str:
    """Check a text that may be anything but a URL with credentials."""
    refuse_credentials(text)
    return text


def filled_text(text: str) -> str:
    """Check a text that must not be empty."""
    if not text.strip():
        raise Unfit("is empty", "write a text, or remove the key")
    return free_text(text)


def file_path(text: str) -> str:
    """Check the path of a file, relative to the spec, in POSIX form."""
    filled_text(text)
    if "://" in text:
        raise Unfit(f"{show(text)} is a URL", "only files of this machine are read")
    if "\\" in text:
        raise Unfit(f"{show(text)} holds a backslash", f"write {show(text.replace(chr(92), '/'))}")
    return text


def set_file_path(text: str) -> str:
    """Check the path of a file of a requirement set, where no placeholder has a value."""
    if "{" in text or "}" in text:
        raise Unfit(f"{show(text)} holds a brace, but a requirement set knows no placeholders")
    return file_path(text)


def index_url(text: str) -> str:
    """Check the URL of a package index (PEP 503)."""
    refuse_credentials(text, strict=True)
    if not re.match(r"(?:https?://[^\s/]|file:///)\S*$", text):
        raise Unfit(f"{show(text)} is no URL of an index", "such as https://packages.example.org/simple")
    return text


def refuse_credentials(text: str, *, strict: bool = False) -> None:
    """Refuse a URL that carries a password or token, without repeating it.

    `strict` is for texts that only an installer reads: there every scheme counts.
    """
    if not holds_credentials(text):
        return
    if strict or any(holds_credentials(url[0]) for url in re.finditer(_FETCHED, text)):
        message = "a URL with a password or token must not stand in this file"
        raise Unfit(message, "leave it to netrc, the keyring or the environment of the installer")


def date(text: str) -> str:
    """Check an ISO date, YYYY-MM-DD."""
    if re.match(DATE_PATTERN, text):
        from datetime import date as calendar_date

        try:
            return calendar_date.fromisoformat(text.strip()).isoformat()
        except ValueError:
            pass
    raise Unfit(f"{show(text)} is no date", "write YYYY-MM-DD, such as 2026-01-31")


def cooldown(text: str) -> str:
    """Check a date, a time with its offset, or a span such as `7 days`, and return its plain form."""
    number, _, unit = text.strip().partition(" ")
    if number.isascii() and number.isdecimal() and len(number) < 6 and unit.strip().rstrip("s") in _UNITS:
        return f"{int(number)} {unit.strip().rstrip('s')}" + ("" if int(number) == 1 else "s")
    if re.match(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})$", text):
        from datetime import datetime

        try:
            datetime.fromisoformat(re.sub("[Zz]$", "+00:00", re.sub(r"\.\d+", "", text)))
        except ValueError:
            pass
        else:
            return text.replace(" ", "T").upper()
    try:
        return date(text)
    except Unfit:
        hint = "write a date (2026-01-31), a time (2026-01-31T00:00:00Z) or a span ('7 days')"
        raise Unfit(f"{show(text)} is no point in time", hint) from None
