"""Owns the benchmarks of what is asked of environments that are there: drift, files, freeze, freshness."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Aim, Contender, Row, Table, race, remove, run
from benchmarks.listing import HAND, listed
from benchmarks.projects import NOXFILE, REPOSITORY, Workshop, nox, nox_envs, python_of, remembering
from benchmarks.tools import PYTHON, uv

VENVS = 30
_NEEDS_INDEX = "needs the index; no files, no links"
_ANEW = "nox-envs drift, nothing remembered"
_NEEDS_CACHE = "fails where its cache was emptied"
_SNAPSHOT = """import sys, time
from pathlib import Path
from nox_envs.snapshot import take
for _ in range(50):
    start = time.perf_counter()
    take(Path(sys.argv[1]))
    print(time.perf_counter() - start)
"""
_EACH = """import subprocess
for n in range({number}):
    subprocess.run([*{argv!r}, "--python", f".nox/env{{n:02}}/bin/python", f"requirements/env{{n:02}}.txt"],
                   check=True, capture_output=True)
"""
_HASH = """import hashlib, sys
with open(sys.argv[1], encoding="utf-8") as paths:
    for path in paths:
        with open(path.rstrip("\\n"), "rb", buffering=0) as file:
            hashlib.sha256(file.read()).digest()
"""


def one(workshop: Workshop) -> list[Table]:
    """Measure drift and freeze of a large environment from the shell, and the snapshot under both."""
    ours = workshop.popular
    python = python_of(ours / ".nox/popular")
    pip = workshop.tools.program("pip", "python")
    lock = "requirements/popular.txt"
    check = (uv(), "pip", "sync", "--check", "--python", python, lock)
    drift = [
        Contender(name="uv pip sync --check", argv=check, cwd=ours, note=_NEEDS_INDEX),
        Contender(name="uv pip sync --check --offline", argv=(*check, "--offline"), cwd=ours,
                  note=_NEEDS_CACHE),
        Contender(name="nox-envs drift", argv=nox_envs("drift", "popular"), cwd=ours,
                  prepare=remembering(ours, remembered=True)),
        Contender(name=_ANEW, argv=nox_envs("drift", "popular"), cwd=ours,
                  prepare=remembering(ours, remembered=False)),
        Contender(name="uv pip check", argv=(uv(), "pip", "check", "--python", python), cwd=ours,
                  codes=(0, 1), note="looks at no lock"),
        Contender(name="pip check", argv=(pip, "-m", "pip", "--python", python, "check"), cwd=ours,
                  codes=(0, 1), note="looks at no lock"),
    ]  # fmt: skip
    freeze = [
        Contender(name="uv pip freeze", argv=(uv(), "pip", "freeze", "--python", python), cwd=ours),
        Contender(name="pip freeze", argv=(pip, "-m", "pip", "--python", python, "freeze"), cwd=ours),
        Contender(name="nox-envs freeze", argv=nox_envs("freeze", "popular"), cwd=ours),
    ]
    printed = run((PYTHON, "-c", _SNAPSHOT, str(ours / ".nox/popular")), ours)
    seconds = [float(line) for line in printed.splitlines()]
    fast = Aim(ours="nox-envs drift", limit=0.12, kind="seconds")
    of = f"of {workshop.size} distributions"
    return [
        Table(
            title=f"Drift of one environment {of}, files off",
            rows=race(drift, 2 * workshop.rounds),
            aims=(fast,),
        ),
        Table(title=f"Freeze {of}", rows=race(freeze, workshop.rounds)),
        Table(title=f"Snapshot {of}", rows=[Row(name="in process", note="no process", seconds=seconds)]),
    ]


def many(workshop: Workshop) -> list[Table]:
    """Measure drift of thirty large environments at once, each really built, from a warm cache."""
    project = workshop.new("many")
    _thirty(workshop.popular, project)
    run(nox(), project)
    check = [uv(), "pip", "sync", "--check"]
    (project / "each.py").write_text(_EACH.format(number=VENVS, argv=check))
    (project / "offline.py").write_text(_EACH.format(number=VENVS, argv=[*check, "--offline"]))
    each, offline = f"{VENVS} times uv pip sync --check", "the same, --offline"
    contenders = [
        Contender(name=each, argv=(PYTHON, "each.py"), cwd=project, note=_NEEDS_INDEX),
        Contender(name=offline, argv=(PYTHON, "offline.py"), cwd=project, note=_NEEDS_CACHE),
        Contender(name="nox-envs drift", argv=nox_envs("drift"), cwd=project,
                  prepare=remembering(project, remembered=True)),
        Contender(name=_ANEW, argv=nox_envs("drift"), cwd=project,
                  prepare=remembering(project, remembered=False)),
        Contender(name="nox -s drift", argv=nox("-s", "drift"), cwd=project, once=True,
                  note="does more: `--files changed`"),
    ]  # fmt: skip
    aims = (
        Aim(ours="nox-envs drift", against=each, limit=0.05),
        Aim(ours="nox-envs drift", limit=0.5, kind="seconds"),
    )
    title = f"Drift of {VENVS} environments of {workshop.size} distributions each, files off"
    rows = race(contenders, min(workshop.rounds, 5))
    remove(project)
    return [Table(title=title, rows=rows, aims=aims)]


def _thirty(popular: Path, project: Path) -> None:
    """Make a project of thirty environments like the one at `popular`, with locks, none of them built."""
    names = [f"env{number:02}" for number in range(VENVS)]
    head, _, tail = (popular / "envs.yaml").read_text().partition("environments:\n  popular:\n")
    entries = "".join(f"  {name}:\n{tail}" for name in names)
    (project / "envs.yaml").write_text(f"{head}environments:\n{entries}")
    (project / "noxfile.py").write_text(NOXFILE)
    (project / "requirements").mkdir()
    lock = (popular / "requirements/popular.txt").read_text()
    for name in names:
        own = lock.replace(
            "lock -- popular\n# environment: popular\n", f"lock -- {name}\n# environment: {name}\n"
        )
        (project / f"requirements/{name}.txt").write_text(own)


def files(workshop: Workshop) -> list[Table]:
    """Measure the comparison of installed files with their RECORD beside hashing them alone."""
    ours = workshop.popular
    listing = workshop.folder / "files.txt"
    printed = run(
        (PYTHON, "-m", "benchmarks.generated", "files", str(ours / ".nox/popular"), str(listing)), REPOSITORY
    )
    number, size = (int(word) for word in printed.split())
    hashing = "hashlib, one thread"
    contenders = [
        Contender(name=hashing, argv=(PYTHON, "-c", _HASH, str(listing)), cwd=ours, note="compares nothing"),
        Contender(name="drift --files all", argv=nox_envs("drift", "--files", "all"), cwd=ours),
        Contender(name="drift --files changed", argv=nox_envs("drift", "--files", "changed"), cwd=ours,
                  note="hashes what changed in size or time"),
    ]  # fmt: skip
    aims = (
        Aim(ours="drift --files all", against=hashing, limit=1.5),
        Aim(ours="drift --files changed", limit=0.4, kind="seconds"),
    )
    title = f"Files of {workshop.size} distributions: {number:,} with a digest, {size / 1e6:,.0f} MB"
    return [Table(title=title, rows=race(contenders, workshop.rounds), aims=aims)]


def freshness(workshop: Workshop) -> list[Table]:
    """Measure `nox-envs check` of 300 locks with 100 pins each."""
    folder = workshop.new("freshness")
    lines = ["version: 1", "defaults: {python: '3.12'}", "environments:"]
    for number in range(300):
        direct = ", ".join(f'"package-{number}-{n}>=1"' for n in range(0, 100, 5))
        lines.append(f"  env{number}: {{requirements: [{direct}]}}")
    (folder / "envs.yaml").write_text("\n".join(lines) + "\n")
    run((PYTHON, "-m", "benchmarks.generated", "locks", str(folder), "100"), REPOSITORY)
    contender = Contender(name="nox-envs check", argv=nox_envs("check"), cwd=folder)
    aim = Aim(ours="nox-envs check", limit=1.5, kind="seconds")
    title = "Freshness of 300 locks with 30,000 pins"
    return [Table(title=title, rows=race([contender], workshop.rounds), aims=(aim,))]


def scale(workshop: Workshop) -> list[Table]:
    """Measure the largest set-up known: 2,000 points, 1,900 locks, 58,000 pins."""
    _, hand = listed(workshop, 2000)
    folder = workshop.new("scale")
    lines = ["version: 1", "defaults: {python: '3.12'}", "environments:"]
    for number in range(19):
        values = ", ".join(f"v{n}" for n in range(100))
        direct = ", ".join(f'"package-{number}-{{axis}}-{n}>=1"' for n in range(0, 30, 5))
        lines.append(f"  env{number:02}: {{matrix: {{axis: [{values}]}}, requirements: [{direct}]}}")
    lines.append(f"  env19: {{matrix: {{axis: [{values}]}}, lock: false}}")
    (folder / "envs.yaml").write_text("\n".join(lines) + "\n")
    (folder / "noxfile.py").write_text(NOXFILE)
    (folder / ".nox").mkdir()
    run((PYTHON, "-m", "benchmarks.generated", "locks", str(folder), "31"), REPOSITORY)
    counted = sum(file.read_text().count("==1.") for file in (folder / "requirements").iterdir())
    contenders = [Contender(name=HAND, argv=nox("-l"), cwd=hand, note="has no locks")]
    for name, argv in (
        ("nox -l", nox("-l")),
        ("nox-envs list", nox_envs("list")),
        ("nox-envs check", nox_envs("check")),
        ("nox-envs drift", nox_envs("drift")),
    ):
        contenders.append(Contender(name=name, argv=argv, cwd=folder, note=_SCALE.get(name, "")))
    ours = [contender.name for contender in contenders[1:]]
    aims = (
        *(Aim(ours=name, against=HAND, limit=2.0, kind="more") for name in ours),
        *(Aim(ours=name, limit=300, kind="memory") for name in ours),
    )
    number = len(list((folder / "requirements").iterdir()))
    title = f"Scale: 2,000 points, {number:,} lock files, {counted:,} pins"
    rows = race(contenders, min(workshop.rounds, 5))
    remove(folder)
    return [Table(title=title, rows=rows, aims=aims)]


_SCALE = {"nox-envs drift": "the locks only: no venv is built"}
