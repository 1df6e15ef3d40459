"""Owns the fixtures that test modules share: an index, processes, venvs, interpreters, projects."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.index import Index, populate, serve

Backend = Literal["uv", "virtualenv", "venv"]

# In CI the same examples run every time; at a desk new ones are looked for.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a loaded machine
settings.register_profile("patient", _PATIENT)
settings.register_profile("ci", _PATIENT, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "patient")

_DROPPED = (
    "CI", "CONDA", "DO_NOT_TRACK", "FORCE_COLOR", "GITHUB", "NETRC", "NO_COLOR", "NOX", "PIP_", "PYTEST",
    "PYTHON", "UV", "VIRTUAL", "TOX", "TERM", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Result:
    """Hold what a process answered; `output` is both streams, the first then the second."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Return stdout and stderr together."""
        return self.stdout + self.stderr


class Run(Protocol):
    """Run a process with the tests' clean environment; see `Machine.run`."""

    def __call__(
        self,
        *argv: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Result: ...


@dataclass(kw_only=True)
class Machine:
    """Run processes that see the tests' index and caches only, nothing of this machine's settings."""

    env: dict[str, str]
    scratch: Path
    _interpreters: dict[str, str | None] = field(default_factory=dict)

    def run(
        self,
        *argv: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Result:
        """Run a process to its end; with `check` a failure fails the test and shows its output.

        `env` is added to the clean environment; a value `""` stays an empty variable.
        """
        words = [str(word) for word in argv]
        done = subprocess.run(
            words,
            cwd=cwd or self.scratch,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=300,
            check=False,
        )
        result = Result(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)
        if check and result.returncode:
            pytest.fail(f"{' '.join(words)} ended with {result.returncode}:\n{result.output}", pytrace=False)
        return result

    def interpreter(self, version: str) -> str:
        """Return the path of a Python as nox finds it; skip the test if there is none."""
        if version not in self._interpreters:
            from python_discovery import get_interpreter

            found = get_interpreter(version, env=self.env)
            self._interpreters[version] = found.executable if found else None
        path = self._interpreters[version]
        if path is None:
            pytest.skip(f"there is no Python {version} on this machine")
        return path


@dataclass(kw_only=True)
class Venv:
    """Be a real virtual environment of a test."""

    location: Path
    backend: Backend
    machine: Machine

    @property
    def python(self) -> Path:
        """Return the path of the interpreter."""
        return self.location / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def site(self) -> Path:
        """Return the site-packages directory."""
        found = [*self.location.glob("lib/*/site-packages"), *self.location.glob("Lib/site-packages")]
        return found[0]

    def pip(self, *arguments: str | Path, check: bool = True) -> Result:
        """Run a pip command in the venv: `uv pip` for backend uv, else the pip in the venv."""
        if self.backend == "uv":
            verb, *rest = arguments
            return self.machine.run(uv(), "pip", verb, "--python", self.python, *rest, check=check)
        return self.machine.run(self.python, "-m", "pip", *arguments, check=check)

    def install(self, *arguments: str | Path) -> Result:
        """Install into the venv."""
        return self.pip("install", *arguments)

    def uninstall(self, *names: str) -> Result:
        """Uninstall from the venv."""
        return self.pip("uninstall", *(() if self.backend == "uv" else ("--yes",)), *names)


@dataclass(kw_only=True)
class BareVenv:
    """Be a directory that looks like a venv, for tests that need no interpreter in it."""

    location: Path

    @property
    def site(self) -> Path:
        """Return the site-packages directory."""
        return self.location / "lib" / "python3.12" / "site-packages"

    def add(
        self,
        name: str,
        version: str,
        *,
        metadata: str | None = None,
        direct_url: str | None = None,
        record: str | None = "",
    ) -> Path:
        """Add the `*.dist-info` of a distribution and return its path; None leaves a file out."""
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" if metadata is None else metadata
        (info / "METADATA").write_text(text, encoding="utf-8")
        if record is not None:
            (info / "RECORD").write_text(record, encoding="utf-8")
        if direct_url is not None:
            (info / "direct_url.json").write_text(direct_url, encoding="utf-8")
        return info


class MakeVenv(Protocol):
    """Make a venv; see the fixture `make_venv`."""

    def __call__(self, backend: Backend = "uv", python: str | None = None) -> Venv: ...


@dataclass(kw_only=True)
class Project:
    """Be a project directory of a test, with the noxfile of nox-envs' users."""

    root: Path
    machine: Machine

    def write(self, path: str, text: str) -> Path:
        """Write a file, its text dedented, and return its path."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8", newline="\n")
        return file

    def read(self, path: str) -> str:
        """Return the text of a file."""
        return (self.root / path).read_text(encoding="utf-8")

    def nox(self, *arguments: str, env: Mapping[str, str] | None = None, check: bool = False) -> Result:
        """Run nox in the project."""
        return self.machine.run(sys.executable, "-m", "nox", *arguments, cwd=self.root, env=env, check=check)

    def cli(self, *arguments: str, env: Mapping[str, str] | None = None, check: bool = False) -> Result:
        """Run nox-envs in the project."""
        return self.machine.run(
            sys.executable, "-m", "nox_envs", *arguments, cwd=self.root, env=env, check=check
        )

    def venv(self, session: str, backend: Backend = "uv") -> Venv:
        """Return the venv that nox made for a session, by the name of its directory."""
        return Venv(location=self.root / ".nox" / session, backend=backend, machine=self.machine)


def uv() -> str:
    """Return the path of the uv that nox uses."""
    from uv import find_uv_bin

    return find_uv_bin()


def _path() -> str:
    """Return a PATH that begins with the tests' own interpreter and those that pyenv keeps, if any."""
    kept = os.environ.get("PYENV_ROOT")
    versions = sorted(Path(kept, "versions").glob("3.*/bin")) if kept else []
    modern = [str(folder) for folder in versions if int(folder.parent.name.split(".")[1]) >= 10]
    return os.pathsep.join([str(Path(sys.executable).parent), *modern, os.environ.get("PATH", "")])


def _clean_environment(index: Index, scratch: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_DROPPED)}
    return {
        **kept,
        "PATH": _path(),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PYTHONUTF8": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index.url,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INPUT": "1",
        "UV_NO_CONFIG": "1",
        "UV_DEFAULT_INDEX": index.url,
        "UV_CACHE_DIR": str(scratch / "uv-cache"),
        # Linked files would carry the damage that one test does into the cache of all.
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
        "VIRTUALENV_OVERRIDE_APP_DATA": str(scratch / "virtualenv"),
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        "NOX_DOWNLOAD_PYTHON": "never",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{role}_{what}": f"{what.lower()}@example.org"
           for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }  # fmt: skip


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Serve the tests' packages (see `tests.index.populate`); add others under names of your own."""
    with serve(tmp_path_factory.mktemp("index")) as served:
        populate(served)
        yield served


@pytest.fixture(scope="session")
def machine(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Run processes cut off from this machine's settings of pip, uv and nox."""
    scratch = tmp_path_factory.mktemp("machine")
    return Machine(env=_clean_environment(index, scratch), scratch=scratch)


@pytest.fixture(scope="session")
def run(machine: Machine) -> Run:
    """Run a process with the clean environment."""
    return machine.run


@pytest.fixture(scope="session")
def interpreters(machine: Machine) -> Callable[[str], str]:
    """Return the path of a Python by its version (`3.13`), or skip the test."""
    return machine.interpreter


@pytest.fixture
def bare_venv(tmp_path: Path) -> BareVenv:
    """Make the directory of an empty venv of Python 3.12.1."""
    venv = BareVenv(location=tmp_path / "venv")
    venv.site.mkdir(parents=True)
    (venv.location / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
    return venv


@pytest.fixture
def make_venv(machine: Machine, tmp_path: Path) -> MakeVenv:
    """Make a real venv; `python` is a version such as `3.12` (default: the tests' own interpreter)."""
    made = 0

    def make(backend: Backend = "uv", python: str | None = None) -> Venv:
        nonlocal made
        made += 1
        location = tmp_path / f"venv-{made}"
        interpreter = machine.interpreter(python) if python else sys.executable
        match backend:
            case "uv":
                machine.run(uv(), "venv", "--python", interpreter, location)
            case "virtualenv":
                machine.run(sys.executable, "-m", "virtualenv", "--python", interpreter, location)
            case "venv":
                machine.run(interpreter, "-m", "venv", location)
        return Venv(location=location, backend=backend, machine=machine)

    return make


@pytest.fixture
def project(machine: Machine, tmp_path: Path) -> Project:
    """Make a project directory that holds the two-line noxfile."""
    made = Project(root=tmp_path / "project", machine=machine)
    made.write("noxfile.py", 'from nox_envs import load\n\nload("envs.yaml")\n')
    return made


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory, machine: Machine) -> Project:
    """Make a project that sees the package index this machine is set up for, for `network` tests."""
    scratch = tmp_path_factory.mktemp("online")
    hidden = {"PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_NO_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_CACHE_DIR"}
    env = {name: value for name, value in machine.env.items() if name not in hidden}
    made = Project(root=scratch / "project", machine=Machine(env=env, scratch=scratch))
    made.write("noxfile.py", 'from nox_envs import load\n\nload("envs.yaml")\n')
    return made
