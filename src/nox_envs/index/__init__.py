"""Owns link (5), a lock beside what indexes and advisories say of its pins; changes nothing."""
