"""The password of an index: it reaches the index, and no file, report, output or command line."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.index import Index

pytestmark = pytest.mark.functional

USER, PASSWORD = "somebody", "s3cr3t-w0rd"
ENCODED = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def guarded(index: Index) -> Iterator[str]:
    """Serve the tests' index to those who know the password; give its host and port."""

    class Guard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == f"Basic {ENCODED}"
            answer = (
                index.respond(self.path.partition("?")[0], self.headers.get("Accept", "")) if known else None
            )
            kind, body = answer or ("text/plain", b"no\n")
            self.send_response(200 if answer else 404 if known else 401)
            if not known:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the name of the base class
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Guard)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Collect the command lines of every process that can be seen meanwhile."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):  # it has ended
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
            ended.wait(0.002)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def holding(folder: Path) -> list[str]:
    """Return the files below a folder that hold the password, as it is or encoded."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    secrets = (PASSWORD.encode(), ENCODED.encode())
    return [str(file) for file in files if any(secret in file.read_bytes() for secret in secrets)]


CASES = {
    "uv, in the URL": ("uv", "", True),
    "uv, in netrc": ("uv", "", False),
    "pip, in the URL": ("virtualenv", "lock: {resolver: pip}", True),
    "pip, in netrc": ("virtualenv", "lock: {resolver: pip}", False),
}


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="command lines are read from /proc")
@pytest.mark.parametrize(("backend", "lock", "in_url"), CASES.values(), ids=CASES)
def test_the_password_of_an_index_is_in_no_file_no_output_and_no_command_line(
    project: Project, guarded: str, backend: str, lock: str, in_url: bool
) -> None:
    netrc = project.root.parent / "netrc"
    netrc.write_text("" if in_url else f"machine 127.0.0.1\nlogin {USER}\npassword {PASSWORD}\n")
    netrc.chmod(0o600)
    url = f"http://{USER}:{PASSWORD}@{guarded}/simple" if in_url else f"http://{guarded}/simple"
    env = {"UV_DEFAULT_INDEX": url, "PIP_INDEX_URL": url, "NETRC": str(netrc), "UV_NO_CACHE": "1",
           "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project.root / "summary.md")}  # fmt: skip
    spec = f"""\
        version: 1
        environments:
          good:
            requirements: [basket>=1]
            backend: {backend}
            {lock}
            commands: [python -c pass]
          bad: {{requirements: [nowhere-to-be-found>=1], backend: {backend}{", " if lock else ""}{lock}}}
        """
    project.write("envs.yaml", spec)
    with command_lines() as seen:
        locked = project.nox("-s", "lock", "--", "good", env=env)
        ran = project.nox("-s", "good", env=env)
        failed = project.nox("-s", "lock", "--", "bad", env=env)
        checked = project.cli("drift", "good", "--format", "json", env=env)
    assert locked.returncode == 0, locked.output
    assert ran.returncode == 0, ran.output
    assert failed.returncode == 1
    assert checked.returncode == 0, checked.output
    assert "no drift: " in ran.output
    assert (project.root / "summary.md").exists()
    output = locked.output + ran.output + failed.output + checked.output
    assert PASSWORD not in output
    assert ENCODED not in output
    assert any("basket" in line or "nox-envs" in line or "pip" in line for line in seen)
    assert [line for line in seen if PASSWORD in line or ENCODED in line] == []
    assert holding(project.root) == []


@pytest.mark.parametrize("resolver", ["uv", "pip"])
def test_a_password_in_a_requirements_file_is_refused_before_anybody_is_asked(
    project: Project, guarded: str, resolver: str
) -> None:
    project.write("app.in", f"apple @ http://{USER}:{PASSWORD}@{guarded}/files/apple-1.0-py3-none-any.whl\n")
    project.write(
        "envs.yaml",
        f"""\
        version: 1
        requirements: {{app: [{{file: app.in}}]}}
        environments: {{a: {{requirements: [app], lock: {{resolver: {resolver}}}}}}}
        """,
    )
    with command_lines() as seen:
        ran = project.nox("-s", "lock")
    assert ran.returncode != 0
    assert "carries a password" in ran.output
    assert PASSWORD not in ran.output
    assert [line for line in seen if PASSWORD in line] == []
    assert [file for file in holding(project.root) if not file.endswith("app.in")] == []
