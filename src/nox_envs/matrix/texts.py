"""Owns the placeholders that a folded layer uses, and the problems of filling them."""

from __future__ import annotations

from nox_envs.errors import Place, Problem
from nox_envs.placeholders import defects, names_in
from nox_envs.spec.layer_texts import texts_of
from nox_envs.spec.types import Layer


def used_names(layer: Layer) -> dict[str, tuple[str, ...]]:
    """Return the placeholders that each key of a layer uses; those without a brace are left out."""
    used: dict[str, set[str]] = {}
    for text in texts_of(layer):
        used.setdefault(text.key, set()).update(names_in(text.text))
    return {key: tuple(sorted(names)) for key, names in used.items()}


def fill_problems(layer: Layer, place: Place, environment: str, known: set[str]) -> tuple[Problem, ...]:
    """Return what cannot be filled in a layer when the names in `known` have values.

    `place` is that of texts whose own is not kept.
    """
    problems: list[Problem] = []
    for text in texts_of(layer):
        if text.kind == "prose":
            continue
        path = f"environments.{environment}.{text.key}"
        for defect in defects(text.text, text.allowed(known)):
            message, hint = defect.message, defect.hint
            if "python" not in known and message in _NO_PYTHON:
                message, hint = _NO_PYTHON[message], 'write python: "3.12", or a list'
            shown = f"{text.text!r}: {message}"
            problems.append(Problem(place=text.place or place, path=path, message=shown, hint=hint))
    return tuple(problems)


_NO_PYTHON = {
    f"unknown placeholder {{{name}}}": f"{{{name}}} has no value, the environment declares no python"
    for name in ("python", "py")
}
