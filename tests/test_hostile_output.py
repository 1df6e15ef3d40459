"""What is shown of hostile texts: terminals, CI logs and pages show them and act on none of them."""

from __future__ import annotations

import html.parser
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.changes import Pair, PinSet, compare, pair
from nox_envs.cli import main
from nox_envs.pins import Pin
from nox_envs.report import FORMATS, EnvironmentReport, Format, Report, render
from nox_envs.report.as_json import render_json
from nox_envs.report.changes import ChangesFormat, render_changes
from nox_envs.snapshot import freeze, take
from nox_envs.streams import harmless, printable
from nox_envs.workflow.ci_matrix import MatrixFormat, Row, render_matrix
from tests.conftest import BareVenv, Project
from tests.reports import HOSTILE, finding

ATTACKS = {
    "terminal": "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\x7f",
    "lines": "a\r\n::error::b\n##[add-mask]c\u2028d\x85e\x0bf",
    "bidirectional": "\u202etxt.exe\u2066\u2069 \u200e\u061c",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;]]>--><b>",
    "markdown": "[x](javascript:alert(1)) ![x](https://e.org) `c` **b** |a| @user #1 <https://e.org> www.e",
    "commands": "::set-output name=x::y",
    "old commands": "x ##[set-env name=PATH]/evil",
    "placeholders": "{0} %0A %25 $HOME ${{ github.token }} $(touch x) `touch x`",
    "surrogates": "\ud800 \udc80 \ufffe",
    "URL": "javascript:alert(document.domain)",
    "host": "//evil.example.org/x",
    "everything": HOSTILE,
}
attack = pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)


def hostile_report(text: str) -> Report:
    """Make a report in which every text from outside is this one."""
    bad = finding(
        "version", text, environment=text, session=text, expected=text, actual=text, path=text,
        line=f"{text}:3", why=(text, text), fix=text,
    )  # fmt: skip
    environments = tuple(
        EnvironmentReport(
            environment=text, session=text, python=text, lock=text, location=text, status=status, reason=text,
            findings=(bad,), distributions=((text, text),), platform=text, origin=text,
        )
        for status in ("drift", "repaired", "skipped", "clean")
    )  # fmt: skip
    return Report(environments=environments, findings=(bad,), problems=(text,), notes=(text,))


def require_harmless_lines(shown: str, *, commands: bool = False) -> None:
    """Require that neither a terminal nor the runner of a CI job acts on a text."""
    odd = [letter for letter in shown if letter != "\n" and not letter.isprintable()]
    assert odd == []
    if not commands:
        assert not [line for line in shown.split("\n") if line.lstrip().startswith("::")]
        assert "##[" not in shown


class _Page(html.parser.HTMLParser):
    """Collect what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.found += [
            f"{name}={value}" for name, value in attrs if name.startswith("on") or name in ("href", "src")
        ]


def acted_on(page: str) -> list[str]:
    """Return the elements of a page, and every attribute that could do something."""
    parser = _Page()
    parser.feed(page)
    return parser.found


@attack
@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_of_a_report_acts_on_a_text(format_: Format, text: str) -> None:
    shown = render(hostile_report(text), format_)
    require_harmless_lines(shown, commands=format_ in ("github", "json"))
    match format_:
        case "github":
            assert len(shown.splitlines()) == len(render(hostile_report("x"), format_).splitlines())
            assert all(re.match(r"::(error|warning|notice)( [^:]*)?::", line) for line in shown.splitlines())
        case "sarif":
            uris = re.findall(r'"uri": "([^"]*)"', shown)
            assert not [uri for uri in uris if uri.startswith("//") or re.match(r"[a-zA-Z]+:", uri)]
        case "junit":
            assert {one.tag for one in ET.fromstring(shown).iter()} == {
                one.tag for one in ET.fromstring(render(hostile_report("x"), format_)).iter()
            }
        case "html":
            assert acted_on(shown) == acted_on(render(hostile_report("x"), format_))
            assert "javascript:" not in "".join(acted_on(shown))
        case "markdown":
            bare = re.sub(r"</?(?:code|details|summary)>|&#\d+;", "", shown)
            assert not re.search(r"<|\]\(|@|https?:|www\.|\*\*[^*]*\*\*[^*]*\*\*\*|`", bare)
        case "json" | "text":
            pass


def hostile_comparison(text: str) -> tuple[Pair, ...]:
    """Pair two sets of pins in which every text from outside is this one."""
    old = Pin(name=text, version="1.0", via=(text,), marker=text)
    new = Pin(name=text, version=text, via=(text, text), marker=text)
    return pair(
        (PinSet(name=text, environments=(text,), pins=(old,)),),
        (PinSet(name=text, environments=(text,), pins=(new,)),),
    )


@attack
@pytest.mark.parametrize("format_", get_args(ChangesFormat))
def test_no_format_of_a_diff_acts_on_a_text(format_: ChangesFormat, text: str) -> None:
    shown = render_changes(compare(hostile_comparison(text)), format_, old=text, new=text)
    require_harmless_lines(shown, commands=format_ == "json")
    if format_ == "markdown":
        bare = re.sub(r"</?(?:code|br)>|&#\d+;|\*\*(?:major|added|removed|\d+ packages?[^*]*)\*\*", "", shown)
        assert not re.search(r"<|\]\(|@|https?:|www\.|`", bare)


@attack
@pytest.mark.parametrize("format_", get_args(MatrixFormat))
def test_no_format_of_a_matrix_acts_on_a_text(format_: MatrixFormat, text: str) -> None:
    row = Row(
        environment=text, session=text, python=text, runner=text, tags=(text,), lock=text, cache_key=text
    )
    shown = render_matrix((row,), format_)
    assert not [letter for letter in shown if letter != "\n" and not letter.isprintable()]
    if format_ == "github":
        assert shown.count("\n") == 1  # a second line would be an output of its own
        assert json.loads(shown)["include"][0]["session"] == text


@attack
def test_the_name_of_a_job_is_shown_and_not_acted_on(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = re.sub(r"[/\0]", "_", text).encode("utf-8", "ignore").decode().strip(". ")[:60] or "x"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "report.json").write_text(render_json(hostile_report(text)), encoding="utf-8")
    (folder / "broken.json").write_text("{")
    for format_ in ("text", "markdown", "github", "html"):
        assert main(["report", str(tmp_path), "--format", format_]) == 2
        told = capsys.readouterr()
        require_harmless_lines(told.out, commands=format_ == "github")
        require_harmless_lines(told.err)


@attack
def test_a_message_about_the_words_of_the_user_or_of_a_file_is_harmless(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    word = text.encode("utf-8", "replace").decode("utf-8")
    Path("envs.yaml").write_text("version: 1\nenvironments: {a: {requirements: [apple>=1]}}\n")
    Path("lock.txt").write_text(f"{word}\n", encoding="utf-8")
    for arguments in (
        ["check", word],
        ["check", "--spec", word],
        ["freeze", word],
        ["activate", "a", "--shell", word],
        ["diff", word, "x"],
        ["diff", "lock.txt", "lock.txt"],
        ["matrix", "--shard", word],
        ["matrix", "--tag", word],
        ["drift", "--fail-on", word],
        ["report", word],
    ):
        if arguments[-1].startswith("-"):
            continue
        main(arguments)
        told = capsys.readouterr()
        require_harmless_lines(told.out + told.err)


def test_a_listing_shows_no_description_that_acts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("::error::x", "x ##[add-mask]y", "\u200e\u2028"):
        (tmp_path / "envs.yaml").write_text(
            f"version: 1\nenvironments:\n  a: {{description: {json.dumps(text)}}}\n", encoding="utf-8"
        )
        assert main(["list", "--spec", str(tmp_path / "envs.yaml")]) == 0
        require_harmless_lines(capsys.readouterr().out)


@pytest.mark.parametrize(
    "name", ["\x1b[31mred-1.0", "a\nb-1.0", "::error::x-1.0", "\u202eevil-1.0", "-r x-1.0"]
)
def test_the_name_of_a_folder_in_a_venv_is_frozen_as_a_comment(bare_venv: BareVenv, name: str) -> None:
    info = bare_venv.site / f"{name}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: \x1b[31m\n\n")
    shown = freeze(take(bare_venv.location))
    require_harmless_lines(shown)
    assert all(line.startswith("# ") for line in shown.splitlines())


@given(st.text())
def test_any_text_becomes_lines_that_nothing_acts_on(text: str) -> None:
    require_harmless_lines(harmless(text))
    assert printable(printable(text)) == printable(text)
    assert harmless(harmless(text)) == harmless(text)


@pytest.mark.functional
def test_a_session_shows_no_hostile_name_of_a_file_as_a_command(project: Project) -> None:
    name = "::error::x ##[add-mask]y.in"
    project.write(name, "not a requirement\n")
    project.write(
        "envs.yaml",
        f"version: 1\nrequirements: {{s: [file: '{name}']}}\nenvironments: {{a: {{requirements: [s]}}}}\n",
    )
    for arguments in (("-s", "lock"), ("-s", "a"), ("-s", "drift"), ("-l",)):
        ran = project.nox(*arguments)
        assert "Traceback" not in ran.output
        require_harmless_lines(re.sub(r"\x1b\[[0-9;]*m", "", ran.output))
