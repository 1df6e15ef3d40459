"""What uv does to bring a venv to what is expected, and the receipt of what it left."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

from nox_envs.errors import FileProblems, NoxEnvsError, Problem
from nox_envs.files import write_atomically
from nox_envs.findings import Finding, drift_in
from nox_envs.lock.pins import Pin, direct_reference, local_path
from nox_envs.lock.plan import LockPlan
from nox_envs.lock.resolve import refresh_options, resolution_options, source_options
from nox_envs.lock.text import requirement_line
from nox_envs.requirements.text import Declared, requirement_text
from nox_envs.spec.types import Pairs
from nox_envs.spec.words import canonical_name, is_name
from nox_envs.values import replace, value
from nox_envs.venv.check import Checked
from nox_envs.venv.compare import (
    Expectation,
    Fingerprint,
    Own,
    absolute_source,
    hashes_digest,
    own_name,
    without_own,
)
from nox_envs.venv.files import claimed_rows, file_digest, placed, relative
from nox_envs.venv.receipt import Receipt, Recorded
from nox_envs.venv.snapshot import SEEDS, Snapshot, is_interpreter, listed, programs, record_digest
from nox_envs.venv.startup import owned_startup

# What makes uv install again, and what may come damaged from its cache: a link leads there.
_AGAIN = frozenset({"source", "artifact", "file-modified", "file-missing", "broken-metadata"})
_DAMAGED = frozenset({"artifact", "file-modified", "broken-metadata"})
# What uv neither removes nor repairs.
_BEYOND = frozenset({"startup-hook", "leftover", "duplicate"})
_ODD = frozenset({".egg-info", ".egg-link", ".DIST-INFO"})


@value
class Uv:
    """How uv is run for one venv, from one plan.

    `program` is uv, `python` the venv's interpreter, `root` the spec's directory, `folder` a folder for the
    files that uv reads, `wheel` the wheel of this project to install, if any. `run` runs a command; it raises
    InstallFailed.
    """

    program: str
    python: str
    root: Path
    folder: Path
    plan: LockPlan
    wheel: Path | None = None
    run: Callable[[tuple[str, ...]], object]


@value
class Fresh:
    """What the creator of a venv put there: distributions (name, version), and files (path, digest)."""

    seeds: Pairs = ()
    files: Pairs = ()


def fresh(snapshot: Snapshot) -> Fresh:
    """Return what is in a venv in which nothing was installed yet."""
    folders = [*snapshot.sites, *filter(None, [programs(snapshot.location)])]
    paths = [os.path.join(folder, name) for folder in folders for name in listed(folder)]
    claimed = {
        placed(os.path.dirname(one.path), written, snapshot.location)  # noqa: PTH120
        for one in snapshot.distributions
        for written, _, _ in claimed_rows(one)[0]
    }
    paths = [path for path in paths if path not in claimed and not is_interpreter(PurePath(path).name)]
    return Fresh(
        seeds=tuple((one.name, one.version) for one in snapshot.distributions),
        files=tuple(
            (relative(path, snapshot), file_digest(path)) for path in paths if not Path(path).is_dir()
        ),
    )


def kept(receipt: Receipt) -> Fresh:
    """Return what the creator of a venv put there, from its receipt."""
    seeds = tuple((one.name, one.version) for one in receipt.distributions if one.seed)
    return Fresh(seeds=seeds, files=receipt.created)


def receipt_of(
    snapshot: Snapshot,
    expectation: Expectation,
    made: Fresh,
    *,
    lock: str,
    root: Path,
    fingerprint: Fingerprint = lambda folder: "",
) -> Receipt:
    """Return the receipt of a venv as it is now.

    An earlier one in `expectation` says since when files are right. `made` is what the venv's creator left,
    `lock` the digest of what was installed from; see `compare` on `root` and `fingerprint`. Raises
    NoxEnvsError if uv is configured to install links.
    """
    if any("METADATA is a link" in one.defect for one in snapshot.distributions):
        raise NoxEnvsError("uv installed links, whose targets are not checked; set UV_LINK_MODE=copy")
    earlier = expectation.receipt
    names = {name for site in snapshot.sites for name in listed(site)}
    return Receipt(
        lock=lock,
        interpreter=snapshot.interpreter,
        installer="uv",
        distributions=tuple(_recorded(snapshot, expectation, made, root, fingerprint)),
        startup=owned_startup(snapshot),
        created=made.files,
        names=tuple(
            sorted(name for name in names if not re.search(r"(?i)^__pycache__$|\.(dist-info|tmp)$", name))
        ),
        location=os.path.realpath(snapshot.location),
        installed=earlier.installed if earlier else _now(snapshot.location),
    )


def _recorded(
    snapshot: Snapshot, expectation: Expectation, made: Fresh, root: Path, fingerprint: Fingerprint
) -> Iterator[Recorded]:
    pins = {(pin.name, pin.version): pin for pin in expectation.pins}
    pinned = {pin.name for pin in expectation.pins}
    for one in snapshot.distributions:
        pin = pins.get((one.name, one.version)) or pins.get((one.name, ""))
        editable = "-e " if one.source.editable else ""
        source = absolute_source(pin, str(root)) if pin else one.source
        yield Recorded(
            name=one.name,
            version=one.version,
            source=f"{editable}{direct_reference(one.source)}",
            record=record_digest(one),
            hashes=hashes_digest(pin) if pin else "",
            folder=fingerprint(local_path(source.url)) if source.kind == "directory" else "",
            seed=(one.name, one.version) in made.seeds and one.name not in pinned,
        )


def _now(folder: str) -> int:
    """Return the time by the clock of the file system, which is coarser than that of the machine."""
    os.utime(folder)
    return Path(folder).stat().st_mtime_ns


# Installing.


def sync(uv: Uv, checked: Checked) -> None:
    """Bring a venv to what is expected: install, change and remove in one run of `uv pip sync`.

    What is damaged is installed again, and not from uv's cache if that may be damaged too.
    """
    own, found = checked.expectation.own, drift_in(checked.findings)
    name = _wheel_name(uv.wheel) if uv.wheel else own_name(own, checked.snapshot)
    pins = tuple(without_own(checked.expectation, name, str(uv.root)))
    wanted = {name, *(pin.name for pin in pins)}
    again = {one.package for one in found if one.kind in _AGAIN} & wanted
    again |= {pin.name for pin in pins if pin.source.kind == "directory" and not pin.source.editable}
    if uv.wheel:
        again.add(name)
    if not checked.expectation.receipt:
        again |= SEEDS & wanted  # what the creator put there has not been compared with a hash
    folders = [pin.name for pin in pins if pin.source.kind == "directory"]
    folders += [own.name] if own and not uv.wheel else []
    damaged = any(one.kind in _DAMAGED and not one.actual.endswith("is missing") for one in found)
    options = [f"--reinstall-package={one}" for one in sorted(again)]
    options += [*refresh_options(folders), *(["--no-cache", "--link-mode=copy"] if damaged else ())]
    lines = [*_pin_lines(pins, uv.root), *_own_lines(own, uv.wheel)]
    if lines or not SEEDS.issuperset(one.name for one in checked.snapshot.distributions):
        _pip(uv, "sync", *options, "--allow-empty-requirements", _written(uv, "requirements.txt", lines))


def _wheel_name(wheel: Path) -> str:
    return canonical_name(wheel.name.partition("-")[0])


def install(uv: Uv, own: Own | None, *, extras: tuple[str, ...] = (), layers: Iterable[Pin] = ()) -> None:
    """Install what a plan without a lock requires into an empty venv, and the project itself with `extras`.

    `layers` are pins of other locks, which constrain what is chosen. Raises FileProblems for a hash that uv
    would not check.
    """
    plan = uv.plan
    _refuse_unchecked((*plan.requirements, *plan.constraints))
    lines = [*_declared_lines(plan.requirements, uv.root), *_own_lines(own, uv.wheel, extras)]
    limits = [
        requirement_line(replace(pin, extras=())) for pin in layers if not pin.source.url.startswith(".")
    ]
    limits += _declared_lines(plan.constraints, uv.root)
    folders = [one.name for one in plan.requirements if one.path]
    options = [*resolution_options(plan)]
    if plan.own and not own:  # its dependencies alone, which take a build to know
        names = ("pyproject.toml", "setup.py", "setup.cfg")
        source = next((name for name in names if (uv.root / name).is_file()), names[0])
        options += [f"--requirements={uv.root / source}", *(f"--extra={extra}" for extra in plan.own.extras)]
        folders.append(plan.own.name)
    folders += [own.name] if own and not uv.wheel else []
    options += [f"--constraints={_written(uv, 'constraints.txt', limits)}"] if limits else []
    options += [f"--requirements={_written(uv, 'requirements.txt', lines)}"] if lines else []
    if lines or plan.own:
        _pip(uv, "install", *refresh_options(folders), *options)


def build_wheel(uv: Uv, into: Path) -> Path:
    """Build the project in `uv.root` from an sdist, into an empty folder, and return the wheel."""
    argv = (uv.program, "build", f"--project={_settings(uv)}", "--no-sources", f"--python={uv.python}")
    uv.run((*argv, *_sources(uv), f"--out-dir={into}", str(uv.root)))
    wheels = sorted(into.glob("*.whl"))
    if len(wheels) != 1:
        raise NoxEnvsError(f"uv build left {len(wheels)} wheels in {into}, not one")
    return wheels[0]


def needs_recreate(findings: Iterable[Finding], expectation: Expectation) -> str:
    """Return why only a new venv fixes one of some findings, empty if `sync` fixes them all."""
    found, receipt = drift_in(findings), expectation.receipt
    installed = {one.name for one in receipt.distributions if not one.seed} if receipt else set()
    installed |= {pin.name for pin in expectation.pins} | {
        one.package for one in found if one.kind == "extraneous"
    }
    startup = tuple(f"/{path}" for path, _ in receipt.startup) if receipt else ()
    for one in found:
        if one.kind == "python":
            return f"expected {one.expected}, found {one.actual}"
        # uv reads a RECORD to remove a package, and starts the venv's Python.
        record = one.kind == "broken-metadata" and ("RECORD" in one.actual or "is a link" in one.actual)
        hook = one.path.replace(os.sep, "/").endswith(startup)
        odd = PurePath(one.path).suffix in _ODD or not is_name(one.package or "x")
        # uv leaves these alone in a venv that it did not create.
        seed = one.kind == "extraneous" and one.package in (*SEEDS, "uv")
        other = one.kind in _AGAIN and one.package not in installed
        if one.kind in _BEYOND or record or hook or odd or seed or other:
            return f"{one.kind}: {one.package or PurePath(one.path).name}"
    return ""


# What uv is told.


def _pip(uv: Uv, verb: str, *options: str) -> None:
    argv = [uv.program, "pip", verb, f"--python={uv.python}", f"--project={_settings(uv)}", "--no-progress"]
    argv += ["--no-sources", "--verify-hashes", *_sources(uv)]
    uv.run((*argv, *options))


def _settings(uv: Uv) -> Path:
    """Return a folder whose settings uv takes for those of the project; those of the user still count."""
    write_atomically(uv.folder / "pyproject.toml", "[tool.uv]\n", durable=False)
    return uv.folder


def _sources(uv: Uv) -> Iterator[str]:
    """Yield the options that say where packages come from, and what limits their builds."""
    yield from source_options(uv.plan)
    if limits := _declared_lines(uv.plan.build_constraints, uv.root):
        yield f"--build-constraints={_written(uv, 'build-constraints.txt', limits)}"


def _written(uv: Uv, name: str, lines: Iterable[str]) -> str:
    write_atomically(uv.folder / name, "".join(f"{line}\n" for line in lines), durable=False)
    return str(uv.folder / name)


def _pin_lines(pins: Iterable[Pin], root: Path) -> list[str]:
    """Return a line for each pin; several lock files may give the same one with other hashes."""
    lines: dict[str, dict[str, None]] = {}
    for pin in pins:
        source = absolute_source(pin, str(root))
        line = requirement_line(replace(pin, source=source, marker="", extras=()))
        editable = source.editable and source.kind == "directory"
        lines.setdefault(f"-e {line}" if editable else line, {}).update(dict.fromkeys(pin.hashes))
    return [_hashed(line, hashes) for line, hashes in lines.items()]


def _hashed(line: str, hashes: Iterable[str]) -> str:
    return " ".join([line, *(f"--hash={digest}" for digest in hashes)])


def _own_lines(own: Own | None, wheel: Path | None, extras: tuple[str, ...] = ()) -> list[str]:
    if own is None:
        return []
    named = f"[{','.join(extras)}]" if extras else ""
    if wheel:
        return [f"{_wheel_name(wheel)}{named} @ {wheel.as_uri()}"]
    url = Path(own.directory).as_uri()
    return [f"-e {own.name}{named} @ {url}" if own.name else f"-e {url}{named}"]


def _declared_lines(listed: Iterable[Declared], root: Path) -> list[str]:
    lines: list[str] = []
    for one in listed:
        editable = "-e " if one.editable and one.path else ""
        if one.path:
            url = Path(os.path.normpath(root / one.path)).as_uri()
            one = replace(one, path="", url=url) if one.name else replace(one, path=url)
        lines.append(_hashed(editable + requirement_text(replace(one, editable=False)), one.hashes))
    return lines


def _refuse_unchecked(listed: Iterable[Declared]) -> None:
    """Refuse hashes that uv would not look at."""
    message, hint = "a hash is only checked where a version is pinned", "write NAME==VERSION before it"
    wrong = [
        Problem(place=one.place, message=f"{one.name}: {message}", hint=hint)
        for one in listed
        if one.hashes and not one.url and not (one.specifier.startswith("==") and "," not in one.specifier)
    ]
    if wrong:
        raise FileProblems(wrong)
