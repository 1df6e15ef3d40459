"""What is installed, compared with what is expected, and the findings of a whole check of a venv."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError, Place
from nox_envs.findings import KINDS, DriftOptions, Finding
from nox_envs.lock.pins import INDEX, Pin, Source, host_markers
from nox_envs.lock.plan import LockPlan
from nox_envs.lock.text import Lock
from nox_envs.spec.types import LockOptions, Point
from nox_envs.values import replace
from nox_envs.venv.compare import (
    Checked,
    Expectation,
    Own,
    absolute_pins,
    compare,
    hashes_digest,
    named,
)
from nox_envs.venv.receipt import Receipt, Recorded
from nox_envs.venv.snapshot import Distribution, Interpreter, Snapshot, record_digest, take
from nox_envs.verify import check_venv
from tests.conftest import BareVenv
from tests.plans import wants

CPYTHON = Interpreter(version="3.12.1", implementation="cpython")
PROJECT = Path("/project").absolute()
URL = PROJECT.as_uri()
WHEELS = "/state/wheels"


def dist(
    name: str, version: str = "1.0", source: Source = INDEX, *, path: str = "", defect: str = ""
) -> Distribution:
    path = path or f"/site/{name}-{version}.dist-info"
    return Distribution(name=name, version=version, path=path, source=source, defect=defect)


def pin(
    name: str, version: str = "1.0", source: Source = INDEX, *, marker: str = "", hashes: tuple[str, ...] = ()
) -> Pin:
    return Pin(name=name, version=version, source=source, marker=marker, hashes=hashes)


def receipt(*recorded: Recorded, interpreter: Interpreter = CPYTHON) -> Receipt:
    return Receipt(
        lock="", interpreter=interpreter, distributions=recorded, location=os.path.realpath("/venv")
    )


def snapshot(*found: Distribution, interpreter: Interpreter = CPYTHON, **others: object) -> Snapshot:
    return Snapshot(location="/venv", interpreter=interpreter, distributions=found, **others)  # type: ignore[arg-type]


Brief = list[tuple[str, str, str, str, str]]


def brief(found: tuple[Finding, ...]) -> Brief:
    return [(f.kind, f.severity, f.package, f.expected, f.actual) for f in found]


def findings(expectation: Expectation, installed: Snapshot) -> Brief:
    """Compare, with paths in pins relative to the project."""
    own = named(expectation.own, installed)
    pins = absolute_pins(expectation.pins, PROJECT, own)
    return brief(compare(replace(expectation, pins=pins, own=own), installed))


# Packages.

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,3})?", fullmatch=True)
AT = "https://e.org/a.whl"
ARCHIVE = Source(kind="archive", url=AT, hashes=("sha256:1",))
COMMIT, OTHER = "a" * 40, "b" * 40


def git(revision: str) -> Source:
    return Source(kind="vcs", url="git+https://e.org/r", revision=revision)


def local(url: str, *, editable: bool = False) -> Source:
    return Source(kind="directory", url=url, editable=editable)


SOURCES = st.sampled_from([INDEX, git(COMMIT), ARCHIVE, local("file:///a"), local(URL, editable=True)])
DISTRIBUTIONS = st.lists(
    st.builds(dist, NAMES, st.sampled_from(["1.0", "2.0rc1", "3", "odd"]), SOURCES),
    unique_by=lambda found: found.name,
    max_size=8,
).map(tuple)


@given(DISTRIBUTIONS, DISTRIBUTIONS)
def test_only_what_is_not_as_expected_is_found(
    wanted: tuple[Distribution, ...], found: tuple[Distribution, ...]
) -> None:
    pins = tuple(pin(d.name, d.version, d.source) for d in wanted)
    expectation = Expectation(pins=pins, python="3.12", receipt=receipt())
    assert findings(expectation, snapshot(*wanted)) == []
    assert {kind for kind, *_ in findings(expectation, snapshot(*found))} <= KINDS.keys()


@pytest.mark.parametrize(
    ("wanted", "found", "expected"), [
        (pin("a", "1.0"), dist("a", "1.0.0"), []),
        (pin("a", "1.0"), dist("a", "0.9"), [("version", "error", "1.0", "0.9")]),
        (pin("a", "2.9"), dist("a", "2.9+cu126"), [("version", "note", "2.9", "2.9+cu126")]),
        (pin("a", "2.9+cpu"), dist("a", "2.9+cu126"), [("version", "error", "2.9+cpu", "2.9+cu126")]),
        (pin("a"), dist("a", "1.0", ARCHIVE), [("source", "error", "1.0", f"1.0 ({AT}#sha256=1)")]),
        (pin("a"), dist("a", "2.0", local("file:///a", editable=True)), [("source", "error", "1.0",
         "2.0 (-e file:///a)")]),
        (pin("a", "", git(COMMIT)), dist("a", "1.0", git(OTHER)), [("source", "error",
         f"git+https://e.org/r@{COMMIT}", f"1.0 (git+https://e.org/r@{OTHER})")]),
        (pin("a", "", git(COMMIT)), dist("a", "1.0", git(COMMIT)), []),
        (pin("a", "", git("main")), dist("a", "1.0", git(COMMIT)), [("unverifiable", "note",
         "git+https://e.org/r@main", f"1.0 (git+https://e.org/r@{COMMIT})")]),
        (pin("a", "", replace(ARCHIVE, hashes=()), hashes=("sha256:1", "sha256:2")), dist("a", "1.0",
         replace(ARCHIVE, hashes=("sha256:3",))), [("artifact", "error", f"{AT}#sha256=1",
         f"1.0 ({AT}#sha256=3)")]),
        (pin("a", "2.0", ARCHIVE), dist("a", "1.0", replace(ARCHIVE, hashes=())), [("unverifiable", "note",
         f"2.0 ({AT}#sha256=1)", f"1.0 ({AT})"), ("version", "error", "2.0", "1.0")]),
        (pin("a", "1.0", local("./libs/a", editable=True)), dist("a", "0.9", local(f"{URL}/libs/a",
         editable=True)), [("version", "note", "1.0", "0.9")]),
        (pin("a", "", local("../a b")), dist("a", "0.9", local(f"{PROJECT.parent.as_uri()}a%20b")), []),
        (pin("a", "", local("./a")), dist("a"), [("source", "error", f"{URL}/a", "1.0")]),
    ],
)  # fmt: skip
def test_a_package_differs_from_its_pin_in_one_way(
    wanted: Pin, found: Distribution, expected: list[tuple[str, str, str, str]]
) -> None:
    told = findings(Expectation(pins=(wanted,)), snapshot(found))
    assert [(kind, severity, *rest) for kind, severity, _, *rest in told] == expected


def test_what_is_missing_additional_or_there_twice_is_told_once() -> None:
    inactive = tuple(pin("berry", marker=text) for text in ('python_version < "3"', 'os_name == "nt"'))
    expectation = Expectation(pins=(pin("apple"), pin("pear")), inactive=inactive)
    installed = snapshot(dist("apple", "1.0"), dist("apple", "1.1"), dist("berry"), dist("six", "1.17"))
    nowhere = 'nothing here (only where os_name == "nt" or python_version < "3")'
    assert findings(expectation, installed) == [
        ("missing", "error", "pear", "1.0", ""),
        ("duplicate", "error", "apple", "1.0", "1.0 (apple-1.0.dist-info), 1.1 (apple-1.1.dist-info)"),
        ("extraneous", "error", "berry", nowhere, "1.0"),
        ("extraneous", "error", "six", "", "1.17"),
    ]


def test_of_two_active_pins_of_one_name_either_will_do() -> None:
    expectation = Expectation(pins=(pin("apple", "1.0"), pin("apple", "2.0")))
    assert findings(expectation, snapshot(dist("apple", "2.0"))) == []
    (other,) = findings(expectation, snapshot(dist("apple", "3.0")))
    assert other == ("version", "error", "apple", "1.0", "3.0")


def test_defects_and_leftovers_are_warnings_with_their_paths() -> None:
    installed = snapshot(dist("pear", defect="METADATA is missing"), leftovers=("/site/~pple",))
    found = compare(Expectation(pins=(pin("pear"),)), installed)
    assert [(one.kind, one.severity, one.actual, one.path) for one in found] == [
        ("broken-metadata", "warning", "METADATA is missing", "/site/pear-1.0.dist-info"),
        ("leftover", "warning", "~pple", "/site/~pple"),
    ]


# Seed packages.


@pytest.mark.parametrize("name", ["pip", "setuptools", "wheel", "distribute"])
def test_a_seed_package_is_exempt_only_in_the_version_that_came_with_the_venv(name: str) -> None:
    same, other = snapshot(dist(name, "1.0")), snapshot(dist(name, "99.0"))
    assert findings(Expectation(pins=()), same) == [("extraneous", "error", name, "", "1.0")]
    came = Expectation(pins=(), receipt=receipt(Recorded(name=name, version="1.0", seed=True)))
    assert findings(came, same) == findings(came, snapshot()) == []
    told = ("extraneous", "error", name, "1.0, which came with the venv", "99.0")
    assert findings(came, other) == [told]
    pinned = replace(came, pins=(pin(name, "2.0"),))
    assert findings(pinned, same) == [("version", "error", name, "2.0", "1.0")]
    damaged = snapshot(dist(name, defect="METADATA is missing"))
    assert findings(came, damaged)[0][0] == "broken-metadata"


def test_a_receipt_does_not_make_a_seed_of_any_package() -> None:
    expectation = Expectation(pins=(), receipt=receipt(Recorded(name="apple", version="1.0", seed=True)))
    assert [kind for kind, *_ in findings(expectation, snapshot(dist("apple")))] == ["extraneous"]


# Artifacts.


def test_another_record_or_other_hashes_in_the_lock_mean_another_artifact(bare_venv: BareVenv) -> None:
    record = bare_venv.add("apple", "1.0", record="apple.py,,\n") / "RECORD"
    installed = replace(take(bare_venv.location), location="/venv", interpreter=CPYTHON)
    wanted = pin("apple", hashes=("sha256:2", "sha256:1"))
    digest = record_digest(installed.distributions[0])
    recorded = Recorded(name="apple", version="1.0", record=digest, hashes=hashes_digest(wanted))
    expectation = Expectation(pins=(wanted,), receipt=receipt(recorded))
    for hashes in (("sha256:2", "sha256:1"), ("sha256:1", "sha256:2"), ()):
        assert findings(replace(expectation, pins=(replace(wanted, hashes=hashes),)), installed) == []
    told = ("one with a hash of the lock", "one that was installed for other hashes")
    others = replace(expectation, pins=(replace(wanted, hashes=("sha256:3",)),))
    assert findings(others, installed) == [("artifact", "error", "apple", *told)]
    another = ("artifact", "error", "apple", "the artifact that was installed", "another one of version 1.0")
    record.write_text("apple.py,,\nother.py,,\n")
    assert findings(expectation, installed) == [another]
    record.unlink()
    missing = ("broken-metadata", "warning", "apple", "", "RECORD is missing")
    assert findings(expectation, installed) == [missing]
    record.mkdir()
    assert findings(expectation, installed) == [(*another[:4], f"{another[4]}, whose RECORD cannot be read")]


def test_a_folder_whose_metadata_changed_is_installed_again() -> None:
    known = receipt(Recorded(name="lib", version="1.0", folder="old"))
    prints = {f"{PROJECT}/lib": "old"}
    expectation = Expectation(
        pins=(pin("lib", "", local("./lib")),), receipt=known, fingerprint=prints.__getitem__
    )
    installed = snapshot(dist("lib", "1.0", local(f"{URL}/lib")))
    assert findings(expectation, installed) == []
    prints[f"{PROJECT}/lib"] = "new"
    told = (f"{PROJECT}/lib as it is now", "installed before its metadata changed")
    assert findings(expectation, installed) == [("artifact", "error", "lib", *told)]


# The project itself.


@pytest.mark.parametrize(
    ("mode", "source", "expected"), [
        ("editable", local(URL, editable=True), []),
        ("editable", local(f"{URL}/../project", editable=True), []),
        ("wheel", Source(kind="archive", url=f"file://{WHEELS}/own-1.0-py3-none-any.whl"), []),
        ("editable", local(URL), [("source", f"-e {URL}", f"1.0 ({URL})")]),
        ("editable", local("file:///other", editable=True), [("source", f"-e {URL}",
         "1.0 (-e file:///other)")]),
        ("editable", INDEX, [("source", f"-e {URL}", "1.0")]),
        ("wheel", local(URL, editable=True), [("source", f"a wheel of {URL}", f"1.0 (-e {URL})")]),
        ("wheel", Source(kind="archive", url="file:///elsewhere/own.whl"), [("source",
         f"a wheel of {URL}", "1.0 (file:///elsewhere/own.whl)")]),
        ("wheel", Source(kind="archive", url=f"file://{WHEELS}/../x/own.whl"), [("source",
         f"a wheel of {URL}", f"1.0 (file://{WHEELS}/../x/own.whl)")]),
    ],
)  # fmt: skip
def test_the_project_is_recognised_by_where_it_was_installed_from(
    mode: str, source: Source, expected: list[tuple[str, str, str]]
) -> None:
    own = Own(directory=str(PROJECT), mode=mode, wheels=WHEELS, name="any-name")
    told = findings(Expectation(pins=(), own=own), snapshot(dist("any-name", "1.0", source)))
    assert [(kind, wanted, actual) for kind, _, _, wanted, actual in told] == expected


def test_a_project_of_unknown_name_is_found_and_missing_all_the_same() -> None:
    own = Own(directory=str(PROJECT), mode="editable")
    expectation = Expectation(pins=(pin("mything", "9.9"), pin("x", "", local("."))), own=own)
    installed = dist("mything", "1.0", local(URL, editable=True))
    assert findings(expectation, snapshot(installed)) == []
    missing = ("missing", "error", "project", f"-e {URL}", "")
    assert findings(expectation, snapshot(dist("mything", "9.9"))) == [missing]
    (twice,) = findings(expectation, snapshot(installed, replace(installed, version="2")))
    assert twice[0] == "duplicate"


# The interpreter.


@pytest.mark.parametrize(
    ("python", "version", "implementation", "threads", "severity"), [
        (None, "3.12.1", "cpython", False, None), ("3.12", "3.12.1", "cpython", False, None),
        ("3", "3.12.1", "cpython", False, None), ("python3.12", "3.12.1", "cpython", False, None),
        ("3.12.1", "3.12.1", "cpython", False, None), ("3.12.1", "3.12.4", "cpython", False, "note"),
        ("3.12", "3.11.9", "cpython", False, "error"), ("3.1", "3.12.1", "cpython", False, "error"),
        ("3.13t", "3.13.0", "cpython", True, None), ("3.13", "3.13.0", "cpython", True, "error"),
        ("pypy3.11", "3.11.11", "pypy", False, None), ("pypy", "3.11.11", "pypy", False, None),
        ("3.11", "3.11.11", "pypy", False, "error"),
    ],
)  # fmt: skip
def test_the_interpreter_is_the_one_that_is_asked_for(
    python: str | None, version: str, implementation: str, threads: bool, severity: str | None
) -> None:
    actual = Interpreter(version=version, implementation=implementation, free_threaded=threads)
    told = findings(Expectation(pins=(), python=python), snapshot(interpreter=actual))
    assert [(kind, how, wanted) for kind, how, _, wanted, _ in told] == (
        [("python", severity, python)] if severity else []
    )


FACTS = {"python": "a link to /opt/python3.12 (python3.12)", "pyvenv.cfg": "a file with sha256 00"}


@pytest.mark.parametrize(
    ("change", "expected", "actual"), [
        ({"python": "a link to /evil (evil)"}, "python: a link to /opt/python3.12 (python3.12)",
         "python: a link to /evil (evil)"),
        ({"pyvenv.cfg": "a file with sha256 11"}, "pyvenv.cfg: a file with sha256 00",
         "pyvenv.cfg: a file with sha256 11"),
        ({"python3.9": "a file of 1 bytes"}, "python3.9: nothing", "python3.9: a file of 1 bytes"),
    ],
)  # fmt: skip
def test_what_decides_which_python_runs_is_compared_with_the_receipt(
    change: dict[str, str], expected: str, actual: str
) -> None:
    built = replace(CPYTHON, facts=tuple(FACTS.items()))
    expectation = Expectation(pins=(), receipt=receipt(interpreter=built))
    assert findings(expectation, snapshot(interpreter=built)) == []
    found = replace(built, facts=tuple({**FACTS, **change}.items()))
    assert findings(expectation, snapshot(interpreter=found)) == [("python", "error", "", expected, actual)]
    (other,) = findings(expectation, snapshot(interpreter=replace(built, version="3.12.4")))
    assert other == ("python", "note", "", "3.12.1", "3.12.4")


# A whole check.


POINT = Point(
    environment="tests", session="tests(1)", python=None, axes=(), place=Place(origin="envs.yaml", line=4)
)
LOCK = "requirements/tests.txt"
PLAN = LockPlan(path=LOCK, files=(LOCK,), environments=("tests",), points=(POINT,), pythons=())


def check(
    venv: BareVenv,
    *pins: Pin,
    point: Point = POINT,
    plan: LockPlan = PLAN,
    receipt: Receipt | None = None,
    consistency: bool = False,
    fingerprint: Callable[[str], str] = lambda _: "",
) -> Checked:
    """Check a venv; without a path of the lock, by its receipt."""
    placed = tuple(replace(one, origin=LOCK) for one in pins)
    lock = Lock(origin=LOCK, header=(), pins=placed) if plan.path else None
    project: Any = SimpleNamespace(
        root=PROJECT, host=host_markers(), own=lambda _: None, lock_of=lambda _: lock, fingerprint=fingerprint
    )
    return check_venv(project, point, plan, venv.location, receipt, consistency=consistency)


def receipt_in(venv: BareVenv, *recorded: Recorded, names: tuple[str, ...] = ()) -> Receipt:
    made = receipt(*recorded, interpreter=take(venv.location).interpreter)
    return replace(made, location=os.path.realpath(venv.location), names=names)


def test_a_finding_says_where_who_asked_and_what_to_type(bare_venv: BareVenv) -> None:
    bare_venv.add("six", "1.0")
    apple = Pin(name="apple", version="1.1", line=12, via=("test",))
    berry = Pin(name="berry", version="1.0", line=14, via=("apple",), marker='python_version < "3"')
    bare_venv.add("berry", "1.0")
    limited = replace(PLAN, constraints=(wants("six<1"),))  # a constraint brings nothing
    found = check(bare_venv, apple, berry, plan=limited).findings
    assert [(f.kind, f.package, f.line, f.why) for f in found] == [
        ("missing", "apple", "requirements/tests.txt:12", ("test",)),
        ("extraneous", "berry", "requirements/tests.txt:14", ("test", "apple")),
        ("extraneous", "six", "", ()),
    ]
    assert {(f.environment, f.session, f.fix) for f in found} == {("tests", "tests(1)", "nox -s 'tests(1)'")}


@pytest.mark.parametrize("policy", ["fail", "warn"])
def test_where_a_session_does_not_repair_the_fix_is_to_recreate(bare_venv: BareVenv, policy: str) -> None:
    point = replace(POINT, drift=DriftOptions(policy=policy))  # type: ignore[arg-type]
    (found,) = check(bare_venv, pin("apple"), point=point).findings
    assert found.fix == "nox --reuse-venv=never -s 'tests(1)'"


@pytest.mark.parametrize(
    ("plan", "fix"), [
        ({}, "nox -s lock -- tests"),
        ({"managed": False}, "regenerate requirements/tests.txt with the tool that writes it"),
        ({"managed": False, "points": (replace(POINT, lock=LockOptions(command="make lock")),)}, "make lock"),
    ],
)  # fmt: skip
def test_requirements_that_are_not_met_send_to_the_lock(
    bare_venv: BareVenv, plan: dict[str, object], fix: str
) -> None:
    requires = "Requires-Dist: apple<1\nRequires-Dist: fig\n"
    bare_venv.add("basket", "1.0", metadata=f"Name: basket\nVersion: 1.0\n{requires}")
    for name in ("apple", "fig"):
        bare_venv.add(name, "1.0")
    pins = (pin("basket"), pin("apple"), pin("fig"))
    assert check(bare_venv, *pins).findings == ()
    (found,) = check(bare_venv, *pins, consistency=True, plan=replace(PLAN, **plan)).findings
    assert (found.kind, found.expected, found.fix) == ("inconsistent", "apple<1", fix)
    caused = check(bare_venv, pins[0], pin("apple", "0.9"), pins[2], consistency=True).findings
    assert [one.kind for one in caused] == ["version"]


def test_without_a_lock_the_receipt_says_what_is_expected_and_not_what_is_read(bare_venv: BareVenv) -> None:
    folder = (bare_venv.location / "lib").as_uri()
    bare_venv.add("apple", "1.0")
    bare_venv.add("lib", "1.0", direct_url=f'{{"url": "{folder}", "dir_info": {{"editable": true}}}}')
    known = Recorded(name="lib", version="1.0", source=f"-e {folder}", folder="old")
    made = receipt_in(bare_venv, Recorded(name="apple", version="1.0"), known)
    prints: dict[str, str] = {}  # the receipt names a folder that nothing declares
    plan = replace(PLAN, path="")
    assert check(bare_venv, plan=plan, receipt=made, fingerprint=prints.__getitem__).findings == ()
    bare_venv.add("six", "1.0")
    (found,) = check(bare_venv, plan=plan, receipt=made, fingerprint=prints.__getitem__).findings
    assert (found.kind, found.package, found.line) == ("extraneous", "six", "")


def test_a_package_that_was_deleted_is_missed_on_every_run_which_does_not_repair_it(
    bare_venv: BareVenv,
) -> None:
    bare_venv.add("apple", "1.0", record=f"apple/__init__.py,sha256={'A' * 43},0\nother.py,,\n")
    made = receipt_in(bare_venv, Recorded(name="apple", version="1.0"), names=("apple",))
    (found,) = check(bare_venv, pin("apple"), receipt=made).findings
    assert (found.kind, found.package) == ("file-missing", "apple")
    assert found.fix == "nox --reuse-venv=never -s 'tests(1)'"


def test_a_marker_that_cannot_be_evaluated_is_an_error(bare_venv: BareVenv) -> None:
    with pytest.raises(NoxEnvsError, match="cannot be evaluated"):
        check(bare_venv, pin("apple", marker="nonsense"))
