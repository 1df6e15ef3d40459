"""Owns the JSON Schema of a spec, derived from the same keys that read it; reads nothing."""

from __future__ import annotations

import json

from nox_envs.document import Json
from nox_envs.spec.file_keys import FILE


def json_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of a spec as text, for editors."""
    definitions: dict[str, Json] = {}
    root = FILE.definition(definitions)
    schema: dict[str, Json] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "envs.yaml",
        "description": "The Python environments of a project, read by nox-envs.",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
