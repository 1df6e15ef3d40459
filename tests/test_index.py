"""What indexes and advisories say: pages, OSV records, settings of installers, the door to the network."""

from __future__ import annotations

import gzip
import io
import json
import re
import time
import zipfile
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import get_args
from urllib.request import Request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError
from nox_envs.index.advisories import affects, fixed_version, read_osv, read_release
from nox_envs.index.asking import Question, ask_pages
from nox_envs.index.comparison import Admission, advisory_remarks, release_remarks
from nox_envs.index.configuration import Configured, Machine, certificates, configured
from nox_envs.index.credentials import Credentials, bare, origin_of
from nox_envs.index.documents import document
from nox_envs.index.exports import read_export
from nox_envs.index.fetching import LATE, Answer, Fetcher, _Redirects, _Refused
from nox_envs.index.filenames import version_of_file
from nox_envs.index.pages import read_page
from nox_envs.index.types import EventKind, File, Page, Vulnerability
from nox_envs.pins import Pin
from tests.answers import Respond, server

SIMPLE = "application/vnd.pypi.simple.v1+json"
INDEX = "https://packages.example.org/simple"


def page(body: object, kind: str = SIMPLE, name: str = "apple") -> Page:
    """Read a page whose content is given as JSON or as HTML."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return read_page(kind, data, name=name, index=INDEX)


# pages


def test_a_json_page_tells_versions_pythons_yanks_and_times() -> None:
    found = page(
        {
            "meta": {"api-version": "1.4", "other": 1},
            "name": "apple",
            "files": [
                {"filename": "apple-1.0-py3-none-any.whl", "requires-python": ">=3.8", "yanked": False},
                {
                    "filename": "apple-1.0.tar.gz",
                    "yanked": "it is\nrotten",
                    "upload-time": "2024-01-01T00:00:00Z",
                },
                {"filename": "apple-1.1.zip", "yanked": True},
                {"filename": "apple-1.2.tar.gz", "yanked": ""},
                {"filename": "pear-9.0.tar.gz"},
                {"filename": None},
                "no file",
            ],
        }
    )
    assert found.files == (
        File(version="1.0", requires_python=">=3.8"),
        File(version="1.0", yanked="it is rotten", uploaded="2024-01-01T00:00:00Z"),
        File(version="1.1", yanked=""),
        File(version="1.2", yanked=""),
    )


HTML = """<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0"></head><body>
<!-- <a href="apple-9.0.tar.gz">no link</a> -->
<a href="../../files/apple-1.0-py3-none-any.whl#sha256=ab" data-requires-python="&gt;=3.8">apple</a><br>
<A data-yanked HREF='apple%2D1.1.tar.gz?x=1'>apple</A>
<a href=apple-1.2.tar.gz data-yanked="made of &quot;wax&quot;" data-requires-python=">=3.9">apple</a>
<a name="here">no link</a>
</body></html>"""


@pytest.mark.parametrize(
    "kind", ["text/html", "text/html; charset=utf-8", "application/vnd.pypi.simple.v1+html"]
)
def test_an_html_page_tells_the_same(kind: str) -> None:
    assert page(HTML, kind).files == (
        File(version="1.0", requires_python=">=3.8"),
        File(version="1.1", yanked=""),
        File(version="1.2", requires_python=">=3.9", yanked='made of "wax"'),
    )


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (SIMPLE, "{", "is no JSON"),
        (SIMPLE, "[]", "is no JSON object"),
        (SIMPLE, "[" * 100_000, "is no JSON"),
        (SIMPLE, "{}", "names no file of the package"),
        (SIMPLE, '{"files": {"a": 1}}', "names no file of the package"),
        (SIMPLE, '{"meta": {"api-version": "2.0"}}', "has the unknown version 2.0"),
        ("text/html", "<html>Please log in", "names no file of the package"),
        ("text/html", '<meta content="3.1" name="pypi:repository-version">', "has the unknown version 3.1"),
        ("image/png", "", "is no page of an index, but image/png"),
        ("", "", "is no page of an index, but of no content type"),
    ],
)
def test_what_is_no_page_is_refused_with_the_reason(kind: str, body: str, reason: str) -> None:
    with pytest.raises(NoxEnvsError) as refused:
        page(body, kind)
    assert str(refused.value) == reason


KEYS = [
    "meta", "api-version", "files", "filename", "yanked", "requires-python", "upload-time", "id", "aliases",
    "withdrawn", "affected", "package", "name", "ecosystem", "ranges", "type", "events", "introduced",
    "fixed", "versions", "vulnerabilities", "fixed_in", "summary", "details",
]  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text()
    | st.sampled_from(["apple-1.0.tar.gz", "PyPI", "apple"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner),
)


@given(JSON, st.sampled_from([SIMPLE, "text/html", "text/plain"]))
def test_whatever_an_index_answers_is_a_page_or_an_error_of_ours(body: object, kind: str) -> None:
    try:
        found = page(body, kind)
    except NoxEnvsError:
        return
    assert found.files


@given(st.binary(), st.sampled_from([SIMPLE, "text/html"]))
def test_whatever_bytes_come_are_a_page_or_an_error_of_ours(body: bytes, kind: str) -> None:
    try:
        found = read_page(kind, body, name="apple", index=INDEX)
    except NoxEnvsError:
        return
    assert found.files


MARKUP = st.lists(
    st.sampled_from(
        [
            "<a",
            " ",
            "href",
            "=",
            '"',
            "'",
            ">",
            "/",
            "apple-1.0.tar.gz",
            "<!--",
            "-->",
            "data-yanked",
            "&",
            "&#x110000;",
        ]
    )
)


@given(MARKUP.map("".join))
def test_whatever_markup_comes_is_a_page_or_an_error_of_ours(body: str) -> None:
    try:
        found = page(body, "text/html")
    except NoxEnvsError:
        return
    assert {file.version for file in found.files} == {"1.0"}


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        '<a x="',
        "<a x='",
        "<a x=",
        "<!--",
        "<a a a",
        "<a href=" + " " * 9,
        "<",
        "<a " + " " * 99,
        "&" * 9,
    ],
)
def test_a_page_that_is_made_to_be_slow_is_read_nevertheless(piece: str) -> None:
    # Whatever looks back at each of a million characters takes hours, and this test with it.
    with pytest.raises(NoxEnvsError, match="names no file"):
        page(piece * 300_000, "text/html")


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("apple-1.0-py3-none-any.whl", "apple", "1.0"),
        ("Apple_Pie-1.0-2-py3-none-any.whl", "apple-pie", "1.0"),
        ("apple-1.0+cu126-py3-none-any.whl", "apple", "1.0+cu126"),
        ("apple-1.0.tar.gz", "apple", "1.0"),
        ("apple-pie-1.0.tar.bz2", "apple-pie", "1.0"),
        ("apple.pie-1.0-1.zip", "apple-pie", "1.0-1"),
        ("apple-1.0.tgz", "apple", "1.0"),
        ("apple-pie-1.0.tar.gz", "apple", "pie-1.0"),
        ("pear-1.0.tar.gz", "apple", ""),
        ("apple-1.0-py3.8.egg", "apple", ""),
        ("apple-1.0.whl", "apple", ""),
        ("apple", "apple", ""),
        ("", "apple", ""),
        ("apple-" + "1" * 500 + ".tar.gz", "apple", ""),
    ],
)
def test_the_name_of_a_file_tells_its_version(filename: str, project: str, version: str) -> None:
    assert version_of_file(filename, project) == version


def test_numbers_in_json_take_no_time() -> None:
    assert document(b'{"size": ' + b"9" * 1_000_000 + b', "part": 1.5e999}') == {"size": 0, "part": 0}


# advisories


def osv(**more: object) -> dict[str, object]:
    """Return an OSV record on apple."""
    affected = {"package": {"ecosystem": "PyPI", "name": "Apple"}, **more}
    return {"id": "GHSA-1", "aliases": ["CVE-2024-1"], "summary": "A worm.", "affected": [affected]}


def ranged(*events: dict[str, str], kind: str = "ECOSYSTEM") -> dict[str, object]:
    """Return an OSV record with one range."""
    return osv(ranges=[{"type": kind, "events": list(events)}])


def concerned(record: dict[str, object], *versions: str) -> list[str]:
    """Return those of some versions that a record concerns."""
    (found,) = read_osv(record)
    return [version for version in versions if affects(found, version)]


ALL = ("0.dev0", "0.9", "1.0rc1", "1.0", "1.0.post1", "1.0+local", "1.5", "2.0", "2.1", "3.0")


def test_events_of_a_range_enclose_the_versions_that_are_affected() -> None:
    record = ranged({"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "2.0"}, {"fixed": "2.1"})
    assert concerned(record, *ALL) == ["0.dev0", "0.9", "1.0rc1", "2.0"]


def test_events_may_come_in_any_order_and_many_in_one() -> None:
    record = ranged({"fixed": "2.1", "introduced": "2.0"}, {"fixed": "1.0"}, {"introduced": "0"})
    assert concerned(record, *ALL) == ["0.dev0", "0.9", "1.0rc1", "2.0"]


def test_the_last_affected_version_is_affected_itself() -> None:
    assert concerned(ranged({"introduced": "1.0"}, {"last_affected": "2.0"}), *ALL) == [
        "1.0",
        "1.0.post1",
        "1.0+local",
        "1.5",
        "2.0",
    ]


def test_a_limit_ends_a_range() -> None:
    assert concerned(ranged({"introduced": "1.5"}, {"limit": "2.1"}), *ALL) == ["1.5", "2.0"]
    assert concerned(ranged({"introduced": "2.1"}, {"limit": "*"}), *ALL) == ["2.1", "3.0"]


def test_an_event_that_is_no_version_is_passed_over() -> None:
    assert concerned(ranged({"introduced": "2.0"}, {"fixed": "tomorrow"}), *ALL) == ["2.0", "2.1", "3.0"]


def test_listed_versions_are_compared_as_versions() -> None:
    record = osv(versions=["1.0.0", "2004d", "3.0"])
    assert concerned(record, "1.0", "1.0+local", "2004d", "3", "2.0", "2004e") == [
        "1.0",
        "1.0+local",
        "2004d",
        "3",
    ]


def test_other_ecosystems_other_ranges_and_withdrawn_records_concern_nobody() -> None:
    assert concerned(ranged({"introduced": "0"}, kind="GIT"), *ALL) == []
    assert concerned(ranged({"introduced": "0"}, kind="SEMVER"), *ALL) == []
    other = {"package": {"ecosystem": "npm", "name": "apple"}, "versions": ["1.0"]}
    assert read_osv({"id": "GHSA-1", "affected": [other]}) == ()
    assert read_osv({**osv(versions=["1.0"]), "withdrawn": "2024-01-01T00:00:00Z"}) == ()


def test_the_fix_is_the_lowest_later_version_that_has_it() -> None:
    (found,) = read_osv(
        ranged({"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "2.0"}, {"fixed": "2.1"}, {"fixed": "x"})
    )
    assert [fixed_version(found, version) for version in ("0.9", "2.0", "2.1", "no version")] == [
        "1.0",
        "2.1",
        "",
        "",
    ]


def test_one_vulnerability_under_several_names_is_told_once() -> None:
    def named(own: str, *aliases: str, fixed: tuple[str, ...] = (), summary: str = "") -> Vulnerability:
        return Vulnerability(
            package="apple", id=own, aliases=aliases, versions=("1.0",), fixed=fixed, summary=summary
        )

    told = (
        named("PYSEC-1", "CVE-1", fixed=("1.2",)),
        named("GHSA-1", "CVE-1", summary="A worm."),
        named("GHSA-2"),
        named("GHSA-3"),
    )
    pin = Pin(name="apple", version="1.0")
    found = list(advisory_remarks(pin, told))
    assert [(one.finding.expected, one.finding.actual, one.target) for one in found] == [
        ("1.2 or later", "1.0, GHSA-1 (CVE-1, PYSEC-1): A worm.", "1.2"),
        ("a version that it does not concern", "1.0, GHSA-2", ""),
        ("a version that it does not concern", "1.0, GHSA-3", ""),
    ]
    assert {one.finding.severity for one in found} == {"warning"}


def test_an_index_serves_advisories_beside_a_release() -> None:
    told = {
        "vulnerabilities": [
            {
                "id": "PYSEC-1",
                "aliases": ["CVE-1"],
                "details": "A worm\nin it.",
                "fixed_in": ["1.2"],
                "withdrawn": None,
            },
            {"id": "PYSEC-2", "withdrawn": "2024-01-01T00:00:00Z"},
            {"aliases": ["CVE-2"]},
            "none",
        ]
    }
    (found,) = read_release(json.dumps(told).encode(), name="apple", version="1.0")
    assert (found.id, found.aliases, found.summary, found.fixed) == (
        "PYSEC-1",
        ("CVE-1",),
        "A worm in it.",
        ("1.2",),
    )
    assert affects(found, "1.0")
    assert not affects(found, "1.1")
    for other in (b"{}", b"", b'{"vulnerabilities": {}}'):
        with pytest.raises(NoxEnvsError):
            read_release(other, name="apple", version="1.0")


VERSIONS = st.sampled_from([*ALL, "0", "*", "", "x", "1" * 5000, "1.0.0"])
EVENT_KINDS: st.SearchStrategy[EventKind] = st.sampled_from(get_args(EventKind))
EVENTS = st.lists(st.tuples(EVENT_KINDS, VERSIONS))


@given(EVENTS, VERSIONS)
def test_whatever_the_events_are_a_version_is_affected_or_not(
    events: list[tuple[EventKind, str]], version: str
) -> None:
    one = Vulnerability(package="apple", id="A", ranges=(tuple(events),))
    if affects(one, version):
        assert any(kind == "introduced" for kind, _ in events)
    later = fixed_version(one, version)
    assert not later or ("fixed", later) in events


@given(JSON)
def test_whatever_an_advisory_holds_is_read_or_an_error_of_ours(content: object) -> None:
    record = {"id": "A", "affected": content}
    for one in (record, osv(ranges=content, versions=content)):
        try:
            found = read_osv(one)
        except NoxEnvsError:
            continue
        assert all(isinstance(affects(vulnerability, "1.0"), bool) for vulnerability in found)
    body = json.dumps({"vulnerabilities": content}).encode()
    if isinstance(content, list):
        assert len(read_release(body, name="apple", version="1.0")) <= len(content)
    else:
        with pytest.raises(NoxEnvsError, match="tells no vulnerabilities"):
            read_release(body, name="apple", version="1.0")


# exports


def write_export(folder: Path) -> Path:
    """Write records on apple and pear, a file that is none, and one that is no JSON file."""
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "one.json").write_text(json.dumps(osv(versions=["1.0"])))
    (folder / "two.json").write_text(json.dumps(osv(versions=["1.0"])).replace("Apple", "pear"))
    (folder / "bad.json").write_text("{")
    (folder / "readme.md").write_text("no record")
    return folder


def zipped(folder: Path) -> Path:
    """Pack a folder."""
    path = folder.parent / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_an_export_is_a_folder_or_an_archive(tmp_path: Path, packed: bool) -> None:
    path = write_export(tmp_path / "export")
    found = read_export(zipped(path) if packed else path, frozenset({"apple", "plum"}))
    assert [one.package for one in found.vulnerabilities] == ["apple"]
    assert found.unread == ("bad.json",)


def test_an_export_may_be_one_record(tmp_path: Path) -> None:
    path = write_export(tmp_path / "export") / "deep" / "one.json"
    assert len(read_export(path, frozenset({"apple"})).vulnerabilities) == 1


@pytest.mark.parametrize("name", ["nowhere", "nowhere.zip", "no.zip", "empty", "text.json"])
def test_an_export_that_holds_nothing_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "no.zip").write_bytes(b"PK no archive")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.json").write_text("no record")
    with pytest.raises(NoxEnvsError, match=re.escape(name)):
        read_export(tmp_path / name, frozenset())


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    path = zipped(write_export(tmp_path / "export"))
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(NoxEnvsError, match="cannot be read"):
        read_export(path, frozenset())


# comparison


def files(*versions: str, **more: str) -> tuple[File, ...]:
    """Return files of these versions."""
    return tuple(File(version=version, **more) for version in versions)


def newest(version: str, found: tuple[File, ...], **more: object) -> str:
    """Return what is expected in place of a pinned version; empty if it is not outdated."""
    admission = Admission(**{"python": "3.12.1", **more})  # type: ignore[arg-type]
    remarks = release_remarks(Pin(name="apple", version=version), found, admission)
    return next((one.finding.expected for one in remarks if one.finding.kind == "outdated"), "")


def test_the_newest_version_is_told_with_the_kind_of_the_step() -> None:
    assert newest("1.0", files("0.9", "1.0", "2.0", "1.5")) == "2.0 (major)"
    assert newest("1.0", files("1.0", "1.0.1")) == "1.0.1 (patch)"
    assert newest("1.0", files("1.0", "1.1")) == "1.1 (minor)"
    assert newest("1.0", files("1.0", "0.9")) == ""
    assert newest("2.0", files("1.0")) == ""
    assert newest("1.0", ()) == ""
    assert newest("2.9+cu126", files("2.9", "2.9+cpu")) == ""
    assert newest("no version", files("1.0")) == ""


def test_pre_releases_count_for_those_who_have_or_take_them() -> None:
    found = files("1.0", "2.0rc1", "3.0.dev1")
    assert newest("1.0", found) == ""
    assert newest("1.0", found, prereleases=True) == "3.0.dev1 (major)"
    assert newest("2.0b1", found) == "3.0.dev1 (major)"


def test_files_that_are_yanked_or_for_other_pythons_do_not_count() -> None:
    assert newest("1.0", files("1.0") + files("2.0", yanked="broken")) == ""
    assert newest("1.0", files("1.1", requires_python=">=3.8") + files("2.0", requires_python=">=3.13")) == (
        "1.1 (minor)"
    )
    assert newest("1.0", files("2.0", requires_python="nonsense")) == "2.0 (major)"


def test_what_came_after_the_cutoff_does_not_count() -> None:
    found = files("1.1", uploaded="2024-01-10T12:00:00.5Z") + files("1.2", uploaded="2024-02-01T00:00:00Z")
    assert newest("1.0", found, before="2024-01-10") == "1.1 (minor)"
    assert newest("1.0", found, before="2024-01-10T11:00:00Z") == ""
    assert newest("1.0", found, before="2024-03-01T00:00:00Z") == "1.2 (minor)"
    assert newest("1.0", files("1.1"), before="2024-01-10") == "1.1 (minor)"


def test_a_version_is_yanked_if_all_of_its_files_are() -> None:
    def told(found: tuple[File, ...]) -> list[tuple[str, str, str]]:
        remarks = release_remarks(Pin(name="apple", version="1.0"), found, Admission(python="3.12.1"))
        return [(one.finding.kind, one.finding.actual, one.finding.severity) for one in remarks]

    assert told(files("1.0.0", yanked="broken")) == [("yanked", "1.0: broken", "warning")]
    assert told(files("1.0", yanked="")) == [("yanked", "1.0: no reason given", "warning")]
    assert told(files("1.0", yanked="broken") + files("1.0")) == []


# settings


def machine(tmp_path: Path, **environ: str) -> Machine:
    """Return a machine without any settings but these variables."""
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir(exist_ok=True)
    home.mkdir(exist_ok=True)
    alone = {"HOME": str(home), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "PIP_CONFIG_FILE": "/dev/null"}
    return Machine(environ={**alone, **environ}, prefix=tmp_path / "prefix", root=root)


ONE, TWO, THREE = (f"https://{name}.example.org/simple" for name in ("one", "two", "three"))


def test_the_variables_of_uv_name_indexes_in_their_order(tmp_path: Path) -> None:
    found = configured(
        machine(
            tmp_path,
            UV_DEFAULT_INDEX=ONE,
            UV_INDEX=f"named={TWO} {THREE}",
            PIP_INDEX_URL="https://x.example.org",
        )
    )
    assert found == Configured(urls=(TWO, THREE, ONE))
    assert configured(machine(tmp_path, UV_INDEX_URL=ONE)) == Configured(urls=(ONE,))


def test_the_variables_of_pip_name_indexes_without_an_order(tmp_path: Path) -> None:
    found = configured(machine(tmp_path, PIP_INDEX_URL=ONE, PIP_EXTRA_INDEX_URL=f"{TWO} {THREE}"))
    assert found == Configured(urls=(ONE, TWO, THREE), merged=True)


def test_the_files_of_pip_are_read(tmp_path: Path) -> None:
    def write(path: Path, text: str) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    write(tmp_path / "home/.config/pip/pip.conf", f"[global]\nindex-url = {TWO}\ncert = /ca.pem\n")
    own = write(tmp_path / "own.conf", f"[install]\nextra_index_url =\n    {ONE}\n    {THREE}\n")
    here = machine(tmp_path, PIP_CONFIG_FILE=own)
    assert configured(here) == Configured(urls=(TWO, ONE, THREE), merged=True)
    assert certificates(here) == "/ca.pem"
    write(tmp_path / "prefix/pip.conf", f"[global]\nindex-url = {ONE}\n")
    assert configured(machine(tmp_path, PIP_CONFIG_FILE=own)).urls == (ONE, THREE)
    assert configured(machine(tmp_path, PIP_CONFIG_FILE=own, PIP_NO_INDEX="1")) == Configured()


def test_the_files_of_uv_are_read_the_nearest_first(tmp_path: Path) -> None:
    here = machine(tmp_path)
    user = tmp_path / "home/.config/uv/uv.toml"
    user.parent.mkdir(parents=True)
    user.write_text(f'index-url = "{THREE}"\n[pip]\nextra-index-url = ["{TWO}"]\n')
    assert configured(here) == Configured(urls=(TWO, THREE))
    (here.root / "pyproject.toml").write_text(
        f'[[tool.uv.index]]\nurl = "{ONE}"\ndefault = true\n[[tool.uv.index]]\nurl = "x"\nexplicit = true\n'
    )
    assert configured(here) == Configured(urls=(TWO, ONE))
    (here.root / "uv.toml").write_text(f'[[index]]\nurl = "{ONE}"\n')
    assert configured(here) == Configured(urls=(ONE, TWO, THREE))
    own = tmp_path / "own.toml"
    own.write_text(f'index-url = "{TWO}"\n')
    assert configured(machine(tmp_path, UV_CONFIG_FILE=str(own))) == Configured(urls=(TWO,))
    assert configured(machine(tmp_path, UV_NO_CONFIG="1", UV_INDEX_URL=THREE)).urls == (THREE,)
    assert configured(machine(tmp_path, UV_NO_INDEX="true")) == Configured()


@pytest.mark.parametrize(
    ("path", "text"), [("home/.config/uv/uv.toml", "a = ["), ("home/.config/uv/uv.toml", "\0")]
)
def test_settings_that_cannot_be_read_stop_the_check(tmp_path: Path, path: str, text: str) -> None:
    here = machine(tmp_path)
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text)
    with pytest.raises(NoxEnvsError, match="--index-url"):
        configured(here)


def test_settings_of_pip_that_cannot_be_read_stop_the_check_without_their_text(tmp_path: Path) -> None:
    own = tmp_path / "pip.conf"
    own.write_text("https://user:hidden@example.org\n")
    with pytest.raises(NoxEnvsError) as refused:
        configured(machine(tmp_path, PIP_CONFIG_FILE=str(own)))
    assert "no configuration of pip" in str(refused.value)
    assert "hidden" not in str(refused.value)
    assert certificates(machine(tmp_path, PIP_CONFIG_FILE=str(own))) == ""


def test_without_any_setting_pip_is_asked_for_its_default(tmp_path: Path) -> None:
    pytest.importorskip("pip")
    from pip._internal.models.index import PyPI

    assert configured(machine(tmp_path)) == Configured(urls=(PyPI.simple_url,), merged=True)


# credentials


def test_credentials_are_for_their_own_host_only(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine two.example.org login ann password b\n")
    found = Credentials(("https://us%40er:p%3Aw@one.example.org/simple", TWO), netrc)
    assert found.header("https://one.example.org:443/other") == "Basic dXNAZXI6cDp3"
    assert found.header(TWO) == "Basic YW5uOmI="
    for other in (
        THREE,
        "http://one.example.org/",
        "https://one.example.org:8443/",
        "https://one.example.org.evil.org",
    ):
        assert found.header(other) == ""


def test_a_netrc_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine\nlogin login login\n\0")
    assert Credentials((ONE,), tmp_path / "netrc").header(ONE) == ""
    assert Credentials((ONE,), tmp_path / "nowhere").header(ONE) == ""


@pytest.mark.parametrize(
    "url", ["ftp://example.org", "example.org", "", "https://", "http://[::1", "https://a:b/c", "data:,x"]
)
def test_other_addresses_are_no_index(url: str) -> None:
    with pytest.raises(NoxEnvsError, match="the URL of an index"):
        origin_of(url)


def test_a_url_is_asked_and_told_without_its_credentials() -> None:
    assert bare("https://user:pw@one.example.org:8443/simple/?a=b#c") == "https://one.example.org:8443/simple"
    assert bare("file:///srv/simple/") == "file:///srv/simple"


# the door to the network


def send(handler: BaseHTTPRequestHandler, body: bytes = b"", code: int = 200, **headers: str) -> None:
    """Answer with headers, named with underscores, and a body."""
    handler.send_response(code)
    named = {"Content_Type": "text/html", "Content_Length": str(len(body)), **headers}
    for name, text in named.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the loopback interface directly."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def fetched(respond: Respond, seconds: float = 60.0, path: str = "/", **credentials: str) -> Answer:
    """Fetch one answer of a server."""
    with server(respond) as url:
        known = Credentials(tuple(credentials.values()))
        (answer,) = Fetcher(seconds, known).fetch((url + path,), "text/html")
    return answer


def test_an_answer_comes_with_its_content_type() -> None:
    answer = fetched(lambda handler: send(handler, b"text", Content_Type="text/HTML; charset=x"))
    assert answer == Answer(media_type="text/html", body=b"text")


def test_packed_answers_are_unpacked() -> None:
    answer = fetched(lambda handler: send(handler, gzip.compress(b"text" * 99), Content_Encoding="gzip"))
    assert answer.body == b"text" * 99


@pytest.mark.parametrize("code", [404, 410])
def test_what_is_not_there_is_missing(code: int) -> None:
    assert fetched(lambda handler: send(handler, code=code)) == Answer(missing=True)


@pytest.mark.parametrize("code", [401, 403, 429, 500, 503])
def test_a_refusal_is_told_by_its_number(code: int) -> None:
    assert fetched(lambda handler: send(handler, b"hidden", code=code)) == Answer(failure=f"HTTP {code}")


def test_an_answer_that_is_too_large_or_grows_so_is_not_taken() -> None:
    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * (1 << 20))

    assert fetched(pour).failure == "the answer is too large"
    bomb = gzip.compress(bytes(1 << 27), compresslevel=1)
    answer = fetched(lambda handler: send(handler, bomb, Content_Encoding="gzip"))
    assert answer.failure == "the answer is too large"


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"text", {"Content_Length": "9"}, "the answer ended early"),
        (gzip.compress(b"text", mtime=0)[:-9], {"Content_Encoding": "gzip"}, "the answer ended early"),
        (b"no gzip", {"Content_Encoding": "gzip"}, "no proper answer (error)"),
        (b"zz\r\n", {"Transfer_Encoding": "chunked"}, "no proper answer (IncompleteRead)"),
    ],
)
def test_an_answer_that_is_damaged_is_not_taken(body: bytes, headers: dict[str, str], reason: str) -> None:
    assert fetched(lambda handler: send(handler, body, 200, **headers)).failure == reason


def test_what_is_no_http_is_told() -> None:
    def greet(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"hello\r\n\r\n")

    assert fetched(greet).failure == "no proper answer (BadStatusLine)"


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Answer nothing, until whoever asked is gone."""
    handler.rfile.read(1)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Answer a byte now and then, for longer than anybody waits."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.01)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    """Answer a byte of a header now and then."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("respond", [hang, drip, drip_headers])
def test_whoever_answers_late_is_not_waited_for(respond: Respond) -> None:
    assert fetched(respond, seconds=0.3).failure == LATE


def test_the_span_of_time_is_for_all_that_is_asked() -> None:
    asked: list[str] = []

    def wait(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        hang(handler)

    with server(wait) as url:
        fetcher = Fetcher(0.5, Credentials(()))
        answers = fetcher.fetch(tuple(f"{url}/{number}" for number in range(200)), "")
        answers += fetcher.fetch((url + "/later",), "")
    assert {answer.failure for answer in answers} == {LATE}
    assert "/later" not in asked
    assert len(asked) < 50


def test_what_only_fails_is_not_asked_hundreds_of_times() -> None:
    asked: list[str] = []

    def fail(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        send(handler, code=500)

    with server(fail) as url:
        answers = Fetcher(60, Credentials(())).fetch(tuple(f"{url}/{number}" for number in range(300)), "")
    assert all(answer.failure for answer in answers)
    assert len(asked) < 60


def test_nobody_there_and_unknown_hosts_are_told() -> None:
    with server(hang) as url:
        gone = url
    fetcher = Fetcher(60, Credentials(()))
    refused, unknown = fetcher.fetch((gone, "http://" + "a" * 70 + ".invalid/"), "")
    assert refused.failure == "connection refused"
    assert unknown.failure


def test_the_proxy_of_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda handler: send(handler, handler.path.encode())) as url:
        monkeypatch.setenv("http_proxy", url)
        found = Fetcher(60, Credentials(())).fetch(("http://packages.example.org/simple/apple/",), "")
    assert [answer.body for answer in found] == [b"http://packages.example.org/simple/apple/"]


@pytest.mark.parametrize(("code", "asked"), [(500, []), (404, ["/apple/"])])
def test_the_next_index_is_asked_only_where_the_one_before_says_that_it_has_no_such_package(
    code: int, asked: list[str]
) -> None:
    paths: list[str] = []

    def have(handler: BaseHTTPRequestHandler) -> None:
        paths.append(handler.path)
        send(handler, HTML.encode(), Content_Type="text/html")

    with server(lambda handler: send(handler, code=code)) as first, server(have) as second:
        question = Question(name="apple", versions=("1.0",), indexes=(first, second))
        found = ask_pages((question,), Fetcher(60, Credentials(())))
    assert paths == asked
    assert [page.index for page in found.pages] == [second] * len(asked)
    assert found.complete is (code == 404)


def test_a_redirect_from_https_to_http_is_refused_and_the_other_way_followed() -> None:
    rule = _Redirects(Credentials(()))
    secure, plain = (f"{scheme}://packages.example.org/a" for scheme in ("https", "http"))

    def led(start: str, target: str) -> Request | None:
        return rule.redirect_request(Request(start), io.BytesIO(), 302, "Found", HTTPMessage(), target)

    with pytest.raises(_Refused, match="leads from https to another kind of address, http"):
        led(secure, plain)
    for start in (secure, plain):
        followed = led(start, secure)
        assert followed is not None
        assert followed.full_url == secure


def test_redirects_are_followed_within_http_and_lose_the_credentials_of_another_host() -> None:
    seen: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        send(handler, b"found")

    with server(answer) as target:

        def lead(handler: BaseHTTPRequestHandler) -> None:
            seen.append(handler.headers["Authorization"])
            here = "/there" if handler.path == "/" else f"{target}/found"
            send(handler, b"x" * 100, code=302, Location=here)

        with server(lead) as url:
            known = Credentials((url.replace("//", "//user:pw@"),))
            (found,) = Fetcher(60, known).fetch((url + "/",), "")
    assert found.body == b"found"
    assert seen == ["Basic dXNlcjpwdw==", "Basic dXNlcjpwdw==", None]


@pytest.mark.parametrize(
    "target", ["ftp://example.org/", "file:///etc/passwd", "https://[", "/again", "data:,x"]
)
def test_other_redirects_are_not_followed(target: str) -> None:
    answer = fetched(lambda handler: send(handler, code=302, Location=target))
    assert answer.failure
    assert answer.body == b""
    assert "passwd" not in answer.failure


def test_a_redirect_whose_text_never_ends_keeps_nobody_waiting() -> None:
    def pour(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/there":
            return send(handler, b"found")
        handler.send_response(302)
        handler.send_header("Location", "/there")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 4096)

    assert fetched(pour).body == b"found"


def test_a_folder_on_disk_is_an_index_too(tmp_path: Path) -> None:
    (tmp_path / "simple/apple").mkdir(parents=True)
    (tmp_path / "simple/apple/index.html").write_text(HTML)
    base = (tmp_path / "simple").as_uri()
    found, missing, folder = Fetcher(60, Credentials(())).fetch(
        (f"{base}/apple/", f"{base}/pear/", f"{base}/apple/index.html/x"), ""
    )
    assert found == Answer(media_type="text/html", body=HTML.encode())
    assert missing == Answer(missing=True)
    assert folder.failure or folder.missing


def test_certificates_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "nowhere.pem"):
        with pytest.raises(NoxEnvsError, match=name):
            Fetcher(60, Credentials(()), str(tmp_path / name))
