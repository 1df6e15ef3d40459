"""The rows of a CI matrix: one session on one runner each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from nox_envs.errors import NoxEnvsError, did_you_mean
from nox_envs.spec.types import Point
from nox_envs.spec.words import venv_directory

Row: TypeAlias = dict[str, str | list[str]]


def parse_shard(text: str) -> tuple[int, int]:
    """Return the two numbers of `I/N`, such as `2/5`; raises NoxEnvsError for anything else."""
    match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise NoxEnvsError(f"--shard: {text!r} is not I/N with I from 1 to N; the second of five is 2/5")
    return int(match[1]), int(match[2])


def matrix_rows(
    points: Sequence[Point],
    *,
    tags: Sequence[str] = (),
    runner: str = "",
    shard: tuple[int, int] = (1, 1),
    envdir: str = ".nox",
    lock_of: Callable[[Point], tuple[str, str]],
) -> tuple[Row, ...]:
    """Return a row for each point and each label of its `runs_on`, or for `runner` where it has none.

    `tags` keeps the points that have one of them. `shard` is a part and the number of parts: rows are dealt
    out in turn. `lock_of` returns the path of a point's lock and a digest of what it installs, which is in
    its `cache_key`. Raises NoxEnvsError for a tag that no point has.
    """
    known = sorted({tag for point in points for tag in point.tags})
    for tag in tags:
        if tag not in known:
            shown = f"there are: {', '.join(known)}" if known else "they have no tags"
            raise NoxEnvsError(f"--tag: no environment has {tag!r} ({did_you_mean(tag, known) or shown})")
    tagged = [point for point in points if not tags or not set(tags).isdisjoint(point.tags)]
    dealt = [(point, label) for point in tagged for label in point.runs_on or (runner,)]
    rows: list[Row] = []
    for point, label in dealt[shard[0] - 1 :: shard[1]]:
        lock, digest = lock_of(point)
        venv, python = venv_directory(point.session, envdir), point.python or ""
        parts = ("nox-envs", label, point.session, python or "python", digest.removeprefix("sha256:")[:16])
        words = (re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-") for part in parts)
        row: Row = {
            "environment": point.environment,
            "session": point.session,
            "python": python,
            "runner": label,
            "tags": list(point.tags),
            "lock": lock,
            "venv": f"{envdir}/{venv}",
            "report": f"{envdir}/.nox-envs/reports/{venv}.json",
            "cache_key": "-".join(word for word in words if word),
        }
        rows.append(row)
    return tuple(rows)


def render_matrix(rows: Sequence[Row], format: Literal["json", "github"]) -> str:  # noqa: A002
    """Render rows as a JSON list, or for GitHub as the line `matrix=...` of a step's output."""
    if format == "json":
        return json.dumps(rows, indent=2, sort_keys=True) + "\n"
    return f"matrix={json.dumps({'include': rows}, sort_keys=True)}\n"
