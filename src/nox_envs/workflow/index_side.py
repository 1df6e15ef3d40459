"""Owns link (5) for the points of a project: what is asked about their locks, and what that finds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from nox_envs.drift import Finding
from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.index.asking import Question, Told, ask_pages, ask_vulnerabilities
from nox_envs.index.comparison import Admission, Remark, advisory_remarks, release_remarks
from nox_envs.index.configuration import Configured, Machine, certificates, configured
from nox_envs.index.credentials import Credentials, origin_of
from nox_envs.index.exports import read_export
from nox_envs.index.fetching import Fetcher
from nox_envs.index.types import File, Vulnerability
from nox_envs.lockfile.freshness import declared_environment, place_of
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.platforms import platform_of
from nox_envs.lockfile.satisfaction import Markers, satisfies
from nox_envs.matrix import Point
from nox_envs.pins import Pin
from nox_envs.policy import INDEX_KINDS
from nox_envs.resolvers.settings import general, owners
from nox_envs.spec.types import Index
from nox_envs.values import replace, value
from nox_envs.workflow.expectation import askers, lock_command
from nox_envs.workflow.locking.cooldown import cutoff
from nox_envs.workflow.project import Project

_PLATFORMS = ("linux", "macos", "windows")
_SECONDS = 20.0


@value
class IndexRequest:
    """Say what link (5) is checked with.

    `online` asks indexes, for `seconds` in all (None: 20); `url` is the index to ask in place of the
    configured ones, empty for these. `advisories` are local OSV exports. `environ` and `prefix`, that
    of the running Python, tell the settings of installers; `now` is the time, with a time zone.
    """

    environ: Mapping[str, str]
    prefix: Path
    now: datetime
    online: bool = False
    seconds: float | None = None
    url: str = ""
    advisories: tuple[Path, ...] = ()


class IndexSide:
    """Hold what indexes and advisories say of the locks of `points`; all is asked when it is made.

    `notes` tell what could not be asked, `unchecked` are the kinds of findings that, for this or
    another reason, are not known to be absent. Raises NoxEnvsError for settings and advisories that
    cannot be read; an index that does not answer is a note.
    """

    def __init__(self, project: Project, points: tuple[Point, ...], request: IndexRequest) -> None:
        if not request.online and (request.url or request.seconds):
            raise NoxEnvsError("--index-url and --online-timeout say how to ask an index: add --online")
        self._now = request.now
        pins = {pin for point in points for pin in _readable_pins(project, point)}
        names = frozenset(pin.name for pin in pins)
        exports = tuple((path, read_export(path, names)) for path in request.advisories)
        told = _ask(project, _versions(pins), request) if request.online else Told()
        self.notes = (*told.notes, *(_unread(path, one.unread) for path, one in exports if one.unread))
        self._files: dict[str, list[File]] = {}
        for page in told.pages:
            self._files.setdefault(page.name, []).extend(page.files)
        self._vulnerabilities: dict[str, list[Vulnerability]] = {}
        for one in (*told.vulnerabilities, *(v for _, export in exports for v in export.vulnerabilities)):
            self._vulnerabilities.setdefault(one.package, []).append(one)
        found = {"outdated", "yanked"} if told.complete else set()
        found |= {"advisory"} if told.served or exports else set()
        self.unchecked = INDEX_KINDS - found

    def findings(self, project: Project, points: tuple[Point, ...]) -> tuple[Finding, ...]:
        """Return what there is to say of the locks of some points."""
        return tuple(finding for point in points for finding in self._of_point(project, point))

    def _of_point(self, project: Project, point: Point) -> tuple[Finding, ...]:
        plan = project.plan_of(point)
        pins = locked_pins(project, plan, point)
        why = askers(plan, pins)
        return tuple(
            _finding(project, plan, point, pin, remark, why(pin.name))
            for pin in pins
            for remark in self._remarks(plan, point, pin, project.host)
        )

    def _remarks(self, plan: LockPlan, point: Point, pin: Pin, host: Mapping[str, str]) -> Iterator[Remark]:
        yield from advisory_remarks(pin, self._vulnerabilities.get(pin.name, ()))
        if pin.source.kind == "index":
            files = tuple(self._files.get(pin.name, ()))
            yield from release_remarks(pin, files, self._admission(plan, point, pin, host))

    def _admission(self, plan: LockPlan, point: Point, pin: Pin, host: Mapping[str, str]) -> Admission:
        prereleases = point.allow_prereleases
        named = plan.options.exclude_newer or ""
        exempt = pin.name in (plan.options.exclude_newer_exempt or ())
        return Admission(
            python=_python(plan, point, host),
            prereleases=prereleases if isinstance(prereleases, bool) else pin.name in prereleases,
            before="" if exempt else cutoff(named, self._now) or named,
        )


class Asked(Protocol):
    """Say what is taken of the words of a command line; see `arguments.add_index_options`."""

    environments: Sequence[str]
    format: str
    online: bool
    online_timeout: float | None
    index_url: str
    advisories: Sequence[Path]


def index_side(
    project: Project,
    asked: Asked,
    *,
    environ: Mapping[str, str],
    prefix: Path,
    now: datetime,
    note: Callable[[str], None],
) -> IndexSide:
    """Ask what indexes and advisories say of the environments that are named in `asked`.

    `environ`, `prefix` and `now` are those of `IndexRequest`. `note` gets each note; of a report in text
    on a terminal none, since they stand in it. Errors are those of `IndexSide`.
    """
    request = IndexRequest(
        environ=environ,
        prefix=prefix,
        now=now,
        online=asked.online,
        seconds=asked.online_timeout,
        url=asked.index_url,
        advisories=tuple(asked.advisories),
    )
    index = IndexSide(project, project.points_of(tuple(asked.environments)), request)
    if asked.format != "text" or not sys.stdout.isatty():
        for one in index.notes:
            note(one)
    return index


def _python(plan: LockPlan, point: Point, host: Mapping[str, str]) -> str:
    """Return the full version of a point's Python: the newest patch where only the minor is known."""
    minor = declared_environment(point.python, plan.floor, host)["python_version"]
    here = host["python_full_version"]
    return here if here.startswith(f"{minor}.") else f"{minor}.99"


def locked_pins(project: Project, plan: LockPlan, point: Point) -> tuple[Pin, ...]:
    """Return the pins of a lock that a point installs on some platform; none without a lock.

    Raises NoxEnvsError for a marker that cannot be evaluated.
    """
    lock = project.lock_of(plan) if plan.path else None
    if lock is None:
        return ()
    contexts = [
        Markers(declared_environment(point.python, plan.floor, platform_of(word).variables(project.host)))
        for word in plan.platforms or _PLATFORMS
    ]
    return tuple(
        pin
        for pin in lock.pins
        if pin.version and (not pin.marker or any(context.hold(pin.marker) for context in contexts))
    )


def _readable_pins(project: Project, point: Point) -> tuple[Pin, ...]:
    """Return the pins of a point; none where its files cannot be read, as whoever reports on it says."""
    try:
        return locked_pins(project, project.plan_of(point), point)
    except FileProblems:
        return ()


def _versions(pins: set[Pin]) -> dict[str, tuple[str, ...]]:
    """Return the versions that are pinned of each package that comes from an index."""
    names = sorted({pin.name for pin in pins if pin.source.kind == "index"})
    return {name: tuple(sorted({pin.version for pin in pins if pin.name == name})) for name in names}


def _finding(
    project: Project, plan: LockPlan, point: Point, pin: Pin, remark: Remark, why: tuple[str, ...]
) -> Finding:
    lock = project.lock_of(plan)
    return replace(
        remark.finding,
        environment=point.environment,
        session=point.session,
        line=place_of(pin, lock) if lock else "",
        why=why,
        fix=_fix(project, plan, remark),
    )


def _fix(project: Project, plan: LockPlan, remark: Remark) -> str:
    """Return what to type, and first what to edit, where a requirement keeps the remedy out."""
    if plan.foreign:
        foreign = project.foreign(plan)
        return foreign.command if foreign else ""
    name, target = remark.finding.package, remark.target
    if not target and remark.finding.kind == "yanked":
        return f"replace {name}, of which the index has no other version for this environment, or ignore it"
    command = f"{lock_command(plan)} --upgrade-package {name}"
    for declared in (*plan.requirements, *plan.constraints):
        if target and declared.name == name and not satisfies(declared.specifier, target):
            return f"allow {name} {target} at {declared.place}, then {command}"
    return f"{command}  # fixed in {target}" if target and remark.finding.kind == "advisory" else command


def _ask(project: Project, wanted: Mapping[str, tuple[str, ...]], request: IndexRequest) -> Told:
    """Ask the index of each package; those of the spec come first, as they do for installers."""
    indexes = project.spec.indexes
    machine = Machine(environ=request.environ, prefix=request.prefix, root=project.root)
    own = owners(indexes)
    others = _others(indexes, request.url, machine)
    questions = tuple(
        Question(
            name=name,
            versions=versions,
            indexes=(own[name].url,) if name in own else others.urls,
            merged=others.merged and name not in own,
        )
        for name, versions in wanted.items()
        if name in own or others.urls
    )
    notes = () if len(questions) == len(wanted) else (_NO_INDEX,)
    urls = (*_with_credentials(indexes, machine.environ), *(one.url for one in indexes), *others.urls)
    credentials = Credentials(urls, machine.netrc)
    fetcher = Fetcher(request.seconds or _SECONDS, credentials, certificates(machine))
    told = ask_pages(questions, fetcher)
    told = ask_vulnerabilities(questions, told, fetcher, needed=not request.advisories)
    return replace(told, notes=(*notes, *told.notes), complete=told.complete and not notes)


_NO_INDEX = "no index is configured for uv or pip, so none was asked; name one with --index-url URL"


def _others(indexes: tuple[Index, ...], url: str, machine: Machine) -> Configured:
    """Return the indexes of packages that have none of their own; raises NoxEnvsError for a bad URL."""
    if url:
        origin_of(url)
        return Configured(urls=(url,))
    urls = tuple(index.url for index in general(indexes))
    return Configured(urls=urls) if urls else configured(machine)


def _with_credentials(indexes: tuple[Index, ...], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the URLs of named indexes with the user and password that uv takes for them.

    Source: uv, package indexes, providing credentials directly (`UV_INDEX_NAME_PASSWORD`).
    """
    from urllib.parse import quote, urlsplit

    for index in indexes:
        name = "".join(c if c.isalnum() else "_" for c in index.name).upper()
        user, password = (environ.get(f"UV_INDEX_{name}_{what}", "") for what in ("USERNAME", "PASSWORD"))
        if user or password:
            parts = urlsplit(index.url)
            yield parts._replace(netloc=f"{quote(user, '')}:{quote(password, '')}@{parts.netloc}").geturl()


def _unread(path: Path, names: tuple[str, ...]) -> str:
    return f"{path}: {len(names)} of its files hold no OSV record, such as {names[0]}"
