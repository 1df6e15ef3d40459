"""Owns what a check of one venv says beyond its lock: files, startup hooks, requirements among themselves."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from nox_envs.drift import Expectation, Finding, run_command
from nox_envs.drift.comparison import worst_first
from nox_envs.integrity import stamps as stamp_file
from nox_envs.integrity.startup import startup_findings
from nox_envs.integrity.types import Depth, Stamp
from nox_envs.lockfile.plan import LockPlan
from nox_envs.matrix import Point
from nox_envs.receipt import Receipt
from nox_envs.snapshot import Snapshot
from nox_envs.values import replace, value
from nox_envs.workflow.project import Project

# A package that is not the one expected is not held to the files and requirements of that one.
_REPLACED = frozenset({"version", "source", "revision", "artifact", "duplicate"})
_OTHERWISE = frozenset({*_REPLACED, "missing", "extraneous", "python"})


@value
class Soundness:
    """Hold the findings of a check that went deeper than the lock, all of them, and stamps of files."""

    findings: tuple[Finding, ...]
    stamps: tuple[Stamp, ...] = ()


class Sounding:
    """Look deeper into the venv of one point; `requested_by` of its findings is filled in by the caller."""

    def __init__(
        self, project: Project, plan: LockPlan, point: Point, expectation: Expectation, snapshot: Snapshot
    ) -> None:
        self._project = project
        self._plan = plan
        self._point = point
        self._expectation = expectation
        self._snapshot = snapshot

    def sound(self, known: tuple[Finding, ...], receipt: Receipt | None, depth: Depth) -> Soundness:
        """Return the findings that are known already with those of a look of the given depth.

        What follows from a finding that is known is left out: its repair mends both.
        """
        kinds: dict[str, set[str]] = {}
        for finding in known:
            if finding.severity != "note":
                kinds.setdefault(finding.package, set()).add(finding.kind)
        found = startup_findings(self._snapshot, receipt) if receipt else ()
        stamps: tuple[Stamp, ...] = ()
        if depth.files != "off":
            files, stamps = self._files(receipt, depth)
            found += tuple(
                f for f in files if not (_of_record(f) and kinds.get(f.package, set()) & _REPLACED)
            )
        if depth.consistency:
            found += self._unmet(kinds)
        new = {(f.kind, f.path, f.package, f.expected): self._finished(f) for f in found}
        return Soundness(findings=worst_first((*known, *new.values())), stamps=stamps)

    def _files(self, receipt: Receipt | None, depth: Depth) -> tuple[tuple[Finding, ...], tuple[Stamp, ...]]:
        from nox_envs.integrity.verification import verify

        verified = verify(
            self._snapshot,
            receipt,
            mode=depth.files,
            stamps=stamp_file.read(Path(self._snapshot.location)),
            stamping=depth.stamping,
            installed=depth.installed,
            threads=os.cpu_count() or 1,
            told=depth.told,
        )
        return verified.findings, verified.stamps

    def _unmet(self, kinds: dict[str, set[str]]) -> tuple[Finding, ...]:
        from nox_envs.integrity.consistency import unmet_requirements

        extras = tuple((pin.name, pin.extras) for pin in self._expectation.pins if pin.extras)
        if self._expectation.project is not None:
            extras += ((self._expectation.project.name, self._point.package.extras),)
        return tuple(
            unmet.finding
            for unmet in unmet_requirements(self._snapshot, self._project.host, extras=extras)
            if not (kinds.get(unmet.package, set()) | kinds.get(unmet.needs, set())) & _OTHERWISE
        )

    def _finished(self, finding: Finding) -> Finding:
        lock = self._expectation.lock
        pins = [pin for pin in self._expectation.pins if pin.name == finding.package]
        return replace(
            finding,
            environment=self._point.environment,
            session=self._point.session,
            line=f"{pins[0].origin or lock}:{pins[0].line}" if lock and pins and pins[0].line else "",
            fix=self._fix(finding),
        )

    def _fix(self, finding: Finding) -> str:
        match finding.kind:
            case "unowned":
                return f"delete it, or ignore its path in {self._project.origin}"
            case "inconsistent":
                if self._plan.foreign:
                    return f"make {', '.join(self._plan.files)} again with the tool that makes it"
                if not self._plan.path:
                    return f"nox --reuse-venv=never -s {shlex.quote(self._point.session)}"
                return f"nox -s lock -- {' '.join(self._plan.environments)}"
            case "clobbered":
                # Which of the two packages has to go is for people to say.
                return f"require one of both only, or ignore the path in {self._project.origin}"
        return "" if finding.severity == "note" else run_command(self._point.session)


def _of_record(finding: Finding) -> bool:
    """Tell whether a finding is that a RECORD is not the one of the installation."""
    return finding.kind == "artifact" or finding.path.endswith(f"{os.sep}RECORD")
