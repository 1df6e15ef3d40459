"""Run benchmarks: `python -m benchmarks [NAME …] [--rounds N] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import locking
from benchmarks.harness import Contender, Row, race, run, table

PYTHON = sys.executable
POPULAR = Path(__file__).parent.parent / "tests" / "examples" / "popular.yaml"
NOXFILE = 'from nox_envs import load\n\nload("envs.yaml")\n'
BY_HAND = """import nox


@nox.session(venv_backend="uv", reuse_venv=True)
def popular(session):
    session.install("-r", "requirements/popular.txt")
    session.run("python", "-c", "print('ready')")
"""
TOX = """[tox]
env_list = popular
no_package = true
[testenv]
deps = -r requirements/popular.txt
commands = python -c "print('ready')"
"""


def nox(*words: str) -> tuple[str, ...]:
    """Return a nox command of the interpreter that runs the benchmark."""
    return (PYTHON, "-m", "nox", *words)


def popular_project(folder: Path) -> Path:
    """Build the environment of some 270 distributions and return its project."""
    project = folder / "ours"
    project.mkdir()
    shutil.copyfile(POPULAR, project / "envs.yaml")
    (project / "noxfile.py").write_text(NOXFILE)
    run(nox("-s", "lock", "popular"), project)
    return project


def by_hand(folder: Path, project: Path, name: str) -> Path:
    """Make a project with a hand-written noxfile and the same lock."""
    made = folder / name
    made.mkdir()
    shutil.copytree(project / "requirements", made / "requirements")
    (made / "noxfile.py").write_text(BY_HAND)
    (made / "tox.ini").write_text(TOX)
    run(nox("-s", "popular"), made)
    return made


def warm(folder: Path, rounds: int) -> list[tuple[str, list[Row]]]:
    """Measure a run of a large environment in which nothing is to do."""
    ours = popular_project(folder)
    hand = by_hand(folder, ours, "hand")
    contenders = [
        Contender(name="nox -R, by hand", argv=nox("-R", "-s", "popular"), cwd=hand, note="verifies nothing"),
        Contender(name="nox-envs", argv=nox("-s", "popular"), cwd=ours),
        Contender(
            name="nox -r with uv, by hand",
            argv=nox("-s", "popular"),
            cwd=hand,
            note="misses what is too much",
        ),
    ]
    if shutil.which("tox"):
        contenders.append(
            Contender(name="tox with tox-uv", argv=("tox", "-q"), cwd=hand, note="misses changes by hand")
        )
    return [("Warm run of an environment of 270 distributions", race(contenders, rounds))]


def command_line(folder: Path, rounds: int) -> list[tuple[str, list[Row]]]:
    """Measure drift and freeze of a large environment from the shell."""
    ours = popular_project(folder)
    python = str(next((ours / ".nox/popular").glob("[bS]*/python*")))
    contenders = [
        Contender(name="uv pip sync --dry-run", argv=("uv", "pip", "sync", "--dry-run", "--python", python,
                  "requirements/popular.txt"), cwd=ours),
        Contender(name="nox-envs drift", argv=(PYTHON, "-m", "nox_envs", "drift", "popular"), cwd=ours),
        Contender(name="nox-envs freeze", argv=(PYTHON, "-m", "nox_envs", "freeze", "popular"), cwd=ours),
        Contender(name="uv pip freeze", argv=("uv", "pip", "freeze", "--python", python), cwd=ours),
        Contender(name="pip freeze", argv=(PYTHON, "-m", "pip", "--python", python, "freeze"), cwd=ours),
    ]  # fmt: skip
    return [("Asking what is installed, 270 distributions", race(contenders, rounds))]


def snapshot(folder: Path, rounds: int) -> list[tuple[str, list[Row]]]:
    """Measure the snapshot itself, in process."""
    from nox_envs.snapshot import take

    location = popular_project(folder) / ".nox/popular"
    row = Row(name="snapshot", note="")
    for _ in range(10 * rounds):
        start = time.perf_counter()
        taken = take(location)
        row.seconds.append(time.perf_counter() - start)
    title = f"Snapshot of {len(taken.distributions)} distributions, in process (median ms: "
    return [(f"{title}{1000 * statistics.median(row.seconds):.1f})", [row])]


def listing(folder: Path, rounds: int) -> list[tuple[str, list[Row]]]:
    """Measure `nox -l` as the number of points grows."""
    tables = []
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    for points in (10, 1000, 2000):
        ours, hand = folder / f"ours-{points}", folder / f"hand-{points}"
        (ours / ".nox").mkdir(parents=True)
        hand.mkdir()
        values = [f"v{n}" for n in range(points // 10)]
        environments = "".join(
            f'  env{n}:\n    python: "{here}"\n    lock: false\n'
            f"    matrix: {{axis: [{', '.join(values)}]}}\n    commands: [python -V]\n"
            for n in range(10)
        )
        (ours / "envs.yaml").write_text(f"version: 1\nenvironments:\n{environments}")
        (ours / "noxfile.py").write_text(NOXFILE)
        sessions = "".join(
            f'\n\n@nox.session(python="{here}")\n@nox.parametrize("axis", {values!r})\n'
            f'def env{n}(session, axis):\n    session.run("python", "-V")\n'
            for n in range(10)
        )
        (hand / "noxfile.py").write_text(f"import nox{sessions}")
        run(nox("-s", f"env0-{here}(axis='v0')"), ours)  # as in a project that was run before
        contenders = [
            Contender(name="nox -l, by hand", argv=nox("-l"), cwd=hand),
            Contender(name="nox-envs", argv=nox("-l"), cwd=ours),
        ]
        tables.append((f"nox -l, {points} points", race(contenders, rounds)))
    return tables


BENCHMARKS: dict[str, Callable[[Path, int], list[tuple[str, list[Row]]]]] = {
    "warm": warm,
    "command-line": command_line,
    "snapshot": snapshot,
    "listing": listing,
    "lock": locking.lock,
    "freshness": locking.freshness,
}


def main() -> None:
    """Run the benchmarks that are named, or all, and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    collected: dict[str, dict[str, list[float]]] = {}
    for name in asked.names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="nox-envs-benchmark-") as folder:
            for title, rows in BENCHMARKS[name](Path(folder), asked.rounds):
                print(table(title, rows), flush=True)
                collected[title] = {row.name: row.seconds for row in rows}
    if asked.json:
        asked.json.write_text(json.dumps(collected, indent=2) + "\n")


if __name__ == "__main__":
    main()
