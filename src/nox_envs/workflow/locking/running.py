"""Owns a run of locking: several resolutions at once, each old file kept until its new one is whole."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.files import read_text, remove_abandoned, write_atomically
from nox_envs.lockfile.groups import union
from nox_envs.lockfile.paths import is_pylock
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.pylock import pair_doubts, parse_pylock, render_pylock
from nox_envs.lockfile.text import Lock, parse, render
from nox_envs.pins import Pin
from nox_envs.values import replace, value
from nox_envs.workflow.foreign import apart
from nox_envs.workflow.locking.choice import Unit, Upgrade, choose, upgrades, waves
from nox_envs.workflow.locking.commits import GivenUp
from nox_envs.workflow.locking.cooldown import cutoff
from nox_envs.workflow.locking.differences import changes, stayed
from nox_envs.workflow.locking.resolution import Resolution, Resolved, Wish
from nox_envs.workflow.locking.types import LockRequest, LockResult, Outcome, Processes, Progress
from nox_envs.workflow.planning import planned
from nox_envs.workflow.project import Project
from nox_envs.workflow.relations import bases, with_relations


def lock(
    project: Project,
    asked: LockRequest,
    processes: Processes,
    *,
    jobs: int,
    now: datetime | None = None,
    told: Callable[[Progress], None] = lambda progress: None,
) -> Iterator[LockResult]:
    """Regenerate locks, `jobs` at a time, and yield a result for each.

    A lock that constrains another comes first, and environments of one group come together. With
    `dry_run` nothing is written. `now` is the time that spans such as `7 days` count from (None: the
    resolver looks at its clock); `told` hears of each lock that begins or ends, from several threads.

    An environment whose requirements cannot be read is a failure of its own. Raises NoxEnvsError for an
    unknown environment or package, FileProblems for locks that collide or groups that cannot be one.
    """
    names = {point.environment for point in project.points_of(asked.environments)}
    found = planned(project)
    chosen = choose(found.plans, asked.environments)
    chosen, left = apart(project, chosen, asked.environments)
    run = _Run(project, asked, processes, chosen, now=now, told=told)
    ordered = list(waves(chosen))
    if not asked.dry_run:
        paths = [project.root / path for one in chosen for path in one.files]
        for folder in {path.resolve().parent for path in paths}:
            remove_abandoned(folder)
    for plan in left:
        yield LockResult(path=", ".join(plan.files), environments=plan.environments, outcome="left")
    for one in found.unplanned:
        if one.environment in names:
            message = str(FileProblems(one.problems))
            yield LockResult(path="", environments=(one.environment,), outcome="failed", message=message)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for wave in ordered:
            groups = [unit for unit in wave if unit.common is not None]
            common = dict(zip((unit.plans for unit in groups), pool.map(run.common, groups), strict=True))
            steps = [_Step(plan=one, common=common.get(unit.plans)) for unit in wave for one in unit.plans]
            yield from pool.map(run.one, steps)


@value
class _Common:
    """Hold the pins that a group has in common, or why it has none."""

    pins: tuple[Pin, ...] = ()
    given_up: tuple[GivenUp, ...] = ()
    failure: str = ""


def _common(made: Resolved) -> _Common:
    return _Common(pins=made.lock.pins, given_up=made.given_up)


@value
class _Step:
    """Hold one plan, and what its group came to."""

    plan: LockPlan
    common: _Common | None = None


class _Run:
    def __init__(
        self,
        project: Project,
        asked: LockRequest,
        processes: Processes,
        chosen: list[LockPlan],
        *,
        now: datetime | None,
        told: Callable[[Progress], None],
    ) -> None:
        self._project = project
        self._asked = asked
        self._processes = processes
        self._now = now
        self._made: dict[str, Lock] = {}
        self._old = {one.path: _old(project.root / one.path, one.path) for one in chosen}
        known = {pin.name for old in self._old.values() if old for pin in old.pins}
        known |= {declared.name for one in chosen for declared in one.requirements}
        self._upgrades = upgrades(asked.upgrade_packages, known)
        self._progress = _Told(len(chosen), told)

    def common(self, unit: Unit) -> _Common:
        """Resolve everything that a group asks for."""
        assert unit.common is not None
        kept = dict.fromkeys(pin for one in unit.plans for pin in self._kept(one))
        wish = self._wish(unit.common, tuple(kept), asking=unit.plans)
        try:
            return _common(self._resolve(unit.common, wish))
        except NoxEnvsError as error:
            failure = str(error)
        if len({one.floor for one in unit.plans}) > 1:
            with contextlib.suppress(NoxEnvsError):
                return _common(self._resolve(union(unit.plans, apart=True), wish))
        names = ", ".join(sorted(unit.environments))
        group = unit.common.options.group
        return _Common(failure=f"the group {group!r} ({names}) has no common solution\n{failure}")

    def one(self, step: _Step) -> LockResult:
        """Resolve one plan and write its lock; a failure is a result, not an exception."""
        plan = step.plan
        name = ", ".join(plan.environments)
        self._progress.begin(name)
        try:
            if step.common is not None and step.common.failure:
                raise NoxEnvsError(step.common.failure)
            self._refuse_to_lose(plan)
            plan = with_relations(plan, self._project, self._lock_of)
            group = step.common or _Common()
            wish = self._wish(plan, self._kept(plan), common=group.pins)
            resolved = self._resolve(plan, wish)
            return self._write(plan, replace(resolved, given_up=(*group.given_up, *resolved.given_up)))
        except NoxEnvsError as error:
            return LockResult(
                path=plan.path,
                environments=plan.environments,
                outcome="failed",
                message=str(error),
                absent=not any((self._project.root / path).exists() for path in plan.files),
            )
        finally:
            self._progress.end(name)

    def _refuse_to_lose(self, plan: LockPlan) -> None:
        """Refuse to write over a lock that cannot be read: its pins would be lost without a word."""
        if self._old[plan.path] is None and not self._asked.upgrade:
            file = self._project.root / plan.path
            if file.is_file() and file.stat().st_size:
                raise NoxEnvsError(
                    f"{plan.path} cannot be read, so its pins would be lost; mend it (nox-envs check says "
                    "where), or delete it, or take the newest of everything with --upgrade"
                )

    def _wish(
        self,
        plan: LockPlan,
        kept: tuple[Pin, ...],
        *,
        common: tuple[Pin, ...] = (),
        asking: tuple[LockPlan, ...] = (),
    ) -> Wish:
        layers = tuple(self._layer(plan, base) for base in self._bases(plan))
        return Wish(
            kept=kept,
            upgrade=self._asked.upgrade and not common,
            upgrades=() if common else self._upgrades_of(plan, kept),
            layers=layers,
            common=common,
            cutoff=cutoff(plan.options.exclude_newer, self._now),
            asking=asking,
        )

    def _upgrades_of(self, plan: LockPlan, kept: tuple[Pin, ...]) -> tuple[Upgrade, ...]:
        names = {pin.name for pin in kept} | {declared.name for declared in plan.requirements}
        return tuple(one for one in self._upgrades if one.name in names)

    def _bases(self, plan: LockPlan) -> tuple[LockPlan, ...]:
        found = bases(plan, self._project)
        if len(found) < len(plan.layers):
            locked = {name for base in found for name in base.environments}
            name = next(name for name in plan.layers if name not in locked)
            raise NoxEnvsError(f"environment {name!r} has no lock to build on")
        return found

    def _layer(self, plan: LockPlan, base: LockPlan) -> Lock:
        found = self._lock_of(base)
        if found is None:
            name = next(name for name in plan.layers if name in base.environments)
            raise NoxEnvsError(f"{base.path}: the lock to build on is missing; nox -s lock -- {name}")
        return found

    def _lock_of(self, plan: LockPlan) -> Lock | None:
        """Return a lock as it is now: as this run made it, else from disk."""
        return self._made.get(plan.path) or self._project.lock_of(plan)

    def _kept(self, plan: LockPlan) -> tuple[Pin, ...]:
        """Return the pins to prefer, those that can move by themselves."""
        old = self._old[plan.path]
        return tuple(pin for pin in old.pins if pin.source.kind in ("index", "vcs")) if old else ()

    def _resolve(self, plan: LockPlan, wish: Wish) -> Resolved:
        with tempfile.TemporaryDirectory(prefix="nox-envs-") as folder:
            resolution = Resolution(
                plan,
                wish,
                self._processes,
                root=self._project.root,
                project_name=self._project.composer.project_name,
                folder=Path(folder),
            )
            return resolution.run(pylock=bool(plan.pylock) or is_pylock(plan.path))

    def _write(self, plan: LockPlan, resolved: Resolved) -> LockResult:
        texts = _texts(plan, resolved, self._project.root.as_uri() + "/")
        different = [
            (self._project.root / path, text)
            for path, text in texts
            if _text_of(self._project.root / path) != text
        ]
        outcome: Outcome = "written" if different else "unchanged"
        if self._asked.dry_run and different:
            outcome = "outdated"
        if outcome == "written":
            for file, text in different:
                write_atomically(file, text)
        self._made[plan.path] = parse(render(resolved.lock), origin=plan.path)
        old = self._old[plan.path]
        return LockResult(
            path=" and ".join(path for path, _ in texts),
            environments=plan.environments,
            outcome=outcome,
            changes=changes(old, resolved.lock),
            pins=len(resolved.lock.pins),
            stayed=stayed(old, resolved.lock),
            notes=tuple(
                f"{one.package}: {one.reason}"
                for one in dict.fromkeys(resolved.given_up)
                if any(pin.name == one.package for pin in resolved.lock.pins)
            ),
        )


def _texts(plan: LockPlan, resolved: Resolved, root_url: str) -> list[tuple[str, str]]:
    """Return the paths and texts of the files of a plan; the two formats hold the same."""
    texts = [] if is_pylock(plan.path) else [(plan.path, render(resolved.lock))]
    if resolved.pylock:
        path = plan.pylock or plan.path
        text = render_pylock(resolved.pylock, resolved.lock, path=path, root_url=root_url)
        differing = pair_doubts(resolved.lock, parse_pylock(text, origin=path))
        if differing:
            one = differing[0]
            raise NoxEnvsError(f"{path}: uv wrote another resolution: expected {one.expected}, {one.actual}")
        texts.append((path, text))
    return texts


def _old(file: Path, path: str) -> Lock | None:
    text = _text_of(file)
    try:
        return (parse_pylock if is_pylock(path) else parse)(text, origin=path) if text else None
    except FileProblems:
        return None


def _text_of(file: Path) -> str:
    try:
        return read_text(file, shown=str(file))
    except FileProblems:
        return ""


class _Told:
    """Tell how far a run is."""

    def __init__(self, total: int, told: Callable[[Progress], None]) -> None:
        self._total = total
        self._told = told
        self._done = 0
        self._active: list[str] = []
        self._mutex = threading.Lock()

    def begin(self, name: str) -> None:
        with self._mutex:
            self._active.append(name)
            self._tell()

    def end(self, name: str) -> None:
        with self._mutex:
            self._active.remove(name)
            self._done += 1
            self._tell()

    def _tell(self) -> None:
        self._told(Progress(done=self._done, total=self._total, active=tuple(self._active)))
