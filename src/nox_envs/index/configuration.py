"""Owns which indexes uv and pip are configured with; reads their files, runs neither.

A file that cannot be read stops the check: without it, names could be told to an index that was never
meant to hear them.
"""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.files import read_text
from nox_envs.index.documents import rows, table, text, texts
from nox_envs.toml import parse_toml
from nox_envs.values import value


@value
class Machine:
    """Hold what tells the settings of this machine: its variables, the prefix of its Python, the project."""

    environ: Mapping[str, str]
    prefix: Path
    root: Path

    @property
    def home(self) -> Path:
        """Return the folder of the user."""
        return Path(self.environ.get("HOME") or self.environ.get("USERPROFILE") or "/")

    @property
    def netrc(self) -> Path | None:
        """Return the netrc file, which need not be there."""
        named = self.environ.get("NETRC")
        found = (self.home / ".netrc", self.home / "_netrc")
        return Path(named) if named else next((file for file in found if file.is_file()), None)


@value
class Configured:
    """Hold the URLs of indexes, which may carry credentials, in the order in which they are asked.

    With `merged` all of them are asked (pip), else the first one that has a package is the last one
    (uv).
    """

    urls: tuple[str, ...] = ()
    merged: bool = False


def configured(machine: Machine) -> Configured:
    """Return the indexes that installers ask on this machine: those of uv, else those of pip.

    There are none where an installer is told to use none, or where nothing names one and pip, which
    knows the usual one, cannot be imported. Raises NoxEnvsError for settings that cannot be read.
    """
    settings = _pip_settings(machine)
    if _is_set(machine.environ.get("UV_NO_INDEX", "")) or _is_set(settings.get("no-index", "")):
        return Configured()
    usual, more = _uv_indexes(machine)
    if usual or more:
        return _in_order((*more, usual or settings.get("index-url") or _pip_default()), merged=False)
    others = settings.get("extra-index-url", "").split()
    return _in_order((settings.get("index-url") or _pip_default(), *others), merged=True)


def _in_order(urls: tuple[str, ...], *, merged: bool) -> Configured:
    return Configured(urls=tuple(dict.fromkeys(filter(None, urls))), merged=merged)


def certificates(machine: Machine) -> str:
    """Return the file of authorities that pip trusts, empty for those of this machine."""
    try:
        return _pip_settings(machine).get("cert", "")
    except NoxEnvsError:
        return ""


def _is_set(word: str) -> bool:
    return word.strip().lower() in ("1", "true", "yes", "on", "y", "t")


def _pip_default() -> str:
    """Return the index that pip asks unless it is told of another; empty where pip is not installed."""
    import importlib

    try:
        module = importlib.import_module("pip._internal.models.index")
        found: object = module.PyPI.simple_url
    except (ImportError, AttributeError):
        return ""
    return text(found)


def _pip_settings(machine: Machine) -> dict[str, str]:
    """Return the options of pip that matter here, from its files and variables, the last one wins.

    Source: pip, user guide, configuration files and environment variables.
    """
    found: dict[str, str] = {}
    for file in _pip_files(machine):
        if file.is_file():
            found.update(_pip_file(file))
    for name in ("index-url", "extra-index-url", "no-index", "cert"):
        given = machine.environ.get(f"PIP_{name.upper().replace('-', '_')}")
        if given:
            found[name] = given
    return found


def _pip_files(machine: Machine) -> Iterator[Path]:
    named = machine.environ.get("PIP_CONFIG_FILE", "")
    if named in ("/dev/null", "nul"):
        return
    if sys.platform == "win32":
        yield Path(machine.environ.get("PROGRAMDATA", "C:/ProgramData"), "pip", "pip.ini")
        yield machine.home / "pip" / "pip.ini"
        yield Path(machine.environ.get("APPDATA", ""), "pip", "pip.ini")
        yield machine.prefix / "pip.ini"
    else:
        folders = machine.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        yield from (Path(folder, "pip", "pip.conf") for folder in folders.split(":"))
        yield Path("/Library/Application Support/pip/pip.conf")
        yield Path("/etc/pip.conf")
        yield machine.home / ".pip" / "pip.conf"
        yield Path(machine.environ.get("XDG_CONFIG_HOME") or machine.home / ".config", "pip", "pip.conf")
        yield machine.home / "Library" / "Application Support" / "pip" / "pip.conf"
        yield machine.prefix / "pip.conf"
    if named:
        yield Path(named)


def _pip_file(file: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(read_text(file, shown=str(file)))
    except configparser.Error:
        raise NoxEnvsError(_unreadable(file, "is no configuration of pip")) from None
    except FileProblems as error:
        raise NoxEnvsError(_unreadable(file, error.problems[0].message)) from None
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update({name.replace("_", "-"): text_ for name, text_ in parser.items(section)})
    return found


def _unreadable(file: Path, reason: str) -> str:
    return f"{file}: {reason}, so the index is not known; mend it, or name the index with --index-url"


def _uv_indexes(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Return the default index of uv and those asked before it, from its variables, then its files.

    Source: uv, package indexes and configuration files. What its files say is merged, the nearest one
    first; indexes that are explicit are for the packages assigned to them only.
    """
    environ = machine.environ
    usual = _address(environ.get("UV_DEFAULT_INDEX", "")) or environ.get("UV_INDEX_URL", "")
    words = (environ.get("UV_INDEX", "") + " " + environ.get("UV_EXTRA_INDEX_URL", "")).split()
    more = [_address(word) for word in words]
    for file in _uv_files(machine):
        if file.is_file():
            other, others = _uv_file(file)
            usual = usual or other
            more += others
    return usual, tuple(more)


def _address(word: str) -> str:
    """Return the URL of an index that may have a name: `name=https://…`."""
    name, equals, url = word.partition("=")
    return url if equals and "/" not in name and ":" not in name else word


def _uv_files(machine: Machine) -> Iterator[Path]:
    environ = machine.environ
    if _is_set(environ.get("UV_NO_CONFIG", "")):
        return
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"])
        return
    own = machine.root / "uv.toml"
    yield own if own.is_file() else machine.root / "pyproject.toml"
    if sys.platform == "win32":
        yield Path(environ.get("APPDATA", ""), "uv", "uv.toml")
        yield Path(environ.get("PROGRAMDATA", "C:/ProgramData"), "uv", "uv.toml")
    else:
        yield Path(environ.get("XDG_CONFIG_HOME") or machine.home / ".config", "uv", "uv.toml")
        yield Path("/etc/uv/uv.toml")


def _uv_file(file: Path) -> tuple[str, list[str]]:
    try:
        found = parse_toml(read_text(file, shown=str(file)))
    except ValueError:
        raise NoxEnvsError(_unreadable(file, "is no TOML")) from None
    except FileProblems as error:
        raise NoxEnvsError(_unreadable(file, error.problems[0].message)) from None
    if file.name == "pyproject.toml":
        found = table(table(found.get("tool")).get("uv"))
    usual, more = "", []
    for index in map(table, rows(found.get("index"))):
        if index.get("default") is True:
            usual = usual or text(index.get("url"))
        elif index.get("explicit") is not True:
            more.append(text(index.get("url")))
    for options in (found, table(found.get("pip"))):
        usual = usual or text(options.get("index-url"))
        more += texts(options.get("extra-index-url"))
    return usual, more
