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


def test_a_point_that_is_damaged_is_read_anew(tmp_path: Path) -> None:
    memory(tmp_path).remember(points())
    file = tmp_path / ".nox/.nox-envs/spec"
    lines = file.read_text().split("\n")
    file.write_text("\n".join([*lines[:2], "{", *lines[3:]]))
    damaged = memory(tmp_path)
    assert damaged.recall() is not None
    assert (damaged.point(0), damaged.point(1)) == (None, points()[1])


def test_where_nox_never_ran_nothing_is_written(tmp_path: Path) -> None:
    Memory(tmp_path / ".nox/.nox-envs", SPEC.encode(), ()).remember(points())
    assert list(tmp_path.iterdir()) == []


def test_a_project_takes_its_sessions_from_the_memory_and_its_errors_from_the_file(tmp_path: Path) -> None:
    def project() -> Project:
        return Project(tmp_path / "envs.yaml", envdir=".nox", environ={}, host=dict)

    (tmp_path / ".nox").mkdir()
    (tmp_path / "envs.yaml").write_text(SPEC)
    first, second = project(), project()
    assert first.sessions == tuple(map(row_of, first.points))
    first.remember()
    assert first.sessions == second.sessions
    assert first.point_of("tests", "3.12", (("django", "5.2"),)) == second.points[3]
    assert second.point_of("base", None, ()) == first.points[4]
    (tmp_path / "envs.yaml").write_text(SPEC.replace("base}", "bose}"))
    with pytest.raises(FileProblems, match="'base'"):
        assert project().sessions


FILES = """\
version: 1
requirements:
  app: [{file: app.in}]
environments:
  tests: {requirements: [app, "rich>=13"]}
"""


def recalled(root: Path, environ: dict[str, str] | None = None) -> tuple[bool, str]:
    """Return whether the plan of `tests` came from memory, and its digest."""
    project = Project(root / "envs.yaml", envdir=".nox", environ=environ or {}, host=dict)
    point = project.point_of("tests", None, ())
    digest = project.remembered_plan_of(point).digest
    return "composer" not in project.__dict__, digest


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    """Make a project whose plan is remembered."""
    (tmp_path / ".nox").mkdir()
    (tmp_path / "envs.yaml").write_text(FILES)
    (tmp_path / "app.in").write_text("-r more.in\n")
    (tmp_path / "more.in").write_text("colorama\n")
    assert recalled(tmp_path)[0] is False
    assert recalled(tmp_path)[0] is True
    return tmp_path


def test_a_plan_that_is_remembered_is_the_plan(planned: Path) -> None:
    project = Project(planned / "envs.yaml", envdir=".nox", environ={}, host=dict)
    assert recalled(planned) == (True, project.plan_of(project.points[0]).digest)


@pytest.mark.parametrize("name", ["app.in", "more.in", "pyproject.toml", "envs.yaml"])
def test_a_plan_is_forgotten_when_anything_it_came_from_changes(planned: Path, name: str) -> None:
    file = planned / name
    file.write_text((file.read_text() if file.exists() else "") + "\n# changed\n")
    assert recalled(planned)[0] is False
    assert recalled(planned)[0] is True


def test_a_plan_is_forgotten_when_a_file_it_came_from_is_gone(planned: Path) -> None:
    (planned / "more.in").unlink()
    with pytest.raises(FileProblems, match=r"more\.in"):
        recalled(planned)


@pytest.mark.parametrize("line", ["apple==${APPLE}", "./vendor/apple"])
def test_a_plan_that_depends_on_more_than_files_is_not_remembered(planned: Path, line: str) -> None:
    (planned / "vendor/apple").mkdir(parents=True)
    (planned / "vendor/apple/pyproject.toml").write_text('[project]\nname = "apple"\nversion = "1"\n')
    (planned / "more.in").write_text(f"{line}\n")
    assert recalled(planned, {"APPLE": "1"})[0] is False
    assert recalled(planned, {"APPLE": "2"})[0] is False


def test_a_damaged_plan_is_not_used(planned: Path) -> None:
    (file,) = (planned / ".nox/.nox-envs/plans").iterdir()
    for content in ("", "{", "[]", "null", file.read_text().replace('"Declared"', '"Nothing"')):
        file.write_text(content)
        assert recalled(planned)[0] is False
        assert recalled(planned)[0] is True
