"""Owns the judgement on the venv of one session: verify, mend, freeze, write the receipt, verify again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nox_envs import receipt as receipts
from nox_envs.drift import Finding, rebuild_command
from nox_envs.errors import InstallationFailed, NoxEnvsError
from nox_envs.integrity.types import Depth
from nox_envs.matrix import Point
from nox_envs.receipt import KnownFile, Receipt
from nox_envs.report import Status
from nox_envs.report.as_text import count_kinds, finding_lines, summary_line
from nox_envs.snapshot import NotAVenv, Snapshot, take, untouched
from nox_envs.values import replace
from nox_envs.workflow.clean_check import Clean, CleanCheck
from nox_envs.workflow.expectation import (
    SHALLOW,
    Checked,
    advised,
    check_venv,
    lock_findings,
    project_fingerprint,
    requirements_changed,
    shown_findings,
)
from nox_envs.workflow.host import Host
from nox_envs.workflow.journal import Journal
from nox_envs.workflow.opening import refusal, remedy
from nox_envs.workflow.project import Project

if TYPE_CHECKING:
    from nox_envs.workflow.installation import Installation


class EnvironmentRun:
    """Bring the venv of one point to what its lock says, or tell what differs.

    `check` remembers for the next session that nothing was found; `clock` returns the seconds since
    the session began; `journal` holds the report of the session.
    """

    def __init__(
        self, project: Project, point: Point, host: Host, check: CleanCheck, clock: Callable[[], float]
    ) -> None:
        self._project = project
        self._point = point
        self._host = host
        self._clean_check = check
        self._plan = project.remembered_plan_of(point)
        self.journal = Journal(project, point, self._plan, host.location.name, clock)
        self._policy = point.drift.policy or "repair"
        self._depth = Depth(files=point.drift.files or "off")
        self._created: tuple[KnownFile, ...] = ()
        self._verified: Checked | None = None
        self._met = False

    def verify(self) -> None:
        """Leave the venv as its lock says, or as it is where policy wants that; else end the session."""
        self._begin_check()
        self._require_lock()
        self._verified = self._usable_venv()
        self._clean_check.look()

    def _begin_check(self) -> None:
        sources = self._project.sources_of(self._point)
        self._clean_check.begin(None if sources is None else (*sources, *self._plan.files))

    def _require_lock(self) -> None:
        findings = self.journal.judged(lock_findings(self._project, self._plan, self._point), link="lock")
        self.journal.locked = findings
        self._tell(findings)
        if reason := refusal(self._project, self._plan, findings):
            self.journal.write("drift", (), None)
            self._host.stop(reason)

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
            return self._answer_drift(checked, self._causes(checked, receipt))
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
        if depth and depth.consistency:
            self._met = not any(finding.kind == "inconsistent" for finding in found.findings)
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

    def _causes(self, checked: Checked, receipt: Receipt) -> str:
        """Return what happened since the installation, as far as the receipt can tell."""
        moved_on = receipt.lock != self._installed_from
        changed = [self._plan.path or "its requirements"] if moved_on else []
        own = checked.expectation.project
        if own is not None and receipt.project != project_fingerprint(self._project, self._point):
            changed.append("the project")
            if not moved_on and any(finding.package != own.name for finding in checked.drift):
                changed.append("the venv")
        return f"{' and '.join(changed)} changed since" if changed else "the venv was changed after"

    def _answer_drift(self, checked: Checked, causes: str) -> Checked:
        kinds = count_kinds(checked.drift or self.journal.locked)
        self._host.warn(f"{self._point.session}: drift, {causes} it was installed: {kinds}")
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
        if self._depth.files == "off":
            # As the next session finds it, which then need not judge it again.
            self._begin_check()
            installed = self._check(receipts.read(self._host.location))
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
            self._installation.mend(damage, cached=False)
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
        if after.drift or self.journal.doubted:
            mended = [finding for finding in checked.drift if finding not in after.findings]
            self._host.say(f"{self._point.session}: repaired: {count_kinds(mended)}")
            self._conclude("drift", after.findings, after)
        else:
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
            f"{remedy(self._project, self._plan) if self._plan.path else 'change the requirements'}"
        )

    def _receipt(self, snapshot: Snapshot) -> Receipt:
        from nox_envs.workflow import proof

        return proof.receipt_of(
            snapshot,
            lock=self._installed_from,
            installer=self._host.installer.name,
            project=project_fingerprint(self._project, self._point),
            own=self._project.composer.project_name if self._point.package.mode != "none" else "",
            created=self._created,
        )

    def _write_receipt(self, checked: Checked) -> None:
        from nox_envs.workflow import proof

        proof.write(self._host.location, self._receipt(checked.snapshot), checked)

    def _conclude(self, status: Status, findings: tuple[Finding, ...], checked: Checked) -> None:
        report = self.journal.write(status, findings, checked)
        line = summary_line(report)
        self._host.say(line)
        if report.status == "clean" and not report.findings and not report.ignored:
            self._clean_check.remember(
                lambda: Clean(line=line, report=self.journal.text, sound=self._sound(checked))
            )

    def _sound(self, checked: Checked) -> bool:
        """Tell whether the requirements of everything installed are met."""
        if self._met:
            return True
        from nox_envs.workflow.soundness import Sounding

        sounding = Sounding(self._project, self._plan, self._point, checked.expectation, checked.snapshot)
        return not sounding.sound((), None, Depth(consistency=True)).findings

    def _tell(self, findings: tuple[Finding, ...]) -> None:
        for line in finding_lines(shown_findings(self._project, findings)):
            self._host.warn(line)

    def verify_after(self) -> None:
        """Report how long the commands took and what they changed in their own venv."""
        self.journal.end()
        before = self._verified
        if self._depth.files == "off" and self._clean_check.untouched:
            return
        known = before.findings if before else ()
        session = self._point.session
        try:
            after = self._check(receipts.read(self._host.location))
        except NoxEnvsError as error:
            broken = f"the commands broke their own venv: {error}"
            self._host.warn(f"{session}: {broken}")
            self.journal.write("drift", known, None, reason=broken)
            if self._policy == "fail":
                self._host.stop(broken)
            return
        new = tuple(finding for finding in after.drift if finding not in known)
        if not new:
            return
        self._host.warn(f"{session}: the commands changed their own venv: {count_kinds(new)}")
        self._tell(new)
        self.journal.write("drift", after.findings, after)
        if self._policy == "fail":
            self._host.stop(f"the commands changed their own venv: {count_kinds(new)}")
