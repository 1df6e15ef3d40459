"""Owns the lock: its text (`text`), what goes into it (`plan`) and whether it is fresh (`freshness`)."""
