"""The spec: envs.yaml to points."""
