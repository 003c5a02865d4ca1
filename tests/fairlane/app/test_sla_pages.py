"""The SLA pages over HTTP: the newest month, any other, JSON and CSV; what is not there, not readable, or not what was signed is said."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import orjson
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, select, update

from fairlane.app import canned, sla_view
from fairlane.app.canned_source import CannedSource
from fairlane.app.main import create_app
from fairlane.app.shelf import Shelf
from fairlane.app.sla_pages import sla_router
from fairlane.database import open_database
from fairlane.schema import SLA_MONTHS
from slo.clock import ManualClock
from slo.errors import Unreachable
from tests.support import sla_story as story
from tests.support.desk import KeptDesk
from tests.support.served import served


def app_over(open_engine: Callable[[], Engine], clock: ManualClock) -> FastAPI:
    router = sla_router(Shelf(open_engine, clock), story.PIPELINE, story.OBJECTIVES, story.ZONE, clock)
    return create_app(CannedSource(canned.calm()), CollectorRegistry(), desk=KeptDesk(), routers=(router,))


@contextmanager
def asked(app: FastAPI) -> Iterator[httpx.Client]:
    with served(app) as url, httpx.Client(base_url=url, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, ManualClock]]:
    directory = tmp_path_factory.mktemp("story")
    clock = story.copy(directory)
    engine = story.opened(directory)
    story.months_of(engine, clock).sign("2026-09", "M. Varga", "reviewed")
    yield engine, clock
    engine.dispose()


@pytest.fixture(scope="module")
def client(told: tuple[Engine, ManualClock]) -> Iterator[httpx.Client]:
    engine, clock = told
    with asked(app_over(lambda: engine, clock)) as client:
        yield client


def test_what_was_moved_is_a_share_of_the_tokens_and_of_the_traffic(client: httpx.Client) -> None:
    page = client.get("/sla/2026-10").text
    assert (
        "Moved: 1 token (0.02 % of the 5,012 that were active in the busiest minute), 0.401 % of the traffic, " in page
    )
    moved = client.get("/sla/2026-10.json").json()["moved"]
    assert (moved["tokens"], moved["active_tokens"]) == (1, 5_012)
    assert moved["token_share"] == pytest.approx(1 / 5_012)
    assert moved["counted"] == pytest.approx(743 / 745)


@pytest.mark.parametrize(
    ("counted", "share", "says"),
    [
        (
            {"active": None, "counted_h": 0},
            "1 token, ",
            "Which share of all tokens that is cannot be told: nobody counted the active ones (no data).",
        ),
        (
            {"active": 400, "counted_h": 74},
            "1 token (0.25 % of the 400 that were active in the busiest minute), ",
            "Active tokens were counted in 9.93 % of the hours only; a busier minute may be missing.",
        ),
        ({"tokens": 0}, "", "How many tokens that was is not known: no move of this month is on record."),
        ({"tokens": 0, "expected": 0, "good": 0, "total": 0, "active": None}, None, ""),
    ],
    ids=["nobody counted", "counted now and then", "no move on record", "nobody moved"],
)
def test_a_share_without_its_whole_says_so(
    told: tuple[Engine, ManualClock], counted: dict[str, int | None], share: str | None, says: str
) -> None:
    sheet = story.months_of(*told).get("2026-10")
    assert sheet.month.moved is not None
    month = replace(sheet.month, moved=replace(sheet.month.moved, **counted))
    view = sla_view.build(replace(sheet, month=month), [], told[1].now())
    whole = f"Moved: {share}0.401 % of the traffic, 99.88 % of it within 15 min. {says}"
    assert view.moved == ("Moved: nobody." if share is None else whole)


def test_the_newest_month_that_is_over_comes_first(client: httpx.Client) -> None:
    page = client.get("/sla")
    assert page.status_code == 200
    assert "October 2026: every promise was kept." in page.text
    assert "draft, not signed yet" in page.text
    assert 'aria-current="page">SLA' in page.text
    assert 'href="/moves/019a0000-0000-7000-8000-000000000021"' in page.text


def test_a_signed_month_says_who_signed_it_and_its_digest(client: httpx.Client) -> None:
    page = client.get("/sla/2026-09").text
    assert "signed 3 Nov 2026 by M. Varga" in page
    assert client.get("/sla/2026-09.json").json()["signed"]["sha256"] in page


def test_the_same_month_as_json_and_csv(client: httpx.Client) -> None:
    answer = client.get("/sla/2026-10.json")
    assert answer.headers["content-type"] == "application/json"
    assert orjson.loads(answer.content)["document"]["month"] == "2026-10"
    sheet = client.get("/sla/2026-10.csv")
    assert sheet.headers["content-disposition"] == 'attachment; filename="sla-2026-10.csv"'
    assert len(list(csv.DictReader(io.StringIO(sheet.text)))) == len(story.OBJECTIVES)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/sla/2031-01", 404, "2031-01 has not begun"),
        ("/sla/2026-13", 400, "no period that exists"),
        ("/sla/2026-Q4", 400, "is no month"),
        ("/sla/%3Cscript%3E", 400, "&lt;script&gt;"),
    ],
)
def test_a_month_that_is_not_there_is_said(client: httpx.Client, path: str, status: int, says: str) -> None:
    page = client.get(path)
    assert (page.status_code, says in page.text, "<script>" in page.text) == (status, True, False)
    if "%" not in path:
        assert client.get(f"{path}.json").headers["content-type"].startswith("application/problem+json")


def test_nothing_measured_yet_is_no_error() -> None:
    engine = open_database("sqlite://")
    with asked(app_over(lambda: engine, ManualClock(1_793_700_000))) as client:
        page = client.get("/sla")
    engine.dispose()
    assert (page.status_code, "Nothing has been measured yet." in page.text) == (200, True)


def test_a_database_that_is_away_is_said() -> None:
    def away() -> Engine:
        raise Unreachable("the database postgresql://host does not answer")

    with asked(app_over(away, ManualClock(1_793_700_000))) as client:
        page = client.get("/sla")
        assert client.get("/sla/2026-10.csv").status_code == 503
    assert (page.status_code, "The history cannot be read." in page.text) == (503, True)
    assert "check database.url" in page.text


def test_a_month_that_somebody_changed_is_not_shown(tmp_path: Path) -> None:
    clock = story.copy(tmp_path)
    engine = story.opened(tmp_path)
    story.months_of(engine, clock).sign("2026-10", "M. Varga", "")
    with engine.begin() as conn:
        body = conn.execute(select(SLA_MONTHS.c.body)).scalar_one()
        conn.execute(update(SLA_MONTHS).values(body=body.replace('"tokens":1', '"tokens":0')))
    with asked(app_over(lambda: engine, clock)) as client:
        page = client.get("/sla/2026-10")
    engine.dispose()
    assert page.status_code == 500
    assert "A month is not what was signed." in page.text
    assert "every promise was kept" not in page.text
