"""The types of a spec and of its points."""

from __future__ import annotations

from typing import Literal, TypeAlias

from nox_envs.errors import Place
from nox_envs.findings import DriftOptions
from nox_envs.values import value

Pairs: TypeAlias = tuple[tuple[str, str], ...]
Backend: TypeAlias = Literal["uv", "virtualenv", "venv"]
PackageMode: TypeAlias = Literal["none", "editable", "wheel"]
Resolution: TypeAlias = Literal["highest", "lowest", "lowest-direct"]


@value
class Include:
    """Another requirement set, by name."""

    name: str
    place: Place


@value
class RequirementFile:
    """A file in pip's format; `path` is POSIX and relative to the spec's directory."""

    path: str
    place: Place


@value
class Group:
    """A dependency group of pyproject.toml (PEP 735)."""

    name: str
    place: Place


@value
class Extra:
    """This project's own dependencies, with the extras in `names` (possibly none)."""

    names: tuple[str, ...]
    place: Place


@value
class RequirementText:
    """One requirement as written: PEP 508, a URL, a local path, or `-e` and one of the last two."""

    text: str
    place: Place


Entry: TypeAlias = Include | RequirementFile | Group | Extra | RequirementText


@value
class RequirementSet:
    """A named list of entries."""

    name: str
    entries: tuple[Entry, ...]
    place: Place


@value
class LockConstraint:
    """The lock of another environment, as constraints: {lock: NAME}."""

    environment: str
    place: Place


Constraint: TypeAlias = RequirementFile | RequirementText | LockConstraint


@value
class Required:
    """A session or environment that runs first, as written: placeholders may be in it."""

    text: str
    place: Place


@value
class Package:
    """How the project itself is installed, and with which extras."""

    mode: PackageMode = "none"
    extras: tuple[str, ...] = ()


@value
class Command:
    """One command as an argv; its placeholders are known to be valid."""

    argv: tuple[str, ...]
    set_env: Pairs = ()
    change_dir: str | None = None
    success_codes: tuple[int, ...] = (0,)
    external: bool = False
    allow_failure: bool = False
    place: Place


@value
class ExcludeNewer:
    """Releases newer than `than` (ISO date or time, or a span) do not exist, but for packages in `exempt`."""

    than: str
    exempt: tuple[str, ...] = ()


@value
class LockOptions:
    """What is written under a `lock:` key; None means not given, `enabled` False is `lock: false`.

    `file` has paths relative to the spec's directory. `command` regenerates a lock that is not managed.
    """

    enabled: bool | None = None
    file: tuple[str, ...] | None = None
    per: Literal["environment", "python", "point"] | None = None
    format: Literal["requirements", "both"] | None = None
    managed: bool | None = None
    command: str | None = None


@value
class Layer:
    """A partial environment: the keys that were written; None means not given.

    Merging order: `defaults`, the `extends` chain, the environment itself (each replaces lists and merges
    mappings), then the values of axes, the listed point, and matching `overrides` (which append requirements,
    constraints and commands, merge mappings and replace the rest).
    """

    description: str | None = None
    name: str | None = None
    requirements: tuple[Entry, ...] | None = None
    constraints: tuple[Constraint, ...] | None = None
    build_constraints: tuple[Constraint, ...] | None = None
    resolution: Resolution | None = None
    exclude_newer: ExcludeNewer | None = None
    allow_prereleases: bool | tuple[str, ...] | None = None
    only_binary: tuple[str, ...] | None = None
    no_binary: tuple[str, ...] | None = None
    package: Package | None = None
    commands_pre: tuple[Command, ...] | None = None
    commands: tuple[Command, ...] | None = None
    commands_post: tuple[Command, ...] | None = None
    set_env: Pairs | None = None
    pass_env: tuple[str, ...] | None = None
    change_dir: str | None = None
    tags: tuple[str, ...] | None = None
    default: bool | None = None
    requires: tuple[Required, ...] | None = None
    backend: Backend | None = None
    lock: LockOptions | None = None
    drift: DriftOptions | None = None
    platforms: tuple[str, ...] | None = None
    runs_on: tuple[str, ...] | None = None


@value
class Condition:
    """A test of `axis` (or `python`): any of `values`, a version range, or with `negated` the opposite.

    One of `values` and `specifier` is empty. A point without the axis never meets a condition.
    """

    axis: str
    values: tuple[str, ...] = ()
    specifier: str = ""
    negated: bool = False
    place: Place


@value
class AxisValue:
    """One value of an axis, the Pythons it is limited to (None: all), and the keys it adds."""

    value: str = ""
    python: Condition | None = None
    layer: Layer = Layer()


@value
class Axis:
    """One axis of a matrix."""

    name: str
    values: tuple[AxisValue, ...]


@value
class Override:
    """Apply `layer` to the points that meet every condition, or leave them out (`exclude`)."""

    when: tuple[Condition, ...]
    layer: Layer = Layer()
    place: Place


@value
class ListedPoint:
    """One point that is written out (`matrix: [...]` or `include`), with the keys that it adds."""

    python: str | None = None
    values: Pairs
    layer: Layer
    place: Place


@value
class Pythons:
    """The value of `python`, empty for the Python that runs nox; `listed` tells a list from one value."""

    values: tuple[str, ...] = ()
    listed: bool = False


@value
class Matrix:
    """The value of `matrix`: axes, or a list of points."""

    axes: tuple[Axis, ...] = ()
    points: tuple[ListedPoint, ...] = ()


@value
class Environment:
    """One environment after `defaults` and `extends` were merged into it."""

    name: str = ""
    extends: str = ""
    layer: Layer
    python: Pythons = Pythons()
    matrix: Matrix = Matrix()
    exclude: tuple[Override, ...] = ()
    include: tuple[ListedPoint, ...] = ()
    overrides: tuple[Override, ...] = ()
    place: Place


@value
class Index:
    """One named package index; the order of indexes is their priority."""

    name: str
    url: str
    place: Place


@value
class Spec:
    """A whole spec without its templates; `origin` is the file name as shown to the user."""

    origin: str
    sets: tuple[RequirementSet, ...]
    environments: tuple[Environment, ...]
    indexes: tuple[Index, ...] = ()
    drift: DriftOptions = DriftOptions()


@value
class Point:
    """One point of an environment's matrix, complete: nothing looks back at the spec for it.

    `session` is the name of the nox session. `python` is None for the interpreter that runs nox. `axes` are
    in the order declared. Placeholders are filled in, except `{posargs}`, `{envdir}` and doubled braces in
    commands, `set_env` and `change_dir`, which are left for the run.
    """

    environment: str
    session: str
    python: str | None
    axes: Pairs
    place: Place
    description: str = ""
    requirements: tuple[Entry, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    build_constraints: tuple[Constraint, ...] = ()
    resolution: Resolution = "highest"
    exclude_newer: ExcludeNewer | None = None
    allow_prereleases: bool | tuple[str, ...] = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    package: Package = Package()
    commands_pre: tuple[Command, ...] = ()
    commands: tuple[Command, ...] = ()
    commands_post: tuple[Command, ...] = ()
    set_env: Pairs = ()
    pass_env: tuple[str, ...] | None = None
    change_dir: str = ""
    tags: tuple[str, ...] = ()
    default: bool = True
    requires: tuple[str, ...] = ()
    backend: Backend | None = None
    lock: LockOptions = LockOptions()
    drift: DriftOptions = DriftOptions()
    platforms: tuple[str, ...] = ()
    runs_on: tuple[str, ...] = ()
