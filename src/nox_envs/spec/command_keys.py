"""Owns the keys of commands and of what surrounds them."""

from __future__ import annotations

from nox_envs.document import (
    Boolean,
    ByKind,
    Fields,
    Integer,
    Key,
    ListOf,
    MapOf,
    Mapped,
    Placed,
    Record,
    Scalar,
    Shape,
    Text,
)
from nox_envs.errors import Place
from nox_envs.spec import words
from nox_envs.spec.command_text import argument, checked_argv, command_words
from nox_envs.spec.types import Command, Pairs


def _pairs(entries: tuple[tuple[Scalar, str], ...]) -> Pairs:
    return tuple((key.text, value) for key, value in entries)


_WORDS = ListOf(Text(argument, expected="a word"), expected="a list of words", single=False)
_ARGV: Shape[tuple[str, ...]] = ByKind(
    scalar=Text(command_words, expected="a command"),
    sequence=Mapped(_WORDS, checked_argv),
)

SET_ENV = Key(
    "set_env",
    "Environment variables of the commands; {envdir}, {python}, {name} and the axes are filled in.",
    Mapped(
        MapOf(
            Text(words.variable, expected="a name", pattern=words.VARIABLE_PATTERN),
            Text(words.free_text, expected='a text ("" for an empty one)'),
            expected="a mapping of names to texts",
        ),
        _pairs,
    ),
    also="setenv env environment set-env",
)
CHANGE_DIR = Key(
    "change_dir",
    "The folder in which the commands run, relative to this file.",
    Text(words.filled_text, expected="a path"),
    also="changedir chdir cwd directory change-dir",
)

_RUN = Key(
    "run",
    "The command: a text that is split like a shell would (no shell runs it), or a list of words.",
    _ARGV,
    required="such as run: pytest {posargs}",
    also="command cmd argv",
)
_SUCCESS_CODES = Key(
    "success_codes",
    "Exit codes that count as success.",
    ListOf(Integer(), expected="a list of integers", filled=True),
)
_EXTERNAL = Key("external", "The program may come from outside the environment.", Boolean())
_ALLOW_FAILURE = Key(
    "allow_failure",
    "Go on with the next command when this one fails.",
    Boolean(),
    also="ignore_outcome ignore_errors",
)


# `- {posargs}` without quotes is a mapping with one empty key.
_PLACEHOLDERS = tuple(
    (name, "quote a text that begins with a brace: '{" + name + "}'")
    for name in ("posargs", "envdir", "python")
)


def _command(fields: Fields) -> Command:
    set_env, change_dir = fields.get(SET_ENV), fields.get(CHANGE_DIR)
    codes, external = fields.get(_SUCCESS_CODES), fields.get(_EXTERNAL)
    allow_failure = fields.get(_ALLOW_FAILURE)
    return Command(
        argv=fields.need(_RUN),
        set_env=set_env or (),
        change_dir=change_dir,
        success_codes=codes or (0,),
        external=bool(external),
        allow_failure=bool(allow_failure),
        place=fields.place,
    )


def _plain_command(argv: tuple[str, ...], place: Place) -> Command:
    return Command(argv=argv, place=place)


COMMANDS = Key(
    "commands",
    "What runs, in order. {posargs} or {posargs:default words} stands for the arguments after `--`.",
    ListOf(
        ByKind(
            scalar=Placed(_ARGV, _plain_command),
            sequence=Placed(_ARGV, _plain_command),
            mapping=Record(
                "command",
                (_RUN, SET_ENV, CHANGE_DIR, _SUCCESS_CODES, _EXTERNAL, _ALLOW_FAILURE),
                _command,
                expected="{run: …}",
                elsewhere=_PLACEHOLDERS,
            ),
            expected="a command: a text, a list of words or {run: …}",
        ),
        expected="a list of commands",
    ),
    also="command run scripts script",
)
