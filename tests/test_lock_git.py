"""Requirements of a git branch: their commit stays until an upgrade asks, with the real uv and git."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from nox_envs.lockfile.pylock import parse_pylock
from nox_envs.lockfile.text import parse
from nox_envs.workflow.locking import result_lines
from tests.conftest import Machine, Project
from tests.index import Index, write_source
from tests.test_git_objects import run_git
from tests.test_lock_options import Locker

pytestmark = [
    pytest.mark.functional,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]

URL = "git+https://git.example.org/widget"
OTHER = "git+https://git.example.org/gadget"
SPEC = f"""
    defaults: {{python: "3.12"}}
    environments:
      shop: {{requirements: ["widget @ {URL}@main", "plum>=1.0"], lock: {{format: both}}}}
"""
GROUP = f"""
    defaults: {{python: "3.12"}}
    environments:
      one: {{requirements: ["widget @ {URL}@main"], lock: {{group: shop}}}}
      two: {{requirements: ["widget @ {URL}@main", "plum>=1.0"], lock: {{group: shop}}}}
      over: {{requirements: ["widget @ {URL}@main", "apple>=1.0"], constraints: [{{lock: one}}]}}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository of the package `widget` with one commit on main."""
    root = write_source(tmp_path / "widget", "widget", "1.0")
    run_git(root, "init", "-q", "-b", "main")
    commit(root)
    return root


@pytest.fixture
def locker(tmp_path: Path, machine: Machine, repository: Path) -> Locker:
    """Lock in a project whose git finds the repository at a URL."""
    made = Locker(tmp_path / "project", machine)
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{repository.as_uri()}"]\n\tinsteadOf = https://git.example.org/widget\n')
    made.env["GIT_CONFIG_GLOBAL"] = str(settings)
    return made


def commit(root: Path) -> str:
    """Commit whatever is there, and something new; return the commit."""
    note = root / "note.txt"
    note.write_text((note.read_text() if note.exists() else "") + "more\n")
    run_git(root, "add", ".")
    run_git(root, "commit", "-q", "-m", "more")
    return run_git(root, "rev-parse", "HEAD").strip()


def commits(locker: Locker, name: str, package: str = "widget") -> str:
    """Return the commit of a package in the lock of an environment."""
    pins = parse(locker.read(name), origin=name).pins
    return next(pin.source.revision for pin in pins if pin.name == package)


def test_a_branch_stays_at_its_commit_until_an_upgrade_asks(locker: Locker, repository: Path) -> None:
    first = run_git(repository, "rev-parse", "HEAD").strip()
    locker.locked(SPEC)
    text = locker.read("shop")
    assert f"widget @ {URL}@{first}" in text
    assert f"environment shop: widget @ {URL}@main" in text
    second = commit(repository)
    assert locker.lock()["shop"].outcome == "unchanged"
    assert locker.read("shop") == text
    assert locker.lock(packages=("plum",))["shop"].outcome == "unchanged"
    assert locker.doubts("shop") == []
    (change,) = locker.lock(packages=("widget",))["shop"].changes
    assert (change.before, change.after) == (first, second)
    pylock = (locker.root / "pylock.shop.toml").read_text(encoding="utf-8")
    assert [pin.source.revision for pin in parse_pylock(pylock, origin="pylock.shop.toml").pins][1] == second
    third = commit(repository)
    assert locker.lock(upgrade=True)["shop"].outcome == "written"
    assert commits(locker, "shop") == third


def test_a_pylock_alone_keeps_the_commit_of_a_branch_too(locker: Locker, repository: Path) -> None:
    locker.locked(SPEC.replace("both", "pylock"))
    commit(repository)
    assert locker.lock()["shop"].outcome == "unchanged"


def test_another_branch_or_a_commit_that_is_gone_is_resolved_anew(locker: Locker, repository: Path) -> None:
    locker.locked(SPEC)
    run_git(repository, "checkout", "-q", "-b", "next")
    newer = commit(repository)
    locker.locked(SPEC.replace("@main", "@next"))
    assert commits(locker, "shop") == newer
    text = locker.read("shop").replace(newer, "1" * 40)
    (locker.root / "requirements" / "shop.txt").write_text(text, encoding="utf-8")
    result = locker.lock()["shop"]
    assert (result.outcome, commits(locker, "shop")) == ("written", newer), result.message
    gone = "widget: the locked commit 111111111111 is not in its repository any more"
    assert result.notes == (f"{gone}, so that of the branch was taken",)
    assert f"  note: {result.notes[0]}" in result_lines(result)


def test_a_commit_that_conflicts_with_what_is_required_gives_way_alone(
    locker: Locker, repository: Path, tmp_path: Path
) -> None:
    other = SPEC.replace('["widget', f'["gadget @ {OTHER}@main", "widget')
    gadget = write_source(tmp_path / "gadget", "gadget", "1.0")
    run_git(gadget, "init", "-q", "-b", "main")
    first = commit(gadget)
    with (tmp_path / "gitconfig").open("a") as settings:
        settings.write(f'[url "{gadget.as_uri()}"]\n\tinsteadOf = https://git.example.org/gadget\n')
    locker.locked(other)
    old = commits(locker, "shop")
    commit(gadget)
    write_source(repository, "widget", "2.0")
    newer = commit(repository)
    locker.spec(other.replace("lock:", 'constraints: ["widget>=2"], lock:'))
    result = locker.lock()["shop"]
    assert (commits(locker, "shop"), commits(locker, "shop", "gadget")) == (newer, first)
    reason = f"the locked commit {old[:12]} does not go with what else is required"
    assert result.notes == (f"widget: {reason}, so that of the branch was taken",)


def test_what_fails_for_another_reason_moves_no_commit_and_is_tried_once(
    locker: Locker, repository: Path
) -> None:
    locker.locked(SPEC)
    commit(repository)
    text = locker.read("shop")
    before = len(locker.commands)
    locker.spec(SPEC.replace("plum>=1.0", "plum>=99"))
    result = locker.lock()["shop"]
    assert (result.outcome, result.notes, locker.read("shop")) == ("failed", (), text)
    assert len(locker.commands) == before + 1


@pytest.mark.skipif(sys.platform == "win32", reason="the git that fails is a shell script")
def test_a_commit_that_could_not_be_fetched_this_time_stays(
    locker: Locker, repository: Path, tmp_path: Path
) -> None:
    locker.locked(SPEC)
    first = commits(locker, "shop")
    commit(repository)
    text = locker.read("shop")
    shim = tmp_path / "failing" / "git"
    shim.parent.mkdir()
    shim.write_text(
        f'#!/bin/sh\ncase "$*" in *fetch*{first}*) echo "could not resolve host" >&2; exit 128;; esac\n'
        f'exec "{shutil.which("git")}" "$@"\n'
    )
    shim.chmod(0o755)
    locker.env["PATH"] = os.pathsep.join((str(shim.parent), os.environ["PATH"]))
    locker.env["UV_CACHE_DIR"] = str(tmp_path / "cold")
    result = locker.lock()["shop"]
    assert (result.outcome, locker.read("shop")) == ("failed", text)
    assert "could not resolve host" in result.message
    assert result.message.endswith(
        "hint: widget: its locked commit stays; nox -s lock -- --upgrade-package widget takes another"
    )


def test_pip_too_takes_another_commit_only_where_the_one_that_is_locked_is_gone(
    project: Project, repository: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{repository.as_uri()}"]\n\tinsteadOf = https://git.example.org/widget\n')
    env = {"GIT_CONFIG_GLOBAL": str(settings)}
    shop = f'{{requirements: ["widget @ {URL}@main", "apple>=1"], lock: {{resolver: pip}}}}'
    project.write("envs.yaml", f"version: 1\nenvironments:\n  shop: {shop}\n")
    project.write("requirements/shop.txt", f"apple==1.0\nwidget @ {URL}@{'1' * 40}\n")
    ran = project.nox("-s", "lock", env=env, check=True)
    assert "note: widget: the locked commit 111111111111 is not in its repository any more" in ran.output
    text = project.read("requirements/shop.txt")
    assert "apple==1.0" in text
    commit(repository)
    settings.write_text('[url "file:///nowhere"]\n\tinsteadOf = https://git.example.org/widget\n')
    ran = project.nox("-s", "lock", env=env)
    assert (ran.returncode, project.read("requirements/shop.txt")) == (1, text)
    assert "hint: the pins stay as they are locked" in ran.output


def test_a_group_and_a_layer_have_the_commit_that_is_locked(locker: Locker, repository: Path) -> None:
    first = run_git(repository, "rev-parse", "HEAD").strip()
    locker.locked(GROUP)
    second = commit(repository)
    assert {one.outcome for one in locker.lock().values()} == {"unchanged"}
    assert locker.lock("over", upgrade=True)["over"].outcome == "unchanged"
    assert {commits(locker, name) for name in ("one", "two", "over")} == {first}
    assert {one.outcome for one in locker.lock(upgrade=True).values()} == {"written"}
    assert {commits(locker, name) for name in ("one", "two", "over")} == {second}


def test_a_url_with_credentials_that_a_package_brings_is_refused(locker: Locker, index: Index) -> None:
    url = index.url.replace("/simple", "/files/plum-1.0-py3-none-any.whl").replace("//", "//me:secret@")
    write_source(locker.root / "helper", "helper", "1.0", requires=[f"plum @ {url}"])
    locker.spec(
        """
        requirements: {app: [./helper]}
        environments: {shop: {requirements: [app]}}
        """
    )
    result = locker.lock()["shop"]
    assert (result.outcome, result.message) == (
        "failed",
        "plum: helper names a URL with credentials, which no lock may hold; "
        "take them out of it and leave them to netrc or the environment",
    )
    assert not (locker.root / "requirements").exists()
