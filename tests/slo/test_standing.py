"""All objectives judged by columns stand as each judged alone."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.burn import Severity, State, WindowSum
from slo.evaluate import evaluate
from slo.evaluation import Evaluation
from slo.objective import Audience, Objective, Sli
from slo.running import Sums
from slo.slices import Slice
from slo.standing import Bench, Standing, resume
from slo.store import Rolling
from tests.support.sums import sums_of

NOW = 1_700_000_030.0
OBJECTIVES = (
    Objective("a", "p", Sli.FRESHNESS, Decimal("0.999"), 30, Audience.PROTECTED),
    Objective("b", "p", Sli.FRESHNESS, Decimal("0.99"), 900, Audience.MOVED, windows="fast-slow"),
    Objective("c", "q", Sli.LAG, Decimal("0.9999"), 10_000, window_days=7),
    Objective("never", "q", Sli.LAG, Decimal("0.95"), 1),
)


class Fixed:
    """Windows that were made by hand."""

    def __init__(self, found: dict[str, Rolling]) -> None:
        self.found = found

    def rolling(self, _windows: object, _now: float, /) -> dict[str, Rolling]:
        return self.found


@st.composite
def window(draw: st.DrawFn, length: int) -> WindowSum:
    """Counts from nothing to many, close to the factor as well, and every coverage."""
    total = draw(st.sampled_from([0, 1, 100, 10_000, 1_000_000]))
    bad = draw(st.one_of(st.integers(0, total), st.integers(0, min(total, 150)))) if total else 0
    if total >= 10_000 and draw(st.booleans()):
        bad = total * 144 // 10_000  # a burn of exactly 14.4 at 99.9 %
    due = draw(st.sampled_from([0, 60, length]))
    seen = draw(st.sampled_from([0, due * 9 // 10, due * 9 // 10 - 1, due])) if due else 0
    observed = draw(st.sampled_from([0, 60]))
    return WindowSum(Slice(total - bad, total, total, observed), max(seen, 0), due)


def both(newest: WindowSum, older: WindowSum) -> WindowSum:
    return WindowSum(
        newest.slice + older.slice,
        newest.due_observed_s + older.due_observed_s,
        newest.due_s + older.due_s,
    )


@st.composite
def rollings(draw: st.DrawFn) -> dict[str, Rolling]:
    minute = int(NOW) // 60 * 60

    def windows(o: Objective) -> dict[int, WindowSum]:
        """Of one whose outcomes come late each holds what is not known yet, and something before it."""
        newest = draw(window(o.late_s)) if o.late_s else WindowSum()
        found = {w: draw(window(w)) for w in sorted(Bench(OBJECTIVES).windows())}
        return {w: both(newest, one) if w > o.late_s else newest for w, one in found.items()}

    return {
        o.name: Rolling(
            windows(o),
            tuple(
                sorted(minute - 60 * n for n in draw(st.sets(st.sampled_from([0, 1, 2, 4, 5, 6, 17, 18, 20, 22, 39]))))
            ),
            int(NOW) - draw(st.sampled_from([0, 60, 86_400, 10**8])),
        )
        for o in OBJECTIVES[:3]
    }


def rounded(e: Evaluation) -> Evaluation:
    """Floats to twelve digits: columns divide in another order."""

    def r(x: float | None) -> float | None:
        # nudged, so that a value that ends in a 5 is rounded up whichever way its last bit fell
        return None if x is None else float(f"{x * (1 + 1e-14):.12g}")

    pairs = tuple(
        replace(
            p,
            long_burn=r(p.long_burn),
            short_burn=r(p.short_burn),
            threshold=r(p.threshold),
            long_coverage=r(p.long_coverage),
            short_coverage=r(p.short_coverage),
        )
        for p in sorted(e.pairs, key=lambda p: p.pair)
    )
    names = ("error_ratio", "budget_spent", "budget_s", "exhaustion_s")
    left = {"budget_left": round(e.budget_left, 9), "budget_left_s": round(e.budget_left_s, 6)}
    return replace(e, pairs=pairs, **left, **{name: r(getattr(e, name)) for name in names})


@settings(max_examples=150, deadline=None)
@given(rounds=st.lists(rollings(), min_size=1, max_size=3))
def test_columns_say_what_each_objective_alone_says(rounds: list[dict[str, Rolling]]) -> None:
    bench = Bench(OBJECTIVES)
    standing: Standing | None = None
    before: dict[str, Evaluation] = {}
    for n, found in enumerate(rounds):
        now = NOW + 15 * n
        expected = evaluate(OBJECTIVES, Fixed(found), now, before)
        standing = bench.judge(sums_of(found, now), standing)
        got = [bench.evaluation(standing, i) for i in range(len(OBJECTIVES))]
        assert [rounded(e) for e in got] == [rounded(e) for e in expected]
        before = {e.slo: e for e in expected}


@given(found=rollings(), later=rollings())
@settings(max_examples=50, deadline=None)
def test_a_restart_goes_on_from_what_was_stored(found: dict[str, Rolling], later: dict[str, Rolling]) -> None:
    bench = Bench(OBJECTIVES)
    first = bench.judge(sums_of(found, NOW))
    stored = {o.name: bench.evaluation(first, n) for n, o in enumerate(OBJECTIVES)}
    again = resume(bench, stored)
    on = [bench.judge(sums_of(later, NOW + 15), before) for before in (first, again)]
    told = [[bench.evaluation(s, n) for n in range(4)] for s in on]
    assert told[0] == told[1]


def test_nothing_stored_is_no_standing() -> None:
    assert resume(Bench(OBJECTIVES), {}) is None


@pytest.mark.parametrize("share", [14.399999, 14.4, 14.400001])
def test_a_burn_at_its_factor_does_not_fire_and_above_it_does(share: float) -> None:
    total = 1_000_000_000
    bad = round(total * 0.001 * share)
    one = WindowSum(Slice(total - bad, total, total, 60), 3600, 3600)
    bench = Bench(OBJECTIVES[:1])
    found = {"a": Rolling(dict.fromkeys(bench.windows(), one), (), 0)}
    standing = bench.judge(sums_of(found, NOW))
    fires = {p.pair: str(p.state) for p in bench.evaluation(standing, 0).pairs}
    assert fires["1h/5m"] == ("firing" if share > 14.4 else "ok")


def test_the_columns_of_sums_are_told_by_name() -> None:
    sums: Sums = sums_of({"x": Rolling({60: WindowSum()}, (60,), 5)}, 100)
    assert sums.rolling(0) == Rolling({60: WindowSum()}, (60,), 5)
    assert list(pairwise(sums.names)) == []


def test_a_page_does_not_become_a_ticket_because_the_newest_minutes_are_missing() -> None:
    """The slow pair alone burns; then the telemetry stops, and the five minutes' window is the first to be uncovered."""
    objective = Objective("gap", "p", Sli.FRESHNESS, Decimal("0.999"), 30)
    bench = Bench([objective])
    minute = int(NOW) // 60 * 60

    def seen(covered: int, bad_at: tuple[int, ...]) -> dict[str, Rolling]:
        sums = {
            w: WindowSum(Slice(100_000 - 800, 100_000, 100_000, w), 300 if w > 300 else covered, 300)
            for w in bench.windows()
        }
        return {"gap": Rolling(sums, bad_at, int(NOW) - 86_400)}

    recent = (minute - 120, minute - 60)
    before: dict[str, Evaluation] = {}
    standing: Standing | None = None
    found: list[tuple[State, Severity]] = []
    for n, rolling in enumerate((seen(300, recent), seen(180, ()), seen(300, ()))):
        now = NOW + 15 * n
        (expected,) = evaluate([objective], Fixed(rolling), now, before)
        before = {"gap": expected}
        standing = bench.judge(sums_of(rolling, now), standing)
        assert rounded(bench.evaluation(standing, 0)) == rounded(expected)
        found.append((expected.state, expected.severity))
    assert found == [
        (State.FIRING, Severity.PAGE),
        (State.FIRING, Severity.PAGE),
        (State.FIRING, Severity.TICKET),
    ]


def test_minutes_that_are_still_open_do_not_push_bad_ones_out() -> None:
    objective = Objective("o", "p", Sli.FRESHNESS, Decimal("0.999"), 30)
    now = 1_700_000_040
    bad = tuple(now - 60 * n for n in (5, 6))
    assert Rolling({}, bad, 0).bad_minutes(now, objective.late_s) == 1
    assert Rolling({}, bad, 0).bad_minutes(now, objective.late_s, objective.open_s) == 2
    assert Objective("o", "p", Sli.FRESHNESS, Decimal("0.99"), 900).open_s == 0
    assert Objective("o", "p", Sli.LAG, Decimal("0.99"), 900).open_s == 0
