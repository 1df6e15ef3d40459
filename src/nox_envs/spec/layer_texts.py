"""Owns which texts of a layer may have placeholders, and which each may have; fills and checks none."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Literal, NamedTuple, TypeAlias

from nox_envs.errors import Place
from nox_envs.placeholders import RUN_TIME
from nox_envs.spec.types import (
    Command,
    Constraint,
    ConstraintFile,
    ConstraintText,
    Layer,
    RequirementText,
)

Kind: TypeAlias = Literal["prose", "requirement", "constraint", "plain", "lock", "run"]


class LayerText(NamedTuple):
    """Hold a text below a key of a layer; `place` is None where the layer does not keep it.

    In `prose` a brace that is no placeholder is a brace.
    """

    kind: Kind
    key: str
    text: str
    place: Place | None = None

    def allowed(self, known: Set[str]) -> frozenset[str]:
        """Return the placeholders that the text may have, where `known` have a value."""
        own = RUN_TIME if self.kind == "run" else ("environment",) if self.kind == "lock" else ()
        return frozenset((*known, *own))


def texts_of(layer: Layer) -> Iterator[LayerText]:
    """Yield every text of a layer that may have placeholders and has a brace."""
    return (text for text in _texts(layer) if "{" in text.text or "}" in text.text)


def _texts(layer: Layer) -> Iterator[LayerText]:
    for item in layer.requirements or ():
        if isinstance(item, RequirementText):
            yield LayerText("requirement", "requirements", item.text, item.place)
    yield from _constraints("constraints", layer.constraints)
    yield from _constraints("build_constraints", layer.build_constraints)
    for command in layer.commands or ():
        yield from (LayerText("run", "commands", text, command.place) for text in _command_texts(command))
    yield from (LayerText("run", "set_env", text) for _, text in layer.set_env or ())
    yield LayerText("run", "change_dir", layer.change_dir or "")
    yield LayerText("prose", "description", layer.description or "")
    if layer.lock is not None:
        templates = (*(layer.lock.file or ()), layer.lock.group or "")
        yield from (LayerText("lock", "lock", text) for text in templates)
    yield from (LayerText("plain", "tags", text) for text in layer.tags or ())
    yield from (LayerText("plain", "requires", text) for text in layer.requires or ())
    yield from (
        LayerText("plain", "package", text) for text in (layer.package.extras if layer.package else ())
    )
    yield from (LayerText("plain", "platforms", text) for text in layer.platforms or ())
    yield from (LayerText("plain", "runs_on", text) for text in layer.runs_on or ())


def _constraints(key: str, constraints: tuple[Constraint, ...] | None) -> Iterator[LayerText]:
    for item in constraints or ():
        if isinstance(item, ConstraintText):
            yield LayerText("constraint", key, item.text, item.place)
        elif isinstance(item, ConstraintFile):
            yield LayerText("plain", key, item.path, item.place)


def _command_texts(command: Command) -> tuple[str, ...]:
    return (*command.argv, *(text for _, text in command.set_env), command.change_dir or "")
