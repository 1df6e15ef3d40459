"""Setups as public projects have them, from the first lock to the repair: matrix, hashed locks, layers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import Project, uv
from tests.index import Index, write_source

pytestmark = pytest.mark.functional

MINOR = f"3.{sys.version_info.minor}"
MATRIX = {
    "3.10": ("4.2", "5.0", "5.1", "5.2"),
    "3.11": ("4.2", "5.0", "5.1", "5.2"),
    "3.12": ("4.2", "5.0", "5.1", "5.2", "6.0"),
    "3.13": ("5.2", "6.0"),
}
POINTS = [(python, django) for python, versions in MATRIX.items() for django in versions]
NAMES = [f"py{python}-django{django}".replace(".", "") for python, django in POINTS]
DJANGO_SPEC = """\
version: 1
environments:
  tests:
    name: "py{py}-django{django}"
    matrix:
""" + "".join(f"      - {{python: '{python}', django: '{django}'}}\n" for python, django in POINTS) + """\
    requirements: [{file: tests/requirements.in}, "django~={django}.0"]
    package: wheel
    lock: {file: "tests/{session}.txt"}
    commands: ['python -c "import library, django"']
"""  # fmt: skip
PARTS = ("main", "tests", "lint", "docs", "tools")


@pytest.fixture(autouse=True)
def django(index: Index) -> None:
    """Add a framework with what it requires to the index."""
    for version in ("4.2.1", "5.0.1", "5.1.1", "5.2.0", "5.2.1", "6.0.1"):
        index.release("django", version, requires=("sqlparse>=0.3",))
    index.release("sqlparse", "0.4")


def damage(project: Project, directory: str) -> Path:
    """Take a package out of a venv, add one, change the version of one and a file of another."""
    venv = project.venv(directory)
    venv.uninstall("sqlparse")
    venv.install("--no-deps", "plum==1.0", "django==5.2.0")
    changed = venv.site / "apple" / "__init__.py"
    changed.write_text("X = 1\n")
    return changed


def drifted(project: Project, session: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return the findings on a session by kind and package."""
    ran = project.cli("drift", session, "--files", "changed", "--format", "json")
    assert ran.returncode == 1, ran.output
    found = json.loads(ran.stdout)["environments"][0]["findings"]
    return {(one["kind"], one["package"]): one for one in found}


def check_drift_and_repair(project: Project, session: str, directory: str, locks: dict[str, str]) -> None:
    """Damage a venv: each difference is named at its lock, the next run repairs it, and then all is well."""
    damage(project, directory)
    found = drifted(project, session)
    assert {*found} == {
        ("missing", "sqlparse"), ("extraneous", "plum"), ("version", "django"), ("file-modified", "apple"),
    }  # fmt: skip
    for (_, package), one in found.items():
        path, _, line = one["line"].rpartition(":")
        assert path == locks.get(package, "")
        assert not path or project.read(path).splitlines()[int(line) - 1].startswith(f"{package}==")
    assert "1 extraneous, 1 missing, 1 version" in project.nox("-s", session, check=True).output
    project.nox("--reuse-venv=never", "-s", session, check=True)
    assert project.cli("drift", session, "--files", "all", check=True).returncode == 0


def test_an_irregular_matrix_has_a_lock_for_each_of_its_points(project: Project) -> None:
    project.write("envs.yaml", DJANGO_SPEC)
    write_source(project.root, "library", "1.0")
    project.write("tests/requirements.in", "apple\n")
    assert len(DJANGO_SPEC.splitlines()) <= 28  # as many as the tox.ini of such a project has
    listed = json.loads(project.cli("list", "--format", "json", check=True).stdout)["sessions"]
    assert [one["session"] for one in listed] == NAMES
    project.nox("-s", "lock", check=True)
    assert len({one["lock"] for one in listed}) == len(POINTS)
    assert "valid, and every lock matches" in project.cli("check", check=True).output
    session = f"py{MINOR}-django52".replace(".", "")
    project.nox("-s", session, check=True)
    lock = f"tests/{session}.txt"
    check_drift_and_repair(project, session, session, dict.fromkeys(("sqlparse", "django", "apple"), lock))
    project.write(lock, project.read(lock).replace("django==5.2.1", "django==5.1.1"))
    stale = project.cli("check")
    assert stale.returncode == 1
    assert f"{lock} ({session})" in stale.output
    assert "1 lock-unsatisfied" in stale.output


def test_five_hashed_locks_of_another_tool_are_installed_together(project: Project) -> None:
    asked = dict(zip(PARTS, ("django", "basket", "apple<2", "raisin", "press"), strict=True))
    project.write("limits.txt", "apple<2\n")
    for part, text in asked.items():
        project.write(f"{part}.in", f"{text}\n")
        options = ("--generate-hashes", "--no-emit-index-url", "-c", "limits.txt", "-o", f"{part}.txt")
        project.machine.run(uv(), "pip", "compile", *options, f"{part}.in", cwd=project.root)
    project.write("envs.yaml", f"""\
        version: 1
        environments:
          dev:
            python: "{MINOR}"
            requirements: [{", ".join(f"{{file: {part}.in}}" for part in PARTS)}]
            lock: {{managed: false, file: [{", ".join(f"{part}.txt" for part in PARTS)}]}}
            commands: ['python -c "import django, press"']
        """)  # fmt: skip
    project.nox("-s", "dev", check=True)
    locks = {"django": "main.txt", "sqlparse": "main.txt", "apple": "tests.txt"}
    check_drift_and_repair(project, "dev", "dev", locks)
    project.write("docs.in", "raisin>=2\n")
    ran = project.cli("check")
    assert ran.returncode == 1
    assert "found raisin==1.0 (docs.txt:" in ran.output
    assert "path: docs.txt (dev)" in ran.output
    assert "docs.txt docs.in" in ran.output
    assert "main.in" not in ran.output
    refused = project.nox("-s", "dev").output
    assert "docs.txt does not match envs.yaml" in refused


LAYERS = """\
version: 1
defaults: {python: "MINOR"}
environments:
  prod: {requirements: [{file: prod.in}], lock: {file: prod.txt}}
  test: {requirements: [{file: test.in}], lock: {file: test.txt}}
  dev: {requirements: [{file: dev.in}], lock: {file: dev.txt}}
  floating:
    matrix: {django: ["5.1", "5.2"]}
    requirements: ["django~={django}.0", apple>=1]
    constraints: [{file: limits.txt}]
    lock: false
    commands: ['python -c "import django"']
"""


def test_layered_locks_are_made_in_one_run_with_a_floating_axis_on_top(project: Project) -> None:
    project.write("envs.yaml", LAYERS.replace("MINOR", MINOR))
    project.write("prod.in", "django\n")
    project.write("test.in", "-r prod.txt\napple\n")
    project.write("dev.in", "-r test.txt\npress\n")
    project.write("limits.txt", "apple<2\n")
    refused = project.cli("check", "test")
    assert refused.returncode == 2
    assert "prod.txt: no such file (run: nox -s lock -- prod)" in refused.output
    project.nox("-s", "lock", check=True)
    project.nox("-s", "lock", "--", "--check", check=True)
    listed = json.loads(project.cli("list", "--format", "json", check=True).stdout)["sessions"]
    sessions = ("dev", *[one["session"] for one in listed if one["environment"] == "floating"])
    assert len(sessions) == 3
    project.nox("-s", *sessions, check=True)
    check_drift_and_repair(project, "dev", "dev", dict.fromkeys(("django", "sqlparse", "apple"), "dev.txt"))
    floating = next(one for one in listed if one["session"] == sessions[2])
    check_drift_and_repair(project, sessions[2], Path(floating["location"]).name, {})
    project.write("prod.in", "django<5.2\n")
    project.nox("-s", "lock", "--", "prod", check=True)
    stale = project.cli("check")
    assert stale.returncode == 1
    assert "prod.txt" in stale.output
    project.nox("-s", "lock", check=True)
    assert "django==5.1.1" in project.read("dev.txt")
    assert project.cli("check", check=True).returncode == 0
