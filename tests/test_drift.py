from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment

from nox_envs.drift import (
    KINDS,
    Expectation,
    Finding,
    ProjectExpectation,
    activate,
    compare,
    marker_environment,
    requested_by_via,
    run_command,
)
from nox_envs.errors import NoxEnvsError
from nox_envs.pins import INDEX, Pin, Source
from nox_envs.snapshot import Distribution, Interpreter, Snapshot, take
from nox_envs.values import replace
from tests.conftest import Backend, Machine, MakeVenv, Venv
from tests.index import Index, build_wheel, write_source

CPYTHON = Interpreter(version="3.12.1", implementation="cpython")
PROJECT = Path("/project").absolute()
URL = PROJECT.as_uri()
HOST = {name: str(value) for name, value in default_environment().items()}


def dist(
    name: str, version: str = "1.0", source: Source = INDEX, *, path: str = "", defect: str = ""
) -> Distribution:
    return Distribution(
        name=name,
        version=version,
        path=path or f"/site/{name}-{version}.dist-info",
        source=source,
        defect=defect,
    )


def pin(
    name: str,
    version: str = "1.0",
    source: Source = INDEX,
    *,
    line: int = 0,
    marker: str = "",
    hashes: tuple[str, ...] = (),
    via: tuple[str, ...] = (),
) -> Pin:
    return Pin(name=name, version=version, source=source, line=line, marker=marker, hashes=hashes, via=via)


def snapshot(
    *found: Distribution, interpreter: Interpreter = CPYTHON, leftovers: tuple[str, ...] = ()
) -> Snapshot:
    return Snapshot(location="/venv", interpreter=interpreter, distributions=found, leftovers=leftovers)


def findings(expectation: Expectation, installed: Snapshot, root: Path = PROJECT) -> tuple[Finding, ...]:
    return compare(expectation, installed, environment="tests", session="tests-3.12", root=root)


def brief(found: tuple[Finding, ...]) -> list[tuple[str, str, str, str, str]]:
    return [(f.kind, f.severity, f.package, f.expected, f.actual) for f in found]


def one_difference(wanted: Pin, found: Distribution) -> list[tuple[str, str, str, str, str]]:
    return brief(findings(Expectation(pins=(wanted,)), snapshot(found)))


# what is no drift

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


@given(DISTRIBUTIONS)
def test_what_is_expected_as_it_is_has_no_drift(found: tuple[Distribution, ...]) -> None:
    pins = tuple(pin(d.name, d.version, d.source) for d in found)
    assert findings(Expectation(pins=pins, python="3.12", built_with=CPYTHON), snapshot(*found)) == ()


@given(DISTRIBUTIONS, DISTRIBUTIONS)
def test_findings_come_worst_first_and_do_not_depend_on_order(
    wanted: tuple[Distribution, ...], found: tuple[Distribution, ...]
) -> None:
    pins = tuple(pin(d.name, d.version, d.source) for d in wanted)
    one = findings(Expectation(pins=pins), snapshot(*found))
    other = findings(Expectation(pins=pins[::-1]), snapshot(*found[::-1]))
    assert one == other
    ranks = [["error", "warning", "note"].index(finding.severity) for finding in one]
    assert ranks == sorted(ranks)
    assert {finding.kind for finding in one} <= KINDS.keys()


@pytest.mark.parametrize("seed", ["pip", "setuptools", "wheel"])
def test_seed_packages_that_are_not_pinned_are_ignored(seed: str) -> None:
    damaged = dist(seed, "9", defect="METADATA is missing")
    assert findings(Expectation(pins=()), snapshot(damaged, dist(seed, "10"))) == ()


def test_a_pinned_seed_package_is_compared() -> None:
    assert one_difference(pin("setuptools", "80.0"), dist("setuptools", "79.0")) == [
        ("version", "error", "setuptools", "80.0", "79.0")
    ]


# packages


def test_a_pin_that_is_not_installed_is_missing() -> None:
    lock = "requirements/tests.txt"
    expectation = Expectation(pins=(pin("apple", "1.1", line=12),), lock=lock)
    found = compare(
        expectation,
        snapshot(),
        environment="tests",
        session="tests-3.12",
        requested_by=lambda package: ("test", f"asker-of-{package}"),
    )
    assert found == (
        Finding(
            kind="missing",
            severity="error",
            environment="tests",
            session="tests-3.12",
            package="apple",
            expected="1.1",
            line="requirements/tests.txt:12",
            why=("test", "asker-of-apple"),
            fix="nox -s tests-3.12",
        ),
    )


def test_nobody_is_asked_who_wanted_a_package_that_is_as_it_should_be() -> None:
    asked: list[str] = []

    def requested_by(package: str) -> tuple[str, ...]:
        asked.append(package)
        return ()

    expectation = Expectation(pins=(pin("apple"), pin("pear"), pin("plum")), python="3.13")
    compare(
        expectation,
        snapshot(dist("apple"), dist("pear", "2")),
        environment="e",
        session="s",
        requested_by=requested_by,
    )
    assert sorted(asked) == ["pear", "plum"]


def test_an_installed_package_without_a_pin_is_extraneous() -> None:
    found = findings(Expectation(pins=(), lock="lock.txt"), snapshot(dist("six", "1.17.0")))
    assert brief(found) == [("extraneous", "error", "six", "", "1.17.0")]
    assert (found[0].path, found[0].line) == ("/site/six-1.17.0.dist-info", "")


def test_an_installed_package_whose_marker_is_false_is_extraneous_and_says_so() -> None:
    inactive = (
        pin("berry", marker='python_version < "3.11"', line=7),
        pin("berry", marker='sys_platform == "win32"', line=9),
    )
    found = findings(Expectation(pins=(), inactive=inactive, lock="lock.txt"), snapshot(dist("berry")))
    expected = 'nothing here (only where python_version < "3.11" or sys_platform == "win32")'
    assert brief(found) == [("extraneous", "error", "berry", expected, "1.0")]
    assert found[0].line == "lock.txt:7"


def test_one_name_with_two_markers_is_compared_with_the_active_pin() -> None:
    expectation = Expectation(
        pins=(pin("apple", "2.0"),), inactive=(pin("apple", "1.0", marker='python_version < "3.11"'),)
    )
    assert findings(expectation, snapshot(dist("apple", "2.0"))) == ()
    assert brief(findings(expectation, snapshot(dist("apple", "1.0")))) == [
        ("version", "error", "apple", "2.0", "1.0")
    ]


def test_of_two_active_pins_of_one_name_either_will_do() -> None:
    expectation = Expectation(pins=(pin("apple", "1.0"), pin("apple", "2.0")))
    assert findings(expectation, snapshot(dist("apple", "2.0"))) == ()
    assert brief(findings(expectation, snapshot(dist("apple", "3.0")))) == [
        ("version", "error", "apple", "1.0", "3.0")
    ]


def test_constraints_need_not_be_installed_but_what_is_installed_must_be_pinned() -> None:
    expectation = Expectation(pins=(pin("apple"), pin("pear")), complete=False)
    found = findings(expectation, snapshot(dist("apple"), dist("plum")))
    assert brief(found) == [("extraneous", "error", "plum", "", "1.0")]


def test_without_a_lock_nothing_is_extraneous_but_damage_still_shows() -> None:
    expectation = Expectation(pins=(), exact=False)
    found = findings(expectation, snapshot(dist("apple"), dist("pear", defect="METADATA is missing")))
    assert brief(found) == [("broken-metadata", "warning", "pear", "", "METADATA is missing")]


ARCHIVE = Source(kind="archive", url="https://e.org/a.whl", hashes=("sha256:1",))
COMMIT, OTHER = "a" * 40, "b" * 40


def git(revision: str, requested: str = "") -> Source:
    return Source(kind="vcs", url="git+https://e.org/r", revision=revision, requested=requested)


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (pin("a", "1.0"), dist("a", "1.0.0"), []),
        (pin("a", "1.0"), dist("a", "0.9"), [("version", "error", "a", "1.0", "0.9")]),
        (pin("a", "2.9"), dist("a", "2.9+cu126"), [("version", "note", "a", "2.9", "2.9+cu126")]),
        (pin("a", "2.9+cpu"), dist("a", "2.9+cu126"), [("version", "error", "a", "2.9+cpu", "2.9+cu126")]),
        (
            pin("a", "1.0"),
            dist("a", "1.0", ARCHIVE),
            [("source", "error", "a", "1.0", "1.0 (https://e.org/a.whl#sha256=1)")],
        ),
        (
            pin("a", "1.0"),
            dist("a", "2.0", Source(kind="directory", url="file:///a", editable=True)),
            [("source", "error", "a", "1.0", "2.0 (-e file:///a)")],
        ),
        (
            pin("a", "", git(COMMIT)),
            dist("a", "1.0", git(OTHER)),
            [("revision", "error", "a", f"git+https://e.org/r@{COMMIT}", f"git+https://e.org/r@{OTHER}")],
        ),
        (pin("a", "", git(COMMIT)), dist("a", "1.0", git(COMMIT)), []),
        (
            pin("a", "", git("main")),
            dist("a", "1.0", git(COMMIT, "main")),
            [("unverifiable", "note", "a", "git+https://e.org/r@main", f"git+https://e.org/r@{COMMIT}")],
        ),
        (
            pin("a", "", replace(ARCHIVE, hashes=()), hashes=("sha256:1", "sha256:2")),
            dist("a", "1.0", replace(ARCHIVE, hashes=("sha256:3",))),
            [("artifact", "error", "a", "sha256:1, sha256:2", "sha256:3")],
        ),
        (
            pin("a", "", replace(ARCHIVE, hashes=()), hashes=("sha256:1",)),
            dist("a", "1.0", replace(ARCHIVE, hashes=())),
            [("unverifiable", "note", "a", "sha256:1", "no hash recorded")],
        ),
        (
            pin("a", "2.0", ARCHIVE),
            dist("a", "1.0", replace(ARCHIVE, hashes=())),
            [
                ("version", "error", "a", "2.0", "1.0"),
                ("unverifiable", "note", "a", "sha256:1", "no hash recorded"),
            ],
        ),
        (
            pin("a", "1.0", Source(kind="directory", url="./libs/a", editable=True)),
            dist("a", "0.9", Source(kind="directory", url=f"{URL}/libs/a", editable=True)),
            [("version", "note", "a", "1.0", "0.9")],
        ),
        (
            pin("a", "", Source(kind="directory", url="../a b")),
            dist("a", "0.9", Source(kind="directory", url=f"{PROJECT.parent.as_uri()}a%20b")),
            [],
        ),
        (
            pin("a", "", Source(kind="directory", url="./a-1.0-py3-none-any.whl")),
            dist("a", "1.0", Source(kind="archive", url=f"{URL}/a-1.0-py3-none-any.whl")),
            [("unverifiable", "note", "a", "a hash", "no hash recorded")],
        ),
        (
            pin("a", "", Source(kind="directory", url="./a")),
            dist("a", "1.0"),
            [("source", "error", "a", f"{URL}/a", "1.0")],
        ),
    ],
)  # fmt: skip
def test_a_package_differs_from_its_pin_in_one_way(
    wanted: Pin, found: Distribution, expected: list[tuple[str, str, str, str, str]]
) -> None:
    assert one_difference(wanted, found) == expected


def test_a_note_names_no_command() -> None:
    (note,) = findings(Expectation(pins=(pin("a", "2.9"),)), snapshot(dist("a", "2.9+cpu")))
    assert note.fix == ""


def test_two_records_of_one_name_are_a_duplicate_and_nothing_more() -> None:
    installed = snapshot(dist("apple", "1.0"), dist("apple", "1.1"))
    found = findings(Expectation(pins=(pin("apple", "1.0", line=3),), lock="lock.txt"), installed)
    actual = "1.0 (apple-1.0.dist-info), 1.1 (apple-1.1.dist-info)"
    assert brief(found) == [("duplicate", "error", "apple", "1.0", actual)]
    assert (found[0].path, found[0].line) == ("/site/apple-1.1.dist-info", "lock.txt:3")


def test_two_records_of_an_unpinned_name_are_also_extraneous() -> None:
    found = findings(Expectation(pins=()), snapshot(dist("apple", "1.0"), dist("apple", "1.1")))
    assert [finding.kind for finding in found] == ["duplicate", "extraneous"]


def test_a_leftover_is_a_warning_with_its_path() -> None:
    found = findings(Expectation(pins=()), snapshot(leftovers=("/site/~pple",)))
    assert brief(found) == [("leftover", "warning", "", "", "~pple")]
    assert (found[0].path, found[0].why, found[0].fix) == ("/site/~pple", (), "nox -s tests-3.12")


# the project itself


def own(*, editable: bool) -> Expectation:
    expected = ProjectExpectation(name="own", directory=str(PROJECT), editable=editable)
    return Expectation(pins=(pin("own", "9.9"),), project=expected)


def local(url: str, *, editable: bool = False) -> Source:
    return Source(kind="directory", url=url, editable=editable)


@pytest.mark.parametrize(
    ("editable", "source", "expected"),
    [
        (True, local(URL, editable=True), []),
        (False, local(URL), []),
        (False, Source(kind="archive", url="file:///tmp/own-1.0-py3-none-any.whl"), []),
        (True, local(URL), [("source", f"-e {URL}", f"1.0 ({URL})")]),
        (False, local(URL, editable=True), [("source", URL, f"1.0 (-e {URL})")]),
        (True, local("file:///other", editable=True), [("source", f"-e {URL}", "1.0 (-e file:///other)")]),
        (False, INDEX, [("source", URL, "1.0")]),
        (
            True,
            Source(kind="archive", url="file:///own.whl"),
            [("source", f"-e {URL}", "1.0 (file:///own.whl)")],
        ),
        (
            False,
            Source(kind="archive", url="https://e.org/own.whl"),
            [("source", URL, "1.0 (https://e.org/own.whl)")],
        ),
    ],
)  # fmt: skip
def test_the_project_is_expected_as_it_was_asked_for(
    editable: bool, source: Source, expected: list[tuple[str, str, str]]
) -> None:
    found = findings(own(editable=editable), snapshot(dist("own", "1.0", source)))
    assert [(f.kind, f.expected, f.actual) for f in found] == expected


def test_a_project_that_is_not_installed_is_missing() -> None:
    found = findings(own(editable=True), snapshot())
    assert brief(found) == [("missing", "error", "own", f"-e {URL}", "")]


def test_a_project_that_is_installed_twice_is_a_duplicate() -> None:
    source = local(URL, editable=True)
    found = findings(own(editable=True), snapshot(dist("own", "1.0", source), dist("own", "1.1", source)))
    assert [finding.kind for finding in found] == ["duplicate"]


# the interpreter


@pytest.mark.parametrize(
    ("python", "version", "implementation", "threads", "severity"),
    [
        (None, "3.12.1", "cpython", False, None),
        ("3.12", "3.12.1", "cpython", False, None),
        ("3", "3.12.1", "cpython", False, None),
        ("312", "3.12.1", "cpython", False, None),
        ("python3.12", "3.12.1", "cpython", False, None),
        ("CPython-3.12", "3.12.1", "cpython", False, None),
        ("3.12-64", "3.12.1", "cpython", False, None),
        ("3.12.1", "3.12.1", "cpython", False, None),
        ("3.12.0", "3.12.1", "cpython", False, "note"),
        ("3.12.1", "3.12", "cpython", False, None),
        ("3.13", "3.12.1", "cpython", False, "error"),
        ("3.1", "3.12.1", "cpython", False, "error"),
        ("2", "3.12.1", "cpython", False, "error"),
        ("3.13t", "3.13.0", "cpython", True, None),
        ("3.13t", "3.13.0", "cpython", False, "error"),
        ("3.13", "3.13.0", "cpython", True, "error"),
        ("pypy3.11", "3.11.9", "pypy", False, None),
        ("pypy", "3.11.9", "pypy", False, None),
        ("pypy3.10", "3.11.9", "pypy", False, "error"),
        ("3.11", "3.11.9", "pypy", False, "error"),
        ("pypy3.11", "3.11.9", "cpython", False, "error"),
        ("graalpy3.11", "3.11.9", "graalpy", False, None),
        ("/usr/bin/python3.11", "3.12.1", "cpython", False, None),
        (">=3.13", "3.12.1", "cpython", False, None),
        ("", "3.12.1", "cpython", False, None),
    ],
)
def test_the_interpreter_is_compared_with_the_one_asked_for(
    python: str | None, version: str, implementation: str, threads: bool, severity: str | None
) -> None:
    actual = Interpreter(version=version, implementation=implementation, free_threaded=threads)
    found = findings(Expectation(pins=(), python=python), snapshot(interpreter=actual))
    assert [(f.kind, f.severity, f.expected) for f in found] == (
        [("python", severity, python)] if severity else []
    )


@pytest.mark.parametrize(
    ("built_with", "expected"),
    [
        (CPYTHON, []),
        (replace(CPYTHON, version="3.12.9"), [("python", "note", "", "3.12.9", "3.12.1")]),
        (replace(CPYTHON, version="3.11.9"), [("python", "error", "", "3.11.9", "3.12.1")]),
        (replace(CPYTHON, implementation="pypy"), [("python", "error", "", "pypy3.12.1", "3.12.1")]),
        (replace(CPYTHON, free_threaded=True), [("python", "error", "", "3.12.1t", "3.12.1")]),
    ],
)
def test_the_interpreter_is_compared_with_that_of_the_receipt(
    built_with: Interpreter, expected: list[tuple[str, str, str, str, str]]
) -> None:
    assert brief(findings(Expectation(pins=(), built_with=built_with), snapshot())) == expected


def test_an_interpreter_that_is_wrong_in_two_ways_is_one_finding() -> None:
    expectation = Expectation(pins=(), python="3.13", built_with=replace(CPYTHON, version="3.11.9"))
    assert brief(findings(expectation, snapshot())) == [("python", "error", "", "3.13", "3.12.1")]


# markers


def test_pins_without_markers_are_all_active() -> None:
    pins = (pin("apple"), pin("pear"))
    assert activate(pins, CPYTHON, {}) == (pins, ())


def test_markers_are_judged_by_the_interpreter_of_the_venv() -> None:
    pins = (
        pin("old", marker='python_version < "3.11"'),
        pin("new", marker='python_full_version >= "3.11.0"'),
        pin("pypy", marker='implementation_name == "pypy"'),
        pin("fast", marker='platform_python_implementation == "CPython"'),
        pin("here", marker='sys_platform == "moon"'),
        pin("also-old", marker='python_version < "3.11"'),
        pin("always"),
    )
    active, inactive = activate(pins, CPYTHON, {**HOST, "sys_platform": "moon"})
    assert [found.name for found in active] == ["new", "fast", "here", "always"]
    assert [found.name for found in inactive] == ["old", "pypy", "also-old"]
    other = Interpreter(version="3.10.14", implementation="pypy")
    active, _ = activate(pins, other, {**HOST, "sys_platform": "linux"})
    assert [found.name for found in active] == ["old", "pypy", "also-old", "always"]


def test_the_marker_variables_of_this_interpreter_are_those_of_packaging() -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    own_interpreter = Interpreter(version=version, implementation=sys.implementation.name)
    assert marker_environment(own_interpreter, HOST) == HOST


@pytest.mark.parametrize("marker", ["nonsense", 'python_version ~= "x"', 'os_name < "3.0" and'])
def test_a_marker_that_is_none_names_its_line(marker: str) -> None:
    with pytest.raises(NoxEnvsError, match=r"line 4 of the lock: apple: .* nox -s lock"):
        activate((pin("apple", marker=marker, line=4),), CPYTHON, HOST)


# who asked


def test_the_chain_begins_with_the_requirement_set() -> None:
    who = requested_by_via(
        (
            pin("pytest", via=("test",)),
            pin("pluggy", via=("pytest", "tox")),
            pin("tox", via=("virtualenv",)),
            pin("virtualenv", via=("ci.txt",)),
            pin("six", via=("six",)),
            pin("left", via=("right",)),
            pin("right", via=("left",)),
            pin("alone"),
            pin("child", via=("alone",)),
            pin("limited", via=("-c limits.txt", "filed (b.txt): limited>=1", "pytest")),
            pin("only", via=("-c limits.txt",)),
            pin("below", via=("-c limits.txt", "alone")),
        )
    )
    assert who("pytest") == ("test",)
    assert who("pluggy") == ("test", "pytest")
    assert who("tox") == ("ci.txt", "virtualenv")
    assert who("six") == ("six",)
    assert who("left") == ("right",)
    assert who("alone") == ()
    assert who("child") == ("alone",)
    assert who("limited") == ("filed (b.txt): limited>=1",)
    assert who("only") == ("-c limits.txt",)
    assert who("below") == ("alone",)
    assert who("stranger") == ()


def test_the_askers_of_all_pins_of_one_name_count() -> None:
    who = requested_by_via((pin("a", "1", via=("b",)), pin("a", "2", via=("test",)), pin("b", via=("docs",))))
    assert who("a") == ("test",)


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefXY"), max_size=3)))
def test_a_chain_is_made_of_links_whatever_the_graph(graph: dict[str, list[str]]) -> None:
    who = requested_by_via(tuple(pin(name, via=tuple(via)) for name, via in graph.items()))
    for name in graph:
        chain = (*who(name), name)
        for asker, asked in itertools.pairwise(chain):
            assert asker in graph[asked]


@pytest.mark.parametrize(
    ("session", "command"),
    [
        ("tests", "nox -s tests"),
        ("tests-3.12", "nox -s tests-3.12"),
        ("tests-3.12(django='4.2')", "nox -s \"tests-3.12(django='4.2')\""),
    ],
)
def test_the_command_that_mends_is_quoted_where_needed(session: str, command: str) -> None:
    assert run_command(session) == command


# real venvs, really damaged


@dataclass(frozen=True, kw_only=True)
class Case:
    """Hold what the damage of a venv has to do with: the venv, a folder, a wheel of another apple."""

    venv: Venv
    folder: Path
    index: Index


LOCK = (
    pin("apple", "1.1", line=1, via=("basket",)),
    pin("basket", "1.0", line=2, via=("test",)),
    pin("berry", "1.0", line=3, via=("basket",), marker='python_version < "3.11"'),
    pin("press", "1.0", line=4, via=("test",)),
)


def add_a_package(case: Case) -> None:
    case.venv.install("plum")


def remove_a_package(case: Case) -> None:
    case.venv.uninstall("apple")


def change_a_version(case: Case) -> None:
    case.venv.install("apple==1.0")


def do_all_three(case: Case) -> None:
    add_a_package(case)
    change_a_version(case)
    case.venv.uninstall("press")


def install_from_a_wheel(case: Case) -> None:
    case.venv.install("--no-deps", "--force-reinstall", build_wheel(case.folder, "apple", "1.1"))


def install_from_a_directory(case: Case) -> None:
    case.venv.install("--no-deps", "--force-reinstall", write_source(case.folder / "press", "press", "1.0"))


def install_from_a_url(case: Case) -> None:
    url = case.index.url.replace("/simple", "/files/apple-1.1-py3-none-any.whl")
    case.venv.install("--no-deps", "--force-reinstall", url)


def copy_a_record(case: Case) -> None:
    info = case.venv.site / "apple-1.0.dist-info"
    shutil.copytree(case.venv.site / "apple-1.1.dist-info", info)
    text = (info / "METADATA").read_text()
    (info / "METADATA").write_text(text.replace("Version: 1.1", "Version: 1.0"))


def remove_metadata(case: Case) -> None:
    (case.venv.site / "press-1.0.dist-info" / "METADATA").unlink()


def change_metadata(case: Case) -> None:
    file = case.venv.site / "press-1.0.dist-info" / "METADATA"
    file.write_text(file.read_text().replace("Version: 1.0", "Version: 6.6"))


def interrupt_an_uninstall(case: Case) -> None:
    shutil.copytree(case.venv.site / "apple", case.venv.site / "~pple")


def nothing(case: Case) -> None:
    case.venv.pip("list")


Damage = Callable[[Case], None]
Expected = list[tuple[str, str, str]]

DAMAGES: list[tuple[Damage, Expected]] = [
    (nothing, []),
    (add_a_package, [("extraneous", "error", "plum")]),
    (remove_a_package, [("missing", "error", "apple")]),
    (change_a_version, [("version", "error", "apple")]),
    (
        do_all_three,
        [("version", "error", "apple"), ("extraneous", "error", "plum"), ("missing", "error", "press")],
    ),
    (install_from_a_wheel, [("source", "error", "apple")]),
    (install_from_a_directory, [("source", "error", "press")]),
    (install_from_a_url, [("source", "error", "apple")]),
    (copy_a_record, [("duplicate", "error", "apple")]),
    (remove_metadata, [("broken-metadata", "warning", "press")]),
    (change_metadata, [("broken-metadata", "warning", "press")]),
    (interrupt_an_uninstall, [("leftover", "warning", "")]),
]


def check(venv: Venv, pins: tuple[Pin, ...] = LOCK, python: str | None = None) -> tuple[Finding, ...]:
    installed = take(venv.location)
    active, inactive = activate(pins, installed.interpreter, HOST)
    expectation = Expectation(pins=active, inactive=inactive, python=python, lock="requirements/tests.txt")
    return compare(
        expectation, installed, environment="tests", session="tests", requested_by=requested_by_via(pins)
    )


# What pip and uv may record differently is done with both; the rest does not depend on the tool.
BY_INSTALLERS = DAMAGES[:8]
CASES = [("uv", *case) for case in DAMAGES] + [("virtualenv", *case) for case in BY_INSTALLERS]


@pytest.mark.functional
@pytest.mark.parametrize(
    ("backend", "damage", "expected"),
    CASES,
    ids=[f"{damage.__name__}-{backend}" for backend, damage, _ in CASES],
)
def test_damage_of_a_real_venv_is_found_and_nothing_else(
    make_venv: MakeVenv, index: Index, tmp_path: Path, backend: Backend, damage: Damage, expected: Expected
) -> None:
    venv = make_venv(backend)
    venv.install("basket==1.0", "apple==1.1", "press==1.0")
    damage(Case(venv=venv, folder=tmp_path, index=index))
    found = check(venv)
    assert [(f.kind, f.severity, f.package) for f in found] == expected
    assert all(f.fix == "nox -s tests" for f in found)


@pytest.mark.functional
def test_a_venv_of_another_python_is_found(make_venv: MakeVenv, machine: Machine) -> None:
    version = "3.13" if sys.version_info[:2] != (3, 13) else "3.12"
    venv = make_venv("uv", version)
    venv.install("basket==1.0", "apple==1.1", "press==1.0")
    (found,) = check(venv, python="3.9")
    patch = machine.run(venv.python, "-c", "import platform; print(platform.python_version())").stdout.strip()
    assert (found.kind, found.severity, found.expected, found.actual) == ("python", "error", "3.9", patch)
    assert check(venv, python=version) == ()


@pytest.mark.functional
def test_a_package_for_older_pythons_is_extraneous_on_newer_ones(make_venv: MakeVenv) -> None:
    old, new = make_venv("uv", "3.10"), make_venv("uv", "3.12")
    for venv in (old, new):
        venv.install("basket==1.0", "apple==1.1", "press==1.0", "berry==1.0")
    assert check(old) == ()
    (found,) = check(new)
    assert (found.kind, found.package, found.why) == ("extraneous", "berry", ("test", "basket"))
    assert found.expected == 'nothing here (only where python_version < "3.11")'
    assert found.line == "requirements/tests.txt:3"
