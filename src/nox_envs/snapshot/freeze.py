"""Owns the printing of a snapshot as requirements; reads nothing."""

from __future__ import annotations

from collections.abc import Collection

from nox_envs.pins import SEED_PACKAGES, direct_reference, is_name, normal_version
from nox_envs.snapshot.types import Distribution, Snapshot


def freeze(
    snapshot: Snapshot,
    *,
    all: bool = False,  # noqa: A002, the word of pip freeze
    pinned: Collection[str] = (),
) -> str:
    """Print a snapshot in the format of pip freeze: one line for each distribution, sorted by name.

    Seed packages (pip, setuptools, …) are left out, except with `all` and those named in `pinned`
    (canonical names of a lock). What is no requirement becomes a comment, so that the text can be
    installed from.
    """
    found = (
        distribution
        for distribution in snapshot.distributions
        if all or distribution.name not in SEED_PACKAGES or distribution.name in pinned
    )
    return "".join(f"{_line(distribution)}\n" for distribution in found)


def _line(distribution: Distribution) -> str:
    source = distribution.source
    if not is_name(distribution.name):
        return f"# {distribution.name} {distribution.version} ({distribution.defect})"
    if source.kind == "index":
        version = normal_version(distribution.version)
        return f"{distribution.name}=={version}" if version else _legacy(distribution)
    if source.kind == "directory" and source.editable:
        return f"-e {direct_reference(source)}"
    return f"{distribution.name} @ {direct_reference(source)}"


def _legacy(distribution: Distribution) -> str:
    # `===` compares as text (PEP 440, arbitrary equality); nothing can be compared with no text.
    if not distribution.version or " " in distribution.version:
        return f"# {distribution.name} {distribution.version} ({distribution.defect})"
    return f"{distribution.name}==={distribution.version}"
