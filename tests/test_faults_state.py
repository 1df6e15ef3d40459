"""What befalls the files a session goes by: damaged memory and reports, locks and venvs that change."""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.faults import SPEC, half_written, kinds, start, tracked

pytestmark = pytest.mark.functional


@pytest.fixture
def demo(project: Project) -> Project:
    """Make a project whose environment `demo` is built."""
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", "demo", check=True)
    return project


def own_files(project: Project) -> list[Path]:
    """Return the files that we keep for ourselves, without the receipt."""
    kept = [path for path in (project.root / ".nox/.nox-envs").rglob("*") if path.is_file()]
    return sorted(path for path in kept if "mutexes" not in path.parts)


def flipped(content: bytes) -> bytes:
    """Return a content one of whose bits is another one, in a place that a seed names."""
    at = random.Random(len(content)).randrange(len(content)) if content else 0
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] if content else b"\0"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "flipped": flipped,
    "zeros": lambda content: bytes(len(content)),
    "deep": lambda content: b"[" * 100_000,
    "another": lambda content: b'{"schema": 1, "key": {}, "files": [], "plan": {"Point": 3}}\n',
}


def test_damaged_files_of_our_own_cost_time_and_nothing_else(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    listed = demo.nox("-l", check=True).stdout
    before = tracked(demo)
    assert len(own_files(demo)) >= 3
    for name, damage in DAMAGES.items():
        for file in own_files(demo):
            file.write_bytes(damage(file.read_bytes()))
        shown = demo.nox("-l")
        assert (shown.returncode, shown.stdout) == (0, listed), name
        ran = demo.nox("-s", "demo")
        assert ran.returncode == 0, f"{name}: {ran.output}"
        assert "no drift: 2 distributions" in ran.output
        assert "pip install" not in ran.output
        assert "Traceback" not in ran.output
        assert half_written(demo) == []
        assert demo.cli("report", ".nox").returncode == 0
    demo.venv("demo").uninstall("apple")
    for file in own_files(demo):
        file.write_bytes(flipped(file.read_bytes()))
    assert "repaired" in demo.nox("-s", "demo", check=True).output
    assert tracked(demo) == before


def test_a_damaged_report_is_named_with_the_others_still_shown(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    (report,) = (demo.root / ".nox/.nox-envs/reports").glob("*.json")
    (report.parent / "other.json").write_bytes(report.read_bytes()[:100])
    ran = demo.cli("report", ".nox")
    assert ran.returncode == 2
    assert "other.json" in ran.output
    assert "demo" in ran.stdout
    assert "Traceback" not in ran.output


WAITING = """\
version: 1
environments:
  demo:
    requirements: [basket>=1]
    commands: ["python wait.py"]
"""


def other_lock(project: Project) -> str:
    """Return the lock of the project as it is with an older apple; the project stays as it was."""
    kept = {path: project.read(path) for path in ("envs.yaml", "requirements/demo.txt")}
    project.write("envs.yaml", kept["envs.yaml"].replace("[basket>=1]", "[basket>=1, apple<2]"))
    project.nox("-s", "lock", check=True)
    older, lock = project.read("requirements/demo.txt"), kept["requirements/demo.txt"]
    for path, text in kept.items():
        project.write(path, text)
    return lock.replace(apple_of(lock), apple_of(older))


def apple_of(lock: str) -> str:
    """Return the pin of apple in a lock, without what its comments say."""
    return lock.split("\napple")[1].split("    #")[0]


def test_a_lock_that_changes_while_a_session_runs_is_taken_up_by_the_next_one(demo: Project) -> None:
    demo.write("wait.py", "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n")
    demo.write("envs.yaml", WAITING)
    older = other_lock(demo)
    output = demo.root.parent / "output"
    running = start(demo, "-s", "demo", output=output)
    deadline = time.monotonic() + 60
    while "python wait.py" not in output.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    demo.write("requirements/demo.txt", older)
    demo.write("go", "")
    assert running.wait(timeout=60) == 0, output.read_text()
    assert "Traceback" not in output.read_text()
    again = demo.nox("-s", "demo", check=True)
    assert "requirements/demo.txt changed since it was installed: 1 version" in again.output
    assert "repaired" in again.output
    assert kinds(demo) == []
    assert (demo.venv("demo").site / "apple-1.1.dist-info").is_dir()
    assert demo.read("requirements/demo.txt") == older


CHANGING_NOXFILE = """\
import shutil
import sys

from nox_envs import load


def change(event, arguments):
    if event == "subprocess.Popen" and "install" in arguments[1]:
        shutil.copy("other.txt", "requirements/demo.txt")


sys.addaudithook(change)
load("envs.yaml")
"""


def test_a_lock_that_changes_under_the_installer_is_never_taken_for_the_other_one(demo: Project) -> None:
    shutil.rmtree(demo.root / ".nox/demo")
    demo.write("other.txt", other_lock(demo))
    demo.write("noxfile.py", CHANGING_NOXFILE)
    ran = demo.nox("-s", "demo")
    assert "Traceback" not in ran.output
    assert ran.returncode == 1, ran.output
    assert "what was installed is not what requirements/demo.txt says: 1 version" in ran.output
    assert not (demo.root / ".nox/demo/nox-envs.json").exists()
    again = demo.nox("-s", "demo", check=True)
    assert "never finished" in again.output
    assert kinds(demo) == []
    assert demo.read("requirements/demo.txt") == demo.read("other.txt")


@pytest.mark.parametrize("gone", ["{envdir}", "{envdir}/bin", "{envdir}/lib", "{envdir}/pyvenv.cfg"])
def test_a_venv_that_goes_while_its_commands_run_is_told_and_made_anew(demo: Project, gone: str) -> None:
    script = demo.write(
        "remove.py",
        """
        import pathlib, shutil, sys
        path = pathlib.Path(sys.argv[1])
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        """,
    )
    command = f'{{run: ["{sys.executable}", "{script}", "{gone}"], external: true}}'
    demo.write("envs.yaml", SPEC.replace("]}", f"], commands: [{command}]}}"))
    ran = demo.nox("-s", "demo")
    assert "Traceback" not in ran.output
    if gone != "{envdir}/bin":
        assert "the commands broke their own venv" in ran.output, ran.output
        (told,) = json.loads(demo.read(".nox/.nox-envs/reports/demo.json"))["environments"]
        assert told["status"] == "drift"
        assert "broke their own venv" in told["reason"]
    demo.write("envs.yaml", SPEC)
    again = demo.nox("-s", "demo")
    assert again.returncode == 0, again.output
    assert kinds(demo) == []


@pytest.mark.parametrize("seed", range(2))
def test_a_venv_of_which_half_was_deleted_is_never_used(demo: Project, seed: int) -> None:
    demo.write("envs.yaml", SPEC.replace("]}", "], drift: {files: changed}}"))
    demo.nox("-s", "demo", check=True)
    chance = random.Random(seed)
    files = sorted(path for path in (demo.root / ".nox/demo").rglob("*") if path.is_file())
    for path in chance.sample(files, len(files) // 2):
        path.unlink()
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert "Traceback" not in ran.output
    assert kinds(demo) == []
    demo.machine.run(demo.venv("demo").python, "-c", "import apple, basket")


@pytest.mark.parametrize("gone", ["apple", "apple-2.0.dist-info"])
def test_a_package_of_which_a_part_was_deleted_is_never_used(demo: Project, gone: str) -> None:
    demo.nox("-s", "demo", check=True)
    shutil.rmtree(demo.venv("demo").site / gone)
    assert set(kinds(demo)) <= {"file-missing", "missing"}
    assert kinds(demo)
    ran = demo.nox("-s", "demo", check=True)
    assert "repaired" in ran.output
    assert kinds(demo) == []
    demo.machine.run(demo.venv("demo").python, "-c", "import apple, basket")
