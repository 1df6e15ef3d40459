"""Locks: pins, files, plans, freshness, and their regeneration."""
