"""Owns an opened project: its spec, points and locks, each read at most once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nox_envs.errors import NoxEnvsError, nearest
from nox_envs.workflow.memory import Memory, SessionRow, row_of
from nox_envs.workflow.reading import read_lock, spec_text

# A run that finds everything as it was reads no lock and composes no requirements.
if TYPE_CHECKING:
    from nox_envs.lockfile.foreign import ForeignLock
    from nox_envs.lockfile.freshness import Doubt
    from nox_envs.lockfile.plan import Inputs, LockPlan
    from nox_envs.lockfile.text import Lock
    from nox_envs.matrix import Point
    from nox_envs.requirements import Composer
    from nox_envs.spec.types import Pairs, Spec
    from nox_envs.workflow.plan_memory import PlanMemory

STATE = ".nox-envs"


class Project:
    """Open the project whose spec is `spec_path`.

    `envdir` is where nox keeps venvs, as given to nox; `environ` the environment variables that
    requirement files may name; `host` returns the marker variables of this platform (PEP 508);
    `today` is an ISO date, on which ignore rules may be over (empty: none is).
    Raises FileProblems for everything wrong with the spec.
    """

    def __init__(
        self,
        spec_path: Path,
        *,
        envdir: str,
        environ: Mapping[str, str],
        host: Callable[[], Mapping[str, str]],
        reserved: tuple[str, ...] = ("lock", "drift"),
        today: str = "",
    ) -> None:
        self.today = today
        self.root = spec_path.parent
        self.origin = spec_path.name
        self.envdir = envdir
        self._host = host
        self._environ = environ
        self._reserved = reserved
        self._text = spec_text(spec_path)
        self._memory = Memory(self.state, self._text.encode(), (self.origin, *reserved))
        self._plans: dict[str, tuple[LockPlan, ...]] = {}
        self._groups: dict[str, tuple[LockPlan, ...]] = {}
        self._locks: dict[str, Lock | None] = {}
        self._foreign: dict[tuple[tuple[str, ...], bool], ForeignLock] = {}
        self._sources: dict[str, tuple[str, ...] | None] = {}

    @cached_property
    def sessions(self) -> tuple[SessionRow, ...]:
        """Return what nox has to know of each point; raises FileProblems for a spec with problems."""
        return self._memory.recall() or tuple(row_of(point) for point in self.points)

    def remember(self) -> None:
        """Remember the points of the spec for the next run, if they had to be read."""
        if "spec" in self.__dict__:
            self._memory.remember(self.points)

    @cached_property
    def spec(self) -> Spec:
        """Return the spec; raises FileProblems with every problem of the file."""
        from nox_envs.spec.read import read_spec

        return read_spec(self._text, origin=self.origin)

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Return the points of the spec; raises FileProblems with every problem of the file."""
        if "spec" not in self.__dict__ and (known := self._memory.points()):
            return known
        from nox_envs.matrix import expand

        return expand(self.spec, reserved=self._reserved)

    @cached_property
    def composer(self) -> Composer:
        """Return what composes the requirements of points."""
        from nox_envs.requirements import Composer

        return Composer(self.spec, root=self.root, environ=self._environ)

    @cached_property
    def host(self) -> Mapping[str, str]:
        """Return the marker variables of this platform."""
        return self._host()

    @property
    def key(self) -> str:
        """Return a digest of the spec's bytes and of the code that reads and judges them."""
        return self._memory.key

    @property
    def state(self) -> Path:
        """Return the folder, inside nox's, that holds reports and mutexes."""
        return self.root / self.envdir / STATE

    def report_file(self, venv: str) -> Path:
        """Return the file of the report of the session whose venv's directory has this name."""
        return self.state / "reports" / f"{venv}.json"

    def mutex(self, venv: str) -> Path:
        """Return the file that whoever works on the venv of this directory name holds."""
        return self.state / "mutexes" / venv

    def location(self, point: Point) -> Path:
        """Return the directory of a point's venv, as nox names it."""
        from nox_envs.matrix import venv_directory_name

        return self.root / venv_directory_name(self.envdir, point.session)

    def shown(self, path: Path) -> str:
        """Return a path as people read it: POSIX, relative to the spec's directory where it is below."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def shown_path(self, path: str) -> str:
        """Return a path, possibly empty, as people read it; see `shown`."""
        return self.shown(Path(path)) if path else ""

    def points_of(self, names: tuple[str, ...]) -> tuple[Point, ...]:
        """Return the points that `names` select: environments or single sessions; all without names.

        Raises NoxEnvsError for a name that is neither, with the nearest one.
        """
        if not names:
            return self.points
        known = {point.environment for point in self.points} | {point.session for point in self.points}
        for name in names:
            if name not in known:
                raise NoxEnvsError(unknown_environment(name, known))
        return tuple(p for p in self.points if p.environment in names or p.session in names)

    def point_of(self, environment: str, python: str | None, axes: Pairs) -> Point:
        """Return a point of an environment, also at a Python that its spec does not name (`nox -P`)."""
        wanted = (environment, python, axes)
        for number, row in enumerate(self.sessions):
            if (row.environment, row.python, row.axes) == wanted:
                return self._memory.point(number) or self.points[number]
        points = self.points
        if python:
            from nox_envs.matrix import expand

            points = expand(self.spec, extra_pythons=(python,), forced=True, reserved=())
        for point in points:
            if (point.environment, point.python, point.axes) == wanted:
                return point
        raise NoxEnvsError(f"{environment!r} has no point for Python {python} and {dict(axes)}")

    def plans_of(self, environment: str) -> tuple[LockPlan, ...]:
        """Return the plans of one environment's locks."""
        if environment not in self._plans:
            points = tuple(p for p in self.points if p.environment == environment)
            self._plans[environment] = self._related(self._planned(points))
        return self._plans[environment]

    def plans(self, *, without: tuple[str, ...] = ()) -> tuple[LockPlan, ...]:
        """Return the plans of all locks, shared ones once; raises FileProblems where two collide.

        `without` names environments to leave out.
        """
        return self._related(self._planned(tuple(p for p in self.points if p.environment not in without)))

    def group(self, name: str) -> tuple[LockPlan, ...]:
        """Return the plans of a group, without what they depend on besides their own inputs."""
        if name not in self._groups:
            self._groups[name] = self._planned(tuple(p for p in self.points if p.lock.group == name))
        return self._groups[name]

    def _planned(self, points: tuple[Point, ...]) -> tuple[LockPlan, ...]:
        from nox_envs.lockfile.plan import plan

        return plan(points, self.inputs)

    def _related(self, plans: tuple[LockPlan, ...]) -> tuple[LockPlan, ...]:
        local = any(declared.path for one in plans for declared in one.requirements)
        if not local and not any(one.layers or one.options.group for one in plans):
            return plans
        # Most locks depend on their own inputs only, and need not wait for this import.
        from nox_envs.workflow.relations import with_relations

        return tuple(with_relations(one, self, self.lock_of) for one in plans)

    def remembered_plan_of(self, point: Point) -> LockPlan:
        """Return the plan that `point` belongs to, and remember it if it had to be made."""
        memory = self._plan_memory(point)
        made = memory.recall()
        if made is None:
            made = self.plan_of(point)
            if self.composer.files is not None and any(p.session == point.session for p in made.points):
                memory.remember(made, point, self.composer.files)
        self._sources[point.session] = memory.files
        return made

    def recalled_plan_of(self, point: Point) -> LockPlan:
        """Return the plan that `point` belongs to, and write nothing."""
        return self._plan_memory(point).recall() or self.plan_of(point)

    def _plan_memory(self, point: Point) -> PlanMemory:
        from nox_envs.workflow.plan_memory import PlanMemory

        file = self.state / "plans" / f"{self.location(point).name}.json"
        return PlanMemory(file, f"{self.key} {point.session} {point.python}", self.root)

    def sources_of(self, point: Point) -> tuple[str, ...] | None:
        """Return the files that the remembered plan of a point came from; None if it came from more."""
        return self._sources.get(point.session)

    def plan_of(self, point: Point) -> LockPlan:
        """Return the plan that `point` belongs to; for `lock: false` one without a path."""
        if point.lock.enabled is False:
            from nox_envs.lockfile.plan import plan_unlocked

            return self._related((plan_unlocked(point, self.inputs),))[0]
        plans = self.plans_of(point.environment)
        for made in plans:
            if any(known.session == point.session for known in made.points):
                return made
        # A Python that the spec does not name uses the lock of its environment, if there is one.
        for made in plans:
            if any(known.axes == point.axes for known in made.points) and not point.lock.per:
                return made
        return self._related(self._planned((point,)))[0]

    @cached_property
    def inputs(self) -> Inputs:
        """Return what lock plans take from the project."""
        from nox_envs.lockfile.plan import FLOOR, Inputs

        metadata = self.composer.metadata
        return Inputs(
            compose=self.composer.compose,
            floor=metadata.python_floor or FLOOR,
            metadata=metadata.digest,
            indexes=self.spec.indexes,
        )

    def lock(self, path: str) -> Lock | None:
        """Return the lock at `path` (relative to the spec), None if there is no file."""
        if path not in self._locks:
            file = self.root / path
            self._locks[path] = read_lock(file, path) if file.is_file() else None
        return self._locks[path]

    def lock_of(self, made: LockPlan) -> Lock | None:
        """Return the lock of a plan, whoever made it; None if it is not there."""
        if not made.foreign:
            return self.lock(made.path)
        foreign = self.foreign(made)
        return foreign.lock if foreign else None

    def foreign(self, made: LockPlan) -> ForeignLock | None:
        """Return the lock of a plan, one that others made; None if one of its files is not there."""
        if not all((self.root / path).is_file() for path in made.files):
            return None
        key = made.files, made.limiting
        if key not in self._foreign:
            from nox_envs.lockfile.foreign import read_foreign

            self._foreign[key] = read_foreign(
                self.root, made.files, environ=self._environ, limiting=made.limiting
            )
        return self._foreign[key]

    def lock_digest(self, made: LockPlan) -> str:
        """Return `sha256:…` of the lock of a plan, or of its inputs where it has no lock."""
        if made.foreign:
            from nox_envs.lockfile.foreign import installed_digest

            foreign = self.foreign(made)
            return installed_digest(made, foreign) if foreign else made.digest
        if not made.path:
            return made.digest
        return "sha256:" + hashlib.sha256((self.root / made.path).read_bytes()).hexdigest()

    def layers(self, made: LockPlan) -> tuple[Lock, ...]:
        """Return the locks that constrain the one of a plan, those that are there."""
        if not made.layers:
            return ()
        from nox_envs.workflow.relations import bases

        found = (self.lock_of(base) for base in bases(made, self))
        return tuple(layer for layer in found if layer is not None)

    def doubts(self, made: LockPlan, *, points: tuple[Point, ...] | None = None) -> tuple[Doubt, ...]:
        """Return why the lock of a plan is not fresh."""
        from nox_envs.lockfile.freshness import Doubt, doubts

        if made.foreign:
            from nox_envs.lockfile.foreign_freshness import foreign_doubts

            foreign = self.foreign(made)
            if foreign is None:
                missing = (path for path in made.files if not (self.root / path).is_file())
                return tuple(Doubt(kind="lock-missing", expected=path) for path in missing)
            return foreign_doubts(made, foreign, self.host, points=points, layers=self.layers(made))
        layers = self.layers(made)
        pylock = self.lock(made.pylock) if made.pylock else None
        return doubts(made, self.lock(made.path), self.host, points=points, layers=layers, pylock=pylock)


def unknown_environment(name: str, known: set[str]) -> str:
    """Return the message for a name that no environment has."""
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else "nox-envs list shows them all"
    return f"no environment {name!r} ({hint})"
