"""Owns the spec: its types (`types`) and the reading of an envs.yaml into them (`read`)."""
