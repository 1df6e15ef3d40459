"""What is remembered of a spec between runs of nox: the same points, and never those of other bytes."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import pytest

from nox_envs.project import Memory, Project, row_of
from nox_envs.spec.keys import read_spec
from nox_envs.spec.points import expand
from tests.conftest import Project as NoxProject

SPEC = """\
version: 1
requirements:
  app: [rich, "colorama; sys_platform == 'win32'"]
indexes: {main: https://packages.example.org/simple}
environments:
  tests:
    name: "py{py}-django{django}"
    python: ["3.11", "3.12"]
    matrix: {django: {"4.2": {tags: [old]}, "5.2": {set_env: {NEW: "1"}}}}
    requirements: [app, "django~={django}.0", {file: app.in}, {group: dev}, {extra: cli}]
    constraints: [{lock: base}, "idna<4"]
    package: {mode: wheel, extras: [cli]}
    commands: [{run: "pytest {posargs:-q}", success_codes: [0, 5], set_env: {A: b}, change_dir: src}]
    drift: {policy: fail, ignore: [{kind: leftover, reason: ours, until: 2030-01-01}]}
    allow_prereleases: [rich]
  base: {requirements: [app], default: false}
"""
POINTS = expand(read_spec(SPEC, origin="envs.yaml"))


def memory(folder: Path, text: str = SPEC, names: tuple[str, ...] = ("envs.yaml",)) -> Memory:
    """Return the memory of a spec in a project that nox has run in."""
    (folder / ".nox").mkdir(exist_ok=True)
    return Memory(folder / ".nox/.nox-envs/spec", text.encode(), names)


def test_what_is_recalled_is_what_was_read_and_nothing_for_other_bytes_or_names(tmp_path: Path) -> None:
    memory(tmp_path).remember(POINTS)
    recalled = memory(tmp_path)
    assert recalled.rows() == tuple(map(row_of, POINTS))
    assert recalled.points() == POINTS
    for other in (memory(tmp_path, SPEC + "# a comment\n"), memory(tmp_path, names=("other.yaml",))):
        assert other.rows() is None
        assert other.point(0) is None


def test_where_nox_never_ran_nothing_is_written_and_a_link_is_replaced(tmp_path: Path) -> None:
    Memory(tmp_path / ".nox/.nox-envs/spec", SPEC.encode(), ()).remember(POINTS)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "victim").write_text("mine")
    (tmp_path / ".nox/.nox-envs").mkdir(parents=True)
    (tmp_path / ".nox/.nox-envs/spec").symlink_to(tmp_path / "victim")
    memory(tmp_path).remember(POINTS)
    assert (tmp_path / "victim").read_text() == "mine"
    assert memory(tmp_path).points() == POINTS


DAMAGED = ("", "{", "\n\n", "KEY\n", "KEY\nnull\n", "\xff", "KEY\n[[]]\n{}\n", "KEY\n[]\n{}\n")


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_memory_recalls_nothing(tmp_path: Path, content: str) -> None:
    damaged = memory(tmp_path)
    damaged.remember(POINTS)
    head, _, rest = content.replace("KEY", damaged.key).partition("\n")
    for text in (
        f"{head}\n{rest}",
        f"{head} {crc32(rest.encode())}\n{rest}",
    ):  # without a checksum, and with it
        (tmp_path / ".nox/.nox-envs/spec").write_text(text, encoding="latin-1")
        assert damaged.rows() is None
        assert damaged.points() is None


@pytest.mark.parametrize("line", ["{", '{"Nothing": {}}', '{"Point": {}}', '{"Point": 1}', "[" * 9999, "{}"])
def test_a_point_that_is_damaged_is_read_again(tmp_path: Path, line: str) -> None:
    memory(tmp_path).remember(POINTS)
    file = tmp_path / ".nox/.nox-envs/spec"
    head, rows, _, *others = file.read_text().split("\n")
    content = "\n".join([rows, line, *others])
    file.write_text(f"{head.split()[0]} {crc32(content.encode())}\n{content}")
    damaged = memory(tmp_path)
    assert damaged.rows()
    assert (damaged.point(0), damaged.point(1), damaged.point(99)) == (None, POINTS[1], None)
    (tmp_path / "envs.yaml").write_text(SPEC)
    assert Project(tmp_path / "envs.yaml", environ={}).points == POINTS


@pytest.mark.functional
def test_nox_remembers_and_a_changed_spec_is_read_again(project: NoxProject) -> None:
    project.write("envs.yaml", "version: 1\nenvironments: {a: {lock: false, commands: [python -c pass]}}\n")
    project.nox("-l", check=True)
    assert not (project.root / ".nox").exists()
    project.nox("-s", "a", check=True)
    assert (project.root / ".nox/.nox-envs/spec").is_file()
    assert "* a" in project.nox("-l", check=True).stdout
    project.write("envs.yaml", "version: 1\nenvironments: {b: {requirements: [nowhere]}}\n")
    assert "'nowhere'" in project.nox("-l").output
