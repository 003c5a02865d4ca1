"""The Live page in a real browser: refresh without reload, keys, names, widths, colours, what is said when the connection is lost."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, Request, Route
from prometheus_client import CollectorRegistry

from fairlane.app import canned
from fairlane.app.canned_source import CannedSource
from fairlane.app.main import create_app
from tests.support.browser import CONTRAST, LIMIT_MS, chromium
from tests.support.desk import KeptDesk
from tests.support.served import served

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def source() -> CannedSource:
    return CannedSource(canned.calm())


@pytest.fixture(scope="module")
def url(source: CannedSource) -> Iterator[str]:
    with served(create_app(source, CollectorRegistry(), desk=KeptDesk(), refresh_s=0.3)) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, source: CannedSource, url: str) -> Iterator[Callable[..., Page]]:
    contexts = []

    def go(scene: str, width: int = 1440, scheme: str = "light", **more: object) -> Page:
        source.shown = canned.SCENES[scene]()
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.goto(url)
        return page

    yield go
    for context in contexts:
        context.close()


def test_what_changes_on_the_server_appears_without_a_reload(visit: Callable[..., Page], source: CannedSource) -> None:
    page = visit("calm")
    page.evaluate("window.stayed = true")
    source.shown = canned.moved()
    page.wait_for_function("() => document.querySelector('h1').textContent.startsWith('Protected')")
    assert page.evaluate("window.stayed") is True
    assert page.title().startswith("⇢ moved")
    assert page.locator("#said").text_content() == page.locator("h1").text_content()


def test_a_number_that_moves_is_not_read_aloud(visit: Callable[..., Page], source: CannedSource) -> None:
    page = visit("calm")
    calm = canned.calm()
    source.shown = replace(calm, lanes=(replace(calm.lanes[0], freshness_s=0.77), *calm.lanes[1:]))
    page.wait_for_function("() => document.querySelector('h1').textContent.includes('0.77')")
    assert page.locator("#said").text_content() == ""


def test_what_is_open_stays_open_and_focus_stays_put(visit: Callable[..., Page], source: CannedSource) -> None:
    page = visit("moved")
    page.locator("article.move summary").nth(1).focus()
    page.keyboard.press("Enter")
    moved = canned.moved()
    source.shown = replace(moved, moves=(replace(moved.moves[0], sentence="Work 99x its baseline."), *moved.moves[1:]))
    page.wait_for_function("() => document.body.textContent.includes('Work 99x')")
    assert page.locator("article.move details").nth(1).evaluate("d => d.open") is True
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_what_changed_since_the_last_look_is_marked_until_looked_at(
    visit: Callable[..., Page], source: CannedSource
) -> None:
    page = visit("calm")
    assert page.locator(".changed").count() == 0
    source.shown = canned.moved()
    page.wait_for_selector("article.lane.changed")
    assert page.locator("article.move.changed").count() == 3
    page.wait_for_timeout(2_200)
    page.keyboard.press("j")
    assert page.locator(".changed").count() == 0


def test_the_keys_filter_walk_open_and_help(visit: Callable[..., Page]) -> None:
    page = visit("moved")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "filter"
    page.keyboard.type("general overflow moved")
    page.wait_for_function(
        "() => [...document.querySelectorAll('article.move')].filter(m => m.offsetParent).length === 1"
    )
    page.keyboard.press("Enter")
    assert page.locator(".at").get_attribute("data-text").startswith(canned.NOISY)
    page.keyboard.press("Enter")
    assert page.locator(".at details").evaluate("d => d.open") is True
    page.keyboard.press("Escape")
    page.wait_for_function("() => [...document.querySelectorAll('[data-row]')].filter(m => m.offsetParent).length > 3")
    page.keyboard.press("?")
    assert page.locator("dialog").evaluate("d => d.open") is True
    page.keyboard.press("Escape")
    assert page.locator("dialog").evaluate("d => d.open") is False
    page.evaluate("document.activeElement.blur()")
    before = page.locator(".at").get_attribute("data-key")
    page.keyboard.press("k")
    assert page.locator(".at").get_attribute("data-key") != before


def test_a_bar_of_the_strip_opens_its_partition(visit: Callable[..., Page]) -> None:
    page = visit("burning")
    page.locator(".strip a").nth(7).click()
    page.wait_for_selector("#p-7.at")
    assert page.locator("#p-7").is_visible()
    assert "83 % of its work" in page.locator("#p-7").inner_text()


def test_a_lost_connection_is_said_with_the_age_of_what_is_shown_and_goes_when_it_is_back(
    visit: Callable[..., Page],
) -> None:
    page = visit("moved")

    def refuse(route: Route) -> None:
        route.abort()

    page.route("**/fragment/**", refuse)
    page.wait_for_selector("#lost:not([hidden])")
    text = page.locator("#lost").text_content() or ""
    assert "Connection lost" in text
    assert "from 12:04:3" in text
    assert page.evaluate("document.body.className") == "is-lost"
    page.unroute("**/fragment/**", refuse)
    page.wait_for_selector("#lost", state="hidden")
    assert page.evaluate("document.body.className") == ""


def test_without_javascript_everything_is_there(visit: Callable[..., Page]) -> None:
    page = visit("burning", java_script_enabled=False)
    assert page.locator("h1").inner_text().startswith("Burning")
    assert page.locator("#filter").is_hidden()


def test_no_request_leaves_the_host(visit: Callable[..., Page], url: str) -> None:
    page = visit("moved")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(_url(request)))
    page.reload()
    page.wait_for_timeout(700)
    assert len(asked) >= 4
    assert all(address.startswith(url) for address in asked)


@pytest.mark.parametrize("scene", canned.SCENES)
def test_nothing_sticks_out_at_390_pixels_with_everything_open(visit: Callable[..., Page], scene: str) -> None:
    page = visit(scene, width=390)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    out = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.offsetParent && !e.closest('.visually-hidden, caption, thead, svg')"
        " && e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 80))"
    )
    assert out == []


def test_whatever_takes_focus_has_a_name_and_landmarks_are_there(visit: Callable[..., Page]) -> None:
    page = visit("burning")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    nameless = page.evaluate(
        """[...document.querySelectorAll('a[href], button, input, summary, [role=img]')].filter(e =>
            !(e.textContent.trim() || e.getAttribute('aria-label') || (e.labels && e.labels.length && e.labels[0].textContent.trim()))
        ).map(e => e.outerHTML.slice(0, 90))"""
    )
    assert nameless == []
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("navigation", name="Pages").count() == 1
    assert page.get_by_role("table", name="Objectives, worst first").get_by_role("columnheader").count() == 7
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.evaluate("document.querySelectorAll('[aria-live=polite]').length") == 1
    assert (
        page.evaluate(
            "(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.length - new Set(ids).size })()"
        )
        <= 2
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scene", ["burning", "moved", "silent", "away"])
def test_every_text_has_a_contrast_of_at_least_four_and_a_half(
    visit: Callable[..., Page], scene: str, scheme: str
) -> None:
    page = visit(scene, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_state_colours_differ_for_the_colour_blind(visit: Callable[..., Page], scheme: str) -> None:
    page = visit("calm", scheme=scheme)
    names = ("ok", "watch", "burning", "moved")
    colours = page.evaluate(
        "names => names.map(n => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim())",
        list(names),
    )
    for matrix in (DEUTAN, PROTAN):
        seen = [_lab(matrix, colour) for colour in colours]
        for i, one in enumerate(seen):
            for j in range(i):
                # a difference of 2 is just seen, of 10 at a glance
                assert math.dist(one, seen[j]) > 12, (names[i], names[j])


def test_nothing_blinks(visit: Callable[..., Page]) -> None:
    page = visit("burning")
    assert page.evaluate("document.getAnimations().length") == 0


# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB
DEUTAN = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
PROTAN = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))


def _lab(matrix: tuple[tuple[float, ...], ...], colour: str) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of `#rrggbb` as somebody with that deficiency sees it."""
    linear = [(int(colour[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)]
    r, g, b = (max(sum(m * c for m, c in zip(row, linear, strict=True)), 0.0) for row in matrix)
    x, y, z = (
        (value / white) ** (1 / 3)
        for value, white in (
            (0.4124 * r + 0.3576 * g + 0.1805 * b, 0.9505),
            (0.2126 * r + 0.7152 * g + 0.0722 * b, 1.0),
            (0.0193 * r + 0.1192 * g + 0.9505 * b, 1.089),
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _url(request: Request) -> str:
    return request.url


def test_the_clock_ticks_between_refreshes(visit: Callable[..., Page]) -> None:
    page = visit("calm")
    page.route("**/fragment/**", lambda _: time.sleep(0))
    first = page.locator("#clock").text_content()
    page.wait_for_function("first => document.querySelector('#clock').textContent !== first", arg=first)
