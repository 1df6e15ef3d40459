"""What an environment without a lock installs, and which options reach the installer, with real nox."""

from __future__ import annotations

import pytest

from tests.conftest import Backend, Project
from tests.index import Index, write_source

pytestmark = pytest.mark.functional


def test_what_has_no_lock_is_limited_by_the_lock_of_another(project: Project, index: Index) -> None:
    index.release("unripe", "1.0")
    index.release("unripe", "1.1rc1")
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          base: {requirements: [basket==1.0]}
          loose:
            lock: false
            requirements: [basket>=1.0, unripe>=1]
            constraints: [{lock: base}, "unripe<2"]
            allow_prereleases: [unripe]
        """,
    )
    refused = project.nox("-s", "loose")
    assert refused.returncode
    assert "the lock of base, which is missing; run nox -s lock -- base" in refused.output
    assert "Traceback" not in refused.output
    project.nox("-s", "lock", "--", "base", check=True)
    project.nox("-s", "loose", check=True)
    frozen = project.cli("freeze", "loose", check=True).stdout.splitlines()
    assert {"basket==1.0", "unripe==1.1rc1"} <= set(frozen)
    project.write("envs.yaml", project.read("envs.yaml").replace("basket==1.0", "basket==1.1"))
    project.nox("-s", "lock", "--", "base", check=True)
    drift = project.cli("drift", "loose")
    assert drift.returncode == 1
    assert "expected an installation of its requirements as they are now" in drift.stdout
    assert "its requirements changed" in project.nox("-s", "loose", check=True).output
    assert "basket==1.1" in project.cli("freeze", "loose", check=True).stdout
    assert project.cli("drift", "loose").returncode == 0


def test_pip_allows_all_prereleases_or_says_that_it_cannot(project: Project, index: Index) -> None:
    index.release("unripe-two", "1.0")
    index.release("unripe-two", "1.1rc1")
    project.write(
        "envs.yaml",
        """
        version: 1
        defaults: {lock: false, backend: venv, requirements: [unripe-two>=1]}
        environments:
          every: {allow_prereleases: true}
          named: {allow_prereleases: [unripe-two]}
        """,
    )
    project.nox("-s", "every", check=True)
    assert project.cli("freeze", "every", check=True).stdout == "unripe-two==1.1rc1\n"
    refused = project.nox("-s", "named")
    assert "pip cannot allow pre-releases by name" in refused.output
    assert "Traceback" not in refused.output


def test_the_seed_packages_of_a_venv_are_not_counted_unless_they_are_required(project: Project) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        defaults: {lock: false, backend: venv, requirements: [apple>=1]}
        environments:
          old: {}
          fast: {backend: uv}
          asked: {requirements: [apple>=1, pip>=9]}
        """,
    )
    for _ in range(2):
        ran = project.nox("-s", "old", "fast", "asked", check=True).output
        counts = ("old: no drift: 1 dist", "fast: no drift: 1 dist", "asked: no drift: 2 dist")
        assert [count for count in counts if count not in ran] == []


@pytest.mark.parametrize("backend", ["uv", "venv"])
def test_a_project_with_dynamic_dependencies_needs_no_lock(project: Project, backend: Backend) -> None:
    write_source(project.root, "hazel", "0.1", requires=("apple>=1",))
    path = project.root / "pyproject.toml"
    path.write_text(path.read_text().replace('dependencies = ["apple>=1"]', 'dynamic = ["dependencies"]'))
    assert "dynamic" in path.read_text()
    project.write(
        "envs.yaml",
        f"""
        version: 1
        requirements: {{own: [{{extra: []}}]}}
        defaults: {{lock: false, backend: {backend}}}
        environments:
          editable: {{package: editable}}
          only: {{requirements: [own]}}
        """,
    )
    project.nox("-s", "editable", "only", check=True)
    assert "apple==2.0" in project.cli("freeze", "editable", check=True).stdout
    assert project.cli("freeze", "only", check=True).stdout == "apple==2.0\n"
    assert "no drift" in project.nox("-s", "editable", "only", check=True).output


@pytest.mark.parametrize("backend", ["uv", "venv"])
def test_what_is_always_built_is_built_by_the_session_too(
    project: Project, index: Index, backend: Backend
) -> None:
    index.release("two-ways", "1.0", files={"two_ways/__init__.py": "wheel = True\n"})
    index.release_sdist("two-ways", "1.0")
    project.write(
        "envs.yaml",
        f"""
        version: 1
        environments:
          built:
            backend: {backend}
            requirements: [two-ways>=1]
            build_constraints: ["apple<2"]
            lock: {{no_binary: [two-ways]}}
        """,
    )
    project.nox("-s", "lock", "built", check=True)
    module = project.venv("built", backend).site / "two_ways/__init__.py"
    assert module.read_text() == "__version__ = '1.0'\n"
    assert not list((project.root / ".nox/built").glob("nox-envs-build.txt"))
