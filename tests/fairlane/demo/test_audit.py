"""The independent check: it must see each kind of harm, and nothing where there is none."""

import time
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from fairlane.demo.audit import Audit, Effects, Topics, audit, disorder, identity, judge, parse_place, place
from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.contracts.names import Lane
from ingestion.lanes.topics import ensure_topics


def world(
    records: list[tuple[str, str]],
    forwarded: tuple[int, ...] = (),
    buried: tuple[int, ...] = (),
    handled: list[int] | None = None,
) -> Audit:
    """`records` are (event, key) at offsets 0, 1, ...; `handled` are the offsets in order of effect."""
    topics, effects = Topics(), Effects()
    for offset, (event, _) in enumerate(records):
        topics.source.append(place(0, offset))
        topics.event.append(identity(event))
    topics.forwarded.extend(place(0, offset) for offset in forwarded)
    topics.buried.extend(place(0, offset) for offset in buried)
    elsewhere = set(forwarded)
    for offset in range(len(records)) if handled is None else handled:
        event, key = records[offset] if offset < len(records) else (f"made-up-{offset}", "k")
        effects.add(event, "t", key, place(0, offset), side=offset in elsewhere)
    accepted = np.unique(np.array([identity(event) for event, _ in records], dtype=np.int64))
    return judge(accepted, topics, effects)


THREE = [("a", "k"), ("b", "k"), ("c", "other")]


@pytest.mark.parametrize(
    ("what", "found", "wrong"),
    [
        ("all handled in general", world(THREE), {}),
        ("one forwarded and handled there", world(THREE, forwarded=(1,)), {}),
        ("one dead letter", world(THREE, buried=(0,), handled=[1, 2]), {"visible": 2, "dead": 1}),
        ("another key overtakes", world(THREE, handled=[2, 0, 1]), {}),
        ("one is nowhere", world(THREE, handled=[0, 2]), {"visible": 2, "missing": 1}),
        (
            "one is forwarded, and never handled",
            world(THREE, forwarded=(1,), handled=[0, 2]),
            {"visible": 2, "missing": 1},
        ),
        ("one is forwarded twice", world(THREE, forwarded=(1, 1)), {"duplicated": 1}),
        ("one is forwarded and given up", world(THREE, forwarded=(1,), buried=(1,)), {"duplicated": 1}),
        ("one is in the sink twice", world(THREE, handled=[0, 1, 2, 2]), {"duplicated": 1}),
        ("two of a key are swapped", world(THREE, handled=[1, 0, 2]), {"out_of_order": 1}),
        ("an effect without a record", world(THREE, handled=[0, 1, 2, 9]), {"strangers": 1}),
        ("a forward without a record", world(THREE, forwarded=(9,)), {"strangers": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_harm_is_seen_and_no_other(what: str, found: Audit, wrong: dict[str, int]) -> None:
    clean = {"accepted": 3, "visible": 3, "dead": 0, "missing": 0, "duplicated": 0, "out_of_order": 0, "strangers": 0}
    assert found.as_dict() == {**clean, **wrong}
    assert found.clean == (not set(wrong) - {"visible", "dead"})


def test_an_effect_of_a_side_lane_without_a_committed_forward_is_a_stranger() -> None:
    topics, effects = Topics(), Effects()
    topics.source.append(place(0, 0))
    topics.event.append(identity("a"))
    effects.add("a", "t", "k", place(0, 0), side=True)
    assert judge(np.array([identity("a")]), topics, effects).strangers == 1


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 50)), max_size=60))
def test_disorder_is_what_a_walk_per_key_finds(rows: list[tuple[int, int]]) -> None:
    worst: dict[int, int] = {}
    wanted = 0
    for key, source in rows:
        wanted += source < worst.get(key, -1)
        worst[key] = max(worst.get(key, -1), source)
    keys, sources = np.array([k for k, _ in rows], dtype=np.int64), np.array([s for _, s in rows], dtype=np.int64)
    assert disorder(keys, sources) == wanted


def test_a_place_keeps_offset_order_and_is_read_back_from_its_header() -> None:
    assert place(1, 5) < place(1, 6) < place(2, 0)
    assert parse_place("p.general/3/77") == ("p.general", place(3, 77))
    assert parse_place("") == ("", -1)
    assert parse_place("p.general/x/1") == ("", -1)


def test_200_000_events_are_compared_in_seconds() -> None:
    count = 200_000
    started = time.perf_counter()
    found = world([(f"e{i}", f"k{i % 5_000}") for i in range(count)], forwarded=tuple(range(0, count, 3)))
    assert found.clean
    assert found.visible == count
    assert time.perf_counter() - started < 20, "far more than it takes"


@pytest.mark.kafka
def test_the_topics_and_the_sink_are_read_as_they_are(
    kafka: LocalKafka, pipeline_config: PipelineConfig, tmp_path: Path
) -> None:
    admin = kafka.admin()
    ensure_topics(admin, pipeline_config, local=True)
    names = pipeline_config.names
    general = names.topic(Lane.GENERAL)
    producer = Producer(kafka.config().client(transactional_id=f"{names.pipeline}-audit"))
    producer.init_transactions(10)

    def transaction(records: list[tuple[str, dict[str, str]]], *, commit: bool) -> None:
        producer.begin_transaction()
        for topic, headers in records:
            producer.produce(topic, value=b"", partition=1, headers=[(k, v.encode()) for k, v in headers.items()])
        producer.flush(10)
        (producer.commit_transaction if commit else producer.abort_transaction)(10)

    # offsets 0 to 3 and a marker; then a forward that was aborted, a forward, a dead letter of general's and one of the side lane's
    transaction([(general, {"event_id": event}) for event in "abcd"], commit=True)
    transaction([(general, {"event_id": "canary", "canary": "1"})], commit=True)
    overflow = names.topic(Lane.OVERFLOW)
    transaction([(overflow, {"lane-source": f"{general}/1/0"})], commit=False)
    transaction([(overflow, {"lane-source": f"{general}/1/1"})], commit=True)
    transaction([(overflow, {"lane-source": f"{general}/1/3"})], commit=True)
    transaction([(names.dead, {"dead-source": f"{general}/1/2", "dead-lane": "general"})], commit=True)
    transaction([(names.dead, {"dead-source": f"{overflow}/1/4", "dead-lane": "overflow"})], commit=True)
    url = f"sqlite:///{tmp_path}/sink.db"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE events (seq INTEGER PRIMARY KEY, event_id TEXT, token TEXT, distinct_id TEXT, lane TEXT, "
                "source_partition INT, source_offset INT)"
            )
        )
        for event, lane, offset in (("b", "overflow", 1), ("a", "general", 0)):
            connection.execute(
                text("INSERT INTO events VALUES (NULL, :event, 't', 'k', :lane, 1, :offset)"),
                {"event": event, "lane": lane, "offset": offset},
            )
    engine.dispose()
    said: list[str] = []
    found = audit(kafka.config(), pipeline_config, url, [*"abcd", "never"], said.append)
    assert found == Audit(accepted=5, visible=2, dead=2, missing=1, duplicated=0, out_of_order=1, strangers=0)
    assert any(general in line for line in said)
