"""Owns what a merged environment is made of: its layers and the values its placeholders can have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import NamedTuple, TypeAlias

from nox_envs.document import Mapping, Node, Scalar, Sequence
from nox_envs.errors import Place
from nox_envs.placeholders import Values
from nox_envs.spec.drafts import Draft, DraftLayer, Named
from nox_envs.spec.types import Layer, Pairs

MOST_FILLINGS = 1000

Choices: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]


class Part(NamedTuple):
    """Hold one layer of an environment.

    `chain` are the mappings it was written in, nearest first; `fixed` are the only values that axes can
    have where it applies.
    """

    layer: Layer
    chain: tuple[Mapping, ...]
    fixed: Choices = ()


def written_layers(draft: Draft) -> Iterator[DraftLayer]:
    """Yield every layer that is written in an environment's own mapping."""
    if draft.chain:
        yield DraftLayer(draft.layer, draft.chain[0])
    yield from (layer for axis in draft.axes or () for _, layer in axis.values if layer is not None)
    yield from (override.own for override in draft.overrides or ())
    yield from (point.own for point in draft.include or ())


def parts(draft: Draft) -> Iterator[Part]:
    """Yield every layer of a merged environment, with where it applies."""
    yield Part(draft.layer, draft.chain)
    for axis in draft.axes or ():
        for value, own in axis.values:
            if own is not None:
                yield Part(own.layer, (own.node,), ((axis.name, (value,)),))
    for override in draft.overrides or ():
        conditions = (test for _, test in override.when if test.values and not test.negated)
        fixed = tuple((test.axis, test.values) for test in conditions)
        yield Part(override.own.layer, (override.own.node,), fixed)
    for point in draft.include or ():
        named = tuple((axis.text, (value.text,)) for axis, value in point.values)
        yield Part(point.own.layer, (point.own.node,), named)


class Scope(NamedTuple):
    """Hold the values that `python` and the axes of an environment can have, `include` counted in."""

    name: str
    pythons: tuple[str, ...]
    axes: Choices

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of an axis or of `python`; nothing for an unknown name."""
        if name == "python":
            return self.pythons
        return next((values for axis, values in self.axes if axis == name), ())

    def axis_names(self) -> tuple[str, ...]:
        """Return the names of the axes, in the order declared."""
        return tuple(axis for axis, _ in self.axes)

    def known(self) -> frozenset[str]:
        """Return the placeholders that always have a value in the environment."""
        python = ("python", "py") if self.pythons else ()
        return frozenset({"name", *python, *self.axis_names()})

    def fillings(self, names: tuple[str, ...], fixed: Choices) -> Iterator[Pairs]:
        """Yield the values that the placeholders in `names` have together, at most a thousand times."""
        wanted = dict.fromkeys("python" if name == "py" else name for name in names if name != "name")
        limits = dict(fixed)
        choices = [limits.get(name, self.values(name)) for name in wanted]
        for values in islice(product(*choices), MOST_FILLINGS):
            yield tuple(zip(wanted, values, strict=True))

    def fill(self, text: str, pairs: Pairs, *, py: str = "") -> str:
        """Return a text with the placeholders filled."""
        python = dict(pairs).get("python", "")
        known = (("name", self.name), ("py", py or python.replace(".", "")), *pairs)
        return Values(known).fill(text)


def scope_of(named: Named) -> Scope:
    """Return the values that the axes of a merged environment can have."""
    draft = named.draft
    pythons = list(draft.pythons.values) if draft.pythons else []
    axes = {axis.name: [value for value, _ in axis.values] for axis in draft.axes or ()}
    for point in draft.include or ():
        for axis, value in point.values:
            (pythons if axis.text == "python" else axes.get(axis.text, [])).append(value.text)
    return Scope(
        named.name,
        tuple(dict.fromkeys(pythons)),
        tuple((name, tuple(dict.fromkeys(values))) for name, values in axes.items()),
    )


def find(chain: tuple[Mapping, ...], key: str, text: str) -> Place:
    """Return where a text is written below a key, in the first mapping of a chain that has it."""
    nodes = (mapping.value(key) for mapping in chain)
    places = (_find(node, text) for node in nodes if node is not None)
    return next((place for place in places if place is not None), chain[0].place)


def _find(root: Node, text: str) -> Place | None:
    waiting = [root]
    for node in waiting:
        if isinstance(node, Scalar):
            if node.text == text:
                return node.place
        elif isinstance(node, Sequence):
            waiting.extend(node.items)
        else:
            waiting.extend(value for _, value in node.entries)
    return None


def places_in(root: Node) -> frozenset[int]:
    """Return the identities of the places of a node and of all that is in it."""
    places: list[int] = []
    waiting = [root]
    for node in waiting:
        places.append(id(node.place))
        if isinstance(node, Sequence):
            waiting.extend(node.items)
        elif isinstance(node, Mapping):
            waiting.extend(value for _, value in node.entries)
    return frozenset(places)
