from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from nox_envs.pins import (
    INDEX,
    Difference,
    Source,
    canonical_name,
    differs,
    direct_reference,
    holds_credentials,
    is_name,
    is_version,
    local_path,
    normal_version,
    parse_direct_url,
    redact,
    source_of_path,
    source_of_url,
    versions_equal,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", fullmatch=True))
def test_canonical_names_are_those_of_packaging(name: str) -> None:
    assert canonical_name(name) == canonicalize_name(name)
    assert is_name(canonical_name(name))


@pytest.mark.parametrize("name", ["", "-x", "x-", "a b", "a\nb", "é", "a/b", "../x"])
def test_what_is_no_package_name_is_told(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        ("1.0", "1.0", True),
        ("1.0", "1.0.0", True),
        ("1.0.0", "1", True),
        ("1.0", "1.1", False),
        ("2.9", "2.9+cu126", True),
        ("2.9.0", "2.9+cu126", True),
        ("2.9+cu126", "2.9", False),
        ("2.9+cu126", "2.9+cpu", False),
        ("1.0rc1", "1.0c1", True),
        ("1.0", "1.0rc1", False),
        ("1.0", "1.0.post1", False),
        ("1!1.0", "1.0", False),
        ("strange", "strange", True),
        ("strange", "1.0", False),
        ("1.0", "strange", False),
        ("1." + "9" * 5000, "1.0", False),
    ],
)
def test_versions_are_equal_as_pep_440_says(expected: str, actual: str, equal: bool) -> None:
    assert versions_equal(expected, actual) is equal


VERSIONS = st.from_regex(
    r"([1-9]!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}((a|b|rc|c|alpha|-beta\.)[0-9]{1,2})?(\.post[0-9]|-[0-9])?"
    r"(\.dev[0-9]{1,3})?(\+[a-z0-9]{1,4}([.-][a-z0-9]{1,3})?)?",
    fullmatch=True,
)


@given(VERSIONS)
@example("1.0+00.01a.0")
def test_the_normal_form_of_a_version_is_that_of_packaging(version: str) -> None:
    assert normal_version(version) == str(Version(version))
    assert versions_equal(version, normal_version(version))


@given(VERSIONS, VERSIONS)
def test_versions_are_equal_when_packaging_matches_them(expected: str, actual: str) -> None:
    assert versions_equal(expected, actual) is SpecifierSet(f"=={expected}").contains(
        actual, prereleases=True
    )


@pytest.mark.parametrize("text", ["", "x", "1.0 ", "1.0\n", "1..0", "1.0+", "1.0_cu1", "1.0+a_", "v"])
def test_what_is_no_version_is_told(text: str) -> None:
    try:
        Version(text)
    except ValueError:
        assert not is_version(text)
    else:
        assert is_version(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:secret@example.org/x.whl", "https://example.org/x.whl"),
        ("https://token@example.org/x", "https://example.org/x"),
        ("https://user:p@ss@example.org/x", "https://example.org/x"),
        ("git+ssh://git@example.org/x.git@main", "git+ssh://git@example.org/x.git@main"),
        ("git+ssh://deploy:secret@example.org/x", "git+ssh://deploy@example.org/x"),
        ("https://git:secret@example.org/x", "https://git@example.org/x"),
        ("https://${USER}:${TOKEN}@example.org/x", "https://${USER}:${TOKEN}@example.org/x"),
        ("https://user:${TOKEN}@example.org/x", "https://example.org/x"),
        ("https://example.org/x@1", "https://example.org/x@1"),
        ("https://example.org/x?token=abc&v=1#sha256=0", "https://example.org/x?token=****&v=1#sha256=0"),
        ("https://example.org/x?v=1&X-Amz-Signature=ab%2F", "https://example.org/x?v=1&X-Amz-Signature=****"),
        ("https://example.org/x?sig=abc", "https://example.org/x?sig=****"),
        ("https://example.org/x?design=abc", "https://example.org/x?design=abc"),
        ("https://example.org/x?token=${TOKEN}&v=1", "https://example.org/x?token=${TOKEN}&v=1"),
        ("https://example.org/x?author=me", "https://example.org/x?author=me"),
        ("two https://a:b@example.org/ and http://c:d@e.f", "two https://example.org/ and http://e.f"),
        ("nothing@all", "nothing@all"),
    ],
)
def test_credentials_of_urls_are_removed(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert holds_credentials(text) is (text != expected)


@given(st.text(), st.text())
def test_redacting_twice_changes_nothing_more(before: str, after: str) -> None:
    once = redact(f"{before}https://user:secret@example.org/{after}")
    assert "secret@" not in once
    assert redact(once) == once


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a-1.0.whl", Source(kind="archive", url="https://example.org/a-1.0.whl")),
        (
            "https://u:p@example.org/a.zip#subdirectory=sub&sha256=ABC&egg=a",
            Source(
                kind="archive", url="https://example.org/a.zip", subdirectory="sub", hashes=("sha256:abc",)
            ),
        ),
        ("https://example.org/download", Source(kind="archive", url="https://example.org/download")),
        (
            f"git+https://u:p@example.org/o/r.git@{COMMIT}#egg=r&subdirectory=a%20b/",
            Source(kind="vcs", url="git+https://example.org/o/r.git", revision=COMMIT, subdirectory="a b"),
        ),
        (
            "git+ssh://git@example.org/o/r@feature/x",
            Source(kind="vcs", url="git+ssh://git@example.org/o/r", revision="feature/x"),
        ),
        ("git+ssh://git@example.org/o/r", Source(kind="vcs", url="git+ssh://git@example.org/o/r")),
        ("git+git@example.org:o/r.git", Source(kind="vcs", url="git+ssh://git@example.org/o/r.git")),
        ("hg+http://example.org/r@tip", Source(kind="vcs", url="hg+http://example.org/r", revision="tip")),
        ("git+https://example.org", Source(kind="vcs", url="git+https://example.org")),
        ("git+file:///src/r@v1", Source(kind="vcs", url="git+file:///src/r", revision="v1")),
        ("file:///src/lib/", Source(kind="directory", url="file:///src/lib")),
        ("file:/src/lib", Source(kind="directory", url="file:///src/lib")),
        ("FILE://localhost/src/lib", Source(kind="directory", url="file:///src/lib")),
        ("file:///", Source(kind="directory", url="file:///")),
        ("file://server/share", Source(kind="directory", url="file://server/share")),
        ("file:///src/a-1.tar.gz", Source(kind="archive", url="file:///src/a-1.tar.gz")),
        ("file:///src/a.whl#sha256=1", Source(kind="archive", url="file:///src/a.whl", hashes=("sha256:1",))),
    ],
)
def test_a_declared_url_names_a_source(url: str, expected: Source) -> None:
    assert source_of_url(f" {url} ") == expected


def test_a_declared_editable_directory_may_look_like_an_archive() -> None:
    source = source_of_url("file:///src/odd.zip", editable=True)
    assert source == Source(kind="directory", url="file:///src/odd.zip", editable=True)


def test_a_declared_path_is_relative_to_a_root(tmp_path: Path) -> None:
    source = source_of_path("../my lib", str(tmp_path / "project"), editable=True)
    assert source == Source(kind="directory", url=(tmp_path / "my lib").as_uri(), editable=True)
    assert Path(local_path(source.url)) == tmp_path / "my lib"
    wheel = source_of_path("wheels/a-1.0-py3-none-any.whl", str(tmp_path))
    assert wheel.kind == "archive"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"url": "https://u:p@example.org/a.whl", "archive_info": {"hash": "sha256=ab"}},
            Source(kind="archive", url="https://example.org/a.whl", hashes=("sha256:ab",)),
        ),
        (
            {
                "url": "https://example.org/a.zip",
                "subdirectory": "sub",
                "archive_info": {"hashes": {"sha256": "AB", "md5": "cd", "odd": "x"}, "hash": "sha256=ab"},
            },
            Source(
                kind="archive",
                url="https://example.org/a.zip",
                subdirectory="sub",
                hashes=("md5:cd", "sha256:ab"),
            ),
        ),
        ({"url": "file:///a.whl", "archive_info": {}}, Source(kind="archive", url="file:///a.whl")),
        ({"url": "file:///a/", "dir_info": {}}, Source(kind="directory", url="file:///a")),
        (
            {"url": "file:///a", "dir_info": {"editable": True}},
            Source(kind="directory", url="file:///a", editable=True),
        ),
        (
            {
                "url": "https://example.org/r.git",
                "vcs_info": {"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"},
            },
            Source(kind="vcs", url="git+https://example.org/r.git", revision=COMMIT, requested="main"),
        ),
    ],
)
def test_a_direct_url_json_names_a_source(record: dict[str, object], expected: Source) -> None:
    assert parse_direct_url(json.dumps(record)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "has no url"),
        ("null", "has no url"),
        ("{}", "has no url"),
        ('{"url": 1, "dir_info": {}}', "has a url that is no printable text"),
        ('{"url": "https://e.org/\\n--index-url x", "dir_info": {}}', "has a url that is no printable text"),
        ('{"url": "https://e.org/\\u2028x", "dir_info": {}}', "has a url that is no printable text"),
        ('{"url": "https://e.org"}', "has none of vcs_info, archive_info and dir_info"),
        ('{"url": "https://e.org", "dir_info": []}', "has none of vcs_info, archive_info and dir_info"),
        ('{"url": "https://e.org", "vcs_info": {}}', "has a vcs_info without vcs or commit_id"),
        ('{"url": "https://e.org", "archive_info": {"hash": 1}}', "has a hash that is no printable text"),
    ],
)
def test_a_broken_direct_url_json_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_direct_url(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["url", "vcs_info", "archive_info", "dir_info", "hashes", "hash", "vcs", "sha256"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_a_hostile_direct_url_json_gives_a_source_or_a_message(value: object) -> None:
    try:
        source = parse_direct_url(json.dumps(value))
    except ValueError:
        return
    assert direct_reference(source).isprintable()


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_can_stand_as_a_url(text: str) -> None:
    for source in (source_of_url(text), source_of_url(f"git+{text}"), source_of_url(f"file:{text}")):
        assert differs(source, source) in ("", "unverifiable")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (INDEX, ""),
        (
            Source(kind="vcs", url="git+https://e.org/r", revision="v1", subdirectory="s"),
            "git+https://e.org/r@v1#subdirectory=s",
        ),
        (
            Source(kind="archive", url="https://e.org/a.whl", hashes=("md5:1", "sha256:2")),
            "https://e.org/a.whl#sha256=2",
        ),
        (Source(kind="directory", url="file:///a", editable=True), "file:///a"),
    ],
)
def test_a_source_is_printed_as_pip_freeze_prints_it(source: Source, expected: str) -> None:
    assert direct_reference(source) == expected


@given(
    st.sampled_from(
        ["git+https://e.org/o/r", "git+ssh://git@e.org/o/r.git", "https://e.org/a-1.whl", "file:///a"]
    ),
    st.sampled_from(["", "a", "a/b"]),
    st.sampled_from(["", "v1", COMMIT]),
)
def test_a_printed_source_reads_back(url: str, subdirectory: str, revision: str) -> None:
    at = f"@{revision}" if revision and url.startswith("git") else ""
    source = source_of_url(f"{url}{at}#subdirectory={subdirectory}")
    assert source_of_url(direct_reference(source)) == source


def vcs(
    url: str = "git+https://e.org/o/r", revision: str = COMMIT, requested: str = "", sub: str = ""
) -> Source:
    return Source(kind="vcs", url=url, revision=revision, requested=requested, subdirectory=sub)


def archive(url: str = "https://e.org/a.whl", *hashes: str, sub: str = "") -> Source:
    return Source(kind="archive", url=url, hashes=hashes, subdirectory=sub)


def directory(url: str, *, editable: bool = False) -> Source:
    return Source(kind="directory", url=url, editable=editable)


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
        (vcs(), vcs("git+ssh://git@e.org:22/o/r.git"), ""),
        (vcs(), vcs("git+ssh://git@e.org:o/r.git"), ""),
        (vcs(), vcs("git+https://e.org/o%2Fr"), ""),
        (vcs(revision=COMMIT.upper()), vcs(), ""),
        (vcs(revision=COMMIT[:12]), vcs(), ""),
        # another one
        (vcs(), vcs("git+https://e.org/o/s"), "source"),
        (vcs(), vcs("git+https://e.org/O/r"), "source"),
        (vcs(), vcs("git+https://e.org:8443/o/r"), "source"),
        (vcs(), vcs("hg+https://e.org/o/r"), "source"),
        # revisions
        (vcs(), vcs(revision=OTHER_COMMIT), "revision"),
        (vcs(), vcs(revision=OTHER_COMMIT, requested=COMMIT), "revision"),
        (vcs(), vcs(sub="x"), "revision"),
        (vcs(revision="v1"), vcs(requested="v2"), "revision"),
        (vcs(revision="v1"), vcs(requested="v1"), "unverifiable"),
        (vcs(revision="v1"), vcs(), "unverifiable"),
        (vcs(revision="v1"), vcs(requested=COMMIT), "unverifiable"),
        (vcs(revision=""), vcs(requested="v2"), "unverifiable"),
        (vcs(revision="20240101"), vcs(requested="20240101"), "unverifiable"),
        (Source(kind="vcs", url="svn+https://e.org/r", revision="42"), vcs("svn+https://e.org/r", "42"), ""),
        # archives
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://e.org/a.whl", "sha256:1"), ""),
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://mirror.org/a.whl", "sha256:1"), ""),
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://e.org/a.whl", "sha256:2"), "artifact"),
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://e.org/b.whl", "sha256:2"), "source"),
        (archive("https://e.org/a.whl", "sha256:1"), archive(), "unverifiable"),
        (archive("https://e.org/a.whl", "sha256:1"), archive("https://e.org/a.whl", "md5:2"), "unverifiable"),
        (archive(), archive("https://e.org/a.whl", "sha256:2"), "unverifiable"),
        (archive(), archive(sub="x"), "source"),
        (archive(), archive("https://e.org/b.whl"), "source"),
        (archive("https://${TOKEN}@e.org/a.whl"), archive(), "unverifiable"),
        # directories
        (directory("file:///a"), directory("file:///a"), ""),
        (directory("file:///a%20b"), directory("file:///a b"), ""),
        (directory("file:///a"), directory("file:///b"), "source"),
        (directory("file:///a%00"), directory("file:///b%00"), "source"),
        (directory("file:///a"), directory("https://e.org/a"), "source"),
        (directory("file:///a", editable=True), directory("file:///a"), "source"),
        (directory("file:///a"), directory("file:///a", editable=True), "source"),
        (directory("file:///a"), Source(kind="directory", url="file:///a", subdirectory="b"), "source"),
        # pip records the clone of an editable VCS requirement
        (
            Source(kind="vcs", url="git+https://e.org/o/r", editable=True),
            directory("file:///venv/src/r", editable=True),
            "unverifiable",
        ),
    ],
)
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
