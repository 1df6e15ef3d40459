"""What is remembered of a check that found nothing: it holds for the very same disk, and for nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nox_envs.cli import main
from nox_envs.evidence import evidence
from nox_envs.machine import markers
from nox_envs.report import EnvironmentReport, Report, render
from nox_envs.workflow.clean_check import Clean, CleanCheck
from nox_envs.workflow.project import Project
from tests.conftest import BareVenv

SPEC = """\
version: 1
requirements:
  app: [{file: app.in}]
environments:
  tests: {requirements: [app], package: {mode: editable}, python: ["3.11", "3.12"]}
  built: {requirements: [app], package: wheel}
  deep: {requirements: [app], drift: {files: changed}}
"""
FILES = ("app.in", "requirements/tests.txt", "pyproject.toml")
CLEAN = Clean(line="tests: no drift", report='{"summary": {"seconds": 1.25}}', sound=True)


HOST = {"sys_platform": "linux", "os_name": "posix"}


def check(
    root: Path,
    venv: Path,
    environment: str = "tests-3.12",
    host: Callable[[], Mapping[str, str]] = lambda: HOST,
) -> CleanCheck:
    """Return the check of an environment as a new process would make it."""
    project = Project(root / "envs.yaml", envdir=".nox", environ={}, host=host)
    name, _, python = environment.partition("-")
    return CleanCheck(project, project.point_of(name, python or None, ()), venv)


@pytest.fixture
def checked(tmp_path: Path, bare_venv: BareVenv) -> Path:
    """Make a project whose environment was checked and is remembered as clean."""
    bare_venv.add("apple", "1.0")
    bare_venv.add("plum", "2.0")
    (bare_venv.site / "plum.pth").write_text("plum\n")
    (bare_venv.site / "_virtualenv.py").write_text("patched = True\n")
    (bare_venv.location / "nox-envs.json").write_text("{}")
    (tmp_path / ".nox").mkdir(exist_ok=True)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "envs.yaml").write_text(SPEC)
    (tmp_path / "app.in").write_text("apple\n")
    (tmp_path / "requirements/tests.txt").write_text("apple==1.0\nplum==2.0\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "ours"\nversion = "1"\n')
    first = check(tmp_path, bare_venv.location)
    first.begin(FILES)
    first.remember(lambda: CLEAN)
    assert check(tmp_path, bare_venv.location).recall() == CLEAN
    return tmp_path


def _edit(path: Path) -> None:
    """Write another content of the same length, as an editor does: the time tells."""
    text = path.read_text()
    path.write_text(text[:-2] + ("x" if text[-2:-1] != "x" else "y") + text[-1:])
    os.utime(path, ns=(1, 1))


CHANGES: dict[str, Callable[[Path, BareVenv], object]] = {
    "the lock": lambda root, venv: _edit(root / "requirements/tests.txt"),
    "a requirements file": lambda root, venv: _edit(root / "app.in"),
    "the spec, in a comment": lambda root, venv: (root / "envs.yaml").write_text(SPEC + "# more\n"),
    "the project": lambda root, venv: (root / "pyproject.toml").write_text('[project]\nname = "ours"\n'),
    "the lock is a folder": lambda root, venv: _folder(root / "requirements/tests.txt"),
    "the lock is gone": lambda root, venv: (root / "requirements/tests.txt").unlink(),
    "a package is added": lambda root, venv: venv.add("pear", "1.0"),
    "a package is removed": lambda root, venv: (venv.site / "apple-1.0.dist-info").rename(root / "apple"),
    "metadata is edited": lambda root, venv: _edit(venv.site / "apple-1.0.dist-info/METADATA"),
    "metadata is gone": lambda root, venv: (venv.site / "apple-1.0.dist-info/METADATA").unlink(),
    "a source is recorded": lambda root, venv: (venv.site / "apple-1.0.dist-info/direct_url.json").write_text(
        "{}"
    ),
    "a hook is added": lambda root, venv: (venv.site / "evil.pth").write_text("import os\n"),
    "a hook is edited": lambda root, venv: _edit(venv.site / "plum.pth"),
    "a companion is edited": lambda root, venv: _edit(venv.site / "_virtualenv.py"),
    "sitecustomize is added": lambda root, venv: (venv.site / "sitecustomize.py").touch(),
    "a leftover": lambda root, venv: (venv.site / "~pple").mkdir(),
    "an egg-info": lambda root, venv: (venv.site / "fig-1.0.egg-info").mkdir(),
    "the configuration": lambda root, venv: _edit(venv.location / "pyvenv.cfg"),
    "the configuration is gone": lambda root, venv: (venv.location / "pyvenv.cfg").unlink(),
    "the receipt": lambda root, venv: (venv.location / "nox-envs.json").write_text("{ }"),
    "the receipt is gone": lambda root, venv: (venv.location / "nox-envs.json").unlink(),
    "the interpreter": lambda root, venv: _swap_interpreter(venv.location),
}


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _swap_interpreter(venv: Path) -> None:
    python = venv / "bin/python"
    python.parent.mkdir(exist_ok=True)
    python.unlink(missing_ok=True)
    python.symlink_to(venv / "another")
    (venv / "another").touch()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_is_judged_anew(
    checked: Path, bare_venv: BareVenv, change: Callable[[Path, BareVenv], object]
) -> None:
    change(checked, bare_venv)
    assert check(checked, bare_venv.location).recall() is None


def test_a_source_of_the_project_that_is_built_into_a_wheel_is_looked_at(
    checked: Path, bare_venv: BareVenv
) -> None:
    (checked / "module.py").write_text("x = 1\n")
    first = check(checked, bare_venv.location, "built")
    first.begin(())
    first.remember(lambda: CLEAN)
    assert check(checked, bare_venv.location, "built").recall() == CLEAN
    (checked / "module.py").write_text("x = 10\n")
    assert check(checked, bare_venv.location, "built").recall() is None


@pytest.mark.parametrize("session", ["tests-3.11", "built"])
def test_the_memory_of_one_session_is_not_that_of_another(
    checked: Path, bare_venv: BareVenv, session: str
) -> None:
    assert check(checked, bare_venv.location, session).recall() is None


def _startup_package(venv: Path, site: Path) -> None:
    (site / "sitecustomize").mkdir()
    (site / "sitecustomize/__init__.py").touch()


def _packages_elsewhere(venv: Path, site: Path) -> None:
    site.rename(venv.parent / "elsewhere")
    site.symlink_to(venv.parent / "elsewhere")


def _more_packages_elsewhere(venv: Path, site: Path) -> None:
    (venv.parent / "other/python3.12/site-packages").mkdir(parents=True)
    (venv / "lib64").symlink_to(venv.parent / "other")


def _no_packages(venv: Path, site: Path) -> None:
    site.rename(venv / "packages")


@pytest.mark.parametrize(
    "change", [_startup_package, _packages_elsewhere, _more_packages_elsewhere, _no_packages]
)
def test_what_shows_too_little_is_always_judged(
    bare_venv: BareVenv, change: Callable[[Path, Path], None]
) -> None:
    assert evidence(bare_venv.location) != ""
    change(bare_venv.location, bare_venv.site)
    assert evidence(bare_venv.location) == ""


def test_packages_behind_a_link_inside_of_the_venv_are_looked_at(bare_venv: BareVenv) -> None:
    (bare_venv.location / "lib").rename(bare_venv.location / "real")
    (bare_venv.location / "lib").symlink_to("real")
    (bare_venv.location / "lib64").symlink_to("lib")
    before = evidence(bare_venv.location)
    bare_venv.add("pear", "1.0")
    assert evidence(bare_venv.location) not in ("", before)


def test_compiled_modules_at_the_top_are_no_change(bare_venv: BareVenv) -> None:
    before = evidence(bare_venv.location)
    (bare_venv.site / "__pycache__").mkdir()
    assert evidence(bare_venv.location) == before


def test_another_machine_judges_anew(checked: Path, bare_venv: BareVenv) -> None:
    assert (
        check(checked, bare_venv.location, host=lambda: {**HOST, "sys_platform": "darwin"}).recall() is None
    )


def test_an_environment_that_compares_files_is_always_judged(checked: Path, bare_venv: BareVenv) -> None:
    deep = check(checked, bare_venv.location, "deep")
    deep.begin(FILES)
    deep.remember(lambda: CLEAN)
    assert deep.recall() is None


def test_what_came_from_more_than_files_is_always_judged(checked: Path, bare_venv: BareVenv) -> None:
    file = checked / ".nox/.nox-envs/clean" / f"{bare_venv.location.name}.json"
    file.unlink()
    unknown = check(checked, bare_venv.location)
    unknown.begin(None)
    unknown.remember(lambda: CLEAN)
    assert not file.exists()


def test_a_lock_that_is_written_while_a_session_checks_is_not_remembered_as_checked(
    checked: Path, bare_venv: BareVenv
) -> None:
    second = check(checked, bare_venv.location)
    second.begin(FILES)
    (checked / "requirements/tests.txt").write_text("apple==3.0\n")
    second.remember(lambda: CLEAN)
    assert check(checked, bare_venv.location).recall() is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"seen": 1}', '{"seen": {"": "x"}}', "\udcff"])
def test_a_damaged_memory_is_not_used(checked: Path, bare_venv: BareVenv, content: str) -> None:
    (file,) = (checked / ".nox/.nox-envs/clean").iterdir()
    file.write_text(content, errors="surrogateescape")
    assert check(checked, bare_venv.location).recall() is None


def test_the_report_says_how_long_this_session_took() -> None:
    report = json.dumps({"environments": [{"reason": '"seconds": 9', "seconds": 0.25}]})
    assert json.loads(Clean(line="", report=report, sound=True).lasting(3.14159)) == {
        "environments": [{"reason": '"seconds": 9', "seconds": 3.142}]
    }


def test_a_named_pipe_among_the_hooks_is_not_waited_for(checked: Path, bare_venv: BareVenv) -> None:
    os.mkfifo(bare_venv.site / "pipe.pth")
    assert evidence(bare_venv.location) == ""


def test_a_check_of_files_asks_no_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".nox/tests/lib/python3.12/site-packages").mkdir(parents=True)
    (tmp_path / ".nox/tests/pyvenv.cfg").write_text("version = 3.12.1\n")
    (tmp_path / "envs.yaml").write_text("version: 1\nenvironments:\n  tests: {requirements: [apple>=1]}\n")
    environment = EnvironmentReport(
        environment="tests", session="tests", python="3.12.1", lock="", location=".nox/tests", status="clean"
    )
    report = render(Report(environments=(environment,)), "json")
    remembered = check(tmp_path, tmp_path / ".nox/tests", "tests", host=markers)
    remembered.begin(("requirements/tests.txt",))
    remembered.remember(lambda: Clean(line="tests: no drift", report=report, sound=True))
    spec = str(tmp_path / "envs.yaml")
    assert main(["drift", "tests", "--spec", spec]) == main(["drift", "--spec", spec]) == 0
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/dev.txt").write_text("# nox and others\nnox\n")
    assert main(["drift", "--spec", spec]) == 0
    orphan = tmp_path / "requirements/old.txt"
    orphan.write_text("# environment: old\n# input: sha256:0\n")
    assert main(["drift", "--spec", spec]) == 1
    assert "lock-orphaned" in capsys.readouterr().out
    assert main(["drift", "tests", "--spec", spec, "--files", "all"]) == 1
    assert "lock-missing" in capsys.readouterr().out
