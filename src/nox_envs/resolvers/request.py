"""Owns what is handed to a resolver: the texts of its input files, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable

from nox_envs.lockfile.doubt import via_label
from nox_envs.lockfile.merging import requirement_text
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock, requirement_line
from nox_envs.pins import Pin
from nox_envs.requirements import Declared
from nox_envs.resolvers.settings import INDEXES, PLATFORMS, index_project, platform_project
from nox_envs.values import replace, value


@value
class InputFile:
    """Hold one file for a resolver: its name, its text, and what people call its content.

    A label is empty where nobody wants to hear of the file.
    """

    name: str
    text: str
    label: str


@value
class Request:
    """Hold the files of one resolution: `sources` are required, constraints only limit.

    `settings` are projects made for uv; see `nox_envs.resolvers.settings`.
    """

    sources: tuple[InputFile, ...]
    constraints: tuple[InputFile, ...] = ()
    build_constraints: tuple[InputFile, ...] = ()
    settings: tuple[InputFile, ...] = ()

    @property
    def files(self) -> tuple[InputFile, ...]:
        """Return every file."""
        return (*self.sources, *self.constraints, *self.build_constraints, *self.settings)

    def taking(self, names: Iterable[str], plan: LockPlan) -> Request:
        """Return the request in which uv takes `names` from the indexes that are theirs alone."""
        text = index_project(plan.indexes, plan.floor, names)
        return replace(self, settings=(*self.settings, InputFile(name=INDEXES, text=text, label="")))

    def limited(self, pins: tuple[Pin, ...]) -> Request:
        """Return the request that leaves no other choice than `pins`."""
        settled = InputFile(name="settled.txt", text=pin_lines(pins), label="")
        return replace(self, constraints=(*self.constraints, settled))

    def has(self, name: str) -> bool:
        """Tell whether a file is among the settings."""
        return any(file.name == name for file in self.settings)


def request(
    plan: LockPlan, *, root_url: str, layers: tuple[Lock, ...], common: tuple[Pin, ...] = ()
) -> Request:
    """Make the input files of a resolution.

    `root_url` is the `file:` URL of the spec's directory, ending in a slash, for relative paths;
    `layers` are the locks that constrain this one, `common` the pins of its group.
    """
    sources: dict[str, list[Declared]] = {}
    for declared in plan.requirements:
        sources.setdefault(via_label(declared), []).append(declared)
    limits: dict[str, list[Declared]] = {}
    for constraint in plan.constraints:
        limits.setdefault(f"-c {constraint.place.origin}", []).append(constraint)
    return Request(
        sources=tuple(
            InputFile(name=f"source-{n}.in", text=_lines(sources[label], root_url), label=label)
            for n, label in enumerate(sorted(sources))
        ),
        constraints=(
            *(
                InputFile(name=f"constraint-{n}.txt", text=_lines(limits[label], root_url), label=label)
                for n, label in enumerate(sorted(limits))
            ),
            *(
                InputFile(name=f"layer-{n}.txt", text=pin_lines(layer.pins), label=f"-c {layer.origin}")
                for n, layer in enumerate(layers)
            ),
            *((InputFile(name="common.txt", text=pin_lines(common), label=""),) if common else ()),
        ),
        build_constraints=_build(plan, root_url),
        settings=tuple(
            InputFile(name=name, text=text, label="")
            for name, text in ((PLATFORMS, platform_project(plan)),)
            if text
        ),
    )


def _build(plan: LockPlan, root_url: str) -> tuple[InputFile, ...]:
    if not plan.build_constraints:
        return ()
    text = _lines(list(plan.build_constraints), root_url)
    return (InputFile(name="build.txt", text=text, label="build_constraints"),)


def _lines(group: list[Declared], root_url: str) -> str:
    """Print requirements; an editable one is written as a plain path, for which resolvers tell the name."""
    return "".join(absolute_requirement(replace(one, editable=False), root_url) + "\n" for one in group)


def pin_lines(pins: tuple[Pin, ...]) -> str:
    """Return pins as lines without hashes; local paths are left out, they have no version to prefer."""
    return "".join(f"{requirement_line(pin)}\n" for pin in pins if not pin.source.url.startswith("."))


def absolute_requirement(declared: Declared, root_url: str) -> str:
    """Return a direct requirement as one line whose local path is an absolute `file:` URL."""
    if not declared.path:
        return requirement_text(declared)
    from urllib.parse import quote

    url = root_url + quote(declared.path.removeprefix("./"))
    if declared.editable or not declared.name:
        return requirement_text(replace(declared, path=url))
    return requirement_text(replace(declared, path="", url=url))
