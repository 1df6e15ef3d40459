"""What a hostile repository, lock, wheel or venv tries, one attack a test: injection, traversal, code."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from nox_envs import receipt as receipts
from nox_envs.cli import main
from nox_envs.document import Problems
from nox_envs.document import compose as compose_yaml
from nox_envs.drift import Expectation, Finding, compare
from nox_envs.errors import FileProblems, NoxEnvsError, Place
from nox_envs.files import read_text
from nox_envs.git_objects import open_repository
from nox_envs.installers import pip_installer, uv_installer
from nox_envs.integrity.verification import verify
from nox_envs.lockfile.plan import Inputs, plan
from nox_envs.lockfile.pylock import parse_pylock
from nox_envs.lockfile.text import parse
from nox_envs.matrix import expand
from nox_envs.mutex import held
from nox_envs.pins import parse_direct_url
from nox_envs.placeholders import expand_command, split_command
from nox_envs.requirements import Composer
from nox_envs.requirements.from_files import RequirementFiles
from nox_envs.requirements.project import Pyproject
from nox_envs.snapshot import NotAVenv, freeze, take
from nox_envs.spec.read import read_spec
from nox_envs.workflow.locking.choice import upgrades
from nox_envs.workflow.mending import beyond_mending, mending_of
from nox_envs.workflow.project import Project as OpenedProject
from nox_envs.workflow.requirement_files import pins_written
from tests.conftest import BareVenv, Machine, Project

posix = pytest.mark.skipif(os.name == "nt", reason="links and named pipes are POSIX here")

EVIL = "--index-url=https://evil.example.org/simple"


def problems_of(body: str, root: Path) -> str:
    """Return what is wrong with a spec, down to the plans of its locks; empty if nothing is."""
    try:
        spec = read_spec(f"version: 1\n{textwrap.dedent(body)}", origin="envs.yaml")
        composer = Composer(spec, root=root, environ={})
        plan(expand(spec), Inputs(compose=composer.compose, floor="3.10"))
    except FileProblems as error:
        return str(error)
    return ""


# YAML


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch pwned']",
        "!!python/object/new:subprocess.Popen [['touch', 'pwned']]",
        "!!python/name:os.system ''",
        "!!python/module:antigravity ''",
        "!<tag:yaml.org,2002:python/object/apply:eval> ['1']",
    ],
)
def test_no_yaml_tag_makes_an_object(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is not read" in problems_of(f"environments: {{a: {{description: {text}}}}}", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_aliases_of_a_spec_do_not_explode(tmp_path: Path) -> None:
    lines = ["requirements:", "  s0: &s0 [apple>=1, apple>=1, apple>=1, apple>=1, apple>=1, apple>=1]"]
    lines += [f"  s{n}: &s{n} [{', '.join([f'*s{n - 1}'] * 9)}]" for n in range(1, 40)]
    assert "expand to more than 10,000 values" in problems_of("\n".join(lines), tmp_path)


def test_a_text_that_repeats_itself_by_aliases_stays_one_text() -> None:
    body = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 9000)}]\n"
    node = compose_yaml(body, Problems("envs.yaml"))
    items = node.value("b").items  # type: ignore[union-attr]
    assert len({id(item.text) for item in items}) == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["a\u202eb", '"a\\u202eb"', "# \u2066 comment", '"\\x9b31m"', '"\\x1b[31m"'])
def test_a_spec_shows_a_reviewer_what_is_read(text: str, tmp_path: Path) -> None:
    body = f"environments: {{a: {{description: {text}\n}}}}"
    assert "U+" in problems_of(body, tmp_path)


# options in place of values


@pytest.mark.parametrize(
    "body",
    [
        f"environments: {{'{EVIL}': {{}}}}",
        f"requirements: {{s: ['{EVIL}']}}",
        f"requirements: {{s: ['apple>=1 {EVIL}']}}",
        f"requirements: {{s: ['apple>=1 ; os_name == \"posix\" {EVIL}']}}",
        f"requirements: {{s: [\"apple>=1 ; os_name == 'a\\n{EVIL}\\n'\"]}}",
        f"requirements: {{s: ['apple @ {EVIL}']}}",
        f"requirements: {{s: ['apple @ https://packages.example.org/a.whl {EVIL}']}}",
        "requirements: {s: ['-r /etc/passwd']}",
        "requirements: {s: ['git+--upload-pack=touch@x']}",
        f"environments: {{a: {{constraints: ['{EVIL}']}}}}",
        f"environments: {{a: {{build_constraints: ['apple<2 {EVIL}']}}}}",
        f"environments: {{a: {{python: '{EVIL}'}}}}",
        f"environments: {{a: {{platforms: ['{EVIL}']}}}}",
        f"environments: {{a: {{package: {{mode: wheel, extras: ['x] {EVIL}']}}}}}}",
        f"environments: {{a: {{matrix: {{d: ['1 {EVIL}']}}, requirements: ['apple=={{d}}']}}}}",
        f"environments: {{a: {{matrix: {{d: [\"1'\\n{EVIL}\"]}}, requirements: ['apple=={{d}}']}}}}",
        f"environments: {{a: {{lock: {{exclude_newer: '{EVIL}'}}}}}}",
        f"environments: {{a: {{lock: {{only_binary: ['{EVIL}']}}}}}}",
        f"environments: {{a: {{lock: {{resolution: '{EVIL}'}}}}}}",
        f"environments: {{a: {{allow_prereleases: ['{EVIL}']}}}}",
        f"indexes: {{main: '{EVIL}'}}",
        f"indexes: {{main: 'https://packages.example.org/simple {EVIL}'}}",
        "environments: {a: {set_env: {'A=B': x}}}",
        'environments: {a: {set_env: {"A\\nB": x}}}',
        "environments: {a: {backend: '--clear'}}",
    ],
)
def test_no_value_of_a_spec_is_taken_for_an_option(body: str, tmp_path: Path) -> None:
    environments = "" if "environments:" in body else "\nenvironments: {a: {requirements: [s]}}"
    assert problems_of(body + environments, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        f"apple==1.0 {EVIL}",
        f"apple @ {EVIL}",
        f"apple @ https://packages.example.org/a.whl {EVIL}",
        f"./vendor {EVIL}  # vendor",
        f"-e ./vendor {EVIL}  # vendor",
        f"apple==1.0 ; os_name == 'x' {EVIL}",
        "apple==1.0 --config-settings=x=y",
        "-r /etc/passwd",
        "apple @ https://packages.example.org/\x1b.whl",
    ],
)
def test_no_line_of_a_lock_hands_an_option_to_an_installer(line: str) -> None:
    with pytest.raises(FileProblems):
        parse(f"{line}\n", origin="lock.txt")


@pytest.mark.parametrize(
    "package",
    [
        f'version = "1"\nsdist = {{url = "https://e/apple-1.tar.gz", hashes = {{sha256 = "00\\n{EVIL}"}}}}',
        f'archive = {{url = "https://e.org/a.zip\\n{EVIL}", hashes = {{sha256 = "00"}}}}',
        f'archive = {{url = "https://e.org/a.zip {EVIL}", hashes = {{sha256 = "00"}}}}',
        f'vcs = {{type = "git", url = "https://e.org/a", commit-id = "00\\n{EVIL}"}}',
        f'vcs = {{type = "git", url = "https://e.org/a", commit-id = "00", subdirectory = "x {EVIL}"}}',
        f'directory = {{path = "./x\\n{EVIL}"}}',
        f'directory = {{path = "./x {EVIL}"}}',
        f'version = "1"\nmarker = "os_name == \'x\\n{EVIL}\\n\'"',
    ],
)
def test_no_text_of_a_pylock_becomes_a_line_of_its_own(package: str) -> None:
    text = f'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "apple"\n{package}\n'
    with pytest.raises(FileProblems, match=r"holds what none can|Invalid quoted string"):
        parse_pylock(text, origin="pylock.toml")


def test_every_pin_takes_one_line_of_what_an_installer_reads(tmp_path: Path) -> None:
    text = "apple==1.0 --hash=sha256:00\nbasket @ git+https://e.org/b@v1#subdirectory=x%20y\n./a b  # ab\n"
    with pins_written(parse(text, origin="lock.txt").pins, tmp_path) as paths:
        written = [Path(path).read_text() for path in paths]
    assert written == [
        "apple==1.0 --hash=sha256:00\n",
        "basket @ git+https://e.org/b@v1#subdirectory=x%20y\nab @ ./a b\n",
    ]


def test_a_directory_with_the_name_of_an_option_is_never_uninstalled_by_it(bare_venv: BareVenv) -> None:
    for name in ("_r_evil", "__index_url=x", ".r"):
        (bare_venv.site / f"{name}-1.0.dist-info").mkdir()
    snapshot = take(bare_venv.location)
    expectation = Expectation(pins=(), lock="lock.txt")
    found = compare(expectation, snapshot, environment="a", session="a")
    assert {finding.kind for finding in found} >= {"extraneous"}
    assert mending_of(found, expectation).uninstall == ()
    assert "is no name of a package" in beyond_mending(found, expectation)
    assert not [line for line in freeze(snapshot).splitlines() if line.startswith("-")]


@pytest.mark.parametrize("installer", [uv_installer("uv", "python"), pip_installer("python")])
def test_options_of_an_installer_come_before_everything_from_outside(installer: object) -> None:
    from nox_envs.installers import Installer

    assert isinstance(installer, Installer)
    argv = installer.install(("requirements/lock.txt",), hashes=True)
    assert argv[-2:] == ("-r", "requirements/lock.txt")


@pytest.mark.parametrize("word", [EVIL, f"apple=={EVIL}", "-r x", "apple\n--pre", "apple[--x]"])
def test_posargs_of_the_lock_session_are_no_options_of_a_resolver(word: str) -> None:
    with pytest.raises(NoxEnvsError, match="--upgrade-package"):
        upgrades((word,), {"apple"})


@pytest.mark.parametrize("value", [f"1.0 {EVIL}", f"1.0\n{EVIL}", "1.0 -r /etc/passwd", "1.0 ; x", "--pre"])
def test_no_environment_variable_becomes_an_option(value: str, tmp_path: Path) -> None:
    (tmp_path / "app.in").write_text("apple==${VERSION}\n")
    reader = RequirementFiles(tmp_path, {"VERSION": value})
    gathered = reader.gather("app.in", constraint=False, asked=Place(origin="envs.yaml"))
    assert gathered.problems
    assert gathered.requirements == ()


def test_posargs_and_axis_values_stay_words_of_a_command() -> None:
    words = ("a b", "$(touch pwned)", "`x`", ";", "| y", "{envdir}", "--x")
    argv = split_command("pytest {posargs} in-{posargs}")
    assert expand_command(argv, posargs=words, envdir="/venv") == ("pytest", *words, f"in-{' '.join(words)}")


# paths that lead out


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "a\\b", ".", "..", "~", "a.b", "con:", "-a", "a\\0"])
def test_no_name_is_a_path(name: str, tmp_path: Path) -> None:
    assert "is no valid name" in problems_of(f'environments: {{"{name}": {{}}}}', tmp_path) or "U+" in name
    assert problems_of(f'requirements: {{"{name}": []}}\nenvironments: {{a: {{}}}}', tmp_path)


@pytest.mark.parametrize(
    "lock",
    [
        "{file: ../x.txt}",
        "{file: /etc/x.txt}",
        "{file: requirements/../../x.txt}",
        "{file: '{environment}/../../x.txt'}",
        "{file: 'locks/{d}.txt'}",
        "{file: 'file:///etc/x.txt'}",
        "{file: '..\\x.txt'}",
        "{format: pylock, file: ../pylock.a.toml}",
    ],
)
def test_no_lock_is_written_outside_of_the_project(lock: str, tmp_path: Path) -> None:
    body = f"environments: {{a: {{matrix: {{d: ['../../x', y]}}, lock: {lock}}}}}"
    assert problems_of(body, tmp_path)


def test_an_axis_value_leads_no_lock_and_no_venv_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "envs.yaml").write_text(
        "version: 1\nenvironments: {a: {matrix: {d: ['../../x', '/y', '..']}, overrides: "
        "[{when: {d: '..'}, requirements: [apple>=1]}]}}\n"
    )
    assert main(["list", "--spec", str(tmp_path / "envs.yaml"), "--format", "json"]) == 0
    for row in json.loads(capsys.readouterr().out)["sessions"]:
        assert ".." not in row["lock"].split("/")
        assert ".." not in row["location"].split("/")


@pytest.mark.parametrize("path", ["/etc/passwd", "file:///etc/passwd", "https://e.org/x", "C:\\x", "~/x"])
def test_no_requirements_file_is_read_by_a_machine_path(path: str, tmp_path: Path) -> None:
    body = f"requirements: {{s: [{{file: '{path}'}}]}}\nenvironments: {{a: {{requirements: [s]}}}}"
    told = problems_of(body, tmp_path)
    assert told
    assert "root:" not in told


OPENED: list[str] = []
WATCHING: list[bool] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if WATCHING and event == "open":
        OPENED.append(str(arguments[0]))


sys.addaudithook(_watch)


@posix
@pytest.mark.parametrize(
    "row",
    [
        "../../../../outside/secret,sha256=00,1",
        "{outside}/secret,sha256=00,1",
        "a/../../../../../outside/secret,sha256=00,1",
        "..\\..\\..\\..\\outside\\secret,sha256=00,1",
        "linked/secret,sha256=00,1",
        "link,sha256=00,1",
        '"../../../../outside/sec""ret",sha256=00,1',
        "\x00../../../../outside/secret,sha256=00,1",
    ],
)
def test_no_row_of_a_record_opens_a_file_outside_of_the_venv(bare_venv: BareVenv, row: str) -> None:
    outside = bare_venv.location.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    bare_venv.add("apple", "1.0", record=row.format(outside=outside) + "\n")
    (bare_venv.site / "linked").symlink_to(outside)
    (bare_venv.site / "link").symlink_to(outside / "secret")
    OPENED.clear()
    WATCHING.append(True)
    try:
        verify(take(bare_venv.location), None, mode="all")
    finally:
        WATCHING.clear()
    assert OPENED
    assert not [path for path in OPENED if "outside" in os.path.realpath(path)]


@posix
@pytest.mark.parametrize("linked", ["site-packages", "library"])
def test_a_site_packages_that_leads_out_is_no_venv_to_repair(bare_venv: BareVenv, linked: str) -> None:
    folder = bare_venv.site if linked == "site-packages" else bare_venv.location / "lib"
    elsewhere = bare_venv.location.parent / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    with pytest.raises(NotAVenv, match="leads out of it"):
        take(bare_venv.location)


@posix
@pytest.mark.functional
def test_a_session_whose_site_packages_leads_out_removes_nothing_there(project: Project) -> None:
    project.write("envs.yaml", "version: 1\nenvironments: {a: {requirements: [apple>=1]}}\n")
    project.nox("-s", "lock", "a", check=True)
    site = project.venv("a").site
    elsewhere = project.root.parent / "elsewhere"
    site.rename(elsewhere)
    site.symlink_to(elsewhere)
    for name in ("~leftover", "stranger-1.0.dist-info"):
        (elsewhere / name).mkdir()
    (elsewhere / "evil.pth").write_text("import os\n")
    before = sorted(os.listdir(elsewhere))
    ran = project.nox("-s", "a")
    assert ran.returncode == 0, ran.output
    assert "leads out of it" in ran.output
    assert sorted(os.listdir(elsewhere)) == before
    assert not project.venv("a").site.is_symlink()


@pytest.mark.parametrize("name", ["../../evil", "..", "evil/../../x", "a\\..\\b", "evil==1 --pre"])
def test_the_name_of_a_wheel_leads_nowhere(name: str) -> None:
    text = f"https://packages.example.org/{name}-1.0-py3-none-any.whl"
    spec = f"version: 1\nrequirements: {{s: ['{text}']}}\nenvironments: {{a: {{requirements: [s]}}}}"
    try:
        read = read_spec(spec, origin="envs.yaml")
        found = Composer(read, root=Path("/nowhere"), environ={}).compose(expand(read)[0]).requirements
    except FileProblems:
        return
    assert all(set(one.name) <= set("abcdefghijklmnopqrstuvwxyz-0123456789") for one in found)


# files that are no files


def special_files(folder: Path) -> dict[str, Path]:
    """Make what may stand in place of a file."""
    os.mkfifo(folder / "pipe")
    (folder / "directory").mkdir()
    (folder / "endless").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
    with (folder / "huge").open("wb") as stream:
        stream.truncate(100 << 20)
    return {name: folder / name for name in ("pipe", "directory", "endless", "loop", "huge")}


def read_with_mutex(file: Path) -> None:
    with held(file, waiting=lambda: None, timeout=0.0):
        pass


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "spec": ("envs.yaml", lambda root: main(["check", "--spec", str(root / "envs.yaml")])),
    "any text": ("any.txt", lambda root: read_text(root / "any.txt", shown="any.txt")),
    "pyproject": ("pyproject.toml", lambda root: Pyproject(root).name),
    "receipt": (receipts.FILE_NAME, lambda root: receipts.read(root)),
    "reports": ("report.json", lambda root: main(["report", str(root)])),
    "report": ("report.json", lambda root: main(["report", str(root / "report.json")])),
    "baseline": (
        "base.json",
        lambda root: main(["drift", "--baseline", str(root / "base.json"), "--spec", "no"]),
    ),
    "lock": ("lock.txt", lambda root: main(["diff", str(root / "lock.txt"), str(root / "lock.txt")])),
    "gitdir": (".git", lambda root: open_repository(root)),
    "init": ("requirements.in", lambda root: main(["init", "--print", "--spec", str(root / "envs.yaml")])),
}


@posix
@pytest.mark.parametrize("kind", ["pipe", "directory", "endless", "loop", "huge"])
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_for_or_swallows_what_is_no_file(
    reader: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "strange").mkdir()
    (tmp_path / "root").mkdir()
    name, read = READERS[reader]
    (tmp_path / "root" / name).symlink_to(special_files(tmp_path / "strange")[kind])
    with contextlib.suppress(NoxEnvsError, OSError):
        read(tmp_path / "root")
    assert "Traceback" not in capsys.readouterr().err


@posix
@pytest.mark.parametrize(
    "name",
    ["HEAD", "config", "packed-refs", "objects/info/alternates", "objects/pack/x.idx", "objects/pack/x.pack",
     "refs/heads/main", "commondir"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["pipe", "directory", "endless"])
def test_no_file_of_a_repository_is_waited_for(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "strange").mkdir()
    git = tmp_path / "root" / ".git"
    for folder in ("objects/info", "objects/pack", "refs/heads"):
        (git / folder).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "objects/pack/x.idx").write_bytes(b"\xfftOc\0\0\0\2" + b"\0" * 2000)
    (git / "objects/pack/x.pack").write_bytes(b"PACK")
    (git / name).unlink(missing_ok=True)
    (git / name).symlink_to(special_files(tmp_path / "strange")[kind])
    with pytest.raises((NoxEnvsError, OSError)):
        _files_of(tmp_path / "root")


def _files_of(root: Path) -> None:
    repository = open_repository(root)
    if repository is None:
        raise NoxEnvsError("no repository")
    repository.files("main", "")


@pytest.mark.parametrize("name", ["HEAD", "config", "packed-refs", "objects/info/alternates", "commondir"])
def test_a_null_byte_in_a_file_of_a_repository_is_no_path(name: str, tmp_path: Path) -> None:
    git = tmp_path / ".git"
    (git / "objects/info").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / name).write_bytes(b"ref: \0main\nelse\0where\n")
    with pytest.raises(NoxEnvsError):
        _files_of(tmp_path)


@posix
def test_a_mutex_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mutex")
    with pytest.raises(OSError, match="No such device"):
        read_with_mutex(tmp_path / "mutex")


@posix
def test_a_file_that_became_a_pipe_is_not_waited_for_by_the_memory(tmp_path: Path) -> None:
    (tmp_path / ".nox").mkdir()
    (tmp_path / "envs.yaml").write_text(
        "version: 1\nrequirements: {s: [file: app.in]}\nenvironments: {a: {requirements: [s]}}\n"
    )
    (tmp_path / "app.in").write_text("apple>=1\n")

    def plan_again() -> object:
        project = OpenedProject(tmp_path / "envs.yaml", envdir=".nox", environ={}, host=dict)
        return project.remembered_plan_of(project.point_of("a", None, ()))

    assert plan_again() == plan_again()
    (tmp_path / "app.in").unlink()
    os.mkfifo(tmp_path / "app.in")
    with pytest.raises(FileProblems, match="is not a regular file"):
        plan_again()


# direct_url.json


@pytest.mark.parametrize(
    ("record", "refused"),
    [
        ({"url": f"https://e.org/a {EVIL}", "archive_info": {}}, False),
        ({"url": f"https://e.org/a\n{EVIL}", "archive_info": {}}, True),
        ({"url": EVIL, "dir_info": {"editable": True}}, True),
        ({"url": "javascript:alert(1)", "dir_info": {"editable": True}}, True),
        ({"url": "file:///etc", "dir_info": {"editable": True}}, False),
        ({"url": "https://e.org/r", "vcs_info": {"vcs": "git", "commit_id": f"00 {EVIL}"}}, False),
        ({"url": "https://e.org/r", "archive_info": {"hash": f"sha256=00 {EVIL}"}}, False),
        ({"url": "https://user:s3cret@e.org/r", "archive_info": {}}, False),
        ({"url": "https://e.org/r?token=s3cret", "archive_info": {}}, False),
        ({"url": "https://e.org/r", "archive_info": {}, "subdirectory": f"x {EVIL}"}, False),
    ],
)
def test_a_malicious_direct_url_json_freezes_to_one_harmless_word(
    bare_venv: BareVenv, record: dict[str, object], refused: bool
) -> None:
    bare_venv.add("apple", "1.0", direct_url=json.dumps(record))
    (line,) = freeze(take(bare_venv.location)).splitlines()
    assert (line == "apple==1.0") is refused
    assert "s3cret" not in line
    assert f" {EVIL}" not in line
    if refused:
        with pytest.raises(ValueError, match="has a "):
            parse_direct_url(json.dumps(record))


@pytest.mark.parametrize("size", [1 << 16, 1 << 20])
def test_a_huge_direct_url_json_is_a_defect(bare_venv: BareVenv, size: int) -> None:
    bare_venv.add("apple", "1.0", direct_url=json.dumps({"url": "https://e.org/" + "a" * size}))
    assert "is larger than" in take(bare_venv.location).distributions[0].defect


# code of another repository

TRAP = "import pathlib; pathlib.Path({pwned!r}).write_text('pwned')\n"
HOSTILE_SPEC = """\
version: 1
indexes: {main: https://packages.example.org/simple}
requirements:
  app: [{file: app.in}, {group: dev}, {extra: cli}, "x @ git+https://git.example.org/x.git"]
environments:
  a: {requirements: [app], package: editable, commands: [touch pwned], set_env: {PYTHONPATH: .}}
"""
WATCHED = """\
import json, os, sys
root, seen = os.path.realpath(sys.argv[1]), []
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
          "os.forkpty", "pty.spawn", "socket.", "http.", "urllib.", "ftplib.", "smtplib.", "ctypes.dlopen",
          "webbrowser.open")

def inside(path):
    path = os.fsdecode(path) if isinstance(path, (str, bytes)) else "<"
    return path[:1] != "<" and os.path.realpath(path).startswith(root)

count = 0

def hook(event, arguments):
    global count
    count += 1
    if event.startswith(STARTS):
        seen.append(f"{event} {arguments!r}"[:200])
    elif event == "compile" and inside(arguments[1]) or event == "import" and inside(arguments[1]):
        seen.append(f"{event} {arguments!r}"[:200])
    elif event == "exec" and inside(getattr(arguments[0], "co_filename", "<")):
        seen.append(f"{event} {arguments!r}")
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append(f"open {arguments[0]!r} {arguments[1]}")
    elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.symlink", "os.link"):
        seen.append(f"{event} {arguments!r}")

os.chdir(root)
sys.addaudithook(hook)
from nox_envs.cli import main
try:
    code = main(sys.argv[2:])
except SystemExit as error:
    code = error.code
told, seen[:] = list(seen), []
sys.stdout.flush()
os.write(2, ("\\nWATCHED" + json.dumps({"code": code, "seen": told, "events": count})).encode())
os._exit(0)
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Make the repository of somebody whose every file is a trap."""
    root = tmp_path / "foreign"
    venv = root / ".nox" / "a"
    site = venv / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    trap = TRAP.format(pwned=str(tmp_path / "pwned"))
    for name in ("noxfile.py", "setup.py", "conftest.py", "sitecustomize.py", "usercustomize.py", "yaml.py",
                 "packaging.py", "nox.py", "json.py", "backend.py"):  # fmt: skip
        (root / name).write_text(trap)
        (site / name).write_text(trap)
    (site / "evil.pth").write_text(trap)
    (venv / "bin").mkdir()
    for name in ("python", "uv", "pip", "git"):
        (venv / "bin" / name).write_text(f"#!/bin/sh\ntouch {tmp_path / 'pwned'}\n")
        (venv / "bin" / name).chmod(0o755)
    (venv / "pyvenv.cfg").write_text("home = .\nversion = 3.12.1\n")
    (root / "envs.yaml").write_text(HOSTILE_SPEC)
    (root / "app.in").write_text("apple>=1\n-e ./local\n")
    (root / "local").mkdir()
    (root / "local" / "setup.py").write_text(trap)
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "own"\n'
        'version = "1"\ndynamic = ["dependencies"]\n[project.optional-dependencies]\ncli = ["rich"]\n'
        '[dependency-groups]\ndev = ["pytest"]\n'
    )
    (root / "requirements").mkdir()
    (root / "requirements" / "a.txt").write_text("apple==1.0\n")
    git = root / ".git"
    (git / "hooks").mkdir(parents=True)
    (git / "objects").mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text(f"[core]\n\tfsmonitor = touch {tmp_path / 'pwned'}\n")
    return root


@pytest.mark.functional
@pytest.mark.parametrize(
    "words",
    ["check", "list", "list --format json", "matrix --format github", "matrix --format gitlab", "drift",
     "drift --files all", "drift --format html", "drift --help", "freeze a", "activate a", "report .",
     "diff requirements/a.txt a", "diff HEAD: requirements/a.txt", "init --print", "schema"],
)  # fmt: skip
def test_a_spec_from_another_repository_runs_no_code_and_touches_no_network(
    foreign: Path, machine: Machine, words: str
) -> None:
    env = {
        "PATH": f"{foreign / '.nox/a/bin'}{os.pathsep}{machine.env['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    env["COVERAGE_PROCESS_START"] = ""
    ran = machine.run(
        sys.executable, "-I", "-B", "-c", WATCHED, foreign, *words.split(), env=env, check=False
    )
    watched = json.loads(ran.stderr.rpartition("WATCHED")[2])
    assert watched["code"] in (0, 1, 2), ran.output
    assert watched["seen"] == []
    assert watched["events"] > 10
    assert "Traceback" not in ran.stderr
    assert not (foreign.parent / "pwned").exists()


# what is forged


def test_a_forged_receipt_hides_no_package_and_no_version(bare_venv: BareVenv) -> None:
    bare_venv.add("apple", "1.0")
    bare_venv.add("stranger", "6.6.6")
    forged = receipts.of(take(bare_venv.location), lock="sha256:0", installer="uv")
    receipts.write(bare_venv.location, forged)
    lock = parse("apple==2.0\n", origin="lock.txt")
    found: tuple[Finding, ...] = compare(
        Expectation(pins=lock.pins, lock="lock.txt"), take(bare_venv.location), environment="a", session="a"
    )
    assert {(one.kind, one.package) for one in found} == {("version", "apple"), ("extraneous", "stranger")}


def test_memories_that_do_not_fit_hide_nothing_from_drift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "envs.yaml").write_text("version: 1\nenvironments: {a: {requirements: [apple>=1]}}\n")
    state = tmp_path / ".nox" / ".nox-envs"
    for folder in ("clean", "plans", "reports"):
        (state / folder).mkdir(parents=True)
        (state / folder / "a.json").write_text(
            '{"line": "no drift", "report": "{}", "seen": {}, "sound": true}'
        )
    (state / "spec").write_text("forged")
    assert main(["drift", "--spec", str(tmp_path / "envs.yaml")]) == 1
    assert "lock-missing" in capsys.readouterr().out
    shutil.rmtree(state)
