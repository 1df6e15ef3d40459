from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from nox_envs.pins import INDEX, Source, source_of_path, source_of_url
from nox_envs.workflow.source_tree import fingerprint, tree_of
from tests.index import write_source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a project with sources."""
    root = write_source(tmp_path / "project", "hazel", "1.0")
    (root / "hazel" / "build").mkdir()
    (root / "hazel" / "build" / "steps.py").write_text("")
    return root


def both(root: Path) -> tuple[str, str]:
    return fingerprint(root, editable=True), fingerprint(root, editable=False)


def test_the_fingerprint_of_the_same_tree_is_the_same(root: Path) -> None:
    assert both(root) == both(root)
    assert len(set(both(root))) == 2
    assert all(found.startswith("sha256:") for found in both(root))


def test_a_copy_with_its_times_has_the_same_fingerprint(root: Path, tmp_path: Path) -> None:
    assert both(shutil.copytree(root, tmp_path / "copy")) == both(root)


@pytest.mark.parametrize("name", ["pyproject.toml", "setup.py", "setup.cfg"])
def test_metadata_counts_for_both(root: Path, name: str) -> None:
    before = both(root)
    with (root / name).open("a") as stream:
        stream.write("# changed\n")
    after = both(root)
    assert (after[0] == before[0], after[1] == before[1]) == (False, False)


@pytest.mark.parametrize("name", ["hazel/__init__.py", "hazel/build/steps.py", "README.md", "backend.py"])
def test_a_source_counts_for_a_wheel_only(root: Path, name: str) -> None:
    before = both(root)
    (root / name).write_text("changed = True\n")
    after = both(root)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_the_time_of_a_metadata_file_does_not_count_for_an_editable_install(root: Path) -> None:
    before = both(root)
    os.utime(root / "pyproject.toml", (1, 1))
    after = both(root)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_a_file_that_was_renamed_or_removed_counts(root: Path) -> None:
    before = fingerprint(root, editable=False)
    steps = root / "hazel" / "build" / "steps.py"
    renamed = steps.rename(steps.with_name("other.py"))
    moved = fingerprint(root, editable=False)
    renamed.unlink()
    assert len({before, moved, fingerprint(root, editable=False)}) == 3


@pytest.mark.parametrize(
    "path",
    [
        ".git/HEAD",
        ".coverage",
        "build/lib/hazel.py",
        "dist/hazel-1.0.tar.gz",
        "hazel/__pycache__/hazel.pyc",
        "hazel/old.pyc",
        "hazel.egg-info/PKG-INFO",
        "docs/node_modules/x.js",
    ],
)
def test_what_is_generated_does_not_count(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    if path.startswith("docs"):
        (root / "docs" / "index.md").write_text("")
    before = both(root)
    (root / path).write_text("generated\n")
    assert both(root) == before


def test_nothing_in_a_venv_counts(root: Path) -> None:
    before = both(root)
    (root / "env" / "lib").mkdir(parents=True)
    (root / "env" / "lib" / "hazel.py").write_text("")
    assert both(root) != before
    (root / "env" / "pyvenv.cfg").write_text("")
    assert both(root) == before


@pytest.mark.skipif(sys.platform != "linux", reason="not every system has such names and links")
def test_a_loop_of_links_and_odd_names_do_no_harm(root: Path) -> None:
    before = fingerprint(root, editable=False)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "nowhere").symlink_to(root / "absent")
    (root / os.fsdecode(b"odd-\xff")).write_text("")
    assert fingerprint(root, editable=False) != before


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everything is readable here")
def test_a_folder_that_cannot_be_read_does_no_harm(root: Path) -> None:
    (root / "secret").mkdir(mode=0)
    assert fingerprint(root, editable=False).startswith("sha256:")


def test_a_project_that_is_not_there_has_a_fingerprint(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "absent", editable=False) == fingerprint(tmp_path / "gone", editable=False)


def test_only_a_directory_has_a_tree(root: Path) -> None:
    whole = fingerprint(root, editable=False)
    assert tree_of(source_of_path(".", str(root))) == whole
    assert tree_of(source_of_path(root.name, str(root.parent), editable=True)) != whole
    inside = Source(kind="directory", url=root.parent.as_uri(), subdirectory=root.name)
    assert tree_of(inside) == whole
    assert tree_of(INDEX) == tree_of(source_of_url("git+https://git.example.org/a@main")) == ""
