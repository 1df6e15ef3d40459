"""Where a session runs: odd and long paths, links, no home, tight masks, plain terminals, clocks that lie."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import Project, Result
from tests.faults import SPEC, kinds
from tests.index import write_source

pytestmark = pytest.mark.functional

PRESS = """\
version: 1
environments:
  demo:
    description: Prüfe alles ☃
    requirements: [basket>=1, press>=1]
    commands: ["press pressed-here {envdir}"]
"""


@pytest.fixture
def demo(project: Project) -> Project:
    """Make a project whose environment `demo` is built."""
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", "demo", check=True)
    return project


@pytest.fixture
def pressing(project: Project) -> Project:
    """Make a locked project without a venv, one of whose packages has a command."""
    project.write("envs.yaml", PRESS)
    project.nox("-s", "lock", check=True)
    return project


def copied(project: Project, root: Path) -> Project:
    """Copy a project without its venvs."""
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns(".nox"))
    return Project(root=root, machine=project.machine)


def shell(project: Project, script: str, **env: str) -> Result:
    """Run a shell script in the project, where `nox` and `envs` are the two programs."""
    python = f"'{sys.executable}'"
    words = f'nox() {{ {python} -m nox "$@"; }}; envs() {{ {python} -m nox_envs "$@"; }}; {script}'
    ran = project.machine.run("sh", "-uc", words, cwd=project.root, env=env, check=False)
    assert "Traceback" not in ran.output, ran.output
    return ran


@pytest.mark.parametrize("name", ["it's a  prøject", '日本 "100%" $HOME [x] {y} #1, @2;&'])
def test_a_project_path_with_spaces_quotes_and_unicode_works(project: Project, name: str) -> None:
    odd = Project(root=project.root.parent / name, machine=project.machine)
    shutil.copytree(project.root, odd.root)
    write_source(odd.root, "harvest", "1.0", requires=["basket>=1"])
    odd.write(
        "envs.yaml",
        """
        version: 1
        requirements: {app: [press>=1, {extra: all}, {file: "in.txt"}]}
        environments:
          demo: {requirements: [app], package: editable, commands: ["press pressed {envdir}"]}
        """.replace(", {extra: all}", ""),
    )
    odd.write("in.txt", "apple>=1\n")
    odd.nox("-s", "lock", check=True)
    built = odd.nox("-s", "demo", check=True)
    assert "no drift: 4 distributions" in built.output
    assert f"pressed pressed {odd.root / '.nox/demo'}" in built.output
    assert "pip install" not in odd.nox("-s", "demo", check=True).output
    assert kinds(odd) == []
    odd.venv("demo").uninstall("apple")
    assert kinds(odd) == ["missing"]
    assert "repaired" in odd.nox("-s", "demo", check=True).output
    line = odd.cli("activate", "demo", "--shell", "sh", check=True).stdout.strip()
    shown = odd.machine.run("sh", "-c", f"{line} && python -c 'import sys; print(sys.prefix)'")
    assert Path(shown.stdout.strip()).resolve() == (odd.root / ".nox/demo").resolve()


@pytest.mark.skipif(os.name == "nt", reason="paths are as long as Windows is set up for")
@pytest.mark.parametrize("length", [200, 1200])
def test_a_long_project_path_works_although_its_commands_begin_with_it(
    pressing: Project, length: int
) -> None:
    root = pressing.root.parent / "long"
    while len(str(root)) < length:
        root = root / ("x" * min(200, length - len(str(root))))
    deep = copied(pressing, root)
    ran = deep.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "pressed pressed-here" in ran.output
    assert "pip install" not in deep.nox("-s", "demo", check=True).output
    assert kinds(deep) == []


@pytest.mark.skipif(os.name == "nt", reason="paths are as long as Windows is set up for")
def test_a_path_that_is_too_long_for_the_system_is_an_error_without_a_traceback(pressing: Project) -> None:
    root = pressing.root.parent
    while len(str(root)) < 4040:
        root = root / ("x" * min(200, max(1, 4040 - len(str(root)))))
    root.mkdir(parents=True)
    deep = copied(pressing, root / "p")
    ran = shell(deep, "nox -s demo")
    assert ran.returncode == 1, ran.output
    assert "File name too long" in ran.output or "is too long" in ran.output


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_project_behind_a_link_is_the_same_project(demo: Project) -> None:
    link = demo.root.parent / "link"
    link.symlink_to(demo.root, target_is_directory=True)
    linked = Project(root=link, machine=demo.machine)
    first = linked.machine.run("sh", "-c", f"cd '{link}' && exec '{sys.executable}' -m nox -s demo")
    assert "no drift: 2 distributions" in first.output
    assert "pip install" not in first.output
    assert kinds(linked) == kinds(demo) == []
    # The folder of the venvs may lie on another disk.
    away = demo.root.parent / "away"
    shutil.move(demo.root / ".nox", away)
    (demo.root / ".nox").symlink_to(away, target_is_directory=True)
    assert "pip install" not in demo.nox("-s", "demo", check=True).output
    demo.venv("demo").uninstall("apple")
    assert "repaired" in linked.nox("-s", "demo", check=True).output
    (demo.root / ".nox/demo/nox-envs.json").unlink()
    assert "making the venv anew" in demo.nox("-s", "demo", check=True).output
    assert (demo.root / ".nox").is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="variables and streams are set up by a shell of POSIX")
@pytest.mark.parametrize(
    "script",
    [
        "unset HOME USER LOGNAME; nox -s demo && envs drift",
        "export HOME=/nonexistent; nox -s demo && envs drift",
        "umask 077; nox -s demo && envs drift",
        "export LANG=C LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0; nox -l && nox -s demo && envs list",
        "export PYTHONIOENCODING=ascii PYTHONUTF8=0; nox -l && nox -s demo && envs list && envs drift",
        "exec <&-; nox -s demo && envs drift",
        "unset PATH; nox -s demo && envs drift",
    ],
    ids=["no-home", "no-such-home", "umask-077", "lang-c", "ascii", "no-stdin", "no-path"],
)
def test_a_session_runs_with(pressing: Project, script: str) -> None:
    ran = shell(pressing, script)
    assert ran.returncode == 0, ran.output
    assert "pressed pressed-here" in ran.output
    assert kinds(pressing) == []


@pytest.mark.skipif(os.name == "nt", reason="streams are set up by a shell of POSIX")
def test_a_mask_that_hides_all_from_others_is_kept(pressing: Project) -> None:
    ran = shell(pressing, "umask 077; nox -s lock demo")
    assert ran.returncode == 0, ran.output
    receipt = pressing.root / ".nox/demo/nox-envs.json"
    assert receipt.stat().st_mode & 0o077 == 0
    # A lock that was there keeps its mode: others read it.
    assert (pressing.root / "requirements/demo.txt").stat().st_mode & 0o044 == 0o044


@pytest.mark.skipif(os.name == "nt", reason="streams are set up by a shell of POSIX")
@pytest.mark.parametrize(
    "script",
    [
        "envs drift >&-",
        "envs list >&-",
        "envs drift --format html | true",
        "envs drift --format json | head -c 1",
        "envs schema | true",
        "nox -s drift | true",
        "nox -s drift -- --format html | true",
        "envs drift 2>&-",
    ],
)
def test_a_reader_that_is_gone_is_no_traceback(demo: Project, script: str) -> None:
    ran = shell(demo, script)
    assert "Exception ignored" not in ran.output
    assert "BrokenPipe" not in ran.output


def later(path: Path, old: os.stat_result, years: int = 0) -> None:
    """Set the time of a file to what it was, or to years after that."""
    moved = old.st_mtime_ns + years * 365 * 24 * 3600 * 10**9
    os.utime(path, ns=(moved, moved))


@pytest.mark.parametrize("years", [0, 50])
def test_a_change_is_seen_whatever_the_clock_says(demo: Project, years: int) -> None:
    demo.write("in.txt", "basket==1.1\n")
    demo.write(
        "envs.yaml",
        SPEC.replace("[basket>=1]", "[app]").replace("env", "requirements: {app: [{file: in.txt}]}\nenv", 1),
    )
    demo.nox("-s", "lock", "demo", check=True)
    assert demo.cli("check").returncode == 0
    lock, wanted = demo.root / "requirements/demo.txt", demo.root / "in.txt"
    times = {path: path.stat() for path in (lock, wanted)}
    wanted.write_text("basket==1.0\n")
    later(wanted, times[wanted], years)
    assert demo.cli("check").returncode == 1
    stale = demo.nox("-s", "demo")
    assert "in.txt" not in stale.output or stale.returncode == 1
    assert stale.returncode == 1, stale.output
    demo.nox("-s", "lock", check=True)
    assert lock.stat().st_size == times[lock].st_size
    later(lock, times[lock], years)
    moved_on = demo.nox("-s", "demo", check=True)
    assert "requirements/demo.txt changed since" in moved_on.output
    assert "repaired" in moved_on.output
    spec = demo.root / "envs.yaml"
    old = spec.stat()
    demo.write("envs.yaml", demo.read("envs.yaml").replace("demo:", "dema:"))
    later(spec, old, years)
    assert "dema" in demo.nox("-l", check=True).output


def test_files_from_the_future_are_as_good_as_others_and_their_change_is_seen(demo: Project) -> None:
    demo.write("envs.yaml", SPEC.replace("]}", "], drift: {files: changed}}"))
    for path in [*demo.root.rglob("*")]:
        if path.is_file() and not path.is_symlink():
            later(path, path.stat(), 50)
    for _ in range(2):
        again = demo.nox("-s", "demo", check=True)
        assert "no drift" in again.output
        assert "pip install" not in again.output
    module = demo.venv("demo").site / "apple/__init__.py"
    old = module.stat()
    module.write_text(module.read_text().replace("2", "3"))
    later(module, old, -51)
    assert kinds(demo) == ["file-modified"]
    assert "repaired" in demo.nox("-s", "demo", check=True).output
