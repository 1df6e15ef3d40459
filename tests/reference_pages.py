"""The pages of the reference that are generated: the keys of a spec, and the command line."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from typing import cast

from nox_envs.cli import VERBS, main
from nox_envs.spec.keys import json_schema, read_spec
from nox_envs.spec.points import expand

Fragment = Mapping[str, object]

TOP = {
    "version": "version: 1\nenvironments: {tests: {}}",
    "defaults": 'version: 1\ndefaults: {python: "3.12", backend: venv}\nenvironments: {tests: {}}',
    "requirements": "version: 1\nrequirements: {app: [requests>=2.31, rich]}\nenvironments: {tests: {}}",
    "environments": "version: 1\nenvironments: {tests: {}}",
    "indexes": "version: 1\nindexes: {main: https://packages.example.org/simple}\nenvironments: {tests: {}}",
    "lock": 'version: 1\nlock: {file: "locks/{environment}.txt"}\nenvironments: {tests: {}}',
    "drift": "version: 1\ndrift: {files: changed}\nenvironments: {tests: {}}",
}
# Lines below `environments: {tests: …}`, for each key of an environment.
OWN = {
    "extends": "extends: _base\n  _base: {python: '3.12'}",
    "python": 'python: ["3.12", "3.13t", pypy3.11]',
    "matrix": 'matrix: {django: ["4.2", "5.2"]}',
    "exclude": 'python: ["3.12", "3.13"]\n    matrix: {django: ["4.2", "5.2"]}\n'
    '    exclude: [{python: "3.13", django: "4.2"}]',
    "include": 'python: "3.12"\n    matrix: {django: ["5.2"]}\n'
    '    include: [{python: "3.13", django: "4.2"}]',
    "overrides": 'python: ["3.12", "3.13"]\n    overrides: [{when: {python: ">=3.13"}, tags: [new]}]',
    "description": "description: Run the tests",
    "name": 'name: "py{py}"\n    python: ["3.12", "3.13"]',
    "requirements": "requirements: [pytest>=8, -e ./libs/core, {file: dev.in}, {group: test}, {extra: cli}]",
    "constraints": "constraints: [urllib3<2, {file: limits.txt}]",
    "build_constraints": "build_constraints: [setuptools<80]",
    "resolution": "resolution: lowest-direct",
    "exclude_newer": "exclude_newer: {than: 7 days, exempt: [own-lib]}",
    "allow_prereleases": "allow_prereleases: [black]",
    "only_binary": 'only_binary: [":all:"]',
    "no_binary": "no_binary: [lxml]",
    "package": "package: {mode: editable, extras: [cli]}",
    "commands_pre": "commands_pre: [coverage erase]",
    "commands": 'commands: ["pytest {posargs:tests}", {run: git status, external: true}]',
    "commands_post": "commands_post: [coverage report]",
    "set_env": 'set_env: {PYTHONHASHSEED: "0"}',
    "change_dir": "change_dir: docs",
    "pass_env": 'pass_env: [CI, "GITHUB_*"]',
    "tags": "tags: [ci]",
    "default": "default: false",
    "requires": "requires: [lint]\n  lint: {}",
    "backend": "backend: virtualenv",
    "lock": "lock: {format: both}",
    "drift": "drift: fail",
    "platforms": "platforms: [linux, macos]",
    "runs_on": "runs_on: [ubuntu-latest, macos-latest]",
}
# The default where the value of an empty environment does not say it.
DEFAULTS = {
    "python": "the one that runs nox",
    "name": "the environment, with its Python and the values of its axes",
    "backend": "`uv`",
    "pass_env": "all variables",
    "change_dir": "the directory of the spec",
    "platforms": "all",
    "package": "`none`",
    "lock": "`{file: requirements/{environment}.txt, per: environment, format: requirements}`",
    "drift": "`repair`",
}


def keys_page() -> str:
    """Return the page of all keys, each with its type, default and an example."""
    schema = json_schema()
    top = cast("Mapping[str, Fragment]", schema["properties"])
    environments = cast("Mapping[str, Mapping[str, Fragment]]", top["environments"]["additionalProperties"])
    layer = cast("Mapping[str, Fragment]", schema["definitions"])
    own = {name: layer.get(name, found) for name, found in environments["properties"].items()}
    lines = ["# All keys", "", "Every key of `envs.yaml`, with its type, its default and an example. "]
    lines[-1] += "[envs.yaml](spec.md) says how they\nwork together."
    lines += ["", "## Top level"]
    for name, example in TOP.items():
        lines += ["", f"### `{name}` at the top", "", *_key(name, top[name], "nothing"), *_example(example)]
    lines += ["", "## Environments", "", "`defaults` takes the same keys, except `extends`."]
    for name, text in OWN.items():
        example = f"version: 1\nenvironments:\n  tests:\n    {text}"
        lines += ["", f"### `{name}`", "", *_key(name, own[name], _default(name)), *_example(example)]
    assert own.keys() == OWN.keys()
    assert top.keys() == TOP.keys()
    return "\n".join([*lines, ""])


def _key(name: str, found: Fragment, default: str) -> list[str]:
    required = name in ("version", "environments") and default == "nothing"
    kinds = [*_kinds(found)]
    lines = [str(found["description"]), "", f"- Type: {_either(kinds)}"]
    lines.append("- Required" if required else f"- Default: {default}")
    below = cast("Mapping[str, Fragment]", next(_mappings(found), {}).get("properties", {}))
    if below and name not in ("defaults", "matrix", "exclude", "include", "overrides", "environments"):
        lines += ["", "| key | type | |", "|---|---|---|"]
        for key, one in below.items():
            lines.append(f"| `{key}` | {_either([*_kinds(one)])} | {one['description']} |")
    return lines


def _kinds(found: Fragment) -> Iterator[str]:
    """Yield the kinds of value that a fragment of JSON Schema takes, in words."""
    for one in cast("list[Fragment]", found.get("anyOf", [])):
        yield from _kinds(one)
    if "enum" in found:
        words = [str(one).lower() for one in cast("list[object]", found["enum"])]
        yield from (f"`{word}`" for word in words)
    elif "anyOf" not in found:
        names = {"array": "a list", "object": "a mapping"}
        yield next((word for kind, word in names.items() if kind in str(found["type"])), "a text")


def _either(kinds: list[str]) -> str:
    *most, last = dict.fromkeys(kinds)
    return f"{', '.join(most)} or {last}" if most else last


def _mappings(found: Fragment) -> Iterator[Fragment]:
    """Yield the mappings with known keys in a fragment, outermost first."""
    if found.get("properties"):
        yield found
    for one in cast("list[Fragment]", found.get("anyOf", [found["items"]] if "items" in found else [])):
        yield from _mappings(one)


def _default(name: str) -> str:
    (point,) = expand(read_spec("version: 1\nenvironments: {tests: {}}", origin="envs.yaml"))
    value = getattr(point, name, None)
    if name in DEFAULTS or value in (None, "", (), False):
        return DEFAULTS.get(name, "`false`" if value is False else "nothing")
    return f"`{str(value).lower()}`"


def _example(spec: str) -> list[str]:
    return ["", "```yaml", spec, "```"]


def command_line_page() -> str:
    """Return the page of the command line: what each command prints for `--help`."""
    rows = [f"| [`nox-envs {verb}`](#nox-envs-{verb}) | {about} |" for verb, (about, *_) in VERBS.items()]
    lines = [_INTRODUCTION, "| command | what it does |", "|---|---|", *rows]
    for verb in VERBS:
        lines += ["", f"## nox-envs {verb}", "", "```text", _help(verb).strip(), "```"]
    return "\n".join([*lines, ""])


def _help(verb: str) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        main([verb, "--help"])
    return shown.getvalue()


_INTRODUCTION = """\
# Command line

nox builds and runs:

| command | what it does |
|---|---|
| `nox -s tests` | checks or builds the venv, runs the commands |
| `nox -s tests -- -k fast` | the same; the words after `--` replace `{posargs:…}` |
| `nox -s lock` | regenerates every lock, and changes as little as possible |
| `nox -s lock -- tests --upgrade-package rich` | upgrades one package (`--upgrade`: all packages) |
| `nox -s lock -- --upgrade --dry-run` | shows what an upgrade would change; writes nothing |
| `nox -s lock -- --check` | says offline which locks no longer match the spec; writes nothing |
| `nox -s lock -- --prune` | also removes locks that nothing declares; only files that nox-envs wrote |
| `nox -s drift` | compares every lock and venv, and installed files that changed; runs no command of yours |

`nox-envs` looks, and starts no nox. It searches `envs.yaml` in the current directory and those above it. An
`ENVIRONMENT` is an environment, a session such as `tests-3.12`, or a pattern such as `'tests*'`.

Exit codes: 0 clean, 1 drift, 2 could not check, 130 interrupted.
"""
