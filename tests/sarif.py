"""Owns the part of the SARIF 2.1.0 schema (OASIS, errata 01) that is about what this tool writes.

Objects take no other properties than those the standard names for them, as in the published schema.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
INDEX = {"type": "integer", "minimum": -1}
BAG = {"$ref": "#/definitions/propertyBag"}
MESSAGE = {"$ref": "#/definitions/message"}
LEVEL = {"enum": ["none", "note", "warning", "error"]}


def closed(required: tuple[str, ...] = (), **properties: object) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**properties, "properties": BAG},
    }


def listed(items: object, *, unique: bool = False) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "uniqueItems": unique}


def to(name: str) -> dict[str, str]:
    """Refer to a definition."""
    return {"$ref": f"#/definitions/{name}"}


DEFINITIONS: dict[str, Any] = {
    "propertyBag": {
        "type": "object",
        "properties": {"tags": listed(TEXT, unique=True)},
    },
    "message": {
        **closed(text=TEXT, markdown=TEXT, id=TEXT, arguments=listed(TEXT)),
        "anyOf": [{"required": ["text"]}, {"required": ["id"]}],
    },
    "multiformatMessageString": closed(("text",), text=TEXT, markdown=TEXT),
    "artifactLocation": closed(
        uri={
            "type": "string",
            "format": "uri-reference",
            "pattern": r"^[!#$%&'()*+,\-./:;=?@A-Z\[\]_a-z~0-9]*$",
        },
        uriBaseId=TEXT,
        index=INDEX,
        description=MESSAGE,
    ),
    "region": closed(
        startLine={"type": "integer", "minimum": 1},
        startColumn={"type": "integer", "minimum": 1},
        endLine={"type": "integer", "minimum": 1},
        endColumn={"type": "integer", "minimum": 1},
        message=MESSAGE,
    ),
    "physicalLocation": {
        **closed(artifactLocation=to("artifactLocation"), region=to("region"), contextRegion=to("region")),
        "anyOf": [{"required": ["address"]}, {"required": ["artifactLocation"]}],
    },
    "logicalLocation": closed(
        name=TEXT, fullyQualifiedName=TEXT, decoratedName=TEXT, kind=TEXT, index=INDEX, parentIndex=INDEX
    ),
    "location": closed(
        id=INDEX,
        physicalLocation=to("physicalLocation"),
        logicalLocations=listed(to("logicalLocation"), unique=True),
        message=MESSAGE,
    ),
    "reportingConfiguration": closed(
        enabled={"type": "boolean"}, level=LEVEL, rank={"type": "number", "minimum": -1, "maximum": 100}
    ),
    "reportingDescriptor": closed(
        ("id",),
        id=TEXT,
        name=TEXT,
        shortDescription=to("multiformatMessageString"),
        fullDescription=to("multiformatMessageString"),
        help=to("multiformatMessageString"),
        helpUri={"type": "string", "format": "uri"},
        defaultConfiguration=to("reportingConfiguration"),
    ),
    "toolComponent": closed(
        ("name",),
        name=TEXT,
        version=TEXT,
        semanticVersion=TEXT,
        informationUri={"type": "string", "format": "uri"},
        rules=listed(to("reportingDescriptor"), unique=True),
    ),
    "tool": closed(("driver",), driver=to("toolComponent")),
    "notification": closed(
        ("message",), message=MESSAGE, level=LEVEL, locations=listed(to("location"), unique=True)
    ),
    "invocation": closed(
        ("executionSuccessful",),
        executionSuccessful={"type": "boolean"},
        exitCode={"type": "integer"},
        commandLine=TEXT,
        toolExecutionNotifications=listed(to("notification")),
        toolConfigurationNotifications=listed(to("notification")),
    ),
    "result": closed(
        ("message",),
        ruleId=TEXT,
        ruleIndex=INDEX,
        kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
        level=LEVEL,
        message=MESSAGE,
        locations=listed(to("location")),
        fingerprints={"type": "object", "additionalProperties": TEXT},
        partialFingerprints={"type": "object", "additionalProperties": TEXT},
    ),
    "run": closed(
        ("tool",),
        tool=to("tool"),
        invocations=listed(to("invocation")),
        columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        results={"type": ["array", "null"], "items": to("result")},
        originalUriBaseIds={"type": "object", "additionalProperties": to("artifactLocation")},
    ),
}

SARIF: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": listed(to("run")),
        "properties": BAG,
    },
    "definitions": DEFINITIONS,
}
