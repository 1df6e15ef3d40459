"""Single texts of a spec: names, Pythons, platforms, dates, commands, placeholders."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from hashlib import sha1

from nox_envs.errors import Invalid, NoxEnvsError, did_you_mean
from nox_envs.terminal import redact
from nox_envs.values import value

RUN_TIME = ("posargs", "envdir")
LONGEST_SHOWN = 60
# The name of a package (PEP 508), and how the files that pip and uv install from end.
PACKAGE = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
ARCHIVE = r"\.(?:whl|zip|tar|tgz|tbz|txz|tlz|tar\.(?:gz|bz2|xz|lzma|zst))"
# A value that begins with one of these is a version range.
COMPARISONS = ("<", ">", "=", "!", "~")

_PYTHON = (
    r"(?P<name>c?python|py(?=\d)|pypy-?(?=\d)|pypy|graalpy)?"
    r"(?:(?P<version>[23](?:\.\d{1,2}){0,2})(?P<threads>t?)(?:-(?:32|64))?)?"
)


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


@value
class Python:
    """An interpreter by name (implementation: cpython, pypy, graalpy); `version` has up to three numbers."""

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
    found = re.fullmatch(_PYTHON, text, re.ASCII)
    if text and found:
        name, version = found["name"] or "", found["version"]
        kind = name.rstrip("-") if name.startswith(("pypy", "graalpy")) else "cpython"
        numbers = tuple(map(int, version.split("."))) if version else ()
        return Python(text=text, implementation=kind, version=numbers, free_threaded=bool(found["threads"]))
    hint = 'such as "3.12", "3.13t" or "pypy3.11"'
    if dotless := re.fullmatch(r"(?:py(?=\d))?(c?python|pypy-?)?([23])(\d{1,2}t?)", text, re.ASCII):
        hint = f"did you mean {dotless[1] or ''}{dotless[2]}.{dotless[3]}?"
    elif text.startswith(COMPARISONS):
        hint = 'list the versions: ["3.12", "3.13"]'
    raise Invalid(f"{show(text)} is not a Python version", hint)


@lru_cache(maxsize=4096)
def in_range(version: str, limits: str) -> bool:
    """Return whether a version is in a range such as `>=3.12,<3.14`; raises Invalid for another range."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # only specs with ranges need it
    from packaging.version import Version

    try:
        return SpecifierSet(limits).contains(Version(version), prereleases=True)
    except InvalidSpecifier:
        raise Invalid(f"{show(limits)} is not a version range", "such as '>=3.12,<3.14'") from None
    except ValueError:
        return False


# The names of systems to sys_platform (PEP 508), and what each calls machines of Intel's and ARM's kind.
_SYSTEMS = {"linux": "linux", "macos": "darwin", "darwin": "darwin", "windows": "win32", "win32": "win32"}
MACHINES = {"linux": ("x86_64", "aarch64"), "darwin": ("x86_64", "arm64"), "win32": ("AMD64", "ARM64")}
_ARCHITECTURES = {"x86_64": 0, "amd64": 0, "x64": 0, "aarch64": 1, "arm64": 1}


def parse_platform(text: str) -> tuple[str, str]:
    """Return the `sys_platform` and, if one is named, the `platform_machine` (PEP 508) of a platform by name.

    The name is `linux`, `macos` or `windows`, or one of these with `-MACHINE`.
    """
    name, dash, machine = text.lower().partition("-")
    if name not in _SYSTEMS or bool(dash) != bool(re.fullmatch(r"\w+", machine, re.ASCII)):
        hint = did_you_mean(name, _SYSTEMS) or "write linux, macos or windows, or as in linux-aarch64"
        raise Invalid(f"{show(text)} is not a platform", hint)
    system = _SYSTEMS[name]
    return system, MACHINES[system][_ARCHITECTURES[machine]] if machine in _ARCHITECTURES else machine


_OPERATORS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>"})
_QUOTED = r"""(?s)\\.|'[^']*'|"(?:\\.|[^"\\])*\""""


def split_command(text: str) -> tuple[str, ...]:
    """Split a command like a shell would, but keep `{posargs:default words}` in one piece.

    Raises Invalid for what only a shell understands: operators, assignments, several lines.
    """
    text = text.strip().replace("\\\n", " ")
    bare = re.sub(_QUOTED, "''", text)
    if "\n" in bare:
        hint = "write one command per item of the list; '>' instead of '|' folds lines into one"
        raise Invalid("the command has several lines", hint)
    if operator := next((word for word in bare.split() if word in _OPERATORS), ""):
        hint = "no shell runs a command: write two commands, or a list of words if it is meant literally"
        raise Invalid(f"the shell operator {show(operator)} has no meaning here", hint)
    if literal := re.search(r"(?<!\S)~(?=/|$)|\$\{?(?=[A-Z_])", bare):
        hint = "no shell runs a command: write the path, or a list of words if it is meant literally"
        raise Invalid(f"{show(literal[0])} stays as it is", hint)
    if assigned := re.match(r"([A-Za-z_]\w*)=", bare):
        hint = f"use set_env: {{{assigned[1]}: …}}"
        raise Invalid(f"a command cannot begin with the assignment of {assigned[1]}", hint)
    kept = (token[0] for token in re.finditer(_TOKEN, text) if token["default"] is not None)
    marked = re.sub(_TOKEN, lambda token: token[0] if token["default"] is None else "\0", text)
    return checked_argv(tuple([re.sub("\0", lambda _: next(kept), word) for word in _words(marked, text)]))


def _words(text: str, shown: str) -> list[str]:
    """Split a text like a shell; raises Invalid, also for a long text: `shlex` takes quadratic time."""
    if len(text) > 1 << 15:
        raise Invalid("the command is longer than 32,768 characters", "write a script")
    try:
        return shlex.split(text)
    except ValueError:
        hint = "close it; a command with quotes or commas inside [ ] needs quotes around it"
        raise Invalid(f"a quote is not closed in {show(shown)}", hint) from None


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


def check_placeholders(text: str, known: Collection[str], hint: str = "") -> Iterator[Invalid]:
    """Yield what is wrong with the placeholders of a text; `known` are the names it may use."""
    for token in re.finditer(_TOKEN, text):
        name, default = token["name"], token["default"]
        if brace := token["lone"]:
            yield Invalid(f"a single {brace!r} in {show(text)} has no meaning", f"write {brace * 2!r}")
        elif name is not None and name not in known:
            missing = 'write python: "3.12", or a list' if name in ("python", "py") else hint
            yield Invalid(f"unknown placeholder {{{name}}} in {show(text)}", missing)
        elif default is not None and name != "posargs":
            yield Invalid(f"{{{name}}} in {show(text)} cannot have a default", "only {posargs:…} can")
        elif default is not None:
            yield from check_placeholders(default, [one for one in known if one != "posargs"], hint)
            try:
                _words(default, text)
            except Invalid as wrong:
                yield wrong


def fill(text: str, values: Mapping[str, str], *, for_run: bool = False) -> str:
    """Replace the placeholders that have a value, and doubled braces by single ones; others stay.

    A placeholder whose value is empty becomes its default. A text `for_run` is filled again at run time: its
    defaults and doubled braces stay, and the braces of a value are doubled, so that nothing is read twice.
    """

    def replaced(token: re.Match[str]) -> str:
        name, default = token["name"] or "", token["default"]
        if for_run and default is not None:
            return f"{{{name}:{fill(default, values, for_run=True)}}}"
        if for_run:
            return values[name].replace("{", "{{").replace("}", "}}") if name in values else token[0]
        if token[0] in ("{{", "}}"):
            return token[0][0]
        return values.get(name, token[0]) or fill(default or "", values)

    return re.sub(_TOKEN, replaced, text) if "{" in text or "}" in text else text


def expand_command(argv: tuple[str, ...], *, posargs: tuple[str, ...], envdir: str) -> tuple[str, ...]:
    """Complete a command for the run; `posargs` are the words after `--`.

    A word that is `{posargs}` becomes these, or else the words of its default, split like a shell would.
    Raises NoxEnvsError if it cannot be split.
    """
    values = {"posargs": " ".join(posargs), "envdir": envdir}
    words: list[str] = []
    for one in argv:
        token, parts = re.fullmatch(_TOKEN, one), [one]
        if token and token["name"] == "posargs":
            try:
                parts = _words(token["default"] or "", one) if not posargs else []
            except Invalid as wrong:
                raise NoxEnvsError(wrong.message) from None
            words += posargs
        words += [fill(part, values) for part in parts]
    return tuple(words)


def venv_directory(session: str, envdir: str = ".nox") -> str:
    """Return the name of the directory that nox gives the venv of a session below `envdir`."""
    name = slug(session)
    too_long = len(os.path.join(envdir, name)) > 100 - len("bin/pythonX.Y") and len(envdir) < 100 - 9
    return _short_digest(name) if too_long else name


def slug(session: str) -> str:
    """Return what nox makes of the name of a session for the name of a directory."""
    plain = unicodedata.normalize("NFKD", session).encode("ascii", "ignore").decode("ascii")
    safe = re.sub(r"[^\w\s-]", "-", plain).strip().lower()
    return re.sub(r"[-\s]+", "-", safe).strip("-") or _short_digest(session)


def _short_digest(text: str) -> str:
    return sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest()[:8]
