"""The command line: its verbs, exit codes and errors; no traceback ever."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from nox_envs.cli import main
from tests.conftest import Machine, Project
from tests.index import Index

GOLDEN = Path(__file__).parent / "golden" / "spec"
BROKEN = sorted(path.stem for path in GOLDEN.glob("*.yaml") if path.with_suffix(".txt").exists())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty directory, outside CI, without colour."""
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_spec_is_told_with_exit_code_two_and_nothing_is_written(
    here: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / f"{name}.yaml").write_bytes((GOLDEN / f"{name}.yaml").read_bytes())
    assert main(["check", "--spec", f"{name}.yaml"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert os.listdir(here) == [f"{name}.yaml"]


def test_there_are_fifty_broken_specs() -> None:
    assert len(BROKEN) >= 50


def test_two_environments_on_one_venv_path_are_an_error(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "envs.yaml").write_text(
        'version: 1\nenvironments:\n  tests: {python: ["3.12"]}\n  tests-3-12: {lock: false}\n'
    )
    assert main(["check"]) == 2
    told = capsys.readouterr().err
    assert "envs.yaml:4:3" in told
    assert "'tests-3.12'" in told
    assert "'tests-3-12'" in told


@pytest.mark.parametrize("verb", ["check", "list", "drift"])
def test_a_spec_that_is_not_there_is_told(here: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb]) == 2
    told = capsys.readouterr().err
    assert told == "envs.yaml:1:1: no such file (nox-envs init writes one; or name it with --spec)\n"
    assert main([verb, "--spec", "ci/more.yaml"]) == 2
    assert capsys.readouterr().err.startswith("ci/more.yaml:1:1: no such file")
    assert os.listdir(here) == []


def test_the_name_of_an_environment_is_suggested(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  tests: {lock: false}\n")
    for typo in ("test", "tset", "TESTS"):
        assert main(["drift", typo]) == 2
        assert "did you mean 'tests'?" in capsys.readouterr().err
    assert main(["freeze", "docs"]) == 2
    assert "no environment 'docs'" in capsys.readouterr().err
    assert main(["freeze", "tests"]) == 2
    assert "not built; nox -s tests" in capsys.readouterr().err


def test_an_option_is_suggested_below_the_usage_of_its_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["drift", "--fromat", "json"])
    told = capsys.readouterr().err
    assert told.startswith("usage: nox-envs drift ")
    assert told.endswith("error: unrecognized arguments: --fromat (did you mean --format?)\n")


def test_a_folder_of_venvs_that_is_not_there_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  tests: {lock: false}\n")
    assert main(["drift", "--envdir", "nowhere"]) == 0
    assert capsys.readouterr().err == "note: --envdir: there is no folder nowhere\n"
    (here / "nowhere").mkdir()
    assert main(["drift", "--envdir", "nowhere"]) == 0
    assert main(["drift"]) == 0
    assert capsys.readouterr().err == ""


def test_a_pyproject_that_is_a_folder_is_the_same_error_everywhere(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  tests: {lock: false}\n")
    assert main(["check"]) == 0
    assert "envs.yaml: 1 environment, 1 session: valid" in capsys.readouterr().err
    (here / "pyproject.toml").mkdir()
    for verb in ("check", "drift"):
        assert main([verb]) == 2
        told = capsys.readouterr()
        assert "pyproject.toml:1:1: is a directory, not a file" in told.out + told.err


def test_check_names_locks_that_nothing_declares(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = "version: 1\nenvironments:\n  tests: {lock: false}\n"
    (here / "envs.yaml").write_text(spec)
    (here / "requirements").mkdir()
    (here / "requirements/old.txt").write_text("# environment: old\n# input: sha256:0\n")
    assert main(["check", "tests"]) == 0
    assert "lock-orphaned" not in capsys.readouterr().out
    assert main(["check"]) == 0
    told = capsys.readouterr()
    assert "git rm requirements/old.txt" in told.out
    assert told.err.endswith("valid, and the locks can be used: 1 lock-orphaned\n")
    (here / "envs.yaml").write_text(f"{spec}drift: {{severity: {{lock-orphaned: error}}}}\n")
    assert main(["check"]) == 1


def test_a_venv_that_is_not_built_is_a_skip_and_fails_in_ci(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  tests: {lock: false}\n")
    assert main(["drift"]) == 0
    assert "skipped: not built; nox -s tests" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert main(["drift"]) == 2
    assert "not checked: tests" in capsys.readouterr().err


def test_colours_are_for_terminals_unless_the_environment_says_otherwise(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  tests: {lock: false}\n")

    def coloured(**variables: str) -> bool:
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.setenv(name, variables.get(name, ""))
        assert main(["drift"]) == 0
        return "\x1b[33mskipped\x1b[0m" in capsys.readouterr().out

    assert not coloured()
    assert coloured(FORCE_COLOR="1")
    assert not coloured(FORCE_COLOR="1", NO_COLOR="1")


def test_a_missing_lock_is_drift(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  tests: {requirements: [apple>=1]}\n")
    assert main(["check"]) == 1
    assert "lock-missing" in capsys.readouterr().out
    assert main(["drift"]) == 1


def test_a_requirement_that_cannot_be_read_leaves_the_others_listed_and_checked(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "envs.yaml").write_text(
        "version: 1\nrequirements: {bad: [{file: missing.in}]}\n"
        "environments:\n  broken: {requirements: [bad]}\n  tests: {requirements: [apple>=1]}\n"
    )
    problem = "envs.yaml:2:22: requirements.bad: missing.in: no such file\n"
    assert main(["list", "--format", "json"]) == 2
    told = capsys.readouterr()
    listed = json.loads(told.out)["sessions"]
    assert [(one["session"], one["lock"]) for one in listed] == [
        ("broken", ""),
        ("tests", "requirements/tests.txt"),
    ]
    assert told.err == problem
    assert main(["check"]) == 2
    told = capsys.readouterr()
    assert "lock-missing  expected requirements/tests.txt" in told.out
    assert told.err == problem
    assert main(["check", "tests"]) == 1
    assert main(["drift", "tests"]) == 1


def test_a_lock_that_cannot_be_read_is_exit_code_two(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  tests: {requirements: [apple>=1]}\n")
    (here / "requirements").mkdir()
    (here / "requirements/tests.txt").write_text(
        "<<<<<<< ours\napple==1\n=======\napple==2\n>>>>>>> theirs\n"
    )
    assert main(["drift"]) == 2
    assert "problem: requirements/tests.txt:1:1: an unresolved merge conflict" in capsys.readouterr().out


def test_requirement_files_that_are_missing_are_told_all_at_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "envs.yaml").write_text(
        "version: 1\nrequirements:\n  a: [{file: a.in}]\n  b: [{file: b.in}]\n"
        "environments:\n  one: {requirements: [a]}\n  two: {requirements: [b]}\n"
    )
    assert main(["check"]) == 2
    told = capsys.readouterr().err
    assert "a.in" in told
    assert "b.in" in told


def test_the_schema_and_the_version_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "object"
    for words, title in ((["--report"], "nox-envs report"), (["--diff"], "nox-envs diff")):
        assert main(["schema", *words]) == 0
        assert json.loads(capsys.readouterr().out)["title"] == title
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nox-envs ")
    assert main([]) == 2


def test_the_list_shows_sessions_and_descriptions(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "envs.yaml").write_text(
        'version: 1\nenvironments:\n  tests: {python: ["3.11", "3.12"], description: Run them, lock: false}\n'
    )
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "tests-3.11  Run them\ntests-3.12  Run them\n"
    assert main(["activate", "tests"]) == 2
    assert "name one of 'tests-3.11', 'tests-3.12'" in capsys.readouterr().err


def test_an_interrupt_is_130_and_a_closed_pipe_is_no_traceback(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(io.StringIO):
        def write(self, _: str) -> int:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdout", Interrupting())
    assert main(["schema"]) == 130


@pytest.mark.functional
def test_a_reader_that_goes_away_is_no_traceback(project: Project) -> None:
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {lock: false}\n")
    done = project.machine.run(
        "sh", "-c", f"'{sys.executable}' -m nox_envs schema | head -c 10", cwd=project.root
    )
    assert "Traceback" not in done.output


@pytest.mark.functional
def test_drift_and_freeze_agree_with_the_session(project: Project, index: Index) -> None:
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: [basket>=1]}\n")
    project.nox("-s", "lock", "demo", check=True)
    assert project.cli("drift").returncode == 0
    assert project.nox("-s", "drift").returncode == 0
    project.venv("demo").install("plum")
    by_cli = project.cli("drift", "--format", "json")
    by_nox = project.nox("-s", "drift", "--", "--format", "json", "demo")
    assert by_cli.returncode == by_nox.returncode == 1
    kinds = [f["kind"] for f in json.loads(by_cli.stdout)["environments"][0]["findings"]]
    assert kinds == ["extraneous"]
    assert '"kind": "extraneous"' in by_nox.stdout
    assert "plum==1.0" in project.cli("freeze", "demo").stdout
    assert project.nox("-s", "drift", "--", "nowhere").returncode == 1
    assert index.requests


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", ". {}/bin/activate"),
        ("/usr/bin/zsh", ". {}/bin/activate"),
        ("fish", "source {}/bin/activate.fish"),
        ("csh", "source {}/bin/activate.csh"),
        ("nu", "overlay use {}/bin/activate.nu"),
        ("pwsh", "& '{}/bin/activate.ps1'"),
        ("cmd", '"{}/bin/activate.bat"'),
    ],
)
def test_the_line_that_activates_fits_the_shell(
    here: Path, shell: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  demo: {lock: false}\n")
    scripts = here / ".nox/demo/bin"
    scripts.mkdir(parents=True)
    for ending in ("", ".fish", ".csh", ".nu", ".ps1", ".bat"):
        (scripts / f"activate{ending}").touch()
    assert main(["activate", "demo", "--shell", shell]) == 0
    assert capsys.readouterr().out == line.format(here / ".nox/demo") + "\n"


def test_a_shell_that_is_not_known_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "envs.yaml").write_text("version: 1\nenvironments:\n  demo: {lock: false}\n")
    (here / ".nox/demo/bin").mkdir(parents=True)
    assert main(["activate", "demo", "--shell", "tcl"]) == 2
    assert "--shell takes" in capsys.readouterr().err
    assert main(["activate", "demo", "--shell", "fish"]) == 2
    assert "activate.fish" in capsys.readouterr().err


def test_a_description_that_the_terminal_cannot_show_is_escaped(here: Path, machine: Machine) -> None:
    (here / "envs.yaml").write_text(
        "version: 1\nenvironments:\n  demo: {lock: false, description: Prüfen}\n", encoding="utf-8"
    )
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    words = (sys.executable, "-m", "nox_envs", "list")
    assert machine.run(*words, cwd=here, env=ascii_only).stdout == "demo  Pr\\xfcfen\n"
    listed = machine.run(*words, "--format", "json", cwd=here, env=ascii_only)
    assert json.loads(listed.stdout)["sessions"][0]["description"] == "Prüfen"
