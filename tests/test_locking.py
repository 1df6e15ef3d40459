from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from nox_envs.errors import NoxEnvsError
from nox_envs.lockfile.text import Lock, parse
from nox_envs.values import replace
from nox_envs.workflow.lock_check import orphans
from nox_envs.workflow.locking import (
    Change,
    Completed,
    LockRequest,
    LockResult,
    Outcome,
    lock,
    result_lines,
)
from nox_envs.workflow.project import Project

SPEC = """
    version: 1
    requirements:
      app: [apple, pear]
      test:
        - include: app
        - basket>=1
    environments:
      prod: {python: "3.12", requirements: [app]}
      tests: {python: ["3.11", "3.12"], requirements: [test], constraints: [{lock: prod}]}
      lint: {python: "3.12", requirements: ["lint==1.0"]}
"""
RELEASES = {
    "apple": ["1.0", "2.0"],
    "pear": ["1.0"],
    "basket": ["1.0", "1.1"],
    "lint": ["1.0"],
    "wax": ["1.0a1"],
}


def digest(name: str, version: str) -> str:
    return f"sha256:{hashlib.sha256(f'{name}-{version}'.encode()).hexdigest()}"


@dataclass
class Resolvers:
    """Answer as uv and pip do, for packages that require nothing.

    `releases` are what there is of each package, oldest first. Every command is kept in `commands`,
    and every text that was handed over in `read`, by the base name of its file.
    """

    releases: dict[str, list[str]] = field(default_factory=lambda: {n: [*v] for n, v in RELEASES.items()})
    uv: str = "/bin/uv"
    python: str = "/bin/python"
    commands: list[tuple[str, ...]] = field(default_factory=list)
    read: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    most_busy: int = 0
    together: threading.Barrier | None = None
    silent: bool = False

    def pip_python(self, python: str | None) -> str:
        if python == "3.99":
            raise NoxEnvsError("Python interpreter 3.99 not found; pip resolves only for one that is present")
        return f"/pythons/{python}"

    def run(self, argv: tuple[str, ...]) -> Completed:
        self.commands.append(argv)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        if self.together is not None:
            self.together.wait(timeout=5)
        try:
            return self._uv(argv) if argv[0] == self.uv else self._pip(argv)
        except LookupError as error:
            return Completed(returncode=1, output="" if self.silent else f"  x No solution found: {error}\n")
        finally:
            self.busy -= 1

    def _uv(self, argv: tuple[str, ...]) -> Completed:
        output = Path(_option(argv, "--output-file")[0])
        preferred = {} if "--upgrade" in argv else self._limits([str(output)])
        for name in _option(argv, "--upgrade-package"):
            preferred.pop(name, None)
        sources = [word for word in argv if word.endswith(".in")]
        limits = _option(argv, "--constraints")
        chosen = self._choose(sources, limits, preferred)
        lines = []
        for name, version in sorted(chosen.items()):
            lines += [f"{name}=={version} \\", f"    --hash={digest(name, version)}", "    # via"]
            lines += [f"    #   -r {path}" for path in sources if name in self._limits([path])]
            lines += [f"    #   -c {path}" for path in limits if name in self._limits([path])]
        output.write_text("".join(f"{line}\n" for line in lines))
        return Completed(returncode=0, output="")

    def _pip(self, argv: tuple[str, ...]) -> Completed:
        chosen = self._choose(_option(argv, "--requirement"), _option(argv, "--constraint"), {})
        install = [
            {
                "metadata": {"name": name, "version": version},
                "download_info": {
                    "url": f"https://files.example.org/{name}.whl",
                    "archive_info": {"hash": digest(name, version).replace(":", "=")},
                },
            }
            for name, version in chosen.items()
        ]
        report = json.dumps({"version": "1", "install": install, "environment": {}})
        Path(_option(argv, "--report")[0]).write_text(report)
        return Completed(returncode=0, output="")

    def _choose(self, sources: list[str], limits: list[str], preferred: Mapping[str, str]) -> dict[str, str]:
        """Return a version for everything in `sources`; raise LookupError where there is none."""
        wanted = self._limits(sources)
        constraints = self._limits(limits)
        chosen = {}
        for name, specifier in wanted.items():
            every = (
                Requirement(f"{name}{specifier}").specifier
                & Requirement(f"{name}{constraints.get(name, '')}").specifier
            )
            fitting = [version for version in self.releases.get(name, []) if every.contains(version)]
            kept = preferred.get(name, "").removeprefix("==")
            if not fitting:
                raise LookupError(f"no {name}{every} in {sources[0]}")
            chosen[name] = kept if kept in fitting else fitting[-1]
        return chosen

    def _limits(self, paths: list[str]) -> dict[str, str]:
        """Return the specifiers by name that stand in files."""
        found = {}
        for path in paths:
            text = Path(path).read_text() if Path(path).exists() else ""
            self.read[Path(path).name] = text
            for line in text.splitlines():
                requirement = Requirement(line)
                found[requirement.name] = str(requirement.specifier)
        return found


def _option(argv: tuple[str, ...], name: str) -> list[str]:
    return [word.partition("=")[2] for word in argv if word.startswith(f"{name}=")]


def opened(root: Path, spec: str = SPEC) -> Project:
    root.mkdir(exist_ok=True)
    (root / "envs.yaml").write_text(textwrap.dedent(spec), encoding="utf-8")
    return Project(root / "envs.yaml", envdir=".nox", environ={}, host=dict)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the directory of the project."""
    return tmp_path / "project"


def relocked(
    root: Path, resolvers: Resolvers, *environments: str, spec: str = SPEC, jobs: int = 2, **asked: bool
) -> dict[str, LockResult]:
    """Lock and return the results by the name of the lock."""
    wish = LockRequest(
        environments=environments,
        upgrade=asked.get("upgrade", False),
        upgrade_packages=("Apple",) if asked.get("upgrade_apple") else (),
        dry_run=asked.get("dry_run", False),
    )
    results = lock(opened(root, spec), wish, resolvers, jobs=jobs)
    return {Path(result.path).stem: result for result in results}


def read(root: Path, name: str) -> Lock:
    return parse((root / "requirements" / f"{name}.txt").read_text(encoding="utf-8"), origin=name)


def versions(root: Path, name: str) -> dict[str, str]:
    return {pin.name: pin.version for pin in read(root, name).pins}


def test_every_lock_is_written_with_its_header(root: Path) -> None:
    results = relocked(root, Resolvers())
    assert {name: result.outcome for name, result in results.items()} == dict.fromkeys(
        ("prod", "lint", "tests"), "written"
    )
    found = read(root, "tests")
    (made,) = opened(root).plans_of("tests")
    assert found.header is not None
    assert (found.header.environments, found.header.pythons) == (("tests",), ("3.11", "3.12"))
    assert (found.header.resolver, found.header.input) == ("uv", made.digest)
    assert [(pin.name, pin.version, pin.via) for pin in found.pins] == [
        ("apple", "2.0", ("-c requirements/prod.txt", "app: apple")),
        ("basket", "1.1", ("test: basket>=1",)),
        ("pear", "1.0", ("-c requirements/prod.txt", "app: pear")),
    ]
    assert opened(root).doubts(made) == ()


def test_a_second_run_changes_no_byte(root: Path) -> None:
    relocked(root, Resolvers())
    before = {path: path.read_bytes() for path in (root / "requirements").iterdir()}
    results = relocked(root, Resolvers())
    assert {result.outcome for result in results.values()} == {"unchanged"}
    assert {path: path.read_bytes() for path in (root / "requirements").iterdir()} == before


def test_a_lock_below_is_made_before_the_one_it_limits(root: Path) -> None:
    resolvers = Resolvers()
    relocked(root, resolvers, jobs=1)
    assert list(relocked(root, resolvers, jobs=1)) == ["prod", "lint", "tests"]
    assert resolvers.read["layer-0.txt"] == "apple==2.0\npear==1.0\n"


def test_a_lock_that_limits_another_is_followed(root: Path) -> None:
    relocked(root, Resolvers())
    resolvers = Resolvers()
    resolvers.releases["apple"].append("3.0")
    relocked(root, resolvers, "tests", upgrade=True)
    assert versions(root, "tests")["apple"] == "2.0"


def test_several_locks_are_made_at_once(root: Path) -> None:
    spec = """
        version: 1
        environments:
          a: {requirements: [apple>=1]}
          b: {requirements: [pear>=1]}
    """
    resolvers = Resolvers(together=threading.Barrier(2))
    assert {one.outcome for one in relocked(root, resolvers, spec=spec).values()} == {"written"}
    assert resolvers.most_busy == 2
    resolvers = Resolvers()
    relocked(root, resolvers, spec=spec, jobs=1)
    assert resolvers.most_busy == 1


def test_only_what_is_asked_for_is_locked(root: Path) -> None:
    assert list(relocked(root, Resolvers(), "lint")) == ["lint"]
    assert [path.name for path in (root / "requirements").iterdir()] == ["lint.txt"]
    relocked(root, Resolvers(), "prod")
    assert list(relocked(root, Resolvers(), "tests-3.12")) == ["tests"]


def test_an_unknown_environment_is_an_error_with_the_near_one(root: Path) -> None:
    with pytest.raises(NoxEnvsError, match="did you mean 'tests'"):
        relocked(root, Resolvers(), "test")
    assert not (root / "requirements").exists()


def test_a_lock_to_build_on_that_is_missing_is_a_failure_with_its_command(root: Path) -> None:
    (result,) = relocked(root, Resolvers(), "tests").values()
    assert result.outcome == "failed"
    assert result.message == "requirements/prod.txt: the lock to build on is missing; nox -s lock -- prod"


def test_an_environment_without_a_lock_cannot_be_built_on(root: Path) -> None:
    unlocked = 'requirements: [app], matrix: {a: {"1": {lock: false}}}'
    spec = SPEC.replace('python: "3.12", requirements: [app]', unlocked)
    (result,) = relocked(root, Resolvers(), "tests", spec=spec).values()
    assert (result.outcome, result.message) == ("failed", "environment 'prod' has no lock to build on")


# What changes.


def test_the_pins_that_are_there_are_kept(root: Path) -> None:
    relocked(root, Resolvers())
    resolvers = Resolvers()
    resolvers.releases["apple"].append("3.0")
    assert {one.outcome for one in relocked(root, resolvers).values()} == {"unchanged"}
    assert resolvers.read["lock.txt"]


def test_an_upgrade_takes_the_newest(root: Path) -> None:
    relocked(root, Resolvers())
    resolvers = Resolvers()
    resolvers.releases["apple"].append("3.0")
    results = relocked(root, resolvers, upgrade=True)
    assert results["prod"] == LockResult(
        path="requirements/prod.txt",
        environments=("prod",),
        outcome="written",
        changes=(Change(package="apple", before="2.0", after="3.0", kind="major"),),
        pins=2,
        stayed=1,
    )
    assert versions(root, "tests")["apple"] == "3.0"


def test_packages_that_come_and_go_are_told(root: Path) -> None:
    relocked(root, Resolvers())
    spec = SPEC.replace("[apple, pear]", "[apple, lint]")
    assert relocked(root, Resolvers(), spec=spec)["prod"].changes == (
        Change(package="lint", before="", after="1.0", kind="added"),
        Change(package="pear", before="1.0", after="", kind="removed"),
    )


def test_a_dry_run_writes_nothing_and_tells_what_would_change(root: Path) -> None:
    relocked(root, Resolvers())
    before = (root / "requirements" / "lint.txt").read_bytes()
    resolvers = Resolvers(releases={**RELEASES, "lint": ["1.0", "1.0.post1"]})
    spec = SPEC.replace("lint==1.0", "lint>=1.0.post1")
    results = relocked(root, resolvers, spec=spec, dry_run=True)
    assert (results["lint"].outcome, results["prod"].outcome) == ("outdated", "unchanged")
    assert results["lint"].changes == (Change(package="lint", before="1.0", after="1.0.post1", kind="patch"),)
    assert (root / "requirements" / "lint.txt").read_bytes() == before


def test_a_lock_with_windows_line_ends_is_no_change(root: Path) -> None:
    relocked(root, Resolvers())
    file = root / "requirements" / "lint.txt"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert relocked(root, Resolvers(), "lint")["lint"].outcome == "unchanged"


@pytest.mark.parametrize("content", [b"<<<<<<< HEAD\n", b"\xff\xfe", b"nonsense\n"])
def test_a_lock_that_cannot_be_read_is_replaced_only_by_an_upgrade(root: Path, content: bytes) -> None:
    relocked(root, Resolvers())
    file = root / "requirements" / "lint.txt"
    file.write_bytes(content)
    result = relocked(root, Resolvers(), "lint")["lint"]
    assert result.outcome == "failed"
    assert "its pins would be lost" in result.message
    assert file.read_bytes() == content
    upgraded = relocked(root, Resolvers(), "lint", upgrade=True)["lint"]
    added = Change(package="lint", before="", after="1.0", kind="added")
    assert (upgraded.outcome, upgraded.changes) == ("written", (added,))
    assert versions(root, "lint") == {"lint": "1.0"}


def test_a_folder_in_the_place_of_a_lock_is_a_failure(root: Path) -> None:
    (root / "requirements" / "lint.txt").mkdir(parents=True)
    result = relocked(root, Resolvers(), "lint")["lint"]
    assert result.outcome == "failed"
    assert "lint.txt: cannot be written: is not a regular file" in result.message


def test_what_no_python_needs_is_recorded_in_the_header(root: Path) -> None:
    spec = """
        version: 1
        environments:
          docs: {python: "3.12", requirements: ['apple>=1; python_version < "3.9"', pear>=1]}
    """
    resolvers = Resolvers()
    del resolvers.releases["apple"]

    class Dropping(Resolvers):
        def _limits(self, paths: list[str]) -> dict[str, str]:
            return {name: limit for name, limit in super()._limits(paths).items() if name != "apple"}

    relocked(root, Dropping(), spec=spec)
    header = read(root, "docs").header
    assert header is not None
    assert header.omitted == ('environment docs: apple>=1 ; python_version < "3.9"',)


def test_an_environment_that_requires_nothing_has_a_lock_without_pins(root: Path) -> None:
    resolvers = Resolvers()
    spec = "version: 1\nenvironments:\n  empty: {python: '3.12', commands: [python --version]}\n"
    (result,) = relocked(root, resolvers, spec=spec).values()
    assert (result.outcome, result.pins, resolvers.commands) == ("written", 0, [])
    assert (root / "requirements" / "empty.txt").read_text().endswith("\n")


# Failures.


def test_a_failure_keeps_its_old_file_and_lets_the_others_finish(root: Path) -> None:
    relocked(root, Resolvers())
    before = (root / "requirements" / "lint.txt").read_bytes()
    resolvers = Resolvers()
    resolvers.releases["apple"].append("3.0")
    results = relocked(root, resolvers, spec=SPEC.replace("lint==1.0", "lint==9.0"), upgrade=True)
    assert {name: result.outcome for name, result in results.items()} == {
        "prod": "written",
        "lint": "failed",
        "tests": "written",
    }
    assert (root / "requirements" / "lint.txt").read_bytes() == before


def test_a_failure_shows_what_the_resolver_said_in_names_that_people_know(root: Path) -> None:
    spec = SPEC.replace("apple, pear", "apple, pear>7")
    results = relocked(root, Resolvers(), "prod", spec=spec)
    assert results["prod"].message == (
        "x No solution found: no pear>7 in app\nasked for by:\n  app: pear>7 (envs.yaml:4)"
    )
    (silent,) = relocked(root, Resolvers(silent=True), "prod", spec=spec).values()
    assert silent.message == "the resolver said nothing and ended with code 1"


def test_nothing_is_left_in_the_temporary_folder(root: Path) -> None:
    resolvers = Resolvers()
    relocked(root, resolvers, spec=SPEC.replace("lint==1.0", "lint==9.0"))
    folders = {Path(_option(argv, "--output-file")[0]).parent for argv in resolvers.commands}
    assert len(folders) == 3
    assert [folder for folder in folders if folder.exists()] == []


def test_what_a_killed_run_staged_goes_with_the_next_run_and_is_no_orphan(root: Path) -> None:
    relocked(root, Resolvers())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = root / "requirements" / f".nox-envs-{ended.pid}-{'0' * 16}.tmp"
    left.write_bytes((root / "requirements" / "prod.txt").read_bytes())
    assert orphans(opened(root)) == ()
    relocked(root, Resolvers(), dry_run=True)
    assert left.exists()
    relocked(root, Resolvers())
    assert not left.exists()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="takes a file that even root cannot read")
def test_a_file_beside_the_locks_that_cannot_be_read_is_nobodys_lock(root: Path) -> None:
    relocked(root, Resolvers())
    (root / "requirements" / "notes.txt").symlink_to("/proc/self/mem")
    (root / "requirements" / "old.txt").write_bytes((root / "requirements" / "prod.txt").read_bytes())
    assert [finding.actual for finding in orphans(opened(root))] == ["requirements/old.txt"]


# pip.

BY_PIP = """
    version: 1
    environments:
      docs: {python: ["3.11", "3.12"], requirements: [apple>=1, pear>=1], lock: {resolver: pip}}
"""


def test_pip_locks_each_point_with_its_own_python(root: Path) -> None:
    resolvers = Resolvers()
    assert list(relocked(root, resolvers, spec=BY_PIP)) == ["docs-3.11", "docs-3.12"]
    assert sorted(argv[0] for argv in resolvers.commands) == ["/pythons/3.11", "/pythons/3.12"]
    found = read(root, "docs-3.12")
    assert found.header is not None
    assert (found.header.resolver, found.header.pythons) == ("pip", ("3.12",))
    assert [(pin.name, pin.version, pin.via) for pin in found.pins] == [
        ("apple", "2.0", ("environment docs: apple>=1",)),
        ("pear", "1.0", ("environment docs: pear>=1",)),
    ]


def test_pip_keeps_the_pins_that_are_there_unless_told_otherwise(root: Path) -> None:
    relocked(root, Resolvers(), spec=BY_PIP)
    resolvers = Resolvers()
    for name in ("apple", "pear"):
        resolvers.releases[name].append("3.0")
    relocked(root, resolvers, spec=BY_PIP)
    assert versions(root, "docs-3.12") == {"apple": "2.0", "pear": "1.0"}
    relocked(root, resolvers, spec=BY_PIP, upgrade_apple=True)
    assert versions(root, "docs-3.12") == {"apple": "3.0", "pear": "1.0"}
    relocked(root, resolvers, spec=BY_PIP, upgrade=True)
    assert versions(root, "docs-3.12") == {"apple": "3.0", "pear": "3.0"}


def test_pip_lets_go_of_pins_that_do_not_fit_any_more(root: Path) -> None:
    relocked(root, Resolvers(), spec=BY_PIP)
    spec = BY_PIP.replace("apple>=1", "apple<2")
    resolvers = Resolvers()
    assert {one.outcome for one in relocked(root, resolvers, spec=spec).values()} == {"written"}
    assert versions(root, "docs-3.11") == {"apple": "1.0", "pear": "1.0"}
    assert len(resolvers.commands) == 4  # with the old pins, then without


def test_pip_keeps_the_pins_where_it_fails_for_another_reason_than_a_conflict(root: Path) -> None:
    relocked(root, Resolvers(), spec=BY_PIP)
    resolvers = Resolvers(silent=True)
    results = relocked(root, resolvers, spec=BY_PIP.replace("apple>=1", "apple<2"))
    assert {one.outcome for one in results.values()} == {"failed"}
    assert results["docs-3.11"].message.endswith("nox -s lock -- --upgrade-package NAME takes another")
    assert versions(root, "docs-3.11") == {"apple": "2.0", "pear": "1.0"}
    assert len(resolvers.commands) == 2  # with the old pins, for each Python


def test_a_python_that_is_not_there_is_a_failure(root: Path) -> None:
    results = relocked(root, Resolvers(), spec=BY_PIP.replace("3.11", "3.99"))
    assert {name: one.outcome for name, one in results.items()} == {
        "docs-3.99": "failed",
        "docs-3.12": "written",
    }
    assert "3.99 not found" in results["docs-3.99"].message


# For people.


CHANGES = (
    Change(package="b", before="", after="1", kind="added"),
    Change(package="c", before="1", after="", kind="removed"),
    Change(package="d", before="1", after="2", kind="major"),
)


def became(outcome: Outcome, *changes: Change, pins: int = 0, message: str = "") -> LockResult:
    return LockResult(
        path="a.txt", environments=("a",), outcome=outcome, changes=changes, pins=pins, message=message
    )


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        (became("unchanged", pins=1), ["a (a.txt): unchanged (1 pin)"]),
        (
            became("failed", message="no\n  \x1b[31mway"),
            ["a (a.txt): failed, the old file is as it was", "  no", "    \\x1b[31mway"],
        ),
        (
            replace(became("failed", message="no"), absent=True),
            ["a (a.txt): failed, there is no lock yet", "  no"],
        ),
        (became("outdated"), ["a (a.txt): would change: 0 stayed"]),
        (
            became("written", *CHANGES, pins=2),
            [
                "a (a.txt): written: 1 added, 1 removed, 1 changed, 0 stayed",
                *("  + b 1", "  - c 1", "  ~ d 1 -> 2 (major)"),
            ],
        ),
    ],
)
def test_a_result_is_told_in_lines(result: LockResult, lines: list[str]) -> None:
    assert result_lines(result) == lines
    assert not any(re.search(r"[\x00-\x1f]", line) for line in result_lines(result))
