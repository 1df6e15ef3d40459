"""Owns the text of a lock: parse and render of a hash-pinned requirements file; opens no file.

The format is pip's requirements file format, cut down to pins, hashes and comments.
"""

from nox_envs.lockfile.text.reading import parse
from nox_envs.lockfile.text.rendering import render, requirement_line
from nox_envs.lockfile.text.types import Header, Lock

__all__ = ["Header", "Lock", "parse", "render", "requirement_line"]
