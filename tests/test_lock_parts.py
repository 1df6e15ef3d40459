"""The parts of locking that need no process: platforms, settings for uv, order, words, what is refused."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.installers import pip_installer, uv_installer
from nox_envs.lockfile.doubt import via_entry
from nox_envs.lockfile.groups import named_in, union
from nox_envs.lockfile.platforms import is_platform, platform_of
from nox_envs.lockfile.staleness import staleness
from nox_envs.lockfile.text import Header, Lock
from nox_envs.pins import Pin, Source
from nox_envs.resolvers import Request, request, uv_compile, uv_compile_pylock
from nox_envs.resolvers.settings import index_project, merged_index_options, platform_project
from nox_envs.sessions.locking import Bar
from nox_envs.spec.types import ConstraintLock, Index, LockOptions
from nox_envs.values import replace
from nox_envs.workflow.index_routes import IndexedHost, require_unassigned, routes
from nox_envs.workflow.locking import Completed, LockResult, Progress, closing_lines, cutoff
from nox_envs.workflow.locking.assignment import resolve_assigned
from nox_envs.workflow.locking.choice import upgrades, waves
from nox_envs.workflow.locking.commits import given_up
from nox_envs.workflow.locking.explanation import explanation
from nox_envs.workflow.locking.resolution import refuse_unfit
from tests.plans import at, planned, wants

SHA = "sha256:" + "0a" * 32
OUTER = Index(name="outer", url="https://packages.example.org/outer", place=at(2))
LAST = Index(name="last", url="https://packages.example.org/last", place=at(3))
INNER = Index(name="inner", url="https://packages.example.org/inner", packages=("b", "a"), place=at(4))


# Platforms.


@pytest.mark.parametrize(
    ("word", "marker", "machine"),
    [
        ("linux", "sys_platform == 'linux'", "x86_64"),
        ("MacOS", "sys_platform == 'darwin'", "arm64"),
        ("win32", "sys_platform == 'win32'", "AMD64"),
        ("linux-arm64", "sys_platform == 'linux' and platform_machine == 'aarch64'", "aarch64"),
        ("darwin-x86_64", "sys_platform == 'darwin' and platform_machine == 'x86_64'", "x86_64"),
        ("windows-amd64", "sys_platform == 'win32' and platform_machine == 'AMD64'", "AMD64"),
        ("linux-riscv64", "sys_platform == 'linux' and platform_machine == 'riscv64'", "riscv64"),
    ],
)
def test_a_platform_has_a_marker_and_variables(word: str, marker: str, machine: str) -> None:
    found = platform_of(word)
    assert found.marker == marker
    variables = found.variables({"sys_platform": "other", "python_version": "3.12"})
    assert (variables["platform_machine"], variables["python_version"]) == (machine, "3.12")
    assert variables["sys_platform"] == found.sys_platform


def test_the_own_platform_has_the_variables_of_the_host() -> None:
    host = {"sys_platform": "linux", "platform_machine": "s390x"}
    assert platform_of("linux").variables(host) == host
    assert platform_of("linux-x86_64").variables(host)["platform_machine"] == "x86_64"


@pytest.mark.parametrize("word", ["", "amiga", "linux-", "-x86_64", "linux x86", "linux-x86-64"])
def test_what_is_no_platform_is_an_error(word: str) -> None:
    assert not is_platform(word)
    with pytest.raises(NoxEnvsError, match="is no platform"):
        platform_of(word)


# What uv is told.


def test_an_index_of_its_own_becomes_a_project_that_asks_for_its_packages() -> None:
    assert (
        index_project((OUTER, INNER), "3.10", {"a", "c"})
        == """\
[project]
name = "nox-envs-indexes"
version = "0"
requires-python = ">=3.10"
dependencies = ["a"]

[tool.uv.sources]
"a" = { index = "inner" }

[[tool.uv.index]]
name = "inner"
url = "https://packages.example.org/inner"
explicit = true
"""
    )


def test_platforms_become_a_project_that_names_environments() -> None:
    made = replace(planned(wants("x")), platforms=("windows", "linux"))
    assert platform_project(made) == (
        "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\", \"sys_platform == 'win32'\"]\n"
    )
    assert platform_project(planned(wants("x"))) == ""
    files = request(made, root_url="file:///project/", layers=())
    words = uv_compile("uv", made, files, folder="/tmp/x", root="/project")
    assert "--project=/tmp/x/platforms" in words


def test_general_indexes_are_options_in_their_order_and_the_last_is_the_default() -> None:
    made = replace(planned(wants("x")), indexes=(OUTER, LAST))
    words = uv_compile("uv", made, Request(sources=()), folder="/tmp/x", root="/project")
    assert [word for word in words if "index" in word] == [
        "--index=outer=https://packages.example.org/outer",
        "--default-index=last=https://packages.example.org/last",
    ]
    assert merged_index_options((OUTER, INNER, LAST))[0] == "--index=inner=https://packages.example.org/inner"


def test_a_pylock_is_compiled_offline_from_the_pins_alone() -> None:
    made = planned(wants("x"))
    words = uv_compile_pylock("uv", made, Request(sources=()), folder="/tmp/x", root="/project")
    assert {"--offline", "--constraints=/tmp/x/lock.txt", "--output-file=/tmp/x/pylock.toml"} <= set(words)
    online = uv_compile_pylock(
        "uv", made, Request(sources=()), folder="/tmp/x", root="/project", offline=False
    )
    assert set(words) - set(online) == {"--offline"}


# What installers are told.


def test_pins_are_installed_from_the_index_that_claims_them() -> None:
    pins = tuple(Pin(name=name, version="1") for name in ("a", "c", "b"))
    found = [
        ([pin.name for pin in route.pins], route.installer.install(("x.txt",), hashes=True))
        for route in routes(pins, (OUTER, INNER), uv_installer("uv", "python"))
    ]
    assert [names for names, _ in found] == [["c"], ["a", "b"]]
    assert not any("index" in word for word in found[0][1])
    assert "--default-index=inner=https://packages.example.org/inner" in found[1][1]
    assert [route.pins for route in routes(pins[:1], (OUTER, INNER), pip_installer("python"))] == [pins[:1]]


def test_a_host_asks_the_general_indexes() -> None:
    class Host:
        location = Path("venv")
        installer = pip_installer("python")

        def __init__(self) -> None:
            self.ran: list[tuple[str, ...]] = []

        def install(self, argv: tuple[str, ...]) -> None:
            self.ran.append(argv)

    host = Host()
    indexed = IndexedHost(host, (OUTER, INNER, LAST))
    indexed.install(indexed.installer.install(("x.txt",), hashes=True))
    assert [word for word in host.ran[0] if "index" in word] == [
        "--index-url=https://packages.example.org/outer",
        "--extra-index-url=https://packages.example.org/last",
    ]
    assert IndexedHost(host, (INNER,)).installer == host.installer


def test_without_a_lock_no_package_has_an_index_of_its_own() -> None:
    require_unassigned((OUTER, LAST), "tests")
    with pytest.raises(NoxEnvsError, match="'tests' has no lock, so what comes from inner only is not known"):
        require_unassigned((OUTER, INNER), "tests")


def test_a_package_that_turns_out_to_be_needed_is_taken_from_its_own_index() -> None:
    made = replace(planned(wants("c")), indexes=(OUTER, INNER))
    files = request(made, root_url="file:///project/", layers=())
    asked: list[str] = []

    def resolve(files: Request, merged: bool = False) -> Lock | Completed:
        project = [file.text for file in files.settings]
        if merged:
            asked.append("merged")
            return Lock(origin="", header=None, pins=(Pin(name="c", version="1"), Pin(name="a", version="1")))
        asked.append(project[0].splitlines()[4])
        if "a" not in asked[-1].partition("[")[2]:
            return Completed(returncode=1, output="Because a was not found in the package registry")
        pins = tuple(Pin(name=name, version="1", hashes=(SHA,)) for name in ("a", "b", "c"))
        return Lock(origin="", header=None, pins=pins)

    def checked(found: Lock | Completed) -> Lock:
        assert isinstance(found, Lock)
        return found

    lock = resolve_assigned(made, files, resolve, checked)
    assert asked == ["dependencies = []", 'dependencies = ["a"]', 'dependencies = ["a", "b"]', "merged"]
    assert [(pin.name, pin.hashes) for pin in lock.pins] == [("c", (SHA,)), ("a", (SHA,))]

    def other(files: Request, merged: bool = False) -> Lock | Completed:
        version = "2" if merged else "1"
        return Lock(origin="", header=None, pins=(Pin(name="c", version=version),))

    with pytest.raises(NoxEnvsError, match="c==2: two indexes say different things of this version"):
        resolve_assigned(made, files, other, checked)


# Order, groups, words.


def test_groups_that_close_a_circle_of_layers_are_an_error() -> None:
    def ask(name: str) -> tuple[ConstraintLock, ...]:
        return (ConstraintLock(environment=name, place=at(1)),)

    group = LockOptions(group="g")
    plans = [
        planned(wants("x"), environment="a", lock=group),
        planned(wants("x"), environment="b", limits=ask("a")),
        planned(wants("x"), environment="c", limits=ask("b"), lock=group),
    ]
    with pytest.raises(NoxEnvsError, match="the locks of a, b, c build on each other through their groups"):
        list(waves(plans))
    assert [[sorted(unit.environments) for unit in wave] for wave in waves(plans[:2])] == [[["a"]], [["b"]]]


def test_a_group_asks_for_everything_of_all() -> None:
    group = LockOptions(group="g")
    plans = (
        planned(wants("x"), environment="a", lock=group, pythons=("3.10", "3.12")),
        planned(wants("y; os_name == 'nt'"), wants("x"), environment="b", lock=group, pythons=("3.12",),
                dynamic_extras=("cli",), constraints=[wants("z<2")]),
    )  # fmt: skip
    made = union(plans)
    assert (made.path, made.environments, made.pythons, made.floor) == (
        "", ("a", "b"), ("3.10", "3.12"), "3.10",
    )  # fmt: skip
    assert [(one.name, one.marker) for one in made.requirements] == [("x", ""), ("y", 'os_name == "nt"')]
    assert (made.dynamic_extras, [one.name for one in made.constraints]) == (("cli",), ["z"])
    apart = union(plans, apart=True)
    assert [(one.name, one.marker) for one in apart.requirements] == [
        ("x", ""),
        ("y", '(python_version >= "3.12") and (os_name == "nt")'),
        ("x", 'python_version >= "3.12"'),
    ]


def test_platforms_of_a_group_are_the_same() -> None:
    group = LockOptions(group="g")
    one = planned(wants("x"), environment="a", lock=group)
    with pytest.raises(FileProblems, match="have one platforms, but 'a' has linux and 'a'"):
        union((one, replace(one, platforms=("linux",))))


def test_an_explanation_names_who_asks_and_hides_temporary_files() -> None:
    made = planned(wants("b.c<2", "app", line=4), wants("d", line=5), constraints=[wants("b-c>=2", line=9)])
    files = request(made, root_url="file:///project/", layers=())
    said = "Because B-C was not found in /tmp/x/source-0.in, see file:///project/lib\n"
    assert explanation(said, files, folder="/tmp/x", root_url="file:///project/", plans=(made,)) == (
        "Because B-C was not found in app, see ./lib\n"
        "asked for by:\n  app: b-c<2 (envs.yaml:4)\n  test: b-c>=2 (envs.yaml:9)"
    )
    assert named_in("nothing of it", (made,)) == ()
    said = "And because nox-envs-indexes depends on b-c<2, nox-envs-indexes cannot be"
    told = explanation(said, files, folder="/tmp/x", root_url="file:///project/", plans=(made,))
    assert told.startswith("And because tests depends on b-c<2, tests cannot be\n")


def test_an_explanation_of_a_slow_index_says_what_sets_the_time() -> None:
    files = Request(sources=())
    said = explanation("operation timed out", files, folder="/x", root_url="file:///", plans=())
    assert said.splitlines()[1].startswith("hint: the index did not answer in time; UV_HTTP_TIMEOUT=60")


def test_the_packages_to_upgrade_are_read_and_checked() -> None:
    assert [one.text for one in upgrades(("A_b", "c == 1.0", "d<2"), {"a-b", "c", "d"})] == [
        "a-b", "c==1.0", "d<2",
    ]  # fmt: skip
    with pytest.raises(NoxEnvsError, match=r"no lock holds 'zzz'$"):
        upgrades(("zzz",), {"a"})


NOW = datetime(2026, 3, 31, 12, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 days", "2026-03-24T10:30:00Z"),
        ("1 day", "2026-03-30T10:30:00Z"),
        ("36 hours", "2026-03-29T22:30:00Z"),
        ("2 weeks", "2026-03-17T10:30:00Z"),
        ("2026-01-31", ""),
        ("2026-01-31T00:00:00Z", ""),
        (None, ""),
    ],
)
def test_a_span_counts_from_now(text: str | None, expected: str) -> None:
    assert cutoff(text, NOW) == expected
    assert cutoff(text, None) == ""


# What must not stand in a lock, and what cannot be explained.


def test_what_no_lock_may_hold_is_refused_all_at_once() -> None:
    pins = (
        Pin(name="bald", version="1"),
        Pin(name="here", version="", source=Source(kind="directory", url="file:///home/me/here")),
        Pin(name="open", version="", source=Source(kind="vcs", url="git+https://me:x@git.example.org/a")),
        Pin(name="repo", version="", source=Source(kind="vcs", url="git+file:///home/me/repo")),
        Pin(name="fine", version="1", hashes=(SHA,)),
        Pin(name="near", version="", source=Source(kind="directory", url="./near")),
    )
    with pytest.raises(NoxEnvsError) as caught:
        refuse_unfit(Lock(origin="x", header=None, pins=pins))
    assert str(caught.value).splitlines() == [
        "bald==1: the index gives no hash, and a lock without is no proof",
        "here: a path of this machine; write it relative to the spec",
        "open: a URL with credentials; leave them to netrc or the keyring",
        "repo: a path of this machine; write it relative to the spec",
    ]


def test_credentials_do_not_reach_the_comments_of_a_lock() -> None:
    declared = replace(wants("apple"), url="https://s3cret@example.org/apple-1-py3-none-any.whl?token=s3cret")
    assert via_entry(declared).endswith(": apple @ https://example.org/apple-1-py3-none-any.whl?token=****")
    for via in (("test: apple @ https://example.org/a.whl?token=s3cret",), ("https://s3cret@example.org",)):
        pins = (Pin(name="apple", version="1", hashes=(SHA,), via=via),)
        with pytest.raises(NoxEnvsError, match=r"^a\.txt: a URL with credentials"):
            refuse_unfit(Lock(origin="a.txt", header=None, pins=pins))


def test_a_digest_that_nothing_explains_is_said_to_be_one() -> None:
    made = planned(wants("a"), build_constraints=[wants("b", line=8)])
    header = Header(environments=("tests",), pythons=("3.12",), resolver="pip", input="sha256:0")
    lock = Lock(origin="tests.txt", header=header, pins=(Pin(name="a", version="1", via=("test: a",)),))
    found = [(doubt.expected.partition(":")[0], doubt.place) for doubt in staleness(made, lock, ())]
    assert found == [("build_constraints", "envs.yaml:8"), ("resolver", "envs.yaml:1")]
    (one,) = staleness(planned(wants("a")), replace(lock, header=replace(header, resolver="uv")), ())
    assert (one.expected, one.satisfied) == ("the digest of what the spec asks for", True)


# For people.


def test_a_bar_is_drawn_on_one_line_and_wiped() -> None:
    stream = io.StringIO()
    bar = Bar(stream, drawn=True)
    bar.draw(Progress(done=1, total=4, active=("tests", "docs")))
    assert stream.getvalue() == "\r\x1b[K[######------------------] 1 of 4 locked: tests, docs"
    bar.wipe()
    assert stream.getvalue().endswith("docs\r\x1b[K")


def test_nothing_is_drawn_where_nobody_looks() -> None:
    stream = io.StringIO()
    bar = Bar(stream, drawn=False)
    bar.draw(Progress(done=1, total=1))
    bar.wipe()
    assert stream.getvalue() == ""


def test_failures_are_told_last() -> None:
    results = [
        LockResult(path="a.txt", environments=("a",), outcome="failed", message="no"),
        LockResult(path="b.txt", environments=("b", "c"), outcome="left"),
    ]
    assert closing_lines(results) == [
        "b, c (b.txt): left alone, others make it (managed: false)",
        "a (a.txt): failed, the old file is as it was",
        "  no",
    ]


# Commits that stay.

URL = "git+https://git.example.org/widget"
COMMIT = "0123456789abcdef" * 2 + "01234567"
KEPT = Pin(name="widget", version="", source=Source(kind="vcs", url=URL, revision=COMMIT))


@pytest.mark.parametrize(
    ("output", "blamed"),
    [
        (f"fatal: remote error: upload-pack: not our ref {COMMIT}", True),
        (f"fatal: reference is not a tree: {COMMIT}", True),
        (f"fatal: remote error: upload-pack: not our ref\n    {COMMIT}", True),
        ("fatal: remote error: upload-pack: not our ref 99", False),
        (f"   Updating widget ({COMMIT})\nerror: Failed to fetch\n cause: timed out", False),
        (f"error: Failed to download `widget @ {URL}@{COMMIT}`\n cause: timed out", False),
        ("   Updating widget (main)\nerror: No solution found\n  cause: no plum>=99", False),
        ("error: No solution found\n  cause: only widget<2 is available and you require widget>=2", True),
        ("ERROR: Cannot install widget 1.0 and h: these have conflicting dependencies.", True),
        ("WARNING: Retrying (Retry(total=0))\nERROR: No matching distribution found for widget", False),
    ],
)
def test_only_what_names_a_commit_or_its_package_as_the_reason_moves_it(output: str, blamed: bool) -> None:
    assert [one.package for one in given_up(output, (KEPT,))] == ["widget"] * blamed
