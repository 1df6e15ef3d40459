"""The command `python -m nox_envs`."""

from nox_envs.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
