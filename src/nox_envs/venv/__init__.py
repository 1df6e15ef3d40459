"""Virtual environments: what is installed, what was installed, and what should be."""
