"""Owns the names of a repository: where it is, its references, revisions, and paths of a revision."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_head
from nox_envs.git_objects.packs import StoredObject
from nox_envs.git_objects.store import MissingObject, ObjectStore
from nox_envs.values import value

_ID = re.compile(r"[0-9a-f]{40}")
_SHORT_ID = re.compile(r"[0-9a-fA-F]{4,40}")
# git-check-ref-format(1), so that no name leads out of the repository.
_BAD_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[/.]|/\.|\.lock(?:/|$)|[/.]$")
_SUFFIX = re.compile(r"~(?P<back>\d*)|\^(?P<parent>\d*)(?!\{)|\^\{(?P<kind>|commit|tree|object)\}")
_EXTENSION = re.compile(r"^\s*(objectformat|refstorage)\s*=\s*\"?([\w:/.-]+)", re.IGNORECASE | re.MULTILINE)
_RULES = ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
_MOST_STEPS = 100_000
_MAX_TEXT = 1 << 26


@value
class Entry:
    """Hold one entry of a tree; `mode` is octal text such as `100644`, `40000` for a directory."""

    name: str
    mode: str
    id: str


def open_repository(start: Path) -> Repository | None:
    """Return the repository that the directory `start` belongs to, None if there is none.

    Raises NoxEnvsError for a repository that is kept in a form this cannot read.
    """
    for folder in (start, *start.parents):
        dotted = folder / ".git"
        if dotted.is_dir() and (dotted / "HEAD").exists():
            return Repository(folder, dotted)
        if dotted.is_file():
            return Repository(folder, _linked(dotted))
    return None


def _linked(dotted: Path) -> Path:
    """Follow the file that a worktree or submodule has in place of the directory."""
    text = _text(dotted) or ""
    if not text.startswith("gitdir: "):
        raise NoxEnvsError(f"{dotted}: is no link to a git directory")
    found = dotted.parent / text.removeprefix("gitdir: ")
    if not found.is_dir():
        raise NoxEnvsError(f"{dotted}: leads to {found}, which is no directory")
    return found


class Repository:
    """Read a repository whose working tree is at `root` and whose git directory is `directory`."""

    def __init__(self, root: Path, directory: Path) -> None:
        self.root = root
        self._own = directory
        shared = _text(directory / "commondir")
        self._shared = directory / shared if shared else directory
        for name, kind in _EXTENSION.findall(_text(self._shared / "config") or ""):
            if (name.lower(), kind.lower()) not in {("objectformat", "sha1"), ("refstorage", "files")}:
                raise NoxEnvsError(
                    f"{root}: the git repository has {name} = {kind}, which cannot be read here;"
                    " write the old version into a file: git show REVISION:PATH > old.txt"
                )
        self._store = ObjectStore(self._shared / "objects")
        self._trees: dict[str, str] = {}
        self._listed: dict[str, tuple[Entry, ...]] = {}

    def read(self, revision: str, path: str) -> bytes:
        """Return the content of the file `path` (POSIX, relative to the root) in a revision."""
        entry = self._entry(revision, path)
        if entry is None or entry.mode == "40000":
            raise NoxEnvsError(f"{revision}:{path} is a directory, not a file")
        if entry.mode not in ("100644", "100755", "100664"):
            kind = "a submodule" if entry.mode == "160000" else "a symbolic link"
            raise NoxEnvsError(f"{revision}:{path} is {kind}, not a file")
        return self._object(entry.id, "blob").data

    def files(self, revision: str, path: str) -> tuple[str, ...] | None:
        """Return the names of the files in a directory of a revision, sorted; None for a file."""
        entry = self._entry(revision, path)
        if entry is not None and entry.mode != "40000":
            return None
        entries = self._entries(entry.id if entry else self.tree(revision))
        return tuple(sorted(one.name for one in entries if one.mode.startswith("100")))

    def has(self, revision: str, path: str) -> bool:
        """Tell whether a revision has a file or directory at `path`."""
        return self._find(revision, path) is not None

    def _entry(self, revision: str, path: str) -> Entry | None:
        found = self._find(revision, path)
        if found is None:
            raise NoxEnvsError(f"{revision} has no {path!r}; git ls-tree -r --name-only {revision} shows all")
        return found[-1] if found else None

    def _find(self, revision: str, path: str) -> tuple[Entry, ...] | None:
        """Return the entries that lead to a path (none for the root), None where there is none."""
        identifier = self.tree(revision)
        steps: list[Entry] = []
        for name in [part for part in path.split("/") if part not in ("", ".")]:
            if steps and steps[-1].mode != "40000":
                return None
            entries = self._entries(identifier)
            entry = next((one for one in entries if one.name == name), None)
            if entry is None:
                return None
            steps.append(entry)
            identifier = entry.id
        return tuple(steps)

    def tree(self, revision: str) -> str:
        """Return the id of the tree of a revision: a branch, a tag, an id, with `~N` and `^`."""
        known = self._trees.get(revision)
        if known is None:
            found = self._peel(self.resolve(revision), ("commit", "tree"), revision)
            known = self._trees[revision] = self._tree_of(found)
        return known

    def _entries(self, tree: str) -> tuple[Entry, ...]:
        if tree not in self._listed:
            self._listed[tree] = _tree(self._object(tree, "tree").data)
        return self._listed[tree]

    def _tree_of(self, identifier: str) -> str:
        found = self._store.read(identifier)
        return identifier if found.kind == "tree" else _headers(found, b"tree")[0]

    def resolve(self, revision: str) -> str:
        """Return the id of the object that a revision names (gitrevisions(7)).

        Raises NoxEnvsError for an unknown name, and for the forms that need more than the objects:
        reflogs (`@{…}`), searches (`:/…`), and the index.
        """
        match = re.match(r"[^~^]*", revision)
        base = match[0] if match else ""
        if "@{" in revision or base.startswith(("/", ":")):
            raise NoxEnvsError(f"the revision {revision!r} is not understood; name a branch, a tag or an id")
        found = self._named("HEAD" if base == "@" else base)
        at = len(base)
        while at < len(revision):
            suffix = _SUFFIX.match(revision, at)
            if suffix is None:
                raise NoxEnvsError(f"the revision {revision!r} is not understood at {revision[at:]!r}")
            found = self._step(found, suffix, revision)
            at = suffix.end()
        return found

    def _step(self, start: str, suffix: re.Match[str], revision: str) -> str:
        kind = suffix["kind"]
        if kind is not None:
            if kind == "tree":
                return self._tree_of(self._peel(start, ("commit", "tree"), revision))
            wanted = {"": ("commit", "tree", "blob"), "commit": ("commit",)}.get(kind)
            return self._peel(start, wanted, revision) if wanted else start
        found = self._peel(start, ("commit",), revision)
        if suffix["back"] is None:
            return self._parent(found, int(suffix["parent"] or 1), revision)
        for _ in range(min(int(suffix["back"] or 1), _MOST_STEPS)):
            found = self._parent(found, 1, revision)
        return found

    def _parent(self, commit: str, number: int, revision: str) -> str:
        if number == 0:
            return commit
        parents = _headers(self._object(commit, "commit"), b"parent")
        if number > len(parents):
            raise NoxEnvsError(f"the revision {revision!r} goes back further than the history does")
        try:
            self._store.read(parents[number - 1])
        except MissingObject:
            raise MissingObject(
                f"the revision {revision!r} is not in this clone, whose history is cut off;"
                " git fetch --unshallow brings the rest"
            ) from None
        return parents[number - 1]

    def _peel(self, identifier: str, kinds: tuple[str, ...], revision: str) -> str:
        for _ in range(50):
            found = self._store.read(identifier)
            if found.kind in kinds:
                return identifier
            if found.kind != "tag":
                break
            identifier = _headers(found, b"object")[0]
        raise NoxEnvsError(f"the revision {revision!r} is no commit")

    def _object(self, identifier: str, kind: str) -> StoredObject:
        found = self._store.read(identifier)
        if found.kind != kind:
            raise NoxEnvsError(f"the git object {identifier} is a {found.kind}, not a {kind}")
        return found

    def _named(self, name: str) -> str:
        if _ID.fullmatch(name.lower()):
            return name.lower()
        for rule in _RULES:
            top = rule == "{}"
            if _BAD_NAME.search(name) or not name or (top and not _is_top_level(name)):
                continue
            found = self._reference(rule.format(name))
            if found:
                return found
        return self._abbreviated(name)

    def _abbreviated(self, name: str) -> str:
        found = self._store.matching(name.lower()) if _SHORT_ID.fullmatch(name) else ()
        if len(found) > 1:
            commits = tuple(one for one in found if self._store.read(one).kind in ("commit", "tag"))
            found = commits if len(commits) == 1 else found
        if len(found) > 1:
            raise NoxEnvsError(f"the revision {name!r} is ambiguous: {', '.join(found[:5])}")
        if not found:
            raise NoxEnvsError(f"there is no revision {name!r}; {self._near(name)}")
        return found[0]

    def _near(self, name: str) -> str:
        remote = next((ref for ref in self._packed if ref.endswith(f"/{name}")), "")
        heads = sorted((self._shared / "refs" / "remotes").glob(f"*/{name}")) if _is_plain(name) else []
        if remote or heads:
            found = remote.removeprefix("refs/remotes/") or f"{heads[0].parent.name}/{name}"
            return f"did you mean {found!r}?"
        return "git branch --all and git tag show those there are; git fetch brings more"

    def _reference(self, name: str) -> str:
        """Return the id that a reference holds, empty if there is none; symbolic ones are followed."""
        for _ in range(10):
            text = _text(self._own / name) or _text(self._shared / name) or self._packed.get(name, "")
            if not text.startswith("ref:"):
                found = text.split(maxsplit=1)[0] if text else ""
                return found if _ID.fullmatch(found) else ""
            name = text.removeprefix("ref:").strip()
            if _BAD_NAME.search(name):
                break
        return ""

    @cached_property
    def _packed(self) -> dict[str, str]:
        pairs = (line.split(" ", 1) for line in (_text(self._shared / "packed-refs") or "").splitlines())
        return {pair[1]: pair[0] for pair in pairs if len(pair) == 2 and _ID.fullmatch(pair[0])}


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[\w.-]+", name) is not None


def _is_top_level(name: str) -> bool:
    """Tell whether a name may stand right in the git directory: `HEAD`, `MERGE_HEAD`, `refs/…`."""
    return name.startswith("refs/") or re.fullmatch(r"[A-Z_]+", name) is not None


def _text(file: Path) -> str | None:
    try:
        if not file.is_file():
            return None
        text = read_head(str(file), _MAX_TEXT).decode("utf-8", "surrogateescape").strip()
        return None if "\0" in text else text
    except OSError as error:
        raise NoxEnvsError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        return None


def _headers(found: StoredObject, key: bytes) -> tuple[str, ...]:
    """Return the ids in the headers of a commit or tag that have a key."""
    head = found.data.partition(b"\n\n")[0]
    values = (line.partition(b" ")[2] for line in head.split(b"\n") if line.startswith(key + b" "))
    ids = tuple(one.decode("ascii", "replace") for one in values)
    if not all(map(_ID.fullmatch, ids)) or not (ids or key == b"parent"):
        raise NoxEnvsError(f"a git {found.kind} has no valid {key.decode()}; git fsck tells more")
    return ids


def _tree(data: bytes) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    at = 0
    while at < len(data):
        end = data.find(b"\0", at)
        mode, space, name = data[at:end].partition(b" ")
        if end < 0 or not space or len(data) < end + 21:
            raise NoxEnvsError("a git tree is damaged; git fsck tells more")
        entries.append(
            Entry(
                name=name.decode("utf-8", "surrogateescape"),
                mode=mode.decode("ascii", "replace"),
                id=data[end + 1 : end + 21].hex(),
            )
        )
        at = end + 21
    return tuple(entries)
