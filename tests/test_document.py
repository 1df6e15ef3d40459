"""YAML to nodes with positions, within limits, and nodes to checked values."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.document import (
    Boolean,
    ByKind,
    Choice,
    Fields,
    Integer,
    Json,
    Key,
    ListOf,
    MapOf,
    Mapped,
    Mapping,
    Placed,
    Problems,
    Record,
    Scalar,
    Sequence,
    Shape,
    Text,
    Unfit,
    compose,
    join,
    show,
)
from nox_envs.errors import FileProblems, Place

relaxed = settings(deadline=None)

Loader: TypeAlias = type[yaml.BaseLoader] | type[yaml.CBaseLoader]
pure_or_c = pytest.mark.parametrize("loader", [yaml.BaseLoader, yaml.CBaseLoader], ids=["pure", "c"])

BROKEN = {
    "a: b: c": "1:5: a second ':' cannot stand here",
    "a: b\n c: d": "2:3: a second ':' cannot stand here",
    "a:\n\t- b": "2:1: a tab cannot indent in YAML",
    "\ta: b": "1:1: a tab cannot indent in YAML",
    "a: b\n\tc: d": "2:1: a tab cannot indent in YAML",
    "a: [1,2": "1:4: the '[' opened here is never closed",
    "a: {b": "1:4: the '{' opened here is never closed",
    "a: [b\nc: d\n": "1:4: the '[' opened here has neither ',' nor ']' where one is expected (line 2)",
    "a: 'x": "1:4: the quote ' opened here is never closed",
    '"a: b': '1:1: the quote " opened here is never closed',
    "- a\nb: c": "2:1: is not valid YAML",
    "key: value\n- a": "2:1: is not valid YAML",
    "a: 1\n...\nb: 2": "3:1: is not valid YAML",
    "a: |3\n x": "2:2: is not valid YAML",
    "a: >x\n b": "1:5: is not valid YAML",
    "a: ]": "1:4: is not valid YAML",
    "a: @x": "1:4: an unquoted text cannot begin with '@'",
    "a: `x`": "1:4: an unquoted text cannot begin with '`'",
    "a: %x": "1:4: an unquoted text cannot begin with '%'",
    "a: - b": "1:4: a list cannot begin here",
    "x: 'a' b": "1:8: more text follows a quoted text",
    "x: {a}/b": "1:7: is not valid YAML (quote a text that begins with '{' or '[')",
    'a: "\\z"': "1:4: a backslash in double quotes begins no escape that YAML knows",
    'a: "\\xzz"': "1:4: a backslash in double quotes begins no escape that YAML knows",
    "%YAML 1.2\n---\na: b": "1:1: YAML directives are not read",
    "# first\n%TAG ! x\n---\na: b": "2:1: YAML directives are not read",
    "a: \x00": "1:4: the character U+0000 is not allowed here",
    "a: é\nb: \ufeffx": "2:4: the character U+FEFF is not allowed here",
    "a: \ud800": "1:4: the character U+D800 is not allowed here",
    "": "1:1: the file is empty",
    "# only a comment\n": "1:1: the file is empty",
    "---\n": "1:1: the file is empty",
    "just text": "1:1: the file must be a mapping, but it is the text 'just text'",
    "- a": "1:1: the file must be a mapping, but it is a list",
    "a: 1\n---\nb: 2": "2:1: a second YAML document begins here",
    "a: *x": "1:4: the alias *x has no anchor above it",
    "a: &x [*x]": "1:8: the alias *x stands inside the value it repeats",
}


def problems_of(text: str, loader: Loader = yaml.CBaseLoader) -> str:
    """Return the problems of a text, without the name of the file; nothing for a good one."""
    problems = Problems("f")
    try:
        compose(text, problems, loader=loader)
    except FileProblems as error:
        return str(error).replace("f:", "", 1).replace("\nf:", "\n")
    return str(problems.error()).replace("f:", "", 1).replace("\nf:", "\n")


def root(text: str) -> Mapping:
    problems = Problems("f")
    composed = compose(text, problems)
    assert not problems
    return composed


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
@pure_or_c
def test_both_parsers_lead_to_the_same_words_and_place(text: str, loader: Loader) -> None:
    assert problems_of(text, loader).startswith(BROKEN[text])


GOLDEN = sorted((Path(__file__).parent / "golden" / "spec").glob("*.yaml"), key=lambda path: path.name)


@pytest.mark.parametrize("path", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_both_parsers_give_the_same_nodes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert problems_of(text, yaml.BaseLoader) == problems_of(text, yaml.CBaseLoader)
    pure, c = (composed_or_refused(text, loader) for loader in (yaml.BaseLoader, yaml.CBaseLoader))
    assert isinstance(pure, FileProblems) or pure == c


@pure_or_c
def test_problems_that_do_not_stop_the_reading_are_all_found(
    loader: Loader,
) -> None:
    text = "a: !!int 3\nb: !x [1]\n? [k]\n: v\n'': 1\n?\n: 2\n"
    text += '<<: {c: 1}\na: 4\nc: {d: 1, d: 2}\ne: "\\0"\n'
    assert [line.split(" (")[0] for line in problems_of(text, loader).splitlines()] == [
        "1:4: a: the YAML tag '!!int' is not read",
        "2:4: b: the YAML tag '!x' is not read",
        "3:3: a key must be text",
        "6:2: a key is missing before ':'",
        "8:1: merge keys",
        "9:1: the key 'a' is written twice",
        "10:11: c: the key 'd' is written twice",
        "11:4: e: holds the control character U+0000",
    ]


def test_a_quoted_merge_key_is_a_key() -> None:
    assert root("'<<': a").entries[0][0].text == "<<"


def test_nodes_keep_raw_text_quotes_and_positions() -> None:
    composed = root('version: 3.10\nlist:\n  - on\n  - "1"\n')
    (version, number), (_, items) = composed.entries
    assert (version.text, version.place) == ("version", Place(origin="f", line=1, column=1))
    assert number == Scalar("3.10", True, Place(origin="f", line=1, column=10))
    assert isinstance(items, Sequence)
    assert items.items == (
        Scalar("on", True, Place(origin="f", line=3, column=5)),
        Scalar("1", False, Place(origin="f", line=4, column=5)),
    )
    assert composed.value("list") is items
    assert composed.value("nothing") is None


@pure_or_c
@pytest.mark.parametrize("text", ["a:", "a:   # nothing", "{a: , b: c}", "{a: }", "{a}"])
def test_a_value_that_is_not_written_stands_where_its_key_does(text: str, loader: Loader) -> None:
    node = compose(text, Problems("f"), loader=loader).value("a")
    assert node is not None
    assert node == Scalar("", True, Place(origin="f", line=1, column=1 + text.startswith("{")))


def test_an_alias_repeats_the_node_of_its_anchor() -> None:
    composed = root("a: &x [1]\nb: *x\nc: &y text\nd: *y\n")
    assert composed.value("a") is composed.value("b")
    assert composed.value("c") is composed.value("d")


def test_a_byte_order_mark_is_passed_over() -> None:
    assert root("\ufeffa: b").entries[0][0].text == "a"


@pure_or_c
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: " + "x" * 3_000_000, "1:1: the file is larger than 1 MiB"),
        ("[" * 100_000, "1:41: is nested deeper than 40 levels"),
        ("{a: " * 50_000, "1:161: is nested deeper than 40 levels"),
        ("".join(" " * depth + "a:\n" for depth in range(300)), "41:41: is nested deeper than 40 levels"),
    ],
    ids=["a line of 3 MB", "brackets", "braces", "indentation"],
)
def test_large_and_deep_files_are_refused_at_once(text: str, expected: str, loader: Loader) -> None:
    begun = time.perf_counter()
    assert problems_of(text, loader).startswith(expected)
    assert time.perf_counter() - begun < 2


@pure_or_c
def test_aliases_that_explode_are_refused(loader: Loader) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert problems_of("\n".join(lines), loader).startswith(
        "4:45: the aliases of this file expand to more than 10,000 values"
    )


def test_an_overflow_in_the_pure_parser_is_a_problem_like_any_other() -> None:
    assert "is not valid YAML near here" in problems_of('a: "\\U99999999"', yaml.BaseLoader)


def composed_or_refused(text: str, loader: Loader) -> Mapping | FileProblems:
    try:
        return compose(text, Problems("f"), loader=loader)
    except FileProblems as error:
        return error


@pure_or_c
@given(text=st.text(st.sampled_from("ab:-?[]{}&*!|>'\"%@#,\n \t\\<~0é\u2028\x85")))
@relaxed
def test_any_text_is_read_or_refused(loader: Loader, text: str) -> None:
    found = composed_or_refused(text, loader)
    if isinstance(found, FileProblems):
        assert found.problems
        assert all(one.place.line >= 1 and one.place.column >= 1 for one in found.problems)
    else:
        assert isinstance(found, Mapping)


# shapes


def read(shape: Shape[object], text: str) -> object:
    """Return what a shape makes of the value of the key `a`, or the text of the problems."""
    problems = Problems("f")
    node = compose(f"a: {text}", problems).value("a")
    assert node is not None
    value = shape.read(node, problems)
    return str(problems.error()).replace("f:1:", "") if problems else value


def upper(text: str) -> str:
    if text == "bad":
        raise Unfit("is bad", "be good")
    return text.upper()


UPPER = Text(upper, pattern="^[a-z]+$")


TEXTS = ListOf(UPPER, expected="texts")
FILLED = ListOf(UPPER, expected="texts", filled=True)
DISTINCT = ListOf(UPPER, expected="texts", distinct=True)
PAIRS = MapOf(UPPER, UPPER, expected="pairs", filled=True)
MANY = Choice(*map(str, range(20)), expected="a number")


@pytest.mark.parametrize(
    ("shape", "text", "expected"),
    [
        (UPPER, "3.10", "3.10"),
        (UPPER, "yes", "YES"),
        (UPPER, '""', ""),
        (Choice("one", "two"), "two", "two"),
        (Boolean(), "true", True),
        (Boolean(), "false", False),
        (Integer(), "-9", -9),
        (Integer(), "0", 0),
        (TEXTS, "b", ("B",)),
        (TEXTS, "[b, c]", ("B", "C")),
        (TEXTS, "[]", ()),
        (ByKind(scalar=UPPER, sequence=TEXTS), "b", "B"),
        (ByKind(scalar=UPPER, sequence=TEXTS), "[b]", ("B",)),
        (Mapped(UPPER, len), "abc", 3),
        (Placed(UPPER, lambda value, place: (value, place.column)), "b", ("B", 4)),
    ],
)
def test_a_shape_reads_what_it_says(shape: Shape[object], text: str, expected: object) -> None:
    assert read(shape, text) == expected


@pytest.mark.parametrize(
    ("shape", "text", "expected"),
    [
        (UPPER, "bad", "is bad (be good)"),
        (UPPER, "", "has no value (expected text)"),
        (UPPER, "~", "expected text, found YAML's null (~) (put it into quotes if it is meant as a text)"),
        (UPPER, "[a]", "expected text, found a list"),
        (UPPER, "{b: c}", "expected text, found a mapping"),
        (UPPER, "{x}", "expected text, found a mapping (quote a value that begins with a brace: '{x}')"),
        (Choice("one", "two"), "tow", "expected one or two, found 'tow' (did you mean 'two'?)"),
        (Choice("one", "two"), "[one]", "expected one or two, found a list"),
        (Choice("one", "two", expected="it"), "x", "expected it, found 'x' (known: one, two)"),
        (MANY, "x", "expected a number, found 'x' (`nox-envs schema` lists them)"),
        (Boolean(), "yes", "expected true or false, found 'yes'"),
        (Boolean(), "'true'", "expected true or false, found a quoted text (remove the quotes)"),
        (Integer(), "012", "expected an integer, found '012'"),
        (Integer(), "1_0", "expected an integer, found '1_0'"),
        (Integer(), "٣", "expected an integer, found '٣'"),
        (Integer(), "9" * 5000, f"expected an integer, found '{'9' * 59}…'"),
        (Integer(), "'1'", "expected an integer, found a quoted text (remove the quotes)"),
        (TEXTS, "{b: c}", "expected texts, found a mapping"),
        (TEXTS, "", "has no value (expected texts)"),
        (FILLED, "[]", "is an empty list; expected texts"),
        (DISTINCT, "[b, b]", "'b' is listed twice (keep one of them)"),
        (PAIRS, "{}", "is an empty mapping; expected pairs"),
        (PAIRS, "[b]", "expected pairs, found a list"),
        (PAIRS, "{bad: c}", "is bad (be good)"),
        (ByKind(scalar=UPPER), "{}", "expected text, found a mapping"),
        (ByKind(scalar=UPPER), "", "has no value (expected text)"),
        (Mapped(UPPER, len), "[]", "expected text, found a list"),
        (Mapped(Text(str), upper), "bad", "is bad (be good)"),
        (Placed(UPPER, lambda value, place: value), "[]", "expected text, found a list"),
    ],
)
def test_a_shape_refuses_everything_else(shape: Shape[object], text: str, expected: str) -> None:
    assert str(read(shape, text)).partition(": a")[2].partition(": ")[2] == expected


def test_a_list_leaves_out_what_its_item_refuses() -> None:
    problems = Problems("f")
    node = compose("a: [b, bad, c]", problems).value("a")
    assert node is not None
    assert ListOf(UPPER, expected="texts").read(node, problems) == ("B", "C")
    assert len(problems) == 1


NAME = Key("name", "Its name.", UPPER, required="such as name: x")
WIDTH = Key("width", "Its width.", Integer())
SIZE = Key("size", "Its size.", Integer(), also="width breadth")


def pair(fields: Fields) -> tuple[str, int | None]:
    size = fields.get(SIZE)
    return fields.need(NAME), size


PAIR = Record("pair", (NAME, SIZE), pair, elsewhere=(("colour", "things have no colour"),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{name: x, size: 3}", ("X", 3)),
        ("{name: x}", ("X", None)),
        ("{name: bad, size: x}", "11: a.name: is bad (be good)\n22: a.size: expected an integer, found 'x'"),
        ("{size: 3}", "4: a: the key 'name' is missing (such as name: x)"),
        ("{name: x, sise: 3}", "14: a.sise: unknown key (did you mean 'size'?)"),
        ("{name: x, width: 3}", "14: a.width: unknown key (here it is called 'size')"),
        ("{name: x, colour: 3}", "14: a.colour: unknown key (things have no colour)"),
        ("{name: x, zzz: 3}", "14: a.zzz: unknown key (known keys: name, size)"),
        ("[x]", "4: a: expected a mapping, found a list"),
        ("", "1: a: has no value (expected a mapping)"),
    ],
)
def test_a_record_reads_its_keys(text: str, expected: object) -> None:
    assert str(read(PAIR, text)).replace("\nf:1:", "\n") == str(expected).replace("\nf:1:", "\n")


def test_a_nullable_record_reads_nothing_as_an_empty_mapping() -> None:
    record = Record("pair", (SIZE,), lambda fields: (fields.get(SIZE),), nullable=True)
    assert read(record, "") == (None,)


def test_a_record_of_one_key_wants_exactly_one() -> None:
    record = Record("one", (WIDTH, SIZE), lambda fields: fields.get(SIZE), single=True)
    assert read(record, "{size: 1}") == 1
    assert read(record, "{size: 1, width: 2}") == "4: a: expected exactly one of the keys width, size"


def schema_of(shape: Shape[object]) -> Json:
    return shape.schema({})


def test_shapes_write_what_they_read_as_schema() -> None:
    assert schema_of(UPPER) == {"$ref": "#/$defs/text", "pattern": "^[a-z]+$"}
    assert schema_of(Choice("a", "b")) == {"enum": ["a", "b"]}
    assert schema_of(Integer(only=1)) == {"type": "integer", "const": 1}
    assert schema_of(ListOf(Integer(), expected="x", filled=True, distinct=True)) == {
        "anyOf": [
            {"type": "integer"},
            {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": True},
        ]
    }
    assert schema_of(ListOf(PAIR, expected="x")) == {"type": "array", "items": {"$ref": "#/$defs/pair"}}
    assert schema_of(MapOf(Choice("a", "b"), Boolean(), expected="x", filled=True)) == {
        "type": "object",
        "additionalProperties": {"type": "boolean"},
        "propertyNames": {"enum": ["a", "b"]},
        "minProperties": 1,
    }
    either = ByKind(scalar=Text(str), mapping=PAIR, sequence=ListOf(Boolean(), expected="x", single=False))
    assert schema_of(ListOf(either, expected="x")) == {
        "anyOf": [{"$ref": "#/$defs/text"}, {"type": "array", "items": schema_of(either)}]
    }
    both = ByKind(scalar=Text(str), mapping=None, sequence=ListOf(Boolean(), expected="x"))
    assert schema_of(ListOf(both, expected="x")) == {
        "anyOf": [
            {"anyOf": [{"$ref": "#/$defs/text"}, {"type": "boolean"}]},
            {"type": "array", "items": schema_of(both)},
        ]
    }


def test_a_record_is_a_definition_of_the_schema() -> None:
    definitions: dict[str, Json] = {}
    record = Record("pair", (NAME, SIZE), pair, nullable=True, single=True)
    assert record.schema(definitions) == {"$ref": "#/$defs/pair"}
    assert record.schema(definitions) == {"$ref": "#/$defs/pair"}
    assert definitions["pair"] == {
        "type": ["object", "null"],
        "properties": {
            "name": {"description": "Its name.", "$ref": "#/$defs/text", "pattern": "^[a-z]+$"},
            "size": {"description": "Its size.", "type": "integer"},
        },
        "additionalProperties": False,
        "required": ["name"],
        "minProperties": 1,
        "maxProperties": 1,
    }


# words in messages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "'plain'"),
        ("it's", '"it\'s"'),
        ("a\nb", "'a\\nb'"),
        ("x" * 61, "'" + "x" * 59 + "…'"),
        ("https://alice:s3cret@packages.example.org/simple", "'https://***@packages.example.org/simple'"),
        ("https://alice:p@ss/w@packages.example.org", "'https://***@packages.example.org'"),
    ],
)
def test_words_are_shown_short_escaped_and_without_credentials(text: str, expected: str) -> None:
    assert show(text) == expected


def test_paths_quote_keys_that_are_no_words() -> None:
    assert join("", "a") == "a"
    assert join("a", "b-c_1") == "a.b-c_1"
    assert join("a", "4.2") == "a['4.2']"


def test_a_value_that_is_repeated_has_the_path_of_its_anchor() -> None:
    problems = Problems("f")
    composed = compose("a: &x [bad]\nb: *x\n", problems)
    for key in ("a", "b"):
        node = composed.value(key)
        assert node is not None
        assert TEXTS.read(node, problems) == ()
    assert str(problems.error()) == "f:1:8: a[0]: is bad (be good)"


def test_suggestions_end_where_they_would_cost_too_much() -> None:
    problems = Problems("f")
    assert problems.suggest("x" * 100, ["x" * 99]) == ""
    assert problems.suggest("Tset", ["Test"]) == "did you mean 'Test'?"
    assert all(problems.suggest("tset", ["test"]) for _ in range(98))
    assert problems.suggest("tset", ["test"]) == ""


def test_problems_are_sorted_by_position_and_kept_once() -> None:
    problems = Problems("f")
    for line, column in [(2, 1), (1, 9), (1, 2), (1, 9)]:
        problems.add(Place(origin="f", line=line, column=column), "wrong")
    assert [str(problem) for problem in problems.error().problems] == [
        "f:1:2: wrong",
        "f:1:9: wrong",
        "f:2:1: wrong",
    ]
