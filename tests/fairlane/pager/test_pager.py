"""The whole pager on a database, a registry and a webhook: what it says, what it keeps to itself, and what outlives a restart."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.health import HealthServer
from fairlane.pager.config import PagerConfig
from fairlane.pager.pager import EVERY_S, SETTLE_S, STALE_S, Pager
from ingestion.lanes import metrics as lanes
from ingestion.probe import metrics as probe
from isolator import metrics as isolator
from slo import metrics as slo
from slo.burn import Severity, State
from slo.clock import ManualClock
from tests.fairlane.pager.made import evaluation
from tests.support.hooks import Hook, hook


class Process:
    """A controller's process: its registry, its pager. `step` lets a round's time pass in which everything that is alive reports."""

    def __init__(self, engine: Engine, received: Hook, clock: ManualClock, targets: tuple[str, ...] = ()) -> None:
        self.clock, self.received = clock, received
        self.registry = CollectorRegistry()
        self.ticks = isolator.LAST_TICK.gauge(self.registry).labels("events")
        self.booked = slo.BOOKED_AT.gauge(self.registry).labels("events")
        self.alive = True
        config = PagerConfig(mode="builtin", webhook=received.url, heartbeat=f"{received.url}/beat")
        self.pager = Pager(config, engine, clock, self.registry, lambda: targets)
        self.found = [evaluation(at_ms=int(clock.now() * 1000))]

    def step(self, rounds: int = 1) -> None:
        for _ in range(rounds):
            if self.alive:
                self.ticks.set(self.clock.now())
            self.booked.set(self.clock.now())
            if self.found:
                self.pager.hear([*self.found, evaluation(slo="other", at_ms=int(self.clock.now() * 1000))])
            self.pager.turn()
            self.clock.advance(EVERY_S)

    def become(self, severity: Severity, state: State | None = None) -> None:
        self.found = [evaluation(severity, state)]

    def told(self) -> list[tuple[str, str]]:
        return [
            (body["commonLabels"]["alertname"], body["status"])
            for path, _, body in self.received.got
            if path != "/beat"
        ]


@pytest.fixture
def received() -> Iterator[Hook]:
    with hook() as mine:
        yield mine


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def process(engine: Engine, received: Hook, clock: ManualClock) -> Process:
    return Process(engine, received, clock)


PAGE, TICKET = "FairlaneBudgetBurnPage", "FairlaneBudgetBurnTicket"
STALE, BLIND = "FairlaneStaleTelemetry", "FairlaneBlindController"


def test_a_burning_objective_is_paged_once_and_resolved_once(process: Process) -> None:
    process.step(4)
    process.become(Severity.PAGE)
    process.step(20)
    process.become(Severity.NONE)
    process.step(20)
    assert process.told() == [(PAGE, "firing"), (PAGE, "resolved")]
    first = next(body for path, _, body in process.received.got if path != "/beat")
    assert first["commonLabels"]["slo"] == "events-freshness-all"
    assert "1h/5m" in first["commonAnnotations"]["summary"]
    assert first["commonAnnotations"]["runbook_url"].endswith(PAGE)


def test_few_failures_in_a_quiet_night_make_a_ticket(process: Process) -> None:
    process.become(Severity.TICKET)
    process.step(5)
    assert process.told() == [(TICKET, "firing")]


def test_a_page_that_calms_down_to_a_ticket_and_then_to_nothing(process: Process) -> None:
    for severity in (Severity.TICKET, Severity.PAGE, Severity.TICKET, Severity.NONE):
        process.become(severity)
        process.step(3)
    assert process.told() == [(TICKET, "firing"), (PAGE, "firing"), (PAGE, "resolved"), (TICKET, "resolved")]


@pytest.mark.parametrize("held", [Severity.NONE, Severity.PAGE])
def test_a_gap_in_the_telemetry_freezes_what_stands(process: Process, held: Severity) -> None:
    process.become(Severity.PAGE)
    process.step(3)
    process.become(held, State.FROZEN)
    process.step(40)
    assert process.told() == [(PAGE, "firing")]
    process.become(Severity.NONE)
    process.step(2)
    assert process.told() == [(PAGE, "firing"), (PAGE, "resolved")]


def test_a_frozen_objective_does_not_begin(process: Process) -> None:
    process.become(Severity.NONE, State.FROZEN)
    process.step(10)
    assert process.told() == []


def test_an_evaluation_that_has_stopped_freezes_and_is_told(process: Process) -> None:
    process.become(Severity.PAGE)
    process.step(3)
    process.found = []
    process.step(int(STALE_S / EVERY_S) + 10)
    assert process.told() == [(PAGE, "firing"), (STALE, "firing")]


def test_a_restart_neither_repeats_nor_forgets(
    engine: Engine, process: Process, received: Hook, clock: ManualClock
) -> None:
    process.become(Severity.PAGE)
    process.step(3)
    process.pager.close()
    again = Process(engine, received, clock)
    again.found = []
    again.step(3)
    again.become(Severity.PAGE)
    again.step(3)
    again.become(Severity.NONE)
    again.step(3)
    assert again.told() == [(PAGE, "firing"), (PAGE, "resolved")]


def test_a_killed_pager_is_followed_by_another_which_waited(
    engine: Engine, process: Process, received: Hook, clock: ManualClock
) -> None:
    process.become(Severity.PAGE)
    process.step(1)
    second = Process(engine, received, clock)
    second.become(Severity.NONE)
    process.step(1)
    second.step(1)
    assert second.told() == [(PAGE, "firing")], "it waits while the first one lives"
    second.step(8)
    assert second.told() == [(PAGE, "firing"), (PAGE, "resolved")]


def test_what_has_been_silent_since_before_a_restart_is_missed_all_the_same(
    engine: Engine, process: Process, received: Hook, clock: ManualClock
) -> None:
    gauge = probe.LAST_ROUND.gauge(process.registry).labels("events")
    gauge.set(clock.now())
    process.step(1)
    process.pager.close()
    again = Process(engine, received, clock)  # whose probe never comes back
    again.step(12)
    assert again.told() == [(STALE, "firing")]
    again.pager.close()
    third = Process(engine, received, clock)
    third.step(10)
    assert third.told() == [(STALE, "firing")], "a restart does not end it"
    probe.LAST_ROUND.gauge(third.registry).labels("events").set(clock.now() + 1_000)
    third.step(1)
    assert third.told() == [(STALE, "firing"), (STALE, "resolved")]


def test_a_blind_controller_pages_and_is_over_when_it_sees_again(process: Process) -> None:
    process.step(5)
    process.alive = False
    process.step(10)
    assert process.told() == [(BLIND, "firing")]
    process.alive = True
    process.step(2)
    assert process.told() == [(BLIND, "firing"), (BLIND, "resolved")]


@pytest.mark.parametrize("jump", [3_600.0, -3_600.0], ids=["ahead", "back"])
def test_a_clock_that_jumps_pages_nobody_and_ends_nothing(process: Process, clock: ManualClock, jump: float) -> None:
    process.become(Severity.PAGE)
    process.step(5)
    clock._now += jump
    process.become(Severity.NONE)  # the evaluation looks at another hour
    process.pager.hear(process.found)
    process.pager.turn()
    clock.advance(EVERY_S)
    process.step(3)
    clock._now -= jump
    process.become(Severity.PAGE)
    process.step(int(SETTLE_S / EVERY_S) + 5)
    assert process.told() == [(PAGE, "firing")]
    process.become(Severity.NONE)
    process.step(2)
    assert process.told() == [(PAGE, "firing"), (PAGE, "resolved")]


def test_a_clock_behind_the_data_judges_nothing(process: Process, clock: ManualClock) -> None:
    process.become(Severity.PAGE)
    process.step(3)
    process.booked.set(clock.now() + 7_200)
    process.become(Severity.NONE)
    process.pager.hear(process.found)
    process.pager.turn()
    assert process.told() == [(PAGE, "firing")]


def test_the_metrics_of_other_processes_are_read(engine: Engine, received: Hook, clock: ManualClock) -> None:
    worker = CollectorRegistry()
    paused = lanes.PAUSED.gauge(worker).labels("events", "general")
    with HealthServer(worker, lambda: True, lambda: True) as health:
        process = Process(engine, received, clock, (health.url, "http://127.0.0.1:1"))
        process.step(2)
        paused.set(1)
        process.step(1)
        assert process.told() == [("FairlaneLanePaused", "firing")]
        paused.set(0)
        process.step(1)
    assert process.told() == [("FairlaneLanePaused", "firing"), ("FairlaneLanePaused", "resolved")]
    assert process.registry.get_sample_value("fairlane_pager_scrape_errors_total") == 4


def test_the_dead_mans_switch_hears_of_it_each_minute(process: Process) -> None:
    process.step(9)
    beats = [body for path, _, body in process.received.got if path == "/beat"]
    assert len(beats) == 3
    assert {beat["commonLabels"]["alertname"] for beat in beats} == {"FairlaneWatchdog"}


def test_what_stands_is_counted(process: Process) -> None:
    process.become(Severity.PAGE)
    process.step(2)
    value = process.registry.get_sample_value
    assert value("fairlane_pager_standing_alerts", {"tier": "page"}) == 1
    assert value("fairlane_pager_deliveries_total", {"channel": "webhook", "result": "sent"}) == 1
