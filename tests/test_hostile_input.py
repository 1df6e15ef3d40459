"""What a hostile repository, lock, wheel or venv tries: endless input, injection, traversal, code."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import nox_envs
from nox_envs.project import Project as OpenedProject
from nox_envs.values import replace
from nox_envs.venv.receipt import FILE_NAME, CleanVerdict, Receipt, Recorded, write_receipt
from nox_envs.venv.snapshot import Interpreter
from tests import commandline
from tests.commandline import write
from tests.conftest import BareVenv, Machine

posix = pytest.mark.skipif(os.name == "nt", reason="links and named pipes are POSIX here")

DIGITS = "9" * 5000
EVIL = "--index-url=https://evil.example.org/simple"
INTERPRETER = Interpreter(version="3.12.1", implementation="cpython")
UNLOCKED = "version: 1\nenvironments: {a: {lock: false}}\n"
LOCKED = UNLOCKED.replace("lock: false", "requirements: [apple>=1]")
VENV_VERBS = ("check", "list", "drift", "drift --files all", "freeze a", "matrix")

# Run words in a project with a spec; return the exit code and both streams.
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in a project, whose `envs.yaml` is `spec`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)

    def run(words: str, spec: str = "") -> tuple[int, str]:
        write(tmp_path, {"envs.yaml": spec} if spec else {})
        code, out, err = commandline.run(*words.split())
        return code, out + err

    return run


@pytest.fixture
def built(tmp_path: Path) -> BareVenv:
    """Make the venv of the environment `a`, with one distribution and a receipt."""
    venv = BareVenv(location=tmp_path / ".nox" / "a")
    venv.site.mkdir(parents=True)
    config = "home = /usr/bin\nversion = 3.12.1\n"
    write(tmp_path, {".nox/a/pyvenv.cfg": config, ".nox/a/bin/pip": "", "envs.yaml": UNLOCKED})
    venv.add("apple", "1.0")
    commit_receipt(venv, "apple")
    return venv


def commit_receipt(venv: BareVenv, *names: str, **more: object) -> None:
    """Write a receipt of distributions, as a repository could commit it."""
    rows = tuple(Recorded(name=name, version="1.0") for name in names)
    real = os.path.realpath(venv.location)
    made = Receipt(lock="", interpreter=INTERPRETER, distributions=rows, location=real)
    write_receipt(venv.location, replace(made, **more))


# what grows


def test_a_spec_that_grows_by_aliases_or_axes_is_refused_in_a_few_words(run: Run) -> None:
    laughs = ["requirements:", "  s0: &s0 [apple>=1, apple>=1, apple>=1]"]
    laughs += [f"  s{n}: &s{n} [{', '.join([f'*s{n - 1}'] * 9)}]" for n in range(1, 40)]
    axes = ", ".join(f"axis{n}: [{', '.join(map(str, range(10)))}]" for n in range(8))
    product = f"environments: {{a: {{matrix: {{{axes}}}}}}}"
    for body, told in (("\n".join(laughs), "repeat more than 10,000 values"), (product, "more than 20,000")):
        for verb in ("check", "list", "drift", "matrix"):
            code, output = run(verb, f"version: 1\n{body}\n")
            assert code == 2
            assert told in output
            assert len(output) < 500


@pytest.mark.parametrize("version", ["3.12.0rc1", "3.12.100", "3.12", "3.13.0t", "3.12.x"])
def test_a_venv_of_any_version_of_its_python_is_compared_with_its_lock(
    run: Run, built: BareVenv, version: str
) -> None:
    marked = "apple==1.0 ; python_full_version >= '3.12.0a1'"
    write(built.location.parents[1], {"a.txt": f"{marked}\n"})
    (built.location / "pyvenv.cfg").write_text(f"version = {version}\n")
    spec = f"version: 1\nenvironments: {{a: {{python: '3.12', requirements: [\"{marked}\"], LOCK}}}}\n"
    code, output = run("drift a", spec.replace("LOCK", "lock: {managed: false, file: a.txt}"))
    assert code == 1  # its receipt is of another installation
    assert "lock-unsatisfied" not in output


def test_a_number_of_thousands_of_digits_in_a_venv_is_not_a_traceback(run: Run, built: BareVenv) -> None:
    fields = (
        f"Requires-Python: >=3.{DIGITS}",
        f"Requires-Dist: apple>={DIGITS}",
        f"Requires-Dist: apple==1.{DIGITS} ; python_version > '3.{DIGITS}'",
        f"Metadata-Version: {DIGITS}",
        f"Version: {DIGITS}",
    )
    for number, field in enumerate(fields):
        built.add(f"b{number}", "1.0", metadata=f"Name: b{number}\n{field}\nVersion: 1.0\n")
    commit_receipt(built, "apple", *(f"b{number}" for number in range(len(fields))))
    for config in (f"version = 3.{DIGITS}\n", f"version_info = {DIGITS}\n", f"home = {DIGITS}\n"):
        (built.location / "pyvenv.cfg").write_text(config)
        assert {run(words)[0] for words in (*VENV_VERBS, "drift --format sarif")} == {0, 1}
    assert run(f"diff HEAD~{DIGITS}: x")[0] == 2


# options, code and paths in place of values

BODIES = r"""
requirements: {s: ['EVIL']}
requirements: {s: ["apple>=1 ; os_name == 'a\nEVIL\n'"]}
requirements: {s: ['apple @ https://packages.example.org/a.whl EVIL']}
requirements: {s: ['-r /etc/passwd']}
environments: {'EVIL': {}}
environments: {a: {constraints: ['EVIL']}}
environments: {a: {python: 'EVIL'}}
environments: {a: {package: {mode: wheel, extras: ['x] EVIL']}}}
environments: {a: {matrix: {d: ['1 EVIL']}, requirements: ['apple=={d}']}}
environments: {a: {exclude_newer: 'EVIL'}}
environments: {a: {backend: '--clear'}}
environments: {a: {description: !!python/object/apply:os.system ['touch pwned']}}
environments: {a: {description: !<tag:yaml.org,2002:python/object/apply:eval> ['1']}}
environments: {a: {lock: {file: ../x.txt}}}
environments: {a: {lock: {file: '{environment}/../../x.txt'}}}
environments: {a: {requirements: [{file: /etc/passwd}]}}
environments: {a: {requirements: [{file: 'file:///etc/passwd'}]}}
environments: {a: {python: '3.DIGITS'}}
environments: {a: {requirements: ["apple>=1; python_version < '3.DIGITS'"]}}
environments: {a: {matrix: {d: ['DIGITS', '2']}, exclude: [{d: '<3'}], requirements: ['apple>={d}']}}
environments: {'../x': {}}
environments: {'-a': {}}
indexes: {main: 'https://packages.example.org/simple EVIL'}
"""


@pytest.mark.parametrize("body", BODIES.split("\n")[1:-1])
def test_no_value_of_a_spec_is_an_option_or_code_or_leads_out(run: Run, body: str, tmp_path: Path) -> None:
    used = "" if "environments:" in body else "\nenvironments: {a: {requirements: [s]}}"
    body = body.replace("EVIL", EVIL).replace("DIGITS", DIGITS)
    assert run("list", f"version: 1\n{body}{used}\n")[0] in (0, 2)
    code, told = run("check")
    assert code == 2
    assert "root:" not in told
    assert os.listdir(tmp_path) == ["envs.yaml"]


def test_a_file_above_the_project_that_the_spec_names_may_be_quoted(run: Run, tmp_path: Path) -> None:
    (tmp_path.parent / "common.txt").write_text("a line of another file\n")
    assert (
        "'a line of another file' is not"
        in run("check", LOCKED.replace("apple>=1", "file: ../common.txt"))[1]
    )


# files that are not files

READERS = f"""
envs.yaml check
requirements/a.txt check
pyproject.toml check
.nox/.nox-envs/spec list
.nox/.nox-envs/reports/a.json report .nox
.nox/a/{FILE_NAME} drift
.nox/a/{FILE_NAME} freeze a
.nox/a/pyvenv.cfg freeze a
.nox/a/bin/python drift --files all
"""
STRANGE: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "directory": os.mkdir,
    "device": lambda file: file.symlink_to("/dev/zero"),
    "loop": lambda file: file.symlink_to(file.name),
    "huge": lambda file: (file.touch(), os.truncate(file, 100 << 20)),  # type: ignore[func-returns-value]
}


@posix
@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("reader", READERS.split("\n")[1:-1])
def test_what_is_not_a_file_is_neither_waited_for_nor_swallowed(
    run: Run, built: BareVenv, tmp_path: Path, kind: str, reader: str
) -> None:
    name, _, words = reader.partition(" ")
    write(tmp_path, {"envs.yaml": LOCKED, name: ""})
    (tmp_path / name).unlink()
    STRANGE[kind](tmp_path / name)
    code, output = run(words)
    assert code in (0, 1, 2)
    assert 0 < len(output) < 2000


# links, paths that lead out, and code of another repository

ACTS = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "socket.",
        "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.symlink", "os.link")  # fmt: skip
SEEN: list[str] = []
WATCHING: list[bool] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if not WATCHING or not event.startswith(("open", "os.listdir", "os.scandir", "compile", "exec", *ACTS)):
        return
    what = arguments[1] if event == "compile" else getattr(arguments[0], "co_filename", arguments[0])
    if isinstance(what, int):  # a file that is open already
        return
    folder, _, name = (os.fsdecode(what) if isinstance(what, str | bytes) else repr(what)).rpartition("/")
    flags = int(str(arguments[2])) if event == "open" else 0
    # A link that is opened without being followed fails.
    kept = flags & os.O_NOFOLLOW
    path = f"{os.path.realpath(folder)}/{name}" if kept else os.path.realpath(f"{folder}/{name}")
    if "__pycache__" not in path:
        SEEN.append(f"{'write' if flags & 3 else event} {path}")


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Collect what is opened, listed, written, started and compiled meanwhile, with its real path."""
    SEEN.clear()
    WATCHING.append(True)
    try:
        yield SEEN
    finally:
        WATCHING.clear()
    assert SEEN


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of files that a venv leads to and no message may show."""
    folder = tmp_path_factory.mktemp("outside").resolve()
    url, metadata = '{"url": "https://e.org/s3cret"}', "Name: link\nVersion: 1.0\nRequires-Dist: s3cret>=7\n"
    write(folder, {"METADATA": metadata, "RECORD": "s3cret.py,sha256=bad,1\n", "direct_url.json": url})
    write(folder, {"start.pth": "import s3cret\n"})
    return folder


def lead_out(built: BareVenv, outside: Path) -> None:
    """Put links into a venv in place of all that is read in one."""
    (built.site / "link-1.0.dist-info").symlink_to(outside)
    for name in ("METADATA", "RECORD", "direct_url.json"):
        file = built.add(f"link-{name[:4]}", "1.0") / name
        file.unlink(missing_ok=True)
        file.symlink_to(outside / name)
    (built.site / "start.pth").symlink_to(outside / "start.pth")
    (built.site / "egg.egg-info").symlink_to(outside / "METADATA")
    (built.site / "folder").symlink_to(outside)
    commit_receipt(built, "apple", "link", "link-meta", "link-reco", "link-dire", "egg")


@posix
def test_links_in_a_venv_are_named_and_what_they_lead_to_is_neither_opened_nor_shown(
    run: Run, built: BareVenv, outside: Path
) -> None:
    lead_out(built, outside)
    with watched() as seen:
        output = " ".join(" ".join(run(words)[1] for words in VENV_VERBS).split())
    assert [one for one in seen if str(outside) in one] == []
    assert "s3cret" not in output
    for told in ("its dist-info is a link", "METADATA is a link", "RECORD is a link", "found a link to"):
        assert told in output


@posix
def test_a_committed_receipt_opens_nothing_that_the_spec_does_not_name(
    run: Run, built: BareVenv, outside: Path, tmp_path: Path
) -> None:
    secret, above = str(outside / "METADATA"), os.path.relpath(outside / "METADATA", tmp_path)
    (tmp_path / "linked").symlink_to(outside)
    project = OpenedProject(tmp_path / "envs.yaml", environ={})
    urls = ("", outside.as_uri(), f"-e {outside.as_uri()}", f"-e {outside}", f"file:{above}")
    rows = [Recorded(name=f"p{n}", version="1", source=url, folder="0") for n, url in enumerate(urls)]
    key = project.verdict_key(project.points[0], built.location)
    for path in (secret, above, "linked/METADATA", f"x/../{above}", "\0", above.replace("/", "\\")):
        pairs = ((path, "sha256:0"), (f"bin/{path}", "sha256:0"))
        verdict = CleanVerdict(inputs=((path, "0"),), key=key, evidence="x", line="", report="{}")
        python = replace(INTERPRETER, facts=(("python", f"a link to {secret} (python)"),))
        given = {"names": (path,), "startup": pairs, "created": pairs, "verdict": verdict}
        commit_receipt(built, distributions=tuple(rows), interpreter=python, **given)
        with watched() as seen:
            assert {run(words)[0] for words in VENV_VERBS} == {0, 1}
        assert [one for one in seen if str(outside) in one] == []


TRAP = "raise SystemExit('pwned')\n"
FOREIGN = {
    "envs.yaml": """\
version: 1
requirements: {app: [{file: app.in}, {group: dev}, "x @ git+https://git.example.org/x.git"]}
environments: {a: {requirements: [app], package: editable, commands: [touch pwned]}}
""",
    "app.in": "apple>=1\n-e ./local\n",
    "local/setup.py": TRAP,
    "pyproject.toml": """\
build-system = {requires = [], build-backend = "backend", backend-path = ["."]}
project = {name = "own", version = "1", dynamic = ["dependencies"]}
dependency-groups = {dev = ["pytest"]}
""",
    "requirements/a.txt": "apple==1.0\n",
    "x/a.txt": "apple==2.0\n",
    ".nox/.nox-envs/spec": "forged\n[]\n",
    ".nox/a/bin/activate": "touch pwned\n",
    **{f"{name}.py": TRAP for name in ("noxfile", "setup", "conftest", "backend", "sitecustomize", "tomli")},
    ".nox/a/lib/python3.12/site-packages/evil.pth": f"import os; {TRAP}",
}


MORE_VERBS = """list --format json|matrix --format github|drift --format html|activate a --shell sh|report .
report .nox|diff requirements/a.txt x/a.txt|schema|init --print --spec new.yaml""".replace("\n", "|").split(
    "|"
)


def test_a_spec_from_another_repository_runs_no_code_starts_nothing_and_writes_nothing(
    run: Run, built: BareVenv, tmp_path: Path
) -> None:
    write(tmp_path, FOREIGN)
    with watched() as seen:
        assert {run(words)[0] for words in (*VENV_VERBS, *MORE_VERBS)} <= {0, 1, 2}
    acts = [one for one in seen if one.startswith(("write", *ACTS))]
    code = [one for one in seen if one.startswith(("compile", "exec")) and str(tmp_path.resolve()) in one]
    assert (acts, code) == ([], [])


READS = r"(?:(?:new)?[lf]?stat(?:at)?|statx|f?access(?:at2?)?|readlink(?:at)?|getcwd|exit(?:_group)?)\("
SYSTEM = ("/usr/", "/lib", "/etc/l", "/etc/ssl/openssl.cnf", "/proc/self/", "/dev/null")


@posix
@pytest.mark.functional
def test_no_system_call_leaves_a_hostile_project_starts_a_process_writes_or_connects(
    machine: Machine, built: BareVenv, outside: Path, tmp_path: Path
) -> None:
    log = outside.with_name("calls")
    # Without the measurement of coverage, which writes files of its own.
    without = ("env", "-u", "COVERAGE_PROCESS_CONFIG", "-u", "COVERAGE_PROCESS_START")
    trace = (*without, "strace", "-f", "-y", "-qq", "-e", "trace=file,process,network", "-o", str(log))
    if not shutil.which("strace") or machine.run(*trace, "true", check=False).returncode:
        pytest.skip("strace is not installed, or may not trace")
    write(tmp_path, {**FOREIGN, ".nox/.nox-envs/reports/a.json": '{"environments": [{"session": "a"}]}'})
    lead_out(built, outside)
    (tmp_path / ".nox/a/bin/python").symlink_to(outside / "METADATA")
    own = (tmp_path.resolve(), sys.prefix, sys.base_prefix, Path(nox_envs.__file__).parents[1])
    for words in (*VENV_VERBS, *MORE_VERBS):
        argv = (*trace, str(Path(sys.executable).with_name("nox-envs")), *words.split())
        ran = machine.run(*argv, cwd=tmp_path, env={"PYTHONDONTWRITEBYTECODE": "1"}, check=False)
        assert ran.returncode in (0, 1, 2), ran.output
        _, *calls = [line.partition(" ")[2].strip() for line in log.read_text().splitlines()]
        odd = [one for one in calls if not re.match(rf"{READS}|open(?:at)?\(.*\bO_RDONLY|\+\+\+", one)]
        opened = [found[1] for one in calls if (found := re.search(r"^open.* = \d+<(.*)>$", one))]
        assert words == "schema" or any(one.startswith(str(own[0])) for one in opened)
        out = [one for one in opened if not one.startswith((*map(str, own), *SYSTEM))]
        assert (odd, out) == ([], []), words


@posix
def test_a_link_among_reports_is_not_followed(run: Run, built: BareVenv, outside: Path) -> None:
    write(built.location, {"reports/a.json": ""})
    (built.location / "reports/b.json").symlink_to(outside / "METADATA")
    with watched() as seen:
        run("report .nox")
    assert [one for one in seen if str(outside) in one] == []
