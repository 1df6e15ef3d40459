from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.markers import default_environment

from nox_envs.errors import FileProblems, NoxEnvsError
from nox_envs.lockfile.freshness import doubts
from nox_envs.lockfile.plan import LockPlan
from nox_envs.lockfile.text import Lock, render, requirement_line
from nox_envs.matrix import Point
from nox_envs.pins import Pin, Source
from nox_envs.requirements import Composition, Declared
from nox_envs.resolvers import (
    InputFile,
    Request,
    absolute_requirement,
    at_commits,
    pip_report,
    read_pip_report,
    read_uv_output,
    request,
    uv_compile,
)
from nox_envs.spec.types import ConstraintLock, LockOptions
from nox_envs.values import replace
from tests.conftest import Machine, MakeVenv, uv
from tests.index import Index, build_sdist, build_wheel, write_source
from tests.plans import at, composed, planned, plans, point, wants

ROOT = "file:///project/"
SHA = "sha256:" + "0a" * 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def brief(lock: Lock) -> list[tuple[str, tuple[str, ...]]]:
    return [(requirement_line(pin), pin.via) for pin in lock.pins]


# What is handed to a resolver.


def test_requirements_go_into_a_file_for_each_set() -> None:
    made = planned(
        wants("pytest>=8"), wants("b", "app"), wants("rich", "test"), wants("c", "docs", "docs.in")
    )
    assert request(made, root_url=ROOT, layers=()) == Request(
        sources=(
            InputFile(name="source-0.in", text="b\n", label="app"),
            InputFile(name="source-1.in", text="c\n", label="docs (docs.in)"),
            InputFile(name="source-2.in", text="pytest>=8\nrich\n", label="test"),
        )
    )


def test_constraints_go_into_a_file_for_each_place_they_come_from() -> None:
    made = planned(
        wants("a"),
        constraints=[
            wants("b<2", origin="limits.txt"),
            wants("c<2"),
            wants("d<2", origin="limits.txt", line=9),
        ],
        build_constraints=[wants("setuptools<80")],
    )
    found = request(made, root_url=ROOT, layers=())
    assert [(file.text, file.label) for file in found.constraints] == [
        ("c<2\n", "-c envs.yaml"),
        ("b<2\nd<2\n", "-c limits.txt"),
    ]
    assert [file.text for file in found.build_constraints] == ["setuptools<80\n"]
    assert len({file.name for file in found.files}) == len(found.files) == 4


def test_a_lock_below_limits_without_hashes_and_local_paths() -> None:
    pins = (
        Pin(name="a", version="1.0", marker='os_name == "nt"', hashes=(SHA,)),
        Pin(name="b", version="", source=Source(kind="directory", url="./b", editable=True)),
        Pin(
            name="c",
            version="",
            source=Source(kind="vcs", url="git+https://git.example.org/c", revision=COMMIT),
        ),
    )
    layer = Lock(origin="requirements/prod.txt", header=None, pins=pins)
    made = planned(wants("a"), limits=(ConstraintLock(environment="prod", place=at(1)),))
    (file,) = request(made, root_url=ROOT, layers=(layer,)).constraints
    assert file.text == f'a==1.0 ; os_name == "nt"\nc @ git+https://git.example.org/c@{COMMIT}\n'
    assert file.label == "-c requirements/prod.txt"


TOOL = "git+https://git.example.org/tool"


@pytest.mark.parametrize(
    ("declared", "via", "asked"),
    [
        (wants(f"tool @ {TOOL}@main"), (f"app: tool @ {TOOL}@main ; os_name == 'nt'",), f"{TOOL}@{COMMIT}"),
        (wants(f"tool[x] @ {TOOL}"), (f"test: -e {TOOL}[y]", "other"), f"{TOOL}@{COMMIT}"),
        (wants(f"{TOOL}#egg=tool"), (f"app: {TOOL}#egg=tool",), f"{TOOL}@{COMMIT}"),
        (wants(f"{TOOL}@main", name=""), (), f"{TOOL}@{COMMIT}"),
        (wants(f"tool @ {TOOL}@main"), ("helper",), f"{TOOL}@{COMMIT}"),
        (wants(f"tool @ {TOOL}@main2"), (f"test: tool @ {TOOL}@main",), f"{TOOL}@main2"),
        (wants(f"tool @ {TOOL}@main"), (f"test: tool @ {TOOL}@main2",), f"{TOOL}@main"),
        (wants(f"tool @ {TOOL}-two@main"), (), f"{TOOL}-two@main"),
        (wants(f"tool @ {TOOL}@main#subdirectory=a"), (), f"{TOOL}@main#subdirectory=a"),
        (wants(f"other @ {TOOL}@main"), (), f"{TOOL}@main"),
        (wants("tool>=1"), (), ""),
    ],
)
def test_a_branch_is_asked_for_by_the_commit_that_is_locked_for_it(
    declared: Declared, via: tuple[str, ...], asked: str
) -> None:
    pin = Pin(name="tool", version="", source=Source(kind="vcs", url=TOOL, revision=COMMIT), via=via)
    made = at_commits(planned(declared, constraints=[declared]), (pin,))
    assert [one.url for one in (*made.requirements, *made.constraints)] == [asked, asked]
    assert made.requirements == (replace(declared, url=asked),)


@pytest.mark.parametrize(
    ("declared", "resolved", "installed"),
    [
        (wants("a[b]>=1 ; os_name == 'nt'"), 'a[b]>=1 ; os_name == "nt"', 'a[b]>=1 ; os_name == "nt"'),
        (wants("./my lib", name="lib"), "lib @ file:///project/my%20lib", "lib @ file:///project/my%20lib"),
        (wants("./lib[x]", name="lib", editable=True), "lib[x] @ file:///project/lib", "-e file:///project/lib[x]"),
        (wants("../lib"), "file:///project/../lib", "file:///project/../lib"),
        (wants("../lib", editable=True), "file:///project/../lib", "-e file:///project/../lib"),
        (wants("a @ https://files.example.org/a.zip"),) + ("a @ https://files.example.org/a.zip",) * 2,
    ],
)  # fmt: skip
def test_a_local_path_is_handed_over_as_a_url(declared: Declared, resolved: str, installed: str) -> None:
    assert request(planned(declared), root_url=ROOT, layers=()).sources[0].text == f"{resolved}\n"
    assert absolute_requirement(declared, ROOT) == installed


# The command line of uv.


def compiled(made: LockPlan, **asked: bool | tuple[str, ...]) -> list[str]:
    """Return the arguments of uv, without those that are always there."""
    files = request(made, root_url=ROOT, layers=())
    plain = Request(sources=files.sources)
    usual = uv_compile("uv", planned(wants("a")), plain, folder="/tmp/x", root="/project")
    words = uv_compile(
        "uv",
        made,
        files,
        folder="/tmp/x",
        root="/project",
        upgrade=asked.get("upgrade") is True,
        upgrade_packages=("six", "b") if asked.get("packages") else (),
    )
    return [word for word in words if word not in usual]


def test_uv_resolves_for_every_python_and_platform_with_hashes() -> None:
    made = planned(wants("a"), pythons=("3.13", "3.11"))
    words = uv_compile(
        "/bin/uv", made, request(made, root_url=ROOT, layers=()), folder="/tmp/x", root="/project"
    )
    assert words[:3] == ("/bin/uv", "pip", "compile")
    assert {
        "--universal",
        "--generate-hashes",
        "--python-version=3.11",
        "--output-file=/tmp/x/lock.txt",
    } <= set(words)
    assert words[-1] == "/tmp/x/source-0.in"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (LockOptions(resolution="lowest-direct"), ["--resolution=lowest-direct"]),
        (LockOptions(exclude_newer="7 days", exclude_newer_exempt=("b",)),
         ["--exclude-newer=7 days", "--exclude-newer-package=b=false"]),
        (LockOptions(only_binary=(":all:",), no_binary=("b", "c")),
         ["--only-binary=:all:", "--no-binary=b", "--no-binary=c"]),
    ],
)  # fmt: skip
def test_uv_is_told_the_options_of_the_lock(options: LockOptions, expected: list[str]) -> None:
    assert compiled(planned(wants("a"), lock=options)) == expected


def test_uv_is_told_prereleases_upgrades_constraints_and_the_project() -> None:
    assert compiled(planned(wants("a"), prereleases=True)) == ["--prerelease=allow"]
    assert compiled(planned(wants("a"), prereleases=("b",))) == ["--prerelease-package=b=allow"]
    assert compiled(planned(wants("a")), upgrade=True) == ["--upgrade"]
    assert compiled(planned(wants("a")), packages=True) == ["--upgrade-package=six", "--upgrade-package=b"]
    limited = planned(wants("a"), constraints=[wants("b<2")], build_constraints=[wants("c<2")])
    assert compiled(limited) == [
        "--constraints=/tmp/x/constraint-0.txt",
        "--build-constraints=/tmp/x/build.txt",
    ]
    assert compiled(planned(wants("a"), dynamic_extras=("cli",))) == [
        "--extra=cli",
        "/project/pyproject.toml",
    ]


# The output of uv.

OUTPUT = """\
--index-url https://packages.example.org/simple
apple @ file:///project/vendor/apple ; python_full_version < '3.12'
    # via -r /tmp/x/source-1.in
basket==1.0 \\
    --hash=SHA
    # via
    #   -c /tmp/x/constraint-0.txt
    #   -r source-0.in
    #   -r C:\\Temp\\source-1.in
    # from https://packages.example.org/simple
berry==2.0 \\
    --hash=SHA
    # via
    #   -c /etc/others.txt
    #   basket
    #   Own.Project (/project/pyproject.toml)
cherry @ file:///elsewhere/cherry-1.0.tar.gz \\
    --hash=SHA
    # via -r /tmp/x/source-0.in
""".replace("SHA", SHA)


ANSWERED = planned(
    wants("basket[dried]>=1", "app"),
    wants("basket", "test"),
    wants("basket<9; os_name != 'x'", "test"),
    wants("./vendor/apple", name="apple", editable=True),
    wants("../elsewhere/cherry-1.0.tar.gz", "app"),
    constraints=[wants("basket<2", origin="limits.txt")],
)


def answer() -> Lock:
    files = request(ANSWERED, root_url=ROOT, layers=())
    return read_uv_output(OUTPUT, ANSWERED, files, origin="tests.txt", root_url=ROOT)


def test_the_annotations_of_uv_become_sets_and_packages() -> None:
    assert brief(answer()) == [
        ("-e ./vendor/apple ; python_full_version < '3.12'", ("test: -e ./vendor/apple",)),
        (
            "basket==1.0",
            ("-c limits.txt", "app: basket[dried]>=1", "test: basket", 'test: basket<9 ; os_name != "x"'),
        ),
        ("berry==2.0", ("basket", "others.txt", "own-project (pyproject.toml)")),
        ("../elsewhere/cherry-1.0.tar.gz", ("app: ../elsewhere/cherry-1.0.tar.gz",)),
    ]


def test_no_path_of_this_machine_is_left_in_the_output() -> None:
    text = render(answer())
    machine = ("file:", "/tmp", "/project", "Temp", "source-", "constraint-", "/etc", "simple")
    assert [word for word in machine if word in text] == []


def test_a_url_with_credentials_that_only_uv_was_told_is_refused() -> None:
    made = planned(wants("helper"))
    files = request(made, root_url=ROOT, layers=())
    text = "helper==1.0\nw @ https://me:secret@files.example.org/w.zip \\\n    --hash=SHA\n    # via helper\n"
    with pytest.raises(NoxEnvsError) as caught:
        read_uv_output(text.replace("SHA", SHA), made, files, origin="tests.txt", root_url=ROOT)
    assert str(caught.value) == (
        "w: helper names a URL with credentials, which no lock may hold; "
        "take them out of it and leave them to netrc or the environment"
    )


def test_output_that_is_no_lock_is_a_problem() -> None:
    made = planned(wants("a"))
    with pytest.raises(FileProblems, match=r"tests\.txt:1:1: not a pin: 'error: no'"):
        read_uv_output("error: no\n", made, Request(sources=()), origin="tests.txt", root_url=ROOT)


# pip.


def test_pip_makes_a_dry_run_with_a_report() -> None:
    made = planned(
        wants("a"),
        constraints=[wants("b<2")],
        dynamic_extras=("cli", "x"),
        lock=LockOptions(only_binary=("c",), no_binary=("d",)),
        prereleases=True,
    )
    files = request(made, root_url=ROOT, layers=())
    words = pip_report("/venv/python", made, files, folder="/tmp/x", root="/project", kept="kept.txt")
    assert words[:6] == ("/venv/python", "-m", "pip", "install", "--dry-run", "--ignore-installed")
    assert words[-7:] == (
        "--constraint=/tmp/x/constraint-0.txt",
        "--constraint=/tmp/x/kept.txt",
        "--pre",
        "--only-binary=c",
        "--no-binary=d",
        "--requirement=/tmp/x/source-0.in",
        "/project[cli,x]",
    )
    bare = pip_report("p", planned(dynamic_extras=()), Request(sources=()), folder="/tmp/x", root="/project")
    assert bare[-2:] == ("--report=/tmp/x/report.json", "/project")


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (planned(wants("a"), lock=LockOptions(resolution="lowest")), "resolution: lowest"),
        (planned(wants("a"), lock=LockOptions(exclude_newer="2026-01-01")), "exclude_newer"),
        (planned(wants("a"), prereleases=("b",)), "allow_prereleases by name"),
        (planned(wants("a"), build_constraints=[wants("b")]), "build_constraints"),
    ],
)
def test_an_option_that_pip_has_nothing_for_is_an_error(made: LockPlan, named: str) -> None:
    with pytest.raises(NoxEnvsError) as caught:
        pip_report("p", made, Request(sources=()), folder="/tmp/x", root="/project")
    assert str(caught.value) == f"pip cannot resolve with {named}; write lock: {{resolver: uv}}"


def entry(
    name: str, version: str, *requires: str, extras: tuple[str, ...] = (), **download: object
) -> object:
    """Make an entry of pip's installation report, as its documentation has them."""
    found = {
        "url": f"https://files.example.org/{name}.whl",
        "archive_info": {"hashes": {"sha256": "0a" * 32}},
    }
    return {
        "download_info": download or found,
        "is_direct": bool(download),
        "requested": False,
        **({"requested_extras": list(extras)} if extras else {}),
        "metadata": {
            "name": name,
            "version": version,
            **({"requires_dist": list(requires)} if requires else {}),
        },
    }


def reported(*entries: object, made: LockPlan, project: str = "") -> Lock:
    text = json.dumps({"version": "1", "install": entries, "environment": {"python_version": "3.12"}})
    return read_pip_report(text, made, origin="tests.txt", project=project, root_url=ROOT)


def test_the_report_of_pip_becomes_pins_with_hashes_and_who_asks() -> None:
    made = planned(wants("Basket[dried]>=1", "app"), wants("apple"))
    lock = reported(
        entry(
            "Basket",
            "1.0",
            "apple>=1",
            "berry; python_version < '3.11'",
            "raisin[Big_Ones]; extra == 'dried'",
            "fig; extra == 'fresh'",
            extras=("dried",),
        ),
        entry("apple", "2.0"),
        entry("raisin", "1.0", "size; extra == 'big-ones'"),
        entry("size", "1.0"),
        entry("berry", "1.0"),
        entry("fig", "1.0"),
        made=made,
    )  # fmt: skip
    assert brief(lock) == [
        ("basket==1.0", ("app: basket[dried]>=1",)),
        ("apple==2.0", ("basket", "test: apple")),
        ("raisin==1.0", ("basket",)),
        ("size==1.0", ("raisin",)),
        ("berry==1.0", ()),
        ("fig==1.0", ()),
    ]
    assert {pin.hashes for pin in lock.pins} == {(SHA,)}


def test_direct_references_of_a_report_keep_their_source() -> None:
    made = planned(wants("./lib", name="lib", editable=True), wants("./wheels/w-1.0-py3-none-any.whl"))
    hashed = {"hash": SHA.replace(":", "=")}
    vcs = {"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"}
    lock = reported(
        entry("lib", "1.0", url="file:///project/lib", dir_info={}),
        entry("w", "1.0", url="file:///project/wheels/w-1.0-py3-none-any.whl",
              archive_info={"hashes": {"sha256": "0a" * 32}}),
        entry("tool", "1.0", url="https://git.example.org/tool", vcs_info=vcs),
        entry("zipped", "1.0", url="https://files.example.org/z.zip", archive_info=hashed),
        made=made,
    )  # fmt: skip
    assert render(lock) == (
        "-e ./lib  # lib\n    # via test: -e ./lib\n"
        f"tool @ git+https://git.example.org/tool@{COMMIT}\n"
        f"./wheels/w-1.0-py3-none-any.whl \\\n    --hash={SHA}  # w\n"
        "    # via test: ./wheels/w-1.0-py3-none-any.whl\n"
        f"zipped @ https://files.example.org/z.zip \\\n    --hash={SHA}\n"
    )


@pytest.mark.parametrize(
    ("url", "required"),
    [
        ("https://files.example.org/w.zip", "w @ https://me:secret@files.example.org/w.zip"),
        ("https://me:secret@files.example.org/w.zip", "w"),
    ],
)
def test_a_url_with_credentials_that_only_pip_was_told_is_refused(url: str, required: str) -> None:
    helper = entry("helper", "1.0", required, "w2 @ https://me:secret@x.example.org/ ; python_version < '3'")
    zipped = entry("w", "1.0", url=url, archive_info={"hash": SHA.replace(":", "=")})
    with pytest.raises(NoxEnvsError) as caught:
        reported(helper, zipped, made=planned(wants("helper")))
    assert str(caught.value) == (
        "w: helper names a URL with credentials, which no lock may hold; "
        "take them out of it and leave them to netrc or the environment"
    )


def test_the_project_itself_is_no_pin_but_asks_for_pins() -> None:
    lock = reported(
        entry("My.Project", "0.1", "apple>=1", url="file:///project", dir_info={}),
        entry("apple", "1.0"),
        made=planned(dynamic_extras=()),
        project="my-project",
    )
    assert brief(lock) == [("apple==1.0", ("my-project (pyproject.toml)",))]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"install": {}, "environment": {}}',
        '{"install": [1], "environment": {}}',
        '{"install": [{"metadata": {}, "download_info": {}}], "environment": {}}',
        '{"install": [{"metadata": {"name": "a"}, "download_info": {"url": "x"}}], "environment": {}}',
    ],
)
def test_what_is_no_report_of_pip_is_a_readable_error(text: str) -> None:
    with pytest.raises(NoxEnvsError, match=r"^tests\.txt: the report of pip cannot be read: "):
        read_pip_report(text, planned(wants("a")), origin="tests.txt", project="", root_url=ROOT)


# The real resolvers.


def resolve_with_uv(machine: Machine, made: LockPlan, root: Path, folder: Path) -> Lock:
    root_url = root.as_uri() + "/"
    files = request(made, root_url=root_url, layers=())
    folder.mkdir()
    for file in files.files:
        (folder / file.name).write_text(file.text, encoding="utf-8")
    machine.run(*uv_compile(uv(), made, files, folder=str(folder), root=str(root)), cwd=root)
    text = (folder / "lock.txt").read_text(encoding="utf-8")
    return read_uv_output(text, made, files, origin="tests.txt", root_url=root_url)


def local_packages(root: Path) -> tuple[Declared, ...]:
    """Write local packages of every kind; two of them give no name."""
    write_source(root / "vendor" / "quince", "Quince.Paste", "1.0")
    write_source(root / "my libs" / "medlar", "medlar", "2.0", requires=("quince-paste",))
    write_source(root / "sloe", "sloe", "1.0")
    build_sdist(root, "damson", "1.0")
    build_wheel(root, "elder", "1.0")
    return (
        wants("./vendor/quince", editable=True),
        wants('./my libs/medlar ; python_version < "3.13"', name="medlar", editable=True),
        wants("./sloe", name="sloe"),
        wants("./damson-1.0.tar.gz"),
        wants("./elder-1.0-py3-none-any.whl"),
    )


@pytest.mark.functional
def test_uv_locks_local_paths_by_name_and_without_the_path_of_the_project(
    machine: Machine, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    made = planned(*local_packages(root), pythons=("3.12", "3.13"))
    lock = resolve_with_uv(machine, made, root, tmp_path / "folder")
    assert sorted((requirement_line(pin), pin.name, pin.via) for pin in lock.pins) == [
        ("-e ./my libs/medlar ; python_full_version < '3.13'", "medlar",
         ('test: -e ./my libs/medlar ; python_version < "3.13"',)),
        ("-e ./vendor/quince", "quince-paste", ("medlar", "test: -e ./vendor/quince")),
        ("./damson-1.0.tar.gz", "damson", ("test: ./damson-1.0.tar.gz",)),
        ("./elder-1.0-py3-none-any.whl", "elder", ("test: ./elder-1.0-py3-none-any.whl",)),
        ("./sloe", "sloe", ("test: ./sloe",)),
    ]  # fmt: skip
    assert {pin.name for pin in lock.pins if pin.hashes} == {"damson", "elder"}
    assert str(tmp_path) not in render(lock)
    host = {"sys_platform": "linux", "os_name": "posix"}
    assert doubts(made, lock, host) == ()


@pytest.mark.functional
def test_uv_locks_for_all_pythons_and_says_who_asks(machine: Machine, index: Index, tmp_path: Path) -> None:
    made = planned(
        wants("basket[dried]", "app"),
        wants("apple"),
        wants('tomli; python_version < "3.9"'),
        pythons=("3.10", "3.12"),
        constraints=[wants("apple<2", origin="limits.txt")],
    )
    lock = resolve_with_uv(machine, made, tmp_path, tmp_path / "folder")
    assert brief(lock) == [
        ("apple==1.1", ("-c limits.txt", "basket", "test: apple")),
        ("basket==1.1", ("app: basket[dried]",)),
        ("berry==1.0 ; python_full_version < '3.11'", ("basket",)),
        ("raisin==1.0", ("basket",)),
    ]
    assert lock.pins[0].hashes == (f"sha256:{index.sha256('apple-1.1-py3-none-any.whl')}",)
    assert index.url not in render(lock)


@pytest.mark.functional
def test_what_one_python_asks_for_is_locked_for_that_python(machine: Machine, tmp_path: Path) -> None:
    def compose(at_point: Point) -> Composition:
        own = {"3.11": [wants("berry")], "pypy3.11": [wants("raisin")]}
        return composed(wants("apple"), *own.get(at_point.python or "", []))

    points = tuple(point("tests", python) for python in ("3.10", "3.11", "pypy3.11", "3.12"))
    (made,) = plans(points, compose)
    lock = resolve_with_uv(machine, made, tmp_path, tmp_path / "folder")
    markers = {pin.name: pin.marker for pin in lock.pins}
    assert (markers["apple"], bool(markers["berry"]), bool(markers["raisin"])) == ("", True, True)
    host = {name: str(value) for name, value in default_environment().items()}
    assert doubts(made, lock, host) == ()
    without = replace(lock, pins=lock.pins[:1])
    assert [(doubt.package, doubt.actual) for doubt in doubts(made, without, host)] == [
        ("berry", "no pin (python 3.11)"),
        ("raisin", "no pin (python pypy3.11)"),
    ]


@pytest.mark.functional
def test_uv_honours_every_option_that_it_is_told(machine: Machine, tmp_path: Path) -> None:
    made = planned(
        wants("apple"),
        build_constraints=[wants("setuptools<99")],
        lock=LockOptions(
            resolution="lowest",
            exclude_newer="2024-06-01",
            exclude_newer_exempt=("pear",),
            only_binary=("apple",),
            no_binary=("pear",),
        ),
        prereleases=("plum",),
    )
    assert brief(resolve_with_uv(machine, made, tmp_path, tmp_path / "one")) == [
        ("apple==1.0", ("test: apple",))
    ]
    made = planned(wants("apple"), prereleases=True, lock=LockOptions(exclude_newer="2020-01-01"))
    files = request(made, root_url=ROOT, layers=())
    (tmp_path / "source-0.in").write_text("apple\n")
    failed = machine.run(*uv_compile(uv(), made, files, folder=str(tmp_path), root="."), check=False)
    assert failed.returncode == 1
    assert "exclude-newer" in failed.output


@pytest.mark.functional
def test_pip_locks_for_its_own_python(
    machine: Machine, index: Index, make_venv: MakeVenv, interpreters: Callable[[str], str], tmp_path: Path
) -> None:
    interpreters("3.12")
    venv = make_venv("virtualenv", "3.12")
    root, folder = tmp_path / "root", tmp_path / "folder"
    write_source(root / "vendor" / "quince", "Quince.Paste", "1.0")
    made = planned(
        wants("basket[dried]", "app"),
        wants("./vendor/quince", editable=True),
        constraints=[wants("apple<2")],
        lock=LockOptions(resolver="pip"),
    )
    root_url = root.as_uri() + "/"
    files = request(made, root_url=root_url, layers=())
    folder.mkdir()
    for file in files.files:
        (folder / file.name).write_text(file.text, encoding="utf-8")
    machine.run(*pip_report(str(venv.python), made, files, folder=str(folder), root=str(root)), cwd=root)
    text = (folder / "report.json").read_text(encoding="utf-8")
    lock = read_pip_report(text, made, origin="tests.txt", project="", root_url=root_url)
    assert sorted(brief(lock)) == [
        ("-e ./vendor/quince", ("test: -e ./vendor/quince",)),
        ("apple==1.1", ("basket",)),
        ("basket==1.1", ("app: basket[dried]",)),
        ("raisin==1.0", ("basket",)),
    ]
    hashes = {pin.name: pin.hashes for pin in lock.pins}
    assert hashes["apple"] == (f"sha256:{index.sha256('apple-1.1-py3-none-any.whl')}",)
    assert str(tmp_path) not in render(lock)
