"""What nox does for a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nox_envs.spec.types import Command, Pairs
from nox_envs.values import value


@value
class Host:
    """What a session needs of nox: its venv, its words after `--`, and what nox does for it.

    `python` is the path of the venv's interpreter; `may_install` tells whether nox installs (not with `-R`);
    `install` runs uv with some arguments (raises InstallFailed); `run` runs a command of the spec. A
    NoxEnvsError ends the session as failed.
    """

    location: Path
    python: str
    posargs: tuple[str, ...]
    recreate: Callable[[], None]
    may_install: Callable[[], bool]
    install: Callable[[tuple[str, ...]], None]
    run: Callable[[Command, Pairs, tuple[str, ...] | None], None]
    say: Callable[[str], None]
    warn: Callable[[str], None]
