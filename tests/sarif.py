"""The check of a SARIF document: against the published schema, and what that leaves open."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest

# SARIF 2.1.0, errata 01, as OASIS publishes it: its bytes, and a package that ships them.
DIGEST = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
PACKAGE, FILE = "linceo", "linceo/data/sarif-schema-2.1.0.json"

# The characters of a URI reference (RFC 3986): the schema names the format, which no validator here checks.
_REFERENCE = re.compile(r"[!#$%&'()*+,\-./:;=?@A-Z\[\]_a-z~0-9]*")


@cache
def published() -> dict[str, Any]:
    """Return the published schema; skip the test where the package that ships it is not installed."""
    try:
        data = Path(str(distribution(PACKAGE).locate_file(FILE))).read_bytes()
    except PackageNotFoundError:
        pytest.skip(f"{PACKAGE}, which ships the schema of SARIF, is not installed; it is for Python 3.11 on")
    assert hashlib.sha256(data).hexdigest() == DIGEST, f"{FILE} is not the published schema"
    return dict(json.loads(data))


def check_published(document: object) -> None:
    """Check a document against the published schema."""
    checker = jsonschema.FormatChecker()
    jsonschema.Draft4Validator(published(), format_checker=checker).validate(document)


def check_references(document: object) -> None:
    """Check that every URI of a document is one."""
    for reference in _references(document):
        assert _REFERENCE.fullmatch(reference), reference


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("uri", "$schema"):
                yield str(item)
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
