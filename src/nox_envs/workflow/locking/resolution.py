"""Owns one resolution: the files a resolver reads, its runs, and the lock that comes of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_text, write_atomically
from nox_envs.lockfile.meaning import parts
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.staleness import unrecorded
from nox_envs.lockfile.text import Header, Lock, render, requirement_line
from nox_envs.pins import Pin, holds_credentials
from nox_envs.resolvers import (
    Request,
    at_commits,
    pin_lines,
    pip_report,
    read_pip_report,
    read_uv_output,
    request,
    uv_compile,
    uv_compile_pylock,
)
from nox_envs.values import replace, value
from nox_envs.workflow.locking.choice import Upgrade
from nox_envs.workflow.locking.commits import GivenUp, given_up, hint, is_conflict
from nox_envs.workflow.locking.explanation import explanation
from nox_envs.workflow.locking.types import Completed, Processes

_KEPT = "hint: the pins stay as they are locked; nox -s lock -- --upgrade-package NAME takes another"


@value
class Wish:
    """Hold how a plan is resolved.

    `kept` are the pins to prefer, `upgrade` takes none of them, `upgrades` all but these. `layers` are
    the locks that constrain it, `common` the pins of its group. `cutoff` is the time that
    `exclude_newer` means (empty: what it says). `asking` are the plans to name in an explanation.
    """

    kept: tuple[Pin, ...] = ()
    upgrade: bool = False
    upgrades: tuple[Upgrade, ...] = ()
    layers: tuple[Lock, ...] = ()
    common: tuple[Pin, ...] = ()
    cutoff: str = ""
    asking: tuple[LockPlan, ...] = ()


@value
class Resolved:
    """Hold a lock with its header, and the text of a pylock as the resolver wrote it, if asked for.

    `given_up` are the packages that did not stay at their commits.
    """

    lock: Lock
    pylock: str = ""
    given_up: tuple[GivenUp, ...] = ()


class _Failed(NoxEnvsError):
    """Carry the explanation of a failure and what the resolver said itself."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


class Resolution:
    """Resolve one plan in a folder of its own.

    `root` is the spec's directory and `project_name` the canonical name of the project in it.
    """

    def __init__(
        self, plan: LockPlan, wish: Wish, processes: Processes, *, root: Path, project_name: str, folder: Path
    ) -> None:
        self._plan = plan
        self._wish = wish
        self._processes = processes
        self._root = str(root)
        self._root_url = root.as_uri() + "/"
        self._project_name = project_name
        self._folder = folder
        self._given = (*wish.common, *(pin for layer in wish.layers for pin in layer.pins))
        self._open = self._request(self._given)
        self._files = self._request((*self._given, *self._staying()))
        self._given_up: tuple[GivenUp, ...] = ()

    def _request(self, pins: Iterable[Pin]) -> Request:
        """Return the request in which branches and tags are the commits that `pins` hold."""
        wish = self._wish
        plan = at_commits(self._plan, pins)
        return request(plan, root_url=self._root_url, layers=wish.layers, common=wish.common)

    def _staying(self) -> tuple[Pin, ...]:
        free = {one.name for one in self._wish.upgrades}
        return () if self._wish.upgrade else tuple(pin for pin in self._wish.kept if pin.name not in free)

    def _hand_over(self, files: Request) -> None:
        for file in files.files:
            write_atomically(self._folder / file.name, file.text)

    def run(self, *, pylock: bool = False) -> Resolved:
        """Resolve; with `pylock` in that format too.

        Raises NoxEnvsError with the explanation of a failure.
        """
        plan = self._plan
        if not self._files.sources and plan.dynamic_extras is None:
            made = Lock(origin=plan.path, header=None, pins=())
        else:
            made = self._with_pip() if plan.resolver == "pip" else self._with_uv()
        header = Header(
            environments=plan.environments,
            pythons=plan.pythons,
            resolver=plan.resolver,
            input=plan.digest,
            omitted=unrecorded(plan, made),
            parts=tuple(f"{name}: {text}" for name, text in parts(plan)),
        )
        made = replace(made, header=header)
        refuse_unfit(made)
        text = self._pylock(made) if pylock else ""
        return Resolved(lock=made, pylock=text, given_up=self._given_up)

    def _with_uv(self) -> Lock:
        try:
            return self._resolved_by_uv(self._files)
        except _Failed as error:
            if not self._give_up(error.output):
                raise NoxEnvsError(f"{error}{hint(error.output, self._commits())}") from None
        return self._with_uv()

    def _commits(self) -> tuple[Pin, ...]:
        """Return the pins whose commits stand in the request in place of a branch."""
        gone = {one.package for one in self._given_up}
        asked, opened = ("".join(one.text for one in made.files) for made in (self._files, self._open))
        return tuple(
            pin
            for pin in self._staying()
            if pin.source.revision in asked and pin.source.revision not in opened and pin.name not in gone
        )

    def _give_up(self, output: str) -> bool:
        """Open the branches whose commits a failure says cannot stay; tell whether there are any."""
        more = given_up(output, self._commits())
        self._given_up += more
        gone = {one.package for one in self._given_up}
        staying = (pin for pin in self._staying() if pin.name not in gone)
        self._files = self._request((*self._given, *staying))
        return bool(more)

    def _resolved_by_uv(self, files: Request) -> Lock:
        if not any(index.packages for index in self._plan.indexes):
            return self._checked(self._compile(files))
        # Few projects assign packages to indexes.
        from nox_envs.workflow.locking.assignment import resolve_assigned

        return resolve_assigned(self._plan, files, self._compile, self._checked)

    def _compile(self, files: Request, merged: bool = False) -> Lock | Completed:
        """Run uv; return what it resolved, or how it failed."""
        plan, wish = self._plan, self._wish
        self._hand_over(files)
        output = self._folder / "lock.txt"
        # uv prefers the pins that stand in its output file.
        write_atomically(output, pin_lines(_of_index(wish.kept)))
        quick, thorough = (
            uv_compile(
                self._processes.uv,
                plan,
                files,
                folder=str(self._folder),
                root=self._root,
                upgrade=wish.upgrade and not merged,
                upgrade_packages=() if merged else tuple(one.text for one in wish.upgrades),
                cutoff=wish.cutoff,
                merged=merged,
                python=python,
            )
            for python in (self._processes.python, "")
        )
        completed = self._processes.run(quick)
        if completed.returncode and "build" in completed.output.lower():
            # What has to be built may need the Python that is locked for.
            completed = self._processes.run(thorough)
        if completed.returncode:
            return completed
        text = read_text(output, shown=f"{plan.path} (from uv)")
        return read_uv_output(text, plan, files, origin=plan.path, root_url=self._root_url)

    def _checked(self, found: Lock | Completed) -> Lock:
        if isinstance(found, Completed):
            raise _Failed(self._explained(found), found.output)
        return found

    def _with_pip(self) -> Lock:
        plan, wish = self._plan, self._wish
        python = self._processes.pip_python(plan.points[0].python)
        fixed = "".join(f"{one.text}\n" for one in wish.upgrades if one.specifier)
        kept = _of_index(self._staying())
        write_atomically(self._folder / "kept.txt", pin_lines(kept) + fixed)
        write_atomically(self._folder / "fixed.txt", fixed)
        # pip has no preferences: what cannot be kept as it is gets resolved without the old pins.
        keeping, without = (
            pip_report(python, plan, self._files, folder=str(self._folder), root=self._root, kept=name)
            for name in ("kept.txt", "fixed.txt" if fixed else "")
        )
        anew = not kept and self._files == self._open
        ended = self._run_pip(without if anew else keeping)
        if ended.returncode and not anew:
            if not is_conflict(ended.output):
                raise NoxEnvsError(f"{self._explained(ended)}\n{_KEPT}")
            ended = self._run_pip(without)
        if ended.returncode:
            raise NoxEnvsError(self._explained(ended))
        text = read_text(self._folder / "report.json", shown=f"{plan.path} (from pip)")
        return read_pip_report(
            text, plan, origin=plan.path, project=self._project_name, root_url=self._root_url
        )

    def _run_pip(self, argv: tuple[str, ...]) -> Completed:
        """Run pip, once more for each time that it names commits which cannot stay."""
        self._hand_over(self._files)
        ended = self._processes.run(argv)
        return self._run_pip(argv) if ended.returncode and self._give_up(ended.output) else ended

    def _pylock(self, made: Lock) -> str:
        """Return the same resolution as a pylock: uv gets no other choice than the pins."""
        if not made.pins:
            python = f'requires-python = ">={self._plan.floor}"'
            return f'lock-version = "1.0"\n{python}\ncreated-by = "uv"\npackages = []\n'
        files = self._request(made.pins)
        self._hand_over(files)
        offline, online = (
            uv_compile_pylock(
                self._processes.uv,
                self._plan,
                files,
                folder=str(self._folder),
                root=self._root,
                cutoff=self._wish.cutoff,
                offline=offline,
                python=self._processes.python if offline else "",
            )
            for offline in (True, False)
        )
        if self._processes.run(offline).returncode:
            self._run(online)
        return read_text(self._folder / "pylock.toml", shown=f"{self._plan.path} (from uv)")

    def _run(self, argv: tuple[str, ...]) -> None:
        completed = self._processes.run(argv)
        if completed.returncode:
            raise NoxEnvsError(self._explained(completed))

    def _explained(self, completed: Completed) -> str:
        return explanation(
            completed.output,
            self._files,
            folder=str(self._folder),
            root_url=self._root_url,
            plans=self._wish.asking or (self._plan,),
            layers=self._wish.layers,
            code=completed.returncode,
        )


def _of_index(pins: Iterable[Pin]) -> tuple[Pin, ...]:
    return tuple(pin for pin in pins if pin.source.kind == "index")


def refuse_unfit(made: Lock) -> None:
    """Raise NoxEnvsError for everything that must not stand in a lock."""
    wrong: list[str] = []
    for pin in made.pins:
        if pin.source.kind in ("index", "archive") and not (pin.hashes or pin.source.hashes):
            wrong.append(f"{requirement_line(pin)}: the index gives no hash, and a lock without is no proof")
        if pin.source.url.rpartition("+")[2].startswith("file:"):
            wrong.append(f"{pin.name}: a path of this machine; write it relative to the spec")
        if holds_credentials(pin.source.url):
            wrong.append(f"{pin.name}: a URL with credentials; leave them to netrc or the keyring")
    if not wrong and holds_credentials(render(made)):
        wrong.append(f"{made.origin}: a URL with credentials; leave them to netrc or the keyring")
    if wrong:
        raise NoxEnvsError("\n".join(wrong))
