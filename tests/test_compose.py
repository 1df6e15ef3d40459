"""From requirement sets, files, groups and the project itself to declared requirements."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import FileProblems, Place
from nox_envs.requirements.compose import Composer, Composition
from nox_envs.requirements.text import Declared, requirement_text
from nox_envs.spec import types
from nox_envs.spec.types import Entry, Package, Point
from nox_envs.values import replace

HASH = "sha256:" + "ab" * 32
BARE = "a constraint names a package; it cannot be editable, or only a path or URL"


def at(line: int) -> Place:
    return Place(origin="envs.yaml", line=line)


def text(requirement: str, line: int = 1) -> Entry:
    return Entry(kind="requirement", text=requirement, place=at(line))


def include(name: str, line: int = 1) -> Entry:
    return Entry(kind="include", text=name, place=at(line))


def file(path: str, line: int = 1) -> Entry:
    return Entry(kind="file", text=path, place=at(line))


def group(name: str, line: int = 1) -> Entry:
    return Entry(kind="group", text=name, place=at(line))


def extra(*names: str, line: int = 1) -> Entry:
    return Entry(kind="extra", text=",".join(names), place=at(line))


def point(*requirements: Entry, **others: object) -> Point:
    named = {"environment": "tests", "session": "tests", "python": None, "axes": (), "place": at(50)}
    return Point(requirements=requirements, **named, **others)  # type: ignore[arg-type]


class Tree:
    """A spec's directory with files in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ: dict[str, str] = {}

    def write(self, path: str, content: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(content), encoding="utf-8")

    def composer(self, **sets: tuple[Entry, ...]) -> Composer:
        spec = types.Spec(origin="envs.yaml", sets=sets, environments=())
        return Composer(spec, root=self.root, environ=self.environ)

    def compose(self, *entries: Entry, **sets: tuple[Entry, ...]) -> Composition:
        """Compose a point that includes a set `main` with these entries."""
        return self.composer(main=entries, **sets).compose(point(include("main")))

    def problems(self, *entries: Entry, **sets: tuple[Entry, ...]) -> list[str]:
        with pytest.raises(FileProblems) as caught:
            self.compose(*entries, **sets)
        return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make an empty directory for a spec."""
    return Tree(tmp_path / "project")


def short(declared: Iterable[Declared]) -> list[str]:
    """Show requirements as texts, those with a path with their name too."""
    return [f"{one.name}: {requirement_text(one)}" if one.path else requirement_text(one) for one in declared]


def whys(composition: Composition) -> dict[str, tuple[str, ...]]:
    return {one.name: one.why for one in composition.requirements}


def places(composition: Composition) -> dict[str, str]:
    return {one.name: str(one.place) for one in composition.requirements}


def test_strings_of_sets_and_of_the_environment_keep_who_asks_and_where(tree: Tree) -> None:
    composer = tree.composer(
        app=(text("requests[socks] >= 2.31", 3), text("rich", 4)),
        test=(include("app", 6), text('coverage; python_version < "3.13"', 7)),
    )
    found = composer.compose(point(include("test"), text("django~=5.2.0", 40)))
    assert found.requirements[0] == Declared(
        name="requests", extras=("socks",), specifier=">=2.31", why=("test", "app"), place=at(3)
    )
    assert short(found.requirements)[1:] == ["rich", 'coverage ; python_version < "3.13"', "django~=5.2.0"]
    assert whys(found)["coverage"] == ("test",)
    assert (whys(found)["django"], places(found)["django"]) == (("environment tests",), "envs.yaml:40")
    assert found == Composition(requirements=found.requirements, files=("pyproject.toml",))


def test_an_environment_takes_the_same_entries_as_a_set(tree: Tree) -> None:
    tree.write("pyproject.toml", GROUPS)
    tree.write("tests/4.2.in", "pytest-django")
    tree.write("plugin/pyproject.toml", '[project]\nname = "plugin"')
    entries = (file("tests/4.2.in"), group("lint"), extra("cli"), text("-e ./plugin[x]"))
    found = tree.composer().compose(point(*entries))
    assert whys(found) == {
        "pytest-django": ("environment tests", "tests/4.2.in"),
        "ruff": ("environment tests", "pyproject.toml [lint]"),
        "mypy": ("environment tests", "pyproject.toml [lint]"),
        "rich": ("environment tests", "pyproject.toml [lint]", "pyproject.toml [base-tools]"),
        "base": ("environment tests", "pyproject.toml"),
        "click": ("environment tests", "pyproject.toml [cli]"),
        "plugin": ("environment tests",),
    }
    assert short(found.requirements)[-1] == "plugin: -e ./plugin[x]"
    assert found.files[:4] == ("pyproject.toml", "tests/4.2.in", "setup.py", "setup.cfg")
    assert "plugin/pyproject.toml" in found.files


def test_a_bare_name_that_a_placeholder_left_in_an_environment_is_a_set(tree: Tree) -> None:
    composer = tree.composer(django42=(text("django~=4.2.0"),))
    assert short(composer.compose(point(text("django42"))).requirements) == ["django~=4.2.0"]
    with pytest.raises(FileProblems) as caught:
        composer.compose(point(text("django52", 8)))
    missing = "there is no requirement set 'django52' (did you mean 'django42'?)"
    assert str(caught.value) == f"envs.yaml:8:1: environments.tests.requirements: {missing}"


def test_a_requirement_of_two_sets_is_kept_for_both_and_of_one_set_once(tree: Tree) -> None:
    composer = tree.composer(a=(text("rich>=1"),), b=(include("a", 4), include("a", 4), text("rich>=2")))
    found = composer.compose(point(include("a"), include("b"))).requirements
    assert [(one.specifier, *one.why) for one in found] == [(">=1", "a"), (">=1", "b", "a"), (">=2", "b")]


def test_unknown_sets_and_sets_that_include_themselves_are_problems(tree: Tree) -> None:
    assert tree.problems(include("zzz", 8), include("a", 2), a=(include("b", 3),), b=(include("a", 4),)) == [
        "envs.yaml:4:1: requirements.b: a includes itself, or too many others: main -> a -> b -> a",
        "envs.yaml:8:1: requirements.main: there is no requirement set 'zzz'",
    ]


def test_sets_that_explode_or_nest_without_end_are_problems(tree: Tree) -> None:
    deep = {f"s{n}": (include(f"s{n + 1}"),) for n in range(100)}
    assert "s50 includes itself, or too many others: main -> s0" in tree.problems(include("s0"), **deep)[0]
    wide: dict[str, tuple[Entry, ...]] = {f"w{n}": (include(f"x{n}"), include(f"y{n}")) for n in range(20)}
    wide |= {f"{side}{n}": (include(f"w{n + 1}"),) for n in range(20) for side in "xy"}
    (problem,) = tree.problems(include("w0"), w20=(), **wide)
    assert "comes to more than 20000 requirements" in problem


def test_every_problem_of_points_and_sets_is_reported_once_and_blocks_only_its_points(tree: Tree) -> None:
    sets = {"used": (text("a=1", 3),), "unused": (text("b=1", 4), include("used")), "good": (text("c"),)}
    composer = tree.composer(**sets)
    points = (point(include("used")), point(file("missing.in", 60), include("used")), point(include("good")))
    found = [(one.place.line, one.path.rpartition(".")[2]) for one in composer.problems(points)]
    assert found == [(3, "used"), (4, "unused"), (60, "requirements")]
    assert short(composer.compose(points[2]).requirements) == ["c"]


def test_two_thousand_points_of_a_few_sets_read_each_requirement_once(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def parse(requirement: str) -> Declared:
        read.append(requirement)
        return Declared(name=requirement, place=at(1))

    monkeypatch.setattr("nox_envs.requirements.compose.read_requirement", parse)
    sets = {f"s{n}": tuple(text(f"p{n}-{m}>1") for m in range(50)) for n in range(5)}
    composer = tree.composer(**sets)
    points = [point(*map(include, sets), text(f"django~={n % 20}.0")) for n in range(2000)]
    assert {len(composer.compose(one).requirements) for one in points} == {251}
    assert len(read) == 5 * 50 + 20
    assert composer.compose(points[0]) is composer.compose(points[20])


def test_local_paths_are_named_by_their_project(tree: Tree) -> None:
    tree.write("libs/a/pyproject.toml", '[project]\nname = "Lib_A"\n')
    tree.write("libs/b/pyproject.toml", "not toml")
    wheel = "./w/w_w-1-py3-none-any.whl"
    found = tree.compose(text("./libs/a"), text("./libs/b"), text("../c[x]"), text(wheel))
    assert short(found.requirements) == ["lib-a: ./libs/a", ": ./libs/b", ": ../c[x]", f"w-w: {wheel}"]
    assert found.files[1:4] == ("libs/a/pyproject.toml", "libs/a/setup.py", "libs/a/setup.cfg")


def test_an_editable_name_is_a_directory_as_in_pip_and_uv(tree: Tree) -> None:
    tree.write("plugin/pyproject.toml", '[project]\nname = "My_Plugin"\n')
    tree.write("r.in", "-e plugin[x]\n-e requests\n")
    assert short(tree.compose(text("-e plugin")).requirements) == ["my-plugin: -e ./plugin"]
    missing = "there is no directory 'requests' (write -e ./folder)"
    assert tree.problems(file("r.in"), text("-e requests[socks]", 4)) == [
        f"envs.yaml:4:1: requirements.main: {missing}",
        f"r.in:2:1: {missing}",
    ]


def test_paths_of_this_machine_are_problems_wherever_they_are_written(tree: Tree) -> None:
    tree.write("r.in", "a @ file:///home/somebody/a\nC:/a\ngit+file:///srv/a\n")
    machine = "is a path of this machine (write a relative one: ./folder or ../folder)"
    assert tree.problems(text("~/a", 4), file("r.in")) == [
        f"envs.yaml:4:1: requirements.main: '~/a' {machine}",
        f"r.in:1:1: '/home/somebody/a' {machine}",
        f"r.in:2:1: 'C:/a' {machine}",
        "r.in:3:1: 'git+file:///srv/a' is a path of this machine (write git+https://…)",
    ]


def test_a_file_is_followed_with_its_lines_and_nested_files(tree: Tree) -> None:
    tree.environ["TOOL"] = "sphinx"
    docs, limits = "requirements/docs.in", ("requirements/limits/docs.txt", "requirements/limits/more.txt")
    lines = "# docs\n-r ../base.txt\n-c limits/docs.txt  # at most\n${TOOL}>=7 \\\n    --hash="
    tree.write(docs, f"{lines}{HASH}\nfuro\n")
    tree.write("base.txt", f"# Generated by nox-envs\n\nrich==13.0 \\\n    --hash={HASH}\n    # via app\n")
    tree.write(limits[0], "sphinx[x]<9\n-r more.txt\n")
    tree.write(limits[1], "furo==1")
    composer = tree.composer(a=(file(f"./{docs}"),), b=(file("base.txt"), text("ruff")))
    found = composer.compose(point(include("a")))
    assert short(found.requirements) == ["rich==13.0", "sphinx>=7", "furo"]
    assert places(found) == {"sphinx": f"{docs}:4", "furo": f"{docs}:6", "rich": "base.txt:3"}
    assert whys(found) == {"rich": ("a", docs, "base.txt"), "sphinx": ("a", docs), "furo": ("a", docs)}
    assert short(found.constraints) == ["sphinx<9", "furo==1"]
    assert found.constraints[1].why == ("a", docs, *limits)
    assert found.files == ("pyproject.toml", docs, "base.txt", *limits)
    assert (found.requirements[1].hashes, composer.variables) == ((HASH,), True)
    (tree.root / "base.txt").unlink()  # a file is read once
    assert short(composer.compose(point(include("b"))).requirements) == ["rich==13.0", "ruff"]


def test_every_problem_of_a_file_is_reported_at_its_line(tree: Tree) -> None:
    tree.write(
        "r.in",
        "a=1\n--require-hashes\n-e rich>=1\n--index-url https://me:hunter2@packages.example.org/simple\n"
        "-r https://example.org/r.txt\n-r a==1https://me:hunter2@example.org/x\n-r nested/none.in\n"
        "-c limits.txt\nx @ https://me:hunter2@example.org/x.zip\ny>=${MINV}\n",
    )
    tree.write("nested/nome.in", "")
    tree.write("limits.txt", "-e ./a\nhttps://example.org/x.zip\n./b\n")
    outside = "is not a file of the project (write a path relative to the spec)"
    unread = "is not read from a requirements file"
    assert tree.problems(file("r.in")) == [
        f"limits.txt:1:1: {BARE}",
        f"limits.txt:2:1: {BARE}",
        f"limits.txt:3:1: {BARE}",
        "r.in:1:1: 'a=1' is not a requirement (write a==1)",
        f"r.in:2:1: --require-hashes {unread} (take it out; hashes are always checked)",
        "r.in:3:1: there is no directory 'rich>=1' (write -e ./folder)",
        f"r.in:4:1: --index-url {unread} (remove the line; declare the index under `indexes` of the spec)",
        f"r.in:5:1: 'https://example.org/r.txt' {outside}",
        f"r.in:6:1: 'a==1https://example.org/x' {outside}",
        "r.in:7:1: nested/none.in: no such file (did you mean 'nested/nome.in'?)",
        "r.in:9:1: 'x @ https://example.org/x.zip' has a password or token in its URL "
        "(take it out; uv reads netrc, the keyring and ${VARIABLES})",
        "r.in:10:1: 'y>=${MINV}': the variable MINV is not set (set it, or write the value)",
    ]


def test_a_file_that_cannot_be_read_is_a_problem_of_the_one_that_asks(tree: Tree) -> None:
    tree.write("folder/docs.in", "a")
    (tree.root / "latin.in").write_bytes(b"a\nb\xff\n")
    assert tree.problems(file("docs.in", 4), file("no/where.in", 5), file("folder"), file("latin.in")) == [
        "envs.yaml:4:1: requirements.main: docs.in: no such file",
        "envs.yaml:5:1: requirements.main: no/where.in: no such file",
        "folder:1:1: cannot be read: is a directory, not a file",
        "latin.in:2:2: is not UTF-8: byte 0xff (save the file as UTF-8)",
    ]


def test_files_that_include_each_other_are_a_problem(tree: Tree) -> None:
    tree.write("a.in", "-r sub/b.in")
    tree.write("sub/b.in", "\n-r ../a.in")
    assert tree.problems(file("a.in"))[0].startswith("sub/b.in:2:1: a.in includes itself, or too many others")


@pytest.mark.parametrize("path", ["requirements/main.txt", "./locks/main.txt"])
def test_a_missing_file_that_is_a_lock_of_the_spec_is_made_by_locking(tree: Tree, path: str) -> None:
    tree.write("r.in", f"-r {path}\n")
    named = {"lock": types.LockOptions(file=("./locks/{environment}.txt",))} if "locks" in path else {}
    main = types.Environment(name="main", layer=named, place=at(1))
    spec = types.Spec(origin="envs.yaml", sets={}, environments=(main,))
    with pytest.raises(FileProblems) as raised:
        Composer(spec, root=tree.root, environ={}).compose(point(file("r.in")))
    told = f"r.in:1:1: {path.removeprefix('./')}: no such file (run: nox -s lock -- main)"
    assert str(raised.value) == told


def test_constraints_of_an_environment_are_files_texts_and_locks(tree: Tree) -> None:
    tree.write("limits.txt", "rich<14\na[x]==1 ; os_name == 'nt'\n")
    limits = (file("limits.txt", 5), text("b[y]<2", 6), Entry(kind="lock", text="prod", place=at(7)))
    found = tree.composer().compose(point(constraints=limits, build_constraints=(text("setuptools<80", 8),)))
    assert short(found.constraints) == ["rich<14", 'a==1 ; os_name == "nt"', "b<2"]
    assert found.constraints[0].why == ("environment tests", "limits.txt")
    assert (short(found.build_constraints), found.requirements) == (["setuptools<80"], ())
    unnamed, build = text("https://example.org/a.zip", 5), (text("a=1", 6), file("none.txt", 7))
    broken = point(constraints=(unnamed, text("six", 9)), build_constraints=build)
    with pytest.raises(FileProblems) as caught:
        tree.composer().compose(broken)
    assert [str(one).replace("environments.tests.", "") for one in caught.value.problems] == [
        f"envs.yaml:5:1: constraints: {BARE}",
        "envs.yaml:6:1: build_constraints: 'a=1' is not a requirement (write a==1)",
        "envs.yaml:7:1: build_constraints: none.txt: no such file",
    ]


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
self = ["own[cli] ; os_name == 'nt'"]
"""


def test_a_dependency_group_is_followed_into_other_groups_and_the_project_itself(tree: Tree) -> None:
    tree.write("pyproject.toml", GROUPS)
    found = tree.compose(group("Lint"), group("self"))
    nt = [f'{name} ; os_name == "nt"' for name in ("base>=1", "click")]
    assert short(found.requirements) == ["ruff", 'mypy ; python_version < "3.13"', "rich", *nt]
    lint = ("main", "pyproject.toml [lint]")
    assert (whys(found)["ruff"], whys(found)["rich"]) == (lint, (*lint, "pyproject.toml [base-tools]"))
    assert whys(found)["click"] == ("main", "pyproject.toml [self]", "pyproject.toml [cli]")
    assert [line.rpartition(":")[2] for line in places(found).values()] == ["8", "9", "12", "3", "4"]


def test_groups_that_include_each_other_many_times_are_refused(tree: Tree) -> None:
    twice = "".join(
        f'g{n} = [{{include-group = "g{n + 1}"}}, {{include-group = "g{n + 1}"}}]\n' for n in range(40)
    )
    tree.write("pyproject.toml", f"[dependency-groups]\n{twice}g40 = []\n")
    assert any("comes to more than 20000 requirements" in one for one in tree.problems(group("g0")))
    many = "".join(f"g{n} = []\n" for n in range(600))
    all_of_them = ", ".join(f'{{include-group = "g{n}"}}' for n in range(600))
    tree.write("pyproject.toml", f"[dependency-groups]\nall = [{all_of_them}]\n{many}")
    assert "has more than 500 groups and extras" in tree.problems(group("all"))[0]


def test_half_a_megabyte_is_read_or_refused(tree: Tree) -> None:
    listed = ", ".join(f'"p{n}>=1"' for n in range(19_000))
    tree.write("pyproject.toml", f"[dependency-groups]\na = [{listed}]\n")
    assert len(tree.compose(group("a")).requirements) == 19_000
    tree.write("a.in", "-r b.in\n" * 1_000)
    for line in ("--require-hashes\n", "a=\n", "\n"):
        tree.write("b.in", line * 100_000)
        assert len(tree.problems(file("a.in"), text("b=1"))) <= 1_002


OWN = """\
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
web = ["flask", "my-project[all]", "click"]
"""


def test_own_dependencies_come_with_the_extras_asked_for(tree: Tree) -> None:
    tree.write("pyproject.toml", OWN)
    found = tree.compose(extra("cli"))
    own = ["requests>=2.31", 'tomli ; python_version < "3.11"', "click", 'rich ; os_name == "nt"']
    assert (short(found.requirements), found.own) == (own, ())
    assert [why[1] for why in whys(found).values()] == ["pyproject.toml"] * 2 + ["pyproject.toml [cli]"] * 2
    assert [places(found)[name].rpartition(":")[2] for name in ("tomli", "click")] == ["6", "10"]
    assert places(tree.compose(extra("web")))["click"] == "pyproject.toml:12"
    for package in (Package(mode="editable", extras=("CLI",)), Package(mode="wheel", extras=("CLI",))):
        brought = whys(tree.composer().compose(point(package=package)))
        assert (list(brought), brought["rich"]) == ([*whys(found)], ("pyproject.toml [cli]",))


def test_extras_that_name_the_project_itself_are_followed_with_their_markers(tree: Tree) -> None:
    tree.write("pyproject.toml", OWN)
    assert short(tree.compose(extra("all")).requirements)[2:] == [
        'click ; python_version >= "3.11"',
        'rich ; python_version >= "3.11" and os_name == "nt"',
        'flask ; python_version >= "3.11"',
        'click ; python_version >= "3.11"',
        "uvicorn",
    ]


DYNAMIC = '[project]\nname = "a"\ndynamic = ["version", "dependencies"]\n'
EXTRAS = '[project]\nname="a"\ndynamic=["optional-dependencies"]\ndependencies = ["rich"]\n'
POETRY = '[build-system]\nrequires = ["poetry-core"]\n[tool.poetry]\nname = "B_b"\n'


@pytest.mark.parametrize(
    ("pyproject", "others", "extras", "name"),
    [
        (DYNAMIC, (), (), "a"),
        (DYNAMIC + 'optional-dependencies.x = ["rich"]\n', (), ("X",), "a"),
        (EXTRAS, (), ("x",), "a"),
        (POETRY, (), (), "b-b"),
        (None, ("setup.py",), ("b", "a"), ""),
        (None, ("setup.cfg",), (), ""),
    ],
)
def test_where_only_a_build_tells_the_dependencies_the_project_itself_is_asked_for(
    tree: Tree, pyproject: str | None, others: tuple[str, ...], extras: tuple[str, ...], name: str
) -> None:
    if pyproject is not None:
        tree.write("pyproject.toml", pyproject)
    for other in others:
        tree.write(other, "[metadata]\nname = mod\n")
    asked = tuple(sorted(map(str.lower, extras)))
    found = tree.compose(extra(*extras[:1]), include("more"), more=(extra(*extras),))
    assert {extra for own in found.own for extra in own.extras} == {*asked}
    own = replace(found.own[0], extras=asked)
    assert own == Declared(name=name, path=".", extras=asked, why=("main",), place=at(1))
    package = tree.composer().compose(point(package=Package(mode="editable", extras=extras)))
    assert package.own == (replace(own, editable=True, why=(), place=at(50)),)
    assert {"pyproject.toml", "setup.py", "setup.cfg"} <= set(package.files)
    assert short(tree.compose(extra()).requirements) == (["rich"] if pyproject == EXTRAS else [])


ASKED = "envs.yaml:7:1: requirements.main: pyproject.toml has no"
NOWHERE = "envs.yaml:7:1: requirements.main: there is no project here to take dependencies of"
LISTED = "is not a list of strings"
CHAIN = "dependency-groups.a -> dependency-groups.b -> dependency-groups.a"
CYCLE = f"dependency-groups.a includes itself, or too many others: {CHAIN}"
NO_TOML = "is not TOML: Invalid value (at line 2, column 8)"
X = "project.optional-dependencies.x"


@pytest.mark.parametrize(
    ("toml", "wanted", "expected"),
    [
        (OWN, extra("clo", line=7), f"{ASKED} extra 'clo' (did you mean 'Cli'?)"),
        ("", extra("clo", line=7), f"{NOWHERE} (add [project] to pyproject.toml)"),
        ('[project]\nname = "a"\noptional-dependencies.x = ["a[y]"]\n', extra("x"),
         f"pyproject.toml:3:1: {X}: pyproject.toml has no extra 'y'"),
        ("[project]\ndependencies = [1]", extra(), f"pyproject.toml:2:1: project.dependencies: {LISTED}"),
        ("[project]\ndependencies = ['a=1']", extra(),
         "pyproject.toml:2:1: project.dependencies: 'a=1' is not a requirement (write a==1)"),
        ("[project]\noptional-dependencies = {x = 1}", extra("x"), f"pyproject.toml:2:1: {X}: {LISTED}"),
        ("[project]\nname = = 1\n", extra(), f"pyproject.toml:2:8: {NO_TOML}"),
        (GROUPS, group("lnit", 7), f"{ASKED} dependency group 'lnit' (did you mean 'lint'?)"),
        ("", group("lint", 7), f"{ASKED} dependency group 'lint'"),
        ("[dependency-groups]\na = [\n{include-group = 'b'}]\nb = [{include-group='a'}]", group("a"),
         f"pyproject.toml:4:1: dependency-groups.b: {CYCLE}"),
        ("[dependency-groups]\na = [\n{include-group = 'c'}]", group("a"),
         "pyproject.toml:3:1: dependency-groups.a: pyproject.toml has no dependency group 'c'"),
        *((f"[dependency-groups]\na = {wrong}", group("a"),
           f"pyproject.toml:2:1: dependency-groups.a: {LISTED}")
          for wrong in ("'x'", "[{include-group = 'b', x = 1}]")),
        ("[dependency-groups]\na = ['b=1']", group("a"),
         "pyproject.toml:2:1: dependency-groups.a: 'b=1' is not a requirement (write b==1)"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_in_pyproject_toml_is_a_problem_at_its_line(
    tree: Tree, toml: str, wanted: Entry, expected: str
) -> None:
    tree.write("pyproject.toml", toml)
    assert tree.problems(wanted) == [expected]


def test_a_pyproject_that_is_a_directory_is_a_problem_of_those_that_need_it(tree: Tree) -> None:
    (tree.root / "pyproject.toml").mkdir(parents=True)
    assert tree.problems(extra()) == ["pyproject.toml:1:1: cannot be read: is a directory, not a file"]
    assert short(tree.compose(text("rich")).requirements) == ["rich"]


@settings(deadline=None)
@given(
    st.text() | st.text(alphabet="-rce./abx[]=<>~;@: \\\n#'\"${}"),
    st.text(alphabet="[]projectdns-=\"'{}, \n1"),
)
def test_a_hostile_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str, toml: str
) -> None:
    tree = Tree(tmp_path_factory.mktemp("hostile"))
    (tree.root / "a.in").write_text(content, encoding="utf-8", errors="replace", newline="")
    tree.write("pyproject.toml", toml)
    assert tree.problems(file("a.in"), group("x"), extra("y"))
