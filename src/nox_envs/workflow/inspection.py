"""Owns the read-only verbs on all environments: drift, freeze, activate; starts no process."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from nox_envs import receipt as receipts
from nox_envs.drift import KINDS, Finding, run_command
from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.integrity.types import Depth, FilesMode
from nox_envs.lockfile.plan import platform_problems
from nox_envs.lockfile.text import read_header
from nox_envs.matrix import Point
from nox_envs.policy import FILE_KINDS, INDEX_KINDS, fails, idle_rules, judge
from nox_envs.report import EnvironmentReport, Report, Status
from nox_envs.report.as_text import count_kinds
from nox_envs.snapshot import NotAVenv, Snapshot, take
from nox_envs.spec.types import IgnoreRule
from nox_envs.values import value
from nox_envs.workflow.expectation import Checked, advised, check_venv, environment_report, lock_findings
from nox_envs.workflow.project import Project


def inspect(
    project: Project,
    names: tuple[str, ...] = (),
    *,
    files: FilesMode | None = None,
    otherwise: FilesMode = "off",
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Check the locks and venvs of the named environments (default: all); write nothing.

    `files` says which installed files are compared with their RECORD (None: what the spec says, or
    `otherwise`); `told` gets the bytes read so far in one environment and those of all its files.

    Raises NoxEnvsError for an unknown name, FileProblems for a spec or lock that cannot be read.
    """
    points = project.points_of(names)
    used: list[IgnoreRule] = []
    modes = [files or point.drift.files or otherwise for point in points]
    environments = tuple(
        _inspect_point(project, point, used, Depth(files=mode, consistency=True, told=told))
        for point, mode in zip(points, modes, strict=True)
    )
    if names:
        return Report(environments=environments)
    judged = judge(orphans(project), project.spec.drift, today=project.today, shown=project.shown_path)
    skipped = [p for p, e in zip(points, environments, strict=True) if e.status == "skipped"]
    notes = idle_rules(
        (*project.spec.drift.ignore, *(rule for point in points for rule in point.drift.ignore)),
        (*used, *judged.used, *(rule for point in skipped for rule in point.drift.ignore)),
        today=project.today,
        unchecked=INDEX_KINDS | (FILE_KINDS if "off" in modes else frozenset()),
    )
    return Report(environments=environments, findings=judged.findings, notes=notes)


def _inspect_point(project: Project, point: Point, used: list[IgnoreRule], depth: Depth) -> EnvironmentReport:
    """Check one point; the ignore rules that matched are added to `used`."""
    plan = project.plan_of(point)
    findings = lock_findings(project, plan, point)
    location = project.location(point)
    checked: Checked | None = None
    reason = ""
    receipt = receipts.read(location)
    if any(finding.kind == "lock-missing" for finding in findings):
        reason = "without its lock there is nothing to compare with"
    elif not location.is_dir():
        reason = f"not built; {run_command(point.session)}"
    elif receipt is None:
        reason = f"no receipt, it was not finished; {run_command(point.session)}"
    else:
        try:
            checked = check_venv(project, plan, point, location, receipt, depth)
            findings = (*findings, *advised(checked.findings, point))
        except NotAVenv as error:
            reason = f"{error}; {run_command(point.session)}"
    judged = judge(findings, point.drift, today=project.today, shown=project.shown_path)
    used += judged.used
    status = status_of(judged.findings, reason)
    ignored = len(judged.ignored)
    return environment_report(project, point, plan, checked, status, judged.findings, reason, ignored=ignored)


def status_of(findings: tuple[Finding, ...], reason: str) -> Status:
    """Return the status of a point with these findings, which `reason` (if any) kept from being checked."""
    if any(finding.severity != "note" for finding in findings):
        return "drift"
    return "skipped" if reason else "clean"


@value
class Verdict:
    """Hold the exit code of a check (0 clean, 1 drift, 2 could not check) and the reason, if any."""

    code: int
    reason: str = ""


def verdict(report: Report, *, strict: bool, fail_on: tuple[str, ...] = ("error",)) -> Verdict:
    """Judge a report; `strict` counts an environment that was not checked as a failure.

    `fail_on` are severities and kinds; see `nox_envs.policy.fails`. A report that could not be read
    outweighs drift: nobody knows what is in it.
    """
    if report.problems:
        return Verdict(code=2, reason=f"{len(report.problems)} could not be read")
    failing = [finding for finding in report.present if fails(finding, fail_on)]
    if failing:
        return Verdict(code=1, reason=f"drift: {count_kinds(failing)}")
    skipped = [environment.session for environment in report.environments if environment.status == "skipped"]
    if skipped and strict:
        return Verdict(code=2, reason=f"not checked: {', '.join(skipped)}")
    return Verdict(code=0)


def stale_locks(project: Project, names: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    """Return what is wrong with the locks of the named environments (default: all) at every point.

    Raises NoxEnvsError for an unknown name, and FileProblems with every problem of the requirement
    sets, files and platforms of these environments.
    """
    points = project.points_of(names)
    if problems := (*platform_problems(points), *project.composer.problems(points)):
        raise FileProblems(problems)
    project.plans()
    found: dict[str, tuple[Finding, ...]] = {}
    for point in points:
        plan = project.plan_of(point)
        # Many plans may read one lock that others made; each asks for something else.
        key = plan.points[0].session if plan.foreign else plan.path
        if plan.path and key not in found:
            findings = lock_findings(project, plan, point, whole=True)
            found[key] = judge(findings, point.drift, today=project.today).findings
    return tuple(finding for findings in found.values() for finding in findings)


def orphans(project: Project) -> tuple[Finding, ...]:
    """Return a finding for each lock of ours, beside the declared ones, that nothing declares."""
    declared = {path for plan in project.plans() for path in plan.files}
    folders = {project.root / path for path in (*(str(Path(path).parent) for path in declared), *_FOLDERS)}
    files = {file for folder in folders for pattern in _LOCKS for file in folder.glob(pattern)}
    paths = (file.relative_to(project.root).as_posix() for file in sorted(files) if _is_ours(file))
    return tuple(_orphan(path) for path in paths if path not in declared)


# Where locks are unless a spec says otherwise.
_FOLDERS = ("requirements", "")
_LOCKS = ("*.txt", "pylock.*.toml")


def _is_ours(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        head = stream.read(8000).decode("utf-8", "replace")
    return read_header([line for line in head.splitlines() if line.startswith("#")]) is not None


def _orphan(path: str) -> Finding:
    return Finding(
        kind="lock-orphaned",
        severity=KINDS["lock-orphaned"],
        environment="",
        session="",
        expected="an environment that declares it",
        actual=path,
        path=path,
        fix=f"git rm {shlex.quote(path)}",
    )


def snapshot_of(project: Project, name: str) -> Snapshot:
    """Return what is installed in the venv of an environment or single session.

    Raises NoxEnvsError if the name is unknown, is not one venv, or its venv is not built.
    """
    return take(built(project, name))


def asked_for(project: Project, name: str) -> frozenset[str]:
    """Return the canonical names that an environment's lock pins, or without one its requirements."""
    plan = project.plan_of(project.points_of((name,))[0])
    lock = project.lock_of(plan) if plan.path else None
    return frozenset(one.name for one in (lock.pins if lock else plan.requirements))


def built(project: Project, name: str) -> Path:
    """Return the venv that `name` means, which exists."""
    points = project.points_of((name,))
    if len(points) > 1:
        sessions = ", ".join(repr(point.session) for point in points)
        raise NoxEnvsError(f"{name!r} has several venvs; name one of {sessions}")
    location = project.location(points[0])
    if not location.is_dir():
        raise NoxEnvsError(f"{name!r} is not built; {run_command(points[0].session)}")
    return location


_SCRIPTS = {
    **dict.fromkeys(("sh", "bash", "zsh", "ksh", "dash", "ash"), (". {}", "activate")),
    "fish": ("source {}", "activate.fish"),
    "csh": ("source {}", "activate.csh"),
    "tcsh": ("source {}", "activate.csh"),
    "nu": ("overlay use {}", "activate.nu"),
    "pwsh": ("& {}", "activate.ps1"),
    "powershell": ("& {}", "activate.ps1"),
    "cmd": ("{}", "activate.bat"),
}


def activation(location: Path, shell: str) -> str:
    """Return the line that activates the venv at `location`; `shell` is a name or path of a shell.

    Raises NoxEnvsError for a shell that is not known, or that this venv has no script for.
    """
    name = Path(shell).name.removesuffix(".exe")
    if name not in _SCRIPTS:
        raise NoxEnvsError(
            f"no activation is known for the shell {name!r}; --shell takes {', '.join(_SCRIPTS)}"
        )
    template, wanted = _SCRIPTS[name]
    for folder in ("bin", "Scripts"):
        for script in sorted((location / folder).glob("[aA]ctivate*")):
            if script.name.lower() == wanted:
                return template.format(_quoted(str(script), name))
    raise NoxEnvsError(f"{location} has no script {wanted!r} for the shell {name!r}")


def _quoted(path: str, shell: str) -> str:
    if shell == "cmd":
        return f'"{path}"'
    if shell in ("pwsh", "powershell"):
        return "'" + path.replace("'", "''") + "'"
    return shlex.quote(path)
