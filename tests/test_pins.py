"""What "the same package" means: sources, versions, and where markers hold."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment

from nox_envs.errors import Invalid, NoxEnvsError
from nox_envs.lock.pins import (
    INDEX,
    Difference,
    Markers,
    Source,
    declared_markers,
    differs,
    direct_reference,
    host_markers,
    interpreter_markers,
    local_path,
    normal_version,
    parse_direct_url,
    source_of_path,
    source_of_url,
    versions_equal,
)
from nox_envs.requirements.text import read_requirement
from tests.plans import HOST

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = COMMIT[::-1]
HUGE = "9" * 5000


def vcs(url: str = "git+https://e.org/o/r", revision: str = COMMIT, sub: str = "") -> Source:
    return Source(kind="vcs", url=url, revision=revision, subdirectory=sub)


def archive(url: str = "https://e.org/a.whl", *hashes: str, sub: str = "") -> Source:
    return Source(kind="archive", url=url, hashes=hashes, subdirectory=sub)


def directory(url: str, *, editable: bool = False) -> Source:
    return Source(kind="directory", url=url, editable=editable)


# Sources.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://e.org/a-1.0.whl", Source(kind="archive", url="https://e.org/a-1.0.whl")),
        ("https://u:p@e.org/a.zip#subdirectory=sub&sha256=ABC&egg=a",
         Source(kind="archive", url="https://e.org/a.zip", subdirectory="sub", hashes=("sha256:abc",))),
        (f"git+https://u:p@e.org/o/r.git@{COMMIT}#egg=r&subdirectory=a%20b/",
         Source(kind="vcs", url="git+https://e.org/o/r.git", revision=COMMIT, subdirectory="a b")),
        ("git+ssh://git@e.org/o/r@feature/x",
         Source(kind="vcs", url="git+ssh://git@e.org/o/r", revision="feature/x")),
        ("git+ssh://git@e.org/o/r", Source(kind="vcs", url="git+ssh://git@e.org/o/r")),
        ("git+https://e.org", Source(kind="vcs", url="git+https://e.org")),
        ("file:///src/lib/", Source(kind="directory", url="file:///src/lib")),
        ("file:/src/lib", Source(kind="directory", url="file:///src/lib")),
        ("FILE://localhost/src/lib", Source(kind="directory", url="file:///src/lib")),
        ("file:///", Source(kind="directory", url="file:///")),
        ("file:///src/a-1.tar.gz", Source(kind="archive", url="file:///src/a-1.tar.gz")),
        ("file:///src/a.whl#sha256=1", Source(kind="archive", url="file:///src/a.whl", hashes=("sha256:1",))),
    ],
)  # fmt: skip
def test_a_declared_url_names_a_source(url: str, expected: Source) -> None:
    assert source_of_url(f" {url} ") == expected


def test_a_declared_path_is_relative_to_a_root(tmp_path: Path) -> None:
    source = source_of_path("../my lib", str(tmp_path / "project"), editable=True)
    assert source == Source(kind="directory", url=(tmp_path / "my lib").as_uri(), editable=True)
    assert Path(local_path(source.url)) == tmp_path / "my lib"
    assert source_of_path("wheels/a-1.0-py3-none-any.whl", str(tmp_path)).kind == "archive"


def test_a_lock_holds_the_path_itself() -> None:
    assert source_of_url("./lib", editable=True) == directory("./lib", editable=True)
    assert source_of_url("../a-1.0.zip") == archive("../a-1.0.zip")
    assert source_of_url("./odd.zip", editable=True).kind == "directory"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"url": "https://u:p@e.org/a.whl", "archive_info": {"hash": "sha256=ab"}},
         Source(kind="archive", url="https://e.org/a.whl", hashes=("sha256:ab",))),
        ({"url": "https://e.org/a.zip", "subdirectory": "sub",
          "archive_info": {"hashes": {"sha256": "AB", "md5": "cd", "odd": "x"}}},
         archive("https://e.org/a.zip", "md5:cd", "sha256:ab", sub="sub")),
        ({"url": "file:///a.whl", "archive_info": {}}, Source(kind="archive", url="file:///a.whl")),
        ({"url": "file:///a/", "dir_info": {}}, Source(kind="directory", url="file:///a")),
        ({"url": "file:///my lib", "dir_info": {"editable": True}},
         Source(kind="directory", url="file:///my%20lib", editable=True)),
        ({"url": "https://e.org/r.git",
          "vcs_info": {"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"}},
         vcs("git+https://e.org/r.git")),
    ],
)  # fmt: skip
def test_a_direct_url_json_names_a_source(record: dict[str, object], expected: Source) -> None:
    assert parse_direct_url(json.dumps(record)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        (HUGE, "is not JSON"),
        ("[]", "expected a table"),
        ("{}", "'url'"),
        ('{"url": 1, "dir_info": {}}', "Unexpected type"),
        ('{"url": "file:///a\\n--index-url x", "dir_info": {}}', "cannot be printed"),
        ('{"url": "file:///a%00b", "dir_info": {}}', "cannot be printed"),
        ('{"url": "https://[", "dir_info": {}}', "is not a direct_url.json"),
        ('{"url": "https://e.org"}', "Exactly one of"),
        ('{"url": "https://e.org", "dir_info": {}}', "URL scheme"),
        ('{"url": "https://e.org", "vcs_info": {}}', "Missing"),
        ('{"url": "https://e.org", "archive_info": {"hash": 1}}', "Unexpected type"),
    ],
)
def test_a_broken_direct_url_json_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        parse_direct_url(text)


KEYS = ["url", "vcs_info", "archive_info", "dir_info", "hashes", "hash", "vcs", "sha256", "commit_id"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_a_hostile_direct_url_json_gives_a_source_or_a_message(content: object) -> None:
    try:
        source = parse_direct_url(json.dumps(content))
    except Invalid:
        return
    assert direct_reference(source).isprintable()
    assert " " not in direct_reference(source)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_can_be_a_url(text: str) -> None:
    for source in (source_of_url(text), source_of_url(f"git+{text}"), source_of_url(f"file:{text}")):
        assert differs(source, source) in ("", "unverifiable")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (INDEX, ""),
        (Source(kind="vcs", url="git+https://e.org/r", revision="v1", subdirectory="s"),
         "git+https://e.org/r@v1#subdirectory=s"),
        (Source(kind="archive", url="https://e.org/a.whl", hashes=("md5:1", "sha256:2")),
         "https://e.org/a.whl#sha256=2"),
        (Source(kind="directory", url="file:///a", editable=True), "file:///a"),
    ],
)  # fmt: skip
def test_a_source_is_printed_as_pip_freeze_prints_it(source: Source, expected: str) -> None:
    assert direct_reference(source) == expected


URLS = st.sampled_from(["git+https://e.org/o/r", "git+ssh://git@e.org/o/r.git", "https://e.org/a.whl"])


@given(URLS, st.sampled_from(["", "a", "a/b"]), st.sampled_from(["", "v1", COMMIT]))
def test_a_printed_source_reads_back(url: str, subdirectory: str, revision: str) -> None:
    at = f"@{revision}" if revision and url.startswith("git") else ""
    source = source_of_url(f"{url}{at}#subdirectory={subdirectory}")
    assert source_of_url(direct_reference(source)) == source


@pytest.mark.parametrize(
    ("expected", "actual", "difference"),
    [
        (INDEX, INDEX, ""),
        (INDEX, archive(), "source"),
        (archive(), INDEX, "source"),
        (INDEX, directory("file:///a"), "source"),
        # one repository, written in several ways
        (vcs(), vcs(), ""),
        (vcs(), vcs("git+https://e.org/o/r.git"), ""),
        (vcs(), vcs("git+https://E.ORG/o/r/"), ""),
        (vcs(), vcs("git+ssh://git@e.org/o/r.git"), ""),
        (vcs(revision=COMMIT.upper()), vcs(), ""),
        (vcs(revision=COMMIT[:12]), vcs(), ""),
        # another one
        (vcs(), vcs("git+https://e.org/o/s"), "source"),
        (vcs(), vcs("git+https://e.org/O/r"), "source"),
        (vcs(), vcs("git+https://e.org:8443/o/r"), "source"),
        (vcs(), vcs("hg+https://e.org/o/r"), "source"),
        # revisions and subdirectories
        (vcs(), vcs(revision=OTHER_COMMIT), "source"),
        (vcs(), vcs(sub="x"), "source"),
        (vcs(revision="v1"), vcs(), "unverifiable"),
        (vcs(revision=""), vcs(), "unverifiable"),
        (vcs(revision="20240101"), vcs(), "unverifiable"),
        # archives
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://e.org/a.whl", "sha256:1"), ""),
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://mirror.org/a.whl", "sha256:1"), ""),
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://e.org/a.whl", "sha256:2"), "artifact"),
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://e.org/b.whl", "sha256:2"), "source"),
        (archive("https://e.org/a.whl", "sha256:1"), archive(), "unverifiable"),
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://e.org/a.whl", "md5:2"), "unverifiable"),
        (archive(), archive(sub="x"), "source"),
        (archive(), archive("https://e.org/b.whl"), "source"),
        (archive("https://${TOKEN}@e.org/a.whl"), archive(), "unverifiable"),
        # directories
        (directory("file:///a"), directory("file:///a"), ""),
        (directory("file:///a%20b"), directory("file:///a b"), ""),
        (directory("file:///a"), directory("file:///b"), "source"),
        (directory("file:///a%00"), directory("file:///b%00"), "source"),
        (directory("file:///a", editable=True), directory("file:///a"), "source"),
        (directory("file:///a"), directory("file:///a", editable=True), "source"),
        (directory("file:///a"), Source(kind="directory", url="file:///a", subdirectory="b"), "source"),
    ],
)  # fmt: skip
def test_sources_differ_in_one_way(expected: Source, actual: Source, difference: Difference) -> None:
    assert differs(expected, actual) == difference


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_two_paths_of_one_directory_are_one_source(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    expected = source_of_path("link", str(tmp_path), editable=True)
    actual = source_of_path("real", str(tmp_path), editable=True)
    assert expected != actual
    assert differs(expected, actual) == ""


# Versions.


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        ("1.0", "1.0", True),
        ("1.0", "1", True),
        ("1.0RC1", "1.0rc1", True),
        ("2.9", "2.9+cu126", True),
        ("2.9+cu126", "2.9", False),
        ("1.0", "1.0.post1", False),
        ("made-here", "made-here", True),
        ("1.0", "made-here", False),
        (HUGE, "1.0", False),
    ],
)
def test_a_version_is_equal_as_pep_440_has_it(expected: str, actual: str, equal: bool) -> None:
    assert versions_equal(expected, actual) is equal


def test_the_normal_form_of_a_text_that_is_not_a_version_is_empty() -> None:
    assert [normal_version(text) for text in ("1.0", "v1.0-1", "1.0.RC1", "one", HUGE, "")] == [
        "1.0", "1.0.post1", "1.0rc1", "", "", "",
    ]  # fmt: skip


# Markers.


def test_the_markers_of_this_interpreter_are_those_of_packaging() -> None:
    assert host_markers().items() <= default_environment().items()


def test_an_interpreter_of_a_venv_has_its_own_version_on_this_machine() -> None:
    markers = interpreter_markers(HOST, version="3.11.4", implementation="pypy")
    assert (markers["python_version"], markers["python_full_version"]) == ("3.11", "3.11.4")
    assert markers["platform_python_implementation"] == "PyPy"
    assert markers["platform_machine"] == "x86_64"


def possible(marker: str, python: str | None, platform: str = "") -> list[bool]:
    """Return whether a marker holds, for everything that a declared point can be."""
    places = declared_markers(python, platform, tuple(HOST.items()), "3.10", (0, 99))
    return [one.hold(marker) for one in places]


@pytest.mark.parametrize(
    ("python", "marker", "expected"),
    [
        ("3.11", 'python_full_version >= "3.11.4"', [False, True]),
        ("3.11", 'python_version == "3.11"', [True, True]),
        ("3.12.4", 'python_full_version == "3.12.4"', [True]),
        ("3.13t", 'python_version == "3.13" and implementation_name == "cpython"', [True, True]),
        ("pypy3.11", 'platform_python_implementation == "PyPy"', [True, True]),
        ("graalpy", 'implementation_name == "graalpy" and python_version == "3.10"', [True, True]),
        (None, 'python_full_version == "3.12.1"', [True]),
        ("3.12", 'extra == "x"', [False, False]),
    ],
)
def test_a_marker_is_checked_for_what_a_python_can_be(
    python: str | None, marker: str, expected: list[bool]
) -> None:
    assert possible(marker, python) == expected


@pytest.mark.parametrize(
    ("platform", "marker", "expected"),
    [
        ("", 'sys_platform == "linux"', {True}),
        ("windows", 'sys_platform == "win32" and os_name == "nt"', {True}),
        ("windows", 'platform_system == "Darwin"', {False}),
        ("linux-aarch64", 'platform_machine == "aarch64"', {True}),
        ("linux", 'platform_machine == "aarch64"', {True, False}),
    ],
)
def test_a_marker_is_checked_on_a_listed_platform(platform: str, marker: str, expected: set[bool]) -> None:
    assert set(possible(marker, "3.12", platform)) == expected


@pytest.mark.parametrize(
    "marker", ['python_version < "3"x', "os_name", '"a" ~= "b"', f'python_version < "{HUGE}"', "(" * 5000]
)
def test_a_marker_that_cannot_be_evaluated_is_refused_in_words(marker: str) -> None:
    with pytest.raises(NoxEnvsError, match="cannot be evaluated"):
        Markers(HOST).hold(marker)


@given(st.text(alphabet=st.sampled_from("python_version os_name<>=!~'\"3.129()and or"), max_size=60))
def test_a_marker_that_a_requirement_may_have_holds_or_not(text: str) -> None:
    try:
        marker = read_requirement(f"x ; {text}").marker
    except Invalid:
        return
    assert read_requirement(f"x ; {marker}" if marker else "x").marker == marker
    assert Markers(HOST).hold(text if marker else "") == Markers(HOST).hold(marker)
