"""The documentation: every example is read or run, every command and link works, every page is reachable."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
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
from tests.reference_pages import command_line_page, keys_page

ROOT = Path(__file__).parent.parent
FILES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
README, TEXT = PAGES["README.md"], "\n".join(PAGES.values())
SCHEMA = json_schema()
# A block is a file if its first line is a comment with a path. Without one, a block of YAML is a spec.
BLOCK = re.compile(r"```(\w+)\n(?:(?:#|;|//) (\S*\.\S+)\n)?(.*?)```", re.DOTALL)
WALKS = {
    f"{page} {number}": walk
    for page, text in PAGES.items()
    for number, walk in enumerate(re.findall(r"<!-- run -->\n(.*?)<!-- end -->", text, re.DOTALL))
}


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
    for page, text in PAGES.items():
        for language, path, body in BLOCK.findall(text):
            if language == "yaml" and (path == "envs.yaml" or body.startswith("version: 1\n")):
                assert expand(read_spec(body, origin=page))


def wording(text: str) -> str:
    """Return a line without what changes from day to day: numbers, hashes, and the space around it."""
    return re.sub(r"[\d.]+(?:\.?post\d+)?", "0", re.sub(r"[0-9a-f]{40,}", "0", text)).strip()


def require_shown(shown: list[str], output: str) -> None:
    """Require that an output has the lines that a page shows, in this order."""
    lines = iter([wording(line) for line in output.splitlines()])
    for line in shown:
        assert line == "..." or wording(line) in lines, f"{line!r} is not printed, or not there:\n{output}"


@pytest.mark.network
@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_through_works_as_it_is_written(walk: str, online: Project, tmp_path: Path) -> None:
    project = Project(root=tmp_path / "project", machine=online.machine)
    project.root.mkdir()
    project.machine.run("git", "init", "--quiet", "--initial-branch=main", cwd=project.root)
    for language, path, body in BLOCK.findall(WALKS[walk]):
        if path:
            project.write(path, body)
        elif language == "console":
            for step in re.split(r"(?m)^\$ ", body)[1:]:
                command, *shown = step.splitlines()
                command, _, told = command.partition("  # ")
                code = int(told.rpartition("exits ")[2]) if "exits " in told else 0
                ran = project.machine.run("bash", "-euc", command, cwd=project.root, check=False)
                assert ran.returncode == code, f"{command}\n{ran.output}"
                require_shown(shown, ran.output)


@pytest.mark.network
def test_contributors_who_only_have_nox_run_the_sessions(online: Project, tmp_path: Path) -> None:
    project = Project(root=tmp_path / "project", machine=online.machine)
    ((_, path, body),) = BLOCK.findall(PAGES["docs/how-to/contributors.md"])
    project.write(path, re.sub(r"git\+https://\S+@COMMIT", ROOT.as_uri(), body))
    project.write("envs.yaml", "version: 1\nenvironments:\n  tests: {requirements: [idna>=3]}\n")
    ran = project.nox("-s", "lock", "tests", check=True)
    assert "tests: no drift: 1 distribution" in ran.output
    assert (project.root / ".nox/_nox_script_mode").is_dir()


def test_every_command_in_the_documents_exists(capsys: pytest.CaptureFixture[str]) -> None:
    found = [words.split() for words in commands("nox-envs")]
    assert {verb for verb, *_ in found if not verb.startswith("-")} == VERBS.keys()
    for verb, *rest in [words for words in found if words[0] in VERBS]:
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
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#`\s]*)#?([^)`\s]*)\)", text):
            file = (ROOT / page).parent / target if target else ROOT / page
            assert file.exists(), (page, target)
            headings = re.findall(r"(?m)^#+ (.*)$", file.read_text(encoding="utf-8")) if anchor else []
            slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert not anchor or anchor in slugs, (page, target, anchor)


def test_every_kind_of_finding_is_described_with_its_severity_and_an_example() -> None:
    pattern = r"### `([\w-]+)`\n\n(\w+)[.;].*?```text\n(?:artifact.*?\n)?(\1) "
    found = re.findall(pattern, PAGES["docs/reference/findings.md"], re.DOTALL)
    assert {kind: severity for kind, severity, _ in found} == KINDS


def test_the_schema_for_editors_is_up_to_date() -> None:
    assert (ROOT / "docs/envs.schema.json").read_text(encoding="utf-8") == json_text(SCHEMA)


def test_the_noxfile_and_the_two_commands_of_the_readme_are_those_of_the_repository() -> None:
    assert block("example", "python").removeprefix("# noxfile.py\n") == (ROOT / "noxfile.py").read_text()
    assert re.fullmatch(r"python3 -m venv .*\n\.venv/bin/nox .* -s tests\n", block("setup", "console"))


def test_the_mistake_in_the_reference_reads_as_printed() -> None:
    spec = "version: 1\nrequirements: {test: [six]}\nenvironments:\n  tests: {requirements: [tset]}\n"
    with pytest.raises(FileProblems) as caught:
        read_spec(spec, origin="envs.yaml")
    shown = re.sub(r":\d+:\d+:", "", PAGES["docs/reference/spec.md"])
    assert re.sub(r":\d+:\d+:", "", str(caught.value)) in shown


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


@pytest.mark.parametrize(("name", "made"), [("keys", keys_page), ("command-line", command_line_page)])
def test_the_generated_pages_are_up_to_date(
    name: str, made: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page, text = ROOT / f"docs/reference/{name}.md", made()
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    page.write_text(text, encoding="utf-8", newline="\n")
    assert before == text, f"{page.name} was not as the code says; now it is: commit it"


def test_every_page_is_in_the_table_of_contents_once() -> None:
    listed = re.findall(r"(?m)^(start|changelog|[a-z-]+/[a-z-]+)$", PAGES["docs/index.md"])
    assert sorted([f"docs/{name}.md" for name in listed]) == sorted(
        {p for p in PAGES if p.startswith("docs/")} - {"docs/index.md"}
    )
