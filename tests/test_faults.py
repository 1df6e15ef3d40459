"""What machines, disks and indexes do to a session: killed, full, read-only, gone, several at once."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import Project, Result
from tests.index import Index

pytestmark = [
    pytest.mark.functional,
    pytest.mark.skipif(os.name == "nt", reason="signals, limits and modes are those of POSIX"),
]

PATIENCE = 240  # seconds, for a process that never ends
SPEC = "version: 1\nenvironments:\n  demo: {requirements: [basket>=1]}\n"
WAITING = SPEC.replace("]}", "], commands: [python wait.py]}")
WAIT = """
    import pathlib, time
    pathlib.Path('started').touch()
    while not pathlib.Path('go').exists(): time.sleep(0.02)
    import apple
    print('apple', apple.__version__)
"""
# A noxfile that ends its own process before the step DIE_AT of those that change the project's folder.
DYING = """
    import os, signal, sys
    from nox_envs import load

    HERE, left = os.getcwd(), int(os.environ.get("DIE_AT", "0"))

    def changes(event, arguments):
        if event == "subprocess.Popen":
            return True
        if event not in ("os.rename", "os.remove", "shutil.rmtree") or isinstance(arguments[0], int):
            return False
        path = os.path.abspath(os.fspath(arguments[0]))
        return path.startswith(HERE) and "__pycache__" not in path

    def die(event, arguments):
        global left
        if left and changes(event, arguments):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)
    load("envs.yaml")
"""


@pytest.fixture
def demo(project: Project) -> Project:
    """Make a project whose environment `demo` is built."""
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", "demo", check=True)
    return project


@pytest.fixture
def silence() -> Iterator[socket.socket]:
    """Listen where every connection is taken and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def url_of(server: socket.socket) -> str:
    """Return the URL of an index at a socket."""
    return f"http://127.0.0.1:{server.getsockname()[1]}/simple"


STARTED: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    """End what a failed test has started, with its children."""
    yield
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start(
    project: Project, *arguments: str, output: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start nox in a process group of its own; half a file of coverage of a killed process would hurt."""
    kept = {name: text for name, text in project.machine.env.items() if not name.startswith("COVERAGE")}
    with (output or Path(os.devnull)).open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "nox", *arguments],
            cwd=project.root,
            env={**kept, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A job in the background of a shell ignores it, and its children too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
        )
    STARTED.append(process)
    return process


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so while a process runs; a loaded machine takes its time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def deaths(project: Project, *arguments: str, again: Callable[[], object]) -> Iterator[int]:
    """Run nox again and again, each time killed at a later step, and yield the number of the step."""
    step = 1
    again()
    while code := start(project, *arguments, env={"DIE_AT": str(step)}).wait(timeout=PATIENCE):
        assert code == -signal.SIGKILL
        yield step
        again()
        step += 1
    assert step > 5, "the steps were not seen"


def tracked(project: Project) -> dict[str, bytes]:
    """Return the files of the project that belong to the user, by path."""
    files = {path.relative_to(project.root): path for path in project.root.rglob("*") if path.is_file()}
    hidden = {".nox", "__pycache__"}
    return {str(name): path.read_bytes() for name, path in files.items() if not hidden & {*name.parts}}


def kinds(project: Project, name: str = "demo") -> list[str]:
    """Return the kinds of what `drift` finds in an environment."""
    ran = project.cli("drift", name, "--format", "json")
    assert ran.returncode in (0, 1), ran.output
    (environment,) = json.loads(ran.stdout)["environments"]
    return sorted(finding["kind"] for finding in environment["findings"])


def has_receipt(project: Project) -> bool:
    return (project.root / ".nox/demo/nox-envs.json").exists()


@pytest.mark.parametrize("repair", [False, True])
def test_a_session_that_is_killed_at_any_step_leaves_nothing_broken_to_reuse(
    demo: Project, repair: bool
) -> None:
    demo.venv("demo").uninstall("apple")
    saved = demo.root.parent / "saved"
    shutil.move(demo.root / ".nox", saved)
    demo.write("noxfile.py", DYING)
    before = tracked(demo)

    def restore() -> None:
        shutil.rmtree(demo.root / ".nox", ignore_errors=True)
        if repair:
            shutil.copytree(saved, demo.root / ".nox", symlinks=True)

    for step in deaths(demo, "-s", "demo", again=restore):
        assert tracked(demo) == before
        if has_receipt(demo):  # it comes last, and goes first
            assert kinds(demo) in ([], ["missing"])
        again = demo.nox("-s", "demo")
        assert again.returncode == 0, f"step {step}: {again.output}"
        assert kinds(demo) == []


LANES, KILLS, SEED = 4, int(os.environ.get("NOX_ENVS_KILLS", "100")), os.environ.get("NOX_ENVS_SEED", "")
# What is killed; each first makes work for itself.
VICTIMS = {
    "session": ("-s", "demo"),
    "repair": ("-s", "demo"),
    "lock": ("-s", "lock", "--", "-P", "basket==1.0"),
    "upgrade": ("-s", "lock", "--", "--upgrade"),
}


def whole(project: Project) -> set[str]:
    """Return the distributions in the venv whose files are all there, by name and version."""
    found = set()
    for record in project.root.glob(".nox/demo/lib/*/site-packages/*.dist-info/RECORD"):
        rows = [row.partition(",")[0] for row in record.read_text().splitlines()]
        if all((record.parent.parent / row).exists() for row in rows):
            found.add(record.parent.name.removesuffix(".dist-info").replace("-", "=="))
    return found


@pytest.mark.parametrize("lane", range(LANES))
def test_what_is_killed_at_a_random_moment_leaves_a_project_that_is_told_of_truly_and_goes_on(
    demo: Project, lane: int
) -> None:
    """Take the number of kills from `NOX_ENVS_KILLS`; repeat what failed with `NOX_ENVS_SEED`."""
    texts, lasted = {demo.read("requirements/demo.txt")}, dict.fromkeys(VICTIMS, 1.0)
    demo.nox(*VICTIMS["lock"], check=True)
    texts.add(demo.read("requirements/demo.txt"))
    others = {path: content for path, content in tracked(demo).items() if "requirements" not in path}
    seed = SEED or str(random.randrange(10**9))
    chance, killed = random.Random(f"{seed} {lane}"), 0
    while killed < KILLS // LANES:
        name = chance.choice([*VICTIMS])
        gone = {"session": "demo", "repair": "demo/lib/*/site-packages/apple*"}.get(name, "no")
        for path in [*demo.root.glob(f".nox/{gone}")]:
            shutil.rmtree(path)
        delay, began = chance.uniform(0, lasted[name]), time.monotonic()
        process = start(demo, *VICTIMS[name])
        try:
            process.wait(timeout=delay)
            lasted[name] = time.monotonic() - began
            continue
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        killed += 1
        which = f"NOX_ENVS_SEED={seed}, lane {lane}, kill {killed}: {name} after {delay:.3f} s"
        lock = demo.read("requirements/demo.txt")
        ran = demo.cli("drift", "demo", "--format", "json")
        assert ran.returncode in (0, 1, 2), f"{which}\n{ran.output}"
        assert "Traceback" not in ran.output, f"{which}\n{ran.output}"
        told = json.loads(ran.stdout)["environments"][0]
        intact = whole(demo) == {*re.findall(r"^(\w+==[\d.]+) \\$", lock, re.MULTILINE)} and has_receipt(demo)
        assert (told["status"] == "clean") == intact, f"{which}\n{ran.output}\n{whole(demo)}\n{lock}"
        assert lock in texts, f"{which}\n{lock}"
        again = demo.nox("-s", "demo")
        assert again.returncode == 0, f"{which}\n{again.output}"
        # The next run of `lock` removes what it was writing.
        left = {path: content for path, content in tracked(demo).items() if not path.endswith(".tmp")}
        assert left.pop("requirements/demo.txt").decode() == lock, which
        assert left == others, f"{which}\n{left.keys() ^ others.keys()}"
    assert kinds(demo) == []
    print(f"NOX_ENVS_SEED={seed}, lane {lane}: {killed} kills")


def test_a_lock_run_that_is_killed_before_it_writes_leaves_nothing_beside_its_lock(demo: Project) -> None:
    demo.write("noxfile.py", DYING)
    before = tracked(demo)
    for _ in deaths(demo, *VICTIMS["lock"], again=lambda: demo.nox("-s", "lock", check=True)):
        demo.nox("-s", "lock", check=True)
        assert tracked(demo) == before


@pytest.mark.parametrize("whole", [True, False], ids=["nox-and-uv", "nox-alone"])
def test_an_installation_that_is_killed_half_way_is_never_reused(
    project: Project, index: Index, whole: bool
) -> None:
    names = [f"crate_{number}" for number in range(60)]
    for name in names:  # their installation takes a moment
        index.release(name, "1.0", files={f"{name}/part{n}.py": "x = 1\n" for n in range(40)})
    wanted = ", ".join(f"{name}==1.0" for name in names)
    project.write("envs.yaml", f"version: 1\nenvironments:\n  demo: {{requirements: [{wanted}]}}\n")
    project.nox("-s", "lock", check=True)
    process = start(project, "-s", "demo")
    wait_for(lambda: len([*project.root.glob(".nox/demo/lib/*/site-packages/crate_*")]) > 10, process)
    os.kill(-process.pid if whole else process.pid, signal.SIGKILL)  # alone, its uv goes on
    again = project.nox("-s", "demo")
    process.wait()
    assert again.returncode == 0, again.output
    assert "recreating the venv: its installation did not finish" in again.output
    assert "no drift: 60 distributions" in again.output
    assert kinds(project) == []


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "ended by SIGTERM"),
     (signal.SIGHUP, 129, "ended by SIGHUP")],
)  # fmt: skip
def test_a_signal_ends_the_commands_with_the_session(
    demo: Project, number: signal.Signals, code: int, told: str
) -> None:
    demo.write("wait.py", "import os, time; open('started', 'w').write(str(os.getpid())); time.sleep(600)\n")
    demo.write("envs.yaml", WAITING.replace("wait.py]", "wait.py], commands_post: [python -V]"))
    output = demo.root.parent / "output"
    process = start(demo, "-s", "demo", output=output)
    wait_for(lambda: (demo.root / "started").exists() and (demo.root / "started").read_text(), process)
    process.send_signal(number)
    assert process.wait(timeout=PATIENCE) == code, output.read_text()
    assert told in output.read_text()
    assert "Python 3." in output.read_text()
    assert "Traceback" not in output.read_text()
    with pytest.raises(ProcessLookupError):
        os.kill(int(demo.read("started")), 0)
    demo.write("envs.yaml", SPEC)
    assert "waiting" not in demo.nox("-s", "demo", check=True).output


def test_a_signal_ends_the_second_session_of_a_run_as_it_ends_the_first(demo: Project) -> None:
    demo.write("wait.py", "import os, time; open('started', 'w').write(str(os.getpid())); time.sleep(60)\n")
    demo.write("envs.yaml", f"{WAITING}  first: {{lock: false}}\n")
    output = demo.root.parent / "output"
    process = start(demo, "-s", "first", "demo", output=output)
    wait_for(lambda: (demo.root / "started").exists() and (demo.root / "started").read_text(), process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=240) == 143, output.read_text()
    assert "ended by SIGTERM" in output.read_text()


def test_a_signal_ends_a_lock_run_that_waits_for_its_index(demo: Project, silence: socket.socket) -> None:
    env = {"UV_DEFAULT_INDEX": url_of(silence), "UV_NO_CACHE": "1", "UV_HTTP_TIMEOUT": "3600"}
    output = demo.root.parent / "output"
    process = start(demo, "-s", "lock", "--", "--upgrade", output=output, env=env)
    wait_for(lambda: select.select([silence], [], [], 0)[0], process)
    process.terminate()
    assert process.wait(timeout=PATIENCE) == 143, output.read_text()
    assert "ended by SIGTERM" in output.read_text()


def test_a_command_that_ends_well_on_a_signal_is_the_last_one(demo: Project) -> None:
    wait = "import os, signal, sys, time; signal.signal(15, lambda *_: sys.exit(0))\n"
    wait += "open('started', 'w').close(); time.sleep(600)\n"
    demo.write("wait.py", wait)
    more = WAITING.replace("wait.py]", "wait.py, python more.py]")
    demo.write("more.py", "open('more', 'w').close()")
    demo.write("envs.yaml", more)
    output = demo.root.parent / "output"
    process = start(demo, "-s", "demo", output=output)
    wait_for((demo.root / "started").exists, process)
    process.terminate()
    assert process.wait(timeout=PATIENCE) == 143, output.read_text()
    assert not (demo.root / "more").exists()


def test_a_signal_ends_what_creates_a_venv(demo: Project) -> None:
    started = demo.root / "started"
    slow = f"import time; open({str(started)!r}, 'w').close(); time.sleep(600)\n"
    demo.write("slow/venv.py", slow)
    demo.write("envs.yaml", SPEC.replace("demo: {", "demo: {backend: venv, "))
    output = demo.root.parent / "output"
    process = start(demo, "-s", "demo", output=output, env={"PYTHONPATH": str(demo.root / "slow")})
    wait_for(started.exists, process)
    process.terminate()
    assert process.wait(timeout=PATIENCE) == 143, output.read_text()
    assert "ended by SIGTERM" in output.read_text()


def together(project: Project, count: int, *arguments: str) -> list[str]:
    """Run nox several times at once, and return what each said."""
    outputs = [project.root.parent / f"output-{number}" for number in range(count)]
    processes = [start(project, *arguments, output=output) for output in outputs]
    codes = [process.wait(timeout=PATIENCE) for process in processes]
    said = [output.read_text() for output in outputs]
    assert codes == [0] * count, "\n".join(said)
    return said


def test_one_of_eight_processes_at_once_repairs_the_venv_of_all(demo: Project) -> None:
    for damaged in (True, False):
        if damaged:
            demo.venv("demo").uninstall("apple")
        said = together(demo, 8, "-s", "demo")
        assert all("no drift: 2 dist" in one or "repaired: 2 dist" in one for one in said)
        assert sum("uv pip sync" in one for one in said) == damaged
        assert kinds(demo) == []


def test_processes_at_once_lock_and_run_several_sessions(project: Project) -> None:
    names = [f"env{number}" for number in range(4)]
    body = "".join(f"  {name}: {{requirements: [basket>=1]}}\n" for name in names)
    project.write("envs.yaml", f"version: 1\nenvironments:\n{body}")
    project.nox("-s", "lock", *names, check=True)  # nox creates a venv before it asks us
    before = tracked(project)
    locking = [start(project, "-s", "lock") for _ in range(2)]
    for _ in range(2):
        together(project, 2, "-j", "2", "-s", *names)
    assert [process.wait(timeout=PATIENCE) for process in locking] == [0, 0]
    assert tracked(project) == before
    assert [kinds(project, name) for name in names] == [[]] * 4


def test_a_repair_waits_for_commands_that_run_in_the_venv_and_takes_the_lock_as_it_is_then(
    demo: Project,
) -> None:
    demo.write("wait.py", WAIT)
    demo.write("envs.yaml", WAITING)
    first, second = (demo.root.parent / name for name in ("first", "second"))
    running = start(demo, "-s", "demo", output=first)
    wait_for((demo.root / "started").exists, running)
    demo.write("envs.yaml", WAITING.replace("basket>=1", "basket>=1, apple<2"))
    demo.nox("-s", "lock", check=True)
    waiting = start(demo, "-s", "demo", output=second)
    wait_for(lambda: "another process works on" in second.read_text(), waiting)
    time.sleep(0.5)
    assert (demo.venv("demo").site / "apple-2.0.dist-info").is_dir()
    demo.write("go", "")
    assert [process.wait(timeout=PATIENCE) for process in (running, waiting)] == [0, 0], second.read_text()
    assert "apple 2.0" in first.read_text()
    assert "requirements/demo.txt changed since it was installed: 1 version" in second.read_text()
    assert "apple 1.1" in second.read_text()
    assert kinds(demo) == []


def in_namespace(project: Project, script: str, **variables: str | Path) -> Result:
    """Run a shell script that may mount and sees `$PROJECT` and `$PYTHON`; skip where that is not allowed."""
    unshare = ("unshare", "--map-root-user", "--mount")
    if not shutil.which("unshare") or project.machine.run(*unshare, "true", check=False).returncode:
        pytest.skip("this system lets no test mount a file system in a namespace of its own")
    env = {name: str(text) for name, text in {**variables, "PROJECT": project.root}.items()}
    env["PYTHON"] = sys.executable
    return project.machine.run(*unshare, "sh", "-uc", script, cwd=project.root, env=env, check=False)


FULL = """
mount -t tmpfs -o size=${SIZE}k tmpfs "$DISK" && cp -r "$PROJECT/." "$DISK" && cd "$DISK" || exit 9
"$PYTHON" -m nox -s demo && code=0 || code=1
[ -f .nox/demo/nox-envs.json ] && { "$PYTHON" -m nox_envs drift demo || code=8; }
mount -o remount,size=32m "$DISK"
"$PYTHON" -m nox -s demo && "$PYTHON" -m nox_envs drift demo || exit 7
exit $code
"""


def test_a_disk_that_is_full_at_any_moment_of_a_session_leaves_nothing_to_reuse(demo: Project) -> None:
    shutil.rmtree(demo.root / ".nox")
    disk = demo.root.parent / "disk"
    disk.mkdir()
    messages = ""
    for size in range(48, 400, 16):
        ran = in_namespace(demo, FULL, SIZE=str(size), DISK=disk)
        assert ran.returncode in (0, 1), f"{size}: {ran.output}"
        assert "Traceback" not in ran.output
        messages += ran.output
        if ran.returncode == 0:
            break
        assert "No space left on device" in ran.output
    assert ran.returncode == 0
    assert "uv could not install" in messages


READ_ONLY = (
    'mount --bind "$PROJECT" "$PROJECT" && mount -o remount,bind,ro "$PROJECT" && cd "$PROJECT" || exit 9\n'
)


def test_a_read_only_project_is_read_and_what_must_write_names_the_cause(demo: Project) -> None:
    verbs = ("check", "list", "drift", "freeze demo", "activate demo", "matrix", "report .nox")
    lines = [f'"$PYTHON" -m nox_envs {verb} >/dev/null || exit 1' for verb in verbs]
    lines += [f'"$PYTHON" -m nox {words} >/dev/null || exit 2' for words in ("-l", "-s lock -- --check")]
    lines.append('"$PYTHON" -m nox --envdir "$ELSEWHERE" -s demo || exit 3')
    read = in_namespace(demo, READ_ONLY + "\n".join(lines), ELSEWHERE=demo.root.parent / "elsewhere")
    assert read.returncode == 0, read.output
    session = in_namespace(demo, f'{READ_ONLY}"$PYTHON" -m nox -s demo')
    lock = in_namespace(demo, f'{READ_ONLY}"$PYTHON" -m nox -s lock -- --upgrade-package basket==1.0')
    for ran in (session, lock):
        assert ran.returncode == 1
        assert "Read-only file system" in ran.output
        assert "Traceback" not in ran.output
    assert "make it writable" in session.output
    assert "requirements/demo.txt: cannot be written" in lock.output


LIMITED = """\
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.argv[1:] = sys.argv[2:]
from nox.__main__ import main
main()
"""


def test_files_that_may_not_grow_end_a_session_or_a_lock_and_the_next_one_is_whole(demo: Project) -> None:
    before = tracked(demo)
    # Coverage keeps its data in a file, and its own failure would be told in place of ours.
    silent = {name: "" for name in demo.machine.env if name.startswith("COVERAGE")}

    def limited(size: int, *words: str) -> str:
        command = (sys.executable, "-c", LIMITED, str(size), *words)
        ran = demo.machine.run(*command, cwd=demo.root, env=silent, check=False)
        assert ran.returncode == 1, ran.output
        assert "Traceback" not in ran.output
        return ran.output

    demo.venv("demo").uninstall("apple")
    assert "nox-envs.json: cannot be written: File too large" in limited(1500, "-s", "demo")
    assert not has_receipt(demo)
    assert "failed, nothing is written" in limited(100, "-s", "lock", "--", "-P", "basket==1.0")
    assert tracked(demo) == before
    assert "its installation did not finish" in demo.nox("-s", "demo", check=True).output
    assert kinds(demo) == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:99] + bytes([content[99] ^ 1]) + content[100:],
    "deep": lambda content: b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_of_our_own_cost_time_and_nothing_else(demo: Project, damage: str) -> None:
    listed, before = demo.nox("-l", check=True).stdout, tracked(demo)
    demo.venv("demo").install("plum")
    kept = demo.root / ".nox"
    for file in (kept / ".nox-envs/spec", *kept.glob(".nox-envs/reports/*"), kept / "demo/nox-envs.json"):
        file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert demo.nox("-l", check=True).stdout == listed
    ran = demo.nox("-s", "demo", check=True)
    assert "Traceback" not in ran.output
    assert kinds(demo) == []
    assert demo.cli("freeze", "demo").stdout == "apple==2.0\nbasket==1.1\n"
    assert tracked(demo) == before


WHEEL = "torn-1.0-py3-none-any.whl"
QUICK = {"UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "3"}
FAULTS: dict[str, Callable[[Index], dict[str, str] | None]] = {
    "refuses": lambda index: {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"},
    "hangs": lambda index: {},
    "answers 500": lambda index: index.fail("/simple/torn/"),
    "breaks off its page": lambda index: index.break_off("/simple/torn/"),
    "breaks off its wheel": lambda index: index.break_off(f"/files/{WHEEL}"),
    "serves half a wheel": lambda index: index.truncate(WHEEL),
    "serves another wheel": lambda index: index.corrupt(WHEEL),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_index_that_fails_ends_an_installation_a_repair_and_a_lock_with_the_reason(
    project: Project, index: Index, silence: socket.socket, fault: str
) -> None:
    index.release("torn", "1.0", files={f"torn/part{n}.py": f"# {n}\n" * 2000 for n in range(20)})
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: [torn==1.0, apple==1.0]}\n")
    project.nox("-s", "lock", check=True)
    before = tracked(project)
    for repair in (False, True):
        if repair:
            project.venv("demo").uninstall("torn", "apple")
        env = {**QUICK, **(FAULTS[fault](index) or {})}
        env |= {"UV_DEFAULT_INDEX": url_of(silence)} if fault == "hangs" else {}
        ran = project.nox("-s", "demo", env=env)
        assert ran.returncode == 1, ran.output
        assert "demo aborted: uv could not install" in ran.output
        assert "torn" in ran.output or "/simple/apple/" in ran.output
        assert "Traceback" not in ran.output
        if has_receipt(project):
            assert kinds(project) == ["missing", "missing"]  # nothing was changed yet
        if "wheel" not in fault:
            failed = project.nox("-s", "lock", "--", "--upgrade", env=env)
            assert failed.returncode == 1
            assert "demo (requirements/demo.txt): failed, nothing is written" in failed.output
        index.mend()
        project.nox("-s", "demo", check=True)
        assert kinds(project) == []
    assert tracked(project) == before


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal")
def test_a_lock_run_that_waits_shows_for_how_long_on_a_terminal_only(
    demo: Project, silence: socket.socket
) -> None:
    env = {
        "UV_DEFAULT_INDEX": url_of(silence),
        "UV_NO_CACHE": "1",
        "UV_HTTP_TIMEOUT": "3",
        "UV_HTTP_RETRIES": "0",
    }
    plain = demo.nox("-s", "lock", "--", "--upgrade", env=env)
    assert "locking:" not in plain.output
    ours, theirs = os.openpty()
    argv = [sys.executable, "-m", "nox", "-s", "lock", "--", "--upgrade"]
    environ = {**demo.machine.env, **env}
    with subprocess.Popen(argv, cwd=demo.root, env=environ, stderr=theirs, stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux reports the end as an error
            while data := os.read(ours, 4096):
                shown += data
    os.close(ours)
    assert process.returncode == 1
    assert re.search(rb"\rlocking: 1 s(\rlocking: \d+ s)*\r +\r", shown)
