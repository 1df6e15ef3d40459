"""Owns `{placeholder}` texts: finding, checking, filling and, at run time, expanding; knows no spec.

`{name}` is a placeholder, `{posargs:default words}` the only one with a default, and a literal brace
is doubled. Filling happens twice: the matrix fills its own values first, and a command keeps
`{posargs}`, `{envdir}` and doubled braces until it runs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection

from nox_envs.errors import NoxEnvsError
from nox_envs.values import value

RUN_TIME = ("posargs", "envdir")

_TOKEN = re.compile(
    r"\{\{|\}\}"
    r"|\{(?P<name>[^{}:]*)(?::(?P<default>(?:[^{}]|\{\{|\}\}|\{[^{}:]*\})*))?\}"
    r"|(?P<lone>[{}])"
)
_MARK = "\0"
_MARKED = re.compile(r"\0(\d+)\0")


@value
class Defect:
    """Describe what is wrong with a placeholder at `offset` (characters from 0) of a text."""

    offset: int
    message: str
    hint: str = ""


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of the placeholders of `text` in order, those inside defaults included."""
    if "{" not in text:
        return ()
    found: list[str] = []
    for token in _TOKEN.finditer(text):
        if token["name"] is not None:
            found.append(token["name"])
            found.extend(names_in(token["default"] or ""))
    return tuple(found)


def defects(text: str, known: Collection[str]) -> tuple[Defect, ...]:
    """Return what is wrong with the placeholders of `text`; `known` are the names it may use."""
    if "{" not in text and "}" not in text:
        return ()
    found: list[Defect] = []
    for token in _TOKEN.finditer(text):
        found.extend(_token_defects(token, known))
    return tuple(found)


def _token_defects(token: re.Match[str], known: Collection[str]) -> tuple[Defect, ...]:
    offset, name, default = token.start(), token["name"], token["default"]
    if token["lone"]:
        brace = token["lone"]
        return (
            Defect(
                offset=offset, message=f"a single {brace!r} means nothing here", hint=f"write {brace * 2!r}"
            ),
        )
    if name is None:
        return ()
    if name not in known:
        return (Defect(offset=offset, message=f"unknown placeholder {{{name}}}", hint=_suggest(name, known)),)
    if default is None:
        return ()
    if name != "posargs":
        return (
            Defect(
                offset=offset, message=f"{{{name}}} takes no default", hint="only {posargs:…} may have one"
            ),
        )
    inner = token.start("default")
    nested = defects(default, [one for one in known if one != "posargs"])
    return tuple(
        Defect(offset=inner + one.offset, message=one.message, hint=one.hint) for one in nested
    ) + _unsplittable(inner, default)


def _unsplittable(offset: int, default: str) -> tuple[Defect, ...]:
    try:
        shlex.split(default)
    except ValueError as error:
        message = f"the default of {{posargs}} cannot be split into words: {error}"
        return (Defect(offset=offset, message=message),)
    return ()


def _suggest(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.strip().lower(), sorted(known), n=1)
    if near:
        return f"perhaps {{{near[0]}}}; a literal brace is doubled"
    return f"known here: {', '.join(f'{{{one}}}' for one in sorted(known))}; a literal brace is doubled"


class Values:
    """Hold the values of placeholders, ready to fill many texts."""

    __slots__ = ("_doubled", "_plain")

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._plain = dict(pairs)
        self._doubled = {name: value.replace("{", "{{").replace("}", "}}") for name, value in pairs}

    def get(self, name: str) -> str | None:
        """Return the value of a placeholder."""
        return self._plain.get(name)

    def replaced(self, name: str, value: str) -> Values:
        """Return the same values but for one."""
        return Values(tuple({**self._plain, name: value}.items()))

    def fill(self, text: str) -> str:
        """Replace the placeholders that have a value and turn doubled braces into single ones.

        A placeholder without a value stays as it is.
        """
        if "{" not in text and "}" not in text:
            return text
        return _TOKEN.sub(self._replace, text)

    def fill_command(self, text: str) -> str:
        """Replace the placeholders that have a value in a text that `expand` completes at run time.

        Doubled braces stay doubled, and the braces of a value are doubled: nothing is read twice.
        """
        return _TOKEN.sub(self._replace_for_run, text) if "{" in text else text

    def _replace(self, token: re.Match[str]) -> str:
        whole = token[0]
        if whole in ("{{", "}}"):
            return whole[0]
        return self._plain.get(token["name"] or "", whole) if token["default"] is None else whole

    def _replace_for_run(self, token: re.Match[str]) -> str:
        default = token["default"]
        if default is not None:
            return f"{{{token['name']}:{self.fill_command(default)}}}"
        return self._doubled.get(token["name"] or "", token[0])


def expand(text: str, *, envdir: str, posargs: tuple[str, ...] = ()) -> str:
    """Complete one text for the run: `{envdir}`, `{posargs}` joined by spaces, doubled braces.

    Args:
        text: a text that `Values.fill_command` went over.
        envdir: the path of the venv.
        posargs: the words after `--`; without any, the default of `{posargs:default}` is taken.
    """
    if "{" not in text and "}" not in text:
        return text

    def replace(token: re.Match[str]) -> str:
        whole = token[0]
        if whole in ("{{", "}}"):
            return whole[0]
        if token["name"] == "envdir":
            return envdir
        if token["name"] == "posargs":
            return " ".join(posargs) if posargs else expand(token["default"] or "", envdir=envdir)
        return whole

    return _TOKEN.sub(replace, text)


def expand_command(argv: tuple[str, ...], *, posargs: tuple[str, ...], envdir: str) -> tuple[str, ...]:
    """Complete a command for the run.

    A word that is `{posargs}` becomes zero or more words, and `{posargs:default words}` the default,
    split like a shell would, when there are no `posargs`; inside a word they are joined by spaces.

    Raises:
        NoxEnvsError: a default cannot be split.
    """
    words: list[str] = []
    for word in argv:
        token = _TOKEN.fullmatch(word) if word.startswith("{posargs") else None
        if token is None or token["name"] != "posargs":
            words.append(expand(word, envdir=envdir, posargs=posargs))
        elif posargs:
            words.extend(posargs)
        else:
            words.extend(expand(one, envdir=envdir) for one in _split(token["default"] or ""))
    return tuple(words)


def _split(default: str) -> list[str]:
    try:
        return shlex.split(default)
    except ValueError as error:
        raise NoxEnvsError(f"the default of {{posargs}} cannot be split into words: {error}") from None


def split_command(text: str) -> tuple[str, ...]:
    """Split a command like a shell would, but keep `{posargs:default words}` in one piece.

    Raises:
        ValueError: a quotation is not closed, or the text holds a NUL character.
    """
    if _MARK in text:
        raise ValueError("the text holds a NUL character")
    kept: list[str] = []

    def mark(token: re.Match[str]) -> str:
        if token["default"] is None:
            return token[0]
        kept.append(token[0])
        return f"{_MARK}{len(kept) - 1}{_MARK}"

    words = shlex.split(_TOKEN.sub(mark, text))
    return tuple(_MARKED.sub(lambda one: kept[int(one[1])], word) for word in words)
