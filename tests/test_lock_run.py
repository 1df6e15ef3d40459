"""Many locks in one run: order, failures, upgrades, and what is said of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from nox_envs.drift import orphans
from nox_envs.errors import FileProblems, NoxEnvsError, Problem
from nox_envs.lock.plan import LockPlan
from nox_envs.lock.run import LockResult, prune, result_lines
from nox_envs.project import Project
from nox_envs.values import replace
from tests.conftest import Machine
from tests.locker import Locker, declared, plan
from tests.plans import at

pytestmark = pytest.mark.functional

SPEC = "version: 1\nenvironments:\n  {names}\n"


@pytest.fixture
def locker(machine: Machine, tmp_path: Path) -> Locker:
    """Lock in an empty project."""
    return Locker(tmp_path / "project", machine)


def closing_lines(results: Iterable[LockResult]) -> list[str]:
    """Return what a run says, in the order of the paths and with failures last."""
    ordered = sorted(results, key=lambda one: (one.outcome == "failed", one.plan.path))
    return [line for result in ordered for line in result_lines(result)]


def outcomes(results: dict[str, LockResult]) -> dict[str, str]:
    return {name: one.outcome for name, one in sorted(results.items())}


def test_a_change_is_told_package_by_package_with_what_uv_warns_of(locker: Locker) -> None:
    locker.lock(plan("shop", "basket<1.1", "plum"))
    result = locker.lock(plan("shop", "basket", "plum==1.1", "raisin", "basket<1.1", "apple<2"))
    assert closing_lines(result.values()) == [
        "shop (requirements/shop.txt): written: 1 added, 2 changed, 1 kept",
        "  ~ apple 2.0 -> 1.1",
        "  ~ plum 1.0 -> 1.1",
        "  + raisin 1.0",
        '  warning: `plum==1.1` is yanked (reason: "made of wax")',
    ]
    result = locker.lock(plan("shop", "plum"))
    assert closing_lines(result.values())[1:3] == ["  - apple 1.1", "  - basket 1.0"]


def test_a_dry_run_resolves_and_writes_nothing(locker: Locker) -> None:
    locker.lock(plan("shop", "apple"))
    before = locker.read("shop")
    dry = locker.lock(plan("shop", "apple<2"), dry_run=True)
    assert closing_lines(dry.values())[0] == "shop (requirements/shop.txt): would change: 1 changed"
    assert locker.read("shop") == before


def test_both_formats_are_written_together(locker: Locker) -> None:
    asked = plan("shop", "apple", pylock="pylock.shop.toml")
    (line, _) = closing_lines(locker.lock(asked).values())
    assert line == "shop (requirements/shop.txt and pylock.shop.toml): written: 1 added"
    (locker.root / "pylock.shop.toml").unlink()
    assert locker.lock(asked)["shop"].outcome == "written"
    assert 'name = "apple"' in (locker.root / "pylock.shop.toml").read_text()
    assert locker.lock(asked)["shop"].outcome == "unchanged"


# Order.


def test_a_layer_is_locked_first_and_constrains_what_builds_on_it(locker: Locker) -> None:
    base, shop = plan("base", "apple<2"), plan("shop", "basket", layers=("base",))
    assert outcomes(locker.lock(shop, base)) == {"base": "written", "shop": "written"}
    assert locker.pin(shop, "apple").version == "1.1"
    assert "#   -c requirements/base.txt" in locker.read("shop")


def test_what_builds_on_a_written_lock_is_composed_again(locker: Locker) -> None:
    base = plan("base", "apple<2")
    over = plan("over", "basket", sources=("over.in", "requirements/base.txt"))
    replanned: list[LockPlan] = []

    def replan(asked: LockPlan) -> LockPlan:
        replanned.append(asked)
        return replace(asked, constraints=(declared(f"apple=={locker.pin(base, 'apple').version}"),))

    results = list(locker.run(over, base, replan=replan))
    assert [one.plan.environments for one in results] == [("base",), ("over",)]
    assert replanned == [over]
    assert locker.pin(over, "apple").version == "1.1"


def test_locks_that_build_on_each_other_are_an_error(locker: Locker) -> None:
    one = plan("one", "apple", sources=("requirements/two.txt",))
    two = plan("two", "apple", layers=("one",))
    with pytest.raises(NoxEnvsError, match=r"requirements/one\.txt, requirements/two\.txt"):
        locker.lock(one, two)
    with pytest.raises(NoxEnvsError, match=r"build on each other: requirements/one\.txt"):
        locker.lock(plan("one", "apple", sources=("requirements/one.txt",)))


def test_a_failure_blocks_only_what_builds_on_it(locker: Locker) -> None:
    base, lint = plan("base", "apple"), plan("lint", "press")
    locker.lock(base)
    before = locker.read("base")
    over = plan("over", "basket", layers=("base",))
    results = locker.lock(plan("base", "apple>9"), lint, over)
    assert outcomes(results) == {"base": "failed", "lint": "written", "over": "failed"}
    lines = closing_lines(results.values())
    assert lines[2] == "base (requirements/base.txt): failed, nothing is written"
    assert "    app: apple>9 (envs.yaml:4)" in lines
    assert lines[-1] == "  it builds on requirements/base.txt, which failed"
    assert locker.read("base") == before
    assert not (locker.root / "requirements/over.txt").exists()


def test_a_layer_outside_of_the_run_is_read_from_disk(locker: Locker) -> None:
    base, over = plan("base", "apple<2"), plan("over", "basket", layers=("base",))
    missing = list(locker.run(over, bases=lambda one: (base,)))
    assert (
        missing[0].lines[0]
        == "it builds on requirements/base.txt, which is missing; run: nox -s lock -- base"
    )
    locker.lock(base)
    (found,) = locker.run(over, bases=lambda one: (base,))
    assert found.outcome == "written"
    assert locker.pin(over, "apple").version == "1.1"
    assert "not all of them have a lock" in locker.lock(over)["over"].lines[0]


def shim(locker: Locker, script: str) -> Path:
    """Put a shell script before uv and return the folder that it may write to."""
    folder = locker.root.parent / "shim"
    folder.mkdir()
    program = folder / "uv"
    program.write_text(f'#!/bin/sh\ncd {folder}\n{script}\ncd {locker.root}\nexec {locker.uv} "$@"\n')
    program.chmod(0o755)
    locker.uv = str(program)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the shim is a shell script")
def test_environments_are_locked_side_by_side(locker: Locker) -> None:
    others = "[ $(ls started.* | wc -l) -ge 3 ]"
    count = "n=$((n+1)); [ $n -lt 4000 ] || exit 9"  # not for ever
    shim(locker, f"touch started.$$; n=0; until {others}; do {count}; sleep 0.05; done")
    plans = [plan(f"env-{number}", "apple") for number in range(3)]
    assert [one.outcome for one in locker.run(*plans)] == ["written"] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="the shim is a shell script")
def test_an_interrupted_run_starts_nothing_more(locker: Locker) -> None:
    folder = shim(locker, "touch started.$$")
    results = locker.run(*(plan(f"env-{number}", "apple") for number in range(9)), jobs=1)
    assert next(results).outcome == "written"
    results.close()
    assert len(list(folder.glob("started.*"))) < 9


# What is asked.


def test_upgrades_take_new_versions_of_what_they_name(locker: Locker) -> None:
    shop = plan("shop", "basket", "plum")
    locker.lock(plan("shop", "basket<1.1", "apple<1.1", "plum"))
    assert locker.lock(shop)["shop"].lines == ()
    assert locker.lock(shop, packages=("Apple==1.1",))["shop"].lines == ("~ apple 1.0 -> 1.1",)
    assert locker.lock(shop, upgrade=True)["shop"].lines == ("~ apple 1.1 -> 2.0", "~ basket 1.0 -> 1.1")


def test_the_pins_of_a_lock_that_cannot_be_read_are_not_lost_without_a_word(locker: Locker) -> None:
    broken = locker.write("requirements/shop.txt", "<<<<<<< ours\napple==1.0\n=======\n")
    result = locker.lock(plan("shop", "apple"))["shop"]
    assert result.outcome == "failed"
    assert "requirements/shop.txt:1" in result.lines[0]
    assert broken.read_text().startswith("<<<<<<<")
    assert locker.lock(plan("shop", "apple"), upgrade=True)["shop"].outcome == "written"


def test_a_lock_of_another_tool_is_left_alone(locker: Locker) -> None:
    theirs = plan("shop", "apple", managed=False, command="pip-compile app.in")
    assert closing_lines(locker.lock(theirs).values()) == [
        "shop (requirements/shop.txt): not managed by nox-envs; to update it: pip-compile app.in"
    ]
    assert not (locker.root / "requirements").exists()
    locker.write("requirements/shop.txt", "# command:\n#   make shop\napple==1.0\n")
    theirs = plan("shop", "apple", managed=False)
    assert (
        "not managed by nox-envs; to update it: make shop" in closing_lines(locker.lock(theirs).values())[0]
    )


# Orphans.


def test_locks_that_nothing_declares_are_pruned(locker: Locker) -> None:
    shop, lint = plan("shop", "apple", pylock="pylock.shop.toml"), plan("lint", "press")
    locker.lock(shop, lint)
    locker.write("requirements/by-hand.txt", "apple==1.0\n")
    locker.write("envs.yaml", SPEC.format(names="lint: {}"))
    project = Project(locker.root / "envs.yaml", environ={})
    (found,) = orphans(project, shop.files)
    expected = ("lock-orphaned", "requirements/lint.txt", "git rm requirements/lint.txt")
    assert (found.kind, found.actual, found.fix) == expected
    project.broken["lint"] = FileProblems([Problem(place=at(1), message="it cannot be read")])
    assert orphans(project, shop.files) == ()
    prune([found], root=locker.root, dry_run=False)
    both = orphans(project, ["requirements/other.txt"])
    assert [one.path for one in both] == ["pylock.shop.toml", "requirements/shop.txt"]


@pytest.mark.parametrize(
    "names", ["lint: {requirements: [press]}", "'lint': {}", "a: {}\n  lint:\n    tags: [x]"]
)
def test_locks_of_another_spec_in_the_project_are_left_alone(locker: Locker, names: str) -> None:
    shop, lint = plan("shop", "apple"), plan("lint", "press")
    locker.lock(shop, lint)
    locker.write("envs.yaml", SPEC.format(names="lint: {}"))
    locker.write("mkdocs.yml", "lint: true\n")
    project = Project(locker.root / "envs.yaml", environ={})
    assert len(orphans(project, shop.files)) == 1
    locker.write("other.yaml", SPEC.format(names=names))
    assert orphans(project, shop.files) == ()
