"""One suite over every sink that is shipped: memory, SQLite, PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from ingestion.config import SinkConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Invalid, Outcome, Record
from ingestion.sinks.memory import MemoryHandler
from ingestion.sinks.row import Row
from ingestion.sinks.schema import EVENTS
from ingestion.sinks.sql import SqlHandler
from slo.clock import ManualClock
from tests.support.databases import fresh_postgres, postgres_server

CLOCK = ManualClock(1_790_000_000.5)


class Handler(Protocol):
    def handle(self, batch: Sequence[Record], /) -> list[Outcome]: ...


@dataclass(frozen=True)
class Context:
    lane: Lane
    sink: SinkConfig


@dataclass
class Sink:
    """A sink under test: makes handlers on the same store, and reads it."""

    make: Callable[[], Handler]
    rows: Callable[[], list[dict[str, Any]]]


def sql_sink(url: str, stack: ExitStack) -> Sink:
    def rows() -> list[dict[str, Any]]:
        engine = create_engine(url)
        with engine.connect() as connection:
            found = [dict(row) for row in connection.execute(select(EVENTS).order_by(EVENTS.c.seq)).mappings()]
        engine.dispose()
        return found

    def make() -> SqlHandler:
        handler = SqlHandler(Context(Lane.GENERAL, SinkConfig(url=url)), CLOCK)
        stack.callback(handler.close)
        return handler

    return Sink(make, rows)


def memory_sink() -> Sink:
    handler = MemoryHandler(Context(Lane.GENERAL, SinkConfig()), CLOCK)
    return Sink(
        lambda: handler,
        lambda: [
            {"seq": n, **{f: getattr(row, f) for f in Row.__dataclass_fields__}}
            for n, row in enumerate(handler.rows(), 1)
        ],
    )


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sink]:
    with ExitStack() as stack:
        if request.param == "memory":
            yield memory_sink()
        elif request.param == "sqlite":
            yield sql_sink(f"sqlite:///{tmp_path}/sink.db", stack)
        else:
            yield sql_sink(stack.enter_context(fresh_postgres(request.getfixturevalue("postgres"))), stack)


def record(number: int, **other: Any) -> Record:
    base = Record(
        lane=Lane.OVERFLOW,
        topic="p.overflow",
        partition=1,
        offset=number + 1000,
        token="tok",
        distinct_id="é\U0001f600",
        event_id=f"id-{number}",
        event="e",
        captured_at=1_789_999_999_000,
        appended_at=1_789_999_999_005,
        source=f"p.general/1/{number}",
        key=b"k",
        value=b'{"properties":{"n":%d}}' % number,
    )
    return replace(base, **other)


def test_a_record_becomes_a_row_with_its_place_in_the_general_topic(sink: Sink) -> None:
    assert sink.make().handle([record(7)]) == [Done()]
    assert sink.rows() == [
        {
            "seq": 1,
            "event_id": "id-7",
            "token": "tok",
            "distinct_id": "é\U0001f600",
            "event": "e",
            "lane": "overflow",
            "source_topic": "p.general",
            "source_partition": 1,
            "source_offset": 7,
            "captured_at": 1_789_999_999_000,
            "appended_at": 1_789_999_999_005,
            "visible_at": 1_790_000_000_500,
            "properties": '{"n":7}',
        }
    ]


def test_a_batch_that_comes_again_changes_nothing(sink: Sink) -> None:
    handler = sink.make()
    batch = [record(n) for n in range(50)]
    assert handler.handle(batch) == [Done()] * 50
    before = sink.rows()
    assert sink.make().handle([*reversed(batch), record(50)]) == [Done()] * 51
    assert sink.rows()[:50] == before
    assert len(sink.rows()) == 51


def test_the_first_of_two_records_with_one_event_id_stays(sink: Sink) -> None:
    assert sink.make().handle([record(1), record(2, event_id="id-1")]) == [Done(), Done()]
    assert [row["source_offset"] for row in sink.rows()] == [1]


def test_rows_become_visible_in_the_batchs_order(sink: Sink) -> None:
    handler = sink.make()
    for start in range(0, 300, 100):
        handler.handle([record(n) for n in range(start, start + 100)])
    assert [row["source_offset"] for row in sink.rows()] == list(range(300))
    assert sorted(row["seq"] for row in sink.rows()) == [row["seq"] for row in sink.rows()]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"value": b"nope"}, "not JSON"),
        ({"value": b""}, "not JSON"),
        ({"value": b"\xff"}, "not JSON"),
        ({"value": b"[]"}, "not a JSON object"),
        ({"value": b'{"properties":[]}'}, "not a JSON object"),
        ({"value": b'{"properties":{"a":' + b"[" * 500 + b"]" * 500 + b"}}"}, "too deeply"),
        ({"event_id": ""}, "no event_id"),
        ({"distinct_id": "a\0b"}, "NUL"),
        ({"captured_at": 2**70}, "64 bits"),
        ({"source": "nonsense"}, "topic/partition/offset"),
    ],
)
def test_a_record_that_can_never_be_stored_is_invalid_and_its_neighbours_are_stored(
    sink: Sink, broken: dict[str, Any], reason: str
) -> None:
    outcomes = sink.make().handle([record(1), record(2, **broken), record(3)])
    assert [type(outcome) for outcome in outcomes] == [Done, Invalid, Done]
    assert isinstance(outcomes[1], Invalid)
    assert reason in outcomes[1].reason
    assert [row["source_offset"] for row in sink.rows()] == [1, 3]


def test_an_empty_batch_and_one_without_properties_are_fine(sink: Sink) -> None:
    handler = sink.make()
    assert handler.handle([]) == []
    assert handler.handle([record(1, value=b"{}"), record(2, value=b'{"properties":null}')]) == [Done(), Done()]
    assert [row["properties"] for row in sink.rows()] == ["{}", "{}"]


def test_an_escaped_nul_in_properties_is_kept(sink: Sink) -> None:
    assert sink.make().handle([record(1, value=b'{"properties":{"a":"x\\u0000y"}}')]) == [Done()]
    assert sink.rows()[0]["properties"] == '{"a":"x\\u0000y"}'


def test_writers_at_the_same_time_store_every_event_once(sink: Sink) -> None:
    handlers = [sink.make() for _ in range(4)]

    def write(which: int) -> list[Outcome]:
        out: list[Outcome] = []
        for start in range(0, 200, 20):
            # neighbours overlap by half, as redelivery after a rebalance does
            out += handlers[which].handle([record(n) for n in range(which * 100 + start, which * 100 + start + 20)])
        return out

    with ThreadPoolExecutor(4) as pool:
        outcomes = [outcome for result in pool.map(write, range(4)) for outcome in result]
    assert set(outcomes) == {Done()}
    assert sorted(row["source_offset"] for row in sink.rows()) == list(range(500))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=20) | st.just(b'{"properties":{}}')), max_size=12))
def test_whatever_the_payload_each_record_has_an_outcome_and_is_stored_exactly_when_done(
    sink: Sink, payloads: list[tuple[int, bytes]]
) -> None:
    batch = [record(n, value=value) for n, value in payloads]
    handler = sink.make()
    handler.handle([record(99)])  # makes the table
    before = {row["event_id"] for row in sink.rows()}
    outcomes = handler.handle(batch)
    assert len(outcomes) == len(batch)
    stored = {r.event_id for r, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, Done)}
    assert {row["event_id"] for row in sink.rows()} == before | stored
