"""Damages done for real to a venv: each is named by the right kind, and the next session fixes it."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import NamedTuple

import pytest

from nox_envs.drift import check_drift
from nox_envs.findings import FilesMode, Finding, drift_in
from nox_envs.project import Project as Opened
from nox_envs.report.report import EnvironmentReport
from nox_envs.values import replace
from nox_envs.venv.receipt import read_receipt, write_receipt
from nox_envs.venv.snapshot import evidence, record_digest, take
from tests.conftest import Machine, Project, Venv, uv
from tests.index import Index, build_wheel, record_text, write_source

pytestmark = [
    pytest.mark.functional,
    pytest.mark.skipif(os.name == "nt", reason="links and scripts are other things there"),
]

APPLE = "site/apple/__init__.py"
SPEC = """
    version: 1
    requirements:
      app: [basket>=1.0, plum==1.0, starter==1.0]
      twins: [left-twin==1.0, right-twin==1.0]
    environments:
      demo: {requirements: [app, press==1.0], drift: {files: all}}
      clash: {requirements: [twins], drift: {files: all}}
"""
HOOK = "import os, starter_hook; os.environ['STARTER'] = 'yes'\n"


@pytest.fixture(scope="module")
def orchard(machine: Machine, index: Index, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Make a project with a built environment that all tests damage in turn."""
    files = {"starter.pth": HOOK, "starter_hook.py": "", "starter/__init__.py": "", "starter/data.txt": "x"}
    index.release("starter", "1.0", files=files)
    for side in ("left", "right"):
        index.release(f"{side}-twin", "1.0", files={"twin.py": f"side = {side!r}\n", "same.py": ""})
    made = Project(root=tmp_path_factory.mktemp("orchard") / "project", machine=machine)
    made.write("noxfile.py", 'from nox_envs import load\n\nload("envs.yaml")\n')
    made.write("envs.yaml", SPEC)
    made.nox("-s", "lock", "demo", check=True)
    return made


@pytest.fixture
def demo(orchard: Project) -> Project:
    """Return the project with its environment as it should be, whatever an earlier test left."""
    if checked(orchard).status != "clean":
        orchard.nox("--reuse-venv=never", "-s", "demo", check=True)
    assert findings(orchard) == ()
    return orchard


def checked(project: Project, name: str = "demo", files: FilesMode = "all") -> EnvironmentReport:
    """Return what `nox-envs drift NAME --files FILES` reports."""
    opened = Opened(project.root / "envs.yaml", environ=project.machine.env)
    (found,) = check_drift(opened, (name,), files=files).environments
    return found


def findings(project: Project, name: str = "demo", files: FilesMode = "all") -> tuple[Finding, ...]:
    """Return the findings of `drift`."""
    return checked(project, name, files).findings


def told(project: Project, name: str = "demo", files: FilesMode = "all") -> list[tuple[str, str, str]]:
    """Return kind, package and severity of each finding that is more than a note."""
    return [(one.kind, one.package, one.severity) for one in drift_in(findings(project, name, files))]


Damage = Callable[[Venv], object]


def at(venv: Venv, path: str) -> Path:
    """Return a path of a venv: `site/` is its site-packages, `info/` the *.dist-info of apple."""
    top, _, rest = path.partition("/")
    tops = {"site": venv.site, "info": next(venv.site.glob("apple-2.0.dist-info"), venv.site)}
    return tops[top] / rest if top in tops else venv.location / path


def add(path: str, text: str = "") -> Damage:
    """Append to a file, or create it."""

    def damage(venv: Venv) -> None:
        at(venv, path).parent.mkdir(exist_ok=True)
        with at(venv, path).open("a") as stream:
            stream.write(text)

    return damage


def edit(path: str, old: str, new: str) -> Damage:
    """Replace a text in a file, without its time of change."""

    def damage(venv: Venv) -> None:
        file = at(venv, path)
        before = file.stat()
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    return damage


def delete(path: str) -> Damage:
    """Delete a file or folder."""
    return lambda venv: shutil.rmtree(at(venv, path)) if at(venv, path).is_dir() else at(venv, path).unlink()


def lead(path: str, target: str = "") -> Damage:
    """Replace a file or folder by a link, to a target or else to a copy of it outside the venv."""

    def damage(venv: Venv) -> None:
        file, copy = at(venv, path), venv.machine.scratch / "moved" / Path(path).name
        copy.parent.mkdir(exist_ok=True)
        if target:
            file.unlink()
        else:
            file.replace(copy)
        file.symlink_to(target or copy)

    return damage


def fake(name: str, version: str, kind: str = "dist-info", hook: str = "") -> Damage:
    """Put a distribution into the venv by hand, with a RECORD that owns the file `hook`."""

    def damage(venv: Venv) -> None:
        folder = venv.site / f"{name}-{version}.{kind}"
        folder.mkdir()
        metadata = folder / ("PKG-INFO" if kind == "egg-info" else "METADATA")
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n")
        files = [metadata, *([venv.site / hook] if hook else [])]
        if hook:
            files[1].write_text("import os\n")
        content = {file.relative_to(venv.site).as_posix(): file.read_text() for file in files}
        if kind != "egg-info":
            (folder / "RECORD").write_text(record_text(content, f"{folder.name}/RECORD"))

    return damage


def another_build(venv: Venv) -> Path:
    """Build another wheel of the same version of apple."""
    folder = venv.machine.scratch / "other"
    folder.mkdir(exist_ok=True)
    files = {"apple/__init__.py": "other = True\n"}
    return build_wheel(folder, "apple", "2.0", files=files, tag="py2.py3-none-any")


def install_a_file(venv: Venv) -> None:
    venv.install("--no-deps", "--reinstall", another_build(venv))


def install_another_build(venv: Venv) -> None:
    folder = another_build(venv).parent
    venv.install("--no-deps", "--reinstall", "--no-cache", "--no-index", "--find-links", folder, "apple==2.0")


def edit_with_its_record(venv: Venv) -> None:
    text = "import socket\n"
    (venv.site / "apple/__init__.py").write_text(text)
    row = record_text({"apple/__init__.py": text}, "RECORD").splitlines()[0]
    record = at(venv, "info/RECORD")
    rows = record.read_text().splitlines()
    record.write_text("\n".join([row, *(one for one in rows if not one.startswith("apple/__init__.py")), ""]))


def compile_to(path: str, mode: PycInvalidationMode = PycInvalidationMode.TIMESTAMP) -> Damage:
    """Compile a module of apple to another place."""

    def damage(venv: Venv) -> None:
        at(venv, path).parent.mkdir(exist_ok=True)
        source = str(venv.site / "apple/__init__.py")
        py_compile.compile(source, str(at(venv, path)), invalidation_mode=mode)

    return damage


def edit_shared_file(venv: Venv) -> None:
    """Edit a module that has two names, as with uv's default links, in a venv that was never repaired."""
    Project(root=venv.location.parents[1], machine=venv.machine).nox("--reuse-venv=never", "-s", "demo")
    os.link(at(venv, APPLE), venv.machine.scratch / "second")
    edit(APPLE, "2.0", "6.6")(venv)


def forge_bytecode(venv: Venv) -> None:
    module, other = at(venv, "site/plum/__init__.py"), venv.machine.scratch / "other.py"
    other.write_text(f"evil=1\n{'#' * 99}"[: module.stat().st_size])
    os.utime(other, ns=(module.stat().st_atime_ns, module.stat().st_mtime_ns))
    at(venv, PYC).parent.mkdir(exist_ok=True)
    py_compile.compile(str(other), str(at(venv, PYC)))
    venv.machine.run(venv.python, "-c", "import plum; plum.evil")


def forge_file_record_and_receipt(venv: Venv) -> None:
    edit_with_its_record(venv)
    receipt = read_receipt(venv.location)
    assert receipt
    now = {one.name: record_digest(one) for one in take(venv.location).distributions}
    rows = tuple(replace(one, record=now[one.name]) for one in receipt.distributions)
    write_receipt(venv.location, replace(receipt, distributions=rows))


def replace_the_interpreter(venv: Venv) -> None:
    own, base = venv.machine.scratch / "own", Path(sys.base_prefix)
    (own / "bin").mkdir(parents=True)
    (own / "lib").symlink_to(base / "lib")
    program = Path(shutil.copy2(os.path.realpath(base / f"bin/python{HERE}"), own / f"bin/python{HERE}"))
    shutil.rmtree(venv.location)
    venv.machine.run(uv(), "venv", "--python", program, venv.location)
    Project(root=venv.location.parents[1], machine=venv.machine).nox("-s", "demo", check=True)
    before = program.stat()
    program.write_bytes(program.read_bytes()[:-1] + b"\1")
    os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))


def move_from_another_project(venv: Venv) -> None:
    copy = venv.machine.scratch / "copied"
    shutil.copytree(venv.location.parents[1], copy, symlinks=True)
    copied = Project(root=copy, machine=venv.machine)
    assert told(copied) == [("python", "", "error")]
    assert "recreating the venv" in copied.nox("-s", "demo", check=True).output
    shutil.rmtree(venv.location)
    (copy / ".nox/demo").rename(venv.location)


def make_unreadable(venv: Venv) -> None:
    at(venv, APPLE).chmod(0)
    if os.access(at(venv, APPLE), os.R_OK):
        shutil.rmtree(venv.location)
        pytest.skip("this user may read any file")


class Case(NamedTuple):
    """A damage and the one finding that it makes.

    `seen` tells which check is the first to see it: `every` one, `--files changed`, or `all`; `then` what a
    session does that sees it. Without a kind, none sees it.
    """

    damage: Damage
    kind: str = ""
    package: str = ""
    severity: str = "error"
    seen: str = "every"
    then: str = "repairs"


broken = partial(Case, kind="broken-metadata", package="apple", severity="warning")
modified = partial(Case, kind="file-modified", seen="changed")
missing = partial(Case, kind="file-missing", seen="changed")
unowned = partial(Case, kind="unowned", severity="warning", seen="changed", then="leaves it")
added = partial(Case, kind="extraneous", then="recreates")
hook = partial(Case, kind="startup-hook", then="recreates")
python = partial(Case, kind="python", then="recreates")

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
OTHER = "3.9" if sys.version_info < (3, 11) else "3.99"  # the same markers hold
PYC = f"site/plum/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
EGG = "Metadata-Version: 2.1\nName: pip\nVersion: 24.0\n\n"
PACKAGES = {
    "a package is uninstalled": Case(lambda venv: venv.uninstall("plum"), "missing", "plum"),
    "a package is installed": Case(lambda venv: venv.install("raisin"), "extraneous", "raisin"),
    "a package is downgraded": Case(lambda venv: venv.install("apple==1.1"), "version", "apple"),
    "a package comes from a file": Case(install_a_file, "source", "apple"),
    "a package is another build of its version": Case(install_another_build, "artifact", "apple"),
    "a module is edited with its row in RECORD": Case(edit_with_its_record, "artifact", "apple"),
    "a fake `wheel` owns a hook": added(fake("wheel", "0.45.0", hook="wheel.pth"), package="wheel"),
    "a fake `setuptools`": added(fake("setuptools", "70.0"), package="setuptools"),
    "a fake `pip` as a folder `.egg-info`": added(fake("pip", "24.0", "egg-info"), package="pip"),
    "a fake `pip` as a file `.egg-info`": added(add("site/pip-24.0.egg-info", EGG), package="pip"),
    "a fake `wheel` as an `.egg-link`": added(add("site/wheel.egg-link", "/nowhere\n.\n"), package="wheel"),
    "a package in a folder `X.DIST-INFO`": added(fake("quiet", "1.0", "DIST-INFO"), package="quiet"),
    "a package is there in two versions": Case(fake("apple", "1.0"), "duplicate", "apple", then="recreates"),
    "METADATA is deleted": broken(delete("info/METADATA")),
    "METADATA has another name": broken(edit("info/METADATA", "Name: apple", "Name: pear")),
    "METADATA is a link": broken(lead("info/METADATA"), then="recreates"),
    "RECORD is deleted": broken(delete("info/RECORD"), then="recreates"),
    "RECORD is a link": Case(lead("info/RECORD"), "artifact", "apple", then="recreates"),
    "RECORD is garbled": Case(add("info/RECORD", "a,b,c,d,e\n"), "artifact", "apple", then="recreates"),
    "RECORD names a file outside": Case(add("info/RECORD", "../../../../a.txt,,\n"), "artifact", "apple"),
    "a removal was interrupted": Case(add("site/~pple/a.py"), "leftover", "", "warning", then="recreates"),
}
INTERPRETER = {
    "the venv is moved or copied": python(move_from_another_project),
    "`pyvenv.cfg` has another version": python(edit("pyvenv.cfg", HERE, OTHER)),
    "`pyvenv.cfg` has another home": python(edit("pyvenv.cfg", "home = ", "home = /nowhere")),
    "`pyvenv.cfg` lets system packages in": python(edit("pyvenv.cfg", "packages = false", "packages = true")),
    "`pyvenv.cfg` lost a line": python(edit("pyvenv.cfg", "include-system-site", "#")),
    "`pyvenv.cfg` is empty": python(lambda venv: at(venv, "pyvenv.cfg").write_text("")),
    "`pyvenv.cfg` is garbage": python(lambda venv: at(venv, "pyvenv.cfg").write_text("\7=\n[")),
    "`pyvenv.cfg` is deleted": python(delete("pyvenv.cfg")),
    "site-packages is deleted": python(delete("site")),
    "site-packages is a link out of the venv": python(lead("site")),
    "`bin/python3` leads elsewhere": python(lead("bin/python3", sys.executable)),
    "`bin/python` leads nowhere": python(lead("bin/python", "/nowhere")),
    "`bin/python` is deleted": python(delete("bin/python")),
    "`bin/python9` is added": python(lambda venv: at(venv, "bin/python9").symlink_to("/bin/sh")),
}
START_UP = {
    "a hook is added": hook(add("site/evil.pth", "import os\n")),
    "`sitecustomize` is added": hook(add("site/sitecustomize.py", "import os\n")),
    "`usercustomize` is added": hook(add("site/usercustomize/__init__.py", "import os\n")),
    "`bin/python._pth` decides the path": hook(add("bin/python._pth", "/nowhere\n")),
    "`bin/pyvenv.cfg` decides the path": hook(add("bin/pyvenv.cfg", "home = /nowhere\n")),
    "a hook of a package is edited": modified(add("site/starter.pth", "import this\n")),
    "what a hook imports is edited": modified(add("site/starter_hook.py", "x = 1\n")),
    "a hook of a package is deleted": missing(delete("site/starter.pth")),
}
for name, case in [*START_UP.items()][5:]:
    START_UP[name] = case._replace(package="starter", seen="every", then="recreates")
FILES = {
    "all modules of a package are deleted": missing(delete("site/plum"), package="plum", seen="every"),
    "a file is deleted": missing(delete("site/starter/data.txt"), package="starter"),
    "a program is deleted": missing(delete("bin/press"), package="press"),
    "`activate` is deleted": missing(delete("bin/activate"), then="recreates"),
    "a module is edited": modified(add(APPLE, "import socket\n"), package="apple"),
    "the same, with its old size and mtime": modified(edit(APPLE, "2.0", "6.6"), package="apple"),
    "the same, and uv's cache has the file too": modified(edit_shared_file, package="apple", seen="all"),
    "a module is a link": modified(lead(APPLE), package="apple"),
    "all modules of a package are links": modified(lead("site/plum/__init__.py"), package="plum"),
    "a module cannot be read": modified(make_unreadable, package="apple"),
    "a program of a package is edited": modified(add("bin/press", "print('more')\n"), package="press"),
    "`activate` is edited": modified(add("bin/activate", "export EVIL=1\n"), then="recreates"),
    "a program is added": unowned(add("bin/git", "#!/bin/sh\n")),
    "a module is added": unowned(add("site/stray.py")),
    "a compiled module is added": unowned(compile_to("site/stray.pyc")),
    "a compiled package shadows a module": unowned(compile_to("site/press/__init__.pyc")),
    "an empty folder shadows a module": unowned(lambda venv: at(venv, "site/press").mkdir()),
    "`__pycache__` has a file that is not bytecode": unowned(add("site/apple/__pycache__/notes.txt")),
    "`__pycache__` has bytecode of no module": unowned(compile_to("site/apple/__pycache__/stray.pyc")),
    "`__pycache__` is a link": unowned(lambda venv: at(venv, "site/basket/__pycache__").symlink_to("/")),
    "bytecode that Python uses unchecked": unowned(compile_to(PYC, PycInvalidationMode.UNCHECKED_HASH)),
}
UNSEEN = {
    forge_bytecode: "bytecode is forged with the time and size of its module | No RECORD has its hash.",
    forge_file_record_and_receipt: "a file, its RECORD and the receipt are forged | None of them is signed.",
    replace_the_interpreter: "the interpreter is replaced, with its size and time | Its content is not read.",
}
CHANGES = {"Packages": PACKAGES, "The interpreter": INTERPRETER, "Start-up files": START_UP, "Files": FILES}
CASES = {
    **PACKAGES,
    **INTERPRETER,
    **START_UP,
    **FILES,
    **{row.partition(" |")[0]: Case(damage) for damage, row in UNSEEN.items()},
}


@pytest.mark.parametrize("name", CASES)
def test_a_damage_is_found_alone_and_fixed(demo: Project, name: str) -> None:
    case, venv = CASES[name], demo.venv("demo")
    before = evidence(venv.location)
    case.damage(venv)
    expected = [(case.kind, case.package, case.severity)] if case.kind else []
    fix = "uv cache clean apple && nox -s demo" if "uv's cache" in name else "nox -s demo"
    fixes = ["delete it, or ignore its path in envs.yaml" if case.kind == "unowned" else fix]
    assert [one.fix for one in findings(demo)] == fixes * len(expected)
    assert told(demo) == expected
    assert told(demo, files="changed") == (expected if case.seen in ("every", "changed") else [])
    assert told(demo, files="off") == (expected if case.seen == "every" else [])
    if case.kind and case.seen == "every":  # what a clean verdict rests on has changed too
        assert evidence(venv.location) != before
    ran = demo.nox("-s", "demo")
    assert ran.returncode == 0, ran.output
    did = "recreates" if "Creating virtual env" in ran.output else "repairs"
    left = did == "repairs" and "repaired" not in ran.output
    assert ("leaves it" if left else did) == (case.then if case.kind else "leaves it"), ran.output
    assert told(demo) == (expected if left else []), ran.output
    if left:
        shutil.rmtree(venv.location)
    else:
        assert "no drift" in demo.nox("-s", "demo", check=True).output


def test_the_page_of_changes_has_every_case() -> None:
    page = Path(__file__).parents[1] / "docs/reference/changes.md"
    written = page.read_text()
    lines = [written.partition("\n## ")[0]]
    for link, cases in CHANGES.items():
        columns = "change | every session, `drift` | `--files changed` | `--files all` | kind | next session"
        lines += [f"## {link}\n", f"| {columns} |", f"|{'---|' * 6}"]
        for name, case in cases.items():
            late = ("every", "changed", "all").index(case.seen)
            kind = f"[`{case.kind}`](findings.md#{case.kind})"
            seen = " | ".join(["no"] * late + ["yes"] * (3 - late))
            lines.append(f"| {name} | {seen} | {kind} | {case.then} |")
        lines.append("")
    lines += ["## What no check sees\n", "| change | why |", "|---|---|"]
    lines += [f"| {row} |" for row in UNSEEN.values()]
    page.write_text("\n".join(lines) + "\n")
    assert page.read_text() == written, f"{page.name} was not as CHANGES say; now it is: commit it"


def test_a_folder_of_a_package_that_is_a_link_is_fixed(demo: Project) -> None:
    lead("site/plum")(demo.venv("demo"))
    assert ("file-modified", "plum", "error") in told(demo, files="changed")
    assert demo.nox("-s", "demo").returncode == 0


def test_a_lock_that_lost_a_line_leaves_an_unmet_requirement(demo: Project) -> None:
    lock = demo.read("requirements/demo.txt")
    start, end = lock.index("apple=="), lock.index("basket==")
    demo.write("requirements/demo.txt", lock[:start] + lock[end:])
    try:
        demo.venv("demo").uninstall("apple")
        (found,) = findings(demo)
        assert (found.kind, found.package, found.severity) == ("inconsistent", "basket", "error")
        assert (found.expected, found.actual) == ("apple>=1.0", "apple is not installed")
        assert found.fix == "nox -s lock -- demo"
        refused = demo.nox("--reuse-venv=never", "-s", "demo")
        assert refused.returncode == 1
        assert "1 inconsistent" in refused.output
    finally:
        demo.write("requirements/demo.txt", lock)
    demo.nox("-s", "demo", check=True)
    assert told(demo) == []


def test_files_that_no_distribution_owns_are_told_and_left(demo: Project) -> None:
    site = demo.venv("demo").site
    (site / "apple/extra.txt").write_text("")
    (site / "stray/deep").mkdir(parents=True)
    for name in ("one.py", "deep/two.py"):
        (site / "stray" / name).write_text("")
    (site / "apple/__pycache__").mkdir(exist_ok=True)
    (site / "apple/__pycache__/__init__.cpython-399.pyc").write_bytes(b"x\r\r\n" * 4)
    assert told(demo) == [("unowned", "", "warning")] * 2
    demo.venv("demo").uninstall("plum")
    ran = demo.nox("-s", "demo", check=True)
    assert "1 missing, 2 unowned" in ran.output
    assert "recreating" not in ran.output
    report = json.loads(demo.read(".nox/.nox-envs/reports/demo.json"))["environments"][0]
    assert report["status"] == "drift"
    assert {Path(one["path"]).name for one in report["findings"]} == {"extra.txt", "stray"}
    spec = demo.read("envs.yaml")
    ignored = "{files: all, ignore: [{kind: unowned, reason: ours}]}"
    demo.write("envs.yaml", spec.replace("{files: all}", ignored, 1))
    assert told(demo) == []
    assert "2 ignored" in demo.nox("-s", "demo", check=True).output
    demo.write("envs.yaml", spec)
    (site / "apple/extra.txt").unlink()
    shutil.rmtree(site / "stray")
    assert told(demo) == []


def test_a_file_of_two_packages_is_the_copy_of_one_of_them(demo: Project) -> None:
    demo.nox("-s", "lock", "--", "clash", check=True)
    ran = demo.nox("-s", "clash", check=True)
    assert "1 clobbered" in ran.output
    (found,) = findings(demo, "clash")
    winner = "left" if "left" in (demo.venv("clash").site / "twin.py").read_text() else "right"
    loser = "right" if winner == "left" else "left"
    assert (found.kind, found.package, found.severity) == ("clobbered", f"{loser}-twin", "warning")
    assert (found.expected, found.actual) == (f"twin.py of {loser}-twin", f"twin.py of {winner}-twin")
    assert found.fix == "if both packages are needed, ignore the path in envs.yaml; else require one of them"
    assert "recreating" not in demo.nox("-s", "clash", check=True).output
    (demo.venv("clash").site / "twin.py").write_text("side = 'none'\n")
    assert [kind for kind, _, _ in told(demo, "clash")] == ["file-modified"]


@pytest.mark.parametrize("hidden", [False, True])
def test_an_edit_in_the_cache_of_uv_does_not_come_back_unless_its_size_and_times_are_as_before(
    project: Project, tmp_path: Path, hidden: bool
) -> None:
    env = {"UV_LINK_MODE": "hardlink", "UV_CACHE_DIR": str(tmp_path / "cache")}
    both = "".join(f"  {name}: {{requirements: [apple==2.0]}}\n" for name in ("one", "two"))
    project.write("envs.yaml", f"version: 1\nenvironments:\n{both}")
    project.nox("-s", "lock", "one", env=env, check=True)
    if at(project.venv("one"), APPLE).stat().st_nlink < 2:
        pytest.skip("this file system has no hard links from the cache")
    (edit(APPLE, "2.0", "6.6") if hidden else add(APPLE, "import socket\n"))(project.venv("one"))
    (found,) = findings(project, "one")
    assert "probably a link to uv's cache" in found.actual
    assert found.fix == "uv cache clean apple && nox --reuse-venv=never -s one"
    built = project.nox("-s", "two", env=env, check=True)
    modified = [("file-modified", "apple", "error")]
    assert ("installed with 1 file-modified; installing again" in built.output) is not hidden
    assert told(project, "two") == (modified if hidden else [])
    assert told(project, "two", "changed") == []
    assert told(project, "one") == modified
    project.machine.run(uv(), "cache", "clean", "apple", env=env)
    project.nox("--reuse-venv=never", "-s", "one", env=env, check=True)
    assert told(project, "one") == []


@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
def test_a_new_venv_of_every_backend_has_no_finding(orchard: Project, project: Project, backend: str) -> None:
    wanted = "[basket==1.1, press==1.0, starter==1.0]"
    project.write(
        "envs.yaml",
        "version: 1\nenvironments:\n"
        f"  demo: {{requirements: {wanted}, backend: {backend}, drift: {{files: all}}}}\n",
    )
    project.nox("-s", "lock", "demo", check=True)
    assert told(project) == []
    venv = project.venv("demo", backend)  # type: ignore[arg-type]
    project.machine.run(venv.python, "-c", "import apple, basket, press, starter")
    assert told(project) == []
    if backend != "uv":
        with (venv.site / "pip/__init__.py").open("a") as stream:
            stream.write("# more\n")
        assert told(project) == [("file-modified", "pip", "error")]
        assert "recreating the venv: file-modified: pip" in project.nox("-s", "demo", check=True).output
        assert told(project) == []


def test_a_command_that_edits_a_package_is_reported_where_files_are_checked(project: Project) -> None:
    edit = "import apple; open(apple.__file__, 'a').write('# x')"
    project.write(
        "envs.yaml",
        f"""
        version: 1
        environments:
          demo:
            requirements: [apple==2.0]
            drift: {{files: changed}}
            commands: [[python, -c, "{edit}"]]
        """,
    )
    project.nox("-s", "lock", check=True)
    assert "changed their own venv: 1 file-modified" in project.nox("-s", "demo", check=True).output


def test_the_standard_library_finds_the_same_files(demo: Project) -> None:
    """Compare with importlib.metadata on the files, in the venv's own interpreter."""
    code = """
import base64, hashlib, importlib.metadata as m
for d in m.distributions():
    for f in d.files or ():
        if f.hash is None or f.suffix == '.pyc':
            continue
        p = f.locate()
        h = hashlib.new(f.hash.mode, p.read_bytes()).digest() if p.exists() else b''
        if base64.urlsafe_b64encode(h).rstrip(b'=').decode() != f.hash.value:
            print('file-modified' if p.exists() else 'file-missing', d.name)
"""
    venv = demo.venv("demo")
    for name in ("a module is edited", "a file is deleted", "a program of a package is edited"):
        CASES[name].damage(venv)
    lines = venv.machine.run(venv.python, "-I", "-c", code).stdout.splitlines()
    assert sorted(lines) == sorted(f"{kind} {package}" for kind, package, _ in told(demo))
    assert len(lines) == 3


# Direct references.


def git(project: Project, tree: Path, *words: str) -> str:
    """Run git in a source tree."""
    return project.machine.run("git", *words, cwd=tree).stdout.strip()


def test_another_commit_and_a_swapped_artifact_are_found_alone_and_fixed(
    project: Project, index: Index, tmp_path: Path
) -> None:
    index.release("quince", "1.0")
    tree = write_source(tmp_path / "grape", "grape", "1.0")
    git(project, tree, "init", "--quiet", "--initial-branch=main")
    for text in ("ripe = False\n", "ripe = True\n"):
        (tree / "grape/state.py").write_text(text)
        git(project, tree, "add", ".")
        git(project, tree, "commit", "--quiet", "--message", text.strip())
    url = f"{index.url.removesuffix('/simple')}/files/quince-1.0-py3-none-any.whl"
    config = f'[url "{tree.as_uri()}"]\n\tinsteadOf = https://git.example.org/grape\n'
    env = {"GIT_CONFIG_GLOBAL": str(project.write("gitconfig", "")), "GIT_ALLOW_PROTOCOL": "file:https"}
    (project.root / "gitconfig").write_text(config)
    first = git(project, tree, "rev-parse", "HEAD~1")
    project.write(
        "envs.yaml",
        f"""
        version: 1
        environments:
          demo:
            backend: virtualenv
            requirements: ["grape @ git+https://git.example.org/grape@{first}", "quince @ {url}"]
            drift: {{files: all}}
        """,
    )
    project.nox("-s", "lock", "demo", env=env, check=True)
    assert told(project) == []
    venv = project.venv("demo", "virtualenv")
    other = f"grape @ git+{tree.as_uri()}@main"
    venv.install("--no-deps", "--force-reinstall", other)
    assert told(project) == [("source", "grape", "error")]
    project.nox("-s", "demo", env=env, check=True)
    assert told(project) == []
    wheel = index.directory / "quince-1.0-py3-none-any.whl"
    original = wheel.read_bytes()
    index.release("quince", "1.0", files={"quince/__init__.py": "swapped = True\n"})
    venv.install("--no-deps", "--force-reinstall", f"quince @ {url}")
    wheel.write_bytes(original)
    index.add(wheel)
    assert told(project) == [("artifact", "quince", "error")]
    project.nox("-s", "demo", env=env, check=True)
    assert told(project) == []
    assert "swapped" not in (venv.site / "quince/__init__.py").read_text()
