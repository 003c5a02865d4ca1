"""The moves pages in a real browser: keys, forms, refresh without losing what is being written, widths, names, colours, print."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page
from prometheus_client import CollectorRegistry

from fairlane.app import canned, canned_moves, moves_pages
from fairlane.app.canned_moves import ASKS, FLOOD, IMPORT, NOISY, NOW_MS
from fairlane.app.canned_source import CannedSource
from fairlane.app.main import create_app
from ingestion.contracts.telemetry import Action
from isolator.answers import Answer
from slo.errors import Conflict
from tests.support.browser import CONTRAST, LIMIT_MS, NAMELESS, OUTSIDE, TWICE, chromium
from tests.support.desk import KeptDesk
from tests.support.served import served

pytestmark = pytest.mark.chromium

DETAIL = f"/moves/{FLOOD.id}"
PAGES = (
    ("moved", "/moves"),
    ("asks", "/moves"),
    ("blind", "/moves"),
    ("away", "/moves"),
    ("moved", DETAIL),
    ("asks", f"/moves/{ASKS.id}"),
    ("no_database", DETAIL),
    ("moved", "/moves/nope"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def source() -> CannedSource:
    return CannedSource(canned.moved())


@pytest.fixture(scope="module")
def kept() -> KeptDesk:
    return KeptDesk()


@pytest.fixture(scope="module")
def url(source: CannedSource, kept: KeptDesk) -> Iterator[str]:
    with served(create_app(source, CollectorRegistry(), desk=kept, refresh_s=0.3)) as url:
        yield url


@pytest.fixture
def desk(kept: KeptDesk, monkeypatch: pytest.MonkeyPatch) -> KeptDesk:
    monkeypatch.setattr(moves_pages, "SEEN_S", 0.0)
    kept.sent.clear()
    kept.error = None
    return kept


@pytest.fixture
def visit(browser: Browser, source: CannedSource, url: str) -> Iterator[Callable[..., Page]]:
    contexts = []

    def go(scene: str, path: str = "/moves", width: int = 1440, scheme: str = "light", **more: object) -> Page:
        source.scene = canned_moves.SCENES[scene]()
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.goto(url + path)
        return page

    yield go
    for context in contexts:
        context.close()


def test_the_keys_walk_filter_and_open_a_move(visit: Callable[..., Page]) -> None:
    page = visit("moved")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert IMPORT in (page.locator(".at").get_attribute("data-text") or "")
    page.keyboard.press("k")
    page.keyboard.press("?")
    assert page.locator("dialog").evaluate("d => d.open") is True
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type(NOISY[4:10])
    page.wait_for_function(
        "() => [...document.querySelectorAll('article.move')].filter(m => m.offsetParent).length === 1"
    )
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{DETAIL}?**")
    assert page.get_by_role("heading", level=1).inner_text() == NOISY


def test_approving_takes_the_keyboard_only_and_leads_to_the_answer(
    visit: Callable[..., Page], source: CannedSource, desk: KeptDesk
) -> None:
    page = visit("asks", f"/moves/{ASKS.id}")
    page.get_by_text("Approve", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.type("they know; j k / ? are letters here")
    page.keyboard.press("Enter")
    page.wait_for_url("**answer=*")
    (sent,) = desk.sent
    assert (sent.action, sent.token, sent.by) == (Action.APPROVE, ASKS.id, "web")
    assert sent.reason == "they know; j k / ? are letters here"
    source.scene.state.apply(
        *Answer("events", sent.id, NOW_MS, ok=True, message="it is wanted in overflow").encode(), 99
    )
    page.wait_for_function(
        "() => document.querySelector('.said')?.textContent.includes('Done: it is wanted in overflow.')"
    )


def test_the_kill_switch_is_two_steps_away_and_a_refusal_is_shown(
    visit: Callable[..., Page], source: CannedSource, desk: KeptDesk
) -> None:
    page = visit("moved")
    desk.error = Conflict("not now")
    page.locator("#mode-off summary").click()
    page.locator("#mode-off input[name=reason]").fill("looks wrong")
    page.get_by_role("button", name="Set mode off").click()
    page.wait_for_url("**answer=*")
    (sent,) = desk.sent
    assert (sent.action, sent.mode, sent.reason) == (Action.MODE, "off", "looks wrong")
    answer = Answer("events", sent.id, NOW_MS, ok=False, message="not now", problem="conflict")
    source.scene.state.apply(*answer.encode(), 99)
    page.wait_for_function("() => document.querySelector('.said')?.textContent.includes('Refused: not now.')")


def test_a_reason_is_asked_for(visit: Callable[..., Page], desk: KeptDesk) -> None:
    page = visit("moved", DETAIL)
    page.get_by_text("Restore", exact=True).first.click()
    page.locator("details.act[open] button.go").click()
    assert page.evaluate("document.activeElement.name") == "reason", "the browser points at what is missing"
    assert desk.sent == []


def test_what_is_being_written_outlives_a_refresh(visit: Callable[..., Page], source: CannedSource) -> None:
    page = visit("moved")
    page.locator("article.move summary").first.click()
    page.locator("article.move input[name=reason]").first.fill("half a sen")
    page.evaluate("document.activeElement.blur()")
    source.scene = canned_moves.asks()
    page.wait_for_function("() => document.querySelector('h1').textContent.startsWith('Asked')")
    assert page.locator("article.move input[name=reason]").first.input_value() == "half a sen"
    page.locator("article.move input[name=reason]").first.fill("")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_function("() => document.querySelectorAll('[data-part=current] article.move').length === 1")


def test_without_javascript_a_form_works_all_the_same(visit: Callable[..., Page], desk: KeptDesk) -> None:
    page = visit("moved", java_script_enabled=False)
    page.locator("#act-all-restore summary").click()
    page.locator("#act-all-restore input[name=reason]").fill("all clear")
    page.get_by_role("button", name="Restore all").click()
    assert [sent.action for sent in desk.sent] == [Action.RESTORE_ALL]


@pytest.mark.parametrize(("scene", "path"), PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_has_names_and_can_be_read(visit: Callable[..., Page], scene: str, path: str, scheme: str) -> None:
    page = visit(scene, path, width=390, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(TWICE) == []
    assert page.evaluate(CONTRAST) == []
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert (
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Moves").get_attribute("aria-current")
        == "page"
    )


def test_the_time_line_and_the_pictures_are_told_to_a_screen_reader(visit: Callable[..., Page]) -> None:
    page = visit("moved", DETAIL)
    steps = page.get_by_role("list").filter(has_text="verified").get_by_role("listitem")
    assert steps.count() == 4
    assert steps.nth(2).get_attribute("aria-current") == "step"
    assert "(under way)" in (steps.nth(2).text_content() or "")
    work = page.get_by_role("img", name="Its work against its baseline")
    assert "moved at 11:58:20 UTC" in (work.get_attribute("aria-label") or "")


def test_on_paper_there_are_no_buttons(visit: Callable[..., Page]) -> None:
    page = visit("moved", DETAIL)
    page.emulate_media(media="print")
    assert page.locator(".do").is_hidden()
    assert page.locator(".tools").is_hidden()
    assert page.locator("svg.picture").count() == 2


def test_a_deploy_stands_in_the_live_charts_and_a_move_leads_to_its_page(visit: Callable[..., Page]) -> None:
    page = visit("moved", "/")
    assert page.locator("svg.chart .moment-name").first.text_content() == "worker v42 by ci"
    page.locator("article.move summary").first.click()
    assert page.get_by_role("link", name="its page, with what can be done").first.is_visible()
