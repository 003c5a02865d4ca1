"""Slices from a real Prometheus, and from servers that hang, lie or stop half way."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from http.server import BaseHTTPRequestHandler

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.database import open_database
from fairlane.slis.prometheus import Answer, Ask, Prometheus
from fairlane.slis.reading import CATCH_UP_S, SETTLE_S, Reading
from slo.clock import ManualClock
from slo.errors import Unreachable
from slo.objective import Objective, Sli
from slo.slices import Slice
from slo.source import Op, Ratio, Raw, Source, Timeslices
from slo.store import SliceStore
from tests.support.backfilled import backfilled
from tests.support.liar import lying, says

NOW = int(time.time()) // 60 * 60


def objective(source: Source, timeslices: Timeslices | None = None) -> Objective:
    return Objective(
        "shop", "shop", Sli.EXTERNAL, Decimal("0.99"), 0, source=source, timeslices=timeslices, windows="fast-slow"
    )


def _at(n: int) -> int:
    return NOW - 7200 + 60 * n


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus with two hours of two counters and a latency, by backfilling."""
    folder = tmp_path_factory.mktemp("prometheus")
    http = [f'http_total{{pod="{pod}"}} {100 * n} {_at(n)}' for n in range(121) for pod in "ab"]
    bad = [f'http_bad_total{{pod="a"}} {2 * n} {_at(n)}' for n in range(121)]
    p95 = [f"p95 {0.1 if n < 100 else 0.5} {_at(n)}" for n in range(121) if not 40 <= n < 50]
    families = {"http counter": http, "http_bad counter": bad, "p95 gauge": p95}
    text = [line for family, rows in families.items() for line in (f"# TYPE {family}", *rows)]
    with backfilled(folder, "\n".join(text)) as url:
        yield url


@pytest.fixture
def reader() -> Prometheus:
    return Prometheus(timeout_s=5)


@pytest.mark.prometheus
def test_counters_become_minutes_of_whole_events(prometheus: str, reader: Prometheus) -> None:
    source = Ratio(prometheus, "http_total", bad="http_bad_total")
    found = reader.read(objective(source), NOW - 3600, NOW)
    assert len(found) == 60
    assert set(found.values()) == {Slice(198, 200, 200, 60)}


@pytest.mark.prometheus
def test_what_has_no_series_did_not_happen_as_long_as_the_total_is_there(prometheus: str, reader: Prometheus) -> None:
    ten = NOW - 600, NOW
    no_errors = Ratio(prometheus, "http_total", bad="nobody_has_failed_total")
    assert list(reader.read(objective(no_errors), *ten).values()) == [Slice(200, 200, 200, 60)] * 10
    no_success = Ratio(prometheus, "http_total", good="nobody_was_served_total")
    assert list(reader.read(objective(no_success), *ten).values()) == [Slice(0, 200, 200, 60)] * 10
    counts = Ratio(prometheus, "increase(http_total[1m])", good="nobody_was_served_total", counter=False)
    assert {part.good for part in reader.read(objective(counts), *ten).values()} == {0}
    nothing = Ratio(prometheus, "nobody_asked_total", good="http_total")
    assert reader.read(objective(nothing), *ten) == {}


@pytest.mark.prometheus
def test_a_value_is_good_under_its_threshold_and_a_gap_is_not_seen(prometheus: str, reader: Prometheus) -> None:
    found = reader.read(objective(Raw(prometheus, "p95", Op.LTE, 0.2)), NOW - 7200, NOW)
    assert len(found) == 120 - 10
    assert sum(part.good for part in found.values()) == 99 - 10
    sliced = reader.read(objective(Raw(prometheus, "p95", Op.LTE, 0.2), Timeslices(120)), NOW - 7200, NOW)
    assert {part.total for part in sliced.values()} == {60}
    assert len(sliced) % 2 == 0


@pytest.mark.prometheus
@pytest.mark.parametrize(
    ("source", "says"),
    [
        (lambda url: Raw(url, "sum(", Op.LT, 1), "parse error"),
        (lambda url: Raw(url, "http_total", Op.LT, 1), "2 series"),
        (lambda _: Raw("http://127.0.0.1:9", "up", Op.LT, 1), "Check the URL"),
    ],
    ids=["no PromQL", "too many series", "nobody there"],
)
def test_what_cannot_be_read_is_told(
    prometheus: str, reader: Prometheus, source: Callable[[str], Source], says: str
) -> None:
    with pytest.raises(Unreachable, match=says):
        reader.read(objective(source(prometheus)), NOW - 600, NOW)


@pytest.mark.prometheus
def test_the_job_books_what_it_reads_and_reading_again_changes_nothing(prometheus: str, reader: Prometheus) -> None:
    engine: Engine = open_database("sqlite://")
    clock = ManualClock(NOW + SETTLE_S)
    source = Ratio(prometheus, "http_total", bad="http_bad_total")
    registry = CollectorRegistry()
    reading = Reading(engine, [objective(source)], reader, clock, registry)
    assert reading.go() == 120
    assert reading.go() == 0
    assert SliceStore(engine).totals()["shop"].slice == Slice(198 * 120, 200 * 120, 200 * 120, 7200)
    engine.dispose()


class Recorder:
    """A source that always answers; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def read_all(self, asks: Sequence[Ask], _: float) -> Iterator[Answer]:
        for ask in asks:
            self.asked.append((ask.begin, ask.end))
            yield Answer(ask, {at: Slice(1, 1, 1, 60) for at in range(ask.begin, ask.end, 60)})


def test_a_clock_that_was_put_back_does_not_stop_the_reading() -> None:
    engine = open_database("sqlite://")
    source, wanted = Recorder(), objective(Raw("http://nobody", "up", Op.LT, 1))
    reading = Reading(engine, [wanted], source, BackAnHour(NOW + SETTLE_S), CollectorRegistry())
    reading.go()
    reading.go()
    assert source.asked == [(NOW - CATCH_UP_S, NOW), (NOW - 3600 - CATCH_UP_S, NOW - 3600)]
    engine.dispose()


class BackAnHour(ManualClock):
    """A wall clock that is put back by an hour after its first use."""

    def now(self) -> float:
        now = self._now
        self._now = min(self._now, NOW + SETTLE_S - 3600.0)
        return now


def empty(**more: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}, **more}).encode()


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [
        ("it hangs", lambda _: time.sleep(3), "Timeout"),
        ("it stops half way", says(b'{"status": "succ', length=10_000), "Protocol"),
        ("half a JSON", says(b'{"status": "succ'), "no JSON or ends half way"),
        ("an error page", says(b"<html>", 502), "HTTP 502"),
        ("an error of its own", says(b'{"status": "error", "error": "too many samples"}', 422), "too many samples"),
        ("a partial answer", says(empty(warnings=["store 2 is away"])), "store 2 is away"),
        ("a scalar", says(b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}'), "no series"),
        ("rubbish in a series", says(b'{"status": "success", "data": {"resultType": "matrix", "result": [{"values": [["x", 1]]}]}}'), "without values"),
    ],
)  # fmt: skip
def test_a_server_that_answers_wrongly_is_not_believed(
    name: str, answer: Callable[[BaseHTTPRequestHandler], None], reason: str
) -> None:
    reader = Prometheus(timeout_s=0.5)
    engine = open_database("sqlite://")
    with lying(answer) as url:
        wanted = objective(Raw(url, "up", Op.LT, 1))
        begin = time.monotonic()
        with pytest.raises(Unreachable, match=reason):
            reader.read(wanted, NOW - 600, NOW)
        assert time.monotonic() - begin < 5
        registry = CollectorRegistry()
        assert Reading(engine, [wanted], reader, ManualClock(NOW), registry).go() == 0
        assert registry.get_sample_value("fairlane_slo_source_errors_total", {"slo": "shop"}) == 1
    engine.dispose()


def test_a_hint_among_the_warnings_takes_nothing_from_an_answer(reader: Prometheus) -> None:
    hint = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket"
    with lying(says(empty(warnings=[hint]))) as url:
        assert reader.read(objective(Raw(url, "up", Op.LT, 1)), NOW - 600, NOW) == {}


def _trickles(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    _drip(handler)


def _trickles_from_the_first_byte(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    _drip(handler)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    with contextlib.suppress(OSError):
        for _ in range(60):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)


@pytest.mark.parametrize("answer", [_trickles, _trickles_from_the_first_byte], ids=["the body", "the headers"])
def test_an_answer_that_trickles_in_is_not_waited_for(answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
    with lying(answer) as url:
        begin = time.monotonic()
        with pytest.raises(Unreachable, match=r"longer than 0\.5 s"):
            Prometheus(timeout_s=1, answer_s=0.5).read(objective(Raw(url, "up", Op.LT, 1)), NOW - 600, NOW)
        assert time.monotonic() - begin < 2


@pytest.mark.parametrize(
    ("name", "url", "reason"),
    [
        ("nobody there", "http://user:hunter2@127.0.0.1:9/?token=hunter2", r"http://127\.0\.0\.1:9/\?token=\*{8}: Connect"),
        ("a slash in the password", "http://user:hunter2/x@127.0.0.1:9", "no address that can be asked"),
        ("no port", "http://user:hunter2@127.0.0.1:http", "no address that can be asked"),
    ],
)  # fmt: skip
def test_a_password_in_the_address_is_not_told(reader: Prometheus, name: str, url: str, reason: str) -> None:
    with pytest.raises(Unreachable, match=reason) as told:
        reader.read(objective(Raw(url, "up", Op.LT, 1)), NOW - 600, NOW)
    assert "hunter2" not in str(told.value)


def test_parameters_of_the_address_are_sent_along(reader: Prometheus) -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        says(empty())(handler)

    with lying(answer) as url:
        reader.read(objective(Raw(f"{url}/prom/?tenant=a", "up", Op.LT, 1)), NOW - 600, NOW)
    assert asked == ["/prom/api/v1/query_range?tenant=a"]
