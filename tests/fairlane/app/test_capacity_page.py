"""The Capacity page: what it says, and how it looks in a real browser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from fairlane.app import canned
from fairlane.app.canned_source import CannedSource
from fairlane.app.capacity_pages import capacity_router
from fairlane.app.capacity_view import CapacityView, build
from fairlane.app.fan import draw_fan
from fairlane.app.main import create_app
from fairlane.app.pages import Links
from fairlane.app.shelf import Shelf
from fairlane.app.states import State
from fairlane.capacity.watch import look
from fairlane.capacity.watched import Watched
from slo.capacity.store import Samples
from slo.clock import ManualClock
from tests.support.browser import CONTRAST, LIMIT_MS, NAMELESS, OUTSIDE, SPILLED, TWICE, chromium
from tests.support.databases import opened
from tests.support.desk import KeptDesk
from tests.support.limits import BUDGETS, EVERYTHING, LIMITS, NOW, fill
from tests.support.served import served


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Engine]:
    with opened(f"sqlite:///{tmp_path / 'capacity.db'}") as engine:
        yield engine


@contextmanager
def web(db: Engine, watched: Watched = EVERYTHING, *, away: bool = False) -> Iterator[str]:
    def engine() -> Engine:
        if away:
            raise OperationalError("connect", {}, Exception("connection refused"))
        return db

    clock = ManualClock(NOW)
    router = capacity_router(Shelf(engine, clock), watched, clock, Links())
    app = create_app(CannedSource(canned.calm(), ("events",)), CollectorRegistry(), desk=KeptDesk(), routers=(router,))
    with served(app) as url:
        yield url


def view(db: Engine, watched: Watched = EVERYTHING) -> CapacityView:
    return build(look(Samples(db), watched, NOW))


def test_the_worst_comes_first_with_the_sentence_that_can_be_acted_on(db: Engine) -> None:
    fill(db)
    found = view(db)
    assert [(row.name, row.word) for row in found.limits] == [
        ("kafka-disk", "red"),
        ("connections", "yellow"),
        ("licences", "no data"),
        ("person-rows", "ok"),
        ("new-thing", "ok"),
        ("partitions", "ok"),
    ]
    assert found.state is State.BURNING
    assert found.sentence.startswith("Red: kafka-disk is reached about ")
    assert "raising it takes 90 days: " in found.sentence
    assert found.sentence.endswith(
        "too late; streams: CAP-12 larger volumes. No data on 1 of 6 limits and 1 of 3 cost budgets."
    )
    worst = found.limits[0]
    assert (worst.critical, worst.lead, worst.late) == ("900 GB", "90 days", True)
    assert worst.slack.startswith("−")
    assert " to " in worst.interval
    assert found.detail == "1 red, 2 yellow, 4 ok, 2 without data"


def test_no_data_too_young_and_out_of_sight_have_words_of_their_own(db: Engine) -> None:
    fill(db)
    rows = {row.name: row for row in view(db).limits}
    assert (rows["licences"].now, rows["licences"].slack) == ("–", "–")
    assert rows["licences"].note == "No sample yet: tell it with fairlane capacity record licences VALUE."
    assert rows["new-thing"].note == "No forecast yet: 5 of 14 whole days are known."
    assert (rows["partitions"].breach, rows["partitions"].slack) == ("not within 2 years", "enough")
    assert rows["person-rows"].pace.endswith("a week, growing faster")


def test_costs_are_told_with_their_reason(db: Engine) -> None:
    fill(db)
    rows = {row.name: row for row in view(db).costs}
    assert (rows["warehouse"].word, rows["kafka"].word, rows["unknown"].word) == ("yellow", "ok", "no data")
    assert "of the month's budget is spent" in rows["warehouse"].why or "the month ends at" in rows["warehouse"].why
    assert rows["unknown"].spent == "–"


def test_the_sentence_when_all_is_well_or_nothing_is_known(db: Engine) -> None:
    assert view(db).state is State.FROZEN
    assert view(db).sentence.startswith("No data: nothing has been measured in the last two days.")
    fill(db)
    calm = Watched(LIMITS[2:3], BUDGETS[1:2])
    assert view(db, calm).sentence.startswith("Room: the nearest limit is person-rows, ")
    assert view(db, Watched(LIMITS[3:4], ())).sentence == "Room: nothing is forecast to run out within 2 years."
    cost = view(db, Watched((), BUDGETS[:1]))
    assert cost.sentence.startswith("Yellow: warehouse: ")
    assert view(db, Watched(LIMITS[1:2], ())).sentence.startswith("Yellow: connections is past its trigger: ")


def test_one_limit_with_room_does_not_speak_for_those_without_data(db: Engine) -> None:
    fill(db)
    some = Watched((*LIMITS[2:3], LIMITS[4], replace(LIMITS[4], name="seats-b")), (BUDGETS[1], BUDGETS[2]))
    found = view(db, some)
    assert (found.state, found.word) == (State.FROZEN, "no data")
    assert found.unknown == ("licences", "seats-b", "unknown")
    assert found.sentence.startswith(
        "No data on 2 of 3 limits and 1 of 2 cost budgets (licences, seats-b, unknown): nobody knows whether there is room. "
        "Elsewhere the nearest limit is person-rows, "
    )
    with web(db, some) as url:
        told, page = httpx.get(f"{url}/api/v1/capacity").json(), httpx.get(f"{url}/capacity").text
    assert (told["state"], told["unknown"]) == ("frozen", ["licences", "seats-b", "unknown"])
    assert 'data-part="head" data-state="frozen"' in page
    assert "2 ok, 3 without data" in page


def test_what_cost_is_says_nothing_of_room(db: Engine) -> None:
    fill(db)
    kept = next(b for b in BUDGETS if view(db, Watched((), (b,))).state is State.OK)
    assert view(db, Watched((), (kept,))).sentence == "Room: cost is within its budget."
    assert view(db, Watched(LIMITS[4:5], (kept,))).sentence.endswith("Elsewhere cost is within its budget.")


def test_the_sentence_names_three_and_counts_the_rest(db: Engine) -> None:
    fill(db)
    dark = tuple(replace(LIMITS[4], name=f"seats-{n}") for n in range(5))
    assert (
        "No data on 5 of 6 limits (seats-0, seats-1, seats-2 and 2 more): "
        in view(db, Watched((LIMITS[3], *dark), ())).sentence
    )


def test_what_is_too_young_for_a_forecast_is_not_said_to_last(db: Engine) -> None:
    fill(db)
    assert view(db, Watched(LIMITS[5:6], ())).sentence == (
        "Room: no level is reached; nothing is forecast before 14 whole days are known."
    )
    assert view(db, Watched((), ())).sentence.startswith("Nothing is watched: ")


def test_a_fan_says_in_words_what_it_shows_and_hatches_what_is_not_known(db: Engine) -> None:
    fill(db)
    fans = {row.name: draw_fan(row.fan) for row in view(db).limits}
    assert 'aria-label="Disk of the brokers: now 7' in fans["kafka-disk"]
    assert "lead time over on" in fans["kafka-disk"]
    assert fans["kafka-disk"].count('class="spread"') == 1
    assert fans["partitions"].count('class="unknown"') == 1, "the week without samples"
    assert "no sample in the last two months" in fans["licences"]
    assert 'class="spread"' not in fans["new-thing"]


def test_the_api_tells_the_same(db: Engine) -> None:
    fill(db)
    with web(db) as url:
        told = httpx.get(f"{url}/api/v1/capacity").json()
        page = httpx.get(f"{url}/capacity")
    assert [row["name"] for row in told["limits"]][:2] == ["kafka-disk", "connections"]
    assert told["limits"][0]["slack_days"] < 0
    assert page.status_code == 200
    assert told["sentence"] in page.text.replace('<span class="nb">', "").replace("</span>", "")


def test_a_database_that_is_away_is_said(db: Engine) -> None:
    with web(db, away=True) as url:
        page, api = httpx.get(f"{url}/capacity"), httpx.get(f"{url}/api/v1/capacity")
    assert (page.status_code, api.status_code) == (503, 503)
    assert "check database.url" in page.text
    assert api.headers["content-type"].startswith("application/problem+json")


def test_names_from_a_file_stay_text(db: Engine) -> None:
    evil = replace(LIMITS[4], title="<script>alert(1)</script>", project="<b>x</b>", owner="<i>")
    with web(db, Watched((evil,), ())) as url:
        page = httpx.get(f"{url}/capacity").text
    assert "<script>alert" not in page
    assert "<b>x</b>" not in page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


CASES = [
    ("full", 390, "light"),
    ("full", 390, "dark"),
    ("full", 1440, "light"),
    ("full", 1440, "dark"),
    ("empty", 390, "dark"),
    ("empty", 1440, "light"),
    ("nothing", 1440, "dark"),
    ("away", 390, "light"),
]


@pytest.mark.chromium
@pytest.mark.parametrize(("state", "width", "scheme"), CASES, ids=["-".join(map(str, case)) for case in CASES])
def test_it_looks_right(db: Engine, browser: Browser, state: str, width: int, scheme: str) -> None:
    if state == "full":
        fill(db)
    watched = Watched((), ()) if state == "nothing" else EVERYTHING
    with web(db, watched, away=state == "away") as url:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(LIMIT_MS)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}/capacity")
        for fold in page.query_selector_all("details.folded"):
            fold.evaluate("e => e.open = true")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for script in (OUTSIDE, SPILLED, NAMELESS, TWICE, CONTRAST):
            assert page.evaluate(script) == []
        assert problems == []
        if shots := os.environ.get("FAIRLANE_SHOTS"):
            page.screenshot(path=f"{shots}/capacity-{state}-{width}-{scheme}.png", full_page=True)
        page.close()


@pytest.mark.chromium
def test_rows_are_found_by_key_and_filter(db: Engine, browser: Browser) -> None:
    fill(db)
    with web(db) as url:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(LIMIT_MS)
        page.goto(f"{url}/capacity")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.dataset.key") == "limit-kafka-disk"
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.dataset.key") == "limit-connections"
        page.keyboard.press("/")
        page.keyboard.type("storage")
        page.wait_for_function("document.querySelector('[data-key=limit-kafka-disk]').offsetParent === null")
        assert page.query_selector("[data-key=limit-connections]").is_visible()
        page.close()
