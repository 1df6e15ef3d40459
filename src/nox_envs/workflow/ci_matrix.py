"""Owns the rows that a CI system runs, one session each, their shards and their formats."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

from nox_envs.errors import NoxEnvsError
from nox_envs.matrix import Point
from nox_envs.values import value
from nox_envs.workflow.project import Project

MatrixFormat: TypeAlias = Literal["json", "github", "gitlab"]

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@value
class Row:
    """Hold one CI job: a session on a runner.

    `runner` is a label of `runs_on`; `lock` the path of the lock; `cache_key` changes whenever what
    is installed would, or where it runs.
    """

    environment: str
    session: str
    python: str
    runner: str
    tags: tuple[str, ...]
    lock: str
    cache_key: str


@value
class Shard:
    """Name part `index` (from 1) of `count`."""

    index: int = 1
    count: int = 1


def shard_of(text: str) -> Shard:
    """Read `I/N`, such as `2/5`; raises NoxEnvsError for anything else."""
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise NoxEnvsError(f"--shard: {text!r} is not I/N with I from 1 to N, such as 2/5")
    return Shard(index=int(match[1]), count=int(match[2]))


def select(project: Project, names: tuple[str, ...], tags: tuple[str, ...]) -> tuple[Point, ...]:
    """Return the points that CI runs: those that are named, of these those with one of the tags.

    Without names or tags, what a bare `nox` runs. Raises NoxEnvsError for an unknown name or tag.
    """
    points = project.points_of(names)
    known = {tag for point in project.points for tag in point.tags}
    for tag in tags:
        if tag not in known:
            shown = f"there are: {', '.join(sorted(known))}" if known else "the spec has no tags"
            raise NoxEnvsError(f"--tag: no environment has {tag!r} ({shown})")
    if tags:
        return tuple(point for point in points if set(tags) & set(point.tags))
    return points if names else tuple(point for point in points if point.default)


def rows(project: Project, points: tuple[Point, ...], *, runner: str) -> tuple[Row, ...]:
    """Return a row for each point and each label of its `runs_on`, else for `runner`."""
    return tuple(_row(project, point, label) for point in points for label in point.runs_on or (runner,))


def _row(project: Project, point: Point, runner: str) -> Row:
    plan = project.plan_of(point)
    locked = all((project.root / path).is_file() for path in plan.files)
    digest = project.lock_digest(plan) if locked else plan.digest
    parts = ("nox-envs", runner, point.session, point.python or "python", digest.partition(":")[2][:16])
    return Row(
        environment=point.environment,
        session=point.session,
        python=point.python or "",
        runner=runner,
        tags=point.tags,
        lock=plan.path,
        cache_key="-".join(_UNSAFE.sub("-", part).strip("-") for part in parts),
    )


def part_of(all_rows: tuple[Row, ...], shard: Shard, seconds: Mapping[str, float]) -> tuple[Row, ...]:
    """Return one shard of the rows, in their order; the shards take about the same time.

    `seconds` are past durations by session; a session without one counts like the mean of the
    others. The longest go first, each to the shard that has the least to do so far.
    """
    known = [seconds[row.session] for row in all_rows if row.session in seconds]
    usual = sum(known) / len(known) if known else 1.0
    loads = [(0.0, 0, number) for number in range(1, shard.count + 1)]
    chosen: set[int] = set()
    order = sorted(range(len(all_rows)), key=lambda i: (-seconds.get(all_rows[i].session, usual), i))
    for position in order:
        load, taken, number = min(loads)
        loads[number - 1] = (load + seconds.get(all_rows[position].session, usual), taken + 1, number)
        if number == shard.index:
            chosen.add(position)
    return tuple(row for position, row in enumerate(all_rows) if position in chosen)


def render_matrix(shown: tuple[Row, ...], format: MatrixFormat) -> str:  # noqa: A002
    """Render rows: a list, a matrix for GitHub, a child pipeline for GitLab."""
    match format:
        case "json":
            return json.dumps([_table(row) for row in shown], indent=2, sort_keys=True) + "\n"
        case "github":
            # One line, as a step's output has to be.
            return json.dumps({"include": [_table(row) for row in shown]}, sort_keys=True) + "\n"
        case "gitlab":
            return _pipeline(shown)


def _table(row: Row) -> dict[str, object]:
    return {
        "environment": row.environment,
        "session": row.session,
        "python": row.python,
        "runner": row.runner,
        "tags": list(row.tags),
        "lock": row.lock,
        "cache_key": row.cache_key,
    }


_EMPTY_PIPELINE = """\
# made by nox-envs matrix; there is nothing to run
"nothing to run":
  script:
    - "true"
"""

_CACHED = (".nox/",)
_REPORTS = ".nox/.nox-envs/reports/"


def _pipeline(shown: tuple[Row, ...]) -> str:
    if not shown:
        return _EMPTY_PIPELINE
    counts = Counter(row.session for row in shown)
    jobs = "".join(_job(row, several=counts[row.session] > 1) for row in shown)
    return f"# made by nox-envs matrix\n{jobs}"


def _job(row: Row, *, several: bool) -> str:
    name = f"nox {row.session} {row.runner}" if several else f"nox {row.session}"
    image = _image(row.python)
    lines = (
        f"{_quoted(name)}:",
        f"  image: {_quoted(image)}",
        *((f"  tags: [{_quoted(row.runner)}]",) if row.runner else ()),
        "  variables:",
        f"    NOX_ENVS_SESSION: {_quoted(row.session.replace('$', '$$'))}",
        "  cache:",
        f"    key: {_quoted(row.cache_key)}",
        f"    paths: [{', '.join(_quoted(path) for path in _CACHED)}]",
        "  script:",
        '    - "python -m pip install nox-envs"',
        '    - "python -m nox -s \\"$NOX_ENVS_SESSION\\""',
        "  artifacts:",
        "    when: always",
        f"    paths: [{_quoted(_REPORTS)}]",
    )
    return "".join(f"{line}\n" for line in lines)


def _image(python: str) -> str:
    match = re.fullmatch(r"(?:python|py|cpython-?)?(3\.\d+)t?", python)
    if match:
        return f"python:{match[1]}"
    pypy = re.fullmatch(r"pypy-?(3\.\d+)", python)
    return f"pypy:{pypy[1]}" if pypy else "python:3"


def _quoted(text: str) -> str:
    """Return a YAML scalar: JSON's strings, in ASCII, are YAML's double-quoted ones."""
    return json.dumps(text)
