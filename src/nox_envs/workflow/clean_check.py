"""Owns what is remembered of a check that found nothing, so that the same look need not be judged again.

What is on disk is looked at on every run; only the judgement is remembered, by everything it came from:
the spec, the code, the lock and every other file behind it, the receipt, and what the venv shows. Any
difference in one of them, and the check is made anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nox_envs.errors import NoxEnvsError
from nox_envs.evidence import evidence
from nox_envs.files import read_head, write_atomically
from nox_envs.workflow.memory import opened, sealed

if TYPE_CHECKING:
    from nox_envs.matrix import Point
    from nox_envs.workflow.project import Project

_LIMIT = 1 << 26
_RECEIPT = "nox-envs.json"


class Clean(NamedTuple):
    """Hold the outcome of a check without findings: its one line, and its report as JSON.

    `sound` tells that the requirements of everything installed were found to be met, too.
    """

    line: str
    report: str
    sound: bool

    def lasting(self, seconds: float) -> str:
        """Return the report of a session that found the same and took `seconds`."""
        # Within a JSON string every quote is escaped, so that no text from outside looks like this key.
        return re.sub('"seconds": [0-9.]+', f'"seconds": {round(seconds, 3)}', self.report, count=1)


class CleanCheck:
    """Remember the check of one session whose venv is at `location`."""

    def __init__(self, project: Project, point: Point, location: Path) -> None:
        self._project = project
        self._point = point
        self._location = location
        self._file = project.state / "clean" / f"{location.name}.json"
        self._shown = ""
        self._before: dict[str, str] = {}

    def recall(self) -> Clean | None:
        """Return the outcome if a check now would look at nothing but what the remembered one saw."""
        if not self._shallow:
            return None
        try:
            document = json.loads(opened(read_head(str(self._file), _LIMIT)))
            if document["seen"] != self._seen(document["seen"]) or not self._shown:
                return None
            self._before = document["seen"]
            line, report, sound = document["line"], document["report"], document["sound"]
            return Clean(line=str(line), report=str(report), sound=sound is True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def begin(self, files: tuple[str, ...] | None) -> None:
        """Note what a check is about to look at; `files` are relative, None for more than files.

        A lock may be written while a session checks: what is remembered was there before and after.
        """
        if files is not None and self._shallow:
            self._before = self._seen(files)

    def remember(self, clean: Callable[[], Clean]) -> None:
        """Remember that the check that began found nothing, if all that it looked at is still the same."""
        if self._before and self._before == self._seen(self._before) and self._shown:
            document = {"seen": self._before, **clean()._asdict()}
            with suppress(NoxEnvsError):  # a folder that cannot be written costs time, nothing else
                write_atomically(self._file, sealed(json.dumps(document)), durable=False)

    def look(self) -> None:
        """Look at the venv as it is now, before anybody may change it."""
        self._shown = evidence(self._location)

    @property
    def untouched(self) -> bool:
        """Tell whether the venv shows the same as when it was looked at last."""
        return bool(self._shown) and self._shown == evidence(self._location)

    @property
    def files(self) -> frozenset[str]:
        """Return the files behind the check that began or was recalled, the locks among them."""
        return frozenset(self._before) - {""}

    @property
    def _shallow(self) -> bool:
        return (self._point.drift.files or "off") == "off"

    def _seen(self, files: Iterable[str]) -> dict[str, str]:
        """Return digests of everything that a check looks at: those of files, and of the rest as one."""
        self._shown = evidence(self._location)
        rest = (
            self._project.key,
            self._point.session,
            str(self._point.python),
            _digest(self._location / _RECEIPT),
            self._shown,
            self._project_fingerprint,
            *self._project.host.values(),
        )
        seen = {name: _digest(self._project.root / name) for name in files if name}
        return {**seen, "": hashlib.sha256("\0".join(rest).encode()).hexdigest()}

    @property
    def _project_fingerprint(self) -> str:
        mode = self._point.package.mode
        if mode == "none":
            return ""
        from nox_envs.workflow.source_tree import fingerprint

        return fingerprint(self._project.root, editable=mode == "editable")


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(read_head(str(file), _LIMIT)).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError:  # the check that follows says what is wrong with it
        return "unread"
