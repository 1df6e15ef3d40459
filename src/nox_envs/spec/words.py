"""Single texts of a spec: names, Pythons, platforms, dates, commands, placeholders."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache

from nox_envs.errors import Invalid, NoxEnvsError, did_you_mean
from nox_envs.terminal import holds_credentials, redact
from nox_envs.values import value

RUN_TIME = ("posargs", "envdir")
NAMING = ("name", "environment", "python", "py")
LONGEST_SHOWN = 60

_PYTHON = r"(?:c?python|py|pypy-?|graalpy)?[23](?:\.[0-9]{1,2}){0,2}t?(?:-(?:32|64))?|c?python|pypy|graalpy"
_TIME = r"[Tt ]([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,6})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
# Any URL may name a database of the tests; these are the ones that installers open.
_FETCHED = r"(?i)\b(?:(?:git|hg|bzr|svn)\+)?(?:https?|ftp|ssh|git|svn)://\S*"


def show(text: str) -> str:
    """Quote a word of the file for a message: shortened, escaped and without credentials."""
    text = redact(text)
    return repr(text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…")


def canonical_name(name: str) -> str:
    """Return the canonical form of the name of a package or extra (PEP 503)."""
    return re.sub("[-_.]+", "-", name).lower()


def is_name(canonical: str) -> bool:
    """Return whether a text is the canonical name of a package."""
    return re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", canonical) is not None


def is_bare(text: str) -> bool:
    """Return whether a text is a name and nothing else."""
    return re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_.-]*", text) is not None


def refuse_credentials(text: str) -> None:
    """Refuse a URL with a password or token, without repeating it."""
    if holds_credentials(text) and any(holds_credentials(url[0]) for url in re.finditer(_FETCHED, text)):
        hint = "leave it to netrc, a keyring or an environment variable"
        raise Invalid("a URL with a password or token must not stand in this file", hint)


def date(text: str) -> str:
    """Check an ISO date, YYYY-MM-DD."""
    from datetime import date as calendar_date

    try:
        return calendar_date.fromisoformat(text if len(text) == 10 else "").isoformat()
    except ValueError:
        raise Invalid(f"{show(text)} is not a date", "write YYYY-MM-DD, such as 2026-01-31") from None


def cooldown(text: str) -> str:
    """Check a date, a time with its offset, or a span such as `7 days`, and return its plain form."""
    if span := re.fullmatch(r"(\d{1,5})\s+(hour|day|week)s?", text.strip(), re.ASCII):
        return f"{int(span[1])} {span[2]}{'' if int(span[1]) == 1 else 's'}"
    day, time = text[:10], text[10:]
    try:
        if not time or re.fullmatch(_TIME, time, re.ASCII):
            return date(day) + time.replace(" ", "T").upper()
    except Invalid:
        pass
    hint = "write a date (2026-01-31), a time (2026-01-31T00:00:00Z) or a span ('7 days')"
    raise Invalid(f"{show(text)} is not a point in time", hint)


@value
class Python:
    """An interpreter by name: its text as written, implementation (cpython, pypy, graalpy) and version.

    `version` has one to three numbers, and none for a bare name such as `pypy`.
    """

    text: str
    implementation: str
    version: tuple[int, ...]
    free_threaded: bool = False

    @property
    def minor(self) -> str:
        """Return the minor version, such as `3.12`, empty if the name does not say it."""
        return f"{self.version[0]}.{self.version[1]}" if len(self.version) > 1 else ""


@lru_cache(maxsize=1024)
def parse_python(text: str) -> Python:
    """Read the name of an interpreter: `3.12`, `3.12.4`, `3.13t`, `pypy3.11`, `python3.12`."""
    if not re.fullmatch(_PYTHON, text):
        raise Invalid(f"{show(text)} is not a Python version", _python_hint(text))
    digits = re.search(r"\d[\d.]*", text)
    prefix = text[: digits.start()] if digits else text
    return Python(
        text=text,
        implementation=prefix.rstrip("-") if prefix.startswith(("pypy", "graalpy")) else "cpython",
        version=tuple(map(int, digits[0].split("."))) if digits else (),
        free_threaded=bool(re.search(r"\dt", text)),
    )


def _python_hint(text: str) -> str:
    if dotless := re.fullmatch(r"(c?python|py|pypy-?)?([23])(\d{1,2})(t?)", text, re.ASCII):
        prefix = dotless[1] or ""
        return f"did you mean {'' if prefix == 'py' else prefix}{dotless[2]}.{dotless[3]}{dotless[4]}?"
    if "/" in text or "\\" in text:
        return 'a path is for one machine only; write the version, such as "3.12"'
    if text[:1] in ("<", ">", "=", "!", "~"):
        return 'list the versions: ["3.12", "3.13"]'
    return 'such as "3.12", "3.13t" or "pypy3.11"'


@value
class Platform:
    """A platform by name: `sys_platform` and, if it matters, `machine` as in markers (PEP 508)."""

    text: str
    sys_platform: str
    machine: str = ""


_SYSTEMS = {"linux": "linux", "macos": "darwin", "darwin": "darwin", "windows": "win32", "win32": "win32"}
_MACHINES = {"linux": ("x86_64", "aarch64"), "darwin": ("x86_64", "arm64"), "win32": ("AMD64", "ARM64")}
_ARCHITECTURES = {"x86_64": 0, "amd64": 0, "x64": 0, "aarch64": 1, "arm64": 1}


def parse_platform(text: str) -> Platform:
    """Read the name of a platform: `linux`, `macos` or `windows`, with `-MACHINE` if that matters."""
    name, dash, machine = text.lower().partition("-")
    if name not in _SYSTEMS or bool(dash) != bool(re.fullmatch(r"\w+", machine, re.ASCII)):
        hint = did_you_mean(name, _SYSTEMS) or "write linux, macos or windows, or as in linux-aarch64"
        raise Invalid(f"{show(text)} is not a platform", hint)
    system = _SYSTEMS[name]
    known = _MACHINES[system][_ARCHITECTURES[machine]] if machine in _ARCHITECTURES else machine
    return Platform(text=text, sys_platform=system, machine=known)


# `shlex` takes quadratic time.
_LONGEST_COMMAND = 1 << 15
_OPERATORS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>"})
_QUOTED = r"""(?s)\\.|'[^']*'|"(?:\\.|[^"\\])*\""""


def split_command(text: str) -> tuple[str, ...]:
    """Split a command like a shell would, but keep `{posargs:default words}` in one piece.

    Raises Invalid for what only a shell understands: operators, assignments, several lines.
    """
    refuse_credentials(text)
    if len(text) > _LONGEST_COMMAND:
        raise Invalid(f"the command is longer than {_LONGEST_COMMAND:,} characters", "write a script")
    text = text.strip().replace("\\\n", " ")
    bare = re.sub(_QUOTED, "''", text)
    if "\n" in bare:
        hint = "write one command per item of the list; '>' instead of '|' folds lines into one"
        raise Invalid("the command has several lines", hint)
    if operator := next((word for word in bare.split() if word in _OPERATORS), ""):
        hint = "no shell runs a command: write two commands, or a list of words if it is meant literally"
        raise Invalid(f"the shell operator {show(operator)} has no meaning here", hint)
    if assigned := re.match(r"([A-Za-z_]\w*)=", bare):
        hint = f"use set_env: {{{assigned[1]}: …}}"
        raise Invalid(f"a command cannot begin with the assignment of {assigned[1]}", hint)
    try:
        words = tuple(_split(text))
    except ValueError:
        hint = "close it; a command with quotes or commas inside [ ] needs quotes around it"
        raise Invalid(f"a quote is not closed in {show(text)}", hint) from None
    return checked_argv(words)


def _split(text: str) -> Iterator[str]:
    kept = [token[0] for token in re.finditer(_TOKEN, text) if token["default"] is not None]
    marked = re.sub(_TOKEN, lambda token: token[0] if token["default"] is None else "\0", text)
    pieces = iter(kept)
    for found in shlex.split(marked):
        yield re.sub("\0", lambda _: next(pieces), found)


def checked_argv(words: tuple[str, ...]) -> tuple[str, ...]:
    """Check that an argv begins with a program."""
    if not words or not words[0]:
        raise Invalid("the command is empty", "write a program and its arguments, such as pytest {posargs}")
    if words[0].startswith("-"):
        hint = "items of 'commands' are whole commands; an argv is a list inside the list: [[pytest, -q]]"
        raise Invalid(f"a command cannot begin with the option {show(words[0])}", hint)
    return words


# `{name}` is a placeholder, `{posargs:default words}` the only one with a default; `{{` is a brace.
_TOKEN = (
    r"\{\{|\}\}"
    r"|\{(?P<name>[^{}:]*)(?::(?P<default>(?:[^{}]|\{\{|\}\}|\{[^{}:]*\})*))?\}"
    r"|(?P<lone>[{}])"
)


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of the placeholders of a text, in order, those inside defaults included."""
    found: list[str] = []
    for token in re.finditer(_TOKEN, text) if "{" in text else ():
        if token["name"] is not None:
            found += [token["name"], *names_in(token["default"] or "")]
    return tuple(found)


def check_placeholders(
    text: str, known: Collection[str], suggest: Callable[[str, Collection[str]], str] = did_you_mean
) -> Iterator[Invalid]:
    """Yield what is wrong with the placeholders of a text; `known` are the names it may use."""
    for token in re.finditer(_TOKEN, text):
        name, default = token["name"], token["default"]
        if brace := token["lone"]:
            yield Invalid(f"a single {brace!r} in {show(text)} has no meaning", f"write {brace * 2!r}")
        elif name is not None and name not in known:
            yield Invalid(f"unknown placeholder {{{name}}} in {show(text)}", suggest(name, known))
        elif default is not None and name != "posargs":
            yield Invalid(f"{{{name}}} in {show(text)} cannot have a default", "only {posargs:…} can")
        elif default is not None:
            yield from check_placeholders(default, [one for one in known if one != "posargs"], suggest)
            if shown := _unsplittable(default):
                yield Invalid(shown, "close the quote")


def _unsplittable(default: str) -> str:
    try:
        shlex.split(default if len(default) <= _LONGEST_COMMAND else "'")
    except ValueError:
        return f"a quote is not closed in the default {show(default)} of {{posargs}}"
    return ""


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders that have a value, and doubled braces by single ones; others stay.

    A placeholder whose value is empty becomes its default.
    """

    def replaced(token: re.Match[str]) -> str:
        if token[0] in ("{{", "}}"):
            return token[0][0]
        return values.get(token["name"] or "", token[0]) or fill(token["default"] or "", values)

    return re.sub(_TOKEN, replaced, text) if "{" in text or "}" in text else text


def fill_command(text: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders that have a value in a text that is completed by `expand_text` at run time.

    Doubled braces stay doubled, and the braces of a value are doubled: nothing is read twice.
    """

    def replaced(token: re.Match[str]) -> str:
        name, default = token["name"] or "", token["default"]
        if default is not None:
            return f"{{{name}:{fill_command(default, values)}}}"
        return values[name].replace("{", "{{").replace("}", "}}") if name in values else token[0]

    return re.sub(_TOKEN, replaced, text) if "{" in text else text


def expand_text(text: str, *, posargs: tuple[str, ...], envdir: str) -> str:
    """Complete one text for the run: `{envdir}`, `{posargs}` joined by spaces, doubled braces.

    `posargs` are the words after `--`; without any, `{posargs:default}` is its default.
    """
    return fill(text, {"posargs": " ".join(posargs), "envdir": envdir})


def expand_command(argv: tuple[str, ...], *, posargs: tuple[str, ...], envdir: str) -> tuple[str, ...]:
    """Complete a command for the run.

    A word that is `{posargs}` becomes zero or more words; `{posargs:default words}` becomes the words of the
    default, split like a shell would, if there are no `posargs`. Raises NoxEnvsError if it cannot be split.
    """
    words: list[str] = []
    for one in argv:
        token = re.fullmatch(_TOKEN, one) if one.startswith("{posargs") else None
        if token is None or token["name"] != "posargs":
            words.append(expand_text(one, posargs=posargs, envdir=envdir))
        elif posargs:
            words += posargs
        elif problem := _unsplittable(token["default"] or ""):
            raise NoxEnvsError(problem)
        else:
            default = shlex.split(token["default"] or "")
            words += [expand_text(part, posargs=(), envdir=envdir) for part in default]
    return tuple(words)
