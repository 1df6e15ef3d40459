"""Owns the merging of all environments of a file with `defaults` and with what they extend."""

from __future__ import annotations

from nox_envs.document import Problems, Scalar, show
from nox_envs.spec.drafts import Draft, Named
from nox_envs.spec.graphs import shown, walk
from nox_envs.spec.inherit import inherit

DEEPEST = 20


def merge(environments: tuple[Named, ...], base: Draft, problems: Problems) -> tuple[Named, ...]:
    """Return the environments and templates, merged; an unknown or circular `extends` is a problem."""
    own = {named.name: named.draft for named in environments}
    extends = {name: draft.extends for name, draft in own.items() if draft.extends is not None}
    order, cycles = walk({name: (extends[name].text,) if name in extends else () for name in own})
    for cycle in cycles:
        problems.add(extends[cycle[0]].place, f"extends itself: {shown(cycle)}", "remove one 'extends'")
    broken = {name for cycle in cycles for name in cycle}
    merged: dict[str, Draft] = {}
    depths: dict[str, int] = {}
    for name in order:
        draft = own[name]
        parent = _parent(draft.extends, own, problems)
        if parent in broken or (draft.extends is not None and parent is None):
            draft, parent = draft._replace(solid=False), None
        depths[name] = depths[parent] + 1 if parent is not None else 0
        if depths[name] > DEEPEST and draft.extends is not None:
            message = f"extends more than {DEEPEST} environments in a row"
            problems.add(draft.extends.place, message, "extend a template that says it all")
            draft, parent, depths[name] = draft._replace(solid=False), None, 0
        merged[name] = inherit(base if parent is None else merged[parent], draft)
    return tuple(named._replace(draft=merged[named.name]) for named in environments)


def _parent(extends: Scalar | None, own: dict[str, Draft], problems: Problems) -> str | None:
    if extends is None:
        return None
    if extends.text in own:
        return extends.text
    near = problems.suggest(extends.text, own) or "name an environment or a template of this file"
    problems.add(extends.place, f"{show(extends.text)} is no environment", near)
    return None


def leaves(environments: tuple[Named, ...]) -> tuple[Named, ...]:
    """Return the environments to check: those with sessions, and templates that nothing extends."""
    extended = {named.draft.extends.text for named in environments if named.draft.extends is not None}
    return tuple(named for named in environments if not named.is_template or named.name not in extended)
