"""Owns the installation of requirements under the pins of a lock that others made."""

from __future__ import annotations

from collections.abc import Callable

from nox_envs.drift import Expectation
from nox_envs.errors import NoxEnvsError
from nox_envs.files import from_here, read_text
from nox_envs.installers import Installer
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import requirement_line
from nox_envs.matrix import Point
from nox_envs.pins import Pin, direct_reference, versions_equal
from nox_envs.requirements import Declared
from nox_envs.resolvers import absolute_requirement, pin_lines, read_pip_report
from nox_envs.resolvers.settings import assigned
from nox_envs.values import replace
from nox_envs.workflow.building import folder_options
from nox_envs.workflow.expectation import located
from nox_envs.workflow.foreign import is_unpinned
from nox_envs.workflow.host import InstallerHost
from nox_envs.workflow.mending import Mending
from nox_envs.workflow.project import Project
from nox_envs.workflow.requirement_files import hash_options, texts_written

_REPORT = "nox-envs-report.json"


class LimitedInstallation:
    """Install what one point requires and what that brings, each as its lock pins it."""

    def __init__(self, project: Project, point: Point, plan: LockPlan, host: InstallerHost) -> None:
        foreign = project.foreign(plan)
        self._pins = tuple(located(p, str(project.root)) for p in foreign.lock.pins) if foreign else ()
        self._limits = (*plan.constraints, *(foreign.limits if foreign else ()))
        self._project = project
        self._point = point
        self._plan = plan
        self._host = host
        self._root_url = project.root.as_uri() + "/"

    def run(self, expectation: Expectation, install_pins: Callable[[tuple[Pin, ...]], None]) -> None:
        """Bring the venv to what is required; `install_pins` installs pins without what they require."""
        if assigned(self._plan.indexes):
            raise NoxEnvsError(
                f"environment {self._point.environment!r}: what its requirements bring cannot be taken from"
                " an index of its own; take `use: constraints` or the `packages` of the index away"
            )
        if self._installer.name == "pip" and any(pin.hashes for pin in self._pins):
            # With hashes pip takes no requirement that is not pinned itself, so it is told each of them.
            install_pins(self._resolved(expectation))
        elif strict := self._strict(expectation):
            self._install(strict, self._constraints(hashes=True), hashes=True)
        else:
            # uv checks the hashes that there are; pip would demand them for everything.
            self._install(self._required(expectation), self._constraints(hashes=True), hashes=False)

    @property
    def _installer(self) -> Installer:
        return self._host.installer

    def _install(
        self, requirements: str, constraints: str, *, hashes: bool, options: tuple[str, ...] = ()
    ) -> None:
        names = ("nox-envs-requirements.txt", "nox-envs-constraints.txt")
        with texts_written((requirements, constraints), names, self._host.location) as (wanted, limits):
            if wanted:
                argv = self._installer.install((wanted,), hashes=hashes, dependencies=True)
                folders = folder_options(self._plan, self._installer)
                self._host.install((*argv, *(("-c", limits) if limits else ()), *folders, *options))

    def _required(self, expectation: Expectation) -> str:
        pins = {pin.name: pin for pin in expectation.pins}
        lines = [self._line(one, pins.get(one.name)) for one in self._plan.requirements]
        extras = self._plan.dynamic_extras
        if extras is not None:
            # What the project requires is known only by building it.
            name = self._project.composer.project_name
            lines.append(f"{name}{_extras(extras)} @ {self._root_url}")
        return "".join(f"{line}\n" for line in lines)

    def _line(self, declared: Declared, pin: Pin | None) -> str:
        if declared.url and pin is not None and not declared.editable:
            # Of a branch or tag the lock names the commit, and two URLs of one package are a conflict.
            return f"{pin.name}{_extras(declared.extras)} @ {direct_reference(pin.source)}{_marker(declared)}"
        return absolute_requirement(declared, self._root_url)

    def _strict(self, expectation: Expectation) -> str:
        """Return the requirements as pins with hashes; empty where something has none."""
        pins = {pin.name: pin for pin in expectation.pins if not is_unpinned(pin)}
        if self._plan.dynamic_extras is not None or not all(pin.hashes for pin in self._pins):
            return ""
        lines: list[str] = []
        for declared in self._plan.requirements:
            pin = pins.get(declared.name)
            if declared.url or declared.path or (pin is not None and pin.source.kind != "index"):
                return ""
            if pin is not None:  # else its marker does not hold here
                lines.append(_pinned_line(declared, pin))
        return "".join(lines)

    def _constraints(self, *, hashes: bool) -> str:
        lines = [absolute_requirement(one, self._root_url) + "\n" for one in self._limits]
        lines += [pin_lines(layer.pins) for layer in self._project.layers(self._plan)]
        for pin in self._pins:
            if not pin.source.editable:
                line = requirement_line(replace(pin, extras=()))
                lines.append(f"{line}{hash_options(pin) if hashes else ''}\n")
        return "".join(lines)

    def _resolved(self, expectation: Expectation) -> tuple[Pin, ...]:
        """Return what pip would install, as the lock pins it."""
        report = self._host.location / _REPORT
        options = ("--dry-run", f"--report={from_here(report)}")
        try:
            required = self._required(expectation)
            self._install(required, self._constraints(hashes=False), hashes=False, options=options)
            text = (
                read_text(report, shown=_REPORT) if report.is_file() else '{"install": [], "environment": {}}'
            )
        finally:
            report.unlink(missing_ok=True)
        own = self._project.composer.project_name
        found = read_pip_report(
            text, self._plan, origin=self._plan.path, project=own, root_url=self._root_url
        )
        return tuple(self._as_pinned(pin) for pin in found.pins)

    def _as_pinned(self, found: Pin) -> Pin:
        for pin in self._pins:
            if pin.name == found.name and (not pin.version or versions_equal(pin.version, found.version)):
                return pin
        if all(pin.hashes for pin in self._pins):
            raise NoxEnvsError(
                f"{self._point.session}: {found.name} {found.version} is needed here, and {self._plan.path}"
                " has no pin of it; no hash, no installation"
            )
        return Pin(name=found.name, version=found.version)


def _pinned_line(declared: Declared, pin: Pin) -> str:
    version = f"=={pin.version}{_marker(declared)}{hash_options(pin)}"
    return f"{pin.name}{_extras(declared.extras)}{version}\n"


def _extras(names: tuple[str, ...]) -> str:
    return f"[{','.join(names)}]" if names else ""


def _marker(declared: Declared) -> str:
    return f" ; {declared.marker}" if declared.marker else ""


def removed_first(mending: Mending, installed: frozenset[str]) -> tuple[str, ...]:
    """Return what has to go before requirements are installed again, so that they are taken anew."""
    names = {*mending.uninstall, *(pin.name for pin in mending.reinstall)}
    names |= {pin.name for pin in mending.install if is_unpinned(pin)}
    return tuple(sorted(names & installed))
