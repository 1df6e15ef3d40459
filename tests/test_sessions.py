"""The main job with real nox: build from a lock, verify, repair, report (design, section 7)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import Project, Venv, uv
from tests.index import Index

pytestmark = pytest.mark.functional

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
SPEC = """
    version: 1
    requirements:
      app: [basket>=1.0]
      tools: [press]
    environments:
      demo:
        description: Press something
        requirements: [app, tools]
        commands:
          - press {posargs:hello}
"""


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


def kinds(found: dict[str, object]) -> list[tuple[str, str]]:
    """Return kind and package of each finding of a report."""
    findings = found["findings"]
    assert isinstance(findings, list)
    return [(finding["kind"], finding["package"]) for finding in findings]


def test_an_environment_is_built_from_its_lock_and_proved(demo: Project) -> None:
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "pressed hello" in ran.output
    assert "no drift" in ran.output
    assert "apple==2.0" in demo.cli("freeze", "demo").stdout
    assert report(demo)["status"] == "clean"


def test_a_second_run_starts_no_installer_and_a_first_does(demo: Project, tmp_path: Path) -> None:
    log = tmp_path / "uv.log"
    wrapper = tmp_path / "uv"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> "{log}"\nexec "{uv()}" "$@"\n')
    wrapper.chmod(0o755)
    env = {"UV": str(wrapper)}
    if os.name == "nt":
        pytest.skip("the wrapper that counts processes is a shell script")
    assert demo.nox("-s", "demo", env=env).returncode == 0
    assert "pip install" in log.read_text()
    log.write_text("")
    second = demo.nox("-s", "demo", env=env)
    assert second.returncode == 0
    assert "no drift" in second.output
    # nox asks uv for its version; nothing else was started.
    assert [line for line in log.read_text().splitlines() if not line.startswith("self version")] == []


@pytest.mark.parametrize("backend", ["virtualenv", "venv"])
def test_a_second_run_starts_no_pip_and_a_first_does(project: Project, tmp_path: Path, backend: str) -> None:
    project.write("envs.yaml", SPEC + f"        backend: {backend}\n")
    project.nox("-s", "lock", check=True)
    log = tmp_path / "pip.log"
    env = {"PIP_LOG": str(log)}
    project.nox("-s", "demo", env=env, check=True)
    assert "basket" in log.read_text()
    log.write_text("")
    assert "no drift" in project.nox("-s", "demo", env=env, check=True).output
    assert log.read_text() == ""


def damage(venv: Venv) -> None:
    """Change a venv by hand: one package more, one less, one older."""
    venv.install("plum")
    venv.uninstall("basket")
    venv.install("apple==1.0")


def test_three_changes_by_hand_are_found_explained_and_repaired(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    damage(demo.venv("demo"))
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    found = report(demo)
    assert found["status"] == "repaired"
    assert sorted(kinds(found)) == [("extraneous", "plum"), ("missing", "basket"), ("version", "apple")]
    findings = {finding["package"]: finding for finding in found["findings"]}  # type: ignore[attr-defined]
    assert findings["apple"]["expected"] == "2.0"
    assert findings["apple"]["actual"] == "1.0"
    assert findings["apple"]["why"] == ["app: basket>=1.0 (envs.yaml:4)", "basket"]
    assert findings["apple"]["line"].startswith("requirements/demo.txt:")
    assert findings["basket"]["why"] == ["app: basket>=1.0 (envs.yaml:4)"]
    assert {finding["fix"] for finding in findings.values()} == {"nox -s demo"}
    for text in ("missing", "extraneous", "version", "app: basket>=1.0", "repaired"):
        assert text in ran.output
    again = demo.nox("-s", "demo")
    assert "no drift" in again.output
    assert report(demo)["status"] == "clean"


def test_the_policy_fail_stops_with_the_reason_in_the_report_of_nox(demo: Project) -> None:
    demo.write("envs.yaml", SPEC + "        drift: fail\n")
    demo.nox("-s", "demo", check=True)
    damage(demo.venv("demo"))
    ran = demo.nox("-s", "demo", "--report", "report.json")
    assert ran.returncode == 1
    assert "pressed" not in ran.output
    reason = json.loads(demo.read("report.json"))["sessions"][0]["reason"]
    assert "drift" in reason
    assert "1 extraneous, 1 missing, 1 version" in reason
    assert "plum" in demo.cli("freeze", "demo").stdout


def test_the_policy_warn_says_so_and_goes_on(demo: Project) -> None:
    demo.write("envs.yaml", SPEC + "        drift: warn\n")
    demo.nox("-s", "demo", check=True)
    demo.venv("demo").install("plum")
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0
    assert "extraneous" in ran.output
    assert "pressed hello" in ran.output
    assert "plum" in demo.cli("freeze", "demo").stdout


def test_reuse_without_install_verifies_but_repairs_nothing(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    demo.venv("demo").install("plum")
    ran = demo.nox("-R", "-s", "demo")
    assert ran.returncode == 0
    assert "extraneous" in ran.output
    assert "plum" in demo.cli("freeze", "demo").stdout


def test_install_only_builds_and_runs_no_command(demo: Project) -> None:
    ran = demo.nox("--install-only", "-s", "demo")
    assert ran.returncode == 0
    assert "pressed" not in ran.output
    assert "no drift" in ran.output


def test_posargs_replace_their_default(demo: Project) -> None:
    assert "pressed a b c" in demo.nox("-s", "demo", "--", "a", "b c").output


def test_a_missing_lock_stops_with_the_command_that_makes_it(project: Project) -> None:
    project.write("envs.yaml", SPEC)
    ran = project.nox("-s", "demo", "--report", "report.json")
    assert ran.returncode == 1
    assert "lock-missing" in ran.output
    assert "nox -s lock -- demo" in json.loads(project.read("report.json"))["sessions"][0]["reason"]
    assert not (project.root / "requirements").exists()
    assert not (project.root / ".nox/demo").exists()
    assert kinds(report(project)) == [("lock-missing", "")]
    project.nox("-s", "lock", check=True)
    built = project.nox("-s", "demo", check=True).output
    assert "never finished" not in built
    assert "anew" not in built


def test_a_stale_lock_keeps_the_point_of_a_matrix_from_a_new_venv_and_leaves_the_old_one(
    project: Project, tmp_path: Path
) -> None:
    spec = """
        version: 1
        environments:
          tests:
            matrix: {apple: ["1.0", "2.0"]}
            requirements: ["apple=={apple}"]
    """
    project.write("envs.yaml", spec)
    project.nox("-s", "lock", check=True)
    project.nox("-s", "tests(apple='1.0')", check=True)
    venv = project.root / ".nox/tests-apple-1-0"
    assert (venv / "nox-envs.json").exists()
    project.write("envs.yaml", spec.replace('"apple=={apple}"', '"apple=={apple}", plum==1.0'))
    summary = tmp_path / "summary.md"
    for words in (("-s",), ("--reuse-venv=never", "-s")):
        env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
        ran = project.nox(*words, "tests", env=env)
        assert ran.returncode == 1
        assert ran.output.count("Running session tests(") == 2
        assert ran.output.count("requirements/tests-apple1.0.txt does not answer envs.yaml") >= 1
        assert not (project.root / ".nox/tests-apple-2-0").exists()
        assert (venv / "nox-envs.json").exists()
    assert "lock-unsatisfied" in summary.read_text()


def test_a_requirement_that_the_lock_does_not_meet_stops_the_session(demo: Project) -> None:
    demo.write("envs.yaml", SPEC.replace("basket>=1.0", "basket>=1.5"))
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 1
    assert "lock-unsatisfied" in ran.output
    assert "envs.yaml:4" in ran.output
    assert "basket==1.1" in ran.output


def test_a_loosened_requirement_is_told_and_goes_on(demo: Project) -> None:
    demo.write("envs.yaml", SPEC.replace("basket>=1.0", "basket>=0.9"))
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "lock-stale" in ran.output
    assert "app: basket>=0.9" in ran.output


def test_the_report_of_a_session_holds_what_is_wrong_with_its_lock(demo: Project) -> None:
    demo.write("envs.yaml", SPEC.replace("basket>=1.0", "basket>=0.9"))
    demo.nox("-s", "demo", check=True)
    found = report(demo)
    assert kinds(found) == [("lock-stale", "basket")]
    assert found["status"] == "drift"
    assert demo.cli("check").returncode == 0
    assert demo.nox("-s", "lock", "--", "--check").returncode == 0
    assert "can be used" in demo.cli("check").stderr


def test_freeze_keeps_a_seed_package_that_the_lock_pins(project: Project, index: Index) -> None:
    index.release("wheel", "0.99")
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: [wheel==0.99]}\n")
    project.nox("-s", "lock", "demo", check=True)
    assert project.cli("freeze", "demo").stdout == "wheel==0.99\n"


def test_without_installation_changed_requirements_are_told_and_the_venv_is_kept(project: Project) -> None:
    spec = "version: 1\nenvironments:\n  demo: {lock: false, drift: POLICY, requirements: [apple==1.0]}\n"
    project.write("envs.yaml", spec.replace("POLICY", "repair"))
    project.nox("-s", "demo", check=True)
    changed = spec.replace("1.0", "1.1")
    project.write("envs.yaml", changed.replace("POLICY", "repair"))
    ran = project.nox("-R", "-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "one of other requirements" in ran.output
    assert project.cli("freeze", "demo").stdout == "apple==1.0\n"
    project.write("envs.yaml", changed.replace("POLICY", "fail"))
    failed = project.nox("-s", "demo")
    assert failed.returncode == 1
    assert "its requirements changed since it was installed" in failed.output
    assert project.cli("freeze", "demo").stdout == "apple==1.0\n"
    project.write("envs.yaml", changed.replace("POLICY", "repair"))
    project.nox("-s", "demo", check=True)
    assert project.cli("freeze", "demo").stdout == "apple==1.1\n"


def test_a_lock_that_moved_on_is_told_from_a_changed_venv(demo: Project, index: Index) -> None:
    demo.nox("-s", "demo", check=True)
    text = demo.read("requirements/demo.txt")
    new = text.replace("apple==2.0", "apple==1.1").replace(
        index.sha256("apple-2.0-py3-none-any.whl"), index.sha256("apple-1.1-py3-none-any.whl")
    )
    demo.write("requirements/demo.txt", new)
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "requirements/demo.txt changed since it was installed" in ran.output
    assert "apple==1.1" in demo.cli("freeze", "demo").stdout


def test_a_wrong_hash_is_refused_and_the_venv_never_used(demo: Project, index: Index) -> None:
    text = demo.read("requirements/demo.txt")
    demo.write("requirements/demo.txt", text.replace(index.sha256("apple-2.0-py3-none-any.whl"), "0" * 64))
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 1
    assert "pressed" not in ran.output
    demo.write("requirements/demo.txt", text)
    again = demo.nox("-s", "demo")
    assert again.returncode == 0, again.output
    assert "never finished" in again.output


@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
def test_every_backend_builds_repairs_and_stays_clean(project: Project, backend: str) -> None:
    project.write("envs.yaml", SPEC + f"        backend: {backend}\n")
    project.nox("-s", "lock", check=True)
    assert "pressed hello" in project.nox("-s", "demo", check=True).output
    damage(project.venv("demo", backend))  # type: ignore[arg-type]
    assert "repaired" in project.nox("-s", "demo", check=True).output
    assert "no drift" in project.nox("-s", "demo", check=True).output


def test_a_command_that_changes_its_own_venv_is_reported(project: Project) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          demo:
            requirements: [apple==1.0]
            backend: virtualenv
            commands: [python -m pip install --quiet plum]
        """,
    )
    project.nox("-s", "lock", check=True)
    ran = project.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "changed their own venv: 1 extraneous" in ran.output


def test_an_edit_by_a_command_is_told_whether_or_not_anything_is_remembered(project: Project) -> None:
    edit = project.write(
        "edit.py",
        """
        import pathlib, sys
        (file,) = pathlib.Path(sys.argv[1]).glob("lib/*/site-packages/apple-*/METADATA")
        file.write_text(file.read_text().replace("Name: apple", "Name: pear"))
        """,
    )
    project.write(
        "envs.yaml",
        f"""
        version: 1
        environments:
          demo:
            requirements: [apple==1.0]
            commands: ["python {edit.name} {{envdir}}"]
        """,
    )
    project.nox("-s", "lock", check=True)
    for _ in range(2):
        ran = project.nox("-s", "demo", check=True)
        assert "changed their own venv: 1 broken-metadata" in ran.output
        assert report(project)["status"] == "drift"


def test_the_summary_of_a_job_is_written_on_a_run_that_is_known_to_be_clean(project: Project) -> None:
    add = "import sysconfig, pathlib; pathlib.Path(sysconfig.get_path('purelib'), 'notes.txt').touch()"
    project.write("add.py", add)
    project.write("envs.yaml", SPEC.replace("press {posargs:hello}", "python add.py"))
    project.nox("-s", "lock", check=True)
    project.nox("-s", "demo", check=True)
    summary = project.write("summary.md", "")
    (project.venv("demo").site / "notes.txt").unlink()
    project.nox("-s", "demo", env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}, check=True)
    assert "demo" in summary.read_text()


def test_a_venv_that_was_moved_is_made_anew(project: Project) -> None:
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", check=True)
    project.nox("-s", "demo", check=True)
    (project.root / ".nox").rename(project.root / ".venvs")
    assert "made at another path" in project.cli("drift", "--envdir", ".venvs", "demo").output
    moved = project.nox("--envdir", ".venvs", "-s", "demo", check=True)
    assert "making the venv anew" in moved.output
    assert "no drift" in project.nox("--envdir", ".venvs", "-s", "demo", check=True).output


def test_two_sessions_at_once_leave_a_report_each(project: Project) -> None:
    project.write("envs.yaml", SPEC + "      other:\n        requirements: [app]\n")
    project.nox("-s", "lock", check=True)
    ran = project.nox("-j", "2", "-s", "demo", "other")
    assert ran.returncode == 0, ran.output
    assert report(project)["status"] == "clean"
    assert report(project, "other")["status"] == "clean"


def test_an_environment_without_lock_is_held_to_what_was_installed(project: Project) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          loose:
            lock: false
            requirements: [basket>=1.0]
        """,
    )
    assert "no drift" in project.nox("-s", "loose", check=True).output
    assert "basket==1.1" in project.cli("freeze", "loose").stdout
    project.venv("loose").install("apple==1.0")
    ran = project.nox("-s", "loose", check=True)
    assert ("version", "apple") in kinds(report(project, "loose"))
    assert "no drift" in project.nox("-s", "loose", check=True).output, ran.output


def test_hand_written_sessions_live_beside(demo: Project) -> None:
    demo.write(
        "noxfile.py",
        """
        import nox
        from nox_envs import load

        load("envs.yaml")


        @nox.session(python=False, requires=["demo"])
        def own(session):
            session.log("my own session")
        """,
    )
    ran = demo.nox("-s", "own")
    assert ran.returncode == 0, ran.output
    assert "pressed hello" in ran.output
    assert "my own session" in ran.output


def test_a_broken_spec_prints_its_problems_and_exits_two(project: Project) -> None:
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo:\n    requirments: [x>=1]\n")
    ran = project.nox("-l")
    assert ran.returncode == 2
    assert "envs.yaml:4:5" in ran.stderr
    assert "requirements" in ran.stderr
    assert "Traceback" not in ran.output


def test_a_spec_that_does_not_lie_beside_the_noxfile_is_refused(project: Project) -> None:
    project.write("sub/envs.yaml", "version: 1\nenvironments:\n  demo: {lock: false}\n")
    project.write("noxfile.py", 'from nox_envs import load\n\nload("sub/envs.yaml")\n')
    ran = project.nox("-l")
    assert ran.returncode == 2
    assert "sub/envs.yaml: the spec must lie in the folder of the noxfile" in ran.stderr
    assert "load('envs.yaml')" in ran.stderr
    assert "Traceback" not in ran.output


@pytest.mark.parametrize("verb", ["lock", "drift"])
def test_the_help_of_a_session_is_shown_and_the_sessions_after_it_run(project: Project, verb: str) -> None:
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {lock: false}\n")
    noxfile = project.read("noxfile.py")
    project.write(
        "noxfile.py",
        f"{noxfile}\nimport nox\n\n\n@nox.session(python=False)\ndef own(session):\n"
        "    session.log('my own session')\n",
    )
    ran = project.nox("-s", verb, "own", "--", "--help")
    assert ran.returncode == 0, ran.output
    assert f"usage: nox -s {verb} --" in ran.stdout
    assert "my own session" in ran.output


def test_the_report_of_drift_reaches_a_terminal_that_cannot_show_all_of_it(project: Project) -> None:
    project.write(
        "envs.yaml",
        'version: 1\nrequirements:\n  a: ["apple>=1"]\nenvironments:\n'
        '  demo: {requirements: [a], lock: {file: "pr\u00fcf.txt"}}\n',
    )
    ran = project.nox("-s", "drift", env={"PYTHONIOENCODING": "ascii"})
    assert ran.returncode == 1
    assert "expected pr\\xfcf.txt" in ran.output
    assert "Traceback" not in ran.output


def test_a_baseline_that_is_not_there_is_an_error_of_the_session(project: Project) -> None:
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {lock: false}\n")
    ran = project.nox("-s", "drift", "--", "--baseline", "nowhere.json")
    assert ran.returncode == 1
    assert "nowhere.json" in ran.output
    assert "Traceback" not in ran.output


def test_the_seed_workflow_step_by_step(project: Project) -> None:
    """Create, activate, install, install pinned, freeze, install from the file."""
    spec = """
        version: 1
        requirements:
          frozen:
            - file: requirements.txt
        environments:
          first: {lock: false, backend: venv, requirements: [apple>=1]}
          pinned: {lock: false, backend: venv, requirements: [apple==1.0]}
          again: {lock: false, backend: venv, requirements: [frozen]}
    """
    project.write("envs.yaml", spec)
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
