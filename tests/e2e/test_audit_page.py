"""The page of `snapferry audit --html`, of a run, in a real browser: on a phone, on a desk, on paper, in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import rules_stack
from local_cloud import browser, command_line, layout, scenarios

pytestmark = [
    # The fleet of the demo, with the parameters that it is made for.
    pytest.mark.xdist_group("rules"),
    pytest.mark.skipif(browser.found() is None, reason=browser.MISSING),
]

PHONE, TABLET, DESK = 390, 768, 1280
"""CSS pixels."""


@pytest.fixture(scope="module")
def page_file(session_cloud, tmp_path_factory) -> Path:
    """The page after one run of the demo's fleet."""
    session_cloud.simulator.seed(scenarios.read(layout.SCENARIOS / "demo.json"))
    session_cloud.set_scale(240)
    stack = ["--stack", rules_stack(session_cloud)]
    # Two of its databases fail on purpose.
    followed = command_line.run(session_cloud, "run", "--follow", *stack, seconds=240)
    assert followed.returncode == 2, followed.stderr
    file = tmp_path_factory.mktemp("page") / "audit.html"
    audit = command_line.run(session_cloud, "audit", "--html", str(file), *stack)
    assert audit.returncode == 0, audit.stderr
    return file


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.started() as started:
        yield started


class Visit:
    """The page as it is opened once, with all that the browser had to say and to ask."""

    def __init__(self, chromium: Any, file: Path, **how: Any) -> None:
        self.context = chromium.new_context(**how)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        # Also what the browser itself wants, or a policy of the page forbids.
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.context.on("requestfailed", lambda request: self.said.append(f"{request.url}: {request.failure}"))
        self.url = file.as_uri()
        self.page.goto(self.url)


@pytest.fixture
def visit(chromium, page_file) -> Iterator[Any]:
    visits = []

    def visit(width: int = DESK, scheme: str = "light", **how: Any) -> Visit:
        viewport = {"width": width, "height": 844}
        visits.append(Visit(chromium, page_file, viewport=viewport, color_scheme=scheme, **how))
        return visits[-1]

    yield visit
    for one in visits:
        one.context.close()


def test_it_needs_no_network_and_has_no_errors(visit):
    opened = visit()
    opened.page.wait_for_load_state("networkidle")
    assert opened.requests == [opened.url]
    assert opened.said == []
    # It has no scripts, and would run none.
    opened.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
    )
    assert opened.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in said for said in opened.said)


def test_it_is_all_there_without_javascript(visit, page_file):
    """N8, N50: failures first, a row per database, and under it what happened."""
    opened = visit(java_script_enabled=False)
    page = opened.page
    assert page.get_by_role("heading", level=1).inner_text() == "Database copies in eu-central-1"
    assert "databases miss the RPO of 26 h: no verified copy of data that young" in page.locator(".answer").inner_text()
    titles = page.get_by_role("heading", level=2).all_inner_texts()
    assert titles == [
        "Failures in the period",
        "Recovery point age of each database",
        "Source deleted",
        "Exceptions",
        "Last activity",
        "Runs",
    ]
    facts = page.locator(".facts").inner_text()
    for fact in ("AWS account", "eu-west-1", "eu-central-1", "RPO objective", "Retention", "KMS key of the copies"):
        assert fact in facts, facts
    rows = page.locator(".databases > li")
    fleet = scenarios.expectations(layout.SCENARIOS / "demo.json")["outcomes"]
    looked_at = {name for name, outcome in fleet.items() if outcome != "left out"}
    names = page.locator(".databases .name").all_text_contents()
    assert {name if ":" in name else f"instance:{name}" for name in names} >= looked_at
    ledger = rows.filter(has=page.locator(".name", has_text="ledger")).first
    assert "CopyFailed" in ledger.text_content()
    # A row opens without scripts.
    orders = rows.filter(has=page.locator(".name", has_text="orders")).first
    assert not orders.get_by_text("Copies held").is_visible()
    orders.locator("summary").click()
    assert orders.get_by_text("Copies held").is_visible()
    # Every copy is a link to its execution.
    links = page.locator(".databases details a")
    assert links.count() > 0
    for at in range(links.count()):
        assert "/states/home?region=eu-west-1#/v2/executions/details/arn:" in links.nth(at).get_attribute("href")


OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, TABLET, DESK])
def test_axe_finds_no_violation(visit, width, scheme):
    # The page forbids scripts, and axe-core is one.
    opened = visit(width, scheme, bypass_csp=True)
    opened.page.evaluate(OPEN_ALL)
    found = browser.axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()
    assert [one["id"] for one in found.response["incomplete"]] == []
    passed = {one["id"] for one in found.response["passes"]}
    assert {"color-contrast", "document-title", "html-has-lang", "link-name", "list"} <= passed
    paper = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 21, 26)"}[scheme]


@pytest.mark.parametrize("width", [320, PHONE, 600, 735, 740, TABLET, 1024, 1152, DESK, 1600])
def test_nothing_has_to_be_scrolled_sideways(visit, width):
    """N7, N31."""
    page = visit(width, bypass_csp=True).page
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Nor is anything cut off.
    beyond = page.evaluate(
        """[...document.querySelectorAll('main *, header *')]
            .filter(one => !one.closest('thead'))
            .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5)
            .map(one => one.outerHTML.slice(0, 120))"""
    )
    assert beyond == []
    # A name is a few lines, and not a column of single letters.
    heights = page.evaluate("[...document.querySelectorAll('.name')].map(one => one.getBoundingClientRect().height)")
    assert max(heights) < 150, heights


def test_it_prints(visit):
    page = visit(scheme="dark").page
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF-")
    pages = paper.count(b"/Type /Page\n")
    # Of 27 rows with all that is under them, and two charts.
    assert 1 < pages <= 12, pages
    page.emulate_media(media="print")
    # What is dark on a screen is paper on paper.
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_without_a_browser_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert browser.found() is None
    assert "apt-get install chromium" in browser.MISSING
