"""Owns the filling of placeholders in the layers of one environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from nox_envs.placeholders import Values
from nox_envs.spec.types import (
    Command,
    Constraint,
    ConstraintFile,
    ConstraintText,
    Include,
    Layer,
    LockOptions,
    Package,
    Pairs,
    RequirementText,
)

T = TypeVar("T")


class _Part(Generic[T]):
    """Fill one key of layers; a value is filled once for each set of the placeholder values it uses."""

    def __init__(self, key: str, fill: Callable[[T, Values], T]) -> None:
        self._key = key
        self._fill = fill
        # The unfilled value is kept beside the filled one, so that its id stays its own.
        self._done: dict[tuple[int | str | None, ...], tuple[T, T]] = {}

    def filled(self, value: T | None, used: dict[str, tuple[str, ...]], values: Values) -> T | None:
        names = used.get(self._key)
        if value is None or names is None:
            return value
        key = (id(value), *[values.get(name) for name in names])
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = (value, self._fill(value, values))
        return found[1]


class Filler:
    """Fill the layers of one environment."""

    def __init__(self) -> None:
        self._description = _Part("description", _fill_text)
        self._requirements = _Part("requirements", _fill_requirements)
        self._constraints = _Part("constraints", _fill_constraints)
        self._build_constraints = _Part("build_constraints", _fill_constraints)
        self._package = _Part("package", _fill_package)
        self._commands = _Part("commands", _fill_commands)
        self._set_env = _Part("set_env", _fill_env)
        self._change_dir = _Part("change_dir", _fill_run_text)
        self._tags = _Part("tags", _fill_words)
        self._requires = _Part("requires", _fill_requires)
        self._lock = _Part("lock", _fill_lock)
        self._platforms = _Part("platforms", _fill_words)
        self._runs_on = _Part("runs_on", _fill_words)

    def fill(self, layer: Layer, used: dict[str, tuple[str, ...]], pairs: Pairs) -> Layer:
        """Fill a layer for one cell.

        Args:
            layer: the folded layer.
            used: the names of the placeholders that each of its keys uses.
            pairs: the values of `name`, `python`, `py` and the axes.
        """
        values = Values(pairs)
        return Layer(
            description=self._description.filled(layer.description, used, values),
            requirements=self._requirements.filled(layer.requirements, used, values),
            constraints=self._constraints.filled(layer.constraints, used, values),
            build_constraints=self._build_constraints.filled(layer.build_constraints, used, values),
            package=self._package.filled(layer.package, used, values),
            commands=self._commands.filled(layer.commands, used, values),
            set_env=self._set_env.filled(layer.set_env, used, values),
            pass_env=layer.pass_env,
            change_dir=self._change_dir.filled(layer.change_dir, used, values),
            tags=self._tags.filled(layer.tags, used, values),
            default=layer.default,
            requires=self._requires.filled(layer.requires, used, values),
            backend=layer.backend,
            lock=self._lock.filled(layer.lock, used, values),
            drift=layer.drift,
            allow_prereleases=layer.allow_prereleases,
            platforms=self._platforms.filled(layer.platforms, used, values),
            runs_on=self._runs_on.filled(layer.runs_on, used, values),
        )


def _fill_text(text: str, values: Values) -> str:
    return values.fill(text)


def _fill_run_text(text: str, values: Values) -> str:
    return values.fill_command(text)


def _fill_words(words: tuple[str, ...], values: Values) -> tuple[str, ...]:
    return tuple([values.fill(word) for word in words])


def _fill_requires(words: tuple[str, ...], values: Values) -> tuple[str, ...]:
    # nox knows {py} as another name of {python}.
    python = values.get("python")
    return _fill_words(words, values if python is None else values.replaced("py", python))


def _fill_requirements(
    requirements: tuple[Include | RequirementText, ...], values: Values
) -> tuple[Include | RequirementText, ...]:
    return tuple(
        [
            RequirementText(text=values.fill(one.text), place=one.place)
            if isinstance(one, RequirementText)
            else one
            for one in requirements
        ]
    )


def _fill_constraints(constraints: tuple[Constraint, ...], values: Values) -> tuple[Constraint, ...]:
    return tuple([_fill_constraint(one, values) for one in constraints])


def _fill_constraint(constraint: Constraint, values: Values) -> Constraint:
    if isinstance(constraint, ConstraintText):
        return ConstraintText(text=values.fill(constraint.text), place=constraint.place)
    if isinstance(constraint, ConstraintFile):
        return ConstraintFile(path=values.fill(constraint.path), place=constraint.place)
    return constraint


def _fill_package(package: Package, values: Values) -> Package:
    return Package(mode=package.mode, extras=_fill_words(package.extras, values))


def _fill_env(pairs: Pairs, values: Values) -> Pairs:
    return tuple([(name, values.fill_command(value)) for name, value in pairs])


def _fill_commands(commands: tuple[Command, ...], values: Values) -> tuple[Command, ...]:
    return tuple([_fill_command(command, values) for command in commands])


def _fill_command(command: Command, values: Values) -> Command:
    return Command(
        argv=tuple([values.fill_command(word) for word in command.argv]),
        set_env=_fill_env(command.set_env, values),
        change_dir=None if command.change_dir is None else values.fill_command(command.change_dir),
        success_codes=command.success_codes,
        external=command.external,
        allow_failure=command.allow_failure,
        place=command.place,
    )


def _fill_lock(lock: LockOptions, values: Values) -> LockOptions:
    own = values.replaced("environment", values.get("name") or "")
    return LockOptions(
        enabled=lock.enabled,
        file=None if lock.file is None else _fill_words(lock.file, own),
        per=lock.per,
        format=lock.format,
        group=None if lock.group is None else own.fill(lock.group),
        resolution=lock.resolution,
        exclude_newer=lock.exclude_newer,
        exclude_newer_exempt=lock.exclude_newer_exempt,
        managed=lock.managed,
        use=lock.use,
        resolver=lock.resolver,
        only_binary=lock.only_binary,
        no_binary=lock.no_binary,
    )
