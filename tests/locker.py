"""Plans without a spec, and their resolution with the real uv."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from nox_envs.errors import NoxEnvsError, Place
from nox_envs.lock.pins import Pin
from nox_envs.lock.plan import LockPlan, layer_plan
from nox_envs.lock.resolve import Job, LockRun, Resolved, resolve
from nox_envs.lock.run import LockResult, lock_all
from nox_envs.lock.text import Lock, parse_lock, read_foreign, render_lock
from nox_envs.requirements.text import Declared, read_requirement
from nox_envs.spec.types import LockOptions, Package, Point
from nox_envs.values import replace
from tests.conftest import Machine, uv

OPTIONS = ("resolution", "exclude_newer", "allow_prereleases", "only_binary", "no_binary")
PLACE = Place(origin="envs.yaml", line=4)


def declared(text: str, *, label: str = "app", hashes: tuple[str, ...] = ()) -> Declared:
    """Return a requirement of the set `label`."""
    return replace(read_requirement(text), place=PLACE, why=(label,), hashes=hashes)


def plan(
    name: str,
    *requirements: str | Declared,
    python: tuple[str, ...] = ("3.12",),
    package: str = "none",
    **keys: object,
) -> LockPlan:
    """Return the plan of an environment; `keys` are fields of the plan, or options."""
    mode = Package(mode=package, extras=())  # type: ignore[arg-type]
    lock = LockOptions(command=str(keys.pop("command", "")))
    point = Point(environment=name, session=name, python=None, axes=(), place=PLACE, package=mode, lock=lock)
    point = replace(point, **{key: keys.pop(key) for key in [*keys] if key in OPTIONS})
    points = tuple(replace(point, session=f"{name}-{one}", python=one or None) for one in python or ("",))
    made = LockPlan(
        path=f"requirements/{name}.txt",
        files=tuple(filter(None, (f"requirements/{name}.txt", str(keys.get("pylock", ""))))),
        environments=(name,),
        points=points,
        pythons=python,
        requirements=tuple(declared(one) if isinstance(one, str) else one for one in requirements),
    )
    return replace(made, **keys)


class Locker:
    """Resolve plans in the directory of a project."""

    def __init__(self, root: Path, machine: Machine, **variables: str) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.env = {name: text for name, text in machine.env.items() if name != "UV_NO_CONFIG"} | variables
        self.uv = uv()
        self.project = ""
        self.settings: Mapping[str, object] = {}

    def tools(self, packages: tuple[str, ...] = (), upgrade: bool = False) -> LockRun:
        """Return what resolves, and the pins that it gives up."""
        return LockRun(
            root=self.root,
            project=self.project,
            settings=self.settings,
            environ=self.env,
            uv=self.uv,
            python=sys.executable,
            upgrade=upgrade,
            packages=packages,
            bases=lambda _: (),
            lock_of=self.lock_of,
            replan=lambda plan: plan,
            jobs=4,
        )

    def resolve(
        self, plan: LockPlan, packages: tuple[str, ...] = (), upgrade: bool = False, **job: object
    ) -> Resolved:
        """Resolve a plan."""
        with TemporaryDirectory() as folder:
            made = Job(plan=plan, run=self.tools(packages, upgrade), folder=Path(folder).resolve())
            return resolve(replace(made, **job))

    def lines(
        self, plan: LockPlan, packages: tuple[str, ...] = (), upgrade: bool = False, **job: object
    ) -> list[str]:
        """Resolve a plan and return its pins, without hashes and annotations."""
        text = render_lock(self.resolve(plan, packages, upgrade, **job).lock)
        return [line.removesuffix(" \\") for line in text.splitlines() if line and line[0] not in "# "]

    def failure(self, plan: LockPlan, **job: object) -> str:
        """Return why a plan cannot be resolved."""
        try:
            found = self.resolve(plan, (), False, **job)
        except NoxEnvsError as error:
            return str(error)
        raise AssertionError(render_lock(found.lock))

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def read(self, name: str) -> str:
        """Return the text of the lock of an environment."""
        return (self.root / f"requirements/{name}.txt").read_text(encoding="utf-8")

    def lock_of(self, plan: LockPlan) -> Lock | None:
        """Return a lock on disk."""
        file = self.root / plan.path
        if not plan.managed and file.exists():
            return read_foreign(self.root, plan.files, environ={})
        return parse_lock(file.read_text(encoding="utf-8"), origin=plan.path) if file.exists() else None

    def pin(self, plan: LockPlan, name: str) -> Pin:
        """Return a pin of a lock on disk."""
        lock = self.lock_of(plan)
        assert lock is not None
        return next(pin for pin in lock.pins if pin.name == name)

    def run(
        self, *plans: LockPlan, packages: tuple[str, ...] = (), upgrade: bool = False, **options: object
    ) -> Generator[LockResult, None, None]:
        """Lock plans, as the session does."""

        def bases(plan: LockPlan) -> tuple[LockPlan, ...]:
            layers = ([one for one in plans if name in one.environments] for name in plan.layers)
            return tuple(found for one in layers if (found := layer_plan(plan, one)))

        run = replace(self.tools(packages, upgrade), plans=plans, **{"bases": bases, **options})
        yield from lock_all(run)

    def lock(
        self, *plans: LockPlan, packages: tuple[str, ...] = (), upgrade: bool = False, **options: object
    ) -> dict[str, LockResult]:
        """Lock plans and return the results by environment."""
        found = self.run(*plans, packages=packages, upgrade=upgrade, **options)
        return {name: one for one in found for name in one.plan.environments}
