"""What is remembered of a spec: the same points, and never those of other bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nox_envs.errors import FileProblems
from nox_envs.matrix import Point, expand
from nox_envs.spec.read import read_spec
from nox_envs.workflow.memory import Memory, row_of
from nox_envs.workflow.project import Project

SPEC = """\
version: 1
requirements:
  app: [rich, "colorama; sys_platform == 'win32'"]
indexes:
  main: https://packages.example.org/simple
environments:
  tests:
    python: ["3.11", "3.12"]
    matrix:
      django: {"4.2": {tags: [old]}, "5.2": {set_env: {NEW: "1"}}}
    requirements: [app, "django~={django}.0"]
    constraints: [{lock: base}, "idna<4"]
    package: {mode: wheel, extras: [cli]}
    commands: [{run: "pytest {posargs:-q}", success_codes: [0, 5], allow_failure: true}]
    lock: {exclude_newer: {than: 7 days, exempt: [rich]}}
    drift: {policy: fail, ignore: [{kind: leftover, reason: ours, until: 2030-01-01}]}
    allow_prereleases: [rich]
  base: {requirements: [app], default: false}
"""


def points(text: str = SPEC) -> tuple[Point, ...]:
    """Return the points of a spec as they are read."""
    return expand(read_spec(text, origin="envs.yaml"))


def memory(folder: Path, text: str = SPEC, names: tuple[str, ...] = ("envs.yaml",)) -> Memory:
    """Return the memory of a spec in a project that nox has run in."""
    (folder / ".nox").mkdir(exist_ok=True)
    return Memory(folder / ".nox/.nox-envs", text.encode(), names)


def test_what_is_recalled_is_what_was_read(tmp_path: Path) -> None:
    memory(tmp_path).remember(points())
    recalled = memory(tmp_path)
    assert recalled.recall() == tuple(map(row_of, points()))
    assert tuple(recalled.point(n) for n in range(len(points()))) == points()


def test_other_bytes_or_names_recall_nothing(tmp_path: Path) -> None:
    memory(tmp_path).remember(points())
    assert memory(tmp_path, SPEC + "# a comment\n").recall() is None
    assert memory(tmp_path, names=("other.yaml",)).recall() is None
    assert memory(tmp_path).recall() is not None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "\n\n", "\n" + "[" * 9999 + "\n", "null", "\xff", "KEY\n[[]]\n{}\n", "KEY\n[]\n{}\n"],
)
def test_a_damaged_memory_recalls_nothing(tmp_path: Path, content: str) -> None:
    damaged = memory(tmp_path)
    damaged.remember(points())
    file = tmp_path / ".nox/.nox-envs/spec"
    key = file.read_text().partition("\n")[0]
    file.write_text(content.replace("KEY", key), encoding="latin-1")
    assert damaged.recall() is None


def test_where_nox_never_ran_nothing_is_written(tmp_path: Path) -> None:
    Memory(tmp_path / ".nox/.nox-envs", SPEC.encode(), ()).remember(points())
    assert list(tmp_path.iterdir()) == []


def test_a_project_takes_its_sessions_from_the_memory_and_its_errors_from_the_file(tmp_path: Path) -> None:
    def project() -> Project:
        return Project(tmp_path / "envs.yaml", envdir=".nox", environ={}, host=dict)

    (tmp_path / ".nox").mkdir()
    (tmp_path / "envs.yaml").write_text(SPEC)
    first, second = project(), project()
    assert first.sessions == second.sessions
    assert first.point_of("tests", "3.12", (("django", "5.2"),)) == second.points[3]
    assert second.point_of("base", None, ()) == first.points[4]
    (tmp_path / "envs.yaml").write_text(SPEC.replace("base}", "bose}"))
    with pytest.raises(FileProblems, match="'base'"):
        assert project().sessions
