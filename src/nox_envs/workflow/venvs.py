"""Owns the verbs on one venv: what is installed in it, and how it is activated; judges nothing."""

from __future__ import annotations

import shlex
from pathlib import Path

from nox_envs.drift import run_command
from nox_envs.errors import NoxEnvsError
from nox_envs.snapshot import Snapshot, take
from nox_envs.workflow.project import Project


def snapshot_of(project: Project, name: str) -> Snapshot:
    """Return what is installed in the venv of an environment or single session.

    Raises NoxEnvsError if the name is unknown, is not one venv, or its venv is not built.
    """
    return take(built(project, name))


def asked_for(project: Project, name: str) -> frozenset[str]:
    """Return the canonical names that an environment's lock pins, or without one its requirements."""
    plan = project.recalled_plan_of(project.points_of((name,))[0])
    lock = project.lock_of(plan) if plan.path else None
    return frozenset(one.name for one in (lock.pins if lock else plan.requirements))


def built(project: Project, name: str) -> Path:
    """Return the venv that `name` means, which exists."""
    points = project.points_of((name,))
    if len(points) > 1:
        sessions = ", ".join(repr(point.session) for point in points)
        raise NoxEnvsError(f"{name!r} has several venvs; name one of {sessions}")
    location = project.location(points[0])
    if not location.is_dir():
        raise NoxEnvsError(f"{name!r} is not built; {run_command(points[0].session)}")
    return location


_SCRIPTS = {
    **dict.fromkeys(("sh", "bash", "zsh", "ksh", "dash", "ash"), (". {}", "activate")),
    "fish": ("source {}", "activate.fish"),
    "csh": ("source {}", "activate.csh"),
    "tcsh": ("source {}", "activate.csh"),
    "nu": ("overlay use {}", "activate.nu"),
    "pwsh": ("& {}", "activate.ps1"),
    "powershell": ("& {}", "activate.ps1"),
    "cmd": ("{}", "activate.bat"),
}


def activation(location: Path, shell: str) -> str:
    """Return the line that activates the venv at `location`; `shell` is a name or path of a shell.

    Raises NoxEnvsError for a shell that is not known, or that this venv has no script for.
    """
    name = Path(shell).name.removesuffix(".exe")
    if name not in _SCRIPTS:
        raise NoxEnvsError(
            f"no activation is known for the shell {name!r}; --shell takes {', '.join(_SCRIPTS)}"
        )
    template, wanted = _SCRIPTS[name]
    for folder in ("bin", "Scripts"):
        for script in sorted((location / folder).glob("[aA]ctivate*")):
            if script.name.lower() == wanted:
                return template.format(_quoted(str(script), name))
    raise NoxEnvsError(f"{location} has no script {wanted!r} for the shell {name!r}")


def _quoted(path: str, shell: str) -> str:
    if shell == "cmd":
        return f'"{path}"'
    if shell in ("pwsh", "powershell"):
        return "'" + path.replace("'", "''") + "'"
    return shlex.quote(path)
