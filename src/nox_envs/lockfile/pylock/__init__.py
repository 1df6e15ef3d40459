"""Owns locks in the format of PEP 751: parse, render, and the check of a pair; opens no file."""

from nox_envs.lockfile.pylock.pairing import pair_doubts
from nox_envs.lockfile.pylock.reading import parse_pylock, read_pylock
from nox_envs.lockfile.pylock.rendering import render_pylock

__all__ = ["pair_doubts", "parse_pylock", "read_pylock", "render_pylock"]
