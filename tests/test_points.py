"""Points as nox sessions: names, selection, matrices, environment variables, the project itself."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project

pytestmark = pytest.mark.functional

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
MATRIX = f"""
    version: 1
    environments:
      tests:
        description: Run them
        python: ["{HERE}", "3.99"]
        matrix:
          apple: ["1.0", "1.1"]
          flavour:
            sweet: {{set_env: {{FLAVOUR: sweet}}}}
            sour: {{requirements: [plum>=1], tags: [slow]}}
        exclude:
          - {{python: "3.99", apple: "1.0"}}
        requirements: ["apple=={{apple}}"]
        tags: [ci]
        commands:
          - [python, show.py, "{{apple}}", "{{flavour}}", "{{posargs}}"]
      lint:
        requirements: [apple>=1]
        default: false
"""


@pytest.fixture
def matrix(project: Project) -> Project:
    """Make a project with an irregular matrix."""
    project.write("envs.yaml", MATRIX)
    project.write("show.py", "import os, sys\nprint('at', os.environ.get('FLAVOUR'), *sys.argv[1:])\n")
    return project


def sessions(project: Project, *arguments: str) -> list[str]:
    """Return the sessions that nox selects."""
    listed = project.nox("-l", "--json", *arguments, check=True)
    return [row["session"] for row in json.loads(listed.stdout)]


def test_sessions_have_the_names_that_nox_gives(matrix: Project) -> None:
    assert sessions(matrix) == [
        f"tests-{HERE}(apple='1.0', flavour='sweet')",
        f"tests-{HERE}(apple='1.0', flavour='sour')",
        f"tests-{HERE}(apple='1.1', flavour='sweet')",
        f"tests-{HERE}(apple='1.1', flavour='sour')",
        "tests-3.99(apple='1.1', flavour='sweet')",
        "tests-3.99(apple='1.1', flavour='sour')",
    ]
    listed = matrix.cli("list", "--format", "json", check=True).stdout
    named = [row["session"] for row in json.loads(listed)["sessions"]]
    assert named == [*sessions(matrix), "lint"]


def test_selection_by_name_python_tag_and_keyword(matrix: Project) -> None:
    assert len(sessions(matrix, "-s", "tests")) == 6
    assert len(sessions(matrix, "-s", f"tests-{HERE}")) == 4
    assert sessions(matrix, "-s", "lint") == ["lint"]
    one = f"tests-{HERE}(apple='1.1', flavour='sour')"
    assert sessions(matrix, "-s", one) == [one]
    assert len(sessions(matrix, "-s", "tests", "-p", "3.99")) == 2
    assert len(sessions(matrix, "-t", "ci")) == 3
    assert len(sessions(matrix, "-t", "slow")) == 3
    assert len(sessions(matrix, "-k", "sour and not sweet")) == 3
    assert "Run them" in matrix.nox("-l", check=True).stdout


def test_each_point_gets_what_its_axes_ask_for(matrix: Project) -> None:
    matrix.nox("-s", "lock", check=True)
    names = sorted(file.name for file in (matrix.root / "requirements").iterdir())
    assert names == [
        "lint.txt",
        "tests-apple1.0-flavoursour.txt",
        "tests-apple1.0-flavoursweet.txt",
        "tests-apple1.1-flavoursour.txt",
        "tests-apple1.1-flavoursweet.txt",
    ]
    ran = matrix.nox("-s", f"tests-{HERE}", "--", "extra", check=True)
    assert "at sweet 1.0 sweet extra" in ran.output
    assert "at None 1.1 sour extra" in ran.output
    assert "plum==1.0" in matrix.cli("freeze", f"tests-{HERE}(apple='1.1', flavour='sour')").stdout


def test_an_interpreter_that_is_missing_is_a_skip_with_its_reason_and_an_error_in_ci(matrix: Project) -> None:
    matrix.nox("-s", "lock", check=True)
    ran = matrix.nox("-s", "tests-3.99")
    assert ran.returncode == 0
    assert "3.99" in ran.output
    assert "skipped" in ran.output
    assert matrix.nox("-s", "tests-3.99", env={"CI": "true"}).returncode == 1


def test_a_python_that_the_spec_does_not_name_uses_the_lock_of_its_environment(
    project: Project, interpreters: object
) -> None:
    other = "3.12" if HERE != "3.12" else "3.11"
    interpreters(other)  # type: ignore[operator]
    demo = f'{{python: ["{HERE}"], requirements: [basket>=1]}}'
    project.write("envs.yaml", f"version: 1\nenvironments:\n  demo: {demo}\n")
    project.nox("-s", "lock", check=True)
    ran = project.nox("-s", "demo", "-P", other)
    assert ran.returncode == 0, ran.output
    assert f"demo-{other}: no drift" in ran.output


def test_environment_variables_are_set_and_passed_as_declared(project: Project) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          demo:
            set_env: {PLACE: "{envdir}", TWICE: outer}
            pass_env: [SEEN_*]
            change_dir: below
            commands:
              - run: [python, show.py, SEEN_A, HIDDEN, TWICE]
                set_env: {TWICE: inner}
              - run: [python, -c, "raise SystemExit(3)"]
                success_codes: [0, 3]
              - run: [python, -c, "raise SystemExit(4)"]
                allow_failure: true
              - run: [python, -c, "print('the', 'end')"]
                change_dir: .
        """,
    )
    project.write(
        "below/show.py", "import os, sys\nprint([os.environ.get(n) for n in sys.argv[1:]], os.getcwd())\n"
    )
    project.nox("-s", "lock", check=True)
    ran = project.nox("-s", "demo", env={"SEEN_A": "seen", "HIDDEN": "secret"})
    assert ran.returncode == 0, ran.output
    assert f"['seen', None, 'inner'] {project.root / 'below'}" in ran.output
    assert "the end" in ran.output


@pytest.mark.parametrize("mode", ["editable", "wheel"])
def test_the_project_itself_is_installed_and_rebuilt_when_it_changes(project: Project, mode: str) -> None:
    from tests.index import write_source

    write_source(project.root, "orchard", "1.0", requires=("basket>=1.0",))
    project.write(
        "envs.yaml",
        f"""
        version: 1
        environments:
          demo:
            package: {mode}
            commands:
              - [python, -c, "import orchard, basket; print('imported', orchard.__file__)"]
        """,
    )
    project.nox("-s", "lock", check=True)
    assert "basket==1.1" in project.read("requirements/demo.txt")
    assert "orchard==" not in project.read("requirements/demo.txt")
    ran = project.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "imported" in ran.output
    assert "no drift" in project.nox("-s", "demo", check=True).output
    metadata = project.read("pyproject.toml")
    project.write("pyproject.toml", metadata.replace('version = "1.0"', 'version = "1.5"'))
    again = project.nox("-s", "demo", check=True)
    assert "demo: drift, the project changed since it was installed: 1 artifact" in again.output
    assert "repaired" in again.output
    assert project.root.as_uri() in project.cli("freeze", "demo").stdout
    assert "no drift" in project.nox("-s", "demo", check=True).output


def test_the_path_of_a_venv_is_the_one_nox_uses(matrix: Project) -> None:
    matrix.nox("-s", "lock", check=True)
    matrix.nox("-s", f"tests-{HERE}", "lint", check=True)
    rows = json.loads(matrix.cli("list", "--format", "json").stdout)["sessions"]
    built = [row["location"] for row in rows if row["built"]]
    present = [f".nox/{f.name}" for f in (matrix.root / ".nox").iterdir() if (f / "pyvenv.cfg").exists()]
    assert sorted(built) == sorted(present)
    assert len(built) == 5


def test_another_envdir_works_for_nox_and_the_command_line(project: Project) -> None:
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: [apple==1.0]}\n")
    project.nox("-s", "lock", check=True)
    project.nox("--envdir", "else where", "-s", "demo", check=True)
    assert project.cli("freeze", "demo", "--envdir", "else where").stdout == "apple==1.0\n"
    assert os.listdir(project.root / "else where" / ".nox-envs" / "reports") == ["demo.json"]


def test_each_forced_python_of_a_matrix_has_a_venv_of_its_own_and_keeps_it(
    project: Project, interpreters: Callable[[str], str]
) -> None:
    other = next(version for version in ("3.12", "3.13") if version != HERE)
    interpreters(other)
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          tests: {lock: false, matrix: {kind: [a]}, requirements: [apple>=1], tags: ["{kind}"]}
        """,
    )
    arguments = ("-P", HERE, other, "-s", "tests")
    built = project.nox(*arguments, check=True).output
    assert built.count("Creating virtual environment") == 2
    again = project.nox(*arguments, "--report", "report.json", check=True).output
    assert "Creating" not in again
    assert "anew" not in again
    for version in (HERE, other):
        session = f"tests-{version}(kind='a')"
        assert f"{session}: no drift: 1 distribution" in again
        venv = f"tests-{version.replace('.', '-')}-kind-a"
        (found,) = json.loads(project.read(f".nox/.nox-envs/reports/{venv}.json"))["environments"]
        assert (found["session"], found["location"]) == (session, f".nox/{venv}")


def test_a_session_without_its_interpreter_is_reported_as_skipped_and_fails_in_ci(
    project: Project, tmp_path: Path
) -> None:
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {python: '3.99', lock: false}\n")
    summary = tmp_path / "summary.md"
    github = {"CI": "1", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    for env, code in (({}, 0), (github, 1)):
        report = project.root / ".nox/.nox-envs/reports/demo.json"
        report.unlink(missing_ok=True)
        ran = project.nox("-s", "demo", env=env)
        assert ran.returncode == code, ran.output
        (found,) = json.loads(report.read_text())["environments"]
        assert (found["status"], found["reason"]) == ("skipped", "Python interpreter 3.99 not found")
    assert "3.99 not found" in summary.read_text()


def test_a_program_or_directory_that_is_not_there_is_named_with_its_line(project: Project) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        defaults: {lock: false}
        environments:
          program: {commands: [not-a-program --help]}
          folder: {commands: [{run: python --version, change_dir: nowhere}]}
          allowed: {commands: [{run: not-a-program, allow_failure: true}]}
        """,
    )
    ran = project.nox("-s", "program", "folder", "allowed", "--report", "report.json")
    sessions = json.loads(project.read("report.json"))["sessions"]
    assert [session["result"] for session in sessions] == ["aborted", "aborted", "success"]
    assert sessions[0]["reason"].startswith("envs.yaml:5: 'not-a-program' is neither in the venv nor on PATH")
    assert "change_dir: no directory 'nowhere'; make it" in sessions[1]["reason"]
    assert "allowed: not-a-program failed, which its spec allows" in ran.output
