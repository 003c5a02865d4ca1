"""Trimming the side lanes: only what was handled long ago."""

import pytest
from confluent_kafka import Consumer, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from ingestion.config import KafkaConfig
from ingestion.contracts.names import Lane
from ingestion.lanes.topics import ensure_topics
from ingestion.lanes.trim import Extent, cuts, trim
from slo.errors import BrokerUnreachable
from tests.support.lanes import working


@given(
    st.dictionaries(st.integers(0, 9), st.builds(Extent, st.integers(-1, 500), st.integers(-1_001, 500))),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_nothing_at_or_above_the_commit_goes_and_a_tail_stays(extents, keep, least) -> None:
    for partition, offset in cuts(extents, keep=keep, least=least).items():
        at = extents[partition]
        assert 0 <= at.start < offset <= at.committed - keep or (at.start < 0 < offset <= at.committed - keep)
        assert offset - max(0, at.start) >= least


def test_what_is_worth_it_goes_and_the_rest_waits() -> None:
    extents = {0: Extent(0, 150_000), 1: Extent(0, 105_000), 2: Extent(0, -1_001), 3: Extent(140_000, 245_000)}
    assert cuts(extents) == {0: 50_000}
    assert cuts(extents, least=1) == {0: 50_000, 1: 5_000, 3: 145_000}


@pytest.mark.kafka
def test_handled_records_leave_the_log_and_unhandled_ones_stay(kafka, kafka_config, pipeline_config) -> None:
    pipeline = pipeline_config.model_copy(update={"partitions": 2})
    ensure_topics(kafka.admin(), pipeline, local=True)
    topic = pipeline.names.topic(Lane.OVERFLOW)
    with working(kafka_config, pipeline) as bench:
        for partition in (0, 1):
            for i in range(50):
                bench._producer.produce(topic, b"%d" % i, b"k", partition)
        assert bench._producer.flush(15) == 0
        assert trim(kafka_config, pipeline, keep=0, least=1) == 0  # nobody has committed
        bench.commit(Lane.OVERFLOW, {0: 30})
        assert trim(kafka_config, pipeline) == 0  # far fewer than are kept
        assert trim(kafka_config, pipeline, keep=10, least=30) == 0
        assert trim(kafka_config, pipeline, keep=10, least=20) == 20
        client = Consumer(kafka_config.client(group_id="x"))
        left = [client.get_watermark_offsets(TopicPartition(topic, p), 10) for p in (0, 1)]
        client.close()
        assert left == [(20, 50), (0, 50)]
        assert trim(kafka_config, pipeline, keep=10, least=1) == 0


def test_an_unreachable_kafka_is_said(pipeline_config, monkeypatch) -> None:
    monkeypatch.setattr("ingestion.lanes.trim.REQUEST_S", 0.5)
    with pytest.raises(BrokerUnreachable):
        trim(KafkaConfig(bootstrap="127.0.0.1:9"), pipeline_config)
