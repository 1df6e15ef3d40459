"""Requirements among installed distributions, as pip and uv see them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.markers import default_environment

from nox_envs.venv.snapshot import take
from nox_envs.verify import unmet_requirements
from tests.conftest import BareVenv, Machine, MakeVenv, uv
from tests.index import Index

HOST = {name: str(value) for name, value in default_environment().items()}


def require(venv: BareVenv, name: str, version: str, *lines: str) -> None:
    """Add a distribution with requirements."""
    requires = "".join(f"Requires-Dist: {line}\n" for line in lines)
    venv.add(name, version, metadata=f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}\n")


def unmet(venv: BareVenv, **extras: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return package, requirement and what is there."""
    found = unmet_requirements(take(venv.location), HOST, extras=extras.items())
    return [(one.package, one.expected, one.actual) for _, one in found]


def test_requirements_that_are_met_are_silent(bare_venv: BareVenv) -> None:
    require(bare_venv, "apple", "2.0rc1")
    require(
        bare_venv, "basket", "1.0",
        "apple", "apple>=1.0", "Apple (>=1,!=1.5)", "apple ~= 2.0a1 ; python_version >= '3.8'",
        "apple @ https://e.org/apple.whl", "apple[none]", 'gone ; python_version < "3"',
        'gone; extra == "x"', "apple<3", "apple >1,\n  <3",
        "not a requirement at all", "apple ???", 'apple>=9; nonsense == "x"',
        f"apple>={'9' * 5000}; extra == '1'",
    )  # fmt: skip
    assert unmet(bare_venv) == []


def test_requirements_that_are_not_met_are_told(bare_venv: BareVenv) -> None:
    require(bare_venv, "apple", "2.0")
    require(bare_venv, "basket", "1.0", "apple<2", "pear; sys_platform != 'moon'", "setuptools")
    assert unmet(bare_venv) == [
        ("basket", "apple<2", "apple 2.0"),
        ("basket", "pear; sys_platform != 'moon'", "pear is not installed"),
        ("basket", "setuptools", "setuptools is not installed"),
    ]
    found = unmet_requirements(take(bare_venv.location), HOST)
    told = [("apple", "error"), ("pear", "error"), ("setuptools", "warning")]
    assert [(needed, one.severity) for needed, one in found] == told


def test_extras_count_where_something_asks_for_them(bare_venv: BareVenv) -> None:
    require(bare_venv, "top", "1.0", 'basket[all]; extra == "x"')
    require(
        bare_venv, "basket", "1.0", 'basket[Dried_Fruit]; extra == "all"', 'raisin; extra == "dried-fruit"'
    )
    assert unmet(bare_venv) == []
    expected = [("basket", 'raisin; extra == "dried-fruit"', "raisin is not installed")]
    assert unmet(bare_venv, top=("X",)) == unmet(bare_venv, basket=("all",)) == expected


def test_a_broken_version_is_left_to_its_own_finding(bare_venv: BareVenv) -> None:
    require(bare_venv, "apple", "banana")
    (bare_venv.site / "pear.egg-link").write_text("/pear\n")
    require(bare_venv, "basket", "1.0", "apple>=1", "pear>=1")
    (bare_venv.add("lost", "1.0") / "METADATA").unlink()
    assert unmet(bare_venv) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(text=st.text(alphabet=st.sampled_from("ab1.<>=!~;[]()@ '\"_-\n"), max_size=40))
def test_any_requirement_is_survived(bare_venv: BareVenv, text: str) -> None:
    info = bare_venv.site / "apple-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Name: apple\nVersion: 1.0\nRequires-Dist: {text}\n")
    [*unmet_requirements(take(bare_venv.location), HOST)]


@pytest.mark.functional
def test_the_same_is_unmet_as_with_pip_and_uv(make_venv: MakeVenv, machine: Machine, index: Index) -> None:
    index.release("picky", "1.0", requires=("apple<2", "fig>=1", 'gone; python_version < "3"'))
    index.release("content", "1.0", requires=("apple>=1", 'raisin; extra == "dried"'))
    venv = make_venv("virtualenv")
    venv.install("--no-deps", "picky", "content", "apple==2.0")
    found = unmet_requirements(take(venv.location), HOST)
    assert [(one.package, one.expected) for _, one in found] == [("picky", "apple<2"), ("picky", "fig>=1")]
    theirs = venv.pip("check", check=False).stdout
    assert "picky 1.0 requires fig, which is not installed." in theirs
    assert "picky 1.0 has requirement apple<2, but you have apple 2.0." in theirs
    assert len(theirs.splitlines()) == 2
    of_uv = machine.run(uv(), "pip", "check", "--python", venv.python, check=False).output
    assert "Found 2 incompatibilities" in of_uv
    venv.install("apple==1.1", "--no-deps")
    venv.uninstall("picky")
    assert [*unmet_requirements(take(venv.location), HOST)] == []
    assert venv.pip("check").stdout == "No broken requirements found.\n"
