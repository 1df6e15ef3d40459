"""What a snapshot of a venv shows, and what its evidence notices."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError
from nox_envs.lock.pins import INDEX, Source
from nox_envs.spec.words import canonical_name
from nox_envs.venv.snapshot import (
    SEEDS,
    Distribution,
    Interpreter,
    NotAVenv,
    Snapshot,
    evidence,
    freeze_lines,
    take,
)
from tests.conftest import Backend, BareVenv, Machine, MakeVenv, Run, Venv, uv
from tests.index import build_wheel, write_source

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")


def listed(venv: BareVenv) -> list[tuple[str, str]]:
    return [(found.name, found.version) for found in take(venv.location).distributions]


def only(venv: BareVenv) -> Distribution:
    (found,) = take(venv.location).distributions
    return found


# What is not a venv.


def test_a_directory_that_is_not_a_venv_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotAVenv, match=r"nowhere: is not a virtual environment: pyvenv\.cfg is missing"):
        take(tmp_path / "nowhere")
    with pytest.raises(NotAVenv, match=r"pyvenv\.cfg is missing"):
        take(tmp_path)
    (tmp_path / "pyvenv.cfg").write_text("version = 3.12.1\n")
    (tmp_path / "lib" / "python3.12").mkdir(parents=True)
    with pytest.raises(NotAVenv, match="it has no site-packages directory"):
        take(tmp_path)


@posix
@pytest.mark.parametrize(
    ("command", "expected"), [
        ("mkfifo {}", "is not a regular file"), ("mkdir {}", "is a directory, not a file"),
        ("ln -s loop {}", "is a link"), ("ln -s /dev/zero {}", "is a link"), ("ln -s {}x {}", "is a link"),
        ("truncate -s 64M {}", "is larger than "),
    ],
)  # fmt: skip
def test_special_files_are_neither_waited_for_nor_followed(
    bare_venv: BareVenv, machine: Machine, command: str, expected: str
) -> None:
    info = bare_venv.add("apple", "1.0", direct_url="{}")
    for file in (info / "METADATA", info / "direct_url.json", bare_venv.location / "pyvenv.cfg"):
        file.rename(f"{file}x")
        machine.run(*command.replace("{}", str(file)).split())
        if file.name != "pyvenv.cfg":
            assert only(bare_venv).defect.startswith(f"{file.name} {expected}")
            file.rmdir() if file.is_dir() else file.unlink()
            (info / f"{file.name}x").rename(file)
    with pytest.raises(NotAVenv, match=rf"pyvenv\.cfg {expected}"):
        take(bare_venv.location)
    assert evidence(bare_venv.location) == ""


@posix
def test_a_site_packages_that_is_a_file_or_leads_out_is_refused(bare_venv: BareVenv) -> None:
    bare_venv.site.rmdir()
    bare_venv.site.write_text("a file")
    with pytest.raises(NoxEnvsError, match="site-packages: cannot be listed: Not a directory"):
        take(bare_venv.location)
    bare_venv.site.unlink()
    elsewhere = bare_venv.location.parent / "elsewhere"
    elsewhere.mkdir()
    bare_venv.site.symlink_to(elsewhere)
    with pytest.raises(NotAVenv, match=r"not a virtual environment of its own: .* leads out of it"):
        take(bare_venv.location)
    assert evidence(bare_venv.location) == ""


# The interpreter.


@pytest.mark.parametrize(
    ("library", "configuration", "expected"), [
        ("lib/python3.12", "implementation = CPython\nversion_info = 3.12.1", ("3.12.1", "cpython", False)),
        ("lib/python3.12", "version_info = 3.12.1.final.0\nversion = 3.12.1", ("3.12.1", "cpython", False)),
        ("lib/python3.14", "version_info = 3.14.0rc2", ("3.14.0rc2", "cpython", False)),
        ("lib/python3.13t", "version = 3.13.0", ("3.13.0", "cpython", True)),
        ("lib/pypy3.11", "version = 3.11.11", ("3.11.11", "pypy", False)),
        ("lib/python3.11", "implementation = GraalVM\nversion_info = 3.11.7", ("3.11.7", "graalpy", False)),
        ("Lib", "VERSION = 3.12.1\nexecutable = C:\\Python312\\python.exe", ("3.12.1", "cpython", False)),
        ("Lib", "version = 3.13.0\nexecutable = C:\\Py\\python3.13t.exe", ("3.13.0", "cpython", True)),
        ("Lib", "version_info = 3.13.0\nhome = C:\\uv\\cpython+freethreaded", ("3.13.0", "cpython", True)),
        ("lib/python3.12", "no version here", ("3.12", "cpython", False)),
        ("lib/python3.12", f"version = 3.{'9' * 5000}.1", ("3.12", "cpython", False)),
    ],
)  # fmt: skip
def test_the_interpreter_is_read_from_what_the_venv_says_of_itself(
    tmp_path: Path, library: str, configuration: str, expected: tuple[str, str, bool]
) -> None:
    (tmp_path / library / "site-packages").mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text(configuration + "\n")
    found = take(tmp_path).interpreter
    assert (found.version, found.implementation, found.free_threaded) == expected


@posix
def test_what_each_interpreter_of_a_venv_is_and_pyvenv_cfg_are_facts(bare_venv: BareVenv) -> None:
    folder = bare_venv.location / "bin"
    folder.mkdir()
    (bare_venv.location.parent / "real").write_text("x")
    for name, target in (("python", "../../real"), ("python3", "python"), ("python3.12", "nowhere")):
        (folder / name).symlink_to(target)
    (folder / "python-config").write_text("")
    (folder / "pypy3").write_text("copy")
    for name in ("pypy3", "python"):
        os.utime(folder / name, (7, 7))
    found = take(bare_venv.location).interpreter
    facts = found.facts
    assert found.state == "1 bytes, written at 7"
    digest = hashlib.sha256((bare_venv.location / "pyvenv.cfg").read_bytes()).hexdigest()
    assert facts == (
        ("pypy3", "a file of 4 bytes"),
        ("python", "a link to ../../real (real)"),
        ("python3", "a link to python"),
        ("python3.12", "a link to nowhere"),
        ("pyvenv.cfg", f"a file with sha256 {digest[:16]}"),
    )


def test_the_library_of_an_older_interpreter_is_not_read(bare_venv: BareVenv) -> None:
    bare_venv.add("apple", "1.0")
    (bare_venv.location / "lib/python3.11/site-packages/pear-1.0.dist-info").mkdir(parents=True)
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


# Distributions.


def test_names_are_canonical_and_sorted_whatever_the_case_of_the_directory(bare_venv: BareVenv) -> None:
    for name in ("Zope.Interface", "apple_pie", "Apple"):
        bare_venv.add(name, "1.0")
    bare_venv.add("hidden", "1.0").rename(bare_venv.site / "hidden-1.0.DIST-INFO")
    (bare_venv.site / "apple.py").write_text("")
    found = take(bare_venv.location)
    assert listed(bare_venv) == [(name, "1.0") for name in ("apple", "apple-pie", "hidden", "zope-interface")]
    assert not any(one.defect for one in found.distributions)


@pytest.mark.parametrize(
    ("directory", "metadata", "defect"), [
        ("apple-1.0", "Name: Apple\nVersion: 1.0\n", ""), ("apple-1.0", "Name: apple\nVersion: 1.0.0\n", ""),
        ("apple-2.9+cu126", "Name: apple\nVersion: 2.9+cu126\n", ""),
        ("apple-1.0", "Name: apple\r\nVersion: 1.0\r\n\r\nName: pear\r\n", ""),
        ("apple-1.0", "name:apple\nVERSION :1.0\n", ""), ("apple", "Name: apple\nVersion: 1.0\n", ""),
        ("apple-1.0", None, "METADATA is missing"), ("apple-1.0", "", "METADATA gives no name"),
        ("apple-1.0", "Name: apple\n", "METADATA gives no version"),
        ("apple-1.0", "Summary: x\n\nName: apple\nVersion: 1.0\n", "METADATA gives no name"),
        ("apple-1.0", "Name: pear\nVersion: 1.0\n", "METADATA says the name is pear"),
        ("apple-1.0", "Name: apple\nVersion: 1.1\n", "METADATA says the version is 1.1"),
        ("apple-2.9", "Name: apple\nVersion: 2.9+cpu\n", "METADATA says the version is 2.9+cpu"),
        ("apple-new", "Name: apple\nVersion: new\n", "new is not a version (PEP 440)"),
        ("apple-1.0", "Name: pe\x1bar\nVersion: 1.0\n", "METADATA says the name is pe?ar"),
    ],
)  # fmt: skip
def test_metadata_agrees_with_its_directory_or_its_defect_is_told(
    bare_venv: BareVenv, directory: str, metadata: str | None, defect: str
) -> None:
    info = bare_venv.site / f"{directory}.dist-info"
    info.mkdir()
    if metadata is not None:
        (info / "METADATA").write_bytes(f"Metadata-Version: 2.1\n{metadata}".encode())
    found = only(bare_venv)
    assert (found.name, found.defect) == ("apple", defect)
    assert found.version


@posix
def test_a_name_that_is_not_one_is_made_printable(bare_venv: BareVenv) -> None:
    (bare_venv.site / "evil\nx==1-1.0.dist-info").mkdir()
    found = only(bare_venv)
    assert found.name == "evil?x==1"
    assert "its name is not the name of a package" in found.defect
    assert freeze_lines(take(bare_venv.location))[0].startswith("# evil?x==1 1.0 (METADATA is missing; ")


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{}", b"[" * 60_000, b'{"url": 1}'])
def test_a_broken_direct_url_json_is_a_defect(bare_venv: BareVenv, data: bytes) -> None:
    (bare_venv.add("apple", "1.0") / "direct_url.json").write_bytes(data)
    assert only(bare_venv).source == INDEX
    assert only(bare_venv).defect.startswith("direct_url.json is not ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_as_metadata_and_source_give_a_distribution(bare_venv: BareVenv, data: bytes) -> None:
    info = bare_venv.site / "apple-1.0.dist-info"
    info.mkdir(exist_ok=True)
    for name in ("METADATA", "direct_url.json"):
        (info / name).write_bytes(data)
    assert only(bare_venv).name == "apple"
    assert only(bare_venv).defect.isprintable()


def test_legacy_records_of_all_forms_are_listed(bare_venv: BareVenv) -> None:
    site = bare_venv.site
    (site / "old_file-1.0-py3.12.egg-info").write_text("Name: old-file\nVersion: 1.0\n")
    for name in ("old_folder-2.0-py3.12-linux-x86_64.EGG-INFO", "bare.egg-info", "broken.egg-info"):
        (site / name).mkdir()
    (site / "old_folder-2.0-py3.12-linux-x86_64.EGG-INFO/PKG-INFO").write_text(
        "Name: old-folder\nVersion: 2.0\n"
    )
    (site / "bare.egg-info/PKG-INFO").write_text("Name: bare\nVersion: 3.0\n")
    for name, text in (("MyThing", "/thing\n."), ("my.other_thing", "/thing/src\n../"), ("empty", "\n")):
        (site / f"{name}.egg-link").write_text(text)
    found = take(bare_venv.location).distributions
    assert [(one.name, one.version, one.defect) for one in found] == [
        ("bare", "3.0", ""), ("broken", "", "PKG-INFO is missing"),
        ("empty", "", "it does not name a folder"),
        ("my-other-thing", "", ""), ("mything", "", ""), ("old-file", "1.0", ""), ("old-folder", "2.0", ""),
    ]  # fmt: skip
    folder = Source(kind="directory", url=Path("/thing").absolute().as_uri(), editable=True)
    assert [one.source for one in found[3:5]] == [folder, folder]


def test_what_an_interrupted_uninstall_left_is_a_leftover_but_a_hook_stays_one(bare_venv: BareVenv) -> None:
    (bare_venv.site / "~pple").mkdir()
    (bare_venv.site / "~file").write_text("")
    (bare_venv.site / "~evil.pth").write_text("import os\n")
    found = take(bare_venv.location)
    assert found.leftovers == (str(bare_venv.site / "~pple"),)
    assert [path for path, _ in found.startup] == [str(bare_venv.site / "~evil.pth")]


def test_start_up_files_come_with_the_modules_that_they_import(bare_venv: BareVenv) -> None:
    site = bare_venv.site
    (site / "a.pth").write_text("/folder\nimport _one, sys; import two.sub\n# import not_this\n")
    (site / "b.pth").write_text("import os; x = __import__('_three').add()\n")
    for name in ("_one.py", "not_this.py", "other.py", "sitecustomizer.py", "my.pth.txt", "sitecustomize.so"):
        (site / name).write_text("")
    for name in ("two", "_three", "usercustomize"):
        (site / name).mkdir()
        (site / name / "__init__.py").write_text("")
    names = ["_one.py", "_three/__init__.py", "a.pth", "b.pth", "sitecustomize.so"]
    names += ["two/__init__.py", "usercustomize/__init__.py"]
    assert [path for path, _ in take(bare_venv.location).startup] == [str(site / name) for name in names]


# Freeze.


@pytest.mark.parametrize(
    ("version", "source", "line"), [
        ("1.0", INDEX, "apple==1.0"), ("1.00", INDEX, "apple==1.0"), ("2.9+cu126", INDEX, "apple==2.9+cu126"),
        ("new", INDEX, "# apple new ()"),
        ("1.0", Source(kind="archive", url="https://e.org/a.whl", hashes=("sha256:1",)), "apple @ https://e.org/a.whl#sha256=1"),
        ("1.0", Source(kind="vcs", url="git+https://e.org/r", revision="c0ffee", subdirectory="s"), "apple @ git+https://e.org/r@c0ffee#subdirectory=s"),
        ("1.0", Source(kind="directory", url="file:///a"), "apple @ file:///a"),
        ("1.0", Source(kind="directory", url="file:///a", editable=True), "-e file:///a"),
    ],
)  # fmt: skip
def test_a_distribution_freezes_to_one_requirement(version: str, source: Source, line: str) -> None:
    apple = Distribution(name="apple", version=version, path="/site/apple", source=source)
    python = Interpreter(version="3.12.1", implementation="cpython")
    snapshot = Snapshot(location="/venv", interpreter=python, distributions=(apple,))
    assert (freeze_lines(snapshot), freeze_lines(snapshot, without={"apple"})) == ([line], [])


def requirements(lines: list[str]) -> set[str]:
    """Reduce a freeze to what tools must agree on: canonical names, editables by their URL."""
    found = set()
    for line in lines:
        if line.startswith("-e "):
            path = line.removeprefix("-e ")
            found.add(f"-e {path if path.startswith('file:') else Path(path).as_uri()}")
        elif line and not line.startswith("#"):
            name, operator, rest = re.split(r"(==|\s@\s)", line, maxsplit=1)
            if canonical_name(name) not in SEEDS:
                found.add(canonical_name(name) + operator + rest)
    return found


def furnish(venv: Venv, run: Run, tmp_path: Path) -> None:
    repository = write_source(tmp_path / "repository", "Lib.Git", "1.0")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "first")):
        run("git", *words, cwd=repository)
    wheel = build_wheel(tmp_path, "lib-wheel", "1.0+local.1")
    venv.install("basket==1.0", "apple==1.1", "press", "pear", "plum")
    venv.install(wheel, write_source(tmp_path / "tree with space", "lib_tree", "1.0"))
    venv.install("--editable", write_source(tmp_path / "editable", "Lib.Editable", "1.0"))
    venv.install(f"git+{repository.as_uri()}")


@pytest.mark.functional
@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
def test_a_snapshot_agrees_with_pip_and_uv(
    make_venv: MakeVenv, machine: Machine, tmp_path: Path, backend: Backend
) -> None:
    venv = make_venv(backend)
    furnish(venv, machine.run, tmp_path)
    snapshot = take(venv.location)
    lines = freeze_lines(snapshot)
    assert len(requirements(lines)) >= 9
    assert not any(found.defect for found in snapshot.distributions)
    theirs = machine.run(uv(), "pip", "freeze", "--python", venv.python).stdout
    assert requirements(lines) == requirements(theirs.splitlines())
    if backend == "uv":
        second = make_venv("uv")
        (tmp_path / "frozen.txt").write_text("\n".join(lines))
        second.install("--requirement", tmp_path / "frozen.txt")
        assert freeze_lines(take(second.location)) == lines
        return
    assert requirements(lines) == requirements(venv.pip("freeze").stdout.splitlines())
    report = json.loads(venv.pip("inspect", "--local").stdout)
    assert {(one.name, one.version, one.path) for one in snapshot.distributions} == {
        (canonical_name(item["metadata"]["name"]), item["metadata"]["version"], item["metadata_location"])
        for item in report["installed"]
    }


@pytest.mark.functional
@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
@pytest.mark.parametrize("python", ["3.10", "3.13"])
def test_the_interpreter_of_a_real_venv_is_recognised(
    make_venv: MakeVenv, machine: Machine, backend: Backend, python: str
) -> None:
    venv = make_venv(backend, python)
    code = "import platform, sys; print(platform.python_version(), sys.implementation.name)"
    version, implementation = machine.run(venv.python, "-c", code).stdout.split()
    found = take(venv.location).interpreter
    assert (found.version, found.implementation, found.free_threaded) == (version, implementation, False)
    assert not [what for _, what in found.facts if "nowhere" in what]


# Evidence.


CHANGES: dict[str, Callable[[BareVenv], object]] = {
    "a package is added": lambda venv: venv.add("pear", "1.0"),
    "a package is removed": lambda venv: (venv.site / "apple-1.0.dist-info").rename(venv.location / "apple"),
    "metadata is edited": lambda venv: (venv.site / "apple-1.0.dist-info/METADATA").write_text("Name: x\n"),
    "metadata is gone": lambda venv: (venv.site / "apple-1.0.dist-info/METADATA").unlink(),
    "a record is edited": lambda venv: (venv.site / "apple-1.0.dist-info/RECORD").write_text("x,,\n"),
    "a source is recorded": lambda venv: (venv.site / "apple-1.0.dist-info/direct_url.json").write_text("{}"),
    "a hook is added": lambda venv: (venv.site / "evil.pth").write_text("import os\n"),
    "a hook is edited": lambda venv: (venv.site / "plum.pth").write_text("import _more\n"),
    "what a hook imports is edited": lambda venv: (venv.site / "_plum.py").write_text("import os\n"),
    "sitecustomize is added": lambda venv: (venv.site / "sitecustomize.py").touch(),
    "a module is added": lambda venv: (venv.site / "module.py").touch(),
    "a leftover": lambda venv: (venv.site / "~pple").mkdir(),
    "an egg-info": lambda venv: (venv.site / "fig-1.0.egg-info").mkdir(),
    "an egg-link": lambda venv: (venv.site / "fig.egg-link").touch(),
    "the configuration": lambda venv: (venv.location / "pyvenv.cfg").write_text("home = /opt\n"),
    "the interpreter": lambda venv: (venv.location / "bin/python").write_text("more"),
    "a program": lambda venv: (venv.location / "bin/evil").touch(),
    "a link": lambda venv: (venv.site / "linked").symlink_to("/"),
    "a linked record": lambda venv: (venv.site / "linked-1.0.dist-info").symlink_to("/"),
    "a pipe that would wait": lambda venv: os.mkfifo(venv.site / "pipe.pth"),
}


@posix
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_shows(bare_venv: BareVenv, change: Callable[[BareVenv], object]) -> None:
    bare_venv.add("apple", "1.0")
    (bare_venv.site / "plum.pth").write_text("import _plum\n")
    (bare_venv.site / "_plum.py").write_text("")
    (bare_venv.location / "bin").mkdir()
    (bare_venv.location / "bin/python").write_text("x")
    before = evidence(bare_venv.location)
    assert before == evidence(bare_venv.location) != ""
    (bare_venv.site / "__pycache__").mkdir()
    assert before == evidence(bare_venv.location)
    change(bare_venv)
    assert before != evidence(bare_venv.location)


@pytest.mark.functional
def test_a_real_venv_shows_the_same_after_its_programs_ran(make_venv: MakeVenv, machine: Machine) -> None:
    venv = make_venv("virtualenv")
    venv.install("press")
    before = evidence(venv.location)
    machine.run(venv.location / "bin" / "press", "x") if sys.platform != "win32" else None
    assert evidence(venv.location) == before != ""
    venv.install("plum")
    assert evidence(venv.location) != before
