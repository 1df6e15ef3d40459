"""What an index does to a session and to a lock: it is gone, breaks off, serves half a file, or another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Project
from tests.faults import kinds, tracked
from tests.index import Index

pytestmark = pytest.mark.functional

WHEEL = "torn-1.0-py3-none-any.whl"
QUICK = {"UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "3", "PIP_RETRIES": "0"}


@pytest.fixture
def torn(project: Project, index: Index) -> Iterator[Project]:
    """Make a locked project without a venv whose only package has a wheel of its own."""
    parts = {f"torn/part{n}.py": f"# {n}\n" * 2000 for n in range(20)}
    index.release("torn", "1.0", files={"torn/__init__.py": "", **parts})
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: [torn==1.0]}\n")
    project.nox("-s", "lock", check=True)
    yield project
    index.mend()


def gone(index: Index) -> dict[str, str]:
    """Answer on no port any more."""
    return {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}


def breaks_off_its_page(index: Index) -> dict[str, str]:
    """Drop the connection in the middle of the page of the package."""
    index.break_off("/simple/torn/")
    return {}


def breaks_off_its_wheel(index: Index) -> dict[str, str]:
    """Drop the connection in the middle of the wheel."""
    index.break_off(f"/files/{WHEEL}")
    return {}


def serves_half_a_wheel(index: Index) -> dict[str, str]:
    """Serve half of the wheel as all of it."""
    index.truncate(WHEEL)
    return {}


def serves_another_wheel(index: Index) -> dict[str, str]:
    """Serve a wheel of another hash than the lock has."""
    index.corrupt(WHEEL)
    return {}


FAULTS = [gone, breaks_off_its_page, breaks_off_its_wheel, serves_half_a_wheel, serves_another_wheel]


@pytest.mark.parametrize(
    ("fault", "backend"), [*((fault, "uv") for fault in FAULTS), (breaks_off_its_wheel, "virtualenv")]
)
def test_a_session_survives_an_index_that(
    torn: Project, index: Index, fault: Callable[[Index], dict[str, str]], backend: str
) -> None:
    before = tracked(torn)
    env = {**QUICK, **fault(index)}
    ran = torn.nox("-s", "demo", "--force-venv-backend", backend, env=env)
    assert ran.returncode == 1, ran.output
    assert "aborted: the installer failed (see above)" in ran.output
    assert "Traceback" not in ran.output
    assert not (torn.root / ".nox/demo/nox-envs.json").exists()
    assert "it was not finished; nox -s demo" in torn.cli("drift", "demo").stdout
    index.mend()
    again = torn.nox("-s", "demo", "--force-venv-backend", backend)
    assert "never finished" in again.output
    assert kinds(torn) == []
    assert tracked(torn) == before


@pytest.mark.parametrize("fault", [gone, serves_half_a_wheel])
def test_a_repair_is_not_taken_for_whole_after_an_index_that(
    torn: Project, index: Index, fault: Callable[[Index], dict[str, str]]
) -> None:
    torn.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: ['apple>=1', torn==1.0]}\n")
    torn.nox("-s", "lock", "demo", check=True)
    torn.venv("demo").uninstall("torn", "apple")
    ran = torn.nox("-s", "demo", env={**QUICK, **fault(index)})
    assert ran.returncode == 1, ran.output
    assert "Traceback" not in ran.output
    if (torn.root / ".nox/demo/nox-envs.json").exists():
        assert kinds(torn) == ["missing", "missing"]  # nothing was changed yet
    index.mend()
    torn.nox("-s", "demo", check=True)
    assert kinds(torn) == []


@pytest.mark.parametrize("fault", [gone, breaks_off_its_page])
def test_a_lock_run_survives_an_index_that(
    torn: Project, index: Index, fault: Callable[[Index], dict[str, str]]
) -> None:
    before = tracked(torn)
    ran = torn.nox("-s", "lock", "--", "--upgrade", env={**QUICK, **fault(index)})
    assert ran.returncode == 1, ran.output
    assert "demo (requirements/demo.txt): failed, the old file is as it was" in ran.output
    assert "torn" in ran.output
    assert "Traceback" not in ran.output
    assert tracked(torn) == before
