"""Owns the keys that an environment shares with partial environments (axis values, overrides, includes)."""

from __future__ import annotations

from nox_envs.document import Boolean, ByKind, Choice, Fields, Key, ListOf, Mapped, Record, Text
from nox_envs.spec import words
from nox_envs.spec.command_keys import CHANGE_DIR, COMMANDS, SET_ENV
from nox_envs.spec.drafts import DraftLayer
from nox_envs.spec.option_keys import DRIFT, LOCK, PACKAGE
from nox_envs.spec.requirement_keys import BUILD_CONSTRAINTS, CONSTRAINTS, ENVIRONMENT_REQUIREMENTS
from nox_envs.spec.types import Backend, Include, Layer, RequirementText


def _prereleases(text: str) -> bool | tuple[str, ...]:
    return text == "true" if text in ("true", "false") else (words.package_name(text),)


def _names(names: tuple[str, ...]) -> bool | tuple[str, ...]:
    return names


_WORD = Text(words.word, expected="a word")
_PACKAGE_NAME = Text(words.package_name, expected="a package name")

DESCRIPTION = Key(
    "description", "One line for `nox -l`.", Text(words.filled_text, expected="a text"), also="doc help"
)
REQUIREMENTS: Key[tuple[Include | RequirementText, ...]] = Key(
    "requirements",
    "What is installed: names of requirement sets, and requirements with a version, extra, marker or URL. "
    "A bare name is always a set.",
    ENVIRONMENT_REQUIREMENTS,
    also="deps dependencies install packages",
)
_CONSTRAINTS = Key(
    "constraints",
    "Limits on what is locked: requirements, paths of files, or {lock: ENVIRONMENT} for layered locks.",
    CONSTRAINTS,
    also="constraint constrain_package_deps",
)
_BUILD_CONSTRAINTS = Key("build_constraints", "Limits on what builds sdists.", BUILD_CONSTRAINTS)
_PACKAGE = Key(
    "package",
    "How this project itself is installed: none (default), editable or wheel.",
    PACKAGE,
    also="skip_install",
)
_PASS_ENV = Key(
    "pass_env",
    "Names of the environment variables that commands may see; without this key, all.",
    ListOf(Text(words.variable, expected="a name"), expected="a list of names"),
    also="passenv pass-env",
)
_TAGS = Key("tags", "Tags for `nox -t`.", ListOf(_WORD, expected="a list of tags"), also="labels tag")
_DEFAULT = Key("default", "false: not run by a bare `nox`.", Boolean())
_REQUIRES = Key(
    "requires",
    "Sessions that run before this one: environments, or single sessions such as lint-{python}.",
    ListOf(Text(words.filled_text, expected="the name of an environment"), expected="a list of environments"),
    also="depends needs depends_on",
)
_BACKEND: Key[Backend] = Key(
    "backend", "What makes the venv.", Choice("uv", "virtualenv", "venv"), also="venv_backend"
)
_LOCK = Key("lock", "How the lock is made; false: no lock.", LOCK)
_DRIFT = Key("drift", "What happens to a venv that is not as locked: repair (default), fail or warn.", DRIFT)
_PRERELEASES: Key[bool | tuple[str, ...]] = Key(
    "allow_prereleases",
    "true, or the names of the packages that may be pre-releases.",
    ByKind(
        scalar=Text(_prereleases, expected="true, false"),
        sequence=Mapped(
            ListOf(_PACKAGE_NAME, expected="a list of package names", single=False),
            _names,
        ),
    ),
    also="pip_pre pre prerelease prereleases",
)
_PLATFORMS = Key(
    "platforms",
    "The platforms the lock is for.",
    ListOf(_WORD, expected="a list of platforms"),
    also="platform",
)
_RUNS_ON = Key(
    "runs_on",
    "The CI runners that run this environment.",
    ListOf(_WORD, expected="a list of runners"),
    also="runs-on",
)

LAYER_KEYS: tuple[Key[object], ...] = (
    DESCRIPTION,
    REQUIREMENTS,
    _CONSTRAINTS,
    _BUILD_CONSTRAINTS,
    _PACKAGE,
    COMMANDS,
    SET_ENV,
    _PASS_ENV,
    CHANGE_DIR,
    _TAGS,
    _DEFAULT,
    _REQUIRES,
    _BACKEND,
    _LOCK,
    _DRIFT,
    _PRERELEASES,
    _PLATFORMS,
    _RUNS_ON,
)
LAYER_NAMES = frozenset(key.name for key in LAYER_KEYS)


def layer_of(fields: Fields) -> DraftLayer:
    """Return the partial environment that is written in a mapping."""
    layer = Layer(
        description=fields.get(DESCRIPTION),
        requirements=fields.get(REQUIREMENTS),
        constraints=fields.get(_CONSTRAINTS),
        build_constraints=fields.get(_BUILD_CONSTRAINTS),
        package=fields.get(_PACKAGE),
        commands=fields.get(COMMANDS),
        set_env=fields.get(SET_ENV),
        pass_env=fields.get(_PASS_ENV),
        change_dir=fields.get(CHANGE_DIR),
        tags=fields.get(_TAGS),
        default=fields.get(_DEFAULT),
        requires=fields.get(_REQUIRES),
        backend=fields.get(_BACKEND),
        lock=fields.get(_LOCK),
        drift=fields.get(_DRIFT),
        allow_prereleases=fields.get(_PRERELEASES),
        platforms=fields.get(_PLATFORMS),
        runs_on=fields.get(_RUNS_ON),
    )
    return DraftLayer(layer, fields.node)


NOT_HERE = tuple(
    (name, "this key belongs to the environment itself")
    for name in ("extends", "python", "matrix", "exclude", "include", "overrides")
)
PARTIAL = Record(
    "partial-environment",
    LAYER_KEYS,
    layer_of,
    expected="the keys it adds",
    nullable=True,
    elsewhere=NOT_HERE,
)
