"""Every format of a report: golden files, contracts, limits, and harmless hostile texts."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs import arguments
from nox_envs.drift import KINDS, Finding, Severity
from nox_envs.errors import FileProblems
from nox_envs.report import FORMATS, EnvironmentReport, Format, Report, Status, render
from nox_envs.report.as_json import report_schema
from nox_envs.report.as_markdown import BUDGET
from nox_envs.report.meanings import MEANINGS
from nox_envs.report.places import place_of
from nox_envs.report.reading import read_report
from nox_envs.values import replace
from tests.reports import everything, finding, hostile, outcome
from tests.sarif import check_published, check_references, published

GOLDEN = Path(__file__).parent / "golden" / "report"
DOCS = Path(__file__).parent.parent / "docs"
CLEAN = Report(environments=(outcome(),))
EVERY_KIND = Report(environments=(outcome(*map(finding, KINDS)),), findings=tuple(map(finding, KINDS)))


def as_json(report: Report) -> dict[str, Any]:
    return dict(json.loads(render(report, "json")))


def check_report(document: object) -> None:
    jsonschema.Draft202012Validator(json.loads(report_schema())).validate(document)


# all formats


@pytest.mark.parametrize("format_", FORMATS)
def test_a_report_is_rendered_as_its_golden_file_says(format_: Format) -> None:
    rendered = render(everything(), format_)
    if format_ == "html":  # the style and the script lie in files of their own
        rendered = re.sub(r"(?s)<(style|script)>.*?</\1>", r"<\1>…</\1>", rendered)
        rendered = re.sub(r"sha256-[\w+/=]+", "sha256-…", rendered)
    assert rendered == (GOLDEN / f"everything.{format_}").read_text(encoding="utf-8")


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_report_gives_the_same_bytes(format_: Format) -> None:
    assert render(everything(), format_) == render(everything(), format_)


@pytest.mark.parametrize("format_", FORMATS)
def test_no_text_from_outside_is_acted_on(format_: Format) -> None:
    rendered = render(hostile(), format_)
    assert not [c for c in rendered if c != "\n" and not c.isprintable()]
    rendered.encode("utf-8")
    match format_:
        case "text":
            assert not [line for line in rendered.splitlines() if line.startswith("::")]
        case "json":
            assert read_report(rendered, origin="x") == hostile()
        case "markdown":
            assert "<img" not in rendered
            assert not re.search(r"@someone|\]\(|`c`|https:|www\.|[^&]#12", rendered)
            rows = [line for line in rendered.splitlines() if line.startswith("|")]
            assert {line.count("|") for line in rows} == {8}
        case "github":
            lines = rendered.splitlines()
            assert all(re.match(r"::(error|warning|notice)( [^:]*)?::", line) for line in lines)
            assert len(lines) == 6
            assert "%0A::" not in rendered
        case "sarif":
            check_references(json.loads(rendered))
            check_published(json.loads(rendered))
        case "junit":
            root = ET.fromstring(rendered)
            assert [child.tag for child in root] == ["testsuite"]
            assert {child.tag for child in root[0]} == {"testcase"}
        case "html":
            assert "<img" not in rendered
            assert rendered.count("</script>") == rendered.count("<script") == 2


@pytest.mark.parametrize("format_", FORMATS)
def test_an_empty_report_and_a_clean_one_can_be_rendered(format_: Format) -> None:
    assert render(Report(environments=()), format_).count("missing") == 0
    assert "missing" not in render(CLEAN, format_).replace("missing_", "")


def test_the_command_line_offers_every_format() -> None:
    assert arguments.FORMATS == FORMATS


def test_every_kind_is_explained_in_reports_and_in_the_documentation() -> None:
    assert MEANINGS.keys() == KINDS.keys()
    page = (DOCS / "findings.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### `([a-z-]+)`", page, re.MULTILINE)
    assert headings == list(KINDS)
    for kind, severity in KINDS.items():
        section = page.split(f"### `{kind}`")[1].split("\n##")[0]
        assert severity in section, kind
        assert "```text" in section, kind
        assert "**What to do.**" in section, kind


def test_the_documentation_names_every_key_of_the_json() -> None:
    page = (DOCS / "reports.md").read_text(encoding="utf-8")
    schema = json.loads(report_schema())
    tables = (schema, schema["$defs"]["environment"], schema["$defs"]["finding"])
    missing = [key for table in tables for key in table["properties"] if f"`{key}`" not in page]
    assert missing == []


# text


def test_one_fix_for_all_findings_is_written_once() -> None:
    report = Report(environments=(outcome(finding(), finding("version", "basket")),))
    text = render(report, "text")
    assert text.count("fix: ") == 1
    assert text.endswith("\n  fix: nox -s tests-3.12\n")


def test_different_fixes_stay_with_their_findings() -> None:
    report = Report(environments=(outcome(finding(), finding("lock-stale", "", fix="nox -s lock -- tests")),))
    assert render(report, "text").count("fix: ") == 2


def test_a_clean_environment_takes_one_line() -> None:
    assert render(CLEAN, "text").count("\n") == 1


# json


def test_the_json_meets_its_schema() -> None:
    for report in (everything(), EVERY_KIND, CLEAN, Report(environments=())):
        check_report(as_json(report))
    assert set(as_json(EVERY_KIND)["summary"]["findings"]) == KINDS.keys()


def test_the_schema_describes_every_key_and_refuses_what_is_no_report() -> None:
    schema = json.loads(report_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = as_json(everything())
    assert schema["properties"].keys() == document.keys()
    environment = document["environments"][0]
    assert schema["$defs"]["environment"]["properties"].keys() == environment.keys()
    assert schema["$defs"]["finding"]["properties"].keys() == environment["findings"][0].keys()
    assert schema["$defs"]["kind"]["enum"] == list(KINDS)
    for key in ("environments", "findings"):
        with pytest.raises(jsonschema.ValidationError):
            check_report({**document, key: [{"kind": "nothing"}]})


TEXTS = st.text(max_size=6)
FINDINGS = st.builds(
    Finding,
    kind=st.sampled_from(sorted(KINDS)),
    severity=st.sampled_from(["error", "warning", "note"]),
    **dict.fromkeys(
        ("environment", "session", "package", "expected", "actual", "path", "line", "fix"), TEXTS
    ),
    why=st.lists(TEXTS, max_size=2).map(tuple),
)
STATUSES: list[Status] = ["clean", "repaired", "drift", "skipped"]
OUTCOMES = st.builds(
    EnvironmentReport,
    **dict.fromkeys(
        ("environment", "session", "python", "lock", "location", "reason", "platform", "origin"), TEXTS
    ),
    status=st.sampled_from(STATUSES),
    installed=st.integers(0, 9),
    ignored=st.integers(0, 9),
    seconds=st.integers(0, 10**6).map(lambda thousandths: thousandths / 1000),
    findings=st.lists(FINDINGS, max_size=2).map(tuple),
    distributions=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
)
REPORTS = st.builds(
    Report,
    environments=st.lists(OUTCOMES, max_size=3).map(tuple),
    findings=st.lists(FINDINGS, max_size=2).map(tuple),
    problems=st.lists(TEXTS, max_size=2).map(tuple),
    notes=st.lists(TEXTS, max_size=2).map(tuple),
)


@given(REPORTS)
def test_a_report_that_is_read_back_is_the_same(report: Report) -> None:
    assert read_report(render(report, "json"), origin="report.json") == report


@given(REPORTS, st.sampled_from(FORMATS))
def test_every_format_takes_every_report(report: Report, format_: Format) -> None:
    rendered = render(report, format_)
    assert not [c for c in rendered if c != "\n" and not c.isprintable()]
    match format_:
        case "sarif":
            check_references(json.loads(rendered))
        case "junit":
            assert ET.fromstring(rendered).tag == "testsuites"
        case "json":
            check_report(json.loads(rendered))
        case _:
            assert rendered.encode("utf-8").decode("utf-8") == rendered


def broken(**changes: object) -> str:
    return json.dumps({**as_json(everything()), **changes})


def broken_environment(**changes: object) -> str:
    first = as_json(everything())["environments"][0]
    return broken(environments=[{**first, **changes}])


def broken_finding(**changes: object) -> str:
    first = as_json(everything())["environments"][0]["findings"][0]
    return broken(findings=[{**first, **changes}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "report.json:1:1: is no JSON: Expecting value"),
        ('{"schema": 1,\n "environ', "report.json:2:2: is no JSON: Unterminated string"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "report.json:1:1: "),
        ("[]", "expected an object, found []"),
        ("{}", "schema: is missing"),
        (broken(schema=2), "schema: is 2; this nox-envs reads 1"),
        (broken(schema=True), "schema: expected a whole number, found true"),
        (broken(environments={}), "environments: expected a list, found {}"),
        (broken(environments=["x" * 99]), f'environments[0]: expected an object, found "{"x" * 56}...'),
        (broken(notes=[1]), "notes[0]: expected a text, found 1"),
        (broken_environment(session=None), "environments[0].session: is missing"),
        (broken_environment(status="fine"), "expected one of clean, repaired, drift, skipped, found"),
        (broken_environment(seconds="1"), "environments[0].seconds: expected a number"),
        (broken_environment(seconds=-1), "expected a number from 0 on, found -1"),
        (broken_environment(seconds=float("inf")), "expected a number from 0 on"),
        (broken_environment(seconds=10**400), "expected a number from 0 on"),
        (broken_environment(installed=False), "environments[0].installed: expected a number"),
        (broken_environment(distributions=[["six"]]), "distributions[0]: expected name and version"),
        (broken_environment(distributions=[["six", 1]]), "distributions[0]: expected a text, found 1"),
        (broken_finding(kind="odd"), "findings[0].kind: expected one of"),
        (broken_finding(why="test"), "findings[0].why: expected a list"),
        (broken_finding(package=3), "findings[0].package: expected a text, found 3"),
    ],
)
def test_what_is_no_report_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(FileProblems) as caught:
        read_report(text, origin="report.json")
    assert str(caught.value).startswith("report.json:")
    assert message in str(caught.value)


def test_a_report_of_the_first_release_and_one_with_new_keys_are_read() -> None:
    document = as_json(CLEAN)
    del document["problems"], document["notes"]
    for key in ("distributions", "platform", "seconds", "origin", "ignored"):
        del document["environments"][0][key]
    document["new"] = {"later": 1}
    (read,) = read_report(json.dumps(document), origin="x").environments
    assert (read.session, read.seconds, read.distributions) == ("tests-3.12", 0, ())


# where a finding is shown


@pytest.mark.parametrize(
    ("line", "path", "shown"),
    [
        ("envs.yaml:12", "", ("envs.yaml", 12)),
        ("envs.yaml:12:5", "", ("envs.yaml", 12)),
        ("requirements/a.txt", "x", ("requirements/a.txt", 0)),
        ("", ".nox/a/x.py", (".nox/a/x.py", 0)),
        ("", "/usr/lib/x.py", ("lock.txt", 0)),
        ("", "C:/x.py", ("lock.txt", 0)),
        ("", "../x.py", ("lock.txt", 0)),
        ("", "", ("lock.txt", 0)),
    ],
)
def test_a_finding_is_shown_where_a_reviewer_looks(line: str, path: str, shown: tuple[str, int]) -> None:
    place = place_of(finding(line=line, path=path), "lock.txt")
    assert (place.file, place.line) == shown


# github


def test_at_most_ten_annotations_of_a_level_are_made_worst_first() -> None:
    severities: tuple[Severity, ...] = ("note", "warning", "error")
    many = [finding("version", f"p{n}", severity=s) for n in range(12) for s in severities]
    lines = render(Report(environments=(outcome(*many),)), "github").splitlines()
    levels = [line.split(" ")[0].split("::")[1] for line in lines]
    assert levels == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10
    assert [line for line in lines if "more" in line] == [
        f"::{level}::and 3 more; the job summary has all of them" for level in ("error", "warning", "notice")
    ]


def test_ten_annotations_need_no_count() -> None:
    many = [finding("version", f"p{n}") for n in range(10)]
    lines = render(Report(environments=(outcome(*many),)), "github").splitlines()
    assert len(lines) == 10
    assert "p9" in lines[-1]


def test_what_several_sessions_have_in_common_is_one_annotation_that_names_them() -> None:
    lock = finding("lock-unsatisfied", fix="nox -s lock -- tests")
    sessions = [f"tests-3.{n}" for n in range(8)]
    same = tuple(replace(outcome(replace(lock, session=name)), session=name) for name in sessions)
    (line,) = render(Report(environments=same), "github").splitlines()
    assert "::tests-3.0, tests-3.1, tests-3.2, tests-3.3, tests-3.4 and 3 more: expected 2.0" in line


def test_what_was_mended_is_a_notice_without_a_fix() -> None:
    line = render(Report(environments=(outcome(finding(), status="repaired"),)), "github")
    assert line.startswith("::notice file=requirements/tests.txt,line=7,title=missing%3A apple::tests-3.12: ")
    assert "mended by this run" in line
    assert "fix" not in line


# sarif


@pytest.mark.parametrize("report", [everything(), EVERY_KIND, CLEAN, Report(environments=())])
def test_the_sarif_meets_the_published_schema_that_it_names(report: Report) -> None:
    document = json.loads(render(report, "sarif"))
    check_published(document)
    assert document["$schema"] == published()["id"]


@given(REPORTS)
def test_every_sarif_meets_the_published_schema(report: Report) -> None:
    check_published(json.loads(render(report, "sarif")))


def test_what_is_no_sarif_is_refused_by_the_published_schema() -> None:
    document = json.loads(render(everything(), "sarif"))
    document["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        check_published(document)


def test_the_results_of_a_sarif_name_their_rules_and_keep_their_fingerprints() -> None:
    document = json.loads(render(everything(), "sarif"))
    (run,) = document["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == sorted(
        {r["ruleId"] for r in run["results"]}
    )
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    prints = [result["partialFingerprints"]["noxEnvs/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    moved = finding(line="requirements/tests.txt:99")
    one = json.loads(render(Report(environments=(outcome(moved),)), "sarif"))["runs"][0]["results"][0]
    assert one["partialFingerprints"]["noxEnvs/v1"] in prints
    assert one["locations"][0]["physicalLocation"]["region"] == {"startLine": 99}
    assert run["invocations"][0]["executionSuccessful"] is False


def test_the_sarif_of_a_mended_finding_is_a_note() -> None:
    document = json.loads(render(Report(environments=(outcome(finding(), status="repaired"),)), "sarif"))
    (result,) = document["runs"][0]["results"]
    assert result["level"] == "note"
    assert document["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_paths_are_uri_references_in_sarif() -> None:
    report = Report(environments=(outcome(finding(line="my reqs/ä%.txt:1")),))
    (result,) = json.loads(render(report, "sarif"))["runs"][0]["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "my%20reqs/%C3%A4%25.txt", "uriBaseId": "%SRCROOT%"}


# junit


def test_junit_counts_what_it_holds() -> None:
    root = ET.fromstring(render(everything(), "junit"))
    suite = root[0]
    assert suite.attrib["tests"] == str(len(suite)) == "5"
    found = {name: len(suite.findall(f".//{name}")) for name in ("failure", "error", "skipped")}
    assert found == {"failure": 1, "error": 1, "skipped": 1}
    assert {name: int(suite.attrib[f"{name}s"]) for name in ("failure", "error")} == {
        "failure": 1,
        "error": 1,
    }
    assert suite.attrib["time"] == "12.346"


def test_warnings_alone_do_not_fail_a_junit_case() -> None:
    orphan = finding("lock-orphaned", "")
    root = ET.fromstring(render(Report(environments=(outcome(orphan),), findings=(orphan,)), "junit"))
    assert not root.findall(".//failure")
    assert len(root.findall(".//system-out")) == 2
    root = ET.fromstring(render(Report(environments=(), findings=(finding(),)), "junit"))
    assert len(root.findall(".//failure")) == 1


# markdown


def test_markdown_fits_a_comment_and_says_what_is_left_out() -> None:
    many = [outcome(*(finding(package=f"p{n}") for n in range(99)), session=f"s{m}") for m in range(30)]
    clean = [outcome(session=f"clean-{n}") for n in range(2000)]
    text = render(Report(environments=(*many, *clean)), "markdown")
    assert len(text) <= BUDGET
    match = re.search(r"…and (\d+) more", text)
    assert match
    assert int(match[1]) + text.count("| ❌ |") == 99 * 30


def test_markdown_is_quiet_when_one_environment_is_clean() -> None:
    assert render(CLEAN, "markdown") == "✅ nox-envs: no drift in <code>tests-3.12</code>\n"
    noted = Report(environments=CLEAN.environments, notes=("a note",))
    assert "a note" in render(noted, "markdown")
    two = render(Report(environments=(outcome(), outcome(session="docs"))), "markdown")
    assert "<details><summary>✅ 2 without drift</summary>" in two


def test_a_long_text_is_cut_in_markdown() -> None:
    text = render(Report(environments=(outcome(finding(expected="x" * 9999)),)), "markdown")
    assert len(text) < 2000
