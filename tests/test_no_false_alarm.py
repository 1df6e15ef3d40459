"""New environments of popular packages have no finding, not one, before and after they are used."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile

import pytest

from tests.conftest import Project
from tests.index import build_wheel

pytestmark = [pytest.mark.functional, pytest.mark.network]

# What is required, the backend, and what is imported or run.
ENVIRONMENTS = {
    "requests": ("requests[socks]>=2", "uv", "import requests, socks"),
    "django": (
        "django>=4.2",
        "uv",
        "import django.core.management as m; m.ManagementUtility(['x']).execute()",
    ),
    "pytest": ("pytest-cov>=5", "virtualenv", "import pytest, pytest_cov, coverage"),
    "jupyter": ("jupyterlab-widgets>=3", "uv", "import jupyterlab_widgets"),
    "setuptools": ("setuptools>=70, wheel>=0.43", "venv", "import setuptools, wheel"),
    "zope": ("zope.interface>=6, zope.event>=5", "uv", "import zope.interface, zope.event"),
    "protobuf": ("googleapis-common-protos>=1.60", "uv", "import google.rpc.status_pb2"),
    "sphinx": ("sphinx>=7", "uv", "import sphinx.application"),
    "numpy": ("numpy>=1.26", "uv", "import numpy.testing"),
    "tools": ("black>=24, mypy>=1.8", "virtualenv", "import black, mypy.main"),
    "hooks": ("future-fstrings>=1.2, setuptools>=70", "uv", "import future_fstrings"),
    "editable": ("", "uv", "import orchard"),
}
# Most wheels leave their tests out; these have them.
TESTS = {
    "zope": (
        "zope.interface.tests.test_interface",
        "zope.interface.tests.test_adapter",
        "zope.event.tests",
    ),
}
IMPORT_EVERYTHING = """
import contextlib, importlib, os, pkgutil, sys

os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
os.dup2(1, 2)
for module in pkgutil.walk_packages(sys.argv[1:], onerror=lambda name: None):
    if not module.name.endswith("__main__"):
        with contextlib.suppress(BaseException):
            importlib.import_module(module.name)
os._exit(0 if len(sys.modules) > 40 else 1)
"""


def spec() -> str:
    """Return the spec of all environments."""
    lines = ["version: 1", "environments:"]
    for name, (requirements, backend, _) in ENVIRONMENTS.items():
        wanted = ", ".join(f'"{text.strip()}"' for text in requirements.split(",") if text)
        package = ", package: editable" if name == "editable" else ""
        options = f"lock: false, backend: {backend}, drift: {{files: all}}{package}"
        lines.append(f"  {name}: {{requirements: [{wanted}], {options}}}")
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def popular(online: Project) -> Project:
    """Make the project whose environments are built one by one."""
    online.write("envs.yaml", spec())
    online.write("src/orchard/__init__.py", "")
    online.write(
        "pyproject.toml",
        """
        [build-system]
        requires = ["setuptools>=70"]
        build-backend = "setuptools.build_meta"

        [project]
        name = "orchard"
        version = "1.0"

        [tool.setuptools]
        package-dir = {"" = "src"}
        packages = ["orchard"]
        """,
    )
    return online


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_new_environment_has_no_finding(popular: Project, name: str) -> None:
    _, backend, code = ENVIRONMENTS[name]
    popular.nox("-s", name, check=True)
    assert findings(popular, name) == []
    venv = popular.venv(name, backend)  # type: ignore[arg-type]
    popular.machine.run(venv.python, "-c", code, env={"PYTHONDONTWRITEBYTECODE": ""})
    popular.machine.run(venv.python, "-m", "compileall", "-q", venv.site, check=False)
    popular.machine.run(venv.python, "-c", IMPORT_EVERYTHING, venv.site, env={"PYTHONDONTWRITEBYTECODE": ""})
    if name in TESTS:
        tested = popular.machine.run(venv.python, "-m", "unittest", *TESTS[name])
        assert "OK" in tested.output
    assert findings(popular, name) == []
    assert "no drift" in popular.nox("-s", name, check=True).output


def test_a_wheel_with_hexadecimal_digests_has_no_finding(project: Project) -> None:
    wheel = build_wheel(project.root, "hexed", "1.0")
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    record = "hexed-1.0.dist-info/RECORD"
    rows = [f"{n},sha256={hashlib.sha256(d).hexdigest()},{len(d)}" for n, d in content.items() if n != record]
    content[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    _has_no_finding(project, "uv", f"./{wheel.name}")
    (info,) = project.venv("other").site.glob("hexed-*")
    assert (
        hashlib.sha256((project.venv("other").site / "hexed/__init__.py").read_bytes()).hexdigest()
        in (info / "RECORD").read_text()
    )


def test_an_egg_info_has_no_finding(project: Project) -> None:
    project.machine.interpreter("3.10")
    folder = project.root / "old-1.0"
    folder.mkdir()
    (folder / "setup.py").write_text(
        "from setuptools import setup\nsetup(name='old', version='1.0', py_modules=['old'])\n"
    )
    (folder / "old.py").write_text("")
    with tarfile.open(project.root / "old-1.0.tar.gz", "w:gz") as archive:
        archive.add(folder, "old-1.0")
    _has_no_finding(project, "venv", "./old-1.0.tar.gz", python="3.10")
    if not list(project.venv("other", "venv").site.glob("old-1.0-*.egg-info")):
        pytest.skip("the pip of this Python 3.10 makes no egg-info any more")


def _has_no_finding(project: Project, backend: str, requirement: str, python: str = "") -> None:
    """Build an environment without a lock and use it; nothing may be found in it, before and after."""
    options = f"lock: false, backend: {backend}, drift: {{files: all}}" + (
        f', python: "{python}"' if python else ""
    )
    project.write(
        "envs.yaml", f'version: 1\nenvironments:\n  other: {{requirements: ["{requirement}"], {options}}}\n'
    )
    ran = project.nox("-s", "other", check=True)
    assert "no drift" in ran.output
    assert _more_than_notes(project) == []
    venv = project.venv("other", backend)  # type: ignore[arg-type]
    project.machine.run(venv.python, "-m", "compileall", "-q", venv.site, check=False)
    assert _more_than_notes(project) == []


def _more_than_notes(project: Project) -> list[object]:
    """Return the findings but the note that a local archive has no hash to compare with."""
    return [found for found in findings(project, "other") if '"unverifiable"' not in json.dumps(found)]


def findings(project: Project, name: str) -> list[object]:
    """Return every finding on an environment, all of its files compared."""
    ran = project.cli("drift", name, "--files", "all", "--format", "json")
    (environment,) = json.loads(ran.stdout)["environments"]
    assert environment["status"] == "clean", ran.output
    return list(environment["findings"])
