"""What machines do to a session: killed half-way, a venv that is gone or broken, two at once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.faults import DYING_NOXFILE, SPEC, dies_at, half_written, kinds, start, tracked
from tests.index import Index

pytestmark = pytest.mark.functional

POSIX = pytest.mark.skipif(not hasattr(os, "killpg"), reason="killing a process group needs POSIX")
NAMES = [f"crate-{n}" for n in range(60)]


@pytest.fixture
def heavy(project: Project, index: Index) -> Project:
    """Make a locked project whose installation takes a moment: sixty packages of forty files."""
    for name in NAMES:
        if f"{name.replace('-', '_')}-1.0-py3-none-any.whl" not in os.listdir(index.directory):
            module = name.replace("-", "_")
            index.release(name, "1.0", files={f"{module}/part{n}.py": "x = 1\n" for n in range(40)})
    wanted = ", ".join(f"{name}==1.0" for name in NAMES)
    project.write("envs.yaml", f"version: 1\nenvironments:\n  demo: {{requirements: [{wanted}]}}\n")
    project.nox("-s", "lock", check=True)
    return project


def installed(project: Project) -> int:
    """Count the packages whose files have begun to arrive."""
    return len(list(project.root.glob(".nox/demo/lib/*/site-packages/crate_*")))


@POSIX
@pytest.mark.parametrize("threshold", [1, 20, 90])
def test_an_installation_killed_half_way_is_never_reused(heavy: Project, threshold: int) -> None:
    lock = heavy.read("requirements/demo.txt")
    process = start(heavy, "-s", "demo")
    deadline = time.monotonic() + 60
    while installed(heavy) < threshold and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.0005)
    killed = process.poll() is None
    if killed:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert killed, "the installation ended before it could be killed"
    assert not (heavy.root / ".nox/demo/nox-envs.json").exists()
    again = heavy.nox("-s", "demo")
    assert again.returncode == 0, again.output
    assert "never finished" in again.output
    assert "no drift: 60 distributions" in again.output
    assert heavy.read("requirements/demo.txt") == lock
    report = json.loads(heavy.cli("drift", "demo", "--format", "json").stdout)
    assert report["environments"][0]["status"] == "clean"


@POSIX
@pytest.mark.parametrize("seen", [".nox/demo", ".nox/demo/bin", ".nox/demo/pyvenv.cfg"])
def test_a_venv_whose_making_was_killed_is_made_anew(demo: Project, seen: str) -> None:
    before = tracked(demo)
    shutil.rmtree(demo.root / ".nox")
    process = start(demo, "-s", "demo")
    while not (demo.root / seen).exists() and process.poll() is None:
        time.sleep(0.0002)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (demo.root / ".nox/demo/nox-envs.json").exists()
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "no drift: 2 distributions" in ran.output
    assert kinds(demo) == []
    assert tracked(demo) == before


@POSIX
def test_a_repair_killed_half_way_is_never_reused(heavy: Project) -> None:
    heavy.nox("-s", "demo", check=True)
    heavy.venv("demo").uninstall(*NAMES[:50])
    process = start(heavy, "-s", "demo")
    deadline = time.monotonic() + 60
    while installed(heavy) < 25 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.0005)
    assert process.poll() is None, "the repair ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (heavy.root / ".nox/demo/nox-envs.json").exists()
    again = heavy.nox("-s", "demo", check=True)
    assert "never finished" in again.output
    assert "no drift: 60 distributions" in again.output


@pytest.fixture
def demo(project: Project) -> Project:
    """Make a project whose environment `demo` is built."""
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", "demo", check=True)
    return project


@pytest.fixture
def dying(demo: Project) -> Project:
    """Make the project one whose nox dies before a step of its own (see `dies_at`)."""
    demo.write("noxfile.py", DYING_NOXFILE)
    return demo


@POSIX
def test_a_session_killed_before_any_of_its_steps_leaves_nothing_half_done(dying: Project) -> None:
    before = tracked(dying)
    step = 1
    while True:
        shutil.rmtree(dying.root / ".nox", ignore_errors=True)
        if not dies_at(dying, step, "-s", "demo"):
            break
        assert tracked(dying) == before
        assert half_written(dying) == []
        if (dying.root / ".nox/demo/nox-envs.json").exists():
            assert kinds(dying) == []  # the receipt comes last
        again = dying.nox("-s", "demo")
        assert again.returncode == 0, f"step {step}: {again.output}"
        assert "no drift: 2 distributions" in again.output
        step += 1
    assert step > 7, "the steps of a session were not seen"


@POSIX
def test_a_repair_killed_before_any_of_its_steps_is_never_taken_for_whole(dying: Project) -> None:
    dying.nox("-s", "demo", check=True)
    dying.venv("demo").uninstall("apple")
    saved = dying.root.parent / "saved"
    shutil.copytree(dying.root / ".nox", saved, symlinks=True)
    before = tracked(dying)
    step = 1
    while True:
        shutil.rmtree(dying.root / ".nox")
        shutil.copytree(saved, dying.root / ".nox", symlinks=True)
        if not dies_at(dying, step, "-s", "demo"):
            break
        assert tracked(dying) == before
        assert half_written(dying) == []
        if (dying.root / ".nox/demo/nox-envs.json").exists():
            assert kinds(dying) in ([], ["missing"])
        again = dying.nox("-s", "demo")
        assert again.returncode == 0, f"step {step}: {again.output}"
        assert kinds(dying) == []
        step += 1
    assert step > 5, "the steps of a repair were not seen"


@POSIX
def test_a_lock_run_killed_before_any_of_its_steps_leaves_each_lock_old_or_new(dying: Project) -> None:
    names = ("demo", "more", "most")
    spec = "version: 1\nenvironments:\n"
    limited = {"demo": "basket<1.1", "more": "apple<2", "most": "apple<1.1"}
    dying.write("envs.yaml", spec + "".join(f"  {n}: {{requirements: ['{limited[n]}']}}\n" for n in names))
    dying.nox("-s", "lock", check=True)
    old = locks(dying)
    dying.write("envs.yaml", spec + "".join(f"  {n}: {{requirements: ['apple>=1']}}\n" for n in names))
    dying.nox("-s", "lock", "--", "--upgrade", check=True)
    new = locks(dying)
    assert all(old[path] != new[path] for path in old)
    step = 1
    mixed = 0
    while True:
        for path, content in old.items():
            (dying.root / path).write_bytes(content)
        if not dies_at(dying, step, "-s", "lock", "--", "--upgrade"):
            break
        left = locks(dying)
        assert all(content in (old[path], new[path]) for path, content in left.items())
        mixed += left != old
        step += 1
    assert mixed >= 2, "no run was killed between two locks"
    assert locks(dying) == new


def locks(project: Project) -> dict[str, bytes]:
    """Return the locks of the project, by path; what a run that is killed may leave beside is no lock."""
    return {path: content for path, content in tracked(project).items() if path.endswith(".txt")}


@POSIX
def test_what_a_killed_nox_left_running_does_no_harm_to_the_next_one(heavy: Project) -> None:
    process = start(heavy, "-s", "demo")
    deadline = time.monotonic() + 60
    while installed(heavy) < 10 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.0005)
    assert process.poll() is None, "the installation ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)  # its installer goes on
    again = heavy.nox("-s", "demo")
    process.wait()
    assert again.returncode == 0, again.output
    assert kinds(heavy) == []


def test_a_venv_that_was_deleted_is_built_again(demo: Project) -> None:
    shutil.rmtree(demo.root / ".nox/demo")
    assert "no drift" in demo.nox("-s", "demo", check=True).output


def test_a_venv_without_site_packages_is_built_again(demo: Project) -> None:
    shutil.rmtree(demo.venv("demo").site)
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "no drift" in ran.output


def test_a_venv_whose_interpreter_is_gone_is_built_again(demo: Project) -> None:
    for link in (demo.root / ".nox/demo/bin").glob("python*"):
        link.unlink()
        link.symlink_to(demo.root / "nowhere")
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "no drift" in ran.output


def leave_nothing(demo: Project) -> None:
    """Remove the interpreter of the venv."""
    for link in (demo.root / ".nox/demo/bin").glob("python*"):
        link.unlink()


def lead_elsewhere(demo: Project) -> None:
    """Lead the interpreter of the venv to another Python."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    link = demo.root / ".nox/demo/bin/python"
    link.unlink()
    link.symlink_to(demo.machine.interpreter("3.12" if here != "3.12" else "3.11"))


def open_to_the_system(demo: Project) -> None:
    """Let the venv see the packages of the system."""
    config = demo.root / ".nox/demo/pyvenv.cfg"
    config.write_text(config.read_text().replace("site-packages = false", "site-packages = true"))


@pytest.mark.skipif(os.name == "nt", reason="the interpreter of a venv is a link on POSIX only")
@pytest.mark.parametrize("damage", [leave_nothing, lead_elsewhere, open_to_the_system])
def test_another_interpreter_behind_the_venv_is_found_and_made_anew(
    demo: Project, damage: Callable[[Project], None]
) -> None:
    demo.nox("-s", "demo", check=True)
    damage(demo)
    found = json.loads(demo.cli("drift", "demo", "--format", "json").stdout)["environments"][0]["findings"]
    assert [(one["kind"], one["severity"]) for one in found] == [("python", "error")]
    ran = demo.nox("-s", "demo", check=True)
    assert "making the venv anew: expected Python " in ran.output
    assert demo.cli("drift", "demo").returncode == 0


def test_a_folder_that_is_no_venv_any_more_is_made_anew(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    (demo.root / ".nox/demo/pyvenv.cfg").unlink()
    assert "no drift" in demo.nox("-s", "demo", check=True).output


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}', "[" * 5000, '{"schema": 1}'])
def test_a_corrupt_receipt_means_a_new_venv(demo: Project, content: str) -> None:
    (demo.root / ".nox/demo/nox-envs.json").write_text(content)
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "making the venv anew" in ran.output
    assert "no drift" in ran.output


def test_another_python_than_declared_means_a_new_venv(demo: Project) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    other = "3.12" if here != "3.12" else "3.11"
    interpreter = demo.machine.interpreter(other)
    demo.write(
        "envs.yaml", f'version: 1\nenvironments:\n  demo: {{python: "{here}", requirements: [basket>=1]}}\n'
    )
    demo.nox("-s", "lock", "demo", check=True)
    config = demo.root / ".nox/demo/pyvenv.cfg"
    assert config.exists()
    shutil.rmtree(demo.root / ".nox/demo")
    demo.machine.run(interpreter, "-m", "venv", demo.root / ".nox/demo")
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "making the venv anew" in ran.output
    assert (demo.root / f".nox/demo/lib/python{here}").is_dir()


def together(project: Project, count: int, *arguments: str) -> list[str]:
    """Run nox several times at once, each to a good end, and return what each said."""
    outputs = [project.root.parent / f"output-{number}" for number in range(count)]
    processes = [start(project, *arguments, output=output) for output in outputs]
    codes = [process.wait(timeout=240) for process in processes]
    said = [output.read_text(encoding="utf-8") for output in outputs]
    assert codes == [0] * count, "\n".join(said)
    return said


@pytest.mark.parametrize("count", [2, 8])
def test_processes_at_once_make_a_new_venv_once(demo: Project, count: int) -> None:
    for leave in (".nox", ".nox/demo", ".nox/demo/pyvenv.cfg", ".nox/demo/nox-envs.json"):
        gone = demo.root / leave
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)
        said = together(demo, count, "-s", "demo")
        assert sum("Creating virtual environment" in one for one in said) <= 1
        assert sum("pip install" in one for one in said) == 1
        assert all("no drift: 2 distributions" in one for one in said)
        assert not any("Traceback" in one for one in said)
    assert kinds(demo) == []
    assert half_written(demo) == []


@pytest.mark.parametrize("count", [2, 8])
def test_processes_at_once_repair_a_venv_once(demo: Project, count: int) -> None:
    demo.nox("-s", "demo", check=True)
    demo.venv("demo").uninstall("apple")
    said = together(demo, count, "-s", "demo")
    assert sum("pip install" in one for one in said) == 1
    assert kinds(demo) == []
    warm = together(demo, count, "-s", "demo")
    assert not any("pip install" in one for one in warm)


def test_processes_at_once_lock_and_run_without_harm(demo: Project) -> None:
    lock = demo.read("requirements/demo.txt")
    locking = [start(demo, "-s", "lock") for _ in range(2)]
    together(demo, 2, "-s", "demo")
    assert [process.wait(timeout=120) for process in locking] == [0, 0]
    assert demo.read("requirements/demo.txt") == lock


def test_parallel_sessions_of_one_nox_end_well_cold_and_warm(project: Project) -> None:
    names = [f"env{number}" for number in range(5)]
    body = "".join(f"  {name}: {{requirements: [basket>=1]}}\n" for name in names)
    project.write("envs.yaml", f"version: 1\nenvironments:\n{body}")
    project.nox("-s", "lock", check=True)
    for _ in range(2):
        together(project, 2, "-j", "4", "-s", *names)
    assert [kinds(project, name) for name in names] == [[]] * 5


def test_a_venv_of_the_resolver_that_was_half_made_is_made_anew_and_once(project: Project) -> None:
    project.write(
        "envs.yaml",
        "version: 1\nenvironments:\n  demo: {requirements: [basket>=1], lock: {resolver: pip}}\n",
    )
    for wreck in ("pip-nox/pyvenv.cfg", "pip-nox/bin/python"):
        project.write(f".nox/{wreck}", "")
    locking = [start(project, "-s", "lock", output=project.root.parent / f"lock-{n}") for n in range(2)]
    codes = [process.wait(timeout=240) for process in locking]
    said = [(project.root.parent / f"lock-{n}").read_text() for n in range(2)]
    assert codes == [0, 0], "\n".join(said)
    assert sum("Creating virtual environment" in one for one in said) == 1
    assert "basket==1.1" in project.read("requirements/demo.txt")
