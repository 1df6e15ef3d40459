"""The reports that test modules make."""

from __future__ import annotations

from nox_envs.findings import KINDS, Finding
from nox_envs.report.report import EnvironmentReport, Report, Status
from nox_envs.values import replace

HOSTILE = (
    "\x1b[31mred\x1b[0m \x9b2J \x07 a|b `c` <img src=x onerror=alert(1)> </script><!-- ]]> "
    "##[error]x ##vso[x]y ::error::gone %0A {0} [link](https://evil.example.org) @someone #12 "
    "\u202etxt.exe\u2066 \ufffe \udc80"
    "\r\n::warning::second line \u2028 www.evil.example.org &amp; \"quoted\" 'single' \\ end"
)


def finding(kind: str = "missing", package: str = "apple", **changes: object) -> Finding:
    """Make a finding; `changes` are other fields."""
    made = Finding(
        kind=kind,
        severity=KINDS[kind],
        environment="tests",
        session="tests-3.12",
        package=package,
        expected="2.0",
        line="requirements/tests.txt:7",
        why=("test (envs.yaml:5)",),
        fix="nox -s tests-3.12",
    )
    return replace(made, **changes)


def outcome(
    *findings: Finding,
    environment: str = "tests",
    session: str = "tests-3.12",
    installed: dict[str, str] | None = None,
    **changes: object,
) -> EnvironmentReport:
    """Make the report on one session; `changes` are other fields."""
    found = installed or {}
    made = EnvironmentReport(
        environment=environment,
        session=session,
        python="3.12.1",
        lock=f"requirements/{environment}.txt",
        location=f".nox/{session}",
        status="drift" if findings else "clean",
        installed=len(found),
        findings=findings,
        distributions=tuple(sorted(found.items())),
        platform="linux-x86_64",
    )
    return replace(made, **changes)


def everything() -> Report:
    """Make a report with every status, every severity, and something in every field."""
    dist_info = ".nox/tests-3-12/lib/python3.12/site-packages/apple-1.0.dist-info"
    drifted = outcome(
        finding(),
        finding("version", "basket", expected="1.1", actual="1.0", path=dist_info),
        finding("leftover", "", expected="", actual="~pple", line="", why=(), path=".nox/tests-3-12/~pple"),
        finding(
            "unverifiable",
            "plum",
            expected=f"sha256:{'0123456789abcdef' * 4}",
            actual="no hash recorded",
            fix="",
        ),
        installed={"basket": "1.0", "plum": "3"},
        seconds=12.3456,
        ignored=2,
    )
    repaired = outcome(
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
        fix="nox -s lock -- --prune",
    )
    return Report(
        environments=(
            drifted,
            repaired,
            outcome(environment="lint", session="lint", installed={"ruff": "0.14.0"}),
            outcome(
                environment="types", session="types", status="skipped", reason="not built; run: nox -s types"
            ),
        ),
        findings=(orphan,),
        problems=("artifacts/job-3/tests.json:1:1: is not JSON: Expecting value",),
    )


def hostile(text: str = HOSTILE) -> Report:
    """Make a report in which every text from outside is this one."""
    bad = finding(
        "version", text, environment=text, session=text, expected=text, actual=text, path=text,
        line=f"{text}:3", why=(text, text), fix=text,
    )  # fmt: skip
    statuses: tuple[Status, ...] = ("drift", "repaired", "skipped", "clean")
    environments = [
        replace(
            EnvironmentReport(environment=text, session=text, status=status, distributions=((text, text),)),
            findings=(bad,) if status in ("drift", "repaired") else (),
            **dict.fromkeys(("python", "lock", "location", "reason", "platform", "origin"), text),
        )
        for status in statuses
    ]
    return Report(environments=tuple(environments), findings=(bad,), problems=(text,))
