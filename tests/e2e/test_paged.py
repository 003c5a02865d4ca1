"""A flood, a real Prometheus and a real Alertmanager: exactly one page and its end arrive at a webhook, and the database counts what Prometheus counts.

Shortened windows (4 and 2 minutes), real time. The flood begins shortly before a minute ends: a page wants bad events in two of the last five minutes.
`python -m tests.e2e.paged` does the same with the shipped windows and a stopped worker, in twenty minutes.
"""

import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from alerts.rules import own_windows
from fairlane.database import open_database
from fairlane.stack.kafka import LocalKafka
from slo.history import History
from slo.objective import Objective, Sli
from slo.presets import objective_name
from slo.windows import Pair, Tier
from tests.support.hooks import Hook, hook
from tests.support.paged import pipeline
from tests.support.waiting import until
from tests.support.watched import watched

PAGE = "FairlaneBudgetBurnPage"
SLO_S = 3.0
WINDOWS = (Pair(240, 120, Fraction(5), Tier.PAGE),)
CALM_S = 12
BEFORE_MINUTE_S = 12
FLOOD, COST_MS = 500, 50.0
"""25 seconds of work at once: most of it is later than SLO_S."""


def pages(received: Hook) -> list[tuple[str, str, str]]:
    return [
        (body["commonLabels"]["alertname"], body["commonLabels"].get("slo", ""), body["status"])
        for body in received.bodies()
        if body["receiver"] == "page"
    ]


def within(condition: Callable[[], Any], limit_s: float) -> float:
    began = time.monotonic()
    until(condition, limit_s, 0.5)
    return time.monotonic() - began


@pytest.mark.kafka
@pytest.mark.prometheus
@pytest.mark.alertmanager
@pytest.mark.timeout(420)
def test_a_flood_pages_once_and_its_end_is_told_once(kafka: LocalKafka, pipeline_name: str, tmp_path: Path) -> None:
    name = objective_name(pipeline_name, Sli.FRESHNESS)
    objective = Objective(name, pipeline_name, Sli.FRESHNESS, Decimal("0.99"), SLO_S, custom=WINDOWS)
    with (
        hook() as received,
        pipeline(kafka, pipeline_name, tmp_path / "state", SLO_S, [objective]) as flow,
        watched(tmp_path, flow.targets, received.url, sorted(own_windows([objective]))) as eyes,
        flow.trickle(20),
    ):
        time.sleep(CALM_S)
        assert pages(received) == []
        time.sleep((60 - BEFORE_MINUTE_S - time.time()) % 60)
        flow.send(FLOOD, COST_MS, "flood")
        paged_s = within(lambda: pages(received), 110)
        assert pages(received) == [(PAGE, name, "firing")]

        ended_s = within(lambda: len(pages(received)) > 1, 170)
        assert pages(received) == [(PAGE, name, "firing"), (PAGE, name, "resolved")]
        compare(eyes, flow, name)
        assert [rule["name"] for rule in eyes.rules() if rule["health"] == "err"] == []
        print(f"paged {paged_s:.0f} s after the flood, over {ended_s:.0f} s later")


def compare(eyes: Any, flow: Any, name: str) -> None:
    """Sums of the last four minutes, which hold the whole flood."""
    engine = open_database(flow.settings.database_url)
    ours = History(engine).newest()[name].pairs[0]
    engine.dispose()
    ((_, bad),) = eyes.query(f'slo:bad:increase{{slo="{name}",window="4m"}}')
    ((_, burn),) = eyes.query(f'slo:burn:ratio{{slo="{name}",window="4m"}}')
    assert ours.long_burn
    assert bad == pytest.approx(ours.bad, rel=0.1), "bad events"
    assert burn == pytest.approx(ours.long_burn, rel=0.15), "burn rate"
