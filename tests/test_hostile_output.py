"""What is shown of hostile texts and credentials: nothing acts on it, and no password is in it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.report.json import render_json
from nox_envs.report.report import FORMATS, Report
from nox_envs.terminal import harmless, printable
from nox_envs.venv.receipt import Receipt, write_receipt
from nox_envs.venv.snapshot import Interpreter
from tests.commandline import require_harmless, run, write
from tests.conftest import Project
from tests.index import Index
from tests.reports import HOSTILE, finding, hostile, outcome

ATTACKS = {
    "terminal": "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\x7f \u202etxt.exe\u2066\u2069 \u200e\u061c",
    "lines": "a\r\n::error::b\n##[add-mask]c\u2028d\x85e\x0bf",
    "commands": "::set-output name=x::y ##[set-env name=PATH]/evil ##vso[task.x]z",
    "everything": HOSTILE,
}
attack = pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
SUMMARY = {"GITHUB_STEP_SUMMARY": "summary.md"}
PASSWORD = "s3cr3t-w0rd"
URL = f"https://somebody:{PASSWORD}@packages.example.org/apple-1.0-py3-none-any.whl"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(words: str, word: str = "") -> str:
    """Return what the command line shows, which is harmless; W in its words is `word`."""
    _, out, err = run(*(one.replace("W", word) for one in words.split()))
    require_harmless(out, annotations="github" in words)
    require_harmless(err)
    return out + err


@given(st.text() | st.sampled_from([*ATTACKS.values()]))
def test_any_text_becomes_lines_that_nothing_acts_on(text: str) -> None:
    require_harmless(harmless(text))
    assert printable(printable(text)) == printable(text)
    assert harmless(harmless(text)) == harmless(text)


@attack
def test_words_of_the_user_specs_and_locks_are_shown_harmlessly(here: Path, text: str) -> None:
    word = text.encode("utf-8", "replace").decode("utf-8")
    spec = "version: 1\nenvironments: {a: {requirements: [apple>=1], description: TEXT, tags: [TEXT]}}\n"
    write(here, {"bad.yaml": spec.replace("TEXT", json.dumps(text)), "lock.txt": f"{word}\n"})
    write(here, {"envs.yaml": spec.replace("TEXT", "plain")})
    for words in ("check", "list", "list --format json", "drift --format github", "matrix", "init --print"):
        shown(f"{words} --spec bad.yaml")
    for words in ("W", "check W", "check --W", "check --spec W", "list --format W", "freeze W", "diff W x",
                  "report W", "diff W:x y", "activate a --shell W", "matrix --shard W", "matrix --tag W",
                  "drift --fail-on W", "diff lock.txt lock.txt"):  # fmt: skip
        shown(words, word)


@attack
def test_reports_of_other_jobs_are_shown_harmlessly(here: Path, text: str) -> None:
    name = re.sub(r"[/\0]", "_", text).encode("utf-8", "ignore").decode().strip(". ")[:60]
    write(here, {f"{name}/report.json": render_json(hostile(text)), f"{name}/broken.json": "{"})
    for format_ in FORMATS:
        shown(f"report . --format {format_}")


def test_names_in_a_venv_are_shown_harmlessly(here: Path) -> None:
    files = {
        "envs.yaml": "version: 1\nenvironments: {venv: {lock: false}}\n",
        "venv/nox-envs.json": '{"schema": 3, "interpreter": {"home": "::error::"}}',
        "venv/pyvenv.cfg": "home = \x1b[31m\nversion = 3.12.1\nversion_info = ::x\n",
    }
    for name in ("\x1b[31mred", "a\nb", "::error::x", "\u202eevil", "-r x", "##[error]y"):
        info = f"venv/lib/python3.12/site-packages/{name}-1.0.dist-info"
        files[f"{info}/METADATA"] = f"Name: {name}\nVersion: \x1b[31m\nRequires-Dist: {name}\n"
        files[f"{info}/RECORD"] = f"{name},sha256={name},1\n"
        files |= {f"{info}/../{name}.pth": f"import {name}", f"{info}/../~{name}/x": ""}
        files[f"venv/bin/{name}"] = ""
    write(here, files)
    for format_ in FORMATS:
        shown(f"drift --envdir . --files all --format {format_}")
    assert all(line.startswith("# ") for line in shown("freeze venv --envdir .").splitlines())


def test_credentials_in_files_are_never_shown(here: Path) -> None:
    info = ".nox/a/lib/python3.12/site-packages/apple-1.0.dist-info"
    bad = finding("source", URL, expected=URL, actual=URL, path=URL, line=URL, why=(URL,), fix=f"pip {URL}")
    report = render_json(Report(environments=(outcome(bad, reason=URL),), problems=(URL,)))
    write(here, {
        "app.in": f"apple @ {URL}\n--index-url {URL}\n{URL} --hash=sha256:0\n",
        "requirements/a.txt": f"--index-url {URL}\napple @ {URL}\n",
        "foreign.txt": f"--extra-index-url {URL}\napple @ {URL}\n# pip-compile --index-url {URL}\n",
        ".nox/a/pyvenv.cfg": "version = 3.12.1\n",
        f"{info}/METADATA": f"Name: apple\nVersion: 1.0\nRequires-Dist: pear @ {URL}\n",
        f"{info}/direct_url.json": json.dumps({"url": URL, "archive_info": {}}),
        "reports/r.json": report.replace('"schema": 2', f'"schema": "{URL}"'),
        "reports/s.json": report,
    })  # fmt: skip
    python = Interpreter(version="3.12.1", implementation="cpython")
    receipt = Receipt(lock="", interpreter=python, location=str(here / ".nox/a"))
    write_receipt(here / ".nox/a", receipt)
    for entry in (f"'apple @ {URL}'", "{file: app.in}", "'apple>=1'"):
        for more in ("", ", lock: false", ", lock: {managed: false, file: foreign.txt}"):
            keys = f"requirements: [{entry}], description: '{URL}'{more}"
            write(here, {"envs.yaml": f"version: 1\nenvironments: {{a: {{{keys}}}}}\n"})
            for words in ("check", "drift --files all", "freeze a", "list --format json", "init --print"):
                assert PASSWORD not in shown(words), (words, keys)
    for words in ("diff requirements/a.txt foreign.txt", *(f"report reports --format {f}" for f in FORMATS)):
        assert PASSWORD not in shown(words), words


@pytest.mark.functional
def test_the_password_of_an_index_reaches_no_file_and_no_output(project: Project, index: Index) -> None:
    url = index.url.replace("//", f"//somebody:{PASSWORD}@")
    env = {"UV_DEFAULT_INDEX": url, "UV_NO_CACHE": "1", "GITHUB_ACTIONS": "1"} | SUMMARY
    spec = "version: 1\nenvironments: {a: {requirements: [basket>=1]}, b: {requirements: [no>=1]}}\n"
    project.write("envs.yaml", spec)
    lines = ("-s lock -- a", "-s a", "-s lock -- b", "-s drift")
    ran = [project.nox(*words.split(), env=env) for words in lines]
    assert [one.returncode for one in ran] == [0, 0, 1, 1]
    assert PASSWORD not in "".join(one.output for one in ran)
    secrets = (PASSWORD.encode(), base64.b64encode(f"somebody:{PASSWORD}".encode()))
    files = [file for file in project.root.rglob("*") if file.is_file() and not file.is_symlink()]
    assert [file for file in files if any(secret in file.read_bytes() for secret in secrets)] == []


@pytest.mark.functional
def test_a_session_shows_the_name_of_a_file_harmlessly(project: Project) -> None:
    name = "::error::x ##[add-mask]y.in"
    project.write(name, "not a requirement\n")
    project.write("envs.yaml", f"version: 1\nenvironments: {{a: {{requirements: [file: '{name}']}}}}\n")
    for words in ("-s lock", "-s a", "-s drift", "-l"):
        ran = project.nox(*words.split())
        assert "Traceback" not in ran.output
        require_harmless(re.sub(r"\x1b\[[0-9;]*m", "", ran.output))
