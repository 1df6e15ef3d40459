"""Owns what is installed in a venv, read from its site-packages; starts no interpreter, writes nothing."""

from nox_envs.snapshot.freeze import freeze
from nox_envs.snapshot.installed import take, untouched
from nox_envs.snapshot.metadata import Metadata, read_metadata
from nox_envs.snapshot.types import Distribution, Interpreter, NotAVenv, Snapshot

__all__ = [
    "Distribution",
    "Interpreter",
    "Metadata",
    "NotAVenv",
    "Snapshot",
    "freeze",
    "read_metadata",
    "take",
    "untouched",
]
