"""Delivery to a real webhook: tried again with a growing pause, in order, once, through outages, restarts and clocks that jump."""

import logging

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.pager.channels import PagerDuty, Request, Slack, Webhook
from fairlane.pager.courier import BACK_OFF_S, Courier
from fairlane.pager.http import LONGEST_WAIT_S, Answer, HttpPoster
from fairlane.pager.lease import HOLD_S, Lease
from fairlane.pager.outbox import Outbox
from slo.clock import ManualClock
from tests.fairlane.pager.made import finding, found
from tests.support.hooks import Hook, hook

PAGE, OTHER = finding(), finding("FairlaneLanePaused")


class Desk:
    """A pager process's outbox and courier; a second one on the same database is the process after a restart."""

    def __init__(self, engine: Engine, url: str, clock: ManualClock) -> None:
        ways = [Webhook(url)]
        self.clock = clock
        self.outbox = Outbox(engine, ways)
        self.registry = CollectorRegistry()
        self.poster = HttpPoster(timeout_s=5)
        self.courier = Courier(self.outbox, ways, self.poster, clock, self.registry, chance=lambda: 0.0)

    def book(self, *findings) -> None:
        self.outbox.book(found(*findings), int(self.clock.now() * 1000))

    def run(self, seconds: float, step: float = 5) -> None:
        for _ in range(int(seconds / step)):
            self.courier.turn()
            self.clock.advance(step)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def statuses(received: Hook) -> list[tuple[str, str]]:
    return [(body["commonLabels"]["alertname"], body["status"]) for body in received.bodies()]


def test_a_webhook_that_is_down_for_an_hour_gets_it_once_when_it_is_back(engine: Engine) -> None:
    with hook() as received:
        clock = ManualClock()
        desk = Desk(engine, received.url, clock)
        received.status = 503
        desk.book(PAGE)
        desk.run(1_800, 20)
        desk = Desk(engine, received.url, clock)  # restarted in the middle of the outage
        desk.run(1_800, 20)
        tries = received.tries
        assert 12 <= tries <= 30, "a growing pause of at most five minutes"
        assert desk.metric("fairlane_pager_waiting_messages", channel="webhook") == 1
        received.status = 200
        desk.run(600, 20)
        desk = Desk(engine, received.url, clock)
        desk.run(3_600, 60)
        assert statuses(received) == [(PAGE.alert, "firing")]
        assert received.tries == tries + 1


def test_an_alert_that_ended_during_the_outage_is_told_in_order(engine: Engine) -> None:
    with hook() as received:
        desk = Desk(engine, received.url, ManualClock())
        received.status = 500
        desk.book(PAGE, OTHER)
        desk.run(60)
        desk.book(OTHER)
        desk.run(60)
        received.status = 200
        desk.run(400, 20)
        assert [one for one in statuses(received) if one[0] == PAGE.alert] == [
            (PAGE.alert, "firing"),
            (PAGE.alert, "resolved"),
        ]
        assert len(statuses(received)) == 3


def test_nobody_listens_at_all(engine: Engine) -> None:
    with hook() as received:
        port = int(received.url.rpartition(":")[2])
    desk = Desk(engine, f"http://127.0.0.1:{port}", ManualClock())
    desk.book(PAGE)
    desk.run(60)
    assert "ConnectError" in desk.outbox.waiting()[0].error
    with hook(port) as received:
        desk.run(120)
        assert statuses(received) == [(PAGE.alert, "firing")]


def test_an_answer_that_is_lost_is_sent_again_under_the_same_key(engine: Engine) -> None:
    with hook() as received:
        desk = Desk(engine, received.url, ManualClock())
        received.status = None
        desk.book(PAGE)
        desk.run(5)
        received.status = 200
        desk.run(30)
        assert received.tries == 2
        assert [headers["idempotency-key"] for _, headers, _ in received.got] == [
            f"{next(iter(desk.outbox.standing().values())).episode}-firing"
        ]


def test_a_process_that_dies_while_it_sends_sends_again_after_a_pause_and_not_at_once(engine: Engine) -> None:
    with hook() as received:
        desk = Desk(engine, received.url, ManualClock())
        desk.book(PAGE)
        letter = desk.outbox.waiting()[0]
        desk.outbox.trying(letter, int((desk.clock.now() + BACK_OFF_S[0]) * 1000))
        desk.courier.turn()
        assert received.tries == 0
        desk.run(15)
        assert statuses(received) == [(PAGE.alert, "firing")]


def test_a_receiver_that_asks_for_patience_gets_it(engine: Engine) -> None:
    with hook() as received:
        desk = Desk(engine, received.url, ManualClock())
        received.status, received.retry_after = 429, "120"
        desk.book(PAGE)
        desk.run(115)
        assert received.tries == 1
        received.status = 200
        desk.run(15)
        assert statuses(received) == [(PAGE.alert, "firing")]


def test_patience_has_its_limit_and_is_kept_until_then(engine: Engine) -> None:
    with hook() as received:
        desk = Desk(engine, received.url, ManualClock())
        received.status, received.retry_after = 429, "3600"
        desk.book(PAGE)
        desk.run(LONGEST_WAIT_S - 20, 20)
        assert received.tries == 1, "asked for an hour, it is not asked again at once"
        received.status = 200
        desk.run(60)
        assert statuses(received) == [(PAGE.alert, "firing")]


class SlowPoster:
    """Takes everything, each after eight seconds."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def post(self, request: Request) -> Answer:
        assert request.body
        self._clock.advance(8)
        return Answer(200)


def test_a_slow_receiver_of_many_messages_does_not_keep_the_pager_from_looking(engine: Engine) -> None:
    clock = ManualClock()
    ways = [Webhook("http://127.0.0.1:9/slow")]
    outbox = Outbox(engine, ways)
    courier = Courier(outbox, ways, SlowPoster(clock), clock, CollectorRegistry(), chance=lambda: 0.0)
    outbox.book(found(*(finding(f"Trouble{n}") for n in range(20))), int(clock.now() * 1000))
    taken = []
    while outbox.waiting():
        begin = clock.monotonic()
        taken.append(courier.turn())
        assert clock.monotonic() - begin < HOLD_S / 2, "another pager would take the lease and send them too"
    assert sum(taken) == 20


def test_a_channel_that_is_broken_does_not_hold_up_another(engine: Engine, tmp_path, caplog) -> None:
    with hook() as good:
        clock = ManualClock()
        ways = [Slack(tmp_path / "missing"), PagerDuty(tmp_path / "gone", good.url), Webhook(good.url)]
        outbox = Outbox(engine, ways)
        poster = HttpPoster()
        courier = Courier(outbox, ways, poster, clock, CollectorRegistry(), chance=lambda: 0.0)
        outbox.book(found(PAGE), int(clock.now() * 1000))
        assert courier.turn() == 1
        assert {one.channel for one in outbox.waiting()} == {"slack", "pagerduty"}
        (tmp_path / "gone").write_text("key")
        clock.advance(6)
        assert courier.turn() == 1
        poster.close()
        assert [body.get("dedup_key", "")[:4] for body in good.bodies()] == ["", good.bodies()[1]["dedup_key"][:4]]


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0], ids=["back by a day", "ahead by a day"])
def test_a_clock_that_jumps_delays_no_message_and_repeats_none(engine: Engine, jump: float) -> None:
    with hook() as received:
        desk = Desk(engine, received.url, ManualClock())
        desk.book(PAGE)
        desk.run(5)
        received.status = 500
        desk.book(PAGE, OTHER)
        desk.run(30)
        received.status = 200
        desk.clock._now += jump
        desk.run(10)
        desk.book(PAGE, OTHER)
        desk.run(900, 30)
        assert statuses(received) == [(PAGE.alert, "firing"), (OTHER.alert, "firing")]


def test_failures_are_logged_without_the_address(engine: Engine, caplog) -> None:
    caplog.set_level(logging.WARNING)
    desk = Desk(engine, "http://127.0.0.1:1/s3cr3t", ManualClock())
    desk.book(PAGE)
    desk.run(5)
    assert "webhook was not told that FairlaneDeadLetters is firing" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert "s3cr3t" not in desk.outbox.waiting()[0].error


def test_one_process_holds_the_lease_until_it_dies_or_leaves(engine: Engine) -> None:
    clock = ManualClock()
    first, second = Lease(engine, clock), Lease(engine, clock)
    assert (first.hold(), second.hold()) == (True, False)
    clock.advance(HOLD_S - 1)
    assert (first.hold(), second.hold()) == (True, False)
    first.release()
    assert second.hold()
    assert not first.hold()
    clock.advance(HOLD_S + 1)
    assert first.hold()
    clock._now -= 86_400
    assert second.hold(), "a claim that reaches into tomorrow has run out"
