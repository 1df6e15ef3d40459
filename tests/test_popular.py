"""An environment of some 250 distributions: freeze agrees with the freezes of pip and of uv."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from nox_envs.pins import SEED_PACKAGES, canonical_name
from tests.conftest import Project, uv

pytestmark = [pytest.mark.functional, pytest.mark.network]

SPEC = Path(__file__).parent / "examples" / "popular.yaml"


@pytest.fixture(scope="module")
def popular(online: Project) -> Project:
    """Build the environment from a fresh lock."""
    shutil.copyfile(SPEC, online.root / "envs.yaml")
    online.nox("-s", "lock", check=True)
    built = online.nox("-s", "popular")
    assert built.returncode == 0, built.output
    assert "no drift" in built.output
    return online


def names_and_versions(frozen: str) -> set[tuple[str, str]]:
    """Return what a freeze lists, seed packages aside."""
    pairs = (line.split("==") for line in frozen.splitlines() if "==" in line)
    return {(canonical_name(n), v) for n, v in pairs if canonical_name(n) not in SEED_PACKAGES}


def test_freeze_lists_what_pip_and_uv_list(popular: Project) -> None:
    python = popular.venv("popular").python
    ours = names_and_versions(popular.cli("freeze", "popular", check=True).stdout)
    theirs = popular.machine.run(uv(), "pip", "freeze", "--python", python).stdout
    assert ours == names_and_versions(theirs)
    pips = popular.machine.run(sys.executable, "-m", "pip", "--python", python, "freeze", "--all")
    assert ours == names_and_versions(pips.stdout)
    assert len(ours) >= 240


def test_a_warm_run_of_a_large_environment_stays_clean(popular: Project) -> None:
    ran = popular.nox("-s", "popular", check=True)
    assert "no drift" in ran.output
    assert "pip install" not in ran.output
    assert "ready" in ran.output
