"""Snapshots: what is installed in a venv, read from its files without starting an interpreter."""

from __future__ import annotations

import marshal
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

from nox_envs.errors import Invalid, NoxEnvsError
from nox_envs.files import digest, read_bytes, reason
from nox_envs.lock import pins
from nox_envs.spec.types import Pairs
from nox_envs.spec.words import canonical_name, is_name
from nox_envs.values import replace, value

# What creators of venvs put there.
SEEDS = frozenset({"pip", "setuptools", "wheel", "distribute"})

_SMALL = 1 << 16
_LARGE = 1 << 23

_LIBRARY = r"(?P<name>python|pypy|graalpy)(?P<minor>\d{1,3}\.\d{1,3})(?P<threads>t?)"
_VERSION = r"(?mi)^version(?:_info)?[ \t]*=[ \t]*(\d{1,3}\.\d{1,3}(?:\.\d{1,3}(?:(?:a|b|rc)\d{1,3})?)?)(?!\d)"
_IMPLEMENTATION = r"(?mi)^implementation[ \t]*=[ \t]*(\w+)"
# On Windows the library directory is always Lib.
_FREE_THREADED = r"(?i)\bpython\d+\.\d+t\b|freethreaded"
_INTERPRETER = r"(?:python|pypy|graalpy)[0-9.]*[tdw]*(?:\.exe)?"
_IMPORTED = r"""(?:import(?:__\(["']|_module\(["']|[ \t]+)|from[ \t]+)([\w.]+(?:[ \t]*,[ \t]*[\w.]+)*)"""
_CODE = (".py", ".pyc", ".so", ".pyd")
_RECORDS = (".dist-info", ".egg-info", ".egg-link")
_STAMP = attrgetter("st_size", "st_mtime_ns", "st_ino")

_Sites: TypeAlias = dict[str, list[os.DirEntry[str]]]


class NotAVenv(NoxEnvsError):
    """Stop because a directory is not a virtual environment, or only the beginning of one."""


@value
class Interpreter:
    """The interpreter of a venv.

    `version` is as complete as the venv tells (`3.12.1`), `implementation` as in `sys.implementation.name`.
    `facts` decide which Python runs: what each interpreter in `bin` is, and pyvenv.cfg, in sorted order;
    `state` tells whether that Python was replaced in place.
    """

    version: str
    implementation: str
    free_threaded: bool = False
    facts: Pairs = ()
    state: str = ""

    def __str__(self) -> str:
        implementation = self.implementation.removeprefix("cpython")
        return f"{implementation}{self.version}{'t' if self.free_threaded else ''}"


@value
class Distribution:
    """One installed distribution.

    `name` is canonical, `version` as the directory name gives it (empty for an egg-link), `path` the absolute
    `*.dist-info`, `*.egg-info` or `*.egg-link`, `source` what direct_url.json says (PEP 610), `defect` what
    is wrong with its metadata.
    """

    name: str
    version: str
    path: str
    source: pins.Source
    defect: str = ""


@value
class Snapshot:
    """What the venv at `location` has installed, sorted by name, version and path.

    `leftovers` are `~name` directories that an interrupted uninstall left; `startup` are the files that
    Python runs at every start, and the modules that `.pth` files import, each with its `file_digest`;
    `overrides` are files beside the interpreter that decide where it looks for modules. `sites` are the
    site-packages directories, `names` what is at the top of them, `programs` is the directory of the
    programs (empty: none).
    """

    location: str
    interpreter: Interpreter
    distributions: tuple[Distribution, ...] = ()
    leftovers: tuple[str, ...] = ()
    startup: Pairs = ()
    overrides: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    programs: str = ""


def take(location: Path) -> Snapshot:
    """List what the venv at `location` has installed, without following links.

    Name and version are those of the `*.dist-info` directory (PEP 376 and 427); METADATA is only read to see
    that it agrees. Raises NotAVenv, and NoxEnvsError if site-packages cannot be listed.
    """
    snapshot, sites, _ = _look(location.absolute())
    entries = [entry for site in sites.values() for entry in site if entry.name.lower().endswith(_RECORDS)]
    found = map(_distribution, entries)
    return replace(snapshot, distributions=tuple(sorted(found, key=attrgetter("name", "version", "path"))))


def evidence(location: Path) -> str:
    """Return a digest of what the venv at `location` shows, empty where that is not enough to go by.

    Shown are the interpreter, the names of all programs and of everything at the top of site-packages, size,
    time and inode of metadata, and the content of what Python runs at every start.
    """
    try:
        snapshot, sites, programs = _look(location.absolute())
        found = [status for site, entries in sites.items() for status in _metadata(site, entries)]
    except (OSError, NoxEnvsError):
        return ""
    odd = [found for _, found in snapshot.startup if not re.fullmatch("sha256:[0-9a-f]{64}", found)]
    lost = snapshot.interpreter.facts[:-1] and not snapshot.interpreter.state
    shown = repr((snapshot, programs)).encode() + marshal.dumps([*map(_STAMP, found)], 2)
    return "" if odd or lost or snapshot.leftovers else sha256(shown).hexdigest()


def _metadata(site: str, entries: list[os.DirEntry[str]]) -> list[os.stat_result]:
    """Return the status of each file that tells what is installed; raises OSError where they do not."""
    # A file is found faster from an open directory.
    at = os.open(site, os.O_RDONLY) if os.stat in os.supports_dir_fd else None
    try:
        files: list[str] = []
        for entry in entries:
            name = entry.path if at is None else entry.name
            if name.endswith(".dist-info") and not entry.is_symlink():
                files += (f"{name}/METADATA", f"{name}/RECORD")
                # Few have one, and an exception for each of the others takes longer.
                if os.access(f"{name}/direct_url.json", os.F_OK, dir_fd=at):
                    files.append(f"{name}/direct_url.json")
            elif entry.is_symlink() or name.lower().endswith(_RECORDS):
                raise OSError
        return [os.stat(file, dir_fd=at, follow_symlinks=False) for file in files]
    finally:
        if at is not None:
            os.close(at)


def _startup(sites: _Sites) -> Iterator[str]:
    """Yield the files that run at every start, and the modules that `.pth` files import."""
    for site, entries in sites.items():
        names = [entry.name for entry in entries]
        files = [name for name in names if name.endswith((".pth", *_CODE))]
        hooks = {name for name in files if name.endswith(".pth")}
        modules = {"sitecustomize", "usercustomize"}
        for name in [*hooks]:
            with suppress(OSError):
                text = read_bytes(f"{site}/{name}", _LARGE, follow=False).decode("utf-8", "replace")
                lists = re.findall(_IMPORTED, "\n".join(re.findall(r"(?m)^import[ \t].*", text)))
                modules |= {word.strip().partition(".")[0] for some in lists for word in some.split(",")}
        # Python takes a package before a module, and compiled ones without their source.
        hooks |= {name for name in files if name.partition(".")[0] in modules}
        for package in modules.intersection(names):
            inside = listed(os.path.join(site, package))
            hooks |= {
                os.path.join(package, name)
                for name in inside
                if name.startswith("__init__.") and name.endswith(_CODE)
            }
        yield from [os.path.join(site, file) for file in sorted(hooks)]


def file_digest(path: str) -> str:
    """Return what tells one content of a file from another: `sha256:…`, or `link:…` and its target."""
    if os.path.islink(path):  # noqa: PTH114, hot
        return f"link:{os.readlink(path)}"  # noqa: PTH115, hot
    return f"sha256:{digest(path, follow=False)}"


def record_digest(distribution: Distribution) -> str:
    """Return the sha256 of a distribution's RECORD, empty if there is none, else `unreadable`."""
    if os.path.islink(distribution.path):  # noqa: PTH114, hot
        return "unreadable"
    return digest(f"{distribution.path}{os.sep}RECORD", _LARGE, follow=False)


def _look(location: Path) -> tuple[Snapshot, _Sites, list[str]]:
    if os.path.islink(location):  # noqa: PTH114, hot
        raise NotAVenv(f"{location}: is not a virtual environment: it is a link")
    try:
        config = read_bytes(location / "pyvenv.cfg", _SMALL, follow=False)
    except OSError as error:
        raise NotAVenv(f"{location}: is not a virtual environment: pyvenv.cfg {unread(error)}") from None
    text = config.decode("utf-8", "replace")
    told, kind = re.search(_VERSION, text), re.search(_IMPLEMENTATION, text)
    version = told[1] if told else ""
    sites = _sites(location, ".".join(version.split(".")[:2]))
    folders = [os.path.join(location, name) for name in ("bin", "Scripts")]
    folder = next((one for one in folders if Path(one).is_dir() and not Path(one).is_symlink()), "")
    programs = listed(folder)
    library = re.fullmatch(_LIBRARY, Path(next(iter(sites))).parent.name)
    # uv and virtualenv record the implementation, in the words of platform.python_implementation().
    implementation = (kind[1] if kind else library["name"] if library else "cpython").lower()
    pythons = re.findall(rf"(?m)^{_INTERPRETER}$", "\n".join(programs))
    leads = [(name, _lead(os.path.join(folder, name))) for name in pythons]
    state = ""
    with suppress(OSError):  # the link may lead nowhere
        status = os.stat(os.path.join(folder, "python.exe" if "python.exe" in pythons else "python"))  # noqa: PTH116, hot
        state = f"{status.st_size} bytes, written at {int(status.st_mtime)}"  # archives keep whole seconds
    interpreter = Interpreter(
        version=version or (library["minor"] if library else ""),
        implementation={"python": "cpython", "graalvm": "graalpy"}.get(implementation, implementation),
        free_threaded=bool(library["threads"] if library else re.search(_FREE_THREADED, text)),
        facts=(*leads, ("pyvenv.cfg", f"a file with sha256 {sha256(config).hexdigest()[:16]}")),
        state=state,
    )
    entries = [entry for site in sites.values() for entry in site]
    leftovers = [one.path for one in entries if one.name[0] == "~" and one.is_dir(follow_symlinks=False)]
    overrides = [name for name in programs if name.endswith("._pth") or name == "pyvenv.cfg"]
    snapshot = Snapshot(
        location=str(location),
        interpreter=interpreter,
        leftovers=tuple(sorted(leftovers)),
        startup=tuple([(path, file_digest(path)) for path in _startup(sites)]),
        overrides=tuple([os.path.join(folder, name) for name in overrides]),
        sites=tuple(sites),
        names=tuple(sorted([entry.name for entry in entries if entry.name != "__pycache__"])),
        programs=folder,
    )
    return snapshot, sites, programs


def patch_level(location: Path, python: str | None) -> str:
    """Return the patch level (`7`, `0rc1`) of the `python` (`3.11`) in a venv, empty without that venv."""
    with suppress(NoxEnvsError, OSError):
        exact = str(_look(location)[0].interpreter).removesuffix("t")
        return exact.removeprefix(f"{python}.") if exact.startswith(f"{python}.") else ""
    return ""


def unread(error: OSError) -> str:
    """Return that a file is missing, is something else, or cannot be read, in words that follow its name."""
    if isinstance(error, FileNotFoundError):
        return "is missing"
    what = reason(error)
    return what if what.startswith("is ") else f"cannot be read: {what}"


def _sites(location: Path, minor: str) -> _Sites:
    """Return the entries of the site-packages of a version, purelib first; raises NotAVenv."""
    parents = [one for one in ("lib", "lib64") if one == "lib" or not os.path.islink(location / one)]  # noqa: PTH114
    names = [f"{parent}/{name}" for parent in parents for name in listed(f"{location}/{parent}")]
    libraries = [name for name in names if re.fullmatch(f"lib(64)?/{_LIBRARY}", name)]
    # An upgrade in place leaves the directory of the older interpreter behind.
    current = [name for name in libraries if re.search(rf"[a-z]{minor}t?$", name)] or libraries or ["Lib"]
    root = os.path.join(os.path.realpath(location), "")
    found: dict[str, str] = {}  # `lib64` may be a link to `lib`
    for name in current:
        path = f"{location}{os.sep}{name}{os.sep}site-packages"
        if os.path.lexists(path):
            found.setdefault(os.path.realpath(path), path)
    if not found:
        raise NotAVenv(f"{location}: is not a virtual environment: it has no site-packages directory")
    # A repair would remove and install in a place that is not the venv's.
    if outside := [path for real, path in found.items() if not real.startswith(root)]:
        raise NotAVenv(f"{location}: is not a virtual environment of its own: {outside[0]} leads out of it")
    try:
        return {path: list(os.scandir(path)) for path in found.values()}
    except OSError as error:
        raise NoxEnvsError(f"{error.filename}: cannot be listed: {reason(error)}") from None


def listed(folder: str | Path) -> list[str]:
    """Return the sorted names in a folder, none if it cannot be listed."""
    try:
        return sorted(os.listdir(folder)) if folder else []
    except OSError:
        return []


def _lead(path: str) -> str:
    if not os.path.islink(path):  # noqa: PTH114, hot
        return f"a file of {os.stat(path).st_size} bytes"  # noqa: PTH116, hot
    link = os.readlink(path)  # noqa: PTH115, hot
    if os.sep not in link:  # to another program in the folder, which tells where it leads
        return _shown(f"a link to {link}")
    real = os.path.realpath(path)
    target = os.path.basename(real) if os.path.exists(real) else "nowhere"  # noqa: PTH110, PTH119, hot
    return _shown(f"a link to {link} ({target})")


def _distribution(entry: os.DirEntry[str]) -> Distribution:
    stem, _, kind = entry.name.rpartition(".")
    kind, path = kind.lower(), entry.path
    name, _, version = stem.partition("-")
    version = version.partition("-py")[0]  # a tag of egg-infos
    source, defects = pins.INDEX, list[str]()
    if entry.is_symlink():
        defects.append(f"its {kind} is a link")
    elif kind == "egg-link":
        name, version = stem, ""
        if folders := linked(path):
            source = pins.source_of_path(os.path.join(*folders), entry.path, editable=True)
        else:
            defects.append("it does not name a folder")
    else:
        version = _agreed(name, version, path, defects)
        try:
            data = read_bytes(f"{path}{os.sep}direct_url.json", _SMALL, follow=False)
            source = pins.parse_direct_url(data.decode("utf-8", "replace"))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, Invalid) as error:
            why = unread(error) if isinstance(error, OSError) else _shown(error.message)
            defects.append(f"direct_url.json {why}")
    name = canonical_name(name)
    if not is_name(name):
        defects.append("its name is not the name of a package")
    if version and not pins.normal_version(version):
        defects.append(f"{_shown(version)} is not a version (PEP 440)")
    shown, defect = _shown(version), "; ".join(defects)
    return Distribution(name=_shown(name), version=shown, path=path, source=source, defect=defect)


def linked(path: str) -> list[str]:
    """Return what an egg-link names: the folder of the modules and, from there, that of the project."""
    with suppress(OSError):
        text = read_bytes(path, _SMALL, follow=False).decode("utf-8", "replace")
        return [line.strip() for line in text.split("\n") if line.strip()][:2]
    return []


def _agreed(name: str, version: str, path: str, defects: list[str]) -> str:
    """Return the version of a distribution, after a look whether its metadata file agrees."""
    file = "METADATA" if path.lower().endswith(".dist-info") else "PKG-INFO"
    try:
        head = read_headers(path)
    except OSError as error:
        defects.append(f"{file} {unread(error)}")
        return version
    named, numbered = (re.search(rf"(?mi)^{key}[ \t]*:[ \t]*(.*\S)", head) for key in ("Name", "Version"))
    if not named or not numbered:
        defects.append(f"{file} gives no {'version' if named else 'name'}")
        return version
    other, told = named[1], numbered[1]
    if name != other and canonical_name(name) != canonical_name(other):
        defects.append(f"{file} says the name is {_shown(other)}")
    # Equal both ways: a local version satisfies a public one.
    if version and not (pins.versions_equal(version, told) and pins.versions_equal(told, version)):
        defects.append(f"{file} says the version is {_shown(told)}")
    return version or told


def read_headers(path: str) -> str:
    """Return the metadata in a `*.dist-info` or `*.egg-info`, without the description; raises OSError."""
    file = f"{path}{os.sep}METADATA"
    if path.lower().endswith(".egg-info"):  # a folder, or the metadata itself
        file = os.path.join(path, "PKG-INFO") if Path(path).is_dir() else path
    head = read_bytes(file, _LARGE, follow=False).partition(b"\n\n")[0]
    return head.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")


def _shown(text: str) -> str:
    return text if len(text) <= 200 and text.isprintable() else re.sub(r"[^ -~]", "?", text[:200])


def freeze_lines(snapshot: Snapshot, *, without: Collection[str] = ()) -> list[str]:
    """Return a line for each distribution, as pip freeze; what is not a requirement becomes a comment.

    `without` are canonical names to leave out.
    """
    lines: list[str] = []
    for one in snapshot.distributions:
        line = f"# {one.name} {one.version} ({one.defect})"
        if is_name(one.name) and one.source.kind != "index":
            line = f"{'-e' if one.source.editable else f'{one.name} @'} {pins.direct_reference(one.source)}"
        elif is_name(one.name) and (version := pins.normal_version(one.version)):
            line = f"{one.name}=={version}"
        lines += [line] if one.name not in without else []
    return lines
