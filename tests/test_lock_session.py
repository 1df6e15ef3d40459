"""The session `lock` as people run it: real nox, real uv, a local index."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nox_envs.lockfile.text import parse
from tests.conftest import Machine, Project
from tests.index import Index

pytestmark = pytest.mark.functional

SPEC = """\
version: 1
requirements:
  app: [basket>=1]
environments:
  base: {python: "3.12", requirements: [app]}
  tests: {python: ["3.10", "3.12"], requirements: [app, plum>=1], constraints: [{lock: base}]}
  lint: {python: "3.12", requirements: ["press==1.0"]}
"""


def made(machine: Machine, root: Path, spec: str = SPEC) -> Project:
    project = Project(root=root, machine=machine)
    project.write("noxfile.py", 'from nox_envs import load\n\nload("envs.yaml")\n')
    project.write("envs.yaml", spec)
    return project


def told(output: str) -> list[str]:
    """Return what the session said, without nox's own lines."""
    lines = [line.partition("nox > ")[2] for line in output.splitlines() if line.startswith("nox > ")]
    return [line for line in lines if not line.startswith(("Running session", "Session "))]


@pytest.fixture(scope="module")
def locked(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Lock a project once; a test that changes it works on a copy."""
    project = made(machine, tmp_path_factory.mktemp("locked") / "project")
    project.nox("-s", "lock", check=True)
    return project


@pytest.fixture
def copied(locked: Project, tmp_path: Path) -> Project:
    """Copy the locked project."""
    root = tmp_path / "copy"
    shutil.copytree(locked.root, root, ignore=shutil.ignore_patterns(".nox"))
    return Project(root=root, machine=locked.machine)


def bytes_of(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((project.root / "requirements").iterdir())}


def test_a_first_run_tells_what_was_added_in_one_summary(machine: Machine, tmp_path: Path) -> None:
    project = made(machine, tmp_path / "project")
    first = project.nox("-s", "lock", "--", "base")
    assert first.returncode == 0
    assert told(first.output) == [
        "base (requirements/base.txt): written: 2 added, 0 stayed",
        "  + apple 2.0",
        "  + basket 1.1",
        "requirements/tests.txt builds on base; next: nox -s lock -- tests",
    ]
    assert "\r" not in first.output


def test_a_second_run_changes_no_byte(copied: Project, locked: Project) -> None:
    again = copied.nox("-s", "lock")
    assert told(again.output) == [
        "base (requirements/base.txt): unchanged (2 pins)",
        "lint (requirements/lint.txt): unchanged (1 pin)",
        "tests (requirements/tests.txt): unchanged (4 pins)",
    ]
    assert bytes_of(copied) == bytes_of(locked)


def test_another_checkout_and_another_python_write_the_same_bytes(
    machine: Machine, locked: Project, tmp_path: Path, interpreters: Callable[[str], str]
) -> None:
    project = made(machine, tmp_path / "elsewhere" / "deeper")
    paths = [
        str(Path(__file__).parent.parent / "src"),
        *(path for path in sys.path if "site-packages" in path),
    ]
    machine.run(
        interpreters("3.13"),
        *("-m", "nox", "-s", "lock"),
        cwd=project.root,
        env={"PYTHONPATH": os.pathsep.join(paths)},
    )
    assert bytes_of(project) == bytes_of(locked)


def test_a_check_is_offline_and_says_what_is_not_fresh(copied: Project) -> None:
    offline = {"UV_OFFLINE": "1", "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}
    fresh = copied.nox("-s", "lock", "--", "--check", env=offline)
    assert (fresh.returncode, told(fresh.output)) == (0, ["every lock is fresh"])
    copied.write("envs.yaml", SPEC.replace("plum>=1", "plum>=2"))
    before = bytes_of(copied)
    stale = copied.nox("-s", "lock", "--", "--check", env=offline)
    assert stale.returncode == 1
    assert "lock-unsatisfied" in stale.output
    assert "plum==1.0" in stale.output
    assert "envs.yaml:6" in stale.output
    assert bytes_of(copied) == before


def test_a_dry_run_resolves_and_writes_nothing(copied: Project) -> None:
    before = bytes_of(copied)
    copied.write("envs.yaml", SPEC.replace("app: [basket>=1]", "app: [basket>=1, apple<2]"))
    dry = copied.nox("-s", "lock", "--", "--dry-run", "base")
    assert told(dry.output) == [
        "base (requirements/base.txt): would change: 1 changed, 1 stayed",
        "  ~ apple 2.0 -> 1.1 (major)",
    ]
    assert bytes_of(copied) == before


def test_a_contradiction_ends_with_an_error_and_leaves_its_old_file(copied: Project) -> None:
    before = bytes_of(copied)
    copied.write(
        "envs.yaml",
        SPEC.replace("[app, plum>=1]", "[app, plum>=1, plum<1]").replace("press==1.0", "press>=1"),
    )
    failed = copied.nox("-s", "lock")
    assert failed.returncode == 1
    lines = told(failed.output)
    assert lines[0] == "base (requirements/base.txt): unchanged (2 pins)"
    assert lines[1] == "lint (requirements/lint.txt): written: 1 stayed"
    assert lines[2] == "tests (requirements/tests.txt): failed, the old file is as it was"
    assert [line for line in lines if "envs.yaml:" in line] == [
        "    environment tests: plum>=1 (envs.yaml:6)",
        "    environment tests: plum<1 (envs.yaml:6)",
    ]
    assert "not locked: requirements/tests.txt; the old files are as they were" in failed.output
    assert bytes_of(copied)["tests.txt"] == before["tests.txt"]
    assert bytes_of(copied)["lint.txt"] != before["lint.txt"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--upgrade-package", "appel"), "--upgrade-package: no lock holds 'appel' (did you mean 'apple'?)"),
        (("test",), "no environment 'test' (did you mean 'tests'?)"),
        (("--check", "--upgrade"), "--check changes nothing: run it without --upgrade"),
        (("--upgrate",), "unrecognized arguments: --upgrate"),
    ],
)
def test_a_mistake_in_the_words_is_an_error_without_a_traceback(
    copied: Project, words: tuple[str, ...], message: str
) -> None:
    refused = copied.nox("-s", "lock", "--", *words)
    assert refused.returncode == 1
    assert message in refused.output
    assert "Traceback" not in refused.output


def test_locks_that_nothing_declares_are_pruned(copied: Project) -> None:
    copied.write("requirements/by-hand.txt", "apple==1.0\n")
    copied.write("envs.yaml", SPEC.replace("  lint:", "  style:"))
    assert (
        "requirements/lint.txt: would be removed, nothing declares it"
        in copied.nox("-s", "lock", "--", "--prune", "--dry-run").output
    )
    pruned = copied.nox("-s", "lock", "--", "--prune", check=True)
    assert "requirements/lint.txt: removed, nothing declares it" in pruned.output
    assert sorted(bytes_of(copied)) == ["base.txt", "by-hand.txt", "style.txt", "tests.txt"]


def test_a_leak_or_a_pin_without_a_hash_stops_a_session(copied: Project) -> None:
    lock = copied.read("requirements/lint.txt")
    copied.write(
        "requirements/lint.txt",
        lock.replace("\npress", "\n--index-url https://me:secret@packages.example.org\npress"),
    )
    leaking = copied.nox("-s", "lint")
    assert leaking.returncode == 1
    assert "leak" in leaking.output
    assert "credentials in a URL" in leaking.output
    assert "secret" not in leaking.output
    copied.write("requirements/lint.txt", "press==1.0\n")
    bare = copied.nox("-s", "lint")
    assert bare.returncode == 1
    assert "lock-unhashed" in bare.output


def test_a_file_whose_hash_is_not_that_of_the_lock_is_not_installed(
    machine: Machine, tmp_path: Path, index: Index
) -> None:
    index.release("swapped", "1.0")
    spec = 'version: 1\nenvironments: {shop: {requirements: ["swapped==1.0"], commands: [python -V]}}\n'
    project = made(machine, tmp_path / "project", spec)
    cached = {"UV_CACHE_DIR": str(tmp_path / "cache")}
    project.nox("-s", "lock", env=cached, check=True)
    index.corrupt("swapped-1.0-py3-none-any.whl")
    shutil.rmtree(tmp_path / "cache")
    refused = project.nox("-s", "shop", env=cached)
    assert refused.returncode == 1
    assert "Hash mismatch" in refused.output
    assert "not finished" in project.cli("drift", "shop").output


def test_a_session_installs_from_the_indexes_of_the_lock(
    machine: Machine, tmp_path: Path, index: Index, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.index import serve

    with serve(tmp_path_factory.mktemp("inner")) as inner:
        inner.release("apple", "1.0", files={"apple/__init__.py": "other = True\n"})
        inner.release("plum", "9.0")
        spec = f"""\
version: 1
indexes:
  outer: {{url: {index.url}}}
  inner: {{url: {inner.url}, packages: [apple]}}
environments:
  shop: {{requirements: ["basket>=1", "plum>=1"], commands: [python -c "import apple; print(apple.other)"]}}
  pip: {{extends: shop, backend: virtualenv}}
"""
        project = made(machine, tmp_path / "project", spec)
        nowhere = {
            "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        }
        project.nox("-s", "lock", env=nowhere, check=True)
        ran = project.nox("-s", "shop", "pip", env=nowhere)
    assert ran.returncode == 0, ran.output
    assert ran.output.count("True") == 2
    for name in ("shop", "pip"):
        assert project.cli("freeze", name).stdout.split() == ["apple==1.0", "basket==1.1", "plum==1.0"]
        assert "127.0.0.1" not in project.read(f"requirements/{name}.txt")


def test_a_universal_lock_installs_without_drift_on_every_python_that_is_there(
    machine: Machine, tmp_path: Path
) -> None:
    spec = """\
version: 1
environments:
  tests: {python: ["3.10", "3.11", "3.12", "3.13"], requirements: ["basket[dried]>=1", "pear>=1"]}
"""
    project = made(machine, tmp_path / "project", spec)
    project.nox("-s", "lock", check=True)
    ran = project.nox("--no-error-on-missing-interpreters", "-s", "tests")
    assert ran.returncode == 0, ran.output
    folders = sorted(path.name for path in (project.root / ".nox").glob("tests-*"))
    built = [folder.replace("-3-", "-3.") for folder in folders]
    assert built
    for name in built:
        drift = project.cli("drift", name)
        assert drift.returncode == 0, drift.output
    wants_berry = {name: "berry" in project.cli("freeze", name).stdout for name in built}
    assert wants_berry == {name: name == "tests-3.10" for name in built}


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_run_that_is_killed_leaves_each_lock_old_or_new(copied: Project) -> None:
    old = bytes_of(copied)
    copied.write("envs.yaml", SPEC.replace("basket>=1", "basket<1.1").replace("plum>=1", "plum<2"))
    fresh = Project(root=copied.root.parent / "fresh", machine=copied.machine)
    shutil.copytree(copied.root, fresh.root)
    start = time.monotonic()
    fresh.nox("-s", "lock", check=True)
    whole = time.monotonic() - start
    new = bytes_of(fresh)
    assert all(old[name] != new[name] for name in ("base.txt", "tests.txt"))
    seen: set[bool] = set()
    chance = random.Random(7)
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-m", "nox", "-s", "lock"],
            cwd=copied.root,
            env=copied.machine.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(chance.uniform(0.4, 1.0) * whole)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for name, content in bytes_of(copied).items():
            if name.endswith(".txt"):
                assert content in (old[name], new[name])
                parse(content.decode(), origin=name)
                seen.add(content == new[name])
        for name, content in old.items():
            (copied.root / "requirements" / name).write_bytes(content)
    assert seen
    copied.nox("-s", "lock", check=True)
    assert bytes_of(copied).keys() == old.keys()
