"""Owns the benchmarks of sessions: a run in which nothing is to do, and one that builds it all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Aim, Contender, Table, race, remove, run
from benchmarks.projects import NOXFILE, Workshop, nox, write_wheel
from benchmarks.tools import uv

R_BY_HAND = "nox -R, by hand"
WITH_UV = "nox -r with uv, by hand"
TOX = "tox with tox-uv"


def warm(workshop: Workshop) -> list[Table]:
    """Measure a run of a large environment in which nothing is to do."""
    ours, hand, tools = workshop.popular, workshop.by_hand, workshop.tools
    hatch = {"HATCH_DATA_DIR": str(workshop.folder / "hatch"), "HATCH_ENV_TYPE_VIRTUAL_UV_PATH": uv()}
    ready = ("python", "-c", "print('ready')")
    contenders = [
        Contender(name=R_BY_HAND, argv=nox("-R", "-s", "popular"), cwd=hand, note="verifies nothing"),
        Contender(name="nox-envs", argv=nox("-s", "popular"), cwd=ours),
        Contender(name=WITH_UV, argv=nox("-s", "popular"), cwd=hand, note="misses what is too much"),
        Contender(name=TOX, argv=(tools.program("tox"), "-q"), cwd=hand, note="misses changes by hand"),
        Contender(name="hatch run", argv=(tools.program("hatch"), "run", "popular:" + ready[0], *ready[1:]),
                  cwd=hand, env=hatch, note="verifies nothing but its own file"),
        Contender(name="python alone", argv=(str(ours / ".nox/popular/bin/python"), *ready[1:]), cwd=ours,
                  note="the command, no tool"),
    ]  # fmt: skip
    aims = (
        Aim(ours="nox-envs", against=R_BY_HAND, limit=1.15),
        Aim(ours="nox-envs", against=WITH_UV, limit=1.0),
        Aim(ours="nox-envs", against=TOX, limit=0.5),
    )
    title = f"Warm run of an environment of {workshop.size} distributions, verified"
    return [Table(title=title, rows=race(contenders, 2 * workshop.rounds), aims=aims)]


def growth(workshop: Workshop) -> list[Table]:
    """Measure the same as the number of distributions grows; these are generated."""
    wheels = workshop.new("wheels")
    env = {"UV_FIND_LINKS": str(wheels), "UV_NO_INDEX": "1"}
    tables = []
    for number in (10, 100, 300):
        names = [f"generated_{n:03}" for n in range(number)]
        for name in names:
            write_wheel(wheels, name)
        ours, hand = workshop.new(f"warm-{number}"), workshop.new(f"warm-{number}-by-hand")
        wanted = "".join(f"    - {name.replace('_', '-')}==1.0\n" for name in names)
        (ours / "envs.yaml").write_text(
            f"version: 1\nrequirements:\n  all:\n{wanted}environments:\n  popular:\n"
            "    requirements: [all]\n    commands:\n      - [python, -c, \"print('ready')\"]\n"
        )
        (ours / "noxfile.py").write_text(NOXFILE)
        run(nox("-s", "lock", "popular"), ours, env)
        shutil.copytree(ours / "requirements", hand / "requirements")
        shutil.copyfile(workshop.by_hand / "noxfile.py", hand / "noxfile.py")
        run(nox("-s", "popular"), hand, env)
        contenders = [
            Contender(name=R_BY_HAND, argv=nox("-R", "-s", "popular"), cwd=hand, note="verifies nothing"),
            Contender(name="nox-envs", argv=nox("-s", "popular"), cwd=ours, env=env),
        ]
        tables.append(
            Table(
                title=f"Warm run of an environment of {number} small distributions, verified",
                rows=race(contenders, workshop.rounds),
                aims=(Aim(ours="nox-envs", against=R_BY_HAND, limit=1.15),),
            )
        )
    return tables


def cold(workshop: Workshop) -> list[Table]:
    """Measure the building of a large environment whose files are all in the installer's cache."""
    ours, hand = workshop.new("cold"), workshop.new("cold-by-hand")
    for made, like in ((ours, workshop.popular), (hand, workshop.by_hand)):
        for file in ("noxfile.py", "envs.yaml", "tox.ini"):
            if (like / file).exists():
                shutil.copyfile(like / file, made / file)
        shutil.copytree(like / "requirements", made / "requirements")
    tox = workshop.tools.program("tox")
    contenders = [
        Contender(name="nox with uv, by hand", argv=nox("-s", "popular"), cwd=hand, note="verifies nothing",
                  prepare=_gone(hand / ".nox")),
        Contender(name="nox-envs", argv=nox("-s", "popular"), cwd=ours, prepare=_gone(ours / ".nox")),
        Contender(name=TOX, argv=(tox, "-q"), cwd=hand, note="verifies nothing",
                  prepare=_gone(hand / ".tox")),
    ]  # fmt: skip
    return [
        Table(
            title=f"Creating and installing {workshop.size} distributions from a warm cache",
            rows=race(contenders, workshop.rounds),
            aims=(Aim(ours="nox-envs", against="nox with uv, by hand", limit=1.10),),
        )
    ]


def _gone(folder: Path) -> Callable[[], None]:
    return lambda: remove(folder)
