"""Installed files beside the RECORDs of their distributions, on bare venvs."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_envs.findings import FilesMode, Finding
from nox_envs.values import replace
from nox_envs.venv.compare import Expectation
from nox_envs.venv.files import file_findings, read_record, record_hash
from nox_envs.venv.install import fresh, receipt_of
from nox_envs.venv.receipt import Receipt
from nox_envs.venv.snapshot import Interpreter, take
from tests.conftest import BareVenv

posix = pytest.mark.skipif(os.name == "nt", reason="needs links, modes and named pipes")

WATCHED: list[list[str]] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if WATCHED and event == "open":
        WATCHED[-1].append(str(arguments[0]))


sys.addaudithook(_watch)


@contextmanager
def watch() -> Iterator[list[str]]:
    """Note the paths that are opened."""
    WATCHED.append([])
    try:
        yield WATCHED[-1]
    finally:
        WATCHED.clear()


def row(path: str, data: bytes, algorithm: str = "sha256") -> str:
    """Return a row of a RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    return f"{path},{algorithm}={digest},{len(data)}\n"


def install(
    venv: BareVenv, name: str, files: dict[str, bytes], *, more: str = "", version: str = "1.0"
) -> Path:
    """Add a distribution with files and a correct RECORD, to which `more` is added."""
    info = venv.add(name, version)
    record = row(f"{info.name}/METADATA", (info / "METADATA").read_bytes())
    for path, data in files.items():
        file = venv.site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        record += row(path, data)
    (info / "RECORD").write_text(f"{record}{more}{info.name}/RECORD,,\n", encoding="utf-8")
    return info


def check(venv: BareVenv, receipt: Receipt | None = None, mode: FilesMode = "all") -> tuple[Finding, ...]:
    """Compare the files of a venv."""
    return file_findings(take(venv.location), receipt, mode=mode)


def kinds(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    """Return kind, package and file name of findings."""
    return [(f.kind, f.package, Path(f.path).name) for f in findings]


NOTHING = Receipt(lock="", interpreter=Interpreter(version="3.12.1", implementation="cpython"))


def receipt_now(venv: BareVenv, made: Receipt = NOTHING) -> Receipt:
    """Return the receipt of a venv as it is; every file in it is older."""
    for folder, _, names in os.walk(venv.location):
        for name in names:
            if not Path(folder, name).is_symlink():
                os.utime(Path(folder, name), ns=(0, 10**9))
    receipt = receipt_of(take(venv.location), Expectation(pins=()), made)
    return replace(receipt, installed=receipt.installed + 10**9)


# RECORD.


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_hash_is_read_in_every_spelling_there_is(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"x")
    bare, standard = (
        encode(digest.digest()).decode() for encode in (base64.urlsafe_b64encode, base64.b64encode)
    )
    for written in (bare.rstrip("="), bare, standard, digest.hexdigest(), digest.hexdigest().upper()):
        assert record_hash(f"{algorithm}={written}") == f"{algorithm}:{digest.hexdigest()}"


@pytest.mark.parametrize(
    "written", ["sha256=", "sha256=abc", "md5=AAAA", "sha256=" + "!" * 43, "abc", "sha256:ab"]
)
def test_what_is_not_a_hash_has_no_digest(written: str) -> None:
    assert record_hash(written) == ""


@pytest.mark.parametrize(
    ("data", "defect"), [
        (b"a,b,c,d\n", "RECORD line 1 is not a row of path, hash and size"),
        (b"ok,,\n\n,sha256=x,\n", "RECORD line 3 is not a row of path, hash and size"),
        (b"a,md5=abc,1\n", "RECORD line 1: 'md5=abc' is not a hash by sha256, sha384, sha512"),
        (b"a,sha256=abc,1\n", "RECORD line 1: 'sha256=abc' is not a hash by sha256, sha384, sha512"),
        (b"\xff\xfe,,\n", "RECORD is not a table: 'utf-8' codec can't decode byte 0xff"),
        (b'"a,,\n', "RECORD is not a table: unexpected end of data"),
        (b"a\n" * 1_000_001, "RECORD has too many rows"), (b"a" * (1 << 24), "RECORD is larger than 8 MiB"),
        (None, "RECORD is missing"),
    ],
)  # fmt: skip
def test_a_malformed_record_says_where(bare_venv: BareVenv, data: bytes | None, defect: str) -> None:
    info = bare_venv.add("apple", "1.0", record=None)
    if data is not None:
        (info / "RECORD").write_bytes(data)
    (found,) = check(bare_venv)
    assert (found.kind, found.package, found.actual.startswith(defect)) == ("broken-metadata", "apple", True)


def test_rows_may_be_quoted_short_and_end_like_on_windows(bare_venv: BareVenv) -> None:
    info = bare_venv.add("apple", "1.0")
    (info / "RECORD").write_bytes(b'"a, b.py",,\r\nc.py\r\n\r\nd.py,\n')
    rows = [("a, b.py", "", ""), ("c.py", "", ""), ("d.py", "", "")]
    assert read_record(take(bare_venv.location).distributions[0]) == (rows, "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    data=st.binary(max_size=200)
    | st.text(alphabet=st.sampled_from('ab./\\:~,"= \n\u202e\N{SNOWMAN}'), max_size=40).map(str.encode)
)
def test_any_record_is_survived(bare_venv: BareVenv, data: bytes) -> None:
    info = bare_venv.site / "apple-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Name: apple\nVersion: 1.0\n")
    (info / "RECORD").write_bytes(data)
    kinds = {"broken-metadata", "file-missing", "file-modified", "unowned"}
    assert {one.kind for one in check(bare_venv)} <= kinds


def test_the_records_of_a_venv_are_read_up_to_a_number_of_rows(
    bare_venv: BareVenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nox_envs.venv.files._MOST_ROWS", 2)
    for name in ("apple", "pear"):
        bare_venv.add(name, "1.0", record="a.py,,\nb.py,,\n")
    (found,) = check(bare_venv)
    assert (found.package, found.actual[:18]) == ("pear", "RECORD is not read")


# Files that a RECORD claims.


def test_a_venv_as_installed_has_no_finding(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple/__init__.py": b"x", "apple/data/a.bin": b"\0" * 3_000_000})
    cache = bare_venv.site / "apple" / "__pycache__"
    cache.mkdir()
    for ending in (".cpython-312.pyc", ".cpython-312-pytest-8.3.pyc", ".cpython-312.pyc.1402"):
        (cache / f"__init__{ending}").write_bytes(b"\xcb\r\r\n\0\0\0\0of sources")
    (bare_venv.site / "apple" / "__init__.pyc").write_bytes(b"")
    assert check(bare_venv) == check(bare_venv, receipt_now(bare_venv), "changed") == ()


def test_modified_missing_and_replaced_files_are_told(bare_venv: BareVenv) -> None:
    names = ("kept.py", "edited.py", "edited.pyc", "gone.py", "folder.py")
    install(bare_venv, "apple", dict.fromkeys(names, b""), more="__pycache__/x.cpython-312.pyc,,\n")
    for name in ("edited.py", "edited.pyc"):
        (bare_venv.site / name).write_bytes(b"more")
    for name in ("gone.py", "folder.py"):
        (bare_venv.site / name).unlink()
    (bare_venv.site / "folder.py").mkdir()
    empty, more = (f"sha256:{hashlib.sha256(data).hexdigest()}" for data in (b"", b"more"))
    assert [(one.kind, Path(one.path).name, one.expected, one.actual) for one in check(bare_venv)] == [
        ("file-modified", "edited.py", empty, more),
        ("file-modified", "edited.pyc", empty, more),
        ("file-modified", "folder.py", empty, "a directory"),
        ("file-missing", "gone.py", "gone.py", ""),
    ]


@pytest.mark.parametrize("written", ["sha384", "sha512", "hexadecimal"])
def test_hashes_of_every_spelling_are_compared(bare_venv: BareVenv, written: str) -> None:
    record = f"apple.py,sha256={hashlib.sha256(b'right').hexdigest()},5\n"
    if written != "hexadecimal":
        record = row("apple.py", b"right", written)
    install(bare_venv, "apple", {}, more=record)
    (bare_venv.site / "apple.py").write_bytes(b"right")
    assert check(bare_venv) == ()
    (bare_venv.site / "apple.py").write_bytes(b"wrong")
    assert kinds(check(bare_venv)) == [("file-modified", "apple", "apple.py")]


@posix
def test_nothing_outside_the_venv_is_ever_opened(bare_venv: BareVenv, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("secret.txt", "data.py"):
        (outside / name).write_bytes(b"secret")
    rows = [row(path, b"secret") for path in (
        "../../../../outside/secret.txt", str(outside / "secret.txt"), "a/../../../../../outside/secret.txt",
        "linked/secret.txt", "direct.py", "dangling.py", "inside.py", "../../../share/secret.txt",
    )]  # fmt: skip
    install(bare_venv, "apple", {"apple.py": b"secret"}, more="".join(rows))
    (bare_venv.site / "linked").symlink_to(outside)
    (bare_venv.location / "share").symlink_to(outside)
    links = {"direct": outside / "data.py", "dangling": outside / "nowhere", "inside": Path("apple.py")}
    for name, target in links.items():
        (bare_venv.site / f"{name}.py").symlink_to(target)
    with watch() as opened:
        check(bare_venv, receipt_now(bare_venv), "changed")
        findings = check(bare_venv)
    assert opened
    assert not [path for path in opened if path.startswith(str(outside)) or "secret" in path]
    assert [(f.kind, f.actual) for f in findings] == [
        ("broken-metadata", "RECORD names what is not in the venv: '../../../../outside/secret.txt'"),
        ("file-modified", f"a link to {outside / 'nowhere'}"),
        ("file-modified", f"a link to {outside / 'data.py'}"),
        ("file-modified", "a link to apple.py"),
        ("file-modified", "a file behind a link"),
        ("file-modified", "a file behind a link"),
        ("unowned", "a file that no distribution owns"),
    ]


def test_of_two_owners_of_one_file_the_one_whose_copy_it_is_not_is_told(bare_venv: BareVenv) -> None:
    install(bare_venv, "one", {"same.py": b"same", "twin.py": b"1"})
    install(bare_venv, "two", {"same.py": b"same", "twin.py": b"2"})
    for mode in ("all", "changed"):
        (found,) = check(bare_venv, receipt_now(bare_venv), mode)
        assert (found.kind, found.package) == ("clobbered", "one")
        assert (found.expected, found.actual) == ("twin.py of one", "twin.py of two")
    (bare_venv.site / "twin.py").write_bytes(b"1")
    assert kinds(check(bare_venv)) == [("clobbered", "two", "twin.py")]
    (bare_venv.site / "twin.py").write_bytes(b"3")
    assert kinds(check(bare_venv)) == [("file-modified", "one", "twin.py")]
    (bare_venv.site / "same.py").unlink()
    assert ("file-missing", "one", "same.py") in kinds(check(bare_venv))


# What the mode `changed` reads.


def read_by(venv: BareVenv, receipt: Receipt) -> set[str]:
    with watch() as opened:
        check(venv, receipt, "changed")
    return {Path(path).name for path in opened if path.endswith(".py")}


def test_only_what_has_another_size_or_was_written_since_the_installation_is_read(
    bare_venv: BareVenv, tmp_path: Path
) -> None:
    names = ("old.py", "touched.py", "grown.py", "linked.py", "linked_and_edited.py")
    install(bare_venv, "apple", dict.fromkeys(names, b"1"), more="unsized.py,sha256=" + "A" * 43 + ",\n")
    (bare_venv.site / "unsized.py").write_bytes(b"")
    receipt = receipt_now(bare_venv)
    assert read_by(bare_venv, receipt) == {"unsized.py"}
    later = receipt.installed + 10**9
    os.utime(bare_venv.site / "touched.py", ns=(0, later))
    (bare_venv.site / "grown.py").write_bytes(b"22")
    for name in ("linked.py", "linked_and_edited.py"):
        os.link(bare_venv.site / name, tmp_path / name)
    os.utime(bare_venv.site / "linked_and_edited.py", ns=(0, later))
    assert read_by(bare_venv, receipt) == {"unsized.py", "touched.py", "grown.py", "linked_and_edited.py"}
    # The time of the last change of an inode cannot be set back; a new link in uv's cache moves it too.
    earlier = replace(receipt, installed=2 * 10**9)
    assert read_by(bare_venv, earlier) == {*names, "unsized.py"} - {"linked.py"}
    assert read_by(bare_venv, replace(receipt, installed=0)) == {*names, "unsized.py"}


# What nothing claims.


def test_unowned_files_are_told_and_whole_folders_as_one(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple/__init__.py": b"x", "apple/module.py": b"x"})
    site = bare_venv.site
    # Real wheels leave an empty `apple.libs`, which nothing can import.
    for folder in ("apple/new", "apple/module", "apple/deep", "apple/__pycache__", "empty", "apple.libs"):
        (site / folder).mkdir()
    for path in (
        "loose.py",
        "only.pyc",
        "new/a.py",
        "new/b.py",
        "__pycache__/gone.c.pyc",
        "__pycache__/x.json",
    ):
        (site / "apple" / path).write_bytes(b"")
    alone, folder = "a file that no distribution owns", "a folder that no distribution owns"
    assert [(Path(f.path).relative_to(site).as_posix(), f.actual) for f in check(bare_venv)] == [
        ("apple/__pycache__/gone.c.pyc", alone), ("apple/__pycache__/x.json", alone),
        ("apple/loose.py", alone), ("apple/module", folder), ("apple/new", folder), ("apple/only.pyc", alone),
        ("empty", folder),
    ]  # fmt: skip
    assert check(bare_venv) == check(bare_venv, receipt_now(bare_venv), "changed")


def test_bytecode_that_is_used_without_its_source_is_told(bare_venv: BareVenv) -> None:
    names = ("timestamp", "unchecked", "odd", "checked")
    rows = "".join(f"__pycache__/{name}.cpython-312.pyc,,\n" for name in (*names, "gone"))
    install(bare_venv, "apple", {f"{name}.py": b"x" for name in (*names, "short", "link")}, more=rows)
    cache = bare_venv.site / "__pycache__"
    cache.mkdir()
    for flags, name in enumerate(names):
        header = b"\xcb\r\r\n" + flags.to_bytes(4, "little") + b"of its source"
        (cache / f"{name}.cpython-312.pyc").write_bytes(header)
    (cache / "gone.cpython-312.pyc").write_bytes(header)
    (cache / "short.cpython-312.pyc").write_bytes(header[:12])
    (cache / "link.cpython-312.pyc").symlink_to("timestamp.cpython-312.pyc")
    told = [(one.kind, Path(one.path).name.partition(".")[0], one.actual) for one in check(bare_venv)]
    odd = "a file that is not bytecode"
    assert told == [
        ("unowned", "link", odd), ("unowned", "short", odd),
        ("unowned", "unchecked", "bytecode that Python uses without looking at its source"),
    ]  # fmt: skip


def test_programs_that_nothing_owns_and_changed_ones_of_the_creator_are_told(bare_venv: BareVenv) -> None:
    folder = bare_venv.location / "bin"
    folder.mkdir()
    for name in ("activate", "activate.fish", "python", "python3.12", "pip"):
        (folder / name).write_text(name)
    (bare_venv.site / "_virtualenv.py").write_text("")
    made = fresh(take(bare_venv.location))
    names = [path.rpartition("/")[2] for path, _ in made.created]
    assert names == ["activate", "activate.fish", "pip", "_virtualenv.py"]
    install(bare_venv, "pip", {}, more=row("../../../bin/pip", b"pip"))
    receipt = receipt_now(bare_venv, made)
    assert check(bare_venv, receipt) == ()
    (folder / "evil").write_text("")
    (folder / "activate").write_text("evil")
    (folder / "activate.fish").unlink()
    told = [("file-modified", "", "activate"), ("file-missing", "", "activate.fish"), ("unowned", "", "evil")]
    assert kinds(check(bare_venv, receipt)) == kinds(check(bare_venv, receipt, "changed")) == told
