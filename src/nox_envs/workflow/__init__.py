"""Owns the verbs: open a project, run an environment, lock, inspect; told who runs processes."""
