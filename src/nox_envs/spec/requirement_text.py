"""Owns the checking of requirement strings (PEP 508) and the advice for those that are none."""

from __future__ import annotations

import re

from nox_envs.document import Unfit, show
from nox_envs.spec.words import file_path, is_bare, refuse_credentials

_INDEXES = "use the top-level key 'indexes'"
_OPTIONS = (
    (("-r", "--requirement", "--requirements"), "a file is an item of a requirement set: {file: PATH}"),
    (("-c", "--constraint", "--constraints"), "use the key 'constraints': [{file: PATH}]"),
    (("-b", "--build-constraint"), "use the key 'build_constraints': [{file: PATH}]"),
    (
        ("-e", "--editable"),
        "this project is 'package: editable'; another one goes into a file with -e: {file: PATH}",
    ),
    (("-i", "--index-url", "--extra-index-url", "--index", "--default-index"), _INDEXES),
    (("-f", "--find-links", "--no-index"), _INDEXES),
    (("--pre", "--prerelease"), "use the key 'allow_prereleases'"),
    (("--no-binary",), "use 'lock: {no_binary: [NAME]}'"),
    (("--only-binary", "--prefer-binary"), "use 'lock: {only_binary: [NAME]}'"),
    (("--hash", "--require-hashes"), "hashes are written into the lock"),
    (("-U", "--upgrade", "-P", "--upgrade-package"), "run: nox -s lock -- --upgrade"),
    (("--exclude-newer",), "use 'lock: {exclude_newer: 7 days}'"),
    (("--resolution",), "use 'lock: {resolution: lowest-direct}'"),
    (("--trusted-host",), "options of the installer belong to its own configuration"),
)
_SPECIFIC = frozenset("<>=~!;@ []")
_EXAMPLE = "written as in 'requests[socks]>=2.31; python_version < \"3.13\"'"


def is_local_path(text: str) -> bool:
    """Tell whether a text is a path of this machine, as RequirementText defines it."""
    return text.startswith(("./", "../", "/"))


def environment_requirement(text: str) -> str:
    """Check what stands in an environment's `requirements`: a set's name or a requirement.

    A text with placeholders is checked when the values of the matrix are known.
    """
    text = _common(text)
    if "{" not in text and "}" not in text and not is_bare(text):
        check_requirement(text)
    return text


def filled_requirement(text: str) -> str:
    """Check what a requirement with placeholders became.

    A bare name is refused: it would be a package that nobody named, or a set that nobody checked.
    """
    text = _common(text)
    if is_bare(text):
        hint = "name the sets under the values: matrix: {AXIS: {VALUE: {requirements: [SET]}}}"
        raise Unfit(f"{show(text)} is a bare name", hint)
    check_requirement(text)
    return text


def set_requirement(text: str) -> str:
    """Check a string in a requirement set: PEP 508 or a local path."""
    text = _common(text)
    if "{" in text or "}" in text:
        hint = "a text with placeholders belongs to an environment's 'requirements'"
        raise Unfit(f"{show(text)} holds a brace, but a requirement set knows no placeholders", hint)
    if text.endswith((".txt", ".in")) and _SPECIFIC.isdisjoint(text):
        raise Unfit(f"{show(text)} is a file, not a requirement", f"write {{file: {text}}}")
    check_requirement(text)
    return text


def is_constraint_file(text: str) -> bool:
    """Tell whether a string in `constraints` is a path: `pins.txt`, `ci/pins.in`, `./pins`."""
    if is_local_path(text):
        return True
    return _SPECIFIC.isdisjoint(text) and ("/" in text or text.endswith((".txt", ".in")))


def constraint(text: str) -> str:
    """Check a string in `constraints`: a path, or PEP 508 with a version or URL."""
    text = _common(text)
    if is_constraint_file(text):
        return file_path(text)
    if "{" in text or "}" in text:
        return text
    if is_bare(text):
        hint = f"write a version, such as {show(text + '<2')}, or a file: {{file: {text}}}"
        raise Unfit(f"{show(text)} constrains nothing", hint)
    check_requirement(text)
    return text


def _common(text: str) -> str:
    text = text.strip()
    refuse_credentials(text, strict=True)
    if not text:
        raise Unfit("is empty", _EXAMPLE)
    if text.startswith("-"):
        raise Unfit(f"{show(text)} is an option, not a requirement", option_hint(text))
    if text in (".", "./", ".."):
        raise Unfit(f"{show(text)} is this project's own folder", "use the key 'package: editable'")
    return text


def option_hint(text: str) -> str:
    """Return which key does what an installer's option would."""
    given = re.split(r"[\s=]", text, maxsplit=1)[0]
    for names, hint in _OPTIONS:
        if given in names or (given[:2] in names and not given.startswith("--")):
            return hint
    return "options of the installer are keys of an environment; `nox-envs schema` describes them"


def check_requirement(text: str) -> None:
    """Check a requirement with PEP 508's own grammar."""
    if is_local_path(text):
        return
    # Not at the top: a fifth of the command line's start-up, and `schema` does without it.
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise Unfit(f"{show(text)} is no valid requirement", _advice(text)) from None
    if requirement.url is not None and not re.match(r"[A-Za-z][\w+.-]*:", requirement.url):
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        raise Unfit(f"{show(text)} has no URL behind '@'", _instead_of_url(requirement.url, extras))


def _instead_of_url(target: str, extras: str) -> str:
    repository = re.fullmatch(r"(?:[\w.-]+@)?[\w.-]+:(?P<path>\S+\.git|\S+/\S+)", target)
    if repository:
        return f"a repository is git+ssh://{target.partition(':')[0]}/{repository['path']}"
    if target.startswith(("/", "~")):
        return "write the path alone, and relative to this file, such as './folder' or '../folder'"
    path = target if target.startswith(("./", "../")) else f"./{target}"
    return f"write the path alone, such as {show(path + extras)}"


def _advice(text: str) -> str:
    head, semicolon, marker = text.partition(";")
    option = re.search(r"\s(--?[A-Za-z].*)", text)
    if option:
        return option_hint(option[1])
    if re.match(r"(?:\w+\+)?file:", text):
        return "name a repository by its https:// or ssh:// URL, and a folder as ./folder or ../folder"
    if re.match(r"[\w+]+://|git\+", text):
        return f"a URL is written with its name: {show('NAME @ ' + text)}"
    if re.search(r"\s#", text):
        return "remove the comment"
    if semicolon and _is_valid(head):
        return f'the marker {show(marker.strip())} is not valid; such as python_version < "3.13"'
    if "=>" in head or "=<" in head:
        return "write '>=' or '<='"
    if re.search(r"[^=!<>~]=[^=]", head):
        return "write '==' for one version"
    if re.fullmatch(r"[\w.-]+\s+v?\d[\w.]*\s*", head, re.ASCII):
        return f"write {show('=='.join(head.split()))}"
    return _EXAMPLE


def _is_valid(text: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True
