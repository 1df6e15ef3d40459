"""Owns the tools that are measured beside ours: each in a venv of its own, at the version of the day."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from benchmarks.harness import Failed, run

PYTHON = sys.executable
REQUIREMENTS = {
    "tox": ("tox", "tox-uv"),
    "hatch": ("hatch",),
    "pip-tools": ("pip-tools",),
    "pip-compile-multi": ("pip-compile-multi",),
    "pip": ("pip",),
}
_VERSIONS = """from importlib.metadata import version
import sys
print(", ".join(f"{name} {version(name)}" for name in sys.argv[1:]))
"""


def uv() -> str:
    """Return uv's path: the one that nox uses, so that all contenders have the same."""
    from uv import find_uv_bin

    return find_uv_bin()


class Tools:
    """Install the contenders below a folder that outlives a run; install them again on another day."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problems: dict[str, str] = {}

    def program(self, tool: str, name: str = "") -> str:
        """Return the path of a program of a tool; it does not exist where the installation failed."""
        venv = self._folder / f"{tool}-{sys.version_info.major}.{sys.version_info.minor}"
        stamp, today = venv / "installed", time.strftime("%Y-%m-%d")
        if not (stamp.exists() and stamp.read_text() == today) and tool not in self.problems:
            try:
                self._install(venv, REQUIREMENTS[tool])
                stamp.write_text(today)
            except Failed as error:
                self.problems[tool] = str(error)
        return str(venv / "bin" / (name or tool))

    def _install(self, venv: Path, requirements: tuple[str, ...]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        python = str(venv / "bin/python")
        if not Path(python).exists():
            run((uv(), "venv", "--quiet", "--python", PYTHON, str(venv)), self._folder)
        run((uv(), "pip", "install", "--quiet", "--upgrade", "--python", python, *requirements), self._folder)

    def versions(self) -> dict[str, str]:
        """Return the versions of our own interpreter, nox and uv, and of each tool that is installed."""
        found = {"Python": sys.version.split()[0]}
        for tool, requirements in (("nox", ("nox",)), ("uv", ("uv",)), *REQUIREMENTS.items()):
            python = self.program(tool, "python") if tool in REQUIREMENTS else PYTHON
            with contextlib.suppress(Failed):  # it is not installed, as the row that needs it says
                found[tool] = run((python, "-c", _VERSIONS, *requirements), Path.cwd()).strip()
        return found
