"""Owns the agreement of installed files with their RECORD, and of requirements with what is there; mends nothing.

The modules are imported one by one: a warm run needs `startup` only.
"""
