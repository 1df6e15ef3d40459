"""Owns the checking of texts with placeholders, once the axes of their environment are known."""

from __future__ import annotations

from nox_envs.document import Problems, Unfit, show
from nox_envs.errors import Place
from nox_envs.placeholders import Defect, defects, names_in
from nox_envs.spec.drafts import Named
from nox_envs.spec.layer_texts import LayerText, texts_of
from nox_envs.spec.requirement_text import constraint, filled_requirement
from nox_envs.spec.scope import Part, Scope, find, parts, places_in, scope_of


class PlaceholderTexts:
    """Check environments one by one; a text that several inherit is reported for the first."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._seen: set[tuple[int, str]] = set()
        self._owned: dict[int, frozenset[int]] = {}

    def check(self, named: Named) -> None:
        """Add the problems of one merged environment."""
        scope: Scope | None = None
        for part in parts(named.draft):
            for template in texts_of(part.layer):
                if template.kind != "prose":
                    scope = scope or scope_of(named)
                    self._check(template, part, scope, named)

    def _check(self, template: LayerText, part: Part, scope: Scope, named: Named) -> None:
        found = defects(template.text, template.allowed(scope.known()))
        for defect in found:
            message, hint = _worded(defect, scope)
            self._add(template, part, named, f"{message} in {show(template.text)}", hint)
        if not found and template.kind in ("requirement", "constraint"):
            self._filled(template, part, scope, named)

    def _filled(self, template: LayerText, part: Part, scope: Scope, named: Named) -> None:
        check = filled_requirement if template.kind == "requirement" else constraint
        for pairs in scope.fillings(names_in(template.text), part.fixed):
            filled = scope.fill(template.text, pairs)
            try:
                check(filled.replace("{", "(").replace("}", ")"))
            except Unfit as unfit:
                given = ", ".join(f"{name}={show(value)}" for name, value in pairs)
                message = f"with {given}: {unfit.message}" if given else unfit.message
                self._add(template, part, named, message, unfit.hint)
                return

    def _is_own(self, part: Part, place: Place) -> bool:
        node = part.chain[0]
        if id(node) not in self._owned:
            self._owned[id(node)] = places_in(node)
        return id(place) in self._owned[id(node)]

    def _add(self, template: LayerText, part: Part, named: Named, message: str, hint: str) -> None:
        place = template.place or find(part.chain, template.key, template.text)
        if (id(place), message) in self._seen:
            return
        self._seen.add((id(place), message))
        if not self._is_own(part, place):
            message += f", which the environment {show(named.name)} takes over"
        self._problems.add(place, message, hint)


def _worded(defect: Defect, scope: Scope) -> tuple[str, str]:
    for name in ("python", "py"):
        if not scope.pythons and defect.message == f"unknown placeholder {{{name}}}":
            return f"{{{name}}} has no value without a python", 'write python: "3.12", or a list'
    return defect.message, defect.hint
