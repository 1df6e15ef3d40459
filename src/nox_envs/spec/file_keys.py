"""Owns the keys of a whole file and of its environments."""

from __future__ import annotations

from typing import NamedTuple

from nox_envs.document import (
    Fields,
    Integer,
    Key,
    MapOf,
    Mapped,
    Mapping,
    Placed,
    Record,
    Scalar,
    Text,
    Unfit,
)
from nox_envs.errors import Place
from nox_envs.spec import words
from nox_envs.spec.drafts import Draft, Named
from nox_envs.spec.layer_keys import DESCRIPTION, LAYER_KEYS, layer_of
from nox_envs.spec.matrix_keys import EXCLUDE, INCLUDE, MATRIX, OVERRIDES, PYTHON
from nox_envs.spec.option_keys import DRIFT, INDEXES, LOCK
from nox_envs.spec.requirement_keys import SETS
from nox_envs.spec.types import DriftOptions, Index, Layer, LockOptions, RequirementSet


def _plain(text: str, place: Place) -> Scalar:
    return Scalar(text, True, place)


_NAME = Text(
    words.environment_name, expected="the name of one environment", pattern=words.ENVIRONMENT_PATTERN
)
_EXTENDS = Key(
    "extends",
    "Another environment whose keys this one takes over: lists are replaced, mappings merged.",
    Placed(_NAME, _plain),
    also="base inherit inherits template",
)
_OWN_KEYS: tuple[Key[object], ...] = (PYTHON, MATRIX, EXCLUDE, INCLUDE, OVERRIDES)


def _draft(fields: Fields) -> Draft:
    before = len(fields.problems)
    extends = fields.get(_EXTENDS)
    pythons, axes = fields.get(PYTHON), fields.get(MATRIX)
    solid = len(fields.problems) == before
    own = layer_of(fields)
    return Draft(
        layer=own.layer,
        chain=(own.node,),
        extends=extends,
        pythons=pythons,
        axes=axes,
        exclude=fields.get(EXCLUDE),
        include=fields.get(INCLUDE),
        overrides=fields.get(OVERRIDES),
        solid=solid,
    )


def _named(pairs: tuple[tuple[Scalar, Draft], ...]) -> tuple[Named, ...]:
    return tuple(Named(key.text, key.place, draft) for key, draft in pairs)


_ENVIRONMENT = Record(
    "environment",
    (DESCRIPTION, _EXTENDS, *_OWN_KEYS, *LAYER_KEYS[1:]),
    _draft,
    expected="the keys of an environment",
    nullable=True,
)
_DEFAULTS = Key(
    "defaults",
    "Keys that every environment starts from; its own value wins.",
    Record(
        "defaults",
        (*_OWN_KEYS, *LAYER_KEYS),
        _draft,
        expected="the keys of an environment",
        elsewhere=(("extends", "an environment extends another one; all of them start from 'defaults'"),),
    ),
    also="default",
)
_ENVIRONMENTS = Key(
    "environments",
    "The environments by name; a name that begins with _ is a template and makes no session.",
    Mapped(
        MapOf(
            Text(words.environment_name, pattern=words.ENVIRONMENT_PATTERN),
            _ENVIRONMENT,
            expected="a mapping of names to environments",
            filled=True,
        ),
        _named,
    ),
    required="such as environments: {tests: {commands: [pytest]}}",
    also="envs environment env sessions testenv",
)


def _known_version(version: int) -> int:
    if version != 1:
        raise Unfit(f"version {version} is not known", "this nox-envs reads version 1; upgrade nox-envs")
    return version


VERSION = Key(
    "version",
    "The version of this format: 1.",
    Mapped(Integer(only=1), _known_version),
    required="begin the file with version: 1",
)
_LOCK = Key("lock", "How locks are made, for every environment; its own 'lock' wins.", LOCK)
_DRIFT = Key("drift", "What counts as drift, for every environment; its own 'drift' wins.", DRIFT)


class File(NamedTuple):
    """Hold a whole file as written."""

    environments: tuple[Named, ...]
    defaults: Draft
    sets: tuple[RequirementSet, ...]
    indexes: tuple[Index, ...]
    lock: LockOptions | None
    drift: DriftOptions
    node: Mapping


def _file(fields: Fields) -> File:
    fields.get(VERSION)
    defaults = fields.get(_DEFAULTS)
    return File(
        defaults=defaults or Draft(layer=Layer(), chain=()),
        sets=fields.get(SETS) or (),
        environments=fields.get(_ENVIRONMENTS) or (),
        indexes=fields.get(INDEXES) or (),
        lock=fields.get(_LOCK),
        drift=fields.get(_DRIFT) or DriftOptions(),
        node=fields.node,
    )


FILE = Record("file", (VERSION, _DEFAULTS, SETS, _ENVIRONMENTS, INDEXES, _LOCK, _DRIFT), _file)
