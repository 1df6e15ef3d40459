"""What each option of a lock does, with real uv and a local index; sessions of nox are not needed for it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.markers import default_environment

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.lockfile.freshness import Doubt
from nox_envs.lockfile.text import parse
from nox_envs.workflow.inspection import inspect
from nox_envs.workflow.lock_check import stale_locks
from nox_envs.workflow.locking import (
    Completed,
    LockRequest,
    LockResult,
    Progress,
    closing_lines,
    lock,
    prune,
    stale_layers,
)
from nox_envs.workflow.project import Project
from nox_envs.workflow.verdict import verdict
from tests.conftest import Machine, uv
from tests.index import Index, serve, write_source

pytestmark = pytest.mark.functional

NOW = datetime(2026, 6, 30, 12, tzinfo=timezone.utc)


@dataclass
class Processes:
    """Run the real uv with the tests' environment; each command is kept."""

    machine: Machine
    root: Path
    env: dict[str, str]
    commands: list[tuple[str, ...]]
    uv: str
    python: str = sys.executable

    def run(self, argv: tuple[str, ...]) -> Completed:
        """Run a process to its end."""
        self.commands.append(argv)
        done = subprocess.run(
            argv,
            cwd=self.root,
            env={**self.machine.env, **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return Completed(returncode=done.returncode, output=done.stdout)

    def pip_python(self, python: str | None) -> str:
        """Return an interpreter with pip; there is none here."""
        raise NoxEnvsError(f"no pip for {python}")


class Locker:
    """Lock a project in a directory of its own."""

    def __init__(self, root: Path, machine: Machine) -> None:
        self.root = root
        self.env: dict[str, str] = {}
        self._processes = Processes(machine, root, self.env, [], uv())
        root.mkdir()

    @property
    def commands(self) -> list[tuple[str, ...]]:
        """Return the commands that were run so far."""
        return self._processes.commands

    def spec(self, text: str) -> Project:
        """Write the spec and open the project."""
        (self.root / "envs.yaml").write_text(
            "version: 1\n" + textwrap.dedent(text).lstrip("\n"), encoding="utf-8"
        )
        return self.opened()

    def opened(self) -> Project:
        """Open the project as a new process would."""
        host = {name: str(value) for name, value in default_environment().items()}
        return Project(self.root / "envs.yaml", envdir=".nox", environ={}, host=lambda: host)

    def lock(
        self,
        *environments: str,
        upgrade: bool = False,
        packages: tuple[str, ...] = (),
        dry_run: bool = False,
        now: datetime = NOW,
        told: Callable[[Progress], None] = lambda progress: None,
    ) -> dict[str, LockResult]:
        """Lock and return the results by the names of their environments."""
        asked = LockRequest(
            environments=environments, upgrade=upgrade, upgrade_packages=packages, dry_run=dry_run
        )
        results = lock(self.opened(), asked, self._processes, jobs=2, now=now, told=told)
        return {"+".join(result.environments): result for result in results}

    def locked(self, spec: str) -> dict[str, LockResult]:
        """Write the spec and lock everything, which must not fail."""
        self.spec(spec)
        results = self.lock()
        failures = [result.message for result in results.values() if result.outcome == "failed"]
        assert failures == []
        return results

    def pins(self, name: str) -> dict[str, str]:
        """Return the versions in `requirements/NAME.txt`; pins of one package are joined."""
        found: dict[str, list[str]] = {}
        for pin in parse(self.read(name), origin=name).pins:
            found.setdefault(pin.name, []).append(pin.version)
        return {package: "|".join(versions) for package, versions in found.items()}

    def read(self, name: str) -> str:
        """Return the text of `requirements/NAME.txt`."""
        return (self.root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")

    def doubts(self, environment: str) -> list[Doubt]:
        """Return what is doubtful about the locks of an environment."""
        project = self.opened()
        return [doubt for plan in project.plans_of(environment) for doubt in project.doubts(plan)]


@pytest.fixture
def locker(tmp_path: Path, machine: Machine) -> Locker:
    """Lock in a project of this test."""
    return Locker(tmp_path / "project", machine)


def told(doubt: Doubt) -> tuple[str, str, str]:
    return doubt.kind, doubt.expected, doubt.actual


# Upgrades.

BASKET = """
    environments:
      shop: {python: "3.12", requirements: ["basket>=1.0", "plum>=1.0"]}
"""


def older(locker: Locker) -> None:
    """Lock with the oldest, then allow everything again."""
    locker.locked(BASKET.replace('["basket>=1.0"', '["basket==1.0", "apple==1.0"'))
    locker.spec(BASKET.replace('"plum>=1.0"', '"plum>=1.0", "apple>=1"'))


def test_one_package_is_upgraded_and_nothing_else(locker: Locker) -> None:
    older(locker)
    result = locker.lock(packages=("Basket",))["shop"]
    assert [(one.package, one.before, one.after, one.kind) for one in result.changes] == [
        ("basket", "1.0", "1.1", "minor")
    ]
    assert locker.pins("shop") == {"apple": "1.0", "basket": "1.1", "plum": "1.0"}
    assert closing_lines([result]) == [
        "shop (requirements/shop.txt): written: 1 changed, 2 stayed",
        "  ~ basket 1.0 -> 1.1 (minor)",
    ]


def test_several_packages_are_upgraded_one_of_them_to_a_version(locker: Locker) -> None:
    older(locker)
    locker.lock(packages=("apple==1.1", "basket"))
    assert locker.pins("shop") == {"apple": "1.1", "basket": "1.1", "plum": "1.0"}


def test_a_package_that_no_lock_holds_is_an_error_with_the_near_one(locker: Locker) -> None:
    older(locker)
    with pytest.raises(NoxEnvsError) as caught:
        locker.lock(packages=("aple", "-r", "basket==x"))
    assert str(caught.value).splitlines() == [
        "--upgrade-package: no lock holds 'aple' (did you mean 'apple'?)",
        "--upgrade-package: '-r' is no NAME or NAME==VERSION",
        "--upgrade-package: 'basket==x' is no NAME or NAME==VERSION",
    ]
    assert locker.pins("shop")["basket"] == "1.0"


def test_a_version_that_is_published_later_is_taken_by_an_upgrade_only(locker: Locker, index: Index) -> None:
    index.release("later-one", "1.0")
    locker.locked('environments: {shop: {python: "3.12", requirements: ["later-one>=1"]}}')
    before = locker.read("shop")
    index.release("later-one", "1.1")
    assert locker.lock()["shop"].outcome == "unchanged"
    assert locker.doubts("shop") == []
    assert locker.read("shop") == before
    result = locker.lock(upgrade=True)["shop"]
    assert [(one.before, one.after, one.kind) for one in result.changes] == [("1.0", "1.1", "minor")]


def test_a_yanked_version_is_not_taken_but_kept_where_it_is_pinned(locker: Locker, index: Index) -> None:
    index.release("kept-one", "1.0")
    index.release("kept-one", "1.1")
    spec = 'environments: {shop: {python: "3.12", requirements: [plum>=1, kept-one>=1]}}'
    locker.locked(spec)
    assert locker.pins("shop") == {"plum": "1.0", "kept-one": "1.1"}
    index.yank("kept-one", "1.1")
    assert locker.lock()["shop"].outcome == "unchanged"
    assert locker.doubts("shop") == []
    locker.lock(upgrade=True)
    assert locker.pins("shop") == {"plum": "1.0", "kept-one": "1.0"}


def test_progress_counts_up_to_all_locks(locker: Locker) -> None:
    locker.spec("environments: {a: {requirements: [apple>=1]}, b: {requirements: [plum>=1]}}")
    heard: list[Progress] = []
    locker.lock(told=heard.append)
    assert [(one.done, one.total) for one in (heard[0], heard[-1])] == [(0, 2), (2, 2)]
    assert {name for one in heard for name in one.active} == {"a", "b"}


# Failures.

CONTRADICTION = """
    requirements:
      app: [apple<2]
      test:
        - include: app
        - apple>=2
    environments:
      tests: {python: "3.12", requirements: [test]}
      lint: {python: "3.12", requirements: ["press==1.0"]}
"""


def test_a_contradiction_names_both_sets_and_their_places_and_lets_others_finish(locker: Locker) -> None:
    locker.spec(CONTRADICTION)
    results = locker.lock()
    assert (results["tests"].outcome, results["lint"].outcome) == ("failed", "written")
    lines = results["tests"].message.splitlines()
    assert "apple" in lines[1]
    assert lines[-3:] == ["asked for by:", "  app: apple<2 (envs.yaml:3)", "  test: apple>=2 (envs.yaml:6)"]
    assert str(locker.root) not in results["tests"].message
    assert ".in" not in results["tests"].message
    assert not (locker.root / "requirements" / "tests.txt").exists()


def test_a_failure_that_several_share_is_explained_once(locker: Locker) -> None:
    locker.spec(
        CONTRADICTION.replace("test]}", "test], lock: {group: one}}").replace(
            '==1.0"]', '==1.0"], lock: {group: one}'
        )
    )
    lines = closing_lines(list(locker.lock().values()))
    assert sum("No solution found" in line for line in lines) == 1
    assert lines[-1] == "lint (requirements/lint.txt): failed, there is no lock yet (for the same reason)"


@contextmanager
def answering(status: int | None) -> Iterator[str]:
    """Serve an index that answers with a status only; None: it never answers."""
    asleep = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if status is None:
                asleep.wait(20)
                return
            self.send_error(status)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        asleep.set()
        server.shutdown()
        server.server_close()
        thread.join()


def failed(locker: Locker, url: str) -> str:
    """Lock over an index that does not work; return the message, once the old file was seen to be there."""
    locker.locked('environments: {shop: {python: "3.12", requirements: [apple<2]}}')
    before = locker.read("shop")
    locker.env.update(UV_DEFAULT_INDEX=url, UV_HTTP_TIMEOUT="1", UV_HTTP_RETRIES="0")
    locker.env["UV_CACHE_DIR"] = str(locker.root / "cache")
    result = locker.lock(upgrade=True)["shop"]
    assert result.outcome == "failed"
    assert locker.read("shop") == before
    return result.message


def test_an_index_that_refuses_connections_is_a_failure_with_its_address(locker: Locker) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/simple"
    message = failed(locker, url)
    assert url in message
    assert "asked for by:\n  environment shop: apple<2 (envs.yaml:2)" in message


def test_an_index_that_answers_500_is_a_failure_with_its_address(locker: Locker) -> None:
    with answering(500) as url:
        message = failed(locker, url)
    assert url in message
    assert "500" in message


def test_an_index_that_hangs_is_a_failure_that_says_what_sets_the_time(locker: Locker) -> None:
    with answering(None) as url:
        message = failed(locker, url)
    assert "UV_HTTP_TIMEOUT" in message


# Granularity.


def test_a_lock_for_each_python_holds_what_that_python_needs(locker: Locker) -> None:
    locker.locked(
        'environments: {shop: {python: ["3.10", "3.12"], requirements: [basket>=1], lock: {per: python}}}'
    )
    assert sorted(path.name for path in (locker.root / "requirements").iterdir()) == [
        "shop-3.10.txt",
        "shop-3.12.txt",
    ]
    assert "berry" in locker.pins("shop-3.10")
    assert "berry" not in locker.pins("shop-3.12")
    assert locker.doubts("shop") == []


def test_a_template_names_the_files_and_a_collision_is_an_error(locker: Locker) -> None:
    spec = """
        environments:
          shop:
            python: ["3.10", "3.12"]
            matrix: {fruit: ["apple", "plum"]}
            requirements: ["{fruit}>=1"]
            lock: {per: point, file: "locks/{environment}-{py}-{fruit}.txt"}
    """
    locker.locked(spec)
    assert sorted(path.name for path in (locker.root / "locks").iterdir()) == [
        f"shop-{py}-{fruit}.txt" for py in ("310", "312") for fruit in ("apple", "plum")
    ]
    locker.spec(spec.replace("-{fruit}.txt", ".txt"))
    (collided,) = locker.lock().values()
    assert collided.outcome == "failed"
    assert "would write different locks to 'locks/shop-310.txt'" in collided.message


# Groups and layers.

GROUP = """
    requirements:
      old: [apple<2]
    environments:
      tests: {python: ["3.10", "3.12"], requirements: ["basket>=1"], lock: {group: tools}}
      docs: {python: "3.12", requirements: [old, plum>=1], lock: {group: tools}}
      alone: {python: "3.12", requirements: ["apple>=1"]}
"""


def test_environments_of_a_group_have_the_same_pins(locker: Locker) -> None:
    locker.locked(GROUP)
    assert locker.pins("tests") == {"apple": "1.1", "basket": "1.1", "berry": "1.0"}
    assert locker.pins("docs") == {"apple": "1.1", "plum": "1.0"}
    assert locker.pins("alone") == {"apple": "2.0"}
    assert "common" not in locker.read("tests")
    assert {name: one.outcome for name, one in locker.lock().items()} == dict.fromkeys(
        ("tests", "docs", "alone"), "unchanged"
    )
    assert locker.doubts("tests") == locker.doubts("docs") == []


def test_a_group_is_locked_as_a_whole_and_its_members_know_when_another_changed(locker: Locker) -> None:
    locker.locked(GROUP)
    locker.spec(GROUP.replace("apple<2", "apple<1.1"))
    (doubt,) = locker.doubts("tests")
    assert (doubt.kind, doubt.expected.partition(":")[0], doubt.satisfied) == (
        "lock-stale",
        "group tools",
        True,
    )
    assert sorted(locker.lock("tests")) == ["docs", "tests"]
    assert (locker.pins("tests")["apple"], locker.pins("docs")["apple"]) == ("1.0", "1.0")


def test_a_group_that_contradicts_itself_names_both_sides(locker: Locker) -> None:
    locker.spec(GROUP.replace("basket>=1", "apple>=2"))
    results = locker.lock()
    assert {name: one.outcome for name, one in results.items()} == {
        "tests": "failed",
        "docs": "failed",
        "alone": "written",
    }
    message = results["docs"].message
    assert message.startswith("the group 'tools' (docs, tests) has no common solution\n")
    assert message.splitlines()[-2:] == [
        "  environment tests: apple>=2 (envs.yaml:5)",
        "  old: apple<2 (envs.yaml:3)",
    ]


@pytest.mark.parametrize(
    ("tests", "problem"),
    [
        ("resolution: lowest", "have one resolution, but 'docs' has highest and 'tests'"),
        ("exclude_newer: 2025-01-01", "but 'docs' has none and 'tests' (envs.yaml:5) has 2025-01-01"),
        ("resolver: pip", "pip resolves each point alone, a group cannot"),
    ],
)  # fmt: skip
def test_a_group_with_different_options_is_an_error_that_names_both(
    locker: Locker, tests: str, problem: str
) -> None:
    locker.spec(GROUP.replace('["basket>=1"], lock: {', f'["basket>=1"], lock: {{{tests}, '))
    with pytest.raises(FileProblems) as caught:
        locker.lock()
    assert problem in str(caught.value)


def test_a_member_of_a_group_cannot_build_on_another(locker: Locker) -> None:
    locker.spec(
        GROUP.replace(
            '"3.12", requirements: [old', '"3.12", constraints: [{lock: tests}], requirements: [old'
        )
    )
    with pytest.raises(FileProblems, match="'docs' builds on the lock of 'tests', which is in its own group"):
        locker.lock()


LAYERS = """
    environments:
      dev: {python: "3.12", requirements: [basket>=1, plum>=1], constraints: [{lock: tests}]}
      tests: {python: "3.12", requirements: [basket>=1], constraints: [{lock: base}]}
      base: {python: "3.12", requirements: ["apple>=1"]}
      other: {python: "3.12", requirements: ["press>=1"]}
"""


def test_layers_are_locked_in_order_and_follow_their_base(locker: Locker) -> None:
    locker.locked(LAYERS.replace("apple>=1", "apple<2"))
    for name in ("base", "tests", "dev"):
        assert locker.pins(name)["apple"] == "1.1"
    assert "#   -c requirements/base.txt" in locker.read("tests")
    assert locker.doubts("dev") == []


def test_a_base_that_changed_says_which_locks_it_made_stale(locker: Locker) -> None:
    locker.locked(LAYERS.replace("apple>=1", "apple<2"))
    locker.spec(LAYERS)
    results = list(locker.lock("base", upgrade=True).values())
    assert [(one.path, one.bases) for one in stale_layers(locker.opened(), results)] == [
        ("requirements/tests.txt", ("base",)),
        ("requirements/dev.txt", ("tests",)),
    ]
    pin, content = locker.doubts("tests")
    assert told(pin) == ("lock-unsatisfied", "apple==2.0 as in requirements/base.txt", "apple==1.1")
    assert (content.kind, content.place) == ("lock-stale", "requirements/base.txt")
    assert content.expected.startswith("requirements/base.txt: ")
    locker.lock("tests", "dev")
    assert locker.pins("dev")["apple"] == "2.0"
    assert locker.doubts("tests") == locker.doubts("dev") == []
    assert stale_layers(locker.opened(), list(locker.lock("base").values())) == ()


def test_a_contradiction_with_a_layer_names_its_pin(locker: Locker) -> None:
    locker.locked(LAYERS)
    locker.spec(LAYERS.replace("[basket>=1],", '[basket>=1, "apple<2"],'))
    message = locker.lock("tests")["tests"].message
    assert "  environment tests: apple<2 (envs.yaml:4)" in message
    assert "  -c requirements/base.txt: apple==2.0 (requirements/base.txt:" in message


# Options of a resolution.


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("resolution: lowest", {"apple": "1.0", "basket": "1.0", "berry": "1.0"}),
        ("resolution: lowest-direct", {"apple": "2.0", "basket": "1.0", "berry": "1.0"}),
        ("resolution: highest", {"apple": "2.0", "basket": "1.1", "berry": "1.0"}),
    ],
)
def test_resolution_prefers_the_lowest_of_all_or_of_what_is_named(
    locker: Locker, options: str, expected: dict[str, str]
) -> None:
    locker.locked(
        f'environments: {{shop: {{python: "3.10", requirements: [basket>=1], lock: {{{options}}}}}}}'
    )
    assert locker.pins("shop") == expected


def test_prereleases_are_allowed_for_all_or_by_name(locker: Locker, index: Index) -> None:
    for name in ("early-a", "early-b"):
        index.release(name, "1.0")
        index.release(name, "2.0rc1")
    spec = """
        environments:
          shop: {python: "3.12", requirements: [early-a>=1, early-b>=1], allow_prereleases: %s}
    """
    found = []
    for value in ("false", "[early-b]", "true"):
        locker.spec(spec % value)
        locker.lock(upgrade=True)
        found.append((locker.pins("shop")["early-a"], locker.pins("shop")["early-b"]))
    assert found == [("1.0", "1.0"), ("1.0", "2.0rc1"), ("2.0rc1", "2.0rc1")]


COOLING = """
    environments:
      shop:
        python: "3.12"
        requirements: [fresh-a>=1, fresh-b>=1]
        lock: {exclude_newer: %s}
"""


def cooling(index: Index) -> None:
    for name in ("fresh-a", "fresh-b"):
        index.release(name, "1.0", uploaded="2026-01-01T00:00:00Z")
        index.release(name, "1.1", uploaded="2026-06-20T00:00:00Z")
        index.release(name, "1.2", uploaded="2026-06-28T00:00:00Z")


@pytest.mark.parametrize(
    ("option", "versions"),
    [
        ("7 days", ("1.1", "1.1")),
        ("{than: 7 days, exempt: [fresh-b]}", ("1.1", "1.2")),
        ("2026-06-01", ("1.0", "1.0")),
    ],
)
def test_a_cooldown_leaves_out_what_is_too_new_but_for_exempted_names(
    locker: Locker, index: Index, option: str, versions: tuple[str, str]
) -> None:
    cooling(index)
    locker.locked(COOLING % option)
    assert (locker.pins("shop")["fresh-a"], locker.pins("shop")["fresh-b"]) == versions


def test_a_span_never_enters_a_file_as_a_date(locker: Locker, index: Index) -> None:
    cooling(index)
    locker.locked(COOLING % "7 days")
    before = locker.read("shop")
    assert "# with: exclude_newer: 7 days" in before
    assert locker.lock(now=datetime(2026, 7, 30, tzinfo=timezone.utc))["shop"].outcome == "unchanged"
    assert locker.read("shop") == before
    assert locker.doubts("shop") == []


def test_constraints_limit_what_they_name_and_their_content_is_an_input(locker: Locker) -> None:
    limits = locker.root / "limits.txt"
    limits.write_text("apple<2\n")
    spec = (
        'environments: {shop: {python: "3.12", requirements: [basket>=1], constraints: [{file: limits.txt}]}}'
    )
    locker.locked(spec)
    assert locker.pins("shop")["apple"] == "1.1"
    limits.write_text("# only a comment\napple < 2\n")
    assert locker.doubts("shop") == []
    limits.write_text("apple<1.1\n")
    unmet, stale = locker.doubts("shop")
    assert (told(unmet), unmet.place) == (("lock-unsatisfied", "apple<1.1", "apple==1.1"), "limits.txt:1")
    assert (stale.kind, stale.expected.partition(":")[0], stale.place) == (
        "lock-stale",
        "constraints of limits.txt",
        "limits.txt:1",
    )


def test_build_constraints_and_binary_choices_reach_the_resolver(locker: Locker, index: Index) -> None:
    index.release("both-ways", "1.0")
    index.release_sdist("both-ways", "1.1")
    spec = """
        environments:
          shop:
            python: "3.12"
            requirements: [both-ways>=1]
            build_constraints: ["apple<2"]
            lock: {%s}
    """
    locker.spec(spec % 'only_binary: [":all:"]')
    locker.lock()
    assert locker.pins("shop")["both-ways"] == "1.0"
    locker.spec(spec % "no_binary: [both-ways]")
    (stale_build, stale_only) = locker.doubts("shop")
    assert {stale_build.expected, stale_only.expected} == {"no_binary: both-ways", "only_binary: not set"}
    locker.lock(upgrade=True)
    assert locker.pins("shop")["both-ways"] == "1.1"


PLATFORMS = """
    environments:
      shop:
        python: "3.12"
        requirements: ["apple>=1", "plum>=1; sys_platform == 'win32'"]
        platforms: %s
"""


def test_platforms_restrict_what_is_locked_and_what_is_checked(locker: Locker) -> None:
    locker.env["UV_NO_CONFIG"] = "false"
    locker.locked(PLATFORMS % "[linux, macos]")
    assert locker.pins("shop") == {"apple": "2.0"}
    assert locker.doubts("shop") == []
    locker.spec(PLATFORMS % "[linux, windows]")
    _, unmet, stale = locker.doubts("shop")  # apple is locked for linux and macos
    assert told(unmet) == (
        "lock-unsatisfied",
        'plum>=1 ; sys_platform == "win32"',
        "no pin (python 3.12 on windows)",
    )
    assert told(stale) == ("lock-stale", "platforms: linux, windows", "locked with linux, macos")
    locker.lock()
    assert set(locker.pins("shop")) == {"apple", "plum"}
    assert locker.doubts("shop") == []


def test_a_platform_that_is_none_is_an_error(locker: Locker) -> None:
    locker.spec(PLATFORMS % "[linux, amiga, linux-aarch64]")
    (failed,) = locker.lock().values()
    assert failed.outcome == "failed"
    assert "'amiga' is no platform" in failed.message
    assert failed.message.count("\n") == 0


def test_the_platforms_of_all_environments_are_told_with_the_files_that_are_missing(locker: Locker) -> None:
    project = locker.spec(
        """
        requirements: {app: [{file: app.in}]}
        environments:
          one: {python: ["3.10", "3.12"], platforms: [amiga, linux]}
          two: {requirements: [app], platforms: [plan9]}
        """
    )
    problems = [problem.message for problem in stale_locks(project).problems]
    assert problems[:2] == ["'amiga' is no platform", "'plan9' is no platform"]
    assert len(problems) == 3
    failed = [result.message for result in locker.lock().values()]
    assert [message.split(": ")[2].partition(" (")[0] for message in failed] == problems[:2]


def test_an_unmet_requirement_of_several_locks_is_told_once_and_names_them(locker: Locker) -> None:
    spec = """
        environments:
          tests: {python: ["3.10", "3.12"], requirements: ["plum>=1"], lock: {per: python}}
          other: {requirements: ["plum>=1"]}
    """
    locker.spec(spec)
    locker.lock()
    locker.spec(spec.replace("plum>=1", "plum>=99"))
    first, second = stale_locks(locker.opened()).findings
    assert first.actual == "plum==1.0 (in requirements/tests-3.10.txt, requirements/tests-3.12.txt)"
    assert (first.environment, first.fix) == ("tests", "nox -s lock -- tests")
    assert (second.environment, second.actual) == ("other", "plum==1.0")


# One environment whose requirements cannot be read.

BROKEN = """
    requirements:
      bad: [{file: missing.in}]
      lint: [{group: lint}]
    environments:
      first: {requirements: [bad]}
      shop: {requirements: ["plum>=1.0"]}
      over: {requirements: ["apple>=1.0"], constraints: [{lock: first}]}
      lint: {requirements: [lint]}
      free: {requirements: [bad], lock: false}
"""


def test_a_requirement_that_cannot_be_read_keeps_no_other_environment_from_anything(locker: Locker) -> None:
    (locker.root / "pyproject.toml").write_text("broken = [\n")
    locker.spec(BROKEN.replace("{file: missing.in}", "raisin").replace("{group: lint}", "raisin"))
    assert {result.outcome for result in locker.lock().values()} == {"written"}
    locker.spec(BROKEN.replace("plum>=1.0", "plum>=1"))
    project = locker.opened()
    missing = "envs.yaml:3:9: requirements.bad: missing.in: no such file"
    checked = stale_locks(project)
    assert [finding.environment for finding in checked.findings] == ["shop"]
    assert str(checked.problems[0]) == missing
    report = inspect(project)
    assert {one.session for one in report.environments if one.status == "skipped"} == {
        "first", "over", "lint", "free",
    }  # fmt: skip
    assert [finding.kind for one in report.environments for finding in one.findings] == ["lock-stale"]
    assert report.findings == ()  # no lock of a broken environment is an orphan
    assert report.problems[0] == missing
    assert verdict(report, strict=False).code == 2
    results = locker.lock()
    assert {name: result.outcome for name, result in results.items()} == {
        "first": "failed", "over": "failed", "lint": "failed", "shop": "written",
    }  # fmt: skip
    assert results["first"].message == missing
    told = closing_lines(list(results.values()))
    assert "over: failed, the old file is as it was (for the same reason)" in told
    assert told[-2] == "lint: failed, the old file is as it was"
    assert told[-1].startswith("  pyproject.toml:1:1: is not valid TOML")
    assert locker.lock("shop")["shop"].outcome == "unchanged"


# Indexes.


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Serve a second index, which has an apple of its own."""
    with serve(tmp_path_factory.mktemp("inner")) as served:
        served.release("apple", "1.0", files={"apple/__init__.py": "other = True\n"})
        served.release("apple", "1.5", files={"apple/__init__.py": "other = True\n"})
        served.release("secret", "1.0", requires=("apple", "plum"))
        yield served


def indexed(inner: Index, index: Index, *, order: str = "inner outer", packages: str = "") -> str:
    urls = {"inner": inner.url, "outer": index.url}
    lines = [
        f"  {name}: {{url: {urls[name]}{packages if name == 'inner' else ''}}}" for name in order.split()
    ]
    return "\n".join(
        ["indexes:", *lines, 'environments: {shop: {python: "3.12", requirements: [secret>=1, basket>=1]}}']
    )


def test_indexes_are_asked_in_their_order(locker: Locker, inner: Index, index: Index) -> None:
    locker.locked(indexed(inner, index))
    assert locker.pins("shop") == {"apple": "1.5", "basket": "1.1", "plum": "1.0", "secret": "1.0"}
    locker.spec(indexed(inner, index, order="outer inner"))
    (doubt,) = locker.doubts("shop")
    assert (doubt.kind, doubt.expected.partition(":")[0]) == ("lock-stale", "indexes")
    locker.lock(upgrade=True)
    assert locker.pins("shop")["apple"] == "2.0"
    assert "127.0.0.1" not in locker.read("shop")


@pytest.mark.parametrize(("packages", "apple"), [("[secret]", "2.0"), ("[secret, apple]", "1.5")])
def test_packages_are_taken_from_their_own_index_only(
    locker: Locker, inner: Index, index: Index, packages: str, apple: str
) -> None:
    locker.locked(indexed(inner, index, packages=f", packages: {packages}"))
    assert locker.pins("shop") == {"apple": apple, "basket": "1.1", "plum": "1.0", "secret": "1.0"}
    assert f"sha256:{inner.sha256('secret-1.0-py3-none-any.whl')}" in locker.read("shop")
    assert "nox-envs-indexes" not in locker.read("shop")
    assert locker.lock()["shop"].outcome == "unchanged"


def test_a_package_of_two_indexes_is_an_error(locker: Locker, inner: Index, index: Index) -> None:
    spec = indexed(inner, index, packages=", packages: [apple]")
    locker.spec(spec.replace(f"{index.url}}}", f"{index.url}, packages: [apple]}}"))
    (result,) = locker.lock().values()
    assert result.outcome == "failed"
    assert "indexes.outer.packages: 'apple' is taken from 'inner' only (envs.yaml:3)" in result.message


# Formats, pruning, identical bytes.


def test_orphans_are_pruned_only_if_they_carry_our_header(locker: Locker) -> None:
    locker.locked(
        """
        environments:
          old: {requirements: [apple>=1], lock: {format: both}}
          new: {requirements: [plum>=1]}
        """
    )
    (locker.root / "requirements" / "hand.txt").write_text("apple==1.0\n")
    (locker.root / "pylock.toml").write_text('lock-version = "1.0"\n')
    project = locker.spec("environments: {new: {requirements: [plum>=1]}}")
    gone = ("pylock.old.toml", "requirements/old.txt")
    assert prune(project, dry_run=True) == gone
    assert (locker.root / "requirements" / "old.txt").exists()
    assert prune(project, dry_run=False) == gone
    left = sorted(path.relative_to(locker.root).as_posix() for path in locker.root.rglob("*.t*"))
    assert left == ["pylock.toml", "requirements/hand.txt", "requirements/new.txt"]
    assert prune(project, dry_run=False) == ()


def test_two_runs_write_the_same_bytes_in_another_checkout_too(
    locker: Locker, machine: Machine, tmp_path: Path
) -> None:
    write_source(locker.root / "vendor" / "quince", "quince", "1.0", requires=("plum",))
    spec = """
        requirements:
          app: [basket>=1, ./vendor/quince]
        environments:
          shop: {python: ["3.10", "3.12"], requirements: [app], lock: {format: both}}
    """
    locker.locked(spec)
    files = ("requirements/shop.txt", "pylock.shop.toml")
    before = [(locker.root / path).read_bytes() for path in files]
    assert locker.lock()["shop"].outcome == "unchanged"
    other = Locker(tmp_path / "another checkout", machine)
    shutil.copytree(locker.root / "vendor", other.root / "vendor")
    other.locked(spec)
    assert [(other.root / path).read_bytes() for path in files] == before
    assert str(tmp_path).encode() not in b"".join(before)


# What makes a lock stale, offline, and what does not.

UNMET, STALE = "lock-unsatisfied", "lock-stale"
OWN_INDEX = "indexes: {own: https://packages.example.org/simple}\n"
FRESH = """\
requirements:
  app:
    - basket>=1.0
    - plum>=1; python_version >= "3.11"
  test:
    - include: app
    - file: extra.in
environments:
  tests:
    python: ["3.10", "3.12"]
    requirements: [test]
    constraints: [{file: limits.txt}, "press<2"]
    lock: {resolution: highest, only_binary: [apple, plum]}
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, machine: Machine) -> Locker:
    """Lock once; tests change what it was made of."""
    made = Locker(tmp_path_factory.mktemp("fresh") / "project", machine)
    settle(made)
    made.locked(FRESH)
    return made


def settle(made: Locker) -> None:
    (made.root / "extra.in").write_text("apple>=1\n")
    (made.root / "limits.txt").write_text("apple<2\n")


def changed(made: Locker, *changes: tuple[str, str], files: tuple[tuple[str, str], ...] = ()) -> list[Doubt]:
    """Return what is doubtful about the lock once the spec and files were changed."""
    settle(made)
    text = FRESH
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    for name, content in files:
        (made.root / name).write_text(content)
    made.spec(text)
    return made.doubts("tests")


@pytest.mark.parametrize(
    ("changes", "files"),
    [
        ((("    python", "    # a comment\n    python"), ("[test]", "[ test ]  # more")), ()),
        ((('"3.10", "3.12"', "'3.12', 3.10"),), ()),
        ((('- plum>=1; python_version >= "3.11"', "- 'Plum >= 1 ; python_version >= \"3.11\"'"),), ()),
        ((("    - basket>=1.0\n", ""), ("  test:", "    - basket>=1.0\n  test:")), ()),
        ((("resolution: highest, only_binary: [apple, plum]", "only_binary: [plum, apple]"),), ()),
        ((('[{file: limits.txt}, "press<2"]', '["press < 2", {file: limits.txt}]'),), ()),
        ((), (("extra.in", "# why\n\napple >= 1  # here\n"), ("limits.txt", "apple<2\n# and why\n"))),
    ],
)  # fmt: skip
def test_what_means_the_same_leaves_a_lock_fresh(
    fresh: Locker, changes: tuple[tuple[str, str], ...], files: tuple[tuple[str, str], ...]
) -> None:
    assert changed(fresh, *changes, files=files) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("basket>=1.0", "basket>=2"), [(UNMET, "basket>=2", "basket==1.1", "envs.yaml:4", False)]),
        (("basket>=1.0", "basket>=1.1"),
         [(STALE, "app: basket>=1.1", "app: basket>=1.0", "envs.yaml:4", True)]),
        (('>= "3.11"', '>= "3.10"'),
         [(UNMET, 'plum>=1 ; python_version >= "3.10"', "no pin (python 3.10)", "envs.yaml:5", False)]),
        (('; python_version >= "3.11"', '; python_version >= "3.12"'),
         [(STALE, 'app: plum>=1 ; python_version >= "3.12"', 'app: plum>=1 ; python_version >= "3.11"',
           "envs.yaml:5", True)]),
        (("    - basket>=1.0\n", ""), [(STALE, "not required any more", "app: basket>=1.0", "", False)]),
        (("    - basket>=1.0\n", "    - basket>=1.0\n    - raisin>=1\n"),
         [(UNMET, "raisin>=1", "no pin", "envs.yaml:5", False)]),
        (('"3.10", "3.12"', '"3.12"'),
         [(STALE, "python 3.12", "locked for python 3.10, 3.12", "", True)]),
        (('"press<2"', '"press<3"'),
         [(STALE, "constraints of envs.yaml: ", "locked with ", "envs.yaml:13", True)]),
        (("resolution: highest", "resolution: lowest"),
         [(STALE, "resolution: lowest", "locked without", "envs.yaml:10", True)]),
        (("[apple, plum]}", '[apple], exclude_newer: "7 days"}'),
         [(STALE, "exclude_newer: 7 days", "locked without", "envs.yaml:10", True),
          (STALE, "only_binary: apple", "locked with apple, plum", "envs.yaml:10", True)]),
        (("requirements:\n  app", f"{OWN_INDEX}requirements:\n  app"),
         [(STALE, "indexes: ", "locked without", "envs.yaml:2", True)]),
    ],
)  # fmt: skip
def test_what_means_something_else_is_told_with_its_place_and_its_pin(
    fresh: Locker, change: tuple[str, str], expected: list[tuple[str, str, str, str, bool]]
) -> None:
    found = changed(fresh, change)
    assert len(found) == len(expected)
    for doubt, (kind, wanted, actual, place, satisfied) in zip(found, expected, strict=True):
        assert (doubt.kind, doubt.place, doubt.satisfied) == (kind, place, satisfied)
        assert doubt.expected.startswith(wanted)
        assert doubt.actual.startswith(actual)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((("extra.in", "apple>=1.1\n"),), (STALE, "test (extra.in): apple>=1.1", "extra.in:1")),
        ((("extra.in", "apple>=3\n"),), (UNMET, "apple>=3", "extra.in:1")),
        ((("limits.txt", "apple<3\n"),), (STALE, "constraints of limits.txt: ", "limits.txt:1")),
    ],
)
def test_the_content_of_a_file_is_an_input(
    fresh: Locker, files: tuple[tuple[str, str], ...], expected: tuple[str, str, str]
) -> None:
    (doubt,) = changed(fresh, files=files)
    assert (doubt.kind, doubt.place) == (expected[0], expected[2])
    assert doubt.expected.startswith(expected[1])


def test_an_edit_of_a_bot_stays_fresh_while_it_satisfies(fresh: Locker, index: Index) -> None:
    assert changed(fresh) == []
    text = fresh.read("tests")
    old, new = (index.sha256(f"basket-{version}-py3-none-any.whl") for version in ("1.1", "1.0"))
    lock = fresh.root / "requirements" / "tests.txt"
    try:
        lock.write_text(text.replace("basket==1.1", "basket==1.0").replace(old, new), encoding="utf-8")
        assert fresh.doubts("tests") == []
    finally:
        lock.write_text(text, encoding="utf-8")
