from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker

from nox_envs.errors import FileProblems
from nox_envs.lockfile.doubt import via_entry
from nox_envs.lockfile.meaning import parts
from nox_envs.lockfile.merging import floor, implementation_name, minor_version, requirement_text
from nox_envs.lockfile.plan import Inputs, LockPlan, layer_of, plan, plan_unlocked
from nox_envs.lockfile.staleness import staleness
from nox_envs.lockfile.text import Header, Lock
from nox_envs.matrix import Point
from nox_envs.pins import Pin
from nox_envs.requirements import Composition, Declared
from nox_envs.spec.types import ConstraintLock, Index, LockOptions, Pairs
from nox_envs.values import replace
from tests.plans import at, composed, everywhere, planned, plans, point, wants

DJANGO = (("django", "4.2"),), (("django", "5.2"),)


def matrix(
    *axes: Pairs, pythons: tuple[str, ...] = ("3.12",), lock: LockOptions | None = None
) -> tuple[Point, ...]:
    return tuple(point("tests", python, axes=pairs, lock=lock) for python in pythons for pairs in axes)


def django(at_point: Point) -> Composition:
    return composed(wants("pytest>=8"), wants(f"django~={dict(at_point.axes)['django']}.0"))


def by_python(common: str, **only: str) -> Callable[[Point], Composition]:
    """Compose a requirement for all pythons, and one for each python named as `v3_12`."""

    def compose(at_point: Point) -> Composition:
        own = only.get("v" + (at_point.python or "").replace(".", "_"))
        return composed(wants(common), *([wants(own)] if own else []))

    return compose


def texts(made: LockPlan) -> list[str]:
    return [requirement_text(declared) for declared in made.requirements]


def paths(made: tuple[LockPlan, ...]) -> list[str]:
    return [one.path for one in made]


def ask(constraint: str) -> ConstraintLock:
    return ConstraintLock(environment=constraint, place=at(1))


# Which points share a lock, and where it is.


def test_an_environment_has_one_lock_for_all_its_pythons() -> None:
    (made,) = plans(matrix((), pythons=("3.10", "3.13", "3.9")), everywhere(wants("pytest>=8")))
    assert (made.path, made.environments) == ("requirements/tests.txt", ("tests",))
    assert (made.pythons, made.floor) == (("3.10", "3.13", "3.9"), "3.9")
    assert [at_point.python for at_point in made.points] == ["3.10", "3.13", "3.9"]
    assert texts(made) == ["pytest>=8"]


def test_an_axis_that_changes_requirements_gives_a_lock_for_each_value() -> None:
    made = plans(matrix(*DJANGO, pythons=("3.12", "3.13")), django)
    assert paths(made) == ["requirements/tests-django4.2.txt", "requirements/tests-django5.2.txt"]
    assert [texts(one)[-1] for one in made] == ["django~=4.2.0", "django~=5.2.0"]
    assert [one.pythons for one in made] == [("3.12", "3.13")] * 2


def test_an_axis_that_changes_nothing_shares_a_lock() -> None:
    axes = tuple(
        (("database", name), ("django", value)) for name in ("sqlite", "mysql") for value in ("4.2", "5.2")
    )
    made = plans(matrix(*axes), django)
    assert paths(made) == ["requirements/tests-django4.2.txt", "requirements/tests-django5.2.txt"]
    assert [len(one.points) for one in made] == [2, 2]
    (alone,) = plans(matrix(*axes), everywhere(wants("pytest")))
    assert (alone.path, len(alone.points)) == ("requirements/tests.txt", 4)


def test_two_axes_that_matter_only_together_are_both_in_the_name() -> None:
    axes = tuple((("a", one), ("b", other)) for one in "12" for other in "12")

    def both(at_point: Point) -> Composition:
        return composed(wants("x==1" if dict(at_point.axes) == {"a": "1", "b": "1"} else "x==2"))

    assert paths(plans(matrix(*axes), both)) == [
        f"requirements/tests-a{one}-b{other}.txt" for one in "12" for other in "12"
    ]


def test_of_two_axes_that_change_together_the_first_gives_the_name() -> None:
    made = plans(matrix((*DJANGO[0], ("x", "a")), (*DJANGO[1], ("x", "b"))), django)
    assert paths(made) == ["requirements/tests-django4.2.txt", "requirements/tests-django5.2.txt"]


def by_value(at_point: Point) -> Composition:
    return composed(*(wants(f"a=={len(value)}.{ord(value[1])}") for _, value in at_point.axes))


def test_a_value_that_no_file_name_takes_is_cleaned() -> None:
    made = plans(matrix((("x", "../b c"),), (("x", "dé"),)), by_value)
    assert paths(made) == ["requirements/tests-x..-b-c.txt", "requirements/tests-xd-.txt"]


def test_values_whose_file_names_collide_are_a_problem() -> None:
    with pytest.raises(FileProblems, match=r"write different locks to 'requirements/tests-xa-b\.txt'"):
        plans(matrix((("x", "a b"),), (("x", "a/b"),)), by_value)


def test_a_lock_for_each_python_keeps_the_axes_that_matter() -> None:
    made = plans(matrix(*DJANGO, pythons=("3.12", "3.13"), lock=LockOptions(per="python")), django)
    assert paths(made) == [
        f"requirements/tests-{python}-django{value}.txt"
        for python in ("3.12", "3.13")
        for value in ("4.2", "5.2")
    ]


def test_a_lock_per_python_leaves_out_axes_that_change_nothing() -> None:
    made = plans(
        matrix(*DJANGO, pythons=("3.12", "3.13"), lock=LockOptions(per="python")), everywhere(wants("a"))
    )
    assert [(one.path, one.pythons, len(one.points)) for one in made] == [
        ("requirements/tests-3.12.txt", ("3.12",), 2),
        ("requirements/tests-3.13.txt", ("3.13",), 2),
    ]


@pytest.mark.parametrize("options", [LockOptions(per="point"), LockOptions(resolver="pip")])
def test_a_lock_per_point_names_every_axis(options: LockOptions) -> None:
    made = plans(matrix(*DJANGO, pythons=("3.12", "3.13"), lock=options), everywhere(wants("a")))
    assert paths(made) == [
        f"requirements/tests-{python}-django{value}.txt"
        for python in ("3.12", "3.13")
        for value in ("4.2", "5.2")
    ]
    assert {one.resolver for one in made} == {options.resolver or "uv"}


def test_a_file_of_its_own_is_taken_as_it_is() -> None:
    made = plans(
        [
            point("tests", "3.12", axes=(("django", value),), lock=LockOptions(file=(f"locks/{value}.txt",)))
            for value in ("4.2", "5.2")
        ],
        everywhere(wants("a")),
    )
    assert paths(made) == ["locks/4.2.txt", "locks/5.2.txt"]


def test_one_file_for_different_requirements_is_a_problem_with_its_place() -> None:
    options = LockOptions(file=("lock.txt",))
    points = [
        point("a", lock=options, line=3),
        point("b", lock=options, line=9),
        point("c", lock=options, line=12),
    ]
    with pytest.raises(FileProblems) as caught:
        plans(points, lambda p: composed(wants(f"{p.environment}>=1")))
    assert [str(problem) for problem in caught.value.problems] == [
        f"envs.yaml:{line}:1: environments.{name}.lock: '{name}' and 'a' would write different locks to"
        " 'lock.txt' (use {environment}, {python} or the axes in lock.file,"
        " or lock: {per: python} without a file)"
        for name, line in (("b", 9), ("c", 12))
    ]


def test_options_that_differ_by_python_need_a_lock_for_each() -> None:
    points = [point("tests", "3.12"), point("tests", "3.13", prereleases=True)]
    with pytest.raises(FileProblems, match="per: python"):
        plans(points, everywhere(wants("a")))
    options = LockOptions(per="python")
    points = [replace(at_point, lock=options) for at_point in points]
    made = plans(points, everywhere(wants("a")))
    assert [(one.path, one.prereleases) for one in made] == [
        ("requirements/tests-3.12.txt", False),
        ("requirements/tests-3.13.txt", True),
    ]


def test_environments_that_would_write_the_same_share_a_lock() -> None:
    options = LockOptions(file=("requirements/format.txt",))
    (made,) = plans(
        [point("format", "3.12", lock=options), point("format-check", "3.12", lock=options)],
        lambda p: composed(wants("ruff>=0.14", f"environment {p.environment}", line=len(p.environment))),
    )
    assert made.environments == ("format", "format-check")
    assert [at_point.session for at_point in made.points] == ["format-3.12", "format-check-3.12"]


def test_an_environment_without_a_lock_is_not_planned() -> None:
    unlocked = point("docs", "3.12", lock=LockOptions(enabled=False))
    assert plans([unlocked], everywhere(wants("a"))) == ()
    made = plan_unlocked(unlocked, Inputs(compose=everywhere(wants("a>=1")), floor="3.10"))
    assert (made.path, texts(made)) == ("", ["a>=1"])


# What only some pythons ask for.


def test_what_some_pythons_ask_for_carries_a_marker() -> None:
    (made,) = plans(
        matrix((), pythons=("3.9", "3.10", "3.11")),
        by_python("pytest", v3_9='a>=1; sys_platform == "linux" or os_name == "nt"', v3_10="b"),
    )
    assert texts(made) == [
        "pytest",
        'a>=1 ; (python_version == "3.9") and (sys_platform == "linux" or os_name == "nt")',
        'b ; python_version == "3.10"',
    ]


def test_the_marker_for_several_pythons_is_in_their_order() -> None:
    (made,) = plans(matrix((), pythons=("3.13", "3.10", "3.9")), by_python("a", v3_10="b", v3_9="b"))
    assert texts(made) == ["a", 'b ; python_version == "3.9" or python_version == "3.10"']


@pytest.mark.parametrize(
    ("pythons", "asking", "marker"),
    [
        (("3.11", "pypy3.11"), "pypy3.11", 'python_version == "3.11" and implementation_name == "pypy"'),
        (("3.11", "pypy3.11"), "3.11", 'python_version == "3.11" and implementation_name == "cpython"'),
        (("3.12", "pypy3.11"), "pypy3.11", 'python_version == "3.11"'),
        (("3.13", "3.13t", "3.12"), "3.13t", 'python_version == "3.13"'),
        (("pypy", "3.12"), "pypy", ""),
        (("pypy", "3.12"), "3.12", 'python_version == "3.12"'),
    ],
)
def test_the_marker_tells_implementations_apart_where_it_can(
    pythons: tuple[str, ...], asking: str, marker: str
) -> None:
    (made,) = plans(
        matrix((), pythons=pythons), lambda p: composed(*([wants("a")] if p.python == asking else []))
    )
    assert [declared.marker for declared in made.requirements] == [marker]


@given(
    st.lists(st.booleans(), min_size=3, max_size=3), st.sampled_from(("", 'os_name == "x" or os_name != "x"'))
)
def test_the_marker_holds_exactly_where_the_requirement_was_asked_for(asks: list[bool], marker: str) -> None:
    pythons = ("3.10", "3.11", "pypy3.11")
    asking = dict(zip(pythons, asks, strict=True))
    text = f"a; {marker}" if marker else "a"
    (made,) = plans(
        matrix((), pythons=pythons), lambda p: composed(*([wants(text)] if asking[p.python or ""] else []))
    )
    holding = {
        python: any(
            not declared.marker
            or Marker(declared.marker).evaluate(
                {"python_version": minor_version(python), "implementation_name": implementation_name(python)}
            )
            for declared in made.requirements
        )
        for python in pythons
    }
    assert holding == asking


def test_constraints_of_some_pythons_carry_a_marker_too() -> None:
    (made,) = plans(
        matrix((), pythons=("3.12", "3.13")),
        lambda p: composed(wants("a"), constraints=[wants("b<2")] if p.python == "3.12" else []),
    )
    assert [requirement_text(one) for one in made.constraints] == ['b<2 ; python_version == "3.12"']


def test_a_requirement_of_two_sets_is_kept_for_both() -> None:
    made = planned(wants("a>=1", "app"), wants("a>=1", "test"), pythons=("3.12", "3.13"))
    assert [declared.why for declared in made.requirements] == [("app",), ("test",)]


# Pythons.


@pytest.mark.parametrize(
    ("pythons", "expected"),
    [
        (("3.13t", "pypy3.11"), "3.11"),
        (("3.10.4", "3.9"), "3.9"),
        (("3.9", "3.10"), "3.9"),
        (("python3.12",), "3.12"),
        (("pypy",), "3.10"),
        ((), "3.10"),
    ],
)
def test_the_floor_is_the_lowest_version_that_is_named(pythons: tuple[str, ...], expected: str) -> None:
    assert floor(pythons, "3.10") == expected


def test_an_environment_without_python_is_locked_from_the_floor_of_the_project() -> None:
    (made,) = plan((point("docs"),), Inputs(compose=everywhere(wants("a")), floor="3.11"))
    assert (made.pythons, made.floor) == ((), "3.11")


@pytest.mark.parametrize(
    ("python", "version", "implementation"),
    [
        ("3.13t", "3.13", "cpython"),
        ("pypy3.11", "3.11", "pypy"),
        ("pypy-3.10", "3.10", "pypy"),
        ("graalpy3.12", "3.12", "graalpy"),
        ("python3.12", "3.12", "cpython"),
        ("pypy", "", "pypy"),
    ],
)
def test_a_name_of_an_interpreter_tells_version_and_implementation(
    python: str, version: str, implementation: str
) -> None:
    assert (minor_version(python), implementation_name(python)) == (version, implementation)


# One line for each requirement.


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (wants("Requests [socks,Use_Chardet] >= 2.31 , < 3 ; python_version<'3.13'"),
         'requests[socks,use-chardet]<3,>=2.31 ; python_version < "3.13"'),
        (wants("tool @ git+https://git.example.org/tool.git@main"),
         "tool @ git+https://git.example.org/tool.git@main"),
        (wants("https://files.example.org/tool.zip"), "https://files.example.org/tool.zip"),
        (wants("./vendor/foo[cli] ; os_name == 'nt'", name="foo"), './vendor/foo[cli] ; os_name == "nt"'),
        (wants("./vendor/foo", name="foo", editable=True), "-e ./vendor/foo"),
    ],
)  # fmt: skip
def test_a_requirement_is_one_line(declared: Declared, expected: str) -> None:
    assert requirement_text(declared) == expected


# Layers.


def test_layers_are_the_environments_whose_locks_constrain() -> None:
    made = planned(wants("a"), limits=(ask("prod"), ask("base"), ask("prod")))
    assert made.layers == ("prod", "base")


def test_a_layer_is_the_lock_of_the_same_points() -> None:
    bases = plans(matrix(*DJANGO, pythons=("3.12", "3.13"), lock=LockOptions(per="point")), django)
    (alone,) = plans(matrix(DJANGO[1], pythons=("3.13",)), everywhere(wants("a")))
    found = layer_of(alone, bases)
    assert found is not None
    assert found.path == "requirements/tests-3.13-django5.2.txt"
    (other,) = plans([point("other", "3.9")], everywhere(wants("a")))
    assert layer_of(other, bases) == bases[0]
    assert layer_of(other, ()) is None


# The digest.

BASE = planned(
    wants("pytest>=8"),
    wants("rich"),
    pythons=("3.12", "3.13"),
    constraints=[wants("b<2")],
    build_constraints=[wants("setuptools<80")],
    lock=LockOptions(exclude_newer_exempt=("a", "b"), only_binary=("c",), no_binary=("d",)),
    prereleases=("e", "f"),
)
INDEXES = (
    Index(name="one", url="https://packages.example.org/one", packages=("a", "b"), place=at(1)),
    Index(name="two", url="https://packages.example.org/two", place=at(2)),
)


def option(**changed: object) -> LockPlan:
    return replace(BASE, options=replace(BASE.options, **changed))


@pytest.mark.parametrize(
    "same",
    [
        replace(BASE, requirements=BASE.requirements[::-1]),
        replace(BASE, requirements=(*BASE.requirements, wants("rich", "other", line=9))),
        replace(BASE, pythons=BASE.pythons[::-1]),
        replace(BASE, prereleases=("f", "e")),
        replace(BASE, environments=("other",), path="other.txt"),
        option(exclude_newer_exempt=("b", "a")),
        option(resolution="highest", per="python", file=("x.txt",)),
    ],
)
def test_the_digest_does_not_tell_what_changes_nothing(same: LockPlan) -> None:
    assert same.digest == BASE.digest


CHANGES = (
    replace(BASE, requirements=(wants("pytest>=9"), wants("rich"))),
    replace(BASE, requirements=(wants("pytest>=8"),)),
    replace(BASE, requirements=(wants("pytest>=8"), wants('rich; os_name == "nt"'))),
    replace(BASE, requirements=(wants("pytest>=8"), wants("rich", hashes=("sha256:00",)))),
    replace(BASE, constraints=(wants("b<3"),)),
    replace(BASE, build_constraints=(wants("setuptools<81"),)),
    replace(BASE, pythons=("3.12",)),
    replace(BASE, pythons=()),
    replace(BASE, pythons=(), floor="3.11"),
    replace(BASE, platforms=("linux",)),
    replace(BASE, layers=("prod",)),
    replace(BASE, resolver="pip"),
    replace(BASE, prereleases=True),
    replace(BASE, prereleases=("e",)),
    replace(BASE, dynamic_extras=()),
    replace(BASE, dynamic_extras=("cli",)),
    replace(BASE, dynamic_extras=(), metadata="sha256:1"),
    replace(BASE, indexes=INDEXES),
    replace(BASE, indexes=INDEXES[::-1]),
    replace(BASE, indexes=(replace(INDEXES[0], packages=("a",)), INDEXES[1])),
    option(resolution="lowest"),
    option(exclude_newer="2026-01-01"),
    option(exclude_newer_exempt=("a",)),
    option(only_binary=()),
    option(no_binary=("x",)),
)


def test_the_digest_tells_every_input() -> None:
    digests = [made.digest for made in (BASE, *CHANGES)]
    same = [
        pair
        for pair in itertools.combinations(range(len(digests)), 2)
        if digests[pair[0]] == digests[pair[1]]
    ]
    assert not same
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests)


NAMED = (
    ("test: pytest>=9", "test: pytest>=8"),
    ("not required any more", "test: rich"),
    ('test: rich ; os_name == "nt"', "test: rich"),
    ("hashes of requirements: ", "locked without"),
    ("constraints of envs.yaml: ", "locked with "),
    ("build_constraints: ", "locked with "),
    ("python 3.12", "locked for python 3.12, 3.13"),
    ("python of nox", "locked for python 3.12, 3.13"),
    ("python of nox", "locked for python 3.12, 3.13"),
    ("platforms: linux", "locked without"),
    ("layers: prod", "locked without"),
    ("resolver: pip", "locked with uv"),
    ("allow_prereleases: true", "locked with e, f"),
    ("allow_prereleases: e", "locked with e, f"),
    ("project: ", "locked without"),
    ("project: ", "locked without"),
    ("project: ", "locked without"),
    ("indexes: ", "locked without"),
    ("indexes: ", "locked without"),
    ("indexes: ", "locked without"),
    ("resolution: lowest", "locked without"),
    ("exclude_newer: 2026-01-01", "locked without"),
    ("exclude_newer exempt: a", "locked with a, b"),
    ("only_binary: not set", "locked with c"),
    ("no_binary: x", "locked with d"),
)
ANY = replace(BASE, pythons=(), floor="3.11")
MORE = (
    (ANY, replace(ANY, floor="3.12"), ("requires-python: >=3.12", "locked with >=3.11")),
    (replace(ANY, pythons=("pypy",)), replace(ANY, pythons=("pypy",), floor="3.10"),
     ("requires-python: >=3.10", "locked with >=3.11")),
    (replace(BASE, requirements=(wants("rich", hashes=("sha256:00",)),)),
     replace(BASE, requirements=(wants("rich", hashes=("sha256:11",)),)),
     ("hashes of requirements: ", "locked with ")),
    (replace(BASE, dynamic_extras=(), metadata="sha256:1"),
     replace(BASE, dynamic_extras=(), metadata="sha256:2"), ("project: ", "locked with ")),
    (replace(BASE, indexes=INDEXES), replace(BASE, indexes=INDEXES[::-1]), ("indexes: ", "locked with ")),
    (replace(BASE, layers=("a",)), replace(BASE, layers=("b",)), ("layers: b", "locked with a")),
    (replace(BASE, related=(("base.txt", "sha256:1"),)), replace(BASE, related=(("base.txt", "sha256:2"),)),
     ("base.txt: 2", "locked with 1")),
    (replace(BASE, related=(("group x", "sha256:1"),)), replace(BASE, related=(("group x", "sha256:2"),)),
     ("group x: 2", "locked with 1")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [*((BASE, changed, named) for changed, named in zip(CHANGES, NAMED, strict=True)), *MORE],
)
def test_a_stale_lock_names_the_input_that_changed(
    before: LockPlan, now: LockPlan, named: tuple[str, str]
) -> None:
    header = Header(
        environments=before.environments,
        pythons=before.pythons,
        resolver=before.resolver,
        input=before.digest,
        parts=tuple(f"{name}: {text}" for name, text in parts(before)),
    )
    pins = tuple(Pin(name=one.name, version="8", via=(via_entry(one),)) for one in before.requirements)
    assert before.digest != now.digest
    found = staleness(now, Lock(origin="tests.txt", header=header, pins=pins), ())
    (doubt,) = found
    assert doubt.kind == "lock-stale"
    assert doubt.expected.startswith(named[0])
    assert doubt.actual.startswith(named[1])


def test_a_lock_for_a_lower_python_is_made_anew_and_one_for_a_higher_can_be_used() -> None:
    header = Header(environments=("tests",), pythons=(), resolver="uv", input="sha256:0", parts=())
    for locked, asked, satisfied in (("3.11", "3.10", False), ("3.9", "3.10", True)):
        made = replace(planned(wants("a"), pythons=(None,)), floor=asked)
        with_floor = replace(header, parts=(f"requires-python: >={locked}",))
        pins = (Pin(name="a", version="1", via=("test: a",)),)
        (doubt,) = staleness(made, Lock(origin="tests.txt", header=with_floor, pins=pins), ())
        assert (doubt.place, doubt.satisfied) == ("pyproject.toml", satisfied)


NAMES = st.from_regex(r"[a-z]([a-z_.-]?[a-z0-9]){0,5}", fullmatch=True)
CLAUSES = st.lists(st.sampled_from((">=1.0", "<2", "!=1.5", "~=1.2", "==1.*")), max_size=3, unique=True)
EXTRAS = st.lists(st.sampled_from(("socks", "cli", "a_b")), max_size=2, unique=True)
MARKED = st.sampled_from(("", "python_version < '3.12'", "os_name == 'nt' and extra != 'x'"))


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """Draw one requirement in two spellings: order, whitespace, case and quotes differ."""
    name, clauses, extras, marker = draw(NAMES), draw(CLAUSES), draw(EXTRAS), draw(MARKED)
    found = []
    for quote, space, spelled in (("'", "", name), ('"', " ", name.upper().replace("_", "-"))):
        wanted = f"[{f'{space},{space}'.join(draw(st.permutations(extras)))}]" if extras else ""
        limits = f"{space},{space}".join(draw(st.permutations(clauses)))
        end = f"{space};{space}{marker.replace(chr(39), quote)}" if marker else ""
        found.append(f"{spelled}{space}{wanted}{space}{limits}{end}")
    return found[0], found[1]


@given(st.lists(spellings(), min_size=1, max_size=5), st.data())
def test_the_digest_does_not_depend_on_order_whitespace_and_quoting(
    pairs: list[tuple[str, str]], data: st.DataObject
) -> None:
    one = planned(*(wants(text) for text, _ in pairs))
    other = planned(*(wants(text, "other", line=7) for _, text in data.draw(st.permutations(pairs))))
    assert one.digest == other.digest
