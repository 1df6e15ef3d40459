"""The report: its verdict, its formats and their contracts, and the way back from JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nox_envs import report as package
from nox_envs.errors import FileProblems
from nox_envs.findings import KINDS, SEVERITIES, Finding, Severity
from nox_envs.report import render
from nox_envs.report.json import json_text, read_report
from nox_envs.report.markdown import BUDGET
from nox_envs.report.report import (
    FORMATS,
    STATUSES,
    EnvironmentReport,
    Format,
    Report,
    place_of,
    verdict,
)
from nox_envs.report.text import finding_lines, render_text, summary_line
from nox_envs.values import replace
from tests.reports import HOSTILE, everything, finding, hostile, outcome
from tests.sarif import check_published, check_references, published

GOLDEN = Path(__file__).parent / "golden" / "report"
CLEAN = Report(environments=(outcome(),))
EVERY_KIND = Report(environments=(outcome(*map(finding, KINDS)),), findings=tuple(map(finding, KINDS)))

TEXTS = st.one_of(st.text(max_size=9), st.sampled_from([HOSTILE, "::error::x", "a##[b", "x" * 200]))
# What each type of field may be.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "Kind": st.sampled_from(sorted(KINDS)),
    "Severity": st.sampled_from(SEVERITIES),
    "Status": st.sampled_from(STATUSES),
    "str": TEXTS,
    "Count": st.integers(0, 9),
    "float": st.integers(0, 10**6).map(lambda thousandths: thousandths / 1000),
    "tuple[str, ...]": st.lists(TEXTS, max_size=2).map(tuple),
    "Pairs": st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
}
for value in (Finding, EnvironmentReport, Report):
    made = st.builds(value, **{name: FIELDS[kind] for name, kind in value.__annotations__.items()})
    several = st.lists(made, max_size=3).map(tuple)
    FIELDS |= {f"tuple[{value.__name__}, ...]": several, f"{value.__name__}s": several}
REPORTS = FIELDS["tuple[Report, ...]"].filter(bool).map(lambda reports: reports[0])


def as_json(report: Report) -> dict[str, Any]:
    return dict(json.loads(render(report, "json")))


SCHEMA: Any = json.loads((Path(package.__file__).parent / "schema.json").read_text())


def check_report(document: object) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


def acted_on(shown: str) -> list[str]:
    """Return what a terminal or the runner of a CI job would act on."""
    lines = shown.split("\n")
    return [one for one in lines if not one.isprintable() or one.lstrip().startswith("::") or "##[" in one]


# The verdict.


def of(*findings: Finding, status: str = "") -> Report:
    one = outcome(*findings)
    return Report(environments=(replace(one, status=status or one.status),))


@pytest.mark.parametrize(
    ("report", "strict", "fail_on", "expected"),
    [
        (CLEAN, True, "error", (0, "")),
        (of(finding(), finding("version"), finding()), False, "error", (1, "drift: 2 missing, 1 version")),
        (of(finding("leftover")), True, "error", (0, "")),
        (of(finding("leftover")), True, "warning", (1, "drift: 1 leftover")),
        (Report(environments=(), findings=(finding("leak"),)), True, "leak", (1, "drift: 1 leak")),
        (of(finding(), status="repaired"), True, "note", (0, "")),
        (of(status="skipped"), False, "error", (0, "")),
        (of(status="skipped"), True, "error", (2, "not checked: tests-3.12")),
        (everything(), True, "error", (2, "not everything could be checked: 1 problem")),
    ],
)
def test_the_exit_code_says_clean_drift_or_not_checked(
    report: Report, strict: bool, fail_on: str, expected: tuple[int, str]
) -> None:
    assert verdict(report, strict=strict, fail_on=(fail_on,)) == expected


# All formats.


@pytest.mark.parametrize("format_", [one for one in FORMATS if one != "html"])
def test_a_report_is_rendered_as_its_golden_file_says(format_: Format) -> None:
    assert render(everything(), format_) == (GOLDEN / f"everything.{format_}").read_text(encoding="utf-8")


@pytest.mark.parametrize("format_", FORMATS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(report=REPORTS)
@example(report=hostile())
def test_every_format_takes_every_report_and_no_text_from_outside_is_acted_on(
    report: Report, format_: Format
) -> None:
    shown = render(report, format_)
    assert not [sign for sign in shown if sign != "\n" and not sign.isprintable()]
    if format_ not in ("github", "html"):
        assert acted_on(shown) == []
    match format_:
        case "json":
            check_report(json.loads(shown))
            assert read_report(shown, origin="x") == report
            assert "##" not in shown
        case "markdown":
            assert not re.search(r"<img|@someone|\]\(|`c`|https:|www\.|[^&]#12", shown)
            assert {line.count("|") for line in shown.split("\n") if line.startswith("|")} <= {8}
        case "github":
            assert all(re.match(r"::(error|warning|notice)( [^:]*)?::", line) for line in shown.splitlines())
        case "sarif":
            check_references(json.loads(shown))
        case "html":
            assert shown.count("</script>") == shown.count("<script") == 2
            assert "<img" not in shown


# Text.


def test_every_session_shows_its_own_findings() -> None:
    both = (outcome(finding(), session="a"), outcome(finding(), session="b"))
    lines = render(Report(environments=both), "text").splitlines()
    assert [line.split(":")[0].split("  ")[0] for line in lines if not line.startswith("  ")][:2] == [
        "a",
        "b",
    ]
    assert sum(line.startswith("  missing  apple") for line in lines) == 2


def test_findings_with_different_commands_keep_their_own() -> None:
    common, other = "fix: nox -s tests-3.12", "fix: nox -s lock -- tests"
    lines = finding_lines([finding(), finding("lock-stale", "", fix=other[5:])])
    assert [line.strip() for line in lines if "fix:" in line] == [common, other]
    lines = finding_lines([finding(), finding("version")])
    assert [line for line in lines if "fix:" in line] == [f"  {common}"]


def wide() -> Finding:
    return finding(
        "source",
        "a-really-long-name-of-a-package-that-only-one-company-uses",
        expected=f"git+https://git.example.org/group/a-repository@{'01234567' * 5}#subdirectory=x",
        actual="https://packages.example.org/files/a_really_long_package-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        path=f".nox/{'tests-3-12/' * 9}METADATA",
        why=("tests: a-really-long-name-of-a-package-that-one-company-uses[extra]>=1.0 (envs.yaml:1)", "b"),
        fix="nox --reuse-venv=never -s 'tests-3.12(a long name of a session, django=5.2, postgres=16)'",
    )


def test_nothing_is_wider_than_80_columns_but_a_command_which_stays_on_one_line() -> None:
    one, two = outcome(wide(), finding(), session="x" * 90), outcome(reason="y " * 90, status="skipped")
    lines = render_text(Report(environments=(one, two))).split("\n")
    assert [line for line in lines if len(line) > 80] == [f"    {wide().fix}"]
    assert lines[lines.index(f"    {wide().fix}") - 1].strip() == "fix:"
    joined = "".join(line.strip() for line in lines)
    assert wide().path in joined
    assert max(map(len, finding_lines([finding(why=("w " * 99,))]))) <= 80


def test_colours_are_only_there_when_asked_for_and_the_fix_stands_out() -> None:
    coloured = render(everything(), "text", colour=True)
    assert "\x1b[31mmissing     \x1b[0m" not in coloured
    assert "\x1b[31mmissing\x1b[0m" in coloured
    assert "\x1b[32mno drift\x1b[0m" in coloured
    assert "\x1b[1m  fix: nox -s tests-3.12\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured) == render(everything(), "text")


def test_a_session_has_one_line_and_nothing_at_all_has_none() -> None:
    assert render(Report(environments=()), "text") == ""
    line = "tests-3.12: no drift: 0 distributions as locked in requirements/tests.txt\n"
    assert render(CLEAN, "text") == line
    ignored = EnvironmentReport(environment="a", session="a", status="clean", origin="job 7", ignored=2)
    assert summary_line(ignored) == "a [job 7]: no drift: 0 distributions; 2 ignored"


def test_a_text_of_megabytes_is_folded_in_one_pass() -> None:
    assert finding_lines([finding(package="", expected="", actual=" " * 1_000_000)])
    lines = finding_lines([finding(expected="x" * 2_000_000, actual="y/" * 1_000_000)])
    assert sum(map(len, lines)) > 4_000_000
    assert max(map(len, lines)) <= 80


# JSON.


def test_the_json_meets_its_schema_which_describes_every_key() -> None:
    schema = SCHEMA
    jsonschema.Draft202012Validator.check_schema(schema)
    for report in (everything(), EVERY_KIND, CLEAN, Report(environments=())):
        check_report(as_json(report))
    document = as_json(everything())
    assert schema["properties"].keys() == document.keys()
    environment = document["environments"][0]
    assert schema["$defs"]["EnvironmentReport"]["properties"].keys() == environment.keys()
    assert schema["$defs"]["Finding"]["properties"].keys() == environment["findings"][0].keys()
    assert schema["$defs"]["Finding"]["properties"]["kind"]["enum"] == list(KINDS)
    for key in ("environments", "findings"):
        with pytest.raises(jsonschema.ValidationError):
            check_report({**document, key: [{"kind": "nothing"}]})


def test_the_json_keeps_its_keys() -> None:
    document = as_json(everything())
    environment = document["environments"][0]
    assert document["schema"] == 2
    assert document["summary"]["environments"] == {"clean": 1, "drift": 1, "repaired": 1, "skipped": 1}
    keys = "distributions environment findings ignored installed location lock origin platform python reason"
    assert " ".join(sorted(environment)) == f"{keys} seconds session status"
    keys = "actual environment expected fix kind line package path session severity why"
    assert " ".join(sorted(document["findings"][0])) == keys
    assert environment["seconds"] == 12.346
    assert environment["distributions"] == [["basket", "1.0"], ["plum", "3"]]


def test_no_json_that_is_printed_holds_a_workflow_command() -> None:
    texts = ["##[error]x", "##vso[task.x]", "::error::x", "a:::b", "\\::x", "#####"]
    shown = json_text(texts, indent=None)
    assert "##" not in shown
    assert "::" not in shown
    assert json.loads(shown) == texts


def broken(key: str = "", /, **changes: object) -> str:
    """Return the JSON of a report with changes, of the first item below a key if one is given."""
    document = as_json(everything())
    target = document[key][0] if key else document
    target.update(changes)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ('{"schema": 2,\n "environ', "is not JSON: Unterminated string"),
        ("[" * 100_000, "is not JSON"),
        ("9" * 5000, "is not JSON"),
        ("[]", "expected a table"),
        ("{}", "schema: expected an integer, found nothing"),
        (broken(schema=1), "schema: is 1; this nox-envs reads 2"),
        (broken(schema=True), "schema: expected an integer, found true"),
        (broken(environments={}), "environments: expected a list"),
        (broken(environments=["x" * 99]), "environments[0]: expected a table"),
        (broken(problems=[1]), "problems[0]: expected a string, found 1"),
        (broken("environments", session=None), "environments[0].session: expected a string, found nothing"),
        (broken("environments", status="claen"), "'claen' is not one of clean, repaired, drift"),
        (broken("environments", seconds=-1), "expected a number from 0 on, found -1"),
        (broken("environments", seconds=float("inf")), "expected a number from 0 on"),
        (broken("environments", installed=10**400), "expected a number from 0 on"),
        (
            broken("environments", distributions=[["six"]]),
            "distributions[0]: expected a list of 2, found list",
        ),
        (
            broken("environments", distributions=[["six", 1]]),
            "distributions[0][1]: expected a string, found 1",
        ),
        (broken("environments", findings=1), "environments[0].findings: expected a list"),
        (broken("findings", kind="revision"), "findings[0].kind: 'revision' is not one of lock-missing"),
        (broken("findings", severity="fatal"), "'fatal' is not one of error, warning, note"),
        (broken("findings", why="test"), "findings[0].why: expected a list"),
    ],
)
def test_what_is_not_a_report_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(FileProblems) as caught:
        read_report(text, origin="report.json")
    assert str(caught.value).startswith("report.json:1:1: ")
    assert message in str(caught.value)


def test_a_report_with_fewer_keys_and_one_with_new_keys_are_read() -> None:
    document = as_json(CLEAN)
    del document["problems"]
    for key in ("distributions", "platform", "seconds", "origin", "ignored"):
        del document["environments"][0][key]
    document["new"] = {"later": 1}
    (read,) = read_report(json.dumps(document), origin="x").environments
    assert (read.session, read.seconds, read.distributions) == ("tests-3.12", 0, ())


# Where a finding is shown.


def test_a_finding_is_shown_where_a_reviewer_looks() -> None:
    places = {"envs.yaml:12": ("envs.yaml", 12), "envs.yaml:12:5": ("envs.yaml", 12), "a.txt": ("a.txt", 0)}
    assert {line: place_of(finding(line=line), "lock.txt") for line in places} == places
    paths = [".nox/a/x.py", "/usr/lib/x.py", "C:/x.py", "../x.py", ""]
    shown = [place_of(finding(line="", path=path), "lock.txt") for path in paths]
    assert shown == [(".nox/a/x.py", 0)] + [("lock.txt", 0)] * 4


# GitHub.


def test_at_most_ten_annotations_of_a_level_are_made_worst_first() -> None:
    severities: tuple[Severity, ...] = ("note", "warning", "error")
    many = [finding("version", f"p{n}", severity=one) for n in range(12) for one in severities]
    lines = render(of(*many), "github").splitlines()
    levels = [*["error"] * 10, *["warning"] * 10, *["notice"] * 10]
    assert [line.split(" ")[0].split("::")[1] for line in lines] == levels
    assert [line for line in lines if "more" in line] == [
        f"::{level}::and 3 more; the job summary has all of them" for level in ("error", "warning", "notice")
    ]
    ten = render(of(*(finding(package=f"p{n}") for n in range(10))), "github")
    assert ("more" in ten, len(ten.splitlines())) == (False, 10)


def test_what_several_sessions_have_in_common_is_one_annotation_that_names_them() -> None:
    lock = finding("lock-unsatisfied", fix="nox -s lock -- tests")
    same = tuple(outcome(lock, session=f"tests-3.{n}") for n in range(8))
    (line,) = render(Report(environments=same), "github").splitlines()
    assert "::tests-3.0, tests-3.1, tests-3.2, tests-3.3, tests-3.4 and 3 more: expected 2.0" in line


# SARIF.


@pytest.mark.parametrize("report", [everything(), hostile(), EVERY_KIND, CLEAN, Report(environments=())])
def test_the_sarif_meets_the_published_schema_that_it_names(report: Report) -> None:
    document = json.loads(render(report, "sarif"))
    check_published(document)
    assert document["$schema"] == published()["id"]


def test_the_results_of_a_sarif_name_their_rules_and_keep_their_fingerprints() -> None:
    (run,) = json.loads(render(everything(), "sarif"))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({result["ruleId"] for result in run["results"]})
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    prints = [result["partialFingerprints"]["noxEnvs/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    moved = of(finding(line="requirements/tests.txt:99"))
    (one,) = json.loads(render(moved, "sarif"))["runs"][0]["results"]
    assert one["partialFingerprints"]["noxEnvs/v1"] in prints
    assert one["locations"][0]["physicalLocation"]["region"] == {"startLine": 99}
    assert run["invocations"][0]["executionSuccessful"] is False


def test_paths_are_uri_references_in_sarif() -> None:
    for line, expected in {
        "my reqs/ä%.txt:1": {"uri": "my%20reqs/%C3%A4%25.txt", "uriBaseId": "%SRCROOT%"},
        "//host/x:1": {"uri": "/host/x"},
    }.items():
        (result,) = json.loads(render(of(finding(line=line)), "sarif"))["runs"][0]["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"] == expected


# Markdown.


def test_markdown_fits_a_comment_and_says_what_is_left_out() -> None:
    many = [outcome(*(finding(package=f"p{n}") for n in range(99)), session=f"s{m}") for m in range(30)]
    clean = [outcome(session=f"clean-{n}") for n in range(2000)]
    text = render(Report(environments=(*many, *clean)), "markdown")
    assert len(text) <= BUDGET
    match = re.search(r"…and (\d+) more rows", text)
    assert match
    left = int(match[1]) - 30 + text.count("| | kind |")  # rows with the names of columns count too
    assert left + text.count("| ❌ |") == 99 * 30


def test_markdown_is_quiet_when_one_session_is_clean() -> None:
    assert render(CLEAN, "markdown") == "✅ nox-envs: no drift in <code>tests-3.12</code>\n"
    two = render(Report(environments=(outcome(), outcome(session="docs"))), "markdown")
    assert "<details><summary>✅ 2 without drift</summary>" in two
