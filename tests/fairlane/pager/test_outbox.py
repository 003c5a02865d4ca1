"""What stands and what is told: once, whoever asks and however often."""

import threading

from sqlalchemy import Engine

from alerts.model import Tier
from fairlane.pager.channels import PagerDuty, Webhook
from fairlane.pager.notice import Kind
from fairlane.pager.outbox import KEEP_MS, Outbox
from tests.fairlane.pager.made import finding, found

HOOK = Webhook("http://hook.example/x")
PAGE = finding()
TICKET = finding("FairlaneClockSkew", Tier.TICKET, "telemetry")
T = 1_700_000_000_000


def told(outbox: Outbox) -> list[tuple[str, str, Kind]]:
    return [(one.channel, one.notice.finding.alert, one.notice.kind) for one in outbox.waiting()]


def test_an_alert_is_told_when_it_begins_and_when_it_ends(engine: Engine) -> None:
    outbox = Outbox(engine, [HOOK])
    outbox.book(found(PAGE), T)
    for n in range(1, 5):
        assert outbox.book(found(PAGE), T + n) == ([], [])
    assert told(outbox) == [("webhook", PAGE.alert, Kind.FIRING)]
    begun, ended = outbox.book(found(), T + 60_000)
    assert (begun, [one.until_ms for one in ended]) == ([], [T + 60_000])
    assert told(outbox) == [("webhook", PAGE.alert, Kind.FIRING), ("webhook", PAGE.alert, Kind.RESOLVED)]
    assert outbox.standing() == {}


def test_what_is_frozen_neither_begins_nor_ends(engine: Engine) -> None:
    outbox = Outbox(engine, [HOOK])
    assert outbox.book(found(PAGE, frozen=True), T) == ([], [])
    outbox.book(found(PAGE), T)
    assert outbox.book(found(frozen=True), T + 1) == ([], [])
    assert list(outbox.standing()) == [PAGE.key]


def test_pages_alone_go_to_pagerduty(engine: Engine, tmp_path) -> None:
    outbox = Outbox(engine, [HOOK, PagerDuty(tmp_path / "key", "http://pd.example")])
    outbox.book(found(PAGE, TICKET), T)
    assert sorted((channel, alert) for channel, alert, _ in told(outbox)) == [
        ("pagerduty", PAGE.alert),
        ("webhook", TICKET.alert),
        ("webhook", PAGE.alert),
    ]


def test_a_page_silences_the_ticket_of_its_subject_and_does_not_end_it(engine: Engine) -> None:
    page = finding("FairlaneBudgetBurnPage", Tier.PAGE, "freshness", pipeline="events", slo="a")
    ticket = finding("FairlaneBudgetBurnTicket", Tier.TICKET, "freshness", pipeline="events", slo="a")
    other = finding("FairlaneBudgetBurnTicket", Tier.TICKET, "freshness", pipeline="events", slo="b")
    outbox = Outbox(engine, [HOOK])
    outbox.book(found(ticket, other), T)
    begun, ended = outbox.book(found(page, ticket, other), T + 1)
    assert ([one.finding for one in begun], ended) == ([page], [])
    _, ended = outbox.book(found(ticket, other), T + 2)
    assert [one.finding for one in ended] == [page]
    assert set(outbox.standing()) == {ticket.key, other.key}


def test_many_processes_at_once_tell_an_alert_once(engine: Engine) -> None:
    failed: list[Exception] = []

    def book(*what) -> None:
        try:
            Outbox(engine, [HOOK]).book(found(*what), T)
        except Exception as error:
            failed.append(error)

    for what in ((PAGE, TICKET), ()):
        threads = [threading.Thread(target=book, args=what) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)
    assert failed == []
    assert len(told(Outbox(engine, [HOOK]))) == 4


def test_a_new_episode_of_the_same_trouble_is_told_anew_under_the_same_key(engine: Engine) -> None:
    outbox = Outbox(engine, [HOOK])
    for n in range(2):
        outbox.book(found(PAGE), T + n)
        outbox.book(found(), T + n)
    notices = [one.notice for one in outbox.waiting()]
    assert [one.kind for one in notices] == [Kind.FIRING, Kind.RESOLVED] * 2
    assert len({one.dedup for one in notices}) == 1
    assert len({one.id for one in notices}) == 4


def test_a_clock_that_goes_back_ends_nothing_before_it_began(engine: Engine) -> None:
    outbox = Outbox(engine, [HOOK])
    outbox.book(found(PAGE), T)
    _, ended = outbox.book(found(), T - 3_600_000)
    assert [(one.since_ms, one.until_ms) for one in ended] == [(T, T)]


def test_old_letters_are_forgotten(engine: Engine) -> None:
    outbox = Outbox(engine, [HOOK])
    outbox.book(found(PAGE, TICKET), T)
    outbox.sent(outbox.waiting()[0], T)
    assert outbox.forget(T + KEEP_MS) == 0
    assert outbox.forget(T + KEEP_MS + 1) == 1
    assert outbox.waiting() == []
