"""Owns the targets: one function for each reader, which takes any bytes and lets only our own errors pass.

`tests/test_fuzz.py` gives them bytes that hypothesis makes, `python -m tests.fuzzing` those that a fuzzer
finds by the branches that they reach. A target returns where the reader refuses; every other exception is
a defect, and so is a broken promise, which an assertion states.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nox_envs import receipt as receipts
from nox_envs.drift import activate
from nox_envs.errors import NoxEnvsError, Place
from nox_envs.git_objects import open_repository
from nox_envs.index.advisories import affects, fixed_version, read_osv, read_release
from nox_envs.index.comparison import advisory_remarks
from nox_envs.index.documents import document
from nox_envs.index.pages import read_page
from nox_envs.index.types import Vulnerability
from nox_envs.integrity import stamps
from nox_envs.integrity.consistency import unmet_requirements
from nox_envs.integrity.record import parse_record
from nox_envs.integrity.tree import placed
from nox_envs.integrity.verification import verify
from nox_envs.lockfile.foreign import read_foreign
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.pylock import parse_pylock
from nox_envs.lockfile.text import parse, render
from nox_envs.matrix import expand
from nox_envs.pins import Pin, direct_reference, parse_direct_url
from nox_envs.placeholders import defects, split_command
from nox_envs.report import FORMATS
from nox_envs.report import render as render_report
from nox_envs.report.reading import read_report
from nox_envs.requirements.from_files import RequirementFiles
from nox_envs.requirements.project import Pyproject
from nox_envs.resolvers import read_pip_report, request
from nox_envs.resolvers.uv import read_uv_output
from nox_envs.snapshot import Interpreter, freeze, take
from nox_envs.spec.read import read_spec
from nox_envs.workflow.adoption import adopt
from nox_envs.workflow.lock_trees import DiskTree, read_lock
from nox_envs.workflow.project import Project
from nox_envs.workflow.requirement_files import pins_written
from tests.plans import planned, wants
from tests.reports import everything

HOST = {
    "implementation_name": "cpython",
    "implementation_version": "3.12.1",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.12.1",
    "python_version": "3.12",
    "sys_platform": "linux",
}
INTERPRETER = Interpreter(version="3.12.1", implementation="cpython", free_threaded=False)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Hold a reader of any bytes, valid examples to begin with, and words of its format."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()


@cache
def _scratch() -> Path:
    made = tempfile.TemporaryDirectory(prefix="nox-envs-fuzzing-")
    _kept.append(made)
    return Path(made.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@contextmanager
def refusing(also: type[Exception] = NoxEnvsError) -> Iterator[None]:
    """Let a reader refuse: its message must be there, and its problems must have places."""
    try:
        yield
    except (NoxEnvsError, also) as error:
        _require_words(error)


def _require_words(error: Exception) -> None:
    assert str(error).strip()


def _text(data: bytes) -> str:
    """Return the text that a file of these bytes would give, as far as it is one."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _on_disk(name: str, data: bytes) -> Path:
    """Write a file of the scratch project and return the project."""
    file = _scratch() / "project" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return _scratch() / "project"


# the project's files


def spec(data: bytes) -> None:
    """Read a spec and expand it."""
    with refusing():
        points = expand(read_spec(_text(data), origin="envs.yaml"))
        assert len({point.session for point in points}) == len(points)


def lock(data: bytes) -> None:
    """Read a lock; printed and read again it is the same, and no line of it is an option."""
    with refusing():
        read = parse(_text(data), origin="lock.txt")
        printed = render(read)
        again = parse(printed, origin="lock.txt")
        assert [_without_line(pin) for pin in again.pins] == sorted(
            (_without_line(pin) for pin in read.pins), key=_order
        )
        _installable(read.pins)
        with refusing():
            activate(read.pins, INTERPRETER, HOST)


def _without_line(pin: Pin) -> tuple[object, ...]:
    return pin.name, pin.version, pin.source.url, pin.extras, pin.marker, tuple(sorted(pin.hashes))


def _order(pin: tuple[object, ...]) -> str:
    return repr(pin)


def _installable(pins: tuple[Pin, ...]) -> None:
    """Write pins as an installer reads them: each takes one line, on which only hashes follow."""
    folder = _scratch() / "venv"
    folder.mkdir(exist_ok=True)
    with pins_written(pins, folder) as paths:
        lines = [line for path in paths if path for line in Path(path).read_text("utf-8").split("\n")[:-1]]
    assert len(lines) == len(pins)
    for line in lines:
        words = line.removeprefix("-e ").split(" ")
        assert not [word for word in words if word.startswith("-") and not word.startswith("--hash=")], line


def pylock(data: bytes) -> None:
    """Read a pylock."""
    with refusing():
        _installable(parse_pylock(_text(data), origin="pylock.toml").pins)


def diffed_lock(data: bytes) -> None:
    """Read a lock of anybody's for a comparison."""
    with refusing():
        read_lock(DiskTree(root=_on_disk("locks/any.txt", data)), "locks/any.txt")


def requirements(data: bytes) -> None:
    """Gather a requirements file, with the variables of an environment."""
    root = _on_disk("requirements.in", data)
    reader = RequirementFiles(root, {"HOST": "packages.example.org", "TOKEN": "s3cret"})
    gathered = reader.gather("requirements.in", constraint=False, asked=Place(origin="envs.yaml"))
    told = "".join(map(str, gathered.problems)) + "".join(one.url for one in gathered.requirements)
    assert "s3cret" not in told


def foreign(data: bytes) -> None:
    """Read a lock that others made."""
    root = _on_disk("foreign.txt", data)
    with refusing():
        read_foreign(root, ("foreign.txt",), environ={}, limiting=True)


def pyproject(data: bytes) -> None:
    """Read everything that is asked of a pyproject.toml."""
    root = _on_disk("pyproject/pyproject.toml", data) / "pyproject"
    project = Pyproject(root)
    assert isinstance(project.buildable, bool)
    assert project.metadata.name == project.name
    with refusing():
        project.dependencies()
    for extra in project.extras:
        with refusing():
            project.extra(extra)
    for group in project.groups:
        with refusing():
            project.group(group)


def adoption(data: bytes) -> None:
    """Make a first spec of what a project has."""
    root = _on_disk("adopted/pyproject.toml", data) / "adopted"
    (root / "requirements").mkdir(exist_ok=True)
    (root / "requirements" / "test.in").write_bytes(data)
    (root / "requirements" / "test.txt").write_bytes(data)
    with refusing():
        adopted = adopt(root, spec="envs.yaml", environ={})
        read_spec(adopted.spec, origin="envs.yaml")


def words(data: bytes) -> None:
    """Split a command and look for its placeholders."""
    text = _text(data)
    defects(text, ("posargs", "envdir", "python"))
    with refusing(ValueError):
        split_command(text)


def memory(data: bytes) -> None:
    """Open a project whose memory is damaged: what is remembered is right, or read anew."""
    root = _remembering()
    folder = root / ".nox" / ".nox-envs"
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        kept = file.read_bytes()
        try:
            file.write_bytes(_damaged(kept, data))
            project = _project(root)
            point = project.point_of("tests", "3.12", ())
            assert point == project.points[0]
            assert project.remembered_plan_of(point).digest == project.plan_of(point).digest
        finally:
            file.write_bytes(kept)


def _damaged(kept: bytes, data: bytes) -> bytes:
    """Replace a piece of a file that is there; the first bytes of `data` say where."""
    if len(data) < 4:
        return data
    at, length = int.from_bytes(data[:3], "big") % (len(kept) + 1), data[3]
    return kept[:at] + data[4:] + kept[at + length :]


def _project(root: Path) -> Project:
    return Project(root / "envs.yaml", envdir=".nox", environ={}, host=lambda: HOST)


@cache
def _remembering() -> Path:
    root = _scratch() / "remembering"
    (root / ".nox").mkdir(parents=True)
    (root / "envs.yaml").write_text(
        'version: 1\nenvironments:\n  tests: {python: "3.12", requirements: [rich>=13], commands: [pytest]}\n'
    )
    project = _project(root)
    project.remembered_plan_of(project.point_of("tests", "3.12", ()))
    project.remember()
    return root


# what installers and resolvers leave


def direct_url(data: bytes) -> None:
    """Read a direct_url.json; as a requirement it is one word."""
    with refusing(ValueError):
        reference = direct_reference(parse_direct_url(_text(data)))
        assert reference.isprintable()
        assert " " not in reference


def page(kind: str) -> Callable[[bytes], None]:
    """Return the target that reads a page of an index, of the content type `kind`."""

    def run(data: bytes) -> None:
        with refusing():
            assert read_page(kind, data, name="apple", index="https://packages.example.org/simple").files

    return run


def advisories(data: bytes) -> None:
    """Read an OSV record and what an index serves beside a release; look versions up in both."""
    found: list[Vulnerability] = []
    with refusing():
        found += read_release(data, name="apple", version="1.0")
    with refusing():
        found += read_osv(document(data))
    for one in found:
        for version in ("1.0", "2.0rc1", "no version"):
            affects(one, version)
            fixed_version(one, version)
    for remark in advisory_remarks(Pin(name="apple", version="1.0"), tuple(found)):
        assert remark.finding.kind == "advisory"


def record(data: bytes) -> None:
    """Read a RECORD; no path of it leads out of the venv."""
    site = os.path.join(os.sep, "venv", "lib", "python3.12", "site-packages")
    for path in parse_record(data).paths:
        found = placed(site, path, os.path.join(os.sep, "venv"))
        assert not found or os.path.normpath(found).startswith(os.path.join(os.sep, "venv", ""))


def _venv(name: str, data: bytes) -> Path:
    """Make a bare venv with two distributions, one file of which has these bytes."""
    location = _scratch() / "bare"
    info = location / "lib" / "python3.12" / "site-packages" / "apple-1.0.dist-info"
    if not info.is_dir():
        info.mkdir(parents=True)
    files = {
        location / "pyvenv.cfg": b"home = /usr/bin\nversion = 3.12.1\n",
        info / "METADATA": METADATA,
        info / "RECORD": b"apple.py,,\n",
        info / "direct_url.json": b'{"url": "https://packages.example.org/a.whl", "archive_info": {}}',
        location / receipts.FILE_NAME: b"{}",
        location / stamps.FILE_NAME: b"{}",
    }
    for file, content in files.items():
        file.write_bytes(data if file.name == name else content)
    return location


def venv(name: str) -> Callable[[bytes], None]:
    """Return the target that lists, verifies and freezes a venv in which a file has any bytes."""

    def run(data: bytes) -> None:
        location = _venv(name, data)
        with refusing():
            snapshot = take(location)
            for line in freeze(snapshot).splitlines():
                assert line.isprintable()
                assert line.startswith(("# ", "-e file:")) or not line.startswith("-")
            verify(snapshot, receipts.read(location), mode="changed", stamps=stamps.read(location))
            unmet_requirements(snapshot, HOST)

    return run


def report(data: bytes) -> None:
    """Read a report, and show it in every format; JSON gives it back."""
    with refusing():
        read = read_report(_text(data), origin="report.json")
        for format_ in FORMATS:
            shown = render_report(read, format_)
            if format_ == "json":
                again = render_report(read_report(shown, origin="again"), "json")
                assert again == shown
            elif format_ == "text":
                assert "\x1b" not in shown
                assert not [line for line in shown.split("\n") if line.lstrip().startswith("::")]


def pip_report(data: bytes) -> None:
    """Read the report of pip."""
    with refusing():
        read_pip_report(_text(data), _plan(), origin="lock.txt", project="own", root_url="file:///project/")


def uv_output(data: bytes) -> None:
    """Read what uv printed."""
    plan = _plan()
    files = request(plan, root_url="file:///project/", layers=())
    with refusing():
        read_uv_output(_text(data), plan, files, origin="lock.txt", root_url="file:///project/")


@cache
def _plan() -> LockPlan:
    return planned(wants("apple>=1", "test"))


# git


def git_object(data: bytes) -> None:
    """Read a repository whose tree, commit or blob has any bytes; the first one says which."""
    root = _repository()
    kind = ("commit", "tree", "blob", "tag")[data[0] % 4] if data else "blob"
    content = data[1:]
    whole = f"{kind} {len(content)}".encode() + b"\0" + content
    identifier = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    file = root / ".git" / "objects" / identifier[:2] / identifier[2:]
    file.parent.mkdir(parents=True, exist_ok=True)
    # The second half of the first byte damages what is stored.
    file.write_bytes(zlib.compress(whole) if not data or data[0] < 128 else content)
    (root / ".git" / "HEAD").write_text(identifier + "\n")
    try:
        _read_git(root, "HEAD")
    finally:
        file.unlink()


def git_names(data: bytes) -> None:
    """Read a repository whose references, configuration and alternates have any bytes."""
    root = _repository()
    revision = data.split(b"\n", 1)[0].decode("utf-8", "replace")
    for name in ("HEAD", "packed-refs", "config", "commondir", "objects/info/alternates"):
        file = root / ".git" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    try:
        for one in ("HEAD", "main", revision):
            _read_git(root, one)
    finally:
        shutil.rmtree(root)
        _repository.cache_clear()


def git_pack(data: bytes) -> None:
    """Read a repository whose pack and index are damaged; the first bytes say which and where."""
    root = _repository()
    folder = root / ".git" / "objects" / "pack"
    folder.mkdir(parents=True, exist_ok=True)
    index, pack = _packed()
    which = bool(data) and data[0] % 2 == 0
    (folder / "pack-1.idx").write_bytes(_damaged(index, data[1:]) if which else index)
    (folder / "pack-1.pack").write_bytes(pack if which else _damaged(pack, data[1:]))
    (root / ".git" / "HEAD").write_text(_COMMIT_ID + "\n")
    _read_git(root, "HEAD")
    _read_git(root, _COMMIT_ID[:6])


def _read_git(root: Path, revision: str) -> None:
    with refusing():
        repository = open_repository(root)
        assert repository is not None
        repository.files(revision, "")
        repository.read(revision, "lock.txt")


@cache
def _repository() -> Path:
    root = _scratch() / "repository"
    (root / ".git" / "objects").mkdir(parents=True)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return root


_BLOB = b"apple==1.0\n" * 40
_COMMIT_ID = ""


@cache
def _packed() -> tuple[bytes, bytes]:
    """Make an index and a pack with a commit, a tree, a blob, and a blob as a difference to that one."""
    global _COMMIT_ID
    changed = _BLOB + b"basket==1.0\n"
    blob, target = _id("blob", _BLOB), _id("blob", changed)
    tree = b"100644 lock.txt\0" + bytes.fromhex(target)
    commit = f"tree {_id('tree', tree)}\n\nmessage\n".encode()
    _COMMIT_ID = _id("commit", commit)
    copied = b"\xb0" + len(_BLOB).to_bytes(2, "little")
    delta = _size(len(_BLOB)) + _size(len(changed)) + copied + bytes([12]) + changed[-12:]
    pack = b"PACK" + (2).to_bytes(4, "big") + (4).to_bytes(4, "big")
    offsets: dict[str, int] = {}
    for kind, content, identifier, base in (
        (1, commit, _COMMIT_ID, b""),
        (2, tree, _id("tree", tree), b""),
        (3, _BLOB, blob, b""),
        (7, delta, target, bytes.fromhex(blob)),
    ):
        offsets[identifier] = len(pack)
        pack += _head(kind, len(content)) + base + zlib.compress(content)
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()
    return _index(offsets), pack


def _index(offsets: dict[str, int]) -> bytes:
    ids = sorted(offsets)
    fanout = b"".join(sum(int(i[:2], 16) <= n for i in ids).to_bytes(4, "big") for n in range(256))
    rest = b"".join(map(bytes.fromhex, ids)) + b"\0" * 4 * len(ids)
    rest += b"".join(offsets[i].to_bytes(4, "big") for i in ids)
    return b"\xfftOc\0\0\0\x02" + fanout + rest + b"\0" * 40


def _id(kind: str, content: bytes) -> str:
    whole = f"{kind} {len(content)}".encode() + b"\0" + content
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()


def _size(number: int) -> bytes:
    written = b""
    while number > 127:
        written, number = written + bytes([number & 127 | 128]), number >> 7
    return written + bytes([number])


def _head(kind: int, size: int) -> bytes:
    first = kind << 4 | size & 15
    return bytes([first | 128]) + _size(size >> 4) if size >> 4 else bytes([first])


# examples

SPEC = b"""\
version: 1
defaults: {python: "3.12"}
requirements:
  app: [requests>=2.31, "colorama; sys_platform == 'win32'"]
  test: [{include: app}, pytest>=8]
indexes:
  main: https://packages.example.org/simple
environments:
  tests:
    description: Run the tests
    python: ["3.11", "3.12"]
    matrix:
      django: {"4.2": {tags: [old]}, "5.2": {set_env: {NEW: "1"}}}
    exclude: [{python: "3.11", django: "5.2"}]
    overrides: [{when: {python: ">=3.12", django: {not: "4.2"}}, requirements: [rich>=13]}]
    requirements: [test, "django~={django}.0"]
    constraints: [{lock: base}, "idna<4"]
    package: {mode: wheel, extras: [cli]}
    commands:
      - pytest {posargs:-q "two words"}
      - {run: [python, -c, pass], success_codes: [0, 5], allow_failure: true, change_dir: src}
    lock: {file: "locks/{environment}-{django}.txt", per: python, exclude_newer: 7 days}
    drift: {policy: fail, ignore: [{kind: leftover, reason: ours, until: 2030-01-01}]}
    tags: [ci]
  base: &base
    requirements: [app]
    default: false
  _template: {extends: base, platforms: [linux-x86_64], runs_on: ubuntu-latest}
"""
LOCK = b"""\
# Generated by nox-envs: edit envs.yaml, then run the command below.
# environment: tests
# input: sha256:00

apple[core]==1.0 ; python_version < "3.13" and (sys_platform == 'win32' or extra == 'x') \\
    --hash=sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
    # via
    #   basket
    #   test: apple
basket @ git+https://git.example.org/basket.git@0123456789abcdef0123456789abcdef01234567#subdirectory=py
-e ./vendor/quince[x] ; os_name == "posix"  # quince==2
elder===1.0-odd --hash=sha384:00
"""
PYLOCK = b"""\
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.10"

[[packages]]
name = "apple"
version = "1.0"
marker = "python_version < '3.13'"
sdist = { url = "https://packages.example.org/apple-1.0.tar.gz", hashes = { sha256 = "00" } }
wheels = [{ url = "https://packages.example.org/apple-1.0-py3-none-any.whl", hashes = { sha256 = "0a" } }]

[[packages]]
name = "tool"
vcs = { type = "git", url = "https://git.example.org/tool.git", commit-id = "0a0a", subdirectory = "py" }

[[packages]]
name = "quince"
directory = { path = "./vendor/quince", editable = true }

[[packages]]
name = "elder"
archive = { url = "https://packages.example.org/elder-1.0.zip", hashes = { sha256 = "0b" } }
"""
REQUIREMENTS = b"""\
# comment
-r requirements.in
-c other.txt
apple[core]>=1,<2 ; python_version < "3.13" --hash=sha256:00
basket @ https://${HOST}/basket.whl#sha256=00
git+https://${TOKEN}@git.example.org/x.git@main#egg=x[y]&subdirectory=z
-e ./vendor/quince[x]
--index-url https://user:pass@packages.example.org/simple
./wheel-1.0-py3-none-any.whl \\
  ; os_name == 'posix'
"""
PYPROJECT = b"""\
[build-system]
requires = ["hatchling"]
[project]
name = "Own.Project"
requires-python = ">=3.10,!=3.11.*"
dynamic = ["version"]
dependencies = ["apple>=1", 'basket; extra == "x"']
[project.optional-dependencies]
cli = ["rich", "own-project[more]"]
[dependency-groups]
dev = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
[tool.setuptools.dynamic]
dependencies = {file = ["requirements.txt"]}
"""
METADATA = b"""\
Metadata-Version: 2.1
Name: apple
Version: 1.0
Requires-Python: >=3.10
Requires-Dist: basket (>=1.0,<2) ; extra == 'x' and python_version < "3.13"
Requires-Dist: tool[y] @ https://packages.example.org/tool.whl
Provides-Extra: x

Description
"""
RECORD = (
    b'apple.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"a,b.py",,\n'
    b"../../../bin/apple,sha512=AA,1\n../../etc/passwd,,\n/etc/passwd,,\n"
)
DIRECT_URLS = (
    b'{"url": "https://user:pass@packages.example.org/a.whl", "archive_info": {"hash": "sha256=00"}}',
    b'{"url": "https://git.example.org/r", "vcs_info": {"vcs": "git", "commit_id": "00",'
    b' "requested_revision": "main"}, "subdirectory": "a b"}',
    b'{"url": "file:///etc", "dir_info": {"editable": true}}',
)
PIP_REPORT = json.dumps(
    {
        "version": "1",
        "environment": HOST,
        "install": [
            {
                "download_info": {
                    "url": "https://packages.example.org/a.whl",
                    "archive_info": {"hashes": {"sha256": "00"}},
                },
                "is_direct": False,
                "requested": True,
                "requested_extras": ["x"],
                "metadata": {"name": "apple", "version": "1.0", "requires_dist": ["basket; extra == 'x'"]},
            }
        ],
    }
).encode()
PAGE_JSON = json.dumps(
    {
        "meta": {"api-version": "1.1"},
        "name": "apple",
        "files": [
            {"filename": "apple-1.0-py3-none-any.whl", "requires-python": ">=3.8", "yanked": False},
            {"filename": "apple-1.1.tar.gz", "yanked": "rotten", "upload-time": "2024-01-01T00:00:00Z"},
        ],
    }
).encode()
PAGE_HTML = b"""\
<meta name="pypi:repository-version" content="1.0"><!-- no -->
<a href="../apple-1.0-py3-none-any.whl#sha256=ab" data-requires-python="&gt;=3.8" data-yanked="">x</a>
"""
RANGE = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "2.0"}]}
OSV = json.dumps(
    {
        "id": "GHSA-1",
        "aliases": ["CVE-2024-1"],
        "summary": "A worm.",
        "affected": [
            {"package": {"ecosystem": "PyPI", "name": "Apple"}, "ranges": [RANGE], "versions": ["1.0"]}
        ],
        "vulnerabilities": [{"id": "GHSA-2", "fixed_in": ["1.1"], "withdrawn": None}],
    }
).encode()
GIT_NAMES = b"main~2^{tree}\nref: refs/heads/main\n0123456789abcdef0123456789abcdef01234567 refs/heads/main\n"
PACK_DAMAGE = tuple(
    bytes([which]) + at.to_bytes(3, "big") + b"\x01\xff" for which in (0, 1) for at in (8, 40, 1100)
)


def _receipt() -> bytes:
    location = _venv("", b"")
    receipts.write(location, receipts.of(take(location), lock="sha256:0", installer="uv 1"))
    return (location / receipts.FILE_NAME).read_bytes()


def _stamps() -> bytes:
    location = _venv("", b"")
    made = verify(take(location), None, mode="all", stamping=True).stamps
    stamps.write(location, made)
    return (location / stamps.FILE_NAME).read_bytes()


@cache
def targets() -> dict[str, Target]:
    """Return every target by its name."""
    seed = render_report(everything(), "json").encode()
    return {
        "spec": Target(
            run=spec, seeds=(SPEC,), words=(b"&a ", b"*a", b"!!", b"<<: ", b"\xe2\x80\xae", b"{}")
        ),
        "lock": Target(run=lock, seeds=(LOCK,), words=(b"--hash=sha256:", b" \\\n", b"-e ", b" @ ", b"===")),
        "pylock": Target(
            run=pylock, seeds=(PYLOCK,), words=(b"\\n", b"[[packages]]\n", b"= { ", b" --index")
        ),
        "diffed lock": Target(run=diffed_lock, seeds=(LOCK,), words=(b"-r any.txt\n", b"--index-url x\n")),
        "requirements": Target(
            run=requirements, seeds=(REQUIREMENTS,), words=(b"${TOKEN}", b"://", b"@", b"-r ")
        ),
        "foreign": Target(run=foreign, seeds=(REQUIREMENTS, LOCK), words=(b"# via ", b"-i ", b"\\\n")),
        "pyproject": Target(run=pyproject, seeds=(PYPROJECT,), words=(b"include-group", b"9" * 5000)),
        "adoption": Target(run=adoption, seeds=(PYPROJECT, REQUIREMENTS), words=(b"-c ", b"-e .", b"#")),
        "words": Target(
            run=words, seeds=(b"pytest {posargs:-q 'a b'} {{x}} {python}",), words=(b"{posargs:", b"}}")
        ),
        "memory": Target(run=memory, seeds=tuple(b"\0\0" + bytes([n, 1]) + b"x" for n in (0, 70, 99, 200))),
        "direct_url.json": Target(
            run=direct_url, seeds=DIRECT_URLS, words=(b"file://", b"javascript:", b" --x")
        ),
        "RECORD": Target(run=record, seeds=(RECORD,), words=(b"../", b"..\\", b'"', b"/./", b"C:")),
        "METADATA": Target(
            run=venv("METADATA"), seeds=(METADATA,), words=(b"Requires-Dist: ", b"\n ", b" ; ")
        ),
        "RECORD of a venv": Target(run=venv("RECORD"), seeds=(RECORD,)),
        "direct_url.json of a venv": Target(run=venv("direct_url.json"), seeds=DIRECT_URLS),
        "pyvenv.cfg": Target(
            run=venv("pyvenv.cfg"), seeds=(b"home = /usr/bin\nversion_info = 3.12.1.final.0\n",)
        ),
        "receipt": Target(run=venv(receipts.FILE_NAME), seeds=(_receipt(),)),
        "stamps": Target(run=venv(stamps.FILE_NAME), seeds=(_stamps(),)),
        "report": Target(
            run=report, seeds=(seed,), words=(b"::error::", b"\\u001b[31m", b"##[add-mask]", b"1e999")
        ),
        "JSON of an index": Target(run=page("application/vnd.pypi.simple.v1+json"), seeds=(PAGE_JSON,)),
        "HTML of an index": Target(
            run=page("text/html"), seeds=(PAGE_HTML,), words=(b"<a ", b"href=", b"&#x110000;", b"-->")
        ),
        "advisories": Target(run=advisories, seeds=(OSV,), words=(b"introduced", b"9!9", b"1.0.dev")),
        "report of pip": Target(run=pip_report, seeds=(PIP_REPORT,)),
        "output of uv": Target(run=uv_output, seeds=(LOCK,)),
        "git object": Target(
            run=git_object, seeds=(b"\0tree " + b"0" * 40 + b"\n", b"\x01100644 a\0" + b"0" * 20)
        ),
        "git names": Target(run=git_names, seeds=(GIT_NAMES,), words=(b"ref: ", b"../", b"^{", b"~9")),
        "git pack": Target(run=git_pack, seeds=PACK_DAMAGE),
    }
