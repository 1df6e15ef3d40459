"""Owns what resolvers have in common in their answers: no path of this machine, no secret, and who asked."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable

from nox_envs.errors import NoxEnvsError
from nox_envs.lockfile.doubt import via_entry, via_label
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.satisfaction import meets
from nox_envs.pins import Pin, Source, local_path
from nox_envs.requirements import Declared
from nox_envs.values import replace


class Askers:
    """Tell which direct requirements of a plan a pin answers."""

    def __init__(self, plan: LockPlan) -> None:
        self._named: dict[str, list[Declared]] = {}
        for declared in plan.requirements:
            self._named.setdefault(declared.name, []).append(declared)

    def entries(self, pin: Pin, label: str | None = None) -> list[str]:
        """Return the `# via` entries of a pin, or of those that `label` declares."""
        nameless = [one for one in self._named.get("", ()) if meets(pin, one)]
        found = [*self._named.get(pin.name, ()), *nameless]
        return [via_entry(one) for one in found if label is None or via_label(one) == label]


def relative_pin(pin: Pin, plan: LockPlan, root_url: str) -> Pin:
    """Return a pin whose local path is relative to the spec's directory, as the spec declares it."""
    if not pin.source.url.startswith("file:"):
        return pin
    path = os.path.relpath(local_path(pin.source.url), local_path(root_url)).replace(os.sep, "/")
    path = posixpath.normpath(posixpath.join(path, pin.source.subdirectory))
    path = path if path == "." or path.startswith("..") else f"./{path}"
    editable = any(one.editable and one.path == path for one in plan.requirements)
    return replace(pin, source=Source(kind=pin.source.kind, url=path, editable=editable))


def refuse_credentials(pins: Iterable[Pin]) -> None:
    """Raise NoxEnvsError for pins that the resolver gave a URL with credentials, which only it was told."""
    wrong = [
        f"{pin.name}: {' and '.join(pin.via) or 'the resolver'} names a URL with credentials, which no lock"
        " may hold; take them out of it and leave them to netrc or the environment"
        for pin in pins
    ]
    if wrong:
        raise NoxEnvsError("\n".join(wrong))
