"""Locks that other tools write: one file or several in pip's format, which are read and never written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nox_envs.errors import FileProblems, Place
from nox_envs.files import read_text
from nox_envs.lock.pins import Pin, Source
from nox_envs.lock.text import Lock, pin_of
from nox_envs.requirements.compose import Composer, Walk
from nox_envs.requirements.project import digest_of
from nox_envs.spec.types import Spec
from nox_envs.spec.words import canonical_name, is_bare
from nox_envs.terminal import redact
from nox_envs.values import replace

_COMMAND = r"(?m)^#[^\n]*command:[ ]*\n(?:#[ ]*\n)*#[ ]{2,}(\S[^\n]*)$"
_MADE_FOR = r"(?i)(?:pip-compile with python |\s(?:-p|--python(?:-version)?)[ =])(\d{1,2}\.\d{1,2})"


def read_foreign(root: Path, files: tuple[str, ...], *, environ: Mapping[str, str]) -> Lock:
    """Read locks that another tool writes and that are installed together, and the files that they include.

    `files` are POSIX paths relative to `root`, the spec's directory; `environ` has the values of
    `${VARIABLE}`. Raises FileProblems with every line that cannot be read, or is not a pin.
    """
    walk = Walk(Composer(Spec(origin="", sets=(), environments=()), root=root, environ=environ), foreign=True)
    for path in files:
        with walk.at(Place(origin=path)):
            walk.file(path)
    joined: dict[tuple[str, str, Source], Pin] = {}
    for one in walk.requirements:
        with walk.at(one.place):
            pin = pin_of(one, walk.lines[one.place], one.place.origin)
            via = tuple([canonical_name(text) if is_bare(text) else text for text in pin.via])
            pin = replace(pin, via=via)
            known = joined.setdefault((pin.name, pin.version, pin.source), pin)
            either = f"({known.marker}) or ({pin.marker})" if known.marker and pin.marker else ""
            joined[pin.name, pin.version, pin.source] = replace(
                known,
                marker=known.marker if known.marker == pin.marker else either,
                extras=tuple(sorted({*known.extras, *pin.extras})),
                hashes=tuple(sorted({*known.hashes, *pin.hashes})),
                via=tuple(dict.fromkeys((*known.via, *pin.via))),
            )
    if walk.problems:
        raise FileProblems(walk.problems)
    paths = [*files, *(place.origin for place in walk.lines)]
    texts = {path: read_text(root / path, shown=path) for path in dict.fromkeys(paths)}
    heads = [text[:4000] for text in texts.values()]
    commands = [redact(match[1]) for head in heads if (match := re.search(_COMMAND, head))]
    made_for = [match[1] for head in heads if (match := re.search(_MADE_FOR, head))]
    options = [(place, line) for place, line in walk.lines.items() if line.kind == "option"]
    leaks = [(line.text + " with credentials" * line.secret, str(place)) for place, line in options]
    return Lock(
        origin=files[0],
        header=(),
        pins=tuple(joined.values()),
        leaks=tuple(leaks),
        limits=tuple(walk.constraints),
        command=" && ".join(commands),
        pythons=() if any("--universal" in command for command in commands) else tuple(made_for),
        digest=digest_of(texts),
    )
