"""Minutes that are pushed: each is set, what makes no sense is refused with its place, a database that is away loses nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from fairlane.app import canned
from fairlane.app.canned_source import CannedSource
from fairlane.app.main import create_app
from fairlane.app.shelf import RETRY_S, Shelf
from fairlane.app.slis_api import slis_api
from fairlane.slis.push import MOST, Minute, Pushes, Taken
from slo.clock import ManualClock
from slo.errors import Conflict, NotFound, UsageError
from slo.objective import Objective, Sli
from slo.presets import pipeline_objectives
from slo.slices import Slice
from slo.source import Push, Timeslices
from slo.store import LEDGER_S, SliceStore
from tests.support.desk import KeptDesk
from tests.support.served import served

NOW = 1_800_000_000 // 60 * 60


def pushed(name: str = "export", timeslices: Timeslices | None = None) -> Objective:
    return Objective(
        name, "", Sli.EXTERNAL, Decimal("0.99"), 0, source=Push(), timeslices=timeslices, windows="fast-slow"
    )


OBJECTIVES = (
    pushed(),
    pushed("export-slices", Timeslices(120, Decimal("0.9"))),
    *pipeline_objectives("events"),
)


def take(engine: Engine, *minutes: Minute, name: str = "export") -> Taken:
    return Pushes(OBJECTIVES, ManualClock(NOW)).take(engine, name, minutes)


def test_a_push_sets_its_minutes_and_a_repeated_one_changes_nothing(engine: Engine) -> None:
    minutes = [Minute(NOW - 60 * n, 98, 100) for n in (3, 1, 2)]
    assert take(engine, *minutes) == Taken(new=3, revised=0, same=0)
    assert take(engine, *minutes) == Taken(new=0, revised=0, same=3)
    assert SliceStore(engine).slices("export", NOW - 600, NOW) == {m.at: Slice(98, 100, 100, 60) for m in minutes}


def test_a_later_push_revises_a_minute_and_says_so(engine: Engine) -> None:
    take(engine, Minute(NOW - 120, 98, 100))
    assert take(engine, Minute(NOW - 120, 90, 101), Minute(NOW - 60, 0, 0)) == Taken(new=1, revised=1, same=0)
    assert SliceStore(engine).totals()["export"].slice == Slice(90, 101, 101, 120)


def test_of_time_slices_whole_ones_are_taken_and_counted_in_seconds(engine: Engine) -> None:
    begin = NOW // 120 * 120 - 600
    good = [Minute(begin + 60 * n, 95, 100) for n in range(2)]
    bad = [Minute(begin + 120 + 60 * n, 50 if n == 0 else 95, 100) for n in range(2)]
    assert take(engine, *good, *bad, name="export-slices").new == 4
    assert SliceStore(engine).totals()["export-slices"].slice == Slice(120, 240, 240, 240)
    with pytest.raises(UsageError, match="time slices of 120 s: push all minutes"):
        take(engine, good[0], name="export-slices")


@pytest.mark.parametrize(
    ("minute", "told"),
    [
        (Minute(NOW - 61, 1, 1), "whole minute, not at second 59"),
        (Minute(NOW + 120, 1, 1), "120 s in the future"),
        (Minute(60 * 10**400, 1, 1), "in the future"),
        (Minute(NOW - LEDGER_S - 60, 1, 1), "older than 5 days"),
        (Minute(NOW - 60, 2, 1), "good 2 and total 1"),
        (Minute(NOW - 60, -1, 1), "good -1"),
        (Minute(NOW - 60, 1, 2**60), "2\\^53"),
    ],
)
def test_a_minute_that_makes_no_sense_is_refused_and_nothing_of_its_push_is_taken(
    engine: Engine, minute: Minute, told: str
) -> None:
    with pytest.raises(UsageError, match=f"slices.1.*{told}"):
        take(engine, Minute(NOW - 180, 1, 1), minute)
    assert SliceStore(engine).totals() == {}


def test_too_few_too_many_and_twice_the_same_are_refused(engine: Engine) -> None:
    with pytest.raises(UsageError, match=r"send 1 to 1,500 minutes in one push, not 0"):
        take(engine)
    with pytest.raises(UsageError, match="not 1,501"):
        take(engine, *[Minute(NOW - 60 * n, 1, 1) for n in range(MOST + 1)])
    with pytest.raises(UsageError, match="twice"):
        take(engine, Minute(NOW - 60, 1, 1), Minute(NOW - 60, 1, 1))


def test_an_objective_that_takes_no_pushes_says_who_does(engine: Engine) -> None:
    with pytest.raises(Conflict, match="measured by lanes"):
        take(engine, Minute(NOW - 60, 1, 1), name="events-lag")
    with pytest.raises(NotFound, match="those that take pushes are export, export-slices"):
        take(engine, Minute(NOW - 60, 1, 1), name="exprot")


@contextmanager
def client(opened: Callable[[], Engine], clock: ManualClock) -> Iterator[httpx.Client]:
    api = slis_api(Shelf(opened, clock), Pushes(OBJECTIVES, clock))
    app = create_app(CannedSource(canned.calm(), ("events",)), CollectorRegistry(), desk=KeptDesk(), routers=(api,))
    with served(app) as url, httpx.Client(base_url=url, timeout=5) as one:
        yield one


def test_the_endpoint_takes_times_as_seconds_or_rfc_3339(engine: Engine) -> None:
    with client(lambda: engine, ManualClock(NOW)) as web:
        body = {"slices": [{"at": "2027-01-15T09:59:00+02:00", "good": 1, "total": 2}]}
        answer = web.post("/v1/slis/export", json=body)
        assert (answer.status_code, answer.json()) == (200, {"slo": "export", "new": 1, "revised": 0, "same": 0})
        again = web.post("/v1/slis/export", json={"slices": [{"at": NOW - 60, "good": 1, "total": 2}]})
        assert again.json()["same"] == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"slices": [{"at": "2027-01-15T07:59:00", "good": 1, "total": 2}]}, "slices.0.at"),
        ({"slices": [{"at": "2027-02-30T07:59:00Z", "good": 1, "total": 2}]}, "slices.0.at"),
        ({"slices": [{"at": NOW, "good": 1.5, "total": 2}]}, "slices.0.good"),
        ({"slices": [{"at": NOW, "good": 1}]}, "slices.0.total"),
        ({"slices": [{"at": NOW, "good": 1, "total": 2, "bad": 1}]}, "slices.0.bad"),
        ({"slices": []}, "slices"),
    ],
)
def test_a_body_that_is_none_is_refused_with_its_place(engine: Engine, body: object, told: str) -> None:
    with client(lambda: engine, ManualClock(NOW)) as web:
        answer = web.post("/v1/slis/export", json=body)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]


def test_a_database_that_is_away_is_said_and_tried_again_after_a_while(engine: Engine) -> None:
    clock, away = ManualClock(NOW), [True]
    tries = []

    def opened() -> Engine:
        tries.append(clock.now())
        if away[0]:
            raise OperationalError("connect", {}, Exception("connection refused"))
        return engine

    with client(opened, clock) as web:
        body = {"slices": [{"at": NOW - 60, "good": 1, "total": 2}]}
        for _ in range(3):
            answer = web.post("/v1/slis/export", json=body)
            assert answer.status_code == 503
            assert "connection refused" in answer.json()["detail"]
        assert len(tries) == 1, "a database that is away is not asked for each request"
        away[0] = False
        clock.advance(RETRY_S + 1)
        assert web.post("/v1/slis/export", json=body).json()["new"] == 1
