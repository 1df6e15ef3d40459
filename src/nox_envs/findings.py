"""Findings: kinds, severities, commands, ignore rules."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias, get_args

from nox_envs.errors import NoxEnvsError, Place, did_you_mean
from nox_envs.values import replace, value

Severity: TypeAlias = Literal["error", "warning", "note"]
SeverityName: TypeAlias = Literal["error", "warning", "note", "off"]
DriftPolicy: TypeAlias = Literal["repair", "fail", "warn"]
FilesMode: TypeAlias = Literal["off", "changed", "all"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
POLICIES: tuple[DriftPolicy, ...] = get_args(DriftPolicy)
FILES_MODES: tuple[FilesMode, ...] = get_args(FilesMode)

# Each kind of finding, by what it compares, with its severity unless the spec says otherwise.
KINDS: dict[str, Severity] = {
    # spec and lock
    **dict.fromkeys(("lock-missing", "lock-stale", "lock-unsatisfied"), "error"),
    "lock-orphaned": "warning",
    **dict.fromkeys(("lock-unhashed", "leak"), "error"),
    # lock and installed packages
    **dict.fromkeys(("missing", "extraneous", "version", "source", "artifact"), "error"),
    "unverifiable": "note",
    **dict.fromkeys(("python", "inconsistent", "duplicate"), "error"),
    **dict.fromkeys(("broken-metadata", "leftover"), "warning"),
    # installed packages and installed files
    **dict.fromkeys(("file-modified", "file-missing"), "error"),
    **dict.fromkeys(("unowned", "clobbered"), "warning"),
    "startup-hook": "error",
}
Kind: TypeAlias = Annotated[str, tuple(KINDS)]


@value
class Finding:
    """One difference.

    `path` is the file on disk that it is about; `line` is where the expectation is written, as `file:line`;
    `why` is the chain from a requirement set, outermost first; `fix` is the command to type.
    """

    kind: Kind
    severity: Severity
    environment: str = ""
    session: str = ""
    package: str = ""
    expected: str = ""
    actual: str = ""
    path: str = ""
    line: str = ""
    why: tuple[str, ...] = ()
    fix: str = ""


Findings: TypeAlias = tuple[Finding, ...]


def finding(
    kind: str, package: str = "", *, severity: Severity | None = None, why: tuple[str, ...] = (), **texts: str
) -> Finding:
    """Return a finding of the severity of its kind; `texts` are its other fields."""
    return Finding(kind=kind, severity=severity or KINDS[kind], package=package, why=why, **texts)


def drift_in(findings: Iterable[Finding]) -> Findings:
    """Return the findings that are more than a note."""
    return tuple(one for one in findings if one.severity != "note")


def count_kinds(findings: Iterable[Finding]) -> str:
    """Return the number of findings of each kind (`2 missing, 1 version`)."""
    counts = Counter(one.kind for one in findings)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def run_command(session: str, *, recreate: bool = False) -> str:
    """Return the command that runs a session, or recreates its venv whatever its policy on drift is."""
    return f"nox {'--reuse-venv=never ' * recreate}-s {shlex.quote(session)}"


def lock_command(environments: Iterable[str]) -> str:
    """Return the command that regenerates the locks of environments, quoted for a shell."""
    return f"nox -s lock -- {' '.join(map(shlex.quote, environments))}"


@value
class IgnoreRule:
    """Ignore findings that match every given field; `until` is an ISO date, the last day of the rule."""

    kind: str | None = None
    package: str | None = None
    path: str | None = None
    environment: str | None = None
    reason: str
    until: str | None = None
    place: Place


@value
class DriftOptions:
    """What is written under a `drift:` key; None means not given."""

    policy: DriftPolicy | None = None
    files: FilesMode | None = None
    severity: tuple[tuple[str, SeverityName], ...] = ()
    ignore: tuple[IgnoreRule, ...] = ()


def apply_options(findings: Iterable[Finding], options: DriftOptions, *, today: str) -> tuple[Findings, int]:
    """Give findings the severities of a spec; return those that it does not ignore, and the number of others.

    `today` is an ISO date, by which rules may be over (empty: none is).
    """
    severities = dict(options.severity)
    rules = [rule for rule in options.ignore if (rule.until or today) >= today]
    found, kept = tuple(findings), list[Finding]()
    for one in found:
        severity = severities.get(one.kind, one.severity)
        if severity != "off" and not any(matches(rule, one) for rule in rules):
            kept.append(one if severity == one.severity else replace(one, severity=severity))
    return tuple(kept), len(found) - len(kept)


def matches(rule: IgnoreRule, one: Finding) -> bool:
    """Return whether every field that a rule gives matches a finding.

    In globs `*` stands for slashes too; a path matches as a whole or from any of its folders on (`*.pth`).
    """
    from fnmatch import fnmatchcase  # few projects ignore anything

    path, inside = one.path.replace("\\", "/"), (rule.path or "").replace("\\", "/")
    return (
        rule.kind in (None, one.kind)
        and rule.environment in (None, one.environment)
        and (rule.package is None or (one.package != "" and fnmatchcase(one.package, rule.package)))
        and (rule.path is None or (path != "" and any(fnmatchcase(path, x) for x in (inside, f"*/{inside}"))))
    )


def fail_conditions(text: str) -> tuple[str, ...]:
    """Return the severities and kinds that `--fail-on` names, with commas; raises NoxEnvsError for others."""
    known = (*SEVERITIES, *KINDS)
    conditions = tuple(word.strip() for word in text.split(",") if word.strip())
    for condition in conditions:
        if condition not in known:
            hint = did_you_mean(condition, known) or "write error, warning, note or a kind of finding"
            raise NoxEnvsError(f"--fail-on: {condition!r} is not a severity or a kind of finding ({hint})")
    return conditions or ("error",)


def fails(one: Finding, conditions: tuple[str, ...]) -> bool:
    """Return whether a finding is at least as severe as a condition says, or of a kind that it names."""
    return not {one.kind, *SEVERITIES[SEVERITIES.index(one.severity) :]}.isdisjoint(conditions)
