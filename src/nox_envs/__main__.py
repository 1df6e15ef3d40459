"""The command `nox-envs`, also as `python -m nox_envs`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; an interruption while it is imported has the exit code of any other one."""
    try:
        from nox_envs.cli import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
