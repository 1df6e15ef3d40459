"""Owns the checking of texts with placeholders, once the axes of their environment are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from nox_envs.document import Problems, Unfit, show
from nox_envs.errors import Place
from nox_envs.placeholders import RUN_TIME, Defect, defects, names_in
from nox_envs.spec.drafts import Named
from nox_envs.spec.requirement_text import constraint, filled_requirement
from nox_envs.spec.scope import Part, Scope, find, parts, places_in, scope_of
from nox_envs.spec.types import (
    Command,
    Constraint,
    ConstraintFile,
    ConstraintText,
    Layer,
    LockOptions,
    RequirementText,
)

Kind: TypeAlias = Literal["plain", "requirement", "constraint", "lock", "run"]


class _Template(NamedTuple):
    """Hold a text below a key of a layer; `place` is None where the layer does not keep it."""

    kind: Kind
    key: str
    text: str
    place: Place | None = None


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
            for template in _templates(part.layer):
                if "{" in template.text or "}" in template.text:
                    scope = scope or scope_of(named)
                    self._check(template, part, scope, named)

    def _check(self, template: _Template, part: Part, scope: Scope, named: Named) -> None:
        known = scope.known()
        if template.kind == "run":
            known |= frozenset(RUN_TIME)
        elif template.kind == "lock":
            known |= frozenset({"environment"})
        found = defects(template.text, known)
        for defect in found:
            message, hint = _worded(defect, scope)
            self._add(template, part, named, f"{message} in {show(template.text)}", hint)
        if not found and template.kind in ("requirement", "constraint"):
            self._filled(template, part, scope, named)

    def _filled(self, template: _Template, part: Part, scope: Scope, named: Named) -> None:
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

    def _add(self, template: _Template, part: Part, named: Named, message: str, hint: str) -> None:
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


def _templates(layer: Layer) -> Iterator[_Template]:
    for item in layer.requirements or ():
        if isinstance(item, RequirementText):
            yield _Template("requirement", "requirements", item.text, item.place)
    yield from _constraint_templates("constraints", layer.constraints or ())
    yield from _constraint_templates("build_constraints", layer.build_constraints or ())
    for command in layer.commands or ():
        yield from (_Template("run", "commands", text, command.place) for text in _command_texts(command))
    yield from (_Template("run", "set_env", value) for _, value in layer.set_env or ())
    if layer.change_dir is not None:
        yield _Template("run", "change_dir", layer.change_dir)
    if layer.lock is not None:
        yield from (_Template("lock", "lock", text) for text in _lock_texts(layer.lock))
    yield from (_Template("plain", "requires", text) for text in layer.requires or ())
    yield from (_Template("plain", "tags", text) for text in layer.tags or ())
    yield from (_Template("plain", "platforms", text) for text in layer.platforms or ())
    yield from (_Template("plain", "runs_on", text) for text in layer.runs_on or ())
    if layer.package is not None:
        yield from (_Template("plain", "package", text) for text in layer.package.extras)


def _constraint_templates(key: str, constraints: tuple[Constraint, ...]) -> Iterator[_Template]:
    for item in constraints:
        if isinstance(item, ConstraintText):
            yield _Template("constraint", key, item.text, item.place)
        elif isinstance(item, ConstraintFile):
            yield _Template("plain", key, item.path, item.place)


def _command_texts(command: Command) -> tuple[str, ...]:
    values = tuple(value for _, value in command.set_env)
    return (*command.argv, *values, command.change_dir or "")


def _lock_texts(lock: LockOptions) -> tuple[str, ...]:
    return (*(lock.file or ()), lock.group or "")
