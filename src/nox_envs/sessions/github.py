"""Owns what a session tells GitHub Actions unasked: annotations, and its part of the job summary."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from nox_envs.report import Report, render


def publish(report: Report, *, annotate: bool = True) -> None:
    """Print the annotations of a report with `annotate`, and append it to the job summary.

    Annotations would spoil a document on the same stream, such as a report in another format than text.
    The runner names the summary's file in GITHUB_STEP_SUMMARY. A summary that cannot be written is
    no reason to fail a session.
    """
    if annotate:
        sys.stdout.write(render(report, "github"))
        sys.stdout.flush()
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        # One write at the end of the file, so that sessions that run at once do not mix.
        text = render(report, "markdown") + "\n"
        with contextlib.suppress(OSError), Path(summary).open("ab") as stream:
            stream.write(text.encode("utf-8"))
