"""Owns the keys of requirement sets, environment requirements and constraints."""

from __future__ import annotations

from nox_envs.document import (
    ByKind,
    Definitions,
    Fields,
    Fragment,
    Key,
    ListOf,
    MapOf,
    Mapped,
    Mapping,
    Node,
    Placed,
    Problems,
    Record,
    Scalar,
    Shape,
    Text,
)
from nox_envs.errors import Place
from nox_envs.spec import words
from nox_envs.spec.requirement_text import (
    constraint,
    environment_requirement,
    is_constraint_file,
    set_requirement,
)
from nox_envs.spec.types import (
    Constraint,
    ConstraintFile,
    ConstraintLock,
    ConstraintText,
    Extra,
    Group,
    Include,
    Item,
    RequirementFile,
    RequirementSet,
    RequirementText,
)

_INCLUDE = Key(
    "include",
    "Another requirement set, by name.",
    Text(words.set_name, expected="the name of a requirement set", pattern=words.NAME_PATTERN),
    also="set requirements",
)
_FILE = Key(
    "file",
    "A file in pip's requirements format, relative to this file; -r and -c inside it are followed.",
    Text(words.set_file_path, expected="a path"),
    also="path requirement -r",
)
_GROUP = Key(
    "group",
    "A dependency group of pyproject.toml (PEP 735).",
    Text(words.extra_name, expected="the name of a dependency group"),
    also="groups dependency-group dependency_group dependency-groups dependency_groups",
)
_EXTRA = Key(
    "extra",
    "This project's own dependencies, with these of its extras; [] for none.",
    ListOf(Text(words.extra_name, expected="the name of an extra"), expected="the names of extras"),
    also="extras",
)


def _item(fields: Fields) -> Item:
    # Exactly one of the keys is there; the last one's need() reports nothing new.
    include, file, group = fields.get(_INCLUDE), fields.get(_FILE), fields.get(_GROUP)
    place = fields.place
    if include is not None:
        return Include(name=include, place=place)
    if file is not None:
        return RequirementFile(path=file, place=place)
    if group is not None:
        return Group(name=group, place=place)
    return Extra(names=fields.need(_EXTRA), place=place)


def _set_text(text: str, place: Place) -> Item:
    return RequirementText(text=text, place=place)


_ITEM: Shape[Item] = ByKind(
    scalar=Placed(Text(set_requirement, expected="a requirement"), _set_text),
    mapping=Record(
        "requirement-item",
        (_INCLUDE, _FILE, _GROUP, _EXTRA),
        _item,
        expected="one of {include:}, {file:}, {group:}, {extra:}",
        single=True,
    ),
)
_ITEMS = ListOf(_ITEM, expected="a list of requirements")


def _sets(pairs: tuple[tuple[Scalar, tuple[Item, ...]], ...]) -> tuple[RequirementSet, ...]:
    return tuple(RequirementSet(name=key.text, items=items, place=key.place) for key, items in pairs)


SETS = Key(
    "requirements",
    "Named requirement sets: lists of requirements, files, groups and other sets.",
    Mapped(
        MapOf(
            Text(words.set_name, pattern=words.NAME_PATTERN),
            _ITEMS,
            expected="a mapping of set names to lists of requirements",
        ),
        _sets,
    ),
    also="requirement_sets sets dependencies deps",
)


class _EnvironmentItem:
    """Read a set's name or a requirement; anything else belongs into a set."""

    expected = "the name of a requirement set, or a requirement with a version, extra, marker or URL"
    _text = Text(environment_requirement, expected=expected)

    def read(self, node: Node, problems: Problems) -> Include | RequirementText | None:
        if type(node) is Mapping and node.entries:
            key, value = node.entries[0]
            if key.text == "include" and type(value) is Scalar:
                hint = f"write the bare name: {value.text}"
            else:
                hint = "put it into a set under the top-level 'requirements', and write the set's name here"
            problems.add(node.place, "expected a text, found a mapping", hint)
            return None
        text = self._text.read(node, problems)
        if text is None:
            return None
        if words.is_bare(text):
            return Include(name=text, place=node.place)
        return RequirementText(text=text, place=node.place)

    def schema(self, definitions: Definitions) -> Fragment:
        return self._text.schema(definitions)


ENVIRONMENT_REQUIREMENTS: Shape[tuple[Include | RequirementText, ...]] = ListOf(
    _EnvironmentItem(), expected="a list of set names and requirements"
)

_CONSTRAINT_FILE = Key(
    "file",
    "A file in pip's format, relative to this file.",
    Text(words.file_path, expected="a path"),
    also="path constraint -c",
)
_BUILD_FILE = Key(
    "file",
    _CONSTRAINT_FILE.description,
    _CONSTRAINT_FILE.shape,
    required="such as file: limits.txt",
    also=_CONSTRAINT_FILE.also,
)
_CONSTRAINT_LOCK = Key(
    "lock",
    "Another environment: its lock constrains this one.",
    Text(words.environment_name, expected="the name of an environment", pattern=words.ENVIRONMENT_PATTERN),
    also="environment env",
)


def _constraint_text(text: str, place: Place) -> Constraint:
    if is_constraint_file(text):
        return ConstraintFile(path=text, place=place)
    return ConstraintText(text=text, place=place)


def _constraint_item(fields: Fields) -> Constraint:
    file = fields.get(_CONSTRAINT_FILE)
    if file is not None:
        return ConstraintFile(path=file, place=fields.place)
    return ConstraintLock(environment=fields.need(_CONSTRAINT_LOCK), place=fields.place)


def _build_item(fields: Fields) -> Constraint:
    return ConstraintFile(path=fields.need(_BUILD_FILE), place=fields.place)


CONSTRAINTS: Shape[tuple[Constraint, ...]] = ListOf(
    ByKind(
        scalar=Placed(Text(constraint, expected="a constraint such as urllib3<2, a path"), _constraint_text),
        mapping=Record(
            "constraint-item",
            (_CONSTRAINT_FILE, _CONSTRAINT_LOCK),
            _constraint_item,
            expected="{file: PATH} or {lock: ENVIRONMENT}",
            single=True,
        ),
    ),
    expected="a list of constraints",
)
BUILD_CONSTRAINTS: Shape[tuple[Constraint, ...]] = ListOf(
    ByKind(
        scalar=Placed(
            Text(constraint, expected="a constraint such as setuptools<80, a path"), _constraint_text
        ),
        mapping=Record(
            "build-constraint-item",
            (_BUILD_FILE,),
            _build_item,
            expected="{file: PATH}",
            elsewhere=(("lock", "no lock holds what builds sdists; write a file or a requirement"),),
        ),
    ),
    expected="a list of constraints",
)
