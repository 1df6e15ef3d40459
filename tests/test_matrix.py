"""From a spec to its points."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import nox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nox import _options
from nox._decorators import Func
from nox.manifest import Manifest
from nox.sessions import _normalize_path

from nox_envs.errors import FileProblems, Place
from nox_envs.matrix import Point, expand, venv_directory_name
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
    IgnoreRule,
    Include,
    Layer,
    LockOptions,
    Override,
    Package,
    RequirementText,
    Spec,
)

relaxed = settings(deadline=None)

Layers = dict[str, Layer]


def at(line: int) -> Place:
    return Place(origin="envs.yaml", line=line)


def text(requirement: str, line: int = 1) -> RequirementText:
    return RequirementText(text=requirement, place=at(line))


def axis(name: str, *values: str, layers: Layers | None = None) -> Axis:
    known = layers or {}
    return Axis(name=name, values=tuple(AxisValue(value=v, layer=known.get(v, Layer())) for v in values))


def combination(line: int = 1, layer: Layer | None = None, **values: str) -> Combination:
    return Combination(values=tuple(values.items()), layer=layer or Layer(), place=at(line))


def environment(
    name: str = "tests",
    *pythons: str,
    listed: bool = True,
    layer: Layer | None = None,
    axes: tuple[Axis, ...] = (),
    exclude: tuple[Combination, ...] = (),
    include: tuple[Combination, ...] = (),
    overrides: tuple[Override, ...] = (),
    line: int = 9,
) -> Environment:
    return Environment(
        name=name,
        layer=layer or Layer(),
        pythons=pythons,
        python_listed=listed and bool(pythons),
        axes=axes,
        exclude=exclude,
        include=include,
        overrides=overrides,
        place=at(line),
    )


def spec(*environments: Environment, drift: DriftOptions | None = None) -> Spec:
    return Spec(origin="envs.yaml", sets=(), environments=environments, drift=drift or DriftOptions())


def points_of(environment: Environment) -> tuple[Point, ...]:
    return expand(spec(environment))


def only_point(layer: Layer, name: str = "tests", python: str = "3.12") -> Point:
    (point,) = points_of(environment(name, python, listed=False, layer=layer))
    return point


def sessions(*environments: Environment, extra: tuple[str, ...] = (), forced: bool = False) -> list[str]:
    return [point.session for point in expand(spec(*environments), extra_pythons=extra, forced=forced)]


def problems(*environments: Environment) -> list[str]:
    with pytest.raises(FileProblems) as caught:
        expand(spec(*environments))
    return [str(problem) for problem in caught.value.problems]


def override(layer: Layer, *conditions: Condition, line: int = 5) -> Override:
    return Override(when=conditions, layer=layer, place=at(line))


def marks(environment: Environment) -> dict[str, str]:
    """Return for each session the value of MARK that its layers came to."""
    return {point.session: dict(point.set_env).get("MARK", "") for point in points_of(environment)}


MARK = Layer(set_env=(("MARK", "yes"),))
DJANGO = axis("django", "4.2", "5.2")


# Which points there are


def test_an_environment_without_python_and_matrix_is_one_point() -> None:
    (point,) = points_of(environment("lint"))
    assert (point.session, point.python, point.axes, point.place) == ("lint", None, (), at(9))


def test_pythons_are_outermost_and_axes_in_declared_order() -> None:
    points = points_of(environment("tests", "3.12", "3.13", axes=(DJANGO, axis("db", "pg", "lite"))))
    expected = list(itertools.product(["3.12", "3.13"], ["4.2", "5.2"], ["pg", "lite"]))
    assert [(p.python, *(value for _, value in p.axes)) for p in points] == expected
    assert points[1].axes == (("django", "4.2"), ("db", "lite"))


def test_exclude_removes_what_matches_everything_it_names() -> None:
    axes = (DJANGO, axis("db", "pg", "lite"))
    exclude = (combination(python="3.12", django="5.2"), combination(db="lite"))
    found = sessions(environment("t", "3.12", "3.13", axes=axes, exclude=exclude))
    assert found == [
        "t-3.12(django='4.2', db='pg')",
        "t-3.13(django='4.2', db='pg')",
        "t-3.13(django='5.2', db='pg')",
    ]


def test_two_excludes_may_name_the_same_point() -> None:
    exclude = (combination(django="5.2"), combination(python="3.12", django="5.2"))
    assert sessions(environment("t", "3.12", axes=(DJANGO,), exclude=exclude)) == ["t-3.12(django='4.2')"]


def test_include_adds_a_point_with_its_layer_and_that_of_its_axis_value() -> None:
    layers = {"5.2": Layer(requirements=(text("django~=5.2.0"),))}
    added = combination(42, Layer(requirements=(text("nightly"),), tags=("x",)), python="3.14", django="5.2")
    points = points_of(
        environment("t", "3.13", axes=(axis("django", "4.2", "5.2", layers=layers),), include=(added,))
    )
    assert [p.session for p in points][-1] == "t-3.14(django='5.2')"
    assert [one.text for one in points[-1].requirements if isinstance(one, RequirementText)] == [
        "django~=5.2.0",
        "nightly",
    ]
    assert (points[-1].tags, points[-1].place) == (("x",), at(42))


def test_an_excluded_point_may_be_included_again_with_a_layer() -> None:
    found = marks(
        environment(
            "t",
            "3.13",
            axes=(DJANGO,),
            exclude=(combination(django="5.2"),),
            include=(combination(2, MARK, python="3.13", django="5.2"),),
        )
    )
    assert found == {"t-3.13(django='4.2')": "", "t-3.13(django='5.2')": "yes"}


def test_a_single_python_need_not_be_repeated_in_an_include() -> None:
    scalar = environment("t", "3.13", listed=False, axes=(DJANGO,), include=(combination(django="main"),))
    assert sessions(scalar)[-1] == "t(django='main')"
    bare = environment("t", axes=(DJANGO,), include=(combination(django="main"),))
    assert sessions(bare)[-1] == "t(django='main')"


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (
            environment("t", "3.12", axes=(DJANGO,), exclude=(combination(3, djnago="4.2"),)),
            "envs.yaml:3:1: environments.t.exclude: 'djnago' is no axis of environment 't' "
            "(perhaps 'django')",
        ),
        (
            environment("t", "3.12", axes=(DJANGO,), include=(combination(3, db="pg"),)),
            "envs.yaml:3:1: environments.t.include: 'db' is no axis of environment 't' "
            "(known are python, django)",
        ),
        (
            environment("t", "3.12", axes=(DJANGO,), exclude=(combination(3, django="4.3"),)),
            "envs.yaml:3:1: environments.t.exclude: {django: 4.3} matches no point "
            "(write values as they stand in `python` and `matrix`)",
        ),
        (
            environment("t", "3.12", axes=(DJANGO,), exclude=(combination(3, python="3.12"),)),
            "envs.yaml:9:1: environments.t.exclude: its excludes remove every point",
        ),
        (
            environment("t", "3.12", "3.13", axes=(DJANGO,), include=(combination(3, django="6"),)),
            "envs.yaml:3:1: environments.t.include: {django: 6} does not say python "
            "(an include names one point by all)",
        ),
        (
            environment("t", "3.12", axes=(DJANGO,), include=(combination(3, python="3.14"),)),
            "envs.yaml:3:1: environments.t.include: {python: 3.14} does not say django "
            "(an include names one point by all)",
        ),
        (
            environment("t", "3.12", axes=(DJANGO,), include=(combination(3, python="3.12", django="4.2"),)),
            "envs.yaml:3:1: environments.t.include: {python: 3.12, django: 4.2} is in the matrix already "
            "(change that point with `overrides`)",
        ),
        (
            environment("t", "3.12", listed=False, include=(combination(3, python="3.14"),)),
            "envs.yaml:3:1: environments.t.include: the environment has no list of pythons to add 3.14 to "
            '(write python: ["3.12", "3.14"])',
        ),
        (
            environment("t", include=(combination(3, python="3.14"),)),
            "envs.yaml:3:1: environments.t.include: the environment has no list of pythons to add 3.14 to "
            '(write python: ["3.14"])',
        ),
        (
            environment("t", "3.12", axes=(axis("db"),)),
            "envs.yaml:9:1: environments.t.matrix.db: the axis has no values",
        ),
        (
            environment("drift", "3.12"),
            "envs.yaml:9:1: environments.drift: 'drift' is the name of a built-in session "
            "(rename the environment, or rename the session with an argument of load())",
        ),
    ],
)
def test_a_matrix_that_cannot_be_meant_is_a_problem(broken: Environment, expected: str) -> None:
    assert problems(broken) == [expected]


def test_an_include_twice_is_a_problem() -> None:
    twice = (combination(3, python="3.14"), combination(4, python="3.14"))
    assert "envs.yaml:4:1" in problems(environment("t", "3.12", include=twice))[0]


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    first = environment("lock", "3.12", exclude=(combination(30, python="3.9"),), line=20)
    second = environment("t", "3.12", layer=Layer(requirements=(text("{nope}", 7),)), line=6)
    assert [line.split(":")[1] for line in problems(first, second)] == ["7", "20", "30"]


def test_built_in_sessions_may_have_other_names() -> None:
    with pytest.raises(FileProblems):
        expand(spec(environment("relock")), reserved=("relock",))
    assert len(expand(spec(environment("lock")), reserved=("relock",))) == 1


# Overrides


PYTHONS = ("3.9", "3.12", "3.13t", "pypy3.11", "3.12.4")


@pytest.mark.parametrize(
    ("specifier", "negated", "expected"),
    [
        (">=3.12", False, ["3.12", "3.13t", "3.12.4"]),
        (">=3.12", True, ["3.9", "pypy3.11"]),
        ("==3.12", False, ["3.12", "3.12.4"]),
        ("<3.12", False, ["3.9", "pypy3.11"]),
        (">3.9,<3.13", False, ["3.12", "pypy3.11", "3.12.4"]),
    ],
)
def test_a_version_range_compares_the_minor_version_of_an_interpreter(
    specifier: str, negated: bool, expected: list[str]
) -> None:
    when = Condition(axis="python", specifier=specifier, negated=negated)
    found = marks(environment("t", *PYTHONS, overrides=(override(MARK, when),)))
    assert [session.removeprefix("t-") for session, mark in found.items() if mark] == expected


def test_a_version_range_of_an_axis_compares_whole_versions_and_skips_what_is_none() -> None:
    when = Condition(axis="django", specifier=">=4.2.5")
    django = axis("django", "4.2", "4.2.9", "5.0rc1", "main")
    found = marks(environment("t", axes=(django,), overrides=(override(MARK, when),)))
    assert [session for session, mark in found.items() if mark] == ["t(django='4.2.9')", "t(django='5.0rc1')"]


def test_every_condition_of_an_override_must_be_met() -> None:
    when = (
        Condition(axis="python", values=("3.12", "3.14")),
        Condition(axis="django", values=("5.2",), negated=True),
    )
    found = marks(environment("t", "3.12", "3.13", axes=(DJANGO,), overrides=(override(MARK, *when),)))
    assert [session for session, mark in found.items() if mark] == ["t-3.12(django='4.2')"]


def test_an_interpreter_without_a_version_meets_no_range() -> None:
    when = Condition(axis="python", specifier=">=3.0")
    assert marks(environment("t", "system", overrides=(override(MARK, when),))) == {"t-system": ""}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            Condition(axis="djang", values=("4.2",)),
            "'djang' is no axis of environment 't' (perhaps 'django')",
        ),
        (
            Condition(axis="python", specifier=">=3.12"),
            'a condition on python, but the environment declares no python (write python: "3.12", or a list)',
        ),
        (
            Condition(axis="django", specifier="=>3"),
            '\'=>3\' is no version range (write ">=3.13" or ">=3.10,<3.13")',
        ),
    ],
)
def test_a_condition_that_can_never_be_decided_is_a_problem(condition: Condition, message: str) -> None:
    broken = environment("t", axes=(DJANGO,), overrides=(override(MARK, condition),))
    assert problems(broken) == [f"envs.yaml:5:1: environments.t.overrides: {message}"]


def test_later_layers_append_merge_or_replace() -> None:
    command, more = (Command(argv=(word,), place=at(1)) for word in ("a", "b"))
    base = Layer(
        description="base",
        requirements=(Include(name="test", place=at(1)),),
        constraints=(ConstraintText(text="a<1", place=at(1)),),
        build_constraints=(ConstraintText(text="x<1", place=at(1)),),
        commands=(command,),
        set_env=(("A", "1"), ("B", "2")),
        pass_env=("HOME",),
        tags=("ci",),
        lock=LockOptions(per="python", file=("a.txt",)),
        drift=DriftOptions(policy="fail", severity=(("skew", "off"),)),
        package=Package(mode="editable", extras=("cli",)),
        default=True,
    )
    added = Layer(
        description="added",
        requirements=(text("extra>=1"),),
        constraints=(ConstraintLock(environment="prod", place=at(1)),),
        build_constraints=(ConstraintText(text="y<1", place=at(1)),),
        commands=(more,),
        set_env=(("B", "3"), ("C", "4")),
        tags=("slow",),
        lock=LockOptions(file=("b.txt",), resolution="lowest"),
        drift=DriftOptions(files="all", severity=(("skew", "error"), ("leftover", "note"))),
    )
    when = Condition(axis="python", values=("3.13",))
    first, second = points_of(
        environment("t", "3.12", "3.13", layer=base, overrides=(override(added, when),))
    )
    assert (first.tags, first.default, first.set_env) == (("ci",), True, (("A", "1"), ("B", "2")))
    assert (second.description, second.tags, second.default) == ("added", ("slow",), True)
    assert (len(second.requirements), len(second.constraints), len(second.commands)) == (2, 2, 2)
    assert [str(one) for one in second.build_constraints] == [str(added.build_constraints[0])]  # type: ignore[index]
    assert second.set_env == (("A", "1"), ("B", "3"), ("C", "4"))
    assert (second.pass_env, second.package) == (("HOME",), base.package)
    assert second.lock == LockOptions(per="python", file=("b.txt",), resolution="lowest")
    assert second.drift == DriftOptions(
        policy="fail", files="all", severity=(("skew", "error"), ("leftover", "note"))
    )


def test_layers_apply_in_the_order_axis_override_include() -> None:
    def layer(word: str) -> Layer:
        return Layer(requirements=(text(word),), change_dir=word)

    (*_, point) = points_of(
        environment(
            "t",
            "3.12",
            layer=layer("own"),
            axes=(axis("b", "1", layers={"1": layer("axis")}),),
            overrides=(override(layer("override"), Condition(axis="b", values=("1",))),),
            include=(combination(1, layer("include"), python="3.13", b="1"),),
        )
    )
    assert [one.text for one in point.requirements if isinstance(one, RequirementText)] == [
        "own",
        "axis",
        "override",
        "include",
    ]
    assert point.change_dir == "include"


def test_an_environment_inherits_the_drift_options_of_the_project_and_adds_its_ignore_rules() -> None:
    everywhere, here = (IgnoreRule(reason=word, place=at(1)) for word in ("everywhere", "here"))
    project = DriftOptions(policy="fail", ignore=(everywhere,))
    own = Layer(drift=DriftOptions(files="off", ignore=(here,)))
    first, second = expand(spec(environment("a"), environment("b", layer=own), drift=project))
    assert first.drift == project
    assert second.drift == DriftOptions(policy="fail", files="off", ignore=(everywhere, here))


def test_a_later_ignore_list_replaces_an_earlier_one_of_the_environment() -> None:
    one, other = (IgnoreRule(reason=word, place=at(1)) for word in ("one", "other"))
    layers = {"x": Layer(drift=DriftOptions(ignore=(other,))), "y": Layer(drift=DriftOptions(policy="warn"))}
    first, second = points_of(
        environment(
            "t", layer=Layer(drift=DriftOptions(ignore=(one,))), axes=(axis("a", "x", "y", layers=layers),)
        )
    )
    assert (first.drift.ignore, second.drift.ignore) == ((other,), (one,))


# Placeholders


FULL = Layer(
    description="Test {name} on {django}, {unknown}",
    requirements=(text("django~={django}.0"), Include(name="test", place=at(1))),
    constraints=(
        ConstraintText(text="db=={py}", place=at(1)),
        ConstraintFile(path="c/{python}.txt", place=at(1)),
        ConstraintLock(environment="prod", place=at(1)),
    ),
    package=Package(mode="wheel", extras=("{name}",)),
    commands=(
        Command(
            argv=("pytest", "{posargs:tests/{name} {{x}}}", "{envdir}", "{{{py}}}"),
            set_env=(("P", "{python}"),),
            change_dir="{django}",
            place=at(1),
        ),
        Command(argv=("true",), place=at(1)),
    ),
    set_env=(("V", "{django}{{}}"),),
    change_dir="src/{name}",
    tags=("django-{django}",),
    requires=("build-{py}", "build-{python}"),
    lock=LockOptions(file=("req/{environment}-{name}-{py}.txt",), group="g{django}", per="point"),
    platforms=("{name}",),
    runs_on=("{{x}}",),
)


def test_placeholders_are_filled_everywhere() -> None:
    point = points_of(environment("tests", "3.12", layer=FULL, axes=(DJANGO,)))[1]
    assert point.description == "Test tests on 5.2, {unknown}"
    assert point.requirements == (text("django~=5.2.0"), Include(name="test", place=at(1)))
    assert point.constraints == (
        ConstraintText(text="db==312", place=at(1)),
        ConstraintFile(path="c/3.12.txt", place=at(1)),
        ConstraintLock(environment="prod", place=at(1)),
    )
    assert point.package.extras == ("tests",)
    assert point.commands[0].argv == ("pytest", "{posargs:tests/tests {{x}}}", "{envdir}", "{{312}}")
    assert (point.commands[0].set_env, point.commands[0].change_dir) == ((("P", "3.12"),), "5.2")
    assert (point.set_env, point.change_dir) == ((("V", "5.2{{}}"),), "src/tests")
    assert (point.tags, point.runs_on, point.platforms) == (("django-5.2",), ("{x}",), ("tests",))
    assert point.lock == LockOptions(file=("req/tests-tests-312.txt",), group="g5.2", per="point")


def test_requires_know_py_as_nox_does() -> None:
    point = points_of(environment("tests", "3.12", layer=FULL, axes=(DJANGO,)))[0]
    copy = Func(lambda: None, python="3.12", requires=FULL.requires)
    assert list(point.requires) == copy.requires == ["build-3.12", "build-3.12"]


def test_parts_without_placeholders_are_shared_between_points() -> None:
    layer = Layer(requirements=(text("a"),), commands=(Command(argv=("x", "{django}"), place=at(1)),))
    first, second, third, _ = points_of(environment("t", "3.12", "3.13", layer=layer, axes=(DJANGO,)))
    assert first.requirements is second.requirements
    assert first.commands is third.commands
    assert first.commands != second.commands


@pytest.mark.parametrize(
    ("python", "short"), [("3.12", "312"), ("3.13t", "313t"), ("pypy3.11", "pypy311"), ("3", "3")]
)
def test_py_is_the_python_without_dots(python: str, short: str) -> None:
    assert only_point(Layer(change_dir="{py}"), python=python).change_dir == short


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (
            Layer(requirements=(text("a=={djnago}", 3),)),
            "envs.yaml:3:1: environments.t.requirements: 'a=={djnago}': unknown placeholder {djnago} "
            "(perhaps {django}; a literal brace is doubled)",
        ),
        (
            Layer(commands=(Command(argv=("x", "{py}"), place=at(4)),)),
            "envs.yaml:4:1: environments.t.commands: '{py}': {py} has no value, "
            'the environment declares no python (write python: "3.12", or a list)',
        ),
        (
            Layer(lock=LockOptions(file=("{python}.txt",))),
            "envs.yaml:9:1: environments.t.lock: '{python}.txt': {python} has no value, "
            'the environment declares no python (write python: "3.12", or a list)',
        ),
        (
            Layer(requires=("x{envdir}",)),
            "envs.yaml:9:1: environments.t.requires: 'x{envdir}': unknown placeholder {envdir} "
            "(known here: {django}, {name}; a literal brace is doubled)",
        ),
        (
            Layer(set_env=(("A", "}"),)),
            "envs.yaml:9:1: environments.t.set_env: '}': a single '}' means nothing here (write '}}')",
        ),
    ],
)
def test_a_placeholder_that_cannot_be_filled_is_one_problem_for_all_points(
    layer: Layer, expected: str
) -> None:
    assert problems(environment("t", layer=layer, axes=(DJANGO,))) == [expected]


# Names, compared with nox's own


def nox_sessions(
    name: str,
    python: str | list[str] | None,
    axes: tuple[Axis, ...],
    *,
    extra: tuple[str, ...] = (),
    forced: bool = False,
) -> list[str]:
    """Return the friendly names of the sessions that nox makes of the same matrix."""

    def function(session: nox.Session, **values: str) -> None:
        """Do nothing."""

    decorated: Callable[..., object] = function
    if axes:
        values = itertools.product(*([one.value for one in each.values] for each in axes))
        names = [each.name for each in axes]
        decorated = nox.parametrize(names, [nox.param(*one) for one in values])(function)
    config = _options.options.namespace(
        posargs=[], extra_pythons=list(extra), force_pythons=list(extra) if forced else []
    )
    manifest = Manifest({name: Func(decorated, python=python, name=name)}, config)
    return [session.friendly_name for session, _ in manifest.list_all_sessions()]


AXES = ((), (DJANGO,), (axis("db", "it's", 'a "b"', "\\ü"), axis("v", "1", "2")))


@pytest.mark.parametrize("axes", AXES, ids=["none", "one", "two"])
@pytest.mark.parametrize("python", [None, "3.12", ["3.12"], ["3.12", "3.13t"]], ids=str)
@pytest.mark.parametrize(
    ("extra", "forced"),
    [((), False), (("3.14",), False), (("3.12", "3.14"), False), (("3.14",), True), (("3.12", "3.14"), True)],
    ids=str,
)
def test_sessions_are_named_as_nox_names_them(
    axes: tuple[Axis, ...], python: str | list[str] | None, extra: tuple[str, ...], forced: bool
) -> None:
    pythons = python if isinstance(python, list) else [python] if python else []
    own = environment("tests", *pythons, listed=isinstance(python, list), axes=axes)
    expected = nox_sessions("tests", python, axes, extra=extra, forced=forced)
    assert sessions(own, extra=extra, forced=forced) == expected


def test_extra_pythons_get_every_combination_that_occurs() -> None:
    own = environment(
        "t",
        "3.12",
        "3.13",
        axes=(DJANGO,),
        exclude=(combination(python="3.12", django="5.2"), combination(python="3.13", django="4.2")),
    )
    assert sessions(own, extra=("3.14", "3.13", "3.14")) == [
        "t-3.12(django='4.2')",
        "t-3.13(django='5.2')",
        "t-3.14(django='4.2')",
        "t-3.14(django='5.2')",
    ]


def test_extra_pythons_leave_environments_without_python_alone_unless_forced() -> None:
    assert sessions(environment("lint"), extra=("3.14",)) == ["lint"]
    assert sessions(environment("lint"), extra=("3.14",), forced=True) == ["lint-3.14"]


ENVDIRS = (".nox", "/a/project/.nox", "x" * 80, "y" * 95)


@pytest.mark.parametrize("envdir", ENVDIRS)
@pytest.mark.parametrize(
    "session",
    [
        "tests",
        "tests-3.12(django='4.2')",
        "Tests  _x_--Y ",
        "größe",
        "日本",
        "()",
        "-a-",
        "n" * 60,
        "n" * 120,
    ],
)
def test_venv_directories_are_those_of_nox(envdir: str, session: str) -> None:
    assert venv_directory_name(envdir, session) == _normalize_path(envdir, session)


@relaxed
@given(st.sampled_from(ENVDIRS), st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_venv_directories_are_those_of_nox_for_any_name(envdir: str, session: str) -> None:
    assert venv_directory_name(envdir, session) == _normalize_path(envdir, session)


def test_two_sessions_with_one_venv_directory_are_a_problem() -> None:
    first = environment("tests", "3.12", "3.13", line=3)
    second = environment("tests-3-12", line=8)
    assert problems(first, second) == [
        "envs.yaml:8:1: environments.tests-3-12: session 'tests-3-12' and session 'tests-3.12' (envs.yaml:3) "
        "have the same venv directory 'tests-3-12' (rename one of them)"
    ]


def test_values_of_an_axis_can_collide_too_and_are_reported_once() -> None:
    found = problems(environment("t", axes=(axis("v", "4.2", "4-2", "4+2"),)))
    assert len(found) == 1
    assert "session \"t(v='4-2')\" and session \"t(v='4.2')\"" in found[0]


def test_a_value_that_stands_twice_is_a_problem() -> None:
    assert "session \"t(v='1')\" exists twice" in problems(environment("t", axes=(axis("v", "1", "1"),)))[0]


def test_forced_pythons_of_a_matrix_share_a_name_in_nox_and_are_no_problem() -> None:
    found = sessions(environment("t", axes=(DJANGO,)), extra=("3.12", "3.13"), forced=True)
    assert found == ["t(django='4.2')", "t(django='5.2')"] * 2


# Size


def test_two_thousand_points_expand() -> None:
    layer = Layer(requirements=(text("a~={a}"),), commands=(Command(argv=("x", "{posargs}"), place=at(1)),))
    axes = tuple(axis(name, *(f"{n}.0" for n in range(count))) for name, count in (("a", 10), ("b", 20)))
    big = spec(environment("t", *(f"3.{n}" for n in range(10)), layer=layer, axes=axes))
    points = expand(big)
    assert len({point.session for point in points}) == 2000


@pytest.mark.parametrize("key", ["backend: venv", "default: false", "requires: [base]"])
def test_what_nox_keeps_once_cannot_differ_between_points(key: str) -> None:
    text = f"""\
version: 1
environments:
  tests:
    python: ["3.11", "3.12"]
    matrix: {{django: {{"4.2": {{}}, "5.2": {{{key}}}}}}}
  base: {{}}
"""
    with pytest.raises(FileProblems) as caught:
        expand(read_spec(text, origin="envs.yaml"))
    (problem,) = caught.value.problems
    assert problem.path == f"environments.tests.{key.partition(':')[0]}"
    assert "django='5.2'" in problem.message


def test_required_sessions_may_differ_between_pythons() -> None:
    text = """\
version: 1
environments:
  tests:
    python: ["3.11", "3.12"]
    overrides: [{when: {python: ">=3.12"}, requires: [base]}]
  base: {}
"""
    assert [point.requires for point in expand(read_spec(text, origin="envs.yaml"))] == [(), ("base",), ()]
