"""Owns the comparison of a venv's interpreter with the one asked for; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nox_envs.drift.expectation import Expectation
from nox_envs.drift.finding import Finding, difference
from nox_envs.kinds import KINDS, Severity
from nox_envs.snapshot import Interpreter

# The forms that nox hands to its interpreter discovery: 3, 3.12, 312, 3.12.1, 3.13t, python3.12,
# pypy3.11, pypy, 3.12-64. A path or a range is something else and tells no version.
_SPEC = r"(?i)(?P<implementation>[a-z]*?)-?(?P<version>\d+(?:\.\d+){0,2})?(?P<threads>t)?(?:-(?:32|64))?"
_CPYTHON = frozenset({"", "py", "python", "cpython"})


def python_findings(expectation: Expectation, actual: Interpreter) -> Iterator[Finding]:
    """Yield the difference of the interpreter from the one asked for, or else from the receipt's.

    Another implementation, minor version or ABI is an error; another patch version is a note.
    """
    wanted = _interpreter(expectation.python or "")
    for expected, shown in (
        (wanted, expectation.python or ""),
        (expectation.built_with, described(expectation.built_with)),
    ):
        severity = _severity(expected, actual) if expected else None
        if severity:
            yield difference("python", expected=shown, actual=described(actual), severity=severity)
            return
    if expectation.built_with is not None:
        yield from _moved(expectation.built_with, actual)


def _moved(built_with: Interpreter, actual: Interpreter) -> Iterator[Finding]:
    """Yield what leads the venv's `python` elsewhere than when it was built."""
    expected = found = ""
    if built_with.executable and built_with.executable != actual.executable:
        expected, found = built_with.executable, actual.executable or "no interpreter"
    elif built_with.executable and built_with.system_site != actual.system_site:
        words = {True: "with the packages of the system", False: "without the packages of the system"}
        expected, found = words[built_with.system_site], words[actual.system_site]
    if found:
        yield difference("python", expected=expected, actual=found)


def described(interpreter: Interpreter | None) -> str:
    """Print an interpreter in nox's words: `3.12.1`, `3.13.0t`, `pypy3.11.13`."""
    if interpreter is None:
        return ""
    implementation = "" if interpreter.implementation == "cpython" else interpreter.implementation
    return f"{implementation}{interpreter.version}{'t' if interpreter.free_threaded else ''}"


def _interpreter(spec: str) -> Interpreter | None:
    match = re.fullmatch(_SPEC, spec.strip())
    if match is None or not spec.strip():
        return None
    implementation, version = match["implementation"].lower(), match["version"] or ""
    if "." not in version and len(version) > 1:
        version = f"{version[0]}.{version[1:]}"
    return Interpreter(
        version=version,
        implementation="cpython" if implementation in _CPYTHON else implementation,
        free_threaded=match["threads"] is not None,
    )


def _severity(expected: Interpreter, actual: Interpreter) -> Severity | None:
    wanted, found = expected.version.split("."), actual.version.split(".")
    minor = wanted[:2] if expected.version else []
    if (
        expected.implementation != actual.implementation
        or expected.free_threaded != actual.free_threaded
        or minor != found[: len(minor)]
    ):
        return KINDS["python"]
    return "note" if wanted[2:] and found[2:] and wanted[2:] != found[2:] else None
