"""Owns the command lines of the resolvers, as values, and the reading of what they print."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nox_envs.errors import NoxEnvsError
from nox_envs.lockfile.plan import LockPlan, requirement_text, version_key
from nox_envs.lockfile.text import Lock, parse
from nox_envs.pins import Pin, canonical_name, parse_direct_url, redact
from nox_envs.requirements import Declared

_INPUT = re.compile(r"^-[rc] (?P<path>.*)$")
_PROJECT = re.compile(r"^(?P<name>[\w.-]+) \((?P<path>.*pyproject\.toml|.*setup\.(?:py|cfg))\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """Hold one file to hand to a resolver: its base name, its text, and what to call it in `# via`."""

    name: str
    text: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Hold the files of one resolution.

    `sources` are required, `constraints` and `build_constraints` only limit; `direct` maps a source's
    base name and a canonical package name to the entries that `# via` shows.
    """

    sources: tuple[InputFile, ...]
    constraints: tuple[InputFile, ...]
    build_constraints: tuple[InputFile, ...]


def request(plan: LockPlan, *, root_url: str, layers: tuple[Lock, ...]) -> Request:
    """Make the input files of a resolution.

    `root_url` is the `file:` URL of the spec's directory, ending in a slash, for relative paths;
    `layers` are the locks that constrain this one.
    """
    from nox_envs.lockfile.freshness import via_label

    by_label: dict[str, list[Declared]] = {}
    for declared in plan.requirements:
        by_label.setdefault(via_label(declared), []).append(declared)
    sources = tuple(
        InputFile(name=f"source-{n}.in", text=_lines(group, root_url), label=label)
        for n, (label, group) in enumerate(sorted(by_label.items()))
    )
    constraints = [
        InputFile(name=f"constraint-{n}.txt", text=_lines([declared], root_url), label=str(declared.place))
        for n, declared in enumerate(plan.constraints)
    ]
    constraints += [
        InputFile(
            name=f"layer-{n}.txt",
            text="".join(f"{p.name}=={p.version}{f' ; {p.marker}' if p.marker else ''}\n" for p in lock.pins),
            label=lock.origin,
        )
        for n, lock in enumerate(layers)
    ]
    build = [InputFile(name="build.txt", text=_lines(list(plan.build_constraints), root_url), label="")]
    return Request(
        sources=sources,
        constraints=tuple(constraints),
        build_constraints=tuple(build if plan.build_constraints else []),
    )


def _lines(group: list[Declared], root_url: str) -> str:
    return "".join(absolute_requirement(declared, root_url) + "\n" for declared in group)


def absolute_requirement(declared: Declared, root_url: str) -> str:
    """Return a direct requirement as one line whose local path is an absolute `file:` URL."""
    if not declared.path:
        return requirement_text(declared)
    url = root_url + (declared.path[2:] if declared.path.startswith("./") else declared.path)
    if declared.editable or not declared.name:
        return requirement_text(replace(declared, path=url))
    return requirement_text(replace(declared, path="", url=url))


def uv_compile(
    uv: str,
    plan: LockPlan,
    files: Request,
    *,
    folder: str,
    root: str,
    upgrade: bool = False,
    upgrade_packages: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Return the `uv pip compile` that resolves `plan`, reading and writing `{folder}/lock.txt`.

    `folder` holds the files of the request; the current lock in it gives the preferred pins.
    """
    options = plan.options
    argv = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    argv += ["--no-header", "--annotation-style=split", "--no-progress"]
    argv += ["--python-version", plan.floor, f"--output-file={folder}/lock.txt"]
    argv += _repeat("--constraints", [f"{folder}/{f.name}" for f in files.constraints])
    argv += _repeat("--build-constraints", [f"{folder}/{f.name}" for f in files.build_constraints])
    argv += ["--upgrade"] if upgrade else _repeat("--upgrade-package", upgrade_packages)
    if options.resolution:
        argv.append(f"--resolution={options.resolution}")
    if plan.prereleases is True:
        argv.append("--prerelease=allow")
    elif plan.prereleases:
        argv += _repeat("--prerelease-package", [f"{name}=allow" for name in plan.prereleases])
    argv += _repeat("--only-binary", options.only_binary or ())
    argv += _repeat("--no-binary", options.no_binary or ())
    if plan.dynamic_extras is not None:
        argv += _repeat("--extra", plan.dynamic_extras)
        argv.append(f"{root}/pyproject.toml")
    return (*argv, *(f"{folder}/{f.name}" for f in files.sources))


def pip_report(python: str, plan: LockPlan, files: Request, *, folder: str, root: str) -> tuple[str, ...]:
    """Return the `pip install --dry-run` that resolves `plan` for `python` into `{folder}/report.json`."""
    options = plan.options
    argv = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    argv += ["--disable-pip-version-check", f"--report={folder}/report.json"]
    argv += _repeat("--constraint", [f"{folder}/{f.name}" for f in files.constraints])
    argv += ["--pre"] if plan.prereleases is True else []
    argv += _repeat("--only-binary", options.only_binary or ())
    argv += _repeat("--no-binary", options.no_binary or ())
    argv += _repeat("--requirement", [f"{folder}/{f.name}" for f in files.sources])
    if plan.dynamic_extras is not None:
        argv.append(f"{root}[{','.join(plan.dynamic_extras)}]" if plan.dynamic_extras else root)
    return tuple(argv)


def _repeat(option: str, values: list[str] | tuple[str, ...]) -> list[str]:
    return [f"{option}={value}" for value in values]


def read_uv_output(text: str, plan: LockPlan, files: Request, *, origin: str, root_url: str) -> Lock:
    """Read what `uv pip compile` wrote into a lock without header, its `# via` naming sets.

    Raises FileProblems for a line that is no pin.
    """
    lock = parse(text.replace(root_url, "./"), origin=origin)
    labels = {file.name: file.label for file in (*files.sources, *files.constraints)}
    entries = _direct_entries(plan)
    pins = tuple(
        replace(pin, via=_via(pin, labels, entries), line=0) for pin in lock.pins
    )
    return replace(lock, pins=pins)


def _direct_entries(plan: LockPlan) -> dict[tuple[str, str], list[str]]:
    from nox_envs.lockfile.freshness import via_entry, via_label

    entries: dict[tuple[str, str], list[str]] = {}
    for declared in plan.requirements:
        entries.setdefault((via_label(declared), declared.name), []).append(via_entry(declared))
    return entries


def _via(
    pin: Pin, labels: Mapping[str, str], entries: Mapping[tuple[str, str], list[str]]
) -> tuple[str, ...]:
    found: list[str] = []
    for entry in pin.via:
        file = _INPUT.match(entry)
        project = _PROJECT.match(entry)
        if file:
            label = labels.get(re.split(r"[/\\]", file["path"])[-1], "")
            found += entries.get((label, pin.name), [label] if label else [])
        elif project:
            found.append(f"{canonical_name(project['name'])} (pyproject.toml)")
        else:
            found.append(canonical_name(entry))
    return tuple(sorted(set(found)))


def read_pip_report(text: str, plan: LockPlan, *, origin: str, project: str) -> Lock:
    """Read pip's installation report (its version 1) into a lock without header.

    `project` is the canonical name of the project itself, which is no pin of its own lock. Raises
    NoxEnvsError for anything else than such a report.
    """
    try:
        items = json.loads(text)["install"]
        pins = [_reported_pin(item) for item in items]
        asks = {canonical_name(i["metadata"]["name"]): i["metadata"].get("requires_dist", []) for i in items}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoxEnvsError(f"{origin}: pip's report could not be read ({error})") from error
    entries = _direct_entries(plan)
    via: dict[str, set[str]] = {}
    for (_label, name), texts in entries.items():
        via.setdefault(name, set()).update(texts)
    for asker, requirements in asks.items():
        for requirement in requirements:
            name = canonical_name(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
            via.setdefault(name, set()).add(f"{asker} (pyproject.toml)" if asker == project else asker)
    kept = [replace(pin, via=tuple(sorted(via.get(pin.name, ())))) for pin in pins if pin.name != project]
    return Lock(origin=origin, header=None, pins=tuple(kept))


def _reported_pin(item: Mapping[str, Mapping[str, str]]) -> Pin:
    metadata, download = item["metadata"], item["download_info"]
    source = parse_direct_url(json.dumps(download))
    pin = Pin(name=canonical_name(metadata["name"]), version=metadata["version"], hashes=source.hashes)
    if item.get("is_direct"):
        return replace(pin, source=replace(source, url=redact(source.url)), hashes=source.hashes)
    return pin


def lowest(pythons: tuple[str, ...]) -> str:
    """Return the lowest of several `X.Y`."""
    return min(pythons, key=version_key)
