"""The JSON Schema says what the reader does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import FileProblems
from nox_envs.spec.document import Mapping, Node, Problems, Scalar, Sequence, compose, is_null
from nox_envs.spec.keys import json_schema, read_spec
from tests.test_spec import DESIGN, INHERITED, READ

relaxed = settings(deadline=None)

SCHEMA = json.loads(json.dumps(json_schema()))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

HEAD = "version: 1\nrequirements: {app: [a]}\nenvironments: {base: {}, _base: {}, tests: {"


def as_editor(node: Node) -> object:
    """Return a node as an editor takes it: by the core schema of YAML 1.2."""
    if isinstance(node, Mapping):
        return {key.value: as_editor(value) for key, value in node.value}
    if isinstance(node, Sequence):
        return [as_editor(item) for item in node.value]
    assert isinstance(node, Scalar)
    if is_null(node):
        return None
    if node.style or not re.fullmatch(r"true|false|[-+]?[0-9]+(\.[0-9]*)?", node.value):
        return node.value
    return json.loads(node.value.rstrip(".")) if not node.value.startswith(("0", "+")) else float(node.value)


def schema_accepts(text: str) -> bool:
    return VALIDATOR.is_valid(as_editor(compose(text, Problems("envs.yaml"))))


def reader_accepts(text: str) -> bool:
    try:
        read_spec(text, origin="envs.yaml")
    except FileProblems:
        return False
    return True


def with_keys(line: str) -> str:
    return f"{HEAD}{line}}}}}\n"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def mappings(fragment: object) -> list[dict[str, dict[str, object]]]:
    """Return the properties of every mapping in a schema."""
    found: list[dict[str, dict[str, object]]] = []
    if isinstance(fragment, list):
        found = [one for part in fragment for one in mappings(part)]
    elif isinstance(fragment, dict):
        found = [fragment["properties"]] if "properties" in fragment else []
        found += [one for part in fragment.values() for one in mappings(part)]
    return found


def test_every_key_is_described_in_a_sentence() -> None:
    described = [one for properties in mappings(SCHEMA) for one in properties.values() if "$ref" not in one]
    assert len(described) > 60
    assert all(str(one["description"]).endswith((".", "`.", ").")) for one in described)


ACCEPTED = """
name: "x{py}", python: "3.12"
python: 3.10
python: [3.10, pypy3.11]
extends: _base
matrix: {}
matrix: {django: 5.2}
matrix: {django: [4.2, 5.2]}
matrix: {django: {"4.2": , "5.2": {tags: [x], commands: [a]}}}
python: [3.12], matrix: {a: {x: {python: 3.12}, y: {python: "<3.13"}, z: {python: {not: [3.12]}}}}
matrix: [{python: 3.12, a: 1}, {a: 2, tags: [x], lock: {per: point}}]
matrix: {a: [1]}, exclude: [{a: 1}]
matrix: {a: [1, 2]}, exclude: [{a: [1]}, {a: {not: 2}}]
matrix: {a: [1]}, include: [{a: 2, tags: [x]}]
python: [3.12], overrides: [{when: {python: ">=3"}, tags: x}]
python: [3.12], overrides: [{when: {python: [3.12]}}, {when: {python: {not: 3.12}}}, {when: {}}]
requirements: app
requirements: [{file: x.in}, {group: dev}]
build_constraints: [{file: pins.txt}, wheel<1]
exclude_newer: 7 days
package: {mode: wheel, extras: cli}
commands: pytest
commands: [pytest, [pytest, 1], {run: pytest, success_codes: 1}]
pass_env: [HOME, CI]
tags: [a, 1]
default: "false"
requires: []
lock: {managed: true, file: [a.txt]}
lock: {file: [a.txt, b.txt], managed: false, command: make}
drift: {policy: repair, files: all, severity: {leak: note}, ignore: [{kind: leak, reason: x}]}
""".strip().splitlines()
ACCEPTED.extend(READ)
REFUSED = """
description: [a]
description: ~
name: ""
python: []
python: {a: b}
extends: [a]
extends: Base
matrix: [a]
matrix: {django: []}
matrix: {"my-axis": [a]}
matrix: [{django: [a]}]
exclude: {a: b}
exclude: [{a: {b: c}}]
include: [{a: [b]}]
include: [a]
overrides: [{tags: [x]}]
overrides: [{when: {python: {nto: "3.12"}}}]
overrides: [{when: {python: []}}]
overrides: [{when: {python: {not: {not: "3.12"}}}}]
requirements: {a: b}
requirements: [{}]
requirements: [{include: app, file: b}]
requirements: [[a]]
constraints: [{}]
constraints: [{file: a.txt, lock: b}]
constraints: [{lock: Up}]
build_constraints: [{lock: base}]
resolution: lowest_direct
exclude_newer: {exempt: [a]}
package: sdist
package: {extras: [a]}
package: [editable]
commands: {run: a}
commands: [{}]
commands: [{run: a, shell: true}]
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
default: 1
default: yes
backend: conda
lock: a.txt
lock: {per: session}
lock: {format: pylock}
lock: {resolver: uv}
lock: {file: []}
drift: replace
drift: {severity: {nothing: error}}
drift: {severity: {leak: fatal}}
drift: {ignore: [{kind: leak}]}
drift: {ignore: [{kind: nothing, reason: x}]}
drift: {files: true}
allow_prereleases: {a: b}
platforms: {a: b}
a_key_that_is_not_known: x
""".strip().splitlines()


@pytest.mark.parametrize("line", ACCEPTED)
def test_what_the_reader_accepts_the_schema_accepts(line: str) -> None:
    assert reader_accepts(with_keys(line))
    assert schema_accepts(with_keys(line))


@pytest.mark.parametrize("line", REFUSED)
def test_what_the_schema_refuses_the_reader_refuses(line: str) -> None:
    assert not schema_accepts(with_keys(line))
    assert not reader_accepts(with_keys(line))


GOOD = "version: 1\nenvironments: {tests: {}}\n"
FILES = {
    "environments: {tests: {}}": False,
    "version: 1": False,
    "version: '2'\nenvironments: {tests: {}}": False,
    "version: '1'\nenvironments: {}": True,
    "version: 1\nenvironments: {Tests: {}}": False,
    f"{GOOD}requirements: {{Up: [a]}}": False,
    f"{GOOD}requirements: {{a: {{group: b}}}}": False,
    f"{GOOD}indexes: {{a: [b]}}": False,
    f"{GOOD}indexes: {{a: {{url: https://packages.example.org/simple}}}}": False,
    f"{GOOD}defaults: {{extends: tests}}": False,
    f"{GOOD}defaults: [python]": False,
    f"{GOOD}requirements: {{a: b, c: [{{extra: []}}, {{group: g}}], d: []}}": True,
    f"{GOOD}indexes: {{a: https://packages.example.org/simple}}": True,
    f"{GOOD}lock: false\ndrift: {{policy: fail}}\ndefaults: {{tags: [a]}}": True,
    "version: 1\nenvironments: {tests: }": True,
    DESIGN: True,
    INHERITED: True,
    (Path(__file__).parent / "examples" / "popular.yaml").read_text(encoding="utf-8"): None,
}


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_schema_and_reader_agree_about_whole_files(text: str) -> None:
    assert schema_accepts(text) is reader_accepts(text)
    assert FILES[text] in (None, reader_accepts(text))


@given(lines=st.lists(st.sampled_from(ACCEPTED + REFUSED), min_size=1, max_size=4))
@relaxed
def test_the_schema_refuses_nothing_that_the_reader_accepts(lines: list[str]) -> None:
    text = with_keys(", ".join({line.split(":")[0]: line for line in lines}.values()))
    assert schema_accepts(text) or not reader_accepts(text)
