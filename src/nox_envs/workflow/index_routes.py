"""Owns which package index each pin is installed from; credentials stay with the installer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.installers import Installer
from nox_envs.pins import Pin
from nox_envs.resolvers.settings import assigned, general, uv_index_options
from nox_envs.spec.types import Index
from nox_envs.values import replace, value
from nox_envs.workflow.host import InstallerHost


@value
class Route:
    """Hold pins that come from the same indexes, and the installer that asks these."""

    pins: tuple[Pin, ...]
    installer: Installer


def routes(pins: tuple[Pin, ...], indexes: tuple[Index, ...], installer: Installer) -> Iterator[Route]:
    """Yield the pins by the indexes they are taken from; `installer` asks the general ones.

    Installing pins follows no dependencies, so each may come from an index of its own.
    """
    owners = {name: index for index in assigned(indexes) for name in index.packages}
    rest = tuple(pin for pin in pins if pin.name not in owners)
    if rest:
        yield Route(pins=rest, installer=installer)
    for index in assigned(indexes):
        own = tuple(pin for pin in pins if owners.get(pin.name) is index)
        if own:
            yield Route(pins=own, installer=_asking((index,), installer))


def _asking(indexes: tuple[Index, ...], installer: Installer) -> Installer:
    if not indexes:
        return installer
    if installer.name == "uv":
        named = tuple(uv_index_options(indexes))
    else:
        # pip knows no order, but takes no file whose hash the lock does not have.
        named = (f"--index-url={indexes[0].url}", *(f"--extra-index-url={one.url}" for one in indexes[1:]))
    return replace(installer, indexes=named)


class IndexedHost:
    """Be a host whose installer asks the general indexes of a spec."""

    def __init__(self, host: InstallerHost, indexes: tuple[Index, ...]) -> None:
        self.location: Path = host.location
        self.installer: Installer = _asking(general(indexes), host.installer)
        self._host = host

    def install(self, argv: tuple[str, ...]) -> None:
        """Run an installer; a failure ends the session."""
        self._host.install(argv)


def require_unassigned(indexes: tuple[Index, ...], environment: str) -> None:
    """Raise NoxEnvsError where packages have indexes of their own, but no lock says which are needed."""
    if assigned(indexes):
        names = ", ".join(index.name for index in assigned(indexes))
        raise NoxEnvsError(
            f"environment {environment!r} has no lock, so what comes from {names} only is not known; "
            "remove lock: false"
        )
