"""SLA months: what a draft says, what signing freezes, what comes after it."""

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from sqlalchemy import Engine, select, update

from fairlane.schema import SLA_MONTHS
from fairlane.sla.month import decode
from fairlane.sla.months import Months, Stage
from fairlane.sla.signing import TamperedMonth
from slo.adjust import Adjustments
from slo.clock import ManualClock
from slo.days_roll import Roller
from slo.errors import Conflict, NotFound, UsageError
from slo.objective import Audience, Sli
from slo.report import Outcome
from slo.schema import SLICES, TOTALS
from slo.slices import Slice
from slo.store import Booking, SliceStore
from tests.support import sla_story as story


@pytest.fixture
def clock(tmp_path: Path) -> ManualClock:
    return story.copy(tmp_path)


@pytest.fixture
def engine(tmp_path: Path, clock: ManualClock) -> Iterator[Engine]:
    engine = story.opened(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def months(engine: Engine, clock: ManualClock) -> Months:
    return story.months_of(engine, clock)


def local(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=ZoneInfo(story.ZONE)).timestamp())


def late(engine: Engine, clock: ManualClock) -> None:
    """Data for 31 October that comes on 3 November."""
    at = local(2026, 10, 31)
    before = SliceStore(engine).slices(story.ALL, at, at + 60)[at]
    less = Slice(before.good - 1_000_000, before.total, before.expected, before.observed)
    SliceStore(engine, clock).book([Booking(story.ALL, at, less, at)])
    Roller(engine, {o.name: o.target for o in story.OBJECTIVES}, story.ZONE).roll(clock.now())


def test_months_are_listed_from_the_running_one_to_the_first(months: Months) -> None:
    found = months.list()
    assert [(e.month, e.stage) for e in found[:2]] == [("2026-11", Stage.RUNNING), ("2026-10", Stage.DRAFT)]
    assert (len(found), found[-1].month, months.latest()) == (13, "2025-11", "2026-10")


def test_october_says_what_happened_in_it(months: Months) -> None:
    sheet = months.get("2026-10")
    m = sheet.month
    assert (sheet.stage, m.end - m.begin, len(m.promises[0].days)) == (Stage.DRAFT, 745 * 3600, 31)
    everybody = m.promise(Sli.FRESHNESS, Audience.ALL)
    assert everybody is not None
    assert everybody.outcome is Outcome.KEPT
    assert everybody.account.achieved > everybody.account.achieved_with
    assert sum((everybody.day_spent(d) for d in everybody.days), start=0) == everybody.budget.spent
    first, second, third, announced = m.incidents
    assert (first.begin, first.end) == (local(2026, 10, 21, 14, 2), local(2026, 10, 21, 14, 19))
    assert (first.cause, first.others_late_s) == ("One tenant's load; moved within a minute.", 0)
    assert len(first.moves) == 1
    assert (second.cause, second.others_late_s) == ("A new build of the handler was slower.", 540)
    assert (third.cause, [t.slo for t in third.touched]) == ("Cause not recorded.", [story.CAPTURE])
    assert (announced.in_maintenance, announced.cause) == (True, "Announced: broker upgrade.")
    assert [(x.reason, x.cancelled) for x in m.maintenance] == [
        ("broker upgrade", False),
        ("second broker upgrade", True),
    ]
    assert m.moved is not None
    assert (m.moved.tokens, round(float(m.moved.share), 3)) == (1, 0.004)
    assert (m.moved.active, m.moved.token_share) == (5_012, Fraction(1, 5_012))
    assert (m.moved.counted_h, m.moved.due_h) == (743, 745)
    assert m.complete is not None
    assert round(float(1 - m.complete) * 745 * 60) == 130


def test_may_was_broken_and_the_trend_of_october_shows_it(months: Months) -> None:
    may = months.get("2026-05").month.promise(Sli.FRESHNESS, Audience.ALL)
    october = months.get("2026-10").month.promise(Sli.FRESHNESS, Audience.ALL)
    assert may is not None
    assert october is not None
    assert may.outcome is Outcome.BROKEN
    trend = {b.month: b.achieved for b in october.trend}
    assert (len(trend), trend["2026-05"], trend["2026-10"]) == (12, may.account.achieved, october.account.achieved)


@pytest.mark.parametrize(
    ("month", "error", "says"),
    [
        ("2026-11", Conflict, "2026-11 is not over; it can be signed from 2026-11-30 23:20 UTC on"),
        ("2031-01", NotFound, "2031-01 has not begun; there are 2025-11, "),
        ("2019-01", NotFound, "2019-01 lies before anything was measured"),
        ("2026-13", UsageError, "'2026-13' is no period that exists"),
        ("2026-Q4", UsageError, "is no month; write it as 2026-10"),
        ("october", UsageError, "is no period"),
    ],
)
def test_what_cannot_be_signed_says_why(months: Months, month: str, error: type[Exception], says: str) -> None:
    earlier = NotFound if error is NotFound else error
    with pytest.raises(earlier, match=says):
        months.get(month) if error is NotFound else months.sign(month, "M. Varga", "")


def test_a_month_that_has_just_ended_waits_for_its_last_minutes(months: Months, engine: Engine) -> None:
    clock = ManualClock(local(2026, 11, 1) + 60)
    with pytest.raises(Conflict, match="its last minutes are not closed yet"):
        story.months_of(engine, clock).sign("2026-10", "M. Varga", "")


def test_nobody_signs_without_a_name(months: Months) -> None:
    with pytest.raises(UsageError, match="needs a name"):
        months.sign("2026-10", "  ", "")
    assert months.get("2026-10").stage is Stage.DRAFT


def test_a_signed_month_stays_and_late_data_is_told_beside_it(
    months: Months, engine: Engine, clock: ManualClock
) -> None:
    signed = months.sign("2026-10", "M. Varga", "reviewed")
    assert signed.signed is not None
    assert (signed.stage, signed.signed.by, signed.revised) == (Stage.SIGNED, "M. Varga", ())
    with pytest.raises(Conflict, match=r"was signed by M\. Varga on 2026-11-03"):
        months.sign("2026-10", "Somebody Else", "")
    late(engine, clock)
    again = months.get("2026-10")
    assert again.month == signed.month
    assert again.signed == signed.signed
    # what leads to a tenant is beside the document, not in it
    assert (again.month.incidents[0].moves, len(again.moves[again.month.incidents[0].begin])) == ((), 1)
    assert again.revised == (
        "Events visible within 30 s: 99.96 % was signed, 99.93 % is known now (-1,000,000 good, +1,000,000 bad events).",
    )


def test_maintenance_that_is_called_off_after_the_signature_is_told_beside_it_too(
    months: Months, engine: Engine
) -> None:
    before = months.sign("2026-10", "M. Varga", "").month
    Adjustments(engine).cancel("m-1", 1_793_800_000_000, "R. Okafor", "was not announced in time")
    after = months.get("2026-10")
    assert after.month == before
    assert len(after.revised) == len(story.OBJECTIVES)


def test_the_trend_says_what_was_signed_even_when_it_is_known_better_now(
    months: Months, engine: Engine, clock: ManualClock
) -> None:
    signed = months.sign("2026-10", "M. Varga", "").month.promise(Sli.FRESHNESS, Audience.ALL)
    late(engine, clock)
    november = months.get("2026-11").month.promise(Sli.FRESHNESS, Audience.ALL)
    assert signed is not None
    assert november is not None
    october = next(b for b in november.trend if b.month == "2026-10")
    assert (october.signed, october.achieved) == (True, signed.account.achieved)


def test_a_signed_month_that_somebody_changed_is_not_shown(months: Months, engine: Engine) -> None:
    months.sign("2026-10", "M. Varga", "")
    with engine.begin() as conn:
        body = conn.execute(select(SLA_MONTHS.c.body)).scalar_one()
        conn.execute(update(SLA_MONTHS).values(body=body.replace('"tokens":1', '"tokens":0')))
    with pytest.raises(TamperedMonth, match=r"2026-10: what is in the database has the digest .*by M\. Varga"):
        months.get("2026-10")
    assert months.get("2026-11").month.promises, "other months are shown"


def test_the_document_is_the_same_bytes_there_and_back(months: Months) -> None:
    document = months.get("2026-10").month
    body = document.canonical()
    assert decode(body) == document
    assert decode(body).canonical() == body
    assert document.sha256 == months.get("2026-10").month.sha256
    with pytest.raises(ValueError, match="version 9 of an SLA month"):
        decode(body.replace(b'"contract":1', b'"contract":9'))


def test_a_month_says_the_same_a_year_later(months: Months, engine: Engine, clock: ManualClock) -> None:
    before = months.get("2026-10").month
    clock.advance(340 * 86_400)
    SliceStore(engine, clock).compact(clock.now())
    with engine.begin() as conn:
        assert conn.execute(select(SLICES.c.step_s).distinct()).scalars().all() == [3600]
    after = months.get("2026-10").month
    assert after.promises == before.promises
    assert after.incidents == before.incidents


def test_a_month_that_was_signed_before_tokens_were_counted_is_read(months: Months) -> None:
    document = months.get("2026-10").month
    raw = orjson.loads(document.canonical())
    for name in ("active", "counted_h", "due_h"):
        del raw["moved"][name]
    moved = decode(orjson.dumps(raw)).moved
    assert moved is not None
    assert (moved.tokens, moved.active, moved.token_share, moved.counted) == (1, None, None, None)


def test_nothing_measured_is_no_month(engine: Engine, months: Months) -> None:
    with engine.begin() as conn:
        conn.execute(TOTALS.delete())
    assert (months.list(), months.latest()) == ([], None)
    with pytest.raises(NotFound, match="nothing has been measured yet"):
        months.get("2026-10")
