"""Pins, their sources, and where their markers hold: what "the same package" means."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from nox_envs.errors import Invalid, NoxEnvsError
from nox_envs.files import parse_json
from nox_envs.spec.types import Pairs
from nox_envs.spec.words import ARCHIVE, MACHINES, parse_platform, parse_python
from nox_envs.terminal import redact
from nox_envs.values import value

Difference: TypeAlias = Literal["", "source", "artifact", "unverifiable"]
Variables: TypeAlias = Mapping[str, str]

# Nearly all versions are plain releases in their normal form, for which packaging is not imported.
_PLAIN_VERSION = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.(?:0|[1-9][0-9]{0,17}))*")
# sys.implementation.name to platform.python_implementation().
IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}
# sys_platform to platform_system and os_name.
_SYSTEMS = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}


@value
class Source:
    """Where a distribution came from, or is to come from (PEP 610, PEP 440 direct references).

    `url` carries no credentials; for local sources it is a `file:` URL (in a lock: a relative path), for
    `vcs` it begins with the tool (`git+https://…`). `revision` is a commit, declared also a branch or tag;
    `hashes` look like `sha256:…` and belong to an `archive`.
    """

    kind: Literal["index", "archive", "vcs", "directory"]
    url: str = ""
    revision: str = ""
    subdirectory: str = ""
    editable: bool = False
    hashes: tuple[str, ...] = ()


INDEX = Source(kind="index")


@value
class Pin:
    """One pinned package of a lock.

    `name` is canonical; `version` is empty for a direct reference whose version is not recorded; `marker` is
    as packaging prints it (empty: always); `via` names who asks for it (packages by canonical name, sets and
    files as written); `line` counts from 1 in the file `origin`.
    """

    name: str
    version: str
    source: Source = INDEX
    extras: tuple[str, ...] = ()
    marker: str = ""
    hashes: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    line: int = 0
    origin: str = ""

    @property
    def place(self) -> str:
        """Return where it is, as `file:line`."""
        return f"{self.origin}:{self.line}"


def source_of_url(url: str, *, editable: bool = False) -> Source:
    """Return the source that a direct reference names (PEP 440, PEP 508; pip's VCS URLs).

    `url` is what follows the `@` of a requirement, or a local path as a lock holds it, relative to the spec.
    """
    body, _, fragment = redact(url.strip()).partition("#")
    parts = dict(part.partition("=")[::2] for part in fragment.split("&"))
    subdirectory = parts.get("subdirectory", "").replace("%20", " ").strip("/")
    if re.match(r"(?i)(?:git|hg|svn|bzr)\+", body):
        body = body.rstrip("@")
        path = body.find("/", body.find("://") + 3)  # an `@` before the path belongs to the host
        url, _, revision = body.rpartition("@") if path > 0 and "@" in body[path:] else (body, "", "")
        return Source(kind="vcs", url=url, revision=revision, subdirectory=subdirectory)
    body = _normal_file_url(body)
    if body.startswith(("file:", ".", "/")) and (editable or not re.search(f"(?i){ARCHIVE}$", body)):
        return Source(kind="directory", url=body, subdirectory=subdirectory, editable=editable)
    return Source(kind="archive", url=body, subdirectory=subdirectory, hashes=_hashes(parts))


def source_of_path(path: str, root: str, *, editable: bool = False) -> Source:
    """Return the source that a declared local path names, relative to the directory `root`."""
    whole = Path(os.path.normpath(os.path.join(root, path))).absolute()
    return source_of_url(whole.as_uri(), editable=editable)


def _normal_file_url(url: str) -> str:
    """Return the `file:` URL of an absolute path in its one spelling, any other URL unchanged."""
    match = re.fullmatch(r"(?i)file:(?://(?:localhost)?(?=/))?(?P<path>/(?!/).*)?", url)
    return f"file://{match['path'].rstrip('/') or '/'}" if match and match["path"] else url


def _hashes(parts: Mapping[str, str]) -> tuple[str, ...]:
    found = {f"{name}:{digest}".lower() for name, digest in parts.items()}
    return tuple(sorted(one for one in found if re.fullmatch(r"(?:md5|sha(?:1|224|256|384|512)):\w+", one)))


def parse_direct_url(text: str) -> Source:
    """Return the source that a direct_url.json records (PEP 610); raises Invalid for any other text."""
    # Most distributions have no direct_url.json.
    from packaging.direct_url import DirectUrl, DirectUrlValidationError

    contents = parse_json(text)
    try:
        record = DirectUrl.from_dict(contents)
    except (DirectUrlValidationError, ValueError) as error:
        raise Invalid(f"is not a direct_url.json: {error}") from None
    vcs, archive, directory = record.vcs_info, record.archive_info, record.dir_info
    # Behind a space, a reader of `freeze` looks for an option.
    url = redact(record.url.replace(" ", "%20"))
    url, _, fragment = url.partition("#") if archive else (url, "", "")  # uv keeps the hash there
    source = Source(
        kind="vcs" if vcs else "archive" if archive else "directory",
        url=f"{vcs.vcs}+{url}" if vcs else _normal_file_url(url),
        revision=vcs.commit_id.replace(" ", "%20") if vcs else "",
        subdirectory=(record.subdirectory or "").replace("%20", " ").strip("/"),
        editable=bool(directory and directory.editable),
        hashes=_hashes(archive.hashes or dict([fragment.partition("=")[::2]])) if archive else (),
    )
    if "%00" in url or not direct_reference(source).isprintable():
        raise Invalid("has a text that cannot be printed")
    return source


def direct_reference(source: Source) -> str:
    """Return a source as pip freeze prints it after `name @`, empty for an index."""
    revision = f"@{source.revision}" if source.revision else ""
    # Several hashes name one artifact; one is enough, and everything reads sha256.
    best = sorted(source.hashes, key=lambda item: not item.startswith("sha256:"))[:1]
    parts = [item.replace(":", "=", 1) for item in best]
    parts += [f"subdirectory={source.subdirectory.replace(' ', '%20')}"] if source.subdirectory else []
    return "#".join(filter(None, (f"{source.url}{revision}", "&".join(parts))))


def local_path(url: str) -> str:
    """Return the path that a `file:` URL means on this machine."""
    from urllib.parse import unquote  # only for locks with direct references

    path = unquote(_normal_file_url(url).removeprefix("file://"))
    if os.name == "nt":  # pragma: no cover
        path = path.removeprefix("/") if path.startswith("/") else f"//{path}"
    return os.path.normpath(path)


def differs(expected: Source, actual: Source) -> Difference:
    """Return how an installed source differs from a declared one, empty if it is the same.

    `artifact`: an archive whose recorded hash is another. `unverifiable`: an archive without a hash, or a
    branch, whose commit is not known here. `source`: anything else.
    """
    if (expected.kind, expected.subdirectory) != (actual.kind, actual.subdirectory):
        return "source"
    if expected.kind == "index":
        return ""
    if expected.kind == "vcs":
        wanted, commit = expected.revision.lower(), actual.revision.lower()
        abbreviated = re.fullmatch("[0-9a-f]{7,64}", wanted) is not None
        met = wanted == commit or (abbreviated and commit.startswith(wanted))
        other = abbreviated and len(wanted) >= 40 and not met
        elsewhere = _repository(expected.url) != _repository(actual.url)
        return "source" if elsewhere or other else "" if met else "unverifiable"
    same = _place(expected.url) == _place(actual.url)
    if expected.kind == "directory":
        return "" if same and expected.editable == actual.editable else "source"
    if {*expected.hashes} & {*actual.hashes}:
        return ""
    recorded = tuple([item.partition(":")[0] for item in actual.hashes])
    unlike = recorded and any(item.startswith(recorded) for item in expected.hashes)
    return "source" if not same else "artifact" if unlike else "unverifiable"


def _repository(url: str) -> tuple[str, ...]:
    """Return what tells the URL of a repository from others: the tool, the host and the path."""
    tool, _, rest = url.partition("+")
    host, _, path = rest.partition("://")[2].partition("/")
    return tool.lower(), host.rpartition("@")[2].lower(), path.strip("/").removesuffix(".git").rstrip("/")


def _place(url: str) -> str:
    if not url.startswith("file:"):
        return re.sub(r"://[^/?#]*@", "://", url)
    try:
        return os.path.normcase(os.path.realpath(local_path(url)))
    except (OSError, ValueError):  # a null byte, a loop of links
        return url


@cache
def normal_version(text: str) -> str:
    """Return the normal form of a version (PEP 440), empty for any other text."""
    if _PLAIN_VERSION.fullmatch(text):
        return text
    from packaging.version import Version

    try:
        return str(Version(text))
    except ValueError:  # also for more digits than int() takes
        return ""


def versions_equal(expected: str, actual: str) -> bool:
    """Return whether an installed version satisfies `==expected` (PEP 440); other texts must be the same."""
    return expected == actual or satisfies(f"=={expected}", actual)


@cache
def satisfies(specifier: str, version: str) -> bool:
    """Return whether a version meets a specifier, prereleases included (PEP 440)."""
    if not specifier:
        return True
    from packaging.specifiers import SpecifierSet  # many locks need it for nothing

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except ValueError:
        return False


def host_markers() -> Variables:
    """Return the marker variables of the running interpreter (PEP 508); `Markers` knows the others."""
    if hasattr(os, "uname"):
        machine = os.uname().machine
    else:  # pragma: no cover
        import platform  # it takes longer to import than all of this

        machine = platform.machine()
    host = {"platform_machine": machine, "sys_platform": sys.platform}
    return interpreter_markers(host, version=sys.version.split()[0], implementation=sys.implementation.name)


def interpreter_markers(host: Variables, *, version: str, implementation: str) -> Variables:
    """Return the marker variables of an interpreter, named as in sys.implementation, on a machine."""
    return {
        **host,
        "python_version": ".".join(version.split(".")[:2]),
        "python_full_version": version,
        "implementation_name": implementation,
        # An implementation version other than CPython's is recorded nowhere.
        "implementation_version": version,
        "platform_python_implementation": IMPLEMENTATIONS.get(implementation, implementation),
    }


class Markers:
    """Markers in one environment: each is evaluated once, an empty one always holds."""

    def __init__(self, variables: Variables) -> None:
        self._variables = {"extra": "", **variables}
        self._known: dict[str, bool] = {"": True}

    def hold(self, marker: str) -> bool:
        """Return whether a marker is true; raises NoxEnvsError if it cannot be evaluated."""
        if marker in self._known:
            return self._known[marker]
        from packaging.markers import Marker  # many locks have no marker

        try:
            known = self._known[marker] = Marker(marker).evaluate(self._variables)
        except (ValueError, KeyError, RecursionError) as error:
            why = str(error)[:200]
            raise NoxEnvsError(f"the marker {marker[:200]!r} cannot be evaluated: {why}") from None
        return known


@cache
def declared_markers(
    python: str | None, platform: str, host: Pairs, requires_python: str, patches: tuple[int | str, ...]
) -> tuple[Markers, ...]:
    """Return where a declared point can be: at each of some patch levels, on usual machines.

    `python` None is the interpreter of `host`, an empty `platform` its platform; a name without a version has
    that of `requires_python` (`3.10`).
    """
    known = dict(host)
    interpreters: list[Variables] = [known]
    if python is not None:
        declared = parse_python(python)
        minor = declared.minor or requires_python
        interpreters = [
            interpreter_markers(known, version=f"{minor}.{patch}", implementation=declared.implementation)
            for patch in declared.version[2:] or patches
        ]
    systems: list[Variables] = [{}]
    if platform:
        name, named = parse_platform(platform)
        system, os_name = _SYSTEMS[name]
        variables = {"sys_platform": name, "platform_system": system, "os_name": os_name}
        usual = (named,) if named else MACHINES[name]
        systems = [{**variables, "platform_machine": machine} for machine in usual]
    return tuple([Markers({**one, **other}) for one in interpreters for other in systems])


def patch_levels(markers: Iterable[str]) -> tuple[int, ...]:
    """Return the patch levels of Python that can decide markers; no Python has 99."""
    named = re.findall(r"_version\b[^\"']*[\"']\d\.\d{1,3}\.(\d{1,3})", " ".join({*markers}))
    return tuple(sorted({0, 99, *(max(0, int(patch) + step) for patch in named for step in (-1, 0, 1))}))
