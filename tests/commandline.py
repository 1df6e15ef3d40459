"""The command line, run in the process of a test, and what may be shown of it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from nox_envs.cli import main


def run(*words: str) -> tuple[int, str, str]:
    """Run the command line; return its exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as error:  # argparse
            code = int(error.code or 0)
    return code, out.getvalue(), err.getvalue()


def require_harmless(shown: str, *, annotations: bool = False) -> None:
    """Require that neither a terminal nor the runner of a CI job acts on a text."""
    assert [letter for letter in shown if letter != "\n" and not letter.isprintable()] == []
    assert not re.search(r"##\w*\[", shown)
    commands = [line for line in shown.split("\n") if line.lstrip().startswith("::")]
    assert all(annotations and re.match("::(error|warning|notice)[ :]", line) for line in commands)


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files by their paths in a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
