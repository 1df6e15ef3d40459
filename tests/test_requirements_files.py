"""pip's requirements file format, held against pip and uv themselves."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nox_envs.errors import Place
from nox_envs.requirements import text as texts
from nox_envs.requirements.text import Declared, Option, read_requirements_file
from nox_envs.values import replace
from tests.conftest import Machine, uv

HASH = "sha256:" + "0a" * 32
HERE = Place(origin="r.txt")
OTHER = "sha256:" + "0b" * 32
ENVIRON = {"NAME": "rich", "EMPTY": "", "API_TOKEN": "hunter2", "USER": "me"}


def lines(text: str) -> tuple[Declared | Option, ...]:
    lines, wrong = read_requirements_file(text, origin="r.txt", environ=ENVIRON)
    assert wrong == ()
    return lines


def problems(text: str) -> list[str]:
    return [str(one) for one in read_requirements_file(text, origin="r.txt", environ=ENVIRON)[1]]


def asks(text: str, number: int = 1, *hashes: str, via: tuple[str, ...] = ()) -> Declared:
    place = Place(origin="r.txt", line=number)
    return replace(texts.read_requirement(text, loose=True), place=place, hashes=hashes, via=via)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# head\n\n  \na  # why\nb @ https://e.org/b#c\n\t# d\nhttps://e.org/x#egg=x\n",
         [asks("a", 4), asks("b @ https://e.org/b#c", 5), asks("https://e.org/x#egg=x", 7)]),
        (f"a==1 \\\n    --hash={HASH} \\\n\t--hash={OTHER}\nb\nc \\",
         [asks("a==1", 1, HASH, OTHER), asks("b", 4), asks("c", 5)]),
        (f"a --hash={OTHER.upper()} --hash {HASH} --hash='{HASH}'", [asks("a", 1, HASH, OTHER)]),
        ("a\\\n # x\n# y \\\nb\n", [asks("a", 1), asks("b", 4)]),
        ("a ; os_name == '-x'", [asks("a ; os_name == '-x'")]),
        ("\ufeffa\r\nb\rc\n", [asks("a", 1), asks("b", 2), asks("c", 3)]),
    ],
    ids=["comments", "continuations", "hashes", "a comment ends a continuation", "dash", "ends of systems"],
)  # fmt: skip
def test_a_line_goes_on_behind_a_backslash_and_keeps_the_number_of_its_first(
    text: str, expected: list[Declared]
) -> None:
    assert lines(text) == tuple(expected)


DIFFERENT = "at the end of a comment, is read differently by pip and uv (remove it)"
ODD = "the line contains a backslash or a character that cannot be printed (write / in paths)"


def test_a_line_behind_a_comment_that_ends_in_a_backslash_is_seen() -> None:
    lines, wrong = read_requirements_file(
        f"good==1.0 # c \\\nevil==1.0 --hash={OTHER}\n", origin="r.txt", environ={}
    )
    assert [str(one) for one in wrong] == [f"r.txt:1:1: a control character, or a backslash {DIFFERENT}"]
    assert lines == (asks("evil==1.0", 2, OTHER),)


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_what_ends_a_line_for_pip_only_is_refused_also_in_comments(end: str) -> None:
    for text in (f"# x{end}evil==1\n", f"a{end}b\n", f"a \\\n{end} --hash={HASH}\n", f"a \\{end}\nb\n"):
        assert any(DIFFERENT in one for one in problems(text)), repr(text)


def test_backslashes_and_characters_that_cannot_be_printed_are_refused() -> None:
    for text in ("a \\\\\n>=1", "\\a", "a\xa0# x", "a\n\ufeffb", "-e .\\lib", "-r a\\ b", "a\0"):
        assert [one.partition(": ")[2] for one in problems(text)] == [ODD]


def test_annotations_say_who_asks_whatever_the_style_of_the_compiler() -> None:
    text = (
        "a==1              # via b, Some_Name\n"
        f"c==1 \\\n    --hash={HASH}\n    # via d\n"
        "e==1\n    # via\n    #   -r requirements/test.in\n    #   f (pyproject.toml)\n    #   via\n"
        "g==1\n    # a remark\n    #   h\n\n# via nothing\n"
        "i==1  # why\n    # via j\n"
    )
    assert {texts.requirement_text(line): line.via for line in lines(text) if isinstance(line, Declared)} == {
        "a==1": ("b", "some-name"),
        "c==1": ("d",),
        "e==1": ("-r requirements/test.in", "f (pyproject.toml)", "via"),
        "g==1": (),
        "i==1": ("j",),
    }


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("-r base.txt", "requirements", "base.txt"),
        ("-rbase.txt", "requirements", "base.txt"),
        ("-r=base.txt", "requirements", "base.txt"),
        ("--requirement='my base.txt' # x", "requirements", "my base.txt"),
        ("-r ${NAME}.txt \\\n", "requirements", "rich.txt"),
        ("--constraint \"limits.txt\"", "constraints", "limits.txt"),
        ("-e .", "editable", "-e ."),
        ("-elib", "editable", "-e lib"),
        ("--editable=./a[x]", "editable", "-e ./a[x]"),
        ("--editable './my a'", "editable", "-e ./my a"),
        ("-e ./a ; python_version < '3'", "editable", "-e ./a ; python_version < '3'"),
        ("-e git+https://example.org/a#egg=a", "editable", "-e git+https://example.org/a#egg=a"),
    ],
)  # fmt: skip
def test_an_option_that_names_something_is_read(text: str, kind: texts.Kind, expected: str) -> None:
    option = Option(kind=kind, text=expected, place=HERE)
    assert lines(text) == (asks(expected) if kind == "editable" else option,)


def test_an_option_of_the_installer_is_named_without_its_value() -> None:
    for text in ("-i https://packages.example.org/simple", "--no-index", "--no-binary :all:", "--pre"):
        assert lines(text) == (Option(kind="option", text=text.split()[0], place=HERE),)
    secret = lines("--index-url=https://u:hunter2@packages.example.org/simple")
    assert secret == (Option(kind="option", text="--index-url", secret=True, place=HERE),)


def told(option: str, value: str) -> str:
    hint = "(one option on each line, quotes around a name with spaces)"
    return f"{option} {value!r} is read differently by pip and uv {hint}"


ALONE = "cannot follow a requirement (only --hash can; give anything else a line of its own)"
LENGTH = "is not a hash that can be checked (write sha256: and 64 hex digits)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a --config-settings x=y", f"'--config-settings' {ALONE}"),
        ("a -r b.txt", f"'-r' {ALONE}"),
        ("a --pre", f"'--pre' {ALONE}"),
        (f"a --hash={HASH} ; os_name == 'nt'", f"';' {ALONE}"),
        ("a --hash=md5:00", f"'md5:00' {LENGTH}"),
        (f"a --hash={HASH}0", f"'{HASH[:59]}…' {LENGTH}"),
        (f"a --hash=sha384:{'0' * 95}", f"'sha384:{'0' * 52}…' {LENGTH}"),
        (f"--hash={HASH}", "unknown option '--hash' (put it on the requirement's line)"),
        ("-e", "-e needs a value"),
        ("-r", "-r needs a value"),
        ("-r '' #", told("-r", "''")),
        ("-r a b", told("-r", "a b")),
        ("-r a -c b", told("-r", "a -c b")),
        ("-r a#b", told("-r", "a#b")),
        ("-r a\\\nb", "an option on several lines is read differently by pip and uv (write it on one)"),
        ("-e ./a b", told("-e", "./a b")),
        ("--pre a", told("--pre", "a")),
        ("--requirment a", "unknown option '--requirment' (did you mean '--requirement'?)"),
        ("-x a", "unknown option '-x'"),
        ("${UNSET}>=1", "'${UNSET}>=1': the variable UNSET is not set (set it, or write the value)"),
        ("-r ${EMPTY}.txt", "'${EMPTY}.txt': the variable EMPTY is not set (set it, or write the value)"),
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_a_line_that_cannot_be_kept_is_a_problem_at_its_line(text: str, expected: str) -> None:
    lines, wrong = read_requirements_file(f"ok\n{text}\nb", origin="r.txt", environ=ENVIRON)
    assert [str(one) for one in wrong] == [f"r.txt:2:1: {expected}"]
    assert lines == (asks("ok"), asks("b", 3 + text.count("\n")))


def test_variables_are_expanded_as_pip_does_but_for_secrets() -> None:
    kept = [
        "n @ https://e.org/$NAME",
        "x @ https://${USER}:${PASS}@example.org/",
        "y @ https://example.org/y?k=${API_TOKEN}",
    ]
    lines, _ = read_requirements_file("\n".join([*kept, "${NAME}>=1"]), origin="r.txt", environ=ENVIRON)
    assert lines == tuple(asks(one, n) for n, one in enumerate([*kept, "rich>=1"], 1))


def test_a_password_in_a_misplaced_word_is_never_repeated() -> None:
    url = "https://me:s3cret@x.example/y"
    for line in (f"a -r {url}", f"-r a {url}", f"-e {url} -r", f"--pre {url}", f"a --hash={url}", f"-x{url}"):
        (problem,) = problems(line)
        assert "s3cret" not in problem


# Hostile files


HUGE = {
    "spaces": "a" + " " * 3_000_000 + "#" + "x" * 3_000_000,
    "variables": "x" * 10 + "\\\n" + "${A}://" * 500_000,
    "continuations": "\\\n" * 400_000,
    "hashes": "a \\\n--hash=x " * 100_000,
    "askers": "a # via " + "b, " * 100_000,
    "options": "--reqirement x\n" * 50_000,
    "lines": "a\n" * 3_000_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_files_and_lines_are_read_or_refused(name: str) -> None:
    lines, wrong = read_requirements_file(HUGE[name], origin="r.txt", environ={})
    assert len(lines) + len(wrong) <= 200_001


PIECES = (
    "a", "b", "c==1", " ", "\t", "#", " # x", " \\\n", "\\\n", "\\", "\n", "\r\n", "\r", "\x0c", "\x0b",
    "\ufeff", "\xa0", f" --hash={HASH}", f"    --hash={OTHER}", " ; python_version>'3'", "    # via b", "# ",
    " --pre", "-r x.txt", " -e ./lib", "'", '"', ";", "==", "${A}", "--hash=", "\u2028", "\x85",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)

Asked: TypeAlias = list[tuple[str, list[str]]]
_PIP = """
import json, logging, sys
from pip._internal.req.req_file import parse_requirements
logging.disable(logging.CRITICAL)
for text in sys.stdin:
    with open("r.txt", "w", encoding="utf-8", newline="") as file:
        file.write(json.loads(text))
    try:
        read = [(r.requirement, r.options or {}) for r in parse_requirements("r.txt", None)]
        found = [(text, sorted(set(sum(options.get("hashes", {}).values(), [])))) for text, options in read]
    except Exception:
        found = None
    print(json.dumps(found), flush=True)
"""


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Asked | None]]:
    """Return what pip reads in a file: names with hashes; None for a file that it refuses."""
    folder = tmp_path_factory.mktemp("pip")
    (folder / "x.txt").write_text("included\n")
    argv, pipe = [sys.executable, "-c", _PIP], subprocess.PIPE
    with subprocess.Popen(argv, cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:

        def read(text: str) -> Asked | None:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(text).encode() + b"\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
            return None if found is None else [(_name(requirement), hashes) for requirement, hashes in found]

        yield read


def _name(requirement: str) -> str:
    match = re.match(r"\./[^\s;#]+|\w+", requirement)
    return match[0] if match else requirement


def ours(text: str) -> Asked | None:
    """Return what we read, None for a file with a problem."""
    lines, wrong = read_requirements_file(text, origin="r.txt", environ={})
    asked: Asked = []
    for line in lines:
        if isinstance(line, Declared):
            asked.append((line.name or line.path, [one[7:] for one in line.hashes]))
        elif line.kind == "requirements":
            asked.append(("included", []))
    return None if wrong else asked


@settings(deadline=None, max_examples=500)
@given(text=TEXTS)
@example(text="a # c \\\nb\n")
@example(text="a \\\n # x\nb\n")
@example(text="a \\\n\x0c--hash=x\n")
def test_what_is_read_is_what_pip_reads(pip: Callable[[str], Asked | None], text: str) -> None:
    read, theirs = ours(text), pip(text)
    assert read is None or theirs is None or read == theirs


@pytest.mark.functional
def test_what_is_read_is_what_uv_reads(machine: Machine, tmp_path: Path) -> None:
    for name in "abc":
        with zipfile.ZipFile(tmp_path / f"{name}-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr(
                f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
            )
            wheel.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    (tmp_path / "x.txt").write_text("c\n")
    options = ("-q", "--no-header", "--no-annotate", "--no-deps", "--no-index", "--find-links", ".")
    chosen = random.Random(20)
    compared = 0
    while compared < 60:
        text = "".join(chosen.choice(PIECES) for _ in range(chosen.randint(2, 9))).replace(" -e ./lib", " ")
        read = ours(text)
        if read:
            compared += 1
            (tmp_path / "r.txt").write_text(text, encoding="utf-8", newline="")
            done = machine.run(uv(), "pip", "compile", *options, "r.txt", cwd=tmp_path, check=False)
            names = {name.replace("included", "c") for name, _ in read}
            theirs = set(re.findall(r"^(\w+)==", done.stdout, re.MULTILINE))
            assert done.returncode or names == theirs, repr(text)


@settings(deadline=None)
@given(st.text() | TEXTS | st.text(alphabet="-recifhash='\" \\\n#${}A:/@"))
def test_hostile_text_gives_lines_or_problems(text: str) -> None:
    lines, wrong = read_requirements_file(text, origin="r.txt", environ=ENVIRON)
    assert all(0 < line.place.line <= text.count("\n") + text.count("\r") + 1 for line in lines)
    assert all(one.place.origin == "r.txt" for one in wrong)
