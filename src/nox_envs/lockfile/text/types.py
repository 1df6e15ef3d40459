"""Owns the types of a lock; reads and prints nothing."""

from __future__ import annotations

from nox_envs.pins import Pin
from nox_envs.values import value


@value
class Header:
    """Hold what a generated lock says of itself.

    `input` is the digest (`sha256:…`) of its inputs. `omitted` are the `via` entries of requirements
    that no pin answers, because their marker can never be true. `parts` are `name: value` of what
    else it was made with; see `nox_envs.lockfile.meaning.parts`.
    """

    environments: tuple[str, ...]
    pythons: tuple[str, ...]
    resolver: str
    input: str
    omitted: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


@value
class Leak:
    """Say what a lock holds that it must not: `what` names it without repeating it, at line `line`."""

    what: str
    line: int


@value
class Lock:
    """Hold a lock; `header` is None for a file that nox-envs did not generate."""

    origin: str
    header: Header | None
    pins: tuple[Pin, ...]
    leaks: tuple[Leak, ...] = ()
