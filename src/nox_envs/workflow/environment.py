"""Owns one session of an environment: verify, mend, freeze, write the receipt, run, verify again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nox_envs import receipt as receipts
from nox_envs.drift import Finding, rebuild_command
from nox_envs.errors import InstallationFailed, NoxEnvsError
from nox_envs.integrity.types import Depth
from nox_envs.matrix import Point
from nox_envs.mutex import held
from nox_envs.placeholders import expand, expand_command
from nox_envs.receipt import KnownFile, Receipt
from nox_envs.report import Status
from nox_envs.report.as_text import count_kinds, finding_lines, summary_line
from nox_envs.snapshot import NotAVenv, Snapshot, take, untouched
from nox_envs.values import replace
from nox_envs.workflow.expectation import (
    SHALLOW,
    Checked,
    advised,
    check_venv,
    lock_command,
    lock_findings,
    project_fingerprint,
    requirements_changed,
    shown_findings,
)
from nox_envs.workflow.host import Host
from nox_envs.workflow.journal import Journal
from nox_envs.workflow.project import Project

if TYPE_CHECKING:
    from nox_envs.workflow.installation import Installation


class EnvironmentRun:
    """Run one point of an environment on a host, from its lock to its commands.

    `clock` returns seconds since some moment; `journal` holds the report of the session.
    """

    def __init__(
        self, project: Project, point: Point, host: Host, clock: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._project = project
        self._point = point
        self._host = host
        self._plan = project.remembered_plan_of(point)
        self.journal = Journal(project, point, self._plan, host.location.name, clock)
        self._policy = point.drift.policy or "repair"
        self._depth = Depth(files=point.drift.files or "off")
        self._created: tuple[KnownFile, ...] = ()

    def run(self) -> None:
        """Verify or build the venv, run the commands, verify again, and write the report."""
        self._require_lock()
        name = self._host.location.name
        with held(self._project.state / "mutexes" / name, waiting=self._say_waiting):
            checked = self._usable_venv()
        try:
            self._run_commands()
        finally:
            self._verify_after(checked)

    def _say_waiting(self) -> None:
        self._host.say(f"{self._point.session}: another process works on {self._host.location}; waiting")

    def _require_lock(self) -> None:
        findings = self.journal.judged(lock_findings(self._project, self._plan, self._point), link="lock")
        self.journal.locked = findings
        self._tell(findings)
        broken = [finding for finding in findings if finding.severity == "error"]
        if broken or (self._plan.path and self._project.lock_of(self._plan) is None):
            self.journal.write("drift", (), None)
            self._host.stop(
                f"{self._plan.path} does not answer {self._project.origin} "
                f"({count_kinds(broken) or 'lock-missing'}); {self._remedy}"
            )

    @property
    def _remedy(self) -> str:
        if not self._plan.foreign:
            return f"run: {lock_command(self._plan)}"
        from nox_envs.workflow.foreign import regeneration

        return regeneration(self._project, self._plan)

    def _usable_venv(self) -> Checked:
        """Return the venv once it is what its lock says, or is left as it is by policy."""
        receipt = receipts.read(self._host.location)
        checked, reason = self._judge(receipt) if self._host.reused else (None, "")
        if reason:
            return self._rebuild(reason)
        if checked is None or receipt is None:
            return self._build()
        self._created = receipt.created
        moved_on = receipt.lock != self._installed_from
        if checked.drift or (self.journal.locked and self._policy == "fail" and not self._plan.path):
            return self._answer_drift(checked, moved_on=moved_on)
        if moved_on and (self._plan.path or not self.journal.locked):
            self._write_receipt(checked)  # the lock changed in nothing that this venv has
        self._conclude("clean", checked.findings, checked)
        return checked

    def _judge(self, receipt: Receipt | None) -> tuple[Checked | None, str]:
        """Return what a reused venv has, and why it must not be reused (empty: it may)."""
        if receipt is None:
            return None, "it has no receipt, so its installation was never finished"
        if not self._plan.path and receipt.lock != self._installed_from:
            if self._mends:
                return None, "its requirements changed"
            self.journal.locked = (requirements_changed(self._point),)
            self._tell(self.journal.locked)
        if self._plan.limiting and self._mends:
            from nox_envs.lockfile.foreign import asks_otherwise

            if asks_otherwise(receipt.lock, self._installed_from):
                return None, "its requirements changed"
        try:
            checked = self._check(receipt)
        except NotAVenv as error:
            return None, str(error)
        if self._mends:
            for finding in checked.findings:
                if finding.kind == "python":
                    return checked, f"expected Python {finding.expected}, found {finding.actual}"
            if checked.mendable:
                from nox_envs.workflow.mending import beyond_mending

                return checked, beyond_mending(checked.mendable, checked.expectation)
        return checked, ""

    @property
    def _mends(self) -> bool:
        return self._policy == "repair" and self._host.may_install

    def _check(self, receipt: Receipt | None, depth: Depth | None = None) -> Checked:
        location = self._host.location
        found = check_venv(self._project, self._plan, self._point, location, receipt, depth or self._depth)
        findings = self.journal.judged(found.findings, link="venv")
        return replace(
            found, findings=findings if self._policy == "repair" else advised(findings, self._point)
        )

    @property
    def _installation(self) -> Installation:
        # A warm run installs nothing and need not wait for this import.
        from nox_envs.workflow.installation import Installation

        return Installation(self._project, self._point, self._plan, self._host)

    @property
    def _installed_from(self) -> str:
        return self._project.lock_digest(self._plan)

    def _answer_drift(self, checked: Checked, *, moved_on: bool) -> Checked:
        source = self._plan.path or "its requirements"
        cause = f"{source} changed since" if moved_on else "the venv was changed after"
        kinds = count_kinds(checked.drift or self.journal.locked)
        self._host.warn(f"{self._point.session}: drift, {cause} it was installed: {kinds}")
        self._tell(checked.findings)
        if self._mends and checked.mendable:
            return self._repair(checked)
        self.journal.write("drift", checked.findings, checked)
        found = (*self.journal.locked, *checked.findings)
        errors = [finding for finding in found if finding.severity == "error"]
        if self._policy == "fail" and errors:
            self._host.stop(
                f"drift: {count_kinds(errors)}; to make the venv anew: {rebuild_command(self._point.session)}"
            )
        return checked

    def _rebuild(self, reason: str) -> Checked:
        self._host.say(f"{self._point.session}: making the venv anew: {reason}")
        self._host.recreate()
        return self._build()

    def _build(self) -> Checked:
        from nox_envs.workflow import proof

        receipts.remove(self._host.location)
        self._created = proof.created_in(self._host.location)
        self._installation.everything(self._check(None, SHALLOW).expectation)
        # Without a lock, what was installed now is what the venv has to be from now on.
        installed = self._proved(lambda: self._receipt(take(self._host.location)))
        self._require_clean(installed)
        self._write_receipt(installed)
        self._tell(installed.drift)
        self._conclude("drift" if installed.drift else "clean", installed.findings, installed)
        return installed

    def _proved(self, receipt: Callable[[], Receipt | None]) -> Checked:
        """Check what an installer has just left; mend once what it took damaged from its cache."""
        from nox_envs.workflow import proof

        checked = self._check(receipt(), proof.PROOF)
        damage = proof.damage(checked)
        if damage.findings:
            self._host.warn(f"{self._point.session}: installed with {count_kinds(damage.findings)}")
            self._tell(damage.findings)
            self._installation.mend(damage)
            checked = self._check(receipt(), proof.PROOF)
        return proof.as_deep_as(checked, self._depth)

    def _repair(self, checked: Checked) -> Checked:
        from nox_envs.workflow import proof

        receipt = receipts.read(self._host.location)
        before = proof.after_repair(receipt, project=project_fingerprint(self._project, self._point))
        receipts.remove(self._host.location)
        try:
            self._installation.mend(checked)
        except InstallationFailed as error:
            if "uninstall" in error.argv:
                return self._rebuild("something in it cannot be uninstalled")
            if receipt is not None and not self._plan.limiting and untouched(checked.snapshot):
                receipts.write(self._host.location, receipt)  # nothing was changed: it is as it was
            raise
        # What requirements bring under a lock that limits them is decided by the installation.
        limiting = self._plan.limiting
        after = self._proved(lambda: self._receipt(take(self._host.location)) if limiting else before)
        left = tuple(f for f in after.mendable if f.package != self._project.composer.project_name)
        if left:
            return self._rebuild(f"after the repair {count_kinds(left)} left")
        self._require_clean(after)
        self._write_receipt(after)
        self._conclude("repaired", checked.findings, after)
        return after

    def _require_clean(self, checked: Checked) -> None:
        if not any(finding.severity == "error" for finding in checked.findings):
            return
        self._tell(checked.findings)
        self.journal.write("drift", checked.findings, checked)
        self._host.stop(
            f"what was installed is not what {self._plan.path or self._project.origin} says: "
            f"{count_kinds(checked.findings)}; "
            f"{self._remedy if self._plan.path else 'change the requirements'}"
        )

    def _receipt(self, snapshot: Snapshot) -> Receipt:
        from nox_envs.workflow import proof

        return proof.receipt_of(
            snapshot,
            lock=self._installed_from,
            installer=self._host.installer.name,
            project=project_fingerprint(self._project, self._point),
            created=self._created,
        )

    def _write_receipt(self, checked: Checked) -> None:
        from nox_envs.workflow import proof

        proof.write(self._host.location, self._receipt(checked.snapshot), checked)

    def _conclude(self, status: Status, findings: tuple[Finding, ...], checked: Checked) -> None:
        self._host.say(summary_line(self.journal.write(status, findings, checked)))

    def _tell(self, findings: tuple[Finding, ...]) -> None:
        for line in finding_lines(shown_findings(self._project, findings)):
            self._host.warn(line)

    def _run_commands(self) -> None:
        for command in self._point.commands:
            self._host.run(
                replace(
                    command,
                    argv=expand_command(command.argv, posargs=self._host.posargs, envdir=self._envdir),
                    change_dir=self._expand(command.change_dir or self._point.change_dir),
                ),
                tuple((k, self._expand(v)) for k, v in (*self._point.set_env, *command.set_env)),
                self._point.pass_env,
            )

    @property
    def _envdir(self) -> str:
        return str(self._host.location)

    def _expand(self, text: str) -> str:
        return expand(text, posargs=self._host.posargs, envdir=self._envdir)

    def _verify_after(self, before: Checked) -> None:
        """Report how long the commands took and what they changed in their own venv."""
        self.journal.end()
        if self._depth.files == "off" and untouched(before.snapshot):
            return
        session = self._point.session
        try:
            after = self._check(receipts.read(self._host.location))
        except NoxEnvsError as error:
            self._host.warn(f"{session}: the commands broke their own venv: {error}")
            return
        new = tuple(finding for finding in after.drift if finding not in before.findings)
        if not new:
            return
        self._host.warn(f"{session}: the commands changed their own venv: {count_kinds(new)}")
        self._tell(new)
        self.journal.write("drift", after.findings, after)
        if self._policy == "fail":
            self._host.stop(f"the commands changed their own venv: {count_kinds(new)}")
