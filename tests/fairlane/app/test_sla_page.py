"""The SLA page in a real browser: names, widths, colours, one sheet of A4; the published site from the disk."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.app import canned
from fairlane.app.canned_source import CannedSource
from fairlane.app.main import create_app
from fairlane.app.shelf import Shelf
from fairlane.app.sla_pages import sla_router
from fairlane.sla.publish import publish
from fairlane.sla.site import site
from slo.clock import ManualClock
from tests.support import sla_story as story
from tests.support.browser import CONTRAST, LIMIT_MS, NAMELESS, OUTSIDE, TWICE, chromium
from tests.support.desk import KeptDesk
from tests.support.served import served

pytestmark = pytest.mark.chromium

PATHS = ("/sla", "/sla/2026-05", "/sla/2026-11", "/sla/2031-01")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, ManualClock]]:
    directory = tmp_path_factory.mktemp("story")
    clock = story.copy(directory)
    engine = story.opened(directory)
    yield engine, clock
    engine.dispose()


@pytest.fixture(scope="module")
def url(told: tuple[Engine, ManualClock]) -> Iterator[str]:
    engine, clock = told
    router = sla_router(Shelf(lambda: engine, clock), story.PIPELINE, story.OBJECTIVES, story.ZONE, clock)
    app = create_app(CannedSource(canned.calm()), CollectorRegistry(), desk=KeptDesk(), routers=(router,))
    with served(app) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Callable[..., Page]]:
    contexts = []

    def go(path: str, width: int = 1440, scheme: str = "light", base: str = "", **more: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.goto((base or url) + path)
        return page

    yield go
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("path", PATHS)
def test_it_fits_is_legible_and_named(visit: Callable[..., Page], path: str, width: int, scheme: str) -> None:
    page = visit(path, width, scheme)
    for details in page.locator("details").all():
        details.evaluate("d => { d.open = true; }")
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(TWICE) == []


def test_every_picture_says_in_words_what_it_shows(visit: Callable[..., Page]) -> None:
    page = visit("/sla/2026-05")
    names = [svg.get_attribute("aria-label") or "" for svg in page.locator("table.sla svg[role=img]").all()]
    assert len(names) == 2 * len(story.OBJECTIVES)
    assert re.fullmatch(
        r"Events visible within 30 s, May 2026 by day: worst 1[12] May with 3\d(\.\d)? min of the budget", names[0]
    )
    assert names[1].endswith("broken in May 2026")
    assert page.locator("table.sla svg.heat g").count() == 31 * len(story.OBJECTIVES)
    assert page.locator("table.sla tbody tr").first.get_attribute("class") == "burning"


def test_days_that_lie_ahead_look_unlike_days_without_trouble(visit: Callable[..., Page]) -> None:
    page = visit("/sla/2026-11")
    row = page.locator("svg.heat").first
    assert (row.locator("g.future").count(), row.locator("g").count()) == (27, 30)
    assert page.locator("h1").text_content().startswith("November 2026 so far:")


def test_the_keyboard_reaches_the_days_in_numbers(visit: Callable[..., Page]) -> None:
    page = visit("/sla")
    page.locator("#days summary").focus()
    page.keyboard.press("Enter")
    cells = page.locator("table.days tbody tr").nth(20).locator("th, td").all_inner_texts()
    assert cells[0] == "21 Oct"
    assert cells[1].endswith("min")
    assert cells[-1] == "100 %"


def test_it_prints_on_one_sheet(visit: Callable[..., Page]) -> None:
    page = visit("/sla")
    sheet = page.pdf(prefer_css_page_size=True, print_background=True)
    assert re.findall(rb"/Type\s*/Pages.*?/Count (\d+)|/Count (\d+)", sheet, re.DOTALL)
    assert {
        int(a or b) for a, b in re.findall(rb"/Type\s*/Pages.{0,200}?/Count (\d+)|/Count (\d+)", sheet, re.DOTALL)
    } == {1}


def test_the_published_site_works_from_the_disk(
    visit: Callable[..., Page], told: tuple[Engine, ManualClock], tmp_path: Path
) -> None:
    months = story.months_of(*told)
    publish(tmp_path / "site", site([months.get("2026-10"), months.get("2026-05")]))
    asked: list[str] = []
    page = visit("/index.html", 390, "dark", f"file://{tmp_path}/site")
    page.on("request", lambda request: asked.append(request.url))
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(CONTRAST) == []
    page.get_by_role("link", name="May 2026").click()
    assert page.locator("h1").text_content().startswith("May 2026: 2 promises were broken.")
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(NAMELESS) == []
    assert asked
    assert all(url.startswith(f"file://{tmp_path}/site/") for url in asked)
