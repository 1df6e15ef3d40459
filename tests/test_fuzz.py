"""Every reader of foreign input, against bytes at random; the targets are those of `tests/fuzzing`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Machine
from tests.fuzzing.targets import WORDS, targets

some = settings(deadline=None, max_examples=30, suppress_health_check=[*HealthCheck])
every = pytest.mark.parametrize("name", targets())
EDIT = st.tuples(
    st.integers(0, 5000),
    st.sampled_from((0, 0, 1, 4, 30, 1000)),
    st.sampled_from(WORDS) | st.binary(max_size=4),
    st.booleans(),
)


@every
def test_damaged_bytes_end_in_an_answer(name: str) -> None:
    run, seed = targets()[name]

    @some
    @given(st.just(seed) | st.binary(max_size=200), st.lists(EDIT, max_size=5))
    def survives(data: bytes, edits: list[tuple[int, int, bytes, bool]]) -> None:
        for place, length, piece, repeated in edits:
            at = place % (len(data) + 1)
            kept = data[at : at + length] if repeated else b""
            data = data[:at] + kept + piece + kept + data[at + length :]
        run(data)

    survives()


VALUE = r'(?<=: )(?:"(?:[^"\\]|\\.)*"|[-.\d]+|\w+|\[.*?\]|\{.*?\})'
HOSTILE = r'''null|true|-1|1e999|Infinity|NaN|[]|{}|[[]]|[null]|{"": null}|""|"\u001b[31m"|"\ud800"|"a\nb"
"::error::x"|"##[x]"|"../../etc/passwd"|"https://user:s3cr3t@packages.example.org"'''


@pytest.mark.parametrize("name", [name for name in targets() if name.endswith(".json")])
def test_values_of_the_wrong_kind_end_in_an_answer(name: str) -> None:
    run, seed = targets()[name]
    values = [*re.finditer(VALUE, seed.decode(), re.DOTALL)]

    @some
    @given(st.sampled_from(values), st.sampled_from([*re.split("[|\n]", HOSTILE), "9" * 4000, "9" * 5000]))
    def survives(value: re.Match[str], new: str) -> None:
        run(f"{value.string[: value.start()]}{new}{value.string[value.end() :]}".encode())

    survives()


UNITS = b" |a|9|[|{|(|'|a.|@|://|\n |a\n|?token|{a:|*a |../|--hash=sha256:| \\\n|# via a\n|Requires-Dist: a\n"
SIZE, MEMORY = 30_000, 2 << 30


def repeat_everything(name: str) -> None:
    """Give a target one unit again and again, at the end of an example and within."""
    run, seed = targets()[name]
    for unit in UNITS.split(b"|"):
        for at in (len(seed) // 2, len(seed)):
            run(seed[:at] + unit * (SIZE // len(unit)) + b"!\n" + seed[at:])


@pytest.mark.functional
@pytest.mark.skipif(sys.platform == "win32", reason="the limit of memory is POSIX")
@every
def test_no_repetition_takes_much_memory_or_has_no_end(machine: Machine, name: str) -> None:
    code = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))"
    code += f"; from tests.test_fuzz import repeat_everything; repeat_everything({name!r}); print('done')"
    done = machine.run(sys.executable, "-c", code, cwd=Path(__file__).parent.parent, check=False)
    assert done.stdout.endswith("done\n"), done.output[-4000:]
