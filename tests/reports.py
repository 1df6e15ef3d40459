"""Owns the reports that test modules make."""

from __future__ import annotations

from nox_envs.drift import KINDS, Finding, Severity
from nox_envs.report import EnvironmentReport, Report, Status

HOSTILE = (
    "\x1b[31mred\x1b[0m \x9b2J \x07 a|b `c` <img src=x onerror=alert(1)> </script><!-- ]]> "
    "::error::gone %0A {0} [link](https://evil.example.org) @someone #12 \u202etxt.exe\u2066 \ufffe \udc80"
    "\r\n::warning::second line \u2028 www.evil.example.org &amp; \"quoted\" 'single' \\ end"
)


def finding(
    kind: str = "missing",
    package: str = "apple",
    *,
    severity: Severity | None = None,
    environment: str = "tests",
    session: str = "tests-3.12",
    expected: str = "2.0",
    actual: str = "",
    path: str = "",
    line: str = "requirements/tests.txt:7",
    why: tuple[str, ...] = ("test (envs.yaml:5)",),
    fix: str = "nox -s tests-3.12",
) -> Finding:
    """Make a finding."""
    return Finding(
        kind=kind,
        severity=severity or KINDS[kind],
        environment=environment,
        session=session,
        package=package,
        expected=expected,
        actual=actual,
        path=path,
        line=line,
        why=why,
        fix=fix,
    )


def outcome(
    *findings: Finding,
    environment: str = "tests",
    session: str = "tests-3.12",
    status: Status | None = None,
    reason: str = "",
    installed: dict[str, str] | None = None,
    origin: str = "",
    seconds: float = 0.0,
    python: str = "3.12.1",
    platform: str = "linux-x86_64",
    ignored: int = 0,
) -> EnvironmentReport:
    """Make the report on one session; with findings its status is drift unless given."""
    found = installed or {}
    return EnvironmentReport(
        environment=environment,
        session=session,
        python=python,
        lock=f"requirements/{environment}.txt",
        location=f".nox/{session}",
        status=status or ("drift" if findings else "clean"),
        reason=reason,
        installed=len(found),
        findings=findings,
        distributions=tuple(sorted(found.items())),
        platform=platform,
        seconds=seconds,
        origin=origin,
        ignored=ignored,
    )


def everything() -> Report:
    """Make a report with every status, every severity, and something in every field."""
    dist_info = ".nox/tests-3-12/lib/python3.12/site-packages/apple-1.0.dist-info"
    drifted = outcome(
        finding(),
        finding("version", "basket", expected="1.1", actual="1.0", path=dist_info),
        finding("leftover", "", expected="", actual="~pple", line="", why=(), path=".nox/tests-3-12/~pple"),
        finding("unverifiable", "plum", expected="sha256:1", actual="no hash recorded", fix=""),
        installed={"basket": "1.0", "plum": "3"},
        seconds=12.3456,
        ignored=2,
    )
    mended = outcome(
        finding("extraneous", "six", environment="docs", session="docs", expected="", actual="1.17.0"),
        environment="docs",
        session="docs",
        status="repaired",
        installed={"sphinx": "8.2"},
        origin="job-2",
    )
    orphan = finding(
        "lock-orphaned",
        "",
        environment="",
        session="",
        expected="an environment that declares it",
        actual="requirements/old.txt",
        path="requirements/old.txt",
        line="",
        why=(),
        fix="git rm requirements/old.txt",
    )
    return Report(
        environments=(
            drifted,
            mended,
            outcome(environment="lint", session="lint", installed={"ruff": "0.14.0"}),
            outcome(environment="types", session="types", status="skipped", reason="not built; nox -s types"),
        ),
        findings=(orphan,),
        problems=("artifacts/job-3/tests.json:1:1: is no JSON: Expecting value",),
        notes=("envs.yaml:9: the ignore rule for package six matched nothing; remove it",),
    )


def hostile() -> Report:
    """Make a report in which every text from outside tries to be more than a text."""
    bad = Finding(
        kind="version",
        severity="error",
        environment=HOSTILE,
        session=HOSTILE,
        package=HOSTILE,
        expected=HOSTILE,
        actual=HOSTILE,
        path=HOSTILE,
        line=f"{HOSTILE}:3",
        why=(HOSTILE, HOSTILE),
        fix=HOSTILE,
    )
    statuses: tuple[Status, ...] = ("drift", "repaired", "skipped", "clean")
    environments = tuple(
        EnvironmentReport(
            environment=HOSTILE,
            session=HOSTILE,
            python=HOSTILE,
            lock=HOSTILE,
            location=HOSTILE,
            status=status,
            reason=HOSTILE,
            findings=(bad,) if status in ("drift", "repaired") else (),
            distributions=((HOSTILE, HOSTILE),),
            platform=HOSTILE,
            origin=HOSTILE,
        )
        for status in statuses
    )
    return Report(environments=environments, findings=(bad,), problems=(HOSTILE,), notes=(HOSTILE,))
