"""Owns the types of a read spec; they hold only checked values and know nothing of YAML."""

from __future__ import annotations

from typing import Literal, TypeAlias

from nox_envs.errors import Place
from nox_envs.values import value

Pairs: TypeAlias = tuple[tuple[str, str], ...]
Backend: TypeAlias = Literal["uv", "virtualenv", "venv"]
PackageMode: TypeAlias = Literal["none", "editable", "wheel"]
DriftPolicy: TypeAlias = Literal["repair", "fail", "warn"]
SeverityName: TypeAlias = Literal["error", "warning", "note", "off"]


@value
class Include:
    """Include another requirement set by `name`."""

    name: str
    place: Place


@value
class RequirementFile:
    """Read requirements from a file in pip's format; `path` is relative to the spec's directory."""

    path: str
    place: Place


@value
class Group:
    """Take a dependency group of pyproject.toml (PEP 735)."""

    name: str
    place: Place


@value
class Extra:
    """Take this project's own dependencies, with the extras in `names` (possibly none)."""

    names: tuple[str, ...]
    place: Place


@value
class RequirementText:
    """Hold one requirement as written: PEP 508, or a local path that begins with `./`, `../` or `/`.

    In an environment it may hold placeholders of the matrix (`django~={django}.0`).
    """

    text: str
    place: Place


Item: TypeAlias = Include | RequirementFile | Group | Extra | RequirementText


@value
class RequirementSet:
    """Name a list of requirement items."""

    name: str
    items: tuple[Item, ...]
    place: Place


@value
class ConstraintFile:
    """Constrain by a file in pip's format; `path` is relative to the spec's directory."""

    path: str
    place: Place


@value
class ConstraintLock:
    """Constrain by the lock of another environment."""

    environment: str
    place: Place


@value
class ConstraintText:
    """Constrain by one PEP 508 requirement as written."""

    text: str
    place: Place


Constraint: TypeAlias = ConstraintFile | ConstraintLock | ConstraintText


@value
class Package:
    """Say how the project itself is installed, and with which extras."""

    mode: PackageMode = "none"
    extras: tuple[str, ...] = ()


@value
class Command:
    """Hold one command as an argv; placeholders in it are known to be valid."""

    argv: tuple[str, ...]
    set_env: Pairs = ()
    change_dir: str | None = None
    success_codes: tuple[int, ...] = (0,)
    external: bool = False
    allow_failure: bool = False
    place: Place


@value
class LockOptions:
    """Hold what is written under a `lock:` key; None means not given.

    `enabled` False is `lock: false`. `file` holds templates relative to the spec's directory.
    `exclude_newer` is an ISO date or a span such as `7 days`; `exclude_newer_exempt` are the package
    names it does not apply to.
    """

    enabled: bool | None = None
    file: tuple[str, ...] | None = None
    per: Literal["environment", "python", "point"] | None = None
    format: Literal["requirements", "pylock", "both"] | None = None
    group: str | None = None
    resolution: Literal["highest", "lowest", "lowest-direct"] | None = None
    exclude_newer: str | None = None
    exclude_newer_exempt: tuple[str, ...] | None = None
    managed: bool | None = None
    use: Literal["requirements", "constraints"] | None = None
    resolver: Literal["uv", "pip"] | None = None
    only_binary: tuple[str, ...] | None = None
    no_binary: tuple[str, ...] | None = None


@value
class IgnoreRule:
    """Ignore findings that match every given field; `until` is an ISO date (YYYY-MM-DD)."""

    kind: str | None = None
    package: str | None = None
    path: str | None = None
    environment: str | None = None
    reason: str
    until: str | None = None
    place: Place


@value
class DriftOptions:
    """Hold what is written under a `drift:` key; None means not given."""

    policy: DriftPolicy | None = None
    files: Literal["off", "changed", "all"] | None = None
    severity: tuple[tuple[str, SeverityName], ...] = ()
    ignore: tuple[IgnoreRule, ...] = ()


@value
class Layer:
    """Hold a partial environment: the keys that were written; None means not given.

    Merging order: `defaults`, the `extends` chain, the environment itself (each replaces lists and
    merges mappings), then values of mapping axes and matching `overrides` (which append to
    `requirements`, `commands` and `constraints`, merge mappings and replace the rest).
    """

    description: str | None = None
    requirements: tuple[Include | RequirementText, ...] | None = None
    constraints: tuple[Constraint, ...] | None = None
    build_constraints: tuple[Constraint, ...] | None = None
    package: Package | None = None
    commands: tuple[Command, ...] | None = None
    set_env: Pairs | None = None
    pass_env: tuple[str, ...] | None = None
    change_dir: str | None = None
    tags: tuple[str, ...] | None = None
    default: bool | None = None
    requires: tuple[str, ...] | None = None
    backend: Backend | None = None
    lock: LockOptions | None = None
    drift: DriftOptions | None = None
    allow_prereleases: bool | tuple[str, ...] | None = None
    platforms: tuple[str, ...] | None = None
    runs_on: tuple[str, ...] | None = None


@value
class AxisValue:
    """Hold one value of an axis and the partial environment it brings."""

    value: str
    layer: Layer


@value
class Axis:
    """Hold one axis of a matrix in the order written."""

    name: str
    values: tuple[AxisValue, ...]


@value
class Condition:
    """Match `axis` (an axis name or `python`) against `values`, or against a version range.

    Exactly one of `values` and `specifier` is non-empty. A condition with `negated` matches what it
    otherwise would not.
    """

    axis: str
    values: tuple[str, ...] = ()
    specifier: str = ""
    negated: bool = False


@value
class Override:
    """Apply `layer` to the points that meet every condition."""

    when: tuple[Condition, ...]
    layer: Layer
    place: Place


@value
class Combination:
    """Name points by some of `python` and the axes (`exclude`), or one point by all (`include`)."""

    values: Pairs
    layer: Layer
    place: Place


@value
class Environment:
    """Hold one environment after `defaults` and `extends` were merged into `layer`.

    `pythons` is empty when none was declared (the interpreter that runs nox); `python_listed` tells
    a list (sessions are named `tests-3.12`) from a single value (`tests`).
    """

    name: str
    layer: Layer
    pythons: tuple[str, ...]
    python_listed: bool
    axes: tuple[Axis, ...] = ()
    exclude: tuple[Combination, ...] = ()
    include: tuple[Combination, ...] = ()
    overrides: tuple[Override, ...] = ()
    place: Place


@value
class Index:
    """Hold one named package index; `packages` are the names taken from it only (empty: all)."""

    name: str
    url: str
    packages: tuple[str, ...] = ()
    place: Place


@value
class Spec:
    """Hold a whole spec; templates (names that begin with `_`) are already merged away.

    `origin` is the file name as shown to the user.
    """

    origin: str
    sets: tuple[RequirementSet, ...]
    environments: tuple[Environment, ...]
    indexes: tuple[Index, ...] = ()
    drift: DriftOptions = DriftOptions()
