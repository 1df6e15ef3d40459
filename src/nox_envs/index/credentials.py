"""Owns who we are to an index: credentials of URLs and netrc, each for its own host; prints none."""

from __future__ import annotations

import base64
import netrc
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from nox_envs.errors import NoxEnvsError


class Credentials:
    """Find what to send to a URL; `urls` may hold a user and a password, `netrc_file` may be absent.

    Raises NoxEnvsError for a URL that is no http, https or file one.
    """

    def __init__(self, urls: tuple[str, ...], netrc_file: Path | None = None) -> None:
        self._known: dict[str, tuple[str, str]] = {}
        self._netrc = _machines(netrc_file)
        for url in urls:
            origin = origin_of(url)
            user, password = _user_of(url)
            if user or password:
                self._known.setdefault(origin, (user, password))

    def header(self, url: str) -> str:
        """Return the value of the header `Authorization` for a URL, empty if there is none (RFC 7617)."""
        user, password = self._known.get(origin_of(url)) or self._of_host(url)
        if not user and not password:
            return ""
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def _of_host(self, url: str) -> tuple[str, str]:
        return self._netrc.get(urlsplit(url).hostname or "", self._netrc.get("default", ("", "")))


def _machines(file: Path | None) -> Mapping[str, tuple[str, str]]:
    """Return user and password of each host in a netrc file; none where it cannot be read."""
    if file is None:
        return {}
    try:
        hosts = netrc.netrc(str(file)).hosts
    except (OSError, netrc.NetrcParseError, ValueError):
        return {}
    return {host: (login or "", password or "") for host, (login, _, password) in hosts.items()}


def _user_of(url: str) -> tuple[str, str]:
    user, _, password = urlsplit(url).netloc.rpartition("@")[0].partition(":")
    return unquote(user), unquote(password)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, to which credentials belong.

    Raises NoxEnvsError for what is no http, https or file URL. It is not repeated: without a scheme
    nobody can tell which part of it is a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        usable = parts.scheme == "file" or (parts.scheme in ("http", "https") and bool(parts.hostname))
    except ValueError:  # brackets that do not match, a port that is no number
        usable, port = False, 0
    if not usable:
        raise NoxEnvsError(
            "the URL of an index begins with neither http://, https:// nor file://, or cannot be read;"
            " look at --index-url, the indexes of the spec and the settings of uv and pip"
        )
    return f"{parts.scheme}://{parts.hostname}:{port}"


def bare(url: str) -> str:
    """Return a URL without user, password, query and fragment, and without a slash at its end."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
