"""The report as SARIF 2.1.0, for code-scanning pages."""

from __future__ import annotations

import hashlib

from nox_envs.findings import KINDS, Finding
from nox_envs.report.json import json_text
from nox_envs.report.report import EnvironmentReport, Report, place_of, sentences
from nox_envs.terminal import printable

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HELP = "The documentation of nox-envs says under {} what it means and what to do."


def render_sarif(report: Report) -> str:
    """Return a report as one SARIF run: a rule for each kind that occurs, a result for each finding."""
    kinds = sorted({one.kind for one in report.all_findings})
    rules = [
        {
            "id": kind,
            "shortDescription": {"text": kind},
            "help": {"text": _HELP.format(kind)},
            "defaultConfiguration": {"level": KINDS[kind]},
        }
        for kind in kinds
    ]
    said = [{"level": level, "message": _message(text)} for level, text in report.remarks]
    run = {
        "tool": {"driver": {"name": "nox-envs", "rules": rules}},
        "invocations": [{"executionSuccessful": not said, "toolExecutionNotifications": said}],
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, one, kinds) for one in report.groups for found in one.findings],
    }
    return json_text({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _result(finding: Finding, one: EnvironmentReport, kinds: list[str]) -> dict[str, object]:
    from urllib.parse import quote  # only for this format

    repaired = one.status == "repaired"
    title = f"{one.title}: {finding.package}" if finding.package else one.title
    identity = "\0".join((finding.kind, title, finding.expected, finding.actual, finding.path))
    digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()
    file, line = place_of(finding, one.lock)
    uri = quote(file.replace("\\", "/"), safe="/._-~+@=,", errors="replace")
    # Two slashes at the beginning of a reference would begin the name of a host.
    artifact = {"uri": f"/{uri.lstrip('/')}"} if uri[:1] == "/" else {"uri": uri, "uriBaseId": "%SRCROOT%"}
    region = {"region": {"startLine": line}} if line else {}
    return {
        "ruleId": finding.kind,
        "ruleIndex": kinds.index(finding.kind),
        "level": "note" if repaired else finding.severity,
        "message": _message("; ".join(sentences(finding, title, repaired=repaired))),
        "locations": [{"physicalLocation": {"artifactLocation": artifact, **region}} if file else {}],
        "partialFingerprints": {"noxEnvs/v1": digest},
    }


def _message(text: str) -> dict[str, str]:
    # Brackets would begin a link and braces a placeholder (SARIF 2.1.0, sections 3.11.5 and 3.11.6).
    text = printable(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return {"text": text.replace("{", "{{").replace("}", "}}")}
