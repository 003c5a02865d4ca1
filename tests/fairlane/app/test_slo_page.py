"""The pages of objectives: what they say, and how they look in a real browser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from fairlane.app import canned
from fairlane.app.canned_source import CannedSource
from fairlane.app.main import create_app
from fairlane.app.pages import Links, environment
from fairlane.app.shelf import Shelf
from fairlane.app.slo_facts import facts
from fairlane.app.slo_pages import listed, slo_router
from fairlane.app.slo_view import build, definition
from fairlane.app.states import State
from slo.clock import ManualClock
from slo.history import History
from slo.objective import Objective, Sli
from slo.presets import pipeline_objectives
from slo.source import Op, Push, Ratio, Raw, Timeslices
from tests.support.browser import CONTRAST, LIMIT_MS, NAMELESS, OUTSIDE, SPILLED, TWICE, chromium
from tests.support.databases import opened
from tests.support.desk import KeptDesk
from tests.support.served import served
from tests.support.slo_history import NOW, history

PUSHED = Objective(
    "export-time",
    "",
    Sli.EXTERNAL,
    Decimal("0.95"),
    0,
    source=Push(),
    windows="fast-slow",
    title="Exports done within 60 s",
    service="export",
)
OBJECTIVES = pipeline_objectives("events")
ALL = (*OBJECTIVES, PUSHED)
BURST = dict.fromkeys(range(2, 12), 20000)
"""Ten bad minutes."""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Engine]:
    with opened(f"sqlite:///{tmp_path / 'slo.db'}") as engine:
        yield engine


@contextmanager
def web(db: Engine, cause: str = "", *, away: bool = False) -> Iterator[str]:
    def engine() -> Engine:
        if away:
            raise OperationalError("connect", {}, Exception("connection refused"))
        return db

    clock = ManualClock(NOW)
    router = slo_router(Shelf(engine, clock), ALL, clock, Links(), lambda _: cause)
    app = create_app(CannedSource(canned.calm(), ("events",)), CollectorRegistry(), desk=KeptDesk(), routers=(router,))
    with served(app) as url:
        yield url


def test_a_kept_objective_says_so_with_its_budget_as_time(db: Engine) -> None:
    history(db, OBJECTIVES)
    view = build(facts(db, OBJECTIVES[1], NOW))
    assert view.state is State.OK
    assert view.sentence == "Kept: Events visible within 30 s; all of 43 min left."
    assert [(t.name, t.value) for t in view.tiles] == [
        ("objective", "99.9 %"),
        ("achieved", "100 %"),
        ("budget left", "all of 43 min"),
    ]
    assert len(view.pairs) == 4
    assert {pair.state for pair in view.pairs} == {State.OK}


def test_a_burning_one_says_until_when_why_and_shows_its_bad_minutes(db: Engine) -> None:
    history(db, OBJECTIVES, bad=BURST)
    view = build(facts(db, OBJECTIVES[1], NOW), "Burning: acme does 83 % of the work.")
    assert (view.state, view.severity) == (State.BURNING, "page")
    assert view.sentence.startswith("Burning: Events visible within 30 s; its budget is spent in ")
    assert view.cause == "Burning: acme does 83 % of the work."
    bad = [bar for bar in view.recent.bars if bar.css == "bad"]
    assert [(NOW // 60 * 60 - bar.at_s) // 60 for bar in bad] == list(range(11, 1, -1))
    assert all(bar.value == pytest.approx(2 / 3) for bar in bad)
    left = [bar.value for bar in view.budget.bars]
    assert left[0] == 1.0
    e = History(db).newest()[OBJECTIVES[1].name]
    assert left[-1] == pytest.approx(e.budget_left), "the picture ends where the tile stands"
    worst = view.pairs[0]
    assert "200k bad of 1.8M events" in worst.long_burn.why
    assert view.changes[0].state is State.BURNING


def test_no_data_is_hatched_and_no_traffic_is_not(db: Engine) -> None:
    history(db, OBJECTIVES, gap=range(100, 160))
    view = build(facts(db, OBJECTIVES[0], NOW))
    missing = {NOW // 60 * 60 - 60 * n for n in range(100, 160)}
    assert missing.isdisjoint(bar.at_s for bar in view.recent.bars)
    never = build(facts(db, PUSHED, NOW))
    assert (never.state, never.tiles[1].value) == (State.FROZEN, "–")
    assert never.sentence == "No data: Exports done within 60 s has never been evaluated."
    assert never.recent.empty == "no data in the last six hours"


def test_kept_is_said_of_those_only_that_were_evaluated(db: Engine) -> None:
    history(db, OBJECTIVES[:1])
    found = History(db).newest()
    whole, part = listed(OBJECTIVES[:1], found, NOW), listed((OBJECTIVES[0], PUSHED), found, NOW)
    assert (whole.state, whole.sentence) == (State.OK, "Kept: all 1 objective.")
    assert (part.state, part.sentence) == (State.WATCH, "Kept: 1 objective; 1 other has never been evaluated.")


def test_an_objectives_own_runbook_is_the_one_that_is_linked(db: Engine) -> None:
    own = replace(PUSHED, runbook="https://wiki.example/exports")
    assert build(facts(db, own, NOW)).runbook == "https://wiki.example/exports"
    assert build(facts(db, replace(PUSHED, runbook="ask Ann"), NOW)).runbook == "FairlaneBudgetBurnPage"
    macros = environment().get_template("_macros.html").module
    assert 'href="https://wiki.example/exports"' in macros.runbook(own.runbook, Links())
    assert 'href="/runbooks/FairlaneBudgetBurnPage"' in macros.runbook("FairlaneBudgetBurnPage", Links())


def test_the_list_puts_the_worst_first_and_names_what_was_never_evaluated(db: Engine) -> None:
    history(db, OBJECTIVES, bad=BURST)
    view = listed(ALL, History(db).newest(), NOW)
    assert view.state is State.BURNING
    assert view.rows[0].state is State.BURNING
    assert view.missing == ("export-time",)
    assert len(view.rows) + len(view.folded) == len(OBJECTIVES)
    nobody = listed(ALL, {}, NOW)
    assert (nobody.state, nobody.sentence[:8]) == (State.FROZEN, "No data:")


def test_what_is_promised_is_told_for_every_kind_of_source() -> None:
    def of(source: Ratio | Raw | Push, timeslices: Timeslices | None = None) -> dict[str, str]:
        one = Objective(
            "a", "", Sli.EXTERNAL, Decimal("0.95"), 0, source=source, timeslices=timeslices, windows="fast-slow"
        )
        return dict(definition(one))

    ratio = of(Ratio("http://p", "sum(all)", bad="sum(bad)"), Timeslices(120, Decimal("0.95")))
    assert ratio["measured"] == "bad: sum(bad); of: sum(all); read from http://p"
    assert ratio["time slices"] == "2 min, good when 95 % in it is good"
    assert of(Raw("http://p", "p95", Op.LT, 0.2))["measured"] == "p95 lt 0.2; read from http://p"
    secret = "https://ann:hunter2@p/x?tenant=a&token=hunter2"
    for source in (Raw(secret, "p95", Op.LT, 0.2), Ratio(secret, "sum(all)", bad="sum(bad)")):
        assert of(source)["measured"].endswith("; read from https://p/x?tenant=a&token=********")
    assert of(Push())["measured"] == "pushed to POST /v1/slis/a"
    assert dict(definition(OBJECTIVES[0]))["measured"].startswith(
        "events of tokens that are not moved visible within 30 s"
    )


def test_an_unknown_objective_is_404_with_the_nearest_and_a_database_that_is_away_is_503(db: Engine) -> None:
    with web(db) as url, httpx.Client(base_url=url, timeout=5) as client:
        answer = client.get("/slo/events-lagg")
        assert answer.status_code == 404
        assert "did you mean events-lag" in answer.text
        assert client.get("/api/v1/slos/events-lagg").json()["status"] == 404
        assert client.get("/api/v1/slos").json()["missing"] == [o.name for o in ALL]
    with web(db, away=True) as url, httpx.Client(base_url=url, timeout=5) as client:
        answer = client.get("/slo")
        assert answer.status_code == 503
        assert "connection refused" in answer.text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.mark.chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("path", ["/slo", "/slo/events-freshness-all", "/slo/export-time", "/slo/nothing"])
def test_the_pages_fit_are_named_and_can_be_read(
    db: Engine, browser: Browser, path: str, width: int, scheme: str
) -> None:
    history(db, OBJECTIVES, bad=BURST, gap=range(100, 160))
    with web(db, "Burning: acme does 83 % of the work on 3 partitions.") as url:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
        )
        page.set_default_timeout(LIMIT_MS)
        try:
            page.goto(url + path)
            assert page.evaluate(OUTSIDE) == []
            assert page.evaluate(SPILLED) == []
            assert page.evaluate(NAMELESS) == []
            assert page.evaluate(TWICE) == []
            assert page.evaluate(CONTRAST) == []
            if folder := os.environ.get("FAIRLANE_SHOTS"):
                page.screenshot(
                    path=f"{folder}/{path.strip('/').replace('/', '-')}-{width}-{scheme}.png", full_page=True
                )
        finally:
            page.close()
