"""Owns the reading and printing of sources: direct references, direct_url.json, redaction; opens no file."""

from __future__ import annotations

import os
import re

from nox_envs.pins.types import Source

# Patterns are texts here: most runs meet no URL, and re compiles and keeps what is used.
# What precedes the `://` is not matched: in a long text that would take quadratic time.
_USERINFO = r"(?P<ssh>ssh)?://(?P<user>[^/?#\s]*)@"
_USERINFO_VARIABLES = r"\$\{[\w-]+\}(?::\$\{[\w-]+\})?"
_QUERY = r"[?&](?P<name>[^=&?#\s]*)=(?!\$\{[\w-]+\}(?:[&#\s]|$))[^&#\s]+"
_SECRET = r"(?i)token|secret|passw|signature|credential|api[-_]?key|auth(?!or)|^sig$"
_VCS = r"(?i)(?:git|hg|svn|bzr)\+"
_SCP = r"^(?P<vcs>\w+)\+(?P<host>[^/:@\s]+@[^/:\s]+):(?!/)"
_FILE = r"(?i)file:(?://(?:localhost)?(?=/))?(?P<path>/(?!/).*)?"
_ARCHIVE = r"(?i).*\.(?:whl|zip|tar|tgz|tbz|txz|tlz|tar\.(?:gz|bz2|xz|lzma|zst))"
_HASHES = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})


def redact(text: str) -> str:
    """Return a text with the credentials of every URL in it removed.

    Kept are the bare user of an SSH URL, `git@`, and variables such as `${TOKEN}` (PEP 610), for
    they are no secrets. The value of a query parameter named like a secret becomes `****`.
    """
    return re.sub(_QUERY, _without_secret, re.sub(_USERINFO, _without_credentials, text))


def holds_credentials(text: str) -> bool:
    """Tell whether a URL in a text carries credentials that `redact` would remove."""
    if "://" not in text or ("@" not in text and "=" not in text):
        return False  # most texts are no URL, and need no pattern
    return redact(text) != text


def _without_secret(match: re.Match[str]) -> str:
    name = match["name"]
    return f"{match[0][0]}{name}=****" if re.search(_SECRET, name) else match[0]


def _without_credentials(match: re.Match[str]) -> str:
    ssh, user = match["ssh"] or "", match["user"]
    name = user.partition(":")[0]
    if re.fullmatch(_USERINFO_VARIABLES, user):
        return match[0]
    return f"{ssh}://{name}@" if name and (name == "git" or ssh) else f"{ssh}://"


def source_of_url(url: str, *, editable: bool = False) -> Source:
    """Read the source that a declared direct reference names (PEP 440, PEP 508; pip's VCS URLs).

    `url` is what follows the `@` of a requirement: a VCS URL with an optional `@revision`, the URL of
    an archive, or a `file:` URL; hashes and the subdirectory are taken from its fragment.
    """
    body, _, fragment = redact(url.strip()).partition("#")
    hashes, subdirectory = _fragment(fragment)
    if re.match(_VCS, body):
        body, revision = _split_revision(re.sub(_SCP, r"\g<vcs>+ssh://\g<host>/", body))
        return Source(kind="vcs", url=body, revision=revision, subdirectory=subdirectory, editable=editable)
    body = _local(body)
    if body.startswith("file:") and (editable or not re.fullmatch(_ARCHIVE, body)):
        return Source(kind="directory", url=body, subdirectory=subdirectory, editable=editable)
    return Source(kind="archive", url=body, subdirectory=subdirectory, hashes=hashes)


def source_of_path(path: str, root: str, *, editable: bool = False) -> Source:
    """Read the source that a declared local path names, relative to the directory `root`."""
    from pathlib import Path

    whole = Path(os.path.normpath(os.path.join(root, path))).absolute()
    return source_of_url(whole.as_uri(), editable=editable)


def _split_revision(url: str) -> tuple[str, str]:
    """Split `git+https://host/path@revision`; an `@` before the path belongs to the host."""
    url = url.rstrip("@")
    path = url.find("/", url.find("://") + 3)
    at = url.rfind("@", path) if path > 0 else -1
    return (url[:at], url[at + 1 :]) if at > 0 else (url, "")


def _local(url: str) -> str:
    """Give the `file:` URL of an absolute path its one spelling; another URL stays."""
    match = re.fullmatch(_FILE, url)
    return f"file://{match['path'].rstrip('/') or '/'}" if match and match["path"] else url


def _fragment(fragment: str) -> tuple[tuple[str, ...], str]:
    from urllib.parse import unquote

    hashes: set[str] = set()
    subdirectory = ""
    for part in fragment.split("&"):
        key, _, value = part.partition("=")
        if key.lower() in _HASHES and value:
            hashes.add(f"{key}:{value}".lower())
        elif key == "subdirectory":
            subdirectory = unquote(value).strip("/")
    return tuple(sorted(hashes)), subdirectory


def parse_direct_url(text: str) -> Source:
    """Read the source that a direct_url.json records (PEP 610).

    Raises ValueError, worded for a person, for a text that does not follow the PEP.
    """
    import json

    try:
        record: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    url = redact(_text(record, "url"))
    subdirectory = _text(record, "subdirectory").replace("%20", " ").strip("/")
    if not url:
        raise ValueError("has no url")
    if not url[0].isalpha():
        raise ValueError("has a url that is none")
    vcs, archive, directory = (_table(record, key) for key in ("vcs_info", "archive_info", "dir_info"))
    if vcs is not None:
        return _recorded_vcs(url, subdirectory, vcs)
    if archive is not None:
        hashes = _recorded_hashes(archive)
        return Source(kind="archive", url=_local(url), subdirectory=subdirectory, hashes=hashes)
    if directory is not None and url.startswith("file:"):
        editable = directory.get("editable") is True
        return Source(kind="directory", url=_local(url), subdirectory=subdirectory, editable=editable)
    if directory is not None:
        raise ValueError("has a dir_info whose url is no file: URL")
    raise ValueError("has none of vcs_info, archive_info and dir_info")


def _table(record: object, key: str) -> dict[str, object] | None:
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, dict) else None


def _text(table: object, key: str) -> str:
    """Return a text of a table, its spaces quoted; refuse one that could not be printed on one line."""
    value = table.get(key) if isinstance(table, dict) else None
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"has a {key} that is no printable text")
    # Behind a space the installer that reads `freeze` would look for an option.
    return value.replace(" ", "%20")


def _recorded_vcs(url: str, subdirectory: str, vcs: dict[str, object]) -> Source:
    tool, commit, requested = (_text(vcs, key) for key in ("vcs", "commit_id", "requested_revision"))
    if not tool or not commit:
        raise ValueError("has a vcs_info without vcs or commit_id")
    return Source(
        kind="vcs",
        url=re.sub(_SCP, r"\g<vcs>+ssh://\g<host>/", f"{tool}+{url}"),
        revision=commit,
        requested=requested,
        subdirectory=subdirectory,
    )


def _recorded_hashes(archive: dict[str, object]) -> tuple[str, ...]:
    """Read `hashes`, and the older `hash` (`sha256=…`)."""
    table = _table(archive, "hashes") or {}
    found = {f"{name}:{_text(table, name)}" for name in table if name in _HASHES}
    name, equals, value = _text(archive, "hash").partition("=")
    if equals:
        found.add(f"{name}:{value}")
    return tuple(sorted({item.lower() for item in found}))


def direct_reference(source: Source) -> str:
    """Print a source as pip freeze does after `name @`; nothing for an index."""
    revision = f"@{source.revision}" if source.revision else ""
    # Several hashes name one artifact; one is enough, and sha256 is the one everybody reads.
    best = sorted(source.hashes, key=lambda item: not item.startswith("sha256:"))[:1]
    parts = [item.replace(":", "=", 1) for item in best]
    if source.subdirectory:
        parts.append(f"subdirectory={source.subdirectory.replace(' ', '%20')}")
    return f"{source.url}{revision}{'#' if parts else ''}{'&'.join(parts)}"


def local_path(url: str) -> str:
    """Return the path that a `file:` URL means on this machine."""
    from urllib.parse import unquote

    path = unquote(_local(url).removeprefix("file://"))
    if os.name == "nt":  # pragma: no cover
        path = path.removeprefix("/") if path.startswith("/") else f"//{path}"
    return os.path.normpath(path)
