from __future__ import annotations

import pytest

from nox_envs.drift import Expectation, Finding, ProjectExpectation, Severity
from nox_envs.pins import Pin
from nox_envs.workflow.mending import Mending, mending_of

APPLE, BASKET, PEAR = (Pin(name=name, version="1.0") for name in ("apple", "basket", "pear"))
EXPECTED = Expectation(pins=(APPLE, BASKET, PEAR))
NOTHING = Mending(uninstall=(), install=(), reinstall=(), leftovers=(), project=False)
OWN = Expectation(
    pins=EXPECTED.pins, project=ProjectExpectation(name="hazel", directory="/project", editable=True)
)


def found(kind: str, package: str = "apple", *, severity: Severity = "error", path: str = "") -> Finding:
    return Finding(
        kind=kind, severity=severity, environment="tests", session="tests-3.12", package=package, path=path
    )


def mended(*findings: Finding, expectation: Expectation = EXPECTED) -> Mending:
    return mending_of(findings, expectation)


def test_no_finding_needs_nothing() -> None:
    assert mended() == NOTHING


@pytest.mark.parametrize("kind", ["missing", "version"])
def test_what_is_missing_or_of_another_version_is_installed(kind: str) -> None:
    assert mended(found(kind)).install == (APPLE,)
    assert mended(found(kind)).reinstall == ()


@pytest.mark.parametrize("kind", ["source", "revision", "artifact", "broken-metadata"])
def test_what_an_installer_would_take_for_right_is_installed_anew(kind: str) -> None:
    assert mended(found(kind)) == Mending(
        uninstall=(), install=(), reinstall=(APPLE,), leftovers=(), project=False
    )


def test_a_package_with_two_findings_is_installed_once() -> None:
    one = mended(found("version"), found("source"))
    assert (one.install, one.reinstall) == ((), (APPLE,))


def test_a_package_that_is_installed_twice_is_removed_and_installed_anew() -> None:
    one = mended(found("duplicate", "basket"))
    assert (one.uninstall, one.reinstall) == (("basket",), (BASKET,))


def test_what_nobody_asked_for_is_removed() -> None:
    assert mended(found("extraneous", "zebra"), found("extraneous", "fig")).uninstall == ("fig", "zebra")
    assert mended(found("broken-metadata", "zebra")).uninstall == ("zebra",)


def test_pins_are_named_in_order() -> None:
    one = mended(found("missing", "pear"), found("missing", "apple"), found("missing", "basket"))
    assert one.install == (APPLE, BASKET, PEAR)


def test_what_an_interrupted_installer_left_is_a_directory_to_delete() -> None:
    one = mended(found("leftover", "", path="/venv/~pple"), found("leftover", "", path="/venv/~asket"))
    assert one.leftovers == ("/venv/~asket", "/venv/~pple")
    assert one.uninstall == ()


def test_notes_are_left_alone() -> None:
    findings = [found("version", severity="note"), found("unverifiable", severity="note")]
    assert mended(*findings, found("extraneous", "zebra", severity="note")) == NOTHING


def test_a_finding_on_the_interpreter_names_no_package() -> None:
    assert mended(found("python", "")) == NOTHING


@pytest.mark.parametrize("kind", ["missing", "source", "artifact", "duplicate", "extraneous"])
def test_the_project_itself_is_only_installed_anew(kind: str) -> None:
    assert mended(found(kind, "hazel"), expectation=OWN) == Mending(
        uninstall=(), install=(), reinstall=(), leftovers=(), project=True
    )


def test_the_project_is_left_alone_when_only_others_differ() -> None:
    assert not mended(found("missing"), expectation=OWN).project
    assert mended(found("extraneous", "hazel")).uninstall == ("hazel",)
