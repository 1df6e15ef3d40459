"""Owns the reading of locks that others made: files of pip's format, what they include, to one Lock.

Options in such files are passed over and named; it never prints their values, and writes nothing.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nox_envs.errors import FileProblems, Place, Problem
from nox_envs.lockfile.merging import requirement_key, requirement_text
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock
from nox_envs.pins import INDEX, Pin, Source, canonical_name, redact, source_of_path, source_of_url
from nox_envs.requirements import Declared
from nox_envs.requirements.from_files import RequirementFiles
from nox_envs.requirements.gathered import Gathered
from nox_envs.values import replace, value

_HEAD = 4000
_HALF = 32
# What compilers write above the pins, and what stands in files that people keep by hand.
_OPTION = re.compile(
    r"(?P<name>-i|-f|--(?:index-url|pypi-url|extra-index-url|no-index|find-links|no-binary|only-binary"
    r"|prefer-binary|pre|trusted-host|use-feature))(?=$|[\s=]|(?<=^-[if])\S)"
)
_LONG = {"-i": "--index-url", "-f": "--find-links"}
_EXACT = re.compile(r"===?\s*(?P<version>[^\s,*]+)")
_VIA = re.compile(r"#\s*via(?:\s+(?P<asker>\S.*))?")
_ASKER = re.compile(r"#\s+(?P<asker>\S.*)")
_COMMAND = re.compile(r"^#[^\n]*(?:command|run)[^\n]*:[ ]*\n(?:#[ ]*\n)*#[ ]{2,}(\S[^\n]*)$", re.MULTILINE)


@value
class UnusedOption:
    """Name an option of a file that is not used; `secret` tells that its value holds credentials."""

    name: str
    place: Place
    secret: bool = False


@value
class ForeignLock:
    """Hold a lock that others made, in one file or several that are installed together.

    `lock` has the pins of all of them, each with the file that it stands in. `limits` are the
    constraints in them that are no pins. `command` is what regenerates the first file, by its own
    header (empty: unknown). `digest` is `sha256:…` over every file that was read.
    """

    lock: Lock
    limits: tuple[Declared, ...]
    options: tuple[UnusedOption, ...]
    command: str
    digest: str


def read_foreign(
    root: Path, files: tuple[str, ...], *, environ: Mapping[str, str], limiting: bool
) -> ForeignLock:
    """Read locks that others made, and the files that they include.

    Args:
        root: the spec's directory.
        files: POSIX paths relative to it.
        environ: values for `${VARIABLE}`.
        limiting: the lock is used as constraints, so a pin behind a `-c` inside is a pin of it.

    Raises:
        FileProblems: every line that is no pin, and every file that cannot be read.
    """
    seen = _Seen()
    requirements = RequirementFiles(root, environ, prepare=seen.prepare)
    gathered = [_gather(requirements, path) for path in files]
    pins: list[Pin] = []
    limits: list[Declared] = []
    problems = [problem for part in gathered for problem in part.problems]
    for part in gathered:
        for declared in part.requirements:
            pin = _pin(declared, seen)
            if isinstance(pin, Pin):
                pins.append(pin)
            else:
                problems.append(pin)
        for declared in part.constraints:
            limit = _pin(declared, seen) if limiting else None
            if isinstance(limit, Pin):
                pins.append(limit)
            else:
                limits.append(declared)
    if problems:
        raise FileProblems(tuple(dict.fromkeys(problems)))
    return ForeignLock(
        lock=Lock(origin=files[0], header=None, pins=_merged(pins)),
        limits=tuple(limits),
        options=tuple(seen.options),
        command=_command(seen.texts.get(posixpath.normpath(files[0]), "")),
        digest="sha256:" + _sha256(sorted(seen.texts.items())),
    )


def installed_digest(plan: LockPlan, foreign: ForeignLock) -> str:
    """Return `sha256:…` over what a venv under a lock of others was installed from.

    Where the lock limits requirements, the second half stands for the requirements alone.
    """
    if not plan.limiting:
        return foreign.digest
    asked = sorted(requirement_key(one) for one in (*plan.requirements, *plan.constraints))
    whole = _sha256([asked, plan.dynamic_extras, plan.metadata, plan.related])
    return f"sha256:{_sha256([foreign.digest, whole])[:_HALF]}{whole[:_HALF]}"


def asks_otherwise(before: str, now: str) -> bool:
    """Tell whether the requirements under a lock of others differ between two installed digests."""
    return before[-_HALF:] != now[-_HALF:]


def _sha256(meaning: object) -> str:
    return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()


def _gather(requirements: RequirementFiles, path: str) -> Gathered:
    asked = Place(origin=path)
    if path.endswith(".toml"):
        message = "is no requirements file; of the locks that others made only those are read"
        return Gathered(problems=(Problem(place=asked, message=message),))
    return requirements.gather(path, constraint=False, asked=asked)


class _Seen:
    """Keep what a reader of requirements leaves aside in the files that it opens."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.options: list[UnusedOption] = []
        self._via: dict[str, dict[int, tuple[str, ...]]] = {}

    def prepare(self, text: str, origin: str) -> str:
        """Return a text with the lines of options empty, so that the numbers of the others stay."""
        self.texts[origin] = text
        lines = text.splitlines()
        before = blanked = False  # whether the line above goes on here, and was taken away
        for at, line in enumerate(lines):
            option = None if before else _OPTION.match(line)
            if option is not None:
                self._note(option["name"], Place(origin=origin, line=at + 1), lines[at:])
            blanked = option is not None or (before and blanked)
            before = line.endswith("\\") and not line.lstrip().startswith("#")
            if blanked:
                lines[at] = ""
        return "\n".join(lines)

    def _note(self, name: str, place: Place, lines: list[str]) -> None:
        whole = _logical(lines)
        secret = redact(whole) != whole
        self.options.append(UnusedOption(name=_LONG.get(name, name), place=place, secret=secret))

    def via(self, place: Place) -> tuple[str, ...]:
        """Return who asks for the pin at a place, as the annotation below it says."""
        if place.origin not in self._via:
            self._via[place.origin] = dict(_annotations(self.texts.get(place.origin, "")))
        return self._via[place.origin].get(place.line, ())


def _logical(lines: Iterable[str]) -> str:
    parts: list[str] = []
    for line in lines:
        parts.append(line.rstrip("\\"))
        if not line.endswith("\\"):
            break
    return " ".join(parts)


def _annotations(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number of each line that has a `# via` behind or below it, and what that names."""
    number = 0
    via: list[str] = []
    listed = False
    for at, line in enumerate(text.splitlines(), start=1):
        content = line.strip()
        if line[:1] not in ("", " ", "\t", "#"):
            if via:
                yield number, tuple(via)
            number, via, listed = at, [], False
            content = content.partition(" #")[2] and "#" + content.partition(" #")[2]
        found = _VIA.match(content)
        if found is not None:
            listed = True
            via += _askers(found["asker"] or "")
        elif listed and line[:1] in (" ", "\t") and (entry := _ASKER.match(content)):
            via += _askers(entry["asker"])
    if via:
        yield number, tuple(via)


def _askers(text: str) -> list[str]:
    names = (name.strip() for name in text.split(","))
    return [canonical_name(name) if re.fullmatch(r"[\w.-]+", name) else name for name in names if name]


def _pin(declared: Declared, seen: _Seen) -> Pin | Problem:
    """Return what a line pins, or what keeps it from being a pin."""
    exact = _EXACT.fullmatch(declared.specifier)
    if not declared.name:
        message = f"{redact(requirement_text(declared))} does not tell the name of its package"
        return Problem(place=declared.place, message=message, hint="write name @ URL")
    if exact is None and not declared.url and not declared.path:
        message = f"{requirement_text(declared)!r} is no pin"
        hint = "a lock says name==version; what is open belongs into requirements or constraints"
        return Problem(place=declared.place, message=message, hint=hint)
    return Pin(
        name=declared.name,
        version=exact["version"] if exact else "",
        source=_source(declared),
        extras=declared.extras,
        marker=declared.marker,
        hashes=declared.hashes,
        via=seen.via(declared.place),
        line=declared.place.line,
        origin=declared.place.origin,
    )


def _source(declared: Declared) -> Source:
    if declared.path:
        kind = source_of_path(declared.path, "/", editable=declared.editable).kind
        return Source(kind=kind, url=declared.path, editable=declared.editable)
    return source_of_url(declared.url, editable=declared.editable) if declared.url else INDEX


def _merged(pins: list[Pin]) -> tuple[Pin, ...]:
    """Join the lines that pin the same; what differs between them is left to the check."""
    joined: dict[tuple[str, str, Source], Pin] = {}
    for pin in pins:
        known = joined.setdefault((pin.name, pin.version, pin.source), pin)
        if known is not pin:
            joined[pin.name, pin.version, pin.source] = replace(
                known,
                marker=_either(known.marker, pin.marker),
                extras=tuple(sorted({*known.extras, *pin.extras})),
                hashes=tuple(sorted({*known.hashes, *pin.hashes})),
                via=tuple(dict.fromkeys((*known.via, *pin.via))),
            )
    return tuple(joined.values())


def _either(one: str, other: str) -> str:
    if not one or not other or one == other:
        return one and other
    return f"({one}) or ({other})"


def _command(text: str) -> str:
    """Return the command that the header of a compiled file gives for making it again."""
    match = _COMMAND.search(text[:_HEAD])
    return redact(match[1].strip()) if match else ""
