"""Signing in, in a real browser: by keyboard, from a foreign link, without JavaScript; widths, names and colours of what is shown."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from fairlane.app import moves_pages
from fairlane.auth.role import Role
from fairlane.auth.session import COOKIE
from tests.support.browser import CONTRAST, LIMIT_MS, NAMELESS, OUTSIDE, TWICE, chromium
from tests.support.gates import Guarded, guarded

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("state")) as app:
        yield app


@pytest.fixture
def visit(browser: Browser, app: Guarded, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Page]]:
    monkeypatch.setattr(moves_pages, "SEEN_S", 0.0)
    app.desk.sent.clear()
    contexts = []

    def go(path: str, width: int = 1440, scheme: str = "light", role: str = "", **more: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.goto(app.url + path)
        if role:
            sign_in(page, app.keys[role])
        return page

    yield go
    for context in contexts:
        context.close()


def enter(page: Page, text: str) -> None:
    """Once the page has put the cursor into its field."""
    page.wait_for_function("document.activeElement.id === 'key'")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def sign_in(page: Page, key: str) -> None:
    """Type the key where the cursor stands, and enter."""
    enter(page, key)
    page.wait_for_url(lambda url: "/login" not in url)


def test_the_keyboard_is_enough_and_leads_to_the_page_that_was_asked_for(
    visit: Callable[..., Page], app: Guarded
) -> None:
    page = visit("/moves?pipeline=events")
    assert page.url.startswith(f"{app.url}/login")
    assert page.get_attribute("#key", "type") == "password"
    sign_in(page, app.keys["operator"])
    assert page.url == f"{app.url}/moves?pipeline=events"
    assert "the operator" in page.inner_text(".me")
    (cookie,) = [one for one in page.context.cookies() if one["name"] == COOKIE]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert app.keys["operator"].rpartition("_")[2] not in str(page.context.cookies())
    page.click("text=Sign out")
    page.wait_for_url("**/login")
    page.goto(f"{app.url}/moves")
    assert "/login" in page.url


def test_a_mistyped_key_is_told_and_announced(visit: Callable[..., Page]) -> None:
    page = visit("/login")
    enter(page, "fairlane_0123")
    page.wait_for_selector("[role=alert]")
    assert "no key that is valid here" in page.inner_text("[role=alert]")
    assert page.get_attribute("#key", "aria-describedby") == "problem"
    assert page.input_value("#key") == ""
    page.wait_for_function("document.activeElement.id === 'key'")


def test_who_is_signed_in_and_follows_a_link_from_elsewhere_arrives(visit: Callable[..., Page], app: Guarded) -> None:
    page = visit("/moves", role="viewer")
    page.route(
        "https://chat.example/",
        lambda route: route.fulfill(body=f'<a href="{app.url}/moves">look</a>', content_type="text/html"),
    )
    page.goto("https://chat.example/")
    page.click("text=look")
    page.wait_for_selector(".me")
    assert page.url == f"{app.url}/moves"


def test_whose_key_is_revoked_is_led_to_the_login_by_the_page_itself(visit: Callable[..., Page], app: Guarded) -> None:
    made, shown = app.store.create("short", [Role.VIEWER], int(app.clock.now() * 1000))
    app.clock.advance(2)
    page = visit("/moves")
    sign_in(page, shown)
    app.store.revoke(made.id, int(app.clock.now() * 1000))
    app.clock.advance(2)
    page.wait_for_url("**/login**")


def test_a_viewer_sees_which_role_a_button_needs(visit: Callable[..., Page]) -> None:
    page = visit("/moves", role="viewer")
    assert page.locator("form[action^='/moves/do']").count() == 0
    button = page.locator(".acts button").first
    assert button.is_disabled()
    why = page.locator(f"#{button.get_attribute('aria-describedby')}").inner_text()
    assert why == "It needs the role operator; you have viewer."


def test_an_operator_acts_under_their_own_name(visit: Callable[..., Page], app: Guarded) -> None:
    page = visit("/moves", role="operator")
    page.click("#mode-off > summary")
    assert page.locator("#mode-off input[name=by]").count() == 0
    page.fill("#mode-off input[name=reason]", "stop")
    page.click("#mode-off button")
    page.wait_for_url("**answer=**")
    assert [(sent.mode, sent.by) for sent in app.desk.sent] == [("off", "the operator")]


def test_without_javascript_it_works_all_the_same(visit: Callable[..., Page], app: Guarded) -> None:
    page = visit("/moves", java_script_enabled=False)
    page.fill("#key", app.keys["viewer"])
    page.click("button.go")
    assert page.url == f"{app.url}/moves"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("wrong", [False, True], ids=["empty", "mistyped"])
def test_the_page_fits_has_names_and_can_be_read(visit: Callable[..., Page], scheme: str, wrong: bool) -> None:
    page = visit("/login", scheme=scheme)
    if wrong:
        enter(page, "x")
        page.wait_for_selector("[role=alert]")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(TWICE) == []
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_the_bar_fits_on_a_phone(visit: Callable[..., Page], role: str) -> None:
    page = visit("/moves", width=390, role=role)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(TWICE) == []
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(NAMELESS) == []
