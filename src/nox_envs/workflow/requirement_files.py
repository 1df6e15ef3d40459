"""Owns the temporary requirements files that installers read; they live in the venv and are removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nox_envs.files import from_here, write_atomically
from nox_envs.lockfile.plan import LockPlan
from nox_envs.pins import Pin, direct_reference
from nox_envs.resolvers import absolute_requirement


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
def declared_written(plan: LockPlan, folder: Path, root: Path) -> Iterator[tuple[str, str]]:
    """Write what a plan requires and what constrains it into two files in `folder`."""
    root_url = root.as_uri() + "/"
    requirements = "".join(absolute_requirement(d, root_url) + "\n" for d in plan.requirements)
    constraints = "".join(absolute_requirement(d, root_url) + "\n" for d in plan.constraints)
    names = ("nox-envs-requirements.txt", "nox-envs-constraints.txt")
    with texts_written((requirements, constraints), names, folder) as paths:
        yield paths[0], paths[1]


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
