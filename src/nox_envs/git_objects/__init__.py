"""Owns the reading of a git repository's object store: revisions, trees, files; starts no process.

Reads what `git rev-parse` and `git cat-file` would, from the files that gitrepository-layout(5),
gitformat-pack(5) and gitrevisions(7) describe. Replaced objects (refs/replace) are read as they were.
Writes nothing, asks no network, and knows nothing of what the files hold.
"""

from nox_envs.git_objects.repository import Repository, open_repository
from nox_envs.git_objects.store import MissingObject

__all__ = ["MissingObject", "Repository", "open_repository"]
