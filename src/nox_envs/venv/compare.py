"""The comparison of what is installed with what is expected (link 2)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path, PurePath

from nox_envs.findings import SEVERITIES, Finding, Severity, finding
from nox_envs.lock.pins import (
    Pin,
    Source,
    differs,
    direct_reference,
    local_path,
    source_of_path,
    versions_equal,
)
from nox_envs.spec.words import parse_python
from nox_envs.values import replace, value
from nox_envs.venv.receipt import Receipt, moved
from nox_envs.venv.snapshot import SEEDS, Distribution, Interpreter, Snapshot, record_digest

Fingerprint = Callable[[str], str]


@value
class Own:
    """This project itself, which is recognised by where it was installed from, not by name.

    `directory` is its absolute directory, `mode` is editable or wheel, `wheels` the folder of the wheels that
    we build; `name` is canonical, empty if it takes a build to know it.
    """

    directory: str
    mode: str
    wheels: str = ""
    name: str = ""


@value
class Expectation:
    """What a venv should hold.

    `pins` are those whose marker holds in the venv, `inactive` the others; `own` is None where the project
    itself is not installed. `python` is the point's interpreter as written (None: any). `lock` is the file of
    the pins as shown to the user, empty where there is none.
    """

    pins: tuple[Pin, ...]
    inactive: tuple[Pin, ...] = ()
    own: Own | None = None
    python: str | None = None
    receipt: Receipt | None = None
    lock: str = ""


def compare(
    expectation: Expectation, snapshot: Snapshot, *, root: Path, fingerprint: Fingerprint = lambda folder: ""
) -> tuple[Finding, ...]:
    """Return every difference between a venv and what is expected, without place, reason and fix.

    Relative paths in pins start at the directory `root`; `fingerprint` returns that of the metadata of a
    local folder (see LocalProject), and is only called for the absolute paths of the project and of pins.
    """
    return (
        *_python_findings(expectation, snapshot.interpreter),
        *_place_findings(expectation.receipt, snapshot),
        *_Packages(expectation, snapshot, str(root), fingerprint).findings(),
        *(finding("leftover", actual=PurePath(path).name, path=path) for path in snapshot.leftovers),
    )


# The interpreter.


def _python_findings(expectation: Expectation, actual: Interpreter) -> Iterator[Finding]:
    """Yield how the interpreter differs from the one that is asked for, or else from the receipt's."""
    built = expectation.receipt.interpreter if expectation.receipt else None
    for expected in (_declared(expectation.python), built):
        severity = _severity(expected, actual) if expected else None
        if expected and severity:
            yield finding("python", expected=_words(expected), actual=_words(actual), severity=severity)
            if severity == "error":
                return
            break
    nowhere = [name for name, target in actual.pythons if not target]
    if nowhere:
        yield finding("python", expected="an interpreter", actual=f"{nowhere[0]} leads nowhere")
    elif built:
        yield from _changed(built, actual)


def _declared(text: str | None) -> Interpreter | None:
    if not text:
        return None
    python = parse_python(text)
    version = ".".join(map(str, python.version))
    return Interpreter(
        version=version, implementation=python.implementation, free_threaded=python.free_threaded
    )


def _severity(expected: Interpreter, actual: Interpreter) -> Severity | None:
    """Return how bad it is that an interpreter is another one: another patch version is a note."""
    wanted, found = expected.version.split("."), actual.version.split(".")
    minor = wanted[:2] if expected.version else []
    same = expected.implementation == actual.implementation and expected.free_threaded == actual.free_threaded
    if not same or minor != found[: len(minor)]:
        return "error"
    return "note" if wanted[2:] and found[2:] and wanted[2:] != found[2:] else None


def _words(interpreter: Interpreter) -> str:
    """Return an interpreter in nox's words: `3.12.1`, `3.13.0t`, `pypy3.11.13`."""
    implementation = "" if interpreter.implementation == "cpython" else interpreter.implementation
    return f"{implementation}{interpreter.version}{'t' if interpreter.free_threaded else ''}"


def _changed(built: Interpreter, actual: Interpreter) -> Iterator[Finding]:
    """Yield what decides which Python runs, and with which modules, and is not as it was installed."""
    before, now = _decisive(built), _decisive(actual)
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield finding(
                "python", expected=before.get(name, f"no {name}"), actual=now.get(name, f"no {name}")
            )
            return
    if built.stamp != actual.stamp:
        actually = f"{actual.executable}, which was replaced since"
        yield finding("python", expected=built.executable, actual=actually, severity="note")


def _decisive(interpreter: Interpreter) -> dict[str, str]:
    return {
        **{f"bin/{name}": f"{name}: {target}" for name, target in interpreter.pythons},
        "executable": PurePath(interpreter.executable).name or "no interpreter",
        "home": f"home = {interpreter.home}",
        "packages": f"{'with' if interpreter.system_site else 'without'} the packages of the system",
        "pyvenv.cfg": f"pyvenv.cfg with sha256 {interpreter.config[:16]}",
    }


def _place_findings(receipt: Receipt | None, snapshot: Snapshot) -> Iterator[Finding]:
    if receipt and moved(receipt, Path(snapshot.location)):
        yield finding("python", expected=f"a venv at {receipt.location}", actual="it was moved or copied")
    for path in snapshot.overrides:
        yield finding("startup-hook", actual="decides where Python looks for modules", path=path)


# Packages.


class _Packages:
    """What is installed beside what is expected, by name."""

    def __init__(
        self, expectation: Expectation, snapshot: Snapshot, root: str, fingerprint: Fingerprint
    ) -> None:
        self._root = root
        self._fingerprint = fingerprint
        self._inactive = expectation.inactive
        self._own = expectation.own
        recorded = expectation.receipt.distributions if expectation.receipt else ()
        self._recorded = {(one.name, one.version): one for one in recorded}
        self._installed: dict[str, list[Distribution]] = {}
        for one in snapshot.distributions:
            self._installed.setdefault(one.name, []).append(one)
        self._own_name = own_name(expectation.own, snapshot)
        self._pins: dict[str, list[Pin]] = {}
        for pin in without_own(expectation, self._own_name, root):
            self._pins.setdefault(pin.name, []).append(pin)

    def findings(self) -> Iterator[Finding]:
        """Yield what is missing, other, additional or damaged."""
        differing: list[Finding] = []
        for name, wanted in self._pins.items():
            differing += self._pinned(wanted, self._installed.get(name, []))
        if self._own:
            differing += self._project(self._own, self._installed.get(self._own_name, []))
        yield from differing
        wrong = {one.package for one in differing if one.severity == "error"}
        for name, found in self._installed.items():
            yield from self._sound(name, found)
            if len(found) == 1 and name not in wrong:
                yield from self._record(found[0])
            if name not in self._pins and (name != self._own_name or not self._own):
                yield from self._additional(found[0])

    def _pinned(self, wanted: list[Pin], found: list[Distribution]) -> Iterator[Finding]:
        """Yield how the pins of one name (overlapping markers make several) differ from what is installed."""
        if not found:
            expected = _described(wanted[0].version, absolute_source(wanted[0], self._root))
            yield finding("missing", wanted[0].name, expected=expected)
        elif len(found) == 1:  # of a duplicate it is not decided which one is used
            told = [[*self._differences(pin, found[0])] for pin in wanted]
            yield from max(
                told, key=lambda some: min([SEVERITIES.index(f.severity) for f in some], default=3)
            )

    def _differences(self, pin: Pin, found: Distribution) -> Iterator[Finding]:
        name, path = found.name, found.path
        declared = absolute_source(pin, self._root)
        apart = differs(declared, found.source)
        if apart:
            expected, actual = _sides(apart, pin, declared, found)
            yield finding(apart, name, expected=expected, actual=actual, path=path)
        if apart in ("source", "artifact"):
            return
        if pin.version and (severity := _version_severity(pin, found)):
            expected, actual = pin.version, found.version
            yield finding("version", name, expected=expected, actual=actual, path=path, severity=severity)
            if severity == "error":
                return
        folder = local_path(declared.url) if declared.kind == "directory" else ""
        yield from self._artifact(found, hashes_digest(pin), folder)

    def _artifact(self, found: Distribution, hashes: str, folder: str) -> Iterator[Finding]:
        """Yield that a distribution of the right version is another one than the lock or the folder means."""
        recorded = self._recorded.get((found.name, found.version))
        if recorded and hashes and recorded.hashes != hashes:
            expected, actual = "one with a hash of the lock", "one that was installed for other hashes"
            yield finding("artifact", found.name, expected=expected, actual=actual, path=found.path)
        elif (
            recorded and recorded.folder and folder and self._fingerprint(folder) not in ("", recorded.folder)
        ):
            expected, actual = f"{folder} as it is now", "installed before its metadata changed"
            yield finding("artifact", found.name, expected=expected, actual=actual, path=found.path)

    def _project(self, own: Own, found: list[Distribution]) -> Iterator[Finding]:
        editable = own.mode == "editable"
        expected = f"-e {Path(own.directory).as_uri()}" if editable else f"a wheel of {own.directory}"
        if not found:
            yield finding("missing", self._own_name, expected=expected)
        elif len(found) == 1 and not is_own(own, found[0]):
            actual = _described(found[0].version, found[0].source)
            yield finding("source", self._own_name, expected=expected, actual=actual, path=found[0].path)
        elif len(found) == 1 and editable:
            yield from self._artifact(found[0], "", own.directory)

    def _sound(self, name: str, found: list[Distribution]) -> Iterator[Finding]:
        if len(found) > 1:
            wanted = [pin.version for pin in self._pins.get(name, [])]
            wrong = next((one for one in found if one.version not in wanted), found[0])
            actual = ", ".join(f"{one.version} ({PurePath(one.path).name})" for one in found)
            yield finding("duplicate", name, expected="".join(wanted[:1]), actual=actual, path=wrong.path)
        for one in found:
            if one.defect:
                yield finding("broken-metadata", name, actual=one.defect, path=one.path)

    def _record(self, one: Distribution) -> Iterator[Finding]:
        """Yield that a RECORD is not the one of the installation: it belongs to another artifact."""
        recorded = self._recorded.get((one.name, one.version))
        if self._own and self._own.mode == "wheel" and one.name == self._own_name:
            return  # each session installs it again
        if recorded is None or recorded.record in ("", now := record_digest(one)):
            return
        if now:
            expected, actual = "the artifact that was installed", f"another one of version {one.version}"
            yield finding("artifact", one.name, expected=expected, actual=actual, path=one.path)
        else:
            path = os.path.join(one.path, "RECORD")
            yield finding("broken-metadata", one.name, actual="RECORD is missing", path=path)

    def _additional(self, one: Distribution) -> Iterator[Finding]:
        seeds = [other for other in self._recorded.values() if other.seed and other.name == one.name]
        if one.name in SEEDS and any(seed.version == one.version for seed in seeds):
            return
        markers = sorted({pin.marker for pin in self._inactive if pin.name == one.name})
        expected = f"nothing here (only where {' or '.join(markers)})" if markers else ""
        expected = f"{seeds[0].version}, which came with the venv" if seeds else expected
        actual = _described(one.version, one.source)
        yield finding("extraneous", one.name, expected=expected, actual=actual, path=one.path)


def own_name(own: Own | None, snapshot: Snapshot) -> str:
    """Return the name of the project itself, as it is installed, or else as far as it is known."""
    if own is None:
        return ""
    installed = (one.name for one in snapshot.distributions if is_own(own, one))
    return next(installed, own.name) or PurePath(own.directory).name.lower()


def is_own(own: Own, found: Distribution) -> bool:
    """Return whether a distribution is this project, installed in the way that is asked for."""
    source = found.source
    if own.mode == "editable":
        return source.editable and not differs(source_of_path(own.directory, os.sep, editable=True), source)
    if source.kind != "archive" or not source.url.startswith("file:") or not own.wheels:
        return False
    folder = os.path.realpath(PurePath(local_path(source.url)).parent)
    return os.path.join(folder, "").startswith(os.path.join(os.path.realpath(own.wheels), ""))


def without_own(expectation: Expectation, name: str, root: str) -> Iterator[Pin]:
    """Yield the pins of an expectation without those of the project itself, which is called `name`."""
    own = expectation.own
    here = source_of_path(own.directory, os.sep) if own else None
    for pin in expectation.pins:
        folder = (
            here and pin.source.kind == "directory" and replace(absolute_source(pin, root), editable=False)
        )
        if not here or not (pin.name == name or (folder and not differs(here, folder))):
            yield pin


def absolute_source(pin: Pin, root: str) -> Source:
    """Return the source of a pin with an absolute path in place of one that is relative to `root`."""
    source = pin.source
    if source.kind in ("directory", "archive") and ":" not in source.url:
        local = source_of_path(source.url, root, editable=source.editable)
        source = replace(local, hashes=source.hashes, subdirectory=source.subdirectory)
    return source if source.hashes or source.kind != "archive" else replace(source, hashes=pin.hashes)


def hashes_digest(pin: Pin) -> str:
    """Return a digest of the hashes of a pin, empty if it has none."""
    return sha256(" ".join(sorted(pin.hashes)).encode()).hexdigest() if pin.hashes else ""


def _version_severity(pin: Pin, found: Distribution) -> Severity | None:
    """Return how bad it is that a version is not written as in the pin: None if it is the same version."""
    if pin.version == found.version or (found.source.editable and not found.version):
        return None
    if not versions_equal(pin.version, found.version):
        # The version of an editable install is that of the day it was installed.
        return "note" if found.source.editable else "error"
    return "note" if "+" in found.version and "+" not in pin.version else None


def _sides(apart: str, pin: Pin, declared: Source, found: Distribution) -> tuple[str, str]:
    if apart == "source":
        return _described(pin.version, declared), _described(found.version, found.source)
    if apart == "artifact":
        return ", ".join(declared.hashes), ", ".join(found.source.hashes)
    if declared.kind == "archive":
        return ", ".join(declared.hashes) or "a hash", "no hash recorded"
    return direct_reference(declared), direct_reference(found.source)


def _described(version: str, source: Source) -> str:
    if source.kind == "index":
        return version
    reference = f"{'-e ' if source.editable else ''}{direct_reference(source)}"
    return f"{version} ({reference})" if version else reference
