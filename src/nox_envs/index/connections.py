"""Owns connections to hosts: each host is looked up once, however many connections are made to it."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.request


class Addresses:
    """Look hosts up, each once: a name server that is asked hundreds of times at once stops answering."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], list[str] | OSError] = {}

    def connect(self, address: tuple[str, int], timeout: float, *_: object) -> socket.socket:
        """Connect to a host and port as `socket.create_connection` does; raises OSError."""
        with self._lock:
            if address not in self._known:
                self._known[address] = _look_up(address)
        found = self._known[address]
        if isinstance(found, OSError):
            raise OSError(found.errno, found.strerror or "the host is not known")
        failure = OSError("the host has no address")
        for host in found:
            made = _connected(host, address[1], timeout)
            if isinstance(made, socket.socket):
                return made
            failure = made
        raise failure


def _connected(host: str, port: int, timeout: float) -> socket.socket | OSError:
    try:
        return socket.create_connection((host, port), timeout)
    except OSError as error:
        return error


def _look_up(address: tuple[str, int]) -> list[str] | OSError:
    try:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    except UnicodeError:
        return OSError("is no name of a host")
    except OSError as error:
        return error
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


class PlainHandler(urllib.request.HTTPHandler):
    """Open http URLs by way of shared addresses."""

    def __init__(self, addresses: Addresses) -> None:
        super().__init__()
        self._addresses = addresses

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open a URL; raises URLError."""

        def connection(host: str, *, timeout: float) -> http.client.HTTPConnection:
            made = http.client.HTTPConnection(host, timeout=timeout)
            made._create_connection = self._addresses.connect  # type: ignore[attr-defined]
            return made

        return self.do_open(connection, req)  # type: ignore[arg-type]


class SecureHandler(urllib.request.HTTPSHandler):
    """Open https URLs by way of shared addresses, with the certificates of `context`."""

    def __init__(self, addresses: Addresses, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._addresses = addresses
        self._trusted = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open a URL; raises URLError."""

        def connection(host: str, *, timeout: float) -> http.client.HTTPConnection:
            made = http.client.HTTPSConnection(host, timeout=timeout, context=self._trusted)
            made._create_connection = self._addresses.connect  # type: ignore[attr-defined]
            return made

        return self.do_open(connection, req)  # type: ignore[arg-type]
