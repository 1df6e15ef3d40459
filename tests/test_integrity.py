"""Files against RECORD, startup files, and requirements among installed distributions, on bare venvs."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_envs import receipt as receipts
from nox_envs.drift import Finding
from nox_envs.integrity import stamps as stamp_file
from nox_envs.integrity.consistency import unmet_requirements
from nox_envs.integrity.hashing import hash_files
from nox_envs.integrity.hooks import owned_hooks
from nox_envs.integrity.record import digest_of, parse_record
from nox_envs.integrity.startup import created_files, startup_findings
from nox_envs.integrity.types import FilesMode, Stamp
from nox_envs.integrity.verification import Verification, verify
from nox_envs.progress import Progress, progress_on
from nox_envs.receipt import Receipt
from nox_envs.snapshot import Interpreter, take
from nox_envs.values import replace
from tests.conftest import BareVenv

OPENED: list[str] = []
WATCHING: list[bool] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if WATCHING and event == "open":
        OPENED.append(str(arguments[0]))


sys.addaudithook(_watch)

HOST = {
    "python_version": "3.12",
    "python_full_version": "3.12.1",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "implementation_version": "3.12.1",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_version": "",
}


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


def check(
    venv: BareVenv,
    receipt: Receipt | None = None,
    mode: FilesMode = "all",
    stamps: tuple[Stamp, ...] = (),
    stamping: bool = False,
) -> Verification:
    """Verify the files of a venv."""
    return verify(take(venv.location), receipt, mode=mode, stamps=stamps, stamping=stamping)


def kinds(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    """Return kind, package and file name of findings."""
    return [(f.kind, f.package, Path(f.path).name) for f in findings]


def receipt_of(venv: BareVenv) -> Receipt:
    """Return the receipt of a venv as it is."""
    snapshot = take(venv.location)
    return receipts.of(snapshot, lock="", installer="uv", startup=owned_hooks(snapshot))


# RECORD


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_hash_is_read_in_every_spelling_there_is(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"x")
    bare = base64.urlsafe_b64encode(digest.digest()).decode()
    standard = base64.b64encode(digest.digest()).decode()
    for written in (bare.rstrip("="), bare, standard, digest.hexdigest(), digest.hexdigest().upper()):
        assert digest_of(f"{algorithm}={written}") == f"{algorithm}:{digest.hexdigest()}"
        record = parse_record(f"a.py,{algorithm}={written},1\n".encode())
        assert (record.paths, record.defect) == (("a.py",), "")


@pytest.mark.parametrize(
    "written", ["sha256=", "sha256=abc", "md5=AAAA", "sha256=" + "!" * 43, "abc", "sha256:ab"]
)
def test_what_is_no_hash_has_no_digest(written: str) -> None:
    assert digest_of(written) == ""


@pytest.mark.parametrize(
    ("data", "defect"),
    [
        (b"a,b,c,d\n", "RECORD line 1 is no row of path, hash and size"),
        (b"ok,,\n\n,sha256=x,\n", "RECORD line 3 is no row of path, hash and size"),
        (b"a\0b,,\n", "RECORD line 1 is no row of path, hash and size"),
        (b"a,md5=abc,1\n", "RECORD line 1: hashes by 'md5' are not trusted, only by sha256, sha384, sha512"),
        (b"a,abc,1\n", "RECORD line 1: 'abc' is no hash"),
        (b"a,sha256=abc,1\n", "RECORD line 1: 'sha256=abc' is no sha256 hash"),
        (b"\xff\xfe,,\n", "RECORD is not UTF-8 (byte 0)"),
        (b'"a,,\n', "RECORD is no table: unexpected end of data"),
    ],
)
def test_a_malformed_record_says_where(data: bytes, defect: str) -> None:
    record = parse_record(data)
    assert record.defect == defect
    assert not record.whole


def test_rows_may_be_quoted_short_and_end_like_on_windows() -> None:
    record = parse_record(b'"a, b.py",,\r\nc.py\r\n')
    assert record.paths == ("a, b.py", "c.py")
    assert parse_record(b"a.py,\r\nb.py,,\r\n").paths == ("a.py", "b.py")


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_no_record_raises(data: bytes) -> None:
    record = parse_record(data)
    assert len(record.paths) == len(record.hashes)


# Files


def test_a_venv_as_installed_has_no_finding(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple/__init__.py": b"x", "apple/data/a.bin": b"\0" * 3_000_000})
    cache = bare_venv.site / "apple" / "__pycache__"
    cache.mkdir()
    (cache / "x.cpython-312.pyc").write_bytes(b"")
    (bare_venv.site / "apple" / "old.pyc").write_bytes(b"")
    assert check(bare_venv).findings == ()


def test_modified_missing_and_unowned_files_are_told(bare_venv: BareVenv) -> None:
    files = {f"apple/{name}.py": b"" for name in ("kept", "edited", "gone", "folder")}
    install(bare_venv, "apple", files)
    site = bare_venv.site
    (site / "apple/edited.py").write_bytes(b"more")
    (site / "apple/gone.py").unlink()
    (site / "apple/folder.py").unlink()
    (site / "apple/folder.py").mkdir()
    (site / "apple/new").mkdir()
    for name in ("a.py", "b.py"):
        (site / "apple/new" / name).write_text("")
    (site / "loose.py").write_text("")
    findings = check(bare_venv).findings
    assert kinds(findings) == [
        ("file-modified", "apple", "edited.py"),
        ("file-modified", "apple", "folder.py"),
        ("file-missing", "apple", "gone.py"),
        ("unowned", "", "new"),
        ("unowned", "", "loose.py"),
    ]
    assert findings[0].expected == f"sha256:{hashlib.sha256().hexdigest()}"
    assert findings[0].actual == f"sha256:{hashlib.sha256(b'more').hexdigest()}"
    assert findings[1].actual == "a directory"
    assert findings[3].actual == "2 files that no distribution owns"


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_algorithms_are_checked_too(bare_venv: BareVenv, algorithm: str) -> None:
    (bare_venv.site / "apple.py").write_bytes(b"right")
    install(bare_venv, "apple", {}, more=row("apple.py", b"right", algorithm))
    assert check(bare_venv).findings == ()
    (bare_venv.site / "apple.py").write_bytes(b"wrong")
    assert kinds(check(bare_venv).findings) == [("file-modified", "apple", "apple.py")]


def test_hexadecimal_hashes_of_some_wheels_are_right(bare_venv: BareVenv) -> None:
    (bare_venv.site / "apple.py").write_bytes(b"right")
    install(bare_venv, "apple", {}, more=f"apple.py,sha256={hashlib.sha256(b'right').hexdigest()},5\n")
    assert check(bare_venv).findings == ()


def test_scripts_outside_of_site_packages_are_checked(bare_venv: BareVenv) -> None:
    (bare_venv.location / "bin").mkdir()
    script = bare_venv.location / "bin" / "press"
    script.write_bytes(b"right")
    install(bare_venv, "press", {}, more=row("../../../bin/press", b"right"))
    assert check(bare_venv).findings == ()
    script.write_bytes(b"wrong")
    assert kinds(check(bare_venv).findings) == [("file-modified", "press", "press")]
    script.unlink()
    assert kinds(check(bare_venv).findings) == [("file-missing", "press", "press")]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_nothing_outside_of_the_venv_is_ever_opened(bare_venv: BareVenv, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("secret.txt", "data.py"):
        (outside / name).write_bytes(b"secret")
    rows = [row(path, b"secret") for path in (
        "../../../../outside/secret.txt", str(outside / "secret.txt"), "a/../../../../../outside/secret.txt",
        "linked/secret.txt", "direct.py", "dangling.py", "link_in.py",
    )]  # fmt: skip
    install(bare_venv, "apple", {"apple.py": b"secret"}, more="".join(rows))
    (bare_venv.site / "linked").symlink_to(outside)
    (bare_venv.site / "direct.py").symlink_to(outside / "data.py")
    (bare_venv.site / "dangling.py").symlink_to(outside / "nowhere")
    (bare_venv.site / "link_in.py").symlink_to("apple.py")
    (bare_venv.site / "evil.pth").symlink_to(outside / "data.py")
    WATCHING.append(True)
    try:
        findings = check(bare_venv, receipt_of(bare_venv)).findings
        hooks = startup_findings(take(bare_venv.location), receipt_of(bare_venv))
    finally:
        WATCHING.clear()
    assert OPENED
    assert not [path for path in OPENED if path.startswith(str(outside)) or "secret" in path]
    assert kinds(findings) == [
        ("broken-metadata", "apple", "RECORD"),
        ("file-missing", "apple", "dangling.py"),
        ("file-modified", "apple", "direct.py"),
        ("file-modified", "apple", "secret.txt"),
    ]
    assert findings[0].actual == (
        "RECORD names what is not in the venv: '../../../../outside/secret.txt' and 2 more"
    )
    assert findings[2].actual == "a link out of the venv"
    assert [hook.kind for hook in hooks] == ["startup-hook"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    path=st.text(alphabet=st.sampled_from("ab./\\:~ \u202e\N{SNOWMAN}"), min_size=1, max_size=12),
    trusted=st.booleans(),
)
def test_any_path_in_a_record_is_survived(bare_venv: BareVenv, path: str, trusted: bool) -> None:
    for old in bare_venv.site.glob("*.dist-info/*"):
        old.unlink()
    for old in bare_venv.site.glob("*.dist-info"):
        old.rmdir()
    install(bare_venv, "apple", {}, more=row(path, b"x"))
    found = check(bare_venv, receipt_of(bare_venv) if trusted else None).findings
    assert {f.kind for f in found} <= {"broken-metadata", "file-missing", "file-modified"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_named_pipe_in_place_of_a_file_does_not_make_us_wait(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple.py": b"x", "hook.pth": b"x"})
    for name in ("apple.py", "hook.pth"):
        (bare_venv.site / name).unlink()
        os.mkfifo(bare_venv.site / name)
    (finding, hook) = check(bare_venv).findings
    assert (finding.kind, finding.actual) == ("file-modified", "a special file")
    assert hook.kind == "file-modified"
    assert hash_files([(str(bare_venv.site / "apple.py"), "sha256", 1)], threads=1) == [
        "cannot be read: it is no regular file"
    ]
    snapshot = take(bare_venv.location)
    assert [f.kind for f in startup_findings(snapshot, unknowing(bare_venv))] == ["file-modified"]


def unknowing(venv: BareVenv) -> Receipt:
    """Return a receipt that knows no startup file."""
    return receipts.of(take(venv.location), lock="", installer="uv")


def test_two_owners_of_one_file(bare_venv: BareVenv) -> None:
    install(bare_venv, "one", {"same.py": b"same", "twin.py": b"1"})
    install(bare_venv, "two", {"same.py": b"same", "twin.py": b"2"})
    (finding,) = check(bare_venv).findings
    assert (finding.kind, finding.package, finding.actual) == ("clobbered", "one", "the file of two")
    (bare_venv.site / "twin.py").write_bytes(b"1")
    assert kinds(check(bare_venv).findings) == [("clobbered", "two", "twin.py")]
    (bare_venv.site / "twin.py").write_bytes(b"3")
    assert kinds(check(bare_venv).findings) == [("file-modified", "one", "twin.py")]
    (bare_venv.site / "same.py").unlink()
    assert ("file-missing", "one", "same.py") in kinds(check(bare_venv).findings)


def test_two_versions_of_one_package_are_not_held_to_their_files(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple.py": b"1"})
    install(bare_venv, "apple", {"apple.py": b"2", "more.py": b"2"}, version="2.0")
    (bare_venv.site / "more.py").unlink()
    assert check(bare_venv).findings == ()


def test_metadata_that_the_snapshot_calls_broken_is_not_told_twice(bare_venv: BareVenv) -> None:
    info = install(bare_venv, "apple", {"apple.py": b"1"})
    (info / "METADATA").unlink()
    assert take(bare_venv.location).distributions[0].defect
    assert check(bare_venv).findings == ()


def test_where_files_are_not_told_nothing_beside_is_called_unowned(bare_venv: BareVenv) -> None:
    info = install(bare_venv, "apple", {"apple/__init__.py": b"1"})
    install(bare_venv, "pear", {"pear/__init__.py": b"1"})
    (bare_venv.site / "pear" / "extra.py").write_text("")
    (info / "RECORD").unlink()
    assert kinds(check(bare_venv).findings) == [
        ("broken-metadata", "apple", "RECORD"),
        ("unowned", "", "extra.py"),
    ]
    (info / "RECORD").mkdir()
    assert "RECORD cannot be read" in check(bare_venv).findings[0].actual


def test_an_egg_info_may_tell_its_files(bare_venv: BareVenv) -> None:
    egg = bare_venv.site / "old-1.0-py3.12.egg-info"
    egg.mkdir()
    (egg / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: old\nVersion: 1.0\n")
    (bare_venv.site / "old.py").write_text("")
    (bare_venv.site / "stray.py").write_text("")
    assert check(bare_venv).findings == ()
    (egg / "installed-files.txt").write_text("../old.py\nPKG-INFO\n")
    assert kinds(check(bare_venv).findings) == [("unowned", "", "stray.py")]


def test_a_file_with_several_names_says_that_others_share_the_edit(
    bare_venv: BareVenv, tmp_path: Path
) -> None:
    install(bare_venv, "apple", {"apple.py": b"1"})
    os.link(bare_venv.site / "apple.py", tmp_path / "cached.py")
    (bare_venv.site / "apple.py").write_bytes(b"2")
    (finding,) = check(bare_venv).findings
    for words in (
        "2 names",
        "other environments share the edit",
        "uv cache clean apple",
        "UV_LINK_MODE=copy",
    ):
        assert words in finding.actual


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_distribution_that_is_all_links_out_of_the_venv_is_noted(
    bare_venv: BareVenv, tmp_path: Path
) -> None:
    info = install(bare_venv, "apple", {"apple.py": b"1", "apple.pth": b"import apple"})
    for file in (bare_venv.site / "apple.py", bare_venv.site / "apple.pth", info / "METADATA"):
        file.rename(tmp_path / file.name)
        file.symlink_to(tmp_path / file.name)
    receipt = receipt_of(bare_venv)
    (finding,) = check(bare_venv, receipt).findings
    assert (finding.kind, finding.severity) == ("unverifiable", "note")
    assert "3 files" in finding.actual
    assert startup_findings(take(bare_venv.location), receipt) == ()


@pytest.mark.skipif(os.name == "nt", reason="modes of files mean little there")
def test_what_cannot_be_read_is_told_and_not_raised(bare_venv: BareVenv) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    install(bare_venv, "apple", {"apple.py": b"1", "deep/file.py": b"1", "apple.pth": b"x"})
    receipt = receipt_of(bare_venv)
    for path in ("apple.py", "deep", "apple.pth"):
        (bare_venv.site / path).chmod(0)
    try:
        findings = check(bare_venv).findings
        assert {f.actual for f in findings} == {"cannot be read: Permission denied"}
        assert len(startup_findings(take(bare_venv.location), receipt)) == 1
    finally:
        for path in ("apple.py", "deep", "apple.pth"):
            (bare_venv.site / path).chmod(0o700)


# RECORD against the receipt, and stamps


def test_a_record_that_was_rewritten_is_seen(bare_venv: BareVenv) -> None:
    info = install(bare_venv, "apple", {"apple.py": b"1"}, more="")
    (info / "WHEEL").write_bytes(b"w")
    with (info / "RECORD").open("a") as stream:
        stream.write(row(f"{info.name}/WHEEL", b"w"))
    receipt = receipt_of(bare_venv)
    stamps = check(bare_venv, receipt, stamping=True).stamps
    assert check(bare_venv, receipt).findings == ()
    text = (info / "RECORD").read_text()

    (info / "RECORD").write_text("".join(sorted(text.splitlines(keepends=True), reverse=True)))
    assert check(bare_venv, receipt, stamps=stamps).findings == ()  # another order: another installer
    assert kinds(check(bare_venv, receipt).findings) == [("file-modified", "apple", "RECORD")]

    (bare_venv.site / "apple.py").write_bytes(b"2")
    (info / "RECORD").write_text(text.replace(row("apple.py", b"1"), row("apple.py", b"2")))
    assert kinds(check(bare_venv, receipt, stamps=stamps).findings) == [("file-modified", "apple", "RECORD")]

    (info / "WHEEL").write_bytes(b"x")
    (info / "RECORD").write_text(
        text.replace(row("apple.py", b"1"), row("apple.py", b"2")).replace(
            row(f"{info.name}/WHEEL", b"w"), row(f"{info.name}/WHEEL", b"x")
        )
    )
    assert kinds(check(bare_venv, receipt, stamps=stamps).findings) == [("artifact", "apple", info.name)]


def test_the_mode_changed_reads_only_what_has_another_size_or_time(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple.py": b"1", "other.py": b"1"})
    stamps = check(bare_venv, stamping=True).stamps
    file = bare_venv.site / "apple.py"
    status = file.stat()
    file.write_bytes(b"2")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert check(bare_venv, mode="changed", stamps=stamps).findings == ()
    assert kinds(check(bare_venv, mode="all", stamps=stamps).findings) == [
        ("file-modified", "apple", "apple.py")
    ]
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    found = check(bare_venv, mode="changed", stamps=stamps, stamping=True)
    assert kinds(found.findings) == [("file-modified", "apple", "apple.py")]
    assert 0 in found.stamps[0].sizes  # what is wrong is never trusted
    os.utime(bare_venv.site / "other.py")
    assert len(check(bare_venv, mode="changed", stamps=stamps).findings) == 1


def test_stamps_of_shared_files_are_trusted_for_each_owner(bare_venv: BareVenv) -> None:
    install(bare_venv, "one", {"same.py": b"same"})
    install(bare_venv, "two", {"same.py": b"same"})
    stamps = check(bare_venv, stamping=True).stamps
    assert check(bare_venv, mode="changed", stamps=stamps).findings == ()


def test_stamps_read_back_as_written_and_the_same_are_the_same_bytes(bare_venv: BareVenv) -> None:
    install(bare_venv, "apple", {"apple.py": b"1"})
    stamps = check(bare_venv, stamping=True).stamps
    stamp_file.write(bare_venv.location, stamps)
    assert stamp_file.read(bare_venv.location) == stamps
    assert stamps[0].distribution == "lib/python3.12/site-packages/apple-1.0.dist-info"


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"schema": 2, "distributions": []}', '{"schema": 1}', "[" * 100_000]
    + [
        f'{{"schema": 1, "distributions": [{damaged}]}}'
        for damaged in ("1", "[]", '["a","b","c","d",[1],[]]', '["a","b","c","d",["x"],[1]]',
                        '["a","b","c",1,[1],[1]]', '["a","b","c","d",1,1]', '["a","b","c","d",[true],[1]]')
    ],
)  # fmt: skip
def test_stamps_that_are_damaged_are_none(tmp_path: Path, content: str) -> None:
    assert stamp_file.read(tmp_path) == ()
    (tmp_path / stamp_file.FILE_NAME).write_text(content)
    assert stamp_file.read(tmp_path) == ()


# Hashing


def test_many_files_are_hashed_by_several_threads_in_their_order(tmp_path: Path) -> None:
    files = []
    for number in range(150):
        (tmp_path / str(number)).write_bytes(b"%d" % number)
        files.append((str(tmp_path / str(number)), "sha256", 1))
    told: list[int] = []
    found = hash_files(files, threads=4, told=told.append)
    assert found == [row("", b"%d" % n).split(",")[1] for n in range(150)]
    assert sum(told) == 150
    (missing,) = hash_files([(str(tmp_path / "none"), "sha256", 0)], threads=4)
    assert missing.startswith("cannot be read: ")
    assert hash_files([], threads=2) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_thread_ends_the_hashing(tmp_path: Path, threads: int) -> None:
    (tmp_path / "a").write_bytes(b"")

    def refuse(size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_files([(str(tmp_path / "a"), "sha256", 0)] * 500, threads=threads, told=refuse)


# Startup files


def test_owned_startup_files_are_no_finding_and_need_no_record_when_known(bare_venv: BareVenv) -> None:
    info = install(bare_venv, "apple", {"apple.pth": b"import apple\n", "sitecustomize/__init__.py": b""})
    snapshot = take(bare_venv.location)
    assert [Path(path).name for path in snapshot.startup] == ["apple.pth", "sitecustomize"]
    assert startup_findings(snapshot, unknowing(bare_venv)) == ()
    receipt = receipt_of(bare_venv)
    assert [known.path.rpartition("packages/")[2] for known in receipt.startup] == [
        "apple.pth",
        "sitecustomize/__init__.py",
    ]
    (info / "RECORD").unlink()
    assert startup_findings(take(bare_venv.location), receipt) == ()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("evil.pth", "# harmless\n/opt\nimport os; os.x()\n", "import os; os.x()"),
        (".hidden.pth", "/opt/modules\n", "/opt/modules"),
        ("sitecustomize.py", "from os import x\n", "from os import x"),
        ("sitecustomize.cpython-312-x86_64-linux-gnu.so", "", "an empty file"),
        ("usercustomize/__init__.py", "x = 1" + "1" * 200, "x = 1" + "1" * 94 + "…"),
    ],
)
def test_startup_files_that_nobody_owns_say_what_they_do(
    bare_venv: BareVenv, name: str, text: str, told: str
) -> None:
    receipt = receipt_of(bare_venv)
    file = bare_venv.site / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    (finding,) = startup_findings(take(bare_venv.location), receipt)
    assert (finding.kind, finding.severity, finding.actual) == ("startup-hook", "error", told)
    assert finding.path == str(file)
    assert check(bare_venv, receipt).findings == ()


@pytest.mark.parametrize(
    "name", ["sitecustomizer.py", "my.pth.txt", "sitecustomize-1.dist-infos", "asitecustomize.py"]
)
def test_names_that_only_look_like_startup_files_are_none(bare_venv: BareVenv, name: str) -> None:
    (bare_venv.site / name).write_text("")
    assert take(bare_venv.location).startup == ()


def test_a_record_written_anew_answers_for_no_startup_file(bare_venv: BareVenv) -> None:
    info = install(bare_venv, "apple", {"apple.py": b""})
    receipt = receipt_of(bare_venv)
    (bare_venv.site / "apple.pth").write_bytes(b"import os")
    with (info / "RECORD").open("a") as stream:
        stream.write(row("apple.pth", b"import os"))
    assert [f.kind for f in startup_findings(take(bare_venv.location), receipt)] == ["startup-hook"]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_owned_startup_file_with_another_content_is_modified(bare_venv: BareVenv, algorithm: str) -> None:
    (bare_venv.site / "apple.pth").write_bytes(b"right")
    install(bare_venv, "apple", {}, more=row("apple.pth", b"right", algorithm))
    receipt = receipt_of(bare_venv)
    assert len(receipt.startup) == 1
    (bare_venv.site / "apple.pth").write_bytes(b"wrong")
    findings = startup_findings(take(bare_venv.location), receipt)
    assert kinds(findings) == [("file-modified", "apple", "apple.pth")]


def test_what_the_creator_of_a_venv_left_is_known(bare_venv: BareVenv) -> None:
    (bare_venv.site / "_virtualenv.pth").write_text("import _virtualenv")
    (bare_venv.site / "_virtualenv.py").write_text("")
    (bare_venv.site / "pip-26.virtualenv").write_text("")
    snapshot = take(bare_venv.location)
    receipt = receipts.of(snapshot, lock="", installer="uv", created=created_files(snapshot))
    assert startup_findings(snapshot, receipt) == ()
    assert check(bare_venv, receipt).findings == ()
    assert len(check(bare_venv).findings) == 2
    (bare_venv.site / "_virtualenv.py").write_text("import evil")
    (finding,) = startup_findings(take(bare_venv.location), receipt)
    assert finding.expected == "what the venv's creator wrote"
    receipts.write(bare_venv.location, receipt)
    assert receipts.read(bare_venv.location) == receipt


def test_the_path_file_of_a_develop_install_is_no_hook(bare_venv: BareVenv, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "own.egg-info").mkdir(parents=True)
    (source / "own.egg-info" / "PKG-INFO").write_text("Name: own\nVersion: 1.0\n")
    (bare_venv.site / "own.egg-link").write_text(f"{source}\n.")
    (bare_venv.site / "easy-install.pth").write_text(f"{source}\n")
    assert startup_findings(take(bare_venv.location), unknowing(bare_venv)) == ()
    assert check(bare_venv).findings == ()
    (bare_venv.site / "easy-install.pth").write_text(f"{source}\nimport os\n")
    assert len(startup_findings(take(bare_venv.location), unknowing(bare_venv))) == 1


# Requirements


def require(venv: BareVenv, name: str, version: str, *lines: str) -> None:
    """Add a distribution with requirements."""
    requires = "".join(f"Requires-Dist: {line}\n" for line in lines)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}\n"
    venv.add(name, version, metadata=metadata)


def unmet(venv: BareVenv, **extras: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return package, requirement and what is there."""
    found = unmet_requirements(take(venv.location), HOST, extras=tuple(extras.items()))
    return [(u.package, u.finding.expected, u.finding.actual) for u in found]


def test_requirements_that_are_met_are_silent(bare_venv: BareVenv) -> None:
    require(bare_venv, "apple", "2.0rc1")
    require(
        bare_venv, "basket", "1.0",
        "apple", "apple>=1.0", "Apple (>=1,!=1.5)", "apple ~= 2.0a1 ; python_version >= '3.8'",
        "apple @ https://e.org/apple.whl", "apple[none]", 'gone ; python_version < "3"',
        'gone; extra == "x"', "apple<3",
        "not a requirement at all", "apple ???", 'apple>=9; nonsense == "x"',
    )  # fmt: skip
    assert unmet(bare_venv) == []


def test_requirements_that_are_not_met_are_told(bare_venv: BareVenv) -> None:
    require(bare_venv, "apple", "2.0")
    require(bare_venv, "basket", "1.0", "apple<2", "pear; sys_platform == 'linux'", "setuptools")
    assert unmet(bare_venv) == [
        ("basket", "apple<2", "apple 2.0"),
        ("basket", "pear; sys_platform == 'linux'", "pear is not installed"),
        ("basket", "setuptools", "setuptools is not installed"),
    ]
    found = unmet_requirements(take(bare_venv.location), HOST)
    assert [u.finding.severity for u in found] == ["error", "error", "warning"]


def test_extras_count_where_something_asks_for_them(bare_venv: BareVenv) -> None:
    require(bare_venv, "top", "1.0", 'basket[all]; extra == "x"')
    require(
        bare_venv, "basket", "1.0", 'basket[Dried_Fruit]; extra == "all"', 'raisin; extra == "dried-fruit"'
    )
    assert unmet(bare_venv) == []
    assert unmet(bare_venv, top=("x",)) == [
        ("basket", 'raisin; extra == "dried-fruit"', "raisin is not installed")
    ]
    assert unmet(bare_venv, basket=("all",)) == unmet(bare_venv, top=("x",))


def test_a_broken_version_is_left_to_its_own_finding(bare_venv: BareVenv) -> None:
    require(bare_venv, "apple", "banana")
    require(bare_venv, "basket", "1.0", "apple>=1")
    assert unmet(bare_venv) == []


@pytest.mark.parametrize(
    ("requires", "admitted"),
    [
        ("", True),
        (">=3.8", True),
        (">= 3", True),
        (">=3.12.1", True),
        ("!=3.0.*,>=2.7", True),
        ("~=3.10", True),
        (">=3.7.*", True),  # no specifier today; pip and uv are as lenient
        ("banana", True),
        (">=3.12.2", False),
        (">=3.13", False),
        (">3.12.1", False),
        ("!=3.0.*,>=3.99", False),
        ("==3.13.*", False),
        (">3.12,<3.13", True),
        ("<3.12", True),  # uv installs it all the same
        ("===3.13", True),
    ],
)
def test_a_distribution_for_another_python_is_told(
    bare_venv: BareVenv, requires: str, admitted: bool
) -> None:
    metadata = f"Metadata-Version: 2.1\nName: apple\nVersion: 1.0\nRequires-Python: {requires}\n\n"
    bare_venv.add("apple", "1.0", metadata=metadata)
    interpreter = Interpreter(version="3.12.1", implementation="cpython")
    snapshot = replace(take(bare_venv.location), interpreter=interpreter)
    told = [] if admitted else [("apple", f"Python {requires}", "Python 3.12.1", "error")]
    assert [
        (u.package, u.finding.expected, u.finding.actual, u.finding.severity)
        for u in unmet_requirements(snapshot, HOST)
    ] == told
    vague = replace(snapshot, interpreter=replace(interpreter, version="3.12"))
    assert unmet_requirements(vague, HOST) == ()
    early = replace(snapshot, interpreter=replace(interpreter, version="3.12.1rc1"))
    assert len(unmet_requirements(early, HOST)) == len(told)


# Progress


class Terminal(io.StringIO):
    """Be a stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_progress_is_drawn_on_a_terminal_only_and_wiped() -> None:
    stream = io.StringIO()
    progress_on(stream)(1, 2)
    assert stream.getvalue() == ""
    terminal = Terminal()
    show: Callable[[int, int], None] = progress_on(terminal)
    show(1 << 20, 4 << 20)
    assert terminal.getvalue() == ""  # it takes a moment before anything is drawn
    progress = Progress(terminal, delay=0.0)
    progress.show(1 << 20, 4 << 20)
    assert terminal.getvalue() == "\r[#######-----------------------] 1 of 4 MB read"
    progress.show(4 << 20, 4 << 20)
    assert terminal.getvalue().endswith("\r\x1b[K")
    progress.show(0, 0)
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_after_an_installation_only_what_was_not_unpacked_with_its_metadata_is_read(
    bare_venv: BareVenv,
) -> None:
    names = ("old.py", "young.py", "short.py", "both.py")
    record = "".join(row(name, b"one = 1\n") for name in names)
    info = bare_venv.add("apple", "1.0", record=record)
    bare_venv.add("plum", "1.0", record=row("both.py", b"two = 2\n"))
    for name in names:
        (bare_venv.site / name).write_text("2\n" if name == "short.py" else "two = 2\n")
        os.utime(bare_venv.site / name, ns=(0, 10**18 + (3 * 10**9 if name == "young.py" else 0)))
    os.utime(info / "METADATA", ns=(0, 10**18))

    def told(mode: FilesMode, installed: bool) -> set[str]:
        found = verify(take(bare_venv.location), None, mode=mode, installed=installed).findings
        return {Path(finding.path).name for finding in found if finding.path.endswith(".py")}

    assert told("changed", installed=True) == {"young.py", "short.py", "both.py"}
    assert told("changed", installed=False) == told("all", installed=False) == {*names}
