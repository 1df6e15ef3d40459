"""Owns which texts of a layer may have placeholders, and the problems of filling them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from nox_envs.errors import Place, Problem
from nox_envs.placeholders import RUN_TIME, defects, names_in
from nox_envs.spec.types import (
    Command,
    Constraint,
    ConstraintFile,
    ConstraintText,
    Layer,
    RequirementText,
)
from nox_envs.values import value

Kind: TypeAlias = Literal["prose", "plain", "lock", "run"]


@value
class Text:
    """Hold a text of a layer that may have placeholders: where it stands and how it is filled."""

    key: str
    text: str
    place: Place
    kind: Kind = "plain"


def texts_of(layer: Layer, place: Place) -> Iterator[Text]:
    """Yield every text of a layer that may have placeholders; `place` is for those without their own."""
    for requirement in layer.requirements or ():
        if isinstance(requirement, RequirementText):
            yield Text(key="requirements", text=requirement.text, place=requirement.place)
    yield from _constraint_texts("constraints", layer.constraints)
    yield from _constraint_texts("build_constraints", layer.build_constraints)
    for command in layer.commands or ():
        yield from _command_texts(command)
    for _, text in layer.set_env or ():
        yield Text(key="set_env", text=text, place=place, kind="run")
    if layer.change_dir is not None:
        yield Text(key="change_dir", text=layer.change_dir, place=place, kind="run")
    if layer.description is not None:
        yield Text(key="description", text=layer.description, place=place, kind="prose")
    if layer.lock is not None:
        for template in (*(layer.lock.file or ()), layer.lock.group or ""):
            yield Text(key="lock", text=template, place=place, kind="lock")
    words = {
        "tags": layer.tags,
        "requires": layer.requires,
        "package": layer.package.extras if layer.package else None,
        "platforms": layer.platforms,
        "runs_on": layer.runs_on,
    }
    for key, values in words.items():
        yield from (Text(key=key, text=value, place=place) for value in values or ())


def _constraint_texts(key: str, constraints: tuple[Constraint, ...] | None) -> Iterator[Text]:
    for constraint in constraints or ():
        if isinstance(constraint, ConstraintText):
            yield Text(key=key, text=constraint.text, place=constraint.place)
        elif isinstance(constraint, ConstraintFile):
            yield Text(key=key, text=constraint.path, place=constraint.place)


def _command_texts(command: Command) -> Iterator[Text]:
    values = (*command.argv, *(value for _, value in command.set_env), command.change_dir or "")
    yield from (Text(key="commands", text=text, place=command.place, kind="run") for text in values)


def used_names(layer: Layer, place: Place) -> dict[str, tuple[str, ...]]:
    """Return the placeholders that each key of a layer uses; those without a brace are left out."""
    used: dict[str, set[str]] = {}
    for text in texts_of(layer, place):
        if "{" in text.text or "}" in text.text:
            used.setdefault(text.key, set()).update(names_in(text.text))
    return {key: tuple(sorted(names)) for key, names in used.items()}


def fill_problems(layer: Layer, place: Place, environment: str, known: set[str]) -> tuple[Problem, ...]:
    """Return what cannot be filled in a layer when the names in `known` have values."""
    problems: list[Problem] = []
    for text in texts_of(layer, place):
        if text.kind == "prose":
            continue
        path = f"environments.{environment}.{text.key}"
        for defect in defects(text.text, _allowed(text.kind, known)):
            message, hint = defect.message, defect.hint
            if "python" not in known and message in _NO_PYTHON:
                message, hint = _NO_PYTHON[message], 'write python: "3.12", or a list'
            problems.append(
                Problem(place=text.place, path=path, message=f"{text.text!r}: {message}", hint=hint)
            )
    return tuple(problems)


_NO_PYTHON = {
    f"unknown placeholder {{{name}}}": f"{{{name}}} has no value, the environment declares no python"
    for name in ("python", "py")
}


def _allowed(kind: Kind, known: set[str]) -> set[str]:
    if kind == "run":
        return known | set(RUN_TIME)
    return known | {"environment"} if kind == "lock" else known
