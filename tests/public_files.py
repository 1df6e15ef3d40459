"""The requirements files of two public projects, which are not part of this repository."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "shared" / "examples"
_SOURCES = {
    "aiohttp": "requirements/ of github.com/aio-libs/aiohttp at commit 495e7783",
    "ansible-documentation": "tests/*.in, tests/*.txt and hacking/pr_labeler/ of "
    "github.com/ansible/ansible-documentation at commit ef72400c",
}


def absent(name: str) -> str:
    """Return what is missing and how to get it, empty where the project is there."""
    if (EXAMPLES / name).is_dir():
        return ""
    return f"../shared/examples/{name} is not beside this repository; to run this, put there {_SOURCES[name]}"


def example(name: str) -> Path:
    """Return the folder of a project, or skip the test."""
    if reason := absent(name):
        pytest.skip(reason)
    return EXAMPLES / name
