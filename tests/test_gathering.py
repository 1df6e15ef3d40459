"""The reports of many jobs and hosts, joined into one."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from nox_envs import arguments, cli
from nox_envs.drift import Finding
from nox_envs.errors import NoxEnvsError
from nox_envs.report import EnvironmentReport, Report, Status, render
from nox_envs.workflow.gathering import gather, past_durations
from nox_envs.workflow.hosts import with_skew
from tests.plans import point
from tests.reports import everything, finding, outcome


def send(folder: Path, *environments: EnvironmentReport) -> Path:
    """Write the reports of one job as its sessions do."""
    folder.mkdir(parents=True, exist_ok=True)
    for environment in environments:
        file = folder / f"{environment.session}.json"
        file.write_text(render(Report(environments=(environment,)), "json"), encoding="utf-8")
    return folder


def origins(report: Report) -> list[tuple[str, str]]:
    return [(environment.origin, environment.session) for environment in report.environments]


def skews(report: Report) -> list[tuple[str, str, str, str]]:
    return [
        (environment.origin, found.package, found.expected, found.actual)
        for environment in report.environments
        for found in environment.findings
        if found.kind == "skew"
    ]


# who sent what


def test_a_job_is_named_by_its_folder_without_the_folders_every_project_has(tmp_path: Path) -> None:
    send(tmp_path / "job-1" / ".nox" / ".nox-envs" / "reports", outcome(), outcome(session="docs"))
    send(tmp_path / "linux" / "job-2", outcome())
    assert origins(gather((tmp_path,))) == [("job-1", "docs"), ("job-1", "tests-3.12")]
    send(tmp_path / "linux" / "job-2" / ".nox-envs" / "reports", outcome())
    assert origins(gather((tmp_path,)))[-1] == ("linux/job-2", "tests-3.12")


def test_folders_without_our_own_layout_are_searched_for_all_json(tmp_path: Path) -> None:
    send(tmp_path / "b", outcome())
    send(tmp_path / "a" / "deep", outcome())
    send(tmp_path / "b" / ".git", outcome(session="no"))
    assert origins(gather((tmp_path,))) == [("a/deep", "tests-3.12"), ("b", "tests-3.12")]


def test_flat_files_are_named_by_file_several_folders_by_folder(tmp_path: Path) -> None:
    one, two = send(tmp_path / "host-1", outcome()), send(tmp_path / "host-2", outcome())
    assert origins(gather((one,))) == [("tests-3.12", "tests-3.12")]
    assert origins(gather((one, two))) == [("host-1", "tests-3.12"), ("host-2", "tests-3.12")]
    assert origins(gather((two / "tests-3.12.json",))) == [("tests-3.12", "tests-3.12")]
    send(two / "job", outcome(session="docs"))
    assert ("host-2/job", "docs") in origins(gather((one, two)))


def test_the_reports_of_this_machine_need_no_name(tmp_path: Path) -> None:
    state = send(tmp_path / "project" / ".nox" / ".nox-envs" / "reports", outcome())
    assert origins(gather((state,))) == [("", "tests-3.12")]
    assert origins(gather((tmp_path / "project",))) == [("", "tests-3.12")]
    assert origins(gather((state, state)))[0][0] == "project"


def test_a_joined_report_can_be_joined_again(tmp_path: Path) -> None:
    file = tmp_path / "monday" / "all.json"
    file.parent.mkdir()
    file.write_text(render(everything(), "json"), encoding="utf-8")
    again = gather((tmp_path,))
    assert origins(again)[1] == ("monday/job-2", "docs")
    assert again.findings == everything().findings
    assert again.notes == everything().notes
    assert again.problems == tuple(f"monday: {text}" for text in everything().problems)


# what is wrong


@pytest.mark.parametrize(
    "content", [b"", b'{"schema": 1', b"\xff\xfe", b"[]", b'{"schema": 9}', b"\x00" * 99]
)
def test_a_damaged_report_is_a_problem_and_the_others_are_still_shown(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    send(tmp_path / "job-1", outcome(finding()))
    send(tmp_path / "job-2")
    damaged = tmp_path / "job-2" / "tests.json"
    damaged.write_bytes(content)
    assert cli.main(["report", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert "tests-3.12 [job-1]: drift: 1 missing" in shown.out
    assert f"problem: {damaged}:1:" in shown.out
    assert shown.err == "1 could not be read\n"


def test_a_folder_without_reports_is_a_problem_and_a_wrong_path_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(tmp_path)]) == 2
    assert f"problem: {tmp_path}: holds no report" in capsys.readouterr().out
    assert cli.main(["report", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'nowhere'}: no such file or folder\n"


def test_a_directory_named_like_a_report_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    assert gather((tmp_path,)).problems == (f"{tmp_path}: holds no report (*.json)",)
    with pytest.raises(NoxEnvsError, match="no such file"):
        gather((tmp_path / "y",))


SPEC = """
version: 1
environments:
  tests: {python: ["3.12", "3.13"], lock: false}
  docs: {lock: false}
  rare: {lock: false, default: false}
"""


def test_points_that_sent_no_report_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "envs.yaml"
    spec.write_text(SPEC)
    send(tmp_path / "reports" / "job", outcome())
    command = ["report", str(tmp_path / "reports"), "--spec", str(spec)]
    monkeypatch.delenv("CI", raising=False)
    assert cli.main(command) == 0
    shown = capsys.readouterr().out
    assert "tests-3.13:       skipped: it sent no report" in shown
    assert "docs:             skipped: it sent no report" in shown
    assert "rare" not in shown
    monkeypatch.setenv("CI", "true")
    assert cli.main(command) == 2
    assert capsys.readouterr().err == "not checked: tests-3.13, docs\n"


def test_the_report_is_written_in_any_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    send(tmp_path / "job-1", outcome(finding()))
    for format_ in arguments.FORMATS:
        assert cli.main(["report", str(tmp_path), "--format", format_]) == 1
        assert "job-1" in capsys.readouterr().out
    assert cli.main(["report", str(tmp_path), "--fail-on", "skew"]) == 0


# hosts that should be equal


def test_a_host_that_differs_from_most_is_named(tmp_path: Path) -> None:
    usual = {"apple": "2.0", "plum": "3", "pip": "25"}
    for number in range(4):
        send(tmp_path / f"host-{number}", outcome(installed=usual))
    odd = outcome(installed={"apple": "1.0", "plum": "3", "six": "1.17", "pip": "24"})
    send(tmp_path / "host-9", odd)
    report = gather((tmp_path,))
    assert skews(report) == [
        ("host-9", "apple", "2.0 as on 4 of 5", "1.0"),
        ("host-9", "six", "not installed as on 4 of 5", "1.17"),
    ]
    assert Counter(environment.status for environment in report.environments) == {"clean": 4, "drift": 1}


def test_only_equals_are_compared() -> None:
    apple, older = {"apple": "2.0"}, {"apple": "1.0"}
    apart = (
        outcome(installed=apple),
        outcome(installed=older, session="docs"),
        outcome(installed=older, python="3.13.0"),
        outcome(installed=older, platform="darwin-arm64"),
        outcome(installed=older, status="skipped"),
        outcome(),
    )
    assert with_skew(apart) == apart
    patched = (outcome(installed=apple), outcome(installed=older, python="3.12.9"))
    assert sum(len(environment.findings) for environment in with_skew(patched)) == 1


def test_a_package_that_already_has_a_finding_is_not_told_twice() -> None:
    known = outcome(finding("version"), installed={"apple": "1.0"})
    both = (outcome(installed={"apple": "2.0"}), outcome(installed={"apple": "2.0"}), known)
    assert with_skew(both) == both


def test_a_repaired_host_that_still_differs_is_drift() -> None:
    repaired = outcome(finding("extraneous", "six"), installed={"apple": "1.0"}, status="repaired")
    usual = outcome(installed={"apple": "2.0"})
    (*_, last) = with_skew((usual, usual, repaired))
    assert last.status == "drift"
    assert [found.package for found in last.findings] == ["apple"]


# a simulation


class Hosts:
    """Simulate hosts that drift: what each reports, and which differences were put in."""

    def __init__(self, number: int, seed: int) -> None:
        self._random = random.Random(seed)
        self.lock = {f"package-{n}": f"{n % 7}.{n % 3}" for n in range(60)}
        self.injected: set[tuple[str, str, str]] = set()
        self.reports = {f"job-{n:03}": self._report(f"job-{n:03}") for n in range(number)}

    def _report(self, job: str) -> EnvironmentReport:
        installed = dict(self.lock)
        found: list[Finding] = []
        if self._random.random() < 0.2:
            for name in self._random.sample(sorted(self.lock), self._random.randint(1, 3)):
                found += self._drift(job, name, installed)
        status: Status | None = "repaired" if found and self._random.random() < 0.3 else None
        if status == "repaired":
            installed = dict(self.lock)
        return outcome(*found, installed=installed, status=status, seconds=self._random.random() * 60)

    def _drift(self, job: str, name: str, installed: dict[str, str]) -> list[Finding]:
        kind = self._random.choice(["missing", "version", "extraneous", "skew"])
        self.injected.add((job, kind, f"extra-{name}" if kind == "extraneous" else name))
        match kind:
            case "missing":
                del installed[name]
                return [finding("missing", name, expected=self.lock[name])]
            case "version":
                installed[name] = "9.9"
                return [finding("version", name, expected=self.lock[name], actual="9.9")]
            case "extraneous":
                installed[f"extra-{name}"] = "1"
                return [finding("extraneous", f"extra-{name}", expected="", actual="1")]
        installed[name] = "8.8"  # nothing is reported: this host has another lock
        return []


def simulate(folder: Path, number: int, seed: int) -> set[tuple[str, str, str]]:
    """Write the reports of simulated jobs, and return what is to be found in them."""
    hosts = Hosts(number, seed)
    expected = set()
    for job, report in hosts.reports.items():
        send(folder / job / ".nox" / ".nox-envs" / "reports", report)
        expected |= {i for i in hosts.injected if i[0] == job and _is_seen(i, report)}
    return expected


def _is_seen(injected: tuple[str, str, str], report: EnvironmentReport) -> bool:
    # A host that was repaired has what its lock says again, and no skew is left.
    return injected[1] != "skew" or dict(report.distributions)[injected[2]] == "8.8"


def found_in(report: Report) -> set[tuple[str, str, str]]:
    return {(e.origin, found.kind, found.package) for e in report.environments for found in e.findings}


def test_of_five_hundred_jobs_exactly_the_injected_findings_are_named(tmp_path: Path) -> None:
    expected = simulate(tmp_path, 500, seed=20260615)
    assert len(expected) > 100
    assert {kind for _, kind, _ in expected} == {"missing", "version", "extraneous", "skew"}
    report = gather((tmp_path,))
    assert len(report.environments) == 500
    assert found_in(report) == expected
    assert sum(len(environment.findings) for environment in report.environments) == len(expected)
    assert report.problems == ()


def test_the_time_of_a_joined_report_grows_with_the_number_of_jobs(tmp_path: Path) -> None:
    def seconds(number: int) -> float:
        folder = tmp_path / str(number)
        simulate(folder, number, seed=1)
        taken = []
        for _ in range(3):
            began = time.process_time()
            render(gather((folder,)), "json")
            taken.append(time.process_time() - began)
        return min(taken)

    few, many = seconds(60), seconds(480)
    assert many < few * 8 * 2  # eight times the jobs: linear, with room for a busy machine


# durations


def test_past_durations_are_the_longest_and_what_is_damaged_is_left_out(tmp_path: Path) -> None:
    send(tmp_path / "a", outcome(seconds=3), outcome(session="docs"))
    send(tmp_path / "b", outcome(seconds=5))
    (tmp_path / "b" / "broken.json").write_text("{")
    assert past_durations((tmp_path,)) == {"tests-3.12": 5}
    assert past_durations(()) == {}


def test_expected_points_are_compared_by_session(tmp_path: Path) -> None:
    send(tmp_path / "job", outcome())
    report = gather((tmp_path,), expected=(point("tests", "3.12"), point("tests", "3.13")))
    assert [(e.session, e.status) for e in report.environments] == [
        ("tests-3.12", "clean"),
        ("tests-3.13", "skipped"),
    ]
    assert json.loads(render(report, "json"))["summary"]["environments"] == {"clean": 1, "skipped": 1}
