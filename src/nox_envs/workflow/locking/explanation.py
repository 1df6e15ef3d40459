"""Owns a resolver's explanation of a failure, in names that people know."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from nox_envs.lockfile.groups import named_in
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock, requirement_line
from nox_envs.pins import redact
from nox_envs.resolvers import Request
from nox_envs.resolvers.settings import INDEX_PROJECT

_SLOW = re.compile(r"(?i)\btimed? ?out\b")


def explanation(
    output: str,
    files: Request,
    *,
    folder: str,
    root_url: str,
    plans: tuple[LockPlan, ...],
    layers: tuple[Lock, ...] = (),
    code: int = 1,
) -> str:
    """Return what a resolver said, and below it who asks for the packages that it names.

    `folder` holds the files of the request; `plans` are those that were resolved together, and
    `code` is what the resolver ended with (negative: the signal that ended it).
    """
    for file in files.files:
        shown = file.label or file.name
        output = output.replace(f"{folder}{os.sep}{file.name}", shown).replace(file.name, shown)
    output = output.replace(
        INDEX_PROJECT, ", ".join(sorted({name for one in plans for name in one.environments}))
    )
    told = redact(output.replace(root_url, "./").strip())
    if not told:
        return f"the resolver said nothing and ended with {f'signal {-code}' if code < 0 else f'code {code}'}"
    asked = [*named_in(told, plans), *_layered(told, layers)]
    lines = [told, *(["asked for by:", *(f"  {one}" for one in asked)] if asked else [])]
    if _SLOW.search(told) and "UV_HTTP_TIMEOUT" not in told:
        lines.append("hint: the index did not answer in time; UV_HTTP_TIMEOUT=60 waits for 60 seconds")
    return "\n".join(lines)


def _layered(told: str, layers: tuple[Lock, ...]) -> Iterator[str]:
    words = set(re.findall(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*", told.lower()))
    for layer in layers:
        for pin in layer.pins:
            if pin.name in words:
                yield f"-c {layer.origin}: {requirement_line(pin)} ({pin.origin or layer.origin}:{pin.line})"
