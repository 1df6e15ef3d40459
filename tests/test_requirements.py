"""From requirement sets, files, groups and the project itself to direct requirements."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import FileProblems, Place
from nox_envs.matrix import Point
from nox_envs.requirements import Composer, Composition, Declared, ProjectMetadata, project_name
from nox_envs.spec.types import (
    Constraint,
    ConstraintFile,
    ConstraintLock,
    ConstraintText,
    Extra,
    Group,
    Include,
    Item,
    Package,
    RequirementFile,
    RequirementSet,
    RequirementText,
    Spec,
)
from tests.public_files import EXAMPLES, absent

ABSENT = absent("aiohttp") or absent("ansible-documentation")


def at(line: int) -> Place:
    return Place(origin="envs.yaml", line=line)


def text(requirement: str, line: int = 1) -> RequirementText:
    return RequirementText(text=requirement, place=at(line))


def include(name: str, line: int = 1) -> Include:
    return Include(name=name, place=at(line))


def file(path: str, line: int = 1) -> RequirementFile:
    return RequirementFile(path=path, place=at(line))


def group(name: str, line: int = 1) -> Group:
    return Group(name=name, place=at(line))


def extra(*names: str, line: int = 1) -> Extra:
    return Extra(names=names, place=at(line))


def point(
    *requirements: Include | RequirementText,
    constraints: tuple[Constraint, ...] = (),
    build_constraints: tuple[Constraint, ...] = (),
    package: Package | None = None,
) -> Point:
    return Point(
        environment="tests",
        session="tests",
        python=None,
        axes=(),
        place=at(50),
        requirements=requirements,
        constraints=constraints,
        build_constraints=build_constraints,
        package=package or Package(),
    )


class Tree:
    """Be a spec's directory with files in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ: dict[str, str] = {}

    def write(self, path: str, content: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(content), encoding="utf-8")

    def composer(self, **sets: tuple[Item, ...]) -> Composer:
        named = tuple(
            RequirementSet(name=name, items=items, place=at(10 * n))
            for n, (name, items) in enumerate(sets.items(), start=1)
        )
        spec = Spec(origin="envs.yaml", sets=named, environments=())
        return Composer(spec, root=self.root, environ=self.environ)

    def compose(self, *items: Item, **sets: tuple[Item, ...]) -> Composition:
        """Compose a point that includes a set `main` with these items."""
        return self.composer(main=items, **sets).compose(point(include("main")))

    def problems(self, *items: Item, **sets: tuple[Item, ...]) -> list[str]:
        with pytest.raises(FileProblems) as caught:
            self.compose(*items, **sets)
        return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make an empty directory for a spec."""
    return Tree(tmp_path / "project")


def short(declared: tuple[Declared, ...]) -> list[str]:
    """Show requirements as `name[extras]specifier;marker`, or with their URL or path."""
    return [
        ("-e " if one.editable else "")
        + one.name
        + (f"[{','.join(one.extras)}]" if one.extras else "")
        + one.specifier
        + (f" @ {one.url or one.path}" if one.url or one.path else "")
        + (f" ; {one.marker}" if one.marker else "")
        for one in declared
    ]


def whys(composition: Composition) -> dict[str, tuple[str, ...]]:
    return {one.name: one.why for one in composition.requirements}


def places(composition: Composition) -> dict[str, str]:
    return {one.name: str(one.place) for one in composition.requirements}


# Sets


def test_strings_of_sets_and_of_the_environment_keep_who_asks_and_where(tree: Tree) -> None:
    composer = tree.composer(
        app=(text("requests[socks] >= 2.31", 3), text("rich", 4)),
        test=(include("app", 6), text('coverage; python_version < "3.13"', 7)),
    )
    composition = composer.compose(point(include("test"), text("django~=5.2.0", 40)))
    assert composition.requirements[0] == Declared(
        name="requests", extras=("socks",), specifier=">=2.31", why=("test", "app"), place=at(3)
    )
    assert short(composition.requirements)[1:] == [
        "rich",
        'coverage ; python_version < "3.13"',
        "django~=5.2.0",
    ]
    assert whys(composition)["coverage"] == ("test",)
    assert whys(composition)["django"] == ("environment tests",)
    assert places(composition)["django"] == "envs.yaml:40"
    assert composition == Composition(requirements=composition.requirements)


def test_a_requirement_of_two_sets_is_kept_for_both(tree: Tree) -> None:
    composer = tree.composer(a=(text("rich>=1", 3),), b=(include("a", 4), text("rich>=2", 5)))
    found = composer.compose(point(include("a"), include("b"))).requirements
    assert [(one.specifier, one.why) for one in found] == [
        (">=1", ("a",)),
        (">=1", ("b", "a")),
        (">=2", ("b",)),
    ]


def test_a_set_that_is_included_twice_by_one_set_counts_once(tree: Tree) -> None:
    assert short(tree.compose(include("a"), include("a"), a=(text("rich"),)).requirements) == ["rich"]


def test_a_cycle_of_sets_is_a_problem_that_prints_its_path(tree: Tree) -> None:
    assert tree.problems(include("a", 2), a=(include("b", 3),), b=(include("a", 4),)) == [
        "envs.yaml:4:1: requirements.b: set 'a' includes itself: a -> b -> a"
    ]


def test_an_unknown_set_is_a_problem_with_the_near_one(tree: Tree) -> None:
    with pytest.raises(FileProblems) as caught:
        tree.composer(test=()).compose(point(include("tset", 8)))
    assert str(caught.value) == (
        "envs.yaml:8:1: environments.tests.requirements: there is no requirement set 'tset' (perhaps 'test')"
    )
    assert tree.problems(include("zzz", 8)) == [
        "envs.yaml:8:1: requirements.main: there is no requirement set 'zzz' (known are main)"
    ]


def test_sets_that_explode_or_nest_without_end_are_problems(tree: Tree) -> None:
    deep = {f"s{n}": (include(f"s{n + 1}"),) for n in range(100)}
    assert "sets include each other more than 50 deep" in tree.problems(include("s0"), **deep)[0]
    wide: dict[str, tuple[Item, ...]] = {f"w{n}": (include(f"x{n}"), include(f"y{n}")) for n in range(30)}
    wide |= {f"{side}{n}": (include(f"w{n + 1}"),) for n in range(30) for side in "xy"}
    wide["w30"] = tuple(text(f"p{n}") for n in range(100))
    started = time.perf_counter()
    problems = tree.problems(include("w10"), **wide)
    assert "comes to more than 20000 requirements" in problems[0]
    assert time.perf_counter() - started < 5


def test_a_bad_string_is_a_problem_where_it_stands(tree: Tree) -> None:
    assert tree.problems(text("a=1", 3), text("/opt/a", 4), text("ok", 5)) == [
        "envs.yaml:3:1: requirements.main: 'a=1' is no requirement (write a==1)",
        "envs.yaml:4:1: requirements.main: '/opt/a' is a path of this machine "
        "(write a relative one: ./folder or ../folder)",
    ]


def test_a_bare_name_that_a_placeholder_left_in_an_environment_is_a_problem(tree: Tree) -> None:
    with pytest.raises(FileProblems) as caught:
        tree.composer().compose(point(text("stranger", 8)))
    assert str(caught.value) == (
        "envs.yaml:8:1: environments.tests.requirements: 'stranger' is a bare name, and no requirement set "
        "(give it a version, or name sets under the values of the axis)"
    )


def test_local_paths_are_relative_to_the_spec_and_named_by_their_project(tree: Tree) -> None:
    tree.write("libs/a/pyproject.toml", '[project]\nname = "Lib_A"\n')
    tree.write("libs/b/pyproject.toml", "not toml")
    found = tree.compose(
        text("./libs/a"), text("./libs/b"), text("../c[x]"), text("./w/w_w-1-py3-none-any.whl")
    )
    assert short(found.requirements) == [
        "lib-a @ ./libs/a",
        " @ ./libs/b",
        "[x] @ ../c",
        "w-w @ ./w/w_w-1-py3-none-any.whl",
    ]


# Requirements files


def test_a_file_is_followed_with_its_lines_and_nested_files(tree: Tree) -> None:
    tree.environ["TOOL"] = "sphinx"
    digest = "sha256:" + "ab" * 32
    tree.write(
        "requirements/docs.in",
        f"""\
        # docs
        -r ../base.in
        -c limits/docs.txt  # at most
        ${{TOOL}}>=7 \\
            --hash={digest}
        furo
        """,
    )
    tree.write("base.in", "rich")
    tree.write("requirements/limits/docs.txt", "sphinx[x]<9\n-r more.txt\n")
    tree.write("requirements/limits/more.txt", "furo==1")
    found = tree.compose(file("./requirements/docs.in"))
    assert short(found.requirements) == ["sphinx>=7", "furo", "rich"]
    assert found.requirements[0].hashes == (digest,)
    assert places(found) == {
        "sphinx": "requirements/docs.in:4",
        "furo": "requirements/docs.in:6",
        "rich": "base.in:1",
    }
    assert whys(found)["furo"] == ("main", "requirements/docs.in")
    assert whys(found)["rich"] == ("main", "requirements/docs.in", "base.in")
    assert short(found.constraints) == ["sphinx<9", "furo==1"]
    assert found.constraints[1].why == (
        "main",
        "requirements/docs.in",
        "requirements/limits/docs.txt",
        "requirements/limits/more.txt",
    )


def test_a_variable_that_is_not_set_is_named(tree: Tree) -> None:
    tree.write("a.in", "x>=${MINV}\ny==${MAJ}.${MINV}\nz>=${MY_TOKEN}\nw @ https://${HOST}/w.whl\n")
    tree.environ["MAJ"] = "1"
    hint = "not set (set it, or write the value)"
    assert tree.problems(file("a.in"))[:2] == [
        f"a.in:1:1: 'x>=${{MINV}}': the variable MINV is {hint}",
        f"a.in:2:1: 'y==1.${{MINV}}': the variable MINV is {hint}",
    ]
    assert [told[:8] for told in tree.problems(file("a.in"))] == ["a.in:1:1", "a.in:2:1", "a.in:3:1"]


def test_editables_urls_and_paths_of_a_file(tree: Tree) -> None:
    tree.write("pyproject.toml", '[project]\nname = "Own"\n')
    tree.write("requirements/near/setup.py", "")
    tree.write("requirements/w-1-py3-none-any.whl", "")
    tree.write("requirements/pyproject.toml", '[project]\nname = "decoy"\n')
    tree.write(
        "requirements/dev.in",
        """\
        -e .[cli]
        -e ./near ; python_version < "3.12"
        w-1-py3-none-any.whl
        ./nowhere
        -e git+https://example.org/a.git@v1#egg=a
        b @ https://example.org/b.zip
        https://example.org/c.zip
        """,
    )
    assert short(tree.compose(file("requirements/dev.in")).requirements) == [
        "-e own[cli] @ .",
        '-e  @ ./requirements/near ; python_version < "3.12"',
        "w @ ./requirements/w-1-py3-none-any.whl",
        " @ ./nowhere",
        "-e a @ git+https://example.org/a.git@v1#egg=a",
        "b @ https://example.org/b.zip",
        " @ https://example.org/c.zip",
    ]


def test_every_problem_of_a_file_is_reported_at_its_line(tree: Tree) -> None:
    tree.write(
        "r.in",
        """\
        a=1
        --pre
        -e rich
        -e https://example.org/a.zip
        -r https://example.org/r.txt
        -r /etc/r.txt
        -r nested/none.in
        -c limits.txt
        x @ https://me:hunter2@example.org/x.zip
        """,
    )
    tree.write("nested/nome.in", "")
    tree.write("limits.txt", "-e ./a\nhttps://example.org/x.zip\n./b\n")
    editable = "cannot be installed editable (write -e ./folder, or -e git+https://…)"
    bare = "a constraint names a package, it is neither editable nor a bare path or URL"
    assert tree.problems(file("r.in")) == [
        "r.in:2:1: --pre is not read from a requirements file (write allow_prereleases: true in the spec)",
        "r.in:1:1: 'a=1' is no requirement (write a==1)",
        f"r.in:3:1: 'rich' {editable}",
        f"r.in:4:1: 'https://example.org/a.zip' {editable}",
        "r.in:9:1: 'x @ https://example.org/x.zip' carries a password in its URL "
        "(take it out; the installer reads netrc and keyring)",
        "r.in:5:1: 'https://example.org/r.txt' is not read: it is not a file of the project",
        "r.in:6:1: '/etc/r.txt' is no path inside the project (write it relative to the spec)",
        "r.in:7:1: nested/none.in: no such file (perhaps nested/nome.in)",
        f"limits.txt:1:1: {bare}",
        f"limits.txt:2:1: {bare}",
        f"limits.txt:3:1: {bare}",
    ]


def test_a_missing_file_is_a_problem_of_the_one_that_asks(tree: Tree) -> None:
    tree.write("folder/docs.in", "a")
    assert tree.problems(file("docs.in", 4), file("folder", 5), file("no/where.in", 6)) == [
        "envs.yaml:4:1: requirements.main: docs.in: no such file",
        "envs.yaml:5:1: requirements.main: folder: is a directory, not a file",
        "envs.yaml:6:1: requirements.main: no/where.in: no such file",
    ]


def test_a_file_that_is_not_utf_8_is_a_problem_inside_it(tree: Tree) -> None:
    tree.write("docs.in", "a\n")
    (tree.root / "docs.in").write_bytes(b"a\nb\xff\n")
    assert tree.problems(file("docs.in"))[0].startswith("docs.in:2:2: is not UTF-8")


def test_files_that_include_each_other_are_a_problem_that_prints_the_path(tree: Tree) -> None:
    tree.write("a.in", "-r sub/b.in")
    tree.write("sub/b.in", "\n-r ../a.in")
    assert tree.problems(file("a.in")) == ["sub/b.in:2:1: a.in includes itself: a.in -> sub/b.in -> a.in"]


def test_files_that_nest_without_end_are_a_problem(tree: Tree) -> None:
    for n in range(60):
        tree.write(f"{n}.in", f"-r {n + 1}.in")
    assert "files include each other more than 50 deep" in tree.problems(file("0.in"))[0]


def test_a_file_that_two_sets_name_is_read_once(tree: Tree) -> None:
    tree.write("base.in", "rich")
    composer = tree.composer(a=(file("base.in"),), b=(file("base.in"),))
    composer.compose(point(include("a")))
    (tree.root / "base.in").unlink()
    assert short(composer.compose(point(include("b"))).requirements) == ["rich"]


# Constraints


def test_constraints_of_an_environment_are_files_texts_and_locks(tree: Tree) -> None:
    tree.write("limits.txt", "rich<14\na[x]==1 ; os_name == 'nt'\n")
    composition = tree.composer().compose(
        point(
            constraints=(
                ConstraintFile(path="limits.txt", place=at(5)),
                ConstraintText(text="b[y]<2", place=at(6)),
                ConstraintLock(environment="prod", place=at(7)),
            ),
            build_constraints=(ConstraintText(text="setuptools<80", place=at(8)),),
        )
    )
    assert short(composition.constraints) == ["rich<14", 'a==1 ; os_name == "nt"', "b<2"]
    assert composition.constraints[0].why == ("environment tests", "limits.txt")
    assert composition.constraints[2].why == ("environment tests",)
    assert short(composition.build_constraints) == ["setuptools<80"]
    assert composition.requirements == ()


def test_a_constraint_that_names_no_package_is_a_problem(tree: Tree) -> None:
    broken = point(
        constraints=(ConstraintText(text="https://example.org/a.zip", place=at(5)),),
        build_constraints=(
            ConstraintText(text="a=1", place=at(6)),
            ConstraintFile(path="none.txt", place=at(7)),
        ),
    )
    with pytest.raises(FileProblems) as caught:
        tree.composer().compose(broken)
    assert [str(one) for one in caught.value.problems] == [
        "envs.yaml:5:1: environments.tests.constraints: "
        "a constraint names a package, it is no bare path or URL",
        "envs.yaml:6:1: environments.tests.build_constraints: 'a=1' is no requirement (write a==1)",
        "envs.yaml:7:1: environments.tests.build_constraints: none.txt: no such file",
    ]


# Dependency groups

GROUPS = """\
[project]
name = "own"
dependencies = ["base>=1"]
optional-dependencies.cli = ["click"]

[dependency-groups]
lint = [
    "ruff",
    'mypy; python_version < "3.13"',
    {include-group = "Base_Tools"},
]
base-tools = ["rich"]
self = ["own[cli]"]
"""


def test_a_dependency_group_is_followed(tree: Tree) -> None:
    tree.write("pyproject.toml", GROUPS)
    found = tree.compose(group("Lint"))
    assert short(found.requirements) == ["ruff", 'mypy ; python_version < "3.13"', "rich"]
    assert whys(found) == {
        "ruff": ("main", "pyproject.toml [lint]"),
        "mypy": ("main", "pyproject.toml [lint]"),
        "rich": ("main", "pyproject.toml [lint]", "pyproject.toml [base-tools]"),
    }
    assert list(places(found).values()) == ["pyproject.toml:8", "pyproject.toml:9", "pyproject.toml:12"]


def test_the_project_itself_in_a_group_means_its_own_dependencies(tree: Tree) -> None:
    tree.write("pyproject.toml", GROUPS)
    found = tree.compose(group("self"))
    assert short(found.requirements) == ["base>=1", "click"]
    assert whys(found)["click"] == ("main", "pyproject.toml [self]", "pyproject.toml [cli]")


ASKED = "envs.yaml:7:1: requirements.main:"
NEITHER = "holds something that is neither a string nor {include-group = NAME}"


@pytest.mark.parametrize(
    ("toml", "name", "expected"),
    [
        ("lint = []", "lnit", f"{ASKED} pyproject.toml has no dependency group 'lnit' (perhaps 'lint')"),
        (
            "a = [\n{include-group = 'b'}]\nb = [{include-group='a'}]",
            "a",
            "pyproject.toml:4:1: dependency-groups.b: dependency group 'a' includes itself: a -> b -> a",
        ),
        (
            "a = [\n{include-group = 'none'}]",
            "a",
            "pyproject.toml:3:1: dependency-groups.a: pyproject.toml has no dependency group 'none' "
            "(known are a)",
        ),
        ("\na = 'x'", "a", "pyproject.toml:3:1: dependency-groups.a: is no list"),
        ("a = [1]", "a", f"pyproject.toml:2:1: dependency-groups.a: {NEITHER}"),
        ("a = [{include-group = 'b', x = 1}]", "a", f"pyproject.toml:2:1: dependency-groups.a: {NEITHER}"),
        (
            "a-b = []\nA_b = []",
            "a.b",
            "pyproject.toml:3:1: dependency-groups.A_b: groups 'a-b' and 'A_b' have the same name",
        ),
        (
            "a = ['b=1']",
            "a",
            "pyproject.toml:2:1: dependency-groups.a: 'b=1' is no requirement (write b==1)",
        ),
    ],
)
def test_a_group_that_cannot_be_followed_is_a_problem(
    tree: Tree, toml: str, name: str, expected: str
) -> None:
    tree.write("pyproject.toml", f"[dependency-groups]\n{toml}\n")
    assert tree.problems(group(name, 7)) == [expected]


def test_groups_that_nest_without_end_are_a_problem(tree: Tree) -> None:
    chain = "".join(f'g{n} = [{{include-group = "g{n + 1}"}}]\n' for n in range(60))
    tree.write("pyproject.toml", f"[dependency-groups]\n{chain}")
    assert "groups include each other more than 50 deep" in tree.problems(group("g0"))[0]


def test_without_groups_the_problem_says_so(tree: Tree) -> None:
    assert tree.problems(group("lint", 7)) == [
        "envs.yaml:7:1: requirements.main: pyproject.toml has no dependency group 'lint' "
        "(there is no [dependency-groups] in it)"
    ]


def test_a_pyproject_that_is_no_toml_is_one_problem_at_its_line(tree: Tree) -> None:
    tree.write("pyproject.toml", "[project]\nname = = 1\n")
    found = tree.problems(group("lint"), extra())
    assert len(found) == 1
    assert found[0].startswith("pyproject.toml:2:8: is not valid TOML: ")


def test_a_pyproject_that_is_a_directory_is_a_problem(tree: Tree) -> None:
    (tree.root / "pyproject.toml").mkdir(parents=True)
    assert tree.problems(extra()) == ["pyproject.toml:1:1: is a directory, not a file"]


# The project's own dependencies

OWN = """\
[build-system]
requires = ["hatchling"]

[project]
name = "My.Project"
requires-python = ">=3.10,<4"
dependencies = [
    "requests>=2.31",
    "tomli; python_version < '3.11'",
]

[project.optional-dependencies]
Cli = ["click", "rich; os_name == 'nt'"]
all = ["my_project[cli,web]; python_version >= '3.11'", "uvicorn"]
web = ["flask", "my-project[all]"]
"""


def test_own_dependencies_come_with_the_extras_asked_for(tree: Tree) -> None:
    tree.write("pyproject.toml", OWN)
    found = tree.compose(extra("cli"))
    assert short(found.requirements) == [
        "requests>=2.31",
        'tomli ; python_version < "3.11"',
        "click",
        'rich ; os_name == "nt"',
    ]
    assert whys(found)["requests"] == ("main", "pyproject.toml")
    assert whys(found)["click"] == ("main", "pyproject.toml [Cli]")
    assert places(found)["tomli"] == "pyproject.toml:9"
    assert places(found)["click"] == "pyproject.toml:13"
    assert found.dynamic_extras is None


def test_extras_that_name_the_project_itself_are_followed_with_their_markers(tree: Tree) -> None:
    tree.write("pyproject.toml", OWN)
    found = short(tree.compose(extra("all")).requirements)
    assert found[2:] == [
        "uvicorn",
        'click ; python_version >= "3.11"',
        'rich ; python_version >= "3.11" and os_name == "nt"',
        'flask ; python_version >= "3.11"',
        'uvicorn ; python_version >= "3.11"',
    ]


@pytest.mark.parametrize("mode", ["editable", "wheel"])
def test_a_package_brings_its_own_dependencies(tree: Tree, mode: str) -> None:
    tree.write("pyproject.toml", OWN)
    package = Package(mode="editable" if mode == "editable" else "wheel", extras=("CLI",))
    found = tree.composer().compose(point(package=package))
    assert whys(found) == {
        "requests": ("pyproject.toml",),
        "tomli": ("pyproject.toml",),
        "click": ("pyproject.toml [Cli]",),
        "rich": ("pyproject.toml [Cli]",),
    }
    assert tree.composer().compose(point()).requirements == ()


DYNAMIC = '[project]\nname = "a"\ndynamic = ["version", "dependencies"]\n'


@pytest.mark.parametrize(
    ("pyproject", "others", "extras", "expected"),
    [
        (DYNAMIC, (), (), ()),
        (DYNAMIC + 'optional-dependencies.x = ["rich"]\n', (), ("X",), ("x",)),
        ('[project]\nname="a"\ndynamic=["optional-dependencies"]', (), ("x",), ("x",)),
        ('[project]\nname="a"\ndynamic=["optional-dependencies"]', (), (), None),
        ('[build-system]\nrequires = ["poetry-core"]\n', (), (), ()),
        ("", ("setup.py",), ("b", "a"), ("a", "b")),
        (None, ("setup.cfg",), (), ()),
    ],
)
def test_dynamic_dependencies_are_left_to_the_resolver(
    tree: Tree,
    pyproject: str | None,
    others: tuple[str, ...],
    extras: tuple[str, ...],
    expected: tuple[str, ...] | None,
) -> None:
    if pyproject is not None:
        tree.write("pyproject.toml", pyproject)
    for name in others:
        tree.write(name, "")
    assert tree.compose(include("own"), own=(extra(*extras),)).dynamic_extras == expected
    package = Package(mode="editable", extras=extras)
    assert tree.composer().compose(point(package=package)).dynamic_extras == expected


def test_extras_of_several_sets_are_joined(tree: Tree) -> None:
    tree.write("setup.py", "")
    assert tree.compose(extra("b"), extra("a", "b")).dynamic_extras == ("a", "b")


def test_what_is_static_beside_dynamic_dependencies_is_declared(tree: Tree) -> None:
    tree.write("pyproject.toml", DYNAMIC + 'optional-dependencies.x = ["rich", "a[y]"]\n')
    assert tree.problems(extra("x")) == [
        "pyproject.toml:4:1: project.optional-dependencies.x: this project has no extra 'y' (known are x)"
    ]
    tree.write("pyproject.toml", DYNAMIC + 'optional-dependencies.x = ["rich"]\n')
    assert short(tree.compose(extra("x")).requirements) == ["rich"]


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        (OWN, f"{ASKED} this project has no extra 'clo' (perhaps 'Cli')"),
        ('[project]\nname = "a"', f"{ASKED} this project has no extra 'clo' (there are none)"),
        (
            "",
            f"{ASKED} there is no project here to take dependencies of (add [project] to pyproject.toml)",
        ),
    ],
)
def test_an_extra_that_is_not_there_is_a_problem(tree: Tree, toml: str, expected: str) -> None:
    tree.write("pyproject.toml", toml)
    assert tree.problems(extra("clo", line=7)) == [expected]


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("\ndependencies = 'x'", "4:1: project.dependencies: is no list of strings"),
        ("dependencies = [1]", "3:1: project.dependencies: is no list of strings"),
        ("dependencies = ['a=1']", "3:1: project.dependencies: 'a=1' is no requirement (write a==1)"),
        (
            "optional-dependencies = {x = 1}",
            "3:1: project.optional-dependencies.x: is no list of strings",
        ),
        ("optional-dependencies.x = 1", "3:1: project.optional-dependencies.x: is no list of strings"),
        (
            "dependencies = ['a @ file:///srv/a']",
            "3:1: project.dependencies: 'file:///srv/a' is a path of this machine "
            "(write a relative one: ./folder or ../folder)",
        ),
    ],
)
def test_metadata_that_cannot_be_read_is_a_problem(tree: Tree, toml: str, expected: str) -> None:
    tree.write("pyproject.toml", f"[project]\nname = 'own'\n{toml}\n")
    wanted = extra("x") if "optional" in toml else extra()
    assert tree.problems(wanted) == [f"pyproject.toml:{expected}"]


def test_extras_that_ask_for_each_other_come_to_an_end(tree: Tree) -> None:
    extras = "".join(f"e{n} = ['own[{','.join(f'e{m}' for m in range(12))}]', 'p{n}']\n" for n in range(12))
    tree.write("pyproject.toml", f"[project]\nname = 'own'\n[project.optional-dependencies]\n{extras}")
    assert len(tree.compose(extra("e0")).requirements) == 12


# Metadata


def test_metadata_is_what_is_known_without_building(tree: Tree) -> None:
    tree.write("pyproject.toml", OWN)
    assert tree.composer().metadata == ProjectMetadata(name="my-project", python_floor="3.10")
    assert tree.composer().project_name == project_name(tree.root) == "my-project"


@pytest.mark.parametrize(
    ("required", "floor"),
    [
        (">=3.9,!=3.9.1", "3.9"),
        ("~=3.11", "3.11"),
        ("==3.12.*", "3.12"),
        (">3.9,>=3.10", "3.10"),
        ("<4", ""),
        ("", ""),
    ],
)
def test_the_lowest_python_is_read_from_requires_python(tree: Tree, required: str, floor: str) -> None:
    tree.write("pyproject.toml", f'[project]\nrequires-python = "{required}"\n')
    assert tree.composer().metadata.python_floor == floor


@pytest.mark.parametrize("content", [None, "not toml", "project = 1", "[project]\nname = 1\n"])
def test_metadata_that_is_unknown_is_empty(tree: Tree, content: str | None) -> None:
    tree.root.mkdir()
    if content is not None:
        tree.write("pyproject.toml", content)
    assert tree.composer().metadata == ProjectMetadata()
    assert project_name(tree.root) == ""


SETUPTOOLS = """\
[project]
name = "a"
dynamic = ["dependencies", "optional-dependencies"]
[tool.setuptools.dynamic]
dependencies = {file = ["base.in"]}
optional-dependencies.dev = {file = "dev.in"}
[tool.ruff]
line-length = 100
"""


def test_the_digest_of_dynamic_metadata_changes_with_what_it_is_computed_from(tree: Tree) -> None:
    def digest(pyproject: str = SETUPTOOLS, **files: str) -> str:
        tree.write("pyproject.toml", pyproject)
        for name, content in files.items():
            tree.write(name.replace("_", "."), content)
        return tree.composer().metadata.digest

    first = digest(base_in="rich", dev_in="ruff")
    assert first.startswith("sha256:")
    assert digest("# a comment\n" + SETUPTOOLS.replace("100", "120")) == first
    changed = {first, digest(base_in="rich>=1"), digest(dev_in="black"), digest(setup_py="setup()")}
    assert len(changed | {digest(SETUPTOOLS.replace('"a"', '"b"'))}) == 5


# Points, all at once


def test_every_problem_of_points_and_unused_sets_is_reported_once(tree: Tree) -> None:
    composer = tree.composer(
        used=(text("a=1", 3),), unused=(text("b=1", 4), include("used")), good=(text("c"),)
    )
    points = (point(include("used")), point(include("used"), text("d>1")), point(include("good")))
    assert [one.place.line for one in composer.problems(points)] == [3, 4]


def test_equal_points_share_one_composition(tree: Tree) -> None:
    composer = tree.composer(app=(text("rich"),))
    assert composer.compose(point(include("app"))) is composer.compose(point(include("app")))


def test_two_thousand_points_of_a_few_sets_compose_in_no_time(tree: Tree) -> None:
    sets: dict[str, tuple[Item, ...]] = {
        f"s{n}": tuple(text(f"p{n}-{m}>=1.{m}") for m in range(50)) for n in range(5)
    }
    composer = tree.composer(**sets)
    includes = tuple(include(name) for name in sets)
    points = [point(*includes, text(f"django~={n % 20}.0")) for n in range(2000)]
    started = time.perf_counter()
    composed = [composer.compose(one) for one in points]
    assert {len(one.requirements) for one in composed} == {251}
    assert time.perf_counter() - started < 0.5  # about 0.04 on an idle machine


relaxed = settings(deadline=None)


@relaxed
@given(st.text() | st.text(alphabet="-rce./abx[]=<>~;@: \\\n#'\"${}"))
def test_a_hostile_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    tree = Tree(tmp_path_factory.mktemp("hostile"))
    (tree.root / "a.in").write_text(content, encoding="utf-8", errors="replace", newline="")
    try:
        composition = tree.compose(file("a.in"))
    except FileProblems as error:
        origins = {one.place.origin for one in error.problems}
        assert origins
    else:
        assert all(one.name or one.url or one.path for one in composition.requirements)


@relaxed
@given(st.text(alphabet="[]projectdns-=\"'{}, \n1"))
def test_a_hostile_pyproject_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    tree = Tree(tmp_path_factory.mktemp("hostile"))
    tree.write("pyproject.toml", content)
    with pytest.raises(FileProblems):
        tree.compose(group("x"), extra("y"))


# Files of public projects


def example_files() -> Iterator[str]:
    found = sorted(path for suffix in ("in", "txt") for path in EXAMPLES.rglob(f"*.{suffix}"))
    yield from (path.relative_to(EXAMPLES).as_posix() for path in found)


def naive_count(path: Path) -> int:
    """Count the lines that begin like a requirement, in a file and in those it includes."""
    content = path.read_text(encoding="utf-8")
    nested = re.findall(r"^-r\s+(\S+)", content, re.MULTILINE)
    own = len(re.findall(r"^[A-Za-z0-9]", content, re.MULTILINE))
    return own + sum(naive_count(path.parent / name) for name in nested)


@pytest.mark.skipif(ABSENT != "", reason=ABSENT)
def test_requirements_files_of_public_projects_are_read_without_a_problem() -> None:
    names = list(example_files())
    composer = Tree(EXAMPLES).composer(**{name: (file(name),) for name in names})
    counts = {name: len(composer.compose(point(include(name))).requirements) for name in names}
    assert counts == {name: naive_count(EXAMPLES / name) for name in names}
    assert len(counts) > 40
    assert composer.problems(()) == ()


@pytest.mark.skipif(ABSENT != "", reason=ABSENT)
def test_the_names_in_public_files_are_those_that_pip_reads() -> None:
    reading = pytest.importorskip("pip._internal.req.req_file", reason="pip is not installed here")
    composer = Tree(EXAMPLES).composer(**{name: (file(name),) for name in example_files()})
    for name in example_files():
        read = [
            (one.constraint, one.requirement)
            for one in reading.parse_requirements(str(EXAMPLES / name), None)
        ]
        composition = composer.compose(point(include(name)))
        for constraint, ours in ((False, composition.requirements), (True, composition.constraints)):
            theirs = sorted(re.match(r"[\w.-]+", text)[0] for limits, text in read if limits is constraint)  # type: ignore[index]
            normal = sorted(re.sub(r"[-_.]+", "-", one).lower() for one in theirs)
            assert sorted(one.name for one in ours) == normal, name
