"""Owns the types of a difference between two sets of pins; computes nothing."""

from __future__ import annotations

from typing import Literal, TypeAlias

from nox_envs.pins import Pin
from nox_envs.snapshot import Interpreter
from nox_envs.values import value

ChangeKind: TypeAlias = Literal["major", "added", "removed", "minor", "patch", "other"]

# What a reviewer looks at first comes first.
CHANGE_KINDS: tuple[ChangeKind, ...] = ("major", "added", "removed", "minor", "patch", "other")


@value
class PinSet:
    """Hold the pins of one lock, or what one venv has installed.

    `name` tells it from others of its side: the lock's path without suffix, or the session.
    `environments` are those that it belongs to. `installed` sets know no hashes, markers or askers, and
    only `sourced` ones know where each distribution came from (a report does not). `interpreter` is
    that of a venv, None where it is not known; `platform` is that of another machine (`linux-x86_64`).
    """

    name: str
    environments: tuple[str, ...]
    pins: tuple[Pin, ...]
    installed: bool = False
    sourced: bool = True
    interpreter: Interpreter | None = None
    platform: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the environments as a comparison shows them."""
        return (self.name,) if self.installed else self.environments


@value
class Pair:
    """Hold two sets to compare; None stands for one that the other side does not have.

    `uncompared` is true for a lock that no venv stands against.
    """

    old: PinSet | None
    new: PinSet | None
    uncompared: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the environments that the pair is about."""
        shown = self.new if self.new is not None else self.old
        assert shown is not None
        other = self.old
        # A lock on one side, a venv on the other: the venv says which of several it is.
        return other.labels if other is not None and other.installed and not shown.installed else shown.labels


@value
class Change:
    """Hold one difference: `old` and `new` as text (empty: not there), and where it is so.

    `note` says what the versions do not: a downgrade, another marker, other hashes.
    """

    old: str
    new: str
    kind: ChangeKind
    note: str = ""
    environments: tuple[str, ...]


@value
class PackageChange:
    """Hold everything that changed of one package, the most important change first.

    `via` are those that ask for it, or asked for one that is gone.
    """

    package: str
    changes: tuple[Change, ...]
    via: tuple[str, ...] = ()

    @property
    def kind(self) -> ChangeKind:
        """Return the kind of the most important change."""
        return self.changes[0].kind

    @property
    def environments(self) -> tuple[str, ...]:
        """Return every environment in which the package changed, sorted."""
        return tuple(sorted({name for change in self.changes for name in change.environments}))


@value
class Comparison:
    """Hold what differs, sorted by package.

    `environments` are those that both sides have, `added` and `removed` those that one side has, and
    `uncompared` locks that stand against no venv.
    """

    packages: tuple[PackageChange, ...]
    environments: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    uncompared: tuple[str, ...] = ()

    @property
    def different(self) -> bool:
        """Return whether anything differs."""
        return bool(self.packages or self.added or self.removed)
