"""One session from start to end: check the venv, build or repair it, run the commands, look again, report."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from nox_envs.files import FileLock, write_atomically
from nox_envs.host import Host
from nox_envs.project import Project
from nox_envs.spec.types import Command, Point
from nox_envs.spec.words import expand_command, fill
from nox_envs.values import replace
from nox_envs.venv.receipt import CleanVerdict
from nox_envs.venv.snapshot import evidence

# A run that finds everything as it was needs none of these.
if TYPE_CHECKING:
    from nox_envs.repair import Repair
    from nox_envs.report.report import EnvironmentReport


class SessionRun:
    """Run one point of an environment, from its lock to its commands.

    `clock` returns seconds since some moment. `report` is the last report of the session.
    """

    def __init__(self, project: Project, point: Point, host: Host, clock: Callable[[], float]) -> None:
        self._project = project
        self._point = point
        self._host = host
        self._clock = clock
        self._began = clock()
        self._lock = FileLock(project.lock_file(host.location), waiting=self._say_waiting)
        self._verdict: CleanVerdict | None = None
        self._repair: Repair | None = None

    def run(self) -> None:
        """Check or build the venv, run the commands, look again, and write the report."""
        self._lock.acquire(shared=True)
        try:
            self._verdict = self._project.recall(self._point, self._host.location)
            if self._verdict:
                self._host.say(self._verdict.line)
                self._save(self._verdict)
            else:
                # No other process may run commands in a venv while it is repaired.
                self._lock.acquire()
                self._checked_venv.prepare()
                self._lock.acquire(shared=True)
            before = self._verdict.evidence if self._verdict else evidence(self._host.location)
            try:
                self._run_commands()
            finally:
                self._look_again(before)
        finally:
            self._lock.release()

    @property
    def report(self) -> EnvironmentReport | None:
        """Return the report that was written last, None if there is none."""
        if self._verdict is None or (self._repair and self._repair.report):
            return self._repair.report if self._repair else None
        from nox_envs.report.json import read_report

        return read_report(self._verdict.report, origin=self._point.session).environments[0]

    @property
    def _checked_venv(self) -> Repair:
        if self._repair is None:
            from nox_envs.repair import Repair

            self._repair = Repair(self._project, self._point, self._host, self._seconds)
        return self._repair

    def _seconds(self) -> float:
        return self._clock() - self._began

    def _say_waiting(self) -> None:
        self._host.say(f"{self._point.session}: another process works on {self._host.location}; waiting")

    def _save(self, verdict: CleanVerdict) -> None:
        """Write the report of a session that found what the verdict says, with the seconds so far."""
        # Within a JSON string every quote is escaped, so that no text from outside looks like this key.
        seconds = f'"seconds": {round(self._seconds(), 3)}'
        text = re.sub('"seconds": [0-9.]+', seconds, verdict.report, count=1)
        write_atomically(self._project.report_file(self._host.location), text, durable=False)

    def _run_commands(self) -> None:
        """Run the commands; those of `commands_post` whatever happened before."""
        point = self._point
        try:
            for command in (*point.commands_pre, *point.commands):
                self._run(command)
        finally:
            for command in point.commands_post:
                self._run(command)

    def _run(self, command: Command) -> None:
        point, posargs, envdir = self._point, self._host.posargs, str(self._host.location)
        filled = partial(fill, values={"posargs": " ".join(posargs), "envdir": envdir})
        self._host.run(
            replace(
                command,
                argv=expand_command(command.argv, posargs=posargs, envdir=envdir),
                change_dir=filled(command.change_dir or point.change_dir),
            ),
            tuple((name, filled(text)) for name, text in (*point.set_env, *command.set_env)),
            point.pass_env,
        )

    def _look_again(self, before: str) -> None:
        """Report how long the session took, and what the commands changed in their own venv."""
        if self._verdict and (self._point.commands or self._point.commands_pre or self._point.commands_post):
            self._save(self._verdict)
        touched = not before or before != evidence(self._host.location)
        deep = (self._point.drift.files or "off") != "off"
        if touched or deep or self._repair is not None:
            self._checked_venv.after_commands(changed=touched or deep)
