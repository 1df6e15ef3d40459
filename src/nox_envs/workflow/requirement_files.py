"""Owns the temporary requirements files that installers read; they live in the venv and are removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nox_envs.files import from_here, write_atomically
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock
from nox_envs.pins import Pin, direct_reference
from nox_envs.requirements import Declared
from nox_envs.resolvers import absolute_requirement, at_commits, pin_lines
from nox_envs.values import replace


@contextmanager
def pins_written(pins: tuple[Pin, ...], folder: Path) -> Iterator[tuple[str, str]]:
    """Write pins into two files in `folder`: those with hashes, and direct references without.

    Yields their paths, empty where there is nothing to install.
    """
    hashed = [pin for pin in pins if pin.hashes]
    direct = [pin for pin in pins if not pin.hashes]
    texts = ("".join(_hashed_line(pin) for pin in hashed), "".join(_direct_line(pin) for pin in direct))
    with texts_written(texts, ("nox-envs-hashed.txt", "nox-envs-direct.txt"), folder) as paths:
        yield paths[0], paths[1]


@contextmanager
def declared_written(
    plan: LockPlan, folder: Path, root: Path, *, layers: tuple[Lock, ...] = (), project: str = ""
) -> Iterator[tuple[str, str]]:
    """Write what a plan requires and what constrains it into two files in `folder`.

    The pins of `layers` are constraints too. `project` is the name of the project in `root`; where its
    own dependencies are dynamic, it is required itself, for only its build tells them.
    """
    root_url = root.as_uri() + "/"
    plan = at_commits(plan, (pin for layer in layers for pin in layer.pins))
    requirements = _lines(plan.requirements, root_url)
    if plan.dynamic_extras is not None:
        extras = f"[{','.join(plan.dynamic_extras)}]" if plan.dynamic_extras else ""
        requirements += f"{project}{extras} @ {root_url}\n"
    pins = (replace(pin, extras=()) for layer in layers for pin in layer.pins)
    constraints = _lines(plan.constraints, root_url) + pin_lines(tuple(pins))
    names = ("nox-envs-requirements.txt", "nox-envs-constraints.txt")
    with texts_written((requirements, constraints), names, folder) as paths:
        yield paths[0], paths[1]


@contextmanager
def build_constraints_written(plan: LockPlan, folder: Path, root: Path) -> Iterator[str]:
    """Write what limits the building of sdists into a file in `folder`; yield its path, or nothing."""
    text = _lines(plan.build_constraints, root.as_uri() + "/")
    with texts_written((text,), ("nox-envs-build.txt",), folder) as paths:
        yield paths[0]


def _lines(listed: tuple[Declared, ...], root_url: str) -> str:
    return "".join(absolute_requirement(one, root_url) + "\n" for one in listed)


def hash_options(pin: Pin) -> str:
    """Return the hashes of a pin as they follow it on its line."""
    return "".join(f" --hash={digest}" for digest in pin.hashes)


def _hashed_line(pin: Pin) -> str:
    hashes = hash_options(pin)
    if pin.source.kind == "index":
        return f"{pin.name}=={pin.version}{hashes}\n"
    return f"{pin.name} @ {direct_reference(pin.source)}{hashes}\n"


def _direct_line(pin: Pin) -> str:
    if pin.source.kind == "index":
        return f"{pin.name}=={pin.version}\n"
    if pin.source.editable:
        return f"-e {direct_reference(pin.source)}\n"
    return f"{pin.name} @ {direct_reference(pin.source)}\n"


@contextmanager
def texts_written(texts: tuple[str, ...], names: tuple[str, ...], folder: Path) -> Iterator[list[str]]:
    """Write texts into files in `folder`; yield their paths, empty for an empty text."""
    paths = [folder / name for name in names]
    try:
        for path, text in zip(paths, texts, strict=True):
            if text:
                write_atomically(path, text)
        yield [from_here(path) if text else "" for path, text in zip(paths, texts, strict=True)]
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
