from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError
from nox_envs.pins import INDEX, SEED_PACKAGES, Source, canonical_name
from nox_envs.snapshot import (
    Distribution,
    Interpreter,
    Metadata,
    NotAVenv,
    Snapshot,
    freeze,
    read_metadata,
    take,
)
from tests.conftest import Backend, BareVenv, Machine, MakeVenv, Run, Venv, uv
from tests.index import Index, build_wheel, write_source

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")


def listed(venv: BareVenv) -> list[tuple[str, str]]:
    return [(found.name, found.version) for found in take(venv.location).distributions]


def only(venv: BareVenv) -> Distribution:
    (found,) = take(venv.location).distributions
    return found


# what is no venv


def test_a_directory_that_is_not_there_is_no_venv(tmp_path: Path) -> None:
    with pytest.raises(NotAVenv, match="nowhere: is no virtual environment: there is no such directory"):
        take(tmp_path / "nowhere")


def test_a_directory_without_pyvenv_cfg_is_no_venv(tmp_path: Path) -> None:
    with pytest.raises(NotAVenv, match=r"it has no pyvenv\.cfg"):
        take(tmp_path)


def test_a_file_is_no_venv(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotAVenv, match="there is no such directory"):
        take(tmp_path / "file")


def test_a_venv_whose_creation_was_interrupted_is_none(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("version = 3.12.1\n")
    (tmp_path / "lib" / "python3.12").mkdir(parents=True)
    with pytest.raises(NotAVenv, match="it has no site-packages directory"):
        take(tmp_path)


@posix
def test_a_pyvenv_cfg_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").mkdir()
    with pytest.raises(NotAVenv, match=r"pyvenv\.cfg cannot be read"):
        take(tmp_path)


@posix
def test_a_site_packages_that_cannot_be_listed_is_told(bare_venv: BareVenv) -> None:
    bare_venv.site.rmdir()
    bare_venv.site.write_text("a file")
    with pytest.raises(NoxEnvsError, match="site-packages: cannot be listed: Not a directory"):
        take(bare_venv.location)


# the interpreter


@pytest.mark.parametrize(
    ("library", "configuration", "expected"),
    [
        ("lib/python3.12", "version = 3.12.1", Interpreter(version="3.12.1", implementation="cpython")),
        (
            "lib/python3.12",
            "implementation = CPython\nuv = 0.9.0\nversion_info = 3.12.1",
            Interpreter(version="3.12.1", implementation="cpython"),
        ),
        (
            "lib/python3.12",
            "implementation = CPython\nversion_info = 3.12.1.final.0\nversion = 3.12.1",
            Interpreter(version="3.12.1", implementation="cpython"),
        ),
        (
            "lib/python3.14",
            "version_info = 3.14.0rc2",
            Interpreter(version="3.14.0rc2", implementation="cpython"),
        ),
        (
            "lib/python3.13t",
            "version = 3.13.0",
            Interpreter(version="3.13.0", implementation="cpython", free_threaded=True),
        ),
        ("lib/pypy3.11", "version = 3.11.11", Interpreter(version="3.11.11", implementation="pypy")),
        (
            "lib/pypy3.11",
            "implementation = PyPy\nversion_info = 3.11.11",
            Interpreter(version="3.11.11", implementation="pypy"),
        ),
        (
            "lib/python3.11",
            "implementation = GraalVM\nversion_info = 3.11.7",
            Interpreter(version="3.11.7", implementation="graalpy"),
        ),
        (
            "Lib",
            "home = C:\\Python312\nVERSION = 3.12.1\nexecutable = C:\\Python312\\python.exe",
            Interpreter(version="3.12.1", implementation="cpython"),
        ),
        (
            "Lib",
            "version = 3.11.11\nexecutable = C:\\pypy\\pypy3.11.exe",
            Interpreter(version="3.11.11", implementation="pypy"),
        ),
        (
            "Lib",
            "version = 3.13.0\nexecutable = C:\\Python313\\python3.13t.exe",
            Interpreter(version="3.13.0", implementation="cpython", free_threaded=True),
        ),
        (
            "Lib",
            "version_info = 3.13.0\nhome = C:\\uv\\cpython-3.13.0+freethreaded-windows",
            Interpreter(version="3.13.0", implementation="cpython", free_threaded=True),
        ),
        ("lib/python3.12", "no version here", Interpreter(version="3.12", implementation="cpython")),
        ("lib/python3.12", "version = ?", Interpreter(version="3.12", implementation="cpython")),
    ],
)
def test_the_interpreter_is_read_from_what_the_venv_says_of_itself(
    tmp_path: Path, library: str, configuration: str, expected: Interpreter
) -> None:
    (tmp_path / library / "site-packages").mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text(configuration + "\n")
    assert take(tmp_path).interpreter == expected


def test_the_library_of_an_older_interpreter_is_not_read(bare_venv: BareVenv) -> None:
    bare_venv.add("apple", "1.0")
    old = bare_venv.location / "lib" / "python3.11" / "site-packages" / "pear-1.0.dist-info"
    old.mkdir(parents=True)
    (bare_venv.location / "lib" / "notes").mkdir()
    assert listed(bare_venv) == [("apple", "1.0")]


@posix
def test_a_lib64_that_is_a_link_counts_once_and_a_directory_of_its_own_counts(bare_venv: BareVenv) -> None:
    bare_venv.add("apple", "1.0")
    (bare_venv.location / "lib64").symlink_to("lib")
    assert listed(bare_venv) == [("apple", "1.0")]
    (bare_venv.location / "lib64").unlink()
    platlib = bare_venv.location / "lib64" / "python3.12" / "site-packages"
    platlib.mkdir(parents=True)
    (bare_venv.site / "apple-1.0.dist-info").rename(platlib / "apple-1.0.dist-info")
    bare_venv.add("pear", "1.0")
    assert listed(bare_venv) == [("apple", "1.0"), ("pear", "1.0")]


# distributions


def test_an_empty_venv_has_nothing(bare_venv: BareVenv) -> None:
    snapshot = take(bare_venv.location)
    assert (snapshot.distributions, snapshot.leftovers) == ((), ())
    assert freeze(snapshot) == ""


def test_names_are_canonical_and_sorted(bare_venv: BareVenv) -> None:
    for name in ("Zope.Interface", "apple_pie", "Apple"):
        bare_venv.add(name, "1.0")
    (bare_venv.site / "apple").mkdir()
    (bare_venv.site / "apple.py").write_text("")
    assert listed(bare_venv) == [("apple", "1.0"), ("apple-pie", "1.0"), ("zope-interface", "1.0")]
    assert not any(found.defect for found in take(bare_venv.location).distributions)


def test_paths_are_absolute_whatever_the_location(
    bare_venv: BareVenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = bare_venv.add("apple", "1.0")
    monkeypatch.chdir(bare_venv.location.parent)
    snapshot = take(Path("venv"))
    assert snapshot.location == str(bare_venv.location)
    assert snapshot.distributions[0].path == str(info)


@pytest.mark.parametrize(
    ("directory", "metadata"),
    [
        ("apple-1.0", "Name: Apple\nVersion: 1.0\n"),
        ("apple-1.0", "Name: apple\nVersion: 1.0.0\n"),
        ("apple-1.0_1", "Name: apple\nVersion: 1.0-1\n"),
        ("apple-2.9_cu126", "Name: apple\nVersion: 2.9+cu126\n"),
        ("apple-1.0", "Name: apple\r\nVersion: 1.0\r\n\r\nName: pear\r\n"),
        ("apple-1.0", "name:apple\nVERSION :1.0\n"),
        ("apple-1.0", "Classifier: many\n" * 1000 + "Name: apple\nVersion: 1.0\n\n\n"),
    ],
)
def test_metadata_that_agrees_with_its_directory_is_sound(
    bare_venv: BareVenv, directory: str, metadata: str
) -> None:
    info = bare_venv.site / f"{directory}.dist-info"
    info.mkdir()
    (info / "METADATA").write_bytes(f"Metadata-Version: 2.1\n{metadata}".encode())
    found = only(bare_venv)
    assert found.name == "apple"
    assert "METADATA" not in found.defect


def test_a_name_that_kept_its_dashes_is_read_with_its_metadata(bare_venv: BareVenv) -> None:
    info = bare_venv.site / "apple-pie-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: apple-pie\nVersion: 1.0\n")
    assert (only(bare_venv).name, only(bare_venv).version, only(bare_venv).defect) == ("apple-pie", "1.0", "")


@pytest.mark.parametrize(
    ("directory", "metadata", "defect"),
    [
        ("apple-1.0", None, "METADATA is missing"),
        ("apple-1.0", "", "METADATA gives no name"),
        ("apple-1.0", "Name: apple\n", "METADATA gives no version"),
        ("apple-1.0", "Summary: x\n\nName: apple\nVersion: 1.0\n", "METADATA gives no name"),
        ("apple-1.0", "Name: pear\nVersion: 1.0\n", "METADATA says the name is pear"),
        ("apple-1.0", "Name: apple\nVersion: 1.1\n", "METADATA says the version is 1.1"),
        ("apple-2.9", "Name: apple\nVersion: 2.9+cpu\n", "METADATA says the version is 2.9+cpu"),
        ("apple-new", "Name: apple\nVersion: new\n", "new is no version (PEP 440)"),
        (
            "apple-1.0",
            "Name: pe\x1bar\nVersion: 1.1\n",
            "METADATA says the name is pe?ar; METADATA says the version is 1.1",
        ),
    ],
)
def test_a_defect_of_metadata_is_told_and_the_distribution_still_listed(
    bare_venv: BareVenv, directory: str, metadata: str | None, defect: str
) -> None:
    info = bare_venv.site / f"{directory}.dist-info"
    info.mkdir()
    if metadata is not None:
        (info / "METADATA").write_text(metadata)
    found = only(bare_venv)
    assert (f"{found.name}-{found.version}", found.defect) == (directory, defect)


def test_a_directory_without_a_version_takes_it_from_its_metadata(bare_venv: BareVenv) -> None:
    info = bare_venv.site / "apple.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: apple\nVersion: 1.0\n")
    assert (only(bare_venv).version, only(bare_venv).defect) == ("1.0", "")


@posix
def test_a_name_that_is_none_is_made_harmless(bare_venv: BareVenv) -> None:
    (bare_venv.site / "evil\nx==1-1.0.dist-info").mkdir()
    found = only(bare_venv)
    assert found.name == "evil?x==1"
    assert "its name is no package name" in found.defect
    assert freeze(take(bare_venv.location)).startswith("# evil?x==1 1.0 (METADATA is missing; ")


@posix
def test_metadata_of_a_strange_kind_never_hangs_or_crashes(bare_venv: BareVenv) -> None:
    pipe, loop, folder = (bare_venv.add(name, "1.0") for name in ("pipe", "loop", "folder"))
    for info in (pipe, loop, folder):
        (info / "METADATA").unlink()
    os.mkfifo(pipe / "METADATA")
    (loop / "METADATA").symlink_to("METADATA")
    (folder / "METADATA").mkdir()
    (bare_venv.site / "file-1.0.dist-info").write_text("")
    defects = {found.name: found.defect for found in take(bare_venv.location).distributions}
    assert defects["pipe"] == "METADATA cannot be read: it is no regular file"
    assert defects["loop"].startswith("METADATA cannot be read: ")
    assert defects["folder"] == "METADATA cannot be read: Is a directory"
    assert defects["file"] == "METADATA cannot be read: Not a directory"


@posix
def test_an_endless_metadata_is_refused_and_a_huge_one_read_to_a_limit(bare_venv: BareVenv) -> None:
    info = bare_venv.add("apple", "1.0", direct_url="")
    for name in ("METADATA", "direct_url.json"):
        (info / name).write_bytes(b"\0" * (2 << 20))
    assert only(bare_venv).defect == ("METADATA gives no name; direct_url.json is larger than 65536 bytes")
    for name in ("METADATA", "direct_url.json"):
        (info / name).unlink()
        (info / name).symlink_to("/dev/zero")
    unread = "cannot be read: it is no regular file"
    assert only(bare_venv).defect == f"METADATA {unread}; direct_url.json {unread}"


# direct_url.json


def test_the_source_is_that_of_direct_url_json(bare_venv: BareVenv) -> None:
    record = {"url": "https://u:p@example.org/apple.whl", "archive_info": {"hash": "sha256=ab"}}
    bare_venv.add("apple", "1.0", direct_url=json.dumps(record))
    assert only(bare_venv).source == Source(
        kind="archive", url="https://example.org/apple.whl", hashes=("sha256:ab",)
    )
    assert only(bare_venv).defect == ""


@pytest.mark.parametrize(
    ("data", "defect"),
    [
        (b"", "direct_url.json is no JSON"),
        (b"\xff\xfe", "direct_url.json is not UTF-8"),
        (b"{}", "direct_url.json has no url"),
        (b"[" * 70_000, "direct_url.json is larger than 65536 bytes"),
    ],
)
def test_a_broken_direct_url_json_is_a_defect(bare_venv: BareVenv, data: bytes, defect: str) -> None:
    info = bare_venv.add("apple", "1.0")
    (info / "direct_url.json").write_bytes(data)
    assert (only(bare_venv).source, only(bare_venv).defect) == (INDEX, defect)


@posix
def test_a_direct_url_json_that_cannot_be_read_is_a_defect(bare_venv: BareVenv) -> None:
    (bare_venv.add("apple", "1.0") / "direct_url.json").mkdir()
    assert only(bare_venv).defect == "direct_url.json cannot be read: Is a directory"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_as_metadata_and_source_give_a_distribution(bare_venv: BareVenv, data: bytes) -> None:
    info = bare_venv.site / "apple-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_bytes(data)
    (info / "direct_url.json").write_bytes(data)
    found = only(bare_venv)
    assert found.name == "apple"
    assert found.defect.isprintable()
    assert read_metadata(found).name


# older records


def test_egg_info_of_both_forms_is_listed(bare_venv: BareVenv) -> None:
    (bare_venv.site / "old_file-1.0-py3.12.egg-info").write_text("Name: old-file\nVersion: 1.0\n")
    folder = bare_venv.site / "old_folder-2.0-py3.12-linux-x86_64.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Name: old-folder\nVersion: 2.0\nRequires-Dist: x\n")
    bare = bare_venv.site / "bare.egg-info"
    bare.mkdir()
    (bare / "PKG-INFO").write_text("Name: bare\nVersion: 3.0\n")
    (bare_venv.site / "broken.egg-info").mkdir()
    snapshot = take(bare_venv.location)
    assert listed(bare_venv) == [("bare", "3.0"), ("broken", ""), ("old-file", "1.0"), ("old-folder", "2.0")]
    assert snapshot.distributions[1].defect.startswith("PKG-INFO cannot be read: ")
    assert freeze(snapshot).splitlines()[1].startswith("# broken  (PKG-INFO cannot be read: ")
    assert [read_metadata(found).requires_dist for found in snapshot.distributions] == [(), (), (), ("x",)]


def test_an_egg_link_is_an_editable_install(bare_venv: BareVenv, tmp_path: Path) -> None:
    source = write_source(tmp_path / "lib a", "lib-a", "1.0")
    (source / "lib_a.egg-info").mkdir()
    (source / "lib_a.egg-info" / "PKG-INFO").write_text("Name: lib-a\nVersion: 1.0\n")
    (bare_venv.site / "lib-a.egg-link").write_text(f"{source}\n.")
    found = only(bare_venv)
    assert (found.name, found.version, found.defect) == ("lib-a", "1.0", "")
    assert found.source == Source(kind="directory", url=source.as_uri(), editable=True)


def test_an_egg_link_to_nowhere_is_a_defect(bare_venv: BareVenv) -> None:
    (bare_venv.site / "lib.egg-link").write_text("")
    assert only(bare_venv).defect.startswith("PKG-INFO cannot be read: ")
    (bare_venv.site / "lib.egg-link").write_bytes(b"\0")
    assert " cannot be read: " in only(bare_venv).defect
    (bare_venv.site / "lib.egg-link").unlink()
    (bare_venv.site / "lib.egg-link").mkdir()
    assert only(bare_venv).defect.startswith("the link cannot be read: ")


def test_leftovers_of_an_interrupted_uninstall_are_no_distributions(bare_venv: BareVenv) -> None:
    for name in ("~pple", "~pple-1.0.dist-info", "~-ple"):
        (bare_venv.site / name).mkdir()
    (bare_venv.site / "~notes.txt").write_text("")
    snapshot = take(bare_venv.location)
    assert snapshot.distributions == ()
    assert [Path(path).name for path in snapshot.leftovers] == ["~-ple", "~pple", "~pple-1.0.dist-info"]


# metadata


def test_metadata_is_read_to_its_last_header(bare_venv: BareVenv) -> None:
    text = textwrap.dedent(
        """\
        Metadata-Version: 2.1
        Name: Apple.Pie
        Version: 1.0
        Summary: folded
          Requires-Dist: not-this
        Requires-Dist: flour>=1
        Provides-Extra: cream
        Requires-Python: >=3.8
        Requires-Dist: milk; extra == "cream"
        no header

        Requires-Dist: nor-this
        """
    )
    bare_venv.add("Apple.Pie", "1.0", metadata=text)
    assert read_metadata(only(bare_venv)) == Metadata(
        name="Apple.Pie",
        version="1.0",
        requires_dist=("flour>=1", 'milk; extra == "cream"'),
        requires_python=">=3.8",
    )


def test_metadata_that_cannot_be_read_is_that_of_the_directory(bare_venv: BareVenv) -> None:
    (bare_venv.add("apple", "1.0") / "METADATA").unlink()
    assert read_metadata(only(bare_venv)) == Metadata(name="apple", version="1.0")


# freeze


def distribution(name: str, version: str = "1.0", source: Source = INDEX) -> Distribution:
    return Distribution(name=name, version=version, path=f"/site/{name}", source=source)


def snapshot_of(*distributions: Distribution) -> Snapshot:
    interpreter = Interpreter(version="3.12.1", implementation="cpython")
    return Snapshot(location="/venv", interpreter=interpreter, distributions=distributions)


def test_seed_packages_are_left_out_unless_asked_for() -> None:
    snapshot = snapshot_of(distribution("apple"), distribution("pip"), distribution("setuptools"))
    assert freeze(snapshot) == "apple==1.0\n"
    assert freeze(snapshot, all=True) == "apple==1.0\npip==1.0\nsetuptools==1.0\n"
    assert freeze(snapshot, pinned={"setuptools"}) == "apple==1.0\nsetuptools==1.0\n"


@pytest.mark.parametrize(
    ("version", "source", "line"),
    [
        ("1.0", INDEX, "apple==1.0"),
        ("1.00", INDEX, "apple==1.0"),
        ("2.9+cu126", INDEX, "apple==2.9+cu126"),
        ("new", INDEX, "apple===new"),
        ("a b", INDEX, "# apple a b ()"),
        (
            "1.0",
            Source(kind="archive", url="https://e.org/a.whl", hashes=("sha256:1",)),
            "apple @ https://e.org/a.whl#sha256=1",
        ),
        (
            "1.0",
            Source(kind="vcs", url="git+https://e.org/r", revision="c0ffee", subdirectory="s"),
            "apple @ git+https://e.org/r@c0ffee#subdirectory=s",
        ),
        ("1.0", Source(kind="directory", url="file:///a"), "apple @ file:///a"),
        ("1.0", Source(kind="directory", url="file:///a", editable=True), "-e file:///a"),
    ],
)
def test_a_distribution_freezes_to_one_requirement(version: str, source: Source, line: str) -> None:
    assert freeze(snapshot_of(distribution("apple", version, source))) == f"{line}\n"


# against the tools


def requirements(text: str) -> set[str]:
    """Reduce a freeze to what tools must agree on: canonical names, editables by their URL."""
    found = set()
    for line in text.splitlines():
        if line.startswith("-e "):
            path = line.removeprefix("-e ")
            found.add(f"-e {path if path.startswith('file:') else Path(path).as_uri()}")
        elif line and not line.startswith("#"):
            name, operator, rest = re.split(r"(==|\s@\s)", line, maxsplit=1)
            if canonical_name(name) not in SEED_PACKAGES:
                found.add(canonical_name(name) + operator + rest)
    return found


@pytest.fixture
def git_repository(tmp_path: Path, run: Run) -> str:
    tree = write_source(tmp_path / "repository", "Lib.Git", "1.0")
    run("git", "init", "--quiet", tree)
    run("git", "add", "--all", cwd=tree)
    run("git", "commit", "--quiet", "--message", "first", cwd=tree)
    return f"git+{tree.as_uri()}"


def furnish(venv: Venv, tmp_path: Path, git: str) -> None:
    wheel = build_wheel(tmp_path, "lib-wheel", "1.0+local.1")
    venv.install("basket==1.0", "apple==1.1", "press", "pear", "plum")
    venv.install(wheel, write_source(tmp_path / "tree with space", "lib_tree", "1.0"))
    venv.install("--editable", write_source(tmp_path / "editable", "Lib.Editable", "1.0"))
    venv.install(git)


@pytest.mark.functional
@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
def test_a_freeze_agrees_with_pip_and_uv(
    make_venv: MakeVenv, machine: Machine, tmp_path: Path, git_repository: str, backend: Backend
) -> None:
    venv = make_venv(backend)
    furnish(venv, tmp_path, git_repository)
    snapshot = take(venv.location)
    ours = requirements(freeze(snapshot))
    assert len(ours) >= 9
    assert not any(found.defect for found in snapshot.distributions)
    assert ours == requirements(machine.run(uv(), "pip", "freeze", "--python", venv.python).stdout)
    if backend != "uv":
        assert ours == requirements(venv.pip("freeze").stdout)


@pytest.mark.functional
def test_a_snapshot_agrees_with_pip_inspect(make_venv: MakeVenv, tmp_path: Path, git_repository: str) -> None:
    venv = make_venv("virtualenv")
    furnish(venv, tmp_path, git_repository)
    report = json.loads(venv.pip("inspect", "--local").stdout)
    snapshot = take(venv.location)
    theirs = {
        canonical_name(item["metadata"]["name"]): (item["metadata"]["version"], item["metadata_location"])
        for item in report["installed"]
    }
    assert {found.name: (found.version, found.path) for found in snapshot.distributions} == theirs
    for item in report["installed"]:
        found = next(
            found for found in snapshot.distributions
            if found.name == canonical_name(item["metadata"]["name"])
        )  # fmt: skip
        metadata = read_metadata(found)
        assert metadata.name == item["metadata"]["name"]
        assert list(metadata.requires_dist) == item["metadata"].get("requires_dist", [])
        assert metadata.requires_python == item["metadata"].get("requires_python", "")
    environment = report["environment"]
    assert snapshot.interpreter == Interpreter(
        version=environment["python_full_version"],
        implementation=environment["implementation_name"],
        executable=os.path.realpath(venv.python),
    )


@pytest.mark.functional
@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
@pytest.mark.parametrize("python", ["3.10", "3.13"])
def test_the_interpreter_of_a_real_venv_is_recognised(
    make_venv: MakeVenv, machine: Machine, backend: Backend, python: str
) -> None:
    venv = make_venv(backend, python)
    code = "import platform, sys; print(platform.python_version(), sys.implementation.name)"
    version, implementation = machine.run(venv.python, "-c", code).stdout.split()
    assert take(venv.location).interpreter == Interpreter(
        version=version, implementation=implementation, executable=os.path.realpath(venv.python)
    )


@pytest.mark.functional
def test_an_install_from_a_freeze_gives_the_same_freeze(
    make_venv: MakeVenv, tmp_path: Path, git_repository: str
) -> None:
    first, second = make_venv("uv"), make_venv("uv")
    furnish(first, tmp_path, git_repository)
    text = freeze(take(first.location))
    (tmp_path / "frozen.txt").write_text(text)
    second.install("--requirement", tmp_path / "frozen.txt")
    assert freeze(take(second.location)) == text


@pytest.mark.functional
def test_the_shared_index_serves_pages_that_pip_and_uv_read(run: Run, index: Index) -> None:
    code = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
    page = run(sys.executable, "-c", code, f"{index.url}/plum/").stdout
    assert f"plum-1.1-py3-none-any.whl#sha256={index.sha256('plum-1.1-py3-none-any.whl')}" in page
    assert page.count('data-yanked="made of wax"') == 1
