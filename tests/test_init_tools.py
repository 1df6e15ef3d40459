"""A spec drafted from what tox and hatch have, as the real tools print it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from nox_envs import processes
from nox_envs.errors import NoxEnvsError
from nox_envs.init import survey
from nox_envs.spec.keys import read_spec
from nox_envs.spec.points import expand
from nox_envs.spec.types import Point
from tests.commandline import require_harmless, write
from tests.conftest import Project, Run

BIN = Path(sys.executable).parent
SETUP = {"setup.py": "from setuptools import setup\nsetup(name='demo')\n"}

IRREGULAR = """\
[tox]
env_list =
    py{39,310}-django42
    py{310,311,312}-django{42,51}
    py{310,311,312,313}-django52
    py{312,313,314}-djangomain
    pypy310-django42

[testenv]
package = wheel
deps =
    django42: django~=4.2.0
    django51: django~=5.1.0
    django52: django~=5.2.0
    djangomain: https://packages.example.org/django/main.tar.gz
    pytest
set_env =
    PYTHONWARNINGS = default
    djangomain: PYTHONWARNINGS = error
commands = python -W error -m pytest {posargs:tests -q}
"""
GENERATED = """\
[tox]
env_list =
    py{38,39,310,311,312,313,314}-django{32,40,41,42,50,51,52}-{sqlite,postgres,mysql,maria}-{redis,memcached,zmq,none}
[testenv]
description = {envname}
deps =
    django32: django~=3.2.0
    django{40,41}: django<4.2
    django{50,51,52}: django>=5
    postgres: psycopg
    py313-sqlite: pysqlite3
set_env =
    postgres: DATABASE=postgres
    mysql: DATABASE=mysql
commands =
    pytest {posargs}
    memcached: pytest memcached
"""
MIXED = """\
[tox]
env_list =
    py{38,39,310}-django{32,42}-{sqlite,postgres,mysql}-{redis,memcached}
    py{39,310,311,312,313}-django{42,50,51,52}-{sqlite,postgres,mysql,oracle}-{redis,memcached,nocache}
    py{310,311,312,313}-{flask,pyramid,aiohttp}{1,2,3}-{redis,nocache}
    py{38,39,310,311,312,313}-celery{52,53,54}-{rabbit,sqs,redis}-{prefork,eventlet,gevent,solo}
    py{38,39,310,311,312,313}-sqlalchemy{14,20}-{sqlite,postgres,mysql,oracle}
    pypy{39,310}-django{42,50}-sqlite-{redis,nocache}
    py{38,39,310,311,312,313}-{unit,contrib}
    py{312,313}-grpc{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17}-{a,b}
    py{311,312,313}-boto{1,2,3,4,5,6,7}-{s3,sqs,sns,kms,iam,ses,ecs}
    lint, docs, coverage
[testenv]
extras = postgres: pg
deps =
    django32: django~=3.2.0
    celery{52,53}-eventlet: eventlet<1
    gevent: gevent
    postgres: psycopg[binary]
set_env =
    postgres: DATABASE=postgres
    py313: PYTHONWARNINGS=error
commands =
    python -m pytest {posargs:tests}
    contrib: python -m pytest contrib
[testenv:lint]
deps = ruff
commands = ruff check
"""


def drafted(root: Path, files: Mapping[str, str], **environ: str) -> tuple[str, tuple[str, ...]]:
    write(root, files)
    return survey(root, environ={"PATH": str(BIN), **environ})


def points_of(text: str) -> dict[str, Point]:
    points = expand(read_spec(text, origin="envs.yaml"), reserved=("lock", "drift"))
    return {point.session: point for point in points}


def argvs(point: Point) -> list[tuple[str, ...]]:
    return [one.argv for one in (*point.commands_pre, *point.commands, *point.commands_post)]


def required(point: Point) -> set[str]:
    return {one.text for one in point.requirements}


# tox


@pytest.mark.functional
@pytest.mark.parametrize(
    ("text", "count", "most_lines"), [(IRREGULAR, 15, 28), (GENERATED, 784, 40), (MIXED, 838, 180)]
)
def test_the_sessions_have_exactly_the_names_that_tox_lists(
    text: str, count: int, most_lines: int, tmp_path: Path, run: Run
) -> None:
    draft, notes = drafted(tmp_path, {"tox.ini": text, **SETUP})
    names = run(BIN / "tox", "list", "--no-desc", "-qq", cwd=tmp_path).stdout.split()
    assert len(names) == count
    assert sorted(points_of(draft)) == sorted(names)
    assert draft.count("\n") <= most_lines
    assert notes == ()


@pytest.mark.functional
@pytest.mark.parametrize("text", [GENERATED, MIXED])
def test_each_session_asks_for_what_its_tox_environment_does(text: str, tmp_path: Path) -> None:
    for name, point in points_of(drafted(tmp_path, {"tox.ini": text, **SETUP})[0]).items():
        factors = name.split("-")
        assert ("django~=3.2.0" in required(point)) == ("django32" in factors)
        assert dict(point.set_env).get("DATABASE", "postgres") in factors or "DATABASE" not in dict(
            point.set_env
        )
        assert ("postgres" in factors) == (dict(point.set_env).get("DATABASE") == "postgres")
        assert ("PYTHONWARNINGS" in dict(point.set_env)) == (text == MIXED and "py313" in factors)
        if text == GENERATED:
            assert ("pysqlite3>=0" in required(point)) == ({"py313", "sqlite"} <= {*factors})
            assert (("pytest", "memcached") in argvs(point)) == ("memcached" in factors)
        else:
            assert ("eventlet<1" in required(point)) == ("eventlet" in factors and "celery54" not in factors)
            assert (point.package.extras == ("pg",)) == ("postgres" in factors)


@pytest.mark.functional
def test_nox_lists_the_names_of_tox_and_nothing_is_written(project: Project) -> None:
    write(project.root, {"tox.ini": IRREGULAR, **SETUP})
    told = project.cli("init", check=True)
    assert told.stderr.startswith("wrote envs.yaml; next: nox-envs check")
    assert sorted(one.name for one in project.root.iterdir()) == [
        "envs.yaml",
        "noxfile.py",
        "setup.py",
        "tox.ini",
    ]
    lines = project.nox("-l", check=True).stdout.splitlines()
    listed = [line.split(" ")[1] for line in lines if line.startswith("* ")]
    names = project.machine.run(BIN / "tox", "list", "--no-desc", "-qq", cwd=project.root).stdout.split()
    assert sorted(listed) == sorted(names)


SETTINGS = """\
[tox]
min_version = 4.0
requires =
    tox-unknown-plugin>=3
env_list = py312, lint
labels =
    ci = lint, docs
skip_missing_interpreters = true

[testenv]
description = run {envname}
extras = cli
dependency_groups = test
deps =
    -r requirements/test.txt
    -c limits.txt
    six
    --pre
    -e {toxinidir}/plugin
set_env =
    ROOT = {toxinidir}/data
    TOKEN = {env:TOKEN:none}
    CACHE = {env:HOME}/cache
pass_env =
    CI
    GITHUB_*
allowlist_externals = make
commands_pre = python -c "print('{envname}')"
commands =
    - make clean
    pytest --basetemp {envtmpdir} {posargs:tests -q}
    ! grep 'a b' {toxinidir}/setup.py
    echo \\{brace\\} > out
commands_post = coverage report
parallel_show_output = true

[testenv:lint]
skip_install = true
deps = ruff
commands = ruff check {posargs}

[testenv:docs]
base_python = python3.11
change_dir = docs
platform = linux|darwin
package = editable
commands = sphinx-build . {envdir}/html {toxinidir}/src

[testenv:lock]
deps =
commands = python -V

[pytest]
addopts = -q

[gh-actions]
python =
    3.12: py312
"""
PROJECT = """\
[project]
name = "demo"
version = "1.0"
optional-dependencies = {cli = ["rich"]}
[dependency-groups]
test = ["pytest"]
other = ["black"]
"""


@pytest.mark.functional
def test_the_settings_of_tox_become_keys(tmp_path: Path) -> None:
    files = {
        "tox.ini": SETTINGS,
        "pyproject.toml": PROJECT,
        "requirements/test.txt": "idna\n",
        "limits.txt": "",
    }
    draft, notes = drafted(tmp_path, {**files, "plugin/setup.py": ""}, TOKEN="s3cret")
    points = points_of(draft)
    py312, lint, docs = points["py312"], points["lint"], points["docs"]
    assert (py312.python, lint.python, docs.python) == ("3.12", None, "3.11")
    assert required(py312) == {"requirements/test.txt", "test", "six>=0", "-e ./plugin"}
    assert [one.text for one in py312.constraints] == ["limits.txt"]
    assert (py312.package.mode, py312.package.extras, lint.package.mode) == ("wheel", ("cli",), "none")
    assert (docs.package.mode, docs.change_dir, docs.platforms) == ("editable", "docs", ("linux", "macos"))
    assert dict(py312.set_env) == {"ROOT": "./data", "TOKEN": "none", "CACHE": "~/cache"}
    assert dict(docs.set_env)["ROOT"] == "../data"
    assert py312.pass_env == ("CI", "GITHUB_*")
    assert [(one.argv, one.external, one.allow_failure, one.success_codes) for one in py312.commands] == [
        (("make", "clean"), True, True, (0,)),
        (("pytest", "--basetemp", "{envdir}/tmp", "{posargs:tests -q}"), False, False, (0,)),
        (("grep", "a b", "./setup.py"), False, False, (1,)),
        (("echo", "{{brace}}", ">", "out"), False, False, (0,)),
    ]
    assert [one.argv for one in py312.commands_pre] == [("python", "-c", "print('py312')")]
    assert [one.argv for one in py312.commands_post] == [("coverage", "report")]
    assert [one.argv for one in docs.commands] == [("sphinx-build", ".", "{envdir}/html", "../src")]
    assert lint.commands[0].argv == ("ruff", "check", "{posargs}")
    assert (py312.tags, lint.tags, docs.default, lint.default) == ((), ("ci",), False, True)
    assert points["lock-2"].commands, "lock is a session of nox-envs"
    assert "other" in points, "a group that tox does not use"
    assert "s3cret" not in draft + "".join(notes)
    assert str(tmp_path) not in draft


@pytest.mark.functional
def test_what_is_not_carried_over_is_named_with_its_line_in_the_draft_and_on_stderr(tmp_path: Path) -> None:
    draft, notes = drafted(tmp_path, {"tox.ini": SETTINGS, "requirements/test.txt": "", "limits.txt": ""})
    expected = [
        "tox.ini:2: min_version is not carried over",
        "tox.ini:3: requires is not carried over (sessions run without tox and its plugins)",
        "tox.ini:8: skip_missing_interpreters is not carried over "
        "(see nox --no-error-on-missing-interpreters)",
        "tox.ini:18: --pre is not carried over ('--pre' is not a requirement)",
        "tox.ini:22: {env:TOKEN:none} is filled in as if TOKEN were not set",
        "tox.ini:23: {env:HOME} is written as ~",
        "tox.ini:35: parallel_show_output is not carried over",
        "tox.ini:57: python is not carried over",
    ]
    for line in expected:
        assert line in notes
        assert f"# {line}\n" in draft
    assert not [note for note in notes if "addopts" in note], "pytest still reads its own section"


INI = "[tox]\nenvlist = 3.12, lint\n[testenv:lint]\nrecreate = true\n"


@pytest.mark.functional
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tox.toml", 'env_list = ["3.12", "lint"]\n[env.lint]\nrecreate = true\n'),
        ("pyproject.toml", '[tool.tox]\nenv_list = ["3.12", "lint"]\n[tool.tox.env.lint]\nrecreate = true\n'),
        ("pyproject.toml", f'[tool.tox]\nlegacy_tox_ini = """\n{INI}"""\n'),
        ("setup.cfg", INI.replace("[tox]", "[tox:tox]")),
    ],
)  # fmt: skip
def test_tox_is_read_wherever_its_configuration_is(file: str, text: str, tmp_path: Path) -> None:
    draft, notes = drafted(tmp_path, {file: text})
    assert sorted(points_of(draft)) == ["3.12", "lint"]
    line = text.split("\n").index("recreate = true") + 1
    assert f"{file}:{line}: recreate is not carried over" in notes
    assert f"  # {file}:{line}: recreate is not carried over\n  lint:" in draft


@pytest.mark.functional
def test_a_file_that_tox_refuses_is_named_and_the_rest_is_drafted(tmp_path: Path) -> None:
    files = {"tox.ini": "[tox]\nmin_version = 99\n", "requirements-dev.txt": "ruff\n"}
    draft, notes = drafted(tmp_path, files)
    assert sorted(points_of(draft)) == ["dev"]
    (note,) = notes
    assert note.startswith("tox.ini: not read: tox ended with exit code ")
    assert "# tox.ini: not read\n" in draft
    assert str(tmp_path) not in draft


@pytest.mark.functional
def test_hostile_names_stay_text(tmp_path: Path) -> None:
    toml = '[env."a\\u001b[31mb"]\ndescription = "x\\n::error::y"\n'
    toml += 'set_env = {"A b" = "\\u0007"}\ncommands = [["ec\\nho"]]\n'
    draft, notes = drafted(tmp_path, {"tox.toml": toml})
    require_harmless(draft + "".join(notes))


@pytest.mark.parametrize(
    ("file", "text", "tool"),
    [
        ("tox.ini", "[tox]\n", "tox"),
        ("hatch.toml", "[envs.default]\n", "hatch"),
        ("pyproject.toml", "[tool.hatch.envs.default]\n", "hatch"),
    ],
)
def test_a_tool_that_is_not_on_path_is_said_once_with_what_to_do(
    file: str, text: str, tool: str, tmp_path: Path
) -> None:
    write(tmp_path, {file: text, "requirements.txt": "flask\n"})
    draft, notes = survey(tmp_path, environ={"PATH": str(tmp_path)})
    assert sorted(points_of(draft)) == ["app"]
    (note,) = notes
    assert note.startswith(f"{file}: ")
    assert note.endswith(f"not read: {tool} is not on PATH; install it and run nox-envs init again")


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")
@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("echo 'no such option: --format' >&2; exit 2", "this tox cannot print JSON; upgrade tox"),
        ("echo nonsense", "is not JSON: Expecting value"),
        ("printf '\\033[31mred' >&2; exit 3", "tox ended with exit code 3: \\x1b[31mred"),
        ("echo '[1]'", "expected a table"),
        ('echo \'{"env": {"a": 1, "b": {"commands": 5}}, "tox": []}\'', None),
    ],
)
def test_anything_that_a_tool_prints_is_read_or_refused(does: str, says: str | None, tmp_path: Path) -> None:
    write(tmp_path, {"tox.ini": "[tox]\n", "bin/tox": f"#!/bin/sh\n{does}\n", "requirements.txt": "flask\n"})
    (tmp_path / "bin/tox").chmod(0o755)
    draft, notes = survey(tmp_path, environ={"PATH": str(tmp_path / "bin")})
    assert "app" in points_of(draft)
    assert says is None or says in notes[0]
    require_harmless(draft + "".join(notes))


# hatch

HATCH = """\
[project]
name = "demo"
version = "1.0"
optional-dependencies = {cli = ["rich"]}

[tool.hatch.envs.default]
dependencies = ["coverage"]
features = ["cli"]
installer = "uv"
[tool.hatch.envs.default.scripts]
cov = "coverage run -m pytest {args:tests}"

[tool.hatch.envs.test]
dependencies = ["pytest", "django~={matrix:django}.0"]
env-vars = {DATA = "{root}/data", TOKEN = "{env:TOKEN:none}"}
[[tool.hatch.envs.test.matrix]]
python = ["3.11", "3.12"]
django = ["4.2", "5.2"]
[[tool.hatch.envs.test.matrix]]
python = ["3.13"]
django = ["5.2"]
[tool.hatch.envs.test.overrides]
matrix.django.dependencies = [{value = "six", if = ["4.2"]}]
[tool.hatch.envs.test.scripts]
run = ["pytest {args:tests}", "- coverage report", "echo a && echo b"]

[tool.hatch.envs.lint]
detached = true
dependencies = ["ruff"]
[tool.hatch.envs.lint.scripts]
fmt = "ruff format ."
check = "ruff check ."
"""


@pytest.mark.functional
def test_the_environments_of_hatch_keep_their_names(tmp_path: Path) -> None:
    draft, notes = drafted(tmp_path, {"pyproject.toml": HATCH}, TOKEN="s3cret")
    points = points_of(draft)
    matrix = [f"test.py{one}" for one in ("3.11-4.2", "3.11-5.2", "3.12-4.2", "3.12-5.2", "3.13-5.2")]
    assert sorted(points) == sorted(["default", "lint", *matrix])
    for name in matrix:
        point, (python, django) = points[name], name.removeprefix("test.py").split("-")
        assert (point.python, dict(point.axes)) == (python, {"django": django})
        assert required(point) == {
            "pytest>=0",
            f"django~={django}.0",
            *(["six>=0"] if django == "4.2" else []),
        }
        assert dict(point.set_env) == {"DATA": "./data", "TOKEN": "none"}
        assert argvs(point) == [
            ("pytest", "{posargs:tests}"),
            ("coverage", "report"),
            ("sh", "-c", "echo a && echo b"),
        ]
    assert argvs(points["default"]) == [("coverage", "run", "-m", "pytest", "{posargs:tests}")]
    assert (points["default"].package.mode, points["default"].package.extras) == ("editable", ("cli",))
    assert points["lint"].package.mode == "none"
    assert [note.partition(": ")[2] for note in notes] == [
        "installer is not carried over",
        "{env:TOKEN:none} is filled in as if TOKEN were not set",
        "the script fmt is not carried over: ruff format .",
    ]
    assert all(f"# {note}\n" in draft for note in notes)
    assert "s3cret" not in draft
    assert sorted(one.name for one in tmp_path.iterdir()) == ["pyproject.toml"]


@pytest.mark.functional
def test_hatch_is_not_run_where_it_would_install_plugins(tmp_path: Path) -> None:
    files = {"hatch.toml": '[env]\nrequires = ["hatch-pip-compile"]\n[envs.default]\n'}
    _, notes = drafted(tmp_path, files)
    reason = "its environments need plugins, which hatch would install"
    assert notes[0] == f"hatch.toml: environments of hatch not read: {reason}"


def test_a_tool_that_does_not_end_is_ended() -> None:
    with pytest.raises(NoxEnvsError, match=r"still ran after 0\.2 seconds, and was ended"):
        processes.run((sys.executable, "-c", "import time; time.sleep(600)"), timeout=0.2)


@pytest.mark.functional
def test_no_path_of_this_machine_gets_into_a_draft_through_path(tmp_path: Path) -> None:
    text = "[tox]\nenv_list = a\n[testenv]\nset_env =\n    PATH = {env:PATH}:{toxinidir}/bin\n"
    draft, notes = drafted(tmp_path, {"tox.ini": text})
    assert dict(points_of(draft)["a"].set_env) == {"PATH": ":./bin"}
    assert notes == ("tox.ini:5: {env:PATH} is filled in as if PATH were not set",)
