"""Environments of another tool folded into environments of a spec: factors become axes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product, takewhile
from math import prod
from types import MappingProxyType
from typing import TypeAlias, cast

from nox_envs.init_text import Keys, Yaml
from nox_envs.spec import words
from nox_envs.spec.keys import json_schema
from nox_envs.values import value

Holders: TypeAlias = frozenset[int]

_COMMANDS = ("commands_pre", "commands", "commands_post")
_MOST_COMBINATIONS, _MOST_EXCLUDED = 5_000, 20
_PYTHON = re.compile(r"(python|pypy|py|)-?([23])\.?(\d{1,2}t?)")
_NUMBERED = re.compile(r"([A-Za-z_]+)(\d[\w.]*)")
_UNNUMBERED = r"(?:main|master|dev|latest|stable|trunk|head|tip|min|lowest|oldest)\w*"


@value
class Upstream:
    """One environment as another tool has it, with the keys of a spec.

    Environments of one `family` may become one of a spec; `prefix` comes before the factors of the name, and
    `axes` are the names of axes, where they are known, by value.
    """

    name: str
    prefix: str = ""
    family: str = ""
    python: str = ""
    axes: Mapping[str, str] = MappingProxyType({})
    keys: Mapping[str, Yaml]


@value
class Factor:
    """A part of the name of an environment: what it is of (`django`), its value (`52`), and both as text.

    A factor that names the Python is one of `{py}` or `{python}`, its text a template: `py{py}`.
    """

    kind: str
    value: str
    text: str


def python_of(text: str) -> str:
    """Return the Python that a factor or the name of an interpreter means, empty if it is not a version."""
    found = _PYTHON.fullmatch(text)
    plain = not found or (not found[1] and "." not in text)
    return "" if plain or not found else f"{'pypy' if found[1] == 'pypy' else ''}{found[2]}.{found[3]}"


def fold(found: Sequence[Upstream]) -> Iterator[tuple[str, tuple[Upstream, ...], Keys]]:
    """Yield the environments of a spec: a name for each, what it comes from, and its keys."""
    named = {
        number[1] for one in found for text in one.name.split("-") if (number := _NUMBERED.fullmatch(text))
    }
    groups: dict[tuple[str, ...], list[tuple[Upstream, list[Factor]]]] = {}
    for one in found:
        factors = _factors(one, named - {"py", "pypy", "python"})
        shape = [factor.kind for factor in factors]
        alone = "" if any(shape) else one.name
        key = (one.family, one.prefix, alone, "python" if one.python else "", *shape)
        groups.setdefault(key, []).append((one, factors))
    for members in groups.values():
        upstream = tuple([one for one, _ in members])
        if len(members) == 1:
            python: Keys = {"python": upstream[0].python} if upstream[0].python else {}
            yield upstream[0].name, upstream, {**python, **upstream[0].keys}
            continue
        columns = [*zip(*[factors for _, factors in members], strict=True)]
        kinds = [one.kind or one.text for one, *others in columns if one.kind or {*others} == {one}]
        name = "-".join(dict.fromkeys([kind for kind in kinds if not kind.startswith("{")]))
        yield upstream[0].prefix.strip("-.") or name or "tests", upstream, _Matrix(upstream, columns).keys()


def _factors(one: Upstream, named: set[str]) -> list[Factor]:
    factors, python = [], one.python
    for text in one.name.removeprefix(one.prefix).split("-"):
        number = _NUMBERED.fullmatch(text)
        known = (name for name in named if re.fullmatch(re.escape(name) + _UNNUMBERED, text))
        if python and python_of(text) == python:
            kind = "{python}" if python in text else "{py}"
            shown = python if kind == "{python}" else python.replace(".", "")
            pure = kind if text == python and kind == "{python}" and text[0].isdigit() else ""
            factors.append(Factor(kind=kind + pure, value=python, text=text.replace(shown, kind)))
            python = ""
        else:
            kind = number[1] if number and number[1] in named else next(known, "")
            factors.append(Factor(kind=kind, value=text.removeprefix(kind), text=text))
    return factors


class _Matrix:
    """The points of one environment: of each its axes, its name as a template, and its keys."""

    def __init__(self, members: tuple[Upstream, ...], columns: list[tuple[Factor, ...]]) -> None:
        self._members = members
        self._all = frozenset(range(len(members)))
        self._axes: list[dict[str, str]] = [{} for _ in members]
        names: list[list[str]] = [[] for _ in members]
        if len({one.python for one in members}) > 1:
            for axes, one in zip(self._axes, members, strict=True):
                axes["python"] = one.python
        for column in columns:
            varies = len({*column}) > 1 and not column[0].kind.startswith("{")
            axis = self._axis(column[0].kind or members[0].axes.get(column[0].text, "")) if varies else ""
            dots = self._dotted(column) if axis else {}
            for at, factor in enumerate(column):
                text = factor.text
                if axis:
                    self._axes[at][axis] = dots.get(factor.value, factor.value)
                    text = f"{factor.kind}{{{axis}}}" if "." not in factor.value else text
                names[at].append(text)
        self._names = [members[0].prefix + "-".join(parts) for parts in names]
        self._values = {name: [*dict.fromkeys([axes[name] for axes in self._axes])] for name in self._axes[0]}

    def _axis(self, kind: str) -> str:
        taken = {"name", "environment", "python", "py", "posargs", "envdir", *self._axes[0]}
        taken.update(cast("dict[str, object]", json_schema()["definitions"]))
        names = [kind.lower(), "factor", *[f"{kind.lower() or 'factor'}_{number}" for number in range(2, 99)]]
        return next(name for name in names if name and name not in taken)

    def _dotted(self, column: tuple[Factor, ...]) -> dict[str, str]:
        """Return `5.2` for `52` where the requirements of every point with a number name it so."""
        digits = {factor.value for factor in column if factor.value.isdigit()}
        if min(map(len, digits), default=0) < 2 or any("." in factor.value for factor in column):
            return {}
        dotted = {one: f"{one[0]}.{one[1:]}" for one in digits}
        for factor, one in zip(column, self._members, strict=True):
            shown = re.escape(dotted.get(factor.value, ""))
            named = re.search(rf"(?<![\w.]){shown}(?!\d)", json.dumps(one.keys.get("requirements", [])))
            if one.name in json.dumps(one.keys) or (shown and not named):
                return {}
        return dotted

    def keys(self) -> Keys:
        """Return the keys of the environment."""
        points = self._templated()
        made: Keys = {}
        regular = self._regular()
        if "python" not in self._values and self._members[0].python:
            made["python"] = self._members[0].python
        elif regular is not None and "python" in self._values:
            made["python"] = [*self._values["python"]]
        at_value: dict[tuple[str, str], Keys] = {}
        at_point: list[Keys] = [{**axes} for axes in self._axes]
        overrides: list[Yaml] = []
        if regular is not None:
            excluded, limits = regular
            at_value = {pair: {"python": pythons} for pair, pythons in limits.items()}
            made.update({"exclude": excluded} if excluded else {})
        for holders, layer in self._layers(points).items():
            when = self._when(holders)
            (axis, one), *others = [*(when or {"": ""}).items()]
            if holders == self._all:
                made.update(layer)
            elif regular is None and len(holders) == 1:
                at_point[min(holders)].update(layer)
            elif regular is not None and when and not others and isinstance(one, str) and axis != "python":
                at_value.setdefault((axis, one), {}).update(layer)
            else:
                overrides += [{"when": {**box}, **layer} for box in self._boxes(holders)]
        if regular is None:
            made["matrix"] = cast("Yaml", at_point)
        elif matrix := {
            axis: {one: at_value.get((axis, one), {}) for one in values}
            if any((axis, one) in at_value for one in values)
            else [*values]
            for axis, values in self._values.items()
            if axis != "python"
        }:
            made["matrix"] = cast("Yaml", matrix)
        return {**made, **({"overrides": overrides} if overrides else {})}

    def _regular(self) -> tuple[list[Yaml], dict[tuple[str, str], Yaml]] | None:
        """Return what is excluded from the product of the axes, and the Pythons that values are limited to.

        None if the points are no such product.
        """
        count = len(self._axes)
        if prod(map(len, self._values.values())) > _MOST_COMBINATIONS:
            return None
        together = {pair for one in self._axes for pair in combinations(one.items(), 2)}
        missing: dict[tuple[str, str, str], list[str]] = {}
        for first, second in combinations(self._values, 2):
            for left, right in product(self._values[first], self._values[second]):
                if ((first, left), (second, right)) not in together:
                    missing.setdefault((second, right, first), []).append(left)
        every = [zip(self._values, one, strict=True) for one in product(*self._values.values())]
        left_over = [one for one in every if together.issuperset(combinations(one, 2))]
        excluded: list[Yaml] = []
        limits: dict[tuple[str, str], Yaml] = {}
        for (axis, one, other), values in missing.items():
            if other == "python":
                limits[axis, one] = [python for python in self._values["python"] if python not in values]
            else:
                excluded.append({other: [*values] if len(values) > 1 else values[0], axis: one})
        possible = len(left_over) == count and len(excluded) <= min(_MOST_EXCLUDED, count // 2)
        return (excluded, limits) if possible else None

    def _templated(self) -> list[Keys]:
        """Return the keys of every point with placeholders for what differs with the axes."""
        made: list[dict[str, str]] = [{} for _ in self._members]
        raw: dict[str, set[str]] = {}
        for at, one in enumerate(self._members):
            values = {**self._axes[at], "py": self._axes[at].get("python", "").replace(".", "")}
            marks = {
                one.name: self._names[at],
                **{text: f"{{{axis}}}" for axis, text in values.items() if len(text) > 1},
            }
            mark = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, marks))})(?![A-Za-z0-9])")
            for text in _texts(one.keys):
                template = mark.sub(lambda found, marks=marks: marks[found[0]], text)  # type: ignore[misc]
                if template != text and words.fill(template, values) == words.fill(text, {}):
                    made[at][text] = template
                    raw.setdefault(template, set()).add(text)
        shared = [{text: new for text, new in known.items() if len(raw[new]) > 1} for known in made]
        return [
            cast("Keys", _changed(dict(one.keys), lambda text, new=new: new.get(text, text)))  # type: ignore[misc]
            for one, new in zip(self._members, shared, strict=True)
        ]

    def _layers(self, points: list[Keys]) -> dict[Holders, Keys]:
        """Return the keys by the points that have them; what most points have is the default of all."""
        shared: dict[str, list[Yaml]] = {}
        for key in _COMMANDS:
            columns = zip(*[cast("list[Yaml]", keys.get(key, [])) for keys in points], strict=False)
            same = takewhile(lambda column: all(one == column[0] for one in column), columns)
            shared[key] = [column[0] for column in same]
        parts: dict[tuple[str, str], dict[str, tuple[Yaml, set[int]]]] = {}
        for at, keys in enumerate(points):
            for key, of, one in _parts({"name": self._names[at], **keys}, shared):
                known = parts.setdefault((key, of), {}).setdefault(json.dumps(one), (one, set()))
                known[1].add(at)
        layers: dict[Holders, Keys] = {self._all: {key: found for key, found in shared.items() if found}}
        for (key, _), alternatives in parts.items():
            everywhere = sum(len(holders) for _, holders in alternatives.values()) == len(points)
            usual = max(alternatives.values(), key=lambda one: len(one[1]))
            for part in alternatives.values():
                default = part is usual and everywhere and key not in _COMMANDS
                layer = layers.setdefault(self._all if default else frozenset(part[1]), {})
                layer[key] = _joined(layer.get(key), part[0])
        return layers

    def _when(self, holders: Holders) -> Keys | None:
        """Return the condition that exactly these points meet, None if it takes several."""
        hull = {axis: {self._axes[at][axis] for at in holders} for axis in self._values}
        if self._met(hull) != holders:
            return None
        for axis in self._values:
            rest = {name: values for name, values in hull.items() if name != axis}
            hull = rest if self._met(rest) == holders else hull
        return {axis: self._test(axis, values) for axis, values in hull.items()}

    def _met(self, hull: Mapping[str, set[str]]) -> Holders:
        met = (at for at in self._all if all(self._axes[at][axis] in of for axis, of in hull.items()))
        return frozenset(met)

    def _test(self, axis: str, held: set[str]) -> Yaml:
        values = [one for one in self._values[axis] if one in held]
        others = [one for one in self._values[axis] if one not in held]
        if 2 * len(others) < len(values):
            return {"not": others[0] if len(others) == 1 else [*others]}
        return values[0] if len(values) == 1 else [*values]

    def _boxes(self, holders: Holders) -> list[Keys]:
        """Return conditions that these points meet, each exactly one, and no other point."""
        if when := self._when(holders):
            return [when]
        splits = []
        for axis, values in self._values.items():
            parts: dict[frozenset[object], list[int]] = {}
            for one in values:
                held = [at for at in holders if self._axes[at][axis] == one]
                rest = frozenset([(*{**self._axes[at], axis: ""}.values(),) for at in held])
                parts.setdefault(rest, []).extend(held)
            splits.append([frozenset(part) for part in parts.values() if part and len(part) < len(holders)])
        return [box for part in min(filter(None, splits), key=len) for box in self._boxes(part)]


def _parts(keys: Keys, shared: Mapping[str, list[Yaml]]) -> Iterator[tuple[str, str, Yaml]]:
    """Yield what points may have in common: a key, what of it, and that; `shared` is left out."""
    for key, content in keys.items():
        if key in ("requirements", "constraints"):
            yield from [(key, json.dumps(one), [one]) for one in content]
        elif isinstance(content, dict) and key == "set_env":
            yield from [(key, variable, {variable: one}) for variable, one in content.items()]
        elif isinstance(content, list) and key in _COMMANDS:
            yield from [(key, "", content[len(shared[key]) :])] if content != shared[key] else []
        else:
            yield key, "", content


def _joined(before: Yaml | None, added: Yaml) -> Yaml:
    if isinstance(before, list) and isinstance(added, list):
        return [*before, *added]
    return {**before, **added} if isinstance(before, dict) and isinstance(added, dict) else added


def _texts(content: Yaml | Mapping[str, Yaml]) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    else:
        for one in content.values() if isinstance(content, Mapping) else content:
            yield from _texts(one)


def _changed(content: Yaml, change: Callable[[str], str]) -> Yaml:
    if isinstance(content, str):
        return change(content)
    if isinstance(content, dict):
        return {key: _changed(one, change) for key, one in content.items()}
    return [_changed(one, change) for one in content]
