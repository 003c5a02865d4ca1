"""Every template is a valid document and counts what it says: its example read from a real Prometheus with a known past."""

import time
from collections.abc import Iterator, Mapping
from fractions import Fraction

import pytest

from fairlane.slis.prometheus import Prometheus
from slo.errors import NotFound, UsageError
from slo.objective import Objective
from slo.openslo.read import read
from slo.openslo.translate import Translation, translate
from slo.slices import SLICE_S, Slice
from slo.templates import template, templates
from tests.support.backfilled import backfilled

MINUTES = 30
EVENTS = 1_000
"""A minute, each of them."""


def histogram(name: str, labels: str, good: Mapping[str, int]) -> dict[str, int]:
    """What a histogram with these buckets (upper bound to events within it) grows by a minute."""
    buckets = {f'{name}_bucket{{{labels},le="{le}"}}': n for le, n in good.items()}
    return {**buckets, f'{name}_bucket{{{labels},le="+Inf"}}': EVENTS, f"{name}_count{{{labels}}}": EVENTS}


GROWS: Mapping[str, Mapping[str, int]] = {
    "capture": {
        'fairlane_capture_events_total{pipeline="events",outcome="accepted"}': 995,
        'fairlane_capture_events_total{pipeline="events",outcome="unconfirmed"}': 5,
        'fairlane_capture_events_total{pipeline="events",outcome="invalid"}': 700,
        'fairlane_capture_events_total{pipeline="others",outcome="unconfirmed"}': 900,
        **histogram("fairlane_capture_request_seconds", 'pipeline="events"', {"0.1": 900, "0.2": 980}),
    },
    "event-visible": histogram("event_visible_seconds", 'pipeline="events"', {"10.0": 900, "30.0": 999}),
    "dashboard-load": {
        **histogram("dashboard_load_seconds", 'job="web"', {"2.0": 940, "4.0": 992}),
        **histogram("dashboard_load_seconds", 'job="staging"', {"2.0": 1, "4.0": 2}),
    },
    "api": histogram("http_request_duration_seconds", 'job="api"', {"0.2": 960, "0.5": 985}),
    "export": histogram("export_duration_seconds", 'job="export"', {"60.0": 880}),
    "permission-check": {
        **histogram("permission_check_seconds", 'job="api",cache="hit"', {"0.005": 991, "0.05": 1000}),
        **histogram("permission_check_seconds", 'job="api",cache="miss"', {"0.005": 10, "0.05": 970}),
    },
    "queries": {
        **histogram("query_duration_seconds", 'kind="filter"', {"0.5": 951, "2.0": 990, "10.0": 1000}),
        **histogram("query_duration_seconds", 'kind="trend"', {"0.5": 500, "2.0": 949, "10.0": 1000}),
        **histogram("query_duration_seconds", 'kind="funnel"', {"0.5": 100, "2.0": 500, "10.0": 900}),
    },
    "person-store": {
        **histogram("person_store_seconds", 'job="persons",operation="read"', {"0.05": 994, "0.1": 999}),
        **histogram("person_store_seconds", 'job="persons",operation="write"', {"0.05": 600, "0.1": 989}),
        'person_store_requests_total{job="persons",outcome="ok"}': 1998,
        'person_store_requests_total{job="persons",outcome="error"}': 2,
    },
}
GOOD: Mapping[str, Slice] = {
    "capture-availability": Slice(995, 1000, 1000, 60),
    "capture-latency": Slice(980, 1000, 1000, 60),
    "ingestion-visible": Slice(999, 1000, 1000, 60),
    "dashboards-load-p95": Slice(940, 1000, 1000, 60),
    "dashboards-load-p99": Slice(992, 1000, 1000, 60),
    "api-latency-p95": Slice(960, 1000, 1000, 60),
    "api-latency-p99": Slice(985, 1000, 1000, 60),
    "export-duration-p90": Slice(880, 1000, 1000, 60),
    "permissions-cached-p99": Slice(991, 1000, 1000, 60),
    "permissions-uncached-p99": Slice(970, 1000, 1000, 60),
    "filter-queries-p95": Slice(951, 1000, 1000, 60),
    "trend-queries-p95": Slice(949, 1000, 1000, 60),
    "funnel-queries-p95": Slice(900, 1000, 1000, 60),
    "person-store-read-p99": Slice(994, 1000, 1000, 60),
    "person-store-write-p99": Slice(989, 1000, 1000, 60),
    "person-store-availability": Slice(1998, 2000, 2000, 60),
}
"""Objective to what its minutes must hold."""
PROMISED: Mapping[str, str] = {
    "capture-availability": "0.999",
    "capture-latency": "0.99",
    "ingestion-visible": "0.999",
    "ingestion-lag": "0.999",
    "dashboards-load-p95": "0.95",
    "dashboards-load-p99": "0.99",
    "api-latency-p95": "0.95",
    "api-latency-p99": "0.99",
    "export-duration-p90": "0.9",
    "permissions-cached-p99": "0.99",
    "permissions-uncached-p99": "0.99",
    "filter-queries-p95": "0.95",
    "trend-queries-p95": "0.95",
    "funnel-queries-p95": "0.95",
    "person-store-read-p99": "0.99",
    "person-store-write-p99": "0.99",
    "person-store-availability": "0.999",
}
NOW = int(time.time()) // SLICE_S * SLICE_S - 600


def examples(url: str = "http://prometheus:9090") -> Translation:
    bundle = read([(f"{name}.yaml", t.fill()) for name, t in templates().items()])
    assert bundle.problems == ()
    return translate(bundle, prometheus=url)


def test_the_examples_are_valid_and_promise_what_their_titles_say() -> None:
    found = examples()
    assert [str(p) for p in (*found.refused, *found.left_out)] == []
    assert {o.name: str(o.target) for o in found.objectives} == PROMISED
    calendars = {o.name: o.calendar.unit.value for o in found.objectives if o.calendar}
    assert calendars == {"capture-availability": "month"}


def test_a_name_or_variable_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(NotFound, match="did you mean export"):
        template("exports")
    with pytest.raises(UsageError, match="no variable 'histgram'; did you mean histogram"):
        template("export").fill({"histgram": "x"})
    with pytest.raises(UsageError, match="without single quotes"):
        template("export").fill({"selector": "a='b'"})


def test_what_is_filled_in_stands_in_the_documents() -> None:
    text = template("export").fill({"service": "csv", "histogram": "csv_seconds", "selector": 'env="prod"'})
    (objective,) = translate(read([("csv.yaml", text)]), prometheus="http://p").objectives
    assert (objective.name, objective.service) == ("csv-duration-p90", "csv")
    assert objective.source.good == r'csv_seconds_bucket{env="prod", le=~"60(\\.0)?"}'  # type: ignore[union-attr]


def _past() -> str:
    lines: list[str] = []
    families: dict[str, list[str]] = {}
    for grows in GROWS.values():
        for series, step in grows.items():
            family = series.partition("{")[0]
            rows = [f"{series} {step * n} {NOW - SLICE_S * (MINUTES - n)}" for n in range(MINUTES + 1)]
            families.setdefault(family, []).extend(rows)
    for family, rows in families.items():
        # every one is a plain counter here: buckets are read by name, and the format would ask for whole histograms
        kind = "counter" if family.endswith("_total") else "gauge"
        lines += [f"# TYPE {family.removesuffix('_total')} {kind}", *rows]
    lines.append("# TYPE fairlane_lane_lag_records gauge")
    for partition, high in ((0, 9_999), (1, 10_000)):
        for n in range(MINUTES + 1):
            at = NOW - SLICE_S * (MINUTES - n)
            lines.append(
                f'fairlane_lane_lag_records{{pipeline="events",lane="general",partition="{partition}"}} {high if n >= 20 else 5} {at}'
            )
    return "\n".join(lines)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with backfilled(tmp_path_factory.mktemp("templates"), _past()) as url:
        yield url


@pytest.mark.prometheus
def test_each_counts_what_it_promises_on_a_known_past(url: str) -> None:
    reader = Prometheus(timeout_s=10)
    found: dict[str, Objective] = {o.name: o for o in examples(url).objectives}
    seen = {name: dict(reader.read(o, NOW - 25 * SLICE_S, NOW)) for name, o in found.items()}
    lag = seen.pop("ingestion-lag")
    assert {name: set(minutes.values()) for name, minutes in seen.items()} == {n: {part} for n, part in GOOD.items()}
    assert all(len(minutes) == 25 for minutes in seen.values())
    bad = [at for at, part in lag.items() if part.error_ratio == Fraction(1)]
    # the value is told at a minute's end; 10,000 is not under 10,000
    assert bad == [NOW - SLICE_S * (MINUTES - n) - SLICE_S for n in range(20, MINUTES + 1)]
