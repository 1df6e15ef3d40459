"""One session from start to end: check the venv, build or repair it, run the commands, look again, report."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from nox_envs.files import FileLock, write_atomically
from nox_envs.host import Host
from nox_envs.project import Project
from nox_envs.spec.types import Command, Point
from nox_envs.spec.words import expand_command, fill
from nox_envs.values import replace
from nox_envs.venv.snapshot import evidence

if TYPE_CHECKING:
    from nox_envs.repair import Repair


class SessionRun:
    """Run one point of an environment, from its lock to its commands.

    `clock` returns seconds since some moment. `report` is the last report of the session as JSON.
    """

    def __init__(self, project: Project, point: Point, host: Host, clock: Callable[[], float]) -> None:
        self.report = ""
        self._project = project
        self._point = point
        self._host = host
        self._clock = clock
        self._began = clock()
        wait = f"{point.session}: another process works on {host.location}; waiting"
        file = project.state / "locks" / host.location.name
        self._lock = FileLock(file, waiting=partial(host.say, wait))

    def run(self) -> None:
        """Check or build the venv, run the commands, look again, and write the report."""
        self._lock.acquire(shared=True)
        try:
            verdict = self._project.recall(self._point, self._host.location)
            if verdict:
                self._host.say(verdict.line)
                self._save(verdict.report)
            else:
                # No other process may run commands in a venv while it is repaired.
                self._lock.acquire()
                self._repair.prepare()
                self._lock.acquire(shared=True)
            before = verdict.evidence if verdict else evidence(self._host.location)
            try:
                try:
                    for command in (*self._point.commands_pre, *self._point.commands):
                        self._run(command)
                finally:
                    for command in self._point.commands_post:
                        self._run(command)
            finally:
                if self._point.commands or self._point.commands_pre or self._point.commands_post:
                    self._save(self.report)
                deep = (self._point.drift.files or "off") != "off"
                if deep or not before or before != evidence(self._host.location):
                    self._repair.after_commands()
        finally:
            self._lock.release()

    @cached_property
    def _repair(self) -> Repair:
        from nox_envs.repair import Repair  # a run that finds everything as it was does not need it

        return Repair(self._project, self._point, self._host, self._save)

    def _save(self, report: str) -> None:
        """Write a report with the seconds that the session has taken so far."""
        # Within a JSON string every quote is escaped, so that no text from outside looks like this key.
        seconds = f'"seconds": {round(self._clock() - self._began, 3)}'
        self.report = re.sub('"seconds": [0-9.]+', seconds, report, count=1)
        file = self._project.state / "reports" / f"{self._host.location.name}.json"
        write_atomically(file, self.report, durable=False)

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
