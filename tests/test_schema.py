"""The JSON Schema says what the reader does."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nox_envs.spec.schema
from nox_envs.document import Json, Mapping, Node, Problems, Scalar, Sequence, compose, is_null
from nox_envs.errors import FileProblems
from nox_envs.spec.read import read_spec
from nox_envs.spec.schema import json_schema
from tests.test_spec import BROKEN, DESIGN, INHERITED, MATRIX

relaxed = settings(deadline=None)

SCHEMA = json.loads(json_schema())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# Where each mapping of the schema stands in a file.
CONTEXTS = {
    "file": "{0}",
    "defaults": "defaults: {{ {0} }}",
    "environment": "environments: {{tests: {{ {0} }} }}",
    "partial-environment": "environments: {{tests: {{matrix: {{django: {{'5.2': {{ {0} }} }} }} }} }}",
    "override": "environments: {{tests: {{overrides: [{{ {0} }}]}} }}",
    "negation": "environments: {{tests: {{overrides: [{{when: {{python: {{ {0} }} }} }}]}} }}",
    "command": "environments: {{tests: {{commands: [{{ {0} }}]}} }}",
    "package": "environments: {{tests: {{package: {{ {0} }} }} }}",
    "constraint-item": "environments: {{tests: {{constraints: [{{ {0} }}]}} }}",
    "build-constraint-item": "environments: {{tests: {{build_constraints: [{{ {0} }}]}} }}",
    "requirement-item": "requirements: {{app: [{{ {0} }}]}}",
    "index": "indexes: {{main: {{ {0} }} }}",
    "lock": "lock: {{ {0} }}",
    "exclude-newer": "lock: {{exclude_newer: {{ {0} }} }}",
    "drift": "drift: {{ {0} }}",
    "ignore-rule": "drift: {{ignore: [{{ {0} }}]}}",
}


def properties(title: str) -> list[str]:
    mapping = SCHEMA if title == "file" else SCHEMA["$defs"][title]
    return sorted(mapping["properties"])


KEYS = [(title, key) for title in CONTEXTS for key in properties(title)]


def as_editor(node: Node) -> Json | float | None:
    """Return a node as an editor takes it: by the core schema of YAML 1.2."""
    if isinstance(node, Mapping):
        return {key.text: as_editor(value) for key, value in node.entries}  # type: ignore[misc]
    if isinstance(node, Sequence):
        return [as_editor(item) for item in node.items]  # type: ignore[misc]
    if is_null(node):
        return None
    return as_number(node) if node.plain else node.text


def as_number(node: Scalar) -> Json | float:
    if node.text in ("true", "false"):
        return node.text == "true"
    if re.fullmatch(r"[-+]?[0-9]+", node.text):
        return int(node.text)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", node.text):
        return float(node.text)
    return node.text


def schema_accepts(text: str) -> bool:
    return VALIDATOR.is_valid(as_editor(compose(text, Problems("envs.yaml"))))


def messages(text: str) -> str:
    """Return the reader's problems; nothing for a good file."""
    try:
        read_spec(text, origin="envs.yaml")
    except FileProblems as error:
        return str(error)
    return ""


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_shipped_file_is_what_the_keys_say() -> None:
    shipped = Path(nox_envs.spec.schema.__file__).with_name("schema.json")
    assert shipped.read_text(encoding="utf-8") == json_schema(), "run: nox-envs schema > the shipped file"


def test_every_mapping_of_the_schema_has_its_place_in_this_test() -> None:
    known = {title for title, definition in SCHEMA["$defs"].items() if "properties" in definition}
    assert known | {"file"} == set(CONTEXTS)


@pytest.mark.parametrize(("title", "key"), KEYS, ids=[f"{title}-{key}" for title, key in KEYS])
def test_the_reader_knows_every_key_of_the_schema(title: str, key: str) -> None:
    assert "unknown key" not in messages(CONTEXTS[title].format(f"{key}: "))


@pytest.mark.parametrize(("title", "key"), KEYS, ids=[f"{title}-{key}" for title, key in KEYS])
def test_the_reader_reads_every_key_that_it_knows(title: str, key: str) -> None:
    assert re.search(rf"\b{key}(\[0\])*: ", messages(CONTEXTS[title].format(f"{key}: [[[]]]")))


@pytest.mark.parametrize("title", CONTEXTS)
def test_the_reader_knows_no_other_keys(title: str) -> None:
    text = CONTEXTS[title].format("a_key_of_nobody: x")
    assert "a_key_of_nobody: unknown key" in messages(text)
    assert not schema_accepts(text)


@pytest.mark.parametrize(("title", "key"), KEYS, ids=[f"{title}-{key}" for title, key in KEYS])
def test_every_key_is_described(title: str, key: str) -> None:
    mapping = SCHEMA if title == "file" else SCHEMA["$defs"][title]
    assert mapping["properties"][key]["description"].endswith(".")
    assert mapping["additionalProperties"] is False


GOOD = {
    "design": DESIGN,
    "inheritance": textwrap.dedent(INHERITED),
    "matrix": textwrap.dedent(MATRIX),
    "own": (Path(__file__).parent.parent / "envs.yaml").read_text(encoding="utf-8"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_files_please_the_schema_and_the_reader(name: str) -> None:
    assert messages(GOOD[name]) == ""
    VALIDATOR.validate(as_editor(compose(GOOD[name], Problems("envs.yaml"))))


ACCEPTED = """
description: 3
python: 3.10
python: [3.10, pypy3.11]
extends: _base
matrix: {}
matrix: {django: 5.2}
matrix: {django: [4.2, 5.2]}
matrix: {django: {"4.2": , "5.2": {tags: [x], commands: [a]}}}
matrix: {a: [1]}, exclude: [{a: 1}]
matrix: {a: [1]}, include: [{a: 2, tags: [x]}]
python: [3.12], overrides: [{when: {python: ">=3"}, tags: x}]
python: [3.12], overrides: [{when: {python: [3.12]}}, {when: {python: {not: 3.12}}}]
python: [3.12], overrides: [{when: {python: {not: [3.12]}}}]
requirements: app
requirements: [app, "b>=1"]
constraints: pins.txt
constraints: [a<2, {file: pins.txt}, {lock: _x}]
package: editable
package: {mode: wheel, extras: cli}
commands: pytest
commands: [pytest, [pytest, 1], {run: pytest}, {run: [pytest], success_codes: 1, external: true}]
set_env: {A: 1, B: true, C: ""}
pass_env: HOME
pass_env: [HOME, CI]
change_dir: docs
tags: [a, 1]
default: false
requires: []
backend: uv
lock: false
lock: {}
lock: {file: a.txt, per: point, format: both, managed: true, resolver: pip}
lock: {file: a.txt, managed: false, use: constraints}
lock: {file: [a.txt, b.txt], managed: false}
lock: {exclude_newer: 7 days}
lock: {exclude_newer: {than: 7 days, exempt: [a]}}
lock: {only_binary: ":all:", no_binary: [a], group: g, resolution: lowest}
drift: warn
drift: {policy: repair, files: all, severity: {skew: note}, ignore: [{kind: leak, reason: x}]}
allow_prereleases: true
allow_prereleases: [a]
platforms: [linux]
runs_on: ubuntu-latest
"""
REFUSED = """
description: [a]
description: ~
python: []
python: {a: b}
python: "3.12 3.13"
python: [3.12, 3.12]
extends: [a]
extends: Base
matrix: [a]
matrix: {django: []}
matrix: {"my-axis": [a]}
matrix: {django: {}}
matrix: {django: {"4.2": {python: "3.12"}}}
exclude: [{}]
exclude: {a: b}
exclude: [{a: [b]}]
include: [{a: [b]}]
include: [a]
overrides: [{tags: [x]}]
overrides: [{when: {}}]
overrides: [{when: {python: {nto: "3.12"}}}]
overrides: [{when: {python: []}}]
overrides: [{when: {python: {not: {not: "3.12"}}}}]
requirements: {a: b}
requirements: [{include: app}]
constraints: [{}]
constraints: [{file: a.txt, lock: b}]
constraints: [{lock: Up}]
package: sdist
package: {extras: [a]}
package: [editable]
commands: {run: a}
commands: [{}]
commands: [{run: a, shell: true}]
commands: [{run: a, external: "true"}]
commands: [{run: a, success_codes: [x]}]
commands: [{run: a, success_codes: []}]
commands: [[[a]]]
commands: [null]
set_env: [A]
set_env: {A: [b]}
set_env: {A: }
set_env: {"A B": c}
pass_env: {A: b}
change_dir: [a]
default: "true"
default: 1
default: yes
backend: conda
lock: a.txt
lock: {per: session}
lock: {format: toml}
lock: {managed: "false"}
lock: {exclude_newer: {exempt: [a]}}
lock: {file: []}
drift: replace
drift: {severity: {nothing: error}}
drift: {severity: {skew: fatal}}
drift: {ignore: [{kind: leak}]}
drift: {ignore: [{kind: nothing, reason: x}]}
drift: {files: true}
allow_prereleases: {a: b}
platforms: {a: b}
"""


def with_environment(keys: str) -> str:
    """Return a file whose environment `tests` has the keys of one line."""
    indexed = "version: 1\nrequirements: {app: [a]}\n"
    return f"{indexed}environments: {{tests: {{ {keys} }}, _base: {{}}, _x: {{}} }}\n"


@pytest.mark.parametrize("keys", ACCEPTED.strip().splitlines())
def test_what_the_reader_accepts_the_schema_accepts(keys: str) -> None:
    text = with_environment(keys).replace("{lock: _x}", "{lock: x}").replace("_x: {}", "x: {}")
    assert messages(text) == ""
    assert schema_accepts(text)


@pytest.mark.parametrize("keys", REFUSED.strip().splitlines())
def test_what_the_schema_refuses_the_reader_refuses(keys: str) -> None:
    text = with_environment(keys)
    assert not schema_accepts(text)
    assert messages(text)


FILES = {
    "environments: {tests: {}}": False,
    "version: 1": False,
    "version: 2\nenvironments: {tests: {}}": False,
    "version: '1'\nenvironments: {tests: {}}": False,
    "version: 1\nenvironments: {}": False,
    "version: 1\nenvironments: {Tests: {}}": False,
    "version: 1\nenvironments: {tests: {}}\nrequirements: {Up: [a]}": False,
    "version: 1\nenvironments: {tests: {}}\nrequirements: {a: [{include: b, file: c}]}": False,
    "version: 1\nenvironments: {tests: {}}\nrequirements: {a: [[b]]}": False,
    "version: 1\nenvironments: {tests: {}}\nrequirements: {a: {group: b}}": False,
    "version: 1\nenvironments: {tests: {}}\nindexes: {a: [b]}": False,
    "version: 1\nenvironments: {tests: {}}\nindexes: {a: {packages: [b]}}": False,
    "version: 1\nenvironments: {tests: {}}\ndefaults: {extends: tests}": False,
    "version: 1\nenvironments: {tests: {}}\ndefaults: [python]": False,
    "version: 1\nenvironments: {tests: }\nrequirements: {a: b, c: [{extra: []}, {group: g}], d: []}": True,
    "version: 1\nenvironments: {t: {}}\nindexes: {a: https://packages.example.org/simple}": True,
    "version: 1\nenvironments: {t: {}}\nlock: false\ndrift: {policy: fail}\ndefaults: {tags: [a]}": True,
}


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_schema_and_reader_judge_whole_files_alike(text: str) -> None:
    assert schema_accepts(text) is FILES[text]
    assert (messages(text) == "") is FILES[text]


@pytest.mark.parametrize(
    "name",
    [
        "bad-axes", "bad-exclude", "bad-include", "bad-overrides", "bad-pythons", "booleans-of-yaml-1-1",
        "constraint-items", "drift-options", "empty-values", "environments-empty", "invalid-names",
        "keys-in-the-wrong-place", "lock-options", "no-environments", "not-pythons", "package-options",
        "set-items", "unknown-keys", "version-missing", "version-quoted", "version-unknown", "wrong-types",
    ],
)  # fmt: skip
def test_the_schema_refuses_broken_files_too_where_it_can(name: str) -> None:
    path = next(path for path in BROKEN if path.stem == name)
    problems = Problems(path.name)
    composed = compose(path.read_text(encoding="utf-8"), problems)
    assert not VALIDATOR.is_valid(as_editor(composed))


LINES = [*ACCEPTED.strip().splitlines(), *REFUSED.strip().splitlines()]


@given(
    lines=st.lists(st.sampled_from(LINES), min_size=1, max_size=4, unique_by=lambda line: line.split(":")[0])
)
@relaxed
def test_the_schema_refuses_nothing_that_the_reader_accepts(lines: list[str]) -> None:
    text = with_environment(", ".join(lines))
    assert schema_accepts(text) or messages(text)
