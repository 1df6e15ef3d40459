"""Owns the text of a lock: parse and render of a hash-pinned requirements file; opens no file.

The format is pip's requirements file format, cut down to pins, hashes and comments.
"""

from nox_envs.lockfile.text.reading import parse, read_header, url_leaks
from nox_envs.lockfile.text.rendering import render, render_header, requirement_line
from nox_envs.lockfile.text.types import Header, Leak, Lock

__all__ = [
    "Header",
    "Leak",
    "Lock",
    "parse",
    "read_header",
    "render",
    "render_header",
    "requirement_line",
    "url_leaks",
]
