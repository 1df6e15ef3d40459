"""pip's requirements file format, without the files it includes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.requirements.pip_format import Line, _logical_lines, parse

Preprocess: TypeAlias = Callable[[str], Iterable[tuple[int, str]]]
relaxed = settings(deadline=None)
SHA = "sha256:" + "0a" * 32
ENVIRON = {"NAME": "rich", "EMPTY": "", "API_TOKEN": "hunter2", "USER": "me"}


NOT_HERE = "is not read from a requirements file"
INDEXES = f"{NOT_HERE} (declare it under `indexes` of the spec)"
CANNOT = "cannot follow a requirement"


def lines(text: str) -> tuple[Line, ...]:
    parsed = parse(text, origin="r.txt", environ=ENVIRON)
    assert parsed.problems == ()
    return parsed.lines


def problem(text: str) -> str:
    parsed = parse(text, origin="r.txt", environ=ENVIRON)
    assert parsed.lines == ()
    assert len(parsed.problems) == 1
    return str(parsed.problems[0])


def requirement(text: str, number: int = 1, *hashes: str) -> Line:
    return Line(kind="requirement", text=text, number=number, hashes=hashes)


def test_comments_and_empty_lines_are_dropped_but_counted() -> None:
    text = "# head\n\n  \na  # why\nb#c\n\t# d\nhttps://example.org/x#egg=x\n"
    assert lines(text) == (
        requirement("a", 4),
        requirement("b#c", 5),
        requirement("https://example.org/x#egg=x", 7),
    )


def test_a_backslash_continues_a_line_which_keeps_the_number_of_its_first() -> None:
    text = f"a==1 \\\n    --hash={SHA} \\\n    --hash={SHA.replace('0a', '0b')}\nb\nc \\"
    other = SHA.replace("0a", "0b")
    assert lines(text) == (requirement("a==1", 1, SHA, other), requirement("b", 4), requirement("c", 5))


def test_a_comment_ends_a_continuation_and_is_not_continued() -> None:
    assert lines("a\\\n # x\nb # y \\\nc\n# z \\\nd\n") == (
        requirement("a", 1),
        requirement("b", 3),
        requirement("d", 6),
    )


def test_a_byte_order_mark_and_foreign_line_ends_are_no_part_of_a_requirement() -> None:
    assert lines("\ufeffa\r\nb\rc") == (requirement("a", 1), requirement("b", 2), requirement("c", 3))


def test_variables_are_expanded_as_pip_does_but_for_secrets() -> None:
    text = (
        "${NAME}>=1\n${EMPTY}\n${UNSET}\n${name}\n$NAME\n"
        "x @ https://${USER}:${PASS}@example.org/${NAME}.zip\n"
        "y @ https://example.org/y?k=${API_TOKEN}\n"
    )
    assert [line.text for line in lines(text)] == [
        "rich>=1",
        "${EMPTY}",
        "${UNSET}",
        "${name}",
        "$NAME",
        "x @ https://${USER}:${PASS}@example.org/rich.zip",
        "y @ https://example.org/y?k=${API_TOKEN}",
    ]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("-r base.txt", "requirements", "base.txt"),
        ("-rbase.txt", "requirements", "base.txt"),
        ("-r=base.txt", "requirements", "base.txt"),
        ("--requirement base.txt", "requirements", "base.txt"),
        ("--requirement='my base.txt' # x", "requirements", "my base.txt"),
        ("-c limits.txt", "constraints", "limits.txt"),
        ("--constraint=limits.txt", "constraints", "limits.txt"),
        ("-e .", "editable", "."),
        ("-e.", "editable", "."),
        ("--editable=./a[x]", "editable", "./a[x]"),
        ("--editable './my a'", "editable", "./my a"),
        ("-e ./a ; python_version < '3'", "editable", "./a ; python_version < '3'"),
        ("-e git+https://example.org/a#egg=a", "editable", "git+https://example.org/a#egg=a"),
        ("a ; os_name == '-x'", "requirement", "a ; os_name == '-x'"),
    ],
)
def test_an_option_that_names_something_is_read(text: str, kind: str, expected: str) -> None:
    (line,) = lines(text)
    assert (line.kind, line.text, line.hashes) == (kind, expected, ())


def test_two_includes_on_one_line_are_both_read() -> None:
    assert [(line.kind, line.text) for line in lines("-r a -c b")] == [
        ("requirements", "a"),
        ("constraints", "b"),
    ]


def test_hashes_are_lower_case_sorted_and_given_once() -> None:
    big = "sha512:" + "F" * 128
    assert lines(f"a --hash={big} --hash {SHA} --hash={SHA}") == (requirement("a", 1, SHA, big.lower()),)


def test_demanding_hashes_asks_for_nothing_that_a_lock_lacks() -> None:
    assert lines("--require-hashes\na") == (requirement("a", 2),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-i https://u:hunter2@example.org", f"--index-url {INDEXES}"),
        ("--extra-index-url=https://example.org", f"--extra-index-url {INDEXES}"),
        ("-f ./wheels", f"--find-links {INDEXES}"),
        ("--no-index", f"--no-index {INDEXES}"),
        ("--no-binary :all:", f"--no-binary {NOT_HERE} (write it as lock: {{no_binary: […]}} in the spec)"),
        ("--only-binary=a", f"--only-binary {NOT_HERE} (write it as lock: {{only_binary: […]}} in the spec)"),
        ("--pre", f"--pre {NOT_HERE} (write allow_prereleases: true in the spec)"),
        ("--trusted-host example.org", f"--trusted-host {NOT_HERE} (configure it for the installer)"),
        ("a --config-settings x=y", f"--config-settings {CANNOT} (it cannot be kept in a lock)"),
        ("a -r b.txt", f"--requirement {CANNOT} (give it a line of its own)"),
        ("a --hash=md5:00", "--hash=md5:00 is no hash (write --hash=sha256: and 64 digits)"),
        ("--hash=sha256:00", "--hash has no requirement to belong to (put it on the requirement's line)"),
        ("-e", "--editable needs a value"),
        ("-e '' #", "-e needs a path or a URL"),
        ("-c x -e ./a", "--editable cannot follow another option (give it a line of its own)"),
        ("-r", "--requirement needs a value"),
        ("-r a b", "'b' has no place here (give each requirement a line of its own)"),
        ("--requirment a", "unknown option --requirment (perhaps --requirement)"),
        ("-x a", "unknown option -x"),
        ("-r 'a", "the options cannot be read: No closing quotation"),
        ("-e 'a", "the options cannot be read: No closing quotation"),
        ("a" * 200_001, "the line is longer than 200000 characters"),
    ],
    ids=lambda text: text[:30],
)
def test_a_line_that_cannot_be_kept_is_a_problem_at_its_line(text: str, expected: str) -> None:
    found = parse(f"\n{text}", origin="r.txt", environ={})
    assert [str(one) for one in found.problems] == [f"r.txt:2:1: {expected}"]
    assert found.lines == ()


def test_a_bad_line_does_not_hide_the_others() -> None:
    found = parse("a\n--pre\n-x\nb", origin="r.txt", environ={})
    assert [line.text for line in found.lines] == ["a", "b"]
    assert [one.place.line for one in found.problems] == [2, 3]


PIECES = st.sampled_from(
    ["a", " ", "\t", "#", "\\", "\n", "\r\n", "==1", "-r x", "'", '"', "--hash=", ";", "\x0c"]
)


@pytest.fixture(scope="module")
def preprocess() -> Preprocess:
    """Return what pip does to the text of a file before it looks at options."""
    module = pytest.importorskip("pip._internal.req.req_file", reason="pip is not installed here")
    found: Preprocess = module.preprocess
    return found


@relaxed
@given(text=st.lists(PIECES, max_size=25).map("".join))
def test_lines_are_joined_and_stripped_as_pip_does(preprocess: Preprocess, text: str) -> None:
    assert list(_logical_lines(text)) == list(preprocess(text))


@relaxed
@given(st.text() | st.lists(PIECES).map("".join) | st.text(alphabet="-recifhash='\" \\\n#${}A:/@"))
def test_hostile_text_gives_lines_or_problems(text: str) -> None:
    parsed = parse(text, origin="r.txt", environ=ENVIRON)
    assert all(line.number > 0 for line in parsed.lines)
    assert all(one.place.origin == "r.txt" for one in parsed.problems)


def test_a_huge_line_is_read_in_no_time() -> None:
    huge = " " * 3_000_000 + "#" + "x" * 3_000_000
    assert lines(f"a{huge}\n") == (requirement("a", 1),)
    assert "longer" in problem("x" * 10 + "\\\n" + "${A}://" * 500_000)


@pytest.mark.parametrize(
    "line",
    [
        "click==1 -r https://me:s3cret@x.example/y",
        "-r a https://me:s3cret@x.example/y",
        "-r -r https://me:s3cret@x.example/y",
    ],
)
def test_a_password_in_a_misplaced_word_is_never_repeated(line: str) -> None:
    parsed = parse(line, origin="a.in", environ={})
    assert "s3cret" not in " ".join(str(problem) for problem in parsed.problems)
