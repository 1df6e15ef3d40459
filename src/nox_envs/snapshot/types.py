"""Owns the types of a snapshot; reads nothing."""

from __future__ import annotations

from nox_envs.errors import NoxEnvsError
from nox_envs.pins import Source
from nox_envs.values import value


class NotAVenv(NoxEnvsError):
    """Stop because a directory is no virtual environment, or only the beginning of one."""


@value
class Interpreter:
    """Describe the interpreter of a venv.

    `version` is as complete as the venv tells (`3.12.1`); `implementation` is in the words of
    `sys.implementation.name` (`cpython`, `pypy`); `free_threaded` is the ABI flag `t`.
    `executable` is the file that the venv's `python` leads to at last (empty: none);
    `system_site` tells that packages outside the venv are importable too.
    """

    version: str
    implementation: str
    free_threaded: bool = False
    executable: str = ""
    system_site: bool = False


@value
class Distribution:
    """Describe one installed distribution.

    `name` is canonical, `version` as the directory name gives it, `path` the `*.dist-info` or
    `*.egg-info` (absolute), `source` what direct_url.json says (PEP 610; an index without one).
    `defect` says what is wrong with its metadata (empty: nothing).
    """

    name: str
    version: str
    path: str
    source: Source
    defect: str = ""


@value
class Snapshot:
    """Hold what a venv at `location` has installed, sorted by name, version and path.

    `leftovers` are paths of `~name` directories that an interrupted uninstall left, `startup` those
    of what Python runs at every start: `*.pth`, `sitecustomize` and `usercustomize`; `sites` are the
    site-packages directories with their modification times (nanoseconds) before they were listed.
    """

    location: str
    interpreter: Interpreter
    distributions: tuple[Distribution, ...]
    leftovers: tuple[str, ...] = ()
    startup: tuple[str, ...] = ()
    sites: tuple[tuple[str, int], ...] = ()
