"""The README: its examples are read, its commands are run, its words for them are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nox_envs.matrix import expand
from nox_envs.spec.read import read_spec
from tests.conftest import Project

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SPECS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
NOXFILE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]


@pytest.mark.parametrize("text", SPECS, ids=range(len(SPECS)))
def test_every_spec_of_the_readme_is_valid(text: str) -> None:
    spec = read_spec(text, origin="envs.yaml")
    assert expand(spec)


def test_the_noxfile_of_the_readme_is_the_one_of_this_repository() -> None:
    assert NOXFILE.removeprefix("# noxfile.py\n") == (REPOSITORY / "noxfile.py").read_text()


def test_the_gate_runs_the_two_commands_of_the_readme() -> None:
    block = re.search(r"<!-- setup -->\n```console\n(.*?)```\n<!-- end -->", README, re.DOTALL)
    assert block is not None
    setup, tests = block[1].splitlines()
    assert setup.startswith("python3 -m venv .venv && ")
    assert tests.startswith(".venv/bin/nox ")
    assert tests.endswith(" -s tests")
    assert "<!-- setup -->" in (REPOSITORY / ".ci/run").read_text()


def test_the_mistake_of_the_readme_reads_as_printed() -> None:
    shown = re.search(r"\$ nox -l\nenvs.yaml:14:20: (.*?)```", README, re.DOTALL)
    assert shown is not None
    broken = SPECS[0].replace("requirements: [test]", "requirements: [tset]")
    with pytest.raises(Exception, match="is no requirement set") as caught:
        read_spec(broken, origin="envs.yaml")
    said = str(caught.value).partition(": ")[2]
    assert " ".join(said.split()) == " ".join(shown[1].split())


@pytest.mark.functional
@pytest.mark.network
def test_the_first_example_does_what_the_readme_shows(online: Project) -> None:
    online.write("envs.yaml", SPECS[0])
    online.write("noxfile.py", NOXFILE)
    online.write("tests/test_app.py", "def test_nothing():\n    import rich\n\n    assert rich\n")
    online.nox("-s", "lock", check=True)
    assert "no drift" in online.nox("-s", "tests", check=True).output
    venv = online.venv("tests")
    venv.uninstall("idna")
    venv.install("six", "urllib3<2")
    ran = online.nox("-s", "tests", check=True).output
    for words in (
        "tests: drift, the venv was changed after it was installed: 1 extraneous, 1 missing, 1 version",
        "why: app: requests>=2.31 (envs.yaml:5) > requests",
        "uv pip uninstall --python .nox/tests/bin/python --quiet six",
        "tests: repaired: ",
        "as locked in requirements/tests.txt",
        "fix: nox -s tests",
    ):
        assert words in ran, ran
        assert words in README
    assert "no drift" in online.nox("-s", "tests", check=True).output


@pytest.mark.functional
@pytest.mark.network
def test_the_tutorial_of_the_readme_works_step_by_step(online: Project) -> None:
    online.write("envs.yaml", SPECS[1])
    online.write("requirements.txt", "")
    online.nox("-s", "first", "pinned", check=True)
    frozen = online.cli("freeze", "pinned", check=True).stdout
    assert "requests==2.32.3" in frozen
    online.write("requirements.txt", frozen)
    online.nox("-s", "again", check=True)
    assert online.cli("freeze", "again", check=True).stdout == frozen
    line = online.cli("activate", "first", "--shell", "sh", check=True).stdout.strip()
    shown = online.machine.run("sh", "-c", f"{line} && python -c 'import requests, sys; print(sys.prefix)'")
    assert shown.stdout.strip().endswith(".nox/first")
