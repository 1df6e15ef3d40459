"""The configuration of Sphinx."""

project = "nox-envs"
html_title = project
html_theme = "furo"
extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True
