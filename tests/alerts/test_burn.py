"""The burn alerts, executed: they fire, reset, stay frozen, and leave quiet nights alone."""

from pathlib import Path

import pytest

from alerts import burn
from alerts.config import AlertSettings
from alerts.rules import rules
from slo import metrics
from slo.windows import GOOGLE_MWMB, window_name
from tests.support.promtool import Expect, Series, execute

pytestmark = pytest.mark.prometheus

SLO = {"slo": "events-freshness", "pipeline": "events", "population": "protected"}
PERIOD_S = 30 * 86_400
FAST = {"slo": "events-freshness", "pair": "1h/5m", "tier": "page", "pipeline": "events", "population": "protected"}

FIRES = [{**FAST}, {**FAST, "pair": "6h/30m"}]


def pairs(*names: str) -> list[dict[str, str]]:
    """One firing alert for each pair of windows."""
    return [{"slo": SLO["slo"], "pair": name} for name in names]


def objective(
    good: str, expected: str, *, samples: int, coverage: str | None = None, target: str | None = None
) -> list[Series]:
    """All series of one objective, a sample each 30 s; `evaluated` follows the scrape's time."""
    series = [
        Series(metrics.GOOD.name, SLO, good),
        Series(metrics.EXPECTED.name, SLO, expected),
        Series(metrics.REVISIONS.name, SLO, f"0x{samples}"),
        Series(metrics.TARGET.name, SLO, target or f"0.999x{samples}"),
        Series(metrics.LAST_EVALUATION.name, {}, f"0+30x{samples}"),
    ]
    for share in GOOGLE_MWMB:
        pair = share.pair(PERIOD_S)
        for side, seconds in (("long", pair.long_s), ("short", pair.short_s)):
            labels = {"slo": SLO["slo"], "window": window_name(seconds)}
            series += [
                Series(
                    metrics.THRESHOLD.name,
                    {**labels, "tier": pair.tier, "pair": pair.name, "side": side},
                    f"{float(pair.factor)}x{samples}",
                ),
                Series(metrics.COVERAGE.name, labels, coverage or f"1x{samples}"),
            ]
    return series


def run(directory: Path, series: list[Series], *expected: Expect) -> None:
    execute(directory, rules(AlertSettings()), series, expected, interval="30s")


def test_a_burning_objective_pages_and_resets_when_it_is_good_again(tmp_path: Path) -> None:
    # 200 events a minute; from minute 20 to 30 one in five is bad: burn 200 over 5 minutes, far over 14.4 over the hour soon after
    series = objective("0+100x39 3980+80x20 5600+100x120", "0+100x180", samples=180)
    run(
        tmp_path,
        series,
        Expect("19m", burn.PAGE),
        Expect("28m", burn.PAGE, FIRES),
        Expect("34m", burn.PAGE, FIRES),
        Expect("40m", burn.PAGE),
        Expect(
            "40m", burn.TICKET, pairs("6h/30m", "1d/2h", "3d/6h")
        ),  # no bad minutes any more: what is left of it can wait
        Expect("75m", burn.TICKET, pairs("1d/2h", "3d/6h")),
    )


def test_without_coverage_a_page_stays_frozen_and_ends_when_data_say_so(tmp_path: Path) -> None:
    # counts stop at minute 28 and come back good at minute 50; coverage falls meanwhile
    good = "0+100x39 3980+80x16 5260+0x43 5360+100x140"
    expected = "0+100x56 5600+0x43 5700+100x140"
    series = objective(good, expected, samples=240, coverage="1x57 0.5x42 1x140")
    run(
        tmp_path,
        series,
        Expect("28m", burn.PAGE, FIRES),
        Expect("38m", burn.PAGE, FIRES),
        Expect("49m", burn.PAGE, FIRES),
        Expect("60m", burn.PAGE, []),
    )


def test_a_slow_page_outlives_the_begin_of_a_gap(tmp_path: Path) -> None:
    """Burn 8 fires 6h/30m alone. Counts stop at minute 40: the bad minutes leave the last five before its 30 minutes count as uncovered; 5m is uncovered by then."""
    slow = [{**FAST, "pair": "6h/30m"}]
    series = [
        Series(one.name, one.labels, "1x84 0.5x56") if one.labels.get("window") == "5m" else one
        for one in objective("0+992x80 79360x60", "0+1000x80 80000x60", samples=140)
        if one.name != metrics.COVERAGE.name or one.labels["window"] != "30m"
    ]
    series.append(Series(metrics.COVERAGE.name, {"slo": SLO["slo"], "window": "30m"}, "1x100 0.8x40"))
    run(
        tmp_path,
        series,
        Expect("39m", burn.PAGE, slow),
        *(Expect(f"{minute}m", burn.PAGE, slow) for minute in (42, 44, 46, 48, 52, 60)),
    )


def test_a_short_window_that_runs_empty_ends_no_page(tmp_path: Path) -> None:
    # counts stop at minute 28: the short windows are uncovered soon, the long ones stay covered for a while
    gone = objective("0+100x39 3980+80x16 5260+0x43", "0+100x56 5600+0x43", samples=100)
    series = [
        Series(one.name, one.labels, "1x60 0.5x40")
        if one.name == metrics.COVERAGE.name and one.labels["window"] in {"5m", "30m"}
        else one
        for one in gone
    ]
    run(
        tmp_path,
        series,
        Expect("28m", burn.PAGE, FIRES),
        *(Expect(f"{minute}m", burn.PAGE, FIRES) for minute in range(29, 50, 2)),
    )


def test_a_page_survives_an_exporter_that_vanishes(tmp_path: Path) -> None:
    series = [
        Series(
            one.name,
            one.labels,
            f"{one.values} _x100" if one.name not in {metrics.GOOD.name, metrics.EXPECTED.name} else one.values,
        )
        for one in objective("0+100x39 3980+80x16 _x100", "0+100x56 _x100", samples=56)
    ]
    run(
        tmp_path,
        series,
        Expect("28m", burn.PAGE, FIRES),
        Expect("45m", burn.PAGE, FIRES),
        Expect("75m", burn.PAGE, FIRES),
    )


def test_a_removed_objective_stops_paging(tmp_path: Path) -> None:
    gone = objective("0+100x39 3980+80x16 _x100", "0+100x56 _x100", samples=56, target="0.999x56 stale _x100")
    other = Series(metrics.TARGET.name, {**SLO, "slo": "events-other"}, "0.99x160")
    run(tmp_path, [*gone, other], Expect("28m", burn.PAGE, FIRES), Expect("45m", burn.PAGE))


def test_nothing_starts_to_fire_without_coverage(tmp_path: Path) -> None:
    series = objective("0+80x60", "0+100x60", samples=60, coverage="0.5x60")
    run(tmp_path, series, Expect("28m", burn.PAGE), Expect("28m", burn.TICKET))


def test_a_stuck_evaluation_counts_as_no_coverage(tmp_path: Path) -> None:
    series = [
        one if one.name != metrics.LAST_EVALUATION.name else Series(one.name, {}, "0x60")
        for one in objective("0+80x60", "0+100x60", samples=60)
    ]
    run(tmp_path, series, Expect("28m", burn.PAGE))


def test_three_failures_in_a_quiet_night_make_a_ticket_not_a_page(tmp_path: Path) -> None:
    # ten events in two minutes, three of them bad
    series = objective("0x19 0+2x3 7x38", "0x19 0+3x3 10x38", samples=60)
    run(
        tmp_path,
        series,
        Expect("14m", burn.PAGE),
        Expect("14m", burn.TICKET, pairs("1h/5m", "6h/30m", "1d/2h", "3d/6h")),
    )


def test_minutes_that_are_counted_between_two_scrapes_are_seen(tmp_path: Path) -> None:
    """Scraped each 25 s, a hundred bad ones come between the last scrape of a minute and the first of the next: four of five minutes are bad."""
    due = [100 * sum(before % 12 in {3, 5, 8, 10} for before in range(n + 1)) for n in range(60)]
    series = objective("0x59", " ".join(map(str, due)), samples=60)
    execute(tmp_path, rules(AlertSettings()), series, [Expect("15m", burn.PAGE, FIRES)], interval="25s")


def test_the_first_minute_of_an_exporter_counts(tmp_path: Path) -> None:
    """Scraped each 10 s from 10:20 on; bad ones in what is left of that minute and in most of the next."""
    series = objective("_x61 0x60", "_x61 0x1 100+100x7 800x60", samples=130)
    execute(tmp_path, rules(AlertSettings()), series, [Expect("12m30s", burn.PAGE, FIRES)], interval="10s")


def test_a_slow_burn_makes_a_ticket(tmp_path: Path) -> None:
    # 0.4 % bad: burn 4, over 3 (1d/2h) and 1 (3d/6h), under 6
    series = objective("0+996x60", "0+1000x60", samples=60)
    run(tmp_path, series, Expect("28m", burn.PAGE), Expect("28m", burn.TICKET, pairs("1d/2h", "3d/6h")))


def test_no_traffic_is_not_trouble(tmp_path: Path) -> None:
    series = objective("1000x60", "1000x60", samples=60)
    run(tmp_path, series, Expect("28m", burn.PAGE), Expect("28m", burn.TICKET))


def compared(
    name: str, ours: str, good: str, expected: str, observed: str = "0+30x240", coverage: str = "1x240"
) -> list[Series]:
    """An objective whose burn rate the database tells as `ours`, over 240 samples of 30 s."""
    made = [
        *objective(good, expected, samples=240, coverage=coverage),
        Series(metrics.BURN.name, {"slo": SLO["slo"], "window": "1h"}, ours),
        Series(metrics.OBSERVED.name, SLO, observed),
    ]
    return [Series(one.name, one.labels | {"slo": name} if one.labels else one.labels, one.values) for one in made]


MISMATCHES = {
    "numbers-that-differ": (("5x240", "0+98x240", "0+100x240"), {85, 115}),
    "a-database-that-sees-nothing": (("0x240", "0+98x240", "0+100x240"), {85, 115}),
    "a-prometheus-that-sees-nothing": (("20x240", "0+100x240", "0+100x240"), {85, 115}),
    "numbers-that-agree": (("20x240", "0+98x240", "0+100x240"), set()),
    "numbers-within-a-tenth": (("18.5x240", "0+98x240", "0+100x240"), set()),
    "little-that-differs-by-little": (("0x240", "0+9996x240", "0+10000x240"), set()),
    "numbers-that-agree-again": (("5x180 20x60", "0+98x240", "0+100x240"), {85}),
    "a-prometheus-without-the-hour": (("5x240", "_x120 0+98x120", "_x120 0+100x120", "_x120 0+30x120"), set()),
    # half an hour of minutes is counted at minute 61: from then on an hour of Prometheus' holds more minutes than the database's
    "counts-all-at-once-after-a-gap": (("5x240", "0+98x240", "0+100x240", "0+30x60 1800x60 3600+30x120"), {85}),
    "a-database-that-saw-half-of-it": (("5x240", "0+98x240", "0+100x240", "0+30x240", "0.5x240"), set()),
}
"""Objective to its series and the minutes, of those that are looked at, in which it fires. Executed together: promtool's time is that of the rules."""


def test_prometheus_and_the_database_are_compared(tmp_path: Path) -> None:
    series = {one.text(): one for name, (made, _) in MISMATCHES.items() for one in compared(name, *made)}
    at = {
        minute: [
            {"slo": name, "window": "1h", "tier": "ticket"}
            for name, (_, fires) in MISMATCHES.items()
            if minute in fires
        ]
        for minute in (70, 85, 115)
    }
    assert [len(names) for names in at.values()] == [0, 5, 3]
    run(tmp_path, list(series.values()), *(Expect(f"{m}m", burn.MISMATCH, labels) for m, labels in at.items()))
