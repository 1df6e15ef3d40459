"""What a project makes of findings: severities, ignore rules, what fails, and the commands that fix them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError
from nox_envs.findings import (
    KINDS,
    DriftOptions,
    Finding,
    IgnoreRule,
    apply_options,
    fail_conditions,
    fails,
    lock_command,
    run_command,
)
from tests.conftest import Project
from tests.plans import at
from tests.reports import finding

TODAY = "2026-06-15"


def rule(line: int = 1, /, **fields: str | None) -> IgnoreRule:
    """Make an ignore rule."""
    return IgnoreRule(reason="known", place=at(line), **fields)


def kept(found: tuple[Finding, ...], *rules: IgnoreRule) -> tuple[Finding, ...]:
    """Return the findings that rules leave."""
    return apply_options(found, DriftOptions(ignore=rules), today=TODAY)[0]


def test_a_severity_is_changed_and_off_takes_the_finding_away() -> None:
    options = DriftOptions(severity=(("missing", "warning"), ("version", "off"), ("leftover", "error")))
    found = tuple(map(finding, ("missing", "version", "leftover", "extraneous")))
    left, ignored = apply_options(found, options, today=TODAY)
    assert [(one.kind, one.severity) for one in left] == [
        ("missing", "warning"),
        ("leftover", "error"),
        ("extraneous", "error"),
    ]
    assert ignored == 1


MATCHING = (
    {"kind": "missing"}, {"package": "basket-extra"}, {"package": "basket-extra"}, {"package": "basket*"},
    {"environment": "tests"}, {"path": "*.pth"}, {"path": "site-packages/x.pth"}, {"path": ".nox/*/x.pth"},
    {"kind": "missing", "package": "basket-extra", "environment": "tests", "path": "x.pth"},
)  # fmt: skip
OTHERS = (
    {"kind": "version"}, {"package": "basket"}, {"environment": "docs"}, {"path": "x"},
    {"kind": "missing", "package": "basket-extra", "environment": "docs"},
)  # fmt: skip


@pytest.mark.parametrize("fields", [*MATCHING, *OTHERS])
def test_a_rule_matches_where_every_field_that_it_gives_does(fields: dict[str, str]) -> None:
    found = (finding(package="basket-extra", path=".nox/tests/lib/site-packages/x.pth"),)
    options = DriftOptions(ignore=(rule(**fields),))
    applied = apply_options(found, options, today=TODAY)
    assert applied == (((), 1) if fields in MATCHING else (found, 0))


def test_a_rule_about_a_package_or_path_needs_one_and_ends_after_its_last_day() -> None:
    bare = (finding(package="", path=""),)
    assert kept(bare, rule(package="*"), rule(path="*")) == bare
    assert kept(bare, rule(kind="missing", until="2026-06-14")) == bare
    assert kept(bare, rule(kind="missing", until=TODAY)) == ()


FOUND = st.builds(finding, st.sampled_from(["missing", "version"]), st.sampled_from(["apple", "plum"]))
RULES = st.builds(
    rule,
    kind=st.none() | st.sampled_from(["missing", "version"]),
    package=st.none() | st.sampled_from(["apple", "a*", "?"]),
    until=st.none() | st.sampled_from(["2026-06-14", TODAY]),
)


@given(st.lists(FOUND, max_size=5).map(tuple), st.lists(RULES, max_size=4).map(tuple))
def test_no_finding_is_lost(found: tuple[Finding, ...], rules: tuple[IgnoreRule, ...]) -> None:
    left, ignored = apply_options(found, DriftOptions(ignore=rules), today=TODAY)
    assert len(left) + ignored == len(found)
    assert kept(left, *rules) == left
    assert ignored == 0 or rules


def test_fail_on_takes_severities_and_kinds_and_suggests_the_near_one() -> None:
    assert fail_conditions("") == ("error",)
    assert fail_conditions(",".join(KINDS)) == tuple(KINDS)
    for text, told in {"misssing": "did you mean 'missing'", "zzzz": "write error, warning, note"}.items():
        with pytest.raises(NoxEnvsError, match=told):
            fail_conditions(text)
    found = tuple(map(finding, ("missing", "leftover", "unverifiable")))
    failing = {"error": [0], "warning, leak": [0, 1], "note": [0, 1, 2], "leftover": [1], "leak,error": [0]}
    for words, numbers in failing.items():
        assert [n for n in range(3) if fails(found[n], fail_conditions(words))] == numbers


def test_a_command_that_is_pasted_into_a_shell_names_the_session(tmp_path: Path) -> None:
    for name in ("tests(3.12-django5.2)", "a b", "it's", '"q"', "$(touch x)", "`touch x`", "a;b", "*", "!x"):
        for command in (run_command(name), run_command(name, recreate=True), lock_command([name, name])):
            script = f'nox() {{ printf "%s\\n" "$@"; }}; {command}'
            done = subprocess.run(["sh", "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
            assert done.stdout.decode().splitlines()[-1] == name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.functional
def test_severities_and_rules_hold_in_sessions_reports_and_on_github(project: Project) -> None:
    spec = """
        version: 1
        drift:
          severity: {extraneous: warning}
          ignore:
            - {kind: missing, package: basket, reason: replaced by hand, until: 2999-12-31}
            - {kind: version, package: cherry, reason: never seen}
        environments:
          demo: {requirements: ["basket>=1.0", "press>=1"], drift: {policy: fail}, commands: [press hello]}
        """
    project.write("envs.yaml", spec)
    project.nox("-s", "lock", "demo", check=True)
    project.venv("demo").uninstall("basket")
    project.venv("demo").install("plum")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project.root / "summary.md"), "CI": "true"}
    ran = project.nox("-s", "demo", env=env, check=True)
    assert "title=extraneous%3A plum::demo: found" in ran.stdout
    assert "plum" in project.read("summary.md")
    (report,) = json.loads(project.read(".nox/.nox-envs/reports/demo.json"))["environments"]
    found = [(one["kind"], one["severity"], one["path"].split("/")[0]) for one in report["findings"]]
    assert (found, report["ignored"]) == ([("extraneous", "warning", ".nox")], 1)
    checked = project.cli("drift", check=True).stdout
    assert "demo: drift: 1 extraneous; 1 ignored" in checked
    summary = {"GITHUB_STEP_SUMMARY": str(project.root / "asked.md")}
    assert "::warning" in project.cli("drift", "--format", "github", env=summary).stdout
    assert "plum" in project.read("asked.md")
    assert project.cli("drift", "--fail-on", "warning").returncode == 1
    assert project.nox("-s", "drift", "--", "--fail-on", "extraneous").returncode == 1
