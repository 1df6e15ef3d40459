from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.drift import Finding, Severity
from nox_envs.report import SCHEMA, EnvironmentReport, Report, Status, render
from nox_envs.report.as_text import count_kinds, finding_lines, summary_line
from nox_envs.streams import printable
from nox_envs.values import fields, replace

GOLDEN = Path(__file__).parent / "golden" / "report"


def finding(
    kind: str = "version",
    package: str = "pytest",
    *,
    severity: Severity = "error",
    expected: str = "8.4.0",
    actual: str = "8.3.0",
    session: str = "tests-3.12",
    path: str = "",
    line: str = "requirements/tests.txt:14",
    why: tuple[str, ...] = ("test: pytest>=8 (envs.yaml:7)",),
    fix: str = "nox -s tests-3.12",
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        environment=session.partition("-")[0],
        session=session,
        package=package,
        expected=expected,
        actual=actual,
        path=path,
        line=line,
        why=why,
        fix=fix,
    )


def checked(
    session: str, status: Status, *findings: Finding, reason: str = "", installed: int = 12
) -> EnvironmentReport:
    environment, _, python = session.partition("-")
    return EnvironmentReport(
        environment=environment,
        session=session,
        python=python,
        lock=f"requirements/{environment}.txt",
        location=f".nox/{session}",
        status=status,
        reason=reason,
        installed=installed,
        findings=findings,
    )


STALE = finding(
    "lock-stale",
    "rich",
    expected="test: rich>=14",
    actual="test: rich",
    line="envs.yaml:9",
    fix="nox -s lock -- tests",
    severity="warning",
)
ORPHAN = finding(
    "lock-orphaned",
    "",
    severity="warning",
    session="",
    expected="an environment that declares it",
    actual="requirements/old.txt",
    path="requirements/old.txt",
    line="",
    why=(),
    fix="git rm requirements/old.txt",
)


def drifted(session: str, site: str) -> tuple[Finding, ...]:
    """Return the same findings for every venv; only the paths differ."""
    chain = ("test: pytest>=8 (envs.yaml:7)", "pytest")
    lock, info = "requirements/tests.txt:9", f"{site}/six-1.17.0.dist-info"
    findings = (
        finding(),
        finding("missing", "iniconfig", expected="2.0.0", actual="", line=lock, why=chain),
        finding("extraneous", "six", expected="", actual="1.17.0", path=info, line="", why=()),
        finding("unverifiable", "tool", severity="note", expected="a hash", actual=""),
    )
    return tuple(
        replace(one, session=session, fix="" if one.severity == "note" else f"nox -s {session}")
        for one in findings
    )


MIXED = Report(
    environments=(
        checked("lint", "clean", installed=1),
        checked("tests-3.11", "clean", STALE),
        checked("tests-3.12", "drift", *drifted("tests-3.12", "/venvs/one")),
        checked("tests-3.13", "drift", *drifted("tests-3.13", "/venvs/other")),
        checked("docs-3.12", "repaired", finding(session="docs-3.12", fix="nox -s docs-3.12"), installed=40),
        checked("types", "skipped", reason="not built; nox -s types", installed=0),
        checked("old", "drift", STALE, reason="not built; nox -s old", installed=0),
    ),
    findings=(ORPHAN,),
)


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_report_of_everything_is_as_written_down(format: str) -> None:  # noqa: A002
    name = "mixed.txt" if format == "text" else "mixed.json"
    text = render(MIXED, "text" if format == "text" else "json")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_what_was_mended_is_no_drift_any_more() -> None:
    assert MIXED.drifted
    assert not Report(environments=(checked("a", "repaired", finding()),)).drifted
    assert not Report(environments=(checked("a", "clean", STALE),), findings=(ORPHAN,)).drifted
    assert Report(environments=(), findings=(finding(),)).drifted
    both = (checked("a", "repaired", finding()), checked("b", "drift", finding()))
    assert Report(environments=both).drifted


def test_a_point_that_could_not_be_checked_is_told() -> None:
    assert MIXED.skipped
    assert not Report(environments=(checked("a", "clean"),)).skipped


def test_every_finding_is_listed_with_those_that_were_mended() -> None:
    assert len(MIXED.all_findings) == 12
    assert MIXED.all_findings[-1] == ORPHAN


def test_nothing_checked_is_no_text() -> None:
    assert render(Report(environments=()), "text") == ""


def test_one_environment_needs_no_total() -> None:
    assert render(Report(environments=(checked("lint", "clean", installed=2),)), "text") == (
        "lint: no drift: 2 distributions as locked in requirements/lint.txt\n"
    )


def test_an_environment_without_a_lock_says_what_it_counted() -> None:
    report = EnvironmentReport(
        environment="docs",
        session="docs",
        python="",
        lock="",
        location=".nox/docs",
        status="clean",
        installed=0,
    )
    assert summary_line(report) == "docs: no drift: 0 distributions"


def test_what_is_ignored_unreadable_or_noteworthy_is_told() -> None:
    place = EnvironmentReport(
        environment="a",
        session="a",
        python="",
        lock="",
        location="",
        status="clean",
        origin="job 7",
        ignored=2,
    )
    report = Report(
        environments=(place,), problems=("b.json: is no JSON",), notes=("a rule matched nothing",)
    )
    assert render(report, "text").splitlines() == [
        "a [job 7]: no drift: 0 distributions; 2 ignored",
        "problem: b.json: is no JSON",
        "note: a rule matched nothing",
    ]


def test_kinds_are_counted_in_order() -> None:
    assert count_kinds([finding("version"), finding("missing"), finding("version")]) == "1 missing, 2 version"
    assert count_kinds([]) == ""


def test_a_finding_without_sides_is_its_kind_and_package() -> None:
    bare = finding("duplicate", "six", expected="", actual="", line="", why=(), fix="")
    assert finding_lines([bare]) == ["  duplicate  six"]


def test_findings_are_aligned() -> None:
    lines = finding_lines([finding(), finding("missing", "b", actual="", fix="nox -s other")])
    heads = [line for line in lines if line.startswith("  ") and line[2] != " "]
    assert heads == ["  version  pytest  expected 8.4.0, found 8.3.0", "  missing  b       expected 8.4.0"]


def test_colours_are_only_there_when_asked_for() -> None:
    coloured = render(MIXED, "text", colour=True)
    assert "\x1b[31mversion" in coloured
    assert "\x1b[32mno drift\x1b[0m" in coloured
    assert "\x1b" not in render(MIXED, "text")
    assert render(MIXED, "json", colour=True) == render(MIXED, "json")


def test_many_environments_stay_readable() -> None:
    stale = Report(
        environments=tuple(
            checked(f"tests-{n}", "drift", finding(session=f"tests-{n}", path=f"/venv-{n}"))
            for n in range(60)
        )
    )
    lines = render(stale, "text").splitlines()
    assert len(lines) < 60 * 2 + 5
    assert lines[-1] == "60 environments: 60 drift (60 version)"
    assert sum("expected 8.4.0" in line for line in lines) == 1
    assert {line.index("drift") for line in lines if line.startswith("tests-")} == {len("tests-59: ")}


# What comes from outside is harmless.

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\u2066\x9b31m\r\n\udcff\t\x00"


def test_what_a_terminal_could_act_on_is_shown_as_escapes() -> None:
    assert printable("Ünïcode ✓ stays") == "Ünïcode ✓ stays"
    assert printable("\x1b[31m\u202e\udcff") == "\\x1b[31m\\u202e\\udcff"


def hostile() -> Report:
    bad = finding(
        "extraneous", f"six{HOSTILE}", expected=HOSTILE, actual=HOSTILE, path=HOSTILE, line=HOSTILE,
        why=(HOSTILE,), fix=HOSTILE, session=HOSTILE,
    )  # fmt: skip
    place = EnvironmentReport(
        environment="a",
        session=HOSTILE,
        python="",
        lock=HOSTILE,
        location=HOSTILE,
        status="drift",
        reason=HOSTILE,
        findings=(bad, finding()),
    )
    clean = EnvironmentReport(
        environment="b", session="b", python="", lock=HOSTILE, location="", status="clean"
    )
    return Report(environments=(place, clean), findings=(bad,))


def test_no_text_of_a_report_reaches_a_terminal_raw() -> None:
    lines = render(hostile(), "text").split("\n")
    assert [line for line in lines if not line.isprintable()] == []


def test_json_is_ascii_and_gives_every_text_back() -> None:
    text = render(hostile(), "json")
    assert text.isascii()
    assert text.encode("utf-8")
    assert json.loads(text)["environments"][0]["findings"][0]["package"] == f"six{HOSTILE}"


@given(st.text(st.characters(), max_size=30))
def test_printable_is_printable(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


# The JSON is a contract.

CONTRACT: dict[str, type] = {
    "environment": str,
    "session": str,
    "python": str,
    "lock": str,
    "location": str,
    "status": str,
    "reason": str,
    "installed": int,
    "findings": list,
}
FINDING: dict[str, type] = {
    **{name: str for name in fields(finding()) if name != "why"},
    "why": list,
}


def held(row: dict[str, object], contract: dict[str, type]) -> dict[str, type]:
    """Return the types of the keys that the contract names."""
    return {name: type(row[name]) for name in contract}


def test_the_json_keeps_its_keys_and_their_types() -> None:
    value = json.loads(render(MIXED, "json"))
    assert SCHEMA == 1
    assert value["schema"] == SCHEMA
    assert {"schema", "environments", "findings", "summary"} <= value.keys()
    assert [row["session"] for row in value["environments"]] == [e.session for e in MIXED.environments]
    assert all(held(row, CONTRACT) == CONTRACT for row in value["environments"])
    findings = [*value["findings"], *(one for row in value["environments"] for one in row["findings"])]
    assert len(findings) == 12
    assert all(held(one, FINDING) == FINDING for one in findings)
    assert set(FINDING) == {
        *("kind", "severity", "environment", "session", "package", "expected", "actual"),
        *("path", "line", "why", "fix"),
    }
    assert value["summary"] == {
        "environments": {"clean": 2, "drift": 3, "repaired": 1, "skipped": 1},
        "findings": {
            "extraneous": 2,
            "lock-orphaned": 1,
            "lock-stale": 2,
            "missing": 2,
            "unverifiable": 2,
            "version": 3,
        },
    }


def test_the_json_is_sorted_and_the_same_for_the_same_report() -> None:
    text = render(MIXED, "json")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert text == render(MIXED, "json")
