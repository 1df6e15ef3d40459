"""Owns the SARIF 2.1.0 of a report, for code-scanning pages."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote

from nox_envs.drift import KINDS, Finding, Severity
from nox_envs.report import EnvironmentReport, Report
from nox_envs.report.as_text import chain, difference
from nox_envs.report.meanings import MEANINGS
from nox_envs.report.places import place_of
from nox_envs.streams import printable

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render_sarif(report: Report) -> str:
    """Render a report as one SARIF run: a rule for each kind that occurs, a result for each finding.

    Results carry a fingerprint that stays the same while the finding does. Findings that were mended
    are notes. What was not checked becomes a notification of the invocation.
    """
    kinds = tuple(sorted({finding.kind for finding in report.all_findings}))
    results = [
        _result(finding, environment, kinds)
        for environment in report.environments
        for finding in environment.findings
    ]
    results += [_result(finding, None, kinds) for finding in report.findings]
    run = {
        "tool": {"driver": {"name": "nox-envs", "rules": [_rule(kind) for kind in kinds]}},
        "invocations": [_invocation(report)],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _rule(kind: str) -> dict[str, object]:
    meaning = MEANINGS[kind]
    return {
        "id": kind,
        "shortDescription": {"text": meaning},
        "help": {"text": f"{meaning} docs/findings.md of nox-envs says what to do."},
        "defaultConfiguration": {"level": KINDS[kind]},
    }


def _invocation(report: Report) -> dict[str, object]:
    skipped = [e for e in report.environments if e.status == "skipped"]
    notifications = [_notification("error", text) for text in report.problems]
    notifications += [_notification("warning", f"{e.title} was not checked: {e.reason}") for e in skipped]
    notifications += [_notification("note", text) for text in report.notes]
    return {
        "executionSuccessful": not report.problems and not skipped,
        "toolExecutionNotifications": notifications,
    }


def _notification(level: Severity, text: str) -> dict[str, object]:
    return {"level": level, "message": {"text": printable(text)}}


def _result(
    finding: Finding, environment: EnvironmentReport | None, kinds: tuple[str, ...]
) -> dict[str, object]:
    mended = environment is not None and environment.status == "repaired"
    title = environment.title if environment else finding.session
    return {
        "ruleId": finding.kind,
        "ruleIndex": kinds.index(finding.kind),
        "level": "note" if mended else finding.severity,
        "message": {"text": _message(finding, title, mended=mended)},
        "locations": [_location(finding, environment)],
        "partialFingerprints": {"noxEnvs/v1": _fingerprint(finding, environment)},
        "properties": {
            "environment": printable(finding.environment),
            "session": printable(finding.session),
            "origin": printable(environment.origin) if environment else "",
            "package": printable(finding.package),
            "expected": printable(finding.expected),
            "actual": printable(finding.actual),
            "path": printable(finding.path),
            "why": [printable(text) for text in finding.why],
            "fix": printable(finding.fix),
            "mended": mended,
        },
    }


def _message(finding: Finding, title: str, *, mended: bool) -> str:
    subject = ": ".join(text for text in (title, finding.package) if text)
    sentences = (
        f"{subject}: {difference(finding)}" if subject else difference(finding),
        f"asked for by {chain(finding)}" if finding.why else "",
        "mended by the run that found it" if mended else f"fix: {finding.fix}" if finding.fix else "",
    )
    # Brackets would begin a link and braces a placeholder (SARIF 2.1.0, sections 3.11.5 and 3.11.6).
    return _plain("; ".join(printable(sentence) for sentence in sentences if sentence))


def _plain(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return text.replace("{", "{{").replace("}", "}}")


def _location(finding: Finding, environment: EnvironmentReport | None) -> dict[str, object]:
    place = place_of(finding, environment.lock if environment else "")
    location: dict[str, object] = {}
    if place.file:
        physical: dict[str, object] = {"artifactLocation": _artifact(place.file)}
        if place.line:
            physical["region"] = {"startLine": place.line}
        location["physicalLocation"] = physical
    name = printable(environment.title if environment else finding.session)
    if name:
        location["logicalLocations"] = [{"name": name, "kind": "environment"}]
    return location


def _artifact(file: str) -> dict[str, object]:
    uri = quote(file.replace("\\", "/"), safe="/._-~+@=,", errors="replace")
    if uri.startswith("/"):
        return {"uri": "/" + uri.lstrip("/")}  # two slashes would begin the name of a host
    return {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _fingerprint(finding: Finding, environment: EnvironmentReport | None) -> str:
    origin = environment.origin if environment else ""
    parts = (finding.kind, origin, finding.session, finding.package, finding.expected, finding.actual)
    return hashlib.sha256("\0".join((*parts, finding.path)).encode("utf-8", "replace")).hexdigest()
