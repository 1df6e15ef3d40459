"""Link (4): environments that pin or have another version of a package than others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nox_envs import cli
from tests.conftest import Project

SPEC = """\
version: 1
environments:
  tests: {python: ["3.10", "3.12"], requirements: [apple>=1], lock: {managed: false, file: tests.txt}}
  docs: {python: "3.12", requirements: [apple>=1], lock: {managed: false, file: docs.txt}}
  lint: {python: "3.12", requirements: [apple>=1], lock: {managed: false, file: lint.txt}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)  # there, what is not built fails a check
    (tmp_path / "envs.yaml").write_text(SPEC)
    return tmp_path


def write(folder: Path, **locks: str) -> None:
    for name, text in locks.items():
        (folder / f"{name}.txt").write_text(text)


def skews(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[dict[str, Any]]:
    assert cli.main(["drift", *words, "--format", "json"]) == code
    report = json.loads(capsys.readouterr().out)
    found = [finding for row in report["environments"] for finding in row["findings"]]
    assert {finding["kind"] for finding in found} <= {"skew"}
    return found


def test_environments_that_pin_other_versions_are_told_only_when_asked_for(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, tests="plum==1.0\napple==2.0\n", docs="apple==2.0\n", lint="# old\napple==1.1\n")
    assert skews(capsys) == []
    assert skews(capsys, "--skew") == [
        {
            "kind": "skew",
            "severity": "warning",
            "environment": "lint",
            "session": "lint",
            "package": "apple",
            "expected": "2.0 as in tests (tests.txt:2) and 1 more",
            "actual": "1.1",
            "path": "",
            "line": "lint.txt:2",
            "why": ["environment lint: apple>=1 (envs.yaml:5)"],
            "fix": "ask for one version of apple in both",
        }
    ]
    assert skews(capsys, "--skew", "--fail-on", "skew", code=1)
    assert skews(capsys, "--skew", "tests", "docs") == []


def test_without_a_majority_the_environment_that_comes_first_is_the_measure(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, tests="apple==1.1\n", docs="apple==2.0\n", lint="apple==3.0\n")
    found, other = skews(capsys, "--skew")
    assert (found["environment"], found["expected"]) == ("docs", "1.1 as in tests (tests.txt:1)")
    assert (other["environment"], other["expected"]) == ("lint", "1.1 as in tests (tests.txt:1)")


def test_pins_for_other_pythons_are_no_skew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pins = 'apple==1.1 ; python_version < "3.11"\napple==2.0 ; python_version >= "3.11"\n'
    write(here, tests=pins, docs="apple==2.0\n", lint="apple==2.0.0\n")
    assert skews(capsys, "--skew") == []
    write(here, docs='apple==1.1 ; python_version >= "3.11"\n')
    (found,) = skews(capsys, "--skew")
    assert (found["environment"], found["line"]) == ("docs", "docs.txt:1")
    assert found["expected"] == "2.0 as in tests (tests.txt:2) and 1 more"


def test_environments_without_a_common_python_are_not_compared(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "envs.yaml").write_text(SPEC.replace('["3.10", "3.12"]', '["3.10"]'))
    write(here, tests="apple==1.1\n", docs="apple==2.0\n", lint="apple==2.0\n")
    assert skews(capsys, "--skew") == []


def test_another_implementation_is_another_python(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "envs.yaml").write_text(SPEC.replace('["3.10", "3.12"]', '["pypy3.12"]'))
    write(here, tests="apple==1.1\n", docs="apple==2.0\n", lint="apple==2.0\n")
    assert skews(capsys, "--skew") == []


def test_a_member_of_the_group_whose_lock_cannot_be_read_is_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "".join(
        f"  {name}: {{python: '3.12', requirements: [apple>=1], lock: {{group: one}}}}\n"
        for name in ("docs", "lint", "tests")
    )
    (here / "envs.yaml").write_text(f"version: 1\nenvironments:\n{text}")
    (here / "requirements").mkdir()
    for name, version in (("docs", "2.0"), ("lint", "1.1")):
        (here / f"requirements/{name}.txt").write_text(f"apple=={version} --hash=sha256:{'a' * 64}\n")
    (here / "requirements/tests.txt").write_text("apple==1.0 --unknown\n")
    (found,) = skews(capsys, "docs", "lint")
    assert (found["environment"], found["expected"]) == (
        "lint",
        "2.0 as in docs (requirements/docs.txt:1)",
    )


def test_pins_that_only_limit_count_where_they_are_installed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = "file: lint.txt, use: constraints"
    (here / "envs.yaml").write_text(SPEC.replace("file: lint.txt", limits))
    write(here, tests="apple==2.0\n", docs="apple==2.0\n", lint="apple==1.1\nplum==1.0\n")
    assert skews(capsys, "--skew") == []


def test_environments_that_ask_for_the_lowest_versions_are_not_held_against_others(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, tests="apple==2.0\n", docs="apple==2.0\n", lint=f"apple==1.1 --hash=sha256:{'a' * 64}\n")
    (here / "envs.yaml").write_text(SPEC.replace("managed: false, file: lint", "file: lint"))
    assert len(skews(capsys, "--skew")) == 1
    (here / "envs.yaml").write_text(
        SPEC.replace("managed: false, file: lint", "resolution: lowest, file: lint")
    )
    assert skews(capsys, "--skew") == []


def test_a_lock_of_many_pythons_is_told_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "envs.yaml").write_text(SPEC.replace('python: "3.12"', 'python: ["3.10", "3.12"]'))
    write(here, tests="apple==1.1\n", docs="apple==2.0\n", lint="apple==1.1\n")
    (found,) = skews(capsys, "--skew")
    assert found["session"] == "docs-3.10"


def test_an_axis_that_chooses_the_version_agrees_if_one_of_its_points_does(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = "lock: {managed: false, file: 'tests{fruit}.txt'}"
    axis = f"""matrix: {{fruit: ["1", "2"]}}, requirements: [apple>=1], {lock}"""
    start = SPEC.splitlines()[2].partition("requirements")[0]
    (here / "envs.yaml").write_text(
        SPEC.replace(SPEC.splitlines()[2], start.replace('["3.10", "3.12"]', '"3.12"') + axis + "}")
    )
    write(here, tests1="apple==1.1\n", tests2="apple==2.0\n", docs="apple==2.0\n", lint="apple==2.0\n")
    assert skews(capsys, "--skew") == []
    write(here, docs="apple==1.0\n")
    (found,) = skews(capsys, "--skew")
    assert (found["environment"], found["expected"]) == ("docs", "2.0 as in tests (tests2.txt:1) and 1 more")


def test_who_is_in_no_group_is_asked_into_the_one_there_is(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = SPEC.replace("managed: false, ", "").replace("file: docs.txt", "file: docs.txt, group: web")
    (here / "envs.yaml").write_text(spec)
    old, new = (f"apple=={version} --hash=sha256:{'a' * 64}\n" for version in ("1.1", "2.0"))
    write(here, tests=new, docs=new, lint=old)
    (found,) = skews(capsys, "docs", "lint", "--skew")
    join = "lock: {group: web} for lint in envs.yaml, then nox -s lock -- docs lint"
    assert (found["environment"], found["fix"]) == ("lint", join)
    (found,) = skews(capsys, "--skew")
    join = "lock: {group: NAME} for both in envs.yaml, then nox -s lock -- tests lint"
    assert (found["expected"], found["fix"]) == ("2.0 as in tests (tests.txt:1) and 1 more", join)
    (here / "envs.yaml").write_text(spec.replace("file: lint.txt", "file: lint.txt, group: ci"))
    (found,) = skews(capsys, "docs", "lint", "--skew")
    assert found["fix"] == "lock: {group: web} for lint in envs.yaml, then nox -s lock -- docs lint"


def test_a_rule_about_skew_is_used(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = "drift: {ignore: [{kind: skew, package: apple, environment: docs, reason: known}]}\n"
    (here / "envs.yaml").write_text(SPEC + rule)
    write(here, tests="apple==1.1\n", docs="apple==2.0\n", lint="apple==1.1\n")
    assert cli.main(["drift", "--skew"]) == 0
    shown = capsys.readouterr().out
    assert "docs: " in shown
    assert "1 ignored" in shown


GROUP = """
    version: 1
    requirements:
      fruit: [apple<2]
    environments:
      docs: {requirements: ["basket>=1"], lock: {group: one}}
      tests: {requirements: [fruit], lock: {group: one}}
      free: {requirements: ["apple>=1"], lock: false}
      own: {requirements: ["apple>=1"]}
"""


def findings(project: Project, *words: str) -> list[dict[str, Any]]:
    report = json.loads(project.cli("drift", *words, "--format", "json").stdout)
    return [finding for row in report["environments"] for finding in row["findings"]]


def told(project: Project, *words: str) -> list[tuple[str, ...]]:
    keys = ("kind", "environment", "package", "expected", "actual")
    return sorted(tuple(finding[key] for key in keys) for finding in findings(project, *words))


def line_of(project: Project, name: str) -> str:
    lines = project.read(f"requirements/{name}.txt").splitlines()
    (number,) = (n for n, line in enumerate(lines, 1) if line.startswith("apple=="))
    return f"requirements/{name}.txt:{number}"


def edit_apart(project: Project) -> str:
    """Write another version with its hashes into one lock of the group, and return the lock as it was."""
    lock = project.read("requirements/docs.txt")
    hashes = lock.partition("apple==1.1")[2].partition("    #")[0]
    other = project.read("requirements/own.txt").partition("apple==2.0")[2].partition("    #")[0]
    project.write("requirements/docs.txt", lock.replace(f"apple==1.1{hashes}", f"apple==2.0{other}"))
    return lock


@pytest.mark.functional
def test_a_group_that_was_edited_apart_is_told_to_every_member_and_mended(project: Project) -> None:
    project.write("envs.yaml", GROUP)
    project.nox("-s", "lock", "docs", "tests", check=True)
    assert findings(project, "docs", "tests") == findings(project, "tests") == []
    lock = edit_apart(project)
    (found,) = findings(project, "tests")
    assert (found["kind"], found["severity"], found["environment"]) == ("skew", "warning", "tests")
    expected = f"2.0 as in docs ({line_of(project, 'docs')})"
    assert (found["expected"], found["actual"], found["line"]) == (expected, "1.1", line_of(project, "tests"))
    assert found["why"] == ["fruit: apple<2 (envs.yaml:4)"]
    assert found in findings(project, "docs", "tests")
    assert found["fix"] == "nox -s lock -- docs tests"
    project.nox(*found["fix"].split()[1:], check=True)
    assert findings(project, "docs", "tests") == []
    assert project.read("requirements/docs.txt") == lock


@pytest.mark.functional
def test_what_is_installed_without_a_lock_is_compared_too(project: Project) -> None:
    limits = "lock: {managed: false, use: constraints, file: limits.txt}"
    spec = f"{GROUP}      limited: {{requirements: [apple>=1], {limits}}}\n"
    project.write("envs.yaml", spec)
    project.write("limits.txt", "apple==2.0\nplum==1.0\n")
    project.nox("-s", "lock", "docs", "tests", "free", "own", "limited", check=True)
    assert findings(project) == []
    usual = "2.0 as in free (.nox/free) and 2 more"
    skew = [("skew", name, "apple", usual, "1.1") for name in ("docs", "tests")]
    assert told(project, "--skew") == skew
    (free,) = findings(project, "free", "docs", "--skew")
    assert (free["line"], free["path"]) == ("", ".nox/free")
    (limited,) = findings(project, "limited", "docs", "--skew")
    assert (limited["line"], limited["path"]) == ("limits.txt:1", "")
    (own,) = findings(project, "own", "docs", "--skew")
    assert own["fix"] == "lock: {group: one} for own in envs.yaml, then nox -s lock -- docs own"
    rule = "drift: {ignore: [{kind: skew, package: plum, reason: known}]}"
    project.write("envs.yaml", f"{spec}    {rule}\n")
    assert "matched nothing" not in project.cli("drift", check=True).stdout
    assert "matched nothing; remove it" in project.cli("drift", "--skew", check=True).stdout
    ran = project.nox("-s", "drift", "--", "--skew", "--fail-on", "skew")
    assert (ran.returncode, "drift: 2 skew" in ran.output) == (1, True)
