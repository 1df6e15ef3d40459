from __future__ import annotations

import pytest

from nox_envs.drift import Expectation, Finding, ProjectExpectation, Severity
from nox_envs.pins import Pin
from nox_envs.values import fields, replace
from nox_envs.workflow.mending import Mending, beyond_mending, mending_of

APPLE, BASKET, PEAR = (Pin(name=name, version="1.0") for name in ("apple", "basket", "pear"))
EXPECTED = Expectation(pins=(APPLE, BASKET, PEAR))
OWN = Expectation(
    pins=EXPECTED.pins, project=ProjectExpectation(name="hazel", directory="/project", editable=True)
)


def found(kind: str, package: str = "apple", *, severity: Severity = "error", path: str = "") -> Finding:
    return Finding(
        kind=kind, severity=severity, environment="tests", session="tests-3.12", package=package, path=path
    )


def mended(*findings: Finding, expectation: Expectation = EXPECTED) -> Mending:
    return mending_of(findings, expectation)


def steps(mending: Mending) -> dict[str, object]:
    """Return what there is to do, by the name of the field."""
    return {name: getattr(mending, name) for name in fields(mending) if getattr(mending, name)}


def test_no_finding_needs_nothing() -> None:
    assert steps(mended()) == {}


@pytest.mark.parametrize("kind", ["missing", "version"])
def test_what_is_missing_or_of_another_version_is_installed(kind: str) -> None:
    assert steps(mended(found(kind))) == {"install": (APPLE,)}


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("source", "reinstall"),
        ("revision", "reinstall"),
        ("artifact", "damaged"),
        ("broken-metadata", "damaged"),
        ("file-modified", "damaged"),
        ("file-missing", "incomplete"),
    ],
)
def test_what_an_installer_would_take_for_right_is_installed_anew(kind: str, step: str) -> None:
    assert steps(mended(found(kind))) == {step: (APPLE,)}


def test_what_was_deleted_in_the_venv_is_still_in_the_cache_unless_something_was_edited_too() -> None:
    gone = replace(found("broken-metadata"), actual="METADATA is missing")
    assert steps(mended(gone)) == {"incomplete": (APPLE,)}
    assert steps(mended(gone, found("file-missing"), found("source"))) == {"incomplete": (APPLE,)}
    assert steps(mended(gone, found("file-modified"))) == {"damaged": (APPLE,)}


def test_a_package_with_two_findings_is_installed_once() -> None:
    assert steps(mended(found("version"), found("source"))) == {"reinstall": (APPLE,)}
    assert steps(mended(found("version"), found("source"), found("artifact"))) == {"damaged": (APPLE,)}


def test_a_package_that_is_installed_twice_is_removed_and_installed_anew() -> None:
    one = mended(found("duplicate", "basket"))
    assert steps(one) == {"uninstall": ("basket",), "reinstall": (BASKET,)}


def test_what_nobody_asked_for_is_removed() -> None:
    assert mended(found("extraneous", "zebra"), found("extraneous", "fig")).uninstall == ("fig", "zebra")
    assert mended(found("broken-metadata", "zebra"), found("extraneous", "zebra")).uninstall == ("zebra",)
    assert mended(found("version", "zebra")).uninstall == ("zebra",)


def test_pins_are_named_in_order() -> None:
    one = mended(found("missing", "pear"), found("missing", "apple"), found("missing", "basket"))
    assert one.install == (APPLE, BASKET, PEAR)


def test_what_an_interrupted_installer_left_is_a_directory_to_delete() -> None:
    one = mended(found("leftover", "", path="/venv/~pple"), found("leftover", "", path="/venv/~asket"))
    assert steps(one) == {"leftovers": ("/venv/~asket", "/venv/~pple")}


def test_notes_are_left_alone() -> None:
    findings = [found("version", severity="note"), found("unverifiable", severity="note")]
    assert steps(mended(*findings, found("extraneous", "zebra", severity="note"))) == {}


def test_a_finding_on_the_interpreter_names_no_package() -> None:
    assert steps(mended(found("python", ""))) == {}


@pytest.mark.parametrize("kind", ["missing", "source", "artifact", "duplicate", "extraneous"])
def test_the_project_itself_is_only_installed_anew(kind: str) -> None:
    assert steps(mended(found(kind, "hazel"), expectation=OWN)) == {"project": True}


def test_the_project_is_left_alone_when_only_others_differ() -> None:
    assert not mended(found("missing"), expectation=OWN).project
    assert mended(found("extraneous", "hazel")).uninstall == ("hazel",)


def test_a_project_whose_files_are_damaged_is_installed_without_the_cache() -> None:
    one = mended(found("file-modified", "hazel"), expectation=OWN)
    assert steps(one) == {"project": True, "project_damaged": True}
    assert steps(mended(found("file-missing", "hazel"), expectation=OWN)) == {"project": True}


def test_a_startup_file_that_nobody_owns_is_to_delete() -> None:
    one = mended(found("startup-hook", "", path="/venv/b.pth"), found("startup-hook", "", path="/venv/a.pth"))
    assert steps(one) == {"hooks": ("/venv/a.pth", "/venv/b.pth")}


def test_an_installer_can_mend_what_the_lock_and_the_project_name() -> None:
    findings = (
        found("file-modified"),
        found("file-missing", "hazel"),
        found("startup-hook", "", path="/a.pth"),
    )
    assert beyond_mending(findings, OWN) == ""
    assert beyond_mending((found("extraneous", "fig"), found("file-modified", "fig")), EXPECTED) == ""


def test_what_came_with_the_venv_needs_a_new_venv() -> None:
    assert beyond_mending((found("file-modified", "pip"),), OWN) == "file-modified of pip, which no lock pins"
    changed = replace(
        found("startup-hook", "", path="/venv/_virtualenv.pth"), expected="as virtualenv made it"
    )
    assert beyond_mending((changed,), EXPECTED) == "_virtualenv.pth is not as virtualenv made it"
