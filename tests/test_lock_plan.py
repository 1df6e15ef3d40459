"""Plans of locks: which points share one, where it is, and what its digest tells."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal

import pytest

from nox_envs.errors import FileProblems, Problem
from nox_envs.lock.pins import Pin
from nox_envs.lock.plan import (
    LockPlan,
    PlanInputs,
    digest,
    floor,
    header_of,
    is_open,
    layer_plan,
    parts,
    plan_locks,
    plan_points,
    regenerate,
    requested_by,
    via_entry,
)
from nox_envs.requirements.compose import Composition
from nox_envs.requirements.text import requirement_text
from nox_envs.spec.types import ExcludeNewer, LockOptions, Pairs, Point
from nox_envs.values import replace
from tests.plans import at, below, composed, everywhere, planned, point, wants

DJANGO: tuple[Pairs, ...] = ((("django", "4.2"),), (("django", "5.2"),))


def matrix(
    *axes: Pairs, pythons: tuple[str, ...] = ("3.12",), lock: LockOptions | None = None
) -> tuple[Point, ...]:
    return tuple(point("tests", python, axes=pairs, lock=lock) for python in pythons for pairs in axes)


def plans(points: tuple[Point, ...], compose: Callable[[Point], Composition]) -> tuple[LockPlan, ...]:
    return plan_locks(points, PlanInputs(compose=compose, requires_python="3.10"))


def django(at_point: Point) -> Composition:
    return composed(wants("pytest>=8"), wants(f"django~={dict(at_point.axes)['django']}.0"))


def texts(made: LockPlan) -> list[str]:
    return [requirement_text(declared) for declared in made.requirements]


def paths(made: tuple[LockPlan, ...]) -> list[str]:
    return [one.path for one in made]


# Which points share a lock, and where it is.


def test_an_environment_has_one_lock_for_all_its_pythons() -> None:
    (made,) = plans(matrix((), pythons=("3.10", "3.13", "3.9")), everywhere(wants("pytest>=8")))
    assert (made.path, made.files) == ("requirements/tests.txt", ("requirements/tests.txt",))
    assert (made.environments, made.pythons, floor(made)) == (("tests",), ("3.10", "3.13", "3.9"), "3.9")
    assert texts(made) == ["pytest>=8"]


BOTH = tuple((("db", name), ("django", text)) for name in ("sqlite", "mysql") for text in ("4.2", "5.2"))


@pytest.mark.parametrize(
    ("axes", "compose", "expected"),
    [
        (DJANGO, django, ["requirements/tests-django4.2.txt", "requirements/tests-django5.2.txt"]),
        # an axis that changes nothing shares a lock
        (BOTH, django, ["requirements/tests-django4.2.txt", "requirements/tests-django5.2.txt"]),
        (BOTH, everywhere(wants("pytest")), ["requirements/tests.txt"]),
        # of two axes that change together, the first one gives the name
        (((*DJANGO[0], ("x", "a")), (*DJANGO[1], ("x", "b"))), django,
         ["requirements/tests-django4.2.txt", "requirements/tests-django5.2.txt"]),
    ],
)  # fmt: skip
def test_an_axis_that_changes_requirements_gives_a_lock_for_each_value(
    axes: tuple[Pairs, ...], compose: Callable[[Point], Composition], expected: list[str]
) -> None:
    made = plans(matrix(*axes, pythons=("3.12", "3.13"), lock=LockOptions(format="both")), compose)
    assert paths(made) == expected
    assert {one.pylock for one in made} == {
        f"pylock.{path[13:-4].replace('.', '-')}.toml" for path in expected
    }
    assert [len(one.points) for one in made] == [2 * len(axes) // len(expected)] * len(expected)


def test_two_axes_that_matter_only_together_are_both_in_the_name() -> None:
    axes = tuple((("a", one), ("b", other)) for one in "12" for other in "12")

    def both(at_point: Point) -> Composition:
        return composed(wants("x==1" if dict(at_point.axes) == {"a": "1", "b": "1"} else "x==2"))

    assert paths(plans(matrix(*axes), both)) == [
        f"requirements/tests-a{one}-b{other}.txt" for one in "12" for other in "12"
    ]


def by_value(at_point: Point) -> Composition:
    return composed(*(wants(f"a=={len(text)}.{ord(text[1])}") for _, text in at_point.axes))


def test_a_value_that_no_file_name_takes_is_cleaned_and_a_collision_is_a_problem() -> None:
    made = plans(matrix((("x", "../b c"),), (("x", "dé"),)), by_value)
    assert paths(made) == ["requirements/tests-x..-b-c.txt", "requirements/tests-xd-.txt"]
    with pytest.raises(FileProblems, match=r"write different locks to 'requirements/tests-xa-b\.txt'"):
        plans(matrix((("x", "a b"),), (("x", "a/b"),)), by_value)


def test_a_lock_for_each_python_or_point() -> None:
    def names(per: Literal["python", "point"], compose: Callable[[Point], Composition]) -> list[str]:
        made = plans(matrix(*DJANGO, pythons=("3.12", "3.13"), lock=LockOptions(per=per)), compose)
        return [path[len("requirements/tests-") : -len(".txt")] for path in paths(made)]

    each = ["3.12-django4.2", "3.12-django5.2", "3.13-django4.2", "3.13-django5.2"]
    assert names("python", django) == names("point", everywhere(wants("a"))) == each
    assert names("python", everywhere(wants("a"))) == ["3.12", "3.13"]


def test_a_file_of_its_own_is_taken_as_it_is() -> None:
    files = [LockOptions(file=(f"locks/{text}.txt",)) for text in ("4.2", "5.2")]
    points = [point(axes=pairs, lock=options) for pairs, options in zip(DJANGO, files, strict=True)]
    assert paths(plans(tuple(points), everywhere(wants("a")))) == ["locks/4.2.txt", "locks/5.2.txt"]


def test_one_file_for_different_requirements_is_a_problem_at_its_key() -> None:
    options = LockOptions(file=("lock.txt",))
    points = tuple(point(name, lock=options, line=line) for name, line in (("a", 3), ("b", 9), ("c", 12)))
    with pytest.raises(FileProblems) as caught:
        plans(points, lambda p: composed(wants(f"{p.environment}>=1")))
    assert [str(problem) for problem in caught.value.problems] == [
        f"envs.yaml:{line}:1: environments.{name}.lock.file: '{name}' and 'a' would write different locks to"
        " 'lock.txt' (use {name}, {python} or the axes in lock.file,"
        " or lock: {per: python} without a file)"
        for name, line in (("b", 9), ("c", 12))
    ]


def test_the_places_of_lock_options_divide_no_lock() -> None:
    options = [LockOptions(format="both", place=at(line)) for line in (3, 9)]
    points = [point("tests", f"3.{n}", lock=one) for n, one in enumerate(options, 12)]
    assert len(plans(tuple(points), everywhere(wants("a")))) == 1


def test_options_that_differ_by_python_need_a_lock_for_each() -> None:
    points = (point("tests", "3.12"), point("tests", "3.13", prereleases=True))
    with pytest.raises(FileProblems, match="per: python"):
        plans(points, everywhere(wants("a")))
    made = plans(
        tuple(replace(one, lock=LockOptions(per="python")) for one in points), everywhere(wants("a"))
    )
    assert [one.points[0].allow_prereleases for one in made] == [False, True]


def test_environments_that_would_write_the_same_share_a_lock() -> None:
    options = LockOptions(file=("requirements/format.txt",), format="both")
    (made,) = plans(
        (point("format", "3.12", lock=options), point("format-check", "3.12", lock=options)),
        lambda p: composed(wants("ruff>=0.14", f"environment {p.environment}", line=len(p.environment))),
    )
    assert made.environments == ("format", "format-check")
    assert [one.session for one in made.points] == ["format-3.12", "format-check-3.12"]
    assert made.files == ("requirements/format.txt", "pylock.format.toml")


def test_an_environment_without_a_lock_is_not_planned() -> None:
    unlocked = point("docs", "3.12", lock=LockOptions(enabled=False))
    assert plans((unlocked,), everywhere(wants("a"))) == ()
    asked = replace(composed(wants("a>=1")), own=(OWN, replace(OWN, extras=("b",))))
    made = plan_points([unlocked], PlanInputs(compose=lambda _: asked))
    assert (made.path, made.files, texts(made)) == ("", (), ["a>=1"])
    assert made.own == replace(OWN, extras=("b", "cli"))


@pytest.mark.parametrize("path", ["../lock.txt", "a/../../lock.txt", "/lock.txt", "lock.toml"])
def test_a_lock_is_written_only_inside_the_project_and_in_its_format(path: str) -> None:
    with pytest.raises(FileProblems, match=r"environments\.tests\.lock\.file"):
        planned(wants("a"), lock=LockOptions(file=(path,)))


def test_a_lock_of_another_tool_may_be_anywhere_and_in_several_files() -> None:
    options = LockOptions(managed=False, file=("../a.txt", "b.txt"), command="make locks")
    one, _ = plans(
        (point("a", lock=options), point("b", lock=options)), lambda p: composed(wants(p.environment))
    )
    assert (one.managed, one.files) == (False, ("../a.txt", "b.txt"))
    assert regenerate(one, ()) == "make locks"


def test_a_point_that_cannot_be_read_keeps_no_other_lock_from_its_plan() -> None:
    def broken(at_point: Point) -> Composition:
        if dict(at_point.axes)["django"] == "5.2":
            raise FileProblems([Problem(place=at(1), message="no such file")])
        return composed(wants("a"))

    made = plans(matrix(*DJANGO, (("django", "6.0"),)), broken)
    assert paths(made) == ["requirements/tests-django4.2.txt", "requirements/tests-django6.0.txt"]


# What only some Pythons ask for.


def by_python(**only: str) -> Callable[[Point], Composition]:
    """Compose `pytest`, and one requirement for each Python named as `v3_12`."""

    def compose(at_point: Point) -> Composition:
        own = only.get("v" + (at_point.python or "").replace(".", "_"))
        return composed(wants("pytest"), *([wants(own)] if own else []))

    return compose


@pytest.mark.parametrize(
    ("pythons", "only", "expected"),
    [
        (("3.9", "3.10", "3.11"), {"v3_9": 'a>=1; sys_platform == "linux" or os_name == "nt"', "v3_10": "b"},
         ['a>=1 ; (python_version == "3.9") and (sys_platform == "linux" or os_name == "nt")',
          'b ; python_version == "3.10"']),
        (("3.13", "3.10", "3.9"), {"v3_10": "b", "v3_9": "b"},
         ['b ; python_version == "3.9" or python_version == "3.10"']),
        (("3.12", "pypy3.11"), {"vpypy3_11": "b"}, ['b ; python_version == "3.11"']),
        # what no marker tells apart gets the same
        (("3.11", "pypy3.11", "3.12"), {"v3_11": "b"}, ['b ; python_version == "3.11"']),
        (("3.13", "3.13t", "3.12"), {"v3_13t": "b"}, ['b ; python_version == "3.13"']),
        (("pypy", "3.12"), {"vpypy": "b"}, ["b"]),
        (("pypy", "3.12"), {"v3_12": "b"}, ['b ; python_version == "3.12"']),
    ],
)  # fmt: skip
def test_what_some_pythons_ask_for_carries_a_marker(
    pythons: tuple[str, ...], only: dict[str, str], expected: list[str]
) -> None:
    (made,) = plans(matrix((), pythons=pythons), by_python(**only))
    assert texts(made) == ["pytest", *expected]


def test_a_requirement_of_two_sets_is_kept_for_both() -> None:
    made = planned(wants("a>=1", "app"), wants("a>=1", "test"), pythons=("3.12", "3.13"))
    assert [declared.why for declared in made.requirements] == [("app",), ("test",)]


@pytest.mark.parametrize(
    ("pythons", "lowest", "is_unbounded"),
    [
        (("3.13t", "pypy3.11"), "3.11", False),
        (("3.10.4", "3.9"), "3.9", False),
        (("python3.12",), "3.12", False),
        (("pypy", "3.12"), "3.10", True),
        ((None,), "3.10", True),
        (("3.9", None), "3.9", True),
    ],
)
def test_a_lock_is_for_the_pythons_that_are_written(
    pythons: tuple[str | None, ...], lowest: str, is_unbounded: bool
) -> None:
    made = planned(wants("a"), pythons=pythons)
    assert (floor(made), is_open(made)) == (lowest, is_unbounded)


def test_a_layer_is_the_lock_of_the_same_points() -> None:
    bases = plans(matrix(*DJANGO, pythons=("3.12", "3.13"), lock=LockOptions(per="point")), django)
    (alone,) = plans(matrix(DJANGO[1], pythons=("3.13",)), everywhere(wants("a")))
    found = layer_plan(alone, bases)
    assert found
    assert found.path == "requirements/tests-3.13-django5.2.txt"
    (other,) = plans((point("other", "3.9"),), everywhere(wants("a")))
    assert layer_plan(other, bases) == bases[0]
    assert layer_plan(other, ()) is None


# The digest.

NEWER = ExcludeNewer(than="2026-01-01", exempt=("a", "b"))
OPTIONS = {"exclude_newer": NEWER, "only_binary": ("c",), "no_binary": ("d",), "prereleases": ("e", "f")}
BASE = replace(
    planned(wants("pytest>=8"), wants("rich"), pythons=("3.12", "3.13"), constraints=[wants("b<2")]),
    build_constraints=(wants("setuptools<80"),),
    points=tuple(point("tests", python, **OPTIONS) for python in ("3.12", "3.13")),  # type: ignore[arg-type]
)
INDEXES = (
    ("one", "https://packages.example.org/one"),
    ("two", "https://packages.example.org/two"),
)
OWN = wants(".[cli]", name="own")


def options(**changed: object) -> LockPlan:
    """Return the plan with other options at its points."""
    return replace(BASE, points=tuple(replace(one, **changed) for one in BASE.points))


@pytest.mark.parametrize(
    "same",
    [
        replace(BASE, requirements=BASE.requirements[::-1]),
        replace(BASE, requirements=(*BASE.requirements, wants("rich", "other", line=9))),
        replace(BASE, pythons=BASE.pythons[::-1]),
        options(allow_prereleases=("f", "e")),
        replace(BASE, environments=("other",), path="other.txt", files=(), requires_python="3.11"),
        options(exclude_newer=replace(NEWER, exempt=("b", "a"))),
    ],
)
def test_the_digest_does_not_tell_what_changes_nothing(same: LockPlan) -> None:
    assert digest(same) == digest(BASE)


CHANGES = (
    replace(BASE, requirements=(wants("pytest>=9"), wants("rich"))),
    replace(BASE, requirements=(wants("pytest>=8"),)),
    replace(BASE, requirements=(wants("pytest>=8"), wants('rich; os_name == "nt"'))),
    replace(BASE, requirements=(wants("pytest>=8"), wants("rich[x]"))),
    replace(BASE, requirements=(wants("pytest>=8"), wants("rich", hashes=("sha256:" + "0a" * 32,)))),
    replace(BASE, constraints=(wants("b<3"),)),
    replace(BASE, build_constraints=(wants("setuptools<81"),)),
    replace(BASE, pythons=("3.12",)),
    replace(BASE, points=(point(),), pythons=()),
    replace(BASE, points=(point(),), pythons=(), requires_python="3.11"),
    replace(BASE, platforms=("linux",)),
    replace(BASE, layers=("prod",)),
    options(allow_prereleases=True),
    options(allow_prereleases=("e",)),
    replace(BASE, own=OWN),
    replace(BASE, own=replace(OWN, extras=())),
    replace(BASE, indexes=INDEXES),
    replace(BASE, indexes=INDEXES[::-1]),
    options(resolution="lowest"),
    options(exclude_newer=replace(NEWER, than="2026-01-02")),
    options(exclude_newer=replace(NEWER, exempt=("a",))),
    options(only_binary=()),
    options(no_binary=("x",)),
    replace(BASE, related=(("base.txt", "sha256:1"),)),
)


def test_the_digest_tells_every_input_and_so_do_the_parts_of_the_header() -> None:
    digests = [digest(made) for made in (BASE, *CHANGES)]
    assert not [pair for pair in itertools.combinations(digests, 2) if len(set(pair)) == 1]
    assert all(one.startswith("sha256:") and len(one) == 71 for one in digests)
    told = [(parts(made), made.pythons, made.platforms) for made in (BASE, *CHANGES[5:])]
    assert len(set(told)) == len(told)


def test_the_header_of_a_lock_names_what_it_was_made_with() -> None:
    made = replace(BASE, platforms=("linux",), related=(("base.txt", "sha256:0123456789abcdef"),))
    assert header_of(made)[1:5] == (
        ("regenerate", "nox -s lock -- tests"),
        ("environment", "tests"),
        ("python", "3.12, 3.13"),
        ("platforms", "linux"),
    )
    found = dict(header_of(replace(made, environments=("my tests", "$(x)"))))
    assert (found["regenerate"], found["input"]) == ("nox -s lock -- 'my tests' '$(x)'", digest(made))
    assert (found["base.txt"], found["exclude_newer"]) == ("0123456789ab", "2026-01-01")
    assert "resolution" not in found


def test_a_lock_of_ours_that_is_read_counts_as_a_whole() -> None:
    hashed = wants("a==1", origin="base.txt", hashes=("sha256:" + "0a" * 32,))
    made = planned(hashed, constraints=[wants("b<2", origin="base.txt")], related=(("base.txt", "sha256:1"),))
    assert dict(parts(made)) == {"base.txt": "1"}


# Who asks for a package.


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        (("app",), "app"),
        (("dev", "test"), "test"),
        (("docs", "requirements/docs.in", "requirements/base.in"), "docs (requirements/base.in)"),
        (("lint", "pyproject.toml [group lint]"), "lint (pyproject.toml [group lint])"),
        (("environment tests",), "environment tests"),
        ((), "envs.yaml"),
    ],
)
def test_what_asks_is_the_innermost_set_and_file(why: tuple[str, ...], expected: str) -> None:
    assert via_entry(replace(wants("a>=1"), why=why)) == f"{expected}: a>=1"


PINS = (
    Pin(name="pytest", version="8", via=("test: pytest>=8",)),
    Pin(name="pluggy", version="1", via=("other", "pytest")),
    Pin(name="other", version="1", via=("-c limits.txt", "pluggy")),
    Pin(name="test", version="1", via=("test: test",)),
    Pin(name="cut", version="1"),
)


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("pytest", ("test: pytest>=8 (envs.yaml:6)",)),
        ("pluggy", ("test: pytest>=8 (envs.yaml:6)", "pytest")),
        ("other", ("test: pytest>=8 (envs.yaml:6)", "pytest", "pluggy", "constraint other<2 (limits.txt:3)")),
        ("test", ("test: test",)),
        ("cut", ()),
        ("absent", ()),
        ("six", ("constraint six<1.17 (envs.yaml:9)",)),
    ],
)
def test_why_a_package_is_there_leads_to_the_requirement_and_the_constraint(
    package: str, expected: tuple[str, ...]
) -> None:
    made = planned(
        wants("pytest>=8", line=6),
        constraints=[wants("other<2", line=3, origin="limits.txt"), wants("six<1.17", line=9)],
    )
    assert requested_by(made, PINS)(package) == expected


def test_why_a_package_of_another_tools_lock_is_there_names_the_requirement() -> None:
    made = planned(wants("rich", line=4), lock=LockOptions(managed=False, file=("all.txt",)))
    why = requested_by(
        made, [Pin(name="rich", version="1", via=("-r dev.in",)), Pin(name="a", version="1", via=("rich",))]
    )
    assert why("rich") == ("test: rich (envs.yaml:4)",)
    assert why("a") == ("test: rich (envs.yaml:4)", "rich")


def test_layers_are_the_environments_whose_locks_constrain() -> None:
    assert planned(wants("a"), limits=(below("prod"), below("base"), below("prod"))).layers == (
        "prod",
        "base",
    )
