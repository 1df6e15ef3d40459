"""Environments of other tools folded into a matrix: every point keeps its name and what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nox_envs.init_matrix import Upstream, fold, python_of
from nox_envs.init_text import Keys, Yaml, environment
from nox_envs.spec.keys import read_spec
from nox_envs.spec.points import expand
from nox_envs.spec.types import Point


def folded(found: Sequence[Upstream]) -> str:
    blocks = [
        environment(f"of-{number}", {**keys, "name": members[0].name} if len(members) == 1 else keys)
        for number, (_, members, keys) in enumerate(fold(found))
    ]
    return "version: 1\nenvironments:\n" + "".join(blocks)


def points_of(text: str) -> dict[str, Point]:
    return {point.session: point for point in expand(read_spec(text, origin="envs.yaml"))}


def meaning(point: Point) -> dict[str, object]:
    """Return what a point asks for, without where it is written, and with requirements in any order."""
    commands = [
        [(one.argv, one.external, one.allow_failure) for one in kind]
        for kind in (point.commands_pre, point.commands, point.commands_post)
    ]
    lists = [sorted((one.kind, one.text) for one in kind) for kind in (point.requirements, point.constraints)]
    variables = dict(point.set_env)
    tags = sorted({*point.tags} - {point.environment})
    others = [point.python, point.description, point.package, point.change_dir, point.default, point.pass_env]
    return {"commands": commands, "lists": lists, "set_env": variables, "tags": tags, "others": others}


def by_itself(one: Upstream, number: int) -> Point:
    python: Keys = {"python": one.python} if one.python else {}
    text = environment(f"e{number}", {**python, **one.keys, "name": one.name})
    return points_of(f"version: 1\nenvironments:\n{text}")[one.name]


def require_the_same(found: Sequence[Upstream]) -> dict[str, Point]:
    points = points_of(folded(found))
    assert sorted(points) == sorted(one.name for one in found)
    for number, one in enumerate(found):
        assert meaning(points[one.name]) == meaning(by_itself(one, number)), folded(found)
    return points


def upstream(name: str, **keys: Yaml) -> Upstream:
    python = next(filter(None, map(python_of, name.split("-"))), "")
    return Upstream(name=name, python=python, keys=keys)


FACTORS = [
    ["py39", "py310", "py311", "py312", "py313t", "pypy310", "3.13", "py3.12", "py3"],
    ["django42", "django51", "django52", "djangomain", "flask3"],
    ["sqlite", "postgres", "postgres16"],
    ["min", "x"],
]
NAMES = ["-".join(one) for size in (1, 2, 3, 4) for one in product(*FACTORS[:size])]
NAMES += ["lint", "docs", "Type_Check", "django42-postgres", "django52-postgres", "sqlite-py312"]
# What a factor brings along, as it would stand in a tox.ini; `{}` is the factor.
BROUGHT: dict[str, Keys] = {
    "django42": {"requirements": ["django~=4.2.0"], "commands": ["pytest old"]},
    "django51": {"requirements": ["django~=5.1.0"]},
    "django52": {"requirements": ["django~=5.2.0"], "set_env": {"DJANGO": "5.2"}},
    "djangomain": {"commands_pre": ["python -m pip freeze"], "set_env": {"DJANGO": "main"}},
    "postgres": {"requirements": ["psycopg>=3"], "set_env": {"DB": "postgres"}, "tags": ["db"]},
    "sqlite": {"set_env": {"DB": "sqlite", "HOME": "{envdir}/home"}},
    "min": {"constraints": [{"file": "min.txt"}], "package": "editable", "default": "false"},
    "py39": {"set_env": {"OLD": "1"}, "description": "old {{brace}}"},
    "py312": {"pass_env": ["CI"], "change_dir": "sub"},
}


def as_tox_has_it(name: str, odd: int) -> Upstream:
    lists: dict[str, list[Yaml]] = {"requirements": ["pytest>=8"], "commands": []}
    variables: dict[str, Yaml] = {"NAME": name}
    keys: Keys = {"description": f"run {name}", "package": "wheel"}
    for factor in name.split("-"):
        for key, content in BROUGHT.get(factor, {}).items():
            if isinstance(content, list) and key not in ("tags", "pass_env"):
                lists.setdefault(key, []).extend(content)
            elif isinstance(content, dict):
                variables.update(content)
            else:
                keys[key] = content
    lists["commands"].append("pytest {posargs:tests}")
    if odd == 1:
        lists["commands"].append(f"echo-{name} {name}")
    if odd == 2:
        keys["package"] = "none"
        variables["ODD"] = "yes"
    return upstream(name, **keys, **{key: one for key, one in lists.items() if one}, set_env=variables)


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from([0, 0, 0, 1, 2])),
        min_size=1,
        max_size=40,
        unique_by=lambda one: one[0],
    )
)
def test_any_environments_keep_their_names_and_what_they_ask_for(chosen: list[tuple[str, int]]) -> None:
    slugs = {name.lower().replace("_", "-").replace(".", "-"): (name, odd) for name, odd in chosen}
    require_the_same([as_tox_has_it(name, odd) for name, odd in slugs.values()])


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("py312", "3.12"), ("py3.12", "3.12"), ("3.12", "3.12"), ("pypy310", "pypy3.10"),
        ("python3.9", "3.9"), ("py313t", "3.13t"), ("py3", ""), ("312", ""), ("django42", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_factor_names_a_python_where_tox_takes_it_for_one(text: str, python: str) -> None:
    assert python_of(text) == python


def drafted(*names: str, **keys: Yaml) -> dict[str, Keys]:
    found = [upstream(name, **keys) for name in names]
    require_the_same(found)
    return {name: made for name, _, made in fold(found)}


def test_a_product_is_written_as_axes() -> None:
    names = [f"py{py}-django{django}" for py in (311, 312) for django in (42, 52)]
    assert drafted(*names, commands=["pytest"]) == {
        "django": {
            "name": "py{py}-django{django}",
            "python": ["3.11", "3.12"],
            "matrix": {"django": ["42", "52"]},
            "commands": ["pytest"],
        }
    }


def test_pythons_without_another_factor_need_no_matrix() -> None:
    assert drafted("py311", "py312") == {"tests": {"name": "py{py}", "python": ["3.11", "3.12"]}}


def test_a_value_that_lacks_some_pythons_is_limited_to_the_others() -> None:
    found = drafted("py311-django42", "py312-django42", "py312-django52", "py313-django52")
    assert found["django"]["python"] == ["3.11", "3.12", "3.13"]
    assert found["django"]["matrix"] == {
        "django": {"42": {"python": ["3.11", "3.12"]}, "52": {"python": ["3.12", "3.13"]}}
    }


def test_values_that_never_meet_are_excluded() -> None:
    names = [f"django{one}-{db}" for one in (42, 51, 52) for db in ("sqlite", "postgres", "mysql")]
    found = drafted(*[name for name in names if name not in ("django42-mysql", "django42-postgres")])
    assert found["django"]["exclude"] == [
        {"django": "42", "factor": "postgres"},
        {"django": "42", "factor": "mysql"},
    ]


def test_what_is_no_product_is_a_list_of_points() -> None:
    found = drafted("a1-b1-c2", "a1-b2-c1", "a2-b1-c1", "a2-b2-c2")
    (keys,) = found.values()
    assert keys["matrix"] == [
        {"a": "1", "b": "1", "c": "2"},
        {"a": "1", "b": "2", "c": "1"},
        {"a": "2", "b": "1", "c": "1"},
        {"a": "2", "b": "2", "c": "2"},
    ]


def test_an_axis_never_has_the_name_of_a_key() -> None:
    (keys,) = drafted("lock1-py311", "lock2-py311").values()
    assert keys["matrix"] == {"factor": ["1", "2"]}


def test_requirements_that_name_the_version_give_an_axis_its_dots_and_become_one() -> None:
    found = [
        upstream(f"py312-django{one}", requirements=[f"django~={one[0]}.{one[1]}.0"]) for one in ("42", "52")
    ]
    require_the_same(found)
    assert '"django~={django}.0"' in folded(found)
    assert 'django: ["4.2", "5.2"]' in folded(found)
