"""Calendar periods meet exactly, in every zone and over every clock change."""

import contextlib
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.calendar import Calendar, Unit, midnight, parse_period, zone_of
from slo.errors import ConfigError

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Africa/Cairo",
)

zones = st.sampled_from(ZONES)
units = st.sampled_from(list(Unit))
instants = st.integers(946_684_800, 2_208_988_800)


@given(zone=zones, unit=units, at=instants)
def test_an_instant_lies_in_its_period_and_periods_meet(zone: str, unit: Unit, at: int) -> None:
    calendar = Calendar(unit, zone)
    period = calendar.at(at)
    assert period.begin <= at < period.end
    assert calendar.previous(period).end == period.begin
    assert calendar.at(period.end).begin == period.end
    assert calendar.at(period.end - 1) == period


@given(zone=zones, unit=units, at=instants)
def test_the_days_of_a_period_add_up_to_it(zone: str, unit: Unit, at: int) -> None:
    calendar = Calendar(unit, zone)
    period = calendar.at(at)
    days = list(calendar.days(period))
    assert (days[0].begin, days[-1].end) == (period.begin, period.end)
    assert all(a.end == b.begin for a, b in pairwise(days))
    assert sum(d.seconds for d in days) == period.seconds


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 10, 26), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("UTC", date(2026, 3, 29), 24),
    ],
    ids=["spring in Berlin", "autumn in Berlin", "the day after", "half an hour in Lord Howe", "never in UTC"],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, day: date, hours: float) -> None:
    assert Calendar(Unit.DAY, zone).of(day).seconds == hours * 3600


def test_a_month_over_a_clock_change_is_an_hour_longer() -> None:
    assert Calendar(Unit.MONTH, "Europe/Berlin").of(date(2026, 10, 5)).seconds == 31 * 86_400 + 3_600
    assert Calendar(Unit.QUARTER, "Europe/Berlin").of(date(2026, 10, 5)).seconds == 92 * 86_400 + 3_600


def test_a_day_begins_where_midnight_is_skipped() -> None:
    # clocks went from 0:00 to 1:00
    assert midnight(date(2018, 11, 4), "America/Sao_Paulo") == 1_541_300_400


@pytest.mark.parametrize(
    ("text", "name", "days"),
    [
        ("2026-10", "2026-10", 31),
        ("2026-Q4", "2026-Q4", 92),
        ("2026", "2026", 365),
        ("2026-10-21", "2026-10-21", 1),
        ("2024-02", "2024-02", 29),
        ("2026-Q1", "2026-Q1", 90),
    ],
)
def test_a_period_is_read_and_named(text: str, name: str, days: int) -> None:
    _, period = parse_period(text)
    assert (period.name, period.seconds) == (name, days * 86_400)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-02-30", "2026-Q5", "2026-00", "2026-01-00", "0000", "2026-Q0", "9999", "9999-12", "9999-12-31"]
)  # fmt: skip
def test_a_period_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no period that exists"):
        parse_period(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-W10-1", "2026-W10", "2026W101", "20261021", "2026-294", "26", "soon", "", "2026-1", "2026-10-21T00", "2026-10-1",
        "2_26", "2_26-Q1", "+026", "-026", " 2026", "2026 ", "2026\n", "2026-10\n", "2026-Q4-1", "2026-q4", "2026-Q04", "2026/10", "２０２６", "٢٠٢٦-10",
    ],
)  # fmt: skip
def test_another_shape_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(ConfigError, match="write 2026-10, 2026-Q4, 2026 or 2026-10-21"):
        parse_period(text)


named = st.sampled_from([Unit.DAY, Unit.MONTH, Unit.QUARTER, Unit.YEAR])


@given(zone=zones, unit=named, day=st.dates(date(1, 1, 3), date(9998, 12, 31)))
def test_a_name_reads_as_the_period_that_it_names(zone: str, unit: Unit, day: date) -> None:
    calendar = Calendar(unit, zone)
    assert parse_period(calendar.of(day).name, zone) == (calendar, calendar.of(day))


near_a_period = st.from_regex(r"[0-9]{3,4}-?[QqW0-9]?-?[0-9]{0,2}[-T]?[0-9]{0,2}.?", fullmatch=True)


@given(text=st.one_of(st.text(max_size=12), near_a_period))
def test_what_is_read_is_what_would_be_written(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert parse_period(text)[1].name == text


@pytest.mark.parametrize(
    "name", ["Europe/Berlinn", "", "/etc/passwd", "../UTC", "Mars/Olympus", "localtime", "Factory"]
)
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        Calendar(Unit.MONTH, name)


def test_the_nearest_zone_is_named() -> None:
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        zone_of("Europe/Berlinn")
