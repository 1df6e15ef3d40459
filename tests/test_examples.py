"""Requirement files of real projects, against the package index (needs the folder of examples)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nox_envs.pins import canonical_name
from tests.conftest import Project
from tests.public_files import example

pytestmark = [pytest.mark.functional, pytest.mark.network]

REPOSITORY = Path(__file__).parent.parent
PYTHONS = ("3.10", "3.11", "3.13")
# Distributions on each of PYTHONS, as the project's own tools install them.
ANSIBLE_COUNTS = {
    "static": (1, 1, 1),
    "formatters": (9, 7, 7),
    "formatters-check": (9, 7, 7),
    "typing": (39, 38, 38),
    "spelling": (1, 1, 1),
    "tag": (12, 12, 12),
    "pr-labeler": (19, 19, 19),
    "docs": (61, 59, 59),
    "docs-relaxed": (60, 58, 58),
}


@pytest.fixture(scope="module")
def ansible(online: Project) -> Project:
    """Copy a real project, give it our spec and lock it."""
    source = example("ansible-documentation")
    shutil.copytree(source, online.root, dirs_exist_ok=True)
    for file in online.root.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    shutil.copyfile(REPOSITORY / "tests/examples/ansible-documentation.yaml", online.root / "envs.yaml")
    online.nox("-s", "lock", check=True)
    return online


def test_the_locks_of_a_real_project_are_fresh_and_repeatable(ansible: Project) -> None:
    assert ansible.cli("check").returncode == 0
    before = {path.name: path.read_bytes() for path in (ansible.root / "requirements").iterdir()}
    assert sorted(before) == sorted(f"{name}.txt" for name in ANSIBLE_COUNTS if name != "formatters-check")
    again = ansible.nox("-s", "lock", check=True)
    assert again.output.count("unchanged") == len(before)
    assert before == {path.name: path.read_bytes() for path in (ansible.root / "requirements").iterdir()}


@pytest.mark.parametrize("name", ANSIBLE_COUNTS)
def test_each_environment_of_a_real_project_runs_with_the_pins_it_had(ansible: Project, name: str) -> None:
    ran = 0
    for python, count in zip(PYTHONS, ANSIBLE_COUNTS[name], strict=True):
        try:
            ansible.machine.interpreter(python)
        except pytest.skip.Exception:
            continue
        session = f"{name}-{python}"
        done = ansible.nox("-s", session)
        assert done.returncode == 0, done.output
        report = json.loads(ansible.cli("drift", session, "--format", "json").stdout)
        environment = report["environments"][0]
        assert (environment["status"], environment["installed"]) == ("clean", count), done.output
        original = pins_of(ansible, name)
        frozen = dict(line.split("==") for line in ansible.cli("freeze", session).stdout.split())
        changed = {one: v for one, v in frozen.items() if original.get(one, v) != v}
        assert changed == {}
        ran += 1
    if not ran:
        pytest.skip("none of the Pythons of this project is present")


def pins_of(project: Project, name: str) -> dict[str, str]:
    """Return the pins of the compiled file that came with the project."""
    stem = {"docs": "requirements", "docs-relaxed": "requirements-relaxed", "pr-labeler": "pr_labeler"}
    text = project.read(f"tests/{stem.get(name, name.removesuffix('-check'))}.txt")
    pins = (line.split()[0].split("==") for line in text.splitlines() if "==" in line and line[0] != "#")
    return {canonical_name(package): version for package, version in pins}
