"""Owns the types of an adoption: what a project has, and what a spec is to say of it; reads nothing."""

from __future__ import annotations

from nox_envs.values import value


@value
class Compiled:
    """Hold a lock that another tool made.

    `python` is the `X.Y` it was made with or for (empty: unknown); `universal` locks are for every
    Python from there on. `command` are the words of the command that its header names.
    """

    path: str
    python: str = ""
    universal: bool = False
    command: tuple[str, ...] = ()


@value
class InputFile:
    """Hold a file of requirements that people write, with the lock that was made of it, if any.

    `items` are the items of its requirement set: the file itself, or what could be read of it, and
    `includes` the files whose sets it includes.
    `constraints` are files that limit it, `names` the packages it asks for directly, `package` how it
    installs the project itself (as the spec has it).
    """

    path: str
    lock: Compiled | None
    items: tuple[str, ...]
    includes: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    package: str = ""


@value
class Survey:
    """Hold what was found in a project, and notes on what cannot be taken over."""

    inputs: tuple[InputFile, ...]
    locks: tuple[Compiled, ...]
    notes: tuple[str, ...]


@value
class Draft:
    """Hold one environment to be written; `items` are those of the requirement set of its name.

    `exact` installs all of `lock`, which is else only kept to; `command` is a suggestion.
    """

    name: str
    description: str
    items: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    package: str = ""
    constraints: tuple[str, ...] = ()
    lock: Compiled | None = None
    exact: bool = False
    command: str = ""
