"""Many locks: their order, writing them side by side, and what changed."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

from nox_envs.errors import FileProblems, Invalid, NoxEnvsError, did_you_mean
from nox_envs.files import read_text, refuse_outside, remove_leftovers, write_atomically
from nox_envs.findings import Finding, lock_command
from nox_envs.lock.pins import Pin
from nox_envs.lock.plan import LockPlan, regenerate
from nox_envs.lock.resolve import Job, LockRun, Resolved, resolve
from nox_envs.lock.text import Lock, parse_lock, render_lock
from nox_envs.processes import end_all
from nox_envs.terminal import printable
from nox_envs.values import replace, value

_CHANGES = {"+": "added", "-": "removed", "~": "changed", "=": "kept"}
Outcome: TypeAlias = Literal["written", "unchanged", "would-change", "failed", "left"]


@value
class LockResult:
    """What became of one lock, in one line, and the changes, or why it failed."""

    plan: LockPlan
    outcome: Outcome
    summary: str
    lines: tuple[str, ...] = ()


def lock_all(run: LockRun) -> Iterator[LockResult]:
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
    for folder in {(run.root / path).parent for path in managed} if not run.dry_run else ():
        remove_leftovers(folder)
    for plan in run.plans:
        if not plan.managed:
            lock = None
            with contextlib.suppress(FileProblems):
                lock = run.lock_of(plan)
            how = f"to update it: {regenerate(plan, lock.commands if lock else ())}"
            yield LockResult(plan=plan, outcome="left", summary=f"not managed by nox-envs; {how}")
    made, guard = dict[str, str](), threading.Lock()  # the text of each lock, empty if it failed
    running: dict[Future[LockResult], str] = {}
    with ThreadPoolExecutor(max_workers=run.jobs) as pool:
        try:
            while sorter.is_active():
                for path in sorter.get_ready():
                    running[pool.submit(_lock, run, managed[path], made, guard)] = path
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    sorter.done(running.pop(future))
                    yield future.result()
        except BaseException:
            end_all()
            pool.shutdown(cancel_futures=True)
            raise


def _check_upgrade(run: LockRun, plans: Iterable[LockPlan]) -> None:
    known: set[str] = set()
    try:
        upgraded = run.upgraded
    except Invalid as wrong:
        raise NoxEnvsError(f"--upgrade-package: {wrong.message} ({wrong.hint})") from None
    for plan in plans if upgraded else ():
        known |= {declared.name for declared in plan.requirements}
        with contextlib.suppress(FileProblems):
            known |= {pin.name for lock in [run.lock_of(plan)] if lock for pin in lock.pins}
    for name in sorted(upgraded - known):
        hint = did_you_mean(name, known) or "write the name of a package in a lock"
        raise NoxEnvsError(f"--upgrade-package: no lock has {name!r} ({hint})")


def _below(run: LockRun, plan: LockPlan) -> set[str]:
    """Return the paths of the locks that a plan builds on: its layers, and files that it reads."""
    read = {other.path for other in run.plans if {*other.files} & {*plan.sources}}
    return read | {base.path for base in run.bases(plan)}


def _lock(run: LockRun, plan: LockPlan, made: dict[str, str], guard: threading.Lock) -> LockResult:
    try:
        with TemporaryDirectory(prefix="nox-envs-") as folder:
            with guard:  # what a run calls keeps what it read, and knows no threads
                job = _job(run, plan, made, Path(folder).resolve())
            found = resolve(job)
        made[plan.path] = render_lock(found.lock)
        return _write(run, job, found, made[plan.path])
    except (NoxEnvsError, OSError) as error:
        made[plan.path] = ""
        summary, lines = "failed, nothing is written", tuple(str(error).splitlines())
        return LockResult(plan=plan, outcome="failed", summary=summary, lines=lines)


def _job(run: LockRun, plan: LockPlan, made: dict[str, str], folder: Path) -> Job:
    below = _below(run, plan) & made.keys()
    if failed := sorted(path for path in below if not made[path]):
        raise NoxEnvsError(f"it builds on {', '.join(failed)}, which failed")
    plan = run.replan(plan) if below else plan
    bases, layers = run.bases(plan), list[Lock]()
    if len(bases) < len(plan.layers):
        raise NoxEnvsError(f"it builds on {', '.join(plan.layers)}, but not all of them have a lock")
    for base in bases:
        text = made.get(base.path)
        lock = parse_lock(text, base.path) if text else run.lock_of(base)
        if lock is None:
            command = lock_command(base.environments)
            raise NoxEnvsError(f"it builds on {base.path}, which is missing; run: {command}")
        layers.append(lock)
    job = Job(plan=plan, run=run, folder=folder, layers=tuple(layers))
    try:
        old = run.lock_of(plan)
    except FileProblems:
        if not run.upgrade:  # its pins must not be lost without a word
            raise
        return job
    return replace(job, kept=old.pins) if old else job


def _write(run: LockRun, job: Job, found: Resolved, text: str) -> LockResult:
    plan = job.plan
    texts = {plan.path: text, **({plan.pylock: found.pylock} if plan.pylock else {})}
    different = [*texts]
    for path in texts:
        with contextlib.suppress(FileProblems):
            if read_text(run.root / path, shown=path) == texts[path]:
                different.remove(path)
    for path in different if not run.dry_run else ():
        target = run.root / path
        refuse_outside(target, run.root, shown=path)
        write_atomically(target, texts[path])
    before, after = _versions(job.kept), _versions(found.lock.pins)
    counts = Counter({"=": len(before.items() & after.items())})
    lines: list[str] = []
    for name in sorted({name for name, _ in before.items() ^ after.items()}):
        old, new = before.get(name, ""), after.get(name, "")
        mark = "~" if old and new else "+" if new else "-"
        counts[mark] += 1
        lines.append(f"{mark} {name} {' -> '.join(filter(None, (old, new)))}")
    outcome: Outcome = "unchanged" if not different else "would-change" if run.dry_run else "written"
    counted = [f"{counts[mark]} {done}" for mark, done in _CHANGES.items() if counts[mark]]
    lines += [f"warning: {warning}" for warning in found.warnings]
    summary = f"{outcome.replace('-', ' ')}: {', '.join(counted) or 'no packages'}"
    return LockResult(plan=plan, outcome=outcome, summary=summary, lines=tuple(lines))


def _versions(pins: Iterable[Pin]) -> dict[str, str]:
    versions: dict[str, set[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, set()).add(pin.version or pin.source.revision or pin.source.url)
    return {name: ", ".join(sorted(found)) for name, found in versions.items()}


def result_lines(result: LockResult) -> list[str]:
    """Return what a run says of one lock."""
    names, files = ", ".join(result.plan.environments), " and ".join(result.plan.files)
    return [f"{names} ({files}): {result.summary}", *(f"  {printable(line)}" for line in result.lines)]


def prune(found: Iterable[Finding], *, root: Path, dry_run: bool) -> list[str]:
    """Remove the files that findings of `orphans` are about, and return a line for each."""
    paths = [one.path for one in found]
    for path in paths if not dry_run else ():
        (root / path).unlink(missing_ok=True)
    return [f"{path}: {'would be removed' if dry_run else 'removed'}, nothing declares it" for path in paths]
