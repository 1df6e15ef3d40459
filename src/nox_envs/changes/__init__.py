"""Owns the difference between two sets of pins, package by package; pure, opens no file."""

from nox_envs.changes.comparison import compare
from nox_envs.changes.kinds import version_change
from nox_envs.changes.pairing import pair
from nox_envs.changes.types import CHANGE_KINDS, Change, ChangeKind, Comparison, PackageChange, Pair, PinSet

__all__ = [
    "CHANGE_KINDS",
    "Change",
    "ChangeKind",
    "Comparison",
    "PackageChange",
    "Pair",
    "PinSet",
    "compare",
    "pair",
    "version_change",
]
