"""Owns the benchmark of locks: regenerating twelve of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Aim, Contender, Failed, Table, race, run
from benchmarks.projects import NOXFILE, Workshop, nox
from benchmarks.tools import PYTHON, uv

STACKS = {
    "web": "fastapi uvicorn[standard] jinja2 python-multipart itsdangerous",
    "django": "django djangorestframework django-filter django-debug-toolbar celery redis",
    "flask": "flask flask-sqlalchemy flask-login gunicorn",
    "data": "pandas pyarrow openpyxl polars",
    "science": "scipy scikit-learn matplotlib seaborn",
    "notebook": "jupyterlab ipywidgets",
    "cloud": "boto3 google-cloud-storage azure-storage-blob",
    "async": "aiohttp[speedups] httpx[http2] anyio websockets",
    "docs": "sphinx furo myst-parser sphinx-autodoc-typehints",
    "site": "mkdocs mkdocs-material mkdocstrings[python]",
    "test": "pytest pytest-cov pytest-xdist hypothesis tox",
}
# As in most projects, one environment has what all of the others have: the one people work in.
STACKS["dev"] = " ".join(STACKS.values())
_ONE_BY_ONE = """import subprocess
for name in {names!r}:
    subprocess.run([*{argv!r}, "-o", f"one/{{name}}.txt", f"in/{{name}}.in"], check=True, capture_output=True)
"""
_OFFLINE = {"UV_OFFLINE": "1"}
# Seconds after which a contender that asks the index for each candidate is stopped.
_PATIENCE = 300.0


def _compile() -> tuple[str, ...]:
    return (uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version=3.12")


def _emptying(*folders: Path) -> Callable[[], None]:
    def empty() -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    return empty


def _inputs(folder: Path) -> None:
    (folder / "in").mkdir()
    lines = ["version: 1", "defaults: {python: '3.12'}", "environments:"]
    for name, packages in STACKS.items():
        (folder / "in" / f"{name}.in").write_text("".join(f"{one}>=0\n" for one in packages.split()))
        quoted = ", ".join(f'"{one}>=0"' for one in packages.split())
        lines.append(f"  {name}: {{requirements: [{quoted}]}}")
    (folder / "envs.yaml").write_text("\n".join(lines) + "\n")
    (folder / "noxfile.py").write_text(NOXFILE)
    (folder / "all.py").write_text(_ONE_BY_ONE.format(names=list(STACKS), argv=_compile()))


def lock(workshop: Workshop) -> list[Table]:
    """Measure `nox -s lock` of twelve environments beside the same files made in other ways.

    The cache is filled first; then no contender of uv asks the index, whose answers take as long as
    they like. The two that resolve with pip have their own warm cache, and ask it all the same.
    """
    folder = workshop.new("lock")
    _inputs(folder)
    empty = _emptying(folder / "requirements", folder / "one")
    empty()
    run((PYTHON, "all.py"), folder)
    run(nox("-s", "lock"), folder)
    slowest = max(STACKS, key=lambda name: _seconds(folder, name))
    single = (*_compile(), "-o", f"one/{slowest}.txt", f"in/{slowest}.in")
    alone, each = f"the slowest uv pip compile ({slowest})", "uv pip compile, one after another"
    only_one = "one environment of twelve"
    contenders = [
        Contender(name=alone, argv=single, cwd=folder, prepare=empty, env=_OFFLINE, note=only_one),
        Contender(name="the same, told which Python to build with", argv=(*single, f"--python={PYTHON}"),
                  cwd=folder, prepare=empty, env=_OFFLINE, note=only_one),
        Contender(name="nox-envs lock", argv=nox("-s", "lock"), cwd=folder, prepare=empty, env=_OFFLINE),
        Contender(name=each, argv=(PYTHON, "all.py"), cwd=folder, prepare=empty, env=_OFFLINE,
                  note="no digest, no names of sets"),
        *_peers(workshop, folder, slowest),
    ]  # fmt: skip
    aims = (
        Aim(ours="nox-envs lock", against=alone, limit=1.5),
        Aim(ours="nox-envs lock", against=each, limit=0.7),
        Aim(ours="nox-envs lock", against="pip-compile-multi", limit=0.1),
    )
    rows = race(contenders, min(workshop.rounds, 5))
    return [Table(title="Locking twelve environments, warm cache", rows=rows, aims=aims)]


def _peers(workshop: Workshop, folder: Path, slowest: str) -> list[Contender]:
    """Return the contenders that resolve for one platform; those that do so with pip run once."""
    for name in ("multi", "multi-uv", "tools"):
        shutil.copytree(folder / "in", folder / name)
    program = workshop.tools.program
    multi = (program("pip-compile-multi"), "--backtracking")
    hashes = tuple(word for name in STACKS for word in ("--generate-hashes", name))
    path = f"{Path(uv()).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    single = (program("pip-tools", "pip-compile"), "--quiet", "--generate-hashes", "--resolver=backtracking")
    here = "this Python and platform only"

    def remove() -> None:
        for file in (folder / "multi-uv").glob("*.txt"):
            file.unlink()

    with_uv = (multi[0], "--uv", "--directory", "multi-uv", *hashes)
    with contextlib.suppress(Failed):  # which fails again in the race, and says why there
        run(with_uv, folder, {"PATH": path})
    return [
        Contender(name="pip-compile-multi --uv", argv=with_uv, cwd=folder, note=here,
                  prepare=remove, env={**_OFFLINE, "PATH": path}),
        Contender(name="pip-compile-multi", argv=(*multi, "--directory", "multi", *hashes), cwd=folder,
                  note=here, limit=_PATIENCE, once=True),
        Contender(name=f"pip-compile, of pip-tools ({slowest})",
                  argv=(*single, "--output-file", f"tools/{slowest}.txt", f"tools/{slowest}.in"), cwd=folder,
                  note=f"one environment of twelve, {here}", limit=_PATIENCE / 2, once=True),
    ]  # fmt: skip


def _seconds(folder: Path, name: str) -> float:
    """Return what one environment takes."""
    (folder / "one" / f"{name}.txt").unlink()
    start = time.perf_counter()
    run((*_compile(), "-o", f"one/{name}.txt", f"in/{name}.in"), folder, _OFFLINE)
    return time.perf_counter() - start
