"""What uv does to bring a venv to what is expected, and the receipt of what it left."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

from nox_envs.errors import FileProblems, NoxEnvsError, Problem
from nox_envs.files import write_atomically
from nox_envs.findings import Finding, drift_in
from nox_envs.lock import resolve
from nox_envs.lock.pins import Pin, direct_reference, local_path
from nox_envs.lock.plan import LockPlan
from nox_envs.lock.text import requirement_line
from nox_envs.requirements.text import Declared
from nox_envs.spec.words import canonical_name, is_name
from nox_envs.values import replace, value
from nox_envs.venv.compare import Checked, Expectation, Own, hashes_digest
from nox_envs.venv.files import claims_of, owned_startup, relative
from nox_envs.venv.receipt import Receipt, Recorded
from nox_envs.venv.snapshot import SEEDS, Snapshot, file_digest, listed, record_digest

# What makes uv install again, and what may come damaged from its cache: a link leads there.
_AGAIN = frozenset({"source", "artifact", "file-modified", "file-missing", "broken-metadata"})
_DAMAGED = frozenset({"artifact", "file-modified", "broken-metadata"})


@value
class Uv:
    """How uv is run for one venv, from one plan.

    `python` is the venv's interpreter, `root` the spec's directory, `folder` takes the files that uv reads,
    `wheel` is that of this project, if one is installed. `run` takes its arguments; it may raise
    InstallFailed.
    """

    python: str
    root: Path
    folder: Path
    plan: LockPlan
    wheel: Path | None = None
    run: Callable[[tuple[str, ...]], object]


def fresh(snapshot: Snapshot) -> Receipt:
    """Return the receipt of a venv that only its creator has put anything into."""
    folders = (*snapshot.sites, snapshot.programs)
    paths = [os.path.join(folder, name) for folder in folders for name in listed(folder)]
    known = {os.path.join(snapshot.programs, name) for name, _ in snapshot.interpreter.facts}
    known |= claims_of(snapshot)[0].keys()
    created = [path for path in sorted(paths) if path not in known and not Path(path).is_dir()]
    seeds = [Recorded(name=one.name, version=one.version, seed=True) for one in snapshot.distributions]
    return Receipt(
        lock="",
        interpreter=snapshot.interpreter,
        distributions=tuple(seeds),
        created=tuple((relative(path, snapshot), file_digest(path)) for path in created),
    )


def receipt_of(snapshot: Snapshot, expectation: Expectation, before: Receipt) -> Receipt:
    """Return the receipt of a venv as it is now, after that of `before`, with the digest of its lock.

    Raises NoxEnvsError if uv is configured to install links.
    """
    if any("METADATA is a link" in one.defect for one in snapshot.distributions):
        raise NoxEnvsError("uv installed links, whose targets are not checked; set UV_LINK_MODE=copy")
    pins = {(pin.name, pin.version): pin for pin in expectation.pins}
    pinned = {pin.name for pin in expectation.pins}
    seeds = {(one.name, one.version) for one in before.distributions if one.seed}
    recorded: list[Recorded] = []
    for one in snapshot.distributions:
        pin = pins.get((one.name, one.version)) or pins.get((one.name, ""))
        source = pin.source if pin else one.source
        folder = local_path(source.url) if source.kind == "directory" else ""
        record = Recorded(
            name=one.name,
            version=one.version,
            source=f"{'-e ' if one.source.editable else ''}{direct_reference(one.source)}",
            record=record_digest(one),
            hashes=hashes_digest(pin) if pin else "",
            folder=expectation.fingerprint(folder) if folder else "",
            seed=(one.name, one.version) in seeds and one.name not in pinned,
        )
        recorded.append(record)
    # The clock of the file system is coarser than that of the machine.
    os.utime(snapshot.location)
    names = {name for name in snapshot.names if not re.search(r"(?i)^__pycache__$|\.(dist-info|tmp)$", name)}
    return Receipt(
        lock=before.lock,
        interpreter=snapshot.interpreter,
        distributions=tuple(recorded),
        startup=owned_startup(snapshot),
        created=before.created,
        names=tuple(sorted(names)),
        location=os.path.realpath(snapshot.location),
        installed=before.installed or Path(snapshot.location).stat().st_mtime_ns,
    )


def sync(uv: Uv, checked: Checked) -> None:
    """Install, change and remove what differs; what may be damaged does not come from uv's cache."""
    expectation, found, own = checked.expectation, drift_in(checked.findings), checked.expectation.own
    name = canonical_name(uv.wheel.name.partition("-")[0]) if uv.wheel else own.name if own else ""
    pins = [pin for pin in expectation.pins if not own or pin.name != name]
    wanted = {name, *(pin.name for pin in pins)} - {""}
    again = {one.package for one in found if one.kind in _AGAIN} & wanted
    again |= {pin.name for pin in pins if pin.source.kind == "directory" and not pin.source.editable}
    if uv.wheel:
        again.add(name)
    if not expectation.receipt:
        again |= SEEDS & wanted  # what the creator put there has not been compared with a hash
    folders = [pin.name for pin in pins if pin.source.kind == "directory"]
    folders += [own.name] if own and not uv.wheel else []
    damaged = any(one.kind in _DAMAGED and not one.actual.endswith("is missing") for one in found)
    options = [f"--reinstall-package={one}" for one in sorted(again)]
    options += [*resolve.refresh_options(folders), *(["--no-cache", "--link-mode=copy"] if damaged else ())]
    lines: dict[str, dict[str, None]] = {}  # several lock files may give the same pin with other hashes
    for pin in pins:
        line = f"{'-e ' if pin.source.editable else ''}{requirement_line(replace(pin, marker='', extras=()))}"
        lines.setdefault(line, {}).update(dict.fromkeys(pin.hashes))
    texts = [*(_hashed(line, hashes) for line, hashes in lines.items()), *_own_lines(own, uv.wheel)]
    if texts or not SEEDS.issuperset(one.name for one in checked.snapshot.distributions):
        _pip(uv, "sync", *options, "--allow-empty-requirements", _written(uv, "requirements.txt", texts))


def install(uv: Uv, own: Own | None, *, extras: tuple[str, ...] = (), layers: Iterable[Pin] = ()) -> None:
    """Install what a plan without a lock requires into an empty venv, and the project itself with `extras`.

    `layers` are pins of other locks, which constrain it. Raises FileProblems for a hash that uv would ignore.
    """
    plan = uv.plan
    message, hint = "a hash is only checked where a version is pinned", "write NAME==VERSION before it"
    wrong = [
        Problem(place=one.place, message=f"{one.name}: {message}", hint=hint)
        for one in (*plan.requirements, *plan.constraints)
        if one.hashes and not (one.url or one.path or re.fullmatch("==[^,]+", one.specifier))
    ]
    if wrong:
        raise FileProblems(wrong)
    lines = [*_declared_lines(uv, plan.requirements), *_own_lines(own, uv.wheel, extras)]
    limits = [requirement_line(pin) for pin in layers if not pin.source.url.startswith(".")]
    limits += _declared_lines(uv, plan.constraints)
    folders = [one.name for one in plan.requirements if one.path]
    options = [*resolve.resolution_options(plan)]
    if plan.own and not own:  # its dependencies alone, which take a build to know
        names = ("pyproject.toml", "setup.py", "setup.cfg")
        source = next((name for name in names if (uv.root / name).is_file()), names[0])
        options += [f"--requirements={uv.root / source}", *(f"--extra={extra}" for extra in plan.own.extras)]
        folders.append(plan.own.name)
    folders += [own.name] if own and not uv.wheel else []
    options += [f"--constraints={_written(uv, 'constraints.txt', limits)}"] if limits else []
    options += [f"--requirements={_written(uv, 'requirements.txt', lines)}"] if lines else []
    if lines or plan.own:
        _pip(uv, "install", *resolve.refresh_options(folders), *options)


def build_wheel(uv: Uv, into: Path) -> Path:
    """Build the project in `uv.root` from an sdist, into an empty folder, and return the wheel."""
    options = (*_shared(uv), *resolve.index_options(uv.plan), f"--out-dir={into}")
    uv.run(("build", *options, str(uv.root)))
    wheels = sorted(into.glob("*.whl"))
    if len(wheels) != 1:
        raise NoxEnvsError(f"uv build left {len(wheels)} wheels in {into}, not one")
    return wheels[0]


def needs_recreate(findings: Iterable[Finding], expectation: Expectation) -> str:
    """Return why only a new venv fixes one of some findings, empty if `sync` fixes them all."""
    found, receipt = drift_in(findings), expectation.receipt
    recorded, startup = (receipt.distributions, receipt.startup) if receipt else ((), ())
    installed = {one.name for one in recorded if not one.seed} | {pin.name for pin in expectation.pins}
    installed |= {one.package for one in found if one.kind == "extraneous"}
    for one in found:
        if one.kind == "python":
            return f"expected {one.expected}, found {one.actual}"
        # uv reads a RECORD to remove a package, and starts the venv's Python.
        broken = one.kind in ("artifact", "broken-metadata")
        record = broken and re.search("RECORD|is a link", one.actual)
        hook = one.path.replace(os.sep, "/").endswith(tuple(f"/{path}" for path, _ in startup))
        ending = PurePath(one.path).suffix
        odd = ending in (".egg-info", ".egg-link", ".DIST-INFO") or not is_name(one.package or "x")
        # uv leaves these alone in a venv that it did not create.
        seed = one.kind == "extraneous" and one.package in (*SEEDS, "uv")
        other = one.kind in _AGAIN and one.package not in installed
        beyond = one.kind in ("startup-hook", "leftover", "duplicate")  # uv neither removes nor repairs these
        if beyond or record or hook or odd or seed or other:
            return f"{one.kind}: {one.package or PurePath(one.path).name}"
    return ""


def _pip(uv: Uv, verb: str, *options: str) -> None:
    uv.run(("pip", verb, *_shared(uv), "--verify-hashes", *resolve.source_options(uv.plan), *options))


def _shared(uv: Uv) -> Iterator[str]:
    """Yield the options of every run; only the user's own settings count, not those of the project."""
    write_atomically(uv.folder / "pyproject.toml", "[tool.uv]\n", durable=False)
    yield from (f"--project={uv.folder}", f"--python={uv.python}", "--no-sources", "--no-progress")
    if uv.plan.build_constraints:
        limits = _declared_lines(uv, uv.plan.build_constraints)
        yield f"--build-constraints={_written(uv, 'build-constraints.txt', limits)}"


def _written(uv: Uv, name: str, lines: Iterable[str]) -> str:
    write_atomically(uv.folder / name, "".join(f"{line}\n" for line in lines), durable=False)
    return str(uv.folder / name)


def _own_lines(own: Own | None, wheel: Path | None, extras: tuple[str, ...] = ()) -> list[str]:
    if own is None:
        return []
    named = f"[{','.join(extras)}]" if extras else ""
    if wheel:
        return [f"{wheel.name.partition('-')[0]}{named} @ {wheel.as_uri()}"]
    url = Path(own.directory).as_uri()
    return [f"-e {own.name}{named} @ {url}" if own.name else f"-e {url}{named}"]


def _declared_lines(uv: Uv, listed: Iterable[Declared]) -> list[str]:
    return [
        _hashed(f"{'-e ' if one.editable and one.path else ''}{resolve.uv_line(one, uv.root)}", one.hashes)
        for one in listed
    ]


def _hashed(line: str, hashes: Iterable[str]) -> str:
    return " ".join([line, *(f"--hash={digest}" for digest in hashes)])
