"""Owns the checking of `exclude`, `include` and `overrides` against the axes of their environment."""

from __future__ import annotations

from nox_envs.document import Problems, Scalar, Unfit, show
from nox_envs.errors import Place
from nox_envs.spec import words
from nox_envs.spec.drafts import DraftCombination, DraftOverride, Named
from nox_envs.spec.layer_keys import LAYER_NAMES
from nox_envs.spec.scope import Scope, scope_of


class PointReferences:
    """Check environments one by one.

    A value in `when` that an environment does not have is a problem only when no environment that
    inherits the override has it; `finish` reports those.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._met: set[tuple[int, str]] = set()
        self._missed: dict[tuple[int, str], tuple[Place, str, str]] = {}

    def check(self, named: Named) -> None:
        """Add the problems of one merged environment."""
        scope = scope_of(named)
        for excluded in named.draft.exclude or ():
            self._exclude(excluded, scope)
        for point in named.draft.include or ():
            self._include(point, scope, named)
        for override in named.draft.overrides or ():
            self._override(override, scope)

    def finish(self) -> None:
        """Add what no environment could meet."""
        for key, (place, message, hint) in self._missed.items():
            if key not in self._met:
                self._problems.add(place, message, hint)

    def _exclude(self, excluded: DraftCombination, scope: Scope) -> None:
        for axis, value in excluded.values:
            if self._known_axis(axis, scope) and value.text not in scope.values(axis.text):
                message, hint = _unknown_value(axis.text, value.text, scope)
                self._problems.add(value.place, message, hint)

    def _include(self, point: DraftCombination, scope: Scope, named: Named) -> None:
        missing = set(scope.axis_names())
        if named.draft.pythons is not None and named.draft.pythons.listed:
            missing.add("python")
        for axis, value in point.values:
            missing.discard(axis.text)
            if axis.text == "python":
                self._python(value)
            elif axis.text not in scope.axis_names():
                self._unknown_axis(axis, scope, also=LAYER_NAMES)
        if missing:
            message = f"an added point needs a value for every axis: {', '.join(sorted(missing))} is missing"
            self._problems.add(point.place, message, "to change points that exist, use 'overrides'")

    def _python(self, value: Scalar) -> None:
        try:
            words.python(value.text)
        except Unfit as unfit:
            self._problems.add(value.place, unfit.message, unfit.hint)

    def _override(self, override: DraftOverride, scope: Scope) -> None:
        for axis, test in override.when:
            if not self._known_axis(axis, scope):
                continue
            for value in test.values:
                key = (id(axis.place), value)
                if value in scope.values(axis.text):
                    self._met.add(key)
                else:
                    self._missed.setdefault(key, (axis.place, *_unknown_value(axis.text, value, scope)))

    def _known_axis(self, axis: Scalar, scope: Scope) -> bool:
        if axis.text == "python" and not scope.pythons:
            message = f"the environment {show(scope.name)} declares no python"
            self._problems.add(axis.place, message, 'write python: "3.12", or a list')
            return False
        if axis.text != "python" and axis.text not in scope.axis_names():
            self._unknown_axis(axis, scope)
            return False
        return True

    def _unknown_axis(self, axis: Scalar, scope: Scope, *, also: frozenset[str] = frozenset()) -> None:
        names = ("python", *scope.axis_names())
        hint = self._problems.suggest(axis.text, (*names, *also)) or f"its axes: {', '.join(names)}"
        message = f"{show(axis.text)} is no axis of the environment {show(scope.name)}"
        self._problems.add(axis.place, message, hint)


def _unknown_value(axis: str, value: str, scope: Scope) -> tuple[str, str]:
    known = scope.values(axis)
    hint = f"its values: {', '.join(known[:10])}{', …' if len(known) > 10 else ''}"
    return f"{show(value)} is no value of {axis} in the environment {show(scope.name)}", hint
