"""Owns how the options of a lock on builds and files reach the installer of a session; installs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.installers import Installer
from nox_envs.lockfile.plan import LockPlan
from nox_envs.values import replace
from nox_envs.workflow.host import InstallerHost
from nox_envs.workflow.requirement_files import build_constraints_written

_PIP_KNOWS_BUILD_CONSTRAINTS = (25, 3)


class ChoosingHost:
    """Be a host whose installer builds and takes files as a plan says."""

    def __init__(self, host: InstallerHost, installer: Installer) -> None:
        self.location: Path = host.location
        self.installer: Installer = installer
        self._host = host

    def install(self, argv: tuple[str, ...]) -> None:
        """Run an installer; raises InstallationFailed."""
        self._host.install(argv)


@contextmanager
def choosing(host: InstallerHost, plan: LockPlan, root: Path) -> Iterator[InstallerHost]:
    """Yield a host that heeds `build_constraints`, `only_binary` and `no_binary` of a plan.

    A pip that is older than `--build-constraint` (25.3) does not limit builds.
    """
    options = plan.options
    files = (
        *(f"--only-binary={name}" for name in options.only_binary or ()),
        *(f"--no-binary={name}" for name in options.no_binary or ()),
    )
    with build_constraints_written(plan, host.location, root) as file:
        building = _building(host, file) if file else ()
        if files or building:
            yield ChoosingHost(host, replace(host.installer, building=building, choosing=files))
        else:
            yield host


def _building(host: InstallerHost, file: str) -> tuple[str, ...]:
    if host.installer.name == "uv":
        return (f"--build-constraints={file}",)
    known = _pip_version(host.location) >= _PIP_KNOWS_BUILD_CONSTRAINTS
    return (f"--build-constraint={file}",) if known else ()


def _pip_version(location: Path) -> tuple[int, ...]:
    """Return the first two numbers of the version of the pip in a venv, none where it has no pip."""
    for pattern in ("lib/python*/site-packages", "Lib/site-packages"):
        for folder in location.glob(f"{pattern}/pip-*.dist-info"):
            if match := re.match(r"pip-(\d+)\.(\d+)", folder.name):
                return int(match[1]), int(match[2])
    return ()


def prerelease_options(plan: LockPlan, installer: Installer) -> tuple[str, ...]:
    """Return the options that allow the pre-releases of a plan where nothing is pinned.

    Raises NoxEnvsError for names with pip, which knows only all or none.
    """
    allowed = plan.prereleases
    if allowed is False or allowed == ():
        return ()
    if installer.name == "uv":
        if allowed is True:
            return ("--prerelease=allow",)
        return tuple(f"--prerelease-package={name}=allow" for name in allowed)
    if allowed is not True:
        raise NoxEnvsError(
            f"environment {plan.environments[0]!r}: pip cannot allow pre-releases by name; "
            "write allow_prereleases: true, or backend: uv"
        )
    return ("--pre",)


def folder_options(plan: LockPlan, installer: Installer) -> tuple[str, ...]:
    """Return the options that make uv build required folders: its cache has builds from before a change."""
    names = {declared.name for declared in plan.requirements if declared.path}
    if not names or installer.name != "uv":
        return ()
    return tuple(f"--refresh-package={name}" for name in sorted(names)) if all(names) else ("--refresh",)
