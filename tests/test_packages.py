"""The project itself and local folders in sessions: every layout, editable and as a wheel, as it is now."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.index import Index, build_wheel, write_source

pytestmark = pytest.mark.functional

IMPORT = "\"python -c 'import mod; print(mod.__file__, mod.STATE)'\""
BUILD = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
STATIC = f'{BUILD}[project]\nname = "My.Mod"\nversion = "1"\ndependencies = ["apple"]\n'
MODULES = '[tool.setuptools]\npackages = ["mod"]\n'
CFG = "[metadata]\nname = My.Mod\nversion = 1\n[options]\npackages = mod\ninstall_requires =\n  apple\n"
SETUP = "from setuptools import setup\nsetup"
LAYOUTS = {
    "setup.py": {
        "setup.py": f"{SETUP}(name='My.Mod', version='1', packages=['mod'], install_requires=['apple'])\n"
    },
    "setup.cfg": {"pyproject.toml": BUILD, "setup.cfg": CFG},
    "project": {"pyproject.toml": STATIC + MODULES},
    "dynamic": {
        "pyproject.toml": STATIC.replace('dependencies = ["apple"]', 'dynamic = ["dependencies"]')
        + f'{MODULES}[tool.setuptools.dynamic]\ndependencies = {{file = ["in.txt"]}}\n',
        "in.txt": "apple\n",
    },
    "poetry": {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[tool.poetry]\nname = "mod"\nversion = "1"\n'
    },
}
DYNAMIC = ["setup.py", "setup.cfg", "dynamic"]


@pytest.fixture(autouse=True)
def _setuptools(index: Index) -> None:
    """Serve the newest setuptools that virtualenv brings."""
    import virtualenv.seed.wheels.embed as embedded

    wheels = sorted(Path(embedded.__file__).parent.glob("setuptools-*.whl"))
    index.add(wheels[-1])


def lay_out(project: Project, layout: str) -> Path:
    """Write a project whose package `mod` requires apple; return its module."""
    if layout == "poetry":
        write_source(project.root, "mod", "1", requires=["apple"])
    for path, text in LAYOUTS[layout].items():
        project.write(path, text)
    project.write("empty/notes.txt", "")
    return project.write("mod/__init__.py", "STATE = 'old'\n")


def spec(project: Project, *environments: str) -> None:
    """Write a spec; the commands of its environments do not see the sources."""
    lines = [f"  {one}" for one in environments]
    project.write(
        "envs.yaml", "\n".join(["version: 1", "defaults: {change_dir: empty}", "environments:", *lines])
    )


def is_clean(project: Project, *names: str) -> bool:
    """Return whether `drift` finds nothing, files included."""
    ran = project.cli("drift", *names, "--files", "all", "--format", "json")
    return {one["status"] for one in json.loads(ran.stdout)["environments"]} == {"clean"}


# Layouts.


@pytest.mark.parametrize("mode", ["editable", "wheel"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_project_can_install_itself(project: Project, layout: str, mode: str) -> None:
    module = lay_out(project, layout)
    keys = "" if layout == "poetry" else ", requirements: [basket>=1]"
    spec(project, f"demo: {{package: {mode}{keys}, commands: [{IMPORT}]}}")
    ran = project.nox("-s", "lock", "demo")
    assert ran.returncode == 0, ran.output
    assert "apple==2.0" in project.read("requirements/demo.txt")
    assert not [line for line in project.read("requirements/demo.txt").splitlines() if line[:1] in ("m", ".")]
    assert (str(module) in ran.output) is (mode == "editable")
    again = project.nox("-s", "demo", check=True)
    assert "no drift" in again.output
    assert ("uv pip sync" in again.output) is (mode == "wheel")
    assert is_clean(project)
    frozen = project.cli("freeze", "demo").stdout
    assert ("-e file://" in frozen) is (mode == "editable")


def test_the_spec_that_init_writes_for_a_project_without_a_static_name_runs(project: Project) -> None:
    (project.root / "noxfile.py").unlink()
    lay_out(project, "setup.cfg")
    project.cli("init", check=True)
    project.nox("-s", "lock", check=True)
    assert "no drift" in project.nox("-s", "project", check=True).output


@pytest.mark.parametrize("layout", DYNAMIC)
def test_own_dependencies_that_changed_stop_the_session_and_a_new_lock_has_them(
    project: Project, layout: str
) -> None:
    lay_out(project, layout)
    project.write(
        "envs.yaml",
        """
        version: 1
        requirements: {own: [{extra: []}]}
        environments:
          whole: {package: editable}
          only: {requirements: [own]}
          loose: {requirements: [own], lock: false}
        """,
    )
    project.nox("-s", "lock", "whole", "only", "loose", check=True)
    assert project.cli("freeze", "only").stdout == project.cli("freeze", "loose").stdout == "apple==2.0\n"
    for path in ("setup.py", "setup.cfg", "in.txt"):
        if path in LAYOUTS[layout]:
            project.write(path, LAYOUTS[layout][path].replace("apple", "plum"))
    assert project.cli("check").returncode == 1
    for name in ("whole", "only"):
        refused = project.nox("-s", name)
        assert refused.returncode == 1
        assert f"fix: nox -s lock -- {name}" in refused.output
    project.nox("-s", "lock", "whole", "only", "loose", check=True)
    assert project.cli("freeze", "only").stdout == project.cli("freeze", "loose").stdout == "plum==1.0\n"
    assert "plum==1.0" in project.cli("freeze", "whole").stdout
    assert is_clean(project)


def test_a_project_that_its_own_tools_require_is_the_one_of_the_tree(project: Project, index: Index) -> None:
    index.release("hazel", "1.0")
    index.release("hazel-tool", "1.0", requires=["hazel>=2", "plum"])
    write_source(project.root, "hazel", "2.1.dev1", requires=["apple"])
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          editable: {package: editable, requirements: [hazel-tool==1.0]}
          wheel: {package: wheel, requirements: [hazel-tool==1.0]}
        """,
    )
    ran = project.nox("-s", "lock", "editable", "wheel")
    assert ran.returncode == 0, ran.output
    for name in ("editable", "wheel"):
        pins = [
            line.split()[0] for line in project.read(f"requirements/{name}.txt").splitlines() if "==" in line
        ]
        assert [pin for pin in pins if pin[0] not in "#-"] == ["apple==2.0", "hazel-tool==1.0", "plum==1.0"]
        assert "hazel-2.1.dev1" in " ".join(path.name for path in project.venv(name).site.iterdir())
    assert is_clean(project)


def test_what_setup_py_develop_installs_is_the_project(project: Project, index: Index) -> None:
    import ensurepip

    # Later ones leave this command to pip.
    if not (old := sorted((Path(ensurepip.__file__).parent / "_bundled").glob("setuptools-*.whl"))):
        pytest.skip("this Python brings no setuptools")
    index.add(old[0])
    lay_out(project, "setup.py")
    more = "setup(package_dir={'': 'src'}, "
    project.write("setup.py", project.read("setup.py").replace("setup(", more))
    project.write("src/mod/__init__.py", "")
    spec(project, "demo: {package: editable, requirements: [setuptools<80]}")
    project.nox("-s", "lock", "demo", check=True)
    project.nox("-s", "demo", check=True)
    site = project.venv("demo").site
    develop = [str(project.venv("demo").python), "setup.py", "-q", "develop", "--no-deps"]
    subprocess.run(develop, cwd=project.root, check=True, capture_output=True)
    assert (site / "easy-install.pth").read_text() == f"{project.root / 'src'}\n"
    assert is_clean(project)  # it is there twice, and both lead to one folder
    for path in site.glob("*y_mod*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert is_clean(project)
    assert "demo: no drift" in project.nox("-s", "demo", check=True).output


# A wheel is always that of the sources as they are.


def test_a_wheel_follows_its_sources_and_is_built_once_for_all_sessions(project: Project) -> None:
    module = lay_out(project, "setup.py")
    # What setuptools-scm and hatch-vcs do at each build.
    build = "import pathlib\npathlib.Path('mod/_version.py').write_text('v = 1\\n')\n"
    project.write("setup.py", build + project.read("setup.py"))
    gone = project.write("mod/gone.py", "")
    spec(
        project,
        f"a: {{package: wheel, commands: [{IMPORT}]}}",
        'b: {package: wheel, commands: ["python -c \'open(\\"../coverage.xml\\", \\"w\\")\'"]}',
    )
    project.nox("-s", "lock", check=True)
    for state in ("old", "old", "new"):
        module.write_text(f"STATE = {state!r}\n")
        ran = project.nox("-s", "a", "b", check=True)
        project.write("build.log", ran.output)
        assert state in ran.stdout
        assert ran.output.count("uv build") == 1
        assert ran.output.count(": no drift: 2 distributions") == 2
        assert "changed their own venv" not in ran.output
        assert is_clean(project)
    installed = [project.venv(name).site / "mod/gone.py" for name in ("a", "b")]
    assert all(path.exists() for path in installed)
    gone.unlink()
    project.nox("-s", "a", "b", check=True)
    assert not any(path.exists() for path in installed)
    assert not (project.root / "build").exists()


def test_a_wheel_is_fresh_although_its_lock_is_older_than_the_spec(project: Project) -> None:
    module = lay_out(project, "project")
    keys = f"package: wheel, commands: [{IMPORT}]"
    spec(project, f"demo: {{requirements: [plum>=1], {keys}}}")
    project.nox("-s", "lock", "demo", check=True)
    spec(project, f"demo: {{requirements: [plum>=0.9], {keys}}}")
    (project.venv("demo").site / "stray.py").write_text("")
    module.write_text("STATE = 'new'\n")
    ran = project.nox("-s", "demo", check=True)
    assert "1 lock-stale" in ran.output
    assert "new" in ran.stdout


def test_a_build_that_fails_says_why_and_leaves_the_venv(project: Project) -> None:
    lay_out(project, "project")
    spec(project, f"demo: {{package: wheel, commands: [{IMPORT}]}}")
    project.nox("-s", "lock", "demo", check=True)
    broken = project.write("setup.py", "raise SystemExit('the build is broken')\n")
    ran = project.nox("-s", "demo")
    assert ran.returncode == 1
    assert "the build is broken" in ran.output
    assert "Traceback" not in ran.output
    broken.unlink()
    assert "no drift" in project.nox("-s", "demo", check=True).output


# Editable.


def test_an_editable_project_is_installed_again_when_its_metadata_changes_only(project: Project) -> None:
    module = lay_out(project, "project")
    spec(project, f"demo: {{package: editable, commands: [{IMPORT}]}}")
    project.nox("-s", "lock", "demo", check=True)
    module.write_text("STATE = 'new'\n")
    edited = project.nox("-s", "demo", check=True)
    assert "new" in edited.stdout
    assert "uv pip" not in edited.output
    script = '[project.scripts]\nmod = "mod:main"\n'
    project.write("pyproject.toml", project.read("pyproject.toml") + script)
    assert "installed before its metadata changed" in project.cli("drift").stdout.replace("\n         ", " ")
    assert "repaired: 2 distributions" in project.nox("-s", "demo", check=True).output
    assert (project.venv("demo").location / "bin/mod").exists()
    assert "uv pip" not in project.nox("-s", "demo", check=True).output


@pytest.mark.parametrize("mode", ["editable", "wheel"])
def test_a_project_that_was_uninstalled_or_replaced_is_installed_again(project: Project, mode: str) -> None:
    write_source(project.root, "mod", "1.0")
    project.write("envs.yaml", f"version: 1\nenvironments:\n  demo: {{package: {mode}}}\n")
    project.nox("-s", "lock", "demo", check=True)
    other = write_source(project.root.parent / "other", "mod", "1.0")
    damages: dict[str, Callable[[], object]] = {
        "missing": lambda: project.venv("demo").uninstall("mod"),
        "source": lambda: project.venv("demo").install(other),
    }
    for kind, damage in damages.items():
        damage()
        drift = project.cli("drift", "--format", "json")
        (found,) = json.loads(drift.stdout)["environments"][0]["findings"]
        assert (found["kind"], found["package"], found["fix"]) == (kind, "mod", "nox -s demo")
        assert "repaired" in project.nox("-s", "demo", check=True).output
        assert is_clean(project)


# Local folders.


def test_a_local_folder_is_built_again_in_each_session_and_an_editable_one_is_used_as_it_is(
    project: Project,
) -> None:
    lib = write_source(project.root.parent / "my lib", "lib", "1.0")
    project.write("in.txt", "-e '../my lib'\n")
    names = {"locked": "['../my lib']", "loose": "['../my lib'], lock: false", "editable": "[{file: in.txt}]"}
    command = "commands: [\"python -c 'import lib; print(lib.STATE)'\"]"
    environments = "".join(f"  {name}: {{requirements: {keys}, {command}}}\n" for name, keys in names.items())
    project.write("envs.yaml", f"version: 1\nenvironments:\n{environments}")
    project.nox("-s", "lock", check=True)
    for state in ("old", "newer"):  # Python compares sizes, and times in seconds
        (lib / "lib/__init__.py").write_text(f"STATE = {state!r}\n")
        ran = project.nox("-s", *names, check=True)
        assert ran.stdout.split() == [state] * 3
        assert ran.output.count("no drift") == 3
        assert is_clean(project)
    write_source(lib, "lib", "1.0", requires=["apple>=1"])
    check = project.cli("check", "locked", "editable")
    assert check.returncode == 1
    assert check.stdout.count("lock-stale") == 2
    assert project.nox("-s", "locked").returncode == 1
    project.nox("--install-only", "-s", "lock", *names, check=True)
    for name in names:
        assert "apple==2.0" in project.cli("freeze", name, check=True).stdout


def test_local_paths_of_every_spelling_are_installed_from_where_they_are(project: Project) -> None:
    for name in ("alder", "birch", "cedar", "my elm"):
        write_source(project.root / "libs" / name, name.split()[-1], "1.0")
    (project.root / "wheels").mkdir()
    build_wheel(project.root / "wheels", "dogwood", "1.0")
    project.write("in/more.in", "-e ./libs/alder#egg=alder\ncedar @ file:./libs/cedar\n./libs/my elm\n")
    project.write(
        "envs.yaml",
        """
        version: 1
        requirements: {files: [{file: in/more.in}]}
        environments:
          demo: {requirements: [files, "birch @ ./libs/birch", "./wheels/dogwood-1.0-py3-none-any.whl"]}
          bare: {requirements: ["-e libs/alder"]}
        """,
    )
    ran = project.nox("-s", "lock", "demo", "bare")
    assert ran.returncode == 0, ran.output
    assert "no drift: 5 distributions" in ran.output
    assert is_clean(project)
    assert str(project.root) not in project.read("requirements/demo.txt") + project.read(
        "requirements/bare.txt"
    )
