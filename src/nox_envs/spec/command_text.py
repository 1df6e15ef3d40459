"""Owns the splitting of command strings into argv, and what a command may not be; runs nothing."""

from __future__ import annotations

import re

from nox_envs.document import Unfit, show
from nox_envs.placeholders import split_command
from nox_envs.spec.words import refuse_credentials

_OPERATORS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>"})
_SPECIAL = frozenset("'\"\\{")
_SEVERAL = "write one command per item of the list; `>` instead of `|` folds lines into one"


def command_words(text: str) -> tuple[str, ...]:
    """Split a command like a POSIX shell would, into words that no shell will read again."""
    refuse_credentials(text)
    text = text.strip().replace("\\\n", " ")
    if text.isascii() and text.isprintable() and _SPECIAL.isdisjoint(text):
        words = tuple(text.split())
    else:
        words = _split(text)
    _refuse_shell(text, words)
    return checked_argv(words)


def checked_argv(words: tuple[str, ...]) -> tuple[str, ...]:
    """Check that an argv names a program."""
    if not words or not words[0]:
        raise Unfit("the command is empty", "write a program and its arguments, such as pytest {posargs}")
    if words[0].startswith("-"):
        hint = "items of 'commands' are whole commands; an argv is a list inside the list: [[pytest, -q]]"
        raise Unfit(f"a command cannot begin with the option {show(words[0])}", hint)
    return words


def argument(text: str) -> str:
    """Check one word of an argv."""
    refuse_credentials(text)
    return text


def _split(text: str) -> tuple[str, ...]:
    # Line breaks inside quotes are meant; elsewhere a shell would see two commands.
    if "\n" in text and "\n" in re.sub(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", "", text, flags=re.DOTALL):
        raise Unfit("the command has several lines", _SEVERAL)
    try:
        return split_command(text)
    except ValueError:
        hint = "close it; a command with quotes or commas inside [ ] needs quotes around it"
        raise Unfit(f"a quote is not closed in {show(text)}", hint) from None


def _refuse_shell(text: str, words: tuple[str, ...]) -> None:
    if _OPERATORS.isdisjoint(words) and not (words and _assigned(words[0])):
        return
    bare = re.sub(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", "''", text, flags=re.DOTALL).split()
    operator = next((word for word in bare if word in _OPERATORS), None)
    if operator is not None:
        hint = "no shell runs a command: write two commands, or a list of words if it is meant literally"
        raise Unfit(f"the shell operator {show(operator)} means nothing here", hint)
    name = _assigned(bare[0]) if bare else ""
    if name:
        raise Unfit(f"a command cannot begin with the assignment of {name}", f"use set_env: {{{name}: …}}")


def _assigned(word: str) -> str:
    name, equals, _ = word.partition("=")
    return name if equals and name.isidentifier() else ""
