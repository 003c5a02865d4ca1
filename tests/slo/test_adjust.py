"""Announced maintenance: what is refused, what overlaps, what a cancellation leaves on record."""

import pytest
from sqlalchemy import Engine

from slo.adjust import Adjustment, Adjustments, holding
from slo.errors import Conflict, NotFound, UsageError
from slo.windows import DAY, HOUR

NOW = 1_792_000_020 // 60 * 60


def one(id_: str = "m", slo: str = "", begin: int = NOW + DAY, length: int = HOUR, **more: str) -> Adjustment:
    return Adjustment(
        id_, slo, begin, begin + length, more.get("by", "boss"), more.get("reason", "upgrade"), NOW * 1000
    )


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (one(by=" "), "needs who approved it"),
        (one(reason=""), "needs who approved it"),
        (one(begin=NOW + 61), "to the minute"),
        (one(length=-60), "ends after it begins"),
        (one(length=0), "ends after it begins"),
        (one(length=8 * DAY), "up to 7 days"),
        (one(begin=NOW - 6 * DAY), "5 days after it began"),
    ],
    ids=["nobody", "no reason", "half a minute", "backwards", "empty", "too long", "too late"],
)
def test_what_cannot_be_left_out_is_refused_with_the_reason(engine: Engine, new: Adjustment, says: str) -> None:
    store = Adjustments(engine)
    with pytest.raises(UsageError, match=says):
        store.announce(new)
    assert store.all() == []


def test_a_minute_is_left_out_once_only(engine: Engine) -> None:
    store = Adjustments(engine)
    store.announce(one("m", "a"))
    store.announce(one("n", "b"))
    store.announce(one("o", "a", begin=NOW + DAY + HOUR))
    with pytest.raises(Conflict, match="overlaps maintenance m"):
        store.announce(one("p", "", begin=NOW + DAY - 60))
    store.cancel("m", NOW * 1000, "boss", "wrong day")
    store.announce(one("q", "a"))
    assert [a.id for a in store.all()] == ["m", "n", "q", "o"]


def test_what_is_called_off_stays_on_record_and_excludes_nothing(engine: Engine) -> None:
    store = Adjustments(engine)
    store.announce(one())
    ended = store.cancel("m", NOW * 1000 + 5, "deputy", "not needed")
    assert (ended.holds, ended.cancelled_by, ended.cancelled_why) == (False, "deputy", "not needed")
    assert store.all() == [ended]
    assert holding(store.all(), "a", 0, NOW + 9 * DAY) == []
    with pytest.raises(NotFound, match="no maintenance 'm' that holds"):
        store.cancel("m", NOW * 1000, "boss", "again")
    with pytest.raises(UsageError, match="needs who"):
        store.cancel("m", NOW * 1000, "", "again")


def test_they_are_found_by_time_scope_and_change(engine: Engine) -> None:
    store = Adjustments(engine)
    store.announce(one("m", "a"))
    store.announce(one("n", "b", begin=NOW + 3 * DAY))
    assert [a.id for a in store.between(NOW + DAY + HOUR, NOW + 9 * DAY)] == ["n"]
    assert [a.id for a in holding(store.all(), "a", 0, NOW + 9 * DAY)] == ["m"]
    assert [a.id for a in store.changed_since(NOW * 1000)] == ["m", "n"]
    assert store.changed_since(NOW * 1000 + 1) == []
    store.cancel("n", NOW * 1000 + 2, "boss", "no")
    assert [a.id for a in store.changed_since(NOW * 1000 + 1)] == ["n"]
    assert one().notice_s == DAY
