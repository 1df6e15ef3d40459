"""What disks do to a session and to a lock: full, limited, read-only."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from tests.conftest import Project, Result
from tests.faults import SPEC, in_namespace, kinds, tracked

pytestmark = pytest.mark.functional

OLDER = SPEC.replace("basket>=1", "basket<1.1")


@pytest.fixture
def demo(project: Project) -> Project:
    """Make a project with a lock and no venv."""
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", "demo", check=True)
    shutil.rmtree(project.root / ".nox")
    return project


@pytest.fixture
def outdated(project: Project) -> Project:
    """Make a project whose lock another run of `lock` changes."""
    project.write("envs.yaml", OLDER)
    project.nox("-s", "lock", check=True)
    project.write("envs.yaml", SPEC)
    return project


FULL = """
mount -t tmpfs -o size=${SIZE}k tmpfs "$DISK"
cp -r "$PROJECT/." "$DISK"
cd "$DISK"
"$PYTHON" -m nox -s demo
code=$?
cp -r . "$LEFT"
mount -o remount,size=32m "$DISK"
"$PYTHON" -m nox -s demo >"$LEFT/again" 2>&1 || code=9
"$PYTHON" -m nox_envs drift demo || code=9
exit $code
"""


def test_a_disk_that_is_full_at_any_moment_of_a_session_leaves_nothing_to_reuse(demo: Project) -> None:
    before = tracked(demo)
    disk = demo.root.parent / "disk"
    disk.mkdir()
    messages = ""
    for size in range(40, 400, 16):
        left = Project(root=demo.root.parent / f"left-{size}", machine=demo.machine)
        left.root.mkdir()
        ran = in_namespace(demo, FULL, SIZE=str(size), DISK=disk, LEFT=left.root)
        again = left.root / "again"
        shown = f"{size}: {ran.output}\n{again.read_text()}"
        assert ran.returncode in (0, 1), shown
        assert "Traceback" not in shown
        again.unlink()
        assert tracked(left) == before
        if ran.returncode == 0:
            break
        messages += ran.output
        assert "No space left on device" in ran.output
        if (left.root / ".nox/demo/nox-envs.json").exists():
            assert kinds(left) == []  # only what comes after the receipt had no room
    assert ran.returncode == 0
    assert "Failed to create virtual environment" in messages
    assert "the installer failed (see above)" in messages
    assert "cannot be written: No space left on device; make room" in messages


FULL_LOCK = """
mount -t tmpfs -o size=256k tmpfs "$DISK"
cp -r envs.yaml noxfile.py requirements "$DISK"
cd "$DISK"
"$PYTHON" -m nox -l >/dev/null
dd if=/dev/zero of=ballast bs=4k 2>/dev/null
"$PYTHON" -m nox -s lock -- --upgrade
code=$?
rm ballast
cp -r . "$LEFT"
"$PYTHON" -m nox -s lock -- --upgrade >"$LEFT/again" 2>&1 || code=9
cmp -s requirements/demo.txt "$LEFT/requirements/demo.txt" && code=8
exit $code
"""


def test_a_lock_on_a_full_disk_stays_the_old_one(outdated: Project) -> None:
    before = tracked(outdated)
    disk = outdated.root.parent / "disk"
    left = Project(root=outdated.root.parent / "left", machine=outdated.machine)
    disk.mkdir()
    left.root.mkdir()
    ran = in_namespace(outdated, FULL_LOCK, DISK=disk, LEFT=left.root)
    assert ran.returncode == 1, ran.output + (left.root / "again").read_text()
    (left.root / "again").unlink()
    assert tracked(left) == before
    assert "requirements/demo.txt: cannot be written: No space left on device; make room" in ran.output
    assert "Traceback" not in ran.output


LIMITED = """\
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
sys.argv[1:] = sys.argv[2:]
from nox.__main__ import main
main()
"""


def limited(project: Project, size: int, *arguments: str) -> Result:
    """Run nox where no file may be larger than `size` bytes."""
    pytest.importorskip("resource", reason="file sizes are limited on POSIX only")
    # Coverage keeps its data in a file, and its own failure would be told in place of ours.
    silent = {name: "" for name in project.machine.env if name.startswith("COVERAGE")}
    command = (sys.executable, "-c", LIMITED, str(size), *arguments)
    return project.machine.run(*command, cwd=project.root, env=silent, check=False)


@pytest.mark.parametrize("size", [64, 700, 3000])
def test_files_that_may_not_grow_end_a_session_and_the_next_one_is_whole(demo: Project, size: int) -> None:
    before = tracked(demo)
    ran = limited(demo, size, "-s", "demo")
    assert ran.returncode == 1, ran.output
    assert "Traceback" not in ran.output
    assert not (demo.root / ".nox/demo/nox-envs.json").exists()
    assert tracked(demo) == before
    assert "no drift: 2 distributions" in demo.nox("-s", "demo", check=True).output


def test_a_receipt_that_may_not_grow_is_none_and_the_next_session_is_whole(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    demo.venv("demo").uninstall("apple")
    receipt = (demo.root / ".nox/demo/nox-envs.json").stat().st_size
    ran = limited(demo, receipt - 200, "-s", "demo")
    assert ran.returncode == 1, ran.output
    assert "nox-envs.json: cannot be written: File too large" in ran.output
    assert "Traceback" not in ran.output
    assert not (demo.root / ".nox/demo/nox-envs.json").exists()
    assert "never finished" in demo.nox("-s", "demo", check=True).output


@pytest.mark.parametrize(("size", "cause"), [(8, "File too large"), (500, "ended with signal 25")])
def test_files_that_may_not_grow_end_a_lock_run_and_leave_the_lock(
    outdated: Project, size: int, cause: str
) -> None:
    before = tracked(outdated)
    ran = limited(outdated, size, "-s", "lock", "--", "--upgrade")
    assert ran.returncode == 1, ran.output
    assert cause in ran.output
    assert "failed, the old file is as it was" in ran.output
    assert "Traceback" not in ran.output
    assert tracked(outdated) == before


READ_ONLY = """
mount --bind "$PROJECT" "$PROJECT" && mount -o remount,bind,ro "$PROJECT" || exit 99
cd "$PROJECT"
"""


def read_only(project: Project, command: str) -> Result:
    """Run a command line in the project, which nobody can write to."""
    where = project.root.parent / "elsewhere"
    ran = in_namespace(project, f"{READ_ONLY}exec {command}", ELSEWHERE=where)
    assert ran.returncode != 99, ran.output
    assert "Traceback" not in ran.output
    return ran


@pytest.mark.parametrize("warm", [False, True])
def test_a_session_of_a_read_only_project_names_the_cause_and_the_way_out(demo: Project, warm: bool) -> None:
    if warm:
        demo.nox("-s", "demo", check=True)
    ran = read_only(demo, '"$PYTHON" -m nox -s demo')
    assert ran.returncode == 1, ran.output
    assert "Read-only file system" in ran.output
    assert "choose another folder: nox --envdir FOLDER" in ran.output
    elsewhere = read_only(demo, '"$PYTHON" -m nox --envdir "$ELSEWHERE" -s demo')
    assert elsewhere.returncode == 0, elsewhere.output
    assert "no drift: 2 distributions" in elsewhere.output


def test_what_only_reads_works_in_a_read_only_project(demo: Project) -> None:
    demo.nox("-s", "demo", check=True)
    verbs = ("check", "list", "drift", "freeze demo", "activate demo", "matrix", "report .nox")
    lines = [f'"$PYTHON" -m nox_envs {verb} >/dev/null || exit 1' for verb in verbs]
    lines += [f'"$PYTHON" -m nox {words} >/dev/null || exit 2' for words in ("-l", "-s lock -- --check")]
    ran = read_only(demo, "sh -euc '" + "\n".join(lines) + "'")
    assert ran.returncode == 0, ran.output


def test_a_lock_in_a_read_only_project_stays_and_says_why(outdated: Project) -> None:
    before = tracked(outdated)
    ran = read_only(outdated, '"$PYTHON" -m nox -s lock -- --upgrade')
    assert ran.returncode == 1, ran.output
    assert "requirements/demo.txt: cannot be written: Read-only file system" in ran.output
    assert tracked(outdated) == before


def obeying(project: Project, *arguments: str) -> Result:
    """Run nox as a user whom the modes of folders stop; root is one without its capabilities."""
    command: tuple[str, ...] = (sys.executable, "-m", "nox", *arguments)
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root writes everywhere, and there is no setpriv that takes this from it")
        command = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", *command)
    return project.machine.run(*command, cwd=project.root, check=False)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="the modes of folders hold on POSIX only")
@pytest.mark.parametrize("closed", [".", ".nox", ".nox/.nox-envs/mutexes/demo", ".nox/demo"])
def test_a_path_that_this_user_may_not_write_is_named(demo: Project, closed: str) -> None:
    if closed != ".":
        demo.nox("-s", "demo", check=True)
        demo.venv("demo").uninstall("apple")
    if closed == ".nox":
        shutil.rmtree(demo.root / ".nox/demo")
    path = demo.root / closed
    path.chmod(0o500)
    try:
        ran = obeying(demo, "-s", "demo")
    finally:
        path.chmod(0o700)
    assert ran.returncode == 1, ran.output
    assert "Permission denied" in ran.output
    assert "Traceback" not in ran.output
    demo.nox("-s", "demo", check=True)
    assert kinds(demo) == []
