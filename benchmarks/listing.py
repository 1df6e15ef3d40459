"""Owns the benchmarks of what comes before any environment: the start of a program, and `nox -l`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Aim, Contender, Table, race, run
from benchmarks.projects import NOXFILE, Workshop, host_python, nox, nox_envs
from benchmarks.tools import PYTHON

LIMITS = {10: 1.20, 100: 1.20, 1000: 1.15, 2000: 1.15}
HAND = "nox -l, by hand"


def start(workshop: Workshop) -> list[Table]:
    """Measure what every command pays before it does anything."""
    folder = workshop.new("start")
    (folder / "noxfile.py").write_text("import nox\n\n\n@nox.session\ndef one(session):\n    pass\n")
    words = {
        "Python, nothing else": (PYTHON, "-c", "pass"),
        "Python without site": (PYTHON, "-S", "-c", "pass"),
        "import of nox": (PYTHON, "-c", "import nox.__main__"),
        "nox -l, one session": nox("-l"),
        "import of nox and nox_envs": (PYTHON, "-c", "import nox.__main__, nox_envs.sessions"),
        "nox-envs --version": nox_envs("--version"),
    }
    rows = race(
        [Contender(name=name, argv=argv, cwd=folder) for name, argv in words.items()], 2 * workshop.rounds
    )
    return [Table(title="Start of a program", rows=rows)]


def listing(workshop: Workshop) -> list[Table]:
    """Measure `nox -l` as the number of points grows."""
    tables = []
    for points, limit in LIMITS.items():
        ours, hand = listed(workshop, points)
        contenders = [
            Contender(name=HAND, argv=nox("-l"), cwd=hand, note="the same sessions in a noxfile"),
            Contender(name="nox-envs", argv=nox("-l"), cwd=ours),
            Contender(name="nox-envs list", argv=nox_envs("list"), cwd=ours, note="no nox"),
        ]
        tables.append(
            Table(
                title=f"nox -l, {points:,} points",
                rows=race(contenders, workshop.rounds),
                aims=(Aim(ours="nox-envs", against=HAND, limit=limit),),
            )
        )
    return tables


def listed(workshop: Workshop, points: int) -> tuple[Path, Path]:
    """Make ten environments of `points / 10` points each, in a spec and by hand."""
    here = host_python()
    ours, hand = workshop.new(f"listed-{points}"), workshop.new(f"listed-{points}-by-hand")
    (ours / ".nox").mkdir()
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
    return ours, hand
