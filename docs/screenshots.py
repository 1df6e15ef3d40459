"""Pictures of drift in a terminal and of the HTML report; they take Chromium and a package index."""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
SPEC = """\
version: 1
environments:
  tests:
    requirements: ["pytest>=8", "requests>=2.31"]
    commands: ["pytest --version"]
  docs:
    requirements: ["mistune>=3"]
"""
COLOURS = {"1": "font-weight:bold", "2": "opacity:.65", "31": "color:#f7768e", "32": "color:#9ece6a"}
COLOURS |= {"33": "color:#e0af68", "34": "color:#7aa2f7", "35": "color:#bb9af7", "36": "color:#7dcfff"}
PAGE = """\
<meta charset="utf-8"><style>body{{margin:0;background:#1a1b26;color:#c0caf5}}
pre{{margin:0;padding:16px;font:14px/1.4 "DejaVu Sans Mono",monospace}}</style><pre>{}</pre>
"""


def main() -> None:
    """Write the pictures into docs/images."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "envs.yaml").write_text(SPEC)
        (root / "noxfile.py").write_text('from nox_envs import load\n\nload("envs.yaml")\n')
        nox(root, "-s", "lock", "tests", "docs")
        python = str(root / ".nox/tests")
        run(root, "uv", "pip", "install", "--quiet", "--python", python, "urllib3<2", "six")
        run(root, "uv", "pip", "uninstall", "--quiet", "--python", python, "idna")
        report = run(root, "nox-envs", "drift", "--format", "html")
        picture(report, IMAGES / "report.png", width=1000, height=640)
        shown = "$ nox -s tests\n" + nox(root, "-s", "tests", "--forcecolor")
        page, height = PAGE.format(coloured(shown)), 20 * shown.count("\n") + 32
        picture(page, IMAGES / "drift.png", width=860, height=height)


def nox(root: Path, *words: str) -> str:
    """Run nox and return what it prints."""
    return run(root, "nox", *words)


def run(root: Path, *argv: str) -> str:
    """Run a program and return both of its streams, whatever its exit code."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = {**os.environ, "PATH": path, "UV_LINK_MODE": "copy", "FORCE_COLOR": "1"}
    done = subprocess.run(
        argv, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


def coloured(text: str) -> str:
    """Return the text of a terminal as HTML."""
    made = []
    for part in re.split(r"(\x1b\[[\d;]*m)", text):
        if codes := re.fullmatch(r"\x1b\[([\d;]*)m", part):
            style = ";".join(COLOURS[code] for code in codes[1].split(";") if code in COLOURS)
            made.append(f'</span><span style="{style}">')
        else:
            made.append(html.escape(part))
    return f"<span>{''.join(made)}</span>"


def picture(page: str, file: Path, *, width: int, height: int) -> None:
    """Take a picture of a page."""
    program = shutil.which("chromium") or sys.exit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "page.html")
        source.write_text(page, encoding="utf-8")
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
        quiet = (
            "--disable-background-networking",
            "--disable-component-update",
            f"--user-data-dir={folder}/profile",
        )
        size = (f"--window-size={width},{height}", f"--screenshot={file}", source.as_uri())
        subprocess.run([program, *options, *quiet, *size], check=True, capture_output=True)


if __name__ == "__main__":
    main()
