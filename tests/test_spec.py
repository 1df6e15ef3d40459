"""An envs.yaml to a checked spec, or to every problem that it has."""

from __future__ import annotations

import random
import shlex
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import FileProblems, Place
from nox_envs.files import read_text
from nox_envs.matrix import expand
from nox_envs.spec.command_text import command_words
from nox_envs.spec.read import read_spec
from nox_envs.spec.types import (
    Axis,
    AxisValue,
    Combination,
    Command,
    Condition,
    ConstraintFile,
    ConstraintLock,
    ConstraintText,
    DriftOptions,
    Environment,
    Extra,
    Group,
    IgnoreRule,
    Include,
    Index,
    Layer,
    LockOptions,
    Package,
    RequirementFile,
    RequirementSet,
    RequirementText,
    Spec,
)

relaxed = settings(deadline=None)

GOLDEN = Path(__file__).parent / "golden" / "spec"
BROKEN = sorted(GOLDEN.glob("*.yaml"), key=lambda path: path.name)

DESIGN = """\
# envs.yaml
version: 1

defaults:                        # any environment key; an environment's own value wins
  python: "3.12"

requirements:                    # named requirement sets
  app: [requests>=2.31, rich]
  test:
    - include: app               # another set
    - pytest>=8
    - coverage[toml]; python_version < "3.13"
  docs:
    - file: requirements/docs.in # pip's requirements format: -r and -c inside are followed
  lint:
    - group: lint                # a PEP 735 dependency group of pyproject.toml
  project:
    - extra: cli                 # this project's own dependencies, with these extras

environments:
  tests:
    description: Run the test suite
    python: ["3.10", "3.11", "3.12", "3.13"]
    matrix:
      django: ["4.2", "5.2"]
    exclude:
      - {python: "3.10", django: "5.2"}
    requirements: [test, "django~={django}.0"]   # set names and requirement strings
    package: editable            # none (default) | editable | wheel, or {mode: ..., extras: [...]}
    set_env: {PYTHONWARNINGS: error}
    commands:
      - pytest {posargs:tests}
    tags: [ci]
"""


def at(line: int, column: int) -> Place:
    return Place(origin="envs.yaml", line=line, column=column)


def spec_of(text: str) -> Spec:
    return read_spec(textwrap.dedent(text), origin="envs.yaml")


def environments(text: str) -> Spec:
    """Read a spec whose environments are `text`."""
    return spec_of("version: 1\nenvironments:\n" + textwrap.indent(textwrap.dedent(text), "  "))


def environment(text: str) -> Environment:
    """Read the one environment `tests` whose keys are `text`."""
    (found,) = environments("tests:\n" + textwrap.indent(textwrap.dedent(text), "  ")).environments
    return found


def read_file(path: Path) -> Spec:
    """Read a spec from disk, as a project does."""
    return read_spec(read_text(path, shown=path.name), origin=path.name)


def layer(text: str) -> Layer:
    return environment(text).layer


def problems(text: str) -> list[str]:
    with pytest.raises(FileProblems) as raised:
        spec_of(text)
    return [str(problem).removeprefix("envs.yaml:") for problem in raised.value.problems]


def environment_problems(text: str) -> list[str]:
    """Return the problems of the environment `tests` whose keys are `text`, without their places."""
    indented = textwrap.indent(textwrap.dedent(text), "    ")
    found = problems(f"version: 1\nenvironments:\n  tests:\n{indented}")
    return [problem.split(": ", 1)[1].removeprefix("environments.tests.") for problem in found]


# broken files


@pytest.mark.parametrize("path", BROKEN, ids=[path.stem for path in BROKEN])
def test_a_broken_file_is_explained_word_for_word(path: Path) -> None:
    with pytest.raises(FileProblems) as raised:
        read_file(path)
    assert f"{raised.value}\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_there_are_fifty_broken_files_and_each_has_its_message() -> None:
    assert len(BROKEN) >= 50
    assert {path.stem for path in BROKEN} == {path.stem for path in GOLDEN.glob("*.txt")}


@pytest.mark.parametrize("path", BROKEN, ids=[path.stem for path in BROKEN])
def test_problems_come_in_the_order_of_the_file(path: Path) -> None:
    with pytest.raises(FileProblems) as raised:
        read_file(path)
    places = [(problem.place.line, problem.place.column) for problem in raised.value.problems]
    assert places == sorted(places)


def test_no_message_holds_the_password_of_a_url() -> None:
    assert "s3cret" in (GOLDEN / "url-with-password.yaml").read_text(encoding="utf-8")
    message = (GOLDEN / "url-with-password.txt").read_text(encoding="utf-8")
    assert "s3cret" not in message
    assert "tok3n" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\nenvironments: {tests: {description: '" + "x" * 3_000_000 + "'}}", "larger than 1 MiB"),
        ("version: 1\nenvironments: " + "[" * 100_000, "nested deeper than 40 levels"),
        (
            "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
            "aliases of this file expand to more than 10,000 values",
        ),
        (
            "version: 1\nenvironments:\n  e0: {}\n"
            + "".join(f"  e{n}: {{extends: e{n - 1}}}\n" for n in range(1, 1000)),
            "extends more than 20 environments in a row",
        ),
        (
            "version: 1\nenvironments: {tests: {}}\nrequirements:\n  s0: [x]\n"
            + "".join(f"  s{n}: [{{include: s{n - 1}}}]\n" for n in range(1, 1000)),
            "requirement sets include each other more than 100 deep",
        ),
        (
            "version: 1\nenvironments:\n" + "".join(f"  e{n}: {{kez{n}: 1}}\n" for n in range(1500)),
            "unknown key",
        ),
    ],
    ids=["a line of 3 MB", "deep nesting", "alias bomb", "extends", "includes", "thousands of problems"],
)
def test_a_hostile_file_is_refused_quickly(text: str, expected: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(FileProblems, match=expected):
        read_spec(text, origin="envs.yaml")
    assert time.perf_counter() - begun < 5


KEYS = (
    "version", "environments", "requirements", "defaults", "python", "matrix", "include", "exclude",
    "extends", "commands", "lock", "drift",
)  # fmt: skip
WORDS = [
    *KEYS,
    "1",
    "tests",
    "_x",
    "3.12",
    "{posargs",
    "{django}",
    "}",
    "true",
    "'",
    '"',
    "[",
    "]",
    "{",
    "-e",
]
MARKS = [
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
]


@given(pieces=st.lists(st.sampled_from(WORDS + MARKS), max_size=40))
@relaxed
def test_a_heap_of_yaml_is_read_or_refused(pieces: list[str]) -> None:
    assert isinstance(read_or_refuse("".join(pieces)), Spec | FileProblems)


def read_or_refuse(text: str) -> Spec | FileProblems:
    try:
        return read_spec(text, origin="envs.yaml")
    except FileProblems as error:
        return error


SCALARS = ["", "a", "tests", "3.12", '"{django}"', "'{x}'", "true", "~", "a>=1", "-e", "{lock: tests}", "[]"]


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
    assert isinstance(read_or_refuse(f"version: 1\nenvironments:\n  tests:\n{lines}"), Spec | FileProblems)
    assert isinstance(read_or_refuse("version: 1\n" + textwrap.dedent(lines)), Spec | FileProblems)


def test_a_file_with_bytes_changed_at_random_is_read_or_refused(tmp_path: Path) -> None:
    chance, file = random.Random(2), tmp_path / "envs.yaml"
    for _ in range(150):
        data = bytearray(DESIGN.encode())
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.choice(b"\x00\xff\t{}[]:-,'\"&*!|>%@`\n ")
        file.write_bytes(data)
        try:
            found: Spec | FileProblems = read_file(file)
        except FileProblems as error:
            found = error
        assert isinstance(found, Spec | FileProblems)


# whole files


def test_the_example_of_the_design_is_read_as_it_says() -> None:
    assert read_spec(DESIGN, origin="envs.yaml") == Spec(
        origin="envs.yaml",
        sets=(
            RequirementSet(
                name="app",
                items=(
                    RequirementText(text="requests>=2.31", place=at(8, 9)),
                    RequirementText(text="rich", place=at(8, 25)),
                ),
                place=at(8, 3),
            ),
            RequirementSet(
                name="test",
                items=(
                    Include(name="app", place=at(10, 7)),
                    RequirementText(text="pytest>=8", place=at(11, 7)),
                    RequirementText(text='coverage[toml]; python_version < "3.13"', place=at(12, 7)),
                ),
                place=at(9, 3),
            ),
            RequirementSet(
                name="docs",
                items=(RequirementFile(path="requirements/docs.in", place=at(14, 7)),),
                place=at(13, 3),
            ),
            RequirementSet(name="lint", items=(Group(name="lint", place=at(16, 7)),), place=at(15, 3)),
            RequirementSet(name="project", items=(Extra(names=("cli",), place=at(18, 7)),), place=at(17, 3)),
        ),
        environments=(
            Environment(
                name="tests",
                layer=Layer(
                    description="Run the test suite",
                    requirements=(
                        Include(name="test", place=at(28, 20)),
                        RequirementText(text="django~={django}.0", place=at(28, 26)),
                    ),
                    package=Package(mode="editable"),
                    commands=(Command(argv=("pytest", "{posargs:tests}"), place=at(32, 9)),),
                    set_env=(("PYTHONWARNINGS", "error"),),
                    tags=("ci",),
                ),
                pythons=("3.10", "3.11", "3.12", "3.13"),
                python_listed=True,
                axes=(
                    Axis(
                        name="django",
                        values=(
                            AxisValue(value="4.2", layer=Layer()),
                            AxisValue(value="5.2", layer=Layer()),
                        ),
                    ),
                ),
                exclude=(
                    Combination(
                        values=(("python", "3.10"), ("django", "5.2")), layer=Layer(), place=at(27, 9)
                    ),
                ),
                place=at(21, 3),
            ),
        ),
    )


def test_the_example_of_the_design_expands() -> None:
    assert len(expand(read_spec(DESIGN, origin="envs.yaml"))) == 7


def test_the_smallest_file_of_the_hint_is_a_good_file() -> None:
    found = spec_of("version: 1\nenvironments: {lint: {requirements: [ruff>=0.6], commands: [ruff check]}}")
    assert [one.name for one in found.environments] == ["lint"]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "envs.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + DESIGN.replace("\n", "\r\n").encode())
    assert read_file(file) == read_spec(DESIGN, origin="envs.yaml")


def test_every_key_of_an_environment_is_read() -> None:
    found = environment(
        """
        description: Everything
        python: 3.13t
        requirements: [a>=1, ./local, "b @ https://packages.example.org/b.whl"]
        constraints: [urllib3<2, {file: ci/pins.txt}, {file: x.txt}, ci/more.txt, ./pins]
        build_constraints: setuptools<80
        package: {mode: wheel, extras: [cli, docs]}
        commands:
          - run: [make, -C, docs]
            set_env: {A: 1}
            change_dir: docs
            success_codes: [0, -9]
            external: true
            allow_failure: true
          - [python, -c, "print('{{}}')"]
          - ruff check
        set_env: {A: on, B: 3.10, C: ""}
        pass_env: HOME
        change_dir: src
        tags: [a, b]
        default: false
        requires: []
        backend: venv
        lock: {per: python}
        drift: warn
        allow_prereleases: [Black, ruff]
        platforms: linux
        runs_on: [ubuntu-latest]
        """
    )
    assert found.pythons == ("3.13t",)
    assert not found.python_listed
    assert found.layer == Layer(
        description="Everything",
        requirements=(
            RequirementText(text="a>=1", place=at(7, 20)),
            RequirementText(text="./local", place=at(7, 26)),
            RequirementText(text="b @ https://packages.example.org/b.whl", place=at(7, 35)),
        ),
        constraints=(
            ConstraintText(text="urllib3<2", place=at(8, 19)),
            ConstraintFile(path="ci/pins.txt", place=at(8, 30)),
            ConstraintFile(path="x.txt", place=at(8, 51)),
            ConstraintFile(path="ci/more.txt", place=at(8, 66)),
            ConstraintFile(path="./pins", place=at(8, 79)),
        ),
        build_constraints=(ConstraintText(text="setuptools<80", place=at(9, 24)),),
        package=Package(mode="wheel", extras=("cli", "docs")),
        commands=(
            Command(
                argv=("make", "-C", "docs"),
                set_env=(("A", "1"),),
                change_dir="docs",
                success_codes=(0, -9),
                external=True,
                allow_failure=True,
                place=at(12, 9),
            ),
            Command(argv=("python", "-c", "print('{{}}')"), place=at(18, 9)),
            Command(argv=("ruff", "check"), place=at(19, 9)),
        ),
        set_env=(("A", "on"), ("B", "3.10"), ("C", "")),
        pass_env=("HOME",),
        change_dir="src",
        tags=("a", "b"),
        default=False,
        requires=(),
        backend="venv",
        lock=LockOptions(enabled=True, per="python"),
        drift=DriftOptions(policy="warn"),
        allow_prereleases=("black", "ruff"),
        platforms=("linux",),
        runs_on=("ubuntu-latest",),
    )


def test_an_environment_may_say_nothing() -> None:
    found = environments("tests:\nlint: {}\n")
    assert [(one.name, one.layer, one.pythons) for one in found.environments] == [
        ("tests", Layer(), ()),
        ("lint", Layer(), ()),
    ]


def test_indexes_keep_their_order_and_packages_are_canonical() -> None:
    found = spec_of(
        """
        version: 1
        environments: {tests: {}}
        indexes:
          private: {url: https://packages.example.org/simple, packages: [My_App]}
          files: file:///srv/index
        """
    )
    assert found.indexes == (
        Index(
            name="private", url="https://packages.example.org/simple", packages=("my-app",), place=at(5, 3)
        ),
        Index(name="files", url="file:///srv/index", place=at(6, 3)),
    )


def test_drift_options_of_the_file_are_read() -> None:
    found = spec_of(
        """
        version: 1
        environments: {tests: {}}
        drift:
          policy: fail
          files: off
          severity: {skew: "off", outdated: error}
          ignore:
            - {kind: extraneous, package: My_Tool, environment: tests, reason: ours, until: 2030-01-31}
            - {path: "lib/*.pth", reason: ours}
        """
    )
    assert found.drift == DriftOptions(
        policy="fail",
        files="off",
        severity=(("skew", "off"), ("outdated", "error")),
        ignore=(
            IgnoreRule(
                kind="extraneous",
                package="my-tool",
                environment="tests",
                reason="ours",
                until="2030-01-31",
                place=at(9, 7),
            ),
            IgnoreRule(path="lib/*.pth", reason="ours", place=at(10, 7)),
        ),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("false", LockOptions(enabled=False)),
        ("true", LockOptions(enabled=True)),
        ("{}", LockOptions(enabled=True)),
        ("{file: 'locks/{environment}.txt'}", LockOptions(enabled=True, file=("locks/{environment}.txt",))),
        (
            "{file: [a.txt, b.txt], managed: false, use: constraints}",
            LockOptions(enabled=True, file=("a.txt", "b.txt"), managed=False, use="constraints"),
        ),
        (
            "{per: point, format: both, group: prod, resolution: lowest-direct, resolver: pip}",
            LockOptions(
                enabled=True,
                per="point",
                format="both",
                group="prod",
                resolution="lowest-direct",
                resolver="pip",
            ),
        ),
        ("{exclude_newer: 7 days}", LockOptions(enabled=True, exclude_newer="7 days")),
        ("{exclude_newer: 1 weeks}", LockOptions(enabled=True, exclude_newer="1 week")),
        ("{exclude_newer: 2026-01-31}", LockOptions(enabled=True, exclude_newer="2026-01-31")),
        (
            "{exclude_newer: 2026-01-31t10:00:00.5z}",
            LockOptions(enabled=True, exclude_newer="2026-01-31T10:00:00.5Z"),
        ),
        (
            "{exclude_newer: {than: 48 hours, exempt: [Our_Tool]}}",
            LockOptions(enabled=True, exclude_newer="48 hours", exclude_newer_exempt=("our-tool",)),
        ),
        (
            "{only_binary: ':all:', no_binary: [Lxml]}",
            LockOptions(enabled=True, only_binary=(":all:",), no_binary=("lxml",)),
        ),
    ],
)
def test_lock_options_are_read(text: str, expected: LockOptions) -> None:
    assert layer(f"lock: {text}").lock == expected


@pytest.mark.parametrize(
    "text",
    ["2026-13-01", "2026-01-31T25:00:00Z", "2026-01-31T10:00", "7", "7 months", "x days", "999999 days"],
)
def test_a_point_in_time_that_is_none_is_refused(text: str) -> None:
    assert "is no point in time" in environment_problems(f"lock: {{exclude_newer: '{text}'}}")[0]


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("false", False), ("black", ("black",)), ("[]", ())]
)
def test_allow_prereleases_is_a_boolean_or_names(text: str, expected: bool | tuple[str, ...]) -> None:
    assert layer(f"allow_prereleases: {text}").allow_prereleases == expected


@pytest.mark.parametrize(
    ("text", "pythons", "listed"),
    [
        ("3.10", ("3.10",), False),
        ("[3.10, 3.1]", ("3.10", "3.1"), True),
        ("[pypy3.11]", ("pypy3.11",), True),
        ("python3.12", ("python3.12",), False),
    ],
)
def test_pythons_are_texts_passed_on_by_name(text: str, pythons: tuple[str, ...], listed: bool) -> None:
    found = environment(f"python: {text}")
    assert (found.pythons, found.python_listed) == (pythons, listed)


NAMES = (
    "3",
    "3.12",
    "3.12.1",
    "3.13t",
    "313",
    "3.12-64",
    "py3.12",
    "python3.12",
    "pypy3.11",
    "pypy",
    "graalpy3.12",
)


@pytest.mark.parametrize("name", [*NAMES, "cpython3.12-64-arm64"])
def test_a_python_has_a_name_by_which_nox_looks_for_it(name: str) -> None:
    from python_discovery import PythonSpec

    assert environment(f"python: '{name}'").pythons == (name,)
    looked_for = PythonSpec.from_string_spec(name)
    assert looked_for.path is None
    assert looked_for.major == 3 or looked_for.implementation == "pypy"


# commands


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("pytest", ("pytest",)),
        ("pytest  -q\ttests ", ("pytest", "-q", "tests")),
        ("pytest {posargs:tests -q}", ("pytest", "{posargs:tests -q}")),
        ("pytest --root={envdir}/x{posargs: a b}", ("pytest", "--root={envdir}/x{posargs: a b}")),
        ("python -c 'print(1, \"a b\")'", ("python", "-c", 'print(1, "a b")')),
        ("python -c 'a\nb'", ("python", "-c", "a\nb")),
        ("grep a\\ b '' \"|\"", ("grep", "a b", "", "|")),
        ("make \\\n  all\n", ("make", "all")),
        ("tool --set A=1 é", ("tool", "--set", "A=1", "é")),
    ],
)
def test_a_command_is_split_like_a_shell_would(text: str, argv: tuple[str, ...]) -> None:
    assert command_words(text) == argv


@given(words=st.lists(st.text(st.characters(exclude_characters="{}\0", codec="utf-8"), min_size=1)))
@relaxed
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    argv = ("tool", *words)
    text = shlex.join(argv)
    if "://" not in text and "\\\n" not in text:
        assert command_words(text) == argv


def test_a_folded_command_is_one_command() -> None:
    (command,) = layer("commands:\n  - >\n    pytest\n    -q\n").commands or ()
    assert command.argv == ("pytest", "-q")


def test_one_command_needs_no_list() -> None:
    assert layer("commands: pytest -q").commands == (Command(argv=("pytest", "-q"), place=at(4, 15)),)


@pytest.mark.parametrize("text", ["a | b", "a > b", "a; b ;", "A=1 b", "'A'=1 b && c"])
def test_what_only_a_shell_understands_is_refused(text: str) -> None:
    assert len(environment_problems(f'commands: ["{text}"]')) == 1


# inheritance


INHERITED = """
    version: 1
    lock: {per: python, resolver: uv, exclude_newer: 7 days}
    defaults:
      python: "3.12"
      set_env: {A: a, B: b}
      lock: {resolver: pip}
      tags: [all]
      drift: {policy: fail, severity: {skew: error, leak: note}, ignore: [{kind: leak, reason: x}]}
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
        drift: {severity: {skew: "off"}}
      more:
        extends: tests
        commands: [pytest -x]
        tags: []
        lock: false
        allow_prereleases: false
      lint: {allow_prereleases: true}
"""


def test_lists_are_replaced_and_mappings_merged() -> None:
    tests, more, lint = spec_of(INHERITED).environments
    assert tests.layer == Layer(
        description="Base",
        commands=(Command(argv=("pytest",), place=at(14, 16)),),
        set_env=(("A", "a"), ("B", "base")),
        tags=("all",),
        lock=LockOptions(enabled=True, per="point", resolver="pip", exclude_newer="7 days"),
        drift=DriftOptions(
            policy="warn",
            severity=(("skew", "off"), ("leak", "note")),
            ignore=(IgnoreRule(kind="leak", reason="x", place=at(9, 71)),),
        ),
    )
    assert (tests.pythons, tests.python_listed, tests.exclude) == (("3.13",), True, ())
    assert [(axis.name, [value.value for value in axis.values]) for axis in tests.axes] == [
        ("django", ["5.2"]),
        ("db", ["pg"]),
    ]
    assert more.layer.lock == LockOptions(enabled=False, per="point", resolver="pip", exclude_newer="7 days")
    assert (more.layer.tags, more.axes, more.pythons) == ((), tests.axes, ("3.13",))
    assert more.layer.allow_prereleases is False
    assert (lint.pythons, lint.python_listed, lint.layer.allow_prereleases) == (("3.12",), False, True)


def test_templates_make_no_environment() -> None:
    assert [one.name for one in spec_of(INHERITED).environments] == ["tests", "more", "lint"]


def test_what_extends_something_broken_is_not_blamed_for_it() -> None:
    found = problems(
        """
        version: 1
        environments:
          _base: {extends: nothing, matrix: {django: ["4.2"]}}
          tests: {extends: _base, commands: ["pytest {django} {what}"]}
        """
    )
    assert found == [
        "4:20: environments._base.extends: 'nothing' is no environment "
        "(name an environment or a template of this file)"
    ]


# matrix


MATRIX = """
    version: 1
    requirements: {pg-deps: [psycopg], sqlite-deps: []}
    environments:
      tests:
        python: ["3.12", "3.13"]
        matrix:
          django:
            "4.2": {requirements: ["django~={django}.0"], set_env: {A: "{django}"}}
            "5.2":
          db: {pg: {requirements: [pg-deps]}, sqlite: {requirements: [sqlite-deps]}}
        include:
          - {python: "3.14", django: main, db: pg, requirements: ["django @ https://packages.example.org/{django}.zip"]}
        overrides:
          - {when: {python: ">=3.13", django: "5.2"}, commands: [mypy]}
          - {when: {django: ["4.2", main]}, tags: [old]}
          - {when: {db: {not: pg}, python: {not: "<3.13"}, django: {not: [main]}}, tags: [new]}
"""


def test_mapping_axes_includes_and_overrides_are_read() -> None:
    (tests,) = spec_of(MATRIX).environments
    django, db = tests.axes
    assert django.values[0].layer.set_env == (("A", "{django}"),)
    assert django.values[1] == AxisValue(value="5.2", layer=Layer())
    assert db.values[0].layer.requirements == (Include(name="pg-deps", place=at(11, 32)),)
    (included,) = tests.include
    assert included.values == (("python", "3.14"), ("django", "main"), ("db", "pg"))
    assert included.layer.requirements is not None
    assert [override.when for override in tests.overrides] == [
        (Condition(axis="python", specifier=">=3.13"), Condition(axis="django", values=("5.2",))),
        (Condition(axis="django", values=("4.2", "main")),),
        (
            Condition(axis="db", values=("pg",), negated=True),
            Condition(axis="python", specifier="<3.13", negated=True),
            Condition(axis="django", values=("main",), negated=True),
        ),
    ]
    assert len(expand(spec_of(MATRIX))) == 9


def test_one_value_makes_an_axis() -> None:
    (axis,) = environment('matrix: {django: "5.2"}').axes
    assert axis == Axis(name="django", values=(AxisValue(value="5.2", layer=Layer()),))


def test_a_value_in_when_must_be_known_to_one_environment_that_inherits_it() -> None:
    text = """
        version: 1
        defaults:
          overrides:
            - {{when: {{python: "{python}"}}, tags: [x]}}
        environments:
          old: {{python: "3.10"}}
          new: {{python: "3.13"}}
    """
    assert len(spec_of(text.format(python="3.13")).environments) == 2
    assert problems(text.format(python="3.9")) == [
        "5:15: defaults.overrides[0].when.python: '3.9' is no value of python in the environment 'old' "
        "(its values: 3.10)"
    ]


def test_many_values_are_not_all_listed() -> None:
    values = ", ".join(map(str, range(20)))
    (problem,) = environment_problems(f"matrix: {{n: [{values}]}}\nexclude: [{{n: x}}]")
    assert problem.endswith("(its values: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …)")


def test_a_broken_axis_does_not_make_its_placeholder_unknown() -> None:
    assert environment_problems('matrix: {django: [[]]}\ncommands: ["pytest {django}"]') == [
        "matrix.django[0]: expected a value, found a list"
    ]


# placeholders


def test_requirements_are_tried_with_the_values_they_can_have() -> None:
    found = environment(
        """
        python: ["3.12", "3.13"]
        matrix:
          db: {pg: {requirements: ["psycopg{major}>=1"]}, my sql: {}}
          major: ["2", "3"]
        requirements: ["tool{py}=={python}", "{name}-x>=1"]
        overrides:
          - {when: {db: pg}, requirements: ["{db}-driver>=1"]}
        """
    )
    assert found.overrides[0].layer.requirements == (
        RequirementText(text="{db}-driver>=1", place=at(11, 41)),
    )


def test_doubled_braces_are_no_placeholders() -> None:
    assert layer(
        'set_env: {A: "{{x}}"}\nrequirements: ["a @ https://packages.example.org/{{x}}"]'
    ).set_env == (("A", "{{x}}"),)


def test_a_requirement_with_more_combinations_than_anyone_tries_is_still_read() -> None:
    axes = "\n".join(f"  a{n}: [{', '.join(map(str, range(10)))}]" for n in range(6))
    text = "a=={" + "}.{".join(f"a{n}" for n in range(6)) + "}"
    found = environment(f'matrix:\n{axes}\nrequirements: ["{text}"]')
    assert len(found.axes) == 6


# references


def test_locks_may_be_layered() -> None:
    found = environments(
        """
        prod: {requirements: [a>=1]}
        test: {constraints: [{lock: prod}]}
        dev: {constraints: [{lock: test}]}
        """
    )
    assert found.environments[1].layer.constraints == (ConstraintLock(environment="prod", place=at(5, 24)),)


def test_builds_are_limited_by_files_and_requirements_but_by_no_lock() -> None:
    found = environments("""dev: {build_constraints: [{file: build.txt}, "wheel<1"]}""").environments[0]
    assert found.layer.build_constraints == (
        ConstraintFile(path="build.txt", place=at(3, 29)),
        ConstraintText(text="wheel<1", place=at(3, 48)),
    )
    assert environment_problems("build_constraints: [{lock: base}]")[1] == (
        "build_constraints[0].lock: unknown key "
        "(no lock holds what builds sdists; write a file or a requirement)"
    )


@pytest.mark.parametrize("text", ["types-*", "*", "[a-c]pple", "pi?", "apple"])
def test_an_ignore_rule_takes_a_pattern_for_a_package(text: str) -> None:
    found = layer(f"drift: {{ignore: [{{package: '{text}', reason: known}}]}}").drift
    assert found is not None
    assert found.ignore[0].package == text


def test_requires_knows_environments_and_sessions_as_nox_names_them() -> None:
    names = """["lint-3.12", lint, one, one-3.12, "m(x='1')", "m-3.12(x='1')", "m-3.12",
              "w-3.13(x='2', y='a')", "w-3.14(x='9', y='a')", "plain(x='1')", "p-{python}", "p-{py}"]"""
    found = environments(
        f"""
        tests: {{python: ["3.12", "3.13"], requires: {names}}}
        lint: {{python: ["3.12", "3.13"]}}
        one: {{python: "3.12"}}
        m: {{python: "3.12", matrix: {{x: ["1"]}}}}
        w:
          python: ["3.12", "3.13"]
          matrix: {{x: ["1", "2"], y: [a]}}
          exclude: [{{python: "3.12", x: "2"}}]
          include: [{{python: "3.14", x: "9", y: a}}]
        plain: {{matrix: {{x: ["1"]}}}}
        p: {{python: ["3.12", "3.13"]}}
        """
    )
    assert len(found.environments[0].layer.requires or ()) == 12


def test_an_excluded_point_cannot_be_required() -> None:
    found = problems(
        """
        version: 1
        environments:
          tests: {requires: ["w(x='2')"]}
          w: {matrix: {x: ["1", "2"]}, exclude: [{x: "2"}]}
        """
    )
    assert found == [
        "4:22: environments.tests.requires[0]: \"w(x='2')\" is no environment and no session of one "
        "(did you mean \"w(x='1')\"?)"
    ]


def test_sessions_of_a_matrix_too_large_to_list_are_found_among_its_first() -> None:
    values = ", ".join(map(str, range(100)))
    found = environments(
        f"tests: {{requires: [\"w(a='0', b='1', c='2')\"]}}\n"
        f"w: {{matrix: {{a: [{values}], b: [{values}], c: [{values}]}}}}"
    )
    assert found.environments[0].layer.requires == ("w(a='0', b='1', c='2')",)


def test_a_session_of_a_broken_environment_is_not_doubted() -> None:
    found = problems(
        """
        version: 1
        environments:
          tests: {requires: [lint-3.12]}
          lint: {python: [[]]}
        """
    )
    assert found == ["5:19: environments.lint.python[0]: expected a Python version, found a list"]


# credentials


@pytest.mark.parametrize(
    "url",
    [
        "git+ssh://git@git.example.org/app.git",
        "git+https://git@git.example.org/app.git",
        "https://packages.example.org/a:b@c/app.zip",
        "https://packages.example.org/app.zip#sha256=0",
        "https://packages.example.org/app.zip?author=me",
    ],
)
def test_a_url_without_a_password_is_no_problem(url: str) -> None:
    assert layer(f'requirements: ["app @ {url}"]').requirements == (
        RequirementText(text=f"app @ {url}", place=at(4, 20)),
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://alice:s3cret@packages.example.org/app.zip",
        "https://s3cret@packages.example.org/app.zip",
        "https://alice:s3@cret@packages.example.org/app.zip",
        "git+https://alice:s3cret@git.example.org/app.git",
        "ssh://git:s3cret@git.example.org/app.git",
        "HTTPS://alice:${TOKEN}@packages.example.org/app.zip",
        "custom://alice:s3cret@packages.example.org/app.zip",
        "https://packages.example.org/app.zip?token=s3cret",
    ],
)
def test_a_url_with_a_password_is_refused_and_never_shown(url: str) -> None:
    (problem,) = environment_problems(f'requirements: ["app @ {url}"]')
    assert "a URL with a password or token must not stand in this file" in problem
    assert "cret" not in problem


def test_the_password_of_a_test_database_is_no_credential_of_an_installer() -> None:
    url = "postgres://postgres:postgres@localhost/test"
    assert layer(f"set_env: {{DATABASE: '{url}'}}").set_env == (("DATABASE", url),)


def test_an_invalid_requirement_is_shown_without_its_password() -> None:
    (problem,) = environment_problems('requirements: ["app @@ https://al ice:s3cret@packages.example.org"]')
    assert "s3cret" not in problem


# speed


def test_reading_ten_environments_takes_milliseconds() -> None:
    one = textwrap.dedent(MATRIX).partition("environments:\n")[2].replace("main", "'6.0'")
    text = "version: 1\nrequirements: {pg-deps: [psycopg], sqlite-deps: []}\nenvironments:\n"
    text += "".join(one.replace("tests:", f"tests{n}:") for n in range(10))
    read_spec(text, origin="envs.yaml")
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        read_spec(text, origin="envs.yaml")
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.05
