"""The reports of many jobs and hosts, joined into one."""

from __future__ import annotations

from pathlib import Path

import pytest

from nox_envs.errors import NoxEnvsError
from nox_envs.report import render
from nox_envs.report.json import LIMIT, gather
from nox_envs.report.report import EnvironmentReport, Report
from nox_envs.spec.keys import read_spec
from nox_envs.spec.points import expand
from nox_envs.values import replace
from tests.reports import everything, finding, outcome

REPORTS = Path(".nox", ".nox-envs", "reports")


def send(folder: Path, *environments: EnvironmentReport) -> Path:
    """Write the reports of one job as its sessions do."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in environments:
        file = folder / f"{one.location.rpartition('/')[2]}.json"
        file.write_text(render(Report(environments=(one,)), "json"), encoding="utf-8")
    return folder


def origins(report: Report) -> list[tuple[str, str]]:
    return [(one.origin, one.session) for one in report.environments]


def test_a_job_is_named_by_its_folder_without_the_folders_every_project_has(tmp_path: Path) -> None:
    send(tmp_path / "job-1" / REPORTS, outcome(), outcome(session="docs"))
    send(tmp_path / "linux" / "job-2", outcome())
    assert origins(gather((tmp_path,))) == [("job-1", "docs"), ("job-1", "tests-3.12")]
    send(tmp_path / "linux" / "job-2" / ".nox-envs" / "reports", outcome())
    assert origins(gather((tmp_path,)))[-1] == ("linux/job-2", "tests-3.12")


def test_several_folders_are_named_and_a_single_one_is_not(tmp_path: Path) -> None:
    one, two = send(tmp_path / "host-1" / REPORTS, outcome()), send(tmp_path / "host-2", outcome())
    file = two / "tests-3.12.json"
    for alone in (one, tmp_path / "host-1", two, file):
        assert origins(gather((alone,))) == [("", "tests-3.12")]
    for both in ((one, two), (tmp_path / "host-1", file)):
        assert origins(gather(both)) == [("host-1", "tests-3.12"), ("host-2", "tests-3.12")]


def test_a_joined_report_can_be_joined_again(tmp_path: Path) -> None:
    file = tmp_path / "monday" / "all.json"
    file.parent.mkdir()
    file.write_text(render(everything(), "json"), encoding="utf-8")
    again = gather((tmp_path,))
    assert origins(again)[1] == ("monday/job-2", "docs")
    assert replace(again, environments=()) == replace(everything(), environments=())


def test_what_several_jobs_say_of_the_project_is_said_once(tmp_path: Path) -> None:
    for job in ("job-1", "job-2"):
        (tmp_path / job).mkdir()
        (tmp_path / job / "all.json").write_text(render(everything(), "json"), encoding="utf-8")
    report = gather((tmp_path,))
    assert (len(report.environments), len(report.findings)) == (8, 1)


TOO_LARGE = b" " * (LIMIT + 1)


@pytest.mark.parametrize("content", [b"", b'{"schema": 1', b"\xff\xfe", b"[]", b'{"schema": 9}', TOO_LARGE])
def test_a_damaged_report_is_a_problem_and_the_others_are_still_shown(tmp_path: Path, content: bytes) -> None:
    send(tmp_path / "job-1", outcome(finding()))
    send(tmp_path / "job-2")
    damaged = tmp_path / "job-2" / "tests.json"
    damaged.write_bytes(content)
    report = gather((tmp_path,))
    assert origins(report) == [("job-1", "tests-3.12")]
    assert report.problems[0].startswith(f"{damaged}:1:")


def test_a_folder_without_reports_is_a_problem_and_a_missing_path_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    assert gather((tmp_path,)).problems == (f"{tmp_path}: holds no report (*.json)",)
    with pytest.raises(NoxEnvsError, match="no such file or folder"):
        gather((tmp_path / "y",))


def test_points_that_sent_no_report_are_skipped(tmp_path: Path) -> None:
    spec = "version: 1\nenvironments: {tests: {python: ['3.12', '3.13']}}\n"
    points = expand(read_spec(spec, origin="envs.yaml"))
    report = gather((send(tmp_path, outcome()),), points)
    assert [(one.session, one.status, one.reason) for one in report.environments] == [
        ("tests-3.12", "clean", ""),
        ("tests-3.13", "skipped", "no report"),
    ]
