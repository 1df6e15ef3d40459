"""Reading a text file and writing one atomically."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.files import read_text, remove_abandoned, write_atomically

relaxed = settings(deadline=None)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX here")


def problem_of(path: Path) -> str:
    with pytest.raises(FileProblems) as caught:
        read_text(path, shown="envs.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a: 1\n", "a: 1\n"),
        (b"\xef\xbb\xbfa: 1\n", "a: 1\n"),
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        ("größe\n".encode(), "größe\n"),
        (b"", ""),
    ],
    ids=["plain", "byte order mark", "foreign line endings", "umlauts", "empty"],
)
def test_a_file_is_read_as_utf_8_with_plain_line_ends(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert read_text(path, shown="file") == text


def test_a_missing_file_is_a_problem_at_its_shown_name(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "none") == "envs.yaml:1:1: no such file"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert problem_of(tmp_path) == "envs.yaml:1:1: is a directory, not a file"


@posix_only
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert problem_of(tmp_path / "pipe") == "envs.yaml:1:1: is not a regular file"


def test_bytes_that_are_not_utf_8_are_shown_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\ntwo \xff\n")
    assert problem_of(path) == "envs.yaml:2:5: is not UTF-8: byte 0xff (save the file as UTF-8)"


def test_a_name_that_no_file_can_have_is_a_problem(tmp_path: Path) -> None:
    assert "no file name" in problem_of(tmp_path / "a\0b")
    assert "cannot be read" in problem_of(tmp_path / ("x" * 5000))


@posix_only
def test_a_file_below_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be read: Not a directory" in problem_of(tmp_path / "file" / "below")


def test_a_new_file_gets_the_mode_of_the_umask_and_exactly_the_text(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file.txt"
    write_atomically(path, "a\nb\n")
    plain = tmp_path / "plain"
    plain.write_text("")
    assert path.read_bytes() == b"a\nb\n"
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert os.listdir(path.parent) == ["file.txt"]


@posix_only
def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@posix_only
def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_directory_in_place_of_the_file_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "file"
    (target / "kept").mkdir(parents=True)
    with pytest.raises(NoxEnvsError, match="cannot be written: is not a regular file"):
        write_atomically(target, "text")
    assert os.listdir(tmp_path) == ["file"]
    assert os.listdir(target) == ["kept"]


def test_a_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(NoxEnvsError, match="cannot be written"):
        write_atomically(path, "bad \ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_failure_at_the_last_step_leaves_no_staging_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(NoxEnvsError, match="file: cannot be written: Permission denied"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_killed_process_staged_is_removed_and_nothing_else(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    kept = [f".nox-envs-{os.getpid()}-{'0' * 16}.tmp", ".nox-envs-1.tmp", "notes.tmp"]
    for name in [f".nox-envs-{ended.pid}-{'0' * 16}.tmp", *kept]:
        (tmp_path / name).write_text("half")
    remove_abandoned(tmp_path)
    remove_abandoned(tmp_path / "missing")
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoxEnvsError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "below", "text")


@relaxed
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\ufeff")))
def test_what_is_written_is_what_is_read(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write_atomically(path, text)
        assert read_text(path, shown="file") == text


@relaxed
@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(data)
        try:
            data.decode()
        except UnicodeDecodeError:
            assert "is not UTF-8" in problem_of(path)
        else:
            assert "\r" not in read_text(path, shown="file")
