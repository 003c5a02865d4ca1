"""A worker that stands still, from the telemetry to the webhook: the real booking, evaluation and pager, on a clock of their own."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.database import open_database
from fairlane.ledger import Ledger, Place
from fairlane.pager.config import PagerConfig
from fairlane.pager.pager import Pager
from fairlane.tallies import Limits, Tallies
from ingestion.contracts.telemetry import Kind, Message
from isolator import metrics as isolator
from slo import metrics
from slo.clock import ManualClock
from slo.objective import Sli
from slo.presets import pipeline_objectives
from slo.round import Rounds
from tests.support.hooks import Hook, hook
from tests.support.telemetry import outcomes, probe

RATE = 50
"""Events a second, in one partition."""
STEP_S = 15
START = 1_700_000_040


@dataclass
class Pipeline:
    """What a probe and a worker would report, each STEP_S."""

    engine: Engine
    received: Hook
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    working: bool = True
    probing: bool = True
    stalled_s: float = 0.0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.engine, "events", partitions=1, slo_s=30.0)
        self.place, self.sent = Place("c", {}), 0
        self.last: dict[Sli, int] = {}
        self.rounds = Rounds(self.engine, pipeline_objectives("events"), self.clock)
        registry = CollectorRegistry()
        self.tick = isolator.LAST_TICK.gauge(registry).labels("events")
        self.booked = metrics.BOOKED_AT.gauge(registry).labels("events")
        self.booked.set(START)
        config = PagerConfig(mode="builtin", webhook=self.received.url)
        self.pager = Pager(config, self.engine, self.clock, registry)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds / STEP_S)):
            self.clock.advance(STEP_S)
            now_ms = int(self.clock.now() * 1000)
            self.tick.set(self.clock.now())
            self.stalled_s = 0.0 if self.working else self.stalled_s + STEP_S
            if self.probing:
                self._book(now_ms)
            self.pager.hear(list(self.rounds.go()))
            self.pager.turn()

    def _book(self, now_ms: int) -> None:
        messages: list[Message] = []
        minute = (now_ms // 1000 - STEP_S) // 60
        if self.working:
            messages.append(outcomes("events", minute, {Kind.GOOD: RATE * STEP_S}))
        for second in range(STEP_S):
            at = now_ms - (STEP_S - second - 1) * 1000
            age = max(self.stalled_s - (STEP_S - second - 1), 0.0)
            offsets = {minute: [RATE * 60]} if (now_ms // 1000) % 60 < STEP_S and second == STEP_S - 1 else None
            messages.append(probe("events", at, ages=[age], lags=[int(age * RATE)], offsets=offsets))
        tallies = Tallies(Limits(30.0, 10_000), dict(self.last), self.ledger.watermark_ms())
        for message in messages:
            tallies.add(
                message, getattr(message, "at_ms", now_ms) if message is not messages[0] or not self.working else now_ms
            )
        self.sent += len(messages)
        new = Place("c", {0: self.sent})
        self.ledger.enter(tallies, "t", self.place, new, {})
        self.place, self.last = new, tallies.last
        self.booked.set(now_ms / 1000)

    def told(self) -> list[tuple[str, str, str]]:
        return [
            (body["commonLabels"]["alertname"], body["commonLabels"].get("slo", ""), body["status"])
            for body in self.received.bodies()
        ]


PAGE = "FairlaneBudgetBurnPage"


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    engine = open_database("sqlite://")
    with hook() as received:
        yield Pipeline(engine, received)
    engine.dispose()


def test_a_stalled_worker_pages_within_five_minutes_although_nothing_is_processed(pipeline: Pipeline) -> None:
    pipeline.run(1_800)
    assert pipeline.told() == []
    pipeline.working = False
    pipeline.run(300)
    paged = [slo for alert, slo, status in pipeline.told() if (alert, status) == (PAGE, "firing")]
    assert {"events-freshness-protected", "events-freshness-all"} <= set(paged)
    assert len(paged) == len(set(paged)), "each once"


def test_a_gap_in_the_telemetry_freezes_the_page_and_good_minutes_end_it(pipeline: Pipeline) -> None:
    pipeline.run(900)
    pipeline.working = False
    pipeline.run(330)
    pages = [one for one in pipeline.told() if one[0] == PAGE]
    assert pages
    pipeline.probing = False
    pipeline.run(420)
    assert [one for one in pipeline.told() if one[0] == PAGE] == pages, "seven minutes of silence end nothing"
    assert ("FairlaneStaleTelemetry", "", "firing") in pipeline.told()
    pipeline.probing = pipeline.working = True
    pipeline.run(4_200)
    after = [one for one in pipeline.told() if one[0] == PAGE]
    assert sorted(slo for _, slo, status in after if status == "resolved") == sorted(slo for _, slo, _ in pages)


def test_three_failures_in_a_quiet_night_page_nobody(pipeline: Pipeline) -> None:
    minute = START // 60 + 2
    pipeline.probing = False
    quiet = [
        outcomes("events", minute, {Kind.GOOD: 7, Kind.LATE: 2}),
        outcomes("events", minute + 1, {Kind.GOOD: 3, Kind.LATE: 1}),
        probe("events", (minute + 2) * 60_000, ages=[0.0], offsets={minute: [9], minute + 1: [4]}),
    ]
    pipeline.run(240)
    tallies = Tallies(Limits(30.0, 10_000))
    for message in quiet:
        tallies.add(message, (minute + 2) * 60_000)
    for second in range(START, START + 240):
        tallies.add(probe("events", second * 1000, ages=[0.0]), second * 1000)
    pipeline.ledger.enter(tallies, "t", pipeline.place, Place("c", {0: 3}), {})
    pipeline.booked.set(pipeline.clock.now())
    pipeline.run(15)
    assert {alert for alert, slo, _ in pipeline.told() if slo} == {"FairlaneBudgetBurnTicket"}
