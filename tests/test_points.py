"""Points: what a matrix expands to, what each point is made of, and how its session is called."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nox.sessions import _normalize_path  # the names must be those of nox

from nox_envs.errors import FileProblems, Place
from nox_envs.findings import DriftOptions
from nox_envs.spec.keys import read_spec
from nox_envs.spec.points import MOST_POINTS, expand
from nox_envs.spec.types import Entry, LockOptions, Package, Point
from nox_envs.spec.words import venv_directory

relaxed = settings(deadline=None)


def points(environments: str, *, python: str | None = None) -> tuple[Point, ...]:
    """Expand the environments in a text; the sets `app`, `pg` and `mysql` are there."""
    text = "version: 1\nrequirements: {app: [], pg: [], mysql: []}\nenvironments:\n"
    text += textwrap.indent(textwrap.dedent(environments), "  ")
    return expand(read_spec(text, origin="envs.yaml"), reserved=("lock", "drift"), python=python)


def sessions(environments: str, *, python: str | None = None) -> list[str]:
    return [point.session for point in points(environments, python=python)]


def problems(environments: str) -> list[str]:
    with pytest.raises(FileProblems) as raised:
        points(environments)
    return [str(problem).removeprefix("envs.yaml:") for problem in raised.value.problems]


def texts(found: Iterable[Entry]) -> list[str]:
    return [one.text for one in found]


# Which points there are, and their names


SESSIONS = """
{} => t
{python: '3.12'} => t
{python: ['3.12']} => t-3.12
{python: ['3.11', '3.12']} => t-3.11 t-3.12
{matrix: {}} => t
{matrix: {django: '5.2'}} => t(django5.2)
{python: '3.12', matrix: {django: ['5.2']}} => t(django5.2)
{python: ['3.11', '3.12'], matrix: {d: ['4', '5'], b: p}} => t(3.11-d4-bp) t(3.11-d5-bp) t(3.12-d4-bp) t(3.12-d5-bp)
{python: ['3.11', '3.12'], matrix: {a: [x, y]}, exclude: [{python: '3.11', a: x}]} => t(3.11-ay) t(3.12-ax) t(3.12-ay)
{python: ['3.9', '3.12'], matrix: {a: [x, y]}, exclude: [{python: '>=3.12', a: {not: y}}]} => t(3.9-ax) t(3.9-ay) t(3.12-ay)
{matrix: {a: [x, y, z]}, exclude: [{a: [x, z]}]} => t(ay)
{matrix: {a: ['1', '2', '3']}, exclude: [{a: ['<2', '>2']}]} => t(a2)
{matrix: {a: [x, y]}, include: [{a: z}]} => t(ax) t(ay) t(az)
{python: ['3.12'], include: [{python: '3.14'}]} => t-3.12 t-3.14
{python: '3.12', matrix: {a: x}, include: [{python: '3.14', a: x}]} => t(ax) t(3.14-ax)
{python: ['3.11', '3.12'], matrix: {a: x}, include: [{a: y}]} => t(3.11-ax) t(3.12-ax) t(3.11-ay) t(3.12-ay)
{python: ['3.9', '3.13'], matrix: {a: {x: {python: '3.9'}, y: {python: '>=3.10'}, z: }}} => t(3.9-ax) t(3.9-az) t(3.13-ay) t(3.13-az)
{matrix: {a: {old: {python: ['3.9', '3.10']}, new: {python: '3.13'}}}} => t(3.9-aold) t(3.10-aold) t(3.13-anew)
{matrix: [{python: '3.9', a: '1'}, {python: '3.13', b: '2', a: '3'}]} => t(3.9-a1) t(3.13-b2-a3)
{python: ['3.9', '3.13'], matrix: [{a: '1'}, {python: '3.14', a: '2'}]} => t(3.9-a1) t(3.13-a1) t(3.14-a2)
{matrix: [{python: '3.9'}, {python: '3.13'}]} => t(3.9) t(3.13)
{python: ['3.13'], name: 'py{py}-django{django}', matrix: {django: ['4.2', '5.2']}} => py313-django42 py313-django52
{matrix: {a: [x, y]}, overrides: [{when: {a: y}, name: '{environment}-special'}]} => t(ax) t-special
"""  # noqa: E501
FORCED = """
{} => t-3.10
{python: '3.12'} => t-3.10
{python: ['3.10', '3.12']} => t-3.10
{python: ['3.11', '3.12'], matrix: {a: [x, y]}} => t(3.10-ax) t(3.10-ay)
{python: ['3.11', '3.12'], matrix: {a: [x, y]}, exclude: [{a: x}]} => t(3.10-ay)
{python: ['3.10', '3.12'], matrix: {a: [x, y]}, exclude: [{a: x, python: '3.10'}]} => t(3.10-ay)
{matrix: [{python: '3.9', a: x}, {python: '3.13', a: x}, {python: '3.13', a: y}]} => t(3.10-ax) t(3.10-ay)
{name: 'py{py}', python: ['3.12', '3.13']} => py310
{python: ['3.12'], requires: [t-3.12]} => t-3.10
"""


@pytest.mark.parametrize("line", SESSIONS.strip().splitlines())
def test_an_environment_has_these_sessions(line: str) -> None:
    environment, expected = line.split(" => ")
    assert sessions(f"t: {environment}") == expected.split()


@pytest.mark.parametrize("line", FORCED.strip().splitlines())
def test_a_forced_python_is_the_only_one(line: str) -> None:
    environment, expected = line.split(" => ")
    assert sessions(f"t: {environment}", python="3.10") == expected.split()


def test_an_irregular_public_matrix_needs_as_many_lines_as_its_tox_file() -> None:
    spec = """
        tests:
          name: "py{py}-dj{django}"
          requirements: ["django~={django}.0"]
          commands: [pytest]
          matrix:
            django:
              "4.2": {python: ["3.8", "3.9", "3.10", "3.11", "3.12"]}
              "5.0": {python: ["3.10", "3.11", "3.12"]}
              "5.2": {python: ["3.10", "3.11", "3.12", "3.13"]}
              "6.0": {python: ["3.12", "3.13", "3.14"]}
        """
    found = sessions(spec)
    assert len(found) == 15
    assert {"py38-dj42", "py314-dj60", "py310-dj52"} <= set(found)


def test_a_session_with_a_name_is_tagged_with_its_environment() -> None:
    (point,) = points("{t: {name: special, tags: [ci]}}")
    assert (point.environment, point.session, point.tags) == ("t", "special", ("ci", "t"))


def test_a_point_knows_its_python_axes_and_place() -> None:
    first, second = points("t:\n  matrix: {a: x, b: y}\n  include:\n    - {b: z, a: w, python: '3.14'}\n")
    assert (first.python, first.axes, first.place.line) == (None, (("a", "x"), ("b", "y")), 4)
    assert (second.python, second.axes, second.place) == (
        "3.14",
        (("b", "z"), ("a", "w")),
        Place(origin="envs.yaml", line=7, column=9),
    )


def test_conditions_are_met_by_the_python_that_is_forced() -> None:
    (point,) = points(
        "t: {python: '3.9', overrides: [{when: {python: '>=3.13'}, tags: [new]}]}", python="3.14"
    )
    assert (point.python, point.tags) == ("3.14", ("new",))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("'>=3.12'", ["3.12", "3.13t", "3.12.4"]),
        ("{not: '>=3.12'}", ["3.9", "pypy3.11"]),
        ("'==3.12'", ["3.12"]),
        ("'==3.12.*'", ["3.12", "3.12.4"]),
        ("'<3.12'", ["3.9", "pypy3.11"]),
        ("['3.9', 3.13t]", ["3.9", "3.13t"]),
        ("{not: ['3.9', 3.13t]}", ["3.12", "pypy3.11", "3.12.4"]),
    ],
)
def test_a_condition_on_python_compares_the_version_of_an_interpreter(
    condition: str, expected: list[str]
) -> None:
    pythons = "['3.9', '3.12', 3.13t, pypy3.11, 3.12.4]"
    found = points(f"t: {{python: {pythons}, overrides: [{{when: {{python: {condition}}}, tags: [x]}}]}}")
    assert [point.python for point in found if point.tags] == expected


def test_a_range_skips_values_that_are_not_versions() -> None:
    found = points(
        "t: {matrix: {d: ['4.2', 4.2.9, 5.0rc1, main]}, overrides: [{when: {d: '>=4.2.5'}, tags: [x]}]}"
    )
    assert [point.session for point in found if point.tags] == ["t(d4.2.9)", "t(d5.0rc1)"]


def test_a_point_without_the_axis_meets_no_condition_on_it() -> None:
    found = points("t: {matrix: [{a: x}, {a: z}, {b: y}], overrides: [{when: {a: {not: z}}, tags: [x]}]}")
    assert [point.tags for point in found] == [("x",), (), ()]


# What a point is made of


def test_layers_append_merge_or_replace() -> None:
    first, second = points("""
        base: {}
        t:
          python: ["3.12", "3.13"]
          description: base
          requirements: [app]
          constraints: [a<1]
          build_constraints: [x<1]
          commands_pre: [pre]
          commands: [one]
          set_env: {A: "1", B: "2"}
          pass_env: [HOME]
          tags: [ci]
          lock: {per: python, file: a.txt}
          drift: {policy: fail, severity: {leak: "off"}}
          package: {mode: editable, extras: [cli]}
          overrides:
            - when: {python: "3.13"}
              description: added
              requirements: [extra>=1]
              constraints: [{lock: base}]
              build_constraints: [y<1]
              commands_pre: [more]
              commands: [two]
              set_env: {B: "3", C: "4"}
              tags: [slow]
              lock: {file: b.txt}
              drift: {files: all, severity: {leak: error, leftover: note}}
        """)[1:]
    assert (first.tags, first.description, first.set_env) == (("ci",), "base", (("A", "1"), ("B", "2")))
    assert texts(second.requirements) == ["app", "extra>=1"]
    assert [(one.kind, one.text) for one in second.constraints] == [("requirement", "a<1"), ("lock", "base")]
    assert texts(second.build_constraints) == ["x<1", "y<1"]
    assert [one.argv for one in (*second.commands_pre, *second.commands)] == [
        ("pre",),
        ("more",),
        ("one",),
        ("two",),
    ]
    assert second.set_env == (("A", "1"), ("B", "3"), ("C", "4"))
    assert (second.description, second.tags, second.pass_env) == ("added", ("slow",), ("HOME",))
    assert second.package == Package(mode="editable", extras=("cli",))
    place = Place(origin="envs.yaml", line=30, column=15)
    assert second.lock == LockOptions(enabled=True, per="python", file=("b.txt",), place=place)
    assert second.drift == DriftOptions(
        policy="fail", files="all", severity=(("leak", "error"), ("leftover", "note"))
    )


def test_layers_apply_in_the_order_axis_point_override() -> None:
    (*_, point) = points("""
        t:
          change_dir: own
          requirements: [own>=1]
          matrix: {b: {"1": {requirements: [axis>=1], change_dir: axis}}}
          include: [{python: "3.13", b: "1", requirements: [point>=1], change_dir: point}]
          overrides: [{when: {b: "1"}, requirements: [override>=1], change_dir: override}]
        """)
    assert texts(point.requirements) == ["own>=1", "axis>=1", "point>=1", "override>=1"]
    assert point.change_dir == "override"


def test_the_drift_options_of_the_file_apply_with_the_ignore_rules_of_both() -> None:
    text = """
        version: 1
        drift: {policy: fail, ignore: [{kind: leak, reason: everywhere}]}
        environments:
          a: {}
          b: {drift: {files: "off", ignore: [{kind: version, reason: here}]}}
    """
    a, b = expand(read_spec(textwrap.dedent(text), origin="envs.yaml"))
    assert (a.drift.policy, [rule.reason for rule in a.drift.ignore]) == ("fail", ["everywhere"])
    assert (b.drift.policy, b.drift.files) == ("fail", "off")
    assert [rule.reason for rule in b.drift.ignore] == ["everywhere", "here"]


def test_placeholders_are_filled_everywhere() -> None:
    point = points("""
        t:
          python: ["3.12"]
          matrix: {db: [pg, mysql], django: "5.2"}
          description: "Test {name} on {django}, {unknown}"
          requirements:
            - "django~={django}.0"
            - "{db}"
            - {file: "{db}/{python}.in"}
            - {include: "{db}"}
            - {group: "g-{db}"}
            - {extra: ["{db}"]}
            - -e ./{db}
          constraints: ["x=={py}", {file: "c/{python}.txt"}]
          package: {mode: wheel, extras: ["{db}"]}
          commands_pre: ["make {db}"]
          commands:
            - run: "pytest {posargs:tests/{name} {{x}}} {envdir} {{{py}}}"
              set_env: {P: "{python}"}
              change_dir: "{db}"
          commands_post: ["rm {db}"]
          set_env: {V: "{django}{{}}"}
          change_dir: "src/{environment}"
          tags: ["django-{django}", "{{x}}"]
          requires: ["u-{python}"]
          lock: {file: "{environment}-{db}-{py}.txt", managed: false, command: "lock {db}"}
          runs_on: ["{db}"]
        u: {python: ["3.12"]}
        """)[0]
    assert point.description == "Test t on 5.2, {unknown}"
    assert texts(point.requirements) == ["django~=5.2.0", "pg", "pg/3.12.in", "pg", "g-pg", "pg", "-e ./pg"]
    assert texts(point.constraints) == ["x==312", "c/3.12.txt"]
    assert point.package == Package(mode="wheel", extras=("pg",))
    assert point.commands[0].argv == ("pytest", "{posargs:tests/t {{x}}}", "{envdir}", "{{312}}")
    assert (point.commands[0].set_env, point.commands[0].change_dir) == ((("P", "3.12"),), "pg")
    assert (point.commands_pre[0].argv, point.commands_post[0].argv) == (("make", "pg"), ("rm", "pg"))
    assert (point.set_env, point.change_dir) == ((("V", "5.2{{}}"),), "src/t")
    assert (point.tags, point.runs_on) == (("django-5.2", "{x}"), ("pg",))
    assert texts(point.requires) == ["u-3.12"]
    assert point.lock.file == ("t-pg-312.txt",)
    assert point.lock.command == "lock pg"


def test_what_has_no_placeholders_is_shared_between_points() -> None:
    first, second = points("t: {python: ['3.12', '3.13'], commands: [pytest], set_env: {A: '{python}'}}")
    assert first.commands is second.commands
    assert first.set_env != second.set_env


@pytest.mark.parametrize(("python", "py"), [("3.12", "312"), ("3.13t", "313t"), ("pypy3.11", "pypy311")])
def test_py_is_the_python_without_dots(python: str, py: str) -> None:
    (point,) = points(f"t: {{python: {python}, tags: ['{{py}}']}}")
    assert point.tags == (py,)


# What cannot be


# Environments, separated by bars, and a part of the message.
REFUSED = """
lock: {} => 'lock' is the name of a built-in session
lock: {python: ['3.12']} => 'lock' is the name of a built-in session
t: {name: drift} => 'drift' is the name of a built-in session
t: {name: same, python: ['3.12', '3.13']} => the session 'same' has the name or venv directory of 'same' (
t: {python: ['3.12']} | u: {name: t-3.12} => 't-3.12' has the name or venv directory of 't-3.12' (
t: {python: ['3.12']} | u: {name: t} => the session 't' has the name of an environment (envs.yaml:4)
t-a: {} | t: {matrix: {a: '-'}} => the session 't(a-)' has the name or venv directory of 't-a' (envs.yaml:4)
t: {matrix: {a: [X, x]}} => the session 't(ax)' has the name or venv directory of 't(aX)' (envs.yaml:4)
t: {matrix: {a: x}, include: [{a: x}]} => 't(ax)' has the name or venv directory of 't(ax)' (envs.yaml:4)
t: {matrix: {a: [x, x]}} => the session 't(ax)' has the name or venv directory of 't(ax)' (envs.yaml:4)
t: {matrix: {a: x}, exclude: [{a: x}]} => no point is left of this environment
t: {matrix: {a: []}} => is an empty list
t: {matrix: {a: {}}} => no point is left of this environment
t: {python: ['3.9'], matrix: {a: {x: {python: '>3.9'}}}} => no point is left of this environment
t: {requires: [v]} | u: {} => 'v' is not an environment, and not a session of one
t: {requires: [t-3.13]} => 't-3.13' is not an environment, and not a session of one
t: {requires: ['u(a1)']} | u: {matrix: {a: ['2']}} => 'u(a1)' is not an environment
"""


@pytest.mark.parametrize("line", REFUSED.strip().splitlines())
def test_sessions_that_cannot_be_are_refused(line: str) -> None:
    environments, expected = line.split(" => ")
    (found,) = problems(environments.replace(" | ", "\n"))
    assert expected in found


def test_points_may_differ_in_everything() -> None:
    found = points("t: {matrix: {a: {x: {backend: uv, default: false}, y: {backend: venv}}}}")
    assert [(point.backend, point.default) for point in found] == [("uv", False), ("venv", True)]


def test_required_sessions_may_be_environments_sessions_or_all_of_one_python() -> None:
    found = points("""
        t: {python: ["3.12"], requires: [lint, "lint-{python}", m, "m(3.12-a1)", m-3.12, named, one-3.12]}
        lint: {python: ["3.12"]}
        m: {python: ["3.12", "3.13"], matrix: {a: ["1"]}}
        n: {name: named}
        one: {python: "3.12"}
        """)
    assert texts(found[0].requires) == [
        *("lint", "lint-3.12", "m", "m(3.12-a1)", "m-3.12", "named", "one-3.12")
    ]


def test_required_sessions_may_differ_between_pythons() -> None:
    found = points("t: {python: ['3.12', '3.13'], requires: ['u-{python}']}\nu: {python: ['3.12', '3.13']}")
    assert [texts(point.requires) for point in found] == [["u-3.12"], ["u-3.13"], [], []]


def test_built_in_sessions_may_have_other_names() -> None:
    spec = read_spec("version: 1\nenvironments: {lock: {}, relock: {}}", origin="envs.yaml")
    with pytest.raises(FileProblems, match="'relock' is the name of a built-in session"):
        expand(spec, reserved=("relock",))
    assert len(expand(spec, reserved=("locks",))) == 2


def test_points_are_counted_before_they_are_made() -> None:
    axes = ", ".join(f"a{n}: [{', '.join(map(str, range(10)))}]" for n in range(8))
    (found,) = problems(f"t: {{matrix: {{{axes}}}}}")
    assert f"too many points: more than {MOST_POINTS:,}" in found
    many = ", ".join(map(str, range(200)))
    rules = ", ".join("{a: '1'}" for _ in range(2000))
    (found,) = problems(f"t: {{matrix: {{a: [{many}], b: [{many[:380]}]}}, exclude: [{rules}]}}")
    assert "or with long texts or many rules" in found


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    found = problems("t: {requires: [nope]}\nlock: {}\nu: {name: t}")
    assert [line.split(":")[0] for line in found] == ["4", "5", "6"]


# The directories of venvs


@pytest.mark.parametrize("session", ["tests", "tests-3.12", "t(3.12-django5.2)", "Ü b", "日本", "x" * 100])
@pytest.mark.parametrize("envdir", [".nox", "/srv/" + "x" * 60, "/srv/" + "x" * 95])
def test_venv_directories_are_those_of_nox(envdir: str, session: str) -> None:
    assert f"{envdir}/{venv_directory(session, envdir)}" == _normalize_path(envdir, session)


@given(session=st.text(min_size=1))
@relaxed
def test_venv_directories_are_those_of_nox_for_any_name(session: str) -> None:
    try:
        expected = _normalize_path(".nox", session)
    except UnicodeEncodeError:
        return
    assert f".nox/{venv_directory(session)}" == expected
