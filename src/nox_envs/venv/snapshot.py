"""Snapshots: what is installed in a venv, read from its files without starting an interpreter."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from nox_envs.errors import Invalid, NoxEnvsError
from nox_envs.files import digest, read_bytes, reason
from nox_envs.lock.pins import (
    INDEX,
    Source,
    direct_reference,
    normal_version,
    parse_direct_url,
    source_of_path,
    versions_equal,
)
from nox_envs.spec.types import Pairs
from nox_envs.spec.words import canonical_name, is_name
from nox_envs.values import value

# What creators of venvs put there.
SEEDS = frozenset({"pip", "setuptools", "wheel", "distribute"})

_SMALL = 1 << 16
_LARGE = 1 << 23

_LIBRARY = r"(?P<name>python|pypy|graalpy)(?P<minor>\d{1,3}\.\d{1,3})(?P<threads>t?)"
_VERSION = r"\d{1,3}\.\d{1,3}(?:\.\d{1,3}(?:(?:a|b|rc)\d{1,3})?)?(?!\d)"
_FREE_THREADED = r"(?i)python\d+\.\d+t(?:\.exe)?$|freethreaded"
_INTERPRETER = r"(?:python|pypy|graalpy)[0-9.]*[tdw]*(?:\.exe)?"
_CUSTOMIZE = ("sitecustomize", "usercustomize")
_IMPORTED = r"""(?:import(?:__\(["']|[ \t]+)|from[ \t]+)([\w.]+(?:[ \t]*,[ \t]*[\w.]+)*)"""
_EGG_TAG = r"-py\d+(?:\.\d+)*(?:-.*)?$"
_SHOWN = ("METADATA", "RECORD", "direct_url.json")
_RECORDS = frozenset({".dist-info", ".egg-info", ".egg-link"})


class NotAVenv(NoxEnvsError):
    """Stop because a directory is not a virtual environment, or only the beginning of one."""


@value
class Interpreter:
    """The interpreter of a venv.

    `version` is as complete as the venv tells (`3.12.1`); `implementation` is in the words of
    `sys.implementation.name`; `free_threaded` is the ABI flag `t`. `executable` is the file that the venv's
    `python` finally leads to (empty: none), `stamp` its size and time. `pythons` are the interpreters
    in `bin` and where each leads (`link:TARGET`, `file:SIZE`, empty: nowhere). `system_site` tells that
    packages outside the venv can be imported too; `home` is what pyvenv.cfg says, `config` the sha256 of
    pyvenv.cfg.
    """

    version: str
    implementation: str
    free_threaded: bool = False
    executable: str = ""
    stamp: str = ""
    pythons: Pairs = ()
    system_site: bool = False
    home: str = ""
    config: str = ""


@value
class Distribution:
    """One installed distribution.

    `name` is canonical, `version` as the directory name gives it, `path` the `*.dist-info` or `*.egg-info`
    (absolute), `source` what direct_url.json says (PEP 610; an index without one), `defect` what is wrong
    with its metadata (empty: nothing).
    """

    name: str
    version: str
    path: str
    source: Source
    defect: str = ""


@value
class Snapshot:
    """What the venv at `location` has installed, sorted by name, version and path.

    `leftovers` are paths of `~name` directories that an interrupted uninstall left; `startup` are those of
    files that Python runs at every start, and of modules that `.pth` files import; `overrides` those of files
    in `bin` that decide where Python looks for modules; `sites` are the site-packages directories.
    """

    location: str
    interpreter: Interpreter
    distributions: tuple[Distribution, ...]
    leftovers: tuple[str, ...] = ()
    startup: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


def take(location: Path) -> Snapshot:
    """List what the venv at `location` has installed, from what is on disk now.

    Name and version are those of the `*.dist-info` directory (PEP 376 and 427); METADATA is only read to see
    that it agrees. A distribution with a defect is listed all the same. No link is followed. Raises NotAVenv,
    and NoxEnvsError if site-packages cannot be listed.
    """
    location = location.absolute()
    interpreter, sites = _layout(location)
    entries = [entry for site in sites for entry in _entries(site)]
    found = [_distribution(entry) for entry in entries if _suffix(entry.name) in _RECORDS]
    leftovers = [
        entry.path
        for entry in entries
        if entry.name[0] == "~" and not is_startup(entry.name) and entry.is_dir(follow_symlinks=False)
    ]
    folder = programs(location)
    overrides = [name for name in listed(folder) if name.endswith("._pth") or name == "pyvenv.cfg"]
    return Snapshot(
        location=str(location),
        interpreter=interpreter,
        distributions=tuple(sorted(found, key=lambda one: (one.name, one.version, one.path))),
        leftovers=tuple(sorted(leftovers)),
        startup=tuple([path for site in sites for path in _startup(site)]),
        overrides=tuple([os.path.join(folder, name) for name in overrides]),
        sites=sites,
    )


def _suffix(name: str) -> str:
    return name[name.rfind(".") :].lower()


def is_startup(name: str) -> bool:
    """Return whether an entry of site-packages runs at every start (documentation of Python's `site`)."""
    return name.endswith(".pth") or (name.startswith(_CUSTOMIZE) and name.partition(".")[0] in _CUSTOMIZE)


def _startup(site: str) -> list[str]:
    """Return the files that run at every start, and the modules that `.pth` files import."""
    hooks = [name for name in listed(site) if is_startup(name)]
    modules = {name for name in hooks if "." not in name}
    for name in hooks:
        if name.endswith(".pth"):
            with suppress(OSError):
                text = read_bytes(os.path.join(site, name), _LARGE, follow=False).decode("utf-8", "replace")
                lists = re.findall(_IMPORTED, "\n".join(re.findall(r"(?m)^import[ \t].*", text)))
                modules |= {word.strip().partition(".")[0] for words in lists for word in words.split(",")}
    files = [os.path.join(module, "__init__.py") for module in modules] + [f"{name}.py" for name in modules]
    found = {name for name in files if os.path.lexists(os.path.join(site, name))}
    return [os.path.join(site, name) for name in sorted(found.union(name for name in hooks if "." in name))]


def record_digest(distribution: Distribution) -> str:
    """Return the sha256 of a distribution's RECORD, empty if there is none, else `unreadable`."""
    if os.path.islink(distribution.path):  # noqa: PTH114, hot
        return "unreadable"
    return digest(f"{distribution.path}{os.sep}RECORD", _LARGE, follow=False)


def _entries(site: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(site) as entries:
            return list(entries)
    except OSError as error:
        raise NoxEnvsError(f"{site}: cannot be listed: {reason(error)}") from None


# The layout of a venv.


def _layout(location: Path) -> tuple[Interpreter, tuple[str, ...]]:
    """Return the interpreter of a venv and its site-packages directories, purelib first."""
    try:
        config = read_bytes(location / "pyvenv.cfg", _SMALL, follow=False)
    except (FileNotFoundError, NotADirectoryError):
        missing = "it has no pyvenv.cfg" if location.is_dir() else "there is no such directory"
        raise NotAVenv(f"{location}: is not a virtual environment: {missing}") from None
    except OSError as error:
        raise NotAVenv(f"{location}: is not a virtual environment: pyvenv.cfg {unread(error)}") from None
    pairs = (line.partition("=") for line in config.decode("utf-8", "replace").splitlines())
    settings = {key.strip().lower(): _shown(text.strip()) for key, equals, text in pairs if equals}
    versions = [re.match(_VERSION, settings.get(key, "")) for key in ("version_info", "version")]
    settings["version"] = next((match[0] for match in versions if match), "")
    settings["sha256"] = sha256(config).hexdigest()
    sites = _sites(location, ".".join(settings["version"].split(".")[:2]))
    return _interpreter(programs(location), settings, Path(sites[0]).parent.name), sites


def unread(error: OSError) -> str:
    """Return that a file is missing, is something else, or cannot be read, in words that follow its name."""
    if isinstance(error, FileNotFoundError):
        return "is missing"
    what = reason(error)
    return what if what.startswith("is ") else f"cannot be read: {what}"


def _sites(location: Path, minor: str) -> tuple[str, ...]:
    """Return the site-packages directories of a version, those of `lib64` last; raises NotAVenv."""
    names = [(parent, name) for parent in ("lib", "lib64") for name in listed(location / parent)]
    found = [
        (os.path.join(location, *pair), match) for pair in names if (match := re.fullmatch(_LIBRARY, pair[1]))
    ]
    # An upgrade in place leaves the directory of the older interpreter behind.
    current = [path for path, match in found if match["minor"] == minor] or [path for path, _ in found]
    sites: dict[str, str] = {}  # `lib64` may be a link to `lib`
    for library in current or [os.path.join(location, "Lib")]:
        path = os.path.join(library, "site-packages")
        if os.path.lexists(path):
            sites.setdefault(os.path.realpath(path), path)
    if not sites:
        raise NotAVenv(
            f"{location}: is not a complete virtual environment: it has no site-packages directory"
        )
    root = os.path.join(os.path.realpath(location), "")
    for real, path in sites.items():
        # A repair would remove and install in a place that is not the venv's.
        if not real.startswith(root):
            raise NotAVenv(f"{location}: is not a virtual environment of its own: {path} leads out of it")
    return tuple(sites.values())


def _interpreter(folder: str, settings: dict[str, str], library: str) -> Interpreter:
    match = re.fullmatch(_LIBRARY, library)
    home, told = settings.get("home", ""), re.split(r"[/\\]", settings.get("executable", ""))[-1].lower()
    # On Windows the library directory is always Lib.
    threads = match["threads"] if match else re.search(_FREE_THREADED, f"{home} {told}")
    name = match["name"] if match else told
    # uv and virtualenv record the implementation, in the words of platform.python_implementation().
    implementation = settings.get("implementation", "").lower().replace("graalvm", "graalpy")
    guessed = next((word for word in ("pypy", "graalpy") if name.startswith(word)), "cpython")
    paths = (os.path.join(folder, name) for name in ("python", "python.exe"))
    executable = next((os.path.realpath(path) for path in paths if folder and Path(path).is_file()), "")
    return Interpreter(
        version=settings["version"] or (match["minor"] if match else ""),
        implementation=implementation or guessed,
        free_threaded=bool(threads),
        executable=executable,
        stamp=_stamp(executable).rpartition(" ")[0].strip() if executable else "",
        pythons=tuple((name, _lead(folder, name)) for name in listed(folder) if is_interpreter(name)),
        # Python takes a line that is missing for true.
        system_site=settings.get("include-system-site-packages", "true").lower() == "true",
        home=home,
        config=settings["sha256"],
    )


def programs(location: str | Path) -> str:
    """Return the directory that the programs of a venv are in, empty if there is none."""
    folders = (os.path.join(location, name) for name in ("bin", "Scripts"))
    return next((folder for folder in folders if Path(folder).is_dir()), "")


def listed(folder: str | Path) -> list[str]:
    """Return the sorted names in a folder, none if it cannot be listed."""
    try:
        return sorted(os.listdir(folder)) if folder else []
    except OSError:
        return []


def is_interpreter(name: str) -> bool:
    """Return whether a program is named like a Python interpreter."""
    return re.fullmatch(_INTERPRETER, name) is not None


def _lead(folder: str, name: str) -> str:
    path = Path(folder, name)
    if not path.exists():
        return ""
    return f"link:{_shown(str(path.readlink()))}" if path.is_symlink() else f"file:{path.stat().st_size}"


# Distributions.


def _distribution(entry: os.DirEntry[str]) -> Distribution:
    stem, _, kind = entry.name.rpartition(".")
    kind, path = kind.lower(), entry.path
    name, _, version = (re.sub(_EGG_TAG, "", stem) if kind == "egg-info" else stem).partition("-")
    source, defects = INDEX, list[str]()
    if entry.is_symlink():
        defects.append(f"its {kind} is a link")
    elif kind == "egg-link":
        name, version = stem, ""  # its version is written where it leads, outside the venv
        source = _egg_link(path, defects)
    else:
        version = _agreed(name, version, metadata_path(path), defects)
        source = _direct_url(f"{path}{os.sep}direct_url.json", defects)
    name = canonical_name(name)
    if not is_name(name):
        defects.append("its name is not the name of a package")
    if not normal_version(version) and kind != "egg-link":
        defects.append(f"{_shown(version) or 'nothing'} is not a version (PEP 440)")
    told = {"name": _shown(name), "version": _shown(version), "defect": "; ".join(defects)}
    return Distribution(path=path, source=source, **told)


def _agreed(name: str, version: str, path: str, defects: list[str]) -> str:
    """Return the version of a distribution, after a look whether its metadata file agrees."""
    file = path.rpartition(os.sep)[2]
    try:
        head = headers(read_bytes(path, _LARGE, follow=False))
    except OSError as error:
        defects.append(f"{file} {unread(error)}")
        return version
    named, numbered = (re.search(rf"(?mi)^{key}[ \t]*:(.*)", head) for key in ("Name", "Version"))
    if not named or not numbered:
        defects.append(f"{file} gives no {'version' if named else 'name'}")
        return version
    other, told = named[1].strip(), numbered[1].strip()
    if name != other and canonical_name(name) != canonical_name(other):
        defects.append(f"{file} says the name is {_shown(other)}")
    # Equal both ways: a local version satisfies a public one.
    if version and not (versions_equal(version, told) and versions_equal(told, version)):
        defects.append(f"{file} says the version is {_shown(told)}")
    return version or told


def headers(metadata: bytes) -> str:
    """Return core metadata without the description that follows its fields."""
    end = metadata.find(b"\n\n")
    head = metadata[:end] if end >= 0 else metadata
    return head.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")


def metadata_path(path: str) -> str:
    """Return the metadata file of a `*.dist-info` or `*.egg-info` (which may be that file itself)."""
    if path.lower().endswith(".dist-info"):
        return f"{path}{os.sep}METADATA"
    return os.path.join(path, "PKG-INFO") if Path(path).is_dir() else path


def _direct_url(path: str, defects: list[str]) -> Source:
    try:
        return parse_direct_url(read_bytes(path, _SMALL, follow=False).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return INDEX
    except OSError as error:
        defects.append(f"direct_url.json {unread(error)}")
    except UnicodeDecodeError:
        defects.append("direct_url.json is not UTF-8")
    except Invalid as error:
        defects.append(f"direct_url.json {_shown(error.message)}")
    return INDEX


def _egg_link(path: str, defects: list[str]) -> Source:
    """Return the source of a `*.egg-link`, the record of `setup.py develop`: it is on its first line."""
    try:
        first = read_bytes(path, _SMALL, follow=False).decode("utf-8", "replace").partition("\n")[0].strip()
        return source_of_path(os.path.join(Path(path).parent, first), os.sep, editable=True)
    except (OSError, ValueError) as error:
        defects.append(f"it {unread(error) if isinstance(error, OSError) else 'leads nowhere'}")
        return INDEX


def _shown(text: str) -> str:
    """Return a text from a file name or a file so that it can be printed."""
    return text if len(text) <= 200 and text.isprintable() else re.sub(r"[^ -~]", "?", text[:200])


def freeze_lines(snapshot: Snapshot, *, without: Collection[str] = ()) -> list[str]:
    """Return a line for each distribution, in the format of pip freeze and sorted by name.

    `without` are canonical names to leave out. What is not a requirement becomes a comment, so that the lines
    can be installed from.
    """
    lines: list[str] = []
    for one in snapshot.distributions:
        version = normal_version(one.version)
        line = f"# {one.name} {one.version} ({one.defect})"
        if is_name(one.name) and one.source.kind != "index":
            line = f"{'-e' if one.source.editable else f'{one.name} @'} {direct_reference(one.source)}"
        elif is_name(one.name) and (version or (one.version and " " not in one.version)):
            # `===` compares as text (PEP 440, arbitrary equality).
            line = f"{one.name}=={version}" if version else f"{one.name}==={one.version}"
        lines += [line] if one.name not in without else []
    return lines


# Evidence.


def evidence(location: Path, *, ignore: str = "") -> str:
    """Return a digest of what the venv at `location` shows, empty where that is not enough to go by.

    Shown are pyvenv.cfg, the interpreters and where they lead, the names of all programs, the names at the
    top of every site-packages, size, time and inode of each METADATA, RECORD and direct_url.json, and the
    content of what Python runs at every start. Egg-infos, leftovers and links are not enough. `ignore` is the
    canonical name of a distribution that each session installs again.
    """
    try:
        interpreter, sites = _layout(location.absolute())
        shown = [repr(interpreter), *listed(programs(location))]
        for site in sites:
            entries = {entry.name: entry for entry in _entries(site) if entry.name != "__pycache__"}
            for name in sorted(entries):
                path, suffix = entries[name].path, _suffix(name)
                if entries[name].is_symlink() or name[0] == "~" or suffix in _RECORDS - {".dist-info"}:
                    return ""
                if suffix != ".dist-info":
                    shown.append(name)
                elif not ignore or canonical_name(name.partition("-")[0]) != ignore:
                    shown += [name, *[_stamp(f"{path}/{file}") for file in _SHOWN]]
            shown += [
                f"{path} {sha256(read_bytes(path, follow=False)).hexdigest()}" for path in _startup(site)
            ]
    except (OSError, NoxEnvsError):
        return ""
    return sha256("\0".join(shown).encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(path: str) -> str:
    """Return size, time and inode of a file, empty if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116, hot
    except FileNotFoundError:
        return ""
    return f" {status.st_size} {status.st_mtime_ns} {status.st_ino}"
