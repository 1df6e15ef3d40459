from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nox_envs.errors import NoxEnvsError
from nox_envs.mutex import held, held_ahead

HOLDER = """\
import sys
from pathlib import Path
from nox_envs.mutex import held

with held(Path(sys.argv[1]), waiting=lambda: print("waiting", flush=True)):
    print("held", flush=True)
    sys.stdin.read()
print("released", flush=True)
"""


@contextmanager
def process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the mutex until its input ends."""
    # Killed, it would leave half a data file to whoever measures coverage.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=unmeasured,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def said(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().strip()


def release(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.close()


def never() -> None:
    pytest.fail("nobody holds the mutex, so there is nothing to wait for")


def test_a_free_mutex_is_held_at_once_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "state" / "mutexes" / "tests"
    with held(path, waiting=never):
        assert path.read_bytes() == b""
    with held(path, waiting=never):
        assert path.is_file()


def test_two_mutexes_do_not_meet(tmp_path: Path) -> None:
    with held(tmp_path / "one", waiting=never), held(tmp_path / "two", waiting=never):
        assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}


def test_a_second_process_waits_until_the_first_is_done(tmp_path: Path) -> None:
    with held(tmp_path / "mutex", waiting=never), process(tmp_path / "mutex") as other:
        assert said(other) == "waiting"
        assert other.poll() is None
        other_says: list[str] = []
        listener = threading.Thread(target=lambda: other_says.append(said(other)))
        listener.start()
        listener.join(timeout=0.2)
        assert other_says == []  # it is not in the block while we are
    # Leaving the block killed it: the next one comes in at once.
    with process(tmp_path / "mutex") as third:
        assert said(third) == "held"
        release(third)
        assert said(third) == "released"


def test_waiting_is_told_once_and_ends_when_the_other_process_is_done(tmp_path: Path) -> None:
    calls: list[float] = []
    with process(tmp_path / "mutex") as other:
        assert said(other) == "held"
        threading.Timer(0.3, release, [other]).start()
        with held(tmp_path / "mutex", waiting=lambda: calls.append(time.monotonic())):
            waited = time.monotonic() - calls[0]
        assert said(other) == "released"
    assert len(calls) == 1
    assert waited >= 0.2


def test_a_holder_that_is_killed_releases(tmp_path: Path) -> None:
    with process(tmp_path / "mutex") as other:
        assert said(other) == "held"
        other.kill()
        other.wait()
        with held(tmp_path / "mutex", waiting=never):
            assert (tmp_path / "mutex").is_file()


def test_an_error_in_the_block_releases(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path / "mutex", waiting=never):
        raise KeyError
    with held(tmp_path / "mutex", waiting=never):
        assert (tmp_path / "mutex").is_file()


def test_the_end_of_patience_is_a_message_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    entered: list[str] = []
    with process(path) as other:
        assert said(other) == "held"
        with pytest.raises(NoxEnvsError) as caught, held(path, waiting=lambda: None, timeout=0.1):
            entered.append("in")
    assert str(caught.value) == f"{path} is held by another process; wait for it or end it, then run again"
    assert entered == []


def test_threads_of_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        with held(tmp_path / "mutex", waiting=lambda: None):
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_mutex_that_is_held_ahead_passes_to_the_block_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "mutex"
    with held_ahead(path, waiting=never):
        with held(path, waiting=never), process(path) as other:
            assert said(other) == "waiting"
        with process(path) as other:
            assert said(other) == "held"
            release(other)
            assert said(other) == "released"
        with held(path, waiting=never):
            assert path.is_file()


def test_a_mutex_that_is_held_ahead_for_nothing_ends_with_its_own_block(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    with pytest.raises(KeyError), held_ahead(path, waiting=never):
        raise KeyError
    with process(path) as other:
        assert said(other) == "held"
        release(other)
        assert said(other) == "released"


def test_a_mutex_that_nobody_took_from_ahead_is_taken_anew_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    with pytest.raises(KeyError), held_ahead(path, waiting=never):
        raise KeyError
    with held(path, waiting=never), process(path) as other:
        assert said(other) == "waiting"
