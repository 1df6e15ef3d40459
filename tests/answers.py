"""Owns a server on loopback that gives one answer to everybody, however wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Respond = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(respond: Respond, path: str = "") -> Iterator[str]:
    """Serve one answer for every GET on the loopback interface; yield its URL with `path`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            respond(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """Stay silent: whoever asked may be gone."""

    with Server(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}{path}"
        served.shutdown()
        thread.join()
