"""Owns the command lines of the resolvers, as values, and the reading of what they print; runs nothing."""

from nox_envs.resolvers.commits import at_commits
from nox_envs.resolvers.pip import pip_report, read_pip_report
from nox_envs.resolvers.request import InputFile, Request, absolute_requirement, pin_lines, request
from nox_envs.resolvers.uv import read_uv_output, uv_compile, uv_compile_pylock

__all__ = [
    "InputFile",
    "Request",
    "absolute_requirement",
    "at_commits",
    "pin_lines",
    "pip_report",
    "read_pip_report",
    "read_uv_output",
    "request",
    "uv_compile",
    "uv_compile_pylock",
]
