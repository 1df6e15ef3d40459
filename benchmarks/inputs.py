"""Projects to measure: generated specs, hand-written noxfiles, venvs of popular packages, a small index."""

from __future__ import annotations

import functools
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Contender, run

Sets = dict[str, list[str]]
STACKS: Sets = json.loads((Path(__file__).parent / "packages.json").read_text())
POPULAR = {"popular": STACKS.pop("popular")}  # 283 distributions with what they require
SESSION = '\n\n@nox.session(python="{minor}", venv_backend="uv", reuse_venv=True)\n'
_PROBE = """import compileall, nox_envs, sys, uv
from importlib.metadata import version
compileall.compile_dir(nox_envs.__path__[0], quiet=1)
print(uv.find_uv_bin(), "%d.%d" % sys.version_info[:2], sep="\\n")
print(f"Python {sys.version.split()[0]}", *(f"{n} {version(n)}" for n in ("nox-envs", "nox", "uv")), sep=", ")
"""


class Subject:
    """An environment that has a nox-envs to measure; `mark` ends the names of its rows."""

    def __init__(self, python: Path, mark: str = "") -> None:
        self.bin, self.mark = python.absolute().parent, mark
        self.uv, self.minor, self.versions = run((str(python), "-c", _PROBE), Path.cwd()).splitlines()

    def command(self, words: str) -> tuple[str, ...]:
        """Return a command line of a program of this environment."""
        program, *rest = words.split()
        return (str(self.bin / program), *rest)


Project = Callable[[Subject], Path]
Prepare = Callable[[Contender], None] | None


@dataclass(frozen=True, eq=False)
class Inputs:
    """The folder of a run, and what is measured in it; hand-written projects run with `first`."""

    folder: Path
    first: Subject
    subjects: tuple[Subject, ...]
    rounds: int
    quick: bool

    def both(self, name: str, words: str, project: Project, prepare: Prepare = None) -> list[Contender]:
        """Return a command line for each nox-envs that is measured, in a project of its own."""
        pairs = ((one, project(one)) for one in self.subjects)
        return [Contender(name + one.mark, one.command(words), at, prepare=prepare) for one, at in pairs]

    def by_hand(self, name: str, noxfile: str) -> Path:
        """Return a new folder with a noxfile."""
        run(("mkdir", name), self.folder)
        (self.folder / name / "noxfile.py").write_text(noxfile.format(minor=self.first.minor))
        return self.folder / name

    def project(self, name: str, subject: Subject, environments: dict[str, str], sets: Sets) -> Path:
        """Return a new folder with a spec, from the keys of each environment, and its noxfile."""
        project = self.by_hand(name + subject.mark, 'from nox_envs import load\n\nload("envs.yaml")\n')
        lines = (f'  {one}: {{python: "{subject.minor}", {keys}}}\n' for one, keys in environments.items())
        text = f"version: 1\nrequirements: {json.dumps(sets)}\nenvironments:\n{''.join(lines)}"
        (project / "envs.yaml").write_text(text)
        return project


@functools.cache
def popular(inputs: Inputs, number: int, subject: Subject) -> Path:
    """Return a project with a number of environments of popular packages, each locked and built."""
    names = [f"env{n:02}" for n in range(number)]
    keys = dict.fromkeys(names, "requirements: [popular], commands: [python -c pass]")
    project = inputs.project(f"popular-{number}", subject, keys, POPULAR)
    run(subject.command(f"nox -s lock {' '.join(names)}"), project)
    return project


@functools.cache
def listed(inputs: Inputs, points: int, ready: bool, subject: Subject) -> Path:
    """Return a project of ten environments of `points / 10` points, and of one more to run if `ready`."""
    axis = json.dumps([f"v{n}" for n in range(points // 10)])
    keys = "lock: false, commands: [python -c pass]"
    matrices = {f"env{n}": f"{keys}, matrix: {{axis: {axis}}}" for n in range(10)}
    project = inputs.project(f"listed-{points}-{ready}", subject, {"ready": keys, **matrices}, {})
    if ready:
        run(subject.command("nox -s ready"), project)
    return project


@functools.cache
def listed_by_hand(inputs: Inputs, points: int) -> Path:
    """Return the same sessions in a hand-written noxfile."""
    axis = f'@nox.parametrize("axis", {[f"v{n}" for n in range(points // 10)]!r})\n'
    matrices = (f"{SESSION}{axis}def env{n}(session, axis):\n    pass\n" for n in range(10))
    text = f"import nox{SESSION}def ready(session):\n    pass\n{''.join(matrices)}"
    return inputs.by_hand(f"listed-{points}-by-hand", text)


@functools.cache
def stacks(inputs: Inputs, subject: Subject) -> Path:
    """Return a project of twelve environments, which was locked once; each also as a file for uv."""
    dev = ", ".join(STACKS)  # the environment people work in has what all others have
    keys = {name: f"requirements: [{name}]" for name in STACKS} | {"dev": f"requirements: [{dev}]"}
    project = inputs.project("stacks", subject, keys, STACKS)
    for name, packages in STACKS.items():
        (project / f"{name}.in").write_text("\n".join(packages))
    (project / "dev.in").write_text("\n".join(f"-r {name}.in" for name in STACKS))
    run(subject.command("nox -s lock"), project)
    return project


@functools.cache
def large(inputs: Inputs, environments: int, points: int, subject: Subject) -> Path:
    """Return a project of environments of so many points; all but the last have locks of 31 pins."""
    axis = f"matrix: {{axis: {json.dumps(list(range(points)))}}}"
    direct = json.dumps([f"package-{n}>=1.{{axis}}" for n in range(0, 31, 5)])
    keys = {f"env{n}": f"{axis}, requirements: {direct}" for n in range(environments - 1)}
    project = inputs.project("large", subject, {**keys, "unlocked": f"{axis}, lock: false"}, {})
    (project / ".nox").mkdir(exist_ok=True)  # as in a project that was run
    env = {"UV_DEFAULT_INDEX": _index(inputs.folder / "index").as_uri()}
    run(subject.command("nox -s lock"), project, {**env, "UV_CACHE_DIR": str(inputs.folder / "cache")})
    return project


@functools.cache
def _index(index: Path) -> Path:
    """Write an index of 31 packages, a wheel and an sdist each; every fifth requires the next four."""
    for n in range(31):
        folder, file = index / f"package-{n}", f"package_{n}-1.100"
        metadata = f"Metadata-Version: 2.1\nName: {folder.name}\nVersion: 1.100\n"
        required = range(n + 1, min(n + 5, 31)) if n % 5 == 0 else ()
        metadata += "".join(f"Requires-Dist: package-{one}\n" for one in required)
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / f"{file}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{file}.dist-info/METADATA", metadata)
        names = (f"{file}-py3-none-any.whl", f"{file}.tar.gz")
        links = (f'<a href="{name}#sha256={n:062x}{k:02x}">{name}</a>' for k, name in enumerate(names))
        (folder / "index.html").write_text("<!DOCTYPE html>" + "".join(links))
    return index
