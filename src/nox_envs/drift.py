"""The verbs `check` and `drift`: every lock and venv compared with what it should be."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.errors import FileProblems, NoxEnvsError, Problem
from nox_envs.files import read_text
from nox_envs.findings import FilesMode, Finding, Findings, count_kinds, drift_in, finding, run_command
from nox_envs.project import Project
from nox_envs.report.json import read_report
from nox_envs.report.report import EnvironmentReport, Report, Status, counted
from nox_envs.values import replace
from nox_envs.venv.receipt import Receipt, read_receipt
from nox_envs.venv.snapshot import NotAVenv

if TYPE_CHECKING:
    from nox_envs.lock.plan import LockPlan
    from nox_envs.spec.types import Point
    from nox_envs.venv.compare import Checked


def check_locks(project: Project, names: tuple[str, ...] = ()) -> tuple[Report, str]:
    """Check the locks of the selected environments (default: all) at every point, and say how in a line.

    The path of a finding names the locks that have it, each with its session, or its environments if it is
    for several. Without names, requirement sets that nothing uses and locks that nothing declares are checked
    too. Raises NoxEnvsError for an unknown name, FileProblems where two locks are one file.
    """
    rows, points = project.select_rows(names), project.select(names)
    chosen = {row.session for row in rows}
    places: dict[Finding, list[str]] = {}
    problems: list[Problem] = []
    for plan in project.plans:
        if any(point.session in chosen for point in plan.points):
            try:
                found = project.lock_findings(plan)
            except FileProblems as error:
                problems += error.problems
                continue
            files = plan.path if plan.managed else ", ".join(plan.files)
            whole = [plan.points[0].session] if len(plan.points) == 1 else plan.environments
            for one in project.apply(found, plan.points[0].drift)[0]:
                where = f"{one.path or files} ({', '.join(whole)})"
                places.setdefault(replace(one, environment="", session="", path=""), []).append(where)
    findings = [replace(one, path=", ".join(where)) for one, where in places.items()]
    if names:
        broken = [project.broken[session] for session in chosen & project.broken.keys()]
        problems += [one for error in broken for one in error.problems]
    else:
        problems += project.composer.problems(points)
        findings += project.apply(orphans(project), project.spec.drift)[0]
    environments = counted(len({row.environment for row in rows}), "environment")
    state = f"; locks: {count_kinds(findings)}" if findings else ": valid, and every lock matches"
    summary = f"{project.origin}: {environments}, {counted(len(rows), 'session')}{state}"
    told = str(FileProblems(problems)).split("\n") if problems else ()
    return Report(environments=(), findings=tuple(findings), problems=tuple(told)), summary


def orphans(project: Project, declared: Collection[str] = ()) -> Findings:
    """Return a finding for each lock of ours, beside the declared ones, that nothing declares.

    `declared` are the files of all locks, where they are known without planning.
    """
    root, known = project.root, {*declared} or {path for plan in project.plans for path in plan.files}
    # Where the locks of an environment are is not known as long as its requirements cannot be read.
    unplanned = {row.environment for row in project.rows if row.session in project.broken}
    folders = {root, root / "requirements", *((root / path).parent for path in known)}
    files = {file.relative_to(root).as_posix(): file for folder in folders for file in folder.glob("*.t*")}
    found: list[Finding] = []
    for path in sorted(files.keys() - known):
        from nox_envs.lock.text import read_header  # most projects have no other file beside their locks

        header = read_header(_text(files[path])) if path.endswith((".txt", ".toml")) else ()
        names = {*dict(header).get("environment", "").split(", ")} - {""}
        above = [folder for folder in files[path].parents if folder.is_relative_to(root)]
        # Another spec, beside a lock or above it, may declare one of its environments.
        specs = [one for folder in above for one in folder.glob("*.y*ml") if one != root / project.origin]
        theirs = rf"(?ms)^environments:.*\b(?:{'|'.join(map(re.escape, names))})\b"
        if names and not names & unplanned and not any(re.search(theirs, _text(one)) for one in specs):
            fix, expected = f"git rm {shlex.quote(path)}", "an environment that declares it"
            found.append(finding("lock-orphaned", expected=expected, actual=path, path=path, fix=fix))
    return tuple(found)


def _text(file: Path) -> str:
    try:
        return read_text(file, shown=file.name)
    except FileProblems:
        return ""


def environment_report(
    project: Project,
    point: Point,
    plan: LockPlan | None,
    checked: Checked | None,
    status: Status,
    findings: Findings = (),
    *,
    reason: str = "",
    ignored: int = 0,
) -> EnvironmentReport:
    """Return the report on one point; `plan` and `checked` are None where they are not known."""
    installed = checked.snapshot.distributions if checked else ()
    receipt = checked.expectation.receipt if checked else None
    seeds = {one.name for one in receipt.distributions if one.seed} if receipt else set()
    return EnvironmentReport(
        environment=point.environment,
        session=point.session,
        python=checked.snapshot.interpreter.version if checked else point.python or "",
        lock=plan.path if plan else "",
        location=project.shown(project.location(point.session)),
        status=status,
        reason=reason,
        installed=sum(one.name not in seeds for one in installed),
        findings=findings,
        distributions=tuple((one.name, one.version) for one in installed),
        platform=f"{project.host['sys_platform']}-{project.host['platform_machine']}" if checked else "",
        ignored=ignored,
    )


def requirements_changed(project: Project, plan: LockPlan, point: Point, receipt: Receipt) -> Findings:
    """Return the finding that an environment without a lock was installed for other requirements."""
    if plan.path or receipt.lock == project.lock_digest(plan):
        return ()
    expected, actual = "an installation of its requirements as they are now", "one of other requirements"
    fix, line = run_command(point.session), str(point.place)
    found = finding("lock-stale", expected=expected, actual=actual, line=line, fix=fix)
    return (replace(found, environment=point.environment, session=point.session),)


def check_drift(
    project: Project,
    names: tuple[str, ...] = (),
    *,
    files: FilesMode | None = None,
    otherwise: FilesMode = "off",
) -> Report:
    """Check the locks and venvs of the selected environments (default: all).

    `files` says which installed files are compared with their RECORD (None: what the spec says, or
    `otherwise`). What cannot be read of one environment is a problem of the report. Raises NoxEnvsError for
    an unknown name, FileProblems for a spec that cannot be read.
    """
    environments: list[EnvironmentReport] = []
    problems: dict[str, None] = {}
    read: set[str] | None = set()  # the files behind the last verdicts, None once one no longer holds
    for row in project.select_rows(names):
        point = project.point(row)
        mode = files or point.drift.files or otherwise
        verdict = project.recall(point, project.location(row.session)) if mode == "off" else None
        if verdict:
            environments += read_report(verdict.report, origin=row.session).environments
            read = read if read is None else read.union(path for path, _ in verdict.inputs)
            continue
        read = None
        try:
            environments.append(_environment(project, point, mode))
        except NoxEnvsError as error:
            problems.update(dict.fromkeys(str(error).split("\n")))
            reason = "its requirements, its lock or its venv cannot be read"
            environments.append(environment_report(project, point, None, None, "skipped", reason=reason))
    report = Report(environments=tuple(environments), problems=tuple(problems))
    if names:
        return report
    found = orphans(project, read or ())
    return replace(report, findings=project.apply(found, project.spec.drift)[0]) if found else report


def _environment(project: Project, point: Point, files: FilesMode) -> EnvironmentReport:
    location, plan = project.location(point.session), project.plan_of(point)
    found, checked, reason = project.lock_findings(plan, (point,)), None, ""
    receipt = read_receipt(location)
    run = f"run: {run_command(point.session)}"
    if any(one.kind == "lock-missing" for one in found):
        reason = "without its lock there is nothing to compare with"
    elif not location.is_dir():
        reason = f"not built; {run}"
    elif receipt is None:
        reason = f"it has no receipt, its installation did not finish; {run}"
    else:
        try:
            found += requirements_changed(project, plan, point, receipt)
            from nox_envs.verify import check_venv  # only where there is something to check

            checked = check_venv(project, point, plan, location, receipt, files=files, consistency=True)
            found += checked.findings
        except NotAVenv as error:
            broken = finding("python", actual=str(error), fix=run_command(point.session))
            found += (replace(broken, environment=point.environment, session=point.session),)
    counting, ignored = project.apply(found, point.drift)
    status: Status = "drift" if drift_in(counting) else "skipped" if reason else "clean"
    return environment_report(project, point, plan, checked, status, counting, reason=reason, ignored=ignored)
