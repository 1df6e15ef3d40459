"""Reading envs.yaml: what is accepted, what it means, and how mistakes are explained."""

from __future__ import annotations

import random
import re
import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import FileProblems, Place
from nox_envs.findings import DriftOptions, IgnoreRule
from nox_envs.requirements.compose import Composer
from nox_envs.spec import document, types
from nox_envs.spec.document import Problems, compose, walk
from nox_envs.spec.keys import read_spec
from nox_envs.spec.points import expand
from nox_envs.spec.types import Command, Condition, Entry, EntryKind, LockOptions, Package, Spec
from nox_envs.values import replace

GOLDEN = Path(__file__).parent / "golden" / "spec"
BROKEN = sorted(GOLDEN.glob("*.yaml"))

relaxed = settings(deadline=None)

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


def entry(kind: EntryKind, text: str, line: int, column: int) -> Entry:
    return Entry(kind=kind, text=text, place=at(line, column))


def spec_of(text: str) -> Spec:
    return read_spec(textwrap.dedent(text), origin="envs.yaml")


def environment(keys: str) -> types.Environment:
    """Read the environment `tests` with these keys; a set `app` and an environment `base` are there."""
    indented = textwrap.indent(textwrap.dedent(keys), "    ")
    text = f"version: 1\nrequirements: {{app: []}}\nenvironments:\n  base: {{}}\n  tests:\n{indented}"
    return spec_of(text).environments[1]


def layer(keys: str) -> types.Layer:
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
def test_both_yaml_parsers_find_the_same_mistakes_at_the_same_places(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = path.read_text(encoding="utf-8")
    found = composed(text)
    monkeypatch.setattr(document, "LOADER", yaml.BaseLoader)
    # They have other words, and the column of an escape is another.
    fault = r"(?s):\d+: is not valid YAML: .*"
    assert re.sub(fault, "", str(composed(text))) == re.sub(fault, "", str(found))


def composed(text: str) -> str | list[tuple[str, str]]:
    """Return every path with its text or kind, or the problems."""
    found = Problems("envs.yaml")
    try:
        root = compose(text, found)
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
        ("a: 'b\n c", "2:3: is not valid YAML: while scanning a quoted scalar (line 1), found "),
        ('a: "\\xzz"', "1:7: is not valid YAML: while"),
        ("a: [b\nc: d", "2:2: is not valid YAML: while parsing a flow sequence (line 1), "),
        ("a: `x`", "1:4: is not valid YAML"),
        ("x: 'a' b", "1:8: is not valid YAML"),
        ("a:\n\t- b", "2:1: is not valid YAML: "),
        ("a: \x00", "1:4: the character U+0000 is not allowed here"),
        ("a: é\nb: \ufeffx", "2:4: the character U+FEFF is not allowed here"),
        ("a: \u202ex", "1:4: the character U+202E is not allowed here"),
        ("a: \ud800", "1:4: the character U+D800 is not allowed here"),
        ("---\n", "1:1: the file is empty, or not a mapping"),
        ("just text", "1:1: the file is empty, or not a mapping"),
        ("? [k]\n: v", "1:3: a key must be a text"),
        ("?\n: 2", "1:2: a key must be a text"),
        ("a: {b: 1, b: 2}", "1:11: the key 'b' is written twice"),
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
    ids=range(20),
)
@pytest.mark.parametrize("loader", [yaml.BaseLoader, yaml.CBaseLoader], ids=["pure", "C"])
def test_text_that_is_not_yaml_is_explained_with_its_place(
    text: str, expected: str, loader: type[yaml.BaseLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "LOADER", loader)
    assert str(composed(text)).removeprefix("envs.yaml:").startswith(expected)


def test_what_stops_yaml_hides_what_was_found_before() -> None:
    (problem,) = problems("a: !!int 1\nb: 'c\n")
    assert problem.startswith("3:1: is not valid YAML: while scanning a quoted scalar (line 2), found")


def test_an_alias_repeats_the_value_of_its_anchor() -> None:
    found = spec_of("version: 1\nenvironments:\n  a: &x {tags: [t]}\n  b: *x\n").environments
    assert found[0].layer == found[1].layer == {"tags": ("t",)}


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


# `<LINE*COUNT>` repeats a line, with its number for N and the one before for M.
LARGE = {
    "environments:\n  e0: {}\n<  eN: {extends: eM}\n*2000>": "take over more than 1,000,000 values",
    "environments: {t: {}}\nrequirements:\n  s0: [x]\n<  sN: [{include: sM}]\n*2000>": "includes itself, or",
    "environments:\n<  eN: {kezN: 1, tags: ['{x}']}\n*5000>": "unknown key",
    "environments:\n  t:\n    commands: [x, '<{a}*300000>']\n": "the command is longer than 32,768",
    "environments:\n  t:\n    tags:\n<      - '{b}{c}'\n*40000>": "unknown placeholder {b}",
    "environments:\n<  eN: {requires: [fN]}\n*5000>": "'f1' is not an environment",
    "environments: {t: {matrix: {<aN: x, *200>}}}": "the environment has more than 100 axes",
    "environments: {t: {matrix: {a: [<N, *10000>]}, tags: ['<x*100000>{a}']}}": "long texts or many rules",
    "defaults: {set_env: {<aN: x, *2000>}}\nenvironments:\n<  eN: {}\n*600>": "take over more than 1,000,000",
}


@pytest.mark.parametrize("text", LARGE, ids=range(len(LARGE)))
def test_what_would_take_too_much_time_or_memory_is_refused(text: str) -> None:
    def repeated(found: re.Match[str]) -> str:
        numbers = range(1, int(found[2]) + 1)
        return "".join([found[1].replace("N", str(n)).replace("M", str(n - 1)) for n in numbers])

    large = re.sub(r"(?s)<(.*?)\*(\d+)>", repeated, text)
    assert LARGE[text] in str(outcome(f"version: 1\n{large}"))


KEYS = (
    *("version", "environments", "requirements", "defaults", "python", "matrix", "include", "exclude"),
    *("extends", "commands", "lock", "drift"),
)
WORDS = (
    *(*KEYS, "1", "tests", "_x", "3.12", "{posargs", "{django}", "}", "true", "'", '"', "[", "]", "{", ": "),
    *("\n", "\n  ", "\n    ", "- ", " ", "# ", "&a ", "*a", "!!int ", "<<", "|\n", "\t", "é", "@", ">="),
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
    assert [*found.sets] == ["app", "test", "docs", "lint", "own"]
    app, test, docs, lint, own = found.sets.values()
    assert app == (entry("requirement", "requests>=2.31", 5, 9), entry("requirement", "rich", 5, 25))
    assert test == (
        entry("include", "app", 7, 16),
        entry("requirement", "pytest>=8", 8, 7),
        entry("requirement", "-e ./tools/plugin", 9, 7),
    )
    assert docs == (entry("file", "docs/requirements.in", 11, 13),)
    assert lint + own == (entry("group", "lint", 13, 14), entry("extra", "cli", 15, 14))
    (tests,) = found.environments
    assert (tests.place, tests.python) == (at(17, 3), ("3.11", "3.12", "3.13"))
    assert tests.layer["requirements"] == (
        entry("requirement", "test", 22, 20),
        entry("requirement", "django~={django}.0", 22, 26),
        entry("file", "tests/{django}.in", 22, 55),
    )
    assert tests.layer["package"] == Package(mode="editable")
    assert len(expand(found)) == 5


def command(column: int, *argv: str, **options: object) -> Command:
    return replace(Command(argv=argv, place=at(6, column)), **options)


OPTIONS = "set_env: {A: 1}, change_dir: docs, success_codes: [0, -9], external: true, allow_failure: true"
READ: dict[str, object] = {
    "description: 3": "3",
    "name: 'all-{name}'": "all-{name}",
    "requirements: [a>=1, app, {extra: []}, {extra: [a, b]}, {include: app}, -e tools]": (
        *(entry("requirement", "a>=1", 6, 20), entry("requirement", "app", 6, 26), entry("extra", "", 6, 39)),
        *(
            entry("extra", "a,b", 6, 52),
            entry("include", "app", 6, 71),
            entry("requirement", "-e tools", 6, 77),
        ),
    ),
    "constraints: [a<2, {file: ci/a.txt}, {lock: base}]": (
        *(entry("requirement", "a<2", 6, 19), entry("file", "ci/a.txt", 6, 31), entry("lock", "base", 6, 49)),
    ),
    "build_constraints: setuptools<80": (entry("requirement", "setuptools<80", 6, 24),),
    "resolution: lowest": "lowest",
    "exclude_newer: 2026-01-31T00:00:00+02:00": types.ExcludeNewer(than="2026-01-31T00:00:00+02:00"),
    "exclude_newer: {than: 48 hours, exempt: [Our_Tool]}": types.ExcludeNewer(
        than="48 hours", exempt=("our-tool",)
    ),
    "allow_prereleases: true": True,
    "allow_prereleases: []": (),
    "allow_prereleases: [A_b]": ("a-b",),
    "only_binary: ':all:'": (":all:",),
    "no_binary: [lxml]": ("lxml",),
    "package: editable": Package(mode="editable"),
    "package: {mode: wheel, extras: [cli, docs]}": Package(mode="wheel", extras=("cli", "docs")),
    "commands_pre: [make]": (command(20, "make"),),
    "commands: [ruff check, [python, -c, 'a b'], {run: a b}]": (
        *(command(16, "ruff", "check"), command(28, "python", "-c", "a b"), command(49, "a", "b")),
    ),
    f"commands: [{{run: [a, b c], {OPTIONS}}}]": (
        command(
            16,
            "a",
            "b c",
            set_env=(("A", "1"),),
            change_dir="docs",
            success_codes=(0, -9),
            external=True,
            allow_failure=True,
        ),
    ),
    "commands_post: rm x": (command(20, "rm", "x"),),
    "set_env: {A: on, B: 3.10, C: '', D: 2026-01-01, E: 1_0}": (
        *(("A", "on"), ("B", "3.10"), ("C", ""), ("D", "2026-01-01"), ("E", "1_0")),
    ),
    "set_env: {DB: 'postgres://postgres:postgres@localhost/test'}": (
        ("DB", "postgres://postgres:postgres@localhost/test"),
    ),
    "pass_env: HOME": ("HOME",),
    "change_dir: src": "src",
    "tags: [a, b]": ("a", "b"),
    "default: false": False,
    "requires: base": (entry("session", "base", 6, 15),),
    "backend: venv": "venv",
    "lock: false": LockOptions(enabled=False),
    "lock: {}": LockOptions(enabled=True, place=at(6, 11)),
    "lock: {file: '{name}.txt', per: point, format: both}": LockOptions(
        enabled=True, file=("{name}.txt",), per="point", format="both", place=at(6, 11)
    ),
    "drift: warn": DriftOptions(policy="warn"),
    "drift: {files: off, severity: {leak: 'off'}}": DriftOptions(files="off", severity=(("leak", "off"),)),
    "drift: {ignore: [{path: '*.pth', package: My_*, reason: x, until: 2030-01-31}]}": DriftOptions(
        ignore=(IgnoreRule(path="*.pth", package="my-*", reason="x", until="2030-01-31", place=at(6, 22)),)
    ),
    "platforms: linux": ("linux",),
    "runs_on: [ubuntu-latest]": ("ubuntu-latest",),
}


@pytest.mark.parametrize("line", READ)
def test_a_key_of_an_environment_is_read(line: str) -> None:
    assert layer(line) == {line.split(":")[0]: READ[line]}


def test_an_environment_may_say_nothing() -> None:
    found = spec_of("version: 1\nenvironments:\n  tests:\n  lint: {}\n").environments
    assert [(one.name, one.layer, one.python) for one in found] == [("tests", {}, ()), ("lint", {}, ())]


def test_indexes_keep_their_order() -> None:
    found = spec_of("""
        version: 1
        environments: {tests: {}}
        indexes:
          private: https://packages.example.org/simple
          files: file:///srv/index
        """)
    private, files = ("private", "https://packages.example.org/simple"), ("files", "file:///srv/index")
    assert found.indexes == (private, files)


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ("lock: {group: x}", "layer locks instead: constraints: [{lock: ENVIRONMENT}]"),
        (
            "lock: {use: x}",
            "remove it; in place of 'constraints' write 'lock: false' and constraints: [{file: PATH}]",
        ),
        ("lock: {exclude_newer: x}", "this key belongs to the environment itself"),
        ("deps: x", "here it is called 'requirements'"),
        ("setenv: x", "did you mean 'set_env'?"),
        ("basepython: x", "here it is called 'python'"),
        ("depends: x", "here it is called 'requires'"),
        ("labels: x", "here it is called 'tags'"),
        ("skip_install: x", "without 'package' this project is not installed"),
        ("extras: x", "write 'package: {mode: editable, extras: [NAME]}'"),
        ("install_command: x", "remove it: uv installs"),
    ],
)
def test_keys_of_tox_and_keys_in_the_wrong_place_lead_to_ours(keys: str, hint: str) -> None:
    with pytest.raises(FileProblems) as raised:
        environment(keys)
    assert [(one.message, one.hint) for one in raised.value.problems] == [("unknown key", hint)]


@pytest.mark.parametrize("command", ["ls $HOME/x", "cp ${HOME} x", "ls ~/x", "ls ~"])
def test_what_only_a_shell_fills_in_is_an_error_unless_it_is_in_a_list_of_words(command: str) -> None:
    with pytest.raises(FileProblems, match="stays as it is"):
        environment(f"commands: [{command!r}]")
    assert environment(f"commands: [{command.split()}]") if "{" not in command else True


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
    assert tests.layer == {
        "description": "Base",
        "commands": (Command(argv=("pytest",), place=at(14, 16)),),
        "set_env": (("A", "a"), ("B", "base")),
        "tags": ("all",),
        "lock": LockOptions(enabled=True, per="point", format="requirements", place=at(23, 11)),
        "drift": DriftOptions(
            policy="warn",
            severity=(("leak", "off"), ("version", "note")),
            ignore=(IgnoreRule(kind="leak", reason="x", place=at(9, 74)),),
        ),
    }
    assert (tests.python, tests.exclude) == (("3.13",), ())
    assert [[one.values for one in axis] for axis in tests.matrix.values()] == [
        [(("django", "5.2"),)],
        [(("db", "pg"),)],
    ]
    assert more.layer["lock"] == LockOptions(enabled=False)
    assert (more.layer["tags"], more.python, more.matrix) == ((), ("3.13",), {})
    assert more.include[0].values == (("django", "main"),)
    assert (lint.python, lint.layer["allow_prereleases"]) == ("3.12", True)


def test_a_drift_policy_and_a_mapping_of_drift_options_are_merged() -> None:
    text = "version: 1\ndefaults: {drift: fail}\nenvironments: {t: {drift: {files: all}}}"
    assert spec_of(text).environments[0].layer == {"drift": DriftOptions(policy="fail", files="all")}


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
    django, db = found.matrix["django"], found.matrix["db"]
    assert [one.values for one in (*django, *db)] == [
        *((("django", value),) for value in ("4.2", "5.2", "main")),
        (("db", "pg"),),
    ]
    assert [one.when for one in django] == [
        (Condition(values=("<3.13",), place=at(10, 25)),),
        (),
        (Condition(values=("3.12",), negated=True, place=at(12, 24)),),
    ]
    assert django[0].layer["set_env"] == (("A", "{django}"),)
    (excluded,) = found.exclude
    assert [(one.axis, one.values) for one in excluded.when] == [
        ("django", ("4.2", "main")),
        ("python", ("3.13",)),
    ]
    (added,) = found.include
    assert added.values == (("python", "3.14"), ("django", "new"), ("db", "pg"))
    assert added.layer == {"tags": ("x",)}
    first, second = found.overrides
    assert [(one.axis, one.values, one.negated) for one in first.when] == [
        ("python", (">=3.13",), False),
        ("django", ("5.2",), True),
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
    assert found[0].endswith("(it has 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)")


def test_a_mistyped_key_in_a_listed_point_is_not_an_axis() -> None:
    found = problems_of('matrix: [{django: "4.2", tgas: slow}, {django: "5.2"}]')
    assert found == ["matrix[0]: 'tgas' is not an axis of the environment"]


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
