"""The comparison of what is installed with what is expected (link 2)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path, PurePath

from nox_envs.findings import Finding, Findings, Severity, finding
from nox_envs.lock import pins as locked
from nox_envs.lock.pins import Pin, Source, differs, local_path, source_of_path
from nox_envs.spec.words import Python, parse_python
from nox_envs.values import replace, value
from nox_envs.venv.receipt import Receipt, moved
from nox_envs.venv.snapshot import SEEDS, Distribution, Interpreter, Snapshot, record_digest


@value
class Own:
    """This project itself, in an absolute `directory`, with a canonical name as far as it is known.

    `mode` is editable or wheel, `wheels` the folder of the wheels that we build.
    """

    directory: str
    mode: str
    wheels: str = ""
    name: str = ""


@value
class Expectation:
    """What a venv should hold.

    `pins` are those whose marker holds in the venv, with absolute paths, `inactive` the others; `own` is none
    of them. `python` is the point's interpreter as written. `fingerprint` returns that of the metadata of a
    local folder (see LocalProject).
    """

    pins: tuple[Pin, ...]
    inactive: tuple[Pin, ...] = ()
    own: Own | None = None
    python: str | None = None
    receipt: Receipt | None = None
    fingerprint: Callable[[str], str] = lambda folder: ""


@value
class Checked:
    """A venv as it was found, what was expected of it, and every difference, worst first."""

    snapshot: Snapshot
    expectation: Expectation
    findings: Findings


def compare(expectation: Expectation, snapshot: Snapshot) -> Findings:
    """Return every difference between a venv and what is expected, without place, reason and fix."""
    return (
        *_python_findings(expectation, snapshot),
        *_Packages(expectation, snapshot).findings(),
        *(finding("leftover", actual=PurePath(path).name, path=path) for path in snapshot.leftovers),
    )


def _python_findings(expectation: Expectation, snapshot: Snapshot) -> Iterator[Finding]:
    actual, receipt = snapshot.interpreter, expectation.receipt
    if receipt and moved(receipt, Path(snapshot.location)):
        yield finding("python", expected=f"a venv at {receipt.location}", actual="it was moved or copied")
    for path in snapshot.overrides:
        yield finding("startup-hook", actual="decides where Python looks for modules", path=path)
    declared = parse_python(expectation.python) if expectation.python else None
    known = receipt.interpreter if receipt else actual
    for expected in (declared, known):
        if expected and (severity := _severity(expected, actual)):
            told = expected.text if isinstance(expected, Python) else str(expected)
            yield finding("python", expected=told, actual=str(actual), severity=severity)
            if severity == "error":
                return
            break
    built, now = dict(known.facts), dict(actual.facts)
    changed = sorted(name for name in {*built, *now} if built.get(name) != now.get(name))
    for name in changed[:1]:
        before, after = (f"{name}: {one.get(name, 'nothing')}" for one in (built, now))
        yield finding("python", expected=before, actual=after)
    if known.state not in ("", actual.state) and not changed:
        before, after = "the interpreter of the last session", "another one in its place"
        yield finding("python", severity="note", expected=before, actual=after)


def _severity(expected: Interpreter | Python, actual: Interpreter) -> Severity | None:
    """Return how bad it is that an interpreter is another one: another patch version is a note."""
    numbers, found = expected.version, actual.version.split(".")
    wanted = numbers.split(".") if isinstance(numbers, str) else [*map(str, numbers)]
    same = expected.implementation == actual.implementation and expected.free_threaded == actual.free_threaded
    if not same or wanted[:2] != found[: len(wanted[:2])]:
        return "error"
    return "note" if wanted[2:] and found[2:] and wanted[2:] != found[2:] else None


class _Packages:
    def __init__(self, expectation: Expectation, snapshot: Snapshot) -> None:
        self._expected = expectation
        recorded = expectation.receipt.distributions if expectation.receipt else ()
        self._recorded = {(one.name, one.version): one for one in recorded}
        self._installed: dict[str, list[Distribution]] = {}
        for one in snapshot.distributions:
            found = self._installed.setdefault(one.name, [])
            # `setup.py develop` may link a folder that is installed already.
            if found and not found[0].version and not differs(found[0].source, one.source):
                found.clear()
            found.append(one)
        self._pins: dict[str, list[Pin]] = {}
        for pin in expectation.pins:
            self._pins.setdefault(pin.name, []).append(pin)
        if own := expectation.own:
            source = source_of_path(own.directory, os.sep, editable=True)
            if own.mode == "wheel":
                source = Source(kind="archive", url=f"a wheel of {source.url}")
            name = own.name or PurePath(own.directory).name.lower()
            self._pins[name] = [Pin(name=name, version="", source=source)]

    def findings(self) -> Iterator[Finding]:
        """Yield what is missing, other, additional or damaged."""
        differing: list[Finding] = []
        for name, pins in self._pins.items():
            found = self._installed.get(name, [])
            if not found:
                differing.append(finding("missing", name, expected=_described(pins[0])))
            elif len(found) == 1:  # of a duplicate it is not decided which one is used
                # Overlapping markers make several pins of one name, and any of them will do.
                told = [[*self._differences(pin, found[0])] for pin in pins]
                fine = (some for some in told if all(one.severity != "error" for one in some))
                differing += next(fine, told[0])
        yield from differing
        wrong = {one.package for one in differing if one.severity == "error"}
        for name, found in self._installed.items():
            if len(found) > 1:
                expected = next((pin.version for pin in self._pins.get(name, [])), "")
                actual = ", ".join(f"{one.version} ({PurePath(one.path).name})" for one in found)
                yield finding("duplicate", name, expected=expected, actual=actual, path=found[0].path)
            elif name not in wrong:
                yield from self._record(found[0])
            for one in found:
                if one.defect:
                    yield finding("broken-metadata", name, actual=one.defect, path=one.path)
            if name not in self._pins:
                yield from self._additional(found[0])

    def _differences(self, pin: Pin, found: Distribution) -> Iterator[Finding]:
        name, path, source, own = found.name, found.path, found.source, self._expected.own
        apart = differs(pin.source, source)
        if apart and not (own and _is_own(own, found)):
            expected, actual = _described(pin), _described(found)
            yield finding(apart, name, expected=expected, actual=actual, path=path)
            if apart != "unverifiable":
                return
        same = not (pin.version and found.version) or locked.versions_equal(pin.version, found.version)
        if not same or ("+" in found.version and pin.version and "+" not in pin.version):
            # The version of an editable install is that of the day it was installed.
            severity: Severity = "note" if same or source.editable else "error"
            expected, actual = pin.version, found.version
            yield finding("version", name, expected=expected, actual=actual, path=path, severity=severity)
            if severity == "error":
                return
        recorded, hashes = self._recorded.get((name, found.version)), hashes_digest(pin)
        if recorded and hashes and recorded.hashes != hashes:
            how = "for other hashes" if recorded.hashes else "without a check of hashes"
            expected, actual = "one with a hash of the lock", f"one that was installed {how}"
            yield finding("artifact", name, expected=expected, actual=actual, path=path)
        elif recorded and recorded.folder and source.kind == "directory":
            folder = local_path(source.url)
            if self._expected.fingerprint(folder) not in ("", recorded.folder):
                expected, actual = f"{folder} as it is now", "installed before its metadata changed"
                yield finding("artifact", name, expected=expected, actual=actual, path=path)

    def _record(self, one: Distribution) -> Iterator[Finding]:
        """Yield that a RECORD is not the one of the installation: it belongs to another artifact."""
        recorded, own = self._recorded.get((one.name, one.version)), self._expected.own
        if own and own.mode == "wheel" and one.name == own.name:
            return  # each session installs it again
        if recorded is None or recorded.record in ("", now := record_digest(one)):
            return
        if now:
            expected, actual = "the artifact that was installed", f"another one of version {one.version}"
            actual += ", whose RECORD cannot be read" if now == "unreadable" else ""
            yield finding("artifact", one.name, expected=expected, actual=actual, path=one.path)
        else:
            path = os.path.join(one.path, "RECORD")
            yield finding("broken-metadata", one.name, actual="RECORD is missing", path=path)

    def _additional(self, one: Distribution) -> Iterator[Finding]:
        seeds = [known.version for known in self._recorded.values() if known.seed and known.name == one.name]
        if one.name in SEEDS and one.version in seeds:
            return
        markers = sorted({pin.marker for pin in self._expected.inactive if pin.name == one.name})
        expected = f"nothing here (only where {' or '.join(markers)})" if markers else ""
        expected = f"{seeds[0]}, which came with the venv" if seeds else expected
        yield finding("extraneous", one.name, expected=expected, actual=_described(one), path=one.path)


def _described(one: Pin | Distribution) -> str:
    if one.source.kind == "index":
        return one.version
    reference = f"{'-e ' if one.source.editable else ''}{locked.direct_reference(one.source)}"
    return f"{one.version} ({reference})" if one.version else reference


def _is_own(own: Own, found: Distribution) -> bool:
    """Return whether a distribution is this project, installed in the way that is asked for."""
    url = found.source.url
    if own.mode == "editable":
        return not differs(source_of_path(own.directory, os.sep, editable=True), found.source)
    return url.startswith("file:") and Path(local_path(url)).resolve().is_relative_to(own.wheels)


def named(own: Own | None, snapshot: Snapshot) -> Own | None:
    """Return the project itself; if its name takes a build to know, with the one that it is installed by."""
    if own is None or own.name:
        return own
    return replace(own, name=next((one.name for one in snapshot.distributions if _is_own(own, one)), ""))


def absolute_pins(pins: Iterable[Pin], root: Path, own: Own | None) -> tuple[Pin, ...]:
    """Return pins with absolute paths, without those of the project itself."""
    here = source_of_path(own.directory, os.sep) if own else None
    found: list[Pin] = []
    for pin in pins:
        source = pin.source
        if source.kind in ("directory", "archive") and ":" not in source.url:
            local = source_of_path(source.url, str(root), editable=source.editable)
            source = replace(local, hashes=source.hashes, subdirectory=source.subdirectory)
        if source.kind == "archive" and not source.hashes:
            source = replace(source, hashes=pin.hashes)
        if not own or not here or (pin.name != own.name and differs(here, replace(source, editable=False))):
            found.append(replace(pin, source=source))
    return tuple(found)


def hashes_digest(pin: Pin) -> str:
    """Return a digest of the hashes of a pin, empty if it has none."""
    return sha256(" ".join(sorted(pin.hashes)).encode()).hexdigest() if pin.hashes else ""
