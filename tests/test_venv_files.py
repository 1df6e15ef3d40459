"""Installed files beside the RECORDs of their distributions, on bare venvs."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_envs.errors import Invalid
from nox_envs.findings import FilesMode, Finding
from nox_envs.values import replace
from nox_envs.venv.compare import Expectation
from nox_envs.venv.files import digest_of, file_findings, hash_files, read_record
from nox_envs.venv.install import Fresh, fresh, receipt_of
from nox_envs.venv.receipt import Receipt
from nox_envs.venv.snapshot import take
from tests.conftest import BareVenv

posix = pytest.mark.skipif(os.name == "nt", reason="needs links, modes and named pipes")

OPENED: list[str] = []
WATCHING: list[bool] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if WATCHING and event == "open":
        OPENED.append(str(arguments[0]))


sys.addaudithook(_watch)


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


NOTHING = Fresh()


def receipt_now(venv: BareVenv, made: Fresh = NOTHING) -> Receipt:
    """Return the receipt of a venv as it is; every file in it is older."""
    for folder, _, names in os.walk(venv.location):
        for name in names:
            if not Path(folder, name).is_symlink():
                os.utime(Path(folder, name), ns=(0, 10**9))
    receipt = receipt_of(take(venv.location), Expectation(pins=()), made, lock="", root=venv.location)
    return replace(receipt, installed=receipt.installed + 10**9)


# RECORD.


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_hash_is_read_in_every_spelling_there_is(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"x")
    bare, standard = (
        encode(digest.digest()).decode() for encode in (base64.urlsafe_b64encode, base64.b64encode)
    )
    for written in (bare.rstrip("="), bare, standard, digest.hexdigest(), digest.hexdigest().upper()):
        assert digest_of(f"{algorithm}={written}") == f"{algorithm}:{digest.hexdigest()}"


@pytest.mark.parametrize(
    "written", ["sha256=", "sha256=abc", "md5=AAAA", "sha256=" + "!" * 43, "abc", "sha256:ab"]
)
def test_what_is_not_a_hash_has_no_digest(written: str) -> None:
    assert digest_of(written) == ""


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
    with pytest.raises(Invalid) as raised:
        read_record(str(info))
    assert raised.value.message.startswith(defect)
    (found,) = check(bare_venv)
    assert (found.kind, found.package, found.actual.startswith(defect)) == ("broken-metadata", "apple", True)


def test_rows_may_be_quoted_short_and_end_like_on_windows(bare_venv: BareVenv) -> None:
    info = bare_venv.add("apple", "1.0")
    (info / "RECORD").write_bytes(b'"a, b.py",,\r\nc.py\r\n\r\nd.py,\n')
    assert read_record(str(info)) == [("a, b.py", "", ""), ("c.py", "", ""), ("d.py", "", "")]


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
    assert {f.kind for f in check(bare_venv)} <= {
        "broken-metadata",
        "file-missing",
        "file-modified",
        "unowned",
    }


# Files that a RECORD claims.


def test_a_venv_as_installed_has_no_finding(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple/__init__.py": b"x", "apple/data/a.bin": b"\0" * 3_000_000})
    cache = bare_venv.site / "apple" / "__pycache__"
    cache.mkdir()
    for name in (
        "__init__.cpython-312.pyc",
        "__init__.cpython-312-pytest-8.3.pyc",
        "__init__.cpython-312.pyc.1402",
    ):
        (cache / name).write_bytes(b"\xcb\r\r\n\0\0\0\0more")
    (bare_venv.site / "apple" / "__init__.pyc").write_bytes(b"")
    assert check(bare_venv) == check(bare_venv, receipt_now(bare_venv), "changed") == ()


def test_modified_missing_and_replaced_files_are_told(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {f"apple/{name}.py": b"" for name in ("kept", "edited", "gone", "folder")})
    folder = bare_venv.site / "apple"
    (folder / "edited.py").write_bytes(b"more")
    (folder / "gone.py").unlink()
    (folder / "folder.py").unlink()
    (folder / "folder.py").mkdir()
    findings = check(bare_venv)
    assert kinds(findings) == [
        ("file-modified", "apple", "edited.py"),
        ("file-modified", "apple", "folder.py"),
        ("file-missing", "apple", "gone.py"),
    ]
    assert findings[0].expected == f"sha256:{hashlib.sha256().hexdigest()}"
    assert findings[0].actual == f"sha256:{hashlib.sha256(b'more').hexdigest()}"
    assert findings[1].actual == "a directory"


@pytest.mark.parametrize("written", ["sha384", "sha512", "hexadecimal"])
def test_hashes_of_every_spelling_are_compared(bare_venv: BareVenv, written: str) -> None:
    (bare_venv.site / "apple.py").write_bytes(b"right")
    hexadecimal = f"apple.py,sha256={hashlib.sha256(b'right').hexdigest()},5\n"
    install(
        bare_venv,
        "apple",
        {},
        more=hexadecimal if written == "hexadecimal" else row("apple.py", b"right", written),
    )
    assert check(bare_venv) == ()
    (bare_venv.site / "apple.py").write_bytes(b"wrong")
    assert kinds(check(bare_venv)) == [("file-modified", "apple", "apple.py")]


def test_programs_are_compared_and_bytecode_without_a_source_too(bare_venv: BareVenv) -> None:
    (bare_venv.location / "bin").mkdir()
    script, compiled = bare_venv.location / "bin" / "press", bare_venv.site / "only.pyc"
    rows = (
        row("../../../bin/press", b"right") + row("only.pyc", b"right") + "__pycache__/x.cpython-312.pyc,,\n"
    )
    install(bare_venv, "press", {}, more=rows)
    for file in (script, compiled):
        file.write_bytes(b"right")
    assert check(bare_venv) == ()
    for file in (script, compiled):
        file.write_bytes(b"wrong")
    assert kinds(check(bare_venv)) == [
        ("file-modified", "press", "press"),
        ("file-modified", "press", "only.pyc"),
    ]
    script.unlink()
    assert kinds(check(bare_venv))[0] == ("file-missing", "press", "press")


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
    for name, target in (
        ("direct", outside / "data.py"),
        ("dangling", outside / "nowhere"),
        ("inside", "apple.py"),
    ):
        (bare_venv.site / f"{name}.py").symlink_to(target)
    WATCHING.append(True)
    try:
        findings = check(bare_venv, receipt_now(bare_venv), "changed") + check(bare_venv)
    finally:
        WATCHING.clear()
    assert OPENED
    assert not [path for path in OPENED if path.startswith(str(outside)) or "secret" in path]
    assert len(findings) == 14
    assert [(f.kind, f.actual) for f in findings[:7]] == [
        ("broken-metadata", "RECORD names what is not in the venv: '../../../../outside/secret.txt'"),
        ("file-modified", f"a link to {outside / 'nowhere'}"),
        ("file-modified", f"a link to {outside / 'data.py'}"),
        ("file-modified", "a link to apple.py"),
        ("file-modified", "a file behind a link"),
        ("file-modified", "a file behind a link"),
        ("unowned", "a file that no distribution owns"),
    ]


@posix
def test_files_that_cannot_be_read_are_told_and_pipes_not_waited_for(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"pipe.py": b"x", "secret.py": b"x", "folder/inside.py": b"x"})
    receipt = receipt_now(bare_venv)
    (bare_venv.site / "pipe.py").unlink()
    os.mkfifo(bare_venv.site / "pipe.py")
    (bare_venv.site / "secret.py").chmod(0)
    for mode in ("all", "changed"):
        found = {Path(f.path).name: f.actual for f in check(bare_venv, receipt, mode)}
        assert found["pipe.py"] == "a special file"
        if os.geteuid():
            assert found["secret.py"] == "cannot be read: Permission denied"
    (hashed,) = hash_files([(str(bare_venv.site / "pipe.py"), "sha256=")], [1])
    assert hashed == "cannot be read: is not a regular file"


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


def test_two_versions_of_one_package_are_not_held_to_their_files(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple.py": b"1"})
    install(bare_venv, "apple", {"apple.py": b"2", "more.py": b"2"}, version="2.0")
    (bare_venv.site / "more.py").unlink()
    assert check(bare_venv) == ()


def test_metadata_that_the_snapshot_calls_broken_is_not_told_twice(bare_venv: BareVenv) -> None:
    (install(bare_venv, "apple", {"apple.py": b"1"}) / "METADATA").unlink()
    assert take(bare_venv.location).distributions[0].defect
    assert check(bare_venv) == ()


def test_a_file_with_several_names_says_that_others_share_the_edit(
    bare_venv: BareVenv, tmp_path: Path
) -> None:
    install(bare_venv, "apple", {"apple.py": b"1"})
    os.link(bare_venv.site / "apple.py", tmp_path / "cached.py")
    (bare_venv.site / "apple.py").write_bytes(b"2")
    (finding,) = check(bare_venv)
    assert finding.actual.endswith(
        "(a file with 2 names: uv's cache shares the edit; run: uv cache clean apple)"
    )


# What the mode `changed` reads.


def read_by(venv: BareVenv, receipt: Receipt) -> set[str]:
    OPENED.clear()
    WATCHING.append(True)
    try:
        check(venv, receipt, "changed")
    finally:
        WATCHING.clear()
    return {Path(path).name for path in OPENED if path.endswith(".py")}


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


def test_unowned_files_are_told_whole_folders_as_one(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple/__init__.py": b"x", "apple/module.py": b"x"})
    site = bare_venv.site
    for path in (
        "apple/new/a.py",
        "apple/new/b.py",
        "loose.py",
        "apple/only.pyc",
        "apple/module/__init__.pyc",
    ):
        (site / path).parent.mkdir(exist_ok=True)
        (site / path).write_bytes(b"")
    for folder in ("apple/deep", "empty", "shadow", "apple/__pycache__"):
        (site / folder).mkdir(exist_ok=True)
    (site / "apple" / "__pycache__" / "gone.cpython-312.pyc").write_bytes(b"")
    (site / "apple" / "__pycache__" / "data.json").write_bytes(b"")
    unowned = "a file that no distribution owns"
    assert [(Path(f.path).relative_to(site).as_posix(), f.actual) for f in check(bare_venv)] == [
        ("apple/__pycache__/data.json", "a file that is not the bytecode of a module beside it"),
        ("apple/__pycache__/gone.cpython-312.pyc", "a file that is not the bytecode of a module beside it"),
        ("apple/module", unowned),
        ("apple/new", "2 files that no distribution owns"),
        ("apple/only.pyc", unowned),
        ("empty", "an empty folder that Python can import"),
        ("loose.py", unowned),
        ("shadow", "an empty folder that Python can import"),
    ]
    assert check(bare_venv) == check(bare_venv, receipt_now(bare_venv), "changed")


def test_bytecode_that_is_used_without_its_source_is_told(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple.py": b"x"})
    cache = bare_venv.site / "__pycache__"
    cache.mkdir()
    for flags, name in enumerate(("timestamp", "unchecked", "odd", "checked")):
        (bare_venv.site / f"{name}.py").write_bytes(b"x")
        (cache / f"{name}.cpython-312.pyc").write_bytes(b"\xcb\r\r\n" + flags.to_bytes(4, "little") + b"x")
    install(bare_venv, "pear", dict.fromkeys(("timestamp.py", "unchecked.py", "odd.py", "checked.py"), b"x"))
    (found,) = check(bare_venv)
    assert (found.kind, Path(found.path).name) == ("unowned", "unchecked.cpython-312.pyc")
    assert found.actual == "bytecode that Python uses without looking at its source"


@posix
def test_a_link_in_place_of_pycache_or_of_a_folder_is_unowned(bare_venv: BareVenv, tmp_path: Path) -> None:
    install(bare_venv, "apple", {"apple/__init__.py": b"x"})
    (bare_venv.site / "apple" / "__pycache__").symlink_to(tmp_path)
    (bare_venv.site / "linked").symlink_to(tmp_path)
    assert kinds(check(bare_venv)) == [("unowned", "", "__pycache__"), ("unowned", "", "linked")]


def test_leftovers_hooks_and_old_records_have_findings_of_their_own(bare_venv: BareVenv) -> None:
    for name in ("~pple", "old-1.0.egg-info"):
        (bare_venv.site / name).mkdir()
        (bare_venv.site / name / "PKG-INFO").write_text("Name: old\nVersion: 1.0\n")
    for name in ("evil.pth", "sitecustomize.py", "link.egg-link"):
        (bare_venv.site / name).write_text("")
    assert check(bare_venv) == ()


def test_programs_that_nothing_owns_and_changed_ones_of_the_creator_are_told(bare_venv: BareVenv) -> None:
    folder = bare_venv.location / "bin"
    folder.mkdir()
    for name in ("activate", "activate.fish", "python", "python3.12", "pip"):
        (folder / name).write_text(name)
    (bare_venv.site / "_virtualenv.py").write_text("")
    made = fresh(take(bare_venv.location))
    assert [path for path, _ in made.files if "python" not in path] == [
        "bin/activate",
        "bin/activate.fish",
        "bin/pip",
    ]
    install(bare_venv, "pip", {}, more=row("../../../bin/pip", b"pip"))
    receipt = receipt_now(bare_venv, made)
    assert check(bare_venv, receipt) == ()
    (folder / "evil").write_text("")
    (folder / "activate").write_text("evil")
    (folder / "activate.fish").unlink()
    for mode in ("all", "changed"):
        assert kinds(check(bare_venv, receipt, mode)) == [
            ("unowned", "", "evil"),
            ("file-modified", "", "activate"),
            ("file-missing", "", "activate.fish"),
        ]


@posix
def test_a_receipt_makes_no_file_outside_the_venv_be_read(bare_venv: BareVenv, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (bare_venv.location / "bin").symlink_to(tmp_path)
    created = (("bin/secret", "sha256:0"), ("../secret", "sha256:0"), (str(tmp_path / "secret"), "sha256:0"))
    receipt = replace(receipt_now(bare_venv), created=created)
    WATCHING.append(True)
    try:
        assert check(bare_venv, receipt) == ()
    finally:
        WATCHING.clear()
    assert not [path for path in OPENED if "secret" in path]


# Hashing.


def test_many_files_are_hashed_in_their_order_and_progress_is_told(tmp_path: Path) -> None:
    sizes = [number * 997 for number in range(150)]
    for number, size in enumerate(sizes):
        (tmp_path / str(number)).write_bytes(b"%d" % number + b"x" * size)
    told: list[tuple[int, int]] = []
    files = [(str(tmp_path / str(number)), "sha256=") for number in range(150)]
    found = hash_files(files, sizes, lambda done, total, label: told.append((done, total)))
    assert found == [row("", b"%d" % n + b"x" * sizes[n]).split(",")[1] for n in range(150)]
    assert found == hash_files(files, [0] * 150)
    assert told[-1] == (sum(sizes), sum(sizes))
    (missing,) = hash_files([(str(tmp_path / "none"), "sha256=")], [0])
    assert missing == "cannot be read: No such file or directory"


def test_an_interrupt_ends_the_hashing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)

    def refuse(done: int, total: int, label: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_files([(str(tmp_path / "a"), "sha256=")] * 500, [100_000, 1] * 250, refuse)
