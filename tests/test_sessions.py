"""Sessions with real nox: named, selected, built from a lock, checked, repaired, reported."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from nox_envs.values import replace
from nox_envs.venv.receipt import read_receipt, write_receipt
from tests.conftest import Project, Venv, uv
from tests.index import Index

pytestmark = pytest.mark.functional

SPEC = """
    version: 1
    requirements:
      app: [basket>=1.0]
      tools: [press]
    environments:
      demo:
        description: Press something
        requirements: [app, tools]
        commands: ["press {posargs:hello}"]
"""
NOXFILE = 'from nox_envs import load\n\nload("envs.yaml")\n'


@pytest.fixture
def demo(project: Project) -> Project:
    """Make a project with a locked environment `demo`."""
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", check=True)
    return project


def report(project: Project, name: str = "demo") -> dict[str, object]:
    """Return what the last run of a session reported."""
    document = json.loads(project.read(f".nox/.nox-envs/reports/{name}.json"))
    return dict(document["environments"][0])


def findings(project: Project, name: str = "demo") -> dict[str, dict[str, object]]:
    """Return the findings of a report by package."""
    found = report(project, name)["findings"]
    assert isinstance(found, list)
    return {one["package"]: one for one in found}


def kinds(project: Project, name: str = "demo") -> list[tuple[str, str]]:
    """Return kind and package of each finding of a report."""
    return sorted((str(one["kind"]), package) for package, one in findings(project, name).items())


# Names and choices.

MATRIX = """
    version: 1
    requirements: {app: [basket>=1.0]}
    environments:
      base: {python: ["3.11", "3.12"], requirements: [app]}
      tests:
        description: Run the tests
        python: ["3.11", "3.12"]
        matrix: {apple: ["1.0", "2.0"]}
        exclude: [{python: "3.11", apple: "1.0"}]
        requirements: [app, "apple=={apple}"]
        tags: [ci]
        commands: ["python -c 'import apple, sys; print(sys.version[:4], apple.__version__)'"]
      irregular:
        name: "py{py}-apple{apple}"
        matrix: [{python: "3.12", apple: "1.0"}, {python: "3.11", apple: "2.0", tags: [slow]}]
        requirements: ["apple=={apple}"]
      after:
        python: ["3.11", "3.12"]
        matrix: {plum: ["1.0"]}
        requirements: ["plum=={plum}"]
        requires: ["base-{python}"]
      slow: {default: false, requirements: [app], tags: [slow]}
"""
TESTS = ["tests(3.11-apple2.0)", "tests(3.12-apple1.0)", "tests(3.12-apple2.0)"]


@pytest.mark.parametrize(
    ("words", "sessions"),
    [
        (["-s", "tests"], TESTS),
        (["-s", "tests(3.12-apple2.0)"], TESTS[2:]),
        (["-t", "ci"], TESTS),
        (["-t", "irregular"], ["py312-apple10", "py311-apple20"]),
        (["-t", "slow"], ["py311-apple20", "slow"]),
        (["-k", "tests and not apple1"], [TESTS[0], TESTS[2]]),
        (["-p", "3.11", "-s", "tests", "base"], [TESTS[0], "base-3.11"]),
        (["-s", "after(3.12-plum1.0)"], ["base-3.12", "after(3.12-plum1.0)"]),
        (["-s", "after", "base"], ["base-3.11", "base-3.12", "after(3.11-plum1.0)", "after(3.12-plum1.0)"]),
    ],
)
def test_points_are_chosen_as_sessions_of_nox_are(
    project: Project, words: list[str], sessions: list[str]
) -> None:
    project.write("envs.yaml", MATRIX)
    found = json.loads(project.nox("-l", "--json", *words, check=True).stdout)
    assert sorted(one["session"] for one in found if one["session"] != "after") == sorted(sessions)
    assert all(one["description"] == "Run the tests" for one in found if one["name"] == "tests")


def test_the_points_of_a_matrix_run_in_their_own_venvs_after_what_they_require(project: Project) -> None:
    project.write("envs.yaml", MATRIX)
    project.nox("-s", "lock", check=True)
    ran = project.nox("-s", "tests", "after", check=True)
    for line in ("3.11 2.0", "3.12 1.0", "3.12 2.0"):
        assert line in ran.stdout
    order = [line.split()[-1] for line in ran.stderr.splitlines() if "Running session" in line]
    after = ["base-3.11", "after(3.11-plum1.0)", "base-3.12", "after(3.12-plum1.0)", "after"]
    assert order == [*TESTS, *after]
    side_by_side = project.nox("-j", "2", "-s", "tests", "base", check=True)
    assert side_by_side.output.count("was successful") == 5
    assert {report(project, name)["status"] for name in ("tests-3-12-apple1-0", "base-3-11")} == {"clean"}
    project.venv("tests-3-12-apple1-0").uninstall("basket")
    fix = project.cli("drift").stdout.partition("fix: ")[2].splitlines()[0]
    pasted = project.machine.run("sh", "-c", f"{sys.executable} -m {fix}", cwd=project.root)
    assert "repaired: 2 distributions" in pasted.output


def test_another_python_is_used_where_the_lock_is_for_it_or_says_what_to_add(project: Project) -> None:
    project.write("envs.yaml", MATRIX)
    project.nox("-s", "lock", check=True)
    forced = project.nox("-P", "3.11", "-s", "tests(3.12-apple2.0)")
    assert forced.returncode == 0, forced.output
    assert "3.11 2.0" in forced.stdout
    refused = project.nox("-P", "3.13", "-s", "base")
    assert refused.returncode == 1
    assert "expected python 3.13, found requirements/base.txt is for python" in refused.output
    assert 'add "3.13" to python of base, then nox -s lock -- base' in refused.output
    project.write("envs.yaml", "version: 1\nenvironments:\n  any: {requirements: [apple>=1]}\n")
    project.nox("-s", "lock", check=True)
    assert "any-3.13: no drift" in project.nox("-P", "3.13", "-s", "any", check=True).output


def test_hand_written_sessions_live_beside(demo: Project) -> None:
    own = "\n\nimport nox\n\n@nox.session(python=False, requires=['demo'])\ndef own(session):\n"
    demo.write("noxfile.py", f"{NOXFILE}{own}    session.log('my own session')\n")
    ran = demo.nox("-s", "own", check=True)
    assert "pressed hello" in ran.output
    assert "my own session" in ran.output


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("demo", "noxfile.py:3: the session 'demo' is also envs.yaml:7; rename one of them"),
        ("lock", "noxfile.py:3: the session 'lock' is also a session of nox-envs (load can rename it)"),
    ],
)
def test_a_hand_written_session_of_the_same_name_is_an_error(demo: Project, name: str, told: str) -> None:
    demo.write("noxfile.py", f"import nox\n\n@nox.session\ndef {name}(session): pass\n\n{NOXFILE}")
    ran = demo.nox("-l")
    assert ran.returncode == 2
    assert told in ran.stderr


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("demo:\n    requirments: [x>=1]\n", "envs.yaml:4:5"),
        ('demo: {python: "312"}\n', "envs.yaml:3:18: environments.demo.python: '312' is not a Python version"
         " (did you mean 3.12?)"),
    ],
)  # fmt: skip
def test_a_broken_spec_prints_its_problems_and_exits_two(project: Project, spec: str, told: str) -> None:
    project.write("envs.yaml", f"version: 1\nenvironments:\n  {spec}")
    ran = project.nox("-l")
    assert ran.returncode == 2
    assert told in ran.stderr
    assert "Traceback" not in ran.output


def test_a_spec_that_is_not_beside_the_noxfile_is_refused(project: Project) -> None:
    project.write("sub/envs.yaml", "version: 1\nenvironments:\n  demo: {lock: false}\n")
    project.write("noxfile.py", NOXFILE.replace("envs.yaml", "sub/envs.yaml"))
    ran = project.nox("-l")
    assert ran.returncode == 2
    assert "sub/envs.yaml: the spec must be in the folder of the noxfile" in ran.stderr
    assert "load('envs.yaml')" in ran.stderr


def test_a_file_that_is_missing_blocks_only_the_point_that_needs_it(project: Project) -> None:
    project.write("in/a.in", "apple==1.0\n")
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          tests: {matrix: {k: [a, b]}, requirements: [{file: "in/{k}.in"}]}
          other: {requirements: [plum==1.0]}
        """,
    )
    locked = project.nox("-s", "lock")
    assert locked.returncode == 1
    missing = "environments.tests.requirements: in/b.in: no such file (did you mean 'in/a.in'?)"
    assert missing in locked.output
    assert "not locked: tests(kb)" in locked.output
    ran = project.nox("-s", "tests", "other")
    assert ran.returncode == 1
    assert missing in ran.output
    assert ran.output.count("no drift: 1 distribution") == 2
    for verb in ("list", "matrix", "drift"):
        assert all(name in project.cli(verb).stdout for name in ("tests(ka)", "tests(kb)", "other"))


# Building, checking, repairing.


def test_an_environment_is_built_from_its_lock_and_checked(demo: Project) -> None:
    ran = demo.nox("-s", "demo", check=True)
    assert "pressed hello" in ran.output
    assert "no drift" in ran.output
    assert "apple==2.0" in demo.cli("freeze", "demo").stdout
    assert report(demo)["status"] == "clean"
    assert "pressed a b c" in demo.nox("-s", "demo", "--", "a", "b c").output


def test_the_whole_command_of_the_installer_is_printed_with_v_only(demo: Project) -> None:
    assert "uv pip sync\n" in demo.nox("-s", "demo", check=True).output
    assert "--verify-hashes" in demo.nox("-v", "--reuse-venv=never", "-s", "demo", check=True).output


def test_a_second_run_starts_no_installer_and_a_first_does(demo: Project, tmp_path: Path) -> None:
    log, wrapper = tmp_path / "uv.log", tmp_path / "uv"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> "{log}"\nexec "{uv()}" "$@"\n')
    wrapper.chmod(0o755)
    if os.name == "nt":
        pytest.skip("the wrapper that counts processes is a shell script")
    demo.nox("-s", "demo", env={"UV": str(wrapper)}, check=True)
    assert "pip sync" in log.read_text()
    log.write_text("")
    assert "no drift" in demo.nox("-s", "demo", env={"UV": str(wrapper)}, check=True).output
    # nox asks uv for its version; nothing else was started.
    assert [line for line in log.read_text().splitlines() if not line.startswith("self version")] == []


def damage(venv: Venv) -> None:
    """Change a venv by hand: one package more, one less, one older."""
    venv.install("plum")
    venv.uninstall("basket")
    venv.install("apple==1.0")


@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
def test_changes_by_hand_are_found_explained_and_repaired(project: Project, backend: str) -> None:
    project.write("envs.yaml", SPEC + f"        backend: {backend}\n")
    project.nox("-s", "lock", "demo", check=True)
    damage(project.venv("demo", backend))  # type: ignore[arg-type]
    ran = project.nox("-s", "demo", check=True)
    assert report(project)["status"] == "repaired"
    assert kinds(project) == [("extraneous", "plum"), ("missing", "basket"), ("version", "apple")]
    apple = findings(project)["apple"]
    assert (apple["expected"], apple["actual"]) == ("2.0", "1.0")
    assert apple["why"] == ["app: basket>=1.0 (envs.yaml:4)", "basket"]
    assert str(apple["line"]).startswith("requirements/demo.txt:")
    assert {one["fix"] for one in findings(project).values()} == {"nox -s demo"}
    for text in ("missing", "extraneous", "version", "app: basket>=1.0", "repaired", "pressed hello"):
        assert text in ran.output
    assert "no drift" in project.nox("-s", "demo", check=True).output
    assert report(project)["status"] == "clean"


@pytest.mark.parametrize(
    ("policy", "words", "code"), [("fail", (), 1), ("warn", (), 0), ("repair", ("-R",), 0)]
)
def test_drift_is_told_and_left_where_the_policy_or_nox_says_so(
    demo: Project, policy: str, words: tuple[str, ...], code: int
) -> None:
    demo.write("envs.yaml", SPEC + f"        drift: {policy}\n")
    demo.nox("-s", "demo", check=True)
    damage(demo.venv("demo"))
    ran = demo.nox(*words, "-s", "demo", "--report", "report.json")
    assert ran.returncode == code
    assert ("pressed" in ran.output) is (code == 0)
    assert "1 extraneous, 1 missing, 1 version" in ran.output
    assert "plum==1.0" in demo.cli("freeze", "demo").stdout
    reason = json.loads(demo.read("report.json"))["sessions"][0].get("reason") or ""
    assert ("drift: 1 extraneous" in reason) is (code == 1)


def test_install_only_builds_and_runs_no_command_and_a_first_reuse_builds_too(demo: Project) -> None:
    ran = demo.nox("--install-only", "-s", "demo", check=True)
    assert "pressed" not in ran.output
    assert "no drift" in ran.output
    demo.write("envs.yaml", SPEC.replace("demo:", "other:"))
    demo.nox("-s", "lock", check=True)
    assert "pressed hello" in demo.nox("-R", "-s", "other", check=True).output
    (demo.venv("other").location / "nox-envs.json").unlink()
    refused = demo.nox("-R", "-s", "other")
    assert refused.returncode == 1
    assert "must be recreated: its installation did not finish; run it without -R" in refused.output


def test_a_missing_lock_stops_with_the_command_that_creates_it(project: Project) -> None:
    project.write("envs.yaml", SPEC)
    ran = project.nox("-s", "demo", "--report", "report.json")
    assert ran.returncode == 1
    assert "fix: nox -s lock -- demo" in json.loads(project.read("report.json"))["sessions"][0]["reason"]
    assert not (project.root / "requirements").exists()
    assert kinds(project) == [("lock-missing", "")]
    project.nox("-s", "lock", check=True)
    assert "recreating" not in project.nox("-s", "demo", check=True).output


@pytest.mark.parametrize(
    ("old", "new", "kind", "told"),
    [
        ("\npress", "\n-i https://me:secret@packages.example.org\npress", "leak", "credentials in a URL"),
        (" \\\n    --hash=", "\n# ", "lock-unhashed", "has none"),
    ],
)
def test_a_leak_or_a_pin_without_a_hash_stops_a_session(
    demo: Project, old: str, new: str, kind: str, told: str
) -> None:
    demo.write("requirements/demo.txt", demo.read("requirements/demo.txt").replace(old, new))
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 1
    assert kind in ran.output
    assert told in ran.output
    assert "secret" not in ran.output
    assert "fix: nox -s lock -- demo" in ran.output


def test_a_stale_lock_stops_every_point_of_a_matrix(project: Project, tmp_path: Path) -> None:
    spec = """
        version: 1
        environments:
          tests: {matrix: {apple: ["1.0", "2.0"]}, requirements: ["apple=={apple}"]}
    """
    project.write("envs.yaml", spec)
    project.nox("-s", "lock", "tests(apple1.0)", check=True)
    project.write("envs.yaml", spec.replace('"apple=={apple}"', '"apple=={apple}", plum==1.0'))
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    for words in (("-s",), ("--reuse-venv=never", "-s")):
        ran = project.nox(*words, "tests", env=env)
        assert ran.returncode == 1
        assert ran.output.count("Running session tests(") == 2
        assert ran.output.count("requirements/tests-apple1.0.txt does not match envs.yaml") >= 1
        assert not (project.root / ".nox/tests-apple2-0/nox-envs.json").exists()
    assert "lock-unsatisfied" in (tmp_path / "summary.md").read_text()


def test_a_loosened_requirement_is_told_reported_and_goes_on(demo: Project) -> None:
    demo.write("envs.yaml", SPEC.replace("basket>=1.0", "basket>=0.9"))
    ran = demo.nox("-s", "demo", check=True)
    assert "app: basket>=0.9" in ran.output
    assert kinds(demo) == [("lock-stale", "basket")]
    assert report(demo)["status"] == "drift"
    assert demo.cli("check").returncode == demo.nox("-s", "lock", "--", "--check").returncode == 0


def test_a_lock_that_moved_on_is_told_from_a_changed_venv(demo: Project, index: Index) -> None:
    demo.nox("-s", "demo", check=True)
    text = demo.read("requirements/demo.txt").replace("apple==2.0", "apple==1.1")
    old, new = (index.sha256(f"apple-{version}-py3-none-any.whl") for version in ("2.0", "1.1"))
    demo.write("requirements/demo.txt", text.replace(old, new))
    ran = demo.nox("-s", "demo", check=True)
    assert "requirements/demo.txt changed since it was installed: 1 version" in ran.output
    assert "apple==1.1" in demo.cli("freeze", "demo").stdout


def test_a_venv_that_was_moved_is_recreated(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    (demo.root / ".nox").rename(demo.root / ".venvs")
    drift = demo.cli("drift", "--envdir", ".venvs", "demo")
    assert (drift.returncode, "moved" in drift.output) == (1, True)
    moved = demo.nox("--envdir", ".venvs", "-s", "demo", check=True)
    assert "recreating the venv: it was installed at another path" in moved.output
    assert "no drift" in demo.nox("--envdir", ".venvs", "-s", "demo", check=True).output


def test_an_interpreter_that_was_replaced_in_place_is_noted_once(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    location = demo.root / ".nox/demo"
    receipt = read_receipt(location)
    assert receipt is not None
    before = replace(receipt.interpreter, state="1 bytes, written at 7")
    write_receipt(location, replace(receipt, interpreter=before, verdict=None))
    noted = demo.nox("-s", "demo", check=True)
    assert "the interpreter of the last session" in noted.output
    again = demo.nox("-s", "demo", check=True)
    assert ("the last session" in again.output, "no drift" in again.output) == (False, True)


@pytest.mark.skipif(os.name == "nt", reason="links are other things there")
def test_a_venv_behind_a_link_is_recreated_and_what_the_link_leads_to_stays(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    venv, outside = demo.root / ".nox/demo", demo.root.parent / "outside"
    venv.rename(outside)
    venv.symlink_to(outside)
    (outside / "precious.txt").write_text("")
    before = sorted(path.name for path in outside.rglob("*"))
    drift = demo.cli("drift", "demo")
    assert (drift.returncode, "it is a link" in drift.output) == (1, True)
    assert "recreating the venv" in demo.nox("-s", "demo", check=True).output
    assert (venv.is_symlink(), sorted(path.name for path in outside.rglob("*"))) == (False, before)


# Without a lock.

LOOSE = """
    version: 1
    environments:
      demo: {lock: false, drift: POLICY, requirements: [basket<1.1, apple==1.0]}
"""


def test_an_environment_without_a_lock_is_held_to_what_was_installed(project: Project) -> None:
    project.write("envs.yaml", LOOSE.replace("POLICY", "repair"))
    assert "no drift" in project.nox("-s", "demo", check=True).output
    project.venv("demo").install("apple==2.0")
    project.nox("-s", "demo", check=True)
    assert kinds(project) == [("version", "apple")]
    assert "no drift" in project.nox("-s", "demo", check=True).output
    changed = LOOSE.replace("apple==1.0", "apple==1.1")
    project.write("envs.yaml", changed.replace("POLICY", "repair"))
    told = project.nox("-R", "-s", "demo", check=True)
    assert "one of other requirements" in told.output
    project.write("envs.yaml", changed.replace("POLICY", "fail"))
    failed = project.nox("-s", "demo")
    assert failed.returncode == 1
    assert "its requirements changed since it was installed" in failed.output
    assert "apple==1.0" in project.cli("freeze", "demo").stdout
    project.write("envs.yaml", changed.replace("POLICY", "repair"))
    assert "recreating the venv: its requirements changed" in project.nox("-s", "demo", check=True).output
    assert "apple==1.1" in project.cli("freeze", "demo").stdout


def test_settings_outside_of_the_spec_are_named_or_refused(project: Project) -> None:
    project.write("envs.yaml", LOOSE.replace("POLICY", "repair"))
    limits = str(project.write("limits.txt", "basket<1.1\n"))
    project.write("pyproject.toml", "[tool.uv]\nconstraint-dependencies = ['apple<1']\n")
    ran = project.nox("-s", "demo", env={"UV_CONSTRAINT": limits}, check=True)
    assert f"UV_CONSTRAINT changes what uv resolves: {limits}" in ran.output
    assert "[tool.uv] constraint-dependencies in pyproject.toml does not count" in ran.output
    project.write("pyproject.toml", "[tool.uv.sources]\napple = {path = 'apple'}\n")
    refused = project.nox("--reuse-venv=never", "-s", "demo")
    assert refused.returncode == 1
    assert (
        "apple: its entry in [tool.uv.sources] does not count; in envs.yaml, write ./apple" in refused.output
    )


def test_the_seed_workflow_step_by_step(project: Project) -> None:
    """Create, activate, install, install pinned, freeze, install from the file."""
    project.write(
        "envs.yaml",
        """
        version: 1
        defaults: {lock: false, backend: venv}
        requirements: {frozen: [{file: requirements.txt}]}
        environments:
          first: {requirements: [apple>=1]}
          pinned: {requirements: [apple==1.0]}
          again: {requirements: [frozen]}
        """,
    )
    project.write("requirements.txt", "")
    project.nox("-s", "first", "pinned", check=True)
    line = project.cli("activate", "first", "--shell", "bash", check=True).stdout.strip()
    active = project.machine.run("sh", "-c", f"{line} && python -c 'import sys; print(sys.prefix)'")
    assert Path(active.stdout.strip()).resolve() == (project.root / ".nox/first").resolve()
    assert project.cli("freeze", "first").stdout == "apple==2.0\n"
    frozen = project.cli("freeze", "pinned", check=True).stdout
    assert frozen == "apple==1.0\n"
    project.write("requirements.txt", frozen)
    project.nox("-s", "again", check=True)
    assert project.cli("freeze", "again").stdout == "apple==1.0\n"


# Commands.


def commands(project: Project, text: str, **env: str) -> tuple[int, str]:
    """Run an environment with some keys and return its exit code and output."""
    project.write("envs.yaml", f"version: 1\nenvironments:\n  demo: {{lock: false, {text}}}\n")
    ran = project.nox("-s", "demo", env=env)
    return ran.returncode, ran.output


@pytest.mark.parametrize("command", ["pip --version", "pytest", "sh -c 'echo outside'"])
def test_a_program_that_is_not_in_the_venv_is_an_error_before_it_runs(project: Project, command: str) -> None:
    code, output = commands(project, f'commands: ["{command}"]')
    name = command.split()[0]
    assert code == 1
    assert f"envs.yaml:3: {name!r} is not installed in the venv; add the package that brings it" in output
    assert "outside" not in output.replace("outside the", "")


def test_programs_of_the_machine_of_the_project_and_of_the_backend_run(project: Project) -> None:
    script = project.write("tool.sh", "#!/bin/sh\necho beside $1\n")
    script.chmod(0o755)
    external = "{run: \"sh -c 'echo outside'\", external: true}"
    code, output = commands(project, f'backend: venv, commands: ["./tool.sh a", {external}, pip --version]')
    assert code == 0, output
    for text in ("beside a", "outside", str(project.root / ".nox/demo")):
        assert text in output


def test_commands_after_the_others_run_whatever_happened(project: Project) -> None:
    code, output = commands(
        project,
        "commands_pre: [\"python -c 'print(1)'\"], commands: [\"python -c 'print(2); exit(3)'\", python -V],"
        " commands_post: [\"python -c 'print(4)'\", \"python -c 'print(5)'\"]",
    )
    assert code == 1
    assert [line for line in output.splitlines() if line.isdigit()] == ["1", "2", "4", "5"]
    assert "Python 3" not in output


@pytest.mark.parametrize(
    ("keys", "words"), [
        ("commands: [python -V], change_dir: gone",
         "envs.yaml:3: change_dir: no directory 'gone'; create it, or name another one"),
        ("commands: [{run: no-such-program, external: true}]",
         "envs.yaml:3: 'no-such-program' is not on this machine; install it"),
    ],
)  # fmt: skip
def test_a_command_that_cannot_run_says_where_it_was_written(project: Project, keys: str, words: str) -> None:
    code, output = commands(project, keys)
    assert code == 1
    assert f"Session demo aborted: {words}" in output


def test_commands_see_the_variables_that_pass_and_may_fail_where_the_spec_says_so(project: Project) -> None:
    project.write("show.py", "import os; print(os.environ.get('KEEP_ME'), os.environ.get('LOSE_ME'))")
    failing = "{run: \"python -c 'exit(3)'\", allow_failure: true}"
    keys = f'pass_env: ["KEEP*"], commands: [{failing}, python show.py]'
    code, output = commands(project, keys, KEEP_ME="a", LOSE_ME="b")
    assert code == 0, output
    assert "demo: python failed, which the spec allows" in output
    assert "a None" in output


def test_a_session_without_a_venv_is_refused(demo: Project) -> None:
    ran = demo.nox("--no-venv", "-s", "demo")
    assert ran.returncode == 1
    assert "nox-envs checks virtual environments; run without --no-venv" in ran.output


def test_a_command_that_deletes_its_venv_is_reported_and_the_next_run_has_a_new_one(project: Project) -> None:
    project.write("gone.py", "import shutil, sys; shutil.rmtree(sys.prefix)")
    for _ in range(2):
        code, output = commands(project, "requirements: [apple==1.0], commands: [python gone.py]")
        assert code == 0, output
        assert "demo: no drift: 1 distribution" in output
        assert "changed their own venv: 1 python" in output
        assert report(project)["status"] == "drift"
        assert kinds(project) == [("python", "")]


def test_what_a_repair_fixed_is_not_reported_beside_a_warning_about_the_lock(project: Project) -> None:
    spec = "version: 1\nenvironments:\n  demo: {requirements: ['basket>=1.0']}\n"
    project.write("envs.yaml", spec)
    project.nox("-s", "lock", "demo", check=True)
    project.write("envs.yaml", spec.replace(">=1.0", ">=0.9"))
    project.venv("demo").uninstall("apple")
    project.nox("-s", "demo", check=True)
    assert kinds(project) == [("lock-stale", "basket")]


def test_a_venv_that_cannot_be_checked_leaves_the_others_checked(project: Project) -> None:
    body = "lock: false, requirements: [apple==1.0]"
    project.write("envs.yaml", f"version: 1\nenvironments:\n  a: {{{body}}}\n  b: {{{body}}}\n")
    project.nox("-s", "a", "b", check=True)
    site = project.venv("a").site
    shutil.rmtree(site)
    site.write_text("not a folder")
    project.venv("b").uninstall("apple")
    checked = project.cli("drift")
    assert checked.returncode == 2
    assert "b: drift: 1 missing" in checked.stdout
    assert "cannot be listed" in checked.stdout


def test_a_command_that_changes_its_own_venv_is_reported(project: Project) -> None:
    install = "python -m pip install --quiet plum"
    code, output = commands(project, f"backend: venv, requirements: [apple==1.0], commands: ['{install}']")
    assert code == 0, output
    assert "changed their own venv: 1 extraneous" in output
    assert kinds(project) == [("extraneous", "plum")]


def test_drift_that_was_there_before_the_commands_is_not_put_down_to_them(project: Project) -> None:
    install = "python -m pip install --quiet --force-reinstall plum"
    keys = f"backend: venv, drift: warn, requirements: [apple==1.0], commands: ['{install}']"
    first, second = commands(project, keys)[1], commands(project, keys)[1]
    assert "changed their own venv: 1 extraneous" in first
    assert "it was installed: 1 extraneous" in second
    assert "changed their own venv" not in second


@pytest.mark.parametrize("policy", ["repair", "fail"])
def test_an_edit_by_a_command_is_told_on_every_run(project: Project, policy: str) -> None:
    text = "import glob, sys; f, = glob.glob('.nox/demo/lib/*/site-packages/apple-*/METADATA');"
    text += "t = open(f).read().replace('Name: apple', 'Name: pear'); open(f, 'w').write(t)"
    project.write("edit.py", text)
    for number in range(2):
        keys = f'drift: {policy}, requirements: [apple==1.0], commands: ["python edit.py"]'
        code, output = commands(project, keys)
        assert code == (policy == "fail" and number == 0), output  # later it is a warning, told before
        assert "1 broken-metadata" in output
        assert report(project)["status"] == "drift"


def test_the_summary_of_a_job_is_written_on_a_run_that_is_known_to_be_clean(project: Project) -> None:
    project.write("add.py", "import press; open(press.__file__.replace('press.py', 'notes.txt'), 'w')")
    keys = 'requirements: [press==1.0], commands: ["python add.py"]'
    commands(project, keys)
    (project.venv("demo").site / "notes.txt").unlink()
    summary = project.write("summary.md", "")
    code, output = commands(project, keys, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert code == 0, output
    assert "demo" in summary.read_text()
    code, output = commands(project, keys, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(project.root))
    assert (code, f"{project.root}: cannot be written: Is a directory" in output) == (0, True)


# The built-in sessions.


@pytest.mark.parametrize("verb", ["lock", "drift"])
def test_the_help_of_a_session_is_shown_and_the_sessions_after_it_run(demo: Project, verb: str) -> None:
    ran = demo.nox("-s", verb, "demo", "--", "--help")
    assert ran.returncode == 0, ran.output
    assert f"usage: nox -s {verb} --" in ran.stdout
    assert "pressed --help" in ran.output
