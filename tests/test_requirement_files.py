from __future__ import annotations

from pathlib import Path

import pytest

from nox_envs.lockfile.text import Lock
from nox_envs.pins import Pin, Source, source_of_url
from nox_envs.workflow.requirement_files import declared_written, pins_written
from tests.plans import planned, wants

SHA, OTHER = "sha256:" + "0a" * 32, "sha256:" + "1b" * 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def direct(name: str, source: Source, *hashes: str) -> Pin:
    return Pin(name=name, version="", source=source, hashes=hashes)


def test_pins_with_and_without_hashes_are_written_apart(tmp_path: Path) -> None:
    pins = (
        Pin(name="apple", version="1.0", hashes=(SHA, OTHER), extras=("x",), marker='os_name != "x"'),
        direct("zipped", Source(kind="archive", url="https://files.example.org/z.zip"), SHA),
        direct("lib", Source(kind="directory", url="file:///project/lib", editable=True)),
        direct("built", Source(kind="directory", url="file:///project/my%20lib")),
        direct("tool", source_of_url(f"git+https://git.example.org/t@{COMMIT}#subdirectory=p")),
        Pin(name="bare", version="2.0"),
    )  # fmt: skip
    with pins_written(pins, tmp_path) as (hashed, others):
        assert Path(hashed).read_text() == (
            f"apple==1.0 --hash={SHA} --hash={OTHER}\nzipped @ https://files.example.org/z.zip --hash={SHA}\n"
        )
        assert Path(others).read_text() == (
            "-e file:///project/lib\nbuilt @ file:///project/my%20lib\n"
            f"tool @ git+https://git.example.org/t@{COMMIT}#subdirectory=p\nbare==2.0\n"
        )
        assert {Path(hashed).parent, Path(others).parent} == {tmp_path}
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_write_is_no_file(tmp_path: Path) -> None:
    with pins_written((), tmp_path) as paths:
        assert paths == ("", "")
        assert list(tmp_path.iterdir()) == []
    with pins_written((Pin(name="a", version="1"),), tmp_path) as (hashed, others):
        assert (hashed, Path(others).name) == ("", "nox-envs-direct.txt")


def test_the_files_are_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), pins_written((Pin(name="a", version="1"),), tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_what_is_declared_is_written_with_absolute_paths(tmp_path: Path) -> None:
    made = planned(
        wants("apple[x]>=1; os_name != 'x'"),
        wants("./lib", name="lib", editable=True),
        wants("./other", name="other"),
        constraints=[wants("pear<2")],
    )
    root = Path("/project").absolute()
    with declared_written(made, tmp_path, root) as (requirements, constraints):
        assert Path(requirements).read_text() == (
            f'apple[x]>=1 ; os_name != "x"\n-e {root.as_uri()}/lib\nother @ {root.as_uri()}/other\n'
        )
        assert Path(constraints).read_text() == "pear<2\n"
    assert list(tmp_path.iterdir()) == []


def test_a_branch_is_the_commit_of_the_lock_that_limits_it(tmp_path: Path) -> None:
    url = "git+https://git.example.org/t"
    pins = (direct("tool", source_of_url(f"{url}@{COMMIT}")),)
    layer = Lock(origin="base.txt", header=None, pins=pins)
    made = planned(wants(f"tool @ {url}@main"))
    with declared_written(made, tmp_path, tmp_path, layers=(layer,)) as (requirements, constraints):
        line = f"tool @ {url}@{COMMIT}\n"
        assert (Path(requirements).read_text(), Path(constraints).read_text()) == (line, line)
