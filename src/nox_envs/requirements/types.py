"""Owns the types of a composition; computes nothing beyond the copies they need."""

from __future__ import annotations

from nox_envs.errors import Place
from nox_envs.values import value


@value
class Declared:
    """Hold one direct requirement (or constraint) after includes, files and groups were followed.

    `name` is canonical, empty for a URL or path that gives none; `extras` are canonical and sorted.
    At most one of `specifier`, `url` and `path` is non-empty; `path` is POSIX and relative to the
    spec's directory: `.`, or it begins with `./` or `../`. `marker` is as packaging prints it (empty:
    always). `hashes` look like `sha256:…`. `why` is the chain of requirement sets and files that led
    here, outermost first.
    """

    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    url: str = ""
    path: str = ""
    editable: bool = False
    marker: str = ""
    hashes: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    place: Place

    def below(self, why: tuple[str, ...]) -> Declared:
        """Return the same requirement with `why` put before its chain."""
        return Declared(
            name=self.name,
            extras=self.extras,
            specifier=self.specifier,
            url=self.url,
            path=self.path,
            editable=self.editable,
            marker=self.marker,
            hashes=self.hashes,
            why=why + self.why,
            place=self.place,
        )


@value
class Composition:
    """Hold everything that a point asks for.

    `constraints` are those of files and texts; the locks of other environments that constrain this
    one are not followed here. `dynamic_extras` is not None when the project's own dependencies are
    dynamic and must be left to the resolver: the extras to resolve with, possibly none.
    """

    requirements: tuple[Declared, ...]
    constraints: tuple[Declared, ...] = ()
    build_constraints: tuple[Declared, ...] = ()
    dynamic_extras: tuple[str, ...] | None = None
