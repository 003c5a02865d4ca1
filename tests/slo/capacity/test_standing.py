"""Yellow and red: when work must begin, and when it is too late."""

import pytest

from slo.capacity.forecast import DAY, Forecast
from slo.capacity.limit import Limit
from slo.capacity.standing import Stage, Standing, judge, stage
from slo.errors import ConfigError

NOW = 1_795_600_000.0
TODAY = int(NOW) // DAY


def limit(trigger: float = 70.0, critical: float = 100.0, lead_days: float = 30.0) -> Limit:
    return Limit("disk", "Disk", "count", trigger, critical, lead_days, "streams", "CAP-1")


def grows(a_day: float, now: float, days: int = 60) -> dict[int, float]:
    """Hourly samples at noon of each day before today, and of now."""
    past = {(TODAY - n) * DAY + 12 * 3600: now - a_day * n for n in range(1, days)}
    return {**past, int(NOW) // 3600 * 3600: now}


@pytest.mark.parametrize(
    ("a_day", "now", "lead_days", "expected"),
    [
        (0.0, 10.0, 30, Stage.OK),
        (1.0, 50.0, 30, Stage.OK),
        (1.0, 50.0, 60, Stage.RED),
        (0.0, 70.0, 30, Stage.YELLOW),
        (0.0, 100.0, 30, Stage.RED),
        (-1.0, 99.0, 30, Stage.YELLOW),
    ],
    ids=["flat and low", "fifty days for thirty", "fifty days for sixty", "at the trigger", "at critical", "falling"],
)
def test_the_policy(a_day: float, now: float, lead_days: float, expected: Stage) -> None:
    assert judge(limit(lead_days=lead_days), grows(a_day, now), NOW).stage is expected


def test_slack_is_the_breach_less_the_lead_time() -> None:
    found = judge(limit(lead_days=30), grows(1.0, 50.0), NOW)
    assert found.breach_s == pytest.approx(NOW + 50 * DAY, abs=1.5 * DAY)
    assert found.slack_s == pytest.approx(20 * DAY, abs=1.5 * DAY)
    assert found.used == 0.5
    past = judge(limit(lead_days=30), grows(0.0, 120.0), NOW)
    assert (past.breach_s, past.slack_s) == (NOW, -30 * DAY)


def test_an_early_end_before_the_lead_time_is_yellow_although_the_middle_is_not() -> None:
    early, likely = int(NOW) + 20 * DAY, int(NOW) + 40 * DAY
    foreseen = Forecast(early, likely, None, (), 1.0, exponential=False, days=90)
    assert stage(Standing(limit(lead_days=30), NOW, Stage.OK, 50.0, NOW, foreseen, {})) is Stage.YELLOW
    assert stage(Standing(limit(lead_days=19), NOW, Stage.OK, 50.0, NOW, foreseen, {})) is Stage.OK


def test_no_data_is_unknown_and_old_data_too() -> None:
    assert judge(limit(), {}, NOW).stage is Stage.UNKNOWN
    old = judge(limit(), grows(1.0, 99.0), NOW + 3 * DAY)
    assert (old.stage, old.current, old.slack_s) == (Stage.UNKNOWN, None, None)
    assert old.sampled_s == int(NOW) // 3600 * 3600
    ahead = judge(limit(), {int(NOW) + 7200: 99.0}, NOW)
    assert ahead.stage is Stage.UNKNOWN, "what is yet to come is not looked at"


def test_a_young_limit_has_levels_but_no_forecast() -> None:
    young = judge(limit(), grows(1.0, 80.0, days=5), NOW)
    assert (young.stage, young.forecast, young.slack_s) == (Stage.YELLOW, None, None)


def test_today_does_not_count_as_a_whole_day() -> None:
    samples = grows(1.0, 50.0)
    start = {at: value for at, value in samples.items() if at < TODAY * DAY} | {TODAY * DAY: 1.0}
    assert judge(limit(), start, NOW).forecast == judge(limit(), samples, NOW).forecast


def test_the_worst_comes_first() -> None:
    standings = [
        judge(limit(), grows(0.0, 10.0), NOW),
        judge(limit(), {}, NOW),
        judge(limit(), grows(0.0, 100.0), NOW),
        judge(limit(), grows(0.0, 70.0), NOW),
    ]
    assert [s.stage for s in sorted(standings, key=lambda s: s.trouble)] == [
        Stage.RED,
        Stage.YELLOW,
        Stage.UNKNOWN,
        Stage.OK,
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "Disk!"}, "name must be"),
        ({"trigger": 100.0}, "below critical"),
        ({"critical": float("inf")}, "below critical"),
        ({"lead_days": 0.5}, "lead_days must lie"),
        ({"owner": " "}, "somebody must own it"),
        ({"project": ""}, "name the project"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_an_impossible_limit_is_refused(change: dict[str, object], reason: str) -> None:
    given = {"name": "disk", "title": "Disk", "unit": "count", "trigger": 70.0, "critical": 100.0}
    given |= {"lead_days": 30.0, "owner": "streams", "project": "CAP-1"}
    with pytest.raises(ConfigError, match=reason):
        Limit(**{**given, **change})  # type: ignore[arg-type]
