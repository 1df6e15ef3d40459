"""What machines do to a session: killed half-way, a venv that is gone or broken, two at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.index import Index

pytestmark = pytest.mark.functional

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


def start(project: Project, *arguments: str) -> subprocess.Popen[bytes]:
    """Start nox in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "nox", *arguments],
        cwd=project.root,
        env=project.machine.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def installed(project: Project) -> int:
    """Count the packages whose files have begun to arrive."""
    return len(list(project.root.glob(".nox/demo/lib/*/site-packages/crate_*")))


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="killing a process group needs POSIX")
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


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="killing a process group needs POSIX")
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
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: [basket>=1]}\n")
    project.nox("-s", "lock", "demo", check=True)
    return project


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


def test_sessions_at_the_same_time_share_a_venv_without_harm(demo: Project) -> None:
    demo.venv("demo").uninstall("apple")
    processes = [start(demo, "-s", "demo") for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    assert "no drift" in demo.nox("-s", "demo", check=True).output


def test_a_project_path_with_spaces_quotes_and_unicode_works(demo: Project) -> None:
    odd = demo.root.parent / "it's a  prøject"
    shutil.copytree(demo.root, odd, ignore=shutil.ignore_patterns(".nox"))
    project = Project(root=odd, machine=demo.machine)
    assert "no drift" in project.nox("-s", "demo", check=True).output
    line = project.cli("activate", "demo", "--shell", "sh", check=True).stdout.strip()
    shown = project.machine.run("sh", "-c", f"{line} && python -c 'import sys; print(sys.prefix)'")
    assert Path(shown.stdout.strip()).resolve() == (odd / ".nox/demo").resolve()


def test_an_index_that_is_gone_leaves_a_message_and_no_traceback(demo: Project) -> None:
    shutil.rmtree(demo.root / ".nox/demo")
    env = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
    ran = demo.nox("-s", "demo", env=env)
    assert ran.returncode == 1
    assert "Traceback" not in ran.output
    assert "the installer failed" in ran.output
    assert "no drift" in demo.nox("-s", "demo", check=True).output


def test_a_read_only_project_is_an_error_without_traceback(demo: Project) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere, so nothing is read-only for it")
    (demo.root / ".nox/demo").chmod(0o500)
    try:
        demo.venv("demo")
        ran = demo.nox("-s", "demo")
        assert "Traceback" not in ran.output
    finally:
        (demo.root / ".nox/demo").chmod(0o700)
