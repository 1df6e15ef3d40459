"""The command line: verbs, options, exit codes, errors, colours; never a traceback."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nox_envs.__main__ import main as command
from nox_envs.cli import VERBS
from tests import commandline
from tests.commandline import write
from tests.conftest import Machine, Project

GOLDEN = Path(__file__).parent / "golden" / "spec"
UNLOCKED = "version: 1\nenvironments:\n  tests: {lock: false}\n"
LOCKED = "version: 1\nenvironments:\n  tests: {requirements: [apple>=1]}\n"
HALF_READABLE = """\
version: 1
requirements: {bad: [{file: missing.in}]}
environments:
  broken: {requirements: [bad]}
  tests: {requirements: [apple>=1]}
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty directory, outside CI, without colour."""
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "FORCE_COLOR", "NO_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def run(here: Path) -> Run:
    """Run the command line in that directory, whose `envs.yaml` is `spec`."""

    def run(*words: str, spec: str = "") -> tuple[int, str, str]:
        write(here, {"envs.yaml": spec} if spec else {})
        return commandline.run(*words)

    return run


# what is typed


MISTYPED = """
dirft: no command 'dirft' (did you mean 'drift'?)
lock: 'lock' is a command of nox; run: nox -s lock
run: 'run' is a command of nox; run: nox -s ENVIRONMENT
zzzz: no command 'zzzz' (nox-envs --help lists them)
drift --fromat json: unrecognized arguments: --fromat (did you mean --format?)
--verison: unrecognized arguments: --verison (did you mean --version?)
drift --files sometimes: argument --files: invalid choice: 'sometimes' (choose from
freeze: the following arguments are required: ENVIRONMENT
"""


@pytest.mark.parametrize("mistake", MISTYPED.split("\n")[1:-1])
def test_a_mistyped_command_or_option_is_told_with_what_is_meant(run: Run, mistake: str) -> None:
    words, _, told = mistake.partition(": ")
    code, out, err = run(*words.split(), spec=UNLOCKED)
    assert (code, out, err[:15]) == (2, "", "usage: nox-envs")
    assert f"error: {told}" in err


@pytest.mark.parametrize("verb", ["check", "list", "drift", "freeze", "matrix", "activate"])
def test_a_mistyped_environment_is_told_with_the_one_that_is_meant(run: Run, verb: str) -> None:
    for word in ("test", "tset", "TESTS"):
        code, out, err = run(verb, word, spec=UNLOCKED)
        assert (code, out, err) == (2, "", f"no environment {word!r} (did you mean 'tests'?)\n")
    assert run(verb, "docs") == (2, "", "no environment 'docs' (nox-envs list shows them all)\n")


def test_a_bad_fail_on_is_refused_before_anything_is_read(run: Run) -> None:
    told = "--fail-on: 'misssing' is not a severity or a kind of finding (did you mean 'missing'?)\n"
    assert run("drift", "--fail-on", "misssing") == (2, "", told)
    assert "did you mean 'warning'?" in run("report", "nowhere", "--fail-on", "error,warnings")[2]


def test_help_version_and_schemas_need_no_spec(run: Run) -> None:
    assert run("--version")[1].startswith("nox-envs ")
    code, out, err = run()
    assert (code, out) == (2, "")
    for verb in VERBS:
        assert f"    {verb}" in err
        assert f"example: nox-envs {verb}" in run(verb, "--help")[1]
    assert json.loads(run("schema", "--report")[1])["title"] == "nox-envs report"


# which spec


@pytest.mark.parametrize("verb", ["check", "list", "drift", "matrix"])
def test_a_missing_spec_is_told_with_what_to_do(run: Run, here: Path, verb: str) -> None:
    hint = "nox-envs init writes one"
    assert run(verb) == (2, "", f"envs.yaml:1:1: no such file ({hint})\n")
    assert run(verb, "--spec", "ci/more.yaml") == (2, "", f"more.yaml:1:1: no such file ({hint})\n")
    assert os.listdir(here) == []
    (here / "env.yaml").write_text(UNLOCKED)
    assert run(verb) == (2, "", "envs.yaml:1:1: no such file (did you mean 'env.yaml'?)\n")
    (here / "env.yaml").unlink()
    (here / "envs.yml").write_text(UNLOCKED)
    assert run(verb) == (2, "", "envs.yaml:1:1: no such file (rename envs.yml)\n")
    assert run("--spec", "envs.yml", verb)[0] == 0
    (here / "envs.yml").rename(here / "envs.yaml")
    assert run("-q", verb, "--spec", ".")[0] == 0


def test_the_spec_is_found_from_a_folder_below(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "src/deep").mkdir(parents=True)
    listed = run("list", spec=UNLOCKED)
    monkeypatch.chdir(here / "src/deep")
    assert run("list") == listed == (0, "tests\n", "")


def test_every_problem_of_a_broken_spec_is_told_and_nothing_is_written(run: Run, here: Path) -> None:
    told, spec = ((GOLDEN / f"commands{suffix}").read_text(encoding="utf-8") for suffix in (".txt", ".yaml"))
    assert run("check", spec=spec) == (2, "", told.replace("commands.yaml", "envs.yaml"))
    assert os.listdir(here) == ["envs.yaml"]


def test_a_pyproject_that_cannot_be_read_is_the_same_error_everywhere(run: Run, here: Path) -> None:
    told = run("check", spec=UNLOCKED)
    assert told == (0, "", "envs.yaml: 1 environment, 1 session: valid, and every lock matches\n")
    (here / "pyproject.toml").mkdir()
    for verb in ("check", "drift", "list --format json", "matrix"):
        code, out, err = run(*verb.split())
        assert code == 2
        assert "pyproject.toml:1:1: cannot be read: is a directory, not a file" in out + err


# what is checked


def test_check_names_environment_session_and_lock_of_each_finding(run: Run, here: Path) -> None:
    for name in ("docs", "tests-3.11", "tests-3.12"):
        write(here, {f"requirements/{name}.txt": f"apple==1.0 --hash=sha256:{'0' * 64}\n"})
    spec = """\
version: 1
requirements: {app: [apple>=2]}
environments:
  docs: {requirements: [app]}
  tests: {python: ["3.11", "3.12"], requirements: [app], lock: {per: python}}
"""
    code, out, err = run("check", spec=spec)
    assert code == 1
    assert err == "envs.yaml: 2 environments, 3 sessions; locks: 3 lock-unsatisfied\n"
    for name in ("docs", "tests-3.11", "tests-3.12"):
        assert f"path: requirements/{name}.txt ({name})\n" in out
    assert run("check", "docs")[1].count("path: ") == 1


def test_a_lock_that_cannot_be_written_where_the_spec_says_is_a_problem_at_the_key_file(run: Run) -> None:
    spec = LOCKED.replace("tests: {", "tests: {lock: {file: ../lock.txt}, ")
    told = "envs.yaml:3:17: environments.tests.lock.file: '../lock.txt' leads out of the spec's directory"
    assert told in run("check", spec=spec)[2]


def test_check_names_locks_that_nothing_declares(run: Run, here: Path) -> None:
    write(here, {"requirements/old.txt": "# environment: old\n# input: sha256:0\n"})
    assert "lock-orphaned" not in run("check", "tests", spec=UNLOCKED)[1]
    code, out, err = run("check")
    assert (code, err.rpartition(": ")[2]) == (0, "1 lock-orphaned\n")
    assert "requirements/old.txt" in out
    assert run("check", spec=f"{UNLOCKED}drift: {{severity: {{lock-orphaned: error}}}}\n")[0] == 1


def test_requirements_that_cannot_be_read_leave_every_other_row_listed_and_checked(run: Run) -> None:
    problem = "envs.yaml:2:29: requirements.bad: missing.in: no such file\n"
    code, out, err = run("list", "--format", "json", spec=HALF_READABLE)
    rows = [(row["session"], row["lock"]) for row in json.loads(out)["sessions"]]
    assert (code, rows, err) == (2, [("broken", ""), ("tests", "requirements/tests.txt")], problem)
    code, out, err = run("matrix")
    assert (code, [row["session"] for row in json.loads(out)], err) == (2, ["broken", "tests"], problem)
    code, out, err = run("check")
    assert (code, err) == (2, problem)
    assert "lock-missing  expected requirements/tests.txt" in out
    code, out, err = run("drift")
    assert (code, err) == (2, "not everything could be checked: 1 problem\n")
    assert "its requirements, its lock or its venv" in out
    assert f"problem: {problem}" in out
    assert run("check", "tests")[0] == run("drift", "tests")[0] == 1
    assert run("list") == (0, "broken\ntests\n", "")


def test_a_venv_that_is_not_built_is_a_skip_and_fails_in_ci(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("drift", spec=UNLOCKED) == (0, "tests: skipped: not built; run: nox -s tests\n", "")
    assert run("freeze", "tests") == (2, "", "'tests' is not built; run: nox -s tests\n")
    monkeypatch.setenv("CI", "true")
    assert run("drift")[0::2] == (2, "not checked: tests\n")


def test_several_venvs_of_an_environment_must_be_told_apart(run: Run) -> None:
    spec = 'version: 1\nenvironments:\n  tests: {python: ["3.11", "3.12"], description: Run, lock: false}\n'
    assert run("list", "tests-*", spec=spec) == (0, "tests-3.11  Run\ntests-3.12  Run\n", "")
    told = "'tests' has several venvs; name one of 'tests-3.11', 'tests-3.12'\n"
    assert run("activate", "tests") == run("freeze", "tests") == (2, "", told)


def test_nothing_is_written_where_nox_has_its_folder(run: Run, here: Path) -> None:
    (here / ".nox").mkdir()
    for words in ("check", "list", "drift", "matrix", "diff envs.yaml envs.yaml", "report .nox"):
        run(*words.split(), spec=HALF_READABLE)
    assert os.listdir(here / ".nox") == []


# how it is shown


COLOURS = {
    "auto": False, "auto FORCE_COLOR": True, "auto FORCE_COLOR NO_COLOR": False,
    "auto FORCE_COLOR TERM": False, "always NO_COLOR TERM": True, "never FORCE_COLOR": False,
}  # fmt: skip


@pytest.mark.parametrize("given", COLOURS)
def test_colours_are_for_terminals_unless_an_option_or_the_environment_says_otherwise(
    run: Run, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    option, *variables = given.split()
    for name in ("FORCE_COLOR", "NO_COLOR", "TERM"):
        monkeypatch.setenv(name, "dumb" if name in variables else "")
    out = run("drift", "--color", option, spec=UNLOCKED)[1]
    assert ("\x1b[33mskipped\x1b[0m" in out) is COLOURS[given]


def test_quiet_says_only_what_is_wrong(run: Run) -> None:
    assert run("check", "-q", spec=UNLOCKED) == (0, "", "")
    assert run("drift", "--envdir", "nowhere")[2] == "note: --envdir: no folder nowhere\n"
    assert run("drift", "--quiet", "--envdir", "nowhere")[2] == ""
    loud = run("check", spec=LOCKED)
    assert run("check", "-q") == loud
    assert loud[0] == 1


@pytest.mark.skipif(os.name == "nt", reason="links are other things there")
def test_links_out_of_the_project_are_neither_read_nor_written(run: Run, here: Path, tmp_path: Path) -> None:
    secret = tmp_path.parent / f"{tmp_path.name}-outside"
    write(secret, {"secret": "s3cret:x:0\n", "state/spec": ""})
    (here / "requirements").mkdir()
    (here / "requirements/tests.txt").symlink_to(secret / "secret")
    for verb in ("check", "drift"):
        code, out, err = run(verb, spec=LOCKED)
        assert (code, "s3cret" in out + err, "leads out of the project" in out + err) == (2, False, True)
    (here / ".nox").mkdir()
    (here / ".nox/.nox-envs").symlink_to(secret / "state")
    code, _, err = run("check")
    assert (code, f"{here / '.nox/.nox-envs'}: is a link; delete it\n") == (2, err)


# streams


def test_an_interrupt_is_exit_code_130(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting(io.StringIO):
        def write(self, _: str) -> int:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdout", Interrupting())
    monkeypatch.setattr(sys, "argv", ["nox-envs", "schema"])
    assert command() == 130


def test_an_interrupt_at_the_very_start_is_no_traceback(here: Path, machine: Machine) -> None:
    (here / "sitecustomize.py").write_text(
        "import sys, _thread\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'nox_envs.cli': _thread.interrupt_main()\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    words, env = (sys.executable, "-m", "nox_envs", "list"), {"PYTHONPATH": str(here)}
    done = machine.run(*words, cwd=here, env=env, check=False)
    assert (done.returncode, done.output) == (130, "")


@pytest.mark.functional
@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_reader_that_goes_away_and_a_closed_stream_are_not_tracebacks(project: Project) -> None:
    project.write("envs.yaml", UNLOCKED)
    for rest in ("schema | head -c 10", "schema >&-", "drift 2>&-", "nowhere >&- 2>&-"):
        command = f"'{sys.executable}' -m nox_envs {rest}"
        done = project.machine.run("sh", "-c", command, cwd=project.root, check=False)
        assert "Traceback" not in done.output
        assert "Exception ignored" not in done.output


def test_a_description_that_the_terminal_cannot_show_is_escaped(here: Path, machine: Machine) -> None:
    (here / "envs.yaml").write_text(f"{UNLOCKED[:-2]}, description: Prüfen}}\n", encoding="utf-8")
    words, ascii_only = (sys.executable, "-m", "nox_envs", "list"), {"PYTHONIOENCODING": "ascii"}
    assert machine.run(*words, cwd=here, env=ascii_only).stdout == "tests  Pr\\xfcfen\n"


@pytest.mark.functional
def test_drift_and_freeze_agree_with_the_session(project: Project) -> None:
    keys = "requirements: [basket>=1], commands: [\"python -c 'print(6 * 7)'\"]"
    project.write("envs.yaml", f"version: 1\nenvironments:\n  demo: {{{keys}}}\n")
    assert "\n42\n" in f"\n{project.nox('-s', 'lock', 'demo', check=True).stdout}"
    with (project.venv("demo").site / "apple/__init__.py").open("a") as stream:
        stream.write("# more\n")
    assert project.cli("drift").returncode == 0
    ran = project.nox("-s", "drift")  # it compares changed files too, and runs no command
    assert (ran.returncode, "file-modified  apple" in ran.output, "42" in ran.output) == (1, True, False)
    assert project.cli("drift", "--files", "changed").returncode == 1
    project.nox("--reuse-venv=never", "-s", "demo", check=True)
    assert project.cli("drift").returncode == project.nox("-s", "drift").returncode == 0
    project.venv("demo").install("plum")
    by_cli = project.cli("drift", "--format", "json")
    by_nox = project.nox("-s", "drift", "--", "--format", "json", "demo")
    assert by_cli.returncode == by_nox.returncode == 1
    found = json.loads(by_cli.stdout)["environments"][0]["findings"]
    assert [(one["kind"], one["package"]) for one in found] == [("extraneous", "plum")]
    assert '"kind": "extraneous"' in by_nox.stdout
    assert "plum==1.0" in project.cli("freeze", "demo").stdout
    assert project.nox("-s", "drift", "--", "nowhere").returncode == 1


@pytest.mark.parametrize("path", ["envs.yaml", "requirements/tests.txt", "dev.in", "pyproject.toml"])
def test_a_file_that_a_merge_left_with_conflict_markers_is_told_with_its_line(run: Run, path: str) -> None:
    files = {
        "envs.yaml": "version: 1\nenvironments:\n  tests: {requirements: [{file: dev.in}, {group: dev}]}\n",
        "requirements/tests.txt": "# input: sha256:0\n",
        "dev.in": "apple\n",
        "pyproject.toml": "[dependency-groups]\ndev = []\n",
    }
    files[path] += 2 * "<<<<<<< HEAD\n=======\n>>>>>>> main\n"
    write(Path(), files)
    last = files[path].count("\n") - 2
    code, out, err = run("check")
    assert code == 2
    told = "an unresolved merge conflict (take either side; of a lock, then run: nox -s lock)"
    assert all(f"{path}:{line}:1: {told}" in out + err for line in (last - 3, last))


# completion


@pytest.mark.functional
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_and_sessions(shell: str, project: Project) -> None:
    if not (program := shutil.which(shell)):
        pytest.skip(f"there is no {shell}")
    project.write("envs.yaml", 'version: 1\nenvironments:\n  tests: {python: ["3.12", "3.13"]}\n')
    script = project.cli("completion", shell, check=True).stdout
    project.write("completion", script)
    env = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SHELL": shell}

    def completed(line: str) -> list[str]:
        if shell == "fish":
            ask = f"source completion; complete -C '{line}'"
        else:  # what the function of the shell calls
            ask = f"source ./completion 2>/dev/null; export COMP_LINE='{line}' COMP_POINT={len(line)}"
            ask += "; nox-envs 8>&1 9>&2 >/dev/null"
        found = project.machine.run(program, "-c", ask, cwd=project.root, env={} if shell == "fish" else env)
        return [re.split("[\t:]", word)[0].strip() for word in found.stdout.splitlines()]

    assert completed("nox-envs fre") == ["freeze"]
    assert completed("nox-envs drift --fi") == ["--files"]
    assert sorted(completed("nox-envs freeze te")) == ["tests", "tests-3.12", "tests-3.13"]
