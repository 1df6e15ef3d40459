"""Benchmarks of nox-envs beside nox, uv and tox."""
