"""Owns what the tests of faults share: a small project, processes that end badly, what they must leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Project, Result

SPEC = "version: 1\nenvironments:\n  demo: {requirements: [basket>=1]}\n"

# A noxfile that ends its own process before the step DIE_AT of those that change the project's folder.
DYING_NOXFILE = """\
import os
import signal
import sys

from nox_envs import load

HERE = os.getcwd()
left = int(os.environ.get("DIE_AT", "0"))
CHANGES = ("os.rename", "os.remove", "shutil.rmtree")


def changes(event, arguments):
    if event == "subprocess.Popen":
        return True
    if event not in CHANGES or isinstance(arguments[0], int):
        return False
    path = os.path.abspath(os.fspath(arguments[0]))
    return path.startswith(HERE) and "__pycache__" not in path


def die(event, arguments):
    global left
    if left and changes(event, arguments):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(die)
load("envs.yaml")
"""


def environment(project: Project, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process that may be killed: half a file of coverage would hurt others."""
    kept = {name: value for name, value in project.machine.env.items() if not name.startswith("COVERAGE")}
    return {**kept, **(extra or {})}


def start(
    project: Project, *arguments: str, output: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start nox in a process group of its own; what it says goes to the file `output`."""
    with (output or Path(os.devnull)).open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "nox", *arguments],
            cwd=project.root,
            env=environment(project, env),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def dies_at(project: Project, step: int, *arguments: str) -> bool:
    """Run nox until it dies before a step, counted from 1; tell whether it came that far."""
    code = start(project, *arguments, env={"DIE_AT": str(step)}).wait(timeout=120)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def tracked(project: Project) -> dict[str, bytes]:
    """Return the files of the project that belong to the user, by path."""
    files = [p for p in project.root.rglob("*") if p.is_file() and ".nox" not in p.parts]
    return {
        p.relative_to(project.root).as_posix(): p.read_bytes() for p in files if "__pycache__" not in p.parts
    }


def kinds(project: Project, name: str = "demo") -> list[str]:
    """Return the kinds of what `drift` finds in an environment."""
    ran = project.cli("drift", name, "--format", "json")
    assert ran.returncode in (0, 1), ran.output
    (environment,) = json.loads(ran.stdout)["environments"]
    return sorted(finding["kind"] for finding in environment["findings"])


def half_written(project: Project) -> list[Path]:
    """Return the receipts, stamps and reports of a project that are not whole."""
    kept = project.root / ".nox"
    found = [*kept.glob("*/nox-envs*.json"), *kept.glob(".nox-envs/reports/*.json")]
    return [path for path in found if not is_json(path)]


def is_json(path: Path) -> bool:
    """Tell whether a file holds one whole JSON value."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def in_namespace(project: Project, script: str, **variables: str | Path) -> Result:
    """Run a shell script that may mount and sees `$PROJECT` and `$PYTHON`; skip where that is not allowed."""
    for unshare in (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount")):
        try:
            allowed = project.machine.run(*unshare, "mount", "-t", "tmpfs", "tmpfs", "/mnt", check=False)
        except FileNotFoundError:
            break
        if allowed.returncode == 0:
            env = {"PROJECT": project.root, "PYTHON": sys.executable, **variables}
            shown = {name: str(value) for name, value in env.items()}
            return project.machine.run(
                *unshare, "sh", "-uc", script, cwd=project.root, env=shown, check=False
            )
    pytest.skip("this system lets no test mount a file system in a namespace of its own")
