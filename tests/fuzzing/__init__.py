"""Fuzzing of every reader of foreign input: `python -m tests.fuzzing`."""
