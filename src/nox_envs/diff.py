"""The verb `diff`: what changed between two locks, folders of locks, or git revisions."""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.files import LIMIT, read_text
from nox_envs.lock.pins import Pin, direct_reference, normal_version
from nox_envs.lock.text import Lock, parse_lock, read_header
from nox_envs.processes import run
from nox_envs.report.json import json_text
from nox_envs.report.markdown import code, fitting, words
from nox_envs.report.report import counted, several
from nox_envs.report.text import fold, shortened
from nox_envs.terminal import paint, printable
from nox_envs.values import contents, replace, value
from nox_envs.venv.snapshot import listed

if TYPE_CHECKING:
    from nox_envs.project import Project

ChangeKind: TypeAlias = Literal["major", "added", "removed", "minor", "patch", "other"]
DiffFormat: TypeAlias = Literal["text", "json", "markdown"]

# What a reviewer looks at first comes first.
CHANGE_KINDS: tuple[ChangeKind, ...] = ("major", "added", "removed", "minor", "patch", "other")
SCHEMA = 2
_NOTHING = Pin(name="", version="")
_NO_LOCK = Lock(origin="", header=(), pins=())
_COLOURS = dict(zip(CHANGE_KINDS, ("error", "clean", "warning", "note", "dim", "fix"), strict=True))
# A repository that somebody else made starts no program, and nothing is fetched for it.
_GIT = ("git", "--no-replace-objects", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_OFFLINE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


@value
class Change:
    """One difference: `old` and `new` (empty: not there), and in `note` what the versions do not tell."""

    package: str
    kind: ChangeKind
    old: str
    new: str
    note: str
    environments: tuple[str, ...] = ()
    via: tuple[str, ...] = ()


@value
class Diff:
    """The changes between two sides, and the environments that both have or only one (added, removed)."""

    changes: tuple[Change, ...]
    compared: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    old: str = ""
    new: str = ""

    @property
    def different(self) -> bool:
        """Return whether anything differs."""
        return bool(self.changes or self.added or self.removed)


def diff(here: Path, old: str, new: str | None, *, project: Project | None, env: Mapping[str, str]) -> Diff:
    """Compare two sides: locks, folders of locks, git revisions of either. Raises NoxEnvsError.

    Paths, those of a revision too, are relative to the absolute directory `here`. Without `new`, a revision
    is compared with the working tree. `env` are the variables that git runs with.
    """
    if new is None:
        _, colon, new = old.partition(":")
        if not colon:
            other = f"main:{old} {old}" if (here / old).exists() else f"{old}:"
            raise NoxEnvsError(f"{old!r} alone is nothing to compare; write: nox-envs diff {other}")
    sides = _Sides(here, project, env)
    before, after = sides.read(old), sides.read(new)
    if not before and not after:
        raise NoxEnvsError(f"neither {old} nor {new or 'the working tree'} holds a lock")
    found = compare(before, after)
    return replace(found, old=old, new=new or "the working tree")


class _Sides:
    """What the words on the command line name."""

    def __init__(self, here: Path, project: Project | None, environ: Mapping[str, str]) -> None:
        self._here = here
        self._root = project.root if project else here
        self._project = project
        self._environ = environ

    def read(self, text: str) -> dict[str, Lock]:
        """Return what a side holds, by name; an empty text stands for the locks of the working tree."""
        path = self._here / text
        revision, colon, inside = text.partition(":")
        if text and os.path.exists(path / "pyvenv.cfg"):  # noqa: PTH110, Path's own may raise
            raise NoxEnvsError("a venv is compared with its lock by: nox-envs drift")
        if not text or os.path.isdir(path):  # noqa: PTH112
            root, folders = (self._here, [text]) if text else (self._root, self._folders())
            names = [posixpath.join(folder, name) for folder in folders for name in listed(root / folder)]
            files = [name for name in names if name.endswith(".txt") and (root / name).is_file()]
            return self._locks({name: read_text(root / name, shown=name) for name in files})
        if os.path.exists(path):  # noqa: PTH110
            return self._locks({text: read_text(path, shown=text)})
        if colon and not re.match(r"[A-Za-z]:[\\/]", text):
            return self._locks(self._committed(revision, inside), f"{revision}:")
        hint = "a git revision ends with a colon, as in main:"
        raise NoxEnvsError(f"there is no file or folder {text!r} ({hint})")

    def _folders(self) -> list[str]:
        if self._project is None:
            raise NoxEnvsError("no spec says where the locks are; name them, as in main:requirements")
        return sorted({posixpath.dirname(file) for plan in self._project.plans for file in plan.files})

    def _committed(self, revision: str, path: str) -> dict[str, str]:
        """Return the locks at a path of a revision, without a path those in the folders of the spec's."""
        if not revision or revision.startswith("-") or not f"{revision}{path}".isprintable():
            raise NoxEnvsError(f"{revision!r} is not a revision; the last commit is HEAD:{path}")
        folder, path = (self._here, posixpath.normpath(path)) if path else (self._root, "")
        wanted = [path, f"{path}/"] if path else [f"./{one}/" for one in self._folders()]
        rows = self._git(folder, "ls-tree", "-z", "-l", "--", revision, *wanted).split("\0")[:-1]
        if path and not rows:
            raise NoxEnvsError(f"{revision} has no {path!r}; it is relative to {folder}")
        # A row is the mode, the type, the id and the size of an object, and its name behind a tab.
        entries = [(name, about.split()) for about, _, name in (row.partition("\t") for row in rows)]
        files = {name: about for name, about in entries if about[0].startswith("100")}
        files = {name: about for name, about in files.items() if name.endswith(".txt") or name == path}
        if sum(int(about[3]) for about in files.values() if about[3].isdecimal()) > LIMIT:
            raise NoxEnvsError(f"{revision}:{path}: the locks are larger than {LIMIT >> 20} MiB")
        # No file can hold the line between two of them, which is a new one each time.
        line = os.urandom(16).hex()
        oids = "".join([f"{about[2]}\n" for about in files.values()])
        texts = self._git(folder, "cat-file", f"--batch={line}", stdin=oids).split(f"{line}\n")[1:]
        if len(texts) != len(files):
            raise NoxEnvsError(f"{revision}:{path}: a lock is not in this clone; run: git fetch --refetch")
        return {name: text[:-1].removeprefix("\ufeff") for name, text in zip(files, texts, strict=True)}

    def _git(self, folder: Path, *arguments: str, stdin: str = "") -> str:
        done = run((*_GIT, *arguments), cwd=folder, env={**self._environ, **_OFFLINE}, stdin=stdin)
        if done.returncode:
            hint = "git log --all --oneline lists what this clone has; git fetch brings the rest"
            raise NoxEnvsError(f"git: {done.stderr.strip().removeprefix('fatal: ')} ({hint})")
        return done.stdout

    def _locks(self, texts: dict[str, str], prefix: str = "") -> dict[str, Lock]:
        folders = {posixpath.dirname(path) for path in texts}
        locks: dict[str, Lock] = {}
        for path, text in texts.items():
            try:
                lock = parse_lock(text, f"{prefix}{path}")
            except FileProblems:
                if len(texts) == 1 or read_header(text):
                    raise
                continue  # there are other text files in folders
            name = path.removesuffix(".txt")
            if lock.pins or lock.header:
                locks[posixpath.basename(name) if len(folders) == 1 else name] = lock
        return locks


def compare(old: Mapping[str, Lock], new: Mapping[str, Lock]) -> Diff:
    """Compare the locks of one name on two sides; where each side has only one, whatever their names."""
    if len(old) == len(new) == 1:
        old = dict(zip(new, old.values(), strict=True))
    environments = {
        name: dict(lock.header).get("environment", name).split(", ") for name, lock in {**old, **new}.items()
    }

    def of(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted({environment for name in names for environment in environments[name]}))

    found: dict[Change, tuple[set[str], set[str]]] = {}
    for name in environments:
        for before, after in _steps(old.get(name, _NO_LOCK).pins, new.get(name, _NO_LOCK).pins):
            if change := _change(before, after):
                names, via = found.setdefault(change, (set(), set()))
                names.add(name)
                via.update(after.via if after.name else before.via)
    changes = [
        replace(change, environments=of(names), via=tuple(sorted(via)))
        for change, (names, via) in found.items()
    ]
    changes.sort(key=lambda one: (one.package, CHANGE_KINDS.index(one.kind), one.old, one.new, one.note))
    there, here = old.keys(), new.keys()
    both, added, removed = of(there & here), of(here - there), of(there - here)
    return Diff(changes=tuple(changes), compared=both, added=added, removed=removed)


def _steps(old: tuple[Pin, ...], new: tuple[Pin, ...]) -> Iterator[tuple[Pin, Pin]]:
    """Yield the pins of each package before and after: those of one marker, then the others in order."""
    order = attrgetter("version", "marker")
    groups: dict[tuple[str, str], tuple[list[Pin], list[Pin]]] = {}
    for side, pins in enumerate((old, new)):
        for pin in sorted(pins, key=order):
            groups.setdefault((pin.name, pin.marker), ([], []))[side].append(pin)
    rest: dict[str, tuple[list[Pin], list[Pin]]] = {}
    for (name, _), (before, after) in groups.items():
        yield from zip(before, after, strict=False)
        left, right = rest.setdefault(name, ([], []))
        left += before[len(after) :]
        right += after[len(before) :]
    for left, right in rest.values():
        yield from zip_longest(sorted(left, key=order), sorted(right, key=order), fillvalue=_NOTHING)


def _change(old: Pin, new: Pin) -> Change | None:
    before, after = _shown(old), _shown(new)
    kind: ChangeKind = "other"
    if not old.name or not new.name:
        kind, marker = "added" if new.name else "removed", new.marker or old.marker
        notes = [f"only if {marker}" if marker else ""]
    else:
        pairs = (("marker", old.marker, new.marker), ("extras", ",".join(old.extras), ",".join(new.extras)))
        notes = [f"{what}: {one or 'none'} -> {two or 'none'}" for what, one, two in pairs if one != two]
        hashes = (("added", set(new.hashes) - {*old.hashes}), ("removed", set(old.hashes) - {*new.hashes}))
        counts = [f"{len(these)} {what}" for what, these in hashes if these]
        # Other hashes of one version are worth a look.
        notes += [f"hashes: {', '.join(counts)}"] if counts and old.version == new.version else []
        if before == after and not notes:
            return None
        if before != after:
            direct = not old.source.kind == new.source.kind == "index"
            kind, note = ("other", "source") if direct else version_change(old.version, new.version)
            notes = [note, *notes]
    text = "; ".join(filter(None, notes))
    return Change(package=new.name or old.name, kind=kind, old=before, new=after, note=text)


def _shown(pin: Pin) -> str:
    if pin.source.kind == "index":
        return normal_version(pin.version) or pin.version
    return f"{'-e ' if pin.source.editable else ''}{direct_reference(pin.source)}"


def version_change(old: str, new: str) -> tuple[ChangeKind, str]:
    """Return the kind of a change from one version to another, and `downgrade` if it goes backwards."""
    from packaging.version import Version

    try:
        before, after = Version(old), Version(new)
    except ValueError:  # also for more digits than int() takes
        return "other", ""
    note = "downgrade" if after < before else ""
    if (before.epoch, before.major) != (after.epoch, after.major):
        return "major", note
    if before.minor != after.minor:
        return "minor", note
    return "other" if before.public == after.public else "patch", note


def render_diff(found: Diff, format: DiffFormat, *, colour: bool = False) -> str:  # noqa: A002
    """Return a diff in one of the formats; `colour` matters to text only."""
    if format == "json":
        return json_text({"schema": SCHEMA, "different": found.different, **contents(found)})
    return "".join(f"{line}\n" for line in (_text(found, colour) if format == "text" else _markdown(found)))


def _summary(found: Diff) -> list[str]:
    counts = Counter(one.kind for one in found.changes)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in CHANGE_KINDS if counts[kind])
    head = f"{counted(len(found.changes), 'change')}{f': {kinds}' if kinds else ''}"
    sides = (("new environments", found.added), ("gone environments", found.removed))
    return [head, *(f"{what}: {', '.join(names)}" for what, names in sides if names)]


def _text(found: Diff, colour: bool) -> list[str]:
    head, *sides = _summary(found) if found.different else ["no difference"]
    lines = fold("", f"{found.old} -> {found.new.removesuffix(':')}: {head}")
    lines += [line for text in sides for line in fold("  ", text)]
    names = min(max((len(one.package) for one in found.changes), default=0), 24)
    for one in found.changes:
        head = f"  {one.kind.ljust(7)}  {printable(one.package).ljust(names)}  "
        step = shortened(" -> ".join(dict.fromkeys(filter(None, (one.old, one.new)))))
        first, *more = fold(head, f"{step.ljust(16)}  {several(one.environments)}", margin=11)
        lines += [first.replace(one.kind, paint(one.kind, _COLOURS[one.kind], colour=colour), 1), *more]
        for label, text in (("note", one.note), ("via", several(one.via))):
            folded = fold(f"{' ' * 11}{label}: ", text) if text else []
            lines += [paint(line, "dim", colour=colour) for line in folded]
    return lines


def _markdown(found: Diff) -> list[str]:
    sides = f"{code(found.old)} → {code(found.new)}"
    if not found.different:
        return [f"**No difference** in dependencies: {sides}"]
    head, *more = _summary(found)
    lines = [f"**{head}**: {sides}", "", *(f"- {words(text)}" for text in more), *([""] if more else [])]
    lines += ["| Change | Package | From | To | Note | Environments | Asked for by |", f"|{'---|' * 7}"]
    for one in found.changes:
        asked = (several(one.environments), several(one.via))
        cells = (one.kind, one.package, one.old, one.new, one.note, *asked)
        lines.append(f"| {' | '.join(map(words, cells))} |")
    return fitting(lines, [])
