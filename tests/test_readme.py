"""The documents: every example is read, every command exists, and the README's transcripts are real."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from nox_envs.cli import VERBS, main
from nox_envs.errors import FileProblems
from nox_envs.findings import KINDS
from nox_envs.report.json import json_text
from nox_envs.spec.keys import json_schema, read_spec
from nox_envs.spec.points import expand
from tests.conftest import Machine, Project
from tests.index import Index

ROOT = Path(__file__).parent.parent
FILES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
README, TEXT = PAGES["README.md"], "\n".join(PAGES.values())
SCHEMA = json_schema()
SPECS = [text for text in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "\njobs:" not in text]


def block(marker: str, language: str) -> str:
    """Return the first code block of a language below a marker of the README."""
    found = re.search(rf"<!-- {marker} -->\n.*?```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def commands(program: str) -> list[str]:
    """Return the words behind a program, in all code of the documents but the changelog's."""
    current = TEXT.replace(PAGES["CHANGELOG.md"], "")
    code = "\n".join(map("".join, re.findall(r"```console\n(.*?)```|`([^`\n]+)`", current, re.DOTALL)))
    return [words.strip() for words in re.findall(rf"(?m)(?:^|\$ |\(|bin/|&& ){program} ([^|>#)\n]*)", code)]


def test_every_spec_in_the_documents_is_valid() -> None:
    for text in SPECS:
        assert expand(read_spec(text, origin=text))


def test_every_command_in_the_documents_exists(capsys: pytest.CaptureFixture[str]) -> None:
    found = [words.split() for words in commands("nox-envs")]
    assert {verb for verb, *_ in found} == VERBS.keys()
    for verb, *rest in found:
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        shown = capsys.readouterr().out
        assert not [one for one in rest if one.startswith("-") and one not in shown], verb


@pytest.mark.functional
def test_every_option_of_nox_in_the_documents_exists(project: Project) -> None:
    project.write("envs.yaml", block("example", "yaml"))
    known = {"": project.nox("--help").stdout}
    known |= {verb: known[""] + project.nox("-s", verb, "--", "--help").stdout for verb in ("lock", "drift")}
    for words in commands("nox"):
        own, _, more = words.partition(" -- ")
        verb = own.rpartition("-s ")[2] if own.endswith(("-s lock", "-s drift")) else ""
        options = re.findall(r"(?<!\S)--?[A-Za-z][\w-]*", f"{own} {more if verb else ''}")
        assert not [one for one in options if one not in known[verb]], words


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for page, text in PAGES.items():
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
            file = (ROOT / page).parent / target if target else ROOT / page
            headings = re.findall(r"(?m)^#+ (.*)$", file.read_text(encoding="utf-8"))
            slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert not anchor or anchor in slugs, (page, target, anchor)


def test_every_kind_of_finding_is_described_with_its_severity_and_an_example() -> None:
    pattern = r"### `([\w-]+)`\n\n(\w+)[.;].*?```text\n(?:artifact.*?\n)?(\1) "
    found = re.findall(pattern, PAGES["docs/findings.md"], re.DOTALL)
    assert {kind: severity for kind, severity, _ in found} == KINDS


def test_the_schema_for_editors_is_up_to_date_and_every_key_is_described() -> None:
    assert (ROOT / "docs/envs.schema.json").read_text(encoding="utf-8") == json_text(SCHEMA)
    assert isinstance(keys := SCHEMA["$defs"], dict)
    assert not [key for key in keys if f"`{key}`" not in PAGES["docs/spec.md"]]


def test_the_noxfile_and_the_two_commands_of_the_readme_are_those_of_the_repository() -> None:
    assert block("example", "python").removeprefix("# noxfile.py\n") == (ROOT / "noxfile.py").read_text()
    assert re.fullmatch(r"python3 -m venv .*\n\.venv/bin/nox .* -s tests\n", block("setup", "console"))


def test_the_mistake_in_the_readme_reads_as_printed() -> None:
    with pytest.raises(FileProblems) as caught:
        read_spec(block("example", "yaml").replace("[test]", "[tset]"), origin="envs.yaml")
    assert " ".join(str(caught.value).split()) in " ".join(README.split())


def release(index: Index) -> None:
    """Serve the packages of the README, as far as its examples need them."""
    pins = "idna-3.20 urllib3-2.8.0 urllib3-1.26.20 six-1.17.0 rich-15.0.0 requests-2.32.3 requests-2.34.2"
    for pin in pins.split():
        index.release(*pin.split("-"), requires=("idna>=2.5", "urllib3>=1.26") if "requests" in pin else ())
    index.release("pytest", "9.2.0", files={}, entry_points="[console_scripts]\npytest = builtins:int\n")


@pytest.mark.functional
def test_drift_and_its_repair_look_as_the_readme_shows(project: Project, index: Index) -> None:
    release(index)
    project.write("envs.yaml", block("example", "yaml"))
    project.nox("-s", "lock", "--", "tests", check=True)
    project.nox("-s", "tests", check=True)
    project.venv("tests").uninstall("idna")
    project.venv("tests").install("six", "urllib3<2")
    varies = r"(?<=txt:)\d+|(?<=python3\.)\d+|\d+(?= distributions)|(?<=successful).*"
    ran = re.sub(varies, "", project.nox("-s", "tests", check=True).output).splitlines()
    shown = re.sub(varies, "", block("transcript", "console")).splitlines()
    assert not [line for line in shown[1:] if line != "..." and line not in ran]


@pytest.mark.functional
def test_the_command_of_the_readme_skips_a_python_that_is_not_there_and_downloads_none(
    project: Project,
) -> None:
    words = block("setup", "console").splitlines()[1].split()[1:]
    project.write("envs.yaml", 'version: 1\nenvironments:\n  tests: {python: ["3.98", "3.99"]}\n')
    hidden = {"UV_PYTHON_DOWNLOADS", "NOX_DOWNLOAD_PYTHON", "UV_NO_CONFIG"}
    env = {name: text for name, text in project.machine.env.items() if name not in hidden}
    machine = Machine(env=env, scratch=project.machine.scratch)
    ran = machine.run(sys.executable, "-m", "nox", *words, cwd=project.root)
    told = [line for line in ran.output.splitlines() if re.match("error|warn|.*[Dd]ownload", line)]
    assert (told, ran.output.count(" skipped: Python interpreter 3.9")) == ([], 2)


@pytest.mark.functional
def test_the_tutorial_of_the_readme_works_in_the_order_it_is_written(project: Project, index: Index) -> None:
    release(index)
    project.write("envs.yaml", block("tutorial", "yaml"))
    steps = re.findall(r"(?m)^\$ (.*)$", block("tutorial", "console"))
    script = "\n".join([*steps[:2], 'test "$VIRTUAL_ENV" = "$PWD/.nox/empty"', *steps[2:]])
    project.machine.run("bash", "-euc", script, cwd=project.root, env={"SHELL": "/bin/bash"})
    assert "requests==2.32.3" in project.read("requirements.txt").splitlines()
    assert project.cli("freeze", "again").stdout == project.read("requirements.txt")
