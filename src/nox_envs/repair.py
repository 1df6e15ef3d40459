"""Bringing the venv of one session to what its lock says, or reporting how it differs."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nox_envs.drift import environment_report, requirements_changed
from nox_envs.errors import InstallFailed, NoxEnvsError
from nox_envs.files import digest
from nox_envs.findings import Findings, count_kinds, drift_in, finding, run_command
from nox_envs.host import Host
from nox_envs.lock.resolve import refuse_sourced
from nox_envs.project import Project
from nox_envs.report import render
from nox_envs.report.report import EnvironmentReport, Report, Status
from nox_envs.report.text import finding_lines, summary_line
from nox_envs.spec.types import Point
from nox_envs.values import replace
from nox_envs.venv.compare import Checked
from nox_envs.venv.install import Uv, build_wheel, fresh, install, needs_recreate, receipt_of, sync
from nox_envs.venv.receipt import FILE_NAME, CleanVerdict, Receipt, moved, read_receipt, write_receipt
from nox_envs.venv.snapshot import SEEDS, NotAVenv, evidence, take
from nox_envs.verify import DAMAGE, check_venv

# Kinds that an installation does not fix.
_BEYOND_REPAIR = frozenset({"inconsistent", "unowned", "clobbered"})
# What creators of venvs put at the top of site-packages, without endings.
_CREATED = SEEDS | {"_virtualenv", "_distutils_hack", "distutils", "pkg_resources"}


class Repair:
    """Check the venv of one point, and build or repair it; `save` takes the session's report as JSON."""

    def __init__(self, project: Project, point: Point, host: Host, save: Callable[[str], None]) -> None:
        self._project = project
        self._point = point
        self._host = host
        self._save = save
        self._plan = project.plan_of(point)
        self._compared = partial(check_venv, project, point, self._plan, host.location)
        self._policy = point.drift.policy or "repair"
        self._locked: Findings = ()
        self._found: Findings = ()
        self._ignored: dict[str, int] = {}

    def prepare(self) -> None:
        """Leave the venv as its lock says, or as it is where the policy says so; else end the session."""
        self._require_lock()
        receipt = read_receipt(self._host.location)
        checked, why = None, self._unusable(receipt)
        if receipt and not why:
            try:
                checked = self._check(receipt)
            except NotAVenv as error:
                why = str(error)
        if receipt is None or checked is None:
            self._rebuild(why)
            return
        errors = [one for one in (*self._locked, *checked.findings) if one.severity == "error"]
        if errors or _repairable(checked.findings):
            self._drifted(receipt, checked)
        elif self._is_built_each_time(checked) and self._host.may_install():
            self._repair(receipt, checked)
        else:
            self._conclude("clean", receipt, checked)

    def _is_built_each_time(self, checked: Checked) -> bool:
        """Return whether the venv has a build of a local project, whose sources may have changed."""
        sources = [pin.source for pin in checked.expectation.pins]
        folders = any(one.kind == "directory" and not one.editable for one in sources)
        return folders or self._point.package.mode == "wheel"

    @property
    def _repairs(self) -> bool:
        return self._policy == "repair" and self._host.may_install()

    def _require_lock(self) -> None:
        self._locked = self._counting("lock", self._project.lock_findings(self._plan, (self._point,)))
        self._tell(self._locked)
        if broken := [one for one in self._locked if one.severity == "error"]:
            self._write("drift", (), None)
            shown = broken[0].path or self._plan.path or self._project.origin
            fixes = dict.fromkeys(one.fix for one in broken if one.fix)
            run = f"; fix: {next(iter(fixes))}" if fixes else ""
            raise NoxEnvsError(f"{shown} does not match {self._project.origin} ({count_kinds(broken)}){run}")

    def _unusable(self, receipt: Receipt | None) -> str:
        """Return why a venv must be recreated before it is looked at, empty if it need not."""
        location = self._host.location
        if receipt is None:
            return "" if is_untouched(location) else "its installation did not finish"
        if moved(receipt, location):
            return "it was installed at another path, which its scripts still name"
        changed = requirements_changed(self._project, self._plan, self._point, receipt)
        if changed and self._repairs:
            return "its requirements changed"
        self._locked += changed
        self._tell(changed)
        return ""

    def _check(self, receipt: Receipt | None, *, proving: bool = False) -> Checked:
        """Compare the venv with its lock; `proving` also asks what only an installation can have broken."""
        files = self._point.drift.files or "off"
        files = "changed" if proving and files == "off" else files
        checked = self._compared(receipt, files=files, consistency=proving)
        return replace(checked, findings=self._counting("venv", checked.findings))

    def _counting(self, link: str, found: Findings) -> Findings:
        counting, self._ignored[link] = self._project.apply(found, self._point.drift)
        return counting

    def _drifted(self, receipt: Receipt, checked: Checked) -> None:
        session, found = self._point.session, drift_in(checked.findings)
        cause = "the venv was changed after"
        if receipt.lock != self._project.lock_digest(self._plan):
            cause = f"{self._plan.path or 'its requirements'} changed since"
        self._host.warn(f"{session}: drift, {cause} it was installed: {count_kinds(found or self._locked)}")
        self._tell(checked.findings)
        if (repairable := _repairable(found)) and self._repairs:
            if why := needs_recreate(repairable, checked.expectation):
                self._rebuild(why)
            else:
                self._repair(receipt, checked)
            return
        self._found = checked.findings
        self._write("drift", checked.findings, checked)
        wrong = [one for one in (*self._locked, *found) if one.severity == "error"]
        if wrong and (self._policy == "fail" or self._repairs):
            fix = run_command(session, recreate=True)
            raise NoxEnvsError(f"drift: {count_kinds(wrong)}; to recreate the venv: {fix}")

    def _rebuild(self, why: str) -> None:
        if why and not self._host.may_install():
            raise NoxEnvsError(f"the venv must be recreated: {why}; run it without -R and --no-install")
        if why:
            self._host.say(f"{self._point.session}: recreating the venv: {why}")
            self._host.recreate()
        (self._host.location / FILE_NAME).unlink(missing_ok=True)
        before = fresh(take(self._host.location))
        self._install(self._check(None) if self._plan.path else None)
        receipt, checked = self._proved(before)
        if any(one.kind in DAMAGE for one in checked.findings):
            found = count_kinds(checked.findings)
            self._host.warn(f"{self._point.session}: installed with {found}; installing again")
            self._install(checked)
            receipt, checked = self._proved(before)
        self._conclude("clean", receipt, checked)

    def _repair(self, receipt: Receipt, checked: Checked) -> None:
        location = self._host.location
        before = evidence(location)
        (location / FILE_NAME).unlink(missing_ok=True)
        try:
            self._install(checked)
        except InstallFailed as error:
            if re.search("`RECORD`|failed to remove", str(error)):
                self._rebuild("uv cannot remove a package, because its RECORD or its folder is broken")
                return
            if before and before == evidence(location):
                write_receipt(location, receipt)  # uv changed nothing, so the venv is as it was
            raise
        installed, after = self._proved(receipt)
        repaired = _repairable(checked.findings)
        if left := _repairable(after.findings):
            self._rebuild(f"the repair left {left[0].kind} {left[0].package or left[0].path}")
        else:
            self._conclude("repaired" if repaired else "clean", installed, after, repaired)

    def _proved(self, before: Receipt) -> tuple[Receipt, Checked]:
        """Return the receipt of the venv as it is now, after the one of `before`, and what it is worth."""
        checked = self._compared(before)
        receipt = receipt_of(checked.snapshot, checked.expectation, before)
        return receipt, self._check(receipt, proving=True)

    def _install(self, checked: Checked | None) -> None:
        project, point, plan = self._project, self._point, self._plan
        if not checked:
            names = [one.name for one in plan.requirements if not one.url and not one.path]
            refuse_sourced(plan, project.composer.project.uv_settings, names)
        for line in project.outside_settings():
            self._host.warn(line)
        with tempfile.TemporaryDirectory(prefix="nox-envs-") as folder:
            real, run = Path(os.path.realpath(folder)), self._host.install
            uv = Uv(python=self._host.python, root=project.root, folder=real, plan=plan, run=run)
            if point.package.mode == "wheel":
                uv = replace(uv, wheel=project.wheel(point.python, partial(build_wheel, uv)))
            if checked:
                sync(uv, checked)
            else:
                locks = [lock for base in project.bases(plan) if (lock := project.lock_of(base))]
                layers = [pin for lock in locks for pin in lock.pins]
                install(uv, project.own(point), extras=point.package.extras, layers=layers)

    def _conclude(self, status: Status, receipt: Receipt, checked: Checked, repaired: Findings = ()) -> None:
        self._found = checked.findings
        self._tell(tuple(one for one in checked.findings if one.kind == "python" or one.severity != "note"))
        drifted = drift_in(checked.findings) or drift_in(self._locked)
        told = checked.findings or (() if drifted else repaired)
        report = self._write("drift" if drifted else status, told, checked)
        if errors := [one for one in checked.findings if one.severity == "error"]:
            shown = self._plan.path or self._project.origin
            raise NoxEnvsError(f"what was installed is not what {shown} says: {count_kinds(errors)}")
        self._host.say(summary_line(report))
        verdict, inputs = None, self._project.inputs_of(self._plan)
        compares = (self._point.drift.files or "off") != "off" or self._is_built_each_time(checked)
        if not (drifted or checked.findings or report.ignored or compares or inputs is None):
            # The next session need not check the same again.
            clean = replace(report, status="clean", findings=())
            verdict = CleanVerdict(
                inputs=tuple((path, digest(self._project.root / path)) for path in inputs),
                key=self._project.verdict_key(self._point, self._host.location),
                evidence=evidence(self._host.location),
                line=summary_line(clean),
                report=render(Report(environments=(clean,)), "json"),
            )
        lock, interpreter = self._project.lock_digest(self._plan), checked.snapshot.interpreter
        receipt = replace(receipt, lock=lock, interpreter=interpreter, verdict=verdict)
        if receipt != read_receipt(self._host.location):
            write_receipt(self._host.location, receipt)

    def _write(
        self, status: Status, findings: Findings, checked: Checked | None, reason: str = ""
    ) -> EnvironmentReport:
        found, ignored = (*self._locked, *findings), sum(self._ignored.values())
        report = environment_report(
            self._project, self._point, self._plan, checked, status, found, reason=reason, ignored=ignored
        )
        self._save(render(Report(environments=(report,)), "json"))
        return report

    def _tell(self, findings: Findings) -> None:
        for line in finding_lines(findings):
            self._host.warn(line)

    def after_commands(self) -> None:
        """Report what the commands of the session did to the venv."""
        checked, findings, reason = None, self._found, ""
        try:
            checked = self._check(read_receipt(self._host.location))
            findings = checked.findings
            new = tuple(one for one in drift_in(findings) if one not in self._found)
        except NoxEnvsError as error:
            reason = f"the commands broke their own venv: {error}"
            broken = finding("python", actual=str(error))
            new = (replace(broken, environment=self._point.environment, session=self._point.session),)
            findings = (*findings, *new)
        if new:
            self._write("drift", findings, checked, reason)
            what = f"the commands changed their own venv: {count_kinds(new)}"
            self._host.warn(f"{self._point.session}: {what}")
            self._tell(new)
            if self._policy == "fail":
                raise NoxEnvsError(what)


def _repairable(found: Findings) -> Findings:
    return tuple(one for one in drift_in(found) if one.kind not in _BEYOND_REPAIR)


def is_untouched(location: Path) -> bool:
    """Return whether a venv holds nothing but what its creator puts there."""
    try:
        snapshot = take(location)
    except NotAVenv:
        return False
    known = {one.name for one in snapshot.distributions}
    names = {name.partition(".")[0].partition("-")[0] for name in snapshot.names}
    return known <= SEEDS and names <= _CREATED
