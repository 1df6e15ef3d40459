"""Owns the checking of references to environments: `requires`, locks as constraints, ignore rules."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from nox_envs.document import Problems, show
from nox_envs.errors import Place
from nox_envs.placeholders import defects, names_in
from nox_envs.spec.drafts import Draft, DraftCombination, Named
from nox_envs.spec.graphs import shown, walk
from nox_envs.spec.scope import Part, Scope, find, parts, scope_of, written_layers
from nox_envs.spec.types import ConstraintLock, DriftOptions, Layer, Pairs

_MOST_POINTS = 5000


class Environments:
    """Know the environments of a file by name, and their sessions once a name asks for one."""

    def __init__(self, merged: tuple[Named, ...], problems: Problems) -> None:
        self._problems = problems
        self._all = {named.name: named for named in merged}
        self.names = tuple(named.name for named in merged if not named.is_template)
        self._sessions: dict[str, frozenset[str]] = {}

    def check_drift(self, drift: DriftOptions | None) -> None:
        """Add a problem for each ignore rule that names an unknown environment."""
        for rule in drift.ignore if drift is not None else ():
            if rule.environment is not None and rule.environment not in self.names:
                self._unknown(rule.environment, rule.place)

    def check_written(self, draft: Draft) -> None:
        """Add the problems of references that mean the same wherever they are inherited."""
        for own in written_layers(draft):
            self.check_drift(own.layer.drift)
            for lock in _locks(own.layer):
                self._check_lock(lock)

    def _check_lock(self, lock: ConstraintLock) -> None:
        name = lock.environment
        if name not in self.names:
            self._unknown(name, lock.place)
            return
        options = self._all[name].draft.layer.lock
        if options is not None and options.enabled is False:
            hint = f"remove 'lock: false' of {name}, or constrain by a file"
            self._problems.add(lock.place, f"the environment {show(name)} has no lock", hint)

    def _unknown(self, name: str, place: Place) -> None:
        if name in self._all:
            message, hint = f"{show(name)} is a template and makes no session", "name an environment"
        else:
            message = f"{show(name)} is no environment"
            listed = ", ".join(self.names[:10])
            known = f"environments: {listed}" if listed else "there are templates only"
            hint = self._problems.suggest(name, self.names) or known
        self._problems.add(place, message, hint)

    def check_circles(self) -> None:
        """Add a problem for each circle of locks that constrain each other, and of `requires`."""
        locks = {
            name: tuple(lock.environment for part in parts(named.draft) for lock in _locks(part.layer))
            for name, named in self._all.items()
        }
        for cycle in walk(locks)[1]:
            layers = (part.layer for part in parts(self._all[cycle[0]].draft))
            place = next(lock.place for own in layers for lock in _locks(own) if lock.environment == cycle[1])
            message = f"the locks constrain each other in a circle: {shown(cycle)}"
            self._problems.add(place, message, "remove one of the constraints")
        required = {
            name: tuple(text for part in parts(named.draft) for text in part.layer.requires or ())
            for name, named in self._all.items()
            if not named.is_template
        }
        for cycle in walk(required)[1]:
            place = _required_at(self._all[cycle[0]], cycle[1])
            message = f"the sessions require each other: {shown(cycle)}"
            self._problems.add(place, message, "remove one of them")

    def check_requires(self, named: Named) -> None:
        """Add a problem for each name in `requires` that is neither an environment nor a session."""
        scope: Scope | None = None
        for part in parts(named.draft):
            for text in part.layer.requires or ():
                if text not in self._all or self._all[text].is_template:
                    scope = scope or scope_of(named)
                    self._check_required(text, part, scope)

    def _check_required(self, text: str, part: Part, scope: Scope) -> None:
        if defects(text, scope.known()):
            return
        for filled in _filled(text, part, scope):
            if filled not in self.names and not self._is_session(filled):
                place = find(part.chain, "requires", text)
                becomes = f" (from {show(text)})" if filled != text else ""
                if filled in self._all:
                    self._unknown(filled, place)
                    return
                hint = self._problems.suggest(filled, (*self.names, *self._near(filled)))
                message = f"{show(filled)}{becomes} is no environment and no session of one"
                self._problems.add(place, message, hint or "`nox-envs list` shows the sessions")
                return

    def _near(self, text: str) -> frozenset[str]:
        owner = next((name for name in self.names if text.startswith(name)), None)
        return self._sessions_of(owner) if owner is not None else frozenset()

    def _is_session(self, text: str) -> bool:
        owners = (name for name in self.names if text.startswith((f"{name}-", f"{name}(")))
        return any(not self._all[name].draft.solid or text in self._sessions_of(name) for name in owners)

    def _sessions_of(self, name: str) -> frozenset[str]:
        if name not in self._sessions:
            self._sessions[name] = frozenset(_session_names(self._all[name]))
        return self._sessions[name]


def _locks(layer: Layer) -> Iterator[ConstraintLock]:
    for item in layer.constraints or ():
        if isinstance(item, ConstraintLock):
            yield item


def _required_at(named: Named, text: str) -> Place:
    chain = next(part.chain for part in parts(named.draft) if text in (part.layer.requires or ()))
    return find(chain, "requires", text)


def _filled(text: str, part: Part, scope: Scope) -> Iterator[str]:
    for pairs in scope.fillings(names_in(text), part.fixed):
        # nox knows {py} as another name of {python} here.
        yield scope.fill(text, pairs, py=dict(pairs).get("python", ""))


def _session_names(named: Named) -> Iterator[str]:
    """Yield the names that nox gives to the sessions of an environment, those of many at once included."""
    draft = named.draft
    pythons: tuple[str | None, ...] = draft.pythons.values if draft.pythons is not None else (None,)
    axes = tuple((axis.name, tuple(value for value, _ in axis.values)) for axis in draft.axes or ())
    points = product(pythons, *(values for _, values in axes))
    listed = draft.pythons is not None and draft.pythons.listed
    for number, (python, *values) in enumerate(points):
        if number == _MOST_POINTS:
            break
        pairs = tuple((axis, value or "") for (axis, _), value in zip(axes, values, strict=True))
        if not any(_fits(excluded, python, pairs) for excluded in draft.exclude or ()):
            yield from _names_of_point(named.name, python, pairs, listed)
    for point in draft.include or ():
        given = {axis.text: value.text for axis, value in point.values}
        pairs = tuple((axis, given.get(axis, "")) for axis, _ in axes)
        yield from _names_of_point(named.name, given.get("python", pythons[0]), pairs, listed)


def _fits(excluded: DraftCombination, python: str | None, pairs: Pairs) -> bool:
    values: dict[str, str | None] = {"python": python, **dict(pairs)}
    return all(values.get(axis.text) == value.text for axis, value in excluded.values)


def _names_of_point(name: str, python: str | None, pairs: Pairs, listed: bool) -> Iterator[str]:
    signature = f"({', '.join(f'{axis}={value!r}' for axis, value in pairs)})" if pairs else ""
    if python is not None:
        yield f"{name}-{python}"
        yield f"{name}-{python}{signature}"
    if not listed:
        yield f"{name}{signature}"
