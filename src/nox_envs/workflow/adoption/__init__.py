"""Owns the verb init: a spec and a noxfile from what a project has; overwrites no file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nox_envs.errors import FileProblems
from nox_envs.files import read_text
from nox_envs.lockfile.paths import DEFAULT_FILE
from nox_envs.matrix.expansion import expand
from nox_envs.requirements import Composer
from nox_envs.requirements.project import PYPROJECT, Pyproject
from nox_envs.spec.read import read_spec
from nox_envs.values import value
from nox_envs.workflow.adoption.drafts import Drafts
from nox_envs.workflow.adoption.survey import survey
from nox_envs.workflow.adoption.types import Draft
from nox_envs.workflow.adoption.writing import most_common_python, noxfile_text, spec_text, starter_text

__all__ = ["Adoption", "adopt"]

_LOCK_FOLDERS = ("locks", "requirements-locks", "nox-envs-locks")
_TABLES = (
    (r"tool\.poetry(?:\.group\.[^\]]*)?\.dependencies", "poetry export writes them as a requirements file"),
    (r"tool\.pdm\.dev-dependencies", "as [dependency-groups] they would be"),
    (r"tool\.hatch\.envs[^\]]*", "its environments are not read"),
)
_FILES = (
    ("tox.ini", "its environments are not read"),
    ("Pipfile", "pipenv requirements writes it as a requirements file"),
    ("environment.yml", "conda environments are not read"),
    ("uv.lock", "uv export writes it as a requirements file"),
    ("poetry.lock", "poetry export writes it as a requirements file"),
    ("pdm.lock", "pdm export writes it as a requirements file"),
)


@value
class Adoption:
    """Hold the texts of a spec and of a noxfile, the number of environments, and what was not taken over."""

    spec: str
    noxfile: str
    environments: int
    notes: tuple[str, ...]


def adopt(root: Path, *, spec: str, environ: Mapping[str, str]) -> Adoption:
    """Make a spec of what the project in `root` has; write nothing.

    Taken over are requirements files, with the locks that other tools made of them, dependency groups
    (PEP 735) and extras for development. `spec` is the name of the file it will be; `environ` are the
    variables that requirements files may name.
    """
    found = survey(root, environ)
    project = Pyproject(root)
    drafts = Drafts(found, project)
    environments = tuple(drafts.environments)
    notes = (*(str(one) for one in project.problems), *found.notes, *drafts.notes, *_others(root, project))
    if not environments:
        return Adoption(spec=starter_text(notes), noxfile=noxfile_text(spec), environments=1, notes=notes)
    default = drafts.pythons[-1] if drafts.pythons else most_common_python(environments)
    text = spec_text(environments, default=default, lock_folder=_lock_folder(root, environments), notes=notes)
    return Adoption(
        spec=text,
        noxfile=noxfile_text(spec),
        environments=len(environments),
        notes=(*notes, *_problems(text, spec, root, environ)),
    )


def _lock_folder(root: Path, environments: tuple[Draft, ...]) -> str:
    """Return where new locks go, empty where no file is in the way of the usual place."""
    managed = [draft.name for draft in environments if draft.lock is None]
    if not any((root / DEFAULT_FILE.format(environment=name)).exists() for name in managed):
        return ""
    return next((one for one in _LOCK_FOLDERS if not (root / one).exists()), "nox-envs-locks")


def _others(root: Path, project: Pyproject) -> list[str]:
    """Say what else describes environments or requirements here, and how it could be taken over."""
    notes = [f"{name}: {hint}" for name, hint in _FILES if (root / name).is_file()]
    if project.project is None and project.buildable:
        notes.append("the project's own dependencies are left to its build backend: there is no [project]")
    elif project.project is not None and project.is_dynamic("dependencies"):
        notes.append(f"{PYPROJECT}: dependencies are dynamic, and left to the build backend")
    try:
        text = read_text(root / PYPROJECT, shown=PYPROJECT)
    except FileProblems:
        return notes
    for pattern, hint in _TABLES:
        match = re.search(rf"^\[({pattern})\]", text, re.MULTILINE)
        if match:
            line = text.count("\n", 0, match.start()) + 1
            notes.append(f"{PYPROJECT}:{line}: [{match[1]}]: {hint}")
    return notes


def _problems(text: str, spec: str, root: Path, environ: Mapping[str, str]) -> list[str]:
    """Return what a check of the spec would say: there is no telling what a project holds."""
    try:
        read = read_spec(text, origin=spec)
        problems = Composer(read, root=root, environ=environ).problems(expand(read))
    except FileProblems as error:
        problems = error.problems
    return [f"to be mended: {problem}" for problem in problems]
