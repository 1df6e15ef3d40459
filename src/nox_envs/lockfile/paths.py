"""Owns where locks are: their file names by environment, python and axes; reads no file."""

from __future__ import annotations

import posixpath
import re

from nox_envs.errors import FileProblems, Problem
from nox_envs.matrix import Point
from nox_envs.spec.types import Pairs
from nox_envs.values import value

DEFAULT_FILE = "requirements/{environment}.txt"
DEFAULT_PYLOCK = "pylock.{environment}.toml"

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_UNSAFE_IN_PYLOCK = re.compile(r"[^A-Za-z0-9_+-]+")


@value
class Paths:
    """Hold where a lock is, POSIX and relative to the spec's directory.

    `main` is what is installed from; `pylock` the one beside it in the other format, if any.
    """

    main: str
    pylock: str = ""


def is_pylock(path: str) -> bool:
    """Tell whether a path has a name that PEP 751 gives to its files."""
    return re.fullmatch(r"pylock(\.[^.]+)?\.toml", path.rpartition("/")[2]) is not None


def lock_paths(point: Point, values: Pairs, *, by_python: bool) -> Paths:
    """Return the paths of a point's lock, named after its python and the axes that decide.

    Raises FileProblems for a file name that its format does not allow.
    """
    wanted = point.lock.format or "requirements"
    given = point.lock.file[0] if point.lock.file else ""
    if point.lock.managed is False and given:
        return Paths(main=given)
    _require_inside(given, point)
    name = point.environment
    if point.python and by_python:
        name += f"-{point.python}"
    name += "".join(f"-{axis}{value}" for axis, value in values)
    requirements = DEFAULT_FILE.format(environment=_UNSAFE.sub("-", name))
    pylock = DEFAULT_PYLOCK.format(environment=_UNSAFE_IN_PYLOCK.sub("-", name))
    if wanted == "requirements":
        return Paths(main=_checked(given, point, pylock=False) if given else requirements)
    if wanted == "pylock":
        return Paths(main=_checked(given, point, pylock=True) if given else pylock)
    if is_pylock(given):
        return Paths(main=requirements, pylock=given)
    return Paths(main=_checked(given, point, pylock=False) if given else requirements, pylock=pylock)


def _require_inside(path: str, point: Point) -> None:
    """Refuse to write outside of the spec's directory, wherever placeholders lead."""
    normal = posixpath.normpath(path or ".")
    if posixpath.isabs(normal) or normal == ".." or normal.startswith("../"):
        raise FileProblems(
            (
                Problem(
                    place=point.place,
                    path=f"environments.{point.environment}.lock.file",
                    message=f"{path!r} leads out of the spec's directory, where no lock is written",
                    hint=f"such as {DEFAULT_FILE}; a lock that others make may be there: managed: false",
                ),
            )
        )


def _checked(path: str, point: Point, *, pylock: bool) -> str:
    """Return a path whose name fits the format; installers tell formats apart by it."""
    if pylock == is_pylock(path) and (pylock or not path.endswith(".toml")):
        return path
    needed = "is called pylock.NAME.toml (PEP 751)" if pylock else "does not end with .toml"
    raise FileProblems(
        (
            Problem(
                place=point.place,
                path=f"environments.{point.environment}.lock.file",
                message=f"{path!r} is no name for this format: such a file {needed}",
                hint=f"such as {'pylock.{environment}.toml' if pylock else DEFAULT_FILE}",
            ),
        )
    )
