"""An opened project: its spec, points, plans and locks, each read at most once; the memory of the points."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from nox_envs.codec import decode
from nox_envs.errors import FileProblems, NoxEnvsError, Place, Problem, did_you_mean
from nox_envs.files import digest, make_folder, read_bytes, read_text, refuse_outside, write_atomically
from nox_envs.findings import Findings, apply_options
from nox_envs.spec.types import Point
from nox_envs.values import given, replace

# A run that finds everything as it was reads no lock and composes no requirements.
if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from nox_envs.findings import DriftOptions, Finding
    from nox_envs.lock.plan import LockPlan, PlanInputs
    from nox_envs.lock.text import Lock
    from nox_envs.requirements.compose import Composer, Composition
    from nox_envs.spec.types import Pairs, Spec
    from nox_envs.venv.compare import Own
    from nox_envs.venv.receipt import CleanVerdict


class Row(NamedTuple):
    """What nox needs of a point to list and select its session: fields of the point.

    A named tuple: a large project has thousands, and every run creates them all.
    """

    environment: str
    session: str
    python: str | None
    description: str
    tags: tuple[str, ...]
    requires: tuple[str, ...]
    backend: str | None
    default: bool


def row_of(point: Point) -> Row:
    """Return what nox needs to know of a point."""
    row = Row(*[getattr(point, name) for name in Row.__annotations__])
    return row._replace(requires=tuple([one.text for one in point.requires]))


class Memory:
    """Remember the points of one spec in `file`; only for the same bytes of the spec and the same code.

    The file holds the key with a checksum, the rows, and then each point on a line of its own, so that a run
    reads only the point that it needs.
    """

    def __init__(self, file: Path, spec: bytes, names: tuple[str, ...]) -> None:
        digest = hashlib.sha256("\0".join(names).encode() + b"\0" + spec)
        for folder, _, files in sorted(os.walk(Path(__file__).parent)):
            for path in [os.path.join(folder, name) for name in sorted(files) if name.endswith(".py")]:
                status = os.stat(path)  # noqa: PTH116, hot
                digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
        self.key = digest.hexdigest()
        self._file = file
        self._lines: list[bytes] = []

    def rows(self) -> tuple[Row, ...] | None:
        """Return the rows of the spec, in order, or None if it is not remembered."""
        try:
            head, _, content = read_bytes(self._file, 1 << 26).partition(b"\n")
            if head.decode() != f"{self.key} {crc32(content)}":
                return None
            rows, *lines = content.splitlines()
            found = json.loads(rows)
            columns = [[tuple(one) if isinstance(one, list) else one for one in row] for row in found]
            recalled = tuple(starmap(Row, columns))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        if not recalled or len(recalled) != len(lines):
            return None
        self._lines = lines
        return recalled

    def point(self, number: int) -> Point | None:
        """Return the point of row `number` (from 0) of those recalled, None if it is not remembered."""
        try:
            return decode(Point, json.loads(self._lines[number]))
        except (IndexError, ValueError, RecursionError):
            return None

    def points(self) -> tuple[Point, ...] | None:
        """Return all points of the spec, or None if one of them is not remembered."""
        found = [self.point(number) for number in range(len(self._lines or self.rows() or ()))]
        known = tuple(point for point in found if point is not None)
        return known if known and len(known) == len(found) else None

    def remember(self, points: tuple[Point, ...]) -> bool:
        """Remember the points of the spec; return False where nox has no folder to keep them in yet."""
        if not self._file.parent.parent.is_dir():
            return False
        lines = [list(map(row_of, points)), *points]
        text = "\n".join([json.dumps(line, separators=(",", ":"), default=given) for line in lines])
        with suppress(NoxEnvsError):  # a folder that cannot be written costs time, nothing else
            write_atomically(self._file, f"{self.key} {crc32(text.encode())}\n{text}", durable=False)
        return True


class Project:
    """Open the project whose spec is `spec_path`.

    `environ` are the environment variables that requirement files may name; `envdir` is where nox keeps
    venvs, as given to nox; `reserved` are the names of the built-in sessions; `today` is an ISO date, by
    which ignore rules may be over (empty: none is). Raises FileProblems for a spec that cannot be read.
    """

    def __init__(
        self,
        spec_path: Path,
        *,
        environ: Mapping[str, str],
        envdir: str = ".nox",
        reserved: tuple[str, ...] = ("lock", "drift"),
        today: str = "",
    ) -> None:
        self.root = spec_path.parent
        self.origin = spec_path.name
        self.envdir = envdir
        self.today = today
        self._environ = environ
        self._reserved = reserved
        if not os.path.lexists(spec_path):
            other = spec_path.with_suffix(".yml")
            near = did_you_mean(self.origin, [path.name for path in self.root.glob("*.yaml")])
            hint = f"rename {other.name}" if other.is_file() else near or "nox-envs init writes one"
            raise FileProblems([Problem(place=Place(origin=self.origin), message="no such file", hint=hint)])
        self._text = read_text(spec_path, shown=self.origin, limit=1 << 22)
        self._remembered = False
        self._memory = Memory(self.state / "spec", self._text.encode(), (self.origin, *reserved))
        self._locks: dict[str, Lock | None] = {}
        self._foreign: dict[tuple[str, ...], Lock] = {}
        self._plans: dict[str, tuple[LockPlan, ...]] = {}
        self._by_session: dict[str, LockPlan] = {}
        self._pins: dict[str, str] = {}
        # The problems of each session whose requirements cannot be read, among those composed so far.
        self.broken: dict[str, FileProblems] = {}
        # Each folder is removed with this object.
        self._wheels: dict[str | None, tuple[TemporaryDirectory[str], Path]] = {}

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Return what nox needs to know of each point; raises FileProblems for a spec with problems."""
        return self._memory.rows() or tuple([row_of(point) for point in self.points])

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {row.session: number for number, row in enumerate(self.rows)}

    @cached_property
    def spec(self) -> Spec:
        """Return the spec; raises FileProblems with every problem of the file."""
        from nox_envs.spec.keys import read_spec

        return read_spec(self._text, origin=self.origin)

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Return the points of the spec; raises FileProblems with every problem of the file."""
        if known := self._memory.points():
            return known
        from nox_envs.spec.points import expand

        return expand(self.spec, reserved=self._reserved)

    @cached_property
    def _points_of(self) -> Mapping[str, list[Point]]:
        found: dict[str, list[Point]] = {}
        for point in self.points:
            found.setdefault(point.environment, []).append(point)
        return found

    def remember(self) -> None:
        """Keep the points, if they had to be read, for the next run; `nox-envs` writes nothing."""
        if "points" in self.__dict__ and not self._remembered:
            self._remembered = self._memory.remember(self.points)

    @cached_property
    def composer(self) -> Composer:
        """Return what composes the requirements of points."""
        from nox_envs.requirements.compose import Composer

        return Composer(self.spec, root=self.root, environ=self._environ)

    @cached_property
    def host(self) -> Mapping[str, str]:
        """Return the marker variables of this platform and interpreter (PEP 508)."""
        from nox_envs.lock.pins import host_markers

        return host_markers()

    @property
    def state(self) -> Path:
        """Return the folder, inside nox's, that holds reports, file locks, wheels and the points."""
        state = self.root / self.envdir / ".nox-envs"
        if state.is_symlink():
            raise NoxEnvsError(f"{state}: is a link; delete it")
        return state

    def location(self, session: str) -> Path:
        """Return the directory of a session's venv, as nox names it."""
        from nox_envs.spec.words import venv_directory  # `nox -l` looks at no venv

        return self.root / self.envdir / venv_directory(session, self.envdir)

    def shown(self, path: str | Path) -> str:
        """Return a path as people read it: POSIX, relative to the spec's directory where it is inside."""
        path = Path(path)
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def apply(self, found: Iterable[Finding], options: DriftOptions) -> tuple[Findings, int]:
        """Return findings with paths for people, as `options` count today, and the number that is ignored."""
        shown = [replace(one, path=self.shown(one.path)) if one.path else one for one in found]
        return apply_options(shown, options, today=self.today)

    def select(self, names: tuple[str, ...]) -> tuple[Point, ...]:
        """Return the points that `names` select: environments, sessions or globs of them; all without names.

        Raises NoxEnvsError for a name that selects nothing.
        """
        chosen = {row.session for row in self.select_rows(names)}
        return tuple(point for point in self.points if point.session in chosen) if names else self.points

    def select_rows(self, names: tuple[str, ...]) -> tuple[Row, ...]:
        """Return the rows that `names` select; see `select`."""
        known = {name for row in self.rows for name in (row.environment, row.session)}
        chosen: set[str] = set()
        for name in names:
            found = {name} if name in known else {one for one in known if fnmatchcase(one, name)}
            if not found:
                hint = did_you_mean(name, known) or "nox-envs list shows them all"
                raise NoxEnvsError(f"no environment {name!r} ({hint})")
            chosen |= found
        return tuple(row for row in self.rows if not names or {row.environment, row.session} & chosen)

    def point(self, row: Row, *, session: str = "", python: str | None = None) -> Point:
        """Return the point of a row.

        `session` is what nox calls it, `python` what nox runs it with: with `nox -P` not the row's.
        """
        number = self._numbers[row.session]
        if python == row.python or not session:
            known = None if "points" in self.__dict__ else self._memory.point(number)
            return known or self.points[number]
        from nox_envs.spec.points import expand

        declared = self.points[number]
        forced = expand(self.spec, reserved=(), python=python)
        found = [one for one in forced if (one.environment, one.axes) == (row.environment, declared.axes)]
        return replace(found[0] if found else replace(declared, python=python), session=session)

    def verdict_key(self, point: Point, location: Path) -> str:
        """Return a digest of everything but files that a check of the venv at `location` depends on."""
        parts = (self._memory.key, point.session, str(point.python), str(location), *self.host.values())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def recall(self, point: Point, location: Path) -> CleanVerdict | None:
        """Return the last clean verdict on a venv if a check now would look at nothing but what it saw."""
        from nox_envs.venv.receipt import read_verdict, unchanged  # `nox -l` looks at no venv
        from nox_envs.venv.snapshot import evidence

        verdict = read_verdict(location) if point.drift.files in (None, "off") else None
        if verdict is None or verdict.key != self.verdict_key(point, location):
            return None
        shown = evidence(location) if unchanged(verdict, self.root) else ""
        return verdict if shown and verdict.evidence == shown else None

    def compose(self, point: Point) -> Composition:
        """Return what a point asks for, and remember whether it can be read; raises FileProblems."""
        try:
            return self.composer.compose(point)
        except FileProblems as error:
            self.broken[point.session] = error
            raise

    @cached_property
    def plans(self) -> tuple[LockPlan, ...]:
        """Return the plans of all locks, shared ones once, without those that cannot be composed.

        Raises FileProblems where two locks collide.
        """
        return self._planned(self.points)

    def plan_of(self, point: Point) -> LockPlan:
        """Return the plan that a point belongs to; under `lock: false` one without a path.

        Raises FileProblems if its requirements cannot be read.
        """
        from nox_envs.lock.plan import plan_points

        if point.lock.enabled is False:
            return self._with_layers(plan_points([point], self._inputs))
        plans = self._plans_of(point.environment)
        if point.session in self._by_session:
            return self._by_session[point.session]
        self.compose(point)
        # A Python that the spec does not name uses the lock of its environment, if there is one.
        for plan in plans:
            if any(known.axes == point.axes for known in plan.points) and not point.lock.per:
                return plan
        return self._planned([point])[0]

    def _plans_of(self, environment: str) -> tuple[LockPlan, ...]:
        if environment not in self._plans:
            plans = self._planned(self._points_of.get(environment, ()))
            self._plans[environment] = plans
            self._by_session.update({point.session: plan for plan in plans for point in plan.points})
        return self._plans[environment]

    @cached_property
    def _inputs(self) -> PlanInputs:
        from nox_envs.lock.plan import PlanInputs

        if problems := self.composer.project.problems:  # a lock depends on its requires-python
            raise FileProblems(problems)
        return PlanInputs(
            compose=self.compose,
            indexes=self.spec.indexes,
            requires_python=self.composer.project.requires_python,
            related=self._related_to,
        )

    def _planned(self, points: Iterable[Point]) -> tuple[LockPlan, ...]:
        from nox_envs.lock.plan import plan_locks

        return tuple(map(self._with_layers, plan_locks(points, self._inputs)))

    def _related_to(self, composition: Composition) -> Pairs:
        """Return a digest for each folder whose dependencies uv resolves, and each lock of ours."""
        declared = [*composition.requirements, *composition.own]
        folders = sorted({one.path for one in declared if one.path and self.composer.folder(one.path).exists})
        found = [(f"{path}/pyproject.toml", self.composer.folder(path).requires_digest) for path in folders]
        listed = (*composition.requirements, *composition.constraints)
        read = {one.place.origin for one in listed} & {*composition.files}
        return (*found, *((path, pins) for path in sorted(read) if (pins := self._pins_of(path))))

    def _pins_of(self, path: str) -> str:
        """Return a digest of the pins of a file that is a lock of ours, empty for any other file."""
        if path not in self._pins:
            from nox_envs.lock.text import read_header

            text = read_text(self.root / path, shown=path)
            self._pins[path] = _pins_digest(self._lock(path)) if read_header(text) else ""
        return self._pins[path]

    def _with_layers(self, plan: LockPlan) -> LockPlan:
        layers = [(base.path, _pins_digest(self.lock_of(base))) for base in self.bases(plan)]
        return replace(plan, related=(*plan.related, *layers)) if layers else plan

    def forget(self) -> None:
        """Forget the requirements and locks that were read, because locks were written."""
        for read in ("composer", "plans", "_inputs"):
            self.__dict__.pop(read, None)
        for known in (self._plans, self._by_session, self._locks, self._foreign, self._pins, self.broken):
            known.clear()

    def replan(self, plan: LockPlan) -> LockPlan:
        """Return a plan composed again, after locks that it builds on were written."""
        self.forget()
        again = self.plan_of(plan.points[0])
        return replace(again, environments=plan.environments, points=plan.points)

    def outside_settings(self) -> tuple[str, ...]:
        """Return a line for each setting outside the spec that counts for uv, or seems to."""
        from nox_envs.lock.resolve import outside_settings

        return outside_settings(self._environ, self.composer.project.uv_settings)

    def bases(self, plan: LockPlan) -> tuple[LockPlan, ...]:
        """Return the plans whose locks constrain a plan, in the order of the spec."""
        from nox_envs.lock.plan import layer_plan

        found = [layer_plan(plan, self._plans_of(name)) for name in plan.layers]
        return tuple(base for base in found if base is not None)

    def lock_of(self, plan: LockPlan) -> Lock | None:
        """Return the lock of a plan, None if it is not there; raises FileProblems if it cannot be read."""
        if plan.managed:
            refuse_outside(self.root / plan.path, self.root, shown=plan.path)
            return self._lock(plan.path) if plan.path else None
        from nox_envs.lock.text import read_foreign

        if not all((self.root / path).is_file() for path in plan.files):
            return None
        if plan.files not in self._foreign:
            self._foreign[plan.files] = read_foreign(self.root, plan.files, environ=self._environ)
        return self._foreign[plan.files]

    def _lock(self, path: str) -> Lock | None:
        from nox_envs.lock.text import parse_lock

        if path not in self._locks:
            file = self.root / path
            there = os.path.lexists(file)
            self._locks[path] = parse_lock(read_text(file, shown=path), path) if there else None
        return self._locks[path]

    def lock_digest(self, plan: LockPlan) -> str:
        """Return the sha256 of what a venv is installed from: the lock, or the requirements without one."""
        from nox_envs.lock.plan import digest as digest_of_inputs

        if not plan.path:
            return digest_of_inputs(plan)
        lock = self.lock_of(plan) if not plan.managed else None
        return lock.digest if lock else digest(self.root / plan.path)

    def lock_findings(self, plan: LockPlan, points: tuple[Point, ...] | None = None) -> Findings:
        """Return what is wrong between the spec and a lock, at some points of it (default: all).

        Points whose venv is there are checked with the exact version of the Python in it.
        Raises FileProblems for a lock that cannot be read.
        """
        if not plan.path:
            return ()
        layers = tuple(lock for base in self.bases(plan) if (lock := self.lock_of(base)))
        from nox_envs.lock.freshness import check_lock
        from nox_envs.venv.snapshot import patch_level

        file = self.root / plan.pylock
        pylock = read_text(file, shown=plan.pylock) if plan.pylock and os.path.lexists(file) else None
        patch = patch_level(self.location(points[0].session), points[0].python) if points else ""
        lock, host = self.lock_of(plan), self.host
        return check_lock(plan, lock, host=host, points=points, patch=patch, layers=layers, pylock=pylock)

    def own(self, point: Point) -> Own | None:
        """Return how the project itself is installed at a point, None if it is not."""
        from nox_envs.venv.compare import Own

        if point.package.mode == "none":
            return None
        return Own(
            directory=str(self.root),
            mode=point.package.mode,
            wheels=os.path.realpath(self.state / "wheels"),
            name=self.composer.project.name,
        )

    def fingerprint(self, folder: str) -> str:
        """Return a digest of the metadata of the local project in a folder, empty if it has none."""
        return self.composer.folder(folder).fingerprint if Path(folder).is_dir() else ""

    def wheel(self, python: str | None, build: Callable[[Path], Path]) -> Path:
        """Return the wheel of the project for one Python, built once in the life of this object."""
        if python not in self._wheels:
            from tempfile import TemporaryDirectory

            parent = self.state / "wheels"
            make_folder(parent)
            folder = TemporaryDirectory(dir=parent)
            self._wheels[python] = folder, build(Path(folder.name))
        return self._wheels[python][1]

    def inputs_of(self, plan: LockPlan) -> tuple[str, ...] | None:
        """Return the files behind a check of a point of a plan, None where they do not tell everything."""
        files = {*plan.sources, *plan.files}
        for base in self.bases(plan):
            files |= {*base.sources, *base.files}
        outside = any(path.startswith(("..", "/")) or ":" in path for path in files)
        return None if outside or self.composer.variables else tuple(sorted(files))


def _pins_digest(lock: Lock | None) -> str:
    from nox_envs.lock.text import requirement_line
    from nox_envs.requirements.project import digest_of

    return digest_of(sorted([requirement_line(pin), *pin.hashes] for pin in lock.pins) if lock else "missing")
