"""Owns the one door to the network: some URLs at once, all within one span of time; understands nothing."""

from __future__ import annotations

import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from nox_envs.errors import NoxEnvsError
from nox_envs.index.connections import Addresses, PlainHandler, SecureHandler
from nox_envs.index.credentials import Credentials, origin_of
from nox_envs.values import value

_THREADS = 16
_LARGEST = 1 << 25
_LARGEST_OF_ALL = 1 << 29
_SILENCE = 10.0
_PIECE = 1 << 16
# An index that failed so often, and did not answer once, is not asked again.
_PATIENCE = 5
LATE = "no answer in time"


@value
class Answer:
    """Hold what came from a URL: its content type and its bytes, or why nothing came.

    `missing` tells that the server answered that there is no such thing (404, 410).
    """

    media_type: str = ""
    body: bytes = b""
    failure: str = ""
    missing: bool = False


class _Refused(Exception):
    """Say why an answer is not taken, for people."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow few redirects, to http and https only, never from https to http."""

    max_redirections = 5

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request that a redirect leads to, with the credentials of where it leads."""
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise _Refused(f"leads from {req.type} to another kind of address, {scheme[:20] or 'none'}")
        fp.close()  # else all of its text is read, however long it is
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        return _authorized(made, self._credentials) if made else None


def _authorized(request: urllib.request.Request, credentials: Credentials) -> urllib.request.Request:
    header = credentials.header(request.full_url)
    if header:
        request.add_unredirected_header("Authorization", header)
    return request


class Fetcher:
    """Fetch from http, https and file URLs, within `seconds` from now for all that is asked of it.

    Of a folder its `index.html` is taken.
    `certificates` is a file of the authorities that are trusted, empty for those of this machine.
    Raises NoxEnvsError where that file cannot be read.
    """

    def __init__(self, seconds: float, credentials: Credentials, certificates: str = "") -> None:
        self._end = time.monotonic() + seconds
        self._credentials = credentials
        self._opener = _opener(credentials, certificates)
        self._failures: Counter[str] = Counter()
        self._answered: set[str] = set()
        self._taken = 0

    def fetch(self, urls: tuple[str, ...], accept: str) -> tuple[Answer, ...]:
        """Return an answer for each URL, in order; `accept` are the content types to ask for.

        The threads are daemons and are left to themselves when time is up: a server that says a byte
        now and then keeps nobody waiting.
        """
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        arrived: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()
        for number in range(len(urls)):
            waiting.put(number)

        def work() -> None:
            while True:
                try:
                    number = waiting.get_nowait()
                except queue.Empty:
                    return
                arrived.put((number, self._answer(urls[number], accept)))

        for _ in range(min(_THREADS, len(urls))):
            threading.Thread(target=work, daemon=True).start()
        answers = [Answer(failure=LATE)] * len(urls)
        for _ in urls:
            try:
                number, answer = arrived.get(timeout=max(0.0, self._remaining()))
            except queue.Empty:
                break
            answers[number] = answer
        return tuple(answers)

    def _remaining(self) -> float:
        return self._end - time.monotonic()

    def _answer(self, url: str, accept: str) -> Answer:
        origin = origin_of(url)
        if self._remaining() <= 0:
            return Answer(failure=LATE)
        if self._failures[origin] >= _PATIENCE and origin not in self._answered:
            return Answer(failure="not asked any more, since it only failed")
        answer = self._asked(url, accept)
        if answer.failure:
            self._failures[origin] += 1
        else:
            self._answered.add(origin)
        return answer

    def _asked(self, url: str, accept: str) -> Answer:
        if origin_of(url).startswith("file:"):
            return _of_disk(url)
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": "nox-envs"}
        try:
            request = _authorized(urllib.request.Request(url, headers=headers), self._credentials)
            with self._opener.open(request, timeout=min(_SILENCE, max(0.1, self._remaining()))) as found:
                response = cast(HTTPResponse, found)
                return Answer(media_type=response.headers.get_content_type(), body=self._body(response))
        except urllib.error.HTTPError as error:
            error.close()
            missing = error.code in (404, 410)
            return Answer(failure="" if missing else f"HTTP {error.code}", missing=missing)
        except (OSError, http.client.HTTPException, ValueError, zlib.error, _Refused, NoxEnvsError) as error:
            return Answer(failure=_reason(error))

    def _body(self, response: HTTPResponse) -> bytes:
        """Read an answer piece by piece: as long as there is time, and no more than is sensible."""
        packed = response.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip")
        unpacker = zlib.decompressobj(wbits=31) if packed else None
        pieces: list[bytes] = []
        size = received = 0
        while piece := response.read1(_PIECE):
            received += len(piece)
            content = unpacker.decompress(piece, _LARGEST + 1 - size) if unpacker else piece
            size += len(content)
            self._taken += len(content)  # by several threads, so a little less may be counted
            if size > _LARGEST or self._taken > _LARGEST_OF_ALL:
                raise _Refused("the answer is too large")
            if self._remaining() <= 0:
                raise _Refused(LATE)
            pieces.append(content)
        if (unpacker and not unpacker.eof) or received < _announced(response):
            raise _Refused("the answer ended early")
        return b"".join(pieces)


def _of_disk(url: str) -> Answer:
    path = Path(urllib.request.url2pathname(urlsplit(url).path))
    try:
        with (path / "index.html" if path.is_dir() else path).open("rb") as stream:
            return Answer(media_type="text/html", body=stream.read(_LARGEST))
    except FileNotFoundError:
        return Answer(missing=True)
    except (OSError, ValueError) as error:
        return Answer(failure=_reason(error))


def _announced(response: HTTPResponse) -> int:
    length = response.headers.get("Content-Length", "0")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0


def _opener(credentials: Credentials, certificates: str) -> urllib.request.OpenerDirector:
    """Return what opens URLs, with the proxies of this machine and without files and ftp."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=certificates or None)
    except (OSError, ValueError):
        raise NoxEnvsError(f"{certificates}: holds no certificates that can be read") from None
    addresses = Addresses()
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        PlainHandler(addresses),
        SecureHandler(addresses, context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(credentials),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _reason(error: Exception) -> str:
    """Return why an answer did not come, in words that hold no URL."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return LATE
    if isinstance(cause, _Refused):
        return str(cause)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return f"no proper answer ({type(cause).__name__})"
