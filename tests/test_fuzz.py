"""Every reader of what others wrote, against bytes that nobody meant: only our own errors come out.

The targets are those of `tests/fuzzing`, which a coverage-guided fuzzer runs for longer (`nox -s fuzz`).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Machine
from tests.fuzzing.targets import Target, targets

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

TARGETS = list(targets())
TABLES = [name for name, target in targets().items() if target.seeds[0][:1] == b"{"]

some = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

JUNK = (
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b"\\",
    b"'",
    b'"',
    b"{",
    b"[",
    b"#",
    b":",
    b"-",
    b" ",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xae",
    b"\x1b[31m",
    b"../",
    b"9" * 400,
    b"(" * 400,
)


@st.composite
def damaged(draw: Callable[[st.SearchStrategy[object]], object], target: Target) -> bytes:
    """Take a valid example and cut, repeat, replace and insert in it."""
    data: object = draw(st.sampled_from(target.seeds))
    assert isinstance(data, bytes)
    words = st.sampled_from((*target.words, *JUNK)) | st.binary(max_size=4)
    for _ in range(_number(draw(st.integers(1, 5)))):
        at = _number(draw(st.integers(0, len(data))))
        length = _number(draw(st.sampled_from((0, 0, 1, 4, 30, 1000))))
        piece: object = draw(words)
        assert isinstance(piece, bytes)
        kept = data[at : at + length] if draw(st.booleans()) else b""
        data = data[:at] + kept + piece + kept + data[at + length :]
    return data


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_survives_damaged_bytes(name: str) -> None:
    target = targets()[name]

    @given(damaged(target) | st.binary(max_size=200))
    @some
    def survives(data: bytes) -> None:
        target.run(data)

    survives()


HOSTILE: list[Json] = [
    None,
    True,
    -1,
    10**400,
    math.inf,
    math.nan,
    "",
    "\x1b[31m",
    "\ud800",
    "a\nb",
    [],
    {},
    [[]],
    [None],
    {"": None},
    "x" * 10_000,
    "::error::x",
    "../../etc/passwd",
    "https://user:pass@packages.example.org",
]


def replaced(value: Json, number: int, new: Json) -> Json:
    """Replace one of the values in a JSON document, counted in depth."""
    seen = -1

    def go(one: Json) -> Json:
        nonlocal seen
        seen += 1
        if seen == number:
            return new
        if isinstance(one, list):
            return [go(item) for item in one]
        return {key: go(item) for key, item in one.items()} if isinstance(one, dict) else one

    return go(value)


@pytest.mark.parametrize("name", TABLES)
def test_a_reader_of_tables_survives_values_of_the_wrong_kind(name: str) -> None:
    target = targets()[name]

    @given(st.sampled_from(target.seeds), st.integers(0, 80), st.sampled_from(HOSTILE))
    @some
    def survives(seed: bytes, number: int, new: Json) -> None:
        target.run(json.dumps(replaced(json.loads(seed), number, new)).encode())

    survives()


UNITS = (
    b" ",
    b"a",
    b"9",
    b"[",
    b"{",
    b"(",
    b"a.",
    b"@",
    b"://",
    b"\n ",
    b"a\n",
    b"'",
    b'"',
    b"?token",
    b"{a:",
    b"*a ",
)
SIZE = 30_000
CPU_SECONDS, BYTES = 180, 3 << 30


def repeat_everything() -> None:
    """Give every target one unit again and again, at the ends of an example and within."""
    for target in targets().values():
        seed = target.seeds[0]
        for unit in (*UNITS, *target.words):
            pumped = unit * (SIZE // len(unit))
            for at in (len(seed) // 2, len(seed)):
                target.run(seed[:at] + pumped + b"!\n" + seed[at:])


@pytest.mark.functional
@pytest.mark.skipif(sys.platform == "win32", reason="limits of processor time and memory are POSIX")
def test_no_repetition_takes_a_reader_long_or_much_memory(machine: Machine) -> None:
    # What takes quadratic time for such inputs takes hours, so the limit is no measure of speed.
    limits = f"(resource.RLIMIT_CPU, ({CPU_SECONDS},) * 2), (resource.RLIMIT_AS, ({BYTES},) * 2)"
    code = f"import resource; [resource.setrlimit(*one) for one in ({limits})]"
    code += "; from tests.test_fuzz import repeat_everything; repeat_everything(); print('done')"
    done = machine.run(sys.executable, "-c", code, cwd=Path(__file__).parent.parent, check=False)
    assert done.stdout.endswith("done\n"), done.output[-4000:]
