"""Owns the types of locking: what is asked, who runs processes, what became of each lock."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from nox_envs.changes import ChangeKind
from nox_envs.values import value

Outcome: TypeAlias = Literal["unchanged", "written", "outdated", "failed", "left"]


@value
class Completed:
    """Hold how a process ended: its exit code and what it printed to both streams."""

    returncode: int
    output: str


class Processes(Protocol):
    """Say what locking needs of the program that runs processes.

    `python` is the interpreter that runs it; uv builds with it what has to be built.
    """

    uv: str
    python: str

    def run(self, argv: tuple[str, ...]) -> Completed:
        """Run a process to its end; called from several threads."""

    def pip_python(self, python: str | None) -> str:
        """Return an interpreter that answers to `python` and has pip; NoxEnvsError if there is none."""


@value
class Change:
    """Hold what happened to one package: versions before and after, empty for none."""

    package: str
    before: str
    after: str
    kind: ChangeKind = "other"


@value
class LockResult:
    """Hold what became of one lock; `message` explains a failure.

    `path` is empty where the requirements tell of no lock, because they cannot be read; `absent` tells
    that the lock was not there before. `notes` are what else people should know.

    `pins` counts what the lock holds, `stayed` the packages whose version is what it was.
    """

    path: str
    environments: tuple[str, ...]
    outcome: Outcome
    changes: tuple[Change, ...] = ()
    pins: int = 0
    stayed: int = 0
    message: str = ""
    absent: bool = False
    notes: tuple[str, ...] = ()


@value
class LockRequest:
    """Hold what the user asked of `nox -s lock`.

    `upgrade_packages` look like `NAME` or `NAME==VERSION`; any specifier may follow the name.
    """

    environments: tuple[str, ...] = ()
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    dry_run: bool = False


@value
class Progress:
    """Hold how far locking is: `done` of `total` locks, `active` are being resolved."""

    done: int
    total: int
    active: tuple[str, ...] = ()
