"""Owns pip as a resolver: the command line of a dry run and its installation report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from nox_envs.errors import NoxEnvsError
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock
from nox_envs.pins import Pin, canonical_name, holds_credentials, parse_direct_url, redact
from nox_envs.resolvers.answer import Askers, refuse_credentials, relative_pin
from nox_envs.resolvers.request import Request
from nox_envs.resolvers.settings import assigned, general
from nox_envs.values import replace, value


def pip_report(
    python: str, plan: LockPlan, files: Request, *, folder: str, root: str, kept: str = ""
) -> tuple[str, ...]:
    """Return the `pip install --dry-run` that resolves `plan` for `python` into `{folder}/report.json`.

    `kept` is the base name of one more file of constraints. Raises NoxEnvsError for an option that
    pip has nothing for.
    """
    _refuse_unsupported(plan)
    options = plan.options
    argv = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-input"]
    argv += ["--disable-pip-version-check", f"--report={folder}/report.json"]
    limits = [*(file.name for file in files.constraints), *([kept] if kept else [])]
    argv += [f"--constraint={folder}/{name}" for name in limits]
    argv += [f"--index-url={index.url}" for index in plan.indexes]
    argv += ["--pre"] if plan.prereleases is True else []
    argv += [f"--only-binary={name}" for name in options.only_binary or ()]
    argv += [f"--no-binary={name}" for name in options.no_binary or ()]
    argv += [f"--requirement={folder}/{file.name}" for file in files.sources]
    if plan.dynamic_extras is not None:
        argv.append(f"{root}[{','.join(plan.dynamic_extras)}]" if plan.dynamic_extras else root)
    return tuple(argv)


def _refuse_unsupported(plan: LockPlan) -> None:
    options = plan.options
    asked = {
        f"resolution: {options.resolution}": options.resolution not in (None, "highest"),
        "exclude_newer": options.exclude_newer is not None,
        "allow_prereleases by name": isinstance(plan.prereleases, tuple) and bool(plan.prereleases),
        "build_constraints": bool(plan.build_constraints),
        "platforms": bool(plan.platforms),
        "indexes in an order": len(general(plan.indexes)) > 1,
        "packages of an index": bool(assigned(plan.indexes)),
        f"format: {options.format}": options.format not in (None, "requirements"),
    }
    refused = [name for name, is_asked in asked.items() if is_asked]
    if refused:
        raise NoxEnvsError(f"pip cannot resolve with {', '.join(refused)}; write lock: {{resolver: uv}}")


@value
class _Item:
    """Hold one entry of a report: a pin, what it requires (PEP 508) and the extras asked of it.

    `secret` tells that the URL of it holds credentials.
    """

    pin: Pin
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    secret: bool


def read_pip_report(text: str, plan: LockPlan, *, origin: str, project: str, root_url: str) -> Lock:
    """Read pip's installation report (its version 1) into a lock without header.

    `project` is the canonical name of the project itself, which is no pin of its own lock. Raises
    NoxEnvsError for anything else than such a report, and for a URL with credentials.
    """
    try:
        report = _table(json.loads(text))
        items = [_item(entry) for entry in _list(report, "install")]
        environment = {name: str(value) for name, value in _table(report["environment"]).items()}
        via = _askers(items, environment, project)
        secret = {name for item in items for name in _with_credentials(item)}
    except (ValueError, KeyError, RecursionError) as error:
        raise NoxEnvsError(f"{origin}: the report of pip cannot be read: {redact(str(error))}") from None
    direct = Askers(plan)
    found = (relative_pin(item.pin, plan, root_url) for item in items if item.pin.name != project)
    pins = tuple(
        replace(pin, via=tuple(sorted({*direct.entries(pin), *via.get(pin.name, ())}))) for pin in found
    )
    refuse_credentials(pin for pin in pins if pin.name in secret and pin.source.kind != "index")
    return Lock(origin=origin, header=None, pins=pins)


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("a table is missing")
    return value


def _list(table: Mapping[str, object], key: str) -> list[object]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} is no list")
    return value


def _item(entry: object) -> _Item:
    table = _table(entry)
    metadata = _table(table["metadata"])
    origin = json.dumps(table["download_info"])
    source = parse_direct_url(origin)
    pin = Pin(
        name=canonical_name(str(metadata["name"])), version=str(metadata["version"]), hashes=source.hashes
    )
    if table.get("is_direct"):
        pin = replace(pin, version="", source=replace(source, hashes=(), requested=""))
    return _Item(
        pin=pin,
        requires=tuple(str(text) for text in _list(metadata, "requires_dist")),
        extras=tuple(canonical_name(str(name)) for name in _list(table, "requested_extras")),
        secret=holds_credentials(origin),
    )


def _with_credentials(item: _Item) -> Iterator[str]:
    """Yield what has a URL with credentials: a package, or what it requires, which pip tells without them."""
    from packaging.requirements import Requirement

    if item.secret:
        yield item.pin.name
    for text in item.requires:
        if holds_credentials(text):
            yield canonical_name(Requirement(text).name)


def _askers(items: list[_Item], environment: Mapping[str, str], project: str) -> dict[str, set[str]]:
    """Return which packages ask for each package, following the extras that they ask for."""
    extras = {item.pin.name: set(item.extras) for item in items}
    requires = {item.pin.name: item.requires for item in items}
    via: dict[str, set[str]] = {}
    waiting = list(requires)
    while waiting:
        asker = waiting.pop()
        shown = f"{asker} (pyproject.toml)" if asker == project else asker
        for name, wanted in _required(requires[asker], extras[asker], environment):
            via.setdefault(name, set()).add(shown)
            if name in extras and not wanted <= extras[name]:
                extras[name] |= wanted
                waiting.append(name)
    return via


def _required(
    requires: tuple[str, ...], extras: set[str], environment: Mapping[str, str]
) -> Iterator[tuple[str, set[str]]]:
    """Yield the names and extras of the requirements that apply with some extras."""
    from packaging.requirements import Requirement

    for text in requires:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)):
            yield canonical_name(requirement.name), {canonical_name(extra) for extra in requirement.extras}
