"""The door to disk: reading, atomic writing, locks between processes, JSON and TOML."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_envs.errors import FileProblems, Invalid, NoxEnvsError
from nox_envs.files import (
    FileLock,
    digest,
    parse_json,
    parse_toml,
    read_bytes,
    read_text,
    write_atomically,
)

posix = pytest.mark.skipif(os.name == "nt", reason="modes, links and named pipes are POSIX here")
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def problem_of(path: Path) -> str:
    """Return the one problem of reading a file."""
    with pytest.raises(FileProblems) as caught:
        read_text(path, shown="envs.yaml", limit=1024)
    assert len(caught.value.problems) == 1
    return str(caught.value)


def never() -> None:
    pytest.fail("nothing else has the lock, so there is nothing to wait for")


# reading


def test_a_file_is_read_as_utf_8_with_plain_line_ends(tmp_path: Path) -> None:
    for data, text in ((b"", ""), (b"\xef\xbb\xbfa\n", "a\n"), (b"a\r\nb\rc\n", "a\nb\nc\n")):
        (tmp_path / "file").write_bytes(data)
        assert read_text(tmp_path / "file", shown="file") == text


def test_what_cannot_be_read_is_a_problem_at_its_shown_name(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"one\ntwo \xff\n")
    (tmp_path / "large").write_bytes(b"x" * 1025)
    assert problem_of(tmp_path / "none") == "envs.yaml:1:1: no such file"
    assert problem_of(tmp_path) == "envs.yaml:1:1: cannot be read: is a directory, not a file"
    assert problem_of(tmp_path / "latin").startswith("envs.yaml:2:5: is not UTF-8: byte 0xff (save")
    assert problem_of(tmp_path / "large") == "envs.yaml:1:1: cannot be read: is larger than 1 KiB"
    assert "is not a file name" in problem_of(tmp_path / "a\0b")
    assert "cannot be read" in problem_of(tmp_path / ("x" * 5000))
    assert "cannot be read: Not a directory" in problem_of(tmp_path / "large" / "below")
    assert (digest(tmp_path / "none"), digest(tmp_path)) == ("", "unreadable")


@posix
def test_pipes_and_devices_are_refused_and_links_where_they_must_not_be_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    for name in ("pipe", "device"):
        assert problem_of(tmp_path / name) == "envs.yaml:1:1: cannot be read: is not a regular file"
    with pytest.raises(NoxEnvsError, match="pipe: cannot be written: No such device"):
        FileLock(tmp_path / "pipe", waiting=never).acquire()
    assert read_bytes(tmp_path / "link") == b"x"
    with pytest.raises(OSError, match="is a link"):
        read_bytes(tmp_path / "link", follow=False)
    assert digest(tmp_path / "link", follow=False) == "unreadable"


# writing


@relaxed
@given(text=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\ufeff")))
def test_what_is_written_is_what_is_read(tmp_path: Path, text: str) -> None:
    write_atomically(tmp_path / "deep" / "file", text)
    assert read_text(tmp_path / "deep" / "file", shown="file") == text
    assert os.listdir(tmp_path / "deep") == ["file"]


@posix
def test_a_new_file_has_the_mode_of_the_umask_and_an_existing_one_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "old").touch(0o640)
    (tmp_path / "plain").touch()
    for name in ("old", "new"):
        write_atomically(tmp_path / name, "text")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("old", "new", "plain")]
    assert modes == [0o640, modes[2], modes[2]]


@posix
def test_a_link_is_followed_unless_the_file_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", "new")
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "real").read_text()) == (True, "new")
    write_atomically(tmp_path / "link", "state", durable=False)
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "real").read_text()) == (False, "new")


@posix
def test_what_can_be_made_again_is_never_made_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "folder").symlink_to("outside")
    (tmp_path / "lock").symlink_to("outside/made")
    with pytest.raises(NoxEnvsError, match="the folder is a link"):
        write_atomically(tmp_path / "folder/state", "state", durable=False)
    for path, why in (("folder/lock", "the folder is a link"), ("lock", "symbolic links")):
        with pytest.raises(NoxEnvsError, match=why):
            FileLock(tmp_path / path, waiting=lambda: None).acquire()
    assert os.listdir(tmp_path / "outside") == []


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder" / "kept").mkdir(parents=True)
    for name, text in (("folder", "text"), ("file/below", "text"), ("file", "bad \ud800")):
        with pytest.raises(NoxEnvsError, match=f"{name}: cannot be written: "):
            write_atomically(tmp_path / name, text)
    for number, remedy in ((13, "make it writable for this user"), (28, "free space on that disk")):

        def refuse(self: Path, target: Path, number: int = number) -> Path:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(NoxEnvsError, match=f"{os.strerror(number)}; {remedy}"):
            write_atomically(tmp_path / "file", "new")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"


# locks between processes


@posix
def test_a_lock_is_shared_or_held_alone_and_what_waits_for_it_is_told_once(tmp_path: Path) -> None:
    path, told = tmp_path / "state" / "lock", threading.Semaphore(0)
    one, other = FileLock(path, waiting=never), FileLock(path, waiting=told.release)
    for shared in (False, True, False, True):
        one.acquire(shared=shared)
    other.acquire(shared=True)
    alone = threading.Thread(target=other.acquire, daemon=True)
    alone.start()
    assert told.acquire(timeout=240)
    assert alone.is_alive()
    one.release()
    one.release()
    alone.join(timeout=240)
    assert not alone.is_alive()
    other.release()
    one.acquire()
    one.release()
    assert not told.acquire(blocking=False)
    assert path.read_bytes() == b""


# documents

DOCUMENTS = (
    (parse_json, "{", "is not JSON: Expecting"),
    (parse_json, "[]", "the document: expected a table, found list"),
    (parse_json, "[" * 100_000, "is not JSON"),
    (parse_json, f'{{"a": {"9" * 5000}}}', "is not JSON"),
    (parse_toml, "a = = 1", "is not TOML"),
    (parse_toml, f"a = {'[' * 50_000}", "is nested too deeply"),
    (parse_toml, f"a = 0x{'f' * 5000}", "a number has thousands of digits"),
    (parse_toml, "a." * 10_000 + "a = 1", "a key has more than 200 parts"),
)


def test_a_document_that_cannot_be_read_says_why() -> None:
    for parse, text, told in DOCUMENTS:
        with pytest.raises(Invalid) as caught:
            parse(text)
        assert str(caught.value).startswith(told)
