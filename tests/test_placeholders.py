"""Placeholders: finding, checking, filling, and completing a command for its run."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError
from nox_envs.placeholders import (
    Values,
    defects,
    expand,
    expand_command,
    names_in,
    split_command,
)

relaxed = settings(deadline=None)

KNOWN = ("name", "python", "django", "posargs", "envdir")
VALUES = Values((("name", "tests"), ("django", "5.2"), ("odd", "a{b}c")))


def defect(text: str) -> str:
    found = defects(text, KNOWN)
    assert len(found) == 1
    return f"{found[0].offset}: {found[0].message} ({found[0].hint})"


def run(*argv: str, posargs: tuple[str, ...] = ()) -> tuple[str, ...]:
    return expand_command(argv, posargs=posargs, envdir=".nox/my tests")


def test_names_are_found_in_order_and_inside_defaults() -> None:
    assert names_in("{a}{{b}} {posargs:x {c} {{d}}} {e}") == ("a", "posargs", "c", "e")
    assert names_in("no braces") == ()


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
def test_a_good_text_has_no_defects(text: str) -> None:
    assert defects(text, KNOWN) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {djnago}", "2: unknown placeholder {djnago} (perhaps {django}; a literal brace is doubled)"),
        ("{}", "0: unknown placeholder {} "
         "(known here: {django}, {envdir}, {name}, {posargs}, {python}; a literal brace is doubled)"),
        ("a } b", "2: a single '}' means nothing here (write '}}')"),
        ("{name", "0: a single '{' means nothing here (write '{{')"),
        ("{name:x}", "0: {name} takes no default (only {posargs:…} may have one)"),
        ("{posargs:{nmae}}", "9: unknown placeholder {nmae} (perhaps {name}; a literal brace is doubled)"),
        ("{posargs:{posargs}}", "9: unknown placeholder {posargs} "
         "(known here: {django}, {envdir}, {name}, {python}; a literal brace is doubled)"),
        ("{posargs:it's}", "9: the default of {posargs} cannot be split into words: No closing quotation ()"),
    ],
)  # fmt: skip
def test_a_defect_says_where_what_and_what_to_write(text: str, expected: str) -> None:
    assert defect(text) == expected


def test_filling_replaces_what_is_known_and_halves_doubled_braces() -> None:
    assert VALUES.fill("django~={django}.0 {{x}} {envdir} {odd}") == "django~=5.2.0 {x} {envdir} a{b}c"
    assert VALUES.fill("nothing") == "nothing"
    assert VALUES.fill("{posargs:{name}}") == "{posargs:{name}}"


def test_filling_a_command_leaves_the_rest_for_the_run() -> None:
    filled = VALUES.fill_command("{name} {{x}} {envdir} {posargs:{django} {{y}}} {odd}")
    assert filled == "tests {{x}} {envdir} {posargs:5.2 {{y}}} a{{b}}c"
    assert expand(filled, envdir="E") == "tests {x} E 5.2 {y} a{b}c"


def test_values_can_be_replaced_one_by_one() -> None:
    other = VALUES.replaced("name", "docs")
    assert (other.get("name"), VALUES.get("name"), other.get("none")) == ("docs", "tests", None)


def test_posargs_as_a_word_are_any_number_of_words() -> None:
    assert run("pytest", "{posargs}") == ("pytest",)
    assert run("pytest", "{posargs}", posargs=("a b", "")) == ("pytest", "a b", "")


def test_a_default_is_split_like_a_shell_would_and_only_used_without_posargs() -> None:
    command = ("pytest", "{posargs:tests -k 'a or b' {envdir} {{x}}}")
    assert run(*command) == ("pytest", "tests", "-k", "a or b", ".nox/my tests", "{x}")
    assert run(*command, posargs=("one",)) == ("pytest", "one")


def test_posargs_inside_a_word_are_joined_by_spaces() -> None:
    assert run("sh", "-c", "x {posargs:tests} y") == ("sh", "-c", "x tests y")
    assert run("--args={posargs}", posargs=("a", "b")) == ("--args=a b",)
    assert run("--args={posargs}") == ("--args=",)


def test_the_venv_and_literal_braces_are_completed_everywhere() -> None:
    assert run("{envdir}/bin/x", "{{posargs}}", "{}", "${{HOME}}") == (
        ".nox/my tests/bin/x",
        "{posargs}",
        "{}",
        "${HOME}",
    )


def test_a_default_that_cannot_be_split_is_an_error() -> None:
    with pytest.raises(NoxEnvsError, match="No closing quotation"):
        run("{posargs:it's}")


def test_a_command_string_keeps_a_default_in_one_piece() -> None:
    text = "pytest -k 'not slow' {posargs:tests -k 'a b'} --x=\"{posargs:a b}\" {{a b}}"
    assert split_command(text) == (
        "pytest",
        "-k",
        "not slow",
        "{posargs:tests -k 'a b'}",
        "--x={posargs:a b}",
        "{{a",
        "b}}",
    )


@pytest.mark.parametrize("text", ["a 'b", "a\0b"])
def test_a_command_string_that_cannot_be_split_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"No closing quotation|NUL"):
        split_command(text)


@relaxed
@given(st.text())
def test_a_value_survives_filling_and_running_whatever_it_is(value: str) -> None:
    values = Values((("axis", value),))
    assert expand(values.fill_command("{axis}"), envdir="E", posargs=("x",)) == value
    assert values.fill("{axis}") == value


@relaxed
@given(st.text(alphabet="{}:ab '\"\\posargs"))
def test_hostile_texts_raise_nothing(text: str) -> None:
    VALUES.fill(text)
    filled = VALUES.fill_command(text)
    if not defects(text, KNOWN):
        assert isinstance(expand_command((filled,), posargs=(), envdir="E"), tuple)


@relaxed
@given(st.lists(st.text(alphabet=st.characters(exclude_characters="{}\0", exclude_categories=["Cs"]))))
def test_without_placeholders_a_command_is_split_as_a_shell_would(words: list[str]) -> None:
    assert split_command(shlex.join(words)) == tuple(words)
