"""Windows are data: factors follow from budget shares, and what could never work is refused at load."""

from decimal import Decimal
from fractions import Fraction

import pytest

from slo.errors import ConfigError
from slo.objective import Audience, Objective, Sli
from slo.presets import pipeline_objectives
from slo.source import Timeslices
from slo.windows import FAST_SLOW, Pair, Tier, check, preset, window_name


def test_the_workbooks_factors_follow_from_its_budget_shares() -> None:
    assert [(pair.name, float(pair.factor), str(pair.tier)) for pair in preset("google-mwmb", 30)] == [
        ("1h/5m", 14.4, "page"),
        ("6h/30m", 6.0, "page"),
        ("1d/2h", 3.0, "ticket"),
        ("3d/6h", 1.0, "ticket"),
    ]
    assert [float(pair.factor) for pair in preset("google-mwmb", 28)] == [13.44, 5.6, 2.8, 28 / 30]


def test_fast_slow_is_ten_and_two() -> None:
    assert [(pair.name, pair.factor) for pair in preset("fast-slow", 30)] == [("1h/5m", 10), ("6h/1h", 2)]


@pytest.mark.parametrize(
    ("pairs", "target", "reason"),
    [
        (preset("google-mwmb", 30), "0.9", r"pair 1h/5m: factor 14.4 can never be exceeded.*1/\(1 - target\) = 10"),
        (FAST_SLOW, "0.9", "factor 10 can never be exceeded"),
        (FAST_SLOW, "1", "100 % leaves no error budget"),
        (FAST_SLOW, "0", "between 0 and 1"),
        (FAST_SLOW, "1.5", "between 0 and 1"),
        ((Pair(3600, 60, Fraction(2), Tier.PAGE),), "0.99", "less than two slices of 60 s"),
        ((Pair(3600, 3600, Fraction(2), Tier.PAGE),), "0.99", "must be shorter than the long one"),
        ((Pair(3600, 300, Fraction(0), Tier.PAGE),), "0.99", "must be above 0"),
        ((FAST_SLOW[0], FAST_SLOW[0]), "0.99", "different names"),
        ((), "0.99", "one or more pairs"),
    ],
)
def test_what_can_never_work_is_refused_with_the_reason(pairs: tuple[Pair, ...], target: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        check(pairs, Decimal(target))


def test_an_unknown_preset_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="no preset 'fast'; choose one of google-mwmb, fast-slow"):
        preset("fast", 30)


def test_an_objective_says_which_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="objective 'x': target: 100 %"):
        Objective("x", "events", Sli.LAG, Decimal(1), 10)
    with pytest.raises(ConfigError, match="objective 'A b': name must be"):
        Objective("A b", "events", Sli.LAG, Decimal("0.99"), 10)
    with pytest.raises(ConfigError, match="window_days"):
        Objective("x", "events", Sli.LAG, Decimal("0.99"), 10, window_days=0)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(7_200, "at most 60 of them, not 7200 s"), (90, "whole minutes, at most 60 of them, not 90 s")],
)
def test_a_time_slice_is_whole_minutes_up_to_an_hour(seconds: int, reason: str) -> None:
    wide = (Pair(5 * 86_400, 86_400, Fraction(2), Tier.PAGE),)
    assert (
        Objective("x", "p", Sli.EXTERNAL, Decimal("0.99"), 0, custom=wide, timeslices=Timeslices(3_600)).whole_s
        == 3_540
    )
    with pytest.raises(ConfigError, match=f"objective 'x': .*{reason}"):
        Objective("x", "p", Sli.EXTERNAL, Decimal("0.99"), 0, custom=wide, timeslices=Timeslices(seconds))


def test_a_deadline_beyond_what_a_page_looks_back_is_refused() -> None:
    assert Objective("x", "p", Sli.FRESHNESS, Decimal("0.99"), 3_480).late_s == 3_600
    with pytest.raises(ConfigError, match=r"objective 'x': events due 3540 s after capture.*Promise 3480 s or less"):
        Objective("x", "p", Sli.FRESHNESS, Decimal("0.99"), 3_540)


def test_a_pipeline_comes_with_its_objectives() -> None:
    found = {(str(o.sli), str(o.population)): (str(o.target), o.threshold) for o in pipeline_objectives("events")}
    assert found == {
        ("freshness", "protected"): ("0.9999", 30.0),
        ("freshness", "all"): ("0.999", 30.0),
        ("freshness", "moved"): ("0.99", 900.0),
        ("oldest_age", "all"): ("0.999", 30.0),
        ("lag", "all"): ("0.999", 10_000),
        ("capture_availability", "all"): ("0.999", 0),
        ("capture_latency", "all"): ("0.99", 0.2),
        ("valid", "all"): ("0.99", 0),
        ("complete", "all"): ("0.99", 0),
        ("unique", "all"): ("0.95", 0),
    }
    names = [o.name for o in pipeline_objectives("events")]
    assert len(set(names)) == len(names)
    assert Audience.MOVED in {o.population for o in pipeline_objectives("events")}


def test_what_clients_send_wakes_nobody() -> None:
    quality = [o for o in pipeline_objectives("events") if o.sli in {Sli.VALID, Sli.COMPLETE, Sli.UNIQUE}]
    assert {p.tier for o in quality for p in o.pairs} == {Tier.TICKET}


def test_window_names_use_the_largest_unit_that_divides() -> None:
    assert [window_name(s) for s in (90, 300, 5400, 7200, 86_400, 259_200)] == ["90s", "5m", "90m", "2h", "1d", "3d"]
