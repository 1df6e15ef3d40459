"""Owns what a project makes of findings: severities, ignore rules, baselines, what fails; finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from nox_envs.drift import KINDS, Finding, Severity
from nox_envs.errors import NoxEnvsError
from nox_envs.spec.types import DriftOptions, IgnoreRule
from nox_envs.values import replace, value

FILE_KINDS = frozenset({"file-modified", "file-missing", "unowned", "clobbered"})
INDEX_KINDS = frozenset({"outdated", "yanked", "advisory"})

_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@value
class Judgement:
    """Hold the findings that count, those that do not, and the ignore rules that matched."""

    findings: tuple[Finding, ...]
    ignored: tuple[Finding, ...] = ()
    used: tuple[IgnoreRule, ...] = ()


def judge(
    findings: tuple[Finding, ...],
    options: DriftOptions,
    *,
    today: str,
    shown: Callable[[str], str] = lambda path: path,
) -> Judgement:
    """Give findings the severities of a spec and take away what it ignores.

    `today` is an ISO date; a rule counts on the day of its `until` for the last time. A kind whose
    severity is `off` is ignored. `shown` makes a path what people read, which rules are about. The
    order of what is left is kept.
    """
    if not options.severity and not options.ignore:
        return Judgement(findings=findings)
    severities = dict(options.severity)
    rules = [rule for rule in options.ignore if not expired(rule, today)]
    kept: list[Finding] = []
    ignored: list[Finding] = []
    used: list[IgnoreRule] = []
    for finding in findings:
        matching = [rule for rule in rules if matches(rule, finding, shown(finding.path))]
        used += matching
        severity = severities.get(finding.kind, finding.severity)
        if matching or severity == "off":
            ignored.append(finding)
        elif severity == finding.severity:
            kept.append(finding)
        else:
            kept.append(replace(finding, severity=severity))
    return Judgement(findings=tuple(kept), ignored=tuple(ignored), used=tuple(dict.fromkeys(used)))


def expired(rule: IgnoreRule, today: str) -> bool:
    """Return whether the last day of a rule is over; both are ISO dates, which sort as texts."""
    return rule.until is not None and rule.until < today


def matches(rule: IgnoreRule, finding: Finding, path: str) -> bool:
    """Return whether a rule is about a finding at `path`: every field that it gives matches.

    `package` and `path` are globs in which `*` also stands for slashes; a path matches whole or from
    any of its folders on (`*.pth`, `site-packages/legacy/*`).
    """
    if rule.kind is not None and rule.kind != finding.kind:
        return False
    if rule.environment is not None and rule.environment != finding.environment:
        return False
    if rule.package is not None and not _matches_package(finding.package, rule.package):
        return False
    return rule.path is None or (path != "" and _matches_path(path, rule.path))


def _matches_package(name: str, glob: str) -> bool:
    return name != "" and fnmatchcase(name, glob.lower().replace("_", "-").replace(".", "-"))


def _matches_path(path: str, glob: str) -> bool:
    path, glob = path.replace("\\", "/"), glob.replace("\\", "/")
    return fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob}")


def idle_rules(
    rules: Iterable[IgnoreRule], used: Iterable[IgnoreRule], *, today: str, unchecked: frozenset[str]
) -> tuple[str, ...]:
    """Return a line on each rule that is over or matched nothing, in the order of the spec.

    `unchecked` are the kinds that nobody looked for: a rule about one of them, or about a path where
    files were not compared, is not known to be idle.
    """
    matched = set(used)
    lines: list[str] = []
    for rule in sorted(set(rules), key=lambda rule: (rule.place.origin, rule.place.line, rule.place.column)):
        what = f"{rule.place}: the ignore rule for {_described(rule)}"
        if expired(rule, today):
            lines.append(f"{what} ended on {rule.until}; remove it, or give it a new date")
        elif rule not in matched and not _beyond(rule, unchecked):
            lines.append(f"{what} matched nothing; remove it")
    return tuple(lines)


def _beyond(rule: IgnoreRule, unchecked: frozenset[str]) -> bool:
    if rule.kind is not None:
        return rule.kind in unchecked
    return rule.path is not None and bool(unchecked & FILE_KINDS)


def _described(rule: IgnoreRule) -> str:
    given = (
        ("kind", rule.kind),
        ("package", rule.package),
        ("path", rule.path),
        ("environment", rule.environment),
    )
    return ", ".join(f"{name} {text}" for name, text in given if text)


Identity = tuple[str, str, str, str, str, str, str]


def identity(finding: Finding) -> Identity:
    """Return what makes a finding the same one tomorrow: all but its severity, line, reason and fix."""
    return (
        finding.kind,
        finding.environment,
        finding.session,
        finding.package,
        finding.expected,
        finding.actual,
        finding.path,
    )


def beyond_baseline(
    findings: tuple[Finding, ...], baseline: frozenset[Identity]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Split findings into those that are new and those that a baseline accepts."""
    new = tuple(finding for finding in findings if identity(finding) not in baseline)
    return new, tuple(finding for finding in findings if identity(finding) in baseline)


def fail_conditions(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what `--fail-on` names: severities and kinds, also several with commas between them.

    Raises NoxEnvsError for a text that is neither, with the nearest one.
    """
    known = (*_RANK, *KINDS)
    conditions = tuple(word.strip() for text in texts for word in text.split(",") if word.strip())
    for condition in conditions:
        if condition not in known:
            from difflib import get_close_matches

            near = get_close_matches(condition, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "error, warning, note or a kind of finding"
            raise NoxEnvsError(f"--fail-on: {condition!r} is no severity and no kind ({hint})")
    return conditions or ("error",)


def fails(finding: Finding, conditions: tuple[str, ...]) -> bool:
    """Return whether a finding is at least as severe as a condition says, or of a kind that it names."""
    return any(
        finding.kind == condition
        or any(name == condition and _RANK[finding.severity] <= rank for name, rank in _RANK.items())
        for condition in conditions
    )
