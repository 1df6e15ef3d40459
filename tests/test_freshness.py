"""Whether a lock still matches the spec: missing, stale, unsatisfied, unhashed."""

from __future__ import annotations

import pytest

from nox_envs.errors import NoxEnvsError
from nox_envs.findings import Finding
from nox_envs.lock.freshness import check_lock
from nox_envs.lock.pins import satisfies
from nox_envs.lock.plan import LockPlan, PlanInputs, header_of, plan_locks, via_entry
from nox_envs.lock.text import Lock, parse_lock, render_pylock
from nox_envs.requirements.text import Declared
from nox_envs.spec.types import LockOptions, Pairs
from nox_envs.values import replace
from tests.plans import HOST, below, composed, planned, point, wants

HASH = " --hash=sha256:" + "0a" * 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = "git+https://git.example.org"
FILES = "https://files.example.org"


def lock(text: str, made: LockPlan | None = None, origin: str = "tests.txt") -> Lock:
    """Read a lock that was generated for a plan; without one, a lock of another tool."""
    return replace(parse_lock(text, origin), header=header_of(made) if made else ())


def hashed(*lines: str) -> str:
    """Return pins with a hash each; what follows a `#` is the annotation of `# via`."""
    return "".join(
        f"{pin.strip()}{HASH}\n    # via\n    #   {via.strip()}\n" if via else f"{pin}{HASH}\n"
        for pin, _, via in (line.partition("#") for line in lines)
    )


def checked(made: LockPlan, found: Lock | None) -> tuple[Finding, ...]:
    return check_lock(made, found, host=HOST)


def unsatisfied(made: LockPlan, text: str) -> list[tuple[str, str]]:
    found = checked(made, lock(text, made))
    assert {one.kind for one in found} <= {"lock-unsatisfied"}
    return [(one.expected, one.actual) for one in found]


def stale(now: LockPlan, before: LockPlan, text: str) -> list[Finding]:
    """Check a lock that was made for the plan `before`."""
    found = checked(now, lock(text, before))
    assert {one.kind for one in found} <= {"lock-stale"}
    return list(found)


PYTEST = planned(wants("pytest>=8", line=7))
PINNED = hashed("pluggy==1.6.0 # pytest", "pytest==8.4.0 # test: pytest>=8")


# Fresh.


def test_a_lock_whose_digest_and_pins_match_the_spec_is_fresh_also_after_a_bot_changed_a_pin() -> None:
    assert checked(PYTEST, lock(PINNED)) == ()
    for version in ("8.4.0", "8.4.1", "9.0.0rc1"):
        assert checked(PYTEST, lock(PINNED.replace("8.4.0", version), PYTEST)) == ()


def test_no_lock_is_one_finding_with_the_command_that_makes_it() -> None:
    (made,) = plan_locks([point("a $(b)")], PlanInputs(compose=lambda _: composed(wants("a"))))
    (one,) = checked(made, None)
    assert (one.kind, one.severity, one.session) == ("lock-missing", "error", "a $(b)")
    assert (one.expected, one.actual) == ("requirements/a-b-.txt", "no such file")
    assert one.fix == "nox -s lock -- 'a $(b)'"


# Satisfaction.


def test_an_unsatisfied_requirement_names_itself_its_place_and_its_pin() -> None:
    made = planned(wants("pytest>=9", "app", "test", line=7))
    (one,) = checked(made, lock(PINNED, made))
    assert (one.kind, one.severity, one.package) == ("lock-unsatisfied", "error", "pytest")
    assert (one.environment, one.session, one.fix) == ("tests", "tests-3.12", "nox -s lock -- tests")
    assert (one.expected, one.actual) == ("pytest>=9", "pytest==8.4.0 (tests.txt:4)")
    assert (one.line, one.why) == ("envs.yaml:7", ("app", "test"))
    assert unsatisfied(planned(wants("rich")), PINNED) == [("rich", "no pin in tests.txt")]


def test_a_requirement_whose_marker_is_false_needs_no_pin() -> None:
    made = planned(wants('tomli; python_version < "3.11"'), wants('pywin32; sys_platform == "win32"'))
    assert unsatisfied(made, "") == []


def test_a_requirement_is_checked_at_every_python_and_the_finding_names_the_session() -> None:
    made = planned(wants("pytest>=8"), pythons=("3.10", "3.11", "3.12"))
    text = hashed('pytest==8.4.0 ; python_full_version >= "3.11" # test: pytest>=8')
    assert unsatisfied(made, text) == [("pytest>=8", "no pin in tests.txt (python 3.10)")]
    two = text + hashed('pytest==7.0 ; python_full_version < "3.12" # test: pytest>=8')
    found = checked(made, lock(two, made))
    assert [(one.session, one.expected, one.actual.partition("(")[0]) for one in found] == [
        ("tests-3.10", "pytest>=8", 'pytest==7.0 ; python_full_version < "3.12" '),
        ("tests-3.11", "one pin", 'pytest==8.4.0 ; python_full_version >= "3.11" '),
    ]


def test_a_marker_that_holds_from_a_patch_version_on_needs_its_pin() -> None:
    made = planned(wants('a; python_full_version >= "3.11.4"'), pythons=("3.11",))
    assert unsatisfied(made, "") == [
        ('a ; python_full_version >= "3.11.4"', "no pin in tests.txt (python 3.11)")
    ]
    assert unsatisfied(made, hashed('a==1 ; python_full_version >= "3.11.4"')) == []
    between = 'python_full_version >= "3.11.4" and python_full_version < "3.11.8"'
    made = planned(wants(f"a; {between}"), pythons=("3.11",))
    assert len(unsatisfied(made, hashed("b==1"))) == 1
    assert unsatisfied(made, hashed(f"a==1 ; {between}")) == []


@pytest.mark.parametrize(("patch", "found"), [("3", 0), ("7", 1), ("4rc1", 0)])
def test_a_point_with_a_known_interpreter_is_asked_about_with_it(patch: str, found: int) -> None:
    made = planned(wants('a; python_full_version >= "3.11.4"'), pythons=("3.11",))
    there = lock(hashed("b==1"), made)
    assert len(check_lock(made, there, host=HOST, points=made.points, patch=patch)) == found


def test_every_listed_platform_is_checked_on_any_machine_and_a_session_only_its_own() -> None:
    made = planned(wants('pywin32; sys_platform == "win32"'), platforms=("linux", "windows"))
    (one,) = checked(made, lock("", made))
    assert one.actual == "no pin in tests.txt (python 3.12 on windows)"
    assert check_lock(made, lock("", made), host=HOST, points=made.points) == ()


def test_only_the_points_asked_for_are_checked() -> None:
    made = planned(wants("pytest>=8"), pythons=("3.10", "3.12"))
    found = lock(hashed('pytest==8.4.0 ; python_version >= "3.12"'), made)
    assert check_lock(made, found, host=HOST, points=made.points[1:]) == ()
    (one,) = check_lock(made, found, host=HOST, points=made.points[:1])
    assert one.actual == "no pin in tests.txt"


def test_several_active_pins_are_unsatisfied_even_if_each_would_do() -> None:
    found = unsatisfied(PYTEST, hashed("pytest==8.4.0", "pytest==8.4.1"))
    assert found == [("one pin", "pytest==8.4.0 (tests.txt:1) and pytest==8.4.1 (tests.txt:2)")]


def test_a_requirement_with_a_marker_that_compares_nonsense_is_an_error_in_words() -> None:
    made = planned(replace(wants("a"), marker='"a" ~= "b"'))
    with pytest.raises(NoxEnvsError, match="cannot be evaluated"):
        checked(made, lock("", made))


def test_a_version_is_compared_with_its_specifier() -> None:
    met = ((">=1", "2.0rc1"), ("==1.0", "1.0+cpu"), ("===1.0", "1.0"), ("", "made-here"))
    assert all(satisfies(specifier, version) for specifier, version in met)
    unmet = (("==1.0+cpu", "1.0"), ("<2,>=1", "2.0"), (">=1", "made-here"), (f">={'9' * 5000}", "1"))
    assert not any(satisfies(specifier, version) for specifier, version in unmet)


@pytest.mark.parametrize(
    ("requirement", "pin", "met"),
    [
        # the commit of a branch is not known offline
        (wants(f"a @ {GIT}/a.git@main"), f"a @ {GIT}/a@{COMMIT}", True),
        (wants(f"a @ {GIT}/a@{COMMIT}"), f"a @ {GIT}/a@{COMMIT[::-1]}", False),
        (wants(f"a @ {GIT}/a"), f"a @ {GIT}/b@{COMMIT}", False),
        (wants(f"a @ {GIT}/a"), f"a==1{HASH}", False),
        (wants(f"-e {GIT}/a@main#egg=a"), f"a @ {GIT}/a@{COMMIT}", True),
        (wants(f"a @ {FILES}/a.zip"), f"a @ {FILES}/b.zip{HASH}", False),
        (wants(f"a @ {FILES}/a.zip#sha256={'0a' * 32}"), f"a @ {FILES}/a.zip#sha256={'0b' * 32}", False),
        (wants(f"{FILES}/a.zip"), f"a @ {FILES}/a.zip{HASH}", True),
        (wants(f"{FILES}/a.zip"), f"a @ {FILES}/b.zip{HASH}", False),
        (wants("./vendor/a", name="a"), "./vendor/a  # a", True),
        (wants("./vendor/a", name="a"), "-e ./vendor/a  # a", False),
        (wants("-e ./vendor/a", name="a"), "-e ./vendor/a  # a", True),
        (wants("./vendor/a"), "./vendor/a  # a==1.0", True),
        (wants("./vendor/a"), "./vendor/b  # a==1.0", False),
        (wants("./vendor/a-1.0.tar.gz"), f"./vendor/a-1.0.tar.gz{HASH}  # a==1.0", True),
        (wants("a>=2"), "./vendor/a  # a", True),
        (wants("a>=2"), "./vendor/a  # a==1.0", False),
        (wants("a[cli]>=1"), f"a==1.0{HASH}", True),
    ],
)  # fmt: skip
def test_direct_references_and_paths_are_compared_by_what_they_name(
    requirement: Declared, pin: str, met: bool
) -> None:
    assert (unsatisfied(planned(requirement), f"{pin}\n") == []) is met


def test_a_hash_that_a_requirement_does_not_have_is_unsatisfied() -> None:
    made = planned(wants("a==1", hashes=("sha256:" + "0a" * 32, "sha256:" + "0c" * 32)))
    assert unsatisfied(made, hashed("a==1")) == []
    assert unsatisfied(made, hashed("a==1").replace("0a", "0b")) == [
        ("a==1 with the hashes given there", "a==1 (tests.txt:1)")
    ]


def test_a_constraint_is_checked_where_its_package_is_pinned_from_an_index() -> None:
    limits = [
        wants("pluggy<1.6", "environment tests", line=4, origin="limits.txt"),
        wants("absent<1"),
        wants('pytest<1; sys_platform == "win32"'),
        wants("folder<1"),
    ]
    made = planned(wants("pytest"), constraints=limits)
    (one,) = checked(made, lock(f"{PINNED}./folder  # folder==2.0\n", made))
    assert (one.kind, one.package, one.expected, one.actual, one.line) == (
        "lock-unsatisfied", "pluggy", "pluggy<1.6", "pluggy==1.6.0 (tests.txt:1)", "limits.txt:4",
    )  # fmt: skip


# Hashes and leaks.


def test_a_pin_without_a_hash_and_a_leak_are_told_where_they_are() -> None:
    fine = f"b @ {GIT}/b@{COMMIT}\n./c  # c\nd @ {FILES}/d.zip#sha256={'0a' * 32}\n"  # none is possible
    found = lock(f"{PINNED}{fine}e==1\nf @ {FILES}/f.zip\n", PYTEST)
    found = replace(found, leaks=(("credentials in a URL", "tests.txt:3"),))
    assert [(one.kind, one.package, one.actual, one.line) for one in checked(PYTEST, found)] == [
        ("leak", "", "credentials in a URL", "tests.txt:3"),
        ("lock-unhashed", "e", "e==1 has none", "tests.txt:10"),
        ("lock-unhashed", "f", f"f @ {FILES}/f.zip has none", "tests.txt:11"),
    ]


# A digest that differs.


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (wants("pytest>=8.1", line=7), ("pytest", "test: pytest>=8.1", "test: pytest>=8", "envs.yaml:7")),
        (wants("pluggy", line=8), ("pluggy", "test: pluggy", "not recorded in tests.txt", "envs.yaml:8")),
    ],
)
def test_a_requirement_that_changed_or_is_new_but_is_met_is_a_warning(
    now: Declared, told: tuple[str, ...]
) -> None:
    kept = [wants("pytest>=8")] if now.name != "pytest" else []
    (one,) = stale(planned(*kept, now), PYTEST, PINNED)
    assert (one.package, one.expected, one.actual, one.line) == told
    assert (one.severity, one.why, one.fix) == ("warning", ("test",), "nox -s lock -- tests")


def test_a_requirement_that_changed_and_is_not_met_is_told_once() -> None:
    now = planned(wants("pytest>=9", line=7), wants("rich", line=7), wants("pluggy", line=8))
    found = checked(now, lock(PINNED, PYTEST))
    assert [(one.kind, one.package, one.severity) for one in found] == [
        ("lock-unsatisfied", "pytest", "error"),
        ("lock-unsatisfied", "rich", "error"),
        ("lock-stale", "pluggy", "warning"),
    ]


@pytest.mark.parametrize(
    ("before", "now", "severity"),
    [
        (wants("requests>=2"), wants("requests[socks]>=2"), "error"),
        (wants("requests[socks]>=2"), wants("requests[socks]>=2.1"), "warning"),
        (wants("requests[a,b]"), wants("requests[a]", "other"), "error"),
        (wants("./lib", name="requests"), wants("./lib[x]", name="requests"), "error"),
        (wants("requests"), wants('requests; python_full_version >= "3.12.4"'), "error"),
        (wants('requests; os_name == "posix"'), wants("requests"), "error"),
        (wants(f"requests @ {GIT}/r@main"), wants(f"requests @ {GIT}/r@dev"), "error"),
        (wants("requests", "own", "pyproject.toml"), wants("requests>=2", "own", "pyproject.toml"), "error"),
    ],
)
def test_what_the_pins_cannot_tell_is_an_error(before: Declared, now: Declared, severity: str) -> None:
    """An extra, a marker, a branch: the pins meet the requirement, and yet a new lock can differ."""
    pin = f"requests @ {GIT}/r@{COMMIT}" if before.url else f"requests==2.31{HASH}"
    pin = "./lib  # requests" if before.path else pin
    found = stale(planned(now), planned(before), f"{pin}\n    # via\n    #   {via_entry(before)}\n")
    assert found[0].severity == severity


def test_other_hashes_in_a_requirement_are_an_error() -> None:
    hashes = ("sha256:" + "0a" * 32,)
    before, now = planned(wants("a==1")), planned(wants("a==1", line=4, hashes=hashes))
    (one,) = stale(now, before, hashed("a==1 # test: a==1"))
    assert (one.expected.partition(":")[0], one.actual) == ("hashes of requirements", "locked with nothing")
    assert one.severity == "error"


@pytest.mark.parametrize(
    ("pin", "severity"),
    [
        (hashed("rich==14.0 # test: rich"), "error"),
        (hashed("rich==14.0 # pytest") + "    #   test: rich\n", "warning"),
    ],
)
def test_a_removed_requirement_is_an_error_unless_another_package_asks_for_its_pin(
    pin: str, severity: str
) -> None:
    (one,) = stale(PYTEST, planned(wants("pytest>=8"), wants("rich")), PINNED + pin)
    assert (one.package, one.expected, one.actual) == ("rich", "no longer required", "test: rich")
    assert (one.line, one.severity) == ("tests.txt:7", severity)


def test_a_requirement_that_moved_to_another_set_is_a_warning() -> None:
    now = planned(wants("pytest>=8", "dev"), wants("pytest>=8.0", "other"))
    assert [(one.expected, one.actual, one.severity) for one in stale(now, PYTEST, PINNED)] == [
        ("dev: pytest>=8", "test: pytest>=8", "warning"),
        ("other: pytest>=8.0", "test: pytest>=8", "warning"),
    ]


LIMITED = planned(wants("pytest>=8"), constraints=[wants("pluggy<2", line=3, origin="limits.txt")])


def related(name: str, content: str) -> LockPlan:
    return planned(wants("pytest>=8"), related=((name, content),))


def open_from(lowest: str) -> LockPlan:
    return planned(wants("pytest>=8"), pythons=(None,), requires_python=lowest)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (PYTEST, planned(wants("pytest>=8"), pythons=("3.12", "3.13")),
         ("python: 3.12, 3.13", "locked with 3.12", "envs.yaml:1", "error")),
        (planned(wants("pytest>=8"), pythons=("3.12", "3.13")), PYTEST,
         ("python: 3.12", "locked with 3.12, 3.13", "envs.yaml:1", "error")),
        (PYTEST, open_from("3.10"), ("python: not set", "locked with 3.12", "envs.yaml:1", "error")),
        (PYTEST, planned(wants("pytest>=8"), platforms=("linux",)),
         ("platforms: linux", "locked with nothing", "envs.yaml:1", "error")),
        (planned(wants("pytest>=8"), platforms=("linux",)), PYTEST,
         ("platforms: not set", "locked with linux", "envs.yaml:1", "error")),
        (PYTEST, planned(wants("pytest>=8"), prereleases=True),
         ("allow_prereleases: true", "locked with nothing", "envs.yaml:1", "warning")),
        (planned(wants("pytest>=8"), prereleases=True), PYTEST,
         ("allow_prereleases: not set", "locked with true", "envs.yaml:1", "warning")),
        (PYTEST, LIMITED,
         ("constraints of limits.txt: d57a6b18c815", "locked with nothing", "limits.txt:3", "warning")),
        (open_from("3.11"), open_from("3.9"),
         ("requires-python: >=3.9", "locked with >=3.11", "envs.yaml:1", "error")),
        (open_from("3.10"), open_from("3.11"),
         ("requires-python: >=3.11", "locked with >=3.10", "envs.yaml:1", "error")),
        (related("./lib/pyproject.toml", "sha256:1"), related("./lib/pyproject.toml", "sha256:2"),
         ("what ./lib/ requires now",
          "locked before pyproject.toml, setup.py, setup.cfg or a file that they name changed",
          "envs.yaml:1", "error")),
    ],
)  # fmt: skip
def test_what_else_changed_is_told_with_both_values_and_its_place(
    before: LockPlan, now: LockPlan, told: tuple[str, ...]
) -> None:
    (one,) = stale(now, before, PINNED)
    assert (one.expected, one.actual, one.line, one.severity) == told


def test_an_edited_header_is_a_warning() -> None:
    found = replace(lock(PINNED), header=tuple((dict(header_of(PYTEST)) | {"input": "sha256:0"}).items()))
    (one,) = checked(PYTEST, found)
    assert (one.kind, one.severity) == ("lock-stale", "warning")
    assert "another version of nox-envs" in one.actual


def test_a_requirement_whose_marker_never_holds_is_not_new() -> None:
    never = wants('tomli; python_version < "3.9"')
    (one,) = stale(
        planned(wants("pytest>=8"), never, prereleases=True), planned(wants("pytest>=8"), never), PINNED
    )
    assert one.expected == "allow_prereleases: true"


def test_an_annotation_that_somebody_edited_is_a_requirement_that_changed() -> None:
    text = hashed("pluggy==1.6.0 # pytest", "pytest==8.4.0 # test: pytest>>8")
    found = stale(planned(wants("pytest>=8"), prereleases=True), PYTEST, text)
    assert [one.actual for one in found] == ["test: pytest>>8", "locked with nothing"]


# Layers.

PROD: Pairs = (("prod.txt", "sha256:1"),)


def test_a_pin_that_differs_from_the_lock_below_is_unsatisfied() -> None:
    made = planned(wants("pytest"), limits=(below("prod"),), related=PROD)
    pins = hashed("pluggy[x]==1.5.0", 'pytest==7 ; sys_platform == "win32"', "other==1")
    base = lock(f"{pins}./folder  # pytest\n", origin="prod.txt")
    (one,) = check_lock(made, lock(PINNED, made), host=HOST, layers=(base,))
    assert (one.kind, one.package, one.line) == ("lock-unsatisfied", "pluggy", "prod.txt:1")
    assert (one.expected, one.actual) == ("pluggy==1.5.0", "pluggy==1.6.0 (tests.txt:1)")


@pytest.mark.parametrize(("pin", "severity"), [("pluggy==1.5.0", "error"), ("other==1", "warning")])
def test_a_change_of_the_lock_below_is_one_finding_with_its_cause(pin: str, severity: str) -> None:
    before = planned(wants("pytest>=8"), limits=(below("prod"),), related=PROD)
    now = replace(before, related=(("prod.txt", "sha256:2"),))
    base = lock(hashed(pin, *(f"more-{n}==1" for n in range(50))), origin="prod.txt")
    text = PINNED + hashed(*(f"more-{n}==2" for n in range(50 if severity == "error" else 0)))
    (one,) = check_lock(now, lock(text, before), host=HOST, layers=(base,))
    assert (one.kind, one.expected, one.actual) == ("lock-stale", "prod.txt: 2", "locked with 1")
    assert (one.line, one.severity) == ("prod.txt", severity)


def test_a_change_of_a_lock_that_is_read_as_requirements_is_one_finding_too() -> None:
    def on_top(version: int, content: str) -> LockPlan:
        read = (
            wants(f"dep-{n}=={version}", "dev", "base.txt", origin="base.txt", line=n) for n in range(1, 50)
        )
        return planned(wants("pytest>=8"), *read, related=(("base.txt", content),))

    before = on_top(1, "sha256:1")
    text = PINNED + hashed(*(f"dep-{n}==1 # dev (base.txt): dep-{n}==1" for n in range(1, 50)))
    assert checked(before, lock(text, before)) == ()
    (one,) = checked(on_top(2, "sha256:2"), lock(text, before))
    assert (one.kind, one.expected, one.line) == ("lock-stale", "base.txt: 2", "base.txt")
    assert one.severity == "error"


# `nox -P`.


@pytest.mark.parametrize(
    ("pythons", "forced", "covered"),
    [
        (("3.12", "3.13"), "3.10", False),
        (("3.12",), "pypy3.12", False),
        (("3.13",), "3.13t", True),
        (("3.12",), "3.12.4", True),
        ((None,), "3.9", False),
        ((None,), "3.14", True),
    ],
)
def test_a_python_that_is_forced_needs_a_lock_for_it(
    pythons: tuple[str | None, ...], forced: str, covered: bool
) -> None:
    made = planned(wants("pytest>=8"), pythons=pythons)
    found = check_lock(made, lock(PINNED, made), host=HOST, points=(point("tests", forced, line=5),))
    assert [(one.session, one.expected, one.line, one.fix) for one in found] == ([] if covered else [(
        f"tests-{forced}", f"python {forced}", "envs.yaml:5",
        f'add "{forced}" to python of tests, then nox -s lock -- tests',
    )])  # fmt: skip


# The exported pylock.


def test_the_pylock_beside_a_lock_has_the_same_pins() -> None:
    made = planned(wants("pytest>=8"), lock=LockOptions(format="both"))
    found = lock(PINNED, made)
    same = render_pylock(found, "packages = []")
    assert check_lock(made, found, host=HOST, pylock=same) == ()
    (one,) = check_lock(made, found, host=HOST)
    assert (one.kind, one.expected) == ("lock-missing", "pylock.tests.toml")
    (one,) = check_lock(made, lock(PINNED.replace("8.4.0", "8.4.1"), made), host=HOST, pylock=same)
    assert (one.kind, one.expected, one.line) == ("lock-stale", "the pins of tests.txt", "pylock.tests.toml")
