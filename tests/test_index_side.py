"""Link (5): a lock beside an index and advisories, by the real commands and an index on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.answers import Respond, server
from tests.conftest import Project, Result
from tests.index import Index, populate, serve

pytestmark = pytest.mark.functional

SPEC = """
    version: 1
    requirements:
      app:
        - basket==1.0
        - plum
    environments:
      demo: {requirements: [app]}
      other: {requirements: ["pear==1.0"]}
"""


def osv(*versions: str, **more: str) -> dict[str, object]:
    """Return an OSV record on apple from 1.0 to 1.1, and on other versions of it."""
    affected = {
        "package": {"ecosystem": "PyPI", "name": "apple"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"fixed": "1.1"}]}],
        "versions": versions,
    }
    return {
        "id": "GHSA-aaaa",
        "aliases": ["CVE-2024-1"],
        "summary": "A worm.",
        "affected": [affected],
        **more,
    }


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Index]:
    """Serve an index that a test may change."""
    (tmp_path / "served").mkdir()
    with serve(tmp_path / "served") as index:
        populate(index)
        yield index


def lock(*pins: str) -> str:
    """Return a lock as another tool writes it."""
    lines = (f"{pin} \\\n    --hash=sha256:{'0' * 64}\n    # via app\n" for pin in pins)
    return "".join(lines)


@pytest.fixture
def orchard(project: Project) -> Project:
    """Make a project that is locked to old versions, and never built."""
    project.write("envs.yaml", SPEC)
    project.write("requirements/demo.txt", lock("apple==1.0", "basket==1.0", "plum==1.1"))
    project.write("requirements/other.txt", lock("pear==1.0"))
    return project


def drift(project: Project, *options: str, index: str = "", **environ: str) -> Result:
    """Run the command line, by default with an index in the variable of uv; every variable of pip is off."""
    alone = {"UV_DEFAULT_INDEX": index, "PIP_INDEX_URL": ""}
    return project.cli("drift", *options, env={**alone, **environ})


Row = tuple[str, str, str, str, str]


def told(result: Result) -> list[Row]:
    """Return the findings of link (5) of a JSON report, each by what matters."""
    return [
        (f["kind"], f["package"], f["severity"], f["expected"], f["actual"])
        for environment in json.loads(result.stdout)["environments"]
        for f in environment["findings"]
        if f["kind"] in ("outdated", "yanked", "advisory")
    ]


OUTDATED: list[Row] = [
    ("outdated", "apple", "note", "2.0 (major)", "1.0"),
    ("outdated", "basket", "note", "1.1 (minor)", "1.0"),
]
YANKED: Row = ("yanked", "plum", "warning", "a version that is not yanked", "1.1: made of wax")
ADVISORY: Row = ("advisory", "apple", "warning", "1.1 or later", "1.0, GHSA-aaaa (CVE-2024-1): A worm.")


def test_outdated_and_yanked_pins_are_told_with_their_line_and_their_fix(
    orchard: Project, own: Index
) -> None:
    shown = drift(orchard, "--online", "demo", index=own.url)
    assert shown.returncode == 0
    assert shown.stdout == (
        "demo: skipped: not built; nox -s demo\n"
        "  yanked    plum    expected a version that is not yanked, found 1.1: made of wax  [warning]\n"
        "            why: app\n"
        "            at: requirements/demo.txt:7\n"
        "            fix: nox -s lock -- demo --upgrade-package plum\n"
        "  outdated  apple   expected 2.0 (major), found 1.0  [note]\n"
        "            why: app\n"
        "            at: requirements/demo.txt:1\n"
        "            fix: nox -s lock -- demo --upgrade-package apple\n"
        "  outdated  basket  expected 1.1 (minor), found 1.0  [note]\n"
        "            why: app\n"
        "            at: requirements/demo.txt:4\n"
        "            fix: allow basket 1.1 at envs.yaml:5, "
        "then nox -s lock -- demo --upgrade-package basket\n"
        f"note: no advisories are served by {own.url}; --advisories PATH takes an OSV export\n"
    )


def test_each_package_is_asked_about_once_and_without_the_option_nothing_is(
    orchard: Project, own: Index
) -> None:
    orchard.write("requirements/other.txt", lock("pear==1.0", "apple==1.0"))
    drift(orchard, index=own.url)
    assert own.requests == []
    drift(orchard, "--online", index=own.url)
    pages = [path for path in own.requests if path.startswith("/simple/")]
    assert sorted(pages) == [f"/simple/{name}/" for name in ("apple", "basket", "pear", "plum")]


def test_without_the_option_no_module_of_the_network_is_imported(orchard: Project) -> None:
    code = (
        "import sys, nox_envs.cli\nnox_envs.cli.main(['drift'])\n"
        "bad = ('nox_envs.index', 'nox_envs.workflow.index_side', 'urllib.request', 'http', 'ssl')\n"
        "print([name for name in bad if name in sys.modules], file=sys.stderr)"
    )
    ran = orchard.machine.run("python", "-c", code, cwd=orchard.root)
    assert ran.stderr == "[]\n"


def advisories(folder: Path, *records: object) -> Path:
    """Write an OSV export."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, record in enumerate(records):
        (folder / f"{number}.json").write_text(json.dumps(record))
    return folder


def test_advisories_of_an_export_need_no_network(orchard: Project, own: Index, tmp_path: Path) -> None:
    folder = advisories(tmp_path / "osv", osv(), osv(id="X", withdrawn="2024-01-01T00:00:00Z"))
    with ZipFile(tmp_path / "osv.zip", "w") as archive:
        archive.write(folder / "0.json", "0.json")
    for path in (folder, tmp_path / "osv.zip"):
        ran = drift(orchard, "demo", "--advisories", str(path), "--format", "json", index=own.url)
        assert told(ran) == [ADVISORY]
        (finding,) = (
            f for f in json.loads(ran.stdout)["environments"][0]["findings"] if f["package"] == "apple"
        )
        assert finding["line"] == "requirements/demo.txt:1"
        assert finding["fix"] == "nox -s lock -- demo --upgrade-package apple  # fixed in 1.1"
        assert ran.returncode == 0
    assert own.requests == []
    shown = drift(orchard, "demo", "--advisories", str(folder), "--fail-on", "error,advisory")
    assert shown.returncode == 1


def test_a_lock_that_cannot_be_read_hides_no_other_environment(
    orchard: Project, own: Index, tmp_path: Path
) -> None:
    orchard.write("requirements/other.txt", "pear==1.0 --unknown\n")
    folder = advisories(tmp_path / "osv", osv())
    ran = drift(orchard, "--advisories", str(folder), "--format", "json", index=own.url)
    assert ran.returncode == 2
    assert told(ran) == [ADVISORY]
    (problem,) = json.loads(ran.stdout)["problems"]
    assert problem.startswith("requirements/other.txt:1:")
    assert "apple" in own_pages(drift(orchard, "--online", index=own.url), own)


def own_pages(ran: Result, index: Index) -> str:
    """Return what was asked of an index by a run that ended with code 2."""
    assert ran.returncode == 2, ran.output
    return " ".join(index.requests)


def test_an_export_that_is_not_there_is_an_error(orchard: Project) -> None:
    ran = drift(orchard, "--advisories", "nowhere")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("nowhere: the advisories cannot be read: no such file") or ran.stderr == (
        "nowhere: the advisories cannot be read: No such file or directory\n"
    )


def test_an_index_that_serves_advisories_is_asked_for_them(orchard: Project, own: Index) -> None:
    own.advise(
        "apple",
        "1.0",
        {"id": "GHSA-aaaa", "aliases": ["CVE-2024-1"], "summary": "A worm.", "fixed_in": ["1.1"]},
    )
    ran = drift(orchard, "demo", "--online", "--format", "json", index=own.url)
    assert told(ran) == [ADVISORY, YANKED, *OUTDATED]
    assert json.loads(ran.stdout)["notes"] == []
    assert ran.stderr == ""


def test_what_is_told_is_gone_after_what_the_fix_says(project: Project, own: Index, tmp_path: Path) -> None:
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: ['apple>=1', 'plum>=1']}\n")
    env = {"UV_DEFAULT_INDEX": own.url, "PIP_INDEX_URL": own.url}
    project.nox("-s", "lock", "demo", env=env, check=True)
    own.release("apple", "3.0", uploaded="2024-06-01T00:00:00Z")
    own.yank("plum", "1.0", "worms")
    own.release("plum", "1.2")
    folder = advisories(tmp_path / "osv", osv("2.0"))
    options = ("-s", "drift", "--", "--online", "--advisories", str(folder))
    first = project.nox(*options, env=env)
    assert first.returncode == 0, first.output
    assert "demo: drift: 1 advisory, 2 outdated, 1 yanked" in first.output
    assert "why: environment demo: plum>=1 (envs.yaml:3)\n" in first.output
    lines = [line.partition("fix: ")[2] for line in first.output.splitlines() if "fix: " in line]
    fixes = {line.partition("  #")[0] for line in lines}
    assert fixes == {f"nox -s lock -- demo --upgrade-package {name}" for name in ("apple", "plum")}
    for fix in sorted(fixes):
        project.nox(*fix.split()[1:], env=env, check=True)
    project.nox("-s", "demo", env=env, check=True)
    again = project.nox(*options, "--format", "json", env=env)
    assert again.returncode == 0, again.output
    assert '"findings": {}' in again.stdout
    assert '"clean": 1' in again.stdout


def test_policy_ignore_rules_and_baselines_know_these_kinds(
    project: Project, own: Index, tmp_path: Path
) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          demo: {requirements: [apple==1.0, plum==1.1]}
        drift:
          severity: {outdated: "off", yanked: error}
          ignore:
            - {kind: yanked, package: berry, reason: not there}
            - {kind: advisory, package: plum, reason: not asked}
        """,
    )
    project.nox("-s", "lock", "demo", env={"UV_DEFAULT_INDEX": own.url}, check=True)
    ran = drift(project, "--online", "--format", "json", index=own.url)
    assert ran.returncode == 1
    assert told(ran) == [("yanked", "plum", "error", *YANKED[3:])]
    _, idle = json.loads(ran.stdout)["notes"]
    assert idle == "envs.yaml:8: the ignore rule for kind yanked, package berry matched nothing; remove it"
    (tmp_path / "base.json").write_text(ran.stdout)
    accepted = drift(project, "--online", "--baseline", str(tmp_path / "base.json"), index=own.url)
    assert accepted.returncode == 0
    assert "yanked  plum" not in accepted.stdout


def test_pins_for_other_platforms_and_pythons_are_compared_where_they_are_installed(
    project: Project, own: Index
) -> None:
    project.write(
        "envs.yaml",
        'version: 1\nenvironments:\n  demo: {python: ["3.10", "3.12"], requirements: [apple>=1, plum>=1]}\n',
    )
    text = lock("apple==1.0 ; sys_platform == 'win32'", "apple==1.1 ; sys_platform != 'win32'")
    project.write("requirements/demo.txt", text + lock("plum==1.1 ; python_version < '3.11'"))
    own.release("apple", "2.5", requires_python=">=3.11")
    ran = drift(project, "--online", "--format", "json", index=own.url)
    found = {
        environment["session"]: [(f["package"], f["actual"], f["expected"]) for f in environment["findings"]]
        for environment in json.loads(ran.stdout)["environments"]
    }
    assert [row for row in found["demo-3.10"] if row[0] == "apple" and "(" in row[2]] == [
        ("apple", "1.0", "2.0 (major)"),
        ("apple", "1.1", "2.0 (major)"),
    ]
    assert [row for row in found["demo-3.12"] if row[0] == "apple" and "(" in row[2]] == [
        ("apple", "1.0", "2.5 (major)"),
        ("apple", "1.1", "2.5 (major)"),
    ]
    assert ("plum", "1.1: made of wax", "a version that is not yanked") in found["demo-3.10"]
    assert not [row for row in found["demo-3.12"] if "wax" in row[1]]


def test_where_nothing_takes_the_place_of_a_yanked_version_no_upgrade_is_advised(
    orchard: Project, own: Index
) -> None:
    own.yank("pear", "1.0", "worms")
    ran = drift(orchard, "other", "--online", index=own.url)
    assert "found 1.0: worms  [warning]" in ran.stdout
    assert "fix: replace pear, of which the index has no other version" in ran.stdout
    in_ci = drift(orchard, "other", "--online", index=own.url, CI="1")
    assert (in_ci.returncode, in_ci.stderr.splitlines()[-1]) == (2, "not checked: other")


def test_a_cooldown_and_exempt_packages_are_considered(project: Project, own: Index) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          demo:
            requirements: [apple>=1, basket>=1]
            lock: {exclude_newer: {than: "2024-03-01", exempt: [basket]}}
        """,
    )
    project.write("requirements/demo.txt", lock("apple==2.0", "basket==1.1"))
    own.release("apple", "9.0", uploaded="2024-06-01T00:00:00Z")
    own.release("basket", "9.0", uploaded="2024-06-01T00:00:00Z")
    ran = drift(project, "--online", "--format", "json", index=own.url)
    assert told(ran) == [("outdated", "basket", "note", "9.0 (major)", "1.1")]


def test_a_lock_that_others_made_names_its_own_command(project: Project, own: Index) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          demo: {requirements: [apple>=1], lock: {managed: false, file: pins.txt}}
        """,
    )
    project.write("pins.txt", "#    pip-compile --output-file=pins.txt pins.in\n" + lock("apple==1.0"))
    ran = drift(project, "--online", index=own.url)
    assert "outdated  apple" in ran.stdout
    assert "at: pins.txt:2" in ran.stdout
    assert "--upgrade-package" not in ran.stdout


# which index


def test_a_package_with_an_index_of_its_own_is_asked_about_there_only(
    orchard: Project, own: Index, tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    with serve(tmp_path / "second") as second:
        second.release("plum", "5.0")
        orchard.write(
            "envs.yaml",
            SPEC
            + f"""
    indexes:
      main: "{own.url}"
      private: {{url: "{second.url}", packages: [plum]}}
""",
        )
        ran = drift(orchard, "demo", "--online", "--format", "json", index="http://127.0.0.1:9/simple")
        assert [row for row in told(ran) if row[1] == "plum"] == [
            ("outdated", "plum", "note", "5.0 (major)", "1.1")
        ]
        assert told(ran)[:2] == OUTDATED or [row for row in told(ran) if row[1] != "plum"] == OUTDATED
        assert "/simple/plum/" not in own.requests
        assert {path for path in second.requests if path.startswith("/simple")} == {"/simple/plum/"}
        assert [n for n in json.loads(ran.stdout)["notes"] if "locked, but not on the index: plum 1.1" in n]


def test_the_next_index_is_asked_for_what_the_one_before_does_not_have(
    orchard: Project, own: Index, tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    with serve(tmp_path / "second") as second:
        second.release("apple", "7.0")
        ran = drift(orchard, "demo", "--online", "--format", "json", index=own.url, UV_INDEX=second.url)
        assert ("outdated", "apple", "note", "7.0 (major)", "1.0") in told(ran)
        assert YANKED in told(ran)
        assert "/simple/apple/" not in own.requests
        pip = {"UV_DEFAULT_INDEX": "", "PIP_INDEX_URL": own.url, "PIP_EXTRA_INDEX_URL": second.url}
        merged = drift(orchard, "demo", "--online", "--format", "json", **pip)
        assert ("outdated", "apple", "note", "7.0 (major)", "1.0") in told(merged)
        assert "/simple/apple/" in own.requests


def test_an_index_named_on_the_command_line_takes_the_place_of_the_configured_ones(
    orchard: Project, own: Index
) -> None:
    ran = drift(
        orchard,
        "demo",
        "--online",
        "--index-url",
        own.url + "/",
        "--format",
        "json",
        index="http://x.invalid",
    )
    assert told(ran) == [YANKED, *OUTDATED]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--index-url", "https://packages.example.org"), "add --online"),
        (("--online-timeout", "9"), "add --online"),
        (("--online", "--online-timeout", "0"), "'0' is no number of seconds between 0 and 3600"),
        (("--online", "--online-timeout", "nan"), "'nan' is no number of seconds"),
        (("--online", "--index-url", "user:s3cr3t@example.org"), "the URL of an index"),
    ],
)
def test_words_that_cannot_be_meant_are_told(
    orchard: Project, options: tuple[str, ...], message: str
) -> None:
    ran = drift(orchard, *options)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "s3cr3t" not in ran.output


def test_where_no_index_is_to_be_used_none_is_asked(orchard: Project, own: Index) -> None:
    ran = drift(orchard, "demo", "--online", index=own.url, UV_NO_INDEX="1")
    note = "no index is configured for uv or pip, so none was asked; name one with --index-url URL"
    assert ran.returncode == 0
    assert f"note: {note}\n" in ran.stdout
    assert ran.stderr == f"note: {note}\n"
    assert own.requests == []


# an index that does not answer as it should


def answer(code: int, kind: str = "text/html", body: bytes = b"") -> Respond:
    """Return what answers so, whatever is asked."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Answer nothing, until whoever asked is gone."""
    handler.rfile.read(1)


def pour(handler: BaseHTTPRequestHandler) -> None:
    """Answer more than anybody can hold."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * (1 << 20))


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (answer(500), "HTTP 500"),
        (answer(401), "HTTP 401"),
        (answer(200, "image/png"), "the answer is no page of an index, but image/png"),
        (answer(200, "text/html", b"please log in"), "the answer names no file of the package"),
        (answer(200, "application/vnd.pypi.simple.v1+json", b"{"), "the answer is no JSON"),
        (hang, "no answer in time; --online-timeout SECONDS gives it more time"),
        (pour, "the answer is too large"),
    ],
    ids=["500", "401", "picture", "login", "garbled", "hanging", "huge"],
)
def test_an_index_that_gives_no_answer_is_a_note_and_no_failure(
    orchard: Project, respond: Respond, reason: str
) -> None:
    seconds = "1" if respond is hang else "60"
    with server(respond, "/simple") as url:
        options = ("demo", "--online", "--online-timeout", seconds, "--format", "json")
        ran = drift(orchard, *options, index=url.replace("//", "//user:s3cr3t@"))
    note = f"the index {url} could not be asked about apple, basket, plum: {reason}"
    assert ran.returncode == 0
    assert told(ran) == []
    assert json.loads(ran.stdout)["notes"] == [note]
    assert ran.stderr == f"note: {note}\n"
    assert "s3cr3t" not in ran.output


def test_an_index_that_is_not_there_is_a_note_also_in_the_session(orchard: Project) -> None:
    with server(hang, "/simple") as url:
        gone = url
    ran = orchard.nox("-s", "drift", "--", "demo", "--online", env={"UV_DEFAULT_INDEX": gone})
    note = f"the index {gone} could not be asked about apple, basket, plum: connection refused"
    assert ran.returncode == 0, ran.output
    assert f"note: {note}" in ran.stdout
    assert note in ran.stderr


def test_what_no_index_has_is_told(orchard: Project) -> None:
    with server(answer(404), "/simple") as url:
        ran = drift(orchard, "demo", "--online", "--format", "json", index=url)
    assert json.loads(ran.stdout)["notes"] == ["no index that was asked has apple, basket, plum"]
    assert ran.returncode == 0


def test_credentials_reach_their_own_index_and_no_output(
    orchard: Project, own: Index, tmp_path: Path
) -> None:
    seen: set[str] = set()

    def guarded(handler: BaseHTTPRequestHandler) -> None:
        given = handler.headers["Authorization"] or ""
        seen.add(given)
        found = own.respond(handler.path, "") if given else None
        answer(200 if found else 401, *(found or ()))(handler)

    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password s3cr3t\n")
    spec = SPEC + '\n    indexes: {my-own: "%s"}\n'
    with server(guarded, "/simple") as url:
        orchard.write("envs.yaml", spec % url)
        named = {"UV_INDEX_MY_OWN_USERNAME": "user", "UV_INDEX_MY_OWN_PASSWORD": "s3cr3t"}
        for environ in (named, {"NETRC": str(netrc)}):
            for form in ("text", "json", "html", "sarif", "github"):
                ran = drift(orchard, "demo", "--online", "--format", form, **environ)
                assert "plum" in ran.stdout
                assert "s3cr3t" not in ran.output
                assert "czNjcjN0" not in ran.output
    assert {len(one) > 10 for one in seen} == {True}
    assert len(seen) == 2


@pytest.mark.network
def test_the_index_that_this_machine_is_set_up_for_answers(online: Project) -> None:
    online.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: [requests>=2]}\n")
    online.write(
        "requirements/demo.txt", lock("requests==2.31.0", "attrs==21.1.0").replace("via app", "via demo")
    )
    ran = online.cli("drift", "--online", "--online-timeout", "120", "--format", "json")
    assert ran.returncode in (0, 1), ran.output
    found = {(row[0], row[1]) for row in told(ran)}
    assert ("outdated", "requests") in found, ran.stderr
    assert ("yanked", "attrs") in found or "attrs 21.1.0" in ran.stderr
