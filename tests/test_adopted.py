"""Real projects and popular packages, from the package index: not one false alarm, before and after use."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from nox_envs.spec.words import canonical_name
from tests.conftest import Project, uv
from tests.public_files import example

pytestmark = [pytest.mark.functional, pytest.mark.network]

SPECS = Path(__file__).parent / "examples"
PROJECTS = {"aiohttp": "requirements", "ansible-documentation": "tests"}
NAMES = {
    "aiohttp": ("base", "doc", "doc-spelling", "cython", "multidict"),
    "ansible-documentation": (
        "static", "formatters", "formatters-check", "typing", "spelling", "tag", "pr-labeler", "docs",
        "docs-relaxed",
    ),
}  # fmt: skip
PYTHONS = {"aiohttp": ("3.10", "3.13"), "ansible-documentation": ("3.10", "3.11", "3.13")}
# The compiled file of an environment that is not named like it.
STEMS = {
    "docs": "requirements",
    "docs-relaxed": "requirements-relaxed",
    "pr-labeler": "pr_labeler",
    "formatters-check": "formatters",
}
# What the projects' own files do not pin: they were made on another Python, or for the project beside them.
UNPINNED = {"aiohttp", "async-timeout", "tomli", "typing-extensions"}


def adopt(name: str, spec: str, online: Project, root: Path) -> Project:
    """Copy the requirements files of a real project, and give it a spec and the noxfile."""
    shutil.copytree(example(name), root)
    for file in (root, *root.rglob("*")):
        file.chmod(0o755 if file.is_dir() else 0o644)
    shutil.copyfile(SPECS / spec, root / "envs.yaml")
    shutil.copyfile(online.root / "noxfile.py", root / "noxfile.py")
    return Project(root=root, machine=online.machine)


def sessions_of(name: str) -> list[str]:
    """Return the sessions of an adopted project, as its spec declares them."""
    expanded = [f"{environment}-{python}" for environment in NAMES[name] for python in PYTHONS[name]]
    return [*expanded, *(("test", "lint") if name == "aiohttp" else ())]


def texts(project: Project) -> dict[str, bytes]:
    """Return the requirements files and locks of a project."""
    files = [path for path in project.root.rglob("*.txt") if ".nox" not in path.parts]
    return {str(path.relative_to(project.root)): path.read_bytes() for path in files}


def pins_of(project: Project, path: str) -> dict[str, str]:
    """Return the pins of a compiled file."""
    lines = [line.split()[0].split("==") for line in project.read(path).splitlines() if "==" in line[:60]]
    return {name.partition("[")[0].lower(): version for name, version in lines if name[0] != "#"}


def uv_freeze(project: Project, session: str) -> dict[str, str]:
    """Return what uv says is installed, by name."""
    python = project.venv(session.replace(".", "-")).python
    frozen = project.machine.run(uv(), "pip", "freeze", "--python", python).stdout
    return dict(line.split("==") for line in frozen.splitlines())


def assert_clean(project: Project, sessions: list[str], *options: str) -> dict[str, dict[str, str]]:
    """See that sessions have not one finding, not even a note; return their distributions by session."""
    ran = project.cli("drift", *sessions, "--format", "json", *options)
    environments = json.loads(ran.stdout)["environments"]
    assert [(one["session"], one["status"], one["findings"]) for one in environments] == [
        (session, "clean", []) for session in sessions
    ], ran.output
    return {one["session"]: dict(one["distributions"]) for one in environments}


def assert_holds_the_pins(project: Project, name: str, found: dict[str, dict[str, str]]) -> None:
    """See that what is installed is what uv lists, and what the project pinned."""
    for session, distributions in found.items():
        assert distributions == uv_freeze(project, session)
        environment = session.rpartition("-3.")[0] or session
        pins = pins_of(project, f"{PROJECTS[name]}/{STEMS.get(environment, environment)}.txt")
        assert {one for one in distributions if one not in pins} <= UNPINNED
        assert distributions.items() - pins.items() == {
            (one, version) for one, version in distributions.items() if one not in pins
        }


@pytest.mark.parametrize("name", PROJECTS)
def test_a_real_project_is_listed_and_its_files_fit_and_stay_as_they_are(
    name: str, online: Project, tmp_path: Path
) -> None:
    project = adopt(name, f"{name}-adopted.yaml", online, tmp_path / name)
    listed = json.loads(project.cli("list", "--format", "json", check=True).stdout)
    assert [one["session"] for one in listed["sessions"]] == sessions_of(name)
    shown = project.nox("-l", check=True).stdout
    assert all(f"* {session} " in shown for session in sessions_of(name))
    before = texts(project)
    checked = project.cli("check")
    assert (checked.returncode, checked.stdout) == (0, ""), checked.output
    project.nox("-s", "lock", check=True)
    assert texts(project) == before


SLOW = pytest.mark.skipif(not os.environ.get("NOX_ENVS_SLOW"), reason="takes a minute; set NOX_ENVS_SLOW=1")


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("aiohttp", "3.10"),
        ("aiohttp", "3.13"),
        ("ansible-documentation", "3.10"),
        ("ansible-documentation", "3.13"),
        pytest.param("ansible-documentation", "3.11", marks=SLOW),
    ],
)
def test_every_session_of_a_real_project_holds_what_the_project_pinned(
    name: str, python: str, online: Project, tmp_path: Path
) -> None:
    online.machine.interpreter(python)
    project = adopt(name, f"{name}-adopted.yaml", online, tmp_path / name)
    on_one = python if python != "3.13" else ("3.13", "test", "lint")
    sessions = [session for session in sessions_of(name) if session.endswith(on_one)]
    built = project.nox("-s", *sessions)
    assert built.returncode == 0, built.output
    assert built.output.count(": no drift: ") == len(sessions), built.output
    assert_holds_the_pins(project, name, assert_clean(project, sessions, "--files", "all"))
    again = project.nox("-s", *sessions, check=True)
    assert again.output.count(": no drift: ") == len(sessions)
    assert "uv pip" not in again.output


@pytest.mark.parametrize(
    ("name", "spec", "environments"),
    [
        ("aiohttp", "aiohttp-managed.yaml", ("base", "doc-spelling", "cython")),
        ("ansible-documentation", "ansible-documentation.yaml", ("static", "formatters", "tag")),
    ],
)
def test_a_real_project_is_locked_again_and_every_venv_is_as_locked(
    name: str, spec: str, environments: tuple[str, ...], online: Project, tmp_path: Path
) -> None:
    for python in ("3.10", "3.13"):
        online.machine.interpreter(python)
    project = adopt(name, spec, online, tmp_path / name)
    sessions = [f"{environment}-{python}" for environment in environments for python in ("3.10", "3.13")]
    first = project.nox("-s", "lock", *sessions)
    assert first.returncode == 0, first.output
    assert first.output.count(": no drift: ") == len(sessions), first.output
    found = assert_clean(project, sessions, "--files", "all")
    if name == "ansible-documentation":  # its own files are the constraints
        assert_holds_the_pins(project, name, found)
    checked = project.cli("check")
    assert (checked.returncode, checked.stdout) == (0, ""), checked.output
    before = texts(project)
    again = project.nox("-s", "lock", check=True)
    assert again.output.count(": unchanged: ") == first.output.count(": written: ") >= 3
    assert texts(project) == before


def test_an_environment_of_280_distributions_is_locked_frozen_and_clean(online: Project) -> None:
    shutil.copyfile(SPECS / "popular.yaml", online.root / "envs.yaml")
    built = online.nox("-s", "lock", "popular")
    assert built.returncode == 0, built.output
    assert ": no drift: " in built.output
    found = assert_clean(online, ["popular"], "--files", "all")["popular"]
    assert len(found) > 240
    frozen = online.cli("freeze", "popular", check=True).stdout.splitlines()
    assert frozen == [f"{name}=={version}" for name, version in found.items()]
    assert found == uv_freeze(online, "popular")
    python = online.venv("popular").python
    pips = online.machine.run(sys.executable, "-m", "pip", "--python", python, "freeze", "--all").stdout
    assert {canonical_name(line.partition("==")[0]) for line in pips.splitlines()} == found.keys()
    warm = online.nox("-s", "popular", check=True)
    assert ": no drift: " in warm.output
    assert "uv pip" not in warm.output


# What is required, the backend, and what runs in the venv.
POPULAR = {
    "requests": ("requests[socks]>=2", "uv", "import requests, socks"),
    "django": (
        "django>=4.2", "uv", "import django.core.management as m; m.ManagementUtility(['x']).execute()",
    ),
    "pytest": ("pytest-cov>=5", "virtualenv", "import pytest, pytest_cov, coverage"),
    "jupyter": ("jupyterlab-widgets>=3", "uv", "import jupyterlab_widgets"),
    "setuptools": ("setuptools>=70, wheel>=0.43", "venv", "import setuptools, wheel"),
    "zope": ("zope.interface>=6, zope.event>=5", "uv", "import zope.interface, zope.event"),
    "protobuf": ("googleapis-common-protos>=1.60", "uv", "import google.rpc.status_pb2"),
    "sphinx": ("sphinx>=7", "uv", "import sphinx.application"),
    "numpy": ("numpy>=1.26", "uv", "import numpy.testing"),
    "tools": ("black>=24, mypy>=1.8", "virtualenv", "import black, mypy.main"),
    "hooks": ("future-fstrings>=1.2, setuptools>=70", "uv", "import future_fstrings"),
    "editable": ("", "uv", "import orchard"),
}  # fmt: skip
IMPORT_EVERYTHING = """
import contextlib, importlib, os, pkgutil, sys

os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
os.dup2(1, 2)
for module in pkgutil.walk_packages(sys.argv[1:], onerror=lambda name: None):
    if not module.name.endswith("__main__"):
        with contextlib.suppress(BaseException):
            importlib.import_module(module.name)
os._exit(0 if len(sys.modules) > 40 else 1)
"""


@pytest.mark.parametrize("name", POPULAR)
def test_a_new_environment_has_no_finding_before_and_after_it_is_used(name: str, online: Project) -> None:
    requirements, backend, code = POPULAR[name]
    project = Project(root=online.root / name, machine=online.machine)
    project.write("noxfile.py", online.read("noxfile.py"))
    project.write("src/orchard/__init__.py", "")
    project.write(
        "pyproject.toml",
        """
        [build-system]
        requires = ["setuptools>=70"]
        build-backend = "setuptools.build_meta"
        [project]
        name = "orchard"
        version = "1.0"
        [tool.setuptools]
        package-dir = {"" = "src"}
        packages = ["orchard"]
        """,
    )
    options = f"lock: false, backend: {backend}, drift: {{files: all}}"
    own = "editable" if name == "editable" else "none"
    spec = f"version: 1\nenvironments:\n  {name}: {{requirements: [REQUIRED], {options}, package: {own}}}\n"
    required = ", ".join(f'"{text.strip()}"' for text in requirements.split(",") if text)
    project.write("envs.yaml", spec.replace("REQUIRED", required))
    built = project.nox("-s", name)
    assert built.returncode == 0, built.output
    assert_clean(project, [name], "--files", "all")
    venv = project.venv(name)
    for words in (("-c", code), ("-m", "compileall", "-q", venv.site), ("-c", IMPORT_EVERYTHING, venv.site)):
        ran = project.machine.run(venv.python, *words, env={"PYTHONDONTWRITEBYTECODE": ""}, check=False)
        assert ran.returncode == 0 or "compileall" in words, ran.output
    assert_clean(project, [name], "--files", "all")
    assert "no drift" in project.nox("-s", name, check=True).output


# What is found and true, and no fault of ours: the kind and the distribution, with the reason.
TRUE: dict[tuple[str, str], str] = {}


@SLOW
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_500_most_downloaded_distributions_raise_no_false_alarm(python: str, online: Project) -> None:
    online.machine.interpreter(python)
    project = Project(root=online.root / python, machine=online.machine)
    project.write("noxfile.py", online.read("noxfile.py"))
    names = json.loads((Path(__file__).parent.parent / "benchmarks/downloaded.json").read_text())
    roots = {f"part{n}": {"requirements": [f"{name}>=0" for name in names[n::12]]} for n in range(12)}
    defaults = {"python": python, "only_binary": [":all:"], "platforms": ["linux-x86_64"]}
    project.write("envs.yaml", json.dumps({"version": 1, "defaults": defaults, "environments": roots}))
    project.nox("-s", "lock", check=True)
    walk = "walk_packages(sys.argv[1:], onerror=lambda name: None)"
    top = IMPORT_EVERYTHING.replace(walk, "iter_modules(sys.argv[1:])")
    found: set[str] = set()
    alarms = []
    for part in roots:
        project.nox("-s", part, check=True)
        venv = project.venv(part)
        for words in (("-c", top, venv.site), ("-m", "compileall", "-q", venv.site)):
            project.machine.run(venv.python, *words, env={"PYTHONDONTWRITEBYTECODE": ""}, check=False)
        ran = project.cli("drift", part, "--files", "all", "--format", "json")
        (told,) = json.loads(ran.stdout)["environments"]
        found |= {name for name, _ in told["distributions"]}
        alarms += [one for one in told["findings"] if one["severity"] != "note"]
        print(f"Python {python}, until {part}: {len(found)} distributions, alarms: {alarms}", flush=True)
        shutil.rmtree(venv.location)
    assert [one for one in alarms if (one["kind"], one["package"]) not in TRUE] == []
    assert len(found) >= 500
