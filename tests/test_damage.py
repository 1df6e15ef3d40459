"""Every kind of links (2) and (3), made by really damaging a small venv, found alone, and mended."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Machine, MakeVenv, Project, Venv, uv
from tests.index import Index, build_wheel, write_source

pytestmark = pytest.mark.functional

SPEC = """
    version: 1
    requirements:
      app: [basket>=1.0, plum==1.0, starter]
      tools: [press]
      twins: [left-twin, right-twin]
    environments:
      demo:
        requirements: [app, tools]
        drift: {files: all}
      clash:
        requirements: [twins]
        drift: {files: all}
"""


def release(index: Index) -> None:
    """Add packages that only these tests need."""
    hook = "import os; os.environ['STARTER'] = 'yes'\n"
    index.release(
        "starter", "1.0", files={"starter.pth": hook, "starter/__init__.py": "", "starter/data.txt": "x"}
    )
    index.release("left-twin", "1.0", files={"twin.py": "side = 'left'\n", "same.py": ""})
    index.release("right-twin", "1.0", files={"twin.py": "side = 'right'\n", "same.py": ""})


@pytest.fixture(scope="module")
def orchard(machine: Machine, index: Index, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Make a project with a built environment that all tests damage and mend in turn."""
    release(index)
    made = Project(root=tmp_path_factory.mktemp("orchard") / "project", machine=machine)
    made.write("noxfile.py", 'from nox_envs import load\n\nload("envs.yaml")\n')
    made.write("envs.yaml", SPEC)
    made.nox("-s", "lock", "demo", check=True)
    return made


@pytest.fixture
def demo(orchard: Project) -> Project:
    """Return the project with its environment as it should be, whatever an earlier test left."""
    if status(orchard) != "clean":
        orchard.nox("--reuse-venv=never", "-s", "demo", check=True)
    assert status(orchard) == "clean"
    return orchard


Found = list[tuple[str, str, str]]


def findings(project: Project, name: str = "demo", files: str = "all") -> list[dict[str, str]]:
    """Return the findings of the command line on one environment."""
    return list(checked(project, name, files)["findings"])


def status(project: Project) -> str:
    """Return the status of the environment."""
    return str(checked(project, "demo", "all")["status"])


def checked(project: Project, name: str, files: str) -> dict[str, list[dict[str, str]]]:
    """Return what the command line reports on an environment."""
    ran = project.cli("drift", name, "--files", files, "--format", "json")
    (environment,) = json.loads(ran.stdout)["environments"]
    return dict(environment)


def found(project: Project, name: str = "demo", files: str = "all") -> Found:
    """Return kind, package and severity of each finding."""
    return [(f["kind"], f["package"], f["severity"]) for f in findings(project, name, files)]


def info(venv: Venv, name: str) -> Path:
    """Return the *.dist-info of a package."""
    return next(venv.site.glob(f"{name}-*.dist-info"))


def other_build(venv: Venv, name: str, version: str) -> Path:
    """Build another wheel of a version."""
    folder = venv.machine.scratch / f"other-{name}"
    folder.mkdir(exist_ok=True)
    tag = "py2.py3-none-any"
    return build_wheel(folder, name, version, files={f"{name}/__init__.py": "other = True\n"}, tag=tag)


def uninstall(venv: Venv) -> None:
    venv.uninstall("plum")


def install(venv: Venv) -> None:
    venv.install("raisin")


def downgrade(venv: Venv) -> None:
    venv.install("apple==1.1")


def install_from_a_file(venv: Venv) -> None:
    venv.install("--no-deps", "--reinstall", venv.machine.scratch.parent / other_build(venv, "apple", "2.0"))


def install_another_build(venv: Venv) -> None:
    folder = other_build(venv, "apple", "2.0").parent
    venv.install("--no-deps", "--reinstall", "--no-cache", "--no-index", "--find-links", folder, "apple==2.0")


def change_interpreter(venv: Venv) -> None:
    other = "3.9.1" if sys.version_info < (3, 11) else "3.99.1"  # the same markers hold
    config = venv.location / "pyvenv.cfg"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("version_info")]
    config.write_text("\n".join([*lines, f"version_info = {other}", ""]))


def duplicate(venv: Venv) -> None:
    old = venv.site / "apple-1.0.dist-info"
    shutil.copytree(info(venv, "apple"), old)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: apple\nVersion: 1.0\n\n")
    rows = [f"apple-1.0.dist-info/{file.name},,\n" for file in old.iterdir()]
    (old / "RECORD").write_text("".join(rows))


def delete_metadata(venv: Venv) -> None:
    (info(venv, "apple") / "METADATA").unlink()


def delete_record(venv: Venv) -> None:
    (info(venv, "apple") / "RECORD").unlink()


def garble_record(venv: Venv) -> None:
    with (info(venv, "apple") / "RECORD").open("ab") as stream:
        stream.write(b"a,b,c,d,e\n")


def point_record_outside(venv: Venv) -> None:
    with (info(venv, "apple") / "RECORD").open("ab") as stream:
        stream.write(b"../../../../../../kept.txt,sha256=" + b"A" * 43 + b",1\n")
    venv.location.parent.parent.joinpath("kept.txt").write_text("")


def leave_over(venv: Venv) -> None:
    (venv.site / "~pple").mkdir()
    (venv.site / "~pple" / "old.py").write_text("")


def edit(venv: Venv) -> None:
    with (venv.site / "apple" / "__init__.py").open("a") as stream:
        stream.write("import socket\n")


def edit_and_hide_it(venv: Venv) -> None:
    file = venv.site / "apple" / "__init__.py"
    before = file.stat()
    text = file.read_text()
    file.write_text(text.replace("2.0", "6.6"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit_with_its_record(venv: Venv) -> None:
    edit(venv)
    data = (venv.site / "apple" / "__init__.py").read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record = info(venv, "apple") / "RECORD"
    rows = [row for row in record.read_text().splitlines() if not row.startswith("apple/__init__.py")]
    record.write_text("\n".join([f"apple/__init__.py,sha256={digest},{len(data)}", *rows, ""]))


def edit_a_script(venv: Venv) -> None:
    script = venv.location / "bin" / "press"
    script.write_text(script.read_text() + "print('more')\n")


def edit_an_owned_hook(venv: Venv) -> None:
    with (venv.site / "starter.pth").open("a") as stream:
        stream.write("import this\n")


def link_to_elsewhere(venv: Venv) -> None:
    file = venv.site / "apple" / "__init__.py"
    other = venv.machine.scratch / "elsewhere.py"
    shutil.copy(file, other)
    file.unlink()
    file.symlink_to(other)


def delete(venv: Venv) -> None:
    (venv.site / "starter" / "data.txt").unlink()


def add_a_hook(venv: Venv) -> None:
    (venv.site / "evil.pth").write_text("import os; os.environ['EVIL'] = 'yes'\n")


def add_sitecustomize(venv: Venv) -> None:
    (venv.site / "sitecustomize.py").write_text("import os\n")


def add_usercustomize(venv: Venv) -> None:
    (venv.site / "usercustomize").mkdir()
    (venv.site / "usercustomize" / "__init__.py").write_text("import os\n")


@dataclass(frozen=True, kw_only=True)
class Case:
    """Hold a damage and the one finding that it makes; `always` tells that no file check is needed."""

    damage: Callable[[Venv], None]
    kind: str
    package: str = "apple"
    severity: str = "error"
    always: bool = True


CASES = (
    Case(damage=uninstall, kind="missing", package="plum"),
    Case(damage=install, kind="extraneous", package="raisin"),
    Case(damage=downgrade, kind="version"),
    Case(damage=install_from_a_file, kind="source"),
    Case(damage=install_another_build, kind="artifact", always=False),
    Case(damage=change_interpreter, kind="python", package=""),
    Case(damage=duplicate, kind="duplicate"),
    Case(damage=delete_metadata, kind="broken-metadata", severity="warning"),
    Case(damage=delete_record, kind="broken-metadata", severity="warning", always=False),
    Case(damage=garble_record, kind="broken-metadata", severity="warning", always=False),
    Case(damage=point_record_outside, kind="broken-metadata", severity="warning", always=False),
    Case(damage=leave_over, kind="leftover", package="", severity="warning"),
    Case(damage=edit, kind="file-modified", always=False),
    Case(damage=edit_and_hide_it, kind="file-modified", always=False),
    Case(damage=edit_with_its_record, kind="file-modified", always=False),
    Case(damage=edit_a_script, kind="file-modified", package="press", always=False),
    Case(damage=edit_an_owned_hook, kind="file-modified", package="starter"),
    Case(damage=link_to_elsewhere, kind="file-modified", always=False),
    Case(damage=delete, kind="file-missing", package="starter", always=False),
    Case(damage=add_a_hook, kind="startup-hook", package=""),
    Case(damage=add_sitecustomize, kind="startup-hook", package=""),
    Case(damage=add_usercustomize, kind="startup-hook", package=""),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.damage.__name__)
def test_a_damage_is_found_alone_and_mended(demo: Project, case: Case) -> None:
    if os.name == "nt" and case.damage in (edit_a_script, link_to_elsewhere):
        pytest.skip("scripts are programs here, and links need a privilege")
    case.damage(demo.venv("demo"))
    expected = [(case.kind, case.package, case.severity)]
    assert found(demo) == expected
    assert found(demo, files="off") == (expected if case.always else [])
    assert {f["fix"] for f in findings(demo)} == {"nox -s demo"}
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    assert case.kind in ran.output or case.kind == "python"
    assert status(demo) == "clean"
    assert found(demo) == []
    assert "no drift" in demo.nox("-s", "demo", check=True).output
    assert case.damage is not point_record_outside or (demo.root / "kept.txt").exists()


def remove_the_lock(lock: str, spec: str) -> tuple[str, str]:
    return "", spec


def cut_a_hash(lock: str, spec: str) -> tuple[str, str]:
    start = lock.index("apple==2.0")
    end = lock.index("    # via", start)
    return f"{lock[:start]}apple==2.0\n{lock[end:]}", spec


def add_an_index(lock: str, spec: str) -> tuple[str, str]:
    start = lock.index("apple==2.0")
    return f"{lock[:start]}--index-url https://packages.example.org/simple\n{lock[start:]}", spec


def ask_for_more_of_the_same(lock: str, spec: str) -> tuple[str, str]:
    return lock, spec.replace("[press]", "[press>=1]")


def ask_for_another_version(lock: str, spec: str) -> tuple[str, str]:
    return lock, spec.replace("basket>=1.0", "basket<1.1")


@pytest.mark.parametrize(
    ("damage", "kind", "package", "severity"),
    [
        (remove_the_lock, "lock-missing", "", "error"),
        (cut_a_hash, "lock-unhashed", "apple", "error"),
        (add_an_index, "leak", "", "error"),
        (ask_for_more_of_the_same, "lock-stale", "press", "warning"),
        (ask_for_another_version, "lock-unsatisfied", "basket", "error"),
    ],
)
def test_a_damaged_lock_is_found_alone_and_mended(
    demo: Project, damage: Callable[[str, str], tuple[str, str]], kind: str, package: str, severity: str
) -> None:
    before = demo.read("requirements/demo.txt"), demo.read("envs.yaml")
    lock, spec = damage(*before)
    try:
        demo.write("envs.yaml", spec)
        demo.write("requirements/demo.txt", lock)
        if not lock:
            (demo.root / "requirements" / "demo.txt").unlink()
        assert found(demo) == [(kind, package, severity)]
        (finding,) = findings(demo)
        assert finding["fix"] == "nox -s lock -- demo"
        assert demo.cli("drift", "demo").returncode == (severity == "error")
        demo.nox(*finding["fix"].split()[1:], check=True)
        demo.nox("-s", "demo", check=True)
        assert found(demo) == []
    finally:
        demo.write("requirements/demo.txt", before[0])
        demo.write("envs.yaml", before[1])


def test_a_lock_that_nothing_declares_is_found_alone_and_mended(demo: Project) -> None:
    stray = demo.write("requirements/old.txt", demo.read("requirements/demo.txt"))
    (finding,) = json.loads(demo.cli("drift", "--format", "json").stdout)["findings"]
    assert (finding["kind"], finding["severity"]) == ("lock-orphaned", "warning")
    assert finding["fix"] == "git rm requirements/old.txt"
    stray.unlink()
    assert json.loads(demo.cli("drift", "--format", "json").stdout)["findings"] == []


def test_a_hidden_edit_is_what_the_mode_changed_cannot_see(demo: Project) -> None:
    edit_and_hide_it(demo.venv("demo"))
    assert found(demo, files="changed") == []
    assert found(demo, files="all") == [("file-modified", "apple", "error")]


@pytest.mark.parametrize("damage", [edit, delete, add_a_hook])
def test_the_mode_changed_sees_what_an_editor_does(demo: Project, damage: Callable[[Venv], None]) -> None:
    damage(demo.venv("demo"))
    assert len(found(demo, files="changed")) == 1


def test_files_that_nobody_owns_are_told_and_left(demo: Project) -> None:
    site = demo.venv("demo").site
    (site / "apple" / "extra.txt").write_text("")
    (site / "stray" / "deep").mkdir(parents=True)
    for name in ("one.py", "deep/two.py"):
        (site / "stray" / name).write_text("")
    (site / "apple" / "__pycache__").mkdir(exist_ok=True)
    (site / "apple" / "__pycache__" / "anything.cpython-312.pyc").write_bytes(b"")
    expected = [("unowned", "", "warning")] * 2
    assert found(demo) == expected
    told = findings(demo)
    assert [Path(f["path"]).name for f in told] == ["extra.txt", "stray"] or {
        Path(f["path"]).name for f in told
    } == {"extra.txt", "stray"}
    demo.venv("demo").uninstall("plum")
    ran = demo.nox("-s", "demo", check=True)
    assert "demo: repaired: 1 missing" in ran.output
    assert "demo: drift: 2 unowned" in ran.output
    assert "anew" not in ran.output
    (told_last,) = json.loads(demo.read(".nox/.nox-envs/reports/demo.json"))["environments"]
    assert told_last["status"] == "drift"
    assert {finding["kind"] for finding in told_last["findings"]} == {"unowned"}
    assert (site / "apple" / "extra.txt").exists()
    for finding in told:
        assert finding["fix"] == "delete it, or ignore its path in envs.yaml"
        stray = demo.root / finding["path"]
        shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
    assert found(demo) == []


def test_what_was_deleted_comes_from_the_cache_and_needs_no_index(demo: Project) -> None:
    delete(demo.venv("demo"))
    delete_metadata(demo.venv("demo"))
    ran = demo.nox("-s", "demo", env={"UV_OFFLINE": "1"})
    assert ran.returncode == 0, ran.output
    assert "repaired" in ran.output
    assert found(demo) == []


def test_a_file_of_two_packages_is_clobbered_for_the_one_that_lost_it(demo: Project) -> None:
    demo.nox("-s", "lock", "--", "clash", check=True)
    ran = demo.nox("-s", "clash", check=True)
    assert "no drift" not in ran.output or "clobbered" in ran.output
    ((kind, package, severity),) = found(demo, "clash")
    text = (demo.venv("clash").site / "twin.py").read_text()
    winner, loser = ("left", "right") if "left" in text else ("right", "left")
    assert (kind, package, severity) == ("clobbered", f"{loser}-twin", "warning")
    assert f"{winner}-twin" in findings(demo, "clash")[0]["actual"]
    again = demo.nox("-s", "clash", check=True)
    assert "anew" not in again.output
    assert "clobbered" in again.output
    with (demo.venv("clash").site / "twin.py").open("a") as stream:
        stream.write("# neither\n")
    assert [f[0] for f in found(demo, "clash")] == ["file-modified"]


def without_pin(lock: str, name: str) -> str:
    """Return a lock without the lines of one package."""
    lines, skipped = [], False
    for line in lock.splitlines(keepends=True):
        skipped = line.startswith(f"{name}==") or (skipped and line[:1] in (" ", "#"))
        lines += [] if skipped else [line]
    return "".join(lines)


def test_a_lock_that_lost_a_line_leaves_an_unmet_requirement(demo: Project) -> None:
    lock = demo.read("requirements/demo.txt")
    demo.write("requirements/demo.txt", without_pin(lock, "apple"))
    try:
        demo.venv("demo").uninstall("apple")
        ((finding),) = findings(demo)
        assert (finding["kind"], finding["package"], finding["severity"]) == (
            "inconsistent",
            "basket",
            "error",
        )
        assert finding["expected"] == "apple>=1.0"
        assert finding["actual"] == "apple is not installed"
        assert finding["fix"] == "nox -s lock -- demo"
        refused = demo.nox("--reuse-venv=never", "-s", "demo")
        assert refused.returncode == 1
        assert "inconsistent" in refused.output
    finally:
        demo.write("requirements/demo.txt", lock)
    demo.nox("-s", "demo", check=True)
    assert found(demo) == []


def test_an_unmet_requirement_without_a_lock_names_the_command_that_makes_the_venv_anew(
    project: Project,
) -> None:
    project.write(
        "envs.yaml", "version: 1\nenvironments:\n  free: {lock: false, requirements: [basket>=1]}\n"
    )
    project.nox("-s", "free", check=True)
    metadata = info(project.venv("free"), "basket") / "METADATA"
    metadata.write_text(metadata.read_text().replace("apple>=1.0", "apple>=9"))
    (finding,) = findings(project, "free", files="off")
    assert (finding["kind"], finding["actual"]) == ("inconsistent", "apple 2.0")
    fix = "nox --reuse-venv=never -s free"
    assert finding["fix"] == fix
    project.nox(*fix.split()[1:], check=True)
    assert found(project, "free") == []


def test_a_folder_that_is_no_venv_any_more_names_the_session_that_makes_it(demo: Project) -> None:
    (demo.venv("demo").location / "pyvenv.cfg").unlink()
    told = demo.cli("drift", "demo").stdout
    assert "is no virtual environment: it has no pyvenv.cfg; nox -s demo" in told
    demo.nox("-s", "demo", check=True)
    assert status(demo) == "clean"


def test_a_poisoned_cache_does_not_come_back(project: Project, tmp_path: Path) -> None:
    env = {"UV_LINK_MODE": "hardlink", "UV_CACHE_DIR": str(tmp_path / "cache")}
    project.write(
        "envs.yaml",
        "version: 1\nenvironments:\n  one: {requirements: [apple==2.0]}\n"
        "  two: {requirements: [apple==2.0]}\n",
    )
    project.nox("-s", "lock", "one", env=env, check=True)
    file = project.venv("one").site / "apple" / "__init__.py"
    if file.stat().st_nlink < 2:
        pytest.skip("this file system has no hard links from the cache")
    edit(project.venv("one"))
    os.utime(file, (file.stat().st_mtime + 60,) * 2)  # nobody edits within two seconds of an installation
    (finding,) = findings(project, "one")
    assert "uv linked it from its cache" in finding["actual"]
    assert "UV_LINK_MODE=copy" in finding["actual"]
    built = project.nox("-s", "two", env=env)
    assert built.returncode == 0, built.output
    assert "file-modified" in built.output
    assert found(project, "two") == []
    assert found(project, "one") != []


def test_a_venv_that_is_all_links_is_noted_and_no_drift(project: Project) -> None:
    if os.name == "nt":
        pytest.skip("links need a privilege here")
    project.write("envs.yaml", "version: 1\nenvironments:\n  demo: {requirements: [basket==1.1]}\n")
    project.nox("-s", "lock", "demo", env={"UV_LINK_MODE": "symlink"}, check=True)
    assert (project.venv("demo").site / "apple" / "__init__.py").is_symlink()
    assert {(kind, severity) for kind, _, severity in found(project)} == {("unverifiable", "note")}


@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
def test_a_new_venv_of_every_backend_has_no_finding(project: Project, index: Index, backend: str) -> None:
    release(index)
    project.write(
        "envs.yaml",
        f"version: 1\nenvironments:\n  demo: {{requirements: [basket==1.1, press==1.0, starter==1.0], "
        f"backend: {backend}, drift: {{files: all}}}}\n",
    )
    project.nox("-s", "lock", "demo", check=True)
    assert found(project) == []
    venv = project.venv("demo", backend)  # type: ignore[arg-type]
    project.machine.run(venv.python, "-c", "import apple, basket, press, starter")
    assert found(project) == []
    edit(venv)
    project.nox("-s", "demo", check=True)
    assert found(project) == []


def test_a_damaged_seed_package_means_a_new_venv(project: Project) -> None:
    project.write(
        "envs.yaml",
        """
        version: 1
        environments:
          demo: {requirements: [apple==2.0], backend: venv, drift: {files: changed}}
        """,
    )
    project.nox("-s", "lock", "demo", check=True)
    venv = project.venv("demo", "venv")
    with (venv.site / "pip" / "__init__.py").open("a") as stream:
        stream.write("# more\n")
    assert found(project) == [("file-modified", "pip", "error")]
    ran = project.nox("-s", "demo", check=True)
    assert "making the venv anew: file-modified of pip" in ran.output
    assert found(project) == []


def test_a_command_that_edits_a_package_is_reported_where_files_are_checked(project: Project) -> None:
    code = "import apple; open(apple.__file__, 'a').write('# x')"
    project.write(
        "envs.yaml",
        f"""
        version: 1
        environments:
          demo:
            requirements: [apple==2.0]
            drift: {{files: changed}}
            commands: [[python, -c, "{code}"]]
        """,
    )
    project.nox("-s", "lock", check=True)
    ran = project.nox("-s", "demo", check=True)
    assert "changed their own venv: 1 file-modified" in ran.output


def test_the_drift_session_compares_files_that_changed(demo: Project) -> None:
    edit(demo.venv("demo"))
    ran = demo.nox("-s", "drift", "--", "demo")
    assert ran.returncode == 1
    assert "file-modified" in ran.output
    assert demo.nox("-s", "drift", "--", "demo", "--files", "off").returncode == 0


@pytest.mark.parametrize("backend", ["uv", "virtualenv"])
def test_pip_check_and_uv_pip_check_agree_on_what_is_unmet(make_venv: MakeVenv, backend: str) -> None:
    from packaging.markers import default_environment

    from nox_envs.integrity.consistency import unmet_requirements
    from nox_envs.snapshot import take

    venv = make_venv("virtualenv")
    venv.install("basket[dried]==1.1")
    host = {key: str(value) for key, value in default_environment().items()}

    def oracles() -> tuple[bool, bool, set[tuple[str, str]]]:
        pip = venv.pip("check", check=False)
        fast = venv.machine.run(uv(), "pip", "check", "--python", venv.python, check=False)
        ours = {(u.package, u.needs) for u in unmet_requirements(take(venv.location), host)}
        for package, needs in ours:
            assert package in pip.output
            assert needs in pip.output
            assert needs in fast.output
        return pip.returncode == 0, fast.returncode == 0, ours

    assert oracles() == (True, True, set())
    venv.uninstall("apple")
    assert oracles() == (False, False, {("basket", "apple")})
    venv.install("--no-deps", "apple==1.0")
    assert oracles() == (True, True, set())
    venv.uninstall("raisin")  # only an extra asks for it, which pip and uv do not see in a venv
    assert oracles() == (True, True, set())
    extras = (("basket", ("dried",)),)
    (unmet,) = unmet_requirements(take(venv.location), host, extras=extras)
    assert (unmet.package, unmet.needs) == ("basket", "raisin")


def test_uv_pip_check_agrees_that_a_package_is_there_twice(demo: Project) -> None:
    venv = demo.venv("demo")

    def oracle() -> bool:
        ran = venv.machine.run(uv(), "pip", "check", "--python", venv.python, check=False)
        assert (ran.returncode == 0) is ("apple" not in ran.output), ran.output
        return ran.returncode == 0

    assert (oracle(), found(demo)) == (True, [])
    duplicate(venv)
    assert (oracle(), found(demo)) == (False, [("duplicate", "apple", "error")])


def test_uv_pip_check_agrees_on_a_package_for_another_python(make_venv: MakeVenv) -> None:
    from packaging.markers import default_environment

    from nox_envs.integrity.consistency import unmet_requirements
    from nox_envs.snapshot import take

    venv = make_venv("virtualenv")
    venv.install("apple==2.0", "plum==1.0")
    host = {key: str(value) for key, value in default_environment().items()}
    metadata = info(venv, "apple") / "METADATA"
    for requires, sound in ((">=3.8", True), ("!=3.0, >=3.99", False), ("<3.9", True)):
        lines = [line for line in metadata.read_text().splitlines() if not line.startswith("Requires-P")]
        metadata.write_text("\n".join([*lines[:3], f"Requires-Python: {requires}", *lines[3:], ""]))
        # Its cache remembers what METADATA said before.
        fast = venv.machine.run(uv(), "pip", "check", "--no-cache", "--python", venv.python, check=False)
        assert (fast.returncode == 0) is sound, fast.output
        assert venv.pip("check").returncode == 0  # pip does not look
        ours = [(u.package, u.finding.expected) for u in unmet_requirements(take(venv.location), host)]
        assert ours == ([] if sound else [("apple", f"Python {requires}")])
        assert sound or requires in fast.output


def test_a_record_check_by_the_standard_library_agrees(demo: Project) -> None:
    """Compare with importlib.metadata on the files, in the venv's own interpreter."""
    code = """
import base64, hashlib, importlib.metadata as m
for d in m.distributions():
    for f in d.files or ():
        if f.hash is None or f.suffix == '.pyc':
            continue
        p = f.locate()
        if not p.exists():
            print('file-missing', d.name)
        else:
            h = hashlib.new(f.hash.mode, p.read_bytes()).digest()
            if base64.urlsafe_b64encode(h).rstrip(b'=').decode() != f.hash.value:
                print('file-modified', d.name)
"""
    venv = demo.venv("demo")

    def oracle() -> list[tuple[str, str]]:
        lines = venv.machine.run(venv.python, "-I", "-c", code).stdout.splitlines()
        return sorted((kind, name) for kind, name in (line.split() for line in lines))

    assert oracle() == []
    edit(venv)
    delete(venv)
    edit_a_script(venv)
    assert oracle() == sorted((kind, package) for kind, package, _ in found(demo))
    assert len(oracle()) == 3


def test_a_venv_made_by_an_older_creator_keeps_its_own_startup_files(demo: Project) -> None:
    """Play a creator that leaves `_virtualenv.pth` and its module, as those for older Pythons do."""
    site = demo.venv("demo").site
    receipt = demo.root / ".nox/demo/nox-envs.json"
    document = json.loads(receipt.read_text())
    for name, text in (("_virtualenv.pth", "import _virtualenv"), ("_virtualenv.py", "x = 1\n")):
        (site / name).write_text(text)
        path = (site / name).relative_to(demo.root / ".nox/demo").as_posix()
        digest = hashlib.sha256((site / name).read_bytes()).hexdigest()
        document["created"].append([path, f"sha256:{digest}"])
    receipt.write_text(json.dumps(document))
    assert found(demo) == []
    (site / "_virtualenv.py").write_text("x = 2\n")
    ((finding),) = findings(demo, files="off")
    assert (finding["kind"], finding["expected"]) == ("startup-hook", "what the venv's creator wrote")
    ran = demo.nox("-s", "demo", check=True)
    assert "making the venv anew: _virtualenv.py is not what the venv's creator wrote" in ran.output
    assert found(demo) == []


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Serve a directory as it is, on the loopback interface, and return its URL."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    (tmp_path / "served").mkdir()
    handler = partial(Quiet, directory=tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def direct(project: Project, index: Index, served: str, tmp_path: Path) -> Project:
    """Make a project with packages from a repository and from a URL, whose hash pip records."""
    index.release("quince", "1.0")
    tree = write_source(tmp_path / "grape", "grape", "1.0")
    git(project, tree, "init", "--quiet", "--initial-branch=main")
    for text in ("ripe = False\n", "ripe = True\n"):
        (tree / "grape" / "state.py").write_text(text)
        git(project, tree, "add", ".")
        git(project, tree, "commit", "--quiet", "--message", text.strip())
    first = git(project, tree, "rev-parse", "HEAD~1").strip()
    bare = tmp_path / "served" / "grape.git"
    git(project, tmp_path, "clone", "--quiet", "--bare", str(tree), str(bare))
    git(project, bare, "update-server-info")
    quince = f"{index.url.removesuffix('/simple')}/files/quince-1.0-py3-none-any.whl"
    project.write(
        "envs.yaml",
        f"""
        version: 1
        environments:
          demo:
            backend: virtualenv
            requirements: ["grape @ git+{served}/grape.git@{first}", "quince @ {quince}"]
            drift: {{files: all}}
        """,
    )
    project.nox("-s", "lock", "demo", check=True)
    return project


def git(project: Project, tree: Path, *words: str) -> str:
    """Run git in a source tree."""
    return project.machine.run("git", *words, cwd=tree).stdout


def test_another_commit_and_a_swapped_artifact_are_found_alone_and_mended(
    direct: Project, index: Index, served: str
) -> None:
    assert found(direct) == []
    venv = direct.venv("demo", "virtualenv")
    venv.install("--no-deps", "--force-reinstall", f"grape @ git+{served}/grape.git@main")
    assert found(direct) == [("revision", "grape", "error")]
    direct.nox("-s", "demo", check=True)
    assert found(direct) == []

    wheel = index.directory / "quince-1.0-py3-none-any.whl"
    original = wheel.read_bytes()
    url = f"{index.url.removesuffix('/simple')}/files/{wheel.name}"
    index.release("quince", "1.0", files={"quince/__init__.py": "swapped = True\n"})
    venv.install("--no-deps", "--force-reinstall", f"quince @ {url}")
    wheel.write_bytes(original)
    index.add(wheel)
    assert found(direct) == [("artifact", "quince", "error")]
    direct.nox("-s", "demo", check=True)
    assert found(direct) == []
    assert "swapped" not in (venv.site / "quince" / "__init__.py").read_text()
