"""Owns the inputs that several benchmarks share: a run's folder, and the projects built in it."""

from __future__ import annotations

import base64
import functools
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import remove, run
from benchmarks.tools import PYTHON, Tools

REPOSITORY = Path(__file__).parent.parent
POPULAR = REPOSITORY / "tests" / "examples" / "popular.yaml"
NOXFILE = 'from nox_envs import load\n\nload("envs.yaml")\n'
BY_HAND = """import nox


@nox.session(venv_backend="uv", reuse_venv=True)
def popular(session):
    session.install("-r", "requirements/popular.txt")
    session.run("python", "-c", "print('ready')")
"""
TOX = """[tox]
env_list = popular
no_package = true
[testenv]
deps = -r requirements/popular.txt
commands = python -c "print('ready')"
"""
HATCH = """[project]
name = "by-hand"
version = "1"
[tool.hatch.envs.popular]
skip-install = true
installer = "uv"
dependencies = [
{pins}]
"""


def nox(*words: str) -> tuple[str, ...]:
    """Return a nox command of the interpreter that runs the benchmark."""
    return (PYTHON, "-m", "nox", *words)


def nox_envs(*words: str) -> tuple[str, ...]:
    """Return a command of our own command line."""
    script = Path(PYTHON).parent / "nox-envs"
    return (str(script), *words) if script.exists() else (PYTHON, "-m", "nox_envs", *words)


def python_of(venv: Path) -> str:
    """Return the interpreter of a venv."""
    return str(venv / "bin" / "python")


def remembering(project: Path, *, remembered: bool) -> Callable[[], None]:
    """Return what puts back, or takes away, all that sessions of a project left beside its venvs."""
    state, saved = project / ".nox/.nox-envs", project.parent / f"{project.name}-remembered"
    if not saved.exists():
        shutil.copytree(state, saved)

    def prepare() -> None:
        shutil.rmtree(state, ignore_errors=True)
        if remembered:
            shutil.copytree(saved, state)

    return prepare


class Workshop:
    """Hold the folder of a run, the tools, and the projects that more than one benchmark needs."""

    def __init__(self, folder: Path, tools: Tools, rounds: int) -> None:
        self.folder = folder
        self.tools = tools
        self.rounds = rounds

    def new(self, name: str) -> Path:
        """Make an empty folder."""
        made = self.folder / name
        remove(made)
        made.mkdir()
        return made

    @functools.cached_property
    def popular(self) -> Path:
        """The project with one environment of popular packages, locked and built."""
        project = self.new("popular")
        shutil.copyfile(POPULAR, project / "envs.yaml")
        (project / "noxfile.py").write_text(NOXFILE)
        run(nox("-s", "lock", "popular"), project)
        run(nox("-s", "popular"), project)  # as in a project that was run before
        return project

    @functools.cached_property
    def by_hand(self) -> Path:
        """The same environment in a hand-written noxfile, in tox.ini and for hatch."""
        project = self.new("by-hand")
        shutil.copytree(self.popular / "requirements", project / "requirements")
        (project / "noxfile.py").write_text(BY_HAND)
        (project / "tox.ini").write_text(TOX)
        pins = run(nox_envs("freeze", "popular"), self.popular).splitlines()
        quoted = "".join(f'  "{line}",\n' for line in pins if "==" in line)
        (project / "pyproject.toml").write_text(HATCH.format(pins=quoted))
        run(nox("-s", "popular"), project)
        return project

    @functools.cached_property
    def size(self) -> int:
        """The number of distributions in the environment of popular packages."""
        lines = run(nox_envs("freeze", "--all", "popular"), self.popular).splitlines()
        return sum("==" in line for line in lines)


def write_wheel(folder: Path, name: str) -> Path:
    """Write a small wheel of version 1.0, the same bytes each time, and return its path."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": f'"""The package {name}."""\n',
        f"{name}/values.py": "".join(f"VALUE_{n} = {n}\n" for n in range(100)),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items()]
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in files.items():
            wheel.writestr(zipfile.ZipInfo(inside), text)
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def host_python() -> str:
    """Return the minor version of the running interpreter, as a spec names it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
