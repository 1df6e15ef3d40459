"""Directories that environments install besides the project: what changes in them is built again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project
from tests.index import write_source

pytestmark = pytest.mark.functional


def spec(project: Project) -> Path:
    """Write a spec with an environment for each way to install `../lib`; return the module in it."""
    write_source(project.root.parent / "lib", "lib", "1.0")
    project.write("loose.in", "-e ../lib\n")
    project.write(
        "envs.yaml",
        """
        version: 1
        requirements:
          app: [../lib]
          editable: [{file: loose.in}]
        environments:
          locked: {requirements: [app]}
          loose: {requirements: [app], lock: false}
          editable: {requirements: [editable]}
        """,
    )
    return project.root.parent / "lib" / "lib" / "__init__.py"


def test_a_directory_that_changed_is_built_again(project: Project) -> None:
    module = spec(project)
    sessions = ("locked", "loose", "editable")
    project.nox("-s", "lock", *sessions, check=True)
    assert "no drift" in project.nox("-s", *sessions, check=True).output
    module.write_text("changed = True\n", encoding="utf-8")
    drift = project.cli("drift")
    assert drift.returncode == 1
    assert drift.stdout.count("expected a build of ") == 2  # the editable one runs from there
    ran = project.nox("-s", *sessions, check=True).output
    assert ran.count("one made before its files changed") == 2
    for name in ("locked", "loose"):
        assert (project.venv(name).site / "lib" / "__init__.py").read_text() == "changed = True\n"
    assert project.cli("drift").returncode == 0
    # A cache of builds may hold the one from before.
    module.write_text("changed = 'again'\n", encoding="utf-8")
    for name in ("locked", "loose"):
        (project.root / ".nox" / name / "nox-envs.json").unlink()
    project.nox("-s", "locked", "loose", check=True)
    for name in ("locked", "loose"):
        assert (project.venv(name).site / "lib" / "__init__.py").read_text() == "changed = 'again'\n"


def test_an_editable_directory_is_installed_again_when_its_metadata_changed(project: Project) -> None:
    spec(project)
    project.nox("-s", "lock", "editable", check=True)
    pyproject = project.root.parent / "lib" / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + "[project.scripts]\nlib = 'lib:main'\n")
    ran = project.nox("-s", "editable", check=True).output
    assert "one made before its files changed" in ran
    assert "no drift" in project.nox("-s", "editable", check=True).output


def test_a_directory_that_requires_more_needs_another_lock(project: Project) -> None:
    spec(project)
    project.nox("-s", "lock", "locked", "loose", check=True)
    write_source(project.root.parent / "lib", "lib", "1.0", requires=["apple>=1"])
    check = project.cli("check", "locked")
    assert check.returncode == 1
    assert "lock-stale" in check.stdout
    assert "expected ../lib/pyproject.toml: " in check.stdout
    refused = project.nox("-s", "locked")
    assert refused.returncode == 1
    assert "run: nox -s lock -- locked" in refused.output
    project.nox("-s", "lock", "locked", "loose", check=True)
    for name in ("locked", "loose"):
        assert "apple==2.0" in project.cli("freeze", name, check=True).stdout
    assert project.cli("drift").returncode == 0
