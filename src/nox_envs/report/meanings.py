"""Owns one sentence on each kind of finding, for the formats that explain what they show."""

from __future__ import annotations

MEANINGS: dict[str, str] = {
    "lock-missing": "The environment has no lock file.",
    "lock-stale": "The lock was made from other inputs than the spec has now.",
    "lock-unsatisfied": "A declared requirement is met by no pin of the lock, or by several.",
    "lock-orphaned": "A lock file carries this tool's header, but no environment declares it.",
    "lock-unhashed": "A pin of the lock has no hash.",
    "leak": "A file that is committed or sent to others holds a credential.",
    "missing": "The lock pins a package that is not installed.",
    "extraneous": "A package is installed that the lock does not ask for here.",
    "version": "A package is installed in another version than the lock pins.",
    "source": "A package came from another kind of place than the lock says.",
    "revision": "A package was installed from another commit than the lock pins.",
    "artifact": "A package was installed from another file than the lock names.",
    "unverifiable": "The venv does not record enough to tell which file a package came from.",
    "python": "The venv has another interpreter than the environment asks for.",
    "inconsistent": "A requirement of an installed package is not met by what is installed.",
    "duplicate": "One package is installed twice, and which of both is used is chance.",
    "broken-metadata": "The metadata of an installed package cannot be relied on.",
    "leftover": "An interrupted uninstall left a folder behind.",
    "file-modified": "An installed file is not the one that was installed.",
    "file-missing": "A file that was installed is gone.",
    "unowned": "A file lies among the installed ones that no package brought.",
    "clobbered": "Two packages brought the same file, and one has overwritten the other's.",
    "startup-hook": "A file that no package owns runs whenever the interpreter starts.",
    "skew": "Environments of a group, or hosts that ran one session, differ in the version of a package.",
    "outdated": "The index has a newer version than the lock pins.",
    "yanked": "The pinned version was yanked from the index.",
    "advisory": "A known vulnerability concerns the pinned version.",
}
