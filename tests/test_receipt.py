from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_envs import receipt
from nox_envs.errors import NoxEnvsError
from nox_envs.pins import INDEX, Source
from nox_envs.receipt import Receipt, Recorded
from nox_envs.snapshot import Interpreter, take
from nox_envs.values import replace
from tests.conftest import BareVenv, MakeVenv

EXAMPLE = Receipt(
    lock="sha256:00",
    interpreter=Interpreter(version="3.12.1", implementation="cpython"),
    installer="uv 0.9.0",
    project="abc",
    distributions=(
        Recorded(name="apple", version="1.0", record="ab"),
        Recorded(
            name="lib",
            version="2.0",
            source=Source(
                kind="vcs", url="git+https://e.org/r", revision="c", requested="v", subdirectory="s"
            ),
        ),
        Recorded(name="own", version="1", source=Source(kind="directory", url="file:///x", editable=True)),
        Recorded(name="pear", version="1", source=Source(kind="archive", url="u", hashes=("sha256:1",))),
    ),
)

TEXTS = st.text(max_size=8)
SOURCES = st.just(INDEX) | st.builds(
    Source,
    kind=st.sampled_from(["archive", "vcs", "directory"]),
    url=TEXTS,
    revision=TEXTS,
    requested=TEXTS,
    subdirectory=TEXTS,
    editable=st.booleans(),
    hashes=st.lists(TEXTS, max_size=2).map(tuple),
)
RECEIPTS = st.builds(
    Receipt,
    schema=st.just(1),
    lock=TEXTS,
    interpreter=st.builds(Interpreter, version=TEXTS, implementation=TEXTS, free_threaded=st.booleans()),
    installer=TEXTS,
    project=TEXTS,
    distributions=st.lists(
        st.builds(Recorded, name=TEXTS, version=TEXTS, source=SOURCES, record=TEXTS, tree=TEXTS), max_size=3
    ).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(written=RECEIPTS)
def test_a_receipt_reads_back_as_written(tmp_path: Path, written: Receipt) -> None:
    receipt.write(tmp_path, written)
    assert receipt.read(tmp_path) == written


def test_the_same_receipt_is_the_same_bytes(tmp_path: Path) -> None:
    receipt.write(tmp_path, EXAMPLE)
    first = (tmp_path / "nox-envs.json").read_bytes()
    receipt.write(tmp_path, EXAMPLE)
    assert (tmp_path / "nox-envs.json").read_bytes() == first
    assert b"\r" not in first
    assert list(tmp_path.iterdir()) == [tmp_path / "nox-envs.json"]
    keys = list(json.loads(first))
    assert keys == sorted(keys)


def test_a_venv_without_a_receipt_has_none(tmp_path: Path) -> None:
    assert receipt.read(tmp_path) is None
    assert receipt.read(tmp_path / "nowhere") is None


def test_a_removed_receipt_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    receipt.write(tmp_path, EXAMPLE)
    receipt.remove(tmp_path)
    receipt.remove(tmp_path)
    assert receipt.read(tmp_path) is None


def test_a_receipt_that_cannot_be_written_or_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "nox-envs.json").mkdir()
    assert receipt.read(tmp_path) is None
    with pytest.raises(NoxEnvsError, match=r"nox-envs\.json: cannot be removed"):
        receipt.remove(tmp_path)
    with pytest.raises(NoxEnvsError, match=r"nox-envs\.json: cannot be written"):
        receipt.write(tmp_path, EXAMPLE)


def example() -> dict[str, object]:
    return {
        "schema": 1,
        "lock": "l",
        "interpreter": {"version": "3.12.1", "implementation": "cpython", "free_threaded": False},
        "installer": "uv",
        "project": "",
        "distributions": [{"name": "apple", "version": "1.0", "record": ""}],
    }


def store(venv: Path, document: object) -> None:
    (venv / "nox-envs.json").write_text(json.dumps(document))


def test_the_example_of_the_next_tests_is_sound(tmp_path: Path) -> None:
    store(tmp_path, example())
    assert receipt.read(tmp_path) == Receipt(
        lock="l",
        interpreter=Interpreter(version="3.12.1", implementation="cpython"),
        installer="uv",
        distributions=(Recorded(name="apple", version="1.0"),),
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", 2),
        ("schema", True),
        ("schema", None),
        ("lock", None),
        ("interpreter", []),
        ("interpreter", {"version": "3", "implementation": "cpython", "free_threaded": "no"}),
        ("installer", 1),
        ("distributions", {}),
        ("distributions", ["apple"]),
        ("distributions", [{"name": "apple", "version": 1, "record": ""}]),
        (
            "distributions",
            [{"name": "a", "version": "1", "record": "", "source": {"kind": "moon", "hashes": []}}],
        ),
        ("distributions", [{"name": "a", "version": "1", "record": "", "source": {"kind": "vcs"}}]),
    ],
)
def test_a_receipt_of_another_form_is_none(tmp_path: Path, key: str, value: object) -> None:
    store(tmp_path, {**example(), key: value})
    assert receipt.read(tmp_path) is None


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"null", b"[]", b"[" * 100_000, b'{"schema": 1}', b" " * (1 << 24)]
)
def test_a_damaged_receipt_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "nox-envs.json").write_bytes(data)
    assert receipt.read(tmp_path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(cut=st.integers(min_value=0, max_value=400))
def test_a_receipt_that_was_cut_off_is_none(tmp_path: Path, cut: int) -> None:
    receipt.write(tmp_path, EXAMPLE)
    file = tmp_path / "nox-envs.json"
    file.write_bytes(file.read_bytes()[:cut])
    assert receipt.read(tmp_path) is None


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes")
def test_a_receipt_that_is_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "nox-envs.json")
    assert receipt.read(tmp_path) is None


def test_a_receipt_holds_the_digest_of_each_record(bare_venv: BareVenv) -> None:
    bare_venv.add("apple", "1.0", record="apple.py,sha256=x,1\n")
    bare_venv.add("pear", "2.0", record=None, direct_url='{"url": "file:///pear", "dir_info": {}}')
    made = receipt.of(take(bare_venv.location), lock="l", installer="pip 25.0", project="p")
    assert made == Receipt(
        schema=1,
        lock="l",
        interpreter=Interpreter(version="3.12.1", implementation="cpython"),
        installer="pip 25.0",
        project="p",
        distributions=(
            Recorded(name="apple", version="1.0", record=sha256(b"apple.py,sha256=x,1\n").hexdigest()),
            Recorded(name="pear", version="2.0", source=Source(kind="directory", url="file:///pear")),
        ),
        location=str(bare_venv.location),
    )


@pytest.mark.functional
def test_a_reinstalled_artifact_shows_in_the_receipt(make_venv: MakeVenv) -> None:
    venv = make_venv("uv")
    venv.install("apple==1.0", "pear")
    before = receipt.of(take(venv.location), lock="l", installer="uv")
    again = receipt.of(take(venv.location), lock="l", installer="uv")
    assert before == again
    assert all(recorded.record for recorded in before.distributions)
    record = venv.site / "apple-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "apple/evil.py,,\n")
    after = receipt.of(take(venv.location), lock="l", installer="uv")
    assert replace(after, distributions=()) == replace(before, distributions=())
    changed = set(after.distributions) - set(before.distributions)
    assert [recorded.name for recorded in changed] == ["apple"]
