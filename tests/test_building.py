"""Which options on builds and files an installer is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from nox_envs.errors import NoxEnvsError
from nox_envs.installers import Installer, pip_installer, uv_installer
from nox_envs.spec.types import LockOptions
from nox_envs.workflow.building import choosing, prerelease_options
from tests.plans import planned, wants

UV = uv_installer("uv", "python")
PIP = pip_installer("python")


class Recorder:
    """Keep what an installer would be run with, and the text of its build constraints."""

    def __init__(self, location: Path, installer: Installer) -> None:
        self.location = location
        self.installer = installer
        self.ran: list[tuple[str, ...]] = []

    def install(self, argv: tuple[str, ...]) -> None:
        """Keep a command line."""
        self.ran.append(argv)


def options_of(location: Path, installer: Installer) -> tuple[set[str], set[str], str]:
    """Return the options of an installation and of one of the project, and what limits the builds."""
    options = LockOptions(only_binary=(":all:",), no_binary=("plum",))
    plan = planned(wants("plum"), lock=options, build_constraints=[wants("apple<2")])
    recorder = Recorder(location, installer)
    with choosing(recorder, plan, location) as host:
        host.install(host.installer.install(("a.txt",), hashes=True))
        host.install(host.installer.install_project("/project", (), editable=False))
        file = location / "nox-envs-build.txt"
        text = file.read_text()
    assert not file.exists()
    pip, project = recorder.ran
    return {one for one in pip if "=" in one}, {one for one in project if "=" in one}, text


def test_uv_limits_builds_and_takes_the_files_that_are_asked_for(tmp_path: Path) -> None:
    every, own, text = options_of(tmp_path, UV)
    (building,) = own  # the project is built, whatever is taken from an index
    assert building.startswith("--build-constraints=")
    assert building.endswith("nox-envs-build.txt")
    assert every == {building, "--only-binary=:all:", "--no-binary=plum"}
    assert text == "apple<2\n"


@pytest.mark.parametrize(("folder", "known"), [("pip-25.3", True), ("pip-26.0.1", True), ("pip-25.2", False)])
def test_a_pip_that_cannot_limit_builds_is_not_asked_to(tmp_path: Path, folder: str, known: bool) -> None:
    (tmp_path / f"lib/python3.12/site-packages/{folder}.dist-info").mkdir(parents=True)
    every, own, _ = options_of(tmp_path, PIP)
    assert [one.partition("=")[0] for one in own] == (["--build-constraint"] if known else [])
    assert every - own == {"--only-binary=:all:", "--no-binary=plum"}


def test_a_venv_without_pip_is_not_asked_either(tmp_path: Path) -> None:
    assert options_of(tmp_path, PIP)[1] == set()


def test_a_plan_without_options_changes_no_installer(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, UV)
    with choosing(recorder, planned(wants("plum")), tmp_path) as host:
        assert host is recorder


def test_prereleases_are_allowed_as_the_installer_can() -> None:
    none, every, named = (
        planned(wants("plum"), prereleases=value) for value in (False, True, ("plum", "pi"))
    )
    assert prerelease_options(none, UV) == prerelease_options(none, PIP) == ()
    assert prerelease_options(every, UV) == ("--prerelease=allow",)
    assert prerelease_options(every, PIP) == ("--pre",)
    assert prerelease_options(named, UV) == (
        "--prerelease-package=plum=allow",
        "--prerelease-package=pi=allow",
    )
    with pytest.raises(NoxEnvsError, match="pip cannot allow pre-releases by name"):
        prerelease_options(named, PIP)
