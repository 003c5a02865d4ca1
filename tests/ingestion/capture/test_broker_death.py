"""A broker that dies in the middle of requests: nothing is acknowledged that is not there, before and after."""

import threading
import time
from pathlib import Path

import httpx
import pytest

from fairlane.stack.kafka import LocalKafka
from ingestion.config import CaptureConfig, PipelineConfig
from ingestion.contracts.headers import EVENT_ID, get
from ingestion.contracts.names import Lane
from ingestion.lanes.topics import ensure_topics
from tests.support.capture_server import capturing, read_topic

pytestmark = pytest.mark.kafka


class Load(threading.Thread):
    """Sends batches until told to stop, and writes down what it was told about each event."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.prefix = name
        self.stopped = threading.Event()
        self.told: dict[str, str] = {}
        self.statuses: set[int] = set()
        self.slowest_s = 0.0

    def run(self) -> None:
        number = 0
        while not self.stopped.is_set():
            batch = [
                {"event": "e", "distinct_id": f"{self.prefix}-{number}-{n}", "properties": {"pad": "x" * 200}}
                for n in range(40)
            ]
            number += 1
            started = time.monotonic()
            answer = self.client.post("/v1/events", json=batch, headers={"authorization": "Bearer t"})
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)
            self.statuses.add(answer.status_code)
            for result in answer.json().get("results", []):
                self.told[result["event_id"]] = result["status"]


def test_nothing_is_acknowledged_that_is_not_on_the_broker_when_it_dies_and_comes_back(tmp_path: Path) -> None:
    pipeline = PipelineConfig(name="death", partitions=3, replication=1)
    with LocalKafka(tmp_path, quiet=True) as kafka:
        ensure_topics(kafka.admin(), pipeline, local=True)
        with capturing(pipeline, kafka.config(), CaptureConfig(delivery_timeout_s=3)) as client:
            loads = [Load(client, f"load{n}") for n in range(4)]
            for load in loads:
                load.start()
            time.sleep(1.5)
            kafka.kill()
            time.sleep(4)
            kafka.restart()
            deadline = time.monotonic() + 40
            while (
                client.post(
                    "/v1/events", json={"event": "again", "distinct_id": "probe"}, headers={"authorization": "Bearer t"}
                ).status_code
                != 202
            ):
                assert time.monotonic() < deadline, "capture did not recover"
            for load in loads:
                load.stopped.set()
            for load in loads:
                load.join(20)
                assert not load.is_alive()
        told = {event_id: status for load in loads for event_id, status in load.told.items()}
        there = [
            get(message.headers(), EVENT_ID)
            for message in read_topic(kafka.config(), pipeline.names.topic(Lane.GENERAL), 3)
        ]
        accepted = {event_id for event_id, status in told.items() if status == "accepted"}
        assert {202, 503} <= set().union(*(load.statuses for load in loads)) <= {202, 503}
        assert "unconfirmed" in told.values(), "the broker died too politely for this test to mean anything"
        assert accepted - set(there) == set(), "acknowledged, but not on the broker"
        assert len(there) == len(set(there)), "the producer's retries doubled an event"
        assert max(load.slowest_s for load in loads) < 5, "an answer took longer than the delivery timeout allows"
