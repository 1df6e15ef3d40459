"""One plan, resolved by the real uv from a local index."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from nox_envs.files import parse_toml
from nox_envs.lock.plan import header_of
from nox_envs.lock.resolve import outside_settings
from nox_envs.lock.text import Lock, parse_lock, render_lock, render_pylock
from nox_envs.spec.types import ExcludeNewer
from nox_envs.values import replace
from tests.conftest import Machine
from tests.index import Index, build_wheel, serve, write_source
from tests.locker import Locker, declared, plan

pytestmark = pytest.mark.functional

DYNAMIC = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "{name}"
dynamic = ["version", "dependencies"]
"""
BACKEND = """\
import os, pathlib

def prepare_metadata_for_build_wheel(directory, settings=None):
    info = pathlib.Path(directory, "{name}-1.dist-info")
    info.mkdir()
    requires = "".join(f"Requires-Dist: {{one}}\\n" for one in open("deps.txt").read().splitlines())
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n" + requires)
    return info.name

def get_requires_for_build_wheel(settings=None):
    return []

def build_wheel(directory, settings=None, metadata=None):
    raise RuntimeError("only the metadata is needed")
"""


@pytest.fixture
def locker(machine: Machine, tmp_path: Path) -> Locker:
    """Resolve in an empty project."""
    return Locker(tmp_path / "project", machine)


@pytest.fixture(scope="module", autouse=True)
def packages(index: Index) -> None:
    """Serve packages whose requirements depend on the Python and the platform."""
    for version, python in (("1.0", ">=3.8"), ("2.0", ">=3.11"), ("3.0", ">=3.13")):
        index.release("fig", version, requires_python=python)
    index.release(
        "tree",
        "1.0",
        requires=(
            'apple; sys_platform == "win32"',
            'berry; python_version >= "3.13"',
            'raisin; platform_python_implementation == "PyPy"',
            'unreleased; python_version >= "3.14"',
        ),
    )
    index.release("tester", "1.0", requires=("juicer>=1",))
    index.release("juicer", "1.0", requires=("apple",))


def source(locker: Locker, path: str, name: str, *requires: str) -> None:
    """Write a project whose backend computes its version and dependencies."""
    locker.write(f"{path}/pyproject.toml", DYNAMIC.format(name=name))
    locker.write(f"{path}/backend.py", BACKEND.format(name=name))
    locker.write(f"{path}/deps.txt", "\n".join(requires))


# The Pythons and platforms of a lock.


@pytest.mark.parametrize(
    ("requirements", "python", "platforms", "expected"),
    [
        # a requirement of a later Python does not disturb a lock
        (("fig<2", 'fig>=2; python_version >= "3.14"'), ("3.11",), (), ["fig==1.0"]),
        # a lock holds nothing for platforms and implementations that are not listed
        (("tree",), ("3.12",), ("linux", "macos"), ["tree==1.0"]),
        (("tree",), ("3.12",), (), ['apple==2.0 ; sys_platform == "win32"', "tree==1.0"]),
        (("tree",), ("3.12", "pypy3.12"), ("linux",), [
            'raisin==1.0 ; python_full_version < "3.13" and implementation_name == "pypy" '
            'and platform_python_implementation == "PyPy" and sys_platform == "linux"', "tree==1.0"]),
        # a gap in the list of Pythons is a gap in the lock; without a Python it has no upper bound
        (("fig", 'berry; python_version == "3.11"'), ("3.9", "3.13"), (),
         ['fig==1.0 ; python_full_version < "3.10"', 'fig==3.0 ; python_full_version == "3.13.*"']),
        (("fig",), (), (),
         ['fig==2.0 ; python_full_version < "3.13"', 'fig==3.0 ; python_full_version >= "3.13"']),
        (('apple; python_version >= "3.13" and sys_platform == "linux"',), (), (),
         ['apple==2.0 ; python_full_version >= "3.13" and sys_platform == "linux"']),
        (('apple; python_full_version >= "3.12.4"',), ("3.12",), (),
         ['apple==2.0 ; python_full_version >= "3.12.4"']),
    ],
)  # fmt: skip
def test_a_lock_is_for_the_listed_pythons_and_platforms(
    locker: Locker, requirements: tuple[str, ...], python: tuple[str, ...], platforms: tuple[str, ...],
    expected: list[str],
) -> None:  # fmt: skip
    asked = plan("shop", *requirements, python=python, platforms=platforms, requires_python="3.12")
    assert locker.lines(asked) == expected


@pytest.mark.parametrize("variable", ["UV_NO_CONFIG", "UV_CONFIG_FILE"])
def test_the_bounds_hold_where_uv_reads_no_project_file(locker: Locker, variable: str) -> None:
    asked = plan("shop", "fig", python=("3.9", "3.13"), platforms=("linux",), pylock="pylock.shop.toml")
    usual = locker.resolve(asked)
    locker.env[variable] = str(locker.write("uv.toml", "")) if variable == "UV_CONFIG_FILE" else "1"
    assert locker.resolve(asked) == usual


# What uv is told.


def test_settings_of_the_project_do_not_change_a_lock_but_those_of_the_user_do(
    locker: Locker, tmp_path: Path
) -> None:
    locker.write("pyproject.toml", '[tool.uv]\nconstraint-dependencies = ["apple<2"]\n')
    locker.write("uv.toml", 'exclude-newer = "2020-01-01"\n')
    assert locker.lines(plan("shop", "apple")) == ["apple==2.0"]
    locker.env["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    locker.write("../config/uv/uv.toml", 'resolution = "lowest"\n[pip]\nemit-index-url = true\n')
    assert locker.lines(plan("shop", "apple")) == ["apple==1.0"]


def test_variables_of_uv_count_and_are_named(locker: Locker) -> None:
    locker.write("limits.txt", "apple<2\n")
    locker.env["UV_CONSTRAINT"] = "limits.txt"
    found = locker.resolve(plan("shop", "apple")).lock
    assert [(pin.version, pin.via) for pin in found.pins] == [("1.1", ("app: apple",))]
    variables = {
        "UV_CONSTRAINT": "limits.txt",
        "UV_INDEX": "https://me:secret@packages.example.org/simple",
        "UV_X": "1",
    }
    assert outside_settings(variables, {"sources": {}, "override-dependencies": ["apple<2"]}) == (
        "UV_CONSTRAINT changes what uv resolves: limits.txt",
        "UV_INDEX changes what uv resolves: https://packages.example.org/simple",
        "[tool.uv] override-dependencies in pyproject.toml does not count; write it in envs.yaml",
    )


EARLY = ExcludeNewer(than="2025-01-01")


@pytest.mark.parametrize(
    ("requirement", "options", "expected"),
    [
        ("basket", {"resolution": "lowest"}, ["apple==1.0", "basket==1.0"]),
        ("pear", {"no_binary": ("pear",)}, ["pear==1.0"]),
        ("quince", {"exclude_newer": ExcludeNewer(than="7 days")}, ["quince==1.0"]),
        ("quince", {"allow_prereleases": True}, ["quince==2.0rc1"]),
        ("quince", {"allow_prereleases": ("quince",)}, ["quince==2.0rc1"]),
        ("quince", {"allow_prereleases": True, "exclude_newer": EARLY}, ["quince==1.0"]),
        ("quince", {"allow_prereleases": True, "exclude_newer": replace(EARLY, exempt=("quince",))},
         ["quince==2.0rc1"]),
    ],
)  # fmt: skip
def test_options_of_an_environment_reach_uv(
    locker: Locker, index: Index, requirement: str, options: dict[str, object], expected: list[str]
) -> None:
    index.release("quince", "1.0")
    index.release("quince", "2.0rc1", uploaded="2025-06-01T00:00:00Z")
    assert locker.lines(plan("shop", requirement, **options)) == expected  # type: ignore[arg-type]
    refused = locker.failure(plan("shop", "pear", only_binary=(":all:",)))
    assert "pear==1.0 has no usable wheels" in refused


def test_the_first_index_that_has_a_package_decides(
    locker: Locker, index: Index, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serve(tmp_path_factory.mktemp("inner")) as inner:
        inner.release("apple", "1.0", files={"apple/other.py": ""})
        named = (("in", inner.url), ("out", index.url))
        locker.env["UV_DEFAULT_INDEX"] = "http://127.0.0.1:9/simple"
        found = locker.resolve(plan("shop", "apple", "plum", indexes=named)).lock
        assert [(pin.name, pin.version) for pin in found.pins] == [("apple", "1.0"), ("plum", "1.0")]
        assert found.pins[0].hashes == (f"sha256:{inner.sha256('apple-1.0-py3-none-any.whl')}",)
        assert "127.0.0.1" not in render_lock(found)


def test_constraints_and_layers_limit_and_are_named(locker: Locker) -> None:
    base = locker.resolve(plan("base", "apple<1.1")).lock
    asked = plan("shop", "basket", constraints=(declared("basket<1.1"),), layers=("base",))
    assert [(pin.name, pin.version, pin.via) for pin in locker.resolve(asked, layers=(base,)).lock.pins] == [
        ("apple", "1.0", ("-c requirements/base.txt", "basket")),
        ("basket", "1.0", ("-c envs.yaml", "app: basket")),
    ]


def test_build_constraints_reach_the_build(locker: Locker, index: Index) -> None:
    source(locker, "lib", "lib")
    text = DYNAMIC.format(name="lib").replace("requires = []", 'requires = ["apple"]')
    locker.write("lib/pyproject.toml", text)
    assert locker.lines(plan("shop", "./lib")) == ["./lib  # lib"]
    refused = locker.failure(plan("shop", "./lib", build_constraints=(declared("apple>9"),)))
    assert "apple>9" in refused


# What stays.


def test_current_pins_stay_until_an_upgrade_asks(locker: Locker) -> None:
    asked = plan("shop", "basket", "plum")
    old = parse_lock("apple==1.0\nbasket==1.0\nplum==1.0\n", origin="requirements/shop.txt").pins
    assert locker.lines(asked, kept=old) == ["apple==1.0", "basket==1.0", "plum==1.0"]
    one = locker.lines(asked, ("apple==1.1",), kept=old)
    assert one == ["apple==1.1", "basket==1.0", "plum==1.0"]
    assert locker.lines(asked, (), True, kept=old) == ["apple==2.0", "basket==1.1", "plum==1.0"]
    stricter = replace(asked, constraints=(declared("apple>=1.1"),))
    assert locker.lines(stricter, kept=old) == ["apple==2.0", "basket==1.0", "plum==1.0"]


def test_requirement_sets_are_named_with_their_text(locker: Locker) -> None:
    asked = plan(
        "shop", "apple>=1", declared("apple<3", label="test"), "basket[dried]", 'pear; python_version < "3"'
    )
    found = replace(locker.resolve(asked).lock, header=())
    assert [(pin.name, pin.via) for pin in found.pins] == [
        ("apple", ("app: apple>=1", "basket", "test: apple<3")),
        ("basket", ("app: basket[dried]",)),
        ("raisin", ("basket",)),
    ]
    assert locker.resolve(asked).lock.header == header_of(asked)


def test_hashes_of_a_requirement_are_enforced(locker: Locker, index: Index) -> None:
    index.release("melon", "1.0")
    index.release("melon", "1.0", tag="py2-none-any")
    right = f"sha256:{index.sha256('melon-1.0-py3-none-any.whl')}"
    found = locker.resolve(plan("shop", declared("melon==1.0", hashes=(right,)))).lock
    assert found.pins[0].hashes == (right,)
    assert len(locker.resolve(plan("shop", "melon")).lock.pins[0].hashes) == 2
    refused = locker.failure(plan("shop", declared("melon==1.0", hashes=("sha256:" + "0" * 64,))))
    assert refused.startswith("envs.yaml:4: ")
    assert "melon==1.0" in refused


# Folders and this project.


def test_local_paths_are_relative_and_as_editable_as_written(locker: Locker) -> None:
    write_source(locker.root / "l ibs/one", "one", "1.0", requires=("apple",))
    write_source(locker.root / "../t wo", "two", "1.0")
    build_wheel(locker.root, "apple", "1.0")
    wheel = "./apple-1.0-py3-none-any.whl"
    asked = plan("shop", "-e ./l ibs/one", "../t wo", wheel, pylock="pylock.shop.toml")
    found = locker.resolve(asked)
    text = render_lock(found.lock)
    assert [line.removesuffix(" \\") for line in text.splitlines() if line.startswith((".", "-e"))] == [
        "./apple-1.0-py3-none-any.whl",
        '-e "./l ibs/one"  # one',
        "../t wo  # two",
    ]
    assert str(locker.root) not in text + found.pylock
    assert 'directory = { path = "l ibs/one", editable = true }' in found.pylock
    assert 'directory = { path = "../t wo" }' in found.pylock
    assert '{ path = "apple-1.0-py3-none-any.whl"' in found.pylock
    assert parse_lock(text, origin=asked.path).pins[0].source == found.lock.pins[0].source


@pytest.mark.parametrize("text", ["./lib", "lib @ ./lib"])
def test_dependencies_of_a_folder_are_read_afresh_each_time(locker: Locker, text: str) -> None:
    asked = plan("shop", text)
    for name in ("apple", "raisin", "plum"):
        source(locker, "lib", "lib", name)
        os.utime(locker.root / "lib/pyproject.toml", (1e9, 1e9))
        assert {line.partition("==")[0] for line in locker.lines(asked)} == {name, "./lib  # lib"}


def test_a_project_that_has_to_be_built_is_resolved_but_not_pinned(locker: Locker) -> None:
    source(locker, ".", "juice", "basket")
    own = replace(declared("."), extras=())
    asked = plan("shop", "plum", own=own, package="editable", pylock="pylock.shop.toml")
    found = locker.resolve(asked)
    assert [(pin.name, pin.via) for pin in found.lock.pins] == [
        ("apple", ("basket",)),
        ("basket", ("juice",)),
        ("plum", ("app: plum",)),
    ]
    assert "juice" not in found.pylock
    assert locker.lines(replace(asked, requirements=())) == ["apple==2.0", "basket==1.1"]


def test_a_project_that_its_own_tools_require_is_part_of_the_resolution(locker: Locker) -> None:
    locker.project = "juicer"
    locker.write(
        "pyproject.toml", '[project]\nname = "juicer"\nversion = "9.dev0"\ndependencies = ["raisin"]\n'
    )
    asked = plan("shop", "tester")
    assert locker.lines(asked) == ["apple==2.0", "juicer==1.0", "tester==1.0"]
    assert locker.lines(replace(asked, points=plan("shop", package="editable").points)) == [
        "raisin==1.0",
        "tester==1.0",
    ]


def test_an_unreleased_project_that_its_own_tools_require_is_part_of_the_resolution(
    locker: Locker, index: Index
) -> None:
    index.release("harness", "1.0", requires=("brand-new>=2",))
    locker.project = "brand-new"
    locker.write("pyproject.toml", '[project]\nname = "brand.new"\nversion = "2.dev0"\n')
    assert "brand-new" in locker.failure(plan("shop", "harness", package="wheel"))
    locker.write("pyproject.toml", '[project]\nname = "brand.new"\nversion = "2.1"\n')
    assert locker.lines(plan("shop", "harness", package="wheel")) == ["harness==1.0"]


def test_a_build_may_need_the_python_of_the_lock(locker: Locker, interpreters: Callable[[str], str]) -> None:
    interpreters("3.12")
    source(locker, "lib", "lib", "apple")
    check = "import sys\nif sys.version_info[:2] != (3, 12):\n    raise SystemExit('needs 3.12')\n"
    locker.write("lib/backend.py", check + BACKEND.format(name="lib"))
    assert locker.lines(plan("shop", "./lib")) == ["apple==2.0", "./lib  # lib"]


# What is refused.


def test_a_failure_is_explained_with_sets_and_places(locker: Locker) -> None:
    base = locker.resolve(plan("base", "apple<2")).lock
    base = parse_lock(render_lock(base), origin=base.origin)
    asked = plan("shop", "apple>=2", "plum", constraints=(declared("apple<3"),))
    told = locker.failure(asked, layers=(base,))
    assert told.splitlines() == [
        "No solution found when resolving dependencies for python_full_version == '3.12.*'",
        "  cause: Because you require apple>=2 and apple==1.1, we can conclude that your requirements are"
        " unsatisfiable.",
        "asked for by:",
        "  app: apple>=2 (envs.yaml:4)",
        "  constraint apple<3 (envs.yaml:4)",
        "  constraint apple==1.1 (requirements/base.txt:7)",
    ]


def test_a_requirement_that_uv_cannot_read_is_named(locker: Locker) -> None:
    locker.write("lib/readme.txt", "no project")
    told = locker.failure(plan("shop", "./lib"))
    assert "./lib" in told
    assert "/tmp" not in told


def test_credentials_that_a_package_brings_are_refused(locker: Locker, index: Index) -> None:
    url = index.url.replace("/simple", "/files/plum-1.0-py3-none-any.whl").replace("//", "//me:secret@")
    write_source(locker.root / "helper", "helper", "1.0", requires=[f"plum @ {url}"])
    told = locker.failure(plan("shop", "./helper"))
    assert told == "plum: a URL with credentials; leave them to netrc, the keyring or the environment"


GIT = {"git": "https://git.example.org/apple", "branch": "main"}


@pytest.mark.parametrize(
    ("entry", "instead"),
    [
        (GIT, "Apple @ git+https://git.example.org/apple@main"),
        ([{"url": "https://example.org/a.whl", "marker": "x"}], "Apple @ https://example.org/a.whl"),
        ({"path": "libs/apple", "editable": True}, "-e ./libs/apple"),
        ({"path": "./libs/apple"}, "./libs/apple"),
        ({"path": "../apple", "editable": True}, "-e ../apple"),
        ({"index": "inner"}, "the index 'inner' under indexes"),
        ({"workspace": True}, "-e ./ and its folder"),
    ],
)
def test_a_package_with_an_entry_in_sources_is_refused(locker: Locker, entry: object, instead: str) -> None:
    locker.settings = {"sources": {"Apple": entry}}
    told = f"Apple: its entry in [tool.uv.sources] does not count; in envs.yaml, write {instead}"
    assert [locker.failure(plan("shop", required)) for required in ("apple", "basket")] == [told] * 2


def test_an_entry_in_sources_that_the_spec_repeats_is_fine(locker: Locker, index: Index) -> None:
    write_source(locker.root / "libs/apple", "apple", "5.0")
    locker.settings = {"sources": {"apple": {"path": "libs/apple"}, "plum": {"index": "main"}}}
    asked = plan("shop", "-e ./libs/apple", "plum", indexes=(("main", index.url),))
    assert locker.lines(asked) == ["-e ./libs/apple  # apple", "plum==1.0"]


# pylock files.


def test_a_pylock_holds_the_same_pins(locker: Locker) -> None:
    asked = plan("shop", "fig", "basket", python=("3.9", "3.13"), pylock="pylock.shop.toml")
    found = locker.resolve(asked)
    packages = cast("list[dict[str, str]]", parse_toml(found.pylock)["packages"])
    pins = sorted((pin.name, pin.version) for pin in found.lock.pins)
    assert sorted((one["name"], one["version"]) for one in packages) == pins
    assert all(pin.hashes[0].removeprefix("sha256:") in found.pylock for pin in found.lock.pins)
    assert render_pylock(found.lock, found.pylock) == found.pylock
    assert locker.resolve(replace(asked, requirements=())).pylock.endswith("packages = []\n")
    assert found == locker.resolve(asked)


# Branches.


def git(locker: Locker, machine: Machine, name: str, *arguments: str) -> str:
    return machine.run("git", *arguments, cwd=locker.root.parent / name).stdout.strip()


def commit(locker: Locker, machine: Machine, name: str = "widget", version: str = "1.0") -> str:
    """Commit a version of a package to its repository and return the commit."""
    root = locker.root.parent / name
    if not root.exists():
        root.mkdir()
        git(locker, machine, name, "init", "-q", "-b", "main")
    write_source(root, name, version)
    git(locker, machine, name, "add", ".")
    git(locker, machine, name, "commit", "-q", "--allow-empty", "-m", version)
    settings = locker.write(
        "../gitconfig", f'[url "{root.parent.as_uri()}/"]\n\tinsteadOf = https://git.example.org/\n'
    )
    locker.env["GIT_CONFIG_GLOBAL"] = str(settings)
    return git(locker, machine, name, "rev-parse", "HEAD")


URL = "git+https://git.example.org/widget"


def test_a_branch_stays_at_its_commit_until_an_upgrade_asks(locker: Locker, machine: Machine) -> None:
    asked = plan("shop", f"widget @ {URL}@main", "plum", pylock="pylock.shop.toml")
    first = commit(locker, machine)
    old = locker.resolve(asked).lock
    assert [pin.source.revision for pin in old.pins] == ["", first]
    second = commit(locker, machine, version="2.0")
    again = locker.resolve(asked, kept=old.pins)
    assert again.lock == old
    assert first in again.pylock
    for packages, upgrade in ((("widget",), False), ((), True)):
        moved = locker.resolve(asked, packages, upgrade, kept=old.pins).lock
        assert [pin.source.revision for pin in moved.pins] == ["", second]
    moved = locker.resolve(asked, layers=(old,), upgrade=True).lock
    assert [pin.source.revision for pin in moved.pins] == ["", first]


def test_another_branch_or_a_commit_that_cannot_stay_is_resolved_again(
    locker: Locker, machine: Machine
) -> None:
    asked = plan("shop", f"widget @ {URL}@main")
    commit(locker, machine)
    old = locker.resolve(asked).lock.pins
    newer = commit(locker, machine, version="2.0")
    found = locker.resolve(plan("shop", f"widget @ {URL}"), kept=old)
    assert [pin.source.revision for pin in found.lock.pins] == [newer]
    assert not found.warnings
    stricter = replace(asked, constraints=(declared("widget>=2"),))
    found = locker.resolve(stricter, kept=old)
    assert [pin.source.revision for pin in found.lock.pins] == [newer]
    assert found.warnings == (
        "the locked commits cannot stay, so the newest ones of the branches are locked",
    )
    impossible = replace(asked, constraints=(declared("widget>=3"),))
    assert "widget" in locker.failure(impossible, kept=old)


def test_nothing_is_resolved_for_an_environment_without_requirements(locker: Locker) -> None:
    assert locker.resolve(plan("shop")).lock == Lock(
        origin="requirements/shop.txt", header=header_of(plan("shop")), pins=()
    )
