"""What is measured: warm runs, listings, drift, locks, and a project of two thousand points."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path

from benchmarks.inputs import SESSION, STACKS, Inputs, large, listed, listed_by_hand, popular, stacks
from benchmarks.measure import Contender, race, run

Tables = dict[str, list[Contender]]  # rows by title; ratios are to the first row
_POPULAR = f"""import nox{SESSION}def env00(session):
    session.install("-r", "requirements/env00.txt")
    session.run("python", "-c", "pass")
"""
_HASH = """import hashlib, sys
for path in open(sys.argv[1], encoding="utf-8").read().splitlines():
    hashlib.sha256(open(path, "rb", buffering=0).read()).digest()
"""


def warm(inputs: Inputs) -> Tables:
    """Measure a run in which nothing is left to do."""
    nox, uv, project = inputs.first.command, inputs.first.uv, partial(popular, inputs, 1)
    hand = inputs.by_hand("popular-by-hand", _POPULAR)
    tox = Path(__file__).parent / "tox.ini"
    run(("cp", "-R", str(project(inputs.first) / "requirements"), str(tox), "."), hand)
    run((uv, "venv", "tox", "--python", str(inputs.first.bin / "python")), hand)
    run((uv, "pip", "install", "--python", "tox", "tox", "tox-uv"), hand)
    rows = [
        Contender("nox -R, by hand", nox("nox -R -s env00"), hand, "checks nothing"),
        *inputs.both("nox-envs", "nox -s env00", project),
        Contender("nox -r with uv, by hand", nox("nox -s env00"), hand, "misses what is too much"),
        Contender("tox with tox-uv", ("tox/bin/tox", "-q"), hand, "misses changes by hand"),
    ]
    return {f"Warm run of {_size(inputs)} distributions": race(rows, inputs.rounds)}


def listing(inputs: Inputs) -> Tables:
    """Measure `nox -l` and `nox-envs list` as the number of points grows."""
    tables = {}
    for points in (10, 100, 1000, 2000):
        known, unknown = (partial(listed, inputs, points, ready) for ready in (True, False))
        rows = [
            Contender("nox -l, by hand", inputs.first.command("nox -l"), listed_by_hand(inputs, points)),
            *inputs.both("nox -l", "nox -l", known),
            *inputs.both("nox -l before the first run", "nox -l", unknown, partial(_remove, ".nox")),
            *inputs.both("nox-envs list", "nox-envs list", known),
        ]
        tables[f"{points:,} points"] = race(rows, inputs.rounds)
    return tables


def drift(inputs: Inputs) -> Tables:
    """Measure drift of one and of thirty environments, and of installed files."""
    tables = {}
    for number in (1, 3 if inputs.quick else 30):
        project = partial(popular, inputs, number)
        sync = f"{inputs.first.uv} pip sync --check --offline --python .nox/env%02d requirements/env%02d.txt"
        each = ("sh", "-ec", "\n".join(sync % (n, n) for n in range(number)))
        rows = [
            Contender("uv pip sync --check", each, project(inputs.first), "no files, no sources, no index"),
            *inputs.both("nox-envs drift", "nox-envs drift", project, _remember),
            *inputs.both("nox-envs drift, envs.yaml edited", "nox-envs drift", project, _edit),
        ]
        tables[f"{number} × {_size(inputs)} distributions, files off"] = race(rows, inputs.rounds)
    hand, project = popular(inputs, 1, inputs.first), partial(popular, inputs, 1)
    found = run(("find", ".nox/env00/lib", "-type", "f", "-not", "-name", "*.pyc"), hand)
    (inputs.folder / "files.txt").write_text(found)
    hashing = (*inputs.first.command("python -c"), _HASH, "../files.txt")
    rows = [Contender("hashlib, one thread", hashing, hand, "compares nothing")]
    for name in ("drift --files changed", "drift --files all"):
        rows += inputs.both(name, f"nox-envs {name}", project, _remember)
    title = f"{len(found.splitlines()):,} files of {_size(inputs)} distributions"
    return {**tables, title: race(rows, inputs.rounds)}


def lock(inputs: Inputs) -> Tables:
    """Measure `nox -s lock` of twelve environments, with a warm cache and without the index."""
    project, uv, minor = partial(stacks, inputs), inputs.first.uv, inputs.first.minor
    compiling = f"{uv} pip compile -q --universal --generate-hashes --python-version={minor}"
    each = ("sh", "-ec", "\n".join(f"{compiling} {name}.in" for name in (*STACKS, "dev")))
    rows = [
        Contender(
            "uv pip compile of the largest",
            (*compiling.split(), "dev.in"),
            project(inputs.first),
            "one of twelve",
        ),
        *inputs.both("nox -s lock", "nox -s lock", project, partial(_remove, "requirements")),
        Contender("uv pip compile of all, one after another", each, project(inputs.first)),
    ]
    run(each, project(inputs.first))
    for row in rows:
        row.env = {"UV_OFFLINE": "1"}
    return {"Twelve environments": race(rows, inputs.rounds)}


def scale(inputs: Inputs) -> Tables:
    """Measure 2,000 points that have 1,900 locks with 58,900 pins."""
    environments, points = (4, 10) if inputs.quick else (20, 100)
    project, total = partial(large, inputs, environments, points), environments * points
    hand = listed_by_hand(inputs, total)
    rows = [Contender("nox -l, by hand", inputs.first.command("nox -l"), hand, "no locks")]
    for words in ("nox -l", "nox-envs list", "nox-envs check", "nox-envs drift"):
        rows += inputs.both(words, words, project)
    locks = len(list(project(inputs.first).glob("requirements/**/*.txt")))
    return {f"{total:,} points, {locks:,} locks, {31 * locks:,} pins, no venv": race(rows, inputs.rounds)}


def _size(inputs: Inputs) -> int:
    return len(list(popular(inputs, 1, inputs.first).glob(".nox/env00/lib/*/site-packages/*.dist-info")))


def _remove(name: str, contender: Contender) -> None:
    shutil.rmtree(contender.cwd / name, ignore_errors=True)


def _edit(contender: Contender, comment: bool = True) -> None:
    """Add a comment that was never there, so that nothing remembered holds any more, or remove it."""
    spec = contender.cwd / "envs.yaml"
    spec.write_text(spec.read_text().partition("#")[0] + comment * f"# {time.time_ns()}\n")


def _remember(contender: Contender) -> None:
    _edit(contender, comment=False)
    run(contender.argv, contender.cwd)


BENCHMARKS = {"warm": warm, "list": listing, "drift": drift, "lock": lock, "scale": scale}
