"""The environments that tox and hatch have, as these tools print them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from os.path import relpath
from pathlib import Path
from typing import NamedTuple

from nox_envs.errors import FileProblems, Invalid, NoxEnvsError
from nox_envs.files import parse_json, parse_toml, read_text
from nox_envs.init_matrix import Upstream, python_of
from nox_envs.init_text import Keys, Yaml
from nox_envs.processes import run
from nox_envs.requirements.text import read_requirement
from nox_envs.spec import words
from nox_envs.terminal import harmless, printable

_SECONDS, _LARGEST = 120, 1 << 26
# The variables that a tool sees: no other one can end up in the draft.
_KEPT = ("PATHEXT", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "LANG", "LC_ALL")
_HOME = ("HOME", "USERPROFILE")
_POSARGS, _ENVDIR = "NOX_ENVS_POSARGS", "\0"

_TOX_KEYS = """
    allowlist_externals base_python change_dir commands commands_post commands_pre dependency_groups deps
    description env_list extras ignore_outcome labels package pass_env pip_pre platform set_env skip_install
    use_develop
""".split()  # noqa: SIM905
_TOX_READ = {one.replace("_", "") for one in (*_TOX_KEYS, "no_package", "whitelist_externals", "skip_sdist")}
_TOX_FILES = {
    "tox.ini": r"\S",
    "setup.cfg": r"(?m)^\[(?:tox:tox|testenv)",
    "pyproject.toml": r"(?m)^\[tool\.tox\b",
    "tox.toml": r"\S",
}
_TOX_SECTION = r"(?:(?:tool\.)?tox|(?:tox:)?testenv|(?:tool\.tox\.)?env(?=_|\.)|gh$|gh-actions).*"
_HATCH_READ = """
    dependencies extradependencies dependencygroups description detached devmode envvars features matrix
    overrides platforms python scripts skipinstall template type
""".split()  # noqa: SIM905
_ADVICE = {
    "depends": "'requires' runs other sessions first",
    "ignoreerrors": "'allow_failure: true' at a command goes on after it fails",
    "requires": "sessions run without tox and its plugins",
    "skipmissinginterpreters": "see nox --no-error-on-missing-interpreters",
}
# The variables that tox passes, and those that it sets.
_PASSED = re.compile(
    r"CC(?:SHARED)?|COMSPEC|(?:C|CPP|LD)FLAGS|CURL_CA_BUNDLE|CXX|(?:FORCE|NO)_COLOR|HOME|LANG(?:UAGE)?|MSYSTEM"
    r"|(?:NIX_)?LD(?:_LIBRARY_PATH)?|NETRC|NUMBER_OF_PROCESSORS|PATHEXT|PIP_\*|PKG_CONFIG(?:_\w+)?|PYTHON_GIL"
    r"|PROCESSOR_ARCHITECTURE|PROGRAMDATA|REQUESTS_CA_BUNDLE|SSH_A\w+|SSL_CERT_FILE|SYSTEMROOT|TE?MP|TERM"
    r"|TMPDIR|USERPROFILE|VIRTUALENV_\*|(?:https?|no)_proxy"
)
_SET = r"PIP_DISABLE_PIP_VERSION_CHECK|PIP_USER|PYTHONIOENCODING|TOX_(?:ENV|WORK)_\w+|VIRTUAL_ENV"
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
# A placeholder with a default, which stays one word.
_DEFAULT = r"\{posargs:(?:[^{}]|\{\{|\}\}|\{[^{}:]*\})*\}"


class Found(NamedTuple):
    """What a tool has: environments, and what is not carried over, each with the family it concerns."""

    environments: list[Upstream]
    notes: list[tuple[str, str]]


def read_tox(root: Path, environ: Mapping[str, str], *, buildable: bool) -> Found:
    """Return the environments of the tox configuration in a folder, none if there is none."""
    file = next((name for name, mark in _TOX_FILES.items() if re.search(mark, _text(root / name))), "")
    if not file:
        return Found([], [])
    inside = ".*" if file == "tox.toml" else _TOX_SECTION
    source = _Source(root, file, inside, _TOX_READ, buildable=buildable)
    with tempfile.TemporaryDirectory() as folder:
        source.home, source.path = folder, _path("tox", environ)
        options = ("-e", "ALL", "--no-provision", "-x", "tox.requires=", "--hashseed", "notset")
        asked = ("--workdir", f"{folder}/tox", "--format", "json", "-k", *_TOX_KEYS)
        argv = ("tox", "config", "-c", file, *options, *asked)
        try:
            usual, filled = (_printed(one, root, folder, environ) for one in (argv, (*argv, "--", _POSARGS)))
        except (Invalid, NoxEnvsError) as error:
            return Found([], [("", f"{file}: not read: {error}")])
        return _tox(source, usual, filled, f"{Path(folder).resolve()}/tox")


def read_hatch(root: Path, environ: Mapping[str, str], *, buildable: bool) -> Found:
    """Return the environments of the hatch configuration in a folder, none if there is none."""
    tables = {"hatch.toml": _toml(root / "hatch.toml")}
    tables["pyproject.toml"] = _table(_table(_toml(root / "pyproject.toml"), "tool"), "hatch")
    file = next((name for name, table in tables.items() if table.get("envs")), "")
    if not file:
        return Found([], [])
    source = _Source(root, file, r"(?:tool\.hatch\.)?envs\.[^.]+", {*_HATCH_READ}, buildable=buildable)
    try:
        if _table(tables[file], "env").get("requires"):
            raise NoxEnvsError("its environments need plugins, which hatch would install")
        with tempfile.TemporaryDirectory() as folder:
            source.home, source.path = folder, _path("hatch", environ)
            shown = _printed(("hatch", "env", "show", "--json"), root, folder, environ)
    except (Invalid, NoxEnvsError) as error:
        return Found([], [("", f"{file}: environments of hatch not read: {error}")])
    return _hatch(source, shown, _table(tables[file], "envs"))


def written(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield the number of each line of an ini or TOML file, its section, key (empty if none) and text."""
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if found := re.fullmatch(r"\[\[?([^\[\]#;]+)\]\]?\s*(?:[#;].*)?", line):
            section = found[1].strip()
        key = None if found else re.match(r"[\"']?([A-Za-z][\w-]*)[\"']?(?:\.[\w-]+)*\s*[=:]", line)
        yield number, section, key[1] if key else "", line


def _printed(argv: tuple[str, ...], root: Path, folder: str, environ: Mapping[str, str]) -> dict[str, object]:
    """Return the JSON that a tool prints; it keeps its own files in `folder`."""
    name, *rest = argv
    path = _path(name, environ)
    program = shutil.which(name, path=path)
    if not program:
        raise NoxEnvsError(f"{name} is not on PATH; install it and run nox-envs init again")
    env = {one: environ[one] for one in _KEPT if one in environ} | dict.fromkeys(_HOME, folder)
    env |= {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "PATH": path}
    done = run((program, *rest), cwd=root, env=env, timeout=_SECONDS)
    if done.returncode == 2 and "--format" in done.stderr:
        raise NoxEnvsError("this tox cannot print JSON; upgrade tox and run nox-envs init again")
    if done.returncode or len(done.stdout) > _LARGEST:
        last = harmless(f"no output\n{done.stdout}\n{done.stderr}".strip()).split("\n")[-1][:300]
        raise NoxEnvsError(f"{name} ended with exit code {done.returncode}: {last}")
    return parse_json(done.stdout)


def _path(name: str, environ: Mapping[str, str]) -> str:
    """Return the PATH for a tool: where it is, and the system. tox looks at every Python that it finds."""
    program = shutil.which(name, path=environ.get("PATH", ""))
    if os.name == "nt" or not program:
        return environ.get("PATH", "")
    return os.pathsep.join([str(Path(program).absolute().parent), os.defpath])


def _text(path: Path) -> str:
    try:
        return read_text(path, shown=path.name)
    except FileProblems:
        return ""


def _toml(path: Path) -> Mapping[str, object]:
    try:
        return parse_toml(_text(path))
    except Invalid:
        return {}


def _table(content: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _list(content: object) -> list[str]:
    if isinstance(content, Mapping):
        return [f"{name}={one}" for name, one in content.items()]
    texts = content if isinstance(content, list) else [content] if isinstance(content, str) else []
    return [str(one) for one in texts if one]


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


class _Source:
    """The file that a tool reads; `notes` are what of it is not carried over."""

    def __init__(self, root: Path, file: str, inside: str, read: set[str], *, buildable: bool) -> None:
        self.root = str(root.resolve())
        self.file = file
        self.lines = [*written(_text(root / file))]
        self.notes: list[tuple[str, str]] = []
        self.home = self.path = "\0"  # the home folder and the PATH that the tool is given
        self._buildable = buildable
        for number, section, key, line in self.lines:
            plain = re.sub("[_-]", "", key.lower())
            own = re.fullmatch(inside, section)
            if plain and own and plain not in read:
                advice = f" ({_ADVICE[plain]})" if plain in _ADVICE else ""
                self.note(section, f"{printable(key)} is not carried over{advice}", number)
            if found := own and re.search(r"\{env:([^:{}]*)[^{}]*\}", line):
                filled = "written as ~" if found[1] in _HOME else f"filled in as if {found[1]} were not set"
                self.note(section, printable(f"{found[0]} is {filled}"), number)

    def note(self, family: str, text: str, line: int | str) -> None:
        """Note what is not carried over; a `line` is its number, or a text in it."""
        if isinstance(line, str):
            line = next((number for number, _, _, whole in self.lines if line in whole), 1)
        self.notes.append((family, f"{self.file}:{line}: {text}"))

    def local(self, text: str, home: str = "") -> str:
        """Return a text without the folders of the project and the user; `home` is where it is read."""
        text = re.sub(rf"{re.escape(self.root)}(?![\w.-])", relpath(self.root, home or self.root), text)
        return text.replace(self.home, "~").replace(self.path, "")

    def installed(
        self, family: str, deps: Iterable[str], groups: Iterable[str], mode: str, extras: list[str]
    ) -> Keys:
        """Return the keys for what is installed: requirements as pip takes them, groups, and the project."""
        found: dict[str, list[Yaml]] = {"requirements": [], "constraints": []}
        mode, extras = mode if self._buildable else "", [*extras]
        for dep in deps:
            text = self.local(dep)
            option = re.fullmatch(r"--?([rc])(?:equirement|onstraint)?[= ]?\s*(\S.*)", text)
            own = re.fullmatch(r"(-e )?\s*\.(?:/?\[([^\]]*)\])?", text)
            if option:
                kind = "constraints" if option[1] == "c" else "requirements"
                found[kind].append({"file": _escaped(option[2].removeprefix("./"))})
            elif own and self._buildable:
                mode = "editable" if own[1] else "wheel"
                extras += [one.strip() for one in (own[2] or "").split(",") if one.strip()]
            elif wrong := _refused(text):
                self.note(family, f"{printable(text)} is not carried over ({printable(wrong)})", dep)
            else:
                found["requirements"].append(_escaped(text) + (">=0" if words.is_bare(text) else ""))
        found["requirements"] += [{"group": _escaped(one)} for one in groups]
        package: Yaml = {"mode": mode, "extras": [*dict.fromkeys(map(_escaped, extras))]} if extras else mode
        return {**found, "package": package if mode else ""}


def _refused(requirement: str) -> str:
    try:
        read_requirement(requirement)
    except Invalid as wrong:
        return wrong.message
    return ""


def _command(text: str, *, external: bool = False, ignored: bool = False, inverted: bool = False) -> Yaml:
    """Return a command of a spec: a text, a list of words where a text has no meaning, or a mapping."""
    command: Yaml = text
    try:
        words.split_command(text)
    except Invalid:
        kept = re.findall(_DEFAULT, text)
        try:
            parts = shlex.split(re.sub(_DEFAULT, "\1", text))
        except ValueError:
            parts = [text]
        command = [re.sub("\1", lambda _: kept.pop(0), part) for part in parts]
    keys: Keys = {"external": "true"} if external else {}
    keys |= {"allow_failure": "true"} if ignored else {}
    keys |= {"success_codes": ["1"]} if inverted else {}
    return {"run": command, **keys} if keys else command


def _tox(source: _Source, usual: Mapping[str, object], filled: Mapping[str, object], work: str) -> Found:
    """Return what tox prints; in `filled`, a mark is in place of `{posargs}` and its default."""
    core = _table(usual, "tox")
    listed, labels = {*_list(core.get("env_list"))}, _table(core, "labels")
    families = {
        name.strip(): section
        for section in dict.fromkeys([section for _, section, _, _ in source.lines])
        if (own := re.fullmatch(r"(?:tool\.tox\.)?(?:env\.|testenv:)[\"']?(.+?)[\"']?(?:\.\w+)?", section))
        for part in re.split(r",(?![^{]*\})", own[1])
        for name in _expanded(part)
    }
    environments = []
    for name in _table(usual, "env"):
        config, family = _table(_table(usual, "env"), name), families.get(name, "")
        if "commands" not in config:  # it builds packages
            continue
        commands = _table(_table(filled, "env"), name)
        keys = _tox_keys(source, family, {**config, "filled": commands}, f"{work}/{name}")
        tags = dict.fromkeys(_list(config.get("labels")))
        tags |= dict.fromkeys([label for label, names in labels.items() if name in _list(names)])
        keys |= {"tags": [*tags], "default": "" if name in listed else "false"}
        python = next(filter(None, map(python_of, _list(config.get("base_python")))), "")
        kept = {key: one for key, one in keys.items() if one}
        environments.append(Upstream(name=name, family=family, python=python, keys=kept))
    return Found(environments, source.notes)


def _expanded(text: str) -> list[str]:
    """Return the names that `py{311,312}-lint` stands for."""
    before, brace, rest = text.partition("{")
    choices, _, after = rest.partition("}")
    if not brace:
        return [text]
    tails = _expanded(after)[:1000]
    return [f"{before}{one.strip()}{tail}" for one in choices.split(",") for tail in tails]


def _tox_keys(source: _Source, family: str, config: Mapping[str, object], envdir: str) -> Keys:
    def texts(key: str) -> list[str]:
        return _list(config.get(key))

    home = "".join(texts("change_dir")) or source.root
    work, venv = envdir.rpartition("/")[0], re.compile(rf"{re.escape(envdir)}(?![\w.-])")

    def spelled(text: str) -> str:
        own = venv.sub(_ENVDIR, text).replace(work, f"{source.root}/.tox")
        return _escaped(source.local(own, home)).replace(_ENVDIR, "{envdir}")

    kind = "".join(texts("package"))
    mode = "editable" if kind.startswith("editable") or config.get("use_develop") else "wheel"
    mode = "" if config.get("skip_install") or kind in ("skip", "external") else mode
    keys: Keys = {"description": " ".join(map(spelled, texts("description")))}
    keys |= source.installed(family, texts("deps"), texts("dependency_groups"), mode, texts("extras"))
    keys["allow_prereleases"] = "true" if config.get("pip_pre") else ""
    allowed, filled = texts("allowlist_externals"), _table(config, "filled")
    for key in ("commands_pre", "commands", "commands_post"):
        commands: list[Yaml] = []
        for plain, marked in zip(texts(key), _list(filled.get(key)), strict=False):
            text, parts = spelled(marked), map(re.escape, spelled(marked).split(_POSARGS))
            defaults = re.fullmatch("(.*?)".join(parts), spelled(plain))
            for default in defaults.groups() if defaults else ():
                text = text.replace(_POSARGS, f"{{posargs:{default}}}" if default.strip() else "{posargs}", 1)
            sign, text = text[:2], text.replace(_POSARGS, "{posargs}").removeprefix("- ").removeprefix("! ")
            external = any(fnmatch(text.split(" ")[0].strip("'\""), one) for one in allowed)
            ignored = sign == "- " or bool(config.get("ignore_outcome"))
            commands.append(_command(text, external=external, ignored=ignored, inverted=sign == "! "))
        keys[key] = commands
    variables = (one.partition("=")[::2] for one in texts("set_env"))
    keys["set_env"] = {one: spelled(text) for one, text in variables if not re.fullmatch(_SET, one)}
    passed = [one for one in texts("pass_env") if not _PASSED.fullmatch(one)]
    keys["pass_env"] = [] if "*" in passed else [*passed]
    keys["change_dir"] = _escaped(relpath(home, source.root)) if home != source.root else ""
    systems = [_SYSTEMS.get(one, "") for one in "".join(texts("platform")).strip("()").split("|")]
    keys["platforms"] = [*systems] if all(systems) else ""
    if texts("platform") and not all(systems):
        source.note(family, "platform is not carried over", "platform")
    return keys


def _hatch(source: _Source, shown: Mapping[str, object], envs: Mapping[str, object]) -> Found:
    """Return what hatch prints for the environments `envs` of a file."""
    # What it prints has the default in place of {args:default}.
    scripts = [one for name in envs for one in _table(_table(envs, name), "scripts").values()]
    lines = [line for script in scripts for line in _list(script) if "{args" in line]
    plain = [re.sub(r"\{args:?([^{}]*)\}", r"\1", line).strip() for line in lines]
    posargs = dict(zip(plain, [line.replace("{args", "{posargs") for line in lines], strict=True))
    environments = []
    for name in shown:
        base = next((one for one in (name, name.partition(".")[0]) if one in envs), "default")
        config, tables = _table(shown, name), _table(envs, base).get("matrix", [])
        prefix = f"{base}." if name.startswith(f"{base}.") else ""
        if name != base and not prefix and not (base == "default" and tables):
            continue  # it belongs to hatch
        pairs = [pair for one in tables for pair in one.items()] if isinstance(tables, list) else []
        axes = {one: re.sub(r"\W", "_", axis) for axis, values in pairs for one in _list(values)}
        python = python_of("".join(_list(config.get("python"))))
        keys = _hatch_keys(source, base, config, _table(_table(envs, base), "scripts"), posargs)
        made = Upstream(name=name, prefix=prefix, family=base, python=python, axes=axes, keys=keys)
        environments.append(made)
    return Found(environments, [(family.rpartition("envs.")[2], note) for family, note in source.notes])


def _hatch_keys(
    source: _Source,
    base: str,
    config: Mapping[str, object],
    own: Mapping[str, object],
    posargs: dict[str, str],
) -> Keys:
    usual = ("test", "tests", "run", "all", "check", base) if len(own) > 1 else own
    chosen = [one for one in usual if one in own]
    commands: list[Yaml] = []
    for name in own:
        lines = _list(_table(config, "scripts").get(name))
        if name not in chosen[:1]:
            where = (at for at, section, key, _ in source.lines if key == name and f"envs.{base}." in section)
            shown = printable("; ".join(lines))
            source.note(base, f"the script {printable(name)} is not carried over: {shown}", next(where, 1))
            continue
        for line in lines:
            text = posargs.get(line, _escaped(source.local(line)))
            plain = text.removeprefix("-").strip()
            try:
                words.split_command(plain)
                commands.append(_command(plain, ignored=text != plain))
            except Invalid:  # hatch has a shell
                commands.append({"run": ["sh", "-c", plain], "external": "true"})
    deps = [*_list(config.get("dependencies")), *_list(config.get("extra-dependencies"))]
    mode = "wheel" if config.get("dev-mode") is False else "editable"
    mode = "" if config.get("skip-install") or config.get("detached") else mode
    groups, extras = _list(config.get("dependency-groups")), _list(config.get("features")) if mode else []
    variables = _table(config, "env-vars").items()
    keys: Keys = {
        "description": _escaped(" ".join(_list(config.get("description")))),
        **source.installed(base, deps, groups, mode, extras),
        "commands": commands,
        "set_env": {name: _escaped(source.local(str(one))) for name, one in variables},
        "platforms": [*_list(config.get("platforms"))],
    }
    return {key: one for key, one in keys.items() if one}
