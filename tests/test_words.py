"""Single texts: Pythons, platforms, dates, commands and placeholders."""

from __future__ import annotations

import shlex
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from nox_envs.errors import Invalid, NoxEnvsError
from nox_envs.spec import words
from nox_envs.spec.words import Python, expand_command, parse_python, split_command

relaxed = settings(deadline=None)


@pytest.mark.parametrize(
    ("text", "implementation", "version", "minor", "free_threaded"),
    [
        ("3", "cpython", (3,), "", False),
        ("3.12", "cpython", (3, 12), "3.12", False),
        ("3.12.4", "cpython", (3, 12, 4), "3.12", False),
        ("3.13t", "cpython", (3, 13), "3.13", True),
        ("3.12-64", "cpython", (3, 12), "3.12", False),
        ("py3.12", "cpython", (3, 12), "3.12", False),
        ("python3.12", "cpython", (3, 12), "3.12", False),
        ("cpython3.13t", "cpython", (3, 13), "3.13", True),
        ("pypy3.11", "pypy", (3, 11), "3.11", False),
        ("pypy-3.11", "pypy", (3, 11), "3.11", False),
        ("graalpy3.12", "graalpy", (3, 12), "3.12", False),
        ("pypy", "pypy", (), "", False),
        ("python", "cpython", (), "", False),
    ],
)
def test_a_python_is_read(
    text: str, implementation: str, version: tuple[int, ...], minor: str, free_threaded: bool
) -> None:
    found = parse_python(text)
    assert found == Python(
        text=text, implementation=implementation, version=version, free_threaded=free_threaded
    )
    assert found.minor == minor


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("312", "did you mean 3.12?"),
        ("py312", "did you mean 3.12?"),
        ("313t", "did you mean 3.13t?"),
        ("pypy311", "did you mean pypy3.11?"),
        ("27", "did you mean 2.7?"),
        (">=3.12", 'list the versions: ["3.12", "3.13"]'),
        *(
            (text, 'such as "3.12", "3.13t" or "pypy3.11"')
            for text in ("", "/usr/bin/python3", "3.12 ", "3.12\n", "3.x", "٣.١٢")
        ),
    ],
)
def test_what_is_not_a_python_is_refused_with_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(Invalid, match="is not a Python version") as raised:
        parse_python(text)
    assert raised.value.hint == hint


@pytest.mark.parametrize(
    ("text", "sys_platform", "machine"),
    [
        ("linux", "linux", ""),
        ("macos", "darwin", ""),
        ("Darwin", "darwin", ""),
        ("windows", "win32", ""),
        ("linux-arm64", "linux", "aarch64"),
        ("macos-aarch64", "darwin", "arm64"),
        ("windows-x86_64", "win32", "AMD64"),
        ("linux-ppc64le", "linux", "ppc64le"),
    ],
)
def test_a_platform_is_read(text: str, sys_platform: str, machine: str) -> None:
    assert words.parse_platform(text) == (sys_platform, machine)


@pytest.mark.parametrize("text", ["", "linus", "mac os", "linux-", "linux-a-b", "ubuntu-latest"])
def test_what_is_not_a_platform_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not a platform"):
        words.parse_platform(text)


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", fullmatch=True))
def test_names_are_canonical_as_packaging_has_them(name: str) -> None:
    assert words.canonical_name(name) == canonicalize_name(name)
    assert words.is_name(words.canonical_name(name))
    assert words.is_bare(name)


@pytest.mark.parametrize("text", ["", "a>=1", "a[b]", "-e", "./a", "a b", "a\n", ".hidden"])
def test_what_is_more_than_a_name_is_not_bare(text: str) -> None:
    assert not words.is_bare(text)


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("pytest", ("pytest",)),
        ("pytest  -q\ttests ", ("pytest", "-q", "tests")),
        ("pytest {posargs:tests -q}", ("pytest", "{posargs:tests -q}")),
        ("pytest --root={envdir}/x{posargs: a b}", ("pytest", "--root={envdir}/x{posargs: a b}")),
        (
            "a 'b c' {posargs:x 'y z'} --x=\"{posargs:a b}\"",
            ("a", "b c", "{posargs:x 'y z'}", "--x={posargs:a b}"),
        ),
        ("python -c 'print(1, \"a b\")'", ("python", "-c", 'print(1, "a b")')),
        ("python -c 'a\nb'", ("python", "-c", "a\nb")),
        ("grep a\\ b '' \"|\"", ("grep", "a b", "", "|")),
        ("make \\\n  all\n", ("make", "all")),
        ("tool --set A=1 é {{a}}", ("tool", "--set", "A=1", "é", "{{a}}")),
    ],
)
def test_a_command_is_split_like_a_shell_would(text: str, argv: tuple[str, ...]) -> None:
    assert split_command(text) == argv


@given(st.lists(st.text(st.characters(exclude_characters="{}\0\r", codec="utf-8"), min_size=1), max_size=5))
@relaxed
def test_quoted_words_come_back_as_they_were(argv: list[str]) -> None:
    text = shlex.join(["tool", *argv])
    if "://" not in text and "\\\n" not in text:
        assert split_command(text) == ("tool", *argv)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a | b", "the shell operator '|' has no meaning here"),
        ("a && b", "the shell operator '&&' has no meaning here"),
        ("A=1 b", "a command cannot begin with the assignment of A"),
        ("a\nb", "the command has several lines"),
        ("a 'b", 'a quote is not closed in "a \'b"'),
        ("  ", "the command is empty"),
        ("'' a", "the command is empty"),
        ("-q tests", "a command cannot begin with the option '-q'"),
        ("x" * 40_000, "the command is longer than 32,768 characters"),
    ],
)
def test_a_command_that_only_a_shell_understands_is_refused(text: str, message: str) -> None:
    with pytest.raises(Invalid) as raised:
        split_command(text)
    assert raised.value.message == message


KNOWN = ("name", "python", "django", "posargs", "envdir")
VALUES = {"name": "tests", "django": "5.2", "odd": "a{b}c"}


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "{django}",
        "{{django}}",
        "{posargs}",
        "{posargs:tests -k 'a b'}",
        "{posargs:{name} {{x}}}",
        "{{{name}}}",
    ],
)
def test_good_placeholders_are_accepted(text: str) -> None:
    assert list(words.check_placeholders(text, KNOWN)) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {djnago}", "unknown placeholder {djnago} in 'a {djnago}'"),
        ("{}", "unknown placeholder {} in '{}'"),
        ("a } b", "a single '}' in 'a } b' has no meaning"),
        ("{name", "a single '{' in '{name' has no meaning"),
        ("{name:x}", "{name} in '{name:x}' cannot have a default"),
        ("{posargs:{nmae}}", "unknown placeholder {nmae} in '{nmae}'"),
        ("{posargs:{posargs}}", "unknown placeholder {posargs} in '{posargs}'"),
        ("{posargs:it's}", 'a quote is not closed in "{posargs:it\'s}"'),
    ],
)
def test_a_bad_placeholder_is_explained(text: str, message: str) -> None:
    assert [one.message for one in words.check_placeholders(text, KNOWN)] == [message]


def test_filling_replaces_what_is_known_and_halves_doubled_braces() -> None:
    assert words.fill("django~={django}.0 {{x}} {envdir} {odd}", VALUES) == "django~=5.2.0 {x} {envdir} a{b}c"


def test_filling_a_command_leaves_the_rest_for_the_run() -> None:
    filled = words.fill("{name} {{x}} {envdir} {posargs:{django} {{y}}} {odd}", VALUES, for_run=True)
    assert filled == "tests {{x}} {envdir} {posargs:5.2 {{y}}} a{{b}}c"
    assert words.fill(filled, {"posargs": "", "envdir": "E"}) == "tests {x} E 5.2 {y} a{b}c"


@pytest.mark.parametrize(
    ("argv", "posargs", "expected"),
    [
        (("pytest", "{posargs}"), (), ("pytest",)),
        (("pytest", "{posargs}"), ("a b", ""), ("pytest", "a b", "")),
        (
            ("a", "{posargs:t -k 'x or y' {envdir} {{z}}}"),
            (),
            ("a", "t", "-k", "x or y", ".nox/my tests", "{z}"),
        ),
        (("a", "{posargs:t -k 'x or y'}"), ("one",), ("a", "one")),
        (("sh", "-c", "x {posargs:tests} y"), (), ("sh", "-c", "x tests y")),
        (("--args={posargs}",), ("a", "{b}"), ("--args=a {b}",)),
        (("--args={posargs}",), (), ("--args=",)),
        (("{envdir}/bin/x", "{{posargs}}", "${{HOME}}"), (), (".nox/my tests/bin/x", "{posargs}", "${HOME}")),
    ],
)
def test_a_command_is_completed_for_the_run(
    argv: tuple[str, ...], posargs: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert expand_command(argv, posargs=posargs, envdir=".nox/my tests") == expected


def test_a_default_that_a_value_makes_unsplittable_is_an_error() -> None:
    with pytest.raises(NoxEnvsError, match="a quote is not closed in"):
        expand_command(("{posargs:it's}",), posargs=(), envdir="E")


@given(st.text(min_size=1))
@relaxed
def test_a_value_survives_filling_and_running_whatever_it_is(value: str) -> None:
    filled = words.fill("{axis}", {"axis": value}, for_run=True)
    assert words.fill(filled, {"posargs": "x", "envdir": "E"}) == value
    assert words.fill("{axis}", {"axis": value}) == value


@given(st.text(alphabet="{}:ab '\"\\posargs"))
@relaxed
def test_hostile_texts_are_split_filled_and_completed_or_refused(text: str) -> None:
    words.fill(text, VALUES)
    filled = words.fill(text, VALUES, for_run=True)
    if not list(words.check_placeholders(text, KNOWN)):
        assert isinstance(expand_command((filled,), posargs=(), envdir="E"), tuple)
    with suppress(Invalid):
        split_command(text)
