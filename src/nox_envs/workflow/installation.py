"""Owns the order of installer runs that fill or mend a venv; what to run them with is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

from nox_envs.drift import Expectation
from nox_envs.installers import Installer
from nox_envs.lockfile.plan import LockPlan
from nox_envs.matrix import Point
from nox_envs.pins import Pin
from nox_envs.workflow.expectation import Checked
from nox_envs.workflow.mending import mending_of
from nox_envs.workflow.project import Project
from nox_envs.workflow.requirement_files import declared_written, pins_written


class InstallerHost(Protocol):
    """Say what an installation needs of the program that runs processes."""

    location: Path
    installer: Installer

    def install(self, argv: tuple[str, ...]) -> None:
        """Run an installer; a failure ends the session."""


class Installation:
    """Install into the venv of one point."""

    def __init__(self, project: Project, point: Point, plan: LockPlan, host: InstallerHost) -> None:
        self._project = project
        self._point = point
        self._plan = plan
        self._host = host

    def everything(self, expectation: Expectation) -> None:
        """Fill an empty venv: from its lock, or without one from what is declared."""
        if not self._plan.path:
            self._declared()
        elif all(pin.source.kind == "index" and pin.hashes for pin in expectation.pins):
            if expectation.pins:
                self._run(self._host.installer.install((self._plan.path,), hashes=True))
        else:
            self._pins(expectation.pins, fresh=False)
        if expectation.project is not None:
            self._own_package()

    def mend(self, checked: Checked) -> None:
        """Add, change and remove what the findings name, and nothing else."""
        mending = mending_of(checked.mendable, checked.expectation)
        for hook in mending.hooks:  # before a Python of this venv is started
            Path(hook).unlink(missing_ok=True)
        for leftover in mending.leftovers:
            shutil.rmtree(leftover, ignore_errors=True)
        if mending.uninstall:
            self._run(self._host.installer.uninstall(mending.uninstall))
        self._pins(mending.install, fresh=False)
        self._pins(mending.reinstall, fresh=True)
        self._pins(mending.damaged, fresh=True, uncached=True)
        if mending.project:
            self._own_package(uncached=mending.project_damaged)

    def _pins(self, pins: tuple[Pin, ...], *, fresh: bool, uncached: bool = False) -> None:
        with pins_written(pins, self._host.location) as (hashed, direct):
            for file, hashes in ((hashed, True), (direct, False)):
                if file:
                    self._run(
                        self._host.installer.install((file,), hashes=hashes, fresh=fresh, uncached=uncached)
                    )

    def _declared(self) -> None:
        plan, root = self._plan, self._project.root
        with declared_written(plan, self._host.location, root) as (requirements, constraints):
            if requirements:
                limits = ("-c", constraints) if constraints else ()
                argv = self._host.installer.install((requirements,), hashes=False, dependencies=True)
                self._run((*argv, *limits))

    def _own_package(self, *, uncached: bool = False) -> None:
        package = self._point.package
        self._run(
            self._host.installer.install_project(
                str(self._project.root),
                package.extras,
                editable=package.mode == "editable",
                uncached=uncached,
            )
        )

    def _run(self, argv: tuple[str, ...]) -> None:
        self._host.install(argv)
