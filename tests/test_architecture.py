"""The shape of the code: imports run downward, effects stay at the edge, functions stay short."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "nox_envs"

# Every module, lowest first. A module imports only from lines above its own, or to its left.
ORDER = """
    values errors codec
    files processes terminal findings
    spec.types spec.words spec.document spec.shapes spec.points spec.checks spec.keys
    requirements.text requirements.project requirements.compose
    lock.pins lock.text lock.plan lock.freshness lock.resolve lock.run
    venv.snapshot venv.receipt venv.compare venv.files venv.install
    report.report report.text report.json report.markdown report.github report.sarif report
    project host verify
    drift repair session diff init_text init_matrix init_tools init activate ci
    cli nox_sessions
    __init__ __main__
""".split()  # noqa: SIM905
RANK = {name: rank for rank, name in enumerate(ORDER)}
PACKAGES = ("spec", "requirements", "lock", "venv")
EDGE = {"cli", "nox_sessions"}
LINES, MODULES = 10_500, 55


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
NAMES = [name for name in FILES if name not in PACKAGES]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(name: str) -> set[str]:
    found = {one.removeprefix("nox_envs.") for one in imports(TREES[name]) if one.startswith("nox_envs.")}
    return found & RANK.keys()


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function with the number of lines of its body, its docstring aside."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                docstring = ast.get_docstring(node) is not None
                body = node.body[docstring:]
                end = node.end_lineno or node.lineno
                yield f"{name}.{node.name}", end - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("name", NAMES)
def test_a_module_imports_only_what_is_below_it(name: str) -> None:
    assert name in RANK, f"{name} has no place in the order of modules"
    assert not {one for one in own_imports(name) if one != name and RANK[one] >= RANK[name]}


def test_the_product_stays_small() -> None:
    lines = sum(path.read_text(encoding="utf-8").count("\n") for path in FILES.values())
    modules = [name for name, path in FILES.items() if path.name != "__init__.py"]
    assert lines <= LINES
    assert len(modules) <= MODULES


def test_functions_stay_short() -> None:
    lengths = sorted(length for _, length in functions())
    assert statistics.median(lengths) <= 8
    assert lengths[len(lengths) * 9 // 10] <= 30


@pytest.mark.parametrize(
    ("package", "owners"),
    [
        ("yaml", {"spec.document"}),
        ("nox", {"nox_sessions"}),
        ("subprocess", {"processes"}),
    ],
)
def test_a_foreign_package_has_one_owner(package: str, owners: set[str]) -> None:
    assert {name for name in FILES for one in imports(TREES[name]) if one.split(".")[0] == package} == owners


@pytest.mark.parametrize("name", FILES)
def test_untyped_values_and_unsafe_modules_are_not_used(name: str) -> None:
    banned = {"typing.Any", "multiprocessing", "pickle", "os.system", "os.popen", "http", "socket", "ssl"}
    assert not banned & set(imports(TREES[name]))


@pytest.mark.parametrize("name", [name for name in FILES if name not in EDGE])
def test_only_the_edge_reads_the_environment_and_the_clock(name: str) -> None:
    reads = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    banned = {"os.environ", "os.getenv", "os.cpu_count", "datetime.now", "date.today", "time.time"}
    assert not reads & banned
    if name != "terminal":
        assert not reads & {"sys.stdin", "sys.stdout", "sys.stderr"}


@pytest.mark.parametrize("name", FILES)
def test_no_private_name_of_another_package_is_used(name: str) -> None:
    """Underscored attributes belong to `self` or `cls`; nox and pip are used as documented."""
    found: set[str] = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr) and node.attr != "_replace":
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner in ("self", "cls", "argparse", "other") or node.attr == "_exit":  # os._exit is public
                continue
            found.add(node.attr)
    assert not found
    assert not {one for one in imports(TREES[name]) if one.startswith(("nox._", "pip."))}


@pytest.mark.parametrize("name", FILES)
def test_every_module_and_public_name_has_a_docstring(name: str) -> None:
    tree = TREES[name]
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_no_test_measures_time() -> None:
    """A loaded machine is slow: growth is shown by counting steps, and speed by the benchmarks."""
    clocks = re.compile(r"\btime\.(?:time|perf_counter|process_time|thread_time)\b|\btimeit\b")
    tests = [path for path in Path(__file__).parent.rglob("*.py") if path != Path(__file__)]
    assert not [path.name for path in tests if clocks.search(path.read_text(encoding="utf-8"))]


def test_the_command_line_never_imports_nox() -> None:
    code = (
        "import sys, nox_envs.cli\n"
        "try: nox_envs.cli.main(['drift', '--spec', 'nowhere.yaml'])\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('nox', 'subprocess', 'asyncio')))"
    )
    # What measures the coverage of a process is not part of the command line.
    env = {name: content for name, content in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "[]"
