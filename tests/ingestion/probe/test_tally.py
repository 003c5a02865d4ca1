"""Arrivals per (partition, token)."""

import base64
from collections import Counter

from confluent_kafka import KafkaError, Message
from datasketches import hll_sketch
from hypothesis import given
from hypothesis import strategies as st

from ingestion.contracts.names import CANARY_TOKEN
from ingestion.contracts.telemetry import OTHER
from ingestion.probe import tally as module
from ingestion.probe.scout import count
from ingestion.probe.tally import Tally


def message(partition: int, token: str | None, key: bytes = b"k", size: int = 10) -> Message:
    found = [("event", b"e")] if token is None else [("token", token.encode()), ("event", b"e")]
    return Message(topic="t", partition=partition, offset=0, key=key, value=b"x" * size, headers=found)


ARRIVALS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("abcdefgh"), st.sampled_from([b"1", b"2", b"3"])), max_size=200
)


@given(ARRIVALS, st.integers(1, 5))
def test_every_arrival_is_in_exactly_one_row(arrivals: list[tuple[int, str, bytes]], top: int) -> None:
    tally = Tally()
    count(tally, [message(p, t, k) for p, t, k in arrivals])
    rows = tally.rows(3, top)
    for partition in range(3):
        of_it = [row for row in rows if row.partition == partition]
        wanted = Counter(t for p, t, _ in arrivals if p == partition)
        assert sum(row.records for row in of_it) == wanted.total()
        assert sum(row.bytes for row in of_it) == 10 * wanted.total()
        named = [row for row in of_it if row.token != OTHER]
        assert len(named) == min(top, len(wanted))
        assert all(row.records == wanted[row.token] for row in named)
        rest = min((row.records for row in named), default=0)
        assert all(n <= rest for t, n in wanted.items() if t not in {row.token for row in named})


def test_keys_and_the_busiest_key_are_counted() -> None:
    tally = Tally()
    count(tally, [message(0, "a", b"1"), message(0, "a", b"1"), message(0, "a", b"2"), message(1, "a", b"3")])
    (first, second) = tally.rows(2)
    assert (first.keys, first.top_key_records, first.records) == (2, 2, 3)
    assert (second.keys, second.top_key_records, second.records) == (1, 1, 1)


def test_errors_and_canaries_are_no_arrivals_and_a_missing_token_is_the_empty_one() -> None:
    tally = Tally()
    error = Message(topic="t", partition=0, error=KafkaError(KafkaError._PARTITION_EOF))
    count(tally, [error, message(0, CANARY_TOKEN), message(0, None)])
    assert [(row.token, row.records) for row in tally.rows(1)] == [("", 1)]
    assert tally.sketch()[1] == 1


def test_records_beyond_the_bound_are_counted_in_other(monkeypatch) -> None:
    monkeypatch.setattr(module, "PLACES", 2_001)
    tally = Tally()
    count(tally, [message(0, "a", b"1"), message(0, "a", b"2")])
    count(tally, [message(0, "a", b"3"), message(0, "b", b"4")])
    assert [(row.token, row.records) for row in tally.rows(1)] == [("a", 2), (OTHER, 2)]


def test_skipped_records_appear_in_other() -> None:
    tally = Tally()
    tally.skip(1, 70, 700)
    assert [(row.token, row.partition, row.records, row.bytes) for row in tally.rows(2)] == [(OTHER, 1, 70, 700)]


def test_the_sketch_tells_how_many_tokens_there_were() -> None:
    tally = Tally()
    count(tally, [message(i % 4, f"token-{i}") for i in range(2_000)])
    text, tokens = tally.sketch()
    estimate = hll_sketch.deserialize(base64.b64decode(text)).get_estimate()
    assert tokens == 2_000
    assert abs(estimate - 2_000) < 0.05 * 2_000


def test_with_many_partitions_the_top_gets_shorter() -> None:
    tally = Tally()
    count(tally, [message(0, f"token-{i}") for i in range(64)])
    assert len(tally.rows(1)) == 64
    assert len(tally.rows(1_000)) == 12 + 1
