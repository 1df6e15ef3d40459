"""Reading envs.yaml: what is accepted, what it means, and how mistakes are explained."""

from __future__ import annotations

import random
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import FileProblems, Place
from nox_envs.findings import DriftOptions, IgnoreRule
from nox_envs.requirements.compose import Composer
from nox_envs.spec.document import Problems, compose, walk
from nox_envs.spec.keys import read_spec
from nox_envs.spec.points import expand
from nox_envs.spec.types import (
    Axis,
    AxisValue,
    Command,
    Condition,
    Environment,
    ExcludeNewer,
    Extra,
    Group,
    Include,
    Index,
    Layer,
    LockConstraint,
    LockOptions,
    Package,
    Required,
    RequirementFile,
    RequirementText,
    Spec,
)

if TYPE_CHECKING:
    from nox_envs.spec.document import Loader

GOLDEN = Path(__file__).parent / "golden" / "spec"
BROKEN = sorted(GOLDEN.glob("*.yaml"))

relaxed = settings(deadline=None)
pure_or_c = pytest.mark.parametrize("loader", [yaml.BaseLoader, yaml.CBaseLoader], ids=["pure", "C"])

DESIGN = """
version: 1
defaults: {python: "3.12"}
requirements:
  app: [requests>=2.31, rich]
  test:
    - include: app                     # another set
    - pytest>=8
    - -e ./tools/plugin                # pip's own spelling
  docs:
    - file: docs/requirements.in       # pip's format: -r, -c, -e, hashes, variables
  lint:
    - group: lint                      # PEP 735
  own:
    - extra: cli                       # this project's dependencies with this extra
environments:
  tests:
    python: ["3.11", "3.12", "3.13"]
    matrix: {django: ["4.2", "5.2"]}
    exclude:
      - {python: "3.13", django: "4.2"}
    requirements: [test, "django~={django}.0", {file: "tests/{django}.in"}]
    package: editable
    commands: ["pytest {posargs:tests}"]
"""


def at(line: int, column: int) -> Place:
    return Place(origin="envs.yaml", line=line, column=column)


def spec_of(text: str) -> Spec:
    return read_spec(textwrap.dedent(text), origin="envs.yaml")


def environment(keys: str) -> Environment:
    """Read the environment `tests` with these keys; a set `app` and an environment `base` are there."""
    indented = textwrap.indent(textwrap.dedent(keys), "    ")
    text = f"version: 1\nrequirements: {{app: []}}\nenvironments:\n  base: {{}}\n  tests:\n{indented}"
    return spec_of(text).environments[1]


def layer(keys: str) -> Layer:
    return environment(keys).layer


def outcome(text: str, *, origin: str = "envs.yaml") -> Spec | FileProblems:
    """Return the spec, or the problems that reading, expanding or composing it has."""
    try:
        spec = read_spec(text, origin=origin)
        found = Composer(spec, root=GOLDEN, environ={}).problems(expand(spec))
    except FileProblems as error:
        return error
    return FileProblems(found) if found else spec


def problems(text: str) -> list[str]:
    found = outcome(textwrap.dedent(text))
    assert isinstance(found, FileProblems)
    return [str(problem).removeprefix("envs.yaml:") for problem in found.problems]


def problems_of(keys: str) -> list[str]:
    """Return the problems of an environment with these keys, without places and path."""
    with pytest.raises(FileProblems) as raised:
        environment(keys)
    return [f"{one.path.removeprefix('environments.tests.')}: {one.message}" for one in raised.value.problems]


# Mistakes


@pytest.mark.parametrize("path", BROKEN, ids=[path.stem for path in BROKEN])
def test_a_broken_file_is_explained_word_for_word(path: Path) -> None:
    found = outcome(path.read_text(encoding="utf-8"), origin=path.name)
    shown = str(found) if isinstance(found, FileProblems) else "no problems"
    assert f"{shown}\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", BROKEN, ids=[path.stem for path in BROKEN])
def test_both_yaml_parsers_find_the_same_mistakes_at_the_same_places(path: Path) -> None:
    assert composed(path.read_text(encoding="utf-8"), yaml.BaseLoader) == composed(
        path.read_text(encoding="utf-8"), yaml.CBaseLoader
    )


def composed(text: str, loader: Loader) -> str | list[tuple[str, str]]:
    """Return every path with its text or kind, or the problems."""
    found = Problems("envs.yaml")
    try:
        root = compose(text, found, loader=loader)
    except FileProblems as error:
        return str(error)
    if len(found):
        return str(found.error())
    return [
        (path, f"{found.place(node)} {node.value if isinstance(node.value, str) else ''}")
        for node, path in walk(root)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x [*x]", "1:4: this value contains itself"),
        ("a: &x 1\nb: &x 2", "2:4: the anchor is already used above"),
        ("a: 'b\n c", "1:4: the quote opened here is never closed"),
        ('a: "\\xzz"', "1:4: a backslash in double quotes begins an escape that"),
        ("a: {b: c", "1:4: the bracket opened here is not closed"),
        ("a: %x", "1:4: an unquoted text cannot begin with '%'"),
        ("a: `x`", "1:4: an unquoted text cannot begin with '`'"),
        ("x: 'a' b", "1:8: more text follows a quoted text"),
        ("a:\n\t- b", "2:1: a tab cannot indent in YAML"),
        ("%YAML 1.2\n---\na: b", "1:1: YAML directives are not read"),
        ("a: \x00", "1:4: the character U+0000 is not allowed here"),
        ("a: é\nb: \ufeffx", "2:4: the character U+FEFF is not allowed here"),
        ("a: \u202ex", "1:4: the character U+202E is not allowed here"),
        ("a: \ud800", "1:4: the character U+D800 is not allowed here"),
        ("---\n", "1:1: the file is empty"),
        ("just text", "1:1: the file must be a mapping, but it is the text 'just text'"),
        ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\n", "2:1: a merge left the conflict marker <<<<<<<"),
        ("? [k]\n: v", "1:3: a key must be text"),
        ("?\n: 2", "1:2: a key is missing before ':'"),
        ("a: {b: 1, b: 2}", "1:11: a: the key 'b' is written twice"),
        ("a: " + "x" * 2_000_000, "1:1: the file is larger than 1 MiB"),
        ("{a: [" * 30, "1:101: is nested deeper than 40 levels"),
        ("{a: " * 50_000, "1:161: is nested deeper than 40 levels"),
        ("".join(" " * depth + "a:\n" for depth in range(300)), "41:41: is nested deeper than 40 levels"),
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)),
            "1:1: the aliases of this file repeat more than 10,000 values",
        ),
    ],
    ids=range(25),
)
@pure_or_c
def test_text_that_is_not_yaml_is_explained_with_its_place(text: str, expected: str, loader: Loader) -> None:
    assert str(composed(text, loader)).removeprefix("envs.yaml:").startswith(expected)


def test_what_stops_yaml_hides_what_was_found_before() -> None:
    assert problems("a: !!int 1\nb: 'c\n") == ["2:4: the quote opened here is never closed (close it)"]


def test_an_alias_repeats_the_value_of_its_anchor() -> None:
    found = spec_of("version: 1\nenvironments:\n  a: &x {tags: [t]}\n  b: *x\n").environments
    assert found[0].layer == found[1].layer == Layer(tags=("t",))


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    windows = DESIGN.replace("\n", "\r\n")
    assert read_spec("\ufeff" + windows, origin="envs.yaml") == read_spec(DESIGN, origin="envs.yaml")


def test_every_problem_of_a_file_is_reported_at_once_and_in_order() -> None:
    found = problems("""
        version: 1
        requirements: {app: [{include: nope}]}
        environments:
          tests: {python: 312, comands: [a], requirements: [nope], tags: ["{what}"]}
          lint: {extends: nope}
        """)
    assert [line.split(" ")[0] for line in found] == ["3:32:", "5:19:", "5:24:", "5:53:", "6:19:"]


def test_a_broken_axis_does_not_make_its_placeholder_unknown() -> None:
    assert problems_of('matrix: {django: [[]]}\ncommands: ["pytest {django}"]') == [
        "matrix.django[0]: expected a value, found a list"
    ]


def test_what_extends_something_broken_is_not_blamed_for_it() -> None:
    found = problems("""
        version: 1
        environments:
          _base: {extends: nothing, matrix: {django: ["4.2"]}}
          tests: {extends: _base, commands: ["pytest {django} {what}"]}
        """)
    assert len(found) == 1


def test_no_message_shows_the_password_of_a_url() -> None:
    for path in (GOLDEN / "url-with-password.yaml", GOLDEN / "url-with-password.txt"):
        assert ("s3cret" in path.read_text(encoding="utf-8")) is (path.suffix == ".yaml")


@pytest.mark.parametrize(
    "url",
    [
        "https://alice:s3cret@packages.example.org/app.zip",
        "https://s3cret@packages.example.org/app.zip",
        "git+https://alice:s3cret@git.example.org/app.git",
        "ssh://git:s3cret@git.example.org/app.git",
        "HTTPS://alice:${TOKEN}s3cret@packages.example.org/app.zip",
        "https://packages.example.org/app.zip?token=s3cret",
    ],
)
@pytest.mark.parametrize(
    "keys", ['requirements: ["app @ {}"]', 'commands: ["pip install {}"]', 'tags: ["{}"]']
)
def test_a_url_with_a_password_is_refused_and_never_shown(url: str, keys: str) -> None:
    (problem,) = problems_of(keys.replace("{}", url))
    assert "a URL with a password or token must not stand in this file" in problem
    assert "s3cret" not in problem


def test_the_password_of_a_test_database_is_accepted() -> None:
    url = "postgres://postgres:postgres@localhost/test"
    assert layer(f"set_env: {{DATABASE: '{url}'}}").set_env == (("DATABASE", url),)


@pytest.mark.parametrize(
    "keys",
    [
        "python: '3." + "1" * 5000 + "'",
        "python: '" + "3" * 5000 + "'",
        "commands: [{run: a, success_codes: [" + "1" * 5000 + "]}]",
        "exclude_newer: " + "1" * 5000 + " days",
    ],
    ids=range(4),
)
def test_numbers_of_thousands_of_digits_are_refused(keys: str) -> None:
    assert problems_of(keys)


@pytest.mark.parametrize("limit", ["1", "9" * 5000])
def test_a_value_of_thousands_of_digits_is_in_no_range(limit: str) -> None:
    keys = f"{{matrix: {{n: ['{'9' * 5000}']}}, overrides: [{{when: {{n: '>={limit}'}}, tags: [x]}}]}}"
    (point,) = expand(spec_of(f"version: 1\nenvironments: {{t: {keys}}}"))
    assert point.tags == ()


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nenvironments:\n  e0: {tags: [x]}\n"
        + "".join(f"  e{n}: {{extends: e{n - 1}}}\n" for n in range(1, 2000)),
        "version: 1\nenvironments: {t: {}}\nrequirements:\n  s0: [x]\n"
        + "".join(f"  s{n}: [{{include: s{n - 1}}}]\n" for n in range(1, 2000)),
        "version: 1\nenvironments:\n"
        + "".join(f"  e{n}: {{kez{n}: 1, tags: ['{{x}}']}}\n" for n in range(5000)),
        "version: 1\nenvironments:\n  t:\n    commands: [x, '" + "{a}" * 300_000 + "']\n",
        "version: 1\nenvironments:\n  t:\n    commands:\n" + "      - '{b} {c}'\n" * 40_000,
    ],
    ids=["extends", "includes", "unknown keys", "placeholders in one text", "placeholders in many texts"],
)
def test_a_hostile_file_ends_in_a_spec_or_problems(text: str) -> None:
    assert isinstance(outcome(text), Spec | FileProblems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "environments:\n  e0: {}\n" + "".join(f"  e{n}: {{extends: e{n - 1}}}\n" for n in range(1, 40)),
            "extends more than 20 environments in a row",
        ),
        (
            "environments: {t: {}}\nrequirements:\n  s0: [x]\n"
            + "".join(f"  s{n}: [{{include: s{n - 1}}}]\n" for n in range(1, 200)),
            "requirement sets include each other more than 100 deep",
        ),
        (
            "environments: {t: {matrix: {" + ", ".join(f"a{n}: x" for n in range(200)) + "}}}",
            "the environment has more than 100 axes",
        ),
        (
            f"environments: {{t: {{matrix: {{a: [{', '.join(map(str, range(10_000)))}]}}, "
            f"tags: ['{'x' * 100_000}{{a}}']}}}}",
            "the points take more than 64 MiB",
        ),
    ],
    ids=["extends", "includes", "axes", "texts"],
)
def test_what_would_take_too_much_memory_is_refused(text: str, expected: str) -> None:
    assert expected in str(outcome(f"version: 1\n{text}"))


KEYS = (
    *("version", "environments", "requirements", "defaults", "python", "matrix", "include", "exclude"),
    *("extends", "commands", "lock", "drift"),
)
WORDS = (
    *(*KEYS, "1", "tests", "_x", "3.12", "{posargs", "{django}", "}", "true", "'", '"', "[", "]", "{"),
    *(
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        " ",
        "# ",
        "&a ",
        "*a",
        "!!int ",
        "<<",
        "|\n",
        "\t",
        "é",
        "@",
        ">=",
    ),
)
SCALARS = ["", "a", "tests", "3.12", '"{django}"', "'{x}'", "true", "~", "a>=1", "-e", "{lock: tests}", "[]"]


@given(pieces=st.lists(st.sampled_from(WORDS), max_size=40))
@relaxed
def test_a_heap_of_yaml_is_read_or_refused(pieces: list[str]) -> None:
    assert isinstance(outcome("".join(pieces)), Spec | FileProblems)


def lists_and_mappings(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    keys = st.sampled_from([*KEYS, "a", "file", "run", "when", "not"])
    entries = st.tuples(keys, inner).map(": ".join)
    return lists | st.lists(entries, max_size=3).map(lambda items: "{" + ", ".join(items) + "}")


VALUES = st.recursive(st.sampled_from(SCALARS), lists_and_mappings, max_leaves=12)


@given(values=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
@relaxed
def test_any_values_of_known_keys_are_read_or_refused(values: dict[str, str]) -> None:
    lines = "".join(f"    {key}: {value}\n" for key, value in values.items())
    assert isinstance(outcome(f"version: 1\nenvironments:\n  tests:\n{lines}"), Spec | FileProblems)
    assert isinstance(outcome("version: 1\n" + textwrap.dedent(lines)), Spec | FileProblems)


def test_a_file_with_characters_changed_at_random_is_read_or_refused() -> None:
    chance = random.Random(2)
    for _ in range(150):
        text = list(DESIGN)
        for _ in range(chance.randint(1, 4)):
            text[chance.randrange(len(text))] = chance.choice("\0\ud800\t{}[]:-,'\"&*!|>%@`\n ")
        assert isinstance(outcome("".join(text)), Spec | FileProblems)


# What is read


def test_the_example_of_the_design_is_read_as_it_says() -> None:
    found = read_spec(DESIGN, origin="envs.yaml")
    app, test, docs, lint, own = found.sets
    assert (app.name, app.place) == ("app", at(5, 3))
    assert app.entries == (
        RequirementText(text="requests>=2.31", place=at(5, 9)),
        RequirementText(text="rich", place=at(5, 25)),
    )
    assert test.entries == (
        Include(name="app", place=at(7, 16)),
        RequirementText(text="pytest>=8", place=at(8, 7)),
        RequirementText(text="-e ./tools/plugin", place=at(9, 7)),
    )
    assert docs.entries == (RequirementFile(path="docs/requirements.in", place=at(11, 13)),)
    assert lint.entries == (Group(name="lint", place=at(13, 14)),)
    assert own.entries == (Extra(names=("cli",), place=at(15, 14)),)
    (tests,) = found.environments
    assert tests.place == at(17, 3)
    assert (tests.python.values, tests.python.listed) == (("3.11", "3.12", "3.13"), True)
    assert tests.layer.requirements == (
        Include(name="test", place=at(22, 20)),
        RequirementText(text="django~={django}.0", place=at(22, 26)),
        RequirementFile(path="tests/{django}.in", place=at(22, 55)),
    )
    assert tests.layer.package == Package(mode="editable")
    assert len(expand(found)) == 5


def test_every_key_of_an_environment_is_read() -> None:
    found = layer("""
        description: Everything
        name: "all-{py}"
        python: 3.13t
        requirements: [a>=1, app, {group: dev}, {extra: []}, {include: app}, {file: x.in}, -e tools]
        constraints: [urllib3<2, {file: ci/pins.txt}, ci/more.txt, ./pins, {lock: base}]
        build_constraints: setuptools<80
        resolution: lowest
        exclude_newer: {than: 48 hours, exempt: [Our_Tool]}
        allow_prereleases: [Black, ruff]
        only_binary: ':all:'
        no_binary: [lxml]
        package: {mode: wheel, extras: [cli, docs]}
        commands_pre: [make]
        commands:
          - run: [make, -C, docs]
            set_env: {A: 1}
            change_dir: docs
            success_codes: [0, -9]
            external: true
            allow_failure: true
          - [python, -c, "print('{{}}')"]
          - ruff check
        commands_post: rm x
        set_env: {A: on, B: 3.10, C: ""}
        pass_env: HOME
        change_dir: src
        tags: [a, b]
        default: false
        requires: base
        backend: venv
        lock: {file: "{py}.txt", per: python}
        drift: warn
        platforms: linux
        runs_on: [ubuntu-latest]
        """)
    assert found == Layer(
        description="Everything",
        name="all-{py}",
        requirements=(
            RequirementText(text="a>=1", place=at(10, 20)),
            Include(name="app", place=at(10, 26)),
            Group(name="dev", place=at(10, 39)),
            Extra(names=(), place=at(10, 53)),
            Include(name="app", place=at(10, 68)),
            RequirementFile(path="x.in", place=at(10, 81)),
            RequirementText(text="-e tools", place=at(10, 88)),
        ),
        constraints=(
            RequirementText(text="urllib3<2", place=at(11, 19)),
            RequirementFile(path="ci/pins.txt", place=at(11, 37)),
            RequirementFile(path="ci/more.txt", place=at(11, 51)),
            RequirementFile(path="./pins", place=at(11, 64)),
            LockConstraint(environment="base", place=at(11, 79)),
        ),
        build_constraints=(RequirementText(text="setuptools<80", place=at(12, 24)),),
        resolution="lowest",
        exclude_newer=ExcludeNewer(than="48 hours", exempt=("our-tool",)),
        allow_prereleases=("black", "ruff"),
        only_binary=(":all:",),
        no_binary=("lxml",),
        package=Package(mode="wheel", extras=("cli", "docs")),
        commands_pre=(Command(argv=("make",), place=at(19, 20)),),
        commands=(
            Command(
                argv=("make", "-C", "docs"),
                set_env=(("A", "1"),),
                change_dir="docs",
                success_codes=(0, -9),
                external=True,
                allow_failure=True,
                place=at(21, 9),
            ),
            Command(argv=("python", "-c", "print('{{}}')"), place=at(27, 9)),
            Command(argv=("ruff", "check"), place=at(28, 9)),
        ),
        commands_post=(Command(argv=("rm", "x"), place=at(29, 20)),),
        set_env=(("A", "on"), ("B", "3.10"), ("C", "")),
        pass_env=("HOME",),
        change_dir="src",
        tags=("a", "b"),
        default=False,
        requires=(Required(text="base", place=at(35, 15)),),
        backend="venv",
        lock=LockOptions(enabled=True, file=("{py}.txt",), per="python"),
        drift=DriftOptions(policy="warn"),
        platforms=("linux",),
        runs_on=("ubuntu-latest",),
    )


def test_an_environment_may_say_nothing() -> None:
    found = spec_of("version: 1\nenvironments:\n  tests:\n  lint: {}\n").environments
    assert [(one.name, one.layer, one.python.values) for one in found] == [
        ("tests", Layer(), ()),
        ("lint", Layer(), ()),
    ]


def test_indexes_keep_their_order() -> None:
    found = spec_of("""
        version: 1
        environments: {tests: {}}
        indexes:
          private: https://packages.example.org/simple
          files: file:///srv/index
        """)
    assert found.indexes == (
        Index(name="private", url="https://packages.example.org/simple", place=at(5, 3)),
        Index(name="files", url="file:///srv/index", place=at(6, 3)),
    )


def test_drift_options_of_the_file_are_read() -> None:
    found = spec_of("""
        version: 1
        environments: {tests: {}}
        drift:
          policy: fail
          files: off
          severity: {leak: "off", leftover: error}
          ignore:
            - {kind: extraneous, package: My_Tool, environment: tests, reason: ours, until: 2030-01-31}
            - {path: "lib/*.pth", package: "types-*", reason: ours}
        """)
    assert found.drift == DriftOptions(
        policy="fail",
        files="off",
        severity=(("leak", "off"), ("leftover", "error")),
        ignore=(
            IgnoreRule(
                kind="extraneous",
                package="my-tool",
                environment="tests",
                reason="ours",
                until="2030-01-31",
                place=at(9, 7),
            ),
            IgnoreRule(path="lib/*.pth", package="types-*", reason="ours", place=at(10, 7)),
        ),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("false", LockOptions(enabled=False)),
        ("true", LockOptions(enabled=True)),
        ("{}", LockOptions(enabled=True)),
        ("{file: 'locks/{environment}.txt'}", LockOptions(enabled=True, file=("locks/{environment}.txt",))),
        ("{per: point, format: both}", LockOptions(enabled=True, per="point", format="both")),
    ],
)
def test_lock_options_are_read(text: str, expected: LockOptions) -> None:
    assert layer(f"lock: {text}").lock == expected


@pytest.mark.parametrize(
    "key", ["group", "use", "resolver", "resolution", "exclude_newer", "only_binary", "no_binary"]
)
def test_a_key_that_moved_out_of_lock_says_what_to_write(key: str) -> None:
    with pytest.raises(FileProblems) as raised:
        environment(f"lock: {{{key}: x}}")
    (problem,) = raised.value.problems
    assert problem.path == f"environments.tests.lock.{key}"
    assert problem.hint
    assert "known keys" not in problem.hint


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("deps", "requirements"),
        ("setenv", "set_env"),
        ("basepython", "python"),
        ("depends", "requires"),
        ("labels", "tags"),
    ],
)
def test_the_words_of_tox_lead_to_our_keys(written: str, ours: str) -> None:
    with pytest.raises(FileProblems, match=f"here it is called '{ours}'"):
        environment(f"{written}: x")


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("false", False), ("[]", ()), ("[A_b]", ("a-b",))]
)
def test_allow_prereleases_is_a_boolean_or_names(text: str, expected: bool | tuple[str, ...]) -> None:
    assert layer(f"allow_prereleases: {text}").allow_prereleases == expected


def test_scalars_are_the_text_that_was_written() -> None:
    found = environment("python: 3.10\nset_env: {A: 1.0, B: yes, C: 0x10, D: 2026-01-01, E: 1_000}")
    assert found.python.values == ("3.10",)
    assert [value for _, value in found.layer.set_env or ()] == ["1.0", "yes", "0x10", "2026-01-01", "1_000"]


def test_a_lock_option_with_a_problem_is_pointed_at_itself() -> None:
    found = problems("""
        version: 1
        environments:
          a:
            tags: [x]
            lock:
              command: make
          b:
            lock:
              per: python
              file: [a.txt, b.txt]
        """)
    assert [line.split(": ")[1] for line in found] == [
        "environments.a.lock.command",
        "environments.b.lock.file",
    ]


# Inheritance

INHERITED = """
    version: 1
    lock: {per: python, format: both}
    defaults:
      python: "3.12"
      set_env: {A: a, B: b}
      lock: {format: requirements}
      tags: [all]
      drift: {policy: fail, severity: {leak: error, version: note}, ignore: [{kind: leak, reason: x}]}
    environments:
      _base:
        description: Base
        matrix: {django: ["4.2"], db: [pg]}
        commands: [pytest]
        set_env: {B: base}
        exclude: [{db: pg, django: "4.2"}]
        drift: warn
      tests:
        extends: _base
        python: ["3.13"]
        matrix: {django: ["5.2"]}
        exclude: []
        lock: {per: point}
        drift: {severity: {leak: "off"}}
      more:
        extends: tests
        commands: [pytest -x]
        tags: []
        lock: false
        matrix: [{django: main}]
      lint: {allow_prereleases: true}
"""


def test_lists_are_replaced_and_mappings_merged() -> None:
    tests, more, lint = spec_of(INHERITED).environments
    assert tests.layer == Layer(
        description="Base",
        commands=(Command(argv=("pytest",), place=at(14, 16)),),
        set_env=(("A", "a"), ("B", "base")),
        tags=("all",),
        lock=LockOptions(enabled=True, per="point", format="requirements"),
        drift=DriftOptions(
            policy="warn",
            severity=(("leak", "off"), ("version", "note")),
            ignore=(IgnoreRule(kind="leak", reason="x", place=at(9, 74)),),
        ),
    )
    assert (tests.python.values, tests.python.listed, tests.exclude) == (("3.13",), True, ())
    assert tests.matrix.axes == (
        Axis(name="django", values=(AxisValue(value="5.2"),)),
        Axis(name="db", values=(AxisValue(value="pg"),)),
    )
    assert more.layer.lock == LockOptions(enabled=False)
    assert (more.layer.tags, more.python.values, more.matrix.axes) == ((), ("3.13",), ())
    assert more.matrix.points[0].values == (("django", "main"),)
    assert (lint.python.values, lint.python.listed, lint.layer.allow_prereleases) == (("3.12",), False, True)


def test_a_drift_policy_and_a_mapping_of_drift_options_are_merged() -> None:
    text = "version: 1\ndefaults: {drift: fail}\nenvironments: {t: {drift: {files: all}}}"
    assert spec_of(text).environments[0].layer.drift == DriftOptions(policy="fail", files="all")


def test_a_template_is_not_an_environment() -> None:
    assert [one.name for one in spec_of(INHERITED).environments] == ["tests", "more", "lint"]


# The matrix


def test_axes_conditions_and_points_are_read() -> None:
    found = environment("""
        python: ["3.12", "3.13"]
        matrix:
          django:
            "4.2": {python: "<3.13", requirements: ["django~={django}.0"], set_env: {A: "{django}"}}
            "5.2":
            main: {python: {not: ["3.12"]}}
          db: pg
        exclude: [{django: ["4.2", main], python: "3.13"}]
        include:
          - {python: "3.14", django: new, db: pg, tags: [x]}
        overrides:
          - {when: {python: ">=3.13", django: {not: "5.2"}}, commands: [mypy]}
          - {when: {}, tags: [all]}
        """)
    django, db = found.matrix.axes
    assert [value.value for value in (*django.values, *db.values)] == ["4.2", "5.2", "main", "pg"]
    assert django.values[0].python == Condition(axis="python", specifier="<3.13", place=at(10, 25))
    assert django.values[0].layer.set_env == (("A", "{django}"),)
    assert django.values[1] == AxisValue(value="5.2")
    assert django.values[2].python == Condition(
        axis="python", values=("3.12",), negated=True, place=at(12, 30)
    )
    (excluded,) = found.exclude
    assert [(one.axis, one.values) for one in excluded.when] == [
        ("django", ("4.2", "main")),
        ("python", ("3.13",)),
    ]
    (added,) = found.include
    assert (added.python, added.values, added.layer) == (
        "3.14",
        (("django", "new"), ("db", "pg")),
        Layer(tags=("x",)),
    )
    first, second = found.overrides
    assert [(one.axis, one.specifier, one.values, one.negated) for one in first.when] == [
        ("python", ">=3.13", (), False),
        ("django", "", ("5.2",), True),
    ]
    assert second.when == ()


def test_a_condition_must_be_known_to_one_environment_that_inherits_it() -> None:
    text = """
        version: 1
        defaults:
          overrides: [{{when: {{python: "{python}"}}, tags: [x]}}]
        environments:
          old: {{python: "3.10"}}
          new: {{python: "3.13"}}
          none: {{}}
    """
    assert len(spec_of(text.format(python="3.13")).environments) == 3
    assert len(problems(text.format(python="3.9"))) == 1


def test_many_values_are_not_all_listed() -> None:
    values = ", ".join(map(str, range(20)))
    found = problems(f"version: 1\nenvironments: {{t: {{matrix: {{n: [{values}]}}, exclude: [{{n: x}}]}}}}")
    assert found[0].endswith("(its values: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …)")


def test_a_mistyped_key_in_a_listed_point_is_not_an_axis() -> None:
    found = problems_of('matrix: [{django: "4.2", tgas: slow}, {django: "5.2"}]')
    assert found == ["matrix[0]: unknown key 'tgas'"]


def test_a_placeholder_must_have_a_value_at_every_listed_point() -> None:
    assert len(problems_of('matrix: [{django: "4.2"}, {db: pg}]\ntags: ["{django}"]')) == 1
    environment('matrix: [{django: "4.2", tags: ["{django}"]}, {db: pg}]')
    environment('matrix: [{django: "4.2"}, {db: pg}]\noverrides: [{when: {db: pg}, tags: ["{db}"]}]')


def test_an_environment_that_several_extend_is_checked_as_each_of_them() -> None:
    found = problems("""
        version: 1
        environments:
          _base: {commands: ["pytest {django}"]}
          a: {extends: _base, matrix: {django: ["4.2"]}}
          b: {extends: _base}
        """)
    assert [line.split(": ", 1)[1] for line in found] == [
        "environments._base.commands[0]: unknown placeholder {django} in '{django}' "
        "(known in the environment 'b': envdir, environment, name, posargs; a brace is written as '{{')"
    ]
