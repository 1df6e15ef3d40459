"""Owns the benchmarks of locks: regenerating twelve of them, and checking three hundred."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

from benchmarks.harness import Contender, Row, race, run

PYTHON = sys.executable
NOXFILE = 'from nox_envs import load\n\nload("envs.yaml")\n'
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
_ONE_BY_ONE = """import subprocess, sys
for name in {names!r}:
    subprocess.run([*{argv!r}, "-o", f"one/{{name}}.txt", f"in/{{name}}.in"], check=True, capture_output=True)
"""

_MEMORY = """import resource
from nox_envs.cli import main
assert main(["check"]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _uv() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _compile() -> list[str]:
    return [_uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version=3.12"]


def _emptied(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()


def lock(folder: Path, rounds: int) -> list[tuple[str, list[Row]]]:
    """Measure `nox -s lock` of twelve environments beside the same files made in other ways.

    The cache is filled first; then no contender of uv asks the index, whose answers take as long as
    they like.
    """
    (folder / "in").mkdir()
    lines = ["version: 1", "defaults: {python: '3.12'}", "environments:"]
    for name, packages in STACKS.items():
        (folder / "in" / f"{name}.in").write_text("".join(f"{one}>=0\n" for one in packages.split()))
        quoted = ", ".join(f'"{one}>=0"' for one in packages.split())
        lines.append(f"  {name}: {{requirements: [{quoted}]}}")
    (folder / "envs.yaml").write_text("\n".join(lines) + "\n")
    (folder / "noxfile.py").write_text(NOXFILE)
    (folder / "all.py").write_text(_ONE_BY_ONE.format(names=list(STACKS), argv=_compile()))
    targets = [folder / "requirements", folder / "one"]
    _emptied(*targets)
    run((PYTHON, "all.py"), folder)
    run((PYTHON, "-m", "nox", "-s", "lock"), folder)
    os.environ["UV_OFFLINE"] = "1"
    slowest = max(STACKS, key=lambda name: _seconds(folder, name))

    def empty() -> None:
        _emptied(*targets)

    single = (*_compile(), "-o", f"one/{slowest}.txt", f"in/{slowest}.in")
    contenders = [
        Contender(name=f"the slowest `uv pip compile` ({slowest})", argv=single, cwd=folder, prepare=empty,
                  note="one environment of twelve"),
        Contender(name="the same, told which Python to build with", argv=(*single, f"--python={PYTHON}"),
                  cwd=folder, prepare=empty, note="one environment of twelve"),
        Contender(name="nox-envs lock", argv=(PYTHON, "-m", "nox", "-s", "lock"), cwd=folder, prepare=empty),
        Contender(name="`uv pip compile`, one after the other", argv=(PYTHON, "all.py"), cwd=folder,
                  prepare=empty, note="no digest, no names of sets"),
    ]  # fmt: skip
    if shutil.which("pip-compile-multi"):
        options = ("--generate-hashes", "--backtracking", "--no-upgrade")
        argv = ("pip-compile-multi", "--directory", "in", *options)
        contenders.append(
            Contender(name="pip-compile-multi", argv=argv, cwd=folder, note="this platform and Python only")
        )
    rows = race(contenders, rounds)
    os.environ.pop("UV_OFFLINE")
    return [("Locking twelve environments, warm cache", rows)]


def _seconds(folder: Path, name: str) -> float:
    """Return what one environment takes."""
    argv = [*_compile(), "-o", f"one/{name}.txt", f"in/{name}.in"]
    (folder / "one" / f"{name}.txt").unlink()
    start = time.perf_counter()
    run(argv, folder)
    return time.perf_counter() - start


def freshness(folder: Path, rounds: int) -> list[tuple[str, list[Row]]]:
    """Measure `nox-envs check` of 300 locks with 100 pins each."""
    lines = ["version: 1", "defaults: {python: '3.12'}", "environments:"]
    for number in range(300):
        direct = ", ".join(f'"package-{number}-{n}>=1"' for n in range(0, 100, 5))
        lines.append(f"  env{number}: {{requirements: [{direct}]}}")
    (folder / "envs.yaml").write_text("\n".join(lines) + "\n")
    _written(folder)
    row = race(
        [Contender(name="nox-envs check", argv=(PYTHON, "-m", "nox_envs", "check"), cwd=folder)], rounds
    )
    memory = int(run((PYTHON, "-c", _MEMORY), folder)) / 1024
    title = f"Freshness of 300 locks with 30,000 pins ({memory:.0f} MiB at most)"
    return [(title, row)]


def _written(folder: Path) -> None:
    """Write the locks that a resolver would make, without one."""
    from nox_envs.lockfile.text import Header, Lock, render
    from nox_envs.pins import Pin
    from nox_envs.workflow.project import Project

    project = Project(folder / "envs.yaml", envdir=".nox", environ={}, host=dict)
    for number, plan in enumerate(project.plans()):
        pins = []
        for n in range(100):
            name = f"package-{number}-{n}"
            hashes = tuple(
                sorted("sha256:" + hashlib.sha256(f"{name}{k}".encode()).hexdigest() for k in range(3))
            )
            via = f"environment env{number}: {name}>=1" if n % 5 == 0 else f"package-{number}-{n - n % 5}"
            pins.append(Pin(name=name, version=f"1.{n}", hashes=hashes, via=(via,)))
        header = Header(
            environments=plan.environments, pythons=plan.pythons, resolver="uv", input=plan.digest
        )
        file = folder / plan.path
        file.parent.mkdir(exist_ok=True)
        file.write_text(render(Lock(origin=plan.path, header=header, pins=tuple(pins))))
