"""The CI matrix and the lines that activate venvs, in the shells that are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.activate import activation
from nox_envs.ci import Row, matrix_rows, parse_shard, render_matrix
from nox_envs.errors import NoxEnvsError
from nox_envs.spec.keys import read_spec
from nox_envs.spec.points import expand
from nox_envs.spec.types import Point

SPEC = """\
version: 1
environments:
  tests:
    python: ["3.12", "3.13t"]
    matrix:
      django: ["4.2", "5.2"]
    requirements: ["django~={django}.0"]
    tags: [ci, slow]
  docs:
    requirements: ["sphinx>=8"]
    python: "pypy3.11"
    lock: false
    tags: [ci]
    runs_on: [ubuntu-24.04, windows-2025]
"""
POINTS = expand(read_spec(SPEC, origin="envs.yaml"))
TESTS = ["tests(3.12-django4.2)", "tests(3.12-django5.2)", "tests(3.13t-django4.2)", "tests(3.13t-django5.2)"]


def lock_of(point: Point) -> tuple[str, str]:
    django = dict(point.axes).get("django", "")
    return (f"requirements/tests-django{django}.txt", f"sha256:{django[0] * 64}") if django else ("", "")


def sessions(rows: Iterable[Row]) -> list[object]:
    return [row["session"] for row in rows]


def test_a_row_says_everything_that_a_job_needs() -> None:
    first = json.loads(render_matrix(matrix_rows(POINTS, runner="linux", lock_of=lock_of), "json"))[0]
    assert first == {
        "environment": "tests",
        "session": "tests(3.12-django4.2)",
        "python": "3.12",
        "runner": "linux",
        "tags": ["ci", "slow"],
        "lock": "requirements/tests-django4.2.txt",
        "venv": ".nox/tests-3-12-django4-2",
        "report": ".nox/.nox-envs/reports/tests-3-12-django4-2.json",
        "cache_key": "nox-envs-linux-tests-3.12-django4.2-3.12-4444444444444444",
    }


def test_every_label_has_a_row_the_others_run_on_the_given_runner_and_tags_choose() -> None:
    rows = matrix_rows(POINTS, runner="self-hosted", lock_of=lock_of)
    assert sessions(rows) == [*TESTS, "docs", "docs"]
    assert [row["runner"] for row in rows] == ["self-hosted"] * 4 + ["ubuntu-24.04", "windows-2025"]
    assert sessions(matrix_rows(POINTS, tags=["slow"], lock_of=lock_of)) == TESTS
    assert sessions(matrix_rows(POINTS, tags=["slow", "ci"], lock_of=lock_of)) == sessions(rows)


@pytest.mark.parametrize(
    ("points", "tag", "message"),
    [
        (POINTS, "fast", "--tag: no environment has 'fast' (there are: ci, slow)"),
        (POINTS, "slwo", "--tag: no environment has 'slwo' (did you mean 'slow'?)"),
        ((), "ci", "--tag: no environment has 'ci' (they have no tags)"),
    ],
)
def test_a_tag_that_no_environment_has_is_refused(points: tuple[Point, ...], tag: str, message: str) -> None:
    with pytest.raises(NoxEnvsError) as refused:
        matrix_rows(points, tags=[tag], lock_of=lock_of)
    assert str(refused.value) == message


def test_the_cache_key_changes_with_the_lock_the_session_and_the_runner() -> None:
    def other(point: Point) -> tuple[str, str]:
        return lock_of(point)[0], f"sha256:{'9' * 64}" if "django5.2" in point.session else lock_of(point)[1]

    before = [str(row["cache_key"]) for row in matrix_rows(POINTS, lock_of=lock_of)]
    after = [str(row["cache_key"]) for row in matrix_rows(POINTS, lock_of=other)]
    assert len(set(before)) == len(before)
    assert all(key.isascii() and not set(key) & set("/,() '") for key in before)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True, False, True, True]
    assert before[4] == "nox-envs-ubuntu-24.04-docs-pypy3.11"


@given(st.integers(1, 7), st.integers(0, 5))
def test_shards_split_the_rows_evenly_and_keep_their_order(count: int, length: int) -> None:
    points = POINTS[:length]
    parts = [matrix_rows(points, shard=(index + 1, count), lock_of=lock_of) for index in range(count)]
    whole = matrix_rows(points, lock_of=lock_of)
    assert parse_shard(f"{count}/{count}") == (count, count)
    assert parts == [whole[index::count] for index in range(count)]


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/2", "1/99999", "²/3"])
def test_another_text_is_not_a_shard(text: str) -> None:
    with pytest.raises(NoxEnvsError, match="is not I/N with I from 1 to N; the second of five is 2/5"):
        parse_shard(text)


@pytest.mark.parametrize(("format_", "start"), [("json", "[\n"), ("github", 'matrix={"include": [')])
def test_hostile_names_stay_texts_in_every_format(format_: Literal["json", "github"], start: str) -> None:
    hostile = "a\"b': {x}\n::set-output $HOME #c \\ \x1b é"
    row: Row = {"session": hostile, "tags": [hostile]}
    text = render_matrix([row], format_)
    assert text.startswith(start)
    rows = json.loads(text) if format_ == "json" else json.loads(text.partition("=")[2])["include"]
    assert rows == [row]
    assert format_ == "json" or text.count("\n") == 1
    nothing = matrix_rows(POINTS[:1], shard=(2, 2), lock_of=lock_of)
    assert render_matrix(nothing, format_) == {"json": "[]\n", "github": 'matrix={"include": []}\n'}[format_]


# activation

HOSTILE = 'a b$(touch HIT)`touch HIT`;touch HIT; "q" \\x;touch HIT; %PATH% * é'
SCRIPTS = {
    **dict.fromkeys(("sh", "bash", "zsh", "ksh", "dash"), ("activate", "GOT=yes\n", "echo GOT=$GOT")),
    "fish": ("activate.fish", "set -g GOT yes\n", "echo GOT=$GOT"),
    **dict.fromkeys(("csh", "tcsh"), ("activate.csh", "setenv GOT yes\n", "echo GOT=$GOT")),
    "pwsh": ("activate.ps1", "$global:GOT = 'yes'\n", 'echo "GOT=$GOT"'),
}


def venv_with(script: str, text: str, folder: Path, name: str = "bin") -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / script).write_text(text)
    return folder


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize("interactive", [False, True])
def test_the_line_activates_a_venv_and_runs_nothing_that_a_folder_is_named(
    shell: str, interactive: bool, tmp_path: Path
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script, text, show = SCRIPTS[shell]
    line = activation(shell, venv_with(script, text, tmp_path / HOSTILE))
    options = ["-NoProfile", "-Command", "-"] if shell == "pwsh" else ["-i"] if interactive else []
    done = subprocess.run(
        [shell, *options],
        input=f"{line}\n{show}\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "GOT=yes" in done.stdout, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == [HOSTILE]


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("/usr/bin/zsh", ". '{}/a b/bin/activate'"),
        (r"C:\Program Files\Git\bin\BASH.EXE", ". '{}/a b/bin/activate'"),
        ("fish", "source '{}/a b/bin/activate.fish'"),
        ("tcsh", "source '{}/a b/bin/activate.csh'"),
        ("powershell.exe", "& '{}/a b/Scripts/Activate.ps1'"),
    ],
)
def test_each_shell_has_its_own_script(shell: str, line: str, tmp_path: Path) -> None:
    venv = venv_with("Activate.ps1", "", tmp_path / "a b", name="Scripts")
    venv_with("activate", "", venv)
    for script in ("activate.fish", "activate.csh"):
        (venv / "bin" / script).touch()
    assert activation(shell, venv) == line.format(tmp_path)


@pytest.mark.parametrize(
    ("shell", "message"),
    [
        ("nu", "--shell: 'nu' is not supported; write one of sh, bash, zsh"),
        ("cmd.exe", "--shell: 'cmd' is not supported"),
        ("fish", "has no script 'activate.fish': what created it does not support fish"),
    ],
)
def test_a_shell_without_a_script_is_refused(shell: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NoxEnvsError) as refused:
        activation(shell, venv_with("activate", "", tmp_path / "venv"))
    assert message in str(refused.value)


@pytest.mark.parametrize("name", ["a\nb", "it's", "it’s", "a!b"])
def test_a_folder_that_a_shell_may_read_otherwise_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NoxEnvsError, match=r"rename the folder"):
        activation("bash", venv_with("activate", "", tmp_path / name))
