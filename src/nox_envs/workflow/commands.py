"""Owns the commands of one point: their placeholders filled in, run one after the other."""

from __future__ import annotations

from nox_envs.matrix import Point
from nox_envs.placeholders import expand, expand_command
from nox_envs.values import replace
from nox_envs.workflow.host import Host


def run_commands(point: Point, host: Host) -> None:
    """Run the commands of a point in its venv; one that fails ends the session."""
    envdir = str(host.location)

    def filled(text: str) -> str:
        return expand(text, posargs=host.posargs, envdir=envdir)

    for command in point.commands:
        host.run(
            replace(
                command,
                argv=expand_command(command.argv, posargs=host.posargs, envdir=envdir),
                change_dir=filled(command.change_dir or point.change_dir),
            ),
            tuple((name, filled(text)) for name, text in (*point.set_env, *command.set_env)),
            point.pass_env,
        )
