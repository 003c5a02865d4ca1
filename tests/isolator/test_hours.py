"""Hours of the week: what was seen at an hour is no anomaly at that hour, unless it did harm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isolator import hours as module
from isolator import snapshot
from isolator.baseline import Baseline
from isolator.constants import Policy
from isolator.hours import BUCKETS, HOUR_S, Hours, bucket_of
from isolator.interner import Interner
from isolator.observation import Tick

POLICY = Policy()
MONDAY = 1_699_833_600  # 2023-11-13 00:00 UTC
NOBODY = np.zeros(0, dtype=np.int64)
DAY = 24 * HOUR_S


def test_the_week_begins_on_monday() -> None:
    assert bucket_of(MONDAY) == 0
    assert bucket_of(MONDAY - 1) == BUCKETS - 1
    assert bucket_of(MONDAY + 3 * DAY + 5 * HOUR_S + 59) == 77


class Days:
    """A baseline that lives through days in steps of a minute: `job` works at `rate` from `hour` on, for an hour; `steady` always does the same."""

    def __init__(self) -> None:
        self.interner = Interner()
        self.steady, self.job = self.interner.ids(["steady", "job"]).tolist()
        self.baseline = Baseline(POLICY, self.interner)

    def hour(
        self, start_s: int, job: float, *, held: tuple[int, ...] = (), odd: tuple[int, ...] = (), cost: float = 1e-3
    ) -> None:
        ids = np.array([self.steady, self.job])
        for minute in range(0, HOUR_S, 20):
            events = np.array([40.0, job * 20.0])
            tick = Tick(20.0, ids, events, ids, events, events * np.array([1e-3, cost]), 0.0, (start_s + minute) * 1000)
            self.baseline.offer(tick, 2, np.array(held, dtype=np.int64), calm=True, odd=np.array(odd, dtype=np.int64))

    def usual(self, at_s: int) -> tuple[float, float]:
        usual = self.baseline.usual(np.array([self.job]), at_s * 1000)
        return float(usual.rate[0]), float(usual.cost[0])


def nightly(held: bool = False, odd: bool = False, cost: float = 1e-3) -> Days:
    days = Days()
    for hour in range(25):
        night = hour == 3
        marked = (days.job,) if night else ()
        days.hour(
            MONDAY + hour * HOUR_S,
            100.0 if night else 0.5,
            held=marked if held else (),
            odd=marked if odd else (),
            cost=cost if night else 1e-3,
        )
    return days


@pytest.mark.parametrize("odd", [False, True])
def test_a_nightly_job_is_expected_at_its_hour_once_it_was_seen(odd: bool) -> None:
    days = nightly(odd=odd, cost=4e-3)
    noon = days.usual(MONDAY + DAY + 12 * HOUR_S)[0]
    night, cost = days.usual(MONDAY + DAY + 3 * HOUR_S + 1800)
    assert night > 100 / POLICY.guard_ratio, "no anomaly on the next night, though it is another day of the week"
    assert noon < night / 5
    assert cost == pytest.approx(4e-3, rel=0.1)
    again = days.usual(MONDAY + 7 * DAY + 3 * HOUR_S + 1800)[0]
    assert again > night, "and more so in the next week"
    assert days.usual(MONDAY + DAY + 3 * HOUR_S - 300)[0] == pytest.approx(night), "it may come five minutes early"


def test_nothing_is_learned_from_an_hour_in_which_the_token_was_held() -> None:
    days = nightly(held=True)
    noon = days.usual(MONDAY + DAY + 12 * HOUR_S)[0]
    assert days.usual(MONDAY + DAY + 3 * HOUR_S + 1800)[0] == pytest.approx(noon, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1e4)), min_size=30, max_size=60), st.integers(0, 30)
)
def test_an_hour_never_learns_from_held_tokens(ticks: list[tuple[bool, bool, float]], first: int) -> None:
    """Whatever a token does in an hour in which it was held once, calm or not, leaves its buckets as they were."""
    interner = Interner()
    ids = interner.ids(["a", "b"])
    baseline = Baseline(POLICY, interner)
    ticks[first % len(ticks)] = (True, *ticks[first % len(ticks)][1:])
    told = [(True, 5.0, False)] * 60 + [(calm, rate, held) for held, calm, rate in ticks]
    at_s = MONDAY
    for calm, rate, held in told:
        step = HOUR_S / 60 if at_s < MONDAY + HOUR_S else HOUR_S / len(ticks)
        events = np.array([rate, 7.0]) * 20.0
        tick = Tick(20.0, ids, events, ids, events, events * 1e-3, 0.0, int(at_s * 1000))
        baseline.offer(tick, 2, ids[:1] if held else NOBODY, calm=calm)
        at_s += step
    before = baseline.hours.bucket(1)
    for t in range(4):
        at_ms = int((MONDAY + 2 * HOUR_S + 20 * t) * 1000)
        baseline.offer(
            Tick(20.0, ids[1:], np.ones(1), ids[1:], np.ones(1), np.ones(1) * 1e-3, 0.0, at_ms), 1, NOBODY, calm=True
        )
    assert "a" not in before.tokens
    assert "a" not in baseline.hours.bucket(1).tokens
    assert "a" in baseline.hours.bucket(0).tokens, "the calm hour before was learned"


def test_a_quiet_hour_makes_nobody_suspect_and_everybodys_peak_is_expected_of_the_small_ones() -> None:
    days = Days()
    for hour in range(25):
        days.hour(MONDAY + hour * HOUR_S, 200.0 if hour == 9 else 10.0)
    general = days.baseline.usual(np.array([days.job])).rate[0]
    assert days.usual(MONDAY + DAY + 4 * HOUR_S)[0] >= general
    new = days.interner.id("new")
    quiet, peak = (
        float(days.baseline.usual(np.array([new]), (MONDAY + DAY + h * HOUR_S + 1800) * 1000).rate[0]) for h in (4, 9)
    )
    assert peak > 2 * quiet


def test_only_the_largest_keep_buckets_and_a_larger_one_takes_the_smallests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    interner = Interner()
    ids = interner.ids(["a", "b", "c", "d", "e"])
    hours = Hours(interner)

    def live(hour: int, *work: float) -> None:
        for second in (0, 1200, 2400):
            done = np.array(work) * 1200
            hours.learn((MONDAY + hour * HOUR_S + second) * 1000, 1200.0, (ids, done * 10), (ids, done * 10, done), 1.0)

    live(0, 1, 2, 3, 4, 0)
    live(1, 1, 2, 3, 4, 0)
    assert set(hours.bucket(0).tokens) == {"b", "c", "d"}
    live(2, 1, 2, 3, 4, 2.2)
    assert set(hours.bucket(1).tokens) == {"b", "c", "d"}, "hardly more work takes nothing away"
    live(3, 1, 2, 3, 4, 9)
    live(4, 1, 2, 3, 4, 9)
    assert set(hours.bucket(3).tokens) == {"c", "d", "e"}
    assert hours.bucket(0).tokens == ("d", "c") or set(hours.bucket(0).tokens) == {"c", "d"}


def test_a_stretch_too_short_for_an_hour_is_not_learned() -> None:
    interner = Interner()
    ids = interner.ids(["a"])
    hours = Hours(interner)
    for at_s in (MONDAY + 3000, MONDAY + 3500, MONDAY + HOUR_S):
        hours.learn(at_s * 1000, 400.0, (ids, np.ones(1)), (ids, np.ones(1), np.ones(1)), 1.0)
    assert not hours.changed()
    assert not len(hours)


def test_hours_come_back_from_their_small_chunks() -> None:
    days = nightly()
    changed = days.baseline.hours.changed()
    assert changed == list(range(24))
    chunks = [snapshot.encode_hour(days.baseline.hours.bucket(n), 7) for n in changed]
    assert max(map(len, chunks)) < 30_000
    interner = Interner()
    back = Hours(interner)
    back.restore(snapshot.decode_hours([*chunks, b"rubbish"]))
    for n in changed:
        one, other = days.baseline.hours.bucket(n), back.bucket(n)
        assert dict(zip(one.tokens, one.events.tolist(), strict=True)) == pytest.approx(
            dict(zip(other.tokens, other.events.tolist(), strict=True))
        )
        assert (one.all_seconds, one.all_events) == (other.all_seconds, other.all_events)
    assert snapshot.decode(chunks) is None, "an hour is no snapshot of tokens"
    assert not days.baseline.hours.changed()
    days.baseline.hours.rewrite()
    assert days.baseline.hours.changed() == changed


def test_an_hour_of_a_thousand_long_tokens_stays_a_small_record() -> None:
    interner = Interner()
    rng = np.random.default_rng(1)
    ids = interner.ids([rng.bytes(16).hex() for _ in range(3_000)])
    hours = Hours(interner)
    for at_s in (MONDAY, MONDAY + 1800, MONDAY + HOUR_S):
        some = rng.random(len(ids)) * 1e4
        hours.learn(at_s * 1000, 1800.0, (ids, some), (ids, some, some * 1e-3), float(some.sum()))
    assert len(hours) == module.MOST
    assert len(snapshot.encode_hour(hours.bucket(0), 1)) < 60_000
