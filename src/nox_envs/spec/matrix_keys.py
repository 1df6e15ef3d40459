"""Owns the keys that span a matrix: `python`, `matrix`, `exclude`, `include`, `overrides`."""

from __future__ import annotations

from typing import TypeAlias

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
    Unfit,
    mismatch,
    show,
)
from nox_envs.errors import Place
from nox_envs.spec import words
from nox_envs.spec.drafts import DraftAxis, DraftCombination, DraftLayer, DraftOverride, Pythons
from nox_envs.spec.layer_keys import LAYER_KEYS, LAYER_NAMES, NOT_HERE, PARTIAL, layer_of
from nox_envs.spec.types import Condition, Layer

# python -------------------------------------------------------------------------------------------

_PYTHON = Text(words.python, expected="a Python version", pattern=words.PYTHON_PATTERN)


def _one_python(text: str) -> Pythons:
    return Pythons((text,), False)


def _pythons(texts: tuple[str, ...]) -> Pythons:
    return Pythons(texts, True)


PYTHON = Key(
    "python",
    "The Python version, or a list of them: one session each. pypy3.11 and 3.13t are passed on by name.",
    ByKind(
        scalar=Mapped(_PYTHON, _one_python),
        sequence=Mapped(
            ListOf(_PYTHON, expected="a list of versions", filled=True, distinct=True, single=False), _pythons
        ),
    ),
    also="basepython base_python env_list pythons python_versions interpreter",
)

# matrix -------------------------------------------------------------------------------------------

AxisValues: TypeAlias = tuple[tuple[str, DraftLayer | None], ...]

_VALUE = Text(words.axis_value, expected="a value")


_VALUE_LIST = ListOf(_VALUE, expected="a list of values", filled=True, distinct=True, single=False)
_VALUE_MAPPING = MapOf(_VALUE, PARTIAL, expected="a mapping of values to keys", filled=True)


def _axis_name(text: str) -> str:
    if text in LAYER_NAMES:
        message = f"{show(text)} cannot name an axis: it is a key of environments"
        raise Unfit(message, f"choose another name, such as {text}_version")
    return words.axis_name(text)


def _one_value(text: str) -> AxisValues:
    return ((text, None),)


def _bare_values(texts: tuple[str, ...]) -> AxisValues:
    return tuple((text, None) for text in texts)


def _mapped_values(pairs: tuple[tuple[Scalar, DraftLayer], ...]) -> AxisValues:
    return tuple((key.text, layer) for key, layer in pairs)


def _axes(pairs: tuple[tuple[Scalar, AxisValues], ...]) -> tuple[DraftAxis, ...]:
    return tuple(DraftAxis(key.text, values) for key, values in pairs)


MATRIX = Key(
    "matrix",
    "Axes beside python: a list of values, or a mapping of values to what each adds to the environment.",
    Mapped(
        MapOf(
            Text(_axis_name, pattern=words.AXIS_PATTERN),
            ByKind(
                scalar=Mapped(_VALUE, _one_value),
                sequence=Mapped(_VALUE_LIST, _bare_values),
                mapping=Mapped(_VALUE_MAPPING, _mapped_values),
            ),
            expected="a mapping of axes to values",
        ),
        _axes,
    ),
    also="parametrize factors axes",
)

# exclude, include ---------------------------------------------------------------------------------


def _plain(text: str, place: Place) -> Scalar:
    return Scalar(text, True, place)


_AXIS_KEY = Text(words.filled_text, expected="an axis")
_POINT = MapOf(
    _AXIS_KEY,
    Placed(_VALUE, _plain),
    expected="a mapping of axes to values",
    filled=True,
)


def _excluded(values: tuple[tuple[Scalar, Scalar], ...], place: Place) -> DraftCombination:
    return DraftCombination(values, DraftLayer(Layer(), Mapping((), place)), place)


EXCLUDE = Key(
    "exclude",
    "Points to leave out: each entry names some axes (or python) and their values.",
    ListOf(Placed(_POINT, _excluded), expected="a list of mappings"),
)


class _IncludedPoint:
    """Read an entry of `include`: values for every axis, and keys that the point adds."""

    expected = "a mapping of every axis to a value"

    def read(self, node: Node, problems: Problems) -> DraftCombination | None:
        if type(node) is not Mapping:
            mismatch(problems, node, self.expected)
            return None
        known = tuple(entry for entry in node.entries if entry[0].text in LAYER_NAMES)
        rest = []
        for key, value in node.entries:
            if key.text not in LAYER_NAMES and type(value) is Scalar:
                rest.append((key, value))
            elif key.text not in LAYER_NAMES:
                problems.add(key.place, "unknown key", problems.suggest(key.text, LAYER_NAMES))
        values = _POINT.read(Mapping(tuple(rest), node.place), problems)
        own = PARTIAL.read(Mapping(known, node.place), problems)
        if values is None or own is None:
            return None
        return DraftCombination(values, own, node.place)

    def schema(self, definitions: Definitions) -> Fragment:
        known = PARTIAL.definition(definitions)
        return {**known, "type": "object", "additionalProperties": _VALUE.schema(definitions)}


INCLUDE = Key(
    "include",
    "Single points to add: each entry names a value for every axis (and python), and may add keys.",
    ListOf(_IncludedPoint(), expected="a list of mappings"),
)

# overrides ----------------------------------------------------------------------------------------

Test: TypeAlias = tuple[tuple[str, ...], str, bool]


def _scalar_test(text: str) -> Test:
    if text[:1] not in ("<", ">", "=", "!", "~"):
        return (words.axis_value(text),), "", False
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise Unfit(f"{show(text)} is no version range", "such as '>=3.12,<3.14'") from None
    return (), text, False


def _listed_value(text: str) -> str:
    if text[:1] in ("<", ">", "=", "!", "~"):
        raise Unfit(f"{show(text)} is a version range in a list of values", "write one range: '>=3.12,<3.14'")
    return words.axis_value(text)


def _list_test(values: tuple[str, ...]) -> Test:
    return values, "", False


_LISTED = Text(_listed_value, expected="a value")
_PLAIN_TEST: Shape[Test] = ByKind(
    scalar=Text(_scalar_test, expected="a value, a version range"),
    sequence=Mapped(ListOf(_LISTED, expected="a list of values", filled=True, single=False), _list_test),
)
_NOT = Key("not", "What the value must not be.", _PLAIN_TEST, required="such as {not: '3.12'}")


def _negated(fields: Fields) -> Test:
    values, specifier, _ = fields.need(_NOT)
    return values, specifier, True


class _AnyTest:
    """Read a test or its negation, `{not: …}`."""

    expected = "a value, a version range, a list of values or {not: …}"
    _negation = Record("negation", (_NOT,), _negated, expected="{not: …}")

    def read(self, node: Node, problems: Problems) -> Test | None:
        if type(node) is Mapping:
            return self._negation.read(node, problems)
        return _PLAIN_TEST.read(node, problems)

    def schema(self, definitions: Definitions) -> Fragment:
        return {"anyOf": [_PLAIN_TEST.schema(definitions), self._negation.schema(definitions)]}


def _conditions(pairs: tuple[tuple[Scalar, Test], ...]) -> tuple[tuple[Scalar, Condition], ...]:
    return tuple(
        (key, Condition(axis=key.text, values=values, specifier=specifier, negated=negated))
        for key, (values, specifier, negated) in pairs
    )


_WHEN = Key(
    "when",
    "The points it applies to: axes (or python) with a value, a list, a version range, or {not: …}.",
    Mapped(
        MapOf(_AXIS_KEY, _AnyTest(), expected="a mapping of axes to values", filled=True),
        _conditions,
    ),
    required="such as when: {python: '>=3.13'}",
    also="if",
)


def _override(fields: Fields) -> DraftOverride:
    own = layer_of(fields)
    return DraftOverride(fields.need(_WHEN), own, fields.place)


OVERRIDES = Key(
    "overrides",
    "What changes at some points: requirements, constraints and commands are added, other keys replaced.",
    ListOf(
        Record("override", (_WHEN, *LAYER_KEYS), _override, expected="{when: …, …}", elsewhere=NOT_HERE),
        expected="a list of mappings",
    ),
    also="override",
)
