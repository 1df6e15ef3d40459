"""Owns the regeneration of locks: several at once, each old file kept until its new one is whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.files import write_atomically
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Header, Lock, parse, render
from nox_envs.pins import redact
from nox_envs.resolvers import pip_report, read_pip_report, read_uv_output, request, uv_compile
from nox_envs.workflow.project import Project

Outcome: TypeAlias = Literal["unchanged", "written", "outdated", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """Hold how a process ended: its exit code and what it printed to both streams."""

    returncode: int
    output: str


class Processes(Protocol):
    """Say what locking needs of the program that runs processes."""

    uv: str

    def run(self, argv: tuple[str, ...]) -> Completed:
        """Run a process to its end; called from several threads."""

    def pip_python(self, python: str | None) -> str:
        """Return an interpreter that answers to `python` and has pip; NoxEnvsError if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Hold what happened to one package: versions before and after, empty for none."""

    package: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """Hold what became of one lock; `message` is the resolver's explanation of a failure."""

    path: str
    environments: tuple[str, ...]
    outcome: Outcome
    changes: tuple[Change, ...] = ()
    pins: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """Hold what the user asked of `nox -s lock`."""

    environments: tuple[str, ...] = ()
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    dry_run: bool = False


def lock(project: Project, asked: LockRequest, processes: Processes, *, jobs: int) -> Iterator[LockResult]:
    """Regenerate locks, `jobs` at a time, and yield a result for each as it ends.

    A lock that constrains another comes first. With `dry_run` nothing is written. Raises NoxEnvsError
    for an unknown environment and FileProblems for a spec that cannot be planned.
    """
    project.points_of(asked.environments)
    chosen = [
        plan
        for plan in project.plans()
        if not asked.environments
        or set(plan.environments) & set(asked.environments)
        or any(point.session in asked.environments for point in plan.points)
    ]
    relock = _Relock(project, asked, processes)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for wave in _waves(chosen):
            yield from pool.map(relock.one, wave)


def _waves(plans: list[LockPlan]) -> Iterator[list[LockPlan]]:
    """Yield plans in waves: none is constrained by the lock of a later one."""
    waiting = list(plans)
    while waiting:
        names = {name for plan in waiting for name in plan.environments}
        wave = [plan for plan in waiting if not names & set(plan.layers)]
        # The spec has no cycle of layers, but a broken promise must not become an endless loop.
        wave = wave or waiting
        yield wave
        waiting = [plan for plan in waiting if plan not in wave]


class _Relock:
    def __init__(self, project: Project, asked: LockRequest, processes: Processes) -> None:
        self._project = project
        self._asked = asked
        self._processes = processes
        self._root_url = project.root.as_uri() + "/"

    def one(self, plan: LockPlan) -> LockResult:
        """Resolve one plan and write its lock; a failure is a result, not an exception."""
        try:
            with tempfile.TemporaryDirectory(prefix="nox-envs-") as folder:
                made = self._resolve(plan, Path(folder))
            return self._write(plan, made)
        except NoxEnvsError as error:
            return LockResult(
                path=plan.path, environments=plan.environments, outcome="failed", message=str(error)
            )

    def _resolve(self, plan: LockPlan, folder: Path) -> Lock:
        layers = tuple(self._layer(name) for name in plan.layers)
        files = request(plan, root_url=self._root_url, layers=layers)
        for file in (*files.sources, *files.constraints, *files.build_constraints):
            write_atomically(folder / file.name, file.text)
        header = Header(
            environments=plan.environments, pythons=plan.pythons, resolver=plan.resolver, input=plan.digest
        )
        root = str(self._project.root)
        if not files.sources and plan.dynamic_extras is None:
            return Lock(origin=plan.path, header=header, pins=())
        if plan.resolver == "pip":
            python = self._processes.pip_python(plan.points[0].python)
            self._run(pip_report(python, plan, files, folder=str(folder), root=root), folder)
            report = (folder / "report.json").read_text(encoding="utf-8")
            made = read_pip_report(
                report, plan, origin=plan.path, project=self._project.composer.project_name
            )
            return replace(made, header=header)
        output = folder / "lock.txt"
        self._keep_pins(plan, output)
        asked = self._asked
        argv = uv_compile(
            self._processes.uv,
            plan,
            files,
            folder=str(folder),
            root=root,
            upgrade=asked.upgrade,
            upgrade_packages=asked.upgrade_packages,
        )
        self._run(argv, folder)
        made = read_uv_output(
            output.read_text(encoding="utf-8"), plan, files, origin=plan.path, root_url=self._root_url
        )
        return replace(made, header=header)

    def _layer(self, environment: str) -> Lock:
        for plan in self._project.plans_of(environment):
            file = self._project.root / plan.path
            if not file.is_file():
                raise NoxEnvsError(
                    f"{plan.path}: the lock it builds on is missing; nox -s lock -- {environment}"
                )
            return parse(file.read_text(encoding="utf-8"), origin=plan.path)
        raise NoxEnvsError(f"environment {environment!r} has no lock to build on")

    def _keep_pins(self, plan: LockPlan, output: Path) -> None:
        """Give the resolver the current lock, whose pins it prefers."""
        try:
            current = self._project.lock(plan.path)
        except FileProblems:
            return  # what cannot be read is no preference; the new lock replaces it
        if current is not None:
            write_atomically(output, render(replace(current, header=None)))

    def _run(self, argv: tuple[str, ...], folder: Path) -> None:
        completed = self._processes.run(argv)
        if completed.returncode:
            raise NoxEnvsError(self._readable(completed.output, folder))

    def _readable(self, output: str, folder: Path) -> str:
        return redact(output.replace(f"{folder}/", "").replace(self._root_url, "./").strip())

    def _write(self, plan: LockPlan, made: Lock) -> LockResult:
        text = render(made)
        file = self._project.root / plan.path
        before = _text_of(file)
        changes = _changes(before, made, plan.path)
        result = LockResult(
            path=plan.path,
            environments=plan.environments,
            outcome="unchanged" if text == before else "outdated" if self._asked.dry_run else "written",
            changes=changes,
            pins=len(made.pins),
        )
        if result.outcome == "written":
            write_atomically(file, text)
        return result


def _text_of(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _changes(before: str, made: Lock, path: str) -> tuple[Change, ...]:
    try:
        old = _versions(parse(before, origin=path))
    except FileProblems:
        old = {}
    new = _versions(made)
    return tuple(
        Change(package=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _versions(lock: Lock) -> dict[str, str]:
    versions: dict[str, list[str]] = {}
    for pin in lock.pins:
        versions.setdefault(pin.name, []).append(pin.version or pin.source.revision or pin.source.url)
    return {name: ", ".join(sorted(found)) for name, found in versions.items()}


def result_lines(result: LockResult) -> list[str]:
    """Return a result as lines for people: what became of the lock, then package by package."""
    pins = f"{result.pins} pin{'' if result.pins == 1 else 's'}"
    match result.outcome:
        case "failed":
            return [f"{result.path}: failed, the old file is as it was", *_indented(result.message)]
        case "unchanged":
            return [f"{result.path}: unchanged ({pins})"]
        case "outdated":
            head = f"{result.path}: would change ({pins})"
        case "written":
            head = f"{result.path}: written ({pins})"
    return [head, *(f"  {_change(change)}" for change in result.changes)]


def _change(change: Change) -> str:
    if not change.before:
        return f"+ {change.package} {change.after}"
    if not change.after:
        return f"- {change.package} {change.before}"
    return f"~ {change.package} {change.before} -> {change.after}"


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
