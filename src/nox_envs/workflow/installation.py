"""Owns the order of installer runs that fill or mend a venv; what to run them with is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nox_envs.drift import Expectation
from nox_envs.errors import NoxEnvsError
from nox_envs.files import from_here
from nox_envs.lockfile.paths import is_pylock
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock
from nox_envs.matrix import Point
from nox_envs.pins import Pin
from nox_envs.workflow.building import choosing, folder_options, prerelease_options
from nox_envs.workflow.expectation import Checked
from nox_envs.workflow.host import InstallerHost
from nox_envs.workflow.index_routes import IndexedHost, require_unassigned, routes
from nox_envs.workflow.mending import Mending, mending_of
from nox_envs.workflow.project import Project
from nox_envs.workflow.requirement_files import declared_written, pins_written


class Installation:
    """Install into the venv of one point."""

    def __init__(self, project: Project, point: Point, plan: LockPlan, host: InstallerHost) -> None:
        self._project = project
        self._point = point
        self._plan = plan
        self._host: InstallerHost = IndexedHost(host, plan.indexes) if plan.indexes else host

    def everything(self, expectation: Expectation) -> None:
        """Fill an empty venv: from its lock, or without one from what is declared."""
        with self._choosing():
            self._everything(expectation)

    def mend(self, checked: Checked, *, cached: bool = True) -> None:
        """Add, change and remove what the findings name, and nothing else.

        Without `cached` nothing that lost files is taken from the installer's cache.
        """
        with self._choosing():
            self._mend(checked, cached=cached)

    @contextmanager
    def _choosing(self) -> Iterator[None]:
        host = self._host
        with choosing(host, self._plan, self._project.root) as self._host:
            try:
                yield
            finally:
                self._host = host

    def _everything(self, expectation: Expectation) -> None:
        if not self._plan.path:
            self._declared()
        elif self._plan.limiting:
            self._limited(expectation)
        elif expectation.pins and self._is_installed_whole(expectation.pins):
            hashes = not is_pylock(self._plan.path)  # a pylock has hashes for everything (PEP 751)
            self._run(self._host.installer.install((self._plan.path,), hashes=hashes))
        else:
            self._pins(expectation.pins, fresh=False)
        if expectation.project is not None:
            self._own_package()

    def _is_installed_whole(self, pins: tuple[Pin, ...]) -> bool:
        """Tell whether the installer takes the lock as it is."""
        if self._plan.foreign or any(index.packages for index in self._plan.indexes):
            return False
        if is_pylock(self._plan.path) and self._host.installer.name != "uv":
            return False  # pip reads it as an experiment at most, but takes the pins in it
        return all(pin.source.kind == "index" and pin.hashes for pin in pins)

    def _mend(self, checked: Checked, *, cached: bool) -> None:
        mending = mending_of(checked.mendable, checked.expectation)
        for hook in mending.hooks:  # before a Python of this venv is started
            Path(hook).unlink(missing_ok=True)
        for leftover in mending.leftovers:
            shutil.rmtree(leftover, ignore_errors=True)
        if self._plan.limiting:
            self._limited_again(mending, checked)
        else:
            self._uninstall(mending.uninstall)
            self._pins(mending.install, fresh=False)
            self._pins(mending.reinstall, fresh=True)
        self._pins(mending.incomplete, fresh=True, uncached=not cached)
        self._pins(mending.damaged, fresh=True, uncached=True)
        if mending.project:
            self._own_package(uncached=mending.project_damaged or not cached)

    def _limited(self, expectation: Expectation) -> None:
        from nox_envs.workflow.limited_installation import LimitedInstallation

        installation = LimitedInstallation(self._project, self._point, self._plan, self._host)
        installation.run(expectation, lambda pins: self._pins(pins, fresh=False))

    def _limited_again(self, mending: Mending, checked: Checked) -> None:
        from nox_envs.workflow.limited_installation import removed_first

        installed = frozenset(one.name for one in checked.snapshot.distributions)
        self._uninstall(removed_first(mending, installed))
        if mending.uninstall or mending.install or mending.reinstall:
            self._limited(checked.expectation)

    def _uninstall(self, names: tuple[str, ...]) -> None:
        if names:
            self._run(self._host.installer.uninstall(names))

    def _pins(self, pins: tuple[Pin, ...], *, fresh: bool, uncached: bool = False) -> None:
        for route in routes(pins, self._plan.indexes, self._host.installer):
            with pins_written(route.pins, self._host.location) as (hashed, direct):
                for file, hashes in ((hashed, True), (direct, False)):
                    if file:
                        # uv would take a build of a directory from its cache whose sources have changed.
                        again = fresh or (not hashes and any(p.source.kind == "directory" for p in pins))
                        argv = route.installer.install((file,), hashes=hashes, fresh=again, uncached=uncached)
                        self._run(argv)

    def _declared(self) -> None:
        plan, root = self._plan, self._project.root
        require_unassigned(plan.indexes, self._point.environment)
        layers, name = self._layers(), self._project.composer.project_name
        files = declared_written(plan, self._host.location, root, layers=layers, project=name)
        with files as (requirements, constraints):
            if requirements:
                installer = self._host.installer
                limits = (*(("-c", constraints) if constraints else ()), *prerelease_options(plan, installer))
                argv = installer.install((requirements,), hashes=False, dependencies=True)
                self._run((*argv, *limits, *folder_options(plan, installer)))
        if plan.dynamic_extras is not None and self._point.package.mode == "none":
            self._uninstall((name,))  # only its dependencies are asked for

    def _layers(self) -> tuple[Lock, ...]:
        """Return the locks that constrain what has none itself; raises NoxEnvsError for a missing one."""
        plan = self._plan
        layers = self._project.layers(plan)
        if len(layers) < len(plan.layers):
            raise NoxEnvsError(
                f"environment {self._point.environment!r} is constrained by the lock of "
                f"{', '.join(plan.layers)}, which is missing; run nox -s lock -- {' '.join(plan.layers)}"
            )
        return layers

    def _own_package(self, *, uncached: bool = False) -> None:
        package = self._point.package
        self._run(
            self._host.installer.install_project(
                from_here(self._project.root),  # installers find other meanings in some paths
                package.extras,
                editable=package.mode == "editable",
                uncached=uncached,
            )
        )

    def _run(self, argv: tuple[str, ...]) -> None:
        self._host.install(argv)
