"""Owns `uv pip compile`: its command line and its output."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock, parse
from nox_envs.pins import Pin, canonical_name, holds_credentials
from nox_envs.resolvers.answer import Askers, refuse_credentials, relative_pin
from nox_envs.resolvers.request import Request
from nox_envs.resolvers.settings import INDEXES, PLATFORMS, general, merged_index_options, uv_index_options
from nox_envs.values import replace

_INPUT = re.compile(r"-[rc] (?:.*[/\\])?(?P<file>[^/\\]+)")
_COMPILE = (
    *("pip", "compile", "--quiet", "--no-progress", "--color=never"),
    *("--universal", "--generate-hashes", "--no-header"),
)
_PROJECT = re.compile(r"(?P<name>[\w.-]+) \(.*\)")


def uv_compile(
    uv: str,
    plan: LockPlan,
    files: Request,
    *,
    folder: str,
    root: str,
    upgrade: bool = False,
    upgrade_packages: tuple[str, ...] = (),
    cutoff: str = "",
    merged: bool = False,
    python: str = "",
) -> tuple[str, ...]:
    """Return the `uv pip compile` that resolves `plan`, reading and writing `{folder}/lock.txt`.

    `folder` holds the files of the request; the current lock in it gives the preferred pins.
    `cutoff` is the time that `exclude_newer` means today (RFC 3339; empty: what the option says). With
    `merged` every version of every index is considered, which is for requests that settle each one.
    `python` is an interpreter for what has to be built; without it uv looks for the lowest that is
    locked for, which takes most of the time of a resolution.
    """
    argv = [uv, *_COMPILE, "--annotation-style=split", f"--output-file={folder}/lock.txt"]
    argv += ["--upgrade"] if upgrade else _repeat("--upgrade-package", upgrade_packages)
    return (
        *argv,
        *_inputs(plan, files, folder=folder, root=root, cutoff=cutoff, merged=merged, python=python),
    )


def uv_compile_pylock(
    uv: str,
    plan: LockPlan,
    files: Request,
    *,
    folder: str,
    root: str,
    cutoff: str = "",
    offline: bool = True,
    python: str = "",
) -> tuple[str, ...]:
    """Return the `uv pip compile` that writes the pins of `{folder}/lock.txt` to `{folder}/pylock.toml`.

    Nothing is chosen anew. With `offline` uv uses what it fetched for the pins.
    """
    argv = [uv, *_COMPILE, "--format=pylock.toml", f"--output-file={folder}/pylock.toml"]
    argv += [f"--constraints={folder}/lock.txt", *(["--offline"] if offline else [])]
    return (*argv, *_inputs(plan, files, folder=folder, root=root, cutoff=cutoff, merged=True, python=python))


def _inputs(
    plan: LockPlan, files: Request, *, folder: str, root: str, cutoff: str, merged: bool, python: str
) -> list[str]:
    """Return what decides the result, and so is the same for every format."""
    options = plan.options
    newest = cutoff or options.exclude_newer
    argv = [f"--python-version={plan.floor}", *([f"--python={python}"] if python else [])]
    if merged and any(index.packages for index in plan.indexes):
        argv += [*merged_index_options(plan.indexes), "--index-strategy=unsafe-best-match"]
    else:
        argv += uv_index_options(general(plan.indexes))
    # The sources of a project are for its developers; only where ours assign indexes are they needed.
    argv += [] if files.has(INDEXES) else ["--no-sources"]
    argv += [f"--project={folder}/{posixpath.dirname(PLATFORMS)}"] if files.has(PLATFORMS) else []
    argv += _repeat("--constraints", (f"{folder}/{file.name}" for file in files.constraints))
    argv += _repeat("--build-constraints", (f"{folder}/{file.name}" for file in files.build_constraints))
    argv += _repeat("--resolution", (options.resolution,) if options.resolution else ())
    argv += _repeat("--exclude-newer", (newest,) if newest else ())
    argv += _repeat(
        "--exclude-newer-package", (f"{name}=false" for name in options.exclude_newer_exempt or ())
    )
    if isinstance(plan.prereleases, bool):
        argv += ["--prerelease=allow"] if plan.prereleases else []
    else:
        argv += _repeat("--prerelease-package", (f"{name}=allow" for name in plan.prereleases))
    argv += _repeat("--only-binary", options.only_binary or ())
    argv += _repeat("--no-binary", options.no_binary or ())
    if plan.dynamic_extras is not None:
        argv += [*_repeat("--extra", plan.dynamic_extras), f"{root}/pyproject.toml"]
    argv += [f"{folder}/{INDEXES}"] if files.has(INDEXES) else []
    return [*argv, *(f"{folder}/{file.name}" for file in files.sources)]


def _repeat(option: str, values: Iterable[str]) -> list[str]:
    return [f"{option}={value}" for value in values]


def read_uv_output(text: str, plan: LockPlan, files: Request, *, origin: str, root_url: str) -> Lock:
    """Read what `uv pip compile` wrote into a lock without header, its `# via` naming sets.

    Raises FileProblems for a line that is no pin, NoxEnvsError for a URL with credentials.
    """
    # The user's own configuration of uv may ask for index options in the output; a lock has none.
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--"))
    lock = parse(kept, origin=origin)
    labels = {file.name: file.label for file in files.files}
    askers = Askers(plan)
    relative = (relative_pin(pin, plan, root_url) for pin in lock.pins)
    pins = [replace(pin, via=_via(pin, labels, askers)) for pin in relative]
    lines = kept.splitlines()
    refuse_credentials(pin for pin in pins if holds_credentials(lines[pin.line - 1]))
    return replace(lock, pins=tuple(replace(pin, line=0) for pin in pins), leaks=())


def _via(pin: Pin, labels: Mapping[str, str], askers: Askers) -> tuple[str, ...]:
    found: set[str] = set()
    for entry in pin.via:
        file = _INPUT.fullmatch(entry)
        project = _PROJECT.fullmatch(entry)
        if file:
            label = labels.get(file["file"], file["file"])
            found.update(askers.entries(pin, label) or ([label] if label else []))
        elif project:
            found.add(f"{canonical_name(project['name'])} (pyproject.toml)")
        else:
            found.add(canonical_name(entry))
    return tuple(sorted(found))
