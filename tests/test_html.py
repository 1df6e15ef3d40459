"""The page of a report, in a real browser: filters, matrix, phone, dark, hostile texts, many findings."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from nox_envs.report import Report, render
from tests.browser import Page, chromium
from tests.reports import everything, finding, hostile, outcome


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def show(page: Page, report: Report, folder: Path, *, width: int = 1200, scheme: str = "light") -> str:
    """Open the page of a report and return its URL."""
    page.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 700
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.call("Emulation.setEmulatedMedia", features=features)
    page.requests.clear()
    page.complaints.clear()
    file = folder / "report.html"
    file.write_text(render(report, "html"), encoding="utf-8")
    page.open(file.as_uri())
    return file.as_uri()


def many() -> Report:
    """Make a report of 200 environments and 5,000 findings."""
    chance = random.Random(7)
    kinds = ("missing", "extraneous", "version", "file-modified", "leftover")
    environments = []
    for number in range(200):
        session = f"env-{number:03}"
        packages = chance.sample(range(400), 25)
        found = [finding(chance.choice(kinds), f"package-{n}", session=session) for n in packages]
        environments.append(outcome(*found, environment=session, session=session))
    return Report(environments=tuple(environments))


ROWS = "document.querySelectorAll('#findings tr').length"
COUNT = "document.getElementById('count').textContent"


def click(page: Page, selector: str) -> None:
    page.evaluate(f"document.querySelector({selector!r}).click()")


def choose(page: Page, environment: str) -> None:
    page.evaluate(
        "(() => { const box = document.getElementById('environment');"
        f"box.value = [...box.options].find((o) => o.text.startsWith({environment!r})).value;"
        "box.dispatchEvent(new Event('change')); })()"
    )


def search(page: Page, text: str) -> None:
    page.evaluate(
        "new Promise((done) => { const box = document.getElementById('search');"
        f"box.value = {text!r}; box.dispatchEvent(new Event('input')); setTimeout(done, 200); }})"
    )


def kinds_shown(page: Page) -> list[str]:
    kinds = page.evaluate("[...document.querySelectorAll('#findings tr')].map((r) => r.dataset.kind)")
    assert isinstance(kinds, list)
    return kinds


def test_the_page_shows_everything_and_asks_for_nothing(page: Page, tmp_path: Path) -> None:
    url = show(page, everything(), tmp_path)
    assert page.evaluate(COUNT) == "6 of 6"
    assert kinds_shown(page)[0] == "missing"
    assert page.evaluate("document.getElementById('verdict').textContent") == "drift"
    tiles = page.evaluate("[...document.querySelectorAll('.tiles b')].map((b) => b.textContent).join(' ')")
    assert tiles == "4 1 1 1 1 6"
    assert "job-3/tests.json" in page.text("document.querySelector('.problems').textContent")
    assert [request for request in page.requests if not request.startswith("data:")] == [url]
    assert page.complaints == []


def test_findings_are_filtered_by_kind_severity_environment_and_text(page: Page, tmp_path: Path) -> None:
    show(page, everything(), tmp_path)
    click(page, "[data-chip='missing']")
    assert kinds_shown(page) == ["missing"]
    click(page, "[data-chip='version']")
    assert kinds_shown(page) == ["missing", "version"]
    click(page, "[data-chip='missing']")
    assert kinds_shown(page) == ["version"]
    click(page, "#clear")
    assert page.evaluate(COUNT) == "6 of 6"
    click(page, "[data-chip='warning']")
    assert kinds_shown(page) == ["leftover", "lock-orphaned"]
    choose(page, "project")
    assert kinds_shown(page) == ["lock-orphaned"]
    choose(page, "types")
    assert page.evaluate("document.getElementById('none').hidden") is False
    click(page, "#clear")
    choose(page, "docs [job-2]")
    assert kinds_shown(page) == ["extraneous"]
    assert "mended" in page.text("document.getElementById('findings').textContent")
    click(page, "#clear")
    search(page, "BASKET")
    assert kinds_shown(page) == ["version"]
    search(page, "no such thing")
    assert page.evaluate(ROWS) == 0
    assert page.complaints == []


def test_the_matrix_has_environments_by_packages_and_leads_to_findings(page: Page, tmp_path: Path) -> None:
    show(page, everything(), tmp_path)
    heads = page.evaluate("[...document.querySelectorAll('#matrix-head th')].map((h) => h.textContent)")
    assert heads == ["environment", "apple", "basket", "six", "plum"]
    rows = page.evaluate("[...document.querySelectorAll('#matrix-body th')].map((h) => h.textContent)")
    assert rows == ["tests-3.12", "docs [job-2]", "lint", "types"]
    click(page, "#matrix-body button[data-package='basket']")
    assert kinds_shown(page) == ["version"]
    assert page.evaluate("document.getElementById('search').value") == "basket"
    label = page.evaluate("document.querySelector('#matrix-body button').getAttribute('aria-label')")
    assert label == "tests-3.12, basket: version, expected 1.1, found 1.0"
    assert page.complaints == []


def test_a_clean_report_has_no_matrix_and_says_so(page: Page, tmp_path: Path) -> None:
    show(page, Report(environments=(outcome(),)), tmp_path)
    assert page.evaluate("document.getElementById('verdict').textContent") == "no drift"
    assert page.evaluate("document.getElementById('matrix').hidden") is True
    assert page.evaluate("document.getElementById('none').hidden") is False


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (Report(environments=(outcome(finding("leftover")),)), "warnings only"),
        (Report(environments=(outcome(status="skipped", reason="not built"),)), "not all was checked"),
        (Report(environments=(outcome(finding(), status="repaired"),)), "no drift"),
    ],
)
def test_the_verdict_is_the_first_thing_to_see(report: Report, verdict: str) -> None:
    assert f"<title>nox-envs: {verdict}</title>" in render(report, "html")


def test_hostile_texts_are_shown_and_do_nothing(page: Page, tmp_path: Path) -> None:
    url = show(page, hostile(), tmp_path)
    assert page.evaluate(COUNT) == "3 of 3"
    assert "<img src=x onerror=alert(1)>" in page.text("document.querySelector('#findings code').textContent")
    assert page.evaluate("document.images.length + document.scripts.length") == 2
    click(page, "#matrix-body button")
    assert page.requests == [url, *(r for r in page.requests if r.startswith("data:"))]
    assert page.complaints == []


def test_nothing_but_the_own_script_may_run(page: Page, tmp_path: Path) -> None:
    show(page, everything(), tmp_path)
    page.evaluate(
        "(() => { const added = document.createElement('script'); added.textContent = 'window.ran = 1';"
        "document.body.append(added); const image = new Image(); image.src = 'https://evil.example.org/x';"
        "document.body.append(image); return new Promise((done) => setTimeout(done, 100)); })()"
    )
    assert page.evaluate("window.ran === undefined") is True
    assert len(page.complaints) == 2
    assert all("Content Security Policy" in complaint for complaint in page.complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_follows_the_colour_scheme(page: Page, tmp_path: Path, scheme: str) -> None:
    show(page, everything(), tmp_path, width=390, scheme=scheme)
    assert page.number("document.documentElement.scrollWidth") <= 390
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(246, 247, 249)", "dark": "rgb(20, 23, 27)"}[scheme]


def test_two_hundred_environments_and_five_thousand_findings_stay_responsive(
    page: Page, tmp_path: Path
) -> None:
    show(page, many(), tmp_path)
    assert page.evaluate(COUNT) == "5000 of 5000"
    assert page.evaluate(ROWS) == 200
    timed = (
        "(() => {{ const began = performance.now(); document.querySelector({!r}).click();"
        "document.body.offsetHeight; return performance.now() - began; }})()"
    )
    for selector in (
        "[data-chip='missing']",
        "[data-chip='missing']",
        "#more",
        "#matrix-body button",
        "#clear",
    ):
        assert page.number(timed.format(selector)) < 1000, selector
    click(page, "#more")
    assert page.evaluate(ROWS) == 400
    assert page.evaluate("document.querySelectorAll('#matrix-head th').length") == 61
    click(page, "#wider")
    assert page.evaluate("document.querySelectorAll('#matrix-head th').length") == 401
    assert page.complaints == []
