"""Owns fuzzing: every reader of what others wrote, as a target that takes any bytes; see CONTRIBUTING.md."""
