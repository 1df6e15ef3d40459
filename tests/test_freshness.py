from __future__ import annotations

import pytest
from packaging.markers import default_environment

from nox_envs.errors import NoxEnvsError
from nox_envs.lockfile.freshness import Doubt, doubts, via_entry, via_label
from nox_envs.lockfile.meaning import parts
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.satisfaction import satisfies
from nox_envs.lockfile.staleness import unrecorded
from nox_envs.lockfile.text import Header, Lock, parse
from nox_envs.requirements import Declared
from nox_envs.spec.types import ConstraintLock
from nox_envs.values import replace
from tests.plans import at, composed, planned, plans, point, wants

HOST = {
    **{name: str(value) for name, value in default_environment().items()},
    "sys_platform": "linux",
    "python_version": "3.12",
    "python_full_version": "3.12.1",
}
HASH = " --hash=sha256:" + "0a" * 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = COMMIT[::-1]
GIT = "git+https://git.example.org"


def lock(text: str, made: LockPlan | None = None, omitted: tuple[str, ...] = ()) -> Lock:
    """Read a lock that was generated for a plan; without one, a lock that others made."""
    header = None
    if made is not None:
        header = Header(
            environments=("tests",),
            pythons=made.pythons,
            resolver="uv",
            input=made.digest,
            omitted=omitted,
            parts=tuple(f"{name}: {text}" for name, text in parts(made)),
        )
    return replace(parse(text, origin="tests.txt"), header=header)


def hashed(*lines: str) -> str:
    """Return pins with a hash each; what follows a `#` is the annotation of `# via`."""
    return "".join(
        f"{pin.strip()}{HASH}\n    # via {via.strip()}\n" if via else f"{pin}{HASH}\n"
        for pin, _, via in (line.partition("#") for line in lines)
    )


def judged(made: LockPlan, found: Lock | None) -> tuple[Doubt, ...]:
    return doubts(made, found, HOST)


def unsatisfied(made: LockPlan, text: str) -> list[tuple[str, str]]:
    found = judged(made, lock(text, made))
    assert {doubt.kind for doubt in found} <= {"lock-unsatisfied"}
    return [(doubt.expected, doubt.actual) for doubt in found]


def stale(now: LockPlan, before: LockPlan, text: str, omitted: tuple[str, ...] = ()) -> list[Doubt]:
    """Judge a lock that was made for the plan `before`."""
    found = judged(now, lock(text, before, omitted))
    assert {doubt.kind for doubt in found} <= {"lock-stale"}
    return list(found)


PYTEST = planned(wants("pytest>=8", line=7))
PINNED = hashed("pluggy==1.6.0 # pytest", "pytest==8.4.0 # test: pytest>=8")


# Fresh.


def test_a_lock_whose_digest_and_pins_answer_the_spec_is_fresh() -> None:
    assert judged(PYTEST, lock(PINNED, PYTEST)) == ()


def test_a_lock_that_others_made_is_fresh_when_its_pins_answer_the_spec() -> None:
    assert judged(PYTEST, lock(PINNED)) == ()


def test_a_pin_that_a_bot_changed_stays_fresh_while_it_satisfies() -> None:
    assert judged(PYTEST, lock(PINNED.replace("8.4.0", "8.4.1"), PYTEST)) == ()
    assert judged(PYTEST, lock(PINNED.replace("8.4.0", "9.0.0rc1"), PYTEST)) == ()


def test_no_lock_is_one_doubt() -> None:
    assert judged(PYTEST, None) == (Doubt(kind="lock-missing", expected="requirements/tests.txt"),)


# Satisfaction.


def test_an_unsatisfied_requirement_names_itself_its_place_and_its_pin() -> None:
    made = planned(wants("pytest>=9", "app", "test", line=7))
    assert judged(made, lock(PINNED, made)) == (
        Doubt(
            kind="lock-unsatisfied",
            package="pytest",
            expected="pytest>=9",
            actual="pytest==8.4.0",
            place="envs.yaml:7",
            lock_place="tests.txt:3",
            why=("app", "test"),
        ),
    )


def test_a_requirement_without_a_pin_is_unsatisfied() -> None:
    made = planned(wants("rich"))
    (doubt,) = judged(made, lock(PINNED, made))
    assert (doubt.package, doubt.expected, doubt.actual) == ("rich", "rich", "no pin")
    assert doubt.lock_place == "tests.txt"


def test_a_requirement_whose_marker_is_false_needs_no_pin() -> None:
    made = planned(wants('tomli; python_version < "3.11"'), wants('pywin32; sys_platform == "win32"'))
    assert unsatisfied(made, "") == []


def test_a_requirement_is_judged_at_every_python() -> None:
    made = planned(wants("pytest>=8"), pythons=("3.10", "3.11", "3.12"))
    text = hashed('pytest==8.4.0 ; python_full_version >= "3.11" # test: pytest>=8')
    assert unsatisfied(made, text) == [("pytest>=8", "no pin (python 3.10)")]
    two = text + hashed('pytest==7.0 ; python_full_version < "3.12" # test: pytest>=8')
    assert unsatisfied(made, two) == [
        ("pytest>=8", 'pytest==7.0 ; python_full_version < "3.12" (python 3.10)'),
        (
            "pytest>=8",
            'several pins: pytest==8.4.0 ; python_full_version >= "3.11", '
            'pytest==7.0 ; python_full_version < "3.12" (python 3.11)',
        ),
    ]


def test_only_the_points_asked_for_are_judged() -> None:
    made = planned(wants("pytest>=8"), pythons=("3.10", "3.12"))
    found = lock(hashed('pytest==8.4.0 ; python_version >= "3.12"'), made)
    assert doubts(made, found, HOST, points=made.points[1:]) == ()
    (doubt,) = doubts(made, found, HOST, points=made.points[:1])
    assert doubt.actual == "no pin"


def test_several_active_pins_are_unsatisfied_even_if_each_would_do() -> None:
    found = unsatisfied(PYTEST, hashed("pytest==8.4.0", "pytest==8.4.1"))
    assert found == [("pytest>=8", "several pins: pytest==8.4.0, pytest==8.4.1")]


@pytest.mark.parametrize(
    ("python", "marker"),
    [
        ("3.13t", 'python_version == "3.13"'),
        ("pypy3.11", 'python_version == "3.11" and implementation_name == "pypy"'),
        ("pypy3.11", 'platform_python_implementation == "PyPy" and python_full_version < "3.12"'),
        ("graalpy3.12", 'implementation_name == "graalpy"'),
        ("3.10", 'platform_python_implementation == "CPython" and extra != "x"'),
        (None, 'python_full_version == "3.12.1"'),
        ("pypy", 'python_version == "3.10" and sys_platform == "linux"'),
    ],
)
def test_markers_are_evaluated_for_the_python_of_the_point(python: str | None, marker: str) -> None:
    (made,) = plans([point("tests", python)], lambda _: composed(wants("a")))
    assert unsatisfied(made, hashed(f"a==1 ; {marker}")) == []


def test_a_marker_that_compares_nonsense_is_a_readable_error() -> None:
    with pytest.raises(NoxEnvsError, match='the marker \'"a" ~= "b"\' cannot be evaluated'):
        judged(planned(wants("a")), lock(hashed('a==1 ; "a" ~= "b"')))


@pytest.mark.parametrize(
    ("specifier", "version", "expected"),
    [
        ("", "1.0", True),
        ("==1.0", "1", True),
        ("==1.0", "1.0+cpu", True),
        ("==1.0+cpu", "1.0", False),
        ("==1.*", "1.7", True),
        ("===1.0", "1.0", True),
        ("==1.0,!=1.1", "1.0", True),
        (">=1", "2.0rc1", True),
        ("<2,>=1", "2.0", False),
        (">=1", "made-here", False),
        ("nonsense", "1.0", False),
    ],
)
def test_a_version_is_judged_by_the_specifier(specifier: str, version: str, expected: bool) -> None:
    assert satisfies(specifier, version) is expected


@pytest.mark.parametrize(
    ("requirement", "pin", "met"),
    [
        # the commit of a branch is not known offline
        (wants(f"a @ {GIT}/a.git@main"), f"a @ {GIT}/a@{COMMIT}", True),
        (wants(f"a @ {GIT}/a@{COMMIT}"), f"a @ {GIT}/a@{COMMIT}", True),
        (wants(f"a @ {GIT}/a@{COMMIT}"), f"a @ {GIT}/a@{OTHER_COMMIT}", False),
        (wants(f"a @ {GIT}/a"), f"a @ {GIT}/b@{COMMIT}", False),
        (wants(f"a @ {GIT}/a"), f"a==1{HASH}", False),
        (wants(f"{GIT}/a@main#egg=a", editable=True), f"a @ {GIT}/a@{COMMIT}", True),
        (wants("a @ https://files.example.org/a.zip"), f"a @ https://files.example.org/a.zip{HASH}", True),
        (wants("a @ https://files.example.org/a.zip"), f"a @ https://files.example.org/b.zip{HASH}", False),
        (wants(f"a @ https://files.example.org/a.zip#sha256={'0a' * 32}"),
         f"a @ https://files.example.org/a.zip#sha256={'0b' * 32}", False),
        (wants("https://files.example.org/a.zip"), f"a @ https://files.example.org/a.zip{HASH}", True),
        (wants("https://files.example.org/a.zip"), f"a @ https://files.example.org/b.zip{HASH}", False),
        (wants("./vendor/a", name="a"), "./vendor/a  # a", True),
        (wants("./vendor/a", name="a"), "-e ./vendor/a  # a", False),
        (wants("./vendor/a", name="a", editable=True), "-e ./vendor/a  # a", True),
        (wants("./vendor/a"), "./vendor/a  # a==1.0", True),
        (wants("./vendor/a"), "./vendor/b  # a==1.0", False),
        (wants("./vendor/a-1.0.tar.gz"), f"./vendor/a-1.0.tar.gz{HASH}  # a==1.0", True),
        (wants("a>=2"), "./vendor/a  # a", True),
        (wants("a>=2"), "./vendor/a  # a==1.0", False),
        (wants("a[cli]>=1"), f"a==1.0{HASH}", True),
    ],
)  # fmt: skip
def test_direct_references_and_paths_are_judged_by_what_they_name(
    requirement: Declared, pin: str, met: bool
) -> None:
    assert (unsatisfied(planned(requirement), f"{pin}\n") == []) is met


def test_a_constraint_of_the_spec_is_judged_where_its_package_is_pinned() -> None:
    made = planned(
        wants("pytest"),
        constraints=[
            wants("pluggy<1.6", "environment tests", line=4, origin="limits.txt"),
            wants("absent<1"),
            wants('pytest<1; sys_platform == "win32"'),
        ],
    )
    (doubt,) = judged(made, lock(PINNED, made))
    assert (doubt.kind, doubt.package, doubt.expected, doubt.actual, doubt.place) == (
        "lock-unsatisfied",
        "pluggy",
        "pluggy<1.6",
        "pluggy==1.6.0",
        "limits.txt:4",
    )


def test_a_constraint_does_not_judge_a_direct_reference() -> None:
    made = planned(wants("./a", name="a"), constraints=[wants("a<1")])
    assert unsatisfied(made, "./a  # a==2.0\n") == []


def test_a_pin_that_differs_from_the_lock_below_is_unsatisfied() -> None:
    made = planned(wants("pytest"), limits=(ConstraintLock(environment="prod", place=at(1)),))
    base = replace(
        lock(hashed("pluggy==1.5.0", 'pytest==7 ; sys_platform == "win32"', "pytest==8.4.0", "other==1")),
        origin="prod.txt",
    )
    assert doubts(made, lock(PINNED, made), HOST, layers=(base,)) == (
        Doubt(
            kind="lock-unsatisfied",
            package="pluggy",
            expected="pluggy==1.5.0 as in prod.txt",
            actual="pluggy==1.6.0",
            place="prod.txt:1",
            lock_place="tests.txt:1",
        ),
    )


# Hashes.


def test_a_pin_without_a_hash_is_told_where_it_is() -> None:
    text = PINNED + "\nb==1\nc @ https://files.example.org/c.zip\n"
    assert judged(PYTEST, lock(text, PYTEST)) == tuple(
        Doubt(
            kind="lock-unhashed",
            package=name,
            expected="a hash for every pin",
            actual=f"{pin} has none",
            lock_place=f"tests.txt:{line}",
        )
        for name, pin, line in (("b", "b==1", 6), ("c", "c @ https://files.example.org/c.zip", 7))
    )


def test_what_cannot_have_a_hash_needs_none() -> None:
    text = (
        f"b @ git+https://git.example.org/b@{COMMIT}\n./c  # c\n"
        f"d @ https://files.example.org/d.zip#sha256={'0a' * 32}\n"
    )
    assert judged(PYTEST, lock(PINNED + text, PYTEST)) == ()


# A digest that differs.


def test_a_requirement_that_changed_but_is_met_is_stale_and_satisfied() -> None:
    now = planned(wants("pytest>=8.1", line=7))
    assert stale(now, PYTEST, PINNED) == [
        Doubt(
            kind="lock-stale",
            package="pytest",
            expected="test: pytest>=8.1",
            actual="test: pytest>=8",
            place="envs.yaml:7",
            lock_place="tests.txt:3",
            why=("test",),
            satisfied=True,
        )
    ]


def test_a_new_requirement_that_is_pinned_already_is_stale_and_satisfied() -> None:
    now = planned(wants("pytest>=8"), wants("pluggy", line=8))
    (doubt,) = stale(now, PYTEST, PINNED)
    assert (doubt.expected, doubt.actual) == ("test: pluggy", "not recorded in the lock")
    assert (doubt.place, doubt.lock_place, doubt.satisfied) == ("envs.yaml:8", "tests.txt", True)


def test_a_requirement_that_changed_and_is_not_met_is_told_once() -> None:
    now = planned(wants("pytest>=9", line=7), wants("rich", line=7))
    found = judged(now, lock(PINNED, PYTEST))
    assert [(doubt.kind, doubt.package, doubt.satisfied) for doubt in found] == [
        ("lock-unsatisfied", "pytest", False),
        ("lock-unsatisfied", "rich", False),
    ]


def test_a_requirement_that_is_met_beside_one_that_is_not_makes_nothing_satisfied() -> None:
    now = planned(wants("pytest>=8.1", line=7), wants("rich", line=8))
    found = judged(now, lock(PINNED, PYTEST))
    assert [(doubt.kind, doubt.package, doubt.satisfied) for doubt in found] == [
        ("lock-unsatisfied", "rich", False),
        ("lock-stale", "pytest", False),
    ]


def test_a_removed_requirement_is_stale_and_not_satisfied() -> None:
    before = planned(wants("pytest>=8"), wants("rich"))
    text = PINNED + hashed("rich==14.0 # test: rich")
    assert stale(PYTEST, before, text) == [
        Doubt(
            kind="lock-stale",
            package="rich",
            expected="not required any more",
            actual="test: rich",
            lock_place="tests.txt:5",
        )
    ]


def test_a_removed_requirement_that_another_package_asks_for_is_satisfied() -> None:
    before = planned(wants("pytest>=8"), wants("pluggy>=1"))
    text = hashed("pytest==8.4.0 # test: pytest>=8") + f"pluggy==1.6.0{HASH}\n    # via\n    #   pytest\n"
    (doubt,) = stale(PYTEST, before, text + "    #   test: pluggy>=1\n")
    assert (doubt.package, doubt.actual, doubt.satisfied) == ("pluggy", "test: pluggy>=1", True)


def test_a_requirement_that_moved_to_another_set_is_satisfied() -> None:
    now = planned(wants("pytest>=8", "dev"), wants("pytest>=8.0", "other"))
    found = stale(now, PYTEST, PINNED)
    assert [(doubt.expected, doubt.actual, doubt.satisfied) for doubt in found] == [
        ("dev: pytest>=8", "not recorded in the lock", True),
        ("other: pytest>=8.0", "not recorded in the lock", True),
        ("not required any more", "test: pytest>=8", True),
    ]


def test_a_changed_url_is_not_satisfied_since_the_pin_cannot_tell() -> None:
    before = planned(wants("a @ git+https://git.example.org/a@main"))
    now = planned(wants("a @ git+https://git.example.org/a@dev"))
    text = f"a @ git+https://git.example.org/a@{COMMIT}\n    # via {via_entry(before.requirements[0])}\n"
    (doubt,) = stale(now, before, text)
    assert (doubt.actual, doubt.satisfied) == ("test: a @ git+https://git.example.org/a@main", False)


def test_a_python_that_was_added_is_stale_and_not_satisfied() -> None:
    now = planned(wants("pytest>=8"), pythons=("3.12", "3.13"))
    assert stale(now, PYTEST, PINNED) == [
        Doubt(
            kind="lock-stale",
            expected="python 3.12, 3.13",
            actual="locked for python 3.12",
            lock_place="tests.txt",
        )
    ]


def test_a_python_that_was_added_is_told_beside_a_requirement_that_changed() -> None:
    now = planned(wants("pytest>=8.1"), pythons=("3.12", "3.13"))
    assert [doubt.satisfied for doubt in stale(now, PYTEST, PINNED)] == [True, False]


def test_a_python_that_was_removed_is_stale_and_satisfied() -> None:
    before = planned(wants("pytest>=8"), pythons=("3.12", "3.13"))
    (doubt,) = stale(PYTEST, before, PINNED)
    assert (doubt.expected, doubt.actual) == ("python 3.12", "locked for python 3.12, 3.13")
    assert doubt.satisfied


def test_a_python_where_none_was_named_is_stale() -> None:
    before = planned(wants("pytest>=8"), pythons=(None,))
    (doubt,) = stale(PYTEST, before, PINNED)
    assert (doubt.actual, doubt.satisfied) == ("locked for python of nox", False)
    (doubt,) = stale(before, PYTEST, PINNED)
    assert (doubt.expected, doubt.satisfied) == ("python of nox", True)


def test_an_option_that_changed_is_stale_and_satisfied() -> None:
    now = planned(wants("pytest>=8"), prereleases=True)
    (doubt,) = stale(now, PYTEST, PINNED)
    assert (doubt.expected, doubt.actual) == ("allow_prereleases: true", "locked without")
    assert (doubt.place, doubt.satisfied) == ("envs.yaml:1", True)
    (doubt,) = stale(PYTEST, now, PINNED)
    assert (doubt.expected, doubt.actual) == ("allow_prereleases: not set", "locked with true")


NEVER = wants('tomli; python_version < "3.9"')


def test_a_requirement_that_the_resolver_dropped_is_recorded_in_the_header() -> None:
    made = planned(wants("pytest>=8"), NEVER, wants("b", "app"))
    assert unrecorded(made, lock(PINNED)) == ("app: b", 'test: tomli ; python_version < "3.9"')


def test_a_requirement_that_the_resolver_dropped_is_not_told_when_something_else_changed() -> None:
    before = planned(wants("pytest>=8"), NEVER)
    omitted = (via_entry(NEVER),)
    (doubt,) = stale(planned(wants("pytest>=8"), NEVER, prereleases=True), before, PINNED, omitted)
    assert doubt.expected == "allow_prereleases: true"
    (doubt,) = stale(planned(wants("pytest>=8.1"), NEVER), before, PINNED, omitted)
    assert doubt.expected == "test: pytest>=8.1"


def test_a_dropped_requirement_that_is_gone_leaves_the_lock_satisfied() -> None:
    (doubt,) = stale(PYTEST, planned(wants("pytest>=8"), NEVER), PINNED, (via_entry(NEVER),))
    assert (doubt.package, doubt.actual, doubt.satisfied) == ("", via_entry(NEVER), True)
    assert doubt.lock_place == "tests.txt"


# Names of what asks.


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        (("app",), "app"),
        (("dev", "test"), "test"),
        (("docs", "requirements/docs.in"), "docs (requirements/docs.in)"),
        (("docs", "requirements/docs.in", "requirements/base.in"), "docs (requirements/base.in)"),
        (("lint", "pyproject.toml [group lint]"), "lint (pyproject.toml [group lint])"),
        (("pyproject.toml",), "pyproject.toml"),
        (("environment tests",), "environment tests"),
    ],
)
def test_what_asks_is_the_innermost_set_and_file(why: tuple[str, ...], expected: str) -> None:
    assert via_label(wants("a", *why)) == expected


def test_a_requirement_of_no_set_is_named_by_its_file() -> None:
    assert via_entry(replace(wants("a>=1"), why=())) == "envs.yaml: a>=1"
