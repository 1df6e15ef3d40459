"""What changed between two locks, revisions or venvs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.diff import (
    CHANGE_KINDS,
    Diff,
    DiffFormat,
    compare,
    diff,
    render_diff,
    version_change,
)
from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.lock.pins import INDEX, Pin, Source
from nox_envs.lock.text import Lock, parse_lock
from nox_envs.project import Project
from nox_envs.values import replace
from tests.conftest import BareVenv
from tests.reports import HOSTILE

GOLDEN = Path(__file__).parent / "golden" / "diff"
FORMATS: tuple[DiffFormat, ...] = ("text", "json", "markdown")
HASH, OTHER_HASH = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
ENVIRON = {
    **{name: content for name, content in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"), "x@example.org"),
    **dict.fromkeys(("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"), "x@example.org"),
}

SPEC = """\
version: 1
requirements: {test: [alpha]}
environments:
  tests: {python: ["3.12", "3.13"], requirements: [test]}
  docs: {requirements: [test]}
"""


def locks(**texts: str) -> dict[str, Lock]:
    return {name: parse_lock(text, name) for name, text in texts.items()}


def compared(old: str, new: str) -> Diff:
    return compare(locks(tests=old), locks(tests=new))


def rows(found: Diff) -> list[tuple[str, str, str, str, str]]:
    return [(one.package, one.kind, one.old, one.new, one.note) for one in found.changes]


@pytest.mark.parametrize(
    ("old", "new", "kind", "note"),
    [
        ("1.0", "2.0", "major", ""),
        ("2.0", "1.9", "major", "downgrade"),
        ("1.0", "1!0.1", "major", ""),
        ("1", "1.1", "minor", ""),
        ("1.2.3.4", "1.2.3.5", "patch", ""),
        ("1.0rc1", "1.0", "patch", ""),
        ("1.0", "1.0.post1", "patch", ""),
        ("1.0.dev1", "1.0a1", "patch", ""),
        ("1.0", "1.0+cu126", "other", ""),
        ("1.0", "latest", "other", ""),
        ("1.0", "9" * 5000, "other", ""),
    ],
)
def test_the_number_that_differs_makes_the_kind(old: str, new: str, kind: str, note: str) -> None:
    assert version_change(old, new) == (kind, note)


def test_every_kind_of_change_of_a_lock_is_named() -> None:
    old = (
        f"alpha==1.0 --hash={HASH}\nbeta==1.0\ndelta==1.0 ; sys_platform == 'win32'\nepsilon==2.0\n"
        f"zeta==1.0\neta[x]==1.0\ntheta==1.0 --hash={HASH}\niota @ git+https://example.org/iota@aaaaaaa\n"
        "kappa==1.0\n"
    )
    new = (
        f"alpha==1.0 --hash={HASH}\ngamma==3.0 ; python_version < '3.12'\n"
        "delta==1.0 ; sys_platform == 'linux'\nepsilon==1.0\nzeta==1.0.1\neta==1.0\n"
        f"theta==1.0 --hash={OTHER_HASH}\niota @ git+https://example.org/iota@bbbbbbb\n"
        "kappa @ https://example.org/kappa-1.0.zip\n"
    )
    assert rows(compared(old, new)) == [
        ("beta", "removed", "1.0", "", ""),
        ("delta", "other", "1.0", "1.0", 'marker: sys_platform == "win32" -> sys_platform == "linux"'),
        ("epsilon", "major", "2.0", "1.0", "downgrade"),
        ("eta", "other", "1.0", "1.0", "extras: x -> none"),
        ("gamma", "added", "", "3.0", 'only if python_version < "3.12"'),
        ("iota", "other", *(f"git+https://example.org/iota@{end * 7}" for end in "ab"), "source"),
        ("kappa", "other", "1.0", "https://example.org/kappa-1.0.zip", "source"),
        ("theta", "other", "1.0", "1.0", "hashes: 1 added, 1 removed"),
        ("zeta", "patch", "1.0", "1.0.1", ""),
    ]


def test_spelling_and_annotations_are_not_a_difference() -> None:
    old = "a==1.0 ; python_version<'3.12'\n    # via b\nb==1.0.0\n"
    assert not compared(old, 'B==1.0.0\nA==1.0 ;  python_version < "3.12"\n    # via c\n').different


def test_several_pins_of_one_package_are_matched_by_marker() -> None:
    old = "n==1.0 ; python_version < '3.11'\nn==2.0 ; python_version >= '3.11'\n"
    new = (
        "n==1.1 ; python_version < '3.11'\nn==2.0 ; python_version >= '3.11' and python_version < '3.13'\n"
        "n==3.0 ; python_version >= '3.13'\n"
    )
    changes = [("added", "", "3.0"), ("minor", "1.0", "1.1"), ("other", "2.0", "2.0")]
    assert [row[1:4] for row in rows(compared(old, new))] == changes


def test_one_change_is_one_row_for_all_environments() -> None:
    found = compare(
        locks(docs="a==1.0\n", tests="a==1.0\n", types="a==1.1\n", lint="a==1\n"),
        locks(docs="a==2.0\n    # via x\n", tests="a==2.0\n    # via y\n", types="a==2.0\n", new="a==1\n"),
    )
    assert [(one.old, one.environments, one.via) for one in found.changes if one.kind == "major"] == [
        ("1.0", ("docs", "tests"), ("x", "y")),
        ("1.1", ("types",), ()),
    ]
    assert (found.compared, found.added, found.removed) == (("docs", "tests", "types"), ("new",), ("lint",))


PINS = st.builds(
    Pin,
    name=st.sampled_from(["a", "b", HOSTILE]),
    version=st.sampled_from(["1.0", "1.1", "2.0rc1", "1.0+local", "x", HOSTILE]),
    marker=st.sampled_from(["", 'python_version < "3.12"', HOSTILE]),
    source=st.sampled_from([INDEX, Source(kind="vcs", url="git+https://example.org/x", revision="r")]),
    hashes=st.sampled_from([(), (HASH,), (HASH, OTHER_HASH)]),
    via=st.sampled_from([(), ("x",), (HOSTILE, "y")]),
)
SIDES = st.dictionaries(
    st.sampled_from(["tests", "docs", HOSTILE]),
    st.builds(Lock, origin=st.just("x"), header=st.just(()), pins=st.lists(PINS, max_size=5).map(tuple)),
    max_size=3,
)


@given(old=SIDES, new=SIDES)
def test_any_diff_is_shown_in_every_format_and_acts_on_nothing(
    old: dict[str, Lock], new: dict[str, Lock]
) -> None:
    assert not compare(new, new).different
    found = replace(compare(old, new), old=HOSTILE, new=HOSTILE)
    assert len(compare(new, old).changes) == len(found.changes)
    for kind in FORMATS:
        shown = render_diff(found, kind)
        assert not [sign for sign in shown if sign != "\n" and not sign.isprintable()]
        assert not [line for line in shown.split("\n") if line.lstrip().startswith("::") or "##[" in line]
        match kind:
            case "json":
                assert len(json.loads(shown)["changes"]) == len(found.changes)
            case "markdown":
                assert "<img" not in shown
                assert "https:" not in shown
                assert {line.count("|") for line in shown.split("\n") if line.startswith("|")} <= {8}
            case "text":
                assert "\x1b[" in render_diff(found, kind, colour=True) or not found.changes


def everything() -> Diff:
    """Return a diff with every kind of change, and texts that mean something to a format."""
    old = locks(
        docs="alpha==1.0\nbeta==1.0\nepsilon==2.0\n    # via a\nzeta==1.0\n",
        tests=f"alpha==1.0\nbeta==1.1\ntheta==1.0 --hash={HASH}\nodd==1.0\n",
        types="alpha==1.0\n", lint="alpha==1.0\n", left="left==1.0\n",
    )  # fmt: skip
    new = locks(
        docs="alpha==2.0\n    # via\n    #   a: alpha>=2\n    #   b\n    #   c\n    #   d\nbeta==1.2\n"
        "epsilon==1.9\nzeta==1.0.1\nnew==1.0 ; os_name == 'nt'\n    # via <b>|`x`@someone www.example.org\n"
        f"tool @ git+https://git.example.org/organisation/a-repository@{'a' * 40}\n",
        tests=f"alpha==2.0\nbeta==1.2\ntheta==1.0 --hash={OTHER_HASH}\n",
        types="alpha==2.0\n", lint="alpha==2.0\n", come="come==1.0\n",
    )  # fmt: skip
    return replace(compare(old, new), old="main:requirements", new="requirements")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_diff_is_rendered_as_its_golden_file_says(kind: DiffFormat) -> None:
    assert render_diff(everything(), kind) == (GOLDEN / f"everything.{kind}").read_text(encoding="utf-8")
    nothing = replace(compared("a==1\n", "a==1\n"), old="a\x1b[31m.txt", new="b.txt")
    assert render_diff(nothing, kind) == (GOLDEN / f"nothing.{kind}").read_text(encoding="utf-8")


def test_no_line_of_a_diff_is_wider_than_80_columns() -> None:
    assert max(map(len, render_diff(everything(), "text").split("\n"))) <= 80


def test_the_json_is_a_contract() -> None:
    document = json.loads(render_diff(everything(), "json"))
    assert document["schema"] == 2
    assert " ".join(sorted(document)) == "added changes compared different new old removed schema"
    assert " ".join(sorted(document["changes"][0])) == "environments kind new note old package via"
    assert {row["kind"] for row in document["changes"]} == set(CHANGE_KINDS)


# Files, revisions, venvs.


def asked(root: Path, old: str, new: str | None = None) -> Diff:
    spec = root / "envs.yaml"
    project = Project(spec, environ={}) if spec.is_file() else None
    return diff(root, old, new, project=project, env=ENVIRON)


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(
        command, cwd=folder, env=ENVIRON, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A", ".")
    git(folder, "commit", "-q", "-m", message)


def header(environment: str) -> str:
    return f"# environment: {environment}\n# input: sha256:0\n\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a project of two commits below the root of a git repository, with other changes in its files."""
    top = tmp_path / "top"
    root = top / "project"
    write(root, "envs.yaml", SPEC)
    write(root, "requirements/tests.txt", header("tests") + "alpha==1.0\n    # via test: alpha\n")
    write(root, "requirements/notes.txt", "Nothing that anyone installs\n")
    write(top, "other/app.txt", "alpha==5.0\r\n")
    git(top, "init", "-q", "-b", "main")
    commit(top, "One")
    write(root, "requirements/tests.txt", header("tests") + "alpha==1.1\n    # via test: alpha\n")
    write(root, "requirements/docs.txt", header("docs") + "alpha==1.1\n")
    commit(top, "Two")
    write(root, "requirements/tests.txt", header("tests") + "alpha==2.0\n    # via test: alpha\n")
    return root


@needs_git
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("HEAD:", None, [("alpha", "major", "1.1", "2.0")]),
        ("main:", "", [("alpha", "major", "1.1", "2.0")]),
        ("HEAD~1:", "HEAD:", [("alpha", "added", "", "1.1"), ("alpha", "minor", "1.0", "1.1")]),
        ("HEAD~1:requirements/tests.txt", None, [("alpha", "major", "1.0", "2.0")]),
        (
            "HEAD~1:./requirements/tests.txt",
            "HEAD:requirements/tests.txt",
            [("alpha", "minor", "1.0", "1.1")],
        ),
        ("HEAD:requirements/", "requirements", [("alpha", "major", "1.1", "2.0")]),
        ("requirements", "HEAD:requirements", [("alpha", "major", "2.0", "1.1")]),
        ("requirements/docs.txt", "requirements/tests.txt", [("alpha", "major", "1.1", "2.0")]),
        ("HEAD:../other", "requirements/tests.txt", [("alpha", "major", "5.0", "2.0")]),
        ("HEAD:../other/app.txt", "../other/app.txt", []),
    ],
)
def test_each_side_is_what_its_text_names(
    repository: Path, old: str, new: str | None, expected: list[tuple[str, ...]]
) -> None:
    assert [row[:4] for row in rows(asked(repository, old, new))] == expected


@needs_git
def test_what_is_not_a_lock_is_left_aside(repository: Path) -> None:
    found = asked(repository, "HEAD:")
    assert (found.old, found.new, found.different) == ("HEAD:", "the working tree", True)


@needs_git
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mian:", None, "git: Not a valid object name mian"),
        (":requirements", None, "'' is not a revision; the last commit is HEAD:requirements"),
        ("--help:", None, "'--help' is not a revision"),
        ("HEAD:a\0b", "requirements", "'HEAD' is not a revision"),
        ("HEAD:nowhere", None, "HEAD has no 'nowhere'; it is relative to "),
        ("HEAD:../../outside", "requirements", "is outside repository"),
        ("nowhere.txt", "requirements", "there is no file or folder 'nowhere.txt' .a git revision ends"),
        ("requirements", None, "alone is nothing to compare; write: nox-envs diff main:requirements"),
        ("envs.yaml", "requirements", "envs.yaml:1:"),
        ("x" * 5000, "requirements", "there is no file or folder"),
        ("C:\\locks", "requirements", "there is no file or folder"),
        ("HEAD:envs.yaml", "HEAD:envs.yaml", "HEAD:envs.yaml:1:"),
    ],
)
def test_a_side_that_cannot_be_read_is_an_error(
    repository: Path, old: str, new: str | None, message: str
) -> None:
    with pytest.raises(NoxEnvsError, match=message):
        asked(repository, old, new)


@needs_git
def test_without_a_repository_or_in_that_of_another_user_git_tells_what_is_wrong(repository: Path) -> None:
    with pytest.raises(NoxEnvsError, match="git: not a git repository"):
        asked(repository.parent.parent, "main:top")
    environ = {**ENVIRON, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    with pytest.raises(NoxEnvsError, match=r"(?s)ownership.*git config --global --add safe.directory /"):
        diff(repository, "HEAD:requirements", None, project=None, env=environ)


@needs_git
def test_a_hostile_repository_starts_no_program_and_fetches_nothing(repository: Path) -> None:
    top, mark = repository.parent, repository.parent / "started"
    program = f"touch {mark}; false"
    for name in ("fsmonitor", "pager", "sshCommand", "editor", "askPass", "gitProxy"):
        git(top, "config", f"core.{name}", program)
    git(top, "config", "filter.x.smudge", program)
    git(top, "config", "diff.x.textconv", program)
    git(top, "config", "protocol.ext.allow", "always")
    git(top, "config", "extensions.partialClone", "origin")
    git(top, "config", "remote.origin.url", f"ext::sh -c 'touch% {mark}'")
    git(top, "config", "remote.origin.promisor", "true")
    write(top, ".git/info/attributes", "*.txt filter=x diff=x\n")
    hook = top / ".git" / "hooks" / "reference-transaction"
    write(hook.parent, hook.name, f"#!/bin/sh\n{program}\n")
    hook.chmod(0o755)
    assert asked(repository, "HEAD~1:", "HEAD:").different
    oid = git(top, "rev-parse", "HEAD~1:project/requirements/tests.txt").strip()
    (top / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(NoxEnvsError, match="a lock is not in this clone"):
        asked(repository, "HEAD~1:", "HEAD:")
    assert not mark.exists()


@needs_git
def test_links_and_folders_named_like_locks_are_not_read(repository: Path) -> None:
    (repository / "requirements" / "link.txt").symlink_to("/etc/passwd")
    (repository / "requirements" / "folder.txt").mkdir()
    write(repository, "requirements/folder.txt/x.md", "x\n")
    commit(repository, "Odd")
    assert asked(repository, "HEAD~1:", "HEAD:").added == ()


def test_folders_without_a_lock_are_an_error_and_an_empty_one_is_a_side(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(NoxEnvsError, match="neither a nor b holds a lock"):
        asked(tmp_path, "a", "b")
    write(tmp_path, "b/tests.txt", "x==1\n")
    found = asked(tmp_path, "a", "b")
    assert (found.added, [row[:2] for row in rows(found)]) == (("tests",), [("x", "added")])


def test_a_lock_of_another_tool_is_read_and_a_broken_one_of_ours_stops_the_diff(tmp_path: Path) -> None:
    head = "# autogenerated by pip-compile\n--index-url https://packages.example.org/simple\n--pre\n"
    write(tmp_path, "b/tests.txt", head + "c==1.0\n    # via -r dev.in\n")
    write(tmp_path, "new.txt", "c==1.1\n")
    assert rows(asked(tmp_path, "b/tests.txt", "new.txt")) == [("c", "minor", "1.0", "1.1", "")]
    write(tmp_path, "a/tests.txt", header("tests") + "<<<<<<< ours\na==1\n")
    with pytest.raises(FileProblems, match="unresolved merge conflict"):
        asked(tmp_path, "a", "b")


def test_a_venv_is_compared_with_its_lock_by_drift(tmp_path: Path, bare_venv: BareVenv) -> None:
    bare_venv.add("alpha", "1.1")
    write(tmp_path, "a.txt", "alpha==1.0\n")
    with pytest.raises(NoxEnvsError, match="compared with its lock by: nox-envs drift"):
        asked(tmp_path, bare_venv.location.name, "a.txt")
