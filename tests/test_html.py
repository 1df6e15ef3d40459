"""The page of a report, in a real browser: filters, keyboard, phone, dark, hostile texts, many findings."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nox_envs.report import render
from nox_envs.report.report import Report
from tests.browser import Page, chromium
from tests.reports import everything, finding, hostile, outcome

ROWS = "document.querySelectorAll('#findings tbody tr').length"
COUNT = "document.getElementById('count').textContent"
VERDICT = "document.getElementById('verdict').textContent"
FOCUSED = "document.activeElement.id || document.activeElement.value"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def show(page: Page, report: Report, folder: Path, *, width: int = 1200, scheme: str = "light") -> str:
    """Open the page of a report and return its URL."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    page.call("Emulation.setDeviceMetricsOverride", **metrics)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.requests.clear()
    page.complaints.clear()
    file = folder / "report.html"
    file.write_text(render(report, "html"), encoding="utf-8")
    page.open(file.as_uri())
    return file.as_uri()


def kinds_shown(page: Page) -> str:
    cells = "[...document.querySelectorAll('#findings tbody tr')].map((row) => row.cells[1].textContent)"
    return page.text(f"{cells}.join(' ')")


def click(page: Page, selector: str) -> None:
    page.evaluate(f"document.querySelector({selector!r}).click()")


def choose(page: Page, box: str, text: str) -> None:
    page.evaluate(
        f"(() => {{ const box = document.getElementById({box!r});"
        f"box.value = [...box.options].find((one) => one.text.startsWith({text!r})).value;"
        "box.dispatchEvent(new Event('change')); })()"
    )


def search(page: Page, text: str) -> None:
    page.evaluate(
        "new Promise((done) => { const box = document.getElementById('search');"
        f"box.value = {text!r}; box.dispatchEvent(new Event('input')); setTimeout(done, 200); }})"
    )


def test_the_page_shows_everything_and_asks_for_nothing(page: Page, tmp_path: Path) -> None:
    url = show(page, everything(), tmp_path)
    assert page.evaluate(COUNT) == "6 of 6"
    assert page.evaluate(VERDICT) == "drift"
    assert page.evaluate("document.title") == "nox-envs: drift"
    counts = "[...document.querySelectorAll('#counts b')].map((one) => one.textContent)"
    assert page.evaluate(f"{counts}.join(' ')") == "4 1 1 1 1 6"
    shown = page.text("document.body.innerText")
    texts = ("job-3/tests.json", "nox -s tests-3.12", "not built", "docs [job-2]")
    assert all(text in shown for text in texts)
    assert kinds_shown(page) == "missing version leftover lock-orphaned unverifiable extraneous"
    assert [request for request in page.requests if not request.startswith("data:")] == [url]
    assert page.complaints == []


def test_findings_are_filtered_by_severity_kind_session_and_text(page: Page, tmp_path: Path) -> None:
    show(page, everything(), tmp_path)
    click(page, "#severities [value='warning']")
    assert kinds_shown(page) == "leftover lock-orphaned"
    choose(page, "session", "project")
    assert kinds_shown(page) == "lock-orphaned"
    click(page, "#severities [value='warning']")
    choose(page, "session", "types")
    assert page.evaluate("document.getElementById('none').hidden") is False
    click(page, "#clear")
    assert page.evaluate(COUNT) == "6 of 6"
    choose(page, "kind", "version")
    assert kinds_shown(page) == "version"
    click(page, "#clear")
    search(page, "BASKET 1.1")
    assert kinds_shown(page) == "version"
    search(page, "no such thing")
    assert page.evaluate(ROWS) == 0
    click(page, "#sessions tr:nth-child(2) button")
    assert kinds_shown(page) == "extraneous"
    assert page.evaluate("document.getElementById('search').value") == ""
    assert page.complaints == []


def test_the_page_is_used_with_the_keyboard_alone(page: Page, tmp_path: Path) -> None:
    show(page, everything(), tmp_path)
    visited = []
    for _ in range(7):
        page.press("Tab")
        visited.append(page.text(FOCUSED))
        if visited[-1] == "warning":
            page.press("Enter")
    assert visited == ["search", "session", "kind", "error", "warning", "note", "clear"]
    assert kinds_shown(page) == "leftover lock-orphaned"
    page.press("Enter")
    assert page.evaluate(COUNT) == "6 of 6"
    assert page.evaluate(FOCUSED) == "search"


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (Report(environments=(outcome(),)), "no drift"),
        (Report(environments=()), "no drift"),
        (Report(environments=(outcome(finding("leftover")),)), "only warnings"),
        (Report(environments=(outcome(status="skipped", reason="not built"),)), "not everything was checked"),
        (Report(environments=(), problems=("x.json: is not JSON",)), "not everything was checked"),
        (Report(environments=(outcome(finding(), status="repaired"),)), "no drift"),
    ],
)
def test_the_verdict_is_the_first_thing_to_see(
    page: Page, tmp_path: Path, report: Report, verdict: str
) -> None:
    show(page, report, tmp_path)
    assert page.evaluate(VERDICT) == verdict
    assert page.complaints == []


def test_hostile_texts_are_shown_and_do_nothing(page: Page, tmp_path: Path) -> None:
    url = show(page, hostile(), tmp_path)
    assert page.evaluate(COUNT) == "3 of 3"
    shown = page.text("document.querySelector('#findings code').textContent")
    assert "<img src=x onerror=alert(1)>" in shown
    assert shown.isprintable()
    assert page.evaluate("document.images.length + document.scripts.length") == 2
    assert [request for request in page.requests if not request.startswith("data:")] == [url]
    assert page.complaints == []


def test_nothing_but_its_own_script_may_run(page: Page, tmp_path: Path) -> None:
    show(page, everything(), tmp_path)
    page.evaluate(
        "(() => { const added = document.createElement('script'); added.textContent = 'window.ran = 1';"
        "document.body.append(added); const image = new Image(); image.src = 'https://evil.example.org/x';"
        "document.body.append(image); return new Promise((done) => setTimeout(done, 100)); })()"
    )
    assert page.evaluate("window.ran === undefined") is True
    assert len(page.complaints) == 2
    assert all("Content Security Policy" in complaint for complaint in page.complaints)


@pytest.mark.parametrize(("scheme", "colour"), [("light", "rgb(246, 247, 249)"), ("dark", "rgb(20, 23, 27)")])
def test_it_fits_a_phone_and_follows_the_colour_scheme(
    page: Page, tmp_path: Path, scheme: str, colour: str
) -> None:
    show(page, everything(), tmp_path, width=390, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= 390") is True
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colour


def test_five_thousand_findings_are_shown_two_hundred_at_a_time(page: Page, tmp_path: Path) -> None:
    found = [finding("version", f"package-{n}") for n in range(25)]
    many = tuple(outcome(*found, session=f"env-{number:03}") for number in range(200))
    show(page, Report(environments=many), tmp_path)
    assert page.evaluate(COUNT) == "5000 of 5000"
    assert page.evaluate(ROWS) == 200
    click(page, "#more")
    assert page.evaluate(ROWS) == 400
    search(page, "env-007")
    assert page.evaluate(COUNT) == "25 of 5000"
    assert page.evaluate("document.getElementById('more').hidden") is True
    assert page.complaints == []


def test_the_policy_of_the_page_names_its_own_style_and_script() -> None:
    html = render(everything(), "html")
    for tag in ("style", "script"):
        match = re.search(rf"(?s)<{tag}>(.*?)</{tag}>", html)
        assert match
        digest = base64.b64encode(hashlib.sha256(match[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in html, (
            f"page.html: write this hash of its {tag} in the policy"
        )
