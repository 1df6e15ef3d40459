"""What `nox -s lock` does with real nox, uv and git: one run, and every check accepts what it left."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import nox_envs
from tests.conftest import Machine, Project
from tests.index import Index, serve, write_source

pytestmark = pytest.mark.functional

SPEC = """
    version: 1
    requirements: {app: [basket>=1]}
    environments:
      base: {python: "3.12", requirements: [app]}
      tests: {python: ["3.10", "3.12"], requirements: [app, plum>=1], constraints: [{lock: base}]}
      lint: {python: "3.12", requirements: ["press==1.0"], lock: {format: both}}
"""
NOWHERE = {"UV_OFFLINE": "1", "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}


def told(output: str) -> list[str]:
    """Return what the session said, without nox's own lines and the settings that the tests make."""
    lines = [line.partition("nox > ")[2] for line in output.splitlines() if line.startswith("nox > ")]
    return [line for line in lines if not line.startswith(("Running session", "Session ", "UV_"))]


def locks(project: Project) -> dict[str, bytes]:
    """Return the generated files of a project."""
    files = [*project.root.glob("requirements/*"), *project.root.glob("pylock.*")]
    return {path.name: path.read_bytes() for path in sorted(files, key=lambda path: path.name)}


def pins(project: Project, name: str) -> list[str]:
    """Return the pins in a lock."""
    lines = project.read(f"requirements/{name}.txt").splitlines()
    return [line.removesuffix(" \\") for line in lines if line and line[0] not in "# "]


def is_accepted(project: Project) -> bool:
    """Return whether both checks accept all locks as they are, offline."""
    session = project.nox("-s", "lock", "--", "--check", env=NOWHERE)
    verb = project.cli("check", env=NOWHERE)
    return session.returncode == verb.returncode == 0 and "every lock matches" in verb.stderr


@pytest.fixture(scope="module")
def locked_once(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Lock a project once."""
    project = Project(root=tmp_path_factory.mktemp("locked") / "project", machine=machine)
    project.write("noxfile.py", 'from nox_envs import load\n\nload("envs.yaml")\n')
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", check=True)
    return project


@pytest.fixture
def locked(locked_once: Project, tmp_path: Path) -> Project:
    """Copy the locked project."""
    root = tmp_path / "copy"
    shutil.copytree(locked_once.root, root, ignore=shutil.ignore_patterns(".nox"))
    return Project(root=root, machine=locked_once.machine)


# The same input, the same bytes.


def test_a_second_run_changes_no_byte_and_every_check_accepts(locked: Project) -> None:
    before = locks(locked)
    assert sorted(before) == ["base.txt", "lint.txt", "pylock.lint.toml", "tests.txt"]
    assert sorted(told(locked.nox("-s", "lock", check=True).output)) == [
        "base (requirements/base.txt): unchanged: 2 kept",
        "lint (requirements/lint.txt and pylock.lint.toml): unchanged: 1 kept",
        "tests (requirements/tests.txt): unchanged: 4 kept",
    ]
    assert locks(locked) == before
    assert is_accepted(locked)


def test_another_checkout_and_another_python_write_the_same_bytes(
    locked: Project, interpreters: Callable[[str], str]
) -> None:
    elsewhere = Project(root=locked.root.parent / "else where" / "deeper", machine=locked.machine)
    shutil.copytree(locked.root, elsewhere.root, ignore=shutil.ignore_patterns("requirements", "pylock.*"))
    paths = [str(Path(nox_envs.__file__).parent.parent), *(p for p in sys.path if "site-packages" in p)]
    env = {"PYTHONPATH": os.pathsep.join(paths)}
    locked.machine.run(interpreters("3.13"), "-m", "nox", "-s", "lock", cwd=elsewhere.root, env=env)
    assert locks(elsewhere) == locks(locked)


def test_a_lock_installs_without_drift_on_every_python_that_it_is_for(project: Project) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          tests: {python: ["3.10", "3.11", "3.12", "3.13"], requirements: ["basket[dried]>=1", "pear>=1"]}
        """,
    )
    project.nox("-s", "lock", check=True)
    ran = project.nox("--no-error-on-missing-interpreters", "-s", "tests", check=True)
    built = [path.name.replace("-3-", "-3.") for path in project.root.glob(".nox/tests-*")]
    assert ran.output.count("no drift") == len(built) >= 1
    assert project.cli("drift", *built).returncode == 0
    wants_berry = {name: "berry" in project.cli("freeze", name).stdout for name in built}
    assert wants_berry == {name: name == "tests-3.10" for name in built}


# A check that writes nothing.


def test_a_check_is_offline_writes_nothing_and_says_what_does_not_match(locked: Project) -> None:
    before = locks(locked)
    locked.write("envs.yaml", SPEC.replace("plum>=1", "plum>=2"))
    stale = locked.nox("-s", "lock", "--", "--check", env=NOWHERE)
    assert stale.returncode == 1
    for text in ("lock-unsatisfied", "plum==1.0", "envs.yaml:6", "fix: nox -s lock -- tests"):
        assert text in stale.output
    assert locks(locked) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-P", "appel"), "--upgrade-package: no lock has 'appel' (did you mean 'apple'?)"),
        (("-P", "zzz==1"), "--upgrade-package: no lock has 'zzz' (write the name of a package in a lock)"),
        (("-P", "apple=="), "--upgrade-package: 'apple==' is not a requirement (write name, name>=1.0"),
        (("test",), "no environment 'test' (did you mean 'tests'?)"),
        (("--check", "--upgrade"), "--check changes nothing: run it without --upgrade"),
    ],
)
def test_a_mistake_in_the_words_is_an_error(locked: Project, words: tuple[str, ...], message: str) -> None:
    refused = locked.nox("-s", "lock", "--", *words)
    assert refused.returncode == 1
    assert message in refused.output
    assert "Traceback" not in refused.output


def test_a_contradiction_is_explained_and_leaves_its_old_file(locked: Project) -> None:
    before = locks(locked)
    text = SPEC.replace("[app, plum>=1]", "[app, plum>=1, plum<1]").replace("press==1.0", "press>=1")
    locked.write("envs.yaml", text)
    failed = locked.nox("-s", "lock")
    assert failed.returncode == 1
    assert "tests (requirements/tests.txt): failed, nothing is written" in told(failed.output)
    assert "environment tests: plum<1 (envs.yaml:6)" in failed.output
    assert "not locked: requirements/tests.txt" in failed.output
    changed = {name for name, text in locks(locked).items() if before[name] != text}
    assert changed == {"lint.txt", "pylock.lint.toml"}


def test_locks_that_nothing_declares_are_pruned_and_others_left(locked: Project) -> None:
    locked.write("requirements/by-hand.txt", "apple==1.0\n")
    locked.write("envs.yaml", SPEC.replace("  lint:", "  style:"))
    dry = locked.nox("-s", "lock", "--", "--prune", "--dry-run", check=True)
    assert "requirements/lint.txt: would be removed, nothing declares it" in dry.output
    assert "lint.txt" in locks(locked)
    rule = "{kind: lock-orphaned, path: requirements/lint.txt, reason: kept for a release}"
    locked.write("envs.yaml", SPEC.replace("  lint:", "  style:") + f"    drift: {{ignore: [{rule}]}}\n")
    assert "lint.txt:" not in locked.nox("-s", "lock", "--", "--prune", "--dry-run", check=True).output
    locked.write("envs.yaml", SPEC.replace("  lint:", "  style:"))
    locked.nox("-s", "lock", "--", "--prune", check=True)
    assert [*locks(locked)] == ["base.txt", "by-hand.txt", "pylock.style.toml", "style.txt", "tests.txt"]
    assert is_accepted(locked)


def test_a_lock_is_not_written_through_a_link_that_leads_out_of_the_project(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (project.root / "requirements").symlink_to(tmp_path / "outside")
    project.write("envs.yaml", "version: 1\nenvironments:\n  a: {requirements: [apple>=1]}\n")
    failed = project.nox("-s", "lock")
    assert failed.returncode == 1
    assert "a link leads out of the project (replace it by a file or folder)" in failed.output
    assert os.listdir(tmp_path / "outside") == []


# Locks that build on others.

LAYERS = {
    "layer": "{requirements: [apple>=1, plum>=1], constraints: [{lock: base}]}",
    "constraints": "{requirements: [apple>=1, plum>=1], constraints: [{file: requirements/base.txt}]}",
    "requirements": "{requirements: [{file: more.in}]}",
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_are_locked_in_one_run_and_a_change_below_is_one_finding(project: Project, kind: str) -> None:
    project.write("more.in", "-r requirements/base.txt\nplum>=1\n")
    base = "base: {requirements: [BASE]}\n"
    spec = f"version: 1\nenvironments:\n  more: {LAYERS[kind]}\n  {base}"
    project.write("envs.yaml", spec.replace("BASE", "basket>=1, apple<2"))
    first = project.nox("-s", "lock")
    assert first.returncode == 0, first.output
    assert is_accepted(project)
    assert "apple==1.1" in pins(project, "more")
    project.write("envs.yaml", spec.replace("BASE", "basket>=1, apple<1.1"))
    project.nox("-s", "lock", "--", "base", check=True)
    check = project.cli("check")
    assert check.returncode == 1
    assert check.stdout.count("lock-stale") == 1
    assert "lock-unsatisfied" not in check.stdout
    assert "expected requirements/base.txt: " in check.stdout
    assert "fix: nox -s lock -- more" in check.stdout
    assert project.nox("-s", "more").returncode == 1
    project.nox("-s", "lock", check=True)
    assert is_accepted(project)
    assert "apple==1.0" in pins(project, "more")
    assert "no drift" in project.nox("-s", "more", check=True).output


# What was written is what happens.


def test_an_extra_that_was_added_makes_a_lock_stale(project: Project) -> None:
    spec = "version: 1\nenvironments:\n  a: {requirements: ['basket>=1']}\n"
    project.write("envs.yaml", spec)
    project.nox("-s", "lock", "a", check=True)
    project.write("envs.yaml", spec.replace("basket", "basket[dried]"))
    assert project.cli("check").returncode == project.nox("-s", "a").returncode == 1
    project.nox("-s", "lock", "a", check=True)
    assert "raisin==1.0" in pins(project, "a")


@pytest.mark.parametrize("lock", ["true", "false"])
def test_a_hash_in_a_requirements_file_is_enforced(project: Project, index: Index, lock: str) -> None:
    right = index.sha256("apple-1.0-py3-none-any.whl")
    project.write("in.txt", f"apple==1.0 --hash=sha256:{'0' * 64}\n")
    spec = f"version: 1\nenvironments:\n  a: {{lock: {lock}, requirements: [{{file: in.txt}}]}}\n"
    project.write("envs.yaml", spec)
    refused = project.nox("-s", "lock", "a")
    assert refused.returncode == 1
    assert "apple" in refused.output
    assert "0" * 64 in refused.output or "has one of these hashes" in refused.output
    assert not (project.venv("a").site / "apple").exists()
    project.write("in.txt", f"apple==1.0 --hash=sha256:{right}\n")
    assert "no drift" in project.nox("-s", "lock", "a", check=True).output


def test_warnings_of_uv_and_settings_outside_of_the_spec_are_named(project: Project) -> None:
    limits = str(project.write("limits.txt", "apple<2\n"))
    project.write("envs.yaml", "version: 1\nenvironments:\n  a: {requirements: [plum==1.1, apple>=1]}\n")
    ran = project.nox("-s", "lock", "a", env={"UV_CONSTRAINT": limits}, check=True)
    assert f"UV_CONSTRAINT changes what uv resolves: {limits}" in ran.output
    assert "yanked" in ran.output
    assert pins(project, "a") == ["apple==1.1", "plum==1.1"]


def test_packages_come_from_the_indexes_of_the_spec_when_locking_and_installing(
    project: Project, index: Index, tmp_path: Path
) -> None:
    (tmp_path / "inner").mkdir()
    with serve(tmp_path / "inner") as inner:
        inner.release("apple", "1.0", files={"apple/__init__.py": "other = True\n"})
        project.write(
            "envs.yaml",
            f"""
            version: 1
            indexes: {{inner: {inner.url}, outer: {index.url}}}
            environments:
              a: {{requirements: [basket>=1, plum>=1], commands: ["python -c 'import apple; apple.other'"]}}
              b: {{extends: a, lock: false}}
            """,
        )
        env = {"UV_DEFAULT_INDEX": NOWHERE["UV_DEFAULT_INDEX"]}
        ran = project.nox("-s", "lock", "a", "b", env=env)
        assert ran.returncode == 0, ran.output
    for name in ("a", "b"):
        assert project.cli("freeze", name).stdout.split() == ["apple==1.0", "basket==1.1", "plum==1.0"]
    assert "127.0.0.1" not in project.read("requirements/a.txt")


# Git.


def test_a_branch_stays_at_its_commit_until_an_upgrade_asks(project: Project) -> None:
    tree = write_source(project.root.parent / "widget", "widget", "1.0")
    url = "git+https://git.example.org/widget"
    config = project.root.parent / "gitconfig"
    config.write_text(f'[url "{tree.as_uri()}"]\n\tinsteadOf = https://git.example.org/widget\n')
    env = {"GIT_CONFIG_GLOBAL": str(config)}

    def commit() -> str:
        with (tree / "widget/__init__.py").open("a") as stream:
            stream.write("# more\n")
        for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "more")):
            project.machine.run("git", *words, cwd=tree)
        return project.machine.run("git", "rev-parse", "HEAD", cwd=tree).stdout.strip()

    first = commit()
    spec = f"version: 1\nenvironments:\n  a: {{requirements: ['widget @ {url}@main', apple>=1]}}\n"
    project.write("envs.yaml", spec)
    ran = project.nox("-s", "lock", "a", env=env)
    assert ran.returncode == 0, ran.output
    assert f"widget @ {url}@{first}" in pins(project, "a")
    assert project.cli("freeze", "a").stdout == f"apple==2.0\nwidget @ {url}@{first}\n"
    second = commit()
    project.write("envs.yaml", spec.replace("apple>=1", "apple>=1, plum>=1"))
    project.nox("-s", "lock", env=env, check=True)
    assert f"widget @ {url}@{first}" in pins(project, "a")
    project.nox("-s", "lock", "--", "-P", "widget", env=env, check=True)
    assert f"widget @ {url}@{second}" in pins(project, "a")
    ran = project.nox("-s", "a", env=env)
    assert ran.returncode == 0, ran.output
    assert "1 missing, 1 source" in ran.output
    assert is_accepted(project)
    assert project.cli("drift").returncode == 0


# Locks of other tools.


def test_locks_of_other_tools_are_installed_together_and_left_alone(project: Project) -> None:
    project.write("app.txt", "# run:\n#\n#    make app\n#\nbasket==1.0\napple==1.1\n")
    project.write("dev.txt", "# by the command:\n#\n#    pip-compile dev.in\n#\n-r app.txt\nplum==1.0\n")
    project.write("app.in", "basket>=1\n")
    spec = """
        version: 1
        requirements: {app: [{file: app.in}]}
        environments:
          demo:
            requirements: [app, plum==1.0]
            lock: {managed: false, file: [app.txt, dev.txt]}
    """
    project.write("envs.yaml", spec)
    before = {name: project.read(name) for name in ("app.txt", "dev.txt")}
    ran = project.nox("-s", "lock", "demo")
    assert ran.returncode == 0, ran.output
    assert (
        "not managed by nox-envs; to update it: regenerate app.txt, dev.txt with the tool that writes it"
        in ran.output
    )
    assert project.cli("freeze", "demo").stdout.split() == ["apple==1.1", "basket==1.0", "plum==1.0"]
    assert "uv pip" not in project.nox("-s", "demo", check=True).output
    project.venv("demo").install("apple==2.0")
    repaired = project.nox("-s", "demo", check=True)
    assert "app.txt:6" in repaired.output
    assert "repaired" in repaired.output
    assert is_accepted(project)
    project.write("envs.yaml", spec.replace("plum==1.0", "plum==1.1"))
    assert "fix: pip-compile dev.in" in project.cli("check").stdout
    assert {name: project.read(name) for name in before} == before
