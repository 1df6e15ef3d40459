"""Owns one session from start to end: verify the venv, run the commands, look again, report.

A venv in which nothing changed since a check found nothing is known without another judgement; what
it takes to judge and to mend is imported for the others only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nox_envs.files import write_atomically
from nox_envs.matrix import Point
from nox_envs.mutex import held
from nox_envs.workflow.clean_check import Clean, CleanCheck
from nox_envs.workflow.commands import run_commands
from nox_envs.workflow.host import Host
from nox_envs.workflow.project import Project

if TYPE_CHECKING:
    from nox_envs.report import EnvironmentReport
    from nox_envs.workflow.environment import EnvironmentRun


class SessionRun:
    """Run one point of an environment on a host, from its lock to its commands.

    `clock` returns seconds since some moment.
    """

    def __init__(self, project: Project, point: Point, host: Host, clock: Callable[[], float]) -> None:
        self._project = project
        self._point = point
        self._host = host
        self._clock = clock
        self._began = clock()
        self._check = CleanCheck(project, point, host.location)
        self._clean: Clean | None = None
        self._judged: EnvironmentRun | None = None

    def run(self) -> None:
        """Verify or build the venv, run the commands, verify again, and write the report."""
        with held(self._project.mutex(self._host.location.name), waiting=self._say_waiting):
            self._clean = self._check.recall() if self._host.reused else None
            if self._clean is None:
                self._judgement.verify()
        if self._clean:
            self._host.say(self._clean.line)
            self._save(self._clean)
        try:
            run_commands(self._point, self._host)
        finally:
            self._look_again()

    @property
    def report(self) -> EnvironmentReport | None:
        """Return the report that was written last."""
        if self._judged is not None and self._judged.journal.report is not None:
            return self._judged.journal.report
        if self._clean is None:
            return None
        from nox_envs.report.reading import read_report

        return read_report(self._clean.report, origin=self._point.session).environments[0]

    @property
    def _judgement(self) -> EnvironmentRun:
        if self._judged is None:
            from nox_envs.workflow.environment import EnvironmentRun

            self._judged = EnvironmentRun(
                self._project, self._point, self._host, self._check, lambda: self._clock() - self._began
            )
        return self._judged

    def _look_again(self) -> None:
        if self._clean:
            if self._point.commands:
                self._save(self._clean)
            if self._check.untouched:
                return
        self._judgement.verify_after()

    def _save(self, clean: Clean) -> None:
        file = self._project.report_file(self._host.location.name)
        write_atomically(file, clean.lasting(self._clock() - self._began), durable=False)

    def _say_waiting(self) -> None:
        self._host.say(f"{self._point.session}: another process works on {self._host.location}; waiting")
