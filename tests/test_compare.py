"""What is installed, compared with what is expected, and the findings of a whole check of a venv."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError, Place
from nox_envs.findings import KINDS, DriftOptions, Finding
from nox_envs.lock.pins import INDEX, Pin, Source, host_markers
from nox_envs.lock.plan import LockPlan
from nox_envs.lock.text import Lock
from nox_envs.spec.types import Point
from nox_envs.values import replace
from nox_envs.venv.check import Checked, check_venv
from nox_envs.venv.compare import Expectation, Own, compare, hashes_digest
from nox_envs.venv.install import fresh, receipt_of
from nox_envs.venv.receipt import Receipt, Recorded
from nox_envs.venv.snapshot import Distribution, Interpreter, Snapshot, record_digest, take
from tests.conftest import BareVenv, MakeVenv

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
    location = os.path.realpath("/venv")
    return Receipt(
        lock="", interpreter=interpreter, installer="uv", distributions=recorded, location=location
    )


def snapshot(*found: Distribution, interpreter: Interpreter = CPYTHON, **others: tuple[str, ...]) -> Snapshot:
    return Snapshot(location="/venv", interpreter=interpreter, distributions=found, **others)


Brief = list[tuple[str, str, str, str, str]]


def brief(found: tuple[Finding, ...]) -> Brief:
    return [(f.kind, f.severity, f.package, f.expected, f.actual) for f in found]


def findings(
    expectation: Expectation, installed: Snapshot, folders: Callable[[str], str] = lambda _: ""
) -> Brief:
    return brief(compare(expectation, installed, root=PROJECT, fingerprint=folders))


# Packages.

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,3})?", fullmatch=True)
SOURCES = st.sampled_from(
    [
        INDEX,
        Source(kind="vcs", url="git+https://e.org/r", revision="0" * 40),
        Source(kind="archive", url="https://e.org/a.whl", hashes=("sha256:1",)),
        Source(kind="directory", url="file:///a"),
        Source(kind="directory", url="file:///b", editable=True),
    ]
)
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


ARCHIVE = Source(kind="archive", url="https://e.org/a.whl", hashes=("sha256:1",))
COMMIT, OTHER = "a" * 40, "b" * 40


def git(revision: str) -> Source:
    return Source(kind="vcs", url="git+https://e.org/r", revision=revision)


def local(url: str, *, editable: bool = False) -> Source:
    return Source(kind="directory", url=url, editable=editable)


@pytest.mark.parametrize(
    ("wanted", "found", "expected"), [
        (pin("a", "1.0"), dist("a", "1.0.0"), []),
        (pin("a", "1.0"), dist("a", "0.9"), [("version", "error", "1.0", "0.9")]),
        (pin("a", "2.9"), dist("a", "2.9+cu126"), [("version", "note", "2.9", "2.9+cu126")]),
        (pin("a", "2.9+cpu"), dist("a", "2.9+cu126"), [("version", "error", "2.9+cpu", "2.9+cu126")]),
        (pin("a"), dist("a", "1.0", ARCHIVE), [("source", "error", "1.0",
         "1.0 (https://e.org/a.whl#sha256=1)")]),
        (pin("a"), dist("a", "2.0", local("file:///a", editable=True)), [("source", "error", "1.0",
         "2.0 (-e file:///a)")]),
        (pin("a", "", git(COMMIT)), dist("a", "1.0", git(OTHER)), [("source", "error",
         f"git+https://e.org/r@{COMMIT}", f"1.0 (git+https://e.org/r@{OTHER})")]),
        (pin("a", "", git(COMMIT)), dist("a", "1.0", git(COMMIT)), []),
        (pin("a", "", git("main")), dist("a", "1.0", git(COMMIT)), [("unverifiable", "note",
         "git+https://e.org/r@main", f"git+https://e.org/r@{COMMIT}")]),
        (pin("a", "", replace(ARCHIVE, hashes=()), hashes=("sha256:1", "sha256:2")), dist("a", "1.0",
         replace(ARCHIVE, hashes=("sha256:3",))), [("artifact", "error", "sha256:1, sha256:2",
         "sha256:3")]),
        (pin("a", "2.0", ARCHIVE), dist("a", "1.0", replace(ARCHIVE, hashes=())), [("unverifiable", "note",
         "sha256:1", "no hash recorded"), ("version", "error", "2.0", "1.0")]),
        (pin("a", "1.0", local("./libs/a", editable=True)), dist("a", "0.9", local(f"{URL}/libs/a",
         editable=True)), [("version", "note", "1.0", "0.9")]),
        (pin("a", "1.0", local("./a", editable=True)), dist("a", "", local(f"{URL}/a", editable=True)), []),
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
    inactive = (
        pin("berry", marker='python_version < "3.11"'),
        pin("berry", marker='sys_platform == "win32"'),
    )
    expectation = Expectation(pins=(pin("apple"), pin("pear")), inactive=inactive)
    installed = snapshot(dist("apple", "1.0"), dist("apple", "1.1"), dist("berry"), dist("six", "1.17"))
    assert findings(expectation, installed) == [
        ("missing", "error", "pear", "1.0", ""),
        ("duplicate", "error", "apple", "1.0", "1.0 (apple-1.0.dist-info), 1.1 (apple-1.1.dist-info)"),
        (
            "extraneous",
            "error",
            "berry",
            'nothing here (only where python_version < "3.11" or sys_platform == "win32")',
            "1.0",
        ),
        ("extraneous", "error", "six", "", "1.17"),
    ]


def test_of_two_active_pins_of_one_name_either_will_do() -> None:
    expectation = Expectation(pins=(pin("apple", "1.0"), pin("apple", "2.0")))
    assert findings(expectation, snapshot(dist("apple", "2.0"))) == []
    assert findings(expectation, snapshot(dist("apple", "3.0"))) == [
        ("version", "error", "apple", "1.0", "3.0")
    ]


def test_defects_and_leftovers_are_warnings_with_their_paths() -> None:
    installed = snapshot(dist("pear", defect="METADATA is missing"), leftovers=("/site/~pple",))
    found = compare(Expectation(pins=(pin("pear"),)), installed, root=PROJECT)
    assert brief(found) == [
        ("broken-metadata", "warning", "pear", "", "METADATA is missing"),
        ("leftover", "warning", "", "", "~pple"),
    ]
    assert [one.path for one in found] == ["/site/pear-1.0.dist-info", "/site/~pple"]


# Seed packages.


@pytest.mark.parametrize("name", ["pip", "setuptools", "wheel", "distribute"])
@pytest.mark.parametrize("suffix", ["dist-info", "egg-info", "egg-link"])
def test_a_seed_package_that_did_not_come_with_the_venv_is_extraneous(name: str, suffix: str) -> None:
    other = dist(name, "99.0", path=f"/site/{name}-99.0.{suffix}")
    assert findings(Expectation(pins=()), snapshot(other)) == [("extraneous", "error", name, "", "99.0")]
    came = Expectation(pins=(), receipt=receipt(Recorded(name=name, version="1.0", seed=True)))
    assert findings(came, snapshot(dist(name, "1.0"))) == []
    assert findings(came, snapshot(other)) == [
        ("extraneous", "error", name, "1.0, which came with the venv", "99.0")
    ]
    assert findings(came, snapshot()) == []
    hidden = dist("apple", "1.0")
    assert findings(
        replace(came, receipt=receipt(Recorded(name="apple", version="1.0", seed=True))), snapshot(hidden)
    )


def test_a_pinned_seed_package_is_compared_and_a_damaged_one_told() -> None:
    came = receipt(Recorded(name="pip", version="1.0", seed=True))
    assert findings(Expectation(pins=(pin("pip", "2.0"),), receipt=came), snapshot(dist("pip"))) == [
        ("version", "error", "pip", "2.0", "1.0")
    ]
    damaged = dist("pip", defect="METADATA is missing")
    assert findings(Expectation(pins=(), receipt=came), snapshot(damaged))[0][0] == "broken-metadata"


# Artifacts.


def test_another_record_or_other_hashes_in_the_lock_mean_another_artifact(bare_venv: BareVenv) -> None:
    info = bare_venv.add("apple", "1.0", record="apple.py,,\n")
    installed = replace(take(bare_venv.location), location="/venv", interpreter=CPYTHON)
    wanted = pin("apple", hashes=("sha256:2", "sha256:1"))
    recorded = Recorded(
        name="apple",
        version="1.0",
        record=record_digest(installed.distributions[0]),
        hashes=hashes_digest(wanted),
    )
    expectation = Expectation(pins=(wanted,), receipt=receipt(recorded))
    assert findings(expectation, installed) == []
    assert (
        findings(replace(expectation, pins=(replace(wanted, hashes=("sha256:1", "sha256:2")),)), installed)
        == []
    )
    assert findings(replace(expectation, pins=(pin("apple"),)), installed) == []
    assert findings(replace(expectation, pins=(replace(wanted, hashes=("sha256:3",)),)), installed) == [
        (
            "artifact",
            "error",
            "apple",
            "one with a hash of the lock",
            "one that was installed for other hashes",
        )
    ]
    another = ("artifact", "error", "apple", "the artifact that was installed", "another one of version 1.0")
    (info / "RECORD").write_text("apple.py,,\nother.py,,\n")
    assert findings(expectation, installed) == [another]
    (info / "RECORD").unlink()
    assert findings(expectation, installed) == [
        ("broken-metadata", "warning", "apple", "", "RECORD is missing")
    ]
    (info / "RECORD").mkdir()
    assert findings(expectation, installed) == [another]


def test_a_folder_whose_metadata_changed_is_installed_again() -> None:
    expected = pin("lib", "", local("./lib"))
    known = receipt(Recorded(name="lib", version="1.0", folder="old"))
    installed = snapshot(dist("lib", "1.0", local(f"{URL}/lib")))
    asked: list[str] = []

    def fingerprint(folder: str) -> str:
        asked.append(folder)
        return "old" if len(asked) == 1 else "new"

    expectation = Expectation(pins=(expected,), receipt=known)
    assert findings(expectation, installed, fingerprint) == []
    assert findings(expectation, installed, fingerprint) == [
        ("artifact", "error", "lib", f"{PROJECT}/lib as it is now", "installed before its metadata changed")
    ]
    assert asked == [f"{PROJECT}/lib"] * 2


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
        ("wheel", local(URL, editable=True), [("source", f"a wheel of {PROJECT}", f"1.0 (-e {URL})")]),
        ("wheel", Source(kind="archive", url="file:///elsewhere/own.whl"), [("source",
         f"a wheel of {PROJECT}", "1.0 (file:///elsewhere/own.whl)")]),
        ("wheel", Source(kind="archive", url=f"file://{WHEELS}/../x/own.whl"), [("source",
         f"a wheel of {PROJECT}", f"1.0 (file://{WHEELS}/../x/own.whl)")]),
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
    assert findings(expectation, snapshot(dist("mything", "9.9"))) == [
        ("missing", "error", "project", f"-e {URL}", "")
    ]
    assert [
        kind for kind, *_ in findings(expectation, snapshot(installed, replace(installed, version="2")))
    ] == ["duplicate"]


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


BUILT = Interpreter(
    version="3.12.1",
    implementation="cpython",
    executable="/opt/3.12.1/bin/python3.12",
    stamp="1 2 3",
    pythons=(("python", "link:/opt/bin/python3.12"), ("python3", "link:python")),
    home="/opt/bin",
    config="00",
)


@pytest.mark.parametrize(
    ("change", "severity", "expected", "actual"), [
        ({"version": "3.12.4"}, "note", "3.12.1", "3.12.4"),
        ({"version": "3.13.0"}, "error", "3.12.1", "3.13.0"),
        ({"home": "/evil"}, "error", "home = /opt/bin", "home = /evil"),
        ({"home": ""}, "error", "home = /opt/bin", "home = "),
        ({"system_site": True}, "error", "without the packages of the system",
         "with the packages of the system"),
        ({"config": "11"}, "error", "pyvenv.cfg with sha256 00", "pyvenv.cfg with sha256 11"),
        ({"pythons": (("python", "link:/evil"), ("python3", "link:python"))}, "error",
         "python: link:/opt/bin/python3.12", "python: link:/evil"),
        ({"pythons": BUILT.pythons[:1]}, "error", "python3: link:python", "no bin/python3"),
        ({"pythons": (*BUILT.pythons, ("python3.9", "file:1"))}, "error", "no bin/python3.9",
         "python3.9: file:1"),
        ({"pythons": (("python", ""), BUILT.pythons[1])}, "error", "an interpreter", "python leads nowhere"),
        ({"executable": "/opt/bin/python3.13"}, "error", "python3.12", "python3.13"),
        ({"executable": "/opt/3.12.4/bin/python3.12", "stamp": "4 5 6"}, "note",
         "/opt/3.12.1/bin/python3.12", "/opt/3.12.4/bin/python3.12, which was replaced since"),
    ],
)  # fmt: skip
def test_what_decides_which_python_runs_is_compared_with_the_receipt(
    change: dict[str, object], severity: str, expected: str, actual: str
) -> None:
    expectation = Expectation(pins=(), receipt=receipt(interpreter=BUILT))
    assert findings(expectation, snapshot(interpreter=BUILT)) == []
    told = findings(expectation, snapshot(interpreter=replace(BUILT, **change)))
    assert told == [("python", severity, "", expected, actual)]


def test_a_moved_venv_and_files_beside_its_interpreter_are_told() -> None:
    expectation = Expectation(pins=(), receipt=replace(receipt(), location="/elsewhere"))
    told = findings(expectation, snapshot(overrides=("/venv/bin/python._pth",)))
    assert told == [
        ("python", "error", "", "a venv at /elsewhere", "it was moved or copied"),
        ("startup-hook", "error", "", "", "decides where Python looks for modules"),
    ]


# A whole check.


PLACE = Place(origin="envs.yaml", line=4)


REPAIR = DriftOptions()


def check(
    venv: BareVenv, *pins: Pin, drift: DriftOptions = REPAIR, lock: bool = True, **more: object
) -> Checked:
    point = Point(environment="tests", session="tests(1)", python=None, axes=(), place=PLACE, drift=drift)
    path = "requirements/tests.txt" if lock else ""
    plan = LockPlan(path=path, files=(path,), environments=("tests",), points=(point,), pythons=())
    if "plan" in more:
        plan = replace(plan, **more.pop("plan"))  # type: ignore[arg-type]
    arguments: dict[str, object] = {"receipt": None, "root": PROJECT, "host": host_markers(), **more}
    locked = Lock(origin=path, header=(), pins=pins) if lock else None
    return check_venv(venv.location, point=point, plan=plan, lock=locked, **arguments)  # type: ignore[arg-type]


def test_a_finding_says_where_who_asked_and_what_to_type(bare_venv: BareVenv) -> None:
    bare_venv.add("six", "1.0")
    apple = Pin(name="apple", version="1.1", line=12, via=("test",))
    berry = Pin(name="berry", version="1.0", line=14, via=("apple",), marker='python_version < "3"')
    bare_venv.add("berry", "1.0")
    found = check(bare_venv, apple, berry).findings
    assert [(f.kind, f.package, f.line, f.why) for f in found] == [
        ("missing", "apple", "requirements/tests.txt:12", ("test",)),
        ("extraneous", "berry", "requirements/tests.txt:14", ("test", "apple")),
        ("extraneous", "six", "", ()),
    ]
    assert {(f.environment, f.session, f.fix) for f in found} == {("tests", "tests(1)", "nox -s 'tests(1)'")}


@pytest.mark.parametrize("policy", ["fail", "warn"])
def test_where_a_session_does_not_repair_the_fix_is_to_recreate(bare_venv: BareVenv, policy: str) -> None:
    drift = DriftOptions(policy=policy)  # type: ignore[arg-type]
    (found,) = check(bare_venv, pin("apple"), drift=drift).findings
    assert found.fix == "nox --reuse-venv=never -s 'tests(1)'"


@pytest.mark.parametrize(
    ("plan", "fix"), [
        ({}, "nox -s lock -- tests"),
        ({"managed": False}, "regenerate requirements/tests.txt with the tool that writes it"),
        ({"managed": False, "command": "make lock"}, "make lock"),
    ],
)  # fmt: skip
def test_requirements_that_are_not_met_send_to_the_lock(
    bare_venv: BareVenv, plan: dict[str, object], fix: str
) -> None:
    bare_venv.add(
        "basket", "1.0", metadata="Name: basket\nVersion: 1.0\nRequires-Dist: apple<1\nRequires-Dist: fig\n"
    )
    bare_venv.add("apple", "1.0")
    bare_venv.add("fig", "1.0")
    pins = (pin("basket"), pin("apple"), pin("fig"))
    assert check(bare_venv, *pins).findings == ()
    (found,) = check(bare_venv, *pins, consistency=True, plan=plan).findings
    assert (found.kind, found.package, found.expected, found.fix) == (
        "inconsistent",
        "basket",
        "apple<1",
        fix,
    )
    caused = check(bare_venv, *pins[:1], pin("apple", "0.9"), pins[2], consistency=True).findings
    assert [one.kind for one in caused] == ["version"]


def test_without_a_lock_the_receipt_says_what_is_expected(bare_venv: BareVenv) -> None:
    folder = (bare_venv.location / "lib").as_uri()
    known = Recorded(name="lib", version="1.0", source=f"-e {folder}", folder="old")
    for name in ("apple", "lib"):
        editable = f'{{"url": "{folder}", "dir_info": {{"editable": true}}}}'
        bare_venv.add(name, "1.0", direct_url=editable if name == "lib" else None)
    made = replace(
        receipt(Recorded(name="apple", version="1.0"), known),
        location=os.path.realpath(bare_venv.location),
        interpreter=take(bare_venv.location).interpreter,
    )
    asked: list[str] = []

    def fingerprint(path: str) -> str:
        asked.append(path)
        return "new"

    assert check(bare_venv, lock=False, receipt=made, fingerprint=fingerprint).findings == ()
    assert asked == []  # the receipt names a folder that nothing declares
    bare_venv.add("six", "1.0")
    (found,) = check(bare_venv, lock=False, receipt=made).findings
    assert (found.kind, found.package, found.line) == ("extraneous", "six", "")


def test_a_package_directory_that_is_gone_is_noticed_on_every_run(bare_venv: BareVenv) -> None:
    bare_venv.add("apple", "1.0", record="apple/__init__.py,sha256=" + "A" * 43 + ",0\nother.py,,\n")
    made = replace(
        receipt(Recorded(name="apple", version="1.0")),
        location=os.path.realpath(bare_venv.location),
        interpreter=take(bare_venv.location).interpreter,
        names=("apple",),
    )
    (found,) = check(bare_venv, pin("apple"), receipt=made).findings
    assert (found.kind, found.package) == ("file-missing", "apple")
    assert found.fix == "nox --reuse-venv=never -s 'tests(1)'"


def test_a_marker_that_cannot_be_evaluated_is_an_error(bare_venv: BareVenv) -> None:
    with pytest.raises(NoxEnvsError, match="cannot be evaluated"):
        check(bare_venv, pin("apple", marker="nonsense"))


@pytest.mark.functional
def test_what_an_installer_does_to_a_real_venv_is_found_and_nothing_else(make_venv: MakeVenv) -> None:
    for backend in ("uv", "virtualenv"):
        venv = make_venv(backend)
        put_there = fresh(take(venv.location))
        venv.install("basket==1.0", "apple==1.1", "press==1.0")
        pins = (pin("apple", "1.1"), pin("basket"), pin("press"))
        installed = take(venv.location)
        made = receipt_of(installed, Expectation(pins=pins), put_there, lock="", root=PROJECT)
        bare = BareVenv(location=venv.location)
        assert check(bare, *pins, receipt=made, consistency=True).findings == ()
        venv.install("plum", "apple==1.0")
        venv.uninstall("press")
        kinds = [(f.kind, f.package) for f in check(bare, *pins, receipt=made).findings]
        assert kinds == [("version", "apple"), ("extraneous", "plum"), ("missing", "press")]
