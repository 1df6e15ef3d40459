"""The environments that tox and hatch have, as these tools print them."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from os.path import relpath
from pathlib import Path
from typing import NamedTuple, cast

from nox_envs.errors import FileProblems, Invalid, NoxEnvsError
from nox_envs.files import parse_json, parse_toml, read_text
from nox_envs.init_matrix import Upstream, python_of
from nox_envs.init_text import Keys, Yaml
from nox_envs.processes import Completed, run
from nox_envs.requirements.text import read_requirement
from nox_envs.spec import words
from nox_envs.terminal import harmless, printable

_SECONDS, _LARGEST = 120, 1 << 26
_POSARGS, _ENVDIR = "NOX_ENVS_POSARGS", "\0"
# What of the environment variables a tool sees: nothing that ends up in a value.
_KEPT = ("PATH", "PATHEXT", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "LANG", "LC_ALL", "PYENV_ROOT")
_KEYS = (
    *(
        "allowlist_externals",
        "base_python",
        "change_dir",
        "commands",
        "commands_post",
        "commands_pre",
        "dependency_groups",
    ),
    *(
        "deps",
        "description",
        "env_list",
        "extras",
        "ignore_outcome",
        "labels",
        "package",
        "pass_env",
        "pip_pre",
        "platform",
    ),
    *("set_env", "skip_install", "use_develop"),
)
_OLD_KEYS = {"whitelist_externals", "skip_sdist", "no_package", "constrain_package_deps"}
_READ = {re.sub("_", "", key) for key in (*_KEYS, *_OLD_KEYS)}
_SECTION = re.compile(r"\[\[?([^\[\]#;]+)\]\]?\s*(?:[#;].*)?")
_KEY = re.compile(r"[\"']?([A-Za-z][\w-]*)[\"']?(?:\.[\w-]+)*\s*[=:]")
_OURS = re.compile(r"(?:tool\.)?tox\b.*|(?:tox:)?testenv\b.*|(?:tool\.tox\.)?env(?:_|\.).*|gh|gh-actions.*")
_ADVICE = {
    "depends": "'requires' runs other sessions first",
    "envlogdir": "write {envdir}/log",
    "ignoreerrors": "'allow_failure: true' at a command goes on after it fails",
    "skipmissinginterpreters": "see nox --no-error-on-missing-interpreters",
    "requires": "sessions run without tox and its plugins",
    "parallelshowoutput": "nox-envs runs one session at a time",
}
# The variables that tox passes or sets by itself.
_PASSED = (
    "CC CCSHARED CFLAGS COMSPEC CPPFLAGS CURL_CA_BUNDLE CXX FORCE_COLOR HOME LANG LANGUAGE LDFLAGS LD_LIBRARY_PATH "
    "MSYSTEM NETRC NIX_LD NIX_LD_LIBRARY_PATH NO_COLOR NUMBER_OF_PROCESSORS PATHEXT PIP_* PKG_CONFIG PKG_CONFIG_PATH "
    "PKG_CONFIG_SYSROOT_DIR PROCESSOR_ARCHITECTURE PROGRAMDATA PYTHON_GIL REQUESTS_CA_BUNDLE SSH_AGENT_PID "
    "SSH_AUTH_SOCK SSL_CERT_FILE SYSTEMROOT TEMP TERM TMP TMPDIR USERPROFILE VIRTUALENV_* http_proxy https_proxy no_proxy"
).split()
_SET = re.compile(r"PIP_DISABLE_PIP_VERSION_CHECK|PIP_USER|PYTHONIOENCODING|TOX_(?:ENV|WORK)_\w+|VIRTUAL_ENV")
# A placeholder with a default, which stays one word.
_DEFAULT = r"\{posargs:(?:[^{}]|\{\{|\}\}|\{[^{}:]*\})*\}"
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}


class Found(NamedTuple):
    """What a tool has: environments, and what is not carried over, by the families it concerns."""

    environments: list[Upstream]
    notes: list[tuple[str, str]]


def read_tox(root: Path, environ: Mapping[str, str], *, buildable: bool) -> Found | None:
    """Return the environments of the tox configuration in a folder, None if there is none."""
    texts = {name: _text(root / name) for name in ("tox.ini", "setup.cfg", "pyproject.toml", "tox.toml")}
    marks = {
        "tox.ini": "",
        "setup.cfg": r"(?m)^\[(?:tox:tox|testenv)",
        "pyproject.toml": r"(?m)^\[tool\.tox\b",
        "tox.toml": "",
    }
    file = next((name for name, text in texts.items() if text.strip() and re.search(marks[name], text)), "")
    if not file:
        return None
    with tempfile.TemporaryDirectory() as folder:
        asked = ("-c", file, "-e", "ALL", "--no-provision", "-x", "tox.requires=", "--hashseed", "notset")
        argv = ("tox", "config", *asked, "--workdir", f"{folder}/work", "-k", *_KEYS)
        try:
            usual = _asked(argv, root, folder, environ)
            filled = _asked((*argv, "--", _POSARGS), root, folder, environ)
            tox = _Tox(root, f"{Path(folder).resolve()}/work", file, texts[file], buildable=buildable)
            return tox.found(usual, filled)
        except (Invalid, NoxEnvsError) as error:
            return Found([], [("", f"{file}: not read: {error}")])


def _text(path: Path) -> str:
    try:
        return read_text(path, shown=path.name)
    except FileProblems:
        return ""


def _run(argv: tuple[str, ...], root: Path, folder: str, environ: Mapping[str, str]) -> Completed:
    program = shutil.which(argv[0], path=environ.get("PATH", ""))
    if not program:
        raise NoxEnvsError(f"{argv[0]} is not on PATH; install it, then run nox-envs init again")
    env = {name: environ[name] for name in _KEPT if name in environ}
    quiet = {
        "HOME": folder,
        "USERPROFILE": folder,
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "999",
    }
    done = run((program, *argv[1:]), cwd=root, env={**env, **quiet}, timeout=_SECONDS)
    if len(done.stdout) > _LARGEST:
        raise NoxEnvsError(f"{argv[0]} printed more than {_LARGEST >> 20} MiB")
    return done


def _failed(done: Completed) -> NoxEnvsError:
    lines = harmless(done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
    name = Path(str(done.args[0])).stem
    return NoxEnvsError(f"{name} failed with exit code {done.returncode}: {lines[-1][:300]}")


def _asked(
    argv: tuple[str, ...], root: Path, folder: str, environ: Mapping[str, str]
) -> Mapping[str, Mapping[str, object]]:
    """Return the keys of each environment, and of tox itself under an empty name."""
    done = _run((*argv[:2], "--format", "json", *argv[2:]), root, folder, environ)
    if done.returncode == 2 and "--format" in done.stderr:  # tox before 4.50
        done = _run(argv, root, folder, environ)
        if not done.returncode:
            return _from_ini(done.stdout)
    if done.returncode:
        raise _failed(done)
    data = parse_json(done.stdout)
    return {
        "": _mapping(data.get("tox")),
        **{name: _mapping(one) for name, one in _mapping(data.get("env")).items()},
    }


def _from_ini(text: str) -> Mapping[str, Mapping[str, object]]:
    made: dict[str, dict[str, object]] = {"": {}}
    name = key = ""
    for line in text.splitlines():
        if section := re.fullmatch(r"\[(?:testenv:)?(.+)\]", line):
            name, key = "" if line == "[tox]" else section[1], ""
            made.setdefault(name, {})
        elif line.startswith("  ") and key:
            cast("list[str]", made[name].setdefault(key, [])).append(line.strip())
        elif pair := re.fullmatch(r"(\w+) =(?: (.*))?", line):
            key = pair[1]
            made[name][key] = [pair[2]] if pair[2] else []
    return made


def _mapping(content: object) -> Mapping[str, object]:
    return content if isinstance(content, dict) else {}


def _list(content: object) -> list[str]:
    """Return the texts in what tox prints for a key, however it prints it."""
    if isinstance(content, Mapping):
        return [f"{name}={one}" for name, one in content.items()]
    return (
        [str(one) for one in content if str(one)]
        if isinstance(content, list)
        else [content]
        if isinstance(content, str) and content
        else []
    )


def _is_true(content: object) -> bool:
    return content is True or _list(content) == ["True"]


def written(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield the number of each line of an ini or TOML file, its section, key (empty if none) and text."""
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        found, key = _SECTION.fullmatch(line.rstrip()), _KEY.match(line)
        section = found[1].strip() if found else section
        yield number, section, key[1] if key and not found else "", line


def _expanded(text: str) -> list[str]:
    """Return the names that `py{311,312}-lint` stands for."""
    before, brace, rest = text.partition("{")
    choices, _, after = rest.partition("}")
    tails = _expanded(after)[:1000] if brace else []
    return (
        [f"{before}{one.strip()}{tail}" for one in choices.split(",") for tail in tails] if brace else [text]
    )


class _Tox:
    def __init__(self, root: Path, work: str, file: str, text: str, *, buildable: bool) -> None:
        self._root = str(root.resolve())
        self._work = work
        self._file = file
        self._buildable = buildable
        self._lines = [*written(text)]
        self._families = {
            name.strip(): section
            for _, section, _, _ in self._lines
            if (own := re.fullmatch(r"(?:tool\.tox\.)?(?:env\.|testenv:)[\"']?(.+?)[\"']?(?:\..*)?", section))
            for part in re.split(r",(?![^{]*\})", own[1])
            for name in _expanded(part)
        }
        self._notes: list[tuple[str, str]] = []

    def found(
        self, usual: Mapping[str, Mapping[str, object]], filled: Mapping[str, Mapping[str, object]]
    ) -> Found:
        core = usual.get("", {})
        listed = [*dict.fromkeys(_list(core.get("env_list")))]
        labels = {name: _list(one) for name, one in _mapping(core.get("labels")).items()}
        names = [name for name in usual if name and "commands" in usual[name]]
        environments = []
        for name in names:
            family = self._families.get(name, "")
            keys = self._keys(name, family, usual[name], filled.get(name, {}))
            tags = dict.fromkeys(
                [*_list(usual[name].get("labels")), *[label for label, of in labels.items() if name in of]]
            )
            extra: Keys = {"tags": [*tags]} if tags else {}
            extra.update({} if name in listed else {"default": "false"})
            python = next(filter(None, map(python_of, map(_stem, _list(usual[name].get("base_python"))))), "")
            environments.append(Upstream(name=name, family=family, python=python, keys={**keys, **extra}))
        for number, section, key, line in self._lines:
            where = f"{self._file}:{number}"
            inside = self._file == "tox.toml" or _OURS.fullmatch(section)
            if key and inside and (plain := key.replace("_", "").lower()) not in _READ:
                advice = f" ({_ADVICE[plain]})" if plain in _ADVICE else ""
                self._note(f"{where}: {printable(key)} is not carried over{advice}", section)
            if inside and (variable := re.search(r"\{env:([^:}]*)[^}]*\}", line)):
                self._note(
                    f"{where}: {printable(variable[0])} is filled in as if {printable(variable[1])} were not set",
                    section,
                )
        return Found(environments, self._notes)

    def _note(self, text: str, family: str) -> None:
        self._notes.append((family, text))

    def _local(self, text: str, home: str) -> str:
        """Replace the folders of this machine in a text; `home` is the folder it is read in."""
        up = relpath(self._root, home).replace("\\", "/")
        text = re.sub(rf"{re.escape(self._work)}(?![\w.-])", f"{up}/.tox", text)
        return re.sub(rf"{re.escape(self._root)}(?![\w.-])", up, text)

    def _keys(
        self, name: str, family: str, usual: Mapping[str, object], filled: Mapping[str, object]
    ) -> Keys:
        home = "".join(_list(usual.get("change_dir"))) or self._root
        venv = re.compile(rf"{re.escape(f'{self._work}/{name}')}(?![\w.-])")

        def spelled(text: str) -> str:
            return _escaped(self._local(venv.sub(_ENVDIR, text), home)).replace(_ENVDIR, "{envdir}")

        keys: Keys = {}
        if description := " ".join(_list(usual.get("description"))).strip():
            keys["description"] = spelled(description)
        keys.update(self._installed(name, family, usual))
        programs = _list(usual.get("allowlist_externals"))
        for key in ("commands_pre", "commands", "commands_post"):
            pairs = zip(_list(usual.get(key)), _list(filled.get(key)), strict=False)
            ignored = _is_true(usual.get("ignore_outcome"))
            made = [
                self._command(spelled(one), spelled(other), programs, ignored=ignored) for one, other in pairs
            ]
            keys.update({key: made} if made else {})
        variables = (one.partition("=")[::2] for one in _list(usual.get("set_env")))
        if kept := {variable: spelled(one) for variable, one in variables if not _SET.fullmatch(variable)}:
            keys["set_env"] = cast("Yaml", kept)
        passed = [one for one in _list(usual.get("pass_env")) if one not in _PASSED]
        keys.update({"pass_env": cast("Yaml", passed)} if passed and "*" not in passed else {})
        if (folder := relpath(home, self._root).replace("\\", "/")) != ".":
            keys["change_dir"] = _escaped(folder)
        systems = "".join(_list(usual.get("platform"))).strip("()").split("|")
        if all(system in _SYSTEMS for system in systems):
            keys["platforms"] = [_SYSTEMS[system] for system in systems]
        elif systems != [""]:
            self._note(
                f"{self._file}: {printable(name)}: platform {printable('|'.join(systems))} is not carried over",
                family,
            )
        return keys

    def _installed(self, name: str, family: str, usual: Mapping[str, object]) -> Keys:
        groups: list[Yaml] = [{"group": _escaped(one)} for one in _list(usual.get("dependency_groups"))]
        kind = "".join(_list(usual.get("package")))
        extras = _list(usual.get("extras"))
        mode = "editable" if kind.startswith("editable") or _is_true(usual.get("use_develop")) else "wheel"
        none = not self._buildable or kind in ("skip", "external") or _is_true(usual.get("skip_install"))
        mode = "" if none else mode
        requirements: list[Yaml] = []
        constraints: list[Yaml] = []
        for dep in _list(usual.get("deps")):
            text = self._local(dep.split(" #")[0].strip(), self._root)
            option = re.fullmatch(r"(-r|--requirement|-c|--constraint)[= ]?\s*(\S.*)", text)
            own = re.fullmatch(r"(-e |--editable )?\s*\.(?:/?\[([^\]]*)\])?", text)
            if option:
                path: Yaml = {"file": _escaped(option[2].removeprefix("./"))}
                (constraints if option[1] in ("-c", "--constraint") else requirements).append(path)
            elif own and self._buildable:
                mode = "editable" if own[1] else "wheel"
                extras += [one.strip() for one in (own[2] or "").split(",") if one.strip()]
            else:
                try:
                    read_requirement(text)
                    bare = ">=0" if words.is_bare(text) else ""
                    requirements.append(_escaped(text) + bare)
                except Invalid as wrong:
                    at = next((number for number, _, _, line in self._lines if dep in line), 1)
                    self._note(
                        f"{self._file}:{at}: {printable(dep)} is not carried over ({printable(wrong.message)})",
                        family,
                    )
        package: Yaml = {"mode": mode, "extras": [*map(_escaped, dict.fromkeys(extras))]} if extras else mode
        lists: Keys = {"requirements": [*requirements, *groups], "constraints": constraints}
        pre: Keys = {"allow_prereleases": "true"} if _is_true(usual.get("pip_pre")) else {}
        return {
            **{key: one for key, one in lists.items() if one},
            **({"package": package} if mode else {}),
            **pre,
        }

    def _command(self, usual: str, filled: str, allowed: Sequence[str], *, ignored: bool) -> Yaml:
        """Return a command; `usual` has the defaults of `{posargs}`, `filled` a mark in their place."""
        pattern = "(.*?)".join(map(re.escape, filled.split(_POSARGS)))
        defaults = found.groups() if (found := re.fullmatch(pattern, usual)) else ()
        sign, text = (filled[0], filled[2:]) if filled[:2] in ("- ", "! ") else ("", filled)
        for default in defaults:
            text = text.replace(_POSARGS, f"{{posargs:{default}}}" if default.strip() else "{posargs}", 1)
        return as_command(
            text.replace(_POSARGS, "{posargs}"),
            external=any(fnmatch(_program(text), one) for one in allowed),
            allow_failure=sign == "-" or ignored,
            codes=["1"] if sign == "!" else [],
        )


def _stem(text: str) -> str:
    return text if re.fullmatch(r"[\w.-]+", text) else ""


def _program(text: str) -> str:
    return text.split(" ", 1)[0].strip("'\"")


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def as_command(
    text: str, *, external: bool = False, allow_failure: bool = False, codes: Sequence[str] = ()
) -> Yaml:
    """Return a command of a spec: a text, a list of words where a text would not do, or a mapping."""
    command: Yaml = text
    try:
        words.split_command(text)
    except Invalid:
        kept = re.findall(_DEFAULT, text)
        parts = shlex.split(re.sub(_DEFAULT, "\1", text))
        command = [re.sub("\1", lambda _: kept.pop(0), part) for part in parts]
    keys: Keys = {"external": "true"} if external else {}
    keys.update({"allow_failure": "true"} if allow_failure else {})
    keys.update({"success_codes": [*codes]} if codes else {})
    return {"run": command, **keys} if keys else command


def read_hatch(root: Path, environ: Mapping[str, str], *, buildable: bool) -> Found | None:
    """Return the environments of the hatch configuration in a folder, None if there is none."""
    texts = {name: _text(root / name) for name in ("hatch.toml", "pyproject.toml")}
    file, settings = "", _mapping(None)
    for name, text in texts.items():
        try:
            data = (
                _mapping(_mapping(parse_toml(text).get("tool")).get("hatch"))
                if name[0] == "p"
                else parse_toml(text)
            )
        except Invalid:
            continue
        if data.get("envs") and not file:
            file, settings = name, data
    if not file:
        return None
    try:
        if _mapping(settings.get("env")).get("requires"):
            raise NoxEnvsError("its environments need plugins, which hatch would install first")
        with tempfile.TemporaryDirectory() as folder:
            done = _run(("hatch", "env", "show", "--json"), root, folder, environ)
        if done.returncode:
            raise _failed(done)
        shown = parse_json(done.stdout)
    except (Invalid, NoxEnvsError) as error:
        return Found([], [("", f"{file}: hatch environments are not read: {error}")])
    return _Hatch(root, file, texts[file], _mapping(settings.get("envs")), buildable=buildable).found(shown)


_HATCH_KEYS = {
    *(
        "dependencies",
        "extra-dependencies",
        "dependency-groups",
        "description",
        "detached",
        "dev-mode",
        "env-vars",
    ),
    *(
        "features",
        "matrix",
        "overrides",
        "platforms",
        "python",
        "scripts",
        "skip-install",
        "template",
        "type",
    ),
}


class _Hatch:
    def __init__(
        self, root: Path, file: str, text: str, envs: Mapping[str, object], *, buildable: bool
    ) -> None:
        self._root = str(root.resolve())
        self._file = file
        self._lines = [*written(text)]
        self._written = {name: _mapping(one) for name, one in envs.items()}
        self._buildable = buildable
        self._notes: list[tuple[str, str]] = []
        # What hatch prints has the default in place of {args:default}.
        scripts = (one for env in self._written.values() for one in _mapping(env.get("scripts")).values())
        lines = (line for script in scripts for line in _list(script) if "{args" in line)
        self._args = {
            re.sub(r"\{args:?([^{}]*)\}", r"\1", line).strip(): line.replace("{args", "{posargs")
            for line in lines
        }

    def found(self, shown: Mapping[str, object]) -> Found:
        environments = []
        for name, config in shown.items():
            base = next((one for one in (name, name.partition(".")[0]) if one in self._written), "default")
            prefix = f"{base}." if name.startswith(f"{base}.") else ""
            matrix = "matrix" in self._written.get(base, {})
            if name == base or prefix or (base == "default" and matrix and name.startswith("py")):
                keys = _mapping(config)
                python = python_of("".join(_list(keys.get("python"))))
                made = self._keys(base, keys)
                one = Upstream(
                    name=name, prefix=prefix, family=base, python=python, axes=self._axes(base), keys=made
                )
                environments.append(one)
        for number, section, key, line in self._lines:
            inside = re.fullmatch(r"(?:tool\.hatch\.)?envs\.([^.]+)", section)
            if inside and key and key not in _HATCH_KEYS:
                self._notes.append(
                    (inside[1], f"{self._file}:{number}: {printable(key)} is not carried over")
                )
            if re.match(r"(?:tool\.hatch\.)?envs\.", section) and (
                variable := re.search(r"\{env:([^:}]*)[^}]*\}", line)
            ):
                text = f"{printable(variable[0])} is filled in as if {printable(variable[1])} were not set"
                self._notes.append(("", f"{self._file}:{number}: {text}"))
        return Found(environments, [*dict.fromkeys(self._notes)])

    def _axes(self, base: str) -> Mapping[str, str]:
        tables = self._written.get(base, {}).get("matrix")
        pairs = (
            [pair for table in tables for pair in _mapping(table).items()] if isinstance(tables, list) else []
        )
        return {one: re.sub(r"\W", "_", axis) for axis, values in pairs for one in _list(values)}

    def _spelled(self, text: str) -> str:
        return _escaped(re.sub(rf"{re.escape(self._root)}(?![\w.-])", ".", text))

    def _keys(self, base: str, config: Mapping[str, object]) -> Keys:
        keys: Keys = {}
        if description := " ".join(_list(config.get("description"))).strip():
            keys["description"] = self._spelled(description)
        required: list[Yaml] = []
        for dep in [*_list(config.get("dependencies")), *_list(config.get("extra-dependencies"))]:
            try:
                read_requirement(dep)
                required.append(self._spelled(dep) + (">=0" if words.is_bare(dep) else ""))
            except Invalid as wrong:
                self._notes.append(
                    (base, f"{self._file}: {printable(dep)} is not carried over ({wrong.message})")
                )
        required += [{"group": _escaped(one)} for one in _list(config.get("dependency-groups"))]
        if required:
            keys["requirements"] = required
        if self._buildable and not config.get("skip-install") and not config.get("detached"):
            mode, extras = (
                "wheel" if config.get("dev-mode") is False else "editable",
                _list(config.get("features")),
            )
            keys["package"] = {"mode": mode, "extras": [*extras]} if extras else mode
        if commands := self._commands(base, _mapping(config.get("scripts"))):
            keys["commands"] = commands
        if variables := _mapping(config.get("env-vars")):
            keys["set_env"] = {name: self._spelled(str(one)) for name, one in variables.items()}
        if platforms := _list(config.get("platforms")):
            keys["platforms"] = [*platforms]
        return keys

    def _commands(self, base: str, scripts: Mapping[str, object]) -> list[Yaml]:
        """Return the commands of the script that an environment is for, and note the others of its own."""
        own = [*_mapping(self._written.get(base, {}).get("scripts"))]
        wanted = (
            own
            if len(own) == 1
            else [one for one in ("test", "tests", "run", "all", "check", base) if one in own]
        )
        for name in own:
            if name not in wanted[:1]:
                lines = printable("; ".join(_list(scripts.get(name))))
                at = next(
                    (
                        number
                        for number, section, key, _ in self._lines
                        if key == name and f"envs.{base}" in section
                    ),
                    1,
                )
                self._notes.append(
                    (base, f"{self._file}:{at}: the script {printable(name)} is not carried over: {lines}")
                )
        return [self._command(line) for name in wanted[:1] for line in _list(scripts.get(name))]

    def _command(self, line: str) -> Yaml:
        line, ignored = line.removeprefix("-").strip() if line.startswith("-") else line, line.startswith("-")
        text = self._args.get(line, self._args.get(f"-{line}", "").removeprefix("-")) or self._spelled(line)
        try:
            words.split_command(text)
        except Invalid:  # hatch runs its commands in a shell
            return {
                "run": ["sh", "-c", text],
                "external": "true",
                **({"allow_failure": "true"} if ignored else {}),
            }
        return as_command(text, allow_failure=ignored)
