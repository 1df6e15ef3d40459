"""Owns the reading of a project's page of an index, JSON (PEP 691) or HTML (PEP 503); fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from nox_envs.errors import NoxEnvsError
from nox_envs.index.anchors import tags
from nox_envs.index.documents import document, rows, short, table, text
from nox_envs.index.filenames import version_of_file
from nox_envs.index.types import File, Page

# What is asked for, best first (PEP 691, version and format selection).
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_JSON = frozenset({"application/vnd.pypi.simple.v1+json", "application/json"})
_HTML = frozenset({"application/vnd.pypi.simple.v1+html", "text/html"})


def read_page(media_type: str, body: bytes, *, name: str, index: str) -> Page:
    """Read the page of the project `name`, a canonical name, that the index at the URL `index` gave.

    `media_type` is the content type of the answer. Files whose name does not tell a version of the
    project are left aside. Raises NoxEnvsError, worded as the end of a sentence, for what is no such
    page.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind in _JSON:
        files = tuple(_json_files(body, name))
    elif kind in _HTML:
        files = tuple(_html_files(body.decode("utf-8", "replace"), name))
    else:
        raise NoxEnvsError(f"is no page of an index, but {short(kind) or 'of no content type'}")
    if not files:
        raise NoxEnvsError("names no file of the package")
    return Page(name=name, index=index, files=files)


def _json_files(body: bytes, name: str) -> Iterator[File]:
    page = document(body)
    _require_known(text(table(page.get("meta")).get("api-version")))
    for row in map(table, rows(page.get("files"))):
        yanked = row.get("yanked", False)
        version = version_of_file(text(row.get("filename")), name)
        if version:
            yield File(
                version=version,
                requires_python=text(row.get("requires-python")),
                yanked=None if yanked is False or yanked is None else short(yanked),
                uploaded=text(row.get("upload-time")),
            )


def _html_files(page: str, name: str) -> Iterator[File]:
    for tag, attributes in tags(page):
        if tag == "meta":
            if attributes.get("name", "").lower() == "pypi:repository-version":
                _require_known(attributes.get("content", ""))
            continue
        path = attributes.get("href", "").partition("#")[0].partition("?")[0]
        version = version_of_file(unquote(path.rpartition("/")[2]), name)
        if version:
            yanked = attributes.get("data-yanked")
            yield File(
                version=version,
                requires_python=attributes.get("data-requires-python", ""),
                yanked=None if yanked is None else short(yanked),
            )


def _require_known(version: str) -> None:
    """Raise NoxEnvsError for a page of another major version than 1, the default (PEP 629)."""
    if version and version.partition(".")[0] != "1":
        raise NoxEnvsError(f"has the unknown version {short(version)}")
