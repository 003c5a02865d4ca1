"""Objectives from slices to a verdict that is kept and exported."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from slo.burn import Severity, State
from slo.clock import ManualClock
from slo.errors import ConfigError
from slo.evaluate import evaluate
from slo.evaluation import Evaluation
from slo.export import Exporter
from slo.history import History
from slo.objective import Audience, Objective, Sli
from slo.presets import pipeline_objectives
from slo.running import RunningSums
from slo.slices import Slice
from slo.source import Timeslices
from slo.standing import Bench
from slo.store import Booking, SliceStore
from slo.windows import HOUR, MINUTE, Pair, Tier

NOW = 1_700_000_000 // 3600 * 3600 + 1_830
OBJECTIVE = Objective("a", "events", Sli.FRESHNESS, Decimal("0.999"), 30.0)


def book(store: SliceStore, begin: int, end: int, good: int, total: int) -> None:
    """Minutes `begin` (more) to `end` (less) ago."""
    first = NOW // 60 * 60
    store.book(
        [Booking("a", first - ago * 60, Slice(good, total, total, 60), first - ago * 60) for ago in range(end, begin)]
    )


def find(store: SliceStore, now: float = NOW, before: Evaluation | None = None) -> Evaluation:
    return evaluate([OBJECTIVE], store, now, {"a": before} if before else None)[0]


def test_healthy(engine: Engine) -> None:
    store = SliceStore(engine)
    book(store, 120, 0, 100, 100)
    found = find(store)
    assert (found.state, found.severity, found.exhaustion_s, found.budget_left) == (State.OK, Severity.NONE, None, 1.0)


SLICED = Objective(
    "a",
    "shop",
    Sli.EXTERNAL,
    Decimal("0.99"),
    0,
    custom=(Pair(HOUR, 20 * MINUTE, Fraction(10), Tier.PAGE),),
    timeslices=Timeslices(600),
)


def ticks(store: SliceStore, good: int, stops_s: int = 10**9) -> list[Evaluation]:
    """Half an hour's evaluations while each whole time slice of ten minutes is booked 35 s after its end, by both ways to judge, which agree."""
    found: list[Evaluation] = []
    start, sums, bench, standing = NOW // 600 * 600, None, Bench([SLICED]), None
    known = start - 2 * HOUR
    for now in range(start, start + 1800, 30):
        end = (min(now, start + stops_s) - 35) // 600 * 600
        store.book([Booking("a", at, Slice(good, 60, 60, 60), known) for at in range(known, end, 60)])
        known = max(known, end)
        sums = sums or RunningSums(store._read, bench.windows())
        standing = bench.judge(sums.refresh(now), standing)
        one = evaluate([SLICED], store, now, {"a": found[-1]} if found else None)[0]
        same = bench.evaluation(standing, 0)
        assert (same.state, same.severity, same.bad_minutes) == (one.state, one.severity, one.bad_minutes)
        found.append(one)
    return found


def test_time_slices_that_come_as_a_whole_do_not_freeze_their_objective(engine: Engine) -> None:
    assert {e.state for e in ticks(SliceStore(engine), 60)} == {State.OK}


def test_time_slices_that_are_bad_page_all_the_time(engine: Engine) -> None:
    assert {(e.state, e.severity) for e in ticks(SliceStore(engine), 0)} == {(State.FIRING, Severity.PAGE)}


def test_time_slices_that_stop_coming_freeze(engine: Engine) -> None:
    found = ticks(SliceStore(engine), 60, stops_s=60)
    assert [e.state for e in found[:20]] == [State.OK] * 20
    assert found[-1].state is State.FROZEN


def test_a_short_window_under_two_time_slices_is_refused() -> None:
    with pytest.raises(ConfigError, match="less than two slices of 900 s"):
        replace(SLICED, timeslices=Timeslices(900))


def test_a_flood_pages_and_then_resolves(engine: Engine) -> None:
    store = SliceStore(engine)
    book(store, 120, 5, 100, 100)
    book(store, 5, 0, 20, 100)
    firing = find(store)
    assert (firing.state, firing.severity) == (State.FIRING, Severity.PAGE)
    fast = {p.pair: p for p in firing.pairs}["1h/5m"]
    assert (fast.short_burn, fast.bad, fast.severity) == (800.0, 400, Severity.PAGE)
    assert firing.bad_minutes == 5
    assert firing.exhaustion_s is not None
    assert 0 < firing.budget_left < 1
    later = NOW + 600
    store.book([Booking("a", NOW // 60 * 60 + 60 * n, Slice(100, 100, 100, 60), NOW) for n in range(1, 11)])
    calm = find(store, later, firing)
    fast = {p.pair: p for p in calm.pairs}["1h/5m"]
    assert (fast.short_burn, fast.state, fast.severity) == (0.0, State.OK, Severity.NONE)


def test_a_telemetry_gap_freezes_instead_of_resolving(engine: Engine) -> None:
    store = SliceStore(engine)
    book(store, 120, 0, 20, 100)
    firing = find(store)
    assert firing.severity is Severity.PAGE
    frozen = find(store, NOW + 20 * 60, firing)
    assert {p.pair: p.state for p in frozen.pairs}["1h/5m"] is State.FROZEN
    assert frozen.severity is Severity.PAGE
    assert frozen.state in {State.FROZEN, State.FIRING}
    whole_hours_later = find(store, NOW + 10 * HOUR, frozen)
    assert (whole_hours_later.state, whole_hours_later.severity) == (State.FROZEN, Severity.PAGE)


def test_a_gap_after_calm_freezes_too_but_does_not_fire(engine: Engine) -> None:
    store = SliceStore(engine)
    book(store, 120, 0, 100, 100)
    frozen = find(store, NOW + 20 * 60, find(store))
    assert (frozen.state, frozen.severity) == (State.FROZEN, Severity.NONE)


def test_no_data_is_told_from_no_traffic(engine: Engine) -> None:
    store = SliceStore(engine)
    nothing = find(store)
    assert (nothing.state, nothing.observed_s) == (State.FROZEN, 0)
    book(store, 120, 0, 0, 0)
    quiet = find(store)
    assert (quiet.state, quiet.total, quiet.error_ratio) == (State.OK, 0, None)
    assert quiet.observed_s > 0


def test_evaluations_are_kept_as_they_were(engine: Engine) -> None:
    store, history = SliceStore(engine), History(engine)
    book(store, 120, 0, 20, 100)
    found = find(store)
    history.save([found])
    assert history.newest("events") == {"a": found}
    assert history.newest("other") == {}
    same = find(store, NOW + 15, found)
    assert (same.since_ms, same.at_ms) == (found.since_ms, found.at_ms + 15_000)
    history.save([same])
    assert [(t.state, t.at_ms) for t in history.transitions("a")] == [(State.FIRING, found.at_ms)]
    assert history.forget(found.at_ms + 1) == 1
    assert history.forget(0, same.at_ms) == 0, "what was evaluated just now stays"
    assert history.forget(0, same.at_ms + 1) == 1
    assert history.newest() == {}, "what nobody declares any more is forgotten"


def test_worst_comes_first(engine: Engine) -> None:
    store, history = SliceStore(engine), History(engine)
    book(store, 120, 0, 20, 100)
    bad = find(store)
    good = replace(bad, slo="b", state=State.OK, severity=Severity.NONE)
    history.save([good, bad])
    assert list(history.newest()) == ["a", "b"]


def test_series_for_prometheus_never_go_back(engine: Engine) -> None:
    store, registry = SliceStore(engine, ManualClock(NOW)), CollectorRegistry()
    exporter = Exporter(registry, [OBJECTIVE])

    def value(name: str, **more: str) -> float | None:
        return registry.get_sample_value(name, {"slo": "a", **more})

    whole = {"pipeline": "events", "population": "all"}
    assert value("fairlane_slo_target", **whole) == 0.999
    assert value("fairlane_slo_burn_threshold", window="5m", tier="page", pair="1h/5m", side="short") == 14.4
    book(store, 10, 0, 20, 100)
    exporter.publish([find(store)], store.totals())
    assert value("fairlane_slo_good_total", **whole) == 200
    assert value("fairlane_slo_expected_total", **whole) == 1000
    assert value("fairlane_slo_observed_seconds_total", **whole) == 600
    assert value("fairlane_slo_state", **whole) == 1
    assert value("fairlane_slo_severity", **whole) == 2
    assert value("fairlane_slo_burn_rate", window="5m") == 800
    assert value("fairlane_slo_coverage_ratio", window="5m") == 1
    book(store, 10, 0, 20, 90)
    exporter.publish([find(store)], store.totals())
    assert value("fairlane_slo_expected_total", **whole) == 1000
    assert value("fairlane_slo_good_total", **whole) == 300, "a hundred bad ones fewer"
    assert value("fairlane_slo_revised_total", **whole) == 100
    book(store, 10, 0, 20, 110)
    exporter.publish([find(store)], store.totals())
    assert value("fairlane_slo_expected_total", **whole) == 1200
    assert value("fairlane_slo_good_total", **whole) == 300
    assert value("fairlane_slo_revised_total", **whole) == 100, "what is left is what is due: 1100"


MOVED = Objective("moved", "events", Sli.FRESHNESS, Decimal("0.99"), 900, Audience.MOVED)


def test_what_is_known_late_is_told(engine: Engine) -> None:
    store, registry = SliceStore(engine, ManualClock(NOW)), CollectorRegistry()
    exporter = Exporter(registry, [SLICED, replace(SLICED, name="b", timeslices=Timeslices(60)), OBJECTIVE, MOVED])
    book(store, 120, 5, 0, 60)
    exporter.publish(evaluate([SLICED], store, NOW), store.totals())
    told = {
        (sample.name, sample.labels["slo"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name in {"fairlane_slo_bad_minutes", "fairlane_slo_late_seconds"}
    }
    assert told == {
        ("fairlane_slo_bad_minutes", "a"): 9,
        ("fairlane_slo_late_seconds", "a"): 540,
        ("fairlane_slo_late_seconds", "moved"): 1_020,
    }


def test_a_pipelines_own_set_is_evaluated_at_once(engine: Engine) -> None:
    found = evaluate(pipeline_objectives("events"), SliceStore(engine), NOW)
    assert [e.state for e in found] == [State.FROZEN] * len(pipeline_objectives("events"))
    assert evaluate([], SliceStore(engine), NOW) == []


def test_moved_tokens_windows_end_when_their_outcomes_are_known(engine: Engine) -> None:
    """Half of the last twenty minutes' events have no outcome yet, and half of those before were never visible: both windows are bad."""
    store = SliceStore(engine, ManualClock(NOW))
    first = NOW // 60 * 60
    minutes = [(first - ago * 60, 100 if ago >= MOVED.late_s // 60 else 50) for ago in range(120)]
    store.book([Booking("moved", at, Slice(50, due, 100, 60), first - 7200) for at, due in minutes])
    (found,) = evaluate([MOVED], store, NOW)
    fast = {p.pair: p for p in found.pairs}["1h/5m"]
    assert (fast.short_burn, fast.long_burn, fast.bad, fast.severity) == (50.0, 50.0, 3_000, Severity.PAGE)
    assert fast.short_coverage == 1


def test_before_the_first_late_outcomes_there_is_no_traffic_and_not_no_data(engine: Engine) -> None:
    store = SliceStore(engine, ManualClock(NOW))
    first = NOW // 60 * 60
    store.book([Booking("moved", first - ago * 60, Slice(0, 0, 100, 60), first - 300) for ago in range(5)])
    (found,) = evaluate([MOVED], store, NOW)
    assert {p.state for p in found.pairs} == {State.OK}


def test_the_share_of_moved_traffic_is_that_of_the_last_hour(engine: Engine) -> None:
    """Tokens were moved five minutes ago, and half of the traffic is theirs."""
    objectives = [o for o in pipeline_objectives("events") if o.sli is Sli.FRESHNESS]
    store, registry = SliceStore(engine, ManualClock(NOW)), CollectorRegistry()
    exporter = Exporter(registry, objectives)
    first = NOW // 60 * 60
    events = {Audience.ALL: (100, 100), Audience.PROTECTED: (100, 50), Audience.MOVED: (0, 50)}
    for o in objectives:
        counts = [(ago, events[o.population][ago < 6]) for ago in range(120)]
        store.book([Booking(o.name, first - ago * 60, Slice(n, n, n, 60), first - 7200) for ago, n in counts])
    exporter.publish(evaluate(objectives, store, NOW), store.totals())
    assert registry.get_sample_value("fairlane_slo_moved_traffic_ratio", {"pipeline": "events"}) == pytest.approx(0.05)
