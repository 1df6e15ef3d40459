"""Owns the regeneration of locks: several at once, each old file kept until its new one is whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.files import read_text, write_atomically
from nox_envs.lockfile.freshness import unrecorded
from nox_envs.lockfile.plan import LockPlan, layer_of
from nox_envs.lockfile.text import Header, Lock, parse, render
from nox_envs.pins import Pin, canonical_name, redact
from nox_envs.report.as_text import printable
from nox_envs.resolvers import (
    Request,
    pin_lines,
    pip_report,
    read_pip_report,
    read_uv_output,
    request,
    uv_compile,
)
from nox_envs.values import replace, value
from nox_envs.workflow.project import Project

Outcome: TypeAlias = Literal["unchanged", "written", "outdated", "failed"]


@value
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


@value
class Change:
    """Hold what happened to one package: versions before and after, empty for none."""

    package: str
    before: str
    after: str


@value
class LockResult:
    """Hold what became of one lock; `message` is the resolver's explanation of a failure."""

    path: str
    environments: tuple[str, ...]
    outcome: Outcome
    changes: tuple[Change, ...] = ()
    pins: int = 0
    message: str = ""


@value
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
        self._root = str(project.root)
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
        layers = tuple(self._layer(plan, name) for name in plan.layers)
        files = request(plan, root_url=self._root_url, layers=layers)
        for file in files.files:
            write_atomically(folder / file.name, file.text)
        if not files.sources and plan.dynamic_extras is None:
            made = Lock(origin=plan.path, header=None, pins=())
        elif plan.resolver == "pip":
            made = self._with_pip(plan, files, folder)
        else:
            made = self._with_uv(plan, files, folder)
        header = Header(
            environments=plan.environments,
            pythons=plan.pythons,
            resolver=plan.resolver,
            input=plan.digest,
            omitted=unrecorded(plan, made),
        )
        return replace(made, header=header)

    def _with_uv(self, plan: LockPlan, files: Request, folder: Path) -> Lock:
        output = folder / "lock.txt"
        # uv prefers the pins that stand in its output file.
        write_atomically(output, pin_lines(self._current(plan)))
        argv = uv_compile(
            self._processes.uv,
            plan,
            files,
            folder=str(folder),
            root=self._root,
            upgrade=self._asked.upgrade,
            upgrade_packages=self._asked.upgrade_packages,
        )
        self._run(argv, files, folder)
        text = read_text(output, shown=f"{plan.path} (from uv)")
        return read_uv_output(text, plan, files, origin=plan.path, root_url=self._root_url)

    def _with_pip(self, plan: LockPlan, files: Request, folder: Path) -> Lock:
        python = self._processes.pip_python(plan.points[0].python)
        kept = () if self._asked.upgrade else self._current(plan)
        upgraded = {canonical_name(name.partition("==")[0]) for name in self._asked.upgrade_packages}
        write_atomically(folder / "kept.txt", pin_lines(tuple(p for p in kept if p.name not in upgraded)))
        # pip has no preferences: what cannot be kept as it is gets resolved without the old pins.
        keeping, free = (
            pip_report(python, plan, files, folder=str(folder), root=self._root, kept=name)
            for name in ("kept.txt", "")
        )
        if not kept or self._processes.run(keeping).returncode:
            self._run(free, files, folder)
        text = read_text(folder / "report.json", shown=f"{plan.path} (from pip)")
        name = self._project.composer.project_name
        return read_pip_report(text, plan, origin=plan.path, project=name, root_url=self._root_url)

    def _layer(self, plan: LockPlan, environment: str) -> Lock:
        base = layer_of(plan, self._project.plans_of(environment))
        if base is None:
            raise NoxEnvsError(f"environment {environment!r} has no lock to build on")
        file = self._project.root / base.path
        if not file.is_file():
            raise NoxEnvsError(f"{base.path}: the lock to build on is missing; nox -s lock -- {environment}")
        return parse(read_text(file, shown=base.path), origin=base.path)

    def _current(self, plan: LockPlan) -> tuple[Pin, ...]:
        """Return the pins to prefer; what cannot be read is no preference, the new lock replaces it."""
        try:
            pins = parse(_text_of(self._project.root / plan.path), origin=plan.path).pins
        except FileProblems:
            return ()
        return tuple(pin for pin in pins if pin.source.kind == "index")

    def _run(self, argv: tuple[str, ...], files: Request, folder: Path) -> None:
        completed = self._processes.run(argv)
        if completed.returncode:
            raise NoxEnvsError(self._readable(completed.output, files, folder))

    def _readable(self, output: str, files: Request, folder: Path) -> str:
        """Return what a resolver said, with the names that people know instead of temporary ones."""
        for file in files.files:
            output = output.replace(f"{folder}{os.sep}{file.name}", file.label).replace(file.name, file.label)
        return redact(output.replace(self._root_url, "./").strip()) or "the resolver failed and said nothing"

    def _write(self, plan: LockPlan, made: Lock) -> LockResult:
        text = render(made)
        file = self._project.root / plan.path
        before = _text_of(file)
        result = LockResult(
            path=plan.path,
            environments=plan.environments,
            outcome="unchanged" if text == before else "outdated" if self._asked.dry_run else "written",
            changes=_changes(before, made, plan.path),
            pins=len(made.pins),
        )
        if result.outcome == "written":
            write_atomically(file, text)
        return result


def _text_of(file: Path) -> str:
    try:
        return read_text(file, shown=str(file))
    except FileProblems:
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
    if result.outcome == "failed":
        return [f"{result.path}: failed, the old file is as it was", *_indented(result.message)]
    if result.outcome == "unchanged":
        return [f"{result.path}: unchanged ({pins})"]
    became = "would change" if result.outcome == "outdated" else "written"
    return [f"{result.path}: {became} ({pins})", *(f"  {_change(change)}" for change in result.changes)]


def _change(change: Change) -> str:
    if not change.before:
        return f"+ {change.package} {change.after}"
    if not change.after:
        return f"- {change.package} {change.before}"
    return f"~ {change.package} {change.before} -> {change.after}"


def _indented(text: str) -> list[str]:
    return [f"  {printable(line)}" for line in text.splitlines()]
