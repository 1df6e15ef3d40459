"""Owns the regeneration of locks: several at once, each old file kept until its new one is whole."""

from nox_envs.workflow.locking.aftermath import prune, stale_layers
from nox_envs.workflow.locking.cooldown import cutoff
from nox_envs.workflow.locking.running import lock
from nox_envs.workflow.locking.summary import closing_lines, result_lines
from nox_envs.workflow.locking.types import (
    Change,
    Completed,
    LockRequest,
    LockResult,
    Outcome,
    Processes,
    Progress,
)

__all__ = [
    "Change",
    "Completed",
    "LockRequest",
    "LockResult",
    "Outcome",
    "Processes",
    "Progress",
    "closing_lines",
    "cutoff",
    "lock",
    "prune",
    "result_lines",
    "stale_layers",
]
