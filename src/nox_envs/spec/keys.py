"""The keys of a spec: one table that reads the file and describes it."""

from __future__ import annotations

from typing import cast

from nox_envs.errors import Invalid, Place
from nox_envs.findings import FILES_MODES, KINDS, POLICIES, SEVERITIES, DriftOptions, IgnoreRule
from nox_envs.spec import types, words
from nox_envs.spec.checks import Named, check
from nox_envs.spec.document import Mapping, Problems, compose, entry
from nox_envs.spec.points import merge
from nox_envs.spec.shapes import Key, by_kind, choice, converted, entry_of, list_of, map_of, record, text
from nox_envs.spec.types import Condition, Entry, Layer, LockOptions, Spec, Variant
from nox_envs.values import replace

_MOST_VALUES = 1_000_000

_NAME_HINT = "use lower case letters, digits, '-' and '_', at most 80"
_PACKAGE_HINT = "write the name alone, without version"
_DAY = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
_THAN_HINT = "write a date (2026-01-31), a time (2026-01-31T00:00:00Z) or a span ('7 days')"

_ANY = text("a text")
_FLAG = choice(True, False)
_INTEGER = converted(text("an integer", "0|-?[1-9][0-9]{0,9}"), lambda digits, _: int(digits))
_VALUE = text("a value", r"\S(?:.*\S)?", "write one line without spaces around it")
_FILLED = text("a text", r"[\s\S]*\S[\s\S]*", "write a text, or remove the key")
_WORD = text("one word", r"\S+", "write several words as a list")
_VARIABLE = text("the name of an environment variable", r"[^=\s]+")
_SET = text("a valid name", "[a-z0-9][a-z0-9_.-]{0,79}", _NAME_HINT.replace("'-'", "'.', '-'"))
_ENVIRONMENT = text("a valid name", "_?[a-z0-9][a-z0-9_-]{0,79}", _NAME_HINT)
_EXTRA = text("a valid name", rf"{words.PACKAGE}|.*\{{.*", "use letters, digits, '-', '_' and '.'")
_PATH = text("a path", r"(?!.*(?:://|\\)).*\S.*", "write a relative path with '/'; URLs are not read")
_URL = text("the URL of an index", r"(?:https?://[^\s/]|file:///)\S*", "write https://…, or file:///…")
_PYTHON = text("a Python version", check=lambda name: words.parse_python(name).text)
_PLATFORM = text("a platform", check=lambda name: words.parse_platform(name)[0] and name)
_PACKAGES = list_of(text("a package name", words.PACKAGE, _PACKAGE_HINT, words.canonical_name))
_BINARIES = list_of(text("a package name", f":all:|:none:|{words.PACKAGE}", _PACKAGE_HINT))
_DATE = text("a date", _DAY, "write YYYY-MM-DD, such as 2026-01-31")
_THAN = text("a point in time", f"{_DAY}(?:{_TIME})?|[0-9]{{1,4}} (?:hour|day|week)s?", _THAN_HINT)


def _requirement(written: str, place: Place) -> Entry:
    written = written.strip()
    if written.endswith((".txt", ".in")) and not set(written) & set("- @;[<>="):
        raise Invalid(f"{words.show(written)} is a file, not a requirement", f"write {{file: {written}}}")
    return Entry(kind="requirement", text=written, place=place)


_EXTRAS = converted(list_of(_EXTRA), lambda names, _: ",".join(names))
_FILE = Key("file", _PATH, "A file in pip's requirements format, relative to this file.")
_ENTRY = entry_of(
    Key("include", _EXTRA, "Another requirement set, by name."),
    _FILE,
    Key("group", _EXTRA, "A dependency group of pyproject.toml (PEP 735)."),
    Key("extra", _EXTRAS, "This project's own dependencies, with these of its extras; [] for none."),
)
_LOCK_OF = Key("lock", _ENVIRONMENT, "Another environment: its lock constrains this one.")
_TEXT = converted(text("a requirement", r"[\s\S]*\S[\s\S]*", 'such as "requests>=2.31"'), _requirement)
_ENTRIES = list_of(by_kind(_TEXT, _ENTRY))
_CONSTRAINTS = list_of(by_kind(_TEXT, entry_of(_FILE, _LOCK_OF)))
_REQUIRED = list_of(converted(_FILLED, lambda name, place: Entry(kind="session", text=name, place=place)))

_WORDS = converted(list_of(_ANY), lambda argv, _: words.checked_argv(argv))
_ARGV = by_kind(converted(text("a command"), lambda written, _: words.split_command(written)), _WORDS)
_VARIABLES = map_of(_VARIABLE, _ANY, lambda name, value, _: (name, value))
_AROUND = (
    Key("set_env", _VARIABLES, "Environment variables of the commands; placeholders are filled in."),
    Key("change_dir", _FILLED, "The folder in which the commands run, relative to this file."),
)
_COMMAND_KEYS = (
    Key("run", _ARGV, "The command: one text, or a list of words.", "such as run: pytest", field="argv"),
    *_AROUND,
    Key("success_codes", list_of(_INTEGER, filled=True), "Exit codes that count as success (default: 0)."),
    Key("external", _FLAG, "The program may come from outside the environment (default: false)."),
    Key("allow_failure", _FLAG, "Go on with the next command when this one fails (default: false)."),
)
_COMMANDS = list_of(record(types.Command, _COMMAND_KEYS, short=True))

_PACKAGE_KEYS = (
    Key("mode", choice("none", "editable", "wheel"), "How it is installed.", "none, editable or wheel"),
    Key("extras", list_of(_EXTRA), "The extras of this project to install."),
)
_OF_PROJECT = record(types.Package, _PACKAGE_KEYS, short=True)
_NEWER_KEYS = (
    Key("than", _THAN, "A date, a time (2026-01-31T00:00:00Z) or a span.", "such as than: 7 days"),
    Key("exempt", _PACKAGES, "Packages whose newest releases are allowed."),
)
_NEWER = record(types.ExcludeNewer, _NEWER_KEYS, short=True)
_LOCK_KEYS = (
    Key("file", list_of(_PATH, filled=True), "The lock, or a list of locks that are installed together."),
    Key("per", choice("environment", "python", "point"), "What one lock is made for."),
    Key("format", choice("requirements", "both"), "requirements (default), or both: a pylock as well."),
    Key("managed", _FLAG, "false: another tool makes the lock, which is only read and installed."),
    Key("command", _FILLED, "The command that regenerates a lock with managed: false."),
)
_LOCK = by_kind(
    converted(_FLAG, lambda enabled, _: LockOptions(enabled=enabled)),
    converted(record(LockOptions, _LOCK_KEYS), lambda options, _: replace(options, enabled=True)),
)


def _limited(rule: IgnoreRule, _: Place) -> IgnoreRule:
    if not (rule.kind or rule.package or rule.path or rule.environment):
        hint = "say which, by kind, package, path or environment"
        raise Invalid("the rule would ignore every finding", hint)
    return rule


_KIND = choice(*KINDS, expected="a kind of finding")
_GLOB = text("a package name", r"[\w.*?!\[\]-]+", "or a pattern, such as types-*", words.canonical_name)
_IGNORE_KEYS = (
    Key("kind", _KIND, "A kind of finding."),
    Key("package", _GLOB, "The name of a package, or a pattern such as types-*."),
    Key("path", _FILLED, "The path of a file."),
    Key("environment", _ENVIRONMENT, "The name of an environment."),
    Key("reason", _FILLED, "Why this is accepted.", "say why it is accepted"),
    Key("until", _DATE, "The last day of the rule, YYYY-MM-DD."),
)
_IGNORED = list_of(converted(record(IgnoreRule, _IGNORE_KEYS), _limited), filled=True)
_SEVERITY = map_of(_KIND, choice(*SEVERITIES, "off"), lambda kind, severity, _: (kind, severity))
_DRIFT_KEYS = (
    Key("policy", choice(*POLICIES), "What a session does when it finds drift (default: repair)."),
    Key("files", choice(*FILES_MODES), "Which installed files are compared with their RECORD."),
    Key("severity", _SEVERITY, "How severe a kind of finding is."),
    Key("ignore", _IGNORED, "Accepted findings."),
)
_DRIFT = record(DriftOptions, _DRIFT_KEYS, short=True)

_LAYER_KEYS = (
    Key("description", _FILLED, "One line for `nox -l`."),
    Key("name", _VALUE, "The name of each session, such as py{py}-django{django}."),
    Key("requirements", _ENTRIES, "What is installed. A bare name is a requirement set."),
    Key("constraints", _CONSTRAINTS, "Limits on versions: requirements, files, or {lock: ENVIRONMENT}."),
    Key("build_constraints", list_of(by_kind(_TEXT, entry_of(_FILE))), "Limits on what builds sdists."),
    Key("resolution", choice("highest", "lowest", "lowest-direct"), "Which versions are preferred."),
    Key("exclude_newer", _NEWER, "Leave out newer releases: a date, a time or a span ('7 days')."),
    Key("allow_prereleases", by_kind(_FLAG, _PACKAGES), "true, or the packages that may be pre-releases."),
    Key("only_binary", _BINARIES, "Packages that are never built from source."),
    Key("no_binary", _BINARIES, "Packages that are always built from source."),
    Key("package", _OF_PROJECT, "How this project is installed: none (default), editable or wheel."),
    Key("commands_pre", _COMMANDS, "What runs before the commands."),
    Key("commands", _COMMANDS, "What runs, in order; {posargs:default words} are the arguments after `--`."),
    Key("commands_post", _COMMANDS, "What runs afterwards, whatever happened."),
    *_AROUND,
    Key("pass_env", list_of(_VARIABLE), "The environment variables that commands see (default: all)."),
    Key("tags", list_of(_WORD), "Tags for `nox -t`."),
    Key("default", _FLAG, "false: not run by a bare `nox`."),
    Key("requires", _REQUIRED, "Environments or sessions that run first, such as lint-{python}."),
    Key("backend", choice("uv", "virtualenv", "venv"), "What creates the venv (default: uv)."),
    Key("lock", _LOCK, "How the lock is made; false: no lock."),
    Key("drift", _DRIFT, "What happens to a venv that is not as locked: repair (default), fail or warn."),
    Key("platforms", list_of(_PLATFORM), "The platforms that the lock is for."),
    Key("runs_on", list_of(_WORD), "The CI runners of this environment."),
)


def _axis(name: str) -> str:
    if name in ("name", "environment", "python", "py", *words.RUN_TIME, *[key.name for key in _LAYER_KEYS]):
        raise Invalid(f"{words.show(name)} cannot name an axis: it has a meaning of its own")
    return name


def _range(written: str, _: Place) -> str:
    if written.startswith(words.COMPARISONS):
        words.in_range("0", written)
    return written


_TESTED = list_of(converted(_VALUE, _range), filled=True)
_PLAIN_TEST = converted(_TESTED, lambda values, place: Condition(values=values, place=place))
_NOT = Key("not", _TESTED, "What the value must not be.", "such as not: '3.12'", field="values")
_NEGATED = converted(record(Condition, (_NOT,)), lambda test, _: replace(test, negated=True))
_TEST = by_kind(_PLAIN_TEST, _NEGATED)
_WHEN = map_of(_VALUE, _TEST, lambda axis, test, place: replace(test, axis=axis, place=place))
_WHEN_KEY = Key("when", _WHEN, "The points it applies to.", "such as when: {python: '>=3.13'}")
_EXCLUDE = list_of(converted(_WHEN, lambda when, place: Variant(when=when, layer={}, place=place)))

_ONLY = converted(_TEST, lambda test, _: (test,))
_LIMITS = (Key("python", _ONLY, "The Pythons that the value is limited to.", field="when"),)
_LISTED = list_of(converted(_VALUE, lambda one, place: (one, Variant(layer={}, place=place))), filled=True)
_DETAILED = map_of(_VALUE, record(Variant, _LIMITS, _LAYER_KEYS), lambda one, made, _: (one, made))
_AXIS = text("a valid name of an axis", "[A-Za-z_][A-Za-z0-9_]*", "use letters, digits and '_'", _axis)
_AXES = map_of(
    _AXIS,
    by_kind(_LISTED, _DETAILED),
    lambda axis, found, _: (axis, tuple([replace(made, values=((axis, one),)) for one, made in found])),
)
_OF_POINT = (Key("python", _PYTHON, "The Python of the point."),)
_POINTS = list_of(record(Variant, _OF_POINT, _LAYER_KEYS, free=(_AXIS, _VALUE)), filled=True)
_MATRIX = by_kind(_POINTS, converted(_AXES, lambda axes, _: dict(axes)))
_PYTHONS = by_kind(_PYTHON, list_of(_PYTHON, filled=True))
_OWN_KEYS = (
    Key("python", _PYTHONS, "The Python, or a list of them: one session each (3.12, 3.13t, pypy3.11)."),
    Key("matrix", _MATRIX, "Axes and their values, and the keys that each value adds; or a list of points."),
    Key("exclude", _EXCLUDE, "Points to leave out: values of axes, as in 'when'."),
    Key("include", _POINTS, "Single points to add, with a value for every axis, and the keys they add."),
    Key("overrides", list_of(record(Variant, (_WHEN_KEY,), _LAYER_KEYS)), "What changes at some points."),
)
_EXTENDS = Key("extends", _ENVIRONMENT, "Another environment whose keys this one takes over.")

_SETS = map_of(_SET, _ENTRIES, lambda name, found, _: (name, found))
_INDEXES = map_of(_SET, _URL, lambda name, url, _: (name, url))
_OWN = record(dict, (_EXTENDS, *_OWN_KEYS), _LAYER_KEYS)
_ENVIRONMENTS = map_of(_ENVIRONMENT, _OWN, lambda name, found, _: (name, found))
_DEFAULTS = record(dict, _OWN_KEYS, _LAYER_KEYS)
_TOP_KEYS = (
    Key("version", choice(1), "The version of this format: 1.", "begin the file with version: 1"),
    Key("defaults", _DEFAULTS, "Keys that every environment starts from; its own value wins."),
    Key("requirements", _SETS, "Named requirement sets."),
    Key("environments", _ENVIRONMENTS, "The environments by name.", "such as environments: {tests: {}}"),
    Key("indexes", _INDEXES, "Package indexes in the order of priority: names and URLs."),
    Key("lock", _LOCK, "How locks are made, for every environment; its own 'lock' wins."),
    Key("drift", _DRIFT, "What counts as drift, for every environment; its own 'drift' wins."),
)
_SPEC = record(dict, _TOP_KEYS)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (draft-07) of a spec, for editors."""
    # The draft that every editor reads.
    title = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "envs.yaml"}
    about = {"description": "The Python environments of a project, for nox-envs."}
    return {**title, **about, **_SPEC.schema, "definitions": record(dict, _LAYER_KEYS).schema["properties"]}


def read_spec(text: str, *, origin: str) -> Spec:
    """Read a spec from its text; `origin` is the name of the file as shown to the user.

    Raises FileProblems with every problem of the file.
    """
    problems = Problems(origin)
    root = compose(text, problems)
    found = _SPEC.read(root, problems) or {}
    sets = dict(cast("tuple[tuple[str, tuple[Entry, ...]], ...]", found.get("requirements", ())))
    drift = cast("DriftOptions", found.get("drift", DriftOptions()))
    named = _named(root, found, problems)
    check(sets, drift, named, problems)
    if len(problems):
        raise problems.error()
    return Spec(
        origin=origin,
        sets=sets,
        environments=tuple(one.environment for one in named if not one.environment.name.startswith("_")),
        indexes=cast("types.Pairs", found.get("indexes", ())),
        drift=drift,
    )


def _named(root: Mapping, found: dict[str, object], problems: Problems) -> list[Named]:
    """Return every environment, with `defaults` and what it extends merged into it, in the order written."""
    base = merge({"lock": found["lock"]} if "lock" in found else {}, cast("Layer", found.get("defaults", {})))
    node = entry(root, "environments")
    written = {key.value: (key, own) for key, own in node.value} if isinstance(node, Mapping) else {}
    keys = dict(cast("tuple[tuple[str, Layer], ...]", found.get("environments", ())))
    parents = {name: str(one["extends"]) for name, one in keys.items() if "extends" in one}
    extended = {*parents.values()}
    named: list[Named] = []
    size = 0
    for name, (key, own) in written.items():
        chain, parent = [name], parents.get(name, "")
        while parent in written and parent not in chain and size <= _MOST_VALUES:
            chain.append(parent)
            parent = parents.get(parent, "")
            size += len(chain)
        end = entry(written[chain[-1]][1], "extends") or own
        if parent and parent not in written:
            problems.unknown(end, parent, "an environment", {*written} - {name}, "name one of this file")
        elif parent and parent == name == min(chain):
            problems.add(end, f"extends itself: {' -> '.join([*chain, name])}", "remove one 'extends'")
        merged = base
        for one in reversed(chain):
            merged = merge(merged, keys.get(one, {}))
        size += sum([len(one) for one in merged.values() if isinstance(one, tuple)])
        if size > _MOST_VALUES:
            problems.add(key, f"the environments take over more than {_MOST_VALUES:,} values")
            raise problems.error()
        layer = {key.name: merged[key.name] for key in _LAYER_KEYS if key.name in merged}
        shape = {key.name: merged[key.name] for key in _OWN_KEYS if key.name in merged}
        if isinstance(points := shape.get("matrix"), tuple):
            include = (*points, *cast("tuple[Variant, ...]", shape.get("include", ())))
            shape.update(matrix={}, listed=True, include=include)
        environment = types.Environment(name=name, layer=layer, place=problems.place(key))
        above = filter(None, [entry(root, "defaults"), entry(root, "lock")])
        nodes = (*[written[one][1] for one in chain], *above)
        used = [entry(node, one) for node in nodes for one in ("extends", "python", "matrix")]
        sound = not parent and not any(map(problems.inside, used))
        whole = sound and not (name.startswith("_") and name in extended)
        named.append(Named(replace(environment, **shape), nodes, whole))
    return named
