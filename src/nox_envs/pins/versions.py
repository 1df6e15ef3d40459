"""Owns the equality of versions (PEP 440); packaging is imported only for versions that look different."""

from __future__ import annotations

import re

_NUMBER = r"(?:0|[1-9][0-9]*)"
_LOCAL = rf"(?:{_NUMBER}|[0-9]*[a-z][a-z0-9]*)"
_NORMAL_VERSION = re.compile(
    rf"(?:[1-9][0-9]*!)?{_NUMBER}(?:\.{_NUMBER})*(?:(?:a|b|rc){_NUMBER})?(?:\.post{_NUMBER})?"
    rf"(?:\.dev{_NUMBER})?(?:\+{_LOCAL}(?:\.{_LOCAL})*)?"
)


def is_version(text: str) -> bool:
    """Tell whether a text is a version (PEP 440)."""
    return bool(normal_version(text))


def normal_version(text: str) -> str:
    """Return the normal form of a version (PEP 440), or nothing for a text that is none."""
    if _NORMAL_VERSION.fullmatch(text):
        return text
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(text))
    except (InvalidVersion, ValueError):  # ValueError: more digits than int() takes
        return ""


def versions_equal(expected: str, actual: str) -> bool:
    """Tell whether an installed version satisfies `==expected`.

    A local version installed satisfies a public one expected, not the other way round (PEP 440,
    version matching). Texts that are no versions are compared as they are.
    """
    if expected == actual:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        wanted, found = Version(expected), Version(actual)
    except (InvalidVersion, ValueError):
        return False
    return wanted == found or (wanted.local is None and wanted == Version(found.public))
