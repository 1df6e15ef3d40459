"""Owns whether what is installed is sound: files against RECORD, requirements against what is there.

The modules are imported one by one: a warm run needs `startup` only.
"""
