"""Owns the packages that tests install: small wheels and sdists made here, and an index that serves them."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

_EPOCH = (2024, 1, 1, 0, 0, 0)

# A PEP 517 and 660 backend that lives in the source tree and needs nothing but Python.
_BACKEND = """\
import base64, hashlib, os, zipfile

NAME, VERSION, METADATA = {name!r}, {version!r}, {metadata!r}
STEM = NAME.replace("-", "_") + "-" + VERSION
INFO = STEM + ".dist-info/"
WHEEL = "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def get_requires_for_build_wheel(settings=None):
    return []


def get_requires_for_build_editable(settings=None):
    return []


def _write(directory, files):
    files = dict(files)
    files[INFO + "METADATA"] = METADATA
    files[INFO + "WHEEL"] = WHEEL
    record = ""
    wheel = STEM + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as archive:
        for path, text in sorted(files.items()):
            data = text.encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += "%s,sha256=%s,%d\\n" % (path, digest, len(data))
            archive.writestr(path, data)
        archive.writestr(INFO + "RECORD", record + INFO + "RECORD,,\\n")
    return wheel


def build_wheel(directory, settings=None, metadata_directory=None):
    module = NAME.replace("-", "_")
    found = {{}}
    for root, _, names in os.walk(module):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(root, name)
                with open(path) as stream:
                    found[path.replace(os.sep, "/")] = stream.read()
    return _write(directory, found)


def build_sdist(directory, settings=None):
    import tarfile

    with tarfile.open(os.path.join(directory, STEM + ".tar.gz"), "w:gz") as archive:
        for path in ("pyproject.toml", "backend.py", "PKG-INFO", NAME.replace("-", "_")):
            archive.add(path, STEM + "/" + path)
    return STEM + ".tar.gz"


def build_editable(directory, settings=None, metadata_directory=None):
    return _write(directory, {{"_" + NAME.replace("-", "_") + ".pth": os.getcwd() + "\\n"}})
"""


def _module(name: str) -> str:
    return name.replace("-", "_").replace(".", "_")


def metadata_text(
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    extras: Mapping[str, Sequence[str]] | None = None,
    requires_python: str = "",
) -> str:
    """Return core metadata (version 2.1) as build backends write it."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    for extra, requirements in (extras or {}).items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in requirements]
    return "\n".join([*lines, "", f"{name} is a package of the tests.", ""])


def build_wheel(
    directory: Path,
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    extras: Mapping[str, Sequence[str]] | None = None,
    files: Mapping[str, str] | None = None,
    entry_points: str = "",
    requires_python: str = "",
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel with a correct RECORD into `directory` and return its path (PEP 427).

    `files` maps paths in the wheel to their text; without it there is one module of the package's
    name that holds `__version__`. `entry_points` is the text of entry_points.txt.
    """
    stem = f"{_module(name)}-{version}"
    info = f"{stem}.dist-info"
    if files is None:
        files = {f"{_module(name)}/__init__.py": f"__version__ = {version!r}\n"}
    content = dict(files)
    content[f"{info}/METADATA"] = metadata_text(
        name, version, requires=requires, extras=extras, requires_python=requires_python
    )
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
    if entry_points:
        content[f"{info}/entry_points.txt"] = entry_points
    content[f"{info}/RECORD"] = record_text(content, f"{info}/RECORD")
    path = directory / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in content.items():
            archive.writestr(zipfile.ZipInfo(inside, _EPOCH), text.encode())
    return path


def record_text(content: Mapping[str, str], record: str) -> str:
    """Return the RECORD of files, given by path and text."""
    rows = []
    for path, text in content.items():
        data = text.encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}")
    return "\n".join([*rows, f"{record},,", ""])


def write_source(
    directory: Path, name: str, version: str, *, requires: Sequence[str] = (), requires_python: str = ""
) -> Path:
    """Write a source tree that pip and uv build, also editable, without an index; return `directory`."""
    module = directory / _module(name)
    module.mkdir(parents=True, exist_ok=True)
    (module / "__init__.py").write_text(f"__version__ = {version!r}\n")
    metadata = metadata_text(name, version, requires=requires, requires_python=requires_python)
    (directory / "backend.py").write_text(_BACKEND.format(name=name, version=version, metadata=metadata))
    (directory / "PKG-INFO").write_text(metadata)
    python = f"requires-python = {json.dumps(requires_python)}\n" if requires_python else ""
    (directory / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n{python}'
        f"dependencies = {json.dumps(list(requires))}\n"
    )
    return directory


def build_sdist(directory: Path, name: str, version: str, *, requires: Sequence[str] = ()) -> Path:
    """Write an sdist that builds without an index into `directory` and return its path (PEP 625)."""
    stem = f"{_module(name)}-{version}"
    tree = write_source(directory / "sources" / stem, name, version, requires=requires)
    path = directory / f"{stem}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(tree.rglob("*")):
            if file.is_file():
                data = file.read_bytes()
                member = tarfile.TarInfo(f"{stem}/{file.relative_to(tree).as_posix()}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    data: bytes
    project: str
    version: str
    requires_python: str
    uploaded: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(kw_only=True)
class Index:
    """Serve packages as a simple index (PEP 503 as HTML, PEP 691 as JSON) on the loopback interface.

    `requests` holds the path of every request, `directory` the files made by `release`.
    """

    directory: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    _files: dict[str, _File] = field(default_factory=dict)
    _yanked: dict[tuple[str, str], str] = field(default_factory=dict)
    _corrupt: dict[str, bytes] = field(default_factory=dict)
    _broken_off: set[str] = field(default_factory=set)
    _advisories: dict[tuple[str, str], list[object]] | None = None

    def add(self, path: Path, uploaded: str = "2024-01-01T00:00:00Z") -> Path:
        """Serve a wheel or sdist; `uploaded` is the time that the index tells of it."""
        module, version = path.name.removesuffix(".tar.gz").split("-")[:2]
        requires_python = ""
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                text = archive.read(f"{module}-{version}.dist-info/METADATA").decode()
            lines = [line for line in text.splitlines() if line.startswith("Requires-Python: ")]
            requires_python = lines[0].partition(": ")[2] if lines else ""
        self._files[path.name] = _File(
            name=path.name,
            data=path.read_bytes(),
            project=module.replace("_", "-").lower(),
            version=version,
            requires_python=requires_python,
            uploaded=uploaded,
        )
        return path

    def release(
        self,
        name: str,
        version: str,
        *,
        requires: Sequence[str] = (),
        extras: Mapping[str, Sequence[str]] | None = None,
        files: Mapping[str, str] | None = None,
        entry_points: str = "",
        requires_python: str = "",
        tag: str = "py3-none-any",
        uploaded: str = "2024-01-01T00:00:00Z",
    ) -> Path:
        """Build a wheel, serve it and return its path."""
        return self.add(
            build_wheel(
                self.directory,
                name,
                version,
                requires=requires,
                extras=extras,
                files=files,
                entry_points=entry_points,
                requires_python=requires_python,
                tag=tag,
            ),
            uploaded,
        )

    def release_sdist(self, name: str, version: str, *, requires: Sequence[str] = ()) -> Path:
        """Build an sdist, serve it and return its path."""
        return self.add(build_sdist(self.directory, name, version, requires=requires))

    def yank(self, name: str, version: str, reason: str = "broken") -> None:
        """Mark a release as yanked (PEP 592)."""
        self._yanked[name, version] = reason

    def advise(self, name: str, version: str, *advisories: object) -> None:
        """Serve advisories on a release, and from now on for every release those that there are."""
        self._advisories = {**(self._advisories or {}), (name, version): list(advisories)}

    def corrupt(self, filename: str) -> None:
        """Serve other bytes from now on than the page of the index gives the hash of."""
        self._corrupt[filename] = self._files[filename].data + b"\0"

    def truncate(self, filename: str) -> None:
        """Serve only the first half of a file from now on, as if that were all of it."""
        data = self._files[filename].data
        self._corrupt[filename] = data[: len(data) // 2]

    def break_off(self, path: str) -> None:
        """Drop the connection half-way through every answer for a path of the index from now on."""
        self._broken_off.add(path)

    def fail(self, path: str) -> None:
        """Answer for a path of the index that there is an error of the server from now on."""
        self.failing.add(path)

    def mend(self) -> None:
        """Serve everything as it is again."""
        self.failing.clear()
        self._corrupt.clear()
        self._broken_off.clear()

    def length(self, path: str, body: bytes) -> int:
        """Return how many bytes of a body are sent."""
        return len(body) // 2 if path in self._broken_off else len(body)

    def sha256(self, filename: str) -> str:
        """Return the hash of a served file, in hexadecimal."""
        return self._files[filename].sha256

    def respond(self, path: str, accept: str) -> tuple[str, bytes] | None:
        """Return content type and body of a path, None for what is not there."""
        self.requests.append(path)
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "files":
            file = self._files.get(rest)
            data = self._corrupt.get(rest, file.data) if file else b""
            return ("application/octet-stream", data) if file else None
        if kind == "pypi" and self._advisories is not None:
            name, version, _ = rest.split("/")
            found = {"vulnerabilities": self._advisories.get((name, version), [])}
            return "application/json", json.dumps(found).encode()
        if kind != "simple":
            return None
        project = rest.strip("/")
        files = [file for file in self._files.values() if file.project == project]
        if project and not files:
            return None
        as_json = "application/vnd.pypi.simple.v1+json" in accept
        return self._page_json(project, files) if as_json else self._page_html(project, files)

    def _projects(self) -> list[str]:
        return sorted({file.project for file in self._files.values()})

    def _page_json(self, project: str, files: list[_File]) -> tuple[str, bytes]:
        page: dict[str, object] = {"meta": {"api-version": "1.1"}}
        if project:
            page["name"] = project
            page["versions"] = sorted({file.version for file in files})
            page["files"] = [
                {
                    "filename": file.name,
                    "url": f"/files/{file.name}",
                    "hashes": {"sha256": file.sha256},
                    "size": len(file.data),
                    "upload-time": file.uploaded,
                    "yanked": self._yanked.get((project, file.version), False),
                    **({"requires-python": file.requires_python} if file.requires_python else {}),
                }
                for file in files
            ]
        else:
            page["projects"] = [{"name": name} for name in self._projects()]
        return "application/vnd.pypi.simple.v1+json", json.dumps(page).encode()

    def _page_html(self, project: str, files: list[_File]) -> tuple[str, bytes]:
        links = [self._link(project, file) for file in files]
        if not project:
            links = [f'<a href="/simple/{name}/">{name}</a>' for name in self._projects()]
        page = "<!DOCTYPE html><html><body>\n" + "<br>\n".join(links) + "\n</body></html>\n"
        return "text/html", page.encode()

    def _link(self, project: str, file: _File) -> str:
        reason = self._yanked.get((project, file.version))
        yanked = "" if reason is None else f' data-yanked="{html.escape(reason)}"'
        python = (
            f' data-requires-python="{html.escape(file.requires_python)}"' if file.requires_python else ""
        )
        return f'<a href="/files/{file.name}#sha256={file.sha256}"{python}{yanked}>{file.name}</a>'


class _Server(ThreadingHTTPServer):
    # uv asks for dozens of files at once; with the default of 5 it would wait for the refused ones.
    request_queue_size = 128
    index: Index


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        served = cast(_Server, self.server).index
        answer = served.respond(path, self.headers.get("Accept", ""))
        kind, body = answer or ("text/plain", b"not found\n")
        self.send_response(500 if path in served.failing else 200 if answer else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: cast(_Server, self.server).index.length(path, body)])

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the name of the base class
        """Stay silent; `Index.requests` is the log."""


@contextmanager
def serve(directory: Path) -> Iterator[Index]:
    """Serve an index, empty at first, until the context ends."""
    index = Index(directory=directory)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.index = index
    index.url = f"http://127.0.0.1:{server.server_port}/simple"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def populate(index: Index) -> None:
    """Fill an index with the packages that all functional tests share.

    - `apple` 1.0, 1.1, 2.0, which require nothing;
    - `basket` 1.0, 1.1, which require apple and, before Python 3.11, `berry` 1.0; `basket[dried]`
      requires `raisin` 1.0;
    - `press` 1.0, which installs a command `press` that prints its arguments;
    - `pear` 1.0, an sdist only;
    - `plum` 1.0 and a yanked 1.1.
    """
    for version in ("1.0", "1.1", "2.0"):
        index.release("apple", version)
    for version in ("1.0", "1.1"):
        index.release(
            "basket",
            version,
            requires=("apple>=1.0", 'berry; python_version < "3.11"'),
            extras={"dried": ("raisin",)},
        )
    index.release("berry", "1.0")
    index.release("raisin", "1.0")
    index.release(
        "press",
        "1.0",
        files={"press.py": "import sys\n\n\ndef main():\n    print('pressed', *sys.argv[1:])\n"},
        entry_points="[console_scripts]\npress = press:main\n",
    )
    index.release_sdist("pear", "1.0")
    index.release("plum", "1.0")
    index.release("plum", "1.1")
    index.yank("plum", "1.1", "made of wax")
