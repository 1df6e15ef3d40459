"""What a project makes of findings: severities, ignore rules, baselines, what fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.drift import KINDS, Finding
from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.policy import (
    FILE_KINDS,
    INDEX_KINDS,
    beyond_baseline,
    expired,
    fail_conditions,
    fails,
    identity,
    idle_rules,
    judge,
    matches,
)
from nox_envs.report import Report, render
from nox_envs.spec.types import DriftOptions, IgnoreRule
from nox_envs.workflow.acceptance import accept, read_baseline
from nox_envs.workflow.verdict import verdict
from tests.conftest import Project
from tests.plans import at
from tests.reports import finding, outcome

TODAY = "2026-06-15"


def rule(
    *,
    kind: str | None = None,
    package: str | None = None,
    path: str | None = None,
    environment: str | None = None,
    until: str | None = None,
    line: int = 1,
) -> IgnoreRule:
    return IgnoreRule(
        kind=kind, package=package, path=path, environment=environment, reason="known", until=until,
        place=at(line),
    )  # fmt: skip


def left(found: tuple[Finding, ...], *rules: IgnoreRule) -> tuple[Finding, ...]:
    return judge(found, DriftOptions(ignore=rules), today=TODAY).findings


# severities


def test_without_options_findings_are_left_as_they_are() -> None:
    found = (finding(), finding("leftover"))
    judged = judge(found, DriftOptions(), today=TODAY)
    assert judged.findings is found
    assert (judged.ignored, judged.used) == ((), ())


def test_a_severity_is_changed_and_off_takes_the_finding_away() -> None:
    options = DriftOptions(severity=(("missing", "warning"), ("version", "off"), ("leftover", "error")))
    found = (finding(), finding("version"), finding("leftover"), finding("extraneous"))
    judged = judge(found, options, today=TODAY)
    assert [(f.kind, f.severity) for f in judged.findings] == [
        ("missing", "warning"),
        ("leftover", "error"),
        ("extraneous", "error"),
    ]
    assert [f.kind for f in judged.ignored] == ["version"]


# ignore rules


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule(kind="missing"), True),
        (rule(kind="version"), False),
        (rule(package="basket-extra"), True),
        (rule(package="Basket_Extra"), True),
        (rule(package="basket"), False),
        (rule(package="basket*"), True),
        (rule(environment="tests"), True),
        (rule(environment="docs"), False),
        (rule(path="*.pth"), True),
        (rule(path="site-packages/x.pth"), True),
        (rule(path=".nox/*/x.pth"), True),
        (rule(path="x"), False),
        (rule(kind="missing", package="basket-extra", environment="tests", path="x.pth"), True),
        (rule(kind="missing", package="basket-extra", environment="docs"), False),
    ],
)
def test_a_rule_matches_when_every_field_that_it_gives_does(given: IgnoreRule, expected: bool) -> None:
    path = ".nox/tests/lib/site-packages/x.pth"
    assert matches(given, finding(package="basket-extra", path=path), path) is expected


def test_a_rule_about_a_package_or_path_needs_one() -> None:
    bare = finding(package="", path="")
    assert not matches(rule(package="*"), bare, "")
    assert not matches(rule(path="*"), bare, "")


def test_a_rule_counts_on_its_last_day_and_not_on_the_next() -> None:
    found = (finding(),)
    assert left(found, rule(kind="missing", until=TODAY)) == ()
    assert left(found, rule(kind="missing", until="2026-06-14")) == found
    assert expired(rule(until="2025-12-31"), TODAY)
    assert not expired(rule(), TODAY)


def test_rules_are_about_the_paths_that_people_see() -> None:
    found = (finding(path="/home/me/project/.nox/a/x.py"),)
    options = DriftOptions(ignore=(rule(path=".nox/a/*"),))
    judged = judge(found, options, today=TODAY, shown=lambda path: path.removeprefix("/home/me/project/"))
    assert judged.ignored == found
    assert judged.used == options.ignore


def test_rules_that_are_over_or_match_nothing_are_told() -> None:
    over = rule(kind="version", until="2026-01-31", line=9)
    idle = rule(package="six", environment="docs", line=3)
    used = rule(kind="missing", line=4)
    lines = idle_rules((over, idle, used, idle), (used,), today=TODAY, unchecked=frozenset())
    assert lines == (
        "envs.yaml:3: the ignore rule for package six, environment docs matched nothing; remove it",
        "envs.yaml:9: the ignore rule for kind version ended on 2026-01-31; remove it, or give it a new date",
    )


def test_a_rule_that_nobody_could_have_matched_is_not_called_idle() -> None:
    rules = (rule(kind="outdated"), rule(kind="file-modified", line=2), rule(path="*.py", line=3))
    assert idle_rules(rules, (), today=TODAY, unchecked=INDEX_KINDS | FILE_KINDS) == ()
    assert len(idle_rules(rules, (), today=TODAY, unchecked=INDEX_KINDS)) == 2


RULES = st.builds(
    rule,
    kind=st.none() | st.sampled_from(["missing", "version"]),
    package=st.none() | st.sampled_from(["apple", "a*", "?"]),
    environment=st.none() | st.sampled_from(["tests", "docs"]),
    until=st.none() | st.sampled_from(["2026-06-14", TODAY]),
)
FOUND = st.lists(
    st.builds(
        finding,
        st.sampled_from(["missing", "version", "leftover"]),
        st.sampled_from(["apple", "plum"]),
        environment=st.sampled_from(["tests", "docs"]),
    ),
    max_size=5,
).map(tuple)


@given(FOUND, st.lists(RULES, max_size=4).map(tuple))
def test_judging_splits_and_loses_nothing(found: tuple[Finding, ...], rules: tuple[IgnoreRule, ...]) -> None:
    judged = judge(found, DriftOptions(ignore=rules), today=TODAY)
    assert sorted(map(repr, (*judged.findings, *judged.ignored))) == sorted(map(repr, found))
    assert judge(judged.findings, DriftOptions(ignore=rules), today=TODAY).findings == judged.findings
    assert set(judged.used) <= set(rules)
    assert bool(judged.used) == bool(judged.ignored)


# baselines


def test_a_baseline_accepts_what_it_has_and_nothing_else() -> None:
    old, new = finding(), finding(package="plum")
    moved = finding(line="requirements/tests.txt:99", fix="other", why=())
    report = Report(environments=(outcome(moved, new), outcome(session="docs")), findings=(old,))
    accepted = accept(report, Report(environments=(outcome(old),)))
    assert [e.findings for e in accepted.environments] == [(new,), ()]
    assert [e.ignored for e in accepted.environments] == [1, 0]
    assert accepted.findings == ()
    assert accepted.notes == ()
    assert verdict(accepted, strict=True).code == 1


def test_an_environment_whose_drift_is_accepted_is_clean_or_still_not_checked() -> None:
    old = finding()
    report = Report(environments=(outcome(old), outcome(old, reason="not built; nox -s tests")))
    accepted = accept(report, report)
    assert [e.status for e in accepted.environments] == ["clean", "skipped"]


def test_what_was_repaired_stays_and_what_is_gone_is_counted() -> None:
    old = finding()
    report = Report(environments=(outcome(old, status="repaired"),))
    assert accept(report, report) == report
    gone = accept(Report(environments=(outcome(),)), Report(environments=(outcome(old),)))
    assert gone.notes == ("1 finding of the baseline no longer there; make it anew",)


def test_another_version_is_a_new_finding() -> None:
    before, after = finding("version", actual="1.0"), finding("version", actual="1.1")
    assert beyond_baseline((after,), frozenset({identity(before)})) == ((after,), ())


def test_a_baseline_that_is_no_report_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    with pytest.raises(FileProblems, match="no such file"):
        read_baseline(file)
    file.write_text("{")
    with pytest.raises(FileProblems, match="is no JSON"):
        read_baseline(file)
    report = Report(environments=(outcome(finding()),))
    file.write_text(render(report, "json"))
    assert read_baseline(file) == report


# what fails


def test_fail_on_takes_severities_and_kinds_and_suggests_the_near_one() -> None:
    assert fail_conditions([]) == ("error",)
    assert fail_conditions(["warning, yanked", "skew"]) == ("warning", "yanked", "skew")
    with pytest.raises(NoxEnvsError, match="'misssing' is no severity and no kind \\(did you mean 'missing'"):
        fail_conditions(["misssing"])
    with pytest.raises(NoxEnvsError, match="error, warning, note or a kind of finding"):
        fail_conditions(["zzzz"])


@pytest.mark.parametrize(
    ("conditions", "failing"),
    [
        (("error",), {"missing"}),
        (("warning",), {"missing", "leftover"}),
        (("note",), {"missing", "leftover", "outdated"}),
        (("leftover",), {"leftover"}),
        (("outdated", "error"), {"missing", "outdated"}),
    ],
)
def test_a_finding_fails_by_severity_or_kind(conditions: tuple[str, ...], failing: set[str]) -> None:
    found = [finding(kind) for kind in ("missing", "leftover", "outdated")]
    assert {f.kind for f in found if fails(f, conditions)} == failing


def test_the_verdict_says_clean_drift_or_could_not_check() -> None:
    skipped = outcome(status="skipped", reason="not built")
    assert verdict(Report(environments=(outcome(),)), strict=True).code == 0
    assert verdict(Report(environments=(skipped,)), strict=False).code == 0
    assert verdict(Report(environments=(skipped,)), strict=True).code == 2
    assert verdict(Report(environments=(outcome(finding()), skipped)), strict=True).code == 1
    assert verdict(Report(environments=(outcome(finding(), status="repaired"),)), strict=True).code == 0
    problem = Report(environments=(outcome(finding()),), problems=("x",))
    assert verdict(problem, strict=False).code == 2
    warning = Report(environments=(outcome(finding("leftover")),))
    assert verdict(warning, strict=True).code == 0
    assert verdict(warning, strict=True, fail_on=("warning",)).reason == "drift: 1 leftover"


# with real nox

SPEC = """
    version: 1
    drift:
      severity: {extraneous: warning}
      ignore:
        - {kind: missing, package: basket, reason: replaced by hand, until: 2999-12-31}
        - {kind: version, package: cherry, reason: never seen}
        - {kind: version, reason: over, until: 2020-01-31}
    environments:
      demo:
        requirements: ["basket>=1.0", "press>=1"]
        drift: {policy: fail}
        commands:
          - press hello
"""


@pytest.mark.functional
def test_a_policy_holds_in_sessions_in_reports_and_on_github(project: Project, tmp_path: Path) -> None:
    project.write("envs.yaml", SPEC)
    project.nox("-s", "lock", check=True)
    assert project.cli("drift").returncode == 0
    assert project.cli("drift", env={"CI": "1"}).returncode == 2
    project.nox("-s", "demo", check=True)
    assert project.cli("drift", env={"CI": "1"}).returncode == 0
    venv = project.venv("demo")
    venv.uninstall("basket")
    venv.install("plum")

    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "CI": "true"}
    ran = project.nox("-s", "demo", env=env)
    assert ran.returncode == 0, ran.output
    assert "::warning" in ran.stdout
    assert "title=extraneous%3A plum::demo: found" in ran.stdout
    written = summary.read_text(encoding="utf-8")
    assert written.startswith("# before\n### nox-envs: 1 with drift (1 extraneous)")
    assert "<code>plum</code>" in written

    ran = project.nox("-s", "drift", "--", "--format", "sarif", env=env)
    assert json.loads(ran.stdout)["runs"]  # nothing of the annotations is in the document

    (report,) = json.loads(project.read(".nox/.nox-envs/reports/demo.json"))["environments"]
    assert [(f["kind"], f["severity"], f["path"].split("/")[0]) for f in report["findings"]] == [
        ("extraneous", "warning", ".nox")
    ]
    assert report["ignored"] == 1
    assert report["seconds"] > 0
    names = [name for name, _ in report["distributions"]]
    assert "plum" in names
    assert "basket" not in names

    checked = project.cli("drift")
    assert checked.returncode == 0
    assert "demo: drift: 1 extraneous; 1 ignored" in checked.stdout
    assert "envs.yaml:7: the ignore rule for kind version, package cherry matched nothing" in checked.stdout
    assert "envs.yaml:8: the ignore rule for kind version ended on 2020-01-31" in checked.stdout
    assert project.cli("drift", "--fail-on", "warning").returncode == 1
    wrong = project.cli("drift", "--fail-on", "warnings")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'warning'?" in wrong.stderr

    project.write("baseline.json", project.cli("drift", "--format", "json").stdout)
    accepted = project.cli("drift", "--fail-on", "warning", "--baseline", "baseline.json")
    assert accepted.returncode == 0, accepted.output
    assert "demo: no drift" in accepted.stdout
    session = project.nox("-s", "drift", "--", "--fail-on", "warning", "--baseline", "baseline.json", env=env)
    assert session.returncode == 0, session.output
    assert project.nox("-s", "drift", "--", "--fail-on", "extraneous").returncode == 1
    assert project.nox("-s", "drift", "--", "--fail-on", "odd").returncode == 1


@pytest.mark.functional
def test_a_lock_that_is_missing_stops_a_session_whatever_the_rules_say(project: Project) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          demo:
            requirements: ["basket>=1.0"]
            drift: {severity: {lock-missing: "off"}}
        """,
    )
    ran = project.nox("-s", "demo")
    assert ran.returncode == 1
    assert "(lock-missing); run: nox -s lock -- demo" in ran.output
    assert not project.cli("drift").stdout.count("lock-missing")


def test_every_kind_can_be_named_in_a_rule_and_to_fail_on() -> None:
    assert fail_conditions([",".join(KINDS)]) == tuple(KINDS)
    for kind in KINDS:
        assert left((finding(kind),), rule(kind=kind)) == ()
