"""Owns the reading of a spec: a file's text to a checked `Spec`, or every problem of the file at once."""

from __future__ import annotations

from nox_envs.document import Mapping, Problems, Scalar, compose
from nox_envs.spec.drafts import Draft, DraftCombination, Named
from nox_envs.spec.file_keys import FILE, VERSION, File
from nox_envs.spec.inherit import inherit
from nox_envs.spec.lock_conflicts import check_lock
from nox_envs.spec.merging import leaves, merge
from nox_envs.spec.placeholder_texts import PlaceholderTexts
from nox_envs.spec.point_references import PointReferences
from nox_envs.spec.session_references import Environments
from nox_envs.spec.set_references import check_environment_sets, check_sets
from nox_envs.spec.types import Axis, AxisValue, Combination, Environment, Layer, Override, Spec

_EMPTY = Layer()


def read_spec(text: str, *, origin: str) -> Spec:
    """Read a spec.

    Args:
        text: the YAML text of the file.
        origin: the name of the file as shown to the user.

    Raises:
        FileProblems: every problem of the file, sorted by position.
    """
    problems = Problems(origin)
    root = compose(text, problems)
    _refuse_other_version(root, problems)
    file = FILE.read(root, problems)
    assert file is not None  # no key of a file is needed to build it
    merged = merge(file.environments, _base(file), problems)
    _check(file, merged, problems)
    if problems:
        raise problems.error()
    return Spec(
        origin=origin,
        sets=file.sets,
        environments=tuple(_environment(named) for named in merged if not named.is_template),
        indexes=file.indexes,
        drift=file.drift,
    )


def _refuse_other_version(root: Mapping, problems: Problems) -> None:
    # Whatever a later version changes would only look like a heap of mistakes.
    node = root.value("version")
    if isinstance(node, Scalar) and node.text.isdecimal() and node.text != "1":
        VERSION.shape.read(node, problems)
        raise problems.error()


def _base(file: File) -> Draft:
    if file.lock is None:
        return file.defaults
    return inherit(Draft(layer=Layer(lock=file.lock), chain=(file.node,)), file.defaults)


def _check(file: File, merged: tuple[Named, ...], problems: Problems) -> None:
    check_sets(file.sets, problems)
    environments = Environments(merged, problems)
    environments.check_drift(file.drift)
    for written in (file.defaults, *(named.draft for named in file.environments)):
        check_environment_sets(written, file.sets, problems)
        environments.check_written(written)
    points, texts = PointReferences(problems), PlaceholderTexts(problems)
    for named in leaves(merged):
        check_lock(named, problems)
        if named.draft.solid:
            points.check(named)
            texts.check(named)
            environments.check_requires(named)
    points.finish()
    environments.check_circles()


def _environment(named: Named) -> Environment:
    draft = named.draft
    return Environment(
        name=named.name,
        layer=draft.layer,
        pythons=draft.pythons.values if draft.pythons is not None else (),
        python_listed=draft.pythons is not None and draft.pythons.listed,
        axes=_axes(draft),
        exclude=tuple(map(_combination, draft.exclude or ())),
        include=tuple(map(_combination, draft.include or ())),
        overrides=tuple(
            Override(
                when=tuple(condition for _, condition in override.when),
                layer=override.own.layer,
                place=override.place,
            )
            for override in draft.overrides or ()
        ),
        place=named.place,
    )


def _axes(draft: Draft) -> tuple[Axis, ...]:
    return tuple(
        Axis(
            name=axis.name,
            values=tuple(
                AxisValue(value=value, layer=own.layer if own is not None else _EMPTY)
                for value, own in axis.values
            ),
        )
        for axis in draft.axes or ()
    )


def _combination(point: DraftCombination) -> Combination:
    values = tuple((axis.text, value.text) for axis, value in point.values)
    return Combination(values=values, layer=point.own.layer, place=point.place)
