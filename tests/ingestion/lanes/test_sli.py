"""Every record counted once, in its minute, in its population."""

from hypothesis import given
from hypothesis import strategies as st

from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from ingestion.contracts.telemetry import Kind, MinuteCount, Population
from ingestion.lanes.share import DEAD, HERE, Share, Verdict
from ingestion.lanes.sli import Tally
from tests.support.lane_messages import NOW_MS, message

MINUTE = NOW_MS // 60_000


def share(*messages, codes=None, verdicts=None) -> Share:
    headers = [m.headers() for m in messages]
    tokens = [next((v for k, v in own if k == "token"), b"") for own in headers]
    return Share(0, list(messages), headers, tokens, codes, verdicts or {})


def tally(*shares, now_ms=NOW_MS, lane=Lane.GENERAL, routed=None):
    made = Tally("p", lane, 30.0, now_ms, routed or {})
    for one in shares:
        made.add(one)
    return made.message()


def kinds(message) -> dict[tuple[Population, Kind], int]:
    found: dict[tuple[Population, Kind], int] = {}
    for c in message.counts:
        found[c.population, c.kind] = found.get((c.population, c.kind), 0) + c.count
    return found


def test_good_up_to_the_slo_and_late_beyond() -> None:
    ages = [0, 29_999, 30_000, 30_001, 90_000]
    counted = tally(share(*(message(i, captured=NOW_MS - age) for i, age in enumerate(ages))))
    assert kinds(counted) == {(Population.PROTECTED, Kind.GOOD): 3, (Population.PROTECTED, Kind.LATE): 2}
    assert sum(counted.protected_histogram) == 5
    assert counted.skewed == 0


def test_counted_in_the_minute_in_which_it_was_appended() -> None:
    counted = tally(share(message(0, appended=NOW_MS), message(1, appended=NOW_MS - 60_000)))
    assert counted.counts == (
        MinuteCount(MINUTE - 1, Population.PROTECTED, Kind.GOOD, 1),
        MinuteCount(MINUTE, Population.PROTECTED, Kind.GOOD, 1),
    )


def test_without_a_capture_time_or_with_one_in_the_future_the_append_time_counts() -> None:
    odd = [
        message(0, captured=None, appended=NOW_MS - 40_000),
        message(1, captured=NOW_MS + 5_000),
        message(2, captured=10**30),
    ]
    counted = tally(share(*odd))
    assert counted.skewed == 3
    assert kinds(counted) == {(Population.PROTECTED, Kind.GOOD): 2, (Population.PROTECTED, Kind.LATE): 1}


def test_a_capture_time_that_is_no_number_harms_nobody_else() -> None:
    bad = message(1)
    bad.set_headers([(k, b"soon" if k == h.CAPTURED_AT else v) for k, v in bad.headers()])
    counted = tally(share(message(0, captured=NOW_MS - 31_000), bad))
    assert counted.skewed == 1
    assert kinds(counted)[Population.PROTECTED, Kind.LATE] == 1


def test_canaries_replays_and_backfills_are_counted_apart() -> None:
    odd = [message(i, extra=[(name, b"1")]) for i, name in enumerate((h.CANARY, h.REPLAY, h.HISTORICAL))]
    found = kinds(tally(share(*odd, message(9))))
    assert {kind: n for (_, kind), n in found.items()} == dict.fromkeys(
        (Kind.CANARY, Kind.REPLAYED, Kind.HISTORICAL, Kind.GOOD), 1
    )


def test_the_population_is_where_the_token_was_wanted_when_it_was_appended() -> None:
    route = Route("p", "hot", Lane.OVERFLOW, NOW_MS - 10_000)
    routed = {b"hot": route.then(Lane.GENERAL, NOW_MS - 5_000)}
    records = [message(i, "hot", appended=NOW_MS - age) for i, age in enumerate((12_000, 9_000, 1_000))]
    found = kinds(tally(share(*records, message(9, "calm")), routed=routed))
    assert found == {(Population.PROTECTED, Kind.GOOD): 3, (Population.MOVED, Kind.GOOD): 1}


def test_forwards_are_seen_and_the_other_lane_counts_them_with_the_times_they_carry() -> None:
    codes = [Lane.OVERFLOW.code, HERE]
    assert {k for _, k in kinds(tally(share(message(0), message(1), codes=codes)))} == {Kind.FORWARDED, Kind.GOOD}
    there = message(
        70,
        captured=NOW_MS - 61_000,
        appended=NOW_MS,
        extra=[(h.LANE_SOURCE, b"p.general/0/1"), (h.APPENDED_AT, b"%d" % (NOW_MS - 60_000))],
    )
    counted = tally(share(there), lane=Lane.OVERFLOW)
    assert counted.counts == (MinuteCount(MINUTE - 1, Population.PROTECTED, Kind.LATE, 1),)


def test_dead_and_invalid_records_are_neither_good_nor_late() -> None:
    verdicts = {0: Verdict(Kind.DEAD, "x"), 1: Verdict(Kind.INVALID, "y")}
    found = kinds(tally(share(message(0), message(1), message(2), codes=[DEAD, DEAD, HERE], verdicts=verdicts)))
    assert {kind: n for (_, kind), n in found.items()} == {Kind.DEAD: 1, Kind.INVALID: 1, Kind.GOOD: 1}


@given(st.sets(st.integers(10, 60), min_size=1), st.integers(0, 10), st.integers(61, 70))
def test_offsets_without_a_record_are_gaps_and_everything_adds_up(offsets, start, following) -> None:
    one = share(*(message(o) for o in sorted(offsets)))
    made = Tally("p", Lane.GENERAL, 30.0, NOW_MS, {})
    made.add(one)
    made.gaps(one, start, following)
    assert sum(c.count for c in made.message().counts) == following - start


@given(st.lists(st.sampled_from([HERE, 1, 2]), min_size=1, max_size=30), st.integers(0, 200_000))
def test_every_record_is_counted_exactly_once(codes, spread) -> None:
    records = [message(i, appended=NOW_MS - i * spread, captured=NOW_MS - i * spread) for i in range(len(codes))]
    assert sum(c.count for c in tally(share(*records, codes=list(codes))).counts) == len(codes)


def test_append_times_years_apart_are_counted_too() -> None:
    counted = tally(share(message(0, appended=0), message(1, appended=NOW_MS * 3)))
    assert sum(c.count for c in counted.counts) == 2
