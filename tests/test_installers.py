from __future__ import annotations

from pathlib import Path

import pytest

from nox_envs.installers import Installer, pip_installer, uv_installer
from tests.conftest import Backend, Machine, MakeVenv, Venv, uv
from tests.index import Index, write_source

UV = uv_installer("/bin/uv", "/venv/bin/python")
PIP = pip_installer("/venv/bin/python")


def test_uv_installs_from_outside_the_venv() -> None:
    assert UV.install(("lock.txt",), hashes=True) == (
        *("/bin/uv", "pip", "install", "--python", "/venv/bin/python", "--quiet"),
        *("--no-deps", "--require-hashes", "-r", "lock.txt"),
    )


def test_pip_installs_with_the_python_of_the_venv() -> None:
    assert PIP.install(("a.txt", "b.txt"), hashes=False, dependencies=True, fresh=True) == (
        *("/venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--force-reinstall", "-r", "a.txt", "-r", "b.txt"),
    )


def test_what_is_installed_is_replaced_on_request() -> None:
    assert "--reinstall" in UV.install(("a.txt",), hashes=False, fresh=True)
    assert "--reinstall" not in UV.install(("a.txt",), hashes=False)


def test_what_is_damaged_is_not_taken_from_the_cache() -> None:
    assert {"--no-cache", "--link-mode=copy"} <= set(UV.install(("a.txt",), hashes=True, uncached=True))
    assert "--no-cache-dir" in PIP.install_project("/project", (), editable=True, uncached=True)


def test_the_project_is_always_built_anew_and_without_dependencies() -> None:
    assert UV.install_project("/project", ("cli", "x"), editable=True)[-4:] == (
        *("--no-deps", "--reinstall", "-e", "/project[cli,x]"),
    )
    assert PIP.install_project("/project", (), editable=False)[-3:] == (
        *("--no-deps", "--force-reinstall", "/project"),
    )


def test_nobody_is_asked_before_packages_are_removed() -> None:
    assert UV.uninstall(("a", "b"))[-2:] == ("a", "b")
    assert PIP.uninstall(("a",))[-2:] == ("--yes", "a")


def installer(venv: Venv) -> Installer:
    return uv_installer(uv(), str(venv.python)) if venv.backend == "uv" else pip_installer(str(venv.python))


def frozen(venv: Venv) -> list[str]:
    return sorted(
        path.name for path in venv.site.glob("*.dist-info") if not path.name.startswith(("pip-", "set"))
    )


@pytest.mark.functional
@pytest.mark.parametrize("backend", ["uv", "venv"])
def test_the_commands_do_what_they_say(
    backend: Backend, machine: Machine, index: Index, make_venv: MakeVenv, tmp_path: Path
) -> None:
    venv = make_venv(backend)
    own = installer(venv)
    lock = tmp_path / "lock.txt"
    digest = index.sha256("basket-1.0-py3-none-any.whl")

    lock.write_text(f"basket==1.0 --hash=sha256:{digest}\n")
    machine.run(*own.install((str(lock),), hashes=True))
    assert frozen(venv) == ["basket-1.0.dist-info"]  # and none of its dependencies

    lock.write_text(f"basket==1.1 --hash=sha256:{digest}\n")
    assert machine.run(*own.install((str(lock),), hashes=True), check=False).returncode
    lock.write_text("basket==1.1\n")
    assert machine.run(*own.install((str(lock),), hashes=True), check=False).returncode
    assert frozen(venv) == ["basket-1.0.dist-info"]

    kept = venv.site / "basket" / "__init__.py"
    lock.write_text("basket==1.0\n")
    kept.write_text("changed = True\n")
    machine.run(*own.install((str(lock),), hashes=False))
    assert kept.read_text() == "changed = True\n"
    machine.run(*own.install((str(lock),), hashes=False, fresh=True))
    assert kept.read_text() == "__version__ = '1.0'\n"

    project = write_source(tmp_path / "project", "hazel", "0.1", requires=("apple",))
    for editable in (True, False):
        machine.run(*own.install_project(str(project), (), editable=editable))
        assert frozen(venv) == ["basket-1.0.dist-info", "hazel-0.1.dist-info"]
        assert (venv.site / "hazel").is_dir() is not editable

    machine.run(*own.uninstall(("basket", "hazel")))
    assert frozen(venv) == []
