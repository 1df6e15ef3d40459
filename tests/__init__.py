"""The tests; modules mirror those of src, and share fixtures only through conftest."""
