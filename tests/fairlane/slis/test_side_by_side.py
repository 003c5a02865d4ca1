"""Many sources in one round: servers that hang, drip or stop half way hold up nobody else's objectives, and what they did not say is asked again."""

import contextlib
import gc
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.database import open_database
from fairlane.slis import asking
from fairlane.slis.prometheus import OF_ONE, Answer, Ask, Prometheus
from fairlane.slis.reading import AGAIN_S, CATCH_UP_S, ROUND_S, SETTLE_S, Reading
from slo.burn import Severity, State
from slo.clock import ManualClock
from slo.objective import Objective, Sli
from slo.round import Rounds
from slo.slices import Slice
from slo.source import Op, Ratio, Raw
from slo.store import DUE_S, SliceStore
from tests.support.liar import lying, says

NOW = 1_800_000_000 // 60 * 60


def objective(name: str, url: str, query: str = "up") -> Objective:
    return Objective(
        name, "shop", Sli.EXTERNAL, Decimal("0.99"), 0, source=Raw(url, query, Op.LT, 2), windows="fast-slow"
    )


def well(handler: BaseHTTPRequestHandler) -> None:
    """One series that is 1 at each minute that was asked for."""
    body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
    asked = {key: value[0] for key, value in parse_qs(body).items()}
    values = [[at, "1"] for at in range(int(asked["start"]), int(asked["end"]) + 1, int(asked["step"]))]
    result = {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}
    answer = json.dumps(result).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(answer)))
    handler.end_headers()
    handler.wfile.write(answer)


def hangs(_: BaseHTTPRequestHandler) -> None:
    time.sleep(6)


def drips(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.06)


def halves(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    handler.wfile.write(b'{"status": "success", "data": {')


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = open_database("sqlite://")
    yield made
    made.dispose()


@pytest.mark.parametrize("bad", [hangs, drips, halves])
def test_one_slow_source_delays_nobody_else(bad: Callable[[BaseHTTPRequestHandler], None], engine: Engine) -> None:
    registry = CollectorRegistry()
    with lying(bad) as slow, lying(well) as fast:
        # first in the list, and more of them than are asked at once
        objectives = [objective(f"slow-{n}", slow) for n in range(40)] + [
            objective(f"fast-{n}", fast) for n in range(5)
        ]
        timed = Timed()
        reading = Reading(engine, objectives, timed, ManualClock(NOW + SETTLE_S), registry)
        assert reading.go() == 5 * CATCH_UP_S // 60
    fast_s = [at for name, at in timed.booked.items() if name.startswith("fast")]
    assert max(fast_s) < 1.8, "before the slow one has been given up"
    # 40 objectives, four at a time, would be waited for 20 s
    assert max(timed.booked.values()) < 6, "and the slow one is soon given up for all of its objectives"
    errors = [registry.get_sample_value("fairlane_slo_source_errors_total", {"slo": f"slow-{n}"}) for n in range(40)]
    assert errors == [1] * 40


class Timed:
    """The real reader; keeps when each answer had been booked."""

    def __init__(self) -> None:
        self.booked: dict[str, float] = {}

    def read_all(self, asks: Sequence[Ask], within_s: float) -> Iterator[Answer]:
        begin = time.monotonic()
        for answer in Prometheus(timeout_s=2, answer_s=2).read_all(asks, within_s):
            yield answer
            self.booked[answer.ask.objective.name] = time.monotonic() - begin


def test_a_round_ends_in_time_however_many_sources_hang() -> None:
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(lying(hangs)) for _ in range(6)]
        asks = [Ask(objective(f"o-{n}-{k}", url), NOW - 600, NOW) for n, url in enumerate(urls) for k in range(3)]
        begin = time.monotonic()
        answers = list(Prometheus(at_once=2).read_all(asks, 0.5))
        assert time.monotonic() - begin < 2
    assert len(answers) == len(asks) == len({a.ask.objective.name for a in answers})
    assert all("no answer within the 0.5 s" in a.problem for a in answers)
    assert sum(a.asked for a in answers) == 2, "the others had no turn"


def test_a_name_server_that_hangs_holds_up_only_those_who_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def looked_up(host: str | bytes, port: int, *args: int, **more: int) -> object:
        if "lost" in str(host):
            over.wait(10)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return real("127.0.0.1", port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    with lying(well) as url:
        asks = [Ask(objective(f"lost-{n}", f"http://lost{n % 4}.test"), NOW - 600, NOW) for n in range(16)]
        asks.append(Ask(objective("found", url.replace("127.0.0.1", "found.test")), NOW - 600, NOW))
        problems = {a.ask.objective.name: a.problem for a in Prometheus(timeout_s=1).read_all(asks, 5)}
        over.set()
    assert problems.pop("found") == ""
    assert len(problems) == 16
    assert all(problems.values())


def test_an_answer_that_is_cut_off_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asking, "MOST_BYTES", 1_000)
    with lying(well) as url:
        asks = [Ask(objective(f"o-{n}", url), NOW - 6_000, NOW) for n in range(3)]
        assert all("is larger than" in a.problem for a in Prometheus().read_all(asks, 5))
        for thread in threading.enumerate():
            if thread.name == "sources":
                thread.join(5)
    gc.collect()
    assert caplog.messages == []


def test_a_count_that_cannot_be_kept_is_none_and_spoils_nobody_elses_round(engine: Engine) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        body = parse_qs(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        values = [[at, "1e19"] for at in range(int(body["start"][0]), int(body["end"][0]) + 1, 60)]
        result = [{"metric": {"n": str(n)}, "values": values} for n in range(2)]
        says(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode())(handler)

    with lying(endless) as odd, lying(well) as fine:
        ratio = replace(objective("odd", odd), source=Ratio(odd, "total", good="good", counter=False))
        reading = Reading(
            engine, [ratio, objective("fine", fine)], Prometheus(), ManualClock(NOW + SETTLE_S), CollectorRegistry()
        )
        assert reading.go() == CATCH_UP_S // 60
    assert list(SliceStore(engine).totals()) == ["fine"]


def test_no_more_than_a_few_questions_stand_open_at_one_source() -> None:
    standing, most, lock = [0], [0], threading.Lock()

    def counts(handler: BaseHTTPRequestHandler) -> None:
        with lock:
            standing[0] += 1
            most[0] = max(most[0], standing[0])
        time.sleep(0.05)
        well(handler)
        with lock:
            standing[0] -= 1

    with lying(counts) as url:
        asks = [Ask(objective(f"o-{n}", url), NOW - 600, NOW) for n in range(20)]
        answers = list(Prometheus().read_all(asks, 10))
    assert [a.problem for a in answers] == [""] * 20
    assert 1 < most[0] <= OF_ONE + 1, "a connection is counted here a moment after its answer is whole"


def test_what_did_not_answer_is_asked_again_without_a_gap_and_counts_once(engine: Engine) -> None:
    away = threading.Event()

    def now_and_then(handler: BaseHTTPRequestHandler) -> None:
        (drips if away.is_set() else well)(handler)

    clock = ManualClock(NOW + SETTLE_S)
    with lying(now_and_then) as url:
        reading = Reading(engine, [objective("a", url)], Prometheus(answer_s=0.3), clock, CollectorRegistry())
        reading.go()
        away.set()
        for _ in range(3):
            clock.advance(300)
            assert reading.go() == 0
        away.clear()
        clock.advance(60)
        # longer than what is read again anyway
        assert reading.go() == 16 > AGAIN_S // 60
        assert reading.go() == 0
    minutes = CATCH_UP_S // 60 + 16
    assert SliceStore(engine).totals()["a"].slice == Slice(minutes, minutes, minutes, 60 * minutes)
    assert list(SliceStore(engine).slices("a", 0, NOW + 3600)) == [NOW - CATCH_UP_S + 60 * n for n in range(minutes)]


def test_half_of_a_ratio_is_not_booked(engine: Engine) -> None:
    def without_good(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        peeked = handler.rfile.peek(length)[:length]
        (halves if b"query=good" in peeked else well)(handler)

    with lying(without_good) as url:
        wanted = replace(objective("a", url), source=Ratio(url, "total", good="good"))
        reading = Reading(engine, [wanted], Prometheus(), ManualClock(NOW + SETTLE_S), CollectorRegistry())
        assert reading.go() == 0
    assert SliceStore(engine).totals() == {}


def test_a_round_is_over_before_its_minute_is_due() -> None:
    assert SETTLE_S + 5 + ROUND_S < DUE_S


class Moody:
    """A reader that answers as told; keeps the order in which it was asked."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.unasked: set[str] = set()
        self.order: list[str] = []

    def read_all(self, asks: Sequence[Ask], _: float) -> Iterator[Answer]:
        self.order = [ask.objective.name for ask in asks]
        for ask in asks:
            name = ask.objective.name
            if name in self.failing | self.unasked:
                yield Answer(ask, problem="no", asked=name not in self.unasked)
            else:
                yield Answer(ask, {at: Slice(1, 1, 1, 60) for at in range(ask.begin, ask.end, 60)})


def test_who_waited_longest_is_asked_first_and_who_failed_last(engine: Engine) -> None:
    moody, clock = Moody(), ManualClock(NOW + SETTLE_S)
    names = ("a", "b", "c")
    reading = Reading(engine, [objective(n, "http://x") for n in names], moody, clock, CollectorRegistry())
    moody.failing, moody.unasked = {"a"}, {"c"}
    reading.go()
    clock.advance(60)
    reading.go()
    assert moody.order == ["c", "b", "a"]


def test_a_service_whose_successes_vanish_pages_within_five_minutes(engine: Engine) -> None:
    gone_at = [NOW + 60]

    def counting(handler: BaseHTTPRequestHandler) -> None:
        body = parse_qs(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        every = range(int(body["start"][0]), int(body["end"][0]) + 1, 60)
        last = gone_at[0] if body["query"] == ["good"] else NOW + 86_400
        values = [[at, str((at - NOW + 86_400) // 60 * 100)] for at in every if at < last]
        result = [{"metric": {}, "values": values}] if values else []
        says(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode())(handler)

    clock = ManualClock(NOW + SETTLE_S + 5)
    with lying(counting) as url:
        wanted = replace(objective("a", url), source=Ratio(url, "total", good="good"), target=Decimal("0.999"))
        reading = Reading(engine, [wanted], Prometheus(), clock, CollectorRegistry())
        rounds = Rounds(engine, [wanted], clock)
        reading.go()
        (calm,) = rounds.go()
        assert (calm.state, calm.severity) == (State.OK, Severity.NONE)
        found = calm
        for _ in range(5):
            clock.advance(60)
            reading.go()
            (found,) = rounds.go()
            if found.severity is Severity.PAGE:
                break
        assert (found.state, found.severity) == (State.FIRING, Severity.PAGE)
        gone_at[0] = NOW + 86_400
        clock.advance(60)
        reading.go()
        (back,) = rounds.go()
    assert back.good == back.total, "it was there all the time, and is booked as it was"


def test_a_good_query_that_gives_nothing_is_told_once(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    def nothing_good(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        if b"query=good" not in handler.rfile.peek(length)[:length]:
            well(handler)
            return
        answer = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    clock = ManualClock(NOW + SETTLE_S)
    with lying(nothing_good) as url, caplog.at_level(logging.WARNING):
        wanted = replace(objective("a", url), source=Ratio(url, "total", good="good", counter=False))
        reading = Reading(engine, [wanted], Prometheus(), clock, CollectorRegistry())
        reading.go()
        clock.advance(60)
        reading.go()
    minutes = CATCH_UP_S // 60 + 1
    assert SliceStore(engine).totals()["a"].slice == Slice(0, minutes, minutes, 60 * minutes)
    assert [r.getMessage() for r in caplog.records] == [
        "objective a: the query of the good ones, 'good', gives no series while the total does: all of it counts as bad"
    ]
