"""Budgets of calendar periods: they begin anew at a local midnight, whatever the rolling alerts remember."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from slo.calendar import Calendar, Unit
from slo.calendar_budget import EVERY_S, CalendarSums
from slo.clock import ManualClock
from slo.objective import Objective, Sli
from slo.round import Rounds
from slo.schema import SLICES, TOTALS
from slo.slices import Slice
from slo.windows import HOUR

HOURLY = 1_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def objective(unit: Unit = Unit.MONTH, zone: str = "UTC", target: str = "0.99") -> Objective:
    return Objective("o", "p", Sli.FRESHNESS, Decimal(target), 30, calendar=Calendar(unit, zone))


def book(engine: Engine, begin: int, end: int, bad: dict[int, int]) -> None:
    rows = [
        {
            "slo": "o",
            "at": hour,
            "step_s": HOUR,
            "good": HOURLY - bad.get(hour, 0),
            "total": HOURLY,
            "expected": HOURLY,
            "observed": HOUR,
        }
        for hour in range(begin, end, HOUR)
    ]
    good, total = sum(r["good"] for r in rows), sum(r["total"] for r in rows)
    with engine.begin() as conn:
        conn.execute(insert(SLICES), rows)
        conn.execute(
            insert(TOTALS).values(
                slo="o", born=begin, good=good, total=total, expected=total, observed=HOUR * len(rows)
            )
        )


def test_last_months_trouble_spends_nothing_of_this_months_budget(engine: Engine) -> None:
    now = at("2026-11-05 00:00:00")
    book(engine, at("2026-10-01 00:00:00"), now, {at("2026-10-20 10:00:00"): 900})
    (rolling,) = Rounds(engine, [Objective("o", "p", Sli.FRESHNESS, Decimal("0.99"), 30)], ManualClock(now)).go()
    assert rolling.budget_left < 0.9, "the rolling window still holds it"
    (e,) = Rounds(engine, [objective()], ManualClock(now)).go()
    assert (e.budget_left, e.total, e.error_ratio) == (1.0, 4 * 24 * HOURLY, 0)
    assert e.budget_s == pytest.approx(0.01 * 30 * 86_400), "of November's thirty days"
    (october,) = Rounds(engine, [objective()], ManualClock(at("2026-10-31 23:59:59"))).go()
    assert october.budget_spent == pytest.approx(900 / (31 * 24 * HOURLY * 0.01), rel=1e-3)
    assert october.budget_s == pytest.approx(0.01 * 31 * 86_400)


def test_a_month_begins_at_its_zones_midnight_and_has_an_hour_more_when_clocks_go_back(engine: Engine) -> None:
    zone = "Europe/Berlin"
    book(
        engine,
        at("2026-09-01 00:00:00"),
        at("2026-11-02 00:00:00"),
        {at("2026-09-30 22:00:00"): 500, at("2026-09-30 21:00:00"): 300},
    )
    sums = CalendarSums(engine, [objective(zone=zone)])
    found = sums.at(at("2026-10-15 12:00:00"))["o"]
    assert (found.begin, found.length_s) == (at("2026-09-30 22:00:00"), 31 * 86_400 + HOUR)
    assert found.slice.bad == 500, (
        "22:00 UTC is midnight in Berlin: it belongs to October, the hour before to September"
    )


def test_a_budget_that_lasts_longer_than_its_period_does_not_run_out(engine: Engine) -> None:
    now = at("2026-11-29 00:00:00")
    recent = {now - HOUR * n: 20 for n in range(1, 80)}
    book(engine, at("2026-11-01 00:00:00"), now, recent)
    (rolling,) = Rounds(engine, [Objective("o", "p", Sli.FRESHNESS, Decimal("0.99"), 30)], ManualClock(now)).go()
    assert rolling.exhaustion_s is not None
    assert rolling.exhaustion_s > 2 * 86_400
    (e,) = Rounds(engine, [objective()], ManualClock(now)).go()
    assert e.exhaustion_s is None


def test_sums_are_read_anew_each_minute_and_at_once_when_a_period_begins(engine: Engine) -> None:
    begin = at("2026-11-01 00:00:00")
    book(engine, begin - 24 * HOUR, begin + HOUR, {begin - HOUR: 7, begin: 5})
    sums = CalendarSums(engine, [objective()])
    assert sums.at(begin - 10)["o"].slice.bad == 7
    assert sums.at(begin + 5)["o"].slice.bad == 5
    with engine.begin() as conn:
        conn.execute(SLICES.update().where(SLICES.c.at == begin).values(good=HOURLY - 9))
    assert sums.at(begin + 5 + EVERY_S - 1)["o"].slice.bad == 5
    assert sums.at(begin + 5 + EVERY_S)["o"].slice.bad == 9
    assert sums.at(begin + 5)["o"].slice.bad == 9, "a clock that was put back asks anew"


def test_what_was_never_booked_has_an_empty_period(engine: Engine) -> None:
    now = at("2026-11-05 00:00:00")
    assert CalendarSums(engine, [objective(Unit.QUARTER)]).at(now)["o"].slice == Slice()
    (e,) = Rounds(engine, [objective(Unit.QUARTER)], ManualClock(now)).go()
    assert (e.budget_left, e.total, e.observed_s) == (1.0, 0, 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bad=st.dictionaries(st.integers(0, 6 * 24 - 1), st.integers(0, HOURLY), max_size=20))
def test_the_days_of_a_week_add_up_to_the_week(engine: Engine, bad: dict[int, int]) -> None:
    monday = at("2026-10-19 00:00:00")
    with engine.begin() as conn:
        conn.execute(SLICES.delete())
        conn.execute(TOTALS.delete())
    book(engine, monday, monday + 6 * 86_400, {monday + HOUR * n: count for n, count in bad.items()})
    end = monday + 6 * 86_400 - 1
    days = [CalendarSums(engine, [objective(Unit.DAY)]).at(monday + 86_400 * n - 1)["o"].slice for n in range(1, 7)]
    week = CalendarSums(engine, [objective(Unit.WEEK)]).at(end)["o"].slice
    assert sum(d.bad for d in days) == week.bad
    assert sum(d.total for d in days) == week.total
