"""What a session starts from: what nox does for it, and the last clean verdict on its venv."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from nox_envs.project import Project
from nox_envs.spec.types import Command, Pairs, Point
from nox_envs.values import value
from nox_envs.venv.receipt import CleanVerdict, read_verdict, unchanged
from nox_envs.venv.snapshot import evidence


@value
class Host:
    """What a session needs of nox: its venv, its words after `--`, and what nox does for it.

    `python` is the path of the venv's interpreter, `uv` that of uv; `may_install` tells whether nox installs
    (not with `-R`); `install` runs uv and returns what it says on stderr (raises InstallFailed); `run` runs
    a command of the spec. A NoxEnvsError ends the session as failed.
    """

    location: Path
    python: str
    uv: str
    posargs: tuple[str, ...]
    recreate: Callable[[], None]
    may_install: Callable[[], bool]
    install: Callable[[tuple[str, ...]], str]
    run: Callable[[Command, Pairs, tuple[str, ...] | None], None]
    say: Callable[[str], None]
    warn: Callable[[str], None]


def verdict_key(project: Project, point: Point, location: Path) -> str:
    """Return a digest of everything but files that a check of the venv at `location` depends on."""
    parts = (project.key, point.session, str(point.python), str(location), *project.host.values())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def recall(project: Project, point: Point, location: Path) -> CleanVerdict | None:
    """Return the last clean verdict on a venv if a check now would look at nothing but what it saw."""
    if (point.drift.files or "off") != "off":
        return None
    verdict = read_verdict(location)
    if (
        verdict is None
        or verdict.key != verdict_key(project, point, location)
        or not unchanged(verdict, project.root)
    ):
        return None
    return verdict if verdict.evidence and verdict.evidence == evidence(location) else None
