"""What changed between two locks, revisions, venvs or reports: one row for each package."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.changes import CHANGE_KINDS, Comparison, Pair, PinSet, compare, pair, version_change
from nox_envs.cli import main
from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.lockfile.text import parse
from nox_envs.pins import INDEX, Pin, Source
from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.as_json import render_json
from nox_envs.report.changes import ChangesFormat, changes_schema, count_changes, render_changes
from nox_envs.snapshot import Interpreter
from nox_envs.workflow.installed_sets import host_of
from nox_envs.workflow.lock_trees import DiskTree, read_folder, read_lock
from nox_envs.workflow.review import Review, Reviewer
from tests.conftest import BareVenv
from tests.test_git_objects import run_git

GOLDEN = Path(__file__).parent / "golden" / "diff"
FORMATS = get_args(ChangesFormat)
SCHEMA = jsonschema.Draft202012Validator(json.loads(changes_schema()))
NAMED = ("docs", "tests", "types")
HASH = f"sha256:{'a' * 64}"
OTHER_HASH = f"sha256:{'b' * 64}"

SPEC = """\
version: 1
requirements:
  test: [alpha]
environments:
  tests:
    python: ["3.12", "3.13"]
    requirements: [test]
  docs:
    requirements: [test]
"""
HOST = {
    "sys_platform": "linux", "os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64",
    "python_version": "3.11", "python_full_version": "3.11.1", "implementation_name": "cpython",
    "platform_python_implementation": "CPython", "implementation_version": "3.11.1",
    "platform_release": "", "platform_version": "",
}  # fmt: skip


def pins(text: str) -> tuple[Pin, ...]:
    """Read pins from the text of a lock."""
    return parse(text, origin="lock.txt").pins


def lock(text: str, *environments: str, name: str = "") -> PinSet:
    names = environments or ("tests",)
    return PinSet(name=name or names[0], environments=names, pins=pins(text))


def venv(text: str, session: str = "tests", environment: str = "", *, sourced: bool = True) -> PinSet:
    return PinSet(
        name=session, environments=(environment or session,), pins=pins(text), installed=True, sourced=sourced
    )


def compared(old: PinSet | None, new: PinSet | None) -> Comparison:
    return compare((Pair(old=old, new=new),))


def rows(comparison: Comparison) -> list[tuple[str, str, str, str, str]]:
    """Return every change as package, kind, from, to, note."""
    return [
        (one.package, change.kind, change.old, change.new, change.note)
        for one in comparison.packages
        for change in one.changes
    ]


@pytest.mark.parametrize(
    ("old", "new", "kind", "backwards"),
    [
        ("1.0", "2.0", "major", False),
        ("2.0", "1.9", "major", True),
        ("1.0", "1!0.1", "major", False),
        ("1.0", "1.1", "minor", False),
        ("1", "1.1", "minor", False),
        ("1.2.3", "1.2.4", "patch", False),
        ("1.2.3.4", "1.2.3.5", "patch", False),
        ("1.0rc1", "1.0", "patch", False),
        ("1.0", "1.0.post1", "patch", False),
        ("1.0.dev1", "1.0a1", "patch", False),
        ("1.0", "1.0+cu126", "other", False),
        ("1.0", "1.0.0", "other", False),
        ("1.0", "2004a", "major", False),
        ("1.0", "latest", "other", False),
        ("1.0", "9" * 5000, "other", False),
    ],
)
def test_the_number_that_differs_makes_the_kind(old: str, new: str, kind: str, backwards: bool) -> None:
    assert version_change(old, new) == (kind, backwards)


def test_every_kind_of_change_of_a_lock_is_named() -> None:
    old = lock(
        f"alpha==1.0 --hash={HASH}\nbeta==1.0\ndelta==1.0 ; sys_platform == 'win32'\nepsilon==2.0\n"
        f"zeta==1.0\neta[x]==1.0\ntheta==1.0 --hash={HASH}\niota @ git+https://example.org/iota@aaaaaaa\n"
        "kappa==1.0\n"
    )
    new = lock(
        f"alpha==1.0 --hash={HASH}\ngamma==3.0 ; python_version < '3.12'\n"
        "delta==1.0 ; sys_platform == 'linux'\nepsilon==1.0\nzeta==1.0.1\neta==1.0\n"
        f"theta==1.0 --hash={OTHER_HASH}\niota @ git+https://example.org/iota@bbbbbbb\n"
        "kappa @ https://example.org/kappa-1.0.zip\n"
    )
    assert rows(compared(old, new)) == [
        ("beta", "removed", "1.0", "", ""),
        ("delta", "other", "1.0", "1.0", "marker: sys_platform == 'win32' -> sys_platform == 'linux'"),
        ("epsilon", "major", "2.0", "1.0", "downgrade"),
        ("eta", "other", "1.0", "1.0", "extras: x -> none"),
        ("gamma", "added", "", "3.0", "only if python_version < '3.12'"),
        (
            "iota",
            "other",
            "git+https://example.org/iota@aaaaaaa",
            "git+https://example.org/iota@bbbbbbb",
            "source",
        ),
        ("kappa", "other", "1.0", "https://example.org/kappa-1.0.zip", "source"),
        ("theta", "other", "1.0", "1.0", "hashes: 1 added, 1 removed"),
        ("zeta", "patch", "1.0", "1.0.1", ""),
    ]


def test_spelling_and_annotations_are_no_difference() -> None:
    old = lock("a==1.0 ; python_version<'3.12'\n    # via b\nb==1.0\n")
    new = lock('B==1.0\nA==1.0 ;  python_version < "3.12"\n    # via c\n')
    assert not compared(old, new).different


def test_several_pins_of_one_package_are_matched_by_marker() -> None:
    old = lock("n==1.0 ; python_version < '3.11'\nn==2.0 ; python_version >= '3.11'\n")
    new = lock(
        "n==1.1 ; python_version < '3.11'\nn==2.0 ; python_version >= '3.11' and python_version < '3.13'\n"
        "n==3.0 ; python_version >= '3.13'\n"
    )
    assert [row[1:4] for row in rows(compared(old, new))] == [
        ("added", "", "3.0"),
        ("minor", "1.0", "1.1"),
        ("other", "2.0", "2.0"),
    ]


def test_one_package_is_one_row_for_all_environments() -> None:
    pairs = pair(
        (lock("a==1.0\n", "docs"), lock("a==1.0\n", "tests"), lock("a==1.1\n", "types")),
        (
            lock("a==2.0\n    # via x\n", "docs"),
            lock("a==2.0\n    # via y\n", "tests"),
            lock("a==2.0\n", "types"),
        ),
    )
    (row,) = compare(pairs).packages
    assert [(one.old, one.environments) for one in row.changes] == [
        ("1.0", ("docs", "tests")),
        ("1.1", ("types",)),
    ]
    assert (row.kind, row.via, row.environments) == ("major", ("x", "y"), ("docs", "tests", "types"))


def test_locks_are_paired_by_name_then_by_environment() -> None:
    kept, renamed, gone = lock("a==1\n", "docs"), lock("a==1\n", "tests", name="old"), lock("a==1\n", "lint")
    moved, new = lock("a==1\n", "tests", name="sub/tests"), lock("a==1\n", "types")
    comparison = compare(pair((kept, renamed, gone), (kept, moved, new)))
    assert comparison.environments == ("docs", "tests")
    assert (comparison.added, comparison.removed) == (("types",), ("lint",))
    assert [row[:2] for row in rows(comparison)] == [("a", "added"), ("a", "removed")]


def test_one_lock_stands_against_every_venv_of_its_environment() -> None:
    locks = (lock("a==1.0\n", "tests"), lock("b==1.0\n", "docs"))
    venvs = (venv("a==1.0\n", "tests-3.12", "tests"), venv("a==1.1\n", "tests-3.13", "tests"))
    forward = compare(pair(locks, venvs))
    assert [(one.package, one.environments) for one in forward.packages] == [("a", ("tests-3.13",))]
    assert forward.uncompared == ("docs",)
    backward = compare(pair(venvs, locks))
    assert [(one.package, one.environments) for one in backward.packages] == [("a", ("tests-3.13",))]
    assert backward.uncompared == ("docs",)


def test_a_venv_without_a_lock_is_gone_or_new() -> None:
    venvs = (venv("a==1\n", "x"), venv("a==1\n", "y"))
    assert compare(pair(venvs, (lock("a==1\n", "x"),))).removed == ("y",)
    assert compare(pair((lock("a==1\n", "x"),), venvs)).added == ("y",)


def test_a_venv_knows_no_hashes_markers_or_extras() -> None:
    old = lock(f"a[x]==1.0 ; python_version > '3' --hash={HASH}\npip==24.0\n")
    assert not compared(old, venv("a==1.0+local\npip==24.0\nwheel==1\n")).different
    assert [row[:2] for row in rows(compared(old, venv("a==1.1\n")))] == [("a", "minor"), ("pip", "removed")]
    assert not compared(venv("a==1.0\npip==1\n"), venv("a==1.0\n")).different


def test_sources_count_as_far_as_both_sides_know_them() -> None:
    commit = "a" * 40
    old = lock(f"a @ git+https://example.org/a@{commit}\n")
    there = PinSet(
        name="tests",
        environments=("tests",),
        installed=True,
        pins=(
            Pin(
                name="a",
                version="1.0",
                source=Source(kind="vcs", url="git+https://example.org/a.git", revision=commit),
            ),
        ),
    )
    assert not compared(old, there).different
    assert rows(compared(old, venv("a==1.0\n")))[0][1] == "other"
    assert not compared(old, venv("a==1.0\n", sourced=False)).different
    assert rows(compared(lock("a==2.0\n"), venv("a==1.0\n", sourced=False)))[0][1:4] == (
        "major",
        "2.0",
        "1.0",
    )


NAMES = st.sampled_from(["a", "b", "c"])
VERSIONS = st.sampled_from(["1.0", "1.0.0", "1.1", "2.0", "2.0rc1", "1.0+local", "x"])
MARKERS = st.sampled_from(["", "python_version < '3.12'", "sys_platform=='win32'", "not a marker"])
PINS = st.builds(
    Pin,
    name=NAMES,
    version=VERSIONS,
    marker=MARKERS,
    source=st.sampled_from([INDEX, Source(kind="vcs", url="git+https://example.org/x", revision="r")]),
    hashes=st.sampled_from([(), (HASH,), (HASH, OTHER_HASH)]),
    via=st.sampled_from([(), ("x",)]),
)
SETS = st.builds(
    PinSet,
    name=st.sampled_from(["tests", "docs"]),
    environments=st.sampled_from([("tests",), ("docs",), ("docs", "tests")]),
    pins=st.lists(PINS, max_size=6).map(tuple),
    installed=st.booleans(),
    sourced=st.booleans(),
)


@settings(deadline=None)
@given(one=SETS)
def test_nothing_differs_from_itself(one: PinSet) -> None:
    assert not compared(one, one).different


@settings(deadline=None)
@given(old=SETS, new=SETS)
def test_the_way_back_has_as_many_changes(old: PinSet, new: PinSet) -> None:
    there, back = compared(old, new), compared(new, old)
    assert [one.package for one in there.packages] == [one.package for one in back.packages]
    assert len(rows(there)) == len(rows(back))
    assert {row[1] for row in rows(there)} <= set(CHANGE_KINDS)


@settings(deadline=None)
@given(old=st.lists(SETS, max_size=3).map(tuple), new=st.lists(SETS, max_size=3).map(tuple))
def test_any_comparison_is_rendered_in_every_format(old: tuple[PinSet, ...], new: tuple[PinSet, ...]) -> None:
    comparison = compare(pair(old, new))
    for kind in FORMATS:
        rendered = render_changes(comparison, kind, old="old", new="new", colour=True)
        assert rendered.endswith("\n")
        if kind == "json":
            SCHEMA.validate(json.loads(rendered))


def everything() -> Comparison:
    """Return a comparison with every kind of change, and texts that mean something to a format."""
    old = (
        lock("alpha==1.0\nbeta==1.0\nepsilon==2.0\n    # via a\nzeta==1.0\n", "docs"),
        lock(f"alpha==1.0\nbeta==1.1\ntheta==1.0 --hash={HASH}\nodd==1.0\n", "tests"),
        lock("alpha==1.0\n", "types"), lock("alpha==1.0\n", "lint"), lock("left==1.0\n", "left"),
    )  # fmt: skip
    new = (
        lock(
            "alpha==2.0\n    # via\n    #   a: alpha>=2\n    #   b\n    #   c\n    #   d\nbeta==1.2\n"
            "epsilon==1.9\nzeta==1.0.1\nnew==1.0 ; os_name == 'nt'\n"
            "    # via <b>|`x`@someone www.example.org\n",
            "docs",
        ),
        lock(f"alpha==2.0\nbeta==1.2\ntheta==1.0 --hash={OTHER_HASH}\n", "tests"),
        lock("alpha==2.0\n", "types"), lock("alpha==2.0\n", "lint"), lock("come==1.0\n", "come"),
    )  # fmt: skip
    return compare(pair(old, new))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_comparison_is_rendered_as_it_is_kept(kind: ChangesFormat) -> None:
    text = render_changes(everything(), kind, old="main:requirements", new="requirements")
    assert text == (GOLDEN / f"everything.{kind}").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", FORMATS)
def test_no_difference_is_said_in_every_format(kind: ChangesFormat) -> None:
    text = render_changes(compared(lock("a==1\n"), lock("a==1\n")), kind, old="a\x1b[31m.txt", new="b.txt")
    assert text == (GOLDEN / f"nothing.{kind}").read_text(encoding="utf-8")


def test_the_headline_has_one_colon_after_a_revision() -> None:
    text = render_changes(everything(), "text", old="main:", new="two:")
    assert text.startswith("main: -> two: 9 packages: ")


def test_the_json_is_a_contract() -> None:
    value = json.loads(render_changes(everything(), "json", old="a", new="b"))
    SCHEMA.validate(value)
    schema = SCHEMA.schema
    assert isinstance(schema, dict)
    SCHEMA.check_schema(schema)
    package, change = schema["$defs"]["package"], schema["$defs"]["change"]
    assert sorted(value) == sorted(schema["properties"]) == sorted(schema["required"])
    assert sorted(value["environments"]) == sorted(schema["properties"]["environments"]["properties"])
    assert sorted(value["summary"]) == sorted(CHANGE_KINDS) == sorted(schema["$defs"]["kind"]["enum"])
    for one in value["packages"]:
        assert sorted(one) == sorted(package["properties"]) == sorted(package["required"])
        for row in one["changes"]:
            assert sorted(row) == sorted(change["properties"]) == sorted(change["required"])
    assert {row["kind"] for one in value["packages"] for row in one["changes"]} == set(CHANGE_KINDS)
    assert sum(value["summary"].values()) == len(value["packages"])
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate({**value, "packages": [{"package": "a"}]})


def test_a_table_fits_a_comment_whatever_the_number_of_packages() -> None:
    many = "".join(f"package-number-{number}==1.0\n" for number in range(3000))
    text = render_changes(compared(lock(""), lock(many)), "markdown", old="a", new="b")
    assert len(text) < 65_536
    assert "more packages, which do not fit here" in text
    assert count_changes(compared(lock(""), lock("a==1\n"))) == "1 package: 1 added"


# Files, revisions, venvs ---------------------------------------------------------------------------


def reviewed(root: Path, old: str, new: str | None = None) -> Review:
    from nox_envs.workflow.project import Project

    spec = root / "envs.yaml"

    def host() -> Mapping[str, str]:
        return HOST

    def opened() -> Project:
        return Project(spec, envdir=".nox", environ={}, host=host)

    return Reviewer(root, spec=spec, project=opened, host=host).review(old, new)


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")


def header(environment: str) -> str:
    return f"# environment: {environment}\n# input: sha256:0\n\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project of two commits below the root of a git repository, with changes not committed."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    top = tmp_path_factory.mktemp("review") / "top"
    root = top / "project"
    write(root, "envs.yaml", SPEC)
    write(root, "requirements/tests.txt", header("tests") + "alpha==1.0\n    # via test: alpha\n")
    write(root, "requirements/notes.txt", "Nothing that anyone installs\n")
    write(root, "other/app.txt", "alpha==5.0\r\n")
    run_git(top, "init", "-q", "-b", "main")
    run_git(top, "add", ".")
    run_git(top, "commit", "-q", "-m", "One")
    write(root, "requirements/tests.txt", header("tests") + "alpha==1.1\n    # via test: alpha\n")
    write(root, "requirements/docs.txt", header("docs") + "alpha==1.1\n")
    run_git(top, "add", ".")
    run_git(top, "commit", "-q", "-m", "Two")
    write(root, "requirements/tests.txt", header("tests") + "alpha==2.0\n    # via test: alpha\n")
    return root


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("HEAD:", None, [("alpha", "major", "1.1", "2.0")]),
        ("main:", ".", [("alpha", "major", "1.1", "2.0")]),
        ("HEAD~1:", "HEAD:", [("alpha", "added", "", "1.1"), ("alpha", "minor", "1.0", "1.1")]),
        ("HEAD~1:project/requirements/tests.txt", None, [("alpha", "major", "1.0", "2.0")]),
        ("HEAD~1:./requirements/tests.txt", "HEAD:./requirements/tests.txt",
         [("alpha", "minor", "1.0", "1.1")]),
        ("HEAD:", "requirements/tests.txt", [("alpha", "major", "1.1", "2.0")]),
        ("HEAD:", "requirements", [("alpha", "major", "1.1", "2.0")]),
        ("requirements", "HEAD:", [("alpha", "major", "2.0", "1.1")]),
        ("HEAD~1:project/requirements", "requirements",
         [("alpha", "major", "1.0", "2.0"), ("alpha", "added", "", "1.1")]),
        ("requirements/docs.txt", "requirements/tests.txt", [("alpha", "major", "1.1", "2.0")]),
        ("HEAD:project/other", "requirements/tests.txt", [("alpha", "major", "5.0", "2.0")]),
        ("HEAD:../project/other/app.txt", "other/app.txt", []),
    ],
)  # fmt: skip
def test_each_side_is_what_its_text_names(
    repository: Path, old: str, new: str | None, expected: list[tuple[str, ...]]
) -> None:
    assert [row[:4] for row in rows(reviewed(repository, old, new).comparison)] == expected


def test_what_is_no_lock_is_left_aside_with_a_note(repository: Path) -> None:
    review = reviewed(repository, "HEAD:")
    assert review.notes == (
        "HEAD:project/requirements/notes.txt: left aside, it is no lock",
        "requirements/notes.txt: left aside, it is no lock",
    )
    assert (review.old, review.new) == ("HEAD:", "the working tree")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mian:", None, "there is no revision 'mian'"),
        (":requirements", None, "names no revision; the last commit is HEAD:requirements"),
        ("HEAD:nowhere", None, "HEAD has no 'nowhere'"),
        ("HEAD:../../outside", "requirements", "leads out of the git repository"),
        ("HEAD~9:", None, "goes back further"),
        ("nowhere.txt", "requirements", "no file or directory 'nowhere.txt'"),
        ("tets", "requirements", "no environment 'tets' .did you mean 'tests'.*a colon: tets:"),
        ("requirements", None, "'requirements' alone is nothing to compare"),
        ("nowhere/x", None, "no file or directory 'nowhere/x'"),
        ("tests", "requirements", "'tests' is not built"),
        ("envs.yaml", "requirements", "envs.yaml:1:"),
        ("x\0y", "requirements", "no file or directory"),
        ("x" * 5000, "requirements", "no environment"),
        ("C:\\locks", "requirements", "no file or directory"),
    ],
)
def test_a_side_that_cannot_be_read_is_an_error(
    repository: Path, old: str, new: str | None, message: str
) -> None:
    with pytest.raises(NoxEnvsError, match=message):
        reviewed(repository, old, new)


def test_without_a_repository_there_is_no_revision(tmp_path: Path) -> None:
    write(tmp_path, "requirements/tests.txt", "a==1\n")
    if any((folder / ".git").exists() for folder in tmp_path.parents):
        pytest.skip("the temporary folder is in a git repository")
    with pytest.raises(NoxEnvsError, match="is in no git repository"):
        reviewed(tmp_path, "main:", "requirements")


def test_folders_without_a_lock_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(NoxEnvsError, match="neither a nor b holds a lock"):
        reviewed(tmp_path, "a", "b")
    write(tmp_path, "a/readme.md", "no lock\n")
    with pytest.raises(NoxEnvsError, match="a: holds no lock"):
        reviewed(tmp_path, "a", "b")


def test_an_empty_folder_is_a_side_on_which_everything_is_new(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path, "b/tests.txt", "x==1\n")
    comparison = reviewed(tmp_path, "a", "b").comparison
    assert (comparison.added, [row[:2] for row in rows(comparison)]) == (("tests",), [("x", "added")])


def test_locks_of_other_tools_are_read_with_their_options_and_includes(tmp_path: Path) -> None:
    write(tmp_path, "base.txt", "a==1.0\nb==1.0\n")
    write(
        tmp_path,
        "test.txt",
        "# autogenerated by pip-compile\n--index-url https://packages.example.org/simple\n-i https://example.org\n"
        "--no-binary=:all:\n--pre\n-c limits.txt\n-r base.txt\n-r ./base.txt  # again\nc==1.0\n",
    )
    found = read_lock(DiskTree(root=tmp_path), "test.txt")
    assert [pin.name for pin in found.pins] == ["c", "a", "b"]
    assert found.environments == ("test",)


def test_editable_lines_of_other_tools_are_no_pins(tmp_path: Path) -> None:
    write(tmp_path, "dev.txt", "-e file:///somewhere\n-e .\n    # via -r dev.in\n-e ./lib  # lib\na==1.0\n")
    assert [pin.name for pin in read_lock(DiskTree(root=tmp_path), "dev.txt").pins] == ["lib", "a"]


PYLOCK = """\
lock-version = "1.0"
created-by = "someone"

[[packages]]
name = "alpha"
version = "1.0"

[[packages.wheels]]
name = "alpha-1.0-py3-none-any.whl"
url = "https://packages.example.org/alpha-1.0-py3-none-any.whl"
hashes = {sha256 = "HASH"}
""".replace("HASH", "a" * 64)


def test_pylocks_are_read_where_no_requirements_file_says_the_same(tmp_path: Path) -> None:
    for side, text in (
        ("old", PYLOCK),
        ("new", PYLOCK.replace("1.0", "1.1").replace('"1.1"\n', '"1.0"\n', 1)),
    ):
        write(tmp_path, f"{side}/pylock.tests.toml", text)
        write(tmp_path, f"{side}/pylock.docs.toml", PYLOCK.replace("1.0", "9.9"))
        write(tmp_path, f"{side}/docs.txt", "alpha==5.0\n")
    comparison = reviewed(tmp_path, "old", "new").comparison
    assert comparison.environments == ("docs", "tests")
    assert [row[:4] for row in rows(comparison)] == [("alpha", "minor", "1.0", "1.1")]
    write(tmp_path, "old/pylock.tests.toml", "nothing\n")
    with pytest.raises(FileProblems):
        reviewed(tmp_path, "old", "new")


def pylock(alpha: str, commit: str, *more: str) -> str:
    """Return the text of a pylock as nox-envs writes it: a package, a repository and a local folder."""
    package = (
        '[[packages]]\nname = "{name}"\nversion = "{version}"\n'
        'wheels = [{{ url = "https://packages.example.org/{name}-{version}-py3-none-any.whl", '
        'hashes = {{ sha256 = "{digest}" }} }}]\n\n[packages.tool.nox-envs]\nvia = ["test: {name}"]\n'
    )
    blocks = [
        "# environment: tests\n# input: sha256:0\n",
        'lock-version = "1.0"\ncreated-by = "nox-envs"\n',
        package.format(name="alpha", version=alpha, digest="a" * 64),
        *(package.format(name=name, version="1.0", digest="b" * 64) for name in more),
        '[[packages]]\nname = "lib"\ndirectory = { path = "../lib" }\n',
        '[[packages]]\nname = "tool"\n'
        f'vcs = {{ type = "git", url = "https://git.example.org/tool", commit-id = "{commit}" }}\n',
    ]
    return "\n".join(blocks)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("HEAD:", None),
        ("HEAD:", "."),
        ("HEAD:project/locks/pylock.tests.toml", None),
        ("HEAD:./locks", "locks"),
        ("HEAD:./locks/pylock.tests.toml", "locks/pylock.tests.toml"),
        ("older/pylock.tests.toml", "locks/pylock.tests.toml"),
    ],
)
def test_pylocks_are_compared_as_other_locks_are(tmp_path: Path, old: str, new: str | None) -> None:
    root = tmp_path / "top" / "project"
    before, after = pylock("1.0", "a" * 40, "beta"), pylock("2.0", "b" * 40)
    locked = "    lock: {file: locks/pylock.tests.toml, format: pylock}\n"
    write(root, "envs.yaml", SPEC.replace("  docs:", locked + "  docs:"))
    write(root, "pylock.toml", PYLOCK)
    for folder in ("locks", "older"):
        write(root, f"{folder}/pylock.tests.toml", before)
    run_git(root.parent, "init", "-q", "-b", "main")
    run_git(root.parent, "add", ".")
    run_git(root.parent, "commit", "-q", "-m", "One")
    write(root, "locks/pylock.tests.toml", after)
    comparison = reviewed(root, old, new).comparison
    text = render_changes(comparison, "markdown", old="main:", new="the working tree")
    assert text == (GOLDEN / "pylock.markdown").read_text(encoding="utf-8")
    write(root, "locks/pylock.tests.toml", "[[packages]]\n")
    with pytest.raises(FileProblems, match=r"pylock\.tests\.toml:1:1: is no pylock"):
        reviewed(root, old, new)


def test_locks_that_include_themselves_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "-r b.txt\n")
    write(tmp_path, "b.txt", "-ra.txt\n")
    with pytest.raises(NoxEnvsError, match=r"includes itself: a\.txt -> b\.txt -> a\.txt"):
        read_lock(DiskTree(root=tmp_path), "a.txt")


def test_a_generated_lock_with_a_broken_line_stops_the_comparison_of_its_folder(tmp_path: Path) -> None:
    write(tmp_path, "tests.txt", header("tests") + "<<<<<<< ours\na==1\n")
    with pytest.raises(FileProblems, match="unresolved merge conflict"):
        read_folder(DiskTree(root=tmp_path), "")


def test_a_committed_file_in_another_encoding_is_an_error(repository: Path) -> None:
    (repository / "latin.txt").write_bytes(b"a==1 # caf\xe9\n")
    run_git(repository, "add", "latin.txt")
    run_git(repository, "commit", "-q", "-m", "Latin", "latin.txt")
    try:
        with pytest.raises(NoxEnvsError, match=r"HEAD:project/latin\.txt: is not UTF-8"):
            reviewed(repository, "HEAD:", "latin.txt")
    finally:
        run_git(repository, "reset", "-q", "--hard", "HEAD~1")
        write(repository, "requirements/tests.txt", header("tests") + "alpha==2.0\n    # via test: alpha\n")


def place(bare: BareVenv, root: Path, directory: str, **versions: str) -> None:
    for name, version in versions.items():
        bare.add(name, version)
    target = root / ".nox" / directory
    target.parent.mkdir(exist_ok=True)
    bare.location.rename(target)


def test_a_venv_is_compared_with_what_its_lock_means_for_it(tmp_path: Path, bare_venv: BareVenv) -> None:
    root = tmp_path / "project"
    write(root, "envs.yaml", SPEC)
    write(root, "pyproject.toml", "[project]\nname = 'demo'\n")
    write(
        root,
        "requirements/tests.txt",
        header("tests") + "alpha==1.0\nbeta==1.0 ; python_version < '3.12'\n"
        "gamma==1.0 ; sys_platform == 'linux'\n",
    )
    bare_venv.add("demo", "0", direct_url=json.dumps({"url": root.as_uri(), "dir_info": {"editable": True}}))
    place(bare_venv, root, "tests-3-12", alpha="1.1", gamma="1.0", pip="24.0")
    for old, new in (("requirements/tests.txt", "tests-3.12"), ("requirements", "tests")):
        review = reviewed(root, old, new)
        assert [row[:4] for row in rows(review.comparison)] == [("alpha", "minor", "1.0", "1.1")]
        assert review.comparison.packages[0].environments == ("tests-3.12",)
    assert reviewed(root, "requirements", "tests").notes == ("not built: tests-3.13",)
    assert not reviewed(root, "tests-3.12", ".nox/tests-3-12").comparison.different
    other = BareVenv(location=tmp_path / "other")
    shutil.copytree(root / ".nox" / "tests-3-12", other.location)
    shutil.rmtree(other.site / "alpha-1.1.dist-info")
    other.add("alpha", "2.0")
    other.add("delta", "1.0")
    assert [row[:4] for row in rows(reviewed(root, "tests-3.12", "../other").comparison)] == [
        ("alpha", "major", "1.1", "2.0"),
        ("delta", "added", "", "1.0"),
    ]
    (root / "tests").mkdir()
    assert (
        "'tests' is read as the environment; ./tests is the directory"
        in reviewed(root, "tests", "tests").notes
    )


def report_text(*environments: EnvironmentReport) -> str:
    return render_json(Report(environments=environments))


def environment(session: str, python: str = "3.12.1", **distributions: str) -> EnvironmentReport:
    return EnvironmentReport(
        environment=session.partition("-")[0],
        session=session,
        python=python,
        lock="",
        location="",
        status="clean",
        installed=len(distributions) or 3,
        distributions=tuple(distributions.items()),
        platform="win32-AMD64",
    )


def test_reports_are_compared_by_what_they_list(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "[project]\nname = 'demo'\n")
    write(
        tmp_path,
        "old.json",
        report_text(environment("tests-3.12", alpha="1.0", demo="0"), environment("docs")),
    )
    write(tmp_path, "new.json", report_text(environment("tests-3.12", alpha="1.1", demo="0")))
    review = reviewed(tmp_path, "old.json", "new.json")
    assert [row[:4] for row in rows(review.comparison)] == [("alpha", "minor", "1.0", "1.1")]
    assert review.notes == ("old.json: does not say what is installed in docs",)
    write(tmp_path, "tests.txt", "alpha==1.0\nbeta==1.0 ; sys_platform == 'linux'\n")
    assert not reviewed(tmp_path, "tests.txt", "old.json").comparison.different


def test_a_report_that_lists_nothing_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "old.json", report_text(environment("docs")))
    write(tmp_path, "text.json", "{")
    write(tmp_path, "tests.txt", "a==1\n")
    with pytest.raises(NoxEnvsError, match="does not say what is installed; write one with a newer nox-envs"):
        reviewed(tmp_path, "old.json", "tests.txt")
    with pytest.raises(FileProblems):
        reviewed(tmp_path, "text.json", "tests.txt")


def test_the_machine_of_a_report_decides_on_markers() -> None:
    there = PinSet(name="x", environments=("x",), pins=(), installed=True, platform="darwin-arm64",
                   interpreter=Interpreter(version="3.12", implementation="cpython"))  # fmt: skip
    found = host_of(there, HOST)
    assert (found["sys_platform"], found["platform_machine"]) == ("darwin", "arm64")
    unknown = PinSet(name="x", environments=("x",), pins=(), platform="plan9-mips")
    assert host_of(unknown, HOST) is HOST


def test_the_exit_code_tells_whether_anything_differs(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["diff", "HEAD:"]) == 1
    printed = capsys.readouterr()
    assert printed.out == (
        "HEAD: -> the working tree: 1 package: 1 major\n"
        "  major    alpha  1.1 -> 2.0  tests\n"
        "           via: test: alpha\n"
    )
    assert "left aside" in printed.err
    assert main(["diff", "requirements", "requirements", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["different"] is False
    assert main(["diff", "HEAD:", "--format", "markdown"]) == 1
    assert "| alpha | 1.1 | 2.0 | **major** | tests | test&#58; alpha |" in capsys.readouterr().out
    assert main(["diff", "nowhere:"]) == 2
    assert "there is no revision 'nowhere'" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_project_reached_through_a_link_is_the_same_project(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository)
    assert [row[:4] for row in rows(reviewed(tmp_path / "link", "HEAD:").comparison)] == [
        ("alpha", "major", "1.1", "2.0")
    ]
