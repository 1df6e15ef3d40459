"""Owns what is remembered of lock plans between runs; see `memory` for when a memory holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nox_envs.errors import NoxEnvsError
from nox_envs.files import read_head, write_atomically
from nox_envs.values import replace
from nox_envs.workflow.memory import opened, plain, restored, sealed

if TYPE_CHECKING:
    from nox_envs.lockfile.plan import LockPlan
    from nox_envs.matrix import Point

_LIMIT = 1 << 26


class PlanMemory:
    """Remember the lock plan of one session, as long as the spec and the files it came from are the same.

    `file` belongs to the session alone, so that sessions at the same time do not disturb each other.
    `files` are those that a plan came from, relative to `root`: None while that is not known, or where
    it came from more than files.
    """

    def __init__(self, file: Path, key: str, root: Path) -> None:
        self.files: tuple[str, ...] | None = None
        self._file = file
        self._key = key
        self._root = root

    def recall(self) -> LockPlan | None:
        """Return the plan, or None if it is not remembered or one of its files is another by now."""
        try:
            document = json.loads(opened(read_head(str(self._file), _LIMIT)))
            if document["key"] != self._key or self._digests(document["files"]) != document["files"]:
                return None
            plan = cast("LockPlan", restored(document["plan"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        self.files = tuple(document["files"])
        return plan

    def remember(self, plan: LockPlan, point: Point, files: tuple[str, ...]) -> None:
        """Remember a plan for one of its points; `files` are those it was composed from.

        A plan that depends on more than the spec and these files is not remembered: on local paths,
        other locks, dynamic metadata or locks that others made.
        """
        alone = replace(plan, points=(point,))
        paths = any(declared.path for declared in (*plan.requirements, *plan.constraints))
        more = plan.layers or plan.related or plan.dynamic_extras is not None or plan.options.managed is False
        if paths or more or plan.options.group or alone.digest != plan.digest:
            return
        self.files = files
        document = {"key": self._key, "files": self._digests(files), "plan": plain(alone)}
        with suppress(NoxEnvsError):
            text = sealed(json.dumps(document, separators=(",", ":")))
            write_atomically(self._file, text, durable=False)

    def _digests(self, files: Iterable[str]) -> dict[str, str]:
        return {name: self._digest(self._root / name) for name in files}

    @staticmethod
    def _digest(file: Path) -> str:
        try:
            return hashlib.sha256(read_head(str(file), _LIMIT)).hexdigest()
        except FileNotFoundError:
            return ""
