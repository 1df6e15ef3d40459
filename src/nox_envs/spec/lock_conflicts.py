"""Owns the checking of lock options that rule each other out in a merged environment."""

from __future__ import annotations

from collections.abc import Iterator

from nox_envs.document import Mapping, Problems, Scalar
from nox_envs.spec.drafts import Named
from nox_envs.spec.scope import find, parts
from nox_envs.spec.types import LockOptions

# What only the resolution of a lock heeds, and what only names its file.
_RESOLVING = ("group", "resolution", "exclude_newer", "resolver")
_NAMING = ("per", "format")


def check_lock(named: Named, problems: Problems) -> None:
    """Add the problems of one environment: several files to write, keys that nothing would heed."""
    _check_files(named, problems)
    draft = named.draft
    for part in parts(draft):
        chain = part.chain if part.chain == draft.chain else (*part.chain, *draft.chain)
        written = _until_foreign(chain)
        given = (layer.lock for layer in (part.layer, draft.layer) if layer.lock is not None)
        if written:
            _check_foreign(written, tuple(given), problems)


def _check_files(named: Named, problems: Problems) -> None:
    lock = named.draft.layer.lock
    if lock is not None and lock.file is not None and len(lock.file) > 1 and lock.managed is not False:
        place = find(named.draft.chain, "lock", lock.file[1])
        message = "several files cannot be written as one lock"
        problems.add(place, message, "add 'managed: false' if they are only read, else name one file")


def _until_foreign(chain: tuple[Mapping, ...]) -> tuple[Mapping, ...]:
    """Return the mappings up to the one that says `managed: false`; what lies behind is more general.

    Nothing where the nearest word on it is another one, or there is none.
    """
    for number, mapping in enumerate(chain, 1):
        lock = mapping.value("lock")
        managed = lock.value("managed") if isinstance(lock, Mapping) else None
        if isinstance(managed, Scalar):
            return chain[:number] if managed.text == "false" else ()
    return ()


def _check_foreign(written: tuple[Mapping, ...], given: tuple[LockOptions, ...], problems: Problems) -> None:
    named = any(options.file for options in given)
    for key in _keys(written):
        if key.text in _NAMING:
            if named:
                problems.add(
                    key.place, f"'file' names the lock, {key.text!r} names nothing", "remove one of both"
                )
        else:
            message = f"{key.text!r} does nothing to a lock that others made"
            problems.add(
                key.place, message, "remove it; or remove 'managed: false' to have the lock made here"
            )


def _keys(written: tuple[Mapping, ...]) -> Iterator[Scalar]:
    for mapping in written:
        lock = mapping.value("lock")
        options = lock.entries if isinstance(lock, Mapping) else ()
        yield from (key for key, _ in options if key.text in (*_RESOLVING, *_NAMING))
        yield from (key for key, _ in mapping.entries if key.text == "allow_prereleases")
