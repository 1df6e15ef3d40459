"""Locks of real projects adopted as they are, against the package index (needs the folder of examples).

The quick environments run always, the others where NOX_ENVS_SLOW is set.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from nox_envs.pins import canonical_name
from tests.conftest import Machine, Project
from tests.public_files import example

pytestmark = [pytest.mark.functional, pytest.mark.network]

REPOSITORY = Path(__file__).parent.parent
# Distributions of each session, as the projects' own tools install them.
AIOHTTP = {
    "base-3.10": 20,
    "base-3.13": 17,
    "doc-3.10": 32,
    "doc-3.13": 31,
    "doc-spelling-3.10": 34,
    "doc-spelling-3.13": 33,
    "cython-3.10": 3,
    "cython-3.13": 2,
    "multidict-3.10": 2,
    "multidict-3.13": 1,
    "test": 58,
    "lint": 61,
}
ANSIBLE = {
    f"{name}-{python}": count
    for name, counts in {
        "static": (1, 1, 1),
        "formatters": (9, 7, 7),
        "formatters-check": (9, 7, 7),
        "typing": (39, 38, 38),
        "spelling": (1, 1, 1),
        "tag": (12, 12, 12),
        "pr-labeler": (19, 19, 19),
        "docs": (61, 59, 59),
        "docs-relaxed": (60, 58, 58),
    }.items()
    for python, count in zip(("3.10", "3.11", "3.13"), counts, strict=True)
}
QUICK = frozenset(
    {
        *("base-3.10", "base-3.13", "doc-spelling-3.13", "cython-3.10", "multidict-3.10", "multidict-3.13"),
        *("static-3.13", "formatters-3.10", "formatters-3.13", "tag-3.11"),
    }
)
# What a lock made on Python 3.11 does not pin, and 3.10 needs.
UNPINNED = {"async-timeout", "tomli", "typing-extensions"}
# What their own locks leave out: a plugin asks for the library itself, a marker leaves 3.13 out.
LEFT_OUT = {"test": {"aiohttp", "typing-extensions"}, "lint": {"aiohttp"}}


def some(counts: dict[str, int]) -> list[object]:
    """Return the sessions as parameters; those that are not quick skip unless they are asked for."""
    slow = pytest.mark.skipif(not os.environ.get("NOX_ENVS_SLOW"), reason="slow; set NOX_ENVS_SLOW=1")
    return [
        pytest.param(session, count, marks=[] if session in QUICK else [slow])
        for session, count in counts.items()
    ]


def adopt(name: str, root: Path, online: Project) -> Project:
    """Copy a real project and give it our spec and noxfile; its locks stay as they are."""
    source = example(name)
    shutil.copytree(source, root)
    for file in (root, *root.rglob("*")):
        file.chmod(0o755 if file.is_dir() else 0o644)
    shutil.copyfile(REPOSITORY / f"tests/examples/{name}-adopted.yaml", root / "envs.yaml")
    shutil.copyfile(online.root / "noxfile.py", root / "noxfile.py")
    return Project(root=root, machine=online.machine)


@pytest.fixture(scope="module")
def aiohttp(online: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Adopt the locks of a library, made on Python 3.10 and without markers."""
    return adopt("aiohttp", tmp_path_factory.mktemp("aiohttp") / "project", online)


@pytest.fixture(scope="module")
def ansible(online: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Adopt the locks of a documentation project, made on Python 3.11."""
    return adopt("ansible-documentation", tmp_path_factory.mktemp("ansible") / "project", online)


def require(machine: Machine, session: str) -> None:
    """Skip where the Python of a session is not on this machine."""
    python = session.rpartition("-")[2]
    machine.interpreter(python if python.startswith("3.") else "3.13")


def run(project: Project, session: str, count: int, lock: str) -> None:
    """Build a session, and see that it holds what the lock pins, that it is clean, and stays so."""
    require(project.machine, session)
    built = project.nox("-s", session)
    assert built.returncode == 0, built.output
    assert "no drift" in built.output
    report = json.loads(project.cli("drift", session, "--format", "json", check=True).stdout)
    (environment,) = report["environments"]
    assert (environment["status"], environment["installed"]) == ("clean", count), built.output
    unpinned = {finding["package"] for finding in environment["findings"]}
    assert unpinned <= (UNPINNED if session.endswith("-3.10") else LEFT_OUT.get(session, set()))
    pins = pins_of(project, lock)
    frozen = dict(environment["distributions"])
    assert {name for name in frozen if name not in pins} <= unpinned
    assert {name: v for name, v in frozen.items() if name not in unpinned and pins[name] != v} == {}
    assert len(frozen) == count
    again = project.nox("-s", session, check=True)
    assert "no drift" in again.output
    assert "pip install" not in again.output


def pins_of(project: Project, lock: str) -> dict[str, str]:
    """Return the pins of a compiled file."""
    lines = (line.split()[0] for line in project.read(lock).splitlines() if "==" in line and line[0] != "#")
    return {canonical_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


@pytest.mark.parametrize("name", ["aiohttp", "ansible"])
def test_the_locks_of_a_real_project_are_fresh_and_never_written(
    name: str, request: pytest.FixtureRequest
) -> None:
    project: Project = request.getfixturevalue(name)
    checked = project.cli("check")
    assert checked.returncode == 0, checked.output
    assert checked.stdout == ""
    before = {path: path.read_bytes() for path in project.root.rglob("*.txt") if ".nox" not in path.parts}
    ran = project.nox("-s", "lock", check=True)
    assert "left alone" in ran.output
    after = {path: path.read_bytes() for path in project.root.rglob("*.txt") if ".nox" not in path.parts}
    assert after == before


@pytest.mark.parametrize(("session", "count"), some(AIOHTTP))
def test_a_session_of_a_library_holds_what_its_lock_pins(aiohttp: Project, session: str, count: int) -> None:
    name = session.rpartition("-3.")[0] or session
    run(aiohttp, session, count, f"requirements/{name}.txt")


@pytest.mark.parametrize(("session", "count"), some(ANSIBLE))
def test_a_session_of_a_documentation_project_holds_what_its_lock_pins(
    ansible: Project, session: str, count: int
) -> None:
    files = {
        "docs": "requirements",
        "docs-relaxed": "requirements-relaxed",
        "pr-labeler": "pr_labeler",
        "formatters-check": "formatters",
    }
    name = session.rpartition("-")[0]
    run(ansible, session, count, f"tests/{files.get(name, name)}.txt")


def test_a_library_regenerates_its_locks_from_its_own_files_and_has_no_drift(online: Project) -> None:
    source = example("aiohttp")
    shutil.copytree(source, online.root, dirs_exist_ok=True)
    shutil.copyfile(REPOSITORY / "tests/examples/aiohttp-managed.yaml", online.root / "envs.yaml")
    online.nox("-s", "lock", check=True)
    assert online.cli("check").returncode == 0
    for name in ("base", "doc-spelling", "cython"):
        for python in ("3.10", "3.13"):
            online.machine.interpreter(python)
            built = online.nox("-s", f"{name}-{python}")
            assert built.returncode == 0, built.output
            assert "no drift" in built.output
    drift = online.cli("drift", "--format", "json")
    assert [one["status"] for one in json.loads(drift.stdout)["environments"]] == ["clean"] * 6
    again = online.nox("-s", "lock", check=True)
    assert again.output.count("unchanged") == 3
