"""Owns the platforms a lock can be for: their names, markers and marker variables (PEP 508)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nox_envs.errors import NoxEnvsError
from nox_envs.values import value

_SYSTEMS = {
    "linux": ("linux", "Linux", "posix"),
    "macos": ("darwin", "Darwin", "posix"),
    "windows": ("win32", "Windows", "nt"),
}
_ALIASES = {"darwin": "macos", "osx": "macos", "mac": "macos", "win32": "windows", "win": "windows"}
_INTEL = frozenset({"x86_64", "amd64", "x64"})
_ARM = frozenset({"aarch64", "arm64"})
_MACHINES = {
    "linux": ("x86_64", "aarch64"),
    "macos": ("x86_64", "arm64"),
    "windows": ("AMD64", "ARM64"),
}


@value
class Platform:
    """Hold one platform: `sys_platform`, `platform_system`, `os_name`, and the machine, if it matters.

    `usual` is the machine that stands for all of them where none is named.
    """

    sys_platform: str
    system: str
    os_name: str
    machine: str = ""
    usual: str = ""

    @property
    def marker(self) -> str:
        """Return the marker that is true on this platform."""
        clause = f"sys_platform == '{self.sys_platform}'"
        return f"{clause} and platform_machine == '{self.machine}'" if self.machine else clause

    def variables(self, host: Mapping[str, str]) -> dict[str, str]:
        """Return the marker variables of this platform; what it does not tell is as on `host`."""
        if not self.machine and host.get("sys_platform") == self.sys_platform:
            return dict(host)
        return {
            **host,
            "sys_platform": self.sys_platform,
            "platform_system": self.system,
            "os_name": self.os_name,
            "platform_machine": self.machine or self.usual,
        }


def is_platform(word: str) -> bool:
    """Tell whether a word names a platform."""
    match = re.fullmatch(r"(?P<name>\w+?)(?:-\w+)?", word.lower())
    return match is not None and _ALIASES.get(match["name"], match["name"]) in _SYSTEMS


def platform_of(word: str) -> Platform:
    """Read the name of a platform: `linux`, `macos` or `windows`, with `-MACHINE` where it matters.

    Raises NoxEnvsError for any other.
    """
    if not is_platform(word):
        raise NoxEnvsError(f"{word!r} is no platform")
    name, _, machine = word.lower().partition("-")
    system = _ALIASES.get(name, name)
    intel, arm = _MACHINES[system]
    known = intel if machine in _INTEL else arm if machine in _ARM else machine
    sys_platform, long, os_name = _SYSTEMS[system]
    usual = arm if system == "macos" else intel
    return Platform(sys_platform=sys_platform, system=long, os_name=os_name, machine=known, usual=usual)
