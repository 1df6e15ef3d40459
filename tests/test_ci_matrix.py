"""The rows that a CI system runs: selection, cache keys, shards, formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nox_envs import cli
from nox_envs.errors import NoxEnvsError
from nox_envs.report import Report, render
from nox_envs.workflow.ci_matrix import Row, Shard, part_of, render_matrix, shard_of
from tests.reports import outcome

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
    requirements: [sphinx>=8]
    python: "pypy3.11"
    lock: false
    tags: [ci]
    runs_on: [ubuntu-24.04, windows-2025]
  rare:
    default: false
"""
LOCK = "requirements/tests-django4.2.txt"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "envs.yaml"
    file.write_text(SPEC)
    (tmp_path / "requirements").mkdir()
    return file


class Command:
    """Run `nox-envs matrix` in this process."""

    def __init__(self, spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._spec = spec
        self._capsys = capsys

    def text(self, *arguments: str) -> str:
        assert cli.main(["matrix", "--spec", str(self._spec), *arguments]) == 0
        return self._capsys.readouterr().out

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        return list(json.loads(self.text(*arguments)))

    def sessions(self, *arguments: str) -> list[str]:
        return [row["session"] for row in self.rows(*arguments)]

    def refused(self, *arguments: str) -> str:
        assert cli.main(["matrix", "--spec", str(self._spec), *arguments]) == 2
        return self._capsys.readouterr().err


@pytest.fixture
def matrix(spec: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(spec, capsys)


TESTS = [
    "tests-3.12(django='4.2')",
    "tests-3.12(django='5.2')",
    "tests-3.13t(django='4.2')",
    "tests-3.13t(django='5.2')",
]


# rows


def test_a_row_says_all_that_a_job_needs(matrix: Command, spec: Path) -> None:
    (spec.parent / LOCK).write_text("django==4.2.1\n")
    row = matrix.rows()[0]
    digest = row.pop("cache_key").rpartition("-")[2]
    assert len(digest) == 16
    assert row == {
        "environment": "tests",
        "session": "tests-3.12(django='4.2')",
        "python": "3.12",
        "runner": "",
        "tags": ["ci", "slow"],
        "lock": LOCK,
    }


def test_without_a_choice_the_rows_are_what_a_bare_nox_runs(matrix: Command) -> None:
    assert matrix.sessions() == [*TESTS, "docs", "docs"]
    assert matrix.sessions("rare", "docs") == ["docs", "docs", "rare"]
    assert matrix.sessions("tests-3.13t(django='5.2')") == TESTS[3:]
    assert matrix.sessions("--tag", "slow") == TESTS
    assert matrix.sessions("docs", "--tag", "slow", "--tag", "ci") == ["docs", "docs"]


def test_each_runner_has_a_row(matrix: Command) -> None:
    runners = [row["runner"] for row in matrix.rows("--runner", "self-hosted")]
    assert runners == ["self-hosted"] * 4 + ["ubuntu-24.04", "windows-2025"]
    rows = json.loads(matrix.text("--format", "github"))["include"]
    assert {row["runner"] for row in rows} == {"ubuntu-latest", "ubuntu-24.04", "windows-2025"}


def test_the_cache_key_follows_the_lock_the_session_and_the_runner(matrix: Command, spec: Path) -> None:
    (spec.parent / LOCK).write_text("django==4.2.1\n")
    before = [row["cache_key"] for row in matrix.rows()]
    assert len(set(before)) == len(before)
    assert all(key.isascii() and not set(key) & set("/,() '") for key in before)
    assert before == [row["cache_key"] for row in matrix.rows()]
    (spec.parent / LOCK).write_text("django==4.2.2\n")
    after = [row["cache_key"] for row in matrix.rows()]
    changed = [session for session, a, b in zip(matrix.sessions(), before, after, strict=True) if a != b]
    assert changed == [TESTS[0], TESTS[2]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no environment 'nothing'"),
        (("--tag", "fast"), "--tag: no environment has 'fast' (there are: ci, slow)"),
        (("--shard", "3/2"), "--shard: '3/2' is not I/N"),
        (("--reports", "nowhere"), "nowhere: no such file or folder"),
    ],
)
def test_a_wrong_choice_is_refused(matrix: Command, arguments: tuple[str, ...], message: str) -> None:
    assert message in matrix.refused(*arguments)


def test_a_tag_in_a_spec_without_tags_is_refused_without_an_empty_list(matrix: Command, spec: Path) -> None:
    spec.write_text("version: 1\nenvironments:\n  docs: {lock: false}\n")
    refused = matrix.refused("--tag", "zz")
    assert "--tag: no environment has 'zz' (the spec has no tags)" in refused


# shards


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/2", "1/99999", "²/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(NoxEnvsError, match="is not I/N"):
        shard_of(text)


def row(session: str) -> Row:
    return Row(environment="e", session=session, python="", runner="", tags=(), lock="", cache_key=session)


ROWS = st.lists(st.sampled_from("abcdefghij"), unique=True).map(lambda names: tuple(map(row, names)))
SECONDS = st.dictionaries(st.sampled_from("abcdefghij"), st.floats(0, 1000))


@given(ROWS, st.integers(1, 5), SECONDS)
def test_shards_split_the_rows_and_keep_their_order(
    rows: tuple[Row, ...], count: int, seconds: dict[str, float]
) -> None:
    parts = [part_of(rows, Shard(index=index + 1, count=count), seconds) for index in range(count)]
    assert sorted(r.session for part in parts for r in part) == sorted(r.session for r in rows)
    for part in parts:
        assert [r for r in rows if r in part] == list(part)
    if not seconds:
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1


@given(ROWS, st.integers(1, 5), SECONDS)
def test_no_shard_takes_longer_than_the_longest_row_beyond_an_even_split(
    rows: tuple[Row, ...], count: int, seconds: dict[str, float]
) -> None:
    seconds = {r.session: seconds.get(r.session, 1.0) for r in rows}
    loads = [
        sum(seconds[r.session] for r in part_of(rows, Shard(index=i + 1, count=count), seconds))
        for i in range(count)
    ]
    even = sum(seconds.values()) / count
    assert max(loads) <= even + max(seconds.values(), default=0) + 1e-6


def test_shards_are_balanced_by_past_durations(matrix: Command, tmp_path: Path) -> None:
    slow = TESTS[0]
    for session, seconds in ((slow, 90.0), *((name, 10.0) for name in TESTS[1:])):
        report = Report(environments=(outcome(session=session, seconds=seconds),))
        file = tmp_path / "reports" / "job" / f"{abs(hash(session))}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(report, "json"))
    arguments = ("tests", "--reports", str(tmp_path / "reports"), "--shard")
    assert matrix.sessions(*arguments, "1/2") == [slow]
    assert matrix.sessions(*arguments, "2/2") == TESTS[1:]
    assert len(matrix.sessions("tests", "--shard", "1/2")) == 2


# formats


def test_github_gets_one_line_with_include(matrix: Command) -> None:
    text = matrix.text("--format", "github")
    assert text.count("\n") == 1
    assert [r["session"] for r in json.loads(text)["include"]] == [*TESTS, "docs", "docs"]
    assert matrix.text("rare", "--shard", "2/2", "--format", "github") == '{"include": []}\n'


def test_gitlab_gets_a_child_pipeline(matrix: Command) -> None:
    pipeline = yaml.safe_load(matrix.text("--format", "gitlab"))
    assert list(pipeline) == [
        *(f"nox {session}" for session in TESTS),
        "nox docs ubuntu-24.04",
        "nox docs windows-2025",
    ]
    job = pipeline["nox tests-3.12(django='4.2')"]
    assert job["image"] == "python:3.12"
    assert "tags" not in job
    assert job["variables"] == {"NOX_ENVS_SESSION": "tests-3.12(django='4.2')"}
    assert job["script"][-1] == 'python -m nox -s "$NOX_ENVS_SESSION"'
    assert job["artifacts"] == {"when": "always", "paths": [".nox/.nox-envs/reports/"]}
    assert job["cache"]["key"].startswith("nox-envs-")
    assert pipeline["nox tests-3.13t(django='5.2')"]["image"] == "python:3.13"
    docs = pipeline["nox docs windows-2025"]
    assert (docs["image"], docs["tags"]) == ("pypy:3.11", ["windows-2025"])
    alone = yaml.safe_load(matrix.text("rare", "--format", "gitlab"))
    assert alone["nox rare"]["image"] == "python:3"


def test_an_empty_child_pipeline_still_has_a_job(matrix: Command) -> None:
    pipeline = yaml.safe_load(matrix.text("rare", "--shard", "2/2", "--format", "gitlab"))
    assert pipeline == {"nothing to run": {"script": ["true"]}}


def test_hostile_texts_stay_texts_in_a_child_pipeline() -> None:
    hostile = "a\"b': {x}\n- $HOME #c \\ \x1b é"
    bad = Row(
        environment=hostile, session=hostile, python=hostile, runner=hostile, tags=(), lock="", cache_key="k"
    )
    pipeline = yaml.safe_load(render_matrix((bad,), "gitlab"))
    (job,) = pipeline.values()
    assert list(pipeline) == [f"nox {hostile}"]
    assert job["tags"] == [hostile]
    assert job["variables"]["NOX_ENVS_SESSION"] == hostile.replace("$", "$$")
