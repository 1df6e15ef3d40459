"""The types of a spec and of its points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

from nox_envs.errors import Place
from nox_envs.findings import DriftOptions
from nox_envs.values import value

Pairs: TypeAlias = tuple[tuple[str, str], ...]
EntryKind: TypeAlias = Literal["requirement", "include", "file", "group", "extra", "lock", "session"]

# Where a lock is, if the spec does not say it.
LOCK_FILE = "requirements/{environment}.txt"

# A partial environment: the keys that were written, each with the value of the field of `Point`.
# Merging order: `defaults`, the `extends` chain, the environment itself (each replaces lists and merges
# mappings), then the values of axes, the listed point, and matching `overrides` (which append requirements,
# constraints and commands, merge mappings and replace the rest).
Layer: TypeAlias = Mapping[str, object]


@value
class Entry:
    """One item of `requirements`, `constraints` or `requires`, as it is written.

    `text` is, by kind: a requirement (PEP 508, a URL, a local path, or `-e` and one of these two), the name
    of a requirement set, the path of a file in pip's format (POSIX, relative to the spec's directory), a
    dependency group (PEP 735), extras of this project joined by commas (for its own dependencies with them),
    the environment whose lock constrains, or the session that runs first.
    """

    kind: EntryKind
    text: str
    place: Place


Sets: TypeAlias = Mapping[str, tuple[Entry, ...]]


@value
class Package:
    """How the project itself is installed, and with which extras."""

    mode: Literal["none", "editable", "wheel"] = "none"
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
    place: Place | None = None


@value
class Condition:
    """A test of `axis`: any of `values`, which may be version ranges, or with `negated` none of them."""

    axis: str = "python"
    values: tuple[str, ...]
    negated: bool = False
    place: Place


@value
class Variant:
    """An axis value, a listed point, an exclusion or an override: some points, and the keys that they get.

    `values` are those of the axes, `python` included; `when` are conditions that must all be met.
    """

    values: Pairs = ()
    when: tuple[Condition, ...] = ()
    layer: Layer
    place: Place


@value
class Environment:
    """One environment with what it takes over; `python` is a text or a list as written, () if it is not.

    `matrix` has the values of each axis; points that are `listed` instead are the first of `include`.
    """

    name: str
    layer: Layer
    python: str | tuple[str, ...] = ()
    matrix: Mapping[str, tuple[Variant, ...]] = {}
    listed: bool = False
    exclude: tuple[Variant, ...] = ()
    include: tuple[Variant, ...] = ()
    overrides: tuple[Variant, ...] = ()
    place: Place

    @property
    def lock(self) -> LockOptions:
        """Return how its lock is made, axes aside."""
        return cast("LockOptions", self.layer.get("lock", LockOptions()))


@value
class Spec:
    """A whole spec without its templates; `origin` is the file name as shown to the user.

    `sets` are the requirement sets by name; `indexes` the names and URLs of package indexes, in the order of
    their priority.
    """

    origin: str
    sets: Sets
    environments: tuple[Environment, ...]
    indexes: Pairs = ()
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
    constraints: tuple[Entry, ...] = ()
    build_constraints: tuple[Entry, ...] = ()
    resolution: Literal["highest", "lowest", "lowest-direct"] = "highest"
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
    requires: tuple[Entry, ...] = ()
    backend: Literal["uv", "virtualenv", "venv"] | None = None
    lock: LockOptions = LockOptions()
    drift: DriftOptions = DriftOptions()
    platforms: tuple[str, ...] = ()
    runs_on: tuple[str, ...] = ()
