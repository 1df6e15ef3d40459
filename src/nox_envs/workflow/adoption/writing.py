"""Owns the text of an adopted spec and noxfile: what is declared, and comments on why; writes no file."""

from __future__ import annotations

from collections import Counter

from nox_envs.workflow.adoption.types import Draft
from nox_envs.workflow.adoption.yaml_text import comment, flow_list, python_value, scalar

_HEAD = """\
# The Python environments of this project. `nox -s NAME` builds one from its lock and runs its commands;
# each run checks that what is installed is what was locked. This file is yours to edit from here on.
#
#   nox-envs check    is this file valid, and does every lock answer it?
#   nox-envs list     which sessions does it make?
"""
_STARTER = """\
{head}
version: 1

requirements:
  test:
    - pytest

environments:
  tests:
    description: Run the test suite
    requirements: [test]
    commands:
      - pytest {{posargs}}
"""
_NOXFILE = 'from nox_envs import load\n\nload("{spec}")\n'


def noxfile_text(spec: str) -> str:
    """Return the noxfile that makes sessions of a spec, which lies beside it."""
    return _NOXFILE.format(spec=spec)


def starter_text(notes: tuple[str, ...]) -> str:
    """Return a spec for a project in which nothing was found to take over."""
    return _STARTER.format(head=_HEAD + _notes_text(notes))


def spec_text(
    environments: tuple[Draft, ...], *, default: str, lock_folder: str, notes: tuple[str, ...]
) -> str:
    """Return the spec that declares `environments`.

    `default` is the Python of those that name none (empty: the one that runs nox); `lock_folder` is
    where locks go that nox-envs makes (empty: requirements/); `notes` say what was not taken over.
    """
    parts = [_HEAD + _notes_text(notes), "version: 1\n", _defaults(environments, default)]
    parts.append(_lock_folder(lock_folder))
    with_sets = [draft for draft in environments if draft.items]
    if with_sets:
        parts.append(
            "# Requirement sets: named lists that environments are made of.\n"
            "requirements:\n" + "".join(map(_set_text, with_sets))
        )
    parts.append(
        _adopted_text(environments)
        + "environments:\n"
        + "\n".join(_environment_text(draft, default) for draft in environments)
    )
    return "\n".join(part for part in parts if part)


def _adopted_text(environments: tuple[Draft, ...]) -> str:
    """Explain `managed: false`, once, where a lock is adopted."""
    if not any(draft.lock for draft in environments):
        return ""
    text = (
        "# With `managed: false` a lock is read and never written: whoever makes it today still makes it.\n"
        "# `use: constraints` installs the requirements under its pins; without it, all that it pins.\n"
    )
    if any(draft.lock and not draft.exact for draft in environments):
        text += (
            "# Leave it at `lock: {file: …}`, and `nox -s lock` writes that file from then on, with hashes.\n"
        )
    return text


def _notes_text(notes: tuple[str, ...]) -> str:
    if not notes:
        return ""
    return "#\n# Not taken over, or not as it was:\n" + "".join(comment(f"- {note}") for note in notes)


def _defaults(environments: tuple[Draft, ...], default: str) -> str:
    if not default or all(draft.pythons not in ((), (default,)) for draft in environments):
        return ""
    value = python_value((default,))
    return f"# Environments that name no Python have this one.\ndefaults:\n  python: {value}\n"


def _lock_folder(folder: str) -> str:
    if not folder:
        return ""
    return (
        "# Where `nox -s lock` writes: not where files of the same names already are.\n"
        f"lock:\n  file: {folder}/{{environment}}.txt\n"
    )


def _set_text(draft: Draft) -> str:
    return f"  {draft.name}:\n" + "".join(f"    - {one}\n" for one in draft.items)


def _environment_text(draft: Draft, default: str) -> str:
    lines = [f"  {draft.name}:", f"    description: {scalar(draft.description)}"]
    if draft.pythons not in ((), (default,)):
        lines.append(f"    python: {python_value(draft.pythons)}")
    if draft.items:
        lines.append(f"    requirements: [{draft.name}]")
    if draft.package:
        lines.append(f"    package: {draft.package}")
    if draft.constraints:
        lines.append(f"    constraints: {flow_list(draft.constraints)}")
    if draft.lock:
        use = "" if draft.exact else ", use: constraints"
        lines.append(f"    lock: {{managed: false, file: {scalar(draft.lock.path, flow=True)}{use}}}")
    if draft.command:
        lines.append(f'    # commands: ["{draft.command}"]')
    return "".join(f"{line}\n" for line in lines)


def most_common_python(environments: tuple[Draft, ...]) -> str:
    """Return the Python that most adopted locks were made with, empty if none tells."""
    found = Counter(draft.lock.python for draft in environments if draft.lock and draft.lock.python)
    return found.most_common(1)[0][0] if found else ""
