"""Owns the report of one session while it runs: what was found, what was ignored, how long it took."""

from __future__ import annotations

from collections.abc import Callable

from nox_envs.drift import Finding
from nox_envs.files import write_atomically
from nox_envs.lockfile.plan import LockPlan
from nox_envs.matrix import Point
from nox_envs.report import EnvironmentReport, Report, Status, render
from nox_envs.values import replace
from nox_envs.workflow.expectation import Checked, environment_report
from nox_envs.workflow.project import Project


class Journal:
    """Write the report of the session of `point`, whose venv's directory has the name `venv`.

    `clock` returns the seconds since the session began. `locked` are the findings about the lock, which every
    report of the session holds; `report` is the last one that was written, `text` the same as JSON.
    """

    def __init__(
        self, project: Project, point: Point, plan: LockPlan, venv: str, clock: Callable[[], float]
    ) -> None:
        self.locked: tuple[Finding, ...] = ()
        self.report: EnvironmentReport | None = None
        self.text = ""
        self._project = project
        self._point = point
        self._plan = plan
        self._file = project.report_file(venv)
        self._clock = clock
        self._ignored: dict[str, int] = {}

    @property
    def doubted(self) -> bool:
        """Tell whether anything is wrong with the lock that is more than a note."""
        return any(finding.severity != "note" for finding in self.locked)

    def judged(self, findings: tuple[Finding, ...], *, link: str) -> tuple[Finding, ...]:
        """Return what counts by the severities and ignore rules of the spec; `link` is lock or venv."""
        options = self._point.drift
        if not options.severity and not options.ignore:
            return findings
        from nox_envs.policy import judge

        judgement = judge(findings, options, today=self._project.today, shown=self._project.shown_path)
        self._ignored[link] = len(judgement.ignored)
        return judgement.findings

    def write(
        self, status: Status, findings: tuple[Finding, ...], checked: Checked | None, *, reason: str = ""
    ) -> EnvironmentReport:
        """Write the report; a venv that is clean under a lock in doubt is drift all the same.

        `reason` says why a session was skipped, or what its commands broke.
        """
        if status == "clean" and self.doubted:
            status = "drift"
        report = environment_report(
            self._project,
            self._point,
            self._plan,
            checked,
            status,
            (*self.locked, *findings),
            reason,
            seconds=self._clock(),
            ignored=sum(self._ignored.values()),
        )
        self._save(report)
        return report

    def end(self) -> None:
        """Write how long the session took in all."""
        if self.report and self._point.commands:
            self._save(replace(self.report, seconds=self._clock()))

    def _save(self, report: EnvironmentReport) -> None:
        self.report = report
        self.text = render(Report(environments=(report,)), "json")
        write_atomically(self._file, self.text, durable=False)
