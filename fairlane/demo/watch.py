"""Watches `fairlane.state` from outside: which routes were written when, and what the isolator says of the pipeline."""

import threading
from dataclasses import dataclass
from typing import Any

import orjson
from confluent_kafka import Consumer, TopicPartition

from ingestion.config import KafkaConfig
from ingestion.contracts.names import STATE_TOPIC, Lane
from ingestion.contracts.routes import Route
from isolator.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Move:
    """One route record: `at_ms` is the broker's append time."""

    token: str
    source: Lane
    target: Lane
    reason: str
    at_ms: int


class Watch(threading.Thread):
    """Follows the state topic with a consumer of its own until stopped."""

    def __init__(self, kafka: KafkaConfig, pipeline: str) -> None:
        super().__init__(name="demo-watch", daemon=True)
        self._config = kafka.client(
            group_id="fairlane.demo.watch", enable_auto_commit=False, isolation_level="read_committed"
        )
        self._pipeline = pipeline
        self._done = threading.Event()
        self._lanes: dict[str, Lane] = {}
        self.moves: list[Move] = []
        self.diagnoses: dict[str, int] = {}
        """Diagnosis -> number of ticks that gave it."""
        self.verdicts: dict[str, Verdict] = {}
        """By id, in the order in which they were first written."""
        self.sentence = ""
        self.delay_s = 0.0
        """Seconds of work in the longest queue of the general lane."""
        self.warm = False
        """The isolator says that its baselines are old enough to act on."""

    def run(self) -> None:
        """Follow until `stop`."""
        consumer = Consumer(self._config)
        try:
            consumer.assign([TopicPartition(STATE_TOPIC, 0, 0)])
            while not self._done.is_set():
                message = consumer.poll(0.2)
                if message is not None and message.error() is None:
                    self._fold(message.key() or b"", message.value(), message.timestamp()[1])
        finally:
            consumer.close()

    def stop(self) -> None:
        """Leave; waits at most 5 s."""
        self._done.set()
        self.join(5)

    def _fold(self, key: bytes, value: bytes | None, at_ms: int) -> None:
        kind, _, rest = key.decode().partition("/")
        pipeline, _, _ = rest.partition("/")
        if pipeline != self._pipeline or value is None:
            return
        if kind == "route":
            route = Route.decode(value)
            before = self._lanes.get(route.token, Lane.GENERAL)
            self._lanes[route.token] = route.lane
            if route.lane is not before:
                self.moves.append(Move(route.token, before, route.lane, route.reason, at_ms))
        elif kind == "verdict":
            verdict = Verdict.decode(value)
            self.verdicts[verdict.id] = verdict
        elif kind == "status":
            status: dict[str, Any] = orjson.loads(value)
            diagnosis = str(status.get("diagnosis", ""))
            self.diagnoses[diagnosis] = self.diagnoses.get(diagnosis, 0) + 1
            self.sentence = str(status.get("sentence", ""))
            self.delay_s = float(status.get("delay_s", 0.0))
            self.warm = bool(status.get("warm"))

    def first(self, token: str, target: Lane, after: Lane | None = None) -> Move | None:
        """The first move of `token` to `target` (from `after`, when given)."""
        return next(
            (m for m in self.moves if m.token == token and m.target is target and after in (None, m.source)), None
        )


def first_forward_ms(kafka: KafkaConfig, topic: str, partitions: int, token: str, wait_s: float = 10.0) -> int | None:
    """Append time of the earliest committed record of `token` in a side lane's topic; None when it holds none within `wait_s`."""
    consumer = Consumer(
        kafka.client(
            group_id="fairlane.demo.watch",
            enable_auto_commit=False,
            isolation_level="read_committed",
            enable_partition_eof=True,
        )
    )
    first: int | None = None
    try:
        consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        open_partitions = set(range(partitions))
        for _ in range(int(wait_s / 0.2)):
            for message in consumer.consume(500, 0.2):
                partition = message.partition() or 0
                if message.error() is not None:
                    open_partitions.discard(partition)
                elif partition in open_partitions and ("token", token.encode()) in (message.headers() or []):
                    at = message.timestamp()[1]
                    first = at if first is None else min(first, at)
                    open_partitions.discard(partition)
            if not open_partitions:
                break
    finally:
        consumer.close()
    return first
