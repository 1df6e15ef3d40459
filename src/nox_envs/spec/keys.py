"""The keys of a spec: one table that reads the file and describes it."""

from __future__ import annotations

from collections import Counter
from typing import cast

from nox_envs.errors import Invalid, Place
from nox_envs.findings import FILES_MODES, KINDS, POLICIES, SEVERITIES, DriftOptions, IgnoreRule
from nox_envs.spec import types, words
from nox_envs.spec.checks import RESOLVING, Named, check
from nox_envs.spec.document import Mapping, Node, Problems, Scalar, compose, entry
from nox_envs.spec.points import set_of, walk
from nox_envs.spec.shapes import (
    FLAG,
    INTEGER,
    Key,
    Shape,
    by_kind,
    choice,
    converted,
    list_of,
    map_of,
    mapping_schema,
    one_of,
    read_keys,
    record,
    text,
)
from nox_envs.spec.types import Condition, Environment, Layer, Package, Pythons
from nox_envs.values import fields, replace

# What other tools, and hurried writers, call our keys.
_ALSO = """
allow_failure:ignore_outcome,ignore_errors allow_prereleases:pip_pre,pre,prereleases backend:venv_backend
change_dir:changedir,chdir,cwd,directory,change-dir commands:command,run,scripts,script commands_pre:before
constraints:constraint,constrain_package_deps defaults:default description:doc,help environment:env
environments:envs,environment,env,sessions,testenv exclude_newer:exclude-newer,cooldown exempt:except,packages
extends:base,inherit,template extra:extras extras:extra file:path,files,requirement,constraint,-r,-c
group:groups,dependency_group,dependency_groups include:set,requirements indexes:index,sources
matrix:parametrize,factors,axes no_binary:no-binary only_binary:only-binary overrides:override
package:skip_install,usedevelop,use_develop pass_env:passenv,pass-env platforms:platform
python:basepython,base_python,env_list,envlist,pythons,interpreter requires:depends,needs,depends_on
requirements:deps,dependencies,dependency_groups,extras,packages,requirement_sets,sets run:command,cmd,argv
runs_on:runs-on set_env:setenv,env,environment,set-env,environ tags:labels,tag than:before,date,time when:if
"""
_DEEPEST = 20
_WORDS = dict(pair.split(":") for pair in _ALSO.split())


_EXAMPLES = {
    "file": "requirements/{environment}.txt",
    "name": "py{py}-django{django}",
    "matrix": '[{python: "3.9", django: "4.2"}, {python: "3.13", django: "5.2"}]',
    "exclude": '[{python: ">=3.13", django: ["4.2", "5.0"]}]',
    "commands": '["pytest {posargs:tests}"]',
}


def _key(name: str, shape: Shape[object], description: str, required: str = "", field: str = "") -> Key:
    also, example = _WORDS.get(name, ""), _EXAMPLES.get(name, "")
    return Key(name, shape, description, required, field, also, example)


_NAME = "[a-z0-9][a-z0-9_-]{0,79}"
_NAME_HINT = "use lower case letters, digits, '-' and '_', at most 80"
_PACKAGE = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PACKAGE_HINT = "write the name alone, without version"

_LINE = r"\S(?:.*\S)?"
_LINE_HINT = "write one line without spaces around it"

_ANY = text()
_VALUE = text("a value", _LINE, _LINE_HINT)
_FILLED = text("a text", r"[\s\S]*\S[\s\S]*", "write a text, or remove the key")
_WORD = text("one word", r"\S+", "write several words as a list")
_VARIABLE = text("the name of an environment variable", r"[^=\s]+")
_SET = text("a valid name", _NAME, _NAME_HINT)
_ENVIRONMENT = text("a valid name", f"_?{_NAME}", _NAME_HINT)
_EXTRA = text("a valid name", rf"{_PACKAGE}|.*\{{.*", "use letters, digits, '-', '_' and '.'")
_PATH = text("a path", r"(?!.*(?:://|\\)).*\S.*", "write a relative path with '/'; URLs are not read")
_PYTHON = text("a Python version", check=lambda name: words.parse_python(name).text)
_PACKAGES = list_of(text("a package name", _PACKAGE, _PACKAGE_HINT, words.canonical_name))
_BINARIES = list_of(text("a package name", f":all:|:none:|{_PACKAGE}", _PACKAGE_HINT))


def _requirement(written: str, place: Place) -> types.Entry:
    written = written.strip()
    if written.endswith((".txt", ".in")) and not set(written) & set("- @;[<>="):
        raise Invalid(f"{words.show(written)} is a file, not a requirement", f"write {{file: {written}}}")
    return types.RequirementText(text=written, place=place)


def _constraint(written: str, place: Place) -> types.Constraint:
    written = written.strip()
    if written.startswith(("./", "../", "/")) or written.endswith((".txt", ".in")):
        return types.RequirementFile(path=written, place=place)
    if words.is_bare(written):
        hint = f"write a version, such as {words.show(written + '<2')}, or a file: {{file: {written}}}"
        raise Invalid(f"{words.show(written)} does not limit anything", hint)
    return types.RequirementText(text=written, place=place)


def _sets(entries: tuple[object, ...], _: Place) -> tuple[types.Entry, ...]:
    return tuple([set_of(one) for one in cast("tuple[types.Entry, ...]", entries)])


_REQUIREMENT = text("a requirement", r"[\s\S]*\S[\s\S]*", 'such as "requests>=2.31"')
_FILE = converted(_PATH, lambda path, place: types.RequirementFile(path=path, place=place))
_INCLUDE = converted(_EXTRA, lambda name, place: types.Include(name=name, place=place))
_GROUP = converted(_EXTRA, lambda name, place: types.Group(name=name, place=place))
_OWN = converted(list_of(_EXTRA), lambda names, place: types.Extra(names=names, place=place))
_LOCK_OF = converted(_ENVIRONMENT, lambda name, place: types.LockConstraint(environment=name, place=place))
_FILE_KEY = _key("file", _FILE, "A file in pip's requirements format, relative to this file.")
_LOCK_KEY = _key("lock", _LOCK_OF, "Another environment: its lock constrains this one.")
_ENTRY_KEYS = (
    _key("include", _INCLUDE, "Another requirement set, by name."),
    _FILE_KEY,
    _key("group", _GROUP, "A dependency group of pyproject.toml (PEP 735)."),
    _key("extra", _OWN, "This project's own dependencies, with these of its extras; [] for none."),
)
_ENTRIES = list_of(by_kind(converted(_REQUIREMENT, _requirement), mapping=one_of(*_ENTRY_KEYS)))
_LIMIT = converted(_REQUIREMENT, _constraint)
_CONSTRAINTS = list_of(by_kind(_LIMIT, mapping=one_of(_FILE_KEY, _LOCK_KEY)))
_BUILD_CONSTRAINTS = list_of(by_kind(_LIMIT, mapping=one_of(_FILE_KEY)))

_ARGV = by_kind(
    converted(text("a command"), lambda written, _: words.split_command(written)),
    converted(list_of(_ANY), lambda argv, _: words.checked_argv(argv)),
)
_VARIABLES = map_of(_VARIABLE, _ANY, lambda name, value, _: (name, value))
_AROUND = (
    _key("set_env", _VARIABLES, "Environment variables of the commands; placeholders are filled in."),
    _key("change_dir", _FILLED, "The folder in which the commands run, relative to this file."),
)
_COMMAND_KEYS = (
    _key("run", _ARGV, "The command: one text, or a list of words.", "such as run: pytest", field="argv"),
    *_AROUND,
    _key("success_codes", list_of(INTEGER, filled=True), "Exit codes that count as success (default: 0)."),
    _key("external", FLAG, "The program may come from outside the environment (default: false)."),
    _key("allow_failure", FLAG, "Go on with the next command when this one fails (default: false)."),
)
_BRACE = dict.fromkeys(("posargs", "envdir", "python"), "quote a text that begins with a brace")
_COMMAND = record(types.Command, _COMMAND_KEYS, hints=_BRACE)
_ARGV_COMMAND = converted(_ARGV, lambda argv, place: types.Command(argv=argv, place=place))
_COMMANDS = list_of(by_kind(_ARGV_COMMAND, _ARGV_COMMAND, _COMMAND))

_MODES = choice("none", "editable", "wheel")
_PACKAGE_KEYS = (
    _key("mode", _MODES, "How this project is installed.", "none, editable or wheel"),
    _key("extras", list_of(_EXTRA), "The extras of this project to install."),
)
_MODE = converted(_MODES, lambda mode, _: replace(Package(), mode=mode))
_PACKAGE_OPTIONS = by_kind(_MODE, mapping=record(Package, _PACKAGE_KEYS))
_THAN = text("a date or a span", check=words.cooldown)
_NEWER_KEYS = (
    _key("than", _THAN, "A date, a time (2026-01-31T00:00:00Z) or a span.", "such as than: 7 days"),
    _key("exempt", _PACKAGES, "Packages whose newest releases are allowed."),
)
_NEWER = converted(_THAN, lambda than, _: types.ExcludeNewer(than=than))
_EXCLUDE_NEWER = by_kind(_NEWER, mapping=record(types.ExcludeNewer, _NEWER_KEYS))
_LOCK_KEYS = (
    _key("file", list_of(_PATH, filled=True), "The lock, or a list of locks that are installed together."),
    _key("per", choice("environment", "python", "point"), "What one lock is made for."),
    _key("format", choice("requirements", "both"), "requirements (default), or both: a pylock as well."),
    _key("managed", FLAG, "false: another tool makes the lock, which is only read and installed."),
    _key("command", _FILLED, "The command that makes a lock with managed: false again."),
)
_LOCK_HINTS = {
    "group": "layer the locks instead: constraints: [{lock: ENVIRONMENT}]",
    "use": "write 'lock: false' and constraints: [{file: PATH}]",
    "resolver": "uv resolves every lock; remove the key",
    **dict.fromkeys(RESOLVING, "it is a key of the environment (or of 'defaults'): write it beside 'lock'"),
}
_LOCK_OPTIONS = record(types.LockOptions, _LOCK_KEYS, hints=_LOCK_HINTS)
_LOCK = by_kind(
    converted(FLAG, lambda enabled, _: types.LockOptions(enabled=enabled)),
    mapping=converted(_LOCK_OPTIONS, lambda options, _: replace(options, enabled=True)),
)


def _limited(rule: IgnoreRule, _: Place) -> IgnoreRule:
    if rule.kind or rule.package or rule.path or rule.environment:
        return rule
    raise Invalid("the rule would ignore every finding", "say which, by kind, package, path or environment")


_POLICY = choice(*POLICIES)
_KIND = choice(*KINDS, expected="a kind of finding")
_GLOB = text("a package name", r"[\w.*?!\[\]-]+", "or a pattern, such as types-*", words.canonical_name)
_IGNORE_KEYS = (
    _key("kind", _KIND, "A kind of finding."),
    _key("package", _GLOB, "The name of a package, or a pattern such as types-*."),
    _key("path", _FILLED, "The path of a file."),
    _key("environment", _ENVIRONMENT, "The name of an environment."),
    _key("reason", _FILLED, "Why this is accepted.", "say why it is accepted"),
    _key("until", text("a date", check=words.date), "The last day of the rule, YYYY-MM-DD."),
)
_SEVERITY = map_of(_KIND, choice(*SEVERITIES, "off"), lambda kind, severity, _: (kind, severity))
_DRIFT_KEYS = (
    _key("policy", _POLICY, "What a session does when it finds drift (default: repair)."),
    _key("files", choice(*FILES_MODES), "Which installed files are compared with their RECORD."),
    _key("severity", _SEVERITY, "How severe a kind of finding is."),
    _key("ignore", list_of(converted(record(IgnoreRule, _IGNORE_KEYS), _limited)), "Accepted findings."),
)
_DRIFT_POLICY = converted(_POLICY, lambda policy, _: DriftOptions(policy=policy))
_DRIFT = by_kind(_DRIFT_POLICY, mapping=record(DriftOptions, _DRIFT_KEYS))
_PLATFORM = text("a platform", check=lambda name: words.parse_platform(name).text)
_REQUIRED = converted(_FILLED, lambda name, place: types.Required(text=name, place=place))

_LAYER_KEYS = (
    _key("description", _FILLED, "One line for `nox -l`."),
    _key("name", _VALUE, "The name of each session, such as py{py}-django{django}."),
    _key("requirements", converted(_ENTRIES, _sets), "What is installed. A bare name is a requirement set."),
    _key("constraints", _CONSTRAINTS, "Limits on versions: requirements, files, or {lock: ENVIRONMENT}."),
    _key("build_constraints", _BUILD_CONSTRAINTS, "Limits on what builds sdists."),
    _key("resolution", choice("highest", "lowest", "lowest-direct"), "Which versions are preferred."),
    _key("exclude_newer", _EXCLUDE_NEWER, "Leave out newer releases: a date, a time or a span ('7 days')."),
    _key("allow_prereleases", by_kind(FLAG, _PACKAGES), "true, or the packages that may be pre-releases."),
    _key("only_binary", _BINARIES, "Packages that are never built from source."),
    _key("no_binary", _BINARIES, "Packages that are always built from source."),
    _key("package", _PACKAGE_OPTIONS, "How this project is installed: none (default), editable or wheel."),
    _key("commands_pre", _COMMANDS, "What runs before the commands."),
    _key("commands", _COMMANDS, "What runs, in order; {posargs:default words} are the arguments after `--`."),
    _key("commands_post", _COMMANDS, "What runs afterwards, whatever happened."),
    *_AROUND,
    _key("pass_env", list_of(_VARIABLE), "The environment variables that commands see (default: all)."),
    _key("tags", list_of(_WORD), "Tags for `nox -t`."),
    _key("default", FLAG, "false: not run by a bare `nox`."),
    _key("requires", list_of(_REQUIRED), "Environments or sessions that run first, such as lint-{python}."),
    _key("backend", choice("uv", "virtualenv", "venv"), "What creates the venv (default: uv)."),
    _key("lock", _LOCK, "How the lock is made; false: no lock."),
    _key("drift", _DRIFT, "What happens to a venv that is not as locked: repair (default), fail or warn."),
    _key("platforms", list_of(_PLATFORM), "The platforms that the lock is for."),
    _key("runs_on", list_of(_WORD), "The CI runners of this environment."),
)
_LAYER = (Layer, _LAYER_KEYS)

_COMPARISONS = ("<", ">", "=", "!", "~")


def _axis(name: str) -> str:
    if name in (*words.NAMING, *words.RUN_TIME, *fields(Layer())):
        hint = "a list of Pythons is the key 'python'" if name == "python" else "choose another name"
        raise Invalid(f"{words.show(name)} cannot name an axis: it has a meaning of its own", hint)
    return name


def _once(names: tuple[str, ...], _: Place) -> tuple[str, ...]:
    if len({*names}) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise Invalid(f"{words.show(twice)} is listed twice", "keep one of them")
    return names


def _range(written: str) -> str:
    if written.startswith(_COMPARISONS):
        from packaging.specifiers import SpecifierSet  # only specs with ranges need it

        try:
            SpecifierSet(written)
        except ValueError:
            raise Invalid(f"{words.show(written)} is not a version range", "such as '>=3.12,<3.14'") from None
    return written


def _test(written: str | tuple[str, ...], place: Place) -> Condition:
    if isinstance(written, str) and written.startswith(_COMPARISONS):
        return Condition(axis="python", specifier=written, place=place)
    values = (written,) if isinstance(written, str) else written
    if ranged := next((value for value in values if value.startswith(_COMPARISONS)), ""):
        raise Invalid(f"{words.show(ranged)} is a version range in a list of values", "write one range")
    return Condition(axis="python", values=values, place=place)


_TESTED = text("a value", _LINE, _LINE_HINT, _range)
_PLAIN_TEST = by_kind(converted(_TESTED, _test), converted(list_of(_TESTED, filled=True), _test))
_NOT = cast("Shape[Condition]", one_of(_key("not", _PLAIN_TEST, "What the value must not be.")))
_NEGATED = converted(_NOT, lambda found, _: replace(found, negated=True))
_TEST = by_kind(_PLAIN_TEST, _PLAIN_TEST, _NEGATED)
_WHEN = map_of(_VALUE, _TEST, lambda axis, test, place: replace(test, axis=axis, place=place))
_EXCLUSION = converted(_WHEN, lambda when, place: types.Override(when=when, place=place))
_WHEN_KEY = _key("when", _WHEN, "The points it applies to.", "such as when: {python: '>=3.13'}")

_HERE_HINT = "this key belongs to the environment itself"
_HINTS = dict.fromkeys(("extends", "python", "matrix", "exclude", "include", "overrides"), _HERE_HINT)
_LISTED = converted(list_of(_VALUE, filled=True), _once)
_PYTHON_LIST = converted(list_of(_PYTHON, filled=True), _once)
_PYTHONS = by_kind(
    converted(_PYTHON, lambda one, _: Pythons(values=(one,))),
    converted(_PYTHON_LIST, lambda several, _: Pythons(values=several, listed=True)),
)
_VALUE_KEYS = (_key("python", _TEST, "The Pythons that the value is limited to."),)
_VALUE_RECORD = record(types.AxisValue, _VALUE_KEYS, layer=_LAYER, hints=_HINTS)
_VALUES = by_kind(
    converted(_VALUE, lambda one, _: (types.AxisValue(value=one),)),
    converted(_LISTED, lambda several, _: tuple(types.AxisValue(value=one) for one in several)),
    map_of(_VALUE, _VALUE_RECORD, lambda name, value, _: replace(value, value=name), filled=True),
)
_AXIS = text("a valid name of an axis", "[A-Za-z_][A-Za-z0-9_]*", "use letters, digits and '_'", _axis)
_POINT_KEYS = (_key("python", _PYTHON, "The Python of the point."),)
_POINT = record(types.ListedPoint, _POINT_KEYS, layer=_LAYER, free=(_AXIS, _VALUE), hints=_HINTS)
_POINTS = list_of(_POINT, filled=True)
_AXES = map_of(_AXIS, _VALUES, lambda name, values, _: types.Axis(name=name, values=values))
_MATRIX = by_kind(
    None,
    converted(_POINTS, lambda points, _: types.Matrix(points=points)),
    converted(_AXES, lambda axes, _: types.Matrix(axes=axes)),
)
_OVERRIDE = record(types.Override, (_WHEN_KEY,), layer=_LAYER, hints=_HINTS)
_OWN_KEYS = (
    _key("python", _PYTHONS, "The Python, or a list of them: one session each (3.12, 3.13t, pypy3.11)."),
    _key("matrix", _MATRIX, "Axes and their values, and the keys that each value adds; or a list of points."),
    _key("exclude", list_of(_EXCLUSION), "Points to leave out: values of axes, as in 'when'."),
    _key("include", _POINTS, "Single points to add, with a value for every axis, and the keys they add."),
    _key("overrides", list_of(_OVERRIDE), "What changes at some points."),
)

_TOX_HINTS = {
    "allowlist_externals": "write 'external: true' at the command: {run: …, external: true}",
    "install_command": "uv installs everything",
}
_EXTENDS = _key("extends", _ENVIRONMENT, "Another environment whose keys this one takes over.")
_ONE = record(Environment, (_EXTENDS, *_OWN_KEYS), layer=_LAYER, hints=_TOX_HINTS)
_DEFAULTS = record(
    Environment, _OWN_KEYS, layer=_LAYER, hints={"extends": "only an environment extends another"}
)
_URL = text(
    "the URL of an index", r"(?:https?://[^\s/]|file:///)\S*", "such as https://packages.example.org/simple"
)


def _old_index(node: Node, problems: Problems) -> str | None:
    hint = "write NAME: URL; uv takes each package from the first index that has it"
    raise Invalid("expected the URL of an index, found a mapping", hint)


_INDEX = by_kind(_URL, mapping=Shape("a URL", {"not": {}}, _old_index))
_SETS = map_of(
    _SET,
    _ENTRIES,
    lambda name, entries, place: types.RequirementSet(
        name=name, entries=cast("tuple[types.Entry, ...]", entries), place=place
    ),
)
_FILE_KEYS = (
    _key("version", INTEGER, "The version of this format: 1.", "begin the file with version: 1"),
    _key("defaults", _DEFAULTS, "Keys that every environment starts from; its own value wins."),
    _key("requirements", _SETS, "Named requirement sets."),
    _key(
        "environments",
        map_of(_ENVIRONMENT, _ONE, lambda name, *_: name, filled=True),
        "The environments by name; a name that begins with _ is a template, which other environments extend.",
        "such as environments: {tests: {commands: [pytest]}}",
    ),
    _key(
        "indexes",
        map_of(_SET, _INDEX, lambda name, url, place: types.Index(name=name, url=url, place=place)),
        "Package indexes in the order of priority: names and URLs.",
    ),
    _key("lock", _LOCK, "How locks are made, for every environment; its own 'lock' wins."),
    _key("drift", _DRIFT, "What counts as drift, for every environment; its own 'drift' wins."),
)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a spec, for editors."""
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "envs.yaml"}
    return {**title, **mapping_schema(_FILE_KEYS), "$defs": mapping_schema(_LAYER_KEYS)["properties"]}


def read_spec(text: str, *, origin: str) -> types.Spec:
    """Read a spec from its text; `origin` is the name of the file as shown to the user.

    Raises FileProblems with every problem of the file.
    """
    problems = Problems(origin)
    root = compose(text, problems)
    version = entry(root, "version")
    if isinstance(version, Scalar) and version.value.isdecimal() and version.value != "1":
        # Whatever another version changes would only look like a heap of mistakes.
        message = f"version {words.show(version.value)} is not known"
        problems.add(version, message, "this nox-envs reads version 1; upgrade nox-envs")
        raise problems.error()
    found = read_keys(root, _FILE_KEYS, problems, {})
    sets = cast("tuple[types.RequirementSet, ...]", found.get("requirements", ()))
    drift = cast("DriftOptions", found.get("drift", DriftOptions()))
    named = _merged(root, problems)
    check(sets, drift, named, problems)
    if len(problems):
        raise problems.error()
    return types.Spec(
        origin=origin,
        sets=sets,
        environments=tuple(one.environment for one in named if not one.is_template),
        indexes=cast("tuple[types.Index, ...]", found.get("indexes", ())),
        drift=drift,
    )


def _merged(root: Mapping, problems: Problems) -> list[Named]:
    """Return every environment, with `defaults` and what it extends merged into it, in the order written."""
    lock = [(key, value) for key, value in root.value if key.value == "lock"]
    base = _inherit(_mapping(root, lock), entry(root, "defaults"))
    environments = entry(root, "environments")
    written = environments.value if isinstance(environments, Mapping) else ()
    own = {key.value: (key, node) for key, node in written}
    found = {name: entry(node, "extends") for name, (_, node) in own.items()}
    extends = {name: node for name, node in found.items() if isinstance(node, Scalar)}
    parents = {name: str(found.value) for name, found in extends.items()}
    order, circles = walk({name: (parents[name],) if name in parents else () for name in own})
    for circle in circles:
        problems.add(extends[circle[0]], f"extends itself: {' -> '.join(circle)}", "remove one 'extends'")
    broken = {name for circle in circles for name in circle}
    nodes, depths = {"": base}, dict[str, int]()
    for name in order:
        parent = parents.get(name, "")
        depths[name] = depths.get(parent, 0) + 1
        if depths[name] > _DEEPEST:
            problems.add(extends[name], f"extends more than {_DEEPEST} environments in a row")
            broken.add(name)
            depths[name] = 0
        if parent and parent not in own:
            hint = "name an environment or a template of this file"
            problems.unknown(extends[name], parent, "an environment", own, hint)
        if parent in broken or parent not in nodes:
            broken.add(name)
        nodes[name] = _inherit(base if name in broken else nodes[parent], own[name][1])
    return [_named(*own[name], nodes[name], name not in broken, problems) for name in own]


def _named(key: Node, own: Node, node: Mapping, sound: bool, problems: Problems) -> Named:
    environment = _ONE.read(node, problems) or Environment(layer=Layer(), place=problems.place(key))
    environment = replace(environment, name=key.value, place=problems.place(key))
    sound = sound and not any(problems.inside(entry(node, name)) for name in ("python", "matrix"))
    return Named(key.value, own, node, environment, sound)


def _mapping(node: Node, entries: list[tuple[Node, Node]]) -> Mapping:
    return Mapping(node.tag, entries, node.start_mark)


def _inherit(base: Mapping, own: Node | None, merged: str = "set_env lock matrix drift") -> Mapping:
    """Return `own` with the entries of `base` that it does not have; the mappings in `merged` are merged."""
    if not isinstance(own, Mapping):
        return base
    entries = {key.value: (key, value) for key, value in base.value}
    for key, value in own.value:
        before = entries[key.value][1] if key.value in entries else None
        if key.value == "drift" and isinstance(value, Mapping) and isinstance(before, Scalar):
            before = _mapping(before, [(Scalar(before.tag, "policy", before.start_mark), before)])
        if key.value == "drift" and isinstance(value, Scalar) and isinstance(before, Mapping):
            value = _mapping(value, [(Scalar(value.tag, "policy", value.start_mark), value)])
        if key.value in merged.split() and isinstance(value, Mapping) and isinstance(before, Mapping):
            value = _inherit(before, value, "severity" if key.value == "drift" else "")
        entries[key.value] = (key, value)
    return _mapping(own, list(entries.values()))
