"""The receipt of an installation, as it is written, read back, and not believed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError
from nox_envs.values import replace
from nox_envs.venv.receipt import (
    FILE_NAME,
    CleanVerdict,
    Receipt,
    Recorded,
    moved,
    read_receipt,
    read_verdict,
    unchanged,
    write_receipt,
)
from nox_envs.venv.snapshot import Interpreter

posix = pytest.mark.skipif(os.name == "nt", reason="needs links and named pipes")

INTERPRETER = Interpreter(version="3.12.1", implementation="cpython", facts=(("python", "link:x"),))
VERDICT = CleanVerdict(inputs=(("envs.yaml", "00"),), key="k", evidence="e", line="clean", report="{}")
EXAMPLE = Receipt(
    lock="00",
    interpreter=INTERPRETER,
    distributions=(
        Recorded(name="apple", version="1.0", record="ab", hashes="cd"),
        Recorded(name="own", version="1", source="-e file:///x", folder="ef"),
        Recorded(name="pip", version="25.0", seed=True),
    ),
    startup=(("lib/a.pth", "sha256:0"),),
    created=(("bin/activate", "sha256:1"),),
    names=("apple",),
    location="/venv",
    installed=1_700_000_000_000_000_001,
    verdict=VERDICT,
)

TEXTS = st.text(max_size=8)
PAIRS = st.dictionaries(TEXTS, TEXTS, max_size=3).map(lambda found: tuple(sorted(found.items())))
NAMES = st.from_regex("[a-z][a-z0-9]{0,5}", fullmatch=True)
WORDS = st.from_regex("[!-~]{0,6}", fullmatch=True)
RECEIPTS = st.builds(
    Receipt,
    lock=TEXTS,
    interpreter=st.builds(
        Interpreter, version=TEXTS, implementation=TEXTS, free_threaded=st.booleans(), facts=PAIRS
    ),
    distributions=st.lists(
        st.builds(Recorded, name=NAMES, version=WORDS, source=WORDS, folder=TEXTS, seed=st.booleans()),
        max_size=3,
    ).map(tuple),
    startup=PAIRS,
    names=st.lists(TEXTS, max_size=3).map(tuple),
    installed=st.integers(min_value=0, max_value=1 << 62),
    verdict=st.none()
    | st.builds(CleanVerdict, inputs=PAIRS, key=TEXTS, evidence=TEXTS, line=TEXTS, report=TEXTS),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(written=RECEIPTS)
def test_a_receipt_reads_back_as_written(tmp_path: Path, written: Receipt) -> None:
    write_receipt(tmp_path, written)
    assert read_receipt(tmp_path) == written
    assert read_verdict(tmp_path) == written.verdict


def test_the_same_receipt_is_the_same_bytes_alone(tmp_path: Path) -> None:
    write_receipt(tmp_path, EXAMPLE)
    first = (tmp_path / FILE_NAME).read_bytes()
    write_receipt(tmp_path, EXAMPLE)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [first]


def test_a_receipt_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    assert read_receipt(tmp_path) is None
    assert read_verdict(tmp_path) is None
    with pytest.raises(NoxEnvsError, match=r"nox-envs\.json: cannot be written"):
        write_receipt(tmp_path, EXAMPLE)


@posix
def test_a_link_in_place_of_the_receipt_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    venv, target = tmp_path / "venv", tmp_path / "target"
    venv.mkdir()
    target.mkdir()
    write_receipt(target, EXAMPLE)
    (venv / FILE_NAME).symlink_to(target / FILE_NAME)
    before = (target / FILE_NAME).read_bytes()
    assert read_receipt(venv) is None
    write_receipt(venv, replace(EXAMPLE, lock="other"))
    assert (target / FILE_NAME).read_bytes() == before
    assert read_receipt(venv) == replace(EXAMPLE, lock="other")


@pytest.mark.parametrize(
    "change", [
        {"schema": 1}, {"schema": True}, {"lock": None}, {"interpreter": []},
        {"interpreter": {"free_threaded": "no"}}, {"interpreter": {"facts": [["a"]]}},
        {"installed": "now"}, {"distributions": {}}, {"distributions": ["apple"]},
        {"distributions": [{"name": "apple", "version": 1}]},
        {"distributions": [{"name": "a b", "version": "1"}]},
        {"distributions": [{"name": "apple", "version": "1\n--index-url=x"}]},
        {"distributions": [{"name": "apple", "version": "1", "source": "https://x --hash=y"}]},
        {"startup": ["a"]}, {"startup": [["a", 1]]}, {"startup": {"a": "b"}}, {"names": [1]}, {"verdict": []},
        {"verdict": {"inputs": [1]}},
    ],
)  # fmt: skip
def test_a_receipt_of_another_form_is_none(tmp_path: Path, change: dict[str, object]) -> None:
    write_receipt(tmp_path, EXAMPLE)
    written = json.loads((tmp_path / FILE_NAME).read_text())
    written.update(change)
    (tmp_path / FILE_NAME).write_text(json.dumps(written))
    assert read_receipt(tmp_path) is None


@pytest.mark.parametrize(
    "data", [
        b"", b"{", b"\xff", b"null", b"[]", b"[" * 100_000, b'{"schema": 2e400}',
        b'{"schema": %s}' % (b"9" * 5000),
    ],
)  # fmt: skip
def test_a_damaged_receipt_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    assert read_receipt(tmp_path) is None
    assert read_verdict(tmp_path) is None


@posix
def test_a_venv_that_was_moved_or_copied_is_noticed_and_one_behind_a_link_is_not(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    receipt = replace(EXAMPLE, location=os.path.realpath(tmp_path / "venv"))
    (tmp_path / "link").symlink_to("venv")
    assert not moved(receipt, tmp_path / "venv")
    assert not moved(receipt, tmp_path / "link")
    (tmp_path / "copy").mkdir()
    assert moved(receipt, tmp_path / "copy")


# What a verdict may make us read.


def verdict_on(*paths: str, content: bytes = b"x") -> CleanVerdict:
    return replace(VERDICT, inputs=tuple((path, hashlib.sha256(content).hexdigest()) for path in paths))


def test_a_verdict_holds_as_long_as_its_inputs_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "a.txt").write_text("x")
    verdict = verdict_on("requirements/a.txt")
    assert unchanged(verdict, tmp_path)
    (tmp_path / "requirements" / "a.txt").write_text("y")
    assert not unchanged(verdict, tmp_path)
    (tmp_path / "requirements" / "a.txt").unlink()
    assert not unchanged(verdict, tmp_path)
    assert unchanged(replace(VERDICT, inputs=(("requirements/a.txt", ""),)), tmp_path)


@posix
@pytest.mark.parametrize(
    "path", ["../secret", "{outside}", "a/../../secret", "folder/secret", "link", "a\\..\\b", "\0"]
)
def test_a_verdict_that_names_a_file_outside_the_project_is_not_used(tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "secret"
    root.mkdir()
    outside.write_text("x")
    (root / "folder").symlink_to(tmp_path)
    (root / "link").symlink_to(outside)
    (root / "own").write_text("x")
    (root / "within").symlink_to("own")
    assert not unchanged(verdict_on(path.replace("{outside}", str(outside))), root)
    assert unchanged(verdict_on("own", "within"), root)
