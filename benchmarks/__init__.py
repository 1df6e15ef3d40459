"""Measure nox-envs beside the tools its users have; nothing here is a test."""
