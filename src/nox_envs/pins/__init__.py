"""Owns what "the same package" means: canonical names, versions, sources; opens no file, writes nothing."""

from nox_envs.pins.difference import Difference, differs
from nox_envs.pins.types import INDEX, SEED_PACKAGES, Pin, Source, SourceKind, canonical_name, is_name
from nox_envs.pins.urls import (
    direct_reference,
    holds_credentials,
    local_path,
    parse_direct_url,
    redact,
    source_of_path,
    source_of_url,
)
from nox_envs.pins.versions import is_version, normal_version, versions_equal

__all__ = [
    "INDEX",
    "SEED_PACKAGES",
    "Difference",
    "Pin",
    "Source",
    "SourceKind",
    "canonical_name",
    "differs",
    "direct_reference",
    "holds_credentials",
    "is_name",
    "is_version",
    "local_path",
    "normal_version",
    "parse_direct_url",
    "redact",
    "source_of_path",
    "source_of_url",
    "versions_equal",
]
