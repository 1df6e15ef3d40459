"""Owns the choice of the pins that apply to a venv; packaging is imported only if a pin has a marker."""

from __future__ import annotations

from collections.abc import Mapping

from nox_envs.errors import NoxEnvsError
from nox_envs.pins import Pin
from nox_envs.snapshot import Interpreter

# sys.implementation.name to platform.python_implementation().
_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}


def marker_environment(interpreter: Interpreter, host: Mapping[str, str]) -> Mapping[str, str]:
    """Return the marker variables of a venv (PEP 508, environment markers).

    `host` are those of the running interpreter on this machine; what belongs to an interpreter is
    replaced by that of the venv.
    """
    version = interpreter.version
    return {
        **host,
        "python_version": ".".join(version.split(".")[:2]),
        "python_full_version": version,
        "implementation_name": interpreter.implementation,
        # An implementation version other than CPython's is not recorded in a venv.
        "implementation_version": version,
        "platform_python_implementation": _IMPLEMENTATIONS.get(
            interpreter.implementation, interpreter.implementation
        ),
    }


def activate(
    pins: tuple[Pin, ...], interpreter: Interpreter, host: Mapping[str, str]
) -> tuple[tuple[Pin, ...], tuple[Pin, ...]]:
    """Split pins into those whose marker holds in a venv and the others, in their order.

    Raises NoxEnvsError for a marker that cannot be evaluated.
    """
    markers = {pin.marker: pin for pin in pins if pin.marker}
    if not markers:
        return pins, ()
    environment = dict(marker_environment(interpreter, host))
    holds = {marker: _holds(pin, environment) for marker, pin in markers.items()}
    return (
        tuple(pin for pin in pins if holds.get(pin.marker, True)),
        tuple(pin for pin in pins if not holds.get(pin.marker, True)),
    )


def _holds(pin: Pin, environment: dict[str, str]) -> bool:
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
    from packaging.version import InvalidVersion

    try:
        return Marker(pin.marker).evaluate(environment)
    except (InvalidMarker, InvalidVersion, UndefinedComparison, UndefinedEnvironmentName):
        raise NoxEnvsError(
            f"line {pin.line} of the lock: {pin.name}: {pin.marker!r} is no marker;"
            " regenerate the lock: nox -s lock"
        ) from None
