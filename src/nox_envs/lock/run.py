"""Many locks: their order, writing them side by side, and what changed."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

from nox_envs.errors import FileProblems, NoxEnvsError, did_you_mean
from nox_envs.files import read_text, write_atomically
from nox_envs.findings import Finding, finding, lock_command
from nox_envs.lock.pins import Pin
from nox_envs.lock.plan import LockPlan
from nox_envs.lock.resolve import Job, Resolved, Tools, resolve
from nox_envs.lock.text import Lock, parse_lock, read_header, render_lock
from nox_envs.processes import end_all
from nox_envs.terminal import Told, printable
from nox_envs.values import replace, value

Outcome: TypeAlias = Literal["written", "unchanged", "would-change", "failed", "left"]


@value
class LockRun:
    """What to lock, `jobs` at a time, and with what.

    `bases` returns the plans whose locks constrain a plan, in the order of its layers; `lock_of` its lock on
    disk; `replan` the plan composed again, after what it builds on was written; none of them is called twice
    at a time.
    """

    plans: tuple[LockPlan, ...]
    tools: Tools
    bases: Callable[[LockPlan], tuple[LockPlan, ...]]
    lock_of: Callable[[LockPlan], Lock | None]
    replan: Callable[[LockPlan], LockPlan]
    dry_run: bool = False
    jobs: int = 8


@value
class LockResult:
    """What became of one lock, in one line, and the changes, or why it failed."""

    plan: LockPlan
    outcome: Outcome
    summary: str
    lines: tuple[str, ...] = ()


# The locks of a run that are done; None for one that failed.
_Made: TypeAlias = dict[str, Lock | None]


def lock_all(run: LockRun, told: Told) -> Iterator[LockResult]:
    """Regenerate locks side by side, each after those that it builds on, and yield results as they come.

    Raises NoxEnvsError for an unknown package to upgrade, and for locks that build on each other.
    """
    managed = {plan.path: plan for plan in run.plans if plan.managed}
    _check_upgrade(run, managed.values())
    sorter = TopologicalSorter({path: _below(run, plan) & managed.keys() for path, plan in managed.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        paths = ", ".join(sorted({*error.args[1]}))
        raise NoxEnvsError(f"these locks build on each other: {paths}") from None
    for plan in run.plans:
        if not plan.managed:
            summary = f"not managed; regenerate it with {plan.command or 'the tool that wrote it'}"
            yield LockResult(plan=plan, outcome="left", summary=summary)
    made, guard = _Made(), threading.Lock()
    running: dict[Future[LockResult], str] = {}
    with ThreadPoolExecutor(max_workers=run.jobs) as pool:
        try:
            while sorter.is_active():
                for path in sorter.get_ready():
                    running[pool.submit(_lock, run, managed[path], made, guard)] = path
                told(len(made), len(managed), ", ".join(running.values()))
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    sorter.done(running.pop(future))
                    yield future.result()
        except BaseException:
            end_all()
            pool.shutdown(cancel_futures=True)
            raise
    told(len(managed), len(managed), "")


def _check_upgrade(run: LockRun, plans: Iterable[LockPlan]) -> None:
    """Raise NoxEnvsError for a package to upgrade that no lock has."""
    known: set[str] = set()
    for plan in plans if run.tools.packages else ():
        known |= {declared.name for declared in plan.requirements}
        with contextlib.suppress(FileProblems):
            known |= {pin.name for lock in [run.lock_of(plan)] if lock for pin in lock.pins}
    for name in sorted(run.tools.upgraded - known):
        hint = did_you_mean(name, known) or "nox-envs freeze lists them"
        raise NoxEnvsError(f"--upgrade-package: no lock has {name!r} ({hint})")


def _below(run: LockRun, plan: LockPlan) -> set[str]:
    """Return the paths of the locks that a plan builds on: its layers, and files that it reads."""
    read = {other.path for other in run.plans if {*other.files} & {*plan.sources}}
    return read | {base.path for base in run.bases(plan)}


def _lock(run: LockRun, plan: LockPlan, made: _Made, guard: threading.Lock) -> LockResult:
    """Resolve a plan and write its lock; a failure is a result."""
    try:
        with TemporaryDirectory(prefix="nox-envs-") as folder:
            with guard:  # what a run calls keeps what it read, and knows no threads
                job = _job(run, plan, made, Path(folder).resolve())
            found = resolve(job)
        result = _write(run, job, found)
        made[plan.path] = parse_lock(render_lock(found.lock), plan.path)
        return result
    except NoxEnvsError as error:
        made[plan.path] = None
        summary, lines = "failed, nothing is written", tuple(str(error).splitlines())
        return LockResult(plan=plan, outcome="failed", summary=summary, lines=lines)


def _job(run: LockRun, plan: LockPlan, made: _Made, folder: Path) -> Job:
    below = _below(run, plan) & made.keys()
    if failed := sorted(path for path in below if made[path] is None):
        raise NoxEnvsError(f"it builds on {', '.join(failed)}, which failed")
    plan = run.replan(plan) if below else plan
    bases, layers = run.bases(plan), list[Lock]()
    if len(bases) < len(plan.layers):
        raise NoxEnvsError(f"it builds on {', '.join(plan.layers)}, but not all of them have a lock")
    for base in bases:
        lock = made.get(base.path) or run.lock_of(base)
        if lock is None:
            command = lock_command(base.environments)
            raise NoxEnvsError(f"it builds on {base.path}, which is missing; run: {command}")
        layers.append(lock)
    job = Job(plan=plan, tools=run.tools, folder=folder, layers=tuple(layers))
    try:
        old = run.lock_of(plan)
    except FileProblems:
        if not run.tools.upgrade:  # its pins must not be lost without a word
            raise
        old = None
    return replace(job, kept=old.pins) if old else job


def _write(run: LockRun, job: Job, found: Resolved) -> LockResult:
    plan = job.plan
    texts = {plan.path: render_lock(found.lock), **({plan.pylock: found.pylock} if plan.pylock else {})}
    different = [path for path, text in texts.items() if _text(run.tools.root / path) != text]
    for path in different if not run.dry_run else ():
        target = run.tools.root / path
        if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(run.tools.root)):
            raise NoxEnvsError("a link leads out of the project; replace it by a file or folder")
        write_atomically(target, texts[path])
    before, after = _versions(job.kept), _versions(found.lock.pins)
    counts = {"added": 0, "removed": 0, "changed": 0, "kept": 0}
    lines: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, ""), after.get(name, "")
        kind = "kept" if old == new else "changed" if old and new else "added" if new else "removed"
        counts[kind] += 1
        if old and new:
            lines += [f"~ {name} {old} -> {new}"] if old != new else []
        else:
            lines.append(f"{'+' if new else '-'} {name} {new or old}")
    outcome: Outcome = "unchanged" if not different else "would-change" if run.dry_run else "written"
    counted = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "no packages"
    lines += [f"warning: {warning}" for warning in found.warnings]
    summary = f"{outcome.replace('-', ' ')}: {counted}"
    return LockResult(plan=plan, outcome=outcome, summary=summary, lines=tuple(lines))


def _versions(pins: Iterable[Pin]) -> dict[str, str]:
    versions: dict[str, set[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, set()).add(pin.version or pin.source.revision or pin.source.url)
    return {name: ", ".join(sorted(found)) for name, found in versions.items()}


def _text(path: Path) -> str:
    try:
        return read_text(path, shown=str(path))
    except FileProblems:
        return ""


def closing_lines(results: Iterable[LockResult]) -> list[str]:
    """Return what a run says at its end: each result by path, failures last."""
    lines: list[str] = []
    for result in sorted(results, key=lambda one: (one.outcome == "failed", one.plan.path)):
        names, files = ", ".join(result.plan.environments), " and ".join(result.plan.files)
        lines.append(f"{names} ({files}): {result.summary}")
        lines += [f"  {printable(line)}" for line in result.lines]
    return lines


def orphans(
    plans: Iterable[LockPlan], *, root: Path, spec: str, unplanned: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """Return a finding for each lock of ours, beside the declared ones, that no plan of `spec` declares.

    Locks of the environments `unplanned` are left out.
    """
    declared = {path for plan in plans for path in plan.files}
    folders = {root, root / "requirements", *((root / path).parent for path in declared)}
    files = {file.relative_to(root).as_posix(): file for folder in folders for file in folder.glob("*.t*")}
    found: list[Finding] = []
    for path in sorted(files.keys() - declared):
        header = read_header(_text(files[path])) if path.endswith((".txt", ".toml")) else ()
        names = {*dict(header).get("environment", "").split(", ")} - {""}
        above = [folder for folder in files[path].parents if folder.is_relative_to(root)]
        # Another spec, beside a lock or above it, may declare one of its environments.
        others = [one for folder in above for one in folder.glob("*.y*ml") if one != root / spec]
        theirs = rf"(?ms)^environments:.*\b(?:{'|'.join(map(re.escape, names))})\b"
        if names and not names & unplanned and not any(re.search(theirs, _text(one)) for one in others):
            fix, expected = f"git rm {shlex.quote(path)}", "an environment that declares it"
            found.append(finding("lock-orphaned", expected=expected, actual=path, path=path, fix=fix))
    return tuple(found)


def prune(found: Iterable[Finding], *, root: Path, dry_run: bool) -> list[str]:
    """Remove the files that findings of `orphans` are about, and return a line for each."""
    paths = [one.path for one in found]
    for path in paths if not dry_run else ():
        (root / path).unlink(missing_ok=True)
    return [f"{path}: {'would be removed' if dry_run else 'removed'}, nothing declares it" for path in paths]
