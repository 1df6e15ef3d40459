"""The line that activates a venv in a shell."""

from __future__ import annotations

import re
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
            # Anything else means itself within single quotes; fish alone joins two backslashes.
            if not str(script).isprintable() or re.search("['!\u2018-\u201b]", str(script)):
                raise NoxEnvsError(
                    f"{str(script)!r} has a character that shells read within quotes; rename the folder"
                )
            return f"{command} '{script}'"
    raise NoxEnvsError(f"{venv} has no script {wanted!r}: what created it does not support {name}")


# The script in the venv, and the command that reads it.
_SHELLS = {
    **dict.fromkeys(("sh", "bash", "zsh", "ksh", "dash", "ash"), ("activate", ".")),
    "fish": ("activate.fish", "source"),
    **dict.fromkeys(("csh", "tcsh"), ("activate.csh", "source")),
    **dict.fromkeys(("pwsh", "powershell"), ("activate.ps1", "&")),
}
