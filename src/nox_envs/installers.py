"""Owns the command lines of the installers, as values; runs nothing."""

from __future__ import annotations

from nox_envs.values import value


@value
class Installer:
    """Install into one venv with uv or with the venv's own pip.

    `program` is the argv that everything begins with: `(uv, "pip")` or `(python, "-m", "pip")`.
    `target` names the venv's interpreter (uv works from outside); `indexes` are options that name
    package indexes, `building` those that say how is built, `choosing` those that say which files are
    taken from an index.
    """

    name: str
    program: tuple[str, ...]
    target: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    building: tuple[str, ...] = ()
    choosing: tuple[str, ...] = ()

    def install(
        self,
        files: tuple[str, ...],
        *,
        hashes: bool,
        dependencies: bool = False,
        fresh: bool = False,
        uncached: bool = False,
    ) -> tuple[str, ...]:
        """Return the command that installs requirements files.

        `hashes` requires a hash for each line; `dependencies` follows what is not listed; `fresh`
        replaces what is installed even if its version is right; `uncached` takes nothing from the
        installer's cache, whose files may be the damaged ones, and links nothing to it.
        """
        argv = [*self._install]
        argv += [] if dependencies else ["--no-deps"]
        argv += ["--require-hashes"] if hashes else []
        argv += [self._again] if fresh else []
        argv += self._uncached if uncached else ()
        argv += self.choosing
        for file in files:
            argv += ["-r", file]
        return tuple(argv)

    def install_project(
        self, directory: str, extras: tuple[str, ...], *, editable: bool, uncached: bool = False
    ) -> tuple[str, ...]:
        """Return the command that installs the project itself, without its dependencies."""
        where = f"{directory}[{','.join(extras)}]" if extras else directory
        flags = (*(self._uncached if uncached else ()), *(("-e",) if editable else ()))
        return (*self._install, "--no-deps", self._again, *flags, where)

    def uninstall(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the command that removes packages by name."""
        yes = () if self.name == "uv" else ("--yes",)
        return (*self.program, "uninstall", *self.target, *self._quiet, *yes, *names)

    @property
    def _install(self) -> tuple[str, ...]:
        return (*self.program, "install", *self.target, *self._quiet, *self.indexes, *self.building)

    @property
    def _again(self) -> str:
        return "--reinstall" if self.name == "uv" else "--force-reinstall"

    @property
    def _uncached(self) -> tuple[str, ...]:
        return ("--no-cache", "--link-mode=copy") if self.name == "uv" else ("--no-cache-dir",)

    @property
    def _quiet(self) -> tuple[str, ...]:
        return ("--quiet",) if self.name == "uv" else ("--quiet", "--disable-pip-version-check")


def uv_installer(uv: str, python: str) -> Installer:
    """Return the installer that runs `uv` on the venv whose interpreter is `python`."""
    return Installer(name="uv", program=(uv, "pip"), target=("--python", python))


def pip_installer(python: str) -> Installer:
    """Return the installer that runs the venv's own pip."""
    return Installer(name="pip", program=(python, "-m", "pip"))
