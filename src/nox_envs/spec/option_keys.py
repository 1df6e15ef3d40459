"""Owns the keys of `lock`, `drift`, `package` and `indexes`."""

from __future__ import annotations

from typing import Literal

from nox_envs.document import (
    Boolean,
    ByKind,
    Choice,
    Fields,
    Key,
    ListOf,
    MapOf,
    Mapped,
    Record,
    Scalar,
    Shape,
    Text,
)
from nox_envs.kinds import KINDS
from nox_envs.spec import words
from nox_envs.spec.types import (
    DriftOptions,
    DriftPolicy,
    IgnoreRule,
    Index,
    LockOptions,
    Package,
    PackageMode,
    SeverityName,
)

_PACKAGES = ListOf(Text(words.package_name, expected="a package name"), expected="a list of package names")
_EXTRAS = ListOf(Text(words.extra_name, expected="the name of an extra"), expected="a list of extras")

# package ------------------------------------------------------------------------------------------

_MODES: Shape[PackageMode] = Choice("none", "editable", "wheel")
_MODE = Key("mode", "How this project itself is installed.", _MODES, required="none, editable or wheel")
_PACKAGE_EXTRAS = Key("extras", "The extras of this project to install.", _EXTRAS, also="extra")


def _package(fields: Fields) -> Package:
    extras = fields.get(_PACKAGE_EXTRAS) or ()
    return Package(mode=fields.need(_MODE), extras=extras)


def _package_word(mode: PackageMode) -> Package:
    return Package(mode=mode)


PACKAGE: Shape[Package] = ByKind(
    scalar=Mapped(_MODES, _package_word),
    mapping=Record("package", (_MODE, _PACKAGE_EXTRAS), _package, expected="{mode: …, extras: […]}"),
)

# lock ---------------------------------------------------------------------------------------------

_THAN = Key(
    "than",
    "A date (2026-01-31), a time (2026-01-31T00:00:00Z) or a span ('7 days').",
    Text(words.cooldown, expected="a date or a span"),
    required="such as than: 7 days",
    also="before date span time",
)
_EXEMPT = Key("exempt", "Packages whose newest releases are allowed.", _PACKAGES, also="except packages")


def _newer(fields: Fields) -> tuple[str, tuple[str, ...] | None]:
    exempt = fields.get(_EXEMPT)
    return fields.need(_THAN), exempt


def _newer_word(text: str) -> tuple[str, tuple[str, ...] | None]:
    return text, None


_BINARY = Text(words.binary_choice, expected="a package name or :all:")
_BINARIES = ListOf(_BINARY, expected="a list of package names, or :all:")
_LOCK_FILE = Key(
    "file",
    "The path of the lock, with placeholders: {environment}, {python}, {py} (312) and the axes. "
    "A list names several locks that are installed together (only with managed: false).",
    ListOf(Text(words.file_path, expected="a path"), expected="a path, or a list of paths", filled=True),
    also="path files",
)
_PER: Key[Literal["environment", "python", "point"]] = Key(
    "per", "What one lock file is made for.", Choice("environment", "python", "point")
)
_FORMAT: Key[Literal["requirements", "pylock", "both"]] = Key(
    "format", "The format of the lock.", Choice("requirements", "pylock", "both")
)
_GROUP_NAME = Text(words.word, expected="the name of a group")
_LOCK_GROUP = Key("group", "Environments of one group are solved together.", _GROUP_NAME)
_RESOLUTION: Key[Literal["highest", "lowest", "lowest-direct"]] = Key(
    "resolution", "Which versions are preferred.", Choice("highest", "lowest", "lowest-direct")
)
_EXCLUDE_NEWER: Key[tuple[str, tuple[str, ...] | None]] = Key(
    "exclude_newer",
    "Leave out releases newer than this: a date, a time or a span such as '7 days'.",
    ByKind(
        scalar=Mapped(Text(words.cooldown, expected="a date or a span"), _newer_word),
        mapping=Record("exclude-newer", (_THAN, _EXEMPT), _newer, expected="{than: …, exempt: […]}"),
    ),
    also="exclude-newer cooldown",
)
_MANAGED = Key("managed", "false: the lock is made by something else, and is only read.", Boolean())
_USE: Key[Literal["requirements", "constraints"]] = Key(
    "use",
    "requirements: install exactly the lock; constraints: install the requirements under the lock's pins.",
    Choice("requirements", "constraints"),
)
_RESOLVER: Key[Literal["uv", "pip"]] = Key("resolver", "What resolves.", Choice("uv", "pip"))
_ONLY_BINARY = Key("only_binary", "Packages never built from source.", _BINARIES, also="only-binary")
_NO_BINARY = Key("no_binary", "Packages always built from source.", _BINARIES, also="no-binary")


def _lock(fields: Fields) -> LockOptions:
    newer = fields.get(_EXCLUDE_NEWER)
    return LockOptions(
        enabled=True,
        file=fields.get(_LOCK_FILE),
        per=fields.get(_PER),
        format=fields.get(_FORMAT),
        group=fields.get(_LOCK_GROUP),
        resolution=fields.get(_RESOLUTION),
        exclude_newer=newer[0] if newer else None,
        exclude_newer_exempt=newer[1] if newer else None,
        managed=fields.get(_MANAGED),
        use=fields.get(_USE),
        resolver=fields.get(_RESOLVER),
        only_binary=fields.get(_ONLY_BINARY),
        no_binary=fields.get(_NO_BINARY),
    )


def _lock_word(enabled: bool) -> LockOptions:
    return LockOptions(enabled=enabled)


LOCK: Shape[LockOptions] = ByKind(
    scalar=Mapped(Boolean(expected="false or a mapping of options"), _lock_word),
    expected="false or a mapping of options",
    mapping=Record(
        "lock",
        (
            _LOCK_FILE,
            _PER,
            _FORMAT,
            _LOCK_GROUP,
            _RESOLUTION,
            _EXCLUDE_NEWER,
            _MANAGED,
            _USE,
            _RESOLVER,
            _ONLY_BINARY,
            _NO_BINARY,
        ),
        _lock,
    ),
)

# drift --------------------------------------------------------------------------------------------

_KIND = Choice(*KINDS, expected="a kind of finding")
_SEVERITIES: Shape[SeverityName] = Choice("error", "warning", "note", "off")
_POLICIES: Shape[DriftPolicy] = Choice("repair", "fail", "warn")

_IGNORED_KIND = Key("kind", "A kind of finding.", _KIND)
_PACKAGE_GLOB = Text(words.package_glob, expected="a package name or a pattern")
_IGNORED_PACKAGE = Key("package", "The name of a package, or a pattern such as types-*.", _PACKAGE_GLOB)
_IGNORED_PATH = Key("path", "The path of a file.", Text(words.filled_text, expected="a path"))
_IGNORED_ENVIRONMENT = Key(
    "environment",
    "The name of an environment.",
    Text(words.environment_name, expected="the name of an environment", pattern=words.ENVIRONMENT_PATTERN),
)
_REASON_TEXT = Text(words.filled_text, expected="a reason")
_REASON = Key("reason", "Why this is no problem.", _REASON_TEXT, required="say why it is accepted")
_DATE = Text(words.date, expected="a date")
_UNTIL = Key("until", "The last day (YYYY-MM-DD) on which the rule counts.", _DATE)


def _ignore_rule(fields: Fields) -> IgnoreRule:
    rule = IgnoreRule(
        kind=fields.get(_IGNORED_KIND),
        package=fields.get(_IGNORED_PACKAGE),
        path=fields.get(_IGNORED_PATH),
        environment=fields.get(_IGNORED_ENVIRONMENT),
        until=fields.get(_UNTIL),
        reason=fields.get(_REASON) or "",
        place=fields.place,
    )
    if not any(fields.node.value(key) for key in ("kind", "package", "path", "environment")):
        hint = "say which, by kind, package, path or environment"
        fields.problems.add(fields.place, "the rule would ignore every finding", hint)
    return rule


_POLICY = Key("policy", "What a session does when it finds drift.", _POLICIES)
_FILES: Key[Literal["off", "changed", "all"]] = Key(
    "files", "Which installed files are compared with their RECORD.", Choice("off", "changed", "all")
)
_SEVERITY = Key(
    "severity",
    "How severe a kind of finding is.",
    MapOf(_KIND, _SEVERITIES, expected="a mapping of kinds to severities"),
)
_IGNORE = Key(
    "ignore",
    "Findings that are known and accepted, each with a reason.",
    ListOf(
        Record(
            "ignore-rule",
            (_IGNORED_KIND, _IGNORED_PACKAGE, _IGNORED_PATH, _IGNORED_ENVIRONMENT, _REASON, _UNTIL),
            _ignore_rule,
        ),
        expected="a list of rules",
    ),
)


def _drift(fields: Fields) -> DriftOptions:
    severity = fields.get(_SEVERITY) or ()
    return DriftOptions(
        policy=fields.get(_POLICY),
        files=fields.get(_FILES),
        severity=tuple((kind.text, name) for kind, name in severity),
        ignore=fields.get(_IGNORE) or (),
    )


def _drift_word(policy: DriftPolicy) -> DriftOptions:
    return DriftOptions(policy=policy)


DRIFT: Shape[DriftOptions] = ByKind(
    scalar=Mapped(_POLICIES, _drift_word),
    expected="repair, fail, warn or a mapping of options",
    mapping=Record("drift", (_POLICY, _FILES, _SEVERITY, _IGNORE), _drift),
)

# indexes ------------------------------------------------------------------------------------------

_URL_TEXT = Text(words.index_url, expected="a URL")
_URL = Key(
    "url",
    "The URL of the index, without credentials.",
    _URL_TEXT,
    required="such as url: https://packages.example.org/simple",
)
_INDEX_PACKAGES = Key("packages", "Take only these packages from this index.", _PACKAGES, also="only")


def _index(fields: Fields) -> tuple[str, tuple[str, ...]]:
    packages = fields.get(_INDEX_PACKAGES) or ()
    return fields.need(_URL), packages


def _index_word(url: str) -> tuple[str, tuple[str, ...]]:
    return url, ()


def _indexes(pairs: tuple[tuple[Scalar, tuple[str, tuple[str, ...]]], ...]) -> tuple[Index, ...]:
    return tuple(
        Index(name=key.text, url=url, packages=packages, place=key.place) for key, (url, packages) in pairs
    )


INDEXES = Key(
    "indexes",
    "Package indexes in the order asked; credentials stay with the installer.",
    Mapped(
        MapOf(
            Text(words.set_name, pattern=words.NAME_PATTERN),
            ByKind(
                scalar=Mapped(_URL_TEXT, _index_word),
                mapping=Record("index", (_URL, _INDEX_PACKAGES), _index, expected="{url: …, packages: […]}"),
            ),
            expected="a mapping of names to URLs",
        ),
        _indexes,
    ),
    also="index sources source index_urls",
)
