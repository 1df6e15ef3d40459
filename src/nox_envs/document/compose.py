"""Owns the way from a file's text to nodes, within limits; constructs no value and acts on no tag.

Nodes are built from the parser's events with an own stack, not with `yaml.compose`: that one recurses
(deep nesting would end the process) and follows aliases without a limit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from nox_envs.document.composer import BIDIRECTIONAL, Composer
from nox_envs.document.nodes import Mapping, Node, Scalar, is_null
from nox_envs.document.problems import Problems, show
from nox_envs.document.syntax import explain, position
from nox_envs.errors import Place

if TYPE_CHECKING:
    from typing import TypeAlias

    Loader: TypeAlias = type[yaml.BaseLoader] | type[yaml.CBaseLoader]

MAX_SIZE = 1 << 20

# The same grammar; the C parser is twenty times faster and not in every build of PyYAML.
LOADER: Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

MINIMAL = (
    'the smallest file is "version: 1" and below it '
    '"environments: {lint: {requirements: [ruff>=0.6], commands: [ruff check]}}"'
)

_UNREADABLE = (
    r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    rf"|[{BIDIRECTIONAL}]"
)


_PLAIN = b"\t\n\r" + bytes(range(0x20, 0x7F))
_DIRECTIVE_START = "\n%"


def compose(text: str, problems: Problems, *, loader: Loader = LOADER) -> Mapping:
    """Compose a document whose root is a mapping; duplicate keys, tags and the like go to `problems`.

    Raises: FileProblems where nothing can be read: no YAML, too large, too deep, no mapping.
    """
    text = text.removeprefix("\ufeff")
    _refuse_unreadable(text, problems)
    composer = Composer(problems)
    try:
        root = composer.run(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        # What was found before is dropped: a quote that never ends makes the rest look wrong too.
        alone = Problems(problems.origin)
        line, column, message, hint = explain(error, text)
        alone.add(Place(origin=problems.origin, line=line, column=column), message, hint)
        raise alone.error() from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # The pure parser lets the numbers of escapes and directives overflow.
        problems.add(composer.last, "is not valid YAML near here", "check the escapes in double quotes")
        raise problems.error() from None
    problems.root = _as_mapping(root, problems)
    return problems.root


def _as_mapping(root: Node | None, problems: Problems) -> Mapping:
    if isinstance(root, Mapping):
        return root
    if root is None or is_null(root):
        problems.add(Place(origin=problems.origin), "the file is empty", MINIMAL)
    else:
        found = f"the text {show(root.text)}" if isinstance(root, Scalar) else "a list"
        problems.add(root.place, f"the file must be a mapping, but it is {found}", MINIMAL)
    raise problems.error()


def _refuse_unreadable(text: str, problems: Problems) -> None:
    if len(text) > MAX_SIZE:
        hint = "move long requirement lists to files: {file: PATH}"
        problems.add(Place(origin=problems.origin), "the file is larger than 1 MiB", hint)
        raise problems.error()
    bad = re.search(_UNREADABLE, text) if _may_be_unreadable(text) else None
    if bad is not None:
        place = _place_after(text[: bad.start()], problems.origin)
        problems.add(place, f"the character U+{ord(bad[0]):04X} is not allowed here", "remove it")
        raise problems.error()
    directive = _DIRECTIVE_START in f"\n{text}" and re.match(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*%", text)
    if directive:
        place = _place_after(directive[0][:-1], problems.origin)
        problems.add(place, "YAML directives are not read", "remove the line")
        raise problems.error()


def _may_be_unreadable(text: str) -> bool:
    # Most files are plain ASCII, and compiling the pattern costs more than reading them.
    return not text.isascii() or bool(text.encode("ascii").translate(None, _PLAIN))


def _place_after(before: str, origin: str) -> Place:
    line, column = position(before, len(before))
    return Place(origin=origin, line=line, column=column)
