"""The shape of the code (design, section 9): imports run downward, effects stay at the edge."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "nox_envs"
STAGES = (
    {"values", "machine"},
    {"errors", "kinds"},
    {"pins", "files", "placeholders", "toml"},
    {"document", "git_objects", "evidence"},
    {"spec"},
    {"matrix"},
    {"requirements"},
    {"lockfile", "snapshot"},
    {"receipt", "resolvers", "installers", "mutex", "progress", "streams"},
    {"drift", "changes"},
    {"integrity", "index"},
    {"policy"},
    {"report"},
    {"workflow", "arguments"},
    {"sessions", "cli"},
    {"__init__", "__main__"},
)
RANK = {stage: rank for rank, stages in enumerate(STAGES) for stage in stages}
MODULES = sorted(SOURCE.rglob("*.py"))


def stage_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def stages_imported(path: Path) -> set[str]:
    found = {name.split(".")[1] for name, _ in imports(path) if name.startswith("nox_envs.")}
    return found & RANK.keys()


def ids(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_imports_run_strictly_downward(path: Path) -> None:
    own = stage_of(path)
    assert own in RANK, f"{own} has no place in the order of stages"
    upward = {stage for stage in stages_imported(path) if stage != own and RANK[stage] >= RANK[own]}
    assert not upward


@pytest.mark.parametrize(
    ("package", "owners"),
    [
        ("yaml", {"document"}),
        ("nox", {"sessions"}),
        ("argparse", {"arguments", "cli", "sessions"}),
        ("http", {"index"}),
        ("ssl", {"index"}),
        ("socket", {"index"}),
    ],
)
def test_a_foreign_package_has_one_owner(package: str, owners: set[str]) -> None:
    users = {stage_of(path) for path in MODULES for name, _ in imports(path) if name.split(".")[0] == package}
    assert users == owners


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_processes_and_untyped_values_have_no_place(path: Path) -> None:
    banned = {"subprocess", "typing.Any", "multiprocessing", "pickle", "os.system", "os.popen"}
    assert not banned & {name for name, _ in imports(path)}


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_only_the_edge_reads_environment_variables(path: Path) -> None:
    if stage_of(path) in {"cli", "sessions"}:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    reads = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv", "environb"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    assert not reads


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 330
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno:
            body = [
                n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
            ]
            assert not body or node.end_lineno - body[0].lineno + 1 <= 40, f"{node.name} is too long"


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_every_module_and_public_name_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_the_command_line_never_imports_nox() -> None:
    code = (
        "import sys, nox_envs.cli\n"
        "try: nox_envs.cli.main(['drift', '--spec', 'nowhere.yaml'])\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('nox', 'subprocess', 'asyncio')))"
    )
    # What measures the coverage of a process is no part of the command line.
    env = {name: content for name, content in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "[]"
