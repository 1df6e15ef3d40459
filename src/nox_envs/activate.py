"""The line that activates a venv in a shell."""

from __future__ import annotations

import re
import shlex
from pathlib import Path, PurePath

from nox_envs.errors import NoxEnvsError


def activation(shell: str, venv: Path) -> str:
    """Return the line that activates a venv in a shell (`fish`, `/bin/zsh`); raises NoxEnvsError."""
    name = PurePath(shell.replace("\\", "/")).name.lower().removesuffix(".exe")
    if name not in _SHELLS:
        raise NoxEnvsError(f"--shell: {name!r} is not supported; write one of {', '.join(_SHELLS)}")
    wanted, command = _SHELLS[name]
    folders = (venv.absolute() / folder for folder in ("bin", "Scripts"))
    for script in [script for folder in folders for script in sorted(folder.glob("[aA]ctivate*"))]:
        if script.name.lower() == wanted:
            if not str(script).isprintable():
                raise NoxEnvsError(
                    f"{str(script)!r} has characters that cannot be printed; rename the folder"
                )
            return f"{command} {_quoted(str(script), wanted)}"
    raise NoxEnvsError(f"{venv} has no script {wanted!r}: what created it does not support {name}")


def _quoted(path: str, script: str) -> str:
    """Return a path that stays one word in a shell, so that the name of a folder never runs as code."""
    match script:
        case "activate.fish":
            return "'" + re.sub(r"[\\']", r"\\\g<0>", path) + "'"
        case "activate.ps1":
            # The typographic quotes from U+2018 to U+201B end a string like the plain one.
            return "'" + re.sub("['\u2018-\u201b]", r"\g<0>\g<0>", path) + "'"
        case "activate.csh":
            # `!` is replaced from the history inside quotes too.
            return shlex.quote(path).replace("!", "\\!")
    return shlex.quote(path)


# The script in the venv, and the command that reads it.
_SHELLS = {
    **dict.fromkeys(("sh", "bash", "zsh", "ksh", "dash", "ash"), ("activate", ".")),
    "fish": ("activate.fish", "source"),
    **dict.fromkeys(("csh", "tcsh"), ("activate.csh", "source")),
    **dict.fromkeys(("pwsh", "powershell"), ("activate.ps1", "&")),
}
